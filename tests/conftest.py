"""The emulator is the fake: in this process by default, over loopback with ``--served``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.worlds import Org
from zcrm_nb.connect import attach, connect
from zcrm_nb.emulator import Emulator, Settings
from zcrm_nb.emulator.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from zcrm_nb import CRM

# Machines differ in speed, laws do not.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

# Programs, not tests: what they need, only their own environment has.
collect_ignore = [
    f"{name}.py"
    for name in (
        "interop/client",
        "binder_simulation",
        "kernel_versions",
        "version_matrix",
        "fuzz_answers",
    )
]


# Big enough to cross the 2,000 rows that page numbers reach; everything else small and quick.
ROWS = {"Leads": 2600, "Contacts": 120, "Accounts": 60, "Deals": 250, "Tasks": 60, "Events": 30}
# As little as can be, where each test wants an org of its own.
TINY = {
    **dict.fromkeys(("Contacts", "Tasks", "Events", "Calls", "Campaigns", "Products"), 5),
    **dict.fromkeys(("Vendors", "Quotes", "Invoices", "Notes", "Site_Visits"), 2),
    **{"Leads": 20, "Accounts": 5, "Deals": 12},
}
LOGIN = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain", "upload_url")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--served", action="store_true", help="talk to the emulator over loopback")


@pytest.fixture(scope="session")
def connected(request: pytest.FixtureRequest) -> Iterator[Callable[[Emulator], CRM]]:
    """A function that connects to an emulator the way this run wants it."""
    with ExitStack() as servers:

        def connected(emulator: Emulator, **options: object) -> CRM:
            if not request.config.getoption("--served"):
                return attach(emulator)
            server = servers.enter_context(emulator.serve())
            return connect(**{name: server.credentials[name] for name in LOGIN})

        yield connected


@pytest.fixture(scope="session")
def org() -> Iterator[Emulator]:
    """An org that tests only read."""
    emulator = Org(rows=ROWS)
    yield emulator
    emulator.close()


@pytest.fixture(scope="session")
def crm(org: Emulator, connected: Callable[[Emulator], CRM]) -> CRM:
    """A CRM on the org that tests only read."""
    return connected(org)


@pytest.fixture(scope="session")
def low_ceiling(connected: Callable[[Emulator], CRM]) -> Iterator[CRM]:
    """The same org, where LIMIT and OFFSET reach no further than one page."""
    settings = Settings(engine=EngineSettings(offset_ceiling=2000))
    with Org(rows=ROWS, settings=settings) as emulator:
        yield connected(emulator)


@pytest.fixture
def fresh() -> Iterator[Emulator]:
    """An org of a test's own, to write to, to break and to let time pass in."""
    emulator = Org(rows={**ROWS, "Leads": 450})
    yield emulator
    emulator.close()


@pytest.fixture
def make_crm() -> Iterator[Callable[[dict[str, Any]], CRM]]:
    """Make a CRM on an org whose answers at some paths are given: documented ones, for instance."""
    with ExitStack() as open_ones:

        def make_crm(answers: dict[str, Any]) -> CRM:
            emulator = open_ones.enter_context(Org(rows={"Leads": 3}))
            whole = emulator.wsgi

            def answering(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
                if environ["PATH_INFO"] not in answers:
                    return whole(environ, start_response)
                start_response("200 OK", [("Content-Type", "application/json;charset=UTF-8")])
                return [json.dumps(answers[environ["PATH_INFO"]]).encode()]

            emulator.wsgi = answering
            return attach(emulator)

        yield make_crm
