"""The job tray: what it says of each job, and what a click does; without a browser."""

from __future__ import annotations

import sys
import threading

import pandas as pd
import pytest

from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import LimitError, WriteInterrupted
from zcrm_nb.notebook.job_tray import tray as tray_module
from zcrm_nb.notebook.job_tray.page import LINES, STATES, page, text
from zcrm_nb.notebook.job_tray.tray import Tray

NOW = 1_800_000_000.0
CREATED, EXPIRES = "2027-01-15T06:00:00+00:00", "2027-01-16T06:00:00+00:00"


def line(**values):
    usual = {
        **{"id": "Leads-1", "module": "Leads", "operation": "read", "asked": "City"},
        **{"state": "downloaded", "rows": 1200, "parts": 1, "files": 1, "zoho_ids": ["57"]},
        **{"created": CREATED, "age_minutes": 120, "expires": EXPIRES},
        **{"at_work": False, "said": ""},
    }
    return {**usual, **values}


def tray_of(*lines, take_up=lambda job, tick, say: ""):
    return Tray(lambda: lines, take_up, lambda: NOW)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({}, ["downloaded", "crm.job('Leads-1').df()", "2 h ago", "22 h", "1,200"]),
        ({"at_work": True, "state": "waiting"}, ["at work", "in this or another notebook"]),
        (
            {"state": "waiting", "files": 1, "parts": 2},
            ["waiting", "1 file downloaded; more to come"],
        ),
        ({"state": "waiting", "files": 0}, ["waiting", "or more parts to request"]),
        ({"state": "ready", "files": 1, "parts": 3}, ["ready", "1 of 3 files downloaded"]),
        ({"state": "failed", "said": "OUT: of cheese"}, ["failed", "of cheese", "fresh=True"]),
        ({"state": "expired", "expires": CREATED}, ["expired", "Zoho has deleted", "fresh=True"]),
        ({"state": "damaged", "said": "cut off"}, ["damaged", "cut off"]),
        ({"state": "unclear"}, ["unclear", "unknown whether", "ask_again=True"]),
        ({"expires": None}, ["–" + "</td>"]),
        (
            {"operation": "write", "id": "2027-x", "said": "3 done"},
            ["3 done", "crm.report("],
        ),
        ({"operation": "write", "state": "waiting"}, [").resolve()"]),
    ],
)
def test_each_job_says_in_words_what_it_is_and_what_to_do(values, shown):
    """As a page that stands still: state, rows, age, what is left, and what to type."""
    told = page(tray_of(line(**values)).rows(), NOW).replace("&#x27;", "'")
    assert [each for each in shown if each not in told] == []
    assert "<button" not in told


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_a_mark_beside_its_colour(state):
    """Whoever sees no colours, and whoever hears the page, has the word."""
    told = page(
        tray_of(line(state=state) if state != "at work" else line(at_work=True)).rows(), NOW
    )
    assert 'aria-hidden="true"' in told
    assert f">{state}<" in told


def test_what_stands_in_notes_is_escaped():
    """Conditions hold whatever somebody typed."""
    told = page(
        tray_of(line(asked="City = <script>", state="failed", said="<b>no</b>")).rows(),
        NOW,
        live=True,
    )
    assert "<script>" not in told
    assert "<b>no" not in told


def test_many_jobs_are_cut_with_a_word():
    """The newest are shown."""
    some = tray_of(*(line(id=f"Leads-{number}") for number in range(LINES + 4))).rows()
    for told in (page(some, NOW), text(some, NOW)):
        assert "and 4 older; crm.jobs() has them all" in told
        assert f"Leads-{LINES}" not in told


def test_no_jobs_are_said_too():
    """Instead of an empty table."""
    assert "none were started in the last week" in repr(tray_of())
    assert "<table" not in page(tray_of().rows(), NOW)


