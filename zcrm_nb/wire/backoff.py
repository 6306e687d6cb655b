"""How long to wait before the next try: arithmetic only, nothing here waits."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

__all__ = ["delay_s", "retry_after_s"]


def delay_s(
    attempt: int,
    *,
    base_s: float = 1.0,
    cap_s: float = 8.0,
    jitter: float = 0.0,
    retry_after_s: float | None = None,
) -> float:
    """Compute the wait before the next try.

    Examples
    --------
    >>> from zcrm_nb.wire.backoff import delay_s
    >>> [delay_s(attempt) for attempt in range(1, 6)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    >>> delay_s(1, retry_after_s=30), delay_s(2, jitter=1.0)
    (30.0, 2.5)
    """
    doubled_s = min(cap_s, base_s * 2.0 ** (attempt - 1))
    return max(doubled_s, float(retry_after_s or 0)) + doubled_s * jitter / 4


def retry_after_s(
    header: str | None, *, date: str | None = None, now: datetime | None = None
) -> float | None:
    """Read a ``Retry-After`` header, which Zoho does not document but a proxy may send.

    A moment is compared with the ``Date`` of the same answer, because this machine's clock may be
    wrong.

    Examples
    --------
    >>> from zcrm_nb.wire.backoff import retry_after_s
    >>> retry_after_s("12"), retry_after_s("soon")
    (12.0, None)
    """
    with suppress(ValueError):
        seconds = float(header or "")
        return seconds if isfinite(seconds) and seconds >= 0 else None
    moment = _moment(header)
    if moment is None:
        return None
    return max(0.0, (moment - (_moment(date) or now or datetime.now(UTC))).total_seconds())


def _moment(header: str | None) -> datetime | None:
    """Read a date of HTTP's, if it is one."""
    with suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime((header or "").strip())
        return moment if moment.tzinfo is not None else None
    return None
