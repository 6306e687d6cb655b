"""E-mails are sent to records and listed."""

import pytest


@pytest.fixture
def sender(emulator):
    """E-mail address of an active user."""
    return emulator.store.read("SELECT email FROM Users WHERE status = 'active'")[0][0]


def mail(sender, **changes):
    """An e-mail that can be sent."""
    return {
        "from": {"user_name": "Me", "email": sender},
        "to": [{"user_name": "Asha", "email": "asha@example.com"}],
        "subject": "Hello",
        "content": "<p>Good <b>morning</b></p>",
        "mail_format": "html",
        **changes,
    }


def send(ask, record, item, module="Leads"):
    """Send an e-mail to a record."""
    path = f"/{module}/{record}/actions/send_mail"
    return ask("POST", path, None, {"data": [item]}).body["data"][0]


@pytest.mark.parametrize("module", ["Leads", "Contacts", "Deals"])
def test_a_sent_mail_is_listed_and_can_be_read(ask, sender, module):
    """The list has a summary, the one e-mail its content."""
    record = ask.ids(module)[0]
    assert ask("GET", f"/{module}/{record}/Emails").status == 204
    done = send(ask, record, mail(sender), module)
    message_id = done["details"]["message_id"]
    body = ask("GET", f"/{module}/{record}/Emails").body
    (listed,) = body["Emails"]
    assert (listed["subject"], listed["summary"]) == ("Hello", "Good morning")
    assert listed["linked_record"]["id"] == record
    assert body["info"]["more_records"] is False
    (one,) = ask("GET", f"/{module}/{record}/Emails/{message_id}").body["Emails"]
    assert one["content"] == "<p>Good <b>morning</b></p>"
    assert ask("GET", f"/{module}/{record}/Emails", {"type": "drafts"}).status == 204
    assert ask("GET", f"/{module}/{record}/Emails/77").status == 204


def test_pages_are_walked_by_their_index(ask, sender):
    """Ten on a page, the last one first."""
    record = ask.ids("Leads")[0]
    for number in range(12):
        send(ask, record, mail(sender, subject=f"Number {number}"))
    first = ask("GET", f"/Leads/{record}/Emails").body
    assert [len(first["Emails"]), first["Emails"][0]["subject"]] == [10, "Number 11"]
    index = {"index": first["info"]["next_index"]}
    second = ask("GET", f"/Leads/{record}/Emails", index).body
    assert [each["subject"] for each in second["Emails"]] == ["Number 1", "Number 0"]
    wrong = ask("GET", f"/Leads/{record}/Emails", {"index": "x"}).body
    assert wrong["details"] == {"param_name": "index"}


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"from": None}, "$.data[0].from"),
        ({"from": {"email": "stranger@example.com"}}, "$.data[0].from.email"),
        ({"to": []}, "$.data[0].to"),
        ({"to": [{"email": "x"}]}, "$.data[0].to[0].email"),
        ({"subject": ""}, "$.data[0].subject"),
        ({"mail_format": "pdf"}, "$.data[0].mail_format"),
        ({"cc": "x"}, "$.data[0].cc"),
    ],
)
def test_what_is_wrong_is_refused_where_it_stands(ask, sender, changes, path):
    """Nothing is sent then."""
    record = ask.ids("Leads")[0]
    refused = send(ask, record, mail(sender, **changes))
    assert refused["details"]["json_path"] == path
    assert ask("GET", f"/Leads/{record}/Emails").status == 204


def test_e_mails_of_merged_records_move_to_the_master(ask, sender):
    """They hang on it afterwards."""
    master, child = ask.ids("Contacts")[:2]
    send(ask, child, mail(sender), "Contacts")
    body = {"merge": [{"data": [{"id": child}], "master_record_fields": []}]}
    assert ask("POST", f"/Contacts/{master}/actions/merge", None, body).status == 201
    assert len(ask("GET", f"/Contacts/{master}/Emails").body["Emails"]) == 1
