"""What each type of field can be asked, and what it can be compared with."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.coql.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Field: TypeAlias = Mapping[str, Any]

__all__ = [
    "LOOKUPS",
    "NUMBERS",
    "OPERATORS",
    "PICKLISTS",
    "TEXTS",
    "TIMES",
    "is_readable",
    "operators",
    "type_of",
    "wrong_value",
]

_SAME = frozenset({"=", "!=", "in", "not in", "is null", "is not null"})
_TEXT = _SAME | {"like", "not like"}
_RANGE = _SAME | {">", ">=", "<", "<=", "between", "not between"}
NUMBERS = frozenset(
    {"integer", "bigint", "double", "decimal", "currency", "percent"}
    | {"number", "long"}  # as formulas call what they return
)
TIMES = frozenset({"date", "datetime", "event_reminder"})
LOOKUPS = frozenset({"lookup", "multi_module_lookup", "ownerlookup", "userlookup"})
PICKLISTS = frozenset({"picklist", "multiselectpicklist"})
TEXTS = frozenset({"text", "textarea", "mediumtext", "email", "phone", "website", "autonumber"})

OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(TEXTS | PICKLISTS | {"string"}, _TEXT),
    **dict.fromkeys(NUMBERS | TIMES, _RANGE),
    **dict.fromkeys(LOOKUPS | {"profileimage"}, _SAME),
    "boolean": frozenset({"="}),
}
"""Operators by type, from Zoho's page. Of a type that is not here, only Zoho can tell."""
_FORMULA_BOOLEAN = frozenset({"=", "is null", "is not null"})
_ENCRYPTED_NUMBER = frozenset({"=", "!=", "is null", "is not null"})
_ENCRYPTED = frozenset({"is null", "is not null"})
_ONLY_SELECTED = frozenset({"Territories", "Territory", "Participants"})

_UNREADABLE = frozenset(
    {"subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload", "layout"}
    | {"RRULE", "ALARM", "multireminder", "linetax", "time_range"}
)
"""The types of fields that COQL cannot select."""


def type_of(field: Field) -> str:
    """Name a field's type; of a formula or roll-up, that of what it returns."""
    data_type = str(field["data_type"])
    if data_type in {"formula", "rollup_summary"}:
        return str((field.get(data_type) or {}).get("return_type")).lower()
    return data_type


def operators(field: Field) -> frozenset[str] | None:
    """Return the operators of a field; ``None`` where only Zoho can tell."""
    kind = type_of(field)
    if field["api_name"] in _ONLY_SELECTED and not field.get("custom_field"):
        return frozenset()
    if field.get("crypt"):
        return _ENCRYPTED_NUMBER if kind in NUMBERS else _ENCRYPTED
    if kind == "boolean" and field["data_type"] == "formula":
        return _FORMULA_BOOLEAN
    return OPERATORS.get(kind)


def is_readable(module: str, field: Field) -> bool:
    """Tell whether COQL can select a field."""
    # Zoho's own time stamp of the stage is listed, but selecting it is refused.
    hidden = (module, field["api_name"]) == ("Deals", "Stage_Modified_Time")
    return not hidden and field["data_type"] not in _UNREADABLE


# ---- What each type of field can be compared with ------------------------------------------------

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?P<offset>Z|[+-]\d\d:\d\d)?", re.ASCII
)


def _wrong_number(value: object, field: Field) -> str:
    """Tell what is wrong with a value for a number."""
    del field
    if isinstance(value, int | float):
        right = not isinstance(value, bool)
    else:
        right = bool(_NUMBER.fullmatch(str(value)))
    return "" if right else "Write digits: 5000, or 5000.50"


def _wrong_boolean(value: object, field: Field) -> str:
    """Tell what is wrong with a value for a boolean."""
    right = isinstance(value, bool) or str(value).lower() in {"true", "false"}
    return "" if right else f"Write: {field['api_name']} = 'true', or 'false'"


def _wrong_date(value: object, field: Field) -> str:
    """Tell what is wrong with a value for a date."""
    del field
    text = str(value)
    if _DATETIME.fullmatch(text):
        return f"A date has no time: '{text[:10]}'"
    return "" if _DATE.fullmatch(text) and _on_calendar(text) else "Write: '2026-03-31'"


def _wrong_datetime(value: object, field: Field) -> str:
    """Tell what is wrong with a value for a datetime."""
    del field
    text = str(value)
    if _DATE.fullmatch(text):
        return f"Add a time and its zone: '{text}T00:00:00+00:00'"
    parted = _DATETIME.fullmatch(text)
    if not parted or not _on_calendar(text):
        return "Write: '2026-03-31T23:59:59+05:30'"
    if parted["fraction"]:
        return f"Leave out the fraction of a second: '{text.replace(parted['fraction'], '', 1)}'"
    return "" if parted["offset"] else f"Add the zone: '{text}+00:00'"


def _on_calendar(text: str) -> bool:
    """Tell whether there is such a day and time."""
    try:
        (datetime if "T" in text else date).fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong_id(value: object, field: Field) -> str:
    """Tell what is wrong with a value for a lookup."""
    name = field["api_name"]
    right = not isinstance(value, bool) and str(value).isdecimal()
    if right:
        return ""
    if type_of(field) in {"ownerlookup", "userlookup"}:
        return (
            f"A user is compared by id in quotes; by name: {name}.last_name = {quoted(str(value))}"
        )
    return f"A record is compared by id in quotes; follow the lookup to its name: {name}.…"


_WRONG: dict[str, Callable[[object, Field], str]] = {
    **dict.fromkeys(NUMBERS, _wrong_number),
    **dict.fromkeys(LOOKUPS, _wrong_id),
    "date": _wrong_date,
    **dict.fromkeys(("datetime", "event_reminder"), _wrong_datetime),
    "boolean": _wrong_boolean,
}


def wrong_value(value: object, field: Field) -> str:
    """Tell what to write instead of a value that the field's type does not have; else nothing."""
    wrong = _WRONG.get(type_of(field))
    return wrong(value, field) if wrong else ""
