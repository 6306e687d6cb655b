"""Putting tables together: side by side, in order, as one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.frames.types import categorical
from zcrm_nb.frames.values import id_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.frames.types import Column

__all__ = [
    "beside",
    "ids_in",
    "in_order",
    "joined",
    "moments",
    "only_its_categories",
    "series",
    "sort_frame",
    "stacked",
    "unique",
]


def beside(parts: Sequence[pd.DataFrame], key: str) -> pd.DataFrame:
    """Join tables that hold the same records, in columns of their own, by their key.

    Each was paged through at its own moment: the first decides which records there are. A record
    that another one lacks has no values there, and one that came twice counts once.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.combine import beside
    >>> a, b = pd.DataFrame({"id": [1, 2], "x": [3, 4]}), pd.DataFrame({"id": [1, 2], "y": [5, 6]})
    >>> beside([a, b], "id").columns.tolist()
    ['id', 'x', 'y']
    """
    first, *others = (_each_once(part, key) for part in parts)
    lined_up = [_lined_up(part, first[key], key) for part in others]
    return pd.concat([first, *lined_up], axis=1) if lined_up else first


def _each_once(part: pd.DataFrame, key: str) -> pd.DataFrame:
    """Drop records that came twice, because rows shifted between pages."""
    return part if part[key].is_unique else part.drop_duplicates(key, ignore_index=True)


def _lined_up(part: pd.DataFrame, keys: pd.Series[Any], key: str) -> pd.DataFrame:
    """Bring a table's rows into the order of ``keys``, without the key itself."""
    if not part[key].equals(keys):
        part = part.set_index(key).reindex(keys).reset_index()
    return part.drop(columns=key)


def stacked(parts: Sequence[pd.DataFrame], columns: Iterable[Column]) -> pd.DataFrame:
    """Put tables of the same columns one below the other; picklists keep the CRM's order."""
    filled = [part for part in parts if len(part)] or [parts[0]]
    if len(filled) == 1:
        return filled[0].reset_index(drop=True)
    for column in columns:
        if column.kind == "picklist":
            values = [part[column.name].cat.categories for part in filled]
            strange = sorted(set().union(*values) - set(column.categories))
            dtype = categorical((*column.categories, *strange))[1]
            filled = [part.astype({column.name: dtype}) for part in filled]
    return pd.concat(filled, ignore_index=True)


def sort_frame(table: pd.DataFrame, keys: Sequence[tuple[str, bool]]) -> pd.DataFrame:
    """Sort as COQL sorts: by several keys, text without regard to case, nothing before something.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.combine import sort_frame
    >>> table = pd.DataFrame({"City": ["pune", "Agra", None]})
    >>> sort_frame(table, [("City", False)])["City"].tolist()
    [nan, 'Agra', 'pune']
    """
    for name, descending in reversed(keys):
        table = table.sort_values(
            name,
            ascending=not descending,
            na_position="last" if descending else "first",
            kind="stable",
            key=_collated,
        )
    return table


def _collated(values: pd.Series[Any]) -> pd.Series[Any]:
    """Text in one case; everything else as it is."""
    text = isinstance(values.dtype, (pd.CategoricalDtype, pd.StringDtype)) or values.dtype == object
    return values.astype("string").str.lower() if text else values


def moments(table: pd.DataFrame, name: str, tz: str = "UTC") -> pd.DataFrame:
    """Turn a column of milliseconds since 1970 into one of moments.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.combine import moments
    >>> table = pd.DataFrame({"time": pd.array([1_772_355_300_123], dtype="Int64")})
    >>> moments(table, "time")["time"][0].isoformat()
    '2026-03-01T08:55:00.123000+00:00'
    """
    epoch = table[name].to_numpy(dtype="datetime64[ms]", na_value="NaT")
    return table.assign(**{name: pd.Series(epoch).dt.tz_localize("UTC").dt.tz_convert(tz)})


