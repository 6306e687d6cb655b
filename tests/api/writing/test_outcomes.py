"""What became of each record, read from answers as Zoho's pages document them.

The samples are from the V8 pages of insert, update, upsert and delete records, and of the recycle
bin, shortened.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from zcrm_nb.api.writing.outcomes import outcomes_of, outcomes_of_error
from zcrm_nb.errors import APIError, ConnectionFailed, LimitError, LoginError, ScopeError, api_error

ADDED = {
    "code": "SUCCESS",
    "details": {"id": "41", "Created_Time": "2026-05-10T01:10:47-07:00",
                "Modified_Time": "2026-05-10T01:10:47-07:00", "$approval_state": "approved"},
    "message": "record added", "status": "success",
}  # fmt: skip
TWIN = {
    "code": "DUPLICATE_DATA",
    "details": {"api_name": "Email", "json_path": "$.data[1].Email", "id": "40",
                "duplicate_record": {"id": "40"}, "more_records": False},
    "message": "duplicate data", "status": "error",
}  # fmt: skip
LONG = {
    "code": "INVALID_DATA",
    "details": {"maximum_length": 2, "api_name": "Amount",
                "json_path": "$.data[0].Expenses[1].Amount"},
    "message": "invalid data", "status": "error",
}  # fmt: skip
SEVERAL = {
    "code": "MULTIPLE_OR_MULTI_ERRORS",
    "details": {"errors": [
        {"code": "MANDATORY_NOT_FOUND",
         "details": {"api_name": "Last_Name", "json_path": "$.data[0].Last_Name"},
         "message": "required field not found", "status": "error"}, LONG]},
    "message": "Multiple errors in the request", "status": "error",
}  # fmt: skip
NO_MODULE = {
    "code": "INVALID_MODULE", "details": {"resource_path_index": 0},
    "message": "the module name given seems to be invalid", "status": "error",
}  # fmt: skip


def body(*items: Any, key: str = "data") -> bytes:
    """Wrap results as Zoho does."""
    return orjson.dumps({key: items})


def failed(status: int, text: bytes) -> Exception:
    """Make the error that the gate raises for an answer."""
    error = api_error(status, orjson.loads(text) if text[:1] == b"{" else None, request="POST /x")
    if isinstance(error, APIError):
        error.body = text
    return error


def test_each_item_of_an_answer_is_read_by_itself() -> None:
    """HTTP 207: one added, one refused with the record that has the value already."""
    added, twin = outcomes_of(body(ADDED, TWIN), "insert", [None, None])
    assert added[:6] == ("insert", "done", "41", "SUCCESS", None, "record added")
    assert added.stamp == "2026-05-10T01:10:47-07:00"
    assert twin[:5] == ("insert", "refused", None, "DUPLICATE_DATA", "Email")
    assert twin.message == "duplicate data (already in: 40)"


@pytest.mark.parametrize("status", [202, 400])
def test_an_answer_in_which_all_failed_is_read_too(status: int) -> None:
    """HTTP 400 with one result for each record; 202 as older pages have it."""
    text = body(LONG, SEVERAL)
    if status == 202:
        outcomes, whole = outcomes_of(text, "update", ["1", "2"]), False
    else:
        outcomes, whole = outcomes_of_error(failed(status, text), "update", ["1", "2"])
    assert not whole
    assert [(o.status, o.id, o.code, o.field) for o in outcomes] == [
        ("refused", "1", "INVALID_DATA", "Expenses[1].Amount"),
        ("refused", "2", "MULTIPLE_OR_MULTI_ERRORS", "Last_Name, Expenses[1].Amount"),
    ]
    assert outcomes[0].message == "invalid data (maximum length: 2)"
    assert outcomes[1].message == "required field not found; invalid data (maximum length: 2)"


def test_an_upsert_tells_what_it_did_only_where_it_did_something() -> None:
    """The action stands beside the result, and is missing where it was refused."""
    new = {**ADDED, "action": "insert", "duplicate_field": None}
    old = {**ADDED, "action": "update", "duplicate_field": "Email"}
    outcomes = outcomes_of(body(new, old, TWIN), "upsert", [None] * 3)
    assert [o.action for o in outcomes] == ["insert", "update", None]


def test_a_deletion_and_a_restoration_are_read_by_their_ids() -> None:
    """Under ``data``, and under ``recycle_bin``."""
    gone = {
        "code": "SUCCESS",
        "details": {"id": "7"},
        "message": "record deleted",
        "status": "success",
    }
    bad = {
        "code": "INVALID_DATA",
        "details": {"id": "8"},
        "message": "record not deleted",
        "status": "error",
    }
    for key, action in (("data", "delete"), ("recycle_bin", "restore")):
        outcomes = outcomes_of(body(gone, bad, key=key), action, ["7", "8"])
        assert [(o.action, o.status, o.id) for o in outcomes] == [
            (action, "done", "7"),
            (action, "refused", "8"),
        ]


@pytest.mark.parametrize("text", [orjson.dumps(NO_MODULE), body(NO_MODULE)])
@pytest.mark.parametrize("count", [1, 3])
def test_a_call_refused_as_a_whole_refuses_every_row(text: bytes, count: int) -> None:
    """Bare, or wrapped in ``data``, where one error is not the result of one record."""
    outcomes, whole = outcomes_of_error(failed(400, text), "insert", [None] * count)
    assert whole
    assert {(o.status, o.code) for o in outcomes} == {("refused", "INVALID_MODULE")}
    assert len(outcomes) == count


def test_a_lost_update_refused_by_the_header_does_not_stop_the_others() -> None:
    """HTTP 412, for one record and for a call."""
    bare = {
        "code": "ALREADY_MODIFIED",
        "details": {"id": "7"},
        "message": "passed",
        "status": "error",
    }
    for text in (orjson.dumps(bare), body(bare)):
        [outcome], whole = outcomes_of_error(failed(412, text), "update", ["7"])
        assert (outcome.status, outcome.code, whole) == ("refused", "ALREADY_MODIFIED", False)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailed("no answer"),
        failed(
            500, b'{"code": "INTERNAL_ERROR", "details": {}, "message": "x", "status": "error"}'
        ),
        failed(502, b"<html>"),
        failed(503, b'{"code": "SERVICE_UNAVAILABLE", "details": {}, "message": "x"}'),
    ],
)
def test_a_lost_answer_is_unknown(error: Exception) -> None:
    """Nobody knows what Zoho did before."""
    outcomes, whole = outcomes_of_error(error, "update", ["7", "8"])
    assert [(o.status, o.id, o.code) for o in outcomes] == [
        ("unknown", "7", "NO_ANSWER"),
        ("unknown", "8", "NO_ANSWER"),
    ]
    assert not whole


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            failed(429, b'{"code": "TOO_MANY_REQUESTS", "details": {}, "message": "x"}'),
            "TOO_MANY_REQUESTS",
        ),
        (ScopeError("no scope"), "OAUTH_SCOPE_MISMATCH"),
        (LoginError("no login"), "INVALID_TOKEN"),
        (LimitError("the budget"), "NOT_SENT"),
    ],
)
def test_what_zoho_did_not_look_at_is_refused(error: Exception, code: str) -> None:
    """Certainly not done; and the next call would fare no better."""
    [outcome], whole = outcomes_of_error(error, "insert", [None])
    assert (outcome.status, outcome.code, whole) == ("refused", code, True)


def test_a_call_that_never_left_is_refused() -> None:
    """No connection: Zoho cannot have seen it."""
    error = ConnectionFailed("refused")
    error.sent = False
    [outcome], _ = outcomes_of_error(error, "insert", [None])
    assert outcome.status == "refused"


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", body(ADDED), body(ADDED, ADDED, ADDED), body(ADDED, "x"), b'{"data": 5}'],
)
def test_an_answer_that_does_not_tell_of_each_record_tells_of_none(text: bytes) -> None:
    """It cannot be matched with what was sent."""
    assert {o.status for o in outcomes_of(text, "insert", [None, None])} == {"unknown"}


def test_a_result_that_zoho_did_not_finish_is_unknown() -> None:
    """An error inside it, something done later, a status that nobody knows."""
    error = {"code": "INTERNAL_ERROR", "details": {}, "message": "x", "status": "error"}
    later = {"code": "SCHEDULED", "details": {"id": "7"}, "message": "later", "status": "success"}
    strange = {"code": "X", "details": {}, "message": "x", "status": "perhaps"}
    outcomes = outcomes_of(body(error, later, strange), "restore", ["6", "7", "8"])
    assert {o.status for o in outcomes} == {"unknown"}


DETAILS = [
    ({"maximum_decimal_place": 2}, "maximum decimal place: 2"),
    ({"range": {"from": 1, "to": 10}}, "range: from 1, to 10"),
    ({"supported_values": [f"v{n}" for n in range(30)]}, "v11, … (30 in all)"),
    ({"layout_rule": {"name": "Partner rule", "id": "1"}}, "layout rule: Partner rule"),
    ({"anything_new": [{"api_name": "A"}, {"id": "5"}]}, "anything new: A, id 5"),
    ({"Modified_Time": "2026-05-10T01:10:47-07:00"}, "Modified Time: 2026-05-10"),
]


@pytest.mark.parametrize(("details", "words"), DETAILS)
def test_whatever_zoho_says_of_a_refusal_is_shown_and_kept_whole(details: Any, words: str) -> None:
    """The keys differ by error, and new ones come; the place has a column of its own."""
    place = {"api_name": "Amount", "json_path": "$.data[0].Amount", "$echo": 1}
    item = {"code": "INVALID_DATA", "status": "error", "message": "invalid data",
            "details": {**details, **place}}  # fmt: skip
    (outcome,) = outcomes_of(body(item), "insert", [None])
    assert words in str(outcome.message)
    assert "json" not in str(outcome.message)
    assert "echo" not in str(outcome.message)
    assert outcome.field == "Amount"
    assert outcome.details == item["details"]


def test_a_duplicate_names_the_record_and_the_module_that_have_the_value() -> None:
    """Whether they stand in the details themselves, or in an object of their own."""
    for details in (
        {"id": "77", "module": {"api_name": "Contacts", "id": "9"}},
        {"duplicate_record": {"id": "77", "module": {"api_name": "Contacts"}}},
    ):
        item = {"code": "DUPLICATE_DATA", "status": "error", "message": "duplicate data",
                "details": {"api_name": "Email", **details}}  # fmt: skip
        (outcome,) = outcomes_of(body(item), "insert", [None])
        assert outcome.message == "duplicate data (already in: Contacts 77)"
