"""Related lists: who hangs on whom, linking and letting go."""

import pytest

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


# -- standard many-to-many lists ------------------------------------------------------------------

#: Parent, list, its records, and what stands on a link: as sent and as read.
PAIRS = [
    ("Deals", "Products", "Products", {}),
    ("Campaigns", "Leads", "Leads", {"Member_Status": "Invited"}),
    ("Campaigns", "Contacts", "Contacts", {"Member_Status": "Active"}),
    ("Products", "Accounts", "Accounts", {}),
    ("Products", "Deals", "Deals", {}),
    ("Leads", "Campaigns", "Campaigns", {"Member_Status": "Responded"}),
    ("Contacts", "Products", "Products", {}),
]


@pytest.fixture
def role(ask):
    """The first contact role."""
    return ask("GET", "/Contacts/roles").body["contact_roles"][0]


def made(ask, module):
    """A new record of a module, on no list yet."""
    needs = {"Deals": {"Deal_Name": "D", "Stage": "Qualification", "Pipeline": PIPELINE},
             "Leads": {"Last_Name": "L"}, "Contacts": {"Last_Name": "C"},
             "Accounts": {"Account_Name": "A"}, "Products": {"Product_Name": "P"},
             "Campaigns": {"Campaign_Name": "X"}}  # fmt: skip
    (done,) = ask("POST", f"/{module}", None, {"data": [needs[module]]}).body["data"]
    return done["details"]["id"]


PIPELINE = "Standard (Standard)"


@pytest.mark.parametrize(("parent", "name", "module", "values"), PAIRS)
def test_standard_lists_are_linked_changed_and_unlinked(ask, parent, name, module, values):
    """From either side; what stands on a link is read beside the record."""
    record, other = made(ask, parent), ask.ids(module)[0]
    path = f"/{parent}/{record}/{name}"
    sent = {"data": [{"id": other, **values}]}
    first = ask("PUT", path, None, sent).body["data"][0]
    assert (first["code"], first["message"]) == ("SUCCESS", "relation added")
    again = ask("PUT", path, None, sent).body["data"][0]
    assert (again["code"], again["message"]) == ("SUCCESS", "relation updated")
    (read,) = ask("GET", path, {"fields": "id"}).body["data"]
    assert read == {"id": other, **values}
    assert ask("DELETE", path, {"ids": other}).body["data"][0]["message"] == "relation removed"
    assert ask("GET", path, {"fields": "id"}).status == 204


def test_a_contact_has_a_role_in_a_deal(ask, role):
    """Read with the list and alone; changed without a second link."""
    deal, contact = made(ask, "Deals"), ask.ids("Contacts")[0]
    path = f"/Deals/{deal}/Contact_Roles"
    body = {"data": [{"id": contact, "Contact_Role": {"id": role["id"]}}]}
    assert ask("PUT", path, None, body).body["data"][0]["message"] == "relation added"
    shown = {"name": role["name"], "id": role["id"]}
    (listed,) = ask("GET", path, {"fields": "Last_Name"}).body["data"]
    assert (listed["id"], listed["Contact_Role"]) == (contact, shown)
    (alone,) = ask("GET", f"{path}/{contact}", {"fields": "Last_Name"}).body["data"]
    assert alone["Contact_Role"] == shown
    other = ask("GET", "/Contacts/roles").body["contact_roles"][1]
    changed = ask(
        "PUT", f"{path}/{contact}", None, {"data": [{"Contact_Role": {"id": other["id"]}}]}
    )
    assert changed.body["data"][0]["message"] == "relation updated"
    (listed,) = ask("GET", path, {"fields": "Last_Name"}).body["data"]
    assert listed["Contact_Role"]["name"] == other["name"]
    assert ask("DELETE", f"{path}/{contact}").body["data"][0]["message"] == "relation removed"


@pytest.mark.parametrize("sent", [{}, {"Contact_Role": None}, {"Contact_Role": {"id": "7"}},
                                  {"Contact_Role": "Boss"}])  # fmt: skip
