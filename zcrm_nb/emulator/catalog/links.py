"""Links between standard modules that Zoho keeps behind related lists: many to many, no module."""

from __future__ import annotations

from dataclasses import replace

from zcrm_nb.emulator.catalog.builders import choices, field, module
from zcrm_nb.emulator.storage.schema import Field, Module

#: Contact roles as every new org has them, in the order of their list.
CONTACT_ROLE_NAMES = (
    "Developer/Evaluator", "Decision Maker", "Purchasing", "Executive Sponsor", "Engineering Lead",
    "Economic Decision Maker", "Product Management",
)  # fmt: skip
MEMBER_STATUS = choices(
    "Planned", "Invited", "Sent", "Received", "Opened", "Responded", "Bounced", "Opted Out"
)

_ROLES = module(
    43, "Contact_Roles", "Contact Role",
    field("name", "text", length=50, mandatory=True),
    field("sequence_number", "integer"),
    generated_type="linking", name_field="name",
)  # fmt: skip
CONTACT_ROLES = replace(_ROLES, fields=_ROLES.fields[:3], api_supported=False)


def _link(number: int, near: str, far: str, *extras: Field) -> Module:
    """Lay out the links between the records of two modules, with what is known of each link."""
    ends = [field(each.removesuffix("s"), "lookup", target=each) for each in (near, far)]
    return module(
        number, f"{near}_X_{far}", f"{near} X {far}", *ends, *extras,
        generated_type="linking", parent=near, api_supported=False,
    )  # fmt: skip


def _member_status() -> Field:
    """Make the field that says what a member of a campaign has done so far."""
    return field("Member_Status", "picklist", choices=MEMBER_STATUS)


LINKS: tuple[Module, ...] = (
    _link(44, "Deals", "Contacts", field("Contact_Role", "lookup", target="Contact_Roles")),
    _link(45, "Campaigns", "Leads", _member_status()),
    _link(46, "Campaigns", "Contacts", _member_status()),
    _link(47, "Products", "Leads"),
    _link(48, "Products", "Accounts"),
    _link(49, "Products", "Contacts"),
    _link(50, "Products", "Deals"),
)
#: The related lists that are not called like the module of their records, by the link.
LIST_NAMES = {"Deals_X_Contacts": "Contact_Roles"}
#: Links that Zoho lists on one side only: a contact's list of deals is that of a lookup.
ONE_SIDED = frozenset({"Deals_X_Contacts"})
