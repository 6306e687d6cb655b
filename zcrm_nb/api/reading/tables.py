"""Queries, lists and searches: arguments to a :class:`TableRequest`, pages to a table."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice, product
from threading import Event
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.pages import V8, more, side_by_side
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.pointed_modules import (
    SE_MODULE,
    frame_of_list,
    reads_se_module,
    with_modules,
)
from zcrm_nb.api.reading.records import (
    IDS_PER_CALL,
    bodies_by_ids,
    check_id,
    conversion,
    external_header,
    field_batches,
    in_address,
    list_columns,
    list_parameters,
    record_bodies,
    selected_ids,
    since_header,
)
from zcrm_nb.api.reading.search import (
    DELETED_COLUMNS,
    deleted_bodies,
    search_bodies,
    search_parameters,
)
from zcrm_nb.api.reading.search_values import compared
from zcrm_nb.api.session import TableRequest
from zcrm_nb.errors import APIError, LimitError, NotFoundError
from zcrm_nb.frames import (
    Column,
    beside,
    only_its_categories,
    read_as_is,
    records_of,
    rows_in,
    sort_frame,
    stacked,
    to_frame,
    unique,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.reading.query import Prepared
    from zcrm_nb.api.session import Session, Tick
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.frames import FrameOptions

__all__ = [
    "condition",
    "coql_request",
    "coql_table",
    "deleted_table",
    "findings_table",
    "ordered_here",
    "record_count",
    "record_row",
    "records_request",
    "records_table",
    "search_request",
    "search_table",
]

FINDING_COLUMNS = [
    Column("line", "integer"),
    Column("column", "integer"),
    Column("severity", "text"),
    Column("problem", "text"),
    Column("fix", "text"),
    Column("repaired", "boolean"),
    Column("corrected", "text"),
]


# ---- Arguments, checked before anything is read --------------------------------------------------


def coql_request(
    catalogue: Catalogue,
    text: str,
    values: Mapping[str, Any],
    *,
    limit: int | None,
    strict: bool,
    options: FrameOptions,
) -> TableRequest:
    """Fill in, lint and repair a query; ``strict`` leaves it as written."""
    text = coql.fill(text, **values)
    prepared = (
        ask.as_written(text, limit=limit) if strict else ask.prepared(catalogue, text, limit=limit)
    )

    def fetch(session: Session) -> pd.DataFrame:
        return coql_table(session, prepared, **catalogue.in_zone(options))

    facts = {"query": prepared.text, "repaired": prepared.repaired, "route": "coql"}
    facts |= {"module": prepared.subject} if prepared.query else {}
    return TableRequest(prepared.subject, fetch, facts)


def condition(where: str | Mapping[str, Any] | None) -> str:
    """Return a COQL condition, whatever form it was given in."""
    if not isinstance(where, str | Mapping | None):
        kind = type(where).__name__
        raise TypeError(f"where takes a COQL condition or a mapping of fields, not a {kind}.")
    return coql.where(where) if isinstance(where, Mapping) else where or "id is not null"


def record_count(
    session: Session,
    module: str,
    where: str | Mapping[str, Any] | None,
    values: Mapping[str, Any],
    *,
    cvid: str | None,
) -> int:
    """Count records by COQL; 1 credit."""
    source = f"{module}#{check_id(module, cvid)}" if cvid else module
    text = coql.fill(f"select COUNT(id) from {source} where {condition(where)}", **values)  # noqa: S608
    return ask.count_query(session.send, session.catalogue, text)


def records_request(
    catalogue: Catalogue,
    module: str,
    columns: Sequence[str] | None,
    *,
    limit: int | None,
    ids: Any,
    converted: bool | None,
    cvid: str | None,
    options: FrameOptions,
    **which: Any,
) -> TableRequest:
    """Check the arguments of a list; ``which`` are those of :func:`list_parameters`.

    ``ids=None`` means all records, an empty selection none.
    """
    if ids is not None and (which["sort_by"], which["ascending"]) != ("id", True):
        raise ValueError("Records named by ids= come in the order of the ids: leave sort_by out.")
    leads = conversion(catalogue, module, converted, cvid)
    which["modified_since"] = catalogue.moment(which["modified_since"])
    params, headers = list_parameters(cvid=cvid, converted=leads, **which)
    selected = None if ids is None else selected_ids(module, ids)
    shown = params if selected is None else {**params, "ids": ",".join(selected[:IDS_PER_CALL])}

    def fetch(session: Session) -> pd.DataFrame:
        return records_table(
            session,
            module,
            columns,
            ids=selected,
            limit=limit,
            params=params,
            headers=headers,
            **catalogue.in_zone(options),
        )

    facts = {"query": f"{module} {shown}", "module": module, "route": "rest"}
    return TableRequest(module, fetch, facts)


def search_request(
    catalogue: Catalogue,
    module: str,
    columns: Sequence[str] | None,
    *,
    limit: int | None,
    converted: bool | None,
    options: FrameOptions,
    **terms: Any,
) -> TableRequest:
    """Check the arguments of a search; ``terms`` are those of :func:`search_parameters`."""
    leads = conversion(catalogue, module, converted)
    if isinstance(terms.get("criteria"), Mapping):
        terms["criteria"] = compared(catalogue, module, terms["criteria"])
    params = search_parameters(list(columns or ()), converted=leads, **terms)

    def fetch(session: Session) -> pd.DataFrame:
        return search_table(
            session, module, columns, params, limit=limit, **catalogue.in_zone(options)
        )

    facts = {"query": f"{module} {params}", "module": module, "route": "search"}
    return TableRequest(module, fetch, facts)


# ---- Tables --------------------------------------------------------------------------------------


def counted(bodies: Iterable[bytes], tick: Tick) -> Iterator[bytes]:
    """Pass the answers that hold rows on, telling how many rows each has."""
    for body in bodies:
        if body:
            tick(rows_in(body))
            yield body


def coql_table(
    session: Session, prepared: Prepared, *, rows: Sequence[int] | None = None, **options: Any
) -> pd.DataFrame:
    """Return every row of a query as a table, in the query's order.

    ``rows`` are the counts of its :func:`zcrm_nb.coql.parts`, where they are known already.
    """
    catalogue = session.catalogue

    def fetch(queries: Sequence[Query]) -> pd.DataFrame:
        columns = ask.answer_columns(catalogue, queries[0])
        counts: Sequence[int | None] = rows or [None] * len(queries)
        pages = (
            ask.coql_bodies(session.send, query, workers=session.workers, rows=count)
            for query, count in zip(queries, counts, strict=True)
        )
        bodies = counted(chain.from_iterable(pages), session.tick)
        return typed_table(session, bodies, columns, **options)

    query = prepared.query
    if query is None or prepared.as_written:
        return _as_written(session, prepared, **options)
    queries = coql.parts(query)
    try:
        if len(queries) == 1:
            with suppress(ask.OffsetCeilingError):
                return fetch(queries)
        whole = fetch([ask.by_id(each) for each in queries])
    except APIError as refused:
        smaller = ask.without_refused(prepared, refused)
        if smaller is None:
            raise
        return coql_table(session, smaller, rows=rows, **options)
    return ordered_here(whole, query, ask.answer_columns(catalogue, query), **options)


def typed_table(
    session: Session, bodies: Iterable[bytes], columns: Sequence[Column], **options: Any
) -> pd.DataFrame:
    """Build the table of a query; full names of users come from the directory."""
    has_users = any(column.kind == "user" for column in columns)
    users = session.catalogue.directory() if has_users else None
    return to_frame(bodies, columns, users=users, **options)


def _as_written(session: Session, prepared: Prepared, **options: Any) -> pd.DataFrame:
    """Return Zoho's answer to one call; what cannot be typed comes as Python objects."""
    bodies = list(counted([ask.send_text(session.send, prepared.text)], session.tick))
    if any(map(more, bodies)) and (prepared.query is None or not prepared.query.limit):
        raise _cut_short()
    columns = _columns_of(session.catalogue, prepared.query, bodies)
    return typed_table(session, bodies, columns, **options)


