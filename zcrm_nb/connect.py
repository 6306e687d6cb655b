"""The one place where the parts are wired together: login() and connect()."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from zcrm_nb.api.identity import who
from zcrm_nb.auth.credentials import (
    NAMES,
    REDIRECT_URI,
    check_complete,
    from_environment,
    given,
    notes_folder,
)
from zcrm_nb.auth.data_centres import addresses, dc_of
from zcrm_nb.auth.oauth import NoLogin, TokenSource
from zcrm_nb.auth.renewal import SharedToken
from zcrm_nb.auth.saved_login import addresses_of, check_same, missing_wants, not_used
from zcrm_nb.auth.scopes import scopes_for
from zcrm_nb.client import CRM
from zcrm_nb.emulated import EmulatedCRM, attach, emulate, gate_of
from zcrm_nb.errors import LoginError, ScopeError, ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.auth.flows import Login
    from zcrm_nb.auth.vault import Profile, Vault
    from zcrm_nb.notebook.environment import Environment
    from zcrm_nb.notebook.login.request import LoginRequest

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
    """Connect to Zoho CRM in scripts: with a saved login, arguments, or the environment.

    Parameters
    ----------
    profile : str, optional
        Name of a login that :func:`login` saved; ``ZCRM_PROFILE`` when no other login is given. It
        has its own client, data centre and environment, so only `edition` may be given with it.
    client_id, client_secret : str, optional
        The client registered at Zoho's API console; ``ZCRM_CLIENT_ID``, ``ZCRM_CLIENT_SECRET``.
    refresh_token : str, optional
        From a consent with ``access_type=offline``; ``ZCRM_REFRESH_TOKEN``.
    dc : {"us", "eu", "in", "au", "jp", "cn", "ca", "sa", "uk", "ae"}, default "us"
        Data centre; ``ZCRM_DC``.
    environment : {"production", "sandbox", "developer"}, default "production"
        ``ZCRM_ENVIRONMENT``. A token belongs to one data centre and one environment.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, optional
        Sets how many calls may be in flight at once (5, 10, 15, 20, 25). 10 when not given.
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
        A credential is missing or cannot be right, and the message names it; or the saved login
        does not exist or cannot be opened.
    ValueError
        A profile and another login were both given; an unknown data centre, environment or
        edition, or an address without encryption.

    See Also
    --------
    emulate : The same object on a local emulator, with no account.

    Notes
    -----
    The access token lives an hour and is renewed automatically: once for all threads, kernels and
    processes that use this login on this machine. Secrets appear in no message, repr or log; those
    of a profile are encrypted in its file, all others are kept in memory only. The shared access
    token is encrypted with the credentials themselves.

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
    arguments = given(locals())
    client_secret = refresh_token = None  # a traceback that shows locals must not find them
    _check_edition(edition)
    other = arguments.keys() & set(NAMES)
    if profile and other:
        raise ValueError(f"give profile= or {', '.join(sorted(other))}, not both")
    if name := profile or (not other and os.environ.get("ZCRM_PROFILE", "").strip()):
        from zcrm_nb.auth.vault import Vault  # noqa: PLC0415 - only saved logins need it

        return from_profile(Vault(), name, edition=edition)
    facts = {**from_environment(os.environ), **arguments}
    check_complete(facts)
    where = addresses(
        facts.get("dc", "us"),
        facts.get("environment", "production"),
        accounts_url=facts.get("accounts_url"),
        api_domain=facts.get("api_domain"),
        upload_url=facts.get("upload_url"),
    )
    folder = notes_folder(facts, where)
    gate = gate_of(facts, where, edition, shared=SharedToken(folder).renew)
    return CRM(gate, folder=folder)


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
    """Log in to Zoho CRM from any kernel; the login is saved and used again.

    Parameters
    ----------
    profile : str, optional
        Name under which the login is saved; ``ZCRM_PROFILE``, else ``"default"``.
    force : bool, default False
        Log in again even if a saved login works, and replace it.
    ui : {"form", "text"}, optional
        A form in the notebook, or lines of plain text. By default a form in a notebook and text in
        a terminal; both can do the same.
    flow : {"browser", "paste", "device", "code", "token"}, optional
        Accept in the browser (which comes back by itself, or paste the address it ends at); type a
        code on another device; a code made by hand for a self client; a refresh token. By default
        what is likely to work in this environment; the form and the prompt offer the others.
    scopes : iterable of str, optional
        What you want to do: ``"read"``, ``"search"``, ``"coql"``, ``"bulk"``, ``"write"``,
        ``"actions"``, ``"notifications"``, or scopes as Zoho writes them. The first four by
        default: nothing that changes anything.
    client_id, client_secret : str, optional
        The client registered at Zoho's API console; ``ZCRM_CLIENT_ID``, ``ZCRM_CLIENT_SECRET``,
        else the form asks for them. Do not write the secret into a notebook.
    dc : {"us", "eu", "in", "au", "jp", "cn", "ca", "sa", "uk", "ae"}, optional
        Data centre to begin at; ``ZCRM_DC``. From ``us``, accepting in the browser or on a device
        leads to every other data centre except ``cn``.
    environment : {"production", "sandbox", "developer"}, optional
        ``ZCRM_ENVIRONMENT``.
    redirect_uri : str, default "http://127.0.0.1:8765/callback"
        Exactly as registered for the client. From one on this machine the browser comes back by
        itself.
    edition : {"free", "standard", "professional", "enterprise", "ultimate"}, optional
        As for :func:`connect`.
    accounts_url, api_domain, upload_url : str, optional
        Other hosts, as for :func:`connect`.

    Returns
    -------
    CRM
        Connected if the saved login works. With a form, connected when the form is done: until then
        a call raises ``LoginError``, which says what to finish.

    Raises
    ------
    LoginError
        Zoho refused; the code runs where no person can answer; Zoho makes no more tokens for now;
        the saved login is another than the requested one, or cannot be opened.
    ConnectionFailed
        No usable answer from Zoho Accounts.
    ValueError
        An unknown choice, a name that is not a profile name, or an address without encryption.

    See Also
    --------
    connect : In scripts.

    Notes
    -----
    2 credits for a new login (to show the user), none for a saved one. Tokens and the client secret
    are saved encrypted, see :class:`zcrm_nb.auth.vault.Vault`; none of them reaches the notebook. A
    login that cannot be saved works until the session ends, and the message says why.

    References
    ----------
    Zoho CRM API V8, "OAuth": zoho.com/crm/developer/docs/api/v8/oauth-overview.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.login()  # doctest: +SKIP
    """
    from zcrm_nb.auth.vault import Vault  # noqa: PLC0415 - connect() may do without
    from zcrm_nb.notebook.login.request import LoginRequest  # noqa: PLC0415 - the same

    arguments = given(locals())
    client_secret = None  # a traceback that shows locals must not find it
    facts = {**from_environment(os.environ), **arguments}
    name = profile or os.environ.get("ZCRM_PROFILE", "").strip() or DEFAULT_PROFILE
    wants = tuple(scopes or ())
    _check_choices(ui, flow, wants, edition)
    vault, why = Vault(), ""
    problem = vault.check(name)
    if not force and name in vault.profiles():
        check_same(name, vault.load(name), arguments)
        crm, why = _saved(vault, name, wants, edition)
        if crm is not None:
            return crm
    request = LoginRequest(
        wants=wants,
        client_secret=Secret(facts.get("client_secret", "")),
        redirect_uri=redirect_uri,
        flow=flow or "",
        **{each: facts[each] for each in _REQUESTED if each in facts},
    )
    crm = CRM(Gate(_UNFINISHED, request.client().where, edition=edition))
    if problem:
        not_kept = f"The login will work until this session ends, but cannot be kept: {problem}"
        why = f"{why}\n{not_kept}".lstrip()
    _log_in(crm, (vault, name), request, ui, why)
    return crm


