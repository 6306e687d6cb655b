"""A table by any route: what is wanted, what stands in the way, what it takes, and the way there.

Every route gives the same frame: the same columns in one order, the same rows, the same dtypes.
What a route could only give otherwise, it does not give.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting.backfill import OTHER_IN_COQL
from zcrm_nb.api.exporting.bulk_read import FIELDS_PER_JOB
from zcrm_nb.api.exporting.exporter import Exporter
from zcrm_nb.api.exporting.question import begin, question
from zcrm_nb.api.exporting.selection import select
from zcrm_nb.api.planning.costs import (
    ROUTES,
    Cost,
    Plan,
    Route,
    Speed,
    asked_cost,
    bulk_cost,
    choose,
    coql_cost,
    rest_cost,
    total,
    with_whys,
)
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.query import Prepared
from zcrm_nb.api.reading.records import ONE_RECORD_ONLY, conversion, list_parameters
from zcrm_nb.api.reading.requests import condition
from zcrm_nb.api.reading.tables import coql_table, ordered_here, records_table
from zcrm_nb.coql import tree
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.errors import BulkWarning, LimitError, NotFoundError, QueryError
from zcrm_nb.frames import NOT_IN_BULK, column_for, read_as_is
from zcrm_nb.wire.credits import EXPENSIVE_IN_FLIGHT, credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from zcrm_nb.api.exporting.job_store import JobRecord
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.planning.costs import Prefer, RouteName
    from zcrm_nb.api.session import Session
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.frames import Column
    from zcrm_nb.wire.trace import Timing

__all__ = [
    "Wanted",
    "asked_for",
    "condition_only",
    "fetched",
    "pace_of",
    "planned",
    "refuse",
    "wanted",
    "wanted_text",
]

LIST_END = 100_000  # rows of Get Records
SMALL = 200  # rows that COQL brings for the price of a count

_PICTURE = "profileimage"  # no job exports it
_SORTED_BY_ZOHO_ONLY = {"multipicklist", "tags", "object"}


def wanted_text(
    module: str, where: Any, order_by: str | Sequence[str] | None, values: Mapping[str, Any]
) -> str:
    """Write the query that a table's condition and order mean; its columns come later."""
    keys = [order_by] if isinstance(order_by, str) else list(order_by or ())
    order = f" order by {', '.join(keys)}" if keys else ""
    return coql.fill(f"select id from {module} where {condition(where)}{order}", **values)  # noqa: S608 - COQL


