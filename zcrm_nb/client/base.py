"""What every storey of the CRM object stands on: the way to Zoho, and what is known of the org."""

from __future__ import annotations

import inspect
import os
import warnings
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet, finalize

import pandas as pd

from zcrm_nb import frames
from zcrm_nb.api.metadata import Catalogue
from zcrm_nb.api.session import Session
from zcrm_nb.errors import WriteError, WriteWarning
from zcrm_nb.later import later
from zcrm_nb.notebook.progress import Progress
from zcrm_nb.state.files import ProcessBound
from zcrm_nb.state.folders import remove_own, temporary_folder, usable_folder
from zcrm_nb.state.query_log import QueryLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zcrm_nb.api.acting import finders
    from zcrm_nb.api.listening.channels import Channel
    from zcrm_nb.api.listening.feed import Feed
    from zcrm_nb.api.session import TableRequest, Tick
    from zcrm_nb.api.writing import context as write_context
    from zcrm_nb.api.writing import current_records, reports, resolve, undo, writes
    from zcrm_nb.api.writing.calls import WriteCall
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.auth.vault import Vault
    from zcrm_nb.frames import Report
    from zcrm_nb.notebook.job_tray.tray import Tray
    from zcrm_nb.notebook.progress import ProgressCallback
    from zcrm_nb.wire.gate import Gate
    from zcrm_nb.wire.messages import Call
else:
    (finders,) = later("zcrm_nb.api.acting", "finders")
    write_context, current_records, reports, resolve, undo, writes = later(
        "zcrm_nb.api.writing", "context", "current_records", "reports", "resolve", "undo", "writes"
    )

__all__ = [
    "Base",
    "Reporting",
    "Task",
    "check_argument_order",
    "warn_user",
]

Frame = TypeVar("Frame", bound="pd.DataFrame")
_PACKAGE = str(Path(__file__).parents[1])


class Task:
    """Work under way: called with the rows that have just come, it shows progress."""

    tick: Callable[..., None]

    def __init__(self, progress: Progress) -> None:
        self.warnings: list[Warning] = []
        self._progress = progress

    def __call__(self, rows: int, pages: int = 1) -> None:
        """Count rows that have just come."""
        self.tick(rows, pages)

    def say(self, words: str, *, stay: bool = False) -> None:
        """Show in words what is going on."""
        self._progress.say(words, stay=stay)

    def warn(self, warning: Warning) -> None:
        """Give a warning once the work is done and its result is safe."""
        self.warnings.append(warning)


