"""Metadata have the keys that Zoho's own examples have: none is missing, none is made up."""

import pytest

LISTED = {
    "has_more_profiles", "access_type", "private_profile", "global_search_supported", "deletable",
    "description", "creatable", "recycle_bin_on_delete", "modified_time", "plural_label",
    "presence_sub_menu", "actual_plural_label", "lookupable", "id", "isBlueprintSupported",
    "visibility", "convertable", "sub_menu_available", "editable", "actual_singular_label",
    "profiles", "show_as_tab", "web_link", "sequence_number", "singular_label", "viewable",
    "api_supported", "api_name", "quick_create", "modified_by", "generated_type", "feeds_required",
    "public_fields_configured", "arguments", "module_name", "profile_count",
    "business_card_field_limit", "parent_module", "status",
}  # fmt: skip
ALONE = LISTED | {
    "activity_badge", "$field_states", "chart_view", "per_page", "$properties",
    "$on_demand_properties", "kanban_view_supported", "lookup_field_properties",
    "chart_view_supported", "custom_view", "kanban_view", "filter_status", "masked_fields_count",
    "related_list_properties", "display_field", "search_layout_fields",
}  # fmt: skip
OF_LEADS = {
    "showleadchainsync", "show_social", "show_visitor", "show_googlesync", "showtiktoksync",
    "show_webform", "showfacebooksync", "show_emailparser", "showlinkedinsync",
}  # fmt: skip
FIELD = {
    "associated_module", "webhook", "operation_type", "colour_code_enabled_by_system",
    "field_label", "tooltip", "display_format_properties", "type", "field_read_only",
    "customizable_properties", "display_label", "read_only", "association_details",
    "businesscard_supported", "multi_module_lookup", "id", "created_time", "filterable", "visible",
    "profiles", "view_type", "separator", "searchable", "history_tracking_enabled", "external",
    "api_name", "parent_field", "unique", "enable_colour_code", "child_fields", "pick_list_values",
    "system_mandatory", "private", "virtual_field", "json_type", "crypt", "range",
    "created_source", "display_type", "ui_type", "modified_time", "public", "email_parser",
    "currency", "custom_field", "lookup", "hipaa_compliance", "convert_mapping", "address",
    "rollup_summary", "length", "column_name", "display_field", "pick_list_values_sorted_lexically",
    "sortable", "global_picklist", "display_format", "history_tracking", "data_type", "formula",
    "additional_column", "hipaa_compliance_enabled", "decimal_place", "mass_update",
    "multiselectlookup", "auto_number", "layout_associations",
}  # fmt: skip
#: Keys that only fields of one kind have.
OF_SOME_FIELDS = {"quick_sequence_number", "textarea", "subform", "multiuserlookup"}
IN_LAYOUT = {
    "required", "default_value", "validation_rule", "sequence_number", "refer_from_field",
    "section_id", "show_type", "category", "element_type",
}  # fmt: skip
LAYOUT = {
    "has_more_profiles", "created_time", "convert_mapping", "visible", "created_for", "profiles",
    "source", "created_by", "sections", "display_label", "show_business_card", "actions_allowed",
    "modified_time", "api_name", "name", "modified_by", "generated_type", "id", "status",
}  # fmt: skip
SECTION = {
    "isSubformSection", "type", "display_label", "mode", "sequence_number", "actions_allowed",
    "tab_traversal", "api_name", "column_count", "name", "generated_type", "id", "fields",
    "properties",
}  # fmt: skip
RELATED_LIST = {
    "id", "sequence_number", "display_label", "api_name", "module", "name", "action", "href",
    "type", "customize_sort", "customize_fields", "customize_display_label", "status",
    "parent_related_lists", "connectedlookupApiName", "connectedmodule", "linkingmodule",
}  # fmt: skip
VIEW = {
    "display_value", "created_time", "access_type", "criteria", "system_name", "sort_by",
    "created_by", "shared_to", "default", "modified_time", "name", "system_defined", "modified_by",
    "id", "fields", "category", "last_accessed_time", "locked", "sort_order", "favorite", "offline",
}  # fmt: skip
LISTED_VIEW = VIEW - {"criteria", "sort_by", "shared_to", "fields", "sort_order"}
USER = {
    "role", "microsoft", "locale", "Modified_By", "$shift_effective_from", "$current_shift",
    "alias", "id", "sandboxDeveloper", "first_name", "email", "Reporting_To", "status_reason__s",
    "decimal_separator", "created_time", "Modified_Time", "image_link", "$next_shift", "profile",
    "last_name", "created_by", "zuid", "confirm", "full_name", "phone", "date_format", "status",
    "type__s",
}  # fmt: skip
ORG = {
    "country", "photo_id", "city", "description", "type", "created_time", "mc_status",
    "gapps_enabled", "translation_enabled", "street", "domain_name", "alias", "currency", "id",
    "employee_count", "state", "fax", "zip", "website", "currency_symbol", "mobile",
    "currency_locale", "primary_zuid", "zia_portal_id", "time_zone", "zgid", "country_code",
    "deletable_org_account", "license_details", "hierarchy_preferences", "phone", "company_name",
    "privacy_settings", "primary_email", "iso_code", "hipaa_compliance_enabled",
    "lite_users_enabled", "max_per_page", "ezgid", "call_icon", "oauth_presence", "zia_zgid",
    "checkin_preferences",
}  # fmt: skip
LICENCE = {
    "paid_expiry", "users_license_purchased", "trial_type", "trial_expiry", "paid", "paid_type",
    "portal_users_license_purchased", "trial_action",
}  # fmt: skip
ROLE = {
    "id", "name", "display_label", "api_name", "description", "share_with_peers",
    "forecast_manager", "reporting_to", "created_by__s", "modified_by__s", "modified_time__s",
    "created_time__s",
}  # fmt: skip
PROFILE = {
    "display_label", "created_time", "modified_time", "api_name", "custom", "name", "modified_by",
    "description", "id", "type", "created_by",
}  # fmt: skip


