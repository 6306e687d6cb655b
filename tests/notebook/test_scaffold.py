"""Starter notebooks: what is in them, and that they run."""

from __future__ import annotations

import ast
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_output
from nbformat.v4 import new_notebook as empty_notebook

from zcrm_nb.notebook.progress import OUTPUT_MARK
from zcrm_nb.notebook.scaffold import clean, new_notebook, run_notebook

DEALS = {
    "Owner": "ownerlookup",
    "id": "bigint",
    "Description": "textarea",
    "Campaign_Code": "text",
    "Deal_Name": "text",
    "Lead_Source": "picklist",
    "Stage": "picklist",
    "Closing_Date": "date",
    "Amount": "currency",
    "Created_Time": "datetime",
}


class Org:
    """An org with one module, that can only tell its fields."""

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def fields(self, module: str) -> pd.DataFrame:
        return pd.DataFrame({"api_name": self._fields.keys(), "data_type": self._fields.values()})


def sources(path) -> dict[str, str]:
    """Source of each cell by its id."""
    return {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}


def test_the_table_asks_for_telling_columns_of_this_module(tmp_path):
    """Name, stage, amount, owner and dates come in; ids and long texts stay out."""
    cells = sources(new_notebook(tmp_path / "deals.ipynb", Org(DEALS), "Deals"))
    assert (
        "select Deal_Name, Campaign_Code, Stage, Lead_Source, Amount, Owner, "
        "Created_Time, Closing_Date\nfrom Deals\nwhere id is not null" in cells["table"]
    )


def test_the_plot_suits_the_module(tmp_path):
    """The first picklist of the table is drawn, with sums where there is an amount."""
    cells = sources(new_notebook(tmp_path / "deals.ipynb", Org(DEALS), "Deals"))
    assert cells["plot"].endswith('funnel(df, "Stage", value="Amount")')


def test_a_module_without_a_picklist_gets_no_plot(tmp_path):
    """Nothing to draw, so no cell that would fail."""
    cells = sources(new_notebook(tmp_path / "n.ipynb", Org({"Note_Title": "text"}), "Notes"))
    assert "plot" not in cells
    assert "select Note_Title\n" in cells["table"]


def test_it_starts_with_the_emulator_and_says_which_line_to_change(tmp_path):
    """Runs without an account, and no credential has a place in it."""
    cells = sources(new_notebook(tmp_path / "deals.ipynb", Org(DEALS), "Deals"))
    assert cells["connect"].endswith("crm = zcrm_nb.emulate()")
    assert "crm = zcrm_nb.connect()" in cells["opening"]


def test_the_same_module_gives_the_same_bytes(tmp_path):
    """No random cell ids, no time of writing."""
    first = new_notebook(tmp_path / "a.ipynb", Org(DEALS), "Deals").read_bytes()
    assert new_notebook(tmp_path / "b.ipynb", Org(DEALS), "Deals").read_bytes() == first


def test_what_is_written_is_a_valid_notebook_of_python(tmp_path):
    """The format's own schema accepts it, and each code cell compiles."""
    path = new_notebook(tmp_path / "new folder" / "deals.ipynb", Org(DEALS), "Deals")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            compile(cell.source, cell.id, "exec")


def test_work_of_the_person_is_not_overwritten(tmp_path):
    """A notebook that is there is kept, unless told otherwise."""
    path = new_notebook(tmp_path / "deals.ipynb", Org(DEALS), "Deals")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        new_notebook(path, Org(DEALS), "Deals")
    assert new_notebook(path, Org(DEALS), "Deals", overwrite=True) == path


@pytest.mark.parametrize(
    ("name", "fields"), [("deals.txt", DEALS), ("deals", DEALS), ("deals.ipynb", {"id": "bigint"})]
)
def test_what_cannot_become_a_notebook_is_refused_and_nothing_written(tmp_path, name, fields):
    """Wrong ending or nothing to show: an error, no half file."""
    with pytest.raises(ValueError, match=r"\.ipynb|no field"):
        new_notebook(tmp_path / name, Org(fields), "Deals")
    assert not list(tmp_path.iterdir())


