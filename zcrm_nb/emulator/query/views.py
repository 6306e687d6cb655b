"""Custom views as the rest of the emulator uses them: find one, and filter by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.catalog.views import views_of
from zcrm_nb.emulator.query import filters
from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module
    from zcrm_nb.emulator.storage.store import Store

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """One view; ``body`` is what Zoho tells of it."""

    id: int
    module: str
    body: Body

    @property
    def criteria(self) -> Body | None:
        """The criteria object, the same that bulk exports take; ``None`` for all records."""
        found: Body | None = self.body.get("criteria")
        return found

    @property
    def sort_by(self) -> str:
        """The field that its records are sorted by."""
        return str((self.body.get("sort_by") or {}).get("api_name") or "id")

    @property
    def sort_order(self) -> str:
        """``asc`` or ``desc``."""
        return str(self.body.get("sort_order") or "desc")


def seed(store: Store) -> None:
    """Store the views that the org starts with."""
    for view, module, body in views_of(store.schema):
        keep(store, View(view, module, body))


def keep(store: Store, view: View) -> None:
    """Store a view, in the place of an older one with the same id."""
    store.execute(
        "INSERT OR REPLACE INTO custom_views VALUES (?, ?, ?)",
        (view.id, view.module, orjson.dumps(view.body).decode()),
    )


def listed(store: Store, module: str) -> list[View]:
    """List the views of a module, in the order of their ids."""
    sql = "SELECT id, module, body FROM custom_views WHERE module = ? ORDER BY id"
    rows = store.read(sql, (module,))
    return [View(view, owner, orjson.loads(body)) for view, owner, body in rows]


def find(store: Store, module: str, cvid: object) -> View | None:
    """Find a view of a module by its id, given as a number or as text."""
    return next((each for each in listed(store, module) if str(each.id) == str(cvid)), None)


def condition(view: View, org: Org, user: int) -> Condition:
    """Say as SQL which records a view shows."""
    module: Module = org.schema.modules[view.module]
    if view.criteria is None:
        return EVERYTHING
    return filters.condition(view.criteria, module, org, user)
