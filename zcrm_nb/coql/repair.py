"""What a query means although Zoho would refuse it, where there is only one thing it can mean."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from zcrm_nb.coql.diagnostics import ParseError, found
from zcrm_nb.coql.fields import is_readable
from zcrm_nb.coql.grammar import AGGREGATES, RESERVED, Parser
from zcrm_nb.coql.text import cleaned, quoted, to_text
from zcrm_nb.coql.tree import (
    LIMITS,
    Aggregate,
    IsNull,
    Literal,
    Logic,
    Membership,
    Path,
    SelectItem,
    Step,
    check_limits,
    criteria,
    is_long,
    literals,
    parts,
    split_list,
    subqueries,
    with_short_lists,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb.coql.diagnostics import Finding
    from zcrm_nb.coql.fields import FieldsOf
    from zcrm_nb.coql.grammar import Lexeme
    from zcrm_nb.coql.text import Pasted
    from zcrm_nb.coql.tree import Condition, Expression, Query

__all__ = ["STAR", "as_sql", "repair"]

STAR = "COQL has no *."

_ID = Path((Step("id"),))
_SIGNS = {
    **{"<>": "!=", "==": "=", "===": "=", "!==": "!=", "=>": ">=", "=<": "<="},
    **{"\u2260": "!=", "\u2264": "<=", "\u2265": ">=", "&&": "and", "||": "or"},
}
T = TypeVar("T")

# Where a text has nothing but these, no sign is spelt differently.
_PLAIN = re.compile(r"(?:'[^']*'|[\w\s.,()*;#%+/-]++|(?:[<>]=?|!?=)(?![<>=]))*+", re.ASCII)
_NULLS = frozenset({"null", "none"})
_AFTER_NAME = frozenset(
    {"", ",", ")", "from", "as", "asc", "desc", "group", "order", "limit", "and", "or"}
    | {"=", "!=", ">", ">=", "<", "<=", "like", "not", "in", "between", "is"}
)


def repair(text: str, fields_of: FieldsOf | None = None) -> tuple[Query, list[Finding]]:
    """Read a query, and write differently what Zoho would refuse but can only mean one thing.

    Notes
    -----
    Comments, a semicolon at the end and a comma too many go; odd blanks become blanks, curly quotes
    plain ones. A missing WHERE becomes ``where id is not null``; a chain of ANDs, or of ORs, is put
    into brackets in pairs; ``<>`` and ``==`` become ``!=`` and ``=``, ``= null`` becomes
    ``is null``. Aggregates become upper case, ``COUNT(*)`` becomes ``COUNT(id)``, ``*`` the fields
    that COQL can read. Dates, and names that are keywords, gain quotes; names lose backticks. NOT
    IN lists of more than 100 values, and IN lists that cannot be sent one after the other, become
    several lists in one query.

    Examples
    --------
    >>> from zcrm_nb.coql import repair, to_text
    >>> query, changes = repair("select City, count(id) from Leads group by City")
    >>> to_text(query)
    'select City, COUNT(id) from Leads where id is not null group by City'
    >>> [change.fix for change in changes]
    ['Written as COUNT.', 'Written as: where id is not null']
    """
    parser = _Mender(text)
    query = parser.whole()
    query, listed = _with_columns(query, parser.star, text, fields_of)
    query, cut = _with_short_lists(query, text)
    _check_sizes(query, text)
    return query, [*parser.changes, *listed, *cut]


class _Mender(Parser):
    """The grammar, reading on where there is only one way to."""

    def __init__(self, text: str) -> None:
        plain, pasted = cleaned(text)
        super().__init__(plain)
        self.text = text
        self.changes: list[Finding] = []
        self.star: Path | None = None
        self.clean(pasted)
        if not _PLAIN.fullmatch(plain):
            self.tokens = [self.spelt(token) for token in self.tokens]
            self.brackets()
        if [token.text for token in self.tokens[-2:]] == [";", ""]:
            self.change(self.tokens.pop(-2).at, "COQL has no semicolon.", "Left out.")

    def clean(self, pasted: list[Pasted]) -> None:
        """Write down what is read differently of a text that was pasted; odd blanks once each."""
        seen: set[str] = set()
        for kind, text, at in pasted:
            if kind == "comment":
                self.change(at, "COQL has no comments.", "Left out.")
            elif text[0] not in seen:
                seen.add(text[0])
                name = unicodedata.name(text[0], "character without a name")
                if text[0] == "\ufeff":
                    name = "BYTE ORDER MARK"
                instead = {"blank": "a blank", "minus": "-"}.get(kind, "a plain quote")
                problem = f"COQL does not know the {name} (U+{ord(text[0]):04X})."
                self.change(at, problem, f"Read as {instead}.")

    def change(self, at: int, problem: str, fix: str, code: str = "SYNTAX_ERROR") -> None:
        """Write down what is read differently."""
        self.changes.append(found(self.text, at, problem, fix, severity="repaired", code=code))

    def spelt(self, token: Lexeme) -> Lexeme:
        """Spell a sign, or a name in other quotes, as COQL does."""
        if token.kind == "tick":
            return self.ticked(token)
        sign = _SIGNS.get(token.text)
        if sign is None:
            return token
        self.change(token.at, f"COQL does not know {token.text}.", f"Written as {sign}")
        return token._replace(text=sign, word=sign, kind="name" if sign.isalpha() else "mark")

    def ticked(self, token: Lexeme) -> Lexeme:
        """Take a name out of backticks or square brackets."""
        name = token.text[1:-1].strip()
        is_plain = name.replace(".", "_").isidentifier() and name.lower() not in RESERVED
        written = name if is_plain else quoted(name)
        self.change(token.at, f"COQL has no {token.text[0]} around names.", f"Written as {written}")
        return token._replace(kind="name" if is_plain else "text", text=written, word=name.lower())

    def brackets(self) -> None:
        """Read ``in ['Pune', 'Goa']`` as a list in round brackets."""
        opened = 0
        for n in range(1, len(self.tokens)):
            token = self.tokens[n]
            if token.text == "[" and self.tokens[n - 1].word == "in":
                self.change(token.at, "COQL has lists in round brackets.", "Written so.")
                self.tokens[n] = token._replace(kind="mark", text="(", word="(")
                opened += 1
            elif token.text == "]" and opened:
                self.tokens[n] = token._replace(kind="mark", text=")", word=")")
                opened -= 1

    def items(self, rule: Callable[[], T]) -> tuple[T, ...]:
        """Read one or more of a rule, with commas between them; one at the end is left out."""
        found_items = [rule()]
        while self.token.text == ",":
            comma = self.take()
            if self.token.word in {"from", ")"} and self.tokens[self.next + 1].word != ",":
                self.change(comma.at, "This comma is one too many.", "Left out.")
                break
            found_items.append(rule())
        return tuple(found_items)

    def module(self) -> tuple[Lexeme, str | None]:
        """Read a module's name, out of quotes too."""
        token = self.token
        if token.kind == "text" and token.text[1:-1].isidentifier():
            name = token.text[1:-1]
            self.change(token.at, "A module stands without quotes.", f"Written as {name}")
            self.tokens[self.next] = token._replace(kind="name", text=name, word=name.lower())
        return super().module()

    def criterion(self) -> Condition:
        """Read a path and its comparison; with NULL, only IS compares."""
        sign, value = (self.tokens[min(self.next + n, len(self.tokens) - 1)] for n in (1, 2))
        if sign.text in {"=", "!="} and value.word in _NULLS and value.kind == "name":
            path, negated = self.path(), sign.text == "!="
            self.next += 2
            right = f"is {'not ' * negated}null"
            self.change(sign.at, f"{sign.text} does not compare with NULL.", f"Written as {right}")
            return IsNull(path, negated, path.at)
        return super().criterion()

    def literal(self) -> Literal:
        """Read a value; a date without quotes is one all the same."""
        if self.token.kind != "date":
            return super().literal()
        token = self.take()
        self.change(token.at, "A date needs quotes.", f"Written as '{token.text}'")
        return Literal(token.text, True, token.at)

    def columns(self) -> tuple[SelectItem, ...]:
        """Read the SELECT list, or the star in its place."""
        if self.token.text != "*" or self.tokens[self.next + 1].word != "from":
            return super().columns()
        self.star = Path((Step("*"),), at=self.take().at)
        return (SelectItem(self.star),)

    def where(self) -> Condition:
        """Read ``WHERE …``; a query that goes on without one means every record."""
        if self.token.word not in {"", ")", "group", "order", "limit"}:
            return super().where()
        at = self.token.at
        self.change(at, "COQL needs a WHERE in every query.", "Written as: where id is not null")
        return IsNull(_ID, negated=True, at=at)

    def third(self, chain: Logic) -> Logic:
        """Read on a chain of one connector; which of two binds first, the writer has to say."""
        connector = self.token
        if connector.word != chain.operator:
            raise self.unparsable()
        problem = f"COQL joins two conditions at a time; this {connector.word} adds a third."
        self.change(connector.at, problem, "Put into brackets in pairs.")
        while self.accepts(chain.operator):
            chain = Logic(chain.operator, chain, self.operand(), chain.at)
        return chain

    def expression(self) -> Expression:
        """Read a path, or a function of one; ``COUNT(*)`` counts records, as their ids do."""
        at = self.token.at
        if self.token.word != "count" or not self.counts_star():
            return super().expression()
        self.next += 4
        self.change(at, "COQL has no COUNT(*).", "Written as COUNT(id).")
        return Aggregate("COUNT", _ID, at)

    def counts_star(self) -> bool:
        """Check whether a function's argument is a star."""
        return [token.text for token in self.tokens[self.next + 1 : self.next + 4]] == list("(*)")

    def function(self, token: Lexeme) -> str:
        """Spell an aggregate in upper case."""
        name = token.text.upper()
        if name not in AGGREGATES or name == token.text:
            return token.text
        problem = f"COQL knows {name} only in upper case."
        self.change(token.at, problem, f"Written as {name}.", "INVALID_DATA")
        return name

    def reserved(self, token: Lexeme) -> None:
        """Let a word of COQL's pass as a name where nothing else can be meant."""
        follows = self.tokens[self.next + 1].word
        if "." not in token.text and follows not in _AFTER_NAME:
            super().reserved(token)
        problem = f"{token.text} is a keyword of COQL."
        self.change(token.at, problem, f"Written in quotes: '{token.text}'")

    def alias(self) -> str:
        """Read an alias, a word of COQL's too."""
        if self.token.kind != "name" or self.token.word not in RESERVED:
            return super().alias()
        self.reserved(self.token)
        return self.take().text


