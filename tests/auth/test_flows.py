"""The ways to log in, against a stand-in for Zoho Accounts that a test tells what to answer."""

import json
import logging
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_leaks import everything_shown
from zcrm_nb.auth.data_centres import DATA_CENTRES, addresses
from zcrm_nb.auth.flows import (
    Client,
    Consent,
    ask_for_device,
    await_device,
    log_in_with_code,
    log_in_with_token,
    read_redirect,
)
from zcrm_nb.errors import ConnectionFailed, LoginError, ZohoError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.wsgi import WSGIAdapter

CLIENT_SECRET = "planted0client0secret"
CODE = "1000.c0dec0dec0dec0dec0dec0dec0dec0de.c0dec0dec0dec0dec0dec0dec0dec0de"
REFRESH = "1000.feedfacefeedfacefeedfacefeedface.feedfacefeedfacefeedfacefeedface"
ACCESS = "1000.abababababababababababababababab.abababababababababababababababab"
DEVICE = "1004.dededededededededededededededede.dededededededededededededededede"
PLANTED = (CLIENT_SECRET, "c0dec0de", "feedface", "abababab", "dededede")
HERE = "http://127.0.0.1:8765/callback"
TOKENS = {
    "access_token": ACCESS,
    "refresh_token": REFRESH,
    "scope": "ZohoCRM.modules.READ",
    "token_type": "Bearer",
    "expires_in": 3600,
}
ASKED = {
    "user_code": "7QX-KD-M2P",
    "device_code": DEVICE,
    "verification_url": "https://accounts.zoho.com/oauth/v3/device",
    "verification_uri_complete": "https://accounts.zoho.com/oauth/v3/device?user_code=7QX-KD-M2P",
    "interval": 30000,
    "expires_in": 300000,
}


