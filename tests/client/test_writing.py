"""Writing tables back: what is sent, what is refused before, what is reported, and the way back."""

from __future__ import annotations

import datetime as dt
import json
import signal
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from tests.worlds import Org
from zcrm_nb import CRM
from zcrm_nb.emulator import ManualClock, Settings
from zcrm_nb.errors import (
    NotFoundError,
    RateLimitError,
    ScopeError,
    WriteError,
    WriteInterrupted,
    WriteWarning,
)

ROWS = {"Leads": 250, "Contacts": 20, "Accounts": 10, "Deals": 20, "Tasks": 5, "Events": 5,
        "Site_Visits": 6}  # fmt: skip
STAMPS = ["Modified_Time", "Modified_By", "Modified_By.id", "Last_Activity_Time"]


@pytest.fixture
def org():
    """An org whose time stands still until a test moves it."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def crm(org, connected):
    """A CRM on it."""
    return connected(org)


def leads(crm, columns="Last_Name, City, Phone", where="id is not null", limit=None):
    """A table that was read."""
    return crm.coql(f"select {columns} from Leads where {where}", limit=limit)


def sent(calls):
    """The writes among calls."""
    return [call for call in calls if call.method != "GET" and not call.path.endswith("/coql")]


def plain(column):
    """The values of a column, with one null."""
    return [None if not isinstance(each, list) and pd.isna(each) else each for each in column]


def whole(crm, module="Leads"):
    """Everything a list brings of a module, but for what each change stamps."""
    return crm.records(module).drop(columns=STAMPS, errors="ignore")


# ---- Insert, update, upsert, delete --------------------------------------------------------------


def test_a_table_is_inserted_and_reads_back_as_it_was(crm):
    """Every kind of field, nulls too; the report has the index of the input."""
    account, owner = crm.records("Accounts", limit=1), crm.users()
    new = pd.DataFrame(
        {
            "Name": ["Pune", "Goa"],
            "Account.id": [account["id"].iloc[0], None],
            "Visit_Status": pd.Categorical(["Planned", None]),
            "Purpose": [["Installation"], []],
            "Visit_Date": pd.to_datetime(["2026-10-01", None]),
            "Arrival_Time": pd.to_datetime(["2026-10-01T09:30:00+05:30", None], utc=True),
            "Lead_Engineer.id": [owner["id"].iloc[0], owner["id"].iloc[1]],
            "Distance_Km": [12.5, np.nan],
            "Follow_Up_Needed": pd.array([True, False], dtype="boolean"),
            "Gate_Pass_Number": pd.array([4711, None], dtype="Int64"),
            "Site_Email": ["a@example.com", None],
            "Tag": [["hot", "new"], []],
        },
        index=["p", "g"],
    )
    purposes = crm.picklist("Site_Visits", "Purpose")["display_value"].tolist()
    new["Purpose"] = [[purposes[1], purposes[2]], []]
    status = crm.picklist("Site_Visits", "Visit_Status")["display_value"].tolist()
    new["Visit_Status"] = pd.Categorical([status[1], None])
    report = crm.insert("Site_Visits", new)
    assert report.index.tolist() == ["p", "g"]
    assert report[["action", "status", "code"]].drop_duplicates().to_numpy().tolist() == [
        ["insert", "done", "SUCCESS"]
    ]
    there = crm.records("Site_Visits", ids=report["id"]).set_index("id").loc[report["id"]]
    for name in new.columns.drop("Visit_Status"):
        assert plain(there[name]) == plain(new[name]), name
    assert plain(there["Visit_Status"]) == [status[1], None]


def test_a_subform_is_written_from_its_own_table(crm):
    """The rows find their record by label on insert, by id on update."""
    visit = pd.DataFrame({"Name": ["Pune"]}, index=["p"])
    spent = pd.DataFrame({"parent_id": ["p", "p"], "Amount": [120.0, 80.5]})
    report = crm.insert("Site_Visits", visit, subforms={"Expenses": spent})
    record_id = report["id"].iloc[0]
    rows = crm.record("Site_Visits", record_id)["Expenses"]
    assert [row["Amount"] for row in rows] == [120.0, 80.5]
    change = pd.DataFrame({"parent_id": [record_id], "id": [rows[0]["id"]], "Amount": [99.0]})
    with pytest.warns(WriteWarning, match="Expenses cannot be undone"):
        crm.update("Site_Visits", pd.DataFrame({"id": [record_id]}), subforms={"Expenses": change})
    assert [row["Amount"] for row in crm.record("Site_Visits", record_id)["Expenses"]] == [99, 80.5]
    with pytest.raises(ValueError, match=r"Expenses\.Amount"):
        wrong = pd.DataFrame({"parent_id": ["p"], "Amount": ["much"]})
        crm.insert("Site_Visits", visit, subforms={"Expenses": wrong})


def test_records_say_only_what_they_say(crm):
    """A list of dicts changes of each record what it names, and empties nothing else."""
    first, second = leads(crm, where="Phone is not null and City is not null", limit=2).to_dict(
        "records"
    )
    crm.update("Leads", [{"id": first["id"], "City": "Goa"}, {"id": second["id"], "Phone": None}])
    now = crm.records("Leads", ["City", "Phone"], ids=[first["id"], second["id"]]).set_index("id")
    assert plain(now.loc[first["id"]]) == ["Goa", first["Phone"]]
    assert plain(now.loc[second["id"]]) == [second["City"], None]
    assert crm.insert("Leads", {"Last_Name": "Osei"})["status"].tolist() == ["done"]


def test_batches_of_a_hundred_travel_and_cost_what_they_should(crm):
    """One credit for ten records; one more to note the newest."""
    crm.fields("Leads")
    with crm.trace() as calls:
        report = crm.insert("Leads", [{"Last_Name": f"L{n}"} for n in range(250)])
    assert sorted(call.credits for call in sent(calls)) == [5, 10, 10]
    assert report.attrs["zcrm"]["credits"] == 26
    assert report["id"].is_unique


def test_no_automation_runs_unless_it_is_asked_for(org, connected):
    """The key is always there, but for None; a deletion knows workflows only."""
    seen = []
    handle = org.faults.around

    def watch(request, proceed):
        if request.path.endswith("/Leads") and request.method in ("POST", "DELETE"):
            seen.append(
                request.params.get("wf_trigger")
                if request.method == "DELETE"
                else request.json().get("trigger")
            )
        return handle(request, proceed)

    org.faults.around = watch
    crm = connected(org)
    for trigger in ((), "workflow", ["approval", "workflow"], None):
        made = crm.insert("Leads", {"Last_Name": "Osei"}, trigger=trigger)
        crm.delete("Leads", made, trigger=trigger)
    assert seen == [[], "false", ["workflow"], "true", ["approval", "workflow"], "true", None, None]
    with pytest.raises(ValueError, match="'workflows': Zoho knows"):
        crm.insert("Leads", {"Last_Name": "Osei"}, trigger="workflows")


def test_an_upsert_tells_what_it_did(crm):
    """By mail address, and by an id where there is one."""
    known = leads(crm, "Last_Name, Email", "Email is not null", limit=2)
    people = pd.DataFrame(
        {
            "id": [None, None, known["id"].iloc[1]],
            "Last_Name": ["New", "Old", "By id"],
            "Email": ["new@example.com", known["Email"].iloc[0].upper(), "other@example.com"],
        }
    )
    report = crm.upsert("Leads", people.drop(columns="id").head(2), duplicate_check_fields="Email")
    assert report["action"].tolist() == ["insert", "update"]
    report = crm.upsert("Leads", people.tail(1), duplicate_check_fields=["Email"])
    assert (report["action"].item(), report["id"].item()) == ("update", known["id"].iloc[1])


def test_deletion_takes_tables_columns_and_lists(crm):
    """And keeps the labels of the first two."""
    df = leads(crm, limit=6).set_index("Last_Name", drop=False)
    assert crm.delete("Leads", df.iloc[:2]).index.tolist() == df.index[:2].tolist()
    assert crm.delete("Leads", df["id"].iloc[2:4]).index.tolist() == df.index[2:4].tolist()
    assert crm.delete("Leads", df["id"].iloc[4:].tolist())["status"].eq("done").all()
    assert not leads(crm)["id"].isin(df["id"]).any()


def test_no_rows_are_no_calls(crm):
    """An empty table writes nothing and reports nothing."""
    crm.fields("Leads")
    with crm.trace() as calls:
        report = crm.update("Leads", leads(crm, where="City = 'Nowhere'"))
    assert len(report) == 0
    assert sent(calls) == []


# ---- Refused before anything is sent -------------------------------------------------------------


def test_what_cannot_be_written_is_named_and_not_sent(crm):
    """Read-only, unknown and joined columns; wrong values by label and column."""
    df = leads(crm, "Last_Name, Full_Name, Email, Owner", limit=2)
    with crm.trace() as calls:
        with pytest.raises(
            ValueError, match=r"(?s)Full_Name.*read-only.*Emial.*Did you mean Email"
        ):
            crm.update("Leads", df.assign(Emial="x"))
        with pytest.raises(ValueError, match=r"Account_Name\.Industry +unknown field"):
            crm.update("Leads", df[["id"]].assign(**{"Account_Name.Industry": "x"}))
        with pytest.raises(ValueError, match="needs the ids"):
            crm.update("Leads", df[["Email"]])
        with pytest.raises(ValueError, match="gives a new record its id"):
            crm.insert("Leads", df[["id", "Last_Name"]])
        with pytest.raises(ValueError, match=r"Owner .*a display name"):
            crm.insert("Leads", [{"Last_Name": "x", "Owner": "Ada Ruiz"}])
        with pytest.raises(ValueError, match=r"Last_Name +mandatory, but the column is missing"):
            crm.insert("Leads", [{"City": "Pune"}])
        with pytest.raises(ValueError, match=r"row-7 +Email +'x' +not a valid e-mail address"):
            crm.insert("Leads", pd.DataFrame({"Last_Name": ["x"], "Email": ["x"]}, index=["row-7"]))
        with pytest.raises(NotFoundError, match="Leads"):
            crm.insert("Lead", {"Last_Name": "x"})
        with pytest.raises(ValueError, match="1 to 19 digits"):
            crm.delete("Leads", ["x"])
    assert sent(calls) == []


def test_all_that_is_wrong_is_named_at_once(crm):
    """A column that is no field does not hide what is wrong with the others."""
    table = pd.DataFrame(
        {"Last_Name": ["Osei", None], "Visited": ["yes", "no"], "Email": ["no address", None]}
    )
    with pytest.raises(ValueError, match="3 problems") as caught:
        crm.insert("Leads", table)
    problems = caught.value.problems
    assert problems["column"].tolist() == ["Visited", "Last_Name", "Email"]
    with pytest.raises(ValueError, match="no such field"):
        crm.update("Leads", [{"id": "4108", "Visted": 1}])


def test_rows_that_would_overwrite_each_other_are_refused(crm):
    """Batches travel in no certain order, so the last one cannot win."""
    (record_id,) = leads(crm, limit=1)["id"]
    twins = [{"id": record_id, "City": "Pune"}, {"id": record_id, "City": "Goa"}]
    for write in (
        lambda: crm.update("Leads", twins),
        lambda: crm.delete("Leads", [record_id, record_id]),
        lambda: crm.diff("Leads", twins),
    ):
        with pytest.raises(ValueError, match="row 0; keep one"):
            write()
    mails = [
        {"Last_Name": "a", "Email": "A@example.com"},
        {"Last_Name": "b", "Email": "a@example.com"},
    ]
    with pytest.raises(ValueError, match="row 0; keep one"):
        crm.upsert("Leads", mails, duplicate_check_fields="Email")


def test_unlisted_choices_are_refused_here_or_left_to_zoho(connected):
    """Which orgs take them no page tells."""
    lead = {"Last_Name": "x", "Lead_Source": "Carrier Pigeon"}
    for refuses, status in ((True, "refused"), (False, "done")):
        settings = Settings(refuse_unknown_picklist_values=refuses)
        with Org(rows=ROWS, settings=settings) as org:
            crm = connected(org)
            with pytest.raises(ValueError, match="not in the list"):
                crm.insert("Leads", lead)
            assert crm.insert("Leads", lead, unlisted=True)["status"].tolist() == [status]


# ---- Refused by Zoho -----------------------------------------------------------------------------


def test_some_rows_refused_is_a_report_and_an_error_on_request(org, crm):
    """Zoho's code, the field and its message, beside the rows that are done."""
    (taken,) = org.store.read("SELECT GSTIN FROM Leads WHERE GSTIN IS NOT NULL LIMIT 1")[0]
    people = [{"Last_Name": "a"}, {"Last_Name": "b", "GSTIN": taken}]
    report = crm.insert("Leads", people)
    assert report["status"].tolist() == ["done", "refused"]
    assert report.failed[["code", "field"]].to_numpy().tolist() == [["DUPLICATE_DATA", "GSTIN"]]
    with pytest.raises(WriteError, match="1 of 2 rows") as caught:
        crm.insert("Leads", people, raise_on_refused=True)
    assert caught.value.report["status"].tolist() == ["done", "refused"]