_REQUESTED = ("client_id", "dc", "environment", "accounts_url", "api_domain", "upload_url")
_UNFINISHED = NoLogin(
    "This login is not finished.",
    "Finish the form that zcrm_nb.login() shows, then run this cell again. Without a form: "
    "zcrm_nb.login(ui='text').",
)


def _check_choices(
    ui: str | None, flow: str | None, wants: tuple[str, ...], edition: str | None
) -> None:
    """Refuse unknown choices."""
    if ui not in {None, "form", "text"}:
        raise ValueError(f"ui={ui!r} is neither 'form' nor 'text'")
    from zcrm_nb.notebook.login.request import FLOWS  # noqa: PLC0415 - only logins need it

    if flow is not None and flow not in FLOWS:
        raise ValueError(f"flow={flow!r} is not one of {', '.join(FLOWS)}")
    if wants:
        scopes_for(wants)
    _check_edition(edition)


def _check_edition(edition: str | None) -> None:
    """Refuse an edition that Zoho does not sell."""
    if edition is not None and edition not in EDITIONS:
        raise ValueError(f"edition must be one of {', '.join(EDITIONS)}; got {edition!r}.")


def _saved(
    vault: Vault, name: str, wants: tuple[str, ...], edition: str | None
) -> tuple[CRM | None, str]:
    """Connect with a saved login, or say why it is not used.

    Too many tokens are raised: a new consent would only make the wait longer.
    """
    missing = missing_wants(vault.load(name), wants)
    if missing:
        return None, f"The saved login {name!r} was not granted: {', '.join(missing)}."
    crm = from_profile(vault, name, edition=edition)
    try:
        crm._gate.tokens.token()
    except LoginError as error:
        crm.close()
        if error.is_throttled:
            raise
        return None, not_used(name, error)
    return crm, ""


