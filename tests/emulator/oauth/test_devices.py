"""The device flow: a code on one screen, the yes on another."""

import re
from urllib.parse import urlencode

import pytest

SCOPES = "ZohoCRM.modules.READ,ZohoCRM.coql.READ"


class Gadget:
    """A device without a browser."""

    def __init__(self, ask, **begin):
        self.ask, self.emulator = ask, ask.emulator
        self.own = self.emulator.client(name="Wall display")
        self.began = self.begin(**begin).body

    def begin(self, **changes):
        """Ask for a code."""
        asked = {
            "client_id": self.own["client_id"],
            "grant_type": "device_request",
            "scope": SCOPES,
            "access_type": "offline",
        }
        return self.ask.accounts("/oauth/v3/device/code", **{**asked, **changes})

    def poll(self, *, host="accounts.zoho.test", **changes):
        """Ask how things stand."""
        form = {"grant_type": "device_token", "code": self.began["device_code"], **self.own}
        body = urlencode({**form, **changes}).encode()
        return self.ask.send("POST", "/oauth/v3/device/token", None, body, host=host)

    def poll_later(self, **how):
        """Wait as long as one must, then ask."""
        self.emulator.clock.advance(30)
        return self.poll(**how).body

    def page(self, **query):
        """What a person sees."""
        return self.ask.send("GET", "/oauth/v3/device", query, host="accounts.zoho.test")


@pytest.fixture
def gadget(ask):
    """Begin a flow."""
    return Gadget(ask)


def test_the_flow_begins_with_two_codes(gadget):
    """Keys and numbers of §1.9; times in milliseconds."""
    page = "https://accounts.zoho.test/oauth/v3/device"
    user_code, device_code = gadget.began["user_code"], gadget.began["device_code"]
    assert re.fullmatch(r"[A-Z2-9]{3}-[A-Z2-9]{2}-[A-Z2-9]{3}", user_code)
    assert re.fullmatch(r"1004\.[0-9a-f]{32}\.[0-9a-f]{32}", device_code)
    assert gadget.began == {
        "user_code": user_code,
        "device_code": device_code,
        "verification_url": page,
        "verification_uri_complete": f"{page}?user_code={user_code}",
        "interval": 30_000,
        "expires_in": 300_000,
    }


def test_the_unit_and_the_interval_are_settings(make):
    """UNCONFIRMED that they count milliseconds."""
    began = Gadget(make({"device_times_in_ms": False, "device_interval_s": 5})).began
    assert (began["interval"], began["expires_in"]) == (5, 300)


def test_the_same_seed_gives_the_same_codes(make):
    """A lesson shows the same text each time."""
    assert Gadget(make()).began == Gadget(make()).began


def test_after_the_yes_a_poll_brings_the_tokens(gadget):
    """They begin with 1004 and open the API; refreshed at /oauth/v2/token like any other."""
    assert gadget.poll().body == {"error": "authorization_pending"}
    gadget.emulator.approve_device(gadget.began["user_code"])
    reply = gadget.poll_later()
    assert reply["access_token"].startswith("1004.")
    assert reply["refresh_token"].startswith("1004.")
    assert reply["api_domain"] == "https://www.zohoapis.test"
    assert (reply["token_type"], reply["expires_in"]) == ("Bearer", 3600)
    renewed = gadget.ask.refresh(**gadget.own, refresh_token=reply["refresh_token"]).body
    assert renewed["access_token"].startswith("1004.")
    gadget.ask.token = renewed["access_token"]
    assert gadget.ask("GET", "/Leads", {"fields": "id"}).status == 200


def test_the_tokens_are_given_once(gadget):
    """The code is used up."""
    gadget.emulator.approve_device(gadget.began["user_code"])
    assert "access_token" in gadget.poll_later()
    assert gadget.poll_later() == {"error": "invalid_code"}


def test_parameters_may_travel_in_the_query_string(gadget):
    """Both calls."""
    asked = {"client_id": gadget.own["client_id"], "grant_type": "device_request", "scope": SCOPES}
    began = gadget.ask.send("POST", "/oauth/v3/device/code", asked).body
    asked = {**gadget.own, "grant_type": "device_token", "code": began["device_code"]}
    reply = gadget.ask.send("POST", "/oauth/v3/device/token", asked)
    assert (reply.status, reply.body) == (200, {"error": "authorization_pending"})


def test_two_polls_within_thirty_seconds_are_too_fast(gadget):
    """slow_down, and from then on the full 30 seconds by the org's clock."""
    assert gadget.poll().body == {"error": "authorization_pending"}
    gadget.emulator.clock.advance(29)
    assert gadget.poll().body == {"error": "slow_down"}
    gadget.emulator.clock.advance(29)
    assert gadget.poll().body == {"error": "slow_down"}
    assert gadget.poll_later() == {"error": "authorization_pending"}


def test_a_poll_too_fast_costs_only_time(gadget):
    """The tokens are still there afterwards."""
    gadget.poll()
    gadget.emulator.approve_device(gadget.began["user_code"])
    assert gadget.poll().body == {"error": "slow_down"}
    assert "access_token" in gadget.poll_later()


def test_a_no_reaches_the_device(gadget):
    """access_denied, for good."""
    gadget.emulator.refuse_device(gadget.began["user_code"])
    assert gadget.poll_later() == {"error": "access_denied"}
    assert gadget.poll_later() == {"error": "access_denied"}


