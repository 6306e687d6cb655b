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

    Parameters
    ----------
    attempt : int
        How many tries have failed, from 1.
    base_s : float, default 1.0
        Wait after the first, in seconds. It doubles with each try.
    cap_s : float, default 8.0
        Where the doubling ends, in seconds.
    jitter : float, default 0.0
        A number from 0 to 1, drawn by the caller; adds up to a quarter of the wait, so that many
        threads refused at once do not come back at once.
    retry_after_s : float, optional
        What the server asked for, in seconds. The wait is never shorter.

    Returns
    -------
    float
        Seconds.

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

    Parameters
    ----------
    header : str or None
        Seconds, or an HTTP date.
    now : datetime, optional
        Aware; the current time when left out.

    Returns
    -------
    float or None
        Seconds, at least 0; ``None`` when there is no readable header.

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
