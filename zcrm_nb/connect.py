"""The one place where the parts are wired together: connect(), emulate()."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.client import CRM
from zcrm_nb.errors import LoginError
from zcrm_nb.wire.centres import addresses
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.oauth import Grant, TokenSource
from zcrm_nb.wire.secrets import Secret
from zcrm_nb.wire.vault import Vault
from zcrm_nb.wire.wsgi import WSGIAdapter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from requests.adapters import BaseAdapter

    from zcrm_nb.emulator import Emulator
    from zcrm_nb.emulator.clock import Clock
    from zcrm_nb.wire.centres import Addresses
    from zcrm_nb.wire.vault import Profile

__all__ = ["EmulatedCRM", "attach", "connect", "emulate"]

DEFAULT_PROFILE = "default"
EDITIONS = ("free", "standard", "professional", "enterprise", "ultimate")


def connect(
    *,
    profile: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    refresh_token: str | None = None,
    dc: str | None = None,
    environment: str | None = None,
    edition: str | None = None,
    accounts_url: str | None = None,
    api_domain: str | None = None,
    upload_url: str | None = None,
) -> CRM:
    """Connect to Zoho CRM with no person present: saved profile, arguments, or environment.

    Parameters
    ----------
    profile : str, optional
        Name of a login that :func:`login` saved; ``ZCRM_PROFILE`` when no other login is given. It
        brings its own client, data centre and environment, so nothing but `edition` goes with it.
    client_id, client_secret : str, optional
        The client registered at Zoho's API console; ``ZCRM_CLIENT_ID``, ``ZCRM_CLIENT_SECRET``.
    refresh_token : str, optional
        What the consent gave, with ``access_type=offline``; ``ZCRM_REFRESH_TOKEN``.
    dc : {"us", "eu", "in", "au", "jp", "cn", "ca", "sa", "uk", "ae"}, default "us"
        Data centre; ``ZCRM_DC``.
    environment : {"production", "sandbox", "developer"}, default "production"
        ``ZCRM_ENVIRONMENT``. A token belongs to one data centre and one environment.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, optional
        Sets how many calls may be under way at once (5, 10, 15, 20, 25). 10 when not given.
    accounts_url, api_domain, upload_url : str, optional
        Other hosts, for the served emulator or a proxy: origins without a path, ``https`` or on
        loopback; ``ZCRM_ACCOUNTS_URL``, ``ZCRM_API_DOMAIN``, ``ZCRM_UPLOAD_URL``.

    Returns
    -------
    CRM
        Nothing has been sent yet: the first call fetches an access token.

    Raises
    ------
    LoginError
        A credential is missing, and the message names it; or the profile is not there, or does not
        open.
    ValueError
        A profile and another login were both given; an unknown data centre, environment or
        edition, or an address in the clear.

    See Also
    --------
    emulate : The same object on a local emulator, with no account.

    Notes
    -----
    The access token lives an hour and is renewed by itself: once for all threads and, with a
    profile, once for all kernels and processes of this user. Secrets appear in no message, repr or
    log; those of a profile are encrypted in its file, all others are kept in memory only.

    References
    ----------
    Zoho CRM API V8, "Refresh Access Tokens": zoho.com/crm/developer/docs/api/v8/refresh.html

    Examples
    --------
    >>> import zcrm_nb
    >>> from zcrm_nb.emulator import Emulator
    >>> with Emulator().serve() as server:
    ...     crm = zcrm_nb.connect(
    ...         client_id=server.credentials["client_id"],
    ...         client_secret=server.credentials["client_secret"],
    ...         refresh_token=server.credentials["refresh_token"],
    ...         accounts_url=server.credentials["accounts_url"],
    ...         api_domain=server.credentials["api_domain"],
    ...     )
    ...     print(crm.count("Products") > 0)
    ...     crm.close()
    True
    """
    given = {name: value for name, value in locals().items() if value is not None}
    _check_edition(edition)
    login = given.keys() & set(_NAMES)
    if profile and login:
        raise ValueError(f"give profile= or {', '.join(sorted(login))}, not both")
    if name := profile or (not login and os.environ.get("ZCRM_PROFILE", "").strip()):
        return from_profile(Vault(), name, edition=edition)
    facts = {**_from_environment(os.environ), **given}
    _check_complete(facts)
    where = addresses(
        facts.get("dc", "us"),
        facts.get("environment", "production"),
        accounts_url=facts.get("accounts_url"),
        api_domain=facts.get("api_domain"),
        upload_url=facts.get("upload_url"),
    )
    return CRM(_gate(facts, where, edition))


def from_profile(vault: Vault, name: str, *, edition: str | None = None) -> CRM:
    """Connect with a login that a vault keeps; all kernels share its access token.

    Parameters
    ----------
    vault : Vault
        Where it is kept.
    name : str
        Name of the profile.
    edition : str, optional
        Instead of the edition that the profile holds.

    Returns
    -------
    CRM
        Nothing has been sent yet.

    Raises
    ------
    LoginError
        The profile is not there, or does not open.
    """
    kept = vault.load(name)
    tokens = TokenSource(kept.grant, token=kept.token, shared=partial(vault.renew, name))
    gate = Gate(tokens, addresses_of(kept), edition=edition or kept.edition)
    return CRM(gate, kept=(vault, name))


def addresses_of(profile: Profile) -> Addresses:
    """Find the addresses of a saved login.

    Parameters
    ----------
    profile : Profile
        The login.

    Returns
    -------
    Addresses
        Those of its data centre, or the hosts that were named when it was made.
    """
    return addresses(
        profile.dc,
        profile.environment,
        accounts_url=profile.grant.accounts_url,
        api_domain=profile.api_domain,
        upload_url=profile.upload_url,
    )


_NAMES = (
    "client_id",
    "client_secret",
    "refresh_token",
    "dc",
    "environment",
    "accounts_url",
    "api_domain",
    "upload_url",
)


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Read the ZCRM_ variables; an empty one counts as missing."""
    found = {name: environ.get(f"ZCRM_{name.upper()}", "").strip() for name in _NAMES}
    return {name: value for name, value in found.items() if value}


