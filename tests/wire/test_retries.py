"""The conversation about one call, its answers fed by hand: no socket, no clock."""

import pytest

from zcrm_nb.wire.gate import Renew, SendStep, Wait, conversation, delay_s
from zcrm_nb.wire.messages import Answer, Lost


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


def test_waits_double_up_to_the_cap():
    """1, 2, 4, 8 and no more."""
    assert [delay_s(attempt) for attempt in (1, 2, 3, 4, 9)] == [1, 2, 4, 8, 8]


def test_jitter_adds_at_most_a_quarter():
    """So that a crowd does not come back at once."""
    assert delay_s(3, jitter=0.0) == 4
    assert delay_s(3, jitter=0.5) == 4.5
    assert delay_s(3, jitter=1.0) == 5


def test_a_wait_is_never_shorter_than_the_server_asked():
    """Retry-After is a floor, jitter comes on top."""
    assert delay_s(1, retry_after_s=30) == 30
    assert delay_s(4, retry_after_s=3) == 8
    assert delay_s(1, retry_after_s=30, jitter=1.0) == 30.25
