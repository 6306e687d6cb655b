"""Channels and feeds as a person has them: crm.watch, crm.live."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import tracemalloc
import warnings
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.conftest import LOGIN, TINY
from tests.worlds import Org
from zcrm_nb.connect import attach, connect
from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.errors import (
    ConnectionFailed,
    LoginError,
    NotFoundError,
    QueryError,
    RateLimitError,
    ScopeError,
    ServerError,
    ZohoError,
)
from zcrm_nb.state.folder_lease import FolderLease
from zcrm_nb.wire import webhook_receiver

HOOK = "https://app.example.com/hook?key=hidden"
FIELDS = ["Deal_Name", "Stage", "Amount"]
WHO = 1
THE_FEEDS = [
    tracemalloc.Filter(True, f"*/zcrm_nb/{each}")
    for each in (
        "notebook/*",
        "frames/*",
        "api/listening/changes.py",
        "wire/receiver.py",
        "wire/journal.py",
    )
]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def org(clock):
    with Org(rows=TINY, clock=clock) as emulator:
        yield emulator


@pytest.fixture
def crm(org, tmp_path):
    crm = attach(org, folder=tmp_path / "notes")
    crm._gate.sleep = lambda seconds: None
    yield crm
    crm.close()


@pytest.fixture
def feed(crm):
    return crm.live("Deals", fields=FIELDS, background=False)


def deal_ids(org):
    return [row[0] for row in org.store.read("SELECT id FROM Deals ORDER BY id")]


def move(org, at=0, stage="Closed Won"):
    org.store.update("Deals", [{"id": deal_ids(org)[at], "Stage": stage}], user=WHO)
    org.channels.drain()


def add(org, name="New"):
    org.store.insert("Deals", [{"Deal_Name": name, "Stage": "Qualification"}], user=WHO)
    org.channels.drain()


def delete(org, at=0):
    recycle_bin.move_to_bin(org.store, "Deals", [deal_ids(org)[at]], user=WHO)
    org.channels.drain()


def said(feed, about):
    notes = feed.notes
    return notes.loc[notes["about"] == about, "note"].tolist()


# ---- Channels ------------------------------------------------------------------------------------


def test_a_channel_is_reported_module_by_module(crm, clock):
    """With the end that Zoho's answer has, and no key."""
    told = crm.watch(["Deals", "Leads"], notify_url=HOOK, token="t", expires=timedelta(days=2))
    assert told["module"].tolist() == ["Deals", "Leads"]
    assert told["events"][0] == ["Deals.create", "Deals.edit", "Deals.delete"]
    assert told["status"].tolist() == ["done", "done"]
    assert told["expires"][0] == datetime.fromtimestamp(clock.now() + 2 * 86400, UTC)
    assert told["notify_url"][0] == "https://app.example.com/hook?key=****"
    assert told["channel_id"].nunique() == 1


def test_the_list_of_channels_shows_no_token(crm):
    """Zoho tells it in clear."""
    crm.watch("Deals", notify_url=HOOK, token="hush-hush", fields=["Stage", "Amount"])
    listed = crm.watches()
    assert "hush-hush" not in listed.to_string() + str(listed.attrs)
    assert "hidden" not in listed.to_string()
    assert listed["condition"][0] == {"or": ["Stage", "Amount"]}
    assert str(listed["expires"].dtype) == "datetime64[s, UTC]"


def test_no_channels_are_an_empty_table_of_the_same_types(crm):
    """Zoho answers 204 then."""
    none = crm.watches()
    crm.watch("Deals", notify_url=HOOK)
    assert none.dtypes.to_dict() == crm.watches().dtypes.to_dict()
    assert len(none) == 0


def test_an_hour_unless_more_is_asked(crm, clock):
    """That is what Zoho gives."""
    told = crm.watch("Deals", notify_url=HOOK)
    assert told["expires"][0] == datetime.fromtimestamp(clock.now() + 3600, UTC)


def test_more_than_a_week_is_refused_before_anything_is_sent(crm):
    """Zoho would take an hour for it, in silence."""
    with crm.trace() as calls, pytest.raises(ValueError, match="a week at most"):
        crm.watch("Deals", notify_url=HOOK, expires=timedelta(days=8))
    assert calls == []


def test_another_clock_than_zohos_changes_nothing(org):
    """Zoho tells its time with each answer: a machine two months off gets the two days it asked."""
    with org.serve() as server:
        crm = connect(**{name: server.credentials[name] for name in LOGIN})
        with crm.trace() as calls, warnings.catch_warnings():
            warnings.simplefilter("error")
            crm.modules()
            told = crm.watch("Deals", notify_url=HOOK, expires=timedelta(days=2))
        away = told["expires"][0] - datetime.fromtimestamp(org.clock.now() + 2 * 86400, UTC)
        assert abs(away) < timedelta(minutes=1)
        assert [call.method for call in calls if "watch" in call.path] == ["POST"]
        crm.close()


