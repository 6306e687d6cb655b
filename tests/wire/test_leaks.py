"""Recognisable secrets are planted, everything fails, and everything shown is searched."""

import logging
import pickle
import traceback

import pytest

from zcrm_nb.auth.oauth import Grant, authorization_request, exchange, revoke
from zcrm_nb.errors import ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

CLIENT_SECRET = "planted0client0secret"
REFRESH_TOKEN = "1000.feedfacefeedfacefeedfacefeedface.decafbaddecafbaddecafbaddecafbad"
GRANT_CODE = "planted0grant0code"
VERIFIER = "planted0verifier"
ACCESS = "abababababababab"  # ends every access token of the stand-in
PLANTED = (CLIENT_SECRET, REFRESH_TOKEN, GRANT_CODE, VERIFIER, ACCESS, "decafbad")


def everything_shown(error):
    """All that a notebook, a log handler or a crash reporter could show of an error."""
    chain = [error]
    while following := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(following)
    for each in chain:
        yield from (str(each), repr(each), repr(each.args), repr(vars(each)))
        story = traceback.TracebackException.from_exception(each, capture_locals=True)
        for frame in story.stack:
            if not frame.name.startswith("test_"):  # a test knows what it planted
                yield f"{frame.filename}:{frame.lineno} {frame.locals}"
    yield str(pickle.dumps(error))


def leaks(texts):
    return [(word, text) for text in texts for word in PLANTED if word in text]


def with_a_past():
    """Make an error that was raised while another one, which knows a secret, was handled."""
    error = RuntimeError("a fault of the transport itself")
    error.__context__ = ValueError(f"{CLIENT_SECRET} {ACCESS}")
    return error


BROKEN = [
    (200, {"error": "invalid_code"}),
    (200, {"error": "odd", "error_description": f"token {REFRESH_TOKEN} is bad"}),
    (400, {"error": "Access Denied"}),
    (200, {"access_token": f"1000.{ACCESS}.{ACCESS}"}),
    (503, b"<html>busy</html>"),
    (307, b"", {"Location": "https://example.com/"}),
    ConnectionResetError("torn"),
    with_a_past(),
]


@pytest.fixture
def debug(caplog):
    """Let every logger write everything, and none be masked yet."""
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).filters.clear()
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("answer", BROKEN)
def test_a_failed_exchange_shows_no_secret(zoho, debug, answer):
    """Message, chain, frames with their locals, pickle, and the logs of every library."""
    zoho.refusals.append(answer)
    with pytest.raises((ZohoError, RuntimeError)) as caught:
        exchange(
            Secret(GRANT_CODE),
            client_id="1000.CLIENT",
            client_secret=Secret(CLIENT_SECRET),
            accounts_url="https://accounts.zoho.test",
            code_verifier=Secret(VERIFIER),
            adapter=WSGIAdapter(zoho),
        )
    assert not leaks(everything_shown(caught.value))
    assert "requests_oauthlib" in {record.name.partition(".")[0] for record in debug.records}
    assert not leaks([debug.text])


@pytest.mark.parametrize("answer", [each for each in BROKEN if "access_token" not in str(each)])
def test_a_failed_renewal_shows_no_secret(zoho, gate, debug, answer):
    """The same through the gate."""
    zoho.refusals.extend([answer] * 5)
    with pytest.raises((ZohoError, RuntimeError)) as caught:
        gate.send("GET", "/crm/v8/Leads")
    assert not leaks(everything_shown(caught.value))
    assert not leaks([debug.text])


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"code": "OAUTH_SCOPE_MISMATCH"}),
        (400, {"code": "INVALID_DATA", "details": {"api_name": "x"}}),
        (200, b"torn"),
        (503, {}),
        ConnectionResetError("torn"),
        KeyboardInterrupt(),
        with_a_past(),
    ],
)
def test_a_failed_call_shows_no_secret(zoho, tokens, addresses, debug, answer):
    """Frames of requests hold the Authorization header: none of them is left on the error."""

    def app(environ, start_response):
        if environ["PATH_INFO"].startswith("/crm/") and isinstance(answer, BaseException):
            raise answer
        return zoho(environ, start_response)

    zoho.answers.extend([answer] * 5)
    gate = Gate(tokens, addresses, adapter=WSGIAdapter(app), sleep=nowhere)
    with pytest.raises((ZohoError, KeyboardInterrupt, RuntimeError)) as caught:
        gate.send("GET", "/crm/v8/Leads")
    assert not leaks(everything_shown(caught.value))
    assert not leaks([debug.text])


def nowhere(seconds):
    """Sleep nowhere."""


def test_a_failed_revocation_shows_no_secret(zoho, debug):
    """Nor does giving a token back."""
    zoho.refusals.append((400, {"error": "invalid"}))
    with pytest.raises(ZohoError) as caught:
        revoke(
            Secret(REFRESH_TOKEN),
            accounts_url="https://accounts.zoho.test",
            adapter=WSGIAdapter(zoho),
        )
    assert not leaks(everything_shown(caught.value))
    assert not leaks([debug.text])


def test_a_good_day_shows_no_secret_either(zoho, gate, tokens, grant, debug):
    """Objects shown in a notebook, traces, notices, logs."""
    zoho.answers.append((429, {}))
    with gate.trace() as calls:
        gate.send("GET", "/crm/v8/Leads", params={"refresh": REFRESH_TOKEN})
    token = tokens.token()
    asked = authorization_request(
        "1000.CLIENT", ["a"], redirect_uri="http://127.0.0.1:1/", accounts_url="https://a.test"
    )
    shown = [repr(each) for each in (gate, tokens, grant, token, asked, gate.ledger, calls)]
    shown += [str(each) for each in calls]
    shown += [str(pickle.dumps(each)) for each in (grant, token, calls)]
    assert not leaks([*shown, debug.text])
    assert asked.verifier.reveal() not in repr(asked)
    assert asked.verifier.reveal() not in asked.url


def test_a_pickled_grant_is_a_form_without_its_secrets(grant):
    """What comes back names the client, and cannot log in."""
    back = pickle.loads(pickle.dumps(grant))
    assert isinstance(back, Grant)
    assert back.client_id == grant.client_id
    with pytest.raises(ValueError, match="log in again"):
        back.refresh_token.reveal()


def test_the_search_would_find_a_leak():
    """The test of the test: a secret that is only a local variable of a frame is found."""

    def careless(text):
        raise ValueError("no secret in the words")

    with pytest.raises(ValueError, match="in the words") as caught:
        careless(CLIENT_SECRET)
    assert leaks(everything_shown(caught.value))
