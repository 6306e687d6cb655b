"""Running an export: jobs asked for, waited for, their files fetched and handed on, all at once.

One thread, the caller's, asks and waits: an interrupt reaches it at once. Others fetch files and do
with them what the caller wants done, while Zoho is at work on the next job already. Before each
step and after it the export is written down, so it may end anywhere and be gone on with.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.exporting import bulk_read
from zcrm_nb.api.exporting.job_store import COMPLETED, FAILED, Link
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
    Elsewhere = Callable[["Part", Link], None]
    Say = Callable[[str], None]
    Refused = Callable[[list[str]], None]
    Has = Callable[[int, int], bool]

__all__ = ["Part", "Runner"]

AT_A_TIME = 2  # files fetched and worked on side by side; more cost memory and bring little
_UNTIL_ASKED_AGAIN_S = 0.05  # between looks at files that are on their way


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an export, here and whole.

    Parameters
    ----------
    chain : int
        Which chain it belongs to, from 0.
    number : int
        Its place in that chain, from 0.
    path : Path
        The ZIP file.
    rows : int
        Records in it, as Zoho says.
    job : str
        Zoho's id of the job that made it.
    """

    chain: int
    number: int
    path: Path
    rows: int
    job: str


class _ExportStoppedError(Exception):
    """The export has ended while this file was on its way."""


@dataclass(slots=True)
class _Lane:
    """A chain at work: when to ask again, and which files have been handed on."""

    number: int
    chain: JobSeries
    polls: int = 0
    due: float = 0.0
    fetched: set[int] = field(default_factory=set)


