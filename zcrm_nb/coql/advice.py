"""Why COQL does not take a text, and what to write instead: SQL's other dialects in plain words."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from zcrm_nb.coql.condition_advice import (
    CONDITION_RULES,
    FUNCTION_RULES,
    OPERATOR_RULES,
    VALUE_RULES,
)
from zcrm_nb.coql.diagnostics import Finding, found
from zcrm_nb.coql.grammar import RESERVED
from zcrm_nb.coql.text import quoted
from zcrm_nb.coql.token_context import CLAUSES, KEYWORDS, Advice, TokenContext, is_near

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.coql.diagnostics import Edit, ParseError

__all__ = ["explained"]


def explained(refusal: ParseError, text: str) -> Finding:
    """Explain a refusal of the grammar."""
    facts = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
    advice = _by_details(refusal, text) or _by_words(TokenContext(text, refusal.at))
    at = refusal.at if advice.at is None else advice.at
    return found(text, at, advice.problem, advice.fix, advice.edits, **facts)


# ---- By the details of the refusal ---------------------------------------------------------------

# By code and the keys of details, never by the words of a message. {braces} hold details.
_EXPLAINED: dict[tuple[str, ...], tuple[str, str]] = {
    ("SYNTAX_ERROR", "near"): (
        "COQL joins two conditions at a time; this is a third one.",
        "Put them in brackets in pairs: ((A and B) and C). Where AND meets OR, the brackets decide "
        "which of them comes first.",
    ),
    ("INVALID_QUERY", "limit"): ("LIMIT needs a whole number, not {limit}.", "Write: limit 200"),
    ("INVALID_QUERY", "offset"): (
        "OFFSET needs a whole number, not {offset}.",
        "Write: limit 200 offset 400",
    ),
    ("INVALID_QUERY", "column_name", "sub_query_sequence"): (
        "An inner query selects one column, not {column_name}.",
        "Select only the column that the outer field is compared with: select id from …",
    ),
    ("INVALID_QUERY", "alias", "column_name"): (
        "{alias} is the name of another column, so it cannot be an alias of {column_name}.",
        "Choose another alias.",
    ),
    ("INVALID_ALIAS", "alias", "column_name"): (
        "The alias of {column_name} is empty.",
        "Give it a name, or leave AS out.",
    ),
    ("DUPLICATE_ALIAS", "alias", "referred_columns"): (
        "Two columns have the alias {alias}.",
        "Use a different alias for each.",
    ),
    ("DUPLICATE_DATA", "column_name"): ("{column_name} is listed twice.", "Leave one out."),
    ("DUPLICATE_DATA", "aggregate", "column_name"): (
        "{aggregate}({column_name}) is used twice.",
        "Select it once; to sort by it, give it an alias: {aggregate}({column_name}) as x … "
        "order by x",
    ),
    ("INVALID_DATA",): ("LIMIT starts at 1.", "Ask for at least one row."),
    ("LIMIT_EXCEEDED", "clause", "limit"): (
        "Zoho takes at most {limit} in the {clause} part of one query.",
        "Split it into several queries, or filter the table in pandas.",
    ),
}


def _by_details(refusal: ParseError, text: str) -> Advice | None:
    """Explain what Zoho's own details name."""
    key = (refusal.code, *sorted(refusal.details))
    if key not in _EXPLAINED:
        return None
    problem, fix = (words.format(**refusal.details) for words in _EXPLAINED[key])
    context = TokenContext(text, refusal.at)
    return Advice(problem, fix, _DETAIL_EDITS.get(key, _no_edits)(context, refusal.details))


def _no_edits(context: TokenContext, details: dict[str, Any]) -> tuple[Edit, ...]:
    """Change nothing: there are several ways."""
    del context, details
    return ()


def _without_twin(context: TokenContext, details: dict[str, Any]) -> tuple[Edit, ...]:
    """Leave out the second of two equal columns."""
    del details
    return (context.cut(context.index - 1, context.item_end(context.index)),)


def _without_alias(context: TokenContext, details: dict[str, Any]) -> tuple[Edit, ...]:
    """Leave out an empty alias."""
    del details
    return (context.cut(context.index + 1, context.item_end(context.index)),)


def _with_other_alias(context: TokenContext, details: dict[str, Any]) -> tuple[Edit, ...]:
    """Add a number to an alias that is taken."""
    end = context.item_end(context.index)
    return (context.swap(end - 1, quoted(f"{details['alias']} 2")),)


