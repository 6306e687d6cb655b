"""What calls cost, and the ledger of what was spent.

Zoho counts credits for a whole org over a rolling 24 hours, and sends what is left only in a header
that appears once half of the day's allowance is used. So this is a ledger of our own, corrected by
that header whenever it comes. Kept in a folder, it is one account for all notebooks of a login.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from heapq import merge
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.errors import LimitError
from zcrm_nb.state.credit_log import CreditLog, Entry
from zcrm_nb.state.files import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = [
    "EXPENSIVE_IN_FLIGHT",
    "MOST_IN_FLIGHT",
    "Budget",
    "Hold",
    "Ledger",
    "Return",
    "allowance",
    "credits_text",
    "in_flight",
    "is_expensive",
    "price",
]

DAY_S = 24 * 60 * 60
MINUTE_S = 60

# Calls in flight at one instant, for each org and app; an edition not known yet counts as standard.
_IN_FLIGHT = {"free": 5, "standard": 10, "professional": 15, "enterprise": 20, "ultimate": 25}
_UNKNOWN_IN_FLIGHT = 10
MOST_IN_FLIGHT = max(_IN_FLIGHT.values())
EXPENSIVE_IN_FLIGHT = 10  # the second, lower limit: the same for every edition

# The other names under which these editions are sold.
_SOLD_AS = {
    "starter": "standard",
    "zohoone": "enterprise",
    "crmplus": "ultimate",
}

# Credits of a day: base, for each user, cap.
_ALLOWANCES: dict[str, tuple[int, int, int | None]] = {
    "free": (5_000, 0, 5_000),
    "standard": (50_000, 250, 100_000),
    "professional": (50_000, 500, 3_000_000),
    "enterprise": (50_000, 1_000, 5_000_000),
    "ultimate": (50_000, 2_000, None),
}


def in_flight(edition: str | None) -> int:
    """Return how many calls may be in flight at one instant.

    Examples
    --------
    >>> from zcrm_nb.wire.credits import in_flight
    >>> in_flight("Enterprise"), in_flight(None)
    (20, 10)
    """
    return _IN_FLIGHT.get(_name(edition), _UNKNOWN_IN_FLIGHT)


def allowance(edition: str | None, users: int) -> int | None:
    """Compute the credits of 24 hours, bought add-ons left out.

    Examples
    --------
    >>> from zcrm_nb.wire.credits import allowance
    >>> allowance("enterprise", 12), allowance("standard", 1_000)
    (62000, 100000)
    """
    row = _ALLOWANCES.get(_name(edition))
    if row is None:
        return None
    base, per_user, cap = row
    return base + per_user * users if cap is None else min(cap, base + per_user * users)


def _name(edition: str | None) -> str:
    """Find the edition's name in the tables."""
    letters = re.sub(r"[^a-z]", "", (edition or "").lower())
    return _SOLD_AS.get(letters, letters)


class _CallFacts(NamedTuple):
    """The parts of a call that its price depends on."""

    params: Mapping[str, Any]
    json: Any

    def count(self, key: str) -> int:
        """How many items the list ``key`` of the body has; at least one."""
        items = self.json.get(key) if isinstance(self.json, dict) else None
        return max(1, len(items)) if isinstance(items, list) else 1

    def says(self, key: str) -> bool:
        """Whether ``key`` of the body is true."""
        return isinstance(self.json, dict) and self.json.get(key) is True

    @property
    def coql(self) -> str:
        """The query text, if this is a query."""
        return str(self.json.get("select_query", "")) if isinstance(self.json, dict) else ""


_LIMIT = re.compile(r"\blimit\s+(\d+)(?:\s*,\s*(\d+))?", re.IGNORECASE)


def _by_limit(call: _CallFacts) -> int:
    """Price of a query by its LIMIT: up to 200, up to 1000, up to 2000 rows."""
    clauses = _LIMIT.findall(call.coql)
    first, second = clauses[-1] if clauses else ("200", "")  # "limit 200" or "limit 0, 200"
    rows = int(second or first)
    return 1 + (rows > 200) + (rows > 1000)


def _by_records(call: _CallFacts) -> int:
    """Price of a write: one credit for every ten records begun."""
    return ceil(call.count("data") / 10)


