"""Wiring: credentials from arguments or the environment, and nothing sent before it is needed."""

import traceback

import pytest

import zcrm_nb
from zcrm_nb.auth.oauth import Grant
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.connect import connect, emulate
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret

LOGIN = {"client_id": "1000.X", "client_secret": "s3cr3t-value", "refresh_token": "1000.r.t"}


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch):
    """The machine's own environment must not decide a test."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "DC", "ENVIRONMENT", "PROFILE"):
        monkeypatch.delenv(f"ZCRM_{name}", raising=False)


def test_missing_credentials_are_named():
    """A person should know what to give, and where."""
    with pytest.raises(LoginError) as caught:
        connect(client_id="1000.X")
    assert "client_secret, refresh_token" in str(caught.value)
    assert "ZCRM_REFRESH_TOKEN" in str(caught.value)
    assert "emulate()" in str(caught.value)


def test_credentials_come_from_the_environment(monkeypatch):
    """Pipelines set variables."""
    for name, value in LOGIN.items():
        monkeypatch.setenv(f"ZCRM_{name.upper()}", value)
    monkeypatch.setenv("ZCRM_DC", "eu")
    monkeypatch.setenv("ZCRM_ENVIRONMENT", "sandbox")
    with connect() as crm:
        assert "https://sandbox.zohoapis.eu" in repr(crm)


def test_arguments_win_over_the_environment(monkeypatch):
    """What is written in the call is meant."""
    monkeypatch.setenv("ZCRM_DC", "eu")
    with connect(**LOGIN, dc="in") as crm:
        assert "https://www.zohoapis.in" in repr(crm)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"dc": "india"}, "india"),
        ({"environment": "test"}, "sandbox"),
        ({"edition": "gold"}, "enterprise"),
        ({"api_domain": "http://crm.example.com"}, "in clear"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_sent(wrong, words):
    """Each is known to be wrong from the table alone."""
    with pytest.raises(ValueError, match=words):
        connect(**LOGIN, **wrong)


@pytest.mark.parametrize("wrong", [{"dc": "india"}, {"edition": "gold"}, {"profile": "acme"}])
@pytest.mark.parametrize("function", [connect, zcrm_nb.login])
def test_no_secret_is_a_local_variable_when_it_fails(function, wrong, monkeypatch):
    """IPython's verbose tracebacks print them, and so do crash reporters."""
    monkeypatch.setenv("ZCRM_REFRESH_TOKEN", LOGIN["refresh_token"])
    given = {"client_id": "1000.X", "client_secret": LOGIN["client_secret"], **wrong}
    with pytest.raises((ValueError, LoginError)) as caught:
        function(**given)
    story = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [str(frame.locals) for frame in story.stack if "test_" not in frame.filename]
    assert ours
    assert not [text for text in ours if "s3cr3t-value" in text or "1000.r.t" in text]


def test_no_secret_shows_in_a_repr():
    """Notebooks print things all the time."""
    with connect(**LOGIN) as crm:
        text = repr(crm) + str(vars(crm)) + repr(crm._gate) + str(vars(crm._gate))
    assert "s3cr3t-value" not in text
    assert "1000.r.t" not in text


def test_an_emulated_crm_knows_its_emulator():
    """Its knobs are part of the lesson."""
    with emulate(rows={"Leads": 5}) as crm:
        assert isinstance(crm, zcrm_nb.CRM)
        assert crm.emulator.edition == "enterprise"


def test_two_emulated_orgs_of_one_seed_are_the_same_and_of_two_seeds_are_not():
    """Lessons must come out alike."""
    tables = []
    for seed in (1, 1, 2):
        with emulate(rows={"Leads": 50}, seed=seed) as crm:
            tables.append(crm.records("Leads", ["Last_Name", "City", "Created_Time"]))
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


@pytest.fixture
def server(fresh):
    """The emulator, served."""
    with fresh.serve() as server:
        yield server


