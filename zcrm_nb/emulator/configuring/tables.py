"""Small settings, each a list of keys: variables, holidays, shifts, absences, templates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.configuring.resource import (
    Key,
    Resource,
    mention,
    routes,
    scoped,
    shown,
)
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
API_NAME = "[A-Za-z][A-Za-z0-9_]*"
#: What a variable of each type holds, as a JSON type.
VARIABLE_TYPES = {
    **dict.fromkeys(("text", "textarea", "email", "phone", "website"), "string"),
    **dict.fromkeys(("date", "datetime"), "string"),
    **dict.fromkeys(("integer", "long"), "integer"),
    **dict.fromkeys(("double", "percent", "currency"), "double"),
    "checkbox": "boolean",
}


# -- variables -------------------------------------------------------------------------------------


def _check_variable(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check that the value is of the type of the variable."""
    kind = (document or change)["type"]
    if change.get("value") is not None:
        bodies.checked(change["value"], VARIABLE_TYPES[kind], f"{path}.value")
    if document is None:
        change |= {"source": "crm", "read_only": False}


def _show_variable(org: Org, document: Item) -> Item:
    """Show a variable with its group."""
    group = document["variable_group"]
    found = documents.find(org.store, "variable_groups", group["id"]) if group else None
    described = found and {name: found[name] for name in ("id", "api_name", "name")}
    names = ("id", "api_name", "name", "type", "value", "description", "source", "read_only")
    return {**{name: document.get(name) for name in names}, "variable_group": described}


def get_variables(org: Org, request: Request) -> Answer:
    """``GET /settings/variables?group=``: all variables, or those of a group."""
    kept = documents.listed(org.store, VARIABLES.kind)
    if group := request.params.get("group"):
        groups = documents.listed(org.store, GROUPS.kind)
        ids = [each["id"] for each in groups if group in (each["id"], each["api_name"])]
        kept = [each for each in kept if each["variable_group"] in ids]
    described = [shown(org, VARIABLES, each) for each in kept]
    return json_answer({"variables": described}) if described else NOTHING


VARIABLES = Resource(
    "variables",
    "variables",
    "settings/variables",
    "settings.variables",
    "variables",
    (
        Key("name", mandatory=True, longest=100, unique=True),
        Key("api_name", mandatory=True, regex=API_NAME, longest=50, unique=True),
        Key("type", mandatory=True, supported=tuple(VARIABLE_TYPES), fixed=True),
        Key("variable_group", "jsonobject", mandatory=True, points_to="variable_groups"),
        Key("value", "any"),
        Key("description", longest=500),
    ),
    "variable created",
    "variable updated",
    "variable deleted",
    check=_check_variable,
    show=_show_variable,
    by_name=True,
    pages=False,
    stamped=False,
)


def _show_group(org: Org, document: Item) -> Item:
    """Show a group of variables."""
    names = ("id", "api_name", "name", "display_label", "description", "source")
    return {name: document.get(name) for name in names}


GROUPS = Resource(
    "variable_groups",
    "variable_groups",
    "settings/variable_groups",
    "settings.variable_groups",
    "groups of variables",
    (),
    "",
    "",
    "",
    show=_show_group,
    by_name=True,
    pages=False,
    stamped=False,
)


# -- hours and holidays ----------------------------------------------------------------------------


def _depends(name: str, dependee: str, path: str, message: str) -> Refusal:
    """Refuse an entry that lacks what another of its values needs."""
    details = {
        "dependee": {"api_name": dependee, "json_path": f"{path}.{dependee}"},
        "api_name": name,
        "json_path": f"{path}.{name}",
    }
    return Refusal(400, "DEPENDENT_FIELD_MISSING", message, details)


