"""COQL over the wire: what a query's answer will look like, and how to get all of its rows."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.metadata import did_you_mean
from zcrm_nb.api.pages import V8, look_ahead, more, records_of, side_by_side
from zcrm_nb.coql import tree
from zcrm_nb.errors import APIError, LimitError, QueryError, caret
from zcrm_nb.frames import Column, column_for, info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Ask = Callable[[int, float], bytes]  # offset, rows → one answer

__all__ = [
    "USER_PATHS",
    "OffsetCeilingError",
    "answer_columns",
    "by_id",
    "check_paths",
    "coql_bodies",
    "coql_pages",
    "count",
    "limited",
    "parse",
    "sort_keys",
]

PAGE_SIZE = 2000  # rows; Zoho's greatest LIMIT
OFFSET_CEILING = 100_000  # rows that LIMIT and OFFSET together reach

_ADVICE = {
    "missing clause where": "COQL wants a WHERE in every query; to mean every record, "
    "write: where id is not null",
    "error occured while parsing the query where": "COQL joins two conditions at a time; "
    "bracket them in pairs: ((A and B) and C)",
}


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
        The query is not COQL (then nothing was sent), or Zoho refused it.
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
    """Parse a query, or raise a ``QueryError`` that points at the place."""
    try:
        query = coql.parse(text)
        coql.check_limits(replace(query, limit=None, offset=None))
    except coql.ParseError as refused:
        raise _not_sent(text, refused) from None
    return query


def _not_sent(text: str, refused: coql.ParseError) -> QueryError:
    """Make the error for a query that Zoho would refuse."""
    details = ", ".join(f"{key}: {value}" for key, value in refused.details.items())
    words = " ".join([refused.message, *map(str, refused.details.values())])
    error = QueryError(
        "This query was not sent, because Zoho would refuse it.",
        f"Zoho would say {refused.code}: {refused.message}" + (f" ({details})" if details else ""),
        "\n".join(filter(None, [caret(text, refused.line, refused.column), _ADVICE.get(words)])),
        code=refused.code,
        status=400,
        details=refused.details,
        request="POST /crm/v8/coql",
    )
    error.query, error.line, error.column = text, refused.line, refused.column
    return error


def limited(query: tree.Query, limit: int | None) -> tree.Query:
    """Lower a query's LIMIT to ``limit``, if that is lower."""
    if limit is None or (query.limit is not None and query.limit <= limit):
        return query
    return replace(query, limit=limit)


def coql_bodies(send: Send, query: tree.Query, *, workers: int = 1) -> Iterator[bytes]:
    """Yield the answers that together hold every row of a query, in its order.

    The first page goes alone. If more follow, a count tells how many, and they are fetched side by
    side by offset; past the reach of offsets, one after the other by id.
    """
    ask = partial(_ask, send, coql.stable(query))
    start, wanted = query.offset or 0, math.inf if query.limit is None else query.limit
    if coql.is_aggregate(query):
        yield from _aggregated(ask, start, wanted, workers)
        return
    first = _first(ask, start, min(PAGE_SIZE, wanted))
    yield first
    if wanted <= PAGE_SIZE or not more(first):
        return
    wanted = min(wanted, count(send, query) - start)
    if start + wanted > OFFSET_CEILING and not _ordered_by_id(query):
        raise _past_offsets()
    body, done = first, PAGE_SIZE
    try:
        for body in side_by_side(
            partial(_sized, ask, start + wanted), _offsets(start, wanted), workers
        ):
            yield body
            done += info(body).get("count", 0)
    except APIError as refused:
        if refused.code != "LIMIT_EXCEEDED":
            raise
    if done < wanted:
        yield from _by_id(send, query, records_of(body)[-1]["id"], wanted - done)


def _first(ask: Ask, start: int, size: float) -> bytes:
    """Fetch the first page; an offset beyond Zoho's reach is no reason to give up."""
    try:
        return ask(start, size)
    except APIError as refused:
        if start and refused.code == "LIMIT_EXCEEDED":
            raise _past_offsets() from refused
        raise


