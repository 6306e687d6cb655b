"""The login flows: consent in the browser, a device code, a code made by hand, a refresh token.

Each ends in a :class:`Login`. Nothing here knows a widget or a terminal: the form and the prompt
both use these flows, and a test uses them without either.

Wherever Zoho names a host to continue at, the client secret would travel there: so only hosts of
the table of data centres are followed, and none at all from a host that the caller named.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from zcrm_nb.auth.accounts import json_object, post, refused
from zcrm_nb.auth.credentials import cleaned, joined
from zcrm_nb.auth.data_centres import DATA_CENTRES, addresses, dc_of, environment_of
from zcrm_nb.auth.oauth import (
    AuthorizationRequest,
    Grant,
    Token,
    TokenSource,
    authorization_request,
    exchange,
    granted,
)
from zcrm_nb.errors import ConnectionFailed, LoginError
from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from requests.adapters import BaseAdapter

    from zcrm_nb.auth.data_centres import Addresses

__all__ = [
    "Client",
    "Consent",
    "Device",
    "Login",
    "Redirect",
    "ask_for_device",
    "await_device",
    "carries_state",
    "log_in_with_code",
    "log_in_with_token",
    "read_redirect",
]

POLL_S = 30.0  # Zoho answers "slow_down" to more frequent requests


@dataclass(frozen=True, slots=True)
class Client:
    """An application registered at Zoho's API console, and where it logs in."""

    client_id: str
    client_secret: Secret
    where: Addresses
    adapter: BaseAdapter | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Login:
    """The result of a login flow: what to keep, and where it is valid."""

    grant: Grant
    token: Token
    where: Addresses


@dataclass(frozen=True, slots=True)
class Redirect:
    """What the consent page sent back: the code, and the data centre of the account."""

    code: Secret
    accounts_server: str = ""
    location: str = ""


def read_redirect(text: Secret, state: str, *, redirect_uri: str = "") -> Redirect:
    """Read what came back from the consent page: a whole address, its query, or the bare code.

    An address must lead to `redirect_uri` where that is given, and carry the state of this login.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/multi-dc/client-authorization.html

    Examples
    --------
    >>> from zcrm_nb.auth.flows import read_redirect
    >>> from zcrm_nb.masking import Secret
    >>> address = Secret("http://127.0.0.1:8765/callback?state=xyz&code=1000.ab.cd&location=eu")
    >>> read_redirect(address, "xyz").location
    'eu'
    """
    fields = _fields(text)
    if redirect_uri and fields.origin and fields.origin != _origin(redirect_uri):
        raise LoginError(
            f"This is not the address we asked for: it leads to {fields.origin}, and the browser "
            f"should end at {redirect_uri}. Nothing was sent.",
            todo="Accept on the consent page, then copy the address that the browser ends at.",
        )
    if (fields["state"] or fields.origin) and not carries_state(text, state):
        raise LoginError(
            "This is not the address we asked for: it belongs to another login (its state is "
            "missing or another). Nothing was sent.",
            todo="Open the link of this login again, accept there, and copy the whole address that "
            "the browser ends at.",
        )
    if fields["error"]:
        raise _declined(fields["error"])
    if not fields["code"]:
        raise LoginError(
            "There is no code in this text.",
            todo="Copy the whole address that the browser ends at after you accepted; it contains "
            "code=….",
        )
    return Redirect(Secret(fields["code"]), fields["accounts-server"], fields["location"])


def carries_state(text: Secret, state: str) -> bool:
    """Tell whether an answer belongs to this login."""
    return secrets.compare_digest(_fields(text)["state"].encode(), state.encode())


class _Fields(dict[str, str]):
    """Fields of a redirect; a missing one is empty, and a traceback shows only their names.

    A plain dict is a local variable that verbose tracebacks print, code and all.
    """

    origin = ""  # scheme and host of the address, if it was a whole one

    def __missing__(self, name: str) -> str:
        return ""

    def __repr__(self) -> str:
        return f"<fields {', '.join(self)}>"


def _fields(text: Secret) -> _Fields:
    """Take apart what came back; blanks that a terminal or a mail put into it are harmless."""
    line = joined(text).reveal().strip("<>")
    if re.fullmatch(r"1\d{3}\.[\w.~-]+", line) or re.fullmatch(r"[\w.~-]+", cleaned(text.reveal())):
        return _Fields(code=line)
    try:
        parts = urlsplit(line)
    except ValueError:  # a bracket in the place of a host
        return _Fields()
    query = parts.query or parts.fragment or parts.path
    fields = _Fields({name: values[0] for name, values in parse_qs(query).items()})
    fields.origin = _origin(line) if parts.netloc else ""
    return fields


