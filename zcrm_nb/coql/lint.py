"""The linter: what Zoho would say to a query, said beforehand and in plain words."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from zcrm_nb.coql.diagnostics import Finding, ParseError, explained, found
from zcrm_nb.coql.fields import (
    NUMBERS,
    OPERATORS,
    PICKLISTS,
    USERS,
    AstrayError,
    is_readable,
    operators,
    resolve,
    type_of,
    wrong_value,
)
from zcrm_nb.coql.paging import LIMITS
from zcrm_nb.coql.repair import repair
from zcrm_nb.coql.tree import (
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Literal,
    Membership,
    criteria,
    is_aggregate,
    literals,
    path_of,
    subqueries,
)
from zcrm_nb.errors import by_label, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from zcrm_nb.coql.fields import FieldsOf
    from zcrm_nb.coql.tree import Path, Query

    Criterion: TypeAlias = Comparison | Between | Membership | IsNull
    Field: TypeAlias = Mapping[str, Any]
    ModulesOf: TypeAlias = Callable[[], Collection[str]]

__all__ = ["Examined", "examine", "lint"]


class Examined(NamedTuple):
    """A query that was read, and what is to be said about it; no tree where it means nothing."""

    query: Query | None
    findings: list[Finding]


def lint(
    text: str, fields_of: FieldsOf | None = None, modules: ModulesOf | None = None
) -> list[Finding]:
    """Tell what Zoho would say to a query, before it is sent.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> from zcrm_nb.coql import lint
    >>> for finding in lint("select Stage, count(id) from Deals"):
    ...     print(finding)
    line 1, column 8: Stage stands beside an aggregate, but not in GROUP BY. Add: group by Stage
    line 1, column 15: COQL knows COUNT in upper case only. Written as COUNT.
    line 1, column 35: COQL wants a WHERE in every query. Written as: where id is not null
    """
    return examine(text, fields_of, modules).findings


def examine(
    text: str, fields_of: FieldsOf | None = None, modules: ModulesOf | None = None
) -> Examined:
    """Read a query as :func:`zcrm_nb.coql.repair` does, and :func:`lint` it."""
    linter = _Linter(text, fields_of, modules)
    try:
        query, changes = repair(text, linter.fields if fields_of else None)
    except ParseError as refusal:
        return Examined(None, [explained(refusal, text)])
    linter.look_at(query)
    findings = sorted([*changes, *linter.findings], key=lambda each: (each.line, each.column))
    return Examined(query, findings)


class _Linter:
    """A text, the org's metadata, and what was found so far."""

    def __init__(self, text: str, fields_of: FieldsOf | None, modules: ModulesOf | None) -> None:
        self.text, self.fields_of, self.modules_of = text, fields_of, modules
        self.findings: list[Finding] = []
        self._known: dict[str, Mapping[str, dict[str, Any]]] = {}

    @cached_property
    def modules(self) -> Collection[str]:
        """The org's modules, asked for when the text is known to be a query."""
        return self.modules_of() if self.modules_of else ()

    def say(self, at: int, problem: str, fix: str = "", **facts: Any) -> None:
        """Write a finding down."""
        self.findings.append(found(self.text, at, problem, fix, **facts))

    def fields(self, module: str) -> Mapping[str, dict[str, Any]]:
        """Return a module's fields, asked for once; none of a module that is not there."""
        if module not in self._known:
            there = not self.modules or module in self.modules
            self._known[module] = self.fields_of(module) if there and self.fields_of else {}
        return self._known[module]

    def look_at(self, query: Query) -> None:
        """Look at a whole query and at the queries within it."""
        self.rows(query)
        for each in (query, *(subquery.query for subquery in subqueries(query))):
            self.groups(each)
            if self.is_known(each):
                self.columns(each)
                for criterion in criteria(each.where):
                    self.criterion(each, criterion)

    def rows(self, query: Query) -> None:
        """Note a LIMIT that one call cannot give; it is the last clause of the text."""
        most = LIMITS["limit"]
        if query.limit is not None and query.limit > most:
            at = self.text.lower().rfind("limit")
            problem = f"Zoho gives at most {most:,} rows a call."
            fix = f"Fetched in pages of {most:,}."
            self.say(at, problem, fix, severity="repaired", code="LIMIT_EXCEEDED")

    def is_known(self, query: Query) -> bool:
        """Refuse a module that the org does not have."""
        if not self.modules or query.module in {*self.modules, USERS}:
            return True
        problem = f"There is no module {query.module!r} in this org."
        hint = by_label(query.module, self.modules) or "crm.modules() lists the modules."
        message = "the given module is not supported in api"
        self.say(query.module_at, problem, hint, code="INVALID_MODULE", message=message)
        return False

    # --- columns --------------------------------------------------------------------------------

    def groups(self, query: Query) -> None:
        """Refuse a plain column beside groups."""
        if not is_aggregate(query):
            return
        named = {each.text for each in query.group_by}
        for each in (column.expression for column in query.columns):
            if not isinstance(each, Aggregate) and each.text not in named:
                problem = f"{each.text} stands beside an aggregate, but not in GROUP BY."
                self.ungrouped(each, problem)
        named |= {column.key for column in query.columns}
        for each in (order.key for order in query.order_by):
            if not isinstance(each, Aggregate) and each.text not in named:
                self.ungrouped(each, f"Groups have no {each.text} to be sorted by.")

    def ungrouped(self, path: Path, problem: str) -> None:
        """Refuse one column that has no single value in a group."""
        details = {"reason": "column not in group by", "column_name": path.text}
        self.say(path.at, problem, f"Add: group by {path.text}", **_invalid_query(details))

    def columns(self, query: Query) -> None:
        """Refuse what cannot be selected, grouped or sorted by."""
        for column in query.columns:
            field = self.field(query, path_of(column.expression))
            if field is not None and isinstance(column.expression, Aggregate):
                self.aggregate(column.expression, field)
        aliases = {column.alias for column in query.columns}
        for key in (*query.group_by, *(order.key for order in query.order_by)):
            if key.text not in aliases:
                self.field(query, path_of(key))

    def field(self, query: Query, path: Path) -> Field | None:
        """Find the field of a path; what is not there, or cannot be read, is refused."""
        if self.fields_of is None:
            return None
        try:
            field = resolve(path, query.module, self.fields, self.modules)
        except AstrayError as astray:
            facts = {"column_name": path.text}
            message = "column given seems to be invalid"
            is_alias = path.text in {column.alias for column in query.columns}
            fix = "An alias stands in SELECT and ORDER BY only." if is_alias else astray.fix
            self.say(path.at, astray.problem, fix, **_invalid_query(facts, message))
            return None
        if not is_readable(query.module if len(path.steps) == 1 else "", field):
            problem = f"COQL cannot read {path.text}, which is of type {field['data_type']}."
            facts = {"column_name": path.text}
            self.say(
                path.at, problem, _way_to(field), **_invalid_query(facts, "unsupported column")
            )
            return None
        return field

    def aggregate(self, aggregate: Aggregate, field: Field) -> None:
        """Refuse a sum of what is no number."""
        kind = type_of(field)
        if aggregate.function in {"SUM", "AVG"} and kind in OPERATORS.keys() - NUMBERS:
            problem = (
                f"{aggregate.function} wants numbers, and {aggregate.path.text} is {_a(kind)}."
            )
            details = {"reason": "unsupported aggregate function", "column": aggregate.text}
            facts = {"code": "INVALID_DATA", "message": "invalid data", "details": details}
            self.say(aggregate.at, problem, "COUNT takes any field.", **facts)

    # --- criteria -------------------------------------------------------------------------------

    def criterion(self, query: Query, criterion: Criterion) -> None:
        """Refuse an operator or a value that does not fit the field."""
        path, operator = criterion.path, _operator(criterion)
        field = self.field(query, path)
        if operator == "not like":
            self.pattern(path, literals(criterion)[0])
        if field is None:
            return
        allowed = operators(field)
        if allowed is not None and operator not in allowed:
            self.operator(path, operator, allowed, type_of(field))
            return
        for literal in literals(criterion):
            self.value(path, field, literal)
        if type_of(field) in PICKLISTS and "like" not in operator:
            self.choices(field, literals(criterion))

    def operator(self, path: Path, operator: str, allowed: frozenset[str], kind: str) -> None:
        """Refuse an operator."""
        if not allowed:
            problem = f"{path.text} can be selected, but not asked for."
            facts = _invalid_query({"column_name": path.text}, "unsupported column in criteria")
            self.say(path.at, problem, "Select it, and filter the table in pandas.", **facts)
            return
        problem = f"{path.text} is {_a(kind)}, and {operator} does not fit that."
        reason = {"reason": "invalid operator found", "column_name": path.text}
        facts = _invalid_query({**reason, "operator": operator})
        self.say(path.at, problem, f"There is {', '.join(sorted(allowed))}.", **facts)

    def pattern(self, path: Path, literal: Literal) -> None:
        """Refuse NOT LIKE with a pattern that is not open at both ends."""
        pattern = str(literal.value)
        if not (pattern.startswith("%") and pattern.endswith("%") and pattern != "%"):
            middle = pattern.strip("%")
            details = {"column_name": path.text, "reason": "not like needs % at both ends"}
            problem = "NOT LIKE works only with % at both ends."
            self.say(
                literal.at, problem, f"Write: not like '%{middle}%'", **_invalid_value(details)
            )

    def value(self, path: Path, field: Field, literal: Literal) -> None:
        """Refuse a value that the type does not have."""
        kind = type_of(field)
        fix = wrong_value(literal.value, field)
        if fix:
            problem = f"{path.text} is {_a(kind)}, and {literal.value!r} is none."
            details = {"column_name": path.text, "expected_data_type": kind}
            self.say(literal.at, problem, fix, **_invalid_value(details))

    def choices(self, field: Field, values: tuple[Literal, ...]) -> None:
        """Warn of values that the picklist does not have: records may, from other times."""
        choices = field.get("pick_list_values") or ()
        known = {each[key] for each in choices for key in ("display_value", "actual_value")}
        folded = {name.casefold() for name in known}
        for literal in values if known else ():
            for value in str(literal.value).split(";"):
                if value.casefold() not in folded:
                    problem = f"{field['api_name']} has no value {value!r}."
                    fix = did_you_mean(value, known)
                    self.say(literal.at, problem, fix, severity="warning")


def _operator(criterion: Criterion) -> str:
    """Spell the operator of a criterion as the grammar does."""
    match criterion:
        case Comparison(operator=operator):
            return operator
        case IsNull(negated=negated):
            return "is not null" if negated else "is null"
        case Between(negated=negated):
            return "not between" if negated else "between"
        case _:
            return "not in" if criterion.negated else "in"


def _invalid_query(
    details: dict[str, Any], message: str = "Invalid query formed"
) -> dict[str, Any]:
    """Word what Zoho would say to a query that cannot be."""
    return {"code": "INVALID_QUERY", "message": message, "details": details}


def _invalid_value(details: dict[str, Any]) -> dict[str, Any]:
    """Word what Zoho would say to a value."""
    return _invalid_query(details, "value given seems to be invalid for the column")


def _a(kind: str) -> str:
    """Put an article before the name of a type."""
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _way_to(field: Field) -> str:
    """Tell how else a field can be read."""
    subform = (field.get("subform") or {}).get("module")
    linking = (field.get(field["data_type"]) or {}).get("linking_details") if not subform else None
    module = subform or ((linking or {}).get("module") or {}).get("api_name")
    if module:
        return f"Its rows are records of {module}: ask for those."
    return "crm.record(module, id) brings it."
