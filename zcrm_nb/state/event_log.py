"""A journal on disk: lines noted before anything else happens, read once, in order, then gone."""

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
    """More waits to be read than the journal may hold; nothing was noted."""


class EventLog:
    """Lines in files of one folder, which outlive the process that wrote them.

    Parameters
    ----------
    folder : Path
        A folder of its own; made when it is missing. One process at a time may use it.
    most_bytes : int, default 64 MiB
        How much may wait to be read.
    part_bytes : int, default 1 MiB
        How large one file grows; a file that was read to its end is removed.

    Notes
    -----
    A line is handed to the operating system in one piece before :meth:`append` returns, so a killed
    process loses none. It is not forced onto the disk, which would cost milliseconds for each line:
    losing power may cost the last seconds, and what is noted here can be found by looking. Half a
    line, which a process left that died while writing, is passed over.

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
        # Never behind half a line that somebody left: each process begins a file of its own.
        self._last = max([self._part, *sizes]) + 1
        self._file: BinaryIO | None = None
        self._written = 0

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be read."""
        return self._waiting

    def append(self, *lines: bytes) -> None:
        """Note lines; all of them or none."""
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
        """Take the next lines that nobody has read yet."""
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
        """Note that whatever was read need not be read again; files read to their end go."""
        with self._lock:
            self._done = self._part, self._offset
            write_whole(self._folder / "position", b"%d %d" % (self._part, self._offset))
            for path in self._paths():
                if _number(path) < self._part:
                    path.unlink(missing_ok=True)
            self._waiting = max(0, self._size() - self._offset)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _begin_part(self) -> None:
        """Go on in a new file, which only its owner may read."""
        if self._file is not None:
            self._file.close()
            self._last += 1
        path = self._folder / f"{self._last:08}.jsonl"
        self._file, self._written = path.open("ab", buffering=0), 0
        path.chmod(0o600)

    def _lines_of(self, path: Path, most: int) -> list[bytes]:
        """Read whole lines of one file, from where the reading stands."""
        lines: list[bytes] = []
        with path.open("rb") as part:
            part.seek(self._offset)
            while len(lines) < most and (line := part.readline()).endswith(b"\n"):
                lines.append(line[:-1])
                self._offset += len(line)
        return lines

    def _position(self) -> tuple[int, int]:
        """Find where the reading stood; from the beginning where nobody noted it."""
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
    """Tell which file it is."""
    return int(path.stem)
