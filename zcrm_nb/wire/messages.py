"""HTTP messages: a call before it is sent, its response, and the record of both."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import unquote

import orjson
import requests
from requests import exceptions
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from zcrm_nb.auth.transport import is_untrusted_certificate
from zcrm_nb.errors import APIError, ConnectionFailed, api_error
from zcrm_nb.masking import mask
from zcrm_nb.wire.credits import is_expensive, price
from zcrm_nb.wire.download import BrokenOffError
from zcrm_nb.wire.multipart import multipart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.auth.oauth import Token
    from zcrm_nb.errors import ZohoError
    from zcrm_nb.masking import Secret
    from zcrm_nb.wire.download import Landing
    from zcrm_nb.wire.multipart import File, Multipart

__all__ = [
    "MOST_BYTES",
    "Answer",
    "ApiRequest",
    "BodyTooLargeError",
    "Call",
    "Lost",
    "Reply",
    "Timing",
    "api_request",
    "body_or_error",
    "call_of",
    "download_request",
    "lost",
    "retry_after_s",
    "usable",
]

READ_BYTES = 8 << 20  # requests itself reads 10 kB at a time, which costs a large page a third more
MOST_BYTES = 512 << 20  # of one body in memory, decompressed: no page of Zoho's is near it


class BodyTooLargeError(requests.RequestException):
    """A body grew beyond all measure while it was decompressed."""


class ApiRequest(NamedTuple):
    """One call, checked and priced."""

    method: str
    path: str
    params: dict[str, str]
    body: bytes | Multipart | None
    headers: dict[str, str]
    host: str
    safe: bool
    query: str
    credits: int
    is_expensive: bool
    landing: Landing | None = None
    notify: Callable[[str], None] | None = None

    @property
    def name(self) -> str:
        """Its name in errors and notices."""
        return f"{self.method} {self.path}"

    def request(self, origin: str, token: Token) -> requests.Request:
        """Make the request of one try."""
        return requests.Request(
            self.method,
            origin + self.path,
            params=self.params,
            data=self.body,
            headers=_content_type(self.body) | self.headers,
            auth=_ZohoAuth(token.access),
        )

    def read(self, response: requests.Response) -> bytes:
        """Read the body of a response; a file is written to the disk."""
        if self.landing and self.landing.takes(response):
            self.landing.take(response)
            return b""
        if self.landing and response.status_code == 416:
            self.landing.again()
            raise BrokenOffError("there is nothing behind what came before")
        blocks, size = [], 0
        for block in response.iter_content(READ_BYTES):
            blocks.append(block)
            size += len(block)
            if size > MOST_BYTES:
                raise BodyTooLargeError
        return b"".join(blocks)


def api_request(
    method: str,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    files: Sequence[File] | None = None,
    headers: Mapping[str, str] | None = None,
    safe: bool | None = None,
    host: str = "api",
    notify: Callable[[str], None] | None = None,
) -> ApiRequest:
    """Check and price a call."""
    method = method.upper()
    if host not in {"api", "upload"}:
        raise ValueError(f"host={host!r} is neither 'api' nor 'upload'")
    return ApiRequest(
        method=method,
        path=_checked(path),
        params=_as_zoho_writes(params or {}),
        body=_body(json, files),
        headers=dict(headers or {}),
        host=host,
        safe=method == "GET" if safe is None else safe,
        query=json.get("select_query", "") if isinstance(json, dict) else "",
        credits=price(method, path, params=params, json=json),
        is_expensive=is_expensive(method, path, params=params, json=json),
        notify=notify,
    )


def download_request(
    path: str, landing: Landing, *, params: Mapping[str, Any] | None, host: str
) -> ApiRequest:
    """Check and price the download of a file."""
    return ApiRequest(
        method="GET",
        path=_checked(path),
        params=_as_zoho_writes(params or {}),
        body=None,
        headers={},
        host=host,
        safe=True,
        query="",
        credits=price("GET", path, params=params),
        is_expensive=False,
        landing=landing,
    )


class _ZohoAuth(AuthBase):
    """Zoho's own word before the token, where the world says Bearer."""

    def __init__(self, access: Secret) -> None:
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._access.reveal()}"
        return request


def _checked(path: str) -> str:
    """Refuse a path that would lead the token elsewhere, or that hides parameters."""
    plain = unquote(path)
    segments = plain.split("/")[1:]
    if (
        not plain.startswith("/")
        or any(segment in {"", ".", ".."} for segment in segments)
        or not plain.isprintable()
        or any(mark in plain for mark in "\\?#")
    ):
        raise ValueError(
            f"{path!r} is not a path such as '/crm/v8/Leads'; parameters go into params="
        )
    return path


def _body(json: Any, files: Sequence[File] | None) -> bytes | Multipart | None:
    """Make the body once: every try sends the same."""
    if files is None:
        return None if json is None else orjson.dumps(json)
    if json is not None:
        raise TypeError("A call has one body: json= or files=")
    return multipart(files)


def _content_type(body: bytes | Multipart | None) -> dict[str, str]:
    if body is None:
        return {}
    return {"Content-Type": "application/json" if isinstance(body, bytes) else body.content_type}


