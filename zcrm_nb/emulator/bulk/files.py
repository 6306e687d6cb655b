"""The file of a finished job: a ZIP with one member, written as the rows come from SQLite."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.bulk.archive import Archive
from zcrm_nb.emulator.bulk.csv_export import line
from zcrm_nb.emulator.query.conditions import Condition, both

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zcrm_nb.emulator.bulk.read_request import ReadQuery
    from zcrm_nb.emulator.org import Org

__all__ = ["Written", "write"]

LINES = 2_000  # joined at once; a few hundred kilobytes
FOLDED = 74  # octets, and the blank that a folded line begins with


class Written(NamedTuple):
    """What a file holds: how many records, the last one's id, and whether more follow."""

    records: int
    last_id: int
    more: bool


def write(org: Org, query: ReadQuery, path: Path, member: str, *, after: int, skip: int) -> Written:
    """Export one part of the records, in the order of their ids."""
    room = int(getattr(org.settings.bulk, query.per_page))
    part = _Part(room)
    texts = part.taken(_rows(org, query, after, skip, room + 1))
    chunks = _calendar(texts) if query.file_type == "ics" else _table(org, query, texts)
    with Archive(path, member) as archive:
        for chunk in chunks:
            archive.write(chunk)
    return Written(part.count, part.last_id, part.more)


class _Part:
    """Counts the records that pass, and stops at the last that fits."""

    def __init__(self, room: int) -> None:
        self.room, self.count, self.last_id, self.more = room, 0, 0, False

    def taken(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        """Pass on what fits; one row too many means that there are more."""
        for record_id, text in rows:
            if self.count == self.room:
                self.more = True
                return
            self.count, self.last_id = self.count + 1, record_id
            yield text


def _rows(
    org: Org, query: ReadQuery, after: int, skip: int, limit: int
) -> Iterator[tuple[Any, ...]]:
    """Read ids and lines."""
    where = both(query.where, Condition("t0.id > ?", (after,)))
    text = line(query.targets, org.store.zone, org.settings.bulk)
    if query.file_type == "ics":
        text = _event()
    page = "ORDER BY t0.id LIMIT ? OFFSET ?"
    sql = f"SELECT t0.id, {text} FROM {query.tables} WHERE {where.sql} {page}"
    return org.store.stream(sql, (*where.values, limit, skip))


# -- CSV -----------------------------------------------------------------------------------------


def _table(org: Org, query: ReadQuery, lines: Iterator[str]) -> Iterator[bytes]:
    """Put a header in front of the lines, and join them."""
    settings = org.settings.bulk
    head, names = io.StringIO(), list(query.names)
    names.insert(0 if settings.id_first else len(names), settings.id_column)
    csv.writer(head, lineterminator=settings.newline).writerow(names)
    yield head.getvalue().encode(settings.encoding)
    while batch := list(islice(lines, LINES)):
        text = settings.newline.join(batch) + settings.newline
        yield text.encode(settings.encoding.removesuffix("-sig"))


# -- ICS -----------------------------------------------------------------------------------------


def _event() -> str:
    """Select what a calendar shows of a meeting, as one JSON array."""
    columns = ("id", "Event_Title", "Start_DateTime", "End_DateTime", "Venue", "Description")
    listed = ", ".join(f't0."{each}"' for each in columns)
    return f"json_array({listed})"


def _calendar(events: Iterator[str]) -> Iterator[bytes]:
    """Write meetings as an iCalendar file (RFC 5545)."""
    yield b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//zcrm_nb emulator//EN\r\n"
    for event in events:
        yield _meeting(*orjson.loads(event)).encode()
    yield b"END:VCALENDAR\r\n"


def _meeting(  # noqa: PLR0917
    record_id: int, title: str, start: int, end: int, venue: str | None, about: str | None
) -> str:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{record_id}",
        f"DTSTART:{_stamp(start)}",
        f"DTEND:{_stamp(end)}",
        f"SUMMARY:{_escaped(title)}",
        *([f"LOCATION:{_escaped(venue)}"] if venue else []),
        *([f"DESCRIPTION:{_escaped(about)}"] if about else []),
        "END:VEVENT",
    ]
    return "".join(f"{_folded(each)}\r\n" for each in lines)


def _stamp(moment: int) -> str:
    """Write a moment in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    """Escape what iCalendar gives a meaning."""
    for mark in "\\;,":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", "\\n")


def _folded(text: str) -> str:
    """Fold a line after 75 octets at the most, and never within a character."""
    lines = [""]
    for character in text:
        if len((lines[-1] + character).encode()) > FOLDED:
            lines.append("")
        lines[-1] += character
    return "\r\n ".join(lines)