def _aggregated(ask: Ask, start: int, wanted: float, workers: int) -> Iterator[bytes]:
    """Yield the answers of a query that aggregates; nobody can tell the number of its groups."""
    end = min(start + wanted, OFFSET_CEILING)
    offsets = range(start, int(end), PAGE_SIZE)
    yield from look_ahead(partial(_sized, ask, end), offsets, workers)


def _sized(ask: Ask, end: float, offset: int) -> bytes:
    """Fetch the page at ``offset``, cut where the rows wanted end."""
    return ask(offset, min(PAGE_SIZE, end - offset))


def _offsets(start: int, wanted: float) -> range:
    """Offsets of the pages behind the first, as far as offsets reach."""
    end = min(start + wanted, OFFSET_CEILING)
    return range(start + PAGE_SIZE, int(end), PAGE_SIZE)


def _by_id(send: Send, query: tree.Query, last_id: str, wanted: float) -> Iterator[bytes]:
    """Yield the answers behind ``last_id``, each page beginning where the last one ended."""
    if not _ordered_by_id(query):
        raise _past_offsets()
    while wanted > 0:
        page = coql.page(coql.after(query, last_id), 0, int(min(PAGE_SIZE, wanted)))
        body = _send(send, page)
        yield body
        if not more(body):
            return
        wanted -= info(body)["count"]
        last_id = records_of(body)[-1]["id"]


class OffsetCeilingError(LimitError):
    """A query in an order of its own has more rows than offsets reach."""


def _past_offsets() -> OffsetCeilingError:
    """Say what stands in the way, and the ways round it."""
    return OffsetCeilingError(
        "This query has more rows than Zoho's offset reaches, in an order of its own.",
        "",
        "crm.coql(…) fetches them by id and sorts here; or drop ORDER BY, or give limit=.",
    )


def by_id(query: tree.Query) -> tree.Query:
    """Turn a query into one whose rows come by id, with what its own order needs selected too."""
    selected = {each.expression for each in query.columns}
    aliases = {each.alias for each in query.columns}
    keys = {each.key for each in query.order_by} - selected
    extra = [tree.Column(key) for key in keys if key.text not in aliases]
    columns = (*query.columns, *sorted(extra, key=lambda each: each.key))
    return replace(query, columns=columns, order_by=(), limit=None, offset=None)


def _ordered_by_id(query: tree.Query) -> bool:
    """Tell whether a query's rows come in ascending id, so that they can go on behind one."""
    return not coql.is_aggregate(query) and (
        not query.order_by or coql.stable(query) == coql.stable(replace(query, order_by=()))
    )


def _ask(send: Send, query: tree.Query, offset: int, size: float) -> bytes:
    """Fetch one page by offset."""
    return _send(send, coql.page(query, offset, int(size)))


def _send(send: Send, query: tree.Query) -> bytes:
    """Send one query; it only reads, so it may be sent again."""
    return send("POST", f"{V8}coql", json={"select_query": coql.to_text(query)}, safe=True)


def count(send: Send, query: tree.Query) -> int:
    """Count the records that a query's FROM and WHERE mean; 1 credit."""
    number = tree.Aggregate("COUNT", tree.Path((tree.Step("id"),)))
    counting = tree.Query((tree.Column(number),), query.module, query.where, query.cvid)
    rows = records_of(_send(send, counting))
    return int(rows[0]["COUNT(id)"]) if rows else 0


# ---- What the answer will look like --------------------------------------------------------------

