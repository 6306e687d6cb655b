"""How a feed learns of changes, checked before anything is opened."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.wire.credits import price

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from zcrm_nb.api.listening.push import PushChannel
    from zcrm_nb.wire.webhook_receiver import NotificationInbox

__all__ = [
    "EVERY_S",
    "CountingSend",
    "FeedPlan",
    "checked_moment",
    "checked_pause_s",
    "with_mode",
]

EVERY_S = {"push": 900.0, "poll": 60.0}
"""Seconds between two polls, unless others are chosen."""


class CountingSend:
    """Sends calls, and counts what they cost."""

    def __init__(self, send: Callable[..., bytes]) -> None:
        self._send, self.credits = send, 0
        self.notify: Callable[[str], object] = lambda text: None
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str, **call: Any) -> bytes:
        """Send one call."""
        with self._lock:
            self.credits += price(method, path, params=call.get("params"), json=call.get("json"))
        return self._send(method, path, notify=self.notify, **call)


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """How a feed learns of changes."""

    module: str  # API name
    operations: tuple[str, ...]  # what its table shows: some of ``insert``, ``update``, ``delete``
    every_s: float | None = None  # seconds between polls; ``None`` for what suits the mode
    keep: int = 10_000  # events that its table holds at most
    # from when on changes count; ``None`` for now, or where the last feed left off
    since: datetime | None = None
    resume: bool = True  # whether to go on where the last feed of that name left off
    # opens a channel whose notifications go to an inbox; ``None`` where Zoho cannot reach this
    # kernel
    subscribe: Callable[[NotificationInbox], PushChannel] | None = None
    must_push: bool = False  # whether it is an error when no channel can be opened
    why: str = ""  # why it polls


def with_mode(
    plan: FeedPlan,
    mode: str,
    subscribe: Callable[[NotificationInbox], PushChannel],
    is_reachable: bool,
) -> FeedPlan:
    """Complete a plan by its mode."""
    if mode not in {"auto", "push", "poll"}:
        raise ValueError(f"mode={mode!r} must be 'auto', 'push' or 'poll'.")
    if mode == "poll":
        return replace(plan, why="It polls, as requested.")
    if is_reachable:
        return replace(plan, subscribe=subscribe)
    if mode == "push":
        raise ValueError(
            "Zoho cannot reach this kernel. Give public_url=, the address at which a tunnel or a "
            "hub's proxy leads to port= of this machine, or use mode='poll', which needs none."
        )
    return replace(
        plan, why="It polls: Zoho cannot reach this kernel, unless public_url= is given."
    )


def checked_pause_s(every_s: float | None) -> float | None:
    """Refuse to poll more often than once a second."""
    if every_s is not None and every_s < 1:
        raise ValueError(f"every_s={every_s!r} must be 1 or more: each poll costs credits.")
    return every_s


def checked_moment(since: datetime | None) -> datetime | None:
    """Refuse a moment without a time zone."""
    if since is not None and since.tzinfo is None:
        raise ValueError(
            f"since={since} needs a time zone, such as datetime(2026, 9, 1, tzinfo=UTC)."
        )
    return since