def _columns_of(catalogue: Catalogue, query: Query | None, bodies: list[bytes]) -> list[Column]:
    """Type an answer from metadata; Zoho may have taken what we cannot read."""
    if query is not None:
        with suppress(coql.AstrayError, NotFoundError):
            return ask.answer_columns(catalogue, query)
    rows = chain.from_iterable(map(records_of, bodies))
    return [Column(key, "object") for key in dict.fromkeys(chain.from_iterable(rows))]


def findings_table(catalogue: Catalogue, text: str) -> pd.DataFrame:
    """Return what the linter has to say to a query, one row for each finding."""
    findings = catalogue.examined(text).findings
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
    columns = read_as_is(columns, options.get("as_is", ()))
    start = query.offset or 0
    end = None if query.limit is None else start + query.limit
    # Parts of a list may share rows, for texts that differ in case may be equal.
    each_once = whole.drop_duplicates("id").sort_values("id", key=lambda ids: ids.str.zfill(20))
    # UNCONFIRMED: that Zoho sorts a lookup by the id it holds, not by the name it shows.
    keys = [(f"{n}.id" if f"{n}.id" in whole else n, down) for n, down in ask.sort_keys(query)]
    table = sort_frame(each_once, keys).iloc[start:end]
    table = table[to_frame([], columns, **options).columns].reset_index(drop=True)
    return only_its_categories(table, columns)


