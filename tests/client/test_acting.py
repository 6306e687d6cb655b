"""Acting on records: the CRM object on the emulator, end to end, on good days and bad ones."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.api.acting import convert
from zcrm_nb.connect import attach, connect
from zcrm_nb.emulator import ManualClock, Settings
from zcrm_nb.emulator.settings import ActionSettings
from zcrm_nb.emulator.world import ADMIN
from zcrm_nb.errors import LimitError, NotFoundError, ScopeError, WriteWarning

DEAL = {
    "Deal_Name": "Pilot",
    "Stage": "Qualification",
    "Closing_Date": "2026-12-31",
    "Pipeline": "Standard (Standard)",
}
URLS = ("accounts_url", "api_domain", "upload_url")
ROWS = {"Leads": 60, "Contacts": 20, "Accounts": 10, "Deals": 40, "Tasks": 12}


@pytest.fixture
def org():
    """An org of a test's own."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


@pytest.fixture
def crm(org):
    """A CRM on it whose waiting moves the org's clock."""
    crm = attach(org)
    crm._gate.sleep = org.clock.advance
    return crm


def unconverted(crm, count):
    """Leads that nobody has converted."""
    return crm.records("Leads", ["Last_Name", "Company"], converted=False, limit=count)


def test_a_report_stands_beside_its_table(crm):
    """The same index; the ids of what came of each lead."""
    leads = unconverted(crm, 5).set_index("Last_Name", drop=False)
    report = crm.convert(leads, deal=DEAL)
    assert report.index.equals(leads.index)
    assert report["id"].tolist() == leads["id"].tolist()
    assert (report["status"] == "done").all()
    assert {str(each) for each in report.dtypes} == {"category", "string"}
    assert list(report.columns) == ["action", "status", "id", "Accounts.id", "Contacts.id",
                                    "Deals.id", "code", "field", "message"]  # fmt: skip
    deals = crm.records("Deals", ["Deal_Name", "Contact_Name"], ids=report["Deals.id"].tolist())
    assert set(deals["Contact_Name.id"]) == set(report["Contacts.id"])
    assert report.attrs["zcrm"]["credits"] == 25


def test_a_table_says_for_each_lead_what_shall_become_of_it(crm):
    """Existing accounts, and deals of their own over the common one."""
    leads = unconverted(crm, 3)
    account = crm.records("Accounts", ["Account_Name"], limit=1)["id"].iloc[0]
    table = pd.DataFrame(
        {
            "id": leads["id"],
            "Accounts.id": [account, None, None],
            "Deals.Deal_Name": ["A", "B", None],
            "Deals.Amount": [10.5, None, None],
            "Deals.Closing_Date": pd.to_datetime(["2026-10-01", "2026-11-01", None]),
        }
    )
    report = crm.convert(table, deal=DEAL)
    assert report["Accounts.id"].iloc[0] == account
    deals = crm.records("Deals", ["Deal_Name", "Amount", "Closing_Date"],
                        ids=report["Deals.id"].tolist()).set_index("id")  # fmt: skip
    found = deals.loc[report["Deals.id"]]
    assert found["Deal_Name"].tolist() == ["A", "B", "Pilot"]
    assert found["Amount"].iloc[0] == 10.5
    assert found["Closing_Date"].astype(str).tolist() == ["2026-10-01", "2026-11-01", "2026-12-31"]


def test_what_hangs_on_a_lead_goes_where_it_is_told_to(crm, tmp_path):
    """Attachments to the deal, notes to the contact, tags as they are named."""
    lead = unconverted(crm, 1)["id"].iloc[0]
    paper = tmp_path / "offer.txt"
    paper.write_text("42")
    crm.attach("Leads", lead, paper)
    crm.add_note("Leads", lead, "called")
    crm.tag("Leads", [lead], ["vip"])
    options = {"deal": DEAL, "attachments_to": "Deals", "tags": {"Accounts": ["vip"]}}
    (made,) = crm.convert([lead], **options).to_dict("records")
    assert crm.attachments("Deals", made["Deals.id"])["File_Name"].tolist() == ["offer.txt"]
    assert crm.attachments("Leads", lead).empty
    assert "called" in crm.notes("Contacts", made["Contacts.id"])["Note_Content"].tolist()
    accounts = crm.records("Accounts", ["Tag"], ids=[made["Accounts.id"]])
    assert accounts["Tag"].tolist() == [["vip"]]


