"""Records by stage, drawn: open stages as a funnel, won and lost apart from them."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from zcrm_nb import coql
from zcrm_nb.api.picklists import forecast_types
from zcrm_nb.coql.tree import Aggregate
from zcrm_nb.notebook.plots.grouped import query_of
from zcrm_nb.notebook.plots.picture import (
    BAR,
    TEXT_POINTS,
    PictureAxes,
    bar_frame,
    contrast,
    finish,
    message,
    name_rows,
    new_bar_axes,
    palette,
    spaced,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

    from zcrm_nb.coql.fields import Field

__all__ = ["funnel"]

_CHARACTER_POINTS, _GAP_POINTS = 6.2, 12.0
_FEWEST_GROUPS = 4  # fewer rows with different stages may well be records
_OPEN, _WON, _LOST, _EMPTY, _PLAIN = "open", "won", "lost", "empty", "plain"
_OUTCOMES = {"open": _OPEN, "closed won": _WON, "closed lost": _LOST}


class _Row(NamedTuple):
    """One stage."""

    name: str
    records: int
    share: float
    total: float | None
    outcome: str


def funnel(
    df: pd.DataFrame,
    stage: str = "Stage",
    value: str | None = None,
    *,
    count: str | None = None,
    picklist: pd.DataFrame | None = None,
    ax: Axes | None = None,
    title: str | None = None,
) -> Axes:
    """Draw how many records stand in each stage, in the CRM's own order.

    Where it is known which stages are open, those make the funnel. Won and lost ones stand below
    it, each as its share of the closed records: they are the sum of years, and no step of a funnel.

    Parameters
    ----------
    df : pandas.DataFrame
        One row for each record, as ``crm.records`` and ``crm.coql`` return them; or one row for
        each group, as a query with GROUP BY returns them.
    stage : str, default "Stage"
        Column with the stages. A category column (every picklist is one) keeps the order of its
        categories, and stages without records stay visible; any other column is ordered by
        frequency.
    value : str, optional
        Number column to sum for each stage, such as ``"Amount"``, in its own unit.
    count : str, optional
        Column with the number of records of each row, for rows that are groups. By default the
        COUNT column of the query that made the table.
    picklist : pandas.DataFrame, optional
        The stages as ``crm.picklist("Deals", "Stage")`` returns them, whose ``forecast_type`` tells
        open, won and lost ones apart. Tables of ``crm.coql`` and ``crm.records`` bring that along.
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
        When ``df`` has no column ``stage``, ``value`` or ``count``.
    ValueError
        When the rows are groups of a query, and none or several of its columns count records.

    Notes
    -----
    Width is the number of records. Percentages are shares of the open records, or of the closed
    ones, and not conversion rates: a CRM record knows only the stage it stands in now, so how many
    went from one stage to the next cannot be read from such a table. Records without a stage get a
    grey row of their own, ``(empty)``. Only this process's memory is read: no API credits.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.notebook.plots import funnel
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
    _check_columns(df, stage, value, count)
    count = count or _count_column(df, stage)
    rows = _rows(df, stage, value, count, _outcomes(df, stage, picklist))
    heading = title if title is not None else f"Records by {spaced(stage)}"
    if ax is None:
        ax = new_bar_axes(len(_places(rows)[1]) if len(df) else 2)
    if isinstance(ax, PictureAxes):
        ax.words = _in_words(heading, rows)
    bar_frame(ax, heading)
    if len(df):
        _draw(ax, rows, value and (value if count else f"total {value}"))
    else:
        message(ax, f"No records to show by {stage}.")
    finish(ax)
    return ax


def _check_columns(df: pd.DataFrame, *columns: str | None) -> None:
    """Refuse a column that the table lacks, and name those it has."""
    for column in columns:
        if column is not None and column not in df.columns:
            raise KeyError(f"no column {column!r}; the table has {', '.join(map(str, df.columns))}")


# ---- Counting ------------------------------------------------------------------------------------


def _count_column(df: pd.DataFrame, stage: str) -> str | None:
    """Find the column that counts records, where rows are groups and not records."""
    query = query_of(df)
    if query is not None and coql.is_aggregate(query):
        counts = [
            item.key
            for item in query.columns
            if isinstance(item.expression, Aggregate) and item.expression.function == "COUNT"
        ]
        counts = [name for name in counts if name in df.columns]
        if len(counts) != 1:
            found = f"several count: {', '.join(counts)}" if counts else "none of its columns does"
            raise ValueError(
                "Each row of this table is a group of records (GROUP BY). A funnel needs the "
                f"number of records in each, and {found}. Select COUNT(id), or name the column: "
                "count=…"
            )
        return counts[0]
    has_numbers = any(dtype.kind in "iu" for dtype in df.dtypes)
    is_grouped = len(df) >= _FEWEST_GROUPS and df[stage].is_unique and "id" not in df.columns
    if is_grouped and has_numbers:
        warnings.warn(
            f"Each row has another {stage}, and counts as one record. If the rows are groups, name "
            "the column with the number of records: count=…",
            stacklevel=3,
        )
    return None