def test_a_clock_that_nobody_corrects_costs_a_call_and_nothing_else(crm, org, clock):
    """The hour that Zoho falls back to tells what time it is there."""
    crm._now = lambda: org.clock.now() + 60 * 86400.0
    told = crm.watch("Deals", notify_url=HOOK, expires=timedelta(days=2))
    assert told["expires"][0] == datetime.fromtimestamp(clock.now() + 2 * 86400, UTC)
    assert told["note"].isna().all()


def test_a_channel_that_ends_too_soon_is_warned_of(crm, org):
    """By whatever clock: a moment that is more than a week away there."""
    crm._now = lambda: org.clock.now() + 30 * 86400.0  # Zoho's clock is a month behind
    crm._gate.send, send = (lambda *a, **k: send(*a, **_without_expiry(k))), crm._gate.send
    with pytest.warns(UserWarning, match="ends sooner than requested"):
        told = crm.watch("Deals", notify_url=HOOK, expires=timedelta(days=2))
    assert "but it ends at" in told["note"][0]


def _without_expiry(call):
    """A Zoho that gives an hour, whatever is asked."""
    for each in (call.get("json") or {}).get("watch", []):
        each.pop("channel_expiry", None)
    return call


def test_closing_and_keeping_quiet(crm):
    """A table of channels, an id, or only some of their events."""
    told = crm.watch(["Deals", "Leads"], notify_url=HOOK)
    quiet = crm.unwatch(told, on="edit")
    assert quiet["status"].tolist() == ["done"]
    assert crm.watches()["events"].tolist() == [
        ["Deals.create", "Deals.delete"],
        ["Leads.create", "Leads.delete"],
    ]
    assert crm.unwatch(told["channel_id"][0])["status"].tolist() == ["done"]
    again = crm.unwatch([told["channel_id"][0]])
    assert again["status"].tolist() == ["refused"]
    assert again["note"][0].startswith("NOT_SUBSCRIBED")
    assert len(crm.watches()) == 0


def test_of_several_channels_each_has_its_outcome(crm):
    """Also where some have ended already."""
    one = crm.watch("Deals", notify_url=HOOK)["channel_id"][0]
    two = crm.watch("Leads", notify_url=HOOK)["channel_id"][0]
    crm.unwatch(one)
    told = crm.unwatch([one, two]).set_index("channel_id")["status"]
    assert (told[one], told[two]) == ("refused", "done")


def test_a_channel_lives_on_when_it_is_renewed(crm, clock):
    """One of this object, and one that another kernel opened."""
    told = crm.watch("Deals", notify_url=HOOK, token="t")
    clock.advance(1800)
    assert crm.renew(told)["expires"][0] == datetime.fromtimestamp(clock.now() + 3600, UTC)
    crm._watched.clear()
    longer = crm.renew(told["channel_id"][0], expires=timedelta(days=3))
    assert longer["expires"][0] == datetime.fromtimestamp(clock.now() + 3 * 86400, UTC)
    assert longer["module"].tolist() == ["Deals"]


def test_a_channel_that_has_ended_is_opened_again(crm, clock):
    """With the same token; that there is a gap is said."""
    told = crm.watch("Deals", notify_url=HOOK, token="t")
    clock.advance(7200)
    again = crm.renew(told)
    assert (again["status"][0], len(crm.watches())) == ("done", 1)
    assert "not notified" in again["note"][0]
    assert again["channel_id"][0] == told["channel_id"][0]
    clock.advance(7200)
    crm._watched.clear()
    with pytest.raises(NotFoundError):
        crm.renew(told)


def test_renewing_brings_back_nothing_that_was_given_up(crm):
    """Neither an event that is no longer wanted nor a channel that was closed."""
    told = crm.watch(["Deals", "users"], notify_url=HOOK)
    crm.unwatch(told, on="edit")
    crm.renew(told)
    assert crm.watches()["events"].tolist() == [
        ["Deals.create", "Deals.delete"],
        ["users.create", "users.delete"],
    ]
    crm.unwatch(told)
    with pytest.raises(NotFoundError, match="was not found"):
        crm.renew(told)
    assert len(crm.watches()) == 0


