"""Territories: the tree, its users, its records."""

import pytest

USER = "410888040000000007"


def tree(ask):
    """All territories by their names."""
    return {each["name"]: each for each in ask("GET", "/settings/territories").body["territories"]}


def records(ask, territory, module="Accounts"):
    """Ids of the records in a territory."""
    params = {"fields": "id", "territory_id": territory}
    reply = ask("GET", f"/{module}", params)
    return [each["id"] for each in reply.body["data"]] if reply.status == 200 else []


def test_territories_form_a_tree_with_one_root(ask):
    """Each names the one above it, and its children name it."""
    every = tree(ask)
    (root,) = [each for each in every.values() if each["reporting_to"] is None]
    india = every["India"]
    assert india["reporting_to"] == {"name": root["name"], "id": root["id"]}
    children = ask("GET", f"/settings/territories/{india['id']}/__child_territories").body
    assert {each["reporting_to"]["id"] for each in children["territories"]} == {india["id"]}
    assert len(children["territories"]) == 3


def test_accounts_are_in_the_territory_of_their_country(make):
    """As the rule of the territory says."""
    ask = make(rows={"Accounts": 120, "Deals": 60})
    europe = tree(ask)["Europe"]
    ids = records(ask, europe["id"])
    assert ids
    params = {"fields": "Billing_Country", "ids": ",".join(ids)}
    countries = {each["Billing_Country"] for each in ask("GET", "/Accounts", params).body["data"]}
    assert countries == {"United Kingdom"} == set(europe["account_rule_criteria"]["value"])


@pytest.mark.parametrize("one", [True, False])
def test_records_are_assigned_and_removed(ask, one):
    """By their ids in the body, or one by the address."""
    territory, (record, *_) = tree(ask)["Americas"]["id"], ask.ids("Contacts")
    item = {"Territories": [{"id": territory}]} | ({} if one else {"id": record})
    place = f"/{record}" if one else ""
    for action, present in (("assign", [record]), ("remove", [])):
        path = f"/Contacts{place}/actions/{action}_territories"
        reply = ask("POST", path, json_body={"data": [item]})
        assert reply.body["data"][0]["code"] == "SUCCESS", reply.body
        assert records(ask, territory, "Contacts") == present
    again = ask("POST", path, json_body={"data": [item]})
    assert again.body["data"][0]["code"] == "INVALID_DATA"


def test_a_deal_is_in_one_territory(ask, make):
    """The last one it was assigned to; a setting allows more."""
    first, second = (tree(ask)[name]["id"] for name in ("Americas", "Europe"))
    deal = ask.ids("Deals")[0]
    path = f"/Deals/{deal}/actions/assign_territories"
    both = {"data": [{"Territories": [{"id": first}, {"id": second}]}]}
    details = ask("POST", path, json_body=both).body["data"][0]["details"]
    assert details["maximum_length"] == 1
    for each in (first, second):
        ask("POST", path, json_body={"data": [{"Territories": [{"id": each}]}]})
    assert deal in records(ask, second, "Deals")
    assert deal not in records(ask, first, "Deals")
    assert make({"deal_territories": None})("POST", path, json_body=both).status == 200


def test_only_four_modules_have_territories(ask):
    """Leads, Accounts, Contacts and Deals."""
    reply = ask("POST", "/Tasks/actions/assign_territories", json_body={"data": [{}]})
    assert (reply.status, reply.body["code"]) == (400, "INVALID_MODULE")


def test_users_join_and_leave_a_territory(ask):
    """What one address writes, all others show."""
    territory = tree(ask)["Europe"]["id"]
    path = f"/settings/territories/{territory}/users"
    before = [each["id"] for each in ask("GET", path).body["users"]]
    assert ask("PUT", f"{path}/{USER}").body["users"][0]["code"] == "SUCCESS"
    assert [each["id"] for each in ask("GET", path).body["users"]] == [*before, USER]
    assert ask("GET", f"{path}/{USER}").status == 200
    of_user = ask("GET", f"/users/{USER}/territories").body["territories"]
    assert territory in [each["id"] for each in of_user]
    shown = ask("GET", f"/users/{USER}").body["users"][0]["territories"]
    assert territory in [each["id"] for each in shown]
    counts = ask("GET", "/settings/territories/actions/associated_users_count").body
    count = {e["territory"]["id"]: e["count"] for e in counts["associated_users_count"]}
    assert count[territory] == str(len(before) + 1)
    assert ask("DELETE", path, {"ids": USER}).body["users"][0]["code"] == "SUCCESS"
    assert ask("GET", f"{path}/{USER}").status == 204
    reply = ask("DELETE", f"{path}/{USER}")
    assert reply.body["users"][0]["code"] == "INVALID_DATA"


def test_a_user_joins_and_leaves_territories(ask):
    """The same from the user's side."""
    path, territory = f"/users/{USER}/territories", tree(ask)["Asia Pacific"]["id"]
    reply = ask("PUT", path, json_body={"territories": [{"id": territory}, {"id": "1"}, {}]})
    codes = [each["code"] for each in reply.body["territories"]]
    assert codes == ["SUCCESS", "INVALID_DATA", "MANDATORY_NOT_FOUND"]
    assert ask("GET", f"{path}/{territory}").status == 200
    assert ask("DELETE", f"{path}/{territory}").status == 200
    assert ask("GET", f"{path}/{territory}").status == 204
    assert ask("DELETE", path, {"ids": territory}).status == 400


@pytest.mark.parametrize("name", ["Vindhya Instruments", "India"])
def test_a_territory_with_others_below_it_stays(ask, name):
    """So does the highest one."""
    path = f"/settings/territories/{tree(ask)[name]['id']}"
    reply = ask("DELETE", path)
    assert reply.body["territories"][0]["code"] == "NOT_ALLOWED"
    assert ask("GET", path).status == 200


@pytest.mark.parametrize("one", [True, False])
def test_a_deleted_territory_hands_over_what_it_had(make, one):
    """Records, users and the territories below it."""
    ask = make(rows={"Accounts": 80})
    every = tree(ask)
    gone, heir = every["India"]["id"], every["Europe"]["id"]
    west = every["India West"]["id"]
    account = ask.ids("Accounts")[0]
    body = {"data": [{"Territories": [{"id": gone}]}]}
    ask("POST", f"/Accounts/{account}/actions/assign_territories", json_body=body)
    item = {"transfer_to_id": heir} | ({} if one else {"id": gone})
    path = f"/settings/territories{f'/{gone}' if one else ''}/actions/transfer_and_delete"
    reply = ask("POST", path, json_body={"territories": [item]})
    assert reply.body["territories"][0]["code"] == "SUCCESS"
    assert account in records(ask, heir)
    assert "India" not in tree(ask)
    assert tree(ask)["India West"]["reporting_to"]["id"] == heir
    deleted = ask("GET", "/settings/territories/actions/deleted_associated_territories").body
    assert [each["id"] for each in deleted["territories"]] == [gone]
    back = {"territories": [{"transfer_to_id": west}]}
    root = tree(ask)["Vindhya Instruments"]["id"]
    refused = ask("POST", f"/settings/territories/{root}/actions/transfer_and_delete", None, back)
    assert refused.body["territories"][0]["code"] == "INVALID_DATA"


def test_a_territory_does_not_report_to_one_below_it(ask):
    """There are no circles."""
    every = tree(ask)
    path = f"/settings/territories/{every['India']['id']}"
    for above in ("India", "India West"):
        body = {"territories": [{"reporting_to": {"id": every[above]["id"]}}]}
        assert ask("PUT", path, json_body=body).body["territories"][0]["code"] == "INVALID_DATA"
