"""Zoho CRM on your desk: a stateful, local double of API V8.

One WSGI callable answers everything a client asks of Zoho's accounts server and of its CRM. Mounted
on a client's session it runs in the process; served on loopback it is a real server for any client
in any language.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

from zcrm_nb.emulator.app import App
from zcrm_nb.emulator.bulk.jobs import BulkOrg, Jobs
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.catalog.currencies import MULTI_CURRENCY, check_codes
from zcrm_nb.emulator.clock import Clock, ManualClock, RunningClock
from zcrm_nb.emulator.coverage import EMULATED, coverage_markdown
from zcrm_nb.emulator.deferred_jobs import DeferredJobs, DeferringOrg
from zcrm_nb.emulator.life.life import Life
from zcrm_nb.emulator.oauth import simulated_user
from zcrm_nb.emulator.oauth.consent import ConsentOrg, Declined, permissions
from zcrm_nb.emulator.oauth.data_centres import ACCOUNTS_ORIGIN
from zcrm_nb.emulator.oauth.devices import PAGE, DeviceOrg, Devices
from zcrm_nb.emulator.oauth.form_tokens import FormTokens
from zcrm_nb.emulator.rough.rough import Rough, kinds_of
from zcrm_nb.emulator.routes import JOBS, WORKS
from zcrm_nb.emulator.serving.accounts import NOTEBOOK_REDIRECT, SELF_CLIENT_SCOPES, Accounts
from zcrm_nb.emulator.serving.faults import Faults
from zcrm_nb.emulator.serving.http import API_ORIGIN, UPLOAD_ORIGIN
from zcrm_nb.emulator.serving.meter import EDITIONS, Meter
from zcrm_nb.emulator.serving.server import PortTaken, Server
from zcrm_nb.emulator.settings import Settings
from zcrm_nb.emulator.storage import customizing
from zcrm_nb.emulator.storage.store import Store
from zcrm_nb.emulator.watching.callbacks import Courier, Delivery
from zcrm_nb.emulator.watching.channels import Channels
from zcrm_nb.emulator.world import ADMIN, ORG_ID, build

__all__ = [
    "EMULATED",
    "Emulator",
    "ManualClock",
    "PortTaken",
    "RunningClock",
    "Server",
    "Settings",
    "coverage_markdown",
]


class _WholeOrg(BulkOrg, ConsentOrg, DeviceOrg, DeferringOrg):
    """An org with all its parts."""


class Emulator:
    """An org of Zoho CRM that lives in this process.

    Parameters
    ----------
    world : {"small", "medium", "large"}, default "small"
        What the org starts with.
    rows : mapping of str to int, optional
        Records of single modules instead of the world's own number, ``{"Leads": 25000}``.
    seed : int, default 2026
        The same seed gives the same records, ids, tokens and credentials.
    edition : str, default "enterprise"
        ``free``, ``standard``, ``professional``, ``enterprise`` or ``ultimate``; decides on credits
        and calls in flight.
    currencies : iterable of str, optional
        ISO codes of an org with several currencies, the home currency first, such as
        ``("INR", "USD", "AED")``. By default the org has only rupees.
    latency_ms : float, default 0
        How much longer each call takes, in milliseconds.
    clock : Clock, optional
        What time it is in the org; by default a clock that runs, from the world's morning or from
        the last write in the file at ``path``.
    path : str or Path, optional
        A file that keeps the org; an existing one is opened with what is in it. By default a
        temporary file.
    settings : Settings, optional
        Other readings of what Zoho's pages leave open.
    rough : bool or iterable of str, default False
        Let the org be impolite: True for every kind of trouble that
        ``zcrm_nb.emulator.rough.rough.KINDS`` names, or the names of some. The page
        ``docs/emulator-coverage.md`` lists them.
    sleep : callable, default time.sleep
        How latency and slow answers wait; takes seconds.

    Attributes
    ----------
    wsgi : callable
        The WSGI callable.
    credentials : dict of str to str
        ``client_id``, ``client_secret``, ``refresh_token``, ``grant_code``, ``org_id`` of a self
        client whose user may do everything; the grant code is good once, for ten minutes. Also
        ``accounts_url``, ``api_domain`` and ``upload_url``: where to mount :attr:`wsgi`. Those of a
        server are in its own ``credentials``.
    store, schema, accounts, meter, faults, jobs, channels, clock, settings
        The parts of the org.

    Raises
    ------
    ValueError
        If the edition, world, currency or kind of trouble is unknown, or ``path`` is not an
        emulated org.

    Notes
    -----
    It is safe to use from several threads. Accounts, credits and faults live in memory; records
    live in the file.

    Examples
    --------
    >>> from zcrm_nb.emulator import Emulator
    >>> with Emulator() as emulator, emulator.serve() as server:
    ...     server.url.rpartition(":")[0]
    'http://127.0.0.1'
    """

    def __init__(
        self,
        world: str = "small",
        *,
        rows: Mapping[str, int] | None = None,
        seed: int = 2026,
        edition: str = "enterprise",
        currencies: Iterable[str] = (),
        latency_ms: float = 0,
        clock: Clock | None = None,
        path: str | Path | None = None,
        settings: Settings | None = None,
        rough: bool | str | Iterable[str] = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if edition not in EDITIONS:
            names = ", ".join(EDITIONS)
            raise ValueError(f"{edition!r} is not a valid edition; choose from: {names}")
        kinds = kinds_of(rough)
        codes = check_codes(currencies)
        if codes and edition not in MULTI_CURRENCY:
            raise ValueError(f"several currencies need one of the editions {MULTI_CURRENCY}")
        self.clock = clock or RunningClock()
        self.settings = settings or Settings()
        self.edition = edition
        self.schema = org_schema()
        self.store = Store(self.schema, self.clock, path)
        try:
            customizing.restore(self.store)
            if self.store.world is None:
                build(self.store, world, rows, seed, codes)
            elif clock is None:
                self.clock.advance(max(0, (self.store.last_write or 0) - self.clock.now()))
            users = self.store.read("SELECT count(*) FROM Users WHERE status = 'active'")[0][0]
        except BaseException:
            self.store.close()
            raise
        self.accounts = Accounts(self.clock, self.settings, seed)
        self.meter = Meter(edition, users, self.clock, self.settings)
        self.faults = Faults(self.settings, seed, sleep, self.accounts.expire_access_tokens)
        self.org = org = _WholeOrg(
            self.store,
            self.schema,
            self.settings,
            self.clock,
            self.accounts,
            self.meter,
            edition,
            secret=f"page tokens of {seed}".encode(),
        )
        org.consents = FormTokens(self.clock)
        org.devices = Devices(self.clock, seed)
        org.courier = Courier(self.settings.watch, self.faults)
        org.jobs = self.jobs = Jobs(org, JOBS)
        org.channels = self.channels = Channels(org)
        org.deferred_jobs = DeferredJobs(org, WORKS)
        impolite = Rough(kinds, seed, self.clock.now) if kinds else None
        self.wsgi = App(
            org,
            org.deferred_jobs,
            self.faults,
            latency_ms=latency_ms,
            sleep=sleep,
            rough=impolite,
        )
        self.credentials = self._self_client()
        self._servers: list[Server] = []
        self._lives: weakref.WeakSet[Life] = weakref.WeakSet()
        # The temporary file goes with an emulator that was not closed.
        weakref.finalize(self, self.store.close)

    @property
    def latency_ms(self) -> float:
        """How much longer each call takes, in milliseconds; it may be set at any time."""
        return self.wsgi.latency_ms

    @latency_ms.setter
    def latency_ms(self, latency_ms: float) -> None:
        self.wsgi.latency_ms = latency_ms

    def serve(self, port: int = 0) -> Server:
        """Serve the org on 127.0.0.1.

        Parameters
        ----------
        port : int, default 0
            The port; 0 takes a free one.

        Returns
        -------
        Server
            Already listening; ``url`` is its origin, ``stop()`` or a ``with`` block ends it.

        Raises
        ------
        PortTaken
            If another program listens on that port.
        """
        server = Server(self.wsgi, port, self.credentials)
        server.owner = self  # an emulator that is served is in use, whoever else holds it
        self._servers.append(server)
        return server

    def live(self, events_per_minute: float = 60.0, *, seed: int = 2026) -> Life:
        """Let people in the org work: create leads, move deals, correct typos, call, tick off.

        Parameters
        ----------
        events_per_minute : float, default 60.0
            How many records are written in a minute, on average, while it runs.
        seed : int, default 2026
            The same seed, and the same org under a manual clock, give the same life.

        Returns
        -------
        Life
            It runs inside a ``with`` block, or from ``start()`` to ``stop()``; ``step(n)`` lets
            ``n`` things happen at once.

        Raises
        ------
        ValueError
            If the pace is not positive.

        Notes
        -----
        Every deed is one write by one of the org's people, through the same writer as a request:
        it is stamped, checked and notified of like any other. It costs no credits.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     with emulator.live(events_per_minute=600):
        ...         pass
        ...     print(emulator.live(seed=7).step()[0].who.count(" "))
        1
        """
        life = Life(self.org, events_per_minute, seed)
        self._lives.add(life)
        return life

    def close(self) -> None:
        """Stop its servers and close its file; a temporary file is removed."""
        self.wsgi.closed = True
        for life in list(self._lives):
            life.stop()
        while self._servers:
            self._servers.pop().stop()
        self.jobs.close()
        self.channels.close()
        self.store.close()

    @property
    def deliveries(self) -> list[Delivery]:
        """The outcome of the notifications that were sent, oldest first; the last 10,000.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     emulator.deliveries
        []
        """
        return list(self.channels.deliveries)

    def client(
        self, redirect_uris: Iterable[str] = (), name: str = "My notebook"
    ) -> dict[str, str]:
        """Register a client, as one does at Zoho's API console.

        Parameters
        ----------
        redirect_uris : iterable of str, optional
            Where people may be sent back to after the consent page (a server-based client). One for
            the device flow needs none.
        name : str, default "My notebook"
            What the consent page calls it.

        Returns
        -------
        dict of str to str
            ``client_id`` and ``client_secret``. The addresses are those of :attr:`credentials`, or
            of a server's.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     sorted(emulator.client(["http://127.0.0.1:8765/callback"]))
        ['client_id', 'client_secret']
        """
        client = self.accounts.register(name, redirect_uris)
        return {"client_id": client.client_id, "client_secret": client.client_secret}

    def grant_code(self, scopes: str = SELF_CLIENT_SCOPES, life_s: int | None = None) -> str:
        """Issue a new grant code of the self client, as its page of the API console does.

        Parameters
        ----------
        scopes : str, optional
            Separated by commas; by default all that the emulator knows a use for.
        life_s : int, optional
            Seconds until it ends; the setting ``self_client_code_life_s`` when left out.

        Returns
        -------
        str
            Good for one exchange.

        Raises
        ------
        ValueError
            If a scope is unknown.
        AccountsError
            After ten codes in ten minutes; :attr:`clock` can move on.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     emulator.grant_code("ZohoCRM.modules.READ")[:5]
        '1000.'
        """
        try:
            permissions(self.org, scopes)
        except Declined as declined:
            raise ValueError(f"no such scope: {declined.detail or 'none given'}") from declined
        return self.accounts.issue_grant_code(
            self.credentials["client_id"],
            scopes,
            user=ADMIN,
            life_s=life_s or self.settings.self_client_code_life_s,
        )

    def approve(self, url: str) -> str:
        """Do what a person does in a browser: open the consent page and press Accept.

        Parameters
        ----------
        url : str
            Address of the authorize request, at the emulator's own origin or a server's.

        Returns
        -------
        str
            Where the browser is sent then: the redirect URI with the grant code.

        Raises
        ------
        ValueError
            If there is nothing to accept; the message is what the page says.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     me = emulator.client(["https://app.example.com/cb"])["client_id"]
        ...     url = emulator.approve(
        ...         f"https://accounts.zoho.test/oauth/v2/auth?response_type=code&client_id={me}"
        ...         "&scope=ZohoCRM.modules.READ&redirect_uri=https://app.example.com/cb&state=7"
        ...     )
        >>> url.partition("&code=")[0]
        'https://app.example.com/cb?state=7'
        """
        return simulated_user.press(self.wsgi.answer, url, "accept")

    def refuse(self, url: str) -> str:
        """Do what a person does who presses Reject; see :meth:`approve`."""
        return simulated_user.press(self.wsgi.answer, url, "reject")

    def approve_device(self, user_code: str) -> None:
        """Enter the code of a device on the page for it, and press Accept.

        Parameters
        ----------
        user_code : str
            As the device shows it.

        Raises
        ------
        ValueError
            If no device waits with this code; the message is what the page says.
        """
        simulated_user.press(self.wsgi.answer, _device_page(user_code), "accept")

    def refuse_device(self, user_code: str) -> None:
        """Enter the code of a device, and press Reject; see :meth:`approve_device`."""
        simulated_user.press(self.wsgi.answer, _device_page(user_code), "reject")

    def _self_client(self) -> dict[str, str]:
        """Register a self client and give it a refresh token and a grant code."""
        client = self.accounts.register(redirect_uris=[NOTEBOOK_REDIRECT])
        return {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "refresh_token": self.accounts.issue_refresh_token(
                client.client_id, ADMIN, tuple(SELF_CLIENT_SCOPES.split(","))
            ),
            "grant_code": self.accounts.issue_grant_code(
                client.client_id,
                SELF_CLIENT_SCOPES,
                user=ADMIN,
                life_s=self.settings.self_client_code_life_s,
            ),
            "org_id": str(ORG_ID),
            "accounts_url": ACCOUNTS_ORIGIN,
            "api_domain": API_ORIGIN,
            "upload_url": UPLOAD_ORIGIN,
        }

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Emulator of {self.store.world}>"


def _device_page(user_code: str) -> str:
    """Address of the page that asks about one device."""
    return f"{ACCOUNTS_ORIGIN}{PAGE}?{urlencode({'user_code': user_code})}"
