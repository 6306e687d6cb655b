"""The page of the job tray, static and for the widget, and its text."""

from __future__ import annotations

import html
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.assets import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = Mapping[str, Any]

__all__ = ["STATES", "page", "text"]

STATES = {
    "at work": "running in this or another notebook",
    "waiting": "still running at Zoho, or more parts to request",
    "ready": "Zoho has finished; its files can be downloaded",
    "downloaded": "all files are on this computer",
    "done": "all rows are written",
    "failed": "Zoho could not finish it",
    "expired": "Zoho has deleted files that were not downloaded",
    "unclear": "the reply was lost, so it is unknown whether Zoho accepted it",
    "damaged": "the note of it cannot be read",
}
"""What each state of a job means."""

LINES = 15  # shown; crm.jobs() has them all
_QUESTION_LENGTH = 90
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400

# The mark repeats the label, in shape as well as in colour.
_MARKS = {
    "at work": ("◉", "#3f7fbf"),
    "waiting": ("◐", "#d9822b"),
    "ready": ("◕", "#d9822b"),
    "downloaded": ("●", "#2a9d72"),
    "done": ("●", "#2a9d72"),
    "failed": ("✕", "#c8553d"),
    "expired": ("○", "#8a949a"),
    "unclear": ("?", "#c8553d"),
    "damaged": ("✕", "#c8553d"),
}


def page(rows: Sequence[Row], now: float, *, live: bool = False) -> str:
    """Write the tray as HTML."""
    again = _button("refresh", "", "Refresh", "Refresh the list of bulk jobs")
    return "".join(
        [
            style("job_tray/tray.css"),
            '<div class="zcrm-card zcrm-tray"><div class="zcrm-top">',
            '<span class="zcrm-name">Bulk jobs</span> ',
            f'<span class="zcrm-soft" role="status">{_safe(_summary(rows))}</span> ',
            f'<span class="zcrm-soft">as of {_moment(now)}</span> ',
            again if live else "",
            "</div>",
            _table(rows, now, live=live) if rows else "",
            "</div>",
        ]
    )


def text(rows: Sequence[Row], now: float) -> str:
    """Write the tray as plain text."""
    lines = [f"Bulk jobs: {_summary(rows)}; as of {_moment(now)}"]
    width = max((len(_name(row)) for row in rows[:LINES]), default=0)
    for row in rows[:LINES]:
        counted = f"{row['rows']:,} rows"
        kept = _kept(row, now)
        lines.append(
            f"  {_name(row):<{width}}  {row['state']:<10}  {counted:>14}  started {_age(row, now)}"
            f"{f', kept by Zoho for {kept}' if kept[0].isdecimal() else ''}; {_question(row)}"
        )
        is_plain = row["state"] == "downloaded" and row["operation"] == "read"
        below = ": ".join(filter(None, (row["note"], "" if is_plain else row["next"])))
        if below:
            lines.append(f"  {'':<{width}}  {below}")
    if len(rows) > LINES:
        lines.append(_older(rows))
    return "\n".join(lines)


def _table(rows: Sequence[Row], now: float, *, live: bool) -> str:
    """Write one line for each job."""
    heads = ("job", "state", "rows", "started", "kept by Zoho")
    head = "".join(
        f'<th scope="col"{_NUMBER if each == "rows" else ""}>{each}</th>' for each in heads
    )
    lines = "".join(_line(row, now, live=live) for row in rows[:LINES])
    older = f'<div class="zcrm-soft">{_safe(_older(rows))}</div>' if len(rows) > LINES else ""
    return (
        f'<div class="zcrm-scroll"><table aria-label="Bulk jobs"><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>{older}"
    )


_NUMBER = ' class="zcrm-number"'


def _line(row: Row, now: float, *, live: bool) -> str:
    """Write one job."""
    return (
        f'<tr><th scope="row">{_safe(_name(row))}'
        f'<div class="zcrm-question zcrm-soft">{_safe(_question(row))}</div></th>'
        f'<td class="zcrm-state">{_state(row)}{_next(row, live=live)}</td>'
        f"<td{_NUMBER}>{row['rows']:,}</td>"
        f'<td title="{_moment(_seconds(row["created"]))}">{_age(row, now)}</td>'
        f"<td{_until(row)}>{_kept(row, now)}</td></tr>"
    )


def _state(row: Row) -> str:
    """Write the state of a job: a mark, its label, and a note."""
    mark, colour = _MARKS[row["state"]]
    kind = "zcrm-problem" if row["is_problem"] else "zcrm-soft"
    note = f'<div class="zcrm-note {kind}">{_safe(row["note"])}</div>' if row["note"] else ""
    return (
        f'<span class="zcrm-mark" style="color: {colour}" aria-hidden="true">{mark}</span> '
        f'<span title="{_safe(STATES[row["state"]])}">{row["state"]}</span>{note}'
    )


def _next(row: Row, *, live: bool) -> str:
    """Write a button where a click continues, else the code to run."""
    words = row["can"].capitalize()
    if live and words:
        button = _button(row["can"], row["id"], words, f"{words} {_name(row)}")
        return f'<div class="zcrm-note">{button}</div>'
    code = f"<code>{_safe(row['next'])}</code>"
    return f'<div class="zcrm-note">{code}</div>' if row["next"] else ""


def _button(act: str, job: str, words: str, label: str) -> str:
    """Write a button; its data tell the widget which it is."""
    return (
        f'<button type="button" data-act="{act}" data-job="{_safe(job)}" '
        f'aria-label="{_safe(label)}">{words}</button>'
    )


def _name(row: Row) -> str:
    """Name a job; the run of a write has a name too long for a table."""
    return str(row["id"]) if row["operation"] == "read" else f"{row['module']}, written"


def _question(row: Row) -> str:
    """Describe the export, cut to the length of a line."""
    question = str(row["asked"])
    cut = f"{question[: _QUESTION_LENGTH - 1]}…"
    return question if len(question) <= _QUESTION_LENGTH else cut


def _summary(rows: Sequence[Row]) -> str:
    """Count the jobs by state."""
    if not rows:
        return "none were started in the last week"
    counts = Counter(row["state"] for row in rows)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _older(rows: Sequence[Row]) -> str:
    """Say that there are more."""
    return f"and {len(rows) - LINES} older; crm.jobs() has them all"


def _age(row: Row, now: float) -> str:
    """Say how long ago a job was started."""
    age_s = now - _seconds(row["created"])
    return f"{_span(age_s)} ago" if age_s >= _MINUTE_S else "just now"


def _kept(row: Row, now: float) -> str:
    """Say for how long Zoho still keeps the file."""
    if not row["expires"]:
        return "–"
    left_s = _seconds(row["expires"]) - now
    return _span(left_s) if left_s > 0 else "deleted"


def _until(row: Row) -> str:
    """Write the exact time as a tooltip."""
    return f' title="until {_moment(_seconds(row["expires"]))}"' if row["expires"] else ""


def _span(seconds: float) -> str:
    """Write a span of time, to the precision that matters."""
    if seconds < 2 * _HOUR_S:
        return f"{max(int(seconds // _MINUTE_S), 1)} min"
    if seconds < 2 * _DAY_S:
        return f"{int(seconds // _HOUR_S)} h"
    return f"{int(seconds // _DAY_S)} days"


def _seconds(moment: str) -> float:
    """Read a moment."""
    return datetime.fromisoformat(moment).timestamp()


def _moment(seconds: float) -> str:
    """Write a moment."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _safe(words: str) -> str:
    """Escape a text."""
    return html.escape(words)
