"""The input whose text is never widget state."""

import json

import pytest

from zcrm_nb.notebook.login.secret_input import SecretBox

SECRET = "planted0client0secret"


def typed(box, text, entered=False):
    """What the front end sends."""
    box._handle_custom_msg({"text": text, "entered": entered}, [])


def test_what_was_typed_arrives_masked():
    """With whether Enter was pressed."""
    got = []
    box = SecretBox("Secret", lambda text, entered: got.append((text, entered)))
    typed(box, f" {SECRET}\n", entered=True)
    [(text, entered)] = got
    assert (text.reveal(), entered) == (SECRET, True)
    assert SECRET not in repr(got)


def test_nothing_of_it_is_state():
    """State is what a notebook saves."""
    box = SecretBox("Secret", lambda text, entered: None)
    typed(box, SECRET)
    state = json.dumps({key: str(value) for key, value in box.get_state().items()})
    assert SECRET not in state + repr(box) + str(vars(box))


def test_a_message_of_another_kind_is_ignored():
    """Whoever holds the comm can send anything."""
    got = []
    box = SecretBox("Secret", lambda *given: got.append(given))
    for content in (None, "give", {}, {"text": 1}, {"text": None}):
        box._handle_custom_msg(content, [])
    assert got == []


@pytest.mark.parametrize("name", ["crypto.randomUUID(", "crypto.subtle", "navigator.clipboard"])
def test_a_page_on_plain_http_shows_it_too(name):
    """A browser gives these to https and to this machine only; a hub on an intranet is neither."""
    assert name not in SecretBox("Client secret", print)._esm
