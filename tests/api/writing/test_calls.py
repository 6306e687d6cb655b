"""Calls that act on records, one answer at a time: their outcomes, and the report of the run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from zcrm_nb.api.acting import convert, mass, recycle_bin
from zcrm_nb.api.writing.calls import WriteCall
from zcrm_nb.api.writing.context import WriteContext
from zcrm_nb.api.writing.writes import carry_out
from zcrm_nb.errors import (
    APIError,
    ConnectionFailed,
    LimitError,
    LoginError,
    RateLimitError,
    ServerError,
    WriteError,
    WriteInterrupted,
    api_error,
)
from zcrm_nb.frames import ReportActions

CASES = json.loads((Path(__file__).parents[2] / "data" / "actions_documented.json").read_bytes())
SUCCESS = b'{"data": [{"code": "SUCCESS", "status": "success", "details": {}}]}'


def silent(rows):
    """Count nothing."""


class Zoho:
    """Answers each call with what a function says, and remembers the calls."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __call__(self, method, path, *, params=None, json=None, files=None):
        self.calls.append((method, path, params, json))
        return self.answer(method, path, params, json)


@pytest.fixture
def run(tmp_path):
    """A function that carries calls out, one at a time, and returns the report."""

    def run(send, calls, *, workers=1, tick=silent, **options):
        context = WriteContext(
            send,
            SimpleNamespace(known=lambda name: None),
            workers,
            tick,
            folder=tmp_path,
            zoho=time.time,
            there=None,
            download=None,
            warn=None,
            report=lambda journal, story: (story or journal.read()).report(ReportActions()),
        )
        return carry_out(context, calls, module="Leads", **options)

    return run


def answering(status, body):
    """A Zoho that says the same to every write, and finds nothing."""

    def answer(method, path, params, sent):
        if method == "GET":
            return b""
        if status < 300:
            return json.dumps(body).encode()
        error = api_error(status, body, request=f"{method} {path}")
        error.body = json.dumps(body).encode()
        raise error

    return Zoho(answer)


def calls_of(case):
    """List the calls of a documented case."""
    ids = [each.get("id") or str(n + 1) for n, each in enumerate(case["rows"])]
    match case["verb"]:
        case "convert":
            return convert.conversion_calls([(each, {}) for each in ids])
        case "change_owner":
            return mass.change_owner("Leads", ids, "9", notify=False, related=())
        case "mass_update":
            return mass.mass_update("Leads", ids, {"City": "x"})
        case "mass_delete":
            return mass.mass_delete("Leads", ids)
        case "restore":
            return recycle_bin.restore("Leads", ids)
    raise AssertionError(case)


@pytest.mark.parametrize("case", CASES, ids=[case["says"] for case in CASES])
def test_documented_answers_are_read_as_they_are_meant(run, case):
    """Status, code, field and ids, whatever the envelope."""
    send, options = answering(case["status"], case["answer"]), {}
    if case["verb"] == "convert":
        options = {"columns": convert.MADE}
        options["afterwards"] = lambda run: run.settle(convert.look_afterwards(send, run.outcomes))
    report = run(send, calls_of(case), **options).astype(object)
    rows = report.where(report.notna(), None).to_dict("records")
    assert len(rows) == len(case["rows"])
    for row, expected in zip(rows, case["rows"], strict=True):
        assert expected.items() <= row.items()


def calls(count, size=1):
    """Some calls, each about ``size`` records."""
    return [
        WriteCall("link", "x", {"n": n}, [f"{n}{k}" for k in range(size)]) for n in range(count)
    ]


def failing(error, *, after=0):
    """A Zoho that fails from some call on, and does well before."""

    def answer(method, path, params, sent):
        if sent["n"] >= after:
            raise error
        return SUCCESS

    return Zoho(answer)


UNCLEAR = [ConnectionFailed("no answer", "torn"), ServerError("down", code="INTERNAL_ERROR")]


