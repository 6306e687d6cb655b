"""Stored values as cells of a CSV file: SQLite writes the lines, Python only passes them on.

One call of ``printf`` makes a line. That takes half the time of the csv module; joining cells with
``||`` would copy the line once for each of them and gain nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from zcrm_nb.emulator.query.conditions import NUMBERS, TIMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from zcrm_nb.emulator.query.joins import Target
    from zcrm_nb.emulator.settings import BulkSettings
    from zcrm_nb.emulator.storage.schema import Field

__all__ = ["exportable", "line"]

ARGUMENTS = 90  # of one call; SQLite takes 100, in some builds 127
_WHOLE = frozenset({"integer", "bigint"})
_MOMENTS = TIMES - {"date"}
_EPOCH, _CENTURY = datetime(1970, 1, 1, tzinfo=UTC), 100 * 366


def exportable(field: Field, settings: BulkSettings) -> bool:
    """Whether a field can be a column."""
    kinds = {field.kind, field.data_type}
    return field.column is not None and kinds.isdisjoint(settings.types_not_exported)


def line(targets: Sequence[Target], zone: ZoneInfo, settings: BulkSettings) -> str:
    """Write the SQL expression of a whole line, without its end; it begins with the id.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> from zcrm_nb.emulator.bulk.csv_export import line
    >>> from zcrm_nb.emulator.settings import BulkSettings
    >>> line([], ZoneInfo("Asia/Kolkata"), BulkSettings())
    "printf('%s', t0.id)"
    """
    cells = [_cell(each, zone, settings) for each in targets]
    cells.insert(0 if settings.id_first else len(cells), "t0.id")
    parts = [cells[at : at + ARGUMENTS] for at in range(0, len(cells), ARGUMENTS)]
    return " || ',' || ".join(
        f"printf('{','.join(['%s'] * len(part))}', {', '.join(part)})" for part in parts
    )


def _cell(target: Target, zone: ZoneInfo, settings: BulkSettings) -> str:
    """Write the SQL expression of one cell; NULL becomes an empty one."""
    kind, column = target.field.kind, target.sql
    if kind == "boolean":
        true, false = settings.booleans
        return f"CASE {column} WHEN 1 THEN '{true}' WHEN 0 THEN '{false}' END"
    if kind in _MOMENTS:
        return _moment(column, 0 if settings.utc else _offset(zone))
    if kind in NUMBERS - _WHOLE:
        return _number(column)
    if target.field.column != "TEXT" or kind == "date":
        return column
    if kind == "multiselectpicklist" and settings.multi_select_joint != ";":
        column = f"replace({column}, ';', '{settings.multi_select_joint}')"
    return _quoted(column, always=settings.quotes_all_text)


def _moment(column: str, offset: int | None) -> str:
    """Write a moment; where the offset changes with the seasons Python has to write it."""
    if offset is None:
        return f"local_iso({column})"
    sign, (hours, rest) = "-" if offset < 0 else "+", divmod(abs(offset) // 60, 60)
    text = f"%Y-%m-%dT%H:%M:%S{sign}{hours:02}:{rest:02}"
    return f"strftime('{text}', {column} + {offset}, 'unixepoch')"


@cache
def _offset(zone: ZoneInfo) -> int | None:
    """Find the offset of a zone in seconds, if it has but one."""
    days = (_EPOCH + timedelta(day) for day in range(0, _CENTURY, 7))
    offsets = {day.astimezone(zone).utcoffset() for day in days}
    only = offsets.pop()
    return int(only.total_seconds()) if only is not None and not offsets else None


def _number(column: str) -> str:
    """Write a number as lists do: SQLite's 15 digits where they suffice, else Python's shortest."""
    # Nothing is not unequal to anything, and stays nothing.
    short = f"CAST({column} AS TEXT)"
    return f"CASE WHEN CAST({short} AS REAL) <> {column} THEN shortest({column}) ELSE {column} END"


def _quoted(column: str, *, always: bool) -> str:
    """Write a text, in quotes where it needs them (RFC 4180)."""
    quoted = f"""'"' || replace({column}, '"', '""') || '"'"""
    if always:
        return quoted
    return f"""CASE WHEN {column} GLOB '*[",\n\r]*' THEN {quoted} ELSE {column} END"""
