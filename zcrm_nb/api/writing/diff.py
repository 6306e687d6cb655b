"""What a table would change in the CRM: compared with what is there, cell by cell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.current_records import user_name
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.outcomes import Outcome, refused
from zcrm_nb.api.writing.prepare import add_to_records
from zcrm_nb.api.writing.writes import (
    RECORDS,
    Run,
    call_for,
    finish,
    latest,
    open_journal,
    triggers,
)
from zcrm_nb.errors import did_you_mean
from zcrm_nb.frames import column_for
from zcrm_nb.frames.compare import comparable, keys_of, matches, shown
from zcrm_nb.frames.records import ABSENT, as_columns, only, without_gaps
from zcrm_nb.frames.report import labels
from zcrm_nb.frames.validate import (
    Problem,
    check_columns,
    check_names,
    check_values,
    is_writable,
    refuse,
)
from zcrm_nb.frames.write_plan import cells_table, inserts_table, rows_table

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.frames import Report

__all__ = ["Difference", "apply", "find"]

Record = dict[str, Any]
SEEN = "Modified_Time"


@dataclass(slots=True)
class Difference:
    """How a table differs from the CRM.

    ``steps`` has what would be done to each row; ``records`` what would be sent, of conflicts too;
    ``before`` the records that would change, as they are. ``names`` are those of records that
    changed lookups point to, by id; ``unlisted`` counts by field the old values that Zoho would
    not take back.
    """

    module: str
    index: pd.Index[Any]
    keys: Sequence[str]
    fields: Mapping[str, Field]
    steps: list[tuple[str, str | None, int, str | None]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    records: dict[int, Record] = field(default_factory=dict)
    before: dict[str, Record] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, int] = field(default_factory=dict)
    when: datetime | None = None
    directory: Callable[[], Mapping[str, str] | None] = dict

    def user(self, record: Record) -> str:
        """Return the full name of the user who changed a record last."""
        return user_name(record.get("Modified_By"), self.directory())

    @property
    def rows(self) -> pd.DataFrame:
        """One row for each row of the input."""
        return rows_table(self.index, self.steps)

    @property
    def changes(self) -> pd.DataFrame:
        """One row for each cell that would change."""
        return cells_table(self.index, self.cells)

    @property
    def inserts(self) -> pd.DataFrame:
        """One row for each new record, as it would be sent."""
        rows = [row for row, (step, *_) in enumerate(self.steps) if step == "insert"]
        return inserts_table(self.index.take(rows), [self.records[row] for row in rows])

    @property
    def notes(self) -> list[str]:
        """What else a person should know."""
        notes = []
        if self.left_out:
            notes.append(f"Ignored (read-only): {', '.join(self.left_out)}")
        if self.when is None and any(step == "update" for step, *_ in self.steps):
            notes.append(
                "The table does not say when it was read, so later changes are not detected."
            )
        if self.unlisted:
            counts = [f"{count:,} old {name}" for name, count in self.unlisted.items()]
            values = "value is" if sum(self.unlisted.values()) == 1 else "values are"
            notes.append(
                f"{' and '.join(counts)} {values} no longer in the picklist, so undo cannot"
                f" restore {'it' if values == 'value is' else 'them'}."
            )
        return notes


def find(
    context: WriteContext,
    module: str,
    source: Any,
    *,
    key: str | Sequence[str],
    unlisted: bool = False,
    ignore_empty: bool = False,
) -> Difference:
    """Compare a table with the records of the CRM."""
    fields = context.catalogue.fields(module)
    keys = [key] if isinstance(key, str) else list(key)
    index, subject = labels(source), f"comparison with {module}"
    names = list(source.columns) if hasattr(source, "columns") else _keys_of(source)
    refuse(check_names(names), subject, index)
    found = Difference(module, index, keys, fields, directory=context.catalogue.directory)
    wanted = _compared(found, names, context.there(module).readable)
    data = as_columns(only(source, wanted), [column_for(each) for each in fields.values()])
    seen = _seen(source, names, fields)
    own = [name.removesuffix(".id") for name in keys]
    refuse(list(_bad_keys(data, own, fields, index)), subject, index)
    if ignore_empty:
        data |= {name: without_gaps(data[name]) for name in data.keys() - own}
    there = context.there(module)
    first = [each for each in data[own[0]] if each is not ABSENT and each is not None]
    plain = [each["id"] if isinstance(each, dict) else each for each in first]
    records = there.by(own[0], plain, [*data], context.tick)
    found.when = _read_at(source, context)
    _decide(found, data, _matches(data, records, own, fields), own, seen)
    _name_modules(context, found)
    _check(found, unlisted=unlisted)
    return found


def _keys_of(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the fields of records."""
    return list(dict.fromkeys(name for record in records for name in record))


