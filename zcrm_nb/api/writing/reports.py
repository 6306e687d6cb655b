"""From a journal to a report that knows how to resolve and undo itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from zcrm_nb.api.writing.journal import runs
from zcrm_nb.api.writing.resolve import resolve
from zcrm_nb.api.writing.undo import undo
from zcrm_nb.frames import Column, to_frame, to_report
from zcrm_nb.frames.report import ReportActions, unpack_index

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["find", "journal_table", "report_of"]

FACTS = ("run", "module", "action", "org", "time", "trigger", "undoable")
RUN_COLUMNS = [
    Column("run", "text"),
    Column("time", "datetime"),
    Column("module", "text"),
    Column("action", "text"),
    *(Column(name, "integer") for name in ("rows", "done", "refused", "unknown", "undone")),
]


def report_of(means: WriteContext, journal: WriteJournal, story: Story) -> Report:
    """Make the report of a run."""
    way = ReportActions(partial(resolve, means, journal), partial(undo, means, journal))
    facts = {key: story.header.get(key) for key in FACTS}
    if story.jobs:
        facts["jobs"] = [each["job"] for each in story.jobs.values()]
    return to_report(unpack_index(story.header["index"]), story.rows, facts=facts, way=way)


def journal_table(folder: Path) -> pd.DataFrame:
    """List the runs of writing that an org's folder knows of, the oldest first."""
    return to_frame([[journal.read().summary for journal in runs(folder)]], RUN_COLUMNS)


def find(folder: Path, run: str | None) -> WriteJournal:
    """Find the journal of a run, of one of Zoho's jobs, or of the last run; or ``ValueError``."""
    known = {journal.run: journal for journal in runs(folder)}
    if run is None and known:
        return known[max(known)]
    if run in known:
        return known[run]
    for journal in known.values() if run else ():
        if run in {each["job"] for each in journal.read().jobs.values()}:
            return journal
    raise ValueError(
        f"No run or job {run!r} is known here; crm.journal() lists them."
        if run
        else "Nothing has been written yet, as far as this folder knows."
    )
