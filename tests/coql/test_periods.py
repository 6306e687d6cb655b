"""Days and periods: their ends, by the org's calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from zcrm_nb.coql.periods import Calendar, first_moment, last_moment, period, span

INDIA = Calendar(ZoneInfo("Asia/Kolkata"), date(2026, 2, 14), lambda: 4)


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("today", "2026-02-14", "2026-02-14"),
        ("Yesterday", "2026-02-13", "2026-02-13"),
        ("tomorrow", "2026-02-15", "2026-02-15"),
        ("this week", "2026-02-09", "2026-02-15"),
        ("last_week", "2026-02-02", "2026-02-08"),
        ("next week", "2026-02-16", "2026-02-22"),
        ("THIS MONTH", "2026-02-01", "2026-02-28"),
        ("last month", "2026-01-01", "2026-01-31"),
        ("next month", "2026-03-01", "2026-03-31"),
        ("this quarter", "2026-01-01", "2026-03-31"),
        ("previous quarter", "2025-10-01", "2025-12-31"),
        ("this year", "2026-01-01", "2026-12-31"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("this fiscal quarter", "2026-01-01", "2026-03-31"),
        ("next fiscal quarter", "2026-04-01", "2026-06-30"),
        ("this fiscal year", "2025-04-01", "2026-03-31"),
        ("last  fiscal year", "2024-04-01", "2025-03-31"),
        ("last 1 day", "2026-02-14", "2026-02-14"),
        ("last 30 days", "2026-01-16", "2026-02-14"),
        ("next 7 days", "2026-02-14", "2026-02-20"),
    ],
)
def test_a_period_has_a_first_and_a_last_day(words, first, last):
    """Both belong to it."""
    assert [str(day) for day in period(words, INDIA)] == [first, last]


@pytest.mark.parametrize("month", range(1, 13))
def test_fiscal_quarters_and_years_start_in_the_orgs_month(month):
    """Whatever the month and the day, today is inside, and four quarters make the year."""
    for today in (date(2024, 2, 29), date(2026, 1, 1), date(2026, 12, 31)):
        calendar = Calendar(UTC, today, lambda: month)
        year = period("this fiscal year", calendar)
        assert year.first <= today <= year.last
        assert (year.first.month, year.first.day) == (month, 1)
        following = period("next fiscal year", calendar)
        assert year.last + timedelta(days=1) == following.first
        quarter = period("this fiscal quarter", calendar)
        assert year.first <= quarter.first <= today <= quarter.last <= year.last
        assert (quarter.first.month - month) % 3 == 0


@pytest.mark.parametrize("words", ["", "now", "this", "last", "this fortnight", "last 0 days"])
def test_other_words_are_not_a_period(words):
    """They are left to the linter."""
    assert period(words, INDIA) is None
    assert span(words, INDIA) is None


def test_a_calendar_month_needs_no_fiscal_year():
    """Reading it costs a credit."""

    def unread() -> int:
        raise AssertionError("read for nothing")

    calendar = INDIA._replace(fiscal_month=unread)
    assert period("this quarter", calendar)
    assert span("2026-02-30", calendar) is None


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("Asia/Kolkata", "2026-03-04", "2026-03-04T00:00:00+05:30"),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T01:00:00-02:00"),  # no midnight
        ("Asia/Beirut", "2022-03-27", "2022-03-27T01:00:00+03:00"),
        ("America/Havana", "2026-11-01", "2026-11-01T00:00:00-04:00"),  # midnight twice
        ("America/Toronto", "1919-03-31", "1919-03-31T00:30:00-04:00"),  # from 23:30 on the 30th
    ],
)
def test_a_day_starts_with_its_first_moment(zone, day, first):
    """Where clocks are put forward at midnight, that is not midnight."""
    moment = first_moment(date.fromisoformat(day), ZoneInfo(zone))
    assert moment.isoformat() == first


@pytest.mark.parametrize("zone", ["Asia/Beirut", "America/Havana", "Africa/Cairo", "Asia/Kolkata"])
def test_the_days_of_a_year_leave_no_gap(zone):
    """Each day ends a second before the next one starts."""
    zone_info, day = ZoneInfo(zone), date(2026, 1, 1)
    while day.year == 2026:
        end = last_moment(day, zone_info)
        day += timedelta(days=1)
        start = first_moment(day, zone_info)
        assert start.astimezone(UTC) - end.astimezone(UTC) == timedelta(seconds=1)
        assert start.astimezone(UTC) == datetime.fromisoformat(start.isoformat())
