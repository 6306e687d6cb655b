"""Notes of exports: what they say, how long they stay, and what is made of a strange one."""

from __future__ import annotations

import threading

import orjson
import pytest

from zcrm_nb.api.exporting.job_store import DAY_S, JOB_COLUMNS, JobSeries, JobStore, ZohoJob
from zcrm_nb.errors import JobError
from zcrm_nb.frames import to_frame

NOW = 1_800_000_000.0
DONE = {"id": "57", "state": "COMPLETED", "rows": 5, "completed": NOW}
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
def store(tmp_path, clock):
    return JobStore(tmp_path, clock)


def begun(store, *jobs, more_series=()):
    """Note an export with these jobs."""
    return store.begin("Leads", "read", QUESTION, [JobSeries({}, list(jobs)), *more_series])


@pytest.mark.parametrize(
    ("jobs", "hours", "state"),
    [
        ([], 0, "waiting"),
        ([ZohoJob(NOW, "57", "QUEUED")], 30, "waiting"),
        ([ZohoJob(NOW)], 0, "unclear"),
        ([ZohoJob(NOW, **DONE), ZohoJob(NOW)], 0, "unclear"),
        ([ZohoJob(NOW, **DONE)], 0, "ready"),
        ([ZohoJob(NOW, **DONE)], 24, "expired"),
        ([ZohoJob(NOW, **DONE, file="part-0-000.zip")], 30, "downloaded"),
        ([ZohoJob(NOW, **DONE, file="part-0-000.zip", has_more=True)], 0, "waiting"),
        ([ZohoJob(NOW, **DONE, file="part-0-000.zip", has_more=True)], 24, "expired"),
        ([ZohoJob(NOW, **DONE), ZohoJob(NOW, "58", "FAILURE", failed=True)], 0, "failed"),
    ],
)
def test_the_state_follows_from_what_is_noted(store, jobs, hours, state):
    """Without asking anybody."""
    assert begun(store, *jobs).state(NOW + hours * 3600) == state


def test_an_export_is_read_back_as_it_was_written(store, tmp_path, clock):
    """By another store on the same folder; only its owner may read it."""
    job = ZohoJob(NOW, "57", "COMPLETED", 5, True, "token", "/crm/bulk/x", NOW, "part.zip", "said")
    export = begun(store, job)
    export.dropped.append("Website")
    store.save(export)
    assert JobStore(tmp_path, clock).find("Leads-1") == export
    assert JobStore(tmp_path, clock).find("57") == export
    assert (store.folder / "Leads-1.json").stat().st_mode & 0o077 == 0
    assert store.folder_of(export).stat().st_mode & 0o077 == 0


def test_numbers_count_on_for_each_module(store):
    """Names that a person can type, and that no other export has."""
    names = [store.begin(m, "read", {}, []).id for m in ["Leads", "Deals", "Leads", "Leads_Old"]]
    assert names == ["Leads-1", "Deals-1", "Leads-2", "Leads_Old-1"]


def test_exports_begun_at_the_same_moment_have_numbers_of_their_own(store):
    """From several threads, and so from several notebooks."""
    made = []
    begin = lambda: made.append(begun(store).id)  # noqa: E731
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(made) == [f"Leads-{number}" for number in range(1, 9)]


def test_what_is_not_noted_is_not_found(store):
    """Zoho has no list to look in."""
    with pytest.raises(JobError, match="no note of a job 'Leads-9'"):
        store.find("Leads-9")


