"""Files that several processes share: taking turns, and never leaving one half written."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_config_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GLANCE_S", "config_folder", "is_held", "locked", "write_whole"]

POLL_S = 0.05
GLANCE_S = 0.2  # so long nobody holds a lock who only looks whether it is held

# By hand, since it is so little: the filelock package would cost every `import zcrm_nb` that logs
# in 70 ms and the installation 1.3 MB, for soft locks, asyncio and SQLite locks that nobody needs.
if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool:
        """Lock the first byte, if nobody else has."""
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _let_go(file: int) -> None:
        """Unlock the first byte."""
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: int) -> bool:
        """Lock the file, if nobody else has: flock, which tells threads apart too."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(file: int) -> None:
        """Unlock the file. Closing it would not: a child forked meanwhile holds it open too."""
        fcntl.flock(file, fcntl.LOCK_UN)


def config_folder() -> Path:
    """Tell where this user's logins, and what is noted about each, are kept."""
    named = os.environ.get("ZCRM_CONFIG_DIR", "").strip()
    return Path(named or user_config_dir("zcrm_nb", appauthor=False))


@contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold a lock file while the block runs.

    Notes
    -----
    Not re-entrant. The operating system lets go when the holder ends, however it ends, so there is
    no stale lock to clean up. On a network folder it is as good as that folder's locks.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.files import locked
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with locked(Path(folder, "tokens.lock"), wait_s=1):
    ...         print("alone")
    alone
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(file, path, wait_s)
        try:
            yield
        finally:
            _let_go(file)
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Tell whether somebody holds a lock file now.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.files import is_held, locked
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lock = Path(folder, "job.lock")
    ...     with locked(lock, wait_s=0):
    ...         held = is_held(lock)
    ...     held, is_held(lock)
    (True, False)
    """
    if not path.exists():
        return False
    try:
        with locked(path, wait_s=0):
            return False
    except TimeoutError:
        return True


def _wait_for(file: int, path: Path, wait_s: float) -> None:
    """Try again and again: a blocking lock could not be given up."""
    deadline = time.monotonic() + wait_s
    while not _take(file):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{path} was held by somebody else for {wait_s:g} seconds")
        time.sleep(POLL_S)


def write_whole(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that it has the old content or the new, whatever happens meanwhile."""
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    fresh = Path(name)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.chmod(mode)
        _put_in_place(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


# On Windows nobody can replace a file that somebody has open, be it a virus scanner for a moment.
TRIES = 20 if sys.platform == "win32" else 1


def _put_in_place(fresh: Path, path: Path, tries: int = TRIES) -> None:
    """Give a new file the name of the old one."""
    for left in reversed(range(tries)):
        try:
            fresh.replace(path)
        except PermissionError:
            if not left:
                raise
            time.sleep(POLL_S)
        else:
            return
