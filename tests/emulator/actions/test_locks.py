"""Records are locked and unlocked."""

import pytest

LOCK = "Locking_Information__s"


def lock(ask, record, module="Leads", **values):
    """Lock a record."""
    body = {"data": [values or {"Locked_Reason__s": "deal in progress"}]}
    return ask("POST", f"/{module}/{record}/{LOCK}", None, body)


@pytest.mark.parametrize("module", ["Leads", "Deals", "Quotes", "Site_Visits"])
def test_a_locked_record_refuses_changes_until_it_is_unlocked(ask, module):
    """RECORD_LOCKED for an update and a delete; both work again afterwards."""
    record = ask.ids(module)[0]
    done = lock(ask, record, module)
    assert done.status == 201
    details = done.body["data"][0]["details"]
    assert details.keys() == {"id", "Created_Time", "Modified_Time", "Created_By", "Modified_By"}
    before = ask("GET", f"/{module}/{record}").body["data"][0]
    assert before["Locked__s"] is True
    refused = ask("DELETE", f"/{module}/{record}")
    assert refused.body["data"][0]["code"] == "RECORD_LOCKED"
    gone = ask("DELETE", f"/{module}/{record}/{LOCK}/{details['id']}")
    assert gone.body["data"][0]["message"] == "record deleted"
    assert ask("GET", f"/{module}/{record}/{LOCK}").status == 204
    after = ask("GET", f"/{module}/{record}").body["data"][0]
    assert (after["Locked__s"], after["Modified_Time"]) == (False, before["Modified_Time"])
    assert ask("DELETE", f"/{module}/{record}").status == 200


def test_a_lock_tells_who_locked_what_and_why(ask):
    """One in the list, the same by its id; its reason can change."""
    record = ask.ids("Deals")[0]
    lock_id = lock(ask, record, "Deals").body["data"][0]["details"]["id"]
    (shown,) = ask("GET", f"/Deals/{record}/{LOCK}").body["data"]
    assert shown["lock_source__s"] == "Manual"
    assert shown["locked_for_s"]["id"] == record
    assert shown["locked_for_s"]["module"]["api_name"] == "Deals"
    path = f"/Deals/{record}/{LOCK}/{lock_id}"
    changed = ask("PUT", path, None, {"data": [{"Locked_Reason__s": "deal info updated"}]})
    assert changed.body["data"][0]["message"] == "relation updated"
    one = ask("GET", path, {"fields": "Locked_Reason__s"}).body["data"]
    assert one == [{"id": lock_id, "locked_reason__s": "deal info updated"}]


def test_what_cannot_be_locked_is_refused(ask):
    """A locked record, no reason, a module without locks, an unknown record or lock."""
    record = ask.ids("Leads")[0]
    assert lock(ask, record).status == 201
    again = lock(ask, record)
    assert (again.status, again.body["data"][0]["code"]) == (403, "NOT_ALLOWED")
    nothing = lock(ask, record, Locked_Reason__s="")
    assert nothing.body["details"]["json_path"] == "$.data[0].Locked_Reason__s"
    assert lock(ask, ask.ids("Events")[0], "Events").body["code"] == "NOT_SUPPORTED"
    assert lock(ask, "77").body["details"] == {"resource_path_index": 1}
    unknown = ask("DELETE", f"/Leads/{record}/{LOCK}/77")
    assert unknown.body["details"] == {"resource_path_index": 3}
