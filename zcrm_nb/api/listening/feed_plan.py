"""How a feed is to listen, checked before anything is opened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.api.listening.subscription import Subscription
from zcrm_nb.wire.credits import price
from zcrm_nb.wire.webhook_receiver import Door

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "EVERY_S",
    "Counting",
    "FeedPlan",
    "Opened",
    "checked_moment",
    "checked_pause_s",
    "reachable",
]

Opened: TypeAlias = tuple[Subscription, Callable[[], None]]
"""A channel that leads to a door, and what closes the way to it."""

EVERY_S = {"push": 900.0, "poll": 60.0}
"""Seconds between two looks, unless others are asked for."""


class Counting:
    """Sends calls, counts what they cost, and remembers what the gate said of waiting.

    Parameters
    ----------
    send : callable
        What really sends: :meth:`zcrm_nb.wire.gate.Gate.send`.

    Attributes
    ----------
    credits : int
        Spent so far.
    tell : callable
        Called with a sentence before each wait; by default it is dropped.
    """

    def __init__(self, send: Callable[..., bytes]) -> None:
        self._send, self.credits = send, 0
        self.tell: Callable[[str], object] = lambda words: None
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str, **call: Any) -> bytes:
        """Send one call."""
        with self._lock:
            self.credits += price(method, path, params=call.get("params"), json=call.get("json"))
        return self._send(method, path, notify=self.tell, **call)


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """How a feed is to listen.

    Parameters
    ----------
    module : str
        API name.
    operations : tuple of str
        What its table shows: some of ``insert``, ``update``, ``delete``.
    every_s : float or None
        Seconds between looks; ``None`` for what suits the mode.
    keep : int
        Events that its table holds at most.
    since : datetime or None
        From when on changes count; ``None`` for now, or where the last feed left off.
    resume : bool
        Whether to go on where the last feed of that name left off.
    subscribe : callable or None
        Opens a channel that leads to a door: gives the subscription and what closes the way to it.
        ``None`` where nobody can reach this kernel.
    must_push : bool
        Whether it is an error when no channel can be opened.
    why : str
        Why it polls, in words.
    """

    module: str
    operations: tuple[str, ...]
    every_s: float | None = None
    keep: int = 10_000
    since: datetime | None = None
    resume: bool = True
    subscribe: Callable[[Door], Opened] | None = None
    must_push: bool = False
    why: str = ""


def reachable(
    plan: FeedPlan, mode: str, subscribe: Callable[[Door], Opened], is_reached: bool
) -> FeedPlan:
    """Complete a plan by how it gets to know of changes."""
    if mode not in {"auto", "push", "poll"}:
        raise ValueError(f"mode={mode!r} is none of 'auto', 'push' and 'poll'.")
    if mode == "poll":
        return replace(plan, why="It looks by itself, as asked.")
    if is_reached:
        return replace(plan, subscribe=subscribe)
    if mode == "push":
        raise ValueError(
            "Zoho cannot reach this kernel: give public_url=, the address at which a tunnel or a "
            "hub's proxy leads to port= of this machine; or mode='poll', which needs none."
        )
    return replace(
        plan, why="It looks by itself: Zoho cannot reach this kernel, unless public_url= is given."
    )


def checked_pause_s(every_s: float | None) -> float | None:
    """Refuse to look more often than each second."""
    if every_s is not None and every_s < 1:
        raise ValueError(
            f"every_s={every_s!r}: once a second is the most; each look costs credits."
        )
    return every_s


def checked_moment(since: datetime | None) -> datetime | None:
    """Refuse a moment that says nothing of its time zone."""
    if since is not None and since.tzinfo is None:
        raise ValueError(
            f"since={since} needs a time zone, such as datetime(2026, 9, 1, tzinfo=UTC)."
        )
    return since
