"""Trouble on request: what a real network and a real Zoho do on their bad days."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request

if TYPE_CHECKING:
    from zcrm_nb.emulator.settings import Settings

Proceed = Callable[[], Answer]

_ERROR_PAGE = (
    b"<html><head><title>Zoho</title></head><body>Sorry, we'll be back soon.</body></html>"
)


@dataclass(slots=True)
class Fault:
    """One trouble that was asked for: which requests it hits, and how often it still will."""

    kind: str
    times: int | None
    after: int
    path: str
    method: str
    seconds: float
    share: float

    def fits(self, path: str, method: str, *, callback: bool) -> bool:
        """Whether it is meant for such a request, or callback."""
        meant = (self.kind in CALLBACKS) == callback
        return meant and self.path in path and self.method in ("", method)


def _too_many(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    settings = faults.settings
    raise Refusal(429, settings.rate_code, settings.rate_message)


def _internal_error(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    raise Refusal(500, "INTERNAL_ERROR", "Internal Server Error")


def _bad_gateway(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    return Answer(502, _ERROR_PAGE, {"Content-Type": "text/html"})


def _unavailable(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    raise Refusal(503, "SERVICE_UNAVAILABLE", "Service unavailable. Please try again later.")


def _html(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    return Answer(200, _ERROR_PAGE, {"Content-Type": "text/html"})


def _slow(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    faults.sleep(fault.seconds)
    return proceed()


def _torn(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    whole = proceed()
    promised = {"Content-Length": str(whole.length)}
    return replace(whole.halved(), headers=whole.headers | promised)


def _truncated(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    return proceed().halved()


def _reset(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    raise ConnectionResetError("connection reset on request, before the call was handled")


def _lost(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    proceed()
    raise ConnectionResetError("connection reset on request, after the call was handled")


def _expire_tokens(faults: Faults, fault: Fault, proceed: Proceed) -> Answer:
    faults.expire_tokens()
    raise Refusal(401, faults.settings.expired_token_code, "invalid oauth token")


KINDS: dict[str, tuple[Callable[[Faults, Fault, Proceed], Answer], str]] = {
    "429": (_too_many, "HTTP 429, as when too many calls are in flight"),
    "500": (_internal_error, "HTTP 500 INTERNAL_ERROR"),
    "502": (_bad_gateway, "HTTP 502 with an HTML page, as a gateway sends it"),
    "503": (_unavailable, "HTTP 503 SERVICE_UNAVAILABLE"),
    "html": (_html, "HTTP 200 with an HTML page where JSON belongs"),
    "slow": (_slow, "the right answer, `seconds` later"),
    "torn": (_torn, "the call is handled, its answer breaks off half-way"),
    "truncated": (_truncated, "the call is handled, half its answer comes as if it were all"),
    "reset": (_reset, "the connection breaks before the call is handled"),
    "lost": (_lost, "the call is handled, the connection breaks before the answer"),
    "expire_tokens": (_expire_tokens, "every access token ends, this call's too (HTTP 401)"),
}
"""What can be asked for: kind → how it is done, what it is."""

CALLBACKS = {
    "lost_callback": "a notification is never sent",
    "doubled_callback": "a notification is sent twice",
    "late_callback": "a notification arrives after the next one of its channel",
}
"""What can happen to callbacks: kind → what it is."""


class Faults:
    """The faults of one emulator.

    Parameters
    ----------
    settings : Settings
        How Zoho words its refusals.
    seed : int
        Decides which requests a fault with a ``share`` hits.
    sleep : callable
        How a slow answer waits; takes seconds.
    expire_tokens : callable
        Ends every access token.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        sleep: Callable[[float], None],
        expire_tokens: Callable[[], None],
    ) -> None:
        self.settings, self.sleep, self.expire_tokens = settings, sleep, expire_tokens
        self._random = Random(f"faults of {seed}")  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(
        self,
        kind: str,
        *,
        times: int | None = 1,
        after: int = 0,
        path: str | None = None,
        method: str = "",
        seconds: float = 0.0,
        share: float = 1.0,
    ) -> None:
        """Ask for trouble.

        Parameters
        ----------
        kind : str
            A key of :data:`KINDS`: ``"429"``, ``"500"``, ``"502"``, ``"503"``, ``"html"``,
            ``"slow"``, ``"torn"``, ``"truncated"``, ``"reset"``, ``"lost"`` or
            ``"expire_tokens"``; or of :data:`CALLBACKS`: ``"lost_callback"``,
            ``"doubled_callback"`` or ``"late_callback"``.
        times : int or None, default 1
            How many requests or callbacks it hits; ``None`` for no end.
        after : int, default 0
            How many matching requests pass unharmed first.
        path : str, optional
            Hits requests whose path contains this text, by default ``"/crm/"``; ``"/oauth/"`` for
            the accounts server. Of callbacks, a text in their address.
        method : str, default ""
            Hits only this HTTP method.
        seconds : float, default 0.0
            How long a ``"slow"`` answer takes.
        share : float, default 1.0
            Which part of them it hits, such as 0.05; the emulator's seed decides which ones.

        Raises
        ------
        ValueError
            If the kind is unknown.

        Notes
        -----
        Over loopback a ``"torn"`` answer announces more bytes than it sends; in the process it is
        cut JSON. ``"reset"`` and ``"lost"`` close the connection; in the process the WSGI callable
        raises ``ConnectionResetError``.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> emulator = Emulator()
        >>> emulator.faults.add("expire_tokens", after=2, path="/Leads")
        >>> emulator.faults.add("lost_callback", share=0.05, times=None)
        >>> emulator.close()
        """
        kinds = (*KINDS, *CALLBACKS)
        if kind not in kinds:
            raise ValueError(f"{kind!r} is not a valid fault; choose from: {', '.join(kinds)}")
        if path is None:
            path = "" if kind in CALLBACKS else "/crm/"
        with self._lock:
            self._waiting.append(Fault(kind, times, after, path, method, seconds, share))

    def clear(self) -> None:
        """Forget all faults that have not happened yet."""
        with self._lock:
            self._waiting.clear()

    def around(self, request: Request, proceed: Proceed) -> Answer:
        """Run a handler under the first fault that is due for this request, if any."""
        fault = self._due(request.path, request.method)
        return KINDS[fault.kind][0](self, fault, proceed) if fault else proceed()

    def of_callback(self, url: str) -> str | None:
        """Take the kind of the first fault that is due for a callback, if any."""
        fault = self._due(url, "POST", callback=True)
        return fault.kind if fault else None

    def _due(self, path: str, method: str, *, callback: bool = False) -> Fault | None:
        """Take the first fault that hits; those not yet due count what passes."""
        with self._lock:
            for fault in self._waiting:
                if not fault.fits(path, method, callback=callback):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.share < 1 and self._random.random() >= fault.share:
                    continue
                self._count(fault)
                return fault
        return None

    def _count(self, fault: Fault) -> None:
        """Count a hit; the last one ends the fault."""
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