@pytest.mark.parametrize("allowed", [True, False])
def test_after_five_minutes_it_is_over(gadget, allowed):
    """expired, whether or not somebody said yes that was never fetched."""
    if allowed:
        gadget.emulator.approve_device(gadget.began["user_code"])
    gadget.emulator.clock.advance(300)
    assert gadget.poll().body == {"error": "expired"}


def test_until_then_there_is_time(gadget):
    """To the last second; then the page does not know the code any more."""
    gadget.emulator.clock.advance(299)
    assert gadget.poll().body == {"error": "authorization_pending"}
    gadget.emulator.clock.advance(1)
    with pytest.raises(ValueError, match="No device is waiting"):
        gadget.emulator.approve_device(gadget.began["user_code"])


def test_the_status_of_what_a_poll_says_is_a_setting(make):
    """UNCONFIRMED; 200 like other token errors."""
    assert Gadget(make()).poll().status == 200
    assert Gadget(make({"device_feedback_status": 400})).poll().status == 400


def test_a_user_of_another_data_centre_is_polled_there(make):
    """other_dc and user_location once the yes is there; the tokens are at that centre, at once."""
    gadget = Gadget(make({"location": "eu"}))
    assert gadget.poll(host="accounts.zoho.com").body == {"error": "authorization_pending"}
    gadget.emulator.approve_device(gadget.began["user_code"])
    abroad = gadget.poll_later(host="accounts.zoho.com")
    assert abroad == {"error": "other_dc", "user_location": "eu"}
    home = gadget.poll(host="accounts.zoho.eu").body
    assert home["api_domain"] == "https://www.zohoapis.eu"


def test_online_access_is_the_default(ask):
    """No refresh token then."""
    gadget = Gadget(ask, access_type="")
    gadget.emulator.approve_device(gadget.began["user_code"])
    assert "refresh_token" not in gadget.poll_later()


def test_a_refresh_token_comes_the_first_time_or_with_prompt(gadget):
    """As on the consent page."""

    def again(**how):
        gadget.began = gadget.begin(**how).body
        gadget.emulator.approve_device(gadget.began["user_code"])
        return gadget.poll_later()

    assert "refresh_token" in again()
    assert "refresh_token" not in again()
    assert "refresh_token" in again(prompt="consent")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"grant_type": "device_token"}, "invalid_client"),
        ({"scope": "ZohoCRM.modules.Ledas.READ"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
    ],
)
def test_a_flow_that_cannot_begin_says_why(gadget, changes, error):
    """HTTP 200 with the word, like every token error."""
    reply = gadget.begin(**changes)
    assert (reply.status, reply.body) == (200, {"error": error})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"grant_type": "authorization_code"}, "invalid_client"),
        ({"code": "1004.a.b"}, "invalid_code"),
    ],
)
def test_a_poll_that_is_no_good_says_why(gadget, changes, error):
    """And leaves the flow as it was."""
    gadget.emulator.approve_device(gadget.began["user_code"])
    assert gadget.poll(**changes).body == {"error": error}
    assert "access_token" in gadget.poll().body


def test_a_call_without_grant_type_is_a_plain_400(gadget):
    """As at the token endpoint."""
    assert gadget.begin(grant_type="").status == 400
    assert gadget.poll(grant_type="").status == 400


def test_another_client_cannot_poll(gadget):
    """It learns nothing, and takes nothing."""
    gadget.emulator.approve_device(gadget.began["user_code"])
    assert gadget.poll(**gadget.emulator.client()).body == {"error": "invalid_code"}
    assert "access_token" in gadget.poll().body


def test_the_page_asks_for_a_code_and_then_for_a_yes(gadget):
    """A labelled field first; then the same code again, who wants what, and the two buttons."""
    first = gadget.page()
    assert first.status == 200
    assert b'<label for="user_code">' in first.raw
    second = gadget.page(user_code=gadget.began["user_code"])
    for part in (gadget.began["user_code"], "Wall display", 'id="accept"', 'id="reject"'):
        assert part in second.raw.decode()
    assert b"Read records by COQL queries" in second.raw


def test_a_code_may_be_typed_carelessly(gadget):
    """Without dashes, in small letters."""
    typed = gadget.began["user_code"].replace("-", " ").lower()
    gadget.emulator.approve_device(typed)
    assert "access_token" in gadget.poll_later()


def test_an_unknown_code_is_said_to_be_one(gadget):
    """On the page with the field, with what was typed, escaped."""
    reply = gadget.page(user_code='"><script>')
    assert reply.status == 400
    assert b"No device is waiting with this code" in reply.raw
    assert b'value="&quot;&gt;&lt;script&gt;"' in reply.raw


def test_the_first_answer_counts(gadget):
    """A second open page changes nothing."""
    code = gadget.began["user_code"]
    tickets = [
        re.search(rb'name="ticket" value="([^"]+)"', gadget.page(user_code=code).raw)[1].decode()
        for _ in range(2)
    ]
    answers = [
        gadget.ask.accounts("/oauth/v3/device", ticket=ticket, answer=answer)
        for ticket, answer in zip(tickets, ("reject", "accept"), strict=True)
    ]
    assert [each.status for each in answers] == [200, 400]
    assert gadget.poll_later() == {"error": "access_denied"}


def test_nobody_answers_who_has_not_seen_the_page(gadget):
    """A ticket that is guessed or missing changes nothing."""
    forged = {"user_code": gadget.began["user_code"], "answer": "accept", "ticket": "guessed"}
    assert gadget.ask.accounts("/oauth/v3/device", **forged).status == 400
    assert gadget.poll_later() == {"error": "authorization_pending"}
