"""The orgs of the tests."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import TINY
from tests.worlds import Org
from zcrm_nb.emulator import Emulator, ManualClock


def everything(org):
    """All rows of all tables."""
    names = [row[0] for row in org.store.read("SELECT name FROM sqlite_master WHERE type='table'")]
    return {name: org.store.read(f'SELECT * FROM "{name}"') for name in sorted(names)}


def test_a_copy_is_what_building_gives():
    """To the last cell, with the same keys; and what is written into it is its own."""
    with (
        Emulator(rows=TINY, clock=ManualClock()) as one,
        Org(rows=TINY, clock=ManualClock()) as two,
    ):
        assert everything(one) == everything(two)
        assert one.credentials == two.credentials
        new = one.store.insert("Leads", [{"Last_Name": "Rao"}], user=1)
        assert two.store.insert("Leads", [{"Last_Name": "Rao"}], user=1) == new
    with Org(rows=TINY) as three:
        assert three.store.read("SELECT count(*) FROM Leads")[0][0] == TINY["Leads"]


def test_a_copy_leaves_nothing_behind():
    """A thousand tests would fill the disk."""
    with Org(rows=TINY) as org:
        folder = Path(org.store.path).parent
        assert folder.exists()
    assert not folder.exists()
