"""The reports of methods that change records: made, described, resolved and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.client.base import Base, warn_user
from zcrm_nb.errors import WriteError, WriteWarning
from zcrm_nb.frames import ReportActions
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from zcrm_nb.api.acting import finders
    from zcrm_nb.api.session import Tick
    from zcrm_nb.api.writing import context as write_context
    from zcrm_nb.api.writing import current_records, reports, resolve, undo, writes
    from zcrm_nb.api.writing.calls import WriteCall
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.client.base import Task
    from zcrm_nb.frames import Report
    from zcrm_nb.notebook.progress import Progress, ProgressCallback
else:
    (finders,) = later("zcrm_nb.api.acting", "finders")
    write_context, current_records, reports, resolve, undo, writes = later(
        "zcrm_nb.api.writing", "context", "current_records", "reports", "resolve", "undo", "writes"
    )

__all__ = ["Reporting"]


class Reporting(Base):
    """What changes records, and reports on each of them."""

    def journal(self) -> pd.DataFrame:
        """List the writes of the last 30 days, those of other kernels too.

        Returns
        -------
        DataFrame of shape (n_runs, 9)
            The oldest first: ``run`` (string), ``time`` (datetime64[s, UTC]), ``module``,
            ``action`` (string), ``rows``, ``done``, ``refused``, ``unknown``, ``undone`` (Int64).
            What a kernel had sent when it died, without an answer, is ``unknown``. A run whose
            notes cannot be read (a full disk, a kill) has the action ``damaged``.

        See Also
        --------
        report : Open the report of one of them.

        Notes
        -----
        No credits. The journal is in ``writes`` in the folder of this login's notes: a file for
        each run, with the records that were written and what they replaced, readable by its owner
        only. It holds no token and no secret. A run whose file was deleted cannot be resolved or
        undone. Without a saved login, the journal is deleted with this object.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> _ = crm.insert("Leads", {"Last_Name": "Osei"})
        >>> crm.journal()[["module", "action", "rows", "done", "unknown"]]
          module  action  rows  done  unknown
        0  Leads  insert     1     1        0
        >>> crm.close()
        """
        return reports.journal_table(self._folder)

    def report(self, run: str | None = None) -> Report:
        """Open the report of a run again, to resolve or undo it.

        Parameters
        ----------
        run : str, optional
            Name of the run, from :meth:`journal` or ``report.attrs["zcrm"]["run"]``. The last one
            by default.

        Returns
        -------
        Report
            As the run left it, with what was resolved since; the index is that of its input.

        Raises
        ------
        ValueError
            No such run.
        WriteError
            The notes of the run are damaged.

        Notes
        -----
        No credits.

        Examples
        --------
        >>> import zcrm_nb
        >>> crm = zcrm_nb.emulate()
        >>> _ = crm.insert("Leads", {"Last_Name": "Osei"})
        >>> crm.report().undo()["status"].tolist()
        ['done']
        >>> crm.close()
        """
        return self._report_of(reports.find(self._folder, run))

    def _write(
        self,
        work: Callable[[WriteContext], Report],
        label: str,
        progress: bool | ProgressCallback | Progress,
        *,
        raise_on_refused: bool = False,
        warns: bool = True,
        **facts: Any,
    ) -> Report:
        """Write under progress, and warn of what has to be looked after."""

        def run(task: Task) -> Report:
            report = work(self._context(task))
            is_lost = (report["status"] == "unknown") & (report["code"] == "NO_ANSWER")
            unknown = int(is_lost.sum())
            if unknown and warns:
                task.warn(_unknown(report, label, unknown))
            return report

        report = self._run(run, label, progress, **{"query": label, "route": "rest", **facts})
        if raise_on_refused and len(report.failed):
            raise _not_all(report, label)
        return report

    def _act(
        self,
        calls: Sequence[WriteCall],
        label: str,
        progress: bool | ProgressCallback,
        **options: Any,
    ) -> Report:
        """Carry out calls; ``options`` as of :func:`zcrm_nb.api.writing.writes.carry_out`."""
        return self._write(
            lambda context: writes.carry_out(context, calls, **options), label, progress
        )

    def _context(self, tick: Tick) -> WriteContext:
        """Return what a run of writing needs."""
        gate, catalogue, workers = self._gate, self._catalogue, self._gate.workers
        return write_context.WriteContext(
            gate.send,
            catalogue,
            workers,
            tick,
            gate.clock,
            gate.sleep,
            folder=self._folder,
            zoho=lambda: gate.clock() - gate.ahead_s,
            there=lambda module: current_records.CurrentRecords(
                gate.send, module, catalogue.fields(module), min(workers, write_context.AT_ONCE)
            ),
            download=gate.download,
            warn=lambda text: warn_user(WriteWarning(text)),
            report=self._report_of,
        )

    def _report_of(self, journal: WriteJournal, story: Story | None = None) -> Report:
        """Make the report of a run, which can resolve and undo itself."""

        def resolved(*, wait_s: float = 10.0) -> Report:
            return self._write(
                lambda context: resolve.resolve(context, journal, finders.FINDERS, wait_s=wait_s),
                f"resolving run {journal.run}",
                progress=True,
                warns=False,
            )

        def undone(report: Report, *, force: bool = False) -> Report:
            return self._write(
                lambda context: undo.undo(context, journal, report, force=force),
                f"undo in {journal.header['module']}",
                progress=True,
            )

        return (story or journal.read()).report(ReportActions(resolved, undone))


def _unknown(report: Report, label: str, count: int) -> WriteWarning:
    """Make the warning for rows whose outcome is unknown."""
    rows = f"{count:,} row{'s'[: count != 1]}"
    warning = WriteWarning(
        f"{label}: The outcome of {rows} is unknown (no response). Run report.resolve() to check."
    )
    warning.report = report
    return warning


def _not_all(report: Report, label: str) -> WriteError:
    """Make the error for a write that did not go through for every row."""
    first, run = report.failed.iloc[0], report.attrs["zcrm"]["run"]
    error = WriteError(
        f"{label}: {len(report.failed):,} of {len(report):,} rows are not done.",
        f"The first is row {report.failed.index[0]}: {first['code']}, {first['message']}",
        f"The error's .report has each row, and so has crm.report({run!r}).",
    )
    error.report = report
    return error
