"""Resolving rows whose answer was lost, by looking at what the CRM holds.

Nothing is written here. A row that this login certainly wrote is done; a row that is certainly not
there was not processed, and may be sent again. A record that another user wrote is never taken for
one's own: where the CRM does not show who wrote it, the row stays unknown, and says what was seen.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cached_property
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.search import deleted_bodies
from zcrm_nb.api.writing.bulk_write import ROUTE, UNCLEAR_S, collect
from zcrm_nb.api.writing.current_records import matching, user_name
from zcrm_nb.api.writing.merging import FINISHED, job_status, merge_path
from zcrm_nb.api.writing.outcomes import Outcome
from zcrm_nb.errors import PermissionDenied, ScopeError
from zcrm_nb.frames import records_of
from zcrm_nb.frames.compare import comparable, keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.context import WriteContext
    from zcrm_nb.api.writing.current_records import CurrentRecords
    from zcrm_nb.api.writing.journal import Batch, Story, WriteJournal
    from zcrm_nb.frames import Report

    Finder = Callable[[Session, Batch, Sequence[str]], Mapping[str, Mapping[str, Any]]]

__all__ = ["Finders", "resolve"]

GRACE_S = 900.0  # a record made this long after its request was lost is not of that request
NO_USER = "this login may not read which user it is (scope ZohoCRM.users.READ)"
RECORD_ACTIONS = ("insert", "update", "upsert", "delete", "restore", "change_owner", "merge")

Record = dict[str, Any]
Rows = list[tuple[int, Record]]


class Finders(NamedTuple):
    """How the lost answers of other calls than those of records are found again.

    ``by_action`` gives, for a batch and some of its ids, what is known of those that are done;
    ``follow_job`` waits for a job that Zoho made of a call, and gives the outcomes of its rows.
    """

    by_action: Mapping[str, Finder]
    follow_job: Callable[[Session, Batch, str, float], Sequence[Outcome]]


def resolve(
    context: WriteContext, journal: WriteJournal, finders: Finders, *, wait_s: float = 10.0
) -> Report:
    """Resolve the unknown rows of a run, and note what was found."""
    with journal.held():
        busy = collect(context, journal)
        story = journal.read()
        for number in busy:
            del story.batches[number]
        if any(story.unknown()):
            _let_settle(context, story, wait_s)
            found = _resolved(context, story, finders, wait_s)
            journal.note_outcomes(list(found), list(found.values()))
    return context.report(journal, None)


def _let_settle(context: WriteContext, story: Story, wait_s: float) -> None:
    """Wait until no request of the run can still be on its way."""
    if story.header["module"]:
        context.catalogue.fields(story.header["module"])  # an answer, which has Zoho's time
    last = max(story.lost[number] for number, _, _ in story.unknown())
    passed = max(0.0, context.zoho() - last)  # Zoho has whole seconds: a last one may lie ahead
    if passed < wait_s:
        context.sleep(wait_s - passed)


def _resolved(
    context: WriteContext, story: Story, finders: Finders, wait_s: float
) -> dict[int, Outcome]:
    """Return what is now known of each row that was unknown."""
    rows: dict[str, Rows] = defaultdict(list)
    found: dict[int, Outcome] = {}
    for number, batch, places in story.unknown():
        if number in story.jobs and batch.path:
            job = story.jobs[number]["job"]
            found |= dict(enumerate(finders.follow_job(context, batch, job, wait_s)))
        elif batch.action in RECORD_ACTIONS and (not batch.path or all(batch.ids)):
            for place in places:
                rows[_kind(batch, place)].append((batch.rows[place], batch.records[place]))
        else:
            found |= _by_finder(context, story, finders, batch, places)
    if rows:
        found |= _Search(context, story).outcomes(rows)
    return found


def _kind(batch: Batch, place: int) -> str:
    """Return how a record of a batch is looked for."""
    has_id = batch.action == "upsert" and "id" in batch.records[place]
    return "update" if has_id else batch.action


def _by_finder(
    context: WriteContext, story: Story, finders: Finders, batch: Batch, places: Sequence[int]
) -> dict[int, Outcome]:
    """Look which records of a batch are done by now, in the way of its action."""
    finder = finders.by_action.get(batch.action)
    ids = [batch.ids[place] or "" for place in places]
    if finder is None or not all(ids):
        return {}
    done = finder(context, batch, ids)
    return {
        batch.rows[place]: _found(story.outcomes[batch.rows[place]], done.get(record_id))
        for place, record_id in zip(places, ids, strict=True)
    }


def _found(outcome: Outcome, details: Mapping[str, Any] | None) -> Outcome:
    """Return the outcome of a row that was looked for; what Zoho has put off may still be done."""
    if details is not None:
        message = "found done, after the answer was lost"
        details = details or None
        return outcome._replace(status="done", code="SUCCESS", message=message, details=details)
    return outcome if outcome.code == "SCHEDULED" else _not_processed(outcome)


def _not_processed(outcome: Outcome, why: str = "") -> Outcome:
    """Return the outcome of a row that Zoho certainly did not process."""
    message = why or "not found: Zoho did not process it; it may be sent again"
    return outcome._replace(status="refused", code="NOT_PROCESSED", message=message)


class _Search:
    """The search for the lost rows of one run."""

    def __init__(self, context: WriteContext, story: Story) -> None:
        self._context, self._story = context, story
        self._there: CurrentRecords = context.there(story.header["module"])
        self._fields = self._there.fields
        self._found: dict[int, Outcome] = {}

    def outcomes(self, rows: Mapping[str, Rows]) -> dict[int, Outcome]:
        """Return what is now known of rows, by how they are looked for."""
        for kind, some in rows.items():
            match kind:
                case "insert":
                    self._insert(some)
                case "upsert":
                    self._upsert(some)
                case "delete":
                    self._delete(some)
                case "restore":
                    self._restore(some)
                case "merge":
                    self._merge(some)
                case _:
                    self._update(kind, some)
        return self._found

    # -- who wrote it ------------------------------------------------------------------------------

    @cached_property
    def _user(self) -> str | None:
        """The id of this login's user; ``None`` where it cannot be read. 1 credit.

        Swallowed is only that the login may not read it: after any other error nothing is decided.
        """
        send = self._context.send
        try:
            body = send("GET", f"{V8}users", params={"type": "CurrentUser"})
        except (PermissionDenied, ScopeError):
            return None
        return _first_id(body)

    def _is_own(self, record: Record, key: str) -> bool | None:
        """Whether this login's user made or changed a record; ``None`` if that is unknown."""
        user_id = _id_of(record.get(key))
        if user_id is None or self._user is None:
            return None
        return user_id == self._user

    def _by_whom(self, record: Record, key: str) -> str:
        """Describe who made or changed a record, and when."""
        verb, time = (
            ("changed", "Modified_Time") if key == "Modified_By" else ("made", "Created_Time")
        )
        if self._is_own(record, key) is None:
            who = f"{NO_USER}" if self._user is None else "Zoho does not show by whom"
            return f"it was {verb} at {record.get(time)}, and {who}"
        names = self._context.catalogue.directory()
        return f"it was {verb} by {user_name(record.get(key), names)} at {record.get(time)}"

    # -- by id -------------------------------------------------------------------------------------

    def _delete(self, rows: Rows) -> None:
        """Call deleted what this login's user deleted since the run began."""
        there = self._by_id(rows, [])
        gone = [record["id"] for _, record in rows if record["id"] not in there]
        deleted_by = self._deleted_by() if gone else {}
        for row, record in rows:
            record_id = record["id"]
            if record_id in there:
                self._say(row, "delete", record_id, done=False)
            elif record_id not in deleted_by:
                why = "the record does not exist, and was not deleted since the run began"
                self._say(row, "delete", record_id, done=False, why=why)
            elif self._user is None or deleted_by[record_id] is None:
                why = NO_USER if self._user is None else "Zoho does not show by whom"
                self._leave(row, "delete", record_id, f"it is deleted, and {why}")
            elif deleted_by[record_id] != self._user:
                why = "not processed: another user deleted the record"
                self._say(row, "delete", record_id, done=False, why=why)
            else:
                self._say(row, "delete", record_id, done=True)

    def _deleted_by(self) -> dict[str, str | None]:
        """Read who deleted which records since the run began; 1 credit for each 200."""
        first = min(self._story.sent.values(), default=0.0)
        since = datetime.fromtimestamp(floor(first) - 1, UTC).isoformat(timespec="seconds")
        headers = {"If-Modified-Since": since}
        bodies = deleted_bodies(self._context.send, self._there.module, "all", headers)
        return {
            str(record["id"]): _id_of(record.get("deleted_by"))
            for body in bodies
            for record in records_of(body)
            if record.get("id")
        }

    def _restore(self, rows: Rows) -> None:
        """Call restored what is there again."""
        there = self._by_id(rows, [])
        for row, record in rows:
            self._say(row, "restore", record["id"], done=record["id"] in there)

    def _merge(self, rows: Rows) -> None:
        """Call merged what this login's user took out of the CRM, while its master is there."""
        masters = dict(enumerate(self._story.header["known"]["master_id"]))
        ids = [record["id"] for _, record in rows] + [masters[row] for row, _ in rows]
        there = {record["id"]: record for record in self._there.by("id", ids, [])}
        gone = any(record["id"] not in there for _, record in rows)
        deleted_by = self._deleted_by() if gone else {}
        for row, record in rows:
            master = there.get(masters[row])
            if record["id"] in there:
                self._not_merged(row, record["id"], masters[row])
            elif master is None:
                self._leave(row, "merge", record["id"], "it is gone, and so is its master")
            else:
                self._gone(row, record["id"], master, deleted_by)

    def _not_merged(self, row: int, record_id: str, master: str) -> None:
        """Decide about a record that is still there: a job may be about to merge it."""
        outcome = self._story.outcomes[row]
        job = (outcome.details or {}).get("job")
        path = merge_path(self._story.header["module"], master)
        status = job_status(self._context.send, path, job)
        is_over = status in FINISHED and (not job or FINISHED[status] == "refused")
        if is_over or not status:  # without a known job, one that is over was another merge
            self._say(row, "merge", record_id, done=False)
        else:
            words = f"a merge job of the master has the status {status}"
            self._found[row] = outcome._replace(status="unknown", message=words)

    def _gone(
        self, row: int, record_id: str, master: Record, deleted_by: Mapping[str, str | None]
    ) -> None:
        """Decide about a record that is gone, while its master is there."""
        who = deleted_by.get(record_id)
        if self._user is not None and who is not None:
            why = "not processed: another user deleted the record, or merged it"
            self._say(row, "merge", record_id, done=who == self._user, why=why)
        elif self._is_own(master, "Modified_By") and not self._is_older(master):
            self._say(row, "merge", record_id, done=True)
        else:
            why = NO_USER if self._user is None else "Zoho does not show by whom"
            self._leave(row, "merge", record_id, f"it is gone, and {why}")

    def _update(self, action: str, rows: Rows) -> None:
        """Call updated what holds the values that were sent, by this login's user."""
        there = self._by_id(rows, _names(record for _, record in rows))
        for row, record in rows:
            self._compare(row, action, record, there.get(record["id"]))

    def _by_id(self, rows: Rows, names: Sequence[str]) -> dict[str, Record]:
        """Read the records as they are now."""
        found = self._there.by("id", [record["id"] for _, record in rows], names)
        return {record["id"]: record for record in found}

    def _compare(self, row: int, action: str, sent: Record, now: Record | None) -> None:
        """Compare what was sent with what is there, and with what was there before."""
        if now is None:
            self._say(row, action, sent["id"], done=False, why="the record does not exist")
            return
        record_id, old = now["id"], self._story.before.get(now["id"])
        untouched = self._is_older(now) if old is None else _stamp(old) == _stamp(now)
        written = [name for name in sent if name != "id"]
        seen = [name for name in written if name in now]
        alike = [name for name in seen if self._same(name, sent[name], now)]
        moved = old is not None and any(not self._same(name, sent[name], old) for name in alike)
        holds = moved or (bool(seen) and alike == seen and (seen == written or not untouched))
        if holds and (untouched or self._is_own(now, "Modified_By")):
            self._say(row, action, record_id, done=True, stamp=now.get("Modified_Time"))
        elif untouched:
            self._say(row, action, record_id, done=False)
        elif holds:
            self._leave(row, action, record_id, self._by_whom(now, "Modified_By"))
        else:
            words = f"the record was changed at {now.get('Modified_Time')}, to other values"
            self._leave(row, action, record_id, words)

    def _same(self, name: str, value: Any, record: Record) -> bool:
        """Whether a record holds a value."""
        if name not in self._fields:
            return str(value) == str(record.get(name))
        a, b = comparable([value, record.get(name)], self._fields[name])
        return a == b

    def _is_older(self, now: Record) -> bool:
        """Whether a record was last changed before the run began; Zoho has whole seconds."""
        moment = _stamp(now)
        return moment is not None and moment.timestamp() < floor(min(self._story.sent.values()))

    # -- without an id -----------------------------------------------------------------------------

    def _upsert(self, rows: Rows) -> None:
        """Find records by the duplicate-check fields."""
        checked = self._story.header["checked"]
        names = [*_names(record for _, record in rows), *checked]
        data = {name: [record.get(name) for _, record in rows] for name in checked}
        found = matching(self._there, data, checked, names)
        by_field = {name: self._keyed(name, found.values()) for name in checked}
        for row, sent in rows:
            keys = ((name, self._key(name, sent.get(name))) for name in checked)
            now = next((by_field[name][key] for name, key in keys if key in by_field[name]), None)
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
        """Return what values of a duplicate-check field are compared by."""
        return keys_of([value], self._fields[name])[0]

    def _upserted(self, row: int, sent: Record, now: Record | None) -> None:
        """Decide about one row of an upsert."""
        if now is None:
            self._say(row, None, None, done=False)
        elif not self._is_new(now) or self._is_own(now, "Created_By") is False:
            self._compare(row, "update", {"id": now["id"], **sent}, now)
        elif self._is_own(now, "Created_By") is None:
            self._leave(row, None, now["id"], self._by_whom(now, "Created_By"))
        elif all(self._same(name, sent[name], now) for name in sent if name in now):
            self._say(row, "insert", now["id"], done=True, stamp=now.get("Modified_Time"))
        else:
            words = f"{now['id']} was made at {now.get('Created_Time')}, with other values"
            self._leave(row, "insert", now["id"], words)

    def _is_new(self, record: Record) -> bool:
        """Whether a record was made after the run began."""
        mark = self._story.header.get("mark")
        if not mark or record["id"] in self._story.before or record["id"] in mark["ids"]:
            return False
        since, made = mark["since"], _moment(record.get("Created_Time"))
        return since is None or made is None or made >= datetime.fromisoformat(since)

    def _insert(self, rows: Rows) -> None:
        """Find the rows among the records that this login's user made since the run began.

        The fullest rows choose first, so that none takes a record that fits another one better.
        """
        made = self._made(rows)
        if made is None:
            for row, _ in rows:
                self._leave(row, "insert", None, "what was made meanwhile cannot be read")
            return
        own = [record for record in made if self._is_own(record, "Created_By")]
        left, taken = self._matched(rows, own)
        unclear = [record for record in made if self._is_own(record, "Created_By") is None]
        free = [record for record in own if record["id"] not in taken]
        self._left_over(left, [*free, *unclear])

    def _matched(self, rows: Rows, own: Sequence[Record]) -> tuple[Rows, set[str]]:
        """Match rows with records that hold the same values; return the others, and ids taken.

        Where more records fit than there are rows, nothing shows which of them is whose.
        """
        groups: dict[tuple[tuple[str, ...], Hashable], Rows] = defaultdict(list)
        for row, sent in sorted(rows, key=lambda each: -len(_filled(each[1]))):
            names = tuple(sorted(set(_filled(sent)) & set(self._there.readable([*sent]))))
            groups[names, self._signature(names, [sent])[0]].append((row, sent))
        shelves: dict[tuple[str, ...], dict[Hashable, list[Record]]] = {}
        left: Rows = []
        taken: set[str] = set()
        for (names, signature), some in groups.items():
            if names not in shelves:
                shelves[names] = self._shelf(names, own)
            records = shelves[names].get(signature, []) if names else []
            fitting = [record for record in records if record["id"] not in taken]
            if len(fitting) > len(some):
                self._ambiguous(some, fitting)
                taken |= {record["id"] for record in fitting}
                continue
            for (row, _), record in zip(some, fitting, strict=False):
                taken.add(record["id"])
                stamp = record.get("Modified_Time")
                self._say(row, "insert", record["id"], done=True, stamp=stamp)
            left += some[len(fitting) :]
        return left, taken

    def _ambiguous(self, rows: Rows, fitting: Sequence[Record]) -> None:
        """Leave rows unknown that more records fit than there are of them."""
        ids = ", ".join(record["id"] for record in fitting[:4])
        for row, _ in rows:
            self._leave(row, "insert", None, f"{len(fitting)} records hold these values: {ids}")

    def _made(self, rows: Rows) -> list[Record] | None:
        """Read what was made meanwhile and is not known to be another row of the run."""
        story = self._story
        mark = story.header.get("mark")
        if not mark:
            return None
        # A bulk job makes its records whenever Zoho comes to it, not when it was asked for.
        late_s = GRACE_S + (UNCLEAR_S if story.header.get("route") == ROUTE else 0.0)
        last = max(story.lost[number] for number, _, _ in story.unknown()) + late_s
        until = datetime.fromtimestamp(last, UTC).isoformat(timespec="seconds")
        names = _names(record for _, record in rows)
        known = {each.id for each in story.outcomes.values() if each.status == "done"}
        made = self._there.made_since(mark, names, until)
        return [record for record in made if record["id"] not in known]

    def _shelf(
        self, names: Sequence[str], records: Sequence[Record]
    ) -> dict[Hashable, list[Record]]:
        """Sort records by what they hold in some fields."""
        shelf: dict[Hashable, list[Record]] = defaultdict(list)
        for record, signature in zip(records, self._signature(names, records), strict=True):
            shelf[signature].append(record)
        return shelf

    def _signature(self, names: Sequence[str], records: Sequence[Record]) -> list[Hashable]:
        """Return what records hold in some fields."""
        columns = [
            comparable([record.get(name) for record in records], self._fields[name])
            for name in names
        ]
        return list(zip(*columns, strict=True)) if columns else [()] * len(records)

    def _left_over(self, rows: Rows, records: Sequence[Record]) -> None:
        """Call the others not processed, unless something resembles them."""
        for row, sent in rows:
            twin = next((each for each in records if self._resembles(sent, each)), None)
            if twin is None:
                self._say(row, "insert", None, done=False)
            else:
                words = f"{twin['id']} resembles it; {self._by_whom(twin, 'Created_By')}"
                self._leave(row, "insert", None, words)

    def _resembles(self, sent: Record, record: Record) -> bool:
        """Whether a record has the name of a row, in the fields that a record must have."""
        names = [
            name
            for name, field in self._fields.items()
            if (field.get("system_mandatory") or field.get("display_field")) and name in sent
        ]
        if not names:
            names = [name for name in _filled(sent) if name in record]
            return bool(names) and all(self._same(name, sent[name], record) for name in names)
        return all(_folded(sent[name]) == _folded(record.get(name)) for name in names)

    # -- outcomes ----------------------------------------------------------------------------------

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
            words = "found, after the answer was lost"
            self._found[row] = Outcome(action, "done", record_id, "SUCCESS", None, words, stamp)
        else:
            outcome = Outcome(action, "refused", record_id)
            self._found[row] = _not_processed(outcome, why)

    def _leave(self, row: int, action: str | None, record_id: str | None, seen: str) -> None:
        """Note that it stays unknown, and why."""
        words = f"cannot be decided: {seen}"
        self._found[row] = Outcome(action, "unknown", record_id, "NO_ANSWER", None, words)


def _first_id(body: bytes) -> str | None:
    """Return the id of the one user of an answer; ``None`` where it has none."""
    try:
        users = orjson.loads(body)["users"] if body else []
        return _id_of(users[0])
    except (ValueError, LookupError, TypeError):
        return None


def _id_of(reference: Any) -> str | None:
    """Return the id of a reference to a record or user."""
    found = reference.get("id") if isinstance(reference, dict) else None
    return str(found) if found else None


def _names(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """List the fields of records."""
    return list(dict.fromkeys(name for record in records for name in record))


def _filled(record: Mapping[str, Any]) -> list[str]:
    """List the fields that a record fills: what it leaves empty Zoho may fill by itself."""
    return [name for name, value in record.items() if value not in (None, "", []) and name != "id"]


def _moment(text: Any) -> datetime | None:
    """Read a moment; ``None`` where the text is not one."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _stamp(record: Mapping[str, Any]) -> datetime | None:
    """Return the moment of a record's last change."""
    return _moment(record.get("Modified_Time"))


def _folded(value: Any) -> str:
    """Return a value without regard to case and spaces."""
    return " ".join(str(value).casefold().split())
