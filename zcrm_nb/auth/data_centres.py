"""Zoho's data centres as data, and the three addresses that a login talks to.

A token is bound to one data centre *and* one environment, so both are chosen before anything is
sent, and nothing is ever sent to a host that is neither in this table nor named by the caller.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import NamedTuple
from urllib.parse import urlsplit

from zcrm_nb.errors import LoginError

__all__ = [
    "DATA_CENTRES",
    "Addresses",
    "DataCentre",
    "addresses",
    "dc_of",
    "environment_of",
    "is_loopback",
    "trusts",
]


class DataCentre(NamedTuple):
    """One row of the table."""

    code: str  # Zoho's ``location``, such as ``"eu"``
    place: str  # where it is, in words
    accounts: str  # host of Zoho Accounts
    apis: str  # domain of the API; ``www.``, ``sandbox.`` and ``developer.`` stand before it
    upload: str  # host that takes the files of bulk writes
    # false where no official CRM source names the hosts: they follow the pattern of the others
    confirmed: bool = True


# Accounts of Canada is at zohocloud.ca though its API is at zohoapis.ca, and the upload hosts of
# Canada and Saudi Arabia break the pattern "content.": these are no typing errors.
DATA_CENTRES = {
    row.code: row
    for row in (
        DataCentre("us", "USA", "accounts.zoho.com", "zohoapis.com", "content.zohoapis.com"),
        DataCentre("eu", "Europe", "accounts.zoho.eu", "zohoapis.eu", "content.zohoapis.eu"),
        DataCentre("in", "India", "accounts.zoho.in", "zohoapis.in", "content.zohoapis.in"),
        DataCentre(
            "au", "Australia", "accounts.zoho.com.au", "zohoapis.com.au", "content.zohoapis.com.au"
        ),
        DataCentre("jp", "Japan", "accounts.zoho.jp", "zohoapis.jp", "content.zohoapis.jp"),
        DataCentre(
            "cn", "China", "accounts.zoho.com.cn", "zohoapis.com.cn", "content.zohoapis.com.cn"
        ),
        DataCentre("ca", "Canada", "accounts.zohocloud.ca", "zohoapis.ca", "upload.zohocloud.ca"),
        DataCentre("sa", "Saudi Arabia", "accounts.zoho.sa", "zohoapis.sa", "files.zoho.sa"),
        DataCentre(
            "uk",
            "United Kingdom",
            "accounts.zoho.uk",
            "zohoapis.uk",
            "content.zohoapis.uk",
            confirmed=False,
        ),
        DataCentre(
            "ae",
            "United Arab Emirates",
            "accounts.zoho.ae",
            "zohoapis.ae",
            "content.zohoapis.ae",
            confirmed=False,
        ),
    )
}

_PREFIXES = {"production": "www", "sandbox": "sandbox", "developer": "developer"}

# What people write for a code: the end of the address they know, or the country code.
_NICKNAMES = {
    "com": "us",
    "usa": "us",
    "com.au": "au",
    "com.cn": "cn",
    "gb": "uk",
    "uae": "ae",
    "ksa": "sa",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """The three origins of a login: Accounts, the API, and the host for uploads."""

    accounts_url: str
    api_domain: str  # an origin has no path: "https://www.zohoapis.eu"
    upload_url: str
    # the caller named ``api_domain``: a token reply does not move it
    pinned: bool = field(default=False, repr=False)

    def following(self, api_domain: str) -> Addresses:
        """Take the API's address from a token reply, if the token may be sent there.

        Zoho Accounts knows best where an org is, so its reply overrides the table. But the token
        would be sent to any host in it, so a host outside the table is refused.

        Examples
        --------
        >>> from zcrm_nb.auth.data_centres import addresses
        >>> addresses("us").following("https://www.zohoapis.eu").api_domain
        'https://www.zohoapis.eu'
        """
        if self.pinned or not api_domain or api_domain == self.api_domain:
            return self
        centre = DATA_CENTRES.get(dc_of(api_domain) or "")
        if centre is None:
            return self._to_loopback(api_domain)
        environment = environment_of(self.api_domain) or "production"
        _same_environment(environment, environment_of(api_domain))
        return replace(
            self, api_domain=_api(centre, environment), upload_url=f"https://{centre.upload}"
        )

    def _to_loopback(self, api_domain: str) -> Addresses:
        """Let an emulator on this machine name its own address, and no other host."""
        if is_loopback(self.accounts_url) and is_loopback(api_domain):
            return replace(self, api_domain=_origin("api_domain", api_domain))
        raise LoginError(
            f"The token would travel to {_host(api_domain)}, which is not a host of Zoho CRM.",
            f"The token reply names api_domain {api_domain}.",
            "If that address is right, give it yourself: api_domain=…",
        )


def addresses(
    dc: str,
    environment: str = "production",
    *,
    accounts_url: str | None = None,
    api_domain: str | None = None,
    upload_url: str | None = None,
) -> Addresses:
    """Look up the addresses of a data centre.

    References
    ----------
    Zoho CRM API V8, "Multi-DC"; https://www.zoho.com/crm/developer/docs/api/v8/multi-dc.html

    Examples
    --------
    >>> from zcrm_nb.auth.data_centres import addresses
    >>> addresses("in", "sandbox").api_domain
    'https://sandbox.zohoapis.in'
    >>> addresses("gb")
    Traceback (most recent call last):
    ...
    ValueError: dc='gb' is not a data centre; did you mean 'uk'?...
    """
    centre = _centre(dc)
    if environment not in _PREFIXES:
        raise ValueError(
            f"environment={environment!r} is not one of {', '.join(_PREFIXES)}"
            f"{_did_you_mean(environment, {name: name for name in _PREFIXES})}"
        )
    return Addresses(
        _origin("accounts_url", accounts_url or f"https://{centre.accounts}"),
        _origin("api_domain", api_domain or _api(centre, environment)),
        _origin("upload_url", upload_url or f"https://{centre.upload}"),
        pinned=api_domain is not None,
    )


def dc_of(host_or_url: str) -> str | None:
    """Return the data centre of a host.

    Examples
    --------
    >>> from zcrm_nb.auth.data_centres import dc_of
    >>> dc_of("https://accounts.zohocloud.ca"), dc_of("https://zohoapis.com.example.test")
    ('ca', None)
    """
    return _HOSTS.get(_host(host_or_url), (None, None))[0]


def environment_of(host_or_url: str) -> str | None:
    """Return the environment of an API host: production, sandbox or developer."""
    return _HOSTS.get(_host(host_or_url), (None, None))[1]


def is_loopback(host_or_url: str) -> bool:
    """Whether an address stays on this machine."""
    host = _host(host_or_url)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def trusts(known: Addresses, origin: str) -> bool:
    """Whether a token may be sent to an address that Zoho's answer names.

    Examples
    --------
    >>> from zcrm_nb.auth.data_centres import addresses, trusts
    >>> home = addresses("in")
    >>> trusts(home, "https://download-accl.zoho.in"), trusts(home, "https://zoho.in.example.test")
    (True, False)
    """
    if origin in (known.accounts_url, known.api_domain, known.upload_url):
        return True
    parts = urlsplit(origin)
    domain = _host(known.accounts_url).partition(".")[2]
    beside = domain.partition(".")[0] in {"zoho", "zohocloud"}
    plain = parts.netloc.lower() == parts.hostname
    return beside and plain and parts.scheme == "https" and _host(origin).endswith(f".{domain}")


def _api(centre: DataCentre, environment: str) -> str:
    """Origin of the API of one environment."""
    return f"https://{_PREFIXES[environment]}.{centre.apis}"


def _host(host_or_url: str) -> str:
    """Host name in lower case, without port."""
    text = host_or_url if "://" in host_or_url else f"//{host_or_url}"
    try:
        return (urlsplit(text).hostname or "").lower()
    except ValueError:  # a bracket in the place of a host
        return ""


def _hosts() -> dict[str, tuple[str, str | None]]:
    """Every host of the table, with its data centre and environment."""
    known: dict[str, tuple[str, str | None]] = {}
    for code, row in DATA_CENTRES.items():
        known |= {row.accounts: (code, None), row.upload: (code, None)}
        known[row.apis] = (code, "production")  # Zoho's specifications sometimes leave www. out
        known |= {f"{prefix}.{row.apis}": (code, name) for name, prefix in _PREFIXES.items()}
    return known


_HOSTS = _hosts()


def _centre(dc: str) -> DataCentre:
    """Find the row of a code, or say which one was perhaps meant."""
    code = dc.strip().lower()
    if code not in DATA_CENTRES:
        places = {row.place.lower(): row.code for row in DATA_CENTRES.values()}
        words = {known: known for known in DATA_CENTRES} | _NICKNAMES | places
        raise ValueError(
            f"dc={dc!r} is not a data centre{_did_you_mean(code, words)} "
            f"Codes: {', '.join(DATA_CENTRES)}."
        )
    return DATA_CENTRES[code]


def _did_you_mean(text: str, words: dict[str, str]) -> str:
    """Suggest the nearest code."""
    near = get_close_matches(text.lower(), words, n=1)
    return f"; did you mean {words[near[0]]!r}?" if near else "."


def _origin(name: str, url: str) -> str:
    """Check that secrets may travel to this origin, and give it without a slash at its end."""
    parts = urlsplit(url if _host(url) else "")
    if _host(url) and parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ValueError(
            f"{name} must be https, or http on loopback: a secret must not travel in clear text"
        )
    if not parts.hostname or parts.username or parts.path.strip("/") or parts.query:
        raise ValueError(f"{name} must be an origin, such as https://www.zohoapis.eu")
    return f"{parts.scheme}://{parts.netloc}"


def _same_environment(requested: str, granted: str | None) -> None:
    """Refuse a sandbox login where production was requested.

    The other way round is no proof of anything: it is UNCONFIRMED whether the reply to a sandbox
    login names the sandbox, so the requested environment stays and Zoho refuses a wrong token.
    """
    if granted not in (None, "production", requested):
        raise LoginError(
            f"This login belongs to the {granted} environment, not to {requested}.",
            todo=f"Give environment={granted!r}, or log in again and choose {requested}.",
        )
