"""What a table is to hold: a query with its columns, whatever route it comes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting.backfill import OTHER_IN_COQL
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.query import Prepared
from zcrm_nb.api.reading.tables import condition
from zcrm_nb.coql import tree
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import NotFoundError
from zcrm_nb.frames import NOT_IN_BULK, column_for, read_as_is

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.frames import Column

__all__ = [
    "TableSpec",
    "bulk_refuses",
    "condition_only",
    "coql_refuses",
    "default_names",
    "spec_of_query",
    "spec_text",
    "table_spec",
    "target_of",
]

_PICTURE = "profileimage"  # no job exports it


def spec_text(
    module: str, where: Any, order_by: str | Sequence[str] | None, values: Mapping[str, Any]
) -> str:
    """Write a condition and an order as a query; its columns come later."""
    keys = [order_by] if isinstance(order_by, str) else list(order_by or ())
    order = f" order by {', '.join(keys)}" if keys else ""
    return coql.fill(f"select id from {module} where {condition(where)}{order}", **values)  # noqa: S608 - COQL


@dataclass(frozen=True)
class TableSpec:
    """A table as it is requested, whatever route it comes by."""

    catalogue: Catalogue  # the org's metadata
    query: Query  # columns, condition, order and limit, as COQL has them
    text: str  # the text that its positions refer to
    # whether it was written as a query: then its COQL route is that of ``crm.coql``
    is_query: bool = False
    as_is: Sequence[str] = ()  # columns to read as Zoho sends them

    @property
    def module(self) -> str:
        """Its module."""
        return self.query.module

    @cached_property
    def columns(self) -> list[Column]:
        """The columns of the result."""
        return ask.answer_columns(self.catalogue, self.query)

    @cached_property
    def whole(self) -> list[Column]:
        """The columns to fetch where rows are sorted here, sort keys included."""
        return ask.answer_columns(self.catalogue, ask.by_id(self.query))

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The field of each column to fetch, by its path; without ``id``."""
        paths = [coql.path_of(each.expression) for each in ask.by_id(self.query).columns]
        return {
            path.text: coql.resolve(path, self.module, self.catalogue.fields)
            for path in paths
            if path.text != "id"
        }

    @property
    def is_plain(self) -> bool:
        """Whether its rows are records, and its columns have their own names."""
        plain = (isinstance(each.expression, tree.Path) for each in self.query.columns)
        aliased = any(each.alias for each in self.query.columns)
        return all(plain) and not aliased and not coql.is_aggregate(self.query)

    @property
    def descends(self) -> bool | None:
        """Whether its ids descend; ``None`` when it comes in another order."""
        match self.query.order_by:
            case ():
                return False
            case (tree.OrderBy(key=tree.Path() as path, descending=descending),) if (
                path.text == "id"
            ):
                return descending
        return None

    @property
    def lists_by_id(self) -> bool | None:
        """Whether the ids of a list descend; ``None`` for a view, which has its own order."""
        return None if self.query.cvid else self.descends


def table_spec(
    catalogue: Catalogue,
    prepared: Prepared,
    columns: Sequence[str] | None,
    limit: int | None,
    *,
    as_is: Sequence[str] = (),
) -> TableSpec:
    """Put the columns into the query of a condition and an order."""
    query = condition_only(prepared, limit)
    if isinstance(columns, str):
        raise TypeError(f"columns takes a list of names: columns=[{columns!r}].")
    names = default_names(catalogue, query.module) if columns is None else columns
    paths = [_path(catalogue, query.module, each) for each in dict.fromkeys(names) if each != "id"]
    whole = replace(query, columns=tuple(map(tree.SelectItem, paths)) or query.columns)
    table = TableSpec(catalogue, whole, prepared.text, as_is=as_is)
    read_as_is(table.columns, as_is)  # refuses unknown names before anything is sent
    return table


def condition_only(prepared: Prepared, limit: int | None = None) -> Query:
    """Return the query of a condition; refuse more than a condition."""
    query = prepared.query
    assert query is not None, "a prepared query has a tree"
    if query.limit != limit or query.offset or query.group_by:
        raise ValueError("where= takes a condition only; use order_by= and limit= for the rest.")
    return query


def spec_of_query(catalogue: Catalogue, prepared: Prepared) -> TableSpec:
    """Take a query as it is."""
    assert prepared.query is not None, "a prepared query has a tree"
    return TableSpec(catalogue, prepared.query, prepared.text, is_query=True)


def _path(catalogue: Catalogue, module: str, name: str) -> tree.Path:
    """Read the name of a column; ``NotFoundError`` for an unknown one."""
    path = tree.Path(tuple(map(tree.Step, name.split("."))))
    if len(path.steps) == 1:
        catalogue.field(module, name)
        return path
    try:
        coql.resolve(path, module, catalogue.fields)
    except coql.AstrayError as astray:
        details = {"module": module, "api_name": name}
        raise NotFoundError(
            f"{astray.problem} Nothing was sent.",
            "",
            astray.fix,
            code="INVALID_FIELD",
            details=details,
        ) from None
    return path


def default_names(catalogue: Catalogue, module: str) -> list[str]:
    """List the fields that every route returns alike, some names by bulk read excepted."""
    return [
        name
        for name, field in catalogue.fields(module).items()
        if not coql_refuses(module, name, field) and field["data_type"] != _PICTURE
    ]


def coql_refuses(module: str, path: str, field: Field) -> bool:
    """Whether COQL cannot read a field, or returns it otherwise than Get Records."""
    kind = column_for(field).kind
    readable = is_readable("" if "." in path else module, field)
    return not readable or field["data_type"] in OTHER_IN_COQL or kind in {"tags", "object"}


def bulk_refuses(catalogue: Catalogue, field: Field) -> bool:
    """Whether a bulk job cannot export a field, or has no name for what it points to."""
    kind = column_for(field).kind
    if kind != "lookup":
        return kind in NOT_IN_BULK or field["data_type"] == _PICTURE
    return field["data_type"] != "lookup" or target_of(field) not in catalogue.modules()


def target_of(field: Field) -> str:
    """Return the module that a lookup points to."""
    return str(((field.get("lookup") or {}).get("module") or {}).get("api_name") or "")
