"""What the fields of a module hold, told by aggregates: no record is read."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from zcrm_nb import coql
from zcrm_nb.api.pages import more, side_by_side
from zcrm_nb.api.reading import query as ask
from zcrm_nb.coql import tree
from zcrm_nb.coql.fields import NUMBERS, TIMES, is_readable, type_of
from zcrm_nb.errors import LimitError, QueryError
from zcrm_nb.frames import Column, column_for, records_of
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.coql.tree import Condition, Query

    Fields = Mapping[str, Field]

__all__ = [
    "PROFILE_COLUMNS",
    "Question",
    "check_price",
    "fields_to_profile",
    "profile_rows",
    "questions",
]

PROFILE_COLUMNS = [
    Column("field", "text"),
    Column("label", "text"),
    Column("type", "text"),
    Column("filled", "integer"),
    Column("share", "float"),
    Column("distinct", "integer"),
    Column("top", "object"),
    Column("min", "object"),
    Column("max", "object"),
    Column("mean", "float"),
]

_ID = tree.Path((tree.Step("id"),))
_COUNTED = tree.Aggregate("COUNT", _ID)
_GROUPED = {"picklist", "boolean"}
TOP = 5  # values of a picklist that are shown


class Question(NamedTuple):
    """One query of a profile."""

    # up to five aggregates of all records, or the number of records for each value of a field
    query: Query

    @property
    def credits(self) -> int:
        """What it costs."""
        return coql.credits(self.query.limit)


def fields_to_profile(
    catalogue: Catalogue, module: str, names: Sequence[str] | None
) -> Mapping[str, Field]:
    """Choose the fields: the named ones, or all that COQL can read."""
    if names is not None:
        return {name: catalogue.field(module, name) for name in names if name != "id"}
    return {
        name: field
        for name, field in catalogue.fields(module).items()
        if name != "id"
        and is_readable(module, field)
        and column_for(field).kind not in {"object", "tags"}
    }


def questions(module: str, where: Condition, fields: Fields) -> list[Question]:
    """Write the queries of a profile: five aggregates a query, and one for each picklist."""
    ungrouped = {name: field for name, field in fields.items() if type_of(field) not in _GROUPED}
    aggregates = [_COUNTED, *(each for name in ungrouped for each in _of(name, ungrouped[name]))]
    most = coql.LIMITS["aggregate"]
    lots = [aggregates[start : start + most] for start in range(0, len(aggregates), most)]
    queries = [_query(module, where, lot) for lot in lots]
    grouped = [name for name in fields if name not in ungrouped]
    queries += [_groups(module, where, name, fields[name]) for name in grouped]
    return [Question(each) for each in queries]


def check_price(module: str, queries: Sequence[Question], most: int | None) -> None:
    """Refuse a profile that costs more than may be spent."""
    price = sum(each.credits for each in queries)
    if most is not None and price > most:
        raise LimitError(
            f"This profile of {module} costs {credits_text(price)}, and {most} may be spent.",
            "",
            "Nothing was sent. Name fewer columns, or raise max_credits.",
        )


def _of(name: str, field: Field) -> Iterator[tree.Aggregate]:
    """List the aggregates of a field."""
    kind, path = type_of(field), tree.Path((tree.Step(name),))
    functions = ["COUNT"]
    functions += ["MIN", "MAX"] if kind in NUMBERS | TIMES else []
    functions += ["AVG"] if kind in NUMBERS else []
    return (tree.Aggregate(function, path) for function in functions)


def _query(module: str, where: Condition, aggregates: Sequence[tree.Aggregate]) -> Query:
    """Ask for aggregates of all records: one row."""
    return tree.Query(tuple(map(tree.SelectItem, aggregates)), module, where, limit=1)


def _groups(module: str, where: Condition, name: str, field: Field) -> Query:
    """Ask how many records each value has; the empty one is a value too."""
    path = tree.Path((tree.Step(name),))
    columns = (tree.SelectItem(path), tree.SelectItem(_COUNTED))
    values = len(field.get("pick_list_values") or ()) + 1
    # Old records hold values that the picklist has no more, so there may be some others.
    limit = 200 if values <= 150 else ask.PAGE_SIZE
    return tree.Query(columns, module, where, group_by=(path,), limit=limit)


def profile_rows(
    session: Session, queries: Sequence[Question], fields: Fields, *, tz: str
) -> list[dict[str, Any]]:
    """Send the queries, and put the answers together: a row for each field."""
    facts: dict[str, Any] = {}
    workers = ask.lanes(session.workers)
    for answer in side_by_side(partial(_answer, session.send), queries, workers):
        facts |= answer
        session.tick(1)
    total = _number(facts.get("COUNT(id)")) or 0
    return [_row(name, field, facts, total, ZoneInfo(tz)) for name, field in fields.items()]


def _answer(send: Send, question: Question) -> dict[str, Any]:
    """Ask one question; the groups of a field are kept under its name."""
    query = question.query
    if query.group_by:
        body = ask.send_text(send, coql.to_text(query))
        return {query.group_by[0].text: (records_of(body), more(body))}
    return _aggregated(send, query)


def _aggregated(send: Send, query: Query) -> dict[str, Any]:
    """Ask for aggregates; where Zoho refuses one of several, for each alone.

    UNCONFIRMED: which types COUNT, MIN and MAX take. COUNT is documented for numbers, lookups and
    picklists; of others, what is not empty can be counted.
    """
    try:
        rows = records_of(ask.send_text(send, coql.to_text(query)))
        return rows[0] if rows else {}
    except QueryError:
        if len(query.columns) == 1:
            return _instead(send, query)
    found: dict[str, Any] = {}
    for column in query.columns:
        found |= _aggregated(send, _query(query.module, query.where, [_aggregate(column)]))
    return found


def _aggregate(column: tree.SelectItem) -> tree.Aggregate:
    """Take the aggregate of a column."""
    assert isinstance(column.expression, tree.Aggregate), "a profile selects aggregates"
    return column.expression


def _instead(send: Send, query: Query) -> dict[str, Any]:
    """Count the records where a field is not empty; of the least and largest nothing is known."""
    aggregate = _aggregate(query.columns[0])
    if aggregate.function != "COUNT":
        return {}
    filled = tree.Logic("and", query.where, tree.IsNull(aggregate.path, negated=True))
    counting = tree.Query((tree.SelectItem(_COUNTED),), query.module, filled)
    return {aggregate.text: ask.count(send, counting)}


def _row(
    name: str, field: Field, facts: dict[str, Any], total: float, zone: ZoneInfo
) -> dict[str, Any]:
    """Put together what is known of a field."""
    row: dict[str, Any] = {"field": name, "label": field.get("field_label")}
    row["type"] = field["data_type"]
    if name in facts:
        row |= _of_groups(name, *facts[name])
    else:
        row |= {
            "filled": _number(facts.get(f"COUNT({name})")),
            "min": _value(field, facts.get(f"MIN({name})"), zone),
            "max": _value(field, facts.get(f"MAX({name})"), zone),
            "mean": facts.get(f"AVG({name})"),
        }
    filled = row.get("filled")
    return {**row, "share": None if filled is None or not total else filled / total}


def _of_groups(name: str, rows: list[dict[str, Any]], cut: bool) -> dict[str, Any]:
    """Return how many records have a value, the number of values, and the most frequent."""
    counts: dict[Any, float] = {}
    for row in rows:
        value = row.get(name)
        if value is not None:
            value = value if isinstance(value, str | bool | int | float) else str(value)
            counts[value] = counts.get(value, 0) + (_number(row.get("COUNT(id)")) or 0)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
    known = {} if cut else {"filled": sum(counts.values()), "distinct": len(counts)}
    return {**known, "top": dict(ranked[:TOP])}


def _number(value: Any) -> float | None:
    """Return a number, which may be text; ``None`` for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return int(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _value(field: Field, value: Any, zone: ZoneInfo) -> Any:
    """Read a date or a time; what is neither stays as it came."""
    kind = type_of(field)
    if not isinstance(value, str) or kind not in TIMES:
        return value
    try:
        if kind == "date":
            return date.fromisoformat(value)
        return datetime.fromisoformat(value).astimezone(zone)
    except ValueError:
        return value
