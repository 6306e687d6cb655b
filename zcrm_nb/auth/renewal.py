"""How many access tokens may be made, and one token shared by all processes of a login."""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from zcrm_nb.auth.oauth import MARGIN_S, Token
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret
from zcrm_nb.state.files import locked, write_whole
from zcrm_nb.state.folders import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zcrm_nb.auth.oauth import Grant

__all__ = ["TOKENS_IN_WINDOW", "WINDOW_S", "SharedToken", "is_good", "recent_renewals"]

TOKENS_IN_WINDOW = 10  # access tokens that Zoho makes of one refresh token …
WINDOW_S = 600.0  # … in ten minutes; more requests make the wait longer
WAIT_S = 60.0  # for another process that is renewing
_NONCE = 12  # bytes
_HEADER = b"zcrm_nb token 1\n"


def is_good(token: Token | None, stale: Token | None, now: float) -> bool:
    """Tell whether a token may be used: not the one that was refused, and some seconds left."""
    return token is not None and token != stale and token.expires_at - MARGIN_S > now


def recent_renewals(subject: str, renewed_at: tuple[float, ...], now: float) -> tuple[float, ...]:
    """List when tokens were made in the last ten minutes, if one more is allowed."""
    recent = tuple(at for at in renewed_at if now - WINDOW_S < at <= now)
    if len(recent) < TOKENS_IN_WINDOW:
        return recent
    minutes = math.ceil((recent[0] + WINDOW_S - now) / 60)
    throttled = LoginError(
        f"{subject} had {TOKENS_IN_WINDOW} access tokens within 10 minutes, which is all that Zoho "
        "makes; no other was requested.",
        todo=f"Wait {minutes} min. If it happens again, good tokens are being refused: check data "
        "centre and environment.",
    )
    throttled.is_throttled = True
    raise throttled


class SharedToken:
    """The access token of a login that no vault keeps, shared by the processes that have it.

    The file is sealed with a key made from the client secret and the refresh token: only a program
    that has the credentials can open it.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = folder, clock

    def renew(self, grant: Grant, stale: Token | None, refresh: Callable[[], Token]) -> Token:
        """Give the token that all processes share; make a new one only if none has yet."""
        with suppress(OSError):
            private_folder(self._folder)
            with locked(self._folder / "token.lock", wait_s=WAIT_S):
                return self._renew(grant, stale, refresh)
        return refresh()  # a folder that cannot be used is no reason to fail

    def _renew(self, grant: Grant, stale: Token | None, refresh: Callable[[], Token]) -> Token:
        key, now = _key(grant), self._clock()
        token, renewed_at = self._read(key)
        if token is not None and is_good(token, stale, now):
            return token
        recent = recent_renewals("This login", renewed_at, now)
        token = refresh()
        with suppress(OSError):
            write_whole(self._folder / "token.sealed", _sealed(key, token, (*recent, now)))
        return token

    def _read(self, key: bytes) -> tuple[Token | None, tuple[float, ...]]:
        """Read the token and when others were made; nothing where the file does not open."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

        with suppress(OSError, InvalidTag, ValueError, KeyError, TypeError):
            content = (self._folder / "token.sealed").read_bytes().removeprefix(_HEADER)
            plain = AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], _HEADER)
            facts = orjson.loads(plain)
            renewed_at = tuple(float(at) for at in facts.pop("renewed_at"))
            scopes = tuple(map(str, facts["scopes"]))
            access, expires_at = Secret(facts["access"]), float(facts["expires_at"])
            return Token(access, expires_at, str(facts["api_domain"]), scopes), renewed_at
        return None, ()


def _key(grant: Grant) -> bytes:
    """Make the key from what only this login knows."""
    parts = (grant.client_id, grant.client_secret.reveal(), grant.refresh_token.reveal())
    return sha256("\n".join(("zcrm_nb shared token", *parts)).encode()).digest()


def _sealed(key: bytes, token: Token, renewed_at: tuple[float, ...]) -> bytes:
    """Seal a token and when others were made."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    facts = {
        "access": token.access.reveal(),
        "expires_at": token.expires_at,
        "api_domain": token.api_domain,
        "scopes": token.scopes,
        "renewed_at": renewed_at,
    }
    nonce = os.urandom(_NONCE)
    return _HEADER + nonce + AESGCM(key).encrypt(nonce, orjson.dumps(facts), _HEADER)
