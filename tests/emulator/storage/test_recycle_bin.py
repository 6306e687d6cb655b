"""Deleted records wait whole, and come back as they were."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import Org
from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.schema import ORG_PREFIX

USER = ORG_PREFIX + 40_000_000_002
ROWS = {
    "Leads": 6, "Contacts": 8, "Accounts": 4, "Deals": 8, "Tasks": 6, "Events": 3, "Calls": 3,
    "Campaigns": 2, "Products": 4, "Vendors": 2, "Quotes": 3, "Invoices": 3, "Notes": 8,
    "Site_Visits": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def org():
    """An org that every example leaves as it found it."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


def everything(store):
    """Every stored row of every module."""
    return {module: store.rows(module) for module in store.schema.modules}


def deletable(store):
    """Module and id of every record of every record module."""
    return [
        (name, row["id"])
        for name, module in store.schema.modules.items()
        if module.generated_type not in ("subform", "linking")
        for row in store.rows(name)
    ]


@settings(max_examples=12)
@given(dice=st.randoms(use_true_random=False), share=st.floats(0.1, 1))
def test_deleting_and_restoring_in_any_order_changes_nothing(dice, share):
    """Links, subform rows, notes, lookups both ways, roll-ups, times: all as before."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        there_and_back(emulator.store, dice, share)


def there_and_back(store, dice, share):
    """Delete a share of the records in any order, restore them in any other, and compare."""
    before = everything(store)
    records = deletable(store)
    dice.shuffle(records)
    for module, record in records[: 1 + int(share * len(records))]:
        recycle_bin.move_to_bin(store, module, [record], user=USER)
    back = [record for (record,) in store.read("SELECT id FROM deleted")]
    dice.shuffle(back)
    while back:
        waiting = []
        for record in back:
            try:
                recycle_bin.restore(store, record)
            except recycle_bin.OrphanError:
                waiting.append(record)  # a note, whose record comes later
        assert len(waiting) < len(back), "orphans wait for records that are in the bin too"
        back = waiting
    assert everything(store) == before
    assert store.read("SELECT count(*) FROM deleted") == [(0,)]


def test_many_leave_at_once_with_everything_that_pointed_at_them(org):
    """In chunks, also when they point to each other."""
    store = org.store
    before = everything(store)
    contacts = [row["id"] for row in store.rows("Contacts")]
    store.update("Contacts", [{"id": contacts[0], "Reporting_To": contacts[1]}], user=USER)
    changed = everything(store)
    recycle_bin.move_to_bin(store, "Contacts", contacts, user=USER)
    assert store.rows("Contacts") == []
    assert all(row["Contact_Name"] is None for row in store.rows("Deals"))
    for record in reversed(contacts):
        recycle_bin.restore(store, record)
    assert everything(store) == changed
    store.update("Contacts", [{"id": contacts[0], "Reporting_To": None}], user=USER)
    assert len(store.rows("Contacts")) == len(before["Contacts"])


def test_a_lookup_that_was_set_elsewhere_meanwhile_stays(org):
    """What people did after the deletion counts more than what was before."""
    store = org.store
    deal = next(row for row in store.rows("Deals") if row["Account_Name"])
    old = deal["Account_Name"]
    other = next(row["id"] for row in store.rows("Accounts") if row["id"] != old)
    recycle_bin.move_to_bin(store, "Accounts", [old], user=USER)
    store.update("Deals", [{"id": deal["id"], "Account_Name": other}], user=USER)
    recycle_bin.restore(store, old)
    assert store.rows("Deals", "id = ?", (deal["id"],))[0]["Account_Name"] == other


def test_what_is_erased_leaves_only_its_id(org):
    """And cannot come back; rows of subforms that go alone leave nothing."""
    store = org.store
    visit = store.rows("Site_Visits")[0]["id"]
    recycle_bin.move_to_bin(store, "Site_Visits", [visit], user=USER)
    recycle_bin.erase(store, [visit])
    row = store.read(
        "SELECT module, type, display_name, record FROM deleted WHERE id = ?", (visit,)
    )
    assert row == [("Site_Visits", "permanent", None, None)]
    with pytest.raises(KeyError):
        recycle_bin.restore(store, visit)
    expense = store.rows("Site_Visit_Expenses")[0]["id"]
    recycle_bin.move_to_bin(store, "Site_Visit_Expenses", [expense], user=USER)
    assert store.read("SELECT count(*) FROM deleted WHERE id = ?", (expense,)) == [(0,)]
