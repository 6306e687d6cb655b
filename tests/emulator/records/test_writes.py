"""Writing records, and a result for each of them."""

import pytest

BEFORE = {"If-Unmodified-Since": "2026-09-15T08:00:00+05:30"}


def post(ask, module, *items, **more):
    """Insert."""
    return ask("POST", f"/{module}", None, {"data": list(items), **more})


def new_id(reply):
    """Id of the first result."""
    return reply.body["data"][0]["details"]["id"]


def read(ask, module, record_id):
    """One record, whole."""
    return ask("GET", f"/{module}/{record_id}").body["data"][0]


def test_an_insert_answers_as_documented(ask):
    """201, the keys of §4.2; the record is there."""
    reply = post(ask, "Leads", {"Last_Name": "Osei", "Company": "Northwind"})
    assert reply.status == 201
    (result,) = reply.body["data"]
    assert {key: result[key] for key in ("code", "status", "message")} == {
        "code": "SUCCESS",
        "status": "success",
        "message": "record added",
    }
    details = result["details"]
    assert details.keys() == {
        "id",
        "Created_Time",
        "Modified_Time",
        "Created_By",
        "Modified_By",
        "$approval_state",
    }
    assert details["Created_Time"] == "2026-09-15T09:00:00+05:30"
    record = read(ask, "Leads", details["id"])
    assert (record["Last_Name"], record["Full_Name"]) == ("Osei", "Osei")
    assert record["Owner"]["id"] == details["Created_By"]["id"]
    assert details["Created_By"].keys() == details["Modified_By"].keys() == {"name", "id"}


VALUES = {
    "Leads": {
        "Last_Name": "Osei",
        "Languages_Known": ["English", "Hindi"],
        "Annual_Revenue": 1234.5,
        "No_of_Employees": 12,
        "Email_Opt_Out": True,
        "Next_Follow_Up": "2026-10-01",
        "Email": "ama@example.com",
        "Description": "Zeile\nzwei",
    },
    "Site_Visits": {
        "Name": "Akosombo",
        "Arrival_Time": "2026-09-20T10:00:00+05:30",
        "Gate_Pass_Number": "123456789012345",
        "Satisfaction": 87.5,
        "Available_Hours": [{"From": "09:00", "To": "17:00"}],
    },
}


@pytest.mark.parametrize("module", VALUES)
def test_values_come_back_as_they_were_sent(ask, module):
    """Every kind of field that one can write."""
    record = read(ask, module, new_id(post(ask, module, VALUES[module])))
    assert {name: record[name] for name in VALUES[module]} == VALUES[module]


def test_lookups_and_owners_are_written_by_id(ask, emulator):
    """And shown with names."""
    account = ask("GET", "/Accounts", {"fields": "Account_Name"}).body["data"][0]
    user = str(emulator.store.read("SELECT max(id) FROM Users")[0][0])
    sent = {
        "Last_Name": "Osei",
        "Account_Name": {"id": account["id"]},
        "Owner": {"id": user},
    }
    record = read(ask, "Contacts", new_id(post(ask, "Contacts", sent)))
    assert record["Account_Name"] == {"name": account["Account_Name"], "id": account["id"]}
    assert record["Owner"]["id"] == user


def test_lookups_to_several_modules_say_which(ask):
    """$se_module beside What_Id, module inside Parent_Id."""
    deal = ask.ids("Deals")[0]
    task = {"Subject": "Call", "What_Id": {"id": deal}, "$se_module": "Deals"}
    record = read(ask, "Tasks", new_id(post(ask, "Tasks", task)))
    assert (record["What_Id"]["id"], record["$se_module"]) == (deal, "Deals")
    parent = {"module": {"api_name": "Deals"}, "id": deal}
    note = post(ask, "Notes", {"Note_Content": "x", "Parent_Id": parent})
    assert read(ask, "Notes", new_id(note))["Parent_Id"]["module"]["api_name"] == "Deals"
    unsaid = post(ask, "Tasks", {"Subject": "Call", "What_Id": {"id": deal}})
    assert unsaid.body["data"][0]["details"]["supported_values"]
    nowhere = post(ask, "Tasks", task | {"$se_module": "Leads"})
    assert nowhere.body["data"][0]["message"] == "the id given seems to be invalid"


