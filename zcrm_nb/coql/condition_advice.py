"""What to write instead of other dialects' conditions and functions."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from zcrm_nb.coql.grammar import AGGREGATES, RESERVED
from zcrm_nb.coql.text import quoted
from zcrm_nb.coql.token_context import ENDS, Advice, TokenContext

if TYPE_CHECKING:
    from collections.abc import Callable


__all__ = ["CONDITION_RULES", "FUNCTION_RULES", "OPERATOR_RULES", "VALUE_RULES"]


# ---- Functions ----

_NOW = frozenset(
    {"today", "now", "getdate", "curdate", "current_date", "current_timestamp", "sysdate"}
    | {"getutcdate", "date_sub", "date_add", "dateadd", "interval", "current_time"}
)
_PARTS_OF_DATES = {
    **{part: part for part in ("year", "month", "day", "quarter")},
    "week": "isocalendar().week",
    **dict.fromkeys(("extract", "date_trunc", "datepart", "date_part", "to_char"), "year"),
}
_UNWRAPPED = {
    **dict.fromkeys(("upper", "lower", "ucase", "lcase"), "COQL compares text in any case."),
    **dict.fromkeys(("trim", "ltrim", "rtrim"), "Zoho keeps no blanks context a text."),
    **dict.fromkeys(("date", "cast", "convert", "to_date"), "Compare the field as it is."),
}
_IN_PANDAS = {
    **dict.fromkeys(("concat", "concat_ws"), "df['First_Name'] + ' ' + df['Last_Name']"),
    **dict.fromkeys(("length", "len"), "df['City'].str.len()"),
    **dict.fromkeys(("substring", "substr", "left", "right"), "df['City'].str[:3]"),
    "replace": "df['City'].str.replace(…)",
    **dict.fromkeys(("coalesce", "ifnull", "nvl", "isnull"), "df['City'].fillna(…)"),
    **dict.fromkeys(("round", "abs", "ceil", "floor"), "df['Amount'].round(2)"),
    **dict.fromkeys(("datediff", "timestampdiff"), "(df['Closing_Date'] - start).dt.days"),
    **dict.fromkeys(("median", "stddev", "stdev", "variance"), "df.groupby(…)['Amount'].median()"),
    **dict.fromkeys(("group_concat", "string_agg"), "df.groupby(…)['City'].agg(', '.join)"),
    **dict.fromkeys(("rank", "row_number", "dense_rank"), "df.groupby(…).cumcount()"),
}
_OTHER_NAMES = {"average": "AVG", "mean": "AVG", "total": "SUM", "minimum": "MIN", "maximum": "MAX"}


@dataclass(frozen=True)
class _Call:
    """A function in a query: the places of its name and of its closing bracket."""

    context: TokenContext
    index: int
    end: int

    @property
    def name(self) -> str:
        """The name in lower case."""
        return self.context.tokens[self.index].word

    @property
    def inside(self) -> str:
        """The text between the brackets."""
        return self.context.words(self.index + 2, self.end)

    @property
    def behind(self) -> str:
        """The word behind the function."""
        return self.context.tokens[self.end + 1].text if self.end + 1 < self.size else ""

    @property
    def size(self) -> int:
        """The number of tokens."""
        return len(self.context.tokens)

    def advice(self, fix: str, new: str = "", problem: str = "") -> Advice:
        """Advise something in the place of the function."""
        edits = (self.context.swap(self.index, new, self.end),) if new else ()
        problem = problem or f"COQL has no function {self.name.upper()}()."
        return Advice(problem, fix, edits, self.context.tokens[self.index].at)


def _function(context: TokenContext) -> Advice | None:
    """Explain a function: COQL has five, and only in SELECT and ORDER BY."""
    tokens = context.tokens
    for index in range(min(context.index + 1, len(tokens) - 1)):
        is_call = tokens[index].kind == "name" and tokens[index + 1].text == "("
        if not is_call or tokens[index].word in RESERVED:
            continue
        call = _Call(context, index, context.closing(index + 1))
        if call.end >= context.index:
            return next(advice for rule in _CALLS if (advice := rule(call)))
    return None


def _other_name(call: _Call) -> Advice | None:
    """Use COQL's name for an aggregate."""
    right = _OTHER_NAMES.get(call.name)
    return call.advice(f"Write: {right}(…)", f"{right}({call.inside})") if right else None