def test_a_call_that_is_refused_as_a_whole_raises_while_nothing_is_done(org, crm, monkeypatch):
    """A report in which every row says the same would only hide it."""
    client = org.accounts.register()
    scopes = ("ZohoCRM.modules.READ", "ZohoCRM.settings.ALL", "ZohoCRM.coql.READ")
    narrow = org.accounts.issue_refresh_token(client.client_id, 1, scopes)
    org.credentials |= {"client_id": client.client_id, "client_secret": client.client_secret,
                        "refresh_token": narrow}  # fmt: skip
    from zcrm_nb.connect import attach

    with pytest.raises(ScopeError):
        attach(org).insert("Leads", {"Last_Name": "Osei"})


def test_when_calls_are_refused_half_way_the_rest_is_not_sent(org, impatient):
    """HTTP 429 that stays: what was sent is done, the rest is certainly not."""
    crm = impatient(org)
    crm.fields("Leads")
    org.faults.add("429", times=99, after=1, path="/crm/v8/Leads")
    report = crm.insert("Leads", [{"Last_Name": f"L{n}"} for n in range(1500)])
    org.faults.clear()
    assert report["status"].value_counts().to_dict() == {"done": 100, "refused": 1400, "unknown": 0}
    assert set(report.failed["code"]) <= {"TOO_MANY_REQUESTS", "NOT_SENT"}
    assert (
        crm.count("Leads", "Last_Name like 'L%' and Created_Time > '2026-09-15T00:00:00+05:30'")
        >= 100
    )
    org.faults.add("429", times=99, path="/crm/v8/Leads")
    with pytest.raises(RateLimitError):
        crm.insert("Leads", [{"Last_Name": "x"}])


