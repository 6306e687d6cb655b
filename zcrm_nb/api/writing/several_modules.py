"""Lookups that may point to several modules: Zoho demands the name of the module beside the id.

It stands in a column ``X.module``, in ``$se_module``, or is found by the id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.errors import PermissionDenied, ScopeError, did_you_mean
from zcrm_nb.frames.records import ABSENT, as_columns, as_rows, cells_of
from zcrm_nb.frames.validate import Problem
from zcrm_nb.frames.values import json_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.writing.context import WriteContext

    Fields = Mapping[str, Mapping[str, Any]]

__all__ = ["add_modules", "add_to_records", "stated_modules"]

SE_MODULE = "$se_module"
#: Where records are looked for: those that activities mostly belong to come first.
FIRST = (
    *("Leads", "Contacts", "Deals", "Accounts", "Campaigns", "Vendors", "Products", "Quotes"),
    *("Sales_Orders", "Purchase_Orders", "Invoices", "Cases", "Solutions", "Price_Books"),
)


def _lookups(fields: Fields) -> list[str]:
    """List the fields that may point to several modules."""
    return [name for name, field in fields.items() if _is_beside(field) or _is_inside(field)]


def _is_beside(field: Mapping[str, Any]) -> bool:
    """Whether ``$se_module`` names the module, as of activities."""
    module = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    return module == "se_module"


def _is_inside(field: Mapping[str, Any]) -> bool:
    """Whether the lookup itself names the module, as of notes."""
    return field.get("data_type") == "multi_module_lookup"


def stated_modules(records: Any, names: Sequence[str], fields: Fields) -> dict[str, list[Any]]:
    """Take the columns ``X.module`` out of the input, by their field."""
    return {
        name: json_values(cells_of(records, f"{name}.module")[1], "text")
        for name in _lookups(fields)
        if f"{name}.module" in names
    }


def add_modules(
    context: WriteContext,
    data: dict[str, list[Any]],
    fields: Fields,
    stated: Mapping[str, Sequence[Any]],
) -> list[Problem]:
    """Name the module beside each such lookup; 1 credit for 100 ids in each module looked at."""
    problems: list[Problem] = []
    for name in _lookups(fields):
        if name in data:
            problems += _of_column(context, data, name, fields[name], stated.get(name))
    return problems


def add_to_records(
    context: WriteContext, records: dict[int, dict[str, Any]], fields: Fields
) -> dict[int, Problem]:
    """Name the modules in some records, in place; return those where none was found."""
    names = _lookups(fields)
    if not any(name in record for record in records.values() for name in names):
        return {}
    data = as_columns(list(records.values()))
    problems = add_modules(context, data, fields, {})
    rows = list(records)
    records |= dict(zip(rows, as_rows(data, len(rows)), strict=True))
    return {rows[each.row]: each for each in problems if each.row is not None}


def _of_column(
    context: WriteContext,
    data: dict[str, list[Any]],
    name: str,
    field: Mapping[str, Any],
    stated: Sequence[Any] | None,
) -> list[Problem]:
    """Name the modules of one column."""
    values, beside = data[name], data.get(SE_MODULE)
    rows = [row for row, each in enumerate(values) if isinstance(each, dict) and each.get("id")]
    modules: dict[int, Any] = {}
    for row in rows:
        own = values[row].get("module")
        own = own.get("api_name") if isinstance(own, dict) else own
        given = stated[row] if stated is not None else None
        other = beside[row] if beside is not None else None
        modules[row] = own or given or (other if other is not ABSENT else None)
    unknown = {str(values[row]["id"]) for row in rows if not modules[row]}
    found = _modules_of_records(context, field, sorted(unknown)) if unknown else {}
    problems, known = [], _candidates(context, field)
    for row in rows:
        module = modules[row] or found.get(str(values[row]["id"]))
        if module is None:
            words = f"no such record; or name its module in a column {name}.module"
            problems.append(Problem(row, name, values[row]["id"], words))
        elif module not in known:
            hint = did_you_mean(str(module), known)
            words = f"no module it can point to. {hint}".rstrip()
            problems.append(Problem(row, f"{name}.module", module, words))
        elif _is_inside(field):
            values[row] = {**values[row], "module": {"api_name": module}}
        else:
            values[row] = {key: each for key, each in values[row].items() if key != "module"}
            data.setdefault(SE_MODULE, [ABSENT] * len(values))[row] = module
    return problems


def _candidates(context: WriteContext, field: Mapping[str, Any]) -> list[str]:
    """List the modules that a field can point to, the likely ones first."""
    listed = (field.get("multi_module_lookup") or {}).get("modules")
    known = context.catalogue.modules()
    names = [each.get("api_name") for each in listed or () if isinstance(each, dict)]
    if not names:
        custom = [name for name, each in known.items() if each.get("generated_type") == "custom"]
        names = [*FIRST, *custom]
    first = [name for name in FIRST if name in names]
    return [name for name in dict.fromkeys([*first, *names]) if name in known]


def _modules_of_records(
    context: WriteContext, field: Mapping[str, Any], ids: Sequence[str]
) -> dict[str, str]:
    """Find the modules of records by their ids; those that are nowhere are left out."""
    found: dict[str, str] = {}
    left = [each for each in ids if each.isdecimal()]
    for module in _candidates(context, field):
        if not left:
            break
        try:
            records = context.there(module).by("id", left, [])
        except (PermissionDenied, ScopeError):  # what this login may not read, it cannot name
            continue
        found |= {str(record["id"]): module for record in records}
        left = [each for each in left if each not in found]
    return found
