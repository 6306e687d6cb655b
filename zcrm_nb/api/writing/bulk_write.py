"""Bulk Write: a table becomes CSV files, Zoho's jobs write them, and each row hears what became.

What must not happen twice is noted in the journal before it is asked for: a job whose answer was
lost is never asked for again. Its rows are ``unknown``, like those of a job that is still at work;
the report's ``resolve`` asks Zoho about the job, or looks what is there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson

from zcrm_nb.api.polling import poll_s
from zcrm_nb.api.writing.journal import Batch, WriteJournal, runs
from zcrm_nb.api.writing.outcomes import Outcome, outcomes_of_error, refused, unknown
from zcrm_nb.api.writing.prepare import WriteRequest, prepare
from zcrm_nb.api.writing.run import open_journal, stopped
from zcrm_nb.api.writing.writes import kept_before
from zcrm_nb.errors import ConnectionFailed, JobError, WriteError, ZohoError, did_you_mean
from zcrm_nb.frames import Column, column_for
from zcrm_nb.frames.csv_writer import (
    NOT_IN_CELLS,
    SHOWN,
    by_distinct_values,
    csv_bytes,
    csv_cells,
    read_results,
    unsplittable,
    zipped,
)
from zcrm_nb.frames.records import as_columns, as_rows
from zcrm_nb.frames.validate import Problem, is_writable, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.journal import Story
    from zcrm_nb.frames import Report
    from zcrm_nb.frames.csv_writer import RowResult

    Tick = Callable[[int], None]
    Say = Callable[[str], None]

__all__ = ["OPERATIONS", "ROUTE", "UNCLEAR_S", "BulkWriteRequest", "bulk_runs", "collect", "save"]

WRITE, UPLOAD = "/crm/bulk/v8/write", "/crm/v8/upload"
OPERATIONS = ("insert", "update", "upsert")
ROWS, COLUMNS, BYTES = 25_000, 200, 25_000_000  # of one CSV file, before it is zipped
#: Digests of Zoho's page; older ones add Users, Tasks and linking modules, which it may refuse.
NOT_WRITTEN = ("Attachments", "Calls", "Events", "Notes")
DONE = {"ADDED": ("insert", "record added"), "UPDATED": ("update", "record updated")}
SKIPPED, LEFT = "SKIPPED", "UNPROCESSED"
#: Without its offset a time would be somebody's; where Zoho cannot read this, it refuses the job.
FORMATS = {"date": "yyyy-MM-dd", "datetime": "yyyy-MM-dd'T'HH:mm:ssXXX"}
UNCLEAR_S = 3600.0  # so long a job may be at work whose id nobody has read
ROUTE = "bulk"


@dataclass(frozen=True, slots=True)
class BulkWriteRequest:
    """What somebody asks of a bulk write; ``CRM.bulk_write`` tells what each thing means.

    ``most_rows`` and ``most_bytes`` are what one file may hold.
    """

    module: str
    operation: str
    find_by: str | None = None
    lookups: Mapping[str, str] = field(default_factory=dict)
    ignore_empty: bool = False
    undoable: bool = False
    unlisted: bool = False
    most_rows: int = ROWS
    most_bytes: int = BYTES

    @property
    def subject(self) -> str:
        """What errors call it."""
        return f"bulk {self.operation} of {self.module}"

    @property
    def action(self) -> str:
        """What the journal calls it: an update that names no ids is found like an upsert."""
        named = self.operation != "update" or self.find_by == "id"
        return self.operation if named else "upsert"

    @property
    def checked(self) -> list[str]:
        """Fields by which its records are found, besides their ids."""
        return [self.find_by] if self.find_by and self.find_by != "id" else []


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as it goes into CSV files.

    Parameters
    ----------
    wish : BulkWriteRequest
        What is to be done with it.
    data : dict of str to list
        JSON values by field, for the journal.
    columns : dict of str to list of str
        Cells by header, in the order in which they are sent.
    mappings : list of dict
        In Zoho's words, one for each of the columns.
    """

    wish: BulkWriteRequest
    data: dict[str, list[Any]]
    columns: dict[str, list[str]]
    mappings: list[dict[str, Any]]

    def batch(self, rows: range) -> Batch:
        """Give some rows, as the journal keeps them."""
        few = {name: values[rows.start : rows.stop] for name, values in self.data.items()}
        return Batch(self.wish.action, rows, as_rows(few, len(rows)))

    def cells(self, rows: range) -> list[tuple[str, ...]]:
        """Give the cells by which rows are found in the result."""
        shown = list(self.columns.values())[:SHOWN]
        return list(zip(*(cells[rows.start : rows.stop] for cells in shown), strict=True))

    def body(self, file_id: str, name: str) -> dict[str, Any]:
        """Write what a job is asked for."""
        wish = self.wish
        resource = {
            "type": "data",
            "module": {"api_name": wish.module},
            "file_id": file_id,
            "file_names": [name],
            "ignore_empty": wish.ignore_empty,
            "field_mappings": self.mappings,
            **({"find_by": wish.find_by} if wish.find_by else {}),
        }
        return {
            "operation": wish.operation,
            "character_encoding": "UTF-8",
            "ignore_empty": wish.ignore_empty,
            "resource": [resource],
        }


