r"""Zoho's search criteria, ``((Last_Name:equals:Osei) and (Company:starts_with:N))``, as SQL.

The small language of ``/search`` and ``/actions/count``: leaves of field, operator and value,
joined by ``and`` and ``or``. ``(``, ``)`` and ``,`` inside a value are escaped by a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.emulator.query.conditions import (
    NUMBERS,
    PICKLISTS,
    REFERENCES,
    SIGNS,
    TEXTS,
    Condition,
    compared,
    joined,
    listed_in,
    negation,
)
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.parameters import not_matched

if TYPE_CHECKING:
    from zcrm_nb.emulator.settings import Settings
    from zcrm_nb.emulator.storage.schema import Field, Module

IN_VALUES = 100

_TEXT = TEXTS - PICKLISTS - {"autonumber"}
_LOOKUP = REFERENCES | {"id"}
_SAME = frozenset({"equals", "not_equal", "in"})
OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("picklist", "autonumber", *_LOOKUP), _SAME),
    **dict.fromkeys((*_TEXT, "multiselectpicklist"), _SAME | {"starts_with"}),
    "boolean": frozenset({"equals", "not_equal"}),
    **dict.fromkeys((*NUMBERS, "date", "datetime"), _SAME | {"between", *SIGNS}),
}
"""Operators for each type of field, from the table on Zoho's record-count page."""


class Leaf(NamedTuple):
    """One criterion, as written."""

    field: str
    operator: str
    value: str


_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<leaf>\(\s*(?P<field>[\w$.]+)\s*:\s*(?P<operator>\w+)\s*:(?P<value>(?:\\.|[^\\()])*)\))"
    r"|(?P<open>\()|(?P<close>\))|(?P<word>and|or)\b)",
    re.I,
)


def condition(text: str, module: Module, settings: Settings) -> Condition:
    """Turn the text of a ``criteria`` parameter into SQL over a module's table."""
    tokens = list(_tokens(text))
    if sum(isinstance(each, Leaf) for each in tokens) > settings.search_criteria:
        words = f"no of criterium that can be given exceed the limit {settings.search_criteria}"
        raise Refusal(400, "CRITERIA_LIMIT_EXCEEDED", words)
    parser = _Parser(tokens, lambda leaf: _leaf_sql(leaf, module, settings))
    return parser.whole()


def _tokens(text: str) -> Iterable[Leaf | str]:
    """Cut the text into leaves, brackets and connectors."""
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _invalid("criteria cannot be parsed", near=text[at : at + 30])
        at = found.end()
        if found["leaf"]:
            yield Leaf(found["field"], found["operator"].lower(), found["value"].strip())
        else:
            yield found[0].strip().lower()


