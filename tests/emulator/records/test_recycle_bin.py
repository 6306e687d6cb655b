"""The recycle bin's own API."""

import json

import pytest

from zcrm_nb.emulator.settings import ActionSettings
from zcrm_nb.emulator.world import ADMIN

BIN = "/settings/recycle_bin"


def throw(ask, module="Leads", count=2):
    """Delete the first records of a module and return their ids."""
    ids = ask.ids(module)[:count]
    assert ask("DELETE", f"/{module}", {"ids": ",".join(ids)}).status == 200
    return ids


def restore(ask, **body):
    """Restore by a body."""
    return ask("POST", f"{BIN}/actions/restore", None, body)


def test_the_bin_shows_name_module_owner_and_who_deleted_when(ask, emulator):
    """The last deleted first; 204 when it is empty."""
    assert ask("GET", BIN).status == 204
    emulator.clock.advance(60)
    (lead,) = throw(ask, count=1)
    emulator.clock.advance(60)
    throw(ask, "Deals", 1)
    body = ask("GET", BIN).body
    assert [each["module"]["api_name"] for each in body["recycle_bin"]] == ["Deals", "Leads"]
    item = body["recycle_bin"][1]
    assert item.keys() == {"id", "display_name", "deleted_time", "module", "owner", "deleted_by"}
    assert (item["id"], item["deleted_time"]) == (lead, "2026-09-15T09:01:00+05:30")
    assert item["deleted_by"]["name"] == "Rohan Deshmukh"
    assert body["info"] == {"per_page": 200, "count": 2, "page": 1, "more_records": False}
    assert ask("GET", f"{BIN}/{lead}").body["recycle_bin"] == [item]
    assert ask("GET", f"{BIN}/actions/count").body == {"count": 2}


def test_restoring_answers_for_each_record(ask):
    """200, 207 and 400 as other arrays; the records are there again."""
    first, second = throw(ask)
    reply = restore(ask, ids=[first, "77"])
    assert reply.status == 207
    assert [each["code"] for each in reply.body["recycle_bin"]] == ["SUCCESS", "INVALID_DATA"]
    assert reply.body["recycle_bin"][0]["message"] == "record restored"
    assert reply.body["recycle_bin"][1]["details"] == {"id": "77"}
    assert ask("GET", f"/Leads/{first}").status == 200
    assert restore(ask, ids=["77"]).status == 400
    one = ask("POST", f"{BIN}/{second}/actions/restore")
    assert (one.status, one.body["recycle_bin"][0]["details"]["id"]) == (200, second)
    assert ask("GET", BIN).status == 204


def test_what_goes_for_good_is_told_of_as_permanent(ask):
    """DELETE on the bin; /deleted knows the id and no names."""
    first, second = throw(ask)
    reply = ask("DELETE", BIN, {"ids": first})
    assert reply.body["recycle_bin"][0]["message"] == "record deleted"
    stones = {each["id"]: each for each in ask("GET", "/Leads/deleted").body["data"]}
    assert stones[first]["type"] == "permanent"
    assert stones[first]["display_name"] is stones[first]["deleted_by"] is None
    assert stones[second]["type"] == "recycle"
    only = ask("GET", "/Leads/deleted", {"type": "permanent"}).body["data"]
    assert [each["id"] for each in only] == [first]
    assert ask("DELETE", f"{BIN}/{second}").status == 200
    assert restore(ask, ids=[second]).status == 400


def weigh(ask, lead):
    """Give a lead a thousand notes: with them it is too much for at once."""
    note = {"Note_Content": "x", "Parent_Id": int(lead), "$se_module": "Leads"}
    ask.emulator.store.insert("Notes", [note] * 1000, user=ADMIN)


def test_the_bin_is_emptied_at_once_or_later(ask):
    """By how much is in it: 200 cleared, 202 scheduled."""
    throw(ask)
    reply = ask("POST", f"{BIN}/actions/empty")
    assert (reply.status, reply.body["message"]) == (200, "recyclebin is cleared")
    weigh(ask, ask.ids("Leads")[0])
    throw(ask)
    reply = ask("POST", f"{BIN}/actions/empty")
    assert (reply.status, reply.body["code"]) == (202, "SCHEDULED")
    assert ask("GET", f"{BIN}/actions/count").body == {"count": 0}


def test_large_restores_wait_for_their_time(make):
    """Scheduled by ids, filters or everything; done when the clock says so."""
    ask = make(settings={"actions": ActionSettings(chore_delay_s=30)})
    leads, deals = throw(ask), throw(ask, "Deals")
    by_module = {"group_operator": "AND", "group": [leaf("module", "equal", "Deals")]}
    reply = restore(ask, filters=by_module)
    assert reply.status == 202
    assert reply.body["recycle_bin"][0]["message"].startswith("Bulk restoration of records")
    assert ask("GET", f"/Deals/{deals[0]}").status == 204
    ask.emulator.clock.advance(30)
    assert ask("GET", f"/Deals/{deals[0]}").status == 200
    assert ask("GET", f"/Leads/{leads[0]}").status == 204
    assert restore(ask, restore_all_records=True).status == 202
    ask.emulator.clock.advance(30)
    assert ask("GET", BIN).status == 204
    weigh(ask, leads[0])
    again = throw(ask)
    reply = restore(ask, ids=again)
    assert [each["code"] for each in reply.body["recycle_bin"]] == ["SCHEDULED"] * 2


def leaf(field, comparator, value):
    """One criterion."""
    return {"field": {"api_name": field}, "comparator": comparator, "value": value}


