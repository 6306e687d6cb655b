"""Users and roles: added, changed, handed over, deleted."""

import pytest

HANNAH = "410888040000000009"


def user(ask, user_id):
    """One user, as the API shows them."""
    return ask("GET", f"/users/{user_id}").body["users"][0]


def add(ask, **changes):
    """Add a user; the result."""
    some = user(ask, HANNAH)
    item = {
        "first_name": "Asha",
        "last_name": "Rao",
        "email": "asha.rao@vindhya.example.com",
        "role": some["role"]["id"],
        "profile": {"id": some["profile"]["id"]},
    }
    reply = ask("POST", "/users", json_body={"users": [item | changes]})
    return reply.body["users"][0]


def test_a_new_user_is_listed_and_may_own_records(ask):
    """Unconfirmed until they accept the invitation."""
    made = add(ask)["details"]["id"]
    shown = user(ask, made)
    assert (shown["full_name"], shown["status"], shown["confirm"]) == ("Asha Rao", "active", False)
    lead = ask.ids("Leads")[0]
    ask("PUT", f"/Leads/{lead}", json_body={"data": [{"Owner": {"id": made}}]})
    assert ask("GET", f"/Leads/{lead}").body["data"][0]["Owner"]["name"] == "Asha Rao"


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"last_name": None}, "MANDATORY_NOT_FOUND", "last_name"),
        ({"email": "nonsense"}, "INVALID_DATA", "email"),
        ({"email": "rohan.deshmukh@vindhya.example.com"}, "DUPLICATE_DATA", "email"),
        ({"role": "1"}, "INVALID_DATA", "role"),
        ({"profile": {"id": "x"}}, "INVALID_DATA", "profile"),
        ({"time_zone": "Mars/Olympus"}, "INVALID_DATA", "time_zone"),
        ({"first_name": "x" * 51}, "INVALID_DATA", "first_name"),
    ],
)
def test_what_is_wrong_with_a_user_is_named(ask, changes, code, name):
    """By its key."""
    result = add(ask, **changes)
    assert (result["code"], result["details"]["api_name"]) == (code, name)


def test_users_change_and_keep_their_address_once_confirmed(ask):
    """One by the address, several by their ids."""
    reply = ask("PUT", f"/users/{HANNAH}", json_body={"users": [{"city": "Leeds"}]})
    assert reply.body["users"][0]["code"] == "SUCCESS"
    items = [{"id": HANNAH, "phone": "0113"}, {"id": "1"}, {"id": HANNAH, "email": "a@b.example"}]
    codes = [e["code"] for e in ask("PUT", "/users", json_body={"users": items}).body["users"]]
    assert codes == ["SUCCESS", "INVALID_DATA", "EMAIL_UPDATE_NOT_ALLOWED"]
    shown = user(ask, HANNAH)
    assert (shown["city"], shown["phone"]) == ("Leeds", "0113")


STATUSES = [("active", "ID_ALREADY_ACTIVE"), ("gone", "INVALID_DATA")]


@pytest.mark.parametrize(("status", "code"), STATUSES)
def test_a_status_that_makes_no_sense_is_refused(ask, status, code):
    """Users become inactive and active again."""
    path = f"/users/{HANNAH}"
    reply = ask("PUT", path, json_body={"users": [{"status": status}]})
    assert reply.body["users"][0]["code"] == code
    for change in ("inactive", "active"):
        assert ask("PUT", path, json_body={"users": [{"status": change}]}).status == 200
        assert user(ask, HANNAH)["status"] == change


def test_a_deleted_user_stays_in_the_list_of_the_deleted(ask):
    """The primary contact cannot be deleted."""
    assert ask("DELETE", f"/users/{HANNAH}").body["users"][0]["code"] == "SUCCESS"
    deleted = ask("GET", "/users", {"type": "DeletedUsers"}).body["users"]
    assert [each["id"] for each in deleted] == [HANNAH]
    assert ask("DELETE", f"/users/{HANNAH}").body["users"][0]["code"] == "ID_ALREADY_DELETED"
    first = ask("GET", "/users").body["users"][0]["id"]
    assert ask("DELETE", f"/users/{first}").body["users"][0]["code"] == "UNAPPROVABLE"


