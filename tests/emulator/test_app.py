"""From HTTP to a handler and back, and the order of the checks in between."""

from email.utils import parsedate_to_datetime

import pytest

from zcrm_nb.emulator.routes import Router
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Headers, Request, json_answer
from zcrm_nb.emulator.serving.route import Route

LEADS = ("GET", "/Leads", {"fields": "id"})


def test_headers_are_found_in_any_case():
    """As HTTP has it."""
    headers = Headers([("X-EXTERNAL", "a")])
    assert headers["x-external"] == headers.get("X-External") == "a"
    assert headers.get("If-Modified-Since") is None


def test_a_body_must_be_a_json_object():
    """Anything else is refused."""
    assert Request("POST", "/", body=b'{"a": 1}').json() == {"a": 1}
    for body in (b"", b"{", b"[1]"):
        with pytest.raises(Refusal, match="400 INVALID_DATA"):
            Request("POST", "/", body=body).json()


def test_a_form_may_come_in_query_and_body():
    """Both count, the body wins."""
    request = Request("POST", "/", {"a": "1", "b": "2"}, body=b"b=3&c=%2B")
    assert request.form() == {"a": "1", "b": "3", "c": "+"}


def test_answers_are_json(ask):
    """With Zoho's content type."""
    assert ask(*LEADS).headers["Content-Type"] == "application/json;charset=UTF-8"


def test_answers_tell_the_time_of_the_org(ask, emulator):
    """In the header that every web server sends; the world's morning, not that of this machine."""
    told = parsedate_to_datetime(ask(*LEADS).headers["Date"])
    assert told.timestamp() == emulator.clock.now()


def test_checks_come_in_zohos_order(ask, emulator):
    """Address before token, token before limits, limits before faults, faults before handler."""
    emulator.faults.add("500")
    headers = {"Authorization": ""}
    assert ask("GET", "/a/b/c/d/e", headers=headers).status == 404
    assert ask("PATCH", "/Leads", headers=headers).status == 400
    assert ask(*LEADS, headers=headers).status == 401
    emulator.meter.spend(emulator.meter.allowance - emulator.meter.spent)
    assert ask("GET", "/Leeds").status == 429
    emulator.clock.advance(24 * 3600)
    ask.token = ask.refresh().body["access_token"]
    assert ask("GET", "/Leeds").status == 500
    assert ask("GET", "/Leeds").status == 400


@pytest.mark.parametrize("status", [400, 405])
def test_the_status_of_a_wrong_method_is_a_setting(make, status):
    """CONFLICT: 400 in examples, 405 in the table."""
    reply = make({"invalid_method_status": status})("PATCH", "/Leads")
    assert (reply.status, reply.body["code"]) == (status, "INVALID_REQUEST_METHOD")


def test_a_bug_of_ours_says_so(ask, emulator, caplog):
    """HTTP 500, the error in details, the traceback in the log."""

    def broken(org, request):
        raise KeyError("oops")

    emulator.wsgi.router = Router([Route("GET", "/crm/v8/broken", broken, "breaks")])
    reply = ask("GET", "/broken")
    assert (reply.status, reply.body["code"]) == (500, "INTERNAL_ERROR")
    assert reply.body["details"] == {"emulator": "KeyError: 'oops'"}
    assert "Traceback" in caplog.text


def test_the_more_literal_path_answers():
    """/settings/fields before /settings/** before /{module}/{id}."""

    def handler(name):
        return Route("GET", name, lambda org, request: json_answer({}), name)

    router = Router([handler("/crm/v8/{module}/{id}"), handler("/crm/v8/users/{id}")])

    def found(path):
        return router.find(Request("GET", path), None)

    assert found("/crm/v8/users/1")[1] == {"id": "1"}
    assert found("/crm/v8/Leads/1")[1] == {"module": "Leads", "id": "1"}
    with pytest.raises(Refusal) as refused:
        found("/crm/v8/settings/tags")
    assert refused.value.details == {"emulated": False}


def test_text_beyond_ascii_arrives_whole(ask):
    """In paths, parameters and bodies."""
    body = {"data": [{"Last_Name": "Müller-Ōta", "City": "कोच्चि"}]}
    assert ask("POST", "/Leads", None, body).status == 201
    found = ask("GET", "/Leads/search", {"criteria": "(City:equals:कोच्चि)"})
    assert found.body["data"][0]["Last_Name"] == "Müller-Ōta"
    assert ask("GET", "/Müller", {"fields": "id"}).body["code"] == "INVALID_MODULE"
