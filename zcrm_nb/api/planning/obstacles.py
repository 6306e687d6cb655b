"""Why a table cannot come by a route: no route returns it in another shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb import coql
from zcrm_nb.api.exporting.bulk_read import FIELDS_PER_JOB
from zcrm_nb.api.exporting.ranges import both
from zcrm_nb.api.planning.table_spec import bulk_refuses, coql_refuses
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import ONE_RECORD_ONLY, conversion
from zcrm_nb.coql import tree
from zcrm_nb.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zcrm_nb.api.planning.table_spec import TableSpec


__all__ = [
    "LIST_END",
    "bulk_obstacle",
    "coql_obstacle",
    "criteria_of",
    "first_names",
    "list_condition",
    "rest_obstacle",
]

LIST_END = 100_000  # rows of Get Records
_SORTED_BY_ZOHO_ONLY = {"multipicklist", "tags", "object"}


def coql_obstacle(spec: TableSpec) -> str:
    """Say why the table cannot come by COQL; what was written as a query can."""
    if spec.is_query:
        return ""
    refused = [
        path for path, field in spec.fields.items() if coql_refuses(spec.module, path, field)
    ]
    if refused:
        return f"COQL cannot read {first_names(refused)}, or not as Get Records does"
    if len(spec.query.columns) > coql.LIMITS["select"]:
        return f"COQL selects at most {coql.LIMITS['select']} columns"
    return ""


def rest_obstacle(spec: TableSpec, rows: int) -> str:
    """Say why the table cannot come by Get Records."""
    if not spec.is_plain:
        return "Get Records has no groups, aggregates or aliases"
    if list_condition(spec) is None:
        return "Get Records has no conditions"
    dotted = [path for path in spec.fields if "." in path or "->" in path]
    if dotted:
        return f"Get Records does not follow lookups, as in {first_names(dotted)}"
    cut = [
        path
        for path, field in spec.fields.items()
        if field["data_type"] in ONE_RECORD_ONLY
        or (field.get("textarea") or {}).get("type") == "rich_text"
    ]
    if cut:
        return f"lists of Get Records leave out or cut {first_names(cut)}"
    if rows > LIST_END:
        return "Get Records ends after 100,000 rows"
    return _unsorted_keys(spec) if spec.descends is None else ""


def bulk_obstacle(spec: TableSpec) -> str:
    """Say why the table cannot come by bulk read."""
    if not spec.is_plain:
        return "bulk read has no groups, aggregates or aliases"
    if spec.as_is:
        return "bulk read cannot bring values as Zoho's other APIs send them (as_is=)"
    refused = [path for path, field in spec.fields.items() if bulk_refuses(spec.catalogue, field)]
    if refused:
        return f"bulk read cannot export {first_names(refused)}, or not its names"
    names = sum(each.kind in {"lookup", "user"} for each in spec.whole)
    if len(spec.fields) + names > FIELDS_PER_JOB:
        return f"bulk read exports at most {FIELDS_PER_JOB} fields, names of lookups among them"
    try:
        criteria_of(spec)
    except QueryError as refused_criteria:
        return refused_criteria.happened.removeprefix("This was not sent. ").rstrip(".")
    return _unsorted_keys(spec)


def _unsorted_keys(spec: TableSpec) -> str:
    """Name sort keys that only Zoho can sort by."""
    kinds = {each.name: each.kind for each in spec.whole}
    keys = [key for key, _ in ask.sort_keys(spec.query)]
    unsortable = [key for key in keys if kinds.get(key) in _SORTED_BY_ZOHO_ONLY]
    return f"only COQL sorts by {first_names(unsortable)}" if unsortable else ""


def first_names(names: Sequence[str]) -> str:
    """List the first names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def criteria_of(spec: TableSpec) -> dict[str, Any] | None:
    """Return the condition as bulk read's criteria.

    Of Leads, the other routes leave the converted ones out of a view.
    """
    fields = spec.catalogue.fields
    criteria = coql.bulk_criteria(spec.query.where, spec.module, fields, text=spec.text)
    if not spec.query.cvid or "Converted__s" not in fields(spec.module):
        return criteria
    return both(criteria, coql.bulk_criteria("Converted__s = 'false'", spec.module, fields))


def list_condition(spec: TableSpec) -> dict[str, Any] | None:
    """Return the parameters by which a list finds the same records; ``None`` where no list does.

    A list has one condition: whether Leads are converted. A view is left to show what it shows.
    """
    converted = conversion(spec.catalogue, spec.module, None, spec.query.cvid)
    match spec.query.where:
        case tree.IsNull(path=path, negated=True) if path.text == "id":
            return {"converted": converted}
        case tree.Comparison(path=path, operator="=", value=tree.Literal(value=value)) if (
            path.text == "Converted__s" and converted
        ):
            return {"converted": str(value).lower()}
    return None
