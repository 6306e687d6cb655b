"""Standard many-to-many lists: what stands on a link, such as a contact's role in a deal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8
from zcrm_nb.api.reading.records import list_columns
from zcrm_nb.errors import NotFoundError, did_you_mean
from zcrm_nb.frames import Column, entries_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Row = dict[str, Any]

__all__ = ["CONTACT_ROLE_COLUMNS", "contact_roles", "is_standard", "link_bodies", "listed_columns"]

ROLE, STATUS = "Contact_Role", "Member_Status"
#: The lists that no lookup makes, and what stands on their links. COQL knows neither.
STANDARD: dict[tuple[str, str], tuple[Column, ...]] = {
    ("Deals", "Contact_Roles"): (Column(ROLE, "lookup"),),
    **{
        pair: (Column(STATUS, "text"),)
        for member in ("Leads", "Contacts")
        for pair in (("Campaigns", member), (member, "Campaigns"))
    },
    **{
        pair: ()
        for buyer in ("Leads", "Accounts", "Contacts", "Deals")
        for pair in (("Products", buyer), (buyer, "Products"))
    },
}
CONTACT_ROLE_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("sequence_number", "integer"),
]


def contact_roles(send: Send) -> list[Row]:
    """Return the roles that contacts can have in deals; 1 credit."""
    return entries_of(send("GET", f"{V8}Contacts/roles"), "contact_roles")


def is_standard(module: str, related_list: str, known: Mapping[str, Any]) -> bool:
    """Whether a list is one of these, and not that of a lookup of the same name."""
    made = known.get("linkingmodule") or known.get("connectedlookupApiName")
    return (module, related_list) in STANDARD and not made


def listed_columns(
    catalogue: Catalogue,
    child: str,
    names: Sequence[str] | None,
    *,
    owner: tuple[str, str],
) -> list[Column]:
    """Return the columns of a list, those that stand on its links among them."""
    on_link = {each.name: each for each in STANDARD.get(owner, ())}
    if names is None or isinstance(names, str):
        key, *rest = list_columns(catalogue, child, names)
        return [key, *on_link.values(), *rest]
    own = [name for name in names if name not in on_link]
    known = {each.name: each for each in list_columns(catalogue, child, own)} | on_link
    return [known[name] for name in dict.fromkeys(["id", *names])]


def link_bodies(
    send: Send,
    owner: tuple[str, str],
    rows: Sequence[Row],
    values: Mapping[str, Any] | None,
) -> list[Row]:
    """Write what is sent to link records; a row's own values go before those for all."""
    on_link = [each.name for each in STANDARD.get(owner, ())]
    if unknown := [name for name in values or {} if name not in on_link]:
        have = f"has only {', '.join(on_link)}" if on_link else "has no values"
        raise ValueError(f"A link of {owner[1]} of {owner[0]} {have}, not {unknown[0]!r}.")
    bodies = []
    for row in rows:
        own = {name: row[name] for name in on_link if row.get(name) not in (None, "")}
        bodies.append({"id": row["id"], **(values or {}), **own})
    if ROLE in on_link:
        _give_roles(send, bodies)
    return bodies


def _give_roles(send: Send, bodies: Sequence[Row]) -> None:
    """Name each role by its id, as Zoho wants it; refuse a link without one."""
    if lacking := [each["id"] for each in bodies if each.get(ROLE) in (None, "")]:
        raise ValueError(
            f"Contact {lacking[0]} has no role. Pass values={{'{ROLE}': 'Decision Maker'}}, or a "
            f"table with a column {ROLE}; crm.contact_roles() lists the roles. Nothing was sent."
        )
    ids: dict[str, str] = {}
    if any(not _is_object(each[ROLE]) for each in bodies):
        ids = {str(each.get("name")): str(each.get("id")) for each in contact_roles(send)}
    for each in bodies:
        each[ROLE] = {"id": _role_id(each[ROLE], ids)}


def _is_object(role: object) -> bool:
    """Whether a role brings its id."""
    return isinstance(role, dict) and bool(role.get("id"))


def _role_id(role: Any, ids: Mapping[str, str]) -> str:
    """Find the id of a role that is named by name, id or both."""
    if _is_object(role):
        return str(role["id"])
    text = str(role)
    if text in ids or text in ids.values():
        return ids.get(text, text)
    raise NotFoundError(
        f"The org has no contact role {text!r}; nothing was linked.",
        "",
        did_you_mean(text, ids) or "crm.contact_roles() lists them.",
        code="INVALID_DATA",
        details={"api_name": ROLE},
    )
