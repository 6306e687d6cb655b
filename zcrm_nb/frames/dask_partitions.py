"""An export as a ``dask.dataframe``: a partition for each part, with the types that ``df()`` has.

Dask's own Parquet reader goes by what it finds: whole numbers are ``int64`` in one part and
``float64`` in the next, days are objects and picklists texts. Here each partition is made by the
columns that the manifest names, as the whole table is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zcrm_nb.frames.assemble import FrameAssembler
from zcrm_nb.frames.types import Column, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    import pandas as pd

    from zcrm_nb.frames.store import Store

__all__ = ["PartitionReader", "lazily"]


class PartitionReader:
    """Reads one piece of an export as a DataFrame, on whichever machine Dask wants it."""

    def __init__(
        self, store: Store, columns: Sequence[Column], *, exact: bool, tz: str, made: str
    ) -> None:
        self._store, self._columns, self._made = store, list(columns), made
        self._exact, self._tz = exact, tz

    def __call__(self, piece: Any, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a piece; where Dask knows which columns it needs, only those."""
        known = {each.name: each for each in self._columns}
        wanted = self._columns if columns is None else [known[name] for name in columns]
        filler = self._filler(wanted)
        filler.add(0, self._store.read(piece, schema_of(wanted, exact=self._exact)))
        return filler.frame()

    def empty(self) -> pd.DataFrame:
        """Show the types that every partition has."""
        return self._filler(self._columns).frame()

    def _filler(self, columns: Sequence[Column]) -> FrameAssembler:
        """Make what types a table."""
        return FrameAssembler(columns, tz=self._tz, exact=self._exact)


def lazily(dask: ModuleType, reader: PartitionReader, pieces: Sequence[Any]) -> Any:
    """Make a ``dask.dataframe`` of the pieces of an export."""
    frames = importlib.import_module("dask.dataframe")
    # Else Dask would take every object for a text, and multi-selects would be "['English']".
    with dask.config.set({"dataframe.convert-string": False}):
        return frames.from_map(reader, list(pieces), meta=reader.empty(), label="zcrm-part")
