"""Change owner: hand records over to another user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import attempted, overall, refuse_locked, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

IDS = 500
RELATED = 5
UNSUPPORTED = ("Notes",)
MOVED = "The user to whom you are trying to transfer the records"


def post_owner(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/change_owner``: hand one record over."""
    module_info, body = _module(org, module), request.json()
    id_number = parameters.record_id(record_id)
    owner, related = new_owner(org, body), _related(org, body)
    with org.store.transaction(notify=org.settings.watch.notifies_of("change_owner")):
        result = hand_over(org, request.user, module_info, id_number, owner)
        _take_along(org, request.user, related, owner)
    return json_answer({"data": [result]})


def post_owners(org: Org, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/change_owner``: hand up to 500 records over."""
    module_info, body = _module(org, module), request.json()
    ids = _ids(org, body)
    owner, related = new_owner(org, body), _related(org, body)

    def hand_over_one(record_id: int) -> Item:
        return hand_over(org, request.user, module_info, record_id, owner)

    with org.store.transaction(notify=org.settings.watch.notifies_of("change_owner")):
        tried = [attempted(org.store, hand_over_one, each) for each in ids]
        if any(error_status is None for _, error_status in tried):
            _take_along(org, request.user, related, owner)
    status = overall([error_status or 200 for _, error_status in tried], 200)
    if status == 207:
        status = org.settings.actions.change_owner_partly_status
    return json_answer({"data": [result for result, _ in tried]}, status)


def hand_over(org: Org, user: int, module: Module, record_id: int, owner: int) -> Item:
    """Give one record another owner."""
    exists = f'SELECT 1 FROM "{module.api_name}" WHERE id = ?'
    if not org.store.read(exists, (record_id,)):
        message = "the id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"id": str(record_id)})
    refuse_locked(org.store, module, record_id)
    org.store.update(module.api_name, [{"id": record_id, "Owner": owner}], user=user)
    return success("owner is successfully updated", record_id)


def _take_along(org: Org, user: int, related: list[tuple[str, int]], owner: int) -> None:
    """Give the related records the same owner."""
    for module, record_id in related:
        org.store.update(module, [{"id": record_id, "Owner": owner}], user=user)


def _module(org: Org, name: str) -> Module:
    """Find a module whose records have owners that can change."""
    module_info = module_named(org, name)
    if "Owner" not in module_info.by_name or module_info.api_name in UNSUPPORTED:
        message = "The requested operation is not supported"
        raise Refusal(400, "NOT_SUPPORTED", message, {"resource_path_index": 0})
    return module_info


def _ids(org: Org, body: Item) -> list[int]:
    """Read whose owner shall change."""
    ids, location = body.get("ids"), {"api_name": "ids", "json_path": "$.ids"}
    if not ids:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    if not isinstance(ids, list):
        details: Item = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if len(ids) > IDS:
        details = {"maximum_length": IDS, **location}
        raise Refusal(400, org.settings.actions.mass_limit_code, "limit exceeded", details)
    for number, each in enumerate(ids):
        if not parameters.is_id(str(each)):
            location = {"api_name": "ids", "json_path": f"$.ids[{number}]"}
            details = {"expected_data_type": "long", **location}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return [int(each) for each in ids]


def new_owner(org: Org, body: Item) -> int:
    """Find the new owner, who must be active."""
    named = body.get("owner")
    text = str(named.get("id", "")) if isinstance(named, dict) else ""
    if not text:
        details = {"api_name": "owner", "json_path": "$.owner"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    id_number = parameters.is_id(text)
    rows = (
        org.store.read("SELECT status FROM Users WHERE id = ?", (int(text),)) if id_number else []
    )
    if not rows:
        details = {"api_name": "owner", "json_path": "$.owner.id"}
        raise Refusal(400, "INVALID_DATA", "Invalid data provided", details)
    (status,) = rows[0]
    details = {"api_name": "id", "json_path": "$.owner.id"}
    if status == "deleted":
        message = f"{MOVED} has closed their account."
        raise Refusal(403, "INVALID_DATA", message, details | {"owner_status": "deleted"})
    if status != "active":
        message = f"{MOVED} is not active."
        raise Refusal(400, "INVALID_DATA", message, details | {"owner_status": "inactive"})
    return int(text)


def _related(org: Org, body: Item) -> list[tuple[str, int]]:
    """Read which other records go along."""
    related = body.get("related_modules") or []
    related = (
        [related] if isinstance(related, dict) else related
    )  # the page shows an object, the spec a list
    if not isinstance(related, list) or len(related) > RELATED:
        details = {"api_name": "related_modules", "json_path": "$.related_modules"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details | {"maximum_length": RELATED})
    return [_related_record(org, each, f"$.related_modules[{n}]") for n, each in enumerate(related)]


def _related_record(org: Org, named: object, path: str) -> tuple[str, int]:
    """Find one record that goes along."""
    item = named if isinstance(named, dict) else {}
    lacking = [
        {"api_name": name, "json_path": f"{path}.{name}"}
        for name in ("api_name", "id")
        if not item.get(name)
    ]
    if lacking:
        message = "one of the expected fields is missing"
        raise Refusal(400, "EXPECTED_FIELD_MISSING", message, {"expected_fields": lacking})
    module, text = str(item["api_name"]), str(item["id"])
    if module not in org.settings.actions.change_owner_modules:
        details = {"api_name": "api_name", "json_path": f"{path}.api_name"}
        raise Refusal(400, "NOT_SUPPORTED", "The requested operation is not supported", details)
    exists = parameters.is_id(text) and org.store.read(
        f'SELECT 1 FROM "{module}" WHERE id = ?',
        (int(text),),
    )
    if not exists:
        details = {"api_name": "id", "json_path": f"{path}.id"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return module, int(text)


_SCOPE = ("ZohoCRM.change_owner.CREATE",)

ROUTES = (
    Route(
        "POST",
        f"{V8}/{{module}}/actions/change_owner",
        post_owners,
        "hand up to 500 records over to another user, with related ones",
        _SCOPE,
    ),
    Route(
        "POST",
        f"{V8}/{{module}}/{{record_id}}/actions/change_owner",
        post_owner,
        "hand one record over to another user, with related ones",
        _SCOPE,
    ),
)
