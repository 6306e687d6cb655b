"""Days and periods in an org's own time: what ``'2026-01-01'`` or ``'this month'`` span."""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

__all__ = [
    "Calendar",
    "Span",
    "first_moment",
    "is_day_or_period",
    "last_moment",
    "period",
    "span",
]

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_STEPS = {"this": 0, "current": 0, "last": -1, "previous": -1, "next": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "fiscal quarter": 3, "fiscal year": 12}
_UNIT = re.compile(rf"({'|'.join(_STEPS)}) (week|{'|'.join(_MONTHS)})")
_NUMBER = re.compile(r"(last|next) (\d{1,4}) days?", re.ASCII)
_PLAIN_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST = 3_660  # days, ten years


class Span(NamedTuple):
    """The first and the last day of a period; both belong to it."""

    first: date
    last: date


class Calendar(NamedTuple):
    """An org's time zone, its date today, and the month in which its fiscal year starts."""

    zone: tzinfo
    today: date
    fiscal_month: Callable[[], int]


def is_day_or_period(text: str) -> bool:
    """Check whether a text may be a day or a period, rather than a moment."""
    return bool(_PLAIN_DAY.fullmatch(text.strip())) or text.strip()[:1].isalpha()


def span(text: str, calendar: Calendar) -> Span | None:
    """Return what a day or a period spans; ``None`` for other texts."""
    text = text.strip()
    with suppress(OverflowError, ValueError):  # not on the calendar, or beyond it
        if _PLAIN_DAY.fullmatch(text):
            day = date.fromisoformat(text)
            return Span(day, day)
        return period(text, calendar)
    return None


def period(words: str, calendar: Calendar) -> Span | None:
    """Read a period relative to today; ``None`` for other words.

    Notes
    -----
    ``yesterday``, ``today``, ``tomorrow``; ``this``, ``last`` or ``next`` with ``week``,
    ``month``, ``quarter``, ``year``, ``fiscal quarter`` or ``fiscal year``; ``last 30 days``, which
    end today, and ``next 30 days``, which start today. Weeks start on Monday. Underscores count as
    blanks.

    Examples
    --------
    >>> from datetime import UTC, date
    >>> from zcrm_nb.coql.periods import Calendar, period
    >>> india = Calendar(UTC, date(2026, 2, 14), lambda: 4)
    >>> [str(day) for day in period("this fiscal year", india)]
    ['2025-04-01', '2026-03-31']
    >>> [str(day) for day in period("last 7 days", india)]
    ['2026-02-08', '2026-02-14']
    """
    text, today = " ".join(words.replace("_", " ").lower().split()), calendar.today
    if text in _DAYS:
        day = today + _DAYS[text] * _DAY
        return Span(day, day)
    if match := _NUMBER.fullmatch(text):
        days = (int(match[2]) - 1) * _DAY
        if not 1 <= int(match[2]) <= LONGEST:
            return None
        return Span(today - days, today) if match[1] == "last" else Span(today, today + days)
    if match := _UNIT.fullmatch(text):
        return _unit(match[2], _STEPS[match[1]], calendar)
    return None


def _unit(unit: str, steps: int, calendar: Calendar) -> Span:
    """Find a week, or a number of months that starts in a certain month."""
    today = calendar.today
    if unit == "week":
        monday = today + (7 * steps - today.weekday()) * _DAY
        return Span(monday, monday + 6 * _DAY)
    size = _MONTHS[unit]
    start = calendar.fiscal_month() if unit.startswith("fiscal") else 1
    months = 12 * today.year + today.month - start
    first = (months // size + steps) * size + start - 1
    return Span(_month(first), _month(first + size - 1, last=True))


def _month(number: int, *, last: bool = False) -> date:
    """Return the first or the last day of a month, counted from the year 0."""
    year, month = divmod(number, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1] if last else 1)


def first_moment(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day: not always midnight, where clocks are put forward.

    Examples
    --------
    >>> from datetime import date
    >>> from zoneinfo import ZoneInfo
    >>> from zcrm_nb.coql.periods import first_moment
    >>> first_moment(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")).isoformat()
    '2018-11-04T01:00:00-02:00'
    """
    midnight = datetime.combine(day, time(), zone)
    moment = midnight.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return midnight
    before, after = moment - 2 * _DAY, moment + 2 * _DAY
    while after - before > _SECOND:
        middle = before + (after - before) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after.astimezone(zone)


def last_moment(day: date, zone: tzinfo) -> datetime:
    """Return the last second of a day."""
    following = first_moment(day + _DAY, zone).astimezone(UTC)
    return (following - _SECOND).astimezone(zone)
