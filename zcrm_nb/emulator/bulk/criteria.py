"""The criteria of a bulk read, as SQL: leaves and groups, with the refusals that Zoho lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.coql.tree import Path, Step
from zcrm_nb.emulator.query.conditions import (
    EVERYTHING,
    NUMBERS,
    RANGES,
    REFERENCES,
    SIGNS,
    TEXTS,
    TIMES,
    Condition,
    as_json,
    compared,
    emptiness,
    joined,
    negation,
)
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zcrm_nb.emulator.query.joins import Joins, Target
    from zcrm_nb.emulator.settings import BulkSettings

Leaf = dict[str, Any]

EMPTY = "${EMPTY}"
MOST_TEXT = 255
_SAME = ("equal", "not_equal", "in", "not_in")
_WORDS = (*_SAME, "contains", "not_contains", "starts_with", "ends_with")
COMPARATORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(NUMBERS, (*_SAME, *SIGNS)),
    **dict.fromkeys(TEXTS, _WORDS),
    **dict.fromkeys(TIMES, (*_SAME, *sorted(RANGES), *SIGNS)),
    **dict.fromkeys(REFERENCES, _SAME),
    "boolean": ("equal",),
}
"""What each type can be compared by, from the page; a type that is not here is not filtered by."""
EVERY = frozenset((*_WORDS, *SIGNS, *RANGES))


def condition(criteria: object, joins: Joins, settings: BulkSettings) -> Condition:
    """Turn a criteria object into SQL over the joined tables."""
    if criteria is None:
        return EVERYTHING
    check_number([criteria], settings)
    return _node(criteria, joins, settings)


def check_number(several: Iterable[object], settings: BulkSettings) -> None:
    """Refuse too many leaves in criteria that count together."""
    if sum(1 for each in several for _ in leaves(each)) > settings.criteria:
        message, details = "criteria limit exceeded", {"max_limit": settings.criteria}
        raise Refusal(400, "CRITERIA_LIMIT_EXCEEDED", message, details)


def leaves(criteria: object) -> Iterator[Leaf]:
    """Yield the leaves of a criteria object; anything else has none."""
    if isinstance(criteria, dict) and isinstance(criteria.get("group"), list):
        for each in criteria["group"]:
            yield from leaves(each)
    elif isinstance(criteria, dict):
        yield criteria


def _node(node: object, joins: Joins, settings: BulkSettings) -> Condition:
    """Turn a leaf or a group into SQL."""
    if not isinstance(node, dict):
        raise Refusal(400, "CRITERIA_NOT_SUPPORTED", "criteria not supported")
    grouped, single = "group" in node or "group_operator" in node, "field" in node
    if grouped and single:
        raise _wrong("AMBIGUOUS_CRITERIA", node)
    return _group(node, joins, settings) if grouped else _leaf(node, joins, settings)


def _group(node: Leaf, joins: Joins, settings: BulkSettings) -> Condition:
    """Join the members of a group; its operator counts in any case."""
    members, word = node.get("group"), str(node.get("group_operator")).upper()
    if not isinstance(members, list) or not members:
        raise _wrong("AMBIGUOUS_GROUP_IN_CRITERIA", node)
    if word not in {"AND", "OR"}:
        details = {"supported": ["and", "or"]}
        raise Refusal(400, "GROUP_OPERATOR_NOT_SUPPORTED", "group operator not supported", details)
    return joined((_node(each, joins, settings) for each in members), word)


def _leaf(leaf: Leaf, joins: Joins, settings: BulkSettings) -> Condition:
    """Turn one criterion into SQL."""
    target, comparator = _target(leaf, joins), leaf.get("comparator")
    if comparator not in EVERY:
        raise _wrong("FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED", leaf)
    supported = COMPARATORS[target.field.kind]
    if comparator not in supported:
        details = {
            "comparator": comparator,
            "api_name": leaf["field"]["api_name"],
            "supported": list(supported),
        }
        raise Refusal(
            400,
            "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE",
            "field and comparator in criteria not compatible",
            details,
        )
    if leaf.get("type", "value") != "value":
        details = {"api_name": leaf["field"]["api_name"], "supported": ["value"]}
        raise Refusal(400, "VALUE_TYPE_NOT_SUPPORTED", "value type not supported", details)
    if leaf.get("value") == EMPTY:
        return _empty(target, leaf)
    return compared(target.sql, comparator, _values(target, leaf, settings))


def _target(leaf: Leaf, joins: Joins) -> Target:
    """Find the column of a leaf; in old versions ``api_name`` stood bare."""
    field = leaf.get("field", leaf)
    name = field.get("api_name") if isinstance(field, dict) else None
    if not isinstance(name, str) or not name:
        raise _wrong("INVALID_CRITERIA", leaf)
    leaf["field"] = {"api_name": name}
    try:
        target = joins.target(path_of(name))
    except Refusal as unknown:
        raise _wrong("FIELD_IN_CRITERIA_NOT_AVAILABLE", leaf) from unknown
    if target.field.column is None or target.field.kind not in COMPARATORS:
        raise _wrong("FIELD_IN_CRITERIA_NOT_SUPPORTED", leaf)
    return target


def path_of(name: str) -> Path:
    """Read a dotted name."""
    return Path(tuple(Step(step) for step in name.split(".")))


def _empty(target: Target, leaf: Leaf) -> Condition:
    """Look for records without a value, or with one."""
    if leaf["comparator"] not in {"equal", "not_equal"}:
        raise _wrong("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", leaf)
    empty = emptiness(target.sql)
    return empty if leaf["comparator"] == "equal" else negation(empty)


def _values(target: Target, leaf: Leaf, settings: BulkSettings) -> list[Any]:
    """Encode the value of a leaf, or its values, as many as the comparator takes."""
    if "value" not in leaf or leaf["value"] is None:
        raise _wrong("INVALID_CRITERIA", leaf)
    comparator, value = leaf["comparator"], leaf["value"]
    several = comparator in {"in", "not_in", *RANGES}
    values = value if isinstance(value, list) else [value]
    few = len(values) != 2 if comparator in RANGES else not values
    if several != isinstance(value, list) or few:
        raise _wrong("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", leaf)
    if len(values) > settings.in_values:
        message, details = "value limit exceeded in criteria", {"max_limit": settings.in_values}
        raise Refusal(400, "VALUE_LIMIT_EXCEEDED_IN_CRITERIA", message, details)
    return [_stored(target, each, leaf) for each in values]


def _stored(target: Target, value: object, leaf: Leaf) -> object:
    """Encode one value for its column; numbers and booleans may come as text."""
    if isinstance(value, str) and len(value) > MOST_TEXT:
        raise _wrong("VALUE_IN_CRITERIA_NOT_SUPPORTED", leaf)
    try:
        return encode(target.field, as_json(target.field.kind, value))
    except ValueError as error:
        raise _wrong("FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", leaf) from error


def _wrong(code: str, leaf: Leaf) -> Refusal:
    """Refuse a leaf, showing it."""
    return Refusal(400, code, code.lower().replace("_", " "), leaf)
