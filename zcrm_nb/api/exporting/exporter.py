"""From a question to an export, and from an export to a table: the bulk route."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.backfill import MOST_LISTED, UnknownUsers, elsewhere, name_users
from zcrm_nb.api.exporting.job_store import JobSeries
from zcrm_nb.api.exporting.ranges import both, ranges
from zcrm_nb.api.exporting.runner import Runner
from zcrm_nb.api.exporting.selection import ColumnSelection, asked
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

    import pandas as pd

    from zcrm_nb.api.exporting.dask_cluster import Crew
    from zcrm_nb.api.exporting.job_store import JobRecord, JobStore, Link
    from zcrm_nb.api.exporting.runner import Part
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.frames import Store
    from zcrm_nb.wire.gate import Gate

    Where = str | Mapping[str, Any]

__all__ = [
    "FRESH_S",
    "Exporter",
    "age",
    "begin",
    "begun",
    "criteria_of",
    "offer",
    "question",
    "reusable",
    "said",
    "source_of",
]

FRESH_S = 15 * 60.0  # an export of the same question younger than this is used again
_OF_ZOHO = frozenset({"field", "group", "group_operator"})


# ---- The question --------------------------------------------------------------------------------


def criteria_of(
    catalogue: Catalogue, module: str, where: Where | None, values: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Write a condition in bulk read's words."""
    if where is None or isinstance(where, str):
        text = coql.fill(where or "id is not null", **values)
    elif where.keys() & _OF_ZOHO:
        return dict(where)
    else:
        text = coql.where(where)
    return coql.bulk_criteria(text, module, catalogue.fields)


def question(
    module: str, columns: Sequence[str] | None, criteria: Any, cvid: str | None
) -> dict[str, Any]:
    """Write what is asked so that it can be compared with what was asked before."""
    named = None if columns is None else list(columns)
    return {"module": module, "columns": named, "criteria": criteria, "cvid": cvid}


def said(asks: Mapping[str, Any]) -> dict[str, Any]:
    """Say what is asked beside the module: what there is of it."""
    return {key: value for key, value in asks.items() if key != "module" and value is not None}


