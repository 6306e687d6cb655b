"""What a table costs by each route, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.ticker import EngFormatter

from zcrm_nb.api.planning.costs import Speed, bulk_cost, coql_cost, rest_cost
from zcrm_nb.api.planning.obstacles import LIST_END
from zcrm_nb.notebook.plots.picture import (
    TEXT_POINTS,
    PictureAxes,
    figure_of,
    finish,
    new_bar_axes,
    palette,
    set_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from zcrm_nb.api.planning.costs import Plan

__all__ = ["prices"]

_ROUTES = ("Get Records", "COQL", "bulk read")
_LEAST, _MOST = 100, 2_000_000  # rows
_POINTS = 600
_LISTED = (200, 2_000, 10_000, 34_000, 100_000, 1_000_000)


def prices(
    plan: Plan | None = None,
    *,
    fields: int = 20,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what a table costs by each route, from a hundred rows to two million.

    Parameters
    ----------
    plan : Plan, optional
        A plan of ``crm.plan`` whose rows are marked, and by whose pace bulk jobs are priced.
    fields : int, default 20
        Columns of the table: more than 49 make lists dearer.
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
    The arithmetic of ``crm.plan`` and nothing else: no API credits. Both scales are logarithmic.
    Looks at a bulk job and its download are part of its price. The count by which a plan prices the
    routes is not: it costs 1 credit whatever the route.

    Examples
    --------
    >>> from zcrm_nb.notebook.plots.prices import prices
    >>> prices()
    Credits by rows and route
         rows  Get Records   COQL  bulk read
          200            1      1         ...
        2,000           10      3         ...
       10,000           50     15         ...
       34,000          170     51         ...
      100,000          500    150         ...
    1,000,000            –  1,500        ...
    Bulk read is the cheapest from ... rows on.
    """
    pace = plan.pace if plan else Speed()
    heading = title if title is not None else "Credits by rows and route"
    crossing = _crossing(fields, pace)
    if ax is None:
        ax = new_bar_axes(9)
    if isinstance(ax, PictureAxes):
        ax.words = _in_words(heading, fields, pace, crossing)
    _frame(ax, heading)
    for name, colour in zip(_ROUTES, _colours(ax), strict=True):
        _line(ax, name, colour, fields, pace)
    _mark_crossing(ax, crossing, fields, pace)
    if plan and plan.rows:
        ax.axvline(plan.rows, color=palette(ax).ink, linewidth=1, linestyle=(0, (2, 3)))
        ax.annotate(f"{plan.rows:,} rows", (plan.rows, 1.1), xytext=(4, 0), **_note(ax))
    finish(ax)
    return ax


def _colours(ax: Axes) -> tuple[str, str, str]:
    """Choose a colour for each route."""
    colours = palette(ax)
    return colours.soft, colours.main, colours.bulk


def _note(ax: Axes) -> dict[str, Any]:
    """Say how a note looks."""
    return {"textcoords": "offset points", "color": palette(ax).soft, "fontsize": 9}


def _price(name: str, rows: int, fields: int, pace: Speed) -> int | None:
    """Credits of a route; ``None`` where it ends."""
    if name == "COQL":
        return coql_cost(rows, pace).credits
    if name == "bulk read":
        return bulk_cost(rows, fields, pace).credits
    return rest_cost(rows, fields, pace).credits if rows <= LIST_END else None


def _crossing(fields: int, pace: Speed) -> int:
    """Find the number of rows from which on a bulk job is cheaper than a query."""
    dear = bulk_cost(1, fields, pace).credits
    return next(rows for rows in range(1, _MOST) if coql_cost(rows, pace).credits > dear)


def _frame(ax: Axes, heading: str) -> None:
    """Set up two logarithmic scales and as little else as possible."""
    set_title(ax, heading)
    colours = palette(ax)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(_LEAST, _MOST)
    ax.set_ylim(0.8, 4_000)
    plain = EngFormatter(sep="\N{THIN SPACE}")
    for axis, name in ((ax.xaxis, "rows"), (ax.yaxis, "credits")):
        axis.set_major_formatter(plain)
        axis.set_label_text(name, color=colours.soft)
    ax.minorticks_off()
    ax.tick_params(length=0, colors=colours.soft)
    ax.grid(visible=True, color=colours.grid, linewidth=0.8)
    ax.spines[:].set_visible(False)


def _line(ax: Axes, name: str, colour: str, fields: int, pace: Speed) -> None:
    """Draw the price of a route as far as it leads, with its name where the line ends."""
    ratio = (_MOST / _LEAST) ** (1 / (_POINTS - 1))
    all_rows = [round(_LEAST * ratio**n) for n in range(_POINTS)]
    points = [(rows, _price(name, rows, fields, pace)) for rows in all_rows]
    known = [(rows, price) for rows, price in points if price is not None]
    xs, ys = zip(*known, strict=True)
    ax.plot(xs, ys, color=colour, linewidth=2.4, solid_capstyle="round")
    words = name
    if len(known) < len(points):
        words = f"{name}, which ends at {LIST_END:,}"
        ax.plot(xs[-1], ys[-1], "o", color=colour, markersize=7)
    # A job's line begins far from the others, theirs end far from each other.
    at_start = name == "bulk read"
    ax.annotate(
        words,
        (xs[0], ys[0]) if at_start else (xs[-1], ys[-1]),
        xytext=(6 if at_start else -6, 6),
        textcoords="offset points",
        ha="left" if at_start else "right",
        va="bottom",
        color=colour,
        fontsize=TEXT_POINTS,
        fontweight="bold",
    )


def _mark_crossing(ax: Axes, rows: int, fields: int, pace: Speed) -> None:
    """Say from where on bulk read is cheaper."""
    price = bulk_cost(rows, fields, pace).credits
    paper, ink = figure_of(ax).get_facecolor(), palette(ax).ink
    ax.plot(rows, price, "o", color=paper, markeredgecolor=ink, markersize=9, zorder=4)
    ax.annotate(
        f"bulk read is cheaper\nfrom {rows:,} rows on",
        (rows, price),
        xytext=(10, -12),
        va="top",
        **_note(ax),
    )


def _in_words(heading: str, fields: int, pace: Speed, crossing: int) -> str:
    """Say the picture as a small text table."""
    lines = [["rows", *_ROUTES]]
    for rows in _LISTED:
        prices = [_price(name, rows, fields, pace) for name in _ROUTES]
        lines.append([f"{rows:,}", *("–" if each is None else f"{each:,}" for each in prices)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join([heading, *table, f"Bulk read is the cheapest from {crossing:,} rows on."])
