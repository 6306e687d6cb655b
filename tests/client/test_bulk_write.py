"""crm.bulk_write end to end: rows, trouble, and what is known afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.api.writing import bulk_write
from zcrm_nb.api.writing.bulk_table import BulkWriteRequest
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock, Settings
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.errors import (
    APIError,
    ScopeError,
    WriteError,
    WriteInterrupted,
    WriteWarning,
)
from zcrm_nb.frames import InvalidDataError

ROWS = {"Leads": 60, "Contacts": 20, "Accounts": 10, "Deals": 5, "Tasks": 5, "Events": 5}


@pytest.fixture
def make():
    """Make a CRM on an org of its own, where waiting turns the clock."""
    made = []

    def make(*, refuse_unlisted=False, **bulk):
        settings = Settings(
            bulk=BulkSettings(**bulk), refuse_unknown_picklist_values=refuse_unlisted
        )
        made.append(attach(Org(rows=ROWS, clock=ManualClock(), settings=settings)))
        return made[-1]

    yield make
    for crm in made:
        crm.close()


@pytest.fixture
def crm(make):
    """A CRM on a fresh org."""
    return make()


def people(count, **columns):
    """A table of people with addresses."""
    names = [f"Person {number}" for number in range(count)]
    mails = [f"p{number}@example.com" for number in range(count)]
    return pd.DataFrame({"Last_Name": names, "Email": mails, **columns})


def stored(crm, ids, *names):
    """What the org's own books say of some leads."""
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT {', '.join(names)} FROM Leads WHERE id IN ({marks}) ORDER BY id"
    return crm.emulator.store.read(sql, [int(each) for each in ids])


def count(crm):
    """How many leads there are."""
    return crm.emulator.store.read("SELECT count(*) FROM Leads")[0][0]


def small(crm, df, *, rows=1000, size=25_000_000, **options):
    """Write with small files."""
    request = BulkWriteRequest(
        "Leads", **{"operation": "insert", **options}, most_rows=rows, most_bytes=size
    )
    return bulk_write.save(
        crm._context(lambda rows: None), df, request, tick=lambda rows: None, say=lambda words: None
    )


# -- what is written -----------------------------------------------------------------------------


def test_every_kind_of_value_arrives(crm):
    """Under the index of the table; a missing value is an empty field."""
    owner = str(crm.emulator.store.read("SELECT max(id) FROM Users WHERE status = 'active'")[0][0])
    contact = str(crm.emulator.store.read("SELECT min(id) FROM Contacts")[0][0])
    df = pd.DataFrame(
        {
            "Last_Name": ["Osei, K.", 'Rao "R"'],
            "Description": ["two\nlines", None],
            "No_of_Employees": pd.array([40, None], dtype="Int64"),
            "Annual_Revenue": [1250000.5, None],
            "Email_Opt_Out": pd.array([True, None], dtype="boolean"),
            "Languages_Known": [["Hindi", "Tamil"], []],
            "Next_Follow_Up": pd.to_datetime(["2027-01-31", None]),
            "Rating": ["Active", None],
            "Owner.id": [owner, None],
            "Referred_By.id": [contact, None],
            "Tag": [["Hot", "VIP"], None],
            "Zip_Code": [411005, None],
        },
        index=["one", "two"],
    )
    report = crm.bulk_write("Leads", df, operation="insert")
    assert report.index.tolist() == ["one", "two"]
    assert report["status"].tolist() == ["done", "done"]
    names = [name for name in df.columns if name not in {"Tag", "Zip_Code"}]
    back = crm.coql(
        f"select {', '.join(each.removesuffix('.id') for each in names)}, Zip_Code, Tag from Leads "
        "where id in :ids",
        ids=report["id"].tolist(),
    )
    first = back.iloc[0]
    assert first["Last_Name"] == "Osei, K."
    assert first["Description"] == "two\nlines"
    assert (first["No_of_Employees"], first["Annual_Revenue"]) == (40, 1250000.5)
    assert first["Email_Opt_Out"]
    assert first["Languages_Known"] == ["Hindi", "Tamil"]
    assert first["Next_Follow_Up"] == pd.Timestamp("2027-01-31")
    assert (first["Owner.id"], first["Referred_By.id"]) == (owner, contact)
    assert first["Tag"] == ["Hot", "VIP"]
    assert first["Zip_Code"] == "411005"
    second = back.iloc[1]
    assert second["Last_Name"] == 'Rao "R"'
    assert pd.isna(second["No_of_Employees"])
    assert second["Languages_Known"] == []


