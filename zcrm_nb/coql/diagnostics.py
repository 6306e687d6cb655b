"""Findings about a query: where, what is wrong, and how to correct it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from typing import Literal as OneOf

from zcrm_nb.errors import caret

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Edit",
    "Finding",
    "ParseError",
    "edited",
    "found",
    "invalid_query",
    "invalid_value",
    "place",
]


LONGEST_SHOWN = 400  # characters of a corrected query in a message


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
    corrected : str, default ""
        The whole query with this one thing corrected, where there is one likely correction.

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
    corrected: str = ""

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
            The problem, the line with a caret, the fix, the corrected query.

        Examples
        --------
        >>> from zcrm_nb.coql import lint
        >>> text = "select City from Leads where Rating = 'Hot' limit 0"
        >>> print(lint(text)[0].shown(text))
        LIMIT starts at 1.
            select City from Leads where Rating = 'Hot' limit 0
                                                              ^
        Ask for at least one row.
        """
        lines = [self.problem, caret(text, self.line, self.column), self.fix, self.corrected_text]
        return "\n".join(filter(None, lines))

    @property
    def corrected_text(self) -> str:
        """The corrected query as a message shows it; empty where it is long, or missing."""
        short = 0 < len(self.corrected) <= LONGEST_SHOWN
        return f"Corrected: {self.corrected}" if short else ""


Edit: TypeAlias = tuple[int, int, str]
"""Where a text is changed, from one position to another, and what is written there."""


def found(
    text: str, at: int, problem: str, fix: str = "", edits: Iterable[Edit] = (), **facts: Any
) -> Finding:
    """Make a finding at a position of the text."""
    return Finding(*place(text, at), problem, fix, corrected=edited(text, edits), **facts)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Change a text; empty where there is nothing to change."""
    changed = text
    for start, end, new in sorted(edits, reverse=True):
        changed = changed[:start] + new + changed[end:]
    return changed if changed != text else ""


def invalid_query(details: dict[str, Any], message: str = "Invalid query formed") -> dict[str, Any]:
    """Write what Zoho answers to a query that cannot be."""
    return {"code": "INVALID_QUERY", "message": message, "details": details}


def invalid_value(details: dict[str, Any]) -> dict[str, Any]:
    """Write what Zoho answers to a value that does not fit."""
    return invalid_query(details, "value given seems to be invalid for the column")
