"""Every request of ours that changes something, judged against the documented shape."""

import json
import re
from collections.abc import Set
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests import calls
from zcrm_nb.emulated import attach

ID = r"\d{18,19}"
MODULE = r"[A-Z]\w+"
RECORDS = {"trigger", "process", "wf_trigger", "lar_id"}
OF_A_CONVERSION = {
    "overwrite", "notify_lead_owner", "notify_new_entity_owner", "move_attachments_to", "Accounts",
    "Contacts", "assign_to", "Deals", "add_to_existing_record", "carry_over_tags",
}  # fmt: skip
OF_A_RESOURCE = {
    "type", "module", "file_id", "file_names", "ignore_empty", "find_by", "field_mappings",
}  # fmt: skip
OF_A_CHANNEL = {
    "channel_id", "notify_url", "events", "token", "fields", "notify_on_related_action",
    "return_affected_field_values", "_delete_events", "channel_expiry", "notification_condition",
}  # fmt: skip


NONE: Set[str] = frozenset()


class Shape(NamedTuple):
    """What a request may and must have: its body, the items of one list in it, parameters."""

    needs: Set[str] = NONE
    allows: Set[str] = NONE
    items: str = ""
    item_needs: Set[str] = NONE
    item_allows: Set[str] | None = None
    params: Set[str] = NONE
    multipart: bool = False


SHAPES = {
    f"POST /crm/v8/{MODULE}": Shape({"data"}, RECORDS, "data"),
    f"PUT /crm/v8/{MODULE}": Shape({"data"}, RECORDS, "data", {"id"}),
    f"POST /crm/v8/{MODULE}/upsert": Shape({"data"}, RECORDS | {"duplicate_check_fields"}, "data"),
    f"DELETE /crm/v8/{MODULE}": Shape(params={"ids", "wf_trigger"}),
    f"POST /crm/v8/Leads/{ID}/actions/convert": Shape(
        {"data"}, items="data", item_allows=OF_A_CONVERSION
    ),
    f"POST /crm/v8/{MODULE}/actions/change_owner": Shape(
        {"owner", "ids"}, {"notify", "related_modules"}
    ),
    f"POST /crm/v8/{MODULE}/actions/mass_update": Shape({"data", "ids"}, items="data"),
    f"POST /crm/v8/{MODULE}/actions/mass_delete": Shape({"ids"}),
    f"POST /crm/v8/{MODULE}/actions/add_tags": Shape(
        {"tags", "ids", "over_write"}, items="tags", item_allows={"name", "id", "color_code"}
    ),
    f"POST /crm/v8/{MODULE}/actions/remove_tags": Shape(
        {"tags", "ids"}, items="tags", item_allows={"name", "id"}
    ),
    f"POST /crm/v8/{MODULE}/{ID}/Attachments": Shape(multipart=True),
    f"PUT /crm/v8/{MODULE}/{ID}/{MODULE}": Shape(
        {"data"}, items="data", item_needs={"id"},
        item_allows={"id", "Contact_Role", "Member_Status"},
    ),
    f"DELETE /crm/v8/{MODULE}/{ID}/{MODULE}": Shape(params={"ids"}),
    "POST /crm/v8/upload": Shape(multipart=True),
    "POST /crm/bulk/v8/write": Shape(
        {"operation", "resource"}, {"character_encoding", "callback", "ignore_empty"}, "resource",
        {"type", "module", "file_id"}, OF_A_RESOURCE,
    ),
    "POST /crm/bulk/v8/read": Shape({"query"}, {"callback", "file_type"}),
    "(POST|PUT|PATCH) /crm/v8/actions/watch": Shape(
        {"watch"}, items="watch", item_needs={"channel_id", "events"}, item_allows=OF_A_CHANNEL
    ),
    "DELETE /crm/v8/actions/watch": Shape(params={"channel_ids"}),
    f"POST /crm/v8/settings/recycle_bin(/{ID})?/actions/restore": Shape(
        allows={"recycle_bin", "ids"}
    ),
}  # fmt: skip
#: Writes that tests/calls.py does not have.
MORE = {
    "link with a role": lambda crm: crm.link(
        "Deals", first(crm, "Deals"), "Contact_Roles", first(crm, "Contacts"),
        values={"Contact_Role": "Purchasing"},
    ),
    "link with a status": lambda crm: crm.link(
        "Campaigns", first(crm, "Campaigns"), "Contacts", first(crm, "Contacts"),
        values={"Member_Status": "Sent"},
    ),
    "unlink": lambda crm: crm.unlink(
        "Campaigns", first(crm, "Campaigns"), "Contacts", first(crm, "Contacts")
    ),
    "convert into everything": lambda crm: crm.convert(
        first(crm, "Leads"), match=True, overwrite=True, notify=True, attachments_to="Contacts",
        tags={"Contacts": ["vip"]}, owner=crm.users()["id"].iloc[0],
        deal={"Deal_Name": "D", "Stage": "Qualification", "Closing_Date": "2026-12-31",
              "Pipeline": "Standard (Standard)", "Contact_Role": "Purchasing"},
    ),
    "delete and restore": lambda crm: crm.restore(
        "Vendors", crm.delete("Vendors", first(crm, "Vendors"))["id"]
    ),
    "watch and unwatch": lambda crm: crm.unwatch(
        crm.watch("Leads", notify_url="https://app.example.com/hook")
    ),
}  # fmt: skip