def test_times_keep_their_moment(crm):
    """They travel with their offset, whatever the zone of the table."""
    fields = crm.fields("Site_Visits").set_index("api_name")
    name = next(
        each for each in fields.index
        if fields.loc[each, "data_type"] == "datetime" and fields.loc[each, "custom_field"]
    )  # fmt: skip
    moment = pd.Timestamp("2027-01-31 18:30", tz="Europe/Berlin")
    visits = crm.records("Site_Visits").head(1)
    df = pd.DataFrame({"id": visits["id"], name: [moment]})
    report = crm.bulk_write("Site_Visits", df, operation="update")
    assert report["status"].tolist() == ["done"]
    back = crm.records("Site_Visits", [name], ids=report["id"])
    assert back[name].tolist() == [moment]


def test_an_upsert_changes_and_adds(crm):
    """Found by any field that tells records apart."""
    first = crm.bulk_write("Leads", people(3), find_by="Email")
    assert first["action"].tolist() == ["insert"] * 3
    again = crm.bulk_write("Leads", people(4, City="Pune"), find_by="Email")
    assert again["action"].tolist() == ["update"] * 3 + ["insert"]
    assert again["id"].tolist()[:3] == first["id"].tolist()
    assert stored(crm, again["id"], "City") == [("Pune",)] * 4


@pytest.mark.parametrize(("ignore", "city"), [(False, None), (True, "Pune")])
def test_missing_values_empty_a_field_or_leave_it(crm, ignore, city):
    """As Zoho's ignore_empty has it."""
    made = crm.bulk_write("Leads", people(1, City="Pune"), operation="insert")
    df = pd.DataFrame({"id": made["id"], "City": [None]})
    crm.bulk_write("Leads", df, operation="update", ignore_empty=ignore)
    assert stored(crm, made["id"], "City") == [(city,)]


@pytest.mark.parametrize("as_reported", [True, False])
def test_bad_rows_are_reported_and_the_others_sent(crm, as_reported):
    """Values that Zoho would refuse, values that no cell holds, and names that lead nowhere."""
    df = people(6)
    df["Email"] = df["Email"].where(df.index != 1, "nobody")
    df["Tag"] = [[], [], ["a,b"], [], [], ["x"]]
    df["Annual_Revenue"] = ["12.5", "1e3", "7", "many", "5", "1.25"]
    if not as_reported:
        with pytest.raises(InvalidDataError, match="3 problems in this bulk upsert of Leads"):
            crm.bulk_write("Leads", df, find_by="Email")
        return
    before = count(crm)
    report = crm.bulk_write("Leads", df, find_by="Email", invalid="report")
    assert report["status"].tolist() == ["done", "refused", "refused", "refused", "done", "done"]
    assert report["field"].tolist()[1:4] == ["Email", "Tag", "Annual_Revenue"]
    assert count(crm) == before + 3
    done = report["id"].dropna()
    assert stored(crm, done, "Annual_Revenue") == [(12.5,), (5,), (1.25,)]
    assert crm.report().undo()["status"].tolist() == ["done"] * 6
    assert count(crm) == before


