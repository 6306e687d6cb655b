"""The parts of the explorer as HTML, for the form and for static pages; and as text."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.assets import style
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.notebook.explorer.model import ExplorerModel

    Row = Mapping[str, Any]

__all__ = ["answer", "fields_table", "module_label", "page", "text"]

PREVIEW_ROWS = 8
_CELL_LENGTH = 60
_VALUES_LENGTH = 24  # what is longer opens at a click
_TEXT_FIELDS = 80  # lines of a terminal; crm.fields() has them all


# ---- The fields of a module ----------------------------------------------------------------------


def fields_table(rows: Sequence[Row], ticked: Collection[str] = (), *, live: bool = False) -> str:
    """Write the fields of a module as a table."""
    heads = ("label", "API name", "type", "notes", "values")
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    lines = "".join(_field(row, ticked, live=live) for row in rows)
    tick = '<th scope="col" aria-label="column of the query"></th>'
    return (
        f'<table class="zcrm-fields" aria-label="Fields"><thead><tr>{tick}{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _field(row: Row, ticked: Collection[str], *, live: bool) -> str:
    """Write one field."""
    name, label = _safe(row["api_name"]), _safe(row["field_label"])
    box = _box(row) if live else ("✓" if row["api_name"] in ticked else "")
    return (
        f'<tr data-find="{_safe(_findable(row))}" data-kinds="{" ".join(_kinds(row))}">'
        f'<td>{box}</td><th scope="row">{label}</th><td><code>{name}</code></td>'
        f'<td class="zcrm-wraps">{_safe(_type(row))}</td>'
        f'<td class="zcrm-soft">{", ".join(_marks(row))}</td>'
        f'<td class="zcrm-values">{_values(row)}</td></tr>'
    )


def _box(row: Row) -> str:
    """Write the box that makes a column of a field."""
    name = _safe(row["api_name"])
    if row["readable"]:
        label = _safe(row["field_label"])
        return f'<input type="checkbox" data-name="{name}" aria-label="{label}, {name}">'
    why = f"COQL cannot read {name}"
    return f'<input type="checkbox" disabled aria-label="{why}" title="{why}">'


def _findable(row: Row) -> str:
    """Return the text by which a field is found."""
    return f"{row['field_label']} {row['api_name']}".lower()


def _kinds(row: Row) -> list[str]:
    """Name the filters that a field passes."""
    kinds = {
        "custom": row.get("custom_field"),
        "required": row["mandatory"],
        "picklist": row["values"],
        "lookup": row["lookup"],
    }
    return [kind for kind, is_one in kinds.items() if is_one]


def _marks(row: Row) -> list[str]:
    """Name special properties of a field."""
    marks = {
        "required": row["mandatory"],
        "custom": row.get("custom_field"),
        "unique": row["unique"],
        "read only": row.get("read_only"),
        "not in COQL": not row["readable"],
    }
    return [words for words, holds in marks.items() if holds]


def _type(row: Row) -> str:
    """Write the type of a field, its target, and what it returns."""
    if row["lookup"]:
        return f"{row['data_type']} → {row['lookup']}"
    return f"{row['data_type']}: {row['returns']}" if row["returns"] else str(row["data_type"])


def _values(row: Row) -> str:
    """Write the values of a picklist; many are folded."""
    values = row["values"] or []
    text = _safe(", ".join(values))
    if len(text) <= _VALUES_LENGTH:
        return text
    return f"<details><summary>{len(values)} values</summary>{text}</details>"


def module_label(module: Row) -> str:
    """Name a module by label and API name."""
    label, name = module.get("plural_label") or module["api_name"], module["api_name"]
    return str(name) if label == name else f"{label} ({name})"


# ---- The table of a run --------------------------------------------------------------------------


def answer(df: pd.DataFrame, name: str = "explorer", of_all: str = "") -> str:
    """Write the result of a run: shape, columns with dtypes, first rows."""
    rows, columns = df.shape
    spent = df.attrs.get("zcrm", {}).get("credits")
    cost = "" if spent is None else f", {credits_text(spent)} spent"
    of_all = f" ({_safe(of_all)})" if of_all else ""
    first = f"; the first {PREVIEW_ROWS}" if rows > PREVIEW_ROWS else ""
    heads = "".join(
        f'<th scope="col"{_right(df[column])}>{_safe(column)}'
        f'<div class="zcrm-soft">{_safe(df[column].dtype)}</div></th>'
        for column in df.columns
    )
    top = df.head(PREVIEW_ROWS)
    lines = "".join(
        "<tr>"
        + "".join(f"<td{_right(df[each])}>{_cell(top[each].iloc[at])}</td>" for each in df.columns)
        + "</tr>"
        for at in range(len(top))
    )
    return (
        f'<div role="status"><b>{rows:,} × {columns}</b>{of_all}, kept as '
        f'<code>{_safe(name)}.df</code><span class="zcrm-soft">{cost}{first}</span></div>'
        f'<div class="zcrm-scroll" tabindex="0"><table aria-label="First rows"><thead><tr>{heads}'
        f"</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _right(column: pd.Series[Any]) -> str:
    """Align numbers to the right."""
    return ' class="zcrm-number"' if column.dtype.kind in "iuf" else ""


def _cell(value: Any) -> str:
    """Write a value; nulls are empty, long texts are cut."""
    if isinstance(value, list):
        shown = ", ".join(map(str, value))
    elif value is None or str(value) in {"nan", "NaT", "<NA>"}:
        shown = ""
    elif isinstance(value, float):
        shown = f"{value:,}".removesuffix(".0")
    elif isinstance(value, datetime) and value.tzinfo is None:
        shown = f"{value:%Y-%m-%d}"  # only dates have no time zone
    else:
        shown = str(value)
    return _safe(shown if len(shown) <= _CELL_LENGTH else f"{shown[: _CELL_LENGTH - 1]}…")


# ---- Static pages and text ----------------------------------------------------------------------


def page(explorer: ExplorerModel) -> str:
    """Write the explorer as a static page."""
    rows = explorer.rows()
    chosen = explorer.choice.module
    parts = [
        style("explorer/explorer.css"),
        '<div class="zcrm-card zcrm-explore">',
        f'<div class="zcrm-name">{_heading(explorer)}</div>',
    ]
    if explorer.refusal:
        parts.append(f'<div class="zcrm-problem">{_lines(explorer.refusal)}</div>')
    if not chosen:
        names = ", ".join(module_label(each) for each in explorer.modules.values())
        parts.append(f"<p>{_safe(names)}</p>" if names else "")
    if rows:
        table = fields_table(rows, explorer.choice.columns)
        parts.append(f'<div class="zcrm-scroll zcrm-tall" tabindex="0">{table}</div>')
    if explorer.query:
        parts.append(f'<pre class="zcrm-query">{_safe(explorer.code)}</pre>')
    parts.append(f'<p class="zcrm-soft">{_lines(_todo(explorer))}</p></div>')
    return "".join(parts)


def text(explorer: ExplorerModel) -> str:
    """Write the explorer as plain text."""
    lines = [_heading(explorer, escape=False)]
    lines += [f"  {each}" for each in explorer.refusal.splitlines()]
    rows = explorer.rows()
    if not explorer.choice.module:
        lines += [f"  {module_label(each)}" for each in explorer.modules.values()]
    wide = [
        max((len(str(row[key])) for row in rows), default=0) for key in ("api_name", "field_label")
    ]
    for row in rows[:_TEXT_FIELDS]:
        tick = "✓" if row["api_name"] in explorer.choice.columns else " "
        notes = ", ".join([_type(row), *_marks(row)])
        lines.append(
            f"{tick} {row['api_name']:<{wide[0]}}  {row['field_label']:<{wide[1]}}  {notes}"
        )
    if len(rows) > _TEXT_FIELDS:
        lines.append(f"  and {len(rows) - _TEXT_FIELDS} more")
    return "\n".join([*lines, *filter(None, ["", explorer.code]), "", _todo(explorer)])


def _heading(explorer: ExplorerModel, *, escape: bool = True) -> str:
    """Name the module, or count the modules."""
    chosen = explorer.modules.get(explorer.choice.module)
    if not explorer.choice.module:
        heading = f"{len(explorer.modules)} modules that the API can read"
    else:
        name = module_label(chosen) if chosen else explorer.choice.module
        heading = f"{name}: {len(explorer.fields)} fields"
    return _safe(heading) if escape else heading


def _todo(explorer: ExplorerModel) -> str:
    """Say what to run, for pages without a form."""
    module = explorer.choice.module
    if not module:
        return "Fields of a module: zcrm_nb.explore(crm, 'Leads'). Run the cell for a form."
    price = f" ({explorer.price})" if explorer.price else ""
    run = (
        f"{explorer.name}.run() runs it{price}. " if explorer.query and not explorer.problem else ""
    )
    problem = f"{explorer.problem} " if explorer.problem else ""
    return (
        f'{problem}{run}Other columns: zcrm_nb.explore(crm, {module!r}, columns=[…], where="…"). '
        f"As a table, with values: crm.fields({module!r}). Run the cell for a form."
    )


def _lines(words: str) -> str:
    """Escape a text of several lines."""
    return _safe(words).replace("\n", "<br>")


def _safe(words: object) -> str:
    """Escape a text."""
    return html.escape(str(words))
