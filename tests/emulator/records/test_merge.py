"""Merging records: what is moved, which values win, what is refused."""

import pytest

from zcrm_nb.emulator.settings import ActionSettings


def merge(ask, master, *children, module="Contacts", fields=(), **item):
    """Merge children into a master; the first child gives ``fields``."""
    data = [{"id": child} for child in children]
    if fields:
        data[0]["_fields"] = [{"api_name": name} for name in fields]
    body = {"merge": [{"data": data, "master_record_fields": []} | item]}
    return ask("POST", f"/{module}/{master}/actions/merge", None, body)


def record(ask, record_id, module="Contacts"):
    """One record, whole."""
    return ask("GET", f"/{module}/{record_id}").body["data"][0]


def hanging(ask, record_id, related, module="Contacts", fields="id"):
    """Ids of a related list."""
    reply = ask("GET", f"/{module}/{record_id}/{related}", {"fields": fields})
    return {each["id"] for each in reply.body["data"]} if reply.body else set()


def insert(ask, module, **values):
    """A new record's id."""
    reply = ask("POST", f"/{module}", None, {"data": [values]})
    return reply.body["data"][0]["details"]["id"]


def refusal(reply):
    """Code, path and message of a refused merge."""
    (item,) = reply.body["merge"]
    return reply.status, item["code"], item["details"].get("json_path"), item["message"]


def test_the_master_keeps_its_values_but_for_the_fields_of_a_child(ask):
    """Only what is listed under a child is taken from it."""
    master = insert(ask, "Contacts", Last_Name="Rao", Email="rao@acme.example", Title="CTO")
    child = insert(ask, "Contacts", Last_Name="Rau", Email="rau@acme.example", Phone="123")
    reply = merge(ask, master, child, fields=["Email"])
    assert reply.status == 201
    (done,) = reply.body["merge"]
    assert (done["code"], done["status"], done["details"]) == ("SUCCESS", "success", {"id": master})
    kept = record(ask, master)
    assert (kept["Last_Name"], kept["Email"], kept["Title"], kept["Phone"]) == (
        "Rao", "rau@acme.example", "CTO", None,
    )  # fmt: skip
    assert ask("GET", f"/Contacts/{child}").status in (204, 404)


def test_what_hangs_on_a_child_hangs_on_the_master(ask):
    """Notes, tasks, deals, attachments and links; nothing is doubled."""
    account = ask.ids("Accounts")[0]
    master, child = (insert(ask, "Contacts", Last_Name=name) for name in ("Rao", "Rau"))
    task = insert(ask, "Tasks", Subject="Call", Who_Id={"id": child})
    deal = insert(
        ask, "Deals", Deal_Name="D", Stage="Qualification", Closing_Date="2027-01-01",
        Pipeline="Standard (Standard)", Contact_Name={"id": child}, Account_Name={"id": account},
    )  # fmt: skip
    note = insert(
        ask, "Notes", Note_Title="N", Note_Content="text",
        Parent_Id={"module": {"api_name": "Contacts"}, "id": child},
    )  # fmt: skip
    link = {"attachmentUrl": "https://acme.example/offer", "title": "offer"}
    assert ask("POST", f"/Contacts/{child}/Attachments", link).status == 200
    assert merge(ask, master, child).status == 201
    assert hanging(ask, master, "Tasks") == {task}
    assert hanging(ask, master, "Deals") == {deal}
    assert hanging(ask, master, "Notes", fields="Note_Title") == {note}
    assert len(hanging(ask, master, "Attachments", fields="File_Name")) == 1
    assert record(ask, task, "Tasks")["Who_Id"]["id"] == master


