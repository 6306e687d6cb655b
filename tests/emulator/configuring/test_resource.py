"""Settings that are listed, made, changed and deleted alike, each by the same calls."""

import pytest

MANAGER = {"id": "410888040000000003"}
#: Address, envelope, a new entry, a change of it, and a key that it cannot do without.
KINDS = {
    "variables": (
        "/settings/variables",
        {"name": "Discount", "api_name": "Discount", "type": "percent", "value": 5},
        {"value": 7.5},
        "api_name",
    ),
    "holidays": (
        "/settings/holidays",
        {"name": "Founders' Day", "date": "2026-07-01", "type": "business_holiday"},
        {"name": "Foundation Day"},
        "date",
    ),
    "shift_hours": (
        "/settings/business_hours/shift_hours",
        {
            "name": "Night",
            "timezone": "Asia/Kolkata",
            "same_as_everyday": True,
            "shift_days": ["Monday"],
            "daily_timing": ["23:00", "07:00"],
        },
        {"shift_days": ["Friday"]},
        "timezone",
    ),
    "users_unavailability": (
        "/settings/users_unavailability",
        {
            "user": MANAGER,
            "from": "2026-11-02T09:00:00+05:30",
            "to": "2026-11-03T18:00:00+05:30",
            "all_day": False,
        },
        {"comments": "At the dentist's"},
        "from",
    ),
    "territories": (
        "/settings/territories",
        {"name": "Nepal", "reporting_to": {"id": "410888000043000001"}, "manager": MANAGER},
        {"description": "Opened in 2026"},
        "reporting_to",
    ),
}
EACH = pytest.mark.parametrize("envelope", KINDS)


def complete(ask, envelope):
    """A new entry with what only this org knows."""
    path, entry, change, needed = KINDS[envelope]
    if envelope == "variables":
        groups = ask("GET", "/settings/variable_groups").body["variable_groups"]
        entry = entry | {"variable_group": {"id": groups[0]["id"]}}
    return path, entry, change, needed


def listed(ask, envelope):
    """All entries there are, by their ids."""
    return {each["id"]: each for each in ask("GET", KINDS[envelope][0]).body[envelope]}


@EACH
def test_what_is_made_changed_and_deleted_shows_in_the_list(ask, envelope):
    """One is shown as in the list."""
    path, entry, change, _ = complete(ask, envelope)
    before = listed(ask, envelope)
    reply = ask("POST", path, json_body={envelope: [entry]})
    (result,) = reply.body[envelope]
    assert (reply.status, result["code"]) == (201, "SUCCESS"), result
    made = result["details"]["id"]
    assert listed(ask, envelope).keys() == before.keys() | {made}
    shown = ask("GET", f"{path}/{made}").body[envelope][0]
    assert shown == listed(ask, envelope)[made]
    for name, value in entry.items():
        if not isinstance(value, dict | list):
            assert shown[name] == value
    for target, item in ((path, change | {"id": made}), (f"{path}/{made}", change)):
        reply = ask("PUT", target, json_body={envelope: [item]})
        assert (reply.status, reply.body[envelope][0]["code"]) == (200, "SUCCESS")
        assert change.items() <= listed(ask, envelope)[made].items()
    reply = ask("DELETE", f"{path}/{made}")
    assert (reply.status, reply.body[envelope][0]["code"]) == (200, "SUCCESS")
    assert listed(ask, envelope) == before
    assert ask("GET", f"{path}/{made}").status == 204


@EACH
def test_an_entry_that_lacks_something_is_refused_where_it_stands(ask, envelope):
    """The others are made all the same, and the status is 207."""
    path, entry, _, needed = complete(ask, envelope)
    lacking = {name: value for name, value in entry.items() if name != needed}
    reply = ask("POST", path, json_body={envelope: [lacking, entry]})
    refused, made = reply.body[envelope]
    assert (reply.status, refused["code"]) == (207, "MANDATORY_NOT_FOUND")
    assert refused["details"] == {"api_name": needed, "json_path": f"$.{envelope}[0].{needed}"}
    assert made["code"] == "SUCCESS"


@EACH
@pytest.mark.parametrize("body", [{}, {"data": []}])
def test_a_body_without_the_list_is_refused(ask, envelope, body):
    """By the name of the list."""
    reply = ask("POST", KINDS[envelope][0], json_body=body)
    assert (reply.status, reply.body["code"]) == (400, "MANDATORY_NOT_FOUND")
    assert reply.body["details"]["api_name"] == envelope


@EACH
@pytest.mark.parametrize("sent", [[], {}, "x", [1]])
def test_a_list_of_another_shape_is_refused(ask, envelope, sent):
    """It has to be an array of objects, and one at least."""
    reply = ask("POST", KINDS[envelope][0], json_body={envelope: sent})
    assert (reply.status, reply.body["code"]) == (400, "INVALID_DATA")


@EACH
def test_values_of_another_type_are_refused(ask, envelope):
    """Each key of an entry, given as a number in a list."""
    path, entry, _, _ = complete(ask, envelope)
    for name in entry.keys() - {"value", "reporting_to", "shift_days"}:
        reply = ask("POST", path, json_body={envelope: [entry | {name: 4.5}]})
        assert reply.body[envelope][0]["code"] == "INVALID_DATA", name
        assert name in reply.body[envelope][0]["details"]["json_path"]


@EACH
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_unknown_id_of_an_address_is_refused(ask, envelope, method):
    """With the place in the address."""
    path, _, change, _ = complete(ask, envelope)
    body = {envelope: [change]} if method == "PUT" else None
    reply = ask(method, f"{path}/1", json_body=body)
    assert (reply.status, reply.body["code"]) == (400, "INVALID_DATA")
    assert reply.body["details"] == {"resource_path_index": 2}


def test_names_that_must_differ_differ_in_any_case(ask):
    """Of variables, shifts and territories."""
    for envelope in ("variables", "shift_hours", "territories"):
        path, entry, _, _ = complete(ask, envelope)
        taken = next(iter(listed(ask, envelope).values()))["name"]
        reply = ask("POST", path, json_body={envelope: [entry | {"name": taken.upper()}]})
        assert reply.body[envelope][0]["code"] == "DUPLICATE_DATA"


def test_lists_are_answered_page_by_page(ask):
    """With the usual info."""
    reply = ask("GET", "/settings/holidays", {"per_page": 4, "page": 3}).body
    assert len(reply["holidays"]) == 1
    assert reply["info"] == {"per_page": 4, "count": 1, "page": 3, "more_records": False}
    assert ask("GET", "/settings/holidays", {"page": 4}).status == 204
