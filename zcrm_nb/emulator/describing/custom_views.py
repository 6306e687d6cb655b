"""The custom views API: list, look, make, change, sort and delete views."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.emulator.catalog.directory import FOUNDED
from zcrm_nb.emulator.catalog.views import mention
from zcrm_nb.emulator.describing.metadata import requested_module
from zcrm_nb.emulator.query import filters, views
from zcrm_nb.emulator.query.views import View
from zcrm_nb.emulator.records.table import ORDERS, iso, plain_info
from zcrm_nb.emulator.records.writes import attempted, overall
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.world.staff import ADMIN

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

ACCESS = ("shared", "public", "only_to_me")
NAME_LENGTH = 80
MOST_DELETED = 100
TRANSLATION = {
    "public_views": "Public Views",
    "other_users_views": "Other User's Views",
    "shared_with_me": "Shared With Me",
    "created_by_me": "Created By Me",
}
#: What only one view tells, and a list leaves out.
ONLY_ON_ONE = ("criteria", "fields", "sort_by", "sort_order", "shared_to")


class ViewEditor(NamedTuple):
    """Creates and changes views of a module for a user."""

    org: Org
    module: Module
    user: int

    @classmethod
    def of(cls, org: Org, request: Request) -> ViewEditor:
        """Find the module that a request is about."""
        return cls(org, requested_module(org, request), request.user)


def get_views(org: Org, request: Request) -> Answer:
    """``GET /settings/custom_views?module=``: the views of a module."""
    module = requested_module(org, request)
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    every = views.listed(org.store, module.api_name)
    ids = parameters.names(request, "ids")
    chosen = [each for each in every if not ids or str(each.id) in ids]
    begin = (page - 1) * per_page
    shown = [_shown(org, each, request.user) for each in chosen[begin : begin + per_page + 1]]
    if not shown:
        return NOTHING
    default = next((str(each.id) for each in every if each.body.get("default")), None)
    info = plain_info(page, per_page, len(shown)) | {"default": default}
    for each in shown:
        for key in ONLY_ON_ONE:
            each.pop(key)
    info["translation"] = TRANSLATION
    return json_answer({"custom_views": shown[:per_page], "info": info})


def get_view(org: Org, request: Request, cvid: str) -> Answer:
    """``GET /settings/custom_views/{id}?module=``: one view, with its criteria and fields."""
    view = views.find(org.store, requested_module(org, request).api_name, cvid)
    if view is None:
        return NOTHING
    shown = [_shown(org, view, request.user)]
    return json_answer({"custom_views": shown, "info": {"translation": TRANSLATION}})


def post_views(org: Org, request: Request) -> Answer:
    """``POST /settings/custom_views?module=``: make views."""
    editor = ViewEditor.of(org, request)

    def make(item: Item, path: str) -> Item:
        if item.get("name") in (None, ""):
            raise _missing("name", path)
        body: Item = {"access_type": "only_to_me", "criteria": None, "fields": [],
                "created_by": request.user, "created_time": org.clock.now()}  # fmt: skip
        change = _checked(editor, item, path)
        view = View(org.store.new_id(), editor.module.api_name, body | change)
        return _store(editor, view, "custom view created")

    return _each(org, request, make, 201)


def put_views(org: Org, request: Request) -> Answer:
    """``PUT /settings/custom_views?module=``: change views by their ids."""
    editor = ViewEditor.of(org, request)

    def change(item: Item, path: str) -> Item:
        return _changed(editor, item, path)

    return _each(org, request, change, 200)


def put_view(org: Org, request: Request, cvid: str) -> Answer:
    """``PUT /settings/custom_views/{id}?module=``: change one view."""
    editor = ViewEditor.of(org, request)

    def change(item: Item, path: str) -> Item:
        return _changed(editor, item | {"id": cvid}, path)

    return _each(org, request, change, 200)


def put_sort(org: Org, request: Request) -> Answer:
    """``PUT /settings/custom_views/actions/change_sort?module=``: sort views otherwise."""
    editor = ViewEditor.of(org, request)

    def change(item: Item, path: str) -> Item:
        return _sorted(editor, item, path)

    return _each(org, request, change, 200)


def put_sort_one(org: Org, request: Request, cvid: str) -> Answer:
    """``PUT /settings/custom_views/{id}/actions/change_sort?module=``: sort one view."""
    editor = ViewEditor.of(org, request)

    def change(item: Item, path: str) -> Item:
        return _sorted(editor, item | {"id": cvid}, path)

    return _each(org, request, change, 200)


def delete_views(org: Org, request: Request) -> Answer:
    """``DELETE /settings/custom_views?module=&ids=``: delete views."""
    module = requested_module(org, request)
    ids = parameters.names(request, "ids")
    if not ids:
        raise parameters.missing("ids")
    if len(ids) > MOST_DELETED:
        details = {"limit": MOST_DELETED, "param_name": "ids"}
        raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)

    def delete(cvid: str) -> Item:
        view = views.find(org.store, module.api_name, cvid)
        if view is None or view.body.get("system_name"):
            message = "The provided CustomView is either invalid or already Deleted"
            raise Refusal(400, "INVALID_DATA", message, {"id": cvid})
        org.store.execute("DELETE FROM custom_views WHERE id = ?", (view.id,))
        return _done("deleted successfully", view.id)

    with org.store.transaction():
        tried = [attempted(org.store, delete, each) for each in ids]
    return _answer(tried, 200)


def _each(org: Org, request: Request, work: Callable[[Item, str], Item], status: int) -> Answer:
    """Do something with each view in the body."""
    items = request.json().get("custom_views")
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise _invalid("custom_views", "$.custom_views", expected_data_type="jsonarray")
    with org.store.transaction():
        tried = [
            attempted(org.store, work, item, f"$.custom_views[{n}]") for n, item in enumerate(items)
        ]
    return _answer(tried, status)


def _answer(tried: list[tuple[Item, int | None]], good: int) -> Answer:
    """Give the result of each."""
    statuses = [error_status or good for _, error_status in tried]
    return json_answer({"custom_views": [each for each, _ in tried]}, overall(statuses, good))


def _changed(editor: ViewEditor, item: Item, path: str) -> Item:
    """Change one view."""
    view = _of(editor, item, path)
    change = _checked(editor, item, path, view.id)
    return _store(editor, View(view.id, view.module, view.body | change), "custom view updated")


def _sorted(editor: ViewEditor, item: Item, path: str) -> Item:
    """Sort one view otherwise."""
    for name in ("sort_by", "sort_order"):
        if name not in item:
            raise _missing(name, path)
    only = {name: item[name] for name in ("id", "sort_by", "sort_order")}
    return _changed(editor, only, path)


def _of(editor: ViewEditor, item: Item, path: str) -> View:
    """Find the view to be changed; a locked one is not."""
    if "id" not in item:
        raise _missing("id", path)
    view = views.find(editor.org.store, editor.module.api_name, item["id"])
    if view is None:
        raise _invalid("id", f"{path}.id")
    if view.body.get("locked"):
        message = "Permission denied. Locked custom views cannot be customized."
        raise Refusal(403, "NO_PERMISSION", message, {"resource_path_index": 2})
    return view


def _store(editor: ViewEditor, view: View, message: str) -> Item:
    """Store a view as changed by a user now."""
    stamps = {"modified_by": editor.user, "modified_time": editor.org.clock.now()}
    views.keep(editor.org.store, View(view.id, view.module, view.body | stamps))
    return _done(message, view.id)


def _checked(editor: ViewEditor, item: Item, path: str, own: int | None = None) -> Item:
    """Check what is sent for a view, and keep what counts of it."""
    change: Item = {}
    for name, value in item.items():
        field_path = f"{path}.{name}"
        if name == "name":
            change[name] = _name(editor, value, field_path, own)
        elif name == "access_type":
            if value not in ACCESS:
                raise _invalid(name, field_path, supported_values=list(ACCESS))
            change[name] = value
        elif name == "criteria":
            if value is not None:
                filters.condition(value, editor.module, editor.org, editor.user, field_path)
            change[name] = value
        elif name == "fields":
            change[name] = [
                _field(editor.module, each, f"{field_path}[{n}]") | {"_pin": bool(each.get("_pin"))}
                for n, each in enumerate(value or [])
            ]
        elif name == "sort_by":
            change[name] = value and _sortable(editor.module, value, field_path)
        elif name == "sort_order":
            if value not in (None, *ORDERS):
                raise _invalid(name, field_path, supported_values=list(ORDERS))
            change[name] = value
        elif name in ("locked", "shared_to"):
            change[name] = value
        elif name == "cross_filters" and value:
            raise _not_emulated()
    return change


def _name(editor: ViewEditor, value: object, path: str, own: int | None) -> str:
    """Check the name of a view; no two of a module have the same."""
    if not isinstance(value, str):
        raise _invalid("name", path, expected_data_type="string")
    if len(value) > NAME_LENGTH:
        raise _invalid("name", path, maximum_length=NAME_LENGTH)
    for each in views.listed(editor.org.store, editor.module.api_name):
        if each.id != own and each.body["name"].lower() == value.lower():
            details = {"api_name": "name", "json_path": path}
            raise Refusal(400, "DUPLICATE_DATA", "duplicate data", details)
    return value


def _field(module: Module, named: object, path: str) -> Item:
    """Find a field that is named by API name or id."""
    if not isinstance(named, dict):
        raise _invalid("fields", path, expected_data_type="jsonobject")
    field = module.by_name.get(str(named.get("api_name"))) or next(
        (each for each in module.fields if str(each.id) == str(named.get("id"))), None
    )
    if field is None:
        raise _invalid("api_name", f"{path}.api_name")
    return mention(module, field.api_name)


def _sortable(module: Module, named: object, path: str) -> Item:
    """Find a field that records can be sorted by."""
    field = _field(module, named, path)
    if module.by_name[field["api_name"]].column is None:
        raise _invalid("api_name", f"{path}.api_name")
    return field


def _shown(org: Org, view: View, user: int) -> Item:
    """Show one view as Zoho describes it."""
    body, system = view.body, view.body.get("system_name")
    creator = body.get("created_by")
    category = "created_by_me" if creator == user else "other_users_views"
    if body["access_type"] == "public":
        category = "public_views"
    elif body["access_type"] == "shared" and creator != user:
        category = "shared_with_me"
    return {
        "id": str(view.id),
        "name": body["name"],
        "display_value": body["name"],
        "system_name": system,
        "system_defined": system is not None,
        "category": category,
        "access_type": body["access_type"],
        "default": bool(body.get("default")),
        "favorite": None,
        "locked": bool(body.get("locked")),
        "offline": False,
        "criteria": body.get("criteria"),
        "fields": body.get("fields") or [],
        "sort_by": body.get("sort_by"),
        "sort_order": body.get("sort_order"),
        "shared_to": body.get("shared_to"),
        "created_by": None if system else _person(org, creator),
        "created_time": _time(org, body.get("created_time")),
        "modified_by": None if system else _person(org, body.get("modified_by")),
        "modified_time": _time(org, body.get("modified_time")),
        "last_accessed_time": None,
    }


def default_view_json(org: Org, module: Module, user: int) -> Item | None:
    """Show the view that a module opens with."""
    every = views.listed(org.store, module.api_name)
    chosen = next((each for each in every if each.body.get("default")), None)
    return _shown(org, chosen, user) if chosen else None


def _person(org: Org, user: int | None) -> Item:
    """Mention a user; what came with the org was made by its administrator."""
    user_id = user or ADMIN
    name = org.store.read("SELECT full_name FROM Users WHERE id = ?", (user_id,))[0][0]
    return {"name": name, "id": str(user_id)}


def _time(org: Org, moment: int | None) -> str:
    """Give the time of a change; what came with the org is as old as the org."""
    return FOUNDED if moment is None else iso(org, moment)


def _not_emulated() -> Refusal:
    """Refuse what these views cannot do."""
    details = {"api_name": "cross_filters", "emulated": False}
    return Refusal(400, "NOT_SUPPORTED", "cross_filters are not emulated by zcrm_nb", details)


def _missing(name: str, path: str) -> Refusal:
    """Refuse a view that lacks something."""
    details = {"api_name": name, "json_path": f"{path}.{name}"}
    return Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)


def _invalid(name: str, path: str, **details: object) -> Refusal:
    """Refuse a value."""
    location = {"api_name": name, "json_path": path}
    return Refusal(400, "INVALID_DATA", "invalid data", details | location)


def _done(message: str, view: int) -> Item:
    result = {"code": "SUCCESS", "details": {"id": str(view)}, "message": message}
    return result | {"status": "success"}


_VIEWS = f"{V8}/settings/custom_views"


def _scope(operation: str) -> tuple[str]:
    """Name the scope of an operation on views."""
    return (f"ZohoCRM.settings.custom_views.{operation}",)


ROUTES = (
    Route(
        "GET",
        _VIEWS,
        get_views,
        "custom views of a module",
        _scope("READ"),
        honours=("module", "ids", *PAGES),
        refuses=("filters",),
    ),
    Route("POST", _VIEWS, post_views, "make custom views", _scope("CREATE"), honours=("module",)),
    Route("PUT", _VIEWS, put_views, "change custom views", _scope("UPDATE"), honours=("module",)),
    Route(
        "DELETE",
        _VIEWS,
        delete_views,
        "delete custom views",
        _scope("DELETE"),
        honours=("module", "ids"),
    ),
    Route(
        "PUT",
        f"{_VIEWS}/actions/change_sort",
        put_sort,
        "sort custom views otherwise",
        _scope("UPDATE"),
        honours=("module",),
    ),
    Route(
        "PUT",
        f"{_VIEWS}/{{cvid}}/actions/change_sort",
        put_sort_one,
        "sort one custom view otherwise",
        _scope("UPDATE"),
        honours=("module",),
    ),
    Route(
        "GET",
        f"{_VIEWS}/{{cvid}}",
        get_view,
        "one custom view, with criteria, fields and order",
        _scope("READ"),
        honours=("module",),
    ),
    Route(
        "PUT",
        f"{_VIEWS}/{{cvid}}",
        put_view,
        "change one custom view",
        _scope("UPDATE"),
        honours=("module",),
    ),
)