# ---- select * ------------------------------------------------------------------------------------


def _with_columns(
    query: Query, star: Path | None, text: str, fields_of: FieldsOf | None
) -> tuple[Query, list[Finding]]:
    """Put the fields of the module in the place of a star."""
    if star is None:
        return query, []
    if fields_of is None:
        raise ParseError("SYNTAX_ERROR", "given coql query not supported", text=text, at=star.at)
    known = fields_of(query.module).values()
    fields = [each for each in known if is_readable(query.module, each)]
    if not fields:
        return query, []  # the linter reports an unknown module
    columns = tuple(SelectItem(Path((Step(each["api_name"]),), at=star.at)) for each in fields)
    fix = f"Written as the {len(columns)} fields of {query.module} that COQL can read."
    change = found(text, star.at, STAR, fix, severity="repaired", code="SYNTAX_ERROR")
    return replace(query, columns=columns), [change]


# ---- Lists that are too long ---------------------------------------------------------------------


def _with_short_lists(query: Query, text: str) -> tuple[Query, list[Finding]]:
    """Write long lists as several in one query, except the one that several queries can share."""
    long = [each for each in _criteria(query) if isinstance(each, Membership) and is_long(each)]
    shared = split_list(query)
    changes = [_shortened(each, text, in_turn=each is shared) for each in long]
    return (with_short_lists(query, shared) if long else query), changes