def _sorted_by_alias(context: TokenContext, details: dict[str, Any]) -> tuple[Edit, ...]:
    """Sort by the alias of an aggregate."""
    first = context.find(details["aggregate"].lower(), "(", details["column_name"].lower())
    if first is None or context.clause != "order":
        return ()
    end, index = context.item_end(first), context.index
    alias, edits = "x", []
    if context.tokens[end - 1].kind in {"name", "text"} and context.tokens[end - 2].word == "as":
        alias = context.tokens[end - 1].text
    else:
        edits = [context.insert(end, f" as {alias}")]
    return (*edits, context.swap(index, alias, index + 3))


_DETAIL_EDITS: dict[tuple[str, ...], Callable[[TokenContext, dict[str, Any]], tuple[Edit, ...]]] = {
    ("DUPLICATE_DATA", "column_name"): _without_twin,
    ("DUPLICATE_DATA", "aggregate", "column_name"): _sorted_by_alias,
    ("INVALID_ALIAS", "alias", "column_name"): _without_alias,
    ("DUPLICATE_ALIAS", "alias", "referred_columns"): _with_other_alias,
    ("INVALID_QUERY", "alias", "column_name"): _with_other_alias,
}


# ---- By the words at the place -------------------------------------------------------------------


def _by_words(context: TokenContext) -> Advice:
    """Choose the advice for the token at a place: the first rule that knows it."""
    for rule in _RULES:
        if advice := rule(context):
            return advice
    return _not_expected(context)


def _invisible(context: TokenContext) -> Advice | None:
    """Name a character that is not shown, or one that only looks right."""
    sign = context.token.text[:1]
    if not sign or sign.isascii() or sign.isalnum() or unicodedata.category(sign) == "Sc":
        return None
    name = unicodedata.name(sign, "character without a name")
    problem = f"COQL does not know the {name} (U+{ord(sign):04X})."
    at = context.token.at
    return Advice(problem, "Remove it, or type it again.", ((at, at + 1, ""),))


def _start(context: TokenContext) -> Advice | None:
    """Explain a text that does not begin with SELECT."""
    token = context.token
    if context.index or token.word == "select":
        return None
    if context.near(1).word == "select":
        edit = context.cut(0, 1)
        return Advice(f"COQL has no {token.word.upper()}.", "Leave it out.", (edit,))
    if token.word in _NO_SUCH_STATEMENT:
        return Advice(f"COQL has no {token.word.upper()}.", _NO_SUCH_STATEMENT[token.word])
    if is_near(token.word, ["select"]):
        edit = context.swap(0, "select")
        return Advice(f"{token.text} is not a keyword.", "Did you mean SELECT?", (edit,))
    fix = "Write: select … from … where …"
    return Advice("COQL only reads: a query begins with SELECT.", fix)


_NO_SUCH_STATEMENT = {
    "with": "Use an inner query, or join two tables in pandas.",
    **dict.fromkeys(
        ("explain", "describe", "desc", "show"),
        "crm.modules() lists the modules, crm.fields(module) the fields of one.",
    ),
}


def _distinct(context: TokenContext) -> Advice | None:
    """Group in place of DISTINCT."""
    if context.token.word != "distinct":
        return None
    index, problem = context.index, "COQL has no DISTINCT."
    inside = context.before.text == "("
    start, end = index + 1, context.closing(index - 1) if inside else context.until(index, {"from"})
    names = context.words(start, end)
    fix = f"Group instead: select {names} … group by {names}; or call .drop_duplicates()."
    tail = context.until(end + 1, {"order", "limit"})
    group = context.insert(tail, f" group by {names}")
    if inside:
        fix = f"Group by {names} and count the rows of the table."
        edits = (context.swap(index - 2, names, end), group)
        return Advice(problem, fix, edits, context.token.at)
    return Advice(problem, fix, (context.cut(index, index + 1), group))


_NO_SUCH_CLAUSE = {
    "case": "Build such a column in pandas: df[…].map(…), or numpy.where(…).",
    "union": "Run two queries and join the tables: pandas.concat([…]).",
    "exists": "Use an inner query: Account_Name in (select id from Accounts where …)",
    "window": "Use pandas: df.groupby(…).cumcount(), or .rank().",
    "over": "Use pandas: df.groupby(…).cumcount(), or .rank().",
}


