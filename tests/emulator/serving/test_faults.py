"""Trouble on request."""

import pytest

from zcrm_nb.emulator.serving.faults import KINDS

LEADS = ("GET", "/Leads", {"fields": "Last_Name"})


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("429", 429, "TOO_MANY_REQUESTS"),
        ("500", 500, "INTERNAL_ERROR"),
        ("503", 503, "SERVICE_UNAVAILABLE"),
    ],
)
def test_a_fault_hits_as_often_as_asked(ask, emulator, kind, status, code):
    """Three times, then all is well."""
    emulator.faults.add(kind, times=3)
    replies = [ask(*LEADS) for _ in range(4)]
    assert [reply.status for reply in replies] == [status] * 3 + [200]
    assert replies[0].body["code"] == code


def test_a_gateway_answers_with_html(ask, emulator):
    """HTTP 502, and HTTP 200 with a page where JSON belongs."""
    emulator.faults.add("502")
    emulator.faults.add("html")
    for status in (502, 200):
        reply = ask(*LEADS)
        assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html")
        assert reply.raw.startswith(b"<html>")


def test_a_torn_answer_promises_more_than_it_holds(ask, emulator):
    """The call was handled all the same."""
    before = len(ask.ids("Leads"))
    emulator.faults.add("torn")
    torn = ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]})
    assert 0 < len(torn.raw) < int(torn.headers["Content-Length"])
    assert len(ask.ids("Leads")) == before + 1


def test_a_lost_answer_leaves_the_write_done(ask, emulator):
    """And a reset connection leaves it undone: the caller cannot tell."""
    before = len(ask.ids("Leads"))
    write = ("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]})
    emulator.faults.add("reset", method="POST")
    with pytest.raises(ConnectionResetError):
        ask(*write)
    assert len(ask.ids("Leads")) == before
    emulator.faults.add("lost", method="POST")
    with pytest.raises(ConnectionResetError):
        ask(*write)
    assert len(ask.ids("Leads")) == before + 1


def test_a_slow_answer_sleeps_first(ask, emulator, naps):
    """Through the sleep that was given."""
    emulator.faults.add("slow", seconds=2.5)
    assert ask(*LEADS).status == 200
    assert naps == [2.5]


def test_latency_holds_for_every_call(make, naps):
    """In milliseconds."""
    ask = make(latency_ms=150)
    naps.clear()
    ask(*LEADS)
    assert naps == [0.15]


def test_tokens_end_mid_paging(ask, emulator):
    """After two calls that go well, all access tokens are dead; refreshing helps."""
    emulator.faults.add("expire_tokens", after=2, path="/Leads")
    assert [ask(*LEADS).status for _ in range(3)] == [200, 200, 401]
    assert ask("GET", "/org").status == 401
    ask.token = ask.refresh().body["access_token"]
    assert ask(*LEADS).status == 200


def test_a_fault_keeps_to_its_path_and_method(ask, emulator):
    """And to the API unless told otherwise."""
    emulator.faults.add("500", path="/Deals", method="PUT")
    emulator.faults.add("503", path="/oauth/")
    assert ask(*LEADS).status == 200
    assert ask("GET", "/Deals", {"fields": "id"}).status == 200
    assert ask.refresh().status == 503


def test_an_unknown_fault_names_those_there_are(emulator):
    """A typo is a ValueError."""
    with pytest.raises(ValueError, match="expire_tokens"):
        emulator.faults.add("400")


def test_every_fault_says_what_it_is():
    """The coverage page shows it."""
    assert all(what for _, what in KINDS.values())
