"""What a run of writing needs of the client, handed down as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.api.session import Session
from zcrm_nb.api.writing.current_records import CurrentRecords

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["AT_ONCE", "WriteContext"]

AT_ONCE = 10  # calls with more than 10 records, and queries, for every edition


@dataclass(frozen=True, kw_only=True)
class WriteContext(Session):
    """A session that writes.

    Parameters
    ----------
    folder : Path
        Where notes about the org outlive the kernel.
    ahead_s : callable
        How far this machine's clock is ahead of Zoho's, in seconds.
    download : callable
        Downloads a file.
    warn : callable
        Gives a warning at the line of the user's code.
    report : callable
        Makes the report of a run from its journal, and what that says if it need not be read.
    """

    folder: Path
    ahead_s: Callable[[], float]
    download: Callable[..., Path]
    warn: Callable[[str], None]
    report: Callable[[WriteJournal, Story | None], Report]

    def zoho(self) -> float:
        """Return Zoho's time, in seconds since 1970."""
        return self.clock() - self.ahead_s()

    def there(self, module: str) -> CurrentRecords:
        """Return the reader of what a module holds now."""
        fields = self.catalogue.fields(module)
        return CurrentRecords(self.send, module, fields, min(self.workers, AT_ONCE))