def test_a_table_without_a_good_row_asks_for_no_job(crm):
    """It has a report all the same."""
    with crm.trace() as calls:
        report = crm.bulk_write("Leads", people(2, Email="x"), find_by="Email", invalid="report")
    assert report["status"].tolist() == ["refused", "refused"]
    assert not any("bulk" in call.path or "upload" in call.path for call in calls)


@pytest.mark.parametrize("text", ["=1+1", "+91 80", "-5", "@home", "\t=x", "a\r\nb", '"q",;'])
def test_texts_arrive_as_they_are(crm, text):
    """Zoho reads the file, no spreadsheet does."""
    made = crm.bulk_write("Leads", people(1, Description=text), operation="insert")
    assert stored(crm, made["id"], "Description") == [(text,)]


@pytest.mark.parametrize(
    ("name", "cells", "stored_as"),
    [
        ("Annual_Revenue", [1.2e10, 1e-2, 5.0, "1e3", None], [12_000_000_000, 0.01, 5, 1000, None]),
        ("No_of_Employees", [5.0, np.nan, 7.0, np.nan, 9.0], [5, None, 7, None, 9]),
        ("Zip_Code", [94109.0, "SW1A", None, 7, 1.5], ["94109", "SW1A", None, "7", "1.5"]),
        ("Zip_Code", [94109.0, np.nan, 1.0, 2.0, 3.0], ["94109", None, "1", "2", "3"]),
        ("Phone", [4155550100.0] * 5, ["4155550100"] * 5),
    ],
)
def test_numbers_have_one_form_in_cells(crm, name, cells, stored_as):
    """No exponents, no .0: by the type of the field."""
    made = crm.bulk_write("Leads", people(5).assign(**{name: cells}), operation="insert")
    assert stored(crm, made["id"], name) == [(each,) for each in stored_as]


def test_lookups_may_be_named(crm):
    """By the field that is told; a name that nobody has refuses its row only."""
    account = crm.emulator.store.read("SELECT Account_Name FROM Accounts LIMIT 1")[0][0]
    df = pd.DataFrame({"Last_Name": ["A", "B", "C"], "Account_Name": [account, "Nobody", None]})
    report = crm.bulk_write(
        "Contacts", df, operation="insert", lookups={"Account_Name": "Account_Name"}
    )
    assert report["status"].tolist() == ["done", "refused", "done"]
    assert report["field"].tolist()[1] == "Account_Name.Account_Name"


def test_rows_of_a_subform_are_a_table_of_their_own(crm):
    """With the ids of their parents."""
    quote = crm.records("Quotes", ["Subject"]).iloc[0]["id"]
    product = crm.records("Products", ["Product_Name"]).iloc[0]["id"]
    df = pd.DataFrame({"Parent_Id.id": [quote], "Product_Name.id": [product], "Quantity": [7.0]})
    report = crm.bulk_write("Quoted_Items", df, operation="insert")
    assert report["status"].tolist() == ["done"]


def test_what_is_refused_is_told_row_by_row(crm):
    """Code, fields and Zoho's words; raise_on_refused makes an error of it."""
    df = people(3, GSTIN=["27AAAAA0000A1Z5", "27AAAAA0000A1Z5", None])
    report = crm.bulk_write("Leads", df, operation="insert")
    assert report["status"].tolist() == ["done", "refused", "done"]
    second = report.iloc[1]
    assert (second["code"], second["field"]) == ("DUPLICATE_DATA", "GSTIN")
    assert second["message"] == "DUPLICATE_DATA-GSTIN"
    with pytest.raises(WriteError, match="1 of 3 rows") as caught:
        crm.bulk_write(
            "Leads", df.assign(GSTIN=["27AAAAA0000A1Z5", None, None]), operation="insert",
            raise_on_refused=True,
        )  # fmt: skip
    assert caught.value.report["status"].tolist() == ["refused", "done", "done"]


