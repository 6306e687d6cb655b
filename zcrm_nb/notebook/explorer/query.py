"""From choices to COQL: a query is written; nothing is sent.

The operators of a type are those that the linter knows (:mod:`zcrm_nb.coql.fields`), and values are
written by :func:`zcrm_nb.coql.where`, so that there is only one grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

from zcrm_nb.coql import examine, where
from zcrm_nb.coql.fields import MULTI_LINE, NUMBERS, PICKLISTS, is_readable, operators, type_of
from zcrm_nb.coql.text import condition_text, written_name
from zcrm_nb.notebook.source import block

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zcrm_nb.coql.fields import Field


__all__ = [
    "MISSING",
    "OPERATOR_WORDS",
    "USERS",
    "Choice",
    "Condition",
    "code",
    "condition",
    "hint",
    "offered",
    "query",
    "sortable",
    "value_count",
    "values_of",
]

OPERATOR_WORDS = {
    "=": "=",
    "!=": "!=",
    ">": ">",
    ">=": ">=",
    "<": "<",
    "<=": "<=",
    "between": "between",
    "not between": "not between",
    "in": "in",
    "not in": "not in",
    "like": "like",
    "not like": "not like",
    "is null": "is null (empty)",
    "is not null": "is not null (filled)",
}
"""The operators in the order of the menu, with their labels."""

MISSING = "…"
"""Placeholder in a query for a value that is still missing."""

USERS = frozenset({"ownerlookup", "userlookup"})
"""The data types of fields that hold a user; conditions name users, and ``coql`` finds the ids."""

_BY_NAME = frozenset({"like", "not like"})  # of a user's name, though not of the user
_UNSURE = frozenset({"=", "!=", "is null", "is not null"})  # where only Zoho can tell
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_HINTS = {
    **dict.fromkeys(NUMBERS, "5000"),
    "date": "2026-03-31",
    "datetime": "2026-03-31",
    **dict.fromkeys(("lookup", "multi_module_lookup"), "name or id of the record"),
    **dict.fromkeys(USERS, "name of the user"),
}


@dataclass(slots=True)
class Condition:
    """A condition on one field.

    Parameters
    ----------
    name : str
        API name of the field.
    operator : str, default "="
        One of :data:`OPERATOR_WORDS`.
    values : tuple of str, default ()
        As they were typed or chosen.
    """

    name: str
    operator: str = "="
    values: tuple[str, ...] = ()


@dataclass(slots=True)
class Choice:
    """The choices that make a query.

    Parameters
    ----------
    module : str
        API name; empty before one is chosen.
    columns : list of str
        API names, in the order of the table to come.
    conditions : list of Condition
        Conditions on fields.
    where : str, default ""
        One more condition, in COQL, that always has to hold.
    view : str, default ""
        Id of the custom view to read; empty for the whole module.
    any_of : bool, default False
        Whether one of the conditions is enough.
    order_by : str, default ""
        API name of a field, or nothing.
    descending : bool, default False
        Largest first.
    limit : str, default "200"
        As it was typed; empty means every row.
    """

    module: str = ""
    columns: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    where: str = ""
    view: str = ""
    any_of: bool = False
    order_by: str = ""
    descending: bool = False
    limit: str = "200"


def offered(module: str, field_: Field) -> list[str]:
    """List the operators that COQL has for a field, in the order of the menu."""
    if not is_readable(module, field_) or field_["data_type"] in MULTI_LINE:
        return []  # Zoho may refuse a condition on text of several lines
    allowed = operators(field_)
    allowed = _UNSURE if allowed is None else allowed
    if allowed and type_of(field_) in USERS:
        allowed |= _BY_NAME
    return [each for each in OPERATOR_WORDS if each in allowed]


def sortable(module: str, fields: Mapping[str, Field]) -> list[str]:
    """List the fields that COQL can read, and so sort by."""
    return [name for name, each in fields.items() if is_readable(module, each)]


def values_of(field_: Field) -> list[str]:
    """List the values that a field can only have: a picklist's, or true and false."""
    kind = type_of(field_)
    if kind == "boolean":
        return ["true", "false"]
    choices = field_.get("pick_list_values") or [] if kind in PICKLISTS else []
    return [each["display_value"] for each in choices if each["display_value"] != "-None-"]


