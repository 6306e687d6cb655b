"""What was sent and what was answered, on disk before anything else can happen.

A run of writing has a file of its own, one JSON object a line, only ever added to. A line is there
before its batch is sent, so that a kernel that dies leaves behind which rows are done, which were
never sent, and of which nobody knows. It holds the records that were written and the values that
they replaced, for nothing else could find or undo them; no token and no secret. Only its owner may
read it, and after 30 days it is removed.
"""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.writing.outcomes import Outcome, not_sent, unknown
from zcrm_nb.errors import WriteError
from zcrm_nb.state.files import GLANCE_S, is_held, locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Batch", "Story", "WriteJournal", "begin", "runs"]

FOLDER = "writes"
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
DAYS = 30  # records are personal data: they are kept for as long as somebody may want them back


@dataclass(frozen=True, slots=True)
class Batch:
    """Up to 100 records that travel together.

    Parameters
    ----------
    action : str
        ``"insert"``, ``"update"``, ``"upsert"``, ``"delete"`` or ``"restore"``.
    rows : sequence of int
        Where the records stand in the input.
    records : list of dict
        What is sent; of a deletion or a restoration, only ids.
    unmodified_since : str, optional
        Moment after which nobody else may have changed them.
    """

    action: str
    rows: Sequence[int]
    records: list[dict[str, Any]]
    unmodified_since: str | None = None

    @property
    def ids(self) -> list[str | None]:
        """The ids that are sent."""
        return [record.get("id") for record in self.records]

    def known(self) -> str | None:
        """Name what it does; of an upsert nobody knows before it is done."""
        return None if self.action == "upsert" else self.action


@dataclass(slots=True)
class Story:
    """A run as its journal tells it.

    ``lost`` tells of each batch without an answer when it was sent, or given up, by Zoho's clock.
    ``jobs`` has, of a bulk write, the line about the job of each batch.
    """

    header: dict[str, Any]
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    lost: dict[int, float] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def rows(self) -> list[Outcome]:
        """What became of each row, in the order of the input."""
        missing = not_sent(None, "the run ended before")
        return [self.outcomes.get(row, missing) for row in range(self.header["rows"])]

    @property
    def summary(self) -> dict[str, Any]:
        """The run in one line, as ``crm.journal`` shows it."""
        statuses = [each.status for each in self.rows]
        counts = {name: statuses.count(name) for name in ("done", "refused", "unknown")}
        return {**self.header, **counts, "undone": len(self.undone)}

    def unknown(self) -> Iterator[tuple[int, Batch, list[int]]]:
        """Yield the batches that hold rows of which nobody knows, and which of its rows."""
        for number, batch in self.batches.items():
            open_ = [
                place
                for place, row in enumerate(batch.rows)
                if self.outcomes[row].status == "unknown"
            ]
            if open_:
                yield number, batch, open_


class WriteJournal:
    """The file of one run.

    Parameters
    ----------
    path : Path
        The file.
    header : dict, optional
        Its first line, where that has just been written.
    """

    def __init__(self, path: Path, header: dict[str, Any] | None = None) -> None:
        self.path, self._header = path, header
        self._lock = threading.Lock()

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.path.stem

    @property
    def _lock_file(self) -> Path:
        """What whoever is writing holds."""
        return self.path.with_suffix(".lock")

    @property
    def header(self) -> dict[str, Any]:
        """The first line, which tells what the run is about."""
        if self._header is None:
            with self.path.open("rb") as file:
                file.readline()  # empty, for each line has its break in front
                self._header = orjson.loads(file.readline())
        return self._header or {}

    def note(self, *, durable: bool = False, **line: Any) -> None:
        """Add a line."""
        text = b"\n" + orjson.dumps(line)  # in front, for the line before may have broken off
        file = os.open(self.path, _APPEND, 0o600)
        try:
            with self._lock:
                _write_all(file, text)
            if durable:
                os.fsync(file)  # side by side with those of other threads
        finally:
            os.close(file)

    def note_batch(self, number: int, batch: Batch, at: float) -> None:
        """Write down what is about to be sent."""
        self.note(
            durable=True,
            batch=number,
            action=batch.action,
            rows=list(batch.rows),
            records=batch.records,
            since=batch.unmodified_since,
            at=at,
        )

    def note_outcomes(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], *, batch: int | None = None,
        at: float | None = None,
    ) -> None:  # fmt: skip
        """Write down what became of rows, and when an answer was given up."""
        self.note(of=batch, at=at, rows=list(rows), outcomes=list(map(tuple, outcomes)))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep others from looking for lost rows while they may still be on their way."""
        try:
            with locked(self._lock_file, wait_s=GLANCE_S):
                yield
        except TimeoutError:
            raise WriteError(
                f"The run {self.run} is still being written, by another kernel or thread.",
                todo="Wait until it is over, or stop it there.",
            ) from None

    @property
    def is_held(self) -> bool:
        """Whether somebody is writing, or looking for lost rows, now."""
        return is_held(self._lock_file)

    def read(self) -> Story:
        """Read the story so far; a last line that broke off was never acted on."""
        first, *others = self.path.read_bytes().split(b"\n")[1:]
        story = Story(orjson.loads(first))
        for text in others:
            with suppress(orjson.JSONDecodeError):
                _take_in(story, orjson.loads(text))
        return story


def _take_in(story: Story, line: dict[str, Any]) -> None:
    """Let a line change the story."""
    if "before" in line:
        story.before |= {record["id"]: record for record in line["before"]}
    elif "batch" in line:
        number = line["batch"]
        batch = Batch(line["action"], line["rows"], line["records"], line["since"])
        story.batches[number] = batch
        story.sent[number] = story.lost[number] = line["at"]
        words = "the kernel ended before an answer came"
        for row, record_id in zip(batch.rows, batch.ids, strict=True):
            story.outcomes[row] = unknown(batch.known(), words, record_id)
    elif "outcomes" in line:
        story.outcomes |= {
            row: Outcome(*each) for row, each in zip(line["rows"], line["outcomes"], strict=True)
        }
        if line["at"] is not None:
            story.lost[line["of"]] = line["at"]
    elif "job" in line:
        story.jobs[line["of"]] = line
    elif "undone" in line:
        story.undone |= set(line["undone"])


def _write_all(file: int, text: bytes) -> None:
    """Write all of it: the system may take it in pieces."""
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(file, rest) :]


def begin(folder: Path, at: float, **header: Any) -> WriteJournal:
    """Begin the journal of a run."""
    home = folder / FOLDER
    home.mkdir(mode=0o700, exist_ok=True)
    _tidy(home, at)
    moment = datetime.fromtimestamp(at, UTC)
    run = f"{moment:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
    first = {"run": run, "time": moment.isoformat(timespec="seconds"), **header}
    journal = WriteJournal(home / f"{run}.jsonl", first)
    journal.note(durable=True, **first)
    return journal


def _tidy(home: Path, at: float) -> None:
    """Remove what is older than it should be."""
    for path in home.glob("*.*"):
        if path.stat().st_mtime < at - DAYS * 86_400:
            path.unlink(missing_ok=True)


def runs(folder: Path) -> list[WriteJournal]:
    """List the journals of an org, the oldest first."""
    return [WriteJournal(path) for path in sorted((folder / FOLDER).glob("*.jsonl"))]
