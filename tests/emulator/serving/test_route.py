"""Query parameters: each one that Zoho documents is honoured or refused, none is ignored."""

from pathlib import Path

import pytest

from zcrm_nb.emulator.routes import ROUTES

DOCUMENTED = Path(__file__).parents[2] / "data" / "v8_parameters.txt"
ROUTE_OF = {(route.method, route.path): route for route in ROUTES}

#: Automation is not emulated, so there is nothing that these could hold back.
WITHOUT_EFFECT = {"wf_trigger", "restrict_triggers"}
#: These change an answer only beside another parameter, or a token that a page gave.
TESTED_ELSEWHERE = {"page_token", "job_id", "fields_attachment_id"}

VALUES = {
    "page": ["2"],
    "per_page": ["1"],
    "sort_by": ["Created_Time", "display_name", "nonsense"],
    "sort_order": ["asc"],
    "approved": ["false"],
    "converted": ["true"],
    "approval_state": ["merge_pending"],
    "fields": ["Created_Time", "Description", "Note_Title"],
    "ids": ["1"],
    "territory_id": ["1"],
    "type": ["permanent", "DeletedUsers", "unused"],
    "type__s": ["Lite User"],
    "status": ["user_hidden"],
    "layout_id": ["1"],
    "my_tags": ["true"],
    "module": ["Deals", "Nonsense"],
    "include": ["allowed_permissions_to_update"],
    "filters": [
        '{"field": {"api_name": "source"}, "comparator": "equal", "value": "x"}',
        "module:Deals",
    ],
    "include_inner_details": ["field_history.data_type"],
    "criteria": ["(Last_Name:equals:Nonsense)"],
    "email": ["nobody@example.com"],
    "phone": ["0000000"],
    "word": ["nonsense"],
    "cvid": ["1"],
    "channel_id": ["1"],
    "channel_ids": ["1"],
    "id": ["1"],
    "over_write": ["true"],
    "attachmentUrl": ["https://example.com/b.pdf"],
    "title": ["Another"],
}  # fmt: skip

#: What a request needs besides the parameter that is tried.
BASE = {
    ("GET", "/crm/v8/{module}"): {"fields": "Last_Name"},
    ("GET", "/crm/v8/{module}/{record_id}/{related}"): {"fields": "Note_Content"},
    ("GET", "/crm/v8/{module}/deleted/{record_id}/{related}"): {"fields": "Subject"},
    ("GET", "/crm/v8/{module}/{record_id}/Attachments"): {"fields": "File_Name"},
    ("GET", "/crm/v8/{module}/search"): {"criteria": "(Last_Name:not_equal:Nonsense)"},
    ("GET", "/crm/v8/{module}/actions/fetch_full_data"): {"fields": "Last_Name"},
    ("GET", "/crm/v8/{module}/{record_id}/actions/fetch_full_data"): {"fields": "Last_Name"},
    ("POST", "/crm/v8/{module}/{record_id}/Attachments"): {"attachmentUrl": "https://a.example/a"},
}


def documented():
    """Method, path and name of every documented parameter."""
    for line in DOCUMENTED.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            method, path, *names = line.split()
            yield from ((method, path, name) for name in names)


def test_every_documented_parameter_is_honoured_or_refused():
    """Each route says which, and never both."""
    lacking = [
        (method, path, name)
        for method, path, name in documented()
        if name not in ROUTE_OF[method, path].honours + ROUTE_OF[method, path].refuses
    ]
    assert lacking == []
    both = [each.path for each in ROUTES if set(each.honours) & set(each.refuses)]
    assert both == []


@pytest.fixture
def places(ask):
    """Fill an org so that every address has something to show; the addresses' names by path."""
    lead = ask.ids("Leads")[0]
    account = ask.ids("Accounts")[0]
    contacts = [{"id": each} for each in ask.ids("Contacts")[:2]]
    ask("PUT", f"/Accounts/{account}/Contacts", None, {"data": contacts})
    for module in ("Leads", "Deals"):
        ask("POST", "/settings/tags", {"module": module}, {"tags": [{"name": f"For {module}"}]})
    for name in ("a", "b"):
        note = {"Note_Title": name, "Note_Content": name}
        ask("POST", f"/Leads/{lead}/Notes", None, {"data": [note]})
        ask("POST", f"/Leads/{lead}/Attachments", {"attachmentUrl": f"https://a.example/{name}"})
        ask("POST", f"/Leads/{lead}/actions/add_tags", None, {"tags": [{"name": name}]})
        ask("PUT", f"/Leads/{lead}", None, {"data": [{"Last_Name": name}]})
    ask.emulator.store.execute("UPDATE tags SET created_by = 1 WHERE name = 'b'")
    channel = {"events": ["Deals.create"], "notify_url": "http://127.0.0.1:9/x"}
    for number in (7, 8):
        ask("POST", "/actions/watch", None, {"watch": [channel | {"channel_id": str(number)}]})
    ask("DELETE", "/Leads", {"ids": ",".join(ask.ids("Leads")[2:4])})
    ask("DELETE", f"/Accounts/{account}")
    note = ask("GET", f"/Leads/{lead}/Notes", {"fields": "id"}).body["data"][0]["id"]
    view = ask("GET", "/settings/custom_views", {"module": "Leads"}).body["custom_views"][0]["id"]
    tag = ask("GET", "/settings/tags", {"module": "Leads"}).body["tags"][0]["id"]
    fields = ask("GET", "/settings/fields", {"module": "Leads"}).body["fields"]
    choice = next(each["id"] for each in fields if each["api_name"] == "Lead_Source")
    layout = ask("GET", "/settings/layouts", {"module": "Leads"}).body["layouts"][0]["id"]
    names = {
        "{record_id}": lead,
        "{related_id}": note,
        "{related}": "Notes",
        "{module}": "Leads",
        "{cvid}": view,
        "{tag_id}": tag,
        "{field_id}": choice,
        "{layout_id}": layout,
    }

    def place(path):
        if "/deleted/{record_id}" in path:
            return f"/Accounts/deleted/{account}/Contacts"
        for name, value in names.items():
            path = path.replace(name, value)
        return path.removeprefix("/crm/v8")

    return place