def test_tags_get_an_id_and_a_colour(ask):
    """The same tag the second time."""
    first = read(
        ask, "Leads", new_id(post(ask, "Leads", {"Last_Name": "A", "Tag": [{"name": "vip"}]}))
    )
    again = read(
        ask, "Leads", new_id(post(ask, "Leads", {"Last_Name": "B", "Tag": [{"name": "vip"}]}))
    )
    assert first["Tag"] == again["Tag"]
    assert first["Tag"][0].keys() == {"name", "id", "color_code"}
    assert post(ask, "Leads", {"Last_Name": "C", "Tag": ["vip"]}).status == 400


def test_what_zoho_computes_is_passed_over(ask):
    """Read-only and unknown keys change nothing."""
    sent = {"Last_Name": "Osei", "Full_Name": "X", "Created_Time": "x", "id": "1", "Foo": 1}
    record = read(ask, "Leads", new_id(post(ask, "Leads", sent)))
    assert record["Full_Name"] == "Osei"
    assert record["id"] != "1"


def test_unknown_keys_may_be_refused(make):
    """A setting; keys with $ are the system's."""
    ask = make({"refuse_unknown_keys": True})
    assert post(ask, "Leads", {"Last_Name": "Osei", "$foo": 1}).status == 201
    result = post(ask, "Leads", {"Last_Name": "Osei", "Foo": 1}).body["data"][0]
    assert result["details"] == {"api_name": "Foo", "json_path": "$.data[0].Foo"}


def test_mixed_results_are_207_in_the_order_of_the_request(ask):
    """What is right is written."""
    reply = post(ask, "Leads", {"Last_Name": "A"}, {"Company": "B"}, {"Last_Name": "C"})
    assert reply.status == 207
    assert [each["status"] for each in reply.body["data"]] == ["success", "error", "success"]
    assert reply.body["data"][1]["details"]["json_path"] == "$.data[1].Last_Name"
    assert len(ask.ids("Leads")) == 42


def test_all_refused_is_400_with_the_results(ask):
    """Not 202, which is the answer of old versions."""
    reply = post(ask, "Leads", {"Company": "A"}, {"Company": "B"})
    assert reply.status == 400
    assert len(reply.body["data"]) == 2


@pytest.mark.parametrize(
    ("sent", "details"),
    [
        ({"Email": "nobody"}, {"expected_data_type": "email"}),
        ({"Annual_Revenue": "much"}, {"expected_data_type": "double"}),
        ({"Email_Opt_Out": "false"}, {"expected_data_type": "boolean"}),
        ({"Next_Follow_Up": "01.10.2026"}, {"expected_data_type": "date"}),
        ({"Languages_Known": "English"}, {"expected_data_type": "jsonarray"}),
        ({"Referred_By": "1"}, {"expected_data_type": "jsonobject"}),
        ({"No_of_Employees": 12345678901}, {"maximum_length": 9}),
        ({"Last_Name": None}, None),
        ({"Last_Name": ""}, None),
    ],
)
def test_a_wrong_value_says_what_was_expected(ask, sent, details):
    """INVALID_DATA with the expected type or length, MANDATORY_NOT_FOUND for an empty one."""
    (name,) = sent
    (result,) = post(ask, "Leads", {"Last_Name": "Osei"} | sent).body["data"]
    place = {"api_name": name, "json_path": f"$.data[0].{name}"}
    assert result["code"] == ("MANDATORY_NOT_FOUND" if details is None else "INVALID_DATA")
    assert result["details"] == place | (details or {})


def test_a_value_outside_the_picklist_is_refused_or_taken(ask, make):
    """With the values there are; a setting."""
    sent = {"Last_Name": "Osei", "Lead_Source": "Pigeon"}
    assert read(ask, "Leads", new_id(post(ask, "Leads", sent)))["Lead_Source"] == "Pigeon"
    strict = make({"refuse_unknown_picklist_values": True})
    details = post(strict, "Leads", sent).body["data"][0]["details"]
    assert "Advertisement" in details["supported_values"]


