"""Notes of exports: what they say, how long they stay, and what is made of a strange one."""

from __future__ import annotations

import threading

import pytest

from zcrm_nb.api.exporting.job_store import DAY_S, JOB_COLUMNS, JobSeries, JobStore, Link
from zcrm_nb.errors import JobError
from zcrm_nb.frames import to_frame

NOW = 1_800_000_000.0
DONE = {"job": "57", "state": "COMPLETED", "rows": 5, "done": NOW}
QUESTION = {"module": "Leads", "columns": ["City"], "criteria": None, "cvid": None}


class Clock:
    """A clock that a test turns."""

    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(tmp_path, clock):
    return JobStore(tmp_path, clock)


def begun(book, *links, more_chains=()):
    """Note an export with these jobs."""
    return book.begin("Leads", "read", QUESTION, [JobSeries({}, list(links)), *more_chains])


@pytest.mark.parametrize(
    ("links", "hours", "state"),
    [
        ([], 0, "waiting"),
        ([Link(NOW, "57", "QUEUED")], 30, "waiting"),
        ([Link(NOW)], 0, "unclear"),
        ([Link(NOW, **DONE), Link(NOW)], 0, "unclear"),
        ([Link(NOW, **DONE)], 0, "ready"),
        ([Link(NOW, **DONE)], 24, "expired"),
        ([Link(NOW, **DONE, file="part-0-000.zip")], 30, "here"),
        ([Link(NOW, **DONE, file="part-0-000.zip", more=True)], 0, "waiting"),
        ([Link(NOW, **DONE, file="part-0-000.zip", more=True)], 24, "expired"),
        ([Link(NOW, **DONE), Link(NOW, "58", "FAILURE")], 0, "failed"),
    ],
)
def test_the_state_follows_from_what_is_noted(book, links, hours, state):
    """Without asking anybody."""
    assert begun(book, *links).state(NOW + hours * 3600) == state


def test_an_export_is_read_back_as_it_was_written(book, tmp_path, clock):
    """By another book on the same folder; only its owner may read it."""
    link = Link(NOW, "57", "COMPLETED", 5, True, "token", "/crm/bulk/x", NOW, "part.zip", "said")
    export = begun(book, link)
    export.dropped.append("Website")
    book.write(export)
    assert JobStore(tmp_path, clock).find("Leads-1") == export
    assert JobStore(tmp_path, clock).find("57") == export
    assert (book.folder / "Leads-1.json").stat().st_mode & 0o077 == 0
    assert book.files(export).stat().st_mode & 0o077 == 0


def test_numbers_count_on_for_each_module(book):
    """Names that a person can type, and that no other export has."""
    names = [book.begin(m, "read", {}, []).id for m in ["Leads", "Deals", "Leads", "Leads_Old"]]
    assert names == ["Leads-1", "Deals-1", "Leads-2", "Leads_Old-1"]


def test_exports_begun_at_the_same_moment_have_numbers_of_their_own(book):
    """From several threads, and so from several notebooks."""
    made = []
    begin = lambda: made.append(begun(book).id)  # noqa: E731
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(made) == [f"Leads-{number}" for number in range(1, 9)]


def test_what_is_not_noted_is_not_found(book):
    """Zoho has no list to look in."""
    with pytest.raises(JobError, match="no note of a job 'Leads-9'"):
        book.find("Leads-9")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"chains": [], "later": 1}'])
def test_a_note_that_cannot_be_read_is_left_alone(book, content):
    """Cut off by a full disk, or written by a version to come."""
    begun(book)
    strange = book.folder / "Leads-7.json"
    strange.write_bytes(content)
    assert [export.id for export in book.all()] == ["Leads-1"]
    assert begun(book).id == "Leads-8"
    assert strange.read_bytes() == content


def test_the_same_question_is_found_whatever_was_asked_meanwhile(book, clock):
    """Tuples and lists are the same in it; the newest comes first."""
    begun(book)
    clock.now += 5
    begun(book)
    book.begin("Leads", "read", {**QUESTION, "columns": None}, [])
    book.begin("Leads", "write", QUESTION, [])
    found = book.like("read", {**QUESTION, "columns": ("City",)})
    assert [export.id for export in found] == ["Leads-2", "Leads-1"]


def test_files_go_after_a_day_and_notes_after_a_week(book, clock):
    """When the next export begins, unless somebody is at work on them."""
    old = begun(book, Link(NOW, **DONE, file="part-0-000.zip"))
    (book.files(old) / "part-0-000.zip").write_bytes(b"PK")
    clock.now += DAY_S
    with book.taken(old):
        begun(book)
    assert (book.files(old) / "part-0-000.zip").exists()
    begun(book)
    assert not book.files(old).exists()
    assert book.find("Leads-1").state(clock.now) == "expired"
    clock.now += 6 * DAY_S
    begun(book)
    assert [export.id for export in book.all()] == ["Leads-4", "Leads-2", "Leads-3"]


def test_forgetting_deletes_the_files_and_the_note(book):
    """They hold records of the CRM."""
    export = begun(book)
    (book.folder / ".Leads-1.json.x7").write_bytes(b"{")  # of a kernel that was killed
    book.forget(export)
    assert book.all() == []
    assert not book.files(export).exists()
    assert [path.suffix for path in book.folder.iterdir() if path.is_file()] == [".lock"]


def test_only_one_works_on_an_export(book):
    """The other is told, at once."""
    export = begun(book)
    with book.taken(export):
        assert book.is_worked_on(export)
        with pytest.raises(JobError, match="at work on Leads-1"), book.taken(export):
            raise AssertionError
    assert not book.is_worked_on(export)


def test_the_table_of_jobs_is_typed_on_no_rows(book):
    """As any table."""
    export = begun(
        book, Link(NOW, **DONE), more_chains=[JobSeries({}, [Link(NOW, **{**DONE, "job": "58"})])]
    )
    some = to_frame([[export.row(NOW + 130)]], JOB_COLUMNS)
    assert some.loc[0, ["rows", "parts", "files", "age_minutes"]].tolist() == [10, 2, 0, 2]
    assert some.loc[0, "zoho_ids"] == ["57", "58"]
    assert str(some.loc[0, "expires"] - some.loc[0, "created"]) == "1 days 00:00:00"
    assert to_frame([[]], JOB_COLUMNS).dtypes.equals(some.dtypes)


def test_records_whose_fields_come_in_batches_count_once(book):
    """The same records, other columns."""
    chains = [
        JobSeries({}, [Link(NOW, **DONE)]),
        JobSeries({}, [Link(NOW, **{**DONE, "job": "58"})]),
    ]
    assert book.begin("Leads", "read", QUESTION, chains, batches=2).rows == 5
