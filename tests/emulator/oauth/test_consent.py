"""The consent page: who may be asked what, and what comes back to whom."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from zcrm_nb.emulator.oauth.pages import HEADERS

APP = "https://app.example.com/cb"
DESK = "http://127.0.0.1:8765/callback"
ACCOUNTS = "https://accounts.zoho.test"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().strip("=")


class Login:
    """A server-based client of a test's own and a person at a browser."""

    def __init__(self, ask, **client):
        self.ask, self.emulator = ask, ask.emulator
        self.own = ask.emulator.client(**{"redirect_uris": [APP, DESK], **client})
        self.asked = {
            "response_type": "code",
            "client_id": self.own["client_id"],
            "scope": "ZohoCRM.modules.READ,ZohoCRM.users.READ",
            "redirect_uri": APP,
            "state": "xyz",
        }

    def url(self, *, accounts=ACCOUNTS, **changes):
        """Address of the authorize request; a change to None leaves a parameter out."""
        query = {name: each for name, each in {**self.asked, **changes}.items() if each is not None}
        return f"{accounts}/oauth/v2/auth?{urlencode(query)}"

    def page(self, **changes):
        """What the browser gets at first."""
        query = {name: each for name, each in {**self.asked, **changes}.items() if each is not None}
        return self.ask.send("GET", "/oauth/v2/auth", query, host="accounts.zoho.test")

    def post(self, **form):
        """Send the form of the page."""
        return self.ask.accounts("/oauth/v2/auth", **form)

    def approve(self, **changes):
        """Say yes; what the redirect carries."""
        return facts(self.emulator.approve(self.url(**changes)))

    def exchange(self, code, **changes):
        """Trade the code as this client."""
        return self.ask.exchange(code, **{**self.own, "redirect_uri": APP, **changes}).body