def test_refusals_are_told_of_each_lead(crm):
    """One bad pipeline does not stop the others."""
    table = unconverted(crm, 2)
    table["Deals.Pipeline"] = ["Government Tenders", "Standard (Standard)"]
    report = crm.convert(table, deal={**DEAL, "Stage": "Value Proposition"})
    assert report["status"].tolist() == ["refused", "done"]
    assert report.loc[0, ["code", "field"]].tolist() == ["MAPPING_MISMATCH", "Stage"]


def test_converting_twice_tells_what_the_lead_has_become(crm):
    """ID_ALREADY_CONVERTED, with the ids of the first time."""
    (lead,) = unconverted(crm, 1)["id"]
    first, second = crm.convert(lead), crm.convert(lead)
    assert second["code"].tolist() == ["ID_ALREADY_CONVERTED"]
    assert second["Contacts.id"].tolist() == first["Contacts.id"].tolist()


@pytest.mark.parametrize("kind", ["lost", "torn", "reset", "500", "502"])
def test_no_lead_is_converted_twice_whatever_happens_to_the_answer(org, crm, kind):
    """Done before the answer was lost is done; not done is unknown, and safe to ask again."""
    leads = unconverted(crm, 6)
    contacts = crm.count("Contacts")
    org.faults.add(kind, times=3, path="/actions/convert")
    with lost_answers_are_said():
        report = crm.convert(leads)
    flags = crm.records("Leads", ["Converted__s"], ids=leads["id"].tolist()).set_index("id")
    really = flags.loc[report["id"], "Converted__s"].tolist()
    assert [each == "done" for each in report["status"]] == really
    assert set(report["status"]) <= {"done", "unknown"}
    made = int((report["status"] == "done").sum())
    assert crm.count("Contacts") == contacts + made
    again = crm.convert(report[report["status"] == "unknown"])
    assert (again["status"] == "done").all()
    assert crm.count("Contacts") == contacts + 6


