"""From a seed to an org."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from zcrm_nb.emulator.catalog.directory import FOUNDED, PROFILE_NAMES, PROFILES, ROLE_NAMES, ROLES
from zcrm_nb.emulator.query import views
from zcrm_nb.emulator.world import activities, links, money, people, sales, setup, staff
from zcrm_nb.emulator.world.distributions import DRAWN, FILLED
from zcrm_nb.emulator.world.field_histories import add_histories
from zcrm_nb.emulator.world.org import TAGS, Columns, GeneratedOrg
from zcrm_nb.emulator.world.sampling import Batch, moments
from zcrm_nb.emulator.world.text import slug

if TYPE_CHECKING:
    from random import Random

    from zcrm_nb.emulator.storage.store import Store

Maker: TypeAlias = Callable[[GeneratedOrg, Batch], Columns]

#: module: its maker, the records of a small world, and since how many months it is in use; a module
#: stands below those it points to.
MAKERS: dict[str, tuple[Maker, int, int]] = {
    "Campaigns": (sales.campaigns, 24, 36),
    "Vendors": (sales.vendors, 12, 40),
    "Products": (sales.products, 40, 40),
    "Accounts": (people.accounts, 400, 42),
    "Contacts": (people.contacts, 1200, 40),
    "Deals": (sales.deals, 900, 34),
    "Leads": (people.leads, 2400, 32),
    "Tasks": (activities.tasks, 800, 24),
    "Events": (activities.events, 300, 24),
    "Calls": (activities.calls, 600, 24),
    "Notes": (activities.notes, 500, 30),
    "Quotes": (sales.quotes, 160, 24),
    "Invoices": (sales.invoices, 200, 24),
    "Site_Visits": (activities.site_visits, 180, 24),
}
#: How many times larger than the small one a world is.
FACTORS = {"small": 1, "medium": 5, "large": 50}
LARGE = {"Leads": 200_000}
BATCH_SIZE = 20_000


def build(
    store: Store,
    world: str = "small",
    rows: Mapping[str, int] | None = None,
    seed: int = 2026,
    currencies: Sequence[str] = (),
) -> None:
    """Fill an empty store with an org; the first of its currencies is its own.

    Examples
    --------
    >>> from zcrm_nb.emulator.catalog import org_schema
    >>> from zcrm_nb.emulator.clock import ManualClock
    >>> from zcrm_nb.emulator.storage.store import Store
    >>> store = Store(org_schema(), ManualClock())
    >>> build(store, rows={"Leads": 10})
    >>> store.read("SELECT count(*) FROM Leads")
    [(10,)]
    >>> store.close()
    """
    rows = rows or {}
    counts = _counts(world, rows)
    if store.world is not None:
        raise ValueError(f"the store holds a world already: {store.world}")
    org = GeneratedOrg(store, seed)
    if currencies:
        money.open_currencies(store, currencies)
    with store.bulk():
        _load_staff(store)
        _load_tags(org)
        links.load_contact_roles(store)
        views.seed(store)
        setup.load_settings(store)
        for module in MAKERS:
            _make(org, module, counts[module])
        links.load_links(org)
        money.convert_world(store, seed)
        setup.place_records(store)
        description = [
            f"{world} world",
            f"seed {seed}",
            *(f"{n} {module}" for module, n in rows.items()),
            *currencies,
        ]
        store.execute("INSERT INTO meta VALUES ('world', ?)", (", ".join(description),))


def newcomer(store: Store, batch: Batch) -> dict[str, Any]:
    """Make up one more record of a batch's module, as a world's are: encoded values by column."""
    columns = _columns(GeneratedOrg(store, batch.seed), batch, MAKERS[batch.module][0])
    return {name: values[0] for name, values in columns.items()}


def _counts(world: str, rows: Mapping[str, int]) -> dict[str, int]:
    """Count the records each module shall have."""
    if world not in FACTORS:
        raise ValueError(f"{world!r} is not a world; the worlds are {', '.join(FACTORS)}")
    if unknown := set(rows) - set(MAKERS):
        raise ValueError(f"no rows can be made for {', '.join(sorted(unknown))}")
    counts = {module: n * FACTORS[world] for module, (_, n, _) in MAKERS.items()}
    return {**counts, **(LARGE if world == "large" else {}), **rows}


def _make(org: GeneratedOrg, module: str, n: int) -> None:
    """Make one module, batch by batch, and set its autonumber counters behind it."""
    maker, _, months = MAKERS[module]
    created = moments(org.seed, module, n, months)
    streams: dict[str, Random] = {}
    for first in range(0, n, BATCH_SIZE):
        batch = Batch(org.seed, module, created[first : first + BATCH_SIZE], first, streams)
        columns = _columns(org, batch, maker)
        add_histories(org, batch, columns)
        org.load(module, batch.n, columns)
    for each in org.store.schema.modules[module].fields:
        if each.auto_number and n:
            org.store.execute(
                "INSERT INTO counters VALUES (?, ?)", (f"{module}.{each.api_name}", n)
            )


def _columns(org: GeneratedOrg, batch: Batch, maker: Maker) -> Columns:
    """Make the columns of a batch: some are only drawn, some made, and some have gaps."""
    drawn = {
        column: batch.drawn(column, values)
        for column, values in DRAWN.get(batch.module, {}).items()
    }
    columns = {**drawn, **maker(org, batch)}
    gaps = {
        column: batch.some(column, columns[column], share)
        for column, share in FILLED.get(batch.module, {}).items()
    }
    return {**columns, **gaps}


def _load_tags(org: GeneratedOrg) -> None:
    """Store the tags of every module that has some; they are as old as the org."""
    founded = int(datetime.fromisoformat(FOUNDED).timestamp())
    stamps = (founded, founded, staff.ADMIN, staff.ADMIN)
    for module in org.store.schema.modules.values():
        if "Tag" in module.by_name:
            for tag, (name, colour) in zip(org.tag_ids(module), TAGS.items(), strict=True):
                org.store.execute(
                    "INSERT INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (tag, module.api_name, name, colour, *stamps),
                )


def _load_staff(store: Store) -> None:
    """Store roles, profiles and users."""
    roles = {name: ROLES.first_record_id + n for n, name in enumerate(ROLE_NAMES)}
    profiles = {name: PROFILES.first_record_id + n for n, name in enumerate(PROFILE_NAMES)}
    founded = int(datetime.fromisoformat(FOUNDED).timestamp())
    store.load(
        "Roles",
        {
            "id": list(roles.values()),
            "name": list(roles),
            "reporting_to": [roles.get(above or "") for above in ROLE_NAMES.values()],
        },
    )
    store.load(
        "Profiles",
        {
            "id": list(profiles.values()),
            "name": list(profiles),
            "description": list(PROFILE_NAMES.values()),
            "created_time": [founded] * len(profiles),
        },
    )
    store.load("Users", _users(roles, profiles, founded))


def _users(roles: Mapping[str, int], profiles: Mapping[str, int], founded: int) -> Columns:
    """Make the users' columns; each joined a month after the one before."""
    first, last, role, profile, zone, country, _, status = zip(*staff.PEOPLE, strict=True)
    n = len(staff.PEOPLE)
    ids = [staff.user_id(index) for index in range(n)]
    joined = [founded + 30 * 86_400 * index for index in range(n)]
    names = [f"{slug(a)}.{slug(b)}" for a, b in zip(first, last, strict=True)]
    alike = {
        "locale": "en_IN",
        "language": "en_US",
        "country_locale": "en_IN",
        "date_format": "dd-MM-yyyy",
        "time_format": "HH:mm",
        "created_by": ids[0],
        "Modified_By": ids[0],
    }
    return {
        "id": ids,
        "zuid": [str(600_100 + index) for index in range(n)],
        "first_name": first,
        "last_name": last,
        "email": [f"{name}@vindhya.example.com" for name in names],
        "alias": first,
        "status": status,
        "role": [roles[name] for name in role],
        "profile": [profiles[name] for name in profile],
        "created_time": joined,
        "Modified_Time": joined,
        "time_zone": zone,
        "country": country,
        **{name: [value] * n for name, value in alike.items()},
    }