@dataclass(frozen=True)
class Wanted:
    """What a table is to hold: a query with its columns, whatever route it comes by.

    Parameters
    ----------
    catalogue : Catalogue
        The org's metadata.
    query : Query
        Columns, condition, order and limit, as COQL would be asked.
    text : str
        The text in which its places are.
    is_query : bool
        Whether it was written as a query: then COQL's way is that of ``crm.coql``.
    as_is : sequence of str
        Columns to read as Zoho sends them.
    """

    catalogue: Catalogue
    query: Query
    text: str
    is_query: bool = False
    as_is: Sequence[str] = ()

    @property
    def module(self) -> str:
        """The module it is about."""
        return self.query.module

    @cached_property
    def columns(self) -> list[Column]:
        """The columns of the answer."""
        return ask.answer_columns(self.catalogue, self.query)

    @cached_property
    def whole(self) -> list[Column]:
        """The columns to be fetched where the order is made here: the keys of it are among them."""
        return ask.answer_columns(self.catalogue, ask.by_id(self.query))

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The field of each column that is fetched, by the path to it; ``id`` left out."""
        paths = [coql.path_of(each.expression) for each in ask.by_id(self.query).columns]
        return {
            path.text: coql.resolve(path, self.module, self.catalogue.fields)
            for path in paths
            if path.text != "id"
        }

    @property
    def is_plain(self) -> bool:
        """Whether it is about records, in columns that go by their own names."""
        plain = (isinstance(each.expression, tree.Path) for each in self.query.columns)
        aliased = any(each.alias for each in self.query.columns)
        return all(plain) and not aliased and not coql.is_aggregate(self.query)

    @property
    def descends(self) -> bool | None:
        """Whether its ids descend; ``None`` when it comes in another order."""
        match self.query.order_by:
            case ():
                return False
            case (tree.OrderBy(key=tree.Path() as path, descending=descending),) if (
                path.text == "id"
            ):
                return descending
        return None


def wanted(
    catalogue: Catalogue,
    prepared: Prepared,
    columns: Sequence[str] | None,
    limit: int | None,
    *,
    as_is: Sequence[str] = (),
) -> Wanted:
    """Put the columns into a query that says which records are wanted, and in which order."""
    query = condition_only(prepared, limit)
    if isinstance(columns, str):
        raise TypeError(f"columns takes a list of names: columns=[{columns!r}].")
    names = default_names(catalogue, query.module) if columns is None else columns
    paths = [_path(catalogue, query.module, each) for each in dict.fromkeys(names) if each != "id"]
    whole = replace(query, columns=tuple(map(tree.SelectItem, paths)) or query.columns)
    table = Wanted(catalogue, whole, prepared.text, as_is=as_is)
    read_as_is(table.columns, as_is)  # refuses unknown names before anything is sent
    return table


def condition_only(prepared: Prepared, limit: int | None = None) -> Query:
    """Return the query that a condition became, unless there was more in it than a condition."""
    query = prepared.query
    assert query is not None, "a prepared query has a tree"
    if query.limit != limit or query.offset or query.group_by:
        raise ValueError("where is a condition and nothing more; there are order_by= and limit=.")
    return query


def asked_for(catalogue: Catalogue, prepared: Prepared) -> Wanted:
    """Take a query as it is."""
    assert prepared.query is not None, "a prepared query has a tree"
    return Wanted(catalogue, prepared.query, prepared.text, is_query=True)


def _path(catalogue: Catalogue, module: str, name: str) -> tree.Path:
    """Read the name of a column; ``NotFoundError`` where it leads nowhere."""
    path = tree.Path(tuple(map(tree.Step, name.split("."))))
    if len(path.steps) == 1:
        catalogue.field(module, name)
        return path
    try:
        coql.resolve(path, module, catalogue.fields)
    except coql.AstrayError as astray:
        details = {"module": module, "api_name": name}
        raise NotFoundError(
            f"{astray.problem} Nothing was sent.",
            "",
            astray.fix,
            code="INVALID_FIELD",
            details=details,
        ) from None
    return path


def default_names(catalogue: Catalogue, module: str) -> list[str]:
    """List the fields that COQL and Get Records bring alike, and bulk read but for some names."""
    return [
        name
        for name, field in catalogue.fields(module).items()
        if not coql_refuses(module, name, field) and field["data_type"] != _PICTURE
    ]


# ---- What stands in the way ----------------------------------------------------------------------


def coql_refuses(module: str, path: str, field: dict[str, Any]) -> bool:
    """Tell whether COQL cannot read a field, or tells it otherwise than Get Records."""
    kind = column_for(field).kind
    readable = is_readable("" if "." in path else module, field)
    return not readable or field["data_type"] in OTHER_IN_COQL or kind in {"tags", "object"}


def bulk_refuses(catalogue: Catalogue, field: dict[str, Any]) -> bool:
    """Tell whether a bulk job cannot export a field, or has no name for what it points to."""
    kind = column_for(field).kind
    if kind != "lookup":
        return kind in NOT_IN_BULK or field["data_type"] == _PICTURE
    return field["data_type"] != "lookup" or target_of(field) not in catalogue.modules()


def target_of(field: dict[str, Any]) -> str:
    """Name the module that a lookup points to."""
    return str(((field.get("lookup") or {}).get("module") or {}).get("api_name") or "")


def _in_the_way_of_coql(wanted: Wanted) -> str:
    """Say why the table cannot come by COQL; what was written as a query can."""
    if wanted.is_query:
        return ""
    refused = [
        path for path, field in wanted.fields.items() if coql_refuses(wanted.module, path, field)
    ]
    if refused:
        return f"COQL cannot read {_listed(refused)}, or not as Get Records does"
    if len(wanted.query.columns) > coql.LIMITS["select"]:
        return f"COQL selects at most {coql.LIMITS['select']} columns"
    return ""


def _in_the_way_of_rest(wanted: Wanted, rows: int) -> str:
    """Say why the table cannot come by Get Records."""
    if not wanted.is_plain:
        return "Get Records knows no groups, aggregates and aliases"
    if list_condition(wanted) is None:
        return "Get Records knows no conditions"
    dotted = [path for path in wanted.fields if "." in path or "->" in path]
    if dotted:
        return f"Get Records follows no lookup, as in {_listed(dotted)}"
    cut = [
        path
        for path, field in wanted.fields.items()
        if field["data_type"] in ONE_RECORD_ONLY
        or (field.get("textarea") or {}).get("type") == "rich_text"
    ]
    if cut:
        return f"lists of Get Records leave out or cut {_listed(cut)}"
    if rows > LIST_END:
        return "Get Records ends after 100,000 rows"
    return _unsorted(wanted) if wanted.descends is None else ""


def _in_the_way_of_bulk(wanted: Wanted) -> str:
    """Say why the table cannot come by bulk read."""
    if not wanted.is_plain:
        return "bulk read knows no groups, aggregates and aliases"
    if wanted.as_is:
        return "bulk read cannot bring values as Zoho's other APIs send them (as_is=)"
    refused = [
        path for path, field in wanted.fields.items() if bulk_refuses(wanted.catalogue, field)
    ]
    if refused:
        return f"bulk read cannot export {_listed(refused)}, or not the names"
    names = sum(each.kind in {"lookup", "user"} for each in wanted.whole)
    if len(wanted.fields) + names > FIELDS_PER_JOB:
        return f"bulk read exports at most {FIELDS_PER_JOB} fields, names of lookups among them"
    try:
        criteria_of(wanted)
    except QueryError as refused_criteria:
        return refused_criteria.happened.removeprefix("This was not sent. ").rstrip(".")
    return _unsorted(wanted)


def _unsorted(wanted: Wanted) -> str:
    """Say which key of the order only Zoho can sort by."""
    kinds = {each.name: each.kind for each in wanted.whole}
    keys = [key for key, _ in ask.sort_keys(wanted.query)]
    strange = [key for key in keys if kinds.get(key) in _SORTED_BY_ZOHO_ONLY]
    return f"only COQL sorts by {_listed(strange)}" if strange else ""


def _listed(names: Sequence[str]) -> str:
    """Name the first few."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def criteria_of(wanted: Wanted) -> dict[str, Any] | None:
    """Return the condition in the words of bulk read."""
    return coql.bulk_criteria(
        wanted.query.where, wanted.module, wanted.catalogue.fields, text=wanted.text
    )


