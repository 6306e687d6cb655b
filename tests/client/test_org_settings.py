"""Settings of the org as tables."""

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock

ROWS = {"Leads": 5}


def org(**options):
    """A CRM on a tiny org."""
    return attach(Org(rows=ROWS, clock=ManualClock(), **options))


def test_currencies_come_as_a_table():
    """Rates are numbers; the home currency costs 1."""
    with org(currencies=("INR", "USD", "JPY")) as crm:
        found = crm.currencies().set_index("iso_code")
        assert found.loc["INR", "exchange_rate"] == 1
        assert 0.005 < found.loc["USD", "exchange_rate"] < 0.05
        assert found["decimal_places"].to_dict() == {"INR": 2, "USD": 2, "JPY": 0}
        assert found["is_base"].tolist() == [True, False, False]


def test_an_org_with_one_currency_has_an_empty_table_of_the_same_types():
    """No rows, the same columns and dtypes."""
    with org() as one, org(currencies=("INR", "USD")) as several:
        assert len(one.currencies()) == 0
        assert one.currencies().dtypes.equals(several.currencies().dtypes)


def test_territories_join_with_their_managers():
    """The highest has none above it."""
    with org() as crm:
        found, users = crm.territories(), crm.users()
        assert found["reporting_to.id"].isna().sum() == 1
        assert set(found["manager.id"].dropna()) <= set(users["id"])
        assert str(found["created_time"].dtype) == "datetime64[s, UTC]"


def test_pipelines_have_the_stages_of_deals():
    """A row for each stage; one pipeline is the default."""
    with org() as crm:
        found, stages = crm.pipelines(), crm.picklist("Deals", "Stage")
        assert set(found["stage"]) <= set(stages["display_value"])
        assert found.loc[found["default"], "pipeline"].unique().tolist() == ["Standard (Standard)"]
        assert found["sequence_number"].tolist() == [*range(1, 10), *range(1, 8)]


def test_variables_keep_their_types():
    """A value is a Python object."""
    with org() as crm:
        found = crm.variables().set_index("api_name")
        assert found.loc["GST_Rate", "value"] == 18
        assert found.loc["Price_List_Valid_Till", "value"] == "2027-03-31"
        assert set(found["group"]) == {"General", "Taxes"}


def test_holidays_are_those_of_a_year():
    """Dates are dates; a year without holidays has a table without rows."""
    with org() as crm:
        every, none = crm.holidays(), crm.holidays(1999)
        assert every["date"].dt.year.unique().tolist() == [2026]
        assert len(none) == 0
        assert none.dtypes.equals(every.dtypes)


def test_a_week_begins_where_the_org_says():
    """With times on business days only."""
    with org() as crm:
        hours = crm.request("GET", "settings/business_hours")["business_hours"]
        change = {"id": hours["id"], "week_starts_on": "Sunday"}
        crm.request("PUT", "settings/business_hours", json={"business_hours": change})
        week = crm.business_hours()
        assert week["day"].tolist()[:2] == ["Sunday", "Monday"]
        assert week["opens"].isna().tolist() == [True, *[False] * 5, True]


def test_groups_of_users_are_listed():
    """Who made them, and when."""
    with org() as crm:
        assert crm.user_groups()["created_by"].unique().tolist() == ["Rohan Deshmukh"]
