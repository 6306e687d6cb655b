"""The target of a download: a file with another name until it is complete."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from typing import TYPE_CHECKING

from requests import RequestException

from zcrm_nb.state.files import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from requests import Response

__all__ = ["BrokenOffError", "DownloadPace", "Landing"]

BLOCK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class BrokenOffError(RequestException):
    """The body ended early, or does not continue what was received before."""


class Landing:
    """One file being downloaded.

    What was received is in ``<name>.part`` until it is complete; then the file is renamed. So a
    file is complete or does not exist, and a broken download is continued, even by a new process.

    """

    def __init__(self, target: Path, tick: Callable[[int], None] | None = None) -> None:
        self.target, self.part = target, target.with_name(f"{target.name}.part")
        self._tick = tick or (lambda size: None)
        self.size = self.part.stat().st_size if self.part.exists() else 0

    def headers(self) -> dict[str, str]:
        """Request what is still missing, uncompressed."""
        more = {"Range": f"bytes={self.size}-"} if self.size else {}
        return {"Accept-Encoding": "identity", **more}

    def takes(self, response: Response) -> bool:
        """Whether a response is the file, and not an error in its place."""
        kind = response.headers.get("Content-Type", "")
        return response.status_code in {200, 206} and not ("json" in kind or "html" in kind)

    def take(self, response: Response) -> None:
        """Write the body of an answer to the disk, and give the file its name once it is whole."""
        start = self._start(response)
        length = response.headers.get("Content-Length", "")
        whole = start + int(length) if length.isdecimal() else None
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            self.size = start
            for block in response.iter_content(BLOCK_BYTES):
                file.write(block)
                self.size += len(block)
                self._tick(len(block))
            file.flush()
            os.fsync(file.fileno())
        if whole is not None and self.size != whole:
            raise BrokenOffError(f"{self.size} of {whole} bytes came")
        self.part.replace(self.target)

    def again(self) -> None:
        """Delete what was received, because it does not match the server's file."""
        self.part.unlink(missing_ok=True)
        self.size = 0

    def _start(self, response: Response) -> int:
        """Find where the body of an answer belongs: a server may begin anew, and says so."""
        if response.status_code == 200:
            return 0
        content_range = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if content_range is None or int(content_range[1]) != self.size:
            self.again()
            raise BrokenOffError("the answer does not begin where the request did")
        return int(content_range[1])


class DownloadPace(ProcessBound):
    """No more than so many things begun in so many seconds.

    Examples
    --------
    >>> from zcrm_nb.wire.download import DownloadPace
    >>> pace = DownloadPace(2, 60.0, clock=lambda: 0.0, sleep=lambda s: print(f"{s:g} s"))
    >>> for _ in range(3):
    ...     pace.wait()
    60 s
    """

    def __init__(
        self,
        most: int,
        window_s: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._window_s, self._clock, self._sleep = window_s, clock, sleep
        self._begun: deque[float] = deque(maxlen=most)
        self._now = float("-inf")
        self._lock = threading.Lock()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for one's turn; a turn once given counts."""
        with self._lock:
            now = self._read_clock()
            full = len(self._begun) == self._begun.maxlen
            turn = max(now, self._begun[0] + self._window_s) if full else now
            self._begun.append(turn)
        if turn > now:
            self._sleep(turn - now)

    def _read_clock(self) -> float:
        """Read the clock; a clock set back takes what has begun back with it."""
        now = self._clock()
        if now < self._now:
            back = self._now - now
            self._begun = deque((at - back for at in self._begun), self._begun.maxlen)
        self._now = now
        return now
