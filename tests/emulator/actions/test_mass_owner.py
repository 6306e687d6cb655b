"""What a custom view shows changes hands."""

import pytest


def view(ask, module, name):
    """Id of a view by its name."""
    body = ask("GET", "/settings/custom_views", {"module": module}).body
    return next(each["id"] for each in body["custom_views"] if each["name"] == name)


@pytest.fixture
def user(emulator):
    """Id of an active user."""
    sql = "SELECT id FROM Users WHERE status = 'active' ORDER BY id DESC LIMIT 1"
    return str(emulator.store.read(sql)[0][0])


def post(ask, module="Deals", **body):
    """Change owners."""
    return ask("POST", f"/{module}/actions/mass_change_owner", None, body)


def test_a_view_changes_hands_by_a_job(ask, user):
    """The status counts them; every record of the view has the new owner."""
    cvid = view(ask, "Deals", "Open Deals")
    total = ask("GET", "/Deals/actions/count", {"cvid": cvid}).body["count"]
    done = post(ask, cvid=cvid, owner={"id": user}).body["data"][0]
    job = done["details"]["job_id"]
    status = ask("GET", "/Deals/actions/mass_change_owner", {"job_id": job}).body["data"]
    assert status == [
        {"Status": "COMPLETED", "Failed_Count": 0, "Not_Updated_Count": 0,
         "Updated_Count": total, "Total_Count": total}
    ]  # fmt: skip
    deals = ask("GET", "/Deals", {"fields": "Owner", "cvid": cvid}).body["data"]
    assert {each["Owner"]["id"] for each in deals} == {user}


def test_locked_records_keep_their_owner_and_are_counted(ask, user):
    """They fail, the others do not."""
    cvid = view(ask, "Deals", "Open Deals")
    params = {"fields": "id", "cvid": cvid}
    first, *others = [each["id"] for each in ask("GET", "/Deals", params).body["data"]]
    reason = {"data": [{"Locked_Reason__s": "wait"}]}
    assert ask("POST", f"/Deals/{first}/Locking_Information__s", None, reason).status == 201
    job = post(ask, cvid=cvid, owner={"id": user}).body["data"][0]["details"]["job_id"]
    status = ask("GET", "/Deals/actions/mass_change_owner", {"job_id": job}).body["data"][0]
    assert (status["Failed_Count"], status["Updated_Count"]) == (1, len(others))


def test_what_is_wrong_is_refused(ask, user):
    """No view, an unknown view, no owner, a territory, an unknown job."""
    cvid = view(ask, "Deals", "Open Deals")
    assert post(ask, owner={"id": user}).body["code"] == "MANDATORY_NOT_FOUND"
    unknown = post(ask, cvid="77", owner={"id": user}).body
    assert unknown["details"] == {"api_name": "cvid", "json_path": "$.cvid"}
    assert post(ask, cvid=cvid).body["details"]["api_name"] == "owner"
    refused = post(ask, cvid=cvid, owner={"id": user}, territory={"id": "1"}).body
    assert refused["details"] == {"emulated": False}
    status = ask("GET", "/Deals/actions/mass_change_owner", {"job_id": "77"})
    assert status.body["code"] == "INVALID_DATA"