def test_the_first_record_of_the_guide_is_taken(ask):
    """Its Lead_Source, Website, is in no picklist here."""
    lead = {
        "Company": "Zylker",
        "Last_Name": "Daly",
        "First_Name": "Paul",
        "Email": "p.daly@example.com",
        "State": "Texas",
        "Lead_Source": "Website",
    }
    reply = post(ask, "Leads", lead)
    assert reply.status == 201
    assert reply.body["data"][0]["code"] == "SUCCESS"
    assert read(ask, "Leads", new_id(reply))["Lead_Source"] == "Website"


def test_a_unique_value_is_taken_once(ask):
    """DUPLICATE_DATA names the record that has it, also within one request."""
    twice = {"Last_Name": "Osei", "GSTIN": "27AAPFU0939F1ZV"}
    reply = post(ask, "Leads", twice, twice)
    first, second = reply.body["data"]
    assert reply.status == 207
    assert (second["code"], second["message"]) == ("DUPLICATE_DATA", "duplicate data")
    details = second["details"]
    assert details.keys() == {"api_name", "json_path", "id", "duplicate_record", "more_records"}
    assert details["id"] == details["duplicate_record"]["id"] == first["details"]["id"]
    assert details["duplicate_record"]["module"]["api_name"] == "Leads"
    own = {"GSTIN": "27AAPFU0939F1ZV", "City": "Accra"}
    assert ask("PUT", f"/Leads/{details['id']}", None, {"data": [own]}).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_at_most_100_records_at_once(ask, method):
    """LIMIT_EXCEEDED, and nothing is written."""
    reply = ask(method, "/Leads", None, {"data": [{"Last_Name": "A"}] * 101})
    assert (reply.status, reply.body["code"]) == (400, "LIMIT_EXCEEDED")
    assert reply.body["details"] == {"maximum_length": 100, "api_name": "data"}
    assert len(ask.ids("Leads")) == 40


@pytest.mark.parametrize("body", [{"data": {}}, {"data": [1]}, {"data": []}])
def test_a_body_must_hold_a_list_of_records(ask, body):
    """INVALID_DATA at $.data."""
    reply = ask("POST", "/Leads", None, body)
    assert (reply.status, reply.body["code"]) == (400, "INVALID_DATA")
    assert reply.body["details"]["json_path"] == "$.data"


def test_a_body_that_is_no_json_is_refused(ask):
    """As a whole."""
    headers = {"Authorization": f"Zoho-oauthtoken {ask.token}"}
    reply = ask.send("POST", "/crm/v8/Leads", None, b"{torn", headers)
    assert (reply.status, reply.body["code"]) == (400, "INVALID_DATA")


def test_whole_refusals_may_be_wrapped(make):
    """CONFLICT: writes show both envelopes."""
    ask = make({"wrap_write_refusals": True})
    assert post(ask, "Leeds", {}).body["data"][0]["code"] == "INVALID_MODULE"
    assert ask("GET", "/Leeds", {"fields": "id"}).body["code"] == "INVALID_MODULE"


def test_an_update_changes_what_is_sent_and_nothing_else(ask, emulator):
    """Many by id; Modified_Time moves."""
    first, second = ask.ids("Leads")[:2]
    old = read(ask, "Leads", first)
    emulator.clock.advance(60)
    sent = [{"id": first, "City": "Accra"}, {"id": second, "City": "Kumasi"}]
    reply = ask("PUT", "/Leads", None, {"data": sent})
    assert reply.status == 200
    assert [each["message"] for each in reply.body["data"]] == ["record updated"] * 2
    new = read(ask, "Leads", first)
    changed = {name for name in new if new[name] != old[name]}
    assert changed == {"City", "Modified_Time", "Last_Activity_Time", "Modified_By"} - (
        {"Modified_By"} if new["Modified_By"] == old["Modified_By"] else set()
    ) - ({"City"} if old["City"] == "Accra" else set())
    assert new["Modified_Time"] == "2026-09-15T09:01:00+05:30"


def test_an_update_may_empty_a_field(ask):
    """With null; a mandatory field refuses."""
    lead = new_id(post(ask, "Leads", {"Last_Name": "Osei", "City": "Accra"}))
    ask("PUT", f"/Leads/{lead}", None, {"data": [{"City": None}]})
    assert read(ask, "Leads", lead)["City"] is None
    reply = ask("PUT", f"/Leads/{lead}", None, {"data": [{"Last_Name": None}]})
    assert reply.body["data"][0]["code"] == "MANDATORY_NOT_FOUND"


