"""What was sent: a list of calls, filled while a block lasts."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.state.process import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Call", "Timing", "Tracer"]


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


class Tracer(ProcessBound):
    """Records every call in every open trace, in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[object, tuple[list[Call], bool]] = {}
        self._timings: deque[Timing] = deque(maxlen=200)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def timings(self) -> list[Timing]:
        """How long the last 200 calls took, without those that failed."""
        with self._lock:
            return list(self._timings)

    @contextmanager
    def trace(self, *, show: bool = False) -> Iterator[list[Call]]:
        """Collect calls while the block lasts. Blocks nest: each has its own list."""
        key, calls = object(), list[Call]()
        with self._lock:
            self._open[key] = (calls, show)
        try:
            yield calls
        finally:
            with self._lock:
                del self._open[key]

    def note(self, call: Call) -> None:
        """Write a call into every open trace."""
        with self._lock:
            if call.attempts == 1 and call.status in {200, 204}:
                took_s = call.ms / 1000
                self._timings.append(Timing(call.method, call.path, call.credits, took_s))
            for calls, show in self._open.values():
                calls.append(call)
                if show:
                    sys.stdout.write(f"{call}\n")