def list_condition(wanted: Wanted) -> dict[str, Any] | None:
    """Return the parameters by which a list finds the same records; ``None`` where there are none.

    A list knows one condition: whether Leads are converted.
    """
    converted = conversion(wanted.catalogue, wanted.module, None)
    match wanted.query.where:
        case tree.IsNull(path=path, negated=True) if path.text == "id":
            return {"converted": converted}
        case tree.Comparison(path=path, operator="=", value=tree.Literal(value=value)) if (
            path.text == "Converted__s" and converted
        ):
            return {"converted": str(value).lower()}
    return None


# ---- What it takes -------------------------------------------------------------------------------


def pace_of(timings: Sequence[Timing], workers: int, exports: Iterable[JobRecord] = ()) -> Speed:
    """Tell how long pages and jobs take on this connection, as far as it has been seen."""
    from statistics import median  # noqa: PLC0415 - slow to load, and only plans need it

    pages = {
        # A count, or a handful of rows, is quicker than a page.
        "coql_s": [each for each in timings if each.path.endswith("/coql") and each.credits > 1],
        "rest_s": [each for each in timings if each.method == "GET" and each.path.count("/") == 3],
    }
    measured = {
        name: median(each.seconds for each in found)
        for name, found in pages.items()
        if any(each.seconds for each in found)  # a clock that is turned by hand measures nothing
    }
    jobs = [job for record in exports if record.operation == "read" for job in record.jobs]
    jobs_s = [job.completed - job.requested for job in jobs if job.completed is not None]
    if jobs_s:
        measured["job_s"] = median(jobs_s)
    lanes = min(workers, EXPENSIVE_IN_FLIGHT)
    return Speed(lanes=lanes).measuring(measured)


