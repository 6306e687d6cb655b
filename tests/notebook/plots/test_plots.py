"""Pictures: read off the Axes, as matplotlib itself would draw them."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zcrm_nb.api.planning.costs import Plan, Route, Speed, bulk_cost, coql_cost, rest_cost
from zcrm_nb.frames.write_plan import WritePlan
from zcrm_nb.notebook.plots.plots import PictureAxes, changes, funnel, prices

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
        "from zcrm_nb.notebook.plots.plots import changes, funnel\n"
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


# ---- What tables cost ----------------------------------------------------------------------------


def lines(ax: Axes) -> dict[str, list[tuple[int, int]]]:
    """Rows and credits along each line that has more than a point, by colour order."""
    long = [line for line in ax.lines if len(line.get_xdata()) > 2]
    names = ["rest", "coql", "bulk"]
    return {
        name: list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for name, line in zip(names, long, strict=True)
    }


def test_the_lines_are_the_prices_that_plans_are_made_of():
    """Every point of the picture is what the arithmetic says."""
    drawn = lines(prices())
    assert all(credits_ == coql_cost(rows).credits for rows, credits_ in drawn["coql"])
    assert all(credits_ == rest_cost(rows, 20).credits for rows, credits_ in drawn["rest"])
    assert all(credits_ == bulk_cost(rows, 20).credits for rows, credits_ in drawn["bulk"])
    assert max(rows for rows, _ in drawn["rest"]) <= 100_000
    assert drawn["coql"][-1][0] == 2_000_000


def test_the_crossing_is_where_it_is_said():
    """One row less, and a query is not dearer; the text twin says the same."""
    (said,) = [text for text in texts(prices()) if "cheaper" in text]
    crossing = int("".join(filter(str.isdecimal, said)))
    assert coql_cost(crossing - 1).credits <= bulk_cost(1, 20).credits
    assert coql_cost(crossing).credits > bulk_cost(1, 20).credits
    assert f"from {crossing:,} rows on" in repr(prices())


def test_more_fields_make_lists_dearer_only():
    """A page of Get Records has 49 of them beside the id."""
    few, many = lines(prices(fields=20)), lines(prices(fields=60))
    assert few["coql"] == many["coql"]
    assert all(2 * one[1] == other[1] for one, other in zip(few["rest"], many["rest"], strict=True))


def test_a_plan_is_marked_and_lends_its_pace():
    """Where the table at hand stands, and what its jobs would cost."""
    plan = Plan("", 5_000, "", (Route("coql", 3, 8, 0.6),), "coql", 1, Speed(polls=10))
    ax = prices(plan)
    assert "5,000 rows" in texts(ax)
    assert lines(ax)["bulk"][0][1] == 50 + 10 + 1


def test_prices_draw_on_the_axes_they_are_given():
    """Nothing global, and no figure of one's own."""
    ax = Figure().add_subplot()
    assert prices(ax=ax, title="What it costs") is ax
    assert ax.get_title(loc="left") == "What it costs"


# ---- What a write would change -------------------------------------------------------------------


def plan_of(cells: list[tuple[str, str]], rows: int = 10) -> WritePlan:
    """A plan that changes some cells, named by id and field."""
    return WritePlan(
        pd.DataFrame({"action": "update", "id": [f"{n}" for n in range(rows)]}),
        pd.DataFrame(cells, columns=["id", "column"]),
        pd.DataFrame(),
        subject="Leads by id",
        notes=[],
        names={},
        apply=lambda: None,
    )


def test_each_changed_cell_is_a_line_at_the_place_of_its_row():
    """The field with most changes is on top, and its number beside it."""
    ax = changes(plan_of([("3", "City"), ("3", "Phone"), ("7", "Phone")]))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Phone", "City"]
    assert [list(each.get_positions()) for each in ax.collections] == [[3, 7], [3]]
    assert texts(ax) == ["2", "1"]
    assert repr(ax).splitlines() == ["Cells to change in 10 rows", "Phone  2", "City   1"]


def test_nothing_to_change_is_said():
    """An empty plan is a sentence, on any axes."""
    ax = Figure().add_subplot()
    assert changes(plan_of([]), ax=ax, title="Tidy") is ax
    assert texts(ax) == ["Nothing to change."]
    assert "Nothing to change." in repr(changes(plan_of([])))
