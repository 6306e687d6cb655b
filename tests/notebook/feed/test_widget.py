"""The widget of a feed, and its page, without a browser."""

from __future__ import annotations

import sys
from collections import Counter

import pandas as pd
import pytest

from zcrm_nb.errors import ConnectionFailed
from zcrm_nb.notebook.feed import widget
from zcrm_nb.notebook.feed.page import page
from zcrm_nb.notebook.feed.widget import FeedView


class Feed:
    """What a view needs of a feed."""

    module, operations, problem, is_running = "Deals", ("insert", "update", "delete"), "", True

    def __init__(self, *rows):
        self.counts = Counter(row["operation"] for row in rows)
        columns = ["time", "operation", "id", "Deal_Name", "Owner", "Owner.id", "changed", "source"]
        self.df = pd.DataFrame(list(rows), columns=columns)
        self.df["time"] = pd.to_datetime(self.df["time"], utc=True)
        self.looked = self.stopped = 0

    def headline(self):
        return "looks every 60 s"

    def price(self):
        return "3 credits spent"

    def watch_by(self, view):
        self.view = view

    def update(self):
        self.looked += 1

    def stop(self):
        self.is_running = False


def row(**values):
    usual = {
        "time": "2026-09-15 03:30",
        "operation": "update",
        "id": "1",
        "Deal_Name": "One",
        "Owner": "Asha",
        "Owner.id": "7",
        "changed": ["Deal_Name", "Stage"],
        "source": "notified",
    }
    return {**usual, **values}


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test turns by hand, and timers that it rings."""
    timers = []

    class Timer:
        daemon = False

        def __init__(self, seconds, ring):
            self.seconds, self.ring = seconds, ring

        def start(self):
            timers.append(self)

    now = [100.0]
    monkeypatch.setattr(widget.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(widget.threading, "Timer", Timer)
    return now, timers


def test_the_page_tells_what_the_feed_does():
    """Module, counts, the newest change on top, fields that changed, price; ids stay away."""
    told = page(Feed(row(), row(Deal_Name="Two", operation="insert", changed=[])))
    assert "Deals, live" in told
    assert told.index("Two") < told.index("One")
    assert "Deal Name +1" in told
    assert "3 credits spent" in told
    assert "Owner.id" not in told
    assert "<svg" in told
    assert "2026-09-15 03:30 to 2026-09-15 03:30 UTC" in told


def test_numbers_and_their_names_stand_right():
    """Under each other, as one compares them."""
    told = page(Feed(row(Deal_Name=5.0)))
    assert '<th scope="col" class="zcrm-number">Deal Name</th>' in told
    assert '<td class="zcrm-number">5</td>' in told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<i>x</i>", "&lt;i&gt;x&lt;/i&gt;"),
        (None, "–"),
        (pd.NA, "–"),
        (float("nan"), "–"),
        (1234567.0, "1,234,567<"),
        (0.5, "0.50"),
        (["A", "B"], "A, B"),
        ("x" * 50, "x" * 25 + "…"),
    ],
)
def test_values_are_written_for_a_glance(value, shown):
    """Escaped, cut, and nothing where nothing is."""
    assert shown in page(Feed(row(Deal_Name=value)))


def test_a_problem_stands_in_the_page():
    """With its words escaped."""
    feed = Feed()
    feed.problem = "It <broke>"
    assert "It &lt;broke&gt;" in page(feed)
    assert "Nothing has changed yet." in page(feed)


def test_many_changes_are_few_paintings(clock):
    """At most two a second; the last state is painted in the end."""
    now, timers = clock
    feed = Feed()
    view = FeedView(feed)
    first = view._page.value
    feed.df = Feed(row()).df
    for _ in range(50):
        view.refresh()
    assert view._page.value == first
    assert [timer.seconds for timer in timers] == [0.5]
    timers[0].ring()
    assert "One" in view._page.value
    now[0] += 10
    feed.df = Feed(row(Deal_Name="Two")).df
    view.refresh()
    assert "Two" in view._page.value


def test_the_buttons_look_and_stop(clock):
    """What a click raises stands in the view."""
    feed = Feed()
    view = FeedView(feed)
    view._look.click()
    assert feed.looked == 1
    feed.update = lambda: (_ for _ in ()).throw(ConnectionFailed("No <answer>."))
    view._look.click()
    assert "No &lt;answer&gt;." in view._message.value
    feed.update = lambda: 1 / 0
    view._look.click()
    assert "ZeroDivisionError" in view._message.value
    view._stop.click()
    assert (view._look.disabled, view._stop.disabled) == (True, True)


def test_without_widgets_the_page_is_shown(monkeypatch):
    """Where ipywidgets is missing or broken, the twin is all there is."""
    from zcrm_nb.notebook.feed.live_feed import LiveFeed

    class Stub(Feed):
        _repr_mimebundle_ = LiveFeed._repr_mimebundle_
        _page, _widget = LiveFeed._page, LiveFeed._widget

    monkeypatch.setitem(sys.modules, "zcrm_nb.notebook.feed.widget", None)
    with pytest.warns(UserWarning, match="could not be built"):
        shown = sorted(Stub()._repr_mimebundle_())
    assert shown == ["text/html", "text/plain"]
