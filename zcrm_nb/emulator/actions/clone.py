"""Cloning: a new record with the values of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import module_with, record_of
from zcrm_nb.emulator.records.records import one_record
from zcrm_nb.emulator.records.writes import Writer, attempted, items_of
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import CREATE, V8, Route
from zcrm_nb.emulator.storage.schema import ONLY_ON_ONE

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

NOT_COPIED = ("fileupload", "imageupload", "profileimage", "autonumber")
PATH = "$.data[0]"


def post_clone(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/clone``: add a copy of a record, with other values if sent."""
    module_info = module_with(org, module)
    values = _values(request)
    copied = _copied(org, module_info, record_of(org, module_info, record_id))
    writer = Writer(org, request.user, module_info)
    with org.store.transaction():
        result, error_status = attempted(org.store, writer.insert, copied | values, PATH)
        results = writer.receipts([result])
    return json_answer({"data": results}, error_status or 201)


def _values(request: Request) -> Item:
    """Read the values that shall differ; the body may be left out."""
    if not request.body:
        return {}
    items = items_of(request.json())
    if len(items) > 1:
        details = {"maximum_length": 1, "api_name": "data", "json_path": "$.data"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return items[0]


def _copied(org: Org, module: Module, record_id: int) -> Item:
    """Read what a clone takes over: no files, and nothing that only Zoho fills."""
    fields = [
        each
        for each in module.fields
        if not each.read_only
        and not each.external
        and each.data_type not in NOT_COPIED
        and (each.written or each.data_type in ONLY_ON_ONE)
    ]
    record = one_record(org.store, module, record_id, fields) or {}
    behind = {each.api_name for each in fields if each.data_type in ONLY_ON_ONE}
    copied = {
        name: [_without_id(row) for row in value] if name in behind else value
        for name, value in record.items()
        if value is not None and name not in ("id", "$has_more")
    }
    return {name: value for name, value in copied.items() if value != []}


def _without_id(row: Item) -> Item:
    """Copy a row of a subform, or a link, as one that is yet to be made."""
    return {name: value for name, value in row.items() if name != "id" and value is not None}


ROUTES = (
    Route(
        "POST",
        f"{V8}/{{module}}/{{record_id}}/actions/clone",
        post_clone,
        "add a copy of a record, with its subform rows and links; other values in the body win",
        CREATE,
        "write",
    ),
)