def test_buttons_stand_where_a_click_costs_what_was_agreed():
    """Not where a job may be paid for twice, nor where somebody is at it."""
    rows = [line(state=state) for state in STATES if state != "at work"]
    can = {row["state"]: row["can"] for row in tray_of(*rows, line(at_work=True)).rows()}
    assert {state for state, act in can.items() if act} == {"waiting", "ready"}
    live = page(tray_of(line(state="ready")).rows(), NOW, live=True)
    assert 'aria-label="Continue Leads-1"' in live


def test_a_run_is_told_step_by_step_and_can_be_stopped():
    """Words and rows while it goes on; it ends at the next answer, and can be continued."""
    going, go_on = threading.Event(), threading.Event()

    def take_up(job, tick, say):
        say("part 2: in progress")
        tick(1500)
        going.set()
        go_on.wait(10)
        say("part 3: added")
        raise AssertionError

    tray = tray_of(line(state="waiting"), take_up=take_up)
    tray.take_up("Leads-1")
    assert going.wait(10)
    tray.take_up("Leads-1")  # a second click changes nothing
    (row,) = tray.rows()
    assert (row["state"], row["can"]) == ("at work", "stop")
    assert row["note"] == "part 2: in progress; 1,500 rows so far"
    tray.stop("Leads-1")
    assert tray.rows()[0]["note"] == "stopping"
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("zcrm-tray "):
            thread.join(10)
    (row,) = tray.rows()
    assert (row["note"], row["can"]) == ("stopped; it can be continued", "continue")


def test_what_goes_wrong_stands_in_the_tray():
    """Errors of ours with what to do, and whatever else there may be."""
    tray = tray_of(line(state="ready"), take_up=lambda job, tick, say: 1 / 0)
    tray.take_up("Leads-1", background=False)
    assert tray.rows()[0]["note"] == "That failed: ZeroDivisionError: division by zero"
    assert tray.rows()[0]["is_problem"]


# ---- The widget ----------------------------------------------------------------------------------


def test_the_widget_does_what_its_buttons_say_and_nothing_else():
    """A message that no button can have sent is left alone."""
    taken = []
    tray = tray_of(
        line(id="A", state="waiting"),
        line(id="B", state="unclear"),
        take_up=lambda job, tick, say: taken.append(job) or "",
    )
    view = tray._view()
    for content in (None, {}, {"act": "continue", "job": "B"}, {"act": "close", "job": "A"}):
        view._pressed(view, content, [])
    assert taken == []
    view._pressed(view, {"act": "continue", "job": "A"}, [])
    _join("zcrm-tray A")
    assert taken == ["A"]
    tray.close()
    _join("zcrm-tray")


def test_the_widget_keeps_up_until_the_tray_is_closed(monkeypatch):
    """By looking at what is noted, again and again; nothing is asked."""
    monkeypatch.setattr(tray_module, "GLANCE_S", 0.01)
    lines = [line(state="waiting")]
    tray = Tray(lambda: lines, lambda job, tick, say: "", lambda: NOW)
    view, painted = tray._view(), threading.Event()
    view.observe(lambda change: painted.set(), "page")
    lines[:] = [line(state="downloaded")]
    assert painted.wait(10)
    assert ">downloaded<" in view.page
    tray.close()
    _join("zcrm-tray")


def _join(name: str) -> None:
    """Wait for threads of a name."""
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)
            assert not thread.is_alive()


def test_a_view_that_cannot_paint_is_let_go():
    """The others live on."""

    class Gone:
        def refresh(self):
            raise OSError

    tray, gone = tray_of(line()), Gone()
    tray._views.add(gone)
    tray.refresh()
    assert len(tray._views) == 0


def test_without_widgets_the_page_is_shown(monkeypatch):
    """Where anywidget is missing or broken, the twin is all there is."""
    monkeypatch.setitem(sys.modules, "zcrm_nb.notebook.job_tray.widget", None)
    with pytest.warns(UserWarning, match="could not be built"):
        assert sorted(tray_of(line())._repr_mimebundle_()) == ["text/html", "text/plain"]


