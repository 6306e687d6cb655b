"""The page of a feed, static and for the widget."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.assets import style
from zcrm_nb.notebook.plots.timeline import COLOURS, bins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.listening.feed import Feed

__all__ = ["page"]

ROWS, FIELDS = 8, 4  # shown; feed.df has them all
_TEXT_LENGTH = 26
_WORDS = {"insert": "new", "update": "changed", "delete": "deleted"}


def page(feed: Feed) -> str:
    """Write a feed as HTML."""
    df = feed.df
    parts = [
        style("feed/feed.css"),
        '<div class="zcrm-card zcrm-feed">',
        _top(feed),
        f'<div class="zcrm-counts">{_counts(feed)}{_bars(df)}</div>',
        f'<div class="zcrm-warning">{_safe(feed.problem)}</div>' if feed.problem else "",
        _newest(df),
        f'<div class="zcrm-soft">{_safe(feed.price())}</div>',
        "</div>",
    ]
    return "".join(parts)


def _top(feed: Feed) -> str:
    """Write the module, and the state of the feed."""
    kind = "zcrm-bad" if feed.problem else "zcrm-on" if feed.is_running else ""
    return (
        f'<div class="zcrm-top" role="status"><span class="zcrm-name">'
        f'<span class="zcrm-dot {kind}"></span>{_safe(feed.module)}, live</span> '
        f'<span class="zcrm-soft">{_safe(feed.headline())}</span></div>'
    )


def _counts(feed: Feed) -> str:
    """Write the number of changes of each kind."""
    return "".join(
        f'<span style="border-color: {COLOURS[name]}"><b>{feed.counts[name]:,}</b>{_WORDS[name]}'
        "</span> "
        for name in feed.operations
    )


def _bars(df: pd.DataFrame) -> str:
    """Draw when changes came, small, beside the counts; feed.plot() is the large picture."""
    table = bins(df)
    if table.empty:
        return ""
    most, width = float(table.sum(axis=1).max()), max(len(table), 40)
    boxes = []
    for at, row in enumerate(table.to_dict("records")):
        top = 36.0
        for name, colour in COLOURS.items():
            height = 34.0 * row[name] / most
            top -= height
            if height:
                boxes.append(
                    f'<rect x="{at + 0.08}" y="{top:.2f}" width="0.84" height="{height:.2f}" '
                    f'fill="{colour}"/>'
                )
    return (
        f'<svg class="zcrm-bars" viewBox="0 0 {width} 36" preserveAspectRatio="none" role="img" '
        f'aria-label="when the changes came"><title>{_span(table)}</title>{"".join(boxes)}</svg>'
    )


def _span(table: pd.DataFrame) -> str:
    """Write the span of time of the small bars."""
    first, last = table.index[0], table.index[-1]
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def _newest(df: pd.DataFrame) -> str:
    """Write the newest changes as a table, newest first."""
    if df.empty:
        return '<div class="zcrm-soft">Nothing has changed yet.</div>'
    fields = [each for each in df.columns[3:-2] if not str(each).endswith(".id")][:FIELDS]
    head = "".join(_head(each, df.dtypes[each]) for each in fields)
    lines = "".join(_line(row, fields) for row in df.tail(ROWS).to_dict("records")[::-1])
    return (
        '<div class="zcrm-scroll"><table><thead><tr><th scope="col">time (UTC)</th>'
        f'<th scope="col">what</th>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _head(name: Any, dtype: Any) -> str:
    """Write the heading of a column; those of numbers are right-aligned."""
    kind = ' class="zcrm-number"' if getattr(dtype, "kind", "O") == "f" else ""
    return f'<th scope="col"{kind}>{_safe(_spaced(name))}</th>'


def _line(row: Mapping[Any, Any], fields: Sequence[str]) -> str:
    """Write one change."""
    name = str(row["operation"])
    cells = "".join(_cell(row[each]) for each in fields)
    changed = _safe(_among(row["changed"], fields))
    # The colour marks the cell and never the text, which has to be read on light and on dark.
    what = (
        f'<td><span class="zcrm-what" style="border-color: {COLOURS[name]}">{_WORDS[name]} '
        f'<span class="zcrm-soft">{changed}</span></span></td>'
    )
    return f"<tr><td>{row['time']:%H:%M:%S}</td>{what}{cells}</tr>"


def _among(changed: Sequence[str], fields: Sequence[str]) -> str:
    """Name the changed fields that are shown, and count the others."""
    named = [_spaced(each) for each in changed if each in fields]
    others = len(changed) - len(named)
    return " ".join(filter(None, (", ".join(named), f"+{others}" if others else "")))


def _cell(value: Any) -> str:
    """Write one value; numbers are right-aligned."""
    if isinstance(value, list):
        return f"<td>{_short(', '.join(map(str, value)))}</td>"
    if value is None or value != value or str(value) == "<NA>":  # noqa: PLR0124 - NaN is not itself
        return '<td class="zcrm-soft">–</td>'
    if isinstance(value, float):
        digits = 0 if value == int(value) else 2
        return f'<td class="zcrm-number">{value:,.{digits}f}</td>'
    return f"<td>{_short(str(value))}</td>"


def _short(text: str) -> str:
    """Escape a text from the CRM, and cut one that is too long for a table."""
    return _safe(text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 1]}…")


def _safe(text: str) -> str:
    """Escape a text."""
    return html.escape(text)


def _spaced(name: Any) -> str:
    """Write a field's name for a reader."""
    return str(name).replace("_", " ")