def _as_zoho_writes(params: Mapping[str, Any]) -> dict[str, str]:
    """Write parameters as Zoho reads them: true and false in lower case, lists with commas."""
    return {name: _text(value) for name, value in params.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(_text(item) for item in value)
    return str(value)


# ---- The response --------------------------------------------------------------------------------

# OAUTH_SCOPE_MISMATCH is a 401 too, but no new token helps: the scope was never granted.
_STALE = {"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"}
_THROTTLED = {"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"}  # some APIs say so under HTTP 400
_ERROR_OBJECT_BYTES = 4096  # a larger body under HTTP 200 is never an error object
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Answer:
    """Zoho answered; the body is decompressed."""

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

    ``sent`` is False when the call certainly did not reach Zoho, True when that is unknown.
    ``most_tries`` is how many tries are made at most; as usual by default. ``advice`` says what to
    do, and ``error`` is what to raise, where it is known.
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


def retry_after_s(
    header: str | None, *, date: str | None = None, now: datetime | None = None
) -> float | None:
    """Read a ``Retry-After`` header, which Zoho does not document but a proxy may send.

    A moment is compared with the ``Date`` of the same answer, because this machine's clock may be
    wrong.

    Examples
    --------
    >>> from zcrm_nb.wire.messages import retry_after_s
    >>> retry_after_s("12"), retry_after_s("soon")
    (12.0, None)
    """
    with suppress(ValueError):
        seconds = float(header or "")
        return seconds if isfinite(seconds) and seconds >= 0 else None
    moment = _moment(header)
    if moment is None:
        return None
    return max(0.0, (moment - (_moment(date) or now or datetime.now(UTC))).total_seconds())


def _moment(header: str | None) -> datetime | None:
    """Read a date of HTTP's, if it is one."""
    with suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime((header or "").strip())
        return moment if moment.tzinfo is not None else None
    return None


def body_or_error(request: ApiRequest, reply: Reply) -> bytes:
    """Return the body, or raise: there is no third outcome."""
    if isinstance(reply, Lost):
        raise _failed(request, reply)
    if not reply.is_error:
        return b"" if reply.status == 304 else reply.body
    refusal = api_error(
        reply.status,
        reply.json,
        request=request.name,
        query=request.query,
        retry_after_s=reply.retry_after_s,
    )
    if isinstance(refusal, APIError):
        refusal.body = reply.body
    raise refusal


def _failed(request: ApiRequest, reply: Lost) -> ConnectionFailed:
    """Make the error of a call without a usable answer."""
    if isinstance(reply.error, ConnectionFailed):  # Accounts gave its own advice
        failed = reply.error
    else:
        advice = reply.advice or "Check the network and any proxy, then run it again."
        if not request.safe and reply.sent:
            advice = "It is unknown whether Zoho took it: look there before you send it again."
        failed = ConnectionFailed(
            f"{request.name} got no usable answer.", f"What happened: {reply.reason}.", advice
        )
    failed.sent = reply.sent
    return failed


# ---- The record of a call ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call through the gate, its retries included.

    Parameters
    ----------
    method, path : str
        Such as ``"GET"`` and ``"/crm/v8/Leads"``.
    params : mapping
        Query parameters, secrets masked.
    query : str
        The text of a COQL query; empty for other calls.
    status : int or None
        HTTP status of the last answer; ``None`` when none came.
    attempts : int
        How often it was sent.
    ms : float
        Milliseconds from first to last, waits included.
    bytes : int
        Size of the answer's body.
    credits : int
        What it cost, as far as the price list knows.
    """

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    status: int | None = None
    attempts: int = 1
    ms: float = 0.0
    bytes: int = 0
    credits: int = 0

    def __str__(self) -> str:
        params = "".join(f" {name}={value}" for name, value in self.params.items())
        tries = f" · {self.attempts} tries" if self.attempts > 1 else ""
        query = f" · {' '.join(self.query.split())}" if self.query else ""
        unit = "credit" if self.credits == 1 else "credits"
        return (
            f"{self.method} {self.path}{params} → {self.status or 'no answer'} · {self.ms:.0f} ms"
            f" · {self.bytes:,} bytes · {self.credits} {unit}{tries}{query}"
        )


class Timing(NamedTuple):
    """How long a call took that went well at the first try."""

    method: str
    path: str
    credits: int
    seconds: float


def call_of(request: ApiRequest, reply: Reply, tries: int, seconds: float) -> Call:
    """Describe a call that is over, without its secrets."""
    return Call(
        request.method,
        request.path,
        {name: mask(value) for name, value in request.params.items()},
        query=request.query,
        status=reply.status,
        attempts=tries,
        ms=seconds * 1000,
        bytes=_size(request, reply),
        credits=request.credits,
    )


def _size(request: ApiRequest, reply: Reply) -> int:
    """Bytes of an answer's body, on the disk or in memory."""
    if isinstance(reply, Lost):
        return 0
    return len(reply.body) or (request.landing.size if request.landing else 0)
