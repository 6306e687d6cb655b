"""The kinds of files that a part of an export can be: Parquet, and CSV that is typed back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from zcrm_nb.frames.types import TEXT
from zcrm_nb.later import later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["BYTES_IN_GROUP", "FORMATS", "ROWS_IN_GROUP", "Format", "groups"]

(pq,) = later("pyarrow", "parquet")  # 10 ms of every import

ROWS_IN_GROUP = 64 * 1024  # small enough that a row group takes little memory
BYTES_IN_GROUP = 64 << 20
_BLOCK_BYTES = 16 << 20  # a row of a CSV file must fit into a block, and none of Zoho's is larger
_LARGEST_DICTIONARY_BYTES = 64 << 10
_BETWEEN = ";"  # values of a multi-select, as in Zoho's own CSV; no value of a picklist holds one


class Format(NamedTuple):
    """One kind of files."""

    ending: str  # of their names
    writer: Callable[[Any, pa.Schema], Any]  # opens a writer on a stream, for rows of a schema
    # reads the columns of a schema from a file of a file system
    read: Callable[[Any, str, pa.Schema], pa.Table]
    # makes an Arrow dataset of files of a file system, for rows of a schema
    scan: Callable[[Any, list[str], pa.Schema], Any]


def groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.Table]:
    """Put batches together until they are a row group, with one dictionary for each column."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROWS_IN_GROUP or size >= BYTES_IN_GROUP:
            yield pa.Table.from_batches(held, schema).unify_dictionaries()
            held, rows, size = [], 0, 0
    if held:
        yield pa.Table.from_batches(held, schema).unify_dictionaries()


def _datasets() -> Any:
    """Load Arrow's datasets, which `import zcrm_nb` can do without."""
    return importlib.import_module("pyarrow.dataset")


# ---- Parquet -------------------------------------------------------------------------------------


def _parquet_writer(stream: Any, schema: pa.Schema) -> Any:
    """Write row groups that are packed well and quickly, and read as plain texts by everybody.

    A dictionary of values that hardly repeat is given up early, and no engine is helped by knowing
    the first and the last of many texts.
    """
    return pq.ParquetWriter(
        stream,
        schema,
        compression="zstd",
        store_schema=False,
        dictionary_pagesize_limit=_LARGEST_DICTIONARY_BYTES,
        write_statistics=[
            each.name for each in schema if each.name == "id" or not _is_wordy(each.type)
        ],
    )


def _is_wordy(kind: pa.DataType) -> bool:
    """Whether a column holds texts."""
    return bool(pa.types.is_list(kind) or pa.types.is_dictionary(kind) or kind == TEXT)


def _read_parquet(files: Any, path: str, schema: pa.Schema) -> pa.Table:
    """Read a file; Parquet has no seconds, so they were written as milliseconds."""
    file = pq.ParquetFile(path, filesystem=files)
    if not file.num_row_groups:  # pyarrow 18 cannot read a file without rows
        return schema.empty_table()
    found = file.read(columns=schema.names)
    return found.select(schema.names).cast(schema)


def _scan_parquet(files: Any, paths: list[str], schema: pa.Schema) -> Any:
    """Let an engine read what it needs."""
    del schema
    return _datasets().dataset(paths, filesystem=files, format="parquet")


# ---- CSV -----------------------------------------------------------------------------------------


class _CsvWriter:
    """Writes rows as text: lists joined, times in UTC, empty where a value is missing."""

    def __init__(self, stream: Any, schema: pa.Schema) -> None:
        self._schema = _as_text(schema)
        self._writer = pcsv.CSVWriter(
            stream, self._schema, write_options=pcsv.WriteOptions(quoting_style="needed")
        )

    def __enter__(self) -> _CsvWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def write_table(self, table: pa.Table) -> None:
        """Write some rows."""
        columns = [
            pc.binary_join(each, pa.scalar(_BETWEEN, TEXT))
            if pa.types.is_list(each.type)
            else each.cast(to)
            for each, to in zip(table.columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(pa.table(columns, schema=self._schema))


def _read_csv(files: Any, path: str, schema: pa.Schema) -> pa.Table:
    """Read a file by the types of the manifest; nothing is guessed."""
    reading, parsing, converting = _csv_options(_as_text(schema))
    converting.include_columns = schema.names
    with files.open_input_stream(path) as stream:
        found = pcsv.read_csv(stream, reading, parsing, converting)
    columns_of = [
        pc.split_pattern(each, _BETWEEN) if pa.types.is_list(kind) else each
        for each, kind in zip(found.columns, schema.types, strict=True)
    ]
    return pa.table(columns_of, schema=schema)


def _scan_csv(files: Any, paths: list[str], schema: pa.Schema) -> Any:
    """Let an engine read the cells; a list is a text to it."""
    reading, parsing, converting = _csv_options(_as_text(schema))
    pads = _datasets()
    kind = pads.CsvFileFormat(parsing, read_options=reading, convert_options=converting)
    return pads.dataset(paths, _as_text(schema), filesystem=files, format=kind)


def _csv_options(
    types: pa.Schema,
) -> tuple[pcsv.ReadOptions, pcsv.ParseOptions, pcsv.ConvertOptions]:
    """Say how the files were written."""
    return (
        pcsv.ReadOptions(block_size=_BLOCK_BYTES),
        pcsv.ParseOptions(newlines_in_values=True),
        pcsv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )


def _as_text(schema: pa.Schema) -> pa.Schema:
    """Say of which types the cells of a file are: a list is a text in it."""
    return pa.schema([(each.name, TEXT if _is_wordy(each.type) else each.type) for each in schema])


FORMATS = {
    "parquet": Format("parquet", _parquet_writer, _read_parquet, _scan_parquet),
    "csv": Format("csv", _CsvWriter, _read_csv, _scan_csv),
}
"""By the name that ``crm.export(format=…)`` takes."""
