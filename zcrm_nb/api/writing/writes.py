"""Insert, update, upsert, delete: checked before anything is sent, then sent as one run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.calls import WriteCall
from zcrm_nb.api.writing.current_records import matching
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.outcomes import refused
from zcrm_nb.api.writing.prepare import WriteRequest, prepare, prepare_ids
from zcrm_nb.api.writing.run import Run, finish, open_journal
from zcrm_nb.errors import PermissionDenied, ScopeError
from zcrm_nb.frames.records import as_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.frames import Report
    from zcrm_nb.frames.report import Outcome

    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]

__all__ = [
    "RECORDS",
    "call_for",
    "delete",
    "kept_before",
    "latest",
    "save",
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
        if moment and now and datetime.fromisoformat(now) > datetime.fromisoformat(moment):
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


def latest(moments: Iterator[str | None]) -> str | None:
    """Find the latest of some moments: of records read together, none was changed after it."""
    known = [each for each in moments if each]
    return max(known, key=datetime.fromisoformat, default=None)


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
