"""Table to records: what a DataFrame says, in the JSON that Zoho's write calls take."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zcrm_nb.frames.types import Column

__all__ = ["ABSENT", "PARENT", "as_columns", "as_rows", "ids_of", "only", "to_records"]

PARENT = "parent_id"
"""The column of a subform's table that tells which record a row belongs to."""


class Absent:
    """What stands in a column for a record that says nothing about it."""

    def __repr__(self) -> str:
        return "absent"

    def __len__(self) -> int:
        return 0  # as short as an empty text, so that lengths can be compared without looking


ABSENT = Absent()


def to_records(
    df: pd.DataFrame,
    columns: Iterable[Column] | None = None,
    *,
    subforms: Mapping[str, pd.DataFrame] | None = None,
) -> list[dict[str, Any]]:
    """Turn a table into records as Zoho's write calls take them; the inverse of :func:`to_frame`.

    Parameters
    ----------
    df : DataFrame of shape (n_records, n_columns)
        Columns named by API name. The index is left out.
    columns : iterable of Column, optional
        Field types, where known: then numbers in a text field (a postal code that came out of a CSV
        file as an integer) are written as text, and ``"A;B"`` in a multi-select as a list. The
        columns of a subform are named ``"Expenses.Amount"``.
    subforms : mapping of str to DataFrame, optional
        Rows of subforms, by the name of the subform field. The column ``parent_id`` tells which
        record a row belongs to: by its ``id`` where ``df`` has ids, else by its label in the index.

    Returns
    -------
    list of dict
        One for each row, of plain Python values that JSON knows. Missing values are ``None``, which
        empties the field. A record that no row of a subform belongs to says nothing about it.

    Raises
    ------
    ValueError
        If two columns share a name, an id is not text or a whole number, a number is infinite, a
        datetime has no time zone, or a row of a subform belongs to no record. Naive datetimes that
        are all midnight are dates.

    Notes
    -----
    - ``X.id`` becomes the lookup ``{"id": …}`` under X; a name in the column X is left out.
    - Datetimes are written in UTC, ``2026-03-31T04:30:00+00:00``; fractions of a second, which Zoho
      does not keep, are cut off.
    - A float column of whole numbers is written as integers: an integer with a gap is a float in
      pandas, and Zoho refuses ``5.0`` for an integer.
    - A decimal is written as a number where a float shows all its digits, else as text.
    - A subform may also stand in a column of its own, as lists of dicts: the way
      ``crm.record`` brings it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/insert-records.html

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames import to_records
    >>> to_records(pd.DataFrame({"Last_Name": ["Osei"], "Owner.id": ["4108"], "Email": [None]}))
    [{'Last_Name': 'Osei', 'Owner': {'id': '4108'}, 'Email': None}]

    Two visits; the first with two expenses:

    >>> visits = pd.DataFrame({"Name": ["Pune", "Goa"]}, index=["p", "g"])
    >>> spent = pd.DataFrame({"parent_id": ["p", "p"], "Amount": [120.0, 80.5]})
    >>> to_records(visits, subforms={"Expenses": spent})
    [{'Name': 'Pune', 'Expenses': [{'Amount': 120.0}, {'Amount': 80.5}]}, {'Name': 'Goa'}]
    """
    return as_rows(as_columns(df, columns, subforms=subforms), len(df))


def as_columns(
    source: pd.DataFrame | Sequence[Mapping[str, Any]],
    columns: Iterable[Column] | None = None,
    *,
    subforms: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, list[Any]]:
    """Write a table, or records, as one list of JSON values for each field.

    What :func:`to_records` does, before the values become records: columns are what can be checked
    fast. In a column, ``ABSENT`` stands for a record that says nothing about it.
    """
    kinds = {"Tag": "tags"} | {column.name: column.kind for column in columns or ()}
    if isinstance(source, pd.DataFrame):
        data, keys = _of_frame(source, kinds), source.get("id", source.index.to_series())
    else:
        data, keys = _of_records(source, kinds), pd.Series(range(len(source)))
    for name, rows in (subforms or {}).items():
        own = {each.removeprefix(f"{name}."): kinds[each] for each in kinds}
        data[name] = _nested(name, rows, own, keys)
    return data


