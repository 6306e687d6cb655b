"""What has changed in a module: notified, or found by polling.

Notifications may be lost, come twice or in another order, and carry no values. So they only say
which records to fetch, and every now and then whatever was modified or deleted since the last poll
is compared with what is known. The times that count are Zoho's own, as its records carry them; this
machine's clock decides nothing here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb import coql
from zcrm_nb.api.pages import more, side_by_side
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import since_header
from zcrm_nb.api.reading.search import deleted_bodies
from zcrm_nb.coql import fill
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import ZohoError
from zcrm_nb.frames import Column, moments, records_of, to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.wire.webhook_receiver import Notification

    Record = dict[str, Any]

__all__ = ["OPERATIONS", "SOURCES", "Changes", "Marks", "default_fields"]

OPERATIONS = ("insert", "update", "delete")
SOURCES = ("notified", "found")
STAMPS = ("Created_Time", "Modified_Time")
# A change is stamped before it can be seen, and several are stamped with the same second: each poll
# goes back this far behind the newest change that the one before it saw.
OVERLAP = timedelta(seconds=60)
LATE_MS = 5_000  # a notification is stamped when it is made, shortly after the record
SMALL = 200  # rows that cost one credit
MOST_FIELDS = 48  # of COQL's 50; the two stamps are asked for besides
WORKERS = 4  # a feed in the background leaves the other lanes to the person


@dataclass(frozen=True, slots=True)
class Marks:
    """How far what happened is known: the newest modification and the newest deletion seen."""

    modified: datetime | None = None  # by Zoho's clock; ``None`` where nothing was seen yet
    deleted: datetime | None = None  # by Zoho's clock; ``None`` where nothing was seen yet


def default_fields(catalogue: Catalogue, module: str) -> list[str]:
    """Choose the fields of a feed that names none: the mandatory ones and the owner.

    A mandatory subform, as of a quote, is not a column.
    """
    known = catalogue.fields(module)
    wanted = [
        name
        for name, each in known.items()
        if each.get("system_mandatory") and is_readable(module, each)
    ]
    return list(dict.fromkeys([*wanted, *({"Owner"} & known.keys())]))


class Changes:
    """What is known of a module's records, and how to learn what has changed.

    It knows ``keep`` records at most, unless it is to know them ``whole``; those that changed
    longest ago are forgotten first.
    """

    def __init__(
        self,
        session: Session,
        module: str,
        fields: Sequence[str],
        *,
        whole: bool = False,
        keep: int = 10_000,
    ) -> None:
        if len(fields) > MOST_FIELDS:
            raise ValueError(f"A feed may have at most {MOST_FIELDS} fields, not {len(fields)}.")
        self._send, self._catalogue = session.send, session.catalogue
        self._query = _template(session.catalogue, module, fields)
        self._module, self.marks = module, Marks()
        self._whole, self._keep = whole, keep
        self._records: dict[str, Record] = {}
        self._unseen: set[str] = set()  # known, so as to tell a change; not changed themselves
        self._gone: dict[str, datetime] = {}
        self._found: dict[str, int] = {}  # what a poll found lately, in epoch milliseconds
        # What the next poll will bring again: when modified, and a digest of the values. That is
        # still known where there was no room for the record itself, and in the next kernel.
        self._signs: dict[str, tuple[datetime, str]] = {}
        self._began: datetime | None = None
        self._full_names: dict[str, str] | None = None
        self.users_problem = ""
        self.columns = self._columns(fields)

    # ---- Beginning -------------------------------------------------------------------------------

    def newest(self) -> datetime | None:
        """Return when the module was last modified, by Zoho's clock; 1 credit."""
        text = f"select Modified_Time from {self._module} where id is not null"  # noqa: S608 - COQL
        query = coql.parse(f"{text} order by Modified_Time desc limit 1")
        rows = records_of(ask.send_text(self._send, coql.to_text(query)))
        return _moment_or_none(rows[0].get("Modified_Time")) if rows else None

    def begin(self, since: Marks | None = None) -> list[Record]:
        """Start at the marks given, or now; return what has changed since the marks.

        Changes of the second in which it begins may be from before or after: they are known without
        being reported.
        """
        newest = self.newest()
        if since is not None:  # without a time of its own all there is has come since
            self.marks, self._began = since, since.modified
            rows = self.poll()
        else:
            self.marks, self._began, rows = Marks(newest, newest), newest, []
            self._learn(self._modified_since(newest))
            self._gone = self._deleted_since(newest)
        if self._whole:
            self._learn(self._fetch(self._query))
        return rows

    def _learn(self, records: Iterable[Record]) -> None:
        """Keep records as they are, unless a later poll will find them."""
        for each in records:
            if self._began is not None and self._modified(each) > self._began:
                continue
            if self._records.setdefault(each["id"], each) is each and not self._whole:
                self._unseen.add(each["id"])
            if self._began is not None and self._modified(each) >= self._began - OVERLAP:
                self._signs.setdefault(each["id"], self._sign(each))

    def saved_state(self) -> dict[str, Any]:
        """Return what the next kernel needs to continue: the marks, and what it will see again.

        It holds no values of records, only digests of them.
        """
        signs = {key: [at.isoformat(), digest] for key, (at, digest) in self._signs.items()}
        return {
            "modified": self.marks.modified and self.marks.modified.isoformat(),
            "deleted": self.marks.deleted and self.marks.deleted.isoformat(),
            "signs": signs,
            "gone": {key: at.isoformat() for key, at in self._gone.items()},
        }

    def restore(self, saved: Mapping[str, Any]) -> Marks:
        """Take over what the last kernel saved, and return how far it came."""
        signs = saved.get("signs") or {}
        self._signs = {key: (_moment(at), digest) for key, (at, digest) in signs.items()}
        self._gone = {key: _moment(at) for key, at in (saved.get("gone") or {}).items()}
        modified, deleted = saved.get("modified"), saved.get("deleted")
        return Marks(modified and _moment(modified), deleted and _moment(deleted))

    # ---- Notified --------------------------------------------------------------------------------

    def notified(self, notifications: Sequence[Notification]) -> list[Record]:
        """Fetch the records that notifications name; one row for each event, in their order.

        The values are those of the moment of fetching: the notification has none.
        """
        ids = {each: None for one in notifications if one.operation != "delete" for each in one.ids}
        fetched = {each["id"]: each for each in self._by_ids(list(ids))}
        return [row for one in notifications for row in self._rows_of(one, fetched)]

    def _rows_of(
        self, notification: Notification, fetched: Mapping[str, Record]
    ) -> Iterator[Record]:
        """Make the rows of one notification."""
        moment = notification.time_ms
        for record_id in notification.ids:
            known = self._records.get(record_id)
            record = fetched.get(record_id)
            is_news = not self._was_found(record_id, moment) or record != known
            if notification.operation == "delete":
                self._forget(record_id, datetime.fromtimestamp(moment / 1000, UTC))
                record = None
            elif record is not None:  # else it was deleted meanwhile
                self._know(record)
            if is_news:
                changed = notification.changed.get(record_id, [])
                shown = record or known or {"id": record_id}
                yield _row(shown, moment, notification.operation, changed, "notified")

    def _was_found(self, record_id: str, moment_ms: int) -> bool:
        """Whether a poll has found this change already, so that its notification comes late."""
        found_ms = self._found.get(record_id)
        return found_ms is not None and abs(found_ms - moment_ms) <= LATE_MS

    # ---- Polled ----------------------------------------------------------------------------------

    def poll(self) -> list[Record]:
        """Return what was modified or deleted since the last poll and is not known yet.

        1 credit for up to 200 modified records (3 for each 2,000 of more), 2 for the deleted ones.
        """
        started = time.monotonic()
        modified = sorted(self._modified_since(self.marks.modified), key=self._modified)
        deleted = self._deleted_since(self.marks.deleted)
        rows = [*self._news(modified), *self._losses(deleted)]
        # While pages were fetched, records on those already read may have changed: the next poll
        # begins behind the newest change, less the time that this one took.
        took = timedelta(seconds=time.monotonic() - started)
        newest = self._modified(modified[-1]) if modified else None
        self._advance(newest and newest - took, max(deleted.values(), default=None))
        return rows

    def _news(self, modified: Iterable[Record]) -> Iterator[Record]:
        """Make rows of what is not known as it is now."""
        for record in modified:
            known, moment = self._records.get(record["id"]), self._modified(record)
            sign = self._signs.get(record["id"])
            if known == record:
                continue
            if (
                sign and sign[1] == self._sign(record)[1]
            ):  # reported by this kernel or the last one, but not held
                if self._whole:
                    self._records[record["id"]] = record
                continue
            is_first = known is None and sign is None
            if is_first and not self._is_since(moment):
                continue
            created = _moment_or_none(record.get("Created_Time"))
            is_new = is_first and created is not None and self._is_since(created)
            changed = [] if known is None else self._differences(known, record)
            self._know(record)
            self._found[record["id"]] = _epoch_ms(moment)
            operation = "insert" if is_new else "update"
            yield _row(record, _epoch_ms(moment), operation, changed, "found")

    def _losses(self, deleted: Mapping[str, datetime]) -> Iterator[Record]:
        """Make rows of deletions that were not notified."""
        for record_id, moment in deleted.items():
            if record_id in self._gone:
                continue
            known = self._records.get(record_id)
            self._forget(record_id, moment)
            self._found[record_id] = _epoch_ms(moment)
            if known is not None or self._is_since(moment):
                yield _row(known or {"id": record_id}, _epoch_ms(moment), "delete", [], "found")

    def _is_since(self, moment: datetime) -> bool:
        """Whether a moment lies behind the beginning."""
        return self._began is None or moment >= self._began

    def _differences(self, old: Record, new: Record) -> list[str]:
        """Return the requested fields that differ."""
        names = (each.name for each in self.columns if each.name != "id")
        return [name for name in names if old.get(name) != new.get(name)]

    def _advance(self, modified: datetime | None, deleted: datetime | None) -> None:
        """Move the marks forward; forget deletions that no later poll will list."""
        old = self.marks
        seen = max(filter(None, (old.modified, modified)), default=None)
        gone = max(filter(None, (old.deleted, deleted, seen)), default=None)
        self.marks = Marks(seen, gone)
        if gone is not None:
            since = gone - 2 * OVERLAP
            self._gone = {key: at for key, at in self._gone.items() if at >= since}
            self._signs = {key: one for key, one in self._signs.items() if one[0] >= since}
            old_ms = _epoch_ms(since)
            self._found = {key: at for key, at in self._found.items() if at >= old_ms}

    # ---- What is known ---------------------------------------------------------------------------

    def _modified(self, record: Record) -> datetime:
        """Return when a record was modified; one that does not say counts as the newest known."""
        at = _moment_or_none(record.get("Modified_Time"))
        return at or self.marks.modified or self._began or datetime.now(UTC)

    def _sign(self, record: Record) -> tuple[datetime, str]:
        """Return a digest that tells values of a record apart without keeping them."""
        written = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        return self._modified(record), blake2b(written, digest_size=8).hexdigest()

    def _know(self, record: Record) -> None:
        """Keep a record as it is now; the one that changed longest ago makes room."""
        self._records.pop(record["id"], None)
        self._records[record["id"]] = record
        self._signs[record["id"]] = self._sign(record)
        self._unseen.discard(record["id"])
        self._gone.pop(record["id"], None)
        while not self._whole and len(self._records) > self._keep:
            oldest = next(iter(self._records))
            del self._records[oldest]
            self._unseen.discard(oldest)

    def _forget(self, record_id: str, moment: datetime) -> None:
        """Drop a record that is gone."""
        self._records.pop(record_id, None)
        self._signs.pop(record_id, None)
        self._unseen.discard(record_id)
        self._gone[record_id] = moment

    @property
    def overlapping(self) -> int:
        """How many changes the next poll will bring again: a reason for one, when they are many."""
        return len(self._signs) + len(self._gone)

    @property
    def state(self) -> list[Record]:
        """The records known, those that changed last at the end."""
        return [each for key, each in self._records.items() if key not in self._unseen]

    # ---- Tables ----------------------------------------------------------------------------------

    def state_frame(self, **options: Any) -> pd.DataFrame:
        """Return the records known as a table."""
        return to_frame([self.state], self.columns, users=self._users(), **options)

    def frame(self, rows: Sequence[Record], *, tz: str = "UTC", **options: Any) -> pd.DataFrame:
        """Return rows of changes as a table."""
        columns = [
            Column("time", "integer"),
            Column("operation", "picklist", OPERATIONS),
            *self.columns,
            Column("changed", "multipicklist"),
            Column("source", "picklist", SOURCES),
        ]
        table = to_frame([list(rows)], columns, users=self._users(), tz=tz, **options)
        return moments(table, "time", tz)

    def _users(self) -> dict[str, str] | None:
        """Full names by id, where a column holds users.

        While Zoho does not answer, those known before are used, or the names in the records: a feed
        goes on, and :attr:`users_problem` says so.
        """
        if not any(each.kind == "user" for each in self.columns):
            return None
        try:
            self._full_names = self._catalogue.directory()
        except ZohoError as error:
            self.users_problem = f"Full names of users could not be read: {error.happened}"
        else:
            self.users_problem = ""
        return self._full_names

    def _columns(self, fields: Sequence[str]) -> list[Column]:
        """Type ``id`` and the fields, without time stamps that were not requested."""
        columns = ask.answer_columns(self._catalogue, self._query)
        unrequested = {each for each in STAMPS if each not in fields}
        return [each for each in columns if each.name not in unrequested]

    # ---- Asking ----------------------------------------------------------------------------------

    def _by_ids(self, ids: Sequence[str]) -> Iterator[Record]:
        """Fetch records by id; 1 credit for each 100."""
        if not ids:
            return iter(())
        whole = self._where("id in :ids", ids=ids)
        texts = [coql.to_text(replace(each, limit=SMALL)) for each in coql.parts(whole)]
        bodies = side_by_side(partial(ask.send_text, self._send), texts, WORKERS)
        return chain.from_iterable(map(_records_of, bodies))

    def _modified_since(self, mark: datetime | None) -> Iterator[Record]:
        """Fetch what was modified since a moment, and a little before; all there is without one."""
        if mark is None:
            return self._fetch(self._query)
        return self._fetch(self._where("Modified_Time >= :mark", mark=mark - OVERLAP))

    def _deleted_since(self, mark: datetime | None) -> dict[str, datetime]:
        """List what was deleted since a moment, and a little before."""
        if mark is None and self._began is not None:
            mark = self._began
        headers = since_header(mark and mark - OVERLAP)
        bodies = deleted_bodies(self._send, self._module, "all", headers)
        items = chain.from_iterable(map(_records_of, bodies))
        times = {each["id"]: _moment_or_none(each.get("deleted_time")) for each in items}
        return {key: at or mark or datetime.now(UTC) for key, at in times.items()}

    def _fetch(self, query: Query) -> Iterator[Record]:
        """Fetch every row of a query: a small page first, which is often all and costs least."""
        first = ask.send_text(self._send, coql.to_text(replace(coql.stable(query), limit=SMALL)))
        if not more(first):
            yield from _records_of(first)
            return
        for body in ask.coql_bodies(self._send, query, workers=WORKERS):
            yield from _records_of(body)

    def _where(self, condition: str, **values: Any) -> Query:
        """Put a condition into the query for this module's records."""
        text = fill(f"select id from {self._module} where {condition}", **values)  # noqa: S608 - COQL
        return replace(self._query, where=coql.parse(text).where)


def _template(catalogue: Catalogue, module: str, fields: Sequence[str]) -> Query:
    """Make the query for records; a field that COQL cannot fetch is refused before anything."""
    catalogue.fields(module)
    names = ", ".join(dict.fromkeys([*fields, *STAMPS]))
    text = f"select {names} from {module} where id is not null"  # noqa: S608 - COQL
    query = ask.prepared(catalogue, text).query
    assert query is not None
    return query


def _row(
    record: Record, time_ms: int, operation: str, changed: Sequence[str], source: str
) -> Record:
    """Make the row of one event."""
    what = {"time": time_ms, "operation": operation, "changed": list(changed), "source": source}
    return record | what


def _moment(text: str) -> datetime:
    """Read a moment as Zoho writes it."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _moment_or_none(text: Any) -> datetime | None:
    """Read a moment; ``None`` where there is none."""
    try:
        return _moment(text)
    except (TypeError, ValueError, OverflowError):
        return None


def _records_of(body: bytes) -> list[Record]:
    """Return the records of a page; what has no id is not one."""
    records = (each for each in records_of(body) if isinstance(each, dict))
    return [each for each in records if isinstance(each.get("id"), str) and each["id"]]


def _epoch_ms(moment: datetime) -> int:
    """Count milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
