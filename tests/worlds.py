"""Orgs for tests: each world is built once in a run, and whoever wants one gets a copy.

Building a world takes a tenth of a second and more, which a thousand tests feel. The copy is a file
that an emulator opens, as it opens one that a user kept.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator import Emulator, ManualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

SEED = 2026


@cache
def built(rows: tuple[tuple[str, int], ...], seed: int, currencies: tuple[str, ...] = ()) -> bytes:
    """The file of a world; a world does not depend on the clock."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "org.sqlite")
        Emulator(
            rows=dict(rows), seed=seed, clock=ManualClock(), path=path, currencies=currencies
        ).close()
        return path.read_bytes()


class Org(Emulator):
    """An emulator with a copy of a world, in a folder that goes with it."""

    def __init__(self, *, rows: Mapping[str, int], seed: int = SEED, **options: Any) -> None:
        folder = tempfile.mkdtemp(prefix="zcrm-test-")
        # Before the emulator's own: what is registered last is done first.
        self._remove = weakref.finalize(self, shutil.rmtree, folder)
        path = Path(folder, "org.sqlite")
        path.write_bytes(built(tuple(rows.items()), seed, options.get("currencies", ())))
        super().__init__(rows=rows, seed=seed, path=path, **options)

    def close(self) -> None:
        """Close the org; its folder goes."""
        super().close()
        self._remove()