def _no_such_clause(context: TokenContext) -> Advice | None:
    """Name a clause that COQL does not have."""
    word = context.token.word
    if word == "having":
        end = context.until(context.index, {"order", "limit"})
        fix = "Leave it out and filter the groups in pandas: df[df[…] > 5]"
        return Advice("COQL has no HAVING.", fix, (context.cut(context.index, end),))
    if word in _NO_SUCH_CLAUSE:
        return Advice(f"COQL has no {word.upper()}.", _NO_SUCH_CLAUSE[word])
    return None


# ---- FROM ----

_JOIN = re.compile(
    r"\b(?P<from>from\s+(?P<module>\w+))(?:\s+as)?\s+(?P<own>\w+)\s+"
    r"(?:(?:inner|left|right|full|outer|cross)\s+)*join\s+(?P<other_module>\w+)(?:\s+as)?"
    r"\s+(?P<other>\w+)\s+on\s+(?P<one>\w+\.\w+)\s*=\s*(?P<two>\w+\.\w+)",
    re.IGNORECASE,
)


def _join(context: TokenContext) -> Advice | None:
    """Follow a lookup in place of JOIN … ON."""
    index = next((n for n, token in enumerate(context.tokens) if token.word == "join"), None)
    if index is None or context.clause != "from":
        return None
    at, problem = context.tokens[index].at, "COQL has no JOIN."
    fix = "Follow a lookup by a dot, as in Account_Name.Industry"
    match = _JOIN.search(context.text)
    if match is None or context.find("join", "join"):
        return Advice(problem, fix, at=at)
    own, other = match["own"].lower(), match["other"].lower()
    sides = {side.lower().partition(".")[0]: side for side in (match["one"], match["two"])}
    lookup = sides.get(own, "").partition(".")[2]
    if not lookup or sides.get(other, "").partition(".")[2].lower() != "id":
        return Advice(problem, fix, at=at)
    edits = [(match.start(), match.end(), match["from"])]
    for n, token in enumerate(context.tokens):
        name, dot, rest = token.text.partition(".")
        if dot and not match.start() <= token.at < match.end() and name.lower() in {own, other}:
            edits.append(context.swap(n, rest if name.lower() == own else f"{lookup}.{rest}"))
    return Advice(problem, f"{fix}. Here: {lookup}.…", tuple(edits), at)


def _table_alias(context: TokenContext) -> Advice | None:
    """Leave out an alias of the module."""
    token, start = context.token, context.index
    if context.clause != "from" or context.before.word in RESERVED or context.index < 3:
        return None
    name = context.near(1) if token.word == "as" else token
    following = context.near(2 if token.word == "as" else 1)
    aliased = name.kind == "name" and name.word not in RESERVED
    typo = token.word != "as" and (
        is_near(token.word, KEYWORDS) or following.word not in {"", *KEYWORDS}
    )
    if not aliased or typo:
        return None
    edits = [context.cut(start, start + (2 if token.word == "as" else 1))]
    for n, each in enumerate(context.tokens):
        prefix, dot, rest = each.text.partition(".")
        if dot and prefix.lower() == name.word:
            edits.append(context.swap(n, rest))
    fix = f"Write the field names alone, without {name.text}."
    return Advice("COQL has no aliases for modules.", fix, tuple(edits), name.at)


def _from(context: TokenContext) -> Advice | None:
    """Explain what is wrong with the module."""
    token = context.token
    if context.clause != "from" or context.before.word == "by":
        return None
    if token.text == ",":
        fix = "Follow a lookup, as in Account_Name.Industry, or join two tables in pandas."
        return Advice("A query reads one module.", fix)
    if context.before.word == "from" and token.kind == "name" and "." in token.text:
        name = token.text.rpartition(".")[2]
        edit = context.swap(context.index, name)
        return Advice("The name of a module has no dot.", f"Write: from {name}", (edit,))
    if context.before.word == "from" and token.text == "(":
        fix = "Run the inner query first, and go on with its table in pandas."
        return Advice("COQL reads a module, not another query.", fix)
    return None


# ---- Words that are misspelt, missing or in another order ----


_FOLLOWS = {
    "select": ("from", "as"),
    "from": ("where", "group", "order", "limit"),
    "where": ("and", "or", "group", "order", "limit", "like", "between", "not", "in"),
    "group": ("by", "order", "limit"),
    "order": ("by", "asc", "desc", "limit"),
    "limit": ("offset",),
}
_SYNONYMS = {"descending": "desc", "ascending": "asc", "sort": "order", "&": "and", "|": "or"}


