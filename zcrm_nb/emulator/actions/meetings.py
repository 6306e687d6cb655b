"""Cancelling a meeting to which participants are invited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.configuring.bodies import checked, done, missing
from zcrm_nb.emulator.records.table import CANCELLED
from zcrm_nb.emulator.records.writes import items_of, refuse_locked
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

MAIL = "send_cancelling_mail"


def post_cancel(org: Org, request: Request, event_id: str) -> Answer:
    """``POST /Events/{id}/actions/cancel``: cancel a meeting."""
    item = items_of(request.json())[0]
    try:
        if item.get(MAIL) is None:
            raise missing(MAIL, "$.data[0]")
        checked(item[MAIL], "boolean", f"$.data[0].{MAIL}")
        event = _event(org, event_id)
        _check(org, event)
    except Refusal as refusal:
        return json_answer({"data": [refusal.body]}, refusal.status)
    with org.store.transaction():
        documents.add(org.store, f"{CANCELLED} {event['id']}", {"by": request.user})
    return json_answer({"data": [done("The event is successfully cancelled", event["id"])]})


def _event(org: Org, text: str) -> dict[str, Any]:
    """Find the meeting of an address."""
    rows = org.store.rows("Events", "id = ?", (int(text),)) if parameters.is_id(text) else []
    if not rows:
        raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", {"id": text})
    return rows[0]


def _check(org: Org, event: dict[str, Any]) -> None:
    """See that a meeting can be cancelled."""
    details = {"id": str(event["id"])}
    refuse_locked(org.store, org.schema.modules["Events"], event["id"])
    if documents.listed(org.store, f"{CANCELLED} {event['id']}"):
        raise Refusal(400, "NOT_ALLOWED", "The event is already cancelled", details)
    if not orjson.loads(event["Participants"] or "[]"):
        message = "You cannot cancel the event without inviting participants"
        raise Refusal(400, "NOT_ALLOWED", message, details)
    if event["End_DateTime"] <= org.clock.now():
        message = "You cannot cancel the meeting after the meeting end time"
        raise Refusal(400, "NOT_ALLOWED", message, details)


ROUTES = (
    Route(
        "POST",
        f"{V8}/Events/{{event_id}}/actions/cancel",
        post_cancel,
        "cancel a meeting that has participants and is not over; no e-mail is sent",
        ("ZohoCRM.modules.Events.UPDATE",),
    ),
)
