"""Pictures of CRM tables: a DataFrame in, matplotlib Axes out, nothing global.

Each function draws on the ``ax`` it is given. Without one it makes a figure of its own, outside
pyplot: pyplot keeps every figure of the process in one list, which leaks in long-lived kernels and
breaks when widget callbacks draw from another thread. A notebook would show nothing of such a
figure, so its Axes carry their own picture (:class:`PictureAxes`).
"""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter

from zcrm_nb.api.planning.costs import Speed, bulk_cost, coql_cost, rest_cost
from zcrm_nb.api.planning.routes import LIST_END

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.transforms import Transform

    from zcrm_nb.api.planning.costs import Plan
    from zcrm_nb.frames.write_plan import WritePlan

__all__ = ["PictureAxes", "changes", "funnel", "prices"]

_INK, _SOFT, _PAPER, _EMPTY = "#1b2a33", "#5f6f78", "#ffffff", "#c3c9cc"
_DEPTHS = LinearSegmentedColormap.from_list("zcrm", ["#8ec9cf", "#3f93a8", "#1f5f80", "#173f5f"])
_SCREEN_DPI, _SHARPNESS = 100, 2  # pixels per inch on the page, and how many real ones each gets
_BAR = 0.72  # height of a bar; the rest of its row is the slope to the next one
_ROW_INCHES, _FRAME_INCHES, _WIDTH_INCHES = 0.44, 0.95, 8.6
_TEXT_POINTS, _CHARACTER_POINTS, _GAP_POINTS = 10.5, 6.2, 12.0


class PictureAxes(Axes):
    """Axes of a figure that pyplot does not know; a notebook shows them as the picture they are.

    Attributes
    ----------
    words : str
        What the picture says, in text: for a screen reader, a terminal, a diff.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from zcrm_nb.notebook.plots.plots import PictureAxes
    >>> ax = Figure().add_subplot(axes_class=PictureAxes)
    >>> ax.words = "Nothing yet."
    >>> ax
    Nothing yet.
    """

    words: str = ""

    def __repr__(self) -> str:
        return self.words or super().__repr__()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Show the whole figure, sharp on dense screens, with its words as the text twin."""
        figure = self.get_figure(root=True)
        assert figure is not None
        png = io.BytesIO()
        dpi = _SCREEN_DPI * _SHARPNESS
        figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
        width, height = (round(inches * _SCREEN_DPI) for inches in figure.get_size_inches())
        data = {"image/png": png.getvalue(), "text/plain": repr(self)}
        return data, {"image/png": {"width": width, "height": height}}


class _Step(NamedTuple):
    """One row of a funnel."""

    name: str
    records: int
    share: float
    total: float | None
    colour: str


def funnel(
    df: pd.DataFrame,
    stage: str = "Stage",
    value: str | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how many records stand in each stage, in the CRM's own order.

    Parameters
    ----------
    df : pandas.DataFrame
        One row for each record, as ``crm.records`` and ``crm.coql`` return them.
    stage : str, default "Stage"
        Column with the stages. A category column (every picklist is one) keeps the order of its
        categories, and stages without records stay visible; any other column is ordered by
        frequency.
    value : str, optional
        Number column to sum for each stage, such as ``"Amount"``, in its own unit.
    ax : matplotlib.axes.Axes, optional
        Where to draw. By default on a new figure, which pyplot does not know.
    title : str, optional
        Title of the picture. By default it is made from the column's name.

    Returns
    -------
    matplotlib.axes.Axes
        ``ax``, or the :class:`PictureAxes` of the new figure, which a notebook shows when they end
        a cell. ``ax.figure.savefig("funnel.png")`` writes a file.

    Raises
    ------
    KeyError
        When ``df`` has no column ``stage`` or ``value``.

    Notes
    -----
    Width is the number of records, and percentages are shares of all of them. They are not
    conversion rates: a CRM record knows only the stage it stands in now, so how many went from one
    stage to the next cannot be read from such a table. Records without a stage get a grey row of
    their own, ``(empty)``. Only this process's memory is read: no API credits.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.notebook.plots.plots import funnel
    >>> stages = pd.CategoricalDtype(["Qualification", "Negotiation", "Closed Won"])
    >>> deals = pd.DataFrame({
    ...     "Stage": pd.Series(["Closed Won", "Qualification", "Qualification"], dtype=stages),
    ...     "Amount": [50_000.0, 20_000.0, 10_000.0],
    ... })
    >>> funnel(deals, value="Amount")
    Records by Stage
    Qualification  2   67 %  30,000
    Negotiation    0    0 %  0
    Closed Won     1   33 %  50,000
    """
    _demand(df, stage, value)
    steps = list(_steps(df, stage, value))
    heading = title if title is not None else f"Records by {stage.replace('_', ' ')}"
    if ax is None:
        ax = _new_axes(max(len(steps), 2) if len(df) else 2)
    if isinstance(ax, PictureAxes):
        ax.words = _in_words(heading, steps)
    _blank(ax, heading)
    if len(df):
        _draw(ax, steps, value)
    else:
        _say(ax, f"No records to show by {stage}.")
    return ax


