"""The org in the making: what the makers of the modules share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from zcrm_nb.emulator.world import staff
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zcrm_nb.emulator.storage.schema import Module
    from zcrm_nb.emulator.storage.store import Store
    from zcrm_nb.emulator.world.places import City
    from zcrm_nb.emulator.world.sampling import Batch

Columns: TypeAlias = dict[str, Any]

#: Shares of the records that each of the staff owns, by place in ``staff.PEOPLE``.
OWNERS = {n: float(person[6]) for n, person in enumerate(staff.PEOPLE)}
INACTIVE = {n for n, person in enumerate(staff.PEOPLE) if person[7] == "inactive"}
#: How long ago the inactive user left; the manager has taken over since.
LEFT_S = 300 * DAY_S
MANAGER = 2
#: Words the staff tick off records with, and their colours.
TAGS = {
    "vip": "#F48435",
    "diwali-2025": "#879BFC",
    "churn risk": "#F17574",
    "webinar": "#63C57E",
    "do not call": "#969696",
}


@dataclass
class GeneratedOrg:
    """The store that is being filled, and what later modules need to know of earlier ones.

    ``kept`` holds columns of earlier modules, ``made`` how many records each has so far,
    ``deal_of`` the first deal of a contact, both by their places.
    """

    store: Store
    seed: int
    kept: defaultdict[tuple[str, str], list[Any]] = field(default_factory=lambda: defaultdict(list))
    made: dict[str, int] = field(default_factory=dict)
    deal_of: dict[int, int] = field(default_factory=dict)
    _contacts: dict[int | None, list[int]] = field(default_factory=dict)

    def load(self, module: str, n: int, columns: Columns) -> None:
        """Store ``n`` records; columns the module does not have are left out."""
        known, first = self.store.schema.module(module).by_name, self.made.get(module, 0)
        base = self.first_id(module) + first
        fitting = {name: columns[name] for name in columns if name in known or name[0] == "$"}
        self.store.load(module, {"id": range(base, base + n), **fitting})
        self.made[module] = first + n

    def load_rows(self, module: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Store rows of a subform or linking module; the last value of each is its time."""
        if rows:
            *values, times = map(list, zip(*rows, strict=True))
            stamps = {"Created_Time": times, "Modified_Time": times}
            self.load(module, len(rows), {**dict(zip(names, values, strict=True)), **stamps})

    def ids(self, batch: Batch) -> range:
        """Give the ids of a batch's records."""
        first = self.first_id(batch.module) + batch.first
        return range(first, first + batch.n)

    def first_id(self, module: str) -> int:
        """Give the place where a module's ids begin."""
        return self.store.schema.module(module).first_record_id

    def refer(self, module: str, places: Iterable[int | None]) -> list[int | None]:
        """Point to the records at these places."""
        base = self.first_id(module)
        return [None if index is None else base + index for index in places]

    def any(self, batch: Batch, column: str, module: str) -> list[int | None]:
        """Point to any record of a module."""
        total = self.made.get(module, 0)
        dice = batch.uniform(column)
        return self.refer(module, [int(die * total) if total else None for die in dice])

    def numbers(self, batch: Batch, column: str) -> list[str]:
        """Give records the autonumbers the store would have given them."""
        number = self.store.schema.modules[batch.module].by_name[column].auto_number
        assert number is not None
        return [number.text(batch.first + n) for n in range(1, batch.n + 1)]

    def keep(self, module: str, **columns: Iterable[Any]) -> None:
        """Remember columns for the modules that come later."""
        for name, values in columns.items():
            self.kept[module, name] += values

    def look(self, module: str, column: str, places: Iterable[int | None]) -> list[Any]:
        """Look up a remembered column at some places; no place, no value."""
        column_values = self.kept[module, column]
        return [None if index is None else column_values[index] for index in places]

    def contacts_of(self, account: int | None) -> list[int]:
        """Give the places of the contacts of the account at one place."""
        if not self._contacts:
            for place, each in enumerate(self.kept["Contacts", "account"]):
                self._contacts.setdefault(each, []).append(place)
        return [] if account is None else self._contacts.get(account, [])

    def stamps(self, batch: Batch, owners: Sequence[int], mean_days: float = 25) -> Columns:
        """Stamp owners, times and users; a record was touched now and then after it was made."""
        created = batch.created
        modified = [
            min(NOW - 60, at + delay)
            for at, delay in zip(
                created, batch.delays("Modified_Time", mean_days * DAY_S), strict=True
            )
        ]
        people = [staff.user_id(_present(who, at)) for who, at in zip(owners, created, strict=True)]
        imported = batch.uniform("Created_By")
        return {
            "Owner": people,
            "Created_By": [
                staff.ADMIN if die < 0.25 else who
                for die, who in zip(imported, people, strict=True)
            ],
            "Modified_By": people,
            "Created_Time": created,
            "Modified_Time": modified,
            "Last_Activity_Time": modified,
            "Tag": batch.some("Tag", batch.pick("Tag", self.tags(batch.module)), 0.12),
        }

    def tags(self, module: str) -> list[str]:
        """List values of ``Tag`` in this module, ready to store."""
        ids = self.tag_ids(self.store.schema.module(module))
        tags = [
            {"name": name, "id": str(tag), "color_code": colour}
            for tag, (name, colour) in zip(ids, TAGS.items(), strict=True)
        ]
        sets = (tags[:1], tags[1:2], tags[2:3], tags[:2], tags[3:])
        return [orjson.dumps(each).decode() for each in sets]

    def tag_ids(self, module: Module) -> range:
        """Give the ids of a module's tags."""
        return range(module.id + 100, module.id + 100 + len(TAGS))


def owners(batch: Batch, cities: Sequence[City]) -> list[int]:
    """Draw who gets a record: the user who looks after its country, or the staff by their share."""
    return [
        anyone if city.country.staff is None else city.country.staff
        for anyone, city in zip(batch.weighted("Owner", OWNERS), cities, strict=True)
    ]


def _present(who: int, created: int) -> int:
    """Give what would have gone to the one who left to the manager."""
    return MANAGER if who in INACTIVE and created > NOW - LEFT_S else who