@contextmanager
def lost_answers_are_said():
    """Let warnings of lost answers pass, and no others."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*no response", WriteWarning)
        yield


VERBS = {
    "convert": lambda crm, table: crm.convert(table),
    "change_owner": lambda crm, table: crm.change_owner("Leads", table, "Priya Banerjee"),
    "mass_update": lambda crm, table: crm.mass_update("Leads", table, values={"City": "Akosombo"}),
    "mass_delete": lambda crm, table: crm.mass_delete("Leads", table),
    "restore": lambda crm, table: crm.restore("Leads", table),
}


@pytest.mark.parametrize("kind", ["lost", "reset", "502"])
@pytest.mark.parametrize("verb", VERBS)
def test_resolve_finds_out_what_became_of_each_record(org, crm, verb, kind):
    """Done or not processed, as the org really is; what was not processed can be done then."""
    table = unconverted(crm, 4)
    if verb == "restore":
        crm.mass_delete("Leads", table)
    done = "done" if kind == "lost" else "refused"
    org.faults.add(kind, times=4, path="/actions/")
    with lost_answers_are_said():
        report = VERBS[verb](crm, table)
    if verb != "convert" or kind != "lost":  # a conversion is looked at by itself
        assert set(report["status"]) == {"unknown"}
        assert set(report["code"]) == {"NO_ANSWER"}
    org.faults.clear()
    settled = report.resolve()
    assert set(settled["status"]) == {done}
    assert settled.index.equals(report.index)
    assert settled.columns.equals(report.columns)
    if done == "refused":
        assert set(settled["code"]) == {"NOT_PROCESSED"}
        assert set(VERBS[verb](crm, table)["status"]) == {"done"}


def test_resolve_follows_a_job(make_org):
    """A job that was too slow is waited for again."""
    crm = make_org(chore_delay_s=60)
    view = crm.views("Deals").set_index("name").loc["Open Deals", "id"]
    report = crm.mass_update("Deals", cvid=view, values={"Next_Step": "A"}, wait_s=1)
    assert report["status"].tolist() == ["unknown"]
    settled = report.resolve(wait_s=120)
    assert settled["status"].tolist() == ["done"]
    assert settled["id"].tolist() == report["id"].tolist()


def test_a_deletion_knows_the_way_back_and_a_conversion_has_none(crm):
    """undo() restores what was deleted, and deletes what was restored."""
    before = crm.records("Deals")
    gone = crm.mass_delete("Deals", before.head(5))
    back = gone.undo()
    assert back["action"].tolist() == ["restore"] * 5
    pd.testing.assert_frame_equal(crm.records("Deals"), before)
    assert set(back.undo()["status"]) == {"done"}
    assert crm.count("Deals") == len(before) - 5
    with pytest.raises(ValueError, match="cannot be undone"):
        crm.convert(unconverted(crm, 1)).undo()


def test_a_scheduled_conversion_is_looked_at(make_org):
    """It is done by the time one looks, and so it says."""
    crm = make_org(convert_schedules=True)
    report = crm.convert(unconverted(crm, 2))
    assert report["status"].tolist() == ["done", "done"]
    assert report["Contacts.id"].notna().all()


@pytest.fixture
def make_org():
    """Make a CRM on an org with other readings of actions."""
    made = []

    def make(**actions):
        settings = Settings(actions=ActionSettings(**actions))
        made.append(Org(rows=ROWS, clock=ManualClock(), settings=settings))
        crm = attach(made[-1])
        crm._gate.sleep = made[-1].clock.advance
        return crm

    yield make
    for emulator in made:
        emulator.close()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"deal": {"Deal_Name": "x"}}, ValueError, "lacks Stage, Closing_Date"),
        ({"deal": {**DEAL, "Amout": 1}}, NotFoundError, "Amount"),
        ({"owner": "Priya Banerji"}, NotFoundError, "priya banerjee|Priya"),
        ({"account": "x1"}, NotFoundError, "Accounts"),
        ({"attachments_to": "Deals"}, ValueError, "it gets none"),
    ],
)
def test_what_cannot_be_converted_is_not_sent(crm, options, error, words):
    """Nothing is converted half-way through a table."""
    leads = unconverted(crm, 2)
    with crm.trace() as calls, pytest.raises(error, match=words):
        crm.convert(leads, **options)
    assert all(call.method == "GET" for call in calls)


def test_a_budget_stops_between_two_leads_and_the_report_says_so(crm):
    """What was converted is done; the rest was not sent."""
    leads = unconverted(crm, 4)
    crm.users()
    with crm.budget(10):
        report = crm.convert(leads)
    assert sorted(report["status"]) == ["done", "done", "refused", "refused"]
    assert set(report.loc[report["status"] == "refused", "code"]) == {"NOT_SENT"}
    with crm.budget(1), pytest.raises(LimitError):
        crm.convert(report.loc[report["code"] == "NOT_SENT"])


def test_records_change_hands_by_the_name_of_the_new_owner(crm):
    """Name, mail address or id."""
    tasks = crm.records("Tasks", ["Subject"])
    users = crm.users().set_index("full_name")
    for who in ("Priya Banerjee", "priya.banerjee@vindhya.example.com",
                users.loc["Priya Banerjee", "id"]):  # fmt: skip
        report = crm.change_owner("Tasks", tasks, who)
        assert (report["status"] == "done").all()
    assert set(crm.records("Tasks", ["Owner"])["Owner"]) == {"Priya Banerjee"}
    refused = crm.change_owner("Tasks", tasks.head(2), "Suresh Patil")
    assert refused["status"].tolist() == ["refused", "refused"]
    assert "not active" in refused["message"].iloc[0]


def test_mass_updates_go_by_ids_or_by_view(crm):
    """Ids tell of each record, a view how many."""
    leads = crm.records("Leads", ["City"], limit=3)
    report = crm.mass_update("Leads", leads, values={"City": "Pune"})
    assert report["records"].tolist() == [1, 1, 1]
    assert crm.records("Leads", ["City"], ids=leads["id"].tolist())["City"].eq("Pune").all()
    view = crm.views("Deals").set_index("name").loc["Open Deals", "id"]
    shown = crm.count("Deals", cvid=view)
    report = crm.mass_update("Deals", cvid=view, values={"Next_Step": "Call"})
    assert report[["status", "records"]].to_numpy().tolist() == [["done", shown]]
    assert crm.count("Deals", "Next_Step = 'Call'", cvid=view) == shown


def test_a_job_over_a_view_is_waited_for(make_org):
    """By the gate's clock; too short a wait leaves it unknown, with its id."""
    crm = make_org(chore_delay_s=20, chore_runs_s=20)
    view = crm.views("Deals").set_index("name").loc["Open Deals", "id"]
    short = crm.mass_update("Deals", cvid=view, values={"Next_Step": "A"}, wait_s=5)
    assert short["status"].tolist() == ["unknown"]
    assert short["id"].notna().all()
    assert crm.mass_update("Deals", cvid=view, values={"Next_Step": "B"})["status"].tolist() == [
        "done"
    ]