def test_polymorphic_lookups_follow_an_account(ask):
    """A task about an account is about the master then, and so are its contacts."""
    master, child = (insert(ask, "Accounts", Account_Name=name) for name in ("Acme", "ACME Ltd"))
    task = insert(
        ask, "Tasks", Subject="Visit", What_Id={"id": child}, **{"$se_module": "Accounts"}
    )
    contact = insert(ask, "Contacts", Last_Name="Rao", Account_Name={"id": child})
    part_of = insert(ask, "Accounts", Account_Name="Branch", Parent_Account={"id": child})
    assert merge(ask, master, child, module="Accounts").status == 201
    moved = record(ask, task, "Tasks")
    assert (moved["What_Id"]["id"], moved["$se_module"]) == (master, "Accounts")
    assert record(ask, contact)["Account_Name"]["id"] == master
    assert record(ask, part_of, "Accounts")["Parent_Account"]["id"] == master


def test_a_master_never_becomes_its_own_parent(ask):
    """Where it pointed to the child, it points nowhere."""
    child = insert(ask, "Accounts", Account_Name="Acme Group")
    master = insert(ask, "Accounts", Account_Name="Acme", Parent_Account={"id": child})
    assert merge(ask, master, child, module="Accounts").status == 201
    assert record(ask, master, "Accounts")["Parent_Account"] is None


def test_tags_are_united(ask):
    """Tags of both, each once."""
    master = insert(ask, "Leads", Last_Name="Rao", Tag=[{"name": "vip"}, {"name": "north"}])
    child = insert(ask, "Leads", Last_Name="Rau", Tag=[{"name": "north"}, {"name": "old"}])
    assert merge(ask, master, child, module="Leads").status == 201
    names = [each["name"] for each in record(ask, master, "Leads")["Tag"]]
    assert sorted(names) == ["north", "old", "vip"]


@pytest.mark.parametrize(("for_good", "kind"), [(True, "permanent"), (False, "recycle")])
def test_merged_records_are_listed_as_deleted(make, for_good, kind):
    """Gone for good, or in the recycle bin: a setting."""
    ask = make(settings={"actions": ActionSettings(merge_deletes_for_good=for_good)})
    master, child = ask.ids("Leads")[:2]
    assert merge(ask, master, child, module="Leads").status == 201
    deleted = ask("GET", "/Leads/deleted", {"type": kind}).body["data"]
    assert [each["id"] for each in deleted] == [child]


def test_a_unique_value_moves_from_a_child(ask):
    """The child is gone before the master takes its value."""
    master, child, other = ask.ids("Contacts")[:3]
    assert merge(ask, master, child, other, fields=["Last_Name"]).status == 201
    assert ask("GET", f"/Contacts/{other}").status in (204, 404)


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ([], "INVALID_DATA", "$.merge[0].data"),
        (None, "INVALID_DATA", "$.merge[0].data"),
        (["{1}", "{2}", "{3}"], "INVALID_DATA", "$.merge[0].data"),
        (["{0}"], "DUPLICATE_DATA", "$.merge[0].data[0].id"),
        (["{1}", "{1}"], "DUPLICATE_DATA", "$.merge[0].data[1].id"),
        (["77"], "INVALID_DATA", "$.merge[0].data[0].id"),
        (["x"], "INVALID_DATA", "$.merge[0].data[0].id"),
        ([""], "MANDATORY_NOT_FOUND", "$.merge[0].data[0].id"),
    ],
)
def test_records_that_cannot_be_merged_are_refused(ask, data, code, path):
    """None, too many, the master itself, one twice, unknown ones."""
    ids = ask.ids("Leads")[:4]
    data = data and [{"id": text.format(*ids)} for text in data]
    reply = merge(ask, ids[0], module="Leads", data=data)
    assert refusal(reply)[:3] == (400, code, path)
    assert ask("GET", f"/Leads/{ids[1]}").status == 200


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ([{}], "MANDATORY_NOT_FOUND", "_fields[0].api_name"),
        ([{"api_name": "No_Such"}], "INVALID_DATA", "_fields[0].api_name"),
        ([{"api_name": "Created_Time"}], "INVALID_DATA", "_fields[0].api_name"),
        ([{"api_name": "Email"}, {"api_name": "Email"}], "DUPLICATE_DATA", "_fields[1].api_name"),
    ],
)
def test_fields_that_cannot_be_taken_are_refused(ask, fields, code, path):
    """Nameless, unknown, Zoho's own, one twice."""
    master, child = ask.ids("Leads")[:2]
    reply = merge(ask, master, module="Leads", data=[{"id": child, "_fields": fields}])
    assert refusal(reply)[:3] == (400, code, f"$.merge[0].data[0].{path}")


