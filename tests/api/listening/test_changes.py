"""What has changed: told, found, and both at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import TINY
from tests.worlds import Org
from zcrm_nb.api.listening.changes import Changes, Marks, default_fields
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.errors import NotFoundError, QueryError
from zcrm_nb.wire.webhook_receiver import Notification

FIELDS = ["Deal_Name", "Stage", "Amount"]
WHO = 1
STAGES = ["Qualification", "Needs Analysis", "Closed Won"]


class World:
    """A small org under a clock that stands still, and somebody who works in it."""

    def __init__(self):
        self.emulator = Org(rows=TINY, clock=ManualClock())
        self.crm = attach(self.emulator)
        self.store, self.clock = self.emulator.store, self.emulator.clock
        self.made = 0

    def ids(self):
        return [row[0] for row in self.store.read("SELECT id FROM Deals ORDER BY id")]

    def insert(self):
        self.made += 1
        row = {"Deal_Name": f"Deal {self.made}", "Stage": STAGES[0], "Amount": float(self.made)}
        (new,) = self.store.insert("Deals", [row], user=WHO)
        return new

    def move(self, record_id, stage):
        self.store.update("Deals", [{"id": record_id, "Stage": stage}], user=WHO)

    def delete(self, record_id):
        recycle_bin.move_to_bin(self.store, "Deals", [record_id], user=WHO)

    def told(self, operation, record_id, changed=()):
        """What Zoho would post of it now."""
        return Notification(
            "1",
            "Deals",
            operation,
            [str(record_id)],
            self.clock.now() * 1000 + 5,
            {str(record_id): list(changed)} if changed else {},
        )

    def changes(self, **options):
        return Changes(self.crm._session, "Deals", FIELDS, **options)

    def now(self):
        """The module as it is."""
        table = self.crm.coql("select Deal_Name, Stage, Amount from Deals where id is not null")
        return table.sort_values("id", ignore_index=True)


@pytest.fixture
def world():
    world = World()
    yield world
    world.crm.close()


def state(changes):
    return changes.state_frame().sort_values("id", ignore_index=True)


def said(rows):
    return [(row["operation"], row["id"], row["source"]) for row in rows]


def test_nothing_has_changed_in_the_beginning(world):
    """Not even in the second in which one begins: what happened in it may be from before."""
    world.move(world.ids()[0], STAGES[1])
    changes = world.changes()
    assert changes.begin() == []
    assert changes.poll() == []
    assert changes.state == []


def test_what_nobody_told_is_found(world):
    """New, changed and deleted records, each once."""
    changes = world.changes()
    changes.begin()
    one, two, *_ = world.ids()
    world.clock.advance(3)
    new = world.insert()
    world.move(one, STAGES[2])
    world.delete(two)
    assert sorted(said(changes.poll())) == sorted(
        [
            ("insert", str(new), "found"),
            ("update", str(one), "found"),
            ("delete", str(two), "found"),
        ]
    )
    assert changes.poll() == []


def test_two_changes_in_one_second_are_both_seen(world):
    """Modified_Time has seconds; the second look compares values."""
    changes = world.changes()
    changes.begin()
    one = world.ids()[0]
    world.clock.advance(3)
    world.move(one, STAGES[1])
    assert len(changes.poll()) == 1
    world.move(one, STAGES[2])
    (row,) = changes.poll()
    assert (row["Stage"], row["changed"]) == (STAGES[2], ["Stage"])


def test_a_change_that_shows_late_is_found_within_the_overlap(world):
    """A stamp is set before the change can be seen."""
    changes = world.changes()
    changes.begin()
    one, two, *_ = world.ids()
    world.clock.advance(100)
    world.move(one, STAGES[2])
    changes.poll()
    stamped = world.clock.now() - 40
    late = {"id": two, "Stage": STAGES[2], "Modified_Time": stamped}
    world.store.update("Deals", [late], user=WHO)
    rows = changes.poll()
    assert [row["id"] for row in rows] == [str(two)]


def test_what_was_told_is_fetched(world):
    """The values are those of now; what changed is as Zoho told it."""
    changes = world.changes()
    changes.begin()
    one, two, *_ = world.ids()
    world.clock.advance(3)
    world.move(one, STAGES[2])
    new = world.insert()
    world.delete(two)
    told = [
        world.told("update", one, ["Stage"]),
        world.told("insert", new),
        world.told("delete", two),
    ]
    rows = changes.notified(told)
    assert [(row["operation"], row.get("Stage"), row["changed"]) for row in rows] == [
        ("update", STAGES[2], ["Stage"]),
        ("insert", STAGES[0], []),
        ("delete", None, []),
    ]
    assert changes.poll() == []


def test_a_notification_that_comes_late_is_no_second_change(world):
    """A look was quicker; the row is there already."""
    changes = world.changes()
    changes.begin()
    one, two, *_ = world.ids()
    world.clock.advance(3)
    world.move(one, STAGES[2])
    world.delete(two)
    late = [world.told("update", one, ["Stage"]), world.told("delete", two)]
    assert len(changes.poll()) == 2
    assert changes.notified(late) == []


def test_a_record_that_is_gone_when_it_is_fetched_is_still_told_of(world):
    """Its row has what was known; that it is gone is found."""
    changes = world.changes()
    changes.begin()
    one = world.ids()[0]
    world.clock.advance(3)
    world.move(one, STAGES[1])
    changes.notified([world.told("update", one)])
    world.delete(one)
    (row,) = changes.notified([world.told("update", one)])
    assert row["Stage"] == STAGES[1]
    assert said(changes.poll()) == [("delete", str(one), "found")]
    assert changes.state == []


def test_a_whole_module_is_known_from_the_beginning(world):
    """And kept current."""
    changes = world.changes(whole=True)
    changes.begin()
    assert state(changes).equals(world.now())
    world.clock.advance(3)
    world.move(world.ids()[0], STAGES[2])
    world.delete(world.ids()[1])
    (row, gone) = changes.poll()
    assert (row["changed"], gone["operation"]) == (["Stage"], "delete")
    assert gone["Deal_Name"]
    assert state(changes).equals(world.now())


def test_a_module_without_records_begins_like_any_other(world):
    """There is no newest change then."""
    for each in world.ids():
        world.delete(each)
    changes = world.changes()
    assert changes.begin() == []
    assert changes.poll() == []
    world.clock.advance(3)
    new = world.insert()
    assert said(changes.poll()) == [("insert", str(new), "found")]
    world.delete(new)
    assert said(changes.poll()) == [("delete", str(new), "found")]


def test_one_can_begin_in_the_past(world):
    """With what happened since."""
    began = datetime.fromtimestamp(world.clock.now() + 2, UTC)
    one, two, *_ = world.ids()
    world.clock.advance(100)
    world.move(one, STAGES[2])
    world.delete(two)
    world.clock.advance(5000)
    changes = world.changes()
    rows = changes.begin(Marks(began, began))
    assert said(rows) == [("update", str(one), "found"), ("delete", str(two), "found")]
    assert changes.poll() == []


def test_the_next_kernel_goes_on_where_this_one_left_off(world):
    """What the last one has shown is not shown again, yet the whole module is known."""
    changes = world.changes(whole=True)
    changes.begin()
    one, two, three, *_ = world.ids()
    world.clock.advance(100)
    world.move(one, STAGES[2])
    world.delete(two)
    changes.poll()
    left = json.loads(json.dumps(changes.saved_state()))
    world.move(three, STAGES[2])
    again = world.changes(whole=True)
    assert said(again.begin(again.restore(left))) == [("update", str(three), "found")]
    assert again.poll() == []
    assert state(again).equals(world.now())
    assert "Deal" not in json.dumps(left)


@pytest.mark.parametrize("polls", [0, 1, 2])
@pytest.mark.parametrize(
    ("steps", "operations"),
    [
        (["insert"], ["insert"]),
        (["insert", "update"], ["insert"]),
        (["insert", "delete"], ["delete"]),
        (["insert", "insert", "delete"], ["insert", "delete"]),
    ],
)
def test_a_feed_that_saw_no_record_goes_on_in_the_next_kernel(world, steps, operations, polls):
    """Its module was empty, so no time of Zoho's is known: what happened since is reported once."""
    earlier = world.ids()
    for each in earlier:
        world.delete(each)
    changes = world.changes(whole=True)
    changes.begin()
    for _ in range(polls):
        assert changes.poll() == []
    for operation in steps:
        act(world, operation, 0)
    left = json.loads(json.dumps(changes.saved_state()))
    again = world.changes(whole=True)
    rows = again.begin(again.restore(left))
    assert [row["operation"] for row in rows] == operations
    assert not {row["id"] for row in rows} & {str(each) for each in earlier}
    assert again.poll() == []
    assert state(again).equals(world.now())


