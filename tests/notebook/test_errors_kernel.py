"""Errors as a person sees them: in a real kernel, and in IPython's terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.notebook.kernels import ROOT, ran

WRONG = {
    "a query that is refused before it is sent": 'crm.coql("select Nme from Leads where id > 0")',
    "a module that does not exist": "crm.fields('Leeds')",
    "a record that is not there": "crm.record('Leads', '1')",
    "a login of a name that nothing is saved under": "zcrm_nb.connect(profile='none-such')",
    "a write that is checked": "crm.insert('Leads', crm.records('Leads', ['City'], limit=2))",
    "an error in a function of one's own": "def f():\n    return crm.fields('Leeds')\n\nf()",
}


@pytest.mark.parametrize("cell", WRONG.values(), ids=WRONG)
def test_an_error_stays_short_in_a_notebook(kernel, cell):
    """What happened, what Zoho said, what to do, and the line of the cell: no frames of ours."""
    shown = ran(kernel, f"# a comment\n{cell}")["error"][0]["traceback"]
    text = "\n".join(shown)
    assert len(text.splitlines()) <= 7, text  # three lines, of which a query's has a caret
    assert "zcrm_nb/" not in text
    assert re.search(r"line \d+ of the cell: .+; %tb shows the full traceback", shown[-1])


def test_the_line_is_the_one_that_called(kernel):
    """In a cell with many lines one wants to know which."""
    cell = "x = 1\ny = 2\ncrm.fields('Leeds')\nz = 3"
    shown = ran(kernel, cell)["error"][0]["traceback"]
    assert shown[-1].startswith("(line 3 of the cell: crm.fields('Leeds');")


def test_the_magic_tb_shows_every_frame(kernel):
    """The full traceback is one call away, as often as it is wanted."""
    ran(kernel, "crm.fields('Leeds')")
    for _ in range(2):
        shown = "\n".join(ran(kernel, "%tb")["error"][0]["traceback"])
        assert "Traceback (most recent call last)" in shown
        assert "zcrm_nb/" in shown


def test_the_method_gives_the_frames_as_text(kernel):
    """Whoever catches an error has the frames, too, and logs have them without asking."""
    cell = (
        "import logging, io\n"
        "log = io.StringIO()\n"
        "logging.getLogger('mine').addHandler(logging.StreamHandler(log))\n"
        "try:\n    crm.fields('Leeds')\n"
        "except zcrm_nb.errors.ZohoError as error:\n"
        "    logging.getLogger('mine').exception('failed')\n"
        "    text = error.traceback()\n"
        "print(text.count('File '), log.getvalue().count('File '))"
    )
    counts = ran(kernel, cell)["stream"][0]["text"].split()
    assert int(counts[0]) > 2
    assert counts[0] == counts[1]


def test_an_error_stays_short_in_the_terminal_of_ipython(tmp_path):
    """The hook is IPython's own, so its terminal has it, too."""
    code = "import zcrm_nb; crm = zcrm_nb.emulate(rows={'Leads': 2}); crm.fields('Leeds')"
    env = {**os.environ, "IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "IPython", "--colors=nocolor", "--no-banner", "-c", code]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout
    assert shown.startswith("NotFoundError: ")
    assert len(shown.splitlines()) <= 5
    assert "zcrm_nb/" not in shown
