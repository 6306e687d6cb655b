"""Sharing a record with up to ten users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import INVENTORY, SALES, module_with, name_of, record_of
from zcrm_nb.emulator.configuring.bodies import checked, each_of, entries, missing
from zcrm_nb.emulator.records.table import iso
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

SUPPORTED = (*SALES, *INVENTORY, "Campaigns", "Solutions", "Products")
PERMISSIONS = ("full_access", "read_only", "read_write")
USERS = 10


def get_share(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/actions/share``: with whom a record is shared, and could be."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    shares = documents.listed(org.store, _kind(record))
    shown = [_shown(org, module_info, record, each) for each in shares]
    if shared_to := request.params.get("sharedTo"):
        shown = [each for each in shown if each["user"]["id"] == shared_to]
    taken = {each["user"] for each in shares} | {_owner(org, module_info, record)}
    users = [
        _user(org, user)
        for (user,) in org.store.read("SELECT id FROM Users WHERE status = 'active' ORDER BY id")
        if user not in taken
    ]
    return json_answer({"share": shown, "shareable_user": users})


def post_share(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/share``: share a record with more users."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    items = entries(request, "share")

    def share(item: Item, path: str) -> Item:
        user = _user_named(org, item, path)
        shares = documents.listed(org.store, _kind(record))
        visible = {each["user"] for each in shares} | {_owner(org, module_info, record)}
        if user in visible:
            code = org.settings.actions.share_visible_code
            message = "record is already visible to the user."
            raise Refusal(400, code, message, {"json_path": f"{path}.user.id"})
        if len(shares) >= USERS:
            message = "Cannot share a record to more than 10 users."
            raise Refusal(400, "SHARE_LIMIT_EXCEEDED", message, {"json_path": "$.share"})
        documents.add(org.store, _kind(record), _share(org, request.user, user, item, path))
        return _done("record will be shared successfully", record)

    return each_of(org, "share", items, share)


def put_share(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``PUT /{module}/{id}/actions/share``: change shares; those not named are revoked."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    items = entries(request, "share", most=USERS)
    shares = {each["user"]: each for each in documents.listed(org.store, _kind(record))}
    named: set[int] = set()

    def change(item: Item, path: str) -> Item:
        user = _user_named(org, item, path)
        if user == _owner(org, module_info, record):
            raise _unfit(path)
        body = _share(org, request.user, user, item, path)
        if user in shares:
            documents.change(org.store, shares[user] | body)
        else:
            documents.add(org.store, _kind(record), body)
        named.add(user)
        return _done("record will be shared successfully", record)

    with org.store.transaction():
        answer = each_of(org, "share", items, change)
        if named:
            for user in shares.keys() - named:
                documents.remove(org.store, shares[user]["id"])
    return answer


def delete_share(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``DELETE /{module}/{id}/actions/share``: revoke all shares of a record."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    shares = documents.listed(org.store, _kind(record))
    if not shares:
        message = "No sharing through this record is available to revoke."
        code = org.settings.actions.share_nothing_code
        raise Refusal(400, code, message, {"resource_path_index": 1})
    with org.store.transaction():
        for each in shares:
            documents.remove(org.store, each["id"])
    return json_answer({"share": _done("Sharing Revoked", record)})


def _kind(record_id: int) -> str:
    """Name the kind of document that the shares of a record are."""
    return f"share of {record_id}"


def _share(org: Org, shared_by: int, user: int, item: Item, path: str) -> Item:
    """Read one share of a body."""
    settings = org.settings.actions
    permission = item.get("permission", settings.share_default_permission)
    if permission not in PERMISSIONS:
        details = {"json_path": f"{path}.permission", "api_name": "permission"}
        supported = {"supported_values": list(PERMISSIONS)}
        raise Refusal(400, "INVALID_DATA", "Permission is invalid", details | supported)
    related = item.get("share_related_records", False)
    checked(related, "boolean", f"{path}.share_related_records")
    if item.get("type") not in (None, "private", "public"):
        details = {"json_path": f"{path}.type", "api_name": "type"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return {
        "user": user,
        "permission": permission,
        "share_related_records": related,
        "type": item.get("type"),
        "shared_time": org.clock.now(),
        "shared_by": shared_by,
    }


def _user_named(org: Org, item: Item, path: str) -> int:
    """Find the active user whom a share is for."""
    user = item.get("user")
    if user is None:
        raise missing("user", path)
    checked(user, "jsonobject", f"{path}.user")
    text = str(user.get("id") or "")
    if not text:
        raise missing("id", f"{path}.user")
    sql = "SELECT 1 FROM Users WHERE id = ? AND status = 'active'"
    if not parameters.is_id(text) or not org.store.read(sql, (int(text),)):
        raise _unfit(path)
    return int(text)


def _unfit(path: str) -> Refusal:
    """Refuse a user with whom the record cannot be shared."""
    details = {"json_path": f"{path}.user.id", "api_name": "id"}
    return Refusal(400, "INVALID_DATA", "cannot share to the user", details)


def _owner(org: Org, module: Module, record_id: int) -> int | None:
    """Read the owner of a record."""
    sql = f'SELECT Owner FROM "{module.api_name}" WHERE id = ?'
    owner: int | None = org.store.read(sql, (record_id,))[0][0]
    return owner


def _shown(org: Org, module: Module, record_id: int, share: Item) -> Item:
    """Show one share."""
    through = {
        "module": {"api_name": module.api_name, "name": module.api_name, "id": str(module.id)},
        "id": str(record_id),
        "entity_name": name_of(org, module, record_id),
    }
    return {
        "share_related_records": share["share_related_records"],
        "shared_through": through | {"name": through["entity_name"]},
        "shared_time": iso(org, share["shared_time"]),
        "permission": share["permission"],
        "shared_by": _user(org, share["shared_by"]),
        "user": _user(org, share["user"]),
        **({"type": share["type"]} if share["type"] else {}),
    }


def _user(org: Org, user: int) -> Item:
    """Mention a user by id, name and Zoho account."""
    rows = org.store.read("SELECT full_name, zuid FROM Users WHERE id = ?", (user,))
    name, zuid = rows[0] if rows else (None, None)
    return {"id": str(user), "full_name": name, "zuid": None if zuid is None else str(zuid)}


def _done(message: str, record_id: int) -> Item:
    """Report a success."""
    details = {"id": str(record_id)}
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


_PATH = f"{V8}/{{module}}/{{record_id}}/actions/share"


def _scope(operation: str) -> tuple[str]:
    """Give the scope of an operation."""
    return (f"ZohoCRM.share.{{module}}.{operation}",)


ROUTES = (
    Route(
        "GET",
        _PATH,
        get_share,
        "with whom a record is shared, and with whom it could be",
        _scope("READ"),
        honours=("sharedTo",),
        refuses=("view",),
    ),
    Route("POST", _PATH, post_share, "share a record with up to ten users", _scope("CREATE")),
    Route("PUT", _PATH, put_share, "change shares; those not named are revoked", _scope("UPDATE")),
    Route("DELETE", _PATH, delete_share, "revoke all shares of a record", _scope("DELETE")),
)
