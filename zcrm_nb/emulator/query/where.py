"""From COQL's conditions to SQL with bound values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.coql.tree import (
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    Subquery,
    operator_of,
)
from zcrm_nb.emulator.query.conditions import (
    MULTI_LINE,
    NUMBERS,
    REFERENCES,
    TEXTS,
    TIMES,
    as_json,
)
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.coql.tree import Condition
    from zcrm_nb.emulator.query.joins import Joins, Target
    from zcrm_nb.emulator.settings import EngineSettings

Criterion: TypeAlias = Comparison | Between | Membership | IsNull

_SAME = frozenset({"=", "!=", "in", "not in", "is null", "is not null"})
_TEXT = _SAME | {"like", "not like"}
_RANGE = _SAME | {">", ">=", "<", "<=", "between", "not between"}
OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(TEXTS, _TEXT),
    **dict.fromkeys(NUMBERS | TIMES, _RANGE),
    **dict.fromkeys(REFERENCES, _SAME),
    "profileimage": _SAME,
    "consent_lookup": frozenset({"is null", "is not null"}),
    "boolean": frozenset({"="}),
}
"""The operators of each type, from Zoho's page; a type that is not here cannot be asked for."""
_FORMULA_BOOLEAN = frozenset({"=", "is null", "is not null"})


@dataclass(slots=True)
class Where:
    """One condition on its way to SQL; ``values`` are bound in the order they are written.

    Parameters
    ----------
    joins : Joins
        Where paths become columns.
    settings : EngineSettings
        How nulls, case and wildcards count.
    rows_of : callable
        Runs a subquery and returns the stored values of its one column.
    """

    joins: Joins
    settings: EngineSettings
    rows_of: Callable[[Subquery], list[object]]
    values: list[object] = field(default_factory=list)
    _ran: int = 0

    def sql(self, condition: Condition) -> str:
        """Write a condition."""
        if isinstance(condition, Logic):
            left, right = self.sql(condition.left), self.sql(condition.right)
            return f"({left} {condition.operator} {right})"
        if self._is_tag(self.joins.target(condition.path)):
            return self._tagged(condition, self._target(condition))
        return self._criterion(condition)

    def _criterion(self, condition: Criterion) -> str:
        """Write one criterion by its kind."""
        match condition:
            case Comparison(operator="like" | "not like", value=Literal() as pattern):
                return self._like(condition.operator, self._target(condition), pattern)
            case Comparison():
                return self._comparison(condition, self._target(condition))
            case Between():
                target = self._target(condition)
                low, high = self._bind(target, condition.low), self._bind(target, condition.high)
                return f"{target.sql} {operator_of(condition)} {low} and {high}"
            case Membership():
                return self._membership(condition, self._target(condition))
            case IsNull():
                return f"{self._target(condition).sql} {operator_of(condition)}"

    def _target(self, criterion: Criterion) -> Target:
        """Find the column of a criterion, and refuse an operator its type does not have."""
        target, operator = self.joins.target(criterion.path), operator_of(criterion)
        column_name = criterion.path.text
        known = _SAME if self._is_tag(target) else OPERATORS.get(target.field.kind)
        multi_line = target.field.kind in MULTI_LINE and not self.settings.multi_line_criteria
        if known is None or multi_line or not target.field.coql:
            raise _not_in_criteria(criterion)
        if target.field.data_type == "formula" and target.field.kind == "boolean":
            known = _FORMULA_BOOLEAN
        if operator not in known:
            reason = "invalid operator found"
            details = {"reason": reason, "column_name": column_name, "operator": operator}
            raise Refusal(400, "INVALID_QUERY", "Invalid query formed", details)
        return target

    def _is_tag(self, target: Target) -> bool:
        """Tell whether a column holds tags that can be compared by name."""
        return target.field.api_name == "Tag" and self.settings.tag_criteria

    def _tagged(self, criterion: Criterion, target: Target) -> str:
        """Look for the names of tags, in any case."""
        names = [str(name) for name in _literals(criterion)]
        operator = operator_of(criterion)
        if isinstance(criterion, IsNull):
            any_tag = f"coalesce({target.sql}, '[]') <> '[]'"
            return any_tag if criterion.negated else f"not ({any_tag})"
        marks = ", ".join(self._mark(name.lower()) for name in names)
        tags = f"json_each({target.sql}) where lower(json_extract(value, '$.name')) in ({marks})"
        negated = "not " if operator in {"!=", "not in"} else ""
        return f"{negated}exists (select 1 from {tags})"

    def _comparison(self, criterion: Comparison, target: Target) -> str:
        """Compare with a literal, or with the one value of a subquery."""
        column = self._folded(target)
        if isinstance(criterion.value, Subquery):
            value = self._mark(self._only_value(criterion.value, criterion.operator))
        else:
            value = self._bind(target, criterion.value)
        return self._with_nulls(f"{column} {criterion.operator} {value}", criterion, target)

    def _membership(self, criterion: Membership, target: Target) -> str:
        """Look a column up in a list."""
        if isinstance(criterion.values, Subquery):
            marks = [self._mark(value) for value in self._run(criterion.values)]
        else:
            marks = [self._bind(target, literal) for literal in criterion.values]
        sql = f"{self._folded(target)} {operator_of(criterion)} ({', '.join(marks)})"
        return self._with_nulls(sql, criterion, target)

    def _with_nulls(self, sql: str, criterion: Criterion, target: Target) -> str:
        """Let ``!=`` and ``not in`` find empty values, if the settings say so."""
        finds = operator_of(criterion) in {"!=", "not in"} and self.settings.unequal_finds_null
        return f"({sql} or {target.sql} is null)" if finds else sql

    def _like(self, operator: str, target: Target, literal: Literal) -> str:
        """Match a pattern; GLOB is SQLite's LIKE that minds the case."""
        pattern = self._stored(target, literal)
        contains = pattern.startswith("%") and pattern.endswith("%")
        if operator == "not like" and self.settings.not_like_contains and not contains:
            raise _wrong_value(target, "reason", "not like needs % at both ends")
        wild = self.settings.like_underscore
        if self.settings.case_sensitive:
            mark = self._mark(_glob(pattern, wild))
            return f"{target.sql} {operator.replace('like', 'glob')} {mark}"
        return f"{target.sql} {operator} {self._mark(_like_pattern(pattern, wild))} escape '!'"

    def _folded(self, target: Target) -> str:
        """Name a column; the store's texts fold their case unless told otherwise."""
        exact = self.settings.case_sensitive and target.field.kind in TEXTS
        return f"{target.sql} collate binary" if exact else target.sql

    def _only_value(self, subquery: Subquery, operator: str) -> object:
        """Run a subquery that may have one row; none compares like null."""
        values = self._run(subquery)
        if len(values) > 1:
            raise Refusal(
                400,
                "INVALID_QUERY",
                "subquery return more than one values which is incompatible for the operator",
                {"sub_query_sequence": self._ran - 1, "operator": operator},
            )
        return values[0] if values else None

    def _run(self, subquery: Subquery) -> list[object]:
        """Run a subquery and count it."""
        self._ran += 1
        return self.rows_of(subquery)

    def _bind(self, target: Target, literal: Literal) -> str:
        """Bind a literal in the encoding of its column."""
        return self._mark(self._stored(target, literal))

    def _stored(self, target: Target, literal: Literal) -> Any:
        """Encode a literal for its column, or refuse it with the type that was expected."""
        try:
            return encode(target.field, _as_json(target.field.kind, literal.value))
        except ValueError as error:
            kind = target.field.kind
            expected = "bigint" if kind in REFERENCES else str(error)
            raise _wrong_value(target, "expected_data_type", expected) from None

    def _mark(self, value: object) -> str:
        """Bind a stored value."""
        self.values.append(value)
        return "?"


def _as_json(kind: str, value: str | float | bool) -> object:
    """Turn a literal into the JSON value that a write of its type would carry."""
    if kind in TEXTS and kind != "multiselectpicklist":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return as_json(kind, value)


def _like_pattern(pattern: str, wild: bool) -> str:
    """Escape what LIKE would take for a wildcard and COQL does not."""
    escaped = pattern.replace("!", "!!")
    return escaped if wild else escaped.replace("_", "!_")


def _glob(pattern: str, wild: bool) -> str:
    """Write a pattern for GLOB, whose wildcards are ``*`` and ``?``."""
    escaped = re.sub(r"[*?\[]", r"[\g<0>]", pattern).replace("%", "*")
    return escaped.replace("_", "?") if wild else escaped


def _wrong_value(target: Target, key: str, what: str) -> Refusal:
    """Make the refusal of a literal that does not fit its column."""
    message = "value given seems to be invalid for the column"
    details = {"column_name": target.field.api_name, key: what}
    return Refusal(400, "INVALID_QUERY", message, details)


def _not_in_criteria(criterion: Criterion) -> Refusal:
    """Make the refusal of a column that can only be selected; Zoho spells null ``${EMPTY}``."""
    operator, values = operator_of(criterion), list(map(str, _literals(criterion)))
    if isinstance(criterion, IsNull):
        operator, values = ("!=" if criterion.negated else "="), ["${EMPTY}"]
    details = {
        "cv_criteria": False,
        "column_name": criterion.path.text,
        "value": ",".join(values),
        "operator": operator,
    }
    return Refusal(400, "INVALID_QUERY", "unsupported column in criteria", details)


def _literals(criterion: Criterion) -> Iterable[object]:
    """Yield the literals of a criterion."""
    match criterion:
        case Comparison(value=Literal(value=value)):
            yield value
        case Between(low=low, high=high):
            yield from (low.value, high.value)
        case Membership(values=tuple(values)):
            yield from (each.value for each in values)
