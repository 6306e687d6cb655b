"""The org's records in SQLite."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.schema import Schema
from zcrm_nb.emulator.storage.store import Store

USER = 7


def one(store: Store, sql: str, *params: object) -> tuple[object, ...]:
    """Fetch the only row of a query."""
    (row,) = store.read(sql, params)
    return row


def test_an_insert_stamps_id_owner_and_times(store: Store) -> None:
    """Who and when come from the call and the clock, ids grow."""
    first, second = store.insert("Leads", [{"Last_Name": "Rao"}, {"Last_Name": "Sen"}], user=USER)
    now = store.clock.now()
    assert first < second
    assert len(str(first)) == 18
    row = one(store, "SELECT Owner, Created_By, Modified_By, Created_Time, Modified_Time"
                     " FROM Leads WHERE id = ?", first)  # fmt: skip
    assert row == (USER, USER, USER, now, now)


def test_a_value_in_the_row_wins_over_its_stamp_and_defaults_fill_the_rest(store: Store) -> None:
    """An owner that was sent stays; booleans are false and records available unless told."""
    store.insert("Leads", [{"Last_Name": "Rao", "Owner": 9}], user=USER)
    row = one(store, "SELECT Owner, Created_By, Email_Opt_Out, Record_Status__s FROM Leads")
    assert row == (9, USER, 0, "Available")


def test_an_update_changes_what_it_names_and_when(store: Store) -> None:
    """Other columns stay, Modified_Time is the clock's, Created_Time is not touched."""
    (lead,) = store.insert("Leads", [{"Last_Name": "Rao", "City": "Pune"}], user=USER)
    made = store.clock.now()
    store.clock.advance(60)
    store.update("Leads", [{"id": lead, "City": None}], user=8)
    row = one(store, "SELECT Last_Name, City, Modified_By, Created_Time, Modified_Time FROM Leads")
    assert row == ("Rao", None, 8, made, made + 60)


def test_a_column_that_does_not_exist_is_an_error_not_a_silence(store: Store) -> None:
    """Writes are validated before; what slips through must not vanish."""
    with pytest.raises(sqlite3.OperationalError, match="Nme"):
        store.insert("Leads", [{"Nme": "Rao"}], user=USER)


def test_full_names_and_formulas_follow_their_parts(store: Store) -> None:
    """Nobody writes them, and they are never stale."""
    (lead,) = store.insert(
        "Leads", [{"Salutation": "Ms.", "First_Name": "Asha", "Last_Name": "Rao"}], user=USER
    )
    store.insert("Deals", [{"Deal_Name": "x", "Stage": "Qualification", "Amount": 200.0,
                            "Probability": 10, "Discount_Percent": 25.0}], user=USER)  # fmt: skip
    assert one(store, "SELECT Full_Name FROM Leads") == ("Ms. Asha Rao",)
    store.update("Leads", [{"id": lead, "Salutation": "-None-", "First_Name": None}], user=USER)
    assert one(store, "SELECT Full_Name FROM Leads") == ("Rao",)
    assert one(store, "SELECT Expected_Revenue, Net_Amount FROM Deals") == (20.0, 150.0)
    store.update(
        "Deals", [{"id": one(store, "SELECT id FROM Deals")[0], "Amount": 400.0}], user=USER
    )
    assert one(store, "SELECT Expected_Revenue, Net_Amount FROM Deals") == (40.0, 300.0)


def test_rollups_follow_inserts_updates_moves_and_deletes(store: Store) -> None:
    """The sum of won deals is right after every kind of write, at both accounts of a move."""
    a, b = store.insert("Accounts", [{"Account_Name": "A"}, {"Account_Name": "B"}], user=USER)
    won = {"Stage": "Closed Won", "Amount": 100.0, "Account_Name": a}
    deal, _ = store.insert(
        "Deals", [{"Deal_Name": "1", **won}, {"Deal_Name": "2", **won}], user=USER
    )

    def sums() -> list[tuple[object, ...]]:
        return store.read("SELECT Won_Amount FROM Accounts ORDER BY id")

    assert sums() == [(200.0,), (None,)]
    store.update("Deals", [{"id": deal, "Account_Name": b}], user=USER)
    assert sums() == [(100.0,), (100.0,)]
    store.update("Deals", [{"id": deal, "Stage": "Closed Lost"}], user=USER)
    assert sums() == [(100.0,), (None,)]
    recycle_bin.move_to_bin(
        store, "Deals", [row[0] for row in store.read("SELECT id FROM Deals")], user=USER
    )
    assert sums() == [(None,), (None,)]


