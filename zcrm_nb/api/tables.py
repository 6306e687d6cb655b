"""From a question to a table: pages on one side, ``to_frame`` on the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.api import query as ask
from zcrm_nb.api.pages import V8
from zcrm_nb.api.records import check_id, field_batches, list_columns, record_bodies
from zcrm_nb.api.search import search_bodies
from zcrm_nb.errors import NotFoundError
from zcrm_nb.frames import beside, info, sort_frame, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.coql.tree import Query

    Tick = Callable[[int], None]  # rows that have just come

__all__ = ["coql_table", "record_row", "records_table", "search_table"]


def counted(bodies: Iterable[bytes], tick: Tick) -> Iterator[bytes]:
    """Pass the answers that hold rows on, telling how many rows each has."""
    for body in bodies:
        if body:
            tick(info(body).get("count", 0))
            yield body


def coql_table(
    send: Send,
    catalogue: Catalogue,
    query: Query,
    text: str,
    *,
    workers: int,
    tick: Tick,
    **options: Any,
) -> pd.DataFrame:
    """Return every row of a checked query as a table, in the order it asks for."""
    ask.check_paths(catalogue, query, text)

    def fetch(query: Query) -> pd.DataFrame:
        columns = ask.answer_columns(catalogue, query, text)
        users = catalogue.directory() if any(each.kind == "user" for each in columns) else None
        bodies = counted(ask.coql_bodies(send, query, workers=workers), tick)
        return to_frame(bodies, columns, users=users, **options)

    try:
        return fetch(query)
    except ask.OffsetCeilingError:
        whole = fetch(ask.by_id(query))
        return _ordered_here(whole, query, ask.answer_columns(catalogue, query, text), **options)


def _ordered_here(
    whole: pd.DataFrame, query: Query, columns: Sequence[Any], **options: Any
) -> pd.DataFrame:
    """Sort and cut a whole result as the query asks, because Zoho's offset did not reach."""
    start = query.offset or 0
    end = None if query.limit is None else start + query.limit
    # UNCONFIRMED: that Zoho sorts a lookup by the id it holds, not by the name it shows.
    keys = [(f"{n}.id" if f"{n}.id" in whole else n, down) for n, down in ask.sort_keys(query)]
    table = sort_frame(whole, keys).iloc[start:end]
    return table[to_frame([], columns, **options).columns].reset_index(drop=True)


def records_table(
    send: Send,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str] | None,
    *,
    workers: int,
    tick: Tick,
    limit: int | None = None,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return the records of a module as a table; more than 50 fields come in batches, side by side.

    All batches page through the same list, and are joined by ``id``.
    """
    batches = field_batches(list_columns(catalogue, module, names))
    share = max(1, workers // len(batches))
    fetch = partial(
        record_bodies, send, module, limit=limit, workers=share, params=params, headers=headers
    )

    def table(batch: Sequence[Any]) -> pd.DataFrame:
        bodies = fetch([each.name for each in batch])
        leading = batch is batches[0]
        return to_frame(counted(bodies, tick if leading else _silent), batch, **options)

    with ThreadPoolExecutor(len(batches), thread_name_prefix="zcrm-fields") as pool:
        whole = beside(list(pool.map(table, batches)), "id")
    return whole if limit is None else whole.head(limit)


def search_table(
    send: Send,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str] | None,
    params: dict[str, str],
    *,
    workers: int,
    tick: Tick,
    limit: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return what a search finds as a table."""
    columns = list_columns(catalogue, module, names)
    bodies = search_bodies(send, module, params, limit=limit, workers=workers)
    whole = to_frame(counted(bodies, tick), columns, **options)
    return whole if limit is None else whole.head(limit)


def _silent(rows: int) -> None:
    """Tell nobody: the rows of the first batch are the rows."""


def record_row(
    send: Send, catalogue: Catalogue, module: str, record_id: str, **options: Any
) -> pd.DataFrame:
    """Return one record, with all its fields, as a table of one row."""
    columns = list_columns(catalogue, module, list(catalogue.fields(module)))
    body = send("GET", f"{V8}{module}/{check_id(module, record_id)}")
    if not body:
        raise NotFoundError(
            f"{module} has no record {record_id}.",
            "Zoho answered with HTTP 204: nothing there.",
            "It may have been deleted (crm.deleted lists those), or be hidden from this user.",
            code="HTTP_204",
            status=204,
            details={"id": record_id},
            request=f"GET /crm/v8/{module}/{record_id}",
        )
    return to_frame([body], columns, **options)
