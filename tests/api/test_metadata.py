"""Metadata and directories as Zoho sends them on a bad day: what can be read is read."""

from __future__ import annotations

import warnings

import orjson
import pytest

from zcrm_nb.api.metadata import (
    PROFILE_COLUMNS,
    ROLE_COLUMNS,
    Catalogue,
    field_row,
    licence,
)
from zcrm_nb.api.picklists import choices
from zcrm_nb.errors import (
    DataWarning,
    LoginError,
    NotFoundError,
    PermissionDenied,
    RateLimitError,
    ScopeError,
    ServerError,
    ZohoError,
)
from zcrm_nb.frames import column_for, entries_of, to_frame

NAME = {"api_name": "Last_Name", "data_type": "text", "json_type": "string"}
LEADS = {"api_name": "Leads", "plural_label": "Prospects", "module_name": "Leads"}


class Zoho:
    """Answers by path; an exception is raised, bytes are sent, anything else becomes JSON."""

    def __init__(self, **answers):
        self.answers = {"modules": {"modules": [LEADS]}, "fields": {"fields": [NAME]}, **answers}
        self.calls = []

    def __call__(self, method, path, **options):
        name = path.rpartition("/")[2]
        self.calls.append(name)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else orjson.dumps(answer)


@pytest.mark.parametrize(
    "odd",
    [
        {"data_type": "text", "field_label": "Odd"},
        {"api_name": None, "data_type": "text", "field_label": "Odd"},
        {"api_name": 7, "data_type": "text"},
        {"api_name": "Odd"},
        {"api_name": "Odd", "data_type": None},
        {"api_name": "Odd", "data_type": ["text"]},
        {},
    ],
)
def test_a_field_that_cannot_be_understood_costs_itself_and_no_other(odd):
    """Left out, or read as Zoho sends it; either way a warning says so."""
    with pytest.warns(DataWarning, match=r"Odd|no API name"):
        fields = Catalogue(Zoho(fields={"fields": [odd, NAME]})).fields("Leads")
    assert fields["Last_Name"]["data_type"] == "text"
    assert [column_for(field).kind for name, field in fields.items() if name == "Odd"] in (
        [],
        ["object"],
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"data_type": "hologram", "json_type": "jsonobject"},
        {"data_type": "picklist", "pick_list_values": None},
        {"data_type": "picklist", "pick_list_values": {"a": 1}},
        {"data_type": "picklist", "pick_list_values": [None, 5, {"actual_value": "Hot"}, {}]},
        {"data_type": "picklist", "pick_list_values": [{"display_value": None}]},
        {"data_type": "lookup", "lookup": None},
        {"data_type": "lookup", "lookup": {"module": None}},
        {"data_type": "lookup", "lookup": {"module": "Accounts"}},
        {"data_type": "lookup", "lookup": ["Accounts"]},
        {"data_type": "multi_module_lookup", "multi_module_lookup": {"modules": [None, {}]}},
        {"data_type": "formula", "formula": "a + b"},
        {"data_type": "rollup_summary", "rollup_summary": None},
        {"data_type": "subform", "subform": []},
        {"data_type": "text", "custom_field": "yes", "unique": None},
    ],
)
def test_odd_parts_of_a_field_are_read_as_far_as_they_can_be(odd):
    """A null, a text or a list where an object belongs is nothing to fail of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fields = Catalogue(Zoho(fields={"fields": [{"api_name": "Odd", **odd}, NAME]})).fields(
            "Leads"
        )
        rows = [field_row(field) for field in fields.values()]
    assert [row["api_name"] for row in rows] == ["Odd", "Last_Name"]
    assert column_for(fields["Odd"]).name == "Odd"


@pytest.mark.parametrize(
    ("data_type", "json_type", "kind"),
    [
        ("currency", "jsonobject", "object"),
        ("bigint", "jsonarray", "object"),
        ("lookup", "jsonarray", "object"),
        ("date", "jsonobject", "object"),
        ("lookup", "jsonobject", "lookup"),
        ("multiselectpicklist", "jsonarray", "multipicklist"),
        ("currency", "string", "float"),
        ("currency", None, "float"),
    ],
)
def test_a_json_type_that_contradicts_the_data_type_is_believed(data_type, json_type, kind):
    """Objects and lists come as they are; other differences are a way to write the same."""
    field = {"api_name": "Odd", "data_type": data_type, "json_type": json_type}
    assert column_for({**field, "custom_field": True}).kind == kind


def test_picklist_values_stand_in_the_order_of_their_numbers_even_as_text():
    """What is no number counts as nought."""
    values = [("C", "3"), ("A", 1), ("B", "2"), ("?", None)]
    listed = [{"display_value": name, "sequence_number": number} for name, number in values]
    field = {"api_name": "P", "data_type": "picklist", "pick_list_values": listed}
    assert [value["display_value"] for value in choices(field)] == ["?", "A", "B", "C"]
    assert column_for(field).categories == ("?", "A", "B", "C")


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"", 0),
        (b"{}", 0),
        (b"null", 0),
        (b'{"users":null}', 0),
        (b'{"users":[]}', 0),
        (b'{"users":[null,{"id":"1"},5]}', 1),
        (b'{"users":{"id":"1"}}', 1),
        (b'{"users":{"0":{"id":"1"},"1":{"id":"2"}}}', 2),
        (b'[{"id":"1"}]', 1),
    ],
)
def test_a_list_may_be_missing_null_or_an_object(body, count):
    """204 in place of a list is the commonest of these."""
    assert len(entries_of(body, "users")) == count


@pytest.mark.parametrize("body", [b'{"code":"X","message":"no"}', b"<html>", b'{"info":{}}'])
def test_an_answer_without_the_list_is_an_error(body):
    """Nothing is told rightly: an error object is not an empty directory."""
    with pytest.raises(ZohoError, match=r"users|JSON"):
        entries_of(body, "users")


def test_users_without_ids_or_names_spoil_no_directory():
    """Full names are put together where Zoho sends none."""
    users = [
        {"id": "1", "full_name": "Ada Ruiz"},
        {"id": "2", "full_name": None, "first_name": "Bo", "last_name": "Li"},
        {"id": "3", "last_name": "Osei"},
        {"id": "4"},
        {"full_name": "Nobody"},
        {"id": None, "full_name": "Nobody"},
        None,
    ]
    catalogue = Catalogue(Zoho(users={"users": users}))
    assert catalogue.directory() == {"1": "Ada Ruiz", "2": "Bo Li", "3": "Osei"}
    assert len(catalogue.users()) == 6


@pytest.mark.parametrize(
    "refused",
    [
        PermissionDenied("x", code="NO_PERMISSION", status=403),
        ScopeError("x", "Zoho said OAUTH_SCOPE_MISMATCH"),
    ],
)
def test_a_directory_that_may_not_be_read_is_said_once(refused):
    """Last names instead of full ones are no secret."""
    zoho = Zoho(users=refused)
    catalogue = Catalogue(zoho)
    with pytest.warns(DataWarning, match="last names"):
        assert catalogue.directory() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert catalogue.directory() is None
    assert zoho.calls == ["users"]


@pytest.mark.parametrize(
    "failure",
    [
        ServerError("x", code="INTERNAL_ERROR", status=500),
        RateLimitError("x", code="TOO_MANY_REQUESTS", status=429),
        LoginError("x"),
        NotFoundError("x", code="INVALID_URL_PATTERN", status=404),
    ],
)
def test_a_directory_that_fails_changes_no_names(failure):
    """A passing fault must not turn full names into last names; the next call tries again."""
    zoho = Zoho(users=failure)
    catalogue = Catalogue(zoho)
    with pytest.raises(type(failure)):
        catalogue.directory()
    zoho.answers["users"] = {"users": [{"id": "1", "full_name": "Ada Ruiz"}]}
    assert catalogue.directory() == {"1": "Ada Ruiz"}


@pytest.mark.parametrize("org", [b"", {"org": []}, {"org": [{}]}, {"org": [{"time_zone": None}]}])
def test_an_org_without_a_time_zone_is_told_when_its_zone_is_wanted(org):
    """Otherwise it does no harm."""
    catalogue = Catalogue(Zoho(org=org))
    assert catalogue.zone("Asia/Kolkata") == "Asia/Kolkata"
    with pytest.raises(ValueError, match="which time zone the org has"):
        catalogue.zone("org")


@pytest.mark.parametrize("tz", ["Asia/Kolkatta", "Mars", "", "GMT+5:30 India", "../UTC"])
def test_a_time_zone_that_does_not_exist_is_refused_in_words(tz):
    """Before anything is sent; an org's own may be as odd."""
    zoho = Zoho(org={"org": [{"time_zone": tz}]})
    with pytest.raises(ValueError, match="time zone"):
        Catalogue(zoho).zone(tz)
    with pytest.raises(ValueError, match="time zone"):
        Catalogue(zoho).zone("org")