def save(
    means: WriteContext, df: pd.DataFrame, wish: BulkWriteRequest, *, tick: Tick, say: Say
) -> Report:
    """Write a table by bulk jobs."""
    wish = _checked(wish)
    index, sheet = _sheet(means, df, wish)
    there = means.there(wish.module)
    before, mark = kept_before(
        there, wish.action, sheet.data, wish.checked, undoable=wish.undoable, seen=None
    )
    journal = open_journal(
        means,
        wish.module,
        wish.operation,
        index,
        route=ROUTE,
        trigger=None,
        checked=wish.checked,
        mark=mark,
        undoable=wish.operation == "insert" or (wish.undoable and before is not None),
    )
    if before:
        journal.note(before=list(before.values()))
    return _carried_out(means, journal, _Jobs(means, journal, sheet, tick, say), len(index))


def _checked(wish: BulkWriteRequest) -> BulkWriteRequest:
    """Refuse what no table could make right, and say how existing records are known."""
    if wish.operation not in OPERATIONS:
        raise ValueError(f"operation={wish.operation!r}: there are {', '.join(OPERATIONS)}.")
    if wish.module in NOT_WRITTEN:
        raise ValueError(
            f"Zoho writes none of {', '.join(NOT_WRITTEN)} in bulk. "
            f"crm.insert({wish.module!r}, …) and its sisters write records of most modules."
        )
    if wish.find_by is None and wish.operation == "upsert":
        raise ValueError(
            'An upsert needs find_by=: "id", or a field that tells records apart, such as "Email".'
        )
    if wish.find_by is None and wish.operation == "update":
        return replace(wish, find_by="id")
    return wish


# ---- From a table to cells -----------------------------------------------------------------------


def _sheet(
    means: WriteContext, df: pd.DataFrame, wish: BulkWriteRequest
) -> tuple[pd.Index[Any], Sheet]:
    """Check a table, and write its cells."""
    fields = means.catalogue.fields(wish.module)
    refuse(list(_wrong_columns(df, fields, wish)), wish.subject, df.index)
    action = "update" if wish.action == "update" else "upsert"
    checked = tuple(wish.checked)
    request = WriteRequest(wish.module, action, checked=checked, unlisted=wish.unlisted)
    rows = prepare(means, df.drop(columns=[*wish.lookups]), request)
    index, data = rows.index, rows.data
    kinds = {name: "text" if name == "id" else column_for(fields[name]).kind for name in data}
    refuse(list(_wrong_values(data, kinds, wish)), wish.subject, index)
    named = as_columns(df[[*wish.lookups]], [Column(name, "text") for name in wish.lookups])
    cells = {_header(name, kinds[name]): csv_cells(data[name], kinds[name]) for name in data}
    cells |= {f"{name}.{wish.lookups[name]}": csv_cells(named[name], "text") for name in named}
    ordered = {name: cells[name] for name in by_distinct_values(cells, wish.checked or ["id"])}
    mappings = [_mapping(header, place, kinds) for place, header in enumerate(ordered)]
    return index, Sheet(wish, data, ordered, mappings)


