"""What calls cost: credits of the rolling day, and how many calls may be in flight at once."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator.clock import Clock
    from zcrm_nb.emulator.serving.http import Request
    from zcrm_nb.emulator.settings import Settings

DAY_S = 24 * 3600
SHARED_BY_HEAVY_CALLS = 10


class Edition(NamedTuple):
    """What an edition of Zoho CRM may spend."""

    base: int
    each_user: int
    cap: int | None
    concurrency: int

    def allowance(self, users: int) -> int:
        """Credits for 24 hours."""
        credits_ = self.base + self.each_user * users
        return credits_ if self.cap is None else min(credits_, self.cap)


EDITIONS = {
    "free": Edition(5_000, 0, 5_000, 5),
    "standard": Edition(50_000, 250, 100_000, 10),
    "professional": Edition(50_000, 500, 3_000_000, 15),
    "enterprise": Edition(50_000, 1_000, 5_000_000, 20),
    "ultimate": Edition(50_000, 2_000, None, 25),
}


@dataclass(frozen=True, slots=True)
class Price:
    """What one kind of call costs.

    ``credits`` counts the credits of a request; ``heavy`` says whether it is one of the calls that
    share ten places, whatever the edition; ``places`` is how many of an edition's places it takes.
    """

    credits: Callable[[Request], int]
    heavy: Callable[[Request], bool]
    places: int = 1


def _records_sent(request: Request) -> int:
    """Count the records that a write carries."""
    sent = _body(request).get("data")
    return len(sent) if isinstance(sent, list) else 1


def _ids_sent(request: Request) -> int:
    """Count the ids that a mass delete carries."""
    sent = _body(request).get("ids")
    return len(sent) if isinstance(sent, list) else 1


def _ids_to_tag(request: Request) -> int:
    """Count the records to be tagged; Zoho's samples send them as text that holds a list."""
    sent = _body(request).get("ids")
    return len(sent) if isinstance(sent, list) else str(sent or "").count(",") + 1


def _query_limit(request: Request) -> int:
    """Find the LIMIT that a COQL query ends with; 200 when it names none."""
    query = str(_body(request).get("select_query", ""))
    match = re.search(r"\blimit\s+(\d+)(?:\s*,\s*(\d+))?(?:\s+offset\s+\d+)?\s*$", query, re.I)
    return int(match[2] or match[1]) if match else 200


def _query_credits(request: Request) -> int:
    """Charge 1, 2 or 3 credits for up to 200, 1,000 or 2,000 rows."""
    limit = _query_limit(request)
    return 1 if limit <= 200 else 2 if limit <= 1000 else 3


def _body(request: Request) -> dict[str, Any]:
    """Read the JSON object in a body; an unreadable one costs like an empty one."""
    try:
        body = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _flat(credits_: int) -> Price:
    """Make a price that does not depend on the request."""
    return Price(lambda _: credits_, lambda _: False)


PRICES = {
    "call": _flat(1),
    "records": Price(
        lambda request: 3 if "cvid" in request.params else 1,
        lambda request: not {"cvid", "sort_by"}.isdisjoint(request.params),
    ),
    "deleted": _flat(2),
    "count": _flat(50),
    "write": Price(
        lambda request: max(1, -(-_records_sent(request) // 10)),
        lambda request: _records_sent(request) > 10,
    ),
    "mass_delete": Price(lambda request: max(1, -(-_ids_sent(request) // 100)), lambda _: False),
    "convert": Price(lambda _: 5, lambda _: True),
    "tags": Price(lambda request: max(1, -(-_ids_to_tag(request) // 50)), lambda _: False),
    # One credit more for all or none that succeeds; it is charged when that is known.
    "composite": Price(lambda _: 1, lambda _: True, places=5),
    "coql": Price(_query_credits, lambda _: True),
    "bulk read": _flat(50),
    "bulk write": _flat(500),
}
"""Credits for each kind of call, from Zoho's page on API limits; a route names its kind."""


class Meter:
    """Counts credits over 24 rolling hours, and calls in flight."""

    def __init__(self, edition: str, users: int, clock: Clock, settings: Settings) -> None:
        self._edition = EDITIONS[edition]
        self.allowance = self._edition.allowance(users)
        self._clock, self._settings = clock, settings
        self._lock = threading.Lock()
        self._history: deque[tuple[int, int]] = deque()
        self._total = 0
        self._flying: Counter[str] = Counter()
        self._heavy: Counter[str] = Counter()

    @property
    def spent(self) -> int:
        """Credits spent during the last 24 hours."""
        with self._lock:
            return self._settle()

    def spend(self, credits_: int) -> None:
        """Spend credits, or refuse with HTTP 429 when fewer are left."""
        with self._lock:
            if self._settle() + credits_ > self.allowance:
                raise self._too_many()
            self._history.append((self._clock.now(), credits_))
            self._total += credits_

    @contextmanager
    def call(self, kind: str, request: Request) -> Iterator[None]:
        """Take a place for one call while it is in flight, and pay for it."""
        price = PRICES[kind]
        app = request.token.client_id if request.token else ""
        heavy = price.heavy(request)
        self._enter(app, price.places, heavy=heavy)
        try:
            self.spend(price.credits(request))
            yield
        finally:
            self._leave(app, price.places, heavy=heavy)

    def signals(self) -> dict[str, str]:
        """Give the credits left, which Zoho sends only once half of them are gone."""
        spent = self.spent
        if spent * 2 < self.allowance:
            return {}
        return {"X-API-CREDITS-REMAINING": str(self.allowance - spent)}

    def _settle(self) -> int:
        """Give back what was spent more than a day ago; give what was spent since."""
        horizon = self._clock.now() - DAY_S
        while self._history and self._history[0][0] <= horizon:
            self._total -= self._history.popleft()[1]
        return self._total

    def _enter(self, app: str, places: int, *, heavy: bool) -> None:
        """Take some places, or refuse."""
        with self._lock:
            full = self._flying[app] + places > self._edition.concurrency
            if full or (heavy and self._heavy[app] >= SHARED_BY_HEAVY_CALLS):
                raise self._too_many()
            self._flying[app] += places
            self._heavy[app] += heavy

    def _leave(self, app: str, places: int, *, heavy: bool) -> None:
        """Give the places back."""
        with self._lock:
            self._flying[app] -= places
            self._heavy[app] -= heavy

    def _too_many(self) -> Refusal:
        """Make an HTTP 429; its body does not say which limit was met."""
        return Refusal(429, self._settings.rate_code, self._settings.rate_message)
