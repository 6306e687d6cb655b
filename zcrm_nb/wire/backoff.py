"""How long to wait before the next try: arithmetic only, nothing here waits."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

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


def retry_after_s(header: str | None, *, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header, which Zoho does not document but a proxy may send.

    Examples
    --------
    >>> from zcrm_nb.wire.backoff import retry_after_s
    >>> retry_after_s("12"), retry_after_s("soon")
    (12.0, None)
    """
    text = (header or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        return None
    return max(0.0, (when - (now or datetime.now(UTC))).total_seconds())
