"""Conditions as SQL: what all of Zoho's dialects of criteria have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NUMBERS = frozenset({"integer", "bigint", "double", "decimal", "currency", "percent"})
TIMES = frozenset({"date", "datetime", "event_reminder"})
MULTI_LINE = frozenset({"textarea", "mediumtext"})
PICKLISTS = frozenset({"picklist", "multiselectpicklist"})
TEXTS = frozenset({"text", "email", "phone", "website", "autonumber"}) | MULTI_LINE | PICKLISTS
REFERENCES = frozenset({"lookup", "multi_module_lookup", "ownerlookup", "userlookup"})

SIGNS = {"greater_than": ">", "greater_equal": ">=", "less_than": "<", "less_equal": "<="}
RANGES = frozenset({"between", "not_between"})
_PATTERNS = {
    "contains": "%{}%",
    "like": "%{}%",
    "starts_with": "{}%",
    "ends_with": "%{}",
}


class Condition(NamedTuple):
    """A piece of SQL for a WHERE clause and the values it binds."""

    sql: str
    values: tuple[object, ...] = ()


EVERYTHING = Condition("1")


def both(left: Condition, right: Condition) -> Condition:
    """Join two conditions with AND."""
    return Condition(f"{left.sql} AND {right.sql}", left.values + right.values)


def joined(parts: Iterable[Condition], word: str) -> Condition:
    """Join conditions with AND or OR; where there is none, no record fulfils it."""
    every = list(parts)
    if len(every) == 1:
        return every[0]
    sql = f" {word} ".join(part.sql for part in every)
    return Condition(f"({sql or '0'})", tuple(value for part in every for value in part.values))


def negation(condition: Condition) -> Condition:
    """Turn a condition round; SQL finds no empty values by it."""
    return Condition(f"(NOT {condition.sql})", condition.values)


def compared(column: str, comparator: str, values: Sequence[object]) -> Condition:
    """Compare a column with stored values; ``not_…`` is what the comparator behind it is not."""
    if comparator.startswith("not_"):
        return negation(compared(column, comparator.removeprefix("not_"), values))
    if comparator in SIGNS:
        return joined(
            (Condition(f"{column} {SIGNS[comparator]} ?", (each,)) for each in values), "OR"
        )
    if comparator == "between":
        return Condition(f"{column} BETWEEN ? AND ?", tuple(values))
    if pattern := _PATTERNS.get(comparator):
        texts = (pattern.format(_escaped(str(each))) for each in values)
        return joined((Condition(f"{column} LIKE ? ESCAPE '\\'", (each,)) for each in texts), "OR")
    if comparator == "equal" and len(values) == 1:
        return Condition(f"{column} = ?", tuple(values))
    return Condition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def listed_in(column: str, values: Iterable[object]) -> Condition:
    """Look for values among those of a multi-select picklist, stored joined by ``;``."""
    inside = f"(';' || {column} || ';') LIKE ? ESCAPE '\\'"
    return joined((Condition(inside, (like(f";{each};"),)) for each in values), "OR")


def emptiness(column: str) -> Condition:
    """Look for records without a value."""
    return Condition(f"({column} IS NULL OR {column} = '')")


def like(value: str, *, before: bool = True) -> str:
    r"""Write a LIKE pattern that finds a text literally.

    Examples
    --------
    >>> from zcrm_nb.emulator.query.conditions import like
    >>> like("50%")
    '%50\\%%'
    """
    return f"{'%' if before else ''}{_escaped(value)}%"


def _escaped(value: str) -> str:
    """Escape what LIKE takes for wildcards."""
    return re.sub(r"([\\%_])", r"\\\1", value)


def as_json(kind: str, value: Any) -> Any:
    """Turn a value that came as text into the JSON that a write would carry, or leave it alone."""
    if kind in REFERENCES:
        return value if isinstance(value, dict) else {"id": str(value)}
    if kind == "multiselectpicklist":
        return [value]
    if isinstance(value, str) and kind == "boolean":
        return {"true": True, "false": False}.get(value.lower(), value)
    if isinstance(value, str) and kind in NUMBERS:
        return _number(value, whole=kind in {"integer", "bigint"})
    return value


def _number(text: str, *, whole: bool) -> object:
    """Read a number; any other text stays one, which no number column takes."""
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return float(text) if not whole and re.fullmatch(r"-?[0-9]+\.[0-9]+", text) else text