def planned(
    send: Send,
    wanted: Wanted,
    *,
    pace: Speed,
    spent: Callable[[], int],
    route: RouteName | None = None,
    prefer: Prefer = "cheap",
    most: int | None = None,
) -> tuple[Plan, list[int] | None]:
    """Count, price every route and choose one; also return the counts, one for each query.

    ``spent`` tells what the planning took so far; it is part of the ``most`` that may be spent.
    """
    counts = _counts(send, wanted, route)
    routes = _routes(wanted, counts, pace)
    planning = spent()
    left = None if most is None else most - planning
    chosen = choose([each for each in routes if route in {None, each.route}], prefer, left)
    rows, said = _rows(wanted, counts)
    plan = Plan(
        query=coql.to_text(wanted.query),
        rows=rows,
        rows_said=said,
        routes=with_whys(routes, chosen, left),
        route=chosen.route if chosen else None,
        planning=planning,
        pace=pace,
    )
    return plan, counts


def _counts(send: Send, wanted: Wanted, route: RouteName | None) -> list[int] | None:
    """Count the rows of each query that it takes; ``None`` where that would buy nothing."""
    if coql.is_aggregate(wanted.query) or _is_little(wanted, route):
        return None
    return [ask.count(send, each) for each in coql.parts(wanted.query)]


def _is_little(wanted: Wanted, route: RouteName | None) -> bool:
    """Tell whether one page brings all, however many there are: a count would cost no less."""
    limit = wanted.query.limit
    if limit is None or limit > SMALL or len(coql.parts(wanted.query)) > 1:
        return False
    if route == "rest":
        return wanted.descends is not None
    return route != "bulk" and not _in_the_way_of_coql(wanted)


def _rows(wanted: Wanted, counts: list[int] | None) -> tuple[int | None, str]:
    """Tell how many rows the answer has, also in words."""
    limit = wanted.query.limit
    if counts is None and limit is None:
        return None, "As many rows as there are groups, which nobody can count before."
    if counts is None:
        return None, f"At most {limit:,} rows: not counted, for a count costs no less."
    rows = _answered(wanted, sum(counts))
    times = f" {len(counts)} times" if len(counts) > 1 else ""
    most = "At most " if len(counts) > 1 else ""
    of = f" of {sum(counts):,}" if rows != sum(counts) else ""
    price = f"{len(counts)} credit{'s' if len(counts) > 1 else ''}"
    return rows, f"{most}{rows:,}{of} rows, counted{times} by COQL for {price}."


def _answered(wanted: Wanted, rows: int) -> int:
    """Cut a number of rows as the query's offset and limit do."""
    behind = max(rows - (wanted.query.offset or 0), 0)
    return behind if wanted.query.limit is None else min(behind, wanted.query.limit)


def _routes(wanted: Wanted, counts: list[int] | None, pace: Speed) -> list[Route]:
    """Price every route, or say what stands in its way."""
    found = []
    for name in ROUTES:
        obstacle = _obstacle(name, wanted, counts)
        cost = () if obstacle else _cost(name, wanted, counts, pace)
        found.append(Route(name, why=obstacle) if obstacle else Route(name, *cost))
    return found


