"""Tags: the list of a module's, and those on records."""

import pytest

from zcrm_nb.emulator.settings import RelationSettings

LEADS = {"module": "Leads"}


@pytest.fixture
def tags(ask):
    """The tags of Leads by name."""
    return {each["name"]: each for each in ask("GET", "/settings/tags", LEADS).body["tags"]}


def names(ask, record, module="Leads"):
    """Names of a record's tags."""
    return [each["name"] for each in ask("GET", f"/{module}/{record}").body["data"][0]["Tag"]]


def test_the_list_says_who_made_each_and_how_many_there_may_be(ask, tags):
    """Keys as in Zoho's sample."""
    said = ask("GET", "/settings/tags", LEADS).body
    assert said["info"] == {"count": len(tags), "allowed_count": 200}
    assert tags["vip"].keys() == {
        "id", "name", "color_code", "created_time", "modified_time", "created_by", "modified_by",
    }  # fmt: skip


def test_tags_are_made_renamed_and_taken_away(ask):
    """Records that have them follow."""
    sent = {"tags": [{"name": "hot", "color_code": "#F17574"}, {"name": "vip"}, {"name": "x" * 26}]}
    said = ask("POST", "/settings/tags", LEADS, sent)
    assert said.status == 207
    made, twin, long = said.body["tags"]
    assert (made["message"], made["details"]["color_code"]) == (
        "tags created successfully",
        "#F17574",
    )
    assert twin["code"] == "DUPLICATE_DATA"
    assert twin["details"].keys() == {"api_name", "json_path", "id"}
    assert long["details"] == {
        "maximum_length": 25,
        "api_name": "name",
        "json_path": "$.tags[2].name",
    }
    lead, tag = ask.ids("Leads")[0], made["details"]["id"]
    ask("POST", f"/Leads/{lead}/actions/add_tags", None, {"tags": [{"name": "hot"}]})
    said = ask("PUT", f"/settings/tags/{tag}", LEADS, {"tags": [{"name": "warm"}]})
    assert said.body["tags"][0]["details"]["name"] == "warm"
    assert "warm" in names(ask, lead)
    assert ask("GET", f"/settings/tags/{tag}/actions/records_count", LEADS).body == {"count": "1"}
    assert ask("DELETE", f"/settings/tags/{tag}").body["tags"][0]["details"] == {"id": tag}
    assert "warm" not in names(ask, lead)
    gone = ask("DELETE", f"/settings/tags/{tag}")
    assert (gone.body["message"], gone.body["details"]) == ("tags not found", {"id": tag})
    assert (gone.status, gone.body["code"]) == (400, "INVALID_DATA")


@pytest.mark.parametrize("which", ["unknown", "another module's", "no id"])
def test_the_records_of_an_unknown_tag_are_not_counted(ask, which):
    """404, not a count of 0."""
    reply = ask("POST", "/settings/tags", {"module": "Deals"}, {"tags": [{"name": "x"}]})
    (made,) = reply.body["tags"]
    tag = {"unknown": "1", "another module's": made["details"]["id"], "no id": "hot"}[which]
    reply = ask("GET", f"/settings/tags/{tag}/actions/records_count", LEADS)
    assert (reply.status, reply.body["message"]) == (404, "tags not found")


def test_tagged_records_come_with_a_boolean(ask, make):
    """Or with the text of older samples."""
    older = make({"relations": RelationSettings(wf_scheduler="success")})
    for org, shown in ((ask, True), (older, "success")):
        lead = org.ids("Leads")[0]
        reply = org("POST", f"/Leads/{lead}/actions/add_tags", None, {"tags": [{"name": "hot"}]})
        assert reply.body["wf_scheduler"] == shown
        assert (reply.body["success_count"], reply.body["locked_count"]) == ("1", "0")


def test_one_tag_takes_the_place_of_another(ask, tags):
    """A record with both has it once."""
    lead = ask.ids("Leads")[0]
    both = {"tags": [{"name": "vip"}, {"name": "webinar"}], "over_write": True}
    ask("POST", f"/Leads/{lead}/actions/add_tags", None, both)
    sent = {"tags": [{"conflict_id": tags["webinar"]["id"]}]}
    assert (
        ask("POST", f"/settings/tags/{tags['vip']['id']}/actions/merge", None, sent).status == 200
    )
    assert names(ask, lead) == ["vip"]


def test_tags_are_put_on_many_records_and_taken_off(ask):
    """A new name makes a tag; old ones stay unless they are to go."""
    one, two = ask.ids("Leads")[:2]
    before = names(ask, one)
    sent = {"tags": [{"name": "expo"}], "ids": [one, two, "7"]}
    said = ask("POST", "/Leads/actions/add_tags", None, sent)
    assert (said.status, said.body["success_count"], said.body["locked_count"]) == (207, "2", "0")
    assert said.body["data"][0]["message"] == "tags updated successfully"
    assert said.body["data"][2]["details"] == {"id": "7"}
    assert names(ask, one) == [*before, "expo"]
    gone = {"tags": [{"name": "expo"}], "ids": f'["{one}"]'}
    assert ask("POST", "/Leads/actions/remove_tags", None, gone).status == 200
    assert names(ask, one) == before
    assert "expo" in names(ask, two)
    sent = {"tags": [{"name": "only"}], "ids": [two], "over_write": True}
    ask("POST", "/Leads/actions/add_tags", None, sent)
    assert names(ask, two) == ["only"]


def test_a_record_has_ten_tags_at_most(ask):
    """The eleventh is refused, and none of the call is put on."""
    lead = ask.ids("Leads")[0]
    sent = {"tags": [{"name": f"t{n}"} for n in range(11)], "over_write": True}
    said = ask("POST", f"/Leads/{lead}/actions/add_tags", None, sent)
    assert said.body["data"][0]["details"]["maximum_length"] == 10
    assert "t0" not in names(ask, lead)


@pytest.mark.parametrize(
    ("params", "code"), [({}, "REQUIRED_PARAM_MISSING"), ({"module": "Nope"}, "INVALID_MODULE"),
                         ({"module": "Site_Visit_Expenses"}, "INVALID_MODULE")],
)  # fmt: skip
def test_a_module_with_tags_must_be_named(ask, params, code):
    """As Zoho asks for it."""
    assert ask("GET", "/settings/tags", params).body["code"] == code


def test_an_edition_has_so_many_tags(make):
    """And no more."""
    ask = make({"relations": RelationSettings(tags_per_module=5)})
    said = ask("POST", "/settings/tags", LEADS, {"tags": [{"name": "sixth"}]})
    assert said.body["tags"][0]["code"] == "LICENSE_LIMIT_EXCEEDED"


def test_fifty_records_are_one_credit(ask, emulator):
    """Zoho counts them in fifties."""
    ids = [str(n) for n in range(101)]
    before = emulator.meter.spent
    ask("POST", "/Leads/actions/add_tags", None, {"tags": [{"name": "x"}], "ids": ids})
    assert emulator.meter.spent - before == 3