@pytest.mark.parametrize("word", ["Prospects", "prospects", "leads", "Laeds"])
def test_a_label_of_the_screen_leads_to_the_api_name(word):
    """Nothing is sent; strict=True is named as the way round the list."""
    zoho = Zoho()
    with pytest.raises(NotFoundError, match=r"Did you mean Leads\?.*strict=True") as caught:
        Catalogue(zoho).fields(word)
    assert zoho.calls == ["modules"]
    assert caught.value.code == "INVALID_MODULE"


def test_a_label_of_a_field_leads_to_its_api_name():
    """People copy what they see."""
    utm = {"api_name": "UTM1", "field_label": "Campaign Medium", "data_type": "text"}
    with pytest.raises(NotFoundError, match=r"Did you mean UTM1\?"):
        Catalogue(Zoho(fields={"fields": [utm]})).field("Leads", "campaign medium")


@pytest.mark.parametrize("number", [0, 1, 40])
@pytest.mark.parametrize(
    ("kind", "columns"),
    [("roles", ROLE_COLUMNS), ("profiles", PROFILE_COLUMNS)],
)
def test_roles_and_profiles_have_the_same_columns_for_any_number(kind, columns, number):
    """The same dtypes too, for none and for one without anything but its id."""
    full = {
        **{"id": "1", "name": "a", "reporting_to": {"name": "b", "id": "2"}, "type": "x"},
        **{"share_with_peers": True, "category": True, "created_time": "2022-04-01T10:00:00+05:30"},
        **{"description": "c", "modified_time": "2022-04-01T10:00:00+05:30"},
    }
    listed = [*[full] * (number - 1), {"id": "7"}][:number]
    table = to_frame([getattr(Catalogue(Zoho(**{kind: {kind: listed}})), kind)()], columns)
    typed = to_frame([[full]], columns)
    assert table.dtypes.equals(typed.dtypes)
    assert len(table) == number


@pytest.mark.parametrize(
    ("sent", "custom"),
    [({"custom": False, "category": True}, False), ({"category": True}, True), ({}, None)],
)
def test_a_profile_is_custom_by_either_key(sent, custom):
    """``custom`` where Zoho sends it, ``category`` otherwise."""
    (profile,) = Catalogue(Zoho(profiles={"profiles": [sent]})).profiles()
    assert profile["custom"] is custom


@pytest.mark.parametrize(
    ("details", "known"),
    [
        ({"paid_type": "enterprise", "users_license_purchased": 12}, ("enterprise", 12)),
        ({"paid_type": ["free"], "users_license_purchased": "12"}, (None, None)),
        ({"paid_type": {}, "users_license_purchased": [1]}, (None, None)),
        ({"users_license_purchased": True}, (None, None)),
        ({"users_license_purchased": -3}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
    ],
)
def test_a_licence_in_another_dress_is_unknown(details, known):
    """Credits of a day are computed from a name and a number, or not at all."""
    assert licence({"license_details": details}) == known
