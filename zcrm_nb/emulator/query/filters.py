"""Zoho's criteria objects, as SQL: what custom views, mass updates and bulk exports filter by.

A leaf is ``{"field": {"api_name"}, "comparator", "value"}``, a group has ``group_operator`` and
``group``.
A value may be a place holder such as ``${EMPTY}``, ``${CURRENTUSER}`` or ``${THISMONTH}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.query.conditions import (
    NUMBERS,
    REFERENCES,
    SIGNS,
    TEXTS,
    TIMES,
    Condition,
    as_json,
    compared,
    emptiness,
    joined,
    listed_in,
    negation,
)
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import encode

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

MOST_IN_GROUP = 25
CHOSEN = ("multiselectlookup", "multiuserlookup")

_SAME = ("equal", "not_equal", "in", "not_in")
_WORDS = ("contains", "not_contains", "starts_with", "ends_with", "like", "not_like")
COMPARATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*TEXTS, "profileimage"), (*_SAME, *_WORDS)),
    **dict.fromkeys((*NUMBERS, *TIMES), (*_SAME, "between", "not_between", *SIGNS)),
    **dict.fromkeys(REFERENCES, _SAME),
    "boolean": ("equal", "not_equal"),
    **dict.fromkeys(CHOSEN, ("include_all", "include_any", "exclude_all", "exclude_any")),
}
"""What each type can be compared by: the pages say it for some types, the rest is alike."""

_PERIOD = re.compile(r"\$\{(THIS|LAST|NEXT)(WEEK|MONTH|YEAR)\}")
_SOME = re.compile(r"\$\{(LAST|NEXT)_N_(DAYS|WEEKS|MONTHS|YEARS):(\d+)\}")
_AGE = re.compile(r"\$\{(AGE|DUE)INDAYS\}\+(\d+)")
_DAYS = {"${TODAY}": 0, "${YESTERDAY}": -1, "${TOMORROW}": 1}
_EXCLUDED = {"exclude_any": "include_all", "exclude_all": "include_any"}
#: Comparing an age is comparing the date the other way round.
_MIRRORED = {"greater_than": "less_than", "greater_equal": "less_equal",
             "less_than": "greater_than", "less_equal": "greater_equal"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilterContext:
    """Whose records are filtered, in which org, and for whom."""

    org: Org
    module: Module
    user: int

    @property
    def today(self) -> date:
        """The day it is in the org."""
        return datetime.fromtimestamp(self.org.clock.now(), self.org.store.zone).date()


def condition(
    criteria: object, module: Module, org: Org, user: int, path: str = "$.criteria"
) -> Condition:
    """Turn a criteria object into SQL over a module's table."""
    return _node(criteria, FilterContext(org, module, user), path)


def _node(node: object, context: FilterContext, path: str) -> Condition:
    """Turn a leaf or a group into SQL."""
    if not isinstance(node, dict):
        raise _wrong("criteria", path, expected_data_type="jsonobject")
    return _group(node, context, path) if "group" in node else _leaf(node, context, path)


def _group(node: dict[str, Any], context: FilterContext, path: str) -> Condition:
    """Join the members of a group."""
    members, word = node["group"], str(node.get("group_operator", "")).upper()
    if word not in ("AND", "OR"):
        place = f"{path}.group_operator"
        raise _wrong("group_operator", place, supported_values=["AND", "OR"])
    if not isinstance(members, list) or not 2 <= len(members) <= MOST_IN_GROUP:
        raise _wrong("group", f"{path}.group", maximum_length=MOST_IN_GROUP, minimum_length=2)
    parts = (_node(each, context, f"{path}.group[{n}]") for n, each in enumerate(members))
    return joined(parts, word)


