"""Stored values as cells of a CSV file: SQLite writes the lines, Python only passes them on.

A line made in SQL costs a tenth of what the csv module takes, and two million of them are what a
bulk export is for.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from zcrm_nb.emulator.shapes import JSON_KINDS
from zcrm_nb.emulator.where import NUMBERS, REFERENCES, TIMES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from zcrm_nb.emulator.joins import Target
    from zcrm_nb.emulator.schema import Field
    from zcrm_nb.emulator.settings import BulkSettings

__all__ = ["exportable", "line"]

_WHOLE = frozenset({"integer", "bigint"})
_MOMENTS = TIMES - {"date"}


def exportable(field: Field) -> bool:
    """Tell whether a field can be a column: what is a list, an object or a file cannot."""
    return field.column is not None and field.kind not in JSON_KINDS | {"layout", "profileimage"}


def line(targets: Iterable[Target], zone: ZoneInfo, settings: BulkSettings) -> str:
    """Write the SQL expression of a whole line, without its end."""
    return " || ',' || ".join(_cell(each, zone, settings) for each in targets)


def _cell(target: Target, zone: ZoneInfo, settings: BulkSettings) -> str:
    """Write the SQL expression of one cell; an empty value is an empty cell."""
    return f"coalesce({_text(target, zone, settings)}, '')"


def _text(target: Target, zone: ZoneInfo, settings: BulkSettings) -> str:
    """Write the SQL expression of a value as text."""
    kind, column = target.field.kind, target.sql
    if kind == "boolean":
        true, false = settings.booleans
        return f"CASE {column} WHEN 1 THEN '{true}' WHEN 0 THEN '{false}' END"
    if kind in _MOMENTS:
        return _moment(column, zone)
    if kind in _WHOLE or kind in REFERENCES:
        return f"CAST({column} AS TEXT)"
    if kind in NUMBERS:
        return _number(column)
    if kind == "multiselectpicklist" and settings.multi_select_joint != ";":
        column = f"replace({column}, ';', '{settings.multi_select_joint}')"
    return _quoted(column, always=settings.quotes_all_text)


def _moment(column: str, zone: ZoneInfo) -> str:
    """Write a moment in the org's zone, which has had one offset for as long as CRMs exist."""
    offset = datetime.now(zone).utcoffset()
    assert offset is not None
    minutes = int(offset.total_seconds()) // 60
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    shifted = f"{column} + {minutes * 60}"
    return f"strftime('%Y-%m-%dT%H:%M:%S', {shifted}, 'unixepoch') || '{sign}{hours:02}:{rest:02}'"


def _number(column: str) -> str:
    """Write a number: SQLite's 15 digits where they are the number itself, else the 17 it takes."""
    short, long = f"CAST({column} AS TEXT)", f"printf('%!.17g', {column})"
    # Nothing is not unequal to anything, and stays nothing; printf would make 0.0 of it.
    return f"CASE WHEN CAST({short} AS REAL) <> {column} THEN {long} ELSE {short} END"


def _quoted(column: str, *, always: bool) -> str:
    """Write a text, in quotes where it needs them (RFC 4180)."""
    quoted = f"""'"' || replace({column}, '"', '""') || '"'"""
    if always:
        return quoted
    special = f"""{column} GLOB '*[,"' || char(10, 13) || ']*'"""
    return f"CASE WHEN {special} THEN {quoted} ELSE {column} END"
