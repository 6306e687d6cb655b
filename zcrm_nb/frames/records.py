"""Table to records: what a DataFrame says, in the JSON that Zoho's write calls take."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.frames.types import Column

__all__ = ["to_records"]


def to_records(df: pd.DataFrame, columns: Iterable[Column] | None = None) -> list[dict[str, Any]]:
    """Turn a table into records as Zoho's write calls take them; the inverse of :func:`to_frame`.

    Parameters
    ----------
    df : DataFrame of shape (n_records, n_columns)
        Columns named by API name. The index is left out.
    columns : iterable of Column, optional
        Field types, where known: then numbers in a text field (a postal code that came out of a CSV
        file as an integer) are written as text, and ``"A;B"`` in a multi-select as a list.

    Returns
    -------
    list of dict
        One for each row, of plain Python values that JSON knows. Missing values are ``None``, which
        empties the field.

    Raises
    ------
    ValueError
        If two columns share a name, an id is not text or a whole number, a number is infinite, or a
        datetime has no time zone. Naive datetimes that are all midnight are dates.

    Notes
    -----
    - ``X.id`` becomes the lookup ``{"id": …}`` under X; a name in the column X is left out.
    - Datetimes are written in UTC, ``2026-03-31T04:30:00+00:00``; fractions of a second, which Zoho
      does not keep, are cut off.
    - A float column of whole numbers is written as integers: an integer with a gap is a float in
      pandas, and Zoho refuses ``5.0`` for an integer.
    - A decimal is written as a number where a float shows all its digits, else as text.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/insert-records.html

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames import to_records
    >>> to_records(pd.DataFrame({"Last_Name": ["Osei"], "Owner.id": ["4108"], "Email": [None]}))
    [{'Last_Name': 'Osei', 'Owner': {'id': '4108'}, 'Email': None}]
    """
    if not df.columns.is_unique:
        twice = df.columns[df.columns.duplicated()].tolist()
        raise ValueError(f"Column names must be unique; twice there: {twice}.")
    kinds = {"Tag": "tags"} | {column.name: column.kind for column in columns or ()}
    present = set(df.columns)
    data = dict(
        _field(name, df[name], kinds.get(name, ""))
        for name in df.columns
        if f"{name}.id" not in present
    )
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


def _field(name: str, series: pd.Series[Any], kind: str) -> tuple[str, list[Any]]:
    """Make the key and the values of one field."""
    try:
        values = _values(series)
        if name == "id":
            return name, [_id(value) for value in values]
        if name.endswith(".id"):
            ids = [_id(value) for value in values]
            return name[: -len(".id")], [each and {"id": each} for each in ids]
    except ValueError as fault:
        raise ValueError(f"The column {name!r} cannot be written: {fault}") from fault
    return name, [_AS[kind](value) for value in values] if kind in _AS else values


def _values(series: pd.Series[Any]) -> list[Any]:
    """Make plain values, through Arrow: a call for a column instead of one for each cell."""
    if series.dtype == object:
        return [_plain(value) for value in series]
    array = pa.array(series, from_pandas=True)
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode().cast(_TEXT).to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_timestamp(array.type):
        return _times(array)
    if pa.types.is_floating(array.type):
        return _numbers(array)
    if pa.types.is_decimal(array.type) or pa.types.is_date(array.type):
        return [_plain(value) for value in array.to_pylist()]
    return array.to_pylist()  # type: ignore[no-any-return]


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
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_plain(each) for each in value]
    return None if value is None or pd.isna(value) else _scalar(value)


def _scalar(value: Any) -> Any:
    """Write one value that is neither missing nor a container."""
    if isinstance(value, datetime | np.datetime64):
        return _times(pa.array([pd.Timestamp(value)]))[0]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, float) and math.isinf(value):
        raise ValueError(_INFINITE)
    return value.item() if isinstance(value, np.generic) else value


def _number(value: Decimal) -> float | int | str:
    """Write a decimal as the number with the same digits; as text if no float shows them."""
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _id(value: Any) -> str | None:
    """Write an id as text; a float has lost its last digits already."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{value!r} is no id; ids are text.")


def _text(value: Any) -> Any:
    """Write a number that stands for a text as text."""
    return str(value) if isinstance(value, int | float) else value


def _list(value: Any) -> Any:
    """Split the joined values of a multi-select."""
    return value.split(";") if isinstance(value, str) else value


def _tags(value: Any) -> Any:
    """Make tags of their names."""
    return value and [{"name": each} if isinstance(each, str) else each for each in value]


_TEXT = pa.large_string()
_INFINITE = "it holds an infinite number, which JSON cannot say."
_AS = {"text": _text, "picklist": _text, "multipicklist": _list, "tags": _tags}
