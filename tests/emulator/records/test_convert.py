"""Leads become accounts, contacts and deals."""

import pytest

from zcrm_nb.emulator.catalog.converting import MAPPING
from zcrm_nb.emulator.settings import ActionSettings

DEAL = {
    "Deal_Name": "Pilot",
    "Stage": "Qualification",
    "Closing_Date": "2026-12-31",
    "Pipeline": "Standard (Standard)",
}
LEAD = {
    "First_Name": "Ama",
    "Last_Name": "Osei",
    "Company": "Northwind",
    "Email": "ama@northwind.example.com",
    "Designation": "Plant Head",
    "City": "Accra",
    "No_of_Employees": 40,
    "Lead_Source": "Trade Show",
    "GSTIN": "27AAAAA0000A1Z5",
    "Languages_Known": ["English"],
    "Tag": [{"name": "vip"}, {"name": "webinar"}],
}


@pytest.fixture
def lead(ask):
    """Insert a lead that nobody knows yet."""
    return insert(ask, "Leads", LEAD)


def insert(ask, module, record):
    """Insert one record and return its id."""
    reply = ask("POST", f"/{module}", None, {"data": [record]})
    assert reply.status == 201, reply.body
    return reply.body["data"][0]["details"]["id"]


def convert(ask, lead, **item):
    """Convert one lead."""
    return ask("POST", f"/Leads/{lead}/actions/convert", None, {"data": [item]})


def became(reply):
    """What a lead has become, by module."""
    assert reply.status == 200, reply.body
    return {
        module: found and found["id"] for module, found in reply.body["data"][0]["details"].items()
    }


def read(ask, module, record_id):
    """One record, whole."""
    return ask("GET", f"/{module}/{record_id}").body["data"][0]


def test_the_answer_names_what_was_made_and_a_deal_that_was_not(ask, lead):
    """200, name and id of contact and account, null for the deal."""
    reply = convert(ask, lead)
    (item,) = reply.body["data"]
    assert (item["code"], item["status"]) == ("SUCCESS", "success")
    assert item["message"] == "The record has been converted successfully"
    assert item["details"]["Deals"] is None
    assert item["details"]["Contacts"]["name"] == "Ama Osei"
    assert item["details"]["Accounts"]["name"] == "Northwind"


def test_values_go_where_the_metadata_says(ask, lead):
    """Every mapping that the fields of Leads tell of holds."""
    made = became(convert(ask, lead, Deals=DEAL))
    source = read(ask, "Leads", lead)
    fields = ask("GET", "/settings/fields", {"module": "Leads"}).body["fields"]
    told = 0
    for field in fields:
        for module, target in field["convert_mapping"].items():
            if target is None:
                continue
            told += 1
            assert read(ask, module, made[module])[target] == source[field["api_name"]]
    assert told == sum(map(len, MAPPING.values()))


def test_the_three_belong_together(ask, lead):
    """The contact has the account; the deal has both, and the lead's owner."""
    made = became(convert(ask, lead, Deals=DEAL))
    contact, deal = read(ask, "Contacts", made["Contacts"]), read(ask, "Deals", made["Deals"])
    assert contact["Account_Name"]["id"] == deal["Account_Name"]["id"] == made["Accounts"]
    assert deal["Contact_Name"]["id"] == made["Contacts"]
    assert deal["Owner"] == contact["Owner"] == read(ask, "Leads", lead)["Owner"]
    assert deal["Stage"] == "Qualification"


def test_the_lead_knows_what_it_has_become(ask, lead, emulator):
    """Flag, time, days and lookups; lists leave it out unless they are asked for it."""
    emulator.clock.advance(3 * 86_400 + 60)
    ask.token = ask.refresh().body["access_token"]
    made = became(convert(ask, lead, Deals=DEAL))
    source = read(ask, "Leads", lead)
    assert source["Converted__s"] is True
    assert source["Converted_Date_Time"] == "2026-09-18T09:01:00+05:30"
    assert source["Lead_Conversion_Time"] == 3
    for module in ("Accounts", "Contacts", "Deals"):
        assert source[f"Converted_{module[:-1]}"]["id"] == made[module]
    assert ask("GET", "/Leads", {"fields": "id", "ids": lead}).status == 204
    assert ask("GET", "/Leads", {"fields": "id", "ids": lead, "converted": "true"}).status == 200


