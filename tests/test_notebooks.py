"""The worked notebooks: each runs from top to bottom and says what its committed outputs say.

``make notebooks`` runs this file as a script, which rewrites the committed outputs.
"""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from zcrm_nb.notebook.scaffold import clean, run_notebook
from zcrm_nb.notebook.scrub import scrub

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)

VARIES = "varies"  # tag of a cell whose output may differ, such as one that shows a port
SECRETS = {
    "a token of Zoho's": re.compile(r"\b100\d\.[0-9a-f]{32}\.[0-9a-f]{32}\b"),
    "an Authorization header": re.compile(r"Zoho-oauthtoken\s+\S{8,}"),
    "a client secret": re.compile(r"client_secret\W{1,6}[0-9a-f]{20,}"),
    "widget state, which may hold what was typed": re.compile(r"jupyter\.widget-state\+json"),
    "a password widget": re.compile(r"PasswordModel"),
}
DRIFTS = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"0x[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d+(\.\d+)? (ms|µs|s)\b"), "TIME"),
)


def execute(path: Path) -> bytes:
    """Run a copy in an empty folder, so that nothing lies about that a reader would not have."""
    with tempfile.TemporaryDirectory() as folder:
        return run_notebook(shutil.copy(path, folder)).read_bytes()


def steady(text: str) -> list[str]:
    """Text without what differs between two machines."""
    for pattern, instead in DRIFTS:
        text = pattern.sub(instead, text)
    return text.rstrip().splitlines()


def shown(cell) -> list[str]:
    """What a cell shows, as lines of text; of pictures that they are there."""
    lines: list[str] = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            lines += [f"{output.name}: {line}" for line in steady(output.text)]
        elif output.output_type == "error":
            lines += steady(f"{output.ename}: {output.evalue}")
        else:
            lines.append(f"shows {', '.join(sorted(output.data))}")
            lines += steady(output.data.get("text/plain", ""))
    return lines


@each_notebook
def test_a_fresh_kernel_shows_what_was_committed(path):
    """No cell fails, and each output says the same as the one a reader sees on a hosting page."""
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.reads(execute(path).decode(), as_version=4)
    for old, new in zip(committed.cells, fresh.cells, strict=True):
        if VARIES not in old.metadata.get("tags", []):
            diff = difflib.unified_diff(shown(old), shown(new), "committed", "fresh", lineterm="")
            assert not list(diff), f"{path.name}, cell {old.id}: run make notebooks, then look"


@each_notebook
def test_the_committed_file_is_clean(path):
    """No widget state, timestamps or machine's versions: a refresh changes only what changed."""
    committed = path.read_text(encoding="utf-8")
    assert nbformat.writes(clean(nbformat.reads(committed, as_version=4))) == committed.rstrip("\n")


@each_notebook
def test_nothing_secret_is_committed(path):
    """Tokens, secrets and typed text have no place in a notebook."""
    text = path.read_text(encoding="utf-8")
    assert [what for what, pattern in SECRETS.items() if pattern.search(text)] == []
    assert scrub(path, check=True) == []


@each_notebook
def test_a_reader_sees_a_table(path):
    """A notebook of this toolkit shows at least one DataFrame."""
    cells = nbformat.read(path, as_version=4).cells
    data = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert any("<table" in each.get("text/html", "") for each in data)


@each_notebook
def test_cells_were_run_in_order(path):
    """Numbered from one without gaps, as a reader who runs all cells will see them."""
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]


def test_the_comparison_sees_a_changed_number_and_a_planted_token():
    """The checks above can fail: a different number, a token in an output."""
    old, new = (
        nbformat.v4.new_code_cell(
            outputs=[nbformat.v4.new_output("execute_result", {"text/plain": f"{n} rows, 12 ms"})]
        )
        for n in (50, 49)
    )
    assert shown(old) == ["shows text/plain", "50 rows, TIME"] != shown(new)
    token = f"1000.{'a1' * 16}.{'b2' * 16}"
    assert [what for what, p in SECRETS.items() if p.search(token)] == ["a token of Zoho's"]


def refresh() -> None:
    """Run all notebooks and put their outputs where they are committed."""
    for path in NOTEBOOKS:
        print(f"{path.name} ...", end=" ", flush=True)
        fresh = execute(path)
        print("unchanged" if fresh == path.read_bytes() else "refreshed")
        path.write_bytes(fresh)


if __name__ == "__main__":
    sys.exit(refresh())
