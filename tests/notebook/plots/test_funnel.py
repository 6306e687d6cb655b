"""Pictures: read off the Axes, as matplotlib itself would draw them."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zcrm_nb.notebook.plots import funnel
from zcrm_nb.notebook.plots.picture import PictureAxes

STAGES = pd.CategoricalDtype(["Qualification", "Negotiation", "Closed Won", "Closed Lost"])


@pytest.fixture
def deals() -> pd.DataFrame:
    """Eight deals: two stages in use, one deal without a stage, sums that are easy to check."""
    stages = ["Closed Won", "Qualification", None, "Qualification", "Qualification"]
    return pd.DataFrame(
        {
            "Stage": pd.Series(stages, dtype=STAGES),
            "Amount": [500.0, 10.0, 7.0, None, 20.0],
        }
    )


def bars(ax: Axes) -> list[tuple[float, float]]:
    """Left edge and width of each bar, top to bottom."""
    return [(bar.get_x(), bar.get_width()) for bar in ax.patches]


def names(ax: Axes) -> list[str]:
    """Names of the rows, top to bottom."""
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax: Axes) -> list[str]:
    """Every other text in the picture."""
    return [text.get_text() for text in ax.texts]


def test_stages_stand_in_the_order_of_the_crm_even_when_empty(deals):
    """Order comes from the categories, not from counts; a stage nobody is in stays visible."""
    ax = funnel(deals)
    assert names(ax) == [*STAGES.categories, "(empty)"]
    assert [width for _, width in bars(ax)] == [3, 0, 1, 0, 1]
    assert ax.yaxis_inverted()


def test_bars_are_centred_on_one_axis(deals):
    """A funnel is symmetric: each bar reaches as far left as right."""
    assert all(left == -width / 2 for left, width in bars(funnel(deals)))


def test_plain_text_is_ordered_by_frequency():
    """Without categories there is no order of the CRM's, so the most frequent comes first."""
    ax = funnel(pd.DataFrame({"City": ["Pune", "Delhi", "Delhi"]}), "City")
    assert names(ax) == ["Delhi", "Pune"]


def test_counts_shares_and_sums_are_written_beside_the_bars(deals):
    """Numbers can be read, not only guessed from widths; a missing amount counts as nothing."""
    written = texts(funnel(deals, value="Amount"))
    assert written[:5] == ["3", "0", "1", "0", "1"]
    assert written[5:11] == ["share", "60 %", "0 %", "20 %", "0 %", "20 %"]
    assert written[11:] == ["total Amount", "30", "0", "500", "0", "7"]


def test_what_is_there_is_never_called_zero_percent():
    """One record among a thousand is little, but not nothing."""
    df = pd.DataFrame({"City": ["Pune", *["Delhi"] * 999]})
    assert "< 1 %" in texts(funnel(df, "City"))


@pytest.mark.parametrize(
    ("amount", "written"),
    [(950, "950"), (12_400, "12.4 k"), (3_100_000, "3.1 M"), (-2e9, "-2.0 bn")],
)
def test_sums_are_short_enough_to_read_at_a_glance(amount, written):
    """Large sums carry a unit, small ones stay whole."""
    df = pd.DataFrame({"City": ["Pune"], "Amount": [amount]})
    assert texts(funnel(df, "City", "Amount"))[-1] == written


def test_no_rows_is_said_in_words(deals):
    """An empty table gives a sentence instead of an empty frame."""
    ax = funnel(deals.head(0), value="Amount")
    assert texts(ax) == ["No records to show by Stage."]
    assert repr(ax).endswith("no records")


def test_rows_that_all_lack_a_stage_still_draw():
    """A column of nulls is one grey row."""
    df = pd.DataFrame({"Stage": pd.Series([None, None], dtype=STAGES), "Amount": [1.0, 2.0]})
    ax = funnel(df, value="Amount")
    assert names(ax)[-1] == "(empty)"
    assert bars(ax)[-1] == (-1, 2)


def test_a_missing_column_is_named_together_with_those_there_are(deals):
    """The error shows what could have been meant."""
    with pytest.raises(KeyError, match="no column 'Sum'; the table has Stage, Amount"):
        funnel(deals, value="Sum")


def test_it_draws_where_it_is_told(deals):
    """An Axes of the caller's is drawn on, with the caller's title, and returned."""
    mine = Figure().add_subplot()
    assert funnel(deals, ax=mine, title="Mine") is mine
    assert mine.get_title(loc="left") == "Mine"


