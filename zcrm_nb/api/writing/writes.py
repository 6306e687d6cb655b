"""Writing records: checked before anything is sent, noted before each batch, a report at the end.

Zoho has no idempotency key. So a batch is sent once; again only when Zoho certainly did not look at
it (HTTP 429, an expired token, no connection), which the gate sees to. If its answer is lost, its
rows are ``unknown`` until somebody looks what is there: :mod:`zcrm_nb.api.writing.resolve`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8
from zcrm_nb.api.writing.context import AT_ONCE
from zcrm_nb.api.writing.current_records import matching
from zcrm_nb.api.writing.journal import Batch, Story, begin
from zcrm_nb.api.writing.outcomes import Outcome, not_sent, outcomes_of, outcomes_of_error, refused
from zcrm_nb.api.writing.prepare import WriteRequest, prepare, prepare_ids
from zcrm_nb.errors import APIError, ScopeError, WriteInterrupted, ZohoError
from zcrm_nb.frames.records import as_rows
from zcrm_nb.frames.report import pack_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import WriteJournal
    from zcrm_nb.frames import Report

    Make = Callable[[], Batch]
    Tick = Callable[[int], None]
    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]

__all__ = [
    "RECORDS",
    "Run",
    "delete",
    "finish",
    "kept_before",
    "latest",
    "open_journal",
    "save",
    "triggers",
]

RECORDS = 100  # in one call
TRIGGERS = ("approval", "workflow", "blueprint", "pathfinder", "orchestration")


# ---- A run ---------------------------------------------------------------------------------------


class Run:
    """Sends batches, several at a time, and notes each before and after.

    Parameters
    ----------
    means : WriteContext
        What it needs of the client.
    journal : WriteJournal
        Where it notes.
    module : str
        API name of the module.
    trigger : tuple of str or None, default ()
        Automation that runs; ``None`` leaves it to Zoho.
    checked : sequence of str, default ()
        Duplicate-check fields of an upsert.
    """

    def __init__(
        self,
        means: WriteContext,
        journal: WriteJournal,
        module: str,
        *,
        trigger: tuple[str, ...] | None = (),
        checked: Sequence[str] = (),
    ) -> None:
        self._means, self._journal, self._module = means, journal, module
        self._trigger, self._checked = trigger, checked
        self._lock = threading.Lock()
        self._numbers = count()
        self._stopped = ""
        self.outcomes: dict[int, Outcome] = {}
        self.refusal: ZohoError | None = None

    def settle(self, outcomes: Mapping[int, Outcome]) -> None:
        """Note what became of rows that are not sent at all."""
        if outcomes:
            self._journal.note_outcomes(list(outcomes), list(outcomes.values()))
            self.outcomes |= outcomes

    def carry_out(self, batches: Sequence[Make], tick: Tick) -> None:
        """Send all batches."""
        if not batches:
            return
        workers = min(self._means.workers, AT_ONCE, len(batches))
        pool = ThreadPoolExecutor(workers, thread_name_prefix="zcrm-write")
        try:
            futures = [pool.submit(self._one, next(self._numbers), each) for each in batches]
            for future in as_completed(futures):
                tick(future.result())
        except BaseException:
            self._stopped = "the run was stopped"
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _one(self, number: int, make: Make) -> int:
        """Send one batch, unless the run has been stopped."""
        if self._stopped:
            return 0
        batch = make()
        self._journal.note_batch(number, batch, self._means.zoho())
        outcomes, lost_at = self._sent(batch), None
        if any(each.status == "unknown" for each in outcomes):
            lost_at = self._means.zoho()
        self._journal.note_outcomes(batch.rows, outcomes, batch=number, at=lost_at)
        with self._lock:
            self.outcomes |= dict(zip(batch.rows, outcomes, strict=True))
        return len(batch.rows)

    def _sent(self, batch: Batch) -> list[Outcome]:
        """Send a batch and read what became of its rows."""
        try:
            body = self._send(batch)
        except ZohoError as error:
            outcomes, whole = outcomes_of_error(error, batch.action, batch.ids)
            if whole:  # the next one would fare no better
                with self._lock:
                    self.refusal = self.refusal or error
                    self._stopped = self._stopped or error.happened
            return outcomes
        return outcomes_of(body, batch.action, batch.ids)

    def _send(self, batch: Batch) -> bytes:
        """Make the call of a batch."""
        path, since = V8 + self._module, batch.unmodified_since
        body: dict[str, Any] = {"data": batch.records}
        if self._trigger is not None:
            body["trigger"] = list(self._trigger)
        match batch.action:
            case "delete":
                params = {"ids": batch.ids, "wf_trigger": self._wf_trigger()}
                return self._means.send("DELETE", path, params=params)
            case "restore":
                path = f"{V8}settings/recycle_bin/actions/restore"
                return self._means.send("POST", path, json={"ids": batch.ids})
            case "upsert":
                path, body["duplicate_check_fields"] = f"{path}/upsert", list(self._checked)
        headers = {"If-Unmodified-Since": since} if since else None
        method = "PUT" if batch.action == "update" else "POST"
        return self._means.send(method, path, json=body, headers=headers)

    def _wf_trigger(self) -> bool | None:
        """Say for a deletion, which knows workflows only, whether they run."""
        return None if self._trigger is None else "workflow" in self._trigger

    def story(self) -> Story:
        """Tell what became of each row; those that were not sent any more, and why, are noted."""
        rows = range(self._journal.header["rows"])
        missing = not_sent(None, self._stopped or "the run ended before")
        self.settle({row: missing for row in rows if row not in self.outcomes})
        return Story(self._journal.header, outcomes=self.outcomes)


def finish(
    means: WriteContext,
    run: Run,
    journal: WriteJournal,
    phases: Sequence[Sequence[Make]],
    tick: Tick,
) -> Report:
    """Carry a run out, one phase after the other, and report."""
    try:
        with journal.held():
            for batches in phases:
                run.carry_out(batches, tick)
    except KeyboardInterrupt as interrupt:
        report = means.report(journal, run.story())
        stopped = WriteInterrupted(
            f"{report._summary()}\ncrm.report() has the report; it can be resolved and undone."
        )
        stopped.report = report
        raise stopped from interrupt
    if run.refusal is not None and not any(
        each.status != "refused" or each.code not in {"NOT_SENT", _code(run.refusal)}
        for each in run.outcomes.values()
    ):
        raise run.refusal
    return means.report(journal, run.story())


def _code(error: ZohoError) -> str | None:
    """Name the code that rows of a refused call carry."""
    return outcomes_of_error(error, "insert", [None])[0][0].code


# ---- Insert, update, upsert ----------------------------------------------------------------------


def save(
    means: WriteContext,
    module: str,
    action: str,
    source: Source,
    *,
    tick: Tick,
    subforms: Mapping[str, pd.DataFrame] | None = None,
    trigger: str | Sequence[str] | None = (),
    checked: Sequence[str] = (),
    unmodified_since: datetime | str | None = None,
    undoable: bool = True,
    unlisted: bool = False,
    external: str | None = None,
    ignore_empty: bool = False,
    invalid: str = "raise",
) -> Report:
    """Insert, update or upsert records; ``CRM.insert`` and its sisters tell the rest."""
    allowed = triggers(trigger)
    request = WriteRequest(
        module,
        action,
        subforms=subforms,
        checked=checked,
        unmodified_since=unmodified_since,
        unlisted=unlisted,
        external=external,
        ignore_empty=ignore_empty,
        invalid=invalid,
    )
    rows = prepare(means, source, request)
    index, data = rows.index, rows.data
    seen = data.pop(request.time_column or "", None)
    kept, mark = kept_before(
        means.there(module), action, data, checked, undoable=undoable, seen=seen
    )
    readable = kept is not None
    journal = open_journal(
        means,
        module,
        action,
        index,
        trigger=allowed,
        checked=list(checked),
        mark=mark,
        undoable=readable and (undoable or action == "insert"),
    )
    kept = kept or {}
    if kept:
        journal.note(before=list(kept.values()))
    run = Run(means, journal, module, trigger=allowed, checked=checked)
    late = _changed_since(seen, data.get("id"), kept)
    run.settle(rows.refused | late)
    sent = [row for row in range(len(index)) if row not in run.outcomes]
    moment = _header(unmodified_since)
    batches = [
        partial(_batch, action, data, sent[at : at + RECORDS], seen, moment)
        for at in range(0, len(sent), RECORDS)
    ]
    return finish(means, run, journal, [batches], tick)


def open_journal(
    means: WriteContext, module: str, action: str, index: pd.Index[Any], **header: Any
) -> WriteJournal:
    """Begin the journal of a run over the rows of an index."""
    return begin(
        means.folder,
        means.clock(),
        org=(means.catalogue.known("org") or {}).get("id"),
        module=module,
        action=action,
        rows=len(index),
        index=pack_index(index),
        **header,
    )


def triggers(trigger: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Check which automation is to run."""
    if trigger is None:
        return None
    asked = (trigger,) if isinstance(trigger, str) else tuple(trigger)
    for each in asked:
        if each not in TRIGGERS:
            raise ValueError(f"trigger={each!r}: Zoho knows {', '.join(TRIGGERS)}.")
    return asked