@pytest.mark.parametrize("error", UNCLEAR)
def test_an_unclear_answer_leaves_its_records_unknown_and_the_others_go_on(run, error):
    """Nothing is sent twice."""
    send = failing(error)
    assert run(send, calls(3, 2))["status"].tolist() == ["unknown"] * 6
    assert len(send.calls) == 3


def test_a_throttled_call_has_done_nothing(run):
    """It was refused at the door; its records say so."""
    send = failing(RateLimitError("no", "too many", code="TOO_MANY_REQUESTS"), after=1)
    report = run(send, calls(2))
    assert report["status"].tolist() == ["done", "refused"]
    assert report["code"].tolist()[1] == "TOO_MANY_REQUESTS"


@pytest.mark.parametrize("error", [LoginError("revoked"), LimitError("no credits left")])
def test_when_the_way_ends_the_rest_is_not_sent_and_says_so(run, error):
    """The report is not lost; if nothing at all was sent, the reason is raised."""
    send = failing(error, after=2)
    report = run(send, calls(5))
    assert report["status"].tolist() == ["done", "done", "refused", "refused", "refused"]
    assert set(report["code"][3:]) == {"NOT_SENT"}
    assert report["id"].notna().all()
    assert len(send.calls) == 3
    with pytest.raises(type(error)):
        run(failing(error), calls(2))


def test_an_interrupt_gives_the_report_so_far(run):
    """What was under way has its outcome, what was not sent too."""
    seen = []

    def impatient(rows):
        seen.append(rows)
        if len(seen) == 2:
            raise KeyboardInterrupt

    send = Zoho(lambda *_: SUCCESS)
    with pytest.raises(WriteInterrupted) as caught:
        run(send, calls(6), tick=impatient)
    statuses = caught.value.report["status"].tolist()
    assert len(statuses) == 6
    assert statuses.count("done") == len(send.calls) >= 2


@pytest.mark.parametrize("error", [OverflowError("no"), MemoryError(), RuntimeError("closed")])
@pytest.mark.parametrize("where", ["tick", "send"])
def test_whatever_is_raised_after_the_first_call_carries_the_report(run, error, where):
    """By the display, or by the call itself: then it may have been done all the same."""

    def fail(*_):
        raise error

    send = Zoho(lambda *_: SUCCESS) if where == "tick" else failing(error, after=1)
    with pytest.raises(WriteError, match=type(error).__name__) as caught:
        run(send, calls(6), tick=fail if where == "tick" else silent)
    report = caught.value.report
    assert report["status"].tolist()[0] == "done"
    assert report["status"].tolist()[5] == "refused"
    assert report["status"].tolist().count("unknown") == (where == "send")
    assert report.attrs["zcrm"]["run"] in str(caught.value)


BODIES = (
    *(b"", b"[]", b"null", b"5", b'{"data": []}', b'{"data": [{}]}', b'{"data": null}', b"<html>"),
    *(b'{"data": ["x", "y"]}', b'{"data": [null, null]}', b'{"data": [{}, {}, {}]}'),
    *(b'{"data": [{"status": 5}, {"status": null}]}', b'{"data": {"status": "success"}}'),
    b'{"data": [{"status": "success", "details": []}, {"status": "error", "details": "x"}]}',
)


@pytest.mark.parametrize("body", BODIES)
def test_an_answer_of_an_odd_shape_never_raises(run, body):
    """Too few results, too many, none, and no objects: no outcome is guessed."""
    report = run(Zoho(lambda *_: body), calls(1, 2))
    known = {"done", "refused"} if b"details" in body else {"unknown"}
    assert set(report["status"]) <= known
    assert report["message"].notna().all() or b"details" in body


def test_a_refusal_of_the_whole_call_is_told_of_each_record(run):
    """With its code and what Zoho said."""
    error = APIError("no", "Zoho said INVALID_DATA: bad", code="INVALID_DATA")
    report = run(failing(error), calls(1, 2))
    assert report[["status", "code"]].to_numpy().tolist() == [["refused", "INVALID_DATA"]] * 2


