"""COQL over the wire: what a query's answer will look like, and how to get all of its rows."""

from __future__ import annotations

import math
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb import coql
from zcrm_nb.api.pages import V8, look_ahead, more, side_by_side
from zcrm_nb.coql import tree
from zcrm_nb.errors import (
    APIError,
    LimitError,
    NotFoundError,
    QueryError,
    QueryWarning,
    ZohoError,
    caret,
    levels_up,
)
from zcrm_nb.frames import Column, column_for, records_of, rows_in
from zcrm_nb.wire.credits import EXPENSIVE_IN_FLIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Ask = Callable[[int, float], bytes]  # offset, rows → one answer

__all__ = [
    "OffsetCeilingError",
    "Prepared",
    "answer_columns",
    "as_written",
    "by_id",
    "coql_bodies",
    "coql_pages",
    "count",
    "count_query",
    "lanes",
    "levels_up",
    "limited",
    "parse",
    "prepared",
    "repaired",
    "send_text",
    "sort_keys",
    "without_refused",
]

PAGE_SIZE = 2000  # rows; Zoho's greatest LIMIT
SMALL_PAGE = 200  # rows that one credit buys
SUBQUERY_ROWS = 100  # rows that Zoho takes of an inner query
OFFSET_CEILING = 100_000  # rows that LIMIT and OFFSET together reach