def test_line_items_add_up_to_the_totals_of_their_invoice(store: Store) -> None:
    """Formulas of the rows, the roll-up over them, and the formula over the roll-up."""
    (product,) = store.insert("Products", [{"Product_Name": "Gauge"}], user=USER)
    (invoice,) = store.insert("Invoices", [{"Subject": "x", "Adjustment": -1.0}], user=USER)
    item = {"Parent_Id": invoice, "Product_Name": product, "Quantity": 3.0, "List_Price": 10.0}
    store.insert("Invoiced_Items", [item, {**item, "Discount": 5.0, "Tax": 4.5}], user=USER)
    assert store.read("SELECT Total, Net_Total FROM Invoiced_Items") == [(30.0, 30.0), (30.0, 29.5)]
    assert one(store, "SELECT Sub_Total, Grand_Total FROM Invoices") == (59.5, 58.5)


def test_autonumbers_count_up(store: Store) -> None:
    """Each record gets the next one, written with prefix and zeros."""
    store.insert("Site_Visits", [{"Name": "a"}, {"Name": "b"}], user=USER)
    numbers = store.read("SELECT Visit_Number FROM Site_Visits ORDER BY id")
    assert numbers == [("SV-00001",), ("SV-00002",)]


def test_a_deleted_record_leaves_a_tombstone_and_takes_its_rows_along(store: Store) -> None:
    """Links and subform rows go, lookups to it become empty, the bin knows name, time and user."""
    (account,) = store.insert("Accounts", [{"Account_Name": "Acme"}], user=USER)
    (deal,) = store.insert(
        "Deals", [{"Deal_Name": "d", "Stage": "Qualification", "Account_Name": account}], user=USER
    )
    store.insert("Tasks", [{"Subject": "t", "What_Id": deal, "$se_module": "Deals"}], user=USER)
    (invoice,) = store.insert("Invoices", [{"Subject": "i"}], user=USER)
    store.insert("Invoiced_Items", [{"Parent_Id": invoice, "Quantity": 1.0}], user=USER)
    store.clock.advance(5)
    for module, record in (("Accounts", account), ("Deals", deal), ("Invoices", invoice)):
        if module == "Deals":
            assert one(store, "SELECT Account_Name FROM Deals") == (None,)
        recycle_bin.move_to_bin(store, module, [record], user=8)
    assert one(store, 'SELECT What_Id, "$se_module" FROM Tasks') == (None, None)
    assert one(store, "SELECT count(*) FROM Invoiced_Items") == (0,)
    row = one(store, "SELECT display_name, deleted_time, deleted_by, created_by, type FROM deleted"
                     " WHERE id = ?", account)  # fmt: skip
    assert row == ("Acme", store.clock.now(), 8, USER, "recycle")


def test_a_lookup_to_nothing_is_refused(store: Store) -> None:
    """The store keeps its promises even if a handler forgets to look."""
    with pytest.raises(sqlite3.IntegrityError):
        store.insert("Deals", [{"Deal_Name": "d", "Account_Name": 1}], user=USER)


def test_a_transaction_is_all_or_nothing_and_sees_itself(store: Store) -> None:
    """Reads inside it see its writes; an error takes everything back, ids and numbers included."""

    def write_and_stop() -> None:
        with store.transaction():
            store.insert("Site_Visits", [{"Name": "a"}], user=USER)
            assert one(store, "SELECT count(*) FROM Site_Visits") == (1,)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop()
    assert one(store, "SELECT count(*) FROM Site_Visits") == (0,)
    store.insert("Site_Visits", [{"Name": "b"}], user=USER)
    assert one(store, "SELECT Visit_Number FROM Site_Visits") == ("SV-00001",)


