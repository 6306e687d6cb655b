"""The history of a picklist of many records: where Zoho keeps it, its price, and one typed table.

Zoho keeps it in a module of its own (a field tracker: ``DealHistory`` for the stages of deals), a
row for each stay of a record at one value. COQL and bulk read that module like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from zcrm_nb import coql
from zcrm_nb.api.acting.related import ROWS_PER_QUERY, by_record, list_rows, query_by_ids
from zcrm_nb.api.pages import V8
from zcrm_nb.api.picklists import choices
from zcrm_nb.api.planning.costs import Cost, Plan, Route, choose, facts, query_cost, with_whys
from zcrm_nb.api.planning.routes import fetch_table, make_plan, no_route_error
from zcrm_nb.api.planning.table_spec import default_names, spec_text, table_spec
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.query import Prepared
from zcrm_nb.api.reading.records import selected_ids
from zcrm_nb.api.reading.tables import coql_table
from zcrm_nb.coql.tree import Logic, Path, Step
from zcrm_nb.errors import LimitError, NotFoundError
from zcrm_nb.frames import Column, in_order, unique

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.api.exporting.session import ExportSession
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.planning.costs import Speed
    from zcrm_nb.api.planning.table_spec import TableSpec
    from zcrm_nb.api.session import Session
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.coql.tree import Condition, Query

__all__ = [
    "Fetching",
    "FieldHistory",
    "field_history",
    "history_table",
    "plan_history",
    "selection",
]

MOVED_TO = "Moved_To__s"
ENTERED = "Modified_Time"
#: The tracker that every org has, for an org whose metadata do not describe it.
STAGE_TRACKER = ("Deals", "Stage", "DealHistory", "Stage_History")
STAGE_LIST = [
    Column("id", "text"),
    Column("Stage", "text"),
    Column(MOVED_TO, "text"),
    Column(ENTERED, "datetime"),
    Column("Modified_By", "lookup"),
    Column("Amount", "float"),
    Column("Probability", "integer"),
    Column("Expected_Revenue", "float"),
    Column("Close_Date", "date"),
    Column("Stage_Duration_Calendar_Days", "integer"),
]
LEFT_OUT = frozenset({"Created_By", "Created_Time", "Owner", "Last_Activity_Time", "Layout"})
MOST_HOPS = 2  # lookups that one path may follow in COQL
SECONDS_PER_DAY = 86_400
ROW_ID, PARENT = "id", "parent_id"
NAME, VALUE = "\0name", "\0value"  # names that no field has


@dataclass(frozen=True)
class FieldHistory:
    """Where the history of one picklist is kept.

    ``name`` is the field that names a record, ``via`` the tracker's lookup to it and ``value`` its
    field with the tracked values; without ``via`` only related lists bring the history.
    """

    module: str
    field: str
    tracker: str
    name: str
    categories: tuple[str, ...]
    via: str = ""
    value: str = "Stage"
    columns: tuple[str, ...] = ()


class Selection(NamedTuple):
    """Whose history is wanted: the records with these ids, of a query, or all.

    ``rows`` is the same query, of the tracker's rows; ``None`` where COQL takes none.
    """

    ids: list[str] | None = None
    records: Prepared | None = None
    rows: Query | None = None


class Fetching(NamedTuple):
    """What a fetch needs besides the session: prices and limits."""

    speed: Speed
    spent: Callable[[], int]
    most: int | None
    for_export: Callable[[Session], ExportSession]


# ---- Where it is kept ----------------------------------------------------------------------------


def field_history(catalogue: Catalogue, module: str, field: str | None) -> FieldHistory:
    """Find the tracker of a picklist; ``ValueError`` where Zoho keeps no history of it."""
    fields = catalogue.fields(module)
    tracked = _tracked(fields, module)
    name = field or _only(tracked, module)
    described = catalogue.field(module, name)
    if name not in tracked:
        raise ValueError(_untracked(module, name, tracked))
    history = FieldHistory(
        module, name, tracked[name], name=_name_field(fields), categories=_categories(described)
    )
    if not (catalogue.modules().get(history.tracker) or {}).get("api_supported", False):
        return history
    kept = catalogue.fields(history.tracker)
    names = [each for each in default_names(catalogue, history.tracker) if each not in LEFT_OUT]
    return replace(
        history,
        via=_via(kept, module, history.tracker),
        value=_value(kept, name, history.tracker),
        columns=tuple(names),
    )


def _tracked(fields: Mapping[str, Field], module: str) -> dict[str, str]:
    """Name the tracker of each field of a module that has one."""
    tracked = {}
    for name, field in fields.items():
        tracking = field.get("history_tracking")
        kept = tracking.get("module") if isinstance(tracking, dict) else None
        tracker = kept.get("api_name") if isinstance(kept, dict) else kept
        if isinstance(tracker, str) and tracker:
            tracked[name] = tracker
    if module == STAGE_TRACKER[0] and STAGE_TRACKER[1] in fields:
        tracked.setdefault(STAGE_TRACKER[1], STAGE_TRACKER[2])
    return tracked


def _only(tracked: Mapping[str, str], module: str) -> str:
    """Return the one field whose history is kept."""
    if module == STAGE_TRACKER[0]:
        return STAGE_TRACKER[1]
    if len(tracked) == 1:
        return next(iter(tracked))
    if not tracked:
        raise ValueError(_untracked(module, None, tracked))
    raise ValueError(
        f"{module} has several tracked fields. Name one: field={next(iter(tracked))!r}."
    )


def _untracked(module: str, field: str | None, tracked: Mapping[str, str]) -> str:
    """Say which fields have a history, and how a field gets one."""
    what = f"{module}.{field}" if field else f"a field of {module}"
    others = f" Tracked in {module}: {', '.join(tracked)}." if tracked else ""
    return (
        f"Zoho keeps no history of {what}; nothing was sent.{others} An administrator can track a "
        "picklist: Setup > Modules and Fields > edit the field's properties > Enable history "
        "tracking for picklist values."
    )


def _via(kept: Mapping[str, Field], module: str, tracker: str) -> str:
    """Find the lookup that leads from a tracker to the record."""
    for name, field in kept.items():
        target = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
        if field["data_type"] == "lookup" and target == module:
            return name
    raise _unreadable(tracker, f"has no lookup to {module}")


def _value(kept: Mapping[str, Field], field: str, tracker: str) -> str:
    """Find the field of a tracker that holds the tracked value."""
    picklists = [name for name, each in kept.items() if each["data_type"] == "picklist"]
    named = [name for name in (field, *picklists) if name in kept and name != MOVED_TO]
    if not named or ENTERED not in kept:
        raise _unreadable(tracker, f"has no field {ENTERED if named else field}")
    return named[0]


def _unreadable(tracker: str, why: str) -> NotFoundError:
    """Make the error for a tracker of another shape than Zoho's."""
    return NotFoundError(
        f"The history in {tracker} cannot be read: it {why}.",
        "",
        f"crm.fields({tracker!r}) lists its fields; crm.table({tracker!r}) reads it as it is.",
        code="INVALID_FIELD",
        details={"module": tracker},
    )


