"""Choices that a seed decides, so that the same calls meet the same trouble again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")


class Chance:
    """Decides what is hit, and remembers what was hit before.

    ``now`` gives the time of the org in epoch seconds.
    """

    def __init__(self, seed: int, now: Callable[[], int]) -> None:
        self.now = now
        self._seed = seed
        self._lock = threading.Lock()
        self._remembered: dict[tuple[object, ...], object] = {}
        self._ordinals: dict[str, dict[str, int]] = {}

    def number(self, *key: object) -> int:
        """Give the number that belongs to a key."""
        return crc32(repr((self._seed, *key)).encode("utf-8", "surrogatepass"))

    def hits(self, one_in: int, *key: object) -> bool:
        """Whether a key is among the chosen ones, one in so many."""
        return self.number(*key) % one_in == 0

    def pick(self, options: Sequence[T], *key: object) -> T:
        """Choose an option for a key."""
        return options[self.number(*key) % len(options)]

    def first_time(self, *key: object) -> bool:
        """Whether a key comes for the first time."""
        with self._lock:
            seen = key in self._remembered
            self._remembered[key] = True
            return not seen

    def remember(self, value: T, *key: object) -> T:
        """Keep the first value of a key, and give it for ever."""
        with self._lock:
            return self._remembered.setdefault(key, value)  # type: ignore[return-value]

    def ordinal(self, kind: str, key: str) -> int:
        """Give a key its number, from 1, in the order in which the keys of a kind come."""
        with self._lock:
            seen = self._ordinals.setdefault(kind, {})
            return seen.setdefault(key, len(seen) + 1)