def _part_of_date(call: _Call) -> Advice | None:
    """Compare with two dates in place of a part of one."""
    field, year = call.inside, call.context.tokens[min(call.end + 2, call.size - 1)].text
    if call.name == "year" and call.behind == "=":
        year = year.strip("'\"")
        right = f"{field} between '{year}-01-01' and '{year}-12-31'"
        return replace(call, end=call.end + 2).advice(f"Write: {right}", right)
    if call.name not in _PARTS_OF_DATES:
        return None
    part = f"df[{field!r}].dt.{_PARTS_OF_DATES[call.name]}"
    fix = f"Compare {field} with two dates (between … and …), or group in pandas: {part}"
    return call.advice(fix)


def _without_function(call: _Call) -> Advice | None:
    """Leave out a function that changes nothing in COQL."""
    inside = call.inside
    if call.name == "isnull" and call.context.clause_of(call.index) == "where":
        return call.advice(f"Write: {inside} is null", f"{inside} is null")
    if call.name in _UNWRAPPED or (call.name in {"round", "ceil", "floor"} and ")" in inside):
        plain = re.split(r",|\s+as\s+", inside, maxsplit=1)[0].strip()
        fix = _UNWRAPPED.get(call.name, "Round the column in pandas, df.round(2).")
        return call.advice(f"{fix} Write: {plain}", plain)
    return None


def _in_pandas(call: _Call) -> Advice | None:
    """Name what pandas has for it."""
    other = "It has SUM, MIN, MAX, AVG and COUNT; pandas can do the rest with the table."
    pandas = _IN_PANDAS.get(call.name)
    return call.advice(f"Use pandas: {pandas}" if pandas else other)


def _of_aggregate(call: _Call) -> Advice | None:
    """Explain an aggregate that is not one of a single field, or not in its place."""
    if call.name.upper() not in AGGREGATES:
        return None
    context, name = call.context, call.name.upper()
    if context.clause_of(call.index) in {"where", "group"}:
        fix = "Group, and filter the groups in pandas: df[df[…] > 5]"
        return call.advice(fix, problem=f"{name} is not possible in WHERE and GROUP BY.")
    at = context.token.at
    if context.token.text == "*" and context.before.text == "(":
        fix = f"Name the field: {name}(Amount). COUNT(id) counts records."
        return Advice(f"{name} needs a field.", fix, at=at)
    signs = {token.text for token in context.tokens[call.index + 2 : call.end]}
    if signs & {"*", "/", "+", "-"}:
        fix = "Select the fields without an aggregate, and calculate in pandas."
        return Advice("COQL does not calculate.", fix, at=at)
    problem = f"{name} takes one field, without another function in it."
    return Advice(problem, "Select the field, and go on in pandas.", at=at)


def _today(call: _Call) -> Advice | None:
    """Write today's date; a day before or after it is for Python to find."""
    if call.name not in _NOW:
        return None
    fix = "Pass a value: … > :day, with day=datetime.date.today()"
    single = call.end == call.index + 2 and call.behind not in {"+", "-"}
    today = datetime.now().astimezone().date().isoformat()
    return call.advice(fix, f"'{today}'" if single else "")


_CALLS: tuple[Callable[[_Call], Advice | None], ...] = (
    _other_name,
    _of_aggregate,
    _today,
    _part_of_date,
    _without_function,
    _in_pandas,
)


# ---- WHERE ----

