"""Exports: asked for once, whatever dies on the way, and the same table in the end."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
import requests
from pandas.testing import assert_frame_equal
from requests.adapters import BaseAdapter

from tests.worlds import Org
from zcrm_nb import CRM
from zcrm_nb.api.exporting import backfill, exporter, selection
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.emulated import _by_hand, gate_of
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import (
    APIError,
    BulkWarning,
    ConnectionFailed,
    DataWarning,
    JobError,
    LimitError,
    ServerError,
    ZohoError,
)
from zcrm_nb.wire.wsgi import WSGIAdapter

FEW = ("Tasks", "Events", "Calls", "Campaigns", "Products", "Vendors", "Quotes", "Site_Visits")
ROWS = {**dict.fromkeys(FEW, 5), "Leads": 250, "Contacts": 20, "Accounts": 10, "Deals": 20}
COLUMNS = ["Last_Name", "City", "Owner", "Lead_Status", "Created_Time", "Languages_Known"]
HOURS = 3600.0


Canned = tuple[Any, ...] | None


class Killed(BaseException):
    """The kernel is gone: no code of ours runs any more."""


class Line(BaseAdapter):
    """The line to an emulator, which a test cuts before or after a call to Bulk Read."""

    def __init__(self, emulator: Emulator) -> None:
        super().__init__()
        self.wsgi = WSGIAdapter(emulator.wsgi)
        self.calls: list[str] = []
        self.cut_at: int | None = None
        self.handled = False
        self.dead = False
        self.refuses: dict[str, str] = {}
        self.wraps = self.hides_users = False
        self.refused = 0
        self.lacks: dict[str, set[str]] = {}
        self.canned: dict[str, list[Canned]] = {}
        self.lock = threading.Lock()

    def send(self, request, *args, **options):
        if self.hides_users and "/users" in request.url:
            return Answer(request, 403, {"code": "NO_PERMISSION", "details": {}})
        if "/bulk/" not in request.url:
            return self.wsgi.send(request, *args, **options)
        with self.lock:
            if self.dead:
                raise Killed
            self.calls.append(f"{request.method} {request.url.rpartition('/')[2]}")
            dies = self.cut_at == len(self.calls)
            self.dead = dies
            if dies and not self.handled:
                raise Killed
            answer = self._canned(request) or self._refusal(request)
            if answer is None:
                answer = self.wsgi.send(request, *args, **options)
            if dies:
                raise Killed
            return self._cut(answer)

    def _canned(self, request):
        """Answer what a test wants answered; the last answer stays, ``None`` asks the emulator."""
        kind = "result" if request.url.endswith("/result") else request.method
        answers = self.canned.get(kind, [])
        answer = answers[0] if len(answers) == 1 else answers.pop(0) if answers else None
        return Answer(request, *answer) if answer else None

    def _cut(self, answer):
        """Take records out of a file whose header has a field, as deletions between jobs do."""
        if "zip" not in answer.headers.get("Content-Type", "") or not self.lacks:
            return answer
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            (name,) = archive.namelist()
            head, *rows = archive.read(name).decode().splitlines(keepends=True)
        for column in self.lacks.keys() & set(head.strip().split(",")):
            rows = [row for row in rows if row.partition(",")[0] not in self.lacks[column]]
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(name, "".join([head, *rows]))
        return Answer(answer.request, 200, file.getvalue(), "application/zip")

    def _refusal(self, request):
        """Refuse a field, as Zoho may one that its metadata lists."""
        fields = orjson.loads(request.body or b"{}").get("query", {}).get("fields", [])
        for name in self.refuses.keys() & set(fields):
            self.refused += 1
            said = {"code": self.refuses[name], "details": {"api_name": name}, "status": "error"}
            return Answer(request, 400, {"data": [said]} if self.wraps else said)
        return None

    def close(self) -> None:
        self.wsgi.close()

    @property
    def asked(self) -> int:
        """How many jobs were asked for."""
        return sum(call.startswith("POST") for call in self.calls)


class Answer(requests.Response):
    """An answer that the emulator would not give; true even where it is a refusal."""

    def __init__(self, request, status, body, kind="application/json"):
        super().__init__()
        self.status_code, self.request = status, request
        self.headers["Content-Type"] = kind
        self.raw = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))

    def __bool__(self) -> bool:
        return True


@pytest.fixture
def org() -> Iterator[Emulator]:
    """An org whose files hold a hundred records, on a clock that turns when somebody waits."""
    with Org(rows=ROWS, clock=ManualClock(), settings=settings(csv_rows=100)) as emulator:
        yield emulator


def settings(**bulk: object) -> Settings:
    """Settings of Bulk Read."""
    return Settings(bulk=BulkSettings(**bulk))


@pytest.fixture
def kernel(org: Emulator, tmp_path: Path) -> Callable[..., tuple[CRM, Line]]:
    """Begin a kernel: a CRM and its line. All of them keep their notes in one folder."""

    def kernel() -> tuple[CRM, Line]:
        line = Line(org)
        facts = org.credentials
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        gate = gate_of(facts, addresses("in", **urls), org.edition, line, _by_hand(org))
        return CRM(gate, folder=tmp_path / "notes"), line

    return kernel


@pytest.fixture
def whole(kernel: Callable[..., tuple[CRM, Line]]) -> pd.DataFrame:
    """What the list of the same records gives."""
    return kernel()[0].records("Leads", COLUMNS)


def jobs_at_zoho(org: Emulator) -> int:
    """How many jobs Zoho has taken."""
    return int(org.store.read("SELECT count(*) FROM bulk_jobs")[0][0])


# ---- All goes well -------------------------------------------------------------------------------


def test_parts_are_chained_by_token_and_make_one_table(org, kernel, whole):
    """Three jobs, each looked at until it is done, each file fetched once."""
    crm, line = kernel()
    df = crm.bulk("Leads", COLUMNS)
    assert_frame_equal(df, whole)
    assert line.asked == jobs_at_zoho(org) == 3
    assert line.calls.count("GET result") == 3
    assert not list(crm._folder.rglob("*.part"))


def test_the_next_job_is_asked_for_before_the_file_is_fetched(kernel):
    """Zoho is at work while files come down."""
    crm, line = kernel()
    crm.bulk("Leads", COLUMNS)
    assert line.calls.index("GET result") > [c.startswith("POST") for c in line.calls].index(True)
    first_file, second_job = line.calls.index("GET result"), _second(line.calls, "POST read")
    assert second_job < first_file or second_job == first_file + 1


def _second(calls: list[str], call: str) -> int:
    """Find the second of the same calls."""
    return calls.index(call, calls.index(call) + 1)


@pytest.mark.parametrize("jobs", [2, 3])
def test_ranges_side_by_side_are_disjoint_and_complete(org, kernel, whole, jobs):
    """No record twice, none lost, in the same order."""
    crm, _ = kernel()
    df = crm.bulk("Leads", COLUMNS, jobs=jobs)
    assert_frame_equal(df, whole)
    noted = crm._job_store.find("Leads-1")
    sizes = [sum(job.rows for job in series.jobs) for series in noted.series]
    assert len(sizes) == jobs
    assert sum(sizes) == len(whole)
    assert max(sizes) < len(whole) / jobs * 1.2


def test_rows_are_told_part_by_part(kernel):
    """A callable hears rows and parts."""
    heard = []
    kernel()[0].bulk("Leads", COLUMNS, progress=lambda *told: heard.append(told))
    assert [told[1] for told in heard] == [1, 2, 3]
    assert heard[-1][0] == 250


def test_conditions_say_the_same_in_bulk_and_in_coql(kernel):
    """Text with places, a mapping, and criteria in Zoho's own words."""
    crm, _ = kernel()
    text = "City = :city or Last_Name like 'S%'"
    meant = crm.coql(f"select City from Leads where {text}", city="Pune")
    assert len(meant) > 0
    assert_frame_equal(crm.bulk("Leads", ["City"], where=text, city="Pune"), meant)
    pune = crm.coql("select City from Leads where City = 'Pune'")
    assert_frame_equal(crm.bulk("Leads", ["City"], where={"City": "Pune"}), pune)
    leaf = {"field": {"api_name": "City"}, "comparator": "equal", "value": "Pune"}
    assert_frame_equal(crm.bulk("Leads", ["City"], where=leaf, fresh=True), pune)


