"""Insert, update, upsert, delete: checked before anything is sent, then sent as one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.calls import WriteCall
from zcrm_nb.api.writing.current_records import matching
from zcrm_nb.api.writing.external_ids import known_by, pointing_by
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.outcomes import refused
from zcrm_nb.api.writing.run import Run, finish, open_journal
from zcrm_nb.errors import PermissionDenied, ScopeError
from zcrm_nb.frames import column_for
from zcrm_nb.frames.compare import comparable
from zcrm_nb.frames.records import ABSENT, PARENT, as_columns, as_rows, ids_of, only
from zcrm_nb.frames.report import labels
from zcrm_nb.frames.validate import Problem, check_columns, check_values, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.frames import Report
    from zcrm_nb.frames.report import Outcome

    Source = pd.DataFrame | Sequence[Mapping[str, Any]] | Mapping[str, Any]

__all__ = [
    "RECORDS",
    "WriteRequest",
    "call_for",
    "delete",
    "kept_before",
    "latest",
    "prepared",
    "refuse_twins",
    "save",
    "triggers",
]

RECORDS = 100  # in one call
TRIGGERS = ("approval", "workflow", "blueprint", "pathfinder", "orchestration")
REMOVED = "_delete"  # in a row of a subform
RESTORE = "settings/recycle_bin/actions/restore"


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """How records are written: the arguments of ``CRM.insert``, ``update``, ``upsert``, ``delete``.

    ``checked`` are the duplicate-check fields of an upsert.
    """

    module: str
    action: str
    subforms: Mapping[str, pd.DataFrame] | None = None
    trigger: str | Sequence[str] | None = ()
    checked: Sequence[str] = ()
    unmodified_since: datetime | str | None = None
    undoable: bool = True
    unlisted: bool = False
    external: str | None = None

    @property
    def subject(self) -> str:
        """What errors call it."""
        return f"{self.action} of {self.module}"

    @property
    def time_column(self) -> str | None:
        """The column that holds when each record was modified as it was read."""
        return self.unmodified_since if isinstance(self.unmodified_since, str) else None


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
    fields = context.catalogue.fields(module)
    allowed = triggers(request.trigger)
    moment = _header(request.unmodified_since)
    source = [source] if isinstance(source, Mapping) else source
    if request.external is not None:
        source = known_by(context, module, source, request.external, subject=request.subject)
    source = pointing_by(context, module, source, subject=request.subject)
    for name in checked:
        context.catalogue.field(module, name)
    index, data = prepared(
        context,
        module,
        action,
        source,
        subforms=request.subforms,
        column=request.time_column,
        unlisted=request.unlisted,
    )
    seen = data.pop(request.time_column, None) if request.time_column else None
    refuse_twins(data, fields, action, checked, index)
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
        ids=data.get("id", ()),
    )
    late = _changed_since(seen, data.get("id"), kept)
    run.settle(late)
    rows = [row for row in range(len(index)) if row not in late]
    makes = [
        partial(_batch, action, data, rows[at : at + RECORDS], seen, moment)
        for at in range(0, len(rows), RECORDS)
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
    asked = (trigger,) if isinstance(trigger, str) else tuple(trigger)
    for each in asked:
        if each not in TRIGGERS:
            raise ValueError(f"trigger={each!r}: Zoho knows {', '.join(TRIGGERS)}.")
    return asked


def prepared(
    context: WriteContext,
    module: str,
    action: str,
    source: Source,
    *,
    subforms: Mapping[str, pd.DataFrame] | None,
    column: str | None,
    unlisted: bool,
) -> tuple[pd.Index[Any], dict[str, list[Any]]]:
    """Turn the input into columns of JSON values, or refuse it with all that is wrong."""
    catalogue, subject = context.catalogue, f"{action} of {module}"
    fields = catalogue.fields(module)
    records: Any = source
    index = labels(records)
    names = _names(records)
    also = [column] if column else []
    found = list(check_columns([*names, *(subforms or ())], fields, action, passed_over=also))
    if action == "update" and "id" not in names:
        found.append(Problem(None, "id", None, "an update needs the ids of its records"))
    if found:  # values of the other columns are looked at all the same, to name everything at once
        wrong = {each.column for each in found}
        names = [name for name in names if name not in wrong]
        records = only(records, names)
        subforms = {name: rows for name, rows in (subforms or {}).items() if name not in wrong}
    columns = [column_for(each) for each in fields.values()]
    inner = _subform_fields(catalogue, module, [*names, *(subforms or ())])
    for form, own in inner.items():
        columns += [column_for(each, f"{form}.{name}") for name, each in own.items()]
        found += _wrong_in_subform(form, own, records, (subforms or {}).get(form))
    data = as_columns(records, columns, subforms=subforms)
    for form in inner:  # nothing known of its rows is no reason to remove them
        data[form] = [ABSENT if rows is None else rows for rows in data[form]]
    found += check_values(data, fields, action, subforms=inner, unlisted=unlisted)
    if action == "update":
        found += [
            Problem(row, "id", None, "missing")
            for row, each in enumerate(data.get("id", ()))
            if not each
        ]
    refuse(found, subject, index)
    return index, data


def _names(records: Any) -> list[str]:
    """Name the columns of a table, or of records."""
    if hasattr(records, "columns"):
        return list(records.columns)
    return list(dict.fromkeys(name for record in records for name in record))


def _subform_fields(
    catalogue: Catalogue, module: str, names: Sequence[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Look up the fields of the rows of subforms; 1 credit for each subform, once."""
    fields = catalogue.fields(module)
    forms = [name for name in names if fields.get(name, {}).get("data_type") == "subform"]
    return {name: catalogue.fields(fields[name]["associated_module"]["module"]) for name in forms}