def test_a_lead_is_converted_once(ask, lead):
    """400 with the place in the address; nothing is made a second time."""
    became(convert(ask, lead))
    before = len(ask.ids("Contacts"))
    reply = convert(ask, lead)
    assert reply.status == 400
    assert (reply.body["code"], reply.body["details"]) == (
        "ID_ALREADY_CONVERTED",
        {"resource_path_index": 1},
    )
    assert len(ask.ids("Contacts")) == before


def test_existing_records_take_the_lead_in(ask, lead):
    """By their ids; an account of the contact's own stays unless it shall be overwritten."""
    account = insert(ask, "Accounts", {"Account_Name": "Elsewhere"})
    contact = insert(ask, "Contacts", {"Last_Name": "Osei", "Account_Name": {"id": account}})
    made = became(convert(ask, lead, Contacts={"id": contact}))
    assert made["Contacts"] == contact
    assert read(ask, "Contacts", contact)["Account_Name"]["id"] == account
    other = insert(ask, "Leads", {"Last_Name": "Osei", "Company": "Newer"})
    made = became(convert(ask, other, Contacts={"id": contact}, overwrite=True))
    assert read(ask, "Contacts", contact)["Account_Name"]["id"] == made["Accounts"] != account


def test_zoho_finds_the_records_when_it_is_told_to_look(ask, lead):
    """add_to_existing_record: mail address and company; without it, doubles are made."""
    account = insert(ask, "Accounts", {"Account_Name": "northwind"})
    contact = insert(ask, "Contacts", {"Last_Name": "O", "Email": LEAD["Email"]})
    made = became(convert(ask, lead, add_to_existing_record=True))
    assert (made["Accounts"], made["Contacts"]) == (account, contact)
    assert read(ask, "Contacts", contact)["Account_Name"]["id"] == account
    plain = {name: value for name, value in LEAD.items() if name != "GSTIN"}
    other = became(convert(ask, insert(ask, "Leads", plain)))
    assert other["Accounts"] != account
    assert other["Contacts"] != contact


def test_a_lead_without_a_company_makes_no_account(ask):
    """Accounts is null, the contact stands alone."""
    made = became(convert(ask, insert(ask, "Leads", {"Last_Name": "Solo"})))
    assert made["Accounts"] is None
    assert read(ask, "Contacts", made["Contacts"])["Account_Name"] is None


def test_another_owner_gets_everything(ask, lead, emulator):
    """assign_to; an inactive user is refused."""
    active, inactive = (
        str(emulator.store.read("SELECT max(id) FROM Users WHERE status = ?", (status,))[0][0])
        for status in ("active", "inactive")
    )
    refused = convert(ask, lead, assign_to={"id": inactive})
    assert refused.body["data"][0]["details"]["json_path"] == "$.data[0].assign_to.id"
    made = became(convert(ask, lead, assign_to={"id": active}, Deals=DEAL))
    owners = {read(ask, module, made[module])["Owner"]["id"] for module in made}
    assert owners == {active}


def test_tags_are_carried_over_by_name(ask, lead, make):
    """Those the lead has; others are passed over, or refused by a setting."""
    tags = {"Contacts": ["vip", "unheard of"], "Accounts": [{"name": "webinar"}]}
    made = became(convert(ask, lead, carry_over_tags=tags))
    assert [each["name"] for each in read(ask, "Contacts", made["Contacts"])["Tag"]] == ["vip"]
    assert [each["name"] for each in read(ask, "Accounts", made["Accounts"])["Tag"]] == ["webinar"]
    strict = make(settings={"actions": ActionSettings(convert_foreign_tags=False)})
    refused = convert(strict, insert(strict, "Leads", LEAD), carry_over_tags=tags)
    assert refused.body["data"][0]["details"]["api_name"] == "Contacts"