def _compared(
    found: Difference, names: Sequence[str], readable: Callable[[Sequence[str]], list[str]]
) -> list[str]:
    """Choose the columns to compare: what can be written, and the keys; refuse the others.

    Read-only columns are passed over, for a table that was read has many of them.
    """
    fields, problems, wanted = found.fields, [], []
    for name in found.keys:
        if name not in names:
            near = did_you_mean(name, names)
            problems.append(
                Problem(None, name, None, f"key= is not a column of the table. {near}".rstrip())
            )
    for name in names:
        if name.endswith(".module") and name.removesuffix(".module") in fields:
            continue  # of a lookup to several modules: it says where the id leads
        known = fields.get(name.removesuffix(".id"))
        wrong = list(check_columns([name], fields, "update"))
        if name in found.keys or (not wrong and name == "id"):
            wanted.append(name)
        elif known is not None and not is_writable(known, "update"):
            found.left_out += [name] if name != SEEN else []
        elif wrong and f"{name}.id" not in names:
            problems += wrong
        elif known is not None and not readable([name.removesuffix(".id")]):
            words = "cannot be compared: it can only be read record by record; crm.update writes it"
            problems.append(Problem(None, name, None, words))
        else:
            wanted.append(name)
    refuse(problems, f"comparison with {found.module}", found.index)
    return wanted


def _bad_keys(
    data: Mapping[str, Sequence[Any]],
    keys: Sequence[str],
    fields: Mapping[str, Field],
    index: pd.Index[Any],
) -> Iterator[Problem]:
    """Find rows without a key, and rows with the same one."""
    wrong = list(check_values({name: data[name] for name in keys}, _optional(fields), "update"))
    yield from wrong
    rows = {each.row for each in wrong}
    columns = [keys_of(_given(data[name]), _field(fields, name)) for name in keys]
    first: dict[tuple[Hashable, ...], int] = {}
    for row, key in enumerate(zip(*columns, strict=True)):
        if row in rows:
            continue
        if None in key:
            if keys != ["id"]:  # no id means a new record; no other key means nothing
                yield Problem(row, ", ".join(keys), None, "the key is missing")
        elif first.setdefault(key, row) != row:
            words = f"the same record as row {index[first[key]]}; keep one"
            yield Problem(row, ", ".join(keys), ", ".join(map(str, key)), words)


def _optional(fields: Mapping[str, Field]) -> Mapping[str, Field]:
    """Describe fields of which none is mandatory."""
    return {name: {**field, "system_mandatory": False} for name, field in fields.items()}


def _field(fields: Mapping[str, Field], name: str) -> Field:
    """Describe a key."""
    return fields.get(name) or {"api_name": "id", "data_type": "text"}


def _given(values: Sequence[Any]) -> list[Any]:
    """Take a key that a record does not have for a missing value."""
    return [None if each is ABSENT else each for each in values]


def _matches(
    data: Mapping[str, Sequence[Any]],
    records: Sequence[Record],
    keys: Sequence[str],
    fields: Mapping[str, Field],
) -> list[list[Record]]:
    """Find the records of each row."""
    positions = matches(
        {name: _given(data[name]) for name in keys},
        {name: [record.get(name) for record in records] for name in keys},
        {name: _field(fields, name) for name in keys},
    )
    return [[records[place] for place in places] for places in positions]


def _seen(source: Any, names: Sequence[str], fields: Mapping[str, Field]) -> Sequence[Any] | None:
    """Read from the table when each record was modified, as its reader saw it."""
    if SEEN not in names or SEEN not in fields:
        return None
    data = as_columns(only(source, [SEEN]), [column_for(fields[SEEN])])
    refuse(list(check_values(data, fields, "update")), f"reading of {SEEN}", labels(source))
    return data[SEEN]