def test_a_lost_update_is_412(ask, emulator):
    """If-Unmodified-Since older than the record's last change."""
    lead = new_id(post(ask, "Leads", {"Last_Name": "Osei"}))
    body = {"data": [{"City": "Accra"}]}
    reply = ask("PUT", f"/Leads/{lead}", None, body, headers=BEFORE)
    assert reply.status == 412
    (result,) = reply.body["data"]
    assert result["code"] == "ALREADY_MODIFIED"
    assert result["message"] == "record updated time has already passed if-unmodified-since time"
    stamps = {"Modified_Time", "Created_Time", "id", "Modified_By", "Created_By"}
    assert result["details"].keys() == stamps
    emulator.clock.advance(60)
    now = {"If-Unmodified-Since": "2026-09-15T09:00:30+05:30"}
    assert ask("PUT", f"/Leads/{lead}", None, body, headers=now).status == 200


def test_multi_select_values_are_replaced_or_appended(ask):
    """$append_values keeps the old ones."""
    lead = new_id(post(ask, "Leads", {"Last_Name": "Osei", "Languages_Known": ["English"]}))
    more = {"Languages_Known": ["Hindi", "English"], "$append_values": {"Languages_Known": True}}
    ask("PUT", f"/Leads/{lead}", None, {"data": [more]})
    assert read(ask, "Leads", lead)["Languages_Known"] == ["English", "Hindi"]
    ask("PUT", f"/Leads/{lead}", None, {"data": [{"Languages_Known": ["Tamil"]}]})
    assert read(ask, "Leads", lead)["Languages_Known"] == ["Tamil"]


@pytest.fixture
def visit(ask):
    """Make a visit with two expenses."""
    rows = [{"Amount": 10.5, "Remarks": "train"}, {"Amount": 4, "Remarks": "tea"}]
    return new_id(post(ask, "Site_Visits", {"Name": "Akosombo", "Expenses": rows}))


def test_subform_rows_are_written_with_their_record(ask, visit):
    """And counted by its roll-up."""
    record = read(ask, "Site_Visits", visit)
    assert [each["Remarks"] for each in record["Expenses"]] == ["train", "tea"]
    assert record["Total_Expenses"] == 14.5


def test_rows_without_ids_replace_the_old_ones(ask, make, visit):
    """UNCONFIRMED, a setting."""
    ask("PUT", f"/Site_Visits/{visit}", None, {"data": [{"Expenses": [{"Amount": 1}]}]})
    assert read(ask, "Site_Visits", visit)["Total_Expenses"] == 1
    adding = make({"subform_rows_replace": False})
    body = {"Name": "Volta", "Expenses": [{"Amount": 2}]}
    other = new_id(post(adding, "Site_Visits", body))
    adding("PUT", f"/Site_Visits/{other}", None, {"data": [{"Expenses": [{"Amount": 1}]}]})
    assert read(adding, "Site_Visits", other)["Total_Expenses"] == 3


def test_rows_with_ids_are_changed_added_and_removed(ask, visit):
    """_delete marks removal; rows that are not mentioned stay."""
    train, tea = read(ask, "Site_Visits", visit)["Expenses"]
    rows = [{"id": train["id"], "Amount": 20}, {"Amount": 1, "Remarks": "tip"}]
    ask("PUT", f"/Site_Visits/{visit}", None, {"data": [{"Expenses": rows}]})
    assert read(ask, "Site_Visits", visit)["Total_Expenses"] == 25
    rows = [{"id": tea["id"], "_delete": None}]
    ask("PUT", f"/Site_Visits/{visit}", None, {"data": [{"Expenses": rows}]})
    record = read(ask, "Site_Visits", visit)
    assert [each["Remarks"] for each in record["Expenses"]] == ["train", "tip"]