_PATTERNS = {
    **dict.fromkeys(("contains", "includes", "has", "regexp", "rlike", "matches"), "%{}%"),
    **dict.fromkeys(("starts_with", "startswith", "begins_with", "starts", "begins"), "{}%"),
    **dict.fromkeys(("ends_with", "endswith", "ends"), "%{}"),
    **dict.fromkeys(("ilike", "~", "~*", "=~", "~="), "{}"),
}
_EQUALS = {
    "equals": "=",
    "equal": "=",
    "eq": "=",
    "is": "=",
    ":": "=",
    "ne": "!=",
    "not_equal": "!=",
}


def _operator(context: TokenContext) -> Advice | None:
    """Write an operator as COQL does."""
    token, index = context.token, context.index
    if context.clause != "where" or context.before.word in {"where", "and", "or", "("}:
        return None
    if token.word in _PATTERNS:
        with_ = context.near(1).word == "with"
        value = context.near(2 if with_ else 1)
        text = value.text.strip("'\"").strip("%*")
        pattern = _PATTERNS[token.word].format(value.text[1:-1] if token.word == "ilike" else text)
        right = f"like {quoted(pattern)}"
        edits = (context.swap(index, right, index + (2 if with_ else 1)),) if value.text else ()
        return Advice(f"COQL has no operator {token.text}.", f"Write: {right}", edits)
    if token.word in _EQUALS:
        right = _EQUALS[token.word]
        edits = (context.swap(index, f" {right} " if token.text == ":" else right),)
        return Advice(f"COQL has no operator {token.text}.", f"Write: {right}", edits)
    if context.before.word in {"is", "not"}:
        return _is(context)
    return None


def _is(context: TokenContext) -> Advice | None:
    """Explain IS, which goes with NULL only."""
    index = context.index
    negated = context.before.word == "not"
    start = index - 1 - negated
    if context.tokens[start].word != "is":
        return None
    value = context.token
    empty = value.word in {"empty", "blank", "none", "missing", "nan"} or value.text in {"''", '""'}
    sign = "!=" if negated else "="
    right = f"is {'not ' * negated}null" if empty else f"{sign} {value.text}"
    edit = context.swap(start, right, index)
    return Advice("IS goes with NULL only.", f"Write: {right}", (edit,))


def _not(context: TokenContext) -> Advice | None:
    """Move NOT behind the field."""
    token, index = context.token, context.index
    if token.word != "not":
        return None
    problem, operator = "NOT does not stand before a condition.", context.near(2)
    if context.near(1).text == "(":
        fix = "Turn each condition inside round: not (A and B) is (not A or not B)."
        return Advice(problem, fix)
    if operator.word in {"in", "like", "between"}:
        right = f"{context.near(1).text} not {operator.word}"
    elif operator.word == "is":
        right = f"{context.near(1).text} is not"
    else:
        opposite = {"=": "!=", "!=": "=", ">": "<=", "<": ">=", ">=": "<", "<=": ">"}
        right = f"{context.near(1).text} {opposite.get(operator.text, '!=')}"
    return Advice(problem, f"Write: {right} …", (context.swap(index, right, index + 2),))


def _list(context: TokenContext) -> Advice | None:
    """Explain what is wrong with the values of IN and BETWEEN."""
    token, index = context.token, context.index
    if context.before.word == "in" and token.text != "(":
        end = context.until(index, ENDS)
        edits = (context.swap(index, f"({context.words(index, end)})", end - 1),)
        return Advice("IN needs brackets.", f"Write: in {edits[0][2]}", edits)
    if token.text == ")" and context.before.text == "(":
        return Advice("The list is empty.", "Write at least one value: in ('Pune', 'Goa')")
    between = next(
        (n for n in range(index - 1, max(index - 4, 0), -1) if context.tokens[n].word == "between"),
        None,
    )
    if between is None or token.text not in {",", "("}:
        return None
    problem, fix = "BETWEEN has AND between its two values.", "Write: between 1 and 5"
    if token.text == ",":
        return Advice(problem, fix, (context.swap(index, " and"),))
    end = context.closing(index)
    comma = context.until(index + 1, {",", "and"})
    if end == index or comma >= end:
        return Advice(problem, fix)
    values = f"{context.words(index + 1, comma)} and {context.words(comma + 1, end)}"
    return Advice("BETWEEN has no brackets.", fix, (context.swap(index, values, end),))


