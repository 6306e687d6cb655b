"""What a person sees in JupyterLab."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.browser.conftest import ROOT

FIRST_TABLE = ROOT / "notebooks" / "01_first_table.ipynb"
TINY = """
import pandas as pd
from zcrm_nb.notebook.plots import funnel
from zcrm_nb.notebook.progress import Progress

seconds = iter([0, 2]).__next__
with Progress("Deals", clock=seconds) as tick:
    tick(3)
deals = pd.DataFrame({"Stage": ["Closed Won", "Qualification", "Qualification"]})
deals
"""


def errors(notebook) -> list[str]:
    """Errors in the outputs of a notebook."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.evalue for output in outputs if output.output_type == "error"]


def shows_table_and_funnel(opened) -> None:
    """Both are on the page, and the picture has a size a person can read."""
    from playwright.sync_api import expect

    expect(opened.view.locator("table.dataframe").first).to_be_visible()
    picture = opened.view.locator(".jp-OutputArea-output img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    assert picture.bounding_box()["width"] > 400


def test_table_funnel_and_progress_show_in_lab(open_notebook, tmp_path):
    """The Axes that end a cell are a picture, and progress is a line in its cell."""
    path = tmp_path / "tiny.ipynb"
    cells = [new_code_cell(TINY.strip()), new_code_cell("funnel(deals)")]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    opened = open_notebook(path)
    opened.run_all()
    opened.view.get_by_text("Deals: 3 rows, 1 page", exact=True).wait_for(state="visible")
    shows_table_and_funnel(opened)
    opened.screenshot()
    assert errors(opened.saved()) == []


def test_the_first_notebook_shows_a_table_and_a_funnel(open_notebook):
    """The first minute of a new user: run all cells, see a table and a picture, no error."""
    opened = open_notebook(FIRST_TABLE)
    opened.run_all()
    shows_table_and_funnel(opened)
    opened.screenshot()
    assert errors(opened.saved()) == []