def test_notes_and_activities_move_along(ask, lead, make):
    """Notes to the contact, tasks to contact and deal; a setting leaves them."""

    def papers(asker, record):
        parent = {"module": {"api_name": "Leads"}, "id": record}
        return (
            insert(asker, "Notes", {"Note_Content": "x", "Parent_Id": parent}),
            insert(asker, "Tasks",
                   {"Subject": "x", "What_Id": {"id": record}, "$se_module": "Leads"}),
        )  # fmt: skip

    note, task = papers(ask, lead)
    made = became(convert(ask, lead, Deals=DEAL))
    assert read(ask, "Notes", note)["Parent_Id"]["id"] == made["Contacts"]
    moved = read(ask, "Tasks", task)
    assert moved["Who_Id"]["id"] == made["Contacts"]
    assert (moved["What_Id"]["id"], moved["$se_module"]) == (made["Deals"], "Deals")
    still = make(settings={"actions": ActionSettings(convert_moves_related=False)})
    other = insert(still, "Leads", LEAD)
    note, _ = papers(still, other)
    became(convert(still, other))
    assert read(still, "Notes", note)["Parent_Id"]["id"] == other


def attach(ask, lead):
    """Hang a link on a lead."""
    link = {"attachmentUrl": "https://www.example.com/offer", "title": "Offer"}
    assert ask("POST", f"/Leads/{lead}/Attachments", link).status == 200


def attached(ask, module, record):
    """What hangs on a record."""
    reply = ask("GET", f"/{module}/{record}/Attachments", {"fields": "File_Name"})
    return [each["File_Name"] for each in (reply.body or {"data": []})["data"]]


@pytest.mark.parametrize("module", ["Contacts", "Accounts", "Deals"])
def test_attachments_move_where_they_are_told_to(ask, lead, module):
    """To the record of that module, away from the lead."""
    attach(ask, lead)
    made = became(convert(ask, lead, Deals=DEAL, move_attachments_to={"api_name": module}))
    assert attached(ask, module, made[module]) == ["Offer"]
    assert attached(ask, "Leads", lead) == []


def test_attachments_stay_unless_told_to_move(ask, lead, make):
    """No page says what becomes of them: a setting may send them on."""
    attach(ask, lead)
    became(convert(ask, lead))
    assert attached(ask, "Leads", lead) == ["Offer"]
    moving = make(settings={"actions": ActionSettings(convert_attachments_to="Contacts")})
    other = insert(moving, "Leads", LEAD)
    attach(moving, other)
    made = became(convert(moving, other))
    assert attached(moving, "Contacts", made["Contacts"]) == ["Offer"]


