"""A table by any route: what each route costs, and the route taken.

Every route gives the same frame: the same columns in one order, the same rows, the same dtypes.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting.exporter import Exporter
from zcrm_nb.api.exporting.question import begin, question
from zcrm_nb.api.exporting.selection import select
from zcrm_nb.api.planning.costs import (
    ROUTES,
    Cost,
    Plan,
    Route,
    Speed,
    bulk_cost,
    choose,
    coql_cost,
    query_cost,
    rest_cost,
    total,
    with_whys,
)
from zcrm_nb.api.planning.obstacles import (
    bulk_obstacle,
    coql_obstacle,
    criteria_of,
    first_names,
    list_condition,
    rest_obstacle,
)
from zcrm_nb.api.planning.table_spec import target_of
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.query import Prepared
from zcrm_nb.api.reading.records import list_parameters
from zcrm_nb.api.reading.tables import coql_table, ordered_here, records_table
from zcrm_nb.errors import BulkWarning, LimitError
from zcrm_nb.frames import column_for
from zcrm_nb.wire.credits import EXPENSIVE_IN_FLIGHT, credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from zcrm_nb.api.exporting.job_store import JobRecord
    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.planning.costs import Prefer, RouteName
    from zcrm_nb.api.planning.table_spec import TableSpec
    from zcrm_nb.api.session import Session
    from zcrm_nb.frames import Column
    from zcrm_nb.wire.messages import Timing

__all__ = ["fetch_table", "make_plan", "no_route_error", "speed_of"]

SMALL = 200  # rows that COQL brings for the price of a count
CREDITS_OF_VIEW = 3  # for a page of Get Records


def speed_of(timings: Sequence[Timing], workers: int, exports: Iterable[JobRecord] = ()) -> Speed:
    """Estimate how long pages and jobs take on this connection, by those seen so far."""
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


def make_plan(
    send: Send,
    spec: TableSpec,
    *,
    speed: Speed,
    spent: Callable[[], int],
    route: RouteName | None = None,
    prefer: Prefer = "cheap",
    most: int | None = None,
) -> tuple[Plan, list[int] | None]:
    """Count, price every route and choose one; also return the counts, one for each query.

    ``spent`` returns the credits of the planning so far, which count towards ``most``.
    """
    counts = _counts(send, spec, route)
    routes = _routes(spec, counts, speed)
    planning = spent()
    left = None if most is None else most - planning
    chosen = choose([each for each in routes if route in {None, each.route}], prefer, left)
    rows, rows_text = _rows(spec, counts)
    plan = Plan(
        query=coql.to_text(spec.query),
        rows=rows,
        rows_text=rows_text,
        routes=with_whys(routes, chosen, left),
        route=chosen.route if chosen else None,
        planning=planning,
        pace=speed,
    )
    return plan, counts


def _counts(send: Send, spec: TableSpec, route: RouteName | None) -> list[int] | None:
    """Count the rows of each query that it takes; ``None`` where a count would save nothing."""
    if coql.is_aggregate(spec.query) or _is_one_page(spec, route):
        return None
    return [ask.count(send, each) for each in coql.parts(spec.query)]


def _is_one_page(spec: TableSpec, route: RouteName | None) -> bool:
    """Whether one page brings all rows: a count would cost as much."""
    limit = spec.query.limit
    if limit is None or limit > SMALL or len(coql.parts(spec.query)) > 1:
        return False
    if route == "rest":
        return spec.lists_by_id is not None
    return route != "bulk" and not coql_obstacle(spec)


def _rows(spec: TableSpec, counts: list[int] | None) -> tuple[int | None, str]:
    """Return how many rows the result has, also in words."""
    limit = spec.query.limit
    if counts is None and limit is None:
        return None, "One row per group; groups cannot be counted beforehand."
    if counts is None:
        return None, f"At most {limit:,} rows; not counted, because a count costs as much."
    rows = _rows_of_answer(spec, sum(counts))
    times = f" {len(counts)} times" if len(counts) > 1 else ""
    most = "At most " if len(counts) > 1 else ""
    of = f" of {sum(counts):,}" if rows != sum(counts) else ""
    price = f"{len(counts)} credit{'s' if len(counts) > 1 else ''}"
    return rows, f"{most}{rows:,}{of} rows, counted{times} by COQL for {price}."


def _rows_of_answer(spec: TableSpec, rows: int) -> int:
    """Cut a number of rows as the query's offset and limit do."""
    behind = max(rows - (spec.query.offset or 0), 0)
    return behind if spec.query.limit is None else min(behind, spec.query.limit)


