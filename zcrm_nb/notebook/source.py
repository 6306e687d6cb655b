"""Texts as Python source, for code that a person runs: names and values stay what they are."""

from __future__ import annotations

__all__ = ["block", "literal"]


def literal(text: str) -> str:
    r"""Write a text as a literal between double quotes.

    Examples
    --------
    >>> from zcrm_nb.notebook.source import literal
    >>> print(literal('Deals "new"'))
    "Deals \"new\""
    """
    return '"' + _escaped(text).replace('"', r"\"").replace("\n", r"\n") + '"'


def block(text: str) -> str:
    """Write a text of several lines as a literal between triple quotes."""
    return '"""\n' + _escaped(text).replace('"""', r"\"\"\"") + '\n"""'


def _escaped(text: str) -> str:
    """Escape backslashes, and what a source file would lose or not show."""
    return "".join(
        each if (each.isprintable() and each != "\\") or each == "\n" else _number(each)
        for each in text
    )


def _number(character: str) -> str:
    """Write a character by its escape sequence."""
    return character.encode("unicode_escape").decode()
