"""Composite requests: five calls in one, with references, all or none."""

import pytest

from zcrm_nb.emulator.settings import RelationSettings

KEY = "__composite_requests"
ADD = {
    "sub_request_id": "1",
    "method": "POST",
    "uri": "/crm/v8/Leads",
    "body": {"data": [{"Last_Name": "Boyle"}]},
}
CHANGE = {
    "sub_request_id": "2",
    "method": "PUT",
    "uri": "/crm/v8/Leads/@{1:$.data[0].details.id}",
    "body": {"data": [{"Company": "Zylker"}]},
}
BAD = {"sub_request_id": "3", "method": "PUT", "uri": "/crm/v8/Leads/7", "body": {"data": [{}]}}


def composite(ask, *subs, **flags):
    """Send some calls in one."""
    return ask("POST", f"/{KEY}", None, {KEY: list(subs), **flags})


def response(said, index=0):
    """What one call was answered."""
    return said.body[KEY][index]["details"]["response"]


def test_zohos_own_example_runs(ask):
    """A lead is made, and changed by the id in the answer."""
    said = composite(ask, ADD, CHANGE, rollback_on_fail=False, parallel_execution=False)
    assert said.status == 200
    made, changed = said.body[KEY]
    assert made["message"] == "composite sub request executed successfully"
    assert (response(said)["status_code"], response(said, 1)["status_code"]) == (201, 200)
    lead = response(said)["body"]["data"][0]["details"]["id"]
    assert response(said, 1)["body"]["data"][0]["details"]["id"] == lead
    assert ask("GET", f"/Leads/{lead}").body["data"][0]["Company"] == "Zylker"
    assert changed["status"] == "success"


def test_a_call_waits_for_those_it_refers_to(ask):
    """Wherever it stands; a number stays a number, also within a text."""
    where = "@{1:$.data[0].details.id}"
    query = {"select_query": f"select Last_Name from Leads where id = '{where}'"}
    read = {"method": "POST", "uri": "/crm/v8/coql", "body": query}
    said = composite(ask, read, ADD)
    assert response(said)["body"]["data"][0]["Last_Name"] == "Boyle"


def test_all_or_none_leaves_no_trace_of_a_failure(ask, emulator):
    """Neither records nor tags nor history; what was never begun is told."""
    before = ask.ids("Leads")
    last = {"method": "GET", "uri": "/crm/v8/org"}
    said = composite(ask, ADD, BAD, last, rollback_on_fail=True)
    assert said.status == 207
    rolled, failed, stopped = said.body[KEY]
    assert (rolled["code"], rolled["details"]) == (
        "ROLLBACK_PERFORMED",
        {"rollbacked_by_sub_request_index": 1},
    )
    assert failed["details"]["response"]["status_code"] == 400
    assert stopped["code"] == "PROCESSING_STOPPED"
    assert ask.ids("Leads") == before


def test_all_or_none_does_nothing_beside_a_call_that_is_wrong_in_itself(ask):
    """None means none."""
    before = ask.ids("Leads")
    said = composite(ask, ADD, {"method": "GET"}, rollback_on_fail=True)
    assert [each["code"] for each in said.body[KEY]] == [
        "PROCESSING_STOPPED",
        "MANDATORY_NOT_FOUND",
    ]
    assert ask.ids("Leads") == before


def test_without_rollback_each_goes_its_own_way(ask):
    """What builds on a failure is not begun."""
    after = {**CHANGE, "uri": "/crm/v8/Leads/@{3:$.data[0].details.id}"}
    said = composite(ask, ADD, BAD, after)
    assert said.status == 207
    assert [each["code"] for each in said.body[KEY]] == ["SUCCESS", "SUCCESS", "PROCESSING_STOPPED"]
    assert response(said)["status_code"] == 201