def test_memory_is_bounded(world):
    """Those that changed longest ago are forgotten first."""
    changes = world.changes(keep=3)
    changes.begin()
    for each in world.ids()[:6]:
        world.clock.advance(100)
        world.move(each, STAGES[1])
        changes.poll()
    assert [row["id"] for row in changes.state] == [str(each) for each in world.ids()[3:6]]


def test_a_look_at_little_costs_three_credits(world):
    """1 for up to 200 modified records, 2 for the deleted ones."""
    changes = world.changes()
    changes.begin()
    with world.crm.trace() as calls:
        changes.poll()
    assert sum(call.credits for call in calls) == 3


def test_a_hundred_records_that_were_told_cost_one_credit(world):
    """However many more: they are fetched together."""
    changes = world.changes()
    changes.begin()
    told = [world.told("insert", world.insert()) for _ in range(150)]
    with world.crm.trace() as calls:
        rows = changes.notified(told)
    assert len(rows) == 150
    assert sum(call.credits for call in calls) == 2


def test_a_crowd_of_changes_is_read_in_pages(world):
    """More than one call brings, and all of them."""
    changes = world.changes()
    changes.begin()
    world.clock.advance(5)
    rows = [{"Deal_Name": f"Deal {n}", "Stage": STAGES[0]} for n in range(4500)]
    world.store.insert("Deals", rows, user=WHO)
    assert len(changes.poll()) == 4500


