"""What was sent and what was answered, on disk before anything else can happen.

A run of writing has a file of its own, one JSON object a line, only ever added to. A line is
written before its batch is sent, so that a kernel that dies leaves behind which rows are done,
which were never sent, and which are unknown. It holds the records that were written and the values
that they replaced, for nothing else could find or undo them; no token and no secret. Only its owner
may read it, and after 30 days it is removed.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.writing.outcomes import Outcome, not_sent, unknown
from zcrm_nb.errors import WriteError
from zcrm_nb.frames import Column, to_report
from zcrm_nb.frames.report import unpack_index
from zcrm_nb.state.files import append_line, held, is_held, json_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from zcrm_nb.frames import Report, ReportActions

__all__ = ["Batch", "Story", "WriteJournal", "begin", "runs"]

FOLDER = "writes"
DAYS = 30  # records are personal data: they are kept only for as long as they may be wanted back
FACTS = ("run", "module", "action", "org", "time", "trigger", "undoable")
NEEDED = {"rows": int, "index": str, "module": str, "action": str, "time": str}  # of a first line


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that travel together."""

    action: str  # one of the actions of a report, or ``"upsert"``
    rows: Sequence[int]  # where the records stand in the input
    records: list[dict[str, Any]]  # what is sent; only ids, where the same is done to all of them
    unmodified_since: str | None = None  # moment since when they must be unchanged
    # where it goes, and what is sent besides; of an insert, update, upsert, delete or restore the
    # action and the records say it
    path: str = ""
    body: Any = None

    @property
    def ids(self) -> list[str | None]:
        """The ids that are sent."""
        return [record.get("id") for record in self.records]

    def known(self) -> str | None:
        """Return what it does; an upsert only knows once it is done."""
        return None if self.action == "upsert" else self.action


@dataclass(slots=True)
class Story:
    """A run as its journal has it.

    ``lost`` has, for each batch without an answer, when it was sent or given up, by Zoho's clock;
    ``jobs`` the line about the job of each batch that became one; ``moved`` what hung on records
    that were merged.
    """

    header: dict[str, Any]
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    lost: dict[int, float] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    undone: set[int] = field(default_factory=set)
    jobs: dict[int, dict[str, Any]] = field(default_factory=dict)
    moved: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> list[Outcome]:
        """The outcome of each row, in the order of the input."""
        missing = not_sent(None, "the run ended before")
        count = max(self.header["rows"], max(self.outcomes, default=-1) + 1)
        return [self.outcomes.get(row, missing) for row in range(count)]

    @property
    def summary(self) -> dict[str, Any]:
        """The run in one line, as ``crm.journal`` shows it."""
        statuses = [each.status for each in self.rows]
        counts = {name: statuses.count(name) for name in ("done", "refused", "unknown")}
        return {**self.header, **counts, "undone": len(self.undone)}

    def report(self, actions: ReportActions) -> Report:
        """Make the report of the run."""
        header, rows = self.header, self.rows
        facts = {key: header.get(key) for key in FACTS}
        if header.get("not_undoable"):
            facts["not_undoable"] = header["not_undoable"]
        if self.jobs:
            facts["jobs"] = [line["job"] for line in self.jobs.values()]
        columns = [Column(name, kind) for name, kind in header.get("columns") or ()]
        index = unpack_index(header["index"], len(rows))
        for name, values in (header.get("known") or {}).items():
            rows = [_with_known(row, name, value) for row, value in zip(rows, values, strict=False)]
        return to_report(index, rows, facts=facts, columns=columns, actions=actions)

    def unknown(self) -> Iterator[tuple[int, Batch, list[int]]]:
        """Yield the batches that hold unknown rows, with the places of these rows."""
        for number, batch in self.batches.items():
            open_ = [
                place
                for place, row in enumerate(batch.rows)
                if self.outcomes[row].status == "unknown"
            ]
            if open_:
                yield number, batch, open_


def _with_known(outcome: Outcome, name: str, value: Any) -> Outcome:
    """Add what was known of a row before it was sent."""
    return outcome._replace(details={name: value, **(outcome.details or {})})


