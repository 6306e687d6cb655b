"""A report is never lost: whatever is raised after the first call, and whatever the disk holds."""

from __future__ import annotations

import errno
import os
import warnings

import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.errors import WriteError, WriteInterrupted, WriteWarning

ROWS = {"Leads": 250, "Contacts": 20, "Accounts": 10, "Deals": 20, "Tasks": 5, "Events": 5,
        "Site_Visits": 6}  # fmt: skip


@pytest.fixture
def org():
    """An org of a test's own."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def crm(org, tmp_path):
    """A CRM on it, whose waiting moves the org's clock and whose notes stay."""
    crm = attach(org, folder=tmp_path)
    crm._gate.sleep = org.clock.advance
    return crm


# ---- What is raised meanwhile --------------------------------------------------------------------


def leads(crm, count=3):
    """Some leads."""
    return crm.records("Leads", ["Last_Name", "City"], limit=count)


def deleted(crm):
    """Some leads in the recycle bin."""
    table = leads(crm)
    crm.mass_delete("Leads", table)
    return table


def account(crm):
    """The id of an account."""
    return crm.records("Accounts", ["Account_Name"], limit=1)["id"].item()


WRITES = {
    "insert": lambda crm, **how: crm.insert("Leads", [{"Last_Name": "x"}] * 250, **how),
    "update": lambda crm, **how: crm.update("Leads", leads(crm, 250).assign(City="x"), **how),
    "upsert": lambda crm, **how: crm.upsert(
        "Leads", {"Last_Name": "x", "Email": "x@example.com"},
        duplicate_check_fields="Email", **how),
    "delete": lambda crm, **how: crm.delete("Leads", leads(crm), **how),
    "apply": lambda crm, **how: crm.diff(
        "Leads", leads(crm).assign(City=[f"x{crm.credits.spent}", "y", "z"])).apply(**how),
    "convert": lambda crm, **how: crm.convert(leads(crm), **how),
    "change_owner": lambda crm, **how: crm.change_owner(
        "Leads", leads(crm), "Priya Banerjee", **how),
    "mass_update": lambda crm, **how: crm.mass_update(
        "Leads", leads(crm), values={"City": "x"}, **how),
    "mass_delete": lambda crm, **how: crm.mass_delete("Leads", leads(crm), **how),
    "restore": lambda crm, **how: crm.restore("Leads", deleted(crm), **how),
    "erase": lambda crm, **how: crm.empty_recycle_bin("Leads", expect=len(deleted(crm)), **how),
    "tag": lambda crm, **how: crm.tag("Leads", leads(crm), "x", **how),
    "untag": lambda crm, **how: crm.untag("Leads", leads(crm), "x", **how),
    "link": lambda crm, **how: crm.link(
        "Accounts", account(crm), "Contacts", crm.records("Contacts", limit=2), **how),
    "add_note": lambda crm, **how: crm.add_note("Leads", leads(crm), "x", **how),
    "attach": lambda crm, **how: crm.attach("Leads", leads(crm)["id"][0], b"x", name="x", **how),
    "upload": lambda crm, **how: crm.upload(b"x", name="x", **how),
    "bulk_write": lambda crm, **how: crm.bulk_write(
        "Leads", pd.DataFrame({"Last_Name": ["x"]}), operation="insert", **how),
}  # fmt: skip
RAISED = [ValueError("no"), OverflowError("far too large"), MemoryError(), UserWarning("an error"),
          KeyboardInterrupt()]  # fmt: skip


@pytest.mark.parametrize("verb", WRITES)
def test_what_a_progress_function_raises_leaves_the_report(crm, verb):
    """With what is done; and the run can be taken up again."""
    for error in RAISED:

        def fail(rows, calls, total, error=error):
            raise error

        stop = WriteInterrupted if isinstance(error, KeyboardInterrupt) else WriteError
        with pytest.raises(stop, match=r"crm\.report\(") as caught:
            WRITES[verb](crm, progress=fail)
        report = caught.value.report
        assert set(report["status"]) & {"done", "refused"}, (verb, error)
        assert report.attrs["zcrm"]["credits"] >= 1
        assert crm.report(report.attrs["zcrm"]["run"]).equals(report)
        assert caught.value.__cause__ is error


@pytest.mark.parametrize("verb", ["insert", "update", "delete", "mass_update", "tag", "add_note"])
def test_a_warning_turned_into_an_error_leaves_the_report(org, crm, verb):
    """The answer is lost; the warning says so, and has the report."""
    WRITES[verb](crm)
    org.faults.add("lost", method="PUT")
    org.faults.add("lost", method="DELETE", path="/Leads")
    org.faults.add("lost", method="POST", path="/actions/")
    org.faults.add("lost", method="POST", path="/crm/v8/Leads")
    org.faults.add("lost", method="POST", path="/crm/v8/Notes")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(WriteWarning, match=r"report\.resolve\(\)") as caught:
            WRITES[verb](crm)
    assert "unknown" in set(caught.value.report["status"])


