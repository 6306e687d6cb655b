"""When a call is sent again, as a generator that touches no socket.

:func:`conversation` yields what to do next and is sent what came of it: :class:`SendStep` gets a
:data:`Reply`; what :class:`Renew` and :class:`Wait` get is ignored. It returns the final reply.
The gate carries the steps out; a test feeds replies by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from zcrm_nb.wire.backoff import delay_s
from zcrm_nb.wire.response import Answer, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from zcrm_nb.wire.response import Reply

__all__ = ["LONGEST_WAIT_S", "MOST_TRIES", "Renew", "SendStep", "Step", "Wait", "conversation"]

MOST_TRIES = 5  # with waits of 1, 2, 4 and 8 seconds between them
LONGEST_WAIT_S = 60.0  # longer waits are the caller's decision


@dataclass(frozen=True)
class SendStep:
    """Send the call with the current token."""


@dataclass(frozen=True)
class Renew:
    """Get a new token: the one just used was refused."""


class Wait(NamedTuple):
    """Wait before the next try."""

    seconds: float
    tries: int
    because: str


Step: TypeAlias = SendStep | Renew | Wait


def conversation(
    *, safe: bool, jitter: Callable[[], float] = random
) -> Generator[Step, Reply | None, Reply]:
    """Decide the steps of one call.

    Examples
    --------
    A token that has run out, and then a good answer:

    >>> from zcrm_nb.wire.response import Answer
    >>> from zcrm_nb.wire.retry_flow import conversation
    >>> steps = conversation(safe=True)
    >>> next(steps)
    SendStep()
    >>> steps.send(Answer(401, {}, b'{"code": "INVALID_TOKEN"}'))
    Renew()
    >>> next(steps)
    SendStep()
    """
    tries, renewed = 1, False
    while True:
        reply = yield SendStep()
        assert reply is not None, "a SendStep is answered by a reply"
        if isinstance(reply, Answer) and reply.is_stale and not renewed:
            renewed = True
            yield Renew()
        elif tries < _most_tries(reply) and _may_be_resent(reply, safe=safe):
            retry_after_s = reply.retry_after_s if isinstance(reply, Answer) else None
            seconds = delay_s(tries, jitter=jitter(), retry_after_s=retry_after_s)
            if seconds > LONGEST_WAIT_S:
                return reply
            reason = reply.summary if isinstance(reply, Answer) else reply.reason
            yield Wait(seconds, tries, reason)
            tries += 1
        else:
            return reply


def _most_tries(reply: Reply) -> int:
    return (reply.most_tries if isinstance(reply, Lost) else None) or MOST_TRIES


def _may_be_resent(reply: Reply, *, safe: bool) -> bool:
    """Whether another try may help and can do no harm."""
    if isinstance(reply, Lost):
        return safe or not reply.sent
    return reply.is_throttled or (safe and reply.status >= 500)
