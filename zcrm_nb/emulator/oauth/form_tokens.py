"""Tokens of the forms on the emulator's pages: only a client that has seen one can answer it."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from zcrm_nb.emulator.clock import Clock

T = TypeVar("T")
LIFE_S = 600


class FormTokens(Generic[T]):
    """Issues tokens, each valid for one answer.

    What a form asks for stays here; the form carries the ticket alone. So another website cannot
    say yes in a person's name, since it cannot read the ticket, and a request cannot be changed
    between the question and the answer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, tuple[int, T]] = {}

    def issue(self, content: T) -> str:
        """Write a token; unlike the tokens of a seeded org it cannot be foretold."""
        now, ticket = self._clock.now(), secrets.token_urlsafe(24)
        with self._lock:
            self._open = {name: held for name, held in self._open.items() if held[0] > now}
            self._open[ticket] = (now + LIFE_S, content)
        return ticket

    def take(self, ticket: str) -> T | None:
        """Give the request of a token, once and in time."""
        with self._lock:
            expires, content = self._open.pop(ticket, (0, None))
        return content if expires > self._clock.now() else None
