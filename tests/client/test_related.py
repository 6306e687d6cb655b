"""What hangs together, read in few calls: related lists, subforms, lookups."""

import pandas as pd
import pytest

from zcrm_nb.errors import LimitError, NotFoundError, WriteWarning


@pytest.fixture
def own(fresh, connected):
    """A CRM on an org of the test's own."""
    return connected(fresh)


def sent(calls):
    """What went over the wire, without the metadata."""
    return [
        call for call in calls if "/settings/" not in call.path and call.path != "/crm/v8/users"
    ]


# ---- Related lists -------------------------------------------------------------------------------


def test_many_parents_are_asked_together(crm):
    """A query for each hundred, not a call for each; the rows are those of a join by hand."""
    accounts = crm.records("Accounts", ["Account_Name"])
    crm.related("Accounts", accounts.head(1), "Contacts")
    with crm.trace() as calls:
        people = crm.related("Accounts", accounts, "Contacts", ["Last_Name", "Email"])
    assert len(accounts) == 60
    assert [call.path for call in sent(calls)] == ["/crm/v8/coql"]
    by_hand = crm.records("Contacts", ["Last_Name", "Email", "Account_Name"])
    by_hand = by_hand[by_hand["Account_Name.id"].notna()].set_index("id")
    assert people.set_index("id")["parent_id"].to_dict() == by_hand["Account_Name.id"].to_dict()
    assert people.set_index("id")["Email"].equals(by_hand["Email"].reindex(people["id"]))


def test_rows_come_in_the_order_of_their_parents(crm):
    """As they were asked for; parents that are named twice count once."""
    ids = list(crm.records("Accounts", ["Account_Name"])["id"])[::-1]
    people = crm.related("Accounts", [*ids, *ids], "Contacts", ["Last_Name"])
    places = people["parent_id"].map({each: n for n, each in enumerate(ids)})
    assert places.is_monotonic_increasing
    assert people["id"].is_unique


def test_one_none_and_many_parents_give_the_same_columns_and_types(crm):
    """A loop over one account, and a pipeline on a quiet day."""
    ids = list(crm.records("Accounts", ["Account_Name"])["id"])
    many = crm.related("Accounts", ids, "Deals")
    for subject in (ids[0], ids[:1], [], crm.records("Accounts", ["Account_Name"], limit=0)):
        some = crm.related("Accounts", subject, "Deals")
        # A picklist may hold values that the metadata lack: they stand behind the known ones.
        assert some.dtypes.astype(str).equals(many.dtypes.astype(str))
    assert list(many.columns[:2]) == ["parent_id", "id"]
    assert str(many["Stage"].dtype) == "category"


def test_activities_hang_by_a_lookup_to_several_modules(crm):
    """``What_Id`` in COQL: ids are unique in the org, so the module need not be told."""
    accounts = crm.records("Accounts", ["Account_Name"])
    tasks = crm.related("Accounts", accounts, "Tasks", ["Subject", "Status"])
    assert 0 < len(tasks) < crm.count("Tasks")
    assert set(tasks["parent_id"]) <= set(accounts["id"])


def test_a_multi_select_lookup_goes_through_its_linking_module(crm):
    """Who hangs on two parents has two rows; either end can be the parent."""
    visits = crm.records("Site_Visits", ["Name"])
    shown = crm.related("Site_Visits", visits, "Products_Shown", ["Product_Name", "Unit_Price"])
    back = crm.related("Products", list(shown["id"]), "Site_Visits", ["Name"])
    pairs = set(zip(shown["parent_id"], shown["id"], strict=True))
    assert set(zip(back["id"], back["parent_id"], strict=True)) == pairs
    assert len(shown) > shown["id"].nunique()
    one = shown["parent_id"].iloc[0]
    listed = crm.record("Site_Visits", one)["Products_Shown"]
    ids = shown.loc[shown["parent_id"] == one, "id"]
    assert [each["Products_Shown"]["id"] for each in listed] == list(ids)


