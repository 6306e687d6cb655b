"""Tables whose rows are groups: what the query that made a table says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb import coql

if TYPE_CHECKING:
    import pandas as pd

    from zcrm_nb.coql.tree import Query

__all__ = ["query_of"]


def query_of(df: pd.DataFrame) -> Query | None:
    """Return the query that made a table, if one did and the table still says so."""
    try:
        return coql.parse(str(df.attrs.get("zcrm", {}).get("query", "")))
    except coql.ParseError:  # a path, a module: not every table comes from COQL
        return None
