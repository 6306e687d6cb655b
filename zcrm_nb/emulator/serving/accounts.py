"""Zoho Accounts: clients, grant codes, refresh and access tokens, and what limits them."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import AccessToken
from zcrm_nb.emulator.serving.scopes import covers, split

if TYPE_CHECKING:
    from zcrm_nb.emulator.clock import Clock
    from zcrm_nb.emulator.settings import Settings

ACCESS_TOKEN_LIFE_S = 3600
ACTIVE_ACCESS_TOKENS = 15
REFRESH_TOKENS = 20
WEB, DEVICE = "1000", "1004"  # how tokens begin: those of the device flow have their own number
WINDOW_S = 600
PER_WINDOW = 10
THROTTLED = {
    "error_description": "You have made too many requests continuously. "
    "Please try again after some time.",
    "status": "failure",
}
NOTEBOOK_REDIRECT = "http://127.0.0.1:8765/callback"
"""Where login forms in notebooks listen by default; the client that every org has may go there."""

SELF_CLIENT_SCOPES = ",".join(
    (
        "ZohoCRM.modules.ALL",
        "ZohoCRM.settings.ALL",
        "ZohoCRM.users.ALL",
        "ZohoCRM.org.ALL",
        "ZohoCRM.coql.READ",
        "ZohoCRM.change_owner.ALL",
        "ZohoCRM.share.ALL",
        "ZohoCRM.send_mail.ALL",
        "ZohoCRM.mass_convert.ALL",
        "ZohoCRM.mass_update.ALL",
        "ZohoCRM.mass_delete.ALL",
        "ZohoCRM.bulk.ALL",
        "ZohoCRM.notifications.ALL",
        "ZohoCRM.composite_requests.CUSTOM",
        "ZohoCRM.files.CREATE",
        "ZohoCRM.files.READ",
        "ZohoFiles.files.ALL",
        "ZohoSearch.securesearch.READ",
    )
)


class AccountsError(Exception):
    """What the token endpoint says instead of a token; HTTP 200 unless it says otherwise."""

    def __init__(
        self, error: str, http_status: int = 200, more: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.http_status, self.body = http_status, {**(more or {}), "error": error}


class Client(NamedTuple):
    """An application registered at the API console."""

    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...]


@dataclass(slots=True)
class Consent:
    """What a user has allowed a client so far; ``offline`` once a refresh token was allowed."""

    scopes: frozenset[str] = frozenset()
    offline: bool = False


class GrantCode(NamedTuple):
    """A code that can be exchanged once for tokens."""

    client_id: str
    user: int
    scopes: tuple[str, ...]
    expires: int
    redirect_uri: str | None
    challenge: str | None
    challenge_method: str
    offline: bool


@dataclass(slots=True)
class RefreshToken:
    """A token that makes access tokens, and those it made."""

    text: str
    client_id: str
    user: int
    scopes: tuple[str, ...]
    made: deque[int] = field(default_factory=deque)
    active: deque[str] = field(default_factory=deque)


class Accounts:
    """The accounts server of one org, kept in memory behind one lock.

    The limits are those of Zoho's token-validity page: ten access tokens in ten minutes from one
    refresh token, fifteen alive at once, twenty refresh tokens for a user, ten grant codes in ten
    minutes for a client. What is one too many pushes out the oldest; codes and access tokens that
    are made too fast are refused instead.
    """

    def __init__(self, clock: Clock, settings: Settings, seed: int) -> None:
        self._clock, self._settings = clock, settings
        self._random = random.Random(f"accounts of {seed}")  # noqa: S311 - repeatable, guards nothing
        self._lock = threading.RLock()
        self._clients: dict[str, Client] = {}
        self._consents: defaultdict[tuple[str, int], Consent] = defaultdict(Consent)
        self._codes: dict[str, GrantCode] = {}
        self._codes_made: defaultdict[str, deque[int]] = defaultdict(deque)
        self._refresh: dict[str, RefreshToken] = {}
        self._access: dict[str, AccessToken] = {}
        self.prefixes_seen: Counter[str] = Counter()

    def register(self, name: str = "Self client", redirect_uris: Iterable[str] = ()) -> Client:
        """Register a client, as one does at the API console."""
        with self._lock:
            code = "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=30))
            secret = f"{self._random.getrandbits(168):042x}"
            client = Client(f"{WEB}.{code}", secret, name, tuple(redirect_uris))
            self._clients[client.client_id] = client
            return client

    def has_consented(
        self, client_id: str, user: int, scopes: Iterable[str], *, offline: bool
    ) -> bool:
        """Whether a user has allowed all this before."""
        with self._lock:
            given = self._consents[client_id, user]
            return given.scopes.issuperset(scopes) and given.offline >= offline

    def remember_consent(
        self, client_id: str, user: int, scopes: Iterable[str], *, offline: bool
    ) -> None:
        """Remember what a user allowed, so that it is asked only once."""
        with self._lock:
            given = self._consents[client_id, user]
            given.scopes |= frozenset(scopes)
            given.offline |= offline

    def issue_grant_code(
        self,
        client_id: str,
        scopes: str,
        redirect_uri: str | None = None,
        *,
        user: int,
        life_s: int | None = None,
        challenge: str | None = None,
        challenge_method: str = "plain",
        offline: bool = True,
    ) -> str:
        """Issue a grant code, as a consent page or the API console does."""
        with self._lock:
            if _crowded(self._codes_made[client_id], self._clock.now()):
                raise AccountsError("access_denied")
            expires = self._clock.now() + (life_s or self._settings.grant_code_life_s)
            text = self.new_text()
            self._codes[text] = GrantCode(
                client_id,
                user,
                split(scopes),
                expires,
                redirect_uri,
                challenge,
                challenge_method,
                offline,
            )
            return text

    def issue_refresh_token(
        self, client_id: str, user: int, scopes: tuple[str, ...], prefix: str = WEB
    ) -> str:
        """Issue a refresh token; the user's twenty-first pushes out the oldest."""
        with self._lock:
            siblings = [
                each for each in self._refresh.values() if self._rival(each, client_id, user)
            ]
            for oldest in siblings[: len(siblings) - REFRESH_TOKENS + 1]:
                self._drop(oldest)
            token = RefreshToken(self.new_text(prefix), client_id, user, scopes)
            self._refresh[token.text] = token
            return token.text

    def trade(self, grant_type: str, params: Mapping[str, str]) -> dict[str, object]:
        """Give an access token for a grant code or a refresh token."""
        may_lack_secret = "code_verifier" in params and not self._settings.pkce_needs_secret
        client = self.client(
            params.get("client_id", ""),
            params.get("client_secret", ""),
            may_lack_secret=may_lack_secret,
        )
        if grant_type == "authorization_code":
            return self.exchange(params, client)
        if grant_type == "refresh_token":
            return self.refresh(params, client)
        raise AccountsError("invalid_client")

    def exchange(self, params: Mapping[str, str], client: Client) -> dict[str, object]:
        """Trade a grant code for tokens."""
        with self._lock:
            text = params.get("code", "")
            code = self._codes.get(text)
            if code is None or code.client_id != client.client_id:
                raise AccountsError("invalid_code")
            if code.expires <= self._clock.now() or not _verified(
                code, params.get("code_verifier")
            ):
                raise AccountsError("invalid_code")
            if code.redirect_uri and code.redirect_uri != params.get("redirect_uri"):
                raise AccountsError("invalid_redirect_uri")
            del self._codes[text]
            return self.first_tokens(code.client_id, code.user, code.scopes, offline=code.offline)

    def first_tokens(
        self,
        client_id: str,
        user: int,
        scopes: tuple[str, ...],
        *,
        offline: bool,
        prefix: str = WEB,
    ) -> dict[str, object]:
        """Give the tokens that a login ends with: a refresh token only for offline access."""
        with self._lock:
            if not offline:
                return self._reply(self._grant(client_id, user, scopes, prefix))
            text = self.issue_refresh_token(client_id, user, scopes, prefix)
            return self._reply(self._renew(self._refresh[text])) | {"refresh_token": text}

    def refresh(self, params: Mapping[str, str], client: Client) -> dict[str, object]:
        """Make a new access token from a refresh token."""
        with self._lock:
            token = self._refresh.get(params.get("refresh_token", ""))
            if token is None or token.client_id != client.client_id:
                raise AccountsError("invalid_code")
            return self._reply(self._renew(token))

    def registered(self, client_id: str) -> Client:
        """Find a client by its id alone."""
        client = self._clients.get(client_id)
        if client is None:
            raise AccountsError("invalid_client")
        return client

    def client(self, client_id: str, secret: str, *, may_lack_secret: bool = False) -> Client:
        """Find a client by its credentials."""
        client = self.registered(client_id)
        if secret != client.client_secret and not (may_lack_secret and not secret):
            raise AccountsError("invalid_client_secret")
        return client

    def revoke(self, text: str) -> bool:
        """Revoke a token of either kind; a refresh token takes its access tokens along."""
        with self._lock:
            if text in self._refresh:
                token = self._refresh[text]
                self._drop(token)
                if self._settings.revoking_ends_consent:
                    self._consents.pop((token.client_id, token.user), None)
                return True
            return self._access.pop(text, None) is not None

    def expire_access_tokens(self) -> None:
        """Let every access token end now, as after an hour."""
        with self._lock:
            self._access.clear()

    def new_text(self, prefix: str = WEB) -> str:
        """Make the text of a code or token, in the look of Zoho's."""
        with self._lock:
            one, other = self._random.getrandbits(128), self._random.getrandbits(128)
            return f"{prefix}.{one:032x}.{other:032x}"

    def check(self, header: str) -> AccessToken:
        """Find the access token that an Authorization header names, or refuse."""
        prefix, _, text = header.partition(" ")
        schemes = (
            {"zoho-oauthtoken", "bearer"} if self._settings.accept_bearer else {"zoho-oauthtoken"}
        )
        if prefix.lower() not in schemes or not text:
            raise Refusal(401, "AUTHENTICATION_FAILURE", "Authentication failed")
        with self._lock:
            self.prefixes_seen[prefix] += 1
            token = self._access.get(text.strip())
        if token is None or token.expires <= self._clock.now():
            raise Refusal(401, self._settings.expired_token_code, "invalid oauth token")
        return token

    def require(
        self,
        token: AccessToken,
        needed: Iterable[str],
        spellings: Sequence[Mapping[str, str]] = ({},),
    ) -> None:
        """Refuse a call whose token lacks one of the scopes it needs, in whatever spelling."""
        for pattern in needed:
            if not any(self.grants(token, pattern.format(**names)) for names in spellings):
                raise Refusal(401, "OAUTH_SCOPE_MISMATCH", self._settings.scope_message)

    def grants(self, token: AccessToken, needed: str) -> bool:
        """Whether a token includes one scope, such as ``ZohoCRM.modules.Leads.READ``."""
        writes = self._settings.write_scope_covers
        return any(covers(granted, needed, writes) for granted in token.scopes)

    def _rival(self, other: RefreshToken, client_id: str, user: int) -> bool:
        """Whether two refresh tokens share one allowance."""
        same_client = self._settings.refresh_tokens_per == "user" or other.client_id == client_id
        return other.user == user and same_client

    def _renew(self, refresh: RefreshToken) -> AccessToken:
        """Make an access token, within the limits of its refresh token."""
        if _crowded(refresh.made, self._clock.now()):
            raise AccountsError("Access Denied", self._settings.throttle_status, THROTTLED)
        prefix = refresh.text.partition(".")[0]
        token = self._grant(refresh.client_id, refresh.user, refresh.scopes, prefix)
        refresh.active.append(token.text)
        if len(refresh.active) > ACTIVE_ACCESS_TOKENS:
            self._access.pop(refresh.active.popleft(), None)
        return token

    def _grant(
        self, client_id: str, user: int, scopes: tuple[str, ...], prefix: str
    ) -> AccessToken:
        """Make an access token."""
        expires = self._clock.now() + ACCESS_TOKEN_LIFE_S
        token = AccessToken(self.new_text(prefix), client_id, user, scopes, expires)
        self._access[token.text] = token
        return token

    def _drop(self, refresh: RefreshToken) -> None:
        """Forget a refresh token and the access tokens it made."""
        del self._refresh[refresh.text]
        for text in refresh.active:
            self._access.pop(text, None)

    def _reply(self, token: AccessToken) -> dict[str, object]:
        """Shape what the token endpoint says of a new access token."""
        life: dict[str, object] = {"expires_in": ACCESS_TOKEN_LIFE_S}
        if self._settings.expires_in_ms:
            life = {
                "expires_in": ACCESS_TOKEN_LIFE_S * 1000,
                "expires_in_sec": ACCESS_TOKEN_LIFE_S,
            }
        scope = " ".join(token.scopes)
        return {"access_token": token.text, "scope": scope, "token_type": "Bearer"} | life


def _crowded(times: deque[int], now: int) -> bool:
    """Note one more event, unless the last ten minutes already had ten of them."""
    while times and times[0] <= now - WINDOW_S:
        times.popleft()
    if len(times) >= PER_WINDOW:
        return True
    times.append(now)
    return False


def _verified(code: GrantCode, verifier: str | None) -> bool:
    """Check the PKCE verifier against the challenge, if one was sent."""
    if code.challenge is None:
        return True
    if code.challenge_method.upper() != "S256":
        return verifier == code.challenge
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge
