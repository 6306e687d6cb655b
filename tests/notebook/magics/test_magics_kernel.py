"""The magics in a real kernel, over the messages that JupyterLab sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebook.kernels import ran
from zcrm_nb.notebook.scaffold import run_notebook

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient


def completed(client: BlockingKernelClient, marked: str) -> tuple[str, list[str], set[str]]:
    """What the kernel answers to Tab where the bar stands: text replaced, words, their types."""
    before, after = marked.split("|")
    reply = client.complete(before + after, len(before), reply=True, timeout=60)["content"]
    types = {each["type"] for each in reply["metadata"]["_jupyter_types_experimental"]}
    return before[reply["cursor_start"] :], reply["matches"], types


@pytest.mark.parametrize(
    ("marked", "replaced", "words", "kind"),
    [
        ("%%coql\nselect Deal_Name from Dea|", "Dea", ["Deals", "DealHistory"], "module"),
        ("%%coql df --limit 3\nselect Amo|\nfrom Deals\nwhere x = 1", "Amo", ["Amount"], "field"),
        ("%%coql\nselect Account_Name.Indu| from Deals", "Indu", ["Industry"], "field"),
        ("%%coql\nselect Owner.first| from Deals", "first", ["first_name"], "field"),
        (
            "%%coql\nselect id from Deals where Stage = 'Closed W|'",
            "Closed W",
            ["Closed Won"],
            "value",
        ),
        ("df = %coql select Deal_Name from Deals whe|", "whe", ["where"], "keyword"),
        ("%coql --li|", "--li", ["--limit"], "option"),
        ("%%coql --crm |", "", ["crm"], "variable"),
    ],
)
def test_the_kernel_answers_tab_with_names_of_the_org(kernel, marked, replaced, words, kind):
    """Typed, and nothing else among them."""
    assert completed(kernel, marked) == (replaced, words, {kind})


def test_the_kernel_still_completes_python(kernel):
    """Outside the magic Tab is what it was."""
    assert "import" in completed(kernel, "x = 1\nimpor|")[1]


def test_a_table_is_shown_or_goes_into_a_variable(kernel):
    """As people write it."""
    cell = "%%coql {}\nselect Deal_Name, Amount from Deals where Amount > :least limit 3"
    ran(kernel, "least = 0")
    shown = ran(kernel, cell.format(""))
    assert "Deal_Name" in shown["execute_result"][0]["data"]["text/html"]
    assert not {"execute_result", "display_data"} & set(ran(kernel, cell.format("deals")))
    assert ran(kernel, "len(deals)")["execute_result"][0]["data"]["text/plain"] == "3"


def test_a_mistake_in_a_query_shows_its_lines_and_fails_the_cell(kernel):
    """Three lines and a caret; class and text go out as an error message, so notebooks keep it."""
    sent = ran(kernel, "%%coql\nselect Deal_Name\nform Deals")
    assert sent["reply"]["status"] == "error"
    (error,) = sent["error"]
    assert error["ename"] == "QueryError"
    assert error["traceback"] == f"QueryError: {error['evalue']}".splitlines()
    assert any(line.strip() == "^" for line in error["traceback"])
    assert "stream" not in sent


@pytest.mark.parametrize(
    "mistake", ["%coql --plan select id from", "%coql --crm nobody select id from L"]
)
def test_a_notebook_stops_at_a_mistake(tmp_path, mistake):
    """No cell runs behind one that failed, whichever way it said so."""
    behind = "open('went on', 'w').close()"
    cells = [new_code_cell(each) for each in ("%load_ext zcrm_nb", mistake, behind)]
    path = tmp_path / "stops.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    with pytest.raises(CellExecutionError):
        run_notebook(path)
    assert not (tmp_path / "went on").exists()