def facts(url):
    """Query of an address, as a dict."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def ticket(reply):
    """Ticket in the form of a page."""
    return re.search(rb'name="ticket" value="([^"]+)"', reply.raw)[1].decode()


@pytest.fixture
def login(ask):
    """Register a client."""
    return Login(ask)


def test_a_yes_sends_the_person_back_with_a_code(login):
    """The success redirect of §1.3: state, code, location and accounts-server."""
    sent_to = login.emulator.approve(login.url(access_type="offline"))
    assert sent_to.startswith(f"{APP}?state=xyz&code=1000.")
    assert facts(sent_to).keys() == {"state", "code", "location", "accounts-server"}
    assert facts(sent_to)["location"] == "in"
    assert facts(sent_to)["accounts-server"] == ACCOUNTS
    reply = login.exchange(facts(sent_to)["code"])
    assert reply["refresh_token"].startswith("1000.")
    assert reply["scope"] == "ZohoCRM.modules.READ ZohoCRM.users.READ"
    login.ask.token = reply["access_token"]
    assert login.ask("GET", "/users").status == 200


def test_a_no_sends_the_person_back_without_one(login):
    """Only access_denied and the state."""
    assert facts(login.emulator.refuse(login.url())) == {"state": "xyz", "error": "access_denied"}


def test_without_state_none_comes_back(login):
    """It is echoed, not made up."""
    assert "state" not in login.approve(state=None)


def test_a_query_of_the_redirect_uri_stays(ask):
    """A registered address may have one."""
    login = Login(ask, redirect_uris=[f"{APP}?tab=crm"])
    assert login.approve(redirect_uri=f"{APP}?tab=crm")["tab"] == "crm"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"client_id": "1000.NOBODY"}, "Invalid client"),
        ({"client_id": None}, "Invalid client"),
        ({"redirect_uri": "https://app.example.com/other"}, "Invalid redirect uri"),
        ({"redirect_uri": f"{APP}/"}, "Invalid redirect uri"),
        ({"redirect_uri": None}, "Invalid redirect uri"),
        ({"redirect_uri": "http://[127.0.0.1/callback"}, "Invalid redirect uri"),
        ({"response_type": "token"}, "Invalid response type"),
        ({"response_type": None}, "Invalid response type"),
        ({"scope": "ZohoCRM.modules.Ledas.READ"}, "Invalid scope"),
        ({"scope": "ZohoCRM.modules.READ,ZohoCRM.modules.LOOK"}, "Invalid scope"),
        ({"scope": None}, "Invalid scope"),
        ({"code_challenge_method": "S512"}, "Invalid code challenge method"),
    ],
)
def test_a_request_that_is_no_good_ends_on_a_page(login, changes, title):
    """HTTP 400, in words, and nobody is sent anywhere."""
    reply = login.page(**changes)
    assert reply.status == 400
    assert "Location" not in reply.headers
    assert f'<h1 id="title">{title}</h1>' in reply.raw.decode()


def test_which_refusals_are_redirected_is_a_setting(make):
    """UNCONFIRMED; never those about the client or where to send the person."""
    words = ("invalid_client", "invalid_redirect_uri", "invalid_scope")
    login = Login(make({"redirected_refusals": words}))
    sent_to = login.page(scope="nonsense").headers["Location"]
    assert facts(sent_to) == {"state": "xyz", "error": "invalid_scope"}
    assert "Location" not in login.page(client_id="x").headers
    assert "Location" not in login.page(redirect_uri="https://evil.example.com/").headers


@pytest.mark.parametrize(
    ("address", "any_port", "exact"),
    [
        (DESK, True, True),
        ("http://127.0.0.1:41234/callback", True, False),
        ("http://127.0.0.1:41234/elsewhere", False, False),
        ("https://127.0.0.1:8765/callback", False, False),
        ("http://localhost:8765/callback", False, False),
        ("http://me@127.0.0.1:8765/callback", False, False),
        ("https://app.example.com:8443/cb", False, False),
    ],
)
def test_on_loopback_the_port_may_differ(make, address, any_port, exact):
    """A setting; Zoho itself wants the registered address, letter for letter."""
    easy, strict = Login(make()), Login(make({"loopback_redirect_any_port": False}))
    assert (easy.page(redirect_uri=address).status == 200) is any_port
    assert (strict.page(redirect_uri=address).status == 200) is exact


def test_a_self_client_has_no_consent_page(login):
    """It has nowhere to send a person."""
    reply = login.page(client_id=login.emulator.credentials["client_id"])
    assert b"Invalid redirect uri" in reply.raw


# -- what it gives -----------------------------------------------------------------------------


def test_online_access_is_the_default_and_has_no_refresh_token(login):
    """access_type=online, or none."""
    assert "refresh_token" not in login.exchange(login.approve()["code"])
    assert "refresh_token" not in login.exchange(login.approve(access_type="online")["code"])


def test_a_refresh_token_comes_the_first_time_or_with_prompt(login):
    """§1.3: later only for prompt=consent."""
    first = login.exchange(login.approve(access_type="offline")["code"])
    again = login.exchange(login.approve(access_type="offline")["code"])
    asked_anew = login.exchange(login.approve(access_type="offline", prompt="consent")["code"])
    assert "refresh_token" in first
    assert "refresh_token" not in again
    assert "refresh_token" in asked_anew


def test_the_page_is_shown_once_unless_prompted_or_more_is_wanted(login):
    """A consent is remembered for its scopes, and for what it was: online or offline."""
    login.approve()
    straight_back = login.page()
    assert straight_back.status == 302
    assert facts(straight_back.headers["Location"])["state"] == "xyz"
    assert login.page(prompt="consent").status == 200
    assert login.page(access_type="offline").status == 200
    assert login.page(scope="ZohoCRM.modules.ALL").status == 200


def test_a_refusal_is_not_remembered_as_consent(login):
    """The page comes again."""
    login.emulator.refuse(login.url())
    assert login.page().status == 200


@pytest.mark.parametrize("ends", [True, False])
def test_revoking_the_refresh_token_may_end_the_consent(make, ends):
    """No page says what happens then, so it is a setting."""
    login = Login(make({"revoking_ends_consent": ends}))
    reply = login.exchange(login.approve(access_type="offline")["code"])
    login.ask.accounts("/oauth/v2/token/revoke", token=reply["refresh_token"])
    assert (login.page(access_type="offline").status == 200) is ends


def test_the_eleventh_code_in_ten_minutes_is_denied(login):
    """§1.7; at the redirect URI, since the person cannot help it."""
    sent = [login.approve(prompt="consent") for _ in range(11)]
    assert all("code" in each for each in sent[:10])
    assert sent[10] == {"state": "xyz", "error": "access_denied"}
    login.emulator.clock.advance(600)
    assert "code" in login.approve(prompt="consent")


# -- the exchange: the rows of §1.6 ---------------------------------------------------------------


def test_a_code_that_is_wrong_used_or_old_is_invalid(login):
    """invalid_code, each time."""
    used, old = login.approve()["code"], login.approve()["code"]
    assert "access_token" in login.exchange(used)
    assert login.exchange(used) == {"error": "invalid_code"}
    assert login.exchange("1000.a.b") == {"error": "invalid_code"}
    login.emulator.clock.advance(login.emulator.settings.grant_code_life_s)
    assert login.exchange(old) == {"error": "invalid_code"}


def test_a_refresh_token_that_is_wrong_revoked_or_pushed_out_is_invalid(login):
    """invalid_code, too."""
    tokens = []
    for _ in range(21):
        code = login.approve(access_type="offline", prompt="consent")["code"]
        tokens.append(login.exchange(code)["refresh_token"])
        login.emulator.clock.advance(60)
    revoked = tokens[-1]
    login.ask.accounts("/oauth/v2/token/revoke", token=revoked)
    for bad in ("1000.a.b", tokens[0], revoked):
        reply = login.ask.refresh(**login.own, refresh_token=bad)
        assert (reply.status, reply.body) == (200, {"error": "invalid_code"})
    assert "access_token" in login.ask.refresh(**login.own, refresh_token=tokens[-2]).body


def test_another_client_cannot_use_a_code(login):
    """invalid_code, though its own id and secret are right; and the code is still good."""
    code, other = login.approve()["code"], login.emulator.client([APP])
    assert login.exchange(code, **other) == {"error": "invalid_code"}
    assert "access_token" in login.exchange(code)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"grant_type": "authorisation_code"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"client_secret": ""}, "invalid_client_secret"),
        ({"redirect_uri": DESK}, "invalid_redirect_uri"),
        ({"redirect_uri": ""}, "invalid_redirect_uri"),
    ],
)
def test_a_wrong_setting_of_the_client_is_named(login, changes, error):
    """HTTP 200 with the word."""
    assert login.exchange(login.approve()["code"], **changes) == {"error": error}


def test_a_missing_grant_type_and_a_wrong_method_are_plain_400(login):
    """No JSON for those."""
    assert login.ask.accounts(code="x", **login.own).status == 400
    assert login.ask.send("GET", "/oauth/v2/token", login.own).status == 400


def test_the_throttle_says_access_denied_in_two_words(login):
    """The eleventh access token of one refresh token in ten minutes; the exact body."""
    reply = login.exchange(login.approve(access_type="offline")["code"])
    own = {**login.own, "refresh_token": reply["refresh_token"]}
    answers = [login.ask.refresh(**own) for _ in range(10)]
    assert "access_token" in answers[8].body
    assert answers[9].body["error"] == "Access Denied"
    assert answers[9].body["status"] == "failure"


@pytest.mark.parametrize("method", ["S256", "plain", None])
def test_the_verifier_must_fit_the_challenge(login, method):
    """PKCE; the method is plain where none is named."""
    challenge = CHALLENGE if method == "S256" else VERIFIER
    code = login.approve(code_challenge=challenge, code_challenge_method=method)["code"]
    assert login.exchange(code) == {"error": "invalid_code"}
    assert login.exchange(code, code_verifier="w" * 43) == {"error": "invalid_code"}
    assert "access_token" in login.exchange(code, code_verifier=VERIFIER)


# -- several data centres ------------------------------------------------------------------------


def test_whoever_starts_abroad_is_sent_home(make):
    """Started in the US, the redirect names the data centre of the org, and the token its API."""
    login = Login(make({"location": "eu"}))
    back = login.approve(accounts="https://accounts.zoho.com")
    assert back["location"] == "eu"
    assert back["accounts-server"] == "https://accounts.zoho.eu"
    form = {"grant_type": "authorization_code", "redirect_uri": APP, "code": back["code"]}
    body = urlencode({**form, **login.own}).encode()
    there, home = (
        login.ask.send("POST", "/oauth/v2/token", None, body, host=host).body
        for host in ("accounts.zoho.com", "accounts.zoho.eu")
    )
    assert there == {"error": "invalid_client"}
    assert home["api_domain"] == "https://www.zohoapis.eu"


def test_china_stands_apart(make):
    """No way from there to elsewhere, or back."""
    login = Login(make({"location": "cn"}))
    with pytest.raises(ValueError, match="Invalid client"):
        login.approve(accounts="https://accounts.zoho.com")
    assert login.approve(accounts="https://accounts.zoho.com.cn")["location"] == "cn"


# -- the page ------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Language, ids, words and script of a page."""

    def __init__(self, reply):
        super().__init__()
        self.lang, self.ids, self.tags, self.words = None, set(), [], []
        self.feed(reply.raw.decode())

    def handle_starttag(self, tag, attrs):
        """Note what a tag says."""
        told = dict(attrs)
        self.tags.append(tag)
        self.lang = told.get("lang", self.lang)
        self.ids.add(told.get("id"))

    def handle_data(self, data):
        """Note the words."""
        self.words += data.split()


