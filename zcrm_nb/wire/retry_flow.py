"""What is said between us and Zoho about one call, as a generator that touches no socket.

:func:`conversation` yields what to do next and is sent what came of it: :class:`SendStep` gets a
:data:`Reply`; what :class:`Renew` and :class:`Wait` get is not looked at. It returns the reply that
stands. The gate does what it is told; a test feeds replies by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from random import random
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from zcrm_nb.wire.backoff import delay_s, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

__all__ = [
    "MOST_TRIES",
    "Answer",
    "Lost",
    "Renew",
    "Reply",
    "SendStep",
    "Step",
    "Wait",
    "conversation",
    "usable",
]

MOST_TRIES = 5  # with waits of 1, 2, 4 and 8 seconds between them
LONGEST_WAIT_S = (
    60.0  # a server that asks for more is not waited for: that is the caller's decision
)

# OAUTH_SCOPE_MISMATCH is a 401 too, but no new token helps: the scope was never granted.
_STALE = {"INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"}
_THROTTLED = {"TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"}  # some APIs say so under HTTP 400


@dataclass(frozen=True)
class Answer:
    """Zoho answered.

    Parameters
    ----------
    status : int
        HTTP status.
    headers : mapping
        Headers, their names in any case.
    body : bytes
        The body, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def said(self) -> Any:
        """The parsed body, or ``None`` when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @cached_property
    def code(self) -> str:
        """Zoho's error code; empty for a success and for an error without one."""
        if self.status < 400 or not isinstance(self.said, dict):
            return ""
        return str(self.said.get("code") or "").upper()

    @property
    def is_stale(self) -> bool:
        """Whether a new token would help."""
        return self.code in _STALE

    @property
    def is_throttled(self) -> bool:
        """Whether Zoho had no time for the call, and did not look at it."""
        return self.status == 429 or self.code in _THROTTLED

    @property
    def words(self) -> str:
        """The answer in a word or two."""
        return f"HTTP {self.status} {self.code}".rstrip()


@dataclass(frozen=True)
class Lost:
    """No usable answer came.

    Parameters
    ----------
    words : str
        What happened.
    sent : bool
        False when the call certainly did not reach Zoho; True when nobody knows.
    status : int, optional
        HTTP status, when there was an answer that could not be read.
    """

    words: str
    sent: bool
    status: int | None = None


Reply: TypeAlias = Answer | Lost


@dataclass(frozen=True)
class SendStep:
    """Send the call with the current token."""


@dataclass(frozen=True)
class Renew:
    """Get a new token: the one just used was refused."""


@dataclass(frozen=True)
class Wait:
    """Wait, and say why.

    Parameters
    ----------
    seconds : float
        How long.
    tries : int
        How many tries have failed.
    because : str
        What went wrong.
    """

    seconds: float
    tries: int
    because: str


Step: TypeAlias = SendStep | Renew | Wait


def conversation(
    *, safe: bool, jitter: Callable[[], float] = random
) -> Generator[Step, Reply | None, Reply]:
    """Hold one call's side of the conversation.

    Examples
    --------
    A token that has run out, and then a good answer:

    >>> from zcrm_nb.wire.retry_flow import Answer, conversation
    >>> talk = conversation(safe=True)
    >>> next(talk)
    SendStep()
    >>> talk.send(Answer(401, {}, b'{"code": "INVALID_TOKEN"}'))
    Renew()
    >>> next(talk)
    SendStep()
    """
    tries, renewed = 1, False
    while True:
        reply = yield SendStep()
        assert reply is not None, "a Send is answered by a reply"
        if isinstance(reply, Answer) and reply.is_stale and not renewed:
            renewed = True
            yield Renew()
        elif tries < MOST_TRIES and _may_be_resent(reply, safe=safe):
            seconds = delay_s(tries, jitter=jitter(), retry_after_s=_asked_to_wait_s(reply))
            if seconds > LONGEST_WAIT_S:
                return reply
            yield Wait(seconds, tries, reply.words)
            tries += 1
        else:
            return reply


def _may_be_resent(reply: Reply, *, safe: bool) -> bool:
    """Whether another try may help and can do no harm."""
    if isinstance(reply, Lost):
        return safe or not reply.sent
    return reply.is_throttled or (safe and reply.status in (502, 503))


def _asked_to_wait_s(reply: Reply) -> float | None:
    """Seconds that the server asked for, if it did."""
    return retry_after_s(reply.headers.get("Retry-After")) if isinstance(reply, Answer) else None


def usable(answer: Answer) -> Reply:
    """Tell an answer of Zoho's from a page, a redirect or a fragment that came in its place."""
    status, kind = answer.status, answer.headers.get("Content-Type", "application/json")
    if status in (204, 304, 429) or status >= 500:
        return answer  # these say what they have to say by their status
    if status >= 300 and status < 400:
        return Lost(f"HTTP {status}, a redirect, which a token does not follow", True, status)
    if status < 300 and answer.headers.get("Content-Disposition"):  # a file, whatever is in it
        return answer if _is_all(answer) else Lost("the file broke off", True, status)
    if "html" in kind:
        return Lost(f"HTTP {status} with an HTML page instead of JSON", True, status)
    if ("json" in kind or status >= 400) and not _is_whole_json(answer.body):
        return Lost(f"HTTP {status} with torn or unreadable JSON", True, status)
    return answer


def _is_all(answer: Answer) -> bool:
    """Whether a file is as long as was announced.

    One that travelled packed is longer now, and one that went to the disk has no body here.
    """
    length = answer.headers.get("Content-Length", "")
    elsewhere = not answer.body or "Content-Encoding" in answer.headers
    return elsewhere or not length.isdecimal() or int(length) == len(answer.body)


# The info object of a page, closed, and then the page itself closed: no row ends like this.
_END_OF_PAGE = re.compile(rb'"more_records"\s*:\s*(?:true|false)[^][{}]*\}\s*\}\s*$')


def _is_whole_json(body: bytes) -> bool:
    """Whether a body is a complete JSON document.

    Pages are the large answers, and tell by their end that they are whole: so they are not parsed
    here, only to be parsed again where their rows are read.
    """
    return bool(_END_OF_PAGE.search(body[-1024:])) or _is_json(body)


def _is_json(body: bytes) -> bool:
    """Parse to find out."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
