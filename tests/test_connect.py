"""Wiring: credentials from arguments or the environment, and nothing sent before it is needed."""

import pytest

import zcrm_nb
from zcrm_nb.connect import connect, emulate
from zcrm_nb.errors import LoginError

LOGIN = {"client_id": "1000.X", "client_secret": "s3cr3t-value", "refresh_token": "1000.r.t"}


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch):
    """The machine's own environment must not decide a test."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "DC", "ENVIRONMENT"):
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