def test_what_is_not_there_is_said_before_it_is_asked(crm):
    """A list, with the one that may have been meant; a module; a field; an id."""
    with crm.trace() as calls:
        with pytest.raises(NotFoundError, match="Contacts"):
            crm.related("Accounts", "1", "Contact")
        with pytest.raises(NotFoundError, match="no field"):
            crm.related("Accounts", ["1"], "Contacts", ["Lastname"])
        with pytest.raises(NotFoundError, match="not a record id"):
            crm.related("Accounts", ["x"], "Contacts")
        with pytest.raises(ValueError, match="no column 'id'"):
            crm.related("Accounts", pd.DataFrame({"a": []}), "Contacts")
    assert sent(calls) == []


def test_the_lists_of_a_module_are_told(crm):
    """Each by the name that related() wants."""
    lists = crm.related_lists("Site_Visits").set_index("api_name")
    assert lists.loc["Products_Shown", "module"] == "Products"
    assert lists.loc["Products_Shown", "linkingmodule"] == "Site_Visits_X_Products"
    assert {"Notes", "Attachments"} <= set(lists.index)


def test_a_list_that_metadata_do_not_explain_is_read_record_by_record(crm):
    """Side by side; Zoho alone may know what makes it."""
    accounts = list(crm.records("Accounts", ["Account_Name"], limit=5)["id"])
    expected = crm.related("Accounts", accounts, "Contacts", ["Last_Name"])
    crm.refresh()
    for each in crm._catalogue.related_lists("Accounts").values():
        each["module"] = {"api_name": "Contacts"}
        each["connectedlookupApiName"] = None
    known = crm._catalogue.fields("Contacts")
    for name, each in known.items():
        known[name] = {**each, "lookup": {}}
    with crm.trace() as calls:
        read = crm.related("Accounts", accounts, "Contacts", ["Last_Name"])
    crm.refresh()
    assert len(sent(calls)) == 5
    key = ["parent_id", "id"]
    assert (
        read.sort_values(key)
        .reset_index(drop=True)
        .equals(expected.sort_values(key).reset_index(drop=True))
    )


def test_records_are_linked_and_let_go_with_a_report(own):
    """Under the index of the table that was handed in; refusals stand beside what is done."""
    account = own.records("Accounts", ["Account_Name"])["id"].iloc[0]
    people = own.records("Contacts", ["Last_Name"]).iloc[[5, 3, 1]].set_axis([7, 8, 9])
    people.loc[8, "id"] = "7"
    said = own.link("Accounts", account, "Contacts", people)
    assert list(said.columns) == ["action", "status", "id", "code", "field", "message"]
    assert said["status"].to_dict() == {7: "done", 8: "refused", 9: "done"}
    assert said.loc[8, ["code", "field"]].tolist() == ["INVALID_DATA", "id"]
    assert said["id"].to_dict() == people["id"].to_dict()
    on_list = own.related("Accounts", account, "Contacts", ["Last_Name"])["id"]
    assert people.loc[7, "id"] in set(on_list)
    gone = own.unlink("Accounts", account, "Contacts", people.loc[7, "id"])
    assert gone["message"].tolist() == ["relation removed"]


def test_a_hundred_records_are_one_call(own):
    """And a hundred and twenty two."""
    account = own.records("Accounts", ["Account_Name"])["id"].iloc[0]
    people = own.records("Contacts", ["Last_Name"])
    with own.trace() as calls:
        said = own.link("Accounts", account, "Contacts", people)
    assert (len(said), len(calls)) == (120, 2)
    assert set(said["status"]) == {"done"}


def test_an_answer_that_is_lost_leaves_unknown_behind(own, fresh):
    """Nothing is sent again, and what followed was done."""
    account = own.records("Accounts", ["Account_Name"])["id"].iloc[0]
    people = own.records("Contacts", ["Last_Name"])
    fresh.faults.add("lost", path=f"/Accounts/{account}", method="PUT")
    with own.trace() as calls, pytest.warns(WriteWarning, match="unknown"):
        said = own.link("Accounts", account, "Contacts", people)
    unknown = int((said["status"] == "unknown").sum())
    assert unknown in (100, 20)  # the batches go side by side
    assert int((said["status"] == "done").sum()) == 120 - unknown
    assert [call.attempts for call in calls] == [1, 1]
    assert set(said.resolve(wait_s=0)["status"]) == {"done"}


