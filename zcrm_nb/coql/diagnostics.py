"""What is to be said about a query: where, what, and the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from typing import Literal as OneOf

from zcrm_nb.errors import caret

__all__ = ["Finding", "ParseError", "explained", "found", "place"]


class ParseError(Exception):
    """A query that Zoho would refuse, with Zoho's own code, message and details.

    Parameters
    ----------
    code : str
        Zoho's code, such as ``"SYNTAX_ERROR"``; the one thing to branch on.
    message : str
        Zoho's words, its spelling included.
    details : dict, optional
        Zoho's details object.
    text : str, default ""
        The query, from which line and column are counted.
    at : int, default 0
        Where the trouble is, counted from 0.

    Attributes
    ----------
    line, column : int
        Where the trouble is, both counted from 1.

    Examples
    --------
    >>> from zcrm_nb.coql import ParseError, parse
    >>> try:
    ...     parse("select Last_Name from Leads")
    ... except ParseError as error:
    ...     print(error.code, error.details, error.line, error.column)
    SYNTAX_ERROR {'clause': 'where'} 1 28
    """

    def __init__(
        self,
        code: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        text: str = "",
        at: int = 0,
    ) -> None:
        self.code, self.message, self.details, self.at = code, message, details or {}, at
        self.line, self.column = place(text, at)
        inside = ", ".join(f"{key}: {value}" for key, value in self.details.items())
        about = f" ({inside})" if inside else ""
        super().__init__(f"{code}: {message}{about} at line {self.line}, column {self.column}")


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of a position, both counted from 1, as Zoho counts them."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a query that its writer should know.

    Parameters
    ----------
    line, column : int
        Where it is, both counted from 1.
    problem : str
        What is wrong, in a sentence.
    fix : str, default ""
        What to write instead; or, of something repaired, what was written instead.
    severity : {"error", "repaired", "warning"}, default "error"
        ``"error"``: Zoho would refuse the query. ``"repaired"``: Zoho would refuse it as it is
        written, but it can be written otherwise and mean the same. ``"warning"``: Zoho takes it,
        though it may not mean what its writer thinks.
    code, message : str, default ""
        What Zoho would answer.
    details : dict, optional
        The details of Zoho's answer.

    Examples
    --------
    >>> from zcrm_nb.coql import lint
    >>> finding = lint("select City from Leads")[0]
    >>> finding.line, finding.column, finding.severity
    (1, 23, 'repaired')
    """

    line: int
    column: int
    problem: str
    fix: str = ""
    severity: OneOf["error", "repaired", "warning"] = "error"
    code: str = ""
    message: str = ""
    details: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return " ".join(
            filter(None, [f"line {self.line}, column {self.column}:", self.problem, self.fix])
        )

    @property
    def said(self) -> str:
        """What Zoho would say, in its own words; empty where it would say nothing."""
        inside = ", ".join(f"{key}: {value}" for key, value in self.details.items())
        about = f" ({inside})" if inside else ""
        return f"Zoho would say {self.code}: {self.message}{about}" if self.code else ""

    def shown(self, text: str) -> str:
        r"""Show the finding below the line of the query it is about.

        Parameters
        ----------
        text : str
            The query.

        Returns
        -------
        str
            The problem, the line with a caret, the fix.

        Examples
        --------
        >>> from zcrm_nb.coql import lint
        >>> text = "select City from Leads where Rating = 'Hot' limit 0"
        >>> print(lint(text)[0].shown(text))
        LIMIT begins at 1.
            select City from Leads where Rating = 'Hot' limit 0
                                                              ^
        Ask for one row at least.
        """
        return "\n".join(
            filter(None, [self.problem, caret(text, self.line, self.column), self.fix])
        )


def found(text: str, at: int, problem: str, fix: str = "", **facts: Any) -> Finding:
    """Make a finding at a position of the text."""
    return Finding(*place(text, at), problem, fix, **facts)


# ---- Zoho's refusals in plain words --------------------------------------------------------------

