"""Table to records: what a DataFrame holds, in the JSON that Zoho's write calls take."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.frames.values import (
    ABSENT,
    LOST_ID,
    Absent,
    all_writable,
    id_values,
    json_values,
    unwritable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zcrm_nb.frames.types import Column

__all__ = [
    "ABSENT",
    "PARENT",
    "as_columns",
    "as_rows",
    "ids_of",
    "only",
    "to_records",
    "without_gaps",
]

PARENT = "parent_id"
"""The column of a subform's table that names the record of each row."""


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
        Rows of subforms, by the name of the subform field. The column ``parent_id`` names the
        record of each row: by its ``id`` where ``df`` has ids, else by its label in the index.

    Returns
    -------
    list of dict
        One for each row, of plain Python values that JSON knows. Missing values are ``None``, which
        empties the field. A record that no row of a subform belongs to says nothing about it.

    Raises
    ------
    ValueError
        If two columns share a name, an id has lost digits as a float, a number is infinite or does
        not fit into 64 bits, a datetime has no time zone, or a row of a subform belongs to no
        record. A naive datetime at midnight is a date.

    Notes
    -----
    - ``X.id`` becomes the lookup ``{"id": …}`` under X; a name in the column X is left out.
    - Datetimes are written in UTC, ``2026-03-31T04:30:00+00:00``; fractions of a second, which Zoho
      does not keep, are cut off.
    - A whole float is written as an integer: an integer with a gap is a float in pandas, and Zoho
      refuses ``5.0`` for an integer.
    - A decimal is written as a number where a float shows all its digits, else as text.
    - A subform may also be a column of lists of dicts, as ``crm.record`` returns it.

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
    [{'Name': 'Pune', 'Expenses': [{'Amount': 120}, {'Amount': 80.5}]}, {'Name': 'Goa'}]
    """
    data = as_columns(df, columns, subforms=subforms)
    types = {name: set(map(type, values)) for name, values in data.items()}
    for name, values in data.items():
        lost = name == "id" and float in types[name]
        if lost or not all_writable(values, types[name], controls=False):
            _check(name, values, df.index)
    return _rows(data, len(df), gaps=any(Absent in each for each in types.values()))


def _check(name: str, values: Sequence[Any], labels: Iterable[Any]) -> None:
    """Refuse a column with a value that JSON does not have."""
    for label, value in zip(labels, values, strict=True):
        lost = name == "id" and isinstance(value, float)
        if problem := LOST_ID if lost else unwritable(value, controls=False):
            raise ValueError(f"The column {name!r} cannot be written: row {label}: {problem}.")


def as_columns(
    source: pd.DataFrame | Sequence[Mapping[str, Any]],
    columns: Iterable[Column] | None = None,
    *,
    subforms: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, list[Any]]:
    """Write a table, or records, as one list of JSON values for each field.

    In a column, ``ABSENT`` stands for a record that does not have the key. What JSON does not have
    stays in its place; ``check_values`` names it.
    """
    kinds = {"Tag": "tags"} | {column.name: column.kind for column in columns or ()}
    data = (
        _of_frame(source, kinds) if isinstance(source, pd.DataFrame) else _of_records(source, kinds)
    )
    own: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for name, kind in kinds.items():
        form, _, inner = name.partition(".")
        if inner:
            own[form][inner] = kind
    for name in data.keys() & own.keys():
        data[name] = _inner(data[name], own[name])
    for name, rows in (subforms or {}).items():
        data[name] = _nested(name, rows, own[name], _keys(source, data))
    return data


def cells_of(source: Any, name: str) -> tuple[pd.Index[Any], pd.Series[Any] | list[Any]]:
    """Take a column out of a table, or of records; a Series, or a list, is the column itself."""
    if isinstance(source, pd.DataFrame):
        if name not in source:
            raise ValueError(f"The table has no column {name!r}.")
        source = source[name]
    if isinstance(source, pd.Series):
        return source.index, source
    cells = [source] if isinstance(source, str) else list(source)
    cells = [each.get(name) if isinstance(each, Mapping) else each for each in cells]
    return pd.RangeIndex(len(cells)), cells


def ids_of(source: Any) -> tuple[pd.Index[Any], list[Any]]:
    """Take the ids out of a table, a column, records, or a list of them; with their labels."""
    index, cells = cells_of(source, "id")
    return index, id_values(cells)


def without_gaps(values: Sequence[Any]) -> list[Any]:
    """Take a missing value for one that the record does not mention."""
    return [ABSENT if value in (None, "", []) else value for value in values]


def only(source: Any, names: Sequence[str]) -> Any:
    """Leave only some columns of a table, or of records."""
    if isinstance(source, pd.DataFrame):
        return source[list(names)]
    return [{name: each[name] for name in names if name in each} for each in source]


def as_rows(data: Mapping[str, Sequence[Any]], length: int) -> list[dict[str, Any]]:
    """Turn columns of JSON values into ``length`` records."""
    gaps = any(Absent in set(map(type, values)) for values in data.values())
    return _rows(data, length, gaps=gaps)


def _rows(data: Mapping[str, Sequence[Any]], length: int, *, gaps: bool) -> list[dict[str, Any]]:
    """Make records, without the keys that are absent."""
    if not data:
        return [{} for _ in range(length)]
    rows = list(map(dict, map(zip, repeat(tuple(data)), zip(*data.values(), strict=True))))
    if not gaps:
        return rows
    return [{key: value for key, value in row.items() if value is not ABSENT} for row in rows]


def _of_frame(df: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, list[Any]]:
    """Write the columns of a table."""
    if not df.columns.is_unique:
        repeated = df.columns[df.columns.duplicated()].tolist()
        raise ValueError(f"Column names must be unique; repeated: {repeated}.")
    present = set(df.columns)
    return dict(_field(name, df[name], kinds) for name in df.columns if f"{name}.id" not in present)


def _of_records(
    records: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Write the fields of records; a record need not have all of them."""
    names = dict.fromkeys(name for record in records for name in record)
    return dict(
        _field(name, [record.get(name, ABSENT) for record in records], kinds)
        for name in names
        if f"{name}.id" not in names
    )