def _leaf(node: dict[str, Any], context: FilterContext, path: str) -> Condition:
    """Turn one criterion into SQL."""
    field = _field(node, context.module, path)
    comparator, value = node.get("comparator"), node.get("value")
    supported = COMPARATORS.get(field.kind, ())
    if comparator not in supported:
        raise _mismatch("comparator", f"{path}.comparator", path, supported_values=list(supported))
    if field.kind in CHOSEN:
        return _chosen(field, comparator, _each(value), context, path)
    if value in ("${EMPTY}", "${NOTEMPTY}"):
        empty = emptiness(f'"{field.api_name}"')
        return empty if (value == "${EMPTY}") == (comparator == "equal") else negation(empty)
    if field.kind in TIMES and isinstance(value, str) and value.startswith("${"):
        return _relative(field, comparator, value, context, path)
    return _compared(field, comparator, value, context, path)


def _field(node: dict[str, Any], module: Module, path: str) -> Field:
    """Find the field of a criterion, by its API name or its id."""
    named = node.get("field")
    if not isinstance(named, dict):
        raise _wrong("field", f"{path}.field", expected_data_type="jsonobject")
    found = module.by_name.get(str(named.get("api_name"))) or next(
        (each for each in module.fields if str(each.id) == str(named.get("id"))), None
    )
    if found is None or (found.column is None and found.kind not in CHOSEN):
        raise _wrong("api_name", f"{path}.field.api_name")
    return found


def _compared(
    field: Field, comparator: str, value: object, context: FilterContext, path: str
) -> Condition:
    """Compare a column with one value, or with several."""
    values = [_stored(field, each, context, path) for each in _each(value)]
    positive, column = comparator.removeprefix("not_"), f'"{field.api_name}"'
    if positive == "between" and len(values) != 2:
        raise _mismatch("value", f"{path}.value", path, expected_data_type="jsonarray")
    if field.kind == "multiselectpicklist" and positive in {"equal", "in"}:
        found = listed_in(column, values)
    else:
        found = compared(column, positive, values)
    return found if positive == comparator else _negated(found, column, context)


def _negated(found: Condition, column: str, context: FilterContext) -> Condition:
    """Turn a condition round; whether empty values then count is a setting."""
    also = f" OR {column} IS NULL" if context.org.settings.actions.views_unequal_finds_null else ""
    return Condition(f"(NOT {found.sql}{also})", found.values)


def _chosen(
    field: Field, comparator: str, values: list[object], context: FilterContext, path: str
) -> Condition:
    """Look behind a multi-select lookup for the records it links."""
    child = context.org.schema.modules[field.target or ""]
    near = next(each for each in child.fields if each.target == context.module.api_name)
    far = next(each for each in child.fields if each.target and each != near)
    ids = [_stored(far, each, context, path) for each in values]
    positive = _EXCLUDED.get(comparator, comparator)
    marks = ", ".join("?" * len(ids))
    linked = (
        f'SELECT count(DISTINCT l."{far.api_name}") FROM "{child.api_name}" AS l'
        f' WHERE l."{near.api_name}" = "{context.module.api_name}".id'
        f' AND l."{far.api_name}" IN ({marks})'
    )
    least = len(set(ids)) if positive == "include_all" else 1
    sql = f'id IN (SELECT id FROM "{context.module.api_name}" WHERE ({linked}) >= {least})'
    linking = Condition(sql, tuple(ids))
    return negation(linking) if comparator in _EXCLUDED else linking


# -- times relative to today ---------------------------------------------------------------------


def _relative(
    field: Field, comparator: str, value: str, context: FilterContext, path: str
) -> Condition:
    """Compare with a period that moves along with today."""
    if aged := _AGE.fullmatch(value):
        days = int(aged[2])
        if aged[1] == "AGE":
            days, comparator = -days, _MIRRORED.get(comparator, comparator)
        first = last = context.today + timedelta(days)
    else:
        first, last = _period(value, context, path)
    low, high = (_edge(field, first, context), _edge(field, last + timedelta(1), context))
    column = f'"{field.api_name}"'
    inside = Condition(f"({column} >= ? AND {column} < ?)", (low, high))
    match comparator:
        case "equal" | "in":
            return inside
        case "not_equal" | "not_in":
            return _negated(inside, column, context)
        case "less_than":
            return Condition(f"{column} < ?", (low,))
        case "less_equal":
            return Condition(f"{column} < ?", (high,))
        case "greater_than":
            return Condition(f"{column} >= ?", (high,))
        case "greater_equal":
            return Condition(f"{column} >= ?", (low,))
    raise _mismatch("value", f"{path}.value", path, expected_data_type=field.kind)


