"""Progress of long work in one line: in a notebook, in a terminal, or passed to a function.

A notebook gets one display handle that is updated in place. Of everything tried it alone is safe to
call from threads, stays in its own cell, is saved as one output and leaves no widget state behind:
bars of tqdm freeze at "0%" in a saved notebook, or fill it with carriage returns and timings. The
last line has no times, so that saved notebooks compare.
"""

from __future__ import annotations

import contextvars
import html
import logging
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, TextIO

from zcrm_nb.notebook.environment import running_kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    ProgressCallback = Callable[[int, int, int | None], None]

__all__ = ["OUTPUT_MARK", "Progress"]

OUTPUT_MARK = {"zcrm_nb": "progress"}
"""Metadata of the notebook output, by which tools that compare outputs can leave it out: whether it
appears depends on the speed of the machine."""

_QUIET_S = 1.0  # work that ends sooner shows nothing
_BETWEEN_S = 0.25  # faster would only flood the front end


class Progress:
    """Count rows and pages while a block runs, and show the progress.

    Parameters
    ----------
    label : str
        Name of the work, such as ``"Leads"``.
    show : bool or callable, default True
        ``True`` shows one line in a notebook, or on stderr when that is a terminal, and nothing
        elsewhere, such as in log files. ``False`` shows nothing. A callable is called with
        ``(rows, pages, total)`` after every page, all counted from the start, ``total`` as given.
    total : int, optional
        How many rows there will be, if known.
    unit : str, default "page"
        What rows come in.
    clock : callable, default time.monotonic
        Seconds, for tests.

    Notes
    -----
    Entering the block gives the function to call after each page, from any thread:
    ``tick(rows, pages=1)`` adds to the counts. :meth:`say` shows a text while no rows arrive.
    Nothing is shown in the first second. If the display fails, it is given up with a warning, and
    the work continues. Errors of your callable are raised.

    Examples
    --------
    >>> from zcrm_nb.notebook.progress import Progress
    >>> def tell(rows, pages, total):
    ...     print(f"{rows} of {total} after page {pages}")
    >>> with Progress("Leads", show=tell, total=300) as tick:
    ...     tick(200)
    ...     tick(100)
    200 of 300 after page 1
    300 of 300 after page 2
    """

    def __init__(
        self,
        label: str,
        *,
        show: bool | ProgressCallback = True,
        total: int | None = None,
        unit: str = "page",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self._words = self._last_words = ""
        self.rows = self.pages = 0
        self._tell = show if callable(show) else None
        self._paint = _painter() if show is True else None
        self._clock, self._started, self._painted = clock, 0.0, 0.0
        self._lock = threading.Lock()
        # ipykernel finds the cell an output belongs to in context variables, which a plain thread
        # does not inherit (7.0 even raises LookupError): every line is painted in this context.
        self._context = contextvars.copy_context()

    def __enter__(self) -> Callable[..., None]:
        self._started = self._clock()
        return self._tick

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._painted:
                last = ", stopped" if kind is not None else ""
                self._show(f"{self._counts()}{last}{self._last_words}", True)

    def say(self, words: str, *, stay: bool = False) -> None:
        """Show what is going on."""
        with self._lock:
            self._words = words
            self._last_words = f"; {words}" if stay else self._last_words
            self._show_when_due(at_once=stay)

    def _tick(self, rows: int, pages: int = 1) -> None:
        """Add to the counts; show them if the last line is old enough."""
        with self._lock:
            self.rows += rows
            self.pages += pages
            if self._tell:
                self._tell(self.rows, self.pages, self.total)
            self._show_when_due()

    def _show_when_due(self, *, at_once: bool = False) -> None:
        """Show the line if the last one is old enough; the lock is held."""
        now = self._clock()
        due = self._painted + _BETWEEN_S if self._painted else self._started + _QUIET_S
        if self._paint and (at_once or now >= due):
            self._painted = now
            words = f"; {self._words}" if self._words else ""
            self._show(f"{self._counts()}{self._times(now - self._started)}{words}", False)

    def _counts(self) -> str:
        """Rows and pages so far."""
        of = f" of {self.total:,}" if self.total is not None and self.rows != self.total else ""
        units = f"{self.unit}{'s'[: self.pages != 1]}"
        return f"{self.label}: {self.rows:,}{of} rows, {self.pages:,} {units}"

    def _times(self, elapsed_s: float) -> str:
        """Seconds so far, and to go when the total is known."""
        if not self.total or not self.rows:
            return f", {elapsed_s:.0f} s"
        left_s = elapsed_s * max(self.total - self.rows, 0) / self.rows
        return f", {elapsed_s:.0f} s, about {left_s:.0f} s to go"

    def _show(self, line: str, last: bool) -> None:
        """Paint the line; a failing display must not fail the work."""
        if self._paint is None:
            return
        done = self.rows / self.total if self.total else None
        try:
            self._context.run(self._paint, line, done, last)
        except Exception as error:  # whatever a front end may raise
            self._paint = None
            _warn(f"progress is no longer shown ({error!r}); the work continues")


def _warn(text: str) -> None:
    """Warn, and log where warnings are errors: raising here would lose the work."""
    try:
        warnings.warn(text, stacklevel=5)
    except UserWarning:
        logging.getLogger("zcrm_nb").warning(text)


def _painter() -> Callable[[str, float | None, bool], None] | None:
    """Choose where the line is shown: notebook, else terminal, else nowhere."""
    if running_kernel() is not None:
        return _Cell()
    return _Terminal(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else None


class _Cell:
    """One output of the cell that began the work, rewritten in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, line: str, done: float | None, last: bool) -> None:
        from IPython.display import DisplayHandle  # noqa: PLC0415 - only where it already runs

        data = {"text/plain": line, "text/html": _in_html(line, None if last else done)}
        if self._handle is None:
            self._handle = DisplayHandle()
            self._handle.display(data, raw=True, metadata=OUTPUT_MARK)
        else:
            self._handle.update(data, raw=True, metadata=OUTPUT_MARK)


def _in_html(line: str, done: float | None) -> str:
    """Write the line, with a bar while the share is known."""
    bar = "" if done is None else f'<progress max="1" value="{done:.3f}"></progress> '
    return f'<div role="status">{bar}{html.escape(line)}</div>'


class _Terminal:
    """One line of a terminal, overwritten in place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._width = stream, 0

    def __call__(self, line: str, done: float | None, last: bool) -> None:
        self._stream.write(f"\r{line:<{self._width}}{chr(10) if last else ''}")
        self._stream.flush()
        self._width = len(line)