def test_a_login_that_may_not_query_still_writes_and_is_told_there_is_no_way_back(org):
    """Old values are read in COQL."""
    client = org.accounts.register()
    scopes = ("ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL")
    narrow = org.accounts.issue_refresh_token(client.client_id, 1, scopes)
    from zcrm_nb.connect import attach

    (record_id,) = leads(attach(org), limit=1)["id"]
    org.credentials |= {"client_id": client.client_id, "client_secret": client.client_secret,
                        "refresh_token": narrow}  # fmt: skip
    with pytest.warns(WriteWarning, match="cannot be undone"):
        report = attach(org).update("Leads", {"id": record_id, "City": "Goa"})
    assert report["status"].tolist() == ["done"]


@pytest.fixture
def impatient():
    """A function that connects without ever waiting."""
    from zcrm_nb.auth.data_centres import addresses
    from zcrm_nb.auth.oauth import Grant, TokenSource
    from zcrm_nb.masking import Secret
    from zcrm_nb.wire.gate import Gate
    from zcrm_nb.wire.wsgi import WSGIAdapter

    def impatient(org, waits=None, **options):
        facts, adapter = org.credentials, WSGIAdapter(org.wsgi)
        urls = {name: facts[name] for name in ("accounts_url", "api_domain", "upload_url")}
        secrets = Secret(facts["client_secret"]), Secret(facts["refresh_token"])
        tokens = TokenSource(
            Grant(facts["client_id"], *secrets, urls["accounts_url"]), adapter=adapter
        )
        sleep = (lambda seconds: None) if waits is None else waits.append
        return CRM(Gate(tokens, addresses("in", **urls), adapter=adapter, sleep=sleep,
                        notify=lambda sentence: None), **options)  # fmt: skip

    return impatient


