"""Parts of a bulk export: the CSV in a ZIP becomes typed Arrow, by the same columns as JSON does.

A bulk file has ids where JSON has lookups, and names only in columns that the job asked for by a
dotted path. So a reader also gets the columns that hold the names of lookups; users
are named by the directory. What comes out is flat: a lookup is two columns, ``X`` and ``X.id``.

Arrow's CSV parser reads by the types of the columns and never guesses. A file that does not fit
them is read again as text, and each column converted by itself, as JSON answers are.
"""

from __future__ import annotations

import csv
import io
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from zcrm_nb.frames.json_reader import from_values
from zcrm_nb.frames.types import TEXT, Column, Misfits, schema_of
from zcrm_nb.frames.zip_member import Member, damaged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike

    Path = str | PathLike[str]

__all__ = ["NOT_IN_BULK", "PartReader", "flat", "header"]

NOT_IN_BULK = frozenset({"object", "tags"})
"""Kinds of columns that a CSV file cannot hold."""

# Larger blocks are slower: they no longer fit the processor's caches. A row must fit into one.
_BLOCK_BYTES = 1 << 20
_LARGEST_BLOCK_BYTES = 64 << 20
_BLOCKS_AHEAD = 4  # that are unpacked while one is made use of
_LONGEST_WAIT_S = 1.0
_RECORD_ID = ("Id", "id")  # the file's word for it, and everybody else's
_CODED = pa.dictionary(pa.int32(), pa.string())  # what repeats: parsed once for each value
_TRUE, _FALSE = ["true", "True", "TRUE"], ["false", "False", "FALSE"]


def flat(columns: Iterable[Column]) -> list[Column]:
    """List the columns that a table has, once each lookup is two of them.

    Examples
    --------
    >>> from zcrm_nb.frames import Column
    >>> from zcrm_nb.frames.csv_reader import flat
    >>> [each.name for each in flat([Column("id", "text"), Column("Owner", "user")])]
    ['id', 'Owner', 'Owner.id']
    """
    found: list[Column] = []
    for column in columns:
        if column.kind in {"lookup", "user"}:
            found += [Column(column.name, "text"), Column(f"{column.name}.id", "text")]
        else:
            found.append(column)
    return found


def header(path: Path) -> list[str]:
    """Read the names of a part's columns, as they stand in the file."""
    with Member(path) as member, io.BufferedReader(member, _BLOCK_BYTES) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        return next(csv.reader(text), [])


_ADVICE = (
    "Leave the column out of this export, and read it with crm.coql(…) or crm.records(…), where "
    "as_is=[{name}] brings the values as Zoho sends them."
)


