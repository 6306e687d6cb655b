"""Walks over a query."""

import pytest

from zcrm_nb.coql import criteria, is_aggregate, parse, paths, subqueries

QUERY = parse(
    "select Owner.email as mail, SUM(Amount) from Deals where (Stage = 'x' and Account_Name in "
    "(select id from Accounts where Industry = (select a from B where c is null))) "
    "group by Owner.email, Stage order by mail, Closing_Date"
)


def test_paths_come_from_every_clause_but_not_from_subqueries_or_aliases() -> None:
    """Every field of the query's own module must be there to be checked."""
    assert [path.text for path in paths(QUERY)] == [
        *("Owner.email", "Amount", "Stage", "Account_Name"),
        *("Owner.email", "Stage", "Closing_Date"),
    ]


def test_subqueries_come_in_the_order_of_their_brackets() -> None:
    """An outer one comes before the one inside it."""
    assert [each.query.module for each in subqueries(QUERY)] == ["Accounts", "B"]


def test_criteria_are_the_leaves_of_a_condition() -> None:
    """What joins criteria is not one itself, and a subquery's are its own."""
    assert [each.path.text for each in criteria(QUERY.where)] == ["Stage", "Account_Name"]


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("select id from Leads where id is null", False),
        ("select COUNT(id) from Leads where id is null", True),
        ("select City from Leads where id is null group by City", True),
    ],
)
def test_a_query_is_aggregate_with_a_function_or_a_group(query: str, groups: bool) -> None:
    """Groups carry no id, so the difference matters to every page."""
    assert is_aggregate(parse(query)) is groups