def _origin(url: str) -> str:
    """Scheme and host of an address, without user, port written as it is."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _declined(error: str) -> LoginError:
    """Say that the consent page sent back a refusal."""
    if error == "access_denied":
        return LoginError(
            "The consent was declined.",
            "Zoho said access_denied.",
            "Open the link again and accept. If you did accept: more than 10 codes in 10 minutes "
            "are refused with the same code; then wait 10 minutes.",
        )
    return refused(error)


@dataclass(frozen=True, slots=True)
class Consent:
    """A login that waits for a person to accept in the browser.

    Examples
    --------
    >>> from zcrm_nb.auth.data_centres import addresses
    >>> from zcrm_nb.auth.flows import Client, Consent
    >>> from zcrm_nb.masking import Secret
    >>> client = Client("1000.ABC", Secret("…"), addresses("us"))
    >>> asked = Consent.ask(client, ["ZohoCRM.modules.READ"], "http://127.0.0.1:8765/callback")
    >>> asked.request.url
    'https://accounts.zoho.com/oauth/v2/auth?...'
    """

    client: Client
    request: AuthorizationRequest
    redirect_uri: str

    @classmethod
    def ask(cls, client: Client, scopes: Iterable[str], redirect_uri: str) -> Consent:
        """Begin; nothing is sent before the person opens the address."""
        request = authorization_request(
            client.client_id,
            scopes,
            redirect_uri=redirect_uri,
            accounts_url=client.where.accounts_url,
        )
        return cls(client, request, redirect_uri)

    def read(self, text: Secret) -> Redirect:
        """Read what came back, if it belongs to this login; nothing is sent."""
        return read_redirect(text, self.request.state, redirect_uri=self.redirect_uri)

    def finish(self, text: Secret, *, clock: Callable[[], float] = time.time) -> Login:
        """Exchange the code that came back, at the data centre that came with it."""
        redirect = self.read(text)
        where = _followed(self.client.where, redirect.accounts_server, redirect.location)
        grant, token = exchange(
            redirect.code,
            client_id=self.client.client_id,
            client_secret=self.client.client_secret,
            accounts_url=where.accounts_url,
            redirect_uri=self.redirect_uri,
            code_verifier=self.request.verifier,
            adapter=self.client.adapter,
            clock=clock,
        )
        return Login(grant, token, where.following(token.api_domain))


def _followed(where: Addresses, accounts_server: str = "", location: str = "") -> Addresses:
    """Go on in the data centre that Zoho names, if it is one."""
    known = {row.code: f"https://{row.accounts}" for row in DATA_CENTRES.values()}
    named = accounts_server.rstrip("/") or known.get(location.lower(), "")
    if not named or named == where.accounts_url:
        return where
    if named not in known.values():
        raise LoginError(
            f"Zoho's answer leads to {named!r}, which is not an accounts server of Zoho's: nothing "
            "was sent there.",
            todo="Start again. If it happens again, the login may be under attack.",
        )
    if where.accounts_url not in known.values():
        return where  # the caller named this host: secrets are sent there and nowhere else
    home = addresses(dc_of(named) or "", environment_of(where.api_domain) or "production")
    return replace(where, accounts_url=named) if where.pinned else home


def log_in_with_code(
    client: Client, code: Secret, *, clock: Callable[[], float] = time.time
) -> Login:
    """Log in with a code that was made by hand, for a self client.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/self-client/overview.html

    Examples
    --------
    >>> from zcrm_nb.emulator import Emulator
    >>> from zcrm_nb.auth.data_centres import addresses
    >>> from zcrm_nb.auth.flows import Client, log_in_with_code
    >>> from zcrm_nb.masking import Secret
    >>> with Emulator(rows={"Leads": 5}) as emulator, emulator.serve() as server:
    ...     facts = server.credentials
    ...     where = addresses("in", accounts_url=server.url, api_domain=server.url)
    ...     client = Client(facts["client_id"], Secret(facts["client_secret"]), where)
    ...     log_in_with_code(client, Secret(facts["grant_code"])).token.access
    Secret('****')
    """
    grant, token = exchange(
        _pasted(code, "code"),
        client_id=client.client_id,
        client_secret=client.client_secret,
        accounts_url=client.where.accounts_url,
        adapter=client.adapter,
        clock=clock,
    )
    return Login(grant, token, client.where.following(token.api_domain))


def log_in_with_token(
    client: Client, refresh_token: Secret, *, clock: Callable[[], float] = time.time
) -> Login:
    """Log in with an existing refresh token, and try it."""
    pasted = _pasted(refresh_token, "refresh token")
    grant = Grant(client.client_id, client.client_secret, pasted, client.where.accounts_url)
    token = TokenSource(grant, adapter=client.adapter, clock=clock).token()
    return Login(grant, token, client.where.following(token.api_domain))


def _pasted(text: Secret, what: str) -> Secret:
    """Put a pasted code or token together, and refuse what cannot be one before it is sent."""
    text = joined(text)
    if not re.fullmatch(r"[\w.~+/=-]+", text.reveal(), re.ASCII):
        raise LoginError(
            f"This is not a {what}; nothing was sent.",
            todo=f"Copy the {what} again: letters, digits and dots, such as 1000.8cb9….",
        )
    return text


@dataclass(frozen=True, slots=True)
class Device:
    """A login that waits for a person to type a code on another device."""

    user_code: str
    url: str
    url_with_code: str
    device_code: Secret
    every_s: float
    life_s: float


def ask_for_device(client: Client, scopes: Iterable[str]) -> Device:
    """Begin a login on another device; no secret is sent for it.

    Notes
    -----
    Zoho's flow is its own, not that of RFC 8628: other addresses, other names, milliseconds.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/devices/initiation-request.html
    """
    form: dict[str, str | Secret] = {
        "client_id": client.client_id,
        "grant_type": "device_request",
        "scope": ",".join(scopes),
        "access_type": "offline",
        "prompt": "consent",
    }
    where = client.where.accounts_url
    answer = post("/oauth/v3/device/code", form, accounts_url=where, adapter=client.adapter)
    reply = json_object(answer)
    if "error" in reply:
        raise refused(str(reply["error"]), reply.get("error_description"))
    if "device_code" not in reply or "user_code" not in reply:
        raise _unclear(where, f"HTTP {answer.status_code}")
    url = _of_zoho(where, str(reply.get("verification_url") or ""))
    complete = str(reply.get("verification_uri_complete") or "")
    return Device(
        str(reply["user_code"]),
        url,
        _of_zoho(where, complete) if complete else url,
        reply["device_code"],
        *_times(reply.get("interval"), reply.get("expires_in")),
    )


def _of_zoho(accounts_url: str, url: str) -> str:
    """Let a person be sent to Zoho only: to the host that was asked, or one of the table."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    known = {f"https://{row.accounts}" for row in DATA_CENTRES.values()} | {accounts_url}
    return url if origin in known else f"{accounts_url}/oauth/v3/device"


