"""People in the org at work."""

import json
import re
import threading
from collections import Counter

import pytest

from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.life.events import DEEDS, LEAD_PATH
from zcrm_nb.emulator.storage.store import FIRST_NEW_ID
from zcrm_nb.emulator.world import staff
from zcrm_nb.emulator.world.distributions import CLOSED, OPEN

PEOPLE = {" ".join(each[:2]) for each in staff.PEOPLE if each[7] == "active"}
STAGES = [*OPEN, *CLOSED]


def rows(org, sql):
    """Read from the store."""
    return org.store.read(sql)


def one_by_one(life, n):
    """Let things happen, and look at each before the next."""
    return (life.step()[0] for _ in range(n))


@pytest.fixture
def life(emulator):
    """Make a life that only steps."""
    return emulator.live(seed=3)


def test_the_same_seed_gives_the_same_life(make):
    """To the last cell, however the steps are cut; another seed gives another."""
    lives, orgs = [], []
    for seed, cuts in ((5, (200,)), (5, (1, 99, 100)), (6, (200,))):
        ask = make()
        life = ask.emulator.live(seed=seed)
        lives.append([each for n in cuts for each in life.step(n)])
        names = ("Leads", "Deals", "Tasks", "Calls")
        orgs.append([rows(ask.emulator, f'SELECT * FROM "{name}" ORDER BY id') for name in names])
    assert lives[0] == lives[1] != lives[2]
    assert orgs[0] == orgs[1] != orgs[2]


def test_everything_happens_and_each_thing_is_one_write(life, emulator):
    """By somebody who works here and may write, to a record that is there, or was."""
    heard = []
    emulator.store.listener = heard.append
    happened = life.step(800)
    assert len(Counter(each.what for each in happened)) == len(DEEDS) + 1
    assert {each.who for each in happened} <= PEOPLE - {"Grace Wanjiru"}
    assert [(each.module, int(each.id)) for each in happened] == [
        (change.module, change.id) for (change,) in heard
    ]
    assert all(change.operation != "update" or change.fields for (change,) in heard)


def test_stamps_are_those_of_whoever_did_it(life, emulator):
    """At the org's time, as any write."""
    emulator.clock.advance(60)
    names = dict(rows(emulator, "SELECT full_name, id FROM Users"))
    for each in one_by_one(life, 50):
        sql = f'SELECT "Modified_By", "Modified_Time" FROM "{each.module}" WHERE id = {each.id}'
        if each.what != "deleted a duplicate":
            assert rows(emulator, sql) == [(names[each.who], emulator.clock.now())]


def test_deals_walk_through_the_stages_and_end(life, emulator):
    """One stage forward at a time, or to an end; a closed deal stays closed."""
    stages = dict(rows(emulator, "SELECT id, Stage FROM Deals"))
    pipelines = dict(rows(emulator, "SELECT id, Pipeline FROM Deals"))
    ended = 0
    for each in one_by_one(life, 600):
        if each.module != "Deals":
            continue
        ((stage, chance, closes, why),) = rows(
            emulator,
            "SELECT Stage, Probability, Closing_Date, Reason_For_Loss__s"
            f" FROM Deals WHERE id = {each.id}",
        )
        before = stages.get(int(each.id))
        assert chance == (OPEN | CLOSED)[stage][0]
        if before is None:
            assert stage == "Qualification"
        elif stage in OPEN:
            allowed = PIPELINES.get(pipelines.get(int(each.id)), STAGES)
            steps = [step for step in STAGES if step in allowed]
            assert steps.index(stage) == steps.index(before) + 1
        else:
            assert before in OPEN
            assert closes == "2026-09-15"
            assert bool(why) == (stage != "Closed Won")
            ended += 1
        stages[int(each.id)] = stage
    assert ended > 10


def test_leads_follow_their_path(life, emulator):
    """Nobody who is lost is called again."""
    status = dict(rows(emulator, "SELECT id, Lead_Status FROM Leads"))
    moves = 0
    for each in one_by_one(life, 600):
        if each.what == "worked on a lead":
            now = rows(emulator, f"SELECT Lead_Status FROM Leads WHERE id = {each.id}")[0][0]
            before = status.get(int(each.id), "Not Contacted")
            assert now in LEAD_PATH[before] or int(each.id) not in status
            status[int(each.id)] = now
            moves += 1
    assert moves > 50


def test_typos_are_corrected_to_what_was_meant(life, emulator):
    """A letter or two had changed places, and nothing else."""
    corrected = 0
    for _ in range(1500):
        wanted = {(lead, field): value for lead, field, value in life._people.typos}
        before = {
            key: rows(emulator, f'SELECT "{key[1]}" FROM Leads WHERE id = {key[0]}')
            for key in wanted
        }
        (done,) = life.step()
        if done.what == "corrected a typo":
            ((lead, field),) = wanted.keys() - {each[:2] for each in life._people.typos}
            ((value,),) = rows(emulator, f'SELECT "{field}" FROM Leads WHERE id = {lead}')
            assert value == wanted[lead, field] != before[lead, field][0][0]
            assert sorted(value) == sorted(before[lead, field][0][0])
            corrected += 1
    assert corrected > 20


