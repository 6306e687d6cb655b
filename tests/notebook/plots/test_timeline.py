"""The picture of when changes came."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from zcrm_nb.notebook.plots.timeline import WIDTHS_S, bins, timeline

MOMENTS = st.integers(1_700_000_000_000, 1_800_000_000_000)
EVENTS = st.lists(st.tuples(MOMENTS, st.sampled_from(["insert", "update", "delete"])), max_size=30)


def changes(events):
    times, operations = zip(*events, strict=True) if events else ((), ())
    kinds = pd.CategoricalDtype(["insert", "update", "delete"])
    return pd.DataFrame(
        {
            "time": pd.to_datetime(pd.Series(times, dtype="int64"), unit="ms", utc=True),
            "operation": pd.Series(operations, dtype=kinds),
        }
    )


@given(EVENTS)
def test_every_change_is_in_one_bar(events):
    """However far apart they are, and no more bars than an eye can tell apart."""
    table = bins(changes(events))
    assert int(table.to_numpy().sum()) == len(events)
    span_s = (max(events)[0] - min(events)[0]) / 1000 if events else 0
    assert len(table) <= max(42, span_s / WIDTHS_S[-1] + 2)


def test_bars_stack_in_their_colours():
    """Insertions at the bottom; the words say the same as the picture."""
    ax = timeline(changes([(1_000, "insert"), (1_400, "update"), (9_000, "delete")]), title="Day")
    heights = [patch.get_height() for patch in ax.patches if patch.get_height()]
    assert sorted(heights) == [1.0, 1.0, 1.0]
    assert max(patch.get_y() for patch in ax.patches if patch.get_height()) == 1.0
    assert repr(ax).splitlines()[0] == "Day"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "insert",
        "update",
        "delete",
    ]


@pytest.mark.parametrize(
    ("last_s", "words"),
    [(2, "1 second"), (300, "15 seconds"), (90_000, "1 hour"), (10**7, "1 week")],
)
def test_it_says_how_wide_a_bar_is(last_s, words):
    """And whose clock the times are by: else nobody knows what one bar counts."""
    ax = timeline(changes([(0, "insert"), (last_s * 1000, "update")]))
    assert ax.get_xlabel() == f"UTC, a bar is {words}"


def test_nothing_yet_is_a_picture_too():
    """With words in it, on an axes of one's own."""
    mine = Figure().add_subplot()
    assert timeline(changes([]), ax=mine) is mine
    assert [text.get_text() for text in mine.texts] == ["Nothing yet."]


@pytest.mark.parametrize("days", [1, 30, 400])
def test_long_times_have_wide_bars(days):
    """A year is not drawn by the minute."""
    events = [(1_700_000_000_000 + day * 86_400_000, "update") for day in range(days + 1)]
    assert len(bins(changes(events))) <= 60
