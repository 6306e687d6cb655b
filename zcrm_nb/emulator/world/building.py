"""From a seed to an org (minimal first version)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from ..schema import ORG_PREFIX
from . import staff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..store import Store


def build(store: Store, world: str = "small", rows: Mapping[str, int] | None = None, seed: int = 2026) -> None:
    """Fill an empty store."""
    with store.bulk():
        load_directory(store)
        n = {"Leads": 2400, "Accounts": 40, **(rows or {})}
        now = store.clock.now()
        def base(module: str, k: int) -> dict[str, list[object]]:
            times = [now - 60 * (k - i) for i in range(k)]
            return {"id": [ORG_PREFIX + store.schema.module(module).id % 10**9 // 10**6 * 10**9 + i + 1 for i in range(k)],
                    **{c: [staff.user_id(4 + i % 6) for i in range(k)] for c in ("Owner", "Created_By", "Modified_By")},
                    **dict.fromkeys(("Created_Time", "Modified_Time", "Last_Activity_Time"), times)}
        k = n["Accounts"]
        accounts = {**base("Accounts", k), "Account_Name": [f"Account {i}" for i in range(k)], "Industry": ["Retail" if i % 2 else "Energy" for i in range(k)]}
        store.load("Accounts", accounts)
        k = n["Leads"]
        store.load("Leads", {**base("Leads", k), "Last_Name": [f"Lead {i}" for i in range(k)], "Company": [f"Account {i % 40}" for i in range(k)],
            "City": ["New Delhi" if i % 10 == 0 else "Pune" for i in range(k)], "Email": [f"lead{i}@example.com" for i in range(k)],
            "Lead_Source": ["Advertisement" if i % 3 else "Chat" for i in range(k)], "Annual_Revenue": [float(i * 1000) for i in range(k)],
            "Languages_Known": ["English;Hindi" if i % 2 else None for i in range(k)]})
        store.execute("INSERT INTO meta VALUES ('world', ?)", (f"{world} {seed}",))


def load_directory(store: Store) -> None:
    """Roles, profiles and users."""
    roles = {name: ORG_PREFIX + 41_000_000_001 + n for n, name in enumerate(staff.ROLE_NAMES)}
    profiles = {name: ORG_PREFIX + 42_000_000_001 + n for n, name in enumerate(staff.PROFILE_NAMES)}
    founded = int(datetime.fromisoformat(str(staff.ORG["created_time"])).timestamp())
    store.load("Roles", {
        "id": list(roles.values()),
        "name": list(roles),
        "reporting_to": [roles.get(above or "") for above in staff.ROLE_NAMES.values()],
    })  # fmt: skip
    store.load("Profiles", {
        "id": list(profiles.values()),
        "name": list(profiles),
        "description": list(staff.PROFILE_NAMES.values()),
        "created_time": [founded] * len(profiles),
    })  # fmt: skip
    store.load("Users", _users(roles, profiles, founded))


def _users(
    roles: Mapping[str, int], profiles: Mapping[str, int], founded: int
) -> dict[str, list[object]]:
    """The columns of the users' table."""
    first, last, role, profile, zone, country, _, status = zip(*staff.PEOPLE, strict=True)
    ids = [staff.user_id(n) for n in range(len(staff.PEOPLE))]
    addresses = [
        f"{a}.{b}@vindhya.example.com".lower().replace(" ", "").replace("'", "")
        for a, b in zip(first, last, strict=True)
    ]
    columns: dict[str, list[object]] = {
        "id": list(ids),
        "zuid": [str(600_100 + n) for n in range(len(ids))],
        "first_name": list(first),
        "last_name": list(last),
        "email": list(addresses),
        "alias": list(first),
        "status": list(status),
        "role": [roles[name] for name in role],
        "profile": [profiles[name] for name in profile],
        "created_by": [ids[0]] * len(ids),
        "created_time": [founded + 86_400 * 30 * n for n in range(len(ids))],
        "Modified_By": [ids[0]] * len(ids),
        "Modified_Time": [founded + 86_400 * 30 * n for n in range(len(ids))],
        "time_zone": list(zone),
        "country": list(country),
    }
    usual = {"locale": "en_IN", "language": "en_US", "country_locale": "en_IN",
             "date_format": "dd-MM-yyyy", "time_format": "HH:mm"}  # fmt: skip
    return {**columns, **{key: [value] * len(ids) for key, value in usual.items()}}
