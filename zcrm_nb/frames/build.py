"""Records to DataFrame: one typed table out of all pages, the same by every route."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from zcrm_nb.frames.json_reader import read
from zcrm_nb.frames.types import KINDS, STRING, TEXT, Column, Misfits, categorical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.frames.json_reader import Page
    from zcrm_nb.frames.types import Errors

__all__ = ["FrameOptions", "directory", "read_as_is", "to_frame"]


class FrameOptions(TypedDict, total=False):
    """The keyword arguments of :func:`to_frame` that reading methods hand down."""

    tz: str
    exact: bool
    errors: Errors
    as_is: Sequence[str]


def to_frame(
    pages: Iterable[Page] | Page,
    columns: Iterable[Column],
    *,
    users: Mapping[str, str] | None = None,
    tz: str = "UTC",
    exact: bool = False,
    errors: Errors = "keep",
    as_is: Sequence[str] = (),
) -> pd.DataFrame:
    """Build one typed table from the pages of an answer.

    Parameters
    ----------
    pages : iterable of bytes or of list of dict
        Raw JSON answers (``{"data": […], …}``; an empty body is a page without records), or records
        as dicts. A single body or a single list of records is one page.
    columns : iterable of Column
        What the table holds, in this order; see :func:`column_for`. What else is in the answer is
        left out; what is not in it is null.
    users : mapping of str to str, optional
        Full name for each user id; see :func:`directory`. COQL has only last names of users, so
        with it the columns of owners are the same by every route.
    tz : str, default "UTC"
        Time zone in which datetimes are shown.
    exact : bool, default False
        Numbers of kind ``"float"`` as decimals with 18 places (pyarrow ``decimal128(38, 18)``),
        exactly as the answer writes them.
    errors : {"keep", "coerce", "raise"}, default "keep"
        What becomes of values that are not of their column's kind. ``"keep"``: their column holds
        Python objects, these values as they came. ``"coerce"``: they are missing, and the column
        keeps its dtype. Both warn by column, row and value. ``"raise"``: an error.
    as_is : sequence of str, optional
        Names of columns to read as they came, as Python objects.

    Returns
    -------
    DataFrame of shape (n_records, n_columns)
        Dtypes depend on the kinds of the columns, not on the values (but for misfits kept):

        =============  ====================================================================
        text           string (pyarrow storage, ``pd.NA``)
        picklist       category in the CRM's order; other values follow, sorted
        multipicklist  object: list of str, ``[]`` when empty
        integer        Int64
        float          float64
        boolean        boolean
        date           datetime64[s]
        datetime       datetime64[s, tz]
        lookup, user   two columns: ``X``, the name, and ``X.id``, both string
        tags           object: list of str, the names
        object         object: Python objects as they came, ``None`` for null
        =============  ====================================================================

    Raises
    ------
    ZohoError
        If an answer is not JSON or holds no list of records; or, with ``errors="raise"``, if a
        value is not of its column's kind.
    ValueError
        If two columns share a name but not a kind, or ``as_is`` names a column that is not read.

    Warns
    -----
    DataWarning
        Values do not fit, entries are not records, or bytes are not UTF-8.

    Notes
    -----
    Values that are merely written differently are converted: a number written as text and the other
    way round, 5.0 for an integer, ``"A;B"`` for a multi-select, a lookup that is only an id. Such
    answers take longer, since Arrow's parser gives up on them.

    Numbers become decimals exactly when the pages are bytes. Records already hold floats; then the
    shortest text of the float counts, which is what JSON had.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/get-records.html

    Examples
    --------
    >>> from zcrm_nb.frames import Column, to_frame
    >>> body = b'{"data": [{"Last_Name": "Osei", "Owner": {"name": "Ruiz", "id": "4108"}}]}'
    >>> to_frame(body, [Column("Last_Name", "text"), Column("Owner", "user")])
      Last_Name Owner Owner.id
    0      Osei  Ruiz     4108
    """
    wanted = _distinct(read_as_is(columns, as_is))
    misfits = Misfits(errors)
    table, objects = read(_several(pages), wanted, exact=exact, misfits=misfits)
    misfits.warn()
    data: dict[str, Any] = {}
    for column in wanted:
        if column.kind == "object":
            data[column.name] = _objects(objects[column.name])
        elif column.kind in {"lookup", "user"}:
            data |= _lookup(column, table[column.name], users or {})
        else:
            data[column.name] = _array(column, table[column.name], tz)
    if errors == "keep":
        data |= {name: _kept(data[name], values) for name, values in misfits.values.items()}
    return pd.DataFrame(data, copy=False)


def read_as_is(columns: Iterable[Column], names: Sequence[str]) -> list[Column]:
    """Turn the named columns into columns of Python objects; ``ValueError`` for an unknown name."""
    columns = list(columns)
    if isinstance(names, str):
        raise TypeError(f"as_is takes a list of names: as_is=[{names!r}].")
    if unknown := set(names) - {column.name for column in columns}:
        raise ValueError(f"as_is names columns that are not read: {', '.join(sorted(unknown))}.")
    return [Column(c.name, "object") if c.name in names else c for c in columns]


def _kept(values: Any, misfits: Mapping[int, Any]) -> pd.Series[Any]:
    """Put values that do not fit among those that do."""
    objects = pd.Series(values).astype(object)
    for row, value in misfits.items():
        objects.iat[row] = value
    return objects


def directory(users: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Look up full names by user id, from Zoho's list of users.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/get-users.html

    Examples
    --------
    >>> from zcrm_nb.frames import directory
    >>> directory([{"id": "4108", "full_name": "Ada Ruiz", "email": "ada@example.com"}])
    {'4108': 'Ada Ruiz'}
    """
    return {
        str(user["id"]): name for user in users if user.get("id") and (name := _full_name(user))
    }