def _demand(df: pd.DataFrame, *columns: str | None) -> None:
    """Refuse a column that is not there, and name those that are."""
    for column in columns:
        if column is not None and column not in df.columns:
            raise KeyError(f"no column {column!r}; the table has {', '.join(map(str, df.columns))}")


def _steps(df: pd.DataFrame, stage: str, value: str | None) -> Iterator[_Step]:
    """Count (and sum) by stage; what has no stage comes last."""
    stages = df[stage]
    counts = stages.value_counts(sort=stages.dtype != "category")
    sums = df[value].groupby(stages, observed=False).sum().to_dict() if value else {}
    all_records = max(len(df), 1)
    for at, (name, count) in enumerate(counts.to_dict().items()):
        total = float(sums[name]) if value else None
        colour = mpl.colors.to_hex(_DEPTHS(at / max(len(counts) - 1, 1)))
        yield _Step(str(name), count, count / all_records, total, colour)
    if nulls := int(stages.isna().sum()):
        total = float(df.loc[stages.isna(), value].sum()) if value else None
        yield _Step("(empty)", nulls, nulls / all_records, total, _EMPTY)


def _new_axes(rows: int) -> PictureAxes:
    """Make a figure as tall as its rows need."""
    figure = Figure(
        figsize=(_WIDTH_INCHES, _FRAME_INCHES + _ROW_INCHES * rows),
        facecolor=_PAPER,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
    )
    ax = figure.add_subplot(axes_class=PictureAxes)
    assert isinstance(ax, PictureAxes)
    return ax


def _blank(ax: Axes, heading: str) -> None:
    """Clear away frame, ticks and grid: the labels say it all."""
    ax.set_title(heading, loc="left", color=_INK, fontsize=13, fontweight="bold", pad=20)
    ax.set_facecolor(_PAPER)
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _say(ax: Axes, words: str) -> None:
    """Put a sentence where the picture would be."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=_SOFT)


def _draw(ax: Axes, steps: list[_Step], value: str | None) -> None:
    """Draw bars, the slopes between them and the labels; top to bottom, centred on zero."""
    widest = max(step.records for step in steps)
    for at, step in enumerate(steps):
        ax.barh(at, step.records, left=-step.records / 2, height=_BAR, color=step.colour)
        _label(ax, at, step, widest)
    for at, (upper, lower) in enumerate(pairwise(steps)):
        if lower.colour == _EMPTY:
            continue
        edges = [at + _BAR / 2, at + 1 - _BAR / 2]
        halves = [upper.records / 2, lower.records / 2]
        ax.fill_betweenx(
            edges, [-h for h in halves], halves, color=lower.colour, alpha=0.22, linewidth=0
        )
    ax.set_xlim(-widest / 2, widest / 2)
    ax.set_ylim(len(steps) - 0.5, -0.5)
    ax.set_yticks(
        range(len(steps)), [step.name for step in steps], color=_INK, fontsize=_TEXT_POINTS
    )
    ax.tick_params(axis="y", length=0, pad=8)
    _columns(ax, steps, value)


def _label(ax: Axes, at: int, step: _Step, widest: int) -> None:
    """Write the count into the bar, or beside it where the bar is too narrow."""
    inside = step.records > 0.12 * widest
    ax.text(
        0 if inside else step.records / 2 + 0.012 * widest,
        at,
        f"{step.records:,}",
        ha="center" if inside else "left",
        va="center_baseline",
        color=_contrast(step.colour) if inside else _INK,
        fontsize=_TEXT_POINTS,
        fontweight="bold",
    )


def _contrast(colour: str) -> str:
    """Choose the ink that reads better here: both reach the same WCAG contrast at 0.225."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in mpl.colors.to_rgb(colour)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _INK if luminance > 0.225 else _PAPER


