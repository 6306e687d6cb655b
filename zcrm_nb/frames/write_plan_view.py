"""A plan as text and HTML: what would change, field by field, the old value struck out."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["html", "text"]

SHOWN = 24  # cells in all; a plan has them all in .cells
LEAST = 4  # cells of a field
FIELDS = 8  # fields that are shown with their cells; the others are listed
ROWS = 5  # new records, and rows that are not written
WIDTH = 44  # characters of a value

# Where a page drops styles, <del> and <ins> are still struck out and underlined.
_OLD = 'style="background:#ffe3e0;color:#8a1c14;white-space:pre-wrap"'
_NEW = 'style="background:#dff3e3;color:#14522b;white-space:pre-wrap;text-decoration:none"'
_LEFT = 'style="text-align:left"'

_UPPER, _LOWER, _DIGITS = (re.compile(each) for each in (r"[^\W\d_a-z]+", r"[^\W\d_A-Z]+", r"\d+"))


def text(
    lines: Sequence[str],
    cells: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
) -> str:
    """Write a plan for a terminal."""
    parts = ["\n".join(lines)]
    for heading, few, more in _fields(cells):
        rows = [
            (str(each.label), _plain(each.old, names), _plain(each.new, names), _like(each))
            for each in few
        ]
        a, b, c, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
        shown = [f"  {w:<{a}}  {x:<{b}}  →  {y:<{c}}  {z}".rstrip() for w, x, y, z in rows]
        parts.append("\n".join([heading, *shown, *([f"  … and {more:,} more"] if more else [])]))
    parts += [_rest(cells)] if _rest(cells) else []
    for heading, table in tables.items():
        width = None if "message" in table else WIDTH  # why a row is not written is not cut
        parts.append(f"{heading}\n{table.head(ROWS).to_string(max_colwidth=width)}{_more(table)}")
    return "\n\n".join(parts)


def html(
    lines: Sequence[str],
    cells: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
) -> str:
    """Write a plan for a notebook; as :func:`text`."""
    first, *others = map(escape, lines)
    parts = ["<br>".join([f"<b>{first}</b>", *others])]
    groups = list(_fields(cells))
    if groups:
        parts.append(
            f"<table><tbody>{''.join(_group(*each, names) for each in groups)}</tbody></table>"
        )
    parts += [f"<div>{escape(_rest(cells))}</div>"] if _rest(cells) else []
    for heading, table in tables.items():
        with pd.option_context("display.max_colwidth", None if "message" in table else WIDTH):
            shown = table.head(ROWS).to_html(max_cols=10, na_rep="")
        parts.append(f"<div><b>{escape(heading)}</b></div>{shown}<div>{_more(table)}</div>")
    return f"<div>{''.join(parts)}</div>"


class _Example(NamedTuple):
    """A cell, and how many others change in the same manner."""

    label: Any
    old: Any
    new: Any
    like_it: int


def _fields(cells: pd.DataFrame) -> Iterator[tuple[str, list[_Example], int]]:
    """Yield the fields that change most: a heading, examples, and how many cells are left."""
    counts = cells["column"].value_counts()
    share = max(LEAST, SHOWN // max(1, min(len(counts), FIELDS)))
    for name, count in counts.head(FIELDS).items():
        few = _examples(cells[cells["column"] == name], share)
        left = count - sum(1 + each.like_it for each in few)
        yield f"{name}: {count:,} {'cell' if count == 1 else 'cells'}", few, left


def _examples(cells: pd.DataFrame, share: int) -> list[_Example]:
    """Choose cells to show: all of a few, of many one of each kind, the most frequent first.

    A rule that spoils one number in ten would not be seen in the first rows of a table.
    """
    cut = zip(cells.index, cells["old"], cells["new"], strict=True)
    rows = [_Example(label, old, new, 0) for label, old, new in cut]
    if len(rows) <= share:
        return rows
    kinds = [(_kind(each.old), _kind(each.new)) for each in rows]
    first = dict(zip(reversed(kinds), reversed(rows), strict=True))
    common = Counter(kinds).most_common(share)
    return [first[kind]._replace(like_it=count - 1) for kind, count in common]


def _kind(value: Any) -> str:
    """Reduce a value to its form: which signs stand where, between letters and digits."""
    return _DIGITS.sub("0", _LOWER.sub("a", _UPPER.sub("A", str(value))))


def _rest(cells: pd.DataFrame) -> str:
    """List the fields whose cells are not shown."""
    counts = cells["column"].value_counts()[FIELDS:]
    others = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
    return f"Also: {others}" if others else ""


def _group(heading: str, few: Sequence[_Example], more: int, names: Mapping[str, str]) -> str:
    """Write the cells of one field as rows of a table."""
    rows = [f'<tr><th colspan="4" {_LEFT}>{escape(heading)}</th></tr>']
    rows += [
        f"<tr><th>{escape(str(each.label))}</th><td {_LEFT}>{_struck(each.old, names)}</td>"
        f"<td {_LEFT}><ins {_NEW}>{escape(_text(each.new, names))}</ins></td>"
        f"<td {_LEFT}>{_like(each)}</td></tr>"
        for each in few
    ]
    if more:
        rows.append(f'<tr><td></td><td colspan="3" {_LEFT}>… and {more:,} more</td></tr>')
    return "".join(rows)


def _like(example: _Example) -> str:
    """Write how many others change in the same manner."""
    return f"and {example.like_it:,} more like it" if example.like_it else ""


def _struck(old: Any, names: Mapping[str, str]) -> str:
    """Strike a value out, unless the cell was empty."""
    text = escape(_text(old, names))
    return f"<del {_OLD}>{text}</del>" if _is_filled(old) else text


def _plain(value: Any, names: Mapping[str, str]) -> str:
    """Write a value, in quotes where blanks would not be seen otherwise."""
    text = _text(value, names)
    return repr(text) if text != " ".join(text.split()) else text


def _text(value: Any, names: Mapping[str, str]) -> str:
    """Write a value: lists with commas, a lookup with its name, and not all of a long text."""
    if not _is_filled(value):
        return "(empty)"
    if isinstance(value, list):
        text = ", ".join(map(str, value))
    else:
        text = f"{names[value]} ({value})" if value in names else str(value)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _is_filled(value: Any) -> bool:
    """Whether a cell holds a value."""
    if isinstance(value, list):
        return bool(value)
    return value is not None and value is not pd.NA and value != ""


def _more(table: pd.DataFrame) -> str:
    """Write how many rows are not shown."""
    more = len(table) - ROWS
    return f"\n… and {more:,} more" if more > 0 else ""