def test_an_insert_with_find_by_skips_what_is_there(crm):
    """And says which field told."""
    crm.bulk_write("Leads", people(1), operation="insert")
    report = crm.bulk_write("Leads", people(2), operation="insert", find_by="Email")
    assert report["status"].tolist() == ["refused", "done"]
    assert report["code"].tolist() == ["DUPLICATE_DATA", "SUCCESS"]


# -- several jobs, and the way back --------------------------------------------------------------


def test_a_long_table_becomes_several_jobs(crm):
    """Each row hears of its own."""
    report = small(crm, people(25), rows=10)
    assert report["status"].tolist() == ["done"] * 25
    assert len(report.attrs["zcrm"]["jobs"]) == 3
    names = [name for (name,) in stored(crm, report["id"], "Last_Name")]
    assert names == people(25)["Last_Name"].tolist()


def test_a_file_that_is_too_large_is_halved(crm):
    """By the bytes of the CSV, which Zoho limits: text packs well, so the ZIP says nothing."""
    texts = ["Called, wants a demo. " * 20] * 40
    report = small(crm, people(40, Description=texts), size=10_000)
    assert report["status"].tolist() == ["done"] * 40
    assert len(report.attrs["zcrm"]["jobs"]) == 2


def test_rows_find_their_fate_in_whatever_order_it_comes(make):
    """The columns that tell them apart were sent first."""
    crm = make(result_in_order=False, result_headers="field", skipped=("skipped", "unprocessed"))
    df = people(6, City="Pune", GSTIN=["27AAAAA0000A1Z5"] * 2 + [None] * 4)
    report = crm.bulk_write("Leads", df, operation="insert")
    assert report["status"].tolist() == ["done", "refused", "done", "done", "done", "done"]
    done = report[report["status"] == "done"]
    names = [name for (name,) in stored(crm, done["id"], "Last_Name")]
    assert names == df["Last_Name"][done.index].tolist()


def test_rows_that_nothing_tells_apart_have_no_ids(make):
    """They are done, and that is all that is known."""
    crm = make(result_in_order=False, refuse_unlisted=True)
    df = pd.DataFrame({"Last_Name": ["Same", "Same", "Other"], "City": ["Pune", "Pune", "Goa"],
                       "Rating": ["Active", "Active", "Superb"]})  # fmt: skip
    report = crm.bulk_write("Leads", df.iloc[::-1], operation="insert", unlisted=True)
    assert report["status"].tolist() == ["refused", "done", "done"]
    assert report["id"].isna().tolist() == [True, True, True]
    assert "several such rows" in report["message"].iloc[1]


def test_what_was_added_can_be_taken_back(crm):
    """What was changed too, if the old values were read."""
    before = count(crm)
    made = crm.bulk_write("Leads", people(3, City="Pune"), operation="insert")
    changed = crm.bulk_write("Leads", people(3, City="Goa"), find_by="Email", undoable=True)
    assert changed.undo()["status"].tolist() == ["done"] * 3
    assert stored(crm, made["id"], "City") == [("Pune",)] * 3
    other = crm.bulk_write("Leads", people(5).tail(2), operation="insert")
    assert other.undo()["action"].tolist() == ["delete"] * 2
    assert count(crm) == before + 3


def test_it_costs_what_was_said(crm):
    """500 for each job, 1 for each upload, look, download and what had to be known."""
    crm.bulk_write("Leads", people(1), operation="insert")  # learns fields and org
    before = crm.emulator.meter.spent
    report = small(crm, people(20).assign(Email=None), rows=10)
    spent = crm.emulator.meter.spent - before
    assert len(report.attrs["zcrm"]["jobs"]) == 2
    assert 1000 < spent <= 1012


