"""The token side: codes, renewal, revocation, and every way Accounts says no."""

import base64
import hashlib
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from zcrm_nb.auth.oauth import (
    REFUSED_S,
    Token,
    TokenSource,
    authorization_request,
    exchange,
    revoke,
)
from zcrm_nb.errors import ConnectionFailed, LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.wsgi import WSGIAdapter


def trade(zoho, clock, **options):
    return exchange(
        Secret("1000.c0dec0de.c0dec0de"),
        client_id="1000.CLIENT",
        client_secret=Secret("planted0client0secret"),
        accounts_url="https://accounts.zoho.test",
        adapter=WSGIAdapter(zoho),
        clock=clock,
        **options,
    )


def test_a_code_is_traded_for_a_grant_and_a_token(zoho, clock):
    """Scopes come back spaced though they are asked for with commas, and nobody minds."""
    grant, token = trade(zoho, clock)
    assert grant.refresh_token.reveal().startswith("1000.feedface")
    assert grant.accounts_url == "https://accounts.zoho.test"
    assert token.scopes == ("ZohoCRM.modules.ALL", "ZohoCRM.coql.READ")
    assert token.expires_at == clock.now + 3600
    assert token.api_domain == "https://www.zohoapis.test"


def test_a_self_client_sends_no_redirect_uri(zoho, clock):
    """Client id and secret travel in the form, and nothing that was not given."""
    trade(zoho, clock)
    assert zoho.token_forms == [
        {
            "grant_type": ["authorization_code"],
            "client_id": ["1000.CLIENT"],
            "client_secret": ["planted0client0secret"],
            "code": ["1000.c0dec0de.c0dec0de"],
        }
    ]


def test_a_browser_login_sends_redirect_uri_and_verifier(zoho, clock):
    """Both as in the authorization request."""
    trade(zoho, clock, redirect_uri="http://127.0.0.1:1/cb", code_verifier=Secret("proof"))
    assert zoho.token_forms[0]["redirect_uri"] == ["http://127.0.0.1:1/cb"]
    assert zoho.token_forms[0]["code_verifier"] == ["proof"]


def test_a_login_without_a_refresh_token_is_refused(zoho, clock):
    """It would work for an hour and then break."""
    zoho.refusals.append((200, {"access_token": "1000.aaaaaaaa.bbbbbbbb", "expires_in": 3600}))
    with pytest.raises(LoginError, match="access_type=offline"):
        trade(zoho, clock)


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [
        ("invalid_code", 200, "Log in again"),
        ("invalid_client", 200, "data centre"),
        ("invalid_client_secret", 200, "client secret"),
        ("invalid_redirect_uri", 200, "redirect URI"),
        ("access_denied", 200, "10 minutes"),
        ("Access Denied", 200, "Wait 10 minutes"),
        ("Access Denied", 400, "Wait 10 minutes"),
        ("invalid_grant", 400, "Log in again"),
        ("general_error", 200, "client id"),
        ("a_new_word", 200, "client id"),
    ],
)
def test_each_refusal_has_its_advice(zoho, clock, error, status, advice):
    """Under HTTP 200 or 400: what Zoho said, and what to do."""
    zoho.refusals.append((status, {"error": error, "error_description": "in Zoho's words"}))
    with pytest.raises(LoginError, match=advice) as caught:
        trade(zoho, clock)
    assert caught.value.said == f"Zoho said {error}: in Zoho's words"


@pytest.mark.parametrize(
    "answer",
    [
        (503, b"<html>busy</html>", {"Content-Type": "text/html"}),
        (400, b"Bad Request", {"Content-Type": "text/plain"}),
        (400, b""),
        (500, {"error": "general_error"}),
        (200, b'{"access_tok'),
        (200, b"[]"),
        (200, {"access_token": "1000.aaaaaaaa.bbbbbbbb", "expires_in": "soon"}),
        (200, {"access_token": "1000.aaaaaaaa.bbbbbbbb", "error": "and_yet_an_error"}),
        (307, b"", {"Location": "https://example.com/oauth"}),
        ConnectionError("no network"),
    ],
)
def test_no_usable_answer_is_a_failed_connection(zoho, clock, answer):
    """Torn, empty, at odds with itself, redirected (no secret follows), or no network."""
    zoho.refusals.append(answer)
    with pytest.raises(ConnectionFailed, match=r"accounts\.zoho\.test"):
        trade(zoho, clock)
    assert len(zoho.token_forms) == 1


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ((503, b"<html>busy</html>"), "at Zoho's end"),
        ((500, {"error": "general_error"}), "at Zoho's end"),
        ((400, b"Bad Request"), "any proxy"),
    ],
)
def test_an_answer_that_says_nothing_is_advised_by_its_status(zoho, clock, answer, advice):
    """Too often, Zoho's own trouble, or a request that somebody changed on its way."""
    zoho.refusals.append(answer)
    with pytest.raises(ConnectionFailed) as caught:
        trade(zoho, clock)
    assert advice in caught.value.todo


