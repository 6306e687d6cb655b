"""Trouble on request: what a real network and a real Zoho do on their bad days."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zcrm_nb.emulator.messages import Answer, Request
from zcrm_nb.emulator.refusals import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator import Emulator

Proceed = Callable[[], Answer]

_ERROR_PAGE = (
    b"<html><head><title>Zoho</title></head><body>Sorry, we'll be back soon.</body></html>"
)


@dataclass(slots=True)
class Fault:
    """One trouble that was asked for: which requests it hits, and how often it still will."""

    kind: str
    times: int
    after: int
    path: str
    method: str
    seconds: float


def _too_many(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    raise Refusal(429, org.settings.rate_code, org.settings.rate_message)


def _internal_error(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    raise Refusal(500, "INTERNAL_ERROR", "Internal Server Error")


def _bad_gateway(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    return Answer(502, _ERROR_PAGE, {"Content-Type": "text/html"})


def _unavailable(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    raise Refusal(503, "SERVICE_UNAVAILABLE", "Service unavailable. Please try again later.")


def _html(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    return Answer(200, _ERROR_PAGE, {"Content-Type": "text/html"})


def _slow(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    org.sleep(fault.seconds)
    return proceed()


def _torn(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    whole = proceed()
    promised = {"Content-Length": str(len(whole.body))}
    return replace(whole, body=whole.body[: len(whole.body) // 2], headers=whole.headers | promised)


def _reset(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    raise ConnectionResetError("connection reset on request, before the call was handled")


def _lost(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    proceed()
    raise ConnectionResetError("connection reset on request, after the call was handled")


def _expire_tokens(org: Emulator, fault: Fault, proceed: Proceed) -> Answer:
    org.accounts.expire_access_tokens()
    raise Refusal(401, org.settings.expired_token_code, "invalid oauth token")


KINDS: dict[str, tuple[Callable[[Emulator, Fault, Proceed], Answer], str]] = {
    "429": (_too_many, "HTTP 429, as when too many calls are in flight"),
    "500": (_internal_error, "HTTP 500 INTERNAL_ERROR"),
    "502": (_bad_gateway, "HTTP 502 with an HTML page, as a gateway sends it"),
    "503": (_unavailable, "HTTP 503 SERVICE_UNAVAILABLE"),
    "html": (_html, "HTTP 200 with an HTML page where JSON belongs"),
    "slow": (_slow, "the right answer, `seconds` later"),
    "torn": (_torn, "the call is handled, its answer breaks off half-way"),
    "reset": (_reset, "the connection breaks before the call is handled"),
    "lost": (_lost, "the call is handled, the connection breaks before the answer"),
    "expire_tokens": (_expire_tokens, "every access token ends, this call's too (HTTP 401)"),
}
"""What can be asked for: kind → how it is done, what it is."""


class Faults:
    """The faults of one emulator.

    Parameters
    ----------
    org : Emulator
        The emulator they happen to.
    """

    def __init__(self, org: Emulator) -> None:
        self._org = org
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def add(
        self,
        kind: str,
        *,
        times: int = 1,
        after: int = 0,
        path: str = "/crm/",
        method: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Ask for trouble.

        Parameters
        ----------
        kind : str
            A key of :data:`KINDS`: ``"429"``, ``"500"``, ``"502"``, ``"503"``, ``"html"``,
            ``"slow"``, ``"torn"``, ``"reset"``, ``"lost"`` or ``"expire_tokens"``.
        times : int, default 1
            How many requests it hits.
        after : int, default 0
            How many matching requests pass unharmed first.
        path : str, default "/crm/"
            Hits requests whose path contains this text; ``"/oauth/"`` for the accounts server.
        method : str, default ""
            Hits only this HTTP method.
        seconds : float, default 0.0
            How long a ``"slow"`` answer takes.

        Raises
        ------
        ValueError
            If there is no such kind.

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
        >>> emulator.close()
        """
        if kind not in KINDS:
            raise ValueError(f"no fault called {kind!r}; there are: {', '.join(KINDS)}")
        with self._lock:
            self._waiting.append(Fault(kind, times, after, path, method, seconds))

    def clear(self) -> None:
        """Forget all faults that have not happened yet."""
        with self._lock:
            self._waiting.clear()

    def around(self, request: Request, proceed: Proceed) -> Answer:
        """Run a handler under the first fault that is due for this request, if any."""
        fault = self._due(request)
        return KINDS[fault.kind][0](self._org, fault, proceed) if fault else proceed()

    def _due(self, request: Request) -> Fault | None:
        """Take the first fault that hits this request; those not yet due count it."""
        with self._lock:
            for fault in self._waiting:
                if fault.path not in request.path or fault.method not in ("", request.method):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                return fault
        return None