def test_a_contact_needs_a_role_that_is_there(ask, sent):
    """Without one, or with an unknown one, it is not linked."""
    deal, contact = made(ask, "Deals"), ask.ids("Contacts")[0]
    path = f"/Deals/{deal}/Contact_Roles"
    (refused,) = ask("PUT", path, None, {"data": [{"id": contact, **sent}]}).body["data"]
    code = "INVALID_DATA" if sent.get("Contact_Role") else "MANDATORY_NOT_FOUND"
    assert refused["code"] == code
    assert refused["details"]["json_path"].startswith("$.data[0].Contact_Role")
    assert ask("GET", path, {"fields": "id"}).status == 204


def test_a_role_can_be_left_out_where_the_org_allows_it(make):
    """No page says what happens without one."""
    ask = make({"relations": RelationSettings(contact_role_required=False)})
    deal, contact = made(ask, "Deals"), ask.ids("Contacts")[0]
    path = f"/Deals/{deal}/Contact_Roles"
    assert ask("PUT", path, None, {"data": [{"id": contact}]}).status == 200
    (read,) = ask("GET", path, {"fields": "id"}).body["data"]
    assert read == {"id": contact, "Contact_Role": None}


@pytest.mark.parametrize(("parent", "name"), [("Deals", "Contact_Roles"), ("Campaigns", "Leads"),
                                              ("Products", "Deals")])  # fmt: skip
@pytest.mark.parametrize("which", ["parent", "child"])
def test_links_come_back_with_a_restored_record(ask, role, parent, name, which):
    """Whichever end was deleted, with what stood on the link."""
    module = "Contacts" if name == "Contact_Roles" else name
    values = {"Contact_Roles": {"Contact_Role": {"id": role["id"]}},
              "Leads": {"Member_Status": "Sent"}}.get(name, {})  # fmt: skip
    record, other = made(ask, parent), made(ask, module)
    path = f"/{parent}/{record}/{name}"
    ask("PUT", path, None, {"data": [{"id": other, **values}]})
    before = ask("GET", path, {"fields": "id"}).body["data"]
    gone, gone_module = (record, parent) if which == "parent" else (other, module)
    assert ask("DELETE", f"/{gone_module}/{gone}").status == 200
    if which == "child":
        assert ask("GET", path, {"fields": "id"}).status == 204
    restored = ask("POST", f"/settings/recycle_bin/{gone}/actions/restore")
    assert restored.status == 200, restored.body
    assert ask("GET", path, {"fields": "id"}).body["data"] == before


def test_a_link_waits_for_its_role_no_longer(ask, role):
    """A contact restored after its role was deleted comes back without one."""
    deal, contact = made(ask, "Deals"), made(ask, "Contacts")
    path = f"/Deals/{deal}/Contact_Roles"
    ask("PUT", path, None, {"data": [{"id": contact, "Contact_Role": {"id": role["id"]}}]})
    ask("DELETE", f"/Contacts/{contact}")
    ask("DELETE", f"/Contacts/roles/{role['id']}")
    ask("POST", f"/settings/recycle_bin/{contact}/actions/restore")
    (read,) = ask("GET", path, {"fields": "id"}).body["data"]
    assert read == {"id": contact, "Contact_Role": None}


def test_what_was_linked_to_a_deleted_deal_is_still_told(ask, role):
    """As of other lists."""
    deal, contact = made(ask, "Deals"), made(ask, "Contacts")
    path = f"/Deals/{deal}/Contact_Roles"
    ask("PUT", path, None, {"data": [{"id": contact, "Contact_Role": {"id": role["id"]}}]})
    ask("DELETE", f"/Deals/{deal}")
    told = ask("GET", f"/Deals/deleted/{deal}/Contact_Roles", {"fields": "id"}).body["data"]
    assert [each["id"] for each in told] == [contact]


def test_links_are_counted(ask, role):
    """Beside other lists."""
    deal = made(ask, "Deals")
    people = [{"id": each, "Contact_Role": {"id": role["id"]}} for each in ask.ids("Contacts")[:3]]
    ask("PUT", f"/Deals/{deal}/Contact_Roles", None, {"data": people})
    key = "get_related_records_count"
    body = {key: [{"related_list": {"api_name": "Contact_Roles"}}]}
    counted = ask("POST", f"/Deals/{deal}/actions/{key}", None, body).body[key]
    assert counted[0]["count"] == 3
