"""The family of errors, and its one maker."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from zcrm_nb import errors
from zcrm_nb.errors import ZohoError, api_error, caret


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "INVALID_MODULE", errors.NotFoundError),
        (404, "INVALID_URL_PATTERN", errors.NotFoundError),
        (403, "NO_PERMISSION", errors.PermissionDenied),
        (400, "AUTHORIZATION_FAILED", errors.PermissionDenied),
        (429, "TOO_MANY_REQUESTS", errors.RateLimitError),
        (400, "TOO_MANY_REQUESTS", errors.RateLimitError),
        (429, "RATE_LIMIT_EXCEEDED", errors.RateLimitError),
        (500, "INTERNAL_ERROR", errors.ServerError),
        (503, "SERVICE_UNAVAILABLE", errors.ServerError),
        (400, "INVALID_QUERY", errors.QueryError),
        (400, "SYNTAX_ERROR", errors.QueryError),
        (401, "OAUTH_SCOPE_MISMATCH", errors.ScopeError),
        (401, "INVALID_TOKEN", errors.LoginError),
        (401, "AUTHENTICATION_FAILURE", errors.LoginError),
        (400, "REQUIRED_PARAM_MISSING", errors.APIError),
        (418, "SOMETHING_NEW", errors.APIError),
    ],
)
def test_the_kind_follows_from_code_and_status(status, code, kind):
    """A reader catches kinds; only Zoho's code and the status may decide them."""
    body = {"code": code, "details": {}, "message": "anything", "status": "error"}
    assert type(api_error(status, body, request="GET /crm/v8/Leads")) is kind


@pytest.mark.parametrize(
    "wrap",
    [
        lambda refusal: refusal,
        lambda refusal: {"data": [refusal]},
        lambda refusal: {"fields": [refusal]},
        lambda refusal: {"data": [{"code": "SUCCESS", "status": "success"}, refusal]},
        lambda refusal: {"__composite_requests": [refusal]},
    ],
)
def test_the_error_object_is_found_wherever_zoho_puts_it(wrap):
    """Zoho has four envelopes for the same object."""
    refusal = {"code": "INVALID_MODULE", "details": {}, "message": "no", "status": "error"}
    error = api_error(400, wrap(refusal), request="GET /crm/v8/Lead")
    assert error.code == "INVALID_MODULE"


@pytest.mark.parametrize("body", [None, [], {}, "text", {"data": "odd"}])
def test_an_answer_of_no_known_shape_is_still_an_error_that_names_the_status(body):
    """Nothing that comes back may turn into a traceback of ours."""
    error = api_error(502, body, request="GET /crm/v8/Leads")
    assert isinstance(error, errors.ServerError)
    assert "502" in str(error)


def test_a_message_has_three_lines():
    """What happened, what Zoho said, what to do."""
    body = {
        "code": "INVALID_MODULE",
        "details": {"resource_path_index": 0},
        "message": "the module name given seems to be invalid",
    }
    happened, said, todo = str(api_error(400, body, request="GET /crm/v8/Lead")).splitlines()
    assert "GET /crm/v8/Lead" in happened
    assert "INVALID_MODULE" in said
    assert "resource_path_index: 0" in said
    assert "crm.modules()" in todo


def test_a_query_error_points_at_the_column_that_zoho_named():
    """The caret stands under the word of the details."""
    query = "select Last_Name,\n       Foo from Leads where id is not null"
    body = {"code": "INVALID_QUERY", "details": {"column_name": "Foo"}, "message": "no"}
    error = api_error(400, body, request="POST /crm/v8/coql", query=query)
    assert (error.line, error.column) == (2, 8)
    line, mark = str(error).splitlines()[-2:]
    assert line[mark.index("^") :].startswith("Foo")


def test_a_query_error_trusts_the_line_and_column_that_zoho_tells():
    """Zoho's own place wins over searching."""
    body = {
        "code": "SYNTAX_ERROR",
        "details": {"line": 1, "column": 8, "near": "FROM"},
        "message": "unexpected token",
    }
    error = api_error(400, body, request="POST /crm/v8/coql", query="select from FROM x")
    assert (error.line, error.column) == (1, 8)


def test_a_place_outside_the_query_shows_no_caret():
    """A wrong place is worse than none."""
    assert caret("select 1", 9, 1) == ""
    assert caret("select 1", None, None) == ""


def test_errors_survive_pickling_and_copying():
    """A process pool hands errors over by pickle."""
    body = {"code": "INVALID_QUERY", "details": {"column_name": "Foo"}, "message": "no"}
    error = api_error(400, body, request="POST /crm/v8/coql", query="select Foo from Leads")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is errors.QueryError
        assert str(twin) == str(error)
        assert (twin.code, twin.details, twin.line, twin.query) == (
            error.code,
            error.details,
            error.line,
            error.query,
        )


