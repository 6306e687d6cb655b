"""Money of an org with several currencies: their rates over the years, and what records cost.

The makers of records think in the home currency. What belongs to a firm or person of another
country is then put into the currency that is paid there, at the rate of the day it was made.
"""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.currencies import (
    CURRENCIES,
    PAID_IN,
    currency_fields,
    full_name,
    has_currency,
    rate_text,
    usual_rate,
)
from zcrm_nb.emulator.catalog.directory import FOUNDED
from zcrm_nb.emulator.storage import customizing, documents
from zcrm_nb.emulator.storage.references import CURRENCY
from zcrm_nb.emulator.world import staff
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zcrm_nb.emulator.storage.schema import Module, Tracker
    from zcrm_nb.emulator.storage.store import Store

#: How often somebody brings the rates up to date.
QUARTER_S = 91 * DAY_S
#: Where each module says which country its records belong to, as SQL over a record.
COUNTRIES = {
    "Leads": 'r."Country"',
    "Accounts": 'r."Billing_Country"',
    "Contacts": 'r."Mailing_Country"',
    "Deals": '(SELECT "Billing_Country" FROM "Accounts" WHERE id = r."Account_Name")',
    "Quotes": 'r."Billing_Country"',
    "Invoices": 'r."Billing_Country"',
}


def open_currencies(store: Store, codes: Sequence[str]) -> None:
    """Give an empty org its currencies, the home currency first, and records the fields for it."""
    for number, code in enumerate(codes):
        documents.add(store, CURRENCY, currency(code, codes[0]), first_id(store) + number)
    add_fields(store, codes)


def add_fields(store: Store, codes: Sequence[str]) -> None:
    """Give records of every module the fields ``Currency`` and ``Exchange_Rate``."""
    for module in list(store.schema.modules.values()):
        if has_currency(module):
            for field in currency_fields(codes[0], dict.fromkeys(codes, True)):
                customizing.add_field(store, module.api_name, field)


def first_id(store: Store) -> int:
    """Give the place where the ids of the currencies begin."""
    return store.schema.directory["Users"].id + 700_001


def currency(code: str, home: str) -> documents.Document:
    """Describe a currency as the administrator entered it when the org was made."""
    known = CURRENCIES[code]
    founded = int(datetime.fromisoformat(FOUNDED).timestamp())
    return {
        "name": full_name(code),
        "iso_code": code,
        "symbol": known.symbol,
        "prefix_symbol": True,
        "exchange_rate": rate_text(usual_rate(code, home)),
        "is_active": True,
        "is_base": code == home,
        "format": {
            "decimal_separator": known.decimal_separator,
            "thousand_separator": known.thousand_separator,
            "decimal_places": known.decimal_places,
        },
        "created_by": staff.ADMIN,
        "modified_by": staff.ADMIN,
        "created_time": founded,
        "modified_time": founded,
    }


def convert_world(store: Store, seed: int) -> None:
    """Put the records of a new world into the currencies of their countries."""
    currencies = documents.listed(store, CURRENCY)
    home = next((each["iso_code"] for each in currencies if each["is_base"]), None)
    if home is None:
        return
    store.execute("CREATE TEMP TABLE rates (code TEXT, since INTEGER, rate REAL)")
    for each in currencies:
        _load_rates(store, each, home, seed)
    codes = [each["iso_code"] for each in currencies]
    for name, country in COUNTRIES.items():
        _convert_module(store, store.schema.modules[name], country, codes)
    for name, parent in (("Quoted_Items", "Quotes"), ("Invoiced_Items", "Invoices")):
        _convert_lines(store, store.schema.modules[name], parent, "Parent_Id")
    for module in store.schema.trackers:
        if module.tracker and module.tracker.module in COUNTRIES:
            _convert_history(store, module, module.tracker)
    store.execute("DROP TABLE temp.rates")


def _load_rates(store: Store, kept: documents.Document, home: str, seed: int) -> None:
    """Store the rates of one currency over the years; the last one is the rate of today."""
    code = kept["iso_code"]
    rates = list(_rates(code, usual_rate(code, home), kept["created_time"], seed))
    if not kept["is_base"]:
        for since, rate in rates:
            store.execute("INSERT INTO temp.rates VALUES (?, ?, ?)", (code, since, rate))
        last, today = rates[-1]
        text = rate_text(today)
        documents.change(store, kept | {"exchange_rate": text, "modified_time": last})


def _rates(code: str, usual: float, since: int, seed: int) -> Iterator[tuple[int, float]]:
    """Let a rate wander, a few per cent in a quarter, never far from the usual one."""
    random, drift = Random(f"{seed}/rates/{code}"), 0.0  # noqa: S311
    yield 0, round(usual, 9)
    for moment in range(since + QUARTER_S, NOW, QUARTER_S):
        drift = 0.9 * drift + random.gauss(0, 0.025)
        yield moment, round(usual * (1 + drift), 9)


def _convert_module(store: Store, module: Module, country: str, codes: Sequence[str]) -> None:
    """Put the records of one module into their currencies, and their sums with them."""
    cases = " ".join(
        f"WHEN '{name}' THEN '{code}'"
        for name, paid in PAID_IN.items()
        if (code := next((each for each in paid if each in codes), None))
    )
    if not cases:
        return
    code = f"CASE {country} {cases} END"
    rate = (
        f'(SELECT rate FROM temp.rates WHERE code = {code} AND since <= r."Created_Time"'
        " ORDER BY since DESC LIMIT 1)"
    )
    store.execute(
        f'UPDATE "{module.api_name}" AS r SET "Currency" = coalesce({code}, "Currency"),'
        f' "Exchange_Rate" = coalesce({rate}, 1.0)'
    )
    _multiply(store, module, 'r."Exchange_Rate"', 'r."Exchange_Rate" != 1.0')


def _convert_lines(store: Store, module: Module, parent: str, via: str) -> None:
    """Put what belongs to a record, such as line items, into the currency of the record."""
    rate = f'(SELECT "Exchange_Rate" FROM "{parent}" WHERE id = r."{via}")'
    _multiply(store, module, rate, f"{rate} != 1.0")


def _convert_history(store: Store, module: Module, tracker: Tracker) -> None:
    """Put what was noted of records into their currencies."""
    _convert_lines(store, module, tracker.module, tracker.via)
    for name in ("Currency", "Exchange_Rate"):
        if name in module.by_name:
            store.execute(
                f'UPDATE "{module.api_name}" AS r SET "{name}" ='
                f' (SELECT "{name}" FROM "{tracker.module}" WHERE id = r."{tracker.via}")'
            )


def _multiply(store: Store, module: Module, rate: str, where: str) -> None:
    """Multiply all sums of money of a module by a rate."""
    sums = [each.api_name for each in module.fields if each.kind == "currency" and each.written]
    stored = [name for name in sums if module.by_name[name].rollup is None]
    setting = ", ".join(f'"{name}" = round("{name}" * {rate}, 2)' for name in stored)
    if setting:
        store.execute(f'UPDATE "{module.api_name}" AS r SET {setting} WHERE {where}')


def home(store: Store) -> dict[str, Any] | None:
    """Find the home currency; ``None`` in an org with one currency only."""
    return next((each for each in documents.listed(store, CURRENCY) if each["is_base"]), None)