def _no_condition(context: TokenContext) -> Advice | None:
    """Write a condition behind WHERE."""
    if context.before.word != "where" or context.token.word not in ENDS - {"and", "or"}:
        return None
    edit = context.insert(context.index, " id is not null")
    return Advice("WHERE has no condition.", "Write: where id is not null", (edit,))


def _connector_too_many(context: TokenContext) -> Advice | None:
    """Leave out AND or OR that joins one condition only."""
    token, before, index = context.token, context.before, context.index
    if before.word == "where" and token.word in {"and", "or"}:
        extra = index
    elif before.word in {"and", "or"} and token.word in ENDS:
        extra = index - 1
    else:
        return None
    problem = f"{context.tokens[extra].text.upper()} joins two conditions, and one is missing."
    fix = "Leave it out, or add the condition."
    return Advice(problem, fix, (context.cut(extra, extra + 1),), context.tokens[extra].at)


def _connector_missing(context: TokenContext) -> Advice | None:
    """Add AND between two conditions."""
    token, index = context.token, context.index
    is_name = token.kind == "name" and token.word not in RESERVED
    compared = context.near(1).word in _OPERATORS
    if not (is_name and compared) or context.before.word in {"where", "and", "or", "("}:
        return None
    edit = context.insert(index, " and")
    problem = f"There is no AND or OR before {token.text}."
    return Advice(problem, "Join the conditions by AND.", (edit,))


_OPERATORS = frozenset({"=", "!=", "<", ">", "<=", ">=", "in", "like", "is", "not", "between"})


def _comma(context: TokenContext) -> Advice | None:
    """Explain a comma between conditions, or in a number."""
    token, following = context.token, context.near(1)
    if token.text != ",":
        return None
    if context.before.kind == "number" and re.fullmatch(r"\d{3}", following.text):
        edits = ((token.at, token.at + 1, ""),)
        number = f"{context.before.text}{following.text}"
        return Advice("A number has no commas in COQL.", f"Write: {number}", edits)
    if following.kind != "name":
        return None
    edit = context.swap(context.index, " and")
    return Advice("A comma does not join conditions.", "Write: and", (edit,))


def _apostrophe(context: TokenContext) -> Advice | None:
    """Double a quote inside a text."""
    token, before = context.token, context.before
    if (
        token.kind != "name"
        or before.kind != "text"
        or token.at != context.end_of(context.index - 1)
    ):
        return None
    start, quote = before.at, before.text[0]
    ends = [match.end() for match in re.finditer(rf"{quote}(?!\w)", context.text[start + 1 :])]
    end = start + 1 + ends[0] if ends else len(context.text)
    inside = context.text[start + 1 : end].removesuffix(quote)
    right = quote + inside.replace("\\" + quote, quote).replace(quote, quote * 2) + quote
    at = start + context.text[start + 1 : end].find(quote) + 1
    edits = ((start, end, right),)
    return Advice("A quote inside a text is doubled.", f"Write: {right}", edits, at)


def _currency_sign(context: TokenContext) -> Advice | None:
    """Leave out a currency sign."""
    token = context.token
    if unicodedata.category(token.text[:1] or " ") != "Sc":
        return None
    edits = ((token.at, token.at + 1, ""),)
    return Advice("An amount has no currency sign in COQL.", "Write the number alone.", edits)


def _open_quote(context: TokenContext) -> Advice | None:
    """Close a quote at the end of the text."""
    quote = context.token.text[:1]
    if quote not in {"'", '"'}:
        return None
    closed = context.text.rstrip().rstrip(";") + quote
    edits = ((0, len(context.text), closed),)
    return Advice("This quote is not closed.", "Add the quote at the end.", edits)


