"""What the doctor says of logins that are ill in one way or another."""

from email.utils import formatdate

import pytest

from zcrm_nb.api.doctor import examine
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.oauth import Grant, NoLogin, Token, TokenSource
from zcrm_nb.masking import Secret
from zcrm_nb.wire.gate import Gate
from zcrm_nb.wire.wsgi import WSGIAdapter

NOW = 1_800_000_000.0
READS = ("ZohoCRM.modules.READ", "ZohoCRM.settings.ALL", "ZohoCRM.users.READ", "ZohoCRM.org.READ")


def zoho(ahead_s=0.0, status="200 OK", body=b'{"org": [{"company_name": "Acme"}], "users": []}'):
    """A stand-in for Zoho: a clock, and one answer to everything."""

    def app(environ, start_response):
        headers = [("Date", formatdate(NOW - ahead_s, usegmt=True))]
        if environ["PATH_INFO"] == "/oauth/v2/token":
            start_response("200 OK", headers)
            return [b'{"error": "invalid_code"}']
        start_response(status, headers)
        return [body.replace(b'"users": []', b'"users": [{"full_name": "Asha", "email": "a@b"}]')]

    return app


def checks(app=None, token=None, renewed_at=(), accounts_url="https://accounts.zoho.in"):
    adapter = WSGIAdapter(app or zoho())
    grant = Grant("1000.ID", Secret("secret"), Secret("refresh"), accounts_url)
    tokens = TokenSource(grant, token=token, adapter=adapter, clock=lambda: NOW)
    gate = Gate(tokens, addresses("in"), adapter=adapter, clock=lambda: NOW)
    return {check.check: check for check in examine(gate, renewed_at)}


def token(scopes=READS, api_domain="https://www.zohoapis.in"):
    return Token(Secret("1000.aa.bb"), NOW + 1800, api_domain, scopes)


def test_a_healthy_login_has_no_problem(crm):
    """On the emulator."""
    found = crm.doctor()
    assert list(found.columns) == ["check", "result", "advice"]
    assert not found["result"].str.startswith("problem").any()


def test_a_login_that_is_not_finished_says_what_to_finish():
    """The same words as a call would raise."""
    gate = Gate(NoLogin("Not finished.", "Finish the form."), addresses("in"))
    [only] = examine(gate)
    assert only == ("login", "problem: Not finished.", "Finish the form.")


def test_a_refused_refresh_token_is_explained():
    """Revoked, or pushed out."""
    found = checks()
    assert found["access token"].result.startswith("problem: Zoho Accounts refused")
    assert "pushed out" in found["access token"].advice
    assert "user" not in found


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(0, "ok"), (119, "ok"), (600, "10 min ahead of"), (-7200, "120 min behind")],
)
def test_a_wrong_clock_is_told(ahead_s, words):
    """By it, tokens end too early or too late."""
    assert words in checks(zoho(ahead_s))["clock"].result


def test_a_spent_quota_is_told():
    """Ten tokens in ten minutes is all that Zoho makes."""
    found = checks(renewed_at=tuple(NOW - each for each in range(10)))
    assert found["tokens"].result == "problem: 10 of 10 in 10 minutes"
    assert checks(renewed_at=(NOW - 700,) * 10)["tokens"].result.startswith("ok: 0")


def test_a_login_at_another_data_centre_is_told_with_the_right_one():
    """Accounts in one place, the API in another."""
    found = checks(token=token(), accounts_url="https://accounts.zoho.com")["data centre"]
    assert found.result == "problem: the login is at us, its token is good at in"
    assert "dc='in'" in found.advice


def test_a_token_that_the_api_does_not_take_is_another_environment():
    """Zoho says no more than INVALID_TOKEN."""
    app = zoho(status="401 Unauthorized", body=b'{"code": "INVALID_TOKEN", "message": "no"}')
    found = checks(app, token())
    assert found["access token"].result.startswith(("problem", "ok"))
    assert "environment" in found["user"].advice


def test_missing_scopes_are_named_with_the_way_to_get_them():
    """What one may not do, and why."""
    found = checks(token=token())
    assert found["read records"].result == "ok"
    assert found["ask in COQL"].result == "not granted: lacks ZohoCRM.coql.READ"
    assert "'coql'" in found["ask in COQL"].advice


def test_scopes_that_zoho_did_not_tell_are_not_called_missing():
    """Several of its pages show replies without them."""
    assert checks(token=token(scopes=()))["ask in COQL"].result.startswith("not known")


def test_a_network_that_is_down_is_no_reason_to_raise():
    """The doctor is asked when things do not work."""

    def dead(environ, start_response):
        raise ConnectionResetError("torn")

    found = checks(dead)
    assert found["clock"].result.startswith("not known")
    assert found["access token"].result.startswith("problem: No usable answer")


def test_the_user_is_the_proof():
    """A call that came back."""
    assert checks(token=token())["user"].result == "ok: Asha (a@b) at Acme"
