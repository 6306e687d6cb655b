"""E-mails of a record: what was sent from the CRM, and sending one more. Nothing leaves the org."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import INVENTORY, SALES, module_with, name_of, record_of
from zcrm_nb.emulator.configuring.bodies import checked, entries, invalid, missing, person
from zcrm_nb.emulator.records.table import iso
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

SUPPORTED = (*SALES, *INVENTORY)
#: Which e-mails a list shows; those that are drafted or scheduled the org does not have.
SENT = ("user_emails", "sent_from_crm", "all_contacts_sent_crm_emails")
TYPES = (
    *SENT, "all_contacts_draft_crm_emails", "all_contacts_scheduled_crm_emails",
    "scheduled_in_crm", "drafts",
)  # fmt: skip
#: What Zoho can do with an e-mail and the emulator cannot.
NOT_EMULATED = (
    "template", "inventory_details", "data_subject_request", "scheduled_time", "in_reply_to",
    "attachments",
)  # fmt: skip
FORMATS = ("html", "text")
PATH = "$.data[0]"
SUMMARY = 200
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def get_emails(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/Emails``: the e-mails of a record, the last one first."""
    module_info, record, listed = _emails(org, request, module, record_id)
    start, size = _start(request), org.settings.actions.emails_per_page
    shown = listed[start : start + size]
    if not shown:
        return NOTHING
    more = start + size < len(listed)
    info = {
        "count": len(shown),
        "next_index": str(start + size) if more else None,
        "prev_index": str(max(0, start - size)) if start else None,
        "per_page": size,
        "more_records": more,
    }
    return json_answer(
        {"Emails": [_shown(org, module_info, record, each) for each in shown], "info": info}
    )


def get_email(org: Org, request: Request, module: str, record_id: str, message_id: str) -> Answer:
    """``GET /{module}/{id}/Emails/{message_id}``: one e-mail, with its content."""
    module_info, record, listed = _emails(org, request, module, record_id)
    email = next((each for each in listed if each["message_id"] == message_id), None)
    if email is None:
        return NOTHING
    shown = _shown(org, module_info, record, email)
    whole = {name: email[name] for name in ("content", "mail_format", "reply_to")}
    return json_answer({"Emails": [shown | whole]})


def post_mail(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/send_mail``: send an e-mail to a record."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    item = entries(request, "data", most=1)[0]
    try:
        email = _email(org, item)
    except Refusal as refusal:
        return json_answer({"data": [refusal.body]}, refusal.status)
    with org.store.transaction():
        number = org.store.new_id()
        email |= {"message_id": f"{number:x}", "owner": request.user, "time": org.clock.now()}
        documents.add(org.store, documents.email_kind(record), email, number)
    result = {
        "code": "SUCCESS",
        "details": {"message_id": email["message_id"], "blocked_email_addresses": []},
        "message": org.settings.actions.mail_sent_message,
        "status": "success",
    }
    return json_answer({"data": [result]})


def _emails(
    org: Org, request: Request, module: str, record_id: str
) -> tuple[Module, int, list[Item]]:
    """Find the e-mails that a request is about, the last one first."""
    module_info = module_with(org, module, SUPPORTED)
    record = record_of(org, module_info, record_id)
    kind = parameters.one_of(request, "type", TYPES, "user_emails")
    listed = documents.listed(org.store, documents.email_kind(record)) if kind in SENT else []
    owner = request.params.get("owner_id")
    return (
        module_info,
        record,
        [each for each in reversed(listed) if owner in (None, str(each["owner"]))],
    )


def _start(request: Request) -> int:
    """Read where the page begins: the ``index`` is opaque to clients."""
    index = request.params.get("index")
    if index is None:
        return 0
    if not parameters.is_id(index):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "index"})
    return int(index)


def _email(org: Org, item: Item) -> Item:
    """Read an e-mail to be sent."""
    for name in NOT_EMULATED:
        if item.get(name):
            raise not_emulated(f"The key {name}")
    sender = _people(item, "from", single=True)[0]
    sql = "SELECT 1 FROM Users WHERE email = ? AND status = 'active'"
    if not org.store.read(sql, (sender["email"],)):
        raise invalid("email", f"{PATH}.from.email")
    receivers = _people(item, "to")
    if not receivers:
        raise missing("to", PATH)
    subject = item.get("subject")
    if subject in (None, ""):
        raise missing("subject", PATH)
    content = checked(item.get("content") or "", "string", f"{PATH}.content")
    mail_format = item.get("mail_format") or "html"
    if mail_format not in FORMATS:
        raise invalid("mail_format", f"{PATH}.mail_format", supported_values=list(FORMATS))
    return {
        "from": sender,
        "to": receivers,
        "cc": _people(item, "cc"),
        "bcc": _people(item, "bcc"),
        "reply_to": next(iter(_people(item, "reply_to", single=True)), None),
        "subject": checked(subject, "string", f"{PATH}.subject"),
        "content": content,
        "mail_format": mail_format,
    }


def _people(item: Item, name: str, *, single: bool = False) -> list[Item]:
    """Read the senders or receivers under a key."""
    value, path = item.get(name), f"{PATH}.{name}"
    if value is None:
        if name == "from":
            raise missing(name, PATH)
        return []
    named = [checked(value, "jsonobject", path)] if single else checked(value, "jsonarray", path)
    people = []
    for number, each in enumerate(named):
        where = path if single else f"{path}[{number}]"
        email = checked(each, "jsonobject", where).get("email")
        if email in (None, ""):
            raise missing("email", where)
        if not isinstance(email, str) or not _ADDRESS.fullmatch(email):
            raise invalid("email", f"{where}.email", expected_data_type="email")
        people.append({"user_name": str(each.get("user_name") or ""), "email": email})
    return people


def _shown(org: Org, module: Module, record_id: int, email: Item) -> Item:
    """Show an e-mail as a list does; what Zia finds out stays empty."""
    text = re.sub(r"<[^>]*>", " ", email["content"])
    return {
        "cc": email["cc"],
        "summary": " ".join(text.split())[:SUMMARY],
        "owner": person(org, email["owner"]),
        "read": False,
        "sent": True,
        "subject": email["subject"],
        "activity_info": None,
        "intent": None,
        "sentiment_info": None,
        "emotion": None,
        "message_id": email["message_id"],
        "source": "crm",
        "linked_record": {
            "id": str(record_id),
            "name": name_of(org, module, record_id),
            "module": {"api_name": module.api_name, "id": str(module.id)},
        },
        "from": email["from"],
        "to": email["to"],
        "time": iso(org, email["time"]),
        "status": [{"type": "sent"}],
        "has_attachment": False,
        "has_thread_attachment": False,
    }


_LIST = f"{V8}/{{module}}/{{record_id}}/Emails"
_SCOPES = ("ZohoCRM.modules.emails.READ", "ZohoCRM.modules.{module}.READ")

ROUTES = (
    Route(
        "GET",
        _LIST,
        get_emails,
        "e-mails that were sent to a record from the CRM",
        _SCOPES,
        honours=("type", "index", "owner_id"),
    ),
    Route(
        "GET",
        f"{_LIST}/{{message_id}}",
        get_email,
        "one e-mail of a record, with its content",
        _SCOPES,
        honours=("type", "owner_id"),
    ),
    Route(
        "POST",
        f"{V8}/{{module}}/{{record_id}}/actions/send_mail",
        post_mail,
        "keep an e-mail as sent to a record; nothing leaves the org",
        ("ZohoCRM.send_mail.{module}.CREATE",),
    ),
)
