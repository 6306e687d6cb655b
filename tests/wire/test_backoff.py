"""The arithmetic of waiting, tested with numbers."""

from datetime import UTC, datetime

import pytest

from zcrm_nb.wire.backoff import delay_s, retry_after_s


def test_waits_double_up_to_the_cap():
    """1, 2, 4, 8 and no more."""
    assert [delay_s(attempt) for attempt in (1, 2, 3, 4, 9)] == [1, 2, 4, 8, 8]


def test_jitter_adds_at_most_a_quarter():
    """So that a crowd does not come back at once."""
    assert delay_s(3, jitter=0.0) == 4
    assert delay_s(3, jitter=0.5) == 4.5
    assert delay_s(3, jitter=1.0) == 5


def test_a_wait_is_never_shorter_than_the_server_asked():
    """Retry-After is a floor, jitter comes on top."""
    assert delay_s(1, retry_after_s=30) == 30
    assert delay_s(4, retry_after_s=3) == 8
    assert delay_s(1, retry_after_s=30, jitter=1.0) == 30.25


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Tue, 15 Sep 2026 09:00:30 GMT", 30.0),
        ("Tue, 15 Sep 2026 08:00:00 GMT", 0.0),
        ("Tue, 15 Sep 2026 09:00:30", None),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header, seconds):
    """Seconds or a date; anything else is no header."""
    now = datetime(2026, 9, 15, 9, 0, 0, tzinfo=UTC)
    assert retry_after_s(header, now=now) == seconds