def test_a_call_that_never_arrived_is_found_out(own, fresh):
    """Whoever looks at the list knows; it may be sent again."""
    account = own.records("Accounts", ["Account_Name"])["id"].iloc[0]
    own.link("Accounts", account, "Contacts", [])
    person = own.records("Contacts", ["Last_Name", "Account_Name"])
    person = person.loc[person["Account_Name.id"] != account, "id"].head(1)
    fresh.faults.add("torn", path=f"/Accounts/{account}", method="PUT")
    with pytest.warns(WriteWarning, match="unknown"):
        report = own.link("Accounts", account, "Contacts", person)
    assert report.resolve(wait_s=0)["status"].tolist() == ["done"]
    fresh.faults.add("lost", path=f"/Accounts/{account}", method="DELETE")
    with pytest.warns(WriteWarning, match="unknown"):
        gone = own.unlink("Accounts", account, "Contacts", person)
    own.link("Accounts", account, "Contacts", person)  # somebody else, meanwhile
    assert gone.resolve(wait_s=0)["code"].tolist() == ["NOT_PROCESSED"]


def test_a_refusal_of_the_whole_is_told_of_each(own):
    """A list that is not there; a record that comes twice is not even sent."""
    account = own.records("Accounts", ["Account_Name"])["id"].iloc[0]
    said = own.link("Accounts", account, "Nope", ["7", "8"])
    assert said["status"].tolist() == ["refused", "refused"]
    assert said["code"].tolist() == ["INVALID_DATA"] * 2
    with own.trace() as calls, pytest.raises(ValueError, match="comes twice"):
        own.link("Accounts", account, "Contacts", ["7", "7"])
    assert calls == []


# ---- Expanding -----------------------------------------------------------------------------------


def test_expanding_is_a_join(crm):
    """The same values and types as one COQL query with dots, by a query for each hundred."""
    columns = ["Industry", "Employees", "Annual_Revenue", "Created_Time", "Parent_Account"]
    dotted = ", ".join(f"Account_Name.{each}" for each in columns)
    expected = crm.coql(f"select Account_Name, {dotted} from Deals where id is not null")
    deals = crm.coql("select Account_Name from Deals where id is not null")
    with crm.trace() as calls:
        table = crm.expand(deals, "Account_Name", columns)
    pd.testing.assert_frame_equal(table, expected, check_categorical=False)
    assert len(sent(calls)) == 1
    assert table.attrs["zcrm"]["credits"] == 1
    assert table.attrs["zcrm"]["expanded"] == ["Account_Name"]


def test_expanding_keeps_rows_index_and_the_table_itself(crm):
    """Whatever index; rows without a lookup are empty; expanding twice replaces."""
    deals = crm.records("Deals", ["Account_Name", "Amount"], limit=30).sample(
        frac=1, random_state=1
    )
    deals.loc[deals.index[3], ["Account_Name", "Account_Name.id"]] = pd.NA
    before = deals.copy()
    table = crm.expand(deals, "Account_Name", ["Industry", "Tag"], module="Deals")
    assert deals.equals(before)
    assert table.index.equals(deals.index)
    assert pd.isna(table["Account_Name.Industry"].iloc[3])
    assert table["Account_Name.Tag"].iloc[3] == []
    assert list(table.columns)[-3:] == ["Account_Name.Industry", "Account_Name.Tag", "Amount"]
    again = crm.expand(table, "Account_Name", ["Industry"], module="Deals")
    assert again["Account_Name.Industry"].equals(table["Account_Name.Industry"])
    assert list(again.columns).count("Account_Name.Industry") == 1


def test_users_are_expanded_from_the_list_of_them(crm):
    """No query at all."""
    leads = crm.records("Leads", ["Owner"], limit=20)
    users = crm.users().set_index("id")
    with crm.trace() as calls:
        table = crm.expand(leads, "Owner", ["email", "role"])
    assert sent(calls) == []
    assert table["Owner.email"].tolist() == users["email"].reindex(table["Owner.id"]).tolist()
    with pytest.raises(NotFoundError, match="email"):
        crm.expand(leads, "Owner", ["e_mail"])


