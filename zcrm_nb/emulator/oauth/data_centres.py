"""Zoho's data centres, as far as an accounts server needs them.

An emulator has one org, and an org lives in one data centre (:attr:`Settings.location`). Mounted at
the hosts of several it behaves like the family it stands for: a person may start anywhere but in
China and is sent home, the client is unknown to a token endpoint abroad. On loopback and at the
hosts ``zoho.test`` it is at home wherever it is asked.
"""

from __future__ import annotations

from typing import NamedTuple

from zcrm_nb.emulator.serving.http import API_ORIGIN

ACCOUNTS_ORIGIN = "https://accounts.zoho.test"


class Centre(NamedTuple):
    """Origins of one data centre."""

    accounts: str
    api: str


# Canada's accounts are at zohocloud.ca, its API is at zohoapis.ca. That ``uk`` and ``ae`` serve the
# CRM at all is UNCONFIRMED; their hosts follow the pattern of the others.
CENTRES = {
    "us": Centre("https://accounts.zoho.com", "https://www.zohoapis.com"),
    "eu": Centre("https://accounts.zoho.eu", "https://www.zohoapis.eu"),
    "in": Centre("https://accounts.zoho.in", "https://www.zohoapis.in"),
    "au": Centre("https://accounts.zoho.com.au", "https://www.zohoapis.com.au"),
    "jp": Centre("https://accounts.zoho.jp", "https://www.zohoapis.jp"),
    "cn": Centre("https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"),
    "ca": Centre("https://accounts.zohocloud.ca", "https://www.zohoapis.ca"),
    "sa": Centre("https://accounts.zoho.sa", "https://www.zohoapis.sa"),
    "uk": Centre("https://accounts.zoho.uk", "https://www.zohoapis.uk"),
    "ae": Centre("https://accounts.zoho.ae", "https://www.zohoapis.ae"),
}
_CODES = {centre.accounts: code for code, centre in CENTRES.items()}
APART = frozenset({"cn"})
"""Data centres run as a separate service: no one is sent there or from there."""


def is_home(origin: str, location: str) -> bool:
    """Whether the accounts server at this origin is that of the org's data centre.

    Examples
    --------
    >>> from zcrm_nb.emulator.oauth.data_centres import is_home
    >>> is_home("https://accounts.zoho.eu", "in"), is_home("http://127.0.0.1:8765", "in")
    (False, True)
    """
    return _CODES.get(origin, location) == location


def leads_home(origin: str, location: str) -> bool:
    """Whether a person who starts at this accounts server reaches the org's data centre."""
    together = not APART & {_CODES.get(origin, location), location}
    return is_home(origin, location) or together


def accounts_server(origin: str, location: str) -> str:
    """Name the accounts server of the org to a client that asked at ``origin``."""
    return CENTRES[location].accounts if origin in _CODES else origin


def api_domain(origin: str, location: str) -> str:
    """Name the API to a client that asked the accounts server at ``origin``.

    In the process accounts and API have hosts of their own. Served on loopback there is one origin
    for both, the one the request came to.
    """
    if origin == ACCOUNTS_ORIGIN:
        return API_ORIGIN
    return CENTRES[location].api if origin in _CODES else origin