def test_ranges_and_conditions_hold_together(kernel):
    """A group of and joins the range's own."""
    crm, _ = kernel()
    where = "City != 'Pune' and Last_Name like 'S%'"
    meant = crm.coql(f"select City from Leads where {where}")
    assert_frame_equal(crm.bulk("Leads", ["City"], where=where, jobs=2), meant)


def test_no_records_are_an_empty_table_of_the_same_types(kernel):
    """One job, one file with a header."""
    crm, _ = kernel()
    df = crm.bulk("Leads", COLUMNS, where={"City": "Atlantis"})
    assert len(df) == 0
    query = f"select {', '.join(COLUMNS)} from Leads where City = 'Atlantis'"
    assert_frame_equal(df, crm.coql(query))


# ---- The kernel dies -----------------------------------------------------------------------------

CALLS = (
    12  # three jobs, two looks at each but the first, three files; later numbers are not reached
)


@pytest.mark.parametrize("handled", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_a_kernel_that_died_between_any_two_steps_is_gone_on_from(org, kernel, whole, at, handled):
    """The same table, and no job twice: but for one that nobody knows of, and then it is said."""
    crm, line = kernel()
    line.cut_at, line.handled = at, handled
    try:
        crm.bulk("Leads", COLUMNS, progress=False)
    except Killed:
        pass
    else:
        assert len(line.calls) < at
    _wait_for_threads()
    (state,), paid_twice = crm.jobs()["state"], handled and line.calls[-1].startswith("POST")
    again, line = kernel()
    if state == "unclear":
        with pytest.raises(JobError, match="unknown whether Zoho accepted a job"):
            again.bulk("Leads", COLUMNS)
        assert line.calls == []
        df = again.job("Leads-1").df(ask_again=True)
        assert jobs_at_zoho(org) == 3 + paid_twice
    else:
        df = again.bulk("Leads", COLUMNS)
        assert jobs_at_zoho(org) == 3
        assert df.attrs["zcrm"]["job"] == "Leads-1"
        assert df.attrs["zcrm"]["reused"]
    assert_frame_equal(df, whole)


def _wait_for_threads() -> None:
    """A kernel that is gone has no threads."""
    for thread in threading.enumerate():
        if thread.name.startswith("zcrm-bulk"):
            thread.join(10)


def test_a_kernel_may_die_again_and_again(org, kernel, whole):
    """Each one comes two calls further."""
    for _ in range(20):
        crm, line = kernel()
        line.cut_at = 3
        try:
            df = crm.bulk("Leads", COLUMNS, progress=False)
        except Killed:
            _wait_for_threads()
        except JobError:
            df = kernel()[0].job("Leads-1").df(ask_again=True)
            break
        else:
            break
    assert_frame_equal(df, whole)
    assert crm.jobs()["id"].tolist() == ["Leads-1"]


def test_an_interrupt_leaves_the_export_to_be_gone_on_with(org, kernel, whole):
    """As Ctrl-C in a cell while Zoho is at work."""
    crm, line = kernel()
    real = crm._gate.sleep

    def interrupted(seconds):
        crm._gate.sleep = real
        raise KeyboardInterrupt

    crm._gate.sleep = interrupted
    with pytest.raises(KeyboardInterrupt):
        crm.bulk("Leads", COLUMNS)
    assert crm.jobs().loc[0, ["id", "state"]].tolist() == ["Leads-1", "waiting"]
    assert_frame_equal(crm.job("Leads-1").df(), whole)
    assert jobs_at_zoho(org) == line.asked == 3


def test_two_kernels_do_not_work_on_one_export(kernel, whole):
    """The second one leaves the first alone, and uses what it fetched once it is done."""
    crm, _ = kernel()
    crm.bulk("Leads", COLUMNS)
    other, _ = kernel()
    with crm._job_store.lock(crm._job_store.find("Leads-1")):
        with pytest.raises(JobError, match="Leads-1 is running in another notebook"):
            other.job("Leads-1").df()
        assert other.bulk("Leads", COLUMNS).attrs["zcrm"]["job"] == "Leads-2"
    assert_frame_equal(other.job("Leads-1").df(), whole)


# ---- Asked before --------------------------------------------------------------------------------


def test_the_same_question_within_minutes_is_not_paid_twice(org, kernel):
    """No call at all: the files are here. The table says how old it is."""
    crm, _ = kernel()
    first = crm.bulk("Leads", COLUMNS, tz="Asia/Kolkata")
    org.clock.advance(600)
    other, line = kernel()
    again = other.bulk("Leads", COLUMNS, tz="Asia/Kolkata")
    assert_frame_equal(again, first)
    assert line.calls == []
    facts = again.attrs["zcrm"]
    assert (facts["job"], facts["reused"]) == ("Leads-1", True)
    assert facts["as_of"] == first.attrs["zcrm"]["as_of"]
    assert not first.attrs["zcrm"]["reused"]


@pytest.mark.parametrize(
    "other",
    [
        {"columns": ["City"]},
        {"where": {"City": "Pune"}},
        {"module": "Contacts", "columns": ["Last_Name"]},
        {"fresh": True},
    ],
)
def test_another_question_is_another_export(org, kernel, other):
    """As is whatever is asked for anew."""
    crm, _ = kernel()
    crm.bulk("Leads", COLUMNS)
    asked = {"module": "Leads", "columns": COLUMNS, **other}
    assert not crm.bulk(**asked).attrs["zcrm"]["reused"]
    assert len(crm.jobs()) == 2


def test_after_a_quarter_of_an_hour_records_are_asked_for_anew(org, kernel):
    """Nobody expects yesterday's table from a new cell."""
    crm, _ = kernel()
    crm.bulk("Leads", COLUMNS)
    org.clock.advance(901)
    assert not crm.bulk("Leads", COLUMNS).attrs["zcrm"]["reused"]


def test_the_line_says_that_an_export_is_used_again(kernel, capsys, monkeypatch):
    """In a terminal: at once, and to stay."""
    crm, _ = kernel()
    crm.bulk("Leads", COLUMNS)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    crm.bulk("Leads", COLUMNS)
    last = capsys.readouterr().err.rstrip("\n").rpartition("\r")[2]
    assert last.startswith("Leads: 250 rows, 3 parts; Leads-1, as of 2026-")


def test_an_older_export_that_is_still_there_is_offered(org, kernel, capsys, monkeypatch):
    """In a line, for whoever can do with records as they were then; not to whoever asks anew."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    crm, _ = kernel()
    crm.bulk("Leads", COLUMNS)
    org.clock.advance(3 * HOURS)
    capsys.readouterr()
    assert not crm.bulk("Leads", COLUMNS).attrs["zcrm"]["reused"]
    said = capsys.readouterr().err
    assert "(3 h ago), is still here: crm.job('Leads-1').df() reads it at no cost" in said
    crm.bulk("Leads", COLUMNS, fresh=True)
    assert "still here" not in capsys.readouterr().err
    org.clock.advance(25 * HOURS)
    crm.bulk("Deals", ["Stage"])  # what is older than a day goes when the next export begins
    capsys.readouterr()
    crm.bulk("Leads", COLUMNS)
    assert "still here" not in capsys.readouterr().err


# ---- Zoho fails ----------------------------------------------------------------------------------


def test_a_failed_job_says_what_zoho_said(org, kernel):
    """And is not used again by the next one."""
    crm, _ = kernel()
    org.jobs.fail_next("Out of cheese")
    with pytest.raises(JobError, match=r"could not finish the bulk job \d+ of Leads-1") as caught:
        crm.bulk("Leads", COLUMNS)
    assert "Out of cheese" in caught.value.said
    assert crm.job("Leads-1").state == "failed"
    with pytest.raises(JobError, match="could not finish"):
        crm.job("Leads-1").df()
    assert len(crm.bulk("Leads", COLUMNS)) == 250


def test_a_result_that_has_expired_is_an_error_with_a_way_out(org, kernel):
    """A day after; what is noted tells it without a call."""
    crm, line = kernel()
    line.cut_at = 4
    with pytest.raises(Killed):
        crm.bulk("Leads", COLUMNS, progress=False)
    _wait_for_threads()
    org.clock.advance(25 * HOURS)
    crm, line = kernel()
    assert crm.job("Leads-1").state == "expired"
    with pytest.raises(JobError, match="not finished within a day"):
        crm.job("Leads-1").df()
    assert line.calls == []


def test_a_file_that_zoho_has_lost_is_an_error(org, kernel):
    """Sooner than it promises."""
    crm, line = kernel()
    line.cut_at = 3
    with pytest.raises(Killed):
        crm.bulk("Deals", ["Stage"], progress=False)
    _wait_for_threads()
    org.jobs.expire_files()
    with pytest.raises(JobError, match=r"no longer has the bulk job \d+, or its file"):
        kernel()[0].job("Deals-1").df()


def test_a_page_token_that_has_expired_is_an_error(kernel, org):
    """Here the clock says all is well, and Zoho does not."""
    crm, line = kernel()
    line.cut_at = 3
    with pytest.raises(Killed):
        crm.bulk("Leads", COLUMNS, progress=False)
    _wait_for_threads()
    noted = crm._job_store.find("Leads-1")
    noted.series[0].jobs = noted.series[0].jobs[:1]  # the second job was never asked for
    crm._job_store.save(noted)
    org.clock.advance(25 * HOURS)
    again, _ = kernel()
    again._gate.clock = lambda: noted.created
    with pytest.raises(JobError, match="not finished within a day"):
        again.job("Leads-1").df()


@pytest.mark.parametrize("kind", ["torn", "429", "502", "html", "expire_tokens"])
def test_trouble_with_a_download_is_survived(org, kernel, whole, kind):
    """The line breaks, Zoho is busy, a gateway apologises, the token ends."""
    org.faults.add(kind, path="/result", after=1)
    assert_frame_equal(kernel()[0].bulk("Leads", COLUMNS), whole)


@pytest.mark.parametrize("kind", ["429", "502", "reset", "lost", "torn", "expire_tokens"])
def test_trouble_with_a_look_at_a_job_is_survived(org, kernel, whole, kind):
    """Looking may be done twice."""
    org.faults.add(kind, path="/bulk/v8/read/", method="GET")
    assert_frame_equal(kernel()[0].bulk("Leads", COLUMNS), whole)


@pytest.mark.parametrize("kind", ["lost", "torn", "502"])
def test_a_job_whose_answer_was_lost_is_never_asked_for_twice(org, kernel, kind):
    """It may be running: the person decides."""
    org.faults.add(kind, path="/bulk/v8/read", method="POST")
    crm, line = kernel()
    with pytest.raises((ConnectionFailed, ServerError)):
        crm.bulk("Leads", COLUMNS)
    assert line.asked == 1
    assert crm.job("Leads-1").state == "unclear"
    with pytest.raises(JobError, match="ask_again=True"):
        crm.bulk("Leads", COLUMNS)
    assert line.asked == 1


def test_a_job_that_was_refused_leaves_nothing_unclear(kernel):
    """Certainly not taken: the next one asks again."""
    crm, line = kernel()
    with pytest.raises(LimitError), crm.budget(10):
        crm.bulk("Leads", COLUMNS)
    assert line.asked == 0
    assert crm.job("Leads-1").state == "waiting"
    assert len(crm.bulk("Leads", COLUMNS)) == 250
    assert line.asked == 3


def test_a_budget_that_ends_half_way_leaves_the_export_to_be_gone_on_with(kernel, whole):
    """What was paid for is kept."""
    crm, line = kernel()
    with pytest.raises(LimitError), crm.budget(110):
        crm.bulk("Leads", COLUMNS)
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)
    assert line.asked == 3


def test_a_damaged_file_is_fetched_once_more(kernel, whole):
    """Whether it was here or has just come."""
    crm, line = kernel()
    crm.bulk("Leads", COLUMNS)
    (first, *_) = sorted(crm._folder.rglob("*.zip"))
    first.write_bytes(first.read_bytes()[:-100])
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)
    assert line.calls.count("GET result") == 4
    first.unlink()
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)
    assert line.calls.count("GET result") == 5


def test_a_file_that_is_damaged_at_zoho_is_an_error(org, kernel):
    """Twice the same is not bad luck."""
    crm, line = kernel()
    line.cut_at = 3
    with pytest.raises(Killed):
        crm.bulk("Deals", ["Stage"], progress=False)
    _wait_for_threads()
    (path,) = org.jobs.folder.glob("*.zip")
    path.write_bytes(b"PK" + path.read_bytes()[:-50])
    with pytest.raises(JobError, match="not a complete ZIP"):
        kernel()[0].job("Deals-1").df()


def test_more_than_ten_files_in_a_minute_wait_for_the_next(kernel, whole, org, tmp_path):
    """Zoho lets all fail at the eleventh; one that comes too early all the same is asked again."""
    with Org(rows=ROWS, clock=ManualClock(), settings=settings(csv_rows=20)) as emulator:
        line, facts = Line(emulator), emulator.credentials
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        time = _by_hand(emulator)
        gate = gate_of(facts, addresses("in", **urls), "enterprise", line, time)
        crm = CRM(gate, folder=tmp_path / "other")
        assert len(crm.bulk("Leads", COLUMNS)) == 250
        assert line.asked == 13
        # Several threads turn this clock, so a turn may come before Zoho's minute is over.
        assert 13 <= line.calls.count("GET result") <= 16


# ---- What Zoho does not export -------------------------------------------------------------------


def test_more_fields_than_one_job_brings_come_in_several(kernel, monkeypatch):
    """Side by side, and joined by id; a lookup and its name are never parted."""
    monkeypatch.setattr(selection, "FIELDS_PER_JOB", 5)
    crm, line = kernel()
    names = ["Stage", "Amount", "Account_Name", "Contact_Name", "Owner", "Closing_Date", "Type"]
    df = crm.bulk("Deals", names)
    assert_frame_equal(df, crm.records("Deals", names))
    assert line.asked == 2
    asked = [series.query["fields"] for series in crm._job_store.find("Deals-1").series]
    assert [len(fields) for fields in asked] == [4, 5]
    assert crm.jobs().loc[0, "rows"] == len(df)
    assert_frame_equal(crm.bulk("Deals", names, jobs=2, fresh=True), df)


def test_a_login_that_may_not_read_users_gets_last_names(kernel):
    """From the files themselves, as a query tells them."""
    crm, line = kernel()
    line.hides_users = True
    with pytest.warns(DataWarning, match="may not read the list of users"):
        df = crm.bulk("Leads", ["Owner", "City"])
    assert_frame_equal(df, crm.coql("select Owner, City from Leads where id is not null"))
    assert set(df["Owner"]) <= set(kernel()[0].users()["last_name"])


@pytest.mark.parametrize("wrapped", [False, True])
def test_fields_that_zoho_refuses_are_dropped_with_a_word_and_not_asked_for_again(kernel, wrapped):
    """Learned from the refusal, whichever of its shapes; remembered for the next export."""
    crm, line = kernel()
    line.refuses, line.wraps = {"Website": "FIELD_NOT_SUPPORTED"}, wrapped
    with pytest.warns(BulkWarning, match="Zoho does not export Website of Leads"):
        df = crm.bulk("Leads")
    assert "Website" not in df
    assert "Website" in df.attrs["zcrm"]["left_out"]
    assert (line.asked, line.refused) == (4, 1)
    assert_frame_equal(crm.bulk("Leads", fresh=True), df)
    assert_frame_equal(kernel()[0].job("Leads-1").df(), df)
    assert (line.asked, line.refused) == (7, 1)


def test_names_behind_too_many_lookups_come_another_way_for_this_question_only(org, kernel):
    """Zoho follows so many; by query there are names, and another question may ask a job for them.

    Of all columns nobody asked for the names: ids come all the same, and a word.
    """
    crm, line = kernel()
    line.refuses = {"Contact_Name.Full_Name": "JOIN_LIMIT_EXCEEDED"}
    names = ["Account_Name", "Contact_Name", "Stage"]
    df = crm.bulk("Deals", names)
    assert_frame_equal(df, crm.records("Deals", names))
    assert df.attrs["zcrm"]["elsewhere"] == names[:2]
    assert crm.bulk("Deals", ["Account_Name"]).attrs["zcrm"]["elsewhere"] == []
    with pytest.warns(BulkWarning, match="the names of Contact_Name"):
        df = crm.bulk("Deals")
    assert df["Contact_Name"].isna().all()
    assert df["Contact_Name.id"].notna().any()


def test_names_that_would_cost_thousands_of_calls_are_left_out_with_a_word(kernel, monkeypatch):
    """Ids come all the same."""
    monkeypatch.setattr(exporter, "MOST_LISTED", 4)
    crm, _ = kernel()
    with pytest.warns(BulkWarning, match="too much to fetch the names of What_Id of Tasks"):
        df = crm.bulk("Tasks", ["What_Id"])
    assert df["What_Id.id"].notna().any()
    assert df.attrs["zcrm"]["unnamed"] == ["What_Id"]


def test_what_is_asked_for_by_name_comes_another_way(kernel):
    """By query where COQL can, from lists where it cannot; in the order asked for."""
    crm, line = kernel()
    line.refuses = {"Website": "FIELD_NOT_AVAILABLE"}
    names = ["Tag", "Last_Name", "Record_Image", "Website", "Layout", "Email"]
    df = crm.bulk("Leads", names, where="Last_Name like 'S%' or Last_Name like 'R%'")
    assert 0 < len(df) < 250
    assert_frame_equal(df, crm.records("Leads", names, ids=df["id"].tolist()[:100]).head(len(df)))
    assert df.attrs["zcrm"]["elsewhere"] == ["Tag", "Record_Image", "Layout", "Website"]


def test_what_would_cost_thousands_of_calls_is_left_out_with_a_word(kernel, monkeypatch):
    """Images and the like are only in lists, a hundred records a credit."""
    monkeypatch.setattr(backfill, "MOST_LISTED", 249)
    with pytest.warns(BulkWarning, match="would cost too much to fetch Layout of Leads"):
        df = kernel()[0].bulk("Leads", ["Layout", "Tag", "City"])
    assert list(df) == ["id", "Tag", "City"]
    assert df.attrs["zcrm"]["left_out"] == ["Layout"]


def test_columns_from_elsewhere_are_typed_on_no_rows(kernel):
    """A quiet day breaks nothing."""
    crm, _ = kernel()
    some = crm.bulk("Leads", ["Tag", "City"])
    none = crm.bulk("Leads", ["Tag", "City"], where={"City": "Atlantis"})
    assert none.dtypes.equals(some.dtypes)


@pytest.mark.parametrize(
    ("module", "column", "at"),
    [
        ("Quotes", "Quoted_Items", "Quoted_Items"),
        ("Site_Visits", "Products_Shown", "Site_Visits_X_Products"),
        ("Site_Visits", "Engineers", "Site_Visits_X_Users"),
    ],
)
def test_tables_within_a_record_are_refused_with_the_place_where_they_are(
    kernel, module, column, at
):
    """Nothing is sent, and the module named can be exported."""
    crm, line = kernel()
    with pytest.raises(ValueError, match=rf"crm\.bulk\('{at}'\)"):
        crm.bulk(module, [column])
    assert line.calls == []
    assert len(crm.bulk(at)) > 0


def test_a_module_that_zoho_does_not_export_says_how_to_read_it(kernel):
    """As its error says."""
    crm, _ = kernel()
    with pytest.raises(APIError, match=r"Bulk read does not export this module: use crm\.coql"):
        crm.bulk("Notes")


def test_users_that_the_directory_lacks_are_named_by_a_list(kernel, whole):
    """Somebody who left long ago still owns records."""
    crm, _ = kernel()
    users = crm._catalogue.users()
    gone = whole["Owner.id"].iloc[0]
    users[:] = [each for each in users if each["id"] != gone]
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)


def test_paths_along_lookups_are_columns(kernel):
    """Typed by the field they end on, as in COQL."""
    crm, _ = kernel()
    names = ["Deal_Name", "Account_Name.Industry", "Account_Name.Parent_Account", "Owner.last_name"]
    meant = crm.coql(f"select {', '.join(names)} from Deals where id is not null")
    assert_frame_equal(crm.bulk("Deals", names), meant)


def test_ids_alone_can_be_exported(kernel, whole):
    """Without fields Zoho would send all of them."""
    crm, _ = kernel()
    df = crm.bulk("Leads", [])
    assert df.columns.tolist() == ["id"]
    assert df["id"].tolist() == whole["id"].tolist()


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": ["Lst_Name"]},
        {"columns": ["Owner.nobody"]},
        {"module": "Lead"},
        {"jobs": 0},
        {"tz": "Mars/Olympus"},
        {"where": "City = "},
        {"where": "City = :city"},
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(kernel, asked):
    """A job costs fifty credits: a typing error does not."""
    crm, line = kernel()
    with pytest.raises((ValueError, LookupError, ZohoError)):
        crm.bulk(**{"module": "Leads", "columns": COLUMNS, **asked})
    assert line.calls == []
    assert len(crm.jobs()) == 0


# ---- What Zoho does not document -----------------------------------------------------------------


def job_with(state: object = "COMPLETED", **result: object) -> Canned:
    """A status of a job as no page shows it."""
    reply = {"id": "77", "state": state, **({"result": result} if result else {})}
    return 200, {"data": [reply]}


@pytest.mark.parametrize("state", ["FAILURE", "failed", "CANCELLED", "Error", "ABORTED", "skipped"])
@pytest.mark.parametrize(
    "result",
    [
        {},
        {"error_message": "bad criteria"},
        {"error_message": {"code": "INVALID", "message": "bad criteria"}},
        {"error_message": None, "count": None},
        {"error_message": ["bad criteria"]},
    ],
)
def test_a_job_that_ended_otherwise_is_an_error_at_once(kernel, state, result):
    """By any word for it, and with Zoho's reason in any shape; crm.jobs() knows it as failed."""
    crm, line = kernel()
    line.canned["GET"] = [job_with(state, **result)]
    with pytest.raises(JobError, match="could not finish the bulk job") as caught:
        crm.bulk("Leads", COLUMNS)
    assert state.upper() in caught.value.said
    assert ("bad criteria" in caught.value.said) == (
        type(result.get("error_message")) in {str, dict}
    )
    assert (line.asked, len(line.calls)) == (1, 2)
    assert crm.jobs()["state"].tolist() == ["failed"]


@pytest.mark.parametrize(
    "status",
    [
        (204, b""),
        (200, {"data": []}),
        (200, {"data": [{"id": "77"}]}),
        (200, {"data": {"id": "77"}}),
        (200, {"data": [None]}),
        (200, []),
        job_with(None),
        job_with("SLEEPING"),
        job_with(["COMPLETED"]),
    ],
)
def test_a_state_without_meaning_is_not_polled_for_ever(kernel, whole, status):
    """A few looks, then an error that says how to look again; nothing is paid twice."""
    crm, line = kernel()
    line.canned["GET"] = [status]
    with pytest.raises(JobError, match=r"no state|does not document") as caught:
        crm.bulk("Leads", COLUMNS)
    assert (line.asked, len(line.calls)) == (1, 6)
    assert "crm.job('Leads-1').df()" in caught.value.todo
    line.canned.clear()
    assert_frame_equal(crm.job("Leads-1").df(), whole)
    assert line.asked == 3


def test_one_odd_state_among_others_is_waited_out(kernel, whole):
    """A hiccup is no end."""
    crm, line = kernel()
    line.canned["GET"] = [(204, b""), job_with("SLEEPING"), job_with("IN_PROGRESS"), None]
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)


