"""The job tray: the state of each bulk job, and how to continue it.

Looking costs nothing: it reads the notes on this computer, where every notebook of the login writes
down each step. Only a job that is continued sends requests.
"""

from __future__ import annotations

import contextvars
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from zcrm_nb.errors import ZohoError
from zcrm_nb.notebook import static_twin
from zcrm_nb.notebook.job_tray.page import STATES, page, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Line = Mapping[str, Any]
    Tick = Callable[..., None]
    Say = Callable[[str], None]
    TakeUp = Callable[[str, Tick, Say], str]

__all__ = ["Tray"]

GLANCE_S = 1.0  # between two looks at the disk, while a tray is shown

# Continuing an export of unknown state may pay for it twice: no click may do that.
_CONTINUED = {"read": frozenset({"waiting", "ready"}), "write": frozenset({"waiting", "unclear"})}


class _JobStoppedError(Exception):
    """A job that was continued here was stopped."""


@dataclass(slots=True)
class _Run:
    """A job that is or was continued here."""

    text: str = "continued"
    rows: int = 0
    stopping: bool = False
    over: bool = False
    is_problem: bool = False

    def tick(self, rows: int, pages: int = 1) -> None:
        """Count rows that were received."""
        del pages
        self.rows += rows
        self.check_stopping()

    def say(self, text: str) -> None:
        """Note what is going on."""
        self.text = text
        self.check_stopping()

    def check_stopping(self) -> None:
        """End the run where it can be continued."""
        if self.stopping:
            raise _JobStoppedError

    def end(self, text: str, *, is_problem: bool = False) -> None:
        """Note how it ended."""
        self.text, self.over, self.is_problem = text, True, is_problem


