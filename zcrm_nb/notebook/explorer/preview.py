"""A look at one column of a table that is here: how much is filled, and what is in it."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.ticker import EngFormatter

from zcrm_nb.notebook.plots.chart import chart
from zcrm_nb.notebook.plots.picture import (
    PictureAxes,
    figure_of,
    finish,
    new_axes,
    palette,
    png,
    set_title,
    spaced,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["look", "picture"]

MOST_VALUES = 12  # bars; more cannot be taken in at a glance
_BINS, _HEIGHT_INCHES = 24, 2.2
_DPI, _SHARPNESS = 80, 2


def look(df: pd.DataFrame, column: str, of_all: str = "") -> str:
    """Describe a column of the rows that were read, as HTML."""
    values = _flat(df[column])
    filled = int(df[column].notna().sum())
    different = values.nunique()
    rows = f"{len(df):,} rows ({of_all})" if of_all else f"{len(df):,} rows"
    facts = f"{filled:,} of {rows} have a value, {different:,} different ones"
    if different > MOST_VALUES and values.dtype.kind not in "iufM":
        facts += f"; the chart shows the {MOST_VALUES} most frequent"
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
    filled = values.dropna()
    if filled.empty:
        return None
    if values.dtype.kind in "iufM":
        return _histogram(filled)
    counts = filled.value_counts() if values.dtype == "category" else _text_counts(filled)
    counts = counts.head(MOST_VALUES)
    if counts.iloc[0] == 1:
        return None
    if values.dtype == "category":  # a picklist, whose order is the CRM's
        counts = counts[counts > 0].sort_index()
    name = str(values.name)
    table = pd.DataFrame({name: counts.index.astype("string"), "rows": counts.to_numpy()})
    return chart(table, "bar")


def _text_counts(values: pd.Series[Any]) -> pd.Series[int]:
    """Count values by their text."""
    return values.astype("string").value_counts()


def _flat(column: pd.Series[Any]) -> pd.Series[Any]:
    """Take lists apart, and records for their text; leave the rest."""
    if column.dtype != object:
        return column
    return column.explode().astype("string")


def _histogram(values: pd.Series[Any]) -> PictureAxes:
    """Draw how numbers or times are spread."""
    ax = new_axes(_HEIGHT_INCHES)
    colours = palette(ax)
    is_time = values.dtype.kind == "M"
    ax.hist([*(values if is_time else values.astype("float64"))], bins=_BINS, color=colours.main)
    if is_time:
        time_axis(ax, values.tolist())
    else:
        ax.xaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(colors=colours.soft)
    ax.grid(visible=False)
    set_title(ax, f"rows by {spaced(values.name)}", size=11, pad=6)
    ax.words = (
        f"{spaced(values.name)}: from {values.min()} to {values.max()}, "
        f"half of the rows up to {_half(values)}"
    )
    finish(ax)
    return ax


def _half(values: pd.Series[Any]) -> str:
    """Name the middle one."""
    return str(values.sort_values().iloc[(len(values) - 1) // 2])


def _image(ax: Axes) -> str:
    """Write a picture into the page, with its words as the text for screen readers."""
    width = round(figure_of(ax).get_size_inches()[0] * _DPI)
    inside = base64.b64encode(png(ax, _DPI * _SHARPNESS)).decode()
    words = html.escape(repr(ax))
    return f'<img src="data:image/png;base64,{inside}" width="{width}" alt="{words}">'
