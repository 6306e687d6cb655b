"""The journal of accepted events."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.state.event_log import EventLog, JournalFull


def test_lines_come_back_in_their_order(tmp_path):
    """However many are read at once."""
    with closing(EventLog(tmp_path)) as journal:
        journal.append(b"one", b"two")
        journal.append(b"three")
        assert journal.read(2) == [b"one", b"two"]
        assert journal.read(2) == [b"three"]
        assert journal.read(2) == []


def test_what_was_not_done_is_read_again(tmp_path):
    """A kernel that dies while it works on events loses none."""
    with closing(EventLog(tmp_path)) as journal:
        journal.append(b"one", b"two")
        journal.read(1)
        journal.done()
        journal.read(1)
    with closing(EventLog(tmp_path)) as again:
        assert again.read(9) == [b"two"]
        again.rewind()
        assert again.read(9) == [b"two"]


def test_half_a_line_is_passed_over(tmp_path):
    """A process died while it wrote; what came before and after it counts."""
    with closing(EventLog(tmp_path)) as journal:
        journal.append(b"one")
    (torn,) = tmp_path.glob("*.jsonl")
    torn.write_bytes(b"one\ntw")
    with closing(EventLog(tmp_path)) as again:
        again.append(b"three")
        assert again.read(9) == [b"one", b"three"]


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path):
    """A line that found no room was not noted; what came before and comes after it counts."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(EventLog(tmp_path)) as journal:
        journal.append(b"one")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # a file may have ten bytes
        try:
            with pytest.raises(OSError, match="No space"):
                journal.append(b"two", b"longer than what is left")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        journal.append(b"three")
        assert journal.read(9) == [b"one", b"three"]


def test_a_killed_process_loses_nothing_that_was_noted(tmp_path):
    """Noted means noted, without a goodbye."""
    code = (
        "import os, sys; from pathlib import Path; from zcrm_nb.state.event_log import EventLog\n"
        "journal = EventLog(Path(sys.argv[1]))\n"
        "for number in range(500): journal.append(b'%d' % number)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    with closing(EventLog(tmp_path)) as journal:
        assert journal.read(1000) == [b"%d" % number for number in range(500)]


def test_files_that_were_read_go(tmp_path):
    """The journal of a feed that keeps up stays small."""
    with closing(EventLog(tmp_path, part_bytes=100)) as journal:
        for _ in range(50):
            journal.append(b"x" * 60)
            journal.read(9)
            journal.done()
        assert len(list(tmp_path.glob("*.jsonl"))) <= 2
        assert journal.waiting_bytes <= 200


def test_a_journal_that_nobody_reads_has_an_end(tmp_path):
    """It says no, keeps what it has, and takes more once something was read."""
    with closing(EventLog(tmp_path, most_bytes=200, part_bytes=50)) as journal:
        with pytest.raises(JournalFull):
            for _ in range(9):
                journal.append(b"x" * 40)
        assert len(journal.read(99)) == 4
        journal.done()
        journal.append(b"more")
        assert journal.read(9) == [b"more"]


def test_only_its_owner_may_read_it(tmp_path):
    """Who changed what when is nobody else's business."""
    with closing(EventLog(tmp_path / "events")) as journal:
        journal.append(b"one")
        assert {each.stat().st_mode & 0o077 for each in tmp_path.rglob("*")} == {0}


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30).filter(lambda line: b"\n" not in line).map(lambda b: ("add", b)),
            st.integers(1, 5).map(lambda most: ("read", most)),
            st.sampled_from([("done", None), ("rewind", None), ("reopen", None)]),
        ),
        max_size=40,
    )
)
def test_it_behaves_like_a_list_with_two_marks(steps):
    """Whatever the order of writing, reading, marking and dying."""
    with tempfile.TemporaryDirectory() as folder:
        journal = EventLog(Path(folder), part_bytes=40)
        lines: list[bytes] = []
        read = done = 0
        for step, value in steps:
            if step == "add":
                journal.append(value)
                lines.append(value)
            elif step == "read":
                assert journal.read(value) == lines[read : read + value]
                read = min(read + value, len(lines))
            elif step == "done":
                journal.done()
                done = read
            elif step == "rewind":
                journal.rewind()
                read = done
            else:
                journal.close()
                journal = EventLog(Path(folder), part_bytes=40)
                read = done
        journal.close()