class Tray:
    """The bulk jobs of a login; made by :meth:`CRM.job_tray`.

    At the end of a cell it shows itself: in a notebook as a table that updates itself, with a
    button for each job that can be continued; in a saved notebook as a static table; in a terminal
    as text.

    Parameters
    ----------
    lines : callable
        Returns the noted jobs, newest first, as mappings: the columns of :meth:`CRM.jobs`, and
        ``at_work`` and ``said``. Costs nothing.
    take_up : callable
        Continues the job of an id. It is given functions to count rows and to note what is going
        on, and returns the result as text.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, lines: Callable[[], Sequence[Line]], take_up: TakeUp, clock: Callable[[], float]
    ) -> None:
        self._lines, self._take_up, self.clock = lines, take_up, clock
        self._runs: dict[str, _Run] = {}
        self._views: WeakSet[Any] = WeakSet()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None

    # ---- Jobs ------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Describe each job.

        Returns
        -------
        list of dict
            As from ``lines``, and: ``state``, which is ``"at work"`` while a notebook continues the
            job; ``can``, what a button would do (``"continue"``, ``"stop"`` or nothing); ``note``,
            a sentence; ``next``, the code to run next; ``is_problem``.
        """
        return [self._row(line) for line in self._lines()]

    def _row(self, line: Line) -> dict[str, Any]:
        """Describe one job."""
        run = self._runs.get(line["id"])
        running = run is not None and not run.over
        state = "at work" if running or line["at_work"] else line["state"]
        can = "continue" if state in _CONTINUED[line["operation"]] else ""
        return {
            **line,
            "state": state,
            "can": "stop" if running and not run.stopping else can,  # type: ignore[union-attr]
            "note": self._note(line, state, run),
            "next": "" if state == "at work" else _next(line),
            "is_problem": state in {"failed", "unclear", "damaged"} or bool(run and run.is_problem),
        }

    def _note(self, line: Line, state: str, run: _Run | None) -> str:
        """Return what the run here says, else what is noted."""
        if run is not None and not run.over:
            so_far = f"; {run.rows:,} rows so far" if run.rows else ""
            return "stopping" if run.stopping else f"{run.text}{so_far}"
        if run is not None and (run.is_problem or state not in {"downloaded", "done"}):
            return run.text
        return "in this or another notebook" if state == "at work" else _noted(line)

    # ---- Actions ---------------------------------------------------------------------------------

    def take_up(self, id: str, *, background: bool = True) -> None:  # noqa: A002 - as in crm.jobs()
        """Continue a job until all its files are downloaded, as a click on its button does.

        Parameters
        ----------
        id : str
            As in ``crm.jobs()``.
        background : bool, default True
            Return at once, so that other cells can run; the tray shows progress and errors.

        Notes
        -----
        What :meth:`CRM.job` costs: 1 credit for each poll and each file, 50 for each job that is
        still to be requested. A bulk write is polled once, for 1 credit. Files stay on this
        computer: ``crm.job(id).df()`` reads them at no further cost.
        """
        with self._lock:
            known = self._runs.get(id)
            if known is not None and not known.over:
                return
            run = self._runs[id] = _Run()
        if not background:
            self._carry_on(id, run)
            return
        carry_on = contextvars.copy_context().run
        threading.Thread(
            target=carry_on, args=(self._carry_on, id, run), name=f"zcrm-tray {id}", daemon=True
        ).start()
        self.refresh()

    def stop(self, id: str) -> None:  # noqa: A002 - as in crm.jobs()
        """Stop a job that was continued here after the next response; it can be continued again.

        Parameters
        ----------
        id : str
            As in ``crm.jobs()``.
        """
        run = self._runs.get(id)
        if run is not None and not run.over:
            run.stopping = True
        self.refresh()

    def _carry_on(self, id: str, run: _Run) -> None:  # noqa: A002 - as in crm.jobs()
        """Continue a job; errors are shown in the tray."""
        try:
            run.end(self._take_up(id, run.tick, run.say))
        except _JobStoppedError:
            run.end("stopped; it can be continued")
        except ZohoError as error:
            run.end(" ".join(filter(None, (error.happened, error.todo))), is_problem=True)
        except Exception as error:  # in a thread, where an error is shown nowhere else
            run.end(f"That failed: {type(error).__name__}: {error}", is_problem=True)
        self.refresh()

    def refresh(self) -> None:
        """Update the views now; while one is open that happens by itself."""
        for view in list(self._views):
            try:
                view.refresh()
            except Exception:  # a front end or folder that is gone; other views go on
                self._views.discard(view)

    def close(self) -> None:
        """Stop updating views. Jobs that were continued run to their end."""
        self._closed.set()

    # ---- Views -----------------------------------------------------------------------------------

    def watch_by(self, view: Any) -> None:
        """Update a view for as long as it exists.

        Parameters
        ----------
        view : object
            Its ``refresh`` paints the current state.
        """
        self._views.add(view)
        with self._lock:
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="zcrm-tray", daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        """Update the views until there are none."""
        while self._views and not self._closed.wait(GLANCE_S):
            self.refresh()

    def _press(self, act: str, job: str) -> None:
        """Carry out the action of a button; anything no button can send is ignored."""
        if act == "refresh":
            self.refresh()
        elif any(row["id"] == job and row["can"] == act for row in self.rows()):
            {"continue": self.take_up, "stop": self.stop}[act](job)

    def __repr__(self) -> str:
        return text(self.rows(), self.clock())

    def _page(self, *, live: bool = False) -> str:
        """Return the page as HTML."""
        return page(self.rows(), self.clock(), live=live)

    def _view(self) -> Any:
        """Make a widget that updates itself."""
        from zcrm_nb.notebook.job_tray.widget import TrayView  # noqa: PLC0415 - loads anywidget

        view = TrayView(partial(self._page, live=True), self._press)
        self.watch_by(view)
        return view

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Return the widget, with the static page as its twin."""
        return static_twin.bundle(repr(self), self._page(), self._view, **options)

    def _ipython_display_(self) -> None:
        """Show the static page, and in a notebook the widget."""
        static_twin.show(repr(self), self._page(), self._view)


def _noted(line: Line) -> str:
    """Describe a job that is not in progress."""
    state, files = line["state"], line["files"]
    if line["said"] or state in {"downloaded", "done"}:
        return str(line["said"])
    if state == "ready":
        return f"{files} of {line['parts']} files downloaded"
    if state == "waiting" and files:
        return f"{_counted(files)} downloaded; more to come"
    return STATES[state]


def _counted(files: int) -> str:
    """Write a number of files."""
    return f"{files} {'file' if files == 1 else 'files'}"


def _next(line: Line) -> str:
    """Return the code to run next."""
    if line["operation"] == "write":
        return f"crm.report({line['id']!r})" + (".resolve()" if line["state"] != "done" else "")
    if line["state"] == "damaged":
        return ""
    if line["state"] == "unclear":
        return f"crm.job({line['id']!r}).df(ask_again=True)"
    if line["state"] in {"failed", "expired"}:
        return f"crm.bulk({line['module']!r}, …, fresh=True)"
    return f"crm.job({line['id']!r}).df()"
