"""Related lists: which a module has, how they are described and counted."""

import pytest

from zcrm_nb.emulator.records.related_lists import lists_of

STANDARD = {
    "Deals": {"Contact_Roles", "Products"},
    "Campaigns": {"Leads", "Contacts"},
    "Products": {"Leads", "Accounts", "Contacts", "Deals"},
    "Leads": {"Campaigns", "Products"},
    "Contacts": {"Campaigns", "Products", "Deals"},
    "Accounts": {"Products"},
}


@pytest.fixture
def account(emulator):
    """The account with most contacts."""
    sql = "SELECT Account_Name FROM Contacts WHERE Account_Name > 0 GROUP BY 1 ORDER BY count(*)"
    return str(emulator.store.read(sql)[-1][0])


def test_the_settings_name_every_list(ask, emulator):
    """And each that they name can be read."""
    for module in ("Accounts", "Contacts", "Products", "Site_Visits"):
        (record, *_) = ask.ids(module)
        said = ask("GET", "/settings/related_lists", {"module": module}).body["related_lists"]
        assert len({each["id"] for each in said}) == len(said)
        assert [each["sequence_number"] for each in said] == [
            str(n) for n in range(1, len(said) + 1)
        ]
        for each in said:
            read = ask("GET", f"/{module}/{record}/{each['api_name']}", {"fields": "id"})
            assert read.status in (200, 204), each["api_name"]


def test_ids_of_lists_are_unique_in_the_org(emulator):
    """Zoho finds a list by its id alone."""
    modules = [m for m in emulator.schema.modules.values() if m.generated_type != "linking"]
    ids = [each.id for module in modules for each in lists_of(emulator.schema, module)]
    assert len(set(ids)) == len(ids)


def test_counts_of_several_lists(ask, emulator, account):
    """One number for each list, and an error in its place for those that are not there."""
    key = "get_related_records_count"
    path = f"/Accounts/{account}/actions/{key}"
    names = [{"api_name": "Contacts"}, {"api_name": "Attachments"}, {"api_name": "Nope"}, {}]
    said = ask("POST", path, None, {key: [{"related_list": each} for each in names]})
    assert said.status == 207
    contacts, attachments, unknown, unnamed = said.body[key]
    sql = "SELECT count(*) FROM Contacts WHERE Account_Name = ?"
    assert contacts["count"] == emulator.store.read(sql, (account,))[0][0]
    assert attachments["count"] == 0
    assert unknown["message"] == "Given related_list is invalid"
    assert unnamed["code"] == "EXPECTED_FIELD_MISSING"
    both = {"api_name": "Contacts", "id": attachments["related_list"]["id"]}
    mixed = ask("POST", path, None, {key: [{"related_list": both}]})
    assert mixed.body[key][0]["code"] == "AMBIGUITY_DURING_PROCESSING"
    many = ask("POST", path, None, {key: [{}] * 21})
    assert many.body["details"]["maximum_length"] == 20


@pytest.mark.parametrize("module", STANDARD)
def test_standard_many_to_many_lists_are_described(ask, module):
    """By the names that Zoho gives them, with the module of their records."""
    described = ask("GET", "/settings/related_lists", {"module": module}).body["related_lists"]
    by_name = {each["api_name"]: each for each in described}
    assert STANDARD[module] <= set(by_name)
    for name in STANDARD[module]:
        shown = "Contacts" if name == "Contact_Roles" else name
        assert by_name[name]["module"]["api_name"] == shown
        assert by_name[name]["type"] == "default"


def test_links_are_no_modules_of_their_own(ask):
    """No client sees where the emulator keeps them."""
    names = {each["api_name"] for each in ask("GET", "/settings/modules").body["modules"]}
    assert not names & {"Deals_X_Contacts", "Campaigns_X_Leads", "Contact_Roles"}
    assert ask("GET", "/Contact_Roles", {"fields": "id"}).body["code"] == "INVALID_MODULE"