# Users are no module with fields of its own in the metadata; these are the paths Zoho documents.
USER_PATHS = {
    **dict.fromkeys(["id", "first_name", "last_name", "full_name", "email"], "text"),
    **dict.fromkeys(["role", "profile"], "lookup"),
    **dict.fromkeys([f"role.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys([f"profile.{each}" for each in ("id", "name", "description")], "text"),
    **dict.fromkeys(["role.reporting_to", "profile.created_by", "profile.modified_by"], "lookup"),
    **dict.fromkeys(["profile.created_time", "profile.modified_time"], "datetime"),
    "role.share_data_with_peers": "boolean",
}


def answer_columns(catalogue: Catalogue, query: tree.Query, text: str = "") -> list[Column]:
    """Return the columns of a query's answer, typed from metadata.

    Zoho adds ``id`` to every row that is not an aggregate; it stands first unless it was selected.
    """
    columns = {each.key: _column(catalogue, query, each, text) for each in query.columns}
    if not coql.is_aggregate(query) and "id" not in columns:
        columns = {"id": Column("id", "text"), **columns}
    return list(columns.values())


def _column(catalogue: Catalogue, query: tree.Query, column: tree.Column, text: str) -> Column:
    """Return the column that one selected expression becomes."""
    if isinstance(column.expression, tree.Path):
        return _path_column(catalogue, query, column.expression, column.key, text)
    source = _path_column(catalogue, query, column.expression.path, column.key, text)
    return replace(source, kind=_aggregate_kind(column.expression.function, source.kind))


def _aggregate_kind(function: str, kind: str) -> str:
    """COUNT is whole, AVG is not; SUM, MIN and MAX keep the type of what they look at."""
    if function == "COUNT":
        return "integer"
    return "float" if function == "AVG" else kind


def _path_column(
    catalogue: Catalogue, query: tree.Query, path: tree.Path, name: str, text: str
) -> Column:
    """Follow a path through the metadata to the field it ends on."""
    module = query.module
    steps = list(path.steps)
    while True:
        step, *steps = steps
        module = step.module or module
        if step.name == "id" and not steps:
            return Column(name, "text")
        field = _known(catalogue, module, step.name, path, text)
        if not steps:
            return column_for(field, name)
        column = column_for(field)
        if column.kind == "user":
            return _user_column(".".join(each.name for each in steps), path, name, text)
        if steps[0].module is None:
            module = _target(field, path, text)
            if steps[0].name == "module":
                return Column(name, "text")


def _target(field: dict[str, Any], path: tree.Path, text: str) -> str:
    """Return the module that a lookup points to."""
    target = (field.get("lookup") or {}).get("module") or {}
    if field["data_type"] == "multi_module_lookup":
        return ""
    if not target.get("api_name"):
        raise _unknown(path, text, f"{field['api_name']} is no lookup, so nothing follows its dot.")
    return str(target["api_name"])


def _user_column(rest: str, path: tree.Path, name: str, text: str) -> Column:
    """Return the column for a path that goes on behind a user."""
    if rest not in USER_PATHS:
        raise _unknown(path, text, did_you_mean(rest, USER_PATHS))
    return Column(name, USER_PATHS[rest])


def _known(
    catalogue: Catalogue, module: str, name: str, path: tree.Path, text: str
) -> dict[str, Any]:
    """Return a field's metadata, or raise a ``QueryError`` that points at the path."""
    fields = catalogue.fields(module)
    if name not in fields:
        hint = did_you_mean(name, fields) or f"crm.fields({module!r}) lists the fields."
        raise _unknown(path, text, hint, f"{module} has no field {name!r}; nothing was sent.")
    return fields[name]


def _unknown(path: tree.Path, text: str, hint: str, happened: str = "") -> QueryError:
    """Make the error for a path that leads nowhere."""
    line = text.count("\n", 0, path.at) + 1
    column = path.at - (text.rfind("\n", 0, path.at) + 1) + 1
    error = QueryError(
        happened or f"{path.text} leads nowhere; nothing was sent.",
        "",
        "\n".join(filter(None, [caret(text, line, column), hint])),
        code="INVALID_QUERY",
        status=400,
        details={"column_name": path.text},
        request="POST /crm/v8/coql",
    )
    error.query, error.line, error.column = text, line, column
    return error


def check_paths(catalogue: Catalogue, query: tree.Query, text: str) -> None:
    """Refuse a query that names a module or field which the org does not have."""
    catalogue.fields(query.module)
    aliases = {each.alias for each in query.columns}
    for path in coql.paths(query):
        if path.text not in aliases:
            _path_column(catalogue, query, path, path.text, text)


def sort_keys(query: tree.Query) -> list[tuple[str, bool]]:
    """Return the order a query asks for: keys of its answer, and whether each one descends."""
    keys = {each.expression: each.key for each in query.columns}
    return [(keys.get(each.key, each.key.text), each.descending) for each in query.order_by]