def test_deleting_a_view_asks_for_the_number_it_shows(crm):
    """Said wrong or not at all, nothing is deleted."""
    view = crm.views("Deals").set_index("name").loc["Open Deals", "id"]
    shown = crm.count("Deals", cvid=view)
    for expect in (None, shown + 1):
        with pytest.raises(ValueError, match=f"pass expect={shown}"):
            crm.mass_delete("Deals", cvid=view, expect=expect)
    assert crm.count("Deals", cvid=view) == shown
    report = crm.mass_delete("Deals", cvid=view, expect=shown)
    assert report[["status", "records"]].to_numpy().tolist() == [["done", shown]]
    assert crm.count("Deals", cvid=view) == 0
    back = crm.restore("Deals", crm.recycle_bin("Deals"))
    assert (back["status"] == "done").all()
    assert crm.count("Deals", cvid=view) == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either records"),
        ({"records": ["1"], "cvid": "1"}, "either records"),
    ],
)
def test_either_records_or_a_view(crm, arguments, words):
    """Not both, not neither."""
    with pytest.raises(ValueError, match=words):
        crm.mass_delete("Deals", **arguments)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"City": "x", "State": "y"}, "1 field at once"),
        ({"Email": "a@example.com"}, "email"),
        ({"Converted_Account": {"id": "1"}}, "Converted_Account"),
        ({}, "1 field"),
    ],
)
def test_fields_that_a_mass_update_cannot_write_are_named(crm, values, words):
    """With the verb that can."""
    with pytest.raises(ValueError, match=words):
        crm.mass_update("Leads", ["1"], values=values)


def test_the_bin_is_typed_also_when_it_is_empty(crm):
    """Columns and dtypes do not depend on what is in it."""
    empty = crm.recycle_bin()
    crm.mass_delete("Leads", crm.records("Leads", ["City"], limit=2))
    full = crm.recycle_bin(tz="org")
    assert len(empty) == 0
    assert list(full.columns) == list(empty.columns)
    assert full["module"].tolist() == ["Leads", "Leads"]
    assert full["deleted_time"].dt.tz is not None
    assert crm.recycle_bin("Deals").empty
    assert len(crm.recycle_bin(limit=1)) == 1


def test_what_comes_back_is_what_was(crm):
    """Every field of every record, under the old ids."""
    before = crm.records("Contacts")
    gone = crm.mass_delete("Contacts", before)
    assert crm.count("Contacts") == 0
    back = crm.restore("Contacts", gone)
    assert back["id"].tolist() == gone["id"].tolist()
    pd.testing.assert_frame_equal(crm.records("Contacts"), before)
    twice = crm.restore("Contacts", gone.head(1))
    assert twice["status"].tolist() == ["refused"]


