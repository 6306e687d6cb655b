"""How often the state of a job is requested."""

from __future__ import annotations

__all__ = ["poll_s"]


def poll_s(polls: int) -> float:
    """Return the seconds to wait before the next request: two at first, thirty in the end.

    Examples
    --------
    >>> from zcrm_nb.api.polling import poll_s
    >>> [round(poll_s(polls)) for polls in range(9)]
    [2, 3, 4, 7, 10, 15, 23, 30, 30]
    """
    return float(min(30.0, 2.0 * 1.5**polls))
