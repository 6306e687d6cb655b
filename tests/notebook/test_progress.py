"""Progress: a clock that the test turns, and the two places where a line can appear."""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import redirect_stderr

import nbformat
import pytest
from nbclient import NotebookClient

from zcrm_nb.notebook.progress import OUTPUT_MARK, Progress


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class BrokenTerminal(Terminal):
    """A terminal that was closed while the work went on."""

    def write(self, _text: str) -> int:
        raise OSError("gone")


@pytest.fixture
def clock() -> Clock:
    """Time in the hands of the test."""
    return Clock()


def lines(terminal: Terminal) -> list[str]:
    """What stood in the terminal's line, one after the other."""
    return [line.rstrip() for line in terminal.getvalue().split("\r")[1:]]


def test_short_work_shows_nothing(clock):
    """Under a second a line would only flicker."""
    with redirect_stderr(Terminal()) as terminal, Progress("Leads", clock=clock) as tick:
        clock.now_s += 0.99
        tick(2000)
    assert terminal.getvalue() == ""


def test_long_work_shows_counts_and_ends_without_times(clock):
    """While it runs the line has seconds; the last line has none, so that outputs compare."""
    with redirect_stderr(Terminal()) as terminal, Progress("Leads", clock=clock) as tick:
        tick(2000)
        clock.now_s += 1
        tick(2000)
        clock.now_s += 1
        tick(1000)
    assert lines(terminal) == [
        "Leads: 4,000 rows, 2 pages, 1 s",
        "Leads: 5,000 rows, 3 pages, 2 s",
        "Leads: 5,000 rows, 3 pages",
    ]
    assert terminal.getvalue().endswith("\n")


def test_a_known_total_tells_how_long_it_will_take(clock):
    """A quarter of the rows took two seconds, so six are to go."""
    with redirect_stderr(Terminal()) as terminal, Progress("Leads", total=80, clock=clock) as tick:
        clock.now_s += 2
        tick(20)
    assert lines(terminal)[0] == "Leads: 20 of 80 rows, 1 page, 2 s, about 6 s to go"


def test_a_line_stands_long_enough_to_be_read(clock):
    """Pages that arrive faster than four a second do not flood the display."""
    with redirect_stderr(Terminal()) as terminal, Progress("Leads", clock=clock) as tick:
        clock.now_s += 1
        for _ in range(100):
            clock.now_s += 0.01
            tick(1)
    assert len(lines(terminal)) == 5


def test_an_error_ends_the_line_with_how_far_it_came(clock):
    """What was fetched before the error is worth knowing."""
    with redirect_stderr(Terminal()) as terminal:
        progress = Progress("Leads", clock=clock)
    with pytest.raises(KeyboardInterrupt), progress as tick:
        clock.now_s += 1
        tick(2000)
        raise KeyboardInterrupt
    assert lines(terminal)[-1] == "Leads: 2,000 rows, 1 page, stopped"


def test_a_stream_that_is_no_terminal_stays_quiet(clock):
    """Log files and pipes get no half lines."""
    with redirect_stderr(io.StringIO()) as log, Progress("Leads", clock=clock) as tick:
        clock.now_s += 5
        tick(2000)
    assert log.getvalue() == ""


def test_show_false_stays_quiet_in_a_terminal(clock):
    """The person's word counts."""
    with (
        redirect_stderr(Terminal()) as terminal,
        Progress("Leads", show=False, clock=clock) as tick,
    ):
        clock.now_s += 5
        tick(2000)
    assert terminal.getvalue() == ""


def test_a_callable_is_told_everything_at_once_and_its_errors_are_raised():
    """It sees each page from the first on, and a mistake in it is not hidden."""
    told: list[tuple[int, int, int | None]] = []

    def tell(rows: int, pages: int, total: int | None) -> None:
        told.append((rows, pages, total))
        if pages == 3:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"), Progress("Leads", show=tell) as tick:
        tick(2000)
        tick(500, pages=2)
    assert told == [(2000, 1, None), (2500, 3, None)]


@pytest.mark.parametrize("at", ["tick", "say", "exit"])
def test_a_display_that_fails_loses_no_work_where_warnings_are_errors(clock, caplog, at):
    """Strict notebooks turn warnings into errors; a report that was paid for must survive that."""

    class FailsAt(BrokenTerminal):
        def write(self, text):
            return super().write(text) if at != "exit" or text.endswith("\n") else len(text)

    with redirect_stderr(FailsAt()):
        progress = Progress("Leads", clock=clock)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with progress as tick:
            clock.now_s += 5
            tick(200)
            if at == "say":
                progress.say("waiting", stay=True)
            report = "the report"
    assert report == "the report"
    assert "progress is no longer shown" in caplog.text


def test_a_display_that_fails_is_given_up_with_a_warning(clock):
    """The work matters more than its display."""
    with redirect_stderr(BrokenTerminal()):
        progress = Progress("Leads", clock=clock)
    with pytest.warns(UserWarning, match="no longer shown") as warned, progress as tick:
        for _ in range(2):
            clock.now_s += 2
            tick(2000)
    assert (progress.rows, len(warned)) == (4000, 1)


def test_ticks_of_many_threads_add_up():
    """Pages are fetched in parallel; no page may be lost from the count."""
    progress = Progress("Leads", show=False)
    with progress as tick:
        threads = [
            threading.Thread(target=lambda: [tick(10) for _ in range(1000)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (progress.rows, progress.pages) == (80_000, 8000)


IN_A_NOTEBOOK = """
import threading
import warnings
from zcrm_nb.notebook.progress import Progress

now_s = iter([0, 2, 4, 6]).__next__
with Progress("Leads & more", total=4000, clock=now_s) as tick:
    tick(1000)
    thread = threading.Thread(target=tick, args=(3000,))
    thread.start()
    thread.join()
"""


def test_a_notebook_keeps_one_output_with_the_last_line(tmp_path):
    """One output, rewritten in place, also from a thread; text and HTML, marked, no widget."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(IN_A_NOTEBOOK)])
    client = NotebookClient(notebook, resources={"metadata": {"path": "."}})
    client.execute()
    (output,) = [each for each in notebook.cells[0].outputs if each.output_type != "stream"]
    assert output.data["text/plain"] == "Leads & more: 4,000 rows, 2 pages"
    assert output.data["text/html"].endswith("Leads &amp; more: 4,000 rows, 2 pages</div>")
    assert output.metadata == OUTPUT_MARK
    assert not notebook.metadata.get("widgets")


def test_words_stand_behind_the_counts_and_stay_if_they_are_to(capsys, monkeypatch):
    """What Zoho is doing while no rows come; what is to stay is shown at once and in the end."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    now = [0.0]
    shown = Progress("Leads", unit="part", clock=lambda: now[0])
    with shown as tick:
        shown.say("part 1: queued")
        assert capsys.readouterr().err == ""
        now[0] = 2.0
        shown.say("part 1: in progress")
        assert capsys.readouterr().err == "\rLeads: 0 rows, 0 parts, 2 s; part 1: in progress"
        tick(5)
        shown.say("used again", stay=True)
    lines = capsys.readouterr().err.rstrip().split("\r")
    assert lines[-1] == "Leads: 5 rows, 1 part; used again"
