"""COQL conditions as the criteria of bulk read jobs, which have a language of their own."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from zcrm_nb.coql.advice import explained
from zcrm_nb.coql.diagnostics import Finding, ParseError, found
from zcrm_nb.coql.fields import (
    LOOKUPS,
    NUMBERS,
    PICKLISTS,
    TEXTS,
    TIMES,
    AstrayError,
    resolve,
    type_of,
    value_problem,
    wrong_value,
)
from zcrm_nb.coql.repair import repair
from zcrm_nb.coql.text import condition_text
from zcrm_nb.coql.tree import (
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    Subquery,
    literals,
)
from zcrm_nb.coql.value_repair import ValueRepair
from zcrm_nb.errors import QueryError, caret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.coql.fields import Field, FieldsOf
    from zcrm_nb.coql.tree import Condition, Path
    from zcrm_nb.coql.value_repair import OrgFacts

    Criterion: TypeAlias = Comparison | Between | Membership | IsNull
    Json: TypeAlias = dict[str, Any]

__all__ = ["CRITERIA_LIMITS", "bulk_criteria"]

CRITERIA_LIMITS = {"criteria": 25, "in": 20, "text": 255}
"""The most of each in one bulk job. Of values in a list one page says 20, another 200: 20."""

EMPTY = "${EMPTY}"

_SAME = frozenset({"equal", "not_equal", "in", "not_in"})
_ORDER = {
    ">": "greater_than",
    ">=": "greater_equal",
    "<": "less_than",
    "<=": "less_equal",
}
_SIGNS = {"=": "equal", "!=": "not_equal", **_ORDER}
_PARTS = frozenset({"contains", "not_contains", "starts_with", "ends_with"})
_COMPARATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(TEXTS | PICKLISTS | {"string"}, _SAME | _PARTS),
    **dict.fromkeys(NUMBERS, _SAME | set(_ORDER.values())),
    **dict.fromkeys(TIMES, _SAME | set(_ORDER.values()) | {"between", "not_between"}),
    **dict.fromkeys(LOOKUPS, _SAME),
    "boolean": frozenset({"equal"}),
}
"""Comparators by type, from Zoho's page on bulk read jobs."""


def bulk_criteria(
    where: str | Condition,
    module: str,
    fields_of: FieldsOf,
    *,
    text: str = "",
    org: OrgFacts | None = None,
) -> dict[str, Any] | None:
    """Write a COQL condition as the ``criteria`` of a bulk read job.

    Notes
    -----
    With the facts of the ``org``, names of users and records, days and periods are read as in a
    query.

    No null is compared with: ``is null`` becomes ``equal`` ``${EMPTY}``. A list of more than 20
    values becomes several. ``between`` of numbers, which bulk read has for times only, becomes two
    comparisons. Values are of the field's type: numbers and booleans bare, ids and whole numbers of
    up to 19 digits as text, datetimes with seconds and offset.

    Whether ``!=``, ``not in`` and ``not like`` find empty values is documented for neither language
    (UNCONFIRMED); they are written as they are.

    References
    ----------
    Zoho CRM API V8, "Create Bulk Read Job":
    zoho.com/crm/developer/docs/api/v8/bulk-read/create-job.html

    Examples
    --------
    >>> from zcrm_nb.coql import bulk_criteria
    >>> fields = {"Leads": {"City": {"api_name": "City", "data_type": "text"}}}
    >>> bulk_criteria("City like 'New%'", "Leads", fields.get)
    {'field': {'api_name': 'City'}, 'comparator': 'starts_with', 'value': 'New'}
    >>> bulk_criteria("id is not null", "Leads", fields.get)
    """
    condition, text = _read(where, module, text)
    if org is not None:
        condition = ValueRepair(text, fields_of, org).condition(condition, module)
    criteria = _Writer(text, module, fields_of).written(condition)
    leaves = [] if criteria is None else list(_leaves(criteria))
    if len(leaves) > CRITERIA_LIMITS["criteria"]:
        problem = f"These are {len(leaves)} criteria; bulk read takes 25 in a job."
        raise _refusal(text, found(text, condition.at, problem, _BY_COQL))
    return criteria


