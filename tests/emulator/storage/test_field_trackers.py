"""What field trackers note, whatever wrote the record."""

from __future__ import annotations

from random import Random

import pytest

from tests.emulator.conftest import Asker
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.field_trackers import SEEDED
from zcrm_nb.emulator.storage.store import Store

DAY_S = 86_400
STAYS = (
    "SELECT Stage, Moved_To__s, Stage_Duration_Calendar_Days, Amount, Modified_By, Modified_Time"
    " FROM DealHistory WHERE Potential_Name = ? ORDER BY id"
)
#: The changes of a picklist in the store's own notes, which another trigger writes.
NOTED = (
    "SELECT record, old, new, at, user FROM history JOIN {module} ON id = record"
    " WHERE field = '{field}' ORDER BY entry"
)
MOVES = (
    "SELECT b.{via}, a.{field}, b.{field}, b.Modified_Time, b.Modified_By, a.Moved_To__s"
    " FROM {tracker} b JOIN {module} r ON r.id = b.{via} LEFT JOIN {tracker} a ON a.id ="
    " (SELECT max(id) FROM {tracker} c WHERE c.{via} = b.{via} AND c.id < b.id)"
    " WHERE b.id >= ? AND (a.id IS NOT NULL OR b.Modified_Time > r.Created_Time) ORDER BY b.id"
)
TRACKED = (("Deals", "Stage"), ("Leads", "Lead_Status"))


def moves(emulator, module, field):
    """List what a tracker says moved since the world woke up."""
    tracker = next(
        each
        for each in emulator.schema.trackers
        if (each.tracker.module, each.tracker.field) == (module, field)
    )
    sql = MOVES.format(
        via=tracker.tracker.via, field=field, tracker=tracker.api_name, module=module
    )
    return emulator.store.read(sql, (tracker.first_record_id + SEEDED,))


def noted(emulator, module, field):
    """List what the store noted about a field."""
    return emulator.store.read(NOTED.format(module=module, field=field))


def test_a_deal_has_a_row_for_each_stay_at_a_stage(store: Store) -> None:
    """The last one is open; the others say where it went, and after how many calendar days."""
    (deal,) = store.insert("Deals", [{"Deal_Name": "x", "Stage": "A", "Amount": 5.0}], user=7)
    began = store.clock.now()
    store.clock.advance(16 * 3600)  # past midnight
    store.update("Deals", [{"id": deal, "Stage": "B", "Amount": 8.0}], user=8)
    store.update("Deals", [{"id": deal, "Amount": 9.0}], user=8)
    store.clock.advance(DAY_S)
    store.update("Deals", [{"id": deal, "Stage": "A"}], user=9)
    assert store.read(STAYS, (deal,)) == [
        ("A", "B", 1, 5.0, 7, began),
        ("B", "A", 1, 8.0, 8, began + 16 * 3600),
        ("A", None, None, 9.0, 9, began + 16 * 3600 + DAY_S),
    ]
    assert store.read("SELECT Stage_Modified_Time FROM Deals") == [(store.clock.now(),)]


def test_a_stage_that_is_written_again_is_no_move(store: Store) -> None:
    """Nor is another field; but a change of case is one, as for the timeline."""
    (deal,) = store.insert("Deals", [{"Deal_Name": "x", "Stage": "A"}], user=7)
    for values in ({"Stage": "A"}, {"Deal_Name": "y"}, {"Stage": "a"}):
        store.update("Deals", [{"id": deal, **values}], user=7)
    assert [each[0] for each in store.read(STAYS, (deal,))] == ["A", "a"]


def test_a_status_may_be_emptied(store: Store) -> None:
    """The stay that follows has no value, and the next one ends it."""
    (lead,) = store.insert("Leads", [{"Last_Name": "Rao", "Lead_Status": "Contacted"}], user=7)
    for status in (None, "Qualified"):
        store.update("Leads", [{"id": lead, "Lead_Status": status}], user=7)
    sql = "SELECT Lead_Status, Moved_To__s, Duration_Days FROM Lead_Status_History ORDER BY id"
    assert store.read(sql) == [("Contacted", None, 0), (None, "Qualified", 0),
                               ("Qualified", None, None)]  # fmt: skip


def test_a_deleted_deal_leaves_rows_without_a_deal_and_gets_them_back(store: Store) -> None:
    """As integrators see it; what is restored is not a new deal."""
    (deal,) = store.insert("Deals", [{"Deal_Name": "x", "Stage": "A"}], user=7)
    store.update("Deals", [{"id": deal, "Stage": "B"}], user=7)
    whole = store.read(STAYS, (deal,))
    recycle_bin.move_to_bin(store, "Deals", [deal], user=7)
    assert store.read("SELECT Potential_Name FROM DealHistory") == [(None,), (None,)]
    recycle_bin.restore(store, deal)
    assert store.read(STAYS, (deal,)) == whole


def _rest(ask: Asker, deal: int) -> None:
    body = {"data": [{"id": str(deal), "Stage": "Closed Won"}]}
    assert ask("PUT", "/Deals", None, body).status == 200


def _upsert(ask: Asker, deal: int) -> None:
    body = {"data": [{"id": str(deal), "Stage": "Closed Won"}]}
    assert ask("POST", "/Deals/upsert", None, body).status == 200


def _mass_update(ask: Asker, deal: int) -> None:
    body = {"data": [{"Stage": "Closed Won"}], "ids": [str(deal)]}
    assert ask("POST", "/Deals/actions/mass_update", None, body).status == 200


