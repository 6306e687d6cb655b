"""The syntax tree of a COQL query, and what is made of one before it is sent: pages, short lists.

Every node is frozen and knows where it began in the text (``at``, counted from 0), which takes no
part in comparisons: two trees are equal when they mean the same, wherever they were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias
from typing import Literal as OneOf

from zcrm_nb.coql.diagnostics import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


# ---- Pages, and what one query may hold ----------------------------------------------------------


DEFAULT_LIMIT = 200
LIMITS = {
    "limit": 2000,
    "select": 500,
    "where": 25,
    "in": 100,
    "order by": 10,
    "group by": 4,
    "aggregate": 5,
    "subquery": 5,
    "join": 5,
}
"""The most of each that one query may have, by the word we put into the error's ``clause``."""
_ID = Path((Step("id"),))


def page(query: Query, offset: int, size: int) -> Query:
    """Cut one page out of a query by offset.

    Examples
    --------
    >>> from zcrm_nb.coql import page, parse, to_text
    >>> to_text(page(parse("select id from Leads where id is not null"), 400, 200))
    'select id from Leads where id is not null limit 400, 200'
    """
    return replace(query, limit=size, offset=offset)


def stable(query: Query) -> Query:
    """Give a query an order without ties, so that offset paging neither loses nor repeats a row.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, stable, to_text
    >>> to_text(stable(parse("select id from Leads where id is not null order by City desc")))
    'select id from Leads where id is not null order by City desc, id asc'
    """
    keys = query.group_by if is_aggregate(query) else (_ID,)
    aliased = {column.alias: column.expression.text for column in query.columns if column.alias}
    ordered = {aliased.get(order.key.text, order.key.text) for order in query.order_by}
    if "id" in ordered and not is_aggregate(query):
        return query
    missing = tuple(OrderBy(key) for key in keys if key.text not in ordered)
    return replace(query, order_by=query.order_by + missing)


def after(query: Query, last_id: str) -> Query:
    """Select the rows behind one record, in the order of ids: the way past Zoho's offset ceiling.

    Examples
    --------
    >>> from zcrm_nb.coql import after, parse, to_text
    >>> to_text(after(parse("select City from Leads where City = 'Pune' limit 2000"), "41"))
    "select City from Leads where (City = 'Pune' and id > '41') order by id asc limit 2000"
    """
    if is_aggregate(query):
        raise ValueError("groups have no id to go on from: page an aggregate by offset")
    where = Logic("and", query.where, Comparison(_ID, ">", Literal(last_id)))
    return replace(query, where=where, order_by=(OrderBy(_ID),), offset=None)


def credits(limit: int | None) -> int:  # noqa: A001 - Zoho's word, used as coql.credits
    """Return the credits of one call.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html

    Examples
    --------
    >>> from zcrm_nb.coql import credits
    >>> credits(None), credits(201), credits(2000)
    (1, 2, 3)
    """
    rows = limit or 200
    return 1 + (rows > 200) + (rows > 1000)


# ---- Lists that are longer than Zoho takes -------------------------------------------------------


def is_long(condition: Condition) -> bool:
    """Check whether a condition is a list of more values than Zoho takes in one."""
    return isinstance(condition, Membership) and len(literals(condition)) > LIMITS["in"]


def joined(membership: Membership) -> Condition:
    """Write a long list as several: in one or in another, not in one and not in another."""
    connector: OneOf["and", "or"] = "and" if membership.negated else "or"
    lists: list[Condition] = list(_shorter(membership))
    return reduce(lambda left, right: Logic(connector, left, right, membership.at), lists)


def with_short_lists(query: Query, shared: Membership | None = None) -> Query:
    """Write long lists as several in one query, except a ``shared`` one that is sent in parts."""

    def shortened(condition: Condition) -> Condition:
        if isinstance(condition, Membership) and is_long(condition) and condition is not shared:
            return joined(condition)
        return condition

    return with_criteria(query, shortened)


def with_criteria(query: Query, change: Callable[[Condition], Condition]) -> Query:
    """Change every criterion of a query and of its subqueries, the innermost first."""

    def changed(condition: Condition) -> Condition:
        match condition:
            case Logic(left=left, right=right):
                return replace(condition, left=changed(left), right=changed(right))
            case Membership(values=Subquery(query=inner) as subquery):
                inside = replace(subquery, query=with_criteria(inner, change))
                return change(replace(condition, values=inside))
            case Comparison(value=Subquery(query=inner) as subquery):
                inside = replace(subquery, query=with_criteria(inner, change))
                return change(replace(condition, value=inside))
        return change(condition)

    return replace(query, where=changed(query.where))


