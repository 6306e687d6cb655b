"""The reports of methods that change records: made, described, resolved and undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.acting.finders import FINDERS
from zcrm_nb.api.writing.context import AT_ONCE, WriteContext
from zcrm_nb.api.writing.current_records import CurrentRecords
from zcrm_nb.api.writing.resolve import resolve
from zcrm_nb.api.writing.run import carry_out
from zcrm_nb.api.writing.undo import undo
from zcrm_nb.client.base import Base, warn_user
from zcrm_nb.errors import WriteError, WriteWarning
from zcrm_nb.frames import ReportActions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zcrm_nb.api.session import Tick
    from zcrm_nb.api.writing.calls import WriteCall
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.client.base import Task
    from zcrm_nb.frames import Report
    from zcrm_nb.notebook.progress import Progress, Told

__all__ = ["Reporting"]


class Reporting(Base):
    """What changes records, and reports on each of them."""

    def _write(
        self,
        work: Callable[[WriteContext], Report],
        label: str,
        progress: bool | Told | Progress,
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
        progress: bool | Told,
        **options: Any,
    ) -> Report:
        """Carry out calls; ``options`` as of :func:`zcrm_nb.api.writing.run.carry_out`."""
        return self._write(lambda context: carry_out(context, calls, **options), label, progress)

    def _context(self, tick: Tick) -> WriteContext:
        """Return what a run of writing needs."""
        gate, catalogue, workers = self._gate, self._catalogue, self._gate.workers
        return WriteContext(
            gate.send,
            catalogue,
            workers,
            tick,
            gate.clock,
            gate.sleep,
            folder=self._folder,
            zoho=lambda: gate.clock() - gate.ahead_s,
            there=lambda module: CurrentRecords(
                gate.send, module, catalogue.fields(module), min(workers, AT_ONCE)
            ),
            download=gate.download,
            warn=lambda text: warn_user(WriteWarning(text)),
            report=self._report_of,
        )

    def _report_of(self, journal: WriteJournal, story: Story | None = None) -> Report:
        """Make the report of a run, which can resolve and undo itself."""

        def resolved(*, wait_s: float = 10.0) -> Report:
            return self._write(
                lambda context: resolve(context, journal, FINDERS, wait_s=wait_s),
                f"resolving run {journal.run}",
                progress=True,
                warns=False,
            )

        def undone(report: Report, *, force: bool = False) -> Report:
            return self._write(
                lambda context: undo(context, journal, report, force=force),
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