# First match wins. M stands for one segment of the path: a module's API name, or an id.
# A composite request costs one credit more when all of it succeeds or none: the most is counted.
_PRICES: tuple[tuple[str, str, int | Callable[[_CallFacts], int]], ...] = (
    ("POST", "/crm/V/coql", _by_limit),
    ("POST", "/crm/V/__composite_requests", lambda call: 1 + call.says("rollback_on_fail")),
    ("POST", "/crm/bulk/V/read", 50),
    ("POST", "/crm/bulk/V/write", 500),
    ("POST", "/crm/V/settings/fields", lambda call: 10 * call.count("fields")),
    ("POST", "/crm/V/settings/modules", 500),
    ("POST", "/crm/V/M/upsert", _by_records),
    ("POST", "/crm/V/M", _by_records),
    ("PUT", "/crm/V/M", _by_records),
    ("POST", "/crm/V/M/M/actions/convert", 5),
    ("POST", "/crm/V/M/M/actions/send_mail", 20),
    ("POST", "/crm/V/M/actions/mass_delete", lambda call: ceil(call.count("ids") / 100)),
    ("POST", "/crm/V/M/actions/add_tags", lambda call: ceil(call.count("ids") / 50)),
    ("POST", "/crm/V/M/actions/remove_tags", lambda call: ceil(call.count("ids") / 50)),
    ("GET", "/crm/V/users/actions/count", 1),
    ("GET", "/crm/V/M/actions/count", 50),
    ("GET", "/crm/V/M/deleted", 2),
    ("GET", "/crm/V/M", lambda call: 3 if "cvid" in call.params else 1),
)

# Calls that share the lower limit, with what makes them expensive.
_EXPENSIVE: tuple[tuple[str, str, Callable[[_CallFacts], bool]], ...] = (
    ("POST", "/crm/V/coql", lambda _: True),
    ("POST", "/crm/V/__composite_requests", lambda _: True),
    ("POST", "/crm/V/M/upsert", lambda call: call.count("data") > 10),
    ("POST", "/crm/V/M", lambda call: call.count("data") > 10),
    ("PUT", "/crm/V/M", lambda call: call.count("data") > 10),
    ("POST", "/crm/V/M/M/actions/convert", lambda _: True),
    ("POST", "/crm/V/M/M/actions/send_mail", lambda _: True),
    ("GET", "/crm/V/M", lambda call: "cvid" in call.params or "sort_by" in call.params),
)


@cache
def _path_pattern(path: str) -> re.Pattern[str]:
    """Turn a path of the tables into a pattern, when it is first needed."""
    segments = {"V": r"v\d+(?:\.\d+)?", "M": r"[^/]+"}
    return re.compile("/".join(segments.get(part, re.escape(part)) for part in path.split("/")))


def price(
    method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None
) -> int:
    """Return the price of a call, in credits.

    References
    ----------
    Zoho CRM API V8, "API limits"; https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html

    Examples
    --------
    >>> from zcrm_nb.wire.credits import price
    >>> price("POST", "/crm/v8/coql", json={"select_query": "select id from Leads limit 0, 2000"})
    3
    >>> price("POST", "/crm/v8/Leads", json={"data": [{}] * 11})
    2
    """
    call = _CallFacts(params or {}, json)
    for wanted, template, rule in _PRICES:
        if method == wanted and _path_pattern(template).fullmatch(path):
            return rule if isinstance(rule, int) else rule(call)
    return 1


def is_expensive(
    method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None
) -> bool:
    """Whether a call falls under the second limit of 10 in flight."""
    call = _CallFacts(params or {}, json)
    return any(
        method == wanted and _path_pattern(template).fullmatch(path) and rule(call)
        for wanted, template, rule in _EXPENSIVE
    )


@dataclass(slots=True)
class Budget:
    """Credits that a block of code may spend.

    Parameters
    ----------
    limit : int
        Credits.
    spent : int, default 0
        Credits spent so far, calls in flight included.
    """

    limit: int
    spent: int = 0

    @property
    def left(self) -> int:
        """Credits that may still be spent."""
        return self.limit - self.spent


@dataclass(slots=True)
class Hold:
    """Credits set aside for one call in flight."""

    taken: bool = True  # whether Zoho took the call; True as long as that is unknown


class Return(NamedTuple):
    """Credits on their way back: what was spent longest ago leaves the 24 hours first."""

    at: datetime  # when, in UTC
    credits: int  # how many: those that were spent within the same minute