def _wrong_columns(
    df: pd.DataFrame, fields: Mapping[str, Mapping[str, Any]], wish: BulkWriteRequest
) -> Iterator[Problem]:
    """Find the columns that a bulk write cannot take, and those that it lacks."""
    columns = [str(name) for name in df.columns]
    names = {name.removesuffix(".id") for name in columns}
    kinds = {name: column_for(dict(fields[name])).kind for name in names & {*fields}}
    if len(columns) > COLUMNS:
        yield Problem(None, "", None, f"{len(columns):,} columns; a bulk write takes {COLUMNS}")
    if wish.operation == "insert" and "id" in columns:
        yield Problem(None, "id", None, "Zoho gives a new record its id; leave the column out")
    told = [name for name in columns if name.startswith("$")]
    for name in (*told, *(name for name in kinds if _in_no_cell(fields[name]))):
        yield Problem(None, name, None, "no cell holds it; crm.upsert writes it")
    for name in wish.lookups:
        if name not in columns or kinds.get(name) not in _LOOKUPS:
            yield Problem(None, name, None, "in lookups=, and no lookup among the columns")
        elif f"{name}.id" in columns:
            yield Problem(None, name, None, "in lookups=, and there are ids as well; drop one")
    if wish.find_by is not None and wish.find_by not in columns:
        hint = did_you_mean(wish.find_by, columns)
        yield Problem(None, wish.find_by, None, f"find_by= names no column. {hint}".rstrip())
    if kinds.get(wish.find_by or "") in _TELLING_NOTHING:
        yield Problem(None, str(wish.find_by), None, "in find_by=, and such values tell none apart")
    for name, known in fields.items() if wish.operation != "update" else ():
        needed = known.get("system_mandatory") and is_writable(known, "insert")
        if needed and name not in names:
            yield Problem(None, name, None, "mandatory, but the column is missing")


_LOOKUPS = {"lookup", "user"}
# Of these types Zoho lets no field be unique; of a text only Zoho knows, and refuses the job.
_TELLING_NOTHING = {*_LOOKUPS, "picklist", "multipicklist", "boolean", "date", "datetime"}


def _in_no_cell(known: Mapping[str, Any]) -> bool:
    """Tell whether no cell can hold a field: a list, an object, a picture, one of many modules."""
    module = ((known.get("lookup") or {}).get("module") or {}).get("api_name")
    held_elsewhere = known.get("data_type") in {"multi_module_lookup", "profileimage"}
    return held_elsewhere or module == "se_module" or column_for(dict(known)).kind in NOT_IN_CELLS


def _wrong_values(
    data: Mapping[str, Sequence[Any]], kinds: Mapping[str, str], wish: BulkWriteRequest
) -> Iterator[Problem]:
    """Find the values that a cell would not hold, and rows that no record could be found by."""
    for name, values in data.items():
        for row, words in unsplittable(values, kinds[name]):
            yield Problem(row, name, values[row], words)
    if wish.operation == "update" and wish.checked:
        (name,) = wish.checked
        for row, value in enumerate(data.get(name, ())):
            if value in (None, ""):
                yield Problem(row, name, None, "missing, and the record is found by it")


def _header(name: str, kind: str) -> str:
    """Name the column of a field; that of a lookup says that it holds ids."""
    return f"{name}.id" if kind in _LOOKUPS else name