def series(source: pd.DataFrame | Mapping[str, Any], name: str) -> pd.Series[Any]:
    """Make a Series of a table of one row, or of a mapping.

    Examples
    --------
    >>> from zcrm_nb.frames.combine import series
    >>> series({"a": 1, "b": "x"}, "both").tolist()
    [1, 'x']
    """
    values = (
        {column: source[column].iloc[0] for column in source}
        if isinstance(source, pd.DataFrame)
        else dict(source)
    )
    return pd.Series(values, name=name, dtype=object)


def only_its_categories(table: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """Drop categories of rows that were cut off: values which the picklist itself does not have.

    So a table that was cut here has the dtypes that it would have had, had Zoho cut it.

    Examples
    --------
    >>> from zcrm_nb.frames import Column, only_its_categories, to_frame
    >>> rating = Column("Rating", "picklist", ("Hot", "Cold"))
    >>> whole = to_frame([[{"Rating": "Hot"}, {"Rating": "Tepid"}]], [rating])
    >>> only_its_categories(whole.head(1), [rating])["Rating"].cat.categories.tolist()
    ['Hot', 'Cold']
    """
    for column in columns:
        if column.kind == "picklist":
            values = table[column.name]
            there = {*column.categories, *values.dropna()}
            categories = values.cat.categories
            kept = categories[[each in there for each in categories]]
            if len(kept) < len(categories):
                # Not remove_categories, which sorts those that stay.
                table = table.assign(**{column.name: values.cat.set_categories(kept)})
    return table


def unique(ids: Iterable[str]) -> list[str]:
    """Keep each id once, in the order of their first places; leave empty ones out."""
    return list(dict.fromkeys(record_id for record_id in ids if record_id))


def ids_in(subject: Any, column: str = "id") -> list[str]:
    """List the ids that are meant: one, several, or those of a table.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames import ids_in
    >>> ids_in("4108"), ids_in(pd.DataFrame({"id": ["1", "2"]}))
    (['4108'], ['1', '2'])
    """
    if isinstance(subject, (str, int, float)):
        subject = [subject]
    if isinstance(subject, pd.DataFrame):
        if column not in subject:
            raise ValueError(f"The table has no column {column!r}: its ids are looked for there.")
        subject = subject[column]
    return ["" if each is None else str(each) for each in id_values(list(subject))]


def in_order(table: pd.DataFrame, key: str, order: Sequence[str]) -> pd.DataFrame:
    """Sort rows into the order of a list of keys; rows of one key keep theirs.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.combine import in_order
    >>> in_order(pd.DataFrame({"id": ["1", "2"]}), "id", ["2", "1"])["id"].tolist()
    ['2', '1']
    """
    places = {each: place for place, each in enumerate(dict.fromkeys(order))}
    rows = table[key].map(places).astype("Int64").to_numpy(dtype="int64", na_value=len(places))
    return table.iloc[rows.argsort(kind="stable")].reset_index(drop=True)


def joined(
    left: pd.DataFrame, key: str, right: pd.DataFrame, prefix: str, lists: Sequence[str] = ()
) -> pd.DataFrame:
    """Put the columns of one table beside the rows of another that name its records.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.combine import joined
    >>> deals = pd.DataFrame({"Account_Name.id": ["1", None]})
    >>> accounts = pd.DataFrame({"id": ["1"], "Industry": ["Steel"]})
    >>> joined(deals, "Account_Name.id", accounts, "Account_Name.").columns.tolist()
    ['Account_Name.id', 'Account_Name.Industry']
    """
    keys = left[key].astype("string[pyarrow]")
    beside_rows = right.set_index(right["id"].astype("string[pyarrow]")).drop(columns="id")
    added = beside_rows.reindex(keys).set_axis(left.index, axis=0)
    for name in lists:
        added[name] = pd.Series(
            [each if isinstance(each, list) else [] for each in added[name]],
            index=left.index,
            dtype=object,
        )
    added.columns = [f"{prefix}{name}" for name in added.columns]
    kept = left.drop(columns=[name for name in added.columns if name in left.columns])
    place = list(kept.columns).index(key) + 1
    return pd.concat([kept.iloc[:, :place], added, kept.iloc[:, place:]], axis=1)
