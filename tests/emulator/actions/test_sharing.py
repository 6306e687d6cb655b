"""Records are shared with users."""

import pytest


@pytest.fixture
def users(ask):
    """Ids of users with whom a lead could be shared, and the lead."""
    lead = ask.ids("Leads")[0]
    body = ask("GET", f"/Leads/{lead}/actions/share").body
    assert body["share"] == []
    return lead, [each["id"] for each in body["shareable_user"]]


def share(ask, method, lead, *shares):
    """Share a lead: pairs of a user and a permission."""
    items = [{"user": {"id": user}, "permission": permission} for user, permission in shares]
    return ask(method, f"/Leads/{lead}/actions/share", None, {"share": items})


def shared(ask, lead):
    """With whom a lead is shared, and how."""
    body = ask("GET", f"/Leads/{lead}/actions/share").body
    return {each["user"]["id"]: each["permission"] for each in body["share"]}


def test_a_record_is_shared_until_that_is_revoked(ask, users):
    """Reads reflect each write; PUT revokes what it does not name."""
    lead, (one, two, *_) = users
    done = share(ask, "POST", lead, (one, "full_access"), (two, "read_only"))
    assert [each["message"] for each in done.body["share"]] == [
        "record will be shared successfully"
    ] * 2
    assert shared(ask, lead) == {one: "full_access", two: "read_only"}
    left = ask("GET", f"/Leads/{lead}/actions/share").body["shareable_user"]
    assert {one, two}.isdisjoint(each["id"] for each in left)
    assert share(ask, "PUT", lead, (two, "read_write")).status == 200
    assert shared(ask, lead) == {two: "read_write"}
    gone = ask("DELETE", f"/Leads/{lead}/actions/share")
    assert gone.body["share"]["message"] == "Sharing Revoked"
    assert shared(ask, lead) == {}


def test_one_share_can_be_looked_up(ask, users):
    """By the user it is for; it says through what it is shared."""
    lead, (one, two, *_) = users
    share(ask, "POST", lead, (one, "full_access"), (two, "read_only"))
    path = f"/Leads/{lead}/actions/share"
    (only,) = ask("GET", path, {"sharedTo": two}).body["share"]
    assert (only["user"]["id"], only["shared_through"]["id"]) == (two, lead)
    assert only["share_related_records"] is False


def test_what_cannot_be_shared_is_refused_one_by_one(ask, users):
    """A user twice, an unknown one, a wrong permission; nothing to revoke; no such module."""
    lead, (one, *_) = users
    owner = ask("GET", f"/Leads/{lead}").body["data"][0]["Owner"]["id"]
    reply = share(
        ask, "POST", lead, (one, "read_only"), (one, "read_only"), ("77", "read_only"),
        (owner, "read_only"), (one, "sees_all"),
    )  # fmt: skip
    assert reply.status == 207
    messages = [each["message"] for each in reply.body["share"]]
    assert messages == [
        "record will be shared successfully",
        "record is already visible to the user.",
        "cannot share to the user",
        "record is already visible to the user.",
        "record is already visible to the user.",
    ]
    other = ask.ids("Leads")[1]
    wrong = share(ask, "POST", other, (one, "sees_all")).body["share"][0]
    assert (wrong["message"], wrong["code"]) == ("Permission is invalid", "INVALID_DATA")
    assert ask("DELETE", f"/Leads/{other}/actions/share").status == 400
    task = ask.ids("Tasks")[0]
    assert ask("GET", f"/Tasks/{task}/actions/share").body["code"] == "NOT_SUPPORTED"


def test_no_record_is_shared_with_more_than_ten(ask, users):
    """SHARE_LIMIT_EXCEEDED for the eleventh user."""
    lead, ids = users
    new = [{"last_name": f"User {number}", "status": "active"} for number in range(11)]
    ids = [str(each) for each in ask.emulator.store.insert("Users", new, user=int(ids[0]))]
    reply = share(ask, "POST", lead, *[(each, "read_only") for each in ids])
    assert reply.body["share"][-1]["code"] == "SHARE_LIMIT_EXCEEDED"
    assert len(shared(ask, lead)) == 10
