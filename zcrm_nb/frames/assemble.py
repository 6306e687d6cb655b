"""Parts to one DataFrame: numbers go where they will stay, texts are not copied.

Joining tables and converting the whole at the end would hold everything twice. Where the number of
rows of each part is told beforehand, each part is written into its place in the final arrays; where
it is not, or was told wrong, columns are joined one after the other when all are there.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zcrm_nb.frames.types import DECIMAL, STRING, TEXT, Column, categorical

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    from zcrm_nb.frames.csv_reader import PartReader

__all__ = ["FrameAssembler", "from_parts", "in_id_order"]


class FrameAssembler:
    """One table in the making, filled part by part, from several threads.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from zcrm_nb.frames import Column
    >>> from zcrm_nb.frames.assemble import FrameAssembler
    >>> filler = FrameAssembler([Column("Employees", "integer")])
    >>> filler.add(1, pa.table({"Employees": [None, 3]}))
    2
    >>> filler.add(0, pa.table({"Employees": [12]}))
    1
    >>> filler.frame()["Employees"].tolist()
    [12, <NA>, 3]
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        rows: Sequence[int] | None = None,
        tz: str = "UTC",
        exact: bool = False,
    ) -> None:
        self._tz = tz
        kinds = {**_SINKS, "float": _Arrow} if exact else _SINKS
        self._sinks = {each.name: kinds.get(each.kind, _Arrow)(each, rows) for each in columns}

    def add(self, part: int, table: pa.Table, *, threads: bool = False) -> int:
        """Put one part into its place."""
        rows, columns = len(table), dict(zip(table.column_names, table.columns, strict=True))
        del table

        def put(name: str) -> None:
            self._sinks[name].put(part, columns.pop(name))

        with ThreadPoolExecutor(_workers()) as pool:
            for _ in (pool.map if threads else map)(put, self._sinks):
                pass
        return rows

    def frame(self) -> pd.DataFrame:
        """Give the table, once all parts are in it; the filler is empty then."""
        sinks, self._sinks = self._sinks, {}
        data = {name: sinks.pop(name).array(self._tz) for name in list(sinks)}
        return pd.DataFrame(data, copy=False)


class _Room:
    """A numpy array for all parts, or one for each until they are joined."""

    def __init__(self, dtype: Any, rows: Sequence[int] | None, *, zero: bool = False) -> None:
        self._dtype = np.dtype(dtype)
        self._rows = list(rows or ())
        self._new: Callable[..., Any] = np.zeros if zero else np.empty
        self._starts = list(accumulate(self._rows, initial=0))
        self._whole = None if rows is None else self._new(self._starts[-1], self._dtype)
        self._blocks: dict[int, Any] = {}

    def for_part(self, part: int, count: int, dtype: Any = None) -> Any:
        """Give the place for so many values: in the whole where they fit, else beside it."""
        expected = self._rows[part] if part < len(self._rows) else None
        if self._whole is not None and expected == count and dtype in {None, self._dtype}:
            start = self._starts[part]
            self._blocks[part] = self._whole[start : start + count]
        else:
            self._blocks[part] = self._new(count, dtype or self._dtype)
        return self._blocks[part]

    def joined(self) -> Any:
        """Give all values in one array, without a copy where they are in it already."""
        blocks = [self._blocks[part] for part in sorted(self._blocks)]
        in_place = all(each.base is self._whole is not None for each in blocks)
        if self._whole is not None and in_place and sum(map(len, blocks)) == len(self._whole):
            return self._whole
        self._blocks.clear()
        return np.concatenate(blocks) if blocks else self._new(0, self._dtype)


class _Sink:
    """Where the values of one column go."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        self.column, self.rows = column, rows

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Take the values of one part."""
        raise NotImplementedError

    def array(self, tz: str) -> Any:
        """Give the values of all parts as pandas wants them."""
        raise NotImplementedError


class _Arrow(_Sink):
    """Texts and decimals: Arrow's own memory, a chunk for each part."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        self._chunks: dict[int, pa.Array] = {}
        self._type = DECIMAL if column.kind == "float" else TEXT

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Keep them; a chunk for each block would make every later step slow."""
        self._chunks[part] = _one(values.cast(self._type) if _is_coded(values) else values)

    def array(self, tz: str) -> Any:
        """Hand Arrow's memory over."""
        del tz
        chunks = [self._chunks[part] for part in sorted(self._chunks)]
        dtype: Any = STRING if self._type == TEXT else pd.ArrowDtype(self._type)
        return dtype.__from_arrow__(pa.chunked_array(chunks, self._type))


class _Masked(_Sink):
    """Whole numbers and truth values, which know "nothing"."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        truth = column.kind == "boolean"
        self._array = pd.arrays.BooleanArray if truth else pd.arrays.IntegerArray
        self._nothing: Any = False if truth else 0
        self._values = _Room(np.bool_ if truth else np.int64, rows)
        self._mask = _Room(np.bool_, rows, zero=True)

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Write values and mask."""
        self._values.for_part(part, len(values))[:] = values.fill_null(self._nothing).to_numpy()
        mask = self._mask.for_part(part, len(values))
        if values.null_count:
            mask[:] = values.is_null().to_numpy()

    def array(self, tz: str) -> Any:
        """Join them."""
        del tz
        return self._array(self._values.joined(), self._mask.joined())