def test_expanding_says_its_price_before(crm):
    """More than was allowed is not sent."""
    deals = crm.records("Deals", ["Account_Name"])
    with crm.trace() as calls, pytest.raises(LimitError, match="1 credit;"):
        crm.expand(deals, "Account_Name", ["Industry"], max_credits=0)
    assert sent(calls) == []


def test_what_cannot_be_expanded_is_said(crm):
    """A lookup to several modules, no lookup, no ids, no module."""
    tasks = crm.records("Tasks", ["What_Id", "Subject"], limit=5)
    with pytest.raises(ValueError, match="single module"):
        crm.expand(tasks, "What_Id", ["City"])
    with pytest.raises(ValueError, match=r"Subject\.id"):
        crm.expand(tasks, "Subject", ["City"])
    with pytest.raises(ValueError, match="module"):
        crm.expand(pd.DataFrame({"X.id": ["1"]}), "X", ["City"])
    with pytest.raises(NotFoundError, match="Industry"):
        crm.expand(crm.records("Deals", ["Account_Name"], limit=5), "Account_Name", ["Industri"])


def test_a_table_without_lookups_costs_nothing_to_expand(crm):
    """And has the same columns as any."""
    some = crm.expand(crm.records("Deals", ["Account_Name"], limit=9), "Account_Name", ["Industry"])
    with crm.trace() as calls:
        none = crm.expand(some.iloc[:0][["id", "Account_Name.id"]], "Account_Name", ["Industry"])
    assert sent(calls) == []
    assert none["Account_Name.Industry"].dtype == some["Account_Name.Industry"].dtype


# ---- Subforms ------------------------------------------------------------------------------------


def test_a_subform_is_a_child_table(crm):
    """The same rows as the records hold one by one, typed, and in fewer calls."""
    quotes = crm.records("Quotes", ["Subject"], limit=30)
    with crm.trace() as calls:
        rows = crm.subform("Quotes", "Quoted_Items", quotes, ["Product_Name", "Quantity", "Total"])
    assert len(sent(calls)) == 1
    one = rows["parent_id"].iloc[0]
    held = crm.record("Quotes", one)["Quoted_Items"]
    mine = rows[rows["parent_id"] == one]
    assert mine["id"].tolist() == [each["id"] for each in held]
    assert mine["Total"].tolist() == [each["Total"] for each in held]
    assert {n: str(d) for n, d in rows.dtypes.items()} == {
        "parent_id": "string",
        "id": "string",
        "Product_Name": "string",
        "Product_Name.id": "string",
        "Quantity": "float64",
        "Total": "float64",
    }


def test_all_rows_of_a_subform_need_no_ids(crm):
    """In the order of their records."""
    every = crm.subform("Quotes", "Quoted_Items", columns=["Quantity"])
    some = crm.subform("Quotes", "Quoted_Items", list(every["parent_id"]), ["Quantity"])
    assert every.equals(some)
    assert every["parent_id"].nunique() == crm.count("Quotes")


def test_links_of_a_multi_select_lookup_are_child_rows(crm):
    """Record and link; fields of the far end as a dotted path."""
    links = crm.subform("Site_Visits", "Products_Shown", columns=["Unit_Price"])
    assert list(links.columns) == [
        "parent_id", "id", "Products_Shown", "Products_Shown.id", "Products_Shown.Unit_Price",
    ]  # fmt: skip
    people = crm.subform("Site_Visits", "Engineers", columns=["email"])
    assert people["Engineers.email"].str.endswith("example.com").all()
    one = people["parent_id"].iloc[0]
    held = crm.record("Site_Visits", one)["Engineers"]
    ids = people.loc[people["parent_id"] == one, "Engineers.id"]
    assert [each["Engineers"]["id"] for each in held] == list(ids)


def test_a_field_without_children_is_no_subform(crm):
    """Its type is told."""
    with pytest.raises(ValueError, match="picklist"):
        crm.subform("Deals", "Stage")


# ---- Rich text, external ids ---------------------------------------------------------------------


