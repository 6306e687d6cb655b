"""Putting tables together: side by side, in order, as one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.frames.types import Column

__all__ = ["beside", "only_its_categories", "series", "sort_frame"]


def beside(parts: Sequence[pd.DataFrame], key: str) -> pd.DataFrame:
    """Join tables that hold the same records, in columns of their own, by their key.

    Each was paged through at its own moment: the first decides which records there are. A record
    that another one lacks has no values there, and one that came twice counts once.

    Parameters
    ----------
    parts : sequence of DataFrame
        Each with the column ``key``.
    key : str
        Name of the column that tells records apart.

    Returns
    -------
    DataFrame
        The columns of all parts, the key once.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.shape import beside
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


def sort_frame(table: pd.DataFrame, keys: Sequence[tuple[str, bool]]) -> pd.DataFrame:
    """Sort as COQL sorts: by several keys, text without regard to case, nothing before something.

    Parameters
    ----------
    table : DataFrame
        What to sort.
    keys : sequence of (str, bool)
        Column names, and whether each one descends; the first weighs most.

    Returns
    -------
    DataFrame
        The same rows in the new order; rows that tie keep theirs.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.shape import sort_frame
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


def only_its_categories(table: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """Drop categories of rows that were cut off: values which the picklist itself does not have.

    So a table that was cut here has the dtypes that it would have had, had Zoho cut it.

    Parameters
    ----------
    table : DataFrame
        What is left of a larger table.
    columns : iterable of Column
        What its columns are.

    Returns
    -------
    DataFrame
        The same rows.

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


def series(source: pd.DataFrame | Mapping[str, Any], name: str) -> pd.Series[Any]:
    """Make a Series of a table of one row, or of a mapping.

    Parameters
    ----------
    source : DataFrame of shape (1, n) or mapping
        The values.
    name : str
        Name of the Series.

    Returns
    -------
    Series of shape (n,)
        Of dtype object: each value keeps its own type.

    Examples
    --------
    >>> from zcrm_nb.frames.shape import series
    >>> series({"a": 1, "b": "x"}, "both").tolist()
    [1, 'x']
    """
    values = (
        {column: source[column].iloc[0] for column in source}
        if isinstance(source, pd.DataFrame)
        else dict(source)
    )
    return pd.Series(values, name=name, dtype=object)
