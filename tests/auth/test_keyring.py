"""Who keeps the key, and which keyrings are real."""

import sys

import pytest

from zcrm_nb.auth.keyring import KeyFile, Passphrase, SystemKeyring, system_keyring
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret


def test_a_passphrase_gives_the_same_key_for_the_same_salt_only():
    """Also when é was typed on a Mac, which writes it as e and an accent."""
    key = Passphrase(Secret("caf\u00e9 noir"), "00" * 16).find()
    assert key == Passphrase(Secret("cafe\u0301 noir"), "00" * 16).find()
    assert key != Passphrase(Secret("caf\u00e9 noir"), "01" * 16).find()


def test_a_damaged_key_file_is_no_key(tmp_path):
    """Half a key, or bytes that are no text, must not become a key."""
    keeper = KeyFile(tmp_path / "a.key")
    assert keeper.find() is None
    key = keeper.make()
    assert keeper.find() == key
    for damage in (b"", key.reveal()[:40].encode(), b"\xff" * 64):
        keeper.path.write_bytes(damage)
        assert keeper.find() is None


def test_a_keyring_that_fails_has_no_key():
    """Backends raise what their desktop gives them; for us the key is out of reach."""

    class Locked:
        def get_password(self, service, username):
            raise RuntimeError("locked")

    assert SystemKeyring(Locked(), "a.vault").find() is None
    assert SystemKeyring(None, "a.vault").find() is None


@pytest.fixture
def use_backend():
    """Let a test choose the backend of the keyring package; put the old one back."""
    keyring = pytest.importorskip("keyring")
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def backend_of(module):
    """Make a backend that says it comes from a module."""
    backend = pytest.importorskip("keyring.backend").KeyringBackend
    methods = dict.fromkeys(("get_password", "set_password", "delete_password"), lambda *_: None)
    # The package lists every subclass of its own accord: priority below zero keeps it out.
    return type("Keyring", (backend,), {"__module__": module, "priority": -1, **methods})()


@pytest.mark.parametrize(
    "module",
    [
        "keyring.backends.fail",
        "keyring.backends.null",
        "keyrings.alt.file",
        "somebody.elses",
    ],
)
def test_look_alikes_are_not_used(module, use_backend):
    """They fail, forget, or write plain text."""
    use_backend(backend_of(module))
    assert system_keyring() is None


@pytest.mark.parametrize("name", ["SecretService", "Windows", "kwallet", "libsecret", "macOS"])
def test_the_systems_keyrings_are_used(name, use_backend):
    """Those of Linux desktops, Windows and macOS."""
    real = backend_of(f"keyring.backends.{name}")
    use_backend(real)
    assert system_keyring() is real


def test_a_real_one_is_found_among_several(use_backend):
    """With several backends the package puts a front before them; the plain-text one is passed."""
    real, plain = backend_of("keyring.backends.kwallet"), backend_of("keyrings.alt.file")
    front = backend_of("keyring.backends.chainer")
    front.backends = [plain, real]
    use_backend(front)
    assert system_keyring() is real


def test_without_the_package_there_is_no_keyring(monkeypatch):
    """The package is an extra."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert system_keyring() is None


@pytest.mark.parametrize(
    "backend",
    [
        "keyrings.gone.Keyring",
        "keyring.backends.null.Gone",
        "null",
        "keyring.backends.fail.Keyring",
    ],
)
def test_a_backend_that_is_gone_is_no_reason_to_fail(backend, monkeypatch, caplog):
    """Left over from another program's image: the key file is used instead."""
    keyring = pytest.importorskip("keyring")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    assert system_keyring() is None


@pytest.mark.parametrize("error", [ValueError("unsupported"), AttributeError("scrypt")])
def test_without_scrypt_of_pythons_own_the_key_is_the_same(error, monkeypatch):
    """FIPS or LibreSSL: a login that was saved elsewhere opens here."""
    key = Passphrase(Secret("correct horse"), "00" * 16)
    usual = key.find()

    def refuse(*args, **options):
        raise error

    monkeypatch.setattr("hashlib.scrypt", refuse)
    key.check()
    assert key.find() == usual


def test_a_machine_without_any_scrypt_says_so_beforehand(monkeypatch):
    """Before a person is sent to Zoho."""

    def refuse(*args, **options):
        raise ValueError("unsupported")

    monkeypatch.setattr("hashlib.scrypt", refuse)
    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.scrypt.Scrypt", refuse)
    with pytest.raises(LoginError, match="ZCRM_PASSPHRASE"):
        Passphrase(Secret("correct horse"), "00" * 16).check()