class Accounts:
    """Every accounts server of Zoho in one callable; answers what is queued, notes who asks."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        assert not environ["QUERY_STRING"], "a secret in the query would be written to logs"
        self.asked.append((environ["HTTP_HOST"], environ["PATH_INFO"], form))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        start_response("200 OK", [("Content-Type", "application/json")])
        return [answer if isinstance(answer, bytes) else json.dumps(answer).encode()]

    @property
    def hosts(self):
        return [host for host, _, _ in self.asked]


def client(accounts, dc="us", **options):
    return Client(
        "1000.CLIENT",
        Secret(CLIENT_SECRET),
        addresses(dc, **options),
        WSGIAdapter(accounts),
    )


def returned(consent, **fields):
    """What the browser brings back."""
    state = f"state={consent.request.state}&" if "state" not in fields else ""
    return Secret(f"{HERE}?{state}" + "&".join(f"{key}={value}" for key, value in fields.items()))


@pytest.fixture
def time():
    """A clock that moves when somebody waits."""

    class Time:
        def __init__(self):
            self.now, self.waited = 1_800_000_000.0, []

        def __call__(self):
            return self.now

        def wait(self, seconds):
            self.waited.append(seconds)
            self.now += seconds

    return Time()


# ---- Consent in the browser ----------------------------------------------------------------------


def test_consent_asks_for_a_login_that_lasts():
    """Zoho gives a refresh token only for offline access, and for certain only after consent."""
    asked = Consent.ask(client(Accounts()), ["a.b.READ", "c.d.READ"], HERE)
    query = {key: value[0] for key, value in parse_qs(urlsplit(asked.request.url).query).items()}
    assert (query["access_type"], query["prompt"]) == ("offline", "consent")
    assert query["scope"] == "a.b.READ,c.d.READ"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == HERE


def test_consent_ends_in_a_login_at_home():
    """The data centre comes from the redirect, the address of the API from the token reply."""
    accounts = Accounts(TOKENS | {"api_domain": "https://www.zohoapis.eu"})
    asked = Consent.ask(client(accounts), ["a.b.READ"], HERE)
    came = returned(
        asked, code=CODE, location="eu", **{"accounts-server": "https%3A%2F%2Faccounts.zoho.eu"}
    )
    login = asked.finish(came)
    assert accounts.hosts == ["accounts.zoho.eu"]
    assert login.grant.accounts_url == "https://accounts.zoho.eu"
    assert login.where.api_domain == "https://www.zohoapis.eu"
    assert login.where.upload_url == "https://content.zohoapis.eu"
    form = accounts.asked[0][2]
    assert form["code"] == CODE
    assert form["redirect_uri"] == HERE
    assert form["code_verifier"] == asked.request.verifier.reveal()


@pytest.mark.parametrize("code", DATA_CENTRES)
def test_the_location_alone_leads_home(code):
    """Should Zoho leave the accounts server out."""
    accounts = Accounts(TOKENS)
    asked = Consent.ask(client(accounts, "us", environment="sandbox"), ["a.b.READ"], HERE)
    login = asked.finish(returned(asked, code=CODE, location=code))
    assert accounts.hosts == [DATA_CENTRES[code].accounts]
    assert login.where == addresses(code, "sandbox")


@pytest.mark.parametrize(
    "server",
    [
        "https://accounts.zoho.example",
        "https://accounts.zoho.eu.example.com",
        "https://accounts.zoho.eu@example.com",
        "http://accounts.zoho.eu",
        "https://www.zohoapis.eu",
        "https://accounts.zoho.eu:8443",
        "http://127.0.0.1:9",
    ],
)
def test_a_host_that_is_not_zohos_gets_nothing(server):
    """The client secret would travel there."""
    accounts = Accounts()
    asked = Consent.ask(client(accounts), ["a.b.READ"], HERE)
    with pytest.raises(LoginError, match="nothing was sent there"):
        asked.finish(returned(asked, code=CODE, **{"accounts-server": server}))
    assert accounts.asked == []


def test_a_host_that_the_caller_named_is_not_left():
    """A proxy is there for a reason; and an emulator must never lead to the real Zoho."""
    accounts = Accounts(TOKENS)
    named = {"accounts_url": "https://proxy.example", "api_domain": "https://api.example"}
    asked = Consent.ask(client(accounts, **named), ["a.b.READ"], HERE)
    login = asked.finish(returned(asked, code=CODE, location="eu"))
    assert accounts.hosts == ["proxy.example"]
    assert login.where.api_domain == "https://api.example"


@pytest.mark.parametrize(
    "text",
    [
        CODE,
        f" {CODE}\n",
        f"'{CODE}'",
        f"code={CODE}&location=eu",
        f"?location=eu&code={CODE}",
        f"{HERE}?state=xyz&code={CODE}",
        f"<{HERE}?code={CODE}&state=xyz>",
        f"/callback?state=xyz&code={CODE}",
        f"{HERE}#state=xyz&code={CODE}",
        f"{HERE}?state=xyz&\n  code={CODE[:20]}\n{CODE[20:]}",
        f"{CODE[:20]} {CODE[20:]}",
        f"\ufeff{CODE}\u200b",
    ],
)
def test_whatever_a_person_pastes_is_read(text):
    """The address, a part of it, or the code."""
    assert read_redirect(Secret(text), "xyz").code == Secret(CODE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HERE}?state=other&code={CODE}", "another login"),
        (f"{HERE}?state=xyz", "no code"),
        ("", "no code"),
        ("I accepted it, what now?", "no code"),
        (f"{HERE}?state=xyz&error=access_denied", "declined"),
        (f"{HERE}?state=other&error=access_denied", "another login"),
        (f"{HERE}?state=xyz&error=invalid_scope", "refused"),
    ],
)
def test_what_is_no_answer_is_told_with_what_to_do(text, words):
    """Three lines, and no code in them."""
    with pytest.raises(LoginError, match=words) as caught:
        read_redirect(Secret(text), "xyz")
    assert caught.value.todo
    assert not leaks(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        f"{HERE}?code={CODE}",
        f"https://example.com/callback?state=xyz&code={CODE}",
        f"http://127.0.0.1:8766/callback?state=xyz&code={CODE}",
        f"http://user@evil.example/callback?state=xyz&code={CODE}",
        f"https://accounts.zoho.eu/oauth/v2/auth?state=xyz&client_id=1000.ABC&code={CODE}",
    ],
)
def test_an_address_that_was_not_asked_for_is_refused_before_it_is_sent(address):
    """Without this login's state, or at another host: its code may be another person's."""
    with pytest.raises(LoginError, match="not the address we asked for") as caught:
        read_redirect(Secret(address), "xyz", redirect_uri=HERE)
    assert not leaks(caught.value)


@pytest.mark.parametrize(
    "text", ["http://[x/?code=1", "http://[::1/?state=xyz", "//[", "[x]?code=a"]
)
def test_brackets_in_a_paste_are_no_traceback(text):
    """Urlsplit takes them for half an IPv6 address."""
    with suppress(LoginError):
        read_redirect(Secret(text), "xyz", redirect_uri=HERE)


@pytest.mark.parametrize("pasted", ["<your code>", "1000.ab cd!", "é", "1000.a\u0430b.cd"])
def test_a_code_that_cannot_be_one_is_not_sent(pasted):
    """It would only use up one of ten tries."""
    accounts = Accounts(TOKENS)
    for log_in in (log_in_with_code, log_in_with_token):
        with pytest.raises(LoginError, match="nothing was sent"):
            log_in(client(accounts), Secret(pasted))
    assert accounts.asked == []


@given(text=st.text())
def test_no_text_makes_reading_fail_in_another_way(text):
    """Whatever the clipboard held."""
    with suppress(LoginError):
        assert read_redirect(Secret(text), "xyz").code


# ---- Codes and tokens at hand --------------------------------------------------------------------


def test_a_self_client_sends_no_redirect_uri():
    """Its code was not sent anywhere."""
    accounts = Accounts(TOKENS | {"api_domain": "https://sandbox.zohoapis.in"})
    login = log_in_with_code(client(accounts, "in", environment="sandbox"), Secret(CODE))
    assert "redirect_uri" not in accounts.asked[0][2]
    assert login.where.api_domain == "https://sandbox.zohoapis.in"
    assert login.grant.refresh_token == Secret(REFRESH)


def test_a_refresh_token_is_tried_at_once():
    """Better to hear now that it is revoked than in the first query."""
    with pytest.raises(LoginError, match="invalid_code"):
        log_in_with_token(client(Accounts({"error": "invalid_code"})), Secret(REFRESH))


def test_a_login_that_would_end_in_an_hour_is_refused():
    """Without offline access there is no refresh token."""
    online = {name: value for name, value in TOKENS.items() if name != "refresh_token"}
    with pytest.raises(LoginError, match="would end in an hour"):
        log_in_with_code(client(Accounts(online)), Secret(CODE))


def test_the_environment_of_the_grant_must_be_the_one_asked_for():
    """A sandbox login must not pass for production."""
    accounts = Accounts(TOKENS | {"api_domain": "https://sandbox.zohoapis.com"})
    with pytest.raises(LoginError, match="sandbox"):
        log_in_with_code(client(accounts), Secret(CODE))


# ---- Device --------------------------------------------------------------------------------------


def test_the_device_flow_asks_as_zoho_wants_it(time):
    """Thirty seconds between two questions, and no client secret before there is a code."""
    accounts = Accounts(ASKED, {"error": "authorization_pending"}, {"error": "slow_down"}, TOKENS)
    device = ask_for_device(client(accounts), ["a.b.READ", "c.d.READ"])
    assert (device.user_code, device.every_s, device.life_s) == ("7QX-KD-M2P", 30.0, 300.0)
    left = []
    login = await_device(client(accounts), device, wait=time.wait, tell=left.append, clock=time)
    assert login.token.access == Secret(ACCESS)
    assert time.waited == [30.0, 30.0, 30.0]
    assert left == [300.0, 270.0, 240.0]
    first, *polls = accounts.asked
    assert first[1:] == (
        "/oauth/v3/device/code",
        {
            "client_id": "1000.CLIENT",
            "grant_type": "device_request",
            "scope": "a.b.READ,c.d.READ",
            "access_type": "offline",
            "prompt": "consent",
        },
    )
    assert {path for _, path, _ in polls} == {"/oauth/v3/device/token"}
    assert polls[0][2]["grant_type"] == "device_token"
    assert polls[0][2]["code"] == DEVICE


@pytest.mark.parametrize(
    ("interval", "expires_in", "every_s", "life_s"),
    [
        (5, 600, 5.0, 600.0),
        (1000, 300000, 1.0, 300.0),
        (None, 300000, 30.0, 300.0),
        ("soon", -1, 30.0, 300.0),
        (0.1, 300, 1.0, 300.0),
    ],
)
def test_times_in_either_unit_are_read(interval, expires_in, every_s, life_s):
    """That Zoho counts in milliseconds is known from implementers only."""
    accounts = Accounts(ASKED | {"interval": interval, "expires_in": expires_in})
    device = ask_for_device(client(accounts), ["a.b.C"])
    assert (device.every_s, device.life_s) == (every_s, life_s)


def test_a_person_of_another_data_centre_is_followed_there(time):
    """The login goes on where the account lives."""
    accounts = Accounts(ASKED, {"error": "other_dc", "user_location": "eu"}, TOKENS)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    login = await_device(client(accounts), device, wait=time.wait, clock=time)
    assert accounts.hosts[1:] == ["accounts.zoho.com", "accounts.zoho.eu"]
    assert login.grant.accounts_url == "https://accounts.zoho.eu"
    assert login.where.api_domain == "https://www.zohoapis.eu"


@pytest.mark.parametrize("place", ["mars", "", "example.com", "us"])
def test_a_place_that_is_no_other_data_centre_ends_the_login(time, place):
    """Nothing is sent to where the table does not lead."""
    accounts = Accounts(ASKED, {"error": "other_dc", "user_location": place})
    device = ask_for_device(client(accounts), ["a.b.READ"])
    with pytest.raises(LoginError, match="another data centre"):
        await_device(client(accounts), device, wait=time.wait, clock=time)
    assert set(accounts.hosts) == {"accounts.zoho.com"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "access_denied"}, "declined"),
        ({"error": "expired"}, "not used in time"),
        ({"error": "invalid_client_secret"}, "Check the client secret"),
        ({"error": "odd"}, "log in again"),
    ],
)
def test_a_device_login_that_fails_says_what_to_do(time, answer, words):
    """In words, not in Zoho's code alone."""
    accounts = Accounts(ASKED, answer)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    with pytest.raises(LoginError, match=words) as caught:
        await_device(client(accounts), device, wait=time.wait, clock=time)
    assert not leaks(caught.value)


