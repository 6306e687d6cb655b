"""What belongs to one process, and files that several share: in turns, and never half written."""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self
from weakref import WeakSet

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = [
    "GLANCE_S",
    "ProcessBound",
    "append_line",
    "held",
    "is_held",
    "json_lines",
    "locked",
    "sweep",
    "write_json",
    "write_whole",
]

_BOUND: WeakSet[ProcessBound] = WeakSet()


class ProcessBound:
    """Base of what holds connections, locks or tokens of a live process.

    A forked child gets a copy of all memory: connections that two processes read from would mix up
    their responses, and a lock that another thread held at the moment of the fork stays locked for
    ever. So each subclass renews such parts in :meth:`_after_fork`, which runs in the child before
    any code of its own. Pickling and copying are refused: a copy would share what cannot be shared.
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Register each instance for the next fork."""
        self = super().__new__(cls)
        _watch_forks()
        _BOUND.add(self)
        return self

    def _after_fork(self) -> None:
        """Renew connections and locks, in the child."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"A live connection to Zoho CRM ({type(self).__name__}) cannot be pickled, copied or "
            "stored. Connect in the other process instead: zcrm_nb.connect(profile=…)."
        )


@cache
def _watch_forks() -> None:
    """Watch forks from the first instance on; importing alone registers nothing."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
        os.register_at_fork(after_in_child=_renew_all)


def _renew_all() -> None:
    for each in list(_BOUND):
        each._after_fork()


POLL_S = 0.05
ALONE = nullcontext()
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
GLANCE_S = 0.2  # is_held() takes a lock for less than this
DAY_S, HOUR_S = 86_400.0, 3_600.0
_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}")  # as write_whole names a file that is not whole yet
_CANNOT_LOCK = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}

# By hand, since it is so little: the filelock package would cost every `import zcrm_nb` that logs
# in 70 ms and the installation 1.3 MB, for soft locks, asyncio and SQLite locks that no one needs.
if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool:
        """Lock the first byte, unless it is locked."""
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
        """Lock the file, unless it is locked: flock, which tells threads apart too."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _let_go(file: int) -> None:
        """Unlock the file. Closing it would not: a child forked meanwhile holds it open too."""
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Hold a lock file while the block runs.

    Notes
    -----
    Not re-entrant. The operating system releases the lock when its holder ends, however it ends, so
    there is no stale lock to clean up. Where a folder is read-only or its file system has no locks,
    a lock of this machine's takes its place.

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
    lock = _LockFile(path)
    try:
        _wait_for(lock, path, wait_s)
        yield
    finally:
        lock.close()


class _LockFile(ProcessBound):
    """An open lock file. A forked child closes its copy, and the lock stays the parent's."""

    def __init__(self, path: Path) -> None:
        self._path, self._is_locked = path, False
        self._file: int | None = None
        try:
            self._open(path)
        except OSError as error:
            if error.errno not in _READ_ONLY or not path.parent.is_dir():
                raise
            self._open(_substitute(path))

    def _after_fork(self) -> None:
        self._is_locked = False
        self._close()

    def _open(self, path: Path) -> None:
        self._close()
        self._path, self._file = path, os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def take(self) -> bool:
        """Lock it, unless another holds it; one that was removed meanwhile is made anew."""
        assert self._file is not None, "a child does not take its parent's lock"
        try:
            self._is_locked = _take(self._file)
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                raise
            _warn_of_missing_locks(self._path.parent)
            self._open(_substitute(self._path))
            self._is_locked = _take(self._file)
        if self._is_locked and not self._is_in_place():
            self._open(self._path)
            return self.take()
        return self._is_locked

    def _is_in_place(self) -> bool:
        """Whether the locked file is still the one under its name."""
        assert self._file is not None
        with suppress(FileNotFoundError):
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        return False

    def close(self) -> None:
        """Release the lock."""
        if self._is_locked and self._file is not None:
            _let_go(self._file)
        self._close()


def _substitute(path: Path) -> Path:
    """Name the lock of this machine that stands for one that a folder cannot have."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    folder = Path(tempfile.gettempdir()) / f"zcrm-nb-locks-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{sha256(str(path.absolute()).encode()).hexdigest()[:32]}.lock"


@cache
def _warn_of_missing_locks(folder: Path) -> None:
    """Warn once for each folder."""
    warnings.warn(
        f"The file system of {folder} has no locks: only programs on this machine take turns. Set "
        "ZCRM_CONFIG_DIR to a folder on a local disk.",
        stacklevel=2,
    )


@contextmanager
def held(path: Path, busy: Callable[[], Exception]) -> Iterator[None]:
    """Hold a lock file while the block runs; where another holds it, raise what ``busy`` makes.

    Another process may hold it for a moment, only to look whether it is held.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait_s=GLANCE_S))
        except TimeoutError as taken:
            raise busy() from taken
        yield


def is_held(path: Path) -> bool:
    """Tell whether a lock file is held now.

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


def _wait_for(lock: _LockFile, path: Path, wait_s: float) -> None:
    """Try again and again: a blocking lock could not be interrupted."""
    deadline = time.monotonic() + wait_s
    while not lock.take():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{path} was held by another program for {wait_s:g} seconds")
        time.sleep(POLL_S)


@cache
def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder and below it, once for each process."""
    now = time.time()
    for path in folder.rglob("*"):
        with suppress(OSError):
            age_s = now - path.stat().st_mtime
            if age_s > HOUR_S and _UNFINISHED.fullmatch(path.name):
                path.unlink()
            elif age_s > DAY_S and path.suffix == ".lock" and sys.platform != "win32":
                _remove_lock(path)


def _remove_lock(path: Path) -> None:
    """Remove a lock file that is not held; who opened it meanwhile sees that it is gone."""
    with suppress(TimeoutError), locked(path, wait_s=0):
        path.unlink()


def append_line(
    path: Path, line: bytes, *, durable: bool = False, lock: AbstractContextManager[Any] = ALONE
) -> None:
    """Append a line to a file that several processes share.

    The file is opened each time, so that no descriptor is kept. O_APPEND writes a line whole on a
    local disk; on a network folder or Windows two may collide, and are skipped by the reader.
    ``durable`` waits for the disk; ``lock`` is held while the line is written.
    """
    file = os.open(path, _APPEND, 0o600)
    try:
        with lock:
            rest = memoryview(line)
            while rest:  # the system may take it in pieces
                rest = rest[os.write(file, rest) :]
        if durable:
            os.fsync(file)  # side by side with those of other threads
    finally:
        os.close(file)


def json_lines(content: bytes) -> Iterator[dict[str, Any]]:
    """Read lines of JSON objects; one that broke off, or is no object, is left out."""
    for line in content.split(b"\n"):
        with suppress(ValueError):
            value = orjson.loads(line)
            if isinstance(value, dict):
                yield value


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    write_whole(path, orjson.dumps(value))


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


# On Windows a file cannot be replaced while a program has it open, be it a virus scanner.
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
