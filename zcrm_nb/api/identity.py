"""Who is logged in, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.errors import APIError, ScopeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["who"]


def who(send: Callable[..., bytes]) -> str:
    """Say who is logged in, in words for a person.

    Notes
    -----
    2 credits.

    References
    ----------
    Zoho CRM API V8, "Get Users": zoho.com/crm/developer/docs/api/v8/get-users.html

    Examples
    --------
    >>> import zcrm_nb
    >>> from zcrm_nb.api.identity import who
    >>> with zcrm_nb.emulate() as crm:
    ...     who(crm.send)
    'Rohan Deshmukh (rohan.deshmukh@vindhya.example.com) at ...'
    """
    user = _first(send, "users", "users", "{full_name} ({email})", type="CurrentUser")
    org = _first(send, "org", "org", "{company_name}")
    return " at ".join(filter(None, (user, org))) or "a user who may see neither users nor org"


def _first(send: Callable[..., bytes], path: str, key: str, words: str, **params: str) -> str:
    """Describe the one thing that an address answers with, if this login may see it."""
    try:
        body = send("GET", V8 + path, params=params)
    except (APIError, ScopeError):
        return ""
    return words.format(**orjson.loads(body)[key][0]) if body else ""
