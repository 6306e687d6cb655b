"""What a bulk write asks for: taken apart, and refused where its page says so."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.bulk import date_formats
from zcrm_nb.emulator.bulk.csv_import import Sheet, not_supported, sheet
from zcrm_nb.emulator.bulk.job_responses import Body
from zcrm_nb.emulator.bulk.uploads import uploaded
from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator.bulk.jobs import BulkOrg
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

OPERATIONS = ("insert", "update", "upsert")
SYSTEM = ("Created_By", "Modified_By", "Created_Time", "Modified_Time")
#: How an owner's column may name a user, besides by id.
PERSON = ("id", "email", "full_name", "last_name")


@dataclass(frozen=True, slots=True)
class Column:
    """Where the value of one field comes from.

    ``header`` is what errors call it. ``index`` is the column in the file; without one ``default``
    is the value of every row, with one that of empty cells. ``parent_index`` is the column of the
    parent's file that names the parent of a row.
    """

    field: Field
    header: str
    index: int | None = None
    find_by: str | None = None
    format: str | None = None
    default: Any = None
    parent_index: int | None = None
    module: str | None = None

    @property
    def described(self) -> Body:
        """How the job describes it."""
        return {
            "api_name": self.field.api_name,
            "index": self.index,
            "format": self.format,
            "find_by": self.find_by,
            "module": {"api_name": self.module} if self.module else None,
            "parent_column_index": self.parent_index,
            "default_value": None if self.default is None else {"value": self.default},
        }


@dataclass(frozen=True, slots=True)
class Resource:
    """One file, and how its rows become records of a module."""

    module: Module
    sheet: Sheet
    columns: tuple[Column, ...]
    find_by: Field | None
    ignore_empty: bool

    @property
    def link(self) -> Column | None:
        """The column that ties the row of a child to a row of the parent's file."""
        return next((each for each in self.columns if each.parent_index is not None), None)


