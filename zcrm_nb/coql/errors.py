"""The one error of this room: a query that Zoho would refuse for its text alone."""

from __future__ import annotations

from typing import Any


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
