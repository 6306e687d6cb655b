"""What becomes of records when calls that change them are carried out, one answer at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zcrm_nb.api.acting import convert, mass, recycle_bin
from zcrm_nb.api.writing.calls import NOT_SENT, WriteCall, carry_out
from zcrm_nb.errors import (
    APIError,
    ConnectionFailed,
    LimitError,
    LoginError,
    RateLimitError,
    ServerError,
    api_error,
)

CASES = json.loads((Path(__file__).parents[2] / "data" / "actions_documented.json").read_bytes())


def silent(records):
    """Nobody listens."""


class Zoho:
    """Answers each call with what a function says, and remembers the calls."""

    def __init__(self, answer):
        self.answer, self.calls = answer, []

    def __call__(self, method, path, *, params=None, json=None, files=None):
        self.calls.append((method, path, params, json))
        return self.answer(method, path, params, json)


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


def rows_of(case):
    """Carry the case's verb out and return the rows of its report."""
    send, ids = (
        answering(case["status"], case["answer"]),
        [each.get("id") or str(n + 1) for n, each in enumerate(case["rows"])],
    )
    options = {"workers": 2, "tick": silent}
    match case["verb"]:
        case "convert":
            return convert.convert_leads(send, [(each, {}) for each in ids], **options)
        case "change_owner":
            return mass.change_owner(send, "Leads", ids, "9", notify=False, related=(), **options)
        case "mass_update":
            return mass.mass_update(send, "Leads", ids, {"City": "x"}, **options)
        case "mass_delete":
            return mass.mass_delete(send, "Leads", ids, **options)
        case "restore":
            return recycle_bin.restore(send, "Leads", ids, **options)
    raise AssertionError(case)


@pytest.mark.parametrize("case", CASES, ids=[case["says"] for case in CASES])
def test_documented_answers_are_read_as_they_are_meant(case):
    """Status, code, field and ids, whatever the envelope."""
    rows = rows_of(case)
    assert len(rows) == len(case["rows"])
    for row, expected in zip(rows, case["rows"], strict=True):
        assert expected.items() <= row.items()


def acts(count, size=1):
    """Some acts, each about ``size`` records."""
    return [WriteCall("act", "x", {"n": n}, [f"{n}{k}" for k in range(size)]) for n in range(count)]


def failing(error, *, after=0):
    """A Zoho that fails from some call on, and does well before."""

    def answer(method, path, params, sent):
        if sent["n"] >= after:
            raise error
        return b'{"data": [{"code": "SUCCESS", "status": "success", "details": {}}]}'

    return Zoho(answer)


UNCLEAR = [ConnectionFailed("no answer", "torn"), ServerError("down", code="INTERNAL_ERROR")]


@pytest.mark.parametrize("error", UNCLEAR)
def test_an_unclear_answer_leaves_its_records_unknown_and_the_others_go_on(error):
    """Nothing is sent twice."""
    send = failing(error)
    told = carry_out(send, acts(3, 2), workers=1, tick=silent)
    assert [row["status"] for row, _ in told] == ["unknown"] * 6
    assert len(send.calls) == 3


def test_a_throttled_call_has_done_nothing():
    """It was refused at the door; its records say so."""
    send = failing(RateLimitError("no", "too many", code="TOO_MANY_REQUESTS"), after=1)
    told = carry_out(send, acts(2), workers=1, tick=silent)
    assert [row["status"] for row, _ in told] == ["done", "refused"]
    assert told[1][0]["code"] == "TOO_MANY_REQUESTS"


@pytest.mark.parametrize("error", [LoginError("revoked"), LimitError("no credits left")])
def test_when_the_way_ends_the_rest_is_not_sent_and_says_so(error):
    """The report is not lost; if nothing at all was sent, the reason is raised."""
    send = failing(error, after=2)
    told = carry_out(send, acts(5), workers=1, tick=silent)
    assert [row["status"] for row, _ in told] == ["done", "done", "refused", "refused", "refused"]
    assert {row["code"] for row, _ in told[2:]} == {NOT_SENT}
    assert len(send.calls) == 3
    with pytest.raises(type(error)):
        carry_out(failing(error), acts(2), workers=1, tick=silent)


def test_an_interrupt_gives_the_report_so_far():
    """What was under way is told of, what was not sent too."""

    def answer(method, path, params, sent):
        return b'{"data": [{"code": "SUCCESS", "status": "success", "details": {}}]}'

    class Impatient:
        """Presses Ctrl-C after the second record."""

        def __init__(self):
            self.seen = 0

        def __call__(self, records):
            self.seen += records
            if self.seen == 2:
                raise KeyboardInterrupt

    send = Zoho(answer)
    told = carry_out(send, acts(6), workers=1, tick=Impatient())
    statuses = [row["status"] for row, _ in told]
    assert len(told) == 6
    assert statuses[:2] == ["done", "done"]
    assert statuses.count("done") == len(send.calls)


