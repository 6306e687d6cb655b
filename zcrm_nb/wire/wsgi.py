"""A WSGI application in the place of the network: no socket, no port, no patching."""

from __future__ import annotations

import io
import os
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from zcrm_nb.errors import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import WSGIApplication

__all__ = ["WSGIAdapter"]


class WSGIAdapter(BaseAdapter):
    """A transport that calls a WSGI application in this process.

    Mounted on a session, it sends every request under its prefix to the application, for any
    host. There is no connection to keep alive, and a time-out has nothing to wait for. The answer
    is read whole before it is given back, unless it was asked for as a stream: then it is read as
    the caller reads it, and a file on its way to the disk is never held in memory.

    Examples
    --------
    >>> import requests
    >>> from zcrm_nb.wire.wsgi import WSGIAdapter
    >>> def app(environ, start_response):
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     return [environ["PATH_INFO"].encode()]
    >>> session = requests.Session()
    >>> session.mount("https://", WSGIAdapter(app))
    >>> session.get("https://www.zohoapis.test/crm/v8/org").text
    '/crm/v8/org'
    """

    def __init__(self, app: WSGIApplication) -> None:
        super().__init__()
        self.app, self._pid = app, os.getpid()

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **options: Any
    ) -> requests.Response:
        """Call the application, and make its answer a response."""
        if os.getpid() != self._pid:
            raise ConnectionFailed(
                "The emulated org lives in the process that made it; this is a child process.",
                todo="Serve it for several processes: zcrm-nb emulate --port 8000, then connect() "
                "in each.",
            )
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None
        ) -> Any:
            started.append((status, headers))
            return written.append

        written: list[bytes] = []
        try:
            chunks = self.app(_environ(request), start_response)
            if stream:
                body = io.BufferedReader(_Chunks(chain(written, _closing(chunks))))
                return _response(request, *started[-1], body)
            whole = b"".join((*written, *_closing(chunks)))
        except ConnectionError as error:
            raise requests.ConnectionError(error, request=request) from error
        return _read(_response(request, *started[-1], io.BytesIO(whole)), whole)

    def close(self) -> None:
        """Do nothing: the application is closed by its owner."""


class _Chunks(io.RawIOBase):
    """What an application returned, as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; 0 bytes are the end."""
        if not self._rest:
            self._rest = memoryview(next(filter(None, self._chunks), b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _closing(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give what an application returned, and close it in the end as PEP 3333 demands."""
    try:
        yield from chunks
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    """Translate a request to PEP 3333."""
    parts = urlsplit(str(request.url))
    body = _bytes(request.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    # Compressing would only cost time where nothing travels, so it is not asked for.
    for name, value in request.headers.items():
        if name.lower() not in {"content-type", "content-length", "accept-encoding"}:
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


def _bytes(body: Any) -> bytes:
    """Read the body of a request, in whichever of its forms requests left it."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    return b"".join(body)


def _response(
    request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], raw: Any
) -> requests.Response:
    """Make a response whose body is still to be read."""
    code, _, reason = status.partition(" ")
    response = requests.Response()
    response.status_code, response.reason = int(code), reason
    response.headers = CaseInsensitiveDict(headers)
    response.raw = raw
    response.url, response.request, response.encoding = str(request.url), request, "utf-8"
    return response


def _read(response: requests.Response, body: bytes) -> requests.Response:
    """Note what the body is; requests has no public way to say "already read"."""
    response._content = body
    response._content_consumed = True  # type: ignore[attr-defined]
    return response