def test_a_code_that_nobody_used_ends_by_itself(time):
    """After five minutes there is nothing to wait for."""
    accounts = Accounts(ASKED, *[{"error": "authorization_pending"}] * 10)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    with pytest.raises(LoginError, match="not used in time"):
        await_device(client(accounts), device, wait=time.wait, clock=time)
    assert sum(time.waited) == 300.0


def test_a_login_that_is_given_up_asks_no_more():
    """Cancel means now."""
    accounts = Accounts(ASKED)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    with pytest.raises(LoginError, match="cancelled"):
        await_device(client(accounts), device, wait=lambda seconds: True)
    assert len(accounts.asked) == 1


def test_a_hiccup_of_the_network_does_not_end_the_wait_but_three_do(time):
    """The person may be typing the code right now."""
    torn = ConnectionResetError("torn")
    accounts = Accounts(ASKED, torn, torn, {"error": "authorization_pending"}, torn, TOKENS)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    assert await_device(client(accounts), device, wait=time.wait, clock=time).token
    accounts = Accounts(ASKED, torn, torn, torn)
    device = ask_for_device(client(accounts), ["a.b.READ"])
    with pytest.raises(ConnectionFailed):
        await_device(client(accounts), device, wait=time.wait, clock=time)


@pytest.mark.parametrize("url", ["https://example.com/device", "javascript:alert(1)", ""])
def test_a_person_is_sent_to_zoho_only(url):
    """The address becomes a link that somebody clicks."""
    answer = ASKED | {"verification_url": url, "verification_uri_complete": url}
    device = ask_for_device(client(Accounts(answer)), ["a.b.READ"])
    assert device.url == "https://accounts.zoho.com/oauth/v3/device"
    assert device.url_with_code == device.url


