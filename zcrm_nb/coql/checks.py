"""What Zoho refuses although the grammar allows it: clashing names, and too much of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.coql.errors import ParseError
from zcrm_nb.coql.tree import Aggregate, Membership
from zcrm_nb.coql.visit import aggregates, criteria, subqueries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zcrm_nb.coql.tree import Expression, Query

__all__ = ["LIMITS", "check_limits"]

DEFAULT_LIMIT = 200
LIMITS = {
    "limit": 2000,
    "select": 500,
    "where": 25,
    "in": 100,
    "order by": 10,
    "group by": 4,
    "aggregate": 5,
    "subquery": 5,
}
"""The most of each that one query may have, by the word we put into the error's ``clause``."""


def check_names(query: Query, text: str) -> None:
    """Refuse columns, aliases and sort keys that are there twice or stand in each other's way."""
    _check_duplicates(query, text)
    _check_aliases(query, text)


def _check_duplicates(query: Query, text: str) -> None:
    """Refuse the same column twice in one clause, and an aggregate both selected and sorted by."""
    selected = [column.expression for column in query.columns]
    _refuse_twin(selected, text)
    _refuse_twin(query.group_by, text)
    _refuse_twin([order.key for order in query.order_by], text)
    sorted_by = [order.key for order in query.order_by if isinstance(order.key, Aggregate)]
    _refuse_twin([*aggregates(query), *sorted_by], text)


def _refuse_twin(expressions: Iterable[Expression], text: str) -> None:
    """Refuse the second of two equal expressions."""
    seen: set[Expression] = set()
    for each in expressions:
        if each in seen:
            raise _twin(each, text)
        seen.add(each)


def _twin(expression: Expression, text: str) -> ParseError:
    """Make the refusal of a twin; ORDER BY and GROUP BY have no documented words of their own."""
    code, at = "DUPLICATE_DATA", expression.at
    if isinstance(expression, Aggregate):
        details = {"column_name": expression.path.text, "aggregate": expression.function}
        return ParseError(code, "duplicate aggregate function", details, text=text, at=at)
    details = {"column_name": expression.text}
    return ParseError(code, "duplicate select column", details, text=text, at=at)


def _check_aliases(query: Query, text: str) -> None:
    """Refuse an alias that is empty, given twice, or the name of a column without an alias."""
    plain = {column.key for column in query.columns if column.alias is None}
    owners: dict[str, str] = {}
    for column in query.columns:
        name, alias, at = column.expression.text, column.alias, column.expression.at
        if alias is None:
            continue
        details = {"column_name": name, "alias": alias}
        if not alias:
            message = "alias name cannot be an empty string"
            raise ParseError("INVALID_ALIAS", message, details, text=text, at=at)
        if alias in owners:
            twice = {"referred_columns": [owners[alias], name], "alias": alias}
            message = "same alias cannot refer more than one column"
            raise ParseError("DUPLICATE_ALIAS", message, twice, text=text, at=at)
        if alias in plain:
            message = (
                "column name or property name given in select columns without alias name "
                "cannot be an alias name for other select columns"
            )
            raise ParseError("INVALID_QUERY", message, details, text=text, at=at)
        owners[alias] = name


def check_limits(query: Query, text: str = "", *, offset_ceiling: int = 100_000) -> None:
    """Refuse a query that is larger than one call may be.

    Apart from :func:`parse`, because a client may take ``limit 50000`` and page through it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> from zcrm_nb.coql import check_limits, parse
    >>> check_limits(parse("select id from Leads where id is not null limit 50000"))
    Traceback (most recent call last):
    ...
    zcrm_nb.coql.errors.ParseError: LIMIT_EXCEEDED: limit exceeded (limit: 2000, clause: limit) ...
    """
    nested = list(subqueries(query))
    _refuse_excess("subquery", [each.at for each in nested], text)
    for each in (query, *(subquery.query for subquery in nested)):
        _check_rows(each, text, offset_ceiling)
        for clause, places in _sizes(each):
            _refuse_excess(clause, places, text)


def _sizes(query: Query) -> Iterator[tuple[str, list[int]]]:
    """Yield each clause that has a limit, with the places of its items."""
    yield "select", [column.expression.at for column in query.columns]
    yield "aggregate", [each.at for each in aggregates(query)]
    yield "where", [each.at for each in criteria(query.where)]
    yield "group by", [path.at for path in query.group_by]
    yield "order by", [order.key.at for order in query.order_by]
    for each in criteria(query.where):
        if isinstance(each, Membership) and isinstance(each.values, tuple):
            yield "in", [literal.at for literal in each.values]


def _refuse_excess(clause: str, places: list[int], text: str) -> None:
    """Refuse the first item that is one too many."""
    most = LIMITS[clause]
    if len(places) > most:
        raise _exceeded(clause, most, text, places[most])


def _check_rows(query: Query, text: str, offset_ceiling: int) -> None:
    """Refuse a page that is too large, or that ends beyond what offsets reach."""
    limit = query.limit or DEFAULT_LIMIT
    if limit > LIMITS["limit"]:
        raise _exceeded("limit", LIMITS["limit"], text, query.at)
    if (query.offset or 0) + limit > offset_ceiling:
        raise _exceeded("offset", offset_ceiling, text, query.at)


def _exceeded(clause: str, limit: int, text: str, at: int) -> ParseError:
    """Word ``LIMIT_EXCEEDED``; nobody else does."""
    details = {"limit": limit, "clause": clause}
    return ParseError("LIMIT_EXCEEDED", "limit exceeded", details, text=text, at=at)