def test_duplicates_are_entered_and_deleted(life, emulator):
    """The one who was there first stays."""
    happened = life.step(2000)
    gone = [each.id for each in happened if each.what == "deleted a duplicate"]
    again = [each.id for each in happened if each.what == "entered a lead again"]
    assert gone
    assert set(gone) <= set(again)
    deleted = {str(each[0]) for each in rows(emulator, "SELECT id FROM deleted")}
    assert deleted == set(gone)


def test_newcomers_are_believable(life, emulator):
    """They have names, firms and places like those of the world, and no value past a picklist."""
    life.step(600)
    columns = "Last_Name, Company, Country, Lead_Source, Email"
    new = rows(emulator, f"SELECT {columns} FROM Leads WHERE id >= {FIRST_NEW_ID}")
    assert len(new) > 100
    known = {each.value for each in emulator.schema.modules["Leads"].by_name["Lead_Source"].choices}
    assert {each[3] for each in new} - {None} <= known
    assert len({each[0] for each in new}) > 50
    assert all(each[1] and len(each[1]) > 3 for each in new)
    assert all(each[4] is None or re.fullmatch(r"\S+@\S+", each[4]) for each in new)


def test_a_second_life_in_the_same_org_collides_with_nothing(emulator):
    """What is unique stays unique, with the same seed and another."""
    for seed in (1, 1, 2):
        emulator.live(seed=seed).step(150)
    numbers = [
        each[0] for each in rows(emulator, "SELECT GSTIN FROM Leads WHERE GSTIN IS NOT NULL")
    ]
    assert len(numbers) == len(set(numbers))


def test_an_empty_org_comes_to_life(make):
    """Leads come, and there is something to do."""
    nothing = dict.fromkeys(
        ("Campaigns", "Vendors", "Products", "Accounts", "Contacts", "Deals", "Leads", "Tasks",
         "Events", "Calls", "Notes", "Quotes", "Invoices", "Site_Visits"), 0
    )  # fmt: skip
    ask = make(rows=nothing)
    done = {each.what for each in ask.emulator.live().step(100)}
    assert {"created a lead", "worked on a lead", "logged a call"} <= done


def test_people_work_around_what_others_have_deleted(life, emulator, ask):
    """Records that went through the API are off their desks."""
    life.step(5)
    for module in ("Deals", "Tasks", "Accounts"):
        ask("DELETE", f"/{module}", {"ids": ",".join(ask.ids(module)[:100])})
    assert len(life.step(200)) == 200


def test_life_is_notified_of(ask, emulator):
    """As of any other write."""
    taken = []
    emulator.channels.post = lambda url, body: taken.append(json.loads(body)) or 200
    channel = {"channel_id": 1, "events": ["Leads.all", "Deals.all", "Tasks.all", "Calls.all"],
               "notify_url": "https://app.test", "notify_on_related_action": False}  # fmt: skip
    ask("POST", "/actions/watch", None, {"watch": [channel]})
    happened = emulator.live(seed=8).step(100)
    emulator.channels.drain()
    assert [(each["module"], each["ids"]) for each in taken] == [
        (each.module, [each.id]) for each in happened
    ]


def test_it_goes_on_in_the_background_until_it_is_stopped(emulator):
    """At its pace; twice started is once started, twice stopped is stopped."""
    enough, heard = threading.Event(), []

    def listen(changes):
        heard.extend(changes)
        if len(heard) >= 20:
            enough.set()

    emulator.store.listener = listen
    life = emulator.live(events_per_minute=600_000)
    with life:
        life.start()
        assert enough.wait(20)
    count = len(heard)
    life.stop()
    assert "zoho-life" not in {each.name for each in threading.enumerate()}
    life.step()
    assert len(heard) == count + 1


def test_closing_the_emulator_ends_it(make):
    """No thread writes into a closed file."""
    emulator = make().emulator
    life = emulator.live(events_per_minute=600_000)
    life.start()
    emulator.close()
    assert "zoho-life" not in {each.name for each in threading.enumerate()}


def test_trouble_is_logged_and_life_goes_on(emulator, caplog):
    """One bad deed does not end it."""
    failed, went_on = threading.Event(), threading.Event()

    def listen(changes):
        if failed.is_set():
            went_on.set()
        else:
            failed.set()
            raise RuntimeError("a listener that fails")

    emulator.store.listener = listen
    with emulator.live(events_per_minute=600_000):
        assert went_on.wait(20)
    assert "Something went wrong in the life of the org" in caplog.text


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf")])
def test_a_pace_is_positive(emulator, pace):
    """ProgressCallback before anything starts."""
    with pytest.raises(ValueError, match="positive"):
        emulator.live(pace)


def test_time_is_the_orgs(make):
    """Under a manual clock everything happens at once; moved on, later."""
    clock = ManualClock()
    ask = make(clock=clock)
    life = ask.emulator.live(seed=1)
    life.step(20)
    clock.advance(3600)
    life.step(20)
    made = f"SELECT DISTINCT Created_Time FROM Leads WHERE id >= {FIRST_NEW_ID} ORDER BY 1"
    assert rows(ask.emulator, made) == [(clock.now() - 3600,), (clock.now(),)]
