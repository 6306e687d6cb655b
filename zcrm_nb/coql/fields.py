"""Fields by the org's metadata: where a path leads, and how a field can be compared."""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, Required, TypeAlias, TypedDict

from zcrm_nb.coql.text import quoted
from zcrm_nb.errors import LABELS, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import tzinfo

    from zcrm_nb.coql.tree import Path, Step

    Zone: TypeAlias = Callable[[], tzinfo]  # the org's time zone, read only when needed
    FieldsOf: TypeAlias = "Callable[[str], Mapping[str, Field]]"


class Field(TypedDict, total=False):
    """A field as Zoho describes it; only its name and its type are certain, the type may be ``""``.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html
    """

    api_name: Required[str]
    data_type: Required[str]
    field_label: str | None
    id: str | None
    json_type: str | None
    length: int | None
    decimal_place: int | None
    system_mandatory: bool | None
    read_only: bool | None
    field_read_only: bool | None
    custom_field: bool | None
    mass_update: bool | None
    operation_type: dict[str, Any] | None
    crypt: dict[str, Any] | None
    external: dict[str, Any] | None
    unique: dict[str, Any] | None
    lookup: dict[str, Any] | None
    multi_module_lookup: dict[str, Any] | None
    associated_module: dict[str, Any] | None
    subform: dict[str, Any] | None
    formula: dict[str, Any] | None
    rollup_summary: dict[str, Any] | None
    textarea: dict[str, Any] | None
    history_tracking: Any
    pick_list_values: list[dict[str, Any]] | None


__all__ = [
    "LOOKUPS",
    "MULTI_LINE",
    "NUMBERS",
    "OPERATORS",
    "PICKLISTS",
    "TEXTS",
    "TIMES",
    "USERS",
    "USER_LOOKUPS",
    "USER_PATHS",
    "AstrayError",
    "Wrong",
    "aggregates_field",
    "by_name",
    "first_and_last",
    "in_zone",
    "is_readable",
    "is_sortable",
    "name_field",
    "near_names",
    "operators",
    "other_way",
    "question",
    "resolve",
    "target_of",
    "type_of",
    "value_problem",
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
USER_LOOKUPS = frozenset({"ownerlookup", "userlookup"})
LOOKUPS = frozenset({"lookup", "multi_module_lookup", "ownerlookup", "userlookup"})
PICKLISTS = frozenset({"picklist", "multiselectpicklist"})
MULTI_LINE = frozenset({"textarea", "mediumtext"})
TEXTS = frozenset({"text", "textarea", "mediumtext", "email", "phone", "website", "autonumber"})

OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(TEXTS | PICKLISTS | {"string"}, _TEXT),
    **dict.fromkeys(NUMBERS | TIMES, _RANGE),
    **dict.fromkeys(LOOKUPS | {"profileimage"}, _SAME),
    "boolean": frozenset({"="}),
    "consent_lookup": frozenset({"is null", "is not null"}),
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


def details_of(field: Field) -> dict[str, Any]:
    """Return what a field has under the name of its own type, as formulas do; else nothing."""
    details = field.get(field["data_type"])
    return details if isinstance(details, dict) else {}


def type_of(field: Field) -> str:
    """Name a field's type; of a formula or roll-up, that of what it returns."""
    data_type = str(field["data_type"])
    if data_type in {"formula", "rollup_summary"}:
        return str(details_of(field).get("return_type")).lower()
    return data_type


def operators(field: Field) -> frozenset[str] | None:
    """Return the operators of a field; ``None`` where only Zoho can tell."""
    kind = type_of(field)
    if field["api_name"] == "Tag" and not field.get("custom_field"):
        return _SAME
    if field["api_name"] in _ONLY_SELECTED and not field.get("custom_field"):
        return frozenset()
    if field.get("crypt"):
        return _ENCRYPTED_NUMBER if kind in NUMBERS else _ENCRYPTED
    if kind == "boolean" and field["data_type"] == "formula":
        return _FORMULA_BOOLEAN
    return OPERATORS.get(kind)


def is_sortable(field: Field) -> bool:
    """Check whether COQL can sort and group by a field: not by lists, except picked values."""
    is_list = field.get("json_type") == "jsonarray" and field["data_type"] != "multiselectpicklist"
    return not is_list and field["data_type"] != "consent_lookup"


def is_readable(module: str, field: Field) -> bool:
    """Check whether COQL can select a field."""
    # Zoho's own time stamp of the stage is listed, but selecting it is refused.
    hidden = (module, field["api_name"]) == ("Deals", "Stage_Modified_Time")
    return not hidden and field["data_type"] not in _UNREADABLE


# ---- Values --------------------------------------------------------------------------------------

_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?P<offset>Z|[+-]\d\d:\d\d)?", re.ASCII
)
_BOOLEANS = {
    **dict.fromkeys(("yes", "y", "1", "on", "t"), "true"),
    **dict.fromkeys(("no", "n", "0", "off", "f"), "false"),
}
_TODAY = frozenset({"today", "now", "current_date", "current_timestamp", "sysdate"})
_OTHER_DATES = ("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%Y%m%d")
_EITHER_WAY = re.compile(r"(\d\d?)[/-](\d\d?)[/-](\d{4})", re.ASCII)


