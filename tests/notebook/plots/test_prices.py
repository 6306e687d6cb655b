"""What tables cost, drawn."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zcrm_nb.api.planning.costs import Plan, Route, Speed, bulk_cost, coql_cost, rest_cost
from zcrm_nb.notebook.plots import prices


def texts(ax: Axes) -> list[str]:
    """Every text in the picture beside titles and labels of axes."""
    return [text.get_text() for text in ax.texts]


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
