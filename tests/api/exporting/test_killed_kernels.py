"""A kernel that is killed at any step: each call, each file written, each name given to one.

What a process does to the disk is heard by an audit hook; at the step that a test names it dies,
with all its threads, as by SIGKILL: nothing is cleaned up, and nothing more is sent or written.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from requests.adapters import BaseAdapter

from zcrm_nb import CRM
from zcrm_nb.api.writing import bulk_write
from zcrm_nb.auth.data_centres import addresses
from zcrm_nb.emulated import _by_hand, gate_of
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import JobError, WriteError
from zcrm_nb.wire.wsgi import WSGIAdapter

FEW = ("Tasks", "Events", "Calls", "Campaigns", "Products", "Vendors", "Quotes", "Site_Visits")
ROWS = {**dict.fromkeys(FEW, 2), "Leads": 5, "Contacts": 5, "Accounts": 5, "Deals": 12}
CHANGES = {"open", "os.rename", "os.mkdir", "os.remove"}
AT_ONCE = 4  # tests: each takes every fourth step


class KilledError(BaseException):
    """The kernel is gone: no code of ours runs any more."""


class Life:
    """How many steps a kernel has yet, and those it took."""

    def __init__(self) -> None:
        self.folder, self.left, self.steps = "", 0, list[str]()
        self.lock = threading.RLock()

    def begin(self, folder: Path | str, left: int) -> None:
        """Live for so many steps."""
        self.folder, self.left, self.steps = str(folder), left, []

    def step(self, what: str) -> None:
        """Take a step, or die; the dead take none."""
        with self.lock:
            if not self.folder:
                return
            self.steps.append(what)
            self.left -= 1
            if self.left <= 0:
                raise KilledError(what)


LIFE = Life()


def count_change(event: str, args: tuple[Any, ...]) -> None:
    """Count what changes the kernel's own folder."""
    if event not in CHANGES or not LIFE.folder or not isinstance(args[0], str | os.PathLike):
        return
    reads = event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)
    if os.fspath(args[0]).startswith(LIFE.folder) and not reads:
        LIFE.step(f"{event} {Path(args[0]).name}")


sys.addaudithook(count_change)  # it stays for as long as the process does, and is cheap


class Line(BaseAdapter):
    """The line to an emulator: a call is two steps, to send it and to hear the answer."""

    def __init__(self, org: Emulator) -> None:
        super().__init__()
        self.wsgi = WSGIAdapter(org.wsgi)

    def send(self, request, *args, **options):
        LIFE.step(f"asks {request.method}")
        answer = self.wsgi.send(request, *args, **options)
        LIFE.step(f"hears {request.method}")
        return answer

    def close(self) -> None:
        self.wsgi.close()


def kernel(org: Emulator, folder: Path) -> CRM:
    """Begin a kernel."""
    facts = org.credentials
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    gate = gate_of(facts, addresses("in", **urls), org.edition, Line(org), _by_hand(org))
    crm = CRM(gate, folder=folder)
    crm.users()  # what is asked for once is none of the steps
    return crm


def lives(folder: Path, left: int, act) -> bool:
    """Let a kernel act for so many steps; tell whether that was enough."""
    LIFE.begin(folder, left)
    try:
        act()
    except KilledError:
        return False
    except WriteError as stopped:  # a write that is stopped still says where its report is
        if "KilledError" not in stopped.happened:
            raise
        return False
    finally:
        for thread in threading.enumerate():
            if thread.name.startswith("zcrm-bulk"):
                thread.join(10)
        LIFE.begin("", 0)
    return True


def steps_of(first: int):
    """Every fourth step, for as long as there are any."""
    return range(first + 1, 200, AT_ONCE)


@pytest.fixture
def org():
    """An org whose files hold ten records, on a clock that turns when somebody waits."""
    bulk = BulkSettings(csv_rows=10)
    with Emulator(rows=ROWS, clock=ManualClock(), settings=Settings(bulk=bulk)) as emulator:
        yield emulator


def jobs_at_zoho(org: Emulator) -> int:
    """How many jobs Zoho has taken."""
    return int(org.store.read("SELECT count(*) FROM bulk_jobs")[0][0])


@pytest.mark.parametrize("first", range(AT_ONCE))
def test_an_export_is_gone_on_with_after_any_step(org, tmp_path, first):
    """The same table; no job twice, but where nobody knows of one: then that is said first."""
    whole = kernel(org, tmp_path / "whole").records("Deals", ["Stage", "Amount"])
    for left in steps_of(first):
        org.clock.advance(200)  # Accounts makes ten tokens in ten minutes
        before, folder = jobs_at_zoho(org), tmp_path / str(left)
        crm = kernel(org, folder)
        export = lambda crm=crm: crm.bulk("Deals", ["Stage", "Amount"], progress=False)  # noqa: E731
        if lives(folder, left, export):
            break
        died, again = LIFE.steps, kernel(org, folder)
        asked, known = jobs_at_zoho(org) - before, again.jobs()
        if "unclear" in set(known["state"]):
            with pytest.raises(JobError, match="unknown whether Zoho accepted a job"):
                again.bulk("Deals", ["Stage", "Amount"], progress=False)
            assert jobs_at_zoho(org) == before + asked
            df = again.job(known["id"][0]).df(ask_again=True, progress=False)
            assert jobs_at_zoho(org) - before in {2, 3}, died
        else:
            df = again.bulk("Deals", ["Stage", "Amount"], progress=False)
            assert jobs_at_zoho(org) - before == 2, died
        assert_frame_equal(df, whole)
    else:
        raise AssertionError("there are more steps than this test knows")
    assert left > 30, "each call and each note is a step"


@pytest.mark.parametrize("first", range(AT_ONCE))
def test_a_bulk_write_is_settled_after_any_step(org, tmp_path, first):
    """Each row is there once, when what was not done is sent again; no row stays unknown."""
    for left in steps_of(first):
        folder = tmp_path / str(left)
        crm, name = kernel(org, folder), f"Kin {left} of {first}"
        df = pd.DataFrame({"Last_Name": [name] * 3, "City": ["Pune", "Goa", "Kochi"]})
        wish = bulk_write.BulkWriteRequest("Leads", "insert", most_rows=4)
        write = lambda crm=crm, df=df, wish=wish: bulk_write.save(  # noqa: E731
            crm._context(lambda rows: None),
            df,
            wish,
            tick=lambda rows: None,
            say=lambda words: None,
        )
        if lives(folder, left, write):
            break
        died, again = LIFE.steps, kernel(org, folder)
        missing = df
        org.clock.advance(4000)  # an unclear job may be at work for an hour
        if len(again.journal()):
            report = again.report().resolve()
            assert set(report["status"]) <= {"done", "refused"}, died
            missing = df[(report["status"] == "refused").to_numpy()]
        if len(missing):
            again.bulk_write("Leads", missing, operation="insert", progress=False)
        there = again.coql("select City from Leads where Last_Name = :name", name=name)
        assert sorted(there["City"]) == sorted(df["City"]), died
    else:
        raise AssertionError("there are more steps than this test knows")
    assert left > 20, "each call and each note is a step"