def _columns(ax: Axes, steps: list[_Step], value: str | None) -> None:
    """Write share and sum as right-aligned columns beside the bars, each under its heading."""
    columns = [["share", *(_percent(step.share) for step in steps)]]
    if value:
        sums = [_compact(step.total or 0.0) for step in steps]
        columns.append([f"total {value.replace('_', ' ')}", *sums])
    end = 0.0
    for heading, *texts in columns:
        end += _GAP_POINTS + _CHARACTER_POINTS * max(map(len, (heading, *texts)))
        _beside(ax, heading, (1, 1), (end, 6), ax.transAxes)
        for row, text in enumerate(texts):
            _beside(ax, text, (1, row), (end, 0), ax.get_yaxis_transform())


def _beside(
    ax: Axes,
    text: str,
    place: tuple[float, float],
    points: tuple[float, float],
    coordinates: Transform,
) -> None:
    """Write right-aligned text so many points off the bars, where no layout can cut it."""
    ax.annotate(
        text,
        place,
        xycoords=coordinates,
        xytext=points,
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        color=_SOFT,
        fontsize=_TEXT_POINTS,
        annotation_clip=False,
    )


def _percent(share: float) -> str:
    """Whole percent, but never 0 % for something that is there."""
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _compact(number: float) -> str:
    """Write a sum for a glance: 950, 12.4 k, 3.1 M, 2.0 bn."""
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == ' k' else size):,.1f}{unit}"
    return f"{number:,.0f}"


def _in_words(heading: str, steps: list[_Step]) -> str:
    """Say the picture as a small text table."""
    if not any(step.records for step in steps):
        return f"{heading}\nno records"
    names = max(len(step.name) for step in steps)
    counts = max(len(f"{step.records:,}") for step in steps)
    lines = [
        f"{step.name:<{names}}  {step.records:>{counts},}  {_percent(step.share):>5}"
        + ("" if step.total is None else f"  {step.total:,.0f}")
        for step in steps
    ]
    return "\n".join([heading, *lines])


# ---- What tables cost ----------------------------------------------------------------------------

_ROUTE_COLOURS = {"Get Records": "#8a9ba5", "COQL": "#1f5f80", "bulk read": "#c2703d"}
_LEAST, _MOST = 100, 2_000_000  # rows
_POINTS = 600
_SAID = (200, 2_000, 10_000, 34_000, 100_000, 1_000_000)


