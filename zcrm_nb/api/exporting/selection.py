"""What to ask a bulk job for, so that its files make the same table as a list or a query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zcrm_nb import coql
from zcrm_nb.api.exporting.bulk_read import FIELDS_PER_JOB
from zcrm_nb.api.reading.records import ONE_RECORD_ONLY
from zcrm_nb.coql.fields import details_of
from zcrm_nb.coql.tree import Path, Step
from zcrm_nb.errors import NotFoundError, PermissionDenied, ScopeError
from zcrm_nb.frames import NOT_IN_BULK, Column, column_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.coql.fields import Field

__all__ = ["ColumnSelection", "field_of", "select"]

# What a record is called by, where the metadata does not mark the field: the first that is there.
_CALLED = ("Full_Name", "Name", "Subject", "Last_Name")
_NAMEABLE = frozenset({"text", "picklist"})
_ID = "id"
# Not asked for: no page says that they are exported, and a refusal may cost a job's credits.
_OPAQUE = frozenset({"profileimage", "consent_lookup"})


@dataclass(slots=True)
class ColumnSelection:
    """The columns of a table, and which of them bulk jobs bring."""

    columns: list[Column]  # the table, ``id`` first
    # for each lookup the field that holds its name, as a job is asked for it
    names: dict[str, str] = field(default_factory=dict)
    elsewhere: list[str] = field(default_factory=list)  # named columns that no job brings
    # columns that were not named, and that no job brings
    left_out: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)  # lookups whose names no job brings

    @property
    def in_bulk(self) -> list[Column]:
        """The columns that jobs bring."""
        gone = {*self.elsewhere, *self.left_out}
        return [each for each in self.columns if each.name not in gone]

    def with_fields(self, fields: Iterable[str]) -> list[Column]:
        """Return ``id`` and the columns that jobs with these fields bring."""
        wanted = {_ID, *fields}
        return [each for each in self.in_bulk if each.name in wanted]

    @property
    def table(self) -> list[Column]:
        """The columns that the table has."""
        return [each for each in self.columns if each.name not in self.left_out]

    def batches(self) -> list[list[str]]:
        """Split the fields into batches of one job each; a lookup and its name stay together.

        ``Id`` always comes. A table of ids alone requests one more field, because without fields
        all would come.
        """
        lots: list[list[str]] = [[]]
        for column in self.in_bulk:
            if column.name == _ID:
                continue
            wanted = [column.name, *filter(None, [self.names.get(column.name)])]
            if len(lots[-1]) + len(wanted) > FIELDS_PER_JOB:
                lots.append([])
            lots[-1] += wanted
        return lots if lots[0] else [["Created_Time"]]

    def drop(self, fields: Iterable[str], *, by_name: bool) -> list[str]:
        """Do without fields that Zoho refused."""
        missing = []
        kinds = {each.name: each.kind for each in self.in_bulk}
        for name in fields:
            for lookup in [each for each, at in self.names.items() if at == name]:
                del self.names[lookup]
                if kinds.get(lookup) != "user":  # those a list can name
                    self.unnamed.append(lookup)
                    missing += [] if by_name else [f"the names of {lookup}"]
            if name in kinds:
                (self.elsewhere if by_name else self.left_out).append(name)
                missing += [] if by_name else [name]
        return missing


def select(catalogue: Catalogue, module: str, names: Sequence[str] | None) -> ColumnSelection:
    """Work out what to request.

    Notes
    -----
    1 credit for the fields of the module, and of each module that a lookup points to, once.
    """
    fields = catalogue.fields(module)
    wanted = dict.fromkeys(each for each in (fields if names is None else names) if each != _ID)
    if names is not None:
        _refuse_tables(module, [fields[each] for each in wanted if each in fields])
    columns = [Column(_ID, "text")]
    described = {each: field_of(catalogue, module, each) for each in wanted}
    columns += [column_for(each, name) for name, each in described.items()]
    found = ColumnSelection(columns)
    missing = [c.name for c in columns if c.name in described and not _is_exported(c, described)]
    if names is None:
        found.left_out += missing
    else:
        found.elsewhere += missing
    _name_lookups(found, catalogue, module)
    return found


def _is_exported(column: Column, described: Mapping[str, Field]) -> bool:
    """Whether a job may request a field; what else Zoho refuses, it names."""
    return column.kind not in NOT_IN_BULK and described[column.name]["data_type"] not in _OPAQUE


def field_of(catalogue: Catalogue, module: str, name: str) -> Field:
    """Find the field of a column, along lookups; ``NotFoundError`` for an unknown one."""
    if "." not in name:
        return catalogue.field(module, name)
    path = Path(tuple(Step(each) for each in name.split(".")))
    try:
        return coql.resolve(path, module, catalogue.fields)
    except coql.AstrayError as astray:
        raise NotFoundError(
            f"{astray.problem} Nothing was sent.", "", astray.fix, code="INVALID_FIELD"
        ) from None


def _refuse_tables(module: str, fields: Iterable[Field]) -> None:
    """Refuse subforms and lookups to many, and name the module that holds them."""
    for each in fields:
        if each["data_type"] in ONE_RECORD_ONLY:
            at = _rows_in(each)
            raise ValueError(
                f"{each['api_name']} of {module} is not a column: each record has many rows. "
                + (f"Export them separately: crm.bulk({at!r})." if at else "")
            )


def _rows_in(field: Field) -> str:
    """Name the module that holds the rows of a subform or the links of a lookup to many."""
    linked = details_of(field).get("linking_details") or {}
    linking = (linked.get("module") or {}).get("api_name")
    return str(linking or (field.get("associated_module") or {}).get("module") or "")


def _name_lookups(found: ColumnSelection, catalogue: Catalogue, module: str) -> None:
    """Find the field that names each lookup. Users are in the directory, if that may be read."""
    lookups = [each for each in found.in_bulk if each.kind in {"lookup", "user"}]
    directory = catalogue.directory() if any(each.kind == "user" for each in lookups) else None
    for each in lookups:
        if each.kind == "user":
            at = None if directory is not None else "last_name"
        else:
            at = _called_by(catalogue, field_of(catalogue, module, each.name))
            found.unnamed += [] if at else [each.name]
        if at:
            found.names[each.name] = f"{each.name}.{at}"


def _called_by(catalogue: Catalogue, lookup: Field) -> str | None:
    """Name the field of the other module that a lookup shows; none where it points to several."""
    target = ((lookup.get("lookup") or {}).get("module") or {}).get("api_name")
    if lookup["data_type"] != "lookup" or not target:
        return None
    try:
        fields = catalogue.fields(target)
    except (NotFoundError, PermissionDenied, ScopeError):  # no such module, as for What_Id
        return None
    marked = [name for name, each in fields.items() if each.get("display_field")]
    likely = [*marked, f"{target.removesuffix('s')}_Name", *_CALLED]
    good = (n for n in likely if n in fields and column_for(fields[n]).kind in _NAMEABLE)
    return next(good, None)
