"""The job tray: what became of each bulk job, for a person to look at and to go on with.

Looking costs nothing: it reads what is noted on this machine, where every notebook of the login
writes down each step it takes. Only a job that is taken up asks Zoho anything.
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

GLANCE_S = 1.0  # between looks at the disk, while somebody looks at the tray

# An export that is unclear may be paid for twice: that is no click's business.
_TAKEN_UP = {"read": frozenset({"waiting", "ready"}), "write": frozenset({"waiting", "unclear"})}


class _JobStoppedError(Exception):
    """Somebody stopped a job that was taken up here."""


@dataclass(slots=True)
class _Run:
    """A job that is taken up here, or was."""

    words: str = "taken up"
    rows: int = 0
    stopping: bool = False
    over: bool = False
    is_problem: bool = False

    def tick(self, rows: int, pages: int = 1) -> None:
        """Count rows that came."""
        del pages
        self.rows += rows
        self.stop_if_asked()

    def say(self, words: str) -> None:
        """Take what is going on, in words."""
        self.words = words
        self.stop_if_asked()

    def stop_if_asked(self) -> None:
        """End the run where it can be gone on with."""
        if self.stopping:
            raise _JobStoppedError

    def end(self, words: str, *, is_problem: bool = False) -> None:
        """Say how it ended."""
        self.words, self.over, self.is_problem = words, True, is_problem


class Tray:
    """The bulk jobs of a login, as one looks at them; made by :meth:`CRM.job_tray`.

    At the end of a cell it shows itself: in a notebook as a table that keeps up to date, with a
    button at each job that can be gone on with; in a saved notebook as the same table, standing
    still; in a terminal as text.

    Parameters
    ----------
    lines : callable
        Gives the jobs noted, the newest first, as mappings: the columns of :meth:`CRM.jobs`, and
        ``at_work`` and ``said``. Costs nothing.
    take_up : callable
        Goes on with the job of an id. It is told how rows are counted and words are said, and
        returns in words what came of it.
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

    # ---- What there is ---------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Tell about each job.

        Returns
        -------
        list of dict
            As from ``lines``, and: ``state``, which is ``"at work"`` while somebody is; ``can``,
            what a button would do (``"take up"``, ``"stop"`` or nothing); ``note``, what there is
            to say, in words; ``next``, what to type next; ``is_problem``.
        """
        return [self._row(line) for line in self._lines()]

    def _row(self, line: Line) -> dict[str, Any]:
        """Tell about one job."""
        run = self._runs.get(line["id"])
        running = run is not None and not run.over
        state = "at work" if running or line["at_work"] else line["state"]
        can = "take up" if state in _TAKEN_UP[line["operation"]] else ""
        return {
            **line,
            "state": state,
            "can": "stop" if running and not run.stopping else can,  # type: ignore[union-attr]
            "note": self._note(line, state, run),
            "next": "" if state == "at work" else _next(line),
            "is_problem": state in {"failed", "unclear", "damaged"} or bool(run and run.is_problem),
        }

    def _note(self, line: Line, state: str, run: _Run | None) -> str:
        """Say in words what there is to say: of the run here, else what is noted."""
        if run is not None and not run.over:
            so_far = f"; {run.rows:,} rows here" if run.rows else ""
            return "stopping" if run.stopping else f"{run.words}{so_far}"
        if run is not None and (run.is_problem or state not in {"downloaded", "done"}):
            return run.words
        return "in this or another notebook" if state == "at work" else _noted(line)

    # ---- What one does with it -------------------------------------------------------------------

    def take_up(self, id: str, *, background: bool = True) -> None:  # noqa: A002 - as in crm.jobs()
        """Go on with a job until all its files are here, as a click on its button does.

        Parameters
        ----------
        id : str
            As in ``crm.jobs()``.
        background : bool, default True
            Return at once, so that other cells can run meanwhile; the tray tells how far it is, and
            what went wrong.

        Notes
        -----
        What :meth:`CRM.job` costs: 1 credit for each look and each file, 50 for each job that there
        is still to ask for. Of a bulk write Zoho is asked once how far it is, which is 1 credit.
        What comes stays on this machine: ``crm.job(id).df()`` reads it, and costs nothing more.
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
        """Leave a job that was taken up here, when the next answer comes; it can be taken up again.

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
        """Take a job up; whatever goes wrong stands in the tray."""
        try:
            run.end(self._take_up(id, run.tick, run.say))
        except _JobStoppedError:
            run.end("stopped; it can be taken up again")
        except ZohoError as error:
            run.end(" ".join(filter(None, (error.happened, error.todo))), is_problem=True)
        except Exception as error:  # in a thread nobody else would hear of it
            run.end(f"That failed: {type(error).__name__}: {error}", is_problem=True)
        self.refresh()

    def refresh(self) -> None:
        """Look again now; while a view is open that happens by itself."""
        for view in list(self._views):
            try:
                view.refresh()
            except Exception:  # a front end that is gone, or a folder; the other views live on
                self._views.discard(view)

    def close(self) -> None:
        """Keep no view up to date any more. What was taken up goes on to its end."""
        self._closed.set()

    # ---- Being looked at -------------------------------------------------------------------------

    def watch_by(self, view: Any) -> None:
        """Keep a view up to date for as long as somebody holds it.

        Parameters
        ----------
        view : object
            Its ``refresh`` paints what is there now, if that is something new.
        """
        self._views.add(view)
        with self._lock:
            if self._watcher is None or not self._watcher.is_alive():
                self._watcher = threading.Thread(target=self._watch, name="zcrm-tray", daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        """Look at the disk again and again while there is a view."""
        while self._views and not self._closed.wait(GLANCE_S):
            self.refresh()

    def _press(self, act: str, job: str) -> None:
        """Do what a button of the page says; what no button can have said is left alone."""
        if act == "refresh":
            self.refresh()
        elif any(row["id"] == job and row["can"] == act for row in self.rows()):
            {"take up": self.take_up, "stop": self.stop}[act](job)

    def __repr__(self) -> str:
        return text(self.rows(), self.clock())

    def _page(self, *, live: bool = False) -> str:
        """Write what there is as a page."""
        return page(self.rows(), self.clock(), live=live)

    def _view(self) -> Any:
        """Make a widget that is kept up to date."""
        from zcrm_nb.notebook.job_tray.widget import TrayView  # noqa: PLC0415 - loads anywidget

        view = TrayView(partial(self._page, live=True), self._press)
        self.watch_by(view)
        return view

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """Write a widget that keeps up to date, with a page that stands still as its twin."""
        return static_twin.bundle(repr(self), self._page(), self._view, **options)

    def _ipython_display_(self) -> None:
        """Show that page, and in a notebook the widget."""
        static_twin.show(repr(self), self._page(), self._view)


def _noted(line: Line) -> str:
    """Say in words what is noted of a job that nobody is at."""
    state, files = line["state"], line["files"]
    if line["said"] or state in {"downloaded", "done"}:
        return str(line["said"])
    if state == "ready":
        return f"{files} of {line['parts']} files downloaded"
    if state == "waiting" and files:
        return f"{_counted(files)} downloaded; more to come"
    return STATES[state]


def _counted(files: int) -> str:
    """Write a number of files in words."""
    return f"{files} {'file' if files == 1 else 'files'}"


def _next(line: Line) -> str:
    """Say what to type next."""
    if line["operation"] == "write":
        return f"crm.report({line['id']!r})" + (".resolve()" if line["state"] != "done" else "")
    if line["state"] == "damaged":
        return ""
    if line["state"] == "unclear":
        return f"crm.job({line['id']!r}).df(ask_again=True)"
    if line["state"] in {"failed", "expired"}:
        return f"crm.bulk({line['module']!r}, …, fresh=True)"
    return f"crm.job({line['id']!r}).df()"
