"""What was asked, kept beside the login."""

import orjson
import pytest

from zcrm_nb.state import query_log as module
from zcrm_nb.state.query_log import QueryLog

QUESTION = {
    "time": "2026-09-15T10:00:00+00:00",
    "what": "Leads",
    "query": "select City from Leads where id is not null",
    "route": "coql",
    "rows": 12,
    "calls": 1,
    "credits": 1,
    "seconds": 0.25,
    "outcome": "done",
}


def numbered(number):
    """A question that can be told from others."""
    return {**QUESTION, "rows": number}


def rows(history):
    """The numbers of its questions."""
    return [question["rows"] for question in history.rows()]


def test_without_a_folder_it_lasts_as_long_as_the_connection():
    """Nothing is written anywhere."""
    history = QueryLog(None)
    history.note(QUESTION)
    assert history.rows() == [QUESTION]
    assert QueryLog(None).rows() == []


def test_notebooks_share_it_and_it_outlives_them(tmp_path):
    """One file for all connections of a login, in the order of asking."""
    one, other = QueryLog(tmp_path / "notes"), QueryLog(tmp_path / "notes")
    one.note(numbered(1))
    other.note(numbered(2))
    one.note(numbered(3))
    assert rows(other) == rows(QueryLog(tmp_path / "notes")) == [1, 2, 3]
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "notes").iterdir()]
    assert set(modes) == {0}


def test_it_stays_small_and_keeps_the_newest(tmp_path):
    """The older half goes when the file would pass its size; no line is torn by that."""
    history = QueryLog(tmp_path)
    each = len(orjson.dumps(QUESTION)) + 1
    (tmp_path / "history.jsonl").write_bytes(
        b"".join(orjson.dumps(numbered(11)) + b"\n" for _ in range(module.MOST_BYTES // each))
    )
    history.note(numbered(2))
    kept = rows(history)
    assert kept[-1] == 2
    assert 0.4 < len(kept) * each / module.MOST_BYTES < 0.6
    assert len((tmp_path / "history.jsonl").read_bytes().splitlines()) == len(kept)


@pytest.mark.parametrize(
    "damage",
    [
        b"{torn",
        b"\x00\xff\n",
        b"[]\n",
        b"{}\n",
        b'"text"\n',
        orjson.dumps({**QUESTION, "time": "2026-09-15T10:00:00"}) + b"\n",
        orjson.dumps({**QUESTION, "time": "yesterday"}) + b"\n",
        orjson.dumps({**QUESTION, "rows": "many"}) + b"\n",
    ],
)
def test_a_damaged_line_is_passed_over(tmp_path, damage):
    """Whoever was killed while writing, or edited the file, costs no other line."""
    history = QueryLog(tmp_path)
    history.note(numbered(1))
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(damage)
    history.note(numbered(2))
    assert rows(history) == [1, 2]


def test_a_folder_that_cannot_be_written_breaks_no_question(tmp_path):
    """It goes on in memory."""
    (tmp_path / "file").write_text("no folder")
    history = QueryLog(tmp_path / "file" / "notes")
    history.note(QUESTION)
    assert history.rows() == [QUESTION]


def test_a_long_text_is_cut_and_says_so(tmp_path):
    """Ten thousand ids in a query tell nobody anything."""
    history = QueryLog(tmp_path)
    history.note({**QUESTION, "query": "x" * 10_000})
    (question,) = history.rows()
    assert question["query"] == "x" * 2000 + "… (10,000 characters)"