class Wrong(NamedTuple):
    """What to write instead of a value: in words, and as the literal itself where that is clear."""

    fix: str
    right: str = ""


def _wrong_number(value: object, field: Field, zone: Zone) -> Wrong | None:
    """Judge a value for a number."""
    del field, zone
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None
    if _NUMBER.fullmatch(str(value)):
        return None
    digits = re.sub(r"^\W+(?=\d)|(?<=\d),(?=\d{2,3}\b)|\s*%$", "", str(value).strip())
    right = digits if _NUMBER.fullmatch(digits) else ""
    return Wrong(f"Write: {right or '5000, or 5000.50'}", right)


def _wrong_boolean(value: object, field: Field, zone: Zone) -> Wrong | None:
    """Judge a value for a boolean."""
    del zone
    if isinstance(value, bool) or str(value).lower() in {"true", "false"}:
        return None
    right = quoted(_BOOLEANS[str(value).lower()]) if str(value).lower() in _BOOLEANS else ""
    return Wrong(f"Write: {field['api_name']} = 'true', or 'false'", right)


def _wrong_date(value: object, field: Field, zone: Zone) -> Wrong | None:
    """Judge a value for a date."""
    del field
    text = str(value).strip()
    if _DATE.fullmatch(str(value)) and _on_calendar(str(value)):
        return None
    day = _day(text, zone)
    if day and re.match(r"\d{4}-\d\d-\d\d[T ]", text):
        return Wrong(f"A date has no time: '{day}'", quoted(day))
    example = "Write year, month and day: '2026-03-31', or a period such as 'this month'"
    fix = f"Write: '{day}'" if day else example
    return Wrong(fix, quoted(day) if day else "")


def _day(text: str, zone: Zone) -> str:
    """Read a date in another form; empty where it is not one, or can be read in two ways."""
    if text.lower() in _TODAY:
        return datetime.now(zone()).date().isoformat()
    if _DATE.match(text) and _on_calendar(text[:10]):
        return text[:10]
    if match := _EITHER_WAY.fullmatch(text):
        first, second, year = map(int, match.groups())
        if first > 12 or second > 12 or first == second:
            day, month = (first, second) if first > 12 else (second, first)
            text = f"{day}.{month}.{year}"
    for form in _OTHER_DATES:
        with suppress(ValueError):
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a day alone
    return ""