def test_pyplot_is_never_loaded():
    """Nothing global: drawing leaves pyplot, its figure list and its backend alone."""
    code = (
        "import sys, pandas as pd\n"
        "from zcrm_nb.notebook.plots import funnel\n"
        "funnel(pd.DataFrame({'Stage': ['Won']}))._repr_mimebundle_()\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_notebook_shows_the_axes_as_a_picture_with_a_text_twin(deals):
    """Ending a cell with the call shows a PNG; the text twin says the same numbers."""
    ax = funnel(deals, value="Amount")
    assert isinstance(ax, PictureAxes)
    data, metadata = ax._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == 860
    assert "Closed Won     1   20 %  500" in data["text/plain"]


def test_the_same_table_gives_the_same_bytes(deals):
    """Committed notebooks must not change when nothing changed."""
    first, second = (funnel(deals)._repr_mimebundle_()[0]["image/png"] for _ in range(2))
    assert first == second
    assert b"Software" not in first


def test_every_text_lies_inside_the_picture(deals):
    """Long names and wide columns are laid out, not cut off at the edge."""
    renamed = deals.assign(
        Stage=deals["Stage"].cat.rename_categories({"Closed Lost": "Closed, lost to competition"})
    )
    figure = funnel(renamed, value="Amount").get_figure(root=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    box = figure.bbox
    for text in [*figure.axes[0].texts, *figure.axes[0].get_yticklabels()]:
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0 <= extent.x1 <= box.x1
        assert box.y0 <= extent.y0 <= extent.y1 <= box.y1


# ---- Open, won and lost --------------------------------------------------------------------------

TYPES = {
    "Qualification": "Open",
    "Negotiation": "Open",
    "Closed Won": "Closed Won",
    "Closed Lost": "Closed Lost",
}
PICKLIST = pd.DataFrame(
    {"display_value": [*TYPES], "forecast_type": [*TYPES.values()], "type": "used"}
)


def test_won_and_lost_stand_apart_from_the_open_stages(deals):
    """Closed deals of years are no step of a funnel: they have shares and a scale of their own."""
    many = pd.concat([deals, *[deals[deals["Stage"] == "Closed Won"]] * 99], ignore_index=True)
    ax = funnel(many.dropna(subset=["Stage"]), picklist=PICKLIST)
    assert names(ax) == ["Qualification", "Negotiation", "", "Closed Won"]
    assert bars(ax)[0] == (-1.5, 3), "open stages fill the width, however many are closed"
    assert len(ax.collections) == 1, "one slope, between the two open stages"
    assert repr(ax).splitlines()[1:] == [
        "open, with the share of all open ones:",
        "Qualification    3  100 %",
        "Negotiation      0    0 %",
        "closed, with the share of all closed ones:",
        "Closed Won     100  100 %",
    ]


@pytest.mark.parametrize("route", ["coql", "records", "table", "grouped"])
def test_tables_of_the_crm_know_which_stages_are_open(crm, route):
    """The picture is right without a word more, by every route."""
    df = {
        "coql": lambda: crm.coql("select Stage from Deals where id is not null", limit=300),
        "records": lambda: crm.records("Deals", ["Stage"]),
        "table": lambda: crm.table("Deals", ["Stage"]),
        "grouped": lambda: crm.coql(
            "select Stage, COUNT(id) as n from Deals where id is not null group by Stage"
        ),
    }[route]()
    ax = funnel(df)
    closed = names(ax).index("")
    assert names(ax)[0] == "Qualification"
    assert names(ax)[closed + 1] == "Closed Won"
    assert "Closed Lost" in names(ax)[closed:]
    assert "Id. Decision Makers (old)" not in names(ax), "a stage of former times without records"


def test_a_stage_of_former_times_is_shown_where_records_have_it(deals):
    """Nothing that was counted is left out of the picture."""
    deals["Stage"] = deals["Stage"].cat.rename_categories({"Negotiation": "Old"})
    deals.loc[0, "Stage"] = "Old"
    assert "Old  " in repr(
        funnel(deals, picklist=PICKLIST[PICKLIST["display_value"] != "Negotiation"])
    )


# ---- Rows that are groups ------------------------------------------------------------------------

GROUPED = {
    "one count": (
        "select Stage, COUNT(id) as n from Deals where id is not null group by Stage",
        "n",
    ),
    "a count without a name": (
        "select Stage, COUNT(id) from Deals where id is not null group by Stage",
        "COUNT(id)",
    ),
    "two keys": (
        "select Stage, Lead_Source, COUNT(id) as n from Deals where id is not null "
        "group by Stage, Lead_Source",
        "n",
    ),
    "with a sum": (
        "select Stage, SUM(Amount) as total, COUNT(id) as n from Deals where id is not null "
        "group by Stage",
        "n",
    ),
}


@pytest.mark.parametrize(("query", "column"), GROUPED.values(), ids=GROUPED)
def test_groups_of_a_query_are_counted_by_their_count(crm, query, column):
    """A row of GROUP BY is not one deal; the picture is that of the deals themselves."""
    grouped = crm.coql(query)
    plain = crm.coql("select Stage from Deals where id is not null", limit=2000)
    assert grouped[column].sum() == len(plain)
    assert repr(funnel(grouped)) == repr(funnel(plain))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (
            "select Stage, SUM(Amount) as total from Deals where id is not null group by Stage",
            "none of its columns does",
        ),
        (
            "select Stage, COUNT(id) as n, COUNT(Amount) as m from Deals where id is not null "
            "group by Stage",
            "several count: n, m",
        ),
    ],
)
def test_groups_that_nothing_counts_are_refused(crm, query, says):
    """Never a picture in which each group is one record."""
    with pytest.raises(ValueError, match=f"GROUP BY.*{says}.*count="):
        funnel(crm.coql(query))


def test_groups_made_in_pandas_are_warned_of_and_counted_by_name():
    """Of a table that says nothing of its query only its shape can be judged."""
    df = pd.DataFrame({"City": ["Pune", "Goa", "Delhi", "Agra"], "n": [5, 1, 3, 2]})
    with pytest.warns(UserWarning, match="counts as one record.*count="):
        funnel(df, "City")
    assert names(funnel(df, "City", count="n")) == ["Pune", "Delhi", "Agra", "Goa"]