def _wrong_in_subform(
    form: str, fields: Mapping[str, Any], records: Any, rows: pd.DataFrame | None
) -> Iterator[Problem]:
    """Find the columns of the rows of a subform that cannot be written."""
    if rows is not None:
        yield from _wrong_columns(
            form, fields, [*map(str, rows.columns.drop(PARENT, errors="ignore"))]
        )
        return
    is_table = hasattr(records, "columns")
    values = records[form] if is_table else [record.get(form) for record in records]
    known: set[tuple[Any, ...]] = set()
    for row, children in enumerate(values):
        for child in children if isinstance(children, list) else ():
            names = tuple(child) if isinstance(child, Mapping) else ()
            if names not in known:
                known.add(names)
                for each in _wrong_columns(form, fields, [*map(str, names)]):
                    yield each._replace(row=row)


def _wrong_columns(form: str, fields: Mapping[str, Any], names: Sequence[str]) -> Iterator[Problem]:
    """Find the columns of one or many rows of a subform that cannot be written."""
    action = "update" if "id" in names else "insert"
    for each in check_columns(names, fields, action, passed_over=[REMOVED]):
        yield each._replace(column=f"{form}.{each.column}")


def refuse_twins(
    data: Mapping[str, Sequence[Any]],
    fields: Mapping[str, Mapping[str, Any]],
    action: str,
    checked: Sequence[str],
    index: pd.Index[Any],
) -> None:
    """Refuse rows that would overwrite each other: batches travel side by side, in no order."""
    found: list[Problem] = []
    for name in ["id", *checked] if action == "upsert" else ["id"]:
        seen: dict[Any, int] = {}
        field = fields.get(name) or {"api_name": "id", "data_type": "text"}
        values = [None if each is ABSENT else each for each in data.get(name, ())]
        for row, value in enumerate(comparable(values, field)):
            key = value.casefold() if isinstance(value, str) else value
            first = seen.setdefault(key, row) if key is not None else row
            if first != row:
                words = f"twice: also in row {index[first]}; keep one"
                found.append(Problem(row, name, values[row], words))
    refuse(found, action, index)


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


def delete(context: WriteContext, source: Any, request: WriteRequest) -> Report:
    """Delete records."""
    module = request.module
    context.catalogue.fields(module)
    allowed = triggers(request.trigger)
    if request.external is not None:
        source = known_by(context, module, source, request.external, subject=request.subject)
    index, ids = ids_of(source)
    data = {"id": ids}
    found = [
        Problem(row, "id", each, "missing") for row, each in enumerate(ids) if each in (None, "")
    ]
    refuse(found + list(check_values(data, {}, "delete")), request.subject, index)
    refuse_twins(data, {}, "delete", (), index)
    journal = open_journal(context, module, "delete", index, trigger=allowed, undoable=True)
    calls = partial(call_for, module, trigger=allowed)
    run = Run(context, journal, calls, action="delete", ids=ids)
    makes = [
        partial(_batch, "delete", data, range(at, min(at + RECORDS, len(ids))), None, None)
        for at in range(0, len(ids), RECORDS)
    ]
    return finish(context, run, [makes])
