"""Zoho Accounts: trading codes for tokens, renewing them, giving them back.

Zoho bends OAuth 2.0 in four places, and each has its line here: scopes are separated by commas
when asked for and by spaces when granted; a refusal comes as HTTP 200 with an ``error``; a reply
may count ``expires_in`` in milliseconds; and the reply says at which address the token is good.

No secret leaves this module in an error: what requests and oauthlib raise would carry frames whose
local variables are the secrets, so errors leave without the frames below.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import orjson
import requests
from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests_oauthlib import OAuth2Session

from zcrm_nb.auth.loopback import LoopbackAdapter
from zcrm_nb.auth.secret import Secret, mask, quiet_oauth_logs, without_frames
from zcrm_nb.errors import ConnectionFailed, LoginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from requests.adapters import BaseAdapter

__all__ = [
    "AuthorizationRequest",
    "Grant",
    "NoLogin",
    "Token",
    "TokenSource",
    "authorization_request",
    "exchange",
    "granted",
    "post",
    "refused",
    "revoke",
    "said",
]

TIMEOUT_S = (10.0, 60.0)  # to connect, to wait for the answer
MARGIN_S = 10.0  # a token about to expire is not sent on a journey
REFUSED_S = 60.0  # Accounts counts every try: a refusal stands that long before it is asked again

_ADVICE = {
    "invalid_code": "Log in again: the grant code is used up or older than some two minutes, or "
    "the refresh token was revoked, or pushed out by 20 newer ones.",
    "invalid_client": "Check the client id and the data centre (dc=): Accounts of another data "
    "centre does not know this client, unless multi-DC is switched on in the API console.",
    "invalid_client_secret": "Check the client secret; it may differ for each data centre.",
    "invalid_redirect_uri": "Register exactly this redirect URI for the client in the API console.",
    "access_denied": "The request was declined, or more than 10 codes were asked for in 10 "
    "minutes: in that case wait 10 minutes.",
    "Access Denied": "Wait 10 minutes and try once: Accounts makes 10 tokens in 10 minutes, and "
    "trying sooner makes the wait longer.",
    "invalid_grant": "Log in again: Accounts no longer accepts this grant.",
    "general_error": "Check client id, secret and data centre; if they are right, try again later.",
}


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what came with it.

    Parameters
    ----------
    access : Secret
        Goes into the ``Authorization`` header; good for about an hour.
    expires_at : float
        When it ends, in seconds since 1970.
    api_domain : str, default ""
        Where it is good, as the reply said.
    scopes : tuple of str, default ()
        What was granted, if the reply said so.
    """

    access: Secret
    expires_at: float
    api_domain: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login leaves behind: enough to make access tokens until it is revoked.

    Parameters
    ----------
    client_id : str
        Client id from Zoho's API console.
    client_secret, refresh_token : Secret
        Masked; see :class:`zcrm_nb.auth.secret.Secret`.
    accounts_url : str
        Origin of Zoho Accounts in the data centre of the login.
    """

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    accounts_url: str


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The first half of a login in the browser.

    Parameters
    ----------
    url : str
        Where to send the person.
    state : str
        Must come back with the redirect, unchanged.
    verifier : Secret
        Goes to :func:`exchange` as ``code_verifier`` (PKCE).
    """

    url: str
    state: str
    verifier: Secret


def authorization_request(
    client_id: str, scopes: Iterable[str], *, redirect_uri: str, accounts_url: str
) -> AuthorizationRequest:
    """Make the address at which a person says yes.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/web-apps/authorization.html

    Examples
    --------
    >>> from zcrm_nb.auth.oauth import authorization_request
    >>> asked = authorization_request(
    ...     "1000.ABC",
    ...     ["ZohoCRM.modules.READ", "ZohoCRM.coql.READ"],
    ...     redirect_uri="http://127.0.0.1:8765/callback",
    ...     accounts_url="https://accounts.zoho.eu",
    ... )
    >>> asked.url
    'https://accounts.zoho.eu/oauth/v2/auth?...scope=ZohoCRM.modules.READ%2CZohoCRM.coql.READ&...'
    """
    pkce = WebApplicationClient(client_id)
    verifier = Secret(pkce.create_code_verifier(64))
    state = secrets.token_urlsafe(24)
    query = {
        "response_type": "code",
        "client_id": client_id,
        "scope": ",".join(scopes),
        "redirect_uri": redirect_uri,
        "access_type": "offline",
        "prompt": "consent",  # Zoho gives a refresh token only for a consent, not for a repeat
        "state": state,
        "code_challenge": pkce.create_code_challenge(verifier.reveal(), "S256"),
        "code_challenge_method": "S256",
    }
    url = f"{accounts_url}/oauth/v2/auth?{urlencode(query)}"
    return AuthorizationRequest(url, state, verifier)


