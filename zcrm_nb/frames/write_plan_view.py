"""A plan as one reads it: what would change, field by field, the old value struck out."""

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
FIELDS = 8  # fields that are shown with their cells; the others are named
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
        parts.append(f"{heading}\n{table.head(ROWS).to_string(max_colwidth=WIDTH)}{_more(table)}")
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
    """Yield the fields that change most, each with a heading, examples, and how many are left."""
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
    """Name the fields whose cells are not shown."""
    counts = cells["column"].value_counts()[FIELDS:]
    told = ", ".join(f"{name} ({count:,})" for name, count in counts.items())
    return f"Also: {told}" if told else ""


def _group(heading: str, few: Sequence[_Example], more: int, names: Mapping[str, str]) -> str:
    """Write the cells of one field as rows of a table."""
    rows = [f'<tr><th colspan="4" {_LEFT}>{escape(heading)}</th></tr>']
    rows += [
        f"<tr><th>{escape(str(each.label))}</th><td {_LEFT}>{_struck(each.old, names)}</td>"
        f"<td {_LEFT}><ins {_NEW}>{escape(_told(each.new, names))}</ins></td>"
        f"<td {_LEFT}>{_like(each)}</td></tr>"
        for each in few
    ]
    if more:
        rows.append(f'<tr><td></td><td colspan="3" {_LEFT}>… and {more:,} more</td></tr>')
    return "".join(rows)


def _like(example: _Example) -> str:
    """Tell how many others there are."""
    return f"and {example.like_it:,} like it" if example.like_it else ""


def _struck(old: Any, names: Mapping[str, str]) -> str:
    """Strike a value out; nothing needs no striking."""
    told = escape(_told(old, names))
    return f"<del {_OLD}>{told}</del>" if _is_there(old) else told


def _plain(value: Any, names: Mapping[str, str]) -> str:
    """Write a value where spaces at its ends would not be seen otherwise."""
    told = _told(value, names)
    return repr(told) if told != " ".join(told.split()) else told


def _told(value: Any, names: Mapping[str, str]) -> str:
    """Write a value: lists with commas, a lookup with its name, and not all of a long text."""
    if not _is_there(value):
        return "(empty)"
    if isinstance(value, list):
        told = ", ".join(map(str, value))
    else:
        told = f"{names[value]} ({value})" if value in names else str(value)
    return told if len(told) <= WIDTH else f"{told[: WIDTH - 1]}…"


def _is_there(value: Any) -> bool:
    """Tell whether a cell holds something."""
    if isinstance(value, list):
        return bool(value)
    return value is not None and value is not pd.NA and value != ""


def _more(table: pd.DataFrame) -> str:
    """Tell how many rows are not shown."""
    more = len(table) - ROWS
    return f"\n… and {more:,} more" if more > 0 else ""
