"""Transport to Zoho: plain http to this machine only, and certificates that are not trusted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from zcrm_nb.auth.data_centres import is_loopback

__all__ = ["LoopbackAdapter", "is_untrusted_certificate"]


class LoopbackAdapter(HTTPAdapter):
    """A transport that speaks plain http, to loopback only, past every proxy.

    oauthlib refuses any address that does not begin with ``https``. The switch it offers,
    ``OAUTHLIB_INSECURE_TRANSPORT``, is an environment variable: it would hold for the whole process
    and its children, for real logins as well as for the emulator, and for every thread while it is
    set "only around the call". So the token call keeps its ``https://127.0.0.1:port`` address, and
    this adapter, mounted for that one origin, carries it as http. A secret cannot leave the machine
    this way: another host is refused here, whatever it was mounted for.
    """

    def send(
        self, request: requests.PreparedRequest, *args: Any, **options: Any
    ) -> requests.Response:
        """Send as http, if the host is this machine."""
        if not is_loopback(str(request.url)):
            raise requests.exceptions.InvalidURL("plain http is for loopback only")
        plain = request.copy()
        plain.url = urlunsplit(("http", *urlsplit(str(request.url))[1:]))
        return super().send(plain, *args, **options | {"proxies": None})


def is_untrusted_certificate(error: requests.RequestException) -> bool:
    """Tell whether a certificate was not trusted, as behind a proxy that inspects traffic."""
    is_ssl = isinstance(error, requests.exceptions.SSLError)
    return is_ssl and "CERTIFICATE_VERIFY_FAILED" in str(error)
