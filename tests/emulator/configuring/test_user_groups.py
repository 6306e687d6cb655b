"""Groups of users, by single users, roles and territories."""

import pytest

PATH = "/settings/user_groups"
HANNAH = "410888040000000009"


def groups(ask):
    """All groups by their names."""
    return {each["name"]: each for each in ask("GET", PATH).body["user_groups"]}


def counts(ask):
    """How many users each group has."""
    told = ask("GET", f"{PATH}/actions/associated_users_count").body["associated_users_count"]
    return {each["user_group"]["name"]: each["count"] for each in told}


def test_groups_show_their_sources(ask):
    """With names, and how many of each type there are."""
    keys = groups(ask)["Key accounts"]
    names = [each["source"]["name"] for each in keys["sources"]]
    assert names == ["Farah Qureshi", "Priya Banerjee"]
    assert keys["sources_count"]["users"] == {"active": 2, "inactive": 0, "deleted": 0}
    told = ask("GET", f"{PATH}/{keys['id']}/sources", {"type": "users"}).body["sources"]
    assert told == keys["sources"]
    assert ask("GET", f"{PATH}/{keys['id']}/sources", {"type": "roles"}).status == 204
    count = ask("GET", f"{PATH}/{keys['id']}/actions/sources_count").body["sources_count"]
    assert count == [keys["sources_count"]]


def test_users_are_in_a_group_by_any_source(ask):
    """A role and a territory bring theirs."""
    assert counts(ask) == {"Key accounts": 2, "Managers": 2, "India": 2}
    farah = groups(ask)["Key accounts"]["sources"][0]["source"]["id"]
    told = ask("GET", f"/users/{farah}/actions/associated_groups").body["user_groups"]
    assert {each["name"] for each in told} == {"Key accounts", "Managers", "India"}
    assert ask("GET", f"/users/{HANNAH}/actions/associated_groups").status == 204


def test_a_group_is_made_changed_and_deleted_by_a_job(ask):
    """Groups may be of groups."""
    inner = groups(ask)["Managers"]["id"]
    sources = [
        {"type": "users", "source": {"id": HANNAH}},
        {"type": "groups", "source": {"id": inner}},
    ]
    body = {"user_groups": [{"name": "Board", "sources": sources}]}
    made = ask("POST", PATH, json_body=body).body["user_groups"][0]["details"]["id"]
    assert counts(ask)["Board"] == 3
    change = {"user_groups": [{"name": "The board"}]}
    assert ask("PUT", f"{PATH}/{made}", json_body=change).status == 200
    result = ask("DELETE", f"{PATH}/{made}").body["user_groups"][0]
    assert result["code"] == "SCHEDULED"
    jobs = ask("GET", f"{PATH}/actions/deletion_jobs", {"job_id": result["details"]["job_id"]})
    assert jobs.body == {"deletion_jobs": [{"Status": "COMPLETED"}]}
    assert "The board" not in groups(ask)


@pytest.mark.parametrize(
    ("sources", "code"),
    [
        (None, "MANDATORY_NOT_FOUND"),
        ([], "INVALID_DATA"),
        ([{"type": "planets", "source": {"id": HANNAH}}], "INVALID_DATA"),
        ([{"type": "users", "source": {"id": "1"}}], "INVALID_DATA"),
        ([{"type": "users"}], "MANDATORY_NOT_FOUND"),
        ([{"type": "roles", "source": {"id": HANNAH}}], "INVALID_DATA"),
    ],
)
def test_sources_that_do_not_exist_are_refused(ask, sources, code):
    """Nothing is made then."""
    body = {"user_groups": [{"name": "Board", "sources": sources}]}
    assert ask("POST", PATH, json_body=body).body["user_groups"][0]["code"] == code
    assert "Board" not in groups(ask)