def prices(
    plan: Plan | None = None,
    *,
    fields: int = 20,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what a table costs by each route, from a hundred rows to two millions.

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
    >>> from zcrm_nb.notebook.plots.plots import prices
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
        ax = _new_axes(9)
    if isinstance(ax, PictureAxes):
        ax.words = _prices_in_words(heading, fields, pace, crossing)
    _price_frame(ax, heading)
    for name, colour in _ROUTE_COLOURS.items():
        _price_line(ax, name, colour, fields, pace)
    _mark_crossing(ax, crossing, fields, pace)
    if plan and plan.rows:
        ax.axvline(plan.rows, color=_INK, linewidth=1, linestyle=(0, (2, 3)))
        ax.annotate(f"{plan.rows:,} rows", (plan.rows, 1.1), xytext=(4, 0), **_NOTE)
    return ax


_NOTE: dict[str, Any] = {"textcoords": "offset points", "color": _SOFT, "fontsize": 9}


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


def _price_frame(ax: Axes, heading: str) -> None:
    """Set up two logarithmic scales and as little else as possible."""
    ax.set_title(heading, loc="left", color=_INK, fontsize=13, fontweight="bold", pad=14)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(_LEAST, _MOST)
    ax.set_ylim(0.8, 4_000)
    plain = EngFormatter(sep="\N{THIN SPACE}")
    for axis, name in ((ax.xaxis, "rows"), (ax.yaxis, "credits")):
        axis.set_major_formatter(plain)
        axis.set_label_text(name, color=_SOFT)
    ax.minorticks_off()
    ax.tick_params(length=0, colors=_SOFT)
    ax.grid(visible=True, color="#e6eaec", linewidth=0.8)
    ax.spines[:].set_visible(False)


def _price_line(ax: Axes, name: str, colour: str, fields: int, pace: Speed) -> None:
    """Draw the price of a route as far as it leads, with its name where the line ends."""
    ratio = (_MOST / _LEAST) ** (1 / (_POINTS - 1))
    all_rows = [round(_LEAST * ratio**n) for n in range(_POINTS)]
    points = [(rows, _price(name, rows, fields, pace)) for rows in all_rows]
    there = [(rows, price) for rows, price in points if price is not None]
    xs, ys = zip(*there, strict=True)
    ax.plot(xs, ys, color=colour, linewidth=2.4, solid_capstyle="round")
    words = name
    if len(there) < len(points):
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
        fontsize=_TEXT_POINTS,
        fontweight="bold",
    )


def _mark_crossing(ax: Axes, rows: int, fields: int, pace: Speed) -> None:
    """Say from where on bulk read is cheaper."""
    price = bulk_cost(rows, fields, pace).credits
    ax.plot(rows, price, "o", color=_PAPER, markeredgecolor=_INK, markersize=9, zorder=4)
    ax.annotate(
        f"bulk read is cheaper\nfrom {rows:,} rows on",
        (rows, price),
        xytext=(10, -12),
        va="top",
        **_NOTE,
    )


def _prices_in_words(heading: str, fields: int, pace: Speed, crossing: int) -> str:
    """Say the picture as a small text table."""
    names = list(_ROUTE_COLOURS)
    lines = [["rows", *names]]
    for rows in _SAID:
        found = [_price(name, rows, fields, pace) for name in names]
        lines.append([f"{rows:,}", *("–" if each is None else f"{each:,}" for each in found)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join([heading, *table, f"Bulk read is the cheapest from {crossing:,} rows on."])


# ---- What a write would change -------------------------------------------------------------------

_STRIP, _TRACK = "#3f93a8", "#eef2f3"


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
        ax = _new_axes(max(len(counts), 2))
    if isinstance(ax, PictureAxes):
        ax.words = _changes_in_words(heading, counts)
    _blank(ax, heading)
    if counts.empty:
        _say(ax, "Nothing to change.")
        return ax
    places = pd.Series(range(rows), index=plan.rows["id"])
    for at, (name, count) in enumerate(counts.items()):
        ids = plan.cells["id"][plan.cells["column"] == name]
        ax.barh(at, rows, height=_BAR, color=_TRACK)
        ax.eventplot(
            places.loc[ids], lineoffsets=at, linelengths=_BAR, linewidths=1.1, colors=_STRIP
        )
        ax.annotate(f"{count:,}", (rows, at), xytext=(8, 0), va="center_baseline", **_COUNT)
    ax.set_xlim(0, rows)
    ax.set_ylim(len(counts) - 0.5, -0.5)
    ax.set_yticks(range(len(counts)), counts.index, color=_INK, fontsize=_TEXT_POINTS)
    ax.tick_params(axis="y", length=0, pad=8)
    return ax


_COUNT: dict[str, Any] = {
    "textcoords": "offset points",
    "color": _INK,
    "fontsize": _TEXT_POINTS,
    "fontweight": "bold",
}


def _changes_in_words(heading: str, counts: pd.Series[int]) -> str:
    """Say the picture as text."""
    width = max(map(len, counts.index), default=0)
    lines = [f"{name:<{width}}  {count:,}" for name, count in counts.items()]
    return "\n".join([heading, *(lines or ["Nothing to change."])])
