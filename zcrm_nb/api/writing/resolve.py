"""Finding out what became of rows whose answer was lost, by looking what is there.

Nothing is written here. A row that is found is done; a row that is certainly not there was not
processed, and may be sent again. Where what is there allows no answer the row stays unknown, and
says what was seen.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.api.writing.bulk_write import ROUTE, UNCLEAR_S, collect
from zcrm_nb.api.writing.current_records import matching
from zcrm_nb.api.writing.outcomes import Outcome
from zcrm_nb.errors import APIError, ScopeError
from zcrm_nb.frames.compare import comparable

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import Story, WriteJournal
    from zcrm_nb.frames import Report

__all__ = ["resolve"]

GRACE_S = 900.0  # a record made this long after its request was lost is somebody else's

Record = dict[str, Any]


def resolve(means: WriteContext, journal: WriteJournal, *, wait_s: float = 10.0) -> Report:
    """Find out about the unknown rows of a run, and note it."""
    with journal.held():
        busy = collect(means, journal)
        story = journal.read()
        for number in busy:
            del story.batches[number]
        if any(story.unknown()):
            search = _Search(means, story)  # asks for the fields, and so hears Zoho's time
            _let_settle(means, story, wait_s)
            found = search.outcomes()
            journal.note_outcomes(list(found), list(found.values()))
    return means.report(journal)


def _let_settle(means: WriteContext, story: Story, wait_s: float) -> None:
    """Wait until no request of the run can still be on its way."""
    last = max(story.lost[number] for number, _, _ in story.unknown())
    passed = max(0.0, means.zoho() - last)  # Zoho tells whole seconds: a last one may lie ahead
    if passed < wait_s:
        means.sleep(wait_s - passed)


class _Search:
    """The search for the lost rows of one run."""

    def __init__(self, means: WriteContext, story: Story) -> None:
        self._means, self._story = means, story
        self._there: CurrentRecords = means.there(story.header["module"])
        self._fields = self._there.fields
        self._found: dict[int, Outcome] = {}

    def outcomes(self) -> dict[int, Outcome]:
        """Tell what is now known of each row that was unknown."""
        lost: dict[str, list[tuple[int, Record]]] = defaultdict(list)
        for _, batch, places in self._story.unknown():
            for place in places:
                record = batch.records[place]
                kind = "update" if batch.action == "upsert" and "id" in record else batch.action
                lost[kind].append((batch.rows[place], record))
        for kind, rows in lost.items():
            getattr(self, f"_{kind}")(rows)
        return self._found

    # -- by id -------------------------------------------------------------------------------------

    def _delete(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Call deleted what is not there any more."""
        there = self._by_id(rows, [])
        for row, record in rows:
            gone = record["id"] not in there
            self._say(row, "delete", record["id"], done=gone)

    def _restore(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Call restored what is there again."""
        there = self._by_id(rows, [])
        for row, record in rows:
            self._say(row, "restore", record["id"], done=record["id"] in there)

    def _update(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Call updated what holds the values that were sent."""
        there = self._by_id(rows, _names(record for _, record in rows))
        for row, record in rows:
            self._compare(row, record, there.get(record["id"]))

    def _by_id(self, rows: Sequence[tuple[int, Record]], names: Sequence[str]) -> dict[str, Record]:
        """Read the records as they are now."""
        found = self._there.by("id", [record["id"] for _, record in rows], names)
        return {record["id"]: record for record in found}

    def _compare(self, row: int, sent: Record, now: Record | None) -> None:
        """Hold what was sent against what is there, and against what was there before."""
        if now is None:
            self._say(row, "update", sent["id"], done=False, why="there is no such record")
            return
        record_id, old = now["id"], self._story.before.get(now["id"])
        untouched = self._older(now) if old is None else _stamp(old) == _stamp(now)
        written = [name for name in sent if name != "id"]
        seen = [name for name in written if name in now]
        alike = [name for name in seen if self._same(name, sent[name], now)]
        moved = old is not None and any(not self._same(name, sent[name], old) for name in alike)
        if moved or (seen and alike == seen and (seen == written or not untouched)):
            self._say(row, "update", record_id, done=True, stamp=now.get("Modified_Time"))
        elif untouched:
            self._say(row, "update", record_id, done=False)
        else:
            words = f"the record was changed at {now.get('Modified_Time')}, to other values"
            self._leave(row, "update", record_id, words)

    def _same(self, name: str, value: Any, record: Record) -> bool:
        """Tell whether a record holds a value."""
        if name not in self._fields:
            return str(value) == str(record.get(name))
        a, b = comparable([value, record.get(name)], self._fields[name])
        return a == b

    def _older(self, now: Record) -> bool:
        """Tell whether a record was last changed before the run began."""
        first = min(self._story.sent.values())
        return datetime.fromisoformat(now["Modified_Time"]).timestamp() < first

    # -- without an id -----------------------------------------------------------------------------

    def _upsert(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Find records by the duplicate-check fields; one made since the run began is ours."""
        checked = self._story.header["checked"]
        names = [*_names(record for _, record in rows), *checked]
        data = {name: [record.get(name) for _, record in rows] for name in checked}
        found = matching(self._there, data, checked, names)
        by_field = {name: self._keyed(name, found.values()) for name in checked}
        for row, sent in rows:
            now = next(
                (
                    by_field[name][key]
                    for name in checked
                    if (key := self._key(name, sent.get(name))) in by_field[name]
                ),
                None,
            )
            self._upserted(row, sent, now)

    def _keyed(self, name: str, records: Iterable[Record]) -> dict[Hashable, Record]:
        """Sort records by a field; of several with one value the oldest is what Zoho finds."""
        keyed: dict[Hashable, Record] = {}
        for record in records:
            key = self._key(name, record.get(name))
            if key is not None:
                keyed.setdefault(key, record)
        return keyed

    def _key(self, name: str, value: Any) -> Hashable:
        """Give what values of a duplicate-check field are compared by."""
        (key,) = comparable([value], self._fields[name])
        return key.casefold() if isinstance(key, str) else key

    def _upserted(self, row: int, sent: Record, now: Record | None) -> None:
        """Decide about one row of an upsert."""
        if now is None:
            self._say(row, None, None, done=False)
        elif not self._is_new(now):
            self._compare(row, sent, now)
        elif all(self._same(name, sent[name], now) for name in sent if name in now):
            self._say(row, "insert", now["id"], done=True, stamp=now.get("Modified_Time"))
        else:
            words = f"{now['id']} was made at {now['Created_Time']}, with other values"
            self._leave(row, "insert", now["id"], words)

    def _is_new(self, record: Record) -> bool:
        """Tell whether a record was made after the run began."""
        mark = self._story.header.get("mark")
        if not mark or record["id"] in self._story.before or record["id"] in mark["ids"]:
            return False
        since = mark["since"]
        made = datetime.fromisoformat(record["Created_Time"])
        return since is None or made >= datetime.fromisoformat(since)

    def _insert(self, rows: Sequence[tuple[int, Record]]) -> None:
        """Find the rows among the records that this user made since the run began.

        The fullest rows choose first, so that none takes a record that fits another one better.
        """
        free = self._candidates(rows)
        if free is None:
            for row, _ in rows:
                self._leave(row, "insert", None, "what was made meanwhile cannot be read")
            return
        shelves: dict[tuple[str, ...], dict[Hashable, list[Record]]] = {}
        taken: set[str] = set()
        left = []
        for row, sent in sorted(rows, key=lambda each: -len(_said(each[1]))):
            names = tuple(sorted(set(_said(sent)) & set(self._there.readable([*sent]))))
            if names not in shelves:
                shelves[names] = self._shelf(names, free)
            fitting = shelves[names].get(self._signature(names, [sent])[0], [])
            found = next((each for each in fitting if each["id"] not in taken), None)
            if found is None or not names:
                left.append((row, sent))
                continue
            taken.add(found["id"])
            self._say(row, "insert", found["id"], done=True, stamp=found.get("Modified_Time"))
        self._left_over(left, [each for each in free if each["id"] not in taken])

    def _candidates(self, rows: Sequence[tuple[int, Record]]) -> list[Record] | None:
        """Read what this user made meanwhile and no other row of the run is known to be."""
        story = self._story
        mark = story.header.get("mark")
        if not mark:
            return None
        # A bulk job makes its records whenever Zoho comes to it, not when it was asked for.
        late_s = GRACE_S + (UNCLEAR_S if story.header.get("route") == ROUTE else 0.0)
        last = max(story.lost[number] for number, _, _ in story.unknown()) + late_s
        until = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds")
        names = _names(record for _, record in rows)
        made = self._there.made_since(mark, names, until)
        known = {each.id for each in story.outcomes.values() if each.status == "done"}
        me = self._me()
        return [
            each
            for each in made
            if each["id"] not in known
            and (me is None or (each.get("Created_By") or {}).get("id") in (None, me))
        ]

    def _me(self) -> str | None:
        """Ask who is logged in; ``None`` where this login may not know. 1 credit."""
        try:
            body = self._means.send("GET", f"{V8}users", params={"type": "CurrentUser"})
        except (APIError, ScopeError):
            return None
        return str(orjson.loads(body)["users"][0]["id"]) if body else None

    def _shelf(
        self, names: Sequence[str], records: Sequence[Record]
    ) -> dict[Hashable, list[Record]]:
        """Sort records by what they hold in some fields."""
        shelf: dict[Hashable, list[Record]] = defaultdict(list)
        for record, signature in zip(records, self._signature(names, records), strict=True):
            shelf[signature].append(record)
        return shelf

    def _signature(self, names: Sequence[str], records: Sequence[Record]) -> list[Hashable]:
        """Give what records hold in some fields."""
        columns = [
            comparable([record.get(name) for record in records], self._fields[name])
            for name in names
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * len(records)

    def _left_over(self, rows: Sequence[tuple[int, Record]], free: Sequence[Record]) -> None:
        """Say of the others that they are not there, unless something resembles them."""
        for row, sent in rows:
            twin = next((each for each in free if self._resembles(sent, each)), None)
            if twin is None:
                self._say(row, "insert", None, done=False)
            else:
                words = f"{twin['id']}, made at {twin['Created_Time']}, resembles it; look there"
                self._leave(row, "insert", None, words)

    def _resembles(self, sent: Record, record: Record) -> bool:
        """Tell whether a record bears the name of a row, in the fields that a record must have."""
        names = [
            name
            for name, field in self._fields.items()
            if (field.get("system_mandatory") or field.get("display_field")) and name in sent
        ]
        return bool(names) and all(
            _folded(sent[name]) == _folded(record.get(name)) for name in names
        )

    # -- saying it ---------------------------------------------------------------------------------

    def _say(
        self,
        row: int,
        action: str | None,
        record_id: str | None,
        *,
        done: bool,
        why: str = "",
        stamp: str | None = None,
    ) -> None:
        """Note a decision."""
        if done:
            words = "found there, after the answer was lost"
            self._found[row] = Outcome(action, "done", record_id, "SUCCESS", None, words, stamp)
        else:
            words = why or "not there: Zoho did not process it; it may be sent again"
            self._found[row] = Outcome(action, "refused", record_id, "NOT_PROCESSED", None, words)

    def _leave(self, row: int, action: str, record_id: str | None, seen: str) -> None:
        """Note that it stays unknown, and why."""
        words = f"cannot be decided: {seen}"
        self._found[row] = Outcome(action, "unknown", record_id, "NO_ANSWER", None, words)


def _names(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the fields of records."""
    return list(dict.fromkeys(name for record in records for name in record))


def _said(record: Mapping[str, Any]) -> list[str]:
    """Name the fields that a record fills: what it leaves empty Zoho may fill by itself."""
    return [name for name, value in record.items() if value not in (None, "", []) and name != "id"]


def _stamp(record: Mapping[str, Any]) -> Any:
    """Give the moment of a record's last change."""
    text = record.get("Modified_Time")
    return text and datetime.fromisoformat(text)


def _folded(value: Any) -> str:
    """Give a value without regard to case and spaces."""
    return " ".join(str(value).casefold().split())