def split_list(query: Query) -> Membership | None:
    """Find the long IN list that can be sent in parts, one query after the other.

    It has to hold for every row (so no OR is above it, and no NOT before it), and rows have to be
    records: groups of several queries would be groups of parts.
    """
    if is_aggregate(query):
        return None
    found = (each for each in _all_of(query.where) if is_long(each))
    return next((each for each in found if isinstance(each, Membership) and not each.negated), None)


def parts(query: Query) -> list[Query]:
    """Cut a query with a long IN list into queries that Zoho takes.

    Examples
    --------
    >>> from zcrm_nb.coql import parse, parts
    >>> cities = ", ".join(f"'{number}'" for number in range(250))
    >>> whole = parse(f"select id from Leads where City in ({cities}) and Rating = 'Hot'")
    >>> [len(part.where.left.values) for part in parts(whole)]
    [100, 100, 50]
    """
    split = split_list(query)
    if split is None:
        return [query]
    return [replace(query, where=_with(query.where, split, each)) for each in _shorter(split)]


def _all_of(condition: Condition) -> Iterator[Condition]:
    """Yield the conditions that every row fulfils."""
    waiting = [condition]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Logic) and each.operator == "and":
            waiting += (each.right, each.left)
        else:
            yield each


def _shorter(membership: Membership) -> Iterator[Membership]:
    """Cut a long list into lists that Zoho takes."""
    values = literals(membership)
    for start in range(0, len(values), LIMITS["in"]):
        yield replace(membership, values=values[start : start + LIMITS["in"]])


def _with(condition: Condition, old: Condition, new: Condition) -> Condition:
    """Put one condition in the place of another."""
    if condition is old:
        return new
    if not isinstance(condition, Logic):
        return condition
    left, right = (_with(side, old, new) for side in (condition.left, condition.right))
    return replace(condition, left=left, right=right)


# ---- The size of a query -------------------------------------------------------------------------


def check_limits(query: Query, text: str = "", *, offset_ceiling: int = 100_000) -> None:
    """Refuse a query that is larger than one call may be.

    Apart from :func:`parse`, because a client may take ``limit 50000`` and page through it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html

    Examples
    --------
    >>> from zcrm_nb.coql import check_limits, parse
    >>> check_limits(parse("select id from Leads where id is not null limit 50000"))
    Traceback (most recent call last):
    ...
    zcrm_nb.coql.diagnostics.ParseError: LIMIT_EXCEEDED: limit exceeded (limit: 2000, ...
    """
    nested = list(subqueries(query))
    _refuse_excess("subquery", [each.at for each in nested], text)
    for each in (query, *(subquery.query for subquery in nested)):
        _check_rows(each, text, offset_ceiling)
        for clause, places in _sizes(each):
            _refuse_excess(clause, places, text)


def _sizes(query: Query) -> Iterator[tuple[str, list[int]]]:
    """Yield each clause that has a limit, with the places of its items."""
    yield "select", [column.expression.at for column in query.columns]
    yield "aggregate", [each.at for each in aggregates(query)]
    yield "where", [each.at for each in criteria(query.where)]
    yield "group by", [path.at for path in query.group_by]
    yield "order by", [order.key.at for order in query.order_by]
    for each in criteria(query.where):
        if isinstance(each, Membership) and isinstance(each.values, tuple):
            yield "in", [literal.at for literal in each.values]


def _refuse_excess(clause: str, places: list[int], text: str) -> None:
    """Refuse the first item that is one too many."""
    most = LIMITS[clause]
    if len(places) > most:
        raise _exceeded(clause, most, text, places[most])


def _check_rows(query: Query, text: str, offset_ceiling: int) -> None:
    """Refuse a page that is too large, or that ends beyond what offsets reach."""
    limit = query.limit or DEFAULT_LIMIT
    if limit > LIMITS["limit"]:
        raise _exceeded("limit", LIMITS["limit"], text, query.at)
    if (query.offset or 0) + limit > offset_ceiling:
        raise _exceeded("offset", offset_ceiling, text, query.at)


def _exceeded(clause: str, limit: int, text: str, at: int) -> ParseError:
    """Make the refusal ``LIMIT_EXCEEDED``."""
    details = {"limit": limit, "clause": clause}
    return ParseError("LIMIT_EXCEEDED", "limit exceeded", details, text=text, at=at)