FILTERS = [
    (leaf("module", "equal", "Leads"), 2),
    (leaf("module", "not_equal", "Leads"), 1),
    (leaf("deleted_by", "contains", "rohan"), 3),
    (leaf("deleted_by", "not_contains", "Rohan"), 0),
    (leaf("display_name", "starts_with", "Account "), 1),
    (leaf("display_name", "ends_with", " X"), 1),
    (leaf("deleted_time", "greater_than", "2026-09-15T09:00:30+05:30"), 3),
    (leaf("deleted_time", "less_than", "2026-09-15T09:00:30+05:30"), 0),
]


@pytest.mark.parametrize(("criterion", "count"), FILTERS)
def test_filters_look_at_four_fields(ask, emulator, criterion, count):
    """Name, module, who and when; alone or in a group, in the list and in the count."""
    made = ask("POST", "/Accounts", None, {"data": [{"Account_Name": "Account 50% X"}]})
    account = made.body["data"][0]["details"]["id"]
    emulator.clock.advance(60)
    throw(ask)
    ask("DELETE", f"/Accounts/{account}")
    group = {"group_operator": "AND", "group": [criterion]}
    for filters in (criterion, group):
        params = {"filters": json.dumps(filters)}
        assert ask("GET", f"{BIN}/actions/count", params).body == {"count": count}
        assert len((ask("GET", BIN, params).body or {"recycle_bin": []})["recycle_bin"]) == count


def test_the_short_form_of_zohos_sample_is_read(ask):
    """filters=module:Leads deletes what came from Leads, later."""
    throw(ask)
    throw(ask, "Deals")
    assert ask("DELETE", BIN, {"filters": "module:Leads"}).status == 202
    left = ask("GET", BIN).body["recycle_bin"]
    assert {each["module"]["api_name"] for each in left} == {"Deals"}


REFUSALS = [
    ("POST", {}, {}, "EXPECTED_FIELD_MISSING"),
    ("POST", {}, {"ids": ["1"], "restore_all_records": True}, "AMBIGUITY_DURING_PROCESSING"),
    ("POST", {}, {"ids": "1"}, "INVALID_DATA"),
    ("POST", {}, {"ids": [str(n) for n in range(201)]}, "INVALID_DATA"),
    ("POST", {}, {"filters": leaf("display_name", "greater_than", "x")}, "INVALID_DATA"),
    ("POST", {}, {"filters": leaf("owner", "equal", "x")}, "INVALID_DATA"),
    ("DELETE", {}, None, "EXPECTED_PARAM_MISSING"),
    ("DELETE", {"ids": "1", "filters": "module:Leads"}, None, "AMBIGUITY_DURING_PROCESSING"),
    ("DELETE", {"filters": "{"}, None, "INVALID_DATA"),
]


@pytest.mark.parametrize(("method", "params", "body", "code"), REFUSALS)
def test_calls_that_do_not_say_which_are_refused(ask, method, params, body, code):
    """By Zoho's codes."""
    path = f"{BIN}/actions/restore" if method == "POST" else BIN
    reply = ask(method, path, params, body)
    assert (reply.status, reply.body["code"]) == (400, code)


def test_a_note_does_not_return_without_its_record(ask):
    """It waits for its lead, which brings back only what went with it."""
    lead = ask.ids("Leads")[0]
    parent = {"module": {"api_name": "Leads"}, "id": lead}
    notes = [{"Note_Content": text, "Parent_Id": parent} for text in ("a", "b")]
    made = ask("POST", "/Notes", None, {"data": notes}).body["data"]
    first, second = (each["details"]["id"] for each in made)
    ask("DELETE", f"/Notes/{first}")
    ask("DELETE", f"/Leads/{lead}")
    assert ask("GET", f"/Notes/{second}").status == 204
    refused = restore(ask, ids=[first]).body["recycle_bin"][0]
    assert refused["code"] == "CANNOT_RESTORE_WITHOUT_PARENT"
    assert restore(ask, ids=[lead]).status == 200
    assert ask("GET", f"/Notes/{second}").status == 200
    assert restore(ask, ids=[first]).status == 200


def test_a_unique_value_that_is_taken_keeps_a_record_in_the_bin(ask, make):
    """A setting lets it return all the same."""
    for strict in (True, False):
        asker = make(settings={"actions": ActionSettings(restore_checks_unique=strict)})
        item = {"Last_Name": "A", "GSTIN": "27AAAAA0000A1Z5"}
        made = asker("POST", "/Leads", None, {"data": [item]}).body["data"][0]["details"]["id"]
        asker("DELETE", f"/Leads/{made}")
        assert asker("POST", "/Leads", None, {"data": [item]}).status == 201
        (said,) = restore(asker, ids=[made]).body["recycle_bin"]
        assert said["code"] == ("DUPLICATE_DATA" if strict else "SUCCESS")


def test_the_bin_forgets_after_sixty_days(ask, emulator):
    """From then on it is gone for good."""
    (lead,) = throw(ask, count=1)
    emulator.clock.advance(60 * 86_400 + 1)
    ask.token = ask.refresh().body["access_token"]
    assert ask("GET", BIN).status == 204
    assert ask("GET", "/Leads/deleted").body["data"][0]["type"] == "permanent"
    assert restore(ask, ids=[lead]).status == 400


@pytest.mark.parametrize("touches", [True, False])
def test_whether_restoring_counts_as_a_change_is_a_setting(make, touches):
    """Modified_Time tells."""
    ask = make(settings={"actions": ActionSettings(restore_touches=touches)})
    (lead,) = throw(ask, count=1)
    ask.emulator.clock.advance(60)
    restore(ask, ids=[lead])
    modified = ask("GET", f"/Leads/{lead}").body["data"][0]["Modified_Time"]
    assert (modified == "2026-09-15T09:01:00+05:30") == touches
