"""A small HTTP server, hard to break: one thread, one response for each connection.

The standard library's own server gives a thread to each connection, and its time-out begins anew
with each byte: a few hundred clients that send nothing, or one byte in ten seconds, hold as many
threads for as long as they like. Here one event loop serves all, each connection as a whole has a
few seconds, and when there are too many the slowest is closed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HttpResponse", "Listener"]

HEAD_BYTES = 16 << 10  # request line and headers
BACKLOG = 256
LINGER_S, LINGER_BYTES, PIECE_BYTES = 1.0, 1 << 20, 1 << 16
HELD_BYTES = 32 << 20  # of all connections at one time
MOST_TRAILERS = 20
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")
_log = logging.getLogger("zcrm_nb")


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] | None = None

    def wire(self) -> bytes:
        """Write it as it is sent; no cache keeps it."""
        always = {
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "Connection": "close",
        }
        lines = [f"{name}: {value}" for name, value in {**self.headers, **always}.items()]
        first = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"
        return "\r\n".join([first, *lines, "", ""]).encode("latin-1") + self.body


class _RefusedError(Exception):
    """A request that is answered before it is read to its end."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


class Listener:
    """Listens on a port and lets a function respond.

    ``admit`` may refuse a request before its body is read. ``answer`` runs in the thread that
    serves all connections, so it must be quick. Past ``most_open`` connections the oldest is
    closed: an honest client needs a few milliseconds, only a hostile one stays.

    Examples
    --------
    >>> import urllib.request
    >>> from zcrm_nb.auth.listener import HttpResponse, Listener
    >>> listener = Listener(lambda *request: HttpResponse(200, b"hello"), lambda *head: None)
    >>> urllib.request.urlopen(f"http://127.0.0.1:{listener.port}").read()
    b'hello'
    >>> listener.close()
    """

    def __init__(
        self,
        answer: Callable[[str, str, bytes], HttpResponse],
        admit: Callable[[str, str], HttpResponse | None],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        most_bytes: int = 0,
        within_s: float = 10.0,
        most_open: int = 256,
        name: str = "zcrm_nb listener",
    ) -> None:
        self._answer, self._admit = answer, admit
        self._most_bytes, self._within_s, self._most_open = most_bytes, within_s, most_open
        self._most_held = HELD_BYTES
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        # How many bytes of each are held, in the order in which they came.
        self._open: dict[asyncio.Task[None], int] = {}
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Stop listening and close all connections; returns when the port is free."""
        with suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._closing.set)
        if self.thread is not threading.current_thread():
            self.thread.join()

    def _run(self) -> None:
        """Serve until it is closed; the port is always released."""
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._socket.close()
            self._loop.close()

    async def _serve(self) -> None:
        """Accept connections until it is closed.

        With bare sockets: the streams of asyncio leave some open that were accepted just before the
        end.
        """
        closing = asyncio.ensure_future(self._closing.wait())
        while True:
            coming = asyncio.ensure_future(self._loop.sock_accept(self._socket))
            await asyncio.wait({coming, closing}, return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                break
            try:
                self._accept(coming.result()[0])
            except OSError:  # no more files: the slowest has to go
                self._evict()
                await asyncio.sleep(0.05)
        with suppress(NotImplementedError):  # no connection is accepted from now on
            self._loop.remove_reader(self._socket)
        await asyncio.sleep(0)
        if not coming.cancel() and coming.exception() is None:
            coming.result()[0].close()
        await self._cut_all(coming)

    def _accept(self, client: socket.socket) -> None:
        """Serve a client in a new task; its socket is closed with it, however it ends."""
        client.setblocking(False)
        task = self._loop.create_task(self._serve_one(client))
        self._open[task] = 0
        task.add_done_callback(partial(self._disconnect, client))
        if len(self._open) > self._most_open:
            self._evict()

    def _disconnect(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        """Close the socket of a client that was served or cut off."""
        self._open.pop(task, None)
        client.close()

    def _evict(self) -> None:
        """Cut off the client that has been connected longest."""
        oldest = next(iter(self._open), None)
        if oldest is not None:
            del self._open[oldest]
            oldest.cancel()

    def _hold(self, size: int) -> None:
        """Count the bytes held for a client; where it is too much, the oldest are cut off."""
        task = asyncio.current_task()
        if task in self._open:
            self._open[task] += size
        while sum(self._open.values()) > self._most_held and len(self._open) > 1:
            self._evict()

    async def _cut_all(self, *others: asyncio.Future[Any]) -> None:
        """Cut all clients off."""
        talking = asyncio.all_tasks() - {asyncio.current_task()}
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, *others, return_exceptions=True)

    async def _serve_one(self, client: socket.socket) -> None:
        """Read one request, respond, and close."""
        with suppress(TimeoutError, EOFError, OSError):  # gone, or too slow
            async with asyncio.timeout(self._within_s):
                await self._respond(_Line(self._loop, client, self._hold))

    async def _respond(self, line: _Line) -> None:
        """Read a request and respond."""
        try:
            response = self._answered(*await self._read_request(line))
        except _RefusedError as refused:
            response = refused.response
        await line.send(response.wire())
        if response.then is not None:
            threading.Thread(target=response.then, name=self.thread.name, daemon=True).start()
        if response.status >= 400:
            await line.linger()

    def _answered(self, method: str, target: str, body: bytes) -> HttpResponse:
        """Let the function respond; an error in it must not end the listening."""
        try:
            return self._answer(method, target, body)
        except Exception as error:  # logged; the port must stay open
            _log.error("A listener failed to respond: %s", type(error).__name__)
            return HttpResponse(500)

    async def _read_request(self, line: _Line) -> tuple[str, str, bytes]:
        """Read a request: head first, and the body only of one that is admitted."""
        method, target, headers = _read_head(await line.until(b"\r\n\r\n", 431))
        refusal = self._admit(method, target)
        if refusal is not None:
            raise _RefusedError(refusal)
        if "transfer-encoding" in headers:
            return method, target, await self._chunks(line, headers)
        length = self._length(method, headers)
        if length and headers.get("expect", "").lower() == "100-continue":
            await line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return method, target, await line.exactly(length)

    def _length(self, method: str, headers: Mapping[str, str]) -> int:
        """Return the length of the body, if it may be that long."""
        size_text = headers.get("content-length")
        if size_text is None:
            if method in {"POST", "PUT", "PATCH"}:
                raise _RefusedError(HttpResponse(411))
            return 0
        if not (size_text.isascii() and size_text.isdigit()):
            raise _RefusedError(HttpResponse(400))
        if len(size_text) > 12 or int(size_text) > self._most_bytes:
            raise _RefusedError(HttpResponse(413))
        return int(size_text)

    async def _chunks(self, line: _Line, headers: Mapping[str, str]) -> bytes:
        """Read a body that comes in chunks; one that also has a length is an attack.

        What is between the chunks counts too: chunks of one byte would be ten times the body.
        """
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise _RefusedError(HttpResponse(400))
        body, between = bytearray(), 0
        while True:
            head = await line.until(b"\r\n", 400)
            size, between = _size(head), between + len(head) + 2
            if size == 0:
                await self._trailer(line)
                return bytes(body)
            if len(body) + size > self._most_bytes or between > self._most_bytes + HEAD_BYTES:
                raise _RefusedError(HttpResponse(413))
            chunk = await line.exactly(size + 2)
            if not chunk.endswith(b"\r\n"):
                raise _RefusedError(HttpResponse(400))
            body += chunk[:-2]

    async def _trailer(self, line: _Line) -> None:
        """Read what may follow the last chunk, up to an empty line."""
        for _ in range(MOST_TRAILERS):
            if await line.until(b"\r\n", 400) == b"\r\n":
                return
        raise _RefusedError(HttpResponse(400))


class _Line:
    """A connection, read as far as it is needed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: socket.socket,
        hold: Callable[[int], object],
    ) -> None:
        self._loop, self._client, self._hold = loop, client, hold
        self._buffer = bytearray()

    async def until(self, mark: bytes, status: int) -> bytes:
        """Read up to a mark; refuse a client that sends too much before it."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > HEAD_BYTES:
                raise _RefusedError(HttpResponse(status))
            searched = max(0, len(self._buffer) - len(mark) + 1)
            await self._more()
        return self._take(at + len(mark))

    async def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        while len(self._buffer) < size:
            await self._more()
        return self._take(size)

    async def send(self, text: bytes) -> None:
        """Send bytes."""
        await self._loop.sock_sendall(self._client, text)

    async def linger(self) -> None:
        """Read on for a moment after a refusal.

        Closing while the client still sends resets the connection: it would never read why.
        """
        with suppress(TimeoutError, EOFError, OSError):
            self._client.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(LINGER_S):
                for _ in range(LINGER_BYTES // PIECE_BYTES):
                    await self._piece()

    async def _more(self) -> None:
        """Wait for the next piece, and keep it."""
        piece = await self._piece()
        self._buffer += piece
        self._hold(len(piece))

    async def _piece(self) -> bytes:
        """Wait for the next piece; ``EOFError`` at the end.

        A client that sends faster than it is read would never have to be waited for: others, and
        its own time-out, get their turn between pieces.
        """
        await asyncio.sleep(0)
        piece = await self._loop.sock_recv(self._client, PIECE_BYTES)
        if not piece:
            raise EOFError
        return piece

    def _take(self, size: int) -> bytes:
        """Take what was read."""
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _size(head: bytes) -> int:
    """Read the size of a chunk: hexadecimal digits; what follows a semicolon is ignored."""
    size_text = head.partition(b";")[0].strip()
    if not _HEX.fullmatch(size_text):
        raise _RefusedError(HttpResponse(400))
    return int(size_text, 16)


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Take request line and headers apart."""
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise _RefusedError(HttpResponse(400))
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name.lower() in {"content-length", "transfer-encoding"} & headers.keys():
            raise _RefusedError(HttpResponse(400))
        headers[name.lower()] = value.strip()
    return parts[0], _checked_target(parts[1]), headers


def _checked_target(target: str) -> str:
    """Let a path pass, also as the whole address that proxies send."""
    if target.startswith("//"):  # which urlsplit would take for a host
        target = "/" + target.lstrip("/")
    try:
        urlsplit(target)
    except ValueError:  # a bracket in the place of a host
        raise _RefusedError(HttpResponse(400)) from None
    return target
