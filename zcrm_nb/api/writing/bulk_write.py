"""Bulk Write: a table becomes CSV files, Zoho's jobs write them, and each row gets its result.

What must not happen twice is noted in the journal before it is requested: a job whose answer was
lost is never requested again. Its rows are ``unknown``, like those of a job that is still running;
the report's ``resolve`` asks Zoho about the job, or looks for the records.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import orjson

from zcrm_nb.api.polling import poll_s
from zcrm_nb.api.writing.bulk_table import BulkTable, BulkWriteRequest, bulk_table, check_request
from zcrm_nb.api.writing.journal import WriteJournal, runs
from zcrm_nb.api.writing.outcomes import Outcome, outcomes_of_error, refused, unknown
from zcrm_nb.api.writing.writes import kept_before, open_journal, stopped
from zcrm_nb.errors import ConnectionFailed, JobError, WriteError, ZohoError
from zcrm_nb.frames.csv_writer import (
    csv_bytes,
    read_results,
    zipped,
)

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

__all__ = ["ROUTE", "UNCLEAR_S", "bulk_runs", "collect", "save"]

WRITE, UPLOAD = "/crm/bulk/v8/write", "/crm/v8/upload"
DONE = {"ADDED": ("insert", "record added"), "UPDATED": ("update", "record updated")}
SKIPPED, LEFT = "SKIPPED", "UNPROCESSED"
UNCLEAR_S = 3600.0  # so long a job without a known id may be running
ROUTE = "bulk"


def save(
    context: WriteContext, df: pd.DataFrame, request: BulkWriteRequest, *, tick: Tick, say: Say
) -> Report:
    """Write a table by bulk jobs."""
    request = check_request(request)
    table = bulk_table(context, df, request)
    index, data, refusals = table.rows.index, table.rows.data, table.rows.refused
    there = context.there(request.module)
    before, mark = kept_before(
        there, request.action, data, request.checked, undoable=request.undoable, seen=None
    )
    journal = open_journal(
        context,
        request.module,
        request.operation,
        index,
        route=ROUTE,
        trigger=None,
        checked=request.checked,
        mark=mark,
        undoable=request.operation == "insert" or (request.undoable and before is not None),
    )
    if before:
        journal.note(before=list(before.values()))
    if refusals:
        journal.note_outcomes(list(refusals), list(refusals.values()))
    jobs = _Jobs(context, journal, table, tick, say, outcomes=dict(refusals))
    return _carried_out(context, journal, jobs)


# ---- Jobs ----------------------------------------------------------------------------------------


class JobStatus(NamedTuple):
    """A job as Zoho describes it: state without blanks, address of the result, message."""

    state: str
    url: str
    message: str


@dataclass(slots=True)
class _Jobs:
    """The jobs of one run: requested one after the other, then watched together."""

    context: WriteContext
    journal: WriteJournal
    table: BulkTable
    tick: Tick
    say: Say
    refusal: ZohoError | None = None
    running: dict[int, str] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self) -> None:
        """Request all jobs, and wait for them."""
        most = self.table.request.most_rows
        rows = [row for row in range(len(self.table.rows.index)) if row not in self.outcomes]
        for start in range(0, len(rows), most):
            self._begin(rows[start : start + most])
        self._watch()

    def _begin(self, rows: Sequence[int]) -> None:
        """Send some rows; in halves where their file would be too large."""
        if self.refusal is not None:
            return
        content = csv_bytes(self.table.columns, rows)
        if len(content) > self.table.request.most_bytes and len(rows) > 1:
            middle = len(rows) // 2
            self._begin(rows[:middle])
            self._begin(rows[middle:])
        else:
            self._request(rows, content)

    def _request(self, rows: Sequence[int], content: bytes) -> None:
        """Upload a file and request its job, once."""
        name = f"{self.table.request.module}.csv"
        number, batch = next(self._numbers), self.table.batch(rows)
        self.say(f"uploading rows {rows[0] + 1:,} to {rows[-1] + 1:,}")
        try:
            file_id = upload(self.context, zipped(name, content))
        except ZohoError as error:  # no job was requested: the rows are certainly not written
            self._settle(rows, [self._refused(error)] * len(rows), number)
            self.refusal = error
            return
        self.journal.note_batch(number, batch, self.context.zoho())
        try:
            job = create(self.context, self.table.body(file_id, name))
        except ZohoError as error:
            outcomes, whole = outcomes_of_error(error, batch.action, batch.ids)
            self._settle(rows, outcomes, number)
            self.refusal = error if whole else None
            return
        self.running[number] = job
        self.journal.note(durable=True, job=job, of=number, cells=self.table.cells(rows))
        self._settle(rows, [still_running(batch.known(), job)] * len(rows), number)

    def _refused(self, error: ZohoError) -> Outcome:
        """Refuse a row whose file was not accepted."""
        code = getattr(error, "code", "") or "NOT_SENT"
        return refused(None, code, f"not sent: {error.happened}")

    def _settle(self, rows: Sequence[int], outcomes: list[Outcome], number: int) -> None:
        """Note the outcomes of rows."""
        lost = any(each.status == "unknown" for each in outcomes)
        at = self.context.zoho() if lost else None
        self.journal.note_outcomes(rows, outcomes, batch=number, at=at)
        self.outcomes |= dict(zip(rows, outcomes, strict=True))

    def _watch(self) -> None:
        """Wait until all jobs are over, and fetch their results."""
        for polls in count():
            if not self.running:
                return
            jobs = "1 job" if len(self.running) == 1 else f"{len(self.running)} jobs"
            self.say(f"Zoho is working on {jobs}")
            self.context.sleep(poll_s(polls))
            story = self.journal.read()
            for number in list(self.running):
                outcomes = _results(self.context, self.journal, story, number)
                if outcomes is not None:
                    del self.running[number]
                    rows = story.batches[number].rows
                    self._settle(rows, outcomes, number)
                    self.tick(len(rows))


def _carried_out(context: WriteContext, journal: WriteJournal, jobs: _Jobs) -> Report:
    """Carry a run out, and report."""
    try:
        with journal.held():
            jobs.run()
    except BaseException as error:
        if not isinstance(error, ZohoError) or isinstance(error, WriteError):
            note = "Zoho goes on with the jobs it has. "
            raise stopped(context, journal, None, error, note) from error
        if not any(outcome.status == "unknown" for outcome in jobs.outcomes.values()):
            raise
        jobs.say(error.happened)  # the jobs go on, and their rows are resolved later
    if jobs.refusal is not None and all(
        each.status == "refused" for each in jobs.outcomes.values()
    ):
        raise jobs.refusal
    return context.report(journal, None)


def still_running(action: str | None, job: str) -> Outcome:
    """Make the outcome of a row whose job is still running."""
    message = f"job {job} is still running; report.resolve() asks for its result"
    return unknown(action, message)._replace(code="IN_PROGRESS")


def upload(context: WriteContext, content: bytes) -> str:
    """Upload a ZIP; 1 credit. It may be sent twice, for a file without a job has no effect.

    References
    ----------
    Zoho CRM API V8, "Upload a File": zoho.com/crm/developer/docs/api/v8/bulk-write/upload-file.html
    """
    body = context.send(
        "POST",
        UPLOAD,
        files=[("file", "data.zip", content, "application/zip")],
        headers={"feature": "bulk-write", "X-CRM-ORG": str(context.catalogue.org()["zgid"])},
        host="upload",
        safe=True,
    )
    details = _object(body).get("details")
    file_id = details.get("file_id") if isinstance(details, dict) else None
    if not file_id:
        raise JobError(
            "Zoho accepted the file but returned no id for it.", body[:200].decode(errors="replace")
        )
    return str(file_id)


def create(context: WriteContext, request: Mapping[str, Any]) -> str:
    """Request a job, once; 500 credits.

    References
    ----------
    Zoho CRM API V8, "Create Bulk Write Job":
    zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html
    """
    body = context.send("POST", WRITE, json=dict(request), safe=False)
    details = _object(body).get("details")
    if not isinstance(details, dict) or not details.get("id"):
        lost = ConnectionFailed("Whether Zoho accepted the job is unknown: its answer has no id.")
        lost.sent = True
        raise lost
    return str(details["id"])


def status(context: WriteContext, job: str) -> JobStatus:
    """Ask for the state of a job; 1 credit. The answer is bare, unlike that of Bulk Read.

    References
    ----------
    Zoho CRM API V8, "Get Bulk Write Job Details":
    zoho.com/crm/developer/docs/api/v8/bulk-write/get-job-details.html
    """
    answer = _object(context.send("GET", f"{WRITE}/{job}"))
    resource = next(iter(_dicts(answer.get("resource"))), {})
    message = " ".join(str(resource[key]) for key in ("code", "message") if resource.get(key))
    state = "".join(each for each in str(answer.get("status", "")).upper() if each.isalpha())
    result = answer.get("result")
    url = result.get("download_url") if isinstance(result, dict) else None
    return JobStatus(state, str(url or ""), message)


def _object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; empty where it is something else."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    """Take the objects out of a list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _results(
    context: WriteContext, journal: WriteJournal, story: Story, number: int
) -> list[Outcome] | None:
    """Fetch the outcomes of the rows of a job; ``None`` while it is running."""
    job, batch = story.jobs[number], story.batches[number]
    current = status(context, job["job"])
    if current.state not in {"COMPLETED", "FAILED", "SKIPPED"}:
        return None
    try:
        results = _fetched(context, journal, job, current)
    except JobError as error:
        message = f"the result of job {job['job']} is not available: {error.happened}"
        return [unknown(batch.known(), message)] * len(batch.rows)
    return [
        _outcome(result, batch.known(), record_id)
        for result, record_id in zip(results, batch.ids, strict=True)
    ]


