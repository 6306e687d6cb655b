"""What goes wrong in real life, and what a person reads then: on the emulator, end to end."""

from __future__ import annotations

import io
import logging
import os
import socket
import subprocess
import sys
import traceback
from contextlib import contextmanager

import pytest

from tests.worlds import Org
from zcrm_nb import CRM, connect, errors
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, TokenSource
from zcrm_nb.emulator.world import ADMIN
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")
QUERY = "select Last_Name from Leads where id is not null"


@pytest.fixture
def small():
    """An org of a test's own, quick to make."""
    with Org(rows={"Leads": 450, "Deals": 20}) as emulator:
        yield emulator


@pytest.fixture
def waits():
    """How long a CRM of :func:`impatient` would have waited, in seconds."""
    return []


@pytest.fixture
def impatient(waits):
    """A function that connects to credentials, with nobody sleeping between two tries."""

    def impatient(facts, adapter=None):
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        secrets = Secret(facts["client_secret"]), Secret(facts["refresh_token"])
        grant = Grant(facts["client_id"], *secrets, facts["accounts_url"])
        tokens = TokenSource(grant, adapter=adapter)
        gate = Gate(tokens, addresses("in", **urls), adapter=adapter, sleep=waits.append)
        return CRM(gate)

    return impatient


@pytest.fixture
def hasty(small, impatient):
    """A CRM on the small org that does not sleep."""
    return impatient(small.credentials, WSGIAdapter(small.wsgi))


def three_lines(error: BaseException) -> list[str]:
    """What a person reads."""
    return str(error).splitlines()


def test_a_wrong_secret_is_a_login_error_that_names_it(small):
    """Accounts answers HTTP 200 with an error word; a person needs a sentence."""
    with small.serve() as server:
        login = {name: server.credentials[name] for name in LOGIN}
        crm = connect(**{**login, "client_secret": "f" * 42})
        with pytest.raises(errors.LoginError, match="invalid_client_secret") as caught:
            crm.coql(QUERY)
    assert "secret" in three_lines(caught.value)[-1].lower()


def test_the_accounts_server_of_another_data_centre_is_explained(small):
    """It does not know the client: nine times in ten the data centre is wrong."""
    with small.serve() as server, Org(rows={"Leads": 1}, seed=7).serve() as elsewhere:
        login = {name: server.credentials[name] for name in LOGIN}
        crm = connect(**{**login, "accounts_url": elsewhere.url})
        with pytest.raises(errors.LoginError, match="invalid_client") as caught:
            crm.modules()
    assert "data centre" in str(caught.value)


def test_a_revoked_login_says_to_log_in_again(small, connected):
    """The refresh token is gone: no retry helps."""
    crm = connected(small)
    crm.modules()
    small.accounts.revoke(small.credentials["refresh_token"])
    with pytest.raises(errors.LoginError, match="invalid_code") as caught:
        crm.fields("Leads")
    assert "Log in again" in str(caught.value) or "log in again" in str(caught.value)


def test_a_missing_scope_is_named_and_not_mistaken_for_an_expired_token(small, connected):
    """It is HTTP 401 too, but a new token would not help."""
    client = small.accounts.register()
    narrow = small.accounts.issue_refresh_token(client.client_id, ADMIN, ("ZohoCRM.settings.ALL",))
    small.credentials |= {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "refresh_token": narrow,
    }
    crm = connected(small)
    crm.fields("Leads")
    with crm.trace() as calls, pytest.raises(errors.ScopeError) as caught:
        crm.coql(QUERY)
    assert "scope" in three_lines(caught.value)[-1]
    assert [call.attempts for call in calls] == [1]


def test_no_network_is_a_connection_error_in_words(impatient):
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        login = {"client_id": "1000.X", "client_secret": "s", "refresh_token": "1000.y"}
        urls = dict.fromkeys(("accounts_url", "api_domain", "upload_url"), nowhere)
        crm = impatient({**login, **urls})
        with pytest.raises(errors.ConnectionFailed) as caught:
            crm.modules()
    assert "127.0.0.1" in str(caught.value)


def test_a_taken_port_is_said_in_one_line():
    """``zcrm-nb emulate --port`` on a port that is in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "zcrm_nb", "emulate", "--port", port, "--rows", "Leads=1"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert port in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("kind", ["429", "502", "503", "html", "reset"])
def test_a_read_survives_a_bad_moment(small, hasty, kind):
    """Each is over after one try or two: the table comes whole."""
    hasty.fields("Leads")
    small.faults.add(kind, times=2, path="/coql")
    assert len(hasty.coql(QUERY)) == 450


def test_paging_survives_tokens_that_expire_on_the_way(small, connected):
    """Page three must not be lost because an hour was over."""
    crm = connected(small)
    crm.fields("Leads")
    small.faults.add("expire_tokens", times=1, after=1, path="/Leads")
    df = crm.records("Leads", ["Last_Name"])
    assert len(df) == 450
    assert df["id"].is_unique


def test_a_read_that_stays_refused_says_so_after_the_last_try(small, hasty, waits):
    """Patience has an end, and the end has a reason."""
    hasty.fields("Leads")
    small.faults.add("429", times=99, path="/coql")
    with pytest.raises(errors.RateLimitError) as caught:
        hasty.coql(QUERY)
    assert "crm.credits" in str(caught.value)
    assert [base <= wait <= 1.25 * base for base, wait in zip((1, 2, 4, 8), waits, strict=True)]


def test_a_write_is_not_sent_again_when_its_answer_was_lost(small, hasty):
    """Zoho has no idempotency key: a second try might make a second lead."""
    before = hasty.count("Leads", "id is not null")
    small.faults.add("lost", times=1, path="/Leads")
    body = {"data": [{"Last_Name": "Osei", "Company": "Northwind"}]}
    with pytest.raises(errors.ConnectionFailed):
        hasty.request("POST", "Leads", json=body)
    assert hasty.count("Leads", "id is not null") == before + 1


FAILURES = {
    "revoked": lambda org: org.accounts.revoke(org.credentials["refresh_token"]),
    "expired": lambda org: org.faults.add("expire_tokens", times=99),
    "server error": lambda org: org.faults.add("500", times=99),
    "html": lambda org: org.faults.add("html", times=99),
    "torn": lambda org: org.faults.add("torn", times=99),
    "reset": lambda org: org.faults.add("reset", times=99),
    "throttled": lambda org: org.faults.add("429", times=99),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_secret_shows_whatever_fails(small, hasty, failure):
    """Message, traceback with local variables, log at DEBUG, repr: none may hold a secret."""
    hasty.modules()
    access = hasty._gate._tokens.token().access.reveal()
    FAILURES[failure](small)
    with listening() as log:
        error = failing(hasty)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    seen = (
        "".join(told.format())
        + log.getvalue()
        + repr(hasty)
        + repr(vars(hasty))
        + repr(vars(hasty._gate))
    )
    secrets = [access, *(small.credentials[name] for name in ("client_secret", "refresh_token"))]
    assert [secret for secret in secrets if secret in seen] == []


def failing(crm):
    """The error of a call, without the frame of a test that knows the secrets itself."""
    try:
        crm.request("GET", "users")
    except errors.ZohoError as error:
        return error
    raise AssertionError("it was to fail")


@contextmanager
def listening():
    """Everything that anybody logs, at DEBUG."""
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def test_the_command_line_shows_an_error_without_a_traceback():
    """A person at a prompt reads words."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ZCRM_")}
    command = [sys.executable, "-m", "zcrm_nb", "emulate", "--rows", "Leads=many"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert ran.returncode == 2
    assert "Leads=200000" in ran.stderr
