"""What a run of writing needs of the client, handed down as one argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.api.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["AT_ONCE", "WriteContext"]

AT_ONCE = 10  # calls with more than 10 records, and queries, for every edition


@dataclass(frozen=True, kw_only=True)
class WriteContext(Session):
    """A session that writes.

    ``folder`` is where notes about the org outlive the kernel; ``zoho`` gives Zoho's time, in
    seconds since 1970; ``there`` makes the reader of what a module holds now; ``download`` brings a
    file to the disk; ``warn`` gives a warning at the line of the user's code; ``report`` makes the
    report of a run from its journal, and from what that says if it need not be read.
    """

    folder: Path
    zoho: Callable[[], float]
    there: Callable[[str], CurrentRecords]
    download: Callable[..., Path]
    warn: Callable[[str], None]
    report: Callable[[WriteJournal, Story | None], Report]
