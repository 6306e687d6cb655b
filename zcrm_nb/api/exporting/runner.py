"""Running an export: jobs are requested and watched, their files downloaded and handed on.

The caller's thread requests and waits, so an interrupt reaches it at once. Other threads download
files and process them while Zoho is already working on the next job. The export is written down
before each step and after it, so it may end anywhere and be continued.
"""

from __future__ import annotations

import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.job_store import COMPLETED, ZohoJob
from zcrm_nb.api.polling import poll_s
from zcrm_nb.errors import (
    APIError,
    ConnectionFailed,
    JobError,
    NotFoundError,
    ServerError,
    ZohoError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from zcrm_nb.api.exporting.job_store import JobRecord, JobSeries, JobStore
    from zcrm_nb.wire.gate import Gate

    OnPart = Callable[["Part"], None]
    HasPart = Callable[[int, int], bool]

__all__ = ["Part", "Runner"]

AT_A_TIME = 2  # files downloaded and processed side by side; more cost memory and bring little
_LOOP_S = 0.05  # between looks at files that are being downloaded
_LONGEST_S = 30.0  # between looks at a job, as polling has it
UNKNOWN_LOOKS = 5  # at a job in a state that Zoho does not document, before giving up
MOST_LOOKS = 480  # at one job in one call: four hours


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export, downloaded whole."""

    series: int  # the number of its series of jobs, from 0
    number: int  # its number in that series, from 0
    path: Path  # the ZIP file
    job: ZohoJob  # the job that made it


class _ExportStoppedError(Exception):
    """The export ended while this file was being downloaded."""


@dataclass(slots=True)
class _Lane:
    """A series being run: when to look again, and which files were handed on."""

    number: int
    series: JobSeries
    looks: int = 0
    unknown_looks: int = 0
    due: float = 0.0
    fetched: set[int] = field(default_factory=set)

    @property
    def job(self) -> ZohoJob:
        """The latest job."""
        return self.series.jobs[-1]


class Runner:
    """Brings an export to its end."""

    def __init__(
        self,
        gate: Gate,
        store: JobStore,
        record: JobRecord,
        *,
        say: Callable[[str], None] | None = None,
        on_refused: Callable[[list[str]], None] | None = None,
        retry_call: str = "",
    ) -> None:
        self._gate, self._store, self._record = gate, store, record
        self._say = say or (lambda text: None)
        self._on_refused = on_refused
        self._fetch_remotely: OnPart | None = None
        self._lanes = [_Lane(number, series) for number, series in enumerate(record.series)]
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._retry_call = retry_call or f"crm.job({record.id!r}).df(ask_again=True)"

    def start(self, *, ask_again: bool = False, has_part: HasPart | None = None) -> None:
        """Request the first job of each batch of fields: it shows which fields Zoho refuses.

        Raises at once where an export cannot come to its end.
        """
        if ask_again:
            self._forget_unclear()
        self._check_possible(has_part)
        for lane in self._lanes[:: len(self._lanes) // self._record.batches]:
            if not lane.series.jobs:
                self._request(lane, dict(lane.series.query))

    def run(
        self,
        on_part: OnPart,
        *,
        has_part: HasPart | None = None,
        fetch_remotely: OnPart | None = None,
        at_a_time: int = AT_A_TIME,
    ) -> None:
        """Go on until every part was handed on; after :meth:`start`.

        Notes
        -----
        The caller holds :meth:`JobStore.lock`. Credits: 50 for each job, 1 for each look at it and
        for each file.
        """
        self._fetch_remotely = fetch_remotely
        for series, number, _ in self._record.numbered_jobs():
            if has_part and has_part(series, number):
                self._lanes[series].fetched.add(number)
        pool = ThreadPoolExecutor(at_a_time, thread_name_prefix="zcrm-bulk")
        wait_for_files = False
        try:
            self._until_complete(pool, on_part)
            wait_for_files = True
        except Exception:  # whatever it was, it is raised once no thread is at work any more
            wait_for_files = True
            raise
        finally:
            # After an interrupt nothing waits for a slow connection; the downloads end themselves.
            self._stop.set()
            pool.shutdown(wait=wait_for_files, cancel_futures=True)

    def _until_complete(self, pool: ThreadPoolExecutor, on_part: OnPart) -> None:
        """Take steps until Zoho has done everything, and every file was handed on."""
        pending: list[Future[None]] = []
        while True:
            for lane in self._lanes:
                pending += self._step(lane, pool, on_part)
            _raise_first(pending)
            if all(lane.series.is_complete for lane in self._lanes):
                break
            self._sleep()
        for future in pending:
            future.result()

    # ---- One step of one series ------------------------------------------------------------------

    def _step(self, lane: _Lane, pool: ThreadPoolExecutor, on_part: OnPart) -> list[Future[None]]:
        """Request or look at what is due, and submit the files that can be downloaded."""
        if not lane.series.jobs:
            self._request(lane, dict(lane.series.query))
        elif lane.job.state != COMPLETED and self._left_s(lane) <= 0:
            self._look(lane)
        if lane.job.state == COMPLETED and lane.job.has_more:
            self._request(lane, bulk_read.following(self._next_token(lane.job)))
        jobs = enumerate(lane.series.jobs)
        ready = [n for n, job in jobs if job.state == COMPLETED and n not in lane.fetched]
        lane.fetched.update(ready)
        return [pool.submit(self._bring, lane, number, on_part) for number in ready]

    def _request(self, lane: _Lane, query: dict[str, Any]) -> None:
        """Request a job: written down before, and after with its id."""
        job = ZohoJob(self._gate.clock())
        lane.series.jobs.append(job)
        self._save()
        try:
            job.id = bulk_read.create(self._gate.send, query)
        except ZohoError as error:
            if not _is_unclear(error):
                lane.series.jobs.remove(job)
                self._save()
            if not isinstance(error, APIError):
                raise
            self._request_without(lane, query, error)
            return
        job.state = "ADDED"
        self._save()
        lane.looks, lane.unknown_looks = 0, 0
        lane.due = self._gate.clock() + poll_s(0)
        self._say_state(lane)

    def _request_without(self, lane: _Lane, query: dict[str, Any], refused: APIError) -> None:
        """Request it again without the fields that Zoho does not export, or give up."""
        if _is_unclear(refused):
            raise refused
        if refused.code == "EXPIRED_VALUE" and "page_token" in query:
            raise self._expired() from refused
        dropped = bulk_read.refused_fields(refused, query.get("fields", ()))
        kept = [each for each in query.get("fields", ()) if each not in dropped]
        if not dropped or not kept or self._on_refused is None:
            raise refused
        self._on_refused(dropped)
        has_joins = refused.code == bulk_read.TOO_MANY_JOINS
        noted = self._record.unjoined if has_joins else self._record.dropped
        noted += [each for each in dropped if each not in noted]
        for other in self._lanes:
            fields = other.series.query.get("fields", ())
            if fields:
                other.series.query["fields"] = [name for name in fields if name not in dropped]
        self._save()
        self._request(lane, {**query, "fields": kept})

    def _look(self, lane: _Lane) -> None:
        """Ask how far a job is, and write the answer down."""
        job, status = lane.job, bulk_read.status(self._gate.send, lane.job.id)
        job.state, job.rows, job.has_more = status.state, status.rows, status.has_more
        job.next_token, job.url, job.error = status.next_token, status.url, status.error
        job.failed = status.has_failed
        if job.state == COMPLETED:
            job.completed = self._gate.clock()
        self._save()
        if job.failed:
            raise self._failed(job)
        lane.looks += 1
        lane.unknown_looks = 0 if status.is_known else lane.unknown_looks + 1
        self._check_patience(lane)
        lane.due = self._gate.clock() + poll_s(lane.looks)
        self._say_state(lane)

    def _check_patience(self, lane: _Lane) -> None:
        """Stop waiting for a job that may never end; a later call looks again."""
        again = f"Run it again to look once more: crm.job({self._record.id!r}).df()."
        if lane.unknown_looks >= UNKNOWN_LOOKS:
            state = f"the state {lane.job.state!r}, which Zoho does not document"
            raise JobError(
                f"The bulk job {lane.job.id} of {self._record.id} has "
                f"{state if lane.job.state else 'no state in Zoho’s replies'}.",
                todo=f"{again} fresh=True starts over (50 credits).",
            )
        if lane.job.state != COMPLETED and lane.looks >= MOST_LOOKS:
            raise JobError(
                f"The bulk job {lane.job.id} of {self._record.id} did not finish in four hours.",
                f"Zoho's last word was {lane.job.state}.",
                again,
            )

    def _next_token(self, job: ZohoJob) -> str:
        """Return what requests the next job; without it the rest of the records is out of reach."""
        if not job.next_token:
            raise JobError(
                f"Zoho says that more records follow the bulk job {job.id}, but gave no page token "
                "to request them with.",
                todo=f"The export {self._record.id} would be incomplete. Export again with "
                "fresh=True, or in smaller pieces with where=.",
            )
        return job.next_token

    # ---- Files -----------------------------------------------------------------------------------

    def _bring(self, lane: _Lane, number: int, on_part: OnPart) -> None:
        """Download a file, unless it is here, and hand it on; once more if it is damaged."""
        job = lane.series.jobs[number]
        folder = self._store.folder_of(self._record)
        part = Part(lane.number, number, folder / f"part-{lane.number}-{number:03d}.zip", job)
        is_here = bool(job.file) and part.path.exists()
        if not is_here and self._fetch_remotely is not None and job.rows:
            self._fetch_remotely(part)
            return
        if not is_here:
            self._download(part)
        try:
            on_part(part)
        except JobError:
            part.path.unlink(missing_ok=True)
            self._download(part)
            on_part(part)

    def _download(self, part: Part) -> None:
        """Download a file; it is written down once it is whole."""
        job, path = part.job, part.path
        path.parent.mkdir(mode=0o700, exist_ok=True)
        address = bulk_read.result_path(job)
        with self._gate.trace() as calls:
            try:
                self._gate.download(address, path, tick=self._check_stopped)
            except NotFoundError as unknown:
                raise bulk_read.result_gone(job.id, unknown) from unknown
            except ConnectionFailed as failed:
                if not any(call.path == address and call.status == 204 for call in calls):
                    raise
                if job.rows != 0:
                    raise self._no_file(job) from failed
        if job.rows == 0 and _is_empty(path):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{job.id}.csv", "")
        self._save(job, path.name)

    def _no_file(self, job: ZohoJob) -> JobError:
        """Make the error for a completed job whose result is no content."""
        records = "records" if job.rows is None else f"{job.rows:,} records"
        return JobError(
            f"The bulk job {job.id} is complete, but Zoho returned no file with its {records}.",
            "Zoho's reply was HTTP 204 (no content).",
            f"Run crm.job({self._record.id!r}).df() in a minute to fetch it again.",
        )

    def _check_stopped(self, size: int) -> None:
        """End a download when the export has ended."""
        del size
        if self._stop.is_set():
            raise _ExportStoppedError

    # ---- What cannot go on -----------------------------------------------------------------------

    def _forget_unclear(self) -> None:
        """Drop the jobs whose id was never read, so that they are requested again."""
        for series in self._record.series:
            series.jobs = [job for job in series.jobs if job.id]
        self._save()

    def _check_possible(self, has_part: HasPart | None) -> None:
        """Refuse an export that cannot come to its end."""
        state = self._record.state(self._gate.clock(), has_part=has_part)
        if state == "unclear":
            raise self._unclear()
        if state == "expired":
            raise self._expired()
        for job in self._record.jobs:
            if job.failed:
                raise self._failed(job)

    def _unclear(self) -> JobError:
        """Make the error for a job that may or may not be running."""
        requested = min(job.requested for job in self._record.jobs if not job.id)
        minutes = (self._gate.clock() - requested) / 60
        return JobError(
            f"It is unknown whether Zoho accepted a job of {self._record.id}: it was requested "
            f"{minutes:.0f} min ago, and no reply was read.",
            todo="Zoho has no list of jobs to look it up in. "
            f"{self._retry_call} requests it again and keeps the files that are here: "
            f"{bulk_read.CREDITS} credits, possibly for the second time.",
        )

    def _expired(self) -> JobError:
        """Make the error for parts that Zoho no longer has."""
        files = sum(bool(job.file) for job in self._record.jobs)
        return JobError(
            f"{self._record.id} was not finished within a day; {files} of its files are here.",
            "Zoho keeps a result, and the token for what follows it, for one day.",
            "Export again with fresh=True.",
        )

    def _failed(self, job: ZohoJob) -> JobError:
        """Make the error for a job that Zoho gave up on."""
        return JobError(
            f"Zoho could not finish the bulk job {job.id} of {self._record.id}.",
            f"Zoho said {': '.join(filter(None, dict.fromkeys((job.state, job.error))))}",
            "Export again with fresh=True; if it fails again, export less at a time.",
        )

    # ---- Waiting ---------------------------------------------------------------------------------

    def _left_s(self, lane: _Lane) -> float:
        """Seconds until the next look; a clock that was set back does not make it longer."""
        left = lane.due - self._gate.clock()
        return left if left <= _LONGEST_S else 0.0

    def _sleep(self) -> None:
        """Wait until the next series is due."""
        left_s = min(self._left_s(lane) for lane in self._lanes if not lane.series.is_complete)
        self._gate.sleep(max(_LOOP_S, left_s))

    def _save(self, job: ZohoJob | None = None, file: str = "") -> None:
        """Write the export down, with a file that has come; not after the end, when others may."""
        with self._lock:
            if self._stop.is_set():
                raise _ExportStoppedError
            if job is not None:
                job.file = file
            self._store.save(self._record)

    def _say_state(self, lane: _Lane) -> None:
        """Say what Zoho is doing."""
        many = len(self._lanes) > 1
        part = f"part {len(lane.series.jobs)}" + (f" of range {lane.number + 1}" if many else "")
        self._say(f"{part}: {lane.job.state.lower() or 'no state yet'}")


def _is_empty(path: Path) -> bool:
    """Whether nothing was downloaded, or a ZIP without a file in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return not archive.namelist()
    except FileNotFoundError:
        return True
    except zipfile.BadZipFile:
        return False


def _raise_first(pending: list[Future[None]]) -> None:
    """Raise what went wrong in another thread as soon as it is known."""
    for future in pending:
        if future.done():
            future.result()


def _is_unclear(error: ZohoError) -> bool:
    """Whether Zoho may have accepted a job although its reply did not say so."""
    if isinstance(error, ConnectionFailed):
        return error.sent
    return isinstance(error, ServerError | JobError)
