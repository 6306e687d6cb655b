"""One writer at a time for the target of an export, whatever kernel, login or thread it is."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from zcrm_nb.errors import JobError
from zcrm_nb.state.files import held

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["target_lock"]


@contextmanager
def target_lock(target: str, module: str, now: float) -> Iterator[None]:
    """Hold the target of an export while the block lasts; ``JobError`` says who holds it.

    Notes
    -----
    The lock lies in this machine's folder for temporary files, where kernels with different logins
    meet and a target without locks of its own, such as an object store, has one too. Kernels of two
    machines are not kept apart.
    """
    path = _lock_path(target)
    path.parent.mkdir(mode=0o700, exist_ok=True)

    def busy() -> JobError:
        return JobError(
            f"Another export is writing to {target}: {_holder(path)}.",
            todo="Wait for it to end, or name another target.",
        )

    with held(path, busy):
        since = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
        path.write_text(
            f"{module}, by process {os.getpid()} of {_user()} since {since}", encoding="utf-8"
        )
        yield


def _lock_path(target: str) -> Path:
    """Return the lock of a target: the same for every way to write its address."""
    address = target if "://" in target else str(Path(target).expanduser().resolve())
    name = blake2b(address.rstrip("/").encode(), digest_size=16).hexdigest()
    return Path(tempfile.gettempdir(), f"zcrm-nb-locks-{_user()}", f"{name}.lock")


def _holder(path: Path) -> str:
    """Return what the holder wrote; on Windows a locked file cannot be read."""
    try:
        return path.read_text(encoding="utf-8") or "it has just begun"
    except OSError:
        return "another kernel or program on this machine"


def _user() -> str:
    """Return the name of this user, as far as the system knows one."""
    try:
        import getpass  # noqa: PLC0415 - slow to load, rarely needed

        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
