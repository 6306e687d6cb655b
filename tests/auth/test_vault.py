"""The vault: what is kept comes back, nothing else gets out, and kernels share one token."""

import base64
import json
import logging
import multiprocessing
import os
import pickle
import re
import stat
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcrm_nb.auth.oauth import Grant, Token, TokenSource
from zcrm_nb.auth.vault import Profile, Vault
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.files import locked

CLIENT_SECRET = "5ec7e7" * 7
REFRESH_TOKEN = f"1000.{'ab' * 16}.{'cd' * 16}"
ACCESS_TOKEN = f"1000.{'12' * 16}.{'34' * 16}"
PASSPHRASE = "correct horse battery staple"
PLANTED = (CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN, PASSPHRASE)

GRANT = Grant(
    "1000.CLIENT", Secret(CLIENT_SECRET), Secret(REFRESH_TOKEN), "https://accounts.zoho.eu"
)
TOKEN = Token(
    Secret(ACCESS_TOKEN), 1789000000.0, "https://www.zohoapis.eu", ("ZohoCRM.modules.READ",)
)
PROFILE = Profile(
    GRANT,
    "eu",
    "sandbox",
    edition="enterprise",
    scopes=("ZohoCRM.modules.READ", "ZohoCRM.coql.READ"),
    who="Asha at Acme",
    token=TOKEN,
    renewed_at=(1788996400.0,),
)

# PROFILE as version 1 wrote it, sealed with PASSPHRASE: every later version must read it.
VERSION_1 = base64.b64decode(
    "emNybV9uYiB2YXVsdCAxIHBhc3NwaHJhc2UgNThhOWQxMmRhZmY2MTc1OGEwNjQ1NjlkY2Y2M2ZlMzYKvm+4etGv"
    "hg8qrQt9UtLdJpC+TyDRJR3bSIX3IQs71BOWfiJc9k/0uCZnwsIHgYlgGzvXqTZANXX04h2lV/JD+pirAbmK6k82"
    "7PVfOPjshBisLfxkTZYZCafrBbOtpoCC50njAEHta7lsbYaGMiYwY08fDLS1ENLOPqwgB9pe6VCx4d2vNpkfrPu6"
    "hUviy8VoNc1i3jCYFbjYLbuXB8bxIAEiRR0XSZIGfQXurzPTQVEuyLhADzlnc73YsP5+amRRCHyw/3HQfT3YwLAZ"
    "J/ydg82Fogv0b2A4+dB/oSJA/2YwZASn0qGc9s2br7ukzlzFCsNMd9H4gn0ObyNV81Da8lT5FhQYP8gglnTLrAwU"
    "kefRKJ95BPbifZpqIHRxr6ZVyAPITZw0Y8MyuFr/2ZFDIw7IsOfuZOFxMSO0DF5J8ISaIL7OG2yR3OyRGFTP1npD"
    "YTuFcgUWznPqrV19gMU7jRc5ZwECtAML4FgoiIqhbhJPihn3K6WWYqgIxEBkYOQkP8XnB0PEnp2KJdQezM5M48AG"
    "0qYMKxU8IxDT44Rn3ZWSh/g1GGWAYesQXTCBjXu3SXVoqFEW/L/0+nzFtmAhFa13kB/ID0tDwamw5mONlbeZQX8U"
    "6+hJ5IKURjlVT4lKK64LtDv84sAfu6GST2Jw0CoIEdiwlaf1ANq7SzC7G/aUVj+nvEnsPcWzMmLTmtNPDavjN3DL"
    "T+hNnw2GcUFA93b8bi3WLcHnCK6mWjMWPDvrXxcuhUTwK7N1zE96afZ2ciyz+qzv6VUzlaRGigOqf/7yD64e9r/U"
    "PHTyiiQrfbUwmJF4ZAu0VEtun3ZGen02IVS0VdYO9RYP3dj5sSJ6J3gEeNk="
)


class Ring:
    """A keyring at the edge: a dict."""

    def __init__(self):
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        del self.entries[service, username]


class Clock:
    """Time as a test sets it."""

    def __init__(self, now=1789000000.0):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    """Let the environment say nothing unless a test makes it."""
    monkeypatch.delenv("ZCRM_PASSPHRASE", raising=False)
    monkeypatch.delenv("ZCRM_CONFIG_DIR", raising=False)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def vault(tmp_path, clock):
    """Make a vault with a key file and one profile."""
    vault = Vault(tmp_path / "vault", keyring=False, wait_s=0, clock=clock)
    vault.save("acme", PROFILE)
    return vault


