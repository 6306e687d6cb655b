"""Sharing the e-mails of records with colleagues, record by record."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import module_with, record_of
from zcrm_nb.emulator.configuring.bodies import done
from zcrm_nb.emulator.records.writes import attempted, overall
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import CREATE, V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

SUPPORTED = ("Leads", "Contacts")
IDS = 200


def change_one(org: Org, request: Request, module: str, record_id: str, *, share: bool) -> Answer:
    """``POST /{module}/{id}/actions/(un)share_emails``: the e-mails of one record."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    return _answer(org, request, module_info, [record], share=share)


def change_many(org: Org, request: Request, module: str, *, share: bool) -> Answer:
    """``POST /{module}/actions/(un)share_emails``: the e-mails of records."""
    module_info = module_with(org, module, SUPPORTED)
    ids = request.json().get("ids")
    if ids is None:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "expected key is missing", {"api_name": "ids"})
    if not isinstance(ids, list) or not ids or len(ids) > IDS:
        details: Item = {"expected_data_type": "jsonarray", "api_name": "ids"}
        if isinstance(ids, list):
            details = {"maximum_length": IDS, "api_name": "ids", "json_path": "$.ids"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return _answer(org, request, module_info, ids, share=share)


def _answer(org: Org, request: Request, module: Module, ids: list[Any], *, share: bool) -> Answer:
    """Change whether the e-mails of each record are shared."""
    seen: set[str] = set()

    def change(text: str) -> Item:
        if text in seen:
            raise Refusal(400, "DUPLICATE_DATA", "Duplicate Data", {"id": text})
        seen.add(text)
        return _change(org, module, request.user, text, share=share)

    with org.store.transaction():
        tried = [attempted(org.store, change, str(each)) for each in ids]
    status = overall([error_status or 200 for _, error_status in tried], 200)
    return json_answer({"data": [result for result, _ in tried]}, status)


def _change(org: Org, module: Module, user: int, text: str, *, share: bool) -> Item:
    """Share the e-mails of one record, or stop sharing them."""
    sql = f'SELECT 1 FROM "{module.api_name}" WHERE id = ?'
    if not parameters.is_id(text) or not org.store.read(sql, (int(text),)):
        raise Refusal(400, "INVALID_DATA", "The id given seems to be invalid", {"id": text})
    kind = f"email sharing of {text}"
    present = documents.listed(org.store, kind)
    if share:
        if present:
            message = "Emails are already shared to the colleagues already"
            raise Refusal(400, "ALREADY_SHARED", message, {"id": text})
        documents.add(org.store, kind, {"user": user})
        return done("Successfully shared", text)
    if not present:
        message = "Emails are not  shared to the colleagues already"
        raise Refusal(400, "NOT_SHARED", message, {"id": text})
    documents.remove(org.store, present[0]["id"])
    return done("Sharing revoked successfully", text)


ROUTES = tuple(
    Route("POST", f"{V8}/{path}/actions/{action}", partial(change, share=share), what, CREATE)
    for action, share, words in (
        ("share_emails", True, "share the e-mails of"),
        ("unshare_emails", False, "stop sharing the e-mails of"),
    )
    for path, change, what in (
        ("{module}", change_many, f"{words} up to 200 records"),
        ("{module}/{record_id}", change_one, f"{words} a record"),
    )
)
