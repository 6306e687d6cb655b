"""What fields hold, told by aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from zcrm_nb.emulator import Emulator, Settings
from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.errors import LimitError, NotFoundError, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb import CRM


def row(profile: pd.DataFrame, field: str) -> pd.Series:
    """The line of one field."""
    return profile.set_index("field").loc[field]


@pytest.mark.parametrize("module", ["Leads", "Deals", "Site_Visits"])
def test_a_profile_is_what_the_records_hold(crm: CRM, module: str) -> None:
    """Every number is the one that pandas finds in the whole table."""
    profile, table = crm.profile(module), crm.table(module)
    assert set(profile["field"]) >= {name for name in table if "." not in name and name != "id"}
    for name, filled in profile.set_index("field")["filled"].items():
        values = table[name] if name in table else pd.Series([], dtype=object)
        there = values.map(bool) if values.dtype == object else values.notna()
        assert filled == there.sum() or name not in table
    assert profile["share"].equals(profile["filled"].astype("float64") / len(table))


def test_numbers_have_a_least_a_largest_and_a_mean(crm: CRM) -> None:
    """As they are in the records."""
    found, table = (
        row(crm.profile("Leads"), "Annual_Revenue"),
        crm.table("Leads", ["Annual_Revenue"]),
    )
    values = table["Annual_Revenue"]
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert found["mean"] == pytest.approx(values.mean())


def test_times_have_a_first_and_a_last_in_the_zone_asked_for(crm: CRM) -> None:
    """Dates are dates; datetimes carry their zone."""
    profile = crm.profile("Deals", ["Closing_Date", "Created_Time"], tz="org")
    table = crm.table("Deals", ["Closing_Date", "Created_Time"])
    first, created = row(profile, "Closing_Date"), row(profile, "Created_Time")
    assert pd.Timestamp(first["min"]) == table["Closing_Date"].min()
    assert created["max"] == table["Created_Time"].max()
    assert str(created["max"].tzinfo) == "Asia/Kolkata"


def test_picklists_tell_their_most_frequent_values(crm: CRM) -> None:
    """Five of them, the most frequent first, the empty one left out."""
    found = row(crm.profile("Leads", ["Lead_Source"]), "Lead_Source")
    counts = crm.table("Leads", ["Lead_Source"])["Lead_Source"].value_counts()
    counts = counts[counts > 0]
    assert found["distinct"] == len(counts)
    assert list(found["top"].values()) == counts.head(5).tolist()
    assert all(counts[value] == number for value, number in found["top"].items())


def test_it_costs_what_it_says_and_no_more(crm: CRM, org: Emulator) -> None:
    """The price is known before; a smaller allowance is refused, and nothing is sent."""
    crm.profile("Leads", ["City"])
    before = org.meter.spent
    price = crm.profile("Leads").attrs["zcrm"]["credits"]
    assert org.meter.spent - before == price < 40
    with pytest.raises(LimitError, match=f"costs {price} credits, and {price - 1} may be spent"):
        crm.profile("Leads", max_credits=price - 1)
    assert org.meter.spent - before == price
    assert len(crm.profile("Leads", max_credits=price)) > 50


def test_a_condition_narrows_it(crm: CRM) -> None:
    """Shares are of the records that are meant."""
    found = row(crm.profile("Leads", ["City"], where={"City": "Pune"}), "City")
    assert found["filled"] == crm.count("Leads", "City = 'Pune'")
    assert found["share"] == 1


def test_no_records_have_a_profile_too(crm: CRM) -> None:
    """Nothing is filled, and no share of nothing is made up."""
    profile = crm.profile("Leads", ["City", "Rating", "Annual_Revenue"], where={"City": "Nowhere"})
    assert profile["filled"].tolist() == [0, 0, 0]
    assert profile["share"].isna().all()


def test_where_zoho_counts_only_documented_types_the_numbers_are_the_same(
    connected: Callable[[Emulator], CRM], crm: CRM
) -> None:
    """What COUNT refuses is counted by what is not empty; it costs more."""
    settings = Settings(engine=EngineSettings(count_takes_any_field=False))
    rows = {"Leads": 100, "Contacts": 5, "Accounts": 5, "Deals": 5}
    with Emulator(rows=rows, settings=settings) as strict, Emulator(rows=rows) as mild:
        strict_crm, mild_crm = connected(strict), connected(mild)
        columns = ["City", "Annual_Revenue", "Created_Time", "Owner", "Rating"]
        one, other = (each.profile("Leads", columns) for each in (strict_crm, mild_crm))
    pd.testing.assert_frame_equal(one, other)
    assert one.attrs["zcrm"]["credits"] > other.attrs["zcrm"]["credits"]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"columns": ["Cty"]}, NotFoundError),
        ({"where": "Cty = 'Pune'"}, QueryError),
        ({"where": "City = 'Pune' limit 5"}, ValueError),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    crm: CRM, asked: dict[str, object], error: type[Exception]
) -> None:
    """Before anything is asked."""
    with pytest.raises(error):
        crm.profile("Leads", **asked)  # type: ignore[arg-type]
