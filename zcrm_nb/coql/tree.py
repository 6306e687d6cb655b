"""The syntax tree of a COQL query.

Every node is frozen and knows where it began in the text (``at``, counted from 0), which takes no
part in comparisons: two trees are equal when they mean the same, wherever they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from typing import Literal as OneOf

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path; ``module`` is set behind an arrow (``What_Id->Leads.Last_Name``)."""

    name: str
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or a walk along lookups to one.

    ``Account_Name.Industry`` has two steps. ``What_Id->Leads.Last_Name`` has the steps
    ``Step("What_Id")`` and ``Step("Last_Name", module="Leads")``. ``!Leads.Owner.role.id`` has
    ``root`` ``"Leads"`` and three steps.
    """

    steps: tuple[Step, ...]
    root: str | None = None
    at: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The path as Zoho writes it in the key of an answer, without quotes or root."""
        text = self.steps[0].name
        for step in self.steps[1:]:
            text += f"->{step.module}.{step.name}" if step.module else f".{step.name}"
        return text


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``SUM(Amount)``. The function's case is kept: Zoho takes upper case only."""

    function: str
    path: Path
    at: int = field(default=0, compare=False)

    @property
    def text(self) -> str:
        """The key of the value in an answer."""
        return f"{self.function}({self.path.text})"


Expression: TypeAlias = Path | Aggregate


@dataclass(frozen=True, slots=True)
class SelectItem:
    """One item of the SELECT list."""

    expression: Expression
    alias: str | None = None

    @property
    def key(self) -> str:
        """The key of the value in an answer: the alias, or the expression's own text."""
        return self.alias if self.alias is not None else self.expression.text


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: text, number or boolean; ``quoted`` is whether it was in quotes.

    A bare picklist word means the same as a quoted one, so the quotes take no part in comparisons.
    """

    value: str | int | float | bool
    quoted: bool = field(default=True, compare=False)
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query in brackets, used as a value."""

    query: Query
    at: int = field(default=0, compare=False)


Operator: TypeAlias = OneOf["=", "!=", ">", ">=", "<", "<=", "like", "not like"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``path operator value``; operators are spelt as in the grammar, in lower case."""

    path: Path
    operator: Operator
    value: Literal | Subquery
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Between:
    """``path [not] between low and high``."""

    path: Path
    low: Literal
    high: Literal
    negated: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """``path [not] in (…)``."""

    path: Path
    values: tuple[Literal, ...] | Subquery
    negated: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """``path is [not] null``."""

    path: Path
    negated: bool = False
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Logic:
    """Two conditions joined by ``and`` or ``or``; COQL joins no third one."""

    operator: OneOf["and", "or"]
    left: Condition
    right: Condition
    at: int = field(default=0, compare=False)


Condition: TypeAlias = Comparison | Between | Membership | IsNull | Logic


@dataclass(frozen=True, slots=True)
class OrderBy:
    """One key of ORDER BY: a path, an aggregate, or the alias of a selected column."""

    key: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. ``limit`` and ``offset`` are ``None`` where the text has none."""

    columns: tuple[SelectItem, ...]
    module: str
    where: Condition
    cvid: str | None = None
    group_by: tuple[Path, ...] = ()
    order_by: tuple[OrderBy, ...] = ()
    limit: int | None = None
    offset: int | None = None
    at: int = field(default=0, compare=False)
    module_at: int = field(default=0, compare=False)


# ---- Walks ---------------------------------------------------------------------------------------


def criteria(condition: Condition) -> Iterator[Comparison | Between | Membership | IsNull]:
    """Yield the single criteria of a condition, left to right, not those of its subqueries."""
    waiting = [condition]  # no recursion: a chain in pairs of brackets is as deep as it is long
    while waiting:
        each = waiting.pop()
        if isinstance(each, Logic):
            waiting += (each.right, each.left)
        else:
            yield each


def subqueries(query: Query) -> Iterator[Subquery]:
    """Yield the subqueries of a query in the order of their opening brackets, nested ones too."""
    for each in criteria(query.where):
        value = getattr(each, "value", None) or getattr(each, "values", None)
        if isinstance(value, Subquery):
            yield value
            yield from subqueries(value.query)


def aggregates(query: Query) -> Iterator[Aggregate]:
    """Yield the aggregates among the selected columns."""
    for column in query.columns:
        if isinstance(column.expression, Aggregate):
            yield column.expression


def is_aggregate(query: Query) -> bool:
    """Check whether the rows are groups, which carry no ``id``, rather than records.

    Examples
    --------
    >>> from zcrm_nb.coql import is_aggregate, parse
    >>> is_aggregate(parse("select COUNT(id) from Leads where id is not null"))
    True
    """
    return bool(query.group_by) or any(aggregates(query))


def paths(query: Query) -> Iterator[Path]:
    """Yield every field of the query's own module, clause by clause.

    Aliases in ORDER BY are left out, and so are the fields of subqueries, which belong to other
    modules: walk those with :func:`subqueries`.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, paths
    >>> query = parse("select Last_Name as n from Leads where Owner.email = 'a@b.test' order by n")
    >>> [path.text for path in paths(query)]
    ['Last_Name', 'Owner.email']
    """
    aliases = {column.alias for column in query.columns}
    for column in query.columns:
        yield path_of(column.expression)
    for each in criteria(query.where):
        yield each.path
    yield from query.group_by
    for order in query.order_by:
        if order.key.text not in aliases:
            yield path_of(order.key)


def path_of(expression: Expression) -> Path:
    """Find the field of an expression: itself, or what it aggregates."""
    return expression.path if isinstance(expression, Aggregate) else expression


def literals(criterion: Condition) -> tuple[Literal, ...]:
    """List the values of a criterion, not those that a subquery finds."""
    match criterion:
        case Comparison(value=Literal() as value):
            return (value,)
        case Between(low=low, high=high):
            return (low, high)
        case Membership(values=tuple(values)):
            return values
        case _:
            return ()


def conjunctions(condition: Condition) -> Iterator[Logic]:
    """Yield each pair of conditions that AND joins."""
    waiting = [condition]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Logic):
            waiting += (current.right, current.left)
            if current.operator == "and":
                yield current


def operator_of(criterion: Comparison | Between | Membership | IsNull) -> str:
    """Spell the operator of a criterion as the grammar does."""
    match criterion:
        case Comparison():
            return criterion.operator
        case IsNull():
            return "is not null" if criterion.negated else "is null"
        case _:
            name = "between" if isinstance(criterion, Between) else "in"
            return f"not {name}" if criterion.negated else name