def test_a_job_that_never_ends_is_given_up_after_hours(org, kernel):
    """The note stays: the next call looks again."""
    crm, line = kernel()
    line.canned["GET"] = [job_with("IN PROGRESS")]
    started = org.clock.now()
    with pytest.raises(JobError, match=r"did not finish in four hours") as caught:
        crm.bulk("Leads", COLUMNS)
    assert "IN PROGRESS" in caught.value.said
    assert 3.9 * HOURS < org.clock.now() - started < 4.1 * HOURS
    assert crm.jobs()["state"].tolist() == ["waiting"]


@pytest.mark.parametrize("back_s", [60, HOURS, 48 * HOURS])
def test_a_clock_that_is_set_back_makes_no_wait_longer(org, kernel, whole, back_s):
    """Waits are for Zoho, not for this machine's clock."""
    crm, _ = kernel()
    sleep, waits, clock, set_back = crm._gate.sleep, [], crm._gate.clock, [0.0]

    def sleeping(seconds):
        waits.append(seconds)
        set_back[0] = back_s
        sleep(seconds)

    crm._gate.sleep, crm._gate.clock = sleeping, lambda: clock() - set_back[0]
    assert_frame_equal(crm.bulk("Leads", COLUMNS), whole)
    assert max(waits) <= 30