def shown(reply):
    """Leave out what depends on all parameters together: page tokens and their expiry."""
    body = reply.body
    if isinstance(body, dict) and "info" in body:
        info = {key: each for key, each in body["info"].items() if "token" not in key}
        body = body | {"info": info}
    return reply.status, body


def body_of(path, lead):
    """Make a body that a write needs."""
    if path.endswith("/add_tags"):
        return {"tags": [{"name": f"new {len(path)}"}], "ids": [lead]}
    if path.endswith("/remove_tags"):
        return {"tags": [{"name": "new"}]}
    return {"tags": []} if "/tags" in path else {"custom_views": []}


def test_every_honoured_parameter_changes_the_answer(ask, places):
    """With some value of each, the answer is another one than without."""
    ignored, lead = [], places("{record_id}")
    for method, path, name in documented():
        if name in WITHOUT_EFFECT | TESTED_ELSEWHERE or name in ROUTE_OF[method, path].refuses:
            continue
        base = dict(BASE.get((method, path), {}))
        if "/settings/" in path and "recycle_bin" not in path:
            base["module"] = "Leads"
        if path.endswith("{module}/actions/fetch_full_data"):
            base["ids"] = lead
        if name in ("email", "phone", "word"):  # criteria come first where both are sent
            base.pop("criteria", None)
        body = None if method in ("GET", "DELETE") else body_of(path, lead)
        without = {key: value for key, value in base.items() if key != name}
        plain = [shown(ask(method, places(path), each, body)) for each in (base, without)]
        tried = [
            shown(ask(method, places(path), base | {name: value}, body)) for value in VALUES[name]
        ]
        if all(each == plain[0] for each in (*plain, *tried)):
            ignored.append((method, path, name))
    assert ignored == [], ignored


def test_every_refused_parameter_is_refused_as_not_emulated(ask, places):
    """404 with its name, on every address that Zoho documents it for."""
    for method, path, name in documented():
        if name in ROUTE_OF[method, path].refuses:
            reply = ask(method, places(path), {name: "1", "module": "Leads"}, {})
            assert (reply.status, reply.body["details"]) == (404, {"emulated": False}), path
            assert reply.body["message"] == f"The parameter {name} is not emulated by zcrm_nb"


@pytest.mark.parametrize("path", ["/Leads", "/users", "/settings/modules", "/Leads/search"])
def test_what_no_page_documents_is_ignored_or_refused_by_a_setting(make, path):
    """No page says what Zoho does with it."""
    params = {"fields": "id", "word": "xyz", "nonsense": "1"}
    assert make()("GET", path, params).status in (200, 204)
    reply = make({"refuse_unknown_parameters": True})("GET", path, {"nonsense": "1"})
    assert (reply.status, reply.body["details"]) == (400, {"param_name": "nonsense"})


def test_legacy_parameters_can_be_ignored_by_a_setting(make):
    """For clients that send those of the specification of 2025."""
    legacy = {"uid": "1", "startDateTime": "2026-01-01T00:00:00+00:00"}
    ask = make({"ignored_parameters": tuple(legacy)})
    assert ask("GET", "/Leads", {"fields": "id", **legacy}).status == 200


def test_a_parameter_is_refused_inside_a_composite_request_too(ask):
    """The same route checks it."""
    item = {"sub_request_id": "a", "method": "GET", "uri": "/crm/v8/Leads"}
    item["params"] = {"fields": "id", "uid": "1"}
    body = {"__composite_requests": [item]}
    (result,) = ask("POST", "/__composite_requests", None, body).body["__composite_requests"]
    assert result["details"]["response"]["body"]["details"] == {"emulated": False}