def coql_pages(
    send: Send, query: str, *, limit: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a COQL query, page by page, each a list of dicts as Zoho sent them.

    Parameters
    ----------
    send : callable
        Sends one call: ``crm.send``, or any function of the same shape.
    query : str
        A COQL query. Its LIMIT may be any number; without one, every row comes.
    limit : int, optional
        Stop after this many rows.

    Yields
    ------
    list of dict
        At most 2,000 rows, keys as Zoho writes them (``"Account_Name.Industry"``,
        ``"COUNT(id)"``, an alias).

    Raises
    ------
    QueryError
        The query is not COQL (then nothing was sent; it is not repaired, as ``crm.coql`` would),
        or Zoho refused it.
    LimitError
        A query with an ORDER BY of its own has more rows than Zoho's offset reaches (100,000 or
        less). ``crm.coql`` goes on and sorts by itself.

    Notes
    -----
    3 credits for each 2,000 rows, less for smaller pages (1 up to 200 rows, 2 up to 1,000); one
    credit more for the count, once a query turns out to have more than one page. Rows come in
    ascending ``id`` unless the query says otherwise; ``id`` is added to the end of its ORDER BY,
    so that pages neither repeat nor lose a row.

    References
    ----------
    Zoho CRM API V8, "Get Records through a COQL Query" and "COQL Limitations":
    zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> query = "select Last_Name from Leads where id is not null"
    >>> [len(page) for page in zcrm_nb.coql_pages(crm.send, query, limit=2100)]
    [2000, 100]
    >>> crm.close()
    """
    for body in coql_bodies(send, limited(parse(query), limit)):
        yield records_of(body)


def parse(text: str) -> tree.Query:
    """Parse a query as it is written, or raise a ``QueryError`` that points at the place."""
    try:
        query = coql.parse(text)
        coql.check_limits(replace(query, limit=None, offset=None))
    except coql.ParseError as refused:
        raise _not_sent(text, [coql.explained(refused, text)]) from None
    return query


class Prepared(NamedTuple):
    """A query ready to be sent."""

    query: tree.Query | None
    text: str
    repaired: list[str]
    as_written: bool = False
    has_star: bool = False

    @property
    def subject(self) -> str:
        """The module it reads, or COQL where that is unknown."""
        return self.query.module if self.query else "COQL"


def prepared(catalogue: Catalogue, text: str, *, limit: int | None = None) -> Prepared:
    """Check and repair a query, or raise an error that points at the place."""
    query, findings = _checked(catalogue, text)
    repaired = [str(each) for each in findings if each.severity == "repaired"]
    sent = "\n".join(map(coql.to_text, coql.parts(query))) if repaired else text
    whole = _with_values(catalogue.send, query)
    shortened = coql.with_short_lists(whole, coql.split_list(whole))
    _check_size(shortened)
    has_star = any(finding.problem == coql.STAR for finding in findings)
    return Prepared(limited(shortened, limit), sent, repaired, has_star=has_star)


def repaired(catalogue: Catalogue, text: str) -> tree.Query:
    """Return a query as it is understood, or raise an error that points at the place."""
    return _checked(catalogue, text)[0]


def without_refused(prepared: Prepared, refused: APIError) -> Prepared | None:
    """Leave out a column of ``select *`` that Zoho refuses; ``None`` where it is not one of those.

    Metadata list fields that COQL cannot read, and which ones is known from its refusals only.
    """
    query, name = prepared.query, refused.details.get("column_name")
    if not prepared.has_star or query is None or refused.code != "INVALID_QUERY":
        return None
    columns = tuple(column for column in query.columns if column.key != name)
    if len(columns) in {0, len(query.columns)}:
        return None
    problem = f"COQL refuses {name}, which is among the fields of {query.module}: it is left out."
    warnings.warn(problem, QueryWarning, stacklevel=levels_up())
    return prepared._replace(query=replace(query, columns=columns))


def count_query(send: Send, catalogue: Catalogue, text: str) -> int:
    """Count the records that a query means, once it is checked and repaired; 1 credit."""
    query = _with_values(send, _checked(catalogue, text)[0])
    return count(send, coql.with_short_lists(query))


# ---- Queries inside a query ----------------------------------------------------------------------


def _with_values(send: Send, query: tree.Query) -> tree.Query:
    """Put the values that inner queries find in their place; 1 credit each, more for long ones.

    Zoho takes at most 100 rows of an inner query, and an integrator of a live org reports that it
    drops the others without a word (UNCONFIRMED): a table would be short and nothing would say so.
    """

    def listed(condition: tree.Condition) -> tree.Condition:
        match condition:
            case tree.Membership(values=tree.Subquery(query=inner)):
                return _among(condition, _inner_values(send, inner))
        return condition

    return coql.with_criteria(query, listed)


def _inner_values(send: Send, inner: tree.Query) -> list[str | int | float]:
    """Fetch the one column of an inner query."""
    shared = coql.split_list(inner) if inner.limit is None else None
    parts = coql.parts(coql.with_short_lists(inner, shared))
    bodies = chain.from_iterable(_small_page_or_all(send, part) for part in parts)
    key = inner.columns[0].key
    values = (_plain(row.get(key)) for body in bodies for row in records_of(body))
    return list(dict.fromkeys(value for value in values if value is not None))


def _small_page_or_all(send: Send, query: tree.Query) -> Iterable[bytes]:
    """Fetch a page that costs 1 credit, which is often all there is; else every page."""
    size = min(query.limit or SMALL_PAGE, SMALL_PAGE)
    body = _send(send, coql.page(coql.stable(query), query.offset or 0, size))
    is_all = not more(body) or query.limit == size
    return [body] if is_all else coql_bodies(send, query)


def _plain(value: Any) -> str | int | float | None:
    """Write a value of an answer as a condition compares with it."""
    match value:
        case dict():
            return value.get("id")
        case list():
            return ";".join(map(str, value))
        case bool():
            return str(value).lower()
    return value  # type: ignore[no-any-return]


def _check_size(query: tree.Query) -> None:
    """Refuse a query in which inner queries have left more values than Zoho takes."""
    try:
        coql.check_limits(replace(coql.parts(query)[0], limit=None, offset=None))
    except coql.ParseError as excess:
        raise LimitError(
            "The inner queries find more values than one query can compare with.",
            f"Zoho takes {coql.LIMITS['where']} conditions of {coql.LIMITS['in']} values each.",
            "Narrow the inner query, or read both tables and join them: left.merge(right, …).",
        ) from excess


def _among(membership: tree.Membership, values: Sequence[str | int | float]) -> tree.Condition:
    """Compare with a list of values; no record has one of none."""
    at = membership.at
    if not values:
        return tree.IsNull(tree.Path((tree.Step("id"),)), negated=membership.negated, at=at)
    return replace(membership, values=tuple(tree.Literal(value, at=at) for value in values))


def _checked(catalogue: Catalogue, text: str) -> tuple[tree.Query, list[coql.Finding]]:
    """Return a query without errors, and the other findings."""
    query, findings = catalogue.examined(text)
    errors = [each for each in findings if each.severity == "error"]
    if query is None or errors:
        raise _not_sent(text, errors)
    for each in findings:
        if each.severity == "warning":
            warnings.warn(each.shown(text), QueryWarning, stacklevel=levels_up())
    return query, findings


def as_written(text: str, *, limit: int | None = None) -> Prepared:
    """Take a query exactly as it is; what this package cannot read, Zoho may."""
    if limit is not None:
        raise ValueError("strict sends the query as it is written: write its LIMIT into it.")
    try:
        query = coql.parse(text)
    except coql.ParseError:
        return Prepared(None, text, [], as_written=True)
    if any(map(_may_be_cut, coql.criteria(query.where))):
        warnings.warn(_CUT, QueryWarning, stacklevel=levels_up())
    return Prepared(query, text, [], as_written=True)


def _may_be_cut(condition: tree.Condition) -> bool:
    """Check whether a condition compares with an inner query of more than 100 rows, perhaps."""
    match condition:
        case tree.Membership(values=tree.Subquery(query=inner)):
            return inner.limit is None or inner.limit > SUBQUERY_ROWS
    return False


_CUT = (
    "Zoho takes at most 100 rows of an inner query and may drop the others without an error. "
    "Without strict=True their number is checked."
)


def _not_sent(text: str, findings: Sequence[coql.Finding]) -> APIError:
    """Make the error for a query that Zoho would refuse: the first finding in full, then others."""
    first, *others = findings
    place = caret(text, first.line, first.column)
    also = [f"Also {each}" for each in others]
    kind = NotFoundError if first.code == "INVALID_MODULE" else QueryError
    error = kind(
        f"This query was not sent. {first.problem}",
        first.said,
        "\n".join(filter(None, [place, first.fix, first.corrected_text, *also])),
        code=first.code,
        status=400,
        details=first.details,
        request="POST /crm/v8/coql",
    )
    if isinstance(error, QueryError):
        error.query, error.line, error.column = text, first.line, first.column
        error.findings = findings
    return error


def limited(query: tree.Query, limit: int | None) -> tree.Query:
    """Lower a query's LIMIT to ``limit``, if that is lower."""
    if limit is None or (query.limit is not None and query.limit <= limit):
        return query
    return replace(query, limit=limit)


