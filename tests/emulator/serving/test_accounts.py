"""The accounts server: tokens, their quotas and their scopes."""

import base64
import hashlib
import re

import pytest

from zcrm_nb.emulator.serving.accounts import AccountsError
from zcrm_nb.emulator.serving.scopes import covers
from zcrm_nb.emulator.world import ADMIN

LEADS = ("GET", "/Leads", {"fields": "id"})


def grant(ask, scopes="ZohoCRM.modules.ALL", **how):
    """Make a grant code for the emulator's own client."""
    accounts, client = ask.emulator.accounts, ask.emulator.credentials["client_id"]
    return accounts.issue_grant_code(client, scopes, user=ADMIN, **how)


def test_refreshing_gives_an_access_token_and_no_refresh_token(ask):
    """The reply of §1.5, key for key."""
    reply = ask.refresh()
    assert reply.status == 200
    assert reply.body.keys() == {"access_token", "scope", "api_domain", "token_type", "expires_in"}
    assert reply.body["token_type"] == "Bearer"
    assert reply.body["expires_in"] == 3600
    assert "," not in reply.body["scope"]
    assert " " in reply.body["scope"]


def test_tokens_look_like_zohos(ask):
    """1000, then twice 32 hex digits."""
    assert re.fullmatch(r"1000\.[0-9a-f]{32}\.[0-9a-f]{32}", ask.token)


def test_the_same_seed_gives_the_same_credentials_and_tokens(make):
    """Everything comes from one seeded source."""
    one, other, third = make(), make(), make(seed=7)
    assert one.emulator.credentials == other.emulator.credentials
    assert one.token == other.token
    assert one.emulator.credentials["client_id"] != third.emulator.credentials["client_id"]


def test_the_api_domain_stands_beside_the_accounts_server(ask):
    """In the process the hosts are fixed ones."""
    assert ask.refresh().body["api_domain"] == "https://www.zohoapis.test"


def test_a_grant_code_is_exchanged_once(ask):
    """The second time it is invalid."""
    code = ask.emulator.credentials["grant_code"]
    first = ask.exchange(code)
    assert first.body["refresh_token"].startswith("1000.")
    assert ask.exchange(code).body == {"error": "invalid_code"}
    assert ask.exchange(code).status == 200


def test_parameters_may_travel_in_the_query_string(ask):
    """The docs recommend the body, and allow both."""
    facts = ask.emulator.credentials
    params = {"grant_type": "refresh_token"} | {
        name: facts[name] for name in ("client_id", "client_secret", "refresh_token")
    }
    assert "access_token" in ask.send("POST", "/oauth/v2/token", params).body


def test_client_credentials_may_travel_as_http_basic(ask):
    """As the discovery document promises."""
    facts = ask.emulator.credentials
    coded = base64.b64encode(f"{facts['client_id']}:{facts['client_secret']}".encode()).decode()
    form = {"grant_type": "refresh_token", "refresh_token": facts["refresh_token"]}
    good = ask.accounts(headers={"Authorization": f"Basic {coded}"}, **form)
    assert "access_token" in good.body
    torn = ask.accounts(headers={"Authorization": "Basic ???"}, **form)
    assert torn.body == {"error": "invalid_client"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "1000.NOBODY"}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client_secret"),
        ({"refresh_token": "1000.x.y"}, "invalid_code"),
        ({"grant_type": "password"}, "invalid_client"),
    ],
)
def test_logical_errors_come_with_http_200(ask, changes, error):
    """The table of §1.6."""
    reply = ask.refresh(**changes)
    assert (reply.status, reply.body) == (200, {"error": error})


def test_a_call_without_grant_type_or_with_get_is_a_plain_400(ask):
    """No JSON error for those."""
    assert ask.accounts(client_id="x").status == 400
    assert ask.send("GET", "/oauth/v2/token", {"grant_type": "refresh_token"}).status == 400


def test_the_redirect_uri_must_be_the_one_of_the_consent(ask):
    """Exchange only; a self client has none."""
    code = grant(ask, redirect_uri="https://app.example.com/cb")
    assert ask.exchange(code).body == {"error": "invalid_redirect_uri"}
    assert "access_token" in ask.exchange(code, redirect_uri="https://app.example.com/cb").body


@pytest.mark.parametrize("method", ["S256", "plain"])
def test_a_challenge_asks_for_its_verifier(ask, method):
    """PKCE, both methods."""
    verifier = "v" * 43
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode()
    challenge = digest.rstrip("=") if method == "S256" else verifier
    code = grant(ask, challenge=challenge, challenge_method=method)
    assert ask.exchange(code).body == {"error": "invalid_code"}
    assert ask.exchange(code, code_verifier="wrong").body == {"error": "invalid_code"}
    assert "access_token" in ask.exchange(code, code_verifier=verifier).body