class Ledger(ProcessBound):
    """What was spent in the last 24 hours, and what is left as far as is known.

    Parameters
    ----------
    allowance : int, optional
        Credits of 24 hours, when the edition is known.
    clock : callable, default time.time
        Seconds since 1970, for the rolling window.

    Notes
    -----
    Shared by :meth:`keep`, it counts what every notebook and script of this machine spends with the
    same login, and what they spent before. Other machines and apps stay unknown until Zoho tells
    what remains.

    Examples
    --------
    >>> from zcrm_nb.wire.credits import Ledger
    >>> ledger = Ledger(allowance=5_000)
    >>> with ledger.hold(3):
    ...     pass  # the call is sent here
    >>> ledger
    <Credits: 3 spent in 24 h, 4,997 left; the first 3 come back in 24 h>
    """

    def __init__(
        self, *, allowance: int | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.allowance = allowance
        self._clock = clock
        self._lock = threading.Lock()
        self._own: deque[Entry] = deque()
        self._log: CreditLog | None = None
        self._budgets: tuple[Budget, ...] = ()

    def _after_fork(self) -> None:
        """Count this process's own calls; those of the parent are in its log."""
        self._lock = threading.Lock()
        if self._log is not None:
            self._log = self._log.of_this_process()
            self._own.clear()

    def keep(self, folder: Path | None) -> None:
        """Share the account with all that keep it in the same folder; from now on."""
        with self._lock:
            self._log = None if folder is None else CreditLog(folder)

    @property
    def spent(self) -> int:
        """Credits spent with this login on this machine in the last 24 hours."""
        return sum(entry.credits for entry in self._window())

    @property
    def spent_here(self) -> int:
        """Credits this connection spent in the last 24 hours."""
        horizon = self._clock() - DAY_S
        with self._lock:
            return sum(entry.credits for entry in self._own if entry.at > horizon)

    @property
    def remaining(self) -> int | None:
        """Credits left: as Zoho last said, else the allowance less what is known to be spent.

        Other apps of the org spend too, so before Zoho says anything this is an upper bound;
        ``None`` when the edition is not known either.
        """
        entries = self._window()
        known = [index for index, entry in enumerate(entries) if entry.left is not None]
        start = entries[known[-1]].left if known else self.allowance
        since = entries[known[-1] + 1 :] if known else entries
        return None if start is None else max(start - sum(entry.credits for entry in since), 0)

    @property
    def next_return(self) -> Return | None:
        """When the next credits come back, and how many; ``None`` when none were spent."""
        paid = [entry for entry in self._window() if entry.credits]
        if not paid:
            return None
        first = paid[0].at
        back = sum(entry.credits for entry in paid if entry.at < first + MINUTE_S)
        return Return(datetime.fromtimestamp(first + DAY_S, UTC), back)

    @contextmanager
    def hold(self, amount: int) -> Iterator[Hold]:
        """Set credits aside while a call is in flight, and book them when it is over."""
        with self._lock:
            budgets = self._budgets
            for budget in budgets:
                if amount > budget.left:
                    raise _past(budget, amount)
            for budget in budgets:
                budget.spent += amount
        hold = Hold()
        try:
            yield hold
        finally:
            if hold.taken:
                self._book(Entry(self._clock(), amount))
            else:
                with self._lock:
                    for budget in budgets:
                        budget.spent -= amount

    def reconcile(self, header: str | None) -> None:
        """Take Zoho's own number from ``X-API-CREDITS-REMAINING``, if it came."""
        if header is not None and header.strip().isdecimal():
            self._book(Entry(self._clock(), 0, int(header)))

    @contextmanager
    def budget(self, amount: int) -> Iterator[Budget]:
        """Allow only so many credits while the block lasts, in whatever thread they are spent."""
        budget = Budget(amount)
        with self._lock:
            self._budgets = (*self._budgets, budget)
        try:
            yield budget
        finally:
            with self._lock:
                self._budgets = tuple(each for each in self._budgets if each is not budget)

    def _book(self, entry: Entry) -> None:
        """Write a call down, and drop what is older than the window."""
        with self._lock:
            self._own.append(entry)
            while self._own[0].at <= entry.at - DAY_S:
                self._own.popleft()
            log = self._log
        if log is not None:
            log.write(entry)

    def _window(self) -> list[Entry]:
        """List what is known of the last 24 hours, by time."""
        now = self._clock()
        with self._lock:
            own = [entry for entry in self._own if entry.at > now - DAY_S]
            others = self._log.read(now) if self._log else []
        return list(merge(own, others, key=attrgetter("at")))

    @property
    def summary(self) -> str:
        """What is spent and left, in a line."""
        spent, here, remaining = self.spent, self.spent_here, self.remaining
        left = "daily total unknown" if remaining is None else f"{remaining:,} left"
        whose = f" ({here:,} by this connection)" if here != spent else ""
        return f"Credits: {spent:,} spent in 24 h{whose}, {left}"

    def __repr__(self) -> str:
        return f"<{self.summary}{self._back()}>"

    def _back(self) -> str:
        """Say when the next credits come back."""
        back = self.next_return
        if back is None:
            return ""
        wait_s = max(back.at.timestamp() - self._clock(), 0)
        hours, minutes = round(wait_s / 3600), ceil(wait_s / MINUTE_S)
        wait = f"{hours} h" if wait_s > 5400 else f"{minutes} min"
        return f"; the first {back.credits:,} come back in {wait}"


def _past(budget: Budget, amount: int) -> LimitError:
    """Refuse a call that does not fit."""
    return LimitError(
        f"The next call costs {credits_text(amount)}, "
        f"and {budget.left} of {budget.limit} are left.",
        todo="It was not sent. Read less, or open a larger budget.",
    )


def credits_text(amount: int) -> str:
    """Write a number of credits."""
    return "1 credit" if amount == 1 else f"{amount:,} credits"