class WriteJournal:
    """The file of one run."""

    def __init__(self, path: Path, header: dict[str, Any] | None = None) -> None:
        self.path, self._header = path, header
        self._lock = threading.Lock()

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.path.stem

    @property
    def _lock_file(self) -> Path:
        """The lock of the run that is being written."""
        return self.path.with_suffix(".lock")

    @property
    def header(self) -> dict[str, Any]:
        """The first line, which says what the run is about; empty where it is damaged."""
        if self._header is None:
            try:
                with self.path.open("rb") as file:
                    file.readline()  # empty, for each line has its break in front
                    self._header = _header(file.readline())
            except OSError:  # removed, or not readable
                return {}
        return self._header

    @property
    def is_damaged(self) -> bool:
        """Whether its first line is missing or torn, as a full disk or a kill leaves it."""
        return not self.header

    def note(self, *, durable: bool = False, **line: Any) -> None:
        """Add a line; ``WriteError`` where it cannot be written, as on a full disk."""
        text = b"\n" + _dumped(line)  # in front, for the line before may have broken off
        try:
            append_line(self.path, text, durable=durable, lock=self._lock)
        except OSError as error:
            raise WriteError(
                f"The journal of run {self.run} cannot be written.",
                f"What happened: {error}.",
                "Free some disk space, or set ZCRM_CONFIG_DIR to a folder that can be written.",
            ) from error

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
            **({"path": batch.path, "body": batch.body} if batch.path else {}),
        )

    def note_outcomes(
        self, rows: Sequence[int], outcomes: Sequence[Outcome], *, batch: int | None = None,
        at: float | None = None,
    ) -> None:  # fmt: skip
        """Note the outcomes of rows, and when an answer was given up."""
        self.note(of=batch, at=at, rows=list(rows), outcomes=list(map(tuple, outcomes)))

    def held(self) -> AbstractContextManager[None]:
        """Keep others from looking for lost rows while they may still be on their way."""
        return held(self._lock_file, self._busy)

    def _busy(self) -> WriteError:
        """Make the error for a run that is being written."""
        return WriteError(
            f"The run {self.run} is still being written, by another kernel or thread.",
            todo="Wait until it is over, or stop it there.",
        )

    @property
    def is_held(self) -> bool:
        """Whether the run is being written or resolved now."""
        return is_held(self._lock_file)

    def read(self) -> Story:
        """Read the story so far; a line that broke off was never acted on."""
        if self.is_damaged:
            raise WriteError(
                f"The journal of run {self.run} is damaged: its first line is missing.",
                todo=f"The run cannot be resolved or undone. Delete {self.path} to forget it.",
            )
        story = Story(self.header)
        for line in islice(json_lines(self.path.read_bytes()), 1, None):  # behind the header
            with suppress(ValueError, KeyError, TypeError):
                _take_in(story, line)
        return story


def _header(line: bytes) -> dict[str, Any]:
    """Read a first line; empty where it is damaged."""
    with suppress(ValueError):
        header = orjson.loads(line)
        if isinstance(header, dict) and all(
            isinstance(header.get(key), kind) for key, kind in NEEDED.items()
        ):
            return header
    return {}


def _take_in(story: Story, line: dict[str, Any]) -> None:
    """Let a line change the story."""
    if "before" in line:
        story.before |= {record["id"]: record for record in line["before"]}
    elif "batch" in line:
        number, more = line["batch"], (line.get("path") or "", line.get("body"))
        batch = Batch(line["action"], line["rows"], line["records"], line["since"], *more)
        message = "the kernel ended before an answer came"
        story.outcomes |= {
            row: unknown(batch.known(), message, record_id)
            for row, record_id in zip(batch.rows, batch.ids, strict=True)
        }
        story.batches[number] = batch
        story.sent[number] = story.lost[number] = line["at"]
    elif "outcomes" in line:
        story.outcomes |= {
            row: Outcome(*each) for row, each in zip(line["rows"], line["outcomes"], strict=True)
        }
        if line["at"] is not None:
            story.lost[line["of"]] = line["at"]
    elif "moved" in line:
        story.moved += line["moved"]
    elif "job" in line:
        story.jobs[line["of"]] = line
    elif "undone" in line:
        story.undone |= set(line["undone"])


def begin(folder: Path, at: float, **header: Any) -> WriteJournal:
    """Begin the journal of a run; ``WriteError`` where it cannot be written."""
    home, moment = folder / FOLDER, datetime.fromtimestamp(at, UTC)
    run = f"{moment:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
    first = {"run": run, "time": moment.isoformat(timespec="seconds"), **header}
    journal = WriteJournal(home / f"{run}.jsonl", first)
    try:
        home.mkdir(mode=0o700, exist_ok=True)
        _tidy(home, at)
        journal.note(durable=True, **first)
    except (OSError, WriteError) as error:
        with suppress(OSError):
            journal.path.unlink(missing_ok=True)
        raise WriteError(
            "Nothing was sent: the journal of the run cannot be written.",
            error.said if isinstance(error, WriteError) else f"What happened: {error}.",
            f"Free some space in {home}, or set ZCRM_CONFIG_DIR to a folder that can be written.",
        ) from error
    return journal


def _tidy(home: Path, at: float) -> None:
    """Remove what is older than it should be."""
    with os.scandir(home) as files:
        for file in files:
            with suppress(FileNotFoundError):  # removed by another kernel
                if "." in file.name and file.stat().st_mtime < at - DAYS * 86_400:
                    os.unlink(file)  # noqa: PTH108 - before each write: a tenth of Path's time


def runs(folder: Path) -> list[WriteJournal]:
    """List the journals of an org, the oldest first, damaged ones too."""
    return [WriteJournal(path) for path in sorted((folder / FOLDER).glob("*.jsonl"))]


def _dumped(line: dict[str, Any]) -> bytes:
    """Write a line as JSON; half an emoji in Zoho's words becomes a question mark."""
    try:
        return orjson.dumps(line)
    except orjson.JSONEncodeError:
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")
