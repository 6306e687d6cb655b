"""Zoho's description of a field, and the column it becomes."""

from __future__ import annotations

from typing import Any

import pytest

from zcrm_nb.frames import Column, column_for

KIND = {
    "text": "text",
    "textarea": "text",
    "email": "text",
    "phone": "text",
    "website": "text",
    "autonumber": "text",
    "profileimage": "text",
    "picklist": "picklist",
    "multiselectpicklist": "multipicklist",
    "integer": "integer",
    "bigint": "integer",
    "double": "float",
    "decimal": "float",
    "percent": "float",
    "currency": "float",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "event_reminder": "datetime",
    "lookup": "lookup",
    "multi_module_lookup": "lookup",
    "consent_lookup": "lookup",
    "ownerlookup": "user",
    "userlookup": "user",
    "subform": "object",
    "multiselectlookup": "object",
    "multiuserlookup": "object",
    "fileupload": "object",
    "imageupload": "object",
    "RRULE": "object",
    "ALARM": "object",
    "multireminder": "object",
    "linetax": "object",
    "time_range": "object",
    "layout": "object",
    "invented tomorrow": "object",
}


@pytest.mark.parametrize(("data_type", "kind"), KIND.items())
def test_each_data_type_has_its_kind(data_type: str, kind: str) -> None:
    """Every type of the reference, and one that nobody knows yet."""
    assert column_for({"api_name": "X", "data_type": data_type}) == Column("X", kind)


@pytest.mark.parametrize("of", ["formula", "rollup_summary"])
@pytest.mark.parametrize(
    ("returns", "kind"),
    [
        ("currency", "float"),
        ("Boolean", "boolean"),
        ("string", "text"),
        ("date", "date"),
        (None, "object"),
    ],
)
def test_a_formula_is_of_the_type_it_returns(of: str, returns: str | None, kind: str) -> None:
    """So is a roll-up; one that does not tell stays as it comes."""
    field = {"api_name": "F", "data_type": of, of: {"return_type": returns}}
    assert column_for(field).kind == kind
    assert column_for({"api_name": "F", "data_type": of}).kind == "object"


@pytest.mark.parametrize(
    ("api_name", "data_type", "kind"),
    [
        ("id", "bigint", "text"),
        ("Tag", "text", "tags"),
        ("Participants", "bigint", "object"),
        ("Comments", "text", "object"),
        ("Pricing_Details", "text", "object"),
        ("Territories", "text", "object"),
        ("Territory", "lookup", "object"),
        ("Tax", "multiselectpicklist", "object"),
        ("Tax", "currency", "float"),
    ],
)
def test_fields_that_lie_about_their_type_are_known_by_name(
    api_name: str, data_type: str, kind: str
) -> None:
    """Zoho's own fields only: a custom field called Comments is the text it says it is."""
    field = {"api_name": api_name, "data_type": data_type}
    assert column_for(field).kind == kind
    assert column_for({**field, "custom_field": True}).kind == KIND[data_type]


def test_categories_stand_in_the_crms_order_used_or_not() -> None:
    """By sequence number, or as listed; without the form's word for nothing, each once."""

    def value(name: str, sequence: Any, kind: str = "used") -> dict[str, Any]:
        return {"display_value": name, "sequence_number": sequence, "type": kind}

    values = [value("-None-", 1), value("Won", 3), value("New", 2), value("Old", 4, "unused")]
    field = {"api_name": "Stage", "data_type": "picklist", "pick_list_values": values}
    assert column_for(field).categories == ("New", "Won", "Old")
    unordered = [{"display_value": name} for name in ("b", "a", "b")]
    assert column_for({**field, "pick_list_values": unordered}).categories == ("b", "a")
    assert column_for({**field, "pick_list_values": None}).categories == ()


def test_a_joined_path_or_an_alias_is_the_columns_name() -> None:
    """The field tells the type, the query the name."""
    field = {"api_name": "Tag", "data_type": "text"}
    assert column_for(field, "Account_Name.Tag") == Column("Account_Name.Tag", "tags")


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    """A slip of the pen is told at once."""
    with pytest.raises(ValueError, match=r"'str' is not a kind.*picklist"):
        Column("X", "str")
