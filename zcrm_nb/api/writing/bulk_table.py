"""A table as it goes into the CSV files of a bulk write: checked, and written as cells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.prepare import WriteRequest, prepare
from zcrm_nb.errors import did_you_mean
from zcrm_nb.frames import Column, column_for
from zcrm_nb.frames.csv_writer import (
    NOT_IN_CELLS,
    SHOWN,
    by_distinct_values,
    csv_cells,
    unsplittable,
)
from zcrm_nb.frames.records import as_columns, as_rows
from zcrm_nb.frames.validate import Problem, check_values, is_writable, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.prepare import PreparedRows
    from zcrm_nb.coql.fields import Field

__all__ = ["OPERATIONS", "BulkTable", "BulkWriteRequest", "bulk_table", "check_request"]

OPERATIONS = ("insert", "update", "upsert")
ROWS, COLUMNS, BYTES = 25_000, 200, 25_000_000  # of one CSV file, before it is zipped
#: Digests of Zoho's page; older ones add Users, Tasks and linking modules, which it may refuse.
NOT_WRITTEN = ("Attachments", "Calls", "Events", "Notes")
#: A time without its offset would be ambiguous; where Zoho cannot read this, it refuses the job.
FORMATS = {"date": "yyyy-MM-dd", "datetime": "yyyy-MM-dd'T'HH:mm:ssXXX"}


@dataclass(frozen=True, slots=True)
class BulkWriteRequest:
    """The arguments of ``CRM.bulk_write``, and the limits of one CSV file."""

    module: str
    operation: str
    find_by: str | None = None
    lookups: Mapping[str, str] = field(default_factory=dict)
    ignore_empty: bool = False
    undoable: bool = False
    unlisted: bool = False
    invalid: str = "raise"
    most_rows: int = ROWS
    most_bytes: int = BYTES

    @property
    def subject(self) -> str:
        """What errors call it."""
        return f"bulk {self.operation} of {self.module}"

    @property
    def action(self) -> str:
        """What the journal calls it: an update without ids is looked for like an upsert."""
        has_ids = self.operation != "update" or self.find_by == "id"
        return self.operation if has_ids else "upsert"

    @property
    def checked(self) -> list[str]:
        """Fields by which its records are found, besides their ids."""
        return [self.find_by] if self.find_by and self.find_by != "id" else []

    @property
    def write_request(self) -> WriteRequest:
        """The request by which its values are prepared."""
        return WriteRequest(
            self.module,
            "update" if self.action == "update" else "upsert",
            checked=tuple(self.checked),
            unlisted=self.unlisted,
            ignore_empty=self.ignore_empty and self.operation != "insert",
            invalid=self.invalid,
            label=self.subject,
        )


@dataclass(frozen=True, slots=True)
class BulkTable:
    """A table as it goes into CSV files."""

    request: BulkWriteRequest  # what to do with it
    rows: PreparedRows  # JSON values by field, for the journal, and the rows that are not sent
    columns: dict[str, list[str]]  # cells by header, in the order in which they are sent
    mappings: list[dict[str, Any]]  # Zoho's field mappings, one for each of the columns

    def batch(self, rows: Sequence[int]) -> Batch:
        """Give some rows, as the journal keeps them."""
        few = {name: [values[row] for row in rows] for name, values in self.rows.data.items()}
        return Batch(self.request.action, rows, as_rows(few, len(rows)))

    def cells(self, rows: Sequence[int]) -> list[tuple[str, ...]]:
        """Give the cells by which rows are found in the result."""
        shown = list(self.columns.values())[:SHOWN]
        return [tuple(cells[row] for cells in shown) for row in rows]

    def body(self, file_id: str, name: str) -> dict[str, Any]:
        """Write the request for a job."""
        request = self.request
        resource = {
            "type": "data",
            "module": {"api_name": request.module},
            "file_id": file_id,
            "file_names": [name],
            "ignore_empty": request.ignore_empty,
            "field_mappings": self.mappings,
            **({"find_by": request.find_by} if request.find_by else {}),
        }
        return {
            "operation": request.operation,
            "character_encoding": "UTF-8",
            "ignore_empty": request.ignore_empty,
            "resource": [resource],
        }


def check_request(request: BulkWriteRequest) -> BulkWriteRequest:
    """Refuse what no table could make right, and fill in how existing records are found."""
    if request.operation not in OPERATIONS:
        raise ValueError(f"operation={request.operation!r}: choose one of {', '.join(OPERATIONS)}.")
    if request.module in NOT_WRITTEN:
        raise ValueError(
            f"Zoho does not write {', '.join(NOT_WRITTEN)} in bulk. "
            f"Use crm.insert({request.module!r}, …), crm.update or crm.upsert."
        )
    if request.find_by is None and request.operation == "upsert":
        raise ValueError('An upsert needs find_by=: "id", or a unique field, such as "Email".')
    if request.find_by is None and request.operation == "update":
        return replace(request, find_by="id")
    return request


def bulk_table(context: WriteContext, df: pd.DataFrame, request: BulkWriteRequest) -> BulkTable:
    """Check a table, and write its cells."""
    fields = context.catalogue.fields(request.module)
    refuse(list(_wrong_columns(df, fields, request)), request.subject, df.index)
    found_by = as_columns(
        df[[*request.lookups]], [Column(name, "text") for name in request.lookups]
    )

    def check(data: Mapping[str, Sequence[Any]]) -> Iterator[Problem]:
        yield from _wrong_values(data, fields, request)
        yield from check_values(found_by, {}, "update")

    source = df.drop(columns=[*request.lookups])
    rows = prepare(context, source, request.write_request, check)
    data, kinds = rows.data, {name: _kind(fields, name) for name in rows.data}
    cells = {_header(name, kinds[name]): csv_cells(data[name], kinds[name]) for name in data}
    cells |= {
        f"{name}.{request.lookups[name]}": csv_cells(values, "text")
        for name, values in found_by.items()
    }
    ordered = {name: cells[name] for name in by_distinct_values(cells, request.checked or ["id"])}
    mappings = [_mapping(header, place, kinds) for place, header in enumerate(ordered)]
    return BulkTable(request, rows, ordered, mappings)


def _wrong_columns(
    df: pd.DataFrame, fields: Mapping[str, Field], request: BulkWriteRequest
) -> Iterator[Problem]:
    """Find the columns that a bulk write cannot take, and those that it lacks."""
    columns = [str(name) for name in df.columns]
    names = {name.removesuffix(".id") for name in columns}
    kinds = {name: column_for(fields[name]).kind for name in names & {*fields}}
    if len(columns) > COLUMNS:
        yield Problem(None, "", None, f"{len(columns):,} columns; a bulk write takes {COLUMNS}")
    if request.operation == "insert" and "id" in columns:
        yield Problem(None, "id", None, "Zoho gives a new record its id; leave the column out")
    instructions = [name for name in columns if name.startswith("$")]
    for name in (*instructions, *(name for name in kinds if _in_no_cell(fields[name]))):
        yield Problem(None, name, None, "a CSV cell cannot hold it; use crm.upsert")
    for name in request.lookups:
        if name not in columns or kinds.get(name) not in _LOOKUPS:
            yield Problem(None, name, None, "in lookups=, but not a lookup column")
        elif f"{name}.id" in columns:
            yield Problem(None, name, None, "in lookups=, but its ids are there too; drop one")
    if request.find_by is not None and request.find_by not in columns:
        hint = did_you_mean(request.find_by, columns)
        yield Problem(None, request.find_by, None, f"find_by= is not a column. {hint}".rstrip())
    if kinds.get(request.find_by or "") in _NEVER_UNIQUE:
        yield Problem(None, str(request.find_by), None, "find_by= needs a field with unique values")
    for name, known in fields.items() if request.operation != "update" else ():
        needed = known.get("system_mandatory") and is_writable(known, "insert")
        if needed and name not in names:
            yield Problem(None, name, None, "mandatory, but the column is missing")


_LOOKUPS = {"lookup", "user"}
# Fields of these types cannot be unique. Of a text only Zoho knows, and refuses the job.
_NEVER_UNIQUE = {*_LOOKUPS, "picklist", "multipicklist", "boolean", "date", "datetime"}


def _in_no_cell(field: Field) -> bool:
    """Return whether no cell can hold a field: lists, objects, pictures, many modules."""
    module = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    is_elsewhere = field.get("data_type") in {"multi_module_lookup", "profileimage"}
    return is_elsewhere or module == "se_module" or column_for(field).kind in NOT_IN_CELLS


def _kind(fields: Mapping[str, Field], name: str) -> str:
    """Name the kind of a field."""
    return "text" if name == "id" else column_for(fields[name]).kind


def _wrong_values(
    data: Mapping[str, Sequence[Any]],
    fields: Mapping[str, Field],
    request: BulkWriteRequest,
) -> Iterator[Problem]:
    """Find the values that a cell cannot hold, and rows that name no record."""
    for name, values in data.items():
        for row, problem in unsplittable(values, _kind(fields, name)):
            yield Problem(row, name, values[row], problem)
    if request.operation == "update" and request.checked:
        (name,) = request.checked
        for row, value in enumerate(data.get(name, ())):
            if value in (None, ""):
                yield Problem(row, name, None, "missing; find_by= needs a value")


def _header(name: str, kind: str) -> str:
    """Name the column of a field; a lookup's column holds ids."""
    return f"{name}.id" if kind in _LOOKUPS else name


def _mapping(header: str, place: int, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Describe a column to Zoho; its header does so as well."""
    name, _, find_by = header.partition(".")
    mapping: dict[str, Any] = {"api_name": name, "index": place}
    if find_by:
        mapping["find_by"] = find_by
    if kinds.get(name) in FORMATS:
        mapping["format"] = FORMATS[kinds[name]]
    return mapping
