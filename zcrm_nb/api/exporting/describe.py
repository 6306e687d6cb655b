"""What a bulk job was asked for, in the words of COQL: short enough for a line of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["in_words"]

NAMED = 3  # columns that are named; the others are counted
_SIGNS = {
    "equal": "=",
    "not_equal": "!=",
    "greater_than": ">",
    "greater_equal": ">=",
    "less_than": "<",
    "less_equal": "<=",
}
_EMPTY = {"equal": "is null", "not_equal": "is not null"}


def in_words(question: Mapping[str, Any]) -> str:
    """Write a question as a person would say it.

    Examples
    --------
    >>> from zcrm_nb.api.exporting.describe import in_words
    >>> leaf = {"field": {"api_name": "City"}, "comparator": "equal", "value": "Pune"}
    >>> in_words({"columns": ["City", "Owner"], "criteria": leaf})
    'City, Owner where City = Pune'
    >>> in_words({"columns": None, "criteria": None, "cvid": "4108"})
    'all columns of view 4108'
    """
    parts = [_columns(question.get("columns"))]
    if question.get("cvid"):
        parts.append(f"of view {question['cvid']}")
    if question.get("criteria"):
        parts.append(f"where {_condition(question['criteria'])}")
    return " ".join(parts)


def _columns(names: Sequence[str] | None) -> str:
    """Name the first columns, and count the others."""
    if names is None:
        return "all columns"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED]) or 'ids'}{more}"


def _condition(criteria: Mapping[str, Any], *, inside: bool = False) -> str:
    """Write criteria; a group within a group stands in brackets."""
    if "group" not in criteria:
        return _leaf(criteria)
    word = f" {str(criteria.get('group_operator', 'and')).lower()} "
    text = word.join(_condition(each, inside=True) for each in criteria["group"])
    return f"({text})" if inside else text


def _leaf(leaf: Mapping[str, Any]) -> str:
    """Write one comparison."""
    name = (leaf.get("field") or {}).get("api_name", "?")
    comparator, value = str(leaf.get("comparator", "?")), leaf.get("value")
    if value == "${EMPTY}":
        return f"{name} {_EMPTY.get(comparator, comparator)}"
    if isinstance(value, list):
        between = comparator.endswith("between")
        listed = (" and " if between else ", ").join(map(str, value))
        value = listed if between else f"({listed})"
    return f"{name} {_SIGNS.get(comparator, comparator.replace('_', ' '))} {value}"
