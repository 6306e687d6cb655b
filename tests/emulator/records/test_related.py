"""Related lists: who hangs on whom, linking and letting go."""

import pytest

from zcrm_nb.emulator.records.related import lists_of
from zcrm_nb.emulator.settings import RelationSettings

BAD_LIST = {
    "code": "INVALID_DATA",
    "details": {"resource_path_index": 2},
    "message": "the relation name given seems to be invalid",
    "status": "error",
}


@pytest.fixture
def account(emulator):
    """The account with most contacts."""
    sql = "SELECT Account_Name FROM Contacts WHERE Account_Name > 0 GROUP BY 1 ORDER BY count(*)"
    return str(emulator.store.read(sql)[-1][0])


def test_a_list_holds_exactly_those_that_point_there(ask, emulator, account):
    """Each lookup of another module makes a list."""
    said = ask("GET", f"/Accounts/{account}/Contacts", {"fields": "Last_Name,Account_Name"}).body
    sql = "SELECT count(*) FROM Contacts WHERE Account_Name = ?"
    assert said["info"]["count"] == emulator.store.read(sql, (account,))[0][0] > 1
    assert {each["Account_Name"]["id"] for each in said["data"]} == {account}


def test_a_lookup_to_several_modules_makes_a_list_in_each(ask, emulator):
    """Notes hang on leads and on deals; ids alone would not tell them apart."""
    for module in ("Leads", "Deals"):
        sql = 'SELECT Parent_Id, count(*) FROM Notes WHERE "$se_module" = ? GROUP BY 1'
        for parent, number in emulator.store.read(sql, (module,)):
            said = ask("GET", f"/{module}/{parent}/Notes", {"fields": "Note_Title"}).body
            assert said["info"]["count"] == number


def test_long_lists_go_on_by_token(make):
    """As any list; a token belongs to the list of one record."""
    ask = make(rows={"Accounts": 2, "Contacts": 0, "Leads": 0, "Deals": 0, "Tasks": 0})
    one, two = ask.ids("Accounts")
    people = [{"Last_Name": f"P{n}", "Account_Name": int(one)} for n in range(2_050)]
    ask.emulator.store.insert("Contacts", people, user=1)
    asked = {"fields": "Last_Name", "per_page": 200}
    said = ask("GET", f"/Accounts/{one}/Contacts", {**asked, "page": 10}).body
    token = {**asked, "page_token": said["info"]["next_page_token"]}
    last = ask("GET", f"/Accounts/{one}/Contacts", token).body
    assert (last["info"]["count"], last["info"]["more_records"]) == (50, False)
    wrong = ask("GET", f"/Accounts/{two}/Contacts", token)
    assert wrong.body["code"] == "TOKEN_BOUND_DATA_MISMATCH"


def test_what_is_not_there_is_refused(ask, account):
    """A record, a list, a module, the fields: each in Zoho's words."""
    fields = {"fields": "id"}
    assert ask("GET", f"/Accounts/{account}/Nope", fields).body == BAD_LIST
    missing = ask("GET", f"/Accounts/{account}/Contacts")
    assert missing.body["details"] == {"param_name": "fields"}
    unknown = ask("GET", "/Accounts/1/Contacts", fields)
    assert (unknown.status, unknown.body["details"]) == (400, {"resource_path_index": 1})
    assert ask("GET", f"/Nope/{account}/Contacts", fields).body["code"] == "INVALID_MODULE"


def test_an_unknown_parent_can_be_404(make):
    """Some examples say so."""
    ask = make({"relations": RelationSettings(unknown_parent_status=404)})
    assert ask("GET", "/Accounts/1/Contacts", {"fields": "id"}).status == 404


def test_an_empty_list_is_no_content(ask, emulator):
    """As everywhere."""
    (vendor,) = ask("POST", "/Vendors", None, {"data": [{"Vendor_Name": "New"}]}).body["data"]
    path = f"/Vendors/{vendor['details']['id']}/Products"
    assert ask("GET", path, {"fields": "id"}).status == 204


def test_a_record_is_linked_and_let_go(ask, account):
    """By its own lookup; other fields may be changed on the way."""
    (person,) = ask("POST", "/Contacts", None, {"data": [{"Last_Name": "Osei"}]}).body["data"]
    contact = person["details"]["id"]
    body = {"data": [{"id": contact, "Title": "CTO"}, {"id": "7"}]}
    said = ask("PUT", f"/Accounts/{account}/Contacts", None, body)
    assert said.status == 207
    assert [each["message"] for each in said.body["data"]] == [
        "relation added",
        "the id given seems to be invalid",
    ]
    (read,) = ask("GET", f"/Accounts/{account}/Contacts/{contact}").body["data"]
    assert (read["Title"], read["Account_Name"]["id"]) == ("CTO", account)
    gone = ask("DELETE", f"/Accounts/{account}/Contacts", {"ids": f"{contact},7"})
    assert (gone.status, [each["message"] for each in gone.body["data"]]) == (
        207,
        ["relation removed", "relation not found"],
    )
    assert ask("GET", f"/Accounts/{account}/Contacts/{contact}").status == 204
    assert ask("GET", f"/Contacts/{contact}").body["data"][0]["Account_Name"] is None


def test_a_multi_select_lookup_is_linked_once(ask, emulator):
    """Through its linking module, from either end."""
    visit, product = ask.ids("Site_Visits")[0], ask.ids("Products")[-1]
    emulator.store.execute("DELETE FROM Site_Visits_X_Products")
    for _ in range(2):
        said = ask("PUT", f"/Site_Visits/{visit}/Products_Shown/{product}")
        assert said.body["data"][0]["message"] == "relation added"
    assert emulator.store.read("SELECT count(*) FROM Site_Visits_X_Products") == [(1,)]
    (seen,) = ask("GET", f"/Products/{product}/Site_Visits", {"fields": "Name"}).body["data"]
    assert seen["id"] == visit
    assert ask("DELETE", f"/Products/{product}/Site_Visits/{visit}").status == 200
    assert ask("GET", f"/Site_Visits/{visit}/Products_Shown", {"fields": "id"}).status == 204


def test_an_activity_is_linked_by_its_polymorphic_lookup(ask, account):
    """The lookup says which module it points to."""
    task = ask.ids("Tasks")[0]
    assert ask("PUT", f"/Accounts/{account}/Tasks/{task}").status == 200
    (read,) = ask("GET", f"/Tasks/{task}").body["data"]
    assert (read["What_Id"]["id"], read["$se_module"]) == (account, "Accounts")


def test_more_than_a_hundred_ids_are_refused(ask, account):
    """Words and details of Zoho's example."""
    said = ask("DELETE", f"/Accounts/{account}/Contacts", {"ids": ",".join("1" * 101)})
    assert said.body["details"] == {"limit": "100", "param_name": "ids"}
    assert said.body["code"] == "LIMIT_EXCEEDED"


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


def test_what_hung_on_a_deleted_record_is_still_told(ask, emulator, account):
    """As long as the record is in the recycle bin."""
    asked = {"fields": "Last_Name"}
    before = ask("GET", f"/Accounts/{account}/Contacts", asked).body["data"]
    ask("DELETE", f"/Accounts/{account}")
    after = ask("GET", f"/Accounts/deleted/{account}/Contacts", asked).body["data"]
    assert after == before
    alive = ask.ids("Accounts")[0]
    said = ask("GET", f"/Accounts/deleted/{alive}/Contacts", asked)
    assert (said.status, said.body["details"]) == (400, {"resource_path_index": 2})