# ---- Lost updates --------------------------------------------------------------------------------


def test_a_record_changed_since_it_was_read_is_not_overwritten(org, crm):
    """By the table's own column, by a moment, and by the header where it happens meanwhile."""
    df = leads(crm, "Last_Name, City, Modified_Time", limit=3)
    moment = dt.datetime.fromtimestamp(org.clock.now() + 90, dt.UTC)
    org.clock.advance(60)
    crm.update("Leads", {"id": df["id"].iloc[0], "City": "Theirs"})
    org.clock.advance(60)
    report = crm.update("Leads", df.assign(City="Mine"), unmodified_since="Modified_Time")
    assert report["code"].tolist() == ["ALREADY_MODIFIED", "SUCCESS", "SUCCESS"]
    assert leads(crm, limit=3)["City"].tolist() == ["Theirs", "Mine", "Mine"]
    later = crm.update("Leads", df[["id"]].assign(City="Late"), unmodified_since=moment)
    assert later["code"].tolist() == ["SUCCESS", "ALREADY_MODIFIED", "ALREADY_MODIFIED"]
    with pytest.raises(ValueError, match="time zone"):
        crm.update("Leads", df[["id"]].assign(City="x"), unmodified_since=dt.datetime(2026, 1, 1))  # noqa: DTZ001


# ---- Nothing lost, nothing twice -----------------------------------------------------------------


def test_a_lost_answer_is_said_aloud_and_found_again(org, impatient):
    """The rows are there once, whatever is run again afterwards."""
    crm = impatient(org)
    org.faults.add("lost", path="/crm/v8/Leads")
    with pytest.warns(WriteWarning, match="outcome of 2 rows is unknown"):
        report = crm.insert("Leads", [{"Last_Name": "Osei"}, {"Last_Name": "Osei"}])
    assert report["status"].tolist() == ["unknown", "unknown"]
    found = report.resolve(wait_s=0)
    assert found["status"].tolist() == ["done", "done"]
    assert found["id"].is_unique
    assert crm.report()["status"].tolist() == ["done", "done"]
    assert found.resolve(wait_s=0).equals(found)


def test_resolving_waits_until_nothing_can_be_on_its_way(org, impatient):
    """Right after the loss; a day later it need not."""
    waits = []
    crm = impatient(org, waits)
    org.faults.add("reset", path="/crm/v8/Leads")
    with pytest.warns(WriteWarning, match="1 row is unknown"):
        report = crm.insert("Leads", {"Last_Name": "Osei"})
    assert report.resolve(wait_s=30)["code"].tolist() == ["NOT_PROCESSED"]
    assert [29 <= wait <= 30 for wait in waits] == [True]


def test_what_cannot_be_decided_stays_unknown_and_says_what_was_seen(org, impatient):
    """Zoho wrote it otherwise than it was sent: nobody can be sure that it is the same record."""
    crm = impatient(org)
    org.faults.add("lost", path="/crm/v8/Leads")
    with pytest.warns(WriteWarning, match="1 row is unknown"):
        report = crm.insert("Leads", {"Last_Name": "Osei", "City": "Accra"})
    org.store.execute(
        "UPDATE Leads SET Last_Name = 'OSEI', City = 'Kumasi' WHERE Last_Name = 'Osei'"
    )
    found = report.resolve(wait_s=0)
    assert found["status"].tolist() == ["unknown"]
    (record_id,) = org.store.read("SELECT id FROM Leads WHERE Last_Name = 'OSEI'")[0]
    assert str(record_id) in found["message"].item()
    assert found.undo()["code"].tolist() == ["CANNOT_UNDO"]


def test_a_lost_update_that_others_changed_since_is_told_by_what_is_left_of_it(org, impatient):
    """By the values before, the values after, and the time of the last change."""
    crm = impatient(org)
    ids = leads(crm, limit=3)["id"].tolist()
    org.faults.add("lost", path="/crm/v8/Leads")
    org.clock.advance(5)
    records = [{"id": each, "City": "Sent", "Phone": "1"} for each in ids]
    with pytest.warns(WriteWarning, match="3 rows"):
        report = crm.update("Leads", records)
    org.clock.advance(5)
    crm.update(
        "Leads", [{"id": ids[0], "Phone": "2"}, {"id": ids[1], "Phone": "2", "City": "Theirs"}]
    )
    assert report.resolve(wait_s=0)["status"].tolist() == ["done", "unknown", "done"]


def test_ctrl_c_gives_the_report_so_far(org, crm):
    """What has left is waited for, the rest is not sent, and the way back is open."""
    if sys.platform == "win32":
        pytest.skip("no signals to threads there")
    crm.fields("Leads")
    org.latency_ms = 30

    def stop(rows, calls, total):
        if calls == 2:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    people = [{"Last_Name": f"Stopped {n}"} for n in range(3000)]
    with pytest.raises(KeyboardInterrupt, match=r"crm\.report") as caught:
        crm.insert("Leads", people, progress=stop)
    assert isinstance(caught.value, WriteInterrupted)
    report = caught.value.report
    done = report["status"].eq("done").sum()
    assert 200 <= done < 3000
    assert set(report.failed["code"]) == {"NOT_SENT"}
    assert crm.count("Leads", "Last_Name like 'Stopped%'") == done
    assert crm.report().equals(report)
    report.undo()
    assert crm.count("Leads", "Last_Name like 'Stopped%'") == 0


