"""Timelines: who changed what of a record, from what to what."""

import json

import pytest

STANDS = {"field": {"api_name": "record.module.api_name"}}


@pytest.fixture
def deal(ask):
    return ask.ids("Deals")[0]


def told(ask, deal, **params):
    """The entries of a deal's timeline."""
    return ask("GET", f"/Deals/{deal}/__timeline", params).body["__timeline"]


def test_a_record_begins_with_its_making(ask, deal):
    """Seeded ones too."""
    *_, first = told(ask, deal)
    assert (first["action"], first["record"]["id"], first["field_history"]) == ("added", deal, None)
    assert first["done_by"].keys() == {"name", "id"}


def test_an_update_tells_each_field_that_changed(ask, emulator, deal):
    """Old and new as text, a lookup by its name; what stayed is not told."""
    (read,) = ask("GET", f"/Deals/{deal}").body["data"]
    account = next(
        each
        for each in ask("GET", "/Accounts", {"fields": "Account_Name"}).body["data"]
        if each["id"] != read["Account_Name"]["id"]
    )
    emulator.clock.advance(60)
    change = {
        "id": deal,
        "Deal_Name": read["Deal_Name"].upper(),
        "Amount": 12.5,
        "Account_Name": {"id": account["id"]},
        "Languages_Known": ["English", "Hindi"],
        "Stage": read["Stage"],
    }
    ask("PUT", "/Deals", None, {"data": [change]})
    entry = told(ask, deal)[0]
    values = {each["api_name"]: each["_value"] for each in entry["field_history"]}
    old = ",".join(read["Languages_Known"])
    assert values == {
        "Deal_Name": {"old": read["Deal_Name"], "new": read["Deal_Name"].upper()},
        "Amount": {"old": str(read["Amount"]), "new": "12.5"},
        "Account_Name": {"old": read["Account_Name"]["name"], "new": account["Account_Name"]},
        "Languages_Known": {"old": old, "new": "English,Hindi"},
    }
    assert (entry["action"], entry["source"]) == ("updated", "crm_api")
    assert entry["audited_time"] == ask("GET", f"/Deals/{deal}").body["data"][0]["Modified_Time"]


def test_two_updates_of_one_second_are_two_entries(ask, deal):
    """A clock that stands still does not blur them."""
    for name in ("b", "c"):
        ask("PUT", "/Deals", None, {"data": [{"id": deal, "Next_Step": name}]})
    second, first = told(ask, deal)[:2]
    assert second["field_history"][0]["_value"] == {"old": "b", "new": "c"}
    assert first["field_history"][0]["_value"]["new"] == "b"


def test_what_follows_by_itself_is_not_told(ask, emulator):
    """A roll-up, a lookup emptied because its record went."""
    sql = "SELECT Account_Name, id FROM Deals WHERE Account_Name IS NOT NULL"
    account, deal = emulator.store.read(sql)[0]
    ask("PUT", "/Deals", None, {"data": [{"id": str(deal), "Amount": 7}]})
    said = ask("GET", f"/Accounts/{account}/__timeline").body["__timeline"]
    assert {each["action"] for each in said} == {"added"}
    before = told(ask, deal)
    ask("DELETE", f"/Accounts/{account}")
    assert told(ask, deal) == before


def test_tags_and_photos_have_words_of_their_own(ask):
    """Added, removed, replaced."""
    lead = ask.ids("Leads")[0]
    path = f"/Leads/{lead}/actions"
    ask("POST", f"{path}/add_tags", None, {"tags": [{"name": "a"}], "over_write": True})
    ask("POST", f"{path}/add_tags", None, {"tags": [{"name": "b"}]})
    ask("POST", f"{path}/remove_tags", None, {"tags": [{"name": "b"}]})
    ask("DELETE", f"/Leads/{lead}/photo")
    ask.upload(f"/Leads/{lead}/photo", ("a.png", b"\x89PNG\r\n\x1a\n"))
    said = ask("GET", f"/Leads/{lead}/__timeline").body["__timeline"]
    actions = [each["action"] for each in said if each["field_history"]]
    assert actions[:3] == ["image_uploaded", "tag_removed", "tag_added"]


def test_notes_activities_and_attachments_are_told(ask, deal):
    """With the record they were added to."""
    ask("POST", f"/Deals/{deal}/Notes", None, {"data": [{"Note_Title": "Called"}]})
    ask.upload(f"/Deals/{deal}/Attachments", ("offer.pdf", b"%PDF"))
    newest = {each["record"]["module"]["api_name"]: each for each in told(ask, deal)[::-1]}
    assert newest["Notes"]["record"]["name"] == "Called"
    assert newest["Attachments"]["record"]["name"] == "offer.pdf"
    assert newest["Notes"]["related_record"]["id"] == deal
    only = json.dumps({**STANDS, "comparator": "equal", "value": "Attachments"})
    assert [each["record"]["name"] for each in told(ask, deal, filters=only)] == ["offer.pdf"]


def test_filters_join_and_are_checked(ask, emulator, deal):
    """By time, by user, by source; what is no filter is refused."""
    ask("PUT", "/Deals", None, {"data": [{"id": deal, "Next_Step": "now"}]})
    now = ask("GET", f"/Deals/{deal}").body["data"][0]["Modified_Time"]
    time = {"field": {"api_name": "audited_time"}, "comparator": "between", "value": [now, now]}
    source = {"field": {"api_name": "source"}, "comparator": "in", "value": ["crm_ui"]}
    both = {"group_operator": "OR", "group": [time, source]}
    assert [each["action"] for each in told(ask, deal, filters=json.dumps(both))] == ["updated"]
    neither = {**both, "group_operator": "AND"}
    said = ask("GET", f"/Deals/{deal}/__timeline", {"filters": json.dumps(neither)})
    assert said.status == 204
    for bad in ("{", "[]", json.dumps({**time, "value": 3})):
        said = ask("GET", f"/Deals/{deal}/__timeline", {"filters": bad})
        assert said.body["details"] == {"param_name": "filters"}


def test_long_timelines_go_on_by_token(ask, deal):
    """Every entry once, either way round."""
    for n in range(7):
        ask("PUT", "/Deals", None, {"data": [{"id": deal, "Next_Step": str(n)}]})
    whole = told(ask, deal)
    for order in ("desc", "asc"):
        asked = {"per_page": 3, "sort_order": order}
        pages = [ask("GET", f"/Deals/{deal}/__timeline", asked).body]
        while (info := pages[-1]["info"])["more_records"]:
            assert "page_token_expiry" not in info
            more = {"page_token": info["next_page_token"], "sort_order": order}
            pages.append(ask("GET", f"/Deals/{deal}/__timeline", more).body)
        entries = [each for page in pages for each in page["__timeline"]]
        assert entries == (whole if order == "desc" else whole[::-1])


def test_inner_details_come_on_request(ask, deal):
    """Type, label and values of a picklist."""
    ask("PUT", "/Deals", None, {"data": [{"id": deal, "Next_Step": "x"}]})
    asked = "field_history.data_type,field_history.field_label"
    (change,) = told(ask, deal, include_inner_details=asked)[0]["field_history"]
    assert (change["data_type"], change["field_label"]) == ("text", "Next Step")
    assert "pick_list_values" not in change
