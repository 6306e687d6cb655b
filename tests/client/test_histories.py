"""What happened to records: the stages that deals went through, and timelines."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.errors import LimitError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb import CRM
    from zcrm_nb.emulator import Emulator

DAY_S = 86_400
LED = ["parent_id", "Deal_Name", "Stage", "From", "To", "Entered", "Left", "Days"]


@pytest.fixture
def own(fresh: Emulator, connected: Callable[[Emulator], CRM]) -> CRM:
    """A CRM on an org of the test's own."""
    return connected(fresh)


@pytest.fixture
def knowing(crm: CRM) -> CRM:
    """A CRM that knows all metadata and users it needs, so that only rows are paid for."""
    crm.users()
    for module in ("Deals", "DealHistory", "Accounts"):
        crm.fields(module)
    return crm


def cost(crm: CRM, work: Callable[[], Any]) -> tuple[Any, int]:
    """Do something, and say how many credits it took."""
    with crm.trace() as calls:
        done = work()
    return done, sum(call.credits for call in calls)


def without_place(table: pd.DataFrame) -> pd.DataFrame:
    """Put rows into one order, for tables of different selections."""
    return table.sort_values(["parent_id", "Entered", "id"], ignore_index=True)


# ---- What it says --------------------------------------------------------------------------------


def test_a_history_has_a_row_for_each_stay(crm: CRM) -> None:
    """In the order of the deals and of time; values before and after, and how long."""
    deals = crm.table("Deals", ["Deal_Name", "Stage"], limit=40)
    history = crm.stage_history(deals)
    assert list(history.columns[:8]) == LED
    assert {"Amount", "Probability", "Close_Date", "Modified_By", "Modified_By.id"} <= set(history)
    assert list(dict.fromkeys(history["parent_id"])) == list(deals["id"])
    for (deal, stays), stage in zip(
        history.groupby("parent_id", sort=False), deals["Stage"], strict=True
    ):
        assert stays["Deal_Name"].nunique() == 1, deal
        assert stays["Stage"].iloc[-1] == stage
        assert pd.isna(stays["From"].iloc[0])
        assert stays[["To", "Left", "Days"]].iloc[-1].isna().all()
        rows = list(stays.itertuples(index=False))
        for before, after in pairwise(rows):
            assert (before.Stage, before.To, before.Left) == (
                after.From, after.Stage, after.Entered,
            )  # fmt: skip
            assert before.Days == pytest.approx((before.Left - before.Entered) / pd.Timedelta("1D"))


def test_stages_are_ordered_as_in_the_crm(crm: CRM) -> None:
    """All three columns alike, so that they compare and sort."""
    history = crm.stage_history(where={"Stage": "Closed Won"})
    stages = list(crm.picklist("Deals", "Stage")["display_value"])
    for name in ("Stage", "From", "To"):
        assert history[name].cat.ordered
        assert list(history[name].cat.categories) == stages
    assert (history["From"].dropna() < "Closed Won").any()


@pytest.mark.parametrize("nothing", [[], pd.DataFrame({"id": []}), pd.Series([], dtype="string")])
def test_an_empty_selection_is_an_empty_typed_table(knowing: CRM, nothing: Any) -> None:
    """Of the same columns and types as a full one; it costs nothing."""
    empty, price = cost(knowing, lambda: knowing.stage_history(nothing))
    full = knowing.stage_history(where={"Stage": "Closed Won"})
    assert len(empty) == 0
    assert price == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_any_tracked_picklist_has_a_history(crm: CRM) -> None:
    """The one field of a module needs no name; leads older than the tracking have no rows."""
    leads = crm.table("Leads", ["Lead_Status", "Created_Time"])
    history = crm.stage_history(leads, module="Leads")
    assert list(history.columns[:3]) == ["parent_id", "Full_Name", "Lead_Status"]
    assert 0 < history["parent_id"].nunique() < len(leads)
    last = history.groupby("parent_id")["Lead_Status"].last().astype(object)
    now = leads.set_index("id")["Lead_Status"].astype(object)[last.index]
    assert last.where(last.notna(), None).tolist() == now.where(now.notna(), None).tolist()
    named = crm.stage_history(leads, module="Leads", field="Lead_Status")
    pd.testing.assert_frame_equal(named, history)