def _bare_text(context: TokenContext) -> Advice | None:
    """Put a text into quotes."""
    start, end = context.value_words()
    first, sign = context.tokens[start], context.tokens[start - 1]
    several = start < context.index or (first.kind == "name" and "." in first.text)
    plain = first.kind in {"name", "number", "date"} and first.word not in RESERVED
    if not (several and plain) or sign.word in {"and", "or", "where"}:
        return None
    right = quoted(context.words(start, end))
    edits = (context.swap(start, right, end - 1),)
    return Advice("Text needs quotes.", f"Write: {right}", edits, first.at)


def _no_value(context: TokenContext) -> Advice | None:
    """Ask for the value behind an operator."""
    sign = context.before.word
    if sign not in _OPERATORS - {"in", "is", "not"} or context.token.word not in ENDS:
        return None
    return Advice(f"There is no value behind {context.before.text}.", f"Write: … {sign} 'Pune'")


def _brackets(context: TokenContext) -> Advice | None:
    """Explain a bracket that is missing or too many."""
    token = context.token
    if token.text == ")":
        edit = context.cut(context.index, context.index + 1)
        return Advice("This bracket closes none.", "Leave it out.", (edit,))
    opened = sum({"(": 1, ")": -1}.get(each.text, 0) for each in context.tokens)
    if opened > 0 and (not token.text or token.word in {"group", "order", "limit"}):
        edit = context.insert(context.index, ")" * opened)
        return Advice("A bracket is not closed.", "Add: )", (edit,))
    return None


def _missing_clause(context: TokenContext) -> Advice | None:
    """Name the clause that a query lacks."""
    token, words = context.token, [each.word for each in context.tokens]
    if "from" not in words and token.word in {"", "where", "group", "order", "limit"}:
        fix = "Name the module: select … from Leads where …"
        return Advice("FROM is missing here.", fix)
    if not token.text and context.before.word == "from":
        return Advice("The module is missing.", "Write: from Leads")
    if "where" not in words and token.word in {"", ")", "group", "order", "limit"}:
        fix = "To mean every record, write: where id is not null"
        edit = context.insert(context.index, " where id is not null")
        return Advice("WHERE is missing here.", fix, (edit,))
    if token.word == "from" and context.before.word == "select":
        return Advice("No column is selected.", "Write: select * from …, or name the columns")
    return None


def _null(context: TokenContext) -> Advice | None:
    """Explain NULL that is compared with."""
    if context.token.word != "null":
        return None
    operator = context.before.text
    if operator in {"=", "!=", "<>", "=="}:
        right = "is null" if operator in {"=", "=="} else "is not null"
        edit = context.swap(context.index - 1, right, context.index)
        return Advice("Nothing is compared with NULL.", f"Write: {right}", (edit,))
    return Advice("NULL is not a value.", "Write: is null, or is not null")


def _statements(context: TokenContext) -> Advice | None:
    """Take one query at a time."""
    if context.token.text != ";":
        return None
    edits = ((context.token.at, len(context.text), ""),)
    return Advice("COQL takes one query at a time.", "Run the other one by itself.", edits)


def _in_where(
    rule: Callable[[TokenContext], Advice | None],
) -> Callable[[TokenContext], Advice | None]:
    """Restrict a rule to conditions."""
    return lambda context: rule(context) if context.clause == "where" else None


OPERATOR_RULES = (_statements, _operator)
FUNCTION_RULES = (_function,)
CONDITION_RULES = (_null, _in_where(_not), _list)
VALUE_RULES = (
    *map(_in_where, (_no_condition, _connector_too_many, _connector_missing, _comma)),
    _missing_clause,
    *map(_in_where, (_apostrophe, _currency_sign, _open_quote, _bare_text, _no_value)),
    _brackets,
)
