"""Secrets do not show."""

import copy
import json
import logging
import pickle

import orjson
import pytest

from zcrm_nb.masking import Redactor, Secret, mask, quiet_oauth_logs

TEXT = "planted0secret"
TOKEN = "1000.0123456789abcdef0123456789abcdef.fedcba9876543210fedcba9876543210"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        "{}".format,
        "{:>40}".format,
        lambda secret: "%s" % secret,  # noqa: UP031 - the old form is the point
        lambda secret: f"{[secret]} { ({'a': secret}) }",
        lambda secret: repr(secret.__getstate__()),
        lambda secret: str(pickle.dumps(secret)),
        lambda secret: str(pickle.dumps({"deep": [secret]}, protocol=0)),
        lambda secret: json.dumps(secret, default=str),
        lambda secret: str(orjson.dumps(secret, default=str)),
        lambda secret: str(getattr(secret, "__dict__", "")),
    ],
)
def test_nothing_but_reveal_shows_the_text(show):
    """Whatever prints, formats or stores a secret gets the mask."""
    assert TEXT not in show(Secret(TEXT))


@pytest.mark.parametrize("dumps", [json.dumps, orjson.dumps])
def test_json_refuses_a_secret_without_quoting_it(dumps):
    """A secret in a document is a mistake, and the mistake does not name it."""
    with pytest.raises(TypeError) as caught:
        dumps({"token": Secret(TEXT)})
    assert TEXT not in str(caught.value)


def test_a_pickled_secret_comes_back_empty_and_says_so():
    """An unpickled secret is masked, has no text, and fails with words instead of a bad login."""
    back = pickle.loads(pickle.dumps(Secret(TEXT)))
    assert str(back) == "****"
    with pytest.raises(ValueError, match="log in again"):
        back.reveal()


def test_secrets_compare_by_their_text_and_never_with_a_str():
    """Equality works among secrets only."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret(Secret("ä")).reveal() == "ä"
    assert not Secret("")


def test_a_copy_is_the_secret_itself():
    """Copies inside a process keep working."""
    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


@pytest.mark.parametrize(
    "text",
    [
        f"token {TOKEN}.",
        f"Authorization: Zoho-oauthtoken {TEXT}",
        f"{{'Authorization': 'Bearer {TEXT}'}}",
        f"https://accounts.zoho.test/oauth/v2/token?client_secret={TEXT}&x=1",
        f"refresh_token={TEXT}",
        f'{{"access_token":"{TEXT}","expires_in":3600}}',
        f"data {{'client_secret': '{TEXT}', 'code': '{TEXT}'}}",
        f"GET /callback?code={TEXT}&location=us",
    ],
)
def test_texts_lose_their_secrets(text):
    """Tokens, headers, forms, addresses, JSON and dicts."""
    masked = mask(text)
    assert TEXT not in masked
    assert TOKEN not in masked
    assert "****" in masked


def test_known_secrets_go_whatever_they_look_like():
    """A secret with no telling shape is masked when it is named; an empty one masks nothing."""
    assert mask("the word is swordfish", Secret("swordfish"), Secret("")) == "the word is ****"


def test_zohos_error_codes_stay_readable():
    """Zoho says "code" to errors as well."""
    said = '{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token"}'
    assert mask(said) == said


def test_log_records_are_masked_with_their_tracebacks(caplog):
    """Message, arguments and the text of an exception."""
    logger = logging.getLogger("zcrm_nb.tests.redactor")
    logger.addFilter(Redactor())
    with caplog.at_level(logging.DEBUG, logger=logger.name):
        logger.info("sent %s to %d", f"client_secret={TEXT}", 1)
        logger.error("it broke", exc_info=RuntimeError(f"refresh_token={TEXT}"))
    assert TEXT not in caplog.text
    assert "client_secret=**** to 1" in caplog.text


def test_quieting_twice_adds_one_filter():
    """Every session calls it; loggers must not gather filters."""
    quiet_oauth_logs()
    quiet_oauth_logs()
    filters = logging.getLogger("requests_oauthlib.oauth2_session").filters
    assert sum(isinstance(each, Redactor) for each in filters) == 1
