"""Bulk jobs that outlive the kernel: what was asked, how far each has come, which files are here.

Zoho keeps no list of jobs, and each costs 50 credits: whoever forgets an id has paid for nothing.
So every step is written down before it is taken and after, a file for each export, and a kernel
that died between any two of them can be gone on from. One gap remains: a job that was asked for and
whose id was never read. It is noted as such, for nobody can find out whether Zoho took it.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.exporting.describe import in_words
from zcrm_nb.errors import JobError
from zcrm_nb.frames import Column
from zcrm_nb.state.files import GLANCE_S, is_held, locked, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["DAY_S", "JOB_COLUMNS", "JobRecord", "JobSeries", "JobStore", "Link"]

DAY_S = 24 * 60 * 60.0  # Zoho keeps a result so long, and so does the folder
NOTED_S = 7 * DAY_S  # then even the note of it goes
COMPLETED, FAILED = "COMPLETED", frozenset({"FAILURE", "FAILED", "SKIPPED"})

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
class Link:
    """One job of Zoho's, and the part of an export that it makes.

    Parameters
    ----------
    asked : float
        When it was asked for, in seconds since 1970; written down before it is sent.
    job : str, default ""
        Zoho's id; empty as long as nobody has read it.
    state : str, default ""
        Zoho's word, as last heard.
    rows : int, default 0
        Records in its file, as Zoho says.
    more : bool, default False
        Whether more follow.
    token : str, default ""
        What the next job is asked with.
    url : str, default ""
        Path of the result.
    done : float, optional
        When it was heard to be complete.
    file : str, default ""
        Name of its file, once that is whole and here.
    said : str, default ""
        Why it failed, in Zoho's words.
    """

    asked: float
    job: str = ""
    state: str = ""
    rows: int = 0
    more: bool = False
    token: str = ""
    url: str = ""
    done: float | None = None
    file: str = ""
    said: str = ""


@dataclass(slots=True)
class JobSeries:
    """Jobs that follow each other, each asked for with the token of the one before.

    Parameters
    ----------
    query : dict
        What the first of them asks.
    links : list of Link
        Those asked for so far.
    """

    query: dict[str, Any]
    links: list[Link] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether Zoho has done all of it."""
        return bool(self.links) and self.links[-1].state == COMPLETED and not self.links[-1].more