def _obstacle(name: RouteName, wanted: Wanted, counts: list[int] | None) -> str:
    """Say what stands in the way of a route."""
    if name == "coql":
        return _in_the_way_of_coql(wanted)
    obstacle = (
        _in_the_way_of_rest(wanted, _listed_rows(wanted, counts))
        if name == "rest"
        else _in_the_way_of_bulk(wanted)
    )
    reads_all = name == "bulk" or wanted.descends is None
    uncounted = counts is None and reads_all
    return obstacle or (
        "not priced: it would read all rows, and those were not counted" * uncounted
    )


def _listed_rows(wanted: Wanted, counts: list[int] | None) -> int:
    """Tell how many rows a list has to be read for."""
    if counts is None or (wanted.descends is not None and wanted.query.limit is not None):
        end = (wanted.query.offset or 0) + (wanted.query.limit or 0)
        return end if counts is None else min(end, sum(counts))
    return sum(counts)


def _cost(name: RouteName, wanted: Wanted, counts: list[int] | None, pace: Speed) -> Cost:
    """Price a route that leads there, names of users included."""
    fields = len(wanted.fields)
    if name == "coql":
        return total([_query_cost(wanted, counts, pace), _names_cost(wanted, wanted.columns, pace)])
    if name == "rest":
        return rest_cost(_listed_rows(wanted, counts), fields, pace)
    jobs = bulk_cost(sum(counts or [0]), fields, pace)
    return total([jobs, _names_cost(wanted, wanted.whole, pace), _targets_cost(wanted, pace)])


def _names_cost(wanted: Wanted, columns: Sequence[Column], pace: Speed) -> Cost:
    """Price the list of users, if it is needed and not known: one page of 200 is assumed."""
    named = any(each.kind == "user" for each in columns)
    if not named or wanted.catalogue.known("users") is not None:
        return Cost(0, 0, 0.0)
    return Cost(1, 1, pace.rest_s)


def _targets_cost(wanted: Wanted, pace: Speed) -> Cost:
    """Price the fields of modules that lookups point to: one of them is the name."""
    known = wanted.catalogue.known
    targets = {
        target_of(field)
        for field in wanted.fields.values()
        if column_for(field).kind == "lookup" and known(f"fields {target_of(field)}") is None
    }
    return Cost(len(targets), len(targets), len(targets) * pace.rest_s)


def _query_cost(wanted: Wanted, counts: list[int] | None, pace: Speed) -> Cost:
    """Price the queries of COQL's route."""
    query = wanted.query
    if counts is None:
        return asked_cost(None, query.limit, pace)
    if wanted.is_query:
        return _as_asked(wanted, counts, pace)
    if len(counts) > 1:
        return total(coql_cost(each, pace) for each in counts)
    rows = _answered(wanted, counts[0])
    return coql_cost(counts[0] if _past_offsets(wanted, rows) else rows, pace)


def _as_asked(wanted: Wanted, counts: list[int], pace: Speed) -> Cost:
    """Price what ``crm.coql`` does, which counts by itself, and only when it has to."""
    if len(counts) > 1:
        return total(asked_cost(each, None, pace) for each in counts)
    behind = max(counts[0] - (wanted.query.offset or 0), 0)
    if not _past_offsets(wanted, _answered(wanted, counts[0])):
        return asked_cost(behind, wanted.query.limit, pace)
    # A first page and a count tell that it has to begin anew, by id.
    vain = Cost(2, coql.credits(ask.PAGE_SIZE) + 1, 2 * pace.coql_s)
    return total([vain, asked_cost(counts[0], None, pace)])


def _past_offsets(wanted: Wanted, rows: int) -> bool:
    """Tell whether offsets do not reach all rows, in an order that goes by nothing else."""
    return (wanted.query.offset or 0) + rows > ask.OFFSET_CEILING and wanted.descends is not False


