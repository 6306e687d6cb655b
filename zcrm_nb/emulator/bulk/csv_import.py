"""Uploaded files: CSV in a ZIP, read as they are needed."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Sheet", "sheet"]

DELIMITERS = ",;:|"
LOOKED_AT = 1 << 16  # bytes that decide about the encoding


@dataclass(frozen=True, slots=True)
class Sheet:
    """One CSV file of an archive; ``header`` is its first row."""

    path: Path
    name: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]

    def rows(self) -> Iterator[list[str]]:
        """Read the rows below the header; empty lines are none."""
        with _text(self.path, self.name, self.encoding) as text:
            rows = csv.reader(text, delimiter=self.delimiter)
            next(rows)
            yield from filter(None, rows)


def sheet(path: Path, names: list[str], encoding: str | None) -> Sheet:
    """Open the file that a job names, or the only one there is."""
    with zipfile.ZipFile(path) as archive:
        members = [each for each in archive.namelist() if not each.endswith("/")]
    if names and names[0] not in members:
        raise Refusal(400, "FILE_NOT_FOUND", "File not found in the zip", {"file_name": names[0]})
    if not names and len(members) != 1:
        raise not_supported()
    name = (names or members)[0]
    if not name.lower().endswith(".csv"):
        raise not_supported()
    encoding = _encoding(encoding) if encoding else _guessed(path, name)
    with _text(path, name, encoding) as text:
        first = text.readline()
        delimiter = _delimiter(first)
        text.seek(0)
        header = next(csv.reader(text, delimiter=delimiter), [])
    if not header:
        raise not_supported()
    return Sheet(path, name, encoding, delimiter, tuple(each.strip() for each in header))


def not_supported() -> Refusal:
    """Refuse a file that is not a CSV file of the right size and shape."""
    return Refusal(400, "FILE_NOT_SUPPORTED", "File not supported for bulk write")


@contextmanager
def _text(path: Path, name: str, encoding: str) -> Iterator[io.TextIOWrapper]:
    """Open a member as text."""
    with (
        zipfile.ZipFile(path) as archive,
        archive.open(name) as member,
        io.TextIOWrapper(member, encoding, errors="replace", newline="") as text,
    ):
        yield text


def _encoding(encoding: str) -> str:
    """Find the encoding that a job names."""
    try:
        codec = codecs.lookup(encoding).name
    except LookupError as unknown:
        details = {"api_name": "character_encoding"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details) from unknown
    return "utf-8-sig" if codec == "utf-8" else codec


def _guessed(path: Path, name: str) -> str:
    """Read UTF-8, and anything else as the code page of Windows."""
    with zipfile.ZipFile(path) as archive, archive.open(name) as member:
        start = member.read(LOOKED_AT)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _delimiter(line: str) -> str:
    """Find what separates the names in a header: the one that is most frequent."""
    outside = "".join(line.split('"')[::2])
    counted = Counter(each for each in outside if each in DELIMITERS)
    return max(DELIMITERS, key=lambda mark: counted[mark])