def value_count(operator: str) -> str:
    """Return how many values an operator takes: ``none``, ``one``, ``two`` or ``many``."""
    if operator.startswith("is "):
        return "none"
    if operator.endswith("between"):
        return "two"
    return "many" if operator in {"in", "not in"} else "one"


def hint(field_: Field, operator: str) -> str:
    """Show how a value is written."""
    if "like" in operator:
        return "%part%" if operator.startswith("not") else "begins%"
    example = _HINTS.get(type_of(field_), "a text")
    return f"{example}, and more with commas" if value_count(operator) == "many" else example


def query(choice: Choice, fields: Mapping[str, Field]) -> str:
    """Write the choices as COQL.

    Examples
    --------
    >>> from zcrm_nb.notebook.explorer.query import Choice, Condition, query
    >>> fields = {"Amount": {"api_name": "Amount", "data_type": "currency"}}
    >>> chosen = Choice("Deals", ["Amount"], [Condition("Amount", ">", ("5000",))])
    >>> print(query(chosen, fields))
    select Amount
    from Deals
    where Amount > 5000
    limit 200
    """
    if not choice.module or not choice.columns:
        return ""
    lines = [
        f"select {', '.join(map(written_name, choice.columns))}",
        f"from {choice.module}{choice.view and f'#{choice.view}'}",
        f"where {_where(choice, fields)}",
    ]
    if choice.order_by:
        lines.append(
            f"order by {written_name(choice.order_by)} {'desc' if choice.descending else 'asc'}"
        )
    if choice.limit.strip():
        lines.append(f"limit {choice.limit.strip()}")
    return "\n".join(lines)


def _where(choice: Choice, fields: Mapping[str, Field]) -> str:
    """Write the conditions, joined two at a time as COQL wants them."""
    criteria = [_criterion(each, fields[each.name]) for each in choice.conditions]
    chosen = _joined(criteria, "or" if choice.any_of else "and")
    return _joined(list(filter(None, [choice.where, chosen])), "and") or "id is not null"


def _joined(conditions: list[str], connector: str) -> str:
    """Join conditions in pairs of brackets."""
    if not conditions:
        return ""
    return reduce(lambda left, right: f"({left} {connector} {right})", conditions)


def _criterion(condition: Condition, field_: Field) -> str:
    """Write one condition."""
    name, operator = condition.name, condition.operator
    if value_count(operator) == "none":
        return where({name: None if operator == "is null" else ("!=", None)})
    typed = [_typed(each, field_) for each in condition.values if each.strip()]
    if len(typed) < (2 if value_count(operator) == "two" else 1):
        return f"{written_name(name)} {operator} {MISSING}"
    if value_count(operator) == "many":
        return where({name: (operator, typed)})
    return where({name: (operator, *typed)})


def _typed(text: str, field_: Field) -> str | Decimal:
    """Read a value: a number stays bare, as COQL wants it; the linter judges the rest."""
    if type_of(field_) not in NUMBERS or field_["api_name"] == "id":
        return text if type_of(field_) in {"text", "textarea", "picklist"} else text.strip()
    return Decimal(text.strip()) if _NUMBER.fullmatch(text.strip()) else text


def condition(module: str, text: str) -> str:
    """Write a condition so that it can be joined to others: in brackets, if it has parts.

    Examples
    --------
    >>> from zcrm_nb.notebook.explorer.query import condition
    >>> condition("Leads", "City = 'Pune' or City = 'Goa'")
    "(City = 'Pune' or City = 'Goa')"
    """
    query = examine(" ".join(("select id from", module, "where", text))).query
    if query is None:
        return text
    if query.order_by or query.group_by or query.limit is not None:
        raise ValueError(f"where={text!r} must be a condition alone; use order_by= and limit=.")
    return condition_text(query.where)


def code(text: str, crm: str = "crm") -> str:
    r"""Write the Python that runs a query.

    Examples
    --------
    >>> from zcrm_nb.notebook.explorer.query import code
    >>> print(code("select City\nfrom Leads").replace('"' * 3, "'''"))
    df = crm.coql('''
    select City
    from Leads
    ''')
    """
    return f"df = {crm}.coql({block(text)})" if text else ""
