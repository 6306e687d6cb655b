"""The user and org that a login belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8
from zcrm_nb.errors import PermissionDenied, ScopeError
from zcrm_nb.frames import entries_of

if TYPE_CHECKING:
    from zcrm_nb.api.pages import Send

__all__ = ["who"]


def who(send: Send) -> str:
    """Describe the user who is logged in, and their org; 2 credits.

    Examples
    --------
    >>> import zcrm_nb
    >>> from zcrm_nb.api.identity import who
    >>> with zcrm_nb.emulate() as crm:
    ...     who(crm.send)
    'Rohan Deshmukh (rohan.deshmukh@vindhya.example.com) at ...'
    """
    user = _first(send, "users", type="CurrentUser")
    name, email = user.get("full_name") or "", user.get("email") or ""
    named = f"{name} ({email})" if name and email else f"{name}{email}"
    company = _first(send, "org").get("company_name") or ""
    return " at ".join(filter(None, (named, company))) or "a user who may see neither users nor org"


def _first(send: Send, key: str, **params: str) -> dict[str, Any]:
    """Return the first entry of a list; an empty one where this login may not see it."""
    try:
        body = send("GET", V8 + key, params=params)
    except (PermissionDenied, ScopeError):
        return {}
    return next(iter(entries_of(body, key)), {})
