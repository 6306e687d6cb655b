"""One call that merges records, and the job that Zoho may make of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8
from zcrm_nb.api.writing.calls import WriteCall
from zcrm_nb.errors import ConnectionFailed, ServerError
from zcrm_nb.frames import entries_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.writing.journal import Batch

__all__ = ["AT_A_TIME", "FINISHED", "awaited_job", "job_status", "merge_call", "merge_path"]

AT_A_TIME = 2  # records that one call merges into a master
FINISHED = {"COMPLETED": "done", "FAILURE": "refused", "FAILED": "refused"}
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0


def merge_path(module: str, master: str) -> str:
    """Return the address of the merges into a master."""
    return f"{module}/{master}/actions/merge"


def merge_call(batch: Batch) -> WriteCall:
    """Make the call of a batch."""
    return WriteCall("merge", batch.path, batch.body, [each or "" for each in batch.ids])


def job_status(send: Send, path: str, job: str | None = None) -> str:
    """Return the status of a job, or of the newest one of a master; empty where there is none."""
    params: dict[str, Any] = {"job_id": job} if job else {}
    jobs = entries_of(send("GET", V8 + path, params=params), "merge")
    status = jobs[0].get("status") if jobs else None
    return str(status or "").upper()


def awaited_job(
    send: Send, path: str, job: str, *, wait_s: float, sleep: Callable[[float], None]
) -> str:
    """Ask for the status of a job until it is finished or the time is up."""
    pause, waited, status = SHORTEST_WAIT_S, 0.0, ""
    while True:
        with suppress(ConnectionFailed, ServerError):  # only a look; the job goes on
            status = job_status(send, path, job)
        if status in FINISHED or waited >= wait_s:
            return status
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_WAIT_S)
