"""From an export to a table or to files: the bulk route."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.backfill import MOST_LISTED, UnknownUsers, elsewhere, name_users
from zcrm_nb.api.exporting.question import as_of, source_of
from zcrm_nb.api.exporting.runner import Runner
from zcrm_nb.api.exporting.selection import select
from zcrm_nb.errors import JobError, NotFoundError
from zcrm_nb.frames import (
    FrameAssembler,
    PartReader,
    beside,
    header,
    in_id_order,
    key_of,
    read_through,
    to_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.api.exporting.dask_cluster import Cluster
    from zcrm_nb.api.exporting.job_store import JobRecord
    from zcrm_nb.api.exporting.runner import Part
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.frames import Store

__all__ = ["Exporter"]


class Exporter:
    """Brings one export to its end and makes a table, or files, of it."""

    def __init__(
        self,
        session: ExportSession,
        record: JobRecord,
        *,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._session, self.record, self._say = session, record, say
        self._by_name = record.question["columns"] is not None
        self.selection = select(session.catalogue, record.module, record.question["columns"])
        self.selection.drop([*record.dropped, *record.unjoined], by_name=self._by_name)
        self._lock = threading.Lock()
        self._missing: set[str] = set()
        self.warnings: list[str] = []

    def facts(self, *, reused: bool) -> dict[str, Any]:
        """Return what ``df.attrs`` keeps of the export."""
        return {
            "job": self.record.id,
            "as_of": as_of(self.record),
            "reused": reused,
            "left_out": self.selection.left_out,
            "elsewhere": self.selection.elsewhere,
            "unnamed": self.selection.unnamed,
        }

    def fetch(self) -> None:
        """Download every file, to be read later; a damaged one is downloaded again."""

        def check(part: Part) -> None:
            read_through(part.path)
            self._session.tick(self._counted_rows(part))

        runner = self._runner()
        runner.start()
        runner.run(check)

    def table(self, *, tz: str, exact: bool, ask_again: bool = False) -> pd.DataFrame:
        """Bring it to its end and make the table."""
        runner = self._runner()
        runner.start(ask_again=ask_again)
        tables = [_BatchTable(self, batch, tz, exact) for batch in range(self.record.batches)]

        def add(part: Part) -> None:
            table = tables[self._batch_of(part)]
            self._check_header(header(part.path), table.reader)
            self._check_rows(part, table.add(part))
            self._session.tick(self._counted_rows(part))

        runner.run(add)
        frames = [in_id_order(table.assembler.frame()) for table in tables]
        return self._completed(self._side_by_side(frames, tz=tz, exact=exact), tz=tz, exact=exact)

    def into(
        self,
        target: Store,
        facts: Mapping[str, Any],
        *,
        exact: bool,
        manifest: Mapping[str, Any] | None = None,
        ask_again: bool = False,
        cluster: Cluster | None = None,
    ) -> dict[str, Any]:
        """Bring it to its end and write it into files, part by part; return their manifest.

        ``manifest`` is that of the target, where it holds some parts of this export already.
        """
        parts = (manifest or {}).get("parts", {})
        runner = self._runner(retry_call="The same crm.export(…, ask_again=True)")
        try:
            if cluster is not None:
                cluster.check_target()
            # Zoho refuses fields with the first job: columns are certain only afterwards.
            runner.start(ask_again=ask_again, has_part=lambda *number: key_of(*number) in parts)
            reader = self.reader(0, exact=exact)
            target.begin(reader, self._manifest(facts))
            self._write_parts(runner, target, reader, cluster)
            self._note_missing_columns()
            return target.finish()
        except JobError as error:
            if self.record.state(self._session.clock()) in {"failed", "expired"}:
                target.fail(error.happened)
            raise
        finally:
            target.close()

    def _manifest(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest of files says of the export."""
        return {
            "question": self.record.question,
            "source": source_of(self._session.catalogue, self.record.module),
            "job": self.record.id,
            "facts": facts,
        }

    def _write_parts(
        self, runner: Runner, target: Store, reader: PartReader, cluster: Cluster | None
    ) -> None:
        """Write each part as it comes, here or on a cluster."""
        users = UnknownUsers(self._session, self.record.module)

        def write(part: Part) -> None:
            self._check_header(header(part.path), reader)
            batches = users.named(reader, reader.batches(part.path))
            rows = target.add(part.series, part.number, reader, batches)
            self._check_rows(part, rows)
            self._session.tick(rows)

        for series, number, job in self.record.numbered_jobs():
            if target.has(series, number):
                self._session.tick(job.rows or 0)
        if cluster is None:
            runner.run(write, has_part=target.has)
        else:
            remotely = partial(self._write_remotely, cluster, reader)
            runner.run(
                write, has_part=target.has, fetch_remotely=remotely, at_a_time=cluster.at_a_time
            )

    def _write_remotely(self, cluster: Cluster, reader: PartReader, part: Part) -> None:
        """Let a worker make a part, and take it into the target."""
        name = f"{self.record.id}-part-{part.series}-{part.number}"
        try:
            made = cluster.make(name, bulk_read.result_path(part.job), reader)
        except NotFoundError as unknown:
            raise bulk_read.result_gone(part.job.id, unknown) from unknown
        cluster.take(part.series, part.number, made)
        self._check_header(made.columns, reader)
        self._check_rows(part, made.written["rows"])
        self._session.tick(made.written["rows"])

    # ---- Parts -----------------------------------------------------------------------------------

    def _runner(self, retry_call: str = "") -> Runner:
        """Make the runner of the jobs."""
        return Runner(
            self._session.gate,
            self._session.store,
            self.record,
            say=self._say,
            on_refused=self._drop_refused,
            retry_call=retry_call,
        )

    def reader(self, batch: int, *, exact: bool = False) -> PartReader:
        """Make the reader for the files of one batch of fields."""
        columns = self.selection.with_fields(self._fields(batch))
        has_users = any(column.kind == "user" for column in columns)
        users = self._session.catalogue.directory() if has_users else None
        return PartReader(columns, names=self.selection.names, users=users, exact=exact)

    def _fields(self, batch: int) -> set[str]:
        """Return the fields that the jobs of a batch are asked for."""
        return set(self.record.series[batch * self.series_per_batch].query["fields"])

    @property
    def series_per_batch(self) -> int:
        """How many series of jobs a batch of fields has."""
        return len(self.record.series) // self.record.batches

    def _batch_of(self, part: Part) -> int:
        """Return the number of the batch that a part belongs to."""
        return part.series // self.series_per_batch

    def _counted_rows(self, part: Part) -> int:
        """Rows of a part for the progress line: a record counts once, in the first batch."""
        return (part.job.rows or 0) if self._batch_of(part) == 0 else 0

    def _drop_refused(self, fields: list[str]) -> None:
        """Do without fields that Zoho turned out not to export, and say so."""
        self._note("Zoho does not export", self.selection.drop(fields, by_name=self._by_name))

    def _check_header(self, columns: Sequence[str], reader: PartReader) -> None:
        """Note columns that a file should have and lacks; an empty file has no header."""
        if columns:
            with self._lock:
                self._missing |= reader.asks - set(columns)

    def _check_rows(self, part: Part, rows: int) -> None:
        """Note a file with another number of records than Zoho said; its checksum is right."""
        if part.job.rows is not None and rows != part.job.rows:
            self.warnings.append(
                f"Zoho announced {part.job.rows:,} records for the job {part.job.id}; its file has "
                f"{rows:,}."
            )

    def _note(self, what: str, missing: Sequence[str]) -> None:
        """Keep a sentence about what the table will not have."""
        if missing:
            self.warnings.append(f"{what} {', '.join(missing)} of {self.record.module}.")

    def _note_missing_columns(self) -> None:
        """Say what the files of an export do not have."""
        self._note("Files of an export have no", self.selection.elsewhere)
        if self._by_name:
            unnamed = self.selection.unnamed
            self._note("Files of an export have ids, but no names, for", unnamed)
        self._note("Zoho's files have nothing in", sorted(self._missing))

    # ---- The table -------------------------------------------------------------------------------

    def _side_by_side(self, frames: list[pd.DataFrame], *, tz: str, exact: bool) -> pd.DataFrame:
        """Join the batches of fields. Their jobs ran one after another while people worked.

        What a later batch lacks is read by id; records deleted meanwhile are left out.
        """
        first, *others = frames
        for batch, frame in enumerate(others, 1):
            lacking = first["id"][~first["id"].isin(frame["id"])]
            if len(lacking):
                others[batch - 1] = self._with_rows(batch, frame, lacking, tz=tz, exact=exact)
                kept = first["id"].isin(others[batch - 1]["id"])
                first = first[kept].reset_index(drop=True)
        return beside([first, *others], "id")

    def _with_rows(
        self, batch: int, frame: pd.DataFrame, ids: pd.Series[Any], *, tz: str, exact: bool
    ) -> pd.DataFrame:
        """Add the records with these ids, as they are now, to the table of a batch."""
        columns = self.selection.with_fields(self._fields(batch))
        names = [column.name for column in columns if column.name != "id"]
        found = elsewhere(self._session, self.record.module, names, ids, tz=tz, exact=exact)
        if not found:
            self._note(f"{len(ids):,} records have no", names)
            return _stacked([frame, pd.DataFrame({"id": ids})])
        rows = beside([each[each["id"].isin(ids)].reset_index(drop=True) for each in found], "id")
        return _stacked([frame, rows])

    def _completed(self, table: pd.DataFrame, *, tz: str, exact: bool) -> pd.DataFrame:
        """Add what jobs do not bring, and put the columns into their order."""
        lost = self.selection.drop(sorted(self._missing), by_name=self._by_name)
        self._note("Zoho's files lack", lost)
        in_bulk = self.selection.in_bulk
        name_users(self._session, self.record.module, table, in_bulk)
        if self._by_name and self.selection.unnamed:
            self._name_lookups(len(table))
        if self.selection.elsewhere:
            table = self._with_other_columns(table, tz=tz, exact=exact)
        order = list(to_frame([], self.selection.table, tz=tz, exact=exact))
        return table if list(table) == order else table[order]

    def _name_lookups(self, rows: int) -> None:
        """Have lookups fetched whose names no job brings; of too many records they get ids only."""
        if rows > MOST_LISTED:
            names = [f"the names of {each}" for each in self.selection.unnamed]
            self._note(f"For {rows:,} records it would cost too much to fetch", names)
            return
        self.selection.elsewhere += self.selection.unnamed
        self.selection.unnamed = []

    def _with_other_columns(self, table: pd.DataFrame, *, tz: str, exact: bool) -> pd.DataFrame:
        """Add the columns that no job brings; what costs too much is left out and noted."""
        module, names = self.record.module, self.selection.elsewhere
        frames = elsewhere(self._session, module, names, table["id"], tz=tz, exact=exact)
        fetched = {name for frame in frames for name in frame}
        lost = [name for name in names if name not in fetched]
        self._note(f"For {len(table):,} records one by one it would cost too much to fetch", lost)
        self.selection.left_out += lost
        self.selection.elsewhere = [name for name in names if name in fetched]
        kept = [name for name in table if name == "id" or name not in fetched]
        return beside([table[kept], *frames], "id")


