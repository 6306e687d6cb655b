"""An access token lent to another process: sealed for it alone, good for one call.

Workers of a cluster send calls of ours, so they need our access token. It must not be in a task,
a key, a log or the memory of a scheduler, and a :class:`Secret` does not travel in a pickle. So a
borrower makes a key pair for each call, sends the public half, and gets the token sealed for it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from zcrm_nb.auth.oauth import Token
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Borrowed", "Box", "mark", "seal"]

_KEY_BYTES = 32
_NONCE = bytes(12)  # each key seals once


class Box:
    """A key pair that one secret can be sealed for. Only this object opens it; no pickle has it.

    Examples
    --------
    >>> from zcrm_nb.auth.token_lease import Box, seal
    >>> from zcrm_nb.masking import Secret
    >>> box = Box()
    >>> sealed = seal(Secret("1000.aa.bb"), box.public)
    >>> box.open(sealed), box.open(sealed).reveal()
    (Secret('****'), '1000.aa.bb')
    """

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def open(self, sealed: bytes) -> Secret:
        """Open what was sealed for it."""
        theirs, body = sealed[:_KEY_BYTES], sealed[_KEY_BYTES:]
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(theirs))
            plain = AESGCM(_key(shared, theirs, self.public)).decrypt(_NONCE, body, None)
        except (ValueError, InvalidTag):
            plain = None  # and out of the handler, so that no frame below hangs on the error
        if plain is None:
            raise LoginError("A lent access token did not arrive whole.", todo="Run it again.")
        return Secret(plain.decode())


def seal(secret: Secret, public: bytes) -> bytes:
    """Seal a secret for one box."""
    ours = X25519PrivateKey.generate()
    half = ours.public_key().public_bytes_raw()
    key = _key(ours.exchange(X25519PublicKey.from_public_bytes(public)), half, public)
    return half + AESGCM(key).encrypt(_NONCE, secret.reveal().encode(), None)


def mark(token: Token) -> str:
    """Give a digest by which a token is recognised, and from which it cannot be found."""
    return sha256(b"zcrm-nb token " + token.access.reveal().encode()).hexdigest()[:16]


class Borrowed:
    """Access tokens that another process keeps, in the place of a :class:`TokenSource`.

    Nothing is kept or refreshed here: each try of a call asks for the token of that moment, and
    names the one that was refused.

    Examples
    --------
    >>> from zcrm_nb.auth.token_lease import Borrowed
    >>> from zcrm_nb.masking import Secret
    >>> Borrowed(lambda refused: Secret("1000.aa.bb")).token().access
    Secret('****')
    """

    def __init__(self, ask: Callable[[str], Secret]) -> None:
        self._ask, self._refused = ask, ""

    def token(self) -> Token:
        """Ask for the token of one try."""
        refused, self._refused = self._refused, ""
        return Token(self._ask(refused), expires_at=float("inf"))

    def accepted(self, token: Token) -> None:
        """Do nothing: the lender looks after its tokens."""

    def renew(self, stale: Token | None) -> Token | None:
        """Remember that a token was refused; the next try tells."""
        self._refused = "" if stale is None else mark(stale)
        return stale


def _key(shared: bytes, *halves: bytes) -> bytes:
    """Make the key of one sealing from what both sides know."""
    return HKDF(SHA256(), 32, None, b"zcrm-nb lending" + b"".join(halves)).derive(shared)
