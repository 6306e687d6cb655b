"""From a question to a table: pages on one side, ``to_frame`` on the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.pages import V8, more, records_of
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import (
    check_id,
    external_header,
    field_batches,
    in_address,
    list_columns,
    record_bodies,
)
from zcrm_nb.api.reading.search import search_bodies
from zcrm_nb.errors import LimitError, NotFoundError
from zcrm_nb.frames import Column, beside, info, only_its_categories, sort_frame, to_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.reading.query import Prepared
    from zcrm_nb.coql.tree import Query

    Tick = Callable[[int], None]  # rows that have just come

__all__ = [
    "coql_table",
    "findings_table",
    "ordered_here",
    "record_row",
    "records_table",
    "search_table",
]

FINDING_COLUMNS = [
    Column("line", "integer"),
    Column("column", "integer"),
    Column("severity", "text"),
    Column("problem", "text"),
    Column("fix", "text"),
    Column("repaired", "boolean"),
]


def counted(bodies: Iterable[bytes], tick: Tick) -> Iterator[bytes]:
    """Pass the answers that hold rows on, telling how many rows each has."""
    for body in bodies:
        if body:
            tick(info(body).get("count", 0))
            yield body


def coql_table(
    send: Send,
    catalogue: Catalogue,
    asked: Prepared,
    *,
    workers: int,
    tick: Tick,
    rows: Sequence[int] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return every row of a query as a table, in the order it asks for.

    Whoever has counted says how many rows each of its :func:`zcrm_nb.coql.parts` means.
    """

    def fetch(queries: Sequence[Query]) -> pd.DataFrame:
        columns = ask.answer_columns(catalogue, queries[0])
        counts: Sequence[int | None] = rows or [None] * len(queries)
        pages = (
            ask.coql_bodies(send, each, workers=workers, rows=count)
            for each, count in zip(queries, counts, strict=True)
        )
        bodies = counted(chain.from_iterable(pages), tick)
        return _table(bodies, columns, catalogue, **options)

    query = asked.query
    if query is None or asked.as_written:
        return _as_written(send, catalogue, asked, tick=tick, **options)
    queries = coql.parts(query)
    if len(queries) == 1:
        try:
            return fetch(queries)
        except ask.OffsetCeilingError:
            pass
    whole = fetch([ask.by_id(each) for each in queries])
    return ordered_here(whole, query, ask.answer_columns(catalogue, query), **options)


def _table(
    bodies: Iterable[bytes], columns: Sequence[Column], catalogue: Catalogue, **options: Any
) -> pd.DataFrame:
    """Build the table of a query; names of users need the directory."""
    users = catalogue.directory() if any(each.kind == "user" for each in columns) else None
    return to_frame(bodies, columns, users=users, **options)


def _as_written(
    send: Send, catalogue: Catalogue, asked: Prepared, *, tick: Tick, **options: Any
) -> pd.DataFrame:
    """Return what Zoho answers to one call; what cannot be typed comes as Python objects."""
    bodies = list(counted([ask.send_text(send, asked.text)], tick))
    if any(more(each) for each in bodies) and (asked.query is None or not asked.query.limit):
        raise _cut_short()
    columns = _columns_of(catalogue, asked.query, bodies)
    return _table(bodies, columns, catalogue, **options)


def _columns_of(catalogue: Catalogue, query: Query | None, bodies: list[bytes]) -> list[Column]:
    """Type an answer from metadata; Zoho may have taken what we cannot read."""
    if query is not None:
        with suppress(coql.AstrayError, NotFoundError):
            return ask.answer_columns(catalogue, query)
    rows = chain.from_iterable(map(records_of, bodies))
    return [Column(key, "object") for key in dict.fromkeys(chain.from_iterable(rows))]


def findings_table(catalogue: Catalogue, text: str) -> pd.DataFrame:
    """Return what the linter has to say to a query, one row for each finding."""
    findings = coql.lint(text, catalogue.fields, catalogue.modules, catalogue.zone)
    rows = [{**asdict(each), "repaired": each.severity == "repaired"} for each in findings]
    return to_frame([rows], FINDING_COLUMNS)


def _cut_short() -> LimitError:
    """Say that Zoho stopped by itself."""
    return LimitError(
        "This query has more rows than one call brings, and no LIMIT.",
        "Zoho stops at 200 rows by itself.",
        "Write a LIMIT, up to 2,000; or leave strict=True out, and every row comes.",
    )


def ordered_here(
    whole: pd.DataFrame, query: Query, columns: Sequence[Column], **options: Any
) -> pd.DataFrame:
    """Sort and cut a whole result as the query asks, where Zoho could not in one go."""
    start = query.offset or 0
    end = None if query.limit is None else start + query.limit
    # Parts of a list may share rows, for texts that differ in case may be equal.
    each_once = whole.drop_duplicates("id").sort_values("id", key=lambda ids: ids.astype("int64"))
    # UNCONFIRMED: that Zoho sorts a lookup by the id it holds, not by the name it shows.
    keys = [(f"{n}.id" if f"{n}.id" in whole else n, down) for n, down in ask.sort_keys(query)]
    table = sort_frame(each_once, keys).iloc[start:end]
    table = table[to_frame([], columns, **options).columns].reset_index(drop=True)
    return only_its_categories(table, columns)


def records_table(
    send: Send,
    catalogue: Catalogue,
    module: str,
    names: Sequence[str] | None,
    *,
    workers: int,
    tick: Tick,
    limit: int | None = None,
    rows: int | None = None,
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
        record_bodies,
        send,
        module,
        limit=limit,
        workers=share,
        rows=rows,
        params=params,
        headers=headers,
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
    send: Send,
    catalogue: Catalogue,
    module: str,
    record_id: str,
    *,
    external: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return one record, with all its fields, as a table of one row."""
    columns = list_columns(catalogue, module, list(catalogue.fields(module)))
    if external is None:
        body = send("GET", f"{V8}{module}/{check_id(module, record_id)}")
    else:
        headers = external_header(catalogue, module, external)
        body = send("GET", f"{V8}{module}/{in_address(record_id)}", headers=headers)
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
