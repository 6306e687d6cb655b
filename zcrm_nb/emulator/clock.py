"""The emulator's time: one source of "now" for stamps, token lives and quotas."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Protocol

#: The morning on which every seeded world wakes up.
WORLD_START = datetime.fromisoformat("2026-09-15T09:00:00+05:30")


class Clock(Protocol):
    """Anything that gives the time in epoch seconds (UTC)."""

    def now(self) -> int:
        """Seconds since 1970-01-01T00:00:00Z."""
        ...  # pragma: no cover

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        ...  # pragma: no cover


class ManualClock:
    """A clock that stands still until it is told to move.

    Parameters
    ----------
    start : datetime, default WORLD_START
        The first "now"; must carry a zone.

    Examples
    --------
    >>> clock = ManualClock()
    >>> clock.advance(3600)
    >>> datetime.fromtimestamp(clock.now(), WORLD_START.tzinfo).isoformat()
    '2026-09-15T10:00:00+05:30'
    """

    def __init__(self, start: datetime = WORLD_START) -> None:
        self._now = _epoch(start)

    def now(self) -> int:
        """Seconds since 1970-01-01T00:00:00Z."""
        return int(self._now)

    def advance(self, seconds: float) -> None:
        """Move the time forward; a negative number is refused."""
        self._now += _forward(seconds)


class RunningClock:
    """A clock that starts at a given moment and then keeps pace with real time.

    Parameters
    ----------
    start : datetime, default WORLD_START
        The first "now"; must carry a zone.
    """

    def __init__(self, start: datetime = WORLD_START) -> None:
        self._ahead = _epoch(start) - time.monotonic()

    def now(self) -> int:
        """Seconds since 1970-01-01T00:00:00Z."""
        return int(self._ahead + time.monotonic())

    def advance(self, seconds: float) -> None:
        """Jump forward; a negative number is refused."""
        self._ahead += _forward(seconds)


def _epoch(start: datetime) -> float:
    """Count the epoch seconds of a moment that says in which zone it is meant."""
    if start.tzinfo is None:
        raise ValueError("a clock starts at a datetime with a time zone")
    return start.timestamp()


def _forward(seconds: float) -> float:
    """Let a step pass that does not turn back time."""
    if seconds < 0:
        raise ValueError("time moves forward only")
    return seconds