def _mapping(header: str, place: int, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Tell Zoho what a column is; its header says it as well."""
    name, _, find_by = header.partition(".")
    mapping: dict[str, Any] = {"api_name": name, "index": place}
    if find_by:
        mapping["find_by"] = find_by
    if kinds.get(name) in FORMATS:
        mapping["format"] = FORMATS[kinds[name]]
    return mapping


# ---- Jobs ----------------------------------------------------------------------------------------


class WriteStatus(NamedTuple):
    """What Zoho says of a job: its state without blanks, the address of its result, its words."""

    state: str
    url: str
    said: str


@dataclass(slots=True)
class _Jobs:
    """The jobs of one run: asked for one after the other, then watched together."""

    means: WriteContext
    journal: WriteJournal
    sheet: Sheet
    tick: Tick
    say: Say
    refusal: ZohoError | None = None
    asked: dict[int, str] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self, rows: int) -> None:
        """Ask for all jobs, and wait for them."""
        most = self.sheet.wish.most_rows
        for start in range(0, rows, most):
            if self.refusal is None:
                self._begin(range(start, min(start + most, rows)))
        self._watch()

    def _begin(self, rows: range) -> None:
        """Send some rows; in halves where their file would be too large."""
        name = f"{self.sheet.wish.module}.csv"
        content = csv_bytes(self.sheet.columns, rows)
        if len(content) > self.sheet.wish.most_bytes and len(rows) > 1:
            middle = rows.start + len(rows) // 2
            self._begin(range(rows.start, middle))
            self._begin(range(middle, rows.stop))
        elif self.refusal is None:
            self._ask(rows, name, zipped(name, content))

    def _ask(self, rows: range, name: str, content: bytes) -> None:
        """Upload a file and ask for its job, once."""
        number, batch = next(self._numbers), self.sheet.batch(rows)
        self.say(f"uploading rows {rows.start + 1:,} to {rows.stop:,}")
        try:
            file_id = upload(self.means, content)
        except ZohoError as error:  # nothing was asked for yet: the rows are certainly not written
            self._settle(rows, [self._refused(error)] * len(rows), number)
            self.refusal = error
            return
        self.journal.note_batch(number, batch, self.means.zoho())
        try:
            job = create(self.means, self.sheet.body(file_id, name))
        except ZohoError as error:
            outcomes, whole = outcomes_of_error(error, batch.action, batch.ids)
            self._settle(rows, outcomes, number)
            self.refusal = error if whole else None
            return
        self.asked[number] = job
        cells = self.sheet.cells(rows)
        self.journal.note(durable=True, job=job, of=number, cells=cells)
        waiting = [at_work(batch.known(), job)] * len(rows)
        self._settle(rows, waiting, number)

    def _refused(self, error: ZohoError) -> Outcome:
        """Say of a row that its file was not taken."""
        code = getattr(error, "code", "") or "NOT_SENT"
        return refused(None, code, f"not sent: {error.happened}")

    def _settle(self, rows: range, outcomes: list[Outcome], number: int) -> None:
        """Note what is known of rows."""
        lost = any(each.status == "unknown" for each in outcomes)
        at = self.means.zoho() if lost else None
        self.journal.note_outcomes(rows, outcomes, batch=number, at=at)
        self.outcomes |= dict(zip(rows, outcomes, strict=True))

    def _watch(self) -> None:
        """Wait until all jobs are over, and fetch their results."""
        for polls in count():
            if not self.asked:
                return
            self.say(
                f"Zoho is at work on {len(self.asked)} {'job' if len(self.asked) == 1 else 'jobs'}"
            )
            self.means.sleep(poll_s(polls))
            story = self.journal.read()
            for number in list(self.asked):
                found = _heard(self.means, self.journal, story, number)
                if found is not None:
                    del self.asked[number]
                    rows = story.batches[number].rows
                    self._settle(range(rows[0], rows[-1] + 1), found, number)
                    self.tick(len(rows))


def _carried_out(means: WriteContext, journal: WriteJournal, jobs: _Jobs, rows: int) -> Report:
    """Carry a run out, and report."""
    try:
        with journal.held():
            jobs.run(rows)
    except BaseException as error:
        if not isinstance(error, ZohoError) or isinstance(error, WriteError):
            note = "Zoho goes on with the jobs it has. "
            raise stopped(means, journal, None, error, note) from error
        if not any(outcome.status == "unknown" for outcome in jobs.outcomes.values()):
            raise
        jobs.say(error.happened)  # the jobs are Zoho's, and their rows are resolved later
    if jobs.refusal is not None and all(
        each.status == "refused" for each in jobs.outcomes.values()
    ):
        raise jobs.refusal
    return means.report(journal, None)


def at_work(action: str | None, job: str) -> Outcome:
    """Say that a job is still at work on a row."""
    words = f"job {job} is at work on it; report.resolve() asks how far it is"
    return unknown(action, words)._replace(code="IN_PROGRESS")


def upload(means: WriteContext, content: bytes) -> str:
    """Upload a ZIP; 1 credit. It may be sent twice, for a file that no job names does nothing.

    References
    ----------
    Zoho CRM API V8, "Upload a File": zoho.com/crm/developer/docs/api/v8/bulk-write/upload-file.html
    """
    body = means.send(
        "POST",
        UPLOAD,
        files=[("file", "data.zip", content, "application/zip")],
        headers={"feature": "bulk-write", "X-CRM-ORG": str(means.catalogue.org()["zgid"])},
        host="upload",
        safe=True,
    )
    file_id = (orjson.loads(body).get("details") or {}).get("file_id")
    if not file_id:
        raise JobError("Zoho took the file and gave it no id.", body[:200].decode(errors="replace"))
    return str(file_id)


def create(means: WriteContext, asked: Mapping[str, Any]) -> str:
    """Ask for a job, once; 500 credits.

    References
    ----------
    Zoho CRM API V8, "Create Bulk Write Job":
    zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html
    """
    body = means.send("POST", WRITE, json=dict(asked), safe=False)
    try:
        job = orjson.loads(body)["details"]["id"]
    except (orjson.JSONDecodeError, LookupError, TypeError) as error:
        lost = ConnectionFailed("Zoho took the job, or not: its answer names no id.")
        lost.sent = True
        raise lost from error
    return str(job)


def status(means: WriteContext, job: str) -> WriteStatus:
    """Ask how far a job is; 1 credit. The answer stands bare, unlike that of Bulk Read.

    References
    ----------
    Zoho CRM API V8, "Get Bulk Write Job Details":
    zoho.com/crm/developer/docs/api/v8/bulk-write/get-job-details.html
    """
    told = orjson.loads(means.send("GET", f"{WRITE}/{job}"))
    resource = (told.get("resource") or [{}])[0]
    said = " ".join(str(resource[key]) for key in ("code", "message") if resource.get(key))
    state = "".join(each for each in str(told.get("status", "")).upper() if each.isalpha())
    return WriteStatus(state, str((told.get("result") or {}).get("download_url") or ""), said)


def _heard(
    means: WriteContext, journal: WriteJournal, story: Story, number: int
) -> list[Outcome] | None:
    """Ask about a job; ``None`` while it is at work."""
    job, batch = story.jobs[number], story.batches[number]
    known = status(means, job["job"])
    if known.state not in {"COMPLETED", "FAILED", "SKIPPED"}:
        return None
    if not known.url:
        words = f"job {job['job']} ended as {known.state} without a result: {known.said}"
        return [unknown(batch.known(), words)] * len(batch.rows)
    cells = [tuple(each) for each in job["cells"]]
    try:
        told = _fetched(means, journal, job["job"], known.url, cells)
    except JobError as error:
        words = f"the result of job {job['job']} cannot be read: {error.happened}"
        return [unknown(batch.known(), words)] * len(batch.rows)
    return [_outcome(each, batch.known(), sent) for each, sent in zip(told, batch.ids, strict=True)]


def _fetched(
    means: WriteContext, journal: WriteJournal, job: str, url: str, cells: Sequence[tuple[str, ...]]
) -> list[RowResult | None]:
    """Download a result, and read it."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "api"
    target = journal.path.with_name(f"{journal.run}-{job}.zip")
    try:
        means.download(parts.path, target, params=dict(parse_qsl(parts.query)), origin=origin)
        return read_results(target, cells)
    except ValueError as strange:
        raise JobError(f"{strange}; the token was not shown there.") from strange
    finally:
        target.unlink(missing_ok=True)


def _outcome(told: RowResult | None, known: str | None, sent: str | None) -> Outcome:
    """Say what became of a row."""
    if told is None:
        words = "the result shows several such rows, which did not fare alike"
        return unknown(known, words, sent)
    state = told.status.upper()
    if state in DONE:
        action, words = DONE[state]
        if not told.record_id and not sent:
            words += "; the result shows several such rows, so nobody can tell which record it is"
        return Outcome(action, "done", told.record_id or sent, "SUCCESS", None, words)
    if state == LEFT:
        words = "Zoho did not come to this row; it may be sent again"
        return refused(known, "NOT_PROCESSED", words, id=sent)
    if state == SKIPPED:
        code, names = _errors(told.errors)
        return refused(known, code, told.errors or "skipped", field=names, id=sent)
    return unknown(known, f"Zoho calls it {told.status!r}: {told.errors}", sent)


def _errors(text: str) -> tuple[str, str | None]:
    """Read ``CODE-column,column:CODE-column`` as a code and the fields it is about."""
    codes, names = [], []
    for each in filter(None, text.split(":")):
        code, _, columns = each.partition("-")
        codes.append(code)
        names += [name.removesuffix(".id") for name in columns.split(",") if name]
    code = codes[0] if len(codes) == 1 else "MULTIPLE_OR_MULTI_ERRORS" if codes else SKIPPED
    return code, ", ".join(dict.fromkeys(names)) or None


# ---- Afterwards ----------------------------------------------------------------------------------


def collect(means: WriteContext, journal: WriteJournal) -> set[int]:
    """Ask about the jobs of a run whose rows are unknown, and note what is told."""
    story = journal.read()
    busy: set[int] = set()
    if story.header.get("route") != ROUTE:
        return busy
    for number, batch, _ in list(story.unknown()):
        if number not in story.jobs:
            if means.zoho() - story.sent[number] < UNCLEAR_S:
                busy.add(number)
            continue
        found = _heard(means, journal, story, number)
        if found is None:
            busy.add(number)
            continue
        lost = any(each.status == "unknown" for each in found)
        at = means.zoho() if lost else None
        journal.note_outcomes(batch.rows, found, batch=number, at=at)
    return busy


def bulk_runs(folder: Path, now: float) -> list[dict[str, Any]]:
    """List the bulk writes that an org's folder knows of, as lines of ``crm.jobs()``."""
    return [_line(journal, now) for journal in runs(folder) if journal.header.get("route") == ROUTE]


def _line(journal: WriteJournal, now: float) -> dict[str, Any]:
    """Describe one bulk write."""
    line = _told(journal.path, journal.path.stat().st_size)
    created = datetime.fromisoformat(line["created"]).timestamp()
    return {**line, "age_minutes": int((now - created) // 60), "at_work": journal.is_held}


@lru_cache(maxsize=64)
def _told(path: Path, size: int) -> dict[str, Any]:
    """Describe what a journal says; it is only added to, so that its size tells it from others."""
    del size
    journal = WriteJournal(path)
    story = journal.read()
    open_ = {number for number, _, _ in story.unknown()}
    state = "waiting" if open_ else "done"
    return {
        "id": journal.run,
        "module": story.header["module"],
        "operation": "write",
        "asked": f"{story.header['action']}{_found_by(story)}",
        "state": "unclear" if open_ - set(story.jobs) else state,
        "rows": story.header["rows"],
        "parts": len(story.batches),
        "files": len(set(story.jobs) - open_),
        "created": story.header["time"],
        "expires": None,
        "zoho_ids": [each["job"] for each in story.jobs.values()],
        "said": _counted(story),
    }


def _found_by(story: Story) -> str:
    """Say how records are known that are there."""
    checked = story.header.get("checked")
    return f" by {', '.join(checked)}" if checked else ""


def _counted(story: Story) -> str:
    """Say how many rows fared how."""
    counts = Counter(each.status for each in story.rows)
    return ", ".join(f"{number:,} {status}" for status, number in sorted(counts.items()))
