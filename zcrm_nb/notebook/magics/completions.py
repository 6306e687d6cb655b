"""Completions for a half-written COQL query: pure text and metadata, no shell.

The grammar of :mod:`zcrm_nb.coql` reads complete queries only. At the Tab key a query is not
complete yet, so this looks at the words around the cursor and accepts everything.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from zcrm_nb.coql import AGGREGATES
from zcrm_nb.coql.fields import MULTI_LINE, USER_PATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pandas as pd

__all__ = ["Known", "Metadata", "Suggestion", "suggest"]


class Metadata(Protocol):
    """The metadata of an org: a ``CRM``, which reads it once."""

    def modules(self) -> pd.DataFrame:
        """List the modules."""

    def fields(self, module: str) -> pd.DataFrame:
        """List the fields of a module."""


class Suggestion(NamedTuple):
    """A word to insert, and its kind: ``module``, ``field``, ``value`` or ``keyword``."""

    text: str
    kind: str

    def begins(self, fragment: str) -> bool:
        """Whether it begins with a fragment; the opening quote may be missing."""
        text = self.text.lower()
        return text.startswith(fragment.lower()) or text.startswith("'" + fragment.lower())


class Known:
    """Metadata for suggestions: what cannot be read is not requested twice, and raises nothing.

    Parameters
    ----------
    source : Metadata or None
        A CRM object, if there is one.
    failed : set of str, optional
        What could not be read before; it grows.
    """

    def __init__(self, source: Metadata | None, failed: set[str] | None = None) -> None:
        self._source = source
        self._failed = set() if failed is None else failed

    def modules(self) -> list[str]:
        """Return the modules that the API can read; none if they cannot be read."""
        table = self._try("", lambda org: org.modules())
        return [] if table is None else table.loc[table["api_supported"], "api_name"].tolist()

    def fields(self, module: str) -> Mapping[Any, Mapping[Any, Any]]:
        """Return the fields of a module by API name; none if they cannot be read."""
        table = self._try(module, lambda org: org.fields(module)) if module else None
        return {} if table is None else table.set_index("api_name").to_dict("index")

    def _try(self, what: str, ask: Callable[[Metadata], pd.DataFrame]) -> pd.DataFrame | None:
        """Read metadata, unless there is no source or it failed before."""
        if self._source is None or what in self._failed:
            return None
        try:
            return ask(self._source)
        except Exception:  # the Tab key must not raise
            self._failed.add(what)
            return None


_PATH = r"[$A-Za-z_][$\w]*(?:(?:\.|->)[$\w]*)*"
_PIECE = re.compile(
    rf"'(?:[^']|'')*(?:'|$)|\"(?:[^\"]|\"\")*(?:\"|$)|{_PATH}|:\w*|[<>=!]+|[\w.]+|\S"
)
# A comparison that waits for its value. ``in (`` may have some values already.
_OPERAND = re.compile(
    rf"""['"]?(?P<path>{_PATH})['"]?\s*
    (?: !?= | [<>]=? | \b(?:not\s+)?like\b
      | \b(?:not\s+)?in\s*\( (?: \s* (?:'[^']*' | "[^"]*" | [\w.-]+) \s* , )* )\s*$""",
    re.IGNORECASE | re.VERBOSE,
)
_STEP = re.compile(r"(\.|->|^)([$\w]+)")
_NAME_FOLLOWS = {"select", "where", "and", "or", "by", ",", "("}
# What goes on with a keyword; behind some, nothing can be suggested.
_GOES_ON: dict[str, list[str]] = {
    "": ["select"],
    "order": ["by"],
    "group": ["by"],
    "is": ["null", "not null"],
    "not": ["in", "like", "between"],
    **{word: [] for word in ("as", "limit", "offset")},
}
_CLAUSES = {"select", "from", "where", "group", "order", "limit", "offset"}
_TAIL = ["group by", "order by", "limit"]
_AFTER_NAME = {
    "select": ["from", "as"],
    "from": ["where"],
    "where": ["like", "in", "between", "is null", "is not null", "not like", "not in"],
    "group": _TAIL[1:],
    "order": ["asc", "desc", "limit"],
    "limit": ["offset"],
}
_USERS = {"ownerlookup", "userlookup"}  # Zoho's data types for fields that hold a user


def suggest(query: str, at: int, known: Known) -> tuple[str, list[Suggestion]]:
    """Suggest what may come at the cursor.

    Examples
    --------
    >>> import zcrm_nb
    >>> from zcrm_nb.notebook.magics.completions import Known, suggest
    >>> crm = zcrm_nb.emulate()
    >>> query = "select Deal_Name from Deals where Stage = 'Closed W"
    >>> suggest(query, len(query), Known(crm))
    ('Closed W', [Suggestion(text='Closed Won', kind='value')])
    >>> crm.close()
    """
    pieces = [found[0] for found in _PIECE.finditer(query[:at])]
    last = pieces[-1] if pieces else ""
    if last[:1] in {"'", '"'} and last.count(last[0]) % 2:
        found = _in_quotes(query, at, last, known)
    else:
        fragment = last if re.fullmatch(r"[$:\w.>-]+", last) and query[:at].endswith(last) else ""
        before = pieces[: -1 if fragment else None]
        found = _unquoted(query, at, fragment, before, known)
    fragment, candidates = found
    return fragment, [each for each in candidates if each.begins(fragment)]


def _in_quotes(query: str, at: int, last: str, known: Known) -> tuple[str, list[Suggestion]]:
    """Suggest the values of a picklist; where no value is awaited, quotes hold a path."""
    quote, inside = last[0], last[1:]
    operand = _OPERAND.search(query[: at - len(last)])
    if operand is None:
        return _names(_module(query, at), inside, known)
    values = _values(_module(query, at), operand["path"], known)
    return inside, [Suggestion(each.replace(quote, quote * 2), "value") for each in values]


def _unquoted(
    query: str, at: int, fragment: str, before: list[str], known: Known
) -> tuple[str, list[Suggestion]]:
    """Suggest modules, fields, quoted values or keywords, by the word that stands before."""
    words = [each.lower() for each in before]
    previous = words[-1] if words else ""
    if operand := _OPERAND.search(query[: at - len(fragment)]):
        values = _values(_module(query, at), operand["path"], known)
        return fragment, [_quoted(each) for each in values] + _subquery(previous)
    if previous == "from":
        return fragment, [Suggestion(each, "module") for each in known.modules()]
    clause = next((each for each in reversed(words) if each in _CLAUSES), "")
    if previous not in _NAME_FOLLOWS:
        return fragment, _keywords(_going_on(words, clause))
    rest, names = _names(_module(query, at), fragment, known, in_condition=clause == "where")
    if rest == fragment:
        names += [*_aliases(query, clause), *_functions(clause, previous)]
    return rest, names


def _keywords(words: Iterable[str]) -> list[Suggestion]:
    """Mark words as COQL's own."""
    return [Suggestion(each, "keyword") for each in words]


def _going_on(words: list[str], clause: str) -> list[str]:
    """Return the keywords that may follow a word which is not one that a name must follow."""
    previous = words[-1] if words else ""
    if words[-2:] == ["is", "not"]:
        return ["null"]
    if clause == "where" and (previous in {")", "null"} or previous[:1] in set("'\"0123456789")):
        return ["and", "or", *_TAIL]
    return _GOES_ON.get(previous, _AFTER_NAME.get(clause, []))


def _functions(clause: str, previous: str) -> list[Suggestion]:
    """Return the aggregates, where one may stand: not inside another one."""
    names = sorted(AGGREGATES) if clause == "select" and previous != "(" else []
    return _keywords(f"{each}(" for each in names)


def _aliases(query: str, clause: str) -> list[Suggestion]:
    """Return the aliases that a query may be ordered by."""
    found = re.findall(r"\bas\s+(\w+)", query, re.IGNORECASE) if clause == "order" else []
    return [Suggestion(each, "field") for each in found]


def _subquery(previous: str) -> list[Suggestion]:
    """Return SELECT, where a bracket may open a query of its own."""
    return _keywords(["select"] if previous == "(" else [])


def _quoted(value: str) -> Suggestion:
    """Write a value between quotes, those inside it doubled as Zoho asks."""
    return Suggestion("'" + value.replace("'", "''") + "'", "value")


# ---- From names to metadata ----------------------------------------------------------------------


def _module(query: str, at: int) -> str:
    """Return the module that the query around the cursor asks, before or behind it; or ``""``.

    A subquery has a module of its own, so the SELECT that counts is the last one in a bracket that
    is still open.
    """
    pieces = list(_PIECE.finditer(query))
    selects: list[int | None] = [None]
    for piece in pieces:
        if piece.start() >= at:
            break
        if piece[0] == "(":
            selects.append(None)
        elif piece[0] == ")":
            selects = selects[:-1] or [None]
        elif piece[0].lower() == "select":
            selects[-1] = piece.start()
    start = next((each for each in reversed(selects) if each is not None), 0)
    for module in _modules_from(piece[0] for piece in pieces if piece.start() >= start):
        return module
    named = re.search(r"\bfrom\s+(\w+)", query, re.IGNORECASE)  # behind a quote still open
    return named[1] if named else ""


def _modules_from(words: Iterable[str]) -> Iterator[str]:
    """Yield what follows each FROM outside brackets."""
    depth = 0
    for word, following in pairwise(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.lower() == "from":
            yield following


def _names(
    module: str, path: str, known: Known, *, in_condition: bool = False
) -> tuple[str, list[Suggestion]]:
    """Return the last step of a path, and the names that could take its place.

    Zoho may refuse conditions on text of several lines, so none is suggested there.
    """
    head, arrow, rest = re.fullmatch(r"(.*?)(\.|->|)([$\w]*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
    where, user = _follow(module, head, known)
    if user is not None:
        names = [each.removeprefix(user) for each in USER_PATHS if each.startswith(user)]
        return rest, [Suggestion(each, "field") for each in names if "." not in each]
    if arrow == "->":
        # Zoho's metadata does not always name the modules that What_Id may point to.
        known_modules = known.modules()
        modules = [each for each in where.split(", ") if each in known_modules] or known_modules
        return rest, [Suggestion(each, "module") for each in modules]
    fields = known.fields(where)
    left_out = MULTI_LINE if in_condition else frozenset()
    names = [name for name, field in fields.items() if field.get("data_type") not in left_out]
    return rest, [Suggestion(str(name), "field") for name in names]


def _follow(module: str, path: str, known: Known) -> tuple[str, str | None]:
    """Walk along lookups: to a module, or to a user and the path behind it (``"role."``)."""
    user: str | None = None
    for arrow, name in _STEP.findall(path):
        if user is not None:
            user += f"{name}."
        elif arrow == "->":
            module = name
        else:
            field = known.fields(module).get(name, {})
            user = "" if field.get("data_type") in _USERS else None
            module = field["lookup"] if isinstance(field.get("lookup"), str) else ""
    return module, user


def _values(module: str, path: str, known: Known) -> list[str]:
    """Return what the field at the end of a path can hold, if that is a picklist or a boolean."""
    head, _, name = path.rpartition(".")
    where, user = _follow(module, head, known)
    field = {} if user is not None else known.fields(where).get(name, {})
    if field.get("data_type") == "boolean":
        return ["true", "false"]
    values = field.get("values")
    # The picklist shows -None- where the record has nothing; a query asks for that with is null.
    return [each for each in values if each != "-None-"] if isinstance(values, list) else []