def contents(folder):
    """Every file of a folder with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ------------------------------------------------------------------------------ keeping


@pytest.mark.parametrize("options", [{"keyring": False}, {"passphrase": PASSPHRASE}, {}])
def test_what_is_saved_comes_back(tmp_path, options):
    """To the last field, whoever keeps the key."""
    options = {"keyring": Ring(), **options}
    Vault(tmp_path, **options).save("acme", PROFILE)
    assert Vault(tmp_path, **options).load("acme") == PROFILE


def test_a_vault_of_version_1_opens_for_ever(tmp_path):
    """People upgrade; their logins must survive it."""
    (tmp_path / "acme.vault").write_bytes(VERSION_1)
    assert Vault(tmp_path, passphrase=PASSPHRASE).load("acme") == PROFILE


def test_profiles_are_listed_without_opening_them(vault):
    """Also one that could not be opened; other files do not count."""
    (vault.folder / "broken.vault").write_bytes(b"?")
    (vault.folder / "notes.txt").write_bytes(b"?")
    (vault.folder / "Not a name.vault").write_bytes(b"?")
    assert vault.profiles() == ["acme", "broken"]


def test_a_vault_that_nobody_used_yet_has_no_profiles(tmp_path):
    """And looking at it makes no folder."""
    vault = Vault(tmp_path / "none")
    assert vault.profiles() == []
    with pytest.raises(LoginError, match=r"no saved login 'acme'.*\n.*zcrm-nb login acme.*none"):
        vault.load("acme")
    assert not vault.folder.exists()


def test_a_deleted_profile_leaves_nothing_that_opens_it(tmp_path):
    """File, key file and entry in the keyring are gone."""
    ring = Ring()
    for keyring in (ring, False):
        vault = Vault(tmp_path, keyring=keyring)
        vault.save("acme", PROFILE)
        vault.delete("acme")
        assert list(contents(tmp_path)) == ["acme.lock"]
        assert ring.entries == {}
        with pytest.raises(LoginError, match="no saved login"):
            vault.delete("acme")


@pytest.mark.parametrize("name", ["", "Acme", "../acme", ".acme", "a/b", "a" * 65, "acme\n"])
def test_a_name_that_could_lead_elsewhere_is_refused(vault, name):
    """Names become file names, also where upper and lower case are the same."""
    for call in (vault.load, vault.delete, lambda name: vault.save(name, PROFILE)):
        with pytest.raises(ValueError, match="not a profile name"):
            call(name)


def test_the_folder_can_be_set_in_the_environment(tmp_path, monkeypatch):
    """For containers; an argument still wins."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path / "there"))
    assert Vault().folder == tmp_path / "there"
    assert Vault(tmp_path).folder == tmp_path
    monkeypatch.delenv("ZCRM_CONFIG_DIR")
    assert Vault().folder.name == "zcrm_nb"


# ------------------------------------------------------------------------------ keys


def test_the_key_goes_to_the_keyring_and_the_file_says_so(tmp_path):
    """The entry is named after the file it opens; no key lies in the folder."""
    ring = Ring()
    Vault(tmp_path, keyring=ring).save("acme", PROFILE)
    assert list(ring.entries) == [("zcrm_nb", str(tmp_path / "acme.vault"))]
    assert sorted(contents(tmp_path)) == ["acme.lock", "acme.vault"]
    assert contents(tmp_path)["acme.vault"].startswith(b"zcrm_nb vault 1 keyring\n")


def test_a_passphrase_goes_before_the_keyring(tmp_path, monkeypatch):
    """Who sets one wants it used, from the argument or from the environment."""
    ring = Ring()
    monkeypatch.setenv("ZCRM_PASSPHRASE", PASSPHRASE)
    Vault(tmp_path, keyring=ring).save("acme", PROFILE)
    monkeypatch.delenv("ZCRM_PASSPHRASE")
    assert ring.entries == {}
    assert Vault(tmp_path, passphrase=PASSPHRASE).load("acme") == PROFILE


def test_saving_again_keeps_the_key(tmp_path):
    """A new key would leave the old file unreadable, should writing the new one fail."""
    ring = Ring()
    vault = Vault(tmp_path, keyring=ring)
    vault.save("acme", PROFILE)
    before = dict(ring.entries)
    vault.save("acme", replace(PROFILE, who="Ravi"))
    assert ring.entries == before