class _Float(_Sink):
    """Numbers whose "nothing" is NaN."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        self._values = _Room(np.float64, rows)

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Write them into their place."""
        self._values.for_part(part, len(values))[:] = values.to_numpy()

    def array(self, tz: str) -> Any:
        """Give an array that can be written to."""
        del tz
        return self._values.joined()


class _Time(_Sink):
    """Days and moments, in seconds."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        self._values = _Room("datetime64[s]", rows)

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Write seconds since 1970."""
        seconds = values.cast(pa.timestamp("s")) if self.column.kind == "date" else values
        self._values.for_part(part, len(values))[:] = seconds.to_numpy()

    def array(self, tz: str) -> Any:
        """Give days as they are, moments in their zone."""
        values = self._values.joined()
        if self.column.kind == "date":
            return values
        return pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(tz).array


class _Codes(_Sink):
    """Picklists: codes into the CRM's list, and behind it the values that the list lacks."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        self._codes = _Room(np.int16, rows)
        self._code_of = {value: code for code, value in enumerate(column.categories)}
        self._lock = threading.Lock()

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Write codes: each value of a part is looked up once."""
        coded = _one(values.unify_dictionaries() if _is_coded(values) else values)
        coded = coded if _is_coded(coded) else coded.dictionary_encode()
        with self._lock:
            codes = [
                self._code_of.setdefault(value, len(self._code_of))
                for value in coded.dictionary.to_pylist()
            ]
        narrow = len(self._code_of) <= np.iinfo(np.int16).max
        place = np.array([*codes, -1], np.int16 if narrow else np.int32)
        at = coded.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
        np.take(place, at, out=self._codes.for_part(part, len(at), place.dtype), mode="clip")

    def array(self, tz: str) -> Any:
        """Give a category; what the CRM does not know comes last, sorted, as in any answer."""
        del tz
        unlisted = sorted(list(self._code_of)[len(self.column.categories) :])
        categories = (*self.column.categories, *unlisted)
        codes = self._codes.joined()
        if unlisted:
            place = {value: code for code, value in enumerate(categories)}
            codes = np.array([*(place[value] for value in self._code_of), -1])[codes]
        _, dtype = categorical(categories)
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)


class _Lists(_Sink):
    """Multi-selects: Python lists, empty where there is nothing."""

    def __init__(self, column: Column, rows: Sequence[int] | None) -> None:
        super().__init__(column, rows)
        self._values = _Room(object, rows)

    def put(self, part: int, values: pa.ChunkedArray) -> None:
        """Write a list for each row."""
        lists = (each or [] for each in values.to_pylist())
        room = self._values.for_part(part, len(values))
        room[:] = np.fromiter(lists, dtype=object, count=len(values))

    def array(self, tz: str) -> Any:
        """Join them."""
        del tz
        return self._values.joined()


_SINKS: dict[str, type[_Sink]] = {
    "picklist": _Codes,
    "multipicklist": _Lists,
    "integer": _Masked,
    "boolean": _Masked,
    "float": _Float,
    "date": _Time,
    "datetime": _Time,
}


def _one(values: pa.ChunkedArray) -> pa.Array:
    """Make one array of a column."""
    if not isinstance(values, pa.ChunkedArray):
        return values
    whole = values.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _is_coded(values: Any) -> bool:
    """Whether a column is a dictionary."""
    return bool(pa.types.is_dictionary(values.type))


def from_parts(
    paths: Sequence[str | PathLike[str]],
    reader: PartReader,
    *,
    rows: Sequence[int] | None = None,
    tz: str = "UTC",
) -> pd.DataFrame:
    """Build one typed table from the parts of an export, two of them at a time.

    Examples
    --------
    >>> from zcrm_nb.frames import Column
    >>> from zcrm_nb.frames.assemble import from_parts
    >>> from zcrm_nb.frames.csv_reader import PartReader
    >>> from_parts([], PartReader([Column("id", "text"), Column("Amount", "float")])).dtypes
    id         string
    Amount    float64
    dtype: object
    """
    filler = FrameAssembler(reader.columns, rows=rows, tz=tz, exact=reader.exact)

    alone = len(paths) == 1

    def add(part: int) -> None:
        filler.add(part, reader.table(paths[part], threads=alone), threads=alone)

    with ThreadPoolExecutor(_workers(), thread_name_prefix="zcrm-parts") as pool:
        for _ in pool.map(add, range(len(paths))):
            pass
    return in_id_order(filler.frame())


def _workers() -> int:
    """Count what to do at a time: each part costs memory, and two keep the parser's cores busy."""
    return min(2, os.cpu_count() or 1)


def in_id_order(table: pd.DataFrame) -> pd.DataFrame:
    """Bring records into ascending ``id``, as lists and queries have them, each of them once.

    Notes
    -----
    Bulk Read does not sort and documents no order. A record whose page was asked for twice, because
    others were deleted meanwhile, counts once.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.assemble import in_id_order
    >>> in_id_order(pd.DataFrame({"id": ["20", "3", "20"]}))["id"].tolist()
    ['3', '20']
    """
    numbers = pc.cast(pa.array(table["id"]), pa.uint64()).to_numpy(zero_copy_only=False)
    if not (numbers[1:] <= numbers[:-1]).any():
        return table
    _, first = np.unique(numbers, return_index=True)
    return table.iloc[first].reset_index(drop=True)
