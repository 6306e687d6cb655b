"""The org's records in one SQLite file.

A table for each module, a column for each field that has one (:attr:`Field.column`). What no client
writes is kept true by SQLite itself: formulas and full names are generated columns, roll-ups are
triggers, a lookup to a deleted record becomes empty by its foreign key.

========================================  ======================================================
value                                     stored as
========================================  ======================================================
id, every kind of lookup                  INTEGER id; ``$se_module`` beside a lookup to several
text, picklist                            TEXT
multiselectpicklist                       TEXT joined by ``;``
boolean                                   INTEGER 0 or 1
date                                      TEXT ``YYYY-MM-DD``
datetime                                  INTEGER epoch seconds, UTC
Tag, Participants, reminders, files …     TEXT holding JSON
subform rows, multi-select lookups        rows of the subform's, the linking module's own table
========================================  ======================================================
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from zcrm_nb.emulator.storage import ddl
from zcrm_nb.emulator.storage.ddl import CHANGED, MADE
from zcrm_nb.emulator.storage.field_trackers import stay_begins
from zcrm_nb.emulator.storage.schema import ORG_PREFIX, Field, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from zcrm_nb.emulator.clock import Clock

#: "ZCRM" in the header of the file: how a file of ours is told from another SQLite database.
APPLICATION_ID = 0x5A43524D
#: Ids handed out while the org is in use; those of seeded records are smaller.
FIRST_NEW_ID = ORG_PREFIX + 900_000_000_001

Operation: TypeAlias = Literal["insert", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One record that was written.

    ``fields`` are the columns of an insert that were given, those of an update that now differ.
    ``before`` is the record as it was, encoded; empty after an insert. A record that came back from
    the recycle bin is an insert that is ``restored``.
    """

    module: str
    operation: Operation
    id: int
    fields: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    restored: bool = False