def test_the_page_says_who_wants_what_from_whom(ask):
    """Client, scopes in words, user, org, environment; and that it is no page of Zoho's."""
    login = Login(ask, name="Lead report")
    reply = login.page(access_type="offline", redirect_uri=DESK)
    text = " ".join(Outline(reply).words)
    assert reply.status == 200
    for words in (
        "Local emulator",
        "Let Lead report use this CRM?",
        login.own["client_id"],
        "Read the records of all modules reads only ZohoCRM.modules.READ",
        "Rohan Deshmukh rohan.deshmukh@vindhya.example.com",
        "Vindhya Instruments Pvt Ltd",
        "Production",
        "until you take it back",
        "127.0.0.1:8765",
    ):
        assert words in text


def test_a_scope_that_changes_data_is_marked(login):
    """A person should see it at a glance."""
    text = " ".join(Outline(login.page(scope="ZohoCRM.modules.leads.DELETE")).words)
    assert "Delete Leads changes data" in text


def test_the_page_is_made_for_everybody(login):
    """Language, title, one heading, buttons with ids; no script, nothing from elsewhere."""
    reply = login.page()
    seen = Outline(reply)
    assert seen.lang == "en"
    assert {"accept", "reject", "title"} <= seen.ids
    assert seen.tags.count("h1") == seen.tags.count("main") == seen.tags.count("title") == 1
    assert "script" not in seen.tags
    assert b"prefers-color-scheme: dark" in reply.raw
    assert reply.headers.items() >= HEADERS.items()


