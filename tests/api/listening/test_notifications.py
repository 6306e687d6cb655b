"""Channels, held against the answers that Zoho's pages and recordings of live traffic show."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from zcrm_nb.api.listening import channel_tables, channels
from zcrm_nb.api.listening import notifications as watch
from zcrm_nb.errors import APIError, ConnectionFailed, NotFoundError, ServerError
from zcrm_nb.masking import Secret

TOKEN = "shared-secret-up-to-50-chars"
EXPIRY = "2026-03-07T09:00:00+00:00"
NOW_S = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()
# notifications/enable, the reply to a POST
SUBSCRIBED = {
    "watch": [
        {
            "code": "SUCCESS",
            "status": "success",
            "message": "Successfully subscribed for actions-watch of the given module",
            "details": {
                "events": [
                    {
                        "channel_expiry": EXPIRY,
                        "resource_uri": "https://www.zohoapis.com/crm/v2/Deals",
                        "resource_id": "5725000000000131",
                        "resource_name": "Deals",
                        "channel_id": "900000000001501",
                    }
                ]
            },
        }
    ]
}
# notifications/get-details
LISTED = {
    "watch": [
        {
            "channel_id": "900000000001501",
            "resource_id": "5725000000000131",
            "resource_name": "Deals",
            "resource_uri": "https://www.zohoapis.com/crm/v2/Deals",
            "events": ["Deals.create", "Deals.edit"],
            "notify_url": "https://app.example.test/zoho/hook?tenant=7",
            "token": TOKEN,
            "channel_expiry": EXPIRY,
            "notify_on_related_action": False,
            "return_affected_field_values": True,
            "fields": None,
            "notification_condition": None,
        }
    ],
    "info": {"per_page": 200, "count": 1, "page": 1, "more_records": False},
}
# the refusal that a production client recorded, HTTP 400
NOT_SUBSCRIBED = {
    "watch": [
        {
            "code": "NOT_SUBSCRIBED",
            "details": {},
            "message": "Not subscribed for actions-watch of the given channel",
            "status": "error",
        }
    ]
}
TOO_LONG = {
    "watch": [
        {
            "code": "INVALID_DATA",
            "details": {"maximum_length": 50, "api_name": "token", "json_path": "$.watch[0].token"},
            "message": "invalid data",
            "status": "error",
        }
    ]
}
UNSUBSCRIBED = {
    "watch": [
        {
            "code": "SUCCESS",
            "details": {
                "resource_uri": "https://www.zohoapis.com/crm/v2/Deals",
                "resource_id": "5725000000000131",
                "channel_id": "900000000001501",
            },
            "message": "Successfully un-subscribed from actions-watch",
            "status": "success",
        }
    ]
}


class Zoho:
    """Answers in turn with what it was given, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, method, path, *, params=None, json=None, headers=None, safe=None):
        assert path == "/crm/v8/actions/watch"
        self.asked.append((method, params or json))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def told(answer) -> bytes:
    return json.dumps(answer).encode()


def refused(answer, status=400):
    """What the gate makes of an answer with an error status."""
    error = APIError("x", code="x", status=status)
    error.body = told(answer)
    return error


def expiring(expiry):
    """The documented reply, with another end."""
    return json.loads(json.dumps(SUBSCRIBED).replace(EXPIRY, expiry))


def deals(**more):
    return channels.Channel(
        "900000000001501",
        ("Deals.create", "Deals.edit"),
        Secret("https://app.example.test/zoho/hook?tenant=7"),
        Secret(TOKEN),
        **more,
    )


def enabled(*answers, life_s=6 * 86400.0, channel=None):
    zoho = Zoho(*answers)
    outcome = watch.enable(zoho, channel or deals(), life_s, lambda: NOW_S)
    return outcome, zoho


# ---- What is sent --------------------------------------------------------------------------------


def test_the_body_is_the_documented_one():
    """Letter for letter what Zoho's page shows, wrapped in watch[]."""
    _, zoho = enabled(told(SUBSCRIBED), channel=deals(values=True, related=False))
    ((method, body),) = zoho.asked
    assert method == "POST"
    assert body == {
        "watch": [
            {
                "channel_id": "900000000001501",
                "events": ["Deals.create", "Deals.edit"],
                "notify_url": "https://app.example.test/zoho/hook?tenant=7",
                "token": TOKEN,
                "channel_expiry": EXPIRY,
                "return_affected_field_values": True,
                "notify_on_related_action": False,
            }
        ]
    }


