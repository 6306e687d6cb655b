"""Locking records by hand, with a reason: a locked record refuses to be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import INVENTORY, SALES, module_with, name_of, record_of
from zcrm_nb.emulator.configuring.bodies import done, entries, missing, person, stamped, stamps
from zcrm_nb.emulator.records.table import iso, plain_info
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

SUPPORTED = (*SALES, *INVENTORY, "Tasks", "Solutions")
REASON = "Locked_Reason__s"


def get_locks(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/Locking_Information__s``: the lock of a record, if it has one."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    ids = parameters.ids(request)
    locks = [
        each
        for each in documents.listed(org.store, _kind(record))
        if not ids or int(each["id"]) in ids
    ][(page - 1) * per_page :]
    if not locks:
        return NOTHING
    shown = [_shown(org, request, module_info, record, each) for each in locks[:per_page]]
    return json_answer({"data": shown, "info": plain_info(page, per_page, len(locks))})


def get_lock(org: Org, request: Request, module: str, record_id: str, lock_id: str) -> Answer:
    """``GET /{module}/{id}/Locking_Information__s/{lock_id}``: one lock."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    lock = _lock(org, record, lock_id)
    return json_answer({"data": [_shown(org, request, module_info, record, lock)]})


def post_lock(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/Locking_Information__s``: lock a record."""
    module_info = module_with(org, module, SUPPORTED)
    record, reason = record_of(org, module_info, record_id), _reason(request)
    if documents.listed(org.store, _kind(record)) or _is_locked(org, module_info, record):
        refusal = Refusal(403, "NOT_ALLOWED", "Record is already locked", {"id": str(record)})
        return json_answer({"data": [refusal.body]}, refusal.status)
    body = {"reason": reason, **stamps(org, request.user)}
    with org.store.transaction():
        lock_id = documents.add(org.store, _kind(record), body)
        _mark(org, module_info, record, locked=True)
    times = stamped(org, body)
    details = {
        "Modified_Time": times["modified_time"],
        "Modified_By": times["modified_by"],
        "Created_Time": times["created_time"],
        "id": lock_id,
        "Created_By": times["created_by"],
    }
    return json_answer({"data": [done("record added", lock_id) | {"details": details}]}, 201)


def put_lock(org: Org, request: Request, module: str, record_id: str, lock_id: str) -> Answer:
    """``PUT /{module}/{id}/Locking_Information__s/{lock_id}``: change the reason."""
    module_info = module_with(org, module, SUPPORTED)
    lock, reason = _lock(org, record_of(org, module_info, record_id), lock_id), _reason(request)
    now = {name: stamps(org, request.user)[name] for name in ("modified_by", "modified_time")}
    with org.store.transaction():
        documents.change(org.store, lock | now | {"reason": reason})
    return json_answer({"data": [done(org.settings.actions.lock_changed_message, lock_id)]})


def delete_lock(org: Org, request: Request, module: str, record_id: str, lock_id: str) -> Answer:
    """``DELETE /{module}/{id}/Locking_Information__s/{lock_id}``: unlock a record."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    lock = _lock(org, record, lock_id)
    with org.store.transaction():
        documents.remove(org.store, lock["id"])
        _mark(org, module_info, record, locked=False)
    return json_answer({"data": [done("record deleted", lock["id"])]})


def _kind(record_id: int) -> str:
    """Name the kind of document that the lock of a record is."""
    return f"lock of {record_id}"


def _lock(org: Org, record_id: int, lock_id: str) -> Item:
    """Find a lock of a record, or refuse an unknown id."""
    lock = next(
        (each for each in documents.listed(org.store, _kind(record_id)) if each["id"] == lock_id),
        None,
    )
    if lock is None:
        message = "the related id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 3})
    return lock


def _reason(request: Request) -> str:
    """Read why a record is locked."""
    item = entries(request, "data", most=1)[0]
    reason = item.get(REASON)
    if reason in (None, ""):
        raise missing(REASON, "$.data[0]")
    if not isinstance(reason, str):
        details = {"expected_data_type": "string", "api_name": REASON}
        path = {"json_path": f"$.data[0].{REASON}"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details | path)
    return reason


def _is_locked(org: Org, module: Module, record_id: int) -> bool:
    """Whether a record is locked."""
    sql = f'SELECT Locked__s FROM "{module.api_name}" WHERE id = ?'
    return bool(org.store.read(sql, (record_id,))[0][0])


def _mark(org: Org, module: Module, record_id: int, *, locked: bool) -> None:
    """Set or clear ``Locked__s``; that is no change of the record's own values."""
    sql = f'UPDATE "{module.api_name}" SET Locked__s = ? WHERE id = ?'
    org.store.execute(sql, (int(locked), record_id))


def _shown(org: Org, request: Request, module: Module, record_id: int, lock: Item) -> Item:
    """Show a lock, or the fields of it that a request names."""
    names = parameters.names(request, "fields")
    times = stamped(org, lock)
    name = name_of(org, module, record_id)
    shown = {
        "lock_source__s": "Manual",
        "locked_by__s": person(org, lock["created_by"]),
        "locked_for_s": {
            "name": name,
            "id": str(record_id),
            "module": {"api_name": module.api_name, "id": str(module.id)},
        },
        "locked_reason__s": lock["reason"],
        "Locked_time__s": iso(org, lock["created_time"]),
        "record_locking_configuration_id__s": None,
        "record_locking_rule_id__s": None,
        "Created_By": times["created_by"],
        "Created_Time": times["created_time"],
        "Modified_By": times["modified_by"],
        "Modified_Time": times["modified_time"],
        "name": name,
    }
    wanted = {each.lower() for each in names}
    chosen = {key: value for key, value in shown.items() if not names or key.lower() in wanted}
    return {"id": lock["id"], **chosen}


_ALL = f"{V8}/{{module}}/{{record_id}}/Locking_Information__s"
_ONE = f"{_ALL}/{{lock_id}}"


def _scopes(operation: str) -> tuple[str, str]:
    """List the scopes of an operation: on the lock, and on the record's module."""
    lock = f"ZohoCRM.modules.lockinginformation.{operation}"
    return lock, f"ZohoCRM.modules.{{module}}.{operation}"


ROUTES = (
    Route(
        "GET",
        _ALL,
        get_locks,
        "the lock of a record",
        _scopes("READ"),
        honours=("fields", "ids", *PAGES),
        refuses=("page_token",),
    ),
    Route("POST", _ALL, post_lock, "lock a record, with a reason", _scopes("CREATE")),
    Route("GET", _ONE, get_lock, "one lock", _scopes("READ"), honours=("fields",)),
    Route("PUT", _ONE, put_lock, "change the reason of a lock", _scopes("UPDATE")),
    Route("DELETE", _ONE, delete_lock, "unlock a record", _scopes("DELETE")),
)
