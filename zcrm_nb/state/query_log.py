"""The queries to an org, kept beside its login: one line for each."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.state.files import append_line, json_lines, locked, write_whole
from zcrm_nb.state.folders import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["QueryLog"]

MOST_BYTES = 1 << 20  # some thousands of questions
MOST_CHARACTERS = 2000  # of one text: a list of ten thousand ids is of no use
MOST_HERE = 2000  # questions, in memory
_WAIT_S = 1.0


class QueryLog:
    """The questions of an org, the newest last.

    Notes
    -----
    The file holds at most 1 MB; then the older half goes. A line that cannot be read is
    skipped, and a file that cannot be written does not make a query fail.

    Examples
    --------
    >>> from zcrm_nb.state.query_log import QueryLog
    >>> history = QueryLog(None)
    >>> history.note({"time": "2026-09-15T10:00:00+00:00", "what": "Leads", "rows": 12})
    >>> [question["rows"] for question in history.rows()]
    [12]
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._here: deque[dict[str, Any]] = deque(maxlen=MOST_HERE)

    def note(self, question: dict[str, Any]) -> None:
        """Write a question down."""
        short = {name: _shortened(value) for name, value in question.items()}
        self._here.append(short)
        if self._folder is not None:
            with suppress(OSError):  # a TimeoutError is one
                self._append(self._folder, orjson.dumps(short) + b"\n")

    def rows(self) -> list[dict[str, Any]]:
        """List the questions: all that the folder keeps, or those of this connection."""
        if self._folder is not None:
            with suppress(OSError):
                return list(_read(_path(self._folder).read_bytes()))
        return list(self._here)

    def _append(self, folder: Path, line: bytes) -> None:
        """Add a line; alone, because the file may be cut meanwhile."""
        private_folder(folder)
        path = _path(folder)
        with locked(folder / "history.lock", wait_s=_WAIT_S):
            old = path.read_bytes() if path.exists() else b""
            if old and not old.endswith(b"\n"):  # torn by whoever was killed while writing it
                old, line = old + b"\n", b"\n" + line
            if len(old) + len(line) > MOST_BYTES:
                newer = old[old.find(b"\n", len(old) // 2) + 1 :]
                write_whole(path, newer + line.lstrip())
                return
            append_line(path, line)


def _path(folder: Path) -> Path:
    """Name the file."""
    return folder / "history.jsonl"


def _shortened(value: Any) -> Any:
    """Cut a long text, and say so."""
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return f"{value[:MOST_CHARACTERS]}… ({len(value):,} characters)"
    return value


_FACTS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("what", "query", "route", "outcome"), (str, NoneType)),
    **dict.fromkeys(("rows", "calls", "credits"), (int, NoneType)),
    "seconds": (float, int, NoneType),
}


def _read(content: bytes) -> Iterator[dict[str, Any]]:
    """Read the lines that are whole."""
    for row in json_lines(content):
        with suppress(ValueError, KeyError, TypeError):
            aware = datetime.fromisoformat(row["time"]).utcoffset() is not None
            if aware and all(isinstance(row.get(name), kinds) for name, kinds in _FACTS.items()):
                yield row
