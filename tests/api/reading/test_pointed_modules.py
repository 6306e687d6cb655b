"""Whose record: lookups to several modules come with the module they point to."""

from __future__ import annotations

import pandas as pd
import pytest

from zcrm_nb.api.reading.pointed_modules import frame_of_list
from zcrm_nb.frames import Column


@pytest.mark.parametrize(
    ("module", "lookup"),
    [
        ("Tasks", "What_Id"),
        ("Events", "What_Id"),
        ("Calls", "What_Id"),
        ("Notes", "Parent_Id"),
        ("Site_Visits", "Visit_For"),
    ],
)
def test_a_lookup_to_several_modules_names_the_module(crm, module, lookup):
    """In lists, by ids, searches and single records alike; null where nothing is pointed to."""
    listed = crm.records(module, [lookup, "Created_Time"], limit=40)
    names = ["id", lookup, f"{lookup}.id", f"{lookup}.module", "Created_Time"]
    assert list(listed.columns) == names
    assert (listed[f"{lookup}.module"].isna() == listed[f"{lookup}.id"].isna()).all()
    assert str(listed[f"{lookup}.module"].dtype) == "string"
    by_ids = crm.records(module, [lookup, "Created_Time"], ids=listed)
    assert by_ids.equals(listed)
    pointing = listed.dropna().iloc[0]
    one = crm.record(module, pointing["id"], columns=[lookup, "Created_Time"])
    assert list(one.index) == names
    assert one[f"{lookup}.module"] == pointing[f"{lookup}.module"]
    target = crm.record(pointing[f"{lookup}.module"], pointing[f"{lookup}.id"])
    assert target["id"] == pointing[f"{lookup}.id"]


def test_a_search_names_the_module_too(crm):
    """With named columns and with all."""
    named = crm.search("Tasks", ["What_Id"], word="call", limit=5)
    assert list(named.columns) == ["id", "What_Id", "What_Id.id", "What_Id.module"]
    whole = crm.search("Tasks", word="call", limit=5)
    assert whole["What_Id.module"].equals(named["What_Id.module"])
    assert "$se_module" in whole


def test_no_rows_have_the_same_columns(crm):
    """As everywhere."""
    some = crm.records("Tasks", ["What_Id"], limit=3)
    none = crm.records("Tasks", ["What_Id"], ids=[])
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


@pytest.mark.parametrize(
    ("key", "dtype"),
    [("$approval_state", "string"), ("$converted", "boolean"), ("$editable", "boolean")],
)
def test_system_keys_come_by_name(crm, key, dtype):
    """In lists, searches and single records."""
    listed = crm.records("Leads", ["Last_Name", key], limit=2)
    found = crm.search("Leads", ["Last_Name", key], criteria={"City": "Pune"}, limit=2)
    one = crm.record("Leads", listed["id"][0], columns=["Last_Name", key])
    assert str(listed[key].dtype) == str(found[key].dtype) == dtype
    assert list(one.index) == ["id", "Last_Name", key]
    assert pd.isna(one[key]) == pd.isna(listed[key][0])


@pytest.mark.parametrize("lookup", [{"id": "41"}, "41", None, {"module": None}, {"module": [1]}])
def test_an_odd_lookup_has_no_module(crm, lookup):
    """Nothing from outside is believed."""
    body = [[{"id": "1", "Parent_Id": lookup}]]
    columns = [Column("id", "text"), Column("Parent_Id", "lookup")]
    table = frame_of_list(crm._catalogue, "Notes", body, columns, errors="coerce")
    assert table["Parent_Id.module"].isna().all()


def test_a_table_read_with_modules_is_written_back_without_a_refusal(crm):
    """The column says where a record hangs; a comparison leaves it alone."""
    tasks = crm.records("Tasks", ["Subject", "What_Id"], limit=3)
    tasks["Subject"] = "Renamed"
    plan = crm.diff("Tasks", tasks)
    assert set(plan.cells["column"]) == {"Subject"}
    assert (plan.apply()["status"] == "done").all()
