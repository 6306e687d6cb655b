"""Every module that can be written to takes a record, changes it, and gives it up again."""

from __future__ import annotations

import pytest

import zcrm_nb
from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.catalog import org_schema

WRITTEN = [
    module.api_name
    for module in org_schema().modules.values()
    if module.generated_type in {"default", "custom"} and module.api_name != "Notes"
]
FEW = ("Leads", "Contacts", "Accounts", "Deals", "Tasks", "Events", "Calls", "Notes", "Products",
       "Vendors", "Campaigns", "Quotes", "Invoices", "Site_Visits")  # fmt: skip


@pytest.fixture(scope="module")
def crm():
    """A small org of one's own."""
    with zcrm_nb.emulate(rows=dict.fromkeys(FEW, 3), clock=ManualClock()) as crm:
        yield crm


def least(crm, module):
    """The record with no more than its module demands, and a field of it to write text into."""
    values, text = {}, "Description"
    for name, field in crm._catalogue.fields(module).items():
        if field["system_mandatory"]:
            values[name] = least_value(crm, field)
            text = name if field["data_type"] == "text" else text
    return values, text


def least_value(crm, field):
    """A value that a mandatory field takes."""
    match field["data_type"]:
        case "picklist":
            return field["pick_list_values"][1]["display_value"]
        case "lookup":
            return {"id": first_of(crm, field["lookup"]["module"]["api_name"])}
        case "date":
            return "2026-10-01"
        case "datetime":
            return "2026-10-01T10:00:00+05:30"
        case "subform":
            return [{"Product_Name": {"id": first_of(crm, "Products")}, "Quantity": 2}]
        case _:
            return "Made"


def first_of(crm, module):
    """The id of any record."""
    return crm.coql(f"select id from {module} where id is not null limit 1")["id"][0]


@pytest.mark.parametrize("module", WRITTEN)
def test_a_record_is_made_changed_hung_about_deleted_and_brought_back(crm, module, tmp_path):
    """Standard and custom modules alike, used or not."""
    values, text = least(crm, module)
    made = crm.insert(module, [values, values])
    assert made["status"].eq("done").all(), made.to_string()
    (one, other) = made["id"]
    plan = crm.diff(module, [{"id": one, text: "Changed"}, {"id": other}])
    assert plan.counts["update"] == 1
    report = plan.apply()
    assert crm.record(module, one)[text] == "Changed"
    assert report.undo()["status"].eq("done").all()
    assert str(crm.record(module, one)[text]) != "Changed"
    paper = tmp_path / "paper.txt"
    paper.write_text("42")
    for act in (
        crm.add_note(module, one, "Called"),
        crm.attach(module, one, paper),
        crm.tag(module, [one, other], "vip"),
        crm.untag(module, [one], "vip"),
        crm.change_owner(module, [one], crm.users()["id"][0]),
    ):
        assert act["status"].eq("done").all(), act.to_string()
    assert crm.notes(module, one)["Note_Content"].tolist() == ["Called"]
    assert crm.attachments(module, one)["File_Name"].tolist() == ["paper.txt"]
    assert "vip" in crm.record(module, other)["Tag"]
    assert not crm.timeline(module, one).empty
    gone = crm.delete(module, made)
    assert set(made["id"]) <= set(crm.deleted(module)["id"])
    assert gone.undo()["status"].eq("done").all()
    assert crm.mass_delete(module, made["id"])["status"].eq("done").all()