def test_no_two_files_are_alike(vault):
    """A nonce used twice would give the secrets away."""
    before = contents(vault.folder)["acme.vault"]
    vault.save("acme", PROFILE)
    assert contents(vault.folder)["acme.vault"] != before


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such modes")
def test_files_and_folder_are_private(vault):
    """0700 and 0600."""
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in vault.folder.iterdir()}
    assert modes == {"acme.vault": 0o600, "acme.key": 0o600, "acme.lock": 0o600}


# ------------------------------------------------------------------------------ trouble


def spoiled(content):
    """Ways to spoil a vault file, with what to say."""
    header, _, body = content.partition(b"\n")
    return {
        "empty": (b"", "damaged, or is not a vault"),
        "foreign": (b"[profile]\nname = x\n", "damaged, or is not a vault"),
        "newer": (b"zcrm_nb vault 2 hsm:slot-7\n" + body, "newer zcrm_nb.*version 2.*reads 1"),
        "unknown key": (b"zcrm_nb vault 1 hsm\n" + body, "damaged, or is not a vault"),
        "cut short": (content[:-1], "did not open"),
        "cut to the header": (header + b"\n", "did not open"),
        "longer": (content + b"x", "did not open"),
        "other key": (b"zcrm_nb vault 1 keyring\n" + body, "keyring that cannot be reached"),
        "passphrase": (
            b"zcrm_nb vault 1 passphrase " + b"0" * 32 + b"\n" + body,
            "passphrase, and none was given",
        ),
    }


@pytest.mark.parametrize("how", spoiled(b"\n"))
def test_a_file_that_does_not_open_is_explained_and_left_alone(vault, how):
    """Three lines at most: what happened, what to do; and not a byte is changed."""
    path = vault.folder / "acme.vault"
    content, words = spoiled(path.read_bytes())[how]
    path.write_bytes(content)
    before = contents(vault.folder)
    renew = partial(vault.renew, "acme", GRANT, TOKEN, lambda: pytest.fail("asked Zoho"))
    for call in (partial(vault.load, "acme"), renew):
        with pytest.raises(LoginError, match=words) as caught:
            call()
        assert "left as it is" in caught.value.todo
    assert contents(vault.folder) == before


def test_a_wrong_passphrase_is_explained_and_the_file_left_alone(tmp_path):
    """The seal cannot tell it from a changed file, so the message names both."""
    (tmp_path / "acme.vault").write_bytes(VERSION_1)
    with pytest.raises(LoginError, match="passphrase is another, or the file was changed"):
        Vault(tmp_path, passphrase="incorrect horse").load("acme")
    assert contents(tmp_path)["acme.vault"] == VERSION_1


@settings(deadline=None)  # each example waits for the disk
@given(data=st.data())
def test_a_change_of_any_byte_is_noticed(tmp_path_factory, data):
    """Header, nonce, text and seal alike."""
    vault = Vault(tmp_path_factory.mktemp("v"), keyring=False)
    vault.save("acme", PROFILE)
    path = vault.folder / "acme.vault"
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(LoginError):
        vault.load("acme")


def test_a_profile_cannot_stand_in_for_another(vault):
    """Who swaps files could make a script for the sandbox write to production."""
    vault.save("sandbox", PROFILE)
    for kind in ("vault", "key"):
        (vault.folder / f"acme.{kind}").replace(vault.folder / f"sandbox.{kind}")
    with pytest.raises(LoginError, match="renamed"):
        vault.load("sandbox")


def test_a_lost_key_file_is_explained(vault):
    """The file alone is worth nothing, to a thief and to its owner."""
    (vault.folder / "acme.key").unlink()
    with pytest.raises(LoginError, match=r"key file is missing or damaged\.\nBring"):
        vault.load("acme")


def test_a_busy_profile_is_explained(vault):
    """Another kernel holds the lock and does not come back."""
    with (
        locked(vault.folder / "acme.lock", wait_s=0),
        pytest.raises(LoginError, match=r"busy.*\n.*acme\.lock.*\nWait for that kernel"),
    ):
        vault.load("acme")