def open_deals(ask, count=2):
    """Ids of deals that are neither won nor lost."""
    deals = ask("GET", "/Deals", {"fields": "Stage,Pipeline"}).body["data"]
    return [deal["id"] for deal in deals if "Closed" not in deal["Stage"]][:count]


@pytest.mark.parametrize("name", ["Closing_Date", "Probability", "Expected_Revenue"])
def test_what_zoho_fills_in_a_deal_is_not_chosen(ask, name):
    """Closing date, probability and expected revenue follow the master."""
    master, child = open_deals(ask)
    reply = merge(ask, master, child, module="Deals", fields=[name])
    assert refusal(reply)[:2] in {(400, "NOT_ALLOWED"), (400, "INVALID_DATA")}
    assert "automatically" in refusal(reply)[3] or name == "Expected_Revenue"


def test_closed_deals_are_not_merged(ask):
    """Neither as master nor as child."""
    (open_deal,) = open_deals(ask, 1)
    won = insert(
        ask, "Deals", Deal_Name="Won", Stage="Closed Won", Closing_Date="2026-01-01",
        Pipeline="Standard (Standard)",
    )  # fmt: skip
    reply = merge(ask, won, open_deal, module="Deals")
    assert (reply.status, reply.body["code"]) == (400, "NOT_ALLOWED")
    assert reply.body["message"] == "Only Open Deals can be merged"
    assert refusal(merge(ask, open_deal, won, module="Deals"))[3] == "Only Open Deals can be merged"


def test_a_stage_comes_with_its_pipeline(ask):
    """A child's stage of another pipeline is refused; with its pipeline it is taken."""
    master, child = (
        insert(
            ask, "Deals", Deal_Name=name, Stage=stage, Closing_Date="2027-01-01", Pipeline=pipeline
        )
        for name, stage, pipeline in (
            ("A", "Qualification", "Standard (Standard)"),
            ("B", "Proposal/Price Quote", "Government Tenders"),
        )
    )
    reply = merge(ask, master, child, module="Deals", fields=["Stage"])
    assert refusal(reply)[:3] == (400, "NOT_ALLOWED", "$.merge[0].data[0]._fields[0].api_name")
    assert merge(ask, master, child, module="Deals", fields=["Stage", "Pipeline"]).status == 201
    assert record(ask, master, "Deals")["Stage"] == "Proposal/Price Quote"


def test_a_superior_comes_with_the_account(ask):
    """Reporting_To of a child alone is refused."""
    boss = ask.ids("Contacts")[0]
    master = insert(ask, "Contacts", Last_Name="Rao")
    child = insert(ask, "Contacts", Last_Name="Rau", Reporting_To={"id": boss})
    assert refusal(merge(ask, master, child, fields=["Reporting_To"]))[:2] == (400, "INVALID_DATA")
    assert merge(ask, master, child, fields=["Account_Name", "Reporting_To"]).status == 201
    assert record(ask, master)["Reporting_To"]["id"] == boss


def test_a_field_of_files_names_its_files(ask):
    """Without _data it is refused."""
    master, child = ask.ids("Site_Visits")[:2]
    reply = merge(ask, master, module="Site_Visits", data=[
        {"id": child, "_fields": [{"api_name": "Photos", "_data": "all"}]}
    ])  # fmt: skip
    assert refusal(reply)[1] == "DEPENDENT_FIELD_MISSING"
    reply = merge(ask, master, child, module="Site_Visits", master_record_fields=[
        {"api_name": "Photos", "_data": None}
    ])  # fmt: skip
    assert reply.status == 201
    assert record(ask, master, "Site_Visits")["Photos"] in ([], None)


