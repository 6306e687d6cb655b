"""Where the key to a vault file is kept: with a passphrase, in the system's keyring, in a file.

Three keepers of one shape. A keeper is told apart by its ``mark``, which stands in the vault file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Keeper", "KeyFile", "Keyring", "Passphrase", "SystemKeyring", "system_keyring"]

_LOG = logging.getLogger("zcrm_nb")
_KEY = re.compile(r"[0-9a-f]{64}")
_SERVICE = "zcrm_nb"  # the keys stand under this name in the keyring

# An allow-list: a backend that is not known here may well write plain text, as keyrings.alt does.
_SYSTEM_KEYRINGS = {
    f"keyring.backends.{name}"
    for name in ("SecretService", "Windows", "kwallet", "libsecret", "macOS")
}


class Keyring(Protocol):
    """What is needed of a keyring: the interface of the ``keyring`` package's backends."""

    def get_password(self, service: str, username: str) -> str | None:
        """Give an entry, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Make or replace an entry."""

    def delete_password(self, service: str, username: str) -> None:
        """Remove an entry."""


class Keeper(Protocol):
    """Keeps the key to one vault file."""

    @property
    def mark(self) -> str:
        """Its name in the vault file."""

    @property
    def missing(self) -> str:
        """What is wrong when there is no key."""

    @property
    def todo(self) -> str:
        """What can be done."""

    def check(self) -> None:
        """Raise ``LoginError`` where no key can be made on this machine."""

    def find(self) -> Secret | None:
        """Give the key, if it is to be had."""

    def make(self) -> Secret:
        """Make a new key and keep it."""

    def forget(self) -> None:
        """Remove the key."""


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Keeps nothing: the key is worked out of a passphrase each time."""

    passphrase: Secret
    salt: str

    missing = "it is sealed with a passphrase, and none was given"
    todo = "Set ZCRM_PASSPHRASE, or give passphrase=."

    @property
    def mark(self) -> str:
        """Its name in the vault file."""
        return f"passphrase {self.salt}"

    def check(self) -> None:
        """Try scrypt at no cost: some builds of Python and some security policies refuse it."""
        _scrypt(b"", b"", n=2)

    def find(self) -> Secret | None:
        """Work the key out: about a second and 128 MB on purpose: guessing is dear."""
        return self.make() if self.passphrase else None

    def make(self) -> Secret:
        """Work the key out, with scrypt at the cost that OWASP's password cheat sheet demands."""
        # A Mac and a PC may write the same é in two ways.
        passphrase = unicodedata.normalize("NFC", self.passphrase.reveal()).encode()
        return Secret(_scrypt(passphrase, bytes.fromhex(self.salt), n=2**17).hex())

    def forget(self) -> None:
        """Do nothing: nothing was kept."""


@dataclass(frozen=True, slots=True)
class SystemKeyring:
    """Keeps the key in the keyring of the operating system."""

    backend: Keyring | None
    entry: str

    mark = "keyring"
    missing = "its key is in a system keyring that cannot be reached from this session"
    todo = "Unlock the keyring; it needs the keyring package, and the session that saved the key."

    def check(self) -> None:
        """Do nothing: only storing a key shows whether the keyring takes one."""

    def find(self) -> Secret | None:
        """Read the key; whatever goes wrong in a backend, it is not to be had."""
        with suppress(Exception):  # backends raise anything; without a key the vault says so
            if self.backend is not None:
                return _a_key(Secret(self.backend.get_password(_SERVICE, self.entry) or ""))
        return None

    def make(self) -> Secret:
        """Hand a new key over; the keyring may refuse it, or the person at its dialogue may."""
        key, problem = _new_key(), "there is none"
        try:
            if self.backend is not None:
                self.backend.set_password(_SERVICE, self.entry, key.reveal())
                return key
        except Exception as error:  # backends raise whatever their system gives them
            problem = type(error).__name__
        # Raised outside the handler: the frames down there have the key in a variable.
        raise LoginError(
            f"The system keyring did not take the key ({problem}).",
            todo="Unlock it and try again, or set ZCRM_PASSPHRASE to do without.",
        )

    def forget(self) -> None:
        """Remove the key, if it is there."""
        with suppress(Exception):  # backends raise anything; an orphaned key opens nothing
            if self.backend is not None:
                self.backend.delete_password(_SERVICE, self.entry)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Keeps the key in a file that only its owner may read."""

    path: Path

    mark = "keyfile"
    missing = "its key file is missing or damaged"
    todo = "Bring the .key file back from where the profile came."

    def check(self) -> None:
        """Do nothing: any folder for the vault takes a key file too."""

    def find(self) -> Secret | None:
        """Read the key."""
        try:
            return _a_key(Secret(self.path.read_text("ascii")))
        except (OSError, UnicodeError):
            return None

    def make(self) -> Secret:
        """Write a new key."""
        key = _new_key()
        write_whole(self.path, key.reveal().encode())
        return key

    def forget(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def system_keyring() -> Keyring | None:
    """Find the keyring of the operating system."""
    try:
        import keyring  # noqa: PLC0415 - an extra; looking for the desktop takes it a while

        found = keyring.get_keyring()
        backends = getattr(found, "backends", [found])  # several, behind a front
    except ImportError:
        return None
    except Exception as error:  # a backend that is set and gone raises whatever it likes
        _LOG.warning(
            "The system keyring cannot be used (%s); the key is kept in a file instead.",
            type(error).__name__,
        )
        return None
    return next((each for each in backends if type(each).__module__ in _SYSTEM_KEYRINGS), None)


def _scrypt(passphrase: bytes, salt: bytes, *, n: int) -> bytes:
    """Derive a key by Python's own scrypt, else by that of cryptography."""
    with suppress(AttributeError, ValueError, MemoryError):
        return hashlib.scrypt(passphrase, salt=salt, n=n, r=8, p=1, maxmem=2**28, dklen=32)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - rarely needed
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415 - rarely needed

    try:
        return Scrypt(salt=salt, length=32, n=n, r=8, p=1).derive(passphrase)
    except (UnsupportedAlgorithm, ValueError, MemoryError) as error:
        problem = type(error).__name__
    # Raised outside the handler: the frames down there have the passphrase in a variable.
    raise LoginError(
        f"No key can be made of a passphrase on this machine (scrypt: {problem}).",
        todo="Unset ZCRM_PASSPHRASE to use the system keyring or a key file.",
    )


def _new_key() -> Secret:
    """Make a key at random."""
    return Secret(os.urandom(32).hex())


def _a_key(found: Secret) -> Secret | None:
    """Let pass what can be a key."""
    return found if _KEY.fullmatch(found.reveal()) else None