_BY_COQL = "Use crm.coql(…), or leave it out here and filter the table in pandas."


def _read(where: str | Condition, module: str, text: str) -> tuple[Condition, str]:
    """Read a condition, or a tree's own text again, so that each part of it has a place."""
    if not isinstance(where, str):
        if text:
            return where, text
        where = condition_text(where)
    text = f"select id from {module} where {where}"  # noqa: S608 - COQL
    try:
        query, _ = repair(text)
    except ParseError as refused:
        raise _refusal(text, explained(refused, text)) from None
    if query.group_by or query.order_by or query.limit:
        problem = "A condition ends before GROUP BY, ORDER BY and LIMIT."
        raise _refusal(text, found(text, query.where.at, problem, "Leave those out."))
    return query.where, text


def _refusal(text: str, finding: Finding) -> QueryError:
    """Make the error that points at the place."""
    shown = [caret(text, finding.line, finding.column), finding.fix]
    error = QueryError(
        f"This was not sent. {finding.problem}", "", "\n".join(filter(None, shown)), code="COQL"
    )
    error.query, error.line, error.column = text, finding.line, finding.column
    error.findings = [finding]
    return error


def _leaves(criteria: Json) -> Iterator[Json]:
    """Yield the single criteria: what counts as one of Zoho's 25."""
    if "group" not in criteria:
        yield criteria
    for each in criteria.get("group", ()):
        yield from _leaves(each)