class _BatchTable:
    """The table of one batch of fields, filled from several threads."""

    def __init__(self, exporter: Exporter, batch: int, tz: str, exact: bool) -> None:
        each = exporter.series_per_batch
        start = batch * each
        self._series = exporter.record.series[start : start + each]
        self.reader = exporter.reader(batch, exact=exact)
        self._positions = self._known_positions(start) if exporter.record.is_complete else None
        jobs = [job for series in self._series for job in series.jobs]
        rows = [job.rows or 0 for job in jobs] if self._positions is not None else None
        self._is_alone = self._positions is not None and len(exporter.record.jobs) == 1
        self.assembler = FrameAssembler(self.reader.columns, rows=rows, tz=tz, exact=exact)

    def add(self, part: Part) -> int:
        """Put a part into its place; return how many rows it has."""
        position = part.series * 1000 + part.number
        if self._positions is not None:
            position = self._positions[part.series, part.number]
        # Held nowhere else, so that its memory goes as the table fills.
        return self.assembler.add(
            position, self.reader.table(part.path, threads=self._is_alone), threads=self._is_alone
        )

    def _known_positions(self, start: int) -> dict[tuple[int, int], int]:
        """Return the position of each part of the batch."""
        numbers = [
            (start + offset, number)
            for offset, series in enumerate(self._series)
            for number in range(len(series.jobs))
        ]
        return {each: position for position, each in enumerate(numbers)}


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tables with the same columns below each other; the dtypes are those of the first."""
    first, *others = frames
    columns = {}
    for name in first:
        parts = [first[name], *(each[name] for each in others if name in each)]
        values = pd.concat(parts, ignore_index=True)
        if isinstance(first[name].dtype, pd.CategoricalDtype):
            known = first[name].cat.categories
            new = [each for each in dict.fromkeys(values.dropna()) if each not in known]
            categories = known.append(pd.Index(new, dtype=known.dtype)) if new else known
            values = pd.Series(pd.Categorical(values, categories))
        columns[name] = values
    return pd.DataFrame(columns)
