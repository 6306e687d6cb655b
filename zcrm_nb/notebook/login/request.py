"""What a login is asked to be: the same for the form and for the prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zcrm_nb.auth.credentials import REDIRECT_URI
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.flows import Client
from zcrm_nb.auth.scopes import READ_ONLY, WANTS, scopes_for
from zcrm_nb.auth.secret import Secret

if TYPE_CHECKING:
    from zcrm_nb.auth.flows import Login

__all__ = ["CONSOLE", "FLOWS", "REDIRECT_URI", "LoginRequest", "logged_in", "needs"]

CONSOLE = "https://api-console.zoho.com"

FLOWS = {
    "browser": "Accept in the browser",
    "paste": "Accept in the browser, paste the address back",
    "device": "Type a code on another device",
    "code": "A code made in the API console (self client)",
    "token": "A refresh token at hand",
}
"""The ways to log in, in words."""

_NEEDS = {
    "browser": "Needs a server-based client with the redirect URI {redirect_uri}",
    "paste": "Needs a server-based client with the redirect URI {redirect_uri}",
    "device": "Needs a client of the type Non-browser Applications",
    "code": "Needs a self client; its code is good for a few minutes, once",
    "token": "Needs the client that the token was made for",
}


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What a login is asked to be.

    Parameters
    ----------
    client_id : str, default ""
        Client id; empty while nobody has said it.
    client_secret : Secret
        Its secret.
    dc, environment : str
        Data centre and environment; empty while nobody has said it.
    wants : tuple of str
        What one wants to do, or scopes; empty while nobody has said it.
    flow : str
        One of :data:`FLOWS`; empty while nobody has said it.
    redirect_uri : str
        As registered for the client.
    accounts_url, api_domain, upload_url : str, optional
        Other hosts than those of the data centre.
    """

    client_id: str = ""
    client_secret: Secret = field(default_factory=lambda: Secret(""))
    dc: str = ""
    environment: str = ""
    wants: tuple[str, ...] = ()
    flow: str = ""
    redirect_uri: str = REDIRECT_URI
    accounts_url: str | None = None
    api_domain: str | None = None
    upload_url: str | None = None

    def client(self) -> Client:
        """Make the client that walks one of the ways."""
        where = addresses(
            self.dc or "us",
            self.environment or "production",
            accounts_url=self.accounts_url,
            api_domain=self.api_domain,
            upload_url=self.upload_url,
        )
        return Client(self.client_id, self.client_secret, where)

    @property
    def scopes(self) -> tuple[str, ...]:
        """What to ask Zoho for."""
        return scopes_for(self.wants or READ_ONLY)


def needs(flow: str, redirect_uri: str) -> str:
    """Say what a way asks of the client.

    Examples
    --------
    >>> from zcrm_nb.notebook.login.request import needs
    >>> needs("device", "")
    'Needs a client of the type Non-browser Applications'
    """
    return _NEEDS[flow].format(redirect_uri=redirect_uri)


def logged_in(user: str, wish: LoginRequest, login: Login) -> str:
    """Say who it is, where, what it may, and until when."""
    ends = datetime.fromtimestamp(login.token.expires_at, UTC)
    may = ", ".join(WANTS[want].label for want in wish.wants if want in WANTS)
    return (
        f"Logged in: {user or 'user not known'}\n"
        f"At {login.where.api_domain}, {wish.environment}. It may: {may or 'what you chose'}.\n"
        f"Good until you log out; the access token until {ends:%H:%M} UTC, then renewed by itself."
    )
