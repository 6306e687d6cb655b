"""The words around one place of a query, and changes to them."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.coql.grammar import tokens
from zcrm_nb.coql.text import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.coql.diagnostics import Edit
    from zcrm_nb.coql.grammar import Lexeme

__all__ = ["CLAUSES", "ENDS", "KEYWORDS", "Advice", "TokenContext", "is_near"]


class Advice(NamedTuple):
    """What is wrong at a place, what to write, and the changes that write it."""

    problem: str
    fix: str
    edits: tuple[Edit, ...] = ()
    at: int | None = None


CLAUSES = ("select", "from", "where", "group", "having", "order", "limit", "offset")
KEYWORDS = ("select", "from", "where", "group", "order", "by", "limit", "offset", "and", "or")
ENDS = frozenset({"", ")", "and", "or", "group", "order", "limit", "having", "offset", "union"})


@dataclass
class TokenContext:
    """A text and the token at one position of it."""

    text: str
    at: int

    def __post_init__(self) -> None:
        self.tokens: list[Lexeme] = list(tokens(cleaned(self.text)[0]))
        before = [n for n, token in enumerate(self.tokens) if token.at <= self.at]
        self.index = before[-1] if before else 0

    @property
    def token(self) -> Lexeme:
        """The token at the place."""
        return self.tokens[self.index]

    def near(self, step: int) -> Lexeme:
        """Look at a token before or behind the place."""
        return self.tokens[min(max(self.index + step, 0), len(self.tokens) - 1)]

    @cached_property
    def before(self) -> Lexeme:
        """The token before the place."""
        return self.near(-1)

    @cached_property
    def clause(self) -> str:
        """The keyword of the clause that the place is in."""
        return self.clause_of(self.index)

    def clause_of(self, index: int) -> str:
        """Find the keyword of a clause, in the same brackets or context them."""
        depth = 0
        for token in reversed(self.tokens[:index]):
            depth += {"(": -1, ")": 1}.get(token.text, 0)
            if depth <= 0 and token.word in CLAUSES:
                return token.word
        return ""

    def end_of(self, index: int) -> int:
        """Find where a token ends in the text."""
        token = self.tokens[min(index, len(self.tokens) - 1)]
        return token.at + len(token.text)

    def until(self, index: int, words: Iterable[str]) -> int:
        """Find the next token of some words, in the same brackets."""
        depth = 0
        for n in range(index, len(self.tokens)):
            text, word = self.tokens[n].text, self.tokens[n].word
            if depth <= 0 and (word in words or not text or text == ")"):
                return n
            depth += {"(": 1, ")": -1}.get(text, 0)
        return len(self.tokens) - 1

    def closing(self, index: int) -> int:
        """Find the bracket that closes the one at ``index``."""
        return self.until(index + 1, ())

    def item_end(self, index: int) -> int:
        """Find what follows the item of a list that begins at ``index``."""
        return self.until(index, {",", "from", *ENDS, "asc", "desc"})

    def find(self, *words: str) -> int | None:
        """Find the first place of some words in a row."""
        for n in range(len(self.tokens) - len(words)):
            if all(self.tokens[n + k].word == word for k, word in enumerate(words)):
                return n
        return None

    def words(self, start: int, end: int) -> str:
        """Cut the text from one token up to another."""
        return self.text[self.tokens[start].at : self.end_of(end - 1)] if end > start else ""

    # --- changes ------------------------------------------------------------------------------

    def swap(self, index: int, new: str, last: int | None = None) -> Edit:
        """Write something in the place of a token, or of several."""
        return self.tokens[index].at, self.end_of(index if last is None else last), new

    def cut(self, start: int, end: int) -> Edit:
        """Leave out the tokens from one up to another, and the blank before them."""
        first, last = self.tokens[start].at, self.end_of(end - 1)
        first -= self.text[first - 1 : first].isspace() and last > first
        return first, last, ""

    def insert(self, index: int, new: str) -> Edit:
        """Write something behind the token before ``index``."""
        at = self.end_of(index - 1)
        return at, at, new

    def value_words(self) -> tuple[int, int]:
        """Find the words between an operator and what follows a value."""
        start = self.index
        while start and self.tokens[start - 1].word not in _BEFORE_VALUES:
            start -= 1
        return start, self.until(start, {",", *ENDS})


def is_near(word: str, words: Iterable[str]) -> bool:
    """Check whether a word looks like a misspelt one."""
    return word not in set(words) and bool(get_close_matches(word, list(words), 1, 0.74))


_BEFORE_VALUES = frozenset(
    {"=", "!=", ">", ">=", "<", "<=", "<>", "==", "like", "in", "between", "and", "or", "(", ","}
)