def test_the_journal_outlives_the_kernel_and_holds_no_secret(org, impatient, tmp_path):
    """Another CRM on the same folder takes the report up where the first one left it."""
    first = impatient(org, folder=tmp_path)
    report = first.insert("Leads", pd.DataFrame({"Last_Name": ["Osei"]}, index=["row"]))
    first.delete("Leads", report)
    second = impatient(org, folder=tmp_path)
    listed = second.journal()
    assert listed["action"].tolist() == ["insert", "delete"]
    assert (
        listed[["rows", "done", "refused", "unknown", "undone"]].to_numpy().tolist()
        == [[1, 1, 0, 0, 0]] * 2
    )
    assert str(listed["time"].dtype) == "datetime64[s, UTC]"
    assert second.report().undo()["status"].tolist() == ["done"]
    again = second.report(listed["run"].iloc[0])
    assert again.index.tolist() == ["row"]
    assert again.undo()["status"].tolist() == ["done"]
    assert second.journal()["undone"].tolist() == [1, 1, 0, 0]
    text = "".join(path.read_text() for path in (tmp_path / "writes").glob("*.jsonl"))
    token = first._gate.tokens.token().access.reveal()
    secrets = [token, org.credentials["client_secret"], org.credentials["refresh_token"]]
    assert [secret for secret in secrets if secret in text] == []
    with pytest.raises(ValueError, match=r"crm\.journal"):
        second.report("nothing")


# ---- Another system's ids ------------------------------------------------------------------------


@pytest.fixture
def accounts(crm):
    """Three accounts with their external ids."""
    return crm.records("Accounts", ["ERP_Customer_Id", "Fax"], limit=3)


def test_records_are_changed_and_deleted_by_another_systems_ids(crm, accounts):
    """A table, its index and all; undone like any other write."""
    table = accounts[["ERP_Customer_Id"]].assign(Fax="7").set_axis(["a", "b", "c"])
    report = crm.update("Accounts", table, external="ERP_Customer_Id")
    assert report["status"].eq("done").all()
    assert (report.index.tolist(), report["id"].tolist()) == (["a", "b", "c"], [*accounts["id"]])
    assert crm.records("Accounts", ["Fax"], ids=accounts["id"])["Fax"].tolist() == ["7"] * 3
    assert report.undo()["status"].eq("done").all()
    assert crm.records("Accounts", ["Fax"], ids=accounts["id"])["Fax"].isna().all()
    few = accounts["ERP_Customer_Id"].head(2)
    for source in (few, few.tolist(), few.iloc[0], few.to_frame()):
        gone = crm.delete("Accounts", source, external="ERP_Customer_Id")
        assert gone["status"].eq("done").all()
        assert gone.undo()["status"].eq("done").all()


def test_lookups_take_another_systems_ids(crm, accounts):
    """In a column of a table, in a key of a record, and empty."""
    column = "Account_Name.ERP_Customer_Id"
    table = pd.DataFrame({"Last_Name": ["x", "y"], column: [accounts["ERP_Customer_Id"][1], None]})
    for source in (table, table.to_dict("records")):
        report = crm.insert("Contacts", source)
        made = crm.records("Contacts", ["Account_Name"], ids=report["id"]).set_index("id")
        found = made.loc[report["id"], "Account_Name.id"]
        assert found.iloc[0] == accounts["id"][1]
        assert pd.isna(found.iloc[1])


def test_ids_that_lead_nowhere_are_named_and_nothing_is_sent(crm, accounts):
    """By row and column, whether they are the record's own or a lookup's."""
    own = accounts[["ERP_Customer_Id"]].assign(Fax="7")
    own.loc[1, "ERP_Customer_Id"] = "nope"
    own.loc[2, "ERP_Customer_Id"] = None
    with crm.trace() as calls:
        with pytest.raises(ValueError, match=r"(?s)'nope' no record in Accounts has.*missing"):
            crm.update("Accounts", own, external="ERP_Customer_Id")
        with pytest.raises(ValueError, match="no record in Accounts has this ERP_Customer_Id"):
            crm.insert("Contacts", {"Last_Name": "x", "Account_Name.ERP_Customer_Id": "nope"})
        with pytest.raises(ValueError, match="leave out the column"):
            crm.update("Accounts", accounts, external="ERP_Customer_Id")
        with pytest.raises(ValueError, match="no such column"):
            crm.update("Accounts", accounts[["Fax"]], external="ERP_Customer_Id")
        with pytest.raises(NotFoundError, match="no field 'ERP_Id'"):
            crm.delete("Accounts", ["x"], external="ERP_Id")
    assert sent(calls) == []


@pytest.fixture
def numbered(crm):
    """An account whose key in the other system is a number: text here, a float beside a gap."""
    rows = pd.DataFrame({"Account_Name": ["A", "B"], "ERP_Customer_Id": [77001, np.nan]})
    crm.upsert("Accounts", rows, duplicate_check_fields="ERP_Customer_Id")
    return rows.head(1)


