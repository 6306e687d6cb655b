"""The COQL engine: a query's tree becomes one SQL statement with bound values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.coql import ParseError, check_limits, is_aggregate
from zcrm_nb.coql.tree import DEFAULT_LIMIT, Aggregate, Path, Step
from zcrm_nb.emulator.query.conditions import (
    EVERYTHING,
    NUMBERS,
    REFERENCES,
    TEXTS,
    TIMES,
    Condition,
)
from zcrm_nb.emulator.query.joins import Joins, Target
from zcrm_nb.emulator.query.where import OPERATORS, Where
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.emulator.storage.codec import Shaped, render, shape

if TYPE_CHECKING:
    from zcrm_nb.coql.tree import Expression, OrderBy, Query, Subquery
    from zcrm_nb.emulator.storage.schema import Module
    from zcrm_nb.emulator.storage.store import Store

__all__ = ["run"]

Row: TypeAlias = dict[str, object]
Seen: TypeAlias = Callable[["Module", str], Condition | None]

SELECTABLE = OPERATORS.keys() | {"jsonarray"}
"""The types that COQL can show; those without operators cannot be asked for or sorted by."""
_ID = Path((Step("id"),))


def run(
    store: Store, query: Query, *, settings: EngineSettings | None = None, seen: Seen | None = None
) -> tuple[list[Row], bool]:
    """Answer a query.

    Examples
    --------
    >>> from zcrm_nb.coql import parse
    >>> from zcrm_nb.emulator.catalog import org_schema
    >>> from zcrm_nb.emulator.clock import ManualClock
    >>> from zcrm_nb.emulator.storage.store import Store
    >>> store = Store(org_schema(), ManualClock())
    >>> _ = store.insert("Leads", [{"Last_Name": "Rao", "City": "Pune"}], user=1)
    >>> run(store, parse("select City from Leads where Last_Name = 'Rao'"))
    ([{'City': 'Pune', 'id': '410888900000000001'}], False)
    >>> store.close()
    """
    settings = settings or EngineSettings()
    try:
        check_limits(query, offset_ceiling=settings.offset_ceiling)
    except ParseError as error:
        raise refusal_of(error) from error
    select = _Select(store, query, settings, seen)
    limit = query.limit or DEFAULT_LIMIT
    rows = select.rows(limit + 1, query.offset or 0)
    return render(rows[:limit], select.keys, select.shaped), len(rows) > limit


def refusal_of(error: ParseError) -> Refusal:
    """Answer a query that is wrong by its text."""
    return Refusal(400, error.code, error.message, error.details)


class _Select:
    """One query on its way to SQL."""

    def __init__(
        self, store: Store, query: Query, settings: EngineSettings, seen: Seen | None
    ) -> None:
        self.store, self.query, self.settings, self.seen = store, query, settings, seen
        self.grouped = is_aggregate(query)
        self.joins = Joins(store.schema, _module(store, query), settings)
        self.view = _view(self.joins.module, query, seen)
        expressions = [column.expression for column in query.columns]
        self.keys = [column.key for column in query.columns]
        if not self.grouped and "id" not in self.keys:
            self.keys.append("id")
            expressions.append(_ID)
        self.shaped = [self._shaped(each) for each in expressions]

    def rows(self, limit: int, offset: int = 0) -> list[tuple[Any, ...]]:
        """Fetch the values behind the columns, as stored."""
        selected = ", ".join(sql for each in self.shaped for sql in each.expressions)
        where = Where(self.joins, self.settings, self._values_of)
        condition = where.sql(self.query.where) + self._hidden()
        group_by, order_by = self._group_by(), self._order_by()
        tables, page = self.joins.sql, f"{order_by} LIMIT ? OFFSET ?"
        if self.grouped:
            sql = f"SELECT {selected} FROM {tables} WHERE {condition}{group_by}{page}"
        else:
            # Ids first: sorting and skipping would otherwise carry every selected column along.
            ids = f"SELECT t0.id FROM {tables} WHERE {condition}{page}"
            sql = f"SELECT {selected} FROM {tables} WHERE t0.id IN ({ids}){order_by}"
        return self.store.read(sql, (*where.values, *self.view.values, limit, offset))

    def _values_of(self, subquery: Subquery) -> list[object]:
        """Run a subquery; empty values are not among its answers."""
        most = self.settings.subquery_rows
        inner = _Select(self.store, subquery.query, self.settings, self.seen)
        rows = inner.rows(subquery.query.limit or most + 1, subquery.query.offset or 0)
        if len(rows) > most and not self.settings.subquery_cuts:
            details = {"limit": most, "clause": "subquery"}
            raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
        return [row[0] for row in rows[:most] if row[0] is not None]

    def _hidden(self) -> str:
        """Leave out what the view does not show, and converted leads if the settings say so."""
        name, viewed = self.joins.module.api_name, self.query.cvid is not None
        shown = self.settings.converted_leads and (self.settings.converted_in_views or not viewed)
        hides = name == "Leads" and not shown
        view = f' AND t0.id IN (SELECT id FROM "{name}" WHERE {self.view.sql})' if viewed else ""
        return (" AND t0.Converted__s = 0" if hides else "") + view

    # --- columns --------------------------------------------------------------------------------

    def _shaped(self, expression: Expression) -> Shaped:
        """Choose what to fetch for a column, and how it is shown."""
        if isinstance(expression, Aggregate):
            return self._aggregate(expression)
        target = self._selectable(expression)
        self._refuse_ungrouped(expression)
        return shape(target.field, target.alias, "coql", self.store)

    def _aggregate(self, aggregate: Aggregate) -> Shaped:
        """Fetch an aggregate; the least and the latest date are shown as dates."""
        target = self._selectable(aggregate.path)
        sql, function, kind = _call(aggregate, target), aggregate.function, target.field.kind
        if kind in TIMES and function in {"MIN", "MAX"}:
            return Shaped((sql,), shape(target.field, target.alias, "coql", self.store).show)
        if not self._takes(function, target):
            details = {"reason": "unsupported aggregate function", "column": aggregate.text}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
        return Shaped((sql,))

    def _takes(self, function: str, target: Target) -> bool:
        """Tell whether an aggregate takes a field."""
        kind = target.field.kind
        if function == "COUNT" and self.settings.count_takes_any_field:
            return True
        if target.field.api_name == "id" and function in {"SUM", "AVG"}:
            return False  # no page says; ids are names, not amounts
        counted = function == "COUNT" and kind in {*REFERENCES, "picklist"}
        return counted or kind in NUMBERS

    def _selectable(self, path: Path) -> Target:
        """Find the field of a path, and refuse one that COQL cannot read."""
        target = self.joins.target(path)
        if target.field.kind not in SELECTABLE or not target.field.coql:
            raise _unsupported(path)
        return target

    def _refuse_ungrouped(self, path: Path) -> None:
        """Refuse a plain column beside groups; no page tells the details (UNCONFIRMED)."""
        if self.grouped and path.text not in {each.text for each in self.query.group_by}:
            details = {"reason": "column not in group by", "column_name": path.text}
            raise Refusal(400, "INVALID_QUERY", "Invalid query formed", details)

    # --- clauses --------------------------------------------------------------------------------

    def _group_by(self) -> str:
        """Write GROUP BY."""
        keys = [self._key(path) for path in self.query.group_by]
        return f" GROUP BY {', '.join(keys)}" if keys else ""

    def _order_by(self) -> str:
        """Write ORDER BY; without one, records come by id."""
        if not self.query.order_by:
            return "" if self.grouped else " ORDER BY t0.id"
        return f" ORDER BY {', '.join(map(self._order, self.query.order_by))}"

    def _order(self, order: OrderBy) -> str:
        """Write one key of ORDER BY: an alias, an aggregate or a path."""
        aliased = {column.alias: column.expression for column in self.query.columns}
        expression = aliased.get(order.key.text, order.key)
        if isinstance(expression, Aggregate):
            self._aggregate(expression)
            key = _call(expression, self.joins.target(expression.path))
        else:
            self._refuse_ungrouped(expression)
            key = self._key(expression)
        return f"{key} DESC" if order.descending else key

    def _key(self, path: Path) -> str:
        """Write a column to sort or group by."""
        target = self._selectable(path)
        if target.field.kind not in OPERATORS.keys() - {"consent_lookup"}:
            raise _unsupported(path)
        exact = self.settings.case_sensitive and target.field.kind in TEXTS
        return f"{target.sql} COLLATE BINARY" if exact else target.sql


def _module(store: Store, query: Query) -> Module:
    """Find the module behind FROM."""
    module = store.schema.modules.get(query.module)
    if query.module == "Users":
        module = store.schema.directory["Users"]
    if module is None or not (module.api_supported or query.module == "Users"):
        message = "the given module is not supported in api"
        raise Refusal(400, "INVALID_MODULE", message)
    return module


def _view(module: Module, query: Query, seen: Seen | None) -> Condition:
    """Find out what the view behind FROM shows, or refuse one that does not exist."""
    if query.cvid is None:
        return EVERYTHING
    found = seen(module, query.cvid) if seen else None
    if found is None:
        message = "the custom view given seems to be invalid"
        raise Refusal(400, "INVALID_QUERY", message, {"cvid": query.cvid})
    return found


def _call(aggregate: Aggregate, target: Target) -> str:
    """Write an aggregate; its name is one of the grammar's five."""
    return f"{aggregate.function}({target.sql})"


def _unsupported(path: Path) -> Refusal:
    """Make the refusal of a column whose type COQL cannot handle."""
    return Refusal(400, "INVALID_QUERY", "unsupported column", {"column_name": path.text})
