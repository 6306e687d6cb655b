"""Values as the cells of a CSV file for a bulk write, and what Zoho's file says became of each."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.frames.records import ABSENT
from zcrm_nb.frames.zip_member import Member, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

__all__ = [
    "NOT_IN_CELLS",
    "SHOWN",
    "Told",
    "joined",
    "packed",
    "read_result",
    "telling",
    "texts",
    "told_of",
    "unsaid",
]

SHOWN = 3  # columns of the result: the first that are mapped
LAST = ("STATUS", "RECORD_ID", "ERRORS")
NOT_IN_CELLS = frozenset({"object"})
"""Kinds of columns that no cell holds: subforms, files, lookups to many and the like."""

_JOINTS = {"multipicklist": ";", "tags": ","}


class Told(NamedTuple):
    """What a result says of one row; ``cells`` are its first columns, as they were sent."""

    cells: tuple[str, ...]
    status: str
    record_id: str
    errors: str


def texts(values: Sequence[Any], kind: str) -> list[str]:
    """Write JSON values as cells; nothing is an empty one.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import texts
    >>> texts([["Hindi", "Tamil"], None], "multipicklist"), texts([True, None], "boolean")
    (['Hindi;Tamil', ''], ['true', ''])
    """
    write = _WRITERS.get(kind, str)
    return ["" if value is None or value is ABSENT else write(value) for value in values]


_WRITERS: dict[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "multipicklist": ";".join,
    "tags": lambda value: ",".join(each["name"] for each in value),
    **dict.fromkeys(("lookup", "user"), lambda value: str(value["id"])),
}


def unsaid(values: Sequence[Any], kind: str) -> Iterator[tuple[int, str]]:
    """Find values that a cell would not hold as they are: a part that holds what joins parts.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import unsaid
    >>> list(unsaid([["a;b"], ["c"]], "multipicklist"))
    [(0, "'a;b' holds the ';' that a bulk write takes for the end of a value")]
    """
    joint = _JOINTS.get(kind)
    for row, value in enumerate(values if joint else ()):
        parts = [each["name"] if kind == "tags" else each for each in value or ()]
        wrong = next((part for part in parts if joint in part), None)
        if wrong is not None:
            yield (
                row,
                f"{wrong!r} holds the {joint!r} that a bulk write takes for the end of a value",
            )


def packed(name: str, columns: Mapping[str, Sequence[str]], rows: range) -> bytes:
    """Write some rows as a CSV file in a ZIP."""
    text, archive = io.StringIO(), io.BytesIO()
    writer = csv.writer(text)  # its lines end as RFC 4180 has it, and so a bare CR is quoted too
    writer.writerow(columns)
    writer.writerows(
        zip(*(cells[rows.start : rows.stop] for cells in columns.values()), strict=True)
    )
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(name, text.getvalue())
    return archive.getvalue()


def telling(columns: Mapping[str, Sequence[str]], first: Sequence[str]) -> list[str]:
    """Order columns so that the first tell rows apart best; ``first`` come before all others."""
    return sorted(columns, key=lambda name: (name not in first, -len(set(columns[name]))))


def read_result(path: str | PathLike[str]) -> list[Told]:
    """Read the result of a bulk write."""
    with Member(path) as member, io.BufferedReader(member) as raw:
        rows = csv.reader(io.TextIOWrapper(raw, "utf-8-sig", newline=""))
        header = [each.strip().upper() for each in next(rows, [])]
        if not set(LAST) <= set(header):
            raise damaged(path, "is no result of a bulk write: it lacks STATUS")
        places = [header.index(name) for name in LAST]
        return [_told(row, places, len(header)) for row in rows if row]


def _told(row: list[str], places: list[int], width: int) -> Told:
    """Read one row; commas between the columns of an error are not quoted in Zoho's sample."""
    row = [*row[: width - 1], ",".join(row[width - 1 :])]
    status, record_id, errors = (row[place].strip() for place in places)
    return Told(tuple(row[: min(places)]), status, record_id, errors)


def joined(sent: Sequence[tuple[str, ...]], told: Sequence[Told]) -> list[Told | None]:
    """Find for each row that was sent what is told of it.

    Notes
    -----
    No page of Zoho's says that a result keeps the order of the rows, and it shows three columns
    only. So the order is relied on where all cells agree with it; else rows are found by their
    cells.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import Told, joined
    >>> one, two = Told(("a",), "ADDED", "1", ""), Told(("b",), "ADDED", "2", "")
    >>> [each.record_id for each in joined([("a",), ("b",)], [two, one])]
    ['1', '2']
    """
    keys = [_key(cells) for cells in sent]
    if keys == [_key(each.cells) for each in told]:
        return list(told)
    found: defaultdict[tuple[str, ...], list[Told]] = defaultdict(list)
    for each in told:
        found[_key(each.cells)].append(each)
    twins = Counter(keys)
    return [_of_several(found[key], twins[key]) for key in keys]


def _key(cells: Sequence[str]) -> tuple[str, ...]:
    """Give what rows are known by: Zoho may have trimmed their cells."""
    return tuple(each.strip() for each in cells)


def _of_several(told: Sequence[Told], rows: int) -> Told | None:
    """Tell what became of each of several rows that look alike."""
    if len(told) != rows:
        return None
    fates = {(each.status, each.errors) for each in told}
    if len(fates) > 1:
        return None
    return told[0] if rows == 1 else told[0]._replace(record_id="")


def told_of(path: str | PathLike[str], sent: Sequence[tuple[str, ...]]) -> list[Told | None]:
    """Read a result, and find in it what is told of each row that was sent."""
    return joined(sent, read_result(path))
