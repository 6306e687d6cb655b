"""What a run of writing needs of the client, in one hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.api.writing.current_records import CurrentRecords

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["AT_ONCE", "WriteContext"]

AT_ONCE = 10  # calls with more than 10 records, and queries, for every edition


@dataclass(frozen=True, slots=True)
class WriteContext:
    """What a run needs.

    Parameters
    ----------
    send : callable
        Sends one call.
    catalogue : Catalogue
        The org's metadata.
    folder : Path
        Where notes about the org outlive the kernel.
    workers : int
        Calls at a time.
    clock : callable
        This machine's time, in seconds since 1970.
    ahead_s : callable
        How far that is ahead of Zoho's time, as far as anybody knows.
    sleep : callable
        Waits.
    download : callable
        Brings a file to the disk.
    shown : callable
        Shows how far work has come: a label and the number of rows give a block, which gives the
        function to tell rows to.
    make_report : callable
        Makes the report of a run, from these means, its journal, and what that tells.
    """

    send: Send
    catalogue: Catalogue
    folder: Path
    workers: int
    clock: Callable[[], float]
    ahead_s: Callable[[], float]
    sleep: Callable[[float], None]
    download: Callable[..., Path]
    shown: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
    make_report: Callable[[WriteContext, WriteJournal, Story], Report]

    def zoho(self) -> float:
        """Tell Zoho's time, in seconds since 1970."""
        return self.clock() - self.ahead_s()

    def there(self, module: str) -> CurrentRecords:
        """Give the reader of what a module holds now."""
        fields = self.catalogue.fields(module)
        return CurrentRecords(self.send, module, fields, min(self.workers, AT_ONCE))

    def report(self, journal: WriteJournal, story: Story | None = None) -> Report:
        """Make the report of a run as it stands now; its story need not be read if it is known."""
        return self.make_report(self, journal, story or journal.read())
