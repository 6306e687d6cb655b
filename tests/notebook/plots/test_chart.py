"""Quick charts: what is drawn, read off the Axes, and what is said where nothing fits."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.dates import num2date

from zcrm_nb.notebook.plots.chart import MOST_BARS, NothingFits, chart
from zcrm_nb.notebook.plots.picture import PictureAxes

STAGES = pd.CategoricalDtype(["Qualification", "Closed Won", "Closed Lost"], ordered=True)
CITIES = pd.Series([f"City {n}" for n in range(MOST_BARS + 1)], dtype="string")


@pytest.fixture
def stages() -> pd.DataFrame:
    """A grouped answer: counts, sums with a gap, one group without a name."""
    return pd.DataFrame(
        {
            "Stage": pd.Series(["Closed Won", "Qualification", None], dtype=STAGES),
            "deals": pd.Series([12, 5, 2], dtype="Int64"),
            "Total_Amount": pd.Series([1500.5, None, 70.0]),
        }
    )


def panels(ax: PictureAxes) -> list[PictureAxes]:
    """All panels of a picture."""
    return [each for each in ax.figure.axes if isinstance(each, PictureAxes)]


def test_bars_stand_in_the_order_of_the_table_with_a_panel_for_each_number(stages):
    """The query's ORDER BY decides, and a count is not drawn on the scale of a sum."""
    deals, amounts = panels(chart(stages))
    assert [bar.get_width() for bar in deals.patches] == [12, 5, 2]
    assert [bar.get_width() for bar in amounts.patches] == [1500.5, 0, 70]
    assert [each.get_text() for each in deals.get_yticklabels()] == [
        "Closed Won",
        "Qualification",
        "(empty)",
    ]
    assert [each.get_text() for each in amounts.texts] == ["1,500", "", "70"]
    assert deals.get_ylim() == (2.5, -0.5)  # the first row on top


def test_a_line_runs_along_time_whatever_the_order_of_the_rows():
    """Days without a number are gaps, rows without a day are left out."""
    days = pd.to_datetime(["2026-03-02", "2026-03-01", None, "2026-03-03"]).astype("datetime64[s]")
    ax = chart(pd.DataFrame({"Closing_Date": days, "deals": pd.array([2, 1, 9, None])}))
    (line,) = ax.lines
    assert [each.day for each in num2date(line.get_xdata(orig=False))] == [1, 2, 3]
    assert line.get_ydata().tolist()[:2] == [1, 2]
    assert pd.isna(line.get_ydata()[2])


def test_a_time_with_a_zone_is_drawn(stages):
    """Datetimes of the CRM carry one."""
    times = pd.to_datetime(["2026-03-01T00:00Z", "2026-03-02T00:00Z"]).astype("datetime64[s, UTC]")
    assert chart(pd.DataFrame({"Created_Time": times, "n": [1, 2]})).lines[0].get_xdata().size == 2


def test_ids_are_no_numbers_and_no_categories():
    """They come with every lookup and every row."""
    df = pd.DataFrame(
        {
            "id": pd.Series(["1", "2"], dtype="string"),
            "Account_Name": pd.Series(["Northwind", "Contoso"], dtype="string"),
            "Account_Name.id": pd.Series(["7", "8"], dtype="string"),
            "Amount": [5.0, 6.0],
        }
    )
    assert [bar.get_width() for bar in chart(df).patches] == [5, 6]


def test_the_picture_is_shown_whole_with_its_numbers_in_words(stages):
    """For a screen reader, a terminal and a diff."""
    ax = chart(stages)
    data, _ = ax._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"].splitlines()[0] == "deals, Total Amount by Stage"
    assert "Closed Won" in data["text/plain"]


def test_a_kind_that_is_asked_for_passes_over_the_other_columns(stages):
    """Two ways to look at one table."""
    df = stages.assign(Day=pd.date_range("2026-03-01", periods=3))
    assert chart(df, "bar").patches
    assert chart(df, "line").lines


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            lambda df: df.assign(Day=pd.Timestamp("2026-03-01")),
            None,
            "categories: Stage; dates: Day",
        ),
        (lambda df: df[["deals"]], None, "categories: none; dates: none"),
        (lambda df: df[["Stage"]], None, "no numbers beside it"),
        (lambda df: df.head(0), None, "no rows"),
        (lambda df: df, "line", "one date column"),
        (lambda df: df.assign(City=df["Stage"]), None, "Stage, City. Select one"),
        (lambda df: pd.concat([df, df]), None, "GROUP BY Stage"),
        (lambda df: df.join(pd.DataFrame([range(6)] * 3).add_prefix("n")), None, "Select 6"),
        (
            lambda df: pd.DataFrame({"City": CITIES, "n": 1}),
            None,
            f"LIMIT {MOST_BARS}",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_words(stages, change, kind, words):
    """With the columns that stand in the way, or what would make it fit."""
    with pytest.raises(NothingFits) as caught:
        chart(change(stages), kind)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("ending", "first"),
    [
        ("group by Stage", "Qualification"),
        ("group by Stage order by Stage asc", "Closed Lost"),
        ("group by Stage order by deals desc", "Closed Lost"),
    ],
)
def test_groups_of_a_picklist_stand_in_the_order_of_the_crm(crm, ending, first):
    """COQL sorts groups by text, which nobody chose; an ORDER BY somebody did."""
    df = crm.coql(f"select Stage, COUNT(id) as deals from Deals where id is not null {ending}")
    assert chart(df).get_yticklabels()[0].get_text() == first


def test_the_former_place_of_chart_still_works():
    """Notebooks of others import it from there."""
    from zcrm_nb.notebook import charts

    assert charts.chart is chart
