"""E-mails of records are shared with colleagues."""


def change(ask, word, ids=None, record=""):
    """Share or stop sharing."""
    path = f"/Leads/{record}/actions/{word}" if record else f"/Leads/actions/{word}"
    return ask("POST", path, None, None if ids is None else {"ids": ids})


def test_e_mails_are_shared_once_and_unshared_once(ask):
    """Of one record, and of several."""
    first, second = ask.ids("Leads")[:2]
    done = change(ask, "share_emails", record=first).body["data"][0]
    assert (done["message"], done["details"]) == ("Successfully shared", {"id": first})
    again = change(ask, "share_emails", [first, second])
    assert again.status == 207
    assert [each["code"] for each in again.body["data"]] == ["ALREADY_SHARED", "SUCCESS"]
    gone = change(ask, "unshare_emails", [first, second])
    assert [each["message"] for each in gone.body["data"]] == ["Sharing revoked successfully"] * 2
    refused = change(ask, "unshare_emails", record=second)
    assert (refused.status, refused.body["data"][0]["code"]) == (400, "NOT_SHARED")


def test_what_is_wrong_is_refused(ask):
    """No ids, unknown ones, one twice, too many, a module that has no e-mails to share."""
    first = ask.ids("Leads")[0]
    missing = ask("POST", "/Leads/actions/share_emails", None, {})
    assert missing.body["message"] == "expected key is missing"
    mixed = change(ask, "share_emails", [first, first, "77"]).body["data"]
    assert [each["code"] for each in mixed] == ["SUCCESS", "DUPLICATE_DATA", "INVALID_DATA"]
    many = change(ask, "share_emails", [first] * 201).body
    assert many["details"]["maximum_length"] == 200
    deal = ask.ids("Deals")[0]
    refused = ask("POST", f"/Deals/{deal}/actions/share_emails")
    assert refused.body["code"] == "NOT_SUPPORTED"
