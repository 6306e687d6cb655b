"""A live feed: a table that grows while people work in the CRM.

Whatever happens, the table ends right: a notification says only where to look, what no notification
told of is found by looking, and nothing goes wrong in silence.
"""

from __future__ import annotations

import atexit
import contextvars
import re
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, WeakValueDictionary

from zcrm_nb.api.listening.changes import Marks
from zcrm_nb.api.listening.feed_plan import EVERY_S
from zcrm_nb.api.listening.notifications import disable
from zcrm_nb.errors import LimitError, LoginError, ZohoError
from zcrm_nb.frames import Column, to_frame
from zcrm_nb.state.event_log import EventLog
from zcrm_nb.state.folder_lease import FolderLease
from zcrm_nb.wire.webhook_receiver import Door, Notification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import pandas as pd

    from zcrm_nb.api.listening.changes import Changes
    from zcrm_nb.api.listening.feed_plan import Counting, FeedPlan, Opened

    Callback = Callable[[pd.DataFrame], object]

__all__ = ["Feed", "take_slot"]

DAY_S = 24 * 60 * 60
SETTLE_S = 0.3  # after a notification others often follow: they are fetched together
GLANCE_S = 5.0  # how long the thread sleeps at most: a clock that jumped is noticed then
STOP_S = 10.0  # how long a call that is under way is waited for
BATCH = 500  # notifications that are fetched in one go
RESUME_S = DAY_S  # what lies further back is not caught up by itself
PATIENCE_S = (5.0, 15.0, 60.0, 300.0)  # between tries after something went wrong

_NOTE_COLUMNS = [Column("time", "datetime"), Column("about", "text"), Column("note", "text")]
_RUNNING: WeakValueDictionary[str, Feed] = WeakValueDictionary()


@dataclass(slots=True)
class _Told:
    """What was noted about a feed, for a person to read."""

    notes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=200))
    problems: dict[str, str] = field(default_factory=dict)
    away: dict[str, int] = field(default_factory=dict)
    lost: int = 0