def test_a_channel_that_is_open_gets_new_details(crm):
    """By its id, with PUT: what opening it twice does, Zoho tells nowhere; the note says it."""
    crm.watch("Deals", notify_url=HOOK, channel_id=1501, fields=["Stage"], token="t")
    with crm.trace() as calls:
        told = crm.watch("Leads", notify_url="https://app.example.com/other", channel_id=1501)
    assert [call.method for call in calls if "watch" in call.path] == ["PUT"]
    assert told["note"].tolist() == ["It was open; these details took the place of those it had."]
    listed = crm.watches().iloc[0]
    assert (listed["channel_id"], listed["module"]) == ("1501", "Leads")
    assert (listed["notify_url"], listed["condition"]) == ("https://app.example.com/other", None)


def test_users_are_watched_as_zohos_page_shows_it(crm):
    """They are no module, and have one event."""
    told = crm.watch("users", notify_url=HOOK)
    assert (told["status"][0], told["events"][0]) == ("done", ["users.all"])


def test_without_an_address_it_says_what_to_do(crm):
    """Nobody but the person knows where Zoho is to post."""
    with pytest.raises(ValueError, match=r"crm\.live"):
        crm.watch("Deals")


@pytest.mark.parametrize("nothing", [[], pd.DataFrame({"id": ["1"]}), "one"])
def test_what_names_no_channel_is_refused(crm, nothing):
    """Before anything is sent."""
    with crm.trace() as calls, pytest.raises((ValueError, KeyError)):
        crm.unwatch(nothing)
    assert calls == []


# ---- A feed that is notified ---------------------------------------------------------------------


def test_a_feed_grows_with_what_happens(feed, org):
    """A row for each change, typed like everything."""
    move(org)
    add(org)
    delete(org, 1)
    new = feed.update()
    assert new["operation"].tolist() == ["update", "insert", "delete"]
    assert new["changed"].tolist() == [["Stage"], [], []]
    assert new["source"].tolist() == ["notified"] * 3
    assert new["Stage"].tolist()[:2] == ["Closed Won", "Qualification"]
    assert feed.df.equals(new)
    assert feed.update().empty
    assert feed.mode == "push"


def test_its_columns_are_those_of_a_query(feed, crm, org):
    """Same names, same dtypes."""
    move(org)
    feed.update()
    asked = crm.coql("select Deal_Name, Stage, Amount from Deals where id is not null limit 1")
    state = feed.state
    assert state.dtypes.to_dict() == asked.dtypes.to_dict()
    assert feed.df[[*asked.columns]].dtypes.to_dict() == asked.dtypes.to_dict()
    assert feed.df.attrs["zcrm"]["route"] == "live"


def test_the_table_one_has_does_not_change_under_ones_hands(feed, org):
    """Each look at df is a table of its own."""
    move(org)
    feed.update()
    mine = feed.df
    mine["Stage"] = "mine"
    move(org, 1)
    feed.update()
    assert len(mine) == 1
    assert feed.df["Stage"].tolist() == ["Closed Won"] * 2


def test_lost_and_doubled_notifications_leave_no_trace(crm, org):
    """What was lost is found, what came twice counts once."""
    feed = crm.live("Deals", fields=FIELDS, background=False, whole=True)
    org.faults.add("lost_callback", times=1)
    org.faults.add("doubled_callback", times=2, after=1)
    move(org, 0)
    move(org, 1)
    move(org, 2)
    new = feed.update()
    assert sorted(new["source"]) == ["found", "notified", "notified"]
    assert said(feed, "gap") == ["Found by polling, not notified: 1 change."]
    now = crm.coql("select Deal_Name, Stage, Amount from Deals where id is not null")
    order = {"by": "id", "ignore_index": True}
    assert feed.state.sort_values(**order).equals(now.sort_values(**order))


def test_a_thread_keeps_it_up_to_date(crm, org):
    """Nothing need be called; callbacks are told of the new rows alone."""
    came = queue.Queue()
    with crm.live("Deals", fields=FIELDS) as feed:
        feed.on(came.put)
        move(org)
        assert came.get(timeout=20)["Stage"].tolist() == ["Closed Won"]
        add(org)
        assert came.get(timeout=20)["operation"].tolist() == ["insert"]
        assert len(feed.df) == 2
        name = f"zcrm_nb feed of {feed.module}"
        assert name in [thread.name for thread in threading.enumerate()]
    assert name not in [thread.name for thread in threading.enumerate()]


def test_a_callback_that_fails_is_noted_and_the_feed_goes_on(feed, org):
    """And the other callbacks are told all the same."""
    told = []

    @feed.on
    def broken(rows):
        raise ZeroDivisionError("half of nothing")

    feed.on(lambda rows: told.append(len(rows)))
    move(org)
    feed.update()
    assert told == [1]
    assert said(feed, "callback") == ["broken failed: ZeroDivisionError: half of nothing"]
    assert "broken failed" in repr(feed)
    feed._callbacks._callbacks.pop(0)
    move(org, 1)
    feed.update()
    assert told == [1, 1]


