"""What tables cost: the arithmetic, and the choice."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.api.planning.costs import (
    Plan,
    Route,
    Speed,
    bulk_cost,
    choose,
    coql_cost,
    query_cost,
    rest_cost,
    with_whys,
)

# Rows, and what they cost by REST, COQL and bulk read: the price list that planners are made for.
PRICES = [
    (200, 1, 1, 50),
    (2_000, 10, 3, 50),
    (10_000, 50, 15, 50),
    (32_000, 160, 48, 50),
    (34_000, 170, 51, 50),
    (100_000, 500, 150, 50),
    (200_000, 1_000, 300, 50),
    (1_000_000, 5_000, 1_500, 250),
]
FREE_LOOKS = Speed(polls=0)


@pytest.mark.parametrize(("rows", "rest", "coql", "bulk"), PRICES)
def test_the_price_list_is_zohos(rows: int, rest: int, coql: int, bulk: int) -> None:
    """Pages of 200 at 1, of 2,000 at 3, jobs of 200,000 at 50, to which each download adds 1."""
    downloads = -(-rows // 200_000)
    assert rest_cost(rows, 49).credits == rest
    assert coql_cost(rows).credits == coql
    assert bulk_cost(rows, 49, FREE_LOOKS).credits == bulk + downloads


@pytest.mark.parametrize(
    ("rows", "credits_"), [(0, 1), (1, 1), (201, 2), (1_001, 3), (2_001, 4), (2_300, 5), (4_000, 6)]
)
def test_the_last_page_of_a_query_costs_what_it_holds(rows: int, credits_: int) -> None:
    """Whoever has counted asks for no larger page than there is."""
    assert coql_cost(rows).credits == credits_


@pytest.mark.parametrize(
    ("rows", "limit", "cost"),
    [
        (150, None, (1, 3)),
        (150, 150, (1, 1)),
        (2_000, None, (1, 3)),
        (2_001, None, (3, 5)),
        (10_000, 300, (1, 2)),
        (10_000, 4_000, (3, 7)),
        (None, None, (1, 3)),
        (None, 100, (1, 1)),
    ],
)
def test_a_query_that_was_not_counted_pays_for_its_limit(
    rows: int | None, limit: int | None, cost: tuple[int, int]
) -> None:
    """``crm.coql`` asks for a whole page first, and counts only if more follow."""
    assert query_cost(rows, limit)[:2] == cost


@pytest.mark.parametrize(("fields", "batches"), [(0, 1), (49, 1), (50, 2), (98, 2), (99, 3)])
def test_fifty_fields_multiply_lists(fields: int, batches: int) -> None:
    """One of the fifty is the id, by which the batches are joined."""
    assert rest_cost(1_000, fields).credits == 5 * batches


def test_time_goes_by_what_can_be_under_way_at_once() -> None:
    """Pages side by side where Zoho lets them, one after the other where each names the next."""
    pace = Speed(rest_s=1.0, coql_s=1.0, job_s=40.0, lanes=10)
    assert coql_cost(20_000, pace).seconds == 1
    assert coql_cost(22_000, pace).seconds == 2
    assert coql_cost(104_000, pace).seconds == 5 + 2
    assert rest_cost(2_000, 10, pace).seconds == 1
    assert rest_cost(2_600, 10, pace).seconds == 1 + 3
    assert rest_cost(2_000, 98, pace).seconds == 2
    assert 80 < bulk_cost(400_000, 25, pace).seconds < 90


@given(st.integers(1, 5_000_000))
def test_no_row_makes_a_table_cheaper(rows: int) -> None:
    """Prices never fall with the number of rows, by any route."""
    for cost in (coql_cost, lambda n: rest_cost(n, 10), lambda n: bulk_cost(n, 10)):
        assert cost(rows).credits <= cost(rows + 1).credits


def test_bulk_read_is_cheaper_from_about_33_thousand_rows_on() -> None:
    """The crossing that planners are made for, each look at a job included or not."""
    crossing = next(n for n in range(1, 10**6) if coql_cost(n).credits > 50)
    assert 33_000 < crossing <= 34_000


# ---- The choice ----------------------------------------------------------------------------------

COQL, BULK = Route("coql", 50, 150, 3.0), Route("bulk", 6, 55, 41.0)
REST = Route("rest", why="Get Records has no conditions")
ALL = [COQL, REST, BULK]


def test_credits_or_seconds_decide_as_is_preferred() -> None:
    """A route that leads nowhere is never chosen, and none that costs more than may be spent."""
    assert choose(ALL) == BULK
    assert choose(ALL, "fast") == COQL
    assert choose(ALL, "fast", most=100) == BULK
    assert choose(ALL, most=54) is None
    assert choose([REST]) is None


def test_what_costs_the_same_is_decided_by_the_other_measure() -> None:
    """One page by COQL and one by Get Records both cost a credit."""
    slow, quick = Route("coql", 1, 1, 0.6), Route("rest", 1, 1, 0.15)
    assert choose([slow, quick]) == quick


def test_each_route_says_why() -> None:
    """The choice its merits, the others what is against them; obstacles stay."""
    assert [each.why for each in with_whys(ALL, BULK)] == [
        "95 credits more",
        "Get Records has no conditions",
        "cheapest",
    ]
    assert [each.why for each in with_whys(ALL, COQL)] == [
        "fastest",
        "Get Records has no conditions",
        "38 s slower",
    ]
    assert [each.why for each in with_whys(ALL, None, most=20)] == [
        "more than the 20 credits allowed",
        "Get Records has no conditions",
        "more than the 20 credits allowed",
    ]


PLAN = Plan(
    query="select City from Leads where City = '<b>'",
    rows=100_000,
    rows_text="100,000 rows, counted by COQL for 1 credit.",
    routes=with_whys(ALL, BULK),
    route="bulk",
    planning=3,
    pace=Speed(measured=frozenset({"coql_s"})),
)


def test_a_plan_shows_itself_as_a_small_table() -> None:
    """With an arrow at the choice, and what is measured told from what is assumed."""
    assert repr(PLAN).splitlines() == [
        "select City from Leads where City = '<b>'",
        "100,000 rows, counted by COQL for 1 credit.",
        "  route  calls  credits  time  why",
        "  coql      50      150   3 s  95 credits more",
        "  rest       –        –     –  Get Records has no conditions",
        "→ bulk       6       55  41 s  cheapest",
        "Seconds: a page of COQL 0.6 s (measured), of Get Records 0.15 s (assumed), "
        "a bulk job 42 s (assumed).",
    ]


def test_its_html_twin_says_the_same_and_escapes_what_was_asked() -> None:
    """A value in a query is no markup."""
    shown = PLAN._repr_html_()
    words = re.split(r"\s*<[^>]+>\s*", shown)
    assert "<b>" not in shown
    assert html.escape("'<b>'") in shown
    for line in repr(PLAN).splitlines():
        for word in re.split(r"\s{2,}", line.strip("→ ")):
            assert any(word in html.unescape(each) for each in words)


def test_a_plan_answers_for_its_choice() -> None:
    """Its numbers are those of the route that is chosen."""
    assert (PLAN.calls, PLAN.credits, PLAN.seconds) == (6, 55, 41.0)
    assert PLAN.chosen.why == "cheapest"
    assert [each.route for each in PLAN.alternatives] == ["coql", "rest"]