@pytest.mark.parametrize("dtype", ["float64", "Int64", object, "string", "category", "float32"])
def test_keys_that_are_numbers_find_their_records(crm, numbered, dtype):
    """Whatever column they stand in, by every door; nothing is doubled."""
    key, before = "ERP_Customer_Id", crm.count("Accounts")
    cells = numbered[key].astype("Int64") if dtype == "string" else numbered[key]
    table = numbered.assign(**{key: cells.astype(dtype)})
    for source in (table, table.to_dict("records")):
        update = [
            {k: v for k, v in each.items() if k != "Account_Name"}
            for each in table.to_dict("records")
        ]
        assert crm.update("Accounts", update, external=key)["status"].tolist() == ["done"]
        upsert = crm.upsert("Accounts", source, duplicate_check_fields=key)
        assert upsert["action"].tolist() == ["update"]
        assert crm.diff("Accounts", source, key=key).rows["action"].tolist() == ["unchanged"]
        person = {"Last_Name": "x", f"Account_Name.{key}": table[key].iloc[0]}
        assert crm.insert("Contacts", person)["status"].tolist() == ["done"]
        assert crm.count("Accounts", f"{key} = :key", key=table[key].iloc[0]) == 1
    assert crm.count("Accounts") == before
    assert crm.delete("Accounts", table[key], external=key)["status"].tolist() == ["done"]


@pytest.mark.parametrize("empty", [None, "", np.nan, pd.NA])
def test_rows_without_an_id_are_new_records_of_an_upsert(crm, empty):
    """As an outer merge brings them; Zoho refuses an id that is null."""
    known = leads(crm, "City", limit=1)["id"][0]
    people = {"Last_Name": ["Known", "New"], "Email": ["k@w.example", "n@w.example"]}
    table = pd.DataFrame({"id": pd.Series([known, empty], dtype=object), **people})
    report = crm.upsert("Leads", table, duplicate_check_fields="Email")
    assert report["action"].tolist() == ["update", "insert"]
    report = crm.upsert("Leads", table.to_dict("records"), duplicate_check_fields="Email")
    assert report["action"].tolist() == ["update", "update"]


# ---- Look before the leap ------------------------------------------------------------------------


def test_a_plan_shows_what_would_change_and_changes_nothing(org, crm):
    """Rows to insert, cells with old and new values, what stays, and the price."""
    df = leads(crm, "Last_Name, City, Owner, Lead_Source, Created_Time", limit=3)
    df.loc[0, "City"] = "Goa"
    df.loc[1, "Owner.id"] = next(i for i in crm.users()["id"] if i != df.loc[1, "Owner.id"])
    table = pd.concat([df, pd.DataFrame({"Last_Name": ["New"]}, index=["new"])])
    with crm.trace() as calls:
        plan = crm.diff("Leads", table)
    assert sent(calls) == []
    assert plan.rows["action"].tolist() == ["update", "update", "unchanged", "insert"]
    assert plan.cells["column"].tolist() == ["City", "Owner.id"]
    assert plan.cells["new"].tolist() == ["Goa", df.loc[1, "Owner.id"]]
    assert (plan.credits, plan.cheaper) == (3, "rest")
    for text in (repr(plan), plan._repr_html_()):
        assert "1 to insert, 2 to update (2 cells), 1 unchanged" in text
        assert "Created_Time" in text
        assert "Goa" in text
        assert "To insert" in text
    assert plan.inserts.to_dict("index") == {
        "new": {"Last_Name": "New"} | dict.fromkeys(("City", "Lead_Source", "Owner"))
    }
    report = plan.apply()
    assert report["code"].tolist() == ["SUCCESS", "SUCCESS", "UNCHANGED", "SUCCESS"]
    assert leads(crm, limit=1)["City"].tolist() == ["Goa"]
    with pytest.raises(ValueError, match="applied already"):
        plan.apply()
    assert plan.undo()["status"].eq("done").all()


def test_a_plan_says_what_undo_cannot_bring_back(connected):
    """A choice that no picklist has any more: an org that checks choices refuses it."""
    settings = Settings(refuse_unknown_picklist_values=True)
    with Org(rows=ROWS, clock=ManualClock(), settings=settings) as org:
        crm = connected(org)
        query = "SELECT id FROM Leads WHERE Lead_Source = 'Facebook Ads' LIMIT 1"
        strange = crm.records("Leads", ["Lead_Source"], ids=[str(org.store.read(query)[0][0])])
        plan = crm.diff("Leads", strange.assign(Lead_Source="Chat"))
        assert "undo cannot restore it" in repr(plan)
        assert "1 old Lead_Source value is no longer in the picklist" in repr(plan)
        back = plan.apply().undo()
        assert back[["status", "field"]].values.tolist() == [["refused", "Lead_Source"]]


def test_a_plan_finds_records_by_other_keys(crm):
    """Without regard to case; several keys; a key that is a lookup."""
    known = leads(crm, "Last_Name, Email, City", "Email is not null", limit=2)
    people = pd.DataFrame(
        {
            "Email": [known["Email"].iloc[0].upper(), "new@example.com"],
            "Last_Name": [known["Last_Name"].iloc[0], "New"],
            "City": ["Goa", "Goa"],
        }
    )
    plan = crm.diff("Leads", people, key="Email")
    assert plan.rows["action"].tolist() == ["update", "insert"]
    assert plan.rows["id"].iloc[0] == known["id"].iloc[0]
    both = crm.diff("Leads", people.assign(Last_Name=["x", "New"]), key=["Email", "Last_Name"])
    assert both.rows["action"].tolist() == ["insert", "insert"]
    deals = crm.coql("select Deal_Name, Account_Name from Deals where Account_Name is not null")
    single = deals.drop_duplicates("Account_Name.id", keep=False).head(1)
    by_account = crm.diff("Deals", single.assign(Deal_Name="Renamed"), key="Account_Name.id")
    assert by_account.rows["id"].tolist() == single["id"].tolist()


