"""Starter notebooks: written for one module of one org, and executed when asked.

Notebooks are made with fixed cell ids and cleaned after a run, so the same org gives the same file
byte for byte and a diff shows what changed in the data, not when or on which machine it was made.
"""

from __future__ import annotations

import html
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbformat.v4 import new_notebook as empty_notebook

from zcrm_nb.coql.text import written_name
from zcrm_nb.notebook.progress import OUTPUT_MARK
from zcrm_nb.notebook.source import block, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

__all__ = ["HasFields", "clean", "new_notebook", "run_notebook"]

_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_KEPT_TAGS = ("tags", "slideshow")
_ROWS = 500  # enough to see shapes and dtypes, one COQL page, little of the day's credits

# The columns of a first table, best first: (data types, how many of them).
_WANTED: tuple[tuple[frozenset[str], int], ...] = (
    (frozenset({"text", "autonumber"}), 2),
    (frozenset({"picklist"}), 2),
    (frozenset({"currency", "double", "integer", "bigint", "percent"}), 1),
    (frozenset({"ownerlookup"}), 1),
    (frozenset({"date", "datetime"}), 2),
)


class HasFields(Protocol):
    """A ``CRM``, or anything else with ``fields``."""

    def fields(self, module: str) -> pd.DataFrame:
        """Return the fields of a module."""


