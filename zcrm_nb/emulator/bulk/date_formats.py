"""Dates as people write them: the patterns of a mapping's ``format``, which are Java's."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache

__all__ = ["DATE", "DATETIME", "parse", "supported"]

DATE, DATETIME = "MM/dd/yyyy", "MM/dd/yyyy HH:mm:ss"
_LETTERS = {
    **dict.fromkeys(("yyyy", "y"), "%Y"),
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    **dict.fromkeys(("MM", "M"), "%m"),
    **dict.fromkeys(("dd", "d"), "%d"),
    "EEE": "%a",
    **dict.fromkeys(("HH", "H"), "%H"),
    **dict.fromkeys(("hh", "h"), "%I"),
    **dict.fromkeys(("mm", "m"), "%M"),
    **dict.fromkeys(("ss", "s"), "%S"),
    "a": "%p",
    **dict.fromkeys(("XXX", "XX", "Z"), "%z"),
}
"""Pattern letters, and how ``strptime`` spells them; Zoho's own list is nowhere to be read."""
_PIECE = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")


def supported(pattern: str) -> bool:
    """Whether a pattern can be used.

    Examples
    --------
    >>> from zcrm_nb.emulator.bulk.date_formats import supported
    >>> supported("yyyy-MM-dd'T'HH:mm:ssXXX"), supported("yyyy-QQ")
    (True, False)
    """
    try:
        return "%" in _directives(pattern)
    except KeyError:
        return False


def parse(text: str, pattern: str) -> datetime | None:
    """Read a date or a time; None where it cannot be read.

    Examples
    --------
    >>> from zcrm_nb.emulator.bulk.date_formats import parse
    >>> parse("01/31/2026", "MM/dd/yyyy")
    datetime.datetime(2026, 1, 31, 0, 0)
    """
    try:
        return datetime.strptime(text, _directives(pattern))  # noqa: DTZ007 - the caller's zone
    except ValueError:
        return None


@cache
def _directives(pattern: str) -> str:
    """Spell a pattern for ``strptime``; ``KeyError`` for a letter without a meaning."""
    spelled, end = "", 0
    for piece in _PIECE.finditer(pattern):
        if piece.start() != end:
            raise KeyError(pattern)
        end = piece.end()
        if piece[2]:
            spelled += _LETTERS[piece[0]]
        else:
            quoted = "'" if piece[0] == "''" else (piece[1] or "").replace("''", "'")
            spelled += (quoted if piece[0].startswith("'") else piece[0]).replace("%", "%%")
    if end != len(pattern):
        raise KeyError(pattern)
    return spelled