class Feed:
    """A table of what changes in a module, which grows by itself. Made by :meth:`CRM.live`.

    Parameters
    ----------
    plan : FeedPlan
        How to listen.
    changes : Changes
        Learns what has changed.
    send : Counting
        What ``changes`` sends with.
    slot : FolderLease
        Where notes outlive the kernel.
    now : callable
        Seconds since 1970.
    background : bool, default True
        Whether a thread keeps it up to date; else :meth:`update` does, whenever it is called.

    Attributes
    ----------
    mode : {"push", "poll"}
        Whether Zoho notifies, or the feed only looks.
    counts : collections.Counter
        Rows by operation and by source, since the feed began.
    is_running : bool
        Whether it still listens.

    Raises
    ------
    ZohoError
        The first look failed; nothing is left open then.

    Notes
    -----
    Each row is an event; its values are those that the record had when the feed fetched it, shortly
    after. ``changed`` names the fields as Zoho told them (what a look has found is compared with
    what was known, so it is empty for a record first seen). ``source`` says ``notified`` or
    ``found``.

    Looking rests on ``Modified_Time`` and on the list of deleted records: what moves neither, such
    as a formula's value, is no change here, and of several changes between two looks the last one
    is found.
    """

    def __init__(
        self,
        plan: FeedPlan,
        changes: Changes,
        send: Counting,
        slot: FolderLease,
        *,
        now: Callable[[], float],
        background: bool = True,
    ) -> None:
        self._plan, self._changes, self._send = plan, changes, send
        self._slot, self._now = slot, now
        # In the background nobody reads what appears below a cell that is long done.
        send.tell = lambda words: self._note("wait", words)
        self._rows: deque[dict[str, Any]] = deque(maxlen=plan.keep)
        self.counts: Counter[str] = Counter()
        self._told = _Told()
        self._callbacks: list[tuple[Callback, contextvars.Context]] = []
        self._views: WeakSet[Any] = WeakSet()
        self._lock, self._working = threading.RLock(), threading.RLock()
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._made: tuple[tuple[int, str], pd.DataFrame] | None = None
        self._failures, self._wait_until_s, self._look_at_s = 0, 0.0, 0.0
        self._unlooked = 0
        self._line: Opened | None = None
        self._thread: threading.Thread | None = None
        self._journal = EventLog(slot.folder / "events")
        self._door = Door(self._journal, self._wake.set)
        try:
            self._begin()
        except BaseException:
            self._let_go()
            raise
        atexit.register(self.stop)
        if background:
            self._start()

    # ---- What it knows ---------------------------------------------------------------------------

    @property
    def df(self) -> pd.DataFrame:
        """The changes so far, the newest last; one row for each event.

        Returns
        -------
        DataFrame of shape (n_events, n_fields + 5)
            ``time`` (``datetime64[ms, UTC]``), ``operation`` (category: insert, update, delete),
            ``id``, the fields as :meth:`CRM.coql` types them, ``changed`` (list of str) and
            ``source`` (category: notified, found). A table of its own: it does not grow while you
            look at it. It holds the newest ``keep`` events; :attr:`counts` counts all.
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
        """What happened to the feed itself, in words: renewals, gaps, errors of callbacks.

        Returns
        -------
        DataFrame of shape (n_notes, 3)
            ``time``, ``about`` and ``note``; the last 200.
        """
        return to_frame([list(self._told.notes)], _NOTE_COLUMNS)

    @property
    def problem(self) -> str:
        """What is wrong now, in words; empty while all is well."""
        return " ".join(self._told.problems.values())

    @property
    def mode(self) -> str:
        """``"push"`` while Zoho notifies, else ``"poll"``."""
        return "push" if self._line is not None and self._line[0].is_open else "poll"

    @property
    def is_running(self) -> bool:
        """Whether it still listens."""
        return not self._stopped.is_set()

    @property
    def credits(self) -> int:
        """API credits that it has spent."""
        return self._send.credits

    @property
    def credits_a_day(self) -> int:
        """API credits that it will spend in a day in which little happens.

        Returns
        -------
        int
            3 for each look (1 for up to 200 modified records, 2 for the deleted ones), and 1 for
            each renewal of the channel. What notifications name costs 1 for each 100 records.
        """
        renewals = round(DAY_S / 2700) if self.mode == "push" else 0
        return round(DAY_S / self._every_s) * 3 + renewals

    # ---- What one does with it -------------------------------------------------------------------

    def update(self) -> pd.DataFrame:
        """Bring it up to date now: take what was notified, and look for what was not.

        Returns
        -------
        DataFrame of shape (n_new, n_fields + 5)
            The new rows, as in :attr:`df`.

        Raises
        ------
        ZohoError
            It could not look; what was notified is not lost.
        RuntimeError
            It was stopped.

        Notes
        -----
        3 credits, and 1 for each 100 records that were notified.
        """
        if not self.is_running:
            raise RuntimeError("This feed was stopped; crm.live(…) makes a new one.")
        return self._frame(self._step(look=True))

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
            The same, so that it can stand above a ``def`` as ``@feed.on``.

        Raises
        ------
        TypeError
            It cannot be called, or is an ``async def``, which nobody would await here.
        """
        if not callable(callback) or iscoroutinefunction(callback):
            raise TypeError(
                f"feed.on takes a plain function of a DataFrame, not {callback!r}; a plain one can "
                "hand work to an event loop, with asyncio.run_coroutine_threadsafe."
            )
        self._callbacks = [each for each in self._callbacks if not _is_anew(callback, each[0])]
        self._callbacks.append((callback, contextvars.copy_context()))
        return callback

    def stop(self) -> None:
        """Stop listening: close the channel and the port. What was gathered stays.

        A ``with`` block, closing the CRM object and the end of the kernel do it too.
        """
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._wake.set()
        atexit.unregister(self.stop)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(STOP_S)
        self._let_go()
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
        """Open the channel first, so that nothing falls between it and the first look."""
        _RUNNING[str(self._slot.folder)] = self
        left = self._slot.notes()
        self._note("feed", f"Began, on {self._plan.module}.")
        if not self._slot.is_first:
            self._note("feed", "Another kernel has a feed of that name: this one keeps its own.")
        self._subscribe()
        if left.get("channel_id"):
            self._close_left(left["channel_id"])
        marks = self._where_to_begin(left)
        self._take_told(drop=not self._plan.resume)
        self._add(self._changes.begin(marks))
        self._look_at_s = self._now() + self._every_s
        self._remember()

    def _subscribe(self) -> None:
        """Open a channel, if this kernel can be reached; say why not, if not."""
        if self._plan.subscribe is None:
            self._note("feed", self._plan.why)
            return
        try:
            self._line = self._plan.subscribe(self._door)
        except ZohoError as error:
            if self._plan.must_push:
                raise
            words = " ".join(filter(None, (error.happened, error.said)))
            self._note("channel", f"It looks by itself instead of being notified: {words}")
        else:
            self._note("channel", f"Zoho notifies until {self._line[0].until}, then it is renewed.")

    def _where_to_begin(self, left: dict[str, Any]) -> Marks | None:
        """Choose the marks to begin at: those asked for, or where the last feed left off."""
        if self._plan.since is not None:
            return Marks(self._plan.since, self._plan.since)
        if not self._plan.resume or not left.get("modified"):
            return None
        left_s = float(left.get("left_s") or 0.0)
        at = f"{datetime.fromtimestamp(left_s, UTC):%Y-%m-%d %H:%M} UTC"
        if self._now() - left_s > RESUME_S:
            self._note(
                "gap",
                f"The last feed left off at {at}, more than a day ago: what happened between is "
                "not fetched. since= would.",
            )
            return None
        self._note("gap", f"Goes on where the last feed left off, {at}.")
        return self._changes.recall(left)

    def _start(self) -> None:
        """Start the thread; where there can be none, say what to do instead.

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
            self._note("feed", "No threads here: feed.update() brings it up to date.")

    def _let_go(self) -> None:
        """Close whatever is open; what goes wrong then is only noted."""
        if self._line is not None:
            subscription, shut = self._line
            self._door.forget(subscription.wanted.channel_id)
            words = subscription.close()
            self._note("channel", words or "Closed.")
            shut()
            self._line = None
        with suppress(OSError):
            self._remember()
        self._journal.close()
        self._slot.close()

    def _remember(self) -> None:
        """Note for the next kernel how far this one came, and which channel it has."""
        channel_id = self._line and self._line[0].wanted.channel_id
        self._slot.note({**self._changes.left(), "channel_id": channel_id, "left_s": self._now()})

    def _close_left(self, channel_id: str) -> None:
        """Close the channel of a kernel that could not; it may have ended by itself."""
        with suppress(ZohoError):
            disable(self._send, [channel_id])

    # ---- What the thread does --------------------------------------------------------------------

    def _run(self) -> None:
        """Keep up to date until it is stopped; nothing that goes wrong ends it."""
        while True:
            # Real seconds, not the gate's: this only decides when to look at the clock.
            self._wake.wait(self._pause_s())
            if self._stopped.wait(SETTLE_S if self._wake.is_set() else 0):
                return
            self._wake.clear()
            with suppress(Exception):  # noted by the step itself
                self._step()

    def _pause_s(self) -> float:
        """Seconds until something is due."""
        due_s = (self._wait_until_s or self._look_at_s) - self._now()
        if self._line is not None and not self._wait_until_s:
            due_s = min(due_s, self._line[0].due_s)
        return min(GLANCE_S, max(0.05, due_s))

    def _step(self, *, look: bool = False) -> list[dict[str, Any]]:
        """Do what is due, and give the new rows."""
        with self._working:
            if self._stopped.is_set() or (self._now() < self._wait_until_s and not look):
                return []
            try:
                rows = self._work(look)
            except Exception as error:
                self._failed(error)
                raise
            self._failures, self._wait_until_s = 0, 0.0
            self._told.problems.pop("look", None)
            return rows

    def _work(self, look: bool) -> list[dict[str, Any]]:
        """Mind the channel, take what was notified, look when it is time."""
        gap = self._mind_channel()
        rows = self._take_told()
        gap = self._kept_all() is False or gap
        crowded = self._changes.unlooked - self._unlooked > self._plan.keep
        if look or gap or crowded or self._now() >= self._look_at_s:
            found = self._changes.found()
            self._look_at_s = self._now() + self._every_s
            # What has just changed, every look brings again: another one would not help.
            self._unlooked = self._changes.unlooked
            self._judge(found, gap=gap)
            self._tell_of_strangers()
            rows += self._add(found)
            self._remember()
        return rows[-self._plan.keep :]

    def _mind_channel(self) -> bool:
        """Renew the channel when it is time; tell whether something may have been missed."""
        if self._line is None:
            return False
        subscription = self._line[0]
        ends, was_open = subscription.ends, subscription.is_open
        gap = subscription.mind()
        if subscription.problem:
            if self._told.problems.get("channel") != subscription.problem:
                self._note("channel", subscription.problem)
            self._told.problems["channel"] = subscription.problem
        else:
            self._told.problems.pop("channel", None)
        if subscription.ends != ends:
            words = "Had ended; opened again" if gap else "Renewed"
            self._note("channel", f"{words}, until {subscription.until}.")
        return gap or (was_open and not subscription.is_open)

    def _take_told(self, *, drop: bool = False) -> list[dict[str, Any]]:
        """Fetch what was notified, as much as waits; what cannot be fetched now waits on."""
        rows: deque[dict[str, Any]] = deque(maxlen=self._plan.keep)
        while lines := self._journal.read(BATCH):
            told = [each for each in map(_of_line, lines) if each is not None and not drop]
            try:
                fetched = self._changes.told([o for o in told if o.module == self._plan.module])
            except BaseException:
                self._journal.rewind()
                raise
            self._journal.done()
            self._told.problems.pop("reach", None)
            rows += self._add(fetched)
        return list(rows)

    def _judge(self, found: Sequence[dict[str, Any]], *, gap: bool) -> None:
        """Say so when looking finds what should have been notified."""
        if self._line is None or not found:
            return
        if self._door.counts["accepted"] or gap or "channel" in self._told.problems:
            self._note("gap", f"Found by looking, not notified: {_counted(len(found))}.")
            return
        self._told.problems["reach"] = (
            f"Found by looking: {_counted(len(found))}; notified: none, ever. Does the address "
            "that Zoho was given lead here?"
        )
        self._note("channel", self._told.problems["reach"])

    def _kept_all(self) -> bool:
        """Whether every notification could be noted on disk; say so, if not."""
        lost = self._door.counts["not kept"] - self._told.lost
        if lost:
            self._told.lost += lost
            self._note("gap", f"{lost:,} notifications could not be kept: the disk is full.")
        return not lost

    def _tell_of_strangers(self) -> None:
        """Say so when something knocked that had no business here."""
        away = {name: n for name, n in self._door.counts.items() if name in _STRANGE and n}
        if away != self._told.away:
            self._told.away = away
            listed = ", ".join(f"{number:,} {name}" for name, number in away.items())
            self._note("receiver", f"Turned away so far: {listed}.")

    def _failed(self, error: BaseException) -> None:
        """Note what went wrong, look anew when it is over, and wait longer each time."""
        words = " ".join(filter(None, (getattr(error, "happened", ""), getattr(error, "said", ""))))
        words = words or f"{type(error).__name__} in the feed."
        if self._told.problems.get("look") != words:
            self._note("look", words)
        self._told.problems["look"] = words
        pause = PATIENCE_S[min(self._failures, len(PATIENCE_S) - 1)]
        if isinstance(error, (LoginError, LimitError)):
            pause = PATIENCE_S[-1]
        self._failures += 1
        self._wait_until_s = self._now() + pause
        self._look_at_s = self._now()
        self._refresh()

    # ---- What it gathers -------------------------------------------------------------------------

    def _add(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Take new rows into the table, and tell whoever wants to know."""
        fresh = [each for each in rows if each["operation"] in self._plan.operations]
        if fresh:
            with self._lock:
                self._rows.extend(fresh)
                self.counts["rows"] += len(fresh)
                self.counts.update(each["operation"] for each in fresh)
                self.counts.update(each["source"] for each in fresh)
            self._call(fresh)
        self._refresh()
        return fresh

    def _call(self, rows: list[dict[str, Any]]) -> None:
        """Call the callbacks; what they raise is noted."""
        for callback, context in list(self._callbacks):
            try:
                context.copy().run(callback, self._frame(rows))
            except (Exception, SystemExit) as error:  # whatever it is, the feed goes on
                name = getattr(callback, "__name__", type(callback).__name__)
                words = f"{name} failed: {type(error).__name__}: {error}"
                self._told.problems[f"callback {id(callback)}"] = words
                self._note("callback", words)
            else:
                self._told.problems.pop(f"callback {id(callback)}", None)

    def _frame(self, rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
        """Make a table of rows."""
        return self._with_origin(self._changes.frame(rows))

    def _with_origin(self, table: pd.DataFrame) -> pd.DataFrame:
        """Write into a table where it came from."""
        table.attrs["zcrm"] = {
            "query": self._plan.module,
            "route": "live",
            "time": datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds"),
            "credits": self.credits,
        }
        return table

    @property
    def _every_s(self) -> float:
        """Seconds between two looks; for a channel that is lost it looks more often."""
        return self._plan.every_s or EVERY_S[self.mode]

    def _note(self, about: str, words: str) -> None:
        """Note something for a person to read."""
        time = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds")
        self._told.notes.append({"time": time, "about": about, "note": words})

    # ---- How it shows ----------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Let whatever shows it show the new state; one that fails is given up, and said so."""
        for view in list(self._views):
            try:
                view.refresh()
            except Exception as error:  # whatever a front end may raise
                self._views.discard(view)
                self._note("view", f"A view is no longer kept up to date: {error!r}")

    def headline(self) -> str:
        """Say in one sentence what it does."""
        if not self.is_running:
            return "stopped"
        if self._line is not None and self.mode == "push":
            return f"Zoho notifies, until {self._line[0].until} and renewed before"
        return f"looks every {self._every_s:g} s"

    def tally(self) -> str:
        """Say in words how much it has seen."""
        each = ", ".join(f"{self.counts[name]:,} {name}" for name in self._plan.operations)
        more = self.counts["rows"] > self._plan.keep
        kept = f"; df has the last {self._plan.keep:,}" if more else ""
        return f"{_counted(self.counts['rows'])} ({each}){kept}"

    def price(self) -> str:
        """Say in words what it costs."""
        a_day = f", about {self.credits_a_day:,} a day" if self.is_running else ""
        return f"{self.credits:,} credits spent{a_day}"

    def __repr__(self) -> str:
        lines = [f"<Live feed of {self._plan.module}: {self.headline()}."]
        lines.append(f" {self.tally()}. {self.price()}.")
        if self.problem:
            lines.append(f" Problem: {self.problem}")
        return "\n".join(lines) + ">"

    @property
    def module(self) -> str:
        """API name of the module it listens to."""
        return self._plan.module

    @property
    def operations(self) -> tuple[str, ...]:
        """What its table shows: some of insert, update and delete."""
        return self._plan.operations

    def watch_by(self, view: Any) -> None:
        """Let a view be refreshed, for as long as somebody holds it.

        Parameters
        ----------
        view : object
            Its ``refresh`` is called after each change.
        """
        self._views.add(view)


_STRANGE = ("wrong token", "malformed", "elsewhere")


def take_slot(parent: Path, module: str, name: str) -> FolderLease:
    """Take a feed's folder; a feed of the same name in this process ends, as when a cell reruns."""
    if not re.fullmatch(r"[\w-]{0,40}", name):
        raise ValueError(f"name={name!r}: use up to 40 letters, digits, '_' and '-'.")
    folder = f"{module}.{name}" if name else module
    old = _RUNNING.get(str(parent / folder))
    if old is not None:
        old.stop()
    return FolderLease(parent, folder)


def _of_line(line: bytes) -> Notification | None:
    """Read a line of the journal; one that cannot be read was never answered with a yes."""
    try:
        return Notification.of_line(line)
    except (ValueError, TypeError):
        return None


def _is_anew(new: Callback, old: Callback) -> bool:
    """Tell whether a cell has defined a function again, as when it was mended."""
    is_of_a_cell = isinstance(new, FunctionType) and isinstance(old, FunctionType)
    return (
        is_of_a_cell
        and new.__module__ == old.__module__ == "__main__"
        and new.__qualname__ == old.__qualname__
        and "<" not in new.__qualname__  # neither a lambda nor what another function made
    )


def _counted(changes: int) -> str:
    """Write a number of changes in words."""
    return f"{changes:,} change{'s'[: changes != 1]}"
