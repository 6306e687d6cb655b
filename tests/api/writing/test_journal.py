"""A journal tells the truth about a run, wherever it breaks off."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from zcrm_nb.api.writing.journal import DAYS, Batch, WriteJournal, begin, runs
from zcrm_nb.api.writing.outcomes import Outcome
from zcrm_nb.errors import WriteError

if TYPE_CHECKING:
    from pathlib import Path

DONE = Outcome("insert", "done", "41", "SUCCESS", None, "record added", "2026-05-10T01:10:47-07:00")
NOW = 1_790_000_000.0


@pytest.fixture
def journal(tmp_path: Path) -> WriteJournal:
    """The journal of a run over four rows, two of them answered for, one on its way."""
    journal = begin(tmp_path, NOW, module="Leads", action="insert", rows=4, index="")
    journal.note_batch(0, Batch("insert", [0, 1], [{"A": 1}, {"A": 2}]), NOW)
    journal.note_outcomes([0, 1], [DONE, DONE._replace(id="42")], batch=0)
    journal.note_batch(1, Batch("upsert", [2], [{"A": 3}], "2026-01-01T00:00:00Z"), NOW + 1)
    return journal


def test_what_was_answered_sent_and_not_sent_are_told_apart(journal: WriteJournal) -> None:
    """The three things a kernel that died can leave behind."""
    story = journal.read()
    assert [(o.status, o.id, o.code) for o in story.rows] == [
        ("done", "41", "SUCCESS"),
        ("done", "42", "SUCCESS"),
        ("unknown", None, "NO_ANSWER"),
        ("refused", None, "NOT_SENT"),
    ]
    [(number, batch, places)] = story.unknown()
    assert (number, batch.unmodified_since, places) == (1, "2026-01-01T00:00:00Z", [0])
    assert story.summary["done"] == 2


def test_every_place_where_it_may_break_off_leaves_a_story(journal: WriteJournal) -> None:
    """A line counts when it is whole; what is added later is read all the same."""
    text = journal.path.read_bytes()
    first = text.index(b"\n", 1)
    for end in range(first, len(text) + 1):
        journal.path.write_bytes(text[:end])
        journal.note_outcomes([3], [DONE._replace(id="99")])
        story = journal.read()
        assert len(story.rows) == 4
        assert story.rows[3].id == "99"
        assert {o.status for o in story.rows[:2]} in ({"done"}, {"unknown"}, {"refused"})


def test_only_its_owner_may_read_it(journal: WriteJournal) -> None:
    """It holds what people wrote about their customers."""
    if sys.platform == "win32":
        pytest.skip("Windows knows no such modes")
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_old_journals_are_removed_when_a_new_run_begins(
    journal: WriteJournal, tmp_path: Path
) -> None:
    """Personal data is not kept for ever."""
    os.utime(journal.path, (NOW, NOW))
    fresh = begin(tmp_path, NOW + DAYS * 86_400 - 1, module="Leads", action="x", rows=0, index="")
    assert [each.run for each in runs(tmp_path)] == [journal.run, fresh.run]
    begin(tmp_path, NOW + DAYS * 86_400 + 1, module="Leads", action="x", rows=0, index="")
    assert journal.run not in [each.run for each in runs(tmp_path)]


def test_a_run_that_is_still_being_written_is_left_alone(journal: WriteJournal) -> None:
    """What is on its way cannot be looked for yet."""
    with journal.held(), pytest.raises(WriteError, match="still being written"), journal.held():
        pass


def test_no_folder_has_no_runs(tmp_path: Path) -> None:
    """Nothing is made by looking."""
    assert runs(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["\ud800", "half \udc00 an emoji"])
def test_half_an_emoji_in_an_outcome_is_noted(journal: WriteJournal, text: str) -> None:
    """The outcome is kept; the half character becomes a question mark."""
    journal.note_outcomes([2], [DONE._replace(id="43", message=text)], batch=1)
    outcome = journal.read().rows[2]
    assert (outcome.status, outcome.id) == ("done", "43")
    assert outcome.message is not None
    assert "?" in outcome.message