def _fetched(
    context: WriteContext, journal: WriteJournal, job: Mapping[str, Any], current: JobStatus
) -> list[RowResult | None]:
    """Download a result, and read it."""
    if not current.url:
        raise JobError(f"it ended as {current.state} without a result: {current.message}")
    parts = urlsplit(current.url)
    origin = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "api"
    target = journal.path.with_name(f"{journal.run}-{job['job']}.zip")
    try:
        context.download(parts.path, target, params=dict(parse_qsl(parts.query)), origin=origin)
        return read_results(target, [tuple(each) for each in job["cells"]])
    except ValueError as error:
        raise JobError(f"{error}; the token was not sent there.") from error
    finally:
        target.unlink(missing_ok=True)


def _outcome(result: RowResult | None, action: str | None, record_id: str | None) -> Outcome:
    """Turn the result of a row into its outcome."""
    if result is None:
        message = "the result has several such rows, with different outcomes"
        return unknown(action, message, record_id)
    state = result.status.upper()
    if state in DONE:
        action, message = DONE[state]
        if not result.record_id and not record_id:
            message += "; the id is unknown, for the result has several such rows"
        return Outcome(action, "done", result.record_id or record_id, "SUCCESS", None, message)
    if state == LEFT:
        message = "Zoho did not process this row; it may be sent again"
        return refused(action, "NOT_PROCESSED", message, id=record_id)
    if state == SKIPPED:
        code, names = _errors(result.errors)
        return refused(action, code, result.errors or "skipped", field=names, id=record_id)
    return unknown(action, f"Zoho calls it {result.status!r}: {result.errors}", record_id)


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