def exchange(
    code: Secret,
    *,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    redirect_uri: str | None = None,
    code_verifier: Secret | None = None,
    adapter: BaseAdapter | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[Grant, Token]:
    """Trade a grant code for a refresh token and a first access token.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/access-refresh.html
    """
    reply = _call_accounts(
        lambda session, url: session.fetch_token(
            url,
            code=code.reveal(),
            code_verifier=code_verifier.reveal() if code_verifier else None,
            include_client_id=True,
            client_secret=client_secret.reveal() or None,
            timeout=TIMEOUT_S,
        ),
        client_id=client_id,
        accounts_url=accounts_url,
        redirect_uri=redirect_uri,
        adapter=adapter,
    )
    return _kept(reply, client_id, client_secret, accounts_url, clock)


def granted(
    answer: requests.Response,
    *,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    clock: Callable[[], float] = time.time,
) -> tuple[Grant, Token]:
    """Read the tokens out of an answer of Accounts, as :func:`exchange` does."""
    return _kept(_read(answer), client_id, client_secret, accounts_url, clock)


def _kept(
    reply: _Reply,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    clock: Callable[[], float],
) -> tuple[Grant, Token]:
    """Split a reply into what lasts and what lives an hour."""
    if not reply.refresh:
        raise LoginError(
            "The login gave no refresh token, so it would end in an hour.",
            todo="Log in again and accept on the consent page. If it comes again, the client is "
            "of a type that gets none (client-based), or asked without access_type=offline and "
            "prompt=consent: register a server-based one at Zoho's API console.",
        )
    return Grant(client_id, client_secret, reply.refresh, accounts_url), reply.token(clock())


def post(
    path: str,
    form: Mapping[str, str | Secret],
    *,
    accounts_url: str,
    adapter: BaseAdapter | None = None,
) -> requests.Response:
    """Send a form to Accounts, for what is no OAuth 2.0: revoking, and Zoho's own device flow."""
    with _session("", accounts_url, adapter) as session:
        answer: requests.Response = _guarded(
            lambda: session.post(
                _https(f"{accounts_url}{path}"),
                data={
                    name: value.reveal() if isinstance(value, Secret) else value
                    for name, value in form.items()
                },
                timeout=TIMEOUT_S,
            ),
            accounts_url,
        )
    return answer


def revoke(token: Secret, *, accounts_url: str, adapter: BaseAdapter | None = None) -> None:
    """Give a token back: a revoked refresh token takes all its access tokens with it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/revoke-tokens.html
    """
    answer = post(
        "/oauth/v2/token/revoke", {"token": token}, accounts_url=accounts_url, adapter=adapter
    )
    if not answer.ok or said(answer).get("status") != "success":
        raise LoginError(
            "The token was not revoked.",
            f"Zoho Accounts answered HTTP {answer.status_code}.",
            "It may be revoked already; the account's page lists what is connected.",
        )


class TokenSource:
    """Gives the current access token, and makes a new one when it is time: one for all threads.

    Zoho makes 10 access tokens in 10 minutes and keeps 15 alive, so a refresh for each thread would
    lock the login out. Whoever comes while one is under way waits for it and takes what it brought.

    Parameters
    ----------
    grant : Grant
        The login.
    token : Token, optional
        An access token that is still good.
    adapter : requests.adapters.BaseAdapter, optional
        Transport instead of the network.
    clock : callable, default time.time
        Seconds since 1970.
    shared : callable, optional
        Lets several processes share one token: ``shared(grant, stale, refresh)`` gives the current
        token, and calls ``refresh()`` only if nobody has yet. See
        :meth:`zcrm_nb.auth.vault.Vault.renew`.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/token-validity.html
    """

    def __init__(
        self,
        grant: Grant,
        *,
        token: Token | None = None,
        adapter: BaseAdapter | None = None,
        clock: Callable[[], float] = time.time,
        shared: Callable[[Grant, Token | None, Callable[[], Token]], Token] | None = None,
    ) -> None:
        self.grant = grant
        self._token = token
        self._adapter = adapter
        self._clock = clock
        self._shared = shared
        self._lock = threading.Lock()
        self._refusal: LoginError | None = None
        self._refused_at = 0.0

    def token(self) -> Token:
        """Give an access token that is good for some seconds at least."""
        held = self._token
        if held is not None and held.expires_at - MARGIN_S > self._clock():
            return held
        return self.renew(held)

    def renew(self, stale: Token | None) -> Token:
        """Replace a token that Zoho no longer takes, unless somebody did so already."""
        with self._lock:
            if self._token is not None and self._token != stale:
                return self._token
            self._token = None
            self._raise_recent_refusal()
            if self._shared is None:
                self._token = self._refresh()
            else:
                self._token = self._shared(self.grant, stale, self._refresh)
            return self._token

    def revoke(self) -> None:
        """Give the login back to Zoho: its refresh token and every access token made of it."""
        grant = self.grant
        revoke(grant.refresh_token, accounts_url=grant.accounts_url, adapter=self._adapter)

    def now(self) -> float:
        """Tell the time, in seconds since 1970."""
        return self._clock()

    def clock_ahead_s(self) -> float | None:
        """Tell how far this machine's clock is ahead of that of Zoho Accounts, in seconds."""
        accounts_url = self.grant.accounts_url
        with _session("", accounts_url, self._adapter) as session:
            answer = _guarded(
                lambda: session.get(
                    _https(f"{accounts_url}/oauth/serverinfo"),
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                ),
                accounts_url,
            )
        told = answer.headers.get("Date")
        return None if told is None else self._clock() - parsedate_to_datetime(told).timestamp()

    def _raise_recent_refusal(self) -> None:
        """Spare Accounts a question that it answered a moment ago."""
        if self._refusal is not None and self._clock() - self._refused_at < REFUSED_S:
            raise copy(self._refusal)

    def _refresh(self) -> Token:
        """Trade the refresh token for an access token; the lock is held."""
        grant = self.grant
        try:
            reply = _call_accounts(
                lambda session, url: session.refresh_token(
                    url,
                    refresh_token=grant.refresh_token.reveal(),
                    client_id=grant.client_id,
                    client_secret=grant.client_secret.reveal(),
                    timeout=TIMEOUT_S,
                ),
                client_id=grant.client_id,
                accounts_url=grant.accounts_url,
                adapter=self._adapter,
            )
        except LoginError as refusal:
            self._refusal, self._refused_at = copy(refusal), self._clock()
            raise
        return reply.token(self._clock())


class NoLogin:
    """Stands where a :class:`TokenSource` is going to be, or was: asked for a token, it says so.

    Parameters
    ----------
    happened, todo : str
        What the error says.

    Examples
    --------
    >>> from zcrm_nb.auth.oauth import NoLogin
    >>> NoLogin("This login is not finished.", "Finish the form above.").token()
    Traceback (most recent call last):
    ...
    zcrm_nb.errors.LoginError: This login is not finished.
    Finish the form above.
    """

    def __init__(self, happened: str, todo: str) -> None:
        self._words = (happened, "", todo)

    def token(self) -> Token:
        """Raise what there is to say."""
        raise LoginError(*self._words)

    def renew(self, stale: Token | None) -> Token:
        """Raise what there is to say."""
        return self.token()


@dataclass(frozen=True, slots=True)
class _Reply:
    """A token reply of Accounts, its secrets masked from the first moment."""

    access: Secret
    refresh: Secret | None
    life_s: float
    api_domain: str
    scopes: tuple[str, ...]

    def token(self, now: float) -> Token:
        """Start the life of the access token."""
        return Token(self.access, now + self.life_s, self.api_domain, self.scopes)


def _call_accounts(
    call: Callable[[OAuth2Session, str], object],
    *,
    client_id: str,
    accounts_url: str,
    redirect_uri: str | None = None,
    adapter: BaseAdapter | None = None,
) -> _Reply:
    """Make one token call, and read its reply before oauthlib does.

    The session knows no scopes: oauthlib would compare them with the reply's, which Zoho writes in
    another way than it wants them asked for, and raise a warning as an error.
    """
    replies: list[_Reply] = []

    def read(response: requests.Response) -> requests.Response:
        replies.append(_read(response))
        return response

    with _session(client_id, accounts_url, adapter, redirect_uri) as session:
        session.register_compliance_hook("access_token_response", read)
        session.register_compliance_hook("refresh_token_response", read)
        _guarded(lambda: call(session, _https(f"{accounts_url}/oauth/v2/token")), accounts_url)
    return replies[0]


@contextmanager
def _session(
    client_id: str,
    accounts_url: str,
    adapter: BaseAdapter | None = None,
    redirect_uri: str | None = None,
) -> Iterator[OAuth2Session]:
    """Open a session for one call to Accounts; it would follow no redirect with a secret."""
    quiet_oauth_logs()
    with OAuth2Session(client_id, redirect_uri=redirect_uri) as session:
        session.max_redirects = 0
        if adapter is not None:
            session.mount("https://", adapter)
        elif accounts_url.startswith("http://"):
            session.mount(_https(accounts_url), LoopbackAdapter())
        yield session


def _https(url: str) -> str:
    """Write an address on loopback as oauthlib wants to see it; LoopbackAdapter carries it."""
    return "https://" + url.partition("://")[2]


def _guarded(call: Callable[[], Any], accounts_url: str) -> Any:
    """Make a call, and let errors out without the frames in which secrets are local variables."""
    try:
        return call()
    except (requests.RequestException, OAuth2Error, ValueError) as error:
        failure: BaseException = _no_answer(type(error).__name__, accounts_url)
    except BaseException as error:
        failure = without_frames(error)
    raise failure  # outside the handlers, so that nothing hangs on it as its context


def _read(response: requests.Response) -> _Reply:
    """Tell a token from a refusal, whatever the HTTP status says."""
    reply = said(response)
    if response.status_code >= 500 or not reply.keys() & {"access_token", "error"}:
        raise _no_answer(f"HTTP {response.status_code}", f"{response.url}", response.status_code)
    if "access_token" not in reply:
        raise refused(str(reply["error"]), reply.get("error_description"))
    try:
        # A reply that has expires_in_sec counts expires_in in milliseconds.
        life_s = float(reply.get("expires_in_sec") or reply.get("expires_in") or 3600)
    except (TypeError, ValueError):
        raise _no_answer("expires_in is no number", f"{response.url}") from None
    return _Reply(
        reply["access_token"],
        reply.get("refresh_token") or None,
        life_s,
        str(reply.get("api_domain") or ""),
        tuple(str(reply.get("scope") or "").replace(",", " ").split()),
    )


_MASKED = {"access_token", "refresh_token", "device_code", "id_token"}


def said(answer: requests.Response) -> dict[str, Any]:
    """Read the JSON object of an answer."""
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(found, dict):
        return {}
    masked: dict[str, Any] = {
        name: Secret(found[name]) for name in _MASKED & found.keys() if found[name]
    }
    if "error_description" in found:  # it may repeat what it was asked with
        masked["error_description"] = mask(str(found["error_description"]))
    return found | masked


def refused(error: str, more: object = None) -> LoginError:
    """Put a refusal of Accounts into words.

    Examples
    --------
    >>> from zcrm_nb.auth.oauth import refused
    >>> print(refused("invalid_client_secret"))
    Zoho Accounts refused the login.
    Zoho said invalid_client_secret.
    Check the client secret; it may differ for each data centre.
    """
    return LoginError(
        "Zoho Accounts refused the login.",
        mask(f"Zoho said {error}: {more}" if more else f"Zoho said {error}."),
        _ADVICE.get(error, "Check client id, client secret and data centre, then log in again."),
    )


def _no_answer(what: str, accounts_url: str, status: int = 0) -> ConnectionFailed:
    """Put a call without a usable answer into words."""
    todo = "Check the network, any proxy, and the data centre; then try again."
    if status == 429:
        todo = "Wait 10 minutes and try once: trying sooner makes the wait longer."
    elif status >= 500:
        todo = "The trouble is at Zoho's end: try again in some minutes."
    return ConnectionFailed(
        f"No usable answer came from Zoho Accounts at {urlsplit(accounts_url).netloc}.",
        f"What happened: {what}.",
        todo,
    )
