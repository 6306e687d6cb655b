"""Bulk Read as it is documented: bodies, states and refusals from Zoho's pages, no emulator."""

from __future__ import annotations

import json

import pytest

from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.job_store import ZohoJob
from zcrm_nb.errors import APIError, JobError, NotFoundError, api_error

# From "Create Bulk Read Job" of API V8.
ADDED = {
    "data": [
        {
            "status": "success",
            "code": "ADDED_SUCCESSFULLY",
            "message": "Added successfully.",
            "details": {
                "id": "5725000000123456",
                "operation": "read",
                "state": "ADDED",
                "created_by": {"id": "5725000000000077", "name": "Ann Admin"},
                "created_time": "2026-03-01T09:15:00+05:30",
            },
        }
    ],
    "info": {},
}


def told(state, result=None):
    """A status as "Get Bulk Read Job Details" shows it."""
    job = {
        "id": "5725000000123456",
        "operation": "read",
        "state": state,
        "query": {"module": {"id": "5725000000000125", "api_name": "Contacts"}, "page": 1},
        "created_by": {"id": "5725000000000077", "name": "Ann Admin"},
        "created_time": "2026-03-01T09:15:00+05:30",
        "file_type": "csv",
    }
    return {"data": [{**job, "result": result} if result else job]}


RESULT = {
    "page": 1,
    "per_page": 200000,
    "count": 200000,
    "download_url": "/crm/bulk/v8/read/5725000000123456/result",
    "more_records": True,
    "next_page_token": "bca6fba1",
}
# From the sample of a callback: a failure is told where the result would be.
FAILED = {
    "error_message": {
        "status": "error",
        "code": "INTERNAL_SERVER_ERROR",
        "message": "Internal server error occurred.",
        "details": {},
    }
}


@pytest.fixture
def send():
    """A function in the place of the wire, which keeps what it was sent."""

    def send(method, path, **more):
        send.calls.append((method, path, more))
        if isinstance(send.answer, Exception):
            raise send.answer
        return json.dumps(send.answer).encode()

    send.calls = []
    return send


def test_a_job_is_asked_for_as_documented_and_never_twice(send):
    """The module is an object, fields are plain names; the id stands in details."""
    send.answer = ADDED
    leaf = {"field": {"api_name": "Email"}, "comparator": "not_equal", "value": "${EMPTY}"}
    asked = bulk_read.query(
        "Contacts", ["Last_Name", "Owner"], criteria=leaf, cvid="5725000000000200"
    )
    assert bulk_read.create(send, asked) == "5725000000123456"
    ((method, path, more),) = send.calls
    assert (method, path) == ("POST", "/crm/bulk/v8/read")
    assert more == {
        "json": {
            "query": {
                "module": {"api_name": "Contacts"},
                "fields": ["Last_Name", "Owner"],
                "criteria": leaf,
                "cvid": "5725000000000200",
            }
        },
        "safe": False,
    }


def test_what_follows_is_asked_for_by_its_token_alone(send):
    """Zoho wants nothing beside it."""
    send.answer = ADDED
    bulk_read.create(send, bulk_read.following("bca6fba1"))
    assert send.calls[0][2]["json"] == {"query": {"page_token": "bca6fba1"}}


@pytest.mark.parametrize("answer", [{}, {"data": []}, {"data": [{"details": {}}]}, {"job_id": "5"}])
def test_an_answer_without_an_id_is_an_error(send, answer):
    """The job may be running; nothing is made up."""
    send.answer = answer
    with pytest.raises(JobError, match="has no job id"):
        bulk_read.create(send, bulk_read.following("x"))


@pytest.mark.parametrize("state", ["ADDED", "QUEUED", "IN PROGRESS"])
def test_a_job_at_work_has_no_result(send, state):
    """Older pages leave the result out, one sample prints it too early."""
    send.answer = told(state)
    assert bulk_read.status(send, "5725000000123456") == bulk_read.ReadStatus(state)
    send.answer = told(
        state, {**RESULT, "count": 0, "more_records": False, "next_page_token": None}
    )
    assert bulk_read.status(send, "5725000000123456").state == state


