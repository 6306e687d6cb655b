"""The vault: logins kept between sessions, encrypted, and one access token for all kernels.

Each profile is a file of its own, sealed with AES-256-GCM: who changes a byte of it, or puts one
profile in the place of another, is noticed. What that is worth depends on where the key is:

===============  ==============================================  ==================================
key              protects against                                does not protect against
===============  ==============================================  ==================================
passphrase       anyone who gets your files: a stolen disk, a    programs that run as you; anyone
                 backup, a shared home folder; as long as the    who reads ``ZCRM_PASSPHRASE``
                 passphrase is not guessed                       where you set it
system keyring   the same, and there is nothing to guess         programs that run as you while you
                                                                 are logged in
key file         a profile that leaks alone: into a commit, an   anyone who can read the folder:
                 e-mail, a copy of single files                  the key lies beside what it opens
===============  ==============================================  ==================================

A passphrase is used when there is one; else the keyring of the system; else a key file. Nothing
here protects from the administrator of the machine, or from code that runs in your own kernel.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.auth.keyring import KeyFile, Passphrase, SystemKeyring, system_keyring
from zcrm_nb.auth.oauth import Grant, Token
from zcrm_nb.auth.renewal import is_good, recent_renewals
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.files import locked, write_whole
from zcrm_nb.state.folders import config_folder, private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb.auth.keyring import Keeper, Keyring

__all__ = ["Profile", "Vault", "notes_of"]

VERSION = 1
_HEADER = re.compile(rb"zcrm_nb vault ([1-9]\d{0,3}) ([ -~]{1,200})\n")
_MARK = re.compile(r"(keyring|keyfile|passphrase)(?: ([0-9a-f]{32}))?")
_NONCE = 12  # bytes
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # small letters: some file systems ignore case

_LOG = logging.getLogger("zcrm_nb")


@dataclass(frozen=True, slots=True)
class Profile:
    """A login to come back to: what :func:`zcrm_nb.connect` needs, and the token of the hour.

    Parameters
    ----------
    grant : Grant
        Client id and secret, refresh token, address of Zoho Accounts.
    dc, environment : str
        Data centre and environment, as for :func:`zcrm_nb.connect`.
    api_domain, upload_url : str, optional
        Hosts other than those of the data centre.
    edition : str, optional
        Edition of the org.
    scopes : tuple of str, default ()
        What was granted.
    who : str, default ""
        User and org, in words for a person.
    token : Token, optional
        The access token that all kernels share.
    renewed_at : tuple of float, default ()
        When tokens were made of it in the last ten minutes, in seconds since 1970.
    """

    # These names, and those of Grant and Token, are the format of the file: VERSION counts them.
    grant: Grant
    dc: str = "us"
    environment: str = "production"
    api_domain: str | None = None
    upload_url: str | None = None
    edition: str | None = None
    scopes: tuple[str, ...] = ()
    who: str = ""
    token: Token | None = None
    renewed_at: tuple[float, ...] = ()


class _Opened(NamedTuple):
    """A profile out of its file, with what seals it again."""

    profile: Profile
    header: bytes
    key: Secret


class Vault:
    """Logins by name, encrypted at rest, shared by all kernels and processes of a user.

    Parameters
    ----------
    folder : str or Path, optional
        Where the files are: ``ZCRM_CONFIG_DIR`` if that is set, for containers and for homes that
        cannot be written to; else the user's configuration folder, such as ``~/.config/zcrm_nb``.
    passphrase : str or Secret, optional
        Seals what is saved, and opens what was sealed with it; ``ZCRM_PASSPHRASE`` by default.
    keyring : bool or Keyring, default True
        Whether to keep keys in the keyring of the operating system, if the ``keyring`` package is
        installed and finds one that does not write plain text; or a backend of your own.
    wait_s : float, default 120
        Seconds to wait while another kernel renews the token of the same profile.
    clock : callable, default time.time
        Seconds since 1970.

    Notes
    -----
    Nothing is read or written before a method is called. Files have mode 0600, and the folder 0700
    when the vault makes it; on Windows the user's own folder is private by itself. A file that does
    not open is left as it is, to the last byte.

    With a keyring, the key is in there and the profile in a file all the same. To put the profile
    into the keyring was rejected: a keyring cannot list its entries, has no lock by which two
    kernels could take turns, and on Windows no room (1,280 characters) for a long list of scopes.

    Examples
    --------
    >>> import tempfile
    >>> from zcrm_nb.auth.oauth import Grant
    >>> from zcrm_nb.masking import Secret
    >>> from zcrm_nb.auth.vault import Profile, Vault
    >>> grant = Grant("1000.ABC", Secret("…"), Secret("…"), "https://accounts.zoho.eu")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     vault = Vault(folder, passphrase="correct horse battery staple")
    ...     vault.save("acme", Profile(grant, dc="eu", who="Asha at Acme"))
    ...     vault.profiles(), vault.load("acme").who
    (['acme'], 'Asha at Acme')
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        passphrase: str | Secret | None = None,
        keyring: bool | Keyring = True,
        wait_s: float = 120.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = Path(folder or config_folder())
        self._passphrase = Secret(passphrase or os.environ.get("ZCRM_PASSPHRASE", ""))
        self._keyring = keyring
        self._wait_s = wait_s
        self._clock = clock

    def __repr__(self) -> str:
        return f"Vault({str(self.folder)!r})"

    def profiles(self) -> list[str]:
        """List the names of the profiles."""
        names = (path.stem for path in self.folder.glob("*.vault"))
        return sorted(name for name in names if _NAME.fullmatch(name))

    def check(self, name: str) -> str:
        """Say why a login could not be kept under a name, if so, before a person is sent to Zoho.

        A name that cannot be one is a ``ValueError``.
        """
        self._path(name, "vault")
        try:
            with self._turn(name):
                self._chosen(name).check()
        except LoginError as error:
            return " ".join(filter(None, (error.happened, error.said)))
        return ""

    def load(self, name: str) -> Profile:
        """Open a profile."""
        self._check_there(name)
        with self._turn(name):
            return self._open(name).profile

    def save(self, name: str, profile: Profile) -> None:
        """Keep a profile, in place of one that has the name."""
        with self._turn(name):
            keeper = self._chosen(name)
            with _in_words(name):
                key = keeper.find() or keeper.make()
            header = f"zcrm_nb vault {VERSION} {keeper.mark}\n".encode()
            self._put(name, _Opened(profile, header, key))

    def delete(self, name: str) -> None:
        """Remove a profile and its key. It stays good at Zoho until its token is revoked."""
        self._check_there(name)
        with self._turn(name), _in_words(name):
            self._path(name, "vault").unlink(missing_ok=True)
            for kind in ("keyring", "keyfile"):
                self._keeper(name, kind).forget()

    def renew(
        self, name: str, grant: Grant, stale: Token | None, refresh: Callable[[], Token]
    ) -> Token:
        """Give the token that all kernels share; make a new one only if none has yet.

        A :class:`~zcrm_nb.auth.oauth.TokenSource` takes ``partial(vault.renew, name)`` as its
        ``shared``. The lock is held meanwhile: a second kernel waits, and then finds the token of
        the first.

        References
        ----------
        Zoho CRM API V8, "Token Validity":
        https://www.zoho.com/crm/developer/docs/api/v8/token-validity.html
        """
        self._check_there(name)
        with self._turn(name):
            opened = self._open(name)
            profile = opened.profile
            if profile.grant != grant:
                return refresh()
            now = self._clock()
            if profile.token is not None and is_good(profile.token, stale, now):
                return profile.token
            recent = recent_renewals(f"Profile {name!r}", profile.renewed_at, now)
            token = refresh()
            fresh = replace(profile, token=token, renewed_at=(*recent, self._clock()))
            self._put_if_possible(name, opened._replace(profile=fresh))
            return token

    def _put_if_possible(self, name: str, opened: _Opened) -> None:
        """Keep a new token; a full or read-only disk must not stop the work that has the token."""
        try:
            self._put(name, opened)
        except LoginError as error:
            _LOG.warning("The new access token could not be kept. %s", error.said)

    def _check_there(self, name: str) -> None:
        """Refuse a profile that does not exist, naming those that do."""
        if not self._path(name, "vault").exists():
            raise LoginError(
                f"There is no saved login {name!r} in {self.folder}.",
                todo=f"Make it with zcrm_nb.login({name!r}), in a terminal zcrm-nb login {name}. "
                f"Saved logins: {', '.join(self.profiles()) or 'none'}.",
            )

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """Wait for one's turn at a profile; errors of the block pass as they are."""
        lock = self._path(name, "lock")
        with ExitStack() as held:
            with _in_words(name):
                private_folder(self.folder)
                held.enter_context(locked(lock, wait_s=self._wait_s))
            yield

    def _open(self, name: str) -> _Opened:
        """Read and unseal the file of a profile."""
        with _in_words(name):
            content = self._path(name, "vault").read_bytes()
        header, kind, salt = _header(name, content)
        keeper = self._keeper(name, kind, salt)
        key = keeper.find()
        if key is None:
            raise LoginError(
                f"Profile {name!r} cannot be opened: {keeper.missing}.",
                todo=f"{keeper.todo} {_AGAIN}",
            )
        plain = _unsealed(name, content, header, key)
        if plain is None:
            raise _not_opened(name, kind)
        return _Opened(_profile(plain), header, key)

    def _put(self, name: str, opened: _Opened) -> None:
        """Seal a profile and write its file."""
        sealed = _sealed(name, opened)
        with _in_words(name):
            write_whole(self._path(name, "vault"), sealed)

    def _path(self, name: str, kind: str) -> Path:
        """Name a file of a profile."""
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a profile name: lower-case letters, digits, '.', '_' and '-', up "
                f"to 64{_suggested(name)}"
            )
        return self.folder / f"{name}.{kind}"

    def _chosen(self, name: str) -> Keeper:
        """Choose who keeps the key to a profile that is saved."""
        if self._passphrase:
            return self._keeper(name, "passphrase", os.urandom(16).hex())
        return self._keeper(name, "keyring" if self._backend() else "keyfile")

    def _keeper(self, name: str, kind: str, salt: str = "") -> Keeper:
        """Call the keeper of a kind."""
        if kind == "passphrase":
            return Passphrase(self._passphrase, salt)
        if kind == "keyring":
            return SystemKeyring(self._backend(), str(self._path(name, "vault")))
        return KeyFile(self._path(name, "key"))

    def _backend(self) -> Keyring | None:
        """Give the keyring to use, if any."""
        if isinstance(self._keyring, bool):
            return system_keyring() if self._keyring else None
        return self._keyring