@dataclass(slots=True)
class JobRecord:
    """One question and the jobs that answer it, as written down.

    Parameters
    ----------
    id : str
        Ours, such as ``"Leads-1"``.
    module : str
        API name of the module.
    operation : str
        ``"read"``, or ``"write"``.
    created : float
        Seconds since 1970.
    question : dict
        What was asked; two exports with the same are the same.
    chains : list of JobSeries
        Side by side: ranges of records, and batches of more than 200 fields.
    batches : int, default 1
        How many batches of fields; chains come batch by batch.
    names : dict, default {}
        For each lookup the field that names it.
    dropped : list of str, default []
        Fields that Zoho turned out not to export.
    unjoined : list of str, default []
        Fields behind more lookups than one job follows.
    """

    id: str
    module: str
    operation: str
    created: float
    question: dict[str, Any]
    chains: list[JobSeries]
    batches: int = 1
    names: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    unjoined: list[str] = field(default_factory=list)

    @property
    def links(self) -> list[Link]:
        """All jobs, in the order of their records."""
        return [link for chain in self.chains for link in chain.links]

    @property
    def rows(self) -> int:
        """Records so far; a record whose fields come in batches counts once."""
        first = self.chains[: len(self.chains) // self.batches]
        return sum(link.rows for chain in first for link in chain.links)

    @property
    def is_complete(self) -> bool:
        """Whether Zoho has done all of it."""
        return all(chain.is_complete for chain in self.chains)

    def places(self) -> Iterator[tuple[int, int, Link]]:
        """Yield each job with the place of its part: the number of its chain, and its own in it."""
        for number, chain in enumerate(self.chains):
            for place, link in enumerate(chain.links):
                yield number, place, link

    def state(self, now: float, *, has: Callable[[int, int], bool] | None = None) -> str:
        """Say in a word how far it has come, as far as is noted."""
        links = self.links
        if any(link.state in FAILED for link in links):
            return "failed"
        if any(not link.job for link in links):
            return "unclear"
        missing: list[float | None] = [
            link.done
            for chain, number, link in self.places()
            if link.done and not link.file and not (has and has(chain, number))
        ]
        if not self.is_complete:
            missing += [chain.links[-1].done for chain in self.chains if _waits_for_token(chain)]
        if any(done is not None and now - done >= DAY_S for done in missing):
            return "expired"
        if not self.is_complete:
            return "waiting"
        return "ready" if missing else "here"

    def row(self, now: float) -> dict[str, Any]:
        """Give the line of ``crm.jobs()``."""
        done = [link.done for link in self.links if link.done]
        return {
            "id": self.id,
            "module": self.module,
            "operation": self.operation,
            "asked": in_words(self.question),
            "state": self.state(now),
            "rows": self.rows,
            "parts": len(self.links),
            "files": sum(bool(link.file) for link in self.links),
            "created": _moment(self.created),
            "age_minutes": int((now - self.created) // 60),
            "expires": _moment(min(done) + DAY_S) if done else None,
            "zoho_ids": [link.job for link in self.links if link.job],
            "said": next((link.said for link in self.links if link.state in FAILED), ""),
        }


def _waits_for_token(chain: JobSeries) -> bool:
    """Whether the next job has to be asked for with a token, which ends as the result does."""
    return bool(chain.links) and chain.links[-1].more


def _moment(seconds: float) -> str:
    """Write a moment as a JSON answer would."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class JobStore:
    """The exports that are noted in one folder.

    Parameters
    ----------
    folder : Path
        Where notes about the org are kept.
    clock : callable
        Seconds since 1970.

    Notes
    -----
    ``<folder>/jobs/Leads-1.json`` is the note, ``Leads-1/`` has the files, ``Leads-1.lock`` is held
    by whoever works on it. Files hold records of the CRM: folders are their owner's alone. What is
    older than a day goes when the next export begins, the note of it after a week.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.api.exporting.job_store import JobStore, JobSeries
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book = JobStore(Path(folder), lambda: 1_800_000_000.0)
    ...     export = book.begin("Leads", "read", {"columns": ["City"]}, [JobSeries({})])
    ...     [each.id for each in book.all()], export.state(1_800_000_000.0)
    (['Leads-1'], 'waiting')
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder, self._clock = folder / "jobs", clock

    def begin(
        self,
        module: str,
        operation: str,
        question: Mapping[str, Any],
        chains: list[JobSeries],
        **more: Any,
    ) -> JobRecord:
        """Note a new export."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        with locked(self.folder / "numbers.lock", wait_s=10.0):
            name = f"{module}-{self._next_number(module)}"
            export = JobRecord(
                name, module, operation, self._clock(), dict(question), chains, **more
            )
            self.write(export)
        self.files(export).mkdir(mode=0o700, exist_ok=True)
        return export

    def write(self, export: JobRecord) -> None:
        """Write an export down, whole or not at all."""
        write_whole(self.folder / f"{export.id}.json", orjson.dumps(asdict(export)))

    def files(self, export: JobRecord) -> Path:
        """Tell where the files of an export are."""
        return self.folder / export.id

    def all(self) -> list[JobRecord]:
        """List the exports, the newest first."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            # Gone meanwhile, or written by another version: somebody else's to understand.
            with suppress(OSError, ValueError, TypeError, LookupError):
                found.append(_read(path))
        return sorted(found, key=lambda export: export.created, reverse=True)

    def rows(self) -> list[dict[str, Any]]:
        """Give the line of each export, as :meth:`Export.row`, with ``at_work``: whether it is."""
        now = self._clock()
        return [{**export.row(now), "at_work": self.is_worked_on(export)} for export in self.all()]

    def find(self, name: str) -> JobRecord:
        """Find an export."""
        for export in self.all():
            if export.id == name or name in {link.job for link in export.links}:
                return export
        raise JobError(
            f"There is no note of a job {name!r} here.",
            todo="crm.jobs() lists those begun with this login, for a week.",
        )

    def like(self, operation: str, question: Mapping[str, Any]) -> Iterator[JobRecord]:
        """Yield the exports that asked the same, the newest first."""
        asked = orjson.loads(orjson.dumps(dict(question)))
        for export in self.all():
            if export.operation == operation and export.question == asked:
                yield export

    def is_worked_on(self, export: JobRecord) -> bool:
        """Tell whether another notebook, or another thread, is at it."""
        return is_held(self._lock(export))

    @contextmanager
    def taken(self, export: JobRecord) -> Iterator[None]:
        """Work on an export alone while the block lasts."""
        with ExitStack() as stack:
            try:
                # For a moment it may be held by somebody who only looks whether it is.
                stack.enter_context(locked(self._lock(export), wait_s=GLANCE_S))
            except TimeoutError as held:
                raise JobError(
                    f"Another notebook, or another thread of this one, is at work on {export.id}.",
                    todo="Let it end, or interrupt it there; what it has fetched is used here.",
                ) from held
            yield

    def forget(self, export: JobRecord) -> None:
        """Delete the files of an export and the note of it, whole or half written."""
        shutil.rmtree(self.files(export), ignore_errors=True)
        (self.folder / f"{export.id}.json").unlink(missing_ok=True)
        for half_written in self.folder.glob(f".{export.id}.json.*"):
            half_written.unlink(missing_ok=True)

    def _lock(self, export: JobRecord) -> Path:
        """Tell what whoever is at work on an export holds."""
        return self.folder / f"{export.id}.lock"

    def _next_number(self, module: str) -> int:
        """Count on behind the exports of a module that are noted."""
        numbers = [path.stem.rpartition("-")[2] for path in self.folder.glob(f"{module}-*.json")]
        return max((int(each) for each in numbers if each.isdecimal()), default=0) + 1

    def _sweep(self) -> None:
        """Delete files of a day ago, and notes of a week ago, that nobody is at work on."""
        for export in self.all():
            age_s = self._clock() - export.created
            if age_s < DAY_S or self.is_worked_on(export):
                continue
            if age_s >= NOTED_S:
                self.forget(export)
                continue
            shutil.rmtree(self.files(export), ignore_errors=True)
            for link in export.links:
                link.file = ""
            self.write(export)


def _read(path: Path) -> JobRecord:
    """Read a note."""
    said = orjson.loads(path.read_bytes())
    chains = [JobSeries(c["query"], [Link(**link) for link in c["links"]]) for c in said["chains"]]
    return JobRecord(**{**said, "chains": chains})
