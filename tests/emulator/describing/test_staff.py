"""Roles and profiles."""

import pytest

WHICH = pytest.mark.parametrize("kind", ["roles", "profiles"])


def test_roles_report_to_each_other(ask):
    """The highest reports to none."""
    roles = ask("GET", "/settings/roles").body["roles"]
    by_id = {each["id"]: each for each in roles}
    (highest,) = [each for each in roles if each["reporting_to"] is None]
    assert (highest["name"], highest["share_with_peers"]) == ("CEO", True)
    for each in roles:
        if each is not highest:
            above = by_id[each["reporting_to"]["id"]]
            assert each["reporting_to"] == {"name": above["name"], "id": above["id"]}
    assert highest.keys() == {
        *(
            "id",
            "name",
            "display_label",
            "api_name",
            "description",
            "reporting_to",
            "forecast_manager",
        ),
        *("share_with_peers", "created_by__s", "modified_by__s"),
        *("created_time__s", "modified_time__s"),
    }


@WHICH
def test_one_is_shown_as_in_the_list(ask, kind):
    """With more about it where it is a profile."""
    for each in ask("GET", f"/settings/{kind}").body[kind]:
        (one,) = ask("GET", f"/settings/{kind}/{each['id']}").body[kind]
        assert each.items() <= one.items()


@WHICH
@pytest.mark.parametrize(("text", "status"), [("1", 204), ("x", 400), ("9" * 20, 400)])
def test_an_unknown_id_is_204_and_a_malformed_one_is_refused(ask, kind, text, status):
    """The id is the third segment of the address."""
    reply = ask("GET", f"/settings/{kind}/{text}")
    assert reply.status == status
    if status == 400:
        assert reply.body["code"] == "INVALID_DATA"
        assert reply.body["details"] == {"resource_path_index": 2}


@WHICH
def test_every_user_has_one_of_them(ask, kind):
    """By the same id and name."""
    known = {each["id"]: each["name"] for each in ask("GET", f"/settings/{kind}").body[kind]}
    for user in ask("GET", "/users").body["users"]:
        mentioned = user[kind.removesuffix("s")]
        assert known[mentioned["id"]] == mentioned["name"]


def test_a_profile_that_only_reads_permits_only_viewing(ask):
    """Every permission is in a section."""
    enabled = {}
    for each in ask("GET", "/settings/profiles").body["profiles"]:
        assert "permissions_details" not in each
        (one,) = ask("GET", f"/settings/profiles/{each['id']}").body["profiles"]
        enabled[each["name"]] = {p["name"] for p in one["permissions_details"] if p["enabled"]}
        (section,) = one["sections"]
        grouped = [name for group in section["categories"] for name in group["permissions_details"]]
        assert grouped == [p["name"] for p in one["permissions_details"]]
    assert "Crm_Implied_Delete_Leads" in enabled["Administrator"]
    assert "Crm_Implied_View_Leads" in enabled["Read Only"]
    assert {name.split("_")[2] for name in enabled["Read Only"]} == {"View"}


@WHICH
def test_their_own_scope_opens_them(ask, emulator, kind):
    """ZohoCRM.settings.roles.READ, and likewise for profiles."""
    for scope, status in ((kind, 200), ("modules", 401)):
        code = emulator.grant_code(f"ZohoCRM.settings.{scope}.READ")
        ask.token = ask.exchange(code).body["access_token"]
        assert ask("GET", f"/settings/{kind}").status == status
