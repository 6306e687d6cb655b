"""Currencies of the world as data, and the two fields that records have in an org with several.

Rates are round numbers of the emulator's own: what one unit costs in rupees on an ordinary day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.emulator.catalog.builders import field
from zcrm_nb.emulator.storage.schema import Choice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zcrm_nb.emulator.storage.schema import Field, Module


class Currency(NamedTuple):
    """One currency: its name, its symbol, what a unit costs in rupees, how numbers are written."""

    name: str
    symbol: str
    rupees: float
    thousand_separator: str = "Comma"
    decimal_separator: str = "Period"
    decimal_places: str = "2"


CURRENCIES: dict[str, Currency] = {
    "AED": Currency("UAE Dirham", "AED", 22.9),
    "AUD": Currency("Australian Dollar", "AU$", 55.4),
    "BRL": Currency("Brazilian Real", "R$", 15.1, "Period", "Comma"),
    "CAD": Currency("Canadian Dollar", "CA$", 61.5),
    "CHF": Currency("Swiss Franc", "CHF", 95.7),
    "CNY": Currency("Chinese Yuan", "CN¥", 11.7),
    "EUR": Currency("Euro", "€", 91.5, "Period", "Comma"),
    "GBP": Currency("British Pound", "£", 106.5),
    "IDR": Currency("Indonesian Rupiah", "Rp", 0.0052, "Period", "Comma", "0"),
    "INR": Currency("Indian Rupee", "₹", 1.0),
    "JPY": Currency("Japanese Yen", "¥", 0.56, decimal_places="0"),
    "KES": Currency("Kenyan Shilling", "KES", 0.65),
    "KWD": Currency("Kuwaiti Dinar", "KWD", 272.0, decimal_places="3"),
    "MXN": Currency("Mexican Peso", "MX$", 4.3),
    "MYR": Currency("Malaysian Ringgit", "MYR", 19.0),
    "NZD": Currency("New Zealand Dollar", "NZ$", 50.5),
    "SAR": Currency("Saudi Riyal", "SAR", 22.4),
    "SEK": Currency("Swedish Krona", "SEK", 8.0, "Space", "Comma"),
    "SGD": Currency("Singapore Dollar", "SGD", 63.2),
    "THB": Currency("Thai Baht", "THB", 2.45),
    "USD": Currency("US Dollar", "$", 84.0),
    "ZAR": Currency("South African Rand", "ZAR", 4.7, "Space", "Comma"),
}
#: Editions of Zoho CRM whose orgs may have several currencies.
MULTI_CURRENCY = ("enterprise", "ultimate")
#: Currencies that firms of a country pay in, the usual one first.
PAID_IN: dict[str, tuple[str, ...]] = {
    "United Arab Emirates": ("AED", "USD"),
    "United Kingdom": ("GBP", "EUR"),
    "United States": ("USD",),
    "Singapore": ("SGD", "USD", "EUR"),
    "Kenya": ("KES", "USD", "EUR"),
    "India": ("INR",),
}


def full_name(code: str) -> str:
    """Name a currency as Zoho's API does.

    Examples
    --------
    >>> full_name("USD")
    'US Dollar - USD'
    """
    return f"{CURRENCIES[code].name} - {code}"


def usual_rate(code: str, home: str) -> float:
    """Give how much of a currency one unit of the home currency buys."""
    return CURRENCIES[home].rupees / CURRENCIES[code].rupees


def rate_text(rate: float) -> str:
    """Write a rate with nine decimals, as Zoho does."""
    return f"{rate:.9f}"


def has_currency(module: Module) -> bool:
    """Whether records of a module carry a currency: not rows of subforms, nor links."""
    return module.generated_type in {"default", "custom"}


def currency_fields(home: str, codes: Mapping[str, bool]) -> tuple[Field, Field]:
    """Make the fields ``Currency`` and ``Exchange_Rate``; ``codes`` says which are active."""
    return (
        field("Currency", "picklist", choices=code_choices(codes), default=home),
        field("Exchange_Rate", "double", decimals=9, default=1.0),
    )


def code_choices(codes: Mapping[str, bool]) -> tuple[Choice, ...]:
    """List the codes of an org as values of a picklist; inactive ones are unused."""
    return tuple(Choice(code, used=active) for code, active in codes.items())


def check_codes(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the codes in their order, or raise ``ValueError`` for an unknown or repeated one."""
    chosen = tuple(codes)
    if isinstance(codes, str) or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"currencies={codes!r} is not a list of different codes; write ('INR', 'USD')"
        )
    if unknown := [each for each in chosen if each not in CURRENCIES]:
        known = ", ".join(CURRENCIES)
        raise ValueError(f"{unknown[0]!r} is not a known currency; choose from: {known}")
    return chosen