@pytest.mark.parametrize(("needs", "answer"), [(True, "error"), (False, "access_token")])
def test_whether_pkce_replaces_the_secret_is_a_setting(make, needs, answer):
    """UNCONFIRMED, so both readings can be had."""
    ask = make({"pkce_needs_secret": needs})
    code = grant(ask, challenge="abc")
    assert answer in ask.exchange(code, code_verifier="abc", client_secret="").body


def test_a_grant_code_dies_after_its_life(ask):
    """180 s by default, by the emulator's clock."""
    early, late = grant(ask), grant(ask)
    ask.emulator.clock.advance(179)
    assert "access_token" in ask.exchange(early).body
    ask.emulator.clock.advance(1)
    assert ask.exchange(late).body == {"error": "invalid_code"}


def test_online_access_brings_no_refresh_token(ask):
    """Only offline access does."""
    assert "refresh_token" not in ask.exchange(grant(ask, offline=False)).body


def test_the_eleventh_grant_code_in_ten_minutes_is_denied(ask):
    """§1.7: ten for a client; the start-up's own code counts."""
    for _ in range(9):
        grant(ask)
    with pytest.raises(AccountsError, match="access_denied"):
        grant(ask)
    ask.emulator.clock.advance(600)
    assert grant(ask)


def test_the_eleventh_access_token_in_ten_minutes_is_throttled(ask):
    """The exact body of §1.6; after the window it works again."""
    for _ in range(9):
        ask.refresh()
    reply = ask.refresh()
    assert reply.status == 400
    assert reply.body == {
        "error_description": "You have made too many requests continuously. "
        "Please try again after some time.",
        "error": "Access Denied",
        "status": "failure",
    }
    ask.emulator.clock.advance(600)
    assert "access_token" in ask.refresh().body


def test_the_status_of_the_throttle_is_a_setting(make):
    """CONFLICT: 400 and 200 were both seen."""
    ask = make({"throttle_status": 200})
    replies = [ask.refresh() for _ in range(10)]
    assert replies[-1].body["error"] == "Access Denied"
    assert replies[-1].status == 200


def test_the_sixteenth_access_token_pushes_out_the_first(ask):
    """Fifteen are alive at once; a refresh never fails for it."""
    ask.emulator.clock.advance(600)
    second = ask.refresh().body["access_token"]
    for turn in range(14):
        if turn == 8:
            ask.emulator.clock.advance(600)
        ask.refresh()
    reply = ask(*LEADS)
    assert (reply.status, reply.body["code"]) == (401, "INVALID_TOKEN")
    ask.token = second
    assert ask(*LEADS).status == 200


def test_the_twenty_first_refresh_token_pushes_out_the_first(ask):
    """And its access tokens with it."""
    accounts, client = ask.emulator.accounts, ask.emulator.credentials["client_id"]
    for _ in range(20):
        accounts.issue_refresh_token(client, ADMIN, ("ZohoCRM.modules.ALL",))
    assert ask.refresh().body == {"error": "invalid_code"}
    assert ask(*LEADS).status == 401


def test_refresh_tokens_may_count_for_each_client(make):
    """Another reading of the same limit."""
    ask = make({"refresh_tokens_per": "user and client"})
    other = ask.emulator.accounts.register().client_id
    for _ in range(20):
        ask.emulator.accounts.issue_refresh_token(other, ADMIN, ())
    assert "access_token" in ask.refresh().body


def test_an_access_token_lives_an_hour(ask):
    """By the emulator's clock."""
    ask.emulator.clock.advance(3599)
    assert ask(*LEADS).status == 200
    ask.emulator.clock.advance(1)
    reply = ask(*LEADS)
    assert (reply.status, reply.body["code"]) == (401, "INVALID_TOKEN")
    assert reply.body["message"] == "invalid oauth token"


def test_the_answer_tells_when_its_token_ends(ask):
    """X-ACCESSTOKEN-RESET, with the zone of the org."""
    assert ask(*LEADS).headers["X-ACCESSTOKEN-RESET"] == "2026-09-15T10:00:00+05:30"


def test_revoking_a_refresh_token_kills_its_access_tokens(ask):
    """§1.10; a second time it is an invalid token, HTTP 400."""
    token = ask.emulator.credentials["refresh_token"]
    reply = ask.accounts("/oauth/v2/token/revoke", token=token)
    assert (reply.status, reply.body) == (200, {"status": "success"})
    assert ask(*LEADS).status == 401
    assert ask.accounts("/oauth/v2/token/revoke", token=token).status == 400