def _outcomes(df: pd.DataFrame, stage: str, picklist: pd.DataFrame | None) -> dict[str, str]:
    """Return what each stage means; empty if that is not known."""
    types = df.attrs.get("zcrm", {}).get("forecast_types", {}).get(stage, {})
    if picklist is not None:
        plain = picklist.astype(object).where(picklist.notna(), None).to_dict("records")
        values = [{str(key): value for key, value in row.items()} for row in plain]
        field: Field = {"api_name": stage, "data_type": "picklist", "pick_list_values": values}
        types = forecast_types(field, set(df[stage].dropna().astype(str)))
    known = {str(name): _OUTCOMES.get(str(kind).lower()) for name, kind in types.items()}
    return {name: outcome for name, outcome in known.items() if outcome}


def _rows(
    df: pd.DataFrame, stage: str, value: str | None, count: str | None, outcomes: Mapping[str, str]
) -> list[_Row]:
    """Count, and sum, by stage: open ones first, then closed ones, then records without a stage."""
    stages = df[stage]
    counts = _by_stage(df, stages, count)
    sums = _by_stage(df, stages, value) if value else {}
    groups: dict[str, list[Any]] = {_OPEN: [], _WON: [], _LOST: [], _PLAIN: []}
    for name, records in counts.items():
        # A value that Zoho does not list any more is shown only if records have it.
        outcome = outcomes.get(str(name), _OPEN if records else "") if outcomes else _PLAIN
        if outcome and (records or outcome in {_OPEN, _PLAIN}):
            groups[outcome].append((str(name), int(records), sums.get(name), outcome))
    rows = []
    for among in ((_OPEN,), (_WON, _LOST), (_PLAIN,)):
        listed = [each for outcome in among for each in groups[outcome]]
        rows += _shared(listed, len(df) if among == (_PLAIN,) and count is None else None)
    if nulls := _total(df[stages.isna()], count):
        total = float(df.loc[stages.isna(), value].sum()) if value else None
        rows.append(_Row("(empty)", nulls, nulls / max(_total(df, count), 1), total, _EMPTY))
    return rows


def _by_stage(df: pd.DataFrame, stages: pd.Series[Any], column: str | None) -> dict[Any, float]:
    """Count the rows of each stage, or sum a column."""
    is_ordered = stages.dtype == "category"
    if column is None:
        return dict(stages.value_counts(sort=not is_ordered).items())
    sums = df[column].astype("float64").groupby(stages, observed=False).sum()
    return (sums if is_ordered else sums.sort_values(ascending=False)).to_dict()


def _total(df: pd.DataFrame, count: str | None) -> int:
    """Count the records of some rows."""
    return len(df) if count is None else int(df[count].sum())


def _shared(listed: Sequence[Any], of: int | None) -> list[_Row]:
    """Give each row its share of all records in its group."""
    whole = of or sum(records for _, records, *_ in listed) or 1
    return [
        _Row(name, records, records / whole, None if total is None else float(total), outcome)
        for name, records, total, outcome in listed
    ]


# ---- Drawing -------------------------------------------------------------------------------------


def _places(rows: list[_Row]) -> tuple[list[float], list[str]]:
    """Give each row its place from the top, and each place its name; a gap parts the groups."""
    places: list[float] = []
    names: list[str] = []
    for at, row in enumerate(rows):
        if at and _group(row) != _group(rows[at - 1]) and rows[at - 1].outcome != _PLAIN:
            names.append("")
        places.append(len(names))
        names.append(row.name)
    return places, names


def _group(row: _Row) -> str:
    """Name the group whose shares add up to all of it."""
    return "closed" if row.outcome in {_WON, _LOST} else row.outcome


def _draw(ax: Axes, rows: list[_Row], sums: str | None) -> None:
    """Draw bars, the slopes between open stages, and the labels."""
    places, names = _places(rows)
    widest = max((row.records for row in rows if _group(row) != "closed"), default=0) or 1
    for at, row, colour in zip(places, rows, _colours(ax, rows), strict=True):
        if _group(row) == "closed":
            _closed_bar(ax, at, row, colour, widest)
        else:
            ax.barh(at, row.records, left=-row.records / 2, height=BAR, color=colour)
            _label(ax, at, row.records, colour, widest)
    for (above, upper), (below, lower) in pairwise(zip(places, rows, strict=True)):
        if upper.outcome == lower.outcome == _OPEN:
            halves = [upper.records / 2, lower.records / 2]
            ax.fill_betweenx(
                [above + BAR / 2, below - BAR / 2],
                [-half for half in halves],
                halves,
                color=palette(ax).main,
                alpha=0.18,
                linewidth=0,
            )
    ax.set_xlim(-widest / 2, widest / 2)
    name_rows(ax, names)
    _columns(ax, places, rows, sums)


