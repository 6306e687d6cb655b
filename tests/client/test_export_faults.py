"""crm.export into files, when kernels die, lines break and days pass: the same, and paid once."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import fsspec
import pytest
import requests
from fsspec.implementations.local import LocalFileSystem
from pandas.testing import assert_frame_equal
from requests.adapters import BaseAdapter

from zcrm_nb import CRM, open_export
from zcrm_nb.api.exporting.target_lock import target_lock
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.emulated import _by_hand, gate_of
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import BulkWarning, JobError, ZohoError
from zcrm_nb.wire.wsgi import WSGIAdapter

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["Last_Name", "City", "Lead_Status", "Created_Time", "Languages_Known"]
PARTS = 3
HOUR = 3600.0
TARGETS = {"parquet": "leads", "csv": "leads.csv", "duckdb": "crm.duckdb"}


class Killed(BaseException):
    """The kernel is gone: no code of ours runs any more."""


class Life:
    """The steps that a kernel takes, until it dies at one of them."""

    def __init__(self, steps: int | None = None) -> None:
        self.left, self.dead, self.lock = steps, False, threading.Lock()

    def step(self) -> None:
        """Take a step, or die; the dead take none."""
        with self.lock:
            if self.left is not None:
                self.left -= 1
                self.dead = self.dead or self.left < 0
            if self.dead:
                raise Killed


class Line(BaseAdapter):
    """The line to an emulator; each call of Bulk Read is a step before it and one after."""

    def __init__(self, org: Emulator, life: Life) -> None:
        super().__init__()
        self.wsgi, self.life, self.calls = WSGIAdapter(org.wsgi), life, 0

    def send(self, request, *args, **options):
        if "/bulk/" not in request.url:
            return self.wsgi.send(request, *args, **options)
        self.life.step()
        self.calls += 1
        answer = self.wsgi.send(request, *args, **options)
        self.life.step()
        return answer

    def close(self) -> None:
        self.wsgi.close()


class Disk(LocalFileSystem):
    """A disk on which whatever changes it is a step, and a file is open for one."""

    protocol = "disk"
    cachable = False
    life = Life()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("disk://"))

    def _open(self, path, mode="rb", **options):
        if mode == "rb":
            return super()._open(path, mode, **options)
        self.life.step()
        stream = super()._open(path, mode, **options)
        self.life.step()
        return stream

    def mv(self, *paths, **options):
        self.life.step()
        super().mv(*paths, **options)

    def rm(self, *paths, **options):
        self.life.step()
        super().rm(*paths, **options)


fsspec.register_implementation("disk", Disk, clobber=True)


@pytest.fixture
def org():
    """An org whose Leads come in three parts, and whose waiting turns its clock."""
    settings = Settings(bulk=BulkSettings(csv_rows=20))
    rows = {"Leads": 50, "Contacts": 5, "Accounts": 5, "Deals": 5}
    with Emulator(rows=rows, clock=ManualClock(), settings=settings) as emulator:
        yield emulator


@pytest.fixture
def kernel(org, tmp_path):
    """Begin a kernel, which may have to die: a CRM and its line. Notes are kept in one folder."""

    def kernel(life: Life | None = None, notes: str = "notes") -> tuple[CRM, Line]:
        Disk.life = life or Life()
        line, facts = Line(org, Disk.life), org.credentials
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        gate = gate_of(facts, addresses("in", **urls), org.edition, line, _by_hand(org))
        return CRM(gate, folder=tmp_path / notes), line

    return kernel


@pytest.fixture
def whole(kernel) -> pd.DataFrame:
    """What the list of the same records gives."""
    return kernel()[0].records("Leads", COLUMNS)


def jobs_at_zoho(org: Emulator) -> int:
    """How many jobs Zoho has taken."""
    return int(org.store.read("SELECT count(*) FROM bulk_jobs")[0][0])


def wait_for_threads() -> None:
    """A kernel that is gone has no threads."""
    for thread in threading.enumerate():
        if thread.name.startswith("zcrm-bulk"):
            thread.join(10)


def holds_nothing_else(folder: Path) -> bool:
    """Whether a folder has a manifest and a file for each part."""
    names = sorted(path.name.partition(".")[0] for path in folder.iterdir())
    return names == ["_manifest", *(f"part-000-{number:05d}" for number in range(PARTS))]


# ---- The kernel dies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "stride"), [("disk://{}/leads", 1), ("disk://{}/leads.csv", 3), ("{}/x.duckdb", 2)]
)
def test_a_kernel_may_die_between_any_two_steps(org, kernel, whole, tmp_path, target, stride):
    """Of calls and of files: the next one goes on, and asks for no job that there is."""
    for steps in range(0, 1000, stride):
        org.clock.advance(HOUR)  # Accounts gives each kernel a token, but not many in ten minutes
        place, notes, before = tmp_path / str(steps), f"{steps}.notes", jobs_at_zoho(org)
        place.mkdir()
        asked: dict[str, Any] = {"target": target.format(place), "columns": COLUMNS}
        crm, _ = kernel(Life(steps), notes=notes)
        try:
            crm.export("Leads", progress=False, **asked)
        except Killed:
            wait_for_threads()
        else:
            break
        crm, line = kernel(notes=notes)
        taken = jobs_at_zoho(org) - before
        if "unclear" in set(crm.jobs()["state"]):
            with pytest.raises(
                JobError, match=r"The same crm.export\(…, ask_again=True\) requests it again"
            ):
                crm.export("Leads", **asked)
            assert line.calls == 0
            taken -= len(
                crm.jobs()["zoho_ids"][0]
            )  # one that Zoho took and nobody knows of, or none
            assert taken in {0, 1}
            export = crm.export("Leads", ask_again=True, **asked)
        else:
            taken = 0
            export = crm.export("Leads", **asked)
        assert jobs_at_zoho(org) - before == PARTS + taken
        assert_frame_equal(export.df(), whole)
        assert_frame_equal(open_export(asked["target"]).df(), whole)
        if place.joinpath("leads").is_dir():
            assert holds_nothing_else(place / "leads")
    assert steps > 15


@pytest.mark.parametrize("kind", TARGETS)
def test_an_interrupt_leaves_the_export_to_be_gone_on_with(org, kernel, whole, tmp_path, kind):
    """As Ctrl-C in a cell while Zoho is at work on the second part."""
    crm, _ = kernel()
    waits, real = iter(range(100)), crm._gate.sleep

    def interrupted(seconds):
        if next(waits) == 2:
            raise KeyboardInterrupt
        real(seconds)

    crm._gate.sleep = interrupted
    with pytest.raises(KeyboardInterrupt):
        crm.export("Leads", tmp_path / TARGETS[kind], COLUMNS)
    crm._gate.sleep = real
    assert_frame_equal(crm.export("Leads", tmp_path / TARGETS[kind], COLUMNS).df(), whole)
    assert jobs_at_zoho(org) == PARTS


# ---- Downloads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("fault", ["torn", "truncated", "429", "502", "expire_tokens"])
def test_trouble_with_a_download_is_survived(org, kernel, whole, tmp_path, kind, fault):
    """The line breaks, a ZIP is cut off, Zoho is busy: no job more, no row less."""
    org.faults.add(fault, path="/result", after=1)
    crm, _ = kernel()
    assert_frame_equal(crm.export("Leads", tmp_path / TARGETS[kind], COLUMNS).df(), whole)
    assert jobs_at_zoho(org) == PARTS


def test_a_field_that_zoho_refuses_is_no_column(org, kernel, tmp_path):
    """As in a table of crm.bulk, though the reader of the files was made before."""
    crm, line = kernel()
    refuse(line, "City")
    with pytest.warns(BulkWarning, match="no City"):
        export = crm.export("Leads", tmp_path / "leads", COLUMNS)
    assert list(export.df()) == ["id", *(name for name in COLUMNS if name != "City")]
    assert list(open_export(tmp_path / "leads").df()) == list(export.df())


def refuse(line: Line, name: str) -> None:
    """Let Zoho refuse a field that its metadata lists."""
    real, said = line.send, {"code": "FIELD_NOT_SUPPORTED", "details": {"api_name": name}}

    def send(request, *args, **options):
        if request.method != "POST" or name not in str(request.body):
            return real(request, *args, **options)
        answer = requests.Response()
        answer.status_code, answer.request = 400, request
        answer.headers["Content-Type"] = "application/json"
        answer.raw = io.BytesIO(json.dumps(said).encode())
        return answer

    line.send = send


# ---- Time passes ---------------------------------------------------------------------------------


def killed(kernel, target: Path, steps: int) -> None:
    """Begin an export in a kernel that dies."""
    with pytest.raises(Killed):
        kernel(Life(steps))[0].export("Leads", target, COLUMNS, progress=False)
    wait_for_threads()


@pytest.mark.parametrize("kind", TARGETS)
def test_the_job_of_the_manifest_is_gone_on_with_for_a_day(org, kernel, whole, tmp_path, kind):
    """Not only for the quarter of an hour in which the same question is the same everywhere."""
    target = tmp_path / TARGETS[kind]
    killed(kernel, target, 13)
    org.clock.advance(20 * HOUR)
    crm, _ = kernel()
    assert_frame_equal(crm.export("Leads", target, COLUMNS).df(), whole)
    assert jobs_at_zoho(org) == PARTS
    crm.export("Leads", tmp_path / "elsewhere", COLUMNS)  # there it is another export
    assert jobs_at_zoho(org) == 2 * PARTS


@pytest.mark.parametrize("kind", TARGETS)
def test_what_has_expired_is_begun_anew_on_request(org, kernel, whole, tmp_path, kind):
    """The error says what is there; nothing is asked for and nothing removed before that."""
    target = tmp_path / TARGETS[kind]
    killed(kernel, target, 13)
    org.clock.advance(25 * HOUR)
    crm, line = kernel()
    with pytest.raises(JobError, match=r"(?s)cannot be continued; it has [0-3] parts, "
                       r"\d+ rows.*for one day.*fresh=True removes them"):  # fmt: skip
        crm.export("Leads", target, COLUMNS)
    assert line.calls == 0
    assert_frame_equal(crm.export("Leads", target, COLUMNS, fresh=True).df(), whole)
    assert target.is_file() or holds_nothing_else(target)


def test_where_only_the_last_word_was_missing_nothing_is_asked_for(org, kernel, whole, tmp_path):
    """All parts are there, and their files at Zoho gone for days."""
    target = tmp_path / "leads"
    crm, _ = kernel()
    crm.export("Leads", target, COLUMNS)
    manifest = target / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete": true', '"complete": false'))
    org.clock.advance(50 * HOUR)
    crm, line = kernel()
    crm.bulk("Deals", ["Stage"])  # sweeps what is older than a day
    calls = line.calls
    assert_frame_equal(crm.export("Leads", target, COLUMNS).df(), whole)
    assert line.calls == calls


def test_another_login_does_not_go_on_with_it(kernel, tmp_path):
    """Its jobs are those of another org."""
    killed(kernel, tmp_path / "leads", 13)
    other, line = kernel(notes="others")
    with pytest.raises(JobError, match="no note of its jobs"):
        other.export("Leads", tmp_path / "leads", COLUMNS)
    assert line.calls == 0


def test_somebody_else_at_work_on_it_is_left_alone(kernel, tmp_path):
    """Two notebooks do not write one export."""
    killed(kernel, tmp_path / "leads", 13)
    crm, line = kernel()
    noted = crm._job_store.find("Leads-1")
    with crm._job_store.lock(noted), pytest.raises(JobError, match="Leads-1 is running"):
        crm.export("Leads", tmp_path / "leads", COLUMNS)
    assert line.calls == 0


# ---- Asked for what cannot be --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"columns": ["City"]}, "holds another export, of Leads"),
        ({"exact": True}, "holds this export with exact=False"),
        ({"format": "csv"}, "holds this export with format='parquet'"),
    ],
)
def test_another_export_is_replaced_only_on_request(org, kernel, tmp_path, options, words):
    """The same question with other options is another export too."""
    crm, line = kernel()
    asked = {"module": "Leads", "target": tmp_path / "leads", "columns": COLUMNS}
    crm.export(**asked)
    calls = line.calls
    with pytest.raises(ValueError, match=words):
        crm.export(**{**asked, **options})
    assert line.calls == calls
    assert crm.export(**{**asked, **options}, fresh=True).rows == 50
    assert holds_nothing_else(tmp_path / "leads")
    assert jobs_at_zoho(org) == 2 * PARTS


def test_a_target_that_makes_no_sense_sends_nothing(kernel, tmp_path):
    """Not even a question about fields."""
    crm, _ = kernel()
    with crm.trace() as calls:
        for target, options in (("s3://bucket/crm.duckdb", {}), (tmp_path, {"format": "xlsx"})):
            with pytest.raises(ValueError, match=r"DuckDB|not one of"):
                crm.export("Leads", target, COLUMNS, **options)
    assert calls == []
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        crm.export("Leads", tmp_path / "taken", COLUMNS)
    assert crm.jobs().empty


def test_one_file_of_duckdbs_holds_several_exports(kernel, tmp_path):
    """A table each, named by the module or by the person."""
    crm, _ = kernel()
    path = tmp_path / "crm.duckdb"
    crm.export("Leads", path, COLUMNS)
    crm.export("Deals", path, ["Stage"], table="deal stages")
    assert open_export(path, table="deal stages").module == "Deals"
    with pytest.raises(ValueError, match="names one of Leads, deal stages"):
        open_export(path)
    held = open_export(path, table="Leads").duckdb()
    assert held.aggregate("count(*)").fetchall() == [(50,)]
    with pytest.raises(OSError, match="delete relations made from it"):
        crm.export("Leads", path, COLUMNS, fresh=True)
    del held
    assert crm.export("Leads", path, COLUMNS, fresh=True).rows == 50


# ---- What a failed export leaves behind ----------------------------------------------------------


def refused(org, crm, tmp_path):
    """Zoho does not export the module."""
    return {"module": "Notes"}


def out_of_credits(org, crm, tmp_path):
    """The budget ends before the first job."""
    return {"module": "Leads"}


def failed_job(org, crm, tmp_path):
    """Zoho gives up on the first job."""
    org.jobs.fail_next("Out of cheese")
    return {"module": "Leads"}


def no_such_range(org, crm, tmp_path):
    """The module cannot be cut into ranges."""
    return {"module": "Leads", "jobs": 0}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("trouble", [refused, out_of_credits, failed_job, no_such_range])
def test_a_failed_export_leaves_nothing_behind(org, kernel, tmp_path, kind, trouble):
    """No folder, no manifest, no empty table: whoever opens the target finds no export."""
    crm, _ = kernel()
    target = tmp_path / TARGETS[kind]
    budget = crm.budget(10 if trouble is out_of_credits else 1000)
    with pytest.raises((ZohoError, ValueError)), budget:
        crm.export(target=target, **trouble(org, crm, tmp_path))
    assert not target.exists()
    with pytest.raises(FileNotFoundError, match="holds no export"):
        open_export(target)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("trouble", [refused, failed_job])
def test_a_failed_export_leaves_what_was_there_before(org, kernel, tmp_path, kind, trouble):
    """Files of the person's own, and other tables of a DuckDB file."""
    crm, _ = kernel()
    target = tmp_path / TARGETS[kind]
    if kind == "duckdb":
        crm.export("Deals", target, ["Stage"])
    else:
        target.mkdir()
        target.joinpath("mine.txt").write_text("mine")
    with pytest.raises(ZohoError):
        crm.export(target=target, **trouble(org, crm, tmp_path))
    if kind == "duckdb":
        assert open_export(target).module == "Deals"
    else:
        assert [path.name for path in target.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("kind", TARGETS)
def test_an_export_that_failed_half_way_says_so_and_not_that_it_goes_on(
    org, kernel, whole, tmp_path, kind
):
    """Its first part is there, and the last job has failed: only fresh=True helps."""
    crm, _ = kernel()
    target, sleep, written = tmp_path / TARGETS[kind], crm._gate.sleep, threading.Event()
    failures = iter([True])

    def fail_the_last(seconds):
        if jobs_at_zoho(org) == 2 and next(failures, False):
            assert written.wait(20)
            org.jobs.fail_next("Out of cheese")
        sleep(seconds)

    crm._gate.sleep = fail_the_last
    with pytest.raises(JobError, match="could not finish the bulk job"):
        crm.export("Leads", target, COLUMNS, progress=lambda *rows: written.set())
    crm._gate.sleep = sleep
    with pytest.raises(ValueError, match=r"(?s)not complete and cannot be continued.*fresh=True"):
        open_export(target)
    with pytest.raises(JobError, match=r"(?s)cannot be continued; it has [12] parts.*fresh=True"):
        crm.export("Leads", target, COLUMNS)
    assert_frame_equal(crm.export("Leads", target, COLUMNS, fresh=True).df(), whole)


def test_an_unfinished_export_says_until_when_it_can_be_continued(kernel, tmp_path):
    """The reader of the files has no login to look it up with."""
    killed(kernel, tmp_path / "leads", 13)
    with pytest.raises(ValueError, match=r"begun at 2026-.* not complete.\nRun the same .* day"):
        open_export(tmp_path / "leads")


# ---- Two kernels, one target ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_is_written_by_one_kernel_at_a_time(org, kernel, whole, tmp_path, kind):
    """The second is told who is writing, at once and before it pays; then it opens the export."""
    target = tmp_path / TARGETS[kind]
    crm, _ = kernel()
    other, line = kernel(notes="others")
    refusals = []

    def meanwhile(rows, parts, total):
        if parts == 1:
            with pytest.raises((JobError, OSError)) as caught:
                other.export("Leads", target, COLUMNS)
            refusals.append(str(caught.value))

    assert_frame_equal(crm.export("Leads", target, COLUMNS, progress=meanwhile).df(), whole)
    (refusal,) = refusals
    if kind != "duckdb":  # which has a lock of its own
        assert f"Another export is writing to {target}: Leads, by process {os.getpid()}" in refusal
    assert line.calls == 0
    assert other.export("Leads", target, COLUMNS).rows == 50
    assert jobs_at_zoho(org) == PARTS


def test_a_target_is_the_same_by_every_way_to_write_it(kernel, tmp_path, monkeypatch):
    """Relative, through a link, with a slash behind it; a kernel that died holds nothing."""
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("real").mkdir()
    tmp_path.joinpath("link").symlink_to(tmp_path / "real")
    with target_lock(str(tmp_path / "real/leads"), "Leads", 0.0):
        for written in ("real/leads", "link/leads", "real/leads/", "./real/../real/leads"):
            with pytest.raises(JobError, match="is writing to"), target_lock(written, "Deals", 0.0):
                raise AssertionError
        with target_lock("real/other", "Leads", 0.0):
            pass
    with target_lock("real/leads", "Leads", 0.0):
        pass


# ---- Damaged manifests ---------------------------------------------------------------------------

DAMAGE = {
    "cut off": lambda text: text[:-60],
    "empty": lambda text: "",
    "null": lambda text: "null",
    "a list": lambda text: "[]",
    "no question": lambda text: text.replace('"question"', '"questions"'),
    "no parts": lambda text: text.replace('"parts"', '"pieces"'),
    "rows as text": lambda text: text.replace('"rows": 20', '"rows": "20"'),
    "facts gone": lambda text: text.replace('"facts": {', '"facts": null, "x": {'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_manifest_is_told_in_words_and_can_be_replaced(kernel, whole, tmp_path, damage):
    """By whoever opens it and by whoever exports again; nothing is sent before that."""
    crm, line = kernel()
    target = tmp_path / "leads"
    crm.export("Leads", target, COLUMNS)
    manifest, calls = target / "_manifest.json", line.calls
    manifest.write_text(DAMAGE[damage](manifest.read_text()))
    with pytest.raises(
        ValueError, match=r"(?s)manifest of the export in .* is damaged.*fresh=True"
    ):
        open_export(target)
    with pytest.raises(
        ValueError, match=r"(?s)manifest of the export in .* is damaged.*fresh=True"
    ):
        crm.export("Leads", target, COLUMNS)
    assert line.calls == calls
    assert_frame_equal(crm.export("Leads", target, COLUMNS, fresh=True).df(), whole)


@pytest.mark.parametrize("line", ["", "null", "{", '{"question": 5}'])
def test_a_damaged_manifest_in_duckdb_is_told_in_words(kernel, whole, tmp_path, line):
    """The same, where it is a row of a table."""
    crm, _ = kernel()
    target = tmp_path / "crm.duckdb"
    crm.export("Leads", target, COLUMNS)
    with duckdb.connect(str(target)) as db:
        db.execute("UPDATE zcrm_nb.exports SET manifest = ?", [line])
    with pytest.raises(ValueError, match="is damaged"):
        open_export(target)
    assert_frame_equal(crm.export("Leads", target, COLUMNS, fresh=True).df(), whole)


# ---- How old it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize(("hours", "age"), [(1, "60 min"), (5, "5 h"), (24 * 7, "7 days")])
def test_an_old_export_says_how_old_it_is(org, kernel, tmp_path, kind, hours, age):
    """A nightly call that sends nothing does not look like today's."""
    crm, _ = kernel()
    target = tmp_path / TARGETS[kind]
    first = crm.export("Leads", target, COLUMNS)
    assert first.as_of == first.df().attrs["zcrm"]["as_of"]
    assert "as of 2026-" in repr(first)
    org.clock.advance(hours * HOUR)
    with pytest.warns(BulkWarning, match=rf"already holds this export, as of .* \({age} ago\)"):
        assert crm.export("Leads", target, COLUMNS).as_of == first.as_of
    assert crm.export("Leads", target, COLUMNS, fresh=True).as_of > first.as_of
