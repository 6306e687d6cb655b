"""Amounts in the home currency, by the exchange rate that each record has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from zcrm_nb.coql.fields import type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zcrm_nb.api.metadata import Catalogue

__all__ = ["currency_facts", "with_home_columns", "with_rate"]

RATE = "Exchange_Rate"


def with_rate(
    catalogue: Catalogue, module: str, columns: Sequence[str] | None
) -> Sequence[str] | None:
    """Add the rate to the columns that are read, where the module has one."""
    if columns is None or RATE in columns or RATE not in catalogue.fields(module):
        return columns
    return [*columns, RATE]


def with_home_columns(
    catalogue: Catalogue, module: str, table: pd.DataFrame, columns: Sequence[str] | None
) -> pd.DataFrame:
    """Put ``X.home`` behind each amount X: X divided by the record's rate.

    Zoho's rate is how much of the record's currency one unit of the home currency buys; without a
    rate (an org with one currency) an amount is in the home currency already.
    """
    fields = catalogue.fields(module)
    for name in [each for each in table.columns if each in fields]:
        if type_of(fields[name]) == "currency" and name in table:
            rate: Any = table[RATE].fillna(1.0) if RATE in table else 1.0
            place = table.columns.get_loc(name)
            assert isinstance(place, int), "each column has its own name"
            table.insert(place + 1, f"{name}.home", table[name] / rate)
    is_extra = columns is not None and RATE not in columns and RATE in table
    return table.drop(columns=RATE) if is_extra else table


def currency_facts(catalogue: Catalogue) -> dict[str, str | None]:
    """Return code and symbol of the home currency, for plots and reports."""
    org: dict[str, Any] = dict(catalogue.org())
    return {"code": org.get("iso_code"), "symbol": org.get("currency_symbol")}
