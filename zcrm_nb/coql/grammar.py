"""COQL's grammar: one regular expression for the words, one method for each rule.

::

    query     = SELECT column {"," column} FROM module ["#" cvid] WHERE condition
                [GROUP BY path {"," path}] [ORDER BY key {"," key}] [limit]
    column    = expression [AS alias]          expression = path | FUNCTION "(" path ")"
    key       = expression [ASC | DESC]        condition  = operand [(AND | OR) operand]
    operand   = "(" condition ")" | criterion
    criterion = path operator value | path [NOT] LIKE literal | path IS [NOT] NULL
              | path [NOT] BETWEEN literal AND literal | path [NOT] IN "(" values ")"
    value     = literal | "(" query ")"        values     = query | literal {"," literal}
    limit     = LIMIT n | LIMIT offset "," n | LIMIT n OFFSET m

AND and OR take two operands, never three. A path may stand in quotes, and must when it holds an
arrow or a reserved word. See https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

from zcrm_nb.coql.diagnostics import ParseError, place
from zcrm_nb.coql.tree import (
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    Operator,
    OrderBy,
    Path,
    Query,
    SelectItem,
    Step,
    Subquery,
    aggregates,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zcrm_nb.coql.tree import Condition, Expression

__all__ = ["AGGREGATES", "RESERVED", "Lexeme", "Parser", "parse", "tokens"]

T = TypeVar("T")

AGGREGATES = frozenset({"SUM", "MIN", "MAX", "AVG", "COUNT"})
_CLAUSES = frozenset({"", ")", "from", "where", "group", "order", "limit"})
_UNSUPPORTED = frozenset(
    {"*", "/", "%", "+", "-", "case", "distinct", "having", "join", "union", "exists"}
)
# Names that must stand in quotes. Zoho gives no list, only the example External (UNCONFIRMED).
RESERVED = _UNSUPPORTED.difference("*/%+-").union(
    {"select", "from", "where", "group", "by", "order", "asc", "desc", "limit", "offset", "as"},
    {"and", "or", "not", "in", "like", "between", "is", "null", "true", "false"},
    {"on", "all", "any", "external"},
)
_COMPARISONS: dict[str, Operator] = {each: each for each in get_args(Operator)}
_DEEPEST = 50  # brackets in brackets; 25 criteria need fewer, and Python's stack has an end

_TOKEN = re.compile(
    r"""
    (?P<text> '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*" )
  | (?P<name> !?[$]?[A-Za-z_]\w*(?:\.[$]?[A-Za-z_]\w*)* )
  | (?P<date> \d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?(?![\w-]) )
  | (?P<number> \d{1,308}(?:\.\d{1,400})?(?![\w.]) )
  | (?P<mark> -> | [=<>!~]+ | && | \|\| | [(),#*/%+-] )
  | (?P<tick> `[^`\n]*` | \[[A-Za-z_][\w\ .]*\] )
  | (?P<junk> ['"].* | \w+ | \S )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


class Lexeme(NamedTuple):
    """A piece of the text; ``word`` is its lower case, which keywords are compared with."""

    kind: str
    text: str
    word: str
    at: int


def parse(text: str) -> Query:
    """Read a COQL query.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html

    Examples
    --------
    >>> from zcrm_nb.coql import parse
    >>> query = parse("select Last_Name, Owner.email from Leads where City = 'Pune' limit 5")
    >>> [column.key for column in query.columns], query.module, query.limit
    (['Last_Name', 'Owner.email'], 'Leads', 5)
    """
    return Parser(text).whole()


def tokens(text: str) -> Iterator[Lexeme]:
    """Cut the text into words; what no rule knows is ``junk``, refused where it stands."""
    for found in _TOKEN.finditer(text):
        piece = found[0]
        yield Lexeme(found.lastgroup or "", piece, piece.lower(), found.start())
    yield Lexeme("end", "", "", len(text))


class Parser:
    """The place in the text, and one method for each rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(tokens(text))
        self.next = self.depth = self.subqueries = 0

    @property
    def token(self) -> Lexeme:
        """Look at the token that comes next."""
        return self.tokens[self.next]

    def take(self) -> Lexeme:
        """Step over the next token; the end stays where it is."""
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def accepts(self, *words: str) -> bool:
        """Step over the next token if it is one of these words."""
        found = self.tokens[self.next].word in words
        self.next += found
        return found

    def expect(self, word: str) -> Lexeme:
        """Step over this word, or stumble."""
        if self.token.word != word:
            raise self.unexpected()
        return self.take()

    def items(self, rule: Callable[[], T]) -> tuple[T, ...]:
        """Read one or more of a rule, with commas between them."""
        found = [rule()]
        while self.accepts(","):
            found.append(rule())
        return tuple(found)

    # --- refusals -------------------------------------------------------------------------------

    def refuse(
        self, message: str, at: int, code: str = "SYNTAX_ERROR", **details: Any
    ) -> ParseError:
        """Make a refusal at a place of this text."""
        return ParseError(code, message, details, text=self.text, at=at)

    def unexpected(self) -> ParseError:
        """Make the refusal of the next token."""
        token = self.token
        if token.word in _UNSUPPORTED:
            return self.refuse("given coql query not supported", token.at)
        line, column = place(self.text, token.at)
        return self.refuse("unexpected token", token.at, line=line, column=column, near=token.text)

    def unparsable(self) -> ParseError:
        """Make the refusal of a condition that comes in threes; the spelling is Zoho's."""
        return self.refuse("error occured while parsing the query", self.token.at, near="where")

    # --- the query and its clauses --------------------------------------------------------------

    def whole(self) -> Query:
        """Read a query and nothing behind it."""
        query = self.query()
        if self.token.kind != "end":
            raise self.unexpected()
        return query

    def query(self) -> Query:
        """Read ``SELECT … FROM … WHERE …`` and what may follow."""
        at = self.token.at
        if not self.accepts("select"):
            raise self.refuse("given coql query not supported", at)
        columns = self.columns()
        self.clause("from")
        module, cvid = self.module()
        where = self.where()
        group_by = self.by("group", self.path)
        order_by = self.by("order", self.order)
        limit, offset = self.limit()
        query = Query(
            columns, module.text, where, cvid, group_by, order_by, limit, offset, at, module.at
        )
        check_names(query, self.text)
        return query

    def clause(self, word: str) -> None:
        """Step over the keyword of a clause that every query has."""
        if self.accepts(word):
            return
        if self.token.word in _CLAUSES:
            raise self.refuse("missing clause", self.token.at, clause=word)
        raise self.unexpected()

    def columns(self) -> tuple[SelectItem, ...]:
        """Read the SELECT list."""
        return self.items(self.column)

    def column(self) -> SelectItem:
        """Read one item of the SELECT list."""
        expression = self.expression()
        return SelectItem(expression, self.alias() if self.accepts("as") else None)

    def alias(self) -> str:
        """Read a bare word, or anything in quotes."""
        if self.token.kind == "text":
            return _unquoted(self.take().text)
        return self.bare_word().text

    def module(self) -> tuple[Lexeme, str | None]:
        """Read a module's name and the custom view behind ``#``."""
        module = self.bare_word()
        return module, self.take().text if self.accepts("#") else None

    def by(self, clause: str, rule: Callable[[], T]) -> tuple[T, ...]:
        """Read ``GROUP BY …`` or ``ORDER BY …``, or nothing."""
        if not self.accepts(clause):
            return ()
        self.expect("by")
        return self.items(rule)

    def order(self) -> OrderBy:
        """Read one key of ORDER BY."""
        key = self.expression()
        descending = self.token.word == "desc"
        self.accepts("asc", "desc")
        return OrderBy(key, descending)

    def limit(self) -> tuple[int | None, int | None]:
        """Read LIMIT in its three spellings, as limit and offset."""
        if not self.accepts("limit"):
            return None, None
        limit, offset = self.signed(), None
        if self.accepts(","):
            limit, offset = self.signed(), limit
        elif self.accepts("offset"):
            offset = self.signed()
        rows = self.row_count("limit", limit)
        if rows < 1:
            raise self.refuse("limit should be greater than 0", limit.at, "INVALID_DATA")
        return rows, offset and self.row_count("offset", offset)

    def signed(self) -> Lexeme:
        """Take any token, together with a minus before it."""
        token = self.take()
        if token.text == "-":
            text = "-" + self.take().text
            return Lexeme("number", text, text, token.at)
        return token

    def row_count(self, what: str, token: Lexeme) -> int:
        """Read a number of rows; only a LIMIT below zero is refused in other words."""
        digits = token.text.removeprefix("-") if what == "limit" else token.text
        if not digits.isdecimal():
            message = "limit given seems to be invalid"
            raise self.refuse(message, token.at, "INVALID_QUERY", **{what: token.text})
        return int(token.text)

    # --- conditions -----------------------------------------------------------------------------

    def where(self) -> Condition:
        """Read ``WHERE …``."""
        self.clause("where")
        return self.condition()

    def condition(self) -> Condition:
        """Read one operand, or exactly two with AND or OR between them."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.unparsable()
        condition = self.operand()
        connector = self.token.word
        if self.accepts("and", "or"):
            right = self.operand()
            condition = Logic("and" if connector == "and" else "or", condition, right, condition.at)
        while isinstance(condition, Logic) and self.token.word in {"and", "or"}:
            condition = self.third(condition)
        self.depth -= 1
        return condition

    def third(self, chain: Logic) -> Logic:
        """Refuse a third operand."""
        raise self.unparsable()

    def operand(self) -> Condition:
        """Read a condition in brackets, or a criterion."""
        if not self.accepts("("):
            return self.criterion()
        condition = self.condition()
        self.expect(")")
        return condition

    def criterion(self) -> Condition:
        """Read a path and its comparison."""
        if self.token.word == "not":
            raise self.unknown_operator(self.token)
        path = self.path()
        operator, negated = self.token, self.accepts("not")
        word = self.token.word
        compared = _COMPARISONS.get(f"not {word}" if negated else word)
        if compared:
            self.take()
            value = self.literal() if word == "like" else self.value()
            return Comparison(path, compared, value, path.at)
        if word == "between":
            return self.between(path, negated)
        if word == "in":
            return self.membership(path, negated)
        if word == "is" and not negated:
            return self.is_null(path)
        raise self.unknown_operator(operator)

    def unknown_operator(self, token: Lexeme) -> ParseError:
        """Make the refusal of a word or sign where an operator belongs."""
        signs = token.kind == "mark" and token.text[0] in "=<>!~"
        words = token.kind == "name" and token.word not in RESERVED - {"not"}
        if signs or words:
            return self.refuse("operator not supported", token.at, operator=token.text)
        return self.unexpected()

    def between(self, path: Path, negated: bool) -> Between:
        """Read ``between low and high``, whose AND joins nothing."""
        self.expect("between")
        low = self.literal()
        self.expect("and")
        return Between(path, low, self.literal(), negated, path.at)

    def membership(self, path: Path, negated: bool) -> Membership:
        """Read ``in (…)`` with literals or a subquery."""
        self.expect("in")
        at = self.expect("(").at
        values = self.subquery(at) if self.token.word == "select" else self.items(self.literal)
        self.expect(")")
        return Membership(path, values, negated, path.at)

    def is_null(self, path: Path) -> IsNull:
        """Read ``is [not] null``."""
        self.expect("is")
        negated = self.accepts("not")
        self.expect("null")
        return IsNull(path, negated, path.at)

    def value(self) -> Literal | Subquery:
        """Read what a path is compared with."""
        at = self.token.at
        if not self.accepts("("):
            return self.literal()
        subquery = self.subquery(at)
        self.expect(")")
        return subquery

    def subquery(self, at: int) -> Subquery:
        """Read a query for one column; Zoho numbers them from 0 by their brackets."""
        if self.token.word != "select":
            raise self.unexpected()
        sequence = self.subqueries
        self.subqueries += 1
        query = self.query()
        if len(query.columns) > 1:
            names = [column.expression.text for column in query.columns]
            raise self.refuse(
                "subquery should contains only one column",
                at,
                "INVALID_QUERY",
                sub_query_sequence=sequence,
                column_name=names,
            )
        return Subquery(query, at)

    # --- names and values -----------------------------------------------------------------------

    def expression(self) -> Expression:
        """Read a path, or a function of one."""
        function = self.token
        if function.kind != "name" or self.tokens[self.next + 1].text != "(":
            return self.path()
        if function.word in RESERVED:
            raise self.unexpected()
        self.next += 2
        aggregate = Aggregate(self.function(function), self.path(), function.at)
        self.expect(")")
        if aggregate.function not in AGGREGATES:
            reason = "unsupported aggregate function"
            raise self.refuse(
                "invalid data", aggregate.at, "INVALID_DATA", reason=reason, column=aggregate.text
            )
        return aggregate

    def function(self, token: Lexeme) -> str:
        """Spell a function as it is written."""
        return token.text

    def path(self) -> Path:
        """Read a field or a walk to one, bare or in quotes."""
        token = self.token
        quoted = token.kind == "text"
        root, name = _root(_unquoted(token.text) if quoted else token.text)
        steps = _steps(name)
        if token.kind not in {"text", "name"} or not all(step.name for step in steps):
            raise self.unexpected()
        if not quoted and not RESERVED.isdisjoint(token.word.split(".")):
            self.reserved(token)
        self.next += 1
        return Path(steps, root, token.at)

    def reserved(self, token: Lexeme) -> None:
        """Refuse a word of COQL's own as a name."""
        raise self.unexpected()

    def literal(self) -> Literal:
        """Read text in quotes, a number, true or false, or a bare word of a picklist."""
        token, sign = self.token, 1
        if token.kind == "text":
            return Literal(_unquoted(self.take().text), True, token.at)
        if token.word in {"true", "false"}:
            return Literal(self.take().word == "true", False, token.at)
        if self.token.text == "-" and self.tokens[self.next + 1].kind == "number":
            self.next, sign = self.next + 1, -1
        if self.token.kind == "number":
            text = self.take().text
            return Literal(sign * (float(text) if "." in text else int(text)), False, token.at)
        return Literal(self.bare_word().text, False, token.at)

    def bare_word(self) -> Lexeme:
        """Read a plain name: one step, not reserved, not in quotes."""
        token = self.token
        if token.kind != "name" or token.word in RESERVED or not token.text.isidentifier():
            raise self.unexpected()
        return self.take()


def _unquoted(text: str) -> str:
    """Take off the quotes, and make the doubled ones inside single."""
    return text[1:-1].replace(text[0] * 2, text[0])


def _root(name: str) -> tuple[str | None, str]:
    """Part ``!Leads.City`` into the module and the rest, which may be empty."""
    if not name.startswith("!"):
        return None, name
    root, _, rest = name[1:].partition(".")
    return root, rest


def _steps(name: str) -> tuple[Step, ...]:
    """Cut a path into steps; ``What_Id->Leads`` names the module that the next one is in."""
    steps, module = [], None
    for part in name.split("."):
        field, arrow, target = part.partition("->")
        steps.append(Step(field, module))
        module = target if arrow else None
    return (*steps, Step("")) if module is not None else tuple(steps)


# ---- Names that clash ----------------------------------------------------------------------------


def check_names(query: Query, text: str) -> None:
    """Refuse columns, aliases and sort keys that are there twice or stand in each other's way."""
    _check_duplicates(query, text)
    _check_aliases(query, text)


def _check_duplicates(query: Query, text: str) -> None:
    """Refuse the same column twice in one clause, and an aggregate both selected and sorted by."""
    selected = [column.expression for column in query.columns]
    _refuse_twin(selected, text)
    _refuse_twin(query.group_by, text)
    _refuse_twin([order.key for order in query.order_by], text)
    sorted_by = [order.key for order in query.order_by if isinstance(order.key, Aggregate)]
    _refuse_twin([*aggregates(query), *sorted_by], text)


def _refuse_twin(expressions: Iterable[Expression], text: str) -> None:
    """Refuse the second of two equal expressions."""
    seen: set[Expression] = set()
    for each in expressions:
        if each in seen:
            raise _twin(each, text)
        seen.add(each)


def _twin(expression: Expression, text: str) -> ParseError:
    """Make the refusal of a twin; ORDER BY and GROUP BY have no documented words of their own."""
    code, at = "DUPLICATE_DATA", expression.at
    if isinstance(expression, Aggregate):
        details = {"column_name": expression.path.text, "aggregate": expression.function}
        return ParseError(code, "duplicate aggregate function", details, text=text, at=at)
    details = {"column_name": expression.text}
    return ParseError(code, "duplicate select column", details, text=text, at=at)


def _check_aliases(query: Query, text: str) -> None:
    """Refuse an alias that is empty, given twice, or the name of a column without an alias."""
    plain = {column.key for column in query.columns if column.alias is None}
    owners: dict[str, str] = {}
    for column in query.columns:
        name, alias, at = column.expression.text, column.alias, column.expression.at
        if alias is None:
            continue
        details = {"column_name": name, "alias": alias}
        if not alias:
            message = "alias name cannot be an empty string"
            raise ParseError("INVALID_ALIAS", message, details, text=text, at=at)
        if alias in owners:
            twice = {"referred_columns": [owners[alias], name], "alias": alias}
            message = "same alias cannot refer more than one column"
            raise ParseError("DUPLICATE_ALIAS", message, twice, text=text, at=at)
        if alias in plain:
            message = (
                "column name or property name given in select columns without alias name "
                "cannot be an alias name for other select columns"
            )
            raise ParseError("INVALID_QUERY", message, details, text=text, at=at)
        owners[alias] = name
