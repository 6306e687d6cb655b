"""What a login is made of, and its words: the same for the form and for the prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zcrm_nb.auth.credentials import REDIRECT_URI, check_client, cleaned
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.flows import Client
from zcrm_nb.auth.scopes import READ_ONLY, WANTS, lacking, scopes_for
from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from zcrm_nb.auth.flows import Login

__all__ = [
    "CONSOLE",
    "FLOWS",
    "REDIRECT_URI",
    "LoginRequest",
    "logged_in",
    "needs",
    "steps",
]

CONSOLE = "https://api-console.zoho.com"

FLOWS = {
    "browser": "Accept in the browser",
    "paste": "Accept in the browser and paste the address back",
    "device": "Enter a code on another device",
    "code": "I have a code from the API console (self client)",
    "token": "I already have a refresh token",
}
"""The sign-in methods, in words."""

_NEEDS = {
    "browser": "Needs a server-based client with the redirect URI {redirect_uri}",
    "paste": "Needs a server-based client with the redirect URI {redirect_uri}",
    "device": "Needs a client of the type Non-browser Applications",
    "code": "Needs a self client; its code can be used once, within a few minutes",
    "token": "Needs the client that the token was made for",
}

_OPEN = f"Open {CONSOLE} and sign in to Zoho."
_SERVER_STEPS = (
    _OPEN,
    'Press "Add Client" (the first time: "Get Started") and choose "Server-based Applications".',
    "Enter any client name, and http://127.0.0.1 as the homepage URL.",
    "Enter this authorized redirect URI, letter for letter: {redirect_uri}",
    'Press "Create".',
    'Copy client ID and client secret from the tab "Client Secret" to here.',
)
_STEPS = {
    "browser": _SERVER_STEPS,
    "paste": _SERVER_STEPS,
    "device": (
        _OPEN,
        'Press "Add Client" (the first time: "Get Started") and choose "Non-browser Applications".',
        'Enter any client name, and press "Create".',
        'Copy client ID and client secret from the tab "Client Secret" to here.',
    ),
    "code": (
        _OPEN,
        'Press "Add Client" (the first time: "Get Started"), choose "Self Client" and press '
        '"Create".',
        'Copy client ID and client secret from the tab "Client Secret" to here.',
        'In the tab "Generate Code" enter these scopes: {scopes}',
        'Choose a duration of 10 minutes, enter any description, and press "Create".',
        "Copy the code to here before its time is over.",
    ),
    "token": (),
}


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """A login as it is asked for; what is empty is not known yet.

    Parameters
    ----------
    client_id : str, default ""
        Client id.
    client_secret : Secret
        Its secret.
    dc, environment : str
        Data centre and environment.
    wants : tuple of str
        What the login is for: names of ``WANTS``, or scopes.
    flow : str
        One of :data:`FLOWS`.
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
        """Return the OAuth client; one that cannot be right is refused before it is used."""
        hosts = addresses(
            self.dc or "us",
            self.environment or "production",
            accounts_url=self.accounts_url,
            api_domain=self.api_domain,
            upload_url=self.upload_url,
        )
        client_id = cleaned(self.client_id)
        client_secret = Secret(cleaned(self.client_secret.reveal()))
        if client_id:
            check_client(client_id, client_secret)
        return Client(client_id, client_secret, hosts)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes to request."""
        return scopes_for(self.wants or READ_ONLY)


def needs(flow: str, redirect_uri: str) -> str:
    """Say what a sign-in method needs of the client.

    Examples
    --------
    >>> from zcrm_nb.notebook.login.request import needs
    >>> needs("device", "")
    'Needs a client of the type Non-browser Applications'
    """
    return _NEEDS[flow].format(redirect_uri=redirect_uri)


def steps(request: LoginRequest, flow: str) -> list[str]:
    """Say, step by step, how to make a client for a sign-in method."""
    values = {"redirect_uri": request.redirect_uri, "scopes": ",".join(request.scopes)}
    return [step.format(**values) for step in _STEPS[flow]]


def logged_in(user: str, request: LoginRequest, login: Login) -> str:
    """Say who is logged in, where, what the login may do, and until when."""
    ends = datetime.fromtimestamp(login.token.expires_at, UTC)
    scopes = login.token.scopes
    may = [want.label for name, want in WANTS.items() if scopes and not lacking(name, scopes)]
    return (
        f"Logged in: {user or 'unknown user'}\n"
        f"At {login.where.api_domain}, {request.environment}. "
        f"It may: {', '.join(may) or 'unknown; crm.doctor() tells'}.\n"
        f"Valid until you log out. The access token is valid until {ends:%H:%M} UTC and is renewed "
        "automatically."
    )