def write(path, *cells: str):
    """Write a notebook of code cells."""
    nbformat.write(empty_notebook(cells=[new_code_cell(cell) for cell in cells]), path)
    return path


def test_running_fills_in_the_outputs_in_the_folder_of_the_notebook(tmp_path):
    """A second run changes no byte."""
    path = write(tmp_path / "n.ipynb", "import pathlib\npathlib.Path.cwd().name", "print('hello')")
    once = run_notebook(path).read_bytes()
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].outputs[0].data["text/plain"] == repr(tmp_path.name)
    assert cells[1].outputs[0].text == "hello\n"
    assert run_notebook(path).read_bytes() == once


def test_a_failing_cell_raises_and_leaves_the_file_as_it_was(tmp_path):
    """A half-run notebook never replaces a good one."""
    path = write(tmp_path / "n.ipynb", "1 + 1", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run_notebook(path)
    assert path.read_bytes() == before


def test_without_nbclient_the_error_says_what_to_install(tmp_path):
    """The extra is named, in a fresh interpreter where nbclient cannot be found."""
    path = write(tmp_path / "n.ipynb", "1 + 1")
    code = (
        "import sys; sys.modules['nbclient'] = None\n"
        "from zcrm_nb.notebook.scaffold import run_notebook\n"
        f"run_notebook({str(path)!r})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "needs nbclient: pip install ipykernel nbclient" in ran.stderr


def test_cleaning_removes_what_differs_between_two_runs():
    """Widget state, timestamps, interpreter version, progress lines; streams are joined."""
    outputs = [
        new_output("display_data", {"text/plain": "Leads: 2 rows"}, metadata=OUTPUT_MARK),
        new_output("stream", name="stdout", text="a\n"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("stream", name="stderr", text="c\n"),
        new_output(
            "display_data",
            {"text/plain": "form", "application/vnd.jupyter.widget-view+json": {"model_id": "1"}},
        ),
    ]
    told = {"tags": ["varies"], "execution": {"iopub.status.busy": "2026-09-15"}}
    dirty = empty_notebook(
        cells=[new_code_cell("x", outputs=outputs, metadata=told)],
        metadata={"widgets": {"a": {}}, "language_info": {"name": "python", "version": "3.11.7"}},
    )
    tidy = clean(dirty)
    assert tidy.cells[0].metadata == {"tags": ["varies"]}
    assert [out.get("text") for out in tidy.cells[0].outputs] == ["a\nb\n", "c\n", None]
    assert tidy.cells[0].outputs[2].data == {"text/plain": "form"}
    assert tidy.metadata.keys() == {"kernelspec", "language_info"}
    assert tidy.metadata.language_info == {"name": "python"}


ODD = [
    'Deal"s',
    "Deal's",
    "a\\b",
    "a\nb",
    "a\rb",
    "a\0b",
    '"""',
    "x); import os #",
    "naïve",
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("where", ["module", "column", "amount"])
def test_odd_names_stay_names_in_the_code(tmp_path, name, where):
    """A name from the org is text: the cells are Python and mean that very name."""
    fields = {"Last_Name": "text", "Stage": "picklist", "Amount": "currency"}
    if where == "column":
        fields = {"Last_Name": "text", name: "picklist"}
    if where == "amount":
        fields = {"Stage": "picklist", name: "currency"}
    module = name if where == "module" else "Deals"
    cells = sources(new_notebook(tmp_path / "odd.ipynb", Org(fields), module))
    named = {
        node.value
        for cell in ("fields", "table", "plot")
        for node in ast.walk(ast.parse(cells[cell]))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert any(name in text or name.replace("'", "''") in text for text in named)
    assert "<script>" not in "".join(cells.values())


def test_markup_in_names_is_no_markup_in_the_texts(tmp_path):
    """The explaining cells are Markdown, which may hold HTML."""
    path = new_notebook(tmp_path / "odd.ipynb", Org({"a<b>": "picklist"}), "<img src=x>")
    texts = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
    assert not any("<img" in text or "<b>" in text for text in texts)
