"""What belongs to one process: renewed in a forked child, refused by pickle and copy."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, NoReturn, Self
from weakref import WeakSet

__all__ = ["ProcessBound"]

_BOUND: WeakSet[ProcessBound] = WeakSet()


class ProcessBound:
    """Base of what holds connections, locks or tokens of a live process.

    A forked child gets a copy of all memory: connections that two processes read from would mix up
    their responses, and a lock that another thread held at the moment of the fork stays locked for
    ever. So each subclass renews such parts in :meth:`_after_fork`, which runs in the child before
    any code of its own. Pickling and copying are refused: a copy would share what cannot be shared.
    """

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Register each instance for the next fork."""
        self = super().__new__(cls)
        _watch_forks()
        _BOUND.add(self)
        return self

    def _after_fork(self) -> None:
        """Renew connections and locks, in the child."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            f"A live connection to Zoho CRM ({type(self).__name__}) cannot be pickled, copied or "
            "stored. Connect in the other process instead: zcrm_nb.connect(profile=…)."
        )


@cache
def _watch_forks() -> None:
    """Watch forks from the first instance on; importing alone registers nothing."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
        os.register_at_fork(after_in_child=_renew_all)


def _renew_all() -> None:
    for each in list(_BOUND):
        each._after_fork()
