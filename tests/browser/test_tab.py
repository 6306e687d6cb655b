"""Tab in a query cell, pressed in JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

SETUP = "import zcrm_nb\n%load_ext zcrm_nb\ncrm = zcrm_nb.emulate(rows={'Leads': 50, 'Deals': 40})"
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


@pytest.fixture
def notebook(open_notebook, tmp_path) -> Any:
    """A notebook with an emulated org, and an empty cell below."""
    path = tmp_path / "tab.ipynb"
    cells = [new_code_cell(SETUP), new_code_cell("")]
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)
    opened = open_notebook(path)
    opened.run_all()
    return opened


@pytest.fixture
def typed(notebook, lab_page: Page) -> Callable[[str], Any]:
    """A function that replaces the text of the second cell and leaves the cursor at its end."""

    def typed(text: str) -> Any:
        editor = notebook.view.locator(".jp-Cell").nth(1).locator(".cm-content")
        editor.click()
        lab_page.keyboard.press("ControlOrMeta+A")
        lab_page.keyboard.insert_text(text)
        return editor

    return typed


def listed(page: Page) -> list[str]:
    """Press Tab and read the list that opens."""
    page.keyboard.press("Tab")
    items = page.locator(".jp-Completer-item .jp-Completer-match")
    expect(items.first).to_be_visible()
    return items.all_inner_texts()


def test_tab_lists_the_values_of_a_picklist_and_enter_takes_one(notebook, typed, lab_page):
    """Inside quotes, in the order of the CRM, with no name of Python's or of the cell's."""
    editor = typed("%%coql deals\nselect Deal_Name, Stage\nfrom Deals\nwhere Stage = ")
    lab_page.keyboard.type("'")
    assert listed(lab_page)[:2] == ["Qualification", "Needs Analysis"]
    lab_page.keyboard.type("Closed W")  # the list follows what is typed
    expect(lab_page.locator(".jp-Completer-match")).to_have_text(["Closed Won"])
    notebook.screenshot()
    lab_page.keyboard.press("Enter")
    lab_page.keyboard.type("'")
    expect(editor).to_contain_text("where Stage = 'Closed Won'")
    notebook.run_all()
    cell = notebook.saved().cells[1]
    assert cell.execution_count
    assert cell.outputs == []


def test_tab_knows_the_module_below_the_cursor_and_the_one_behind_a_lookup(typed, lab_page):
    """Nobody writes FROM first."""
    editor = typed("%%coql\nselect \nfrom Deals\nwhere id is not null")
    for key in ("ArrowUp", "ArrowUp", "End"):
        lab_page.keyboard.press(key)
    lab_page.keyboard.type("Am")
    assert listed(lab_page) == ["Amount"]
    lab_page.keyboard.press("Enter")
    lab_page.keyboard.type(", Account_Name.Indus")
    assert listed(lab_page) == ["Industry"]
    lab_page.keyboard.press("Enter")
    expect(editor).to_contain_text("select Amount, Account_Name.Industry")
