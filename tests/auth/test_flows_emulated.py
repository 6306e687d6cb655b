"""The ways to log in against the emulated family of data centres, mounted at Zoho's own hosts."""

import pytest

from tests.worlds import Org
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.auth.flows import Client, Consent, ask_for_device, await_device, log_in_with_code
from zcrm_nb.auth.scopes import WANTS, scopes_for
from zcrm_nb.emulator import Settings
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.wire.wsgi import WSGIAdapter

HERE = "http://127.0.0.1:8765/callback"


@pytest.fixture
def org():
    """An org that lives in Europe."""
    with Org(rows={"Leads": 5}, settings=Settings(location="eu")) as emulator:
        yield emulator


def client(org, dc, facts=None):
    facts = facts or org.client([HERE])
    secret = Secret(facts["client_secret"])
    return Client(facts["client_id"], secret, addresses(dc), WSGIAdapter(org.wsgi))


def test_who_starts_in_america_ends_at_home(org):
    """By the accounts server that the redirect names, and with PKCE."""
    asked = Consent.ask(client(org, "us"), scopes_for(WANTS), HERE)
    login = asked.finish(Secret(org.approve(asked.request.url)))
    assert login.grant.accounts_url == "https://accounts.zoho.eu"
    assert login.where == addresses("eu")
    assert set(login.token.scopes) == set(scopes_for(WANTS))


def test_a_bare_code_pasted_at_the_wrong_data_centre_is_explained(org):
    """There is no address in it that would lead home."""
    asked = Consent.ask(client(org, "us"), ["ZohoCRM.modules.READ"], HERE)
    code = org.approve(asked.request.url).partition("code=")[2].partition("&")[0]
    with pytest.raises(LoginError, match="another data centre does not know this client"):
        asked.finish(Secret(code))


def test_a_person_who_refuses_is_no_login(org):
    """The page has two buttons."""
    asked = Consent.ask(client(org, "eu"), ["ZohoCRM.modules.READ"], HERE)
    with pytest.raises(LoginError, match="declined"):
        asked.finish(Secret(org.refuse(asked.request.url)))


def test_the_code_of_another_login_is_of_no_use(org):
    """Its PKCE verifier is another, even where the state was cut off."""
    one, other = (
        Consent.ask(client(org, "eu", facts), ["ZohoCRM.modules.READ"], HERE)
        for facts in [org.client([HERE])] * 2
    )
    code = org.approve(one.request.url).partition("code=")[2].partition("&")[0]
    with pytest.raises(LoginError, match="invalid_code"):
        other.finish(Secret(code))


@pytest.mark.parametrize("dc", ["us", "eu"])
def test_a_device_login_follows_the_person_home(org, dc):
    """``other_dc`` names where."""
    who = client(org, dc)
    device = ask_for_device(who, ["ZohoCRM.modules.READ"])
    waits = []

    def wait(seconds):
        org.clock.advance(seconds)
        waits.append(seconds)
        if len(waits) == 2:
            org.approve_device(device.user_code)

    login = await_device(who, device, wait=wait)
    assert login.where == addresses("eu")
    assert set(waits) == {30.0}


def test_a_self_client_at_the_wrong_data_centre_is_told(org):
    """Its code says nothing of where it was made."""
    with pytest.raises(LoginError, match="data centre"):
        log_in_with_code(client(org, "in", org.credentials), Secret(org.grant_code()))
