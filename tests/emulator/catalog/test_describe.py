"""Metadata in Zoho's words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from zcrm_nb.emulator.catalog.describe import field_json, layout_json, module_json
from zcrm_nb.emulator.storage.schema import Schema

FIELD_KEYS = {
    "id", "api_name", "field_label", "display_label", "column_name", "data_type", "json_type",
    "length", "decimal_place", "currency", "custom_field", "system_mandatory", "read_only",
    "field_read_only", "visible", "virtual_field", "searchable", "filterable", "sortable",
    "mass_update", "display_field", "separator", "operation_type", "view_type", "pick_list_values",
    "pick_list_values_sorted_lexically", "enable_colour_code", "colour_code_enabled_by_system",
    "global_picklist", "lookup", "multi_module_lookup", "multiselectlookup",
    "associated_module", "formula", "rollup_summary", "auto_number", "unique", "external",
    "crypt", "private", "hipaa_compliance", "history_tracking", "tooltip", "range",
    "parent_field", "child_fields", "address", "convert_mapping", "profiles", "layout_associations",
    "created_source", "created_time", "modified_time", "ui_type", "display_type",
    "email_parser", "webhook", "type",
}  # fmt: skip
MODULE_KEYS = {
    "id", "api_name", "module_name", "singular_label", "plural_label", "actual_singular_label",
    "actual_plural_label", "generated_type", "api_supported", "creatable", "editable", "deletable",
    "viewable", "convertable", "quick_create", "visibility", "show_as_tab", "sequence_number",
    "status", "profiles", "profile_count", "parent_module", "modified_by", "modified_time",
    "access_type", "lookupable", "isBlueprintSupported", "recycle_bin_on_delete", "feeds_required",
    "business_card_field_limit", "arguments", "web_link", "description", "global_search_supported",
    "public_fields_configured", "private_profile",
}  # fmt: skip
LAYOUT_KEYS = {
    "id", "name", "display_label", "api_name", "status", "visible", "source",
    "generated_type", "profiles", "convert_mapping", "actions_allowed", "sections",
}  # fmt: skip


def described(schema: Schema, module: str, field: str) -> dict[str, Any]:
    """One field's metadata."""
    return field_json(schema.modules[module].by_name[field], schema.modules[module], schema)


def test_every_field_has_every_documented_key_and_is_json(schema: Schema) -> None:
    """Nothing a client may read is missing, on any field of any module."""
    for module in schema.modules.values():
        for each in module.fields:
            told = field_json(each, module, schema)
            assert told.keys() >= FIELD_KEYS
            assert isinstance(told["id"], str)
            orjson.dumps(told)


def test_every_module_and_layout_has_every_documented_key(schema: Schema) -> None:
    """Module items and layouts are complete and serialise."""
    for module in schema.modules.values():
        assert module_json(module, schema).keys() >= MODULE_KEYS
        layout = layout_json(module, schema)
        assert layout.keys() >= LAYOUT_KEYS
        orjson.dumps(layout)


@pytest.mark.parametrize(
    ("module", "field", "json_type"),
    [
        ("Leads", "Last_Name", "string"),
        ("Leads", "Languages_Known", "jsonarray"),
        ("Leads", "Email_Opt_Out", "boolean"),
        ("Leads", "Owner", "jsonobject"),
        ("Leads", "id", "string"),
        ("Leads", "Tag", "jsonarray"),
        ("Deals", "Probability", "integer"),
        ("Deals", "Net_Amount", "double"),
        ("Accounts", "Number_of_Site_Visits", "integer"),
        ("Accounts", "Last_Visit_Date", "string"),
        ("Events", "Participants", "jsonarray"),
    ],
)
def test_json_types_follow_the_value_that_will_come(
    schema: Schema, module: str, field: str, json_type: str
) -> None:
    """Formulas and roll-ups tell the type they return, misleading fields that of their value."""
    assert described(schema, module, field)["json_type"] == json_type


