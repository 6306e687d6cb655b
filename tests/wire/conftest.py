"""A stand-in for Zoho at the edge of the wire: a WSGI callable that a test tells what to answer."""

import json
import threading
from collections import deque
from urllib.parse import parse_qs

import pytest

from zcrm_nb.auth.data_centres import Addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

CLIENT_SECRET = "planted0client0secret"
REFRESH_TOKEN = "1000.feedfacefeedfacefeedfacefeedface.decafbaddecafbaddecafbaddecafbad"
JSON = {"Content-Type": "application/json;charset=UTF-8"}


class Zoho:
    """Accounts and API in one callable: answers what is queued, else what a healthy org would."""

    def __init__(self):
        self.answers, self.refusals = deque(), deque()
        self.calls, self.token_forms = [], []
        self.valid, self.made = set(), 0
        self.api_domain = "https://www.zohoapis.test"
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self.lock:
            if environ["PATH_INFO"].startswith("/oauth/"):
                status, headers, answer = self._accounts(environ, body)
            else:
                status, headers, answer = self._api(environ, body)
        start_response(f"{status} Word", list({**JSON, **headers}.items()))
        return [answer]

    def _accounts(self, environ, body):
        self.token_forms.append(parse_qs(body.decode()))
        assert not environ["QUERY_STRING"], "a secret in the query would be written to logs"
        if self.refusals:
            return _answer(self.refusals.popleft())
        self.made += 1
        token = f"1000.{self.made:032x}.{'ab' * 16}"
        self.valid = {token}
        reply = {
            "access_token": token,
            "api_domain": self.api_domain,
            "token_type": "Bearer",
            "scope": "ZohoCRM.modules.ALL ZohoCRM.coql.READ",
            "expires_in": 3600,
        }
        if self.token_forms[-1]["grant_type"] == ["authorization_code"]:
            reply["refresh_token"] = REFRESH_TOKEN
        return 200, {}, json.dumps(reply).encode()

    def _api(self, environ, body):
        self.calls.append((environ, body))
        word, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if word != "Zoho-oauthtoken" or token not in self.valid:
            return _answer((401, {"code": "INVALID_TOKEN", "message": "invalid oauth token"}))
        return _answer(self.answers.popleft() if self.answers else (200, {"data": []}))

    def expire(self):
        """Forget every access token."""
        self.valid = set()

    @property
    def paths(self):
        return [environ["PATH_INFO"] for environ, _ in self.calls]


def _answer(said):
    """Give what the test wrote: (status, body) or (status, body, headers), or raise it."""
    if isinstance(said, Exception):
        raise said
    status, body, headers = (*said, {})[:3]
    return status, headers, body if isinstance(body, bytes) else json.dumps(body).encode()


class Clock:
    """A clock that moves when somebody sleeps, or when a test says so."""

    def __init__(self):
        self.now, self.slept = 1_800_000_000.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def zoho():
    return Zoho()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def addresses():
    return Addresses(
        "https://accounts.zoho.test", "https://www.zohoapis.test", "https://content.zohoapis.test"
    )


@pytest.fixture
def grant(addresses):
    return Grant(
        "1000.CLIENT", Secret(CLIENT_SECRET), Secret(REFRESH_TOKEN), addresses.accounts_url
    )


@pytest.fixture
def tokens(grant, zoho, clock):
    return TokenSource(grant, adapter=WSGIAdapter(zoho), clock=clock)


@pytest.fixture
def notices():
    return []


@pytest.fixture
def gate(tokens, addresses, zoho, clock, notices):
    gate = Gate(
        tokens,
        addresses,
        adapter=WSGIAdapter(zoho),
        clock=clock,
        sleep=clock.sleep,
        notify=notices.append,
    )
    yield gate
    gate.close()