def test_a_plan_names_what_is_wrong_with_it(org, crm):
    """Several records with one key, none with an id, missing keys, columns it cannot read."""
    twice = leads(crm, "Last_Name, Email", "Email is not null", limit=2)
    crm.update("Leads", twice.assign(Email="twin@example.com"))
    ambiguous = crm.diff("Leads", [{"Email": "twin@example.com", "City": "Goa"}], key="Email")
    assert ambiguous.rows["action"].tolist() == ["conflict"]
    assert "2 records have this key" in ambiguous.rows["message"].item()
    gone = crm.diff("Leads", [{"id": "999", "City": "Goa"}])
    assert gone.apply()["code"].tolist() == ["CONFLICT"]
    invalid = crm.diff(
        "Leads", [{"id": twice["id"].iloc[0], "Email": "x"}, {"Last_Name": "y", "Email": "y"}]
    )
    assert invalid.rows["action"].tolist() == ["invalid", "invalid"]
    assert invalid.apply()["code"].tolist() == ["INVALID_DATA", "INVALID_DATA"]
    with pytest.raises(ValueError, match="the key is missing"):
        crm.diff("Leads", [{"Email": None, "City": "Goa"}], key="Email")
    with pytest.raises(ValueError, match="key= is not a column"):
        crm.diff("Leads", [{"City": "Goa"}], key="Email")
    with pytest.raises(ValueError, match=r"Expenses.*cannot be compared"):
        crm.diff("Site_Visits", [{"id": "1", "Expenses": []}])


@pytest.mark.parametrize("by", ["Modified_Time", "attrs"])
def test_a_plan_sees_what_others_changed_since_the_table_was_read(org, crm, by):
    """By the row's own time, or by the moment at which the table was read."""
    more = ", Modified_Time" if by == "Modified_Time" else ""
    df = leads(crm, f"Last_Name, City{more}", limit=3)
    org.clock.advance(60)
    crm.update("Leads", {"id": df["id"].iloc[1], "Phone": "1"})
    plan = crm.diff("Leads", df.assign(City="Mine"))
    assert plan.rows["action"].tolist() == ["update", "conflict", "update"]
    assert plan.apply()["code"].tolist() == ["SUCCESS", "CONFLICT", "SUCCESS"]
    forced = crm.diff("Leads", df.assign(City="Forced"))
    assert forced.apply(force=True)["code"].tolist() == ["SUCCESS"] * 3
    bare = pd.DataFrame({"id": df["id"].tolist(), "City": "Blind"})
    assert "does not say when it was read" in repr(crm.diff("Leads", bare))


def test_a_conflict_names_who_changed_the_record_in_full_and_uncut(org, crm):
    """COQL has last names only; the directory knows the rest."""
    df = leads(crm, "Last_Name, City", limit=1)
    users = crm.users().set_index("id")
    other = users.index[users["status"].eq("active")][2]
    client = org.accounts.register()
    scopes = ("ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.coql.READ")
    token = org.accounts.issue_refresh_token(client.client_id, int(other), scopes)
    org.credentials |= {"client_id": client.client_id, "client_secret": client.client_secret,
                        "refresh_token": token}  # fmt: skip
    from zcrm_nb.connect import attach

    org.clock.advance(60)
    attach(org).update("Leads", {"id": df["id"].iloc[0], "Phone": "1"})
    plan = crm.diff("Leads", df.assign(City="Mine"))
    name = users.loc[other, "full_name"]
    for text in (repr(plan), plan._repr_html_()):
        assert f"changed by {name} at " in text
        assert "after the table was read" in text


def test_a_plan_does_not_overwrite_what_changes_before_it_is_applied(org, crm):
    """Each call says how old its knowledge is."""
    df = leads(crm, limit=2).assign(City="Mine")
    plan = crm.diff("Leads", df)
    org.clock.advance(60)
    crm.update("Leads", {"id": df["id"].iloc[0], "City": "Theirs"})
    assert plan.apply()["code"].tolist() == ["ALREADY_MODIFIED", "SUCCESS"]


# ---- The way back --------------------------------------------------------------------------------


def test_thousands_of_rows_go_there_and_back(connected):
    """Diff, apply, undo: the org is as it was, but for the times of change."""
    with Org(rows={**ROWS, "Leads": 2500}) as org:
        crm = connected(org)
        before = whole(crm)
        names = "Last_Name City Rating Annual_Revenue Tag Owner Email_Opt_Out Next_Follow_Up"
        df = crm.records("Leads", names.split())
        new = df.assign(
            City=df["City"].str.strip().str.upper(),
            Annual_Revenue=df["Annual_Revenue"] * 2,
            Rating=None,
            Tag=[["touched"] for _ in range(len(df))],
            Email_Opt_Out=~df["Email_Opt_Out"],
            Next_Follow_Up=df["Next_Follow_Up"] + pd.Timedelta(days=1),
        )
        more = pd.DataFrame({"Last_Name": [f"New {n}" for n in range(150)]})
        plan = crm.diff("Leads", pd.concat([new, more], ignore_index=True))
        assert plan.counts == {
            "insert": 150,
            "update": len(df),
            "unchanged": 0,
            "conflict": 0,
            "invalid": 0,
        }
        report = plan.apply()
        assert report["status"].eq("done").all()
        assert not whole(crm).equals(before)
        org.clock.advance(1)
        assert report.undo()["status"].eq("done").all()
        assert_frame_equal(whole(crm), before)


