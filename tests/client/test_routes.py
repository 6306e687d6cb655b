"""One question, three routes, one table: lists, queries and bulk exports of random records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from zcrm_nb import CRM
from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
AWKWARD = ["NA", "null", "None", "nan", "007", "1e5", "true", 'a"b', "a,b", "a\nb", "a\r\nb", "é;ü"]
TEXTS = st.sampled_from(AWKWARD) | st.text(CHARACTERS, min_size=1, max_size=40)
# Quarters, because a formula multiplies two of them, and exact decimals have 18 places.
NUMBERS = st.integers(-4 * 10**9, 4 * 10**9).map(lambda number: number / 4)
MOMENTS = st.datetimes().map(
    lambda t: t.replace(year=2000 + t.year % 60, microsecond=0).isoformat()
)
OFFSETS = st.sampled_from(["+05:30", "+00:00", "-03:00", "+01:00", "+02:00"])

#: A field of each type that somebody can write and all three routes can read.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "Site_City": TEXTS,
    "Observations": TEXTS,
    "Directions": TEXTS,
    "Site_Phone": st.from_regex(r"0[0-9]{6,9}", fullmatch=True),
    "Site_Email": st.from_regex(r"[a-z]{1,8}@example\.com", fullmatch=True),
    "Visit_Status": st.sampled_from(["Planned", "Done", "Cancelled"]),
    "Purpose": st.lists(st.sampled_from(["Survey", "Demo"]), unique=True, max_size=2),
    "Visit_Date": st.dates().map(str),
    "Arrival_Time": st.builds(str.__add__, MOMENTS, OFFSETS),
    "Distance_Km": NUMBERS,
    "Rate_per_Km": NUMBERS,
    "Satisfaction": st.integers(0, 100),
    "Follow_Up_Needed": st.booleans(),
    "Gate_Pass_Number": st.integers(-(10**15), 10**15),
    "Account": st.integers(0, 2),
    "Lead_Engineer": st.integers(0, 2),
}
READ_ONLY = [
    *("Visit_Number", "Total_Expenses", "Travel_Allowance", "Owner", "Created_By"),
    *("Created_Time", "Locked__s", "Record_Status__s"),
]

records = st.lists(st.fixed_dictionaries({}, optional=FIELDS), min_size=1, max_size=8)
columns = st.lists(st.sampled_from([*FIELDS, *READ_ONLY]), unique=True, min_size=1)


@pytest.fixture(scope="module")
def crm() -> Iterator[CRM]:
    """An org with few records, whose bulk files hold three of them."""
    few = ["Leads", "Contacts", "Accounts", "Deals", "Tasks", "Site_Visits"]
    emulator = Emulator(
        rows=dict.fromkeys(few, 5),
        clock=ManualClock(),
        settings=Settings(bulk=BulkSettings(csv_rows=3)),
    )
    with attach(emulator) as crm:
        yield crm


def inserted(crm: CRM, drawn: list[dict[str, Any]]) -> list[str]:
    """Insert records, with real ids for those they point to, and give their ids."""
    accounts = crm.records("Accounts", ["Account_Name"], limit=3)["id"]
    users = crm.users()["id"]
    choices = {name: crm.picklist("Site_Visits", name)["display_value"] for name in PICKED}
    data = []
    for record in drawn:
        said = {"Name": "Visit", **record}
        if "Account" in said:
            said["Account"] = {"id": accounts[said["Account"]]}
        if "Lead_Engineer" in said:
            said["Lead_Engineer"] = {"id": users[said["Lead_Engineer"]]}
        if "Visit_Status" in said:
            said["Visit_Status"] = choices["Visit_Status"].iloc[len(said) % 3]
        if "Purpose" in said:
            said["Purpose"] = choices["Purpose"].head(len(said["Purpose"])).tolist()
        data.append(said)
    answer = crm.request("POST", "Site_Visits", json={"data": data})
    assert {each["code"] for each in answer["data"]} == {"SUCCESS"}, answer
    return [each["details"]["id"] for each in answer["data"]]


PICKED = ("Visit_Status", "Purpose")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=records, names=columns, exact=st.booleans())
def test_lists_queries_and_exports_give_the_identical_table(crm, drawn, names, exact):
    """Every type of field, any columns in any order, any values, nothing among them."""
    ids = inserted(crm, drawn)
    listed = crm.records("Site_Visits", names, ids=ids, exact=exact)
    text = f"select {', '.join(names)} from Site_Visits where id in :ids"
    queried = crm.coql(text, ids=ids, exact=exact)
    exported = crm.bulk("Site_Visits", names, where="id in :ids", ids=ids, exact=exact)
    assert len(exported) == len(drawn)
    assert_frame_equal(queried, listed)
    assert_frame_equal(exported, listed)


@pytest.mark.parametrize("module", ["Leads", "Contacts", "Accounts", "Deals", "Tasks", "Quotes"])
def test_whole_modules_are_the_same_by_list_and_by_export(crm, module):
    """All columns that an export brings."""
    exported = crm.bulk(module, jobs=2 if module == "Leads" else 1)
    unnamed = exported.attrs["zcrm"]["unnamed"]
    names = [each for each in exported if not each.endswith(".id") and each != "id"]
    listed = crm.records(module, names)
    assert_frame_equal(exported.drop(columns=unnamed), listed.drop(columns=unnamed))


@pytest.mark.parametrize(
    ("module", "column"),
    [
        ("Site_Visits", "Visit_For"),
        ("Tasks", "What_Id"),
        ("Events", "What_Id"),
        ("Calls", "Who_Id"),
    ],
)
def test_names_that_no_job_tells_come_another_way_when_asked_for(crm, module, column):
    """A lookup to several modules: from lists, as a query may not tell them."""
    exported = crm.bulk(module, ["Created_Time", column])
    assert_frame_equal(exported, crm.records(module, ["Created_Time", column]))
    assert exported[column].notna().any()
    facts = exported.attrs["zcrm"]
    assert facts["unnamed"] == []
    assert facts["elsewhere"] == ([column] if column != "Who_Id" else [])


def test_names_that_nobody_asked_for_are_left_out(crm):
    """Of all columns such lookups have their ids, and the table says so."""
    exported = crm.bulk("Site_Visits")
    assert exported["Visit_For"].isna().all()
    assert exported["Visit_For.id"].notna().any()
    assert exported.attrs["zcrm"]["unnamed"] == ["Visit_For"]
