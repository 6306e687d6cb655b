"""Queries as text: written from a tree, and with values filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import reduce
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

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

__all__ = ["cleaned", "condition_text", "fill", "places", "quoted", "to_text", "where"]


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


# ---- What comes along when a query is pasted -----------------------------------------------------

_PASTED = re.compile(
    r"""
    '[^']*(?:''[^']*)*(?:'|$) | "[^"]*(?:""[^"]*)*(?:"|$)
  | (?P<comment> --[^\n]* | /\*.*?(?:\*/|$) | \#(?!\d)[^\n]* )
  | (?P<blank> [^\S \t\r\n] | [\ufeff\u200b-\u200f\u2060\u00ad] )
  | (?P<single> [\u2018-\u201b\u2032] [^'\u2018-\u201b\u2032]* [\u2018-\u201b\u2032] )
  | (?P<double> [\u201c-\u201f\u2033] [^"\u201c-\u201f\u2033]* [\u201c-\u201f\u2033] )
  | (?P<minus> [\u2010-\u2014\u2212](?=\s*\d) )
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = {"single": "'", "double": '"'}
_SUSPECT = re.compile(r"--|/\*|\#|[^\x09\x0a\x0d\x20-\x7e]")


class Pasted(NamedTuple):
    """A part of a text that COQL does not read; ``kind`` is a group of the pattern above."""

    kind: str
    text: str
    at: int


def cleaned(text: str) -> tuple[str, list[Pasted]]:
    """Turn comments and odd blanks into blanks, and curly quotes into plain ones.

    The result is as long as the text, so that places stay where they are. An invisible character
    inside a word is left alone: without it, the word is another one.

    Examples
    --------
    >>> from zcrm_nb.coql.text import cleaned
    >>> cleaned("select City -- of the lead")
    ('select City               ', [Pasted(kind='comment', text='-- of the lead', at=12)])
    """
    pasted: list[Pasted] = []

    def replaced(match: re.Match[str]) -> str:
        kind, piece, start, end = match.lastgroup, match[0], match.start(), match.end()
        if kind is None or (kind == "blank" and _is_inside_word(text, start, end)):
            return piece
        pasted.append(Pasted(kind, piece, start))
        if quote := _PLAIN.get(kind):
            return quote + piece[1:-1] + quote
        return "-" if kind == "minus" else re.sub(r"[^\n]", " ", piece)

    if _SUSPECT.search(text):
        text = _PASTED.sub(replaced, text)
    return text, pasted


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Check whether an invisible character has a word on both sides."""
    around = text[max(start - 1, 0) : start], text[end : end + 1]
    return not text[start].isspace() and all(re.match(r"\w", each) for each in around)


# ---- Values in the place of names ----------------------------------------------------------------

# Texts in quotes come first, so that a colon inside one is never taken for a placeholder.
_PIECE = re.compile(
    r"""
    '[^']*(?:''[^']*)*(?:'|$) | "[^"]*(?:""[^"]*)*(?:"|$)
  | (?P<operator>[<>!]?=)?(?P<gap>\s*):(?P<name>[^\W\d]\w*)
    """,
    re.VERBOSE,
)
EXACT = 2**53  # beyond it, a float has lost digits
_IS_NULL = {"=": "is null", "!=": "is not null"}


def fill(query: str, /, **values: object) -> str:
    """Put values where the query has ``:name``, written as COQL wants them.

    Parameters
    ----------
    query : str
        COQL with placeholders such as ``:stage``. One in quotes is text and stays.
    **values
        One for each placeholder. ``str`` is quoted; ``int``, ``float`` and ``Decimal`` stay bare,
        whole ones as integers; ``bool`` becomes ``'true'`` or ``'false'``; ``date`` its ISO form;
        an aware ``datetime`` its ISO form in whole seconds; ``None`` turns ``= :name`` into
        ``is null`` and ``!= :name`` into ``is not null``. Anything else that can be iterated over
        (a list, a Series, an array) becomes a list in brackets for ``in``. NumPy scalars and
        ``pandas.Timestamp`` count as what they hold.

    Returns
    -------
    str
        The query, ready to be sent.

    Raises
    ------
    ValueError
        If a placeholder has no value or a value no placeholder; for an empty list, NaN, infinity,
        a datetime without a zone, or ``None`` where it cannot become ``is null``.
    TypeError
        For a value of another type.

    Examples
    --------
    >>> from zcrm_nb.coql import fill
    >>> fill("select id from Leads where Last_Name = :name and City in :cities",
    ...      name="O'Brien", cities=["Pune", "Goa"])
    "select id from Leads where Last_Name = 'O''Brien' and City in ('Pune', 'Goa')"
    >>> fill("select id from Leads where Email != :email", email=None)
    'select id from Leads where Email is not null'
    """
    _check_names(places(query), set(values))
    return _PIECE.sub(lambda found: _filled(found, values), query)


def _check_names(wanted: set[str], given: set[str]) -> None:
    """Refuse a placeholder without a value and a value without a placeholder."""
    for name in sorted(wanted - given):
        raise ValueError(f":{name} has no value{_did_you_mean(name, given - wanted)}")
    for name in sorted(given - wanted):
        raise ValueError(f"the query has no :{name}{_did_you_mean(name, wanted)}")


def _did_you_mean(name: str, names: set[str]) -> str:
    """Ask for the nearest name, as a question."""
    near = get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _filled(found: re.Match[str], values: dict[str, object]) -> str:
    """Write one placeholder's value, or a quoted text as it was."""
    name, operator = found["name"], found["operator"] or ""
    if name is None:
        return found[0]
    if values[name] is None and operator in _IS_NULL:
        return _IS_NULL[operator]
    try:
        return operator + found["gap"] + _filled_value(values[name])
    except (TypeError, ValueError) as error:
        raise type(error)(f":{name}: {error}") from None


def _filled_value(value: object) -> str:
    """Write a value or a list of values."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        inside = ", ".join(map(_scalar, value))
        if not inside:
            raise ValueError("the list is empty; 'in' needs one value at least")
        return f"({inside})"
    return _scalar(value)


def _scalar(value: object) -> str:
    """Write one value by its type."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return quoted(str(value).lower())
        case int() | float() | Decimal():
            return _finite(value)
        case datetime():
            return quoted(_datetime(value))
        case date():
            return quoted(value.isoformat())
        case None:
            raise ValueError("None fits only behind '=' or '!='")
        case _ if type(value).__module__ == "numpy":
            return _numpy(value)
        case _:
            raise TypeError(f"COQL has no value for {type(value).__name__}")


def _finite(value: float | Decimal) -> str:
    """Write a number in plain digits."""
    if not isfinite(value):
        raise ValueError(f"COQL cannot compare with {value}")
    # Not str(value): of a member of an IntEnum that would be its name.
    whole = isinstance(value, int) or (-EXACT < value < EXACT and value == int(value))
    return str(int(value)) if whole else number(value)


def _datetime(value: datetime) -> str:
    """Write ISO with an offset and without the fraction, which Zoho refuses."""
    if value != value:  # noqa: PLR0124 - pandas.NaT, which is a datetime but not itself
        raise ValueError("COQL cannot compare with NaT")
    if value.utcoffset() is None:
        raise ValueError(
            f"{value} has no time zone; add one: value.replace(tzinfo=ZoneInfo('Asia/Kolkata')), "
            "or for pandas value.tz_localize('Asia/Kolkata')"
        )
    return value.isoformat(timespec="seconds")


def _numpy(value: object) -> str:
    """Write a NumPy scalar as the Python value it holds."""
    if "datetime64" in type(value).__name__:
        raise ValueError(f"{value} has no time zone; add one: pandas.Timestamp(value, tz='UTC')")
    return _scalar(value.item())  # type: ignore[attr-defined]


def places(query: str) -> set[str]:
    """Name the placeholders of a query.

    Examples
    --------
    >>> from zcrm_nb.coql import places
    >>> sorted(places("select id from Leads where City = :city and Fax != ':no' and Rating in :r"))
    ['city', 'r']
    """
    return {found["name"] for found in _PIECE.finditer(query) if found["name"]}


_OPERATORS = {"=", "!=", ">", ">=", "<", "<=", "like", "not like", "in", "not in"}
_BETWEEN = {"between", "not between"}


def where(mapping: Mapping[str, object]) -> str:
    """Write a condition that holds for each field of a mapping.

    Examples
    --------
    >>> from zcrm_nb.coql import where
    >>> where({"City": "Pune", "Lead_Status": ["New", "Open"], "Annual_Revenue": (">", 5000)})
    "((City = 'Pune' and Lead_Status in ('New', 'Open')) and Annual_Revenue > 5000)"
    """
    criteria = [_criterion(name, value) for name, value in mapping.items()]
    return (
        reduce(lambda left, right: f"({left} and {right})", criteria)
        if criteria
        else "id is not null"
    )


def _criterion(name: str, value: object) -> str:
    """Write what one field has to be."""
    match value:
        case tuple([str(operator), low, high]) if operator.lower() in _BETWEEN:
            places, values = f"{operator.lower()} :low and :high", {"low": low, "high": high}
        case tuple([str(operator), other]) if operator.lower() in _OPERATORS:
            places, values = f"{operator.lower()} :value", {"value": other}
        case tuple():
            raise ValueError(
                f"{name}: {value!r} is not an operator with its value, such as ('>', 5) or "
                "('between', 5, 10); one of several values is a list"
            )
        case _:
            several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
            places, values = f"{'in' if several else '='} :value", {"value": value}
    try:
        return f"{written_name(name)} {fill(places, **values)}"
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {str(error).partition(': ')[2] or error}") from None