def test_what_a_composite_costs(ask, emulator):
    """One credit; two for all or none that succeeds."""
    for flags, price in (({}, 1), ({"rollback_on_fail": True}, 2)):
        before = emulator.meter.spent
        composite(ask, ADD, CHANGE, **flags)
        assert emulator.meter.spent - before == price
    before = emulator.meter.spent
    composite(ask, ADD, BAD, rollback_on_fail=True)
    assert emulator.meter.spent - before == 1


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"uri": "Leads"}, "INVALID_DATA", "regex"),
        ({"uri": "/crm/v3/Leads"}, "NOT_SUPPORTED", "composite_request_version"),
        ({"uri": "/crm/v8/files"}, "NOT_SUPPORTED", "allowed_services"),
        ({"uri": f"/crm/v8/{KEY}"}, "NOT_SUPPORTED", "allowed_services"),
        ({"method": "DELETE", "params": {"ids": "1"}}, "NOT_SUPPORTED", "allowed_services"),
        ({"method": "HEAD"}, "INVALID_DATA", "supported_values"),
        ({"headers": {"Authorization": "x"}}, "INVALID_DATA", "restricted_headers"),
        ({"sub_request_id": "_1"}, "INVALID_DATA", "regex"),
        ({"body": {"data": [{}, {}]}}, "INVALID_DATA", "maximum_length"),
        ({"uri": "/crm/v8/Leads/@{9:$.id}"}, "INVALID_REFERENCE", "reference"),
        ({"uri": "/crm/v8/Leads/@{1:$.id}"}, "LOOPING_FOUND", "dependent_data"),
    ],
)
def test_a_wrong_call_is_refused_alone(ask, change, code, detail):
    """The others run."""
    said = composite(ask, {**ADD, **change}, {"method": "GET", "uri": "/crm/v8/org"})
    wrong, org = said.body[KEY]
    assert (said.status, wrong["code"]) == (207, code)
    assert detail in wrong["details"]
    assert org["details"]["response"]["body"]["org"]


def test_two_calls_of_one_name_are_refused(ask):
    """Nobody could refer to them."""
    said = composite(ask, ADD, ADD)
    assert said.status == 400
    assert [each["details"]["sub_request_indexes"] for each in said.body[KEY]] == [[0, 1]] * 2


def test_calls_that_wait_for_each_other_are_refused(ask):
    """Both, and what they refer to is told."""
    one = {**ADD, "uri": "/crm/v8/Leads/@{2:$.data[0].details.id}", "method": "PUT"}
    said = composite(ask, one, CHANGE)
    assert [each["code"] for each in said.body[KEY]] == ["LOOPING_FOUND"] * 2


def test_a_reference_to_what_is_not_there_is_told(ask):
    """The call is not made."""
    said = composite(ask, ADD, {**CHANGE, "uri": "/crm/v8/Leads/@{1:$.data[3].id}"})
    assert said.body[KEY][1]["details"]["reference"] == "@{1:$.data[3].id}"


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        ({}, "MANDATORY_NOT_FOUND", "api_name"),
        ({KEY: []}, "INVALID_DATA", "expected_data_type"),
        ({KEY: [ADD] * 6}, "INVALID_DATA", "maximum_length"),
        ({KEY: [ADD], "rollback_on_fail": "yes"}, "INVALID_DATA", "expected_data_type"),
        (
            {KEY: [ADD], "rollback_on_fail": True, "parallel_execution": True},
            "AMBIGUITY_DURING_PROCESSING",
            "ambiguity_due_to",
        ),
        (
            {KEY: [ADD], "rollback_on_fail": True, "concurrent_execution": True},
            "AMBIGUITY_DURING_PROCESSING",
            "ambiguity_due_to",
        ),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(ask, body, code, detail):
    """As a whole."""
    said = ask("POST", f"/{KEY}", None, body)
    assert (said.status, said.body["code"]) == (400, code)
    assert detail in said.body["details"]


@pytest.mark.parametrize("cut", [True, False])
def test_lists_inside_end_at_25(make, cut):
    """As a page allows; whether Zoho cuts or refuses is open."""
    ask = make({"relations": RelationSettings(composite_cuts_lists=cut)})
    asked = {"method": "GET", "uri": "/crm/v8/Leads", "params": {"fields": "id"}}
    info = response(composite(ask, asked))["body"]["info"]
    assert (info["count"] == 25) == info["more_records"] == cut


def test_its_scope_is_its_own(ask, emulator):
    """And each call inside needs its own too."""
    code = emulator.grant_code("ZohoCRM.composite_requests.CUSTOM,ZohoCRM.org.READ")
    ask.token = ask.exchange(code).body["access_token"]
    said = composite(ask, ADD, {"method": "GET", "uri": "/crm/v8/org"})
    assert [response(said, n)["status_code"] for n in (0, 1)] == [401, 200]
    ask.token = ask.exchange(emulator.grant_code("ZohoCRM.org.READ")).body["access_token"]
    assert composite(ask, ADD).body["code"] == "OAUTH_SCOPE_MISMATCH"
