"""A look at one column of a table that is here: how much is filled, and what is in it."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter

from zcrm_nb.notebook.plots.chart import chart
from zcrm_nb.notebook.plots.plots import PictureAxes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["look", "picture"]

MOST_VALUES = 12  # bars; more are no glance
_COLOUR, _INK = "#1f5f80", "#1b2a33"
_BINS, _WIDTH_INCHES, _HEIGHT_INCHES = 24, 8.6, 2.2
_DPI, _SHARPNESS = 80, 2


def look(df: pd.DataFrame, column: str) -> str:
    """Tell about a column, as HTML.

    Notes
    -----
    Only this process's memory is read: no API credits. What is said holds for the rows that were
    read, which is not the module.
    """
    values = _flat(df[column])
    filled = int(df[column].notna().sum())
    facts = f"{filled:,} of {len(df):,} rows have a value, {values.nunique():,} different ones"
    ax = picture(values)
    shown = "" if ax is None else _image(ax)
    return f'<div role="status">{html.escape(str(column))}: {facts}.</div>{shown}'


def picture(values: pd.Series[Any]) -> Axes | None:
    """Draw a column: numbers and times as a histogram, everything else as its frequent values.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.notebook.explorer.preview import picture
    >>> picture(pd.Series(["Pune", "Goa", "Pune"], name="City", dtype="string"))
    rows by City
    City  rows
    Pune     2
     Goa     1
    """
    there = values.dropna()
    if there.empty:
        return None
    if values.dtype.kind in "iufM":
        return _histogram(there)
    counts = there.astype("string").value_counts().head(MOST_VALUES)
    if counts.iloc[0] == 1:
        return None
    name = str(values.name)
    table = pd.DataFrame({name: counts.index.astype("string"), "rows": counts.to_numpy()})
    return chart(table, "bar")


def _flat(column: pd.Series[Any]) -> pd.Series[Any]:
    """Take lists apart, and records for their text; leave the rest."""
    if column.dtype != object:
        return column
    return column.explode().astype("string")


def _histogram(values: pd.Series[Any]) -> PictureAxes:
    """Draw how numbers or times are spread."""
    figure = Figure(
        figsize=(_WIDTH_INCHES, _HEIGHT_INCHES),
        layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1),
    )
    drawn = figure.subplots(squeeze=False, subplot_kw={"axes_class": PictureAxes})
    ax: PictureAxes = drawn[0, 0]
    is_time = values.dtype.kind == "M"
    shown = values.tolist() if is_time else values.astype("float64").tolist()
    ax.hist(shown, bins=_BINS, color=_COLOUR, edgecolor="white", linewidth=0.5)
    if is_time:
        locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.spines[["top", "right"]].set_visible(False)
    name = str(values.name).replace("_", " ")
    ax.set_title(f"rows by {name}", loc="left", color=_INK, fontsize=11, fontweight="bold")
    ax.words = (
        f"{name}: from {values.min()} to {values.max()}, half of the rows up to {_half(values)}"
    )
    return ax


def _half(values: pd.Series[Any]) -> str:
    """Name the middle one."""
    return str(values.sort_values().iloc[(len(values) - 1) // 2])


def _image(ax: Axes) -> str:
    """Write a picture into the page, with its words for who cannot see it."""
    png = io.BytesIO()
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.savefig(png, format="png", dpi=_DPI * _SHARPNESS, metadata={"Software": None})
    width = round(figure.get_size_inches()[0] * _DPI)
    inside = base64.b64encode(png.getvalue()).decode()
    words = html.escape(repr(ax))
    return f'<img src="data:image/png;base64,{inside}" width="{width}" alt="{words}">'
