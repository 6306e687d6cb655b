"""An export as a table of a DuckDB file: a part is a transaction."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from zcrm_nb.frames.formats import groups
from zcrm_nb.frames.store import Store, Unlisted, checked_manifest, key_of, needed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from zcrm_nb.frames.csv_reader import PartReader

__all__ = ["DuckFile"]

# What DuckDB may keep in memory, of which it would take most of the machine's: each of two parts
# that are being written holds a few blocks of 256 kB of every column.
MOST_MB, MOST_MB_FOR_A_COLUMN = 128, 2

# The schema where the file says what it holds.
_BOOKS = """
    CREATE SCHEMA IF NOT EXISTS zcrm_nb;
    CREATE TABLE IF NOT EXISTS zcrm_nb.exports ("table" VARCHAR, manifest VARCHAR);
    CREATE TABLE IF NOT EXISTS zcrm_nb.parts ("table" VARCHAR, part VARCHAR, said VARCHAR);
"""


class DuckFile(Store):
    """One table of a DuckDB file; beside it, in a schema of their own, manifests of all of them."""

    format = "duckdb"

    def __init__(self, target: str, table: str | None = None) -> None:
        super().__init__(target)
        if "://" in target:
            raise ValueError(f"A DuckDB file must be on a disk of this machine, not at {target}.")
        self._duckdb = needed("duckdb", "duckdb")
        self._path = Path(target).expanduser().absolute()
        self._table = table
        self._writing: Any = None
        self._is_new = False

    def __reduce__(self) -> tuple[type[DuckFile], tuple[str, str]]:
        """Pickle as an address: unpickling opens the file anew."""
        return DuckFile, (str(self._path), self.table)

    @property
    def table(self) -> str:
        """Name of the table."""
        if self._table is None:
            self._table = self._only_table()
        return self._table

    # ---- Writing ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the file, and check that the table name is free."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._is_new = not self._path.exists()
        with self._connected() as db:
            if self._has_table(db) and not self._is_export(db):
                raise ValueError(
                    f"{self.target} has a table {self.table} already, which is not an export: "
                    "name another one with table=."
                )

    def add(
        self, chain: int, number: int, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Append a part in a transaction."""
        rows, unlisted, key = 0, Unlisted(reader.columns), key_of(chain, number)
        with self._at_work(), self._cursor() as db:
            db.execute("BEGIN")
            for group in groups(self._while_open(batches), reader.stored):
                db.register("zcrm_nb_rows", group)
                db.execute(f"INSERT INTO {quoted(self.table)} FROM zcrm_nb_rows")
                unlisted.look_at(group)
                rows += len(group)
            with self._lock:  # rows get their ids in the order of the commits
                self._check_open()
                start = sum(part["rows"] for part in self._manifest["parts"].values())
                facts = {"start": start, "rows": rows, "unlisted": unlisted.found}
                line = [self.table, key, orjson.dumps(facts).decode()]
                db.execute("INSERT INTO zcrm_nb.parts VALUES (?, ?, ?)", line)
                db.execute("COMMIT")
                self._manifest["parts"][key] = facts
        return rows

    def close(self) -> None:
        """Let nothing be written any more, and let others open the file."""
        super().close()
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        if self._is_new and not self._manifest:
            self._path.unlink(missing_ok=True)

    def _discard(self) -> None:
        """Drop the table, if it is empty; :meth:`close` removes a file that was made for it."""
        with self._cursor() as db:
            db.execute(f"DROP TABLE IF EXISTS {quoted(self.table)}")
            db.execute('DELETE FROM zcrm_nb.exports WHERE "table" = ?', [self.table])
        self._manifest = {}

    def _begin(self, schema: pa.Schema, *, anew: bool) -> None:
        """Open the file for writing; make the table, where it is not there as it should be."""
        self._writing = self._opened()
        self._writing.execute(_BOOKS)
        most = MOST_MB + MOST_MB_FOR_A_COLUMN * len(schema)
        self._writing.execute(f"SET memory_limit = '{most}MB'")
        if anew:
            with self._cursor() as db:
                db.execute("BEGIN")
                self._make_table(db, schema)
                self._keep_line(db)
                db.execute("COMMIT")

    def _make_table(self, db: Any, schema: pa.Schema) -> None:
        """Put an empty table in the place of what is there."""
        table = quoted(self.table)
        db.execute(f"DROP TABLE IF EXISTS {table}")
        db.execute('DELETE FROM zcrm_nb.parts WHERE "table" = ?', [self.table])
        db.register("zcrm_nb_rows", schema.empty_table())
        db.execute(f"CREATE TABLE {table} AS FROM zcrm_nb_rows")

    def _keep_manifest(self) -> None:
        """Replace the line of this table, in one step."""
        with self._cursor() as db:
            db.execute("BEGIN")
            self._keep_line(db)
            db.execute("COMMIT")

    def _keep_line(self, db: Any) -> None:
        """Replace the line of this table; the parts have lines of their own."""
        line = orjson.dumps({**self._manifest, "parts": None}).decode()
        db.execute('DELETE FROM zcrm_nb.exports WHERE "table" = ?', [self.table])
        db.execute("INSERT INTO zcrm_nb.exports VALUES (?, ?)", [self.table, line])

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Give a connection of one's own to the file that is open; what is not committed goes."""
        db = self._writing.cursor()
        try:
            yield db
        finally:
            db.close()

    # ---- Reading ---------------------------------------------------------------------------------

    def manifest(self) -> dict[str, Any] | None:
        """Read the line of this table, and the parts of it."""
        if not self._path.exists():
            return None
        with self._connected(read_only=True) as db:
            return self._manifest_in(db)

    def pieces(self, manifest: Mapping[str, Any]) -> list[tuple[int, int]]:
        """List from which row to which each part lies in the table."""
        parts = [manifest["parts"][key] for key in sorted(manifest["parts"])]
        return [(part["start"], part["start"] + part["rows"]) for part in parts]

    def read(self, piece: tuple[int, int], schema: pa.Schema) -> pa.Table:
        """Read a range of rows."""
        start, end = piece
        rows = f"rowid >= {start} AND rowid < {end}"
        with self._connected(read_only=True) as db:
            found = db.table(quoted(self.table)).filter(rows)
            return found.project(", ".join(map(quoted, schema.names))).to_arrow_table().cast(schema)

    def relation(self, manifest: Mapping[str, Any], schema: pa.Schema, connection: Any) -> Any:
        """Open the file, or attach it to a connection, to read only."""
        del manifest, schema
        if connection is None:
            return self._opened(read_only=True).table(quoted(self.table))
        known = dict(
            connection.execute("SELECT path, database_name FROM duckdb_databases()").fetchall()
        )
        name = known.get(str(self._path))
        if name is None:
            name = f"{self._path.stem}-{len(known)}"
            place = str(self._path).replace("'", "''")
            connection.execute(f"ATTACH '{place}' AS {quoted(name)} (READ_ONLY)")
        return connection.table(f"{quoted(name)}.main.{quoted(self.table)}")

    # ---- The file --------------------------------------------------------------------------------

    def _opened(self, *, read_only: bool = False) -> Any:
        """Open the file, or say who has it."""
        try:
            return self._duckdb.connect(str(self._path), read_only=read_only)
        except self._duckdb.Error as error:
            raise OSError(
                f"DuckDB cannot open {self.target}: {str(error).splitlines()[0]}\n"
                "While one program writes to a DuckDB file, no other can open it. Close "
                "connections to it, and delete relations made from it, here and in other programs."
            ) from error

    @contextmanager
    def _connected(self, *, read_only: bool = False) -> Iterator[Any]:
        """Open the file for a moment."""
        db = self._opened(read_only=read_only)
        try:
            yield db
        finally:
            db.close()

    def _manifest_in(self, db: Any) -> dict[str, Any] | None:
        """Read the manifest of the table, if both are there."""
        if not _has_books(db) or not self._has_table(db):
            return None
        query = 'SELECT manifest FROM zcrm_nb.exports WHERE "table" = ?'
        found = db.execute(query, [self.table]).fetchall()
        if not found:
            return None
        query = 'SELECT part, said FROM zcrm_nb.parts WHERE "table" = ?'
        parts: Sequence[tuple[str, str]] = db.execute(query, [self.table]).fetchall()
        return checked_manifest(found[0][0], self.target, parts)

    def _is_export(self, db: Any) -> bool:
        """Whether the table was exported, though its manifest may be damaged."""
        query = 'SELECT count(*) FROM zcrm_nb.exports WHERE "table" = ?'
        return _has_books(db) and bool(db.execute(query, [self.table]).fetchall()[0][0])

    def _has_table(self, db: Any) -> bool:
        """Whether there is a table, or a view, of this name; DuckDB ignores case."""
        query = (
            "SELECT count(*) FROM information_schema.tables "
            "WHERE table_schema = 'main' AND lower(table_name) = lower(?)"
        )
        return bool(db.execute(query, [self.table]).fetchall()[0][0])

    def _only_table(self) -> str:
        """Find the one table that was exported, or ask for its name."""
        names: list[str] = []
        if self._path.exists():
            with self._connected(read_only=True) as db:
                if _has_books(db):
                    found = db.execute('SELECT "table" FROM zcrm_nb.exports ORDER BY 1').fetchall()
                    names = [name for (name,) in found]
        if len(names) == 1:
            return names[0]
        if not names:
            raise FileNotFoundError(f"{self.target} holds no export.")
        raise ValueError(
            f"{self.target} holds several exports; table= names one of {', '.join(names)}."
        )


def _has_books(db: Any) -> bool:
    """Whether anything was ever exported into a file."""
    query = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'zcrm_nb'"
    return bool(db.execute(query).fetchall()[0][0])
