"""External ids: another system's ids in the place of Zoho's."""

import pytest

OWN = {"X-EXTERNAL": "Accounts.ERP_Customer_Id"}


@pytest.fixture
def account(ask):
    """Id and external id of an account."""
    fields = {"fields": "ERP_Customer_Id", "ids": ask.ids("Accounts")[0]}
    (read,) = ask("GET", "/Accounts", fields).body["data"]
    return read["id"], read["ERP_Customer_Id"]


def test_the_metadata_names_the_field(ask):
    """So that clients can find it."""
    said = ask("GET", "/settings/fields", {"module": "Accounts"}).body["fields"]
    (field,) = [each for each in said if each["external"]]
    assert (field["api_name"], field["external"]["type"]) == ("ERP_Customer_Id", "org")


def test_a_record_is_read_changed_and_deleted_by_its_external_id(ask, account):
    """In the address."""
    own, external = account
    (read,) = ask("GET", f"/Accounts/{external}", headers=OWN).body["data"]
    assert read["id"] == own
    change = {"data": [{"Fax": "1"}]}
    assert ask("PUT", f"/Accounts/{external}", None, change, OWN).status == 200
    assert ask("GET", f"/Accounts/{own}").body["data"][0]["Fax"] == "1"
    assert ask("DELETE", "/Accounts", {"ids": f"{external},nope"}, headers=OWN).status == 207
    assert ask("GET", f"/Accounts/{own}").status == 204
    assert ask("GET", f"/Accounts/{external}", headers=OWN).status == 204


def test_items_of_a_body_are_known_by_it(ask, account):
    """The answer tells both ids; an unknown one is refused alone."""
    items = [{"ERP_Customer_Id": each, "Fax": "2"} for each in (account[1], "nope")]
    said = ask("PUT", "/Accounts", None, {"data": items}, OWN)
    good, bad = said.body["data"]
    assert (good["details"]["id"], good["details"]["ERP_Customer_Id"]) == account
    assert (said.status, bad["message"]) == (207, "the id given seems to be invalid")


def test_an_upsert_finds_or_makes(ask, account):
    """By the external id."""
    items = [{"ERP_Customer_Id": each, "Account_Name": each} for each in (account[1], "new")]
    said = ask("POST", "/Accounts/upsert", None, {"data": items}, OWN)
    assert [each["action"] for each in said.body["data"]] == ["update", "insert"]
    again = ask("POST", "/Accounts", None, {"data": items[1:]}, OWN)
    assert again.body["data"][0]["code"] == "DUPLICATE_DATA"


def test_lookups_take_it_too(ask, account):
    """Of a record, and within the rows of a subform."""
    header = {"X-EXTERNAL": "Contacts.Account_Name.ERP_Customer_Id"}
    items = [
        {"Last_Name": "Rao", "Account_Name": {"ERP_Customer_Id": each}}
        for each in (account[1], "nope")
    ]
    said = ask("POST", "/Contacts", None, {"data": items}, header)
    good, bad = said.body["data"]
    (read,) = ask("GET", f"/Contacts/{good['details']['id']}").body["data"]
    assert read["Account_Name"]["id"] == account[0]
    assert bad["details"]["api_name"] == "Account_Name"


def test_related_lists_take_it(ask, account):
    """Of the parent."""
    own, external = account
    asked = {"fields": "Last_Name"}
    by_id = ask("GET", f"/Accounts/{own}/Contacts", asked)
    assert ask("GET", f"/Accounts/{external}/Contacts", asked, headers=OWN).body == by_id.body


@pytest.mark.parametrize(
    "path", ["Accounts", "Accounts.Fax", "Nope.x", "Contacts.Account_Name", ""]
)
def test_a_header_that_leads_nowhere_is_refused(ask, account, path):
    """No field, or none that is external."""
    said = ask("GET", f"/Accounts/{account[1]}", headers={"X-EXTERNAL": path})
    assert (said.status, said.body["details"]) == (400, {"header_name": "X-EXTERNAL"})
