"""Walks over a query's tree: its criteria, its subqueries, its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.coql.tree import Aggregate, Between, Comparison, Literal, Logic, Membership, Subquery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.coql.tree import Condition, Expression, IsNull, Path, Query

__all__ = ["aggregates", "criteria", "is_aggregate", "paths", "subqueries"]


def criteria(condition: Condition) -> Iterator[Comparison | Between | Membership | IsNull]:
    """Yield the single criteria of a condition, left to right, not those of its subqueries."""
    waiting = [condition]  # no recursion: a chain in pairs of brackets is as deep as it is long
    while waiting:
        each = waiting.pop()
        if isinstance(each, Logic):
            waiting += (each.right, each.left)
        else:
            yield each


def subqueries(query: Query) -> Iterator[Subquery]:
    """Yield the subqueries of a query in the order of their opening brackets, nested ones too."""
    for each in criteria(query.where):
        value = getattr(each, "value", None) or getattr(each, "values", None)
        if isinstance(value, Subquery):
            yield value
            yield from subqueries(value.query)


def aggregates(query: Query) -> Iterator[Aggregate]:
    """Yield the aggregates among the selected columns."""
    for column in query.columns:
        if isinstance(column.expression, Aggregate):
            yield column.expression


def is_aggregate(query: Query) -> bool:
    """Tell whether the rows are groups, which carry no ``id``, rather than records.

    Examples
    --------
    >>> from zcrm_nb.coql import is_aggregate, parse
    >>> is_aggregate(parse("select COUNT(id) from Leads where id is not null"))
    True
    """
    return bool(query.group_by) or any(aggregates(query))


def paths(query: Query) -> Iterator[Path]:
    """Yield every field of the query's own module, clause by clause.

    An alias in ORDER BY is no field and is left out. So are the fields of subqueries, which belong
    to other modules: walk those with :func:`subqueries`.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, paths
    >>> query = parse("select Last_Name as n from Leads where Owner.email = 'a@b.test' order by n")
    >>> [path.text for path in paths(query)]
    ['Last_Name', 'Owner.email']
    """
    aliases = {column.alias for column in query.columns}
    for column in query.columns:
        yield path_of(column.expression)
    for each in criteria(query.where):
        yield each.path
    yield from query.group_by
    for order in query.order_by:
        if order.key.text not in aliases:
            yield path_of(order.key)


def path_of(expression: Expression) -> Path:
    """Find the field of an expression: itself, or what it aggregates."""
    return expression.path if isinstance(expression, Aggregate) else expression


def literals(criterion: Condition) -> tuple[Literal, ...]:
    """List the values of a criterion, not those that a subquery finds."""
    match criterion:
        case Comparison(value=Literal() as value):
            return (value,)
        case Between(low=low, high=high):
            return (low, high)
        case Membership(values=tuple(values)):
            return values
        case _:
            return ()
