"""Scopes as data: which there are, what they mean in words, and what covers what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

NAMES = {
    "ZohoCRM.modules": "the records of all modules",
    "ZohoCRM.settings": "all settings: modules, fields, layouts and more",
    "ZohoCRM.users": "the users of the organisation",
    "ZohoCRM.org": "the organisation's own details",
    "ZohoCRM.coql": "records by COQL queries",
    "ZohoCRM.bulk": "bulk jobs",
    "ZohoCRM.change_owner": "who owns records",
    "ZohoCRM.mass_update": "many records at once by updating",
    "ZohoCRM.mass_delete": "many records at once by deleting",
    "ZohoCRM.bulk.backup": "backups of all data",
    "ZohoCRM.mass_convert": "many leads at once by converting",
    "ZohoCRM.share": "who may see records",
    "ZohoCRM.send_mail": "e-mails to records",
    "ZohoCRM.notifications": "notifications about changed records",
    "ZohoCRM.files": "files in the CRM",
    "ZohoCRM.apis": "the list of APIs",
    "ZohoCRM.composite_requests": "several calls in one",
    "ZohoFiles.files": "uploaded files for bulk writes",
    "ZohoSearch.securesearch": "records by searching",
    "AaaServer.profile": "your name and e-mail address",
}
"""Service and place of every scope known, and what it opens."""

OPERATIONS = {
    "ALL": "Read, create, change and delete",
    "READ": "Read",
    "CREATE": "Create",
    "UPDATE": "Change",
    "DELETE": "Delete",
    "WRITE": "Create, change and delete",
    "CUSTOM": "Send",
}
"""The last word of a scope, and what it allows."""

MORE_MODULES = {
    "custom": "the records of custom modules",
    "activities": "tasks, meetings and calls",
    "approvals": "records that wait for approval",
    "attachments": "attachments",
    "dashboards": "dashboards",
    "emails": "e-mails",
    "reports": "reports",
    "solutions": "Solutions",
}
"""What may follow ``ZohoCRM.modules`` besides the modules of the org (from memory)."""

SETTINGS = {
    "assignment_rules": "assignment rules",
    "automation": "automation",
    "currencies": "currencies",
    "custom_views": "custom views",
    "fields": "fields",
    "layouts": "layouts",
    "layout_rules": "layout rules",
    "map_dependency": "dependent picklists",
    "modules": "modules",
    "pipeline": "pipelines",
    "profiles": "profiles",
    "recycle_bin": "the recycle bin",
    "related_lists": "related lists",
    "roles": "roles",
    "scoring_rules": "scoring rules",
    "tags": "tags",
    "tab_groups": "tab groups",
    "territories": "territories",
    "variables": "variables",
    "wizards": "wizards",
}
"""What may follow ``ZohoCRM.settings`` (from memory)."""


class Permission(NamedTuple):
    """One scope in words."""

    scope: str
    words: str
    only_reads: bool


def split(scopes: str) -> tuple[str, ...]:
    """Split a list of scopes: commas when Zoho is asked, spaces when it answers."""
    return tuple(scopes.replace(",", " ").split())


def permission(scope: str, modules: Mapping[str, str]) -> Permission | None:
    """Say what a scope allows.

    Examples
    --------
    >>> from zcrm_nb.emulator.serving.scopes import permission
    >>> permission("ZohoCRM.modules.leads.READ", {"Leads": "Leads"}).words
    'Read Leads'
    >>> permission("ZohoCRM.modules.Ledas.READ", {"Leads": "Leads"})
    """
    name, _, operation = scope.rpartition(".")
    does = OPERATIONS.get(operation.upper())
    what = _names(modules).get(_folded(name))
    if does is None or what is None:
        return None
    return Permission(scope, f"{does} {what}", operation.upper() == "READ")


def covers(granted: str, needed: str, write_covers: Iterable[str] = ()) -> bool:
    """Whether a granted scope includes a needed one.

    Examples
    --------
    >>> from zcrm_nb.emulator.serving.scopes import covers
    >>> covers("ZohoCRM.modules.ALL", "ZohoCRM.modules.Sales_Orders.READ")
    True
    >>> covers("ZohoCRM.modules.leads.READ", "ZohoCRM.modules.Leads.UPDATE")
    False
    """
    *name, operation = _folded(granted).split(".")
    *needed_name, needs = _folded(needed).split(".")
    does = {operation} | (
        {each.lower() for each in write_covers} if operation == "write" else set()
    )
    return needed_name[: len(name)] == name and ("all" in does or needs in does)


def _folded(text: str) -> str:
    """Fold what the spellings of one scope differ in."""
    return text.lower().replace("_", "")


def _names(modules: Mapping[str, str]) -> dict[str, str]:
    """List every place a scope can name, folded."""
    more = {**MORE_MODULES, **modules}
    below = [(f"ZohoCRM.modules.{name}", message) for name, message in more.items()]
    below += [
        (f"ZohoCRM.{action}.{name}", message)
        for action in ("mass_update", "mass_delete", "mass_convert", "share", "send_mail")
        for name, message in more.items()
    ]
    below += [
        (f"ZohoCRM.settings.{name}", f"settings: {message}") for name, message in SETTINGS.items()
    ]
    return {_folded(name): message for name, message in [*NAMES.items(), *below]}