class PartReader:
    r"""Reads parts of one export, each a ZIP file with one CSV file in it.

    ``names`` has for each lookup the column of the file that holds its name, ``users`` full names
    by id. In :attr:`stored` picklists and users, whose values repeat, are dictionaries.

    Notes
    -----
    A reader keeps nothing of what it reads and may be used from several threads, a part each.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from pathlib import Path
    >>> from zcrm_nb.frames import Column
    >>> from zcrm_nb.frames.csv_reader import PartReader
    >>> columns = [Column("id", "text"), Column("Owner", "user")]
    >>> reader = PartReader(columns, users={"7": "Ada Ruiz"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "4108.zip")
    ...     with zipfile.ZipFile(path, "w") as made:
    ...         made.writestr("4108.csv", "Id,Owner\n410800000000000001,7\n")
    ...     reader.table(path).to_pylist()
    [{'id': '410800000000000001', 'Owner': 'Ada Ruiz', 'Owner.id': '7'}]
    """

    def __init__(
        self,
        columns: Iterable[Column],
        *,
        names: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        exact: bool = False,
    ) -> None:
        self._wanted = list(columns)
        self._names, self._users, self.exact = dict(names or {}), users or {}, exact
        if unsupported := [each.name for each in self._wanted if each.kind in NOT_IN_BULK]:
            raise ValueError(f"No CSV file holds {', '.join(unsupported)}.")
        self._user_columns = [each.name for each in self._wanted if each.kind == "user"]
        self.columns = flat(self._wanted)
        self.schema = schema_of(self.columns, exact=exact)
        self.stored = self._schema_of_batches()
        self._types = self._types_in_file()
        self.asks = set(self._types) - set(_RECORD_ID)

    def table(self, path: Path, *, threads: bool = False) -> pa.Table:
        """Read a whole part."""
        try:
            with Member(path) as member:
                if not member.size:
                    return self.stored.empty_table()
                raw = pcsv.read_csv(member, **self._options(self._types, threads=threads))
        except pa.ArrowInvalid:
            return pa.Table.from_batches(self._patiently(path), self.stored)
        return pa.table(self._typed_flat(raw.column, raw.num_rows), schema=self.stored)

    def batches(self, path: Path, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """Read a part a little at a time, so that memory does not depend on its size."""
        given = 0
        try:
            for raw in self._stream(path, self._types):
                arrays = self._typed_flat(raw.column, raw.num_rows)
                batch = pa.record_batch(arrays, schema=self.stored)
                yield from _behind(batch, skip - given)
                given += batch.num_rows
        except pa.ArrowInvalid:
            yield from self._patiently(path, skip=max(skip, given))

    def nameless(self, batch: pa.RecordBatch) -> dict[str, dict[str, str]]:
        """Find users without a name."""
        found: dict[str, dict[str, str]] = {}
        for name in self._user_columns:
            names, ids = batch[name], batch[f"{name}.id"]
            if "." in name or names.null_count == ids.null_count:
                continue
            which = pc.and_(names.is_null(), ids.is_valid())
            users, records = (each.filter(which).to_pylist() for each in (ids, batch["id"]))
            found[name] = dict(zip(users, records, strict=True))
        return found

    def named(self, batch: pa.RecordBatch, users: Mapping[str, str | None]) -> pa.RecordBatch:
        """Name users who have no name yet."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in self._user_columns:
            known = _full_names(columns[f"{name}.id"], users)
            names = pc.coalesce(columns[name].cast(TEXT), known.cast(TEXT))
            columns[name] = _cast(names, _CODED)
        return pa.record_batch(list(columns.values()), schema=batch.schema)

    # ---- The types in the file -------------------------------------------------------------------

    def _rest(self, column: Column) -> pa.DataType:
        """Name the Arrow type of a column."""
        return schema_of([column], exact=self.exact).field(0).type

    def _schema_of_batches(self) -> pa.Schema:
        """Say which columns are dictionaries while they are on their way."""
        repeating = {each.name for each in self._wanted if each.kind == "picklist"}
        repeating |= {f"{name}{ending}" for name in self._user_columns for ending in ("", ".id")}
        return pa.schema(
            [(each.name, _CODED if each.name in repeating else each.type) for each in self.schema]
        )

    def _types_in_file(self) -> dict[str, pa.DataType]:
        """Name the type that each column of the file is parsed by; ``id`` has two names."""
        types: dict[str, pa.DataType] = {}
        for column in self._wanted:
            if column.kind in {"lookup", "multipicklist"}:
                types[column.name] = TEXT
            elif column.kind in {"user", "picklist"}:
                types[column.name] = _CODED
            else:
                types[column.name] = self._rest(column)
            if name := self._names.get(column.name):
                types[name] = TEXT
        return types | dict.fromkeys(_RECORD_ID, TEXT) if "id" in types else types

    def _options(
        self, types: Mapping[str, pa.DataType], *, threads: bool = False
    ) -> dict[str, Any]:
        """Return options for Arrow's parser: by types, nulls where nothing stands, whole texts."""
        return {
            "read_options": pcsv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=threads),
            "parse_options": pcsv.ParseOptions(newlines_in_values=True),
            "convert_options": pcsv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                include_missing_columns=True,
                # Names such as "NA" are names. An empty text and none look the same in the file.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                true_values=_TRUE,
                false_values=_FALSE,
            ),
        }

    def _stream(
        self, path: Path, types: Mapping[str, pa.DataType], block: int = _BLOCK_BYTES
    ) -> Iterator[pa.RecordBatch]:
        """Parse a part block by block."""
        options = self._options(types)
        options["read_options"].block_size = block
        with Member(path) as member, _Paced(member) as paced:
            if member.size:
                reader = pcsv.open_csv(paced, **options)  # outlives the block, for what ends it
                for batch in reader:
                    yield batch
                    paced.used()

    # ---- From columns of the file to flat columns ------------------------------------------------

    def _typed_flat(self, read: Any, rows: int) -> list[Any]:
        """Make the columns of a table from those of the file, of the types that are stored."""
        columns = zip(self._flat(read, rows), self.stored.types, strict=True)
        return [_cast(each, to) for each, to in columns]

    def _flat(self, read: Any, rows: int) -> list[Any]:
        """Make the columns of a table from those of the file."""
        found: list[Any] = []
        for column in self._wanted:
            if column.kind in {"lookup", "user"}:
                found += self._named(column, read, rows)
            elif column.name == "id":
                found.append(_record_id(read))
            elif column.kind == "multipicklist" and read(column.name).type == TEXT:
                found.append(pc.split_pattern(read(column.name), ";"))
            else:
                found.append(read(column.name))
        return found

    def _named(self, column: Column, read: Any, rows: int) -> list[Any]:
        """Make two columns, name and id."""
        ids = read(column.name)
        at = self._names.get(column.name)
        names = read(at) if at else pa.nulls(rows, TEXT)
        if column.kind == "user":
            known = _full_names(ids, self._users)
            names = pc.coalesce(known.cast(TEXT), names) if at else known
        return [names, ids]

    # ---- What does not fit -----------------------------------------------------------------------

    def _patiently(self, path: Path, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """Read a part as text and mend what does not fit its column, batch by batch."""
        as_text = dict.fromkeys(self._types, pa.large_binary())
        seen = 0
        try:
            for raw in self._stream(path, as_text, _LARGEST_BLOCK_BYTES):
                part = list(_behind(raw, skip - seen))
                seen += raw.num_rows
                for rest in part:
                    yield self._mended(rest)
        except pa.ArrowInvalid as error:
            if not _is_bare_header(path):
                raise damaged(path, "holds a table that cannot be read") from error

    def _mended(self, raw: pa.RecordBatch) -> pa.RecordBatch:
        """Type one batch of texts column by column."""
        kinds = {each.name: each for each in self._wanted if each.kind not in {"lookup", "user"}}

        def read(name: str) -> Any:
            text = _text(raw.column(name))
            return self._typed(text, kinds[name]) if name in kinds else text

        arrays = self._typed_flat(read, raw.num_rows)
        return pa.record_batch(arrays, schema=self.stored)

    def _typed(self, text: pa.Array, column: Column) -> pa.Array:
        """Cast a column of texts, or mend it value by value."""
        if column.kind != "multipicklist":
            try:
                return text.cast(self._rest(column))
            except pa.ArrowInvalid:
                pass
        return from_values(
            text.to_pylist(), column, exact=self.exact, misfits=Misfits(advice=_ADVICE)
        )


class _Paced:
    """A stream that is read a few blocks ahead of its use; left alone, Arrow would hold 32.

    No wait is endless: a block that gave no batch only means that one more is read ahead.
    """

    closed = False

    def __init__(self, stream: Member) -> None:
        self._stream, self._room = stream, threading.Semaphore(_BLOCKS_AHEAD)
        self._over = False

    def __enter__(self) -> _Paced:
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self._room.release()  # the reading thread may wait here, and ending it waits for the thread

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int) -> bytes:
        """Read a block, as soon as there is room for it."""
        self._room.acquire(timeout=_LONGEST_WAIT_S)
        return b"" if self._over else self._stream.read(size)

    def used(self) -> None:
        """Make room for one more."""
        self._room.release()