def test_milliseconds_are_told_from_seconds(zoho, tokens, clock):
    """With expires_in_sec in a reply, expires_in counts milliseconds."""
    life = {"expires_in": 3_600_000, "expires_in_sec": 3600}
    zoho.refusals.append((200, {"access_token": "1000.aaaaaaaa.bbbbbbbb", **life}))
    assert tokens.token().expires_at == clock.now + 3600


def test_a_token_serves_until_shortly_before_its_end(zoho, tokens, clock):
    """One refresh for an hour of calls."""
    first = tokens.token()
    clock.now += 3589
    assert tokens.token() is first
    clock.now += 1
    assert tokens.token() != first
    assert zoho.made == 2


def test_a_refresh_sends_what_zoho_asks_for(zoho, tokens):
    """In the form, with the client's id and secret, and no scope."""
    tokens.token()
    assert {name: len(values) for name, values in zoho.token_forms[0].items()} == {
        "grant_type": 1,
        "refresh_token": 1,
        "client_id": 1,
        "client_secret": 1,
    }


def test_a_saved_token_is_used_first(zoho, grant, clock):
    """No refresh while a token from an earlier session is good."""
    saved = Token(Secret("1000.aaaaaaaa.bbbbbbbb"), clock.now + 60)
    source = TokenSource(grant, token=saved, adapter=WSGIAdapter(zoho), clock=clock)
    assert source.token() is saved
    assert zoho.made == 0


def test_fifty_threads_with_an_expired_token_cost_one_refresh(zoho, tokens):
    """Accounts makes ten tokens in ten minutes: one for each thread would lock the login out."""
    stale, gathered, got = tokens.token(), threading.Barrier(50), []

    def renew():
        gathered.wait()
        got.append(tokens.renew(stale))

    threads = [threading.Thread(target=renew) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert zoho.made == 2
    assert len(got) == 50
    assert len({id(token) for token in got}) == 1


def test_only_the_current_token_can_be_called_stale(zoho, tokens):
    """Whoever comes late with an old token gets the new one."""
    stale = tokens.token()
    fresh = tokens.renew(stale)
    assert tokens.renew(stale) is fresh
    assert zoho.made == 2


def test_a_revoked_login_is_not_asked_about_again_at_once(zoho, tokens, clock):
    """Every try counts against the throttle: the refusal stands for a minute, for all threads."""
    zoho.refusals.extend([(200, {"error": "invalid_code"})])
    for _ in range(5):
        with pytest.raises(LoginError, match="invalid_code"):
            tokens.token()
    assert len(zoho.token_forms) == 1
    clock.now += REFUSED_S
    assert tokens.token().access
    assert len(zoho.token_forms) == 2


def test_a_failed_connection_is_asked_again(zoho, tokens):
    """The network may be back."""
    zoho.refusals.append(ConnectionError("gone"))
    with pytest.raises(ConnectionFailed):
        tokens.token()
    assert tokens.token().access


def test_a_failed_renewal_does_not_bring_the_stale_token_back(zoho, tokens):
    """The stale token has time left by the clock, and is gone all the same."""
    stale = tokens.token()
    zoho.refusals.append(ConnectionError("gone"))
    with pytest.raises(ConnectionFailed):
        tokens.renew(stale)
    assert tokens.token() != stale


def test_a_token_is_revoked(zoho, clock):
    """Zoho says success, or the caller hears of it."""
    send = {"accounts_url": "https://accounts.zoho.test", "adapter": WSGIAdapter(zoho)}
    zoho.token_forms.clear()
    zoho.refusals.extend([(200, {"status": "success"}), (400, {"error": "invalid"})])
    revoke(Secret("gone"), **send)
    assert zoho.token_forms == [{"token": ["gone"]}]
    with pytest.raises(LoginError, match="not revoked"):
        revoke(Secret("gone"), **send)


def test_the_authorization_request_asks_for_everything_zoho_needs():
    """Commas between scopes, offline access with consent, state and S256 proof."""
    asked = authorization_request(
        "1000.CLIENT",
        ["ZohoCRM.modules.READ", "ZohoCRM.coql.READ"],
        redirect_uri="http://127.0.0.1:8765/callback",
        accounts_url="http://127.0.0.1:8080",
    )
    address = urlsplit(asked.url)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    digest = hashlib.sha256(asked.verifier.reveal().encode()).digest()
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        "http://127.0.0.1:8080/oauth/v2/auth"
    )
    assert query == {
        "response_type": "code",
        "client_id": "1000.CLIENT",
        "scope": "ZohoCRM.modules.READ,ZohoCRM.coql.READ",
        "redirect_uri": "http://127.0.0.1:8765/callback",
        "access_type": "offline",
        "prompt": "consent",
        "state": asked.state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
