"""From a tree back to text that Zoho reads the same way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from zcrm_nb.coql.grammar import RESERVED
from zcrm_nb.coql.tree import (
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Logic,
    Subquery,
)

if TYPE_CHECKING:
    from zcrm_nb.coql.tree import (
        Condition,
        Expression,
        Literal,
        Membership,
        OrderBy,
        Query,
        SelectItem,
    )

__all__ = ["to_text"]


def to_text(query: Query) -> str:
    """Write a query as text.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, to_text
    >>> to_text(parse('SELECT "External" FROM Leads WHERE City = "Pune" AND (a = 1 OR b = 2.50)'))
    "select 'External' from Leads where (City = 'Pune' and (a = 1 or b = 2.5))"
    """
    columns = ", ".join(map(_column, query.columns))
    module = f"{query.module}#{query.cvid}" if query.cvid else query.module
    text = f"select {columns} from {module} where {condition_text(query.where)}"  # noqa: S608 - no SQL
    if query.group_by:
        text += f" group by {', '.join(map(_expression, query.group_by))}"
    if query.order_by:
        text += f" order by {', '.join(map(_order, query.order_by))}"
    return text + _limit(query)


def quoted(text: str) -> str:
    """Put text between quotes, with those inside it doubled as Zoho asks."""
    return "'" + text.replace("'", "''") + "'"


def number(value: float | Decimal) -> str:
    """Write a number in plain digits: COQL has no exponents."""
    return format(Decimal(str(value)), "f")


def _limit(query: Query) -> str:
    """Write LIMIT in the spelling of Zoho's samples."""
    if query.limit is None:
        if query.offset is not None:
            raise ValueError("COQL has no offset without a limit: give the query a limit")
        return ""
    return f" limit {'' if query.offset is None else f'{query.offset}, '}{query.limit}"


def _column(column: SelectItem) -> str:
    """Write one item of the SELECT list."""
    alias = "" if column.alias is None else f" as {written_name(column.alias)}"
    return _expression(column.expression) + alias


def _order(order: OrderBy) -> str:
    """Write one key of ORDER BY."""
    return f"{_expression(order.key)} {'desc' if order.descending else 'asc'}"


def _expression(expression: Expression) -> str:
    """Write a path, or an aggregate of one."""
    if isinstance(expression, Aggregate):
        return f"{expression.function}({_expression(expression.path)})"
    root = f"!{expression.root}." if expression.root else ""
    return written_name(root + expression.text)


def written_name(name: str) -> str:
    """Write a name, in quotes if it could not stand alone."""
    steps = name.removeprefix("!").split(".")
    words = all(step.isascii() and step.isidentifier() for step in steps)
    return name if words and RESERVED.isdisjoint(name.lower().split(".")) else quoted(name)


def condition_text(condition: Condition) -> str:
    """Write a condition; two joined by a word stand in brackets of their own."""
    match condition:
        case Logic():
            left, right = condition_text(condition.left), condition_text(condition.right)
            return f"({left} {condition.operator} {right})"
        case Comparison():
            return f"{_expression(condition.path)} {condition.operator} {_value(condition.value)}"
        case IsNull():
            return f"{_expression(condition.path)} is {'not ' * condition.negated}null"
        case Between():
            low, high = _literal(condition.low), _literal(condition.high)
            path = _expression(condition.path)
            return f"{path} {'not ' * condition.negated}between {low} and {high}"
        case _:
            return _membership(condition)


def _membership(condition: Membership) -> str:
    """Write ``path [not] in (…)``."""
    values = condition.values
    inside = (
        to_text(values.query) if isinstance(values, Subquery) else ", ".join(map(_literal, values))
    )
    return f"{_expression(condition.path)} {'not ' * condition.negated}in ({inside})"


def _value(value: Literal | Subquery) -> str:
    """Write what a path is compared with."""
    return f"({to_text(value.query)})" if isinstance(value, Subquery) else _literal(value)


def _literal(literal: Literal) -> str:
    """Write a value by its type; a bare word gains the quotes that it should have had."""
    value = literal.value
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else number(value)