# ---- On an org -----------------------------------------------------------------------------------


@pytest.fixture
def crm(tmp_path):
    """An org whose files hold a hundred records."""
    settings = Settings(bulk=BulkSettings(csv_rows=100))
    with (
        Emulator(rows={"Leads": 250, "Deals": 20}, clock=ManualClock(), settings=settings) as org,
        attach(org, folder=tmp_path / "notes") as crm,
    ):
        yield crm


def left_half_way(crm):
    """An export whose second job was too dear."""
    with pytest.raises(LimitError), crm.budget(60):
        crm.bulk("Leads", ["City"])


def test_an_export_that_was_left_is_brought_here_by_a_click(crm):
    """No job is paid twice, and reading it then costs nothing."""
    left_half_way(crm)
    tray = crm.job_tray()
    with crm.trace() as calls:
        assert [row["can"] for row in tray.rows()] == ["continue"]
        assert "Leads-1" in repr(tray)
    assert calls == []
    tray.take_up("Leads-1", background=False)
    assert crm.job("Leads-1").state == "downloaded"
    assert crm.emulator.store.read("SELECT count(*) FROM bulk_jobs")[0][0] == 3
    with crm.trace() as calls:
        assert len(crm.job("Leads-1").df(progress=False)) == crm.job("Leads-1").rows >= 250
    assert not any("/bulk/" in call.path for call in calls)
    assert crm.history().iloc[-2][["what", "route", "outcome"]].tolist() == [
        "Leads",
        "bulk",
        "done",
    ]


def test_a_damaged_file_is_fetched_again(crm):
    """As when a table is made of it."""
    left_half_way(crm)
    crm.emulator.faults.add("truncated", path="/result")
    tray = crm.job_tray()
    tray.take_up("Leads-1", background=False)
    assert tray.rows()[0]["state"] == "downloaded"


def test_what_zoho_has_lost_is_said(crm):
    """In the words of the error, with what to do."""
    left_half_way(crm)
    crm.emulator.jobs.expire_files()
    tray = crm.job_tray()
    tray.take_up("Leads-1", background=False)
    (row,) = tray.rows()
    assert "no longer has the bulk job" in row["note"]
    assert "fresh=True" in row["note"]


def test_an_export_that_another_is_at_is_left_alone(crm):
    """The state tells it, and a click that came too late is told."""
    left_half_way(crm)
    tray = crm.job_tray()
    with crm._job_store.lock(crm._job_store.find("Leads-1")):
        assert tray.rows()[0]["state"] == "at work"
        tray.take_up("Leads-1", background=False)
    assert "Leads-1 is running" in tray.rows()[0]["note"]


def test_of_a_bulk_write_zoho_is_asked_how_far_it_is(crm):
    """A click is what ``report.resolve()`` does; the rows' fates stand beside it."""
    people = pd.DataFrame({"Last_Name": ["Osei", "Rao"], "Email": ["a@example.com"] * 2})
    real = crm._gate.sleep

    def interrupted(seconds):
        crm._gate.sleep = real
        raise KeyboardInterrupt

    crm._gate.sleep = interrupted
    with pytest.raises(WriteInterrupted):
        crm.bulk_write("Leads", people, operation="insert", progress=False)
    tray = crm.job_tray()
    (row,) = tray.rows()
    assert (row["state"], row["can"], row["asked"]) == ("waiting", "continue", "insert")
    crm.emulator.clock.advance(60)
    tray.take_up(row["id"], background=False)
    (row,) = tray.rows()
    assert (row["state"], row["can"]) == ("done", "")
    assert sum(int(each.split()[0]) for each in row["note"].split(", ")) == 2
    assert f"crm.report('{row['id']}')" in repr(tray)


def test_closing_the_crm_closes_its_trays(crm):
    """Nobody looks at the disk any more."""
    tray = crm.job_tray()
    view = tray._view()
    crm.close()
    _join("zcrm-tray")
    assert view.page