def _colours(ax: Axes, rows: list[_Row]) -> list[str]:
    """Choose a colour for each row; open stages deepen from the first to the last."""
    colours = palette(ax)
    depths = LinearSegmentedColormap.from_list("zcrm", list(colours.depths))
    steps = max(sum(row.outcome == _OPEN for row in rows) - 1, 1)
    of_outcome = {
        _WON: colours.won,
        _LOST: colours.lost,
        _EMPTY: colours.empty,
        _PLAIN: colours.main,
    }
    return [
        mpl.colors.to_hex(depths(at / steps)) if row.outcome == _OPEN else of_outcome[row.outcome]
        for at, row in enumerate(rows)
    ]


def _closed_bar(ax: Axes, at: float, row: _Row, colour: str, widest: int) -> None:
    """Fill a track as wide as the picture by the share of all closed records."""
    ax.barh(at, widest, left=-widest / 2, height=BAR, color=palette(ax).grid)
    ax.barh(at, widest * row.share, left=-widest / 2, height=BAR, color=colour)
    inside = row.share > 0.12
    x = -widest / 2 + widest * (0.012 if inside else row.share + 0.012)
    ink = contrast(colour) if inside else palette(ax).ink
    _write(ax, (x, at), f"{row.records:,}", ink, "left")


def _label(ax: Axes, at: float, records: int, colour: str, widest: int) -> None:
    """Write the count into the bar, or beside it where the bar is too narrow."""
    inside = records > 0.12 * widest
    x = 0 if inside else records / 2 + 0.012 * widest
    ink = contrast(colour) if inside else palette(ax).ink
    _write(ax, (x, at), f"{records:,}", ink, "center" if inside else "left")


def _write(ax: Axes, place: tuple[float, float], text: str, colour: str, align: str) -> None:
    """Write a number on a bar."""
    ax.text(
        *place,
        text,
        ha=align,
        va="center_baseline",
        color=colour,
        fontsize=TEXT_POINTS,
        fontweight="bold",
    )


def _columns(ax: Axes, places: list[float], rows: list[_Row], sums: str | None) -> None:
    """Write share and sum as right-aligned columns beside the bars, under their headings."""
    shares = [_percent(row.share) for row in rows]
    columns = [(shares, {at: _share_of(row) for at, row in _firsts(places, rows)})]
    if sums:
        columns.append(([_compact(row.total or 0.0) for row in rows], {-1.0: spaced(sums)}))
    end = 0.0
    for texts, headings in columns:
        longest = max(map(len, [*texts, *headings.values()]))
        end += _GAP_POINTS + _CHARACTER_POINTS * longest
        for at, heading in headings.items():
            place, points = ((1.0, 1.0), (end, 6.0)) if at < 0 else ((1.0, at), (end, -4.0))
            _beside(
                ax, heading, place, points, ax.transAxes if at < 0 else ax.get_yaxis_transform()
            )
        for at, text in zip(places, texts, strict=True):
            _beside(ax, text, (1, at), (end, 0), ax.get_yaxis_transform())


def _firsts(places: list[float], rows: list[_Row]) -> list[tuple[float, _Row]]:
    """Return the place above the first row of each group, and that row."""
    firsts = [
        (at - 1, row)
        for number, (at, row) in enumerate(zip(places, rows, strict=True))
        if row.outcome != _EMPTY and (number == 0 or _group(row) != _group(rows[number - 1]))
    ]
    return firsts or [(-1.0, rows[0])]


def _share_of(row: _Row) -> str:
    """Say of what the shares of a group are."""
    return {_OPEN: "share of open", "closed": "share of closed"}.get(_group(row), "share")


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
        color=palette(ax).soft,
        fontsize=TEXT_POINTS,
        annotation_clip=False,
    )


def _percent(share: float) -> str:
    """Write a whole percentage, but never 0 % for something that exists."""
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _compact(number: float) -> str:
    """Write a sum for a glance: 950, 12.4 k, 3.1 M, 2.0 bn."""
    for size, unit in ((1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == ' k' else size):,.1f}{unit}"
    return f"{number:,.0f}"


def _in_words(heading: str, rows: list[_Row]) -> str:
    """Write the picture as a small text table."""
    if not any(row.records for row in rows):
        return f"{heading}\nno records"
    names = max(len(row.name) for row in rows)
    counts = max(len(f"{row.records:,}") for row in rows)
    lines = [heading]
    for number, row in enumerate(rows):
        if _group(row) in {_OPEN, "closed"} and (
            number == 0 or _group(row) != _group(rows[number - 1])
        ):
            lines.append(f"{_group(row)}, with the share of all {_group(row)} ones:")
        lines.append(
            f"{row.name:<{names}}  {row.records:>{counts},}  {_percent(row.share):>5}"
            + ("" if row.total is None else f"  {row.total:,.0f}")
        )
    return "\n".join(lines)
