"""Values of a search as people write them, in the form that Zoho's search compares."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.search import IN_VALUES, Range
from zcrm_nb.coql.fields import LOOKUPS, TIMES, target_of, type_of
from zcrm_nb.coql.tree import Between, Path, Query, SelectItem, Step, literals
from zcrm_nb.errors import LimitError, NotFoundError
from zcrm_nb.frames import records_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.coql.tree import Condition

__all__ = ["compared"]


def compared(catalogue: Catalogue, module: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn names of users and records into ids, and days and periods into ranges."""
    fields = catalogue.fields(module)
    return {
        name: _compared(catalogue, module, name, value)
        if name in fields and type_of(fields[name]) in LOOKUPS | TIMES and _is_text(value)
        else value
        for name, value in values.items()
    }


def _is_text(value: Any) -> bool:
    """Check whether a value, or each of several, may be a name, a day or a period."""
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return bool(several) and all(
        isinstance(each, str | date) and not isinstance(each, datetime) for each in several
    )


def _compared(catalogue: Catalogue, module: str, name: str, value: Any) -> Any:
    """Read the value of one field as a condition of COQL, and take from it what a search takes."""
    plain = list(value) if isinstance(value, tuple | set | frozenset) else value
    text = f"select id from {module} where {coql.where({name: plain})}"  # noqa: S608 - COQL
    query = ask.repaired(catalogue, text)
    criteria = list(coql.criteria(query.where))
    if any(len(each.path.steps) > 1 for each in criteria):
        return _ids(catalogue, module, name, query)
    values = [each for criterion in criteria for each in _values(criterion)]
    return values[0] if len(values) == 1 else values


def _values(criterion: Condition) -> list[str | Range]:
    """List the values of one criterion: texts, or a range."""
    match criterion:
        case Between(low=low, high=high):
            return [Range(str(low.value), str(high.value))]
    return [str(literal.value) for literal in literals(criterion)]


def _ids(catalogue: Catalogue, module: str, name: str, query: Query) -> list[str]:
    """Find the ids of the records that are called by a name; 1 credit."""
    target = target_of(catalogue.fields(module)[name])

    def inside(criterion: Condition) -> Condition:
        path = criterion.path  # type: ignore[union-attr]
        steps = path.steps[1:] or (Step("id"),)
        return replace(criterion, path=replace(path, steps=steps))  # type: ignore[arg-type]

    columns = (SelectItem(Path((Step("id"),))),)
    records = replace(query, module=target, columns=columns, limit=IN_VALUES + 1)
    body = ask.send_text(catalogue.send, coql.to_text(coql.with_criteria(records, inside)))
    ids = [str(record["id"]) for record in records_of(body) if record.get("id")]
    if len(ids) > IN_VALUES:
        raise LimitError(
            f"More than {IN_VALUES} records of {target} have the names in {name}.",
            f"A search compares with at most {IN_VALUES} values.",
            f"Use crm.coql(…, where {name} = …), which has no such limit.",
        )
    if not ids:
        raise NotFoundError(
            f"{name}: {target} has no record with such a name; the search was not sent.",
            "",
            f"Search for part of the name first: crm.search({target!r}, word=…).",
            code="INVALID_DATA",
        )
    return ids
