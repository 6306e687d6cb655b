"""Open, won and lost: by what a stage means, whatever it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import zcrm_nb
from zcrm_nb.connect import attach
from zcrm_nb.errors import DataWarning

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb import CRM
    from zcrm_nb.emulator import Emulator

MEANINGS = {"Closed Won": "Won", "Closed Lost": "Lost", "Closed-Lost to Competition": "Lost"}
WAYS: dict[str, Callable[[CRM], pd.DataFrame]] = {
    "coql": lambda crm: crm.coql("select Stage, Amount from Deals where id is not null"),
    "records": lambda crm: crm.records("Deals", ["Stage"]),
    "bulk": lambda crm: crm.bulk("Deals", ["Stage"]),
    "search": lambda crm: crm.search("Deals", ["Stage"], word="Meter"),
    "groups": lambda crm: crm.coql(
        "select Stage, COUNT(id) as n from Deals where id is not null group by Stage"
    ),
    "history": lambda crm: crm.stage_history(),
    "a file": lambda crm: pd.DataFrame(
        {"Stage": crm.records("Deals", ["Stage"])["Stage"].astype(str)}
    ),
}


def by_label(stages: pd.Series[Any]) -> list[str]:
    """What the labels of the emulated org mean."""
    return [MEANINGS.get(each, "Open") for each in stages.astype(object)]


def values(crm: CRM) -> list[dict[str, Any]]:
    """The stages as the metadata have them, to be changed."""
    found: list[dict[str, Any]] = crm._catalogue.fields("Deals")["Stage"]["pick_list_values"]
    return found


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_tables_of_any_way_get_an_outcome(crm: CRM, way: Callable[[CRM], pd.DataFrame]) -> None:
    """An ordered category behind the other columns; the table itself stays as it was."""
    table = way(crm)
    columns = list(table.columns)
    result = zcrm_nb.outcome(table, crm)
    assert len(result)
    assert result["Outcome"].tolist() == by_label(table["Stage"])
    assert result["Outcome"].cat.ordered
    assert list(result["Outcome"].cat.categories) == ["Open", "Won", "Lost"]
    assert list(table.columns) == columns
    assert list(result.columns) == [*columns, "Outcome"]
    assert result.attrs == table.attrs


def test_a_fresh_table_knows_its_stages(crm: CRM) -> None:
    """Without the CRM; a table of another origin says what is missing."""
    table = crm.coql("select Stage from Deals where id is not null")
    assert zcrm_nb.outcome(table)["Outcome"].tolist() == by_label(table["Stage"])
    history = crm.stage_history()
    assert zcrm_nb.outcome(history, stage="To")["Outcome"].isna().equals(history["To"].isna())
    with pytest.raises(ValueError, match=r"outcome\(deals, crm\)"):
        zcrm_nb.outcome(pd.DataFrame({"Stage": ["Closed Won"]}))


def test_no_rows_and_empty_stages_are_no_error(crm: CRM) -> None:
    """The column is there, of the same type."""
    table = crm.coql("select Stage from Deals where id is not null limit 3")
    for some in (table.head(0), table.assign(Stage=[None, "Closed Won", pd.NA])):
        result = zcrm_nb.outcome(some, crm)
        assert result["Outcome"].dtype == zcrm_nb.outcome(table, crm)["Outcome"].dtype
        assert result["Outcome"].dropna().tolist() == ["Won"][: len(some)]


def test_renamed_and_translated_stages_mean_the_same(fresh: Emulator) -> None:
    """Display values are other words; rows may come with either the label or the stored value."""
    crm = attach(fresh)
    for number, value in enumerate(values(crm)):
        value["display_value"] = f"Étape {number} – Closed Won"
    shown = {each["actual_value"]: each["display_value"] for each in values(crm)}
    stored = pd.DataFrame({"Stage": [*MEANINGS, "Qualification"]})
    for table in (stored, stored.assign(Stage=stored["Stage"].map(shown))):
        assert zcrm_nb.outcome(table, crm)["Outcome"].tolist() == ["Won", "Lost", "Lost", "Open"]


SILENT = {
    "no forecast type": {"forecast_type": None, "deal_category": None},
    "an unknown word": {"forecast_type": "Gagné", "deal_category": "?"},
    "only a category": {"forecast_type": None, "probability": None},
    "odd types": {"forecast_type": 7, "deal_category": [], "forecast_category": "Closed"},
}


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT)
def test_probability_decides_where_zoho_sends_no_forecast_type(
    fresh: Emulator, silent: dict[str, Any]
) -> None:
    """100 is won, 0 lost, and anything between them open."""
    crm = attach(fresh)
    for value in values(crm):
        value.update(silent)
    table = pd.DataFrame({"Stage": [*MEANINGS, "Qualification"]})
    assert zcrm_nb.outcome(table, crm)["Outcome"].tolist() == ["Won", "Lost", "Lost", "Open"]


def test_a_stage_that_no_picklist_has_is_missing_and_said(crm: CRM) -> None:
    """Not open by default: its meaning is unknown."""
    table = pd.DataFrame({"Stage": ["Closed Won", "Old", "Older", "Old"]})
    with pytest.warns(DataWarning, match="3 rows .*'Old', 'Older'"):
        result = zcrm_nb.outcome(table, crm)
    assert result["Outcome"].isna().tolist() == [False, True, True, True]
    unused = zcrm_nb.outcome(pd.DataFrame({"Stage": ["Id. Decision Makers (old)"]}), crm)
    assert unused["Outcome"].tolist() == ["Open"]


def test_other_columns_and_fields_are_refused(crm: CRM) -> None:
    """With the columns that there are, and what the field lacks."""
    with pytest.raises(KeyError, match=r"no column 'Stage'.*Amount"):
        zcrm_nb.outcome(pd.DataFrame({"Amount": [1]}), crm)
    with pytest.raises(ValueError, match="no forecast type"):
        zcrm_nb.outcome(pd.DataFrame({"Type": ["Renewal"]}), crm, stage="Type")


def test_the_picklist_says_what_the_stages_mean(crm: CRM) -> None:
    """Three columns of Zoho's; empty for other picklists."""
    stages = crm.picklist("Deals", "Stage").set_index("actual_value")
    columns = ["probability", "forecast_type", "forecast_category"]
    assert stages.loc["Negotiation/Review", columns].tolist() == [90, "Open", "Committed"]
    assert stages.loc["Closed Lost", columns].tolist() == [0, "Closed Lost", "Omitted"]
    assert crm.picklist("Leads", "Lead_Status")[columns].isna().all(axis=None)
