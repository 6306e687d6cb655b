"""The emulator's time."""

from __future__ import annotations

from datetime import datetime

import pytest

from zcrm_nb.emulator.clock import WORLD_START, ManualClock, RunningClock

START = int(WORLD_START.timestamp())


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    """Two looks give the same second; a step moves it by exactly that."""
    clock = ManualClock()
    assert (clock.now(), clock.now()) == (START, START)
    clock.advance(90)
    assert clock.now() == START + 90


def test_a_running_clock_starts_at_the_given_moment_and_can_jump() -> None:
    """Its now is the start (give or take the time of the test), and a day later after a jump."""
    clock = RunningClock()
    assert START <= clock.now() < START + 60
    clock.advance(86_400)
    assert START + 86_400 <= clock.now() < START + 86_460


@pytest.mark.parametrize("kind", [ManualClock, RunningClock])
def test_time_moves_forward_only_and_knows_its_zone(
    kind: type[ManualClock] | type[RunningClock],
) -> None:
    """A step back and a start without a zone are refused."""
    with pytest.raises(ValueError, match="forward"):
        kind().advance(-1)
    with pytest.raises(ValueError, match="time zone"):
        kind(datetime(2026, 9, 15))  # noqa: DTZ001 - that is the mistake
