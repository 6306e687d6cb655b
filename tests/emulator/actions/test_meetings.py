"""Meetings are cancelled."""

import pytest

INVITED = [{"type": "email", "participant": "asha@example.com"}]


def meeting(ask, start="2027-01-01T10:00:00+05:30", end="2027-01-01T11:00:00+05:30", invited=True):
    """Make a meeting."""
    item = {"Event_Title": "Review", "Start_DateTime": start, "End_DateTime": end}
    if invited:
        item["Participants"] = INVITED
    return ask("POST", "/Events", None, {"data": [item]}).body["data"][0]["details"]["id"]


def cancel(ask, event, mail=False):
    """Cancel a meeting."""
    body = {"data": [{} if mail is None else {"send_cancelling_mail": mail}]}
    reply = ask("POST", f"/Events/{event}/actions/cancel", None, body)
    return reply.body["data"][0]


def test_a_cancelled_meeting_says_so(ask):
    """In the record, and in a list that names $event_cancelled."""
    event = meeting(ask)
    assert ask("GET", f"/Events/{event}").body["data"][0]["$event_cancelled"] is False
    done = cancel(ask, event)
    assert (done["message"], done["details"]) == (
        "The event is successfully cancelled",
        {"id": event},
    )
    assert ask("GET", f"/Events/{event}").body["data"][0]["$event_cancelled"] is True
    params = {"fields": "Event_Title,$event_cancelled", "ids": event}
    (listed,) = ask("GET", "/Events", params).body["data"]
    assert listed["$event_cancelled"] is True
    (plain,) = ask("GET", "/Events", {"fields": "Event_Title", "ids": event}).body["data"]
    assert "$event_cancelled" not in plain


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ({"invited": False}, "You cannot cancel the event without inviting participants"),
        (
            {"start": "2020-01-01T10:00:00+05:30", "end": "2020-01-01T11:00:00+05:30"},
            "You cannot cancel the meeting after the meeting end time",
        ),
    ],
)
def test_some_meetings_cannot_be_cancelled(ask, times, message):
    """Nobody invited, or over."""
    refused = cancel(ask, meeting(ask, **times))
    assert (refused["code"], refused["message"]) == ("NOT_ALLOWED", message)


def test_what_is_wrong_is_refused(ask):
    """A second time, without the key, of an unknown id, with another type."""
    event = meeting(ask)
    cancel(ask, event)
    assert cancel(ask, event)["message"] == "The event is already cancelled"
    assert cancel(ask, event, mail=None)["code"] == "MANDATORY_NOT_FOUND"
    assert cancel(ask, "77")["details"] == {"id": "77"}
    assert cancel(ask, event, mail="yes")["details"]["expected_data_type"] == "boolean"
