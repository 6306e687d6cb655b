"""An export on disk: one Parquet file a part, and a manifest that says what they are."""

from __future__ import annotations

import importlib
import re
import threading
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs as files

from zcrm_nb.frames.fill import Filler, in_id_order
from zcrm_nb.frames.lazily import PartitionReader, lazily
from zcrm_nb.frames.types import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    import pandas as pd

    from zcrm_nb.frames.parts import PartReader

__all__ = ["Export", "Store", "open_export"]

MANIFEST = "manifest.json"
_PART = re.compile(r"part-\d{3}-\d{5}\.parquet")
UNFINISHED = ".unfinished"  # how the name of a file ends that may still be in the making
ROWS_IN_GROUP = 64 * 1024  # small enough that a row group is no memory to speak of


def open_export(path: str | Path) -> Export:
    """Open an export that :meth:`zcrm_nb.CRM.export` wrote, today or last year.

    Parameters
    ----------
    path : str or Path
        The folder, or the address of one that fsspec knows, such as ``"s3://bucket/leads"``.

    Returns
    -------
    Export
        With ``df()``, ``arrow()``, ``duckdb()`` and ``dask()``. Nothing is sent to Zoho.

    Raises
    ------
    FileNotFoundError
        There is no export.
    ValueError
        The export is not complete: whoever began it can go on with the same ``crm.export``.

    Examples
    --------
    >>> import tempfile, zcrm_nb
    >>> from zcrm_nb.emulator import ManualClock
    >>> crm = zcrm_nb.emulate(rows={"Leads": 50}, clock=ManualClock())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = crm.export("Leads", f"{folder}/leads", ["Last_Name", "City"])
    ...     zcrm_nb.open_export(f"{folder}/leads").df().shape
    (50, 3)
    >>> crm.close()
    """
    store = Store(path)
    told = store.manifest()
    if told is None:
        raise FileNotFoundError(f"{path} holds no export: there is no {MANIFEST} in it.")
    if not told["complete"]:
        raise ValueError(f"The export in {path} is not complete; the same crm.export goes on.")
    return Export(store, told)


