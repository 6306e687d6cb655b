"""login(): at once where a saved login works; else a person is asked."""

import time
from dataclasses import replace

import pytest

import zcrm_nb
from zcrm_nb.auth.vault import Vault
from zcrm_nb.cli import main
from zcrm_nb.errors import LoginError

HERE = "http://127.0.0.1:8765/callback"


@pytest.fixture
def server(fresh):
    """The emulator, served."""
    with fresh.serve() as server:
        yield server


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user without a login."""
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN", "DC", "ENVIRONMENT", "PROFILE"):
        monkeypatch.delenv(f"ZCRM_{name}", raising=False)
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def client(fresh):
    """A client as the API console registers it."""
    return fresh.client([HERE])


@pytest.fixture
def options(server, client):
    """What is said in the call; the secret is asked for."""
    return {
        "ui": "text",
        "flow": "paste",
        "client_id": client["client_id"],
        "dc": "in",
        "environment": "production",
        "scopes": ["read", "coql"],
        "accounts_url": server.url,
        "api_domain": server.url,
        "upload_url": server.url,
    }


@pytest.fixture
def person(fresh, client, monkeypatch, capsys):
    """Somebody at the terminal: pastes what the browser ends at, types the secret."""
    asked = []

    def paste(question):
        asked.append(question)
        said = capsys.readouterr().out
        return fresh.approve(next(word for word in said.split() if "/oauth/v2/auth" in word))

    monkeypatch.setattr("builtins.input", paste)
    monkeypatch.setattr("getpass.getpass", lambda question: client["client_secret"])
    return asked


def test_a_person_logs_in_and_has_a_table(options, person):
    """From nothing to rows."""
    with zcrm_nb.login(**options) as crm:
        assert len(crm.coql("select City from Leads where id is not null", limit=3)) == 3


def test_the_second_time_nobody_is_asked(options, person, fresh):
    """The login is kept."""
    zcrm_nb.login(**options).close()
    with zcrm_nb.login(**options) as crm:
        assert crm.count("Deals") > 0
    assert len(person) == 1
    kept = Vault().load("default")
    assert kept.who.startswith("Rohan Deshmukh")
    assert kept.dc == "in"
    assert "ZohoCRM.coql.READ" in kept.scopes


def test_force_asks_again(options, person):
    """For another user, or after something went wrong."""
    zcrm_nb.login(**options).close()
    zcrm_nb.login(**options, force=True).close()
    assert len(person) == 2


def test_a_saved_login_that_was_revoked_is_asked_for_again(options, person, fresh):
    """The person should not have to know about force."""
    with zcrm_nb.login(**options):
        fresh.accounts.revoke(Vault().load("default").grant.refresh_token.reveal())
        fresh.clock.advance(3600)
    vault = Vault()
    vault.save("default", replace(vault.load("default"), token=None))
    with zcrm_nb.login(**options) as crm:
        assert crm.count("Deals") > 0
    assert len(person) == 2


def test_a_saved_login_that_may_too_little_is_asked_for_again(options, person):
    """A wider one takes its place."""
    zcrm_nb.login(**options).close()
    zcrm_nb.login(**options | {"scopes": ["read", "coql", "notifications"]}).close()
    assert len(person) == 2
    zcrm_nb.login(**options).close()
    assert len(person) == 2


def test_a_saved_login_of_another_environment_is_not_passed_off_as_the_one_wanted(options, person):
    """Sandbox and production must never be mixed up."""
    zcrm_nb.login(**options).close()
    with pytest.raises(LoginError, match="another environment"):
        zcrm_nb.login(**options | {"environment": "sandbox"})
    assert len(person) == 1


def test_a_damaged_profile_is_told_and_force_replaces_it(options, person):
    """Nothing is overwritten without being asked to."""
    zcrm_nb.login(**options).close()
    path = Vault().folder / "default.vault"
    path.write_bytes(b"nothing")
    with pytest.raises(LoginError, match="damaged"):
        zcrm_nb.login(**options)
    assert path.read_bytes() == b"nothing"
    with zcrm_nb.login(**options, force=True) as crm:
        assert crm.count("Deals") > 0


def test_a_login_that_cannot_be_kept_works_all_the_same(options, person, tmp_path, capsys):
    """A home that cannot be written to must not stop the work."""
    (tmp_path / "config").write_text("a file where the folder should be", encoding="utf-8")
    with zcrm_nb.login(**options) as crm:
        assert crm.count("Deals") > 0
        assert "could not be kept" in capsys.readouterr().out


def test_after_logging_out_a_login_asks_again(options, person):
    """What is over is over."""
    with zcrm_nb.login(**options) as crm:
        crm.logout()
    assert Vault().profiles() == []
    zcrm_nb.login(**options).close()
    assert len(person) == 2


def test_with_nobody_to_ask_the_message_names_the_way_for_pipelines(options):
    """A test run is a pipeline."""
    with pytest.raises(LoginError, match="cannot be answered here") as caught:
        zcrm_nb.login(**options | {"ui": None})
    assert "connect(profile=" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ui": "gui"}, "'form' nor 'text'"),
        ({"flow": "carrier pigeon"}, "not one of browser"),
        ({"scopes": ["everything"]}, "neither a scope"),
        ({"edition": "gold"}, "enterprise"),
        ({"dc": "india"}, "not a data centre"),
        ({"accounts_url": "http://accounts.example.com"}, "in clear"),
    ],
)
def test_a_wrong_word_is_refused_before_anybody_is_asked(options, wrong, words, person):
    """Each is known to be wrong at once."""
    with pytest.raises(ValueError, match=words):
        zcrm_nb.login(**options | wrong)
    assert person == []


def test_the_command_line_logs_in_and_examines(options, person, capsys):
    """The same as in Python; the secret is never an argument."""
    arguments = [
        "--flow=paste",
        "--client-id",
        options["client_id"],
        "--dc=in",
        "--environment=production",
        *(f"--{name.replace('_', '-')}={options[name]}" for name in ("accounts_url", "api_domain")),
    ]
    assert main(["login", "work", *arguments, "--scopes", "read", "coql"]) == 0
    assert "work: Rohan Deshmukh" in capsys.readouterr().out
    assert main(["doctor", "work"]) == 0
    said = capsys.readouterr().out
    assert "ask in COQL: ok" in said
    assert "export in bulk: not granted: lacks ZohoCRM.bulk.READ" in said
    assert "zcrm_nb.login('work', force=True, scopes=[…, 'bulk'])" in said


def test_no_secret_is_shown_or_kept_in_clear(options, person, client, capsys, tmp_path):
    """On the screen, in the object, in the files."""
    with zcrm_nb.login(**options) as crm:
        grant = crm._gate.tokens.grant
        shown = capsys.readouterr().out + repr(crm) + repr(vars(crm)) + repr(vars(crm._gate))
        secrets = [
            secret.reveal()
            for secret in (
                grant.client_secret,
                grant.refresh_token,
                crm._gate.tokens.token().access,
            )
        ]
    files = b"".join(
        path.read_bytes() for path in (tmp_path / "config").iterdir() if path.suffix != ".key"
    )
    assert not [secret for secret in secrets if secret in shown or secret.encode() in files]


@pytest.mark.parametrize("name", ["Acme", "My Org", "acme/prod", "é", ".", "x" * 65])
@pytest.mark.parametrize("given", ["argument", "environment"])
def test_a_name_that_cannot_be_one_is_refused_before_the_consent(
    options, person, monkeypatch, name, given
):
    """A refresh token that is lost pushes another out."""
    if given == "environment":
        monkeypatch.setenv("ZCRM_PROFILE", name)
    with pytest.raises(ValueError, match="not a profile name"):
        zcrm_nb.login(*([name] if given == "argument" else []), **options)
    assert person == []


def revoke(fresh):
    """Make the saved login one that Zoho refuses."""
    vault = Vault()
    fresh.accounts.revoke(vault.load("default").grant.refresh_token.reveal())
    vault.save("default", replace(vault.load("default"), token=None, renewed_at=()))


def test_why_a_saved_login_is_not_used_is_said(options, person, fresh, capsys):
    """Revoked: in a terminal first, then the questions."""
    zcrm_nb.login(**options).close()
    revoke(fresh)
    capsys.readouterr()
    zcrm_nb.login(**options).close()
    assert len(person) == 2


def test_a_scheduled_notebook_says_why_beside_that_it_cannot_ask(options, person, fresh):
    """The reason comes first."""
    zcrm_nb.login(**options).close()
    revoke(fresh)
    with pytest.raises(LoginError, match=r"'default' no longer works.*refused.*invalid_code"):
        zcrm_nb.login(**options | {"ui": None})


def test_the_form_says_why(options, person, fresh, monkeypatch):
    """In its first line."""
    zcrm_nb.login(**options).close()
    revoke(fresh)
    shown = []
    monkeypatch.setattr("zcrm_nb.notebook.login.form.show", shown.append)
    zcrm_nb.login(**options | {"ui": "form"}).close()
    assert "no longer works" in shown[0]._status.value


def test_a_throttled_login_is_not_led_into_a_new_consent(options, person):
    """That would make the wait longer."""
    zcrm_nb.login(**options).close()
    vault = Vault()
    kept = vault.load("default")
    now = time.time()
    at = tuple(now - 100 + each for each in range(10))
    vault.save("default", replace(kept, token=None, renewed_at=at))
    for ui in ("text", "form", None):
        with pytest.raises(LoginError, match=r"Wait \d+ min"):
            zcrm_nb.login(**options | {"ui": ui})
    assert len(person) == 1


def test_a_login_that_may_too_little_says_what_is_missing(options, person, capsys):
    """Beside that nobody can be asked."""
    zcrm_nb.login(**options).close()
    with pytest.raises(LoginError, match="was not granted: notifications"):
        zcrm_nb.login(**options | {"scopes": ["read", "notifications"], "ui": None})


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("odd")])
def test_a_consent_is_not_lost_whatever_keeps_it_from_being_saved(
    options, person, monkeypatch, capsys, error
):
    """It works for the session, and says that it could not be kept."""

    def fail(*args, **options):
        raise error

    monkeypatch.setattr("tempfile.mkstemp", fail)
    with zcrm_nb.login(**options) as crm:
        assert crm.count("Deals") > 0
    assert "could not be kept" in capsys.readouterr().out
    assert Vault().profiles() == []


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("<your secret>", "client secret"),
        ("two words", "a blank"),
        ("1000.ABCDEFGHIJ12", "swapped"),
    ],
)
def test_a_client_that_cannot_be_right_is_not_sent(options, monkeypatch, fresh, typed, words):
    """Typed at the prompt: before a person is sent to Zoho."""
    monkeypatch.setattr("builtins.input", lambda question: pytest.fail("asked for the address"))
    monkeypatch.setattr("getpass.getpass", lambda question: typed)
    wrong = {"client_id": "secret"} if words == "swapped" else {}
    with pytest.raises(LoginError, match=words):
        zcrm_nb.login(**options | wrong)


@pytest.mark.parametrize("dress", ['"{}"', " {}\u200b", "'{}'\r"])
def test_quotes_around_what_is_typed_are_harmless(options, client, person, monkeypatch, dress):
    """As copied out of a .env file."""
    secret = dress.format(client["client_secret"])
    monkeypatch.setattr("getpass.getpass", lambda question: secret)
    with zcrm_nb.login(**options | {"client_id": dress.format(client["client_id"])}) as crm:
        assert crm.count("Deals") > 0
