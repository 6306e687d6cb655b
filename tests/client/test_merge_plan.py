"""Merging duplicates: shown before, done once, and never undone."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
import warnings
from itertools import count

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.client.test_write_law import LOGIN, connected
from tests.worlds import Org
from zcrm_nb import CRM, connect
from zcrm_nb.auth.oauth import REFUSED_S
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.errors import LimitError, NotFoundError, WriteError, WriteWarning, ZohoError
from zcrm_nb.wire.wsgi import WSGIAdapter

ROWS = {
    **{"Leads": 60, "Contacts": 20, "Accounts": 8, "Deals": 12, "Tasks": 5, "Events": 5},
    **{"Calls": 5, "Notes": 4, "Campaigns": 2, "Site_Visits": 2, "Vendors": 3, "Products": 2},
}
QUIET = {"progress": False}
serial = count()


@pytest.fixture(scope="module")
def org():
    """An org in which every test makes its own duplicates."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def crm(org):
    """A CRM on it."""
    return attach(org)


def made(crm, *people, module="Leads"):
    """A group of records, the first one its master, in the table that duplicates() makes."""
    run = f"Merge{next(serial)}"
    records = [{"Last_Name": run, **each} for each in people]
    ids = crm.insert(module, records, **QUIET)["id"].tolist()
    return pd.DataFrame(
        {"group": [run] * len(ids), "master": [True, *[False] * (len(ids) - 1)], "id": ids,
         "module": [module] * len(ids)}
    )  # fmt: skip


def task_of(crm, record_id, module="Leads"):
    """A task that hangs on a record."""
    task = {"Subject": "Call back", "What_Id": {"id": record_id}, "$se_module": module}
    return crm.insert("Tasks", [task], **QUIET)["id"].item()


def test_a_plan_shows_which_value_wins_and_writes_nothing(org, crm):
    """The master's value, and where it is empty the first filled one."""
    found = made(crm, {"City": "Pune"}, {"City": "Goa", "Phone": "98110 12345"}, {"Fax": "1"})
    before = org.store.read("SELECT count(*) FROM Leads")
    plan = crm.merge_plan(found, **QUIET)
    assert plan.cells[["column", "old", "new", "rule"]].to_numpy().tolist() == [
        ["Phone", None, "98110 12345", "filled"],
        ["Fax", None, "1", "filled"],
    ]
    assert plan.cells["source"].tolist() == found["id"].tolist()[1:]
    assert plan.records["master"].tolist() == [True, False, False]
    assert plan.records["changes"].tolist() == [2, pd.NA, pd.NA]
    assert plan.calls == 1
    assert org.store.read("SELECT count(*) FROM Leads") == before


@pytest.mark.parametrize(
    ("rule", "city"),
    [("filled", "Pune"), ("master", "Pune"), ("newest", "Goa"), ("oldest", "Pune"),
     ("longest", "Visakhapatnam"), ("most_frequent", "Goa")],
)  # fmt: skip
def test_each_rule_chooses_its_value(org, crm, rule, city):
    """For all fields, or for one."""
    rows = [{"City": "Pune"}, {"City": "Visakhapatnam"}, {"City": "Goa"}, {"City": "Goa"}]
    found = made(crm, *rows)
    org.clock.advance(60)
    crm.update("Leads", {"id": found["id"].iloc[3], "State": "Goa"}, **QUIET)
    for rules in (rule, {"City": rule}):
        cells = crm.merge_plan(found, rules, **QUIET).cells
        new = cells.loc[cells["column"] == "City", "new"]
        assert (new.item() if len(new) else "Pune") == city


def test_the_masters_empty_cell_stays_empty_by_choice(crm):
    """``master`` fills nothing."""
    found = made(crm, {}, {"City": "Goa"})
    assert crm.merge_plan(found, "master", **QUIET).cells.empty