def ids_of(
    source: pd.DataFrame | pd.Series[Any] | Sequence[Any],
) -> tuple[pd.Index[Any], list[Any]]:
    """Take the ids out of a table, a column, records, or a list of them; with their labels."""
    if isinstance(source, pd.DataFrame):
        if "id" not in source:
            raise ValueError("This table has no column 'id'.")
        source = source["id"]
    if isinstance(source, pd.Series):
        return source.index, _field("id", source, "")[1]
    if isinstance(source, str):
        source = [source]
    ids = [each.get("id") if isinstance(each, Mapping) else each for each in source]
    return pd.RangeIndex(len(ids)), _field("id", pd.Series(ids, dtype=object), "")[1]


def only(source: Any, names: Sequence[str]) -> Any:
    """Leave only some columns of a table, or of records."""
    if isinstance(source, pd.DataFrame):
        return source[list(names)]
    return [{name: each[name] for name in names if name in each} for each in source]


def as_rows(data: Mapping[str, Sequence[Any]], length: int) -> list[dict[str, Any]]:
    """Turn columns of JSON values into ``length`` records."""
    if not data:
        return [{} for _ in range(length)]
    rows = [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
    if not any(Absent in set(map(type, values)) for values in data.values()):
        return rows
    return [{key: value for key, value in row.items() if value is not ABSENT} for row in rows]


def _of_frame(df: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, list[Any]]:
    """Write the columns of a table."""
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].tolist()
        raise ValueError(f"Column names must be unique; twice there: {twice}.")
    present = set(df.columns)
    return dict(
        _field(name, df[name], kinds.get(name, ""))
        for name in df.columns
        if f"{name}.id" not in present
    )


