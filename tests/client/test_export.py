"""crm.export end to end: files whole or absent, taken up again, and read by each engine."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from tests.worlds import Org
from zcrm_nb import open_export
from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import BulkWarning, JobError

COLUMNS = ["Last_Name", "City", "Lead_Status", "Annual_Revenue", "Owner", "Created_Time",
           "Languages_Known", "Next_Follow_Up", "Email_Opt_Out", "No_of_Employees"]  # fmt: skip


@pytest.fixture
def org():
    """An org whose exports come in seven parts, and whose waiting turns its clock."""
    settings = Settings(bulk=BulkSettings(csv_rows=40))
    rows = {"Leads": 250, "Deals": 5}
    with Org(rows=rows, clock=ManualClock(), settings=settings) as emulator:
        yield emulator


@pytest.fixture
def crm(org, tmp_path):
    """A CRM on it, with notes that others can go on with."""
    return attach(org, folder=tmp_path / "notes")


def test_the_files_hold_what_bulk_gives(crm, tmp_path):
    """The same table, dtype by dtype; opened again it is still the same."""
    export = crm.export("Leads", tmp_path / "leads", COLUMNS)
    expected = crm.bulk("Leads", COLUMNS)
    assert_frame_equal(export.df(), expected)
    assert_frame_equal(open_export(tmp_path / "leads").df(), expected)
    assert export.rows == len(expected) == 250
    assert len(list((tmp_path / "leads").glob("part-*.parquet"))) == 7
    assert repr(export).startswith("<Export of Leads: 250 rows in 7 parts")


def test_each_engine_reads_the_same(crm, tmp_path):
    """pandas, Arrow, DuckDB and Dask agree on counts and sums."""
    export = crm.export("Leads", tmp_path / "leads", COLUMNS)
    expected = export.df()["Annual_Revenue"].sum()
    told = export.duckdb().aggregate("count(*) AS n, sum(Annual_Revenue) AS total").df()
    assert told["n"][0] == export.arrow().num_rows == 250
    assert told["total"][0] == pytest.approx(expected)
    lazy = export.dask()
    assert lazy.npartitions == 7
    assert len(lazy) == 250
    assert float(lazy["Annual_Revenue"].sum().compute()) == pytest.approx(expected)


@pytest.mark.parametrize("exact", [False, True])
def test_dask_has_the_types_of_the_whole_table(crm, tmp_path, exact):
    """In each partition and in what it computes: also lists, days, and what no picklist lists."""
    export = crm.export("Leads", tmp_path / "leads", COLUMNS, exact=exact)
    expected, lazy = export.df(), export.dask()
    assert list(expected["Lead_Status"].cat.categories)[-1] == "Contactd"  # typed by hand
    assert_frame_equal(lazy.partitions[2].compute(), expected[80:120].reset_index(drop=True))
    assert_frame_equal(lazy.compute().reset_index(drop=True), expected)
    assert_series_equal(lazy.dtypes, expected.dtypes)
    some = lazy[["City", "Lead_Status"]].compute().reset_index(drop=True)
    assert_frame_equal(some, expected[["City", "Lead_Status"]])
    zoned = export.dask(tz="Asia/Kolkata")["Created_Time"]
    assert zoned.dtype == zoned.compute().dtype == "datetime64[s, Asia/Kolkata]"


def test_what_an_export_before_left_behind_goes(crm, org, tmp_path):
    """Asked anew, a folder holds the new parts and nothing else: whoever globs counts right."""
    crm.export("Leads", tmp_path / "leads", COLUMNS)
    (tmp_path / "leads" / "0a1b.unfinished").write_bytes(b"killed")
    org.store.execute("DELETE FROM Leads WHERE id NOT IN (SELECT id FROM Leads LIMIT 100)")
    assert crm.export("Leads", tmp_path / "leads", COLUMNS, fresh=True).rows == 100
    there = sorted(path.name for path in (tmp_path / "leads").iterdir())
    assert there == ["_manifest.json", *(f"part-000-0000{number}.parquet" for number in range(3))]


def test_no_records_are_a_table_of_the_same_types(crm, tmp_path):
    """An export of nothing has its columns."""
    export = crm.export("Leads", tmp_path / "none", COLUMNS, where="City = 'Nowhere'")
    assert_frame_equal(export.df(), crm.bulk("Leads", COLUMNS, where="City = 'Nowhere'"))


def test_a_second_call_spends_nothing(crm, tmp_path):
    """What is complete is opened."""
    crm.export("Leads", tmp_path / "leads", COLUMNS)
    with crm.trace() as calls:
        assert crm.export("Leads", tmp_path / "leads", COLUMNS).rows == 250
    assert calls == []


def test_another_export_is_not_written_over(crm, tmp_path):
    """A folder holds the answer to one question."""
    crm.export("Leads", tmp_path / "leads", COLUMNS)
    with pytest.raises(ValueError, match="holds another export"):
        crm.export("Leads", tmp_path / "leads", ["City"])
    with pytest.raises(FileNotFoundError, match="holds no export"):
        open_export(tmp_path)


def test_the_same_question_to_another_org_is_another_export(crm, org, tmp_path):
    """A sandbox's records must not be taken for those of the org."""
    crm.export("Leads", tmp_path / "leads", COLUMNS)
    sandbox = attach(org, folder=tmp_path / "of the sandbox")
    sandbox._catalogue.modules()["Leads"]["id"] = "5551000000002175"
    with pytest.raises(ValueError, match=r"holds the Leads of another org: .*fresh=True"):
        sandbox.export("Leads", tmp_path / "leads", COLUMNS)
    assert sandbox.export("Leads", tmp_path / "leads", COLUMNS, fresh=True).rows == 250