@pytest.fixture
def vault(tmp_path, monkeypatch, server):
    """The user's vault, with one login to the emulator in it."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    facts = server.credentials
    grant = Grant(
        facts["client_id"],
        Secret(facts["client_secret"]),
        Secret(facts["refresh_token"]),
        server.url,
    )
    vault = Vault()
    vault.save("acme", Profile(grant, "in", api_domain=server.url, upload_url=server.url))
    return vault


def test_a_saved_login_is_enough(vault):
    """A script names the profile and has everything else from it."""
    with connect(profile="acme") as crm:
        assert crm.count("Deals") > 0


def test_the_environment_can_name_the_saved_login(vault, monkeypatch):
    """The same script runs with another login."""
    monkeypatch.setenv("ZCRM_PROFILE", "acme")
    with connect() as crm:
        assert crm.count("Deals") > 0


def test_a_login_in_the_arguments_wins_over_a_saved_one_in_the_environment(vault, monkeypatch):
    """What is written in the call is meant."""
    monkeypatch.setenv("ZCRM_PROFILE", "nobody")
    with connect(**LOGIN) as crm:
        assert "zohoapis.com" in repr(crm)


def test_two_logins_at_once_are_refused(vault):
    """Which of them was meant, nobody can tell."""
    with pytest.raises(ValueError, match="profile= or dc, not both"):
        connect(profile="acme", dc="eu")


def test_a_profile_that_is_not_there_is_told_with_those_that_are(vault):
    """A typing error should be seen at once."""
    with pytest.raises(LoginError, match="acme"):
        connect(profile="acne")


def test_two_connections_of_one_profile_make_one_token(vault, fresh):
    """Ten kernels must not lock a login out that may make ten tokens in ten minutes."""
    tokens = []
    for _ in range(3):
        with connect(profile="acme") as crm:
            crm.count("Deals")
            tokens.append(crm._gate.tokens.token().access)
    assert len(set(tokens)) == 1
    assert len(vault.load("acme").renewed_at) == 1


def test_logging_out_revokes_at_zoho_and_deletes_the_profile(vault, fresh):
    """Nothing that was kept can be used again, here or anywhere."""
    with connect(profile="acme") as crm, connect(profile="acme") as other:
        crm.count("Deals")
        crm.logout()
        with pytest.raises(LoginError, match="You have logged out"):
            crm.count("Deals")
        with pytest.raises(LoginError):
            other.count("Deals")
    assert vault.profiles() == []


def test_logging_out_of_a_login_that_was_revoked_before_deletes_the_profile(vault, fresh, server):
    """What is over at Zoho should not stay here."""
    fresh.accounts.revoke(server.credentials["refresh_token"])
    with connect(profile="acme") as crm:
        crm.logout()
    assert vault.profiles() == []


def test_a_logout_that_did_not_reach_zoho_keeps_the_profile(vault, server):
    """Otherwise the login would live on with nobody left to end it."""
    server.stop()
    with connect(profile="acme") as crm, pytest.raises(zcrm_nb.errors.ConnectionFailed):
        crm.logout()
    assert vault.profiles() == ["acme"]


def test_logging_out_twice_says_so():
    """The second time there is nothing to end."""
    with emulate(rows={"Leads": 5}) as crm:
        crm.logout()
        with pytest.raises(LoginError, match="You have logged out"):
            crm.logout()


def test_eleven_runs_in_ten_minutes_share_one_token(fresh, monkeypatch, tmp_path):
    """As cron starts them: Zoho makes ten tokens in ten minutes, and locks out who wants more."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path))
    with fresh.serve() as server:
        names = ("client_id", "client_secret", "refresh_token", "accounts_url", "api_domain")
        login = {name: server.credentials[name] for name in names}
        for _ in range(11):
            with connect(**login) as crm:
                assert crm.count("Deals") > 0


@pytest.mark.parametrize("name", ["CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"])
def test_a_variable_that_cannot_be_right_is_named(monkeypatch, name):
    """A placeholder of a template, for instance; nothing is sent."""
    for each, value in LOGIN.items():
        monkeypatch.setenv(f"ZCRM_{each.upper()}", value)
    monkeypatch.setenv(f"ZCRM_{name}", "<your value here>")
    with pytest.raises(LoginError, match=f"ZCRM_{name}"):
        connect()
