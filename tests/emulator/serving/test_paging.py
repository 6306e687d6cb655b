"""Page tokens: sealed, bound, and limited in time and reach."""

import base64

import pytest

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.paging import LIFE_S, REACH, Binder, Position

BINDER = Binder.of(b"secret", 7, [("fields", "id"), ("module", "Leads")])
HERE = Position(key=1789443000, id=410888001000000001, served=200)


def refusal(binder, token, now=0):
    """Code of the refusal."""
    with pytest.raises(Refusal) as refused:
        binder.open(token, now)
    return refused.value.code


@pytest.mark.parametrize("position", [HERE, HERE._replace(backwards=True), Position(0, 1, 0)])
def test_a_position_survives_its_token(position):
    """Whatever it is; in at most 96 characters."""
    token = BINDER.seal(position, 1000)
    assert BINDER.open(token, 1000) == position
    assert len(token) <= 96


def test_the_order_of_parameters_does_not_matter():
    """Only what they say."""
    other = Binder.of(b"secret", 7, [("module", "Leads"), ("fields", "id")])
    assert other.open(BINDER.seal(HERE, 0), 0) == HERE


def test_a_token_holds_for_its_user_org_and_question():
    """Another question is a mismatch; another user or org makes it garbage."""
    token = BINDER.seal(HERE, 0)
    asked = BINDER.bound_to
    assert refusal(Binder(b"secret", 7, (*asked, ("a", "b"))), token) == "TOKEN_BOUND_DATA_MISMATCH"
    assert refusal(Binder(b"secret", 8, asked), token) == "INVALID_DATA"
    assert refusal(Binder(b"other", 7, asked), token) == "INVALID_DATA"


@pytest.mark.parametrize("token", ["", "x", "äöü", "A" * 60, "=" * 60])
def test_garbage_is_no_token(token):
    """However it looks."""
    assert refusal(BINDER, token) == "INVALID_DATA"


def test_a_changed_byte_breaks_the_seal():
    """Any of them."""
    raw = base64.urlsafe_b64decode(BINDER.seal(HERE, 0))
    for at in range(len(raw)):
        bent = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert refusal(BINDER, base64.urlsafe_b64encode(bent).decode()) == "INVALID_DATA"


def test_a_token_lives_a_day():
    """To the second."""
    token = BINDER.seal(HERE, 1000)
    assert BINDER.open(token, 1000 + LIFE_S - 1) == HERE
    assert refusal(BINDER, token, 1000 + LIFE_S) == "EXPIRED_VALUE"


def test_tokens_lead_to_100000_records_and_back():
    """Forwards no further; backwards from there is fine."""
    end = HERE._replace(served=REACH)
    assert refusal(BINDER, BINDER.seal(end, 0)) == "PAGINATION_LIMIT_EXCEEDED"
    back = end._replace(backwards=True)
    assert BINDER.open(BINDER.seal(back, 0), 0) == back