def _check_holiday(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check the day; a shift's holiday names its shift, and a day is a holiday once."""
    now = (document or {}) | change
    if now.get("type") == "shift_holiday" and not now.get("shift_hour"):
        message = "Shift id is required for shift holidays"
        raise _depends("shift_hour", "type", path, message)
    change["year"] = _day(now["date"], f"{path}.date").year
    for each in documents.listed(org.store, HOLIDAYS.kind):
        same = [each.get(name) == now.get(name) for name in ("date", "type", "shift_hour")]
        if all(same) and (document is None or each["id"] != document["id"]):
            raise bodies.duplicate("date", f"{path}.date")


def _day(text: str, path: str) -> date:
    """Read a date, or refuse it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bodies.invalid("date", path, expected_data_type="date") from None


def _show_holiday(org: Org, document: Item) -> Item:
    """Show a holiday."""
    names = ("id", "name", "date", "year", "type", "shift_hour")
    return {name: document.get(name) for name in names}


def get_holidays(org: Org, request: Request) -> Answer:
    """``GET /settings/holidays?year=&type=&shift_id=``: holidays, by year, type and shift."""
    kept = documents.listed(org.store, HOLIDAYS.kind)
    if "year" in request.params:
        year = parameters.whole_number(request, "year", 1)
        kept = [each for each in kept if each["year"] == year]
    if "type" in request.params:
        kind = parameters.one_of(request, "type", HOLIDAY_TYPES, "")
        kept = [each for each in kept if each["type"] == kind]
    if "shift_id" in request.params:
        kept = [each for each in kept if each["shift_hour"] == request.params["shift_id"]]
    kept.sort(key=lambda each: each["date"])
    return bodies.page_of(request, "holidays", [shown(org, HOLIDAYS, each) for each in kept])


HOLIDAY_TYPES = ("business_holiday", "shift_holiday")
HOLIDAYS = Resource(
    "holidays",
    "holidays",
    "settings/holidays",
    "settings.business_hours",
    "holidays",
    (
        Key("name", mandatory=True, longest=80),
        Key("date", mandatory=True, regex=r"\d{4}-\d\d-\d\d"),
        Key("type", mandatory=True, supported=HOLIDAY_TYPES),
        Key("shift_hour", "jsonobject", points_to="shift_hours"),
    ),
    "Holidays created successfully",
    "Holidays updated successfully",
    "Holidays deleted successfully",
    check=_check_holiday,
    show=_show_holiday,
    stamped=False,
)


def _check_shift(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check days and hours: either the same every day or custom ones, and users that exist."""
    now = (document or {}) | change
    if not now.get("shift_days") or not set(now["shift_days"]) <= set(DAYS):
        raise bodies.invalid("shift_days", f"{path}.shift_days", supported_values=list(DAYS))
    needed = "daily_timing" if now["same_as_everyday"] else "custom_timing"
    if not now.get(needed):
        raise _depends(needed, "same_as_everyday", path, "dependent field missing")
    for number, user in enumerate(change.get("users") or []):
        at = f"{path}.users[{number}]"
        if not isinstance(user, dict) or mention(org, "Users", user.get("id")) is None:
            raise bodies.invalid("id", f"{at}.id", "the id given seems to be invalid")


def _show_shift(org: Org, document: Item) -> Item:
    """Show a shift with its users and holidays."""
    users = [
        {**(mention(org, "Users", each["id"]) or {}), "effective_from": each.get("effective_from")}
        for each in document.get("users") or []
    ]
    holidays = [
        {name: each[name] for name in ("date", "year", "name", "id")}
        for each in documents.listed(org.store, HOLIDAYS.kind)
        if each.get("shift_hour") == document["id"]
    ]
    names = ("id", "name", "timezone", "shift_days", "same_as_everyday", "daily_timing")
    described = {name: document.get(name) for name in (*names, "custom_timing", "break_hours")}
    return {**described, "users": users, "users_count": len(users), "holidays": holidays}


def get_shifts(org: Org, request: Request) -> Answer:
    """``GET /settings/business_hours/shift_hours``: all shifts, and how many have users."""
    described = [shown(org, SHIFTS, each) for each in documents.listed(org.store, SHIFTS.kind)]
    with_user = sum(each["users_count"] > 0 for each in described)
    count = {"total_shift": len(described), "total_shift_with_user": with_user}
    return json_answer({"shift_hours": described, "shift_count": count})


def _no_holidays(org: Org, document: Item, request: Request) -> None:
    """Delete the holidays of a shift with it."""
    for each in documents.listed(org.store, HOLIDAYS.kind):
        if each.get("shift_hour") == document["id"]:
            documents.remove(org.store, each["id"])


SHIFTS = Resource(
    "shift_hours",
    "shift_hours",
    "settings/business_hours/shift_hours",
    "settings.business_hours",
    "shifts",
    (
        Key("name", mandatory=True, longest=80, unique=True),
        Key("timezone", mandatory=True),
        Key("same_as_everyday", "boolean", mandatory=True),
        Key("shift_days", "jsonarray", mandatory=True),
        Key("daily_timing", "jsonarray"),
        Key("custom_timing", "jsonarray"),
        Key("break_hours", "jsonarray"),
        Key("users", "jsonarray"),
    ),
    "Shift hours created successfully",
    "Shift hours updated successfully",
    "Shift hours deleted successfully",
    check=_check_shift,
    show=_show_shift,
    deleting=_no_holidays,
    pages=False,
    stamped=False,
)


# -- absences --------------------------------------------------------------------------------------


def _check_absence(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check that an absence ends after it begins."""
    now = (document or {}) | change
    begins, ends = (_moment(now[name], f"{path}.{name}") for name in ("from", "to"))
    if ends <= begins:
        raise bodies.invalid("to", f"{path}.to")


def _moment(text: str, path: str) -> datetime:
    """Read a moment with its offset, or refuse it."""
    if parameters.read_moment(text) is None:
        raise bodies.invalid(path.rpartition(".")[2], path, expected_data_type="datetime")
    return datetime.fromisoformat(text)


def _show_absence(org: Org, document: Item) -> Item:
    """Show an absence; none comes from another calendar."""
    names = ("id", "user", "from", "to", "all_day", "comments")
    others = dict.fromkeys(("service", "title", "tp_calendar_id", "tp_event_id"))
    return {**others, **{name: document.get(name) for name in names}}


ABSENCES = Resource(
    "users_unavailability",
    "users_unavailability",
    "settings/users_unavailability",
    "settings.users_unavailability",
    "absences of users",
    (
        Key("user", "jsonobject", mandatory=True, points_to="Users"),
        Key("from", mandatory=True),
        Key("to", mandatory=True),
        Key("all_day", "boolean", default=False),
        Key("comments", longest=250),
    ),
    "Unavailability Hours saved successfully",
    "Unavailability Hours saved successfully",
    "Unavailability Hours deleted successfully",
    check=_check_absence,
    show=_show_absence,
    stamped=False,
    refuses=("include_inner_details", "group_ids", "role_ids", "territory_ids", "filters"),
)


# -- templates -------------------------------------------------------------------------------------


def _module_of(org: Org, document: Item) -> Item:
    """Mention the module of a template."""
    module = org.schema.modules[document["module"]]
    return {"api_name": module.api_name, "id": str(module.id)}


def _show_template(org: Org, document: Item) -> Item:
    """Show a template; nobody has sent anything by it."""
    described = {
        "module": _module_of(org, document),
        "folder": {"name": "Public Templates", "id": str(int(document["id"]) // 1000 * 1000)},
        "editor_mode": "rich_text",
        "category": "normal",
        "favorite": False,
        "last_usage_time": None,
        "mail_content": document["content"],
    }
    return {**document, **described}


def _show_mail(org: Org, document: Item) -> Item:
    """Show a template of e-mails."""
    described = dict.fromkeys(("associated", "consent_linked"), False)
    others: Item = {"attachments": [], "description": None, "last_version_statistics": None}
    return {**_show_template(org, document), **described, **others}


def _show_inventory(org: Org, document: Item) -> Item:
    """Show a template of quotes, orders or invoices."""
    return {**_show_template(org, document), "active": True}


EMAIL_TEMPLATES = Resource(
    "email_templates",
    "email_templates",
    "settings/email_templates",
    "templates.email",
    "templates of e-mails",
    (),
    "",
    "",
    "",
    show=_show_mail,
    filtered_by=("module",),
)
INVENTORY_TEMPLATES = replace(
    EMAIL_TEMPLATES,
    envelope="inventory_templates",
    kind="inventory_templates",
    path="settings/inventory_templates",
    scope="templates.inventory",
    what="templates of quotes, orders and invoices",
    show=_show_inventory,
    refuses=("category", "sort_by", "sort_order", "filters"),
    by_key={},
)

ROUTES = (
    Route(
        "GET",
        f"{V8}/settings/variables",
        get_variables,
        "variables",
        scoped(VARIABLES, "READ"),
        honours=("group",),
    ),
    *routes(VARIABLES, ("post", "put", "delete", "one", "put_one", "delete_one"), "variable"),
    *routes(GROUPS, ("list", "one"), "variable_group"),
    Route(
        "GET",
        f"{V8}/settings/holidays",
        get_holidays,
        "holidays",
        scoped(HOLIDAYS, "READ"),
        honours=("year", "type", "shift_id", "page", "per_page"),
    ),
    *routes(HOLIDAYS, ("post", "put", "one", "put_one", "delete_one"), "holiday_id"),
    Route(
        "GET",
        f"{V8}/{SHIFTS.path}",
        get_shifts,
        "shifts",
        scoped(SHIFTS, "READ"),
    ),
    *routes(SHIFTS, ("post", "put", "one", "put_one", "delete_one"), "shift_id"),
    *routes(ABSENCES, ("list", "post", "put", "one", "put_one", "delete_one"), "absence_id"),
    *routes(EMAIL_TEMPLATES, ("list", "one"), "template"),
    *routes(INVENTORY_TEMPLATES, ("list", "one"), "template"),
)
