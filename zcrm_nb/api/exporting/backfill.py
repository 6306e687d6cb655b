"""What bulk read does not bring, by other ways: columns it refuses, names of deleted users."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.exporting.selection import field_of
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import conversion
from zcrm_nb.api.reading.tables import coql_table, records_table
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import NotFoundError, PermissionDenied, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.session import Session
    from zcrm_nb.frames import Column, PartReader

__all__ = ["MOST_LISTED", "OTHER_IN_COQL", "UnknownUsers", "elsewhere", "name_users"]

MOST_LISTED = 100_000  # records read by their ids: a thousand credits
MOST_NAMED = 100  # users who are looked up one by one

# Values that COQL returns otherwise than Get Records does: without a name, or in another shape.
OTHER_IN_COQL = frozenset({"multi_module_lookup", "consent_lookup"})


def elsewhere(
    session: Session, module: str, names: Sequence[str], ids: pd.Series[Any], **options: Any
) -> list[pd.DataFrame]:
    """Read columns of records whose ids are known: by query where COQL has them, else from lists.

    Notes
    -----
    A query reads all records from the first id to the last: 3 credits for each 2,000. A list reads
    100 ids at a time: 1 credit each. Columns that would cost too much are missing from the result.
    """
    options.setdefault("errors", "raise")  # columns of Python objects cannot be stored
    session = session.quiet()
    fields = {name: field_of(session.catalogue, module, name) for name in names}
    queried = [
        name
        for name, field in fields.items()
        if is_readable(module, field) and field["data_type"] not in OTHER_IN_COQL
    ]
    listed = [name for name in names if name not in queried]
    frames: list[pd.DataFrame] = []
    if queried:
        try:
            frames.append(_by_query(session, module, queried, ids, **options))
        except (QueryError, NotFoundError, PermissionDenied):  # a field that COQL refuses after all
            if any("." in name for name in queried):
                raise  # a list has no paths
            listed += queried
    if listed and len(ids) <= MOST_LISTED:
        frames.append(_from_lists(session, module, listed, ids, **options))
    return frames


def _by_query(
    session: Session, module: str, names: Sequence[str], ids: pd.Series[Any], **options: Any
) -> pd.DataFrame:
    """Query the records between two ids."""
    first, last = (ids.iloc[0], ids.iloc[-1]) if len(ids) else ("0", "0")
    condition = f"id >= '{first}' and id <= '{last}'"
    text = f"select {', '.join(names)} from {module} where {condition}"  # noqa: S608 - COQL
    return coql_table(session, ask.prepared(session.catalogue, text), **options)


def _from_lists(
    session: Session, module: str, names: Sequence[str], ids: Iterable[str], **options: Any
) -> pd.DataFrame:
    """Read records by their ids, a hundred at a time."""
    converted = conversion(session.catalogue, module, None)
    params = {"converted": converted} if converted else {}
    return records_table(session, module, names, ids=list(ids), params=params, **options)


def name_users(
    session: Session, module: str, table: pd.DataFrame, columns: Iterable[Column]
) -> None:
    """Name users that are missing in the directory, such as deleted ones.

    A list shows their names: one record of each is read, 1 credit for all of a column.
    """
    for column in columns:
        name, key = column.name, f"{column.name}.id"
        if column.kind != "user" or "." in name:
            continue
        nameless = table[name].isna() & table[key].notna()
        if not nameless.any():
            continue
        ids = table.loc[nameless].drop_duplicates(key)["id"].head(MOST_NAMED)
        names = _names_of(session, module, name, ids)
        table.loc[nameless, name] = table.loc[nameless, key].map(names)


class UnknownUsers:
    """Names users that are missing in the directory, while a part is written.

    Each is looked up once, in a record that shows the name: 1 credit for those of a batch.
    """

    def __init__(self, session: Session, module: str) -> None:
        self._session, self._module = session.quiet(), module
        self._names: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def named(self, reader: PartReader, batches: Iterable[Any]) -> Iterator[Any]:
        """Yield the batches with every user named."""
        for batch in batches:
            nameless = reader.nameless(batch)
            for column, record_of in nameless.items():
                self._look_up(column, record_of)
            yield reader.named(batch, self._names) if nameless else batch

    def _look_up(self, column: str, record_of: Mapping[str, str]) -> None:
        """Look up users who were not looked up yet, up to a limit."""
        with self._lock:
            new = [user for user in record_of if user not in self._names]
            new = new[: max(MOST_NAMED - len(self._names), 0)]
            if new:
                ids = [record_of[user] for user in new]
                names = _names_of(self._session, self._module, column, ids)
                self._names |= dict.fromkeys(new) | names


def _names_of(
    session: Session, module: str, name: str, ids: Iterable[str]
) -> dict[str, str | None]:
    """Read the names of the users of a column from records that have them."""
    found = _from_lists(session.quiet(), module, [name], ids)
    return dict(zip(found[f"{name}.id"], found[name], strict=True))
