"""What the org has once: hours, fiscal year, photo, preferences, its APIs."""

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20
PREFERENCE = "/settings/duplicate_check_preference"


def test_business_hours_are_changed(ask):
    """By the id that the list shows."""
    hours = ask("GET", "/settings/business_hours").body["business_hours"]
    assert hours["business_days"] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
    change = {"id": hours["id"], "daily_timing": ["10:00", "19:00"]}
    reply = ask("PUT", "/settings/business_hours", json_body={"business_hours": change})
    assert reply.body["business_hours"]["message"] == "Business Hours saved successfully"
    now = ask("GET", "/settings/business_hours").body["business_hours"]
    assert now == hours | change


@pytest.mark.parametrize(
    ("change", "code", "name"),
    [
        ({"type": "sometimes"}, "INVALID_DATA", "type"),
        ({"week_starts_on": "Someday"}, "INVALID_DATA", "week_starts_on"),
        ({"business_days": ["Mon"]}, "INVALID_DATA", "business_days"),
        ({"business_days": "Monday"}, "INVALID_DATA", "business_days"),
        ({"same_as_everyday": False}, "INVALID_DATA", "custom_timing"),
        ({"type": None}, "MANDATORY_NOT_FOUND", "type"),
    ],
)
def test_wrong_hours_are_refused(ask, change, code, name):
    """By the name of the key."""
    good = {
        "type": "custom",
        "week_starts_on": "Monday",
        "business_days": ["Monday"],
        "same_as_everyday": True,
        "daily_timing": ["09:00", "17:00"],
        "custom_timing": "none",
    }
    reply = ask("POST", "/settings/business_hours", json_body={"business_hours": good | change})
    assert (reply.status, reply.body["code"]) == (400, code)
    assert reply.body["details"]["api_name"] == name


def test_the_fiscal_year_begins_in_another_month(ask):
    """In April at first; a month is a month."""
    path = "/settings/fiscal_year"
    assert ask("GET", path).body["fiscal_year"]["start_month"] == "April"
    reply = ask("PUT", path, json_body={"fiscal_year": {"start_month": "July"}})
    assert reply.body["fiscal_year"]["code"] == "SUCCESS"
    assert ask("GET", path).body["fiscal_year"]["start_month"] == "July"
    refused = ask("PUT", path, json_body={"fiscal_year": {"start_month": "Jul"}}).body
    assert (refused["code"], refused["message"]) == ("INVALID_DATA", "Please give a valid month")


def test_the_org_has_a_photo_or_none(ask):
    """What was uploaded comes back."""
    assert ask("GET", "/org/photo").status == 204
    assert ask.upload("/org/photo", ("logo.txt", b"hello")).body["code"] == "INVALID_DATA"
    assert ask.upload("/org/photo", ("logo.png", PNG)).body["code"] == "SUCCESS"
    assert ask("GET", "/org/photo").raw == PNG
    assert ask("DELETE", "/org/photo").body["code"] == "SUCCESS"
    assert ask("GET", "/org/photo").status == 204
    assert ask("DELETE", "/org/photo").status == 400


def test_a_preference_for_duplicates_is_made_changed_and_deleted(ask):
    """Of one module; fields and modules must exist."""
    leads = {"module": "Leads"}
    assert ask("GET", PREFERENCE, leads).status == 204
    assert ask("DELETE", PREFERENCE, leads).status == 400
    plain = {"type": "converted_records", "type_configurations": []}
    body = {"duplicate_check_preference": plain}
    assert ask("POST", PREFERENCE, leads, body).status == 200
    assert ask("POST", PREFERENCE, leads, body).body["code"] == "DUPLICATE_DATA"
    assert ask("GET", PREFERENCE, leads).body == body
    pair = {"current_field": {"api_name": "Email"}, "mapped_field": {"api_name": "Nope"}}
    mapped = {"mapped_module": {"api_name": "Contacts"}, "field_mappings": [pair]}
    change = {"type": "mapped_module_records", "type_configurations": [mapped]}
    refused = ask("PUT", PREFERENCE, leads, {"duplicate_check_preference": change}).body
    assert refused["details"]["json_path"].endswith("mapped_field.api_name")
    pair["mapped_field"]["api_name"] = "Email"
    assert ask("PUT", PREFERENCE, leads, {"duplicate_check_preference": change}).status == 200
    assert ask("DELETE", PREFERENCE, leads).status == 200
    assert ask("GET", PREFERENCE, leads).status == 204
    assert ask("GET", PREFERENCE, {"module": "Tasks"}).body["code"] == "INVALID_MODULE"


def test_licences_and_apis_are_told(ask, emulator):
    """As many licences as active users; the APIs that are emulated."""
    (feature,) = ask("GET", "/__features/user_licenses").body["__features"]
    users = ask("GET", "/users/actions/count", {"type": "ActiveUsers"}).body["count"]
    assert feature["details"]["used_count"]["total"] == users
    ask.token = ask.exchange(emulator.grant_code("ZohoCRM.apis.READ")).body["access_token"]
    apis = {each["path"]: each for each in ask("GET", "/__apis").body["__apis"]}
    (operation,) = apis["/crm/v8/coql"]["operation_types"]
    assert operation["method"] == "POST"
    assert "/crm/v8/__apis" in apis