@pytest.mark.parametrize("token", [None, "", 5, ["x"]])
@pytest.mark.parametrize("more", [True, "true"])
def test_more_records_without_a_token_are_an_error_and_cost_nothing(kernel, token, more):
    """Half a table is not handed out, and no job is requested that cannot be."""
    crm, line = kernel()
    line.canned["GET"] = [job_with(count=100, more_records=more, next_page_token=token)]
    for call in (lambda: crm.bulk("Leads", COLUMNS), lambda: crm.job("Leads-1").df()):
        with pytest.raises(JobError, match="gave no page token") as caught:
            call()
        assert "fresh=True" in caught.value.todo
        assert line.asked == 1


EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


@pytest.mark.parametrize("count", [0, "0"])
@pytest.mark.parametrize("result", [(204, b""), (200, EMPTY_ZIP, "application/zip")])
def test_an_empty_job_without_a_file_is_an_empty_table(kernel, result, count):
    """As one with a header is; it stays so when it is read again, and in files."""
    crm, line = kernel()
    expected = crm.bulk("Leads", COLUMNS, where={"City": "Atlantis"})
    line.canned.update(GET=[job_with(count=count, more_records=False)], result=[result])
    assert_frame_equal(crm.bulk("Leads", COLUMNS), expected)
    assert_frame_equal(crm.job("Leads-2").df(), expected)
    assert line.calls.count("GET result") == 2
    for target in ("leads", "leads.csv", "leads.duckdb"):
        assert crm.export("Leads", crm._folder / target, COLUMNS).rows == 0


