"""What a write would change, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from zcrm_nb.notebook.plots.picture import (
    BAR,
    TEXT_POINTS,
    PictureAxes,
    bar_frame,
    finish,
    message,
    name_rows,
    new_bar_axes,
    palette,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from zcrm_nb.frames.write_plan import WritePlan

__all__ = ["changes"]


def changes(plan: WritePlan, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw where a plan would change a table: a strip for each field, a line for each cell.

    Parameters
    ----------
    plan : WritePlan
        A plan of ``crm.diff``.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure, which pyplot does not know.
    title : str, optional
        Title of the picture.

    Returns
    -------
    matplotlib.axes.Axes
        ``ax``, or the :class:`PictureAxes` of the new figure, which a notebook shows when they end
        a cell.

    Notes
    -----
    From left to right the rows of the table in their order, from top to bottom the fields, those
    with most changes first. Dirt that lies evenly is how people type; a block is an import that
    went wrong. New records are not shown. No API credits.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> leads = crm.records("Leads", ["City"], limit=200)
    >>> zcrm_nb.plots.changes(crm.diff("Leads", leads.assign(City=leads["City"].str.strip())))
    Cells to change in 200 rows
    City  1
    >>> crm.close()
    """
    counts = plan.cells["column"].value_counts()
    rows = len(plan.rows)
    heading = title if title is not None else f"Cells to change in {rows:,} rows"
    if ax is None:
        ax = new_bar_axes(len(counts))
    if isinstance(ax, PictureAxes):
        ax.words = _in_words(heading, counts)
    bar_frame(ax, heading)
    if counts.empty:
        message(ax, "Nothing to change.")
        return ax
    colours = palette(ax)
    places = pd.Series(range(rows), index=plan.rows["id"])
    for at, (name, count) in enumerate(counts.items()):
        ids = plan.cells["id"][plan.cells["column"] == name]
        ax.barh(at, rows, height=BAR, color=colours.grid)
        ax.eventplot(
            places.loc[ids], lineoffsets=at, linelengths=BAR, linewidths=1.1, colors=colours.main
        )
        ax.annotate(
            f"{count:,}",
            (rows, at),
            xytext=(8, 0),
            textcoords="offset points",
            va="center_baseline",
            color=colours.ink,
            fontsize=TEXT_POINTS,
            fontweight="bold",
        )
    ax.set_xlim(0, rows)
    name_rows(ax, [str(name) for name in counts.index])
    finish(ax)
    return ax


def _in_words(heading: str, counts: pd.Series[int]) -> str:
    """Say the picture as text."""
    width = max(map(len, counts.index), default=0)
    lines = [f"{name:<{width}}  {count:,}" for name, count in counts.items()]
    return "\n".join([heading, *(lines or ["Nothing to change."])])
