"""The moments that protect a record from being overwritten."""

from __future__ import annotations

import pytest

from zcrm_nb.api.writing.writes import latest

FIRST, SECOND = "2026-05-10T01:10:47-07:00", "2026-05-10T12:00:00+02:00"


@pytest.mark.parametrize("odd", [None, "", 7, [], {}, "yesterday", "2026-05-10T01:10:47"])
def test_what_is_no_moment_protects_nothing(odd: object) -> None:
    """Null, numbers, lists, words, a moment without a zone: as if it were absent."""
    assert latest(iter([odd])) is None
    assert latest(iter([FIRST, odd, SECOND])) == SECOND


def test_moments_are_compared_across_zones() -> None:
    """By the instant, not by their letters."""
    assert latest(iter(["2026-05-10T09:00:00+09:00", FIRST])) == FIRST