def _full_name(user: Mapping[str, Any]) -> str:
    """Return a user's full name, or put it together."""
    name = user.get("full_name")
    parts = [name] if name else [user.get("first_name"), user.get("last_name")]
    return " ".join(part for part in parts if isinstance(part, str) and part)


def _several(pages: Any) -> Iterable[Page]:
    """Take a lone body, or a lone list of records, as one page."""
    if isinstance(pages, bytes) or (
        isinstance(pages, list) and pages and isinstance(pages[0], dict)
    ):
        return [pages]
    return pages  # type: ignore[no-any-return]


def _distinct(columns: Iterable[Column]) -> list[Column]:
    """Drop what is asked for twice; ``X.id`` beside the lookup X is what X gives anyway."""
    wanted: dict[str, Column] = {}
    for column in columns:
        if wanted.setdefault(column.name, column).kind != column.kind:
            raise ValueError(f"Two columns are called {column.name!r}, of different kinds.")
    twice = {f"{c.name}.id" for c in wanted.values() if c.kind in {"lookup", "user"}}
    return [column for column in wanted.values() if column.name not in twice]


def _array(column: Column, values: pa.ChunkedArray, tz: str) -> Any:
    """Hand a column over to pandas; texts without a copy, numbers so that they can be written."""
    if column.kind == "picklist":
        return _category(column, values)
    if column.kind in {"multipicklist", "tags"}:
        return _lists(values)
    if column.kind == "date":
        return np.require(values.cast(pa.timestamp("s")).to_numpy(), requirements="W")
    if column.kind == "datetime":
        return pd.DatetimeTZDtype("s", tz).__from_arrow__(values).copy()
    if values.type == pa.float64():
        return np.require(values.to_numpy(), requirements="W")
    dtype: Any = KINDS[column.kind].dtype or pd.ArrowDtype(values.type)
    return dtype.__from_arrow__(values)


def _category(column: Column, values: pa.ChunkedArray) -> pd.Categorical:
    """Give codes into the CRM's list; values it lacks are appended, for none may be lost."""
    known, dtype = categorical(column.categories)
    codes = pc.index_in(values, value_set=known)
    if codes.null_count > values.null_count:
        strange = sorted(set(pc.unique(values.drop_null()).to_pylist()) - set(column.categories))
        return _category(replace(column, categories=(*column.categories, *strange)), values)
    return pd.Categorical.from_codes(codes.fill_null(-1).to_numpy(), dtype=dtype, validate=False)


def _lists(values: pa.ChunkedArray) -> Any:
    """Make Python lists, empty where there is nothing; numpy alone would make a matrix of them."""
    return np.fromiter((each or [] for each in values.to_pylist()), dtype=object, count=len(values))


def _objects(values: list[Any]) -> pd.Series[Any]:
    """Keep objects as they are: from a bare array pandas would guess texts and datetimes."""
    return pd.Series(values, dtype=object)


def _lookup(column: Column, values: pa.ChunkedArray, users: Mapping[str, str]) -> dict[str, Any]:
    """Make two columns, name and id; names of users come from the directory where it has them."""
    names, ids = pc.struct_field(values, "name"), pc.struct_field(values, "id")
    if column.kind == "user" and users:
        place = pc.index_in(ids, value_set=pa.array(users.keys(), TEXT))
        names = pc.coalesce(pa.array(users.values(), TEXT).take(place), names)
    return {
        column.name: STRING.__from_arrow__(names),
        f"{column.name}.id": STRING.__from_arrow__(ids),
    }
