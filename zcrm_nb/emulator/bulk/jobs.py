"""Bulk jobs: kept in the store, worked on by the org's clock, their files beside the store's own.

A job is worked on when it is looked at and its time has come; one with a callback has a thread that
looks at it, so that the callback needs no request. Jobs that write are looked at before every
call, so that each call reads what they wrote.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.parameters import is_id
from zcrm_nb.emulator.watching.callbacks import Delivery
from zcrm_nb.emulator.watching.channels import WatchOrg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


__all__ = ["Job", "Jobs", "Kind"]

MINUTE_S = 60
LOOK_S = 0.05
_COLUMNS = "id, kind, user, created, body, facts"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One job: its user, request, time and result.

    ``body`` is the request, ``facts`` the result: empty until it is finished.
    """

    id: int
    kind: str
    user: int
    created: int
    body: dict[str, Any]
    facts: dict[str, Any]

    @property
    def finished(self) -> bool:
        """Whether it was worked on."""
        return bool(self.facts)


class Kind(NamedTuple):
    """What jobs of one kind do, and how one is described.

    ``work`` gives the facts of the result; ``writes`` is True where it changes records.
    """

    work: Callable[[BulkOrg, Job], dict[str, Any]]
    described: Callable[[BulkOrg, Job], dict[str, Any]]
    writes: bool = False


class BulkOrg(WatchOrg):
    """An org with its bulk jobs."""

    jobs: Jobs


class Jobs:
    """The bulk jobs of an org.

    Their files are in ``folder``.
    """

    def __init__(self, org: BulkOrg, kinds: Mapping[str, Kind]) -> None:
        self._org, self._kinds = org, kinds
        self._lock = threading.RLock()
        self._busy: dict[int, threading.Lock] = {}
        self._to_fail: list[str] = []
        self._downloads: deque[int] = deque()
        self._closed = threading.Event()
        self.folder = Path(f"{org.store.path}.bulk")
        self._open = self._read("facts = '{}'")
        for job in self._open:
            self._promise_callback(job)

    def add(self, kind: str, user: int, body: dict[str, Any]) -> Job:
        """Add a job."""
        store = self._org.store
        with store.transaction():
            job = Job(store.new_id(), kind, user, self._org.clock.now(), body, {})
            self._keep(job)
        with self._lock:
            self._open.append(job)
        self._promise_callback(job)
        return job

    def find(self, kind: str, job_id: str, user: int) -> Job | None:
        """Find a job of a user; None for those of others."""
        number = int(job_id) if is_id(job_id) else 0
        jobs = self._read("id = ? AND kind = ? AND user = ?", number, kind, user)
        return jobs[0] if jobs else None

    def by_token(self, token: str, user: int) -> Job | None:
        """Find the job whose result named a page token."""
        jobs = self._read("user = ? AND json_extract(facts, '$.next_page_token') = ?", user, token)
        return jobs[0] if jobs else None

    def state(self, job: Job) -> str:
        """Give the state of a job, by the clock; the caller puts it into Zoho's words."""
        bulk, age = self._org.settings.bulk, self._org.clock.now() - job.created
        if age < bulk.added_s:
            return "ADDED"
        if age < bulk.added_s + bulk.queued_s:
            return "QUEUED"
        return "DONE" if age >= bulk.added_s + bulk.queued_s + bulk.runs_s else "IN PROGRESS"

    def settle(self) -> None:
        """Run the jobs that write and are due."""
        for job in list(self._open):
            if self._kinds[job.kind].writes:
                self._settled(job, blocking=False)

    def settled(self, job: Job) -> Job:
        """Give a job as it stands now: worked on once, when its time has come."""
        return self._settled(job, blocking=True)

    def _settled(self, job: Job, *, blocking: bool) -> Job:
        """Work on a job that is due, unless another thread does and the caller need not wait."""
        if job.finished or self.state(job) != "DONE":
            return job
        with self._lock:
            busy = self._busy.setdefault(job.id, threading.Lock())
        if not busy.acquire(blocking):
            return job
        try:
            (current,) = self._read("id = ?", job.id)
            return current if current.finished else self._finished(current)
        finally:
            busy.release()

    def _finished(self, job: Job) -> Job:
        """Work on a job and store its result."""
        with self._lock:
            failed = {"failed": self._to_fail.pop(0)} if self._to_fail else None
        facts = failed or self._kinds[job.kind].work(self._org, job)
        done = replace(job, facts={**facts, "completed": self._org.clock.now()})
        self._keep(done)
        with self._lock:
            self._open = [each for each in self._open if each.id != job.id]
        return done

    def file(self, job: Job) -> Path:
        """Name the file of a job."""
        self.folder.mkdir(exist_ok=True)
        return self.folder / f"{job.id}.zip"

    def fail_next(self, message: str = "Unable to process the job", times: int = 1) -> None:
        """Let the next jobs fail."""
        self._to_fail += [message] * times

    def expire_files(self) -> None:
        """Remove the files of all jobs, as after their day is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def count_download(self) -> None:
        """Refuse the eleventh download of a minute, and all others until that minute is over."""
        with self._lock:
            now, most = self._org.clock.now(), self._org.settings.bulk.downloads_a_minute
            if self._downloads and now - self._downloads[0] >= MINUTE_S:
                self._downloads.clear()
            if len(self._downloads) >= most:
                raise Refusal(429, self._org.settings.rate_code, self._org.settings.rate_message)
            self._downloads.append(now)

    def close(self) -> None:
        """Drop the waiting callbacks."""
        self._closed.set()

    def _promise_callback(self, job: Job) -> None:
        """Send the callback of a job once it is over, if it has one."""
        if job.body.get("callback"):
            threading.Thread(
                target=self._call_back, args=(job,), name="zoho-bulk-callback", daemon=True
            ).start()

    def _call_back(self, job: Job) -> None:
        """Wait until a job is over, then send its callback."""
        try:
            while not (job := self.settled(job)).finished:
                if self._closed.wait(LOOK_S):
                    return
            self._org.courier.send(self._callback(job))
        except Exception:  # in a thread: logged, and the org goes on
            if not self._closed.is_set():
                _log.exception("The callback of job %s failed", job.id)

    def _callback(self, job: Job) -> Delivery:
        """Write a callback; its body is that of a request for the job."""
        return Delivery(
            channel_id="",
            module="",
            operation=job.kind,
            ids=(str(job.id),),
            server_time=self._org.clock.now() * 1000,
            url=job.body["callback"]["url"],
            body=orjson.dumps(self._kinds[job.kind].described(self._org, job)),
            lane=("bulk", job.id),
        )

    def _read(self, where: str, *values: object) -> list[Job]:
        sql = f"SELECT {_COLUMNS} FROM bulk_jobs WHERE {where} ORDER BY id"
        return [
            Job(number, kind, user, created, orjson.loads(body), orjson.loads(facts))
            for number, kind, user, created, body, facts in self._org.store.read(sql, values)
        ]

    def _keep(self, job: Job) -> None:
        self._org.store.execute(
            "INSERT OR REPLACE INTO bulk_jobs VALUES (?, ?, ?, ?, ?, ?)",
            (
                job.id,
                job.kind,
                job.user,
                job.created,
                orjson.dumps(job.body).decode(),
                orjson.dumps(job.facts).decode(),
            ),
        )
