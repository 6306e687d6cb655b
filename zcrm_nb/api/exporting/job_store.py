"""Notes about bulk jobs that outlive the kernel: what was requested and which files are here.

Zoho keeps no list of jobs, and each costs 50 credits: a lost id is a job paid for nothing. So every
step is written down before and after it is taken, in one file for each export, and a kernel that
died between any two of them can be continued. One gap remains: a job whose id was never read. It is
noted as such, because Zoho offers no way to find out whether it accepted the job.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.exporting.describe import in_words
from zcrm_nb.errors import JobError
from zcrm_nb.frames import Column
from zcrm_nb.state.files import held, is_held, locked, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

__all__ = ["COMPLETED", "DAY_S", "JOB_COLUMNS", "JobRecord", "JobSeries", "JobStore", "ZohoJob"]

DAY_S = 24 * 60 * 60.0  # how long Zoho keeps a result, and this folder the files
NOTED_S = 7 * DAY_S  # how long the note of a job stays
COMPLETED = "COMPLETED"

# The columns of crm.jobs().
JOB_COLUMNS = [
    Column("id", "text"),
    Column("module", "text"),
    Column("operation", "text"),
    Column("asked", "text"),
    Column("state", "text"),
    Column("rows", "integer"),
    Column("parts", "integer"),
    Column("files", "integer"),
    Column("created", "datetime"),
    Column("age_minutes", "integer"),
    Column("expires", "datetime"),
    Column("zoho_ids", "object"),
]


@dataclass(slots=True)
class ZohoJob:
    """One job at Zoho, and the part of an export that it makes."""

    # when it was requested, in seconds since 1970; written down before the request is sent
    requested: float
    id: str = ""  # Zoho's id; empty until Zoho's reply was read
    state: str = ""  # Zoho's word, as last read
    rows: int | None = 0  # records in its file; ``None`` where Zoho did not say
    has_more: bool = False  # whether more records follow
    next_token: str = ""  # requests the job for those
    url: str = ""  # path of the result
    completed: float | None = None  # when it was seen to be complete
    file: str = ""  # name of its file, once it is downloaded whole
    error: str = ""  # why it failed, in Zoho's words
    failed: bool = False  # whether Zoho gave up on it


@dataclass(slots=True)
class JobSeries:
    """Jobs that follow each other, each requested with the token of the one before."""

    query: dict[str, Any]  # the request of the first one
    jobs: list[ZohoJob] = field(default_factory=list)  # those requested so far

    @property
    def is_complete(self) -> bool:
        """Whether Zoho has done all of it."""
        return bool(self.jobs) and self.jobs[-1].state == COMPLETED and not self.jobs[-1].has_more


@dataclass(slots=True)
class JobRecord:
    """One question and the jobs that answer it, as written down."""

    id: str  # ours, such as ``"Leads-1"``
    module: str  # API name of the module
    operation: str  # ``"read"``, or ``"write"``
    created: float  # seconds since 1970
    question: dict[str, Any]  # what was requested; two exports with the same question are the same
    series: list[JobSeries]  # side by side: ranges of records, and batches of more than 200 fields
    batches: int = 1  # how many batches of fields; series come batch by batch
    dropped: list[str] = field(default_factory=list)  # fields that Zoho turned out not to export
    # fields behind more lookups than one job follows
    unjoined: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> list[ZohoJob]:
        """All jobs, in the order of their records."""
        return [job for series in self.series for job in series.jobs]

    @property
    def rows(self) -> int:
        """Records so far; a record whose fields come in batches counts once."""
        first = self.series[: len(self.series) // self.batches]
        return sum(job.rows or 0 for series in first for job in series.jobs)

    @property
    def is_complete(self) -> bool:
        """Whether Zoho has done all of it."""
        return all(series.is_complete for series in self.series)

    def numbered_jobs(self) -> Iterator[tuple[int, int, ZohoJob]]:
        """Yield each job with the number of its series, and its own number there."""
        for series_number, series in enumerate(self.series):
            for number, job in enumerate(series.jobs):
                yield series_number, number, job

    def state(self, now: float, *, has_part: Callable[[int, int], bool] | None = None) -> str:
        """Sum up in a word how far it has come, by what is noted."""
        if any(job.failed for job in self.jobs):
            return "failed"
        if any(not job.id for job in self.jobs):
            return "unclear"
        missing: list[float | None] = [
            job.completed
            for series, number, job in self.numbered_jobs()
            if job.completed and not job.file and not (has_part and has_part(series, number))
        ]
        if not self.is_complete:  # the token for the next job expires as the result does
            missing += [
                series.jobs[-1].completed
                for series in self.series
                if series.jobs and series.jobs[-1].has_more
            ]
        if any(completed is not None and now - completed >= DAY_S for completed in missing):
            return "expired"
        if not self.is_complete:
            return "waiting"
        return "ready" if missing else "downloaded"

    def row(self, now: float) -> dict[str, Any]:
        """Return the row of ``crm.jobs()``."""
        completed = [job.completed for job in self.jobs if job.completed]
        return {
            "id": self.id,
            "module": self.module,
            "operation": self.operation,
            "asked": in_words(self.question),
            "state": self.state(now),
            "rows": self.rows,
            "parts": len(self.jobs),
            "files": sum(bool(job.file) for job in self.jobs),
            "created": _iso(self.created),
            "age_minutes": int((now - self.created) // 60),
            "expires": _iso(min(completed) + DAY_S) if completed else None,
            "zoho_ids": [job.id for job in self.jobs if job.id],
            "said": next((job.error or job.state for job in self.jobs if job.failed), ""),
        }


def _iso(seconds: float) -> str:
    """Write a moment as a JSON reply would."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class JobStore:
    """The exports that are noted in one folder.

    Notes
    -----
    ``<folder>/jobs/Leads-1.json`` is the note, ``Leads-1/`` has the files, ``Leads-1.lock`` is held
    while a kernel works on it. Files hold records of the CRM: folders are private to their owner.
    Files older than a day are deleted when the next export begins, notes after a week.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.api.exporting.job_store import JobSeries, JobStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = JobStore(Path(folder), lambda: 1_800_000_000.0)
    ...     record = store.begin("Leads", "read", {"columns": ["City"]}, [JobSeries({})])
    ...     [each.id for each in store.records()], record.state(1_800_000_000.0)
    (['Leads-1'], 'waiting')
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder, self._clock = folder / "jobs", clock

    def begin(
        self,
        module: str,
        operation: str,
        question: Mapping[str, Any],
        series: list[JobSeries],
        **options: Any,
    ) -> JobRecord:
        """Note a new export."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        with locked(self.folder / "numbers.lock", wait_s=10.0):
            name = f"{module}-{self._next_number(module)}"
            now = self._clock()
            record = JobRecord(name, module, operation, now, dict(question), series, **options)
            self.save(record)
        self.folder_of(record).mkdir(mode=0o700, exist_ok=True)
        return record

    def save(self, record: JobRecord) -> None:
        """Write the note of an export, whole or not at all."""
        write_json(self._note(record.id), _to_note(record))

    def folder_of(self, record: JobRecord) -> Path:
        """Return the folder with the files of an export."""
        return self.folder / record.id

    def records(self) -> list[JobRecord]:
        """List the exports, the newest first; notes that cannot be read are left out."""
        records = [note for note in self._notes().values() if isinstance(note, JobRecord)]
        return sorted(records, key=lambda record: record.created, reverse=True)

    def rows(self) -> list[dict[str, Any]]:
        """Return the row of each export, and whether a kernel works on it; damaged notes too."""
        now = self._clock()
        return [
            {**note.row(now), "at_work": self.is_running(note)}
            if isinstance(note, JobRecord)
            else self._damaged_row(name, note, now)
            for name, note in self._notes().items()
        ]

    def find(self, name: str) -> JobRecord:
        """Find an export by our id, or by Zoho's id of one of its jobs."""
        notes = self._notes()
        note = notes.get(name)
        if isinstance(note, JobRecord):
            return note
        if note is not None:
            raise JobError(
                f"The note of job {name} is damaged and cannot be read: {note}",
                todo=f"Its jobs cannot be continued. Delete {self._note(name)} and export again.",
            )
        for record in self.records():
            if name in {job.id for job in record.jobs}:
                return record
        raise JobError(
            f"There is no note of a job {name!r} here.",
            todo="crm.jobs() lists those begun with this login, for a week.",
        )

    def matching(self, operation: str, question: Mapping[str, Any]) -> Iterator[JobRecord]:
        """Yield the exports with the same question, the newest first."""
        as_noted = orjson.loads(orjson.dumps(dict(question)))
        for record in self.records():
            if record.operation == operation and record.question == as_noted:
                yield record

    def is_running(self, record: JobRecord) -> bool:
        """Whether a notebook, or a thread of this one, works on it now."""
        return is_held(self._lock(record))

    def lock(self, record: JobRecord) -> AbstractContextManager[None]:
        """Work on an export alone while the block lasts."""
        busy = JobError(
            f"{record.id} is running in another notebook or thread.",
            todo="Wait for it to end or interrupt it; what it downloaded is used here.",
        )
        return held(self._lock(record), lambda: busy)

    def delete(self, record: JobRecord) -> None:
        """Delete the files of an export and the note of it, whole or half written."""
        shutil.rmtree(self.folder_of(record), ignore_errors=True)
        self._note(record.id).unlink(missing_ok=True)
        for half_written in self.folder.glob(f".{record.id}.json.*"):
            half_written.unlink(missing_ok=True)

    # ---- Notes -----------------------------------------------------------------------------------

    def _note(self, name: str) -> Path:
        """Return the path of a note."""
        return self.folder / f"{name}.json"

    def _lock(self, record: JobRecord) -> Path:
        """Return the path of the file that is locked while a kernel works on an export."""
        return self.folder / f"{record.id}.lock"

    def _notes(self) -> dict[str, JobRecord | str]:
        """Read every note; of one that cannot be read the reason."""
        notes: dict[str, JobRecord | str] = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                notes[path.stem] = _from_note(orjson.loads(path.read_bytes()), path.stem)
            except FileNotFoundError:  # deleted meanwhile
                continue
            except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
                # Cut off by a full disk, or written by a later version.
                notes[path.stem] = f"{type(error).__name__}: {error}"
        return notes

    def _damaged_row(self, name: str, problem: str, now: float) -> dict[str, Any]:
        """Return the row of a note that cannot be read: when it was written, and what is wrong."""
        try:
            written = self._note(name).stat().st_mtime
        except OSError:
            written = now
        module = name.rpartition("-")[0]
        return {
            "id": name,
            "module": module,
            "operation": "read",
            "asked": "?",
            "state": "damaged",
            "rows": 0,
            "parts": 0,
            "files": 0,
            "created": _iso(written),
            "age_minutes": int((now - written) // 60),
            "expires": None,
            "zoho_ids": [],
            "said": f"The note cannot be read: {problem}",
            "at_work": False,
        }

    def _next_number(self, module: str) -> int:
        """Count on from the exports of a module that are noted."""
        numbers = [path.stem.rpartition("-")[2] for path in self.folder.glob(f"{module}-*.json")]
        return max((int(each) for each in numbers if each.isdecimal()), default=0) + 1

    def _sweep(self) -> None:
        """Delete files of a day ago, and notes of a week ago, that no kernel works on."""
        for record in self.records():
            age_s = self._clock() - record.created
            if age_s < DAY_S or self.is_running(record):
                continue
            if age_s >= NOTED_S:
                self.delete(record)
                continue
            shutil.rmtree(self.folder_of(record), ignore_errors=True)
            for job in record.jobs:
                job.file = ""
            self.save(record)


# ---- The form on disk: its keys are older than the names above, so that old notes still open -----

_KEYS = {
    "requested": "asked",
    "id": "job",
    "has_more": "more",
    "next_token": "token",
    "completed": "done",
    "error": "said",
}
_ENDED = frozenset({"FAILURE", "FAILED", "SKIPPED"})  # of notes that do not say "failed"


def _to_note(record: JobRecord) -> dict[str, Any]:
    """Write an export as JSON takes it."""
    note = asdict(record)
    series = note.pop("series")
    chains = [{"query": s["query"], "links": [_renamed(job) for job in s["jobs"]]} for s in series]
    return {**note, "chains": chains}


def _renamed(job: dict[str, Any]) -> dict[str, Any]:
    """Give the facts of a job their names on disk."""
    return {_KEYS.get(name, name): value for name, value in job.items()}


def _from_note(note: Any, name: str) -> JobRecord:
    """Read an export; ``ValueError`` or ``KeyError`` where the note is not one."""
    record = JobRecord(
        id=_checked(note["id"], str),
        module=_checked(note["module"], str),
        operation=_checked(note["operation"], str),
        created=_checked(note["created"], int, float),
        question=_checked(note["question"], dict),
        series=[
            JobSeries(_checked(each["query"], dict), [_job_of(job) for job in each["links"]])
            for each in note["chains"]
        ],
        batches=_checked(note.get("batches", 1), int),
        dropped=list(map(str, note.get("dropped") or ())),
        unjoined=list(map(str, note.get("unjoined") or ())),
    )
    if record.batches < 1 or len(record.series) % record.batches:
        raise ValueError(f"{len(record.series)} series in {record.batches} batches")
    if record.id != name or not 0 <= record.created < 1e11:
        raise ValueError(f"id {record.id!r:.40}, created {record.created}")
    return record


def _job_of(note: Any) -> ZohoJob:
    """Read one job."""
    state = _checked(note.get("state", ""), str)
    completed, rows = note.get("done"), note.get("rows", 0)
    return ZohoJob(
        requested=_checked(note["asked"], int, float),
        id=_checked(note.get("job", ""), str),
        state=state,
        rows=None if rows is None else _checked(rows, int),
        has_more=bool(note.get("more")),
        next_token=_checked(note.get("token", ""), str),
        url=_checked(note.get("url", ""), str),
        completed=None if completed is None else _checked(completed, int, float),
        file=_checked(note.get("file", ""), str),
        error=_checked(note.get("said", ""), str),
        failed=bool(note.get("failed", state in _ENDED)),
    )


def _checked(value: Any, *types: type) -> Any:
    """Return a value of one of these types."""
    if not isinstance(value, types) or isinstance(value, bool):
        raise ValueError(f"{value!r:.40} is not of type {types[0].__name__}")  # noqa: TRY004
    return value