def records_table(
    session: Session,
    module: str,
    names: Sequence[str] | None,
    *,
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    rows: int | None = None,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    as_is: Sequence[str] = (),
    **options: Any,
) -> pd.DataFrame:
    """Return the records of a module as a table; more than 50 fields come in batches, side by side.

    Records named by ``ids`` come in the order of these, repeated ones too. Otherwise all batches
    page through the same list, and are joined by ``id``.
    """
    columns = read_as_is(list_columns(session.catalogue, module, names), as_is)
    added = reads_se_module(session.catalogue, module, columns)
    batches = field_batches([*columns, *[Column(SE_MODULE, "text")] * added])
    source = _RecordList(session, module, params or {}, headers, options)
    if ids is None:
        whole = beside(source.paged(batches, limit, rows), "id")
        whole = with_modules(session.catalogue, module, whole, keep=not added)
        return whole if limit is None else whole.head(limit)
    whole = beside(list(source.selected(batches, unique(ids))), "id")
    whole = with_modules(session.catalogue, module, whole, keep=not added)
    position = {record_id: row for row, record_id in enumerate(whole["id"])}
    order = [position[record_id] for record_id in ids if record_id in position]
    return whole.iloc[order[:limit]].reset_index(drop=True)


@dataclass(frozen=True)
class _RecordList:
    """The list of a module's records, as some parameters and headers select it."""

    session: Session
    module: str
    params: Mapping[str, str]
    headers: dict[str, str] | None
    options: Mapping[str, Any]

    def paged(
        self, batches: Sequence[Sequence[Column]], limit: int | None, rows: int | None
    ) -> list[pd.DataFrame]:
        """Page through the list, for each batch of fields."""
        share = max(1, self.session.workers // len(batches))

        with stopping(self.session) as session:

            def table(batch: Sequence[Column]) -> pd.DataFrame:
                bodies = record_bodies(
                    session.send,
                    self.module,
                    [column.name for column in batch],
                    limit=limit,
                    workers=share,
                    rows=rows,
                    params=dict(self.params),
                    headers=self.headers,
                )
                tick = session.tick if batch is batches[0] else session.quiet().tick
                return self._frame(counted(bodies, tick), batch)

            parts = list(side_by_side(table, batches, len(batches)))
        return self._completed(batches, parts)

    def selected(
        self, batches: Sequence[Sequence[Column]], ids: Sequence[str]
    ) -> Iterator[pd.DataFrame]:
        """Yield the table of each batch of fields, for records named by their ids."""
        chunks = [ids[start : start + IDS_PER_CALL] for start in range(0, len(ids), IDS_PER_CALL)]

        def fetch(call: tuple[Sequence[Column], Sequence[str]]) -> list[bytes]:
            batch, chunk = call
            return bodies_by_ids(
                self.session.send,
                self.module,
                [column.name for column in batch],
                ids=chunk,
                params=self.params,
                headers=self.headers,
            )

        answers = side_by_side(fetch, product(batches, chunks), self.session.workers)
        for batch in batches:
            tick = self.session.tick if batch is batches[0] else self.session.quiet().tick
            bodies = chain.from_iterable(islice(answers, len(chunks)))
            yield self._frame(counted(bodies, tick), batch)

    def _frame(self, bodies: Iterable[bytes], batch: Sequence[Column]) -> pd.DataFrame:
        """Build the table of a batch of fields."""
        catalogue = self.session.catalogue
        return frame_of_list(catalogue, self.module, bodies, batch, **self.options)

    def _completed(
        self, batches: Sequence[Sequence[Column]], parts: list[pd.DataFrame]
    ) -> list[pd.DataFrame]:
        """Complete records that some batches lack, because the list shifted between their pages.

        The first batch decides which records are in the table; what another one lacks of them is
        read by id, and records that are gone are dropped.
        """
        first = parts[0]
        by_id = replace(self, session=self.session.quiet(), headers=None)
        kept = first["id"]
        for number, batch in enumerate(batches[1:], 1):
            missing = first["id"][~first["id"].isin(parts[number]["id"])]
            if len(missing):
                (rest,) = by_id.selected([batch], unique(missing))
                parts[number] = stacked([parts[number], rest], batch)
                kept = kept[kept.isin(parts[number]["id"])]
        if len(kept) < len(first):
            parts[0] = first[first["id"].isin(kept)].reset_index(drop=True)
        return parts


def deleted_table(
    session: Session, module: str, *, since: datetime | str | None, kind: str, tz: str
) -> pd.DataFrame:
    """Return the deleted records of a module as a table."""
    zone, headers = session.catalogue.zone(tz), since_header(session.catalogue.moment(since))
    session.catalogue.fields(module)  # refuses an unknown module
    bodies = deleted_bodies(session.send, module, kind, headers)
    return to_frame(bodies, DELETED_COLUMNS, tz=zone)


@contextmanager
def stopping(session: Session) -> Iterator[Session]:
    """Hand out a session that sends nothing more once this block has failed or was stopped.

    For threads that page on by themselves: cancelling their future would not reach them.
    """
    stopped = Event()

    def send(*args: Any, **kwargs: Any) -> bytes:
        if stopped.is_set():
            raise CancelledError
        return session.send(*args, **kwargs)

    try:
        yield replace(session, send=send)
    except BaseException:
        stopped.set()
        raise


def search_table(
    session: Session,
    module: str,
    names: Sequence[str] | None,
    params: dict[str, str],
    *,
    limit: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return the records that a search finds as a table."""
    catalogue = session.catalogue
    columns = list_columns(catalogue, module, names)
    added = [Column(SE_MODULE, "text")] * reads_se_module(catalogue, module, columns)
    if added and "fields" in params:
        params = {**params, "fields": f"{params['fields']},{SE_MODULE}"}
    bodies = search_bodies(session.send, module, params, limit=limit, workers=session.workers)
    listed = counted(bodies, session.tick)
    whole = frame_of_list(catalogue, module, listed, [*columns, *added], **options)
    whole = with_modules(catalogue, module, whole, keep=not added)
    return whole if limit is None else whole.head(limit)


def record_row(
    session: Session,
    module: str,
    record_id: str,
    *,
    names: Sequence[str] | None = None,
    external: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Return one record, with all its fields or the named ones, as a table of one row."""
    catalogue, send = session.catalogue, session.send
    named = list(catalogue.fields(module)) if names is None else names
    columns = list_columns(catalogue, module, named)
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
    added = reads_se_module(catalogue, module, columns)
    whole = [*columns, *[Column(SE_MODULE, "text")] * added]
    table = frame_of_list(catalogue, module, [body], whole, **options)
    return with_modules(catalogue, module, table, keep=not added)
