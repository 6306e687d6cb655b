"""Scopes by purpose, as data; and which scope covers which."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["READ_ONLY", "WANTS", "Want", "covers", "lacking", "scopes_for"]


class Want(NamedTuple):
    """Something that a person wants to do."""

    label: str  # in words, as part of a sentence
    scopes: tuple[str, ...]  # the scopes it needs


WANTS = {
    "read": Want(
        "read records",
        (
            "ZohoCRM.modules.READ",
            "ZohoCRM.settings.READ",  # fields: without them there are no types
            "ZohoCRM.users.READ",
            "ZohoCRM.org.READ",
        ),
    ),
    "search": Want("search", ("ZohoSearch.securesearch.READ",)),
    "coql": Want("ask in COQL", ("ZohoCRM.coql.READ",)),
    "bulk": Want("export in bulk", ("ZohoCRM.bulk.READ",)),
    "write": Want(
        "write records",
        (
            "ZohoCRM.modules.CREATE",
            "ZohoCRM.modules.UPDATE",
            "ZohoCRM.modules.DELETE",
            "ZohoCRM.files.CREATE",  # files for upload fields
            "ZohoCRM.bulk.CREATE",
            "ZohoFiles.files.ALL",  # where bulk writes are uploaded: no ZohoCRM scope opens it
        ),
    ),
    "actions": Want(
        "change many records at once",
        (
            "ZohoCRM.change_owner.CREATE",
            "ZohoCRM.mass_update.ALL",
            "ZohoCRM.mass_delete.ALL",
            "ZohoCRM.settings.recycle_bin.ALL",
        ),
    ),
    "notifications": Want("listen to changes", ("ZohoCRM.notifications.ALL",)),
}
"""What a login can be for, and the scopes it needs."""

READ_ONLY = ("read", "search", "coql", "bulk")
"""What a login requests by default: nothing that changes anything."""


def scopes_for(wants: Iterable[str]) -> tuple[str, ...]:
    """List the scopes for some purposes.

    References
    ----------
    Zoho CRM API V8, "Scopes": zoho.com/crm/developer/docs/api/v8/scopes.html

    Examples
    --------
    >>> from zcrm_nb.auth.scopes import scopes_for
    >>> scopes_for(["coql", "ZohoCRM.modules.leads.READ"])
    ('ZohoCRM.coql.READ', 'ZohoCRM.modules.leads.READ')
    >>> scopes_for(["reading"])
    Traceback (most recent call last):
    ...
    ValueError: 'reading' is neither a scope nor one of read, search, coql, ...
    """
    found: dict[str, None] = {}
    for want in wants:
        if want not in WANTS and "." not in want:
            raise ValueError(f"{want!r} is neither a scope nor one of {', '.join(WANTS)}")
        found |= dict.fromkeys(WANTS[want].scopes if want in WANTS else (want.strip(),))
    if not found:
        raise ValueError(f"a login needs something to do: one of {', '.join(WANTS)} at least")
    return tuple(found)


def covers(granted: str, needed: str) -> bool:
    """Whether a granted scope includes a needed one.

    Examples
    --------
    >>> from zcrm_nb.auth.scopes import covers
    >>> covers("ZohoCRM.modules.ALL", "ZohoCRM.modules.Leads.READ")
    True
    >>> covers("ZohoCRM.modules.Leads.READ", "ZohoCRM.modules.READ")
    False
    """
    *place, operation = granted.lower().split(".")
    *wanted, needs = needed.lower().split(".")
    return wanted[: len(place)] == place and operation in {"all", needs}


def lacking(want: str, granted: Iterable[str]) -> tuple[str, ...]:
    """List the scopes that a login lacks for a purpose.

    Examples
    --------
    >>> from zcrm_nb.auth.scopes import lacking
    >>> lacking("coql", ["ZohoCRM.modules.ALL"])
    ('ZohoCRM.coql.READ',)
    """
    has = tuple(granted)
    return tuple(need for need in WANTS[want].scopes if not any(covers(one, need) for one in has))
