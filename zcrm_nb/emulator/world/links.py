"""Who belongs to which deal and campaign, and which products interest whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.emulator.catalog.links import CONTACT_ROLE_NAMES, CONTACT_ROLES
from zcrm_nb.emulator.world.sampling import NOW, source
from zcrm_nb.emulator.world.text import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from zcrm_nb.emulator.storage.store import Store
    from zcrm_nb.emulator.world.org import GeneratedOrg

#: How often a contact plays each role, in the order of the roles.
ROLE_SHARES = (18.0, 30.0, 20.0, 10.0, 8.0, 9.0, 5.0)
MEMBER_SHARES = {
    "Planned": 10.0, "Invited": 12.0, "Sent": 30.0, "Received": 14.0, "Opened": 16.0,
    "Responded": 12.0, "Bounced": 4.0, "Opted Out": 2.0,
}  # fmt: skip
#: The share of records that a product is noted for, by module.
INTERESTED = {"Leads": 0.15, "Accounts": 0.3, "Contacts": 0.1, "Deals": 0.5}
MOST_MEMBERS = 80

Row = tuple[object, ...]


def load_contact_roles(store: Store) -> None:
    """Store the roles that contacts can have in deals."""
    names = CONTACT_ROLE_NAMES
    store.load(
        "Contact_Roles",
        {
            "id": [CONTACT_ROLES.first_record_id + n for n in range(len(names))],
            "name": list(names),
            "sequence_number": list(range(1, len(names) + 1)),
        },
    )


def load_links(org: GeneratedOrg) -> None:
    """Link the records of a world that is otherwise complete."""
    names = ("Deal", "Contact", "Contact_Role")
    org.load_rows("Deals_X_Contacts", names, list(_people_of_deals(org)))
    for module in ("Leads", "Contacts"):
        members = ("Campaign", module.removesuffix("s"), "Member_Status")
        org.load_rows(f"Campaigns_X_{module}", members, list(_members(org, module)))
    for module, share in INTERESTED.items():
        ends = ("Product", module.removesuffix("s"))
        org.load_rows(f"Products_X_{module}", ends, list(_products(org, module, share)))


def _people_of_deals(org: GeneratedOrg) -> Iterator[Row]:
    """Give each deal one to three contacts with roles: its own first, then colleagues."""
    random = source(org.seed, "Deals", "Contact_Roles")
    deals, contacts = org.first_id("Deals"), org.first_id("Contacts")
    roles = range(CONTACT_ROLES.first_record_id, CONTACT_ROLES.first_record_id + len(ROLE_SHARES))
    accounts, people = org.kept["Deals", "account"], org.kept["Deals", "contact"]
    everyone = org.made.get("Contacts", 0)
    for place, (account, own) in enumerate(zip(accounts, people, strict=True)):
        most = 1 + int(random.random() ** 1.5 * 3)
        colleagues = [each for each in org.contacts_of(account) if each != own]
        chosen = [] if own is None else [own]
        chosen += random.sample(colleagues, min(len(colleagues), most - len(chosen)))
        if not chosen and everyone:
            chosen = [int(random.random() * everyone)]
        for contact in chosen:
            (role,) = random.choices(roles, ROLE_SHARES)
            yield deals + place, contacts + contact, role, _moment(random)


def _members(org: GeneratedOrg, module: str) -> Iterator[Row]:
    """Give each campaign members with what they have done so far."""
    random, total = source(org.seed, "Campaigns", module), org.made.get(module, 0)
    states, shares = list(MEMBER_SHARES), list(MEMBER_SHARES.values())
    first, members = org.first_id("Campaigns"), org.first_id(module)
    for campaign in range(org.made.get("Campaigns", 0)):
        size = min(total, int(random.random() * MOST_MEMBERS) + 5)
        for member in random.sample(range(total), size):
            (status,) = random.choices(states, shares)
            yield first + campaign, members + member, status, _moment(random)


def _products(org: GeneratedOrg, module: str, share: float) -> Iterator[Row]:
    """Note one or two products for some of the records of a module."""
    random, products = source(org.seed, "Products", module), org.made.get("Products", 0)
    first, records = org.first_id("Products"), org.first_id(module)
    for place in range(org.made.get(module, 0)):
        if random.random() < share:
            for product in random.sample(range(products), min(products, 1 + (place % 3 == 0))):
                yield first + product, records + place, _moment(random)


def _moment(random: Random) -> int:
    """Draw when a link was made: some time in the last two years."""
    return NOW - int(random.random() * 730 * DAY_S)