# By code and the keys of details, never by the words of a message. {braces} hold details.
_EXPLAINED: dict[tuple[str, ...], tuple[str, str]] = {
    ("SYNTAX_ERROR", "clause"): (
        "{clause} is missing here.",
        "A query reads: select … from … where …; to mean every record: where id is not null",
    ),
    ("SYNTAX_ERROR", "near"): (
        "COQL joins two conditions at a time, and this is a third.",
        "Bracket them in pairs: ((A and B) and C). Where AND meets OR, which of them comes first "
        "is yours to say.",
    ),
    ("SYNTAX_ERROR", "operator"): (
        "COQL has no operator {operator}.",
        "There are = != > >= < <= in, like, between, each also with not before it, and is null.",
    ),
    ("INVALID_QUERY", "limit"): ("LIMIT wants a whole number, not {limit}.", "Write: limit 200"),
    ("INVALID_QUERY", "offset"): (
        "OFFSET wants a whole number, not {offset}.",
        "Write: limit 200 offset 400",
    ),
    ("INVALID_QUERY", "column_name", "sub_query_sequence"): (
        "A query in brackets selects one column, not {column_name}.",
        "Select only what the outer field is compared with, mostly: select id from …",
    ),
    ("INVALID_QUERY", "alias", "column_name"): (
        "{alias} is the name of another column, so it cannot stand for {column_name}.",
        "Choose another alias.",
    ),
    ("INVALID_ALIAS", "alias", "column_name"): (
        "The alias of {column_name} is empty.",
        "Name it, or leave AS out.",
    ),
    ("DUPLICATE_ALIAS", "alias", "referred_columns"): (
        "Two columns have the alias {alias}.",
        "Give each one its own.",
    ),
    ("DUPLICATE_DATA", "column_name"): ("{column_name} stands here twice.", "Leave one out."),
    ("DUPLICATE_DATA", "aggregate", "column_name"): (
        "{aggregate}({column_name}) stands here twice.",
        "Select it once; to sort by it, give it an alias: {aggregate}({column_name}) as x … "
        "order by x",
    ),
    ("INVALID_DATA",): ("LIMIT begins at 1.", "Ask for one row at least."),
    ("INVALID_DATA", "column", "reason"): (
        "COQL has no function in {column}.",
        "There are SUM, MIN, MAX, AVG and COUNT; anything else pandas can do with the table.",
    ),
    ("LIMIT_EXCEEDED", "clause", "limit"): (
        "Zoho takes at most {limit} in one query's {clause}.",
        "Ask in several queries, or filter the table in pandas.",
    ),
}
_MISSING = {
    "*": "Name the columns; COUNT(id) counts records.",
    "case": "Make such a column of the table: df[…].map(…), or numpy.where(…).",
    "distinct": "Group instead: select City from … group by City; or call .drop_duplicates().",
    "having": "Filter the groups in pandas: df[df[…] > 5].",
    "join": "Follow a lookup by a dot: Account_Name.Industry",
    "union": "Ask twice and join the tables: pandas.concat([…]).",
    "exists": "Use a query in brackets: Account_Name in (select id from Accounts where …)",
}


def explained(refusal: ParseError, text: str) -> Finding:
    """Explain a refusal of the grammar."""
    key = (refusal.code, *sorted(refusal.details))
    if key == ("SYNTAX_ERROR",):
        problem, fix = _unsupported(text, refusal.at)
    elif key == ("SYNTAX_ERROR", "column", "line", "near"):
        problem, fix = _unexpected(refusal.details["near"])
    else:
        facts = refusal.details
        problem, fix = (words.format(**facts) for words in _EXPLAINED[key])
    facts = {"code": refusal.code, "message": refusal.message, "details": refusal.details}
    return found(text, refusal.at, problem, fix, **facts)


def _unsupported(text: str, at: int) -> tuple[str, str]:
    """Name what COQL does not have, and what to do instead."""
    word = (text[at:].split(maxsplit=1) or [""])[0]
    word = word if word[:1].isalpha() else word[:1]
    if word.lower() in _MISSING:
        return f"COQL has no {word.upper()}.", _MISSING[word.lower()]
    if not word or word.isalpha():
        return "COQL only reads: a query begins with SELECT.", "Write: select … from … where …"
    return "COQL does not reckon.", "Select the columns, and reckon with those of the table."


def _unexpected(near: str) -> tuple[str, str]:
    """Tell about a word that stands where it cannot."""
    if not near:
        return "The query ends too early.", "A query reads: select … from … where …"
    if near[0] in "'\"":
        return "This quote is not closed, or text stands here where it cannot.", (
            "Inside text, write a quote twice: 'O''Brien'"
        )
    if near.lower() == "null":
        return "Nothing is compared with null.", "Write: is null, or is not null"
    return f"{near} cannot stand here.", (
        "Look at what comes before it. Names that are words of COQL stand in quotes."
    )