def _log_in(
    crm: CRM, saved_as: tuple[Vault, str], request: LoginRequest, ui: str | None, why: str
) -> None:
    """Log a person in, by a form or in plain text."""
    from zcrm_nb.notebook.environment import current_environment  # noqa: PLC0415 - only logins need it
    from zcrm_nb.notebook.login.prompt import Prompt, not_interactive  # noqa: PLC0415 - the same
    from zcrm_nb.notebook.login.request import logged_in  # noqa: PLC0415 - the same

    environment = current_environment()
    if not environment.person and ui is None:
        raise not_interactive(why or "There is no terminal, and no front end that takes questions.")
    if ui == "form" or (ui is None and environment.widgets):
        _show_form(crm, saved_as, request, environment, why)
        return
    prompt = Prompt(catches=environment.catches, default_flow=environment.flow)
    if why:
        prompt.tell(why)
    request = prompt.fill(request)
    done = prompt.log_in(request)
    prompt.tell(logged_in(_wake(crm, saved_as, request, done), request, done))


def _show_form(
    crm: CRM,
    saved_as: tuple[Vault, str],
    request: LoginRequest,
    environment: Environment,
    why: str,
) -> None:
    """Show the form; the CRM is connected when it is done."""
    from zcrm_nb.notebook.login import form  # noqa: PLC0415 - loaded where it is shown

    shown = form.LoginForm(
        request, environment, lambda filled, done: _wake(crm, saved_as, filled, done), why=why
    )
    form.show(shown)


def _wake(crm: CRM, saved_as: tuple[Vault, str], request: LoginRequest, done: Login) -> str:
    """Let a CRM go on with the login, save it, and say who it is.

    From here on the consent is given: whatever keeps it from being saved, it works.
    """
    with CRM(Gate(TokenSource(done.grant, token=done.token), done.where)) as tried:
        user = _user(tried)
    vault, name = saved_as
    try:
        vault.save(name, _profile(request, done, user, crm._gate.edition))
    except Exception as error:  # the consent must not be lost, whatever a disk or keyring does
        crm._wake(TokenSource(done.grant, token=done.token), done.where, None)
        reason = error if isinstance(error, LoginError) else type(error).__name__
        return f"{user}. The login works, but could not be kept: {reason}"
    tokens = TokenSource(done.grant, token=done.token, shared=partial(vault.renew, name))
    crm._wake(tokens, done.where, saved_as)
    return user


def _user(crm: CRM) -> str:
    """Ask who it is: the proof that the login is good for the API as well."""
    try:
        return who(crm.send)
    except ScopeError:
        return ""
    except LoginError:
        raise
    except (ZohoError, KeyError, TypeError, IndexError, AttributeError):
        return ""  # an answer of another shape, or none: the token was not refused


def _profile(request: LoginRequest, done: Login, user: str, edition: str | None) -> Profile:
    """Make what is saved of a login."""
    from zcrm_nb.auth.vault import Profile  # noqa: PLC0415 - only logins need it

    is_listed = dc_of(done.where.api_domain) is not None and not done.where.pinned
    return Profile(
        done.grant,
        dc_of(done.grant.accounts_url) or request.dc or "us",
        request.environment or "production",
        api_domain=None if is_listed else done.where.api_domain,
        upload_url=None if is_listed else done.where.upload_url,
        edition=edition,
        scopes=done.token.scopes or request.scopes,
        who=user,
        token=done.token,
    )


def from_profile(vault: Vault, name: str, *, edition: str | None = None) -> CRM:
    """Connect with a saved login; all kernels share its access token.

    Parameters
    ----------
    vault : Vault
        Where it is saved.
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
        The saved login does not exist, or cannot be opened.
    """
    from zcrm_nb.auth.vault import notes_of  # noqa: PLC0415 - only saved logins need it

    saved = vault.load(name)
    tokens = TokenSource(saved.grant, token=saved.token, shared=partial(vault.renew, name))
    gate = Gate(tokens, addresses_of(saved), edition=edition or saved.edition)
    return CRM(gate, kept=(vault, name), folder=notes_of(vault, name))
