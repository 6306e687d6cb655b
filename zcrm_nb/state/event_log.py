"""An event log on disk: lines written before anything else happens, read once, in order."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from zcrm_nb.state.files import write_whole
from zcrm_nb.state.folders import private_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["EventLog", "JournalFull"]


class JournalFull(OSError):  # noqa: N818 - reads as what happened
    """More is unread than the log may hold; nothing was written."""


class EventLog:
    """Lines in files of one folder, which outlive the process that wrote them.

    Notes
    -----
    A line is handed to the operating system in one piece before :meth:`append` returns, so a killed
    process loses none. It is not forced onto the disk, which would cost milliseconds for each line:
    a power failure may cost the last seconds, which polling finds again. Half a line of a process
    that died while writing is skipped.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.event_log import EventLog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = EventLog(Path(folder, "events"))
    ...     journal.append(b"one")
    ...     again = EventLog(Path(folder, "events"))
    ...     again.read(10)
    [b'one']
    >>> journal.close()
    """

    def __init__(
        self, folder: Path, *, most_bytes: int = 64 << 20, part_bytes: int = 1 << 20
    ) -> None:
        private_folder(folder)
        self._folder, self._most_bytes, self._part_bytes = folder, most_bytes, part_bytes
        self._lock = threading.Lock()
        self._part, self._offset = self._done = self._position()
        for path in self._paths():
            if _number(path) < self._part:
                path.unlink(missing_ok=True)
        sizes = {_number(path): path.stat().st_size for path in self._paths()}
        self._waiting = max(0, sum(sizes.values()) - self._offset)
        # Never after half a line of another process: each begins a new file.
        self._last = max([self._part, *sizes]) + 1
        self._file: BinaryIO | None = None
        self._written = 0

    @property
    def waiting_bytes(self) -> int:
        """How much is unread."""
        return self._waiting

    def append(self, *lines: bytes) -> None:
        """Write lines; all of them or none."""
        text = b"".join(line + b"\n" for line in lines)
        with self._lock:
            if self._waiting + len(text) > self._most_bytes:
                raise JournalFull(f"{self._waiting:,} bytes wait to be read already")
            if self._file is None or self._written > self._part_bytes:
                self._begin_part()
            assert self._file is not None
            if self._file.write(text) != len(text):  # the disk is full
                self._file.truncate(self._written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._written += len(text)
            self._waiting += len(text)

    def read(self, most: int) -> list[bytes]:
        """Take the next unread lines."""
        with self._lock:
            lines: list[bytes] = []
            for path in self._paths():
                number = _number(path)
                if number < self._part or len(lines) >= most:
                    continue
                if number > self._part:
                    self._part, self._offset = number, 0
                lines += self._lines_of(path, most - len(lines))
            return lines

    def rewind(self) -> None:
        """Let what was read since the last :meth:`done` be read again."""
        with self._lock:
            self._part, self._offset = self._done

    def done(self) -> None:
        """Mark what was read as done; files read to their end are removed."""
        with self._lock:
            self._done = self._part, self._offset
            write_whole(self._folder / "position", b"%d %d" % (self._part, self._offset))
            for path in self._paths():
                if _number(path) < self._part:
                    path.unlink(missing_ok=True)
            self._waiting = max(0, self._size() - self._offset)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _begin_part(self) -> None:
        """Begin a new file, which only its owner may read."""
        if self._file is not None:
            self._file.close()
            self._last += 1
        path = self._folder / f"{self._last:08}.jsonl"
        self._file, self._written = path.open("ab", buffering=0), 0
        path.chmod(0o600)

    def _lines_of(self, path: Path, most: int) -> list[bytes]:
        """Read whole lines of one file, from the current position."""
        lines: list[bytes] = []
        with path.open("rb") as part:
            part.seek(self._offset)
            while len(lines) < most and (line := part.readline()).endswith(b"\n"):
                lines.append(line[:-1])
                self._offset += len(line)
        return lines

    def _position(self) -> tuple[int, int]:
        """Find where reading stopped; the beginning if that is not known."""
        with suppress(OSError, ValueError):
            part, offset = (self._folder / "position").read_bytes().split()
            return int(part), int(offset)
        return 0, 0

    def _paths(self) -> Sequence[Path]:
        """List the files in the order in which they were written."""
        return sorted(self._folder.glob("*.jsonl"))

    def _size(self) -> int:
        """Bytes in all files that are not read to their end."""
        return sum(path.stat().st_size for path in self._paths())


def _number(path: Path) -> int:
    """Return the number of a file."""
    return int(path.stem)