def test_a_merge_does_what_its_plan_said(org, crm):
    """Values, what hangs on the records, credits; the report knows what was there before."""
    found = made(crm, {"City": "Pune"}, {"Phone": "98110 12345"}, {"Fax": "1"}, {"Company": "Tata"})
    master, *others = found["id"]
    tasks = [task_of(crm, each) for each in others]
    crm.add_note("Leads", others[0], "Spoke to her")
    plan = crm.merge_plan(found, **QUIET)
    assert plan.related.groupby("related_list")["count"].sum().to_dict() == {"Notes": 1, "Tasks": 3}
    with crm.trace() as calls:
        report = plan.apply(**QUIET)
    assert report["status"].tolist() == ["done"] * 3
    assert report["id"].tolist() == others
    assert report["master_id"].tolist() == [master] * 3
    assert report.index.tolist() == [1, 2, 3]
    assert sum(call.credits for call in calls) <= plan.credits
    record = crm.record("Leads", master)
    assert record[["City", "Phone", "Fax", "Company"]].tolist() == [
        "Pune", "98110 12345", "1", "Tata",
    ]  # fmt: skip
    assert set(crm.records("Tasks", ["What_Id"], ids=tasks)["What_Id.id"]) == {master}
    assert len(crm.notes("Leads", master)) == 1
    assert crm.records("Leads", ids=others).empty
    before = report.before.set_index("id")
    assert before.loc[others[0], "Phone"] == "98110 12345"
    assert set(before.index) == set(found["id"])
    moved = report.moved
    assert set(moved.loc[moved["related_list"] == "Tasks", "related_id"]) == set(tasks)


def test_a_group_of_many_is_merged_in_several_calls(org, crm):
    """Two at a time, one after the other; groups side by side."""
    many = pd.concat([made(crm, *[{"Fax": str(n)} for n in range(6)]) for _ in range(3)])
    with crm.trace() as calls:
        plan = crm.merge_plan(many, count_related=False, **QUIET)
        report = plan.apply(**QUIET)
    assert plan.calls == 9
    assert report["status"].eq("done").all()
    assert sum(call.path.endswith("/actions/merge") for call in calls) == 9
    assert report.moved.empty


def test_what_is_kept_outlives_the_kernel_but_not_a_pickle(crm):
    """The journal has the records and what hung on them; a pickle has no way to it."""
    found = made(crm, {"City": "Pune"}, {"City": "Goa"})
    task = task_of(crm, found["id"].iloc[1])
    report = crm.merge_plan(found, **QUIET).apply(**QUIET)
    again = crm.report(report.attrs["zcrm"]["run"])
    pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(report))
    assert again.moved["related_id"].tolist() == [task]
    assert set(again.before["City"]) == {"Goa", "Pune"}
    with pytest.raises(ValueError, match=r"use crm\.report"):
        pickle.loads(pickle.dumps(report)).before  # noqa: B018


def test_undo_explains_that_a_merge_cannot_be_undone(crm):
    """And what there is instead."""
    report = crm.merge_plan(made(crm, {}, {}), **QUIET).apply(**QUIET)
    with pytest.raises(ValueError, match=r"cannot be undone(.|\n)*report\.before"):
        report.undo()


def test_a_plan_is_applied_once(crm):
    """The second time the records are gone."""
    plan = crm.merge_plan(made(crm, {}, {}), **QUIET)
    plan.apply(**QUIET)
    with pytest.raises(ValueError, match="applied already"):
        plan.apply(**QUIET)


def test_a_plan_reads_as_text_and_as_html(crm):
    """What changes, what goes where, what it costs, and that there is no way back."""
    found = made(crm, {"City": "Pune"}, {"Phone": "98110 12345", "Company": "A & B <i>"})
    task_of(crm, found["id"].iloc[1])
    plan = crm.merge_plan(found, **QUIET)
    text, html = repr(plan), plan._repr_html_()
    for part in ("1 record into 1 master", "Phone: 1 cell", "98110 12345", "Tasks: 1",
                 "cannot be undone", "at most"):  # fmt: skip
        assert part in text
        assert part in html
    assert "<i>" not in html
    assert "A &amp; B &lt;i&gt;" in html


def test_nothing_to_merge_is_a_plan_of_nothing(crm):
    """Of an empty table."""
    none = crm.duplicates("Leads", on="GSTIN", **QUIET)
    plan = crm.merge_plan(none, module="Leads", **QUIET)
    assert "nothing to merge" in repr(plan)
    assert plan.credits == plan.calls == 0
    assert plan.apply(**QUIET).empty


# ---- What is refused before anything is sent -----------------------------------------------------


def two_groups(crm):
    """Two groups of two."""
    return pd.concat([made(crm, {}, {}), made(crm, {}, {})], ignore_index=True)