def _times(interval: object, expires_in: object) -> tuple[float, float]:
    """Read how often to ask and how long; in milliseconds (UNCONFIRMED) where that is clear."""
    every, life = (
        float(each) if isinstance(each, (int, float)) and each > 0 else 0.0
        for each in (interval, expires_in)
    )
    unit = 1000 if max(every, life) > 3600 else 1  # no code lives an hour
    return max(every / unit or POLL_S, 1.0), life / unit or 300.0


def await_device(
    client: Client,
    device: Device,
    *,
    wait: Callable[[float], object] = time.sleep,
    tell: Callable[[float], object] = lambda left_s: None,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] | None = None,
) -> Login:
    """Ask every 30 seconds whether the person has accepted.

    Notes
    -----
    A person of another data centre may accept: Zoho then names it, and it is asked from there on.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/devices/polling-request.html
    """
    now = monotonic or (time.monotonic if clock is time.time else clock)
    until, every_s, failures = now() + device.life_s, device.every_s, 0
    while (left_s := until - now()) > 0:
        tell(left_s)
        if wait(min(every_s, left_s)):
            raise LoginError("The login was cancelled.", todo="Start it again when you like.")
        try:
            step = _poll(client, device, clock)
        except ConnectionFailed:
            failures += 1
            if failures == 3:
                raise
            continue
        failures = 0
        if isinstance(step, Login):
            return step
        if isinstance(step, Client):
            client = step
        elif step == "slow_down":
            every_s = max(every_s, POLL_S)
    raise LoginError(
        "The code was not used in time.",
        todo="Start again; it is good for about five minutes.",
    )


def _poll(client: Client, device: Device, clock: Callable[[], float]) -> Login | Client | str:
    """Ask once: the login, the client at another data centre, or why to wait on."""
    form: dict[str, str | Secret] = {
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "grant_type": "device_token",
        "code": device.device_code,
    }
    where = client.where.accounts_url
    answer = post("/oauth/v3/device/token", form, accounts_url=where, adapter=client.adapter)
    reply = json_object(answer)
    match reply.get("error"):
        case "authorization_pending" | "slow_down" as word:
            return str(word)
        case "other_dc":
            return _at_home(client, str(reply.get("user_location") or ""))
        case "expired":
            raise LoginError("The code was not used in time.", "Zoho said expired.", "Start again.")
        case "access_denied":
            raise _declined("access_denied")
    grant, token = granted(
        answer,
        client_id=client.client_id,
        client_secret=client.client_secret,
        accounts_url=where,
        clock=clock,
    )
    return Login(grant, token, client.where.following(token.api_domain))


def _at_home(client: Client, location: str) -> Client:
    """Move a client to the data centre where the person lives."""
    where = _followed(client.where, location=location)
    if where == client.where:
        raise LoginError(
            f"This person's account lives in another data centre: {location or 'not named'}.",
            f"Zoho said other_dc at {client.where.accounts_url}.",
            f"Log in again with dc={location!r}." if location in DATA_CENTRES else "Give its dc=.",
        )
    return replace(client, where=where)


def _unclear(accounts_url: str, what: str) -> ConnectionFailed:
    """Put an answer that is neither yes nor no into words."""
    return ConnectionFailed(
        f"No usable answer came from Zoho Accounts at {urlsplit(accounts_url).hostname}.",
        f"What happened: {what}.",
        "Check the data centre, and that the client is of the type Non-browser Applications.",
    )
