"""Settings of the org as tables: currencies.

As with all metadata nothing is believed: what cannot be understood is missing in the table.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from zcrm_nb.api.pages import V8
from zcrm_nb.frames import Column, entries_of

if TYPE_CHECKING:
    from zcrm_nb.api.pages import Send

__all__ = ["CURRENCY_COLUMNS", "Currency", "currencies"]


class Currency(TypedDict, total=False):
    """A currency of the org as ``crm.currencies()`` lists it; nothing is certain."""

    iso_code: str | None
    symbol: str | None
    exchange_rate: float | None
    is_base: bool | None
    is_active: bool | None


CURRENCY_COLUMNS = [
    Column("iso_code", "text"),
    Column("name", "text"),
    Column("symbol", "text"),
    Column("exchange_rate", "float"),
    Column("is_base", "boolean"),
    Column("is_active", "boolean"),
    Column("decimal_places", "integer"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
    Column("id", "text"),
]


def currencies(send: Send) -> list[Currency]:
    """Return the currencies of the org, none where it has only one; 1 credit."""
    listed = entries_of(send("GET", f"{V8}org/currencies"), "currencies")
    return [_currency(each) for each in listed]


def _currency(described: dict[str, Any]) -> Currency:
    """Return a currency with numbers for the texts that Zoho sends."""
    form = described.get("format")
    places = form.get("decimal_places") if isinstance(form, dict) else None
    numbers = {
        "exchange_rate": _number(described.get("exchange_rate")),
        "decimal_places": None if (n := _number(places)) is None else int(n),
    }
    currency: Currency = {**described, **numbers}  # type: ignore[typeddict-item]
    return currency


def _number(value: object) -> float | None:
    """Return a number, whether Zoho sent it as one or as text."""
    with suppress(TypeError, ValueError):
        return float(value)  # type: ignore[arg-type]
    return None