BAD = {
    "no master": (lambda df: df.assign(master=False), "has no masters; mark one"),
    "several masters": (lambda df: df.assign(master=True), "has 2 masters; mark one"),
    "in two groups": (
        lambda df: df.assign(id=[*df["id"][:3], df["id"].iloc[1]]),
        "a record can be merged once",
    ),
    "the master among the others": (
        lambda df: df.assign(id=[df["id"].iloc[0]] * 2 + [*df["id"][2:]]),
        "twice in this group",
    ),
    "alone": (lambda df: df.head(3), "has one record"),
    "no group": (lambda df: df.assign(group=[None, *df["group"][1:]]), "missing"),
    "gone": (
        lambda df: df.assign(id=[*df["id"][:3], "410888009999999999"]),
        "no such record",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_groups_that_cannot_be_merged_are_all_named(crm, kind):
    """In one table, and nothing is sent."""
    spoil, message = BAD[kind]
    with crm.trace() as calls, pytest.raises(ValueError, match=f"Nothing was sent(.|\n)*{message}"):
        crm.merge_plan(spoil(two_groups(crm)), **QUIET)
    assert not any(call.path.endswith("merge") for call in calls)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda df: df.drop(columns="master"), ValueError, "no column 'master'"),
        (lambda df: df.rename(columns={"id": "ids"}), ValueError, "Did you mean ids"),
        (lambda df: df.assign(id=["x", *df["id"][1:]]), NotFoundError, "not a record id"),
        (lambda df: df.drop(columns="module"), ValueError, "module of this table is unknown"),
        (lambda df: df.assign(module="Tasks"), ValueError, "does not merge Tasks"),
        (lambda df: df.assign(module="Leeds"), NotFoundError, "Did you mean Leads"),
        (lambda df: df["id"].tolist(), TypeError, "takes a table of duplicates"),
    ],
)
def test_tables_that_are_no_groups_are_refused(crm, spoil, error, message):
    """With what is missing."""
    with pytest.raises(error, match=message):
        crm.merge_plan(spoil(made(crm, {}, {})), **QUIET)


def test_a_group_across_modules_says_how_to_convert_the_lead(crm):
    """Zoho merges records of one module."""
    lead, contact = made(crm, {}), made(crm, {}, module="Contacts")
    both = pd.concat([contact, lead.assign(master=False)]).assign(group=1)
    ids = lead["id"].item(), contact["id"].item()
    message = 'spans Contacts and Leads; run crm.convert\\("{}", contact="{}"'.format(*ids)
    with pytest.raises(ValueError, match=message) as caught:
        crm.merge_plan(both, **QUIET)
    assert len(caught.value.problems) == 1


def test_groups_of_two_modules_are_planned_apart(crm):
    """A plan is about one module."""
    leads, contacts = made(crm, {}, {}), made(crm, {}, {}, module="Contacts")
    with pytest.raises(ValueError, match="Plan each module apart"):
        crm.merge_plan(pd.concat([leads, contacts], ignore_index=True), **QUIET)


def test_a_group_of_thousands_is_refused_unless_it_is_wanted(crm):
    """Something like a placeholder holds it together."""
    found = made(crm, *[{} for _ in range(5)])
    with pytest.raises(ValueError, match="has 5 records, more than max_group=3"):
        crm.merge_plan(found, max_group=3, **QUIET)
    assert crm.merge_plan(found, max_group=4, count_related=False, **QUIET).calls == 2