class Store:
    """The folder of one export. A part in it is whole or absent.

    Parameters
    ----------
    target : str or Path
        A folder, or an address that fsspec knows.
    """

    def __init__(self, target: str | Path) -> None:
        self.target = str(target)
        self._files, self._folder = _opened(self.target)
        self._lock = threading.Lock()
        self._told: dict[str, Any] = {}

    def manifest(self) -> dict[str, Any] | None:
        """Read what the folder says of itself; ``None`` where there is no export."""
        path = self.path(MANIFEST)
        if self._files.get_file_info(path).type == files.FileType.NotFound:
            return None
        with self._files.open_input_stream(path) as stream:
            told: dict[str, Any] = orjson.loads(stream.read())
        return told

    def begin(self, reader: PartReader, facts: Mapping[str, Any]) -> None:
        """Say what will be here; parts of the same question that are here already stay."""
        self._files.create_dir(self._folder, recursive=True)
        kinds = [[each.name, each.kind, list(each.categories)] for each in reader.columns]
        before = self.manifest() or {}
        self._told = {**facts, "exact": reader.exact, "columns": kinds, "complete": False}
        same = all(before.get(key) == self._told[key] for key in ("question", "job", "columns"))
        self._told["parts"] = before["parts"] if same else {}
        self._sweep()
        self._write_manifest()

    def has(self, chain: int, number: int) -> bool:
        """Tell whether a part is here."""
        return _key(chain, number) in self._told["parts"]

    def add(
        self, chain: int, number: int, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> int:
        """Write a part, and only then say that it is here; return how many rows it has."""
        written = self.write(reader, batches)
        self.take(chain, number, written)
        return int(written["rows"])

    def write(self, reader: PartReader, batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
        """Write a part under a name that nobody reads, for :meth:`take`; say what is in it.

        It needs no manifest: other machines may write parts, if one takes them.
        """
        name = f"{token_hex(8)}{UNFINISHED}"
        try:
            return {"file": name, **self._write_part(self.path(name), reader, batches)}
        except BaseException:
            self._files.delete_file(self.path(name))
            raise

    def take(self, chain: int, number: int, written: Mapping[str, Any]) -> None:
        """Give what :meth:`write` wrote, here or elsewhere, its place, and say that it is here."""
        name = f"part-{chain:03d}-{number:05d}.parquet"
        self._files.move(self.path(written["file"]), self.path(name))
        with self._lock:
            self._told["parts"][_key(chain, number)] = {**written, "file": name}
            self._write_manifest()

    def finish(self) -> Export:
        """Say that all parts are here."""
        with self._lock:
            self._told["complete"] = True
            self._write_manifest()
        self._sweep()
        return Export(self, self._told)

    def path(self, name: str) -> str:
        """Give the path of a file of the export, in its file system."""
        return f"{self._folder}/{name}"

    def read(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Read one part, or some columns of it."""
        return pq.read_table(self.path(name), columns=columns, filesystem=self._files)

    @property
    def filesystem(self) -> files.FileSystem:
        """Where it is."""
        return self._files

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        """Travel as an address: whoever unpickles it opens the folder anew."""
        local = "://" not in self.target
        return type(self), (str(Path(self.target).absolute()) if local else self.target,)

    def _write_part(
        self, path: str, reader: PartReader, batches: Iterable[pa.RecordBatch]
    ) -> dict[str, Any]:
        """Write the rows of a part as they come; return how many, and which choices are new."""
        rows, unlisted = 0, _Unlisted(reader.columns)
        with (
            self._files.open_output_stream(path) as stream,
            pq.ParquetWriter(stream, reader.schema, compression="zstd") as writer,
        ):
            for group in _groups(batches, reader.schema):
                writer.write_table(group, row_group_size=ROWS_IN_GROUP)
                unlisted.look_at(group)
                rows += len(group)
        return {"rows": rows, "unlisted": unlisted.found}

    def _sweep(self) -> None:
        """Delete what was begun and never taken, and in the end parts of an export before."""
        taken = {part["file"] for part in self._told["parts"].values()}
        for each in self._files.get_file_info(files.FileSelector(self._folder)):
            name = each.base_name
            old = self._told["complete"] and _PART.fullmatch(name) and name not in taken
            if name.endswith(UNFINISHED) or old:
                self._files.delete_file(each.path)

    def _write_manifest(self) -> None:
        """Replace the manifest in one step."""
        fresh = self.path(f"{MANIFEST}{UNFINISHED}")
        with self._files.open_output_stream(fresh) as stream:
            stream.write(orjson.dumps(self._told, option=orjson.OPT_INDENT_2))
        self._files.move(fresh, self.path(MANIFEST))


class Export:
    """An export that is complete, in files; made by :meth:`CRM.export` and :func:`open_export`.

    Parameters
    ----------
    store : Store
        Where it is.
    told : mapping
        What its manifest says.

    Attributes
    ----------
    path : str
        Where it is.
    module : str
        Whose records it holds.
    rows : int
        How many.
    """

    def __init__(self, store: Store, told: Mapping[str, Any]) -> None:
        self._store, self._told = store, told
        self.path = store.target
        self.module = str(told["question"]["module"])
        self._parts = [told["parts"][key] for key in sorted(told["parts"])]
        self.rows = sum(part["rows"] for part in self._parts)

    def df(self, *, tz: str = "UTC") -> pd.DataFrame:
        """Read it all as a DataFrame.

        Parameters
        ----------
        tz : str, default "UTC"
            Time zone of datetime columns.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
            The same that :meth:`CRM.bulk` gives: the dtypes come from the manifest.
        """
        counts = [part["rows"] for part in self._parts]
        filler = Filler(self._columns, rows=counts, tz=tz, exact=self._told["exact"])
        for number, part in enumerate(self._parts):
            filler.add(number, self._store.read(part["file"]))
        table = in_id_order(filler.frame())
        table.attrs["zcrm"] = {**self._told["facts"], "path": self.path}
        return table

    def arrow(self) -> pa.Table:
        """Read it all as an Arrow table.

        Returns
        -------
        pyarrow.Table
            Picklists are texts, datetimes in UTC.
        """
        return pa.concat_tables(self._store.read(part["file"]) for part in self._parts)

    def duckdb(self, connection: Any = None) -> Any:
        """Give it to DuckDB, which reads only what a query needs.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection, optional
            Where; DuckDB's own by default.

        Returns
        -------
        duckdb.DuckDBPyRelation
            ``export.duckdb().filter("City = 'Pune'").df()``.

        Raises
        ------
        ImportError
            DuckDB is not installed.
        """
        duckdb = _needed("duckdb", "duckdb")
        dataset = importlib.import_module("pyarrow.dataset")
        found = dataset.dataset(self._paths, filesystem=self._store.filesystem, format="parquet")
        return duckdb.from_arrow(found, connection=connection or duckdb.default_connection())

    def dask(self, *, tz: str = "UTC") -> Any:
        """Give it to Dask, a partition for each part.

        Parameters
        ----------
        tz : str, default "UTC"
            Time zone of datetime columns.

        Returns
        -------
        dask.dataframe.DataFrame
            Nothing is read yet. Computed, it has the dtypes of :meth:`df`; rows are in the order
            of the files. On a cluster the workers read the files, so they must see them.

        Raises
        ------
        ImportError
            Dask is not installed.

        Notes
        -----
        A record that Zoho put into two files, because others were deleted while it wrote them, is
        there twice; :meth:`df` has it once.
        """
        dask = _needed("dask", "dask")
        columns = [self._with_unlisted(each) for each in self._columns]
        made = f"{self._told['job']} {self._told['facts'].get('as_of')}"
        reader = PartitionReader(self._store, columns, exact=self._told["exact"], tz=tz, made=made)
        return lazily(dask, reader, [part["file"] for part in self._parts])

    @property
    def _columns(self) -> list[Column]:
        """The columns, as the manifest names them."""
        return [Column(name, kind, tuple(values)) for name, kind, values in self._told["columns"]]

    def _with_unlisted(self, column: Column) -> Column:
        """Add the choices that some part has and the CRM's list lacks: last, and sorted."""
        found = [part.get("unlisted", {}).get(column.name, ()) for part in self._parts]
        return replace(column, categories=(*column.categories, *sorted(set().union(*found))))

    @property
    def _paths(self) -> list[str]:
        """The files, in the order of the parts."""
        return [self._store.path(part["file"]) for part in self._parts]

    def __repr__(self) -> str:
        parts = len(self._parts)
        word = "part" if parts == 1 else "parts"
        return f"<Export of {self.module}: {self.rows:,} rows in {parts} {word}, {self.path}>"


def _opened(target: str) -> tuple[files.FileSystem, str]:
    """Find the file system of a target, and its folder in it."""
    if "://" not in target:
        return files.LocalFileSystem(), target.rstrip("/")
    fsspec = _needed("fsspec", "dask")
    system, path = fsspec.core.url_to_fs(target)
    return files.PyFileSystem(files.FSSpecHandler(system)), path.rstrip("/")


def _needed(module: str, extra: str) -> ModuleType:
    """Import a library that not every install has, or say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise ImportError(f"This needs {module}: pip install 'zcrm-nb[{extra}]'") from missing


class _Unlisted:
    """Finds the values of picklists that the CRM does not list, while a part is written."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._listed = {
            each.name: set(each.categories) for each in columns if each.kind == "picklist"
        }
        self._found: dict[str, set[str]] = {name: set() for name in self._listed}

    def look_at(self, group: pa.Table) -> None:
        """Look at each value once."""
        for name, listed in self._listed.items():
            values = pc.unique(group[name].drop_null()).to_pylist()
            self._found[name].update(value for value in values if value not in listed)

    @property
    def found(self) -> dict[str, list[str]]:
        """By column, sorted; columns without any are not named."""
        return {name: sorted(values) for name, values in self._found.items() if values}


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterable[pa.Table]:
    """Put batches together until they are a row group; an empty part has none."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= ROWS_IN_GROUP:
            yield pa.Table.from_batches(held, schema)
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held, schema)


def _key(chain: int, number: int) -> str:
    """Name a part in the manifest, so that names sort as parts do."""
    return f"{chain:03d}-{number:05d}"