@pytest.mark.parametrize("module", ["Leads", "Deals", "Site_Visits", "Quotes", "Tasks"])
def test_a_module_has_the_keys_of_the_examples(ask, module):
    """Alone it has more of them than in the list."""
    listed = {each["api_name"]: each for each in ask("GET", "/settings/modules").body["modules"]}
    assert set(listed[module]) == LISTED
    (alone,) = ask("GET", f"/settings/modules/{module}").body["modules"]
    assert set(alone) == ALONE | (OF_LEADS if module == "Leads" else set())
    assert alone["custom_view"] is None or set(alone["custom_view"]) == VIEW
    assert alone["lookup_field_properties"]["fields"][0]["api_name"] == alone["display_field"]
    assert {**alone, **listed[module]} == alone


def test_a_field_tracker_says_that_it_follows_current_data(ask):
    """The one key that other modules lack."""
    (tracker,) = ask("GET", "/settings/modules/DealHistory").body["modules"]
    assert tracker["track_current_data"] is True
    assert set(tracker) == ALONE | {"track_current_data"}


@pytest.mark.parametrize("module", ["Leads", "Deals", "Site_Visits", "Products", "Notes"])
def test_fields_have_the_keys_of_the_examples(ask, module):
    """Of every kind; a few keys only where they say something."""
    for field in ask("GET", "/settings/fields", {"module": module}).body["fields"]:
        assert FIELD <= set(field) <= FIELD | OF_SOME_FIELDS, field["api_name"]
        assert field["created_source"] == "default"
        assert ("textarea" in field) == (field["data_type"] == "textarea")


@pytest.mark.parametrize("module", ["Leads", "Quotes", "Site_Visits"])
def test_layouts_have_the_keys_and_words_of_the_examples(ask, module):
    """Down to their sections and fields."""
    (layout,) = ask("GET", "/settings/layouts", {"module": module}).body["layouts"]
    assert set(layout) == LAYOUT
    assert (layout["source"], layout["api_name"]) == ("crm", "Standard__s")
    assert {each["_default_view"]["type"] for each in layout["profiles"]} == {"layout"}
    ids = [section["id"] for section in layout["sections"]]
    assert len(set(ids)) == len(ids)
    for number, section in enumerate(layout["sections"], 1):
        assert set(section) == SECTION
        assert section["tab_traversal"] == "left_to_right"
        for field in section["fields"]:
            assert FIELD | IN_LAYOUT <= set(field) <= FIELD | IN_LAYOUT | OF_SOME_FIELDS
            assert field["section_id"] == number


def test_lists_views_people_and_the_org_have_the_keys_of_the_examples(ask):
    """Of each kind one item, or all of them."""
    lists = ask("GET", "/settings/related_lists", {"module": "Contacts"}).body["related_lists"]
    for each in lists:
        assert set(each) <= RELATED_LIST
    views = ask("GET", "/settings/custom_views", {"module": "Leads"}).body["custom_views"]
    assert set(views[0]) == LISTED_VIEW
    path = f"/settings/custom_views/{views[0]['id']}"
    assert set(ask("GET", path, {"module": "Leads"}).body["custom_views"][0]) == VIEW
    assert set(ask("GET", "/users").body["users"][0]) >= USER
    (org,) = ask("GET", "/org").body["org"]
    assert set(org) >= ORG
    assert set(org["license_details"]) == LICENCE
    assert org["hierarchy_preferences"]["type"] in {"Role_Hierarchy", "Reporting_To_Hierarchy"}
    assert {frozenset(each) for each in ask("GET", "/settings/roles").body["roles"]} == {
        frozenset(ROLE)
    }
    profiles = ask("GET", "/settings/profiles").body["profiles"]
    assert {frozenset(each) for each in profiles} == {frozenset(PROFILE)}