def test_without_a_life_none_is_asked_for():
    """Zoho's hour then holds by Zoho's clock, whatever this machine's says."""
    outcome, zoho = enabled(told(SUBSCRIBED), life_s=None)
    assert "channel_expiry" not in zoho.asked[0][1]["watch"][0]
    assert outcome.ends == datetime.fromisoformat(EXPIRY)


# ---- What the answers mean -----------------------------------------------------------------------


def test_the_expiry_is_read_from_the_answer():
    """The effective one, for each module; the address in it counts for nothing."""
    outcome, _ = enabled(told(SUBSCRIBED))
    (row,) = channel_tables.channel_rows(deals(), outcome)
    assert (row["module"], row["expires"], row["status"]) == ("Deals", EXPIRY, "done")
    assert row["note"] is None


@pytest.mark.parametrize("answer", [told(TOO_LONG), refused(TOO_LONG), refused(TOO_LONG, 207)])
def test_a_refusal_is_read_whatever_its_status(answer):
    """Pages and specifications say 202, 207 and 400 for the same."""
    outcome, _ = enabled(answer)
    assert (outcome.status, outcome.code) == ("refused", "INVALID_DATA")
    assert "maximum_length: 50" in outcome.note


def test_an_error_that_is_not_about_a_channel_is_an_error():
    """Bare, as Zoho answers where the login or the address is at fault."""
    with pytest.raises(ServerError):
        enabled(ServerError("x", code="INTERNAL_ERROR", status=500))
    bare = {"code": "INVALID_MODULE", "details": {}, "message": "m", "status": "error"}
    with pytest.raises(NotFoundError):
        enabled(told(bare))


def test_an_hour_instead_of_a_week_is_asked_again_by_zohos_clock():
    """The silent fall-back tells what time it is there: a clock far off costs one more call."""
    there = datetime(2026, 9, 15, 3, 30, tzinfo=UTC)
    fallen_back = expiring((there + timedelta(hours=1)).isoformat())
    right = expiring((there + timedelta(days=6)).isoformat())
    outcome, zoho = enabled(told(fallen_back), told(right))
    method, body = zoho.asked[1]
    assert method == "PATCH"
    assert body["watch"][0]["channel_expiry"] == (there + timedelta(days=6)).isoformat()
    assert body["watch"][0]["events"] == ["Deals.create", "Deals.edit"]
    assert (outcome.ends, outcome.note) == (there + timedelta(days=6), "")


def test_a_channel_that_ends_too_soon_is_told_in_words():
    """Whatever the reason: nobody believes in a week and gets an hour."""
    hour = expiring("2026-03-01T10:00:00+00:00")
    outcome, _ = enabled(told(hour), told(hour))
    assert outcome.note == "144.0 hours were requested, but it ends at 2026-03-01 10:00 +0000."
    assert channel_tables.too_short(channel_tables.channel_rows(deals(), outcome))


def test_a_lost_answer_is_looked_up():
    """The id was ours to choose: whether the channel is there can be asked."""
    lost = ConnectionFailed("lost")
    outcome, zoho = enabled(lost, told(LISTED))
    assert zoho.asked[1] == ("GET", {"channel_id": "900000000001501"})
    assert (outcome.status, outcome.ends) == ("done", datetime.fromisoformat(EXPIRY))
    for nothing in (b"", refused(NOT_SUBSCRIBED)):
        with pytest.raises(ConnectionFailed):
            enabled(ConnectionFailed("lost"), nothing)


# ---- Renewing ------------------------------------------------------------------------------------


def test_renewal_replaces_the_channel_with_itself():
    """PUT takes away what is not sent, so everything is."""
    zoho = Zoho(told(SUBSCRIBED))
    outcome = watch.replace_channel(zoho, deals(), 6 * 86400.0, lambda: NOW_S)
    ((method, body),) = zoho.asked
    assert (method, outcome.status) == ("PUT", "done")
    assert body["watch"][0]["token"] == TOKEN
    assert body["watch"][0]["notify_url"].startswith("https://app.example.test")


def test_a_channel_that_has_ended_is_opened_again():
    """Zoho says NOT_SUBSCRIBED; what happened in between was not notified, and that is said."""
    zoho = Zoho(refused(NOT_SUBSCRIBED), told(SUBSCRIBED))
    outcome = watch.replace_channel(zoho, deals(), 6 * 86400.0, lambda: NOW_S)
    assert [method for method, _ in zoho.asked] == ["PUT", "POST"]
    assert outcome.note.startswith("It had ended")