def _wrong_datetime(value: object, field: Field, zone: Zone) -> Wrong | None:
    """Judge a value for a datetime."""
    del field
    text = str(value).strip()
    parts = _DATETIME.fullmatch(str(value))
    if parts and _on_calendar(text) and parts["offset"] and not parts["fraction"]:
        return None
    if parts and _on_calendar(text) and parts["fraction"]:
        text = text.replace(parts["fraction"], "", 1)
        text = text if parts["offset"] else in_zone(text, zone())
        return Wrong(f"Leave out the fraction of a second: '{text}'", quoted(text))
    try:
        # A blank for the T, no seconds, no zone: what other databases take.
        moment = datetime.fromisoformat(text)
    except ValueError:
        day = _day(text, zone)
        right = in_zone(f"{day}T00:00:00", zone()) if day else ""
        example = "2026-03-31T23:59:59+05:30"
        return Wrong(f"Write: '{right or example}'", quoted(right) if right else "")
    right = in_zone(moment.replace(microsecond=0).isoformat(), zone())
    what = "Add a time and its zone" if _DATE.fullmatch(text) else "Add the zone"
    return Wrong(f"{what}: '{right}'", quoted(right))


def in_zone(text: str, zone: tzinfo) -> str:
    """Write a moment with the offset that the org has then, if it has none yet."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()


def first_and_last(year: int, month: int) -> tuple[date, date]:
    """Find the first and the last day of a month, or of a year."""
    if not month:
        return date(year, 1, 1), date(year, 12, 31)
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _on_calendar(text: str) -> bool:
    """Check whether there is such a day and time."""
    try:
        (datetime if "T" in text else date).fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong_id(value: object, field: Field, zone: Zone) -> Wrong | None:
    """Judge a value for a lookup."""
    del zone
    if not isinstance(value, bool) and str(value).isdecimal():
        return None
    whose = "user" if type_of(field) in USER_LOOKUPS else "record"
    return Wrong(f"Compare with the {whose}'s id in quotes: {field['api_name']} = '410…'")


_WRONG: dict[str, Callable[[object, Field, Zone], Wrong | None]] = {
    **dict.fromkeys(NUMBERS, _wrong_number),
    **dict.fromkeys(LOOKUPS, _wrong_id),
    "date": _wrong_date,
    **dict.fromkeys(("datetime", "event_reminder"), _wrong_datetime),
    "boolean": _wrong_boolean,
}


def _utc() -> tzinfo:
    """Return UTC, where the org's time zone is unknown."""
    return UTC


def wrong_value(value: object, field: Field, zone: Zone = _utc) -> Wrong | None:
    """Find what to write instead of a value that the field's type does not have."""
    wrong = _WRONG.get(type_of(field))
    return wrong(value, field, zone) if wrong else None


_NEEDS = {
    **dict.fromkeys(NUMBERS, "a number"),
    "date": "a date",
    **dict.fromkeys(("datetime", "event_reminder"), "a date with time and zone"),
    "boolean": "true or false",
}


def value_problem(name: str, kind: str, value: object) -> str:
    """Say that a field is compared with what its type does not have."""
    if kind in USER_LOOKUPS:
        return f"{name} is a user; {value!r} is not a user's id."
    if kind in LOOKUPS:
        return f"{name} is a lookup; {value!r} is not a record's id."
    return f"{name} needs {_NEEDS.get(kind, kind)}; {value!r} is not one."


def by_name(field: Field, value: str, fields_of: FieldsOf) -> str:
    """Name the field behind a lookup that holds what was compared: the name, or an e-mail address.

    Zoho shows users by their last names; two words are a full name. Empty where it is unknown.
    """
    if type_of(field) in USER_LOOKUPS:
        if "@" in value:
            return "email"
        return "full_name" if " " in value.strip("% ") else "last_name"
    module = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    return name_field(fields_of(module)) if module else ""


def name_field(fields: Mapping[str, Field]) -> str:
    """Find the field whose value a lookup shows of a module's records."""
    shown = [name for name, field in fields.items() if field.get("display_field")]
    usual = [name for name in _NAMES if name in fields]
    return next(iter([*shown, *usual]), "")


_NAMES = (
    "Full_Name",
    "Account_Name",
    "Deal_Name",
    "Product_Name",
    "Vendor_Name",
    "Name",
    "Subject",
)


# ---- Paths ---------------------------------------------------------------------------------------

# The metadata do not list the fields of users; these are the paths that Zoho documents.
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


class AstrayError(LookupError):
    """A path that leads nowhere; ``path`` is the one that was probably meant, or empty."""

    def __init__(self, problem: str, fix: str, path: str = "") -> None:
        self.problem, self.fix, self.path = problem, fix, path
        super().__init__(f"{problem} {fix}")


