"""Cutting a module into ranges of about the same size, for jobs side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.query import count
from zcrm_nb.frames import records_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

__all__ = ["both", "ranges"]

BY = "Created_Time"  # documented with >= and <; whether a record's id may stand there is not
CLOSE_ENOUGH = 0.05  # of a range's share, by which it may be too large or too small
MOST_COUNTS = 12  # for one boundary; each costs a credit


def ranges(
    send: Send, catalogue: Catalogue, module: str, jobs: int
) -> Sequence[Mapping[str, Any] | None]:
    """Cut a module by the time its records were made.

    Notes
    -----
    Boundaries are found by halving and counting: up to 12 credits each. Counted is the module, not
    what a condition leaves of it, so ranges of an export with a condition may differ in size.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be 1 or more, not {jobs}.")
    if jobs == 1:
        return [None]
    if BY not in catalogue.fields(module):
        raise ValueError(f"{module} has no {BY} to cut it by: leave jobs=1.")
    cuts = _cuts(send, module, jobs)
    starts, ends = [None, *cuts], [*cuts, None]
    return [_between(start, end) for start, end in zip(starts, ends, strict=True)]


def both(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Join two criteria, of which either may be none.

    Examples
    --------
    >>> from zcrm_nb.api.exporting.ranges import both
    >>> both({"field": 1}, {"group_operator": "and", "group": [{"field": 2}]})
    {'group_operator': 'and', 'group': [{'field': 1}, {'field': 2}]}
    """
    if not one or not other:
        return dict(one or other or {}) or None
    members: list[Any] = []
    for each in (one, other):
        joined = str(each.get("group_operator", "")).lower() == "and"
        members += each["group"] if joined else [each]
    return {"group_operator": "and", "group": members}


def _cuts(send: Send, module: str, jobs: int) -> list[str]:
    """Find the moments between the ranges."""
    first, last = _ends(send, module)
    if first is None or last is None:
        return []
    total = count(send, coql.parse(f"select id from {module} where id is not null"))  # noqa: S608
    found: list[datetime] = []
    for number in range(1, jobs):
        start = found[-1] if found else first
        cut = _cut(send, module, (start, last), total * number / jobs, total / jobs)
        if start < cut <= last:
            found.append(cut)
    return [each.isoformat(timespec="seconds") for each in found]


def _cut(
    send: Send, module: str, span: tuple[datetime, datetime], wanted: float, share: float
) -> datetime:
    """Halve a span of time until about so many records are older."""
    low, high = span
    middle = high
    for _ in range(MOST_COUNTS):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        older = count(send, coql.parse(_older(module, middle)))
        if abs(older - wanted) <= share * CLOSE_ENOUGH or high - low <= timedelta(seconds=1):
            break
        low, high = (middle, high) if older < wanted else (low, middle)
    return middle


def _older(module: str, moment: datetime) -> str:
    """Ask for what was made before a moment."""
    return f"select id from {module} where {BY} < '{moment.isoformat(timespec='seconds')}'"  # noqa: S608


def _ends(send: Send, module: str) -> tuple[datetime | None, datetime | None]:
    """Ask for the first and the last moment at which a record was made; 1 credit."""
    text = f"select MIN({BY}) as first, MAX({BY}) as last from {module} where id is not null"  # noqa: S608
    rows = records_of(send("POST", f"{V8}coql", json={"select_query": text}, safe=True))
    row = rows[0] if rows else {}
    return _moment(row.get("first")), _moment(row.get("last"))


def _moment(text: str | None) -> datetime | None:
    """Read a moment, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _between(start: str | None, end: str | None) -> dict[str, Any] | None:
    """Write a range, its start in it and its end not."""
    leaves = [
        {"field": {"api_name": BY}, "comparator": word, "value": value}
        for word, value in (("greater_equal", start), ("less_than", end))
        if value
    ]
    if len(leaves) == 2:
        return {"group_operator": "and", "group": leaves}
    return leaves[0] if leaves else None