@pytest.mark.parametrize("write", [_rest, _upsert, _mass_update])
def test_every_way_to_write_a_stage_is_noted(ask: Asker, write) -> None:
    """The row that was open is closed by the move, and one more is open."""
    store = ask.emulator.store
    ((deal, stage),) = store.read("SELECT id, Stage FROM Deals WHERE Stage <> 'Closed Won' LIMIT 1")
    before = store.read(STAYS, (deal,))
    ask.emulator.clock.advance(2 * DAY_S)
    write(Asker(ask.emulator), deal)
    *others, left, now = store.read(STAYS, (deal,))
    assert [*others, left][:-1] == before[:-1]
    assert left[:2] == (stage, "Closed Won")
    assert now[:3] == ("Closed Won", None, None)
    assert now[-1] == store.clock.now()


def test_a_converted_deal_begins_its_history(ask: Asker) -> None:
    """What a conversion makes is a new deal like any other."""
    sql = "SELECT id FROM Leads WHERE Converted__s IS NOT 1 LIMIT 1"
    ((lead,),) = ask.emulator.store.read(sql)
    deal = {"Deals": {"Deal_Name": "New", "Closing_Date": "2026-12-01", "Stage": "Qualification",
                      "Pipeline": "Standard (Standard)"}}  # fmt: skip
    reply = ask("POST", f"/Leads/{lead}/actions/convert", None, {"data": [deal]})
    made = reply.body["data"][0]["details"]["Deals"]["id"]
    assert [each[:2] for each in ask.emulator.store.read(STAYS, (int(made),))] == [
        ("Qualification", None)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_trackers_agree_with_the_timelines_over_a_life(make, seed: int) -> None:
    """Two triggers note the same moves: from, to, when and by whom, deal by deal."""
    random = Random(seed)
    ask = make()
    life = ask.emulator.live(seed=seed)
    for _ in range(60):
        life.step(random.randint(1, 12))
        ask.emulator.clock.advance(random.randint(60, 3 * DAY_S))
    for module, field in TRACKED:
        found = moves(ask.emulator, module, field)
        known = noted(ask.emulator, module, field)
        assert found
        assert [(record, *rest) for record, _, *rest, _ in found] == [
            (record, *rest) for record, _, *rest in known
        ]
        for (_, before, new, *_, moved), (_, old, *_) in zip(found, known, strict=True):
            # A lead older than the tracking has no stay before the first one that is noted.
            assert (before, moved) in {(old, new), (None, None)}
            assert module == "Leads" or before == old


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/DealHistory", {"data": [{"Stage": "A"}]}),
        ("PUT", "/DealHistory", {"data": [{"id": "1", "Stage": "A"}]}),
        ("DELETE", "/Lead_Status_History?ids=1", None),
        ("POST", "/DealHistory/upsert", {"data": [{"Stage": "A"}]}),
        ("GET", "/DealHistory/search?word=won", None),
    ],
)
def test_histories_are_only_read(ask: Asker, method: str, path: str, body) -> None:
    """Zoho writes them, and does not search them."""
    path, _, query = path.partition("?")
    params = dict([query.split("=")]) if query else None
    reply = ask(method, path, params, body)
    assert reply.status == 403
    assert "NO_PERMISSION" in str(reply.body)


def test_a_history_is_a_related_list_and_a_module(ask: Asker) -> None:
    """Both read the same rows; nothing can be linked to the list."""
    ((deal,),) = ask.emulator.store.read("SELECT Potential_Name FROM DealHistory LIMIT 1")
    fields = {"fields": "Stage,Moved_To__s,Modified_Time"}
    rows = ask("GET", f"/Deals/{deal}/Stage_History", fields).body["data"]
    assert [each["Moved_To__s"] for each in rows].count(None) == 1
    listed = ask("GET", "/DealHistory", fields | {"ids": ",".join(each["id"] for each in rows)})
    assert {each["id"] for each in listed.body["data"]} >= {each["id"] for each in rows}
    refused = ask("PUT", f"/Deals/{deal}/Stage_History", None, {"data": [{"id": rows[0]["id"]}]})
    assert refused.body["code"] == "INVALID_REQUEST_METHOD"


def test_metadata_name_the_tracker_of_a_picklist(ask: Asker) -> None:
    """``history_tracking`` has module, list and duration; other fields have none."""
    for module, field in TRACKED:
        described = ask("GET", "/settings/fields", {"module": module}).body["fields"]
        tracked = {each["api_name"]: each["history_tracking"] for each in described}
        (tracker,) = (each for each in ask.emulator.schema.trackers if each.parent == module)
        assert [name for name, found in tracked.items() if found] == [field]
        assert tracked[field]["module"]["api_name"] == tracker.api_name
        assert tracked[field]["duration_configured_field"]["api_name"] in tracker.by_name


def test_a_merge_leaves_the_history_of_the_master_alone(ask: Asker) -> None:
    """The child's rows lose their deal, as those of a deleted one; no row is stamped anew."""
    store = ask.emulator.store
    sql = "SELECT id FROM Deals WHERE Probability NOT IN (0, 100) ORDER BY id LIMIT 2"
    (master,), (child,) = store.read(sql)
    before = store.read(STAYS, (master,))
    rows = store.read("SELECT id, Modified_Time FROM DealHistory ORDER BY id")
    ask.emulator.clock.advance(60)
    body = {"merge": [{"data": [{"id": str(child)}], "master_record_fields": []}]}
    assert ask("POST", f"/Deals/{master}/actions/merge", None, body).status == 201
    assert store.read(STAYS, (master,)) == before
    assert store.read(STAYS, (child,)) == []
    assert store.read("SELECT id, Modified_Time FROM DealHistory ORDER BY id") == rows
