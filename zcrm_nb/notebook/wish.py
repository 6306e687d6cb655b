"""What a login is asked to be: the same for the form and for the prompt."""

from __future__ import annotations

from dataclasses import dataclass, field

from zcrm_nb.wire.centres import addresses
from zcrm_nb.wire.flows import Client
from zcrm_nb.wire.scopes import READ_ONLY, scopes_for
from zcrm_nb.wire.secrets import Secret

__all__ = ["FLOWS", "REDIRECT_URI", "Wish"]

REDIRECT_URI = "http://127.0.0.1:8765/callback"

FLOWS = {
    "browser": "Accept in the browser",
    "paste": "Accept in the browser, paste the address back",
    "device": "Type a code on another device",
    "code": "A code made in the API console (self client)",
    "token": "A refresh token at hand",
}
"""The ways to log in, in words."""


@dataclass(frozen=True, slots=True)
class Wish:
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
        """Make the client that walks one of the ways.

        Returns
        -------
        Client
            At its data centre, or at the hosts that were named.

        Raises
        ------
        ValueError
            An unknown data centre or environment, or an address in the clear.
        """
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
