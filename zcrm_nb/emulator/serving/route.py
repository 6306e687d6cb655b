"""One address: what answers there, who may ask, what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Answer

if TYPE_CHECKING:
    from zcrm_nb.emulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Route:
    """One address.

    ``{name}`` in ``path`` stands for one segment and reaches the handler by that name. ``scopes``
    are all needed. ``price`` is a key of :data:`~zcrm_nb.emulator.serving.meter.PRICES`. The query
    parameters that Zoho documents are either in ``honours`` or in ``refuses``.
    """

    method: str
    path: str
    handler: Callable[..., Answer]
    what: str
    scopes: tuple[str, ...] = ()
    price: str = "call"
    needs_token: bool = True
    honours: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it writes records."""
        return self.price == "write"

    def check(self, params: Iterable[str], settings: Settings) -> None:
        """Refuse query parameters that the handler would ignore."""
        for name in params:
            if name in self.refuses and name not in settings.ignored_parameters:
                raise not_emulated(f"The parameter {name}")
            if settings.refuse_unknown_parameters and name not in self.honours + self.refuses:
                raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": name})


V8 = "/crm/v8"
READ = ("ZohoCRM.modules.{module}.READ",)
CREATE = ("ZohoCRM.modules.{module}.CREATE",)
UPDATE = ("ZohoCRM.modules.{module}.UPDATE",)
DELETE = ("ZohoCRM.modules.{module}.DELETE",)
SEARCH = (*READ, "ZohoSearch.securesearch.READ")
PAGES = ("page", "per_page")
SORTED = ("sort_by", "sort_order")