def _read_at(source: Any, context: WriteContext) -> datetime | None:
    """Return when the table was read, by Zoho's clock; ``None`` if it came from elsewhere."""
    read = getattr(source, "attrs", {}).get("zcrm", {}).get("time")
    ahead = timedelta(seconds=context.clock() - context.zoho())
    return read and datetime.fromisoformat(read) - ahead


def _decide(
    found: Difference,
    data: Mapping[str, Sequence[Any]],
    matches: Sequence[Sequence[Record]],
    keys: Sequence[str],
    seen: Sequence[Any] | None,
) -> None:
    """Decide what would be done to each row."""
    single = [row for row, records in enumerate(matches) if len(records) == 1]
    changed = _changed(found, data, {row: matches[row][0] for row in single})
    if seen is not None:
        found.when = found.when or datetime.min  # noqa: DTZ901 - each row has its own moment
    for row, records in enumerate(matches):
        if len(records) == 1:
            step = _step(found, row, records[0], changed[row], seen)
        elif records:
            ids = ", ".join(record["id"] for record in records[:4])
            step = ("conflict", None, 0, f"{len(records)} records have this key: {ids}")
        elif keys == ["id"] and (wanted := data["id"][row]) not in (None, ABSENT):
            step = (
                "conflict",
                str(wanted),
                0,
                "the record does not exist (deleted, or a wrong id)",
            )
        else:
            record = {name: values[row] for name, values in data.items() if name != "id"}
            record = {name: value for name, value in record.items() if value is not ABSENT}
            found.records[row] = record
            step = ("insert", None, len(record), None)
        found.steps.append(step)


def _changed(
    found: Difference, data: Mapping[str, Sequence[Any]], records: Mapping[int, Record]
) -> dict[int, Record]:
    """Find the cells that differ, column by column; the key is how a record was found."""
    changed: dict[int, Record] = {row: {} for row in records}
    cells: list[tuple[int, int, dict[str, Any]]] = []
    for place, (name, values) in enumerate(data.items()):
        about = found.fields.get(name)
        if about is None or not is_writable(about, "update"):
            continue
        rows = [row for row in records if values[row] is not ABSENT]
        new = comparable([values[row] for row in rows], about)
        old = comparable([records[row].get(name) for row in rows], about)
        differing = [row for row, a, b in zip(rows, new, old, strict=True) if a != b]
        for row in differing:
            changed[row][name] = values[row]
        if differing and _is_lookup(about):
            found.names |= _named(record.get(name) for record in records.values())
        described = _cells(name, about, differing, records, values)
        cells += ((cell["row"], place, cell) for cell in described)
    found.cells += [cell for *_, cell in sorted(cells, key=itemgetter(0, 1))]
    return changed


def _is_lookup(about: Field) -> bool:
    """Whether a field points to a record."""
    return column_for(about).kind in {"lookup", "user"}


def _named(references: Iterable[Any]) -> dict[str, str]:
    """Collect names of records from the lookups that point to them."""
    return {each["id"]: each["name"] for each in references if each and each.get("name")}


def _cells(
    name: str,
    about: Field,
    rows: Sequence[int],
    records: Mapping[int, Record],
    values: Sequence[Any],
) -> Iterator[dict[str, Any]]:
    """Describe the cells of a field that would change."""
    column = f"{name}.id" if _is_lookup(about) else name
    old = shown([records[row].get(name) for row in rows], about)
    new = shown([values[row] for row in rows], about)
    for row, was, becomes in zip(rows, old, new, strict=True):
        record_id = records[row]["id"]
        yield {"row": row, "id": record_id, "column": column, "old": was, "new": becomes}


def _step(
    found: Difference, row: int, record: Record, changed: Record, seen: Sequence[Any] | None
) -> tuple[str, str | None, int, str | None]:
    """Decide what would be done to an existing record."""
    record_id = record["id"]
    if not changed:
        return "unchanged", record_id, 0, None
    found.records[row] = {"id": record_id, **changed}
    found.before[record_id] = record
    moment = _moment(seen[row]) if seen is not None else found.when
    now = _moment(record.get(SEEN))
    if moment is not None and now is not None and moment.tzinfo is not None and now > moment:
        words = f"changed by {found.user(record)} at {record[SEEN]}, after the table was read"
        return "conflict", record_id, len(changed), words
    return "update", record_id, len(changed), None