def test_jobs_are_listed(crm):
    """Beside exports; a report is had by run and by job."""
    report = crm.bulk_write("Leads", people(2), operation="insert")
    crm.bulk("Deals", ["Stage"])
    listed = crm.jobs()
    assert sorted(listed["operation"]) == ["read", "write"]
    line = listed[listed["operation"] == "write"].iloc[0]
    assert (line["module"], line["state"], line["rows"], line["parts"]) == ("Leads", "done", 2, 1)
    (job,) = report.attrs["zcrm"]["jobs"]
    assert line["zoho_ids"] == [job]
    for name in (line["id"], job):
        pd.testing.assert_frame_equal(crm.report(name), report, check_names=False)


# -- what is refused before anything is sent -----------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ({"Last_Name": ["A"], "Nmae": ["x"]}, {}, "no such field"),
        ({"City": ["Pune"]}, {}, "mandatory, but the column is missing"),
        ({"Last_Name": ["A"], "Full_Name": ["x"]}, {}, "read-only"),
        ({"Last_Name": ["A"], "Record_Image": ["x"]}, {}, "Record_Image"),
        ({"Last_Name": ["A"], "id": ["4108"]}, {}, "leave the column out"),
        ({"Last_Name": ["A"], "$append_values": [{}]}, {}, "cannot hold it"),
        ({"Last_Name": ["x" * 81]}, {}, "81 characters"),
        ({"Last_Name": ["A"], "Rating": ["Superb"]}, {}, "not in the list"),
        ({"Last_Name": ["A"], "Tag": [["a,b"]]}, {}, "separates values"),
        ({"Last_Name": ["A"], "Owner": ["Asha"]}, {}, "display name"),
        ({"Last_Name": [None]}, {}, "mandatory"),
        ({"Last_Name": ["A"]}, {"operation": "upsert", "find_by": "Email"}, "is not a column"),
        (
            {"Last_Name": ["A", "B"], "Email": ["a@example.com"] * 2},
            {"operation": "upsert", "find_by": "Email"},
            "repeated",
        ),
        ({"Email": [None]}, {"operation": "update", "find_by": "Email"}, "find_by= needs a value"),
        (
            {"Last_Name": ["A"], "Rating": ["Active"]},
            {"operation": "upsert", "find_by": "Rating"},
            "unique values",
        ),
        ({"City": ["Pune"]}, {"operation": "update"}, "is not a column"),
        ({"Last_Name": ["A"], "City": ["x"]}, {"lookups": {"City": "Name"}}, "not a lookup column"),
        (
            {"Last_Name": ["A"], "Owner": ["x"], "Owner.id": ["1"]},
            {"lookups": {"Owner": "email"}},
            "drop one",
        ),
    ],
)  # fmt: skip
def test_tables_that_are_refused_before_anything_is_sent(crm, columns, options, words):
    """Named by row and column; no job, no upload."""
    with pytest.raises(InvalidDataError, match="Nothing was sent") as caught:
        crm.bulk_write("Leads", pd.DataFrame(columns), **{"operation": "insert", **options})
    told = " ".join(map(str, caught.value.problems.to_numpy().ravel()))
    assert words in told
    assert crm.emulator.store.read("SELECT count(*) FROM bulk_files")[0][0] == 0


@pytest.mark.parametrize(
    ("module", "options", "words"),
    [
        ("Notes", {"operation": "insert"}, "does not write Attachments"),
        ("Calls", {"operation": "insert"}, "does not write Attachments"),
        ("Leads", {}, "needs find_by"),
        ("Leads", {"operation": "delete"}, "choose one of insert"),
    ],
)
def test_arguments_that_no_table_could_make_right(crm, module, options, words):
    """Refused without a call."""
    with crm.trace() as calls, pytest.raises(ValueError, match=words):
        crm.bulk_write(module, people(1), **options)
    assert calls == []


def test_a_column_for_several_modules_is_refused(crm):
    """A mapping names one module for all rows."""
    lead = crm.records("Leads", ["City"]).iloc[0]["id"]
    df = pd.DataFrame({"Subject": ["Call"], "What_Id.id": [lead]})
    with pytest.raises(InvalidDataError, match="cannot hold it"):
        crm.bulk_write("Tasks", df, operation="insert")