def _period(value: str, context: FilterContext, path: str) -> tuple[date, date]:
    """Find the first and the last day of a period."""
    today = context.today
    if value in _DAYS:
        day = today + timedelta(_DAYS[value])
        return day, day
    if one := _PERIOD.fullmatch(value):
        return _whole(one[2], {"LAST": -1, "THIS": 0, "NEXT": 1}[one[1]], context)
    some = _SOME.fullmatch(value)
    if some is None or not int(some[3]):
        raise _mismatch("value", f"{path}.value", path, expected_data_type="date")
    count, ahead = int(some[3]), some[1] == "NEXT"
    nearest, farthest = (1, count) if ahead else (-1, -count)
    unit = some[2].removesuffix("S")
    ends = [_whole(unit, each, context) for each in sorted((nearest, farthest))]
    return ends[0][0], ends[1][1]


def _whole(unit: str, step: int, context: FilterContext) -> tuple[date, date]:
    """Find the first and the last day of the day, week, month or year so many steps from now."""
    today = context.today
    if unit == "DAY":
        first = last = today + timedelta(step)
    elif unit == "WEEK":
        begins = context.org.settings.actions.week_begins
        first = today - timedelta((today.weekday() - begins) % 7) + timedelta(7 * step)
        last = first + timedelta(6)
    elif unit == "MONTH":
        first = _month(today, step)
        last = _month(today, step + 1) - timedelta(1)
    else:
        first, last = date(today.year + step, 1, 1), date(today.year + step, 12, 31)
    return first, last


def _month(today: date, step: int) -> date:
    """Find the first day of a month."""
    years, month = divmod(today.month - 1 + step, 12)
    return date(today.year + years, month + 1, 1)


def _edge(field: Field, day: date, context: FilterContext) -> object:
    """Write the beginning of a day as the store keeps it."""
    if field.kind == "date":
        return day.isoformat()
    midnight = datetime(day.year, day.month, day.day, tzinfo=context.org.store.zone)
    return int(midnight.timestamp())


# -- values --------------------------------------------------------------------------------------


def _each(value: object) -> list[object]:
    """List the values of a criterion: one may stand alone."""
    return value if isinstance(value, list) else [value]


def _stored(field: Field, value: object, context: FilterContext, path: str) -> object:
    """Encode a value as the store keeps it."""
    if field.kind in REFERENCES and _is_me(value):
        return context.user
    try:
        return encode(field, as_json(field.kind, value))
    except ValueError as expected:
        place = f"{path}.value"
        raise _mismatch("value", place, path, expected_data_type=str(expected)) from None


def _is_me(value: object) -> bool:
    """Tell whether a value stands for the user who asks."""
    named = value.get("name") if isinstance(value, dict) else value
    return named == "${CURRENTUSER}"


def _wrong(api_name: str, path: str, **details: object) -> Refusal:
    """Refuse a part of the criteria."""
    place = {"api_name": api_name, "json_path": path}
    return Refusal(400, "INVALID_DATA", "invalid data", details | place)


def _mismatch(api_name: str, path: str, leaf: str, **details: object) -> Refusal:
    """Refuse a part that does not fit the field it stands beside."""
    dependee = {"api_name": "field", "json_path": f"{leaf}.field"}
    place = {"dependee": dependee, "api_name": api_name, "json_path": path}
    return Refusal(400, "DEPENDENT_MISMATCH", "dependent value mismatch", details | place)
