"""Insert, update, upsert, delete: checked before anything is sent, then sent as one run.

A run notes each call before and after it is sent, and ends in a report.
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
from zcrm_nb.api.writing.calls import WriteCall
from zcrm_nb.api.writing.context import AT_ONCE
from zcrm_nb.api.writing.current_records import matching
from zcrm_nb.api.writing.journal import Batch, Story, begin
from zcrm_nb.api.writing.outcomes import (
    NOT_SENT,
    not_sent,
    one_line,
    outcomes_of,
    outcomes_of_error,
    refused,
    unknown,
)
from zcrm_nb.api.writing.prepare import WriteRequest, prepare, prepare_ids
from zcrm_nb.errors import (
    LimitError,
    LoginError,
    PermissionDenied,
    ScopeError,
    WriteError,
    WriteInterrupted,
    ZohoError,
)
from zcrm_nb.frames.records import as_rows
from zcrm_nb.frames.report import Outcome, labels, pack_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import WriteJournal
    from zcrm_nb.frames import Column, Report

    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]
    Make = Callable[[], Batch]

__all__ = [
    "RECORDS",
    "Run",
    "call_for",
    "carry_out",
    "delete",
    "finish",
    "kept_before",
    "latest",
    "open_journal",
    "save",
    "stopped",
    "triggers",
]

RECORDS = 100  # in one call
TRIGGERS = ("approval", "workflow", "blueprint", "pathfinder", "orchestration")
RESTORE = "settings/recycle_bin/actions/restore"


# ---- Calls ---------------------------------------------------------------------------------------


def call_for(
    module: str,
    batch: Batch,
    *,
    trigger: tuple[str, ...] | None = (),
    checked: Sequence[str] = (),
) -> WriteCall:
    """Make the call of a batch; ``trigger=None`` leaves automation to Zoho."""
    ids = [each or "" for each in batch.ids]
    if batch.action == "restore":
        return WriteCall("restore", RESTORE, {"ids": ids}, ids)
    if batch.action == "delete":
        workflows = None if trigger is None else "workflow" in trigger  # all that it knows
        params = {"ids": ids, "wf_trigger": workflows}
        return WriteCall("delete", module, None, ids, "DELETE", params)
    body: dict[str, Any] = {"data": batch.records}
    if trigger is not None:
        body["trigger"] = list(trigger)
    since = batch.unmodified_since
    headers = {"If-Unmodified-Since": since} if since else None
    if batch.action == "upsert":
        body["duplicate_check_fields"] = list(checked)
        return WriteCall("upsert", f"{module}/upsert", body, ids, headers=headers)
    method = "PUT" if batch.action == "update" else "POST"
    return WriteCall(batch.action, module, body, ids, method, headers=headers)


# ---- Insert, update, upsert ----------------------------------------------------------------------


def save(context: WriteContext, source: Source, request: WriteRequest) -> Report:
    """Insert, update or upsert records."""
    module, action, checked = request.module, request.action, list(request.checked)
    allowed = triggers(request.trigger)
    moment = _header(request.unmodified_since)
    rows = prepare(context, source, request)
    index, data = rows.index, rows.data
    seen = data.pop(request.time_column or "", None)
    there = context.there(module)
    lost = _not_undoable(there, data) if request.undoable and action != "insert" else []
    if lost:
        context.warn(
            f"{request.subject}: {', '.join(lost)} cannot be undone, because the old values cannot"
            " be read."
        )
    kept, mark = kept_before(there, action, data, checked, undoable=request.undoable, seen=seen)
    if kept is None and request.undoable:
        context.warn(f"{request.subject} cannot be undone: this login may not read the old values.")
    journal = open_journal(
        context,
        module,
        action,
        index,
        trigger=allowed,
        checked=checked,
        mark=mark,
        undoable=kept is not None and (request.undoable or action == "insert") and not lost,
        not_undoable=lost,
    )
    kept = kept or {}
    if kept:
        journal.note(before=list(kept.values()))
    run = Run(
        context,
        journal,
        partial(call_for, module, trigger=allowed, checked=checked),
        action=None if action == "upsert" else action,
        ids=[each or None for each in data.get("id", ())],
    )
    run.settle(rows.refused | _changed_since(seen, data.get("id"), kept))
    sent = [row for row in range(len(index)) if row not in run.outcomes]
    makes = [
        partial(_batch, action, data, sent[at : at + RECORDS], seen, moment)
        for at in range(0, len(sent), RECORDS)
    ]
    return finish(context, run, [makes])


def _not_undoable(there: CurrentRecords, data: Mapping[str, Sequence[Any]]) -> list[str]:
    """List the fields whose old values cannot be read: subforms, multi-select lookups, files."""
    names = [name for name in data if name in there.fields and name != "id"]
    return [name for name in names if name not in there.readable(names)]


def triggers(trigger: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Check which automation is to run."""
    if trigger is None:
        return None
    names = (trigger,) if isinstance(trigger, str) else tuple(trigger)
    for each in names:
        if each not in TRIGGERS:
            raise ValueError(f"trigger={each!r}: Zoho knows {', '.join(TRIGGERS)}.")
    return names


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

    A login that may write and may not query still writes; only the way back is missing then.
    """
    try:
        mark = there.newest() if action != "update" else None
        if action == "insert" or not (undoable or seen is not None):
            return {}, mark
        return matching(there, data, checked, [*data, *checked]), mark
    except (PermissionDenied, ScopeError):
        if seen is not None:
            raise
        return None, None


def _changed_since(
    seen: Sequence[Any] | None,
    ids: Sequence[Any] | None,
    kept: Mapping[str, Mapping[str, Any]],
) -> dict[int, Outcome]:
    """Find the rows whose records were changed after they were read."""
    if seen is None or ids is None:
        return {}
    late: dict[int, Outcome] = {}
    for row, (moment, record_id) in enumerate(zip(seen, ids, strict=True)):
        now = kept.get(record_id, {}).get("Modified_Time")
        changed, read = _moment(now), _moment(moment)
        if changed and read and changed > read:
            words = f"not sent: changed at {now}, after it was read"
            late[row] = refused("update", "ALREADY_MODIFIED", words, id=record_id)
    return late


def _header(since: datetime | str | None) -> str | None:
    """Write the moment since when a record must be unchanged."""
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


def latest(moments: Iterator[object]) -> str | None:
    """Find the latest of some moments: of records read together, none was changed after it."""
    known = [(moment, str(each)) for each in moments if (moment := _moment(each))]
    return max(known, default=(None, None))[1]


def _moment(value: object) -> datetime | None:
    """Read a moment with a zone; ``None`` where it is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


