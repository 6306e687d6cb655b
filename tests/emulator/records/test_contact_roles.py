"""Contact roles: the list of an org, and what changes in it."""

import pytest

ROLES = "/Contacts/roles"


def names(ask):
    """The names of all roles, in their order."""
    return [each["name"] for each in ask("GET", ROLES).body["contact_roles"]]


def wrapped(*items):
    """A body with some roles."""
    return {"contact_roles": list(items)}


def test_an_org_is_born_with_roles(ask):
    """Each with a name, an id and its place."""
    roles = ask("GET", ROLES).body["contact_roles"]
    assert len(roles) == 7
    assert set(roles[0]) == {"name", "id", "sequence_number"}
    assert [each["sequence_number"] for each in roles] == list(range(1, 8))
    assert ask("GET", f"{ROLES}/{roles[1]['id']}").body["contact_roles"] == [roles[1]]
    assert ask("GET", f"{ROLES}/7").status == 204


def test_roles_are_added_renamed_and_deleted(ask):
    """One by one and several at once."""
    sent = wrapped(
        {"name": "Manager", "sequence_number": 8}, {"name": "Clerk", "sequence_number": 9}
    )
    added = ask("POST", ROLES, None, sent)
    assert (added.status, added.body["contact_roles"][0]["message"]) == (200, "contact role added")
    manager, clerk = (each["details"]["id"] for each in added.body["contact_roles"])
    ask("PUT", ROLES, None, wrapped({"id": manager, "name": "Head"}))
    ask("PUT", f"{ROLES}/{clerk}", None, wrapped({"name": "Assistant", "sequence_number": 10}))
    assert names(ask)[-2:] == ["Head", "Assistant"]
    assert ask("DELETE", ROLES, {"ids": manager}).status == 200
    gone = ask("DELETE", f"{ROLES}/{clerk}").body["contact_roles"][0]
    assert (gone["code"], gone["message"]) == ("SUCCESS", "contact role deleted")
    assert len(names(ask)) == 7


@pytest.mark.parametrize(
    ("item", "code", "api_name"),
    [
        ({"sequence_number": 8}, "MANDATORY_NOT_FOUND", "name"),
        ({"name": "Manager"}, "MANDATORY_NOT_FOUND", "sequence_number"),
        ({"name": 7, "sequence_number": 8}, "INVALID_DATA", "name"),
        ({"name": "", "sequence_number": 8}, "INVALID_DATA", "name"),
        ({"name": "M" * 51, "sequence_number": 8}, "INVALID_DATA", "name"),
        ({"name": "M", "sequence_number": "8"}, "INVALID_DATA", "sequence_number"),
        ({"name": "M", "sequence_number": True}, "INVALID_DATA", "sequence_number"),
        ({"name": "Purchasing", "sequence_number": 8}, "DUPLICATE_DATA", "name"),
    ],
)
def test_wrong_roles_are_refused(ask, item, code, api_name):
    """With the place of what is wrong."""
    (refused,) = ask("POST", ROLES, None, wrapped(item)).body["contact_roles"]
    path = f"$.contact_roles[0].{api_name}"
    assert (refused["code"], refused["details"]["json_path"]) == (code, path)
    assert len(names(ask)) == 7


@pytest.mark.parametrize("body", [{}, {"contact_roles": {}}, {"contact_roles": []},
                                  {"contact_roles": ["x"]}, {"contact_roles": None},
                                  {"contact_roles": [{}] * 101}])  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bodies_without_roles_are_refused(ask, method, body):
    """As bodies without records are."""
    assert ask(method, ROLES, None, body).status == 400


def test_unknown_roles_are_refused(ask):
    """To change and to delete; ids are needed."""
    assert ask("PUT", ROLES, None, wrapped({"name": "X"})).body["contact_roles"][0]["code"] == (
        "MANDATORY_NOT_FOUND"
    )
    for reply in (ask("PUT", f"{ROLES}/7", None, wrapped({"name": "X"})),
                  ask("DELETE", f"{ROLES}/7"), ask("DELETE", ROLES, {"ids": "7"})):  # fmt: skip
        assert reply.body["contact_roles"][0]["details"] == {"id": "7"}
    assert ask("DELETE", ROLES).body["code"] == "REQUIRED_PARAM_MISSING"


def test_one_role_is_left(ask):
    """The last one cannot be deleted."""
    ids = [each["id"] for each in ask("GET", ROLES).body["contact_roles"]]
    deleted = ask("DELETE", ROLES, {"ids": ",".join(ids)})
    assert deleted.status == 207
    last = deleted.body["contact_roles"][-1]
    assert (last["code"], last["details"]) == ("LOWER_LIMIT_REACHED", {"limit": 1, "id": ids[-1]})
    assert len(names(ask)) == 1
