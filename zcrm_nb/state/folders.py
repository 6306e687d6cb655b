"""Where logins and notes are kept: a folder that only its owner may enter."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import gettempdir, mkdtemp

from zcrm_nb.state.files import DAY_S, sweep

__all__ = [
    "config_folder",
    "private_folder",
    "remove_own",
    "temporary_folder",
    "usable_folder",
]

_TEMPORARY = re.compile(r"zcrm-nb-(\d+)-\w+")


def config_folder() -> Path:
    """Find the folder of this user's logins, and of what is noted about each.

    ``ZCRM_CONFIG_DIR`` if that is set; absolute from the first call on, so that a later ``%cd``
    changes nothing. Without a home that can be written to, a temporary folder.
    """
    names = ("ZCRM_CONFIG_DIR", "HOME", "XDG_CONFIG_HOME", "APPDATA")
    return _config_folder(*(os.environ.get(name, "").strip() for name in names))


@cache
def _config_folder(named: str, *home: str) -> Path:
    """Find the folder, once for each setting."""
    folder = Path(os.path.expandvars(named)).expanduser() if _has_home(named) else Path(named)
    if not named:
        from platformdirs import user_config_dir  # noqa: PLC0415 - not for ZCRM_CONFIG_DIR

        with suppress(RuntimeError):
            folder = Path(user_config_dir("zcrm_nb", appauthor=False))
    if str(folder).startswith("~") or not (named or folder.is_absolute()):
        return _fallback("this user's home folder")
    return folder.absolute() if named or _can_be_made(folder) else _fallback(str(folder))


def _has_home(named: str) -> bool:
    """Tell whether a ``~`` in front can be expanded."""
    with suppress(RuntimeError):
        Path(named).expanduser()
        return True
    return False


def _can_be_made(folder: Path) -> bool:
    """Tell whether a folder exists or can be made; a read-only one can be read."""
    if folder.is_dir():
        return True
    above = next((each for each in folder.parents if each.exists()), folder)
    return above.is_dir() and os.access(above, os.W_OK | os.X_OK)


def private_folder(folder: Path) -> Path:
    """Make a folder, and what is missing above it, for its owner only."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder


def usable_folder(folder: Path) -> Path:
    """Make a folder for notes; where that cannot be, give a temporary one in its place."""
    with suppress(OSError):
        private_folder(folder)
        if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
            sweep(folder)
            return folder
    return private_folder(_fallback(str(folder)) / folder.name)


@cache
def _fallback(instead_of: str) -> Path:
    """Make a temporary folder, and warn once for each folder that it replaces."""
    warnings.warn(
        f"zcrm_nb cannot write to {instead_of}: logins and notes of this session are kept in a "
        "temporary folder and end with it. Set ZCRM_CONFIG_DIR to a folder that you can write to.",
        stacklevel=2,
    )
    folder = temporary_folder()
    atexit.register(remove_own, folder, os.getpid())
    return folder


def temporary_folder() -> Path:
    """Make a folder of this process; those of killed processes are removed on the way."""
    with suppress(OSError):
        for each in Path(gettempdir()).glob("zcrm-nb-*"):
            if (owner := _TEMPORARY.fullmatch(each.name)) and _is_abandoned(each, int(owner[1])):
                shutil.rmtree(each, ignore_errors=True)
    return Path(mkdtemp(prefix=f"zcrm-nb-{os.getpid()}-"))


def _is_abandoned(folder: Path, pid: int) -> bool:
    """Tell whether a folder is ours, a day old, and its process has ended."""
    facts = folder.stat()
    if os.name == "nt" or facts.st_uid != os.getuid() or time.time() - facts.st_mtime < DAY_S:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def remove_own(folder: Path, pid: int) -> None:
    """Remove a folder of this process; a forked child leaves it alone."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