def test_records_go_in_batches_and_related_ones_only_once():
    """500 a call; five hundred and one make two."""
    ids = [str(n) for n in range(501)]
    first, second = (
        call.json
        for call in mass.change_owner("Leads", ids, "9", notify=True, related=[("Tasks", "8")])
    )
    assert (len(first["ids"]), len(second["ids"])) == (500, 1)
    assert first["related_modules"] == [{"api_name": "Tasks", "id": "8"}]
    assert "related_modules" not in second
    assert first["notify"] is True


JOBS = [
    ({"Status": "COMPLETED", "Total_Count": 3, "Updated_Count": 3, "Failed_Count": 0,
      "Not_Updated_Count": 0}, [("done", 3, "3 of 3")]),
    ({"Status": "COMPLETED", "Total_Count": 3, "Updated_Count": 1, "Failed_Count": 2,
      "Not_Updated_Count": 0}, [("done", 1, "1 of 3"), ("refused", 2, "2 of 3; the job does not"
                                                         " say which, or why")]),
    ({"Status": "FAILED", "Total_Count": 3, "Updated_Count": 0, "Failed_Count": 0,
      "Not_Updated_Count": 3}, [("refused", 3, "3 of 3; the job does not say which, or why")]),
]  # fmt: skip


BEGUN = {"code": "SUCCESS", "status": "success", "details": {"job_id": "7"}}


def job(run, send, *, kind="mass_update", wait_s=600, sleep=silent):
    """Run a job over a view."""
    call = mass.job_call("Leads", kind, {"cvid": "1"})
    session = SimpleNamespace(send=send, sleep=sleep)
    return run(
        send,
        [call],
        columns=mass.COUNT_COLUMNS,
        afterwards=lambda run: mass.follow(session, call, run, wait_s),
    )


@pytest.mark.parametrize(("status", "rows"), JOBS)
def test_a_job_is_waited_for_and_counted(run, status, rows):
    """Scheduled, running, a look that is lost, finished: longer and longer pauses."""
    looks = iter([{"Status": "SCHEDULED"}, ConnectionFailed("lost"), {"Status": "RUNNING"}, status])
    pauses = []

    def answer(method, path, params, sent):
        if method == "POST":
            return json.dumps({"data": [BEGUN]}).encode()
        look = next(looks)
        if isinstance(look, Exception):
            raise look
        return json.dumps({"data": [look]}).encode()

    report = job(run, Zoho(answer), sleep=pauses.append)
    told = [tuple(row) for row in report[["status", "records", "message"]].to_numpy()]
    assert told == rows
    assert set(report["id"]) == {"7"}
    assert pauses == [1, 2, 4]


@pytest.mark.parametrize("look", [{"Status": "RUNNING"}, {}, None, "x", {"Status": None}])
def test_a_job_that_takes_too_long_is_unknown(run, look):
    """With its id, so that it can be looked for; whatever Zoho answers."""

    def answer(method, *_):
        return json.dumps({"data": [BEGUN if method == "POST" else look]}).encode()

    pauses = []
    report = job(run, Zoho(answer), kind="mass_delete", wait_s=30, sleep=pauses.append)
    assert report[["status", "id"]].to_numpy().tolist() == [["unknown", "7"]]
    assert sum(pauses) >= 30


def test_a_job_that_is_refused_is_one_row(run):
    """NO_RECORDS_FOUND, as a bare object."""
    body = {"code": "NO_RECORDS_FOUND", "details": {}, "message": "no record", "status": "error"}
    report = job(run, answering(400, body), kind="mass_delete", wait_s=1)
    assert report[["status", "code"]].to_numpy().tolist() == [["refused", "NO_RECORDS_FOUND"]]
    assert pd.isna(report["records"].item())
