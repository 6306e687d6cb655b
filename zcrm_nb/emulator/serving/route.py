"""One address: what answers there, who may ask, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zcrm_nb.emulator.serving.http import Answer


@dataclass(frozen=True, slots=True)
class Route:
    """One address.

    ``{name}`` in ``path`` stands for one segment and reaches the handler by that name. ``scopes``
    are all needed. ``price`` is a key of :data:`~zcrm_nb.emulator.serving.meter.PRICES`.
    """

    method: str
    path: str
    handler: Callable[..., Answer]
    what: str
    scopes: tuple[str, ...] = ()
    price: str = "call"
    needs_token: bool = True

    @property
    def writes(self) -> bool:
        """Whether it writes records."""
        return self.price == "write"


V8 = "/crm/v8"
READ = ("ZohoCRM.modules.{module}.READ",)
CREATE = ("ZohoCRM.modules.{module}.CREATE",)
UPDATE = ("ZohoCRM.modules.{module}.UPDATE",)
DELETE = ("ZohoCRM.modules.{module}.DELETE",)
SEARCH = (*READ, "ZohoSearch.securesearch.READ")
