"""OAuth tokens: exchanging codes, renewing access tokens, revoking a login."""

from __future__ import annotations

import secrets
import threading
import time
from copy import copy
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from zcrm_nb.auth import accounts
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.files import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import requests
    from requests.adapters import BaseAdapter

    from zcrm_nb.auth.accounts import TokenFacts

__all__ = [
    "AuthorizationRequest",
    "Grant",
    "NoLogin",
    "Token",
    "TokenSource",
    "authorization_request",
    "exchange",
    "granted",
    "revoke",
]

MARGIN_S = 10.0  # a token about to expire is not sent on a journey
REFUSED_S = 60.0  # Accounts counts every try: a refusal stands that long before the next one


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what came with it."""

    access: Secret  # goes into the ``Authorization`` header; good for about an hour
    expires_at: float  # when it ends, in seconds since 1970
    api_domain: str = ""  # where it is good, as the reply said
    scopes: tuple[str, ...] = ()  # what was granted, if the reply said so


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login leaves behind: enough to make access tokens until it is revoked."""

    client_id: str  # client id from Zoho's API console
    client_secret: Secret  # masked; see :class:`zcrm_nb.masking.Secret`
    refresh_token: Secret  # masked; see :class:`zcrm_nb.masking.Secret`
    accounts_url: str  # origin of Zoho Accounts in the data centre of the login


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The first half of a login in the browser."""

    url: str
    state: str
    verifier: Secret


def authorization_request(
    client_id: str, scopes: Iterable[str], *, redirect_uri: str, accounts_url: str
) -> AuthorizationRequest:
    """Make the address of the consent page.

    References
    ----------
    https://www.zoho.com/accounts/protocol/oauth/web-apps/authorization.html

    Examples
    --------
    >>> from zcrm_nb.auth.oauth import authorization_request
    >>> request = authorization_request(
    ...     "1000.ABC",
    ...     ["ZohoCRM.modules.READ", "ZohoCRM.coql.READ"],
    ...     redirect_uri="http://127.0.0.1:8765/callback",
    ...     accounts_url="https://accounts.zoho.eu",
    ... )
    >>> request.url
    'https://accounts.zoho.eu/oauth/v2/auth?...scope=ZohoCRM.modules.READ%2CZohoCRM.coql.READ&...'
    """
    from oauthlib.oauth2 import WebApplicationClient  # noqa: PLC0415 - only a login needs it

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
    """Exchange a grant code for a refresh token and a first access token.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/access-refresh.html
    """
    facts = accounts.token_by_code(
        code,
        client_id=client_id,
        client_secret=client_secret,
        accounts_url=accounts_url,
        redirect_uri=redirect_uri,
        code_verifier=code_verifier,
        adapter=adapter,
    )
    return _grant_and_token(facts, client_id, client_secret, accounts_url, clock)


def granted(
    response: requests.Response,
    *,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    clock: Callable[[], float] = time.time,
) -> tuple[Grant, Token]:
    """Read the tokens out of a response of Accounts, as :func:`exchange` does."""
    facts = accounts.read_token_reply(response, client_secret)
    return _grant_and_token(facts, client_id, client_secret, accounts_url, clock)


def _grant_and_token(
    facts: TokenFacts,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    clock: Callable[[], float],
) -> tuple[Grant, Token]:
    """Split a reply into what lasts and what lives an hour."""
    if not facts.refresh:
        raise LoginError(
            "The login gave no refresh token, so it would end in an hour.",
            todo="Log in again and accept on the consent page. If it happens again, the client is "
            "of a type that gets none (client-based), or the request lacked access_type=offline "
            "and prompt=consent: register a server-based one at Zoho's API console.",
        )
    grant = Grant(client_id, client_secret, facts.refresh, accounts_url)
    return grant, _token(facts, clock)


def _token(facts: TokenFacts, clock: Callable[[], float]) -> Token:
    """Start the life of an access token."""
    return Token(facts.access, clock() + facts.life_s, facts.api_domain, facts.scopes)


def revoke(token: Secret, *, accounts_url: str, adapter: BaseAdapter | None = None) -> None:
    """Revoke a token: a refresh token takes all its access tokens with it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/revoke-tokens.html
    """
    path = "/oauth/v2/token/revoke"
    response = accounts.post(path, {"token": token}, accounts_url=accounts_url, adapter=adapter)
    if not response.ok or accounts.json_object(response).get("status") != "success":
        raise LoginError(
            "The token was not revoked.",
            f"Zoho Accounts answered HTTP {response.status_code}.",
            "It may be revoked already; the account's page lists what is connected.",
        )


class TokenSource(ProcessBound):
    """Gives the current access token, and makes a new one when it is time: one for all threads.

    Zoho makes 10 access tokens in 10 minutes and keeps 15 alive, so a refresh for each thread would
    lock the login out. A thread that comes while one is under way waits for it and takes its token.

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
        self._refusal: LoginError | None = None
        self._refused_at = 0.0
        self._replacement: tuple[Token, float] | None = None  # of a refused token, and when
        self._after_fork()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def token(self) -> Token:
        """Give an access token that is good for some seconds at least."""
        current = self._token
        if current is not None and current.expires_at - MARGIN_S > self._clock():
            return current
        return self.renew(current)

    def renew(self, stale: Token | None) -> Token:
        """Replace a token that Zoho no longer accepts, unless another thread did so already."""
        with self._lock:
            if self._token is not None and self._token != stale:
                return self._token
            now = self._clock()
            self._raise_if_refused_again(stale, now)
            self._token = None
            self._raise_recent_refusal(now)
            if self._shared is None:
                self._token = self._refresh()
            else:
                self._token = self._shared(self.grant, stale, self._refresh)
            early = stale is not None and stale.expires_at - MARGIN_S > now
            self._replacement = (self._token, now) if early else None
            return self._token

    def accepted(self, token: Token) -> None:
        """Note that Zoho accepted a token: it may be replaced again when it is refused later."""
        if self._replacement is not None and self._replacement[0] is token:
            self._replacement = None

    def revoke(self) -> None:
        """Revoke the login at Zoho: its refresh token and every access token made from it."""
        grant = self.grant
        revoke(grant.refresh_token, accounts_url=grant.accounts_url, adapter=self._adapter)

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        return self._clock()

    def clock_ahead_s(self) -> float | None:
        """Tell how far this machine's clock is ahead of that of Zoho Accounts, in seconds."""
        url = self.grant.accounts_url
        response = accounts.get("/oauth/serverinfo", accounts_url=url, adapter=self._adapter)
        date = response.headers.get("Date")
        return None if date is None else self._clock() - parsedate_to_datetime(date).timestamp()

    def _raise_if_refused_again(self, stale: Token | None, now: float) -> None:
        """Make no third token when the second was never accepted: it would be refused too."""
        if self._replacement is None or stale is None:
            return
        replacement, made_at = self._replacement
        if stale == replacement and 0 <= now - made_at < REFUSED_S:
            raise LoginError(
                "Zoho refuses the login's new access token as well; no other was requested.",
                "Zoho said INVALID_TOKEN.",
                "Log in again: the token belongs to another data centre or environment, or the "
                "user may not use the API. crm.doctor() checks each.",
            )

    def _raise_recent_refusal(self, now: float) -> None:
        """Spare Accounts a request that it refused a moment ago."""
        if self._refusal is not None and 0 <= now - self._refused_at < REFUSED_S:
            raise copy(self._refusal)

    def _refresh(self) -> Token:
        """Exchange the refresh token for an access token; the lock is held."""
        grant = self.grant
        form: dict[str, str | Secret] = {
            "grant_type": "refresh_token",
            "refresh_token": grant.refresh_token,
            "client_id": grant.client_id,
            "client_secret": grant.client_secret,
        }
        url = grant.accounts_url
        try:
            response = accounts.post(
                "/oauth/v2/token", form, accounts_url=url, adapter=self._adapter
            )
            facts = accounts.read_token_reply(response, grant.refresh_token, grant.client_secret)
        except LoginError as refusal:
            self._refusal, self._refused_at = copy(refusal), self._clock()
            raise
        return _token(facts, self._clock)


class NoLogin:
    """In the place of a :class:`TokenSource` while there is no login: raises for every token.

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
        self._message = (happened, "", todo)

    def token(self) -> Token:
        """Raise the error."""
        raise LoginError(*self._message)

    def renew(self, stale: Token | None) -> Token:
        """Raise the error."""
        return self.token()

    def accepted(self, token: Token) -> None:
        """Do nothing: there is no token."""
