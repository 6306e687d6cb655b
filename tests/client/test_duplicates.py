"""Duplicates of an org: read by the cheapest way, within a module and across several."""

from __future__ import annotations

import pandas as pd
import pytest

import zcrm_nb
from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.errors import LimitError, NotFoundError, ZohoError

TEST_ADDRESS = "@".join(["test", "test.com"])

ROWS = {"Leads": 300, "Contacts": 60, "Accounts": 20, "Deals": 10}


@pytest.fixture(scope="module")
def org():
    """An org with a few duplicates of its own."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def crm(org):
    """A CRM with three people who were entered more than once."""
    crm = attach(org)
    crm.insert(
        "Leads",
        [
            {"Last_Name": "Osei", "Email": "Osei@Example.test", "Phone": "020 5550 1009"},
            {"Last_Name": "Ossei", "Email": "osei@example.test", "City": "Accra", "Mobile": "n/a"},
            {"Last_Name": "Osei", "Phone": "+91 20 5550-1009"},
            {"Last_Name": "None", "Phone": "0000000000", "Email": TEST_ADDRESS},
            {"Last_Name": "None too", "Phone": "0000000000", "Email": TEST_ADDRESS},
        ],
    )
    crm.insert("Contacts", [{"Last_Name": "Osei", "Email": "osei@example.test"}])
    return crm


def osei(found):
    """The group of one person."""
    (group,) = found.loc[found["matched"].str.contains("osei@example.test"), "group"].unique()
    return found[found["group"] == group]


def test_duplicates_of_a_module_are_found_by_email_or_phone(crm):
    """Transitive, normalised with the country of the org, with the evidence."""
    found = crm.duplicates("Leads", on=["Email", "Phone"], progress=False)
    group = osei(found)
    assert len(group) == 3
    assert group["master"].tolist() == [True, False, False]
    assert group["module"].unique().tolist() == ["Leads"]
    assert group["matched"].iloc[0] == "Email: osei@example.test; Phone: +912055501009"
    assert not found["matched"].str.contains(TEST_ADDRESS).any()
    assert found.attrs["zcrm"]["country"] == "IN"
    assert found.attrs["zcrm"]["module"] == "Leads"


def test_a_frame_in_hand_gives_the_same_result(crm):
    """Only the country has to be named."""
    found = crm.duplicates("Leads", on=["Email", "Phone"], progress=False)
    df = crm.table("Leads", ["Email", "Phone", "Created_Time"], where="Converted__s = 'false'")
    same = zcrm_nb.duplicates(df, on=["Email", "Phone"], country="IN").reset_index(drop=True)
    pd.testing.assert_frame_equal(found.drop(columns="module"), same)


def test_a_lead_that_is_a_contact_already_is_found_across_modules(crm):
    """The contact is proposed as the master."""
    found = crm.duplicates(["Leads", "Contacts"], on=["Email", "Phone"], progress=False)
    group = osei(found)
    assert group["module"].tolist() == ["Contacts", "Leads", "Leads", "Leads"]
    assert group["master"].sum() == 1


def test_the_most_complete_record_is_the_master(crm):
    """All fields count, and are read of the records in groups only."""
    found = crm.duplicates("Leads", on=["Email", "Phone"], keep="most_complete", progress=False)
    master = osei(found).iloc[0]
    assert crm.record("Leads", master["id"])["City"] == "Accra"


def test_converted_leads_are_left_out(crm):
    """They live on as contacts."""
    ids = crm.duplicates("Leads", on="Lead_Status", progress=False)["id"]
    converted = crm.coql("select id from Leads where Converted__s = 'true'")["id"]
    assert len(converted)
    assert not set(ids) & set(converted)


@pytest.mark.parametrize("where", ["City is not null", {"City": "Pune"}])
def test_a_condition_narrows_what_is_compared(crm, where):
    """As text or as a mapping; converted leads stay out."""
    found = crm.duplicates("Leads", on="City", where=where, progress=False)
    whole = crm.table("Leads", ["City", "Converted__s"], where=where)
    left = whole[~whole["Converted__s"].fillna(False)]
    assert set(found["id"]) <= set(left["id"])
    assert len(found)


def test_it_costs_what_the_plan_of_its_columns_says(org, crm):
    """And not more than is allowed: the price is in the error, and nothing was read."""
    condition = "Converted__s = 'false'"
    plan = crm.plan("Leads", ["Email", "Phone", "Created_Time"], where=condition)
    found = crm.duplicates("Leads", on=["Email", "Phone"], progress=False)
    assert found.attrs["zcrm"]["credits"] <= plan.credits + 1
    with pytest.raises(LimitError, match="costs"):
        crm.duplicates("Leads", on=["Email", "Phone"], max_credits=1, progress=False)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("Leads", ["Emial"]), NotFoundError, "Did you mean Email"),
        ((["Leads", "Contacts"], ["Company"]), NotFoundError, "Contacts has no field 'Company'"),
        (("Leeds", ["Email"]), NotFoundError, "Did you mean Leads"),
        (([], ["Email"]), ValueError, "takes one module or several"),
        (("Leads", ["Tag"]), ValueError, "holds lists or objects"),
        (("Leads", []), ValueError, "on= takes columns"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_read(org, crm, arguments, error, message):
    """Unknown modules and fields by name, with a suggestion."""
    crm.fields("Leads"), crm.fields("Contacts")
    with crm.trace() as calls, pytest.raises(error, match=message):
        crm.duplicates(*arguments, progress=False)
    assert not calls


def test_an_org_without_a_country_compares_numbers_as_they_are_written(crm, monkeypatch):
    """Nothing is guessed."""
    crm.org()
    kept = dict(crm._catalogue.known("org"))
    monkeypatch.setitem(crm._catalogue._kept, "org", kept | {"country_code": None})
    found = crm.duplicates("Leads", on="Phone", progress=False)
    assert found.attrs["zcrm"]["country"] is None
    assert not found["matched"].str.contains("2055501009").any()
    monkeypatch.setitem(crm._catalogue._kept, "org", kept | {"country_code": "XX"})
    with pytest.raises(ValueError, match="country='XX'"):
        crm.duplicates("Leads", on="Phone", progress=False)


@pytest.mark.parametrize("kind", ["500", "lost", "html", "truncated"])
def test_trouble_ends_in_the_right_result_or_an_error_of_ours(org, crm, kind):
    """Never in half a result."""
    whole = crm.duplicates("Leads", on=["Email", "Phone"], progress=False)
    org.faults.add(kind, path="/coql", times=1)
    try:
        assert len(crm.duplicates("Leads", on=["Email", "Phone"], progress=False)) == len(whole)
    except ZohoError:
        pass
    finally:
        org.faults.clear()
