"""Whole jobs of an analyst, from the documentation alone: short, and right to the last row.

The letters are those of the jobs: (a) win rates, (b) duplicates merged, (c) time in stage and
conversion, (d) deals with what hangs on them, (e) what was won this fiscal year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import zcrm_nb
from zcrm_nb.emulator import ManualClock

if TYPE_CHECKING:
    from zcrm_nb import CRM
    from zcrm_nb.emulator import Emulator

WON, LOST = ("Closed Won",), ("Closed Lost", "Closed-Lost to Competition")


def test_a_monthly_win_rate_by_owner_with_n(crm: CRM, org: Emulator) -> None:
    """Won among won and lost, by the month of closing, and how many deals stand behind it."""
    deals = zcrm_nb.outcome(crm.table("Deals", ["Stage", "Owner", "Closing_Date"]), crm)
    closed = deals[deals["Outcome"] != "Open"]
    month = closed["Closing_Date"].dt.to_period("M").rename("month")
    rates = closed["Outcome"].eq("Won").groupby([closed["Owner.id"], month]).agg(["size", "mean"])

    stages = ", ".join(f"'{each}'" for each in (*WON, *LOST))
    known = org.store.read(
        "SELECT Owner, substr(Closing_Date, 1, 7), count(*), avg(Stage = 'Closed Won') FROM Deals"
        f" WHERE Stage IN ({stages}) GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [
        (int(owner), str(month), n, pytest.approx(rate))
        for (owner, month), n, rate in rates.itertuples()
    ] == known


def test_b_duplicates_merged_with_what_hangs_on_them() -> None:
    """Found by e-mail or phone, looked at, merged; tasks and notes hang on the masters."""
    with zcrm_nb.emulate(seed=7) as own:
        found = own.duplicates("Contacts", on=["Email", "Phone"], keep="most_complete")
        plan = own.merge_plan(found, rules={"Description": "longest", "Mobile": "newest"})
        print(plan)
        report = plan.apply()
        assert not len(report.failed)
        master_of = report.set_index("id")["master_id"]
        moved = report.moved.assign(master=lambda rows: rows["id"].map(master_of))
        tasks = moved[moved["related_list"] == "Tasks"]
        now = own.records("Tasks", ["Who_Id"], ids=tasks["related_id"])

        assert now["Who_Id.id"].tolist() == tasks["master"].tolist()
        notes = moved[moved["related_list"] == "Notes"]
        there = own.notes("Contacts", notes["master"].unique())
        assert set(notes["related_id"]) <= set(there["id"])
        assert len(tasks) + len(notes)
        assert own.duplicates("Contacts", on=["Email", "Phone"]).empty


def test_c_time_in_stage(crm: CRM, org: Emulator) -> None:
    """The median days of the stays that are over, stage by stage, in the order of the CRM."""
    history = zcrm_nb.outcome(crm.stage_history(), crm)
    stays = history[(history["Outcome"] == "Open") & history["Days"].notna()]
    days = stays.groupby("Stage", observed=True)["Days"].agg(["size", "median"])

    rows = org.store.read(
        "SELECT a.Stage, (min(b.Modified_Time) - a.Modified_Time) / 86400.0 FROM DealHistory a"
        " JOIN DealHistory b ON b.Potential_Name = a.Potential_Name AND b.id > a.id"
        " WHERE a.Probability NOT IN (0, 100) GROUP BY a.id"
    )
    known = pd.DataFrame(rows, columns=["Stage", "Days"]).groupby("Stage")["Days"]
    assert days["size"].to_dict() == known.size().to_dict()
    assert days["median"].to_dict() == pytest.approx(known.median().to_dict())
    stages = list(crm.picklist("Deals", "Stage")["display_value"])
    assert [stages.index(each) for each in days.index] == sorted(map(stages.index, days.index))


def test_c_conversion_between_stages(crm: CRM, org: Emulator) -> None:
    """Of the closed deals that ever reached a stage, the share that was won."""
    deals = zcrm_nb.outcome(crm.table("Deals", ["Stage"]), crm)
    closed = deals.loc[deals["Outcome"] != "Open", ["id", "Outcome"]]
    reached = crm.stage_history(closed).drop_duplicates(["parent_id", "Stage"])
    both = reached[["parent_id", "Stage"]].merge(closed, left_on="parent_id", right_on="id")
    won = both["Outcome"].eq("Won").groupby(both["Stage"], observed=True).agg(["size", "mean"])

    known = org.store.read(
        "SELECT Stage, count(*), avg(won) FROM (SELECT DISTINCT h.Stage, d.id,"
        " d.Stage = 'Closed Won' AS won FROM DealHistory h JOIN Deals d ON d.id = h.Potential_Name"
        " WHERE d.Probability IN (0, 100)) GROUP BY Stage"
    )
    assert {stage: (n, pytest.approx(rate)) for stage, n, rate in won.itertuples()} == {
        stage: (n, rate) for stage, n, rate in known
    }


def test_c_what_moved_within_a_week(crm: CRM, org: Emulator) -> None:
    """The moves between two moments are rows of the history, without a snapshot of last week."""
    history = crm.stage_history()
    end = pd.Timestamp(org.store.read("SELECT max(Modified_Time) FROM DealHistory")[0][0], unit="s",
                       tz="UTC")  # fmt: skip
    week = history[
        history["Entered"].between(end - pd.Timedelta("7D"), end) & history["From"].notna()
    ]
    known = org.store.read(
        "SELECT count(*) FROM DealHistory h WHERE Modified_Time >= ? AND EXISTS (SELECT 1 FROM"
        " DealHistory b WHERE b.Potential_Name = h.Potential_Name AND b.id < h.id)",
        (int(end.timestamp()) - 7 * 86_400,),
    )
    assert [(len(week),)] == known
    assert len(week)


def test_d_deals_with_accounts_contacts_and_quote_lines(crm: CRM, org: Emulator) -> None:
    """One query along the lookups, the lines of the quotes, and two merges."""
    deals = crm.coql(
        "select Deal_Name, Amount, Account_Name.Industry, Contact_Name.Email from Deals "
        "where Account_Name is not null"
    )
    quotes = crm.coql("select Deal_Name from Quotes where Deal_Name is not null")
    lines = crm.subform("Quotes", "Quoted_Items", quotes, ["Product_Name", "Quantity"])
    quoted = lines.merge(quotes, left_on="parent_id", right_on="id", suffixes=("", "_quote"))
    whole = deals.merge(quoted, left_on="id", right_on="Deal_Name.id", suffixes=("", "_line"))

    known = org.store.read(
        "SELECT count(*) FROM Quoted_Items i JOIN Quotes q ON q.id = i.Parent_Id"
        " JOIN Deals d ON d.id = q.Deal_Name WHERE d.Account_Name IS NOT NULL"
    )
    assert len(whole) == known[0][0] > 0


def test_e_everything_won_this_fiscal_year_in_home_currency() -> None:
    """Each amount by the rate that its own deal has; the period is the org's."""
    crm = zcrm_nb.emulate(currencies=["INR", "USD", "EUR"], clock=ManualClock())
    won = crm.table(
        "Deals",
        ["Amount", "Currency", "Exchange_Rate", "Closing_Date"],
        where={"Stage": "Closed Won", "Closing_Date": "this fiscal year"},
        home=True,
    )
    by_hand = crm.coql(
        "select Amount, Exchange_Rate from Deals where Stage = 'Closed Won' "
        "and Closing_Date between '2026-04-01' and '2027-03-31'"
    )
    total = (by_hand["Amount"] / by_hand["Exchange_Rate"]).sum()
    assert won["Amount.home"].sum() == pytest.approx(total)
    assert len(won) == len(by_hand) > 0
    assert won.attrs["zcrm"]["home"] == {"code": "INR", "symbol": "₹"}
    assert won["Currency"].nunique() > 1
    crm.close()
