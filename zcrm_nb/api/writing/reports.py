"""The runs of writing that are known: their list, and finding one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.journal import runs
from zcrm_nb.frames import Column, column_for, to_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from zcrm_nb.api.writing.journal import WriteJournal
    from zcrm_nb.coql.fields import Field

__all__ = ["before_table", "find", "journal_table", "moved_table"]

RUN_COLUMNS = [
    Column("run", "text"),
    Column("time", "datetime"),
    Column("module", "text"),
    Column("action", "text"),
    *(Column(name, "integer") for name in ("rows", "done", "refused", "unknown", "undone")),
]


def journal_table(folder: Path) -> pd.DataFrame:
    """List the runs of writing that an org's folder knows of, the oldest first."""
    return to_frame([[_line(journal) for journal in runs(folder)]], RUN_COLUMNS)


def before_table(journal: WriteJournal, fields: Mapping[str, Field]) -> pd.DataFrame:
    """Return the records as they were before a run, typed by their fields."""
    records = list(journal.read().before.values())
    names = dict.fromkeys(name for record in records for name in record if name in fields)
    columns = [column_for(fields[name]) for name in names if name != "id"]
    return to_frame([records], [Column("id", "text"), *columns])


def moved_table(journal: WriteJournal) -> pd.DataFrame:
    """Return what hung on the records that a run merged."""
    columns = [Column(name, "text") for name in ("id", "related_list", "related_id")]
    return to_frame([journal.read().moved], columns)


def _line(journal: WriteJournal) -> dict[str, Any]:
    """Describe a run; of a damaged journal, only its name."""
    if journal.is_damaged:
        return {"run": journal.run, "action": "damaged"}
    return journal.read().summary


def find(folder: Path, run: str | None) -> WriteJournal:
    """Find the journal of a run, of one of Zoho's jobs, or of the last run; or ``ValueError``."""
    known = {journal.run: journal for journal in runs(folder)}
    if run in known:
        return known[run]
    whole = [journal for journal in known.values() if not journal.is_damaged]
    if run is None and whole:
        return whole[-1]
    for journal in whole if run else ():
        if run in {each["job"] for each in journal.read().jobs.values()}:
            return journal
    raise ValueError(
        f"No run or job {run!r} is known here; crm.journal() lists them."
        if run
        else "No write is known in this folder yet."
    )