def test_a_refused_job_is_an_error_and_nothing_is_done(crm):
    """When it was the first; the next ones are not asked for."""
    before = crm.emulator.meter.spent
    with pytest.raises(APIError, match="INVALID_FIELD"):
        small(crm, people(30), rows=10, operation="upsert", find_by="Last_Name")
    assert crm.emulator.store.read("SELECT count(*) FROM bulk_jobs")[0][0] == 0
    assert crm.emulator.meter.spent - before < 520


def test_a_login_without_the_scope_of_uploads_is_told(crm):
    """ZohoFiles.files.ALL is no scope of the CRM's."""
    emulator = crm.emulator
    token = emulator.accounts
    for refresh in token._refresh.values():
        refresh.scopes = tuple(each for each in refresh.scopes if "Files" not in each)
    token.expire_access_tokens()
    with pytest.raises(ScopeError):
        crm.bulk_write("Leads", people(1), operation="insert")
    assert crm.report()["code"].tolist() != ["SUCCESS"]


# -- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 55])
def test_a_job_whose_answer_was_lost_is_never_asked_for_again(crm, minutes):
    """Its rows are unknown for an hour; then what is there tells, whenever Zoho came to them."""
    before = count(crm)
    crm.emulator.faults.add("lost", path="/crm/bulk/v8/write", method="POST")
    with pytest.warns(WriteWarning, match="3 rows is unknown"):
        report = crm.bulk_write("Leads", people(3), operation="insert")
    assert report["status"].tolist() == ["unknown"] * 3
    assert crm.jobs()["state"].tolist() == ["unclear"]
    assert report.resolve()["status"].tolist() == ["unknown"] * 3
    crm.emulator.clock.advance(minutes * 60)
    crm.count("Deals")  # the job is done in its time, not when somebody looks for its rows
    crm.emulator.clock.advance(3600)
    settled = report.resolve()
    assert settled["status"].tolist() == ["done"] * 3
    assert count(crm) == before + 3
    assert crm.emulator.store.read("SELECT count(*) FROM bulk_jobs")[0][0] == 1


def test_a_job_that_never_reached_zoho_may_be_sent_again(crm):
    """Once an hour has passed in which it might have been at work."""
    crm.emulator.faults.add("reset", path="/crm/bulk/v8/write", method="POST")
    with pytest.warns(WriteWarning):
        report = crm.bulk_write("Leads", people(2), operation="insert")
    crm.emulator.clock.advance(3600)
    assert report.resolve()["code"].tolist() == ["NOT_PROCESSED"] * 2


def test_an_upload_that_is_lost_is_sent_again(crm):
    """It does nothing by itself."""
    crm.emulator.faults.add("lost", path="/crm/v8/upload", times=2)
    assert crm.bulk_write("Leads", people(2), operation="insert")["status"].tolist() == ["done"] * 2


@pytest.mark.parametrize("kind", ["torn", "truncated", "429", "503", "html", "reset"])
def test_trouble_with_the_result_changes_nothing(crm, kind):
    """Fetched again, now or by resolve."""
    crm.emulator.faults.add(kind, path="/bulk-write/")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WriteWarning)
        report = crm.bulk_write("Leads", people(4), operation="insert")
    if (report["status"] == "unknown").any():
        report = report.resolve()
    assert report["status"].tolist() == ["done"] * 4
    assert report["id"].notna().all()


@pytest.mark.parametrize("absolute", [True, False])
def test_results_are_found_by_address_and_by_path(make, absolute):
    """Zoho's pages show both."""
    crm = make(absolute_result_urls=absolute)
    assert crm.bulk_write("Leads", people(2), operation="insert")["status"].tolist() == ["done"] * 2