def test_a_wrong_row_tells_its_place(ask):
    """Path down into the subform."""
    sent = {"Name": "Volta", "Expenses": [{"Amount": 1}, {"Amount": "much"}]}
    (result,) = post(ask, "Site_Visits", sent).body["data"]
    assert result["details"]["json_path"] == "$.data[0].Expenses[1].Amount"
    assert post(ask, "Site_Visits", {"Name": "V", "Expenses": "x"}).status == 400
    alien = {"Name": "V", "Expenses": [{"id": "x", "Amount": 1}]}
    assert post(ask, "Site_Visits", alien).body["data"][0]["code"] == "INVALID_DATA"


def test_links_are_written_like_rows(ask):
    """Multi-select lookups name the far end."""
    product = ask.ids("Products")[0]
    sent = {"Name": "Volta", "Products_Shown": [{"Products_Shown": {"id": product}}]}
    record = read(ask, "Site_Visits", new_id(post(ask, "Site_Visits", sent)))
    assert record["Products_Shown"][0]["Products_Shown"]["id"] == product


def test_an_invoice_needs_its_lines(ask):
    """A mandatory subform, and mandatory fields in its rows."""
    assert post(ask, "Invoices", {"Subject": "Pump"}).body["data"][0]["details"]["api_name"] == (
        "Invoiced_Items"
    )
    line = {"Product_Name": {"id": ask.ids("Products")[0]}}
    reply = post(ask, "Invoices", {"Subject": "Pump", "Invoiced_Items": [line]})
    path = "$.data[0].Invoiced_Items[0].Quantity"
    assert reply.body["data"][0]["details"]["json_path"] == path
    line |= {"Quantity": 2, "List_Price": 50}
    done = post(ask, "Invoices", {"Subject": "Pump", "Invoiced_Items": [line]})
    assert read(ask, "Invoices", new_id(done))["Grand_Total"] == 100


def test_rows_are_not_inserted_without_their_record(ask):
    """The subform's own module refuses loudly."""
    reply = post(ask, "Site_Visit_Expenses", {"Amount": 1})
    assert (reply.status, reply.body["details"]) == (404, {"emulated": False})


def upsert(ask, *items, **more):
    """Upsert leads."""
    return ask("POST", "/Leads/upsert", None, {"data": list(items), **more})


def test_an_upsert_inserts_and_updates(ask):
    """By e-mail on leads; each result says what was done."""
    mail = {"Last_Name": "Osei", "Email": "ama@example.com"}
    first = upsert(ask, mail)
    assert first.status == 200
    result = first.body["data"][0]
    assert (result["action"], result["duplicate_field"]) == ("insert", None)
    assert result["message"] == "record added"
    second = upsert(ask, mail | {"City": "Accra"}, {"Last_Name": "New"}).body["data"]
    assert [(each["action"], each["duplicate_field"]) for each in second] == [
        ("update", "Email"),
        ("insert", None),
    ]
    assert second[0]["details"]["id"] == result["details"]["id"]


def test_an_upsert_with_an_id_updates_that_record(ask):
    """Before any duplicate check."""
    lead = ask.ids("Leads")[0]
    (result,) = upsert(ask, {"id": lead, "City": "Accra"}).body["data"]
    assert (result["action"], result["details"]["id"]) == ("update", lead)


def test_an_upsert_checks_the_fields_it_is_told(ask):
    """In their order; unique fields are allowed, others are not."""
    post(ask, "Leads", {"Last_Name": "A", "GSTIN": "27AAPFU0939F1ZV", "Email": "a@example.com"})
    item = {"Last_Name": "B", "GSTIN": "27AAPFU0939F1ZV", "Email": "b@example.com"}
    (result,) = upsert(ask, item, duplicate_check_fields=["Email", "GSTIN"]).body["data"]
    assert result["duplicate_field"] == "GSTIN"
    refused = upsert(ask, item, duplicate_check_fields=["City"])
    assert refused.body["details"]["json_path"] == "$.duplicate_check_fields[0]"


@pytest.mark.parametrize(("setting", "status"), [({}, 200), ({"upsert_insert_status": 201}, 201)])
def test_the_status_of_a_pure_insert_is_a_setting(make, setting, status):
    """UNCONFIRMED; with an update among them it is 200 in any case."""
    ask = make(setting)
    mail = {"Last_Name": "Osei", "Email": "ama@example.com"}
    assert upsert(ask, mail).status == status
    assert upsert(ask, mail).status == 200


