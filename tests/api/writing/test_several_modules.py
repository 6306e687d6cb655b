"""Moving tasks, calls, meetings and notes from one record to another."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock

ROWS = {
    **{"Leads": 10, "Contacts": 8, "Accounts": 5, "Deals": 5, "Tasks": 6, "Events": 6},
    **{"Calls": 6, "Notes": 6, "Site_Visits": 3},
}
QUIET = {"progress": False}
WHAT = {"Tasks": "What_Id", "Events": "What_Id", "Calls": "What_Id", "Notes": "Parent_Id"}
NOWHERE = "410888009999999999"


@pytest.fixture(scope="module")
def crm():
    """A CRM on an org with a few activities."""
    with Org(rows=ROWS, clock=ManualClock()) as org:
        yield attach(org)


def ids(crm, module, count=3):
    """The ids of some records."""
    return crm.coql(f"select id from {module} where id is not null limit {count}")["id"].tolist()


def now(crm, module, some):
    """Which records these belong to."""
    name = WHAT[module]
    return crm.records(module, [name], ids=some)[f"{name}.id"].tolist()


@pytest.mark.parametrize("module", WHAT)
@pytest.mark.parametrize("target", ["Leads", "Accounts", "Site_Visits"])
def test_update_moves_what_belongs_to_another_record(crm, module, target):
    """The module that Zoho demands is found by the id."""
    some, parent = ids(crm, module), ids(crm, target, 1)[0]
    if target == "Site_Visits" and module != "Notes":
        parent = ids(crm, "Deals", 1)[0]
    moved = crm.update(module, pd.DataFrame({"id": some, f"{WHAT[module]}.id": parent}), **QUIET)
    assert moved["status"].tolist() == ["done"] * 3, moved.to_string()
    assert now(crm, module, some) == [parent] * 3


@pytest.mark.parametrize("module", WHAT)
def test_each_row_may_go_to_another_module(crm, module):
    """Leads, contacts and accounts in one table; undo brings all of them back."""
    some = ids(crm, module)
    before = now(crm, module, some)
    parents = [ids(crm, each, 2)[1] for each in ("Leads", "Deals", "Accounts")]
    table = pd.DataFrame({"id": some, f"{WHAT[module]}.id": parents})
    report = crm.update(module, table, **QUIET)
    assert now(crm, module, some) == parents
    assert report.undo()["status"].tolist() == ["done"] * 3
    assert now(crm, module, some) == before


def test_a_column_that_names_the_module_saves_the_search(crm):
    """No record is looked for."""
    some, lead = ids(crm, "Tasks"), ids(crm, "Leads", 1)[0]
    table = pd.DataFrame({"id": some, "What_Id.id": lead, "What_Id.module": "Leads"})
    with crm.trace() as calls:
        report = crm.update("Tasks", table, undoable=False, **QUIET)
    assert report["status"].tolist() == ["done"] * 3
    assert [call.path for call in calls] == ["/crm/v8/Tasks"]


def test_se_module_and_a_dict_name_the_module_too(crm):
    """As Zoho's own examples have it."""
    some, lead = ids(crm, "Tasks", 2), ids(crm, "Leads", 1)[0]
    records = [
        {"id": some[0], "What_Id": {"id": lead}, "$se_module": "Leads"},
        {"id": some[1], "What_Id": {"id": lead, "module": {"api_name": "Leads"}}},
    ]
    with crm.trace() as calls:
        assert crm.update("Tasks", records, undoable=False, **QUIET)["status"].eq("done").all()
    assert len(calls) == 1


def test_insert_and_diff_find_the_module_as_well(crm):
    """They write the same lookups."""
    deal = ids(crm, "Deals", 1)[0]
    call = {"Subject": "Hello", "Call_Type": "Outbound", "Call_Duration": "05:00"}
    when = {"Call_Start_Time": "2026-09-15T10:00:00+05:30"}
    new = crm.insert("Calls", {**call, **when, "What_Id": {"id": deal}}, **QUIET)
    assert new["status"].tolist() == ["done"], new.to_string()
    some, lead = ids(crm, "Tasks"), ids(crm, "Leads", 3)[2]
    plan = crm.diff("Tasks", pd.DataFrame({"id": some, "What_Id.id": lead}), **QUIET)
    assert plan.apply(**QUIET)["status"].tolist() == ["done"] * 3
    lost = crm.diff("Tasks", pd.DataFrame({"id": some[:1], "What_Id.id": [NOWHERE]}), **QUIET)
    assert lost.rows["action"].tolist() == ["invalid"]
    assert "no such record" in lost.rows["message"].item()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"What_Id.id": NOWHERE}, "no such record; or name its module in a column What_Id.module"),
        ({"What_Id.id": "410888001000000001", "What_Id.module": "Leeds"}, "Did you mean Leads"),
        ({"What_Id.id": "12x"}, "What_Id"),
    ],
)
def test_a_record_that_is_nowhere_is_named_before_anything_is_written(crm, columns, message):
    """Row and column, as for every other value."""
    table = pd.DataFrame({"id": ids(crm, "Tasks", 1), **columns})
    with crm.trace() as calls, pytest.raises(ValueError, match=message):
        crm.update("Tasks", table, **QUIET)
    assert not any(call.method == "PUT" for call in calls)


def test_an_empty_cell_takes_the_task_away_from_its_record(crm):
    """There is no module to name."""
    some = ids(crm, "Tasks", 1)
    table = pd.DataFrame({"id": some, "What_Id.id": [None]})
    assert crm.update("Tasks", table, **QUIET)["status"].tolist() == ["done"]
    assert now(crm, "Tasks", some) == [pd.NA] or pd.isna(now(crm, "Tasks", some)[0])