def _name_field(fields: Mapping[str, Field]) -> str:
    """Name the field that names a record of a module."""
    return next(
        (name for name, each in fields.items() if each.get("display_field") is True), "Name"
    )


def _categories(field: Field) -> tuple[str, ...]:
    """List the values of a picklist in the CRM's order."""
    if not field.get("pick_list_values"):
        return ()
    return tuple(dict.fromkeys(str(each["display_value"]) for each in choices(field)))


# ---- Whose it is ---------------------------------------------------------------------------------


def selection(
    catalogue: Catalogue, history: FieldHistory, ids: Any, where: Any, values: Mapping[str, Any]
) -> Selection:
    """Check whose history is wanted, before anything but metadata is sent."""
    if ids is not None and where is not None:
        raise ValueError("ids and where= both say which records: give one of them.")
    if ids is not None:
        return Selection(unique(selected_ids(history.module, ids)))
    if where is None:
        return Selection()
    records = ask.prepared(catalogue, spec_text(history.module, where, None, values))
    assert records.query is not None, "a prepared query has a tree"
    return Selection(records=records, rows=_behind(records.query, history))


def _behind(query: Query, history: FieldHistory) -> Query | None:
    """Turn a query of records into one of what points to them, where COQL takes one."""
    for each in coql.criteria(query.where):
        plain = each.path.root is None and not any(step.module for step in each.path.steps)
        if not (history.via and plain and len(each.path.steps) <= MOST_HOPS):
            return None

    def moved(condition: Condition) -> Condition:
        assert not isinstance(condition, Logic), "criteria are changed one by one"
        own = () if condition.path.text == ROW_ID else condition.path.steps
        return replace(condition, path=Path((Step(history.via), *own)))

    return replace(coql.with_criteria(query, moved), module=history.tracker)


