"""``/oauth/v2/auth``: a client asks, a person says yes or no, the browser goes back with a code.

What Zoho's pages list as failures of this request is refused here too. Which failures reach the
redirect URI they do not say, so that is a setting; one about the client or its redirect URI never
does, since no one may be sent to an address that is not registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from zcrm_nb.emulator.oauth import pages
from zcrm_nb.emulator.oauth.data_centres import accounts_server, leads_home
from zcrm_nb.emulator.oauth.form_tokens import FormTokens
from zcrm_nb.emulator.org import Org
from zcrm_nb.emulator.serving.accounts import AccountsError, Client
from zcrm_nb.emulator.serving.http import Answer, Request
from zcrm_nb.emulator.serving.route import Route
from zcrm_nb.emulator.serving.scopes import Permission, permission, split
from zcrm_nb.emulator.world import ADMIN

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CHALLENGE_METHODS = ("plain", "S256")
ADVICE = {
    "invalid_client": "No client with this client_id is registered here. Check the client id and "
    "the data centre.",
    "invalid_redirect_uri": "This redirect_uri is not registered for the client. Register exactly "
    "this address, letter for letter.",
    "invalid_response_type": "The response_type must be code.",
    "invalid_scope": "A scope is missing or unknown. Scopes are separated by commas.",
    "invalid_code_challenge_method": "The code_challenge_method must be S256 or plain.",
}
"""What a person reads on the page of a refusal."""


class AuthRequest(NamedTuple):
    """An authorize request that may be put to a person."""

    client: Client
    redirect_uri: str
    permissions: tuple[Permission, ...]
    state: str | None
    offline: bool
    prompt: bool
    challenge: str | None
    challenge_method: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes as they were asked for."""
        return tuple(each.scope for each in self.permissions)


class Declined(Exception):  # noqa: N818 - the emulator's name for an invalid request
    """An authorize request that no person gets to see."""

    def __init__(self, word: str, detail: str = "") -> None:
        super().__init__(word)
        self.word, self.detail = word, detail


class ConsentOrg(Org):
    """An org with the consent pages that are open."""

    consents: FormTokens[AuthRequest]


def get_auth(org: ConsentOrg, request: Request) -> Answer:
    """``GET /oauth/v2/auth``: show the consent page, or go straight back if it was given before."""
    try:
        client, redirect_uri = _sender(org, request)
        return _ask(org, request, client, redirect_uri)
    except Declined as declined:
        message = ADVICE[declined.word]
        return pages.page(pages.refusal(declined.word, message, declined.detail), 400)


def post_auth(org: ConsentOrg, request: Request) -> Answer:
    """``POST /oauth/v2/auth``: send the person back with a code, or with access_denied."""
    form = request.form()
    auth_request = org.consents.take(form.get("ticket", ""))
    if auth_request is None:
        return pages.page(pages.expired(), 400)
    if form.get("answer") != "accept":
        return _redirect(auth_request.redirect_uri, error="access_denied", state=auth_request.state)
    return _granted(org, request, auth_request)


def permissions(org: Org, scopes: str) -> tuple[Permission, ...]:
    """Put scopes into words; an unknown one, or none at all, is declined."""
    modules = {each.api_name: each.plural for each in org.schema.modules.values()}
    matched = [(scope, permission(scope, modules)) for scope in split(scopes)]
    unknown = [scope for scope, scope_permission in matched if scope_permission is None]
    if unknown or not matched:
        raise Declined("invalid_scope", ", ".join(unknown))
    return tuple(scope_permission for _, scope_permission in matched if scope_permission)


def refresh_token_due(org: Org, client_id: str, *, offline: bool, prompt: bool) -> bool:
    """Whether a consent brings a refresh token: the first one offline, or one asked anew."""
    repeated = org.accounts.has_consented(client_id, ADMIN, (), offline=True)
    return offline and (prompt or not repeated)


def _sender(org: Org, request: Request) -> tuple[Client, str]:
    """Find who asks and where the answer goes."""
    redirect_uri = request.params.get("redirect_uri", "")
    try:
        client = org.accounts.registered(request.params.get("client_id", ""))
    except AccountsError as error:
        raise Declined("invalid_client") from error
    if not leads_home(request.origin, org.settings.location):
        raise Declined("invalid_client")
    any_port = org.settings.loopback_redirect_any_port
    if not any(_same_address(redirect_uri, each, any_port) for each in client.redirect_uris):
        raise Declined("invalid_redirect_uri", redirect_uri)
    return client, redirect_uri