def coql_bodies(
    send: Send, query: tree.Query, *, workers: int = 1, rows: int | None = None
) -> Iterator[bytes]:
    """Yield the answers that together hold every row of a query, in its order.

    The first page goes alone. If more follow, a count tells how many, and they are fetched side by
    side by offset; past the reach of offsets, one after the other by id. If the ``rows`` that
    FROM and WHERE select are counted already, all pages go side by side, none larger than needed.
    """
    if any(coql.subqueries(query)):
        query = coql.with_short_lists(_with_values(send, query))
        _check_size(query)
    ask = partial(_ask, send, coql.stable(query))
    start, wanted = query.offset or 0, math.inf if query.limit is None else query.limit
    if coql.is_aggregate(query):
        yield from _aggregated(ask, start, wanted, workers)
        return
    last, done = b"", 0
    if rows is None:
        last, done = _first(ask, start, min(PAGE_SIZE, wanted)), PAGE_SIZE
        yield last
        if wanted <= PAGE_SIZE or not more(last, PAGE_SIZE):
            return
        rows = count(send, query)
    counted = max(min(wanted, rows - start), 1)
    if start + counted > OFFSET_CEILING and (start >= OFFSET_CEILING or not _ordered_by_id(query)):
        raise _past_offsets()
    try:
        pages = _Pages(ask, start + counted)
        for body in side_by_side(pages, _offsets(start + done, start + counted), lanes(workers)):
            yield body
            last, done = body or last, done + rows_in(body)
    except APIError as refused:
        if refused.code != "LIMIT_EXCEEDED":
            raise
        if not last:
            raise _past_offsets() from refused
    # The count may be out of date by now: what decides is whether Zoho says that more rows follow.
    if more(last) and done < (wanted if _ordered_by_id(query) else counted):
        last_id = _last_id(last)
        yield from _by_id(send, query, last_id, wanted - done, counted - done)