def test_locked_and_converted_records_and_closed_deals_are_refused(org, crm):
    """Zoho would refuse them one by one, in the middle of the run."""
    locked = made(crm, {}, {})
    org.store.execute("UPDATE Leads SET Locked__s = 1 WHERE id = ?", (int(locked["id"].iloc[1]),))
    with pytest.raises(ValueError, match="the record is locked"):
        crm.merge_plan(locked, **QUIET)
    converted = made(crm, {"Company": "Tata"}, {"Company": "Tata"})
    crm.convert([converted["id"].iloc[1]], **QUIET)
    with pytest.raises(ValueError, match="the lead is converted"):
        crm.merge_plan(converted, **QUIET)
    deals = crm.coql("select Deal_Name from Deals where Stage = 'Closed Won' limit 1")
    open_ = crm.coql("select Deal_Name from Deals where Stage = 'Qualification' limit 1")
    if open_.empty:
        open_ = crm.insert(
            "Deals",
            {"Deal_Name": "Open", "Stage": "Qualification", "Closing_Date": "2027-01-01",
             "Pipeline": "Standard (Standard)"},
            **QUIET,
        )  # fmt: skip
    both = pd.DataFrame({"id": [open_["id"].iloc[0], deals["id"].iloc[0]], "group": 1,
                         "master": [True, False]})  # fmt: skip
    with pytest.raises(ValueError, match="the deal is closed"):
        crm.merge_plan(both, module="Deals", **QUIET)


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ("newst", ValueError, "Did you mean newest"),
        ({"City": "best"}, ValueError, "rules\\['City'\\]='best' is not a rule"),
        ({"Citty": "newest"}, NotFoundError, "Did you mean City"),
        ({"Created_Time": "oldest"}, ValueError, "cannot be chosen"),
        ({"Tag": "newest"}, ValueError, "cannot be chosen"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(crm, rules, error, message):
    """Before anything is read of the records."""
    with pytest.raises(error, match=message):
        crm.merge_plan(made(crm, {}, {}), rules, **QUIET)


def test_a_plan_costs_no_more_than_is_allowed(crm):
    """The price is in the error."""
    with pytest.raises(LimitError, match="takes 5 credits; max_credits=2"):
        crm.merge_plan(made(crm, {}, {}, {}, {}), max_credits=2, **QUIET)


def test_in_contacts_the_manager_comes_with_the_account(org, crm):
    """Zoho refuses a mixture of two records."""
    accounts = crm.records("Accounts", ["Account_Name"], limit=2)["id"].tolist()
    boss = crm.insert("Contacts", {"Last_Name": "Boss"}, **QUIET)["id"].item()
    reports = {"Reporting_To": {"id": boss}}
    found = made(
        crm, {}, reports, {"Account_Name": {"id": accounts[0]}, **reports}, module="Contacts"
    )
    cells = crm.merge_plan(found, **QUIET).cells.set_index("column")["source"]
    assert cells["Account_Name"] == cells["Reporting_To"] == found["id"].iloc[2]
    apart = made(crm, reports, {"Account_Name": {"id": accounts[1]}}, module="Contacts")
    plan = crm.merge_plan(apart, **QUIET)
    assert plan.cells.empty
    assert plan.apply(**QUIET)["status"].tolist() == ["done"]


@pytest.mark.parametrize("module", ["Accounts", "Vendors", "Site_Visits"])
def test_other_modules_are_merged_as_well(crm, module):
    """Standard ones and custom ones, with their lookups."""
    name = {"Accounts": "Account_Name", "Vendors": "Vendor_Name", "Site_Visits": "Name"}[module]
    ids = crm.insert(module, [{name: "Twin"}, {name: "Twin"}], **QUIET)["id"]
    found = pd.DataFrame({"id": ids, "group": 1, "master": [True, False]})
    report = crm.merge_plan(found, module=module, **QUIET).apply(**QUIET)
    assert report["status"].tolist() == ["done"]


# ---- What happens meanwhile ----------------------------------------------------------------------


def test_a_record_that_was_changed_since_the_plan_is_not_merged(org, crm):
    """Its whole group is a conflict; force merges it all the same."""
    found = two_groups(crm)
    plan, forced = crm.merge_plan(found, **QUIET), crm.merge_plan(found.head(2), **QUIET)
    org.clock.advance(60)
    crm.update("Leads", {"id": found["id"].iloc[1], "City": "Goa"}, **QUIET)
    report = plan.apply(**QUIET)
    assert report["code"].tolist() == ["CONFLICT", "SUCCESS"]
    assert "after the plan was made" in report["message"].iloc[0]
    assert report["master_id"].notna().all()
    assert forced.apply(force=True, **QUIET)["status"].tolist() == ["done"]


def test_a_record_that_is_gone_is_not_merged_even_by_force(crm):
    """There is nothing to merge."""
    found = made(crm, {}, {})
    plan = crm.merge_plan(found, **QUIET)
    crm.delete("Leads", [found["id"].iloc[1]], **QUIET)
    assert plan.apply(force=True, **QUIET)["code"].tolist() == ["CONFLICT"]


def test_a_refusal_of_zohos_is_the_report_of_its_records_only(org, crm):
    """Locked after the plan was made: without a change of its time."""
    found = two_groups(crm)
    plan = crm.merge_plan(found, **QUIET)
    org.store.execute("UPDATE Leads SET Locked__s = 1 WHERE id = ?", (int(found["id"].iloc[1]),))
    report = plan.apply(force=True, **QUIET)
    assert report["status"].tolist() == ["refused", "done"]
    assert report.resolve(wait_s=0)["status"].tolist() == ["refused", "done"]


def test_a_merge_that_becomes_a_job_is_waited_for(org, crm):
    """It is done when the job is."""
    kept = org.settings.actions.chore_runs_s
    object.__setattr__(org.settings.actions, "merge_schedules", True)
    try:
        report = crm.merge_plan(made(crm, {}, {}, {}), **QUIET).apply(**QUIET)
        assert report["status"].tolist() == ["done", "done"]
        object.__setattr__(org.settings.actions, "chore_runs_s", 60.0)
        waiting = crm.merge_plan(made(crm, {}, {}), **QUIET).apply(wait_s=0, **QUIET)
        assert waiting["code"].tolist() == ["SCHEDULED"]
        assert waiting["status"].tolist() == ["unknown"]
        org.clock.advance(3600)
        assert waiting.resolve(wait_s=0)["status"].tolist() == ["done"]
    finally:
        object.__setattr__(org.settings.actions, "merge_schedules", False)
        object.__setattr__(org.settings.actions, "chore_runs_s", kept)


@pytest.mark.parametrize("kind", ["lost", "reset", "500"])
def test_a_lost_answer_is_resolved_by_what_the_crm_holds(org, crm, kind):
    """Merged or not, and never merged twice."""
    found = made(crm, {"City": "Pune"}, {"Phone": "98110 12345"})
    org.faults.add(kind, path="/actions/merge", method="POST")
    plan = crm.merge_plan(found, **QUIET)
    with pytest.warns(WriteWarning, match="unknown"):
        report = plan.apply(**QUIET)
    assert report["status"].tolist() == ["unknown"]
    gone = crm.records("Leads", ids=[found["id"].iloc[1]]).empty
    found = report.resolve(wait_s=0)
    assert found["status"].tolist() == ["done" if gone else "refused"]
    assert found["master_id"].notna().all()


def test_what_a_colleague_deleted_is_not_called_merged(org, crm):
    """The call was lost on its way, and the record is gone for another reason."""
    users = crm.users()
    client = org.accounts.register()
    scopes = tuple(f"ZohoCRM.{each}" for each in ("modules.ALL", "settings.ALL", "coql.READ"))
    other = int(users.loc[users["status"] == "active", "id"].iloc[3])
    token = org.accounts.issue_refresh_token(client.client_id, other, scopes)
    login = {"client_id": client.client_id, "client_secret": client.client_secret}
    colleague = connected(
        {**org.credentials, **login, "refresh_token": token},
        WSGIAdapter(org.wsgi),
        sleep=lambda seconds: None,
        notify=lambda sentence: None,
    )
    found = made(crm, {}, {})
    plan = crm.merge_plan(found, **QUIET)
    org.faults.add("reset", path="/actions/merge", method="POST")
    with pytest.warns(WriteWarning, match="unknown"):
        report = plan.apply(**QUIET)
    colleague.delete("Leads", [found["id"].iloc[1]], **QUIET)
    resolved = report.resolve(wait_s=0)
    assert resolved["status"].tolist() == ["refused"]
    assert "another user deleted the record, or merged it" in resolved["message"].item()


def test_an_outage_before_the_first_call_sends_nothing(org, crm):
    """The records cannot be read again: it is an error, and all are still there."""
    found = made(crm, {}, {})
    plan = crm.merge_plan(found, **QUIET)
    org.faults.add("500", path="/crm/v8/Leads", times=None)
    try:
        with pytest.raises(ZohoError):
            plan.apply(**QUIET)
    finally:
        org.faults.clear()
    assert len(crm.records("Leads", ids=found["id"])) == 2
    assert plan.apply(**QUIET)["status"].tolist() == ["done"]


# ---- The law -------------------------------------------------------------------------------------

TROUBLE = st.lists(
    st.tuples(
        st.sampled_from(
            ["lost", "reset", "torn", "429", "500", "502", "503", "html", "expire_tokens"]
        ),
        st.integers(0, 3),
    ),
    max_size=4,
)


def hangs_on(org):
    """Which record each task hangs on, by the task's id."""
    return dict(org.store.read("SELECT id, What_Id FROM Tasks WHERE What_Id IS NOT NULL"))


def obeys(org, found, tasks, report):
    """Every task of a merged record hangs on its master, every other one where it was."""
    masters = {row["id"]: part.loc[part["master"], "id"].item()
               for _, part in found.groupby("group") for _, row in part.iterrows()}  # fmt: skip
    there = {str(each) for (each,) in org.store.read("SELECT id FROM Leads")}
    status = report.set_index("id")["status"].to_dict()
    now = hangs_on(org)
    for record, task in tasks.items():
        done = status.get(record) == "done"
        assert str(now[int(task)]) == (masters[record] if done else record)
        assert (record in there) != done
    assert set(masters.values()) <= there


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(sizes=st.lists(st.integers(2, 6), min_size=1, max_size=3), trouble=TROUBLE)
@example(sizes=[3], trouble=[("expire_tokens", 0), ("expire_tokens", 0), ("expire_tokens", 0)])
def test_nothing_that_hangs_on_a_merged_record_is_lost(org, crm, sizes, trouble):
    """Whatever happens to the calls, the report says which record hangs where."""
    found = pd.concat([made(crm, *[{}] * size) for size in sizes], ignore_index=True)
    tasks = {each: task_of(crm, each) for each in found["id"]}
    plan = crm.merge_plan(found, **QUIET)
    for kind, after in trouble:
        org.faults.add(kind, after=after, path="/actions/merge", method="POST")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", WriteWarning)
            try:
                report = plan.apply(**QUIET)
            except WriteError as error:
                report = error.report
            except ZohoError:  # refused as a whole: nothing was merged
                report = None
    finally:
        org.faults.clear()
        org.clock.advance(REFUSED_S)  # after two refused tokens, a login waits that long
    if report is None:
        assert len(crm.records("Leads", ids=found["id"])) == len(found)
        return
    known = report["status"] != "unknown"
    resolved = report.resolve(wait_s=0)
    assert (resolved["status"][known] == report["status"][known]).all()
    assert not resolved["status"].eq("unknown").any(), resolved.to_string()
    obeys(org, found, tasks, resolved)
    left = report.moved.groupby("related_list").size().to_dict()
    assert left == {"Tasks": len(found) - len(sizes)}


KILLED = """
    import json, os, signal, sys
    from pathlib import Path
    import pandas as pd
    from zcrm_nb import CRM, connect

    login, folder, found = json.loads(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    crm = CRM(connect(**login)._gate, folder=folder)

    def die(rows, calls, total):
        if calls == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    crm.merge_plan(pd.DataFrame(found), progress=False).apply(progress=die)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_kernel_leaves_a_journal_that_is_resolved_by_another(tmp_path):
    """What was merged is told from what was not, and what hung on it is known."""
    with Org(rows=ROWS) as org, org.serve() as server:
        login = {name: server.credentials[name] for name in LOGIN}
        crm = CRM(connect(**login)._gate, folder=tmp_path / "own")
        found = pd.concat([made(crm, *[{}] * 4) for _ in range(30)], ignore_index=True)
        tasks = dict(zip(found["id"], crm.insert("Tasks", [
            {"Subject": "Call", "What_Id": {"id": each}, "$se_module": "Leads"}
            for each in found["id"]
        ], **QUIET)["id"], strict=True))  # fmt: skip
        org.latency_ms = 10
        data = json.dumps(found.to_dict("list"))
        command = [sys.executable, "-c", textwrap.dedent(KILLED), json.dumps(login)]
        ran = subprocess.run([*command, str(tmp_path / "k"), data], check=False)
        org.latency_ms = 0
        assert ran.returncode == -9
        other = CRM(connect(**login)._gate, folder=tmp_path / "k")
        report = other.report()
        assert len(report) == 90
        assert report["master_id"].notna().all()
        resolved = report.resolve(wait_s=3)
        assert not resolved["status"].eq("unknown").any()
        obeys(org, found, tasks, resolved)
        assert len(resolved.moved) == 90
        assert len(resolved.before) == 120
