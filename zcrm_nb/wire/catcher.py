"""Catches the browser on its way back from the consent page: one answer, on this machine only."""

from __future__ import annotations

import html
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from zcrm_nb.errors import LoginError
from zcrm_nb.wire.centres import is_loopback
from zcrm_nb.wire.flows import carries_state, read_redirect
from zcrm_nb.wire.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Catcher"]

LIFE_S = 600.0


class Catcher:
    """Listens on 127.0.0.1 until the browser comes back, and then no longer.

    Parameters
    ----------
    redirect_uri : str
        As registered for the client: ``http``, this machine, and a port.
    state : str
        As it was sent; whoever knocks without it is turned away, and the listening goes on.
    take : callable
        Called once, from a thread of its own, with what the browser brought: a ``Secret`` for
        :meth:`zcrm_nb.wire.flows.Consent.finish`.
    life_s : float, default 600
        How long to listen, in seconds.

    Attributes
    ----------
    threads : list of threading.Thread
        What listens; they end with it.

    Raises
    ------
    LoginError
        It cannot listen there: the port is taken, or the address is not one of this machine.

    Notes
    -----
    The request line holds the code, so nothing is logged. Any program of this machine can knock at
    the port; without the state, which only the person's browser has, it learns and changes nothing.

    Examples
    --------
    >>> from zcrm_nb.wire.catcher import Catcher
    >>> catcher = Catcher("https://example.com/callback", "state", print)
    Traceback (most recent call last):
    ...
    zcrm_nb.errors.LoginError: Nobody can listen at https://example.com/callback from here.
    Paste the address that the browser ends at instead.
    """

    def __init__(
        self,
        redirect_uri: str,
        state: str,
        take: Callable[[Secret], object],
        *,
        life_s: float = LIFE_S,
    ) -> None:
        self._path, self._state, self._take = urlsplit(redirect_uri).path or "/", state, take
        self._done = threading.Event()
        self._taken = threading.Lock()
        self._http = _listening(redirect_uri, self._answer)
        self.threads = [
            threading.Thread(target=target, name="zcrm_nb login", daemon=True)
            for target in (lambda: self._http.serve_forever(0.05), lambda: self._reap(life_s))
        ]
        for thread in self.threads:
            thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._http.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._done.set()

    def _reap(self, life_s: float) -> None:
        """Stop when it is done, or when nobody came."""
        self._done.wait(life_s)
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, target: Secret) -> tuple[int, str, Callable[[], object] | None]:
        """Judge a request: status, sentence for the tab, and what to do once it was answered."""
        if urlsplit(target.reveal()).path != self._path:
            return 404, "There is nothing here.", None
        if not carries_state(target, self._state):
            return 400, "This answer belongs to another login.", None
        if not self._taken.acquire(blocking=False):
            return 200, "This login came back already. You can close this tab.", None
        try:
            read_redirect(target, self._state)
            said = "Your consent has arrived."
        except LoginError as error:
            said = error.happened
        return 200, f"{said} You can close this tab.", lambda: self._finish(target)

    def _finish(self, target: Secret) -> None:
        """Hand over what came, and stop."""
        self._done.set()
        self._take(target)


def _listening(
    redirect_uri: str, answer: Callable[[Secret], tuple[int, str, Callable[[], object] | None]]
) -> ThreadingHTTPServer:
    """Open the port."""
    parts = urlsplit(redirect_uri)
    if parts.scheme != "http" or not is_loopback(redirect_uri) or parts.port is None:
        raise LoginError(
            f"Nobody can listen at {redirect_uri} from here.",
            todo="Paste the address that the browser ends at instead.",
        )

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep silent: the request line holds the code."""

        def do_GET(self) -> None:
            """Answer the browser first, so that the tab is done whatever follows."""
            status, said, then = answer(Secret(self.path))
            _write(self, status, said)
            if then is not None:
                then()

    try:
        server = ThreadingHTTPServer(("127.0.0.1", parts.port), Handler)
    except OSError as error:
        raise LoginError(
            f"Nobody can listen at {redirect_uri}: port {parts.port} is taken or not allowed.",
            f"The system said: {error.strerror}.",
            "Paste the address that the browser ends at, or close the program at that port.",
        ) from None
    server.daemon_threads = True
    return server


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>zcrm_nb</title>
<meta name="color-scheme" content="light dark">
<body style="font:16px system-ui;max-width:32em;margin:20vh auto;padding:0 1em"><p>{}</p></body>
</html>"""


def _write(handler: BaseHTTPRequestHandler, status: int, said: str) -> None:
    """Write a page that no cache keeps and that passes its address on to nobody."""
    body = _PAGE.format(html.escape(said)).encode()
    handler.send_response(status)
    for name, value in {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Connection": "close",
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()