def test_a_channel_of_another_program_is_prolonged_without_its_token():
    """PATCH leaves what is not sent; the token need not travel."""
    zoho = Zoho(told(LISTED), told(SUBSCRIBED))
    ((channel, outcome),) = watch.renewed(zoho, ["900000000001501"], {}, 6 * 86400.0, lambda: NOW_S)
    assert zoho.asked[1] == (
        "PATCH",
        {
            "watch": [
                {
                    "channel_id": "900000000001501",
                    "events": ["Deals.create", "Deals.edit"],
                    "channel_expiry": EXPIRY,
                }
            ]
        },
    )
    assert (channel.modules, outcome.status) == (["Deals"], "done")


def test_an_unknown_channel_is_not_renewed():
    """It ended, and nobody here knows what it was."""
    with pytest.raises(NotFoundError, match="Channel 7 was not found") as caught:
        watch.renewed(Zoho(told(LISTED)), ["7"], {}, None, lambda: NOW_S)
    assert caught.value.code == "NOT_SUBSCRIBED"


# ---- Closing -------------------------------------------------------------------------------------


def test_channels_are_closed_by_their_ids():
    """In one call; each has its outcome."""
    zoho = Zoho(told(UNSUBSCRIBED))
    assert watch.disable(zoho, ["900000000001501"])["900000000001501"].status == "done"
    assert zoho.asked == [("DELETE", {"channel_ids": ["900000000001501"]})]


def test_an_answer_that_leaves_a_channel_out_is_asked_for_alone():
    """One that has ended fails for itself, and another one's success is not taken for its own."""
    mixed = {"watch": [*UNSUBSCRIBED["watch"], *NOT_SUBSCRIBED["watch"]]}
    zoho = Zoho(told(mixed), refused(NOT_SUBSCRIBED))
    outcomes = watch.disable(zoho, ["900000000001501", "7"])
    assert {key: each.status for key, each in outcomes.items()} == {
        "900000000001501": "done",
        "7": "refused",
    }


def test_some_events_can_be_dropped():
    """PATCH with _delete_events, for every module of the channel."""
    zoho = Zoho(told(LISTED), told(UNSUBSCRIBED))
    outcomes = watch.drop_events(zoho, ["900000000001501", "7"], "edit")
    assert zoho.asked[1] == (
        "PATCH",
        {
            "watch": [
                {
                    "channel_id": "900000000001501",
                    "events": ["Deals.edit"],
                    "_delete_events": True,
                }
            ]
        },
    )
    assert outcomes["7"].code == "NOT_SUBSCRIBED"


# ---- Listing -------------------------------------------------------------------------------------


def test_a_list_of_none_is_empty():
    """Zoho answers 204 then."""
    assert watch.channels(Zoho(b"")) == []


def test_a_long_list_is_read_to_its_end():
    """More than 200 come in pages."""
    first = {**LISTED, "info": {"more_records": True}}
    zoho = Zoho(told(first), told(LISTED))
    assert len(watch.channels(zoho)) == 2
    assert [params["page"] for _, params in zoho.asked] == [1, 2]


def test_a_listed_channel_shows_neither_token_nor_keys():
    """Zoho returns the token in clear, and an address may hold a key."""
    (row,) = channel_tables.listed_rows(LISTED["watch"])
    assert TOKEN not in str(row)
    assert row["notify_url"] == "https://app.example.test/zoho/hook?tenant=****"
    assert (row["module"], row["values"], row["related"]) == ("Deals", True, False)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://me:pw@app.example.com/x?a=1&b=&c",
            "https://app.example.com/x?a=****&b=****&c=****",
        ),
        ("https://app.example.com/x", "https://app.example.com/x"),
        ("", ""),
    ],
)
def test_keys_in_an_address_are_masked(url, shown):
    """Query values and passwords."""
    assert channel_tables.without_keys(url) == shown


# ---- Conditions ----------------------------------------------------------------------------------


class Catalogue:
    """Deals and Leads, with a few fields."""

    def modules(self):
        return {name: {"api_name": name, "id": "5725000000000131"} for name in ("Deals", "Leads")}

    def fields(self, module):
        names = {"Stage": "5725000000000525", "Amount": "5725000000000523", "Closing_Date": "535"}
        if module not in self.modules():
            raise NotFoundError("no such module")
        return {name: {"api_name": name, "id": each} for name, each in names.items()}

    def field(self, module, name):
        if name not in self.fields(module):
            raise NotFoundError("no such field")
        return self.fields(module)[name]


