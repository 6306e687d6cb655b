"""Bulk jobs: kept in the store, worked on by the org's clock, their files beside the store's own.

A job is worked on when it is looked at and its time has come; one with a callback has a thread that
looks at it, so that the callback needs nobody who asks.
"""

from __future__ import annotations

import http.client
import logging
import shutil
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from zcrm_nb.emulator.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.emulator import Emulator

__all__ = ["Job", "Jobs"]

MINUTE_S = 60
LOOK_S = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One job: who asked, what for, since when; and what came of it.

    ``body`` is what was asked, ``facts`` what is known of the result: empty until it is finished.
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


class Jobs:
    """The bulk jobs of an org.

    Parameters
    ----------
    org : Emulator
        The org.

    Attributes
    ----------
    folder : Path
        Where their files are.
    """

    def __init__(self, org: Emulator) -> None:
        self._org = org
        self._lock = threading.RLock()
        self._to_fail: list[str] = []
        self._downloads: deque[int] = deque()
        self._closed = threading.Event()
        self.folder = Path(f"{org.store.path}.bulk")

    def add(self, kind: str, user: int, body: dict[str, Any]) -> Job:
        """Take a job on."""
        store = self._org.store
        with store.transaction():
            job = Job(store.new_id(), kind, user, self._org.clock.now(), body, {})
            self._keep(job)
        return job

    def find(self, kind: str, job_id: str, user: int) -> Job | None:
        """Find a job of a user; those of others are not there."""
        rows = self._org.store.read(
            "SELECT id, kind, user, created, body, facts FROM bulk_jobs "
            "WHERE id = ? AND kind = ? AND user = ?",
            (int(job_id) if job_id.isdecimal() and len(job_id) < 20 else 0, kind, user),
        )
        return _job(rows[0]) if rows else None

    def by_token(self, token: str, user: int) -> Job | None:
        """Find the job whose result named a page token."""
        rows = self._org.store.read(
            "SELECT id, kind, user, created, body, facts FROM bulk_jobs "
            "WHERE user = ? AND json_extract(facts, '$.next_page_token') = ?",
            (user, token),
        )
        return _job(rows[0]) if rows else None

    def state(self, job: Job) -> str:
        """Tell how far a job is, by the clock; it is for the caller to call the words as Zoho."""
        bulk, age = self._org.settings.bulk, self._org.clock.now() - job.created
        if age < bulk.added_s:
            return "ADDED"
        if age < bulk.added_s + bulk.queued_s:
            return "QUEUED"
        return "DONE" if age >= bulk.added_s + bulk.queued_s + bulk.runs_s else "IN PROGRESS"

    def settled(self, job: Job, work: Callable[[Emulator, Job], dict[str, Any]]) -> Job:
        """Give a job as it stands now: worked on once, when its time has come."""
        if job.finished or self.state(job) != "DONE":
            return job
        with self._lock:
            known = self.find(job.kind, str(job.id), job.user)
            assert known is not None
            if known.finished:
                return known
            facts = self._failure() or work(self._org, known)
            done = replace(known, facts={**facts, "completed": self._org.clock.now()})
            self._keep(done)
            return done

    def file(self, job: Job) -> Path:
        """Name the file of a job."""
        self.folder.mkdir(exist_ok=True)
        return self.folder / f"{job.id}.zip"

    def fail_next(self, message: str = "Unable to process the job", times: int = 1) -> None:
        """Let the next jobs fail.

        Parameters
        ----------
        message : str
            What Zoho says.
        times : int, default 1
            How many jobs.
        """
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

    def call_back(self, job: Job, url: str, settle: Callable[[], bytes | None]) -> None:
        """Post what ``settle`` gives, once it gives something, from a thread of its own."""

        def wait_and_post() -> None:
            try:
                while (said := settle()) is None:
                    if self._closed.wait(LOOK_S):
                        return
                _post(url, said)
            except OSError as error:  # nobody listens there: Zoho would not care either
                _log.debug("The callback of job %s was lost: %s", job.id, error)
            except Exception:
                if not self._closed.is_set():
                    _log.exception("The callback of job %s failed", job.id)

        threading.Thread(target=wait_and_post, name="zcrm_nb bulk callback", daemon=True).start()

    def close(self) -> None:
        """Let the callbacks that wait go; files that only this process knew are removed."""
        self._closed.set()

    def _failure(self) -> dict[str, Any] | None:
        """Fail, if that was asked for."""
        return {"failed": self._to_fail.pop(0)} if self._to_fail else None

    def _keep(self, job: Job) -> None:
        """Write a job down."""
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


def _job(row: tuple[Any, ...]) -> Job:
    """Read a job."""
    job_id, kind, user, created, body, facts = row
    return Job(job_id, kind, user, created, orjson.loads(body), orjson.loads(facts))


def _post(url: str, body: bytes) -> None:
    """Send a callback; only to this machine, for the emulator reaches nobody else."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=10)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json;charset=UTF-8"})
        connection.getresponse().read()
    finally:
        with suppress(OSError):
            connection.close()