def test_a_folder_that_cannot_be_written_is_explained(tmp_path):
    """With the setting that leads elsewhere."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LoginError, match="ZCRM_CONFIG_DIR"):
        Vault(tmp_path / "file", keyring=False).save("acme", PROFILE)


def test_a_keyring_that_refuses_is_explained(tmp_path):
    """There is no silent step down to a key file."""

    class Refusing(Ring):
        def set_password(self, service, username, password):
            raise PermissionError("dismissed by the user")

    with pytest.raises(LoginError, match=r"did not take the key \(PermissionError\)"):
        Vault(tmp_path, keyring=Refusing()).save("acme", PROFILE)
    assert sorted(contents(tmp_path)) == ["acme.lock"]


# ------------------------------------------------------------------------------ secrecy


def all_of(error):
    """Everything an error can show: its chain, the local variables of every frame, its pickle."""
    told, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        told += [*shown.format(), repr(error), repr(vars(error))]
        told.append(pickle.dumps(error).decode("latin-1"))
        error = error.__cause__ or error.__context__
    return "\n".join(told)


class Telling(Ring):
    """A keyring that refuses keys, and tells in its error which."""

    def set_password(self, service, username, password):
        raise RuntimeError(password)


def fail_to_load(folder, content, options):
    Vault(folder, keyring=False).save("acme", PROFILE)
    (folder / "acme.vault").write_bytes(content)
    Vault(folder, **options).load("acme")


def fail_to_write(folder, name):
    vault = Vault(folder, keyring=False)
    (folder / name / "in the way").mkdir(parents=True)
    vault.save("acme", PROFILE)


FAILURES = {
    "damaged": lambda folder: fail_to_load(folder, b"zcrm", {}),
    "keyless": lambda folder: fail_to_load(folder, VERSION_1, {"keyring": False}),
    "tampered": lambda folder: fail_to_load(
        folder, VERSION_1 + b"x", {"passphrase": Secret(PASSPHRASE), "keyring": False}
    ),
    "vault unwritable": lambda folder: fail_to_write(folder, "acme.vault"),
    "key unwritable": lambda folder: fail_to_write(folder, "acme.key"),
    "keyring": lambda folder: Vault(folder, keyring=Telling()).save("acme", PROFILE),
    "quota": lambda folder: (
        Vault(folder, keyring=False).save("acme", replace(PROFILE, renewed_at=(1.0,) * 10)),
        Vault(folder, keyring=False, clock=Clock(2.0)).renew("acme", GRANT, TOKEN, lambda: TOKEN),
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_shows_a_secret(tmp_path, failure, caplog):
    """Message, chain, local variables of all frames, pickle, log: nothing planted is in them."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LoginError) as caught:
        FAILURES[failure](tmp_path)
    told = all_of(caught.value) + caplog.text
    assert [secret for secret in PLANTED if secret in told] == []
    assert not re.search("[0-9a-f]{64}", told), "this must be a key"


def test_reprs_and_pickles_show_no_secret(tmp_path):
    """Notebooks print things all the time, and caches pickle them."""
    vault = Vault(tmp_path, passphrase=PASSPHRASE)
    for thing in (vault, PROFILE):
        shown = f"{thing!r} {thing} {pickle.dumps(thing).decode('latin-1')}"
        assert [secret for secret in PLANTED if secret in shown] == []


def test_the_files_show_no_secret(vault):
    """Nor who it is: only the name of the profile can be read."""
    kept = b"".join(contents(vault.folder).values())
    for secret in (*PLANTED, "Asha", "1000.CLIENT"):
        assert secret.encode() not in kept


# ------------------------------------------------------------------------------ one token for all


def fresh_token(clock, number=1):
    return Token(Secret(f"1000.{number:032x}.{'ee' * 16}"), clock.now + 3600)


def test_the_first_renews_and_the_next_takes_what_it_brought(vault, clock):
    """Two kernels with the same expired token cost one refresh."""
    made = []

    def refresh():
        made.append(fresh_token(clock))
        return made[-1]

    first = vault.renew("acme", GRANT, TOKEN, refresh)
    second = vault.renew("acme", GRANT, TOKEN, refresh)
    assert first == second == made[0]
    assert len(made) == 1


def test_a_refused_token_is_renewed_though_its_hour_is_not_over(vault, clock):
    """Zoho pushes tokens out; the one that was refused must not come back from the vault."""
    early = vault.renew("acme", GRANT, TOKEN, partial(fresh_token, clock, 1))
    again = vault.renew("acme", GRANT, early, partial(fresh_token, clock, 2))
    assert again == fresh_token(clock, 2) != early


def test_a_token_that_expired_in_the_vault_is_not_handed_on(vault, clock):
    """After a night, the token that another kernel left is as stale as one's own."""
    vault.renew("acme", GRANT, TOKEN, partial(fresh_token, clock, 1))
    clock.now += 8 * 3600
    assert vault.renew("acme", GRANT, TOKEN, partial(fresh_token, clock, 2)) == fresh_token(
        clock, 2
    )