NOTE = {
    "id": "Leads-7",
    "module": "Leads",
    "operation": "read",
    "created": NOW,
    "question": QUESTION,
    "chains": [{"query": {}, "links": [{"asked": NOW, "job": "57", "state": "COMPLETED"}]}],
}
DAMAGE = {
    "empty": b"",
    "cut off": orjson.dumps(NOTE)[:-30],
    "null": b"null",
    "a list": b"[]",
    "an empty object": b"{}",
    "of a later version": b'{"chains": [], "later": 1}',
    "id of another file": orjson.dumps(NOTE | {"id": "../../etc"}),
    "created as text": orjson.dumps(NOTE | {"created": "today"}),
    "created far away": orjson.dumps(NOTE | {"created": 1e300}),
    "question as text": orjson.dumps(NOTE | {"question": "all"}),
    "chains of numbers": orjson.dumps(NOTE | {"chains": [1]}),
    "a job without its time": orjson.dumps(NOTE | {"chains": [{"query": {}, "links": [{}]}]}),
    "rows as text": orjson.dumps(
        NOTE | {"chains": [{"query": {}, "links": [{"asked": NOW, "rows": "5"}]}]}
    ),
    "no batches": orjson.dumps(NOTE | {"batches": 0}),
    "batches that do not fit": orjson.dumps(NOTE | {"batches": 2}),
    "no UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_note_that_cannot_be_read_is_listed_as_damaged_and_left_alone(store, content):
    """Cut off by a full disk, or written by a later version: the others are listed as ever."""
    begun(store, ZohoJob(NOW, **DONE))
    damaged = store.folder / "Leads-7.json"
    damaged.write_bytes(content)
    assert [record.id for record in store.records()] == ["Leads-1"]
    states = {row["id"]: row["state"] for row in store.rows()}
    assert states == {"Leads-1": "ready", "Leads-7": "damaged"}
    table = to_frame([store.rows()], JOB_COLUMNS)
    assert table["module"].tolist() == ["Leads", "Leads"]
    with pytest.raises(JobError, match=r"note of job Leads-7 is damaged.*\n.*Leads-7\.json"):
        store.find("Leads-7")
    assert begun(store).id == "Leads-8"
    assert damaged.read_bytes() == content


def test_a_note_of_the_first_version_still_opens(store):
    """Its keys are as they were written; a state that says failure is one."""
    store.folder.mkdir()
    old = {"asked": NOW, "job": "57", "state": "FAILURE", "rows": 5, "more": True, "token": "t",
           "url": "/crm/bulk/x", "done": NOW, "file": "part.zip", "said": "why"}  # fmt: skip
    note = NOTE | {"chains": [{"query": {}, "links": [old]}], "names": {}, "dropped": ["Website"]}
    (store.folder / "Leads-7.json").write_bytes(orjson.dumps(note))
    record = store.find("57")
    expected = ZohoJob(
        NOW, "57", "FAILURE", 5, True, "t", "/crm/bulk/x", NOW, "part.zip", "why", failed=True
    )
    assert (record.jobs, record.dropped) == ([expected], ["Website"])
    store.save(record)
    written = orjson.loads((store.folder / "Leads-7.json").read_bytes())
    assert written["chains"][0]["links"] == [old | {"failed": True}]


def test_the_same_question_is_found_whatever_was_asked_meanwhile(store, clock):
    """Tuples and lists are the same in it; the newest comes first."""
    begun(store)
    clock.now += 5
    begun(store)
    store.begin("Leads", "read", {**QUESTION, "columns": None}, [])
    store.begin("Leads", "write", QUESTION, [])
    found = store.matching("read", {**QUESTION, "columns": ("City",)})
    assert [export.id for export in found] == ["Leads-2", "Leads-1"]


def test_files_go_after_a_day_and_notes_after_a_week(store, clock):
    """When the next export begins, unless a process still works on them."""
    old = begun(store, ZohoJob(NOW, **DONE, file="part-0-000.zip"))
    (store.folder_of(old) / "part-0-000.zip").write_bytes(b"PK")
    clock.now += DAY_S
    with store.lock(old):
        begun(store)
    assert (store.folder_of(old) / "part-0-000.zip").exists()
    begun(store)
    assert not store.folder_of(old).exists()
    assert store.find("Leads-1").state(clock.now) == "expired"
    clock.now += 6 * DAY_S
    begun(store)
    assert [export.id for export in store.records()] == ["Leads-4", "Leads-2", "Leads-3"]


def test_forgetting_deletes_the_files_and_the_note(store):
    """They hold records of the CRM."""
    export = begun(store)
    (store.folder / ".Leads-1.json.x7").write_bytes(b"{")  # of a kernel that was killed
    store.delete(export)
    assert store.records() == []
    assert not store.folder_of(export).exists()
    assert [path.suffix for path in store.folder.iterdir() if path.is_file()] == [".lock"]


def test_only_one_works_on_an_export(store):
    """The other is told, at once."""
    export = begun(store)
    with store.lock(export):
        assert store.is_running(export)
        with pytest.raises(JobError, match="Leads-1 is running"), store.lock(export):
            raise AssertionError
    assert not store.is_running(export)


def test_the_table_of_jobs_is_typed_on_no_rows(store):
    """As any table."""
    export = begun(
        store,
        ZohoJob(NOW, **DONE),
        more_series=[JobSeries({}, [ZohoJob(NOW, **{**DONE, "id": "58"})])],
    )
    some = to_frame([[export.row(NOW + 130)]], JOB_COLUMNS)
    assert some.loc[0, ["rows", "parts", "files", "age_minutes"]].tolist() == [10, 2, 0, 2]
    assert some.loc[0, "zoho_ids"] == ["57", "58"]
    assert str(some.loc[0, "expires"] - some.loc[0, "created"]) == "1 days 00:00:00"
    assert to_frame([[]], JOB_COLUMNS).dtypes.equals(some.dtypes)


def test_records_whose_fields_come_in_batches_count_once(store):
    """The same records, other columns."""
    chains = [
        JobSeries({}, [ZohoJob(NOW, **DONE)]),
        JobSeries({}, [ZohoJob(NOW, **{**DONE, "id": "58"})]),
    ]
    assert store.begin("Leads", "read", QUESTION, chains, batches=2).rows == 5
