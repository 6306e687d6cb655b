"""Records change hands."""

import pytest

from zcrm_nb.emulator.settings import ActionSettings


@pytest.fixture
def priya(emulator):
    """Id of an active user."""
    return user(emulator, "Priya Banerjee")


def user(emulator, name):
    """Id of a user by name."""
    return str(emulator.store.read("SELECT id FROM Users WHERE full_name = ?", (name,))[0][0])


def hand_over(ask, module="Leads", record="", **body):
    """Change the owner of one record, or of several."""
    path = (
        f"/{module}/{record}/actions/change_owner" if record else f"/{module}/actions/change_owner"
    )
    return ask("POST", path, None, body)


def owner(ask, module, record):
    """Who owns a record."""
    return ask("GET", f"/{module}/{record}").body["data"][0]["Owner"]["name"]


def test_records_get_a_new_owner_one_or_many(ask, priya):
    """The words of the examples; Modified_Time tells of it."""
    first, second, third = ask.ids("Leads")[:3]
    ask.emulator.clock.advance(60)
    reply = hand_over(ask, record=first, owner={"id": priya}, notify=True)
    assert reply.status == 200
    assert reply.body["data"] == [
        {
            "code": "SUCCESS",
            "details": {"id": first},
            "message": "owner is successfully updated",
            "status": "success",
        }
    ]
    assert hand_over(ask, ids=[second, third], owner={"id": priya}).status == 200
    assert {owner(ask, "Leads", each) for each in (first, second, third)} == {"Priya Banerjee"}
    changed = ask("GET", f"/Leads/{third}").body["data"][0]["Modified_Time"]
    assert changed == "2026-09-15T09:01:00+05:30"


def test_some_may_fail(ask, priya, make):
    """202 for an API call, 207 by a setting; 400 when all do."""
    (lead,) = ask.ids("Leads")[:1]
    reply = hand_over(ask, ids=[lead, "77"], owner={"id": priya})
    assert reply.status == 202
    assert [each["code"] for each in reply.body["data"]] == ["SUCCESS", "INVALID_DATA"]
    assert hand_over(ask, ids=["77"], owner={"id": priya}).status == 400
    sdk = make(settings={"actions": ActionSettings(change_owner_partly_status=207)})
    (lead,) = sdk.ids("Leads")[:1]
    assert hand_over(sdk, ids=[lead, "77"], owner={"id": priya}).status == 207


def test_related_records_go_along(ask, priya):
    """As a list, or as the object that the page shows."""
    (lead,), (task, other) = ask.ids("Leads")[:1], ask.ids("Tasks")[:2]
    along = [{"api_name": "Tasks", "id": task}]
    hand_over(ask, record=lead, owner={"id": priya}, related_modules=along)
    assert owner(ask, "Tasks", task) == "Priya Banerjee"
    single = {"api_name": "Tasks", "id": other}
    hand_over(ask, ids=[lead], owner={"id": priya}, related_modules=single)
    assert owner(ask, "Tasks", other) == "Priya Banerjee"


def test_a_locked_record_stays(ask, emulator, priya):
    """RECORD_LOCKED, also for updates and deletions."""
    (lead,) = ask.ids("Leads", converted="false")[:1]
    emulator.store.execute("UPDATE Leads SET Locked__s = 1 WHERE id = ?", (int(lead),))
    many = hand_over(ask, ids=[lead], owner={"id": priya})
    locked = {"action": "record_locking", "id": lead}
    assert (many.body["data"][0]["code"], many.body["data"][0]["details"]) == (
        "RECORD_LOCKED",
        locked,
    )
    assert hand_over(ask, record=lead, owner={"id": priya}).body["details"] == locked
    change = {"data": [{"id": lead, "City": "x"}]}
    assert ask("PUT", "/Leads", None, change).body["data"][0]["code"] == "RECORD_LOCKED"
    assert ask("DELETE", f"/Leads/{lead}").body["data"][0]["code"] == "RECORD_LOCKED"
    convert = ask("POST", f"/Leads/{lead}/actions/convert", None, {"data": [{}]})
    assert convert.body["code"] == "RECORD_LOCKED"


def test_the_new_owner_must_be_active(ask, emulator):
    """Inactive is 400, deleted 403, unknown 400."""
    (lead,) = ask.ids("Leads")[:1]
    inactive = user(emulator, "Suresh Patil")
    reply = hand_over(ask, ids=[lead], owner={"id": inactive})
    assert (reply.status, reply.body["details"]["owner_status"]) == (400, "inactive")
    emulator.store.execute("UPDATE Users SET status = 'deleted' WHERE id = ?", (int(inactive),))
    reply = hand_over(ask, ids=[lead], owner={"id": inactive})
    assert (reply.status, reply.body["details"]["owner_status"]) == (403, "deleted")
    reply = hand_over(ask, ids=[lead], owner={"id": "77"})
    assert reply.body["details"] == {"api_name": "owner", "json_path": "$.owner.id"}


REFUSED = [
    ({"ids": []}, "MANDATORY_NOT_FOUND"),
    ({"owner": {}}, "MANDATORY_NOT_FOUND"),
    ({"ids": "1"}, "INVALID_DATA"),
    ({"ids": ["1", "x"]}, "INVALID_DATA"),
    ({"ids": ["1"] * 501}, "LIMIT_EXCEEDED"),
    ({"related_modules": [{"api_name": "Tasks"}]}, "EXPECTED_FIELD_MISSING"),
    ({"related_modules": [{"api_name": "Accounts", "id": "1"}]}, "NOT_SUPPORTED"),
    ({"related_modules": [{"api_name": "Tasks", "id": "77"}]}, "INVALID_DATA"),
    ({"related_modules": [{"api_name": "Tasks", "id": "1"}] * 6}, "INVALID_DATA"),
]


@pytest.mark.parametrize(("change", "code"), REFUSED)
def test_a_body_that_makes_no_sense_is_refused(ask, priya, change, code):
    """As a whole, and nothing changes hands."""
    (lead,) = ask.ids("Leads")[:1]
    before = owner(ask, "Leads", lead)
    reply = hand_over(ask, **{"ids": [lead], "owner": {"id": priya}, **change})
    assert (reply.status, reply.body["code"]) == (400, code)
    assert owner(ask, "Leads", lead) == before


def test_rows_of_subforms_have_no_owner(ask, priya):
    """NOT_SUPPORTED, and so it is for notes."""
    for module in ("Site_Visit_Expenses", "Notes"):
        reply = hand_over(ask, module, ids=["1"], owner={"id": priya})
        assert (reply.status, reply.body["code"]) == (400, "NOT_SUPPORTED")
