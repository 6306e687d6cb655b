"""The token endpoints of the accounts server: exchange, refresh, revoke, and where home is."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from zcrm_nb.emulator.oauth.data_centres import accounts_server, api_domain, is_home
from zcrm_nb.emulator.serving.accounts import AccountsError
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org


def post_token(org: Org, request: Request) -> Answer:
    """``POST /oauth/v2/token``: exchange a grant code, or refresh an access token."""
    params = _with_basic(request)
    grant_type = params.get("grant_type")
    if not grant_type:
        return Answer(400, b"", {"Content-Type": "text/plain"})
    try:
        return json_answer(_traded(org, request, grant_type, params))
    except AccountsError as error:
        return json_answer(error.body, error.http_status)


def post_revoke(org: Org, request: Request) -> Answer:
    """``POST /oauth/v2/token/revoke``: end a refresh or access token."""
    if org.accounts.revoke(request.form().get("token", "")):
        return json_answer({"status": "success"})
    return json_answer({"error": "invalid_token"}, 400)


def get_serverinfo(org: Org, request: Request) -> Answer:
    """``GET /oauth/serverinfo``: the data centres; that of the org is the only one it knows."""
    location = org.settings.location
    home = accounts_server(request.origin, location)
    return json_answer({"result": "success", "locations": {location: home}})


def _traded(
    org: Org, request: Request, grant_type: str, params: dict[str, str]
) -> dict[str, object]:
    """Give tokens, unless in another data centre, where the client is unknown."""
    location = org.settings.location
    if not is_home(request.origin, location):
        raise AccountsError("invalid_client")
    reply = org.accounts.trade(grant_type, params)
    return reply | {"api_domain": api_domain(request.origin, location)}


def _with_basic(request: Request) -> dict[str, str]:
    """Parameters of a token call, with client credentials from HTTP Basic filled in."""
    params = request.form()
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic" and "client_id" not in params:
        name, _, secret = _decoded(coded).partition(":")
        params |= {"client_id": name, "client_secret": secret}
    return params


def _decoded(coded: str) -> str:
    """Decode Basic credentials; what cannot be decoded names no client."""
    try:
        return base64.b64decode(coded, validate=True).decode()
    except ValueError:
        return ""


ROUTES = (
    Route(
        "POST",
        "/oauth/v2/token",
        post_token,
        "grant code (with PKCE) or refresh token for an access token; quotas and throttle",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v2/token/revoke",
        post_revoke,
        "revoke a refresh or access token",
        needs_token=False,
    ),
    Route(
        "GET",
        "/oauth/serverinfo",
        get_serverinfo,
        "data centres: the emulator itself, as `in`",
        needs_token=False,
    ),
)
