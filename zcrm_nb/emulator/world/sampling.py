"""Random columns that never disturb each other.

Every column of every module has its own stream, grown from the seed and its name: another
column, another module or another number of its rows changes nothing in it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from zcrm_nb.emulator.clock import WORLD_START
from zcrm_nb.emulator.world.text import DAY_S, IST_S, day_of, iso_date

if TYPE_CHECKING:
    from zcrm_nb.emulator.world.distributions import Values

T = TypeVar("T")

NOW = int(WORLD_START.timestamp())
#: How busy a day is: Monday to Sunday, and January to December (the books close in March).
WEEKDAYS = (1.1, 1.15, 1.1, 1.05, 0.95, 0.4, 0.08)
MONTHS = (1.0, 1.05, 1.35, 0.85, 0.9, 0.95, 1.0, 0.9, 1.1, 1.2, 0.8, 0.95)
#: How busy each hour of the day is, from midnight on.
HOURS = (1, 0, 0, 0, 0, 1, 2, 4, 8, 30, 60, 70, 65, 40, 50, 65, 60, 55, 35, 15, 8, 6, 4, 2)


class Batch:
    """Some consecutive records of a module in the making."""

    def __init__(
        self, seed: int, module: str, created: Sequence[int], first: int, streams: dict[str, Random]
    ) -> None:
        self.seed, self.module, self.created, self.first = seed, module, created, first
        self.n = len(created)
        self._streams = streams

    def stream(self, column: str) -> Random:
        """Find the column's own source of randomness."""
        if column not in self._streams:
            self._streams[column] = source(self.seed, self.module, column)
        return self._streams[column]

    def uniform(self, column: str) -> list[float]:
        """Draw a number from 0 to 1 for each record."""
        draw = self.stream(column).random
        return [draw() for _ in range(self.n)]

    def pick(self, column: str, values: Sequence[T]) -> list[T]:
        """Draw any of the values, all alike."""
        return self.stream(column).choices(values, k=self.n)

    def weighted(self, column: str, weights: Mapping[T, float]) -> list[T]:
        """Draw any of the keys, as often as their weights say."""
        return self.stream(column).choices(list(weights), list(weights.values()), k=self.n)

    def some(self, column: str, values: Iterable[T], share: float) -> list[T | None]:
        """Leave the given values where the dice allow it, nothing elsewhere."""
        return [
            value if die < share else None
            for value, die in zip(values, self.uniform(f"{column}?"), strict=True)
        ]

    def drawn(self, column: str, values: Values) -> list[Any]:
        """Draw from values, by weight where they have some."""
        if isinstance(values, Mapping):
            return self.weighted(column, values)
        return self.pick(column, values)

    def dates(self, days: Iterable[int]) -> list[str]:
        """Write the dates so many days after each record was made."""
        return [iso_date(day_of(at) + n) for at, n in zip(self.created, days, strict=False)]

    def integers(self, column: str, low: int, high: int) -> list[int]:
        """Draw whole numbers from ``low`` to ``high``, both included."""
        span = high - low + 1
        return [low + int(die * span) for die in self.uniform(column)]

    def delays(self, column: str, mean_s: float) -> list[int]:
        """Draw waiting times in seconds: many short, few long."""
        return [int(-math.log(1 - die) * mean_s) for die in self.uniform(column)]

    def sizes(self, column: str, median: float, spread: float) -> list[float]:
        """Draw log-normal numbers, as sums of money and head counts are."""
        gauss, middle = self.stream(column).gauss, math.log(median)
        return [math.exp(gauss(middle, spread)) for _ in range(self.n)]

    def earlier(self, column: str, moments: Sequence[int]) -> list[int | None]:
        """Draw for each record the place of one made before it; ``moments`` ascend."""
        counts = [bisect_left(moments, moment) for moment in self.created]
        return [
            int(die * count) if count else None
            for die, count in zip(self.uniform(column), counts, strict=True)
        ]


def source(seed: int, module: str, column: str) -> Random:
    """Make the source of randomness of one column."""
    return Random(f"{seed}/{module}/{column}")  # noqa: S311 - not for secrets


def moments(seed: int, module: str, n: int, months_back: int) -> list[int]:
    """Draw when ``n`` records were made: in office hours, by season, more every year."""
    random = source(seed, module, "Created_Time")
    days, load = _season(months_back)
    chosen = random.choices(days, cum_weights=load, k=n)
    hours = random.choices(range(24), HOURS, k=n)
    draw = random.random
    return sorted(
        day * DAY_S - IST_S + hour * 3600 + int(draw() * 3600)
        for day, hour in zip(chosen, hours, strict=True)
    )


@cache
def _season(months_back: int) -> tuple[range, list[float]]:
    """Weigh the days of the time of the world, summed up; several modules have the same."""
    last = day_of(NOW) - 1
    days = range(last - months_back * 30, last + 1)
    weights = (_busy(day, position / len(days)) for position, day in enumerate(days))
    return days, list(accumulate(weights))


def _busy(day: int, progress: float) -> float:
    """Weigh one day; the business doubles in the time of the world."""
    month = int(iso_date(day)[5:7])
    return WEEKDAYS[(day + 3) % 7] * MONTHS[month - 1] * (1 + progress)