def lanes(workers: int) -> int:
    """How many queries can be under way: more would only wait for each other."""
    return min(workers, EXPENSIVE_IN_FLIGHT)


def _first(ask: Ask, start: int, size: float) -> bytes:
    """Fetch the first page; beyond the reach of offsets there are other ways."""
    try:
        return ask(start, size)
    except APIError as refused:
        if start and refused.code == "LIMIT_EXCEEDED":
            raise _past_offsets() from refused
        raise


def _aggregated(ask: Ask, start: int, wanted: float, workers: int) -> Iterator[bytes]:
    """Yield the answers of a query that aggregates; the number of its groups is unknown."""
    end = min(start + wanted, OFFSET_CEILING)
    offsets = range(start, int(end), PAGE_SIZE)
    yield from look_ahead(_Pages(ask, end), offsets, lanes(workers), PAGE_SIZE)


class _Pages:
    """Fetches pages by offset, the last one cut at ``end``.

    A page that Zoho calls a syntax error, of a text that it has answered before, is repeated once,
    when no other page is under way: integrators see that error when queries run side by side.
    """

    def __init__(self, ask: Ask, end: float) -> None:
        self._ask, self._end = ask, end
        self._changed, self._under_way, self._waiting = threading.Condition(), 0, 0

    def __call__(self, offset: int) -> bytes:
        """Fetch one page."""
        try:
            with self._under_way_with_others():
                return self._page(offset)
        except APIError as refused:
            if refused.code != "SYNTAX_ERROR":
                raise
        with self._changed:  # the others wait until it is done
            self._waiting += 1
            self._changed.wait_for(lambda: not self._under_way)
            try:
                return self._page(offset)
            finally:
                self._waiting -= 1
                self._changed.notify_all()

    def _page(self, offset: int) -> bytes:
        return self._ask(offset, min(PAGE_SIZE, self._end - offset))

    @contextmanager
    def _under_way_with_others(self) -> Iterator[None]:
        """Count a page as under way, unless another one has to be alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()


def _offsets(start: int, end: float) -> range:
    """Offsets of the pages from one row to another, as far as offsets reach."""
    return range(start, int(min(end, OFFSET_CEILING)), PAGE_SIZE)


def _by_id(
    send: Send, query: tree.Query, last_id: str, wanted: float, expected: float
) -> Iterator[bytes]:
    """Yield the answers behind ``last_id``, each page beginning where the last one ended.

    As long as no more rows come than are ``expected``, no page is larger than it has to be.
    """
    if not _ordered_by_id(query):
        raise _past_offsets()
    while wanted > 0:
        size = min(PAGE_SIZE, wanted, expected if expected > 0 else PAGE_SIZE)
        body = _send(send, coql.page(coql.after(query, last_id), 0, int(size)))
        yield body
        if not more(body, PAGE_SIZE):
            return
        wanted, expected = (left - rows_in(body) for left in (wanted, expected))
        last_id = _last_id(body, last_id)


def _last_id(body: bytes, previous: str = "") -> str:
    """Return the id behind which the next page begins."""
    records = records_of(body)
    last = records[-1].get("id") if records else None
    if not isinstance(last, str) or last == previous:
        fault = "does not end with a record's id" if last != previous else "came again"
        raise ZohoError(f"A page {fault}, so the next one cannot be read.", "", "Run it again.")
    return last


class OffsetCeilingError(LimitError):
    """A sorted query has more rows than offsets reach."""


def _past_offsets() -> OffsetCeilingError:
    """Make the error, with the other ways."""
    return OffsetCeilingError(
        "This query is sorted and has more rows than Zoho's offset reaches.",
        "",
        "crm.coql(…) fetches them by id and sorts here; or drop ORDER BY, or give limit=.",
    )


def by_id(query: tree.Query) -> tree.Query:
    """Turn a query into one whose rows come by id, with what its own order needs selected too."""
    selected = {each.expression for each in query.columns}
    aliases = {each.alias for each in query.columns}
    keys = {each.key for each in query.order_by} - selected
    extra = [tree.SelectItem(key) for key in keys if key.text not in aliases]
    columns = (*query.columns, *sorted(extra, key=lambda each: each.key))
    return replace(query, columns=columns, order_by=(), limit=None, offset=None)


def _ordered_by_id(query: tree.Query) -> bool:
    """Check whether a query's rows come in ascending id, so that they can go on behind one."""
    return not coql.is_aggregate(query) and (
        not query.order_by or coql.stable(query) == coql.stable(replace(query, order_by=()))
    )


