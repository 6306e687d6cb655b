"""What the org has once: business hours, fiscal year, photo, preferences, licences, its APIs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.configuring.tables import DAYS
from zcrm_nb.emulator.describing.metadata import requested_module
from zcrm_nb.emulator.records import files
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

HOURS = "business_hours"
YEAR = "fiscal_year"
PREFERENCE = "duplicate_check_preference"
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)
KINDS_OF_HOURS = ("24_by_7", "24_by_5", "custom")
PREFERENCES = ("converted_records", "mapped_module_records")
#: Modules whose records may be duplicates of records elsewhere.
CHECKED_MODULES = ("Leads", "Contacts", "Accounts")
#: What the store remembers of the photo: the id of its file, or nothing.
PHOTO = "org photo"
TIME = r"\d\d:\d\d"


def _sent(request: Request, key: str) -> Item:
    """Find the one object in a body."""
    body = request.json()
    if body.get(key) is None:
        raise bodies.missing(key, "$")
    return dict(bodies.checked(body[key], "jsonobject", f"$.{key}"))


def _reported(key: str, message: str, document_id: object = None, status: int = 200) -> Answer:
    """Report a success under a key."""
    result = bodies.done(message, document_id)
    if document_id is None:
        result["details"] = {}
    return json_answer({key: result}, status)


# -- business hours --------------------------------------------------------------------------------


def get_hours(org: Org, request: Request) -> Answer:
    """``GET /settings/business_hours``: when the org works."""
    kept = documents.listed(org.store, HOURS)
    if not kept:
        return NOTHING
    names = ("id", "week_starts_on", "type", "business_days", "same_as_everyday")
    shown = {name: kept[0].get(name) for name in (*names, "daily_timing", "custom_timing")}
    return json_answer({HOURS: shown})


def post_hours(org: Org, request: Request) -> Answer:
    """``POST /settings/business_hours``: say when the org works, anew."""
    return _store_hours(org, request, {}, 201)


def put_hours(org: Org, request: Request) -> Answer:
    """``PUT /settings/business_hours``: change when the org works."""
    item, kept = _sent(request, HOURS), documents.listed(org.store, HOURS)
    bodies.required(item, ("id",), f"$.{HOURS}")
    if not kept or kept[0]["id"] != str(item["id"]):
        raise bodies.invalid("id", f"$.{HOURS}.id", "the id given seems to be invalid")
    return _store_hours(org, request, kept[0], 200)


def _store_hours(org: Org, request: Request, before: Item, status: int) -> Answer:
    """Check and store business hours; there are one."""
    sent, path = _sent(request, HOURS), f"$.{HOURS}"
    now = {**before, **sent}
    bodies.required(now, ("type", "week_starts_on"), path)
    supported = {"type": KINDS_OF_HOURS, "week_starts_on": DAYS}
    for name, values in supported.items():
        if now[name] not in values:
            raise bodies.invalid(name, f"{path}.{name}", supported_values=list(values))
    if now["type"] == "custom":
        _check_days(now, path)
    kept = documents.listed(org.store, HOURS)
    names = (*supported, "business_days", "same_as_everyday", "daily_timing", "custom_timing")
    body = {name: now.get(name) for name in names}
    if kept:
        documents.change(org.store, body | {"id": kept[0]["id"]})
    hours = kept[0]["id"] if kept else documents.add(org.store, HOURS, body)
    return _reported(HOURS, "Business Hours saved successfully", hours, status)


def _check_days(now: Item, path: str) -> None:
    """Check days and times of custom hours."""
    bodies.required(now, ("business_days", "same_as_everyday"), path)
    days = bodies.checked(now["business_days"], "jsonarray", f"{path}.business_days")
    if not days or not all(each in DAYS for each in days):
        raise bodies.invalid("business_days", f"{path}.business_days", supported_values=list(DAYS))
    everyday = bodies.checked(now["same_as_everyday"], "boolean", f"{path}.same_as_everyday")
    needed = "daily_timing" if everyday else "custom_timing"
    bodies.required(now, (needed,), path)
    bodies.checked(now[needed], "jsonarray", f"{path}.{needed}")


# -- fiscal year -----------------------------------------------------------------------------------


def get_year(org: Org, request: Request) -> Answer:
    """``GET /settings/fiscal_year``: in which month the fiscal year begins."""
    (kept,) = documents.listed(org.store, YEAR)
    names = ("start_month", "display_based_on", "id")
    return json_answer({YEAR: {name: kept[name] for name in names}})


def put_year(org: Org, request: Request) -> Answer:
    """``PUT /settings/fiscal_year``: let the fiscal year begin in another month."""
    item, path = _sent(request, YEAR), f"$.{YEAR}"
    (kept,) = documents.listed(org.store, YEAR)
    bodies.required(item, ("start_month",), path)
    if item["start_month"] not in MONTHS:
        raise _not_allowed(org, "start_month", MONTHS, "Please give a valid month")
    shown = item.get("display_based_on", kept["display_based_on"])
    choices = ("start_month", "end_month")
    if shown not in choices:
        raise _not_allowed(org, "display_based_on", choices, "Please give a valid value")
    change = {"start_month": item["start_month"], "display_based_on": shown}
    documents.change(org.store, kept | change)
    return _reported(YEAR, "The fiscal year configuration has been updated successfully")


def _not_allowed(org: Org, name: str, values: Iterable[str], message: str) -> Refusal:
    """Refuse a value of the fiscal year."""
    path = f"$.{YEAR}.{name}"
    return bodies.invalid(name, path, message, allowed_values=list(values))


# -- photo -----------------------------------------------------------------------------------------


def get_photo(org: Org, request: Request) -> Answer:
    """``GET /org/photo``: the photo of the org."""
    return files.download(org, org.store.remembered(PHOTO))


def post_photo(org: Org, request: Request) -> Answer:
    """``POST /org/photo``: give the org a photo, in the place of an older one."""
    parts = [each for each in request.parts() if each.field == "file" and each.content]
    if not parts:
        raise bodies.missing("file", "$")
    if not parts[0].content.startswith(files.PICTURES):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"api_name": "file"})
    org.store.remember(PHOTO, files.keep(org, parts[0], request.user))
    return _photo_done("photo uploaded successfully")


def delete_photo(org: Org, request: Request) -> Answer:
    """``DELETE /org/photo``: take the photo of the org away."""
    if not org.store.remembered(PHOTO):
        raise Refusal(400, "INVALID_DATA", "there is no photo", {"resource_path_index": 1})
    org.store.remember(PHOTO, "")
    return _photo_done("photo deleted successfully")


def _photo_done(message: str) -> Answer:
    body = {"code": "SUCCESS", "details": {}, "message": message, "status": "success"}
    return json_answer(body)


# -- duplicates ------------------------------------------------------------------------------------


def get_preference(org: Org, request: Request) -> Answer:
    """``GET …/duplicate_check_preference?module=``: where else duplicates are looked for."""
    found = _preference(org, request)
    names = ("type", "type_configurations")
    return json_answer({PREFERENCE: {name: found[name] for name in names}}) if found else NOTHING


def post_preference(org: Org, request: Request) -> Answer:
    """``POST …/duplicate_check_preference?module=``: say where duplicates are looked for."""
    module = _checked_module(org, request)
    if _preference(org, request):
        raise bodies.duplicate(PREFERENCE, f"$.{PREFERENCE}")
    documents.add(org.store, PREFERENCE, _checked_preference(org, request) | {"module": module})
    return _reported(PREFERENCE, "duplicate check preference created")


def put_preference(org: Org, request: Request) -> Answer:
    """``PUT …/duplicate_check_preference?module=``: look elsewhere for duplicates."""
    found = _existing_preference(org, request)
    documents.change(org.store, found | _checked_preference(org, request))
    return _reported(PREFERENCE, "duplicate check preference updated")


def delete_preference(org: Org, request: Request) -> Answer:
    """``DELETE …/duplicate_check_preference?module=``: look in the module itself only."""
    documents.remove(org.store, _existing_preference(org, request)["id"])
    return _reported(PREFERENCE, "duplicate check preference deleted")


def _checked_module(org: Org, request: Request) -> str:
    """Find the module of a request; not every one has the preference."""
    name = requested_module(org, request).api_name
    if name not in CHECKED_MODULES:
        raise Refusal(400, "INVALID_MODULE", "the module name given seems to be invalid")
    return name


def _preference(org: Org, request: Request) -> Item | None:
    """Find the preference of a module."""
    module = _checked_module(org, request)
    kept = documents.listed(org.store, PREFERENCE)
    return next((each for each in kept if each["module"] == module), None)


def _existing_preference(org: Org, request: Request) -> Item:
    """Find the preference of a module, or refuse one that has none."""
    found = _preference(org, request)
    if found is None:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "module"})
    return found


def _checked_preference(org: Org, request: Request) -> Item:
    """Check a preference: fields of the module, and those of another one that are compared."""
    item, path = _sent(request, PREFERENCE), f"$.{PREFERENCE}"
    bodies.required(item, ("type",), path)
    if item["type"] not in PREFERENCES:
        raise bodies.invalid("type", f"{path}.type", supported_values=list(PREFERENCES))
    sent = item.get("type_configurations") or []
    bodies.checked(sent, "jsonarray", f"{path}.type_configurations")
    if item["type"] == "mapped_module_records" and not sent:
        raise bodies.missing("type_configurations", path)
    own = requested_module(org, request)
    for number, each in enumerate(sent):
        at = f"{path}.type_configurations[{number}]"
        bodies.required(bodies.checked(each, "jsonobject", at), ("mapped_module",), at)
        name = bodies.checked(each["mapped_module"], "jsonobject", f"{at}.mapped_module")
        module = org.schema.modules.get(str(name.get("api_name")))
        if module is None:
            raise bodies.invalid("api_name", f"{at}.mapped_module.api_name")
        for place, pair in enumerate(each.get("field_mappings") or []):
            for end, where in (("current_field", own), ("mapped_field", module)):
                field = pair.get(end) if isinstance(pair, dict) else None
                if not isinstance(field, dict) or field.get("api_name") not in where.by_name:
                    spot = f"{at}.field_mappings[{place}].{end}.api_name"
                    raise bodies.invalid("api_name", spot)
    return {"type": item["type"], "type_configurations": sent}


# -- licences and APIs -----------------------------------------------------------------------------


def get_licences(org: Org, request: Request) -> Answer:
    """``GET /__features/user_licenses``: how many users the org may have, and has."""
    used = org.store.read("SELECT count(*) FROM Users WHERE status = 'active'")[0][0]
    details = {
        name: {"total": number, "edition_limit": number}
        for name, number in (("limits", used), ("used_count", used), ("available_count", 0))
    }
    feature: Item = {
        "api_name": "user_licenses",
        "feature_label": "User Licenses",
        "parent_feature": None,
        "module_supported": False,
        "details": details,
        "components": [],
    }
    info = {"per_page": 200, "count": 1, "page": 1, "more_records": False}
    return json_answer({"__features": [feature], "info": info})


def apis_route(routes: Iterable[Route]) -> Route:
    """Make the route of the list of APIs: those that are emulated."""
    path = f"{V8}/__apis"
    scope = ("ZohoCRM.apis.READ",)
    own = Route("GET", path, get_licences, "the list of APIs", scope, refuses=("filters",))
    handler = partial(get_apis, (*routes, own))
    return Route("GET", path, handler, own.what, scope, refuses=own.refuses)


def get_apis(routes: Iterable[Route], org: Org, request: Request) -> Answer:
    """``GET /__apis``: the addresses of the API, with scope and price of each method."""
    by_path: dict[str, list[Item]] = {}
    for each in routes:
        if each.needs_token and each.path.startswith("/crm/"):
            credit = 1 if each.price == "call" else None
            operation = {
                "method": each.method,
                "oauth_scope": ",".join(each.scopes),
                "max_credits": credit,
                "min_credits": credit,
            }
            by_path.setdefault(each.path, []).append(operation)
    apis = [{"path": path, "operation_types": each} for path, each in by_path.items()]
    return json_answer({"__apis": apis})


_SETTINGS = f"{V8}/settings"


def _route(method: str, path: str, handler: object, what: str, scope: str) -> Route:
    """Make a route without parameters."""
    return Route(method, path, handler, what, (f"ZohoCRM.{scope}",))  # type: ignore[arg-type]


ROUTES = (
    _route("GET", f"{_SETTINGS}/{HOURS}", get_hours, "business hours",
           "settings.business_hours.READ"),
    _route("POST", f"{_SETTINGS}/{HOURS}", post_hours, "say when the org works",
           "settings.business_hours.CREATE"),
    _route("PUT", f"{_SETTINGS}/{HOURS}", put_hours, "change when the org works",
           "settings.business_hours.UPDATE"),
    _route("GET", f"{_SETTINGS}/{YEAR}", get_year, "fiscal year", "settings.fiscal_year.READ"),
    _route("PUT", f"{_SETTINGS}/{YEAR}", put_year, "let the fiscal year begin otherwise",
           "settings.fiscal_year.UPDATE"),
    _route("GET", f"{V8}/org/photo", get_photo, "photo of the org", "org.READ"),
    _route("POST", f"{V8}/org/photo", post_photo, "give the org a photo", "org.CREATE"),
    _route("DELETE", f"{V8}/org/photo", delete_photo, "take the photo away", "org.DELETE"),
    *(
        Route(
            method,
            f"{_SETTINGS}/{PREFERENCE}",
            handler,
            what,
            (f"ZohoCRM.settings.{PREFERENCE}.{operation}",),
            honours=("module",),
        )
        for method, handler, what, operation in (
            ("GET", get_preference, "where duplicates are looked for", "READ"),
            ("POST", post_preference, "say where duplicates are looked for", "CREATE"),
            ("PUT", put_preference, "look elsewhere for duplicates", "UPDATE"),
            ("DELETE", delete_preference, "look in the module itself only", "DELETE"),
        )
    ),
    _route("GET", f"{V8}/__features/user_licenses", get_licences, "how many users there may be",
           "settings.features.READ"),
)  # fmt: skip