def test_rows_of_deleted_deals_are_left_out(own: CRM) -> None:
    """Zoho keeps them without a deal; they belong to no history."""
    whole = own.stage_history()
    gone = whole["parent_id"].iloc[0]
    own.delete("Deals", [gone])
    rest = own.stage_history()
    assert gone not in set(rest["parent_id"])
    assert len(rest) == (whole["parent_id"] != gone).sum()


# ---- Ways and prices -----------------------------------------------------------------------------


def test_every_way_gives_the_same_rows(knowing: CRM, org: Emulator) -> None:
    """By ids, by a condition, whole; by COQL and by related lists."""
    deals = knowing.table("Deals", ["Stage"], where="Stage = 'Closed Won'")
    by_ids = knowing.stage_history(deals)
    by_condition = knowing.stage_history(where="Stage = 'Closed Won'")
    whole = knowing.stage_history()
    pd.testing.assert_frame_equal(without_place(by_ids), without_place(by_condition))
    kept = whole[whole["parent_id"].isin(deals["id"])]
    pd.testing.assert_frame_equal(without_place(by_ids), without_place(kept))
    lists = attach(org)
    lists._catalogue.modules()["DealHistory"]["api_supported"] = False
    some = lists.stage_history(deals.head(5))
    same = by_ids[by_ids["parent_id"].isin(deals["id"].head(5))]
    for name in ("parent_id", "Stage", "From", "To", "Entered", "Left", "Days", "Amount", "id"):
        assert some[name].astype(object).equals(same[name].astype(object).reset_index(drop=True)), (
            name
        )


@pytest.mark.parametrize(
    "selected",
    [
        {"ids": 3},
        {"ids": 100},
        {"ids": 101},
        {"ids": 700},
        {"where": {"Stage": "Closed Won"}},
        {"where": "Account_Name.Industry = 'Retail' and Amount > 1000"},
        {"where": "Account_Name.Parent_Account.Industry is not null"},
        {},
    ],
    ids=str,
)
def test_a_history_costs_what_plan_said(knowing: CRM, selected: dict[str, Any]) -> None:
    """Besides the planning, which it does once more."""
    if "ids" in selected:
        selected = {"ids": knowing.table("Deals", ["Stage"], limit=selected["ids"])["id"]}
    plan = knowing.plan(knowing.stage_history, **selected)
    again = knowing.plan(knowing.stage_history, **selected)
    table, price = cost(knowing, lambda: knowing.stage_history(**selected))
    assert price == plan.credits + again.planning
    assert table.attrs["zcrm"]["route"] == plan.route
    assert table.attrs["zcrm"]["credits"] == price


def test_ten_thousand_deals_cost_what_plan_said() -> None:
    """Reading the whole history is cheaper than a hundred queries."""
    with Org(rows={"Deals": 10_000, "Leads": 5}, clock=ManualClock()) as org:
        crm = attach(org)
        deals = crm.table("Deals", ["Stage"])
        assert crm.plan(crm.stage_history, deals).credits < 80
        crm.stage_history(deals)  # how long a job takes is known from now on
        plan = crm.plan(crm.stage_history, deals)
        history, price = cost(crm, lambda: crm.stage_history(deals))
        assert price == plan.credits + plan.planning
        assert history["parent_id"].nunique() == 10_000
        kept = org.store.read("SELECT count(*) FROM DealHistory")
        assert [(len(history),)] == kept


def test_max_credits_stops_before_the_first_row(knowing: CRM) -> None:
    """The message names the price."""
    deals = knowing.table("Deals", ["Stage"], limit=300)
    for selected, most in (({"ids": deals}, 2), ({"ids": deals.head(2)}, 2), ({}, 1)):
        with pytest.raises(LimitError, match="credits"):
            knowing.stage_history(**selected, max_credits=most)
    assert len(knowing.stage_history(deals.head(2), max_credits=3))


