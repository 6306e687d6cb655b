"""``POST /coql``: what goes over the wire around a query."""

import pytest

from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.emulator.world import ADMIN


def coql(ask, query, **more):
    """Send a query."""
    return ask("POST", "/coql", json_body={"select_query": query, **more})


def test_an_answer_has_rows_and_tells_whether_there_are_more(ask):
    """The info has two keys and no total."""
    reply = coql(ask, "select Last_Name from Leads where id is not null limit 3")
    assert reply.status == 200
    assert [sorted(row) for row in reply.body["data"]] == [["Last_Name", "id"]] * 3
    assert reply.body["info"] == {"count": 3, "more_records": True}
    assert sorted(reply.body) == ["data", "info"]


def test_no_rows_are_an_empty_answer(ask):
    """Zoho says nothing at all, with HTTP 204."""
    reply = coql(ask, "select id from Leads where Last_Name = 'Nobody at all'")
    assert (reply.status, reply.raw) == (204, b"")


def test_a_refused_query_is_a_bare_error(ask):
    """The error is not wrapped, and its status is 400."""
    reply = coql(ask, "select id from Leads")
    assert reply.status == 400
    assert reply.body == {
        "code": "SYNTAX_ERROR",
        "details": {"clause": "where"},
        "message": "missing clause",
        "status": "error",
    }


def with_scopes(ask, scopes):
    """Give the client a token with these scopes only."""
    client = ask.emulator.credentials["client_id"]
    code = ask.emulator.accounts.issue_grant_code(client, scopes, user=ADMIN)
    ask.token = ask.exchange(code).body["access_token"]


@pytest.mark.parametrize(
    ("body", "code", "details"),
    [
        ({}, "MANDATORY_NOT_FOUND", {"api_name": "select_query"}),
        (
            {"select_query": 5},
            "INVALID_DATA",
            {
                "expected_data_type": "string",
                "api_name": "select_query",
                "json_path": "$.select_query",
            },
        ),
        (
            {"select_query": "x", "include_meta": "fields"},
            "INVALID_DATA",
            {
                "expected_data_type": "jsonarray",
                "api_name": "include_meta",
                "json_path": "$.include_meta",
            },
        ),
        *(
            (
                {"select_query": "x", "include_meta": asked},
                "INVALID_DATA",
                {
                    "supported_values": ["fields"],
                    "api_name": "include_meta",
                    "json_path": f"$.include_meta[{wrong}]",
                },
            )
            for asked, wrong in ((["layouts"], 0), ([], 0), (["fields", "fields"], 1))
        ),
    ],
)
def test_a_wrong_body_is_refused_by_its_key(ask, body, code, details):
    """The details name the key that is missing or wrong."""
    reply = ask("POST", "/coql", json_body=body)
    assert (reply.status, reply.body["code"], reply.body["details"]) == (400, code, details)


def test_fields_are_described_on_request_by_the_names_they_were_selected_by(ask):
    """A path that walks along a lookup is described by the field it ends at."""
    query = "select Last_Name, Owner.role.name, Account_Name as Company from Contacts "
    reply = coql(ask, f"{query} where id is not null limit 1", include_meta=["fields"])
    fields = reply.body["fields"]
    assert sorted(fields) == ["Account_Name", "Last_Name", "Owner.role.name"]
    assert fields["Account_Name"]["data_type"] == "lookup"
    assert fields["Last_Name"]["required"] is True
    assert fields["Owner.role.name"]["table_name"] == "Roles"
    assert "profiles" not in fields["Last_Name"]


@pytest.mark.parametrize(
    ("scopes", "module", "status"),
    [
        ("ZohoCRM.coql.READ,ZohoCRM.modules.leads.READ", "Leads", 200),
        ("ZohoCRM.coql.READ,ZohoCRM.modules.leads.READ", "Deals", 401),
        ("ZohoCRM.coql.READ,ZohoCRM.modules.custom.READ", "Site_Visits", 200),
        ("ZohoCRM.coql.READ", "Leads", 401),
        ("ZohoCRM.modules.ALL", "Leads", 401),
    ],
)
def test_a_query_needs_the_scope_of_coql_and_of_the_module(ask, scopes, module, status):
    """Either alone is not enough."""
    with_scopes(ask, scopes)
    reply = coql(ask, f"select id from {module} where id is not null")
    assert reply.status == status
    if status == 401:
        assert reply.body["code"] == "OAUTH_SCOPE_MISMATCH"


def test_describing_fields_needs_a_scope_of_its_own(ask):
    """Without it the whole query is refused."""
    with_scopes(ask, "ZohoCRM.coql.READ,ZohoCRM.modules.ALL")
    query = "select id from Leads where id is not null"
    assert coql(ask, query).status == 200
    assert coql(ask, query, include_meta=["fields"]).status == 401


def test_settings_of_the_engine_reach_the_query(make):
    """The emulator's settings hold those of its engine."""
    ask = make(settings={"engine": EngineSettings(offset_ceiling=10)})
    reply = coql(ask, "select id from Leads where id is not null limit 11")
    assert reply.body["details"] == {"limit": 10, "clause": "offset"}
