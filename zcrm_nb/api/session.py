"""What the API functions need of one CRM object, handed down as one argument."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

__all__ = ["Session", "TableRequest", "Tick"]

Tick: TypeAlias = "Callable[[int], None]"
"""Progress: called with the number of rows that have just come."""


def _no_progress(rows: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Session:
    """How to send calls, what is known of the org, and how many calls may run side by side."""

    send: Send
    catalogue: Catalogue
    workers: int = 1
    tick: Tick = _no_progress
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def quiet(self) -> Session:
        """Return the same session without progress: for calls whose rows are not the result's."""
        return replace(self, tick=_no_progress)


@dataclass(frozen=True)
class TableRequest:
    """A table that is ready to be fetched: its arguments are checked, its records not yet read.

    ``facts`` go to ``attrs["zcrm"]`` and to the query log.
    """

    label: str
    fetch: Callable[[Session], pd.DataFrame]
    facts: dict[str, Any] = field(default_factory=dict)