@pytest.mark.parametrize("one", [True, False])
def test_another_user_takes_the_records_of_one_who_leaves(make, one):
    """Of every module."""
    ask = make(rows={"Leads": 120})
    query = {"select_query": f"select id from Leads where Owner = {HANNAH}"}
    owned = {each["id"] for each in ask("POST", "/coql", json_body=query).body["data"]}
    heir = ask("GET", "/users", {"type": "CurrentUser"}).body["users"][0]["id"]
    item = {"transfer": {"records": True, "id": heir}, "move_subordinate": {"id": heir}}
    place = f"/{HANNAH}" if one else ""
    body = {"transfer_and_delete": [item if one else item | {"id": HANNAH}]}
    reply = ask("POST", f"/users{place}/actions/transfer_and_delete", json_body=body)
    job = reply.body["transfer_and_delete"][0]["details"]["jobId"]
    state = ask("GET", "/users/actions/transfer_and_delete", {"job_id": job}).body
    assert state == {"transfer_and_delete": [{"status": "completed"}]}
    params = {"ids": ",".join(owned), "fields": "Owner", "converted": "both"}
    owners = {each["Owner"]["id"] for each in ask("GET", "/Leads", params).body["data"]}
    assert owners == {heir}
    assert user(ask, HANNAH)["status"] == "deleted"


@pytest.mark.parametrize("heir", ["1", HANNAH, "410888040000000012"])
def test_an_heir_is_an_active_user_and_another_one(ask, heir):
    """Unknown, the same and inactive ones are refused, and nothing is deleted."""
    body = {"transfer_and_delete": [{"transfer": {"records": True, "id": heir}}]}
    reply = ask("POST", f"/users/{HANNAH}/actions/transfer_and_delete", json_body=body)
    assert reply.body["transfer_and_delete"][0]["code"] == "INVALID_DATA"
    assert user(ask, HANNAH)["status"] == "active"


def test_roles_are_made_changed_and_handed_over(ask):
    """The users of a deleted role get another one."""
    roles = {each["name"]: each for each in ask("GET", "/settings/roles").body["roles"]}
    above = {"id": roles["CEO"]["id"]}
    body = {"roles": [{"name": "Controller", "reporting_to": above}, {"name": "ceo"}]}
    made, lacking = ask("POST", "/settings/roles", json_body=body).body["roles"]
    assert (made["code"], lacking["code"]) == ("SUCCESS", "MANDATORY_NOT_FOUND")
    role = made["details"]["id"]
    for path, extra in ((f"/settings/roles/{role}", {}), ("/settings/roles", {"id": role})):
        change = {"roles": [{"description": "Counts", **extra}]}
        assert ask("PUT", path, json_body=change).status == 200
    assert ask("GET", f"/settings/roles/{role}").body["roles"][0]["description"] == "Counts"
    ask("PUT", f"/users/{HANNAH}", json_body={"users": [{"role": role}]})
    path = f"/settings/roles/{role}"
    assert ask("DELETE", path).body["code"] == "REQUIRED_PARAM_MISSING"
    reply = ask("DELETE", path, {"transfer_to_id": roles["Sales Executive"]["id"]})
    assert reply.body["roles"][0]["code"] == "SUCCESS"
    assert user(ask, HANNAH)["role"]["name"] == "Sales Executive"
    assert ask("GET", path).status == 204


def test_roles_form_no_circles_and_have_names_of_their_own(ask):
    """Nor does a role report to one below it."""
    roles = {each["name"]: each["id"] for each in ask("GET", "/settings/roles").body["roles"]}
    path = f"/settings/roles/{roles['Sales Director']}"
    for change, code in (
        ({"reporting_to": {"id": roles["Sales Executive"]}}, "INVALID_DATA"),
        ({"name": "CEO"}, "DUPLICATE_DATA"),
    ):
        reply = ask("PUT", path, json_body={"roles": [change]})
        assert reply.body["roles"][0]["code"] == code