class Store:
    """The records of one org.

    Parameters
    ----------
    schema : Schema
        The org's modules and fields.
    clock : Clock
        Where the stamps of writes come from.
    path : str or Path, optional
        The file that keeps the org. An existing one is opened as it is. By default a temporary
        file, removed by :meth:`close`.
    zone : str, default "Asia/Kolkata"
        The org's time zone; datetimes go over the wire with its offset.

    Attributes
    ----------
    listener : callable or None
        Is given the changes of every transaction, once they are committed and before another one
        begins; it reads what was written through :meth:`read`. While it is ``None`` nothing is
        noted, and writes cost what they cost.

    Examples
    --------
    >>> from zcrm_nb.emulator.catalog import org_schema
    >>> from zcrm_nb.emulator.clock import ManualClock
    >>> store = Store(org_schema(), ManualClock())
    >>> ids = store.insert("Leads", [{"Last_Name": "Rao", "First_Name": "Asha"}], user=1)
    >>> store.read("SELECT id, Full_Name FROM Leads")
    [(410888900000000001, 'Asha Rao')]
    >>> store.close()
    """

    def __init__(
        self,
        schema: Schema,
        clock: Clock,
        path: str | Path | None = None,
        zone: str = "Asia/Kolkata",
    ) -> None:
        self.schema, self.clock, self.zone = schema, clock, ZoneInfo(zone)
        self._folder = None if path else tempfile.TemporaryDirectory(prefix="zcrm-emulator-")
        self.path = Path(path) if path else Path(self._folder.name, "org.sqlite")  # type: ignore[union-attr]
        self._lock = threading.RLock()
        self._writing: int | None = None
        self.listener: Callable[[list[Change]], None] | None = None
        self._changes: list[Change] | None = None
        self._every: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        try:
            self._writer = self._connect()
            self._open()
        except BaseException:
            self.close()
            raise

    # -- reading ---------------------------------------------------------------------------------

    def read(self, sql: str, params: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Fetch rows; inside a transaction of this thread, with what it has written."""
        if self._writing == threading.get_ident():
            return self._writer.execute(sql, params).fetchall()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            return connection.execute(sql, params).fetchall()
        finally:
            self._idle.append(connection)

    def stream(self, sql: str, params: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Yield rows as they are read, all of the moment the first was read."""
        connection = self._connect()
        try:
            yield from connection.execute(sql, params)
        finally:
            self._every.remove(connection)
            connection.close()

    def rows(
        self, module: str, where: str = "1", params: Sequence[object] = ()
    ) -> list[dict[str, Any]]:
        """Fetch records as they were written, by column; what follows from others is left out."""
        module_info = self.schema.module(module)
        columns = [each.api_name for each in module_info.fields if each.written]
        if module_info.polymorphic:
            columns.append("$se_module")
        names = ", ".join(f'"{column}"' for column in columns)
        rows = self.read(f'SELECT {names} FROM "{module}" WHERE {where} ORDER BY id', params)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    @property
    def world(self) -> str | None:
        """What the org was seeded with; ``None`` before :func:`world.build` has finished."""
        return self.remembered("world")

    @property
    def last_write(self) -> int | None:
        """When something was written last, in epoch seconds; ``None`` in an old file."""
        noted = self.remembered("last_write")
        return int(noted) if noted else None

    def remembered(self, key: str) -> str | None:
        """Find what :meth:`remember` keeps under a key."""
        rows = self.read("SELECT value FROM meta WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else None

    # -- writing ---------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, notify: bool = True) -> Iterator[None]:
        """Do all writes of the block or none; a block within a block joins it.

        What is not ``heard`` reaches no listener: a bulk job without notifications.
        """
        with self._lock:
            if self._writing is not None:
                with self._notifying(notify):
                    yield
                return
            self._writer.execute("BEGIN IMMEDIATE")
            self._writing = threading.get_ident()
            self._changes = [] if notify and self.listener else None
            try:
                yield
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            else:
                self._note_time()
                self._writer.execute("COMMIT")
                if self.listener and self._changes:
                    self.listener(self._changes)
            finally:
                self._writing = self._changes = None

    @contextmanager
    def _notifying(self, notify: bool) -> Iterator[None]:
        """Notify of what an inner block writes, or not; the block around it goes on."""
        changes = self._changes
        self._changes = changes if notify else None
        try:
            yield
        finally:
            self._changes = changes

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Take back what the block wrote when it fails; the transaction around it goes on."""
        with self.transaction():
            self._writer.execute("SAVEPOINT attempt")
            written = len(self._changes or ())
            try:
                yield
            except BaseException:
                self._writer.execute("ROLLBACK TO attempt")
                if self._changes is not None:
                    del self._changes[written:]
                raise
            finally:
                self._writer.execute("RELEASE attempt")

    def insert(self, module: str, rows: Iterable[Mapping[str, Any]], *, user: int) -> list[int]:
        """Add records (encoded values) and return their ids.

        Id, owner, times and autonumbers are stamped; a value given in a row wins over its stamp.
        """
        names = self.schema.module(module).by_name
        with self.transaction():
            stamps = self._stamps(module, user, MADE)
            numbered = [each for each in names.values() if each.auto_number]
            ids = []
            for row in rows:
                record = {"id": self.new_id(), **stamps, **self._numbers(module, numbered), **row}
                self._execute_insert(module, record)
                self._track(module, int(record["id"]))
                ids.append(int(record["id"]))
                if self._changes is not None:
                    self._changes.append(Change(module, "insert", ids[-1], tuple(row)))
        return ids

    def update(self, module: str, rows: Iterable[Mapping[str, Any]], *, user: int) -> None:
        """Change the columns each row names, of the record whose ``id`` it carries."""
        with self.transaction():
            stamps = self._stamps(module, user, CHANGED)
            for row in rows:
                values = {**stamps, **row}
                record_id = values.pop("id")
                before = self._before(module, record_id)
                setting = ", ".join(f'"{column}" = ?' for column in values)
                self._writer.execute(
                    f'UPDATE "{module}" SET {setting} WHERE id = ?',
                    (*values.values(), record_id),
                )
                if self._changes is not None and before:
                    differ = tuple(name for name in row if row[name] != before[name])
                    self._changes.append(Change(module, "update", record_id, differ, before))

    def leaving(self, module: str, ids: Iterable[int]) -> None:
        """Note for the listener records that are about to leave for the bin."""
        for record_id in ids:
            before = self._before(module, record_id)
            if self._changes is not None and before:
                self._changes.append(Change(module, "delete", record_id, before=before))

    def came_back(self, module: str, record_id: int) -> None:
        """Note for the listener a record that is there again without an insert."""
        if self._changes is not None:
            self._changes.append(Change(module, "insert", record_id, restored=True))

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        """Write to one of the tables that hold no records, such as ``tags`` or ``files``."""
        with self.transaction():
            self._writer.execute(sql, params)

    def remember(self, key: str, value: str) -> None:
        """Keep a text about the org in its file."""
        self.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def new_id(self) -> int:
        """Take the next record id; each is greater than all before it."""
        return self.count("id", FIRST_NEW_ID)

    def count(self, name: str, first: int = 1) -> int:
        """Take the next number of a counter."""
        with self.transaction():
            rows = self._writer.execute(
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name)"
                " DO UPDATE SET value = value + 1 RETURNING value",
                (name, first),
            ).fetchall()
        return int(rows[0][0])

    # -- loading a world -------------------------------------------------------------------------

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Open a transaction for :meth:`load`; indexes and roll-ups are made at its end."""
        with self._lock:
            self._writer.execute("PRAGMA foreign_keys = OFF")
            try:
                with self.transaction():
                    for kind, name in self._followers():
                        self._writer.execute(f'DROP {kind} "{name}"')
                    yield
                    for statement in ddl.followers(self.schema):
                        self._writer.execute(statement)
                    for module, each in ddl.rollups(self.schema):
                        self._writer.execute(ddl.rollup_sql(module, each))
            finally:
                self._writer.execute("PRAGMA foreign_keys = ON")

    def load(self, module: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add records by column, as they are: nothing is stamped."""
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" * len(columns))
        self._writer.executemany(
            f'INSERT INTO "{module}" ({names}) VALUES ({marks})',
            zip(*columns.values(), strict=True),
        )

    def close(self) -> None:
        """Close the file; a temporary one is removed."""
        with self._lock:
            while self._every:
                self._every.pop().close()
            if self._folder is not None:
                self._folder.cleanup()

    # -- private ---------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        """Open one more connection; it is lent to one user at a time, of any thread."""
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        self._every.append(connection)
        try:
            # An org on a checker may lose its last second in a power cut; it gains a factor of ten.
            connection.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;"
                "PRAGMA cache_size = -32768; PRAGMA mmap_size = 268435456; PRAGMA temp_store = 2;"
            )
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} is not an emulated org: {error}") from error
        connection.create_function("local_iso", 1, self._local_iso, deterministic=True)
        connection.create_function("shortest", 1, repr, deterministic=True)
        return connection

    def _local_iso(self, moment: int | None) -> str | None:
        """Write a moment in the org's zone, for zones whose offset changes with the seasons."""
        return None if moment is None else datetime.fromtimestamp(moment, self.zone).isoformat()

    def _open(self) -> None:
        """Make the tables of a new file, or see that an existing one is ours and sound."""
        statements = ddl.everything(self.schema)
        stamp = hashlib.sha256("\n".join(statements).encode()).hexdigest()
        if not self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            with self.transaction():
                for statement in statements:
                    self._writer.execute(statement)
                self._writer.execute("INSERT INTO meta VALUES ('schema', ?)", (stamp,))
                self._writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            return
        if self._writer.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise ValueError(f"{self.path} is a database, but not an emulated org")
        self._check(stamp)

    def _check(self, stamp: str) -> None:
        """Refuse a file that is damaged or was made by another version of the catalogue."""
        try:
            health = self._writer.execute("PRAGMA quick_check(1)").fetchone()[0]
            made = self._writer.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except sqlite3.DatabaseError as error:
            raise ValueError(f"{self.path} is damaged: {error}") from error
        if health != "ok":
            raise ValueError(f"{self.path} is damaged: {health}")
        if made != (stamp,):
            raise ValueError(
                f"{self.path} was made by another version of the emulator; make a new one"
            )

    def _note_time(self) -> None:
        """Keep the moment of a write, so that time goes on from there when the file is reopened."""
        self._writer.execute(
            "INSERT OR REPLACE INTO meta VALUES ('last_write', ?)", (str(self.clock.now()),)
        )

    def _before(self, module: str, record_id: int) -> dict[str, Any]:
        """Read a record that is about to change, when there is a listener."""
        if self._changes is None:
            return {}
        cursor = self._writer.execute(f'SELECT * FROM "{module}" WHERE id = ?', (record_id,))
        names = [column[0] for column in cursor.description]
        return dict(zip(names, cursor.fetchone() or (), strict=False))

    def _stamps(self, module: str, user: int, columns: Iterable[str]) -> dict[str, int]:
        """Say who and when, in those of the columns that the module has."""
        names, now = self.schema.module(module).by_name, self.clock.now()
        return {
            column: now if names[column].data_type == "datetime" else user
            for column in columns
            if column in names
        }

    def _numbers(self, module: str, numbered: Iterable[Field]) -> dict[str, str]:
        """Take the next value of each autonumber."""
        return {
            each.api_name: each.auto_number.text(
                self.count(f"{module}.{each.api_name}", each.auto_number.start)
            )
            for each in numbered
            if each.auto_number
        }

    def _execute_insert(self, module: str, record: Mapping[str, Any]) -> None:
        """Put one record into its table."""
        names = ", ".join(f'"{column}"' for column in record)
        marks = ", ".join("?" * len(record))
        self._writer.execute(
            f'INSERT INTO "{module}" ({names}) VALUES ({marks})',
            tuple(record.values()),
        )

    def _track(self, module: str, record_id: int) -> None:
        """Begin the histories of a new record."""
        for each in self.schema.trackers:
            if each.tracker and each.tracker.module == module:
                for statement in stay_begins(each, self.schema, str(record_id)):
                    self._writer.execute(statement)

    def _followers(self) -> list[tuple[str, str]]:
        """List kind and name of the indexes and triggers that are there now."""
        return self._writer.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('index', 'trigger')"
            " AND sql IS NOT NULL AND tbl_name IN (SELECT value FROM json_each(?))",
            (_json_names(self.schema),),
        ).fetchall()


def _json_names(schema: Schema) -> str:
    """Write the names of all modules as a JSON list."""
    return "[" + ", ".join(f'"{each.api_name}"' for each in schema.tables) + "]"