def test_a_large_restore_is_put_off_and_says_so(crm, org):
    """Unknown until one looks again: a lead with a thousand notes comes back later."""
    (lead,) = crm.records("Leads", ["City"], limit=1)["id"]
    note = {"Note_Content": "x", "Parent_Id": int(lead), "$se_module": "Leads"}
    org.store.insert("Notes", [note] * 1000, user=ADMIN)
    crm.mass_delete("Leads", lead)
    report = crm.restore("Leads", lead)
    assert report[["status", "code"]].to_numpy().tolist() == [["unknown", "SCHEDULED"]]
    assert crm.record("Leads", lead)["id"] == lead


def test_emptying_the_bin_asks_for_the_number(crm):
    """All of it, or a module's; what is left can still be restored."""
    crm.mass_delete("Leads", crm.records("Leads", ["City"], limit=3))
    crm.mass_delete("Deals", crm.records("Deals", ["Stage"], limit=2))
    with pytest.raises(ValueError, match="has 5 records; pass expect=5"):
        crm.empty_recycle_bin()
    with pytest.raises(ValueError, match="has 3 records, not 5; pass expect=3"):
        crm.empty_recycle_bin("Leads", expect=5)
    report = crm.empty_recycle_bin("Leads", expect=3)
    assert report["status"].tolist() == ["done"] * 3
    assert crm.deleted("Leads", type="permanent")["id"].tolist() == sorted(
        report["id"], reverse=True
    )
    assert crm.empty_recycle_bin(expect=2)["status"].tolist() == ["done"]
    assert crm.recycle_bin().empty


def test_views_are_read_like_modules(crm):
    """A list, a query and a count of the same view; typed like the module."""
    views = crm.views("Deals", details=True).set_index("name")
    view = views.loc["Middle-Sized Deals"]
    assert (view["sort_by"], view["sort_order"]) == ("Amount", "desc")
    assert isinstance(view["criteria"], dict)
    listed = crm.records("Deals", ["Deal_Name", "Stage", "Amount"], cvid=view["id"])
    asked = crm.coql(
        f"select Deal_Name, Stage, Amount from Deals#{view['id']} where id is not null"
    )
    assert listed["Amount"].is_monotonic_decreasing
    pd.testing.assert_frame_equal(
        listed.sort_values("id").reset_index(drop=True),
        asked.sort_values("id").reset_index(drop=True),
    )
    assert crm.count("Deals", cvid=view["id"]) == len(listed)
    leads = crm.views("Leads").set_index("name").loc["All Leads", "id"]
    assert len(crm.records("Leads", ["City"], cvid=leads)) == crm.count("Leads", cvid=leads)
    plain = crm.views("Deals")
    assert set(plain.columns) < set(views.reset_index().columns)
    assert plain["name"].tolist() == views.index.tolist()


def test_a_search_by_values_needs_no_escaping(crm):
    """Commas and brackets find themselves."""
    crm.request(
        "POST", "Leads", json={"data": [{"Last_Name": "x", "Company": "Burns, B (Pvt), Ltd\\"}]}
    )
    found = crm.search("Leads", ["Company"], criteria={"Company": "Burns, B (Pvt), Ltd\\"})
    assert found["Company"].tolist() == ["Burns, B (Pvt), Ltd\\"]
    both = crm.search("Leads", ["Company"], criteria={"Company": ["Burns, B (Pvt), Ltd\\", "n,o"]})
    assert len(both) == 1
    waiting = crm.search("Leads", ["Company"], word="Burns", approval_state="merge_pending")
    assert waiting.empty