def _of_records(
    records: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Write the fields of records; each says only what it says."""
    names = dict.fromkeys(name for record in records for name in record)
    cells = {name: [record.get(name, ABSENT) for record in records] for name in names}
    return dict(
        _field(name, pd.Series(values, dtype=object), kinds.get(name, ""))
        for name, values in cells.items()
        if f"{name}.id" not in names
    )


def _nested(
    name: str, rows: pd.DataFrame, kinds: Mapping[str, str], keys: Iterable[Any]
) -> list[Any]:
    """Hand the rows of a subform out to the records that they belong to."""
    if PARENT not in rows:
        raise ValueError(f"The rows of {name!r} need a column {PARENT!r}: whose they are.")
    data = _of_frame(rows.drop(columns=PARENT), kinds)
    children = defaultdict(list)
    for parent, row in zip(rows[PARENT], as_rows(data, len(rows)), strict=True):
        children[parent].append(row)
    found = [children.pop(key, ABSENT) for key in keys]
    if children:
        lost = ", ".join(map(str, [*children][:5]))
        raise ValueError(f"Rows of {name!r} belong to no record: {PARENT} {lost}.")
    return found


def _field(name: str, series: pd.Series[Any], kind: str) -> tuple[str, list[Any]]:
    """Make the key and the values of one field."""
    try:
        values = _values(series, kind)
        if name == "id":
            return name, [_id(value) for value in values]
        if name.endswith(".id"):
            return name[: -len(".id")], [_reference(value) for value in values]
    except (ValueError, pa.ArrowException) as fault:
        raise ValueError(f"The column {name!r} cannot be written: {fault}") from fault
    if kind in _TEXTS and _STRINGS.issuperset(map(type, values)):
        return name, values
    return name, [_AS[kind](value) for value in values] if kind in _AS else values


def _values(series: pd.Series[Any], kind: str) -> list[Any]:
    """Make plain values, through Arrow: a call for a column instead of one for each cell."""
    if series.dtype == object:
        return [_plain(value) for value in series]
    array = pa.array(series, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
        if kind not in _NOT_TEXT:
            return array.cast(_TEXT).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_timestamp(array.type):
        return _times(array)
    if pa.types.is_floating(array.type):
        return _numbers(array)
    if _is_json(array.type):
        return array.to_pylist()  # type: ignore[no-any-return]
    return [_plain(value) for value in array.to_pylist()]


def _is_json(kind: pa.DataType) -> bool:
    """Tell whether Arrow's Python values are JSON's."""
    return any(
        (
            pa.types.is_string(kind),
            pa.types.is_large_string(kind),
            pa.types.is_integer(kind),
            pa.types.is_boolean(kind),
            pa.types.is_null(kind),
        )
    )


def _times(array: pa.Array) -> list[str | None]:
    """Write ISO datetimes in UTC, or dates if there is neither zone nor time of day."""
    text = (
        array.cast(pa.timestamp("s", array.type.tz), safe=False).cast(pa.timestamp("s")).cast(_TEXT)
    )
    if array.type.tz is not None:
        joined = pc.utf8_replace_slice(text, 10, 11, "T")
        return pc.utf8_replace_slice(joined, 19, 19, "+00:00").to_pylist()  # type: ignore[no-any-return]
    if not _all(pc.equal(array, pc.floor_temporal(array, unit="day"))):
        raise ValueError("its times have no zone; give them one with .dt.tz_localize(…).")
    return pc.utf8_slice_codeunits(text, 0, 10).to_pylist()  # type: ignore[no-any-return]


def _numbers(array: pa.Array) -> list[float | int | None]:
    """Give integers if all numbers are whole, and small enough to be exact; else floats."""
    if not _all(pc.is_finite(array)):
        raise ValueError(_INFINITE)
    whole = _all(pc.equal(array, pc.trunc(array))) and _all(pc.less(pc.abs(array), 2.0**53))
    return (array.cast(pa.int64()) if whole else array).to_pylist()  # type: ignore[no-any-return]


def _all(truths: pa.Array) -> bool:
    """Tell whether each of them is true; nulls do not count."""
    return bool(pc.all(truths, min_count=0).as_py())


def _plain(value: Any) -> Any:
    """Write one Python object as JSON has it."""
    if type(value) is str or value is None or value is ABSENT:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray | pd.Series):
        return [_plain(each) for each in value]
    if isinstance(value, pd.DataFrame):
        return to_records(value)
    return None if pd.isna(value) else _scalar(value)


def _scalar(value: Any) -> Any:
    """Write one value that is neither missing nor a container."""
    if isinstance(value, datetime | np.datetime64):
        return _times(pa.array([pd.Timestamp(value)]))[0]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and math.isinf(plain):
        raise ValueError(_INFINITE)
    if not isinstance(plain, str | int | float):
        raise ValueError(f"JSON has nothing for {plain!r}, of type {type(plain).__name__}.")  # noqa: TRY004 - one of the things that a table can hold
    return plain


def _number(value: Decimal) -> float | int | str:
    """Write a decimal as the number with the same digits; as text if no float shows them."""
    if not value.is_finite():
        raise ValueError(_INFINITE)
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _id(value: Any) -> Any:
    """Write an id as text; a float has lost its last digits already."""
    if isinstance(value, str) or value is None or value is ABSENT:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is no id; ids are text.")


def _reference(value: Any) -> Any:
    """Write a lookup by the id it points to."""
    found = _id(value)
    return {"id": found} if found and found is not ABSENT else found


def _text(value: Any) -> Any:
    """Write a number that stands for a text as text."""
    return str(value) if isinstance(value, int | float) else value


def _list(value: Any) -> Any:
    """Split the joined values of a multi-select."""
    return value.split(";") if isinstance(value, str) else value


def _tags(value: Any) -> Any:
    """Make tags of their names; Zoho wants a list where there are none."""
    if value is None:
        return []
    if not isinstance(value, list):
        return value
    return [{"name": each} if isinstance(each, str) else each for each in value]


_TEXT = pa.large_string()
_INFINITE = "it holds an infinite number, which JSON cannot say."
_AS = {"text": _text, "picklist": _text, "multipicklist": _list, "tags": _tags}
_TEXTS = {"text", "picklist"}
_STRINGS = {str, type(None)}
_NOT_TEXT = {"integer", "float", "boolean", "date", "datetime"}