def age(export: JobRecord, now: float) -> str:
    """Say which export it is and how old."""
    minutes = int((now - export.created) // 60)
    words = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    return f"{export.id}, begun {words if minutes else 'less than a minute'} ago"


def source_of(catalogue: Catalogue, module: str) -> str:
    """Name the module of this org and no other, for what outlives the login."""
    return str(catalogue.modules()[module]["id"])


def begin(
    gate: Gate,
    catalogue: Catalogue,
    book: JobStore,
    wanted: ColumnSelection,
    asks: Mapping[str, Any],
    *,
    jobs: int = 1,
) -> JobRecord:
    """Write an export down, with all chains it takes; nothing is asked for yet."""
    module = asks["module"]
    # What Zoho refused lately it would refuse again; each refusal may cost a job's credits.
    dropped = sorted(
        {name for each in book.all() if each.module == module for name in each.dropped}
    )
    wanted.drop(dropped, by_name=asks["columns"] is not None)
    parts = ranges(gate.send, catalogue, module, jobs)
    batches = wanted.batches()
    chains = [
        JobSeries(
            bulk_read.query(
                module, fields, criteria=both(asks["criteria"], part), cvid=asks["cvid"]
            )
        )
        for fields in batches
        for part in parts
    ]
    return book.begin(module, "read", asks, chains, batches=len(batches), dropped=dropped)


def reusable(book: JobStore, asks: Mapping[str, Any], now: float) -> JobRecord | None:
    """Find an export of the same question that is young enough, and that nobody else is at."""
    for export in book.like("read", asks):
        young = now - export.created < FRESH_S
        hopeless = export.state(now) in {"failed", "expired"}
        if young and not hopeless and not book.is_worked_on(export):
            return export
    return None


def begun(book: JobStore, store: Store, told: Mapping[str, Any], now: float) -> JobRecord:
    """Find the export that a manifest names, to go on with it."""
    for export in book.like("read", told["question"]):
        if export.id == told["job"] and _made(export) == told["facts"]["as_of"]:
            if export.state(now, has=lambda *place: key_of(*place) in told["parts"]) != "expired":
                return export
            why = "Zoho keeps a result, and the token for what follows it, for a day."
            break
    else:
        why = "Here is no note of its jobs: it was begun with another login, or a week ago."
    rows, parts = sum(part["rows"] for part in told["parts"].values()), len(told["parts"])
    raise JobError(
        f"The export in {store.target} was begun at {told['facts']['as_of']} and cannot be gone on "
        f"with; {parts} of its parts are there, {rows:,} rows.",
        why,
        "fresh=True removes them and asks anew.",
    )


def _made(export: JobRecord) -> str:
    """Tell when an export was begun, as its tables do."""
    return datetime.fromtimestamp(int(export.created), UTC).isoformat()


def offer(book: JobStore, asks: Mapping[str, Any], now: float) -> str:
    """Name an export of the same question that is too old to be used again by itself, in words."""
    for export in book.like("read", asks):
        state = export.state(now)
        if now - export.created >= FRESH_S and state in {"waiting", "ready", "here"}:
            reads = "reads it for nothing" if state == "here" else "goes on with it"
            return f"{age(export, now)}, is still there: crm.job({export.id!r}).df() {reads}"
    return ""


# ---- The table -----------------------------------------------------------------------------------


class Exporter:
    """Brings one export to its end and makes a table of it.

    Parameters
    ----------
    gate : Gate
        The way to Zoho.
    catalogue : Catalogue
        The org's metadata.
    book : JobStore
        Where the export is written down.
    export : JobRecord
        Which.
    wanted : Asked, optional
        What it asks for, if that is at hand; else it is worked out again.
    tick : callable, optional
        Told how many rows each part has.
    say : callable, optional
        Told in words what Zoho is doing.
    crew : Crew, optional
        The workers of a cluster that fetch and convert what goes into files.

    Attributes
    ----------
    words : list of str
        What is to be said about the table in the end: what it lacks.
    """

    def __init__(
        self,
        gate: Gate,
        catalogue: Catalogue,
        book: JobStore,
        export: JobRecord,
        *,
        wanted: ColumnSelection | None = None,
        tick: Callable[[int], None] | None = None,
        say: Callable[[str], None] | None = None,
        crew: Crew | None = None,
    ) -> None:
        self._gate, self._catalogue, self._book, self.export = gate, catalogue, book, export
        self._tick = tick or (lambda rows: None)
        self._by_name = export.question["columns"] is not None
        self.wanted = wanted or asked(catalogue, export.module, export.question["columns"])
        self.wanted.drop([*export.dropped, *export.unjoined], by_name=self._by_name)
        self._lock = threading.Lock()
        self._missing: set[str] = set()
        self._file_reader: PartReader
        self._without_fields: Callable[[], None] = lambda: None
        self.words: list[str] = []
        self._crew = crew
        self._runner = Runner(
            gate, book, export, say=say, refused=self._refused, **self._by_crew(crew)
        )

    def facts(self, *, reused: bool) -> dict[str, Any]:
        """Tell what ``df.attrs`` should know of the export."""
        return {
            "job": self.export.id,
            "as_of": _made(self.export),
            "reused": reused,
            "left_out": self.wanted.left_out,
            "elsewhere": self.wanted.elsewhere,
            "unnamed": self.wanted.unnamed,
        }

    def run(self, on_part: Callable[[Part], None], *, ask_again: bool = False) -> None:
        """Bring every file here and hand each on as it comes; as ``Runner.run``."""
        self._runner.run(on_part, ask_again=ask_again)

    def fetch(self) -> None:
        """Bring every file here, for somebody to read later; a damaged one is fetched again."""

        def look(part: Part) -> None:
            read_through(part.path)
            self._tick(part.rows if part.chain < self._chains_each else 0)

        self.run(look)

    def reader(self, batch: int, *, exact: bool = False) -> PartReader:
        """Make the reader for the files of one batch of fields."""
        fields = set(self.export.chains[batch * self._chains_each].query["fields"])
        columns = [c for c in self.wanted.in_bulk if c.name == "id" or c.name in fields]
        users = None
        if any(each.kind == "user" for each in columns):
            users = self._catalogue.directory()
        return PartReader(columns, names=self.wanted.names, users=users, exact=exact)

    def table(self, *, tz: str, exact: bool, ask_again: bool = False) -> pd.DataFrame:
        """Bring it to its end and make the table."""
        fillers: dict[int, tuple[PartReader, FrameAssembler]] = {}
        places = self._places()
        alone = places is not None and len(self.export.links) == 1

        def add(part: Part) -> None:
            batch = part.chain // self._chains_each
            with self._lock:
                if batch not in fillers:
                    fillers[batch] = self._filler(batch, tz, exact, told=places is not None)
                reader, filler = fillers[batch]
            self._look_at_header(header(part.path), reader)
            place = places[part.chain, part.number] if places else part.chain * 1000 + part.number
            # Held nowhere else, so that its memory goes as the table fills.
            rows = filler.add(place, reader.table(part.path, threads=alone), threads=alone)
            self._check_rows(part, rows)
            self._tick(rows if batch == 0 else 0)

        self._runner.run(add, ask_again=ask_again)
        frames = [in_id_order(fillers[batch][1].frame()) for batch in sorted(fillers)]
        return self._completed(beside(frames, "id"), tz=tz, exact=exact)

    def into(
        self, store: Store, facts: Mapping[str, Any], *, exact: bool, ask_again: bool = False
    ) -> dict[str, Any]:
        """Bring it to its end and write it into files, part by part as they come."""
        told = {
            "question": self.export.question,
            "source": source_of(self._catalogue, self.export.module),
            "job": self.export.id,
            "facts": facts,
        }
        strangers = UnknownUsers(self._gate, self._catalogue, self.export.module)

        def begin() -> None:
            self._file_reader = self.reader(0, exact=exact)
            store.begin(self._file_reader, told)

        def write(part: Part) -> None:
            reader = self._file_reader
            self._look_at_header(header(part.path), reader)
            batches = strangers.named(reader, reader.batches(part.path))
            rows = store.add(part.chain, part.number, reader, batches)
            self._check_rows(part, rows)
            self._tick(rows)

        try:
            begin()
            if self._crew is not None:
                self._crew.look_round()
            # Zoho refuses fields when the first jobs are asked for: before there is any part.
            self._without_fields = begin
            for chain, number, link in self.export.places():
                if store.has(chain, number):
                    self._tick(link.rows)
            self._runner.again = "The same crm.export(…, ask_again=True)"
            self._runner.run(write, ask_again=ask_again, has=store.has)
            self._note("Files of an export have no", self.wanted.elsewhere)
            if self._by_name:
                self._note("Files of an export have ids, but no names, for", self.wanted.unnamed)
            self._note("Zoho's files have nothing in", sorted(self._missing))
            return store.finish()
        finally:
            store.close()

    def _by_crew(self, crew: Crew | None) -> dict[str, Any]:
        """Tell a runner who fetches what is not here."""
        if crew is None:
            return {}
        return {"elsewhere": partial(self._made_elsewhere, crew), "at_a_time": crew.at_a_time}

    def _made_elsewhere(self, crew: Crew, part: Part, link: Link) -> None:
        """Let a worker make a part, and give it its place here."""
        name = f"{self.export.id}-part-{part.chain}-{part.number}"
        try:
            made = crew.make(name, bulk_read.result_path(link), self._file_reader)
        except NotFoundError as unknown:
            raise bulk_read.gone(link.job, unknown) from unknown
        crew.take(part.chain, part.number, made)
        self._look_at_header(made.heads, self._file_reader)
        self._check_rows(part, made.written["rows"])
        self._tick(made.written["rows"])

    @property
    def _chains_each(self) -> int:
        """How many chains a batch of fields has."""
        return len(self.export.chains) // self.export.batches

    def _places(self) -> dict[tuple[int, int], int] | None:
        """Give each part its number in its batch, if it is known how many there will be."""
        if not self.export.is_complete:
            return None
        places: dict[tuple[int, int], int] = {}
        for number, each in enumerate(self.export.chains):
            if number % self._chains_each == 0:
                count = 0
            for link in range(len(each.links)):
                places[number, link] = count
                count += 1
        return places

    def _filler(
        self, batch: int, tz: str, exact: bool, *, told: bool
    ) -> tuple[PartReader, FrameAssembler]:
        """Make the reader and the table of one batch."""
        start = batch * self._chains_each
        links = [
            link for c in self.export.chains[start : start + self._chains_each] for link in c.links
        ]
        reader = self.reader(batch, exact=exact)
        rows = [link.rows for link in links] if told else None
        return reader, FrameAssembler(reader.columns, rows=rows, tz=tz, exact=exact)

    def _refused(self, fields: list[str]) -> None:
        """Do without fields that Zoho turned out not to export, and say so."""
        missing = self.wanted.drop(fields, by_name=self._by_name)
        self._note("Zoho does not export", missing)
        self._without_fields()

    def _look_at_header(self, heads: list[str], reader: PartReader) -> None:
        """Note columns that a file should have and has not."""
        if heads:
            with self._lock:
                self._missing |= reader.asks - set(heads)

    def _check_rows(self, part: Part, rows: int) -> None:
        """Say so when a file has another number of records than Zoho told; it is whole."""
        if rows != part.rows:
            self.words.append(
                f"Zoho told {part.rows:,} records for the job {part.job}; its file has {rows:,}."
            )

    def _note(self, what: str, missing: list[str]) -> None:
        """Keep a word about what the table will not have."""
        if missing:
            self.words.append(f"{what} {', '.join(missing)} of {self.export.module}.")

    def _completed(self, table: pd.DataFrame, *, tz: str, exact: bool) -> pd.DataFrame:
        """Bring what jobs do not, and put the columns into their order."""
        self._note(
            "Zoho's files lack", self.wanted.drop(sorted(self._missing), by_name=self._by_name)
        )
        name_users(self._gate, self._catalogue, self.export.module, table, self.wanted.in_bulk)
        if self._by_name and self.wanted.unnamed:
            self._name_elsewhere(len(table))
        if self.wanted.elsewhere:
            table = self._with_columns_from_elsewhere(table, tz=tz, exact=exact)
        order = list(to_frame([], self.wanted.table, tz=tz, exact=exact))
        return table if list(table) == order else table[order]

    def _name_elsewhere(self, rows: int) -> None:
        """Have lookups brought whose names no job tells; of too many records they have ids only."""
        if rows > MOST_LISTED:
            names = [f"the names of {each}" for each in self.wanted.unnamed]
            self._note(f"For {rows:,} records it would cost too much to bring", names)
            return
        self.wanted.elsewhere += self.wanted.unnamed
        self.wanted.unnamed = []

    def _with_columns_from_elsewhere(
        self, table: pd.DataFrame, *, tz: str, exact: bool
    ) -> pd.DataFrame:
        """Bring the columns that no job brings; what costs too much is left out with a word."""
        module, names = self.export.module, self.wanted.elsewhere
        brought = elsewhere(
            self._gate, self._catalogue, module, names, table["id"], tz=tz, exact=exact
        )
        found = {name for each in brought for name in each}
        lost = [name for name in names if name not in found]
        self._note(f"For {len(table):,} records one by one it would cost too much to bring", lost)
        self.wanted.left_out += lost
        self.wanted.elsewhere = [name for name in names if name in found]
        here = [name for name in table if name == "id" or name not in found]
        return beside([table[here], *brought], "id")