def test_a_condition_is_written_as_documented():
    """Groups of two, with the ids of fields and module: the sample of Zoho's page."""
    written = channels.condition_of(
        Catalogue(), "Deals", condition={"or": ["Stage", {"and": ["Amount", "Closing_Date"]}]}
    )
    assert written == {
        "type": "field_selection",
        "module": {"api_name": "Deals", "id": "5725000000000131"},
        "field_selection": {
            "group_operator": "or",
            "group": [
                {"field": {"api_name": "Stage", "id": "5725000000000525"}},
                {
                    "group_operator": "and",
                    "group": [
                        {"field": {"api_name": "Amount", "id": "5725000000000523"}},
                        {"field": {"api_name": "Closing_Date", "id": "535"}},
                    ],
                },
            ],
        },
    }
    shown = channel_tables.listed_rows(
        [{**LISTED["watch"][0], "notification_condition": [written]}]
    )
    assert shown[0]["condition"] == {"or": ["Stage", {"and": ["Amount", "Closing_Date"]}]}


def test_any_of_three_fields_is_nested_in_pairs():
    """Zoho takes two members in a group."""
    written = channels.condition_of(
        Catalogue(), "Deals", fields=["Stage", "Amount", "Closing_Date"]
    )
    outer = written["field_selection"]
    assert [len(outer["group"]), len(outer["group"][1]["group"])] == [2, 2]
    assert outer["group"][1]["group_operator"] == "or"


def test_one_field_needs_no_group():
    """As Zoho's list shows such a channel."""
    written = channels.condition_of(Catalogue(), "Deals", fields=["Stage"])
    assert written["field_selection"] == {"field": {"api_name": "Stage", "id": "5725000000000525"}}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"fields": ["Stage"], "condition": {"or": ["Amount"]}}, "not both"),
        ({"fields": ["Stage"] * 11}, "at most 10 fields"),
        ({"condition": {"xor": ["Stage"]}}, "A condition is"),
        ({"condition": {"or": ["Stage"], "and": ["Amount"]}}, "A condition is"),
        ({"condition": {"or": []}}, "needs a list"),
        ({"condition": {"or": "Stage"}}, "needs a list"),
        ({"fields": []}, "needs a list"),
        ({"on": "change"}, "choose among"),
        ({"on": []}, "choose among"),
        ({"token": "x" * 51}, "50 characters"),
        ({"notify_url": "app.example.com"}, "web address"),
        ({"channel_id": "one"}, "64-bit integer"),
        ({"channel_id": 2**63}, "64-bit integer"),
        ({"modules": []}, "one module"),
    ],
)
def test_what_zoho_would_refuse_is_refused_before(asked, words):
    """With a word on what would do."""
    usual = {"modules": "Deals", "on": "all", "notify_url": "https://a.test/x", "token": None}
    call = {**usual, **asked}
    with pytest.raises(ValueError, match=words) as caught:
        channels.channel(
            Catalogue(), call.pop("modules"), call.pop("on"), call.pop("notify_url"), **call
        )
    assert "xxxx" not in str(caught.value)


def test_an_unknown_field_or_module_is_refused_before():
    """Metadata knows."""
    for call in (("Dealz", "all"), ("Deals", "all")):
        with pytest.raises(NotFoundError):
            channels.channel(Catalogue(), *call, "https://a.test/x", token=None, fields=["Stagee"])


@pytest.mark.parametrize(
    ("expires", "seconds"),
    [
        (None, None),
        (timedelta(hours=2), 7200.0),
        (datetime(2026, 3, 1, 14, 30, tzinfo=UTC), 5.5 * 3600),
        (timedelta(days=7), 7 * 86400 - 120.0),
    ],
)
def test_a_life_is_a_moment_or_a_span(expires, seconds):
    """A whole week is asked for with two minutes to spare: clocks differ."""
    assert channels.lifetime_s(expires, NOW_S) == seconds


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        (timedelta(days=8), "a week at most"),
        (timedelta(0), "in the past"),
        (datetime(2026, 2, 1, tzinfo=UTC), "in the past"),
        (datetime(2026, 3, 2), "time zone"),  # noqa: DTZ001 - that is the point
    ],
)
def test_more_than_a_week_is_refused_not_cut(expires, words):
    """Zoho would take an hour for it."""
    with pytest.raises(ValueError, match=words):
        channels.lifetime_s(expires, NOW_S)


def test_a_channel_shows_no_secret():
    """In a repr, as in a traceback with locals."""
    assert TOKEN not in repr(deals())
    assert "tenant=7" not in repr(deals())
