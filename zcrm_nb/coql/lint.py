"""The linter: what Zoho would answer to a query, before it is sent and in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from zcrm_nb.coql.advice import explained
from zcrm_nb.coql.diagnostics import (
    Finding,
    ParseError,
    found,
    invalid_query,
    invalid_value,
)
from zcrm_nb.coql.fields import (
    LOOKUPS,
    MULTI_LINE,
    PICKLISTS,
    TEXTS,
    TIMES,
    USER_LOOKUPS,
    USERS,
    AstrayError,
    aggregates_field,
    by_name,
    first_and_last,
    is_readable,
    is_sortable,
    near_names,
    operators,
    other_way,
    question,
    resolve,
    type_of,
    value_problem,
    wrong_value,
)
from zcrm_nb.coql.grammar import tokens
from zcrm_nb.coql.repair import as_sql, repair
from zcrm_nb.coql.text import cleaned, quoted, written_name
from zcrm_nb.coql.tree import (
    LIMITS,
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Literal,
    Membership,
    Path,
    conjunctions,
    criteria,
    is_aggregate,
    literals,
    operator_of,
    path_of,
    subqueries,
)
from zcrm_nb.coql.value_repair import ValueRepair, unknown_users
from zcrm_nb.errors import LABELS, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import tzinfo

    from zcrm_nb.coql.diagnostics import Edit
    from zcrm_nb.coql.fields import FieldsOf
    from zcrm_nb.coql.grammar import Lexeme
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.coql.value_repair import OrgFacts

    Criterion: TypeAlias = Comparison | Between | Membership | IsNull
    from zcrm_nb.coql.fields import Field

    ModulesOf: TypeAlias = Callable[[], Collection[str]]
    ZoneOf: TypeAlias = Callable[[], str | None]

__all__ = ["Examined", "examine", "lint"]


class Examined(NamedTuple):
    """A query that was read, and the findings about it; no tree where it could not be read."""

    query: Query | None
    findings: list[Finding]


def lint(
    text: str,
    fields_of: FieldsOf | None = None,
    modules: ModulesOf | None = None,
    zone: ZoneOf | None = None,
    org: OrgFacts | None = None,
) -> list[Finding]:
    """Find what Zoho would answer to a query, before it is sent.

    Examples
    --------
    >>> from zcrm_nb.coql import lint
    >>> for finding in lint("select count(id) from Deals"):
    ...     print(finding)
    line 1, column 8: COQL knows COUNT only in upper case. Written as COUNT.
    line 1, column 28: COQL needs a WHERE in every query. Written as: where id is not null
    """
    return examine(text, fields_of, modules, zone, org).findings


def examine(
    text: str,
    fields_of: FieldsOf | None = None,
    modules: ModulesOf | None = None,
    zone: ZoneOf | None = None,
    org: OrgFacts | None = None,
) -> Examined:
    """Read a query as :func:`zcrm_nb.coql.repair` does, and :func:`lint` it in the org's zone.

    With the facts of the ``org``, names of users and records, days and periods are repaired too.
    """
    linter = _Linter(text, fields_of, modules, zone, org)
    try:
        query, changes = repair(text, linter.fields if fields_of else None)
    except ParseError as refusal:
        finding = explained(refusal, text)
        if refusal.details.get("near") == "where" and not finding.corrected:
            finding = replace(finding, corrected=as_sql(text))
        return Examined(None, [finding])
    if fields_of and org:
        values = ValueRepair(text, linter.fields, org, linter.modules)
        query = values.query(query)
        changes = [*changes, *values.changes]
    linter.check(query)
    findings = sorted(
        [*changes, *linter.findings], key=lambda finding: (finding.line, finding.column)
    )
    return Examined(query, findings)


class _Linter:
    """A text, the org's metadata, and the findings so far."""

    def __init__(
        self,
        text: str,
        fields_of: FieldsOf | None,
        modules: ModulesOf | None,
        zone: ZoneOf | None,
        org: OrgFacts | None,
    ) -> None:
        self.text, self.fields_of, self.modules_of, self.zone_of = text, fields_of, modules, zone
        self.org = org
        self.findings: list[Finding] = []
        self.long_paths: set[int] = set()
        self._fields: dict[str, Mapping[str, Field]] = {}

    @cached_property
    def modules(self) -> Collection[str]:
        """The org's modules, read when the text turns out to be a query."""
        return self.modules_of() if self.modules_of else ()

    @cached_property
    def zone(self) -> tzinfo:
        """The org's time zone, read when advice needs it."""
        with suppress(ValueError, ZoneInfoNotFoundError):
            return ZoneInfo((self.zone_of and self.zone_of()) or "UTC")
        return UTC

    @cached_property
    def tokens(self) -> dict[int, Lexeme]:
        """The tokens of the text by their positions."""
        return {token.at: token for token in tokens(cleaned(self.text)[0])}

    def add(
        self, at: int, problem: str, fix: str = "", edits: Iterable[Edit] = (), **facts: Any
    ) -> None:
        """Add a finding."""
        self.findings.append(found(self.text, at, problem, fix, edits, **facts))

    def swap(self, at: int, new: str) -> list[Edit]:
        """Write something in the place of the token at a position."""
        token = self.tokens.get(at)
        return [(at, at + len(token.text), new)] if token else []

    def swap_path(self, path: Path, new: str) -> list[Edit]:
        """Write another name in the place of a path, quoted where it has to be."""
        root = f"!{path.root}." if path.root else ""
        return self.swap(path.at, written_name(root + new))

    def fields(self, module: str) -> Mapping[str, Field]:
        """Return a module's fields, read once; none of a module that the org does not have."""
        if module not in self._fields:
            exists = not self.modules or module in self.modules
            self._fields[module] = self.fields_of(module) if exists and self.fields_of else {}
        return self._fields[module]

    def check(self, query: Query) -> None:
        """Check a whole query and the queries within it."""
        self.rows(query)
        for part in (query, *(subquery.query for subquery in subqueries(query))):
            self.groups(part)
            if self.has_module(part):
                self.columns(part)
                for criterion in criteria(part.where):
                    self.criterion(part, criterion)
                self.ranges(part)

    def rows(self, query: Query) -> None:
        """Note a LIMIT that one call cannot give; it is the last clause of the text."""
        most = LIMITS["limit"]
        if query.limit is not None and query.limit > most:
            at = self.text.lower().rfind("limit")
            problem = f"Zoho returns at most {most:,} rows a call."
            fix = f"Fetched in pages of {most:,}."
            self.add(at, problem, fix, severity="repaired", code="LIMIT_EXCEEDED")

    def has_module(self, query: Query) -> bool:
        """Refuse a module that the org does not have."""
        if not self.modules or query.module in {*self.modules, USERS}:
            return True
        problem = f"This org has no module {query.module!r}."
        names = near_names(query.module, self.module_names())
        fix = question(names) or "crm.modules() lists the modules."
        edits = self.swap(query.module_at, names[0]) if names else []
        message = "the given module is not supported in api"
        self.add(query.module_at, problem, fix, edits, code="INVALID_MODULE", message=message)
        return False

    def module_names(self) -> dict[str, str]:
        """List API names of the modules by what people call them."""
        names = {name: name for name in (*self.modules, USERS)}
        labels = self.modules.values() if isinstance(self.modules, Mapping) else ()
        for module in labels:
            for key in LABELS:
                if isinstance(label := module.get(key), str):
                    names.setdefault(label, module["api_name"])
        return names

    # --- columns --------------------------------------------------------------------------------

    def groups(self, query: Query) -> None:
        """Refuse a plain column beside groups."""
        if not is_aggregate(query):
            return
        names = {path.text for path in query.group_by}
        for expression in (column.expression for column in query.columns):
            if not isinstance(expression, Aggregate) and expression.text not in names:
                problem = f"{expression.text} is selected beside an aggregate, but not grouped by."
                self.ungrouped(query, expression, problem)
        names |= {column.key for column in query.columns}
        for key in (order.key for order in query.order_by):
            if not isinstance(key, Aggregate) and key.text not in names:
                self.ungrouped(query, key, f"Groups have no {key.text} to be sorted by.")

    def ungrouped(self, query: Query, path: Path, problem: str) -> None:
        """Refuse one column that has no single value in a group."""
        details = {"reason": "column not in group by", "column_name": path.text}
        edits = self.grouped_by(query, path)
        self.add(path.at, problem, f"Add: group by {path.text}", edits, **invalid_query(details))

    def grouped_by(self, query: Query, path: Path) -> list[Edit]:
        """Add a path to GROUP BY, which comes before ORDER BY and LIMIT."""
        if query.group_by:
            last = self.tokens.get(query.group_by[-1].at)
            return [(at := last.at + len(last.text), at, f", {path.text}")] if last else []
        behind = {at: each for at, each in self.tokens.items() if at > query.where.at}
        later = [at for at, each in behind.items() if each.word in {"order", "limit"}]
        at = len(self.text[: later[0]].rstrip()) if later else len(self.text.rstrip().rstrip(";"))
        inner = any(token.text == ")" for token in behind.values())
        return [] if inner and query.at else [(at, at, f" group by {path.text}")]

    def columns(self, query: Query) -> None:
        """Refuse what cannot be selected, grouped or sorted by."""
        for column in query.columns:
            field = self.field(query, path_of(column.expression))
            if field is not None and isinstance(column.expression, Aggregate):
                self.aggregate(column.expression, field)
        aliases = {column.alias for column in query.columns}
        keys = [order.key for order in query.order_by if order.key.text not in aliases]
        for key in (*query.group_by, *keys):
            field = self.field(query, path_of(key))
            if field is not None and isinstance(key, Path) and not is_sortable(field):
                problem = f"COQL cannot sort or group by {key.text}."
                facts = invalid_query({"column_name": key.text}, "unsupported column")
                self.add(key.at, problem, "Sort the table in pandas.", **facts)

    def field(self, query: Query, path: Path) -> Field | None:
        """Find the field of a path; one that is unknown, or cannot be read, is refused."""
        if self.fields_of is None:
            return None
        try:
            field = resolve(path, query.module, self.fields, self.modules)
        except AstrayError as astray:
            self.unknown(query, path, astray)
            return None
        if not is_readable(query.module if len(path.steps) == 1 else "", field):
            problem = f"COQL cannot read {path.text}, which is of type {field['data_type']}."
            details = {"column_name": path.text}
            facts = invalid_query(details, "unsupported column")
            self.add(path.at, problem, other_way(field), **facts)
            return None
        return field if self.has_few_hops(path) else None

    def has_few_hops(self, path: Path) -> bool:
        """Refuse a path along too many lookups; warn of one that is longer than the pages show."""
        names = [step.name for step in path.steps]
        hops = len(names) - 1 - 2 * (names[-2:] == ["module", "api_name"])
        if hops > LIMITS["join"]:
            problem = f"{path.text} follows {hops} lookups; Zoho takes {LIMITS['join']}."
            details = {"limit": LIMITS["join"], "clause": "join"}
            facts = {"code": "LIMIT_EXCEEDED", "message": "limit exceeded", "details": details}
            self.add(
                path.at, problem, "Query the module in between, and join in pandas.", (), **facts
            )
        elif hops > DOCUMENTED_HOPS and path.at not in self.long_paths:
            self.long_paths.add(path.at)
            problem = f"{path.text} follows {hops} lookups; Zoho's pages show two."
            fix = "If Zoho refuses it, query the module in between and join in pandas."
            self.add(path.at, problem, fix, severity="warning")
        return hops <= LIMITS["join"]

    def unknown(self, query: Query, path: Path, astray: AstrayError) -> None:
        """Refuse a name that is not in the metadata, and suggest the nearest."""
        facts = invalid_query({"column_name": path.text}, "column given seems to be invalid")
        real = {column.alias: column.expression for column in query.columns}.get(path.text)
        if isinstance(real, Aggregate):
            fix = "An alias works in ORDER BY only. Filter the groups in pandas: df[df[…] > 5]"
            self.add(path.at, astray.problem, fix, **facts)
        elif real is not None:
            fix = f"An alias works in SELECT and ORDER BY only. Write: {real.text}"
            self.add(path.at, astray.problem, fix, self.swap_path(path, real.text), **facts)
        else:
            edits = self.swap_path(path, astray.path) if astray.path else []
            self.add(path.at, astray.problem, astray.fix, edits, **facts)

    def aggregate(self, aggregate: Aggregate, field: Field) -> None:
        """Refuse a sum of what is not a number."""
        if aggregates_field(aggregate.function, field):
            return
        name = aggregate.path.text
        problem = f"{aggregate.function} needs numbers{_OR_DATES.get(aggregate.function, '')}; "
        problem += f"{name} is of type {type_of(field)}."
        details = {"reason": "unsupported aggregate function", "column": aggregate.text}
        facts = {"code": "INVALID_DATA", "message": "invalid data", "details": details}
        fix = f"Count it, COUNT({name}), or select it and go on in pandas."
        self.add(aggregate.at, problem, fix, (), **facts)

    # --- criteria -------------------------------------------------------------------------------

    def criterion(self, query: Query, criterion: Criterion) -> None:
        """Refuse an operator or a value that does not fit the field."""
        path, operator = criterion.path, operator_of(criterion)
        field = self.field(query, path)
        if operator == "not like":
            self.pattern(path, literals(criterion)[0])
        if field is None:
            return
        allowed = operators(field)
        if allowed is not None and operator not in allowed:
            self.operator(criterion, operator, allowed, field)
            return
        if not self.values(criterion, field):
            return
        if type_of(field) in PICKLISTS and "like" not in operator:
            self.choices(field, literals(criterion))
        elif type_of(field) in TEXTS or type_of(field) in PICKLISTS:
            self.text_values(criterion, field)

    def operator(
        self, criterion: Criterion, operator: str, allowed: frozenset[str], field: Field
    ) -> None:
        """Refuse an operator."""
        path, kind = criterion.path, type_of(field)
        if not allowed:
            problem = f"{path.text} can be selected, but not used in a condition."
            facts = invalid_query({"column_name": path.text}, "unsupported column in criteria")
            self.add(path.at, problem, "Select it, and filter the table in pandas.", **facts)
            return
        problem = f"{operator.upper()} does not work with {path.text}, which is of type {kind}."
        fix, edits = self.other_operator(criterion, operator, allowed, field)
        details = {
            "reason": "invalid operator found",
            "column_name": path.text,
            "operator": operator,
        }
        self.add(self.operator_at(path), problem, fix, edits, **invalid_query(details))

    def other_operator(
        self, criterion: Criterion, operator: str, allowed: frozenset[str], field: Field
    ) -> tuple[str, list[Edit]]:
        """Say how the same condition is written with an operator that the type has."""
        path, values = criterion.path, literals(criterion)
        value = str(values[0].value) if values else ""
        if "like" in operator and type_of(field) in LOOKUPS:
            return self.compared_by_name(path, field, [value]) or ("Compare ids with =.", [])
        if operator == "!=" and type_of(field) == "boolean":
            right = "false" if value.lower() == "true" else "true"
            at = self.operator_at(path)
            edits = [*self.swap(at, "="), *self.swap(values[0].at, f"'{right}'")]
            return f"Write: {path.text} = '{right}'", edits
        month = _MONTH_PATTERN.fullmatch(value)
        if operator == "like" and month and "between" in allowed:
            first, last = first_and_last(int(month[1]), int(month[2] or 0))
            right = f"between '{first}' and '{last}'"
            edits = [*self.swap(self.operator_at(path), right), *self.cut(values[0].at)]
            return f"Write: {path.text} {right}", edits
        return f"It works with {', '.join(sorted(allowed))}.", []

    def operator_at(self, path: Path) -> int:
        """Find the operator behind a path."""
        return next((at for at in self.tokens if at > path.at), path.at)

    def cut(self, at: int) -> list[Edit]:
        """Leave out a token and the blank before it."""
        return [(at - 1, at + len(self.tokens[at].text), "")] if at in self.tokens else []

    def pattern(self, path: Path, literal: Literal) -> None:
        """Refuse NOT LIKE with a pattern that is not open at both ends."""
        pattern = str(literal.value)
        if not (pattern.startswith("%") and pattern.endswith("%") and pattern != "%"):
            right = quoted(f"%{pattern.strip('%')}%")
            details = {"column_name": path.text, "reason": "not like needs % at both ends"}
            problem = "NOT LIKE works only with % at both ends."
            edits = self.swap(literal.at, right)
            fix = f"Write: not like {right}"
            self.add(literal.at, problem, fix, edits, **invalid_value(details))

    def values(self, criterion: Criterion, field: Field) -> bool:
        """Refuse values that the type does not have; return whether all are right."""
        path, kind = criterion.path, type_of(field)
        if kind in LOOKUPS:
            return self.ids(criterion, field)
        wrong = [
            (literal, wrong_value(literal.value, field, lambda: self.zone))
            for literal in literals(criterion)
        ]
        for literal, advice in wrong:
            if advice is None:
                continue
            problem = value_problem(path.text, kind, literal.value)
            details = {"column_name": path.text, "expected_data_type": kind}
            edits = self.swap(literal.at, advice.right) if advice.right else []
            self.add(literal.at, problem, advice.fix, edits, **invalid_value(details))
        return not any(advice for _, advice in wrong)

    def ids(self, criterion: Criterion, field: Field) -> bool:
        """Refuse a lookup that is compared with something else than an id, once."""
        path, values = criterion.path, literals(criterion)
        wrong = [literal for literal in values if wrong_value(literal.value, field)]
        if not wrong:
            return True
        edits: list[Edit] = []
        fix = f"Compare ids in quotes: {path.text} = '410…'"
        if len(wrong) == len(values):  # else ids are among the names
            names = [str(literal.value) for literal in wrong]
            fix, edits = self.compared_by_name(path, field, names) or (fix, edits)
        problem = value_problem(path.text, type_of(field), wrong[0].value)
        details = {"column_name": path.text, "expected_data_type": "bigint"}
        self.add(wrong[0].at, problem, fix, edits, **invalid_value(details))
        return False

    def compared_by_name(
        self, path: Path, field: Field, values: list[str]
    ) -> tuple[str, list[Edit]] | None:
        """Follow a lookup to the name that values were compared with."""
        if type_of(field) in USER_LOOKUPS and self.org and (users := self.org.users()):
            name, hint = unknown_users(values, users)
            return f"This org has no user {name!r}. {hint}", []
        names = {""}
        with suppress(NotFoundError):  # of a module that the API does not describe
            names = {by_name(field, value, self.fields) for value in values}
        if len(names) > 1:
            return f"Compare full names only: {path.text}.full_name in ('Asha Rao', …)", []
        if not (name := names.pop()):
            return None
        longer, at = f"{path.text}.{name}", self.operator_at(path)
        sign = self.tokens[at].word if at in self.tokens else "="
        if name != "Full_Name" or "like" in sign:
            shown = quoted(values[0]) if sign not in {"in", "not"} else "…"
            return f"Write: {longer} {sign} {shown}", self.swap_path(path, longer)
        if sign not in _WITH_SALUTATION:
            return f"Compare ids, or one name: {longer} like {quoted(f'%{values[0]}')}", []
        operator, pattern = _WITH_SALUTATION[sign]
        right = quoted(pattern.format(values[0]))
        edits = [*self.swap_path(path, longer), *self.swap(at, operator)]
        edits += self.swap(self.operator_at(replace(path, at=at)), right)
        return f"Write: {longer} {operator} {right}", edits

    def text_values(self, criterion: Criterion, field: Field) -> None:
        """Warn of texts that Zoho takes, but that find something else than was meant."""
        path, operator = criterion.path, operator_of(criterion)
        if field["data_type"] in MULTI_LINE:
            problem = f"Zoho may refuse a condition on {path.text}, which holds several lines."
            fix = "If it does, select it and filter the table in pandas."
            self.add(path.at, problem, fix, severity="warning")
        for literal in literals(criterion)[:1]:
            text = str(literal.value)
            if not text and operator in {"=", "!="}:
                right = f"is {'not ' * (operator == '!=')}null"
                problem = "Zoho keeps an empty text as null, so an empty text finds nothing."
                edits = [*self.swap(self.operator_at(path), right), *self.cut(literal.at)]
                fix = f"Write: {path.text} {right}"
            elif "like" in operator and "*" in text and "%" not in text:
                right = quoted(text.replace("*", "%"))
                problem = "LIKE has % for any text; * is only a star."
                edits, fix = self.swap(literal.at, right), f"Write: {operator} {right}"
            elif operator == "like" and "%" not in text:
                right = quoted(f"%{text}%")
                problem = "LIKE without % finds only this text itself."
                edits, fix = self.swap(literal.at, right), f"To find it inside a text: like {right}"
            elif operator in {"=", "!="} and text.strip("%") != text and text.strip("%"):
                right = "like" if operator == "=" else "not like"
                problem = f"{operator} compares with the text as it is; % works with LIKE only."
                edits, fix = (
                    self.swap(self.operator_at(path), right),
                    f"Write: {right} {quoted(text)}",
                )
            else:
                continue
            self.add(literal.at, problem, fix, edits, severity="warning")

    def choices(self, field: Field, values: tuple[Literal, ...]) -> None:
        """Warn of values that the picklist does not have: records may, from other times."""
        choices = field.get("pick_list_values") or ()
        names = {choice.get(key) for choice in choices for key in ("display_value", "actual_value")}
        known = {name.casefold(): name for name in names if isinstance(name, str)}
        strange = [
            (literal, value)
            for literal in (values if known else ())
            for value in str(literal.value).split(";")
            if value.casefold() not in known
        ]
        if not strange:
            return
        literal, value = strange[0]
        edits, fix = [], f"crm.picklist(…, {field['api_name']!r}) lists the values."
        near = near_names(value, {name: name for name in known.values()})
        if len(strange) == 1 and near:
            fix = question(near)
            edits = self.swap(literal.at, quoted(str(literal.value).replace(value, near[0])))
        listed = ", ".join(repr(each) for _, each in strange[:3])
        more = f" and {len(strange) - 3:,} more" if len(strange) > 3 else ""
        problem = f"{field['api_name']} has no value{'s' * (len(strange) > 1)} {listed}{more}."
        self.add(literal.at, problem, fix, edits, severity="warning")

    def ranges(self, query: Query) -> None:
        """Warn of a range of moments in two conditions, which some modules refuse."""
        for condition in conjunctions(query.where):
            low, high = condition.left, condition.right
            if not (isinstance(low, Comparison) and isinstance(high, Comparison)):
                continue
            if low.operator[0] == "<":
                low, high = high, low
            is_range = (low.operator[0], high.operator[0]) == (">", "<") and low.path == high.path
            values = (*literals(low), *literals(high))
            if not is_range or len(values) != 2 or not self.is_moment(query, low.path):
                continue
            first, last = (quoted(str(value.value)) for value in values)
            problem = f"Some modules refuse two conditions on {low.path.text} with a SYNTAX_ERROR."
            fix = f"If so, write: {low.path.text} between {first} and {last}"
            self.add(high.at, problem, f"{fix} (both ends belong to it)", severity="warning")

    def is_moment(self, query: Query, path: Path) -> bool:
        """Check whether a path leads to a date with a time."""
        if self.fields_of is None:
            return False
        with suppress(AstrayError):
            return type_of(resolve(path, query.module, self.fields)) in TIMES - {"date"}
        return False


DOCUMENTED_HOPS = 2
# A full name begins with the salutation, if there is one.
_WITH_SALUTATION = {"=": ("like", "%{}"), "!=": ("not like", "%{}%")}
_MONTH_PATTERN = re.compile(r"(\d{4})-?(\d\d)?-?%", re.ASCII)
_OR_DATES = {"MIN": " or dates", "MAX": " or dates"}
