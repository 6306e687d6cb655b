"""A folder that one feed of one process has to itself, and that the next kernel finds again."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.state.files import locked, write_json
from zcrm_nb.state.folders import private_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderLease"]


class FolderLease:
    """Notes that outlive the kernel, kept by one process at a time.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.folder_lease import FolderLease
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mine, yours = FolderLease(Path(folder), "Deals"), FolderLease(Path(folder), "Deals")
    ...     mine.folder.name, yours.folder.name
    ...     mine.close(), yours.close()
    ('Deals', 'Deals-2')
    (None, None)
    """

    def __init__(self, parent: Path, name: str) -> None:
        private_folder(parent)
        self._held = ExitStack()
        for number in count(1):
            own = name if number == 1 else f"{name}-{number}"
            try:
                self._held.enter_context(locked(parent / f"{own}.lock", wait_s=0))
            except TimeoutError:
                continue
            self.folder, self.is_first = parent / own, number == 1
            break
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def notes(self) -> dict[str, Any]:
        """Read what was noted; empty where nothing readable was."""
        with suppress(OSError, ValueError):
            found = orjson.loads((self.folder / "notes.json").read_bytes())
            return found if isinstance(found, dict) else {}
        return {}

    def note(self, notes: dict[str, Any]) -> None:
        """Note it, in place of what stood there."""
        write_json(self.folder / "notes.json", notes)

    def close(self) -> None:
        """Let another process have it."""
        self._held.close()
