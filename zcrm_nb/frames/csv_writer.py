"""Values as the cells of a CSV file for a bulk write, and Zoho's result for each row.

Cells hold the values as they are: Zoho reads the file, not a spreadsheet, and a text that begins
with ``=``, ``+``, ``-`` or ``@`` must arrive unchanged.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.frames.values import ABSENT, digits
from zcrm_nb.frames.zip_member import Member, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from os import PathLike

__all__ = [
    "NOT_IN_CELLS",
    "SHOWN",
    "RowResult",
    "by_distinct_values",
    "csv_bytes",
    "csv_cells",
    "match_results",
    "read_results",
    "unsplittable",
    "zipped",
]

SHOWN = 3  # columns of the result: the first that are mapped
LAST = ("STATUS", "RECORD_ID", "ERRORS")
NOT_IN_CELLS = frozenset({"object"})
"""Kinds of columns that no cell holds: subforms, files, lookups to many and the like."""

_SEPARATORS = {"multipicklist": ";", "tags": ","}


class RowResult(NamedTuple):
    """The result of one row; ``cells`` are its first columns, as they were sent."""

    cells: tuple[str, ...]
    status: str
    record_id: str
    errors: str


def csv_cells(values: Sequence[Any], kind: str) -> list[str]:
    """Write JSON values as cells; a missing value is an empty one.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import csv_cells
    >>> csv_cells([["Hindi", "Tamil"], None], "multipicklist"), csv_cells([1e-9], "float")
    (['Hindi;Tamil', ''], ['0.000000001'])
    """
    write = _WRITERS.get(kind, str)
    return ["" if value is None or value is ABSENT else write(value) for value in values]


_WRITERS: dict[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "float": lambda value: digits(value) if isinstance(value, float) else str(value),
    "multipicklist": ";".join,
    "tags": lambda value: ",".join(each["name"] for each in value),
    **dict.fromkeys(("lookup", "user"), lambda value: str(value["id"])),
}


def unsplittable(values: Sequence[Any], kind: str) -> Iterator[tuple[int, str]]:
    """Find lists that a cell cannot hold, because an entry contains the separator.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import unsplittable
    >>> list(unsplittable([["a;b"], ["c"]], "multipicklist"))
    [(0, "'a;b' contains ';', which separates values in a bulk write")]
    """
    separator = _SEPARATORS.get(kind, "")
    for row, value in enumerate(values if separator else ()):
        parts = [each.get("name") if isinstance(each, dict) else each for each in _list(value)]
        wrong = next((part for part in map(str, parts) if separator in part), None)
        if wrong is not None:
            yield row, f"{wrong!r} contains {separator!r}, which separates values in a bulk write"


def _list(value: Any) -> list[Any]:
    """Take anything but a list for an empty one: another check names it."""
    return value if isinstance(value, list) else []


def csv_bytes(columns: Mapping[str, Sequence[str]], rows: Sequence[int]) -> bytes:
    """Write some rows as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)  # its lines end as RFC 4180 has it, and so a bare CR is quoted too
    writer.writerow(columns)
    writer.writerows([cells[row] for cells in columns.values()] for row in rows)
    return text.getvalue().encode()


def zipped(name: str, content: bytes) -> bytes:
    """Put a file into a ZIP."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr(name, content)
    return archive.getvalue()


def by_distinct_values(columns: Mapping[str, Sequence[str]], first: Sequence[str]) -> list[str]:
    """Order columns by their number of distinct values; ``first`` come before all others."""
    return sorted(columns, key=lambda name: (name not in first, -len(set(columns[name]))))


def read_results(
    path: str | PathLike[str], sent: Sequence[tuple[str, ...]]
) -> list[RowResult | None]:
    """Read the result of a bulk write, and find the result of each row that was sent."""
    with Member(path) as member, io.BufferedReader(member) as raw:
        rows = csv.reader(io.TextIOWrapper(raw, "utf-8-sig", newline=""))
        header = [each.strip().upper() for each in next(rows, [])]
        if not set(LAST) <= set(header):
            raise damaged(path, "is not the result of a bulk write: it lacks STATUS")
        places = [header.index(name) for name in LAST]
        return match_results(sent, [_result(row, places, len(header)) for row in rows if row])


def _result(row: list[str], places: list[int], width: int) -> RowResult:
    """Read one row; commas between the columns of an error are not quoted in Zoho's sample."""
    row = [*row[: width - 1], ",".join(row[width - 1 :])]
    row += [""] * (width - len(row))
    status, record_id, errors = (row[place].strip() for place in places)
    return RowResult(tuple(row[: min(places)]), status, record_id, errors)


def match_results(
    sent: Sequence[tuple[str, ...]], results: Sequence[RowResult]
) -> list[RowResult | None]:
    """Find the result of each row that was sent.

    Notes
    -----
    Zoho's pages do not say whether a result keeps the order of the rows, and it shows three columns
    only. So the order is used where all cells agree with it; else rows are found by their cells.

    Examples
    --------
    >>> from zcrm_nb.frames.csv_writer import RowResult, match_results
    >>> one, two = RowResult(("a",), "ADDED", "1", ""), RowResult(("b",), "ADDED", "2", "")
    >>> [each.record_id for each in match_results([("a",), ("b",)], [two, one])]
    ['1', '2']
    """
    keys = [_key(cells) for cells in sent]
    if keys == [_key(each.cells) for each in results]:
        return list(results)
    by_key: defaultdict[tuple[str, ...], list[RowResult]] = defaultdict(list)
    for each in results:
        by_key[_key(each.cells)].append(each)
    counts = Counter(keys)
    return [_common_result(by_key[key], counts[key]) for key in keys]


def _key(cells: Sequence[str]) -> tuple[str, ...]:
    """Give the cells by which a row is found: Zoho may have trimmed them."""
    return tuple(each.strip() for each in cells)


def _common_result(results: Sequence[RowResult], rows: int) -> RowResult | None:
    """Give the result of each of several rows with equal cells; none where results differ."""
    if len(results) != rows or len({(each.status, each.errors) for each in results}) > 1:
        return None
    return results[0] if rows == 1 else results[0]._replace(record_id="")
