"""A live feed: a table that grows while people work in the CRM.

Whatever happens, the table ends right: a notification only says which records to read, changes
without one are found by polling, and every problem is noted.
"""

from __future__ import annotations

import atexit
import contextvars
import re
import threading
from collections import Counter, deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary

from zcrm_nb.api.listening.changes import Marks
from zcrm_nb.api.listening.feed_callbacks import FeedCallbacks
from zcrm_nb.api.listening.feed_notes import FeedNotes, InboxNotes, counted, error_text
from zcrm_nb.api.listening.feed_plan import EVERY_S
from zcrm_nb.api.listening.notifications import disable
from zcrm_nb.errors import LimitError, LoginError, ZohoError
from zcrm_nb.state.event_log import EventLog
from zcrm_nb.state.folder_lease import FolderLease
from zcrm_nb.wire.credits import credits_text
from zcrm_nb.wire.webhook_receiver import Notification, NotificationInbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from zcrm_nb.api.listening.changes import Changes
    from zcrm_nb.api.listening.feed_callbacks import Callback
    from zcrm_nb.api.listening.feed_plan import CountingSend, FeedPlan
    from zcrm_nb.api.listening.push import PushChannel

__all__ = ["Feed", "take_folder"]

DAY_S = 24 * 60 * 60
SETTLE_S = 0.3  # after a notification others often follow: they are fetched together
GLANCE_S = 5.0  # the longest sleep of the thread: a clock that jumped is noticed then
STOP_S = 10.0  # the longest wait for a call that is running
BATCH = 500  # notifications that are processed at once
RESUME_S = DAY_S  # a feed continues one that ended no longer ago
PATIENCE_S = (5.0, 15.0, 60.0, 300.0)  # between tries after something went wrong

_RUNNING: WeakValueDictionary[str, Feed] = WeakValueDictionary()


