"""The records that an action is for: ids, or the rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeAlias

import pandas as pd

from zcrm_nb.frames.records import to_records

__all__ = ["RecordIds", "as_record_ids"]

#: Ids one by one, a column of ids, or a table that has a column ``id``.
RecordIds: TypeAlias = "str | Iterable[str] | pd.Series | pd.DataFrame"


def as_record_ids(records: RecordIds) -> tuple[pd.Index, list[dict[str, Any]]]:
    """Read ids, or the rows of a table, as records with their labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames import as_record_ids
    >>> index, rows = as_record_ids(pd.Series(["11", "12"], index=["a", "b"]))
    >>> list(index), rows
    (['a', 'b'], [{'id': '11'}, {'id': '12'}])
    """
    if isinstance(records, pd.DataFrame):
        if "id" not in records:
            columns = ", ".join(map(str, records))
            raise ValueError(f"The table has no column 'id'; its columns are {columns}.")
        table = records
    else:
        ids = [records] if isinstance(records, str) else records
        table = pd.Series(ids, dtype=object, name="id").to_frame()
    rows = to_records(table)
    if missing := sum(row["id"] in (None, "") for row in rows):
        raise ValueError(f"{missing} of {len(rows)} rows have no id.")
    _refuse_repeated([str(row["id"]) for row in rows])
    return table.index, rows


def _refuse_repeated(ids: list[str]) -> None:
    """Raise an error for an id that comes twice."""
    if len(set(ids)) < len(ids):
        repeated, _ = Counter(ids).most_common(1)[0]
        raise ValueError(f"The id {repeated} comes twice; nothing was sent.")