def kept_before(
    there: CurrentRecords,
    action: str,
    data: Mapping[str, Sequence[Any]],
    checked: Sequence[str],
    *,
    undoable: bool,
    seen: Any,
) -> tuple[dict[str, dict[str, Any]] | None, dict[str, Any] | None]:
    """Read what undoing and resolving will need: values about to be overwritten, newest records.

    A login that may write and not ask in COQL still writes; only the way back is missing then.
    """
    try:
        mark = there.newest() if action != "update" else None
        if action == "insert" or not (undoable or seen is not None):
            return {}, mark
        names = [*data, *checked]
        return matching(there, data, checked, names), mark
    except (APIError, ScopeError):
        if seen is not None:
            raise
        return None, None


def _changed_since(
    seen: Sequence[Any] | None,
    ids: Sequence[Any] | None,
    kept: Mapping[str, Mapping[str, Any]],
) -> dict[int, Outcome]:
    """Find the rows whose records somebody changed after they were read."""
    if seen is None or ids is None:
        return {}
    late: dict[int, Outcome] = {}
    for row, (moment, record_id) in enumerate(zip(seen, ids, strict=True)):
        now = kept.get(record_id, {}).get("Modified_Time")
        if moment and now and datetime.fromisoformat(now) > datetime.fromisoformat(moment):
            words = f"not sent: changed at {now}, after it was read"
            late[row] = refused("update", "ALREADY_MODIFIED", words, id=record_id)
    return late