def test_the_tree_is_the_promised_one():
    """Users write except clauses against it."""
    promised = {
        errors.LoginError: errors.ZohoError,
        errors.ScopeError: errors.LoginError,
        errors.ConnectionFailed: errors.ZohoError,
        errors.APIError: errors.ZohoError,
        errors.QueryError: errors.APIError,
        errors.NotFoundError: errors.APIError,
        errors.PermissionDenied: errors.APIError,
        errors.RateLimitError: errors.APIError,
        errors.ServerError: errors.APIError,
        errors.WriteError: errors.ZohoError,
        errors.JobError: errors.ZohoError,
        errors.LimitError: errors.ZohoError,
    }
    assert {kind: kind.__base__ for kind in promised} == promised


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"ERROR_CODE": 400, "ERROR_MESSAGE": "Bad Request", "x-error": "check if headers"},
            errors.APIError,
            "HTTP_400: Bad Request; check if headers",
        ),
        (
            403,
            {"info": "Forbidden", "x-info": "Link not valid", "http_status": "403"},
            errors.PermissionDenied,
            "HTTP_403: Forbidden; Link not valid",
        ),
        (400, {"info": {"page": 1}, "data": []}, errors.APIError, "HTTP_400: nothing more"),
    ],
)
def test_the_gateway_of_uploads_and_results_is_understood(status, body, kind, words):
    """It has shapes of its own, as the specification of Bulk Write shows them."""
    error = api_error(status, body, request="POST /crm/v8/upload")
    assert type(error) is kind
    assert error.said == f"Zoho said {words}"


DOCUMENTED = json.loads(
    (Path(__file__).parent / "data" / "errors_documented.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", DOCUMENTED, ids=[case["says"] for case in DOCUMENTED])
def test_documented_answers_become_their_kind_of_error(case):
    """By code and status, in whatever envelope; the message repeats what Zoho said."""
    error = api_error(case["status"], case["answer"], request="GET /crm/v8/Leads")
    assert type(error).__name__ == case["raises"]
    if case["code"]:
        assert error.code == case["code"]
        assert case["code"] in str(error)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        7,
        {},
        {"code": None, "details": None, "message": None},
        {"code": 4001, "details": "odd", "message": {"a": 1}},
        {"code": ["A"], "details": ["odd", 1], "message": ["b"]},
        {"code": "INVALID_QUERY", "details": {"line": "1", "column": None, "near": 7}},
        {"code": "INVALID_QUERY", "details": {"column_name": {"a": 1}}},
        {"data": None, "users": [None, 3, {"status": "error"}]},
        [None, {"status": "error", "code": "X", "details": 1}],
        {"code": "X", "message": "m" * 100_000},
    ],
)
@pytest.mark.parametrize("query", ["", "select 1"])
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_answers_of_any_shape_make_an_error(body, query, status):
    """Nothing from outside is believed, least of all the shape of a complaint."""
    error = api_error(status, body, request="GET /crm/v8/Leads", query=query)
    assert isinstance(error, ZohoError)
    assert len(str(error)) < 2000
    assert isinstance(getattr(error, "details", {}), dict)


def test_a_caret_stands_under_a_word_and_not_inside_another():
    """Name is in Last_Name too."""
    details = {"column_name": "Name"}
    query = "select Last_Name, Name from Leads"
    error = api_error(400, {"code": "INVALID_QUERY", "details": details}, request="", query=query)
    assert (error.line, error.column) == (1, 19)


@pytest.mark.parametrize(
    ("query", "details", "column"),
    [
        ("select Deal_Name, Name from Deals", {"column_name": "Name"}, 19),
        ("select Fax from Leads where City = 'Name' and Name = 'x'", {"column_name": "Name"}, 47),
        ("select Owner.name, name from Leads", {"column_name": "name"}, 20),
        ("select 'What_Id->Leads.City' from Tasks", {"column_name": "What_Id->Leads.City"}, 9),
        ("select Last_Name from Leads", {"column_name": "Name"}, None),
    ],
)
def test_the_place_of_a_refused_word_is_never_inside_another(query, details, column):
    """Nor in a text, where the word stands elsewhere too."""
    refused = {"code": "INVALID_QUERY", "message": "x", "details": details}
    error = api_error(400, refused, request="POST /crm/v8/coql", query=query)
    assert error.column == column


def test_a_long_line_is_cut_around_the_caret():
    """A list of a thousand values does not bury the word."""
    query = (
        "select City from Leads where id in (" + ", ".join(map(str, range(900))) + ") and Cty = 1"
    )
    line, mark = caret(query, 1, query.index("Cty") + 1).split("\n")
    assert len(line) < 200
    assert line[mark.index("^") :].startswith("Cty = 1")