def _criteria(query: Query) -> Iterator[Condition]:
    """Yield the criteria of a query and of its subqueries."""
    yield from criteria(query.where)
    for subquery in subqueries(query):
        yield from criteria(subquery.query.where)


def _shortened(membership: Membership, text: str, *, in_turn: bool) -> Finding:
    """Describe how a list that is too long is sent."""
    size = len(literals(membership))
    lists = -(-size // LIMITS["in"])
    way = f"Sent in {lists} queries." if in_turn else f"Written as {lists} lists."
    problem = f"This list has {size} values, and Zoho takes {LIMITS['in']}."
    code = "LIMIT_EXCEEDED"
    return found(text, membership.at, problem, way, severity="repaired", code=code)


def _check_sizes(query: Query, text: str) -> None:
    """Refuse what is still too large; a LIMIT may be any number, because pages are fetched."""
    check_limits(replace(parts(query)[0], limit=None, offset=None), text)


# ---- AND before OR -------------------------------------------------------------------------------


class _SqlReader(_Mender):
    """Reads AND before OR, as SQL does, where COQL needs brackets."""

    def third(self, chain: Logic) -> Logic:
        """Read on: what AND joins is one operand of OR."""
        connector = self.take()
        right = self.operand()
        if connector.word == "and" and chain.operator == "or":
            return replace(chain, right=Logic("and", chain.right, right, chain.right.at))
        return Logic("and" if connector.word == "and" else "or", chain, right, chain.at)


def as_sql(text: str) -> str:
    """Write a query with the brackets that SQL reads into it; empty where it has other faults."""
    try:
        return to_text(_SqlReader(text).whole())
    except ParseError:
        return ""