def test_a_job_that_fails_leaves_its_rows_unknown_until_somebody_looks(crm):
    """Zoho does not say what it wrote before."""
    before = count(crm)
    crm.emulator.jobs.fail_next("out of order")
    with pytest.warns(WriteWarning):
        report = crm.bulk_write("Leads", people(2), operation="insert")
    assert "out of order" in report["message"].iloc[0]
    settled = report.resolve()
    assert settled["code"].tolist() == ["NOT_PROCESSED"] * 2
    assert count(crm) == before


def test_an_interrupt_loses_nothing(make):
    """Zoho goes on; the report asks later, and what was not asked for was not sent."""
    crm = make(runs_s=30)
    real, naps = crm._gate.sleep, []

    def sleep(seconds):
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt
        real(seconds)

    crm._gate.sleep = sleep
    with pytest.raises(WriteInterrupted, match="Zoho goes on") as caught:
        crm.bulk_write("Leads", people(3), operation="insert")
    report = caught.value.report
    assert report["code"].tolist() == ["IN_PROGRESS"] * 3
    assert crm.jobs()["state"].tolist() == ["waiting"]
    assert report.resolve()["status"].tolist() == ["unknown"] * 3
    crm.emulator.clock.advance(60)
    (job,) = report.attrs["zcrm"]["jobs"]
    assert crm.report(job).resolve()["status"].tolist() == ["done"] * 3


def test_a_result_that_is_gone_is_made_up_for_by_looking(make):
    """After seven days Zoho has it no more."""
    crm = make(runs_s=30)
    real = crm._gate.sleep
    crm._gate.sleep = lambda seconds: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(WriteInterrupted) as caught:
        crm.bulk_write("Leads", people(2), operation="insert")
    crm._gate.sleep = real
    crm.emulator.clock.advance(8 * 86_400)
    assert caught.value.report.resolve()["status"].tolist() == ["done"] * 2


KILLED = """
    import os, sys, json
    import pandas as pd
    from pathlib import Path
    from zcrm_nb import CRM
    from zcrm_nb.auth.data_centres import addresses
    from zcrm_nb.wire.gate import Gate
    from zcrm_nb.auth.oauth import Grant, TokenSource
    from zcrm_nb.masking import Secret

    facts, folder, rows = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
    secrets = Secret(facts["client_secret"]), Secret(facts["refresh_token"])
    tokens = TokenSource(Grant(facts["client_id"], *secrets, urls["accounts_url"]))
    gate = Gate(tokens, addresses("in", **urls), sleep=lambda seconds: os._exit(9))
    df = pd.DataFrame({"Last_Name": [f"Person {n}" for n in range(rows)]})
    CRM(gate, folder=folder).bulk_write("Leads", df, operation="insert", progress=False)
"""


def test_a_kernel_that_is_killed_loses_no_row(tmp_path):
    """The next one asks about the job, and nothing is written twice."""
    with Org(rows=ROWS) as emulator, emulator.serve() as server:
        before = emulator.store.read("SELECT count(*) FROM Leads")[0][0]
        facts = {key: server.credentials[key] for key in server.credentials}
        code = [sys.executable, "-c", textwrap.dedent(KILLED)]
        ran = subprocess.run(
            [*code, json.dumps(facts), str(tmp_path), "4"], capture_output=True, check=False
        )
        assert ran.returncode == 9, ran.stderr
        crm = attach(emulator, folder=tmp_path)
        report = crm.report()
        assert report["code"].tolist() == ["IN_PROGRESS"] * 4
        emulator.clock.advance(60)
        assert report.resolve()["status"].tolist() == ["done"] * 4
        assert emulator.store.read("SELECT count(*) FROM Leads")[0][0] == before + 4


def test_progress_is_told_by_rows_and_jobs(crm):
    """After each job."""
    told = []
    crm.bulk_write("Leads", people(3), operation="insert", progress=lambda *seen: told.append(seen))
    assert told == [(3, 1, 3)]
