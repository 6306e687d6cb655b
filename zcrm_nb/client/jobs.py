"""Bulk jobs that outlive the kernel: listed, shown and continued."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.client.writing import Writing
from zcrm_nb.frames import to_frame
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from zcrm_nb.api.exporting import exports, job_store
    from zcrm_nb.api.exporting import question as export_question
    from zcrm_nb.api.exporting import session as export_sessions
    from zcrm_nb.api.exporting.job_store import JobRecord, JobStore
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.writing import bulk_write
    from zcrm_nb.client.base import Task
    from zcrm_nb.notebook.job_tray import tray as job_tray
    from zcrm_nb.notebook.job_tray.tray import Tray
    from zcrm_nb.notebook.progress import ProgressCallback
else:
    exports, job_store, export_question, export_sessions = later(
        "zcrm_nb.api.exporting", "exports", "job_store", "question", "session"
    )
    (bulk_write,) = later("zcrm_nb.api.writing", "bulk_write")
    (job_tray,) = later("zcrm_nb.notebook.job_tray", "tray")

__all__ = ["BulkJobs", "Job"]


class BulkJobs(Writing):
    """What lists bulk jobs and continues them."""

    @property
    def _job_store(self) -> JobStore:
        """Where exports are written down."""
        return job_store.JobStore(self._folder, self._gate.clock)

    @property
    def _export_session(self) -> ExportSession:
        """What the export functions need of this object."""
        return export_sessions.export_session(self._session, self._gate, self._folder)

    def jobs(self) -> pd.DataFrame:
        """List the bulk jobs begun with this login, from any notebook, the newest first.

        Returns
        -------
        DataFrame of shape (n_exports, 12)
            One line for each export, however many jobs of Zoho's it takes: ``id`` (for
            :meth:`job`), ``module``, ``operation``, ``asked`` (for what, in words), ``state``,
            ``rows``, ``parts`` (jobs requested), ``files`` (downloaded), ``created``,
            ``age_minutes``, ``expires`` (when Zoho deletes the first result), ``zoho_ids`` (a list
            of str). States: ``waiting`` (running at Zoho, or more parts to request), ``ready`` (all
            can be downloaded), ``downloaded``, ``done`` (of a write), ``failed``, ``expired``,
            ``unclear`` (requested, but the kernel died before Zoho's reply was read) and
            ``damaged`` (the note cannot be read).

        Notes
        -----
        No credits: it lists what is noted on this computer. :meth:`job` asks Zoho; for a write,
        :meth:`report` does, with the same id. Zoho itself has no list of jobs.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.jobs()[["id", "state", "parts", "files"]]
                id       state  parts  files
        0  Deals-1  downloaded      1      1
        >>> crm.close()
        """
        return to_frame([self._job_lines()], job_store.JOB_COLUMNS)

    def job_tray(self) -> Tray:
        """Show the bulk jobs, and continue them by a click.

        Returns
        -------
        Tray
            What :meth:`jobs` lists, as a table that keeps up to date at the end of a cell, with a
            button at each job that can be continued. In a saved notebook it is a static table, in a
            terminal text.

        See Also
        --------
        jobs : The same as a DataFrame.
        job : What a click does, in code.

        Notes
        -----
        Showing costs no credits. A job that is continued costs what :meth:`job` says; it runs in
        the background. An ``unclear`` export has no button, because it might be paid for twice.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(rows={"Deals": 40}, clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.job_tray()
        Bulk jobs: 1 downloaded; as of 2026-09-15 03:30 UTC
          Deals-1  downloaded         40 rows  started just now, kept by Zoho for 24 h; Stage
        >>> crm.close()
        """
        tray = job_tray.Tray(self._job_lines, self._taken_up, self._gate.clock)
        self._trays.add(tray)
        return tray

    def _job_lines(self) -> list[dict[str, Any]]:
        """Return the rows of the bulk jobs that are noted, the newest first."""
        lines = self._job_store.rows() + bulk_write.bulk_runs(self._folder, self._gate.clock())
        return sorted(lines, key=lambda line: line["created"], reverse=True)

    def _taken_up(self, id: str, tick: Callable[..., None], say: Callable[..., None]) -> str:  # noqa: A002
        """Download what is missing of an export; of a write, ask how far it is."""
        if any(line["id"] == id and line["operation"] == "write" for line in self._job_lines()):
            return self.report(id).resolve()._summary()
        record = self._job_store.find(id)
        facts = {"query": export_question.query_text(record.question), "route": "bulk"}
        with self._noted(record.module, facts) as note:
            text = exports.fetch(replace(self._export_session, tick=tick), record, say=say)
            note["rows"] = self._job_store.find(id).rows
        return text

    def job(self, id: str) -> Job:  # noqa: A002 - the column of crm.jobs()
        """Find an export that was begun before, to continue it.

        Parameters
        ----------
        id : str
            Its id in :meth:`jobs`, or Zoho's id of one of its jobs.

        Returns
        -------
        Job
            Its :meth:`Job.df` continues it and returns the table.

        Raises
        ------
        JobError
            There is no note of it, or the note is damaged.

        Examples
        --------
        >>> import zcrm_nb
        >>> from zcrm_nb.emulator import ManualClock
        >>> crm = zcrm_nb.emulate(clock=ManualClock())
        >>> _ = crm.bulk("Deals", ["Stage"])
        >>> crm.job("Deals-1").df().shape == crm.records("Deals", ["Stage"]).shape
        True
        >>> crm.close()
        """
        return Job(self, self._job_store.find(id).id)

    def _exported(
        self,
        work: Callable[[ExportSession, Task], pd.DataFrame],
        question: Mapping[str, Any],
        progress: bool | ProgressCallback,
    ) -> pd.DataFrame:
        """Make the table of an export under progress."""
        shown = Progress(question["module"], show=progress, unit="part")
        return self._run(
            lambda task: work(replace(self._export_session, tick=task), task),
            question["module"],
            shown,
            query=export_question.query_text(question),
            route="bulk",
        )


class Job:
    """One bulk export, as it is noted on this computer; made by :meth:`CRM.job`.

    Parameters
    ----------
    crm : BulkJobs
        The CRM it belongs to.
    id : str
        Its id in ``crm.jobs()``.
    """

    def __init__(self, crm: BulkJobs, id: str) -> None:  # noqa: A002 - as in crm.jobs()
        self._crm, self.id = crm, id

    @property
    def state(self) -> str:
        """How far it is, as last noted; see :meth:`CRM.jobs`. Nothing is sent."""
        return self._noted.state(self._crm._gate.clock())

    @property
    def rows(self) -> int:
        """How many records its jobs have so far."""
        return self._noted.rows

    def df(
        self,
        *,
        tz: str = "UTC",
        exact: bool = False,
        ask_again: bool = False,
        progress: bool | ProgressCallback = True,
    ) -> pd.DataFrame:
        """Continue it where it ended, and return the table.

        Parameters
        ----------
        tz : str, default "UTC"
            Time zone of datetime columns: an IANA name, or ``"org"`` for the org's own.
        exact : bool, default False
            Exact decimals instead of float64.
        ask_again : bool, default False
            Request a job again of which it is unknown whether Zoho accepted it (state ``unclear``):
            50 credits, possibly for the second time.
        progress : bool or callable, default True
            As in :meth:`CRM.bulk`.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            What :meth:`CRM.bulk` would have given.

        Raises
        ------
        JobError
            It failed, has expired, is unclear, or is running in another notebook.
        """
        record, zone = self._noted, self._crm._zone(tz)

        def work(session: ExportSession, task: Task) -> pd.DataFrame:
            return exports.job_table(
                session, record, task=task, tz=zone, exact=exact, ask_again=ask_again
            )

        return self._crm._exported(work, record.question, progress)

    def forget(self) -> None:
        """Delete its files and its note on this computer; Zoho deletes its own after a day.

        Raises
        ------
        JobError
            It is running in another notebook.
        """
        with self._crm._job_store.lock(self._noted):
            self._crm._job_store.delete(self._noted)

    @property
    def _noted(self) -> JobRecord:
        """What is noted now, perhaps by another notebook."""
        return self._crm._job_store.find(self.id)

    def __repr__(self) -> str:
        return f"<Job {self.id}: {self.state}, {self.rows:,} rows>"
