"""Modules, fields, layouts and picklists."""

import pytest

NOW = {"If-Modified-Since": "2026-09-15T09:00:00+05:30"}


def test_all_modules_are_listed(ask, emulator):
    """By the resource's own key, no paging."""
    body = ask("GET", "/settings/modules").body
    assert body.keys() == {"modules"}
    assert {each["api_name"] for each in body["modules"]} == emulator.schema.modules.keys()


def test_modules_are_filtered_by_status(ask):
    """Only field trackers are hidden; an unknown status is refused."""
    assert ask("GET", "/settings/modules", {"status": "visible"}).status == 200
    hidden = ask("GET", "/settings/modules", {"status": "user_hidden"}).body["modules"]
    assert [each["generated_type"] for each in hidden] == ["field_tracker"] * 2
    assert ask("GET", "/settings/modules", {"status": "system_hidden"}).status == 204
    refused = ask("GET", "/settings/modules", {"status": "lost"})
    assert (refused.status, refused.body["code"]) == (400, "INVALID_DATA")
    assert refused.body["details"]["param_name"] == "status"
    assert "user_hidden" in refused.body["details"]["supported_values"]


def test_including_more_is_refused(ask):
    """Not emulated, so not passed over."""
    assert ask("GET", "/settings/modules", {"include": "fields"}).body["details"] == {
        "emulated": False
    }


def test_a_module_is_found_by_name_and_by_id(ask):
    """An unknown one is INVALID_MODULE."""
    (lead,) = ask("GET", "/settings/modules/Leads").body["modules"]
    assert ask("GET", f"/settings/modules/{lead['id']}").body["modules"] == [lead]
    assert ask("GET", "/settings/modules/Leeds").body["code"] == "INVALID_MODULE"


def test_fields_of_a_module_are_listed(ask, emulator):
    """All of them, over all layouts."""
    fields = ask("GET", "/settings/fields", {"module": "Leads"}).body["fields"]
    assert [each["api_name"] for each in fields] == [
        each.api_name for each in emulator.schema.modules["Leads"].fields
    ]


def test_a_field_is_found_by_its_id(ask):
    """204 for an id that is none."""
    field = ask("GET", "/settings/fields", {"module": "Leads"}).body["fields"][3]
    one = ask("GET", f"/settings/fields/{field['id']}", {"module": "Leads"})
    assert one.body == {"fields": [field]}
    assert ask("GET", "/settings/fields/1", {"module": "Leads"}).status == 204


def test_the_values_of_a_picklist_can_be_asked_for(ask):
    """With their layouts; 204 for a field that is no picklist."""
    fields = ask("GET", "/settings/fields", {"module": "Deals"}).body["fields"]
    by_name = {each["api_name"]: each for each in fields}
    path = "/settings/fields/{}/pick_list_values"
    values = ask("GET", path.format(by_name["Stage"]["id"]), {"module": "Deals"}).body
    names = [each["display_value"] for each in values["pick_list_values"]]
    assert names == [each["display_value"] for each in by_name["Stage"]["pick_list_values"]]
    assert values["pick_list_values"][0]["layout_associations"][0]["name"] == "Standard"
    assert ask("GET", path.format(by_name["Amount"]["id"]), {"module": "Deals"}).status == 204


def test_layouts_of_a_module_are_listed(ask):
    """One each; by id as well."""
    (layout,) = ask("GET", "/settings/layouts", {"module": "Leads"}).body["layouts"]
    assert layout["sections"][0]["fields"]
    one = ask("GET", f"/settings/layouts/{layout['id']}", {"module": "Leads"})
    assert one.body == {"layouts": [layout]}
    assert ask("GET", "/settings/layouts/1", {"module": "Leads"}).status == 204


@pytest.mark.parametrize("path", ["/settings/fields", "/settings/layouts"])
def test_the_module_must_be_named_and_known(ask, path):
    """REQUIRED_PARAM_MISSING, INVALID_MODULE with empty details."""
    missing = ask("GET", path).body
    assert (missing["code"], missing["details"]) == (
        "REQUIRED_PARAM_MISSING",
        {"param_name": "module"},
    )
    unknown = ask("GET", path, {"module": "Leeds"})
    assert (unknown.status, unknown.body["code"]) == (400, "INVALID_MODULE")
    assert unknown.body["details"] == {}


def test_fields_may_be_asked_for_by_use(ask):
    """All are used."""
    asked = {"module": "Leads"}
    assert ask("GET", "/settings/fields", asked | {"type": "used"}).status == 200
    assert ask("GET", "/settings/fields", asked | {"type": "unused"}).status == 204
    assert ask("GET", "/settings/fields", asked | {"type": "odd"}).status == 400


@pytest.mark.parametrize("path", ["/settings/modules", "/settings/fields", "/settings/layouts"])
def test_metadata_does_not_change(ask, path):
    """304 for whoever has it."""
    asked = {"module": "Leads"}
    assert ask("GET", path, asked, headers=NOW).status == 304
    old = {"If-Modified-Since": "2001-01-01T00:00:00+00:00"}
    assert ask("GET", path, asked, headers=old).status == 200
