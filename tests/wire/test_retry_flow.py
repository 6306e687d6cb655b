"""The conversation about one call, its answers fed by hand: no socket, no clock."""

import pytest

from zcrm_nb.wire.response import Answer, Lost, usable
from zcrm_nb.wire.retry_flow import Renew, SendStep, Wait, conversation


def said(status, code="", **headers):
    body = b'{"code": "%s"}' % code.encode() if code else b"{}"
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def hold(*replies, safe=True):
    """Feed replies in turn; give the steps that were asked for, and the reply that stands."""
    talk, steps, queue = conversation(safe=safe, jitter=lambda: 0.0), [], list(replies)
    step = next(talk)
    try:
        while True:
            steps.append(step)
            step = talk.send(queue.pop(0) if step == SendStep() else None)
    except StopIteration as end:
        assert not queue, "the conversation ended before all was said"
        return steps, end.value


GOOD = said(200)


def test_a_good_answer_ends_it():
    """One call, one answer."""
    assert hold(GOOD) == ([SendStep()], GOOD)


@pytest.mark.parametrize("code", ["INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"])
@pytest.mark.parametrize("safe", [True, False])
def test_a_stale_token_is_renewed_once(code, safe):
    """A refused token was looked at before the call was: even a write may be sent again."""
    steps, reply = hold(said(401, code), GOOD, safe=safe)
    assert steps == [SendStep(), Renew(), SendStep()]
    assert reply is GOOD


def test_a_second_refusal_stands():
    """A new token that is refused as well means that the login is wrong, not old."""
    steps, reply = hold(said(401, "INVALID_TOKEN"), said(401, "INVALID_TOKEN"))
    assert steps == [SendStep(), Renew(), SendStep()]
    assert reply.code == "INVALID_TOKEN"


def test_a_missing_scope_is_not_cured_by_a_new_token():
    """OAUTH_SCOPE_MISMATCH is a 401 too."""
    assert hold(said(401, "OAUTH_SCOPE_MISMATCH"))[0] == [SendStep()]


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(
    "throttled",
    [said(429), said(429, "TOO_MANY_REQUESTS"), said(400, "TOO_MANY_REQUESTS"),
     said(400, "RATE_LIMIT_EXCEEDED")],
)  # fmt: skip
def test_a_throttled_call_waits_and_goes_again(throttled, safe):
    """Zoho did not look at it, so that is harmless for a write too."""
    steps, reply = hold(throttled, GOOD, safe=safe)
    assert [type(step) for step in steps] == [SendStep, Wait, SendStep]
    assert reply is GOOD


@pytest.mark.parametrize(
    "trouble", [said(500), said(502), said(504), said(520), Lost("no answer in time", sent=True)]
)
def test_unclear_trouble_is_tried_again_only_when_it_is_safe(trouble):
    """A write that may have arrived is never sent twice."""
    assert [type(step) for step in hold(trouble, GOOD)[0]] == [SendStep, Wait, SendStep]
    assert hold(trouble, safe=False) == ([SendStep()], trouble)


def test_a_write_that_never_left_goes_again():
    """Connection refused: certainly nothing arrived."""
    refused = Lost("the connection failed", sent=False)
    assert hold(refused, GOOD, safe=False)[1] is GOOD


@pytest.mark.parametrize("status", [400, 403, 404])
def test_other_errors_are_answers(status):
    """They would say the same again."""
    assert hold(said(status, "INVALID_DATA"))[0] == [SendStep()]


def test_it_gives_up_after_five_tries_and_fifteen_seconds():
    """Waits of 1, 2, 4 and 8 seconds, each with its reason."""
    steps, reply = hold(*[said(503, "SERVICE_UNAVAILABLE")] * 5)
    waits = [step for step in steps if isinstance(step, Wait)]
    assert [wait.seconds for wait in waits] == [1, 2, 4, 8]
    assert [wait.tries for wait in waits] == [1, 2, 3, 4]
    assert waits[0].because == "HTTP 503 SERVICE_UNAVAILABLE"
    assert reply.status == 503


def test_renewal_does_not_use_up_a_try():
    """Four waits are left after an expired token."""
    steps, _ = hold(said(401, "INVALID_TOKEN"), *[said(429)] * 5)
    assert sum(isinstance(step, Wait) for step in steps) == 4


def test_retry_after_is_honoured():
    """The server's word is a floor."""
    steps, _ = hold(said(429, Retry_After="20"), GOOD)
    assert steps[1].seconds == 20


def test_nobody_is_made_to_wait_for_an_hour():
    """Past a minute the decision is the caller's."""
    steps, reply = hold(said(429, Retry_After="3600"))
    assert steps == [SendStep()]
    assert reply.status == 429


HTML = {"Content-Type": "text/html"}
FILE = {"Content-Disposition": "attachment;filename*=UTF-8''a.html", "Content-Type": "text/html"}
JSON = {"Content-Type": "application/json;charset=UTF-8"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, JSON, b'{"data": []}'),
        Answer(200, JSON, b' [1, {"a": "}"}]\n'),
        Answer(200, JSON, '{"data": [{"Last_Name": "{[ä"}]}'.encode()),
        Answer(200, JSON, b'{"data": [], "info": {"count": 0, "more_records": false}}'),
        Answer(200, JSON, b'{"info": {"count": 0}, "data": [{"Tag": ["]"]}]}'),
        Answer(200, JSON, b'{"a": {"b": {"c": []}}}'),
        Answer(200, JSON, b'{"count": 84}'),
        Answer(200, {}, b"{}"),
        Answer(204, {}, b""),
        Answer(304, {}, b""),
        Answer(200, {"Content-Type": "application/zip"}, b"PK\x03\x04"),
        Answer(200, {"Content-Type": "text/csv"}, b"Id\n"),
        Answer(400, JSON, b'{"code": "INVALID_DATA"}'),
        Answer(503, HTML, b"<html>busy</html>"),
        Answer(200, FILE, b"<html>attached"),
        Answer(200, {**FILE, "Content-Length": "14"}, b"<html>attached"),
        Answer(
            200, {**FILE, "Content-Length": "9", "Content-Encoding": "gzip"}, b"unpacked by now"
        ),
        Answer(200, {**FILE, "Content-Length": "9000000"}, b""),
        Answer(429, {}, b""),
    ],
)
def test_answers_that_can_be_read_pass(answer):
    """JSON, files, empty answers; and trouble whose status says enough."""
    assert usable(answer) is answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, HTML, b"<html>log in to the wifi</html>"), "HTML page"),
        (Answer(403, HTML, b"<html>proxy</html>"), "HTML page"),
        (Answer(200, JSON, b"<html></html>"), "unreadable JSON"),
        (Answer(200, JSON, b""), "empty body"),
        (Answer(200, JSON, b'{"data": [{"id": "1"}, {"id": "2"}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"id": "1"}, {"id"'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"Last_Name": "}"}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [], "info": {"count": 0}'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": []'), "unreadable JSON"),
        (Answer(200, JSON, b'{"data": [{"Tag": []}'), "unreadable JSON"),
        (Answer(400, {"Content-Type": "text/plain"}, b"Bad Request"), "unreadable JSON"),
        (Answer(200, {**FILE, "Content-Length": "15"}, b"<html>attached"), "broke off"),
        (Answer(302, {"Location": "https://example.com"}, b""), "redirect"),
    ],
)
def test_what_came_in_place_of_an_answer_is_lost(answer, words):
    """A page of a proxy, a fragment, a redirect."""
    reply = usable(answer)
    assert isinstance(reply, Lost)
    assert words in reply.reason
    assert reply.sent
