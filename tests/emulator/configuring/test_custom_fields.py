"""Custom fields made through the API are used like any other field."""

import pytest

from zcrm_nb.emulator import Emulator

PATH = "/settings/fields"
LEADS = {"module": "Leads"}
TYPES = {
    "text": "abc",
    "textarea": "a\nb",
    "email": "a@example.com",
    "phone": "020 1234",
    "website": "https://example.com",
    "boolean": True,
    "date": "2026-05-06",
    "datetime": "2026-05-06T07:08:09+05:30",
    "integer": 42,
    "bigint": "123456789012",
    "double": 1.5,
    "currency": 99.5,
    "percent": 12.5,
}


def make_field(ask, module="Leads", **item):
    """Make one field; its result."""
    sent = {"field_label": "Shoe Size", "data_type": "integer"} | item
    reply = ask("POST", PATH, {"module": module}, {"fields": [sent]})
    return reply.body["fields"][0]


def listed(ask, module="Leads"):
    """The fields of a module by their names."""
    fields = ask("GET", PATH, {"module": module}).body["fields"]
    return {each["api_name"]: each for each in fields}


@pytest.mark.parametrize("kind", TYPES)
def test_a_new_field_is_written_read_queried_and_exported(ask, kind):
    """Of every type that can be made."""
    result = make_field(ask, field_label=f"New {kind}", data_type=kind)
    assert result["code"] == "SUCCESS"
    name, value = f"New_{kind}", TYPES[kind]
    field = listed(ask)[name]
    assert (field["id"], field["data_type"]) == (result["details"]["id"], kind)
    assert field["custom_field"] is True
    lead = ask.ids("Leads")[0]
    reply = ask("PUT", f"/Leads/{lead}", json_body={"data": [{name: value}]})
    assert reply.body["data"][0]["code"] == "SUCCESS"
    assert ask("GET", f"/Leads/{lead}").body["data"][0][name] == value
    filled = f"{name} = true" if kind == "boolean" else f"{name} is not null"
    query = {"select_query": f"select {name} from Leads where {filled}"}
    rows = ask("POST", "/coql", json_body=query).body["data"]
    assert [row["id"] for row in rows] == [lead]


def test_a_new_picklist_has_its_values(ask):
    """They can be added to, renamed, and taken out of use."""
    values = [{"display_value": each} for each in ("Red", "Green")]
    field = make_field(ask, field_label="Colour", data_type="picklist", pick_list_values=values)
    field_id = field["details"]["id"]
    shown = {e["display_value"]: e for e in listed(ask)["Colour"]["pick_list_values"]}
    assert list(shown) == ["-None-", "Red", "Green"]
    change = [
        {"display_value": "Blue"},
        {"id": shown["Red"]["id"], "display_value": "Crimson"},
        {"id": shown["Green"]["id"], "type": "unused"},
    ]
    body = {"fields": [{"pick_list_values": change}]}
    reply = ask("PATCH", f"{PATH}/{field_id}", LEADS, body)
    assert reply.body["fields"][0]["code"] == "SUCCESS"
    now = [(e["display_value"], e["type"]) for e in listed(ask)["Colour"]["pick_list_values"]]
    assert now == [("-None-", "used"), ("Crimson", "used"), ("Green", "unused"), ("Blue", "used")]


def test_a_new_lookup_points_to_records(ask):
    """And COQL walks through it."""
    lookup = {"module": {"api_name": "Vendors"}}
    assert make_field(ask, field_label="Maker", data_type="lookup", lookup=lookup)
    lead, vendor = ask.ids("Leads")[0], ask.ids("Vendors")[0]
    ask("PUT", f"/Leads/{lead}", json_body={"data": [{"Maker": {"id": vendor}}]})
    assert ask("GET", f"/Leads/{lead}").body["data"][0]["Maker"]["id"] == vendor
    query = "select Maker.Vendor_Name from Leads where Maker is not null"
    rows = ask("POST", "/coql", json_body={"select_query": query}).body["data"]
    assert rows[0]["Maker.Vendor_Name"]


