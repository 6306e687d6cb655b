"""The quick picture of a query's answer: bars or lines, or words where neither fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from matplotlib.ticker import EngFormatter, MaxNLocator

from zcrm_nb.errors import ShortTraceback
from zcrm_nb.notebook.plots.grouped import query_of
from zcrm_nb.notebook.plots.picture import (
    BAR,
    PictureAxes,
    finish,
    new_figure,
    palette,
    set_title,
    spaced,
    time_axis,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    Kind = Literal["bar", "line"]

__all__ = ["KINDS", "NothingFits", "chart"]

KINDS = ("bar", "line")
MOST_BARS, MOST_PANELS = 50, 6  # more cannot be read
_BAR_INCHES, _FRAME_INCHES, _LINE_INCHES = 0.3, 1.0, 2.4


class NothingFits(ShortTraceback, ValueError):  # noqa: N818 - reads as what happened
    """No picture fits this table; the message says what would."""


def chart(df: pd.DataFrame, kind: Kind | None = None) -> PictureAxes:
    """Draw a table: bars for one category and numbers, lines for one date and numbers.

    Each number column gets a panel and a scale of its own, because a count and a sum of money have
    none in common. Rows are drawn in the order of the table. Groups of a picklist that a query
    without ORDER BY returned are drawn in the order of the CRM.

    Parameters
    ----------
    df : pandas.DataFrame
        One row for each category or date, as an aggregate of :meth:`zcrm_nb.CRM.coql` returns
        them. Columns with ids are left out.
    kind : {"bar", "line"}, optional
        What fits the columns, by default.

    Returns
    -------
    PictureAxes
        The first panel, which a notebook shows as the whole picture, with the numbers in words.

    Raises
    ------
    NothingFits
        The columns make neither picture, or too many bars or panels.

    Notes
    -----
    Only this process's memory is read: no API credits.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.notebook.plots.chart import chart
    >>> stages = pd.Series(["Qualification", "Closed Won"], dtype="category")
    >>> chart(pd.DataFrame({"Stage": stages, "deals": [12, 5]}))
    deals by Stage
            Stage  deals
    Qualification     12
       Closed Won      5
    """
    numbers, labels, dates = _columns(df)
    kind = kind or _fitting(labels, dates)
    along = _only(labels, "category") if kind == "bar" else _only(dates, "date")
    _check(df, along, numbers, kind)
    table = _in_order(df, along)[[along, *numbers]]
    panels = _panels(len(numbers), kind, len(df))
    draw: Callable[..., None] = _bars if kind == "bar" else _line
    for ax, number in zip(panels, numbers, strict=True):
        draw(ax, table[along], table[number].astype("float64"))
        set_title(ax, spaced(number), size=11, pad=6)
        finish(ax)
    heading = f"{', '.join(map(spaced, numbers))} by {spaced(along)}"
    panels[0].words = f"{heading}\n{table.to_string(index=False)}"
    return panels[0]


def _in_order(df: pd.DataFrame, along: str) -> pd.DataFrame:
    """Put the groups of a picklist, which COQL sorts by text, into the order of the CRM."""
    query = query_of(df)
    is_by_text = df[along].dropna().astype("string").is_monotonic_increasing
    if query and query.group_by and not query.order_by and is_by_text:
        return df.sort_values(along, kind="stable") if df[along].dtype == "category" else df
    return df


def _columns(df: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Sort the columns into numbers, categories and dates; ids are none of them."""
    table = df[[each for each in df.columns if each != "id" and not str(each).endswith(".id")]]
    dates = [*table.select_dtypes(["datetime", "datetimetz"]).columns]
    numbers = [*table.select_dtypes("number").columns]
    labels = [each for each in table.columns if _is_label(table[each])]
    return numbers, labels, dates


def _is_label(column: pd.Series[Any]) -> bool:
    """Whether a column holds texts, categories or booleans, but no lists or objects."""
    return str(column.dtype) in {"category", "boolean", "bool", "str"} or str(
        column.dtype
    ).startswith("string")