def test_an_access_token_can_be_revoked_alone(ask):
    """Its refresh token lives on."""
    assert ask.accounts("/oauth/v2/token/revoke", token=ask.token).status == 200
    assert ask(*LEADS).status == 401
    assert "access_token" in ask.refresh().body


def test_the_legacy_reply_counts_milliseconds(make):
    """expires_in_sec beside expires_in in milliseconds."""
    body = make({"expires_in_ms": True}).refresh().body
    assert (body["expires_in"], body["expires_in_sec"]) == (3_600_000, 3600)


@pytest.mark.parametrize("header", ["", "Zoho-oauthtoken", "Token abc", "Basic abc"])
def test_without_a_token_there_is_no_api(ask, header):
    """401 AUTHENTICATION_FAILURE, for missing and garbled headers."""
    reply = ask(*LEADS, headers={"Authorization": header})
    assert reply.status == 401
    assert reply.body == {
        "code": "AUTHENTICATION_FAILURE",
        "details": {},
        "message": "Authentication failed",
        "status": "error",
    }


def test_bearer_is_accepted_unless_the_setting_says_no(make):
    """UNCONFIRMED on V8; which one was used is counted."""
    ask, strict = make(), make({"accept_bearer": False})
    assert ask(*LEADS, headers={"Authorization": f"Bearer {ask.token}"}).status == 200
    assert ask.emulator.accounts.prefixes_seen == {"Bearer": 1}
    assert strict(*LEADS, headers={"Authorization": f"Bearer {strict.token}"}).status == 401


@pytest.mark.parametrize(
    ("granted", "needed", "expected"),
    [
        ("ZohoCRM.modules.ALL", "ZohoCRM.modules.Leads.READ", True),
        ("ZohoCRM.modules.READ", "ZohoCRM.modules.Leads.READ", True),
        ("ZohoCRM.modules.READ", "ZohoCRM.modules.Leads.UPDATE", False),
        ("zohocrm.MODULES.leads.read", "ZohoCRM.modules.Leads.READ", True),
        ("ZohoCRM.modules.salesorders.ALL", "ZohoCRM.modules.Sales_Orders.DELETE", True),
        ("ZohoCRM.modules.leads.READ", "ZohoCRM.modules.Deals.READ", False),
        ("ZohoCRM.settings.ALL", "ZohoCRM.settings.fields.READ", True),
        ("ZohoCRM.settings.fields.READ", "ZohoCRM.settings.modules.READ", False),
        ("ZohoCRM.bulk.ALL", "ZohoCRM.modules.Leads.READ", False),
        ("ZohoCRM.modules.WRITE", "ZohoCRM.modules.Leads.CREATE", True),
        ("ZohoCRM.modules.WRITE", "ZohoCRM.modules.Leads.READ", False),
    ],
)
def test_scopes_cover_what_stands_below_them(granted, needed, expected):
    """Service and place in front, operation or ALL behind, in any case of letters."""
    assert covers(granted, needed, ("CREATE", "UPDATE", "DELETE")) is expected


@pytest.mark.parametrize("scopes", ["ZohoCRM.modules.leads.READ ZohoCRM.users.READ",
                                    "ZohoCRM.modules.leads.READ,ZohoCRM.users.READ"])  # fmt: skip
def test_a_missing_scope_is_a_mismatch(ask, scopes):
    """401 OAUTH_SCOPE_MISMATCH; refreshing would not help. Scopes come by comma or space."""
    ask.token = ask.exchange(grant(ask, scopes)).body["access_token"]
    assert ask(*LEADS).status == 200
    assert ask("GET", "/users").status == 200
    reply = ask("GET", "/Deals", {"fields": "id"})
    assert reply.status == 401
    assert (reply.body["code"], reply.body["message"]) == ("OAUTH_SCOPE_MISMATCH", "Unauthorized")


def test_custom_modules_go_by_the_scope_custom(ask):
    """ZohoCRM.modules.custom.READ opens them, and no standard one."""
    ask.token = ask.exchange(grant(ask, "ZohoCRM.modules.custom.READ")).body["access_token"]
    assert ask("GET", "/Site_Visits", {"fields": "id"}).status == 200
    assert ask(*LEADS).status == 401


def test_serverinfo_names_the_emulator_as_the_only_data_centre(ask):
    """Keys as two implementations recorded them."""
    reply = ask.send("GET", "/oauth/serverinfo", host="accounts.zoho.test")
    assert reply.body == {"result": "success", "locations": {"in": "https://accounts.zoho.test"}}