def test_undoing_leaves_alone_what_others_changed_unless_forced(org, crm):
    """A cell that was written and then changed; another cell of the record does not matter."""
    df = leads(crm, limit=3)
    report = crm.update("Leads", df[["id"]].assign(City="Mine", Phone="1"))
    new = crm.insert("Leads", [{"Last_Name": "a"}, {"Last_Name": "b"}])
    org.clock.advance(60)
    first, second, _ = df["id"]
    theirs = [{"id": each, "City": "Theirs"} for each in (first, new["id"].iloc[0])]
    crm.update("Leads", [*theirs, {"id": second, "Fax": "2"}])
    back = report.undo()
    assert back["status"].tolist() == ["refused", "done", "done"]
    assert back[["code", "field"]].iloc[0].tolist() == ["CHANGED_SINCE", "City"]
    assert report.undo(force=True)["code"].tolist() == [
        "SUCCESS",
        "NOTHING_TO_UNDO",
        "NOTHING_TO_UNDO",
    ]
    assert_frame_equal(leads(crm, limit=3), df)
    assert new.undo()["code"].tolist() == ["CHANGED_SINCE", "SUCCESS"]
    assert new.undo(force=True)["code"].tolist() == ["SUCCESS", "NOTHING_TO_UNDO"]


def test_a_part_of_a_report_undoes_that_part(org, crm):
    """The rows that are in it, by their ids."""
    df = leads(crm, limit=4)
    report = crm.update("Leads", df.assign(City="Mine"))
    assert report.iloc[[1, 3]].undo().index.tolist() == [1, 3]
    assert (leads(crm, limit=4)["City"] == "Mine").tolist() == [True, False, True, False]


def test_an_undoing_can_be_undone(org, crm):
    """It is a write like any other."""
    df = leads(crm, limit=2)
    mine = df.assign(City="Mine")
    back = crm.update("Leads", mine).undo()
    assert_frame_equal(leads(crm, limit=2), df)
    assert back.undo()["status"].eq("done").all()
    assert_frame_equal(leads(crm, limit=2), mine, check_dtype=False)


def test_what_cannot_be_undone_is_said_before_and_the_rest_is_put_back(org, crm):
    """Rows of subforms cannot be read of many records; old values were not wanted."""
    visits = crm.records("Site_Visits", ["Name"], limit=1)
    children = pd.DataFrame({"parent_id": visits["id"], "Amount": [1.0]})
    with pytest.warns(WriteWarning, match="Expenses cannot be undone"):
        report = crm.update(
            "Site_Visits", visits.assign(Name="Renamed"), subforms={"Expenses": children}
        )
    facts = report.attrs["zcrm"]
    assert (facts["undoable"], facts["not_undoable"]) == (False, ["Expenses"])
    back = report.undo()
    assert back[["status", "field"]].to_numpy().tolist() == [["done", "Expenses"]]
    assert "Expenses could not be put back" in back["message"].item()
    assert_frame_equal(crm.records("Site_Visits", ["Name"], limit=1), visits)
    with pytest.warns(WriteWarning, match="Expenses cannot be undone"):
        report = crm.update("Site_Visits", visits[["id"]], subforms={"Expenses": children})
    back = report.undo()
    assert back[["code", "field"]].to_numpy().tolist() == [["CANNOT_UNDO", "Expenses"]]
    blind = crm.update("Site_Visits", visits.assign(Name="x"), undoable=False)
    assert blind.undo()["code"].tolist() == ["CANNOT_UNDO"]


def test_a_warning_turned_into_an_error_stops_a_write_before_it_is_sent(crm):
    """What cannot be undone is said while it can still be left alone."""
    (visit,) = crm.records("Site_Visits", ["Name"], limit=1)["id"]
    before = crm.record("Site_Visits", visit)["Expenses"]
    warnings.simplefilter("error", WriteWarning)  # pytest restores the filters
    with crm.trace() as calls, pytest.raises(WriteWarning):
        crm.update("Site_Visits", [{"id": visit, "Expenses": [{"Amount": 1.0}]}])
    assert sent(calls) == []
    assert crm.record("Site_Visits", visit)["Expenses"] == before


def test_tags_are_written_and_put_back(org, crm):
    """COQL does not tell them well; a list of records does."""
    df = crm.records("Leads", ["Tag"], limit=2)
    report = crm.update("Leads", df.assign(Tag=[["a"], []]))
    assert sorted(crm.records("Leads", ["Tag"], limit=2)["Tag"].sum()) == ["a"]
    report.undo()
    assert crm.records("Leads", ["Tag"], limit=2)["Tag"].tolist() == df["Tag"].tolist()


def test_reports_say_nothing_aloud_when_all_went_well(crm):
    """Warnings are for what has to be looked after."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = crm.insert("Leads", {"Last_Name": "Osei"})
    assert json.dumps(report.attrs["zcrm"])