def test_rich_text_comes_whole(own, fresh):
    """Lists cut it after 500 characters."""
    visits = own.records("Site_Visits", ["Name"], limit=3).set_axis([5, 6, 7])
    long = "word " * 400
    visit = visits["id"].iloc[1]
    own.request("PUT", f"Site_Visits/{visit}", json={"data": [{"Observations": long}]})
    listed = own.records("Site_Visits", ["Observations"], ids=[visit])
    texts = own.full_text("Site_Visits", visits)
    assert len(listed["Observations"].iloc[0]) == 500
    assert texts.loc[6, "Observations"] == long
    assert texts["id"].equals(visits["id"])
    assert own.full_text("Site_Visits", [visit, visit])["Observations"].tolist() == [long, long]
    with pytest.raises(ValueError, match="no rich text"):
        own.full_text("Leads", "1")


def test_a_record_is_found_by_another_systems_id(crm):
    """Whatever is in it; the field must be there."""
    account = crm.records("Accounts", ["ERP_Customer_Id"], limit=3).iloc[2]
    read = crm.record("Accounts", account["ERP_Customer_Id"], external="ERP_Customer_Id")
    assert read["id"] == account["id"]
    for value in ("a b & c", "ERP-0", "…"):
        with pytest.raises(NotFoundError, match="no record"):
            crm.record("Accounts", value, external="ERP_Customer_Id")
    for value in ("a/b", "..", "", "a?b=c", "a\n"):
        with pytest.raises(ValueError, match="COQL"):
            crm.record("Accounts", value, external="ERP_Customer_Id")
    with pytest.raises(NotFoundError, match="no field"):
        crm.record("Accounts", "1", external="ERP_Id")


def test_a_composite_request_goes_by_request(own):
    """Five calls in one: what a method of its own would add is not known, so there is none."""
    add = {"data": [{"Last_Name": "Boyle"}]}
    change = {"data": [{"Company": "Zylker"}]}
    lead = "/crm/v8/Leads/@{1:$.data[0].details.id}"
    calls = [
        {"sub_request_id": "1", "method": "POST", "uri": "/crm/v8/Leads", "body": add},
        {"sub_request_id": "2", "method": "PUT", "uri": lead, "body": change},
    ]
    body = {"rollback_on_fail": True, "__composite_requests": calls}
    said = own.request("POST", "__composite_requests", json=body)["__composite_requests"]
    codes = [each["details"]["response"]["status_code"] for each in said]
    assert codes == [201, 200]


NOTHING = {
    "list": list,
    "series": lambda: pd.Series([], dtype="string"),
    "frame": lambda: pd.DataFrame({"id": []}),
    "filtered": lambda: pd.DataFrame({"id": ["1"]}).head(0),
    "generator": lambda: iter(()),
}
SELECTIONS = {
    "related": ("Accounts", lambda crm, ids: crm.related("Accounts", ids, "Contacts", ["Email"])),
    "related by record": ("Leads", lambda crm, ids: crm.related("Leads", ids, "Notes")),
    "notes": ("Leads", lambda crm, ids: crm.notes("Leads", ids)),
    "attachments": ("Leads", lambda crm, ids: crm.attachments("Leads", ids)),
    "subform": ("Quotes", lambda crm, ids: crm.subform("Quotes", "Quoted_Items", ids)),
    "multi-select lookup": (
        "Site_Visits",
        lambda crm, ids: crm.subform("Site_Visits", "Products_Shown", ids),
    ),
    "full_text": ("Site_Visits", lambda crm, ids: crm.full_text("Site_Visits", ids)),
    "records": ("Leads", lambda crm, ids: crm.records("Leads", ["City"], ids=ids)),
}


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("method", SELECTIONS)
def test_a_selection_of_nothing_is_an_empty_typed_table(crm, method, nothing):
    """Someone who filtered to nothing must not go on with everyone."""
    module, read = SELECTIONS[method]
    table = read(crm, NOTHING[nothing]())
    assert len(table) == 0
    one = crm.coql(f"select id from {module} limit 1")
    assert table.dtypes.equals(read(crm, one).dtypes)