def test_what_others_wrote_is_escaped(ask):
    """A name with HTML in it stays a name, and so does what an address carries."""
    login = Login(ask, name="<script>alert('$title')</script>")
    for reply in (login.page(), login.page(scope="<script>x</script>")):
        assert "script" not in Outline(reply).tags
        assert b"&lt;script&gt;" in reply.raw


def test_a_form_is_answered_once_and_in_time(login):
    """Its ticket is used up, or ends after ten minutes."""
    late, once = ticket(login.page()), ticket(login.page())
    assert login.post(ticket=once, answer="accept").status == 302
    assert login.post(ticket=once, answer="accept").status == 400
    login.emulator.clock.advance(600)
    assert login.post(ticket=late, answer="accept").status == 400


@pytest.mark.parametrize("form", [{}, {"ticket": "guessed"}])
def test_nobody_answers_who_has_not_seen_the_page(login, form):
    """Another website cannot say yes in a person's name."""
    reply = login.post(answer="accept", **login.asked, **form)
    assert reply.status == 400
    assert "Location" not in reply.headers


def test_the_form_cannot_change_what_was_asked(login):
    """Scope and redirect URI of the page count, whatever is sent along with the ticket."""
    tampered = {"scope": "ZohoCRM.modules.ALL", "redirect_uri": DESK, "access_type": "offline"}
    reply = login.post(ticket=ticket(login.page()), answer="accept", **tampered)
    assert reply.headers["Location"].startswith(APP)
    tokens = login.exchange(facts(reply.headers["Location"])["code"], scope="ZohoCRM.modules.ALL")
    assert tokens["scope"] == "ZohoCRM.modules.READ ZohoCRM.users.READ"
    assert "refresh_token" not in tokens


@pytest.mark.parametrize("answer", ["", "reject", "maybe"])
def test_only_accept_is_a_yes(login, answer):
    """Whatever else a form says is a no."""
    reply = login.post(ticket=ticket(login.page()), answer=answer)
    assert facts(reply.headers["Location"])["error"] == "access_denied"


def test_the_stand_in_for_a_person_says_why_it_cannot(login):
    """The words of the page are the message."""
    with pytest.raises(ValueError, match="Invalid scope"):
        login.approve(scope="nonsense")


def test_a_served_emulator_is_its_own_accounts_server(login):
    """On loopback there is one origin, and approving in process or there is the same."""
    with login.emulator.serve() as server:
        assert login.approve(accounts=server.url)["accounts-server"] == server.url


# -- grant codes of the self client ---------------------------------------------------------------


def test_a_lesson_gets_new_grant_codes(ask):
    """For the self client of the credentials, with a refresh token each time."""
    reply = ask.exchange(ask.emulator.grant_code("ZohoCRM.modules.READ")).body
    assert reply["scope"] == "ZohoCRM.modules.READ"
    assert "refresh_token" in reply
    short = ask.emulator.grant_code(life_s=60)
    ask.emulator.clock.advance(60)
    assert ask.exchange(short).body == {"error": "invalid_code"}


@pytest.mark.parametrize("scopes", ["ZohoCRM.modules.Ledas.READ", "READ", ""])
def test_a_grant_code_for_no_such_scope_is_refused(emulator, scopes):
    """In words, at once."""
    with pytest.raises(ValueError, match="no such scope"):
        emulator.grant_code(scopes)