def _is_bare_header(path: Path) -> bool:
    """Whether a file is one line without an end, which Arrow takes for no table."""
    with Member(path) as member:
        return member.size <= _BLOCK_BYTES and b"\n" not in member.readall().strip()


def _record_id(read: Any) -> Any:
    """Take the record's id from where the file has it."""
    upper, lower = (read(name) for name in _RECORD_ID)
    return lower if upper.null_count == len(upper) else upper


def _full_names(ids: Any, users: Mapping[str, str | None]) -> Any:
    """Look users up, each of them once in a chunk."""
    if isinstance(ids, pa.ChunkedArray):
        return pa.chunked_array([_full_names(each, users) for each in ids.chunks], _CODED)
    coded = _cast(ids, _CODED)
    names = [users.get(each) for each in coded.dictionary.to_pylist()]
    # Encoded once more: two users may have one name, and no value of a dictionary is null.
    name_of = pa.array(names, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(name_of.indices.take(coded.indices), name_of.dictionary)


def _cast(values: Any, to: pa.DataType) -> Any:
    """Cast where it is needed."""
    if values.type == to:
        return values
    return values.cast(pa.string()).dictionary_encode() if to == _CODED else values.cast(to)


def _behind(batch: pa.RecordBatch, skip: int) -> Iterator[pa.RecordBatch]:
    """Leave out so many rows at the beginning of a batch; nothing when none is left."""
    rest = batch.slice(max(skip, 0)) if skip > 0 else batch
    if rest.num_rows:
        yield rest


def _text(raw: pa.Array) -> pa.Array:
    """Read bytes as text; broken UTF-8 becomes replacement characters, nothing at all null."""
    try:
        return raw.cast(TEXT)
    except pa.ArrowInvalid:
        texts = [
            each if each is None else each.decode(errors="replace") for each in raw.to_pylist()
        ]
        return pa.array(texts, TEXT)