def resources(org: BulkOrg, body: Body, user: int) -> tuple[Resource, ...]:
    """Check a job's body and find what it asks for."""
    operation = _needed(body, "operation", "$")
    if operation not in OPERATIONS:
        details = {"api_name": "operation", "supported_values": list(OPERATIONS)}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    listed = _needed(body, "resource", "$")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        details = {"api_name": "resource", "expected_data_type": "jsonarray"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    matches = tuple(_Reader(org, body, user, index).resource() for index in range(len(listed)))
    _check_family(matches)
    return matches


def _check_family(parsed: tuple[Resource, ...]) -> None:
    """Refuse several files that are not one parent and its children."""
    for child in parsed[1:]:
        if child.sheet.path != parsed[0].sheet.path or child.module.parent is None:
            raise not_supported()
        if child.link is None:
            message = "Required key parent_column_index is not available"
            raise Refusal(400, "MANDATORY_NOT_FOUND", message)
        if child.link.parent_index not in range(len(parsed[0].sheet.header)):
            raise _no_column(child.link.parent_index)


class _Reader:
    """Reads one resource of a body."""

    def __init__(self, org: BulkOrg, body: Body, user: int, index: int) -> None:
        self._org, self._body, self._user, self._index = org, body, user, index
        self._path, self._json = f"$.resource[{index}]", body["resource"][index]
        self._bulk, self._operation = org.settings.bulk, body["operation"]

    def resource(self) -> Resource:
        """Read it."""
        if _needed(self._json, "type", self._path) != "data":
            details = {"api_name": "type", "supported_values": ["data"]}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
        module, opened = self._module(), self._sheet()
        columns = self._columns(module, opened)
        ignore = self._json.get("ignore_empty", self._body.get("ignore_empty", False))
        made = Resource(module, opened, columns, self._find_by(module, columns), bool(ignore))
        self._check_mandatory(made)
        return made

    def _module(self) -> Module:
        named = _needed(self._json, "module", self._path)
        name = _needed(named if isinstance(named, dict) else {}, "api_name", f"{self._path}.module")
        module = self._org.schema.modules.get(name)
        if module is None or module.tracker or name in self._bulk.modules_not_written:
            raise Refusal(
                400, "MODULE_NOT_AVAILABLE", f"Requested module '{name}' is not available."
            )
        return module

    def _sheet(self) -> Sheet:
        """Open the file, if it is not too large."""
        path = uploaded(self._org, self._user, _needed(self._json, "file_id", self._path))
        if len(self._body["resource"]) > 1:
            _needed(self._json, "file_names", self._path)
        opened = sheet(
            path, self._json.get("file_names") or [], self._body.get("character_encoding")
        )
        most = self._bulk.write_rows
        rows = sum(1 for _ in islice(opened.rows(), most + 1))
        if rows > most:
            raise not_supported()
        if len(opened.header) > self._bulk.write_columns:
            raise _too_wide()
        return opened

    def _columns(self, module: Module, opened: Sheet) -> tuple[Column, ...]:
        """Read the mappings, or let the header be the mapping."""
        mappings = self._json.get("field_mappings")
        if mappings is None:
            return tuple(self._from_header(module, opened))
        if not isinstance(mappings, list) or not all(isinstance(each, dict) for each in mappings):
            details = {"api_name": "field_mappings", "expected_data_type": "jsonarray"}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
        if len(mappings) > self._bulk.write_columns:
            raise _too_wide()
        return tuple(self._column(module, opened, each, n) for n, each in enumerate(mappings))

    def _from_header(self, module: Module, opened: Sheet) -> list[Column]:
        """Map columns by their names; those of lookups say how the record is found."""
        columns = []
        for index, header in enumerate(opened.header):
            name, _, find_by = header.partition(".")
            field = module.by_name.get(name)
            if field is None and not self._bulk.unknown_columns_refused:
                continue
            field = self._writable(field, header, "INVALID_FIELD_NAME")
            if _is_lookup(field) != bool(find_by):
                raise _invalid(header, "INVALID_FIELD_NAME")
            column = Column(field, header, index, find_by or None)
            self._check_find_by(column)
            columns.append(column)
        return columns

    def _column(self, module: Module, opened: Sheet, mapping: Body, position: int) -> Column:
        path = f"{self._path}.field_mappings[{position}]"
        name = _needed(mapping, "api_name", path)
        field = self._writable(module.by_name.get(name), name, "INVALID_FIELD")
        default = mapping.get("default_value")
        named = mapping.get("module")
        index = mapping.get("index")
        if index is not None or default is None:
            index = _index(index, len(opened.header))
        column = Column(
            field,
            name if index is None else opened.header[index],
            index,
            mapping.get("find_by"),
            mapping.get("format"),
            default.get("value") if isinstance(default, dict) else None,
            mapping.get("parent_column_index"),
            named.get("api_name") if isinstance(named, dict) else None,
        )
        self._check_column(column, path)
        return column

    def _check_column(self, column: Column, path: str) -> None:
        """Refuse keys that contradict each other, or the type of the field."""
        if column.find_by is not None and column.parent_index is not None:
            details = {
                "api_name": "parent_column_index",
                "json_path": f"{path}.parent_column_index",
            }
            raise Refusal(400, "COEXISTENCE_NOT_ALLOWED", "coexistence not allowed", details)
        needs = _is_lookup(column.field) and column.index is not None
        if needs and column.find_by is None and column.parent_index is None:
            message = "Required key find_by is not available"
            raise Refusal(400, "MANDATORY_NOT_FOUND", message, {"json_path": f"{path}.find_by"})
        self._check_find_by(column)
        timely = column.field.kind in ("date", "datetime", "event_reminder")
        if column.format and not (timely and date_formats.supported(column.format)):
            details = {"api_name": column.field.api_name, "json_path": f"{path}.format"}
            raise Refusal(400, "INVALID_FORMAT", "invalid date format", details)

    def _check_find_by(self, column: Column) -> None:
        """Refuse a field by which no record can be found."""
        if column.find_by is None:
            return
        targets = [column.module] if column.module else column.field.targets
        modules = [column.field.target] if column.field.target else [*targets]
        for name in modules:
            target = self._org.schema.module(str(name))
            finders = PERSON if name == "Users" else _finders(self._org, target)
            if column.find_by not in (*finders, target.name_field):
                raise _invalid(column.find_by)
        if column.field.targets and column.module not in column.field.targets:
            raise _invalid(column.field.api_name)

    def _writable(self, field: Field | None, name: str, code: str) -> Field:
        """Refuse a field that there is not, or that no client writes."""
        if field is None:
            raise _invalid(name, code)
        if field.api_name == "id" or field.data_type == "layout":
            return field
        kinds = {field.kind, field.data_type}
        listed = field.kind == "jsonarray" and field.api_name != "Tag"
        closed = field.read_only or not field.written or listed or field.api_name in SYSTEM
        if closed or not kinds.isdisjoint(self._bulk.types_not_written):
            raise _invalid(name, code)
        return field

    def _find_by(self, module: Module, columns: tuple[Column, ...]) -> Field | None:
        """Find the field by which existing records are known; it has to be among the columns."""
        name = self._json.get("find_by")
        tied = any(each.parent_index is not None for each in columns)
        if name is None and self._operation != "insert" and not tied:
            message = "Required key find_by is not available"
            raise Refusal(
                400, "MANDATORY_NOT_FOUND", message, {"json_path": f"{self._path}.find_by"}
            )
        if name is None:
            return None
        if name not in _finders(self._org, module):
            raise _invalid(str(name))
        if name not in {each.field.api_name for each in columns}:
            raise _unmapped()
        return module.by_name[name]

    def _check_mandatory(self, made: Resource) -> None:
        """Refuse a job that adds records without what they must have."""
        if self._operation == "update":
            return
        others = (each for each in self._body["resource"] if each is not self._json)
        children = {(each.get("module") or {}).get("api_name") for each in others}
        mapped = {each.field.api_name for each in made.columns}
        for field in made.module.fields:
            if field.mandatory and field.api_name not in mapped and field.target not in children:
                raise _unmapped()


def _needed(body: Body, key: str, path: str) -> Any:
    """Take a key that must be there."""
    if body.get(key) in (None, "", []):
        message = f"required key {key} is not found in request body."
        raise Refusal(400, "MISSING_REQUIRED_KEY", message, {"json_path": f"{path}.{key}"})
    return body[key]


def _index(index: object, width: int) -> int:
    """Read the index of a column."""
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < width:
        raise _no_column(index)
    return index


def _no_column(index: object) -> Refusal:
    """Refuse the index of a column that the file does not have."""
    return Refusal(400, "COLUMN_INDEX_NOT_FOUND", "column index not found", {"index": index})


def _is_lookup(field: Field) -> bool:
    """Whether the values of a field are records."""
    return bool(field.target or field.targets)


def _finders(org: Org, module: Module) -> tuple[str, ...]:
    """List the fields by which one record of a module can be found."""
    system = dict(org.settings.duplicate_check_fields).get(module.api_name, ("Name",))
    unique = [each.api_name for each in module.fields if each.unique]
    return ("id", *(name for name in (*system, *unique) if name in module.by_name))


def _invalid(name: str, code: str = "INVALID_FIELD") -> Refusal:
    """Refuse a name in a mapping."""
    message = f"invalid mapping. invalid api_name {name}."
    return Refusal(400, code, message, {"api_name": name})


def _unmapped() -> Refusal:
    """Refuse a job whose mappings lack a field that every record needs."""
    message = "All mandatory fields are not mapped for the layout"
    return Refusal(400, "MANDATORY_FIELDS_NOT_MAPPED", message)


def _too_wide() -> Refusal:
    """Refuse too many columns."""
    return Refusal(400, "HEADER_LIMIT_EXCEEDED", "header limit exceeded")
