"""What an export asks for, written so that it can be compared; and earlier exports of the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.job_store import JobSeries
from zcrm_nb.api.exporting.ranges import both, ranges
from zcrm_nb.errors import JobError
from zcrm_nb.frames import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.exporting.job_store import JobRecord, JobStore
    from zcrm_nb.api.exporting.selection import ColumnSelection
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.metadata import Catalogue

    Where = str | Mapping[str, Any]

__all__ = [
    "FRESH_S",
    "age",
    "age_warning",
    "as_of",
    "begin",
    "criteria_of",
    "offer",
    "query_text",
    "question",
    "resumable",
    "reusable",
    "source_of",
]

FRESH_S = 15 * 60.0  # an export of the same question younger than this is used again
_BULK_READ_KEYS = frozenset({"field", "group", "group_operator"})


def criteria_of(
    catalogue: Catalogue, module: str, where: Where | None, values: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Write a condition as bulk read's criteria."""
    if where is None or isinstance(where, str):
        text = coql.fill(where or "id is not null", **values)
    elif where.keys() & _BULK_READ_KEYS:
        return dict(where)
    else:
        text = coql.where(where)
    return coql.bulk_criteria(text, module, catalogue.fields, org=catalogue.facts)


def question(
    module: str, columns: Sequence[str] | None, criteria: Any, cvid: str | None
) -> dict[str, Any]:
    """Write what is requested; two exports with equal questions are the same."""
    named = None if columns is None else list(columns)
    return {"module": module, "columns": named, "criteria": criteria, "cvid": cvid}


def query_text(question: Mapping[str, Any]) -> str:
    """Write a question for ``df.attrs`` and the query log."""
    rest = {key: value for key, value in question.items() if key != "module" and value is not None}
    return f"{question['module']} {rest}"


def source_of(catalogue: Catalogue, module: str) -> str:
    """Return the id that this module has in this org and in no other."""
    return str(catalogue.modules()[module]["id"])


def begin(
    session: ExportSession,
    selection: ColumnSelection,
    question: Mapping[str, Any],
    *,
    jobs: int = 1,
) -> JobRecord:
    """Write an export down with every series of jobs it takes; nothing is requested yet."""
    module = question["module"]
    # What Zoho refused lately it would refuse again; each refusal may cost a job's credits.
    known = [record for record in session.store.records() if record.module == module]
    dropped = sorted({name for record in known for name in record.dropped})
    selection.drop(dropped, by_name=question["columns"] is not None)
    parts = ranges(session.send, session.catalogue, module, jobs)
    batches = selection.batches()
    series = [
        JobSeries(
            bulk_read.query(
                module, fields, criteria=both(question["criteria"], part), cvid=question["cvid"]
            )
        )
        for fields in batches
        for part in parts
    ]
    return session.store.begin(
        module, "read", question, series, batches=len(batches), dropped=dropped
    )


def reusable(store: JobStore, question: Mapping[str, Any], now: float) -> JobRecord | None:
    """Find an export of the same question that is young enough and not running elsewhere."""
    for record in store.matching("read", question):
        is_young = now - record.created < FRESH_S
        is_over = record.state(now) in {"failed", "expired"}
        if is_young and not is_over and not store.is_running(record):
            return record
    return None


def resumable(store: JobStore, target: str, manifest: Mapping[str, Any], now: float) -> JobRecord:
    """Find the export that the manifest of a target names, to continue it."""
    if manifest.get("failed"):
        raise _not_resumable(target, manifest, str(manifest["failed"]))
    for record in store.matching("read", manifest["question"]):
        if record.id != manifest["job"] or as_of(record) != manifest["facts"]["as_of"]:
            continue
        state = record.state(now, has_part=lambda *part: key_of(*part) in manifest["parts"])
        if state != "expired":
            return record
        why = "Zoho keeps a result, and the token for what follows it, for one day."
        raise _not_resumable(target, manifest, why)
    why = "There is no note of its jobs here: it was begun with another login, or a week ago."
    raise _not_resumable(target, manifest, why)


def _not_resumable(target: str, manifest: Mapping[str, Any], why: str) -> JobError:
    """Make the error for an unfinished export that cannot be continued."""
    parts = manifest["parts"].values()
    return JobError(
        f"The export in {target}, begun at {manifest['facts']['as_of']}, is not complete and "
        f"cannot be continued; it has {len(parts)} parts, {sum(p['rows'] for p in parts):,} rows.",
        why,
        "fresh=True removes them and exports again.",
    )


def as_of(record: JobRecord) -> str:
    """Return when an export was begun, as its tables say it."""
    return datetime.fromtimestamp(int(record.created), UTC).isoformat()


def age(record: JobRecord, now: float) -> str:
    """Say which export it is and how old."""
    return f"{record.id}, as of {_minute(record.created)} ({_ago(now - record.created)})"


def _minute(seconds: float) -> str:
    """Write a moment as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _ago(seconds: float) -> str:
    """Write an age in words."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute ago"
    hours = minutes // 60
    if hours < 2:
        return f"{minutes} min ago"
    return f"{hours} h ago" if hours < 48 else f"{hours // 24} days ago"


def age_warning(target: str, manifest: Mapping[str, Any], now: float) -> str:
    """Say how old the complete export in a target is; empty while it is fresh."""
    try:
        begun = datetime.fromisoformat(manifest["facts"]["as_of"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return ""
    if now - begun < FRESH_S:
        return ""
    return (
        f"{target} already holds this export, as of {_minute(begun)} ({_ago(now - begun)}); "
        "nothing was fetched. fresh=True exports again."
    )


def offer(store: JobStore, question: Mapping[str, Any], now: float) -> str:
    """Name an export of the same question that is too old to be used again by itself."""
    for record in store.matching("read", question):
        state = record.state(now)
        if now - record.created >= FRESH_S and state in {"waiting", "ready", "downloaded"}:
            effect = "reads it at no cost" if state == "downloaded" else "continues it"
            return f"{age(record, now)}, is still here: crm.job({record.id!r}).df() {effect}"
    return ""