# ---- A full disk ---------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch):
    """A function that lets so many more lines of journals be written, and then none."""
    write, left = os.write, [10_000]

    def limited(file, content):
        if bytes(content[:2]) == b"\n{":
            left[0] -= 1
            if left[0] < 0:
                write(file, bytes(content[: len(content) // 2]))  # what still fitted
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content)

    monkeypatch.setattr(os, "write", limited)

    def allow(lines):
        left[0] = lines

    return allow


@pytest.mark.parametrize("verb", ["insert", "update", "delete", "apply", "mass_update", "tag"])
@pytest.mark.parametrize("lines", range(6))
def test_a_full_disk_in_the_middle_of_a_write_ends_in_a_report(crm, full_disk, verb, lines):
    """Before the first call nothing is sent; after it, the report knows more than the disk."""
    prepared = {"apply": crm.diff("Leads", leads(crm).assign(City="x"))}
    full_disk(lines)
    before = crm.count("Leads", "City = 'x' or Last_Name = 'x'")
    message = "No space left on device"
    try:
        report = prepared[verb].apply() if verb in prepared else WRITES[verb](crm)
    except WriteError as error:
        report, message = error.report, str(error)
    full_disk(10_000)
    assert "No space left on device" in message
    assert isinstance(crm.journal(), pd.DataFrame)
    if report is None:
        assert crm.count("Leads", "City = 'x' or Last_Name = 'x'") == before
        return
    assert not report["status"].isna().any()
    if verb == "insert":
        done = (report["status"] == "done").sum()
        assert crm.count("Leads", "Last_Name = 'x'") == done
        assert report.resolve(wait_s=0)["status"].tolist().count("done") == done


def test_a_full_disk_does_not_cost_the_report_of_an_undoing(crm, full_disk):
    """What it did is done; the original run may be undone again, which finds nothing to undo."""
    report = crm.update("Leads", leads(crm).assign(City="x"))
    for lines in range(2, 5):
        full_disk(lines)
        try:
            back = report.undo()
        except WriteError as error:
            back = error.report
        full_disk(10_000)
        assert back is not None
    assert set(report.undo()["status"]) == {"done"}
    assert not (leads(crm)["City"] == "x").any()


# ---- Damaged notes -------------------------------------------------------------------------------

DAMAGED = {
    "empty": b"",
    "only a break": b"\n",
    "no header, but more lines": b'\n\n{"batch": 0}\n',
    "torn": b'\n{"run": "x", "rows": 2, "module": "Le',
    "null": b"\nnull",
    "a list": b"\n[]",
    "keys that are missing": b'\n{"run": "x", "module": "Leads"}',
    "types that are wrong": b'\n{"rows": "2", "index": 1, "module": null, "action": [], "time": 0}',
    "no text": b"\n\xff\xfe\x00\x81",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_journal_is_listed_as_such_and_stops_nothing(crm, tmp_path, content):
    """A full disk or a kill left it without its first line."""
    report = crm.insert("Leads", {"Last_Name": "Osei"})
    for name in ("00000000T000000000000-bad", "99999999T000000000000-bad"):
        (tmp_path / "writes" / f"{name}.jsonl").write_bytes(content)
    listed = crm.journal()
    assert listed["action"].tolist() == ["damaged", "insert", "damaged"]
    assert listed["done"].tolist()[1] == 1
    assert crm.report().equals(report)
    assert len(crm.jobs()) == 0
    assert "1" in repr(crm.job_tray()) or crm.job_tray() is not None
    with pytest.raises(WriteError, match="damaged"):
        crm.report("99999999T000000000000-bad")
    assert crm.report().undo()["status"].tolist() == ["done"]


def test_damaged_lines_of_a_journal_are_passed_over(crm, tmp_path):
    """Lines of any other form; what is left is read."""
    report = crm.insert("Leads", [{"Last_Name": "Osei"}, {"Last_Name": "Rao"}])
    (path,) = (tmp_path / "writes").glob("*.jsonl")
    for line in (b"null", b"[]", b"5", b'{"batch": 1}', b'{"outcomes": 5, "rows": null}',
                 b'{"of": 0, "at": null, "rows": [0], "outcomes": [[1, 2]]', b"\xff"):  # fmt: skip
        with path.open("ab") as file:
            file.write(b"\n" + line)
    assert crm.report().equals(report)
    assert crm.journal()["done"].tolist() == [2]