# ---- Price ---------------------------------------------------------------------------------------


def plan_history(
    session: Session, history: FieldHistory, selected: Selection, fetching: Fetching
) -> Plan:
    """Price the ways to a history, and choose one."""
    return _planned(session, history, selected, fetching)[0]


def _planned(
    session: Session, history: FieldHistory, selected: Selection, fetching: Fetching
) -> tuple[Plan, TableSpec | None, list[int] | None]:
    """Return the plan; also what to read where that is a part of the tracker, and its counts."""
    if not history.via:
        return _lists_plan(session, history, selected, fetching), None, None
    if selected.ids is not None and len(selected.ids) <= ROWS_PER_QUERY:
        return _ids_plan(session, history, len(selected.ids), fetching), None, None
    spec = _spec(session.catalogue, history, selected)
    whole, counts = make_plan(
        session.send, spec, speed=fetching.speed, spent=fetching.spent, most=None
    )
    plan, by_ids = _with_ids(session, whole, selected, fetching)
    if plan.route is None:
        raise no_route_error(spec, plan, None, fetching.most)
    return plan, None if by_ids else spec, counts


def _spec(catalogue: Catalogue, history: FieldHistory, selected: Selection) -> TableSpec:
    """Describe the part of the tracker that is read whole."""
    if selected.rows is not None:
        prepared = Prepared(selected.rows, coql.to_text(selected.rows), [])
    else:
        text = spec_text(history.tracker, f"{history.via} is not null", None, {})
        prepared = ask.prepared(catalogue, text)
    return table_spec(catalogue, prepared, history.columns, None)


def _with_ids(
    session: Session, whole: Plan, selected: Selection, fetching: Fetching
) -> tuple[Plan, bool]:
    """Put the way by ids in the place of the whole module where that is cheaper by COQL."""
    number = _number(session, selected)
    routes = [each._replace(why="" if each.leads_there else each.why) for each in whole.routes]
    by_ids = False
    if number is not None:
        ways = _ids_cost(session.catalogue, number, fetching.speed)
        first = _first_cost(selected, number, fetching.speed)
        routes = [_plus(each, first) for each in routes]
        for at, each in enumerate(routes):
            if each.route == "coql" and (
                each.credits is None or ways.credits + first.credits < each.credits
            ):
                routes[at], by_ids = _plus(Route("coql", *ways), first), True
    planning = fetching.spent()
    left = None if fetching.most is None else fetching.most - planning
    chosen = choose(routes, "cheap", left)
    plan = replace(
        whole,
        routes=with_whys(routes, chosen, left),
        route=chosen.route if chosen else None,
        planning=planning,
    )
    return plan, by_ids and plan.route == "coql"