class Feed:
    """A table of what changes in a module, which grows by itself. Made by :meth:`CRM.live`.

    Parameters
    ----------
    plan : FeedPlan
        How it learns of changes.
    changes : Changes
        Reads what has changed.
    send : CountingSend
        What ``changes`` sends with.
    lease : FolderLease
        Where notes outlive the kernel.
    now : callable
        Seconds since 1970.
    background : bool, default True
        Whether a thread keeps it up to date; else each call of :meth:`update` does.

    Attributes
    ----------
    mode : {"push", "poll"}
        Whether Zoho notifies, or the feed only polls.
    counts : collections.Counter
        Rows by operation and by source, since the feed began.
    is_running : bool
        Whether it is running.

    Raises
    ------
    ZohoError
        The first poll failed; nothing is left open then.

    Notes
    -----
    Each row is an event; its values are those that the record had when the feed read it, shortly
    after. ``changed`` names the fields by Zoho's notification (a change found by polling is
    compared with the record as it was known, so it is empty for a record first seen). ``source`` is
    ``notified`` or ``found``.

    Polling rests on ``Modified_Time`` and on the list of deleted records: what moves neither, such
    as a formula's value, is not a change here, and of several changes between two polls the last
    one is found.
    """

    def __init__(
        self,
        plan: FeedPlan,
        changes: Changes,
        send: CountingSend,
        lease: FolderLease,
        *,
        now: Callable[[], float],
        background: bool = True,
    ) -> None:
        self._plan, self._changes, self._send = plan, changes, send
        self._lease, self._now = lease, now
        self._notes = FeedNotes(now)
        # Output below a cell that ended long ago is not read.
        send.notify = lambda text: self._notes.add("wait", text)
        self._rows: deque[dict[str, Any]] = deque(maxlen=plan.keep)
        self.counts: Counter[str] = Counter()
        self._callbacks = FeedCallbacks(self._notes)
        self._views: WeakSet[Any] = WeakSet()
        self._lock, self._working = threading.RLock(), threading.RLock()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._made: tuple[tuple[int, str], pd.DataFrame] | None = None
        self._failures, self._wait_until_s, self._poll_at_s = 0, 0.0, 0.0
        self._overlapping = 0
        self._push: PushChannel | None = None
        self._thread: threading.Thread | None = None
        self._journal = EventLog(lease.folder / "events")
        self._inbox = NotificationInbox(self._journal, self._wake.set)
        self._inbox_notes = InboxNotes(self._inbox, self._notes)
        try:
            self._begin()
        except BaseException:  # whatever it is, nothing stays open
            self._close()
            raise
        atexit.register(self.stop)
        if background:
            self._start()

    # ---- Its tables ----------------------------------------------------------------------------

    @property
    def df(self) -> pd.DataFrame:
        """The changes so far, the newest last; one row for each event.

        Returns
        -------
        DataFrame of shape (n_events, n_fields + 5)
            ``time`` (``datetime64[ms, UTC]``), ``operation`` (category: insert, update, delete),
            ``id``, the fields as :meth:`CRM.coql` types them, ``changed`` (list of str) and
            ``source`` (category: notified, found). A copy, which does not grow. It holds the newest
            ``keep`` events; :attr:`counts` counts all.
        """
        with self._lock:
            state = (self.counts["rows"], "df")
            if self._made is None or self._made[0] != state:
                self._made = (state, self._frame(list(self._rows)))
            return self._made[1].copy()

    @property
    def state(self) -> pd.DataFrame:
        """The records as they are now, one row for each; deleted ones are gone.

        Returns
        -------
        DataFrame of shape (n_records, n_fields + 1)
            ``id`` and the fields, as :meth:`CRM.coql` types them, those that changed last at the
            end: the records that have changed since the feed began, or all of the module if it was
            made with ``whole=True``.
        """
        with self._working:
            table = self._changes.state_frame()
        return self._with_origin(table)

    @property
    def notes(self) -> pd.DataFrame:
        """What happened to the feed itself: renewals, gaps, errors of callbacks.

        Returns
        -------
        DataFrame of shape (n_notes, 3)
            ``time``, ``about`` and ``note``; the last 200.
        """
        return self._notes.frame()

    @property
    def problem(self) -> str:
        """What is wrong now; empty while all is well."""
        return self._notes.problems

    @property
    def mode(self) -> str:
        """``"push"`` while Zoho notifies, else ``"poll"``."""
        return "push" if self._push is not None and self._push.subscription.is_open else "poll"

    @property
    def is_running(self) -> bool:
        """Whether it is running."""
        return not self._stopped.is_set()

    @property
    def credits(self) -> int:
        """API credits spent so far."""
        return self._send.credits

    @property
    def credits_a_day(self) -> int:
        """API credits that it will spend in a quiet day.

        Returns
        -------
        int
            3 for each poll (1 for up to 200 modified records, 2 for the deleted ones), and 1 for
            each renewal of the channel. Notified records cost 1 for each 100.
        """
        renewals = round(DAY_S / 2700) if self.mode == "push" else 0
        return round(DAY_S / self._every_s) * 3 + renewals

    # ---- Its methods -------------------------------------------------------------------------

    def update(self) -> pd.DataFrame:
        """Bring it up to date now: read what was notified, and poll for what was not.

        Returns
        -------
        DataFrame of shape (n_new, n_fields + 5)
            The new rows, as in :attr:`df`.

        Raises
        ------
        ZohoError
            The poll failed; notifications are not lost.
        RuntimeError
            It was stopped.

        Notes
        -----
        3 credits, and 1 for each 100 records that were notified.
        """
        if not self.is_running:
            raise RuntimeError("This feed was stopped; make a new one with crm.live(…).")
        return self._frame(self._step(poll=True))

    def on(self, callback: Callback) -> Callback:
        """Call a function with the new rows, whenever there are some.

        Parameters
        ----------
        callback : callable
            Takes a DataFrame such as :attr:`df`, of the new rows alone. It is called in the feed's
            thread; what it prints appears below the cell that called ``on``. What it raises is
            noted in :attr:`notes`, and the feed goes on. A function that a cell defines again takes
            the place of the one of that name.

        Returns
        -------
        callable
            The same: ``@feed.on`` works above a ``def``.

        Raises
        ------
        TypeError
            It cannot be called, or is an ``async def``, which is not awaited here.
        """
        self._callbacks.add(callback)
        return callback

    def stop(self) -> None:
        """Stop listening: close the channel and the port. What was gathered stays.

        The end of a ``with`` block, of the CRM object and of the kernel do the same.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.set()
        atexit.unregister(self.stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
        self._close()
        self._refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ---- How it begins and ends ------------------------------------------------------------------

    def _begin(self) -> None:
        """Open the channel first, so that no change falls between it and the first poll."""
        _RUNNING[str(self._lease.folder)] = self
        saved = self._lease.notes()
        self._notes.add("feed", f"Began, on {self._plan.module}.")
        if not self._lease.is_first:
            self._notes.add("feed", "Another kernel has a feed of that name: this one is separate.")
        self._subscribe()
        if saved.get("channel_id"):
            self._close_channel(str(saved["channel_id"]))
        marks = self._first_marks(saved)
        self._read_notified(drop=not self._plan.resume)
        self._add(self._changes.begin(marks))
        self._poll_at_s = self._now() + self._every_s
        self._save()

    def _subscribe(self) -> None:
        """Open a channel, if this kernel can be reached; else note why not."""
        if self._plan.subscribe is None:
            self._notes.add("feed", self._plan.why)
            return
        try:
            self._push = self._plan.subscribe(self._inbox)
        except ZohoError as error:
            if self._plan.must_push:
                raise
            self._notes.add("channel", f"It polls instead of being notified: {error_text(error)}")
        else:
            until = self._push.subscription.until
            self._notes.add("channel", f"Zoho notifies until {until}; then it is renewed.")

    def _first_marks(self, saved: dict[str, Any]) -> Marks | None:
        """Choose the marks to begin at: ``since``, or where the last feed ended."""
        if self._plan.since is not None:
            return Marks(self._plan.since, self._plan.since)
        if not self._plan.resume or "modified" not in saved:
            return None
        try:
            ended_s = float(saved.get("left_s") or 0.0)
            at = f"{datetime.fromtimestamp(ended_s, UTC):%Y-%m-%d %H:%M} UTC"
            marks = self._changes.restore(saved)
        except (TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            self._notes.add("gap", f"The notes of the last feed cannot be read: {error}")
            return None
        if self._now() - ended_s > RESUME_S:
            self._notes.add(
                "gap",
                f"The last feed ended at {at}, more than a day ago: changes since then are not "
                "fetched. Use since= to fetch them.",
            )
            return None
        self._notes.add("gap", f"Continues where the last feed ended, {at}.")
        return marks

    def _start(self) -> None:
        """Start the thread; where there can be none, note what to do instead.

        It runs in a copy of the cell's context: ipykernel finds there where an output belongs, and
        one of its versions lets a thread without it die.
        """
        run = contextvars.copy_context().run
        name = f"zcrm_nb feed of {self._plan.module}"
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # a browser's Python has no threads
            self._thread = None
            self._notes.add("feed", "This Python has no threads: call feed.update() instead.")

    def _close(self) -> None:
        """Close whatever is open; failures are only noted."""
        if self._push is not None:
            subscription = self._push.subscription
            self._inbox.forget(subscription.wanted.channel_id)
            self._notes.add("channel", subscription.close() or "Closed.")
            self._push.close()
            self._push = None
        with suppress(OSError):  # a full disk: the next feed then begins anew
            self._save()
        self._journal.close()
        self._lease.close()

    def _save(self) -> None:
        """Save for the next kernel how far this one came, and which channel it has."""
        channel_id = self._push and self._push.subscription.wanted.channel_id
        state = self._changes.saved_state()
        self._lease.note({**state, "channel_id": channel_id, "left_s": self._now()})

    def _close_channel(self, channel_id: str) -> None:
        """Close the channel of a kernel that died."""
        with suppress(ZohoError):  # it may have ended by itself, and does so within the hour
            disable(self._send, [channel_id])

    # ---- The thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        """Keep up to date until it is stopped; no failure ends it."""
        while True:
            # Real seconds, not the gate's: this only decides when to look at the clock.
            self._wake.wait(self._pause_s())
            if self._stopped.wait(SETTLE_S if self._wake.is_set() else 0):
                return
            self._wake.clear()
            with suppress(Exception):  # whatever it is, the step has noted it, and repeats it
                self._step()

    def _pause_s(self) -> float:
        """Seconds until something is due."""
        due_s = (self._wait_until_s or self._poll_at_s) - self._now()
        if self._push is not None and not self._wait_until_s:
            due_s = min(due_s, self._push.subscription.due_s)
        return min(GLANCE_S, max(0.05, due_s))

    def _step(self, *, poll: bool = False) -> list[dict[str, Any]]:
        """Do what is due, and return the new rows."""
        with self._working:
            if self._stopped.is_set() or (self._now() < self._wait_until_s and not poll):
                return []
            try:
                rows = self._work(poll)
            except Exception as error:  # whatever it is, it is noted and repeated later
                self._failed(error)
                raise
            self._failures, self._wait_until_s = 0, 0.0
            self._notes.problem("poll", "")
            return rows

    def _work(self, poll: bool) -> list[dict[str, Any]]:
        """Renew the channel, read what was notified, poll when it is time."""
        gap = self._renew_channel()
        rows = self._read_notified()
        gap = self._inbox_notes.has_lost() or gap
        crowded = self._changes.overlapping - self._overlapping > self._plan.keep
        if poll or gap or crowded or self._now() >= self._poll_at_s:
            found = self._changes.poll()
            self._poll_at_s = self._now() + self._every_s
            # What has just changed comes with every poll: another one would not help.
            self._overlapping = self._changes.overlapping
            self._check_reach(found, gap=gap)
            self._inbox_notes.add_rejected()
            rows += self._add(found)
            self._save()
        return rows[-self._plan.keep :]

    def _renew_channel(self) -> bool:
        """Renew the channel when it is time; return whether changes may have been missed."""
        if self._push is None:
            return False
        subscription = self._push.subscription
        ends, was_open = subscription.ends, subscription.is_open
        gap = subscription.renew_if_due()
        self._notes.problem("channel", subscription.problem)
        if subscription.ends != ends:
            what = "Had ended; opened again" if gap else "Renewed"
            self._notes.add("channel", f"{what}, until {subscription.until}.")
        return gap or (was_open and not subscription.is_open)

    def _read_notified(self, *, drop: bool = False) -> list[dict[str, Any]]:
        """Read the records that were notified; those that cannot be read now are kept for later."""
        rows: deque[dict[str, Any]] = deque(maxlen=self._plan.keep)
        while lines := self._journal.read(BATCH):
            notifications = [] if drop else [each for each in map(_of_line, lines) if each]
            own = [each for each in notifications if each.module == self._plan.module]
            try:
                records = self._changes.notified(own)
            except BaseException:  # even an interrupt: the notifications are read again
                self._journal.rewind()
                raise
            self._journal.done()
            self._notes.problem("channel", "", key="reach")
            rows += self._add(records)
        return list(rows)

    def _check_reach(self, found: Sequence[dict[str, Any]], *, gap: bool) -> None:
        """Note changes that should have been notified."""
        if self._push is None or not found:
            return
        if self._inbox.counts["accepted"] or gap or self._notes.has_problem("channel"):
            self._notes.add("gap", f"Found by polling, not notified: {counted(len(found))}.")
            return
        text = (
            f"Found by polling: {counted(len(found))}; no notification has arrived yet. Check that "
            "the address given to Zoho leads here."
        )
        self._notes.problem("channel", text, key="reach")

    def _failed(self, error: BaseException) -> None:
        """Note a failure, poll again when it is over, and wait longer each time."""
        self._notes.problem("poll", error_text(error))
        pause = PATIENCE_S[min(self._failures, len(PATIENCE_S) - 1)]
        if isinstance(error, (LoginError, LimitError)):
            pause = PATIENCE_S[-1]
        self._failures += 1
        self._wait_until_s = self._now() + pause
        self._poll_at_s = self._now()
        self._refresh()

    # ---- Rows ---------------------------------------------------------------------------------

    def _add(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Add new rows, and call the callbacks."""
        fresh = [each for each in rows if each["operation"] in self._plan.operations]
        if fresh:
            with self._lock:
                self._rows.extend(fresh)
                self.counts["rows"] += len(fresh)
                self.counts.update(each["operation"] for each in fresh)
                self.counts.update(each["source"] for each in fresh)
            self._callbacks.call(lambda: self._frame(fresh))
        self._refresh()
        return fresh

    def _frame(self, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Make a table of rows."""
        table = self._with_origin(self._changes.frame(rows))
        self._notes.problem("users", self._changes.users_problem)
        return table

    def _with_origin(self, table: pd.DataFrame) -> pd.DataFrame:
        """Write the origin of a table into its attrs."""
        table.attrs["zcrm"] = {
            "query": self._plan.module,
            "route": "live",
            "time": datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds"),
            "credits": self.credits,
        }
        return table

    @property
    def _every_s(self) -> float:
        """Seconds between two polls; without a channel it polls more often."""
        return self._plan.every_s or EVERY_S[self.mode]

    # ---- How it shows ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Update the views; one that fails is dropped, with a note."""
        for view in list(self._views):
            try:
                view.refresh()
            except Exception as error:  # whatever a front end may raise
                self._views.discard(view)
                self._notes.add("view", f"A view is no longer kept up to date: {error!r}")

    def headline(self) -> str:
        """Return its state in one line."""
        if not self.is_running:
            return "stopped"
        if self._push is not None and self.mode == "push":
            return f"notified by Zoho, until {self._push.subscription.until} and renewed before"
        return f"polls every {self._every_s:g} s"

    def tally(self) -> str:
        """Return how many changes it has seen, in words."""
        each = ", ".join(f"{self.counts[name]:,} {name}" for name in self._plan.operations)
        more = self.counts["rows"] > self._plan.keep
        kept = f"; df has the last {self._plan.keep:,}" if more else ""
        return f"{counted(self.counts['rows'])} ({each}){kept}"

    def price(self) -> str:
        """Return what it costs, in words."""
        a_day = f", about {self.credits_a_day:,} a day" if self.is_running else ""
        return f"{credits_text(self.credits)} spent{a_day}"

    def __repr__(self) -> str:
        lines = [f"<Live feed of {self._plan.module}: {self.headline()}."]
        lines.append(f" {self.tally()}. {self.price()}.")
        if self.problem:
            lines.append(f" Problem: {self.problem}")
        return "\n".join(lines) + ">"

    @property
    def module(self) -> str:
        """API name of its module."""
        return self._plan.module

    @property
    def operations(self) -> tuple[str, ...]:
        """The operations in its table: some of insert, update and delete."""
        return self._plan.operations

    def watch_by(self, view: Any) -> None:
        """Call the ``refresh`` of a view after each change, for as long as the view exists."""
        self._views.add(view)


def take_folder(parent: Path, module: str, name: str) -> FolderLease:
    """Lease a feed's folder; an older feed of the same name in this process ends."""
    if not re.fullmatch(r"[\w-]{0,40}", name):
        raise ValueError(f"name={name!r} may have up to 40 letters, digits, '_' and '-'.")
    folder = f"{module}.{name}" if name else module
    old = _RUNNING.get(str(parent / folder))
    if old is not None:
        old.stop()
    return FolderLease(parent, folder)


def _of_line(line: bytes) -> Notification | None:
    """Read a line of the journal; one cut off by a kill was never acknowledged to Zoho."""
    try:
        return Notification.of_line(line)
    except (ValueError, TypeError):
        return None