@pytest.mark.parametrize("answer", [{"error": "invalid_client"}, {"user_code": "x"}, b"<html>"])
def test_a_device_code_that_is_not_given_is_told(answer):
    """There is no third outcome."""
    with pytest.raises((LoginError, ConnectionFailed)) as caught:
        ask_for_device(client(Accounts(answer)), ["a.b.READ"])
    assert caught.value.todo


# ---- Secrets -------------------------------------------------------------------------------------


def leaks(error):
    """What is shown of the error; the frames of this file know what was planted."""
    shown = [text for text in everything_shown(error) if not text.startswith(__file__)]
    return [(word, text) for text in shown for word in PLANTED if word in text]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_code", "error_description": f"code {CODE}"},
        {"access_token": ACCESS},
        TOKENS | {"api_domain": "https://example.com"},
        TOKENS | {"expires_in": "soon"},
        b"torn",
        ConnectionResetError("torn"),
        RuntimeError("a fault of the transport"),
        KeyboardInterrupt(),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", ["consent", "code", "token", "device"])
def test_whatever_fails_shows_no_secret(way, answer, time, caplog):
    """Message, repr, frames with their locals, pickle, logs: for every way and every failure."""
    if way == "token" and isinstance(answer, dict) and answer == {"access_token": ACCESS}:
        pytest.skip("a refresh token that gives an access token is a login")
    failures = (ZohoError, RuntimeError, KeyboardInterrupt)
    with caplog.at_level(logging.DEBUG), pytest.raises(failures) as caught:
        start(way, answer, time)
    assert not leaks(caught.value)
    assert not [word for word in PLANTED if word in caplog.text]


def start(way, answer, time):
    """Walk a way to its end."""
    accounts = Accounts(*([ASKED] if way == "device" else []), *[answer] * 3)
    who = client(accounts)
    match way:
        case "consent":
            asked = Consent.ask(who, ["a.b.READ"], HERE)
            return asked.finish(returned(asked, code=CODE))
        case "code":
            return log_in_with_code(who, Secret(CODE))
        case "token":
            return log_in_with_token(who, Secret(REFRESH))
        case "device":
            device = ask_for_device(who, ["a.b.READ"])
            return await_device(who, device, wait=time.wait, clock=time)


def test_nothing_on_the_way_shows_a_secret():
    """Objects are printed in notebooks all the time."""
    accounts = Accounts(TOKENS, ASKED)
    asked = Consent.ask(client(accounts), ["a.b.READ"], HERE)
    came = returned(asked, code=CODE)
    shown = [asked, read_redirect(came, asked.request.state), asked.finish(came)]
    shown += [client(accounts), ask_for_device(client(accounts), ["a.b.READ"])]
    assert not [word for word in PLANTED if word in repr(shown)]
