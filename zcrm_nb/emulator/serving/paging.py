"""Page tokens: where a page of records begins, sealed so that no one else can use or alter it.

A token holds the sort key of the row a page starts behind, not a number of rows to skip. So a page
stays what it is when records are inserted or deleted while a client pages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from collections.abc import Iterable
from typing import NamedTuple

from zcrm_nb.emulator.serving.errors import Refusal

LIFE_S = 24 * 3600
REACH = 100_000

_LAYOUT = struct.Struct(">qqII?")
_BOUND, _SEAL = 8, 12


class Position(NamedTuple):
    """A place between two rows.

    ``key`` and ``id`` are those of the row next to it, ``served`` the rows that come before it, and
    ``backwards`` says that the page ends there instead of beginning.
    """

    key: int
    id: int
    served: int
    backwards: bool = False


class Binder(NamedTuple):
    """Makes and opens the tokens of one user's list.

    Parameters
    ----------
    secret : bytes
        The org's own secret.
    user : int
        Who may use the token.
    asked : iterable of (str, str)
        Everything that was asked and must stay the same while paging.
    """

    secret: bytes
    user: int
    bound_to: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, secret: bytes, user: int, bound_to: Iterable[tuple[str, str]]) -> Binder:
        """Bind to a user and to what was asked, in any order."""
        return cls(secret, user, tuple(sorted(bound_to)))

    def seal(self, position: Position, now: int) -> str:
        """Write a token; at most 96 characters, as Zoho's."""
        packed = _LAYOUT.pack(position.key, position.id, position.served, now, position.backwards)
        bound = packed + self._digest()
        return base64.urlsafe_b64encode(bound + self._mac(bound)).decode()

    def open(self, token: str, now: int) -> Position:
        """Read a token, or refuse a foreign, altered, expired or exhausted one."""
        packed, digest = self._authentic(token)
        key, id_, served, issued, backwards = _LAYOUT.unpack(packed)
        if digest != self._digest():
            message = (
                "The page_token given seems to be invalid "
                "or input param is added or altered or deleted"
            )
            details = {"param_name": "page_token"}
            raise Refusal(400, "TOKEN_BOUND_DATA_MISMATCH", message, details)
        if issued + LIFE_S <= now:
            details = {"api_name": "page_token", "json_path": "$.query.page_token"}
            raise Refusal(400, "EXPIRED_VALUE", "Page token expired", details)
        if served >= REACH and not backwards:
            message = f"You can only get upto {REACH} records using page_token param"
            details = {"param_name": "page_token"}
            raise Refusal(400, "PAGINATION_LIMIT_EXCEEDED", message, details)
        return Position(key, id_, served, backwards)

    def _authentic(self, token: str) -> tuple[bytes, bytes]:
        """Split a token that we made for this user; refuse any other."""
        try:
            raw = base64.urlsafe_b64decode(token.encode())
        except ValueError:
            raw = b""
        bound, seal = raw[:-_SEAL], raw[-_SEAL:]
        if len(raw) != _LAYOUT.size + _BOUND + _SEAL or not hmac.compare_digest(
            seal, self._mac(bound)
        ):
            raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "page_token"})
        return bound[:-_BOUND], bound[-_BOUND:]

    def _digest(self) -> bytes:
        """Sum up what was asked in eight bytes."""
        return hashlib.sha256(repr(self.bound_to).encode()).digest()[:_BOUND]

    def _mac(self, bound: bytes) -> bytes:
        """Make the seal over a token from the org's secret and the user."""
        key = self.secret + str(self.user).encode()
        return hmac.digest(key, bound, "sha256")[:_SEAL]