def test_acting_takes_its_own_scopes(org):
    """A login that may only write says which scope it lacks."""
    facts = dict(org.credentials)
    scopes = ("ZohoCRM.modules.ALL", "ZohoCRM.settings.READ", "ZohoCRM.users.READ")
    facts["refresh_token"] = org.accounts.issue_refresh_token(facts["client_id"], ADMIN, scopes)
    with org.serve() as server:
        urls = {name: server.credentials[name] for name in URLS}
        named = {name: facts[name] for name in ("client_id", "client_secret", "refresh_token")}
        crm = connect(**named, **urls)
        with pytest.raises(ScopeError):
            crm.change_owner("Leads", ["1"], "Priya Banerjee")
        crm.close()


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("Zip_Code", 94109.0, "94109"),
        ("Zip_Code", np.float64(94109), "94109"),
        ("No_of_Employees", 5.0, 5),
        ("No_of_Employees", "5", 5),
        ("Annual_Revenue", "1234.5", 1234.5),
        ("Email_Opt_Out", "true", True),
        ("Next_Follow_Up", pd.Timestamp("2026-10-01"), "2026-10-01"),
    ],
)
def test_a_mass_update_writes_values_like_an_update(crm, name, value, stored):
    """One form for a value by every door."""
    leads = crm.records("Leads", ["City"], limit=2)
    report = crm.mass_update("Leads", leads, values={name: value})
    assert report["status"].tolist() == ["done", "done"]
    now = crm.request("GET", f"Leads/{leads['id'][0]}")["data"][0][name]
    assert now == stored


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"No_of_Employees": 1.5}, "not a whole number"),
        ({"City": "x" * 500}, "500 characters"),
        ({"City": "a\ud83d"}, "half of a character pair"),
        ({"Rating": "Superb"}, "not in the list"),
        ({"Created_Time": "2026-01-01T00:00:00Z"}, "read-only"),
        ({0: "x"}, "the column name is not text"),
    ],
)
def test_a_mass_update_refuses_what_an_update_refuses(crm, values, problem):
    """Before anything is sent."""
    leads = crm.records("Leads", ["City"], limit=2)
    with crm.trace() as calls, pytest.raises(ValueError, match=problem):
        crm.mass_update("Leads", leads, values=values)
    assert not [call for call in calls if call.method == "POST"]


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("Amount", "1234.5", 1234.5),
        ("Amount", np.float64(5), 5),
        ("Closing_Date", pd.Timestamp("2026-12-31"), "2026-12-31"),
        ("Next_Step", 94109.0, "94109"),
    ],
)
def test_the_deal_of_a_conversion_is_written_like_an_inserted_one(crm, name, value, stored):
    """Given for all leads, or in a column of the table."""
    leads = crm.coql("select id from Leads where Converted__s = 'false' limit 2")
    ids = crm.convert(leads.head(1), deal={**DEAL, name: value})["Deals.id"].tolist()
    table = leads.tail(1).assign(**{f"Deals.{name}": pd.Series([value], [1], dtype=object)})
    ids += crm.convert(table, deal=DEAL)["Deals.id"].tolist()
    for each in ids:
        assert crm.request("GET", f"Deals/{each}")["data"][0][name] == stored


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [("Amount", "much", "not a number"), ("Closing_Date", "soon", "not a valid date")],
)
def test_a_deal_that_zoho_would_refuse_is_not_sent(crm, name, value, problem):
    """The lead stays a lead."""
    leads = crm.coql("select id from Leads where Converted__s = 'false' limit 1")
    with pytest.raises(ValueError, match=problem):
        crm.convert(leads, deal={**DEAL, name: value})


@pytest.mark.parametrize("module", ["Contacts", "Accounts", "Deals"])
def test_attachments_go_to_a_module_named_by_its_id_too(crm, module):
    """As the specification wants it; a flag that is off is not sent."""
    lead = crm.records("Leads", ["Last_Name"], limit=1)["id"]
    bodies = convert.requests(
        crm._catalogue,
        [{"id": lead.iloc[0]}],
        convert.Conversion(deal=DEAL, attachments_to=module, match=False),
    )
    ((_, body),) = bodies
    known = crm.modules().set_index("api_name").loc[module, "id"]
    assert body["move_attachments_to"] == {"api_name": module, "id": known}
    assert "add_to_existing_record" not in body


@pytest.mark.parametrize("wrong", ["Leads", "Notes", "contacts", ""])
def test_attachments_cannot_go_anywhere_else(crm, wrong):
    """Refused before anything is sent."""
    lead = crm.records("Leads", ["Last_Name"], limit=1)
    with pytest.raises(ValueError, match="attachments_to is one of"):
        crm.convert(lead, attachments_to=wrong)
