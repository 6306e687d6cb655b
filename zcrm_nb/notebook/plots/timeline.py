"""When changes came: bars along time, a colour for each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.dates import date2num
from matplotlib.ticker import MaxNLocator

from zcrm_nb.notebook.plots.picture import (
    PictureAxes,
    finish,
    message,
    new_axes,
    palette,
    set_title,
    time_axis,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "WIDTHS_S", "bins", "timeline"]

COLOURS = {"insert": "#2a9d72", "update": "#3f7fbf", "delete": "#c8553d"}
"""One colour for each operation: apart in lightness too, for readers who confuse red and green."""

WIDTHS_S = (1, 5, 15, 30, 60, 300, 900, 3600, 21_600, 86_400, 604_800)
"""How wide a bar may be, in seconds; the narrowest of which 40 are enough is taken."""

_MOST_BARS, _LEAST_BARS, _DAY_S = 40, 12, 86_400


def timeline(df: pd.DataFrame, *, ax: Axes | None = None, title: str = "Changes") -> Axes:
    """Draw how many changes came when.

    Notes
    -----
    Only this process's memory is read: no API credits.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.notebook.plots.timeline import timeline
    >>> times = pd.to_datetime(["2026-09-15 03:30:02", "2026-09-15 03:30:40"], utc=True)
    >>> timeline(pd.DataFrame({"time": times, "operation": ["insert", "update"]}))
    Changes
                         insert  update  delete
    2026-09-15 03:30:02       1       0       0
    2026-09-15 03:30:40       0       1       0
    """
    table = bins(df)
    ax = ax if ax is not None else new_axes(2.8)
    set_title(ax, title)
    if isinstance(ax, PictureAxes):
        ax.words = f"{title}\n{_in_words(table)}"
    if table.empty:
        message(ax, "Nothing yet.")
        ax.set_axis_off()
    else:
        _draw(ax, table)
    finish(ax)
    return ax


def bins(df: pd.DataFrame) -> pd.DataFrame:
    """Count changes by time and operation."""
    counts = df["operation"].astype("string").str.get_dummies().reindex(columns=[*COLOURS])
    counts = counts.fillna(0).astype("int64").set_index(df["time"])
    if counts.empty:
        return counts
    span_s = (counts.index.max() - counts.index.min()).total_seconds()
    width_s = next((each for each in WIDTHS_S if span_s / each < _MOST_BARS), WIDTHS_S[-1])
    return counts.resample(f"{width_s}s").sum()


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    """Draw the bars of each operation on top of those before."""
    starts = [date2num(each) for each in table.index]  # type: ignore[no-untyped-call]
    width = (starts[1] - starts[0]) if len(starts) > 1 else 1 / _DAY_S
    below = [0.0] * len(starts)
    for name, colour in COLOURS.items():
        heights = [float(each) for each in table[name]]
        if any(heights):
            ax.bar(starts, heights, width * 0.86, below, align="edge", color=colour, label=name)
            below = [old + new for old, new in zip(below, heights, strict=True)]
    colours = palette(ax)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    time_axis(ax, [*table.index], most=8)
    ax.set_xlim(starts[0] - width, max(starts[-1] + 2 * width, starts[0] + _LEAST_BARS * width))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y", color=colours.grid)
    ax.set_axisbelow(True)
    ax.tick_params(colors=colours.soft)
    zone = table.index.tz or "no time zone"  # type: ignore[attr-defined]
    bar = _spelled(round(width * _DAY_S))
    ax.set_xlabel(f"{zone}, a bar is {bar}", color=colours.soft, loc="left")
    ax.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        frameon=False,
        labelcolor=colours.soft,
    )


def _spelled(seconds: int) -> str:
    """Write the width of a bar in words."""
    units = {604_800: "week", _DAY_S: "day", 3600: "hour", 60: "minute", 1: "second"}
    size, name = next((size, name) for size, name in units.items() if seconds >= size)
    number = seconds // size
    return f"{number} {name}{'s'[: number != 1]}"


def _in_words(table: pd.DataFrame) -> str:
    """Say the picture as a small text table, without the bars that have no height."""
    table = table[table.sum(axis=1) > 0]
    if table.empty:
        return "Nothing yet."
    return table.set_axis([f"{each:%Y-%m-%d %H:%M:%S}" for each in table.index]).to_string()
