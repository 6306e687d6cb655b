"""Whatever fails on the way from a consent to a table and out again: no secret is shown or kept."""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import TINY
from tests.wire.test_leaks import everything_shown
from zcrm_nb import CRM
from zcrm_nb.auth import flows
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import TokenSource
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.emulator import Emulator
from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = "http://127.0.0.1:8765/callback"
SCOPES = ["ZohoCRM.modules.READ", "ZohoCRM.settings.READ", "ZohoCRM.coql.READ", "ZohoCRM.org.READ"]

FAULTS = [
    "echo",  # a refusal that repeats everything it was asked with
    (200, b'{"error": "invalid_code"}'),
    (200, b'{"error": "general_error", "access_tok'),
    (200, b'{"access_token": 7, "refresh_token": [], "expires_in": "soon"}'),
    (401, b'{"code": "INVALID_TOKEN", "message": "invalid oauth token", "details": {}}'),
    (401, b'{"code": "OAUTH_SCOPE_MISMATCH", "message": "no", "details": {}}'),
    (429, b"{}"),
    (503, b"<html>busy</html>"),
    (307, b""),
    ConnectionResetError("torn"),
    RuntimeError("a fault of the transport itself"),
    KeyboardInterrupt(),
]
WAYS = ["browser", "device", "code", "token"]


class Troubled:
    """The emulator, with one fault or several at chosen requests."""

    def __init__(self, org: Emulator, faults: dict[int, object]) -> None:
        self.org, self.faults, self.asked = org, faults, 0

    def __call__(self, environ, start_response):
        fault = self.faults.get(self.asked)
        self.asked += 1
        if fault is None:
            return self.org.wsgi(environ, start_response)
        if isinstance(fault, BaseException):
            raise type(fault)(*fault.args)  # a new one: an old one keeps the frames it has seen
        status, body = _echo(environ) if fault == "echo" else fault
        start_response(f"{status} Word", [("Content-Type", "application/json"), ("Location", "/x")])
        return [body]


