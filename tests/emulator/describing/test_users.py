"""Users and the org."""

import pytest

from zcrm_nb.emulator.describing.users import TYPES
from zcrm_nb.emulator.world import ADMIN


def test_all_users_are_listed(ask):
    """With the keys of §7, mixed casing included; info without tokens."""
    body = ask("GET", "/users").body
    assert body["info"].keys() == {"per_page", "count", "page", "more_records"}
    user = body["users"][0]
    assert {"id", "full_name", "email", "role", "profile", "created_time"} <= user.keys()
    assert {"Modified_Time", "time_zone", "status", "confirm", "type__s", "offset"} <= user.keys()
    assert user["role"].keys() == {"name", "id"}
    assert user["offset"] == 19_800_000


def test_users_turn_pages(ask):
    """At most 200 a page; 204 behind the end."""
    first = ask("GET", "/users", {"per_page": 5}).body
    assert (len(first["users"]), first["info"]["more_records"]) == (5, True)
    assert ask("GET", "/users", {"per_page": 5, "page": 9}).status == 204


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_counted_as_it_is_listed(ask, kind):
    """GET /users and its count agree."""
    reply = ask("GET", "/users", {"type": kind})
    count = ask("GET", "/users/actions/count", {"type": kind}).body["count"]
    assert count == (len(reply.body["users"]) if reply.status == 200 else 0)


def test_types_mean_what_they_say(ask):
    """By status, profile and token."""

    def listed(kind):
        return ask("GET", "/users", {"type": kind}).body["users"]

    assert {each["status"] for each in listed("ActiveUsers")} == {"active"}
    assert {each["status"] for each in listed("DeactiveUsers")} == {"inactive"}
    assert {each["profile"]["name"] for each in listed("AdminUsers")} == {"Administrator"}
    assert [each["id"] for each in listed("CurrentUser")] == [str(ADMIN)]


def test_one_user_is_found_by_id(ask):
    """204 for an unknown one, 400 for a malformed one."""
    (user,) = ask("GET", f"/users/{ADMIN}").body["users"]
    assert user["id"] == str(ADMIN)
    assert ask("GET", "/users/1").status == 204
    assert ask("GET", "/users/me").status == 400


def test_users_may_be_chosen_by_ids_and_time(ask):
    """Lists of ids; 304 when nobody changed."""
    assert len(ask("GET", "/users", {"ids": f"{ADMIN}"}).body["users"]) == 1
    since = {"If-Modified-Since": "2026-09-15T09:00:00+05:30"}
    assert ask("GET", "/users", headers=since).status == 304


def test_the_org_shows_its_card(ask, emulator):
    """Exactly one, with the keys of §7."""
    body = ask("GET", "/org").body
    assert body.keys() == {"org"}
    (card,) = body["org"]
    assert card["id"] == emulator.credentials["org_id"]
    assert {
        "zgid",
        "company_name",
        "time_zone",
        "iso_code",
        "license_details",
        "type",
    } <= card.keys()
    assert card["license_details"]["users_license_purchased"] > 1