def test_a_lookup_names_its_target_and_a_polymorphic_one_says_se_module(schema: Schema) -> None:
    """``lookup.module.api_name`` is where clients look for joins."""
    assert described(schema, "Deals", "Account_Name")["lookup"]["module"] == {
        "api_name": "Accounts",
        "id": str(schema.modules["Accounts"].id),
    }
    assert described(schema, "Tasks", "What_Id")["lookup"]["module"]["api_name"] == "se_module"
    several = described(schema, "Notes", "Parent_Id")["multi_module_lookup"]["modules"]
    assert [each["api_name"] for each in several][:3] == ["Leads", "Contacts", "Accounts"]


def test_multi_select_lookups_name_the_linking_module_and_its_far_end(schema: Schema) -> None:
    """COQL and the SDK read links from the linking module."""
    told = described(schema, "Site_Visits", "Products_Shown")["multiselectlookup"]
    assert told["linking_details"]["module"]["api_name"] == "Site_Visits_X_Products"
    assert told["linking_details"]["lookup_field"]["api_name"] == "Site_Visit"
    assert told["connected_details"]["module"]["api_name"] == "Products"
    users = described(schema, "Site_Visits", "Engineers")["multiuserlookup"]
    assert users["connected_details"]["module"]["api_name"] == "Users"


def test_a_subform_names_the_module_of_its_rows(schema: Schema) -> None:
    """``associated_module.module`` is what to write behind FROM."""
    told = described(schema, "Invoices", "Invoiced_Items")["associated_module"]
    assert told == {"module": "Invoiced_Items", "id": str(schema.modules["Invoiced_Items"].id)}


def test_stages_tell_probability_forecast_and_colour(schema: Schema) -> None:
    """A funnel can be drawn from metadata alone."""
    stages = {each["display_value"]: each for each in
              described(schema, "Deals", "Stage")["pick_list_values"]}  # fmt: skip
    won = stages["Closed Won"]
    assert (won["probability"], won["deal_category"]) == (100, "Closed Won")
    assert won["forecast_category"]["name"] == "Closed"
    assert won["colour_code"].startswith("#")
    assert stages["Closed Lost"]["forecast_type"] == "Closed Lost"
    assert stages["Qualification"]["forecast_type"] == "Open"
    assert "unused" in {each["type"] for each in stages.values()}


def test_particulars_stand_only_where_they_apply(schema: Schema) -> None:
    """Autonumber, uniqueness, text areas, formulas and roll-ups: filled or an empty object."""
    number = described(schema, "Site_Visits", "Visit_Number")["auto_number"]
    assert number == {
        "prefix": "SV-", "suffix": "", "start_number": 1, "starting_number_length": 5,
    }  # fmt: skip
    assert described(schema, "Leads", "GSTIN")["unique"] == {"case_sensitive": False}
    assert described(schema, "Leads", "Description")["textarea"] == {"type": "large"}
    assert described(schema, "Deals", "Net_Amount")["formula"]["return_type"] == "currency"
    rollup = described(schema, "Accounts", "Won_Amount")["rollup_summary"]
    assert rollup["based_on_module"]["api_name"] == "Deals"
    assert rollup["expression"]["criteria"]["value"] == "Closed Won"
    plain = described(schema, "Leads", "City")
    assert "textarea" not in plain
    for name in ("auto_number", "unique", "formula", "rollup_summary", "lookup"):
        assert plain[name] == {}, name


def test_derived_fields_cannot_be_written(schema: Schema) -> None:
    """Full names, formulas, roll-ups and stamps are read-only for every profile."""
    for module, field in (
        ("Leads", "Full_Name"),
        ("Deals", "Net_Amount"),
        ("Deals", "Created_Time"),
        ("Accounts", "Won_Amount"),
        ("Invoices", "Invoice_Number"),
    ):
        told = described(schema, module, field)
        assert told["read_only"]
        assert not any(told["operation_type"].values())


def test_a_layout_shows_subforms_in_sections_of_their_own(schema: Schema) -> None:
    """The main section holds the fields, each subform follows with ``isSubformSection``."""
    sections = layout_json(schema.modules["Site_Visits"], schema)["sections"]
    assert [each["isSubformSection"] for each in sections] == [False, True]
    assert sections[0]["fields"][0]["required"] is True
    assert sections[1]["fields"][0]["subform"]["module"] == "Site_Visit_Expenses"