def test_an_insert_may_name_the_field_it_was_checked_by(make):
    """As the official sample does."""
    ask = make({"upsert_names_field_on_insert": True})
    assert upsert(ask, {"Last_Name": "Osei"}).body["data"][0]["duplicate_field"] == "Email"


def test_deleting_answers_for_each_record(ask):
    """Many by ids, one by its address; the record is gone."""
    first, second, third = ask.ids("Leads")[:3]
    reply = ask("DELETE", "/Leads", {"ids": f"{first},{second}", "wf_trigger": "false"})
    assert reply.status == 200
    assert reply.body["data"] == [
        {
            "code": "SUCCESS",
            "details": {"id": each},
            "message": "record deleted",
            "status": "success",
        }
        for each in (first, second)
    ]
    assert ask("DELETE", "/Leads", {"ids": f"{first},{third}"}).status == 207
    assert ask("DELETE", f"/Leads/{third}").status == 400
    assert not {first, second, third} & set(ask.ids("Leads"))


def test_at_most_100_ids_are_deleted_at_once(ask):
    """LIMIT_EXCEEDED, as for fields."""
    reply = ask("DELETE", "/Leads", {"ids": ",".join(map(str, range(1, 102)))})
    assert reply.body["details"] == {"limit": 100, "param_name": "ids"}


def test_a_minus_sign_is_no_digit(ask):
    """Nine digits fit into a whole number of nine, whatever stands before them."""
    assert post(ask, "Leads", {"Last_Name": "A", "No_of_Employees": -123456789}).status == 201
    reply = post(ask, "Leads", {"Last_Name": "A", "No_of_Employees": -1234567890})
    assert reply.body["data"][0]["details"]["maximum_length"] == 9


@pytest.mark.parametrize(
    ("value", "details"),
    [
        (1.23, {}),
        (-1e15, {}),
        (1e16, {"maximum_length": 16}),
        (1.234, {"maximum_decimal_place": 2}),
        (1e-9, {"maximum_decimal_place": 2}),
    ],
)
def test_more_digits_than_a_decimal_has_are_kept_or_refused(ask, make, value, details):
    """By a setting, before and behind the point."""
    lead = {"Last_Name": "A", "Annual_Revenue": value}
    assert read(ask, "Leads", new_id(post(ask, "Leads", lead)))["Annual_Revenue"] == value
    strict = make(settings={"refuse_excess_digits": True})
    (said,) = post(strict, "Leads", lead).body["data"]
    assert said["status"] == ("error" if details else "success")
    assert details.items() <= said["details"].items()


def test_a_refused_record_leaves_nothing_behind(ask, emulator):
    """No new tag, and no gap in the batch."""
    tagged = {"Last_Name": "A", "Tag": [{"name": "brand new"}], "Email": "nonsense"}
    reply = post(ask, "Leads", {"Last_Name": "B"}, tagged, {"Last_Name": "C"})
    assert [each["status"] for each in reply.body["data"]] == ["success", "error", "success"]
    assert emulator.store.read("SELECT * FROM tags WHERE name = 'brand new'") == []


def test_a_layout_is_the_modules_own(ask):
    """Another one is refused."""
    (layout,) = ask("GET", "/settings/layouts", {"module": "Leads"}).body["layouts"]
    assert post(ask, "Leads", {"Last_Name": "A", "Layout": {"id": layout["id"]}}).status == 201
    reply = post(ask, "Leads", {"Last_Name": "A", "Layout": {"id": "1"}})
    assert reply.body["data"][0]["details"]["api_name"] == "Layout"


def test_an_upsert_that_finds_a_record_names_it_in_what_is_missing(ask):
    """MANDATORY_NOT_FOUND carries the id of the record that was found."""
    lead = new_id(post(ask, "Leads", {"Last_Name": "A", "Email": "a@example.com"}))
    item = {"Email": "a@example.com", "Last_Name": None}
    reply = ask("POST", "/Leads/upsert", None, {"data": [item]})
    assert reply.body["data"][0]["details"] == {
        "api_name": "Last_Name",
        "json_path": "$.data[0].Last_Name",
        "id": lead,
    }