def test_a_condition_warns_once(knowing: CRM) -> None:
    """It is checked as it was written, not again as it is sent."""
    with pytest.warns(UserWarning, match="no value 'Nope'") as caught:
        assert len(knowing.stage_history(where="Stage = 'Nope'")) == 0
    assert len(caught) == 1


# ---- Bad input -----------------------------------------------------------------------------------


def test_bad_input_is_refused_before_anything_is_sent(knowing: CRM) -> None:
    """Each with what to do instead."""
    knowing.fields("Leads")
    knowing.fields("Contacts")

    def refused(error: type[Exception], words: str, **selected: Any) -> None:
        def work() -> None:
            with pytest.raises(error, match=words):
                knowing.stage_history(**selected)

        assert cost(knowing, work)[1] == 0

    refused(ValueError, "history of Deals.Type.*Tracked in Deals: Stage", field="Type")
    refused(ValueError, "history of a field of Contacts", module="Contacts")
    refused(ValueError, "give one of them", ids=["1"], where="id is not null")
    refused(NotFoundError, "abc", ids=["abc"])
    refused(NotFoundError, "no module 'Nope'", module="Nope")
    refused(NotFoundError, "no field 'Stagee'", field="Stagee")
    with pytest.raises(TypeError, match=r"crm.stage_history, not records"):
        knowing.plan(knowing.records)


TRACKING = {
    "no tracking": None,
    "odd tracking": "yes",
    "no module": {"related_list_name": "Stage History"},
    "a module by name": {"module": "DealHistory"},
    "an odd module": {"module": {"api_name": None}},
}


@pytest.mark.parametrize("tracking", TRACKING.values(), ids=TRACKING)
def test_the_stages_of_deals_are_found_whatever_metadata_say(
    fresh: Emulator, tracking: Any
) -> None:
    """Every org keeps them, in a module that is known by name."""
    crm = attach(fresh)
    crm._catalogue.fields("Deals")["Stage"]["history_tracking"] = tracking
    assert len(crm.stage_history(where={"Stage": "Closed Won"}))


def test_a_tracker_without_its_fields_is_an_error_that_names_them(fresh: Emulator) -> None:
    """Not a KeyError from the depths of a table."""
    crm = attach(fresh)
    fields = crm._catalogue.fields("DealHistory")
    lookup = fields.pop("Potential_Name")
    with pytest.raises(NotFoundError, match="no lookup to Deals"):
        crm.stage_history()
    fields["Potential_Name"] = lookup
    entered = fields.pop("Modified_Time")
    with pytest.raises(NotFoundError, match="Modified_Time"):
        crm.stage_history()
    fields["Modified_Time"] = entered
    moved = fields.pop("Moved_To__s")
    table = crm.stage_history()
    fields["Moved_To__s"] = moved
    assert table["To"].astype(object).equals(crm.stage_history()["To"].astype(object))


def test_only_ids_reach_a_history_that_is_no_module(fresh: Emulator) -> None:
    """One call for each record would be needed for all of them."""
    crm = attach(fresh)
    crm._catalogue.modules()["DealHistory"]["api_supported"] = None
    with pytest.raises(LimitError, match="one record at a time"):
        crm.stage_history()
    plan = crm.plan(crm.stage_history, where={"Stage": "Closed Won"})
    won = crm.count("Deals", {"Stage": "Closed Won"})
    assert plan.credits == won + 3
    assert len(crm.stage_history(where={"Stage": "Closed Won"}, progress=False)) >= won


