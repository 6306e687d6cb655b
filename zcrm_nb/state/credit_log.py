"""What was spent, noted in a folder that the notebooks of one login share.

One short line is appended for each call, to the file of its hour: no lock to wait for, only whole
files to remove, and the lines of a killed kernel are kept. A line that cannot be read is skipped; a
folder that cannot be written to does not make a call fail.
"""

from __future__ import annotations

from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.state.files import append_line
from zcrm_nb.state.folders import private_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CreditLog", "Entry"]

HOUR_S = 60 * 60
HOURS = 24


class Entry(NamedTuple):
    """One call, or one report of Zoho's about what is left."""

    at: float  # seconds since 1970
    credits: int  # what was spent
    left: int | None = None  # what Zoho said remains for the whole org


class CreditLog:
    """The notes of the last 24 hours: this connection writes its own, and reads those of others.

    Notes
    -----
    A line is ``<milliseconds since 1970> <credits> <left, or -> <who>``; ``who`` is a random
    word for each connection. Files of past days go when a new hour begins.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.credit_log import CreditLog, Entry
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mine, yours = CreditLog(Path(folder)), CreditLog(Path(folder))
    ...     mine.write(Entry(7200.0, 3))
    ...     yours.read(7201.0)
    [Entry(at=7200.0, credits=3, left=None)]
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._me = token_hex(4)
        self._hour: int | None = None
        self._read: dict[int, tuple[int, list[Entry]]] = {}  # by hour: bytes read, others' entries

    def of_this_process(self) -> CreditLog:
        """Open the same notes under a name of this process's own, after a fork."""
        return CreditLog(self._folder)

    def write(self, entry: Entry) -> None:
        """Append an entry; it takes some millionths of a second."""
        left = "-" if entry.left is None else entry.left
        line = f"{entry.at * 1000:.0f} {entry.credits} {left} {self._me}\n".encode()
        with suppress(OSError):
            self._turn_to(int(entry.at // HOUR_S))
            append_line(self._path(int(entry.at // HOUR_S)), line)

    def read(self, now: float) -> list[Entry]:
        """List what others noted in the last 24 hours; only what is new is read from the disk."""
        hour = int(now // HOUR_S)
        within = range(hour - HOURS, hour + 1)
        self._read = {each: found for each, found in self._read.items() if each in within}
        for each in within:
            with suppress(OSError):
                self._catch_up(each)
        found = [entry for each in within if each in self._read for entry in self._read[each][1]]
        return sorted(entry for entry in found if entry.at > now - HOURS * HOUR_S)

    def _path(self, hour: int) -> Path:
        """Name the file of an hour."""
        return self._folder / f"credits-{hour}.log"

    def _turn_to(self, hour: int) -> None:
        """Begin an hour: see that there is a folder, and drop what no window reaches any more."""
        if hour == self._hour:
            return
        private_folder(self._folder)
        for path in self._folder.glob("credits-*.log"):
            number = path.stem.partition("-")[2]
            if number.isdecimal() and int(number) < hour - HOURS:
                path.unlink(missing_ok=True)
        self._hour = hour

    def _catch_up(self, hour: int) -> None:
        """Read the lines of an hour that have come since; the last may not be whole yet."""
        path, (done, entries) = self._path(hour), self._read.get(hour, (0, []))
        size = path.stat().st_size
        if size == done:
            return
        if size < done:  # another file has been put in its place
            done, entries = 0, []
        with path.open("rb") as file:
            file.seek(done)
            fresh = file.read()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        entries += [found for line in whole.splitlines() if (found := self._of_others(line))]
        self._read[hour] = (done + len(whole), entries)

    def _of_others(self, line: bytes) -> Entry | None:
        """Read a line, unless it is damaged or this connection's own."""
        try:
            at, spent, left, who = line.decode("ascii").split()
            entry = Entry(int(at) / 1000, int(spent), None if left == "-" else int(left))
        except ValueError:
            return None
        return None if who == self._me or entry.credits < 0 else entry