@pytest.mark.parametrize("result", [(204, b""), (200, EMPTY_ZIP, "application/zip")])
@pytest.mark.parametrize("count", [5, None])
def test_a_file_without_the_records_that_zoho_announced_is_an_error(kernel, count, result):
    """Nothing is not taken for an empty table unless Zoho says that it is one."""
    crm, line = kernel()
    line.canned.update(GET=[job_with(count=count, more_records=False)], result=[result])
    with pytest.raises(JobError, match=r"returned no file|0 files instead of one"):
        crm.bulk("Leads", COLUMNS)


@pytest.mark.parametrize(
    "reply",
    [
        {"data": [{"details": {"id": None}}]},
        {"data": [{"details": "77"}]},
        {"data": [{"details": {"id": ["77"]}}]},
        {"data": [{"details": {"id": "../users"}}]},
        {"data": "77"},
        ["77"],
    ],
)
def test_a_job_whose_id_makes_no_sense_is_unclear(kernel, reply):
    """It may be running: it is not requested again by itself."""
    crm, line = kernel()
    line.canned["POST"] = [(201, reply)]
    with pytest.raises(JobError, match="has no job id"):
        crm.bulk("Leads", COLUMNS)
    assert crm.jobs()["state"].tolist() == ["unclear"]
    assert line.asked == 1