def _number(session: Session, selected: Selection) -> int | None:
    """Count the records whose ids are, or have to be, known."""
    if selected.ids is not None:
        return len(selected.ids)
    query = selected.records.query if selected.records and selected.rows is None else None
    return None if query is None else sum(ask.count(session.send, q) for q in coql.parts(query))


def _first_cost(selected: Selection, number: int, speed: Speed) -> Cost:
    """Price the query for the ids, where they are not given."""
    return Cost(0, 0, 0.0) if selected.ids is not None else query_cost(number, None, speed)


def _plus(route: Route, cost: Cost) -> Route:
    """Add what comes before a route."""
    if route.calls is None or route.credits is None or route.seconds is None:
        return route
    return route._replace(
        calls=route.calls + cost.calls,
        credits=route.credits + cost.credits,
        seconds=route.seconds + cost.seconds,
    )


def _ids_cost(catalogue: Catalogue, number: int, speed: Speed) -> Cost:
    """Price queries for so many ids, a hundred at a time, and the users' names."""
    calls = ceil(number / ROWS_PER_QUERY)
    names = int(number > 0 and catalogue.known("users") is None)
    turns = ceil(calls / speed.lanes)
    credits_ = calls * coql.credits(ask.PAGE_SIZE) + names
    return Cost(calls + names, credits_, turns * speed.coql_s + names * speed.rest_s)


def _ids_plan(session: Session, history: FieldHistory, number: int, fetching: Fetching) -> Plan:
    """Plan for so few records that counting would cost as much as it saves."""
    cost = _ids_cost(session.catalogue, number, fetching.speed)
    words = f"The stays of {number:,} records; not counted, because one query brings them."
    return _single_plan(Route("coql", *cost), history, words, fetching)


def _lists_plan(
    session: Session, history: FieldHistory, selected: Selection, fetching: Fetching
) -> Plan:
    """Plan for an org whose tracker is no module: the related list of each record."""
    number = _number(session, selected)
    if number is None:
        raise LimitError(
            f"{history.tracker} is not a module in this org, so only the related lists have the "
            "history, one record at a time; nothing was sent.",
            "",
            "Name the records: ids, or where=.",
        )
    first = _first_cost(selected, number, fetching.speed)
    seconds = ceil(number / fetching.speed.lanes) * fetching.speed.rest_s
    words = f"The stays of {number:,} records, one related list for each."
    route = _plus(Route("rest", number, number, seconds), first)
    return _single_plan(route, history, words, fetching)


def _single_plan(route: Route, history: FieldHistory, words: str, fetching: Fetching) -> Plan:
    """Make the plan of the only way; ``LimitError`` where it costs too much."""
    planning = fetching.spent()
    if fetching.most is not None and (route.credits or 0) + planning > fetching.most:
        raise LimitError(
            f"This history costs {route.credits:,} credits and its planning {planning:,}; "
            f"max_credits={fetching.most:,} allows fewer. Nothing was read.",
            "",
            "Raise max_credits, or select fewer records.",
        )
    return Plan(
        query=f"history of {history.module}.{history.field}",
        rows=None,
        rows_text=words,
        routes=with_whys([route], route),
        route=route.route,
        planning=planning,
        pace=fetching.speed,
    )


# ---- The table -----------------------------------------------------------------------------------


def history_table(
    session: Session,
    history: FieldHistory,
    selected: Selection,
    fetching: Fetching,
    **options: Any,
) -> pd.DataFrame:
    """Return the history of one picklist, a row for each stay of a record at one value."""
    plan, spec, counts = _planned(session, history, selected, fetching)
    ids = selected.ids
    if selected.records is not None and selected.rows is None:
        found = coql_table(session.quiet(), selected.records)
        ids = unique(found[ROW_ID])
    if not history.via:
        raw = _from_lists(session, history, ids or [], **options)
    elif spec is None:
        names = ", ".join(history.columns)
        text = f"select {names} from {history.tracker} where {history.via} in :ids"  # noqa: S608 - COQL
        raw = query_by_ids(session, text, ids or [], **options)
    else:
        assert plan.route is not None, "a plan without a route has raised"
        for_export = fetching.for_export
        raw = fetch_table(session, spec, plan.route, counts, for_export=for_export, **options)
    table = _stays(raw, history, ids)
    table.attrs["zcrm"] = {"query": plan.query, "route": plan.route, "plan": facts(plan)}
    return table


