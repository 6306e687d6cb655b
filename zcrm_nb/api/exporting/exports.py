"""Exports from beginning to end: a new one or one begun before, as a table or as files."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from zcrm_nb.api.exporting import question as questions
from zcrm_nb.api.exporting.exporter import Exporter
from zcrm_nb.api.exporting.selection import select
from zcrm_nb.api.exporting.target_lock import target_lock
from zcrm_nb.errors import BulkWarning
from zcrm_nb.frames import Column, to_frame
from zcrm_nb.frames import Export as Dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.exporting.dask_cluster import Cluster
    from zcrm_nb.api.exporting.job_store import JobRecord
    from zcrm_nb.api.exporting.question import Where
    from zcrm_nb.api.exporting.selection import ColumnSelection
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.frames import Store

__all__ = ["ExportRequest", "bulk_table", "export_files", "export_request", "fetch", "job_table"]


class ExportProgress(Protocol):
    """Work under way: it shows sentences, and gives warnings once its result is safe."""

    def say(self, words: str, *, stay: bool = False) -> None:
        """Show a sentence; with ``stay`` also in the last line."""

    def warn(self, warning: Warning) -> None:
        """Keep a warning."""


@dataclass(frozen=True)
class ExportRequest:
    """What is to be exported, checked before anything is sent."""

    selection: ColumnSelection
    question: dict[str, Any]

    @property
    def module(self) -> str:
        """API name of the module."""
        return str(self.question["module"])


def export_request(
    session: ExportSession,
    module: str,
    columns: Sequence[str] | None,
    *,
    where: Where | None,
    cvid: str | None,
    values: Mapping[str, Any],
) -> ExportRequest:
    """Check columns and condition."""
    criteria = questions.criteria_of(session.catalogue, module, where, values)
    selection = select(session.catalogue, module, columns)
    return ExportRequest(selection, questions.question(module, columns, criteria, cvid))


def bulk_table(
    session: ExportSession,
    request: ExportRequest,
    *,
    task: ExportProgress,
    jobs: int,
    fresh: bool,
    **options: Any,
) -> pd.DataFrame:
    """Export a module as one table; a young export of the same question is used again."""
    _check_zone(options["tz"])
    store, now = session.store, session.clock()
    record = None if fresh else questions.reusable(store, request.question, now)
    if record is not None:
        hint = "; fresh=True exports again"
        return _table(session, record, task=task, reused_hint=hint, **options)
    if not fresh and (offer := questions.offer(store, request.question, now)):
        task.say(offer, stay=True)
    record = questions.begin(session, request.selection, request.question, jobs=jobs)
    return _table(session, record, task=task, **options)


def job_table(
    session: ExportSession, record: JobRecord, *, task: ExportProgress, **options: Any
) -> pd.DataFrame:
    """Continue an export that was begun before, and make its table."""
    _check_zone(options["tz"])
    return _table(session, record, task=task, reused_hint="", **options)


def _check_zone(tz: str) -> None:
    """Refuse an unknown time zone before a job is paid for."""
    to_frame([], [Column("", "datetime")], tz=tz)


def _table(
    session: ExportSession,
    record: JobRecord,
    *,
    task: ExportProgress,
    reused_hint: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Bring an export to its end and make its table."""
    with session.store.lock(record):
        exporter = Exporter(session, session.store.find(record.id), say=task.say)
        if reused_hint is not None:
            task.say(
                f"{questions.age(record, session.clock())}, used again{reused_hint}", stay=True
            )
        try:
            table = exporter.table(**options)
        except KeyboardInterrupt:
            task.say(f"crm.job({record.id!r}).df() continues it", stay=True)
            raise
    table.attrs["zcrm"] = exporter.facts(reused=reused_hint is not None)
    _warn(task, exporter.warnings)
    return table


def export_files(
    session: ExportSession,
    request: ExportRequest,
    target: Store,
    *,
    task: ExportProgress,
    jobs: int,
    fresh: bool,
    ask_again: bool,
    exact: bool,
    cluster: Cluster | None,
) -> Dataset:
    """Export a module into files; what the target holds of this export is completed or opened."""
    source = questions.source_of(session.catalogue, request.module)

    def manifest_of_target() -> dict[str, Any] | None:
        if fresh:
            return None
        return target.answer_to(request.question, source=source, exact=exact)

    manifest = manifest_of_target()
    if manifest and manifest["complete"]:
        return _opened(session, task, target, manifest)
    if len(request.selection.batches()) > 1:
        raise ValueError("These are more fields than one job brings: name fewer columns.")
    with target_lock(target.target, request.module, session.clock()), closing(target):
        manifest = manifest_of_target()  # another kernel may have finished it meanwhile
        if manifest and manifest["complete"]:
            return _opened(session, task, target, manifest)
        target.prepare()
        record, reused = _record_for(session, request, target, manifest, jobs=jobs, fresh=fresh)
        with session.store.lock(record), cluster or nullcontext():
            record = session.store.find(record.id)
            exporter = Exporter(session, record, say=task.say)
            if reused:
                task.say(f"{questions.age(record, session.clock())}, continued", stay=True)
            try:
                manifest = exporter.into(
                    target,
                    _facts(session, exporter, reused=reused),
                    exact=exact,
                    manifest=manifest,
                    ask_again=ask_again,
                    cluster=cluster,
                )
            except KeyboardInterrupt:
                task.say("the same crm.export continues it", stay=True)
                raise
    _warn(task, exporter.warnings)
    return Dataset(target, manifest)


def _opened(
    session: ExportSession, task: ExportProgress, target: Store, manifest: Mapping[str, Any]
) -> Dataset:
    """Open the complete export of a target, and say so if it is not from just now."""
    if text := questions.age_warning(target.target, manifest, session.clock()):
        _warn(task, [text])
    return Dataset(target, manifest)


def _record_for(
    session: ExportSession,
    request: ExportRequest,
    target: Store,
    manifest: Mapping[str, Any] | None,
    *,
    jobs: int,
    fresh: bool,
) -> tuple[JobRecord, bool]:
    """Find the export to continue, or begin one; whether it was found."""
    now = session.clock()
    if manifest:
        return questions.resumable(session.store, target.target, manifest, now), True
    record = None if fresh else questions.reusable(session.store, request.question, now)
    if record is not None:
        return record, True
    return questions.begin(session, request.selection, request.question, jobs=jobs), False


def _facts(session: ExportSession, exporter: Exporter, *, reused: bool) -> dict[str, Any]:
    """Return what the manifest, and the tables made from it, keep of the export."""
    started = datetime.fromtimestamp(session.clock(), UTC).isoformat(timespec="seconds")
    query = questions.query_text(exporter.record.question)
    return {"query": query, "route": "bulk", **exporter.facts(reused=reused), "time": started}


def fetch(session: ExportSession, record: JobRecord, *, say: Callable[[str], None]) -> str:
    """Download what is missing of an export; return its warnings."""
    with session.store.lock(record):
        exporter = Exporter(session, session.store.find(record.id), say=say)
        exporter.fetch()
    return " ".join(exporter.warnings)


def _warn(task: ExportProgress, texts: Sequence[str]) -> None:
    """Give each warning once."""
    for text in dict.fromkeys(texts):
        task.warn(BulkWarning(text))