def test_an_answer_that_does_not_fit_is_unknown():
    """Too few results, or none: nobody guesses."""
    for body in (b"", b"[]", b'{"data": []}', b'{"data": [{}]}'):
        told = carry_out(Zoho(lambda *_, body=body: body), acts(1, 2), workers=1, tick=silent)
        assert [row["status"] for row, _ in told] == ["unknown"] * 2


def test_a_refusal_of_the_whole_call_is_told_of_each_record():
    """With its code and what Zoho said."""
    error = APIError("no", "Zoho said INVALID_DATA: bad", code="INVALID_DATA")
    told = carry_out(failing(error), acts(1, 2), workers=1, tick=silent)
    assert [(row["status"], row["code"]) for row, _ in told] == [("refused", "INVALID_DATA")] * 2


def test_records_go_in_batches_and_related_ones_only_once():
    """500 a call; five hundred and one make two."""
    send = answering(200, {"data": []})
    ids = [str(n) for n in range(501)]
    mass.change_owner(
        send, "Leads", ids, "9", notify=True, related=[("Tasks", "8")], workers=1, tick=silent
    )
    first, second = (sent for *_, sent in send.calls)
    assert (len(first["ids"]), len(second["ids"])) == (500, 1)
    assert first["related_modules"] == [{"api_name": "Tasks", "id": "8"}]
    assert "related_modules" not in second
    assert first["notify"] is True


JOBS = [
    ({"Status": "COMPLETED", "Total_Count": 3, "Updated_Count": 3, "Failed_Count": 0,
      "Not_Updated_Count": 0}, [("done", 3, "3 of 3")]),
    ({"Status": "COMPLETED", "Total_Count": 3, "Updated_Count": 1, "Failed_Count": 2,
      "Not_Updated_Count": 0}, [("done", 1, "1 of 3"), ("refused", 2, "2 of 3; the job does not"
                                                         " tell which, or why")]),
    ({"Status": "FAILED", "Total_Count": 3, "Updated_Count": 0, "Failed_Count": 0,
      "Not_Updated_Count": 3}, [("refused", 3, "3 of 3; the job does not tell which, or why")]),
]  # fmt: skip


@pytest.mark.parametrize(("status", "rows"), JOBS)
def test_a_job_is_waited_for_and_counted(status, rows):
    """Scheduled, running, a look that is lost, finished: longer and longer pauses."""
    looks = iter([{"Status": "SCHEDULED"}, ConnectionFailed("lost"), {"Status": "RUNNING"}, status])
    pauses = []

    def answer(method, path, params, sent):
        if method == "POST":
            said = {"code": "SUCCESS", "status": "success", "details": {"job_id": "7"}}
            return json.dumps({"data": [said]}).encode()
        look = next(looks)
        if isinstance(look, Exception):
            raise look
        return json.dumps({"data": [look]}).encode()

    told = mass.run_job(
        Zoho(answer), "Leads", "mass_update", {"cvid": "1"}, wait_s=600, sleep=pauses.append
    )
    assert [(row["status"], row["records"], row["message"]) for row in told] == rows
    assert {row["id"] for row in told} == {"7"}
    assert pauses == [1, 2, 4]


def test_a_job_that_takes_too_long_is_unknown():
    """With its id, so that it can be looked for."""
    said = {"code": "SUCCESS", "status": "success", "details": {"job_id": "7"}}
    send = Zoho(
        lambda method, *_: json.dumps(
            {"data": [said if method == "POST" else {"Status": "RUNNING"}]}
        ).encode()
    )
    pauses = []
    (row,) = mass.run_job(
        send, "Leads", "mass_delete", {"cvid": "1"}, wait_s=30, sleep=pauses.append
    )
    assert (row["status"], row["code"], row["id"]) == ("unknown", "RUNNING", "7")
    assert sum(pauses) >= 30


def test_a_job_that_is_refused_is_one_row():
    """NO_RECORDS_FOUND, as a bare object."""
    body = {"code": "NO_RECORDS_FOUND", "details": {}, "message": "no record", "status": "error"}
    (row,) = mass.run_job(
        answering(400, body), "Leads", "mass_delete", {"cvid": "1"}, wait_s=1, sleep=silent
    )
    assert (row["status"], row["code"]) == ("refused", "NO_RECORDS_FOUND")
