"""Amounts in the home currency, by the exchange rate of each record."""

from __future__ import annotations

import pytest

import zcrm_nb


@pytest.mark.parametrize("route", ["coql", "rest"])
def test_an_amount_is_divided_by_the_rate_of_its_record(route):
    """By every route alike, and the rate itself comes only where it was named."""
    crm = zcrm_nb.emulate(currencies=["INR", "USD", "EUR"])
    plain = crm.table("Deals", ["Amount", "Exchange_Rate"], route=route)
    table = crm.table("Deals", ["Amount", "Stage"], home=True, route=route)
    assert list(table.columns) == ["id", "Amount", "Amount.home", "Stage"]
    known = plain["Amount"] / plain["Exchange_Rate"]
    assert table["Amount.home"].tolist() == pytest.approx(known.tolist(), nan_ok=True)
    assert (plain["Exchange_Rate"] != 1).any()
    crm.close()


def test_an_org_with_one_currency_has_the_amounts_as_they_are(crm):
    """They are in the home currency already."""
    table = crm.table("Deals", ["Amount"], home=True, limit=20)
    assert table["Amount.home"].equals(table["Amount"].rename("Amount.home"))
    assert table.attrs["zcrm"]["home"]["code"] == "INR"
    assert "Stage" in crm.table("Deals", ["Stage"], home=True, limit=2)