def _routes(spec: TableSpec, counts: list[int] | None, speed: Speed) -> list[Route]:
    """Price every route, or say why it cannot be taken."""
    routes = []
    for name in ROUTES:
        obstacle = _obstacle(name, spec, counts)
        cost = () if obstacle else _cost(name, spec, counts, speed)
        routes.append(Route(name, why=obstacle) if obstacle else Route(name, *cost))
    return routes


def _obstacle(name: RouteName, spec: TableSpec, counts: list[int] | None) -> str:
    """Say why a route cannot be taken; empty where it can."""
    if name == "coql":
        return coql_obstacle(spec)
    obstacle = (
        rest_obstacle(spec, _listed_rows(spec, counts)) if name == "rest" else bulk_obstacle(spec)
    )
    reads_all = name == "bulk" or spec.lists_by_id is None
    uncounted = counts is None and reads_all
    return obstacle or ("not priced: it would read all rows, which were not counted" * uncounted)


def _listed_rows(spec: TableSpec, counts: list[int] | None) -> int:
    """Return how many rows of a list have to be read."""
    if counts is None or (spec.lists_by_id is not None and spec.query.limit is not None):
        end = (spec.query.offset or 0) + (spec.query.limit or 0)
        return end if counts is None else min(end, sum(counts))
    return sum(counts)


def _cost(name: RouteName, spec: TableSpec, counts: list[int] | None, speed: Speed) -> Cost:
    """Price a route that can be taken, names of users included."""
    fields = len(spec.fields)
    if name == "coql":
        return total([_query_cost(spec, counts, speed), _names_cost(spec, spec.columns, speed)])
    if name == "rest":
        listed = rest_cost(_listed_rows(spec, counts), fields, speed)
        view = CREDITS_OF_VIEW if spec.query.cvid else 1
        return listed._replace(credits=view * listed.credits)
    jobs = bulk_cost(sum(counts or [0]), fields, speed)
    return total([jobs, _names_cost(spec, spec.whole, speed), _targets_cost(spec, speed)])


def _names_cost(spec: TableSpec, columns: Sequence[Column], speed: Speed) -> Cost:
    """Price the list of users, if it is needed and not known: one page of 200 is assumed."""
    named = any(each.kind == "user" for each in columns)
    if not named or spec.catalogue.known("users") is not None:
        return Cost(0, 0, 0.0)
    return Cost(1, 1, speed.rest_s)


def _targets_cost(spec: TableSpec, speed: Speed) -> Cost:
    """Price the fields of modules that lookups point to: one of them is the name."""
    known = spec.catalogue.known
    targets = {
        target_of(field)
        for field in spec.fields.values()
        if column_for(field).kind == "lookup" and known(f"fields {target_of(field)}") is None
    }
    return Cost(len(targets), len(targets), len(targets) * speed.rest_s)


def _query_cost(spec: TableSpec, counts: list[int] | None, speed: Speed) -> Cost:
    """Price the queries of COQL's route."""
    query = spec.query
    if counts is None:
        return query_cost(None, query.limit, speed)
    if spec.is_query:
        return _coql_method_cost(spec, counts, speed)
    if len(counts) > 1:
        return total(coql_cost(each, speed) for each in counts)
    rows = _rows_of_answer(spec, counts[0])
    return coql_cost(counts[0] if _past_offsets(spec, rows) else rows, speed)


def _coql_method_cost(spec: TableSpec, counts: list[int], speed: Speed) -> Cost:
    """Price what ``crm.coql`` does, which counts by itself, and only when it has to."""
    if len(counts) > 1:
        return total(query_cost(each, None, speed) for each in counts)
    behind = max(counts[0] - (spec.query.offset or 0), 0)
    if not _past_offsets(spec, _rows_of_answer(spec, counts[0])):
        return query_cost(behind, spec.query.limit, speed)
    # After a first page and a count it has to begin anew, by id.
    wasted = Cost(2, coql.credits(ask.PAGE_SIZE) + 1, 2 * speed.coql_s)
    return total([wasted, query_cost(counts[0], None, speed)])