def _moment(text: Any) -> datetime | None:
    """Read a moment."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _name_modules(context: WriteContext, found: Difference) -> None:
    """Name the modules of lookups to several; rows where none is found are invalid."""
    for row, problem in add_to_records(context, found.records, found.fields).items():
        step, record_id, changes, _ = found.steps[row]
        if step in {"insert", "update"}:
            words = f"{problem.column}: {problem.problem}"
            found.steps[row] = ("invalid", record_id, changes, words)


def _check(found: Difference, *, unlisted: bool) -> None:
    """Mark the rows that Zoho would not take; only what would be sent is looked at."""
    for action in ("insert", "update"):
        rows = [row for row, step in enumerate(found.steps) if step[0] == action]
        names = dict.fromkeys(name for row in rows for name in found.records[row])
        data = {name: [found.records[row].get(name, ABSENT) for row in rows] for name in names}
        problems: dict[int, list[str]] = defaultdict(list)
        for each in check_values(data, found.fields, action, unlisted=unlisted):
            for place in range(len(rows)) if each.row is None else [each.row]:
                problems[rows[place]].append(f"{each.column}: {each.problem}")
        for row, words in problems.items():
            _, record_id, changes, _ = found.steps[row]
            found.steps[row] = ("invalid", record_id, changes, "; ".join(words))
    invalid = {row for row, step in enumerate(found.steps) if step[0] == "invalid"}
    held = invalid | {row for row, step in enumerate(found.steps) if step[0] == "conflict"}
    found.cells = [cell for cell in found.cells if cell["row"] not in held]
    found.unlisted = _not_taken_back(found)


def _not_taken_back(found: Difference) -> dict[str, int]:
    """Count the old values that are in no picklist any more, by field."""
    counts: dict[str, int] = {}
    for name in dict.fromkeys(cell["column"] for cell in found.cells):
        about = found.fields.get(name)
        if about and about.get("data_type") == "picklist":
            old = [cell["old"] for cell in found.cells if cell["column"] == name]
            if strange := len(list(check_values({name: old}, {name: about}, "update"))):
                counts[name] = strange
    return counts


def apply(
    context: WriteContext,
    found: Difference,
    *,
    force: bool = False,
    trigger: str | Sequence[str] | None = (),
) -> Report:
    """Write a difference."""
    allowed = triggers(trigger)
    rows: dict[str, list[int]] = {"update": [], "insert": []}
    settled: dict[int, Outcome] = {}
    for row, (step, record_id, _, message) in enumerate(found.steps):
        if step in rows:
            rows[step].append(row)
        elif force and step == "conflict" and row in found.records:
            rows["update"].append(row)
        else:
            settled[row] = _settled(step, record_id, message)
    mark = context.there(found.module).newest() if rows["insert"] else None
    journal = open_journal(
        context, found.module, "apply", found.index, trigger=allowed, mark=mark, undoable=True
    )
    if found.before:
        journal.note(before=list(found.before.values()))
    run = Run(context, journal, partial(call_for, found.module, trigger=allowed))
    run.settle(settled)
    phases = [
        [
            partial(_batch, found, action, few[at : at + RECORDS], force=force)
            for at in range(0, len(few), RECORDS)
        ]
        for action, few in rows.items()
    ]
    return finish(context, run, phases)


def _settled(step: str, record_id: str | None, message: str | None) -> Outcome:
    """Make the outcome of a row that is not written."""
    if step == "unchanged":
        return Outcome(None, "done", record_id, "UNCHANGED", None, "nothing to change")
    code = "CONFLICT" if step == "conflict" else "INVALID_DATA"
    return refused(None, code, f"not sent: {message}", id=record_id)


def _batch(found: Difference, action: str, rows: Sequence[int], *, force: bool) -> Batch:
    """Make one batch; none of its records may have been changed since they were compared."""
    records = [found.records[row] for row in rows]
    since = None
    if action == "update" and not force:
        since = latest(found.before[record["id"]].get(SEEN) for record in records)
    return Batch(action, rows, records, since)