def test_changes_of_a_new_field_are_in_the_timeline(ask):
    """Like those of any other."""
    make_field(ask)
    lead = ask.ids("Leads")[0]
    ask("PUT", f"/Leads/{lead}", json_body={"data": [{"Shoe_Size": 44}]})
    timeline = ask("GET", f"/Leads/{lead}/__timeline").body["__timeline"]
    fields = [each["api_name"] for e in timeline for each in e["field_history"] or []]
    assert "Shoe_Size" in fields


@pytest.mark.parametrize(
    ("item", "code", "name"),
    [
        ({"field_label": None}, "MANDATORY_NOT_FOUND", "field_label"),
        ({"field_label": 5}, "INVALID_DATA", "field_label"),
        ({"field_label": "x" * 51}, "INVALID_DATA", "field_label"),
        ({"field_label": "city"}, "DUPLICATE_DATA", "field_label"),
        ({"data_type": "number"}, "INVALID_DATA", "data_type"),
        ({"data_type": "picklist"}, "MANDATORY_NOT_FOUND", "pick_list_values"),
        ({"data_type": "lookup"}, "MANDATORY_NOT_FOUND", "lookup"),
        ({"data_type": "text", "length": 256}, "INVALID_DATA", "length"),
        (
            {"data_type": "lookup", "lookup": {"module": {"api_name": "Nope"}}},
            "INVALID_DATA",
            "api_name",
        ),
    ],
)
def test_what_is_wrong_with_a_new_field_is_named(ask, item, code, name):
    """Nothing is made then."""
    before = listed(ask)
    result = make_field(ask, **item)
    assert (result["code"], result["details"]["api_name"]) == (code, name)
    assert listed(ask) == before


@pytest.mark.parametrize("kind", ["formula", "autonumber", "fileupload"])
def test_types_that_only_zoho_makes_are_refused_as_not_emulated(ask, kind):
    """Not as an error of Zoho's."""
    assert make_field(ask, data_type=kind)["details"] == {"emulated": False}


def test_two_labels_may_give_one_name(ask):
    """A number tells them apart."""
    make_field(ask, field_label="Shoe Size")
    make_field(ask, field_label="Shoe-Size")
    assert {"Shoe_Size", "Shoe_Size1"} <= listed(ask).keys()


def test_a_deleted_field_is_gone_with_its_values(ask):
    """A field that came with the org stays."""
    field = make_field(ask)["details"]["id"]
    reply = ask("DELETE", f"{PATH}/{field}", LEADS)
    assert reply.body["fields"][0]["code"] == "SUCCESS"
    assert "Shoe_Size" not in listed(ask)
    assert "Shoe_Size" not in ask("GET", f"/Leads/{ask.ids('Leads')[0]}").body["data"][0]
    deal = ask.ids("Deals")[0]
    moved = {"data": [{"Stage": "Needs Analysis"}]}
    assert ask("PUT", f"/Deals/{deal}", json_body=moved).status == 200
    city = listed(ask)["City"]["id"]
    reply = ask("DELETE", f"{PATH}/{city}", LEADS)
    assert reply.body["fields"][0]["code"] == "NOT_ALLOWED"
    assert ask("DELETE", f"{PATH}/1", LEADS).body["details"] == {"resource_path_index": 2}


def test_an_org_that_is_opened_again_has_its_custom_fields(make, tmp_path):
    """With their values."""
    path = tmp_path / "org.sqlite"
    ask = make(path=path)
    make_field(ask)
    lead = ask.ids("Leads")[0]
    ask("PUT", f"/Leads/{lead}", json_body={"data": [{"Shoe_Size": 44}]})
    ask.emulator.close()
    with Emulator(path=path) as again:
        field = again.schema.modules["Leads"].by_name["Shoe_Size"]
        assert (field.data_type, field.label) == ("integer", "Shoe Size")
        sizes = again.store.read("SELECT Shoe_Size FROM Leads WHERE Shoe_Size IS NOT NULL")
        assert sizes == [(44,)]