def test_states_are_read_in_either_spelling(send):
    """Bulk Write writes INPROGRESS, the specs IN_PROGRESS."""
    send.answer = told("in_progress")
    assert bulk_read.status(send, "1").state == "IN PROGRESS"


def test_a_completed_job_tells_rows_token_and_place(send):
    """What the next job is asked with, and where the file is."""
    send.answer = told("COMPLETED", RESULT)
    said = bulk_read.status(send, "5725000000123456")
    assert said[:4] == ("COMPLETED", 200000, True, "bca6fba1")
    assert (
        bulk_read.result_path(ZohoJob(0.0, id="5725000000123456", url=said.url))
        == RESULT["download_url"]
    )


@pytest.mark.parametrize(
    "url", ["", "https://www.example.com/x", "/crm/v8/Leads", "/crm/bulk/v8/x?a=1", "/crm/bulk/\\x"]
)
def test_a_place_that_is_no_plain_path_is_not_followed(url):
    """The token goes nowhere but to the documented address."""
    assert bulk_read.result_path(ZohoJob(0.0, id="57", url=url)) == "/crm/bulk/v8/read/57/result"


def test_a_failure_says_why(send):
    """In the words of Zoho."""
    send.answer = told("FAILURE", FAILED)
    said = bulk_read.status(send, "5725000000123456")
    assert said.state == "FAILURE"
    assert said.error == "INTERNAL_SERVER_ERROR: Internal server error occurred."


def test_an_unknown_job_has_gone(send):
    """After a day, or it was another login's."""
    body = {"code": "RESOURCE_NOT_FOUND", "details": {"resource": "job"}, "message": "gone"}
    send.answer = api_error(404, body, request="GET /crm/bulk/v8/read/57")
    assert isinstance(send.answer, NotFoundError)
    with pytest.raises(JobError, match="no longer has the bulk job 57"):
        bulk_read.status(send, "57")


FIELDS = ["City", "Coordinates", "Account_Name", "Account_Name.Account_Name", "Owner.last_name"]


def refusal(code, details, *, wrapped):
    """A refusal, bare or in data[]: both are documented."""
    bare = {"status": "error", "code": code, "details": details, "message": "no"}
    return api_error(400, {"data": [bare]} if wrapped else bare, request="POST /crm/bulk/v8/read")


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("code", ["FIELD_NOT_SUPPORTED", "FIELD_NOT_AVAILABLE"])
@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("Coordinates", ["Coordinates"]),
        ("Account_Name", ["Account_Name"]),
        ("Account_Name.Account_Name", ["Account_Name.Account_Name"]),
        ("last_name", ["Owner.last_name"]),
        ("Something", []),
    ],
)
def test_the_field_refused_is_the_one_named(code, wrapped, name, gone):
    """By its own name or by the path it was asked for with."""
    refused = refusal(code, {"api_name": name, "field_label": "x"}, wrapped=wrapped)
    assert bulk_read.refused_fields(refused, FIELDS) == gone


@pytest.mark.parametrize(
    ("details", "gone"),
    [
        ({"max_limit": 1}, ["Owner.last_name"]),
        ({"max_limit": 0}, FIELDS[3:]),
        ({}, FIELDS[3:]),
        ({"max_limit": 5}, FIELDS[3:]),
    ],
)
def test_names_behind_too_many_lookups_are_left_out(details, gone):
    """As many as Zoho follows stay; where it does not say how many, none."""
    refused = refusal("JOIN_LIMIT_EXCEEDED", details, wrapped=False)
    assert bulk_read.refused_fields(refused, FIELDS) == gone


def test_any_other_refusal_is_about_something_else():
    """It is raised as it is."""
    refused = refusal("CRITERIA_LIMIT_EXCEEDED", {"max_limit": 25}, wrapped=False)
    assert isinstance(refused, APIError)
    assert bulk_read.refused_fields(refused, FIELDS) == []