def test_a_callback_that_wants_to_leave_takes_nobody_along(crm, org):
    """sys.exit() ends a thread without a word: the feed would stand still and say nothing."""
    came = queue.Queue()
    with crm.live("Deals", fields=FIELDS) as feed:
        feed.on(lambda rows: sys.exit("bye"))
        feed.on(came.put)
        for at in range(2):
            move(org, at)
            assert len(came.get(timeout=20)) == 1
        assert "SystemExit: bye" in feed.problem


def test_a_callback_that_nobody_could_call_is_refused(feed):
    """An async function would return at once and never run."""

    async def later(rows): ...

    for wrong in (later, "print"):
        with pytest.raises(TypeError, match="plain function"):
            feed.on(wrong)


def test_a_function_that_a_cell_defines_again_is_called_once(feed, org):
    """Whoever mends a callback and runs its cell again has one of it, the mended one."""
    told = []
    for version in (1, 2):
        cell = {"__name__": "__main__", "feed": feed, "told": told, "version": version}
        exec("@feed.on\ndef greet(rows, now=version):\n    told.append(now)", cell)
        feed.on(lambda rows: told.append("each"))
    move(org)
    feed.update()
    assert sorted(map(str, told)) == ["2", "each", "each"]


def test_two_feeds_stand_side_by_side(crm, org):
    """Each with its own channel, columns and rows; one feed of two modules has none in common."""
    deals = crm.live("Deals", fields=FIELDS, background=False)
    leads = crm.live("Leads", fields=["Last_Name"], background=False)
    move(org)
    org.store.insert("Leads", [{"Last_Name": "Rao"}], user=WHO)
    org.channels.drain()
    assert [len(each.update()) for each in (deals, leads)] == [1, 1]
    assert (deals.df["operation"][0], leads.df["Last_Name"][0]) == ("update", "Rao")
    assert sorted(crm.watches()["module"]) == ["Deals", "Leads"]
    with pytest.raises(TypeError, match="name of one module is needed, not a list"):
        crm.live(["Deals", "Leads"])
    with pytest.raises(ValueError, match="Make several"):
        crm.live(module=["Deals", "Leads"])


def test_a_crowd_of_changes_costs_one_look_and_not_one_each_time(crm, org):
    """What has just changed, every look brings again; looking once more does not help."""
    feed = crm.live("Deals", fields=FIELDS, keep=4, background=False)
    for at in range(6):
        move(org, at)
    feed._step()
    spent = feed.credits
    for at in range(3):
        move(org, at, "Closed Lost")
        feed._step()
    assert feed.credits == spent + 3  # for the records, and none for looking


def test_only_what_is_wanted_becomes_a_row(crm, org):
    """The records known are kept current all the same."""
    feed = crm.live("Deals", fields=FIELDS, on="delete", background=False)
    move(org)
    delete(org, 1)
    assert feed.update()["operation"].tolist() == ["delete"]
    assert feed.state["Stage"].tolist() == ["Closed Won"]


def test_it_holds_so_many_events_and_says_so(crm, org):
    """The newest; all are counted."""
    feed = crm.live("Deals", fields=FIELDS, keep=3, background=False)
    for at in range(5):
        move(org, at)
        feed.update()
    assert len(feed.df) == len(feed.state) == 3
    assert feed.df["id"].tolist() == [str(each) for each in deal_ids(org)[2:5]]
    assert "5 changes" in repr(feed)
    assert "df has the last 3" in repr(feed)


def test_its_memory_has_an_end(crm, org, clock, monkeypatch):
    """What was held after a while is what is held ever after, however long it goes on."""
    monkeypatch.setattr(webhook_receiver, "REMEMBERED", 20)  # events, to know doubled ones by
    feed = crm.live("Deals", fields=FIELDS, keep=20, background=False)
    deals = deal_ids(org)

    def held_after(rounds):
        for number in range(rounds):
            for each in deals:
                stage = ("Closed Won", "Closed Lost")[number % 2]
                org.store.update("Deals", [{"id": each, "Stage": stage}], user=WHO)
            org.channels.drain()
            clock.advance(100)
            feed.update()
        taken = tracemalloc.take_snapshot().filter_traces(THE_FEEDS)
        return sum(each.size for each in taken.traces)

    tracemalloc.start()
    try:
        full, later = held_after(6), held_after(14)
    finally:
        tracemalloc.stop()
    assert (len(feed.df), feed.counts["rows"]) == (20, 20 * len(deals))
    assert later < 1.5 * full  # the rows alone would be twice as much