def _misspelt(context: TokenContext) -> Advice | None:
    """Correct a keyword."""
    token, clause = context.token, context.clause
    if token.word in _SYNONYMS:
        right = _SYNONYMS[token.word]
        edit = context.swap(context.index, right)
        return Advice(f"COQL does not know {token.text}.", f"Write: {right}", (edit,))
    if token.word in {"orderby", "groupby"}:
        right = f"{token.word[:-2]} by"
        edit = context.swap(context.index, right)
        return Advice(f"{token.text} is two words.", f"Write: {right}", (edit,))
    expected = _FOLLOWS.get(clause, ())
    near = get_close_matches(token.word, expected, 1, 0.5 if clause == "from" else 0.66)
    if token.kind != "name" or token.word in expected or not near:
        return None
    edit = context.swap(context.index, near[0])
    return Advice(f"{token.text} is not a keyword.", f"Did you mean {near[0].upper()}?", (edit,))


def _order_of_clauses(context: TokenContext) -> Advice | None:
    """Put clauses into the order that COQL has."""
    word, clause = context.token.word, context.clause
    if word not in CLAUSES or clause not in CLAUSES or "(" in context.text:
        return None
    if word == clause == "where":
        edit = context.swap(context.index, "and")
        return Advice("A query has one WHERE.", "Join the conditions by AND.", (edit,))
    if CLAUSES.index(word) >= CLAUSES.index(clause):
        return None
    starts = [n for n, token in enumerate(context.tokens) if token.word in CLAUSES]
    parts = {
        context.tokens[start].word: context.words(start, end)
        for start, end in zip(starts, [*starts[1:], len(context.tokens) - 1], strict=True)
    }
    limit = " ".join(parts.pop(each) for each in ("limit", "offset") if each in parts)
    whole = " ".join([*(parts[each] for each in CLAUSES if each in parts), *filter(None, [limit])])
    problem = f"{word.upper()} comes before {clause.upper()}."
    fix = "The order is: select … from … where … group by … order by … limit …"
    return Advice(problem, fix, ((0, len(context.text), whole),))


def _missing_by(context: TokenContext) -> Advice | None:
    """Add BY."""
    before = context.before
    if before.word not in {"group", "order"} or context.token.word == "by":
        return None
    edit = context.insert(context.index, " by")
    return Advice(f"{before.text.upper()} needs BY.", f"Write: {before.word} by …", (edit,))


def _number_as_key(context: TokenContext) -> Advice | None:
    """Write the column in place of its number."""
    token, index = context.token, context.index
    if context.clause not in {"order", "group"} or token.kind != "number":
        return None
    columns, start = [], 1
    while (end := context.until(start, {",", "from"})) < len(context.tokens) - 1:
        column = context.words(start, end).split(" as ")
        columns.append(column[-1 if context.clause == "order" else 0])
        start = end + 1
        if context.tokens[end].word == "from":
            break
    number = int(token.text) if token.text.isdecimal() else 0
    problem = f"COQL does not {context.clause} by the number of a column."
    if not 1 <= number <= len(columns):
        return Advice(problem, "Write the name of the column.")
    name = columns[number - 1].strip()
    edit = context.swap(index, name)
    return Advice(problem, f"Write: {context.clause} by {name}", (edit,))


# ---- LIMIT ----


def _top(context: TokenContext) -> Advice | None:
    """Write LIMIT in place of what other dialects have."""
    index, tokens_ = context.index, context.tokens
    if context.clause == "select" and context.before.word == "top":
        bracket = context.token.text == "("
        number = context.near(1 if bracket else 0).text
        cut = context.cut(index - 1, index + (3 if bracket else 1))
        edits = (cut, context.insert(len(tokens_) - 1, f" limit {number}"))
        return Advice(
            "COQL has no TOP.", f"Write at the end: limit {number}", edits, context.before.at
        )
    if context.token.word == "fetch":
        number = next((each.text for each in tokens_[index:] if each.kind == "number"), "200")
        edit = context.swap(index, f"limit {number}", len(tokens_) - 2)
        return Advice("COQL has no FETCH.", f"Write: limit {number}", (edit,))
    if context.token.word == "offset":
        number = context.near(1).text
        limit = context.find("limit")
        rows = tokens_[limit + 1].text if limit is not None and limit > index else "2000"
        right = f"limit {rows} offset {number}"
        edit = context.swap(index, right, len(tokens_) - 2)
        return Advice("OFFSET comes behind LIMIT.", f"Write: {right}", (edit,))
    return None


