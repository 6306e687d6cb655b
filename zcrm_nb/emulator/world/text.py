"""Small words: slugs, days, and what people really type into forms."""

from __future__ import annotations

import unicodedata
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Indian Standard Time has been five and a half hours ahead, without summer time, since 1945.
IST_S = 19_800
DAY_S = 86_400
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@cache
def slug(text: str) -> str:
    """Keep letters and digits of a text, fit for an address.

    Examples
    --------
    >>> slug("Smith-Jones"), slug("Siân"), slug("आशा")
    ('smithjones', 'sian', 'guest')
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalnum, ascii_text)).lower() or "guest"


@cache
def iso_date(day: int) -> str:
    """Write the date of a day counted from 1970-01-01.

    Examples
    --------
    >>> iso_date(0)
    '1970-01-01'
    """
    return date.fromordinal(EPOCH_ORDINAL + day).isoformat()


def day_of(moment: int) -> int:
    """Count the day, in India, in which an epoch second falls."""
    return (moment + IST_S) // DAY_S


def filled(template: str, die: float) -> str:
    """Fill a template such as ``"110%03d"`` with as many digits as it asks for.

    Examples
    --------
    >>> filled("110%03d", 0.0421), filled("no digits", 0.5)
    ('110042', 'no digits')
    """
    return (
        template % int(die * 10 ** int(template[template.index("%") + 2]))
        if "%" in template
        else template
    )


#: First and last names as forms really deliver them.
ODD_NAMES = (
    ("NA", "NA"), ("null", "null"), (None, "null"), (None, "NA"), ("Conan", "O'Neil"),
    ("Máire", "Ní Bhriain"), ("आशा", "शर्मा"), ("રમેશ", "પટેલ"), ("فاطمة", "الزهراء"),
    ("Jürgen", "Groß"), ("🚀 Rocket", "Rao"), ("Anita", "D'Souza"), ("Robert'); --", "Tables"),
    (" Suresh", "Kumar "), ("PRIYA", "SINGH"), ("test", "test"), ("Lena", 'Kim "LK"'),
)  # fmt: skip

#: Other ways in which people write a telephone number.
DIALLED: tuple[Callable[[str], str], ...] = (
    lambda number: number.replace("+", "00", 1),
    lambda number: "({}) {}".format(*number.split(" ", 1)),
    lambda number: number.replace(" ", ".").replace("-", "."),
    lambda number: f" {number} ",
)

REMARKS = (
    "Met at the trade fair; wants a demo at the plant.",
    "Asked for references from the same industry.",
    "Budget approved for the next quarter.",
    "Prefers WhatsApp over calls.",
    "Has a two-year contract with a competitor.",
    "Wrong number, please verify.",
    "Price is the main concern; sent the list of April.",
    'Said: "call after Diwali"; do so.',
)
#: A description as it was pasted from a mail: long, with line breaks, tabs and quotes.
PASTED = "Forwarded message:\n\n" + "\r\n".join(
    f'{n}.\t{remark} Details follow, including commas, "quotes" and a semicolon; as always.'
    for n, remark in enumerate(REMARKS * 6, 1)
)