_AGAIN = "The file was left as it is; zcrm_nb.login(force=True) replaces it."


def notes_of(vault: Vault, name: str) -> Path:
    """Tell where notes about the org of a profile are kept, beside the profile."""
    return vault.folder / "notes" / name


def _suggested(name: str) -> str:
    """Suggest a name that is near."""
    near = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
    return f"; {near!r} would be one" if near else ""


def _header(name: str, content: bytes) -> tuple[bytes, str, str]:
    """Read the first line: all of it, the kind of key, the salt."""
    line = _HEADER.match(content)
    if line and int(line[1]) > VERSION:
        raise LoginError(
            f"Profile {name!r} was saved by a newer zcrm_nb: its vault has version {int(line[1])}, "
            f"this one reads {VERSION}.",
            todo="Update zcrm_nb. The file was left as it is.",
        )
    mark = _MARK.fullmatch(line[2].decode()) if line else None
    if line is None or mark is None:
        raise LoginError(
            f"The file of profile {name!r} is damaged, or is not a vault of zcrm_nb.", todo=_AGAIN
        )
    return line[0], mark[1], mark[2] or ""


def _sealed(name: str, opened: _Opened) -> bytes:
    """Encrypt a profile. Its name and the header can be read, but are sealed with it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    cipher, nonce = AESGCM(bytes.fromhex(opened.key.reveal())), os.urandom(_NONCE)
    sealed = cipher.encrypt(nonce, _json(opened.profile), opened.header + name.encode())
    return opened.header + nonce + sealed


def _unsealed(name: str, content: bytes, header: bytes, key: Secret) -> Secret | None:
    """Decrypt a profile, unless a byte of it, its name or the key is another."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    cipher, body = AESGCM(bytes.fromhex(key.reveal())), content[len(header) :]
    try:
        # A body cut to less than a nonce is a ValueError.
        opened = cipher.decrypt(body[:_NONCE], body[_NONCE:], header + name.encode())
    except (InvalidTag, ValueError):
        return None
    return Secret(opened.decode())