def test_the_table_is_typed_whatever_came(world):
    """The same dtypes on no rows and on some."""
    changes = world.changes()
    changes.begin()
    world.clock.advance(3)
    world.insert()
    some = changes.frame(changes.poll())
    none = changes.frame([])
    assert some.dtypes.to_dict() == none.dtypes.to_dict()
    assert str(none["time"].dtype) == "datetime64[ms, UTC]"
    assert list(none["operation"].cat.categories) == ["insert", "update", "delete"]
    assert none.columns[0] == "time"
    assert [*none.columns[-2:]] == ["changed", "source"]


def test_stamps_show_only_when_they_are_asked_for(world):
    """They are fetched to find changes by."""
    names = world.changes().columns
    assert "Modified_Time" not in [each.name for each in names]
    asked = Changes(world.crm._session, "Deals", ["Stage", "Modified_Time"])
    assert [each.name for each in asked.columns] == ["id", "Stage", "Modified_Time"]


def test_a_feed_without_fields_has_the_mandatory_ones(world):
    """And the owner."""
    assert default_fields(world.crm._catalogue, "Deals") == ["Deal_Name", "Stage", "Owner"]
    assert default_fields(world.crm._catalogue, "Quotes") == ["Subject", "Owner"]  # no subform


def test_wrong_fields_are_refused_before_anything_is_asked(world):
    """A module or field that is not there, or that COQL cannot fetch, or too many."""
    with world.crm.trace() as calls:
        for module, fields, error in [
            ("Dealz", ["Stage"], NotFoundError),
            ("Deals", ["Stagee"], QueryError),
            ("Deals", [f"Field_{n}" for n in range(49)], ValueError),
        ]:
            with pytest.raises(error):
                Changes(world.crm._session, module, fields)
    assert not any("coql" in call.path for call in calls)


steps = st.lists(
    st.tuples(
        st.sampled_from(["insert", "update", "update", "delete"]),
        st.integers(0, 40),
        st.sampled_from(["told", "told", "lost", "twice", "late", "look", "die"]),
        st.sampled_from([0, 0, 1, 70]),
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def lasting():
    """A world in which example follows upon example."""
    world = World()
    yield world
    world.crm.close()


@settings(max_examples=30)
@given(steps=steps, whole=st.booleans())
def test_the_end_is_right_whatever_was_told(lasting, steps, whole):
    """Lost, doubled, late, in the same second, in another kernel: what is known is what there is.

    And whatever was deleted makes a row that says so.
    """
    world = lasting
    world.clock.advance(300)
    changes = world.changes(whole=whole)
    changes.begin()
    world.clock.advance(2)
    before, touched, late, rows = {*world.ids()}, set(), [], []
    for operation, pick, fate, pause_s in steps:
        told, record_id = act(world, operation, pick)
        touched.add(record_id)
        if fate == "late":
            late.append(told)
        elif fate == "look":
            rows += changes.poll()
        elif fate == "die" and whole:
            left, changes = changes.saved_state(), world.changes(whole=True)
            rows += changes.begin(changes.restore(json.loads(json.dumps(left))))
        elif fate != "lost":
            for _ in range(2 if fate == "twice" else 1):
                rows += changes.notified([told])
        world.clock.advance(pause_s)
    rows += changes.poll()
    rows += changes.notified(late)
    rows += changes.poll()
    now = world.now()
    known = now if whole else now[now["id"].isin([str(each) for each in touched])]
    assert state(changes).equals(known.reset_index(drop=True))
    gone = {row["id"] for row in rows if row["operation"] == "delete"}
    assert gone == {str(each) for each in (before | touched) - {*world.ids()}}


def act(world, operation, pick):
    """Do something to some record; what Zoho would post of it, and the record."""
    ids = world.ids()
    if operation == "insert" or not ids:
        record_id = world.insert()
        return world.told("insert", record_id), record_id
    record_id = ids[pick % len(ids)]
    if operation == "update":
        world.move(record_id, STAGES[pick % 3])
    else:
        world.delete(record_id)
    return world.told(operation, record_id), record_id
