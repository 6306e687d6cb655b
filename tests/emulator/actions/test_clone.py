"""Records are cloned."""

import pytest

PRIYA = "Priya Banerjee"


def clone(ask, module, record, **values):
    """Clone a record, with other values where some are given."""
    body = {"data": [values]} if values else None
    return ask("POST", f"/{module}/{record}/actions/clone", None, body)


def read(ask, module, record):
    """One record, whole."""
    return ask("GET", f"/{module}/{record}").body["data"][0]


@pytest.mark.parametrize("module", ["Leads", "Accounts", "Deals", "Tasks", "Site_Visits"])
def test_a_clone_has_the_values_of_its_record(ask, module):
    """All but ids, stamps and what Zoho itself fills."""
    first = ask.ids(module)[0]
    reply = clone(ask, module, first)
    assert reply.status == 201
    done = reply.body["data"][0]
    assert (done["code"], done["message"]) == ("SUCCESS", "record added")
    old, new = read(ask, module, first), read(ask, module, done["details"]["id"])
    assert new["id"] != first
    own = [
        each.api_name
        for each in ask.emulator.store.schema.modules[module].fields
        if not each.read_only and each.written and not each.external
        and each.data_type not in ("fileupload", "imageupload", "profileimage")
    ]  # fmt: skip
    same = {name: (old[name], new[name]) for name in own if name in old and name != "id"}
    assert {name: pair for name, pair in same.items() if pair[0] != pair[1]} == {}
    assert len(ask.ids(module)) > len({first})


def test_values_of_the_body_win(ask):
    """One field differs, the others stay."""
    first = ask.ids("Leads")[0]
    done = clone(ask, "Leads", first, Last_Name="Other").body["data"][0]
    old, new = read(ask, "Leads", first), read(ask, "Leads", done["details"]["id"])
    assert (new["Last_Name"], new["Company"]) == ("Other", old["Company"])


def test_rows_of_subforms_are_cloned_with_their_record(ask):
    """As many rows, of their own."""
    first = ask.ids("Quotes")[0]
    done = clone(ask, "Quotes", first).body["data"][0]
    old = read(ask, "Quotes", first)["Quoted_Items"]
    new = read(ask, "Quotes", done["details"]["id"])["Quoted_Items"]
    assert [each["Quantity"] for each in new] == [each["Quantity"] for each in old]
    assert {each["id"] for each in old}.isdisjoint(each["id"] for each in new)


def test_what_is_wrong_is_refused_where_it_stands(ask):
    """An unknown record, a mandatory field without a value, two records in the body."""
    first = ask.ids("Leads")[0]
    unknown = clone(ask, "Leads", "77").body
    assert (unknown["code"], unknown["details"]) == ("INVALID_DATA", {"resource_path_index": 1})
    empty = clone(ask, "Leads", first, Last_Name=None).body["data"][0]
    assert empty["code"] == "MANDATORY_NOT_FOUND"
    assert empty["details"] == {"api_name": "Last_Name", "json_path": "$.data[0].Last_Name"}
    two = ask("POST", f"/Leads/{first}/actions/clone", None, {"data": [{}, {}]})
    assert two.body["details"]["maximum_length"] == 1
    rows = clone(ask, "Quoted_Items", ask.ids("Quotes")[0])
    assert rows.body["code"] == "NOT_SUPPORTED"