def test_fields_that_no_file_holds_are_told_of(crm, tmp_path):
    """Tags and the like come by query, into tables only."""
    with pytest.warns(BulkWarning, match="Tag"):
        export = crm.export("Leads", tmp_path / "leads", ["Last_Name", "Tag"])
    assert list(export.df().columns) == ["id", "Last_Name"]


def test_lookups_that_no_job_names_are_told_of(crm, tmp_path):
    """What was asked for by name is there, or spoken of."""
    with pytest.warns(BulkWarning, match=r"have ids, but no names, for What_Id of Tasks\."):
        export = crm.export("Tasks", tmp_path / "tasks", ["Subject", "What_Id"])
    assert export.df()["What_Id"].isna().all()
    assert export.df()["What_Id.id"].notna().any()


@pytest.mark.parametrize("known", [0, 1, 3])
def test_users_that_the_directory_lacks_have_names_in_files(crm, tmp_path, known):
    """Somebody who left long ago still owns records; and not every login may read users."""
    expected = crm.bulk("Leads", COLUMNS)
    directory = crm._catalogue.directory()
    for each in list(directory)[known:]:
        del directory[each]
    with crm.trace() as calls:
        export = crm.export("Leads", tmp_path / "leads", COLUMNS)
    assert_frame_equal(export.df(), expected)
    told = export.duckdb().filter("Owner IS NULL").aggregate("count(*)").fetchall()
    assert told == [(0,)]
    asked = [call for call in calls if call.path == "/crm/v8/Leads"]
    assert 1 <= len(asked) <= 7


def test_a_damaged_file_leaves_no_half_part(crm, org, tmp_path):
    """What was written stays; the next call goes on with the same job."""
    org.faults.add("truncated", path="/result", after=3, times=20)
    with pytest.raises(JobError):
        crm.export("Leads", tmp_path / "leads", COLUMNS)
    there = sorted(path.name for path in (tmp_path / "leads").iterdir())
    told = json.loads((tmp_path / "leads" / "_manifest.json").read_text())
    assert sorted(part["file"] for part in told["parts"].values()) == there[1:]
    assert there[0] == "_manifest.json"
    with pytest.raises(ValueError, match="not complete"):
        open_export(tmp_path / "leads")
    org.faults.clear()
    assert crm.export("Leads", tmp_path / "leads", COLUMNS).rows == 250
    assert org.store.read("SELECT count(*) FROM bulk_jobs")[0][0] == 7
    assert_frame_equal(open_export(tmp_path / "leads").df(), crm.bulk("Leads", COLUMNS))


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from zcrm_nb.connect import attach
    from zcrm_nb.emulator import Emulator, ManualClock, Settings
    from zcrm_nb.emulator.settings import BulkSettings

    class Fatal(ManualClock):
        "Kills whoever waits for the last time."
        waits = int(sys.argv[2])

        def advance(self, seconds):
            self.waits -= 1
            if not self.waits:
                os.kill(os.getpid(), signal.SIGKILL)
            super().advance(seconds)

    folder = Path(sys.argv[1])
    settings = Settings(bulk=BulkSettings(csv_rows=40))
    org = Emulator(rows={"Leads": 250, "Deals": 5}, clock=Fatal(), settings=settings,
                   path=folder / "org.sqlite")
    crm = attach(org, folder=folder / "notes")
    crm.export("Leads", folder / "leads", ["Last_Name", "City"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("waits", [1, 4, 7])
def test_a_killed_kernel_is_followed_by_another(tmp_path, waits):
    """It goes on where the first one was, and no job is paid twice."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), str(waits)]
    assert subprocess.run(command, check=False).returncode == -9
    settings = Settings(bulk=BulkSettings(csv_rows=40))
    path = tmp_path / "org.sqlite"
    with Emulator(clock=ManualClock(), settings=settings, path=path) as org:
        crm = attach(org, folder=tmp_path / "notes")
        export = crm.export("Leads", tmp_path / "leads", ["Last_Name", "City"])
        assert_frame_equal(export.df(), crm.records("Leads", ["Last_Name", "City"]))
        assert org.store.read("SELECT count(*) FROM bulk_jobs")[0][0] == 7


def test_an_address_of_fsspec_is_as_good_as_a_folder(crm):
    """The folder may be anywhere."""
    export = crm.export("Leads", "memory://bucket/leads", COLUMNS)
    assert_frame_equal(open_export("memory://bucket/leads").df(), crm.bulk("Leads", COLUMNS))
    assert isinstance(export.df(), pd.DataFrame)


def test_the_show_of_two_million_works_with_few(tmp_path):
    """An org that is served, an export, three engines: each a process, and all of them agree."""
    script = Path(__file__).parents[2] / "benchmarks" / "show_two_million.py"
    command = [sys.executable, str(script), "--rows", "300"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    lines = ran.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:6]] == ["export", "pandas", "DuckDB", "Dask"]
    assert all(" 300 " in line for line in lines[1:6])