def test_a_real_port_is_used_where_the_org_is_another_program(org, tmp_path, monkeypatch):
    """The whole way: a server, a channel, a callback over HTTP, a receiver, a journal."""
    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path))
    with (
        org.serve() as server,
        connect(**{name: server.credentials[name] for name in LOGIN}) as crm,
        crm.live("Deals", fields=FIELDS, background=False) as feed,
    ):
        assert feed.mode == "push"
        move(org)
        assert {each.outcome for each in org.channels.deliveries} == {"delivered"}
        assert feed.update()["source"].tolist() == ["notified"]


def test_when_no_notification_ever_comes_it_asks_why(crm, org):
    """A public address that leads elsewhere is the likeliest reason."""
    feed = crm.live(
        "Deals", fields=FIELDS, background=False, public_url="http://127.0.0.1:9/elsewhere"
    )
    move(org)
    assert feed.update()["source"].tolist() == ["found"]
    assert "Check that the address given to Zoho leads here." in feed.problem
    assert "Problem: Found by polling: 1 change; no notification" in repr(feed)


def test_strangers_at_the_door_are_told_of(org, tmp_path, monkeypatch):
    """Whoever knocks without the token, or with garbage, is counted in the notes."""
    import requests

    monkeypatch.setenv("ZCRM_CONFIG_DIR", str(tmp_path))
    with (
        org.serve() as server,
        connect(**{name: server.credentials[name] for name in LOGIN}) as crm,
        crm.live("Deals", fields=FIELDS, background=False) as feed,
    ):
        url = feed._push.subscription.wanted.notify_url.reveal()
        assert requests.post(url, "<html>", timeout=10).status_code == 400
        assert requests.post(f"{url}x", "", timeout=10).status_code == 404
        feed.update()
        assert said(feed, "receiver") == ["Rejected so far: 1 malformed, 1 wrong address."]


def test_a_full_disk_is_told_of_and_made_up_for(feed, org):
    """What were not kept is found by looking."""
    feed._journal._most_bytes = 0
    move(org)
    assert [row["source"] for row in feed._step()] == ["found"]
    assert "were not kept" in said(feed, "gap")[0]


class Odd:
    """Lets what the emulator posts arrive in another dress."""

    def __init__(self, crm, **changes):
        post = crm.emulator.channels.post
        self.changes = changes
        crm.emulator.channels.post = lambda url, body: post(url, self.dressed(body))

    def dressed(self, body):
        return json.dumps({**json.loads(body), **self.changes}).encode()


@pytest.mark.parametrize(
    "odd",
    [
        {"ids": None},
        {"ids": [{"id": "7"}]},
        {"operation": "restored"},
        {"module": None},
        {"server_time": "just now"},
        {"ids": [], "affected_fields": "all"},
    ],
)
def test_a_notification_with_an_odd_part_is_noted_and_its_change_found(crm, feed, org, odd):
    """At once, not with the next poll in a quarter of an hour; nothing is raised."""
    Odd(crm, **odd)
    move(org)
    rows = feed._step()
    assert [(row["source"], row["Stage"]) for row in rows] == [("found", "Closed Won")]
    assert "could not be read" in said(feed, "gap")[0]
    assert feed._inbox.counts["not understood"] == 1
    assert feed._step() == []


class Directory:
    """The list of users, which fails as long as a test wants it to."""

    def __init__(self, crm, error):
        self.error, self.real = error, crm._catalogue.directory
        crm._catalogue.directory = self

    def __call__(self):
        if self.error is not None:
            raise self.error
        return self.real()


@pytest.mark.parametrize(
    "error",
    [
        ServerError("GET /crm/v8/users failed with HTTP 500."),
        RateLimitError("GET /crm/v8/users failed with HTTP 429."),
        ConnectionFailed("GET /crm/v8/users got no usable answer."),
    ],
)
def test_a_feed_goes_on_while_the_directory_fails(crm, org, error):
    """Rows, callbacks and tables come as ever; that names may be short is a problem it names."""
    feed = crm.live("Deals", fields=["Stage", "Owner"], background=False)
    seen = []
    feed.on(lambda df: seen.append(df["Owner"].tolist()))
    directory = Directory(crm, error)
    move(org)
    assert len(feed.update()) == len(feed.df) == len(seen) == 1
    assert len(feed.state) >= 1
    assert error.happened in feed.problem
    directory.error = None
    move(org, at=1)
    assert len(feed.update()) == 1
    assert feed.problem == ""
    assert feed.df["Owner"].tolist()[1] in set(crm.users()["full_name"])