def refuse(wanted: Wanted, plan: Plan, route: RouteName | None, most: int | None) -> LimitError:
    """Make the error for a table that no route brings for the price: its price, and how else."""
    open_ = sorted((each for each in plan.routes if each.credits is not None), key=_price)
    asked = [each for each in plan.routes if route in {None, each.route}]
    ways = [f"route={each.route!r} takes {credits_text(each.credits or 0)}" for each in open_]
    if not any(each.leads_there for each in asked):
        happened = "; ".join(f"{each.route}: {each.why}" for each in asked)
        todo = f"{'; '.join(ways)}." if ways else "Ask for fewer columns, or another condition."
        return LimitError(f"{wanted.module} cannot come this way. {happened}.", "", todo)
    cheapest = min((each for each in asked if each.leads_there), key=_price)
    happened = (
        f"This table costs {credits_text(cheapest.credits or 0)} by {cheapest.route}, and "
        f"{most:,} may be spent, of which planning took {plan.planning:,}."
    )
    cheaper = [
        way for way, each in zip(ways, open_, strict=True) if _price(each) < _price(cheapest)
    ]
    todo = f"Cheaper: {'; '.join(cheaper)}. Or" if cheaper else "No route is cheaper:"
    return LimitError(
        happened, "", f"{todo} ask for fewer rows by where= or limit=, or raise max_credits."
    )


def _price(route: Route) -> int:
    """Credits of a route that leads there."""
    return route.credits or 0


# ---- The way -------------------------------------------------------------------------------------


def fetched(
    session: Session,
    wanted: Wanted,
    route: RouteName,
    counts: list[int] | None,
    *,
    for_export: Callable[[Session], ExportSession],
    **options: Any,
) -> pd.DataFrame:
    """Fetch a table by one of the routes."""
    if route == "bulk":
        return _exported_table(for_export(session), wanted, **options)
    options["as_is"] = wanted.as_is
    if route == "rest":
        return _listed_table(session, wanted, counts, **options)
    prepared = Prepared(wanted.query, wanted.text, [])
    return coql_table(session, prepared, rows=counts, **options)


def _exported_table(session: ExportSession, wanted: Wanted, **options: Any) -> pd.DataFrame:
    """Export all that the condition means anew; order and limit are made here."""
    options.pop("errors", None)  # a job's values are read by their type or not at all
    names = [each.name for each in wanted.whole if each.name != "id"]
    asked = question(wanted.module, names, criteria_of(wanted), None)
    selection = select(wanted.catalogue, wanted.module, names)
    if selection.unnamed:
        happened = f"Bulk read has no names for {_listed(selection.unnamed)}; no job was requested."
        raise LimitError(happened, "", "Use route='coql' or route='rest'.")
    record = begin(session, selection, asked)
    with session.store.lock(record):
        exporter = Exporter(session, record)
        whole = exporter.table(**options)
    for text in exporter.warnings:
        warnings.warn(text, BulkWarning, stacklevel=ask.levels_up())
    return ordered_here(whole, wanted.query, wanted.columns, **options)


def _listed_table(
    session: Session, wanted: Wanted, counts: list[int] | None, **options: Any
) -> pd.DataFrame:
    """Fetch a table by Get Records; an order of its own is made here."""
    condition = list_condition(wanted)
    assert condition is not None, "a route with an obstacle is not taken"
    by_id = wanted.descends is not None
    params, _ = list_parameters(
        modified_since=None,
        sort_by="id",
        ascending=not wanted.descends,
        cvid=None,
        **condition,
    )
    limit = wanted.query.limit if by_id else None
    whole = records_table(
        replace(session, workers=min(session.workers, EXPENSIVE_IN_FLIGHT)),
        wanted.module,
        [each.name for each in wanted.whole],
        limit=limit and limit + (wanted.query.offset or 0),
        rows=None if counts is None else _listed_rows(wanted, counts),
        params=params,
        **options,
    )
    return ordered_here(whole, wanted.query, wanted.columns, **options)