def first(crm, module):
    """The id of one record that may be changed."""
    options = {"converted": False} if module == "Leads" else {}
    return crm.records(module, ["id"], limit=1, **options)["id"].iloc[0]


@pytest.fixture(scope="module", autouse=True)
def _ids():
    """The ids that tests/calls.py needs."""
    calls.learn_ids()


def written(call):
    """Make a call; the requests it sent, but for reads and logins."""
    with calls.small_org() as org:
        crm = attach(org)
        crm._gate.sleep = org.clock.advance
        sent = []
        for adapter in set(crm._gate._session.adapters.values()):

            def send(request, *args, real=adapter.send, **options):
                sent.append(request)
                return real(request, *args, **options)

            adapter.send = send
        call(crm)
    return [
        each
        for each in sent
        if each.method != "GET" and not re.search(r"/oauth/|/coql|/composite", each.url)
    ]


def judge(request):
    """Hold a request against its shape."""
    parts = urlsplit(request.url)
    line = f"{request.method} {parts.path}"
    shapes = [shape for pattern, shape in SHAPES.items() if re.fullmatch(pattern, line)]
    assert len(shapes) == 1, f"{line} has no documented shape here"
    (shape,) = shapes
    assert {name for name, _ in parse_qsl(parts.query)} <= shape.params, line
    if shape.multipart:
        assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        return
    if request.body is None:
        assert not shape.needs
        return
    body = json.loads(request.body)
    assert shape.needs <= set(body) <= shape.needs | shape.allows | {shape.items} - {""}, line
    items = body.get(shape.items, [])
    assert len(items) <= 100
    for item in items:
        assert shape.item_needs <= set(item), line
        if shape.item_allows is not None:
            assert set(item) <= shape.item_allows, line
            assert None not in item.values(), line


WRITES = {
    name: call
    for name, call in {**calls.CALLS, **MORE}.items()
    if name in MORE
    or name in {"insert", "update", "upsert", "delete", "diff", "bulk_write", "convert",
                "change_owner", "mass_update", "mass_delete", "tag", "untag", "add_note", "attach",
                "link", "watch", "undo", "bulk"}
}  # fmt: skip


@pytest.mark.parametrize("name", WRITES)
def test_each_write_has_the_documented_shape(name):
    """Keys of the body and its items, parameters, and nothing that is null where it may not be."""
    requests = written(WRITES[name])
    assert requests
    for each in requests:
        judge(each)


def test_calls_that_read_write_nothing():
    """A method that begins to write gets a judge with its first request."""
    reads = {"records", "coql", "count", "related", "related_members", "contact_roles", "users",
             "modules", "notes", "tags", "views", "timeline", "recycle_bin"}  # fmt: skip
    for name in reads & set(calls.CALLS):
        assert written(calls.CALLS[name]) == [], name


def test_a_conversion_names_what_the_specification_requires():
    """The module that attachments go to by its id; no flag that has only one allowed value."""
    plain = json.loads(written(calls.CALLS["convert"])[0].body)["data"][0]
    assert "add_to_existing_record" not in plain
    full = json.loads(written(MORE["convert into everything"])[0].body)["data"][0]
    assert full["add_to_existing_record"] is True
    assert set(full["move_attachments_to"]) == {"api_name", "id"}