@pytest.mark.parametrize(
    "odd",
    [
        {"Modified_Time": None},
        {"Modified_Time": "yesterday"},
        {"Created_Time": 5},
        {"id": None},
    ],
)
def test_a_record_without_its_times_stops_no_feed(crm, feed, org, odd):
    """It comes as it is, or not at all; the other changes come with it, and the feed runs on."""
    send = feed._changes._send

    def dressed(method, path, **call):
        body = send(method, path, **call)
        if not path.endswith("/coql") or not body:
            return body
        answer = json.loads(body)
        answer["data"][0].update(odd)
        return json.dumps(answer).encode()

    feed._changes._send = dressed
    move(org, at=0)
    move(org, at=1, stage="Closed Lost")
    rows = feed.update()
    assert {"Closed Lost", "Closed Won"} & set(rows["Stage"])
    assert feed.problem == ""
    feed._changes._send = send
    add(org)
    assert "insert" in set(feed.update()["operation"])


# ---- The channel of a feed -----------------------------------------------------------------------


def test_a_channel_is_renewed_all_night(feed, org, clock):
    """Before it ends; nothing is missed, and no look was needed to find it."""
    for _ in range(20):
        clock.advance(1500)
        feed._step()
        move(org, stage="Closed Lost")
        move(org, stage="Closed Won")
        assert feed._step()
    assert set(feed.df["source"]) == {"notified"}
    assert len(feed.df) == 40
    assert sum("Renewed" in each for each in said(feed, "channel")) >= 9
    assert feed.problem == ""


def test_a_machine_that_slept_fills_the_gap(feed, org, clock):
    """The channel ended meanwhile: it is opened again, and what happened is found."""
    clock.advance(5 * 3600)
    move(org)
    clock.advance(3 * 3600)
    assert feed.mode == "poll"
    assert [row["source"] for row in feed._step()] == ["found"]
    assert feed.mode == "push"
    assert any("opened again" in each for each in said(feed, "channel"))
    move(org, 1)
    assert [row["source"] for row in feed._step()] == ["notified"]


def test_a_channel_that_cannot_be_renewed_is_told_of_and_made_up_for(feed, org, clock):
    """In words, until when it lives; then the feed looks each minute, and tries on."""
    org.faults.add("503", path="/actions/watch", times=10_000)
    clock.advance(2800)
    feed._step()
    assert "could not be renewed and ends at 04:30 UTC" in feed.problem
    assert "Problem: The channel could not be renewed" in repr(feed)
    clock.advance(900)
    feed._step()
    assert "and ended at 04:30 UTC" in feed.problem
    assert (feed.mode, feed.headline()) == ("poll", "polls every 60 s")
    move(org)
    clock.advance(61)
    assert [row["source"] for row in feed._step()] == ["found"]
    org.faults.clear()
    clock.advance(61)
    feed._step()
    assert (feed.mode, feed.problem) == ("push", "")


def test_a_login_that_ends_is_told_of(feed, org, clock):
    """Nobody thinks that nothing happens in the org."""
    move(org)
    org.accounts.revoke(org.credentials["refresh_token"])
    org.accounts.expire_access_tokens()
    with pytest.raises(LoginError):
        feed.update()
    assert feed.problem
    assert "Problem" in repr(feed)


def test_what_could_not_be_fetched_waits(feed, org, clock):
    """An org that is down for a while: what it notified of is not lost."""
    move(org)
    org.faults.add("503", times=10_000)
    with pytest.raises(ZohoError):
        feed.update()
    assert "503" in feed.problem
    assert feed._step() == []  # it waits a little before it tries again
    org.faults.clear()
    clock.advance(10)
    rows = feed._step()
    assert [(row["operation"], row["source"]) for row in rows] == [("update", "notified")]
    assert feed.problem == ""


# ---- Beginning and ending ------------------------------------------------------------------------


def test_stopping_closes_the_channel(feed, crm, org):
    """Once; what was gathered stays."""
    move(org)
    feed.update()
    assert len(crm.watches()) == 1
    feed.stop()
    feed.stop()
    assert len(crm.watches()) == 0
    assert len(feed.df) == 1
    assert "stopped" in repr(feed)
    with pytest.raises(RuntimeError, match="stopped"):
        feed.update()


def test_a_callback_may_stop_the_feed(crm, org):
    """In the feed's own thread."""
    stopped = threading.Event()
    feed = crm.live("Deals", fields=FIELDS)
    feed.on(lambda rows: (feed.stop(), stopped.set()))
    move(org)
    assert stopped.wait(20)
    assert not feed.is_running