def _json(profile: Profile) -> bytes:
    """Write a profile with its secrets, to be sealed at once."""
    return orjson.dumps(profile, default=Secret.reveal)


def _profile(plain: Secret) -> Profile:
    """Read a profile."""
    facts = json.loads(plain.reveal(), object_hook=_masked)
    grant, token = Grant(**facts.pop("grant")), facts.pop("token")
    return Profile(grant, token=Token(**token) if token else None, **facts)


def _masked(facts: dict[str, Any]) -> dict[str, Any]:
    """Mask the secrets while they are read, before any frame can show them."""
    secret = {"client_secret", "refresh_token", "access"}
    masked = {name: Secret(value) for name, value in facts.items() if name in secret}
    lists = {name: tuple(value) for name, value in facts.items() if isinstance(value, list)}
    return facts | lists | masked


def _not_opened(name: str, kind: str) -> LoginError:
    """Say what can be wrong; the seal cannot tell a wrong key from a changed file."""
    if kind == "passphrase":
        return LoginError(
            f"Profile {name!r} did not open: the passphrase is another, or the file was changed.",
            todo=f"Check ZCRM_PASSPHRASE. {_AGAIN}",
        )
    return LoginError(
        f"Profile {name!r} did not open: the file was changed, renamed, or copied without its key.",
        todo=_AGAIN,
    )


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """Put trouble with files into words, without the frames in which a key is being written."""
    try:
        yield
    except TimeoutError as error:
        raise LoginError(
            f"Profile {name!r} is busy: another kernel holds its lock.",
            f"{error}.",
            "Wait for that kernel, or interrupt it; then try again.",
        ) from error.with_traceback(None)
    except OSError as error:
        raise LoginError(
            f"The files of profile {name!r} cannot be read or written.",
            f"The system said: {error}.",
            "Make the folder yours, or set ZCRM_CONFIG_DIR to another one.",
        ) from error.with_traceback(None)