def resolve(path: Path, module: str, fields_of: FieldsOf, modules: Collection[str] = ()) -> Field:
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
    steps, whole = path.steps, path.text
    for index, here in enumerate(steps):
        rest = steps[index + 1 :]
        if module == USERS:
            return _of_user(steps, index)
        if here.name == "id" and not rest:
            return {"api_name": "id", "data_type": "bigint"}
        field = _field(path, index, module, fields_of)
        if not rest:
            return field
        arrow, target = rest[0].module, target_of(field)
        if arrow is None and _has_several_modules(field):
            return _its_module(field, rest)
        if not target:
            problem = f"{field['api_name']} is not a lookup, so nothing follows its dot."
            raise AstrayError(problem, "Only lookups lead to fields of other records.")
        if arrow not in {None, target} and not _has_several_modules(field):
            problem = f"{field['api_name']} leads to {target}, not to {arrow}."
            raise AstrayError(problem, f"Write: {field['api_name']}.{rest[0].name}")
        module = arrow or target
        _check_module(module, modules)
    raise AstrayError(f"The path {whole!r} is empty.", "Name a field.")


def _field(path: Path, index: int, module: str, fields_of: FieldsOf) -> Field:
    """Find a field of a module."""
    fields, name = fields_of(module), path.steps[index].name
    if name in fields:
        return fields[name]
    problem = f"{module} has no field {name!r}."
    if index == 0 and name == module and len(path.steps) > 1:
        rest = replace(path, steps=path.steps[1:]).text
        raise AstrayError(problem, f"Write the field alone: {rest}", rest)
    if index and index == len(path.steps) - 1 and name.lower() in {"name", "label"}:
        names = [name_field(fields)]
    else:
        names = near_names(name, _names_of(fields))
    hint = f"Did you mean {' or '.join(names)}?" if any(names) else ""
    hint = hint or f"crm.fields({module!r}) lists the fields."
    raise AstrayError(problem, hint, _with_step(path.steps, index, names[0]) if any(names) else "")


def _names_of(fields: Mapping[str, Field]) -> dict[str, str]:
    """List API names of fields by what people call them: the labels of Zoho's pages too."""
    names = {name: name for name in fields}
    for name, field in fields.items():
        for key in LABELS:
            if isinstance(label := field.get(key), str):
                names.setdefault(label, name)
    return names


def near_names(word: str, names: Mapping[str, str]) -> list[str]:
    """Find the names that a word is near to; one that differs only in case or blanks is alone."""
    folded: dict[str, str] = {}
    for label, name in names.items():
        folded.setdefault(_folded(label), name)
    if _folded(word) in folded:
        return [folded[_folded(word)]]
    api_names = {name.casefold(): name for name in names.values()}
    return [api_names[near] for near in get_close_matches(word.casefold(), api_names, 3, 0.6)]


def _folded(name: str) -> str:
    """Write a name without case, blanks and underscores."""
    return "".join(name.replace("_", " ").split()).casefold()


def _with_step(steps: tuple[Step, ...], index: int, name: str) -> str:
    """Write a path with another name in one of its steps."""
    text = ""
    for n, step in enumerate(steps):
        own = name if n == index else step.name
        text += f"->{step.module}.{own}" if step.module else f".{own}"
    return text[1:]


def target_of(field: Field) -> str:
    """Name the module that a lookup points to; empty where it is not a lookup to one."""
    if field["data_type"] in USER_LOOKUPS:
        return USERS
    if field["data_type"] == "consent_lookup":
        return "Consents"
    if field["data_type"] == "multi_module_lookup":
        return SEVERAL_MODULES
    return str(((field.get("lookup") or {}).get("module") or {}).get("api_name") or "")


SEVERAL_MODULES = "se_module"
"""What metadata name as the module of What_Id, which points to records of several modules."""


def _has_several_modules(field: Field) -> bool:
    """Check whether a lookup points to records of several modules."""
    return target_of(field) == SEVERAL_MODULES