# ---- Delete --------------------------------------------------------------------------------------


def delete(context: WriteContext, source: Any, request: WriteRequest) -> Report:
    """Delete records."""
    module = request.module
    context.catalogue.fields(module)
    allowed = triggers(request.trigger)
    rows = prepare_ids(context, source, request)
    ids = rows.data["id"]
    journal = open_journal(context, module, "delete", rows.index, trigger=allowed, undoable=True)
    calls = partial(call_for, module, trigger=allowed)
    run = Run(context, journal, calls, action="delete", ids=ids)
    makes = [
        partial(_batch, "delete", rows.data, range(at, min(at + RECORDS, len(ids))), None, None)
        for at in range(0, len(ids), RECORDS)
    ]
    return finish(context, run, [makes])


# ---- Runs ----------------------------------------------------------------------------------------

# Zoho has no idempotency key. So a call is sent once; again only when Zoho certainly did not look
# at it (HTTP 429, an expired token, no connection), which the gate sees to. If its answer is lost,
# its rows are unknown until zcrm_nb.api.writing.resolve looks. Whatever happens after the first
# call, the report is not lost: an error carries it.


class Run:
    """Sends batches, several at a time, and notes each before and after.

    With ``goes_on`` the refusal of a whole call leaves the others to be sent, as it is about its
    own records only; an ended login or a used up budget stops a run in any case.
    """

    def __init__(
        self,
        context: WriteContext,
        journal: WriteJournal,
        call_for: Callable[[Batch], WriteCall],
        *,
        action: str | None = None,
        ids: Sequence[Any] = (),
        goes_on: bool = False,
    ) -> None:
        self.journal, self.outcomes = journal, dict[int, Outcome]()
        self.refusal: ZohoError | None = None
        self.has_sent = False
        self._context, self._call_for, self._goes_on = context, call_for, goes_on
        self._action, self._ids = action, ids
        self._lock = threading.Lock()
        self._numbers = count()
        self._stopped = ""

    def settle(self, outcomes: Mapping[int, Outcome]) -> None:
        """Note the outcomes of rows that are not sent."""
        if outcomes:
            self.outcomes |= outcomes
            self.journal.note_outcomes(list(outcomes), list(outcomes.values()))

    def send(self, batches: Sequence[Make]) -> None:
        """Send all batches."""
        if not batches:
            return
        workers = min(self._context.workers, AT_ONCE, len(batches))
        pool = ThreadPoolExecutor(workers, thread_name_prefix="zcrm-write")
        try:
            futures = [pool.submit(self._one, next(self._numbers), make) for make in batches]
            for future in as_completed(futures):
                self._context.tick(future.result())
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
        call = self._call_for(batch)
        self.journal.note_batch(number, batch, self._context.zoho())
        self._take(batch, [unknown(batch.known(), "no answer yet", each) for each in batch.ids])
        self.has_sent = True
        try:
            outcomes = self._outcomes(batch, call)
        except BaseException as error:
            self._stopped = f"the call before it failed ({type(error).__name__})"
            message = f"the answer could not be read ({type(error).__name__}: {error})"
            self._take(batch, [unknown(batch.known(), message, each) for each in batch.ids])
            raise
        self._take(batch, outcomes)
        self._note(number, batch, outcomes)
        return len(batch.rows)

    def _take(self, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Keep the outcomes of a batch."""
        with self._lock:
            self.outcomes |= dict(zip(batch.rows, outcomes, strict=True))

    def _note(self, number: int, batch: Batch, outcomes: Sequence[Outcome]) -> None:
        """Note the outcomes of a batch, and the job that Zoho made of it."""
        for job in {(each.details or {}).get("job_id") for each in outcomes} - {None}:
            self.journal.note(durable=True, job=str(job), of=number, cells=[])
        is_lost = any(each.status == "unknown" for each in outcomes)
        lost_at = self._context.zoho() if is_lost else None
        self.journal.note_outcomes(batch.rows, outcomes, batch=number, at=lost_at)

    def _outcomes(self, batch: Batch, call: WriteCall) -> list[Outcome]:
        """Send a call and read the outcomes of its rows."""
        try:
            given = {name: getattr(call, name) for name in ("json", "params", "files", "headers")}
            options = {name: value for name, value in given.items() if value is not None}
            body = self._context.send(call.method, V8 + call.path, **options)
        except ZohoError as error:
            outcomes, is_whole = outcomes_of_error(error, batch.action, batch.ids)
            if is_whole and not (self._goes_on and not isinstance(error, LoginError | LimitError)):
                with self._lock:  # the next one would fare no better
                    self.refusal = self.refusal or error
                    self._stopped = self._stopped or error.happened
            return outcomes
        return outcomes_of(body, batch.action, batch.ids)

    @property
    def is_refused(self) -> bool:
        """Whether nothing was done, for a reason that stopped the run."""
        codes = {NOT_SENT, *(each.code for each in _refusal_rows(self.refusal))}
        return self.refusal is not None and all(
            each.status == "refused" and each.code in codes for each in self.outcomes.values()
        )

    def story(self) -> Story:
        """Return the outcome of each row; also of those that were not sent any more, and why."""
        rows = range(self.journal.header["rows"])
        try:
            self.settle({row: self._missing(row) for row in rows if row not in self.outcomes})
        except WriteError:  # a full disk: of rows that are not in it a journal says the same
            self._stopped = self._stopped or "the journal could not be written"
        return Story(self.journal.header, outcomes=self.outcomes)

    def _missing(self, row: int) -> Outcome:
        """Return the outcome of a row that was not sent."""
        record_id = self._ids[row] if self._ids else None
        why = self._stopped or "the run ended before"
        return not_sent(self._action, why, record_id if isinstance(record_id, str) else None)


def _refusal_rows(error: ZohoError | None) -> list[Outcome]:
    """Return the outcome that a row of a refused call has."""
    return [] if error is None else outcomes_of_error(error, "insert", [None])[0]


def finish(
    context: WriteContext,
    run: Run,
    phases: Iterable[Sequence[Make]],
    afterwards: Callable[[], None] | None = None,
) -> Report:
    """Carry a run out, one phase after the other, and report; whatever happens meanwhile."""
    try:
        with run.journal.held():
            for batches in phases:
                run.send(batches)
            if afterwards is not None:
                afterwards()
    except BaseException as error:
        if not run.has_sent and isinstance(error, ZohoError) and not isinstance(error, WriteError):
            raise
        raise stopped(context, run.journal, run.story(), error) from error
    if run.refusal is not None and run.is_refused:
        raise run.refusal
    return context.report(run.journal, run.story())


def stopped(
    context: WriteContext,
    journal: WriteJournal,
    story: Story | None,
    error: BaseException,
    note: str = "",
) -> WriteInterrupted | WriteError:
    """Make the error of a run that was stopped; it carries the report."""
    report = context.report(journal, story)
    how = f"{note}crm.report({journal.run!r}) has the report; it can be resolved and undone."
    stop: WriteInterrupted | WriteError
    if isinstance(error, KeyboardInterrupt):
        stop = WriteInterrupted(f"{report._summary()}\n{how}")
    else:
        stop = WriteError(f"The write stopped: {one_line(error)}", report._summary(), how)
    stop.report = report
    return stop


def open_journal(
    context: WriteContext, module: str, action: str, index: pd.Index[Any], **header: Any
) -> WriteJournal:
    """Begin the journal of a run over the rows of an index."""
    return begin(
        context.folder,
        context.clock(),
        org=(context.catalogue.known("org") or {}).get("id"),
        module=module,
        action=action,
        rows=len(index),
        index=pack_index(index),
        **header,
    )


def carry_out(
    context: WriteContext,
    calls: Sequence[WriteCall],
    *,
    module: str,
    index: pd.Index[Any] | None = None,
    columns: Iterable[Column] = (),
    undoable: bool = False,
    afterwards: Callable[[Run], None] | None = None,
) -> Report:
    """Send calls whose records stand in the order of the rows of an index, and report."""
    ids = [each for call in calls for each in call.ids]
    journal = open_journal(
        context,
        module,
        calls[0].action if calls else "",
        labels(ids) if index is None else index,
        trigger=[],
        undoable=undoable,
        columns=[[column.name, column.kind] for column in columns],
    )
    batches, start = [], 0
    for call in calls:
        batches.append(call.batch(range(start, start + len(call.ids))))
        start += len(call.ids)
    by_row = {batch.rows[0]: call for batch, call in zip(batches, calls, strict=True) if batch.rows}
    action = calls[0].action if calls else None
    run = Run(
        context,
        journal,
        lambda batch: by_row[batch.rows[0]],
        action=action,
        ids=[each or None for each in ids],
        goes_on=True,
    )
    makes = [lambda batch=batch: batch for batch in batches if batch.rows]
    then = None if afterwards is None else lambda: afterwards(run)
    return finish(context, run, [makes], then)
