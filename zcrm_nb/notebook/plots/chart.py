"""The quick picture of a query's answer: bars or lines, or words where neither fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import EngFormatter

from zcrm_nb.errors import ShortTraceback
from zcrm_nb.notebook.plots.plots import PictureAxes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    Kind = Literal["bar", "line"]

__all__ = ["KINDS", "NothingFits", "chart"]

KINDS = ("bar", "line")
MOST_BARS, MOST_PANELS = 50, 6  # more are no picture but a table
_INK, _SOFT, _COLOUR = "#1b2a33", "#5f6f78", "#1f5f80"
_WIDTH_INCHES, _BAR_INCHES, _FRAME_INCHES, _LINE_INCHES = 8.6, 0.3, 1.0, 2.4


class NothingFits(ShortTraceback, ValueError):  # noqa: N818 - reads as what happened
    """No picture fits this table; the message says what would."""


def chart(df: pd.DataFrame, kind: Kind | None = None) -> PictureAxes:
    """Draw a table: bars for one category and numbers, lines for one date and numbers.

    Each number column gets a panel and a scale of its own, because a count and a sum of money have
    none in common. Rows are drawn in the order of the table.

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
    table = df[[along, *numbers]]
    panels = _panels(len(numbers), kind, len(df))
    draw: Callable[..., None] = _bars if kind == "bar" else _line
    for ax, number in zip(panels, numbers, strict=True):
        draw(ax, table[along], table[number].astype("float64"))
        ax.set_title(_spaced(number), loc="left", color=_INK, fontsize=11, fontweight="bold")
    heading = f"{', '.join(map(_spaced, numbers))} by {_spaced(along)}"
    panels[0].words = f"{heading}\n{table.to_string(index=False)}"
    return panels[0]


def _columns(df: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Sort the columns into numbers, categories and dates; ids are none of them."""
    table = df[[each for each in df.columns if each != "id" and not str(each).endswith(".id")]]
    dates = [*table.select_dtypes(["datetime", "datetimetz"]).columns]
    numbers = [*table.select_dtypes("number").columns]
    labels = [each for each in table.columns if _is_label(table[each])]
    return numbers, labels, dates


def _is_label(column: pd.Series[Any]) -> bool:
    """Whether a column holds texts, categories or yes and no; lists and objects are no labels."""
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
    figure = Figure(
        figsize=(_WIDTH_INCHES, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    )
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
    names = [
        "(empty)" if gone else str(each) for each, gone in zip(labels, labels.isna(), strict=True)
    ]
    bars = ax.barh(range(len(names)), values.fillna(0).tolist(), height=0.72, color=_COLOUR)
    ax.set_yticks(range(len(names)), names, color=_INK)
    ax.set_ylim(len(names) - 0.5, -0.5)
    texts = ["" if gone else _short(each) for each, gone in zip(values, values.isna(), strict=True)]
    ax.bar_label(bars, texts, padding=4, color=_SOFT, fontsize=9)
    ax.margins(x=0.16)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks([])


def _line(ax: PictureAxes, dates: pd.Series[Any], values: pd.Series[float]) -> None:
    """Draw one line along time; a gap stays a gap."""
    order = dates.dropna().sort_values(kind="stable").index
    # Matplotlib reads Timestamps with their time zone, which an array of them has lost.
    times = dates.loc[order].tolist()
    ax.plot(times, values.loc[order].tolist(), color=_COLOUR, marker="o", markersize=3)
    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    written = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(written)
    ax.yaxis.set_major_formatter(EngFormatter(sep=" "))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.25)


def _short(number: float) -> str:
    """Write a number for a glance."""
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:,.2f}"


def _spaced(name: str) -> str:
    """Write a column's name for a title."""
    return str(name).replace("_", " ")
