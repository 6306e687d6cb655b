"""An export on disk: files or a table, with a manifest that says what they are, for any engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zcrm_nb.frames.assemble import FrameAssembler, in_id_order
from zcrm_nb.frames.dask_partitions import PartitionReader, lazily
from zcrm_nb.frames.duckdb_store import DuckFile
from zcrm_nb.frames.formats import FORMATS
from zcrm_nb.frames.store import Folder, needed
from zcrm_nb.frames.types import Column, schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from zcrm_nb.frames.store import Store

__all__ = ["Export", "open_export", "store_at"]

_BY_ENDING = {".csv": "csv", ".parquet": "parquet", ".duckdb": "duckdb"}


def open_export(path: str | Path, *, table: str | None = None) -> Export:
    """Open an export that :meth:`zcrm_nb.CRM.export` wrote, today or last year.

    Parameters
    ----------
    path : str or Path
        The folder, or the address of one that fsspec knows, such as ``"s3://bucket/leads"``; or the
        DuckDB file.
    table : str, optional
        Which table of a DuckDB file that holds several exports.

    Returns
    -------
    Export
        With ``df()``, ``arrow()``, ``duckdb()`` and ``dask()``. Nothing is sent to Zoho.

    Raises
    ------
    FileNotFoundError
        There is no export.
    ValueError
        The export is not complete; the same ``crm.export``. Or
        the file holds several.

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
    is_file = "://" not in str(path) and Path(path).expanduser().is_file()
    store = DuckFile(str(path), table) if is_file else Folder(str(path))
    manifest = store.manifest()
    if manifest is None:
        raise FileNotFoundError(f"{path} holds no export.")
    if isinstance(store, Folder):
        store = Folder(str(path), manifest["format"])
    if not manifest["complete"]:
        raise ValueError(_not_complete(path, manifest))
    return Export(store, manifest)


def _not_complete(path: str | Path, manifest: Mapping[str, Any]) -> str:
    """Say why an export cannot be opened, and what completes it."""
    if manifest.get("failed"):
        return (
            f"The export in {path} is not complete and cannot be continued: {manifest['failed']}\n"
            "Run crm.export(…, fresh=True) to replace it."
        )
    return (
        f"The export in {path}, begun at {manifest['facts']['as_of']}, is not complete.\n"
        "Run the same crm.export(…) within a day of that to continue it; later, with fresh=True."
    )


def store_at(
    target: str | Path,
    module: str,
    *,
    format: str | None = None,  # noqa: A002 - as in export
    table: str | None = None,
) -> Store:
    """Find out what a target is to be."""
    ending = PurePosixPath(str(target)).suffix.lower()
    implied = _BY_ENDING.get(ending)
    kind = format or implied or "parquet"
    if kind not in {*FORMATS, "duckdb"}:
        raise ValueError(f"format={format!r} is not one of 'parquet', 'csv' and 'duckdb'.")
    if implied and kind != implied:
        raise ValueError(f"format={format!r} does not go with a target that ends in {ending}.")
    if kind == "duckdb":
        return DuckFile(str(target), table or module)
    if table is not None:
        raise ValueError("table= names a table of a DuckDB file, and this target is a folder.")
    return Folder(str(target), kind)


class Export:
    """An export that is complete, in files; made by :meth:`CRM.export` and :func:`open_export`.

    Parameters
    ----------
    store : Store
        Where it is.
    manifest : mapping
        What its manifest says.

    Attributes
    ----------
    path : str
        Where it is.
    module : str
        Whose records it holds.
    rows : int
        How many.
    as_of : str
        When it was begun: an ISO 8601 time in UTC.
    """

    def __init__(self, store: Store, manifest: Mapping[str, Any]) -> None:
        self._store, self._manifest = store, manifest
        self.path = store.target
        self.module = str(manifest["question"]["module"])
        self.rows = sum(part["rows"] for part in manifest["parts"].values())
        self.as_of = str(manifest["facts"]["as_of"])
        self._columns = [
            Column(name, kind, tuple(known)) for name, kind, known in manifest["columns"]
        ]
        self._schema = schema_of(self._columns, exact=manifest["exact"])

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
        counts = self._store.counts(self._manifest)
        filler = FrameAssembler(self._columns, rows=counts, tz=tz, exact=self._manifest["exact"])
        for number, piece in enumerate(self._pieces):
            filler.add(number, self._store.read(piece, self._schema))
        table = in_id_order(filler.frame())
        table.attrs["zcrm"] = {**self._manifest["facts"], "path": self.path}
        return table

    def arrow(self) -> pa.Table:
        """Read it all as an Arrow table.

        Returns
        -------
        pyarrow.Table
            Picklists are texts, datetimes in UTC; rows are in the order of the parts.
        """
        tables = [self._store.read(piece, self._schema) for piece in self._pieces]
        return pa.concat_tables([self._schema.empty_table(), *tables])

    def duckdb(self, connection: Any = None) -> Any:
        """Give it to DuckDB, which reads only what a query needs.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection, optional
            The connection to use. By default DuckDB's own for files, and a separate one for a
            DuckDB file, opened to read only as long as a relation made from it exists; a DuckDB
            file is attached to a connection that is given.

        Returns
        -------
        duckdb.DuckDBPyRelation
            ``export.duckdb().filter("City = 'Pune'").df()``. Columns as :meth:`arrow` has them.

        Raises
        ------
        ImportError
            DuckDB is not installed.
        OSError
            Another program writes to the DuckDB file.
        """
        return self._store.relation(self._manifest, self._schema, connection)

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
            of the parts. On a cluster the workers read the files, so they must see them.

        Raises
        ------
        ImportError
            Dask is not installed.

        Notes
        -----
        A record that Zoho put into two files, because others were deleted while it wrote them, is
        there twice; :meth:`df` has it once.
        """
        dask = needed("dask", "dask")
        columns = [self._with_unlisted(each) for each in self._columns]
        made = f"{self._manifest['job']} {self._manifest['facts'].get('as_of')}"
        reader = PartitionReader(
            self._store, columns, exact=self._manifest["exact"], tz=tz, made=made
        )
        return lazily(dask, reader, self._pieces)

    def _with_unlisted(self, column: Column) -> Column:
        """Add the choices that some part has and the CRM's list lacks: last, and sorted."""
        parts = self._manifest["parts"].values()
        found = [part.get("unlisted", {}).get(column.name, ()) for part in parts]
        return replace(column, categories=(*column.categories, *sorted(set().union(*found))))

    @property
    def _pieces(self) -> list[Any]:
        """What the store reads one by one."""
        return self._store.pieces(self._manifest)

    def __repr__(self) -> str:
        parts = len(self._manifest["parts"])
        word = "part" if parts == 1 else "parts"
        as_of = f"as of {self.as_of[:16].replace('T', ' ')} UTC"
        rows = f"{self.rows:,} rows in {parts} {word}"
        return f"<Export of {self.module}: {rows}, {as_of}, {self.path}>"