class _Writer:
    """A text, a module, and the metadata by which its conditions are written."""

    def __init__(self, text: str, module: str, fields_of: FieldsOf) -> None:
        self.text, self.module, self.fields_of = text, module, fields_of

    def refuse(self, at: int, problem: str, fix: str = _BY_COQL) -> NoReturn:
        """Refuse what has no counterpart."""
        raise _refusal(self.text, found(self.text, at, problem, fix))

    def written(self, condition: Condition) -> Json | None:
        """Write a condition; ``None`` is one that every record fulfils."""
        if not isinstance(condition, Logic):
            return self.criterion(condition)
        sides = [self.written(condition.left), self.written(condition.right)]
        written = [side for side in sides if side is not None]
        if len(written) == 2:
            return _group(condition.operator, written)
        return written[0] if written and condition.operator == "and" else None

    def criterion(self, criterion: Criterion) -> Json | None:
        """Write one criterion by its kind."""
        path = criterion.path
        if isinstance(criterion, IsNull) and criterion.negated and path.text == "id":
            return None
        for subquery in _subqueries(criterion):
            self.refuse(subquery.at, "Bulk read has no inner queries.")
        field, values = self.field(path), literals(criterion)
        match criterion:
            case Comparison(operator="like" | "not like"):
                return self.pattern(criterion, field, values[0])
            case Between():
                return self.between(criterion, field)
            case Membership():
                return self.membership(criterion, field)
            case IsNull(negated=negated):
                return self.leaf(path, field, "not_equal" if negated else "equal", EMPTY)
        return self.leaf(path, field, _SIGNS[criterion.operator], self.value(field, values[0]))

    def field(self, path: Path) -> Field:
        """Find the field of a path that bulk read can walk."""
        if any(step.module for step in path.steps):
            self.refuse(path.at, f"Bulk read has no arrow, as in {path.text}.")
        try:
            return resolve(path, self.module, self.fields_of)
        except AstrayError as astray:
            self.refuse(path.at, astray.problem, astray.fix)

    def leaf(self, path: Path, field: Field, comparator: str, value: object) -> Json:
        """Write one leaf, if the type of the field has this comparator."""
        kind = type_of(field)
        known = _COMPARATORS.get(kind, frozenset())
        # A boolean formula can be compared with nothing, by the one comparator it has.
        if comparator not in known and not (value == EMPTY and known and comparator == "equal"):
            names = ", ".join(sorted(known)) or "nothing"
            problem = f"Bulk read compares {path.text}, of type {kind}, by {names} only."
            self.refuse(path.at, problem)
        return {"field": {"api_name": path.text}, "comparator": comparator, "value": value}

    def pattern(self, criterion: Comparison, field: Field, literal: Literal) -> Json:
        """Write LIKE as the word for where its ``%`` stand."""
        pattern, negated = str(literal.value), criterion.operator == "not like"
        middle, path = pattern.strip("%"), criterion.path
        word = _WORDS[pattern.startswith("%"), pattern.endswith("%")]
        if "%" in middle or (negated and word != "contains"):
            self.refuse(literal.at, f"Bulk read has no comparator for the pattern {pattern!r}.")
        if pattern and not middle:
            return self.leaf(path, field, "equal" if negated else "not_equal", EMPTY)
        value = self.value(field, Literal(middle, at=literal.at))
        return self.leaf(path, field, f"not_{word}" if negated else word, value)

    def between(self, criterion: Between, field: Field) -> Json:
        """Write BETWEEN, of numbers as two comparisons."""
        low, high = (self.value(field, each) for each in (criterion.low, criterion.high))
        path, negated = criterion.path, criterion.negated
        if type_of(field) not in NUMBERS:
            word = "not_between" if negated else "between"
            return self.leaf(path, field, word, [low, high])
        first, second = (
            ("less_than", "greater_than") if negated else ("greater_equal", "less_equal")
        )
        sides = [self.leaf(path, field, first, low), self.leaf(path, field, second, high)]
        return _group("or" if negated else "and", sides)

    def membership(self, criterion: Membership, field: Field) -> Json:
        """Write IN; a long list as several."""
        values = [self.value(field, each) for each in literals(criterion)]
        word, size = "not_in" if criterion.negated else "in", CRITERIA_LIMITS["in"]
        lists = [values[start : start + size] for start in range(0, len(values), size)]
        leaves = [self.leaf(criterion.path, field, word, each) for each in lists]
        return (
            leaves[0] if len(leaves) == 1 else _group("and" if criterion.negated else "or", leaves)
        )

    def value(self, field: Field, literal: Literal) -> object:
        """Write a value as the type of its field needs."""
        kind, value = type_of(field), literal.value
        wrong = wrong_value(value, field)
        if wrong:
            self.refuse(literal.at, value_problem(field["api_name"], kind, value), wrong.fix)
        if kind == "boolean":
            return str(value).lower() == "true"
        if kind in NUMBERS:
            return str(value) if kind in {"bigint", "long"} else _number(value)
        if kind in TIMES - {"date"}:
            return datetime.fromisoformat(str(value)).isoformat(timespec="seconds")
        words = str(value).lower() if isinstance(value, bool) else str(value)
        if len(words) > CRITERIA_LIMITS["text"]:
            self.refuse(literal.at, "Bulk read compares with at most 255 characters.")
        return words


_WORDS = {
    (True, True): "contains",
    (False, True): "starts_with",
    (True, False): "ends_with",
    (False, False): "equal",
}


def _subqueries(criterion: Criterion) -> list[Subquery]:
    """List the query in brackets that a criterion compares with, if there is one."""
    values = getattr(criterion, "value", None), getattr(criterion, "values", None)
    return [each for each in values if isinstance(each, Subquery)]


def _number(value: object) -> int | float:
    """Read a number, whole if it is written so."""
    number = Decimal(str(value))
    return int(number) if number == number.to_integral_value() else float(number)


def _group(operator: str, members: list[Json]) -> Json:
    """Join criteria; members joined by the same word join the group themselves."""
    flat: list[Json] = []
    for each in members:
        flat += each["group"] if each.get("group_operator") == operator else [each]
    return {"group_operator": operator, "group": flat}
