"""Fields by the org's metadata: where a path leads, and how a field can be compared."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.coql.text import quoted
from zcrm_nb.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zcrm_nb.coql.tree import Path, Step

    Field: TypeAlias = Mapping[str, Any]
    FieldsOf: TypeAlias = Callable[[str], Mapping[str, dict[str, Any]]]

__all__ = [
    "LOOKUPS",
    "NUMBERS",
    "OPERATORS",
    "PICKLISTS",
    "TEXTS",
    "TIMES",
    "USERS",
    "USER_PATHS",
    "AstrayError",
    "is_readable",
    "operators",
    "resolve",
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


# ---- Paths ---------------------------------------------------------------------------------------

# Users are no module with fields of its own in the metadata; these are the paths Zoho documents.
USER_PATHS = {
    **dict.fromkeys(["id", "first_name", "last_name", "full_name", "email"], "text"),
    **dict.fromkeys(["role", "profile"], "lookup"),
    **dict.fromkeys([f"role.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys([f"profile.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys(["role.reporting_to", "profile.created_by", "profile.modified_by"], "lookup"),
    **dict.fromkeys(["profile.created_time", "profile.modified_time"], "datetime"),
    "role.share_data_with_peers": "boolean",
}
USERS = "Users"
"""The module of the users, which the metadata does not list."""
_TO_USERS = frozenset({"ownerlookup", "userlookup"})


class AstrayError(LookupError):
    """A path that leads nowhere.

    Parameters
    ----------
    problem : str
        Which name is not there.
    fix : str
        What may have been meant.
    """

    def __init__(self, problem: str, fix: str) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(f"{problem} {fix}")


def resolve(
    path: Path, module: str, fields_of: FieldsOf, modules: Collection[str] = ()
) -> dict[str, Any]:
    """Follow a path through the metadata to the field it ends on.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, paths, resolve
    >>> fields = {
    ...     "Contacts": {"Account_Name": {
    ...         "api_name": "Account_Name", "data_type": "lookup",
    ...         "lookup": {"module": {"api_name": "Accounts"}}}},
    ...     "Accounts": {"Industry": {"api_name": "Industry", "data_type": "picklist"}},
    ... }
    >>> query = parse("select Account_Name.Industry from Contacts where id is not null")
    >>> resolve(next(paths(query)), "Contacts", fields.get)["data_type"]
    'picklist'
    """
    if path.root not in {None, module}:
        raise AstrayError(f"!{path.root} is not the module behind FROM.", f"Write: !{module}.…")
    steps = path.steps
    for index, here in enumerate(steps):
        rest = steps[index + 1 :]
        if module == USERS:
            return _of_user(".".join(each.name for each in steps[index:]))
        if here.name == "id" and not rest:
            return {"api_name": "id", "data_type": "bigint"}
        field = _field(module, here.name, fields_of)
        if not rest:
            return field
        if rest[0].module is None and field["data_type"] == "multi_module_lookup":
            return _its_module(field, rest)
        module = rest[0].module or _target(field)
        _check_module(module, modules)
    raise AstrayError("The path is empty.", "Name a field.")


def _field(module: str, name: str, fields_of: FieldsOf) -> dict[str, Any]:
    """Find a field of a module."""
    fields = fields_of(module)
    if name not in fields:
        hint = did_you_mean(name, fields) or f"crm.fields({module!r}) lists the fields."
        raise AstrayError(f"{module} has no field {name!r}.", hint)
    return fields[name]


def _target(field: dict[str, Any]) -> str:
    """Name the module that a lookup points to."""
    if field["data_type"] in _TO_USERS:
        return USERS
    target = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    if not target:
        problem = f"{field['api_name']} is no lookup, so nothing follows its dot."
        raise AstrayError(problem, "Only lookups lead to fields of other records.")
    return str(target)


def _its_module(field: dict[str, Any], rest: tuple[Step, ...]) -> dict[str, Any]:
    """Answer ``Appointment_For.module.api_name``; any other field needs an arrow to its module."""
    name = field["api_name"]
    if rest[0].name != "module":
        modules = (field.get("multi_module_lookup") or {}).get("modules") or [{"api_name": "Leads"}]
        hint = f"Say which by an arrow: '{name}->{modules[0]['api_name']}.{rest[0].name}'"
        raise AstrayError(f"{name} points to several modules.", hint)
    return {"api_name": "module", "data_type": "text"}


def _of_user(path: str) -> dict[str, Any]:
    """Answer a path that goes on behind a user."""
    if path not in USER_PATHS:
        hint = did_you_mean(path, USER_PATHS) or "There are last_name, email, role.name …"
        raise AstrayError(f"Users have no {path!r}.", hint)
    return {"api_name": path, "data_type": USER_PATHS[path]}


def _check_module(module: str, modules: Collection[str]) -> None:
    """Refuse an arrow to a module that is not there."""
    if modules and module not in modules and module != USERS:
        hint = did_you_mean(module, modules) or "crm.modules() lists the modules."
        raise AstrayError(f"There is no module {module!r} in this org.", hint)
