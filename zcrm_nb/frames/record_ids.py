"""Which records a verb is about: ids, or the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import pandas as pd

from zcrm_nb.frames.records import to_records

__all__ = ["Subject", "plain", "subject"]

#: Ids one by one, a column of ids, or a table that has a column ``id``.
Subject: TypeAlias = "str | Iterable[str] | pd.Series | pd.DataFrame"


def subject(given: Subject) -> tuple[pd.Index, list[dict[str, Any]]]:
    """Read which records are meant.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames import subject
    >>> index, rows = subject(pd.Series(["11", "12"], index=["a", "b"]))
    >>> list(index), rows
    (['a', 'b'], [{'id': '11'}, {'id': '12'}])
    """
    if isinstance(given, pd.DataFrame):
        if "id" not in given:
            raise ValueError(f"the table has no column 'id'; it has {', '.join(map(str, given))}")
        table = given
    else:
        ids = [given] if isinstance(given, str) else given
        table = pd.Series(ids, dtype=object, name="id").to_frame()
    rows = to_records(table)
    if missing := sum(row["id"] is None for row in rows):
        raise ValueError(f"{missing} of {len(rows)} rows have no id")
    ids_seen: set[str] = set()
    for row in rows:
        row["id"] = str(row["id"])
        if row["id"] in ids_seen:
            raise ValueError(f"{row['id']} comes twice; nothing was sent")
        ids_seen.add(row["id"])
    return table.index, rows


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write one record's values as JSON knows them: dates, decimals, numpy scalars.

    Examples
    --------
    >>> from datetime import date
    >>> from zcrm_nb.frames import plain
    >>> plain({"Closing_Date": date(2026, 9, 30), "Amount": 5})
    {'Closing_Date': '2026-09-30', 'Amount': 5}
    """
    table = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in values.items()})
    return to_records(table)[0] if values else {}
