"""The emulator on a port of this machine, for clients in any language."""

from __future__ import annotations

import io
import logging
import socket
import struct
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIEnvironment

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIApplication

HOST = "127.0.0.1"
LONGEST_BODY = 256 << 20
_log = logging.getLogger(__name__)


class PortTaken(OSError):  # noqa: N818 - reads as what happened
    """The port cannot be had; the message says what to do."""


class Server:
    """A loopback server around a WSGI callable, in daemon threads.

    Parameters
    ----------
    app : callable
        The WSGI callable.
    port : int, default 0
        Port on 127.0.0.1; 0 takes a free one.
    credentials : mapping of str to str
        What a client needs besides the addresses.

    Attributes
    ----------
    credentials : dict of str to str
        The same with ``accounts_url``, ``api_domain`` and ``upload_url`` of this server.

    Raises
    ------
    PortTaken
        If another program listens on that port.

    Notes
    -----
    It listens on 127.0.0.1 only, since the emulator's secrets are not secret. The standard
    library's server does well here once its writes are buffered and Nagle's algorithm is off:
    without that a kept-alive connection waits 40 ms for a delayed acknowledgement with every
    answer. Flask or uvicorn would add a dependency and be no faster.
    """

    owner: object = None

    def __init__(self, app: WSGIApplication, port: int, credentials: Mapping[str, str]) -> None:
        try:
            self._http = _Loopback((HOST, port), app)
        except OSError as error:
            raise PortTaken(
                error.errno,
                f"Port {port} of {HOST} is taken or not allowed. "
                "Stop the program that uses it, choose another port, or 0 for a free one.",
            ) from error
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="zcrm_nb emulator", daemon=True
        )
        self._thread.start()
        addresses = dict.fromkeys(("accounts_url", "api_domain", "upload_url"), self.url)
        self.credentials = {**credentials, **addresses}

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Its origin, such as ``http://127.0.0.1:8765``: accounts, API and uploads alike."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """Stop listening, cut open connections, and return when all threads have ended."""
        if not self._thread.is_alive():
            return
        self._http.shutdown()
        self._http.server_close()
        self._http.hang_up()
        self._thread.join()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<zcrm_nb emulator at {self.url}>"


class _Loopback(ThreadingHTTPServer):
    """A threading server that knows its open connections, so that it can end them."""

    daemon_threads = True
    # On Windows this flag lets two programs share a port; elsewhere it only skips TIME_WAIT.
    allow_reuse_address = sys.platform != "win32"
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], app: WSGIApplication) -> None:
        self.app = app
        self.open: dict[threading.Thread, socket.socket] = {}
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without asking a name server for our name, as the base class would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])

    def hang_up(self) -> None:
        """Cut the open connections and wait for their threads."""
        for thread, connection in list(self.open.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong, unless the client merely hung up."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("The emulator lost the connection to %s", client_address)


class _Connection(BaseHTTPRequestHandler):
    """One kept-alive connection: HTTP on one side, WSGI on the other."""

    protocol_version = "HTTP/1.1"
    server_version = "ZGS"
    sys_version = ""
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Loopback

    def setup(self) -> None:
        """Register the connection, so that it can be ended from outside."""
        super().setup()
        self.server.open[threading.current_thread()] = self.connection

    def finish(self) -> None:
        """Forget the connection."""
        try:
            super().finish()
        finally:
            self.server.open.pop(threading.current_thread(), None)

    def answer(self) -> None:
        """Let the WSGI callable answer one request."""
        try:
            body = self._body()
        except ValueError:
            self.send_error(400, "The length of the body is not clear")
            return
        if body is None:
            self.send_error(413, f"A body may have {LONGEST_BODY:,} bytes")
            return
        chunks = self.server.app(self._environ(body), self._start)
        if self.command != "HEAD":
            sent = sum(map(self.wfile.write, chunks))
            self.close_connection = self.close_connection or sent < self._promised

    def __getattr__(self, name: str) -> Any:
        """Give every HTTP method to the WSGI callable, which knows what to say."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is not a request, in the shape of Zoho's errors, and end the connection."""
        text = message or explain or "The request cannot be read"
        error = {"code": "INVALID_REQUEST", "details": {}, "message": text, "status": "error"}
        body = orjson.dumps(error)
        self.close_connection = True
        self.request_version = self.protocol_version  # HTTP/0.9 would have no status line
        self.send_response(code)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes | None:
        """Read the body, whole or in chunks; None where it is too long, an error where unclear."""
        if "Transfer-Encoding" in self.headers:
            return self._chunked()
        text = self.headers.get("Content-Length") or "0"
        if not (text.isascii() and text.isdecimal()):
            raise ValueError(text)
        return None if int(text[-20:]) > LONGEST_BODY or len(text) > 20 else self._read(int(text))

    def _chunked(self) -> bytes | None:
        """Read a body that comes in chunks, and the lines behind it."""
        if self.headers["Transfer-Encoding"].strip().lower() != "chunked":
            raise ValueError("an encoding other than chunked")
        body = bytearray()
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            if not 0 < size <= LONGEST_BODY - len(body):
                return None
            body += self._read(size)
            self.rfile.readline(3)
        while self.rfile.readline(10_000).strip():
            pass
        return bytes(body)

    def _read(self, size: int) -> bytes:
        """Read so many bytes; fewer are an error, since the rest will not come."""
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionResetError("the client left before its request was complete")
        return body

    def handle_one_request(self) -> None:
        """Answer one request; a reset on purpose closes the socket the hard way."""
        try:
            super().handle_one_request()
        except ConnectionResetError:
            self.close_connection = True
            linger_for_no_time = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Stay silent: a notebook is not the place for an access log."""

    def _environ(self, body: bytes) -> WSGIEnvironment:
        """Describe the request as PEP 3333 has it."""
        path, _, query = self.path.partition("?")
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": _unquoted(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return environ

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Send status line and headers."""
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        self.send_header("Server", self.version_string())
        if not any(name == "Date" for name, _ in headers):  # the org's own time counts
            self.send_header("Date", self.date_time_string())
        self._promised = 0
        for name, value in headers:
            if name == "Content-Length":
                self._promised = int(value)
            self.send_header(name, value)
        self.end_headers()
        return self.wfile.write


def _unquoted(path: str) -> str:
    """Percent-decode a path into the latin-1 form of PEP 3333."""
    return unquote_to_bytes(path).decode("latin-1")