def _field(
    name: str, cells: pd.Series[Any] | Sequence[Any], kinds: Mapping[str, str]
) -> tuple[str, list[Any]]:
    """Make the key and the values of one field."""
    if name == "id":
        return name, id_values(cells)
    if str(name).endswith(".id"):
        return name.removesuffix(".id"), list(map(_reference, id_values(cells)))
    return name, json_values(cells, kinds.get(name, ""))


def _reference(record_id: Any) -> Any:
    """Write a lookup by the id it points to."""
    if record_id is None or record_id is ABSENT:
        return record_id
    return {"id": record_id} if record_id != "" else None


# ---- Subforms ------------------------------------------------------------------------------------


def _inner(values: Sequence[Any], kinds: Mapping[str, str]) -> list[Any]:
    """Write the rows of a subform that come as a column of lists."""
    flat = [child for rows in values if _are_rows(rows) for child in rows]
    written = iter(as_rows(_of_records(flat, kinds), len(flat)))
    return [[next(written) for _ in rows] if _are_rows(rows) else rows for rows in values]


def _are_rows(value: Any) -> bool:
    """Return whether a value is a list of dicts."""
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _keys(source: Any, data: Mapping[str, Sequence[Any]]) -> list[Any]:
    """List what a subform's rows know records by: their ids, or else their labels."""
    labels = list(source.index) if isinstance(source, pd.DataFrame) else list(range(len(source)))
    ids = data.get("id", [None] * len(labels))
    return [
        label if record_id in (None, "", ABSENT) else record_id
        for label, record_id in zip(labels, ids, strict=True)
    ]


def _nested(
    name: str, rows: pd.DataFrame, kinds: Mapping[str, str], keys: Sequence[Any]
) -> list[Any]:
    """Assign the rows of a subform to the records that they belong to."""
    if PARENT not in rows:
        raise ValueError(f"The rows of {name!r} need a column {PARENT!r} with their records' keys.")
    data = _of_frame(rows.drop(columns=PARENT), kinds)
    children = defaultdict(list)
    for parent, row in zip(_parents(rows[PARENT], keys), as_rows(data, len(rows)), strict=True):
        children[parent].append(row)
    repeated = [key for key, count in Counter(keys).items() if count > 1 and key in children]
    if repeated:
        shown = ", ".join(map(str, repeated[:5]))
        raise ValueError(f"Rows of {name!r} belong to several records of one {PARENT}: {shown}.")
    nested = [children.pop(key, ABSENT) for key in keys]
    if children:
        lost = ", ".join(map(str, [*children][:5]))
        raise ValueError(f"Rows of {name!r} belong to no record: {PARENT} {lost}.")
    return nested


def _parents(cells: pd.Series[Any], keys: Sequence[Any]) -> list[Any]:
    """Read the keys of rows of a subform; an id may have come as a number."""
    known = set(keys)
    return [
        cell if cell in known else record_id
        for cell, record_id in zip(cells, id_values(cells), strict=True)
    ]
