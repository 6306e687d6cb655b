"""What a run of writing needs of the client, handed down as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.current_records import CurrentRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.writing.journal import Batch, Story, WriteJournal
    from zcrm_nb.frames import Report
    from zcrm_nb.frames.report import Outcome

    Finder = Callable[["WriteContext", Batch, Sequence[str]], Mapping[str, Mapping[str, Any]]]

__all__ = ["AT_ONCE", "WriteContext"]

AT_ONCE = 10  # calls with more than 10 records, and queries, for every edition


@dataclass(frozen=True, slots=True)
class WriteContext:
    """What a run needs of the client.

    Parameters
    ----------
    send, catalogue, workers, clock, sleep
        As in a session.
    folder : Path
        Where notes about the org outlive the kernel.
    ahead_s : callable
        How far this machine's clock is ahead of Zoho's, in seconds.
    download : callable
        Downloads a file.
    progress : callable
        Shows progress: a label and the number of rows give a block, which gives the function to
        report rows to.
    warn : callable
        Gives a warning at the line of the user's code.
    make_report : callable
        Makes the report of a run, from this context, its journal, and what that says.
    finders : mapping
        How the lost answers of other actions than insert, update, upsert, delete and restore are
        found again, by action: context, batch and ids give what is known of those that are done.
    follow_job : callable
        Waits for a job that Zoho made of a call; gives the outcomes of its rows.
    """

    send: Send
    catalogue: Catalogue
    folder: Path
    workers: int
    clock: Callable[[], float]
    ahead_s: Callable[[], float]
    sleep: Callable[[float], None]
    download: Callable[..., Path]
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
    warn: Callable[[str], None]
    make_report: Callable[[WriteContext, WriteJournal, Story], Report]
    finders: Mapping[str, Finder]
    follow_job: Callable[[WriteContext, Batch, str, float], list[Outcome]]

    def zoho(self) -> float:
        """Return Zoho's time, in seconds since 1970."""
        return self.clock() - self.ahead_s()

    def there(self, module: str) -> CurrentRecords:
        """Return the reader of what a module holds now."""
        fields = self.catalogue.fields(module)
        return CurrentRecords(self.send, module, fields, min(self.workers, AT_ONCE))

    def report(self, journal: WriteJournal, story: Story | None = None) -> Report:
        """Make the report of a run as it stands now; its story need not be read if it is known."""
        return self.make_report(self, journal, story or journal.read())