class _Parser:
    """Recursive descent over the tokens; ``and`` binds tighter than ``or``."""

    def __init__(self, tokens: list[Leaf | str], leaf_sql: Callable[[Leaf], Condition]) -> None:
        self._tokens, self._at, self._leaf_sql = tokens, 0, leaf_sql

    def whole(self) -> Condition:
        """Parse everything there is."""
        parsed = self._joined("or")
        if self._at < len(self._tokens):
            raise _invalid("criteria cannot be parsed", near=str(self._tokens[self._at]))
        return parsed

    def _joined(self, word: str) -> Condition:
        """Parse a chain of ``or``, or inside it a chain of ``and``."""
        parts = [self._part(word)]
        while self._peek() == word:
            self._at += 1
            parts.append(self._part(word))
        if len(parts) == 1:
            return parts[0]
        return joined(parts, word.upper())

    def _part(self, word: str) -> Condition:
        """Parse what ``or`` joins, or what ``and`` joins."""
        return self._joined("and") if word == "or" else self._term()

    def _term(self) -> Condition:
        """Parse a leaf, or brackets with criteria in them."""
        first = self._peek()
        self._at += 1
        if isinstance(first, Leaf):
            return self._leaf_sql(first)
        if first != "(":
            raise _invalid("criteria cannot be parsed", near=str(first or "end"))
        inside = self._joined("or")
        if self._peek() != ")":
            raise _invalid("criteria cannot be parsed", near=str(self._peek() or "end"))
        self._at += 1
        return inside

    def _peek(self) -> Leaf | str | None:
        """Look at the next token."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None


def _leaf_sql(leaf: Leaf, module: Module, settings: Settings) -> Condition:
    """Check one criterion against its field and write it as SQL."""
    field = module.by_name.get(leaf.field)
    kind = _kind(field) if field else ""
    if field is None or field.column is None or kind not in OPERATORS:
        raise _invalid("the field is not available for search", api_name=leaf.field)
    if leaf.operator not in OPERATORS[kind]:
        raise _invalid("invalid operator found", api_name=leaf.field, operator=leaf.operator)
    column = f'"{field.api_name}"'
    values = _values(leaf)
    try:
        stored = [_READERS.get(kind, str)(value) for value in values]
    except ValueError:
        details = {"value": leaf.value, "expected_data_type": kind}
        raise _invalid("invalid value", api_name=leaf.field, **details) from None
    if kind == "multiselectpicklist":
        return _multi_sql(column, leaf.operator, values)
    if kind in _TEXT and leaf.operator in ("equals", "starts_with"):
        return _text_sql(column, leaf.operator, values[0], settings)
    return _plain_sql(column, leaf.operator, stored)


_PARTS = re.compile(r"(?:[^,\\]|\\.?)+")


def _values(leaf: Leaf) -> list[str]:
    """Split the value of a leaf after ``in`` and ``between``; otherwise there is one."""
    several = leaf.operator in ("in", "between")
    parts = _PARTS.findall(leaf.value) or [""] if several else [leaf.value]
    if leaf.operator == "in" and len(parts) > IN_VALUES:
        words = 'Only 100 values are allowed in "IN" criteria'
        details = {"api_name": leaf.field, "param_name": "criteria"}
        raise Refusal(400, "INVALID_QUERY", words, details)
    if leaf.operator == "between" and len(parts) != 2:
        raise _invalid("between takes two values", api_name=leaf.field, value=leaf.value)
    return [re.sub(r"\\([(),\\])", r"\1", part.strip()) for part in parts]


def _plain_sql(column: str, operator: str, values: list[object]) -> Condition:
    """Compare a column with values of its own type."""
    return compared(column, "equal" if operator == "equals" else operator, values)


def _text_sql(column: str, operator: str, value: str, settings: Settings) -> Condition:
    """Compare text: ``equals`` finds parts too, as Zoho's search does."""
    if operator == "equals" and not settings.equals_contains:
        return Condition(f"{column} = ? COLLATE NOCASE", (value,))
    return compared(column, "contains" if operator == "equals" else operator, [value])


def _multi_sql(column: str, operator: str, values: list[str]) -> Condition:
    """Compare the values of a multi-select picklist."""
    if operator == "starts_with":
        return compared(column, operator, values)
    found = listed_in(column, values)
    return negation(found) if operator == "not_equal" else found


def contact(kind: str, value: str, module: Module) -> Condition:
    """Look for part of an address in all fields of type ``email`` or ``phone``."""
    if kind == "phone" and not _PHONE.fullmatch(value):
        raise not_matched("phone")
    return _anywhere(module, {kind}, value)


def word(value: str, module: Module) -> Condition:
    """Look for a word in all text of a record; one ``*`` at its end changes nothing."""
    if not 2 <= len(value) <= 100 or value.count("*") > 1:
        raise not_matched("word")
    kinds = {*TEXTS}
    return _anywhere(module, kinds, value.removesuffix("*"))


_PHONE = re.compile(r"[+]?[0-9\s().-]{3,}")


def _anywhere(module: Module, kinds: set[str], value: str) -> Condition:
    """Look for a text in all fields of some types."""
    fields = (field for field in module.fields if field.column and _kind(field) in kinds)
    parts = (compared(f'"{field.api_name}"', "contains", [value]) for field in fields)
    return joined(parts, "OR")


def _kind(field: Field) -> str:
    """Tell as what type a field is searched."""
    return "id" if field.api_name == "id" else field.kind


def _boolean(text: str) -> int:
    """Read true or false."""
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return int(text.lower() == "true")


def _epoch(text: str) -> int:
    """Read a datetime with its offset as epoch seconds."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return int(moment.timestamp())


_READERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(_LOOKUP, int),
    **dict.fromkeys(NUMBERS, float),
    **dict.fromkeys(("integer", "bigint"), int),
    "boolean": _boolean,
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "datetime": _epoch,
}
"""How a value written in criteria becomes a stored one; text stays as it is."""


def _invalid(reason: str, **details: object) -> Refusal:
    """Zoho's refusal of criteria."""
    return Refusal(400, "INVALID_QUERY", "Invalid query formed", {"reason": reason, **details})