def _past_offsets(spec: TableSpec, rows: int) -> bool:
    """Whether offsets do not reach all rows, in an order that is not by id."""
    return (spec.query.offset or 0) + rows > ask.OFFSET_CEILING and spec.descends is not False


def no_route_error(
    spec: TableSpec, plan: Plan, route: RouteName | None, most: int | None
) -> LimitError:
    """Make the error for a table that no route brings for the price."""
    open_routes = sorted((each for each in plan.routes if each.credits is not None), key=_price)
    allowed = [each for each in plan.routes if route in {None, each.route}]
    prices = [f"route={each.route!r} takes {credits_text(_price(each))}" for each in open_routes]
    if not any(each.leads_there for each in allowed):
        happened = "; ".join(f"{each.route}: {each.why}" for each in allowed)
        todo = f"{'; '.join(prices)}." if prices else "Choose fewer columns, or another condition."
        return LimitError(f"{spec.module} cannot be read by this route. {happened}.", "", todo)
    cheapest = min((each for each in allowed if each.leads_there), key=_price)
    happened = (
        f"This table costs {credits_text(_price(cheapest))} by {cheapest.route}, and "
        f"{most:,} may be spent, of which planning took {plan.planning:,}."
    )
    cheaper = [
        price
        for price, each in zip(prices, open_routes, strict=True)
        if _price(each) < _price(cheapest)
    ]
    todo = f"Cheaper: {'; '.join(cheaper)}. Or" if cheaper else "No route is cheaper:"
    return LimitError(
        happened, "", f"{todo} read fewer rows with where= or limit=, or raise max_credits."
    )


def _price(route: Route) -> int:
    """Credits of a route that can be taken."""
    return route.credits or 0


def fetch_table(
    session: Session,
    spec: TableSpec,
    route: RouteName,
    counts: list[int] | None,
    *,
    for_export: Callable[[Session], ExportSession],
    **options: Any,
) -> pd.DataFrame:
    """Fetch a table by one of the routes."""
    if route == "bulk":
        return _exported_table(for_export(session), spec, **options)
    options["as_is"] = spec.as_is
    if route == "rest":
        return _listed_table(session, spec, counts, **options)
    prepared = Prepared(spec.query, spec.text, [])
    return coql_table(session, prepared, rows=counts, **options)


def _exported_table(session: ExportSession, spec: TableSpec, **options: Any) -> pd.DataFrame:
    """Export all records of the condition; sort and cut them here."""
    options.pop("errors", None)  # a job's values are read by their type or not at all
    names = [each.name for each in spec.whole if each.name != "id"]
    exported = question(spec.module, names, criteria_of(spec), spec.query.cvid)
    selection = select(spec.catalogue, spec.module, names)
    if selection.unnamed:
        happened = (
            f"Bulk read has no names for {first_names(selection.unnamed)}; no job was requested."
        )
        raise LimitError(happened, "", "Use route='coql' or route='rest'.")
    record = begin(session, selection, exported)
    with session.store.lock(record):
        exporter = Exporter(session, record)
        whole = exporter.table(**options)
    for text in exporter.warnings:
        warnings.warn(text, BulkWarning, stacklevel=ask.levels_up())
    return ordered_here(whole, spec.query, spec.columns, **options)


def _listed_table(
    session: Session, spec: TableSpec, counts: list[int] | None, **options: Any
) -> pd.DataFrame:
    """Fetch a table by Get Records; another order than by id is made here."""
    condition = list_condition(spec)
    assert condition is not None, "a route with an obstacle is not taken"
    by_id = spec.lists_by_id is not None
    params, _ = list_parameters(
        modified_since=None,
        sort_by="id",
        ascending=not spec.descends,
        cvid=spec.query.cvid,
        **condition,
    )
    limit = spec.query.limit if by_id else None
    whole = records_table(
        replace(session, workers=min(session.workers, EXPENSIVE_IN_FLIGHT)),
        spec.module,
        [each.name for each in spec.whole],
        limit=limit and limit + (spec.query.offset or 0),
        rows=None if counts is None else _listed_rows(spec, counts),
        params=params,
        **options,
    )
    return ordered_here(whole, spec.query, spec.columns, **options)