def collect(context: WriteContext, journal: WriteJournal) -> set[int]:
    """Ask for the jobs of a run whose rows are unknown, and note their results."""
    story = journal.read()
    busy: set[int] = set()
    if story.header.get("route") != ROUTE:
        return busy
    for number, batch, _ in list(story.unknown()):
        if number not in story.jobs:
            if context.zoho() - story.sent[number] < UNCLEAR_S:
                busy.add(number)
            continue
        outcomes = _results(context, journal, story, number)
        if outcomes is None:
            busy.add(number)
            continue
        lost = any(each.status == "unknown" for each in outcomes)
        at = context.zoho() if lost else None
        journal.note_outcomes(batch.rows, outcomes, batch=number, at=at)
    return busy


def bulk_runs(folder: Path, now: float) -> list[dict[str, Any]]:
    """List the bulk writes in an org's folder, as lines of ``crm.jobs()``."""
    return [_line(journal, now) for journal in runs(folder) if journal.header.get("route") == ROUTE]


def _line(journal: WriteJournal, now: float) -> dict[str, Any]:
    """Describe one bulk write."""
    line = _described(journal.path, journal.path.stat().st_size)
    created = datetime.fromisoformat(line["created"]).timestamp()
    return {**line, "age_minutes": int((now - created) // 60), "at_work": journal.is_held}


@lru_cache(maxsize=64)
def _described(path: Path, size: int) -> dict[str, Any]:
    """Describe a journal; its size stands for its content, for lines are only ever added."""
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
    """Say how existing records are found."""
    checked = story.header.get("checked")
    return f" by {', '.join(checked)}" if checked else ""


def _counted(story: Story) -> str:
    """Count the rows by status."""
    counts = Counter(each.status for each in story.rows)
    return ", ".join(f"{number:,} {status}" for status, number in sorted(counts.items()))
