"""Another system's ids in a table or in records: taken out, and replaced by Zoho's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from zcrm_nb.frames.types import STRING

__all__ = ["as_table", "far_columns", "pointing", "texts", "with_ids"]

Ids = Sequence[str | None]


def as_table(source: Any, column: str) -> pd.DataFrame:
    """Make a table of records, or of the bare values of a column."""
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.rename(column).to_frame()
    values = [source] if isinstance(source, str) else list(source)
    if all(isinstance(each, Mapping) for each in values):
        return pd.DataFrame(values, dtype=object)
    return pd.DataFrame({column: values})


def with_ids(table: pd.DataFrame, column: str, ids: Ids) -> pd.DataFrame:
    """Put ids into the place of a column."""
    return table.drop(columns=column).assign(id=pd.array(ids, dtype=STRING))


def far_columns(source: Any) -> list[str]:
    """Name the columns, or keys, that lie behind a lookup: ``X.F``."""
    if isinstance(source, pd.DataFrame):
        names = list(source.columns)
    else:
        names = [name for record in source for name in record]
    return [name for name in dict.fromkeys(map(str, names)) if "." in name]


def texts(source: Any, column: str) -> tuple[pd.Index[Any], list[str | None]]:
    """Read a column of a table or of records as text, with the labels of its rows."""
    if isinstance(source, pd.DataFrame):
        values, index = source[column], source.index
    else:
        values = pd.Series([each.get(column) for each in source], dtype=object)
        index = values.index
    missing = values.isna()
    return index, [
        None if is_missing else str(value)
        for value, is_missing in zip(values, missing, strict=True)
    ]


def pointing(source: Any, column: str, ids: Ids) -> Any:
    """Put the ids of a lookup into the place of its column ``X.F``."""
    own = column.partition(".")[0]
    if isinstance(source, pd.DataFrame):
        found = {f"{own}.id": pd.array(ids, dtype=STRING)}
        return source.drop(columns=column).assign(**found)
    return [
        {key: value for key, value in record.items() if key != column}
        | ({own: record_id and {"id": record_id}} if column in record else {})
        for record, record_id in zip(source, ids, strict=True)
    ]