def _same_address(given: str, registered: str, any_port: bool) -> bool:
    """Compare redirect URIs letter for letter; on loopback another port may pass."""
    if given == registered:
        return True
    try:
        one, other = urlsplit(given), urlsplit(registered)
    except ValueError:
        return False
    return any_port and other.hostname in LOOPBACK and _portless(one) == _portless(other)


def _portless(address: SplitResult) -> tuple[str | None, ...]:
    """Take an address apart, without its port."""
    userinfo = address.netloc.rpartition("@")[0]
    return address.scheme, userinfo, address.hostname, address.path, address.query, address.fragment


def _ask(org: ConsentOrg, request: Request, client: Client, redirect_uri: str) -> Answer:
    """Put a request of a known sender to the person, unless they have said yes to it before."""
    try:
        auth_request = _read(org, client, redirect_uri, request.params)
    except Declined as declined:
        if declined.word not in org.settings.redirected_refusals:
            raise
        return _redirect(redirect_uri, error=declined.word, state=request.params.get("state"))
    consented = org.accounts.has_consented(
        client.client_id, ADMIN, auth_request.scopes, offline=auth_request.offline
    )
    if consented and not auth_request.prompt:
        return _granted(org, request, auth_request)
    return pages.page(_question(auth_request, pages.person(org), org.consents.issue(auth_request)))


def _read(org: Org, client: Client, redirect_uri: str, given: Mapping[str, str]) -> AuthRequest:
    """Read the rest of an authorize request."""
    if given.get("response_type") != "code":
        raise Declined("invalid_response_type", given.get("response_type", ""))
    method = given.get("code_challenge_method", "plain")
    if method not in CHALLENGE_METHODS:
        raise Declined("invalid_code_challenge_method", method)
    return AuthRequest(
        client,
        redirect_uri,
        permissions(org, given.get("scope", "")),
        given.get("state"),
        given.get("access_type") == "offline",
        given.get("prompt") == "consent",
        given.get("code_challenge") or None,
        method,
    )


def _granted(org: Org, request: Request, auth_request: AuthRequest) -> Answer:
    """Send the person back with a grant code; one too many in ten minutes is denied."""
    client_id, location = auth_request.client.client_id, org.settings.location
    try:
        code = org.accounts.issue_grant_code(
            client_id,
            ",".join(auth_request.scopes),
            auth_request.redirect_uri,
            user=ADMIN,
            challenge=auth_request.challenge,
            challenge_method=auth_request.challenge_method,
            offline=refresh_token_due(
                org, client_id, offline=auth_request.offline, prompt=auth_request.prompt
            ),
        )
    except AccountsError:
        return _redirect(auth_request.redirect_uri, error="access_denied", state=auth_request.state)
    org.accounts.remember_consent(
        client_id, ADMIN, auth_request.scopes, offline=auth_request.offline
    )
    home = {"location": location, "accounts-server": accounts_server(request.origin, location)}
    return _redirect(auth_request.redirect_uri, state=auth_request.state, code=code, **home)


def _redirect(address: str, **facts: str | None) -> Answer:
    """Send the browser back to the client."""
    query = urlencode({name: value for name, value in facts.items() if value is not None})
    parts = urlsplit(address)
    together = f"{parts.query}&{query}" if parts.query else query
    return pages.redirect(parts._replace(query=together).geturl())


def _question(auth_request: AuthRequest, who: pages.Person, ticket: str) -> pages.Html:
    """Write the page that asks."""
    target = urlsplit(auth_request.redirect_uri)
    return pages.consent(
        who,
        client=auth_request.client,
        permissions=auth_request.permissions,
        offline=auth_request.offline,
        then=f"Then you go back to {target.netloc or target.scheme}.",
        action="/oauth/v2/auth",
        ticket=ticket,
    )


ROUTES = (
    Route(
        "GET",
        "/oauth/v2/auth",
        get_auth,
        "the consent page: client, redirect URI, scopes, PKCE, access_type, prompt, state",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v2/auth",
        post_auth,
        "its answer: a redirect with code, location and accounts-server, or access_denied",
        needs_token=False,
    ),
)