def new_notebook(
    path: str | os.PathLike[str], crm: HasFields, module: str, *, overwrite: bool = False
) -> Path:
    """Write a starter notebook for one module: connect, look at the fields, a first table, a plot.

    Parameters
    ----------
    path : str or path-like
        Where to write it, ending in ``.ipynb``. Missing folders are made.
    crm : CRM
        Whose ``fields(module)`` chooses the columns: a few telling ones, by their type.
    module : str
        API name of the module, such as ``"Deals"``.
    overwrite : bool, default False
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path
        The file, not executed yet; see :func:`run_notebook`.

    Raises
    ------
    FileExistsError
        When the file exists and ``overwrite`` is false.
    ValueError
        When ``path`` does not end in ``.ipynb``, or the module has no field to show.

    Notes
    -----
    The notebook connects to the emulator, and says which one line to change for a real org. No
    credential, token or record of yours is written into it. Credits: what ``crm.fields`` costs.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from pathlib import Path
    >>> from zcrm_nb.notebook.scaffold import new_notebook
    >>> class Org:
    ...     def fields(self, module):
    ...         return pd.DataFrame({"api_name": ["Deal_Name", "Stage"],
    ...                              "data_type": ["text", "picklist"]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     new_notebook(Path(folder) / "deals.ipynb", Org(), "Deals").name
    'deals.ipynb'
    """
    target = Path(path)
    if target.suffix != ".ipynb":
        raise ValueError(f"the name of a notebook must end in .ipynb, not in {target.suffix!r}")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} already exists; overwrite=True replaces it")
    table = crm.fields(module)
    fields: dict[str, str] = dict(zip(table["api_name"], table["data_type"], strict=True))
    notebook = empty_notebook(
        cells=list(_cells(module, fields)),
        metadata={"kernelspec": _KERNEL, "language_info": {"name": "python"}},
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def _cells(module: str, fields: dict[str, str]) -> Iterator[Any]:
    """Every cell of the starter notebook, top to bottom."""
    columns = _telling(fields)
    if not columns:
        raise ValueError(f"{module} has no field that a first table could show")
    shown = _shown(module)
    yield new_markdown_cell(_OPENING.format(module=shown), id="opening")
    yield new_code_cell("import zcrm_nb\n\ncrm = zcrm_nb.emulate()", id="connect")
    yield new_markdown_cell(_FIELDS.format(module=shown, many=len(fields)), id="about-fields")
    yield new_code_cell(f"crm.fields({literal(module)})", id="fields")
    yield new_markdown_cell(_TABLE.format(module=shown, rows=_ROWS), id="about-table")
    yield new_code_cell(_query(module, columns), id="table")
    yield new_code_cell("df.dtypes", id="dtypes")
    if stage := _stage(columns, fields):
        yield new_markdown_cell(_PLOT.format(stage=_shown(stage)), id="about-plot")
        yield new_code_cell(_plot(stage, columns, fields), id="plot")
    yield new_markdown_cell(_NEXT.format(module=shown), id="next")


def _shown(name: str) -> str:
    """Write a name for the texts, which are Markdown and may hold HTML."""
    return html.escape(" ".join(name.encode("utf-8", "backslashreplace").decode().split()))


def _telling(fields: dict[str, str]) -> list[str]:
    """Choose the columns of a first table: a few of each informative kind."""
    chosen: list[str] = []
    for kinds, many in _WANTED:
        of_kind = [name for name, kind in fields.items() if kind in kinds and name != "id"]
        chosen += sorted(of_kind, key=_dullness)[:many]
    return chosen


def _dullness(name: str) -> int:
    """Names, stages, amounts and closing dates come before the rest; ties keep Zoho's order."""
    telling = ("Last_Name", "Name", "Subject", "Stage", "Status", "Amount", "Total", "Created_Time")
    return min((at for at, end in enumerate(telling) if name.endswith(end)), default=len(telling))


def _stage(columns: Iterable[str], fields: dict[str, str]) -> str | None:
    """Find the first picklist among the columns, if any."""
    return next((name for name in columns if fields[name] == "picklist"), None)


def _query(module: str, columns: list[str]) -> str:
    """Write the cell with the query; COQL demands a condition, and every record has an id."""
    names = ", ".join(map(written_name, columns))
    query = f"select {names}\nfrom {module}\nwhere id is not null\nlimit {_ROWS}"
    return f"df = crm.coql({block(query)})\ndf.head(10)"


def _plot(stage: str, columns: list[str], fields: dict[str, str]) -> str:
    """Write the cell with the plot: a funnel, with sums if there is an amount."""
    money = next((name for name in columns if fields[name] == "currency"), None)
    value = f", value={literal(money)}" if money else ""
    return f"zcrm_nb.plots.funnel(df, {literal(stage)}{value})"


_OPENING = """# {module}: a first look

At the end you have the fields of **{module}**, a typed table of its records and a picture of them.

The next cell starts the emulator: a Zoho CRM on this computer, no account needed. For your own org
change that one line to `crm = zcrm_nb.connect()`, which reads your credentials from the
environment, so that none stands in this notebook."""
_FIELDS = """## What is in it

{module} has {many} fields. Column names in tables are these API names, letter for letter."""
_TABLE = """## A first table

COQL reads like SQL. It requires a `where`; this one keeps every record. `crm.records("{module}")`
reads them all, this cell stops at {rows}."""
_PLOT = """## A picture

How many records stand at each {stage}, in the order your CRM gives them."""
_NEXT = """## Next

- `crm.records("{module}", limit=1000)`: whole records, all columns
- `crm.count("{module}")`: how many there are, for one credit
- `crm.modules()`: what else the org holds"""


def run_notebook(path: str | os.PathLike[str], *, timeout_s: float = 120) -> Path:
    """Execute a notebook in a fresh kernel, in its own folder, and keep its cleaned outputs.

    Notes
    -----
    The cells run with your rights: execute only notebooks you trust. Credits: what the cells use.

    Examples
    --------
    >>> import tempfile, nbformat
    >>> from pathlib import Path
    >>> from zcrm_nb.notebook.scaffold import run_notebook
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sum.ipynb"
    ...     cell = nbformat.v4.new_code_cell("1 + 1")
    ...     nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    ...     _ = run_notebook(path)
    ...     nbformat.read(path, as_version=4).cells[0].outputs[0].data["text/plain"]
    '2'
    """
    target = Path(path)
    notebook = nbformat.read(target, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    _execute(notebook, target.parent, timeout_s)
    nbformat.write(clean(notebook), target)
    return target


def _execute(notebook: Any, folder: Path, timeout_s: float) -> None:
    """Run all cells in place."""
    try:
        import ipykernel  # noqa: F401, PLC0415 - optional; found missing here, not in a dead kernel
        from nbclient import NotebookClient  # noqa: PLC0415
        from traitlets.config import Config  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            f"running a notebook needs {error.name}: pip install ipykernel nbclient"
        ) from error
    with tempfile.TemporaryDirectory() as sockets:
        # Kernels on TCP log a warning about encryption; pipes do not, but Windows has none of them.
        pipes = {"transport": "ipc", "ip": f"{sockets}/k"} if os.name == "posix" else {}
        NotebookClient(
            notebook,
            timeout=timeout_s,
            kernel_name=_KERNEL["name"],
            resources={"metadata": {"path": str(folder)}},
            config=Config({"KernelManager": pipes}),
        ).execute()


def clean(notebook: Any) -> Any:
    """Remove from an executed notebook what differs between two runs or two machines.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> from zcrm_nb.notebook.scaffold import clean
    >>> cell = new_code_cell("x", metadata={"execution": {"iopub.status.busy": "2026-09-15"}})
    >>> clean(new_notebook(cells=[cell], metadata={"widgets": {}})).cells[0].metadata
    {}
    """
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in _KEPT_TAGS}
        )
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Drop progress lines and widget views; join neighbouring pieces of a stream."""
    kept: list[Any] = []
    for output in outputs:
        if output.get("metadata") == OUTPUT_MARK:
            continue
        if "data" in output:
            output.data.pop("application/vnd.jupyter.widget-view+json", None)
        stream = output.output_type == "stream"
        if stream and kept and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept
