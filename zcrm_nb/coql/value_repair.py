"""Values as people write them, in the form that Zoho compares: names, days and periods."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from zcrm_nb.coql.diagnostics import found, invalid_value
from zcrm_nb.coql.fields import (
    LOOKUPS,
    TIMES,
    USER_LOOKUPS,
    AstrayError,
    by_name,
    near_names,
    operators,
    question,
    resolve,
    type_of,
    value_problem,
    wrong_value,
)
from zcrm_nb.coql.periods import first_moment, is_day_or_period, last_moment, span
from zcrm_nb.coql.text import condition_text
from zcrm_nb.coql.tree import (
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    Path,
    Step,
    Subquery,
    literals,
    operator_of,
)
from zcrm_nb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from zcrm_nb.coql.diagnostics import Finding
    from zcrm_nb.coql.fields import Field, FieldsOf
    from zcrm_nb.coql.periods import Calendar, Span
    from zcrm_nb.coql.tree import Condition, Query

    Criterion: TypeAlias = Comparison | Between | Membership | IsNull
    User: TypeAlias = Mapping[str, Any]

__all__ = ["OrgFacts", "ValueRepair", "unknown_users", "user_ids"]


class OrgFacts(NamedTuple):
    """What values are read by; each is read when it is needed, ``None`` where it is unknown."""

    users: Callable[[], Sequence[User] | None]
    calendar: Callable[[], Calendar | None]


class ValueRepair:
    """Rewrites the conditions of a query whose values have one meaning, but not Zoho's form.

    A user's name or e-mail address becomes an id; the name of a record becomes a condition on the
    field that holds it; a day or a period, compared with a datetime, becomes its moments in the
    org's time zone.
    """

    def __init__(
        self,
        text: str,
        fields_of: FieldsOf,
        org: OrgFacts,
        modules: Collection[str] = (),
    ) -> None:
        self.text, self.fields_of, self.org, self.modules = text, fields_of, org, modules
        self.changes: list[Finding] = []

    def query(self, query: Query) -> Query:
        """Rewrite the conditions of a query and of its subqueries."""
        return replace(query, where=self.condition(query.where, query.module))

    def condition(self, condition: Condition, module: str) -> Condition:
        """Rewrite a condition on the fields of a module."""
        match condition:
            case Logic(left=left, right=right):
                left, right = self.condition(left, module), self.condition(right, module)
                return replace(condition, left=left, right=right)
            case Membership(values=Subquery() as subquery):
                return replace(condition, values=self.subquery(subquery))
            case Comparison(value=Subquery() as subquery):
                return replace(condition, value=self.subquery(subquery))
        return self.criterion(condition, module)

    def subquery(self, subquery: Subquery) -> Subquery:
        """Rewrite the conditions of a query in brackets."""
        return replace(subquery, query=self.query(subquery.query))

    def criterion(self, criterion: Criterion, module: str) -> Condition:
        """Rewrite one criterion by the type of its field."""
        if not literals(criterion):
            return criterion
        try:
            field = resolve(criterion.path, module, self.fields_of, self.modules)
        except (AstrayError, NotFoundError):  # the linter reports these
            return criterion
        kind = type_of(field)
        if not operators(field):
            return criterion
        if kind in USER_LOOKUPS:
            return self.of_user(criterion, kind)
        if kind in LOOKUPS:
            return self.of_record(criterion, field)
        return self.of_time(criterion, kind) if kind in TIMES else criterion

    def change(self, criterion: Criterion, right: Condition, literal: Literal, kind: str) -> None:
        """Note what is written instead of a criterion."""
        problem = value_problem(criterion.path.text, kind, literal.value)
        written = condition_text(right)
        if len(written) > LONGEST_SHOWN:
            written = f"{written[:LONGEST_SHOWN]}…"
        facts = invalid_value({"column_name": criterion.path.text})
        self.changes.append(
            found(
                self.text,
                literal.at,
                problem,
                f"Written as: {written}",
                severity="repaired",
                **facts,
            )
        )

    # --- users and records ------------------------------------------------------------------

    def of_user(self, criterion: Criterion, kind: str) -> Condition:
        """Compare with the ids of the users who are named."""
        values = literals(criterion)
        named = [each for each in values if not _is_id(each)]
        users = self.org.users() if named else None
        if users is None or isinstance(criterion, Between):
            return criterion
        is_pattern = "like" in operator_of(criterion)
        ids: list[str] = []
        for each in values:
            matches = [str(each.value)] if _is_id(each) else user_ids(each, users, is_pattern)
            if not matches:
                return criterion  # the linter says which names exist
            ids += matches
        negated = operator_of(criterion) in {"!=", "not in", "not like"}
        right = _among(criterion.path, dict.fromkeys(ids), negated, criterion.at, values[0].at)
        self.change(criterion, right, named[0], kind)
        return right

    def of_record(self, criterion: Criterion, field: Field) -> Condition:
        """Follow a lookup to the field that holds the name."""
        values = literals(criterion)
        named = [each for each in values if not _is_id(each)]
        name = ""
        if named and not isinstance(criterion, Between):
            with suppress(NotFoundError):  # of a module that the API does not describe
                name = by_name(field, str(named[0].value), self.fields_of)
        if not name or operator_of(criterion) not in _NAME_OPERATORS:
            return criterion
        path = replace(criterion.path, steps=(*criterion.path.steps, Step(name)))
        negated = operator_of(criterion) in {"!=", "not in", "not like"}
        parts = _named(path, operator_of(criterion), named, criterion.at)
        if ids := {str(each.value): None for each in values if _is_id(each)}:
            parts.append(_among(criterion.path, ids, negated, criterion.at, values[0].at))
        right = _joined(parts, "and" if negated else "or")
        self.change(criterion, right, named[0], type_of(field))
        return right

    # --- days and periods -------------------------------------------------------------------

    def of_time(self, criterion: Criterion, kind: str) -> Condition:
        """Compare with the first or last day or moment of what is named."""
        values = literals(criterion)
        if not any(_needs_calendar(each, kind) for each in values):
            return criterion
        calendar = self.org.calendar()
        if calendar is None:
            return criterion
        spans = [span(str(each.value), calendar) for each in values]
        if not any(spans):
            return criterion
        right = _Times(criterion.path, kind, calendar, criterion.at).written(criterion, spans)
        if right is None:
            return criterion
        literal = next(each for each, span in zip(values, spans, strict=True) if span)
        self.change(criterion, right, literal, kind)
        return right


LONGEST_SHOWN = 200  # characters of a condition in a finding
_NAME_OPERATORS = frozenset({"=", "!=", "in", "not in", "like", "not like"})


def _is_id(literal: Literal) -> bool:
    """Check whether a value can be an id."""
    return wrong_value(literal.value, {"api_name": "id", "data_type": "lookup"}) is None


def user_ids(name: Literal, users: Sequence[User], is_pattern: bool = False) -> list[str]:
    """Find the users that a name or an e-mail address means; a full name before a part of one."""
    text = str(name.value).strip().casefold()
    for keys in (("full_name",),) if is_pattern else _USER_KEYS:
        ids = [
            user_id
            for user in users
            if isinstance(user_id := user.get("id"), str)
            and any(_matches(user.get(key), text, is_pattern) for key in keys)
        ]
        if ids:
            return ids
    return []


_USER_KEYS = (("full_name",), ("email",), ("last_name",), ("first_name",))


def _matches(value: object, text: str, is_pattern: bool) -> bool:
    """Compare without regard to case, as COQL does; ``%`` of a pattern is any text."""
    if not isinstance(value, str):
        return False
    if not is_pattern:
        return value.strip().casefold() == text
    pattern = ".*".join(map(re.escape, text.split("%")))
    return re.fullmatch(pattern, value.casefold(), re.DOTALL) is not None


def unknown_users(values: Sequence[str], users: Sequence[User]) -> tuple[str, str]:
    """Return the first name that no user has, and what to write instead of it."""
    named = (each for each in values if not user_ids(Literal(each), users, "%" in each))
    unknown = next(named, values[0])
    names = {
        name: name
        for user in users
        for key in ("full_name", "last_name")
        if isinstance(name := user.get(key), str)
    }
    hint = question(near_names(unknown.strip("%"), names)) if unknown.strip("%") else ""
    hint = hint or "crm.users() lists the users; records of deleted users are found by id."
    return unknown, hint


def _among(path: Path, ids: Mapping[str, None], negated: bool, at: int, value_at: int) -> Condition:
    """Compare with one id or several."""
    values = tuple(Literal(each, at=value_at) for each in ids)
    if len(values) == 1:
        return Comparison(path, "!=" if negated else "=", values[0], at)
    return Membership(path, values, negated, at)


def _named(path: Path, operator: str, names: list[Literal], at: int) -> list[Condition]:
    """Compare a field with names; a person's full name may begin with the salutation."""
    negated = operator in {"!=", "not in", "not like"}
    if operator in {"like", "not like"}:
        return [Comparison(path, operator, each, at) for each in names]  # type: ignore[arg-type]
    parts: list[Condition] = (
        [Comparison(path, "!=" if negated else "=", names[0], at)]
        if len(names) == 1
        else [Membership(path, tuple(names), negated, at)]
    )
    if path.steps[-1].name == "Full_Name":
        for each in names:
            pattern = f"% {each.value}%" if negated else f"% {each.value}"
            literal = Literal(pattern, at=each.at)
            parts.append(Comparison(path, "not like" if negated else "like", literal, at))
    return parts


def _joined(parts: Sequence[Condition], connector: Any) -> Condition:
    """Join conditions in pairs."""
    return reduce(lambda left, right: Logic(connector, left, right, left.at), parts)


def _needs_calendar(literal: Literal, kind: str) -> bool:
    """Check whether a value may be a day or a period that the type does not have as it is."""
    text = str(literal.value)
    return is_day_or_period(text) and (kind != "date" or text.strip()[:1].isalpha())


class _Times:
    """Writes a criterion on a date or datetime with the ends of spans."""

    def __init__(self, path: Path, kind: str, calendar: Calendar, at: int) -> None:
        self.path, self.kind, self.zone, self.at = path, kind, calendar.zone, at

    def first(self, span: Span, literal: Literal) -> Literal:
        """Write the first day or moment."""
        if self.kind == "date":
            return Literal(span.first.isoformat(), at=literal.at)
        return Literal(first_moment(span.first, self.zone).isoformat(), at=literal.at)

    def last(self, span: Span, literal: Literal) -> Literal:
        """Write the last day or second."""
        if self.kind == "date":
            return Literal(span.last.isoformat(), at=literal.at)
        return Literal(last_moment(span.last, self.zone).isoformat(), at=literal.at)

    def within(self, span: Span | None, literal: Literal, negated: bool) -> Condition:
        """Write that the field is within a span, or outside of it."""
        if span is None:
            return Comparison(self.path, "!=" if negated else "=", literal, self.at)
        low, high = self.first(span, literal), self.last(span, literal)
        if low == high:
            return Comparison(self.path, "!=" if negated else "=", low, self.at)
        return Between(self.path, low, high, negated, self.at)

    def written(self, criterion: Criterion, spans: Sequence[Span | None]) -> Condition | None:
        """Write the whole criterion; ``None`` for an operator that times do not have."""
        values, operator = literals(criterion), operator_of(criterion)
        if operator in {"=", "!=", "in", "not in"}:
            negated = operator in {"!=", "not in"}
            parts = [
                self.within(span, literal, negated)
                for span, literal in zip(spans, values, strict=True)
            ]
            return _joined(parts, "and" if negated else "or")
        if isinstance(criterion, Between):
            low, high = (self.end(*each) for each in zip(spans, values, (False, True), strict=True))
            return replace(criterion, low=low, high=high)
        if operator in _ENDS and isinstance(criterion, Comparison):
            value = self.end(spans[0], values[0], _ENDS[operator])
            return replace(criterion, value=value)
        return None

    def end(self, span: Span | None, literal: Literal, is_last: bool) -> Literal:
        """Write one end of a span; a value that is not one stays."""
        if span is None:
            return literal
        return self.last(span, literal) if is_last else self.first(span, literal)


_ENDS = {">": True, "<=": True, "<": False, ">=": False}