# ---- The law -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_history_equals_what_happened(seed: int) -> None:
    """Over random lives: each move once, from, to, when and by whom, and no other."""
    random = Random(seed)
    with Org(rows={"Deals": 60, "Leads": 20, "Accounts": 10}, clock=ManualClock()) as org:
        crm = attach(org)
        before = crm.stage_history()
        life = org.live(seed=seed)
        for _ in range(50):
            life.step(random.randint(1, 10))
            org.clock.advance(random.randint(60, 2 * DAY_S))
        history = attach(org).stage_history()
        moves = history[history["From"].notna() & ~history["id"].isin(before["id"])]
        noted = org.store.read(
            "SELECT record, old, new, at, user FROM history WHERE field = 'Stage'"
        )
        assert noted
        assert sorted(
            (int(row.parent_id), row.From, row.Stage, int(row.Entered.timestamp()), int(by))
            for row, by in zip(moves.itertuples(index=False), moves["Modified_By.id"], strict=True)
        ) == sorted(noted)


# ---- Timelines -----------------------------------------------------------------------------------


def test_a_timeline_has_a_row_for_each_changed_field(own, fresh):
    """The latest first; what belongs to one change shares its entry."""
    deal = own.records("Deals", ["Stage"])["id"].iloc[0]
    fresh.clock.advance(3600)
    change = {"data": [{"Next_Step": "Offer", "Amount": 5}]}
    own.request("PUT", f"Deals/{deal}", json=change)
    own.add_note("Deals", deal, "Called", title="Call")
    table = own.timeline("Deals", deal)
    assert list(table.columns) == [
        "parent_id", "time", "action", "field", "old", "new", "by", "by.id", "source", "module",
        "record", "record.id", "entry",
    ]  # fmt: skip
    changes = table[table["action"] == "updated"]
    assert set(changes["field"]) == {"Next_Step", "Amount"}
    assert changes["entry"].nunique() == 1
    assert table["time"].is_monotonic_decreasing
    assert table.loc[table["module"] == "Notes", "record"].tolist() == ["Call"]
    assert str(table["time"].dtype) == "datetime64[s, UTC]"


def test_zohos_sample_of_a_timeline_is_read(make_crm):
    """The documented answer, with what it leaves empty; old and new values of other kinds."""
    entry = {
        "done_by": {"name": "Ada", "id": "1"},
        "related_record": {"module": {"api_name": "Leads", "id": "2"}, "name": "a", "id": "3"},
        "automation_details": {"rule": {"name": "r", "id": "4"}, "type": "workflow_rule"},
        "record": {"module": {"api_name": "Deluge", "id": "null"}, "name": "p", "id": "5"},
        "audited_time": "2025-11-12T13:13:15+05:30",
        "action": "updated",
        "id": "6",
        "source": "workflow",
        "type": "timeline",
        "field_history": None,
    }
    signal = {**entry, "done_by": None, "record": {"module": None, "name": "b", "id": None}}
    change = {"api_name": "Amount", "id": "7", "_value": {"old": None, "new": 5}}
    answer = {
        "__timeline": [entry, signal, {**entry, "field_history": [change]}],
        "info": {"more_records": False, "next_page_token": None},
    }
    table = make_crm({"/crm/v8/Deals/1/__timeline": answer}).timeline("Deals", "1")
    assert table["source"].tolist() == ["workflow"] * 3
    assert table["new"].tolist()[2] == "5"
    assert pd.isna(table["by"].iloc[1])


def test_timelines_of_many_records_are_one_table(own: CRM) -> None:
    """In the order of the ids, each row with the record it belongs to; none for no ids."""
    deals = own.records("Deals", ["Stage"], limit=3).sort_values("id", ascending=False)
    own.update("Deals", deals[["id"]].assign(Next_Step="Offer"))
    table = own.timeline("Deals", deals)
    assert list(dict.fromkeys(table["parent_id"])) == list(deals["id"])
    assert (table["field"] == "Next_Step").sum() == 3
    one = own.timeline("Deals", deals["id"].iloc[0])
    pd.testing.assert_frame_equal(one, table[table["parent_id"] == one["parent_id"].iloc[0]])
    empty = own.timeline("Deals", [])
    assert empty.dtypes.to_dict() == table.dtypes.to_dict()
