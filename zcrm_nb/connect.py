"""The one place where the parts are wired together: login(), connect(), emulate()."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.identity import who
from zcrm_nb.auth.data_centres import addresses, dc_of
from zcrm_nb.auth.oauth import Grant, NoLogin, TokenSource
from zcrm_nb.auth.scopes import WANTS, lacking, scopes_for
from zcrm_nb.auth.secret import Secret
from zcrm_nb.auth.vault import Profile, Vault, notes_of
from zcrm_nb.client import CRM
from zcrm_nb.errors import APIError, ConnectionFailed, LoginError
from zcrm_nb.notebook.environment import here
from zcrm_nb.notebook.login.prompt import Prompt, nobody
from zcrm_nb.notebook.login.request import FLOWS, REDIRECT_URI, LoginRequest, logged_in
from zcrm_nb.state.files import config_folder
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from requests.adapters import BaseAdapter

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.flows import Login
    from zcrm_nb.emulator import Emulator
    from zcrm_nb.emulator.clock import Clock
    from zcrm_nb.emulator.serving.server import Server
    from zcrm_nb.notebook.environment import Environment
    from zcrm_nb.wire.webhook_receiver import Door

__all__ = [
    "DEFAULT_PROFILE",
    "EmulatedCRM",
    "addresses_of",
    "attach",
    "connect",
    "emulate",
    "from_profile",
    "login",
]

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
    given = _given(locals())
    client_secret = refresh_token = None  # a traceback that shows locals must not find them
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
    return CRM(_gate(facts, where, edition), folder=_notes_folder(facts, where))


def login(
    profile: str | None = None,
    *,
    force: bool = False,
    ui: str | None = None,
    flow: str | None = None,
    scopes: Iterable[str] | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    dc: str | None = None,
    environment: str | None = None,
    redirect_uri: str = REDIRECT_URI,
    edition: str | None = None,
    accounts_url: str | None = None,
    api_domain: str | None = None,
    upload_url: str | None = None,
) -> CRM:
    """Log in to Zoho CRM, from wherever this runs; a login is kept and used again.

    Parameters
    ----------
    profile : str, optional
        Name under which the login is kept; ``ZCRM_PROFILE``, else ``"default"``.
    force : bool, default False
        Log in anew though a saved login works, and put the new one in its place.
    ui : {"form", "text"}, optional
        How to ask: a form in the notebook, or lines of plain text. By default a form in a notebook
        and text in a terminal; what the one can, the other can too.
    flow : {"browser", "paste", "device", "code", "token"}, optional
        The way: accept in the browser (and be caught on the way back, or paste the address it ends
        at); type a code on another device; a code made by hand for a self client; a refresh token.
        By default what is likely to work from where this runs; a person can choose another.
    scopes : iterable of str, optional
        What you want to do: ``"read"``, ``"search"``, ``"coql"``, ``"bulk"``, ``"write"``,
        ``"actions"``, ``"notifications"``, or scopes as Zoho writes them. The first four by
        default: nothing that changes anything.
    client_id, client_secret : str, optional
        The client registered at Zoho's API console; ``ZCRM_CLIENT_ID``, ``ZCRM_CLIENT_SECRET``,
        else asked for. Better not to write the secret into a notebook.
    dc : {"us", "eu", "in", "au", "jp", "cn", "ca", "sa", "uk", "ae"}, optional
        Data centre to begin at; ``ZCRM_DC``. Whoever accepts in the browser or on a device is led
        home from ``us``, but for ``cn``.
    environment : {"production", "sandbox", "developer"}, optional
        ``ZCRM_ENVIRONMENT``.
    redirect_uri : str, default "http://127.0.0.1:8765/callback"
        As registered for the client, letter for letter. One on this machine can be caught.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, optional
        As for :func:`connect`.
    accounts_url, api_domain, upload_url : str, optional
        Other hosts, as for :func:`connect`.

    Returns
    -------
    CRM
        At once if the saved login works. With a form, a CRM that wakes up when the form is done:
        until then a call raises ``LoginError`` which says what to finish.

    Raises
    ------
    LoginError
        Zoho refused; there is nobody to ask; the saved login is another than the one asked for, or
        does not open.
    ConnectionFailed
        No usable answer from Zoho Accounts.
    ValueError
        An unknown word for one of the choices, or an address in the clear.

    See Also
    --------
    connect : With no person present.

    Notes
    -----
    2 credits for a new login (who it is), none for a saved one. Tokens and the client secret are
    kept encrypted, see :class:`zcrm_nb.auth.vault.Vault`; none of them reaches the notebook.

    References
    ----------
    Zoho CRM API V8, "OAuth": zoho.com/crm/developer/docs/api/v8/oauth-overview.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.login()  # doctest: +SKIP
    """
    given = _given(locals())
    client_secret = None  # a traceback that shows locals must not find it
    facts = {**_from_environment(os.environ), **given}
    name = profile or os.environ.get("ZCRM_PROFILE", "").strip() or DEFAULT_PROFILE
    wants = tuple(scopes or ())
    _check_words(ui, flow, wants, edition)
    vault = Vault()
    if not force and name in vault.profiles():
        kept = vault.load(name)
        _check_same(name, kept, given)
        if _may(kept, wants) and (crm := _working(vault, name, edition)) is not None:
            return crm
    wish = LoginRequest(
        wants=wants,
        client_secret=Secret(facts.get("client_secret", "")),
        redirect_uri=redirect_uri,
        flow=flow or "",
        **{each: facts[each] for each in _WISHED if each in facts},
    )
    crm = CRM(Gate(_UNFINISHED, wish.client().where, edition=edition))
    _log_in(crm, (vault, name), wish, ui)
    return crm


_WISHED = ("client_id", "dc", "environment", "accounts_url", "api_domain", "upload_url")
_UNFINISHED = NoLogin(
    "This login is not finished.",
    "Finish the form that zcrm_nb.login() shows, then run this cell again. Without a form: "
    "zcrm_nb.login(ui='text').",
)


def _check_words(
    ui: str | None, flow: str | None, wants: tuple[str, ...], edition: str | None
) -> None:
    """Refuse words that are no choice."""
    if ui not in {None, "form", "text"}:
        raise ValueError(f"ui={ui!r} is neither 'form' nor 'text'")
    if flow is not None and flow not in FLOWS:
        raise ValueError(f"flow={flow!r} is none of {', '.join(FLOWS)}")
    if wants:
        scopes_for(wants)
    _check_edition(edition)


def _check_same(name: str, kept: Profile, given: Mapping[str, Any]) -> None:
    """Refuse a saved login that is clearly another than the one that was asked for."""
    facts = {
        "client_id": kept.grant.client_id,
        "environment": kept.environment,
        "accounts_url": kept.grant.accounts_url,
    }
    other = [each for each, fact in facts.items() if given.get(each, fact) != fact]
    if other:
        raise LoginError(
            f"The saved login {name!r} has another {' and '.join(other)} than the one asked for.",
            todo="Give profile= another name to keep both, or force=True to replace it.",
        )


def _may(kept: Profile, wants: tuple[str, ...]) -> bool:
    """Tell whether a saved login was granted all that is wanted, as far as Zoho told."""
    named = [want for want in wants if want in WANTS]
    return not kept.scopes or not any(lacking(want, kept.scopes) for want in named)


def _working(vault: Vault, name: str, edition: str | None) -> CRM | None:
    """Connect with a saved login, unless Zoho refuses it: a good token is taken at its word."""
    crm = from_profile(vault, name, edition=edition)
    try:
        crm._gate.tokens.token()
    except LoginError:
        crm.close()
        return None
    return crm


def _log_in(crm: CRM, kept: tuple[Vault, str], wish: LoginRequest, ui: str | None) -> None:
    """Ask a person, in the way that this place allows."""
    place = here()
    if not place.person and ui is None:
        raise nobody("Neither a terminal nor a front end that takes questions is there.")
    if ui == "form" or (ui is None and place.widgets):
        _show_form(crm, kept, wish, place)
        return
    prompt = Prompt(catches=place.catches, default_flow=place.flow)
    wish = prompt.fill(wish)
    done = prompt.log_in(wish)
    prompt.tell(logged_in(_wake(crm, kept, wish, done), wish, done))


def _show_form(crm: CRM, kept: tuple[Vault, str], wish: LoginRequest, place: Environment) -> None:
    """Show the form; the CRM wakes up when it is done."""
    from zcrm_nb.notebook.login.form import LoginForm, show  # noqa: PLC0415 - loaded where it is shown

    show(LoginForm(wish, place, lambda wish, done: _wake(crm, kept, wish, done)))


def _wake(crm: CRM, kept: tuple[Vault, str], wish: LoginRequest, done: Login) -> str:
    """Let a CRM go on with the login, keep it, and say who it is."""
    with CRM(Gate(TokenSource(done.grant, token=done.token), done.where)) as tried:
        user = _who(tried)
    vault, name = kept
    try:
        vault.save(name, _profile(wish, done, user, crm._gate.edition))
    except LoginError as error:
        crm._wake(TokenSource(done.grant, token=done.token), done.where, None)
        return f"{user}. The login works, but could not be kept: {error}"
    tokens = TokenSource(done.grant, token=done.token, shared=partial(vault.renew, name))
    crm._wake(tokens, done.where, kept)
    return user


def _who(crm: CRM) -> str:
    """Ask who it is: the proof that the login is good for the API as well."""
    try:
        return who(crm.send)
    except (APIError, ConnectionFailed):
        return ""


def _profile(wish: LoginRequest, done: Login, user: str, edition: str | None) -> Profile:
    """Make what is kept of a login."""
    table = dc_of(done.where.api_domain) is not None and not done.where.pinned
    return Profile(
        done.grant,
        dc_of(done.grant.accounts_url) or wish.dc or "us",
        wish.environment or "production",
        api_domain=None if table else done.where.api_domain,
        upload_url=None if table else done.where.upload_url,
        edition=edition,
        scopes=done.token.scopes or wish.scopes,
        who=user,
        token=done.token,
    )


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
    return CRM(gate, kept=(vault, name), folder=notes_of(vault, name))


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


_SECRET = {"client_secret", "refresh_token"}


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the arguments that were given, secrets masked."""
    return {
        name: Secret(value) if name in _SECRET else value
        for name, value in arguments.items()
        if value is not None
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the ZCRM_ variables, secrets masked; an empty one counts as missing."""
    names = {name: f"ZCRM_{name.upper()}" for name in _NAMES}
    found = {name: environ.get(variable, "").strip() for name, variable in names.items()}
    return _given({name: value or None for name, value in found.items()})


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
    time: Mapping[str, Any] | None = None,
) -> Gate:
    """Wire the gate: addresses, tokens, and another transport or time than usual if need be."""
    grant = Grant(
        facts["client_id"],
        Secret(facts["client_secret"]),
        Secret(facts["refresh_token"]),
        where.accounts_url,
    )
    tokens = TokenSource(grant, adapter=adapter)
    return Gate(tokens, where, edition=edition, adapter=adapter, **(time or {}))


def _notes_folder(facts: Mapping[str, Any], where: Addresses) -> Path:
    """Name the folder for notes of a login that no profile keeps: the same login, the same folder.

    It is named by a digest, of which nobody finds the way back to the refresh token.
    """
    login = "\n".join(
        [where.api_domain, facts["client_id"], Secret(facts["refresh_token"]).reveal()]
    )
    return config_folder() / "notes" / f"-{sha256(login.encode()).hexdigest()[:16]}"


class EmulatedCRM(CRM):
    """A CRM whose Zoho is an emulator in this very process.

    Attributes
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org behind it, with its knobs: ``faults``, ``clock``, ``settings``.
    """

    def __init__(self, gate: Gate, emulator: Emulator, *, folder: Path | None = None) -> None:
        super().__init__(gate, folder=folder)
        self.emulator = emulator
        self._doors: dict[str, Door] = {}
        self._server: Server | None = None

    def _way_in(
        self, door: Door, *, public_url: str | None, host: str, port: int
    ) -> tuple[str, Callable[[], None]]:
        """Lead to a door inside this process, unless a port is asked for: none need be open."""
        if public_url or port:
            return super()._way_in(door, public_url=public_url, host=host, port=port)
        if not self._doors:
            channels = self.emulator.channels
            channels.post = partial(self._post, channels.post)
        url = f"https://kernel.test/{token_hex(8)}"
        self._doors[url] = door
        return url, lambda: None

    def _post(self, otherwise: Callable[[str, bytes], int], url: str, body: bytes) -> int:
        """Hand what the emulator posts to the door it is for; other addresses stay as they are."""
        door = self._doors.get(url)
        return otherwise(url, body) if door is None else door.take(body)

    def _is_reached(self, public_url: str | None) -> bool:
        """Tell that the emulator reaches whatever is in its process."""
        return True

    @property
    def _addresses_from_afar(self) -> Addresses:
        """Open a port on this machine, for processes beside this one."""
        if self._server is None:
            self._server = self.emulator.serve()
        facts = self._server.credentials
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        return addresses("in", **urls)

    def _now(self) -> float:
        """Tell what time it is in the org."""
        return float(self.emulator.clock.now())

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
    rough: bool | str | Iterable[str] = False,
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
        File that keeps the org, so that a restarted kernel finds it again; notes about jobs and
        writes go into a folder beside it. In memory otherwise.
    rough : bool or iterable of str, default False
        Let the org be impolite, so that code can be tried against what the real world sends: True
        for all kinds of trouble, or names of some, such as ``["500", "numbers_as_text"]``.
        ``docs/emulator-coverage.md`` lists them.

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
    ...     len(crm.records("Leads", ["City"]))
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
        rough=rough,
    )
    notes = None if path is None else Path(f"{path}.notes")
    return attach(emulator, folder=notes)


def attach(emulator: Emulator, *, folder: Path | None = None) -> EmulatedCRM:
    """Connect to an emulator that is already there, inside this process.

    Parameters
    ----------
    emulator : zcrm_nb.emulator.Emulator
        The org.
    folder : Path, optional
        Where notes about the org outlive the kernel; by default they go with this object.

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
    gate = _gate(facts, addresses("in", **urls), emulator.edition, adapter, _by_hand(emulator))
    return EmulatedCRM(gate, emulator, folder=folder)


def _by_hand(emulator: Emulator) -> dict[str, Any]:
    """Let whoever waits turn the org's clock, where that is turned by hand: else he waits forever.

    A clock that runs tells whole seconds, too little for a gate that measures milliseconds.
    """
    from zcrm_nb.emulator.clock import ManualClock  # noqa: PLC0415 - loaded already

    clock = emulator.clock
    return {"clock": clock.now, "sleep": clock.advance} if isinstance(clock, ManualClock) else {}