def test_closing_the_crm_stops_its_feeds(crm):
    """A thread that nobody holds any more is a leak."""
    feed = crm.live("Deals", fields=FIELDS)
    crm.close()
    assert not feed.is_running


def test_the_end_of_the_kernel_closes_the_channel(org, tmp_path):
    """Without a goodbye: the interpreter does it."""
    code = (
        "import os, zcrm_nb\n"
        "crm = zcrm_nb.connect()\n"
        "feed = crm.live('Deals', fields=['Stage'])\n"
        "print(feed.mode)\n"
    )
    with org.serve() as server:
        env = {f"ZCRM_{name.upper()}": server.credentials[name] for name in LOGIN}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env={**env, "ZCRM_CONFIG_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.stdout, ran.stderr) == ("push\n", "")
        crm = attach(org)
        assert len(crm.watches()) == 0
        crm._gate.close()


def test_a_cell_that_runs_twice_leaves_one_feed(crm):
    """And one channel."""
    first = crm.live("Deals", fields=FIELDS)
    second = crm.live("Deals", fields=FIELDS)
    assert (first.is_running, second.is_running) == (False, True)
    assert len(crm.watches()) == 1
    other = crm.live("Deals", fields=FIELDS, name="board", background=False)
    assert second.is_running
    assert other.is_running


def test_another_kernel_has_its_own(crm, tmp_path):
    """One folder, two notebooks: neither reads the other's events."""
    theirs = FolderLease(tmp_path / "notes" / "live", "Deals")
    feed = crm.live("Deals", fields=FIELDS, background=False)
    assert feed._lease.folder.name == "Deals-2"
    assert "Another kernel" in said(feed, "feed")[1]
    theirs.close()


def test_a_feed_goes_on_where_the_last_one_left_off(crm, org, clock):
    """What happened between two kernels is found."""
    crm.live("Deals", fields=FIELDS, background=False).stop()
    clock.advance(4000)
    move(org)
    feed = crm.live("Deals", fields=FIELDS, background=False)
    assert feed.df["source"].tolist() == ["found"]
    assert "Continues where the last feed ended" in said(feed, "gap")[0]
    feed.stop()
    anew = crm.live("Deals", fields=FIELDS, background=False, resume=False)
    assert anew.df.empty


def test_what_waited_on_disk_is_taken_up(crm, org):
    """Notified, accepted, and never shown: the next kernel shows it."""
    feed = crm.live("Deals", fields=FIELDS, background=False)
    move(org)
    later = datetime.fromtimestamp(org.clock.now() + 3600, UTC)  # so that no poll would find it
    feed._changes.marks = type(feed._changes.marks)(later, later)
    feed.stop()
    again = crm.live("Deals", fields=FIELDS, background=False)
    assert again.df["source"].tolist() == ["notified"]
    again.stop()
    move(org)
    assert crm.live("Deals", fields=FIELDS, background=False, resume=False).df.empty


def test_a_gap_of_more_than_a_day_is_not_filled_unasked(crm, org, clock):
    """It may be large, and each 2,000 records cost; since= fills it."""
    crm.live("Deals", fields=FIELDS, background=False).stop()
    left = datetime.fromtimestamp(clock.now(), UTC)
    clock.advance(3 * 86400)
    move(org)
    feed = crm.live("Deals", fields=FIELDS, background=False)
    assert feed.df.empty
    assert "more than a day ago" in said(feed, "gap")[0]
    filled = crm.live("Deals", fields=FIELDS, background=False, since=left)
    assert len(filled.df) == 1


def test_the_channel_of_a_kernel_that_died_is_closed(crm, org):
    """It would go on posting to nobody for an hour."""
    feed = crm.live("Deals", fields=FIELDS, background=False)
    feed._push, feed._lease.note = None, lambda notes: None  # it dies: nothing is tidied up
    feed.stop()
    assert len(crm.watches()) == 1
    crm.live("Deals", fields=FIELDS, background=False)
    assert len(crm.watches()) == 1


def test_nothing_secret_reaches_the_disk_or_the_eye(feed, org, tmp_path):
    """The channel's token stands in memory only."""
    move(org)
    feed.update()
    token = feed._push.subscription.wanted.token.reveal()
    written = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    shown = repr(feed) + feed.notes.to_string() + str(feed._repr_mimebundle_())
    assert token.encode() not in written
    assert token not in shown


# ---- Polling -------------------------------------------------------------------------------------


def test_a_feed_that_polls_has_the_same_face(crm, org, clock):
    """No channel; it looks each minute, and says what that costs."""
    feed = crm.live("Deals", fields=FIELDS, mode="poll", background=False)
    assert len(crm.watches()) == 0
    assert (feed.mode, feed.credits_a_day) == ("poll", 4320)
    assert "about 4,320 a day" in repr(feed)
    move(org)
    assert feed._step() == []
    clock.advance(60)
    assert [row["source"] for row in feed._step()] == ["found"]
    assert feed.df["operation"].tolist() == ["update"]


def test_the_pace_of_looking_can_be_chosen(crm, clock):
    """And its price with it."""
    feed = crm.live("Deals", fields=FIELDS, mode="poll", every_s=600, background=False)
    assert (feed.credits_a_day, feed.headline()) == (432, "polls every 600 s")


def test_where_nobody_can_reach_the_kernel_it_polls_and_says_so(crm, monkeypatch):
    """A real org, and no public address."""
    monkeypatch.setattr(type(crm), "_is_reachable", lambda self, public_url: False)
    feed = crm.live("Deals", fields=FIELDS, background=False)
    assert feed.mode == "poll"
    assert "unless public_url= is given" in said(feed, "feed")[1]
    with pytest.raises(ValueError, match="public_url"):
        crm.live("Deals", fields=FIELDS, mode="push", background=False)


def test_without_the_scope_it_polls_and_says_so(org, tmp_path):
    """Unless notifications were asked for."""
    scopes = "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL,ZohoCRM.coql.READ,ZohoCRM.users.READ"
    code = org.grant_code(scopes)
    login = {name: org.credentials[name] for name in LOGIN}
    with org.serve() as server:
        login |= {name: server.credentials[name] for name in ("accounts_url", "api_domain")}
        login["upload_url"] = server.credentials["upload_url"]
        login["refresh_token"] = _exchanged(server, org, code)
        with connect(**login) as crm:
            feed = crm.live("Deals", fields=FIELDS, background=False)
            assert feed.mode == "poll"
            assert "OAUTH_SCOPE_MISMATCH" in said(feed, "channel")[0]
            with pytest.raises(ScopeError):
                crm.live("Deals", fields=FIELDS, background=False, mode="push")
            assert not list(_threads("zcrm_nb receiver"))


def _threads(name):
    return (each for each in threading.enumerate() if each.name == name)


def _exchanged(server, org, code):
    """Exchange a grant code for a refresh token, as any client does."""
    import requests

    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": org.credentials["client_id"],
        "client_secret": org.credentials["client_secret"],
    }
    return requests.post(f"{server.url}/oauth/v2/token", data=form, timeout=10).json()[
        "refresh_token"
    ]


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"mode": "guess"}, ValueError, "mode='guess'"),
        ({"every_s": 0.1}, ValueError, "must be 1 or more"),
        ({"since": datetime(2026, 9, 1)}, ValueError, "time zone"),  # noqa: DTZ001
        ({"name": "../x"}, ValueError, "name="),
        ({"on": "move"}, ValueError, "choose among"),
        ({"fields": ["Stagee"]}, QueryError, "Stage"),
        ({"public_url": "nowhere"}, ValueError, "public_url"),
        (
            {"port": 1, "host": "192.0.2.1", "mode": "push"},
            ZohoError,
            "Port 1 on 192.0.2.1 is not available",
        ),
    ],
)
def test_a_choice_that_is_none_is_refused(crm, asked, error, words):
    """And nothing is left open: the next feed takes the same folder."""
    with pytest.raises(error, match=words):
        crm.live("Deals", **{"background": False, **asked})
    with suppress(ValueError):
        assert crm.live("Deals", fields=FIELDS, background=False)._lease.is_first


def test_an_unknown_module_is_refused(crm):
    """With the nearest name."""
    with pytest.raises(NotFoundError, match="Deals"):
        crm.live("Dealz")


# ---- How it looks --------------------------------------------------------------------------------


def test_it_shows_itself_with_a_twin_that_stands_still(feed, org):
    """Words, and a page; what comes from the CRM is escaped."""
    add(org, "<script>alert(1)</script>")
    feed.update()
    data, _ = feed._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(feed)
    assert "<script>" not in data["text/html"]
    assert "&lt;script&gt;" in data["text/html"]
    assert "Deals, live" in data["text/html"]


def test_its_picture_says_when_what_came(feed, org, clock):
    """In words too."""
    move(org)
    clock.advance(30)
    delete(org)
    add(org)
    feed.update()
    ax = feed.plot()
    assert repr(ax).startswith("Changes in Deals")
    assert len(ax.patches) > 0
    empty = feed.plot(ax=ax, title="Again")
    assert empty is ax