def _check_complete(facts: Mapping[str, Any]) -> None:
    """Refuse to start without credentials, naming what is missing."""
    missing = [name for name in _NAMES[:3] if not facts.get(name)]
    if missing:
        raise LoginError(
            f"Cannot connect: {', '.join(missing)} not given.",
            "",
            f"Give {', '.join(f'{name}=' for name in missing)} to connect(), or set "
            f"{', '.join(f'ZCRM_{name.upper()}' for name in missing)} in the environment. "
            "A saved login is zcrm_nb.connect(profile=…). With no account at all, "
            "zcrm_nb.emulate() brings one along.",
        )


def _check_edition(edition: str | None) -> None:
    """Refuse an edition that Zoho does not sell."""
    if edition is not None and edition not in EDITIONS:
        raise ValueError(f"edition must be one of {', '.join(EDITIONS)}; got {edition!r}.")


def _gate(
    facts: Mapping[str, Any],
    where: Addresses,
    edition: str | None,
    adapter: BaseAdapter | None = None,
) -> Gate:
    """Wire the gate: addresses, tokens, and another transport than the network if need be."""
    grant = Grant(
        facts["client_id"],
        Secret(facts["client_secret"]),
        Secret(facts["refresh_token"]),
        where.accounts_url,
    )
    tokens = TokenSource(grant, adapter=adapter)
    return Gate(tokens, where, edition=edition, adapter=adapter)


class EmulatedCRM(CRM):
    """A CRM whose Zoho is an emulator in this very process.

    Attributes
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org behind it, with its knobs: ``faults``, ``clock``, ``settings``.
    """

    def __init__(self, gate: Gate, emulator: Emulator) -> None:
        super().__init__(gate)
        self.emulator = emulator

    def close(self) -> None:
        """Let go of the connection and of the emulated org."""
        super().close()
        self.emulator.close()


def emulate(
    world: str = "small",
    *,
    rows: Mapping[str, int] | None = None,
    seed: int = 2026,
    edition: str = "enterprise",
    latency_ms: float = 0,
    clock: Clock | None = None,
    path: str | Path | None = None,
) -> EmulatedCRM:
    """Connect to a Zoho CRM of your own: a local emulator with a believable org.

    Parameters
    ----------
    world : {"small", "medium", "large"}, default "small"
        Size of the org: 2,400, 12,000 or 200,000 Leads, and the rest to match.
    rows : mapping of str to int, optional
        Records of single modules, such as ``{"Leads": 25000}``.
    seed : int, default 2026
        The same seed gives the same org, to the last cell.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, default "enterprise"
        Sets the day's credits and how many calls may be under way at once.
    latency_ms : float, default 0
        Let each call take this long, to feel like a network.
    clock : Clock, optional
        Time in the emulated world. By default it starts on 15 September 2026 and runs.
    path : str or Path, optional
        File that keeps the org, so that a restarted kernel finds it again. In memory otherwise.

    Returns
    -------
    CRM
        As from :func:`connect`, with the emulator at its ``emulator`` attribute.

    Notes
    -----
    No network, no port, no account: requests reach the emulator inside this process. Tokens, pages,
    limits, credits and errors are those of API V8; ``docs/emulator-coverage.md`` lists what is
    there. ``zcrm-nb emulate`` serves the same org on loopback for other programs.

    Examples
    --------
    >>> import zcrm_nb
    >>> with zcrm_nb.emulate(rows={"Leads": 300}) as crm:
    ...     len(crm.records("Leads", ["City"], converted="both"))
    300
    """
    from zcrm_nb.emulator import Emulator  # noqa: PLC0415 - nobody else needs to load it

    emulator = Emulator(
        world,
        rows=rows,
        seed=seed,
        edition=edition,
        latency_ms=latency_ms,
        clock=clock,
        path=path,
    )
    return attach(emulator)


def attach(emulator: Emulator) -> EmulatedCRM:
    """Connect to an emulator that is already there, inside this process.

    Parameters
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org.

    Returns
    -------
    CRM
        With its own token; closing it closes the emulator.

    Examples
    --------
    >>> from zcrm_nb.connect import attach
    >>> from zcrm_nb.emulator import Emulator
    >>> with attach(Emulator(rows={"Leads": 10})) as crm:
    ...     crm.emulator.edition
    'enterprise'
    """
    facts = emulator.credentials
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    adapter = WSGIAdapter(emulator.wsgi)
    gate = _gate(facts, addresses("in", **urls), emulator.edition, adapter)
    return EmulatedCRM(gate, emulator)