def _fitting(labels: Sequence[str], dates: Sequence[str]) -> Kind:
    """Choose the picture by the columns."""
    if bool(labels) == bool(dates):
        raise NothingFits(
            "No chart fits: bars want one category beside numbers, a line wants one date beside "
            f"numbers; here are categories: {', '.join(labels) or 'none'}; "
            f"dates: {', '.join(dates) or 'none'}."
        )
    return "bar" if labels else "line"


def _only(columns: Sequence[str], what: str) -> str:
    """Return the one column there is."""
    if len(columns) != 1:
        raise NothingFits(
            f"No chart fits: it wants one {what} column, and here are "
            f"{', '.join(columns) or 'none'}. Select one."
        )
    return columns[0]


def _check(df: pd.DataFrame, along: str, numbers: Sequence[str], kind: Kind) -> None:
    """Refuse what would be an empty, a false or an unreadable picture."""
    if df.empty:
        raise NothingFits("No chart fits: the query found no rows.")
    if not numbers:
        raise NothingFits(
            f"No chart fits: {along} has no numbers beside it. Select one, such as COUNT(id)."
        )
    if len(numbers) > MOST_PANELS:
        raise NothingFits(f"No chart fits: {len(numbers)} number columns. Select {MOST_PANELS}.")
    if df[along].duplicated().any():
        raise NothingFits(
            f"No chart fits: several rows have the same {along}. Add up with GROUP BY {along}."
        )
    if kind == "bar" and len(df) > MOST_BARS:
        raise NothingFits(
            f"No chart fits: {len(df):,} bars are too many to read. Add ORDER BY and "
            f"LIMIT {MOST_BARS}."
        )


def _panels(count: int, kind: Kind, rows: int) -> list[PictureAxes]:
    """Make a figure outside pyplot: bars side by side, lines one above the other."""
    height = _FRAME_INCHES + (_BAR_INCHES * rows if kind == "bar" else _LINE_INCHES * count)
    figure = new_figure(height)
    shape = (1, count) if kind == "bar" else (count, 1)
    panels = figure.subplots(
        *shape,
        sharex=kind == "line",
        sharey=kind == "bar",
        squeeze=False,
        subplot_kw={"axes_class": PictureAxes},
    )
    return [*panels.flat]


def _bars(ax: PictureAxes, labels: pd.Series[Any], values: pd.Series[float]) -> None:
    """Draw one bar for each row, from top to bottom."""
    colours = palette(ax)
    names = [
        "(empty)" if is_null else str(label)
        for label, is_null in zip(labels, labels.isna(), strict=True)
    ]
    bars = ax.barh(range(len(names)), values.fillna(0).tolist(), height=BAR, color=colours.main)
    ax.set_yticks(range(len(names)), names, color=colours.ink)
    ax.set_ylim(len(names) - 0.5, -0.5)
    texts = ["" if value != value else _short(value) for value in values.astype("float64")]  # noqa: PLR0124 - NaN
    ax.bar_label(bars, texts, padding=4, color=colours.soft, fontsize=9)
    ax.margins(x=0.16)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.grid(visible=False)


def _line(ax: PictureAxes, dates: pd.Series[Any], values: pd.Series[float]) -> None:
    """Draw one line along time; a gap stays a gap."""
    colours = palette(ax)
    order = dates.dropna().sort_values(kind="stable").index
    # Matplotlib reads Timestamps with their time zone, which an array of them has lost.
    times = dates.loc[order].tolist()
    ax.plot(times, values.loc[order].tolist(), color=colours.main, marker="o", markersize=3)
    time_axis(ax, times)
    is_whole = bool((values.dropna() % 1 == 0).all())
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=is_whole))
    ax.yaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(colors=colours.soft)
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y", color=colours.grid)
    ax.set_axisbelow(True)


def _short(number: float) -> str:
    """Write a number for a glance."""
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:,.2f}"
