"""Deferred jobs: scheduled, running, completed, by the org's clock.

A job is done in one go when it is due, before the next call is answered. It is kept in
the store, so that it is not forgotten when the org is closed in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from zcrm_nb.emulator.org import Org

Facts: TypeAlias = dict[str, Any]
#: Does the work of one kind; gives how many records it did, and how many it could not.
Work: TypeAlias = Callable[[Org, "DeferredJob"], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class DeferredJob:
    """One deferred job: its subject, when it is due, and its result."""

    id: int
    kind: str
    module: str
    user: int
    due: int
    facts: Facts
    total: int
    done: int
    failed: int
    finished: bool

    def status(self, org: Org) -> str:
        """Give its state in Zoho's words."""
        if self.finished:
            return "COMPLETED"
        begins = self.due - org.settings.actions.chore_runs_s
        return "RUNNING" if org.clock.now() >= begins else "SCHEDULED"


class DeferringOrg(Org):
    """An org with its deferred jobs."""

    deferred_jobs: DeferredJobs


class DeferredJobs:
    """The deferred jobs of an org."""

    def __init__(self, org: Org, works: dict[str, Work]) -> None:
        self._org, self._works = org, works
        self._next = self._earliest()

    def defer(self, kind: str, module: str, user: int, total: int, facts: Facts) -> int:
        """Schedule a job and return its id."""
        org, settings = self._org, self._org.settings.actions
        due = org.clock.now() + settings.chore_delay_s + settings.chore_runs_s
        with org.store.transaction():
            job = org.store.new_id()
            org.store.execute(
                "INSERT INTO chores VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)",
                (job, kind, module, user, due, orjson.dumps(facts).decode(), total),
            )
        self._next = self._earliest()
        return job

    def settle(self) -> None:
        """Do the jobs that are due."""
        while self._next is not None and self._next <= self._org.clock.now():
            with self._org.store.transaction():
                for job in self._read("NOT finished AND due <= ?", self._org.clock.now()):
                    done, failed = self._works[job.kind](self._org, job)
                    self._org.store.execute(
                        "UPDATE chores SET finished = 1, done = ?, failed = ? WHERE id = ?",
                        (done, failed, job.id),
                    )
            self._next = self._earliest()

    def find(self, kind: str, module: str, job_id: int) -> DeferredJob | None:
        """Find a job of one kind by its id."""
        return next(
            (
                each
                for each in self._read("id = ?", job_id)
                if (each.kind, each.module) == (kind, module)
            ),
            None,
        )

    def _read(self, where: str, value: int) -> list[DeferredJob]:
        """Read jobs in the order in which they are due."""
        rows = self._org.store.read(
            f"SELECT * FROM chores WHERE {where} ORDER BY due, id",
            (value,),
        )
        return [
            DeferredJob(*(*row[:5], orjson.loads(row[5]), *row[6:9], bool(row[9]))) for row in rows
        ]

    def _earliest(self) -> int | None:
        """Give the time when the next job is due."""
        due: int | None = self._org.store.read("SELECT min(due) FROM chores WHERE NOT finished")[0][
            0
        ]
        return due