@pytest.mark.parametrize(
    ("module", "master", "code", "index"),
    [
        ("Tasks", None, "INVALID_MODULE", 0),
        ("Quotes", None, "INVALID_MODULE", 0),
        ("Leads", "77", "INVALID_DATA", 1),
    ],
)
def test_masters_that_are_none_are_refused(ask, module, master, code, index):
    """Modules that are not merged, records that do not exist."""
    ids = ask.ids(module)[:2]
    reply = merge(ask, master or ids[0], ids[1], module=module)
    assert (reply.status, reply.body["code"]) == (400, code)
    assert reply.body["details"] == {"resource_path_index": index}


def test_a_converted_lead_is_not_merged(ask):
    """It is no lead any longer."""
    master, child = ask.ids("Leads")[:2]
    assert ask("POST", f"/Leads/{child}/actions/convert", None, {"data": [{}]}).status == 200
    assert refusal(merge(ask, master, child, module="Leads"))[1] == "NOT_ALLOWED"
    assert merge(ask, child, master, module="Leads").body["message"] == (
        "Master record id is not available"
    )


@pytest.mark.parametrize(
    "body", [{"merge": []}, {"merge": [{}, {}]}, {"merge": {}}, {"merge": [1]}]
)
def test_a_body_holds_one_merge(ask, body):
    """More or less is invalid data."""
    master = ask.ids("Leads")[0]
    reply = ask("POST", f"/Leads/{master}/actions/merge", None, body)
    assert (reply.status, reply.body["code"]) == (400, "INVALID_DATA")


def test_the_fields_of_the_master_are_mandatory(ask):
    """The list may be empty, but not absent."""
    master, child = ask.ids("Leads")[:2]
    reply = merge(ask, master, child, module="Leads", master_record_fields=None)
    assert refusal(reply)[1:3] == ("MANDATORY_NOT_FOUND", "$.merge[0].master_record_fields")


def test_a_scheduled_merge_has_a_job(make):
    """SCHEDULED, RUNNING, COMPLETED by the clock; until then its records are taken."""
    ask = make(settings={
        "actions": ActionSettings(merge_schedules=True, chore_delay_s=10, chore_runs_s=20)
    })  # fmt: skip
    master, child, other = ask.ids("Leads")[:3]
    url = f"/Leads/{master}/actions/merge"
    assert ask("GET", url).status == 204
    (done,) = merge(ask, master, child, module="Leads").body["merge"]
    assert done["code"] == "SCHEDULED"
    job = done["details"]["job_id"]
    assert ask("GET", url, {"job_id": job}).body == {
        "merge": [{"job_id": job, "status": "SCHEDULED"}]
    }
    assert refusal(merge(ask, other, child, module="Leads"))[1] == "NOT_ALLOWED"
    ask.emulator.clock.advance(15)
    assert ask("GET", url).body["merge"][0]["status"] == "RUNNING"
    ask.emulator.clock.advance(20)
    assert ask("GET", url).body["merge"][0]["status"] == "COMPLETED"
    assert ask("GET", f"/Leads/{child}").status in (204, 404)


def test_a_job_whose_records_are_gone_fails(make):
    """A record that was deleted in the meantime."""
    ask = make(settings={"actions": ActionSettings(merge_schedules=True, chore_delay_s=10)})
    master, child = ask.ids("Leads")[:2]
    assert merge(ask, master, child, module="Leads").status == 201
    assert ask("DELETE", f"/Leads/{child}").status == 200
    ask.emulator.clock.advance(60)
    status = ask("GET", f"/Leads/{master}/actions/merge").body["merge"][0]["status"]
    assert status == "FAILURE"
