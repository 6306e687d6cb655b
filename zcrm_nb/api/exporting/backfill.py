"""What bulk read does not bring, by other ways: columns it refuses, users the directory lacks."""

from __future__ import annotations

import threading
from itertools import chain
from typing import TYPE_CHECKING, Any

from zcrm_nb.api.exporting.selection import field_of
from zcrm_nb.api.pages import side_by_side
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import conversion, field_batches, list_columns, record_bodies
from zcrm_nb.api.reading.tables import coql_table
from zcrm_nb.api.session import Session
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import APIError
from zcrm_nb.frames import beside, to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.frames import Column, PartReader
    from zcrm_nb.wire.gate import Gate

__all__ = ["MOST_LISTED", "TOLD_OTHERWISE", "UnknownUsers", "elsewhere", "name_users"]

IDS_PER_CALL = 100
MOST_LISTED = 100_000  # records asked for by their ids: a thousand credits
MOST_STRANGERS = 100  # users to be named one by one

# Values that COQL tells otherwise than Get Records does: without a name, or in another shape.
TOLD_OTHERWISE = frozenset({"multi_module_lookup", "consent_lookup"})


def elsewhere(
    gate: Gate,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str],
    ids: pd.Series[Any],
    **options: Any,
) -> list[pd.DataFrame]:
    """Bring columns of records whose ids are known: by query where COQL has them, else from lists.

    Notes
    -----
    A query asks for all records from the first id to the last: 3 credits for each 2,000. A list is
    asked for 100 ids at a time: 1 credit each.
    """
    options.setdefault("errors", "raise")  # columns of Python objects cannot be stored
    fields = {name: field_of(catalogue, module, name) for name in names}
    queried = [
        name
        for name, each in fields.items()
        if is_readable(module, each) and each["data_type"] not in TOLD_OTHERWISE
    ]
    listed = [name for name in names if name not in queried]
    found: list[pd.DataFrame] = []
    if queried:
        try:
            found.append(_by_query(gate, catalogue, module, queried, ids, **options))
        except APIError:
            if any("." in name for name in queried):
                raise  # a list has no paths
            listed += queried
    if listed and len(ids) <= MOST_LISTED:
        found.append(_from_lists(gate, catalogue, module, listed, ids, **options))
    return found


def _by_query(
    gate: Gate,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str],
    ids: pd.Series[Any],
    **options: Any,
) -> pd.DataFrame:
    """Ask for the records between two ids."""
    first, last = (ids.iloc[0], ids.iloc[-1]) if len(ids) else ("0", "0")
    condition = f"id >= '{first}' and id <= '{last}'"
    text = f"select {', '.join(names)} from {module} where {condition}"  # noqa: S608 - COQL
    asked = ask.prepared(catalogue, text)
    return coql_table(Session(gate.send, catalogue, gate.workers), asked, **options)


def _from_lists(
    gate: Gate,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str],
    ids: Iterable[str],
    **options: Any,
) -> pd.DataFrame:
    """Ask for records by their ids, a hundred at a time."""
    converted = conversion(catalogue, module, None)
    wanted = list(ids)
    chunks = [wanted[at : at + IDS_PER_CALL] for at in range(0, len(wanted), IDS_PER_CALL)]

    def table(batch: Sequence[Column]) -> pd.DataFrame:
        def bodies(chunk: list[str]) -> list[bytes]:
            params = {"ids": ",".join(chunk), **({"converted": converted} if converted else {})}
            return list(record_bodies(gate.send, module, [c.name for c in batch], params=params))

        pages = chain.from_iterable(side_by_side(bodies, chunks, gate.workers))
        return to_frame(pages, batch, **options)

    batches = field_batches(list_columns(catalogue, module, names))
    return beside([table(each) for each in batches], "id")


def name_users(
    gate: Gate, catalogue: Catalogue, module: str, table: pd.DataFrame, columns: Iterable[Column]
) -> None:
    """Name the users that the directory does not know, such as those deleted long ago.

    A list shows their names; one record of each is asked for, 1 credit for all of a column.
    """
    for column in columns:
        name, key = column.name, f"{column.name}.id"
        if column.kind != "user" or "." in name:
            continue
        nameless = table[name].isna() & table[key].notna()
        if not nameless.any():
            continue
        ids = table.loc[nameless].drop_duplicates(key)["id"].head(MOST_STRANGERS)
        names = _names_of(gate, catalogue, module, name, ids)
        table.loc[nameless, name] = table.loc[nameless, key].map(names)


class UnknownUsers:
    """Users that the directory lacks, named while a part goes into a file.

    Each is asked for once, by a record that shows the name: 1 credit for those of a batch.

    Parameters
    ----------
    gate : Gate
        The way to Zoho.
    catalogue : Catalogue
        The org's metadata.
    module : str
        API name of the module.
    """

    def __init__(self, gate: Gate, catalogue: Catalogue, module: str) -> None:
        self._whence = gate, catalogue, module
        self._names: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def named(self, reader: PartReader, batches: Iterable[Any]) -> Iterator[Any]:
        """Give batches on, with those named who were not."""
        for batch in batches:
            nameless = reader.nameless(batch)
            for column, record_of in nameless.items():
                self._ask(column, record_of)
            yield reader.named(batch, self._names) if nameless else batch

    def _ask(self, column: str, record_of: Mapping[str, str]) -> None:
        """Have those named whom nobody asked for yet; too many are left alone."""
        with self._lock:
            new = [user for user in record_of if user not in self._names]
            new = new[: max(MOST_STRANGERS - len(self._names), 0)]
            if new:
                self._names |= dict.fromkeys(new)
                self._names |= _names_of(*self._whence, column, [record_of[user] for user in new])


def _names_of(
    gate: Gate, catalogue: Catalogue, module: str, name: str, ids: Iterable[str]
) -> dict[str, str | None]:
    """Name the users of a column by records that have them."""
    found = _from_lists(gate, catalogue, module, [name], ids)
    return dict(zip(found[f"{name}.id"], found[name], strict=True))


def _silent(rows: int) -> None:
    """Tell nobody: these are no further rows."""