def _from_lists(
    session: Session, history: FieldHistory, ids: Sequence[str], **options: Any
) -> pd.DataFrame:
    """Read the related list of each record, several at a time."""

    def fetch(record_id: str) -> list[dict[str, Any]]:
        path = f"{V8}{history.module}/{record_id}/{STAGE_TRACKER[3]}"
        return list(list_rows(session.send, path, STAGE_LIST[1:]).values())

    return by_record(session, fetch, ids, STAGE_LIST, **options)


def _stays(raw: pd.DataFrame, history: FieldHistory, ids: Sequence[str] | None) -> pd.DataFrame:
    """Lay out the stays of each record in their order, with what came before and after."""
    rows = _sorted(raw, history, ids)
    by_parent = rows.groupby(PARENT, sort=False)
    values = rows[VALUE]
    moved_to = _texts(rows[MOVED_TO]) if MOVED_TO in rows else by_parent[VALUE].shift(-1)
    left = by_parent[ENTERED].shift(-1)
    seen = [*values.dropna(), *moved_to.dropna()]
    kind = pd.CategoricalDtype(list(dict.fromkeys([*history.categories, *seen])), ordered=True)
    led: dict[str, pd.Series[Any]] = {
        PARENT: rows[PARENT],
        history.name: rows[NAME],
        history.field: values.astype(kind),
        "From": by_parent[VALUE].shift(1).astype(kind),
        "To": moved_to.astype(kind),
        "Entered": rows[ENTERED],
        "Left": left,
        "Days": (_times(left) - _times(rows[ENTERED])).dt.total_seconds() / SECONDS_PER_DAY,
    }
    own = {history.via, f"{history.via}.id", history.value, MOVED_TO, ENTERED, NAME, VALUE, ROW_ID}
    rest = {str(name): rows[name] for name in rows if name not in own and name not in led}
    return pd.DataFrame({**led, **rest, ROW_ID: rows[ROW_ID]})


def _sorted(raw: pd.DataFrame, history: FieldHistory, ids: Sequence[str] | None) -> pd.DataFrame:
    """Keep the rows of the records, in their order and that of time."""
    parents = _texts(raw[f"{history.via}.id"] if history.via else raw[PARENT]).astype("string")
    names = raw[history.via] if history.via else pd.Series(pd.NA, raw.index, dtype="string")
    rows = raw.assign(**{PARENT: parents, NAME: names, VALUE: _texts(raw[history.value])})
    keys = pd.DataFrame({"parent": parents, "at": _times(raw[ENTERED]), "id": _texts(raw[ROW_ID])})
    kept = parents.notna() if ids is None else parents.isin(list(ids))
    order = keys[kept.to_numpy(dtype=bool)].sort_values(["parent", "at", "id"], kind="stable")
    rows = rows.loc[order.index].reset_index(drop=True)
    return rows if ids is None else in_order(rows, PARENT, ids)


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read values as text, whatever Zoho sent in their place."""
    present = column.notna().tolist()
    texts = [
        str(each) if is_there else None for each, is_there in zip(column, present, strict=True)
    ]
    return pd.Series(texts, index=column.index, dtype=object)


def _times(column: pd.Series[Any]) -> pd.Series[Any]:
    """Read times; those that do not fit, and were kept as they came, are missing."""
    if column.dtype != object:
        return column
    texts = [each if isinstance(each, (str, datetime)) else None for each in column]
    return pd.to_datetime(
        pd.Series(texts, index=column.index, dtype=object),
        utc=True,
        errors="coerce",
        format="ISO8601",
    )
