"""Rows of an uploaded file on their way into records, by the same writer as any other write."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.emulator.bulk import date_formats
from zcrm_nb.emulator.records.writes import Writer
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import encode
from zcrm_nb.emulator.storage.validation import RecordChecker

if TYPE_CHECKING:
    from pathlib import Path

    from zcrm_nb.emulator.bulk.write_request import Column, Resource
    from zcrm_nb.emulator.org import Org

Item: TypeAlias = dict[str, Any]
Errors: TypeAlias = dict[str, list[str]]
"""The columns that each code is about."""

SHOWN = 3  # columns of the result
ADDED, UPDATED = "ADDED", "UPDATED"
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BELOW = re.compile(r"\$\.data\[\d+\]\.(\w+)\[(\d+)\]")
_CODES = {
    **{
        each: each
        for each in (
            *("MANDATORY_NOT_FOUND", "INVALID_DATA", "DUPLICATE_DATA", "NOT_APPROVED"),
            *("BLOCKED_RECORD", "CANNOT_PROCESS", "LIMIT_EXCEEDED", "RESOURCE_NOT_FOUND"),
        )
    },
    "RECORD_LOCKED": "BLOCKED_RECORD",
    "EXPECTED_FIELD_MISSING": "MANDATORY_NOT_FOUND",
    "MAPPING_MISMATCH": "INVALID_DATA",
}
"""What the result calls the refusals of a write; it knows eight codes."""


@dataclass(slots=True)
class Outcome:
    """The outcome of one row: its status, the id of its record, its errors by code.

    ``nested`` are errors of rows below it, by the field that holds them and their place.
    """

    cells: list[str]
    status: str = ""
    record_id: str = ""
    errors: Errors = dataclass_field(default_factory=dict)
    nested: dict[tuple[str, int], Errors] = dataclass_field(default_factory=dict)

    @property
    def message(self) -> str:
        """The errors, as the result spells them."""
        return ":".join(f"{code}-{','.join(columns)}" for code, columns in self.errors.items())


@dataclass(slots=True)
class Row:
    """One row: the record to be made of it, and its outcome."""

    item: Item
    outcome: Outcome


class Import:
    """The rows of one file becoming records."""

    def __init__(self, org: Org, user: int, operation: str, resource: Resource) -> None:
        self._org, self.resource, self._operation = org, resource, operation
        self._writer = Writer(org, user, resource.module)
        self.checker = RecordChecker(org.store, resource.module, org.settings)
        self._record_ids: dict[tuple[str, str, str], int | None] = {}
        self._headers = {each.field.api_name: each.header for each in resource.columns}
        self.skipped, self.unprocessed = org.settings.bulk.skipped

    def rows(self) -> Iterator[Row]:
        """Read the rows of the file."""
        for cells in self.resource.sheet.rows():
            yield Row(self._item(cells), Outcome(cells))

    def write(self, row: Row, index: int) -> None:
        """Write one row, whole or not at all."""
        path = f"$.data[{index}]"
        try:
            with self._org.store.attempt():
                status, done = self._written(row.item, path)
        except Refusal as refusal:
            row.outcome.status = self.skipped
            self._note(row.outcome, refusal.body)
        else:
            row.outcome.status, row.outcome.record_id = status, done["details"]["id"]

    def _note(self, outcome: Outcome, body: Item) -> None:
        """Sum up a refusal: the columns of each code; what is wrong further down is noted there."""
        for each in body["details"].get("errors", [body]):
            details = each["details"]
            below = _BELOW.match(details.get("json_path", ""))
            code = _CODES.get(each["code"], "CANNOT_PROCESS")
            expected = details.get("expected_fields") or [details]
            names = [str(one.get("api_name", "")) for one in expected]
            if below:
                errors = outcome.nested.setdefault((below[1], int(below[2])), {})
                errors.setdefault(code, []).extend(names)
                names = [below[1]]
            elif names == ["id"] and code == "INVALID_DATA":
                code = "RESOURCE_NOT_FOUND"
            columns = outcome.errors.setdefault(code, [])
            columns += [self._headers.get(name, name) for name in names]

    def _written(self, item: Item, path: str) -> tuple[str, Item]:
        """Add or change a record, as the operation and ``find_by`` have it."""
        record_id = self._existing(item)
        if self._operation == "insert":
            if record_id is not None:
                raise self._refusal("DUPLICATE_DATA")
            return ADDED, self._writer.insert(item, path)
        if record_id is not None:
            return UPDATED, self._writer.update(item | {"id": str(record_id)}, path)
        if self._operation == "upsert" and self._may_insert(item):
            return ADDED, self._writer.insert(item, path)
        raise self._refusal("MANDATORY_NOT_FOUND" if self._blank(item) else "RESOURCE_NOT_FOUND")

    def _existing(self, item: Item) -> int | None:
        """Find the record that a row is about."""
        field = self.resource.find_by
        if field is None or self._blank(item):
            return None
        if field.api_name == "id":
            text = str(item["id"])
            id_number = int(text) if _WHOLE.fullmatch(text) and len(text) < 19 else 0
            return self.checker.find(field, id_number)
        try:
            return self.checker.find(field, encode(field, item[field.api_name]))
        except ValueError:
            return None

    def _may_insert(self, item: Item) -> bool:
        """Whether a row that found no record may become one: not when it names an id."""
        field = self.resource.find_by
        return field is None or field.api_name != "id" or self._blank(item)

    def _blank(self, item: Item) -> bool:
        """Whether a row has no value to find a record by."""
        field = self.resource.find_by
        return field is None or item.get(field.api_name) in (None, "")

    def _refusal(self, code: str) -> Refusal:
        """Refuse a row for the field it is found by."""
        field = self.resource.find_by
        return Refusal(400, code, code, {"api_name": field.api_name if field else ""})

    # -- cells -------------------------------------------------------------------------------------

    def _item(self, cells: list[str]) -> Item:
        """Make the record of a row; ``find_by`` on id is the only use of an id."""
        item: Item = {}
        for column in self.resource.columns:
            if column.parent_index is not None:
                continue
            value = self._value(column, cells)
            if value is None and self.resource.ignore_empty:
                continue
            item[column.field.api_name] = value
        if self._operation == "insert":
            item.pop("id", None) if self.resource.find_by is None else None
        return item

    def _value(self, column: Column, cells: list[str]) -> Any:
        """Turn a cell into the JSON value that a write of its type carries."""
        text = _cell(cells, column.index) or column.default
        if text in (None, ""):
            return None
        if column.field.target or column.field.targets:
            return self._reference(column, str(text))
        if column.field.data_type == "layout":
            return {"id": str(text)}
        if column.field.kind in ("date", "datetime", "event_reminder"):
            return self._moment(column, str(text))
        return _VALUES.get(column.field.kind, str)(text)

    def _moment(self, column: Column, text: str) -> object:
        """Read a date; anything else becomes a number, which no date field takes."""
        is_date = column.field.kind == "date"
        parsed = date_formats.parse(
            text, column.format or (date_formats.DATE if is_date else date_formats.DATETIME)
        )
        if parsed is None:
            return 0
        if is_date:
            return parsed.date().isoformat()
        zone = parsed.tzinfo or self._org.store.zone
        return parsed.replace(tzinfo=zone).isoformat(timespec="seconds")

    def _reference(self, column: Column, text: str) -> Item:
        """Find the record that a cell names; for an unknown one an id that does not exist."""
        target = column.module or column.field.target or ""
        named = {"module": {"api_name": column.module}} if column.field.targets else {}
        if column.find_by in (None, "id"):
            return {"id": text, **named}
        return {"id": str(self._record(target, str(column.find_by), text) or 0), **named}

    def _record(self, module: str, name: str, text: str) -> int | None:
        """Find a record by a field; what was found once is remembered."""
        key = (module, name, text)
        if key not in self._record_ids:
            sql = f'SELECT min(id) FROM "{module}" WHERE "{name}" = ?'
            self._record_ids[key] = self._org.store.read(sql, (text,))[0][0]
        return self._record_ids[key]


def _boolean(text: object) -> object:
    """Read true or false; anything else stays what no boolean field takes."""
    return {"true": True, "false": False}.get(str(text).lower(), text)


def _integer(text: object) -> object:
    """Read a whole number."""
    return int(str(text)) if _WHOLE.fullmatch(str(text)) else text


def _number(text: object) -> object:
    return float(str(text)) if _NUMBER.fullmatch(str(text)) else text


_VALUES: dict[str, Callable[[object], object]] = {
    **dict.fromkeys(("integer", "bigint"), _integer),
    **dict.fromkeys(("double", "decimal", "currency", "percent"), _number),
    "boolean": _boolean,
    "multiselectpicklist": lambda text: str(text).split(";"),
    "jsonarray": lambda text: [{"name": each.strip()} for each in str(text).split(",")],
}
"""How a cell becomes a value; what cannot be read stays text, for the writer to refuse."""


# -- a whole job ---------------------------------------------------------------------------------


def run(
    org: Org, user: int, operation: str, resources: tuple[Resource, ...], path: Path
) -> list[dict[str, int]]:
    """Write all rows in one transaction, and their result into a ZIP."""
    imports = [Import(org, user, operation, each) for each in resources]
    notified = org.settings.bulk.notify_bulk_writes
    with org.store.transaction(notify=notified), _indexes(org, resources):
        files = [list(each.rows()) for each in imports]
        children = [
            Children(imports[0], child, rows)
            for child, rows in zip(imports[1:], files[1:], strict=True)
        ]
        for index, row in enumerate(files[0]):
            for each in children:
                each.attach(row)
            imports[0].write(row, index)
            for each in children:
                each.settle(row)
    _write_result(org, imports, files, path)
    return [_counts(rows) for rows in files]


class Children:
    """The rows of a child's file, which are written together with their parents."""

    def __init__(self, parents: Import, child: Import, rows: list[Row]) -> None:
        link, module = child.resource.link, child.resource.module
        assert link is not None, "mappings refuses a child without a link"
        self._parents, self._child, self._link = parents, child, link
        fields = parents.resource.module.fields
        self._holder = next(each for each in fields if each.target == module.api_name)
        self._orphans: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self._orphans[_cell(row.outcome.cells, link.index)].append(row)
            row.outcome.status, row.outcome.errors = (
                child.skipped,
                {"RESOURCE_NOT_FOUND": [link.header]},
            )
        self._attached: list[Row] = []

    def attach(self, parent: Row) -> None:
        """Give a parent its rows, once."""
        self._attached = self._orphans.pop(_cell(parent.outcome.cells, self._link.parent_index), [])
        if self._attached:
            parent.item[self._holder.api_name] = [each.item for each in self._attached]

    def settle(self, parent: Row) -> None:
        """Give the outcome of the rows of a parent that was written, or refused."""
        ids = self._ids(parent) if parent.outcome.record_id else []
        for index, row in enumerate(self._attached):
            if ids:
                row.outcome = Outcome(row.outcome.cells, ADDED, str(ids[index]))
                continue
            own = parent.outcome.nested.get((self._holder.api_name, index))
            message = self._child.skipped if own else self._child.unprocessed
            row.outcome = Outcome(row.outcome.cells, message, errors=own or {})

    def _ids(self, parent: Row) -> list[int]:
        """Find the ids of the rows that were just added to a parent."""
        rows = self._parents.checker.rows_of(self._holder, int(parent.outcome.record_id))
        return sorted(rows)[-len(self._attached) :] if self._attached else []


