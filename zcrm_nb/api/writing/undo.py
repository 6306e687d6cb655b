"""Putting back what was there before a run: old values, no new records, deleted ones restored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.writing.current_records import user_name
from zcrm_nb.api.writing.journal import Batch
from zcrm_nb.api.writing.outcomes import Outcome, refused
from zcrm_nb.api.writing.prepare import add_to_records
from zcrm_nb.api.writing.writes import RECORDS, Run, call_for, finish, latest, open_journal
from zcrm_nb.frames.compare import comparer, writable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["undo"]

Record = dict[str, Any]
UNDOABLE = {"insert", "update", "upsert", "delete", "restore", "apply", "undo"}
BACK = {"insert": "delete", "delete": "restore", "restore": "delete", "update": "update"}


def undo(
    context: WriteContext, journal: WriteJournal, report: Report, *, force: bool = False
) -> Report:
    """Undo a run, or those of its rows that are in a report."""
    story = journal.read()
    module, action = story.header["module"], story.header["action"]
    if action == "merge":
        raise ValueError(
            "A merge cannot be undone: Zoho has no call for it.\n"
            "report.before has all records as they were, report.moved what hung on those that are "
            f"gone. crm.insert({module!r}, …) makes a record anew, under another id."
        )
    if action not in UNDOABLE:
        raise ValueError(f"{action} in {module or 'Zoho'} cannot be undone.")
    steps = _Steps(context.there(module), story, force=force, directory=context.catalogue.directory)
    ids = report["id"].astype(object).where(report["id"].notna(), None)
    for row, (record_id, status) in enumerate(zip(ids, report["status"], strict=True)):
        take = steps.leave if status == "unknown" else steps.choose
        take(row, record_id)
    steps.plan()
    _name_modules(context, steps)
    undoing = open_journal(
        context, module, "undo", report.index, undoes=journal.run, trigger=[], undoable=True
    )
    if steps.now:
        undoing.note(before=list(steps.now.values()))
    run = Run(context, undoing, partial(call_for, module))
    run.settle(steps.settled)

    def note_undone() -> None:
        rows = [row for row, each in run.outcomes.items() if each.status == "done"]
        journal.note(undone=[steps.origin[row] for row in rows if row in steps.origin])
        for row, names in steps.lost.items():
            if run.outcomes[row].status == "done":
                words = f"{run.outcomes[row].message}; {', '.join(names)} could not be put back"
                run.settle({row: run.outcomes[row]._replace(field=", ".join(names), message=words)})

    return finish(context, run, steps.phases(), note_undone)


def _name_modules(context: WriteContext, steps: _Steps) -> None:
    """Name the modules of old values that may point to several; COQL does not tell them."""
    records = steps.records["update"]
    for row in add_to_records(context, records, steps.there.fields):
        words = "the record that it belonged to is gone"
        steps.refuse(row, "update", "CANNOT_UNDO", words)
        del records[row]


@dataclass(slots=True)
class _Steps:
    """What has to be done to undo, and what cannot be."""

    there: CurrentRecords
    story: Story
    force: bool
    directory: Callable[[], Mapping[str, str] | None]
    origin: dict[int, int] = field(default_factory=dict)
    settled: dict[int, Outcome] = field(default_factory=dict)
    now: dict[str, Record] = field(default_factory=dict)
    lost: dict[int, list[str]] = field(default_factory=dict)
    records: dict[str, dict[int, Record]] = field(
        default_factory=lambda: {"update": {}, "delete": {}, "restore": {}}
    )
    _by_id: dict[str, int] = field(default_factory=dict)
    _sent: dict[int, Record] = field(default_factory=dict)
    _compare: dict[str, Callable[[Any], Hashable]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for batch in self.story.batches.values():
            self._sent |= dict(zip(batch.rows, batch.records, strict=True))
        for row, outcome in self.story.outcomes.items():
            if outcome.id is not None and outcome.status == "done":
                self._by_id.setdefault(outcome.id, row)

    def choose(self, row: int, record_id: str | None) -> None:
        """Find the row of the run that a row of the report stands for."""
        origin = self._by_id.get(record_id or "")
        if origin is None or self.story.outcomes[origin].action is None:
            words = "nothing was done here"
        elif origin in self.story.undone:
            words = "undone before"
        else:
            self.origin[row] = origin
            return
        self.settled[row] = Outcome(None, "done", record_id, "NOTHING_TO_UNDO", None, words)

    def leave(self, row: int, record_id: str | None) -> None:
        """Leave a row that may be done or not."""
        words = "it is unknown whether it was done; run report.resolve() first"
        self.settled[row] = refused(None, "CANNOT_UNDO", words, id=record_id)

    def plan(self) -> None:
        """Read what is there now, and decide about each row."""
        rows = {row: self.story.outcomes[origin] for row, origin in self.origin.items()}
        names = sorted({name for row in rows for name in self._sent.get(self.origin[row], ())})
        ids = [each.id for each in rows.values() if each.action != "delete"]
        self.now = {record["id"]: record for record in self.there.by("id", ids, names)}
        for row, outcome in rows.items():
            self._decide(row, outcome)

    def _decide(self, row: int, outcome: Outcome) -> None:
        """Decide about one row."""
        record_id, action = str(outcome.id), BACK[str(outcome.action)]
        now = self.now.get(record_id)
        if action == "restore":
            self.records[action][row] = {"id": record_id}
        elif now is None:
            self.refuse(row, action, "NOTHING_TO_UNDO", "the record is not there any more")
        elif action == "update":
            self._put_back(row, outcome, now)
        elif self.force or not self._touched(outcome, now):
            self.records[action][row] = {"id": record_id}
        else:
            words = f"not deleted: changed at {now.get('Modified_Time')}, after it was written"
            self.refuse(row, action, "CHANGED_SINCE", words)

    def _put_back(self, row: int, outcome: Outcome, now: Record) -> None:
        """Put old values back into a record, unless others changed these cells since."""
        sent = self._sent[self.origin[row]]
        old = self.story.before.get(str(outcome.id))
        names = [name for name in sent if name != "id" and name[:1] != "$"]
        blind = [name for name in names if old is None or name not in old or name not in now]
        if old is None or len(blind) == len(names):
            words = "the old values were not read" if old is None else "old values cannot be read"
            self.refuse(row, "update", "CANNOT_UNDO", words, blind)
            return
        held = [name for name in names if name not in blind]
        theirs = [
            name
            for name in held
            if self._touched(outcome, now) and not self._alike(name, sent[name], now[name])
        ]
        if theirs and not self.force:
            when = now.get("Modified_Time")
            words = f"changed by {self._user(now)} at {when}, after it was written"
            self.refuse(row, "update", "CHANGED_SINCE", words, theirs)
            return
        if blind:
            self.lost[row] = blind
        fields = self.there.fields
        back = {
            name: writable(old[name], fields[name])
            for name in held
            if not self._alike(name, old[name], now[name])
        }
        if back:
            self.records["update"][row] = {"id": outcome.id, **back}
        else:
            words = "the record holds the old values already"
            self.settled[row] = Outcome("update", "done", outcome.id, "UNCHANGED", None, words)

    def _alike(self, name: str, one: Any, other: Any) -> bool:
        """Whether two values of a field are the same."""
        if name not in self._compare:
            self._compare[name] = comparer(self.there.fields[name])
        compared = self._compare[name]
        return compared(one) == compared(other)

    def _touched(self, outcome: Outcome, now: Record) -> bool:
        """Whether a record was changed after the run had written it; if in doubt, it was."""
        ours, changed = self._written_at(outcome, now), now.get("Modified_Time")
        if ours is None or not changed:
            return True
        try:
            return datetime.fromisoformat(changed) > datetime.fromisoformat(ours)
        except (TypeError, ValueError):  # a date, a number, a time without a zone
            return True

    def _written_at(self, outcome: Outcome, now: Record) -> str | None:
        """Return when the run wrote a record, as far as that is known."""
        if outcome.stamp:
            return outcome.stamp
        if outcome.action == "insert":
            return now.get("Created_Time")
        if outcome.action == "restore" and self.story.lost:  # it changes no time of the record
            return datetime.fromtimestamp(max(self.story.lost.values()), UTC).isoformat()
        return None

    def _user(self, now: Record) -> str:
        """Return the full name of the user who changed a record last."""
        return user_name(now.get("Modified_By"), self.directory())

    def refuse(
        self, row: int, action: str, code: str, words: str, names: Sequence[str] = ()
    ) -> None:
        """Note that a row is left as it is."""
        record_id = self.story.outcomes[self.origin[row]].id
        about = ", ".join(names) or None
        self.settled[row] = refused(action, code, words, id=record_id, field=about)
        del self.origin[row]

    def phases(self) -> list[list[Callable[[], Batch]]]:
        """Cut it into calls; what goes goes first, for the values that must be unique."""
        return [list(self._batches(action)) for action in ("delete", "restore", "update")]

    def _batches(self, action: str) -> Iterator[Callable[[], Batch]]:
        """Cut the records of one kind into calls."""
        rows = list(self.records[action])
        for at in range(0, len(rows), RECORDS):
            few = rows[at : at + RECORDS]
            records = [self.records[action][row] for row in few]
            yield partial(Batch, action, few, records, self._unmodified(action, few))

    def _unmodified(self, action: str, rows: Iterable[int]) -> str | None:
        """Return the moment since when the records of a batch must be unchanged."""
        if action != "update" or self.force:
            return None
        ids = (str(self.records[action][row]["id"]) for row in rows)
        return latest(self.now[each].get("Modified_Time") for each in ids)
