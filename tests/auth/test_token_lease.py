"""An access token lent: it opens for one box, and shows nowhere on the way."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.auth.oauth import Token
from zcrm_nb.auth.token_lease import Borrowed, Box, mark, seal
from zcrm_nb.errors import LimitError, LoginError
from zcrm_nb.masking import Secret

SECRET = Secret("1000.0123456789abcdef.fedcba9876543210")


@given(text=st.text())
def test_a_box_gives_what_was_sealed_for_it(text):
    """Any text comes back, masked."""
    box = Box()
    assert box.open(seal(Secret(text), box.public)).reveal() == text


@given(at=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_changed_byte_opens_nothing(at, flip):
    """Whatever was changed on the way, and wherever."""
    box = Box()
    sealed = bytearray(seal(SECRET, box.public))
    sealed[at % len(sealed)] ^= flip
    with pytest.raises(LoginError, match="did not arrive whole"):
        box.open(bytes(sealed))


@pytest.mark.parametrize("short", [b"", b"x", bytes(40)])
def test_what_is_no_envelope_opens_nothing(short):
    """Also what is too short to be one."""
    with pytest.raises(LoginError, match="did not arrive whole"):
        Box().open(short)


def test_nobody_else_opens_it():
    """Another box does not, and no two envelopes of the same are alike."""
    box = Box()
    first, second = (seal(SECRET, box.public) for _ in range(2))
    assert first != second
    assert SECRET.reveal().encode() not in first
    with pytest.raises(LoginError):
        Box().open(first)


def test_a_box_does_not_travel():
    """Its private key is in no pickle."""
    with pytest.raises(TypeError):
        pickle.dumps(Box())


def test_a_refused_token_is_named_once_and_not_shown():
    """The next try says which it was, by a mark; the one after says nothing."""
    asked = []

    def ask(refused):
        asked.append(refused)
        return SECRET

    tokens = Borrowed(ask)
    tokens.renew(tokens.token())
    tokens.token()
    tokens.token()
    assert asked == ["", mark(Token(SECRET, 0.0)), ""]
    assert len(asked[1]) == 16
    assert asked[1] not in SECRET.reveal()


def test_a_loan_counts_as_a_call_of_ours(gate, zoho):
    """It takes its credit, and a refused token is renewed once, whoever says so."""
    with gate.lend("/crm/bulk/v8/read/1/result") as (first, _):
        assert gate.ledger.spent == 0
    assert gate.ledger.spent == zoho.made == 1
    refused = mark(Token(first, 0.0))
    with gate.lend("/x", refused=refused) as (second, hold):
        hold.taken = False
    with gate.lend("/x", refused=refused) as (third, _):
        assert first != second == third
    assert gate.ledger.spent == zoho.made == 2


def test_loans_wait_for_their_turn(gate, clock):
    """Ten downloads begin in a minute, whoever makes them; the eleventh waits."""
    for _ in range(10):
        with gate.lend("/x"):
            assert not clock.slept
    with gate.lend("/x"):
        assert sum(clock.slept) > 60


def test_a_budget_holds_for_loans(gate):
    """What others send on our account is spent from it."""
    with gate.ledger.budget(0), pytest.raises(LimitError), gate.lend("/x"):
        pass