def test_a_new_token_is_kept_sealed_as_the_profile_was(tmp_path, clock):
    """A kernel with a passphrase must not lock out one that opens the file by the keyring."""
    ring = Ring()
    Vault(tmp_path, keyring=ring).save("acme", PROFILE)
    other = Vault(tmp_path, keyring=ring, passphrase=PASSPHRASE, clock=clock)
    other.renew("acme", GRANT, TOKEN, partial(fresh_token, clock))
    assert Vault(tmp_path, keyring=ring).load("acme").token == fresh_token(clock)


def test_a_profile_taken_over_by_another_login_is_left_alone(vault, clock):
    """The running notebook goes on as who it was, and keeps its token to itself."""
    other = replace(GRANT, refresh_token=Secret("1000.other.login"))
    mine = vault.renew("acme", other, None, partial(fresh_token, clock, 7))
    assert mine == fresh_token(clock, 7)
    assert vault.load("acme") == PROFILE


def test_ten_tokens_in_ten_minutes_are_all(vault, clock):
    """The eleventh is not asked for, since asking makes Zoho's block longer; later it is."""
    token = TOKEN
    for number in range(10):
        token = vault.renew("acme", GRANT, token, partial(fresh_token, clock, number))
        clock.now += 30
    with pytest.raises(LoginError, match=r"10 access tokens.*\nWait 5 min"):
        vault.renew("acme", GRANT, token, lambda: pytest.fail("asked Zoho"))
    clock.now += 5 * 60
    assert vault.renew("acme", GRANT, token, partial(fresh_token, clock, 11))


def test_a_refusal_passes_through_and_changes_nothing(vault):
    """What Zoho says about the login is the caller's to hear."""
    before = contents(vault.folder)

    def refuse():
        raise LoginError("Zoho Accounts refused the login.")

    with pytest.raises(LoginError, match="refused"):
        vault.renew("acme", GRANT, TOKEN, refuse)
    assert contents(vault.folder) == before


def test_a_new_token_is_given_even_if_it_cannot_be_kept(vault, clock, caplog):
    """A full disk must not stop a kernel that has its token; the log tells."""

    def refresh():
        (vault.folder / "acme.vault").unlink()
        (vault.folder / "acme.vault" / "in the way").mkdir(parents=True)
        return fresh_token(clock)

    assert vault.renew("acme", GRANT, TOKEN, refresh) == fresh_token(clock)
    assert "could not be kept" in caplog.text


# ------------------------------------------------------------------------------ two processes


class Quiet(WSGIRequestHandler):
    """Prints nothing."""

    def log_message(self, *_):
        pass


@contextmanager
def counting_accounts():
    """Stand in for Zoho Accounts on loopback: its address, and the list of its refreshes."""
    refreshes = []

    def answer(environ, start_response):
        refreshes.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "application/json")])
        token = f"1000.{len(refreshes):032x}.{'ab' * 16}"
        return [json.dumps({"access_token": token, "expires_in": 3600}).encode()]

    with make_server("127.0.0.1", 0, answer, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", refreshes
        server.shutdown()
        thread.join(10)


def fifty_calls(folder, start, tokens):
    """Be a kernel: open the profile, and let 50 threads ask for the token at once."""
    vault = Vault(folder, keyring=False)
    profile = vault.load("acme")
    source = TokenSource(profile.grant, token=profile.token, shared=partial(vault.renew, "acme"))
    start.wait(60)  # both kernels hold the expired token by now
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda _: source.token().access.reveal(), range(50)))
    tokens.put(found)


def test_two_processes_with_fifty_calls_each_cost_one_refresh(tmp_path):
    """Zoho makes ten tokens in ten minutes: kernels must not use them up against each other."""
    spawn = multiprocessing.get_context("spawn")
    start, tokens = spawn.Barrier(2), spawn.Queue()
    with counting_accounts() as (url, refreshes):
        expired = replace(PROFILE, grant=replace(GRANT, accounts_url=url), token=None)
        expired = replace(expired, token=replace(TOKEN, expires_at=1.0))
        Vault(tmp_path, keyring=False).save("acme", expired)
        kernels = [
            spawn.Process(target=fifty_calls, args=(tmp_path, start, tokens)) for _ in range(2)
        ]
        for kernel in kernels:
            kernel.start()
        found = [token for _ in kernels for token in tokens.get(timeout=120)]
        for kernel in kernels:
            kernel.join(60)
            assert kernel.exitcode == 0
    assert len(refreshes) == 1
    assert found == [f"1000.{1:032x}.{'ab' * 16}"] * 100