def _its_module(field: Field, rest: tuple[Step, ...]) -> Field:
    """Answer ``Appointment_For.module.api_name``; any other field needs an arrow to its module."""
    name = field["api_name"]
    if rest[0].name != "module":
        modules = (field.get("multi_module_lookup") or {}).get("modules") or [{"api_name": "Leads"}]
        hint = f"'{name}->{modules[0]['api_name']}.{rest[0].name}'"
        problem = f"{name} points to several modules."
        raise AstrayError(problem, f"Name one by an arrow: {hint}", hint.strip("'"))
    return {"api_name": "module", "data_type": "text"}


def _of_user(steps: tuple[Step, ...], index: int) -> Field:
    """Answer a path that goes on behind a user."""
    path = _shortened(".".join(step.name for step in steps[index:]))
    if known := {**_OTHER_USER_FIELDS, **USER_PATHS}.get(path):
        return {"api_name": path, "data_type": known}
    names = near_names(path, {**_USER_NAMES, **{name: name for name in USER_PATHS}})
    hint = f"Did you mean {' or '.join(names)}?" if names else ""
    before = "".join(f"{step.name}." for step in steps[:index])
    right = f"{before}{names[0]}" if names else ""
    hint = hint or "Users have last_name, full_name, email, role.name …"
    raise AstrayError(f"Users have no {path!r}.", hint, right)


# What else GET users returns; no page says whether COQL reads it (UNCONFIRMED).
_OTHER_USER_FIELDS: dict[str, str] = {
    **dict.fromkeys(("zuid", "alias", "language", "locale", "time_zone", "country"), "text"),
    **dict.fromkeys(("date_format", "time_format", "country_locale", "type__s"), "text"),
    **dict.fromkeys(("street", "city", "state", "zip", "dob", "signature"), "text"),
    **dict.fromkeys(("phone", "mobile", "fax"), "phone"),
    **dict.fromkeys(("confirm", "microsoft", "personal_account", "Isonline"), "boolean"),
    **dict.fromkeys(("Reporting_To", "created_by", "Modified_By"), "ownerlookup"),
    **dict.fromkeys(("created_time", "Modified_Time"), "datetime"),
    **{"status": "picklist", "website": "website"},
}
# From a user to another one, or from a role to the one above it.
_USER_STEPS = {
    **dict.fromkeys(("Reporting_To.", "created_by.", "Modified_By."), ""),
    **dict.fromkeys(("profile.created_by.", "profile.modified_by."), ""),
    "role.reporting_to.": "role.",
}


def _shortened(path: str) -> str:
    """Leave out the steps of a path that lead from one user to another."""
    for start, rest in _USER_STEPS.items():
        if path.startswith(start):
            return _shortened(rest + path.removeprefix(start))
    return path


_USER_NAMES = {"name": "full_name", "username": "full_name", "mail": "email"}


def _check_module(module: str, modules: Collection[str]) -> None:
    """Refuse an arrow to a module that the org does not have."""
    if modules and module not in modules and module != USERS:
        hint = did_you_mean(module, modules) or "crm.modules() lists the modules."
        raise AstrayError(f"This org has no module {module!r}.", hint)


def aggregates_field(function: str, field: Field) -> bool:
    """Check whether an aggregate takes a field; of an unknown type only Zoho can tell."""
    kind = type_of(field)
    if field["api_name"] == "id" and function in {"SUM", "AVG"}:
        return False
    if function == "COUNT" or kind not in OPERATORS or kind in NUMBERS:
        return True
    return function in {"MIN", "MAX"} and kind in TIMES


def other_way(field: Field) -> str:
    """Say how else a field can be read."""
    subform = (field.get("subform") or {}).get("module")
    linking = details_of(field).get("linking_details") if not subform else None
    module = subform or ((linking or {}).get("module") or {}).get("api_name")
    if module:
        return f"Its rows are records of {module}: query that module."
    return "crm.record(module, id) returns it."


def question(names: Sequence[str]) -> str:
    """Ask for names that may be meant."""
    return f"Did you mean {' or '.join(names[:3])}?" if names else ""