def _header(since: datetime | str | None) -> str | None:
    """Write the moment after which nobody may have changed a record."""
    if since is None or isinstance(since, str):
        return None
    if since.tzinfo is None:
        raise ValueError(f"{since} needs a time zone, such as datetime(2026, 9, 1, tzinfo=UTC).")
    return since.isoformat(timespec="seconds")


def _batch(
    action: str,
    data: Mapping[str, Sequence[Any]],
    rows: Sequence[int],
    seen: Sequence[Any] | None,
    moment: str | None,
) -> Batch:
    """Make one batch of some rows."""
    few = {name: [values[row] for row in rows] for name, values in data.items()}
    if seen is not None:
        moment = latest(seen[row] for row in rows)
    return Batch(action, rows, as_rows(few, len(rows)), moment)


def latest(moments: Iterator[str | None]) -> str | None:
    """Find the latest of some moments: of records read together, none was changed after it."""
    known = [each for each in moments if each]
    return max(known, key=datetime.fromisoformat, default=None)


# ---- Delete --------------------------------------------------------------------------------------


def delete(
    means: WriteContext,
    module: str,
    source: Any,
    *,
    tick: Tick,
    trigger: str | Sequence[str] | None = (),
    external: str | None = None,
) -> Report:
    """Delete records; ``CRM.delete`` tells the rest."""
    means.catalogue.fields(module)
    allowed = triggers(trigger)
    rows = prepare_ids(means, source, WriteRequest(module, "delete", external=external))
    index, data = rows.index, rows.data
    journal = open_journal(means, module, "delete", index, trigger=allowed, undoable=True)
    run = Run(means, journal, module, trigger=allowed)
    batches = [
        partial(_batch, "delete", data, range(at, min(at + RECORDS, len(index))), None, None)
        for at in range(0, len(index), RECORDS)
    ]
    return finish(means, run, journal, [batches], tick)
