"""The judge of the wire finds what is wrong by OpenAPI files, and knows their faults."""

import json

import pytest

from tests.wire_judge import FAULTS, Exchange, Judge, page

ERROR = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": ["INVALID_DATA"]}},
    "required": ["code"],
}
LEAD = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "City": {"type": "string", "nullable": True}},
    "required": ["id"],
}
COMMON = {"components": {"schemas": {"Error": ERROR}}, "paths": {}}
LEADS = {
    "paths": {
        "/crm/v8/Leads/{id}": {
            "get": {
                "parameters": [{"name": "fields", "in": "query"}],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "oneOf": [
                                        {"$ref": "#/components/schemas/Lead"},
                                        {"$ref": "https://example.com/v8.0/common.json"
                                                 "#/components/schemas/Error"},
                                    ]
                                }
                            }
                        }
                    }
                },
            },
            "put": {
                "requestBody": {"$ref": "#/components/requestBodies/Body"},
                "responses": {"200": {"description": ""}},
            },
        },
        "/crm/v8/Leads/deleted": {"get": {"responses": {"204": {"description": ""}}}},
    },
    "components": {
        "schemas": {"Lead": LEAD},
        "requestBodies": {
            "Body": {"content": {"application/json": {"schema": {"type": "object",
                     "properties": {"data": {"type": "array"}}, "required": ["data"]}}}}
        },
    },
}  # fmt: skip


@pytest.fixture
def judge(tmp_path):
    """Make a judge by two small files, one of which refers to the other."""
    folder = tmp_path / "v8.0"
    folder.mkdir()
    (folder / "leads.json").write_text(json.dumps(LEADS))
    (folder / "common.json").write_text(json.dumps(COMMON))
    fault = {"operation": "GET /crm/v8/Leads", "error": "City type", "reason": "a known fault"}
    return Judge(tmp_path, [fault])


def got(response, status=200, path="/crm/v8/Leads/7", query=None):
    """A read, and what came back."""
    return Exchange("GET", path, query or {}, None, status, response)


@pytest.mark.parametrize(
    "response", [{"id": "7"}, {"id": "7", "City": None}, {"code": "INVALID_DATA"}]
)
def test_what_fits_an_alternative_is_valid(judge, response):
    """Null where it is allowed, and a schema of another file, too."""
    assert judge.verdict(got(response)) == ("GET /crm/v8/Leads/{id}", [])


@pytest.mark.parametrize(
    ("exchange", "error"),
    [
        (got({"id": 7}), "response: .id type: 7 is not of type 'string'"),
        (got({}, status=202), "response: the status 202 is not in the file"),
        (got({"id": "7"}, query={"page": "1"}), "request: the parameter page is not in the file"),
        (
            Exchange("PUT", "/crm/v8/Leads/7", {}, {}, 200, None),
            "request: . required: 'data' is a required property",
        ),
        (got(None, path="/crm/v8/Nothing"), "no such operation"),
    ],
)
def test_what_is_wrong_is_said(judge, exchange, error):
    """Body, status, parameter, request and address."""
    assert judge.verdict(exchange)[1] == [error]


def test_literal_segments_win_over_names(judge):
    """``/Leads/deleted`` is no record."""
    assert judge.verdict(got(None, 204, "/crm/v8/Leads/deleted"))[0] == "GET /crm/v8/Leads/deleted"


def test_the_page_tells_known_faults_from_open_findings(judge):
    """One row for each operation, with counts and reasons."""
    text = page(judge, [got({"id": "7"}), got({"id": "7", "City": 1}), got({"id": 7})])
    assert "3 exchanges of 1 operations; 1 valid, 2 invalid; 1 findings open." in text
    (row,) = [line for line in text.splitlines() if "Leads/{id}" in line]
    assert "| 3 | 1 | 2 |" in row
    assert "a known fault" in row
    assert ".id type: 7 is not of type 'string' — **open**" in row


def test_every_known_fault_has_a_reason():
    """And patterns that can be read."""
    for fault in json.loads(FAULTS.read_bytes()):
        assert fault.keys() == {"operation", "error", "reason"}
        assert fault["reason"]