def test_other_threads_see_a_transaction_only_when_it_is_done(store: Store) -> None:
    """A reader next door is neither blocked nor shown half a write."""
    seen: list[tuple[object, ...]] = []

    def look() -> None:
        seen.append(one(store, "SELECT count(*) FROM Leads"))

    def look_next_door() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with store.transaction():
        store.insert("Leads", [{"Last_Name": "Rao"}], user=USER)
        look_next_door()
    look_next_door()
    assert seen == [(0,), (1,)]


def test_many_threads_write_and_no_id_is_given_twice(store: Store) -> None:
    """Writers queue; every record of each of them is there."""
    ids: list[int] = []

    def write() -> None:
        for _ in range(20):
            ids.extend(store.insert("Leads", [{"Last_Name": "x"}], user=USER))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 80
    assert one(store, "SELECT count(*) FROM Leads") == (80,)


def test_an_org_in_a_file_is_there_again_after_a_restart(schema: Schema, tmp_path: Path) -> None:
    """Records, counters and triggers survive; a new id is greater than the old ones."""
    path = tmp_path / "org.sqlite"
    first = Store(schema, ManualClock(), path)
    (old,) = first.insert("Accounts", [{"Account_Name": "Acme"}], user=USER)
    first.close()
    again = Store(schema, ManualClock(), path)
    (deal,) = again.insert(
        "Deals", [{"Deal_Name": "d", "Stage": "Closed Won", "Amount": 5.0, "Account_Name": old}],
        user=USER,
    )  # fmt: skip
    assert one(again, "SELECT Account_Name, Won_Amount FROM Accounts") == ("Acme", 5.0)
    assert deal > old
    again.close()


def test_a_temporary_org_leaves_nothing_behind(schema: Schema) -> None:
    """Without a path the file lives until close()."""
    store = Store(schema, ManualClock())
    assert store.path.exists()
    store.close()
    assert not store.path.parent.exists()


def test_a_foreign_or_damaged_file_is_refused_and_left_alone(
    schema: Schema, tmp_path: Path
) -> None:
    """Text, another database, and an org of another version: each is named in the error."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but somebody's notes, and long enough to be looked at" * 40)
    with pytest.raises(ValueError, match=r"notes.txt is not an emulated org"):
        Store(schema, ManualClock(), text)
    assert text.read_text().startswith("not a database")

    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(ValueError, match=r"other.sqlite is a database, but not an emulated org"):
        Store(schema, ManualClock(), other)

    older = tmp_path / "older.sqlite"
    Store(
        Schema({"Leads": schema.modules["Leads"]}, schema.directory), ManualClock(), older
    ).close()
    with pytest.raises(ValueError, match="another version"):
        Store(schema, ManualClock(), older)


def test_a_file_damaged_in_the_middle_is_refused(schema: Schema, tmp_path: Path) -> None:
    """A broken page is found when the file is opened, not in the middle of a lesson."""
    path = tmp_path / "org.sqlite"
    store = Store(schema, ManualClock(), path)
    store.insert("Leads", [{"Last_Name": f"x{n}" * 20} for n in range(300)], user=USER)
    store.close()
    body = bytearray(path.read_bytes())
    page = body.index(b"x150x150") // 4096 * 4096
    body[page : page + 12] = bytes(12)
    path.write_bytes(body)
    with pytest.raises(ValueError, match="damaged"):
        Store(schema, ManualClock(), path)


def test_the_columns_people_filter_and_page_by_have_indexes(store: Store) -> None:
    """Each of these is answered by an index, not by reading the table."""
    for module, column in (("Leads", "Modified_Time"), ("Leads", "Created_Time"), ("Leads", "City"),
                           ("Leads", "Owner"), ("Leads", "Lead_Status"), ("Deals", "Stage"),
                           ("Deals", "Account_Name"), ("Invoiced_Items", "Parent_Id")):  # fmt: skip
        plan = str(store.read(f'EXPLAIN QUERY PLAN SELECT id FROM "{module}" WHERE "{column}" = 1'))
        assert f"INDEX {module}.{column}" in plan