def _ask(send: Send, query: tree.Query, offset: int, size: float) -> bytes:
    """Fetch one page by offset."""
    return _send(send, coql.page(query, offset, int(size)))


def _send(send: Send, query: tree.Query) -> bytes:
    """Send one query."""
    return send_text(send, coql.to_text(query))


def send_text(send: Send, text: str) -> bytes:
    """Send the text of a query; it only reads, so it may be sent again."""
    return send("POST", f"{V8}coql", json={"select_query": text}, safe=True)


def count(send: Send, query: tree.Query) -> int:
    """Count the records that a query's FROM and WHERE mean; 1 credit."""
    number = tree.Aggregate("COUNT", tree.Path((tree.Step("id"),)))
    counting = tree.Query((tree.SelectItem(number),), query.module, query.where, query.cvid)
    rows = records_of(_send(send, counting))
    counted = rows[0].get("COUNT(id)") if rows else 0
    if not str(counted).isdecimal():
        raise ZohoError("Zoho sent no number for COUNT(id).", f"It sent {counted!r}.")
    return int(str(counted))


# ---- What the answer will look like --------------------------------------------------------------


def answer_columns(catalogue: Catalogue, query: tree.Query) -> list[Column]:
    """Return the columns of a query's answer, typed from metadata.

    Zoho adds ``id`` to every row that is not an aggregate; it stands first unless it was selected.
    """
    columns = {each.key: _column(catalogue, query, each) for each in query.columns}
    if not coql.is_aggregate(query) and "id" not in columns:
        columns = {"id": Column("id", "text"), **columns}
    return list(columns.values())


def _column(catalogue: Catalogue, query: tree.Query, column: tree.SelectItem) -> Column:
    """Return the column that one selected expression becomes."""
    expression = column.expression
    field = coql.resolve(coql.path_of(expression), query.module, catalogue.fields)
    found = column_for(field, column.key)
    if isinstance(expression, tree.Path):
        return found
    return replace(found, kind=_aggregate_kind(expression.function, found.kind))


def _aggregate_kind(function: str, kind: str) -> str:
    """COUNT is whole, AVG is not; SUM, MIN and MAX keep the type of what they look at."""
    if function == "COUNT":
        return "integer"
    return "float" if function == "AVG" else kind


def sort_keys(query: tree.Query) -> list[tuple[str, bool]]:
    """Return the order a query asks for: keys of its answer, and whether each one descends."""
    keys = {each.expression: each.key for each in query.columns}
    return [(keys.get(each.key, each.key.text), each.descending) for each in query.order_by]
