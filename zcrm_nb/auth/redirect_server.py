"""Receives the browser when it comes back from the consent page, on this machine only."""

from __future__ import annotations

import html
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from zcrm_nb.auth.data_centres import is_loopback
from zcrm_nb.auth.flows import carries_state, read_redirect
from zcrm_nb.auth.listener import HttpResponse, Listener
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Catcher"]

LIFE_S = 600.0


_LISTENING: WeakValueDictionary[int, Catcher] = WeakValueDictionary()


class Catcher:
    """Listens on 127.0.0.1 until the browser brings a consent, and then no longer.

    A refusal does not end it: the person may open the link again and accept. One that listens at
    the same port in this process gives way to a newer one.

    Notes
    -----
    The request line holds the code, so nothing is logged. Any program of this machine can knock at
    the port; without the state, which only the person's browser has, it learns and changes nothing.

    Examples
    --------
    >>> from zcrm_nb.auth.redirect_server import Catcher
    >>> catcher = Catcher("https://example.com/callback", "state", print)
    Traceback (most recent call last):
    ...
    zcrm_nb.errors.LoginError: This process cannot listen at https://example.com/callback.
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
        self._listener = self._listening(redirect_uri)
        _LISTENING[self.port] = self
        reaper = threading.Thread(
            target=self._reap, args=(life_s,), name="zcrm_nb login", daemon=True
        )
        self.threads = [self._listener.thread, reaper]
        reaper.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    def close(self) -> None:
        """Stop listening."""
        self._done.set()

    def _reap(self, life_s: float) -> None:
        """Stop when it is done, or when its time is over."""
        self._done.wait(life_s)
        self._listener.close()

    def _give_way(self) -> None:
        """Free the port for a newer one."""
        self._done.set()
        self._listener.close()

    def _listening(self, redirect_uri: str) -> Listener:
        """Open the port."""
        parts = urlsplit(redirect_uri)
        if parts.port and (older := _LISTENING.get(parts.port)) is not None:
            older._give_way()
        if parts.scheme != "http" or not is_loopback(redirect_uri) or parts.port is None:
            raise LoginError(
                f"This process cannot listen at {redirect_uri}.",
                todo="Paste the address that the browser ends at instead.",
            )
        try:
            return Listener(
                lambda _, target, __: self._answer(Secret(target)),
                lambda method, _: None if method == "GET" else HttpResponse(405),
                port=parts.port,
                name="zcrm_nb login",
            )
        except OSError as error:
            raise LoginError(
                f"This process cannot listen at {redirect_uri}: port {parts.port} is in use or not "
                "allowed.",
                f"The system said: {error.strerror}.",
                "Paste the address that the browser ends at, or close the program at that port.",
            ) from None

    def _answer(self, target: Secret) -> HttpResponse:
        """Judge a request; the tab gets its page first."""
        if urlsplit(target.reveal()).path != self._path:
            return _page(404, "There is nothing here.")
        if not carries_state(target, self._state):
            return _page(400, "This answer belongs to another login.")
        try:
            read_redirect(target, self._state)
        except LoginError as error:
            text = f"{error} You can close this tab."
            return _page(200, text, lambda: self._take(target))
        if not self._taken.acquire(blocking=False):
            return _page(200, "This login came back already. You can close this tab.")
        text = "Your consent has arrived. You can close this tab."
        return _page(200, text, lambda: self._finish(target))

    def _finish(self, target: Secret) -> None:
        """Hand over the consent, and stop."""
        self._done.set()
        self._take(target)


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>zcrm_nb</title>
<meta name="color-scheme" content="light dark">
<body style="font:16px system-ui;max-width:32em;margin:20vh auto;padding:0 1em"><p>{}</p></body>
</html>"""


def _page(status: int, text: str, then: Callable[[], object] | None = None) -> HttpResponse:
    """Make a page that passes its address on to no other."""
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return HttpResponse(status, _PAGE.format(html.escape(text)).encode(), headers, then)