def warn_user(warning: Warning) -> None:
    """Give a warning at the line that called this package, however deep that is."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level + 1)


class Base(ProcessBound):
    """The parts that all methods share.

    Parameters
    ----------
    gate : zcrm_nb.wire.gate.Gate
        The way to Zoho: every call passes through it.
    kept : tuple of (Vault, str), optional
        The vault that keeps this login, and the name of its profile there.
    folder : Path, optional
        Where notes about this org outlive the kernel: jobs, journals, the ledger. Nothing is made
        there before there is something to note. By default a folder that goes with this object.
    """

    def __init__(
        self, gate: Gate, *, kept: tuple[Vault, str] | None = None, folder: Path | None = None
    ) -> None:
        self._gate = gate
        self._kept = kept
        self._catalogue = Catalogue(gate.send, gate.clock)

        self._watched: dict[str, Channel] = {}
        self._feeds: WeakSet[Feed] = WeakSet()
        self._trays: WeakSet[Tray] = WeakSet()
        self._own_folder: Path | None = None
        self._keep_notes(folder)

    def _keep_notes(self, folder: Path | None) -> None:
        """Keep notes in a folder from now on: others' there count, one's own outlive the kernel."""
        self._kept_folder = folder
        self._gate.ledger.keep(folder)
        self._history = QueryLog(folder)

    @property
    def _folder(self) -> Path:
        """The folder for notes about this org; there when this returns."""
        if self._kept_folder is not None:
            self._kept_folder = usable_folder(self._kept_folder)
            return self._kept_folder
        if self._own_folder is None:
            self._own_folder = temporary_folder()
            finalize(self, remove_own, self._own_folder, os.getpid())
        return self._own_folder

    def _after_fork(self) -> None:
        """Leave the folder to the parent, and its feeds, whose threads are not here."""
        self._own_folder = None
        self._feeds, self._trays = WeakSet(), WeakSet()

    def _zone(self, tz: str) -> str:
        """Return an IANA zone, the org's own for ``"org"``."""
        return self._catalogue.zone(tz)

    @property
    def _session(self) -> Session:
        """What the API functions need of this object."""
        gate = self._gate
        return Session(gate.send, self._catalogue, gate.workers, clock=gate.clock, sleep=gate.sleep)

    def _table(self, request: TableRequest, progress: bool | ProgressCallback) -> pd.DataFrame:
        """Fetch a table under progress."""

        def fetch(tick: Callable[[int], None]) -> pd.DataFrame:
            return request.fetch(replace(self._session, tick=tick))

        return self._run(fetch, request.label, progress, **request.facts)

    def _run(
        self,
        work: Callable[[Task], Frame],
        label: str,
        progress: bool | ProgressCallback | Progress,
        **facts: Any,
    ) -> Frame:
        """Do the work of one method: with progress, facts, warnings, and a line of history.

        What the table itself has in ``attrs["zcrm"]`` counts before ``facts``. A table that is
        complete is not lost by what goes wrong afterwards: the error has it, as a write error has
        its report.
        """
        shown = progress if isinstance(progress, Progress) else Progress(label, show=progress)
        task, note = Task(shown), dict[str, Any]()
        table: Frame | None = None
        try:
            with self._noted(label, facts) as note, shown as task.tick:
                table = work(task)
                facts |= table.attrs.get("zcrm", {})
                if types := self._catalogue.forecast_types(str(facts.get("module")), table):
                    facts["forecast_types"] = types
                query = str(facts.get("query", note["query"]))
                note |= {"rows": len(table), "route": facts.get("route"), "query": query}
        except BaseException as error:
            if getattr(error, "report", None) is not None:
                self._describe(error.report, {**facts, **error.report.attrs["zcrm"]}, note)  # type: ignore[attr-defined]
            elif table is not None:
                self._describe(table, facts, note)
                error.table = table  # type: ignore[attr-defined]
            raise
        self._describe(table, facts, note)
        for warning in task.warnings:
            warn_user(warning)
        return table

    def _describe(
        self, table: pd.DataFrame, facts: Mapping[str, Any], note: Mapping[str, Any]
    ) -> None:
        """Write into a table where it came from and what it cost."""
        org = (self._catalogue.known("org") or {}).get("id")
        measured = {"time": note["time"], "credits": note["credits"]}
        table.attrs["zcrm"] = {"org": org, **measured, **facts, **measured}

    @contextmanager
    def _noted(self, what: str, facts: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Note a question when it is over, however it ends."""
        started = self._gate.clock()
        note: dict[str, Any] = {
            "time": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "what": what,
            "query": str(facts.get("query", "")),
            "route": facts.get("route"),
            "outcome": "done",
        }
        with self._gate.trace() as calls:
            try:
                yield note
            except BaseException as error:
                note["outcome"] = type(error).__name__
                if type(error) is KeyboardInterrupt:
                    error.add_note(_cost(calls))
                raise
            finally:
                note |= {
                    "calls": len(calls),
                    "credits": sum(call.credits for call in calls),
                    "seconds": round(self._gate.clock() - started, 3),
                }
                self._history.note(note)


def _cost(calls: Sequence[Call]) -> str:
    """Say what a reading method that was stopped has cost."""
    spent = [(len(calls), "call"), (sum(call.credits for call in calls), "credit")]
    words = ", ".join(f"{number:,} {word}{'s'[: number != 1]}" for number, word in spent)
    return f"Stopped: {words}; no rows were kept."


# ---- Writing, and its reports --------------------------------------------------------------------


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

        def before() -> pd.DataFrame:
            return reports.before_table(journal, self._catalogue.fields(journal.header["module"]))

        actions = frames.ReportActions(
            resolved, undone, before, lambda: reports.moved_table(journal)
        )
        return (story or journal.read()).report(actions)


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


# ---- Arguments in the wrong order ----------------------------------------------------------------


Class = TypeVar("Class", bound="type[Base]")
_TABLES = ("DataFrame", "Series", "RecordIds", "Source", "Any")


def check_argument_order(cls: Class) -> Class:
    """Let the public methods of a class refuse positional arguments that were swapped."""
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        parameters = list(inspect.signature(method).parameters.values())[1:]
        positional = {
            each.name: str(each.annotation)
            for each in parameters
            if each.kind is each.POSITIONAL_OR_KEYWORD
        }
        if not name.startswith("_") and positional.keys() & {"module", "df"}:
            setattr(cls, name, _checked(method, name, positional))
    return cls


def _checked(
    method: Callable[..., Any], name: str, positional: Mapping[str, str]
) -> Callable[..., Any]:
    """Wrap a method so that its positional arguments are looked at first."""

    @wraps(method)
    def checked(self: Base, *args: Any, **named: Any) -> Any:
        problem = _wrong_kind(positional, args) or _wrong_module(self, positional, args)
        if problem:
            order = ", ".join(positional)
            raise TypeError(f"{problem}\nNothing was sent.\nWrite: crm.{name}({order})")
        return method(self, *args, **named)

    return checked


def _wrong_kind(positional: Mapping[str, str], args: tuple[Any, ...]) -> str:
    """Name the first argument that cannot be what stands at its place."""
    for (name, annotation), value in zip(positional.items(), args, strict=False):
        kind = type(value).__name__
        if name == "module" and annotation == "str" and not isinstance(value, str):
            return f"The name of one module is needed, not a {kind}."
        if annotation == "str" and pd.api.types.is_list_like(value):
            needed = (
                "The name of a field is needed" if name == "field" else f"{name} must be one text"
            )
            return f"{needed}, not a {kind}."
        if annotation == "pd.DataFrame" and isinstance(value, str | list | tuple):
            return f"{name} must be a DataFrame, not a {kind}."
        is_table = isinstance(value, pd.DataFrame | pd.Series)
        if is_table and not any(each in annotation for each in _TABLES):
            return f"{name} cannot be a {kind}."
    return ""


def _wrong_module(crm: Base, positional: Mapping[str, str], args: tuple[Any, ...]) -> str:
    """Say that a module stands at the place of another argument, as far as modules are known."""
    modules = crm._catalogue.known("modules") or ()
    texts = [
        (name, value)
        for name, value in zip(positional, args, strict=False)
        if isinstance(value, str)
    ]
    if not modules or not texts or texts[0][0] != "module" or texts[0][1] in modules:
        return ""
    place = next((name for name, value in texts[1:] if value in modules), None)
    if place is None:
        return ""
    shown = dict(texts)[place]
    return f"{texts[0][1]!r} is not a module, but {shown!r}, given as {place}, is."