# ---- SELECT ----


def _comma_before_from(context: TokenContext) -> Advice | None:
    """Leave out a comma too many."""
    if context.token.word != "from" or context.before.text != ",":
        return None
    edit, at = context.cut(context.index - 1, context.index), context.before.at
    return Advice("A comma before FROM is one too many.", "Leave it out.", (edit,), at)


def _star(context: TokenContext) -> Advice | None:
    """Write ``*`` alone."""
    dotted = context.token.text == "." and context.near(1).text == "*"
    alone = context.token.text == "*" and context.before.text in {"select", "SELECT", ","}
    if context.clause != "select" or not (dotted or alone):
        return None
    first = (context.find("select") or 0) + 1
    edit = context.swap(first, "*", context.until(context.index, {"from"}) - 1)
    at = context.before.at if dotted else context.token.at
    return Advice("* means all columns, and stands alone.", "Write: select *", (edit,), at)


def _no_comma(context: TokenContext) -> Advice | None:
    """Add a comma, or AS, between two names."""
    token, before = context.token, context.before
    names = {token.kind, before.kind} <= {"name", "text"}
    if context.clause != "select" or not names or {token.word, before.word} & _NO_NAMES:
        return None
    alias = token.text.islower()
    fix = f"Write: … as {token.text}" if alias else f"Write: …, {token.text}"
    edit = context.insert(context.index, " as" if alias else ",")
    return Advice(f"There is no comma and no AS before {token.text}.", fix, (edit,))


_NO_NAMES = RESERVED - {"external"}


def _text_selected(context: TokenContext) -> Advice | None:
    """Leave building texts to pandas."""
    token = context.token
    number = token.kind == "number" and context.before.word in {"select", ","}
    if context.clause != "select" or not (number or token.text == "||"):
        return None
    fix = "Select the columns, and build the text in pandas: df['First_Name'] + …"
    return Advice("COQL selects fields only.", fix)


def _arithmetic(context: TokenContext) -> Advice | None:
    """Leave calculating to pandas."""
    token, index = context.token, context.index
    if token.text not in {"*", "/", "%", "+", "-"}:
        return None
    if token.text == "%" and context.before.kind == "number":
        edit = context.cut(index, index + 1)
        return Advice("A percent has no % sign in COQL.", "Write the number alone.", (edit,))
    fix = "Select the columns, and calculate in pandas: df['Amount'] * 2"
    edits: tuple[Edit, ...] = ()
    if context.clause == "select" and context.before.kind == "name":
        end = context.until(index, {",", "from", "as"})
        if context.tokens[end].word == "as":  # the name was for the result
            end = context.until(end, {",", "from"})
        edits = (context.cut(index, end),)
    return Advice("COQL does not calculate.", fix, edits)


_RULES: tuple[Callable[[TokenContext], Advice | None], ...] = (
    _invisible,
    _start,
    _distinct,
    _join,
    _no_such_clause,
    _table_alias,
    _from,
    _top,
    *OPERATOR_RULES,
    _misspelt,
    _missing_by,
    _number_as_key,
    *CONDITION_RULES,
    *FUNCTION_RULES,
    _order_of_clauses,
    _comma_before_from,
    _star,
    _no_comma,
    _text_selected,
    _arithmetic,
    *VALUE_RULES,
)

_EXPECTED = {
    "select": "Between two columns there is a comma, and behind the last one FROM.",
    "from": "Behind the module there is WHERE.",
    "where": "A condition is: field, operator, value; AND or OR joins two of them.",
    "group": "Behind GROUP BY there are fields, with commas between them.",
    "order": "Behind ORDER BY there are fields, each with ASC or DESC.",
    "limit": "LIMIT is the last part of a query: limit 200, or limit 200 offset 400.",
}


def _not_expected(context: TokenContext) -> Advice:
    """Say what COQL expects at a place, where nothing better is known."""
    text = context.token.text
    if not text:
        return Advice(
            "The query ends too early.", _EXPECTED.get(context.clause, _EXPECTED["where"])
        )
    fix = _EXPECTED.get(context.clause, "A query is: select … from … where …")
    if context.token.kind == "name" and context.token.word in RESERVED:
        fix += f" A field with that name is written in quotes: '{text}'"
    return Advice(f"COQL does not expect {text[:40]} here.", fix)