class Runner:
    """Brings an export to its end.

    Parameters
    ----------
    gate : Gate
        The way to Zoho.
    book : JobStore
        Where it is written down.
    export : JobRecord
        What is noted of it; changed as it goes on.
    say : callable, optional
        Told in words what is going on.
    refused : callable, optional
        Told the fields that a job turned out not to bring, before it is asked for without them.
    elsewhere : callable, optional
        Takes the parts whose files are not here, and their links: they are fetched by others.
    at_a_time : int, default 2
        How many parts to fetch and hand on side by side.

    Attributes
    ----------
    again : str
        The call that asks once more for a job of which nobody knows.
    """

    def __init__(
        self,
        gate: Gate,
        book: JobStore,
        export: JobRecord,
        *,
        say: Say | None = None,
        refused: Refused | None = None,
        elsewhere: Elsewhere | None = None,
        at_a_time: int = AT_A_TIME,
    ) -> None:
        self._gate, self._book, self._export = gate, book, export
        self._say = say or (lambda words: None)
        self._refused = refused
        self._elsewhere, self._at_a_time = elsewhere, at_a_time
        self._lanes = [_Lane(number, chain) for number, chain in enumerate(export.chains)]
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.again = f"crm.job({export.id!r}).df(ask_again=True)"

    def run(self, on_part: OnPart, *, ask_again: bool = False, has: Has | None = None) -> None:
        """Go on until every part has been handed on.

        Notes
        -----
        The caller holds :meth:`Book.taken`. Credits: 50 for each job, 1 for each look at it and for
        each file.
        """
        if ask_again:
            self._forget_unclear()
        self._refuse_hopeless(has)
        for chain, number, _ in self._export.places():
            if has and has(chain, number):
                self._lanes[chain].fetched.add(number)
        pool = ThreadPoolExecutor(self._at_a_time, thread_name_prefix="zcrm-bulk")
        patient = False
        try:
            self._until_complete(pool, on_part)
            patient = True
        except Exception:
            patient = True
            raise
        finally:
            # After an interrupt nobody waits for a slow line; what is on its way ends by itself.
            self._stop.set()
            pool.shutdown(wait=patient, cancel_futures=True)

    def _until_complete(self, pool: ThreadPoolExecutor, on_part: OnPart) -> None:
        """Take steps until Zoho has done everything, and everything is here."""
        under_way: list[Future[None]] = []
        while True:
            for lane in self._lanes:
                under_way += self._step(lane, pool, on_part)
            _raise_first(under_way)
            if all(lane.chain.is_complete for lane in self._lanes):
                break
            self._sleep()
        for each in under_way:
            each.result()

    # ---- One step of one chain -------------------------------------------------------------------

    def _step(self, lane: _Lane, pool: ThreadPoolExecutor, on_part: OnPart) -> list[Future[None]]:
        """Ask what is due, and send for the files that can be fetched."""
        chain = lane.chain
        if not chain.links:
            self._ask(lane, dict(chain.query))
        elif chain.links[-1].state != COMPLETED and self._gate.clock() >= lane.due:
            self._look(lane)
        if chain.links[-1].state == COMPLETED and chain.links[-1].more:
            self._ask(lane, bulk_read.following(chain.links[-1].token))
        ready = [n for n, link in enumerate(chain.links) if link.state == COMPLETED]
        new = [number for number in ready if number not in lane.fetched]
        lane.fetched.update(new)
        return [pool.submit(self._bring, lane, number, on_part) for number in new]

    def _ask(self, lane: _Lane, asked: dict[str, Any]) -> None:
        """Ask for a job: written down before, and after with its id."""
        link = Link(self._gate.clock())
        lane.chain.links.append(link)
        self._write()
        try:
            link.job = bulk_read.create(self._gate.send, asked)
        except ZohoError as error:
            if not _is_unclear(error):
                lane.chain.links.remove(link)
                self._write()
            if not isinstance(error, APIError):
                raise
            self._ask_without(lane, asked, error)
            return
        link.state = "ADDED"
        self._write()
        lane.polls, lane.due = 0, self._gate.clock() + poll_s(0)
        self._tell(lane)

    def _ask_without(self, lane: _Lane, asked: dict[str, Any], refused: APIError) -> None:
        """Ask again without the fields that Zoho does not export, or give up."""
        if _is_unclear(refused):
            raise refused
        if refused.code == "EXPIRED_VALUE" and "page_token" in asked:
            raise self._expired() from refused
        gone = bulk_read.refused_fields(refused, asked.get("fields", ()))
        left = [each for each in asked.get("fields", ()) if each not in gone]
        if not gone or not left or self._refused is None:
            raise refused
        self._refused(gone)
        joins = refused.code == bulk_read.TOO_MANY_JOINS
        noted = self._export.unjoined if joins else self._export.dropped
        noted += [each for each in gone if each not in noted]
        for each in self._lanes:
            if "fields" in each.chain.query:
                kept = [name for name in each.chain.query["fields"] if name not in gone]
                each.chain.query["fields"] = kept
        self._write()
        self._ask(lane, {**asked, "fields": left})

    def _look(self, lane: _Lane) -> None:
        """Ask how far a job is, and write down what it says."""
        link = lane.chain.links[-1]
        told = bulk_read.status(self._gate.send, link.job)
        link.state, link.rows, link.more = told.state, told.rows, told.more
        link.token, link.url, link.said = told.token, told.url, told.said
        if link.state == COMPLETED:
            link.done = self._gate.clock()
        self._write()
        if link.state in FAILED:
            raise self._failed(link)
        lane.polls += 1
        lane.due = self._gate.clock() + poll_s(lane.polls)
        self._tell(lane)

    # ---- Files -----------------------------------------------------------------------------------

    def _bring(self, lane: _Lane, number: int, on_part: OnPart) -> None:
        """Fetch a file, if it is not here, and hand it on; once more if it is no good."""
        link = lane.chain.links[number]
        path = self._book.files(self._export) / f"part-{lane.number}-{number:03d}.zip"
        part = Part(lane.number, number, path, link.rows, link.job)
        was_here = bool(link.file) and path.exists()
        if not was_here and self._elsewhere is not None:
            self._elsewhere(part, link)
            return
        if not was_here:
            self._fetch(link, path)
        try:
            on_part(part)
        except JobError:
            path.unlink(missing_ok=True)
            self._fetch(link, path)
            on_part(part)

    def _fetch(self, link: Link, path: Path) -> None:
        """Download a file; it is written down once it is whole."""
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            self._gate.download(bulk_read.result_path(link), path, tick=self._check)
        except NotFoundError as unknown:
            raise bulk_read.gone(link.job, unknown) from unknown
        self._write(link, path.name)

    def _check(self, size: int) -> None:
        """End a download when the export has ended."""
        del size
        if self._stop.is_set():
            raise _ExportStoppedError

    # ---- What cannot go on -----------------------------------------------------------------------

    def _forget_unclear(self) -> None:
        """Drop the jobs that nobody knows of, so that they are asked for again."""
        for chain in self._export.chains:
            chain.links = [link for link in chain.links if link.job]
        self._write()

    def _refuse_hopeless(self, has: Has | None) -> None:
        """Say at once when an export cannot come to its end."""
        state = self._export.state(self._gate.clock(), has=has)
        if state == "unclear":
            raise self._unclear()
        if state == "expired":
            raise self._expired()
        for link in self._export.links:
            if link.state in FAILED:
                raise self._failed(link)

    def _unclear(self) -> JobError:
        """Say that a job may or may not be running, and what can be done."""
        asked = min(link.asked for link in self._export.links if not link.job)
        minutes = (self._gate.clock() - asked) / 60
        return JobError(
            f"{self._export.id} asked Zoho for a job {minutes:.0f} min ago, and its answer was "
            "never read: nobody knows whether Zoho took it.",
            todo="Zoho has no list of jobs, so it cannot be found out. "
            f"{self.again} asks again and keeps what is here: {bulk_read.CREDITS} credits, perhaps "
            "for the second time.",
        )

    def _expired(self) -> JobError:
        """Say that what is missing cannot be had any more."""
        here = sum(bool(link.file) for link in self._export.links)
        return JobError(
            f"{self._export.id} was not brought to its end within a day; {here} of its files "
            "are here.",
            "Zoho keeps a result, and the token for what follows it, for a day.",
            "Ask anew with fresh=True.",
        )

    def _failed(self, link: Link) -> JobError:
        """Say that Zoho gave up on a job."""
        return JobError(
            f"Zoho could not finish the bulk job {link.job} of {self._export.id}.",
            f"Zoho said {link.said or link.state}",
            "Ask anew with fresh=True; if it fails again, ask for less at a time.",
        )

    # ---- Waiting ---------------------------------------------------------------------------------

    def _sleep(self) -> None:
        """Wait until the next chain is due."""
        due = min(lane.due for lane in self._lanes if not lane.chain.is_complete)
        self._gate.sleep(max(_UNTIL_ASKED_AGAIN_S, due - self._gate.clock()))

    def _write(self, link: Link | None = None, file: str = "") -> None:
        """Write the export down, with a file that has come; not after the end, when others may."""
        with self._lock:
            if self._stop.is_set():
                raise _ExportStoppedError
            if link is not None:
                link.file = file
            self._book.write(self._export)

    def _tell(self, lane: _Lane) -> None:
        """Say what Zoho is doing."""
        link, many = lane.chain.links[-1], len(self._lanes) > 1
        place = f"part {len(lane.chain.links)}" + (f" of range {lane.number + 1}" if many else "")
        self._say(f"{place}: {link.state.lower()}")


def _raise_first(under_way: list[Future[None]]) -> None:
    """Raise what went wrong in another thread as soon as it is known."""
    for each in under_way:
        if each.done():
            each.result()


def _is_unclear(error: ZohoError) -> bool:
    """Tell whether Zoho may have taken a job although it did not say so."""
    if isinstance(error, ConnectionFailed):
        return error.sent
    return isinstance(error, ServerError | JobError)