REFUSED = [
    ({"Deals": DEAL | {"Stage": None}}, "MANDATORY_NOT_FOUND", "Stage", "$.data[0].Stage"),
    ({"Deals": {**DEAL, "Pipeline": ""}}, "MANDATORY_NOT_FOUND", "Pipeline", "$.data[0].Pipeline"),
    (
        {"Deals": DEAL | {"Pipeline": "Government Tenders", "Stage": "Value Proposition"}},
        "MAPPING_MISMATCH",
        "Stage",
        "$.data[0].Stage",
    ),
    ({"Deals": DEAL | {"Next_Step": "x" * 101}}, "INVALID_DATA", "Next_Step",
     "$.data[0].Next_Step"),
    ({"Deals": [DEAL]}, "INVALID_DATA", "Deals", "$.data[0].Deals"),
    ({"overwrite": "yes"}, "INVALID_DATA", "overwrite", "$.data[0].overwrite"),
    ({"Accounts": {"id": "77"}}, "INVALID_DATA", "id", "$.data[0].Accounts.id"),
    ({"Contacts": {"id": "x"}}, "INVALID_DATA", "id", "$.data[0].Contacts.id"),
    ({"carry_over_tags": {"Leads": ["vip"]}}, "INVALID_DATA", "Leads",
     "$.data[0].carry_over_tags.Leads"),
    ({"move_attachments_to": {"api_name": "Deals"}}, "INVALID_DATA", "api_name",
     "$.data[0].move_attachments_to.api_name"),
    ({"move_attachments_to": {"api_name": "Notes"}}, "INVALID_DATA", "api_name",
     "$.data[0].move_attachments_to.api_name"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named_and_nothing_is_made(ask, lead, case):
    """400 with the item in data[]; neither account nor contact is left behind."""
    item, code, name, path = case
    before = {module: len(ask.ids(module)) for module in ("Accounts", "Contacts", "Deals")}
    reply = convert(ask, lead, **item)
    (said,) = reply.body["data"]
    assert (reply.status, said["code"]) == (400, code)
    assert (said["details"]["api_name"], said["details"]["json_path"]) == (name, path)
    after = {module: len(ask.ids(module)) for module in before}
    assert after == before
    assert read(ask, "Leads", lead)["Converted__s"] is False


def test_a_unique_value_that_is_taken_stops_the_conversion(ask, lead):
    """The account's GSTIN is unique: DUPLICATE_DATA, and no contact is made."""
    insert(ask, "Accounts", {"Account_Name": "Taken", "GSTIN": LEAD["GSTIN"]})
    before = len(ask.ids("Contacts"))
    (said,) = convert(ask, lead).body["data"]
    assert (said["code"], said["details"]["api_name"]) == ("DUPLICATE_DATA", "GSTIN")
    assert len(ask.ids("Contacts")) == before


@pytest.mark.parametrize("lead_id", ["77", "nonsense"])
def test_an_unknown_lead_is_refused_by_its_place_in_the_address(ask, lead_id):
    """Well-formed or not."""
    reply = convert(ask, lead_id)
    assert (reply.status, reply.body["details"]) == (400, {"resource_path_index": 1})


def test_older_pages_answer_202_and_zoho_may_schedule(make):
    """Both are settings; the scheduled lead is converted all the same."""
    older = make(settings={"actions": ActionSettings(convert_refused_status=202)})
    assert convert(older, insert(older, "Leads", LEAD), Deals={}).status == 202
    later = make(settings={"actions": ActionSettings(convert_schedules=True)})
    lead = insert(later, "Leads", LEAD)
    reply = convert(later, lead)
    assert (reply.status, reply.body["data"][0]["code"]) == (202, "SCHEDULED")
    assert reply.body["data"][0]["details"]["job_id"].isdecimal()
    assert read(later, "Leads", lead)["Converted__s"] is True


def test_a_conversion_costs_five_credits(ask, lead, emulator):
    """And shares the ten places of the expensive calls."""
    before = emulator.meter.spent
    became(convert(ask, lead))
    assert emulator.meter.spent - before == 5


def test_options_tell_which_records_may_be_the_leads(ask, lead):
    """By unique field, mail address and names, in that order of preference; 204 for none."""
    assert ask("GET", f"/Leads/{lead}/__conversion_options").status == 204
    contact = insert(ask, "Contacts", {"Last_Name": "O", "Email": LEAD["Email"]})
    by_mail = ask("GET", f"/Leads/{lead}/__conversion_options").body["__conversion_options"]
    assert by_mail["module_preference"]["api_name"] == "Contacts"
    assert [each["id"] for each in by_mail["Contacts"]] == [contact]
    assert by_mail["Accounts"] is None
    assert (
        by_mail["preference_field_matched_value"]["Contacts"][0]["matched_lead_value"]
        == (LEAD["Email"])
    )
    account = insert(ask, "Accounts", {"Account_Name": "X", "GSTIN": LEAD["GSTIN"]})
    by_number = ask("GET", f"/Leads/{lead}/__conversion_options").body["__conversion_options"]
    assert by_number["module_preference"]["api_name"] == "Accounts"
    assert [each["id"] for each in by_number["Accounts"]] == [account]
    field = by_number["preference_field_matched_value"]["Accounts"][0]["field"]
    assert (field["api_name"], field["unique"]) == ("GSTIN", True)


def test_the_layout_of_leads_tells_what_it_becomes(ask):
    """Contacts, Accounts and Deals, with the fields that a deal is asked for."""
    (layout,) = ask("GET", "/settings/layouts", {"module": "Leads"}).body["layouts"]
    assert layout["convert_mapping"].keys() == {"Contacts", "Accounts", "Deals"}
    asked = {each["api_name"] for each in layout["convert_mapping"]["Deals"]["fields"]}
    assert asked >= {"Deal_Name", "Stage", "Closing_Date", "Pipeline"}


def test_stages_belong_to_pipelines_in_every_write(ask):
    """Insert and update alike; the world's own deals keep to it."""
    wrong = {**DEAL, "Pipeline": "Government Tenders", "Stage": "Value Proposition"}
    reply = ask("POST", "/Deals", None, {"data": [wrong]})
    assert reply.body["data"][0]["code"] == "MAPPING_MISMATCH"
    deal = insert(ask, "Deals", {**DEAL, "Pipeline": "Government Tenders"})
    change = {"data": [{"id": deal, "Stage": "Value Proposition"}]}
    assert ask("PUT", "/Deals", None, change).body["data"][0]["code"] == "MAPPING_MISMATCH"
    astray = ask.emulator.store.read(
        "SELECT count(*) FROM Deals WHERE Pipeline = 'Government Tenders' AND Stage IN"
        " ('Value Proposition', 'Identify Decision Makers')"
    )
    assert astray == [(0,)]


@pytest.mark.parametrize("named", ["name", "id", "object"])
def test_the_contact_of_a_new_deal_gets_its_role(ask, lead, named):
    """Named by the role's name, its id or both."""
    role = ask("GET", "/Contacts/roles").body["contact_roles"][1]
    sent = {"name": role["name"], "id": role["id"], "object": {"id": role["id"]}}[named]
    made = became(convert(ask, lead, Deals={**DEAL, "Contact_Role": sent}))
    path = f"/Deals/{made['Deals']}/Contact_Roles"
    (linked,) = ask("GET", path, {"fields": "id"}).body["data"]
    assert (linked["id"], linked["Contact_Role"]["id"]) == (made["Contacts"], role["id"])


def test_an_unknown_role_of_a_new_deal_is_refused(ask, lead):
    """And nothing is converted."""
    reply = convert(ask, lead, Deals={**DEAL, "Contact_Role": "Boss"})
    assert reply.body["data"][0]["details"]["api_name"] == "Contact_Role"
    assert read(ask, "Leads", lead)["Converted__s"] is False


def test_campaigns_and_products_of_a_lead_go_to_its_contact(ask, lead):
    """With the member status; what the contact has already stays as it is."""
    campaigns, product = ask.ids("Campaigns")[:2], ask.ids("Products")[0]
    contact = insert(ask, "Contacts", {"Last_Name": "Osei"})
    old = {"data": [{"id": campaigns[0], "Member_Status": "Opened"}]}
    ask("PUT", f"/Contacts/{contact}/Campaigns", None, old)
    both = [{"id": each, "Member_Status": "Sent"} for each in campaigns]
    ask("PUT", f"/Leads/{lead}/Campaigns", None, {"data": both})
    ask("PUT", f"/Leads/{lead}/Products/{product}")
    convert(ask, lead, Contacts={"id": contact})
    listed = ask("GET", f"/Contacts/{contact}/Campaigns", {"fields": "id"}).body["data"]
    assert {each["id"]: each["Member_Status"] for each in listed} == {
        campaigns[0]: "Opened",
        campaigns[1]: "Sent",
    }
    (bought,) = ask("GET", f"/Contacts/{contact}/Products", {"fields": "id"}).body["data"]
    assert bought["id"] == product
