"""What comes back from the wire: Zoho's answer, or nothing usable."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import orjson
from requests import exceptions
from urllib3.exceptions import NewConnectionError

from zcrm_nb.auth.transport import is_untrusted_certificate
from zcrm_nb.wire.backoff import retry_after_s
from zcrm_nb.wire.download import BrokenOffError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

    from zcrm_nb.errors import ZohoError

__all__ = ["Answer", "Lost", "Reply", "lost", "usable"]

# OAUTH_SCOPE_MISMATCH is a 401 too, but no new token helps: the scope was never granted.
_STALE = {"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"}
_THROTTLED = {"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"}  # some APIs say so under HTTP 400
_ERROR_OBJECT_BYTES = 4096  # a larger body under HTTP 200 is never an error object
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Answer:
    """Zoho answered.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping
        Headers, their names in any case.
    body : bytes
        The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The parsed body, or ``None`` when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @cached_property
    def is_error(self) -> bool:
        """Whether it is an error, be it under HTTP 200."""
        if self.status < 300 and len(self.body) < _ERROR_OBJECT_BYTES and b'"code"' in self.body:
            body = self.json
            return isinstance(body, dict) and "code" in body and _lower(body, "status") == "error"
        return self.status >= 300 and self.status != 304

    @cached_property
    def code(self) -> str:
        """Zoho's error code; empty for a success and for an error without one."""
        if not self.is_error or not isinstance(self.json, dict):
            return ""
        return str(self.json.get("code") or "").upper()

    @property
    def is_stale(self) -> bool:
        """Whether a new token would help."""
        return self.code in _STALE

    @property
    def is_throttled(self) -> bool:
        """Whether Zoho had no time for the call, and did not look at it."""
        return self.status == 429 or self.code in _THROTTLED

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that the server asks to wait, by its own clock."""
        return retry_after_s(self.headers.get("Retry-After"), date=self.headers.get("Date"))

    @property
    def summary(self) -> str:
        """Status and code."""
        return f"HTTP {self.status} {self.code}".rstrip()


class Lost(NamedTuple):
    """No usable answer came.

    Parameters
    ----------
    reason : str
        What happened.
    sent : bool
        False when the call certainly did not reach Zoho; True when that is unknown.
    status : int, optional
        HTTP status, when there was an answer that could not be read.
    most_tries : int, optional
        How many tries are made at most when this is what comes of them; as usual by default.
    advice : str, default ""
        What to do, where that is known.
    error : ZohoError, optional
        What to raise, where it is known.
    """

    reason: str
    sent: bool
    status: int | None = None
    most_tries: int | None = None
    advice: str = ""
    error: ZohoError | None = None


Reply: TypeAlias = Answer | Lost


def usable(answer: Answer) -> Reply:
    """Tell an answer of Zoho's from a page, a redirect or a fragment that came in its place."""
    status, kind = answer.status, answer.headers.get("Content-Type", "").lower()
    if status in (204, 304, 429) or status >= 500:
        return answer  # the status says it all
    if status in range(300, 400):
        return Lost(f"HTTP {status}, a redirect, which a token does not follow", True, status)
    if status < 300 and _is_file(answer, kind):
        return answer if _is_complete(answer) else Lost("the file broke off", True, status)
    return _json_or_lost(answer, kind)


def _json_or_lost(answer: Answer, kind: str) -> Reply:
    """Let JSON pass, mended where one bad character spoils it."""
    body, status = answer.body.removeprefix(_BOM), answer.status
    if not _is_whole_json(body):
        mended = _mended(body) if status < 300 else None
        if mended is None:
            return Lost(f"HTTP {status} with {_content(body, kind)}", True, status)
        body = mended
    return answer if body is answer.body else replace(answer, body=body)


def _content(body: bytes, kind: str) -> str:
    """Say what came in the place of JSON."""
    page = next((name for name in ("HTML", "XML") if name.lower() in kind), "")
    if page:
        return f"an {page} page instead of JSON"
    return "incomplete or unreadable JSON" if body else "an empty body instead of JSON"


def _lower(body: dict[str, Any], key: str) -> str:
    return str(body.get(key)).lower()


_TEXT = ("json", "html", "xml", "text/plain")


def _is_file(answer: Answer, kind: str) -> bool:
    """Whether an answer is a file, whatever is in it."""
    is_text = not kind or any(each in kind for each in _TEXT)
    return bool(answer.headers.get("Content-Disposition")) or not is_text


def _is_complete(answer: Answer) -> bool:
    """Whether a file is as long as was announced.

    One that travelled packed is longer now, and one that went to the disk has no body here.
    """
    length = answer.headers.get("Content-Length", "")
    unknown = not answer.body or "Content-Encoding" in answer.headers
    return unknown or not length.isdecimal() or int(length) == len(answer.body)


# The info object of a page, closed, and then the page itself closed: no row ends like this.
_END_OF_PAGE = re.compile(rb'"more_records"\s*:\s*(?:true|false)[^][{}]*\}\s*\}\s*$')


def _is_whole_json(body: bytes) -> bool:
    """Whether a body is a complete JSON document.

    Pages are the large answers, and show by their end that they are whole: so they are not parsed
    here, only to be parsed again where their rows are read.
    """
    if body.startswith(b"{") and _END_OF_PAGE.search(body[-1024:]):
        return True
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict | list)


def _mended(body: bytes) -> bytes | None:
    """Mend JSON with control characters, bad bytes or lone surrogates; ``None`` if it is torn.

    One such character in a label must not make all metadata unreadable.
    """
    try:
        document = json.loads(body.decode("utf-8", "replace"), strict=False)
    except ValueError:
        return None
    if not isinstance(document, dict | list):
        return None
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


# First match wins; requests derives some of these from others.
_REASONS: tuple[tuple[type[requests.RequestException], str], ...] = (
    (exceptions.ConnectTimeout, "no connection in time"),
    (exceptions.ReadTimeout, "no answer in time"),
    (exceptions.ProxyError, "the proxy did not let it through"),
    (exceptions.SSLError, "the encrypted connection could not be made"),
    (exceptions.ChunkedEncodingError, "the answer broke off"),
    (BrokenOffError, "the file broke off"),
    (exceptions.ContentDecodingError, "the answer could not be decompressed"),
    (exceptions.ConnectionError, "the connection failed"),
)


def lost(error: requests.RequestException) -> Lost:
    """Describe a failure of the network in our words: its own text may hold the whole address."""
    if is_untrusted_certificate(error):
        return Lost(
            "the server's certificate is not trusted",
            sent=False,
            most_tries=1,
            advice="Behind a proxy that inspects traffic, set REQUESTS_CA_BUNDLE to the file with "
            "your organisation's certificates, then run it again.",
        )
    reason = next((words for kind, words in _REASONS if isinstance(error, kind)), "nothing came")
    argument = error.args[0] if error.args else None
    cause = getattr(argument, "reason", argument)
    never_left = isinstance(cause, (NewConnectionError, ConnectionRefusedError))
    return Lost(reason, sent=not (never_left or isinstance(error, exceptions.ConnectTimeout)))