def _echo(environ) -> tuple[int, bytes]:
    """Refuse, with the whole request in the words."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    said = " ".join([*(f"{key}={value}" for key, value in parse_qsl(body)), environ["PATH_INFO"]])
    said = f"{said} {environ.get('HTTP_AUTHORIZATION', '')}".replace('"', "'")
    return 400, f'{{"error": "odd", "code": "ODD", "error_description": "{said}"}}'.encode()


class Journey:
    """A login by one of the ways, kept, used, examined and ended: what happens is only noted."""

    def __init__(self, org: Emulator, faults: dict[int, object], folder: Path) -> None:
        self.org, self.errors, self.made = org, [], []
        self.adapter = WSGIAdapter(Troubled(org, faults))
        self.vault = Vault(folder, keyring=False)
        registered = org.client([HERE])
        where = addresses("in", **{name: org.credentials[name] for name in URLS})
        secret = Secret(registered["client_secret"])
        self.client = flows.Client(registered["client_id"], secret, where, adapter=self.adapter)
        self.own = flows.Client(
            org.credentials["client_id"],
            Secret(org.credentials["client_secret"]),
            where,
            adapter=self.adapter,
        )

    def go(self, way: str) -> None:
        """All of it, as far as it comes."""
        for login in self._tried(getattr(self, way)):
            self.made.append(login)
            self._tried(partial(self.vault.save, "p", Profile(login.grant, token=login.token)))
            for kept in self._tried(partial(self.vault.load, "p")):
                self._use(kept, login.where)

    def _use(self, kept: Profile, where) -> None:
        renew = partial(self.vault.renew, "p")
        tokens = TokenSource(kept.grant, token=kept.token, adapter=self.adapter, shared=renew)
        gate = Gate(tokens, where, adapter=self.adapter, sleep=lambda seconds: None)
        crm = CRM(gate, kept=(self.vault, "p"))
        self.made += [kept, tokens, gate, crm, vars(tokens), crm._gate.ledger]
        self._tried(lambda: crm.count("Leads"))
        self.org.accounts.expire_access_tokens()
        self._tried(lambda: crm.coql("select Last_Name from Leads where id is not null", limit=2))
        self.made += self._tried(lambda: crm.doctor().to_csv())
        self._tried(crm.logout)
        self._tried(lambda: crm.count("Leads"))
        self._tried(crm.close)

    def browser(self) -> flows.Login:
        asked = flows.Consent.ask(self.client, SCOPES, HERE)
        self.made.append(asked)
        return asked.finish(Secret(self.org.approve(asked.request.url)))

    def device(self) -> flows.Login:
        device = flows.ask_for_device(self.client, SCOPES)
        self.made.append(device)
        self.org.approve_device(device.user_code)
        self.org.clock.advance(31)
        return flows.await_device(self.client, device, wait=lambda seconds: None)

    def code(self) -> flows.Login:
        return flows.log_in_with_code(self.own, Secret(self.org.grant_code()))

    def token(self) -> flows.Login:
        healthy = replace(self.own, adapter=WSGIAdapter(self.org.wsgi))
        at_hand = flows.log_in_with_code(healthy, Secret(self.org.grant_code()))
        return flows.log_in_with_token(self.own, at_hand.grant.refresh_token)

    def _tried(self, act) -> list:
        """Do something; what it gives, in a list, which is empty when it failed."""
        try:
            return [act()]
        except BaseException as error:
            self.errors.append(error)
            return []

    def shown(self) -> Iterator[str]:
        """All that a notebook, a log, a crash reporter, a cache or a thief of files could see."""
        for error in self.errors:
            yield from everything_shown(error)
        for thing in self.made:
            yield f"{thing!r} {thing} {thing:}" if not isinstance(thing, dict) else repr(thing)
        yield from (str(pickle.dumps(each)) for each in self.made if isinstance(each, Profile))
        for path in self.vault.folder.rglob("*"):
            if path.is_file() and path.suffix != ".key":
                yield path.read_bytes().decode("latin-1")


URLS = ("accounts_url", "api_domain", "upload_url")


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    """One org; its clock stands still but for the waits of a device."""
    with Emulator(rows=TINY, clock=ManualClock()) as emulator:
        yield emulator


def secrets_of(org: Emulator, journey: Journey) -> Iterable[str]:
    """All that is secret there; the emulator keeps them in the clear."""
    accounts = org.accounts
    yield from (*accounts._refresh, *accounts._access, *accounts._codes, *org.org.devices._flows)
    yield journey.client.client_secret.reveal()
    yield journey.own.client_secret.reveal()


@pytest.mark.parametrize("way", WAYS)
def test_the_journey_goes_to_its_end_when_nothing_fails(org, way, tmp_path):
    """The test of the test: only then can faults strike at each of its steps."""
    org.clock.advance(3600)
    journey = Journey(org, {}, tmp_path)
    journey.go(way)
    assert [str(error).splitlines()[0] for error in journey.errors] == ["You have logged out."]
    assert journey.vault.profiles() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    way=st.sampled_from(WAYS),
    faults=st.dictionaries(st.integers(0, 9), st.sampled_from(FAULTS), max_size=4),
)
def test_no_secret_is_shown_whatever_fails(org, caplog, way, faults):
    """Message, chain, frames with locals, pickle, logs at DEBUG, reprs, files of the vault."""
    org.clock.advance(3600)  # tokens and codes may be made again
    caplog.clear()
    with caplog.at_level(logging.DEBUG), TemporaryDirectory() as folder:
        journey = Journey(org, faults, Path(folder))
        journey.go(way)
        seen = [*journey.shown(), caplog.text]
    secrets = [each for each in secrets_of(org, journey) if each]
    assert len(secrets) > 2
    assert [(word, text) for word in secrets for text in seen if word in text] == []