# ---- Records that change between jobs ------------------------------------------------------------

MANY = ["Stage", "Amount", "Account_Name", "Contact_Name", "Owner", "Closing_Date", "Type"]


@pytest.mark.filterwarnings("ignore:Zoho announced")
@pytest.mark.parametrize("column", ["Stage", "Owner", "Closing_Date"])
def test_a_record_that_one_batch_of_fields_lacks_is_read_by_its_id(kernel, monkeypatch, column):
    """No row is half empty: of a later batch it is completed, of the first one it is no row."""
    monkeypatch.setattr(selection, "FIELDS_PER_JOB", 5)
    crm, line = kernel()
    expected = crm.records("Deals", MANY)
    lacking = set(expected["id"].iloc[[0, 7, 19]])
    line.lacks = {column: lacking}
    df = crm.bulk("Deals", MANY)
    if column == "Stage":
        expected = expected[~expected["id"].isin(lacking)].reset_index(drop=True)
    assert_frame_equal(df, expected)


@pytest.mark.filterwarnings("ignore:Zoho announced")
@pytest.mark.parametrize("rows", [[0], [19], [3, 4, 11]])
def test_a_record_that_was_deleted_between_jobs_is_left_out(org, kernel, monkeypatch, rows):
    """It is gone from the CRM, so it is gone from the table."""
    monkeypatch.setattr(selection, "FIELDS_PER_JOB", 5)
    crm, line = kernel()
    expected = crm.records("Deals", MANY)
    gone = set(expected["id"].iloc[rows])
    line.lacks = {"Closing_Date": gone}
    send = line.wsgi.send

    def delete_meanwhile(request, *args, **options):
        if "/coql" in request.url:
            ids = ", ".join(f"'{each}'" for each in gone)
            org.store.execute(f"DELETE FROM Deals WHERE id IN ({ids})")
        return send(request, *args, **options)

    line.wsgi.send = delete_meanwhile
    df = crm.bulk("Deals", MANY)
    assert_frame_equal(df, expected[~expected["id"].isin(gone)].reset_index(drop=True))


def test_a_damaged_note_is_listed_and_hides_no_other(kernel):
    """In crm.jobs() and in the tray; the job it belongs to is refused in words."""
    crm, _ = kernel()
    crm.bulk("Deals", ["Stage"])
    note = crm._folder / "jobs" / "Leads-4.json"
    for content in (b"", b"null", b'{"id": "Leads-4"}'):
        note.write_bytes(content)
        assert dict(crm.jobs()[["id", "state"]].to_numpy()) == {
            "Deals-1": "downloaded",
            "Leads-4": "damaged",
        }
        assert "Leads-4" in repr(crm.job_tray())
        with pytest.raises(JobError, match="note of job Leads-4 is damaged"):
            crm.job("Leads-4")
        assert len(crm.bulk("Deals", ["Stage"])) == 20