def _cell(cells: list[str], index: int | None) -> str:
    """Take a cell of a row, which may be short."""
    return cells[index] if index is not None and index < len(cells) else ""


@contextmanager
def _indexes(org: Org, resources: tuple[Resource, ...]) -> Iterator[None]:
    """Index what records will be found by while the rows are written: there may be 25,000."""
    keys = {(each.module.api_name, each.find_by.api_name) for each in resources if each.find_by}
    keys |= {
        (column.module or str(column.field.target), str(column.find_by))
        for each in resources
        for column in each.columns
        if column.find_by
    }
    names = {f"bulk.{module}.{name}": (module, name) for module, name in keys if name != "id"}
    for index, (module, name) in names.items():
        org.store.execute(f'CREATE INDEX "{index}" ON "{module}" ("{name}")')
    yield
    for index in names:
        org.store.execute(f'DROP INDEX "{index}"')


def _write_result(org: Org, imports: list[Import], files: list[list[Row]], path: Path) -> None:
    """Write a CSV file for each one that came in."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, rows in zip(imports, files, strict=True):
            resource = each.resource
            name = f"{resource.module.api_name}-{resource.sheet.name}"
            archive.writestr(name, _result(org, resource, [row.outcome for row in rows]))


def _result(org: Org, resource: Resource, outcomes: list[Outcome]) -> str:
    """Write the first three columns that are mapped, and the outcome of each row."""
    shown = [each for each in resource.columns if each.index is not None][:SHOWN]
    by_field = org.settings.bulk.result_headers == "field"
    names = [each.field.api_name if by_field else each.header for each in shown]
    if not org.settings.bulk.result_in_order:
        outcomes = sorted(outcomes, key=lambda each: not each.record_id)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*names, "STATUS", "RECORD_ID", "ERRORS"])
    for each in outcomes:
        cells = [_cell(each.cells, one.index) for one in shown]
        writer.writerow([*cells, each.status, each.record_id, each.message])
    return text.getvalue()


def _counts(rows: list[Row]) -> dict[str, int]:
    """Count the outcome of the rows of a file."""
    counted = Counter(row.outcome.status for row in rows)
    added, updated = counted[ADDED], counted[UPDATED]
    return {
        "added_count": added,
        "updated_count": updated,
        "skipped_count": len(rows) - added - updated,
        "total_count": len(rows),
    }
