"""Replies of Zoho Accounts: a token, a refusal, or nothing usable; never a secret in words."""

import json

import pytest
import requests

from zcrm_nb.auth.accounts import json_object, post, read_token_reply, refused
from zcrm_nb.errors import ConnectionFailed, LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.wsgi import WSGIAdapter

ACCOUNTS = "https://accounts.zoho.test"


def reply(body, status=200):
    """A response of Accounts."""
    response = requests.Response()
    response.status_code, response.url = status, f"{ACCOUNTS}/oauth/v2/token"
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return response


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        {},
        {"access_token": None},
        {"access_token": 7},
        {"access_token": ["x"]},
        {"access_token": "a", "error": "b"},
        {"access_token": "a", "expires_in": "soon"},
        {"access_token": "a", "expires_in": [3600]},
    ],
)
def test_what_is_neither_a_token_nor_a_refusal_is_a_failed_connection(body):
    """Of whatever shape."""
    with pytest.raises(ConnectionFailed, match=r"accounts\.zoho\.test"):
        read_token_reply(reply(body))


@pytest.mark.parametrize("odd", [None, 5, [], {}])
def test_a_token_stands_whatever_the_rest_of_the_reply_is(odd):
    """Only the token is needed."""
    facts = read_token_reply(
        reply({"access_token": "a", "refresh_token": odd, "api_domain": odd, "scope": odd})
    )
    assert facts.access == Secret("a")
    assert facts.refresh is None
    assert facts.life_s == 3600


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b"<html>"),
        (429, {"status": "failure"}),
        (400, {"error": "Access Denied"}),
        (200, {"error": "Access Denied", "error_description": "too many requests continuously"}),
        (400, {"error": "other", "error_description": "You have made too many requests"}),
    ],
)
def test_every_way_of_throttling_says_to_wait(status, body):
    """And that nothing else helps."""
    with pytest.raises(LoginError, match="Wait 10 minutes") as caught:
        read_token_reply(reply(body, status))
    assert caught.value.is_throttled


def test_a_refusal_has_zohos_code():
    """To branch on."""
    assert refused("invalid_code").code == "invalid_code"
    assert not refused("invalid_code").is_throttled


def test_secrets_that_a_reply_repeats_are_masked():
    """The ones that were sent, and all that look like one."""
    secret = Secret("planted0client0secret")
    body = {
        "error": "invalid_client",
        "error_description": f"client {secret.reveal()} with 1000.aabbccdd.eeff0011",
    }
    shown = str(json_object(reply(body), secret))
    assert secret.reveal() not in shown
    assert "1000.aabbccdd" not in shown
    with pytest.raises(LoginError) as caught:
        read_token_reply(reply(body), secret)
    assert secret.reveal() not in str(caught.value)


def test_an_untrusted_certificate_names_the_way_out():
    """As behind a proxy that inspects traffic."""

    class Untrusting(WSGIAdapter):
        def send(self, request, *args, **options):
            reason = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"
            raise requests.exceptions.SSLError(reason, request=request)

    with pytest.raises(ConnectionFailed, match="REQUESTS_CA_BUNDLE"):
        post("/oauth/v2/token", {}, accounts_url=ACCOUNTS, adapter=Untrusting(None))
