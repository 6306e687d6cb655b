"""One call before it is sent: its path checked, its parameters and body written once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import orjson
import requests
from requests.auth import AuthBase

from zcrm_nb.wire.credits import is_expensive, price
from zcrm_nb.wire.download import BrokenOffError
from zcrm_nb.wire.multipart import multipart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.auth.oauth import Token
    from zcrm_nb.auth.secret import Secret
    from zcrm_nb.wire.download import Landing
    from zcrm_nb.wire.multipart import File, Multipart

__all__ = ["ApiRequest", "BodyTooLargeError", "api_request", "download_request"]

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
