"""Leads are converted by a job."""

import pytest


@pytest.fixture
def user(emulator):
    """Id of an active user."""
    sql = "SELECT id FROM Users WHERE status = 'active' ORDER BY id DESC LIMIT 1"
    return str(emulator.store.read(sql)[0][0])


def leads(ask):
    """Ids of leads that are not converted."""
    return ask.ids("Leads", converted="false")


def post(ask, **body):
    """Convert leads."""
    return ask("POST", "/Leads/actions/mass_convert", None, body)


def test_leads_become_contacts_and_deals(ask, user):
    """The status counts them; each lead points to what was made of it."""
    ids = leads(ask)[:3]
    deal = {
        "Deal_Name": "Mass", "Stage": "Qualification", "Closing_Date": "2027-01-01",
        "Pipeline": "Standard (Standard)",
    }  # fmt: skip
    reply = post(ask, ids=ids, assign_to={"id": user}, Deals=deal,
                 carry_over_tags=[{"api_name": "Contacts"}])  # fmt: skip
    assert (reply.status, reply.body["code"]) == (200, "SCHEDULED")
    job = {"job_id": reply.body["details"]["job_id"]}
    status = ask("GET", "/Leads/actions/mass_convert", job).body["data"]
    assert status == [
        {"Status": "COMPLETED", "Failed_Count": 0, "Not_Converted_Count": 0,
         "Total_Count": 3, "Converted_Count": 3}
    ]  # fmt: skip
    for each in ids:
        lead = ask("GET", f"/Leads/{each}").body["data"][0]
        made = ask("GET", f"/Deals/{lead['Converted_Deal']['id']}").body["data"][0]
        assert (made["Deal_Name"], made["Owner"]["id"]) == ("Mass", user)


def test_a_locked_lead_stays_a_lead(ask, user):
    """It fails, and the other is converted."""
    first, second = leads(ask)[:2]
    reason = {"data": [{"Locked_Reason__s": "wait"}]}
    ask("POST", f"/Leads/{first}/Locking_Information__s", None, reason)
    job = post(ask, ids=[first, second], assign_to={"id": user}).body["details"]["job_id"]
    status = ask("GET", "/Leads/actions/mass_convert", {"job_id": job}).body["data"][0]
    assert (status["Failed_Count"], status["Converted_Count"]) == (1, 1)
    assert first in leads(ask)


def test_what_is_wrong_is_refused_where_it_stands(ask, user):
    """Too many, unknown and no leads; no user; half a deal; what is not emulated."""
    ids, to = leads(ask)[:1], {"id": user}
    assert post(ask, assign_to=to).body["details"] == {"api_name": "ids", "json_path": "$.ids"}
    assert post(ask, ids=ids * 51, assign_to=to).body["details"]["maximum_length"] == 50
    unknown = post(ask, ids=[*ids, "77"], assign_to=to).body["details"]
    assert unknown["json_path"] == "$.ids[1]"
    assert post(ask, ids=ids).body["details"]["api_name"] == "assign_to"
    half = post(ask, ids=ids, assign_to=to, Deals={"Deal_Name": "x"}).body["details"]
    assert half["json_path"] == "$.Deals.Stage"
    wrong = post(ask, ids=ids, assign_to=to, related_modules=[{"api_name": "Quotes"}]).body
    assert wrong["details"]["supported_values"] == ["Tasks", "Events", "Calls"]
    refused = post(ask, ids=ids, assign_to=to, portal_user_type={"id": "1"}).body
    assert refused["details"] == {"emulated": False}
