"""The org in the making: what the makers of the modules share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from . import staff
from .draws import NOW
from .text import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..schema import Module
    from ..store import Store
    from .draws import Batch
    from .places import City

Columns: TypeAlias = dict[str, "Sequence[Any]"]

#: Shares of the records that each of the staff owns, by place in ``staff.PEOPLE``.
OWNERS = {n: float(person[6]) for n, person in enumerate(staff.PEOPLE)}
INACTIVE = {n for n, person in enumerate(staff.PEOPLE) if person[7] == "inactive"}
#: Nobody has made a record in the name of the one who left since this long before "today".
LEFT_S = 300 * DAY_S
#: Words the staff tick off records with, and their colours.
TAGS = {
    "vip": "#F48435",
    "diwali-2025": "#879BFC",
    "churn risk": "#F17574",
    "webinar": "#63C57E",
    "do not call": "#969696",
}


@dataclass
class Org:
    """The store that is being filled, and what later modules need to know of earlier ones.

    ``kept`` holds columns of finished modules, ``made`` how many records each has so far,
    ``deal_of`` the first deal of a contact, both by their places.
    """

    store: Store
    seed: int
    kept: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    deal_of: dict[int, int] = field(default_factory=dict)

    def load(self, module: str, n: int, columns: Columns) -> range:
        """Store ``n`` records and return their ids."""
        first = self.made.get(module, 0)
        ids = self.ids(module, range(first, first + n))
        self.store.load(module, {"id": ids, **columns})
        self.made[module] = first + n
        return ids

    def ids(self, module: str, places: range) -> range:
        """Give the ids of the records at some places of a module, counted from 0."""
        base = self.first_id(module)
        return range(base + places.start, base + places.stop)

    def first_id(self, module: str) -> int:
        """Tell where a module's ids begin."""
        return self.store.schema.module(module).first_record_id

    def refer(self, module: str, places: Iterable[int | None]) -> list[int | None]:
        """Point to the records at these places."""
        base = self.first_id(module)
        return [None if place is None else base + place for place in places]

    def keep(self, module: str, columns: Mapping[str, Iterable[Any]]) -> None:
        """Remember columns for the modules that come later."""
        kept = self.kept.setdefault(module, {})
        for name, values in columns.items():
            kept.setdefault(name, []).extend(values)

    def stamps(self, batch: Batch, owners: Sequence[int], mean_days: float = 25) -> Columns:
        """Stamp owners, times and users; a record was touched now and then after it was made."""
        created = batch.created
        modified = [
            min(NOW - 60, at + delay)
            for at, delay in zip(
                created, batch.delays("Modified_Time", mean_days * DAY_S), strict=True
            )
        ]
        people = [staff.user_id(n) for n in owners]
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
    """Draw who gets a record: whoever looks after its country, or the staff by their share."""
    return [
        _owner(anyone, city.country.staff, created)
        for anyone, city, created in zip(
            batch.weighted("Owner", OWNERS), cities, batch.created, strict=True
        )
    ]


def _owner(anyone: int, local: int | None, created: int) -> int:
    """Choose one owner; what would have gone to the one who left goes to the manager."""
    who = anyone if local is None else local
    return 2 if who in INACTIVE and created > NOW - LEFT_S else who
