"""What the grammar allows and Zoho does not."""

import pytest

from zcrm_nb.coql import ParseError, check_limits, parse

WHERE = "where id is not null"


def many(count: int, pattern: str = "f{}") -> str:
    """So many items with commas between them."""
    return ", ".join(pattern.format(number) for number in range(count))


def nested(count: int) -> str:
    """So many criteria, joined in a balanced tree of brackets."""
    if count == 1:
        return "id is null"
    return f"({nested(count // 2)} and {nested(count - count // 2)})"


def subqueries(count: int) -> str:
    """So many criteria with a subquery each."""
    one = f"(id in (select id from Leads {WHERE})"
    return f"{one} and " * (count - 1) + one[1:] + ")" * (count - 1)


BUILDERS = {
    "select": (500, lambda n: f"select {many(n)} from Leads {WHERE}"),
    "where": (25, lambda n: f"select id from Leads where {nested(n)}"),
    "in": (100, lambda n: f"select id from Leads where a in ({many(n, '{}')})"),
    "order by": (10, lambda n: f"select id from Leads {WHERE} order by {many(n)}"),
    "group by": (4, lambda n: f"select f1 from Leads {WHERE} group by {many(n)}"),
    "aggregate": (5, lambda n: f"select {many(n, 'SUM(f{})')} from Leads {WHERE}"),
    "subquery": (5, lambda n: f"select id from Leads where {subqueries(n)}"),
    "limit": (2000, lambda n: f"select id from Leads {WHERE} limit {n}"),
}


@pytest.mark.parametrize("clause", BUILDERS)
def test_a_limit_is_kept_to_the_last_item(clause: str) -> None:
    """As many as Zoho allows must pass; one more must be refused by the clause's name."""
    most, build = BUILDERS[clause]
    check_limits(parse(build(most)))
    with pytest.raises(ParseError) as caught:
        check_limits(parse(build(most + 1)))
    assert caught.value.code == "LIMIT_EXCEEDED"
    assert caught.value.details == {"limit": most, "clause": clause}


def test_the_offset_ceiling_counts_the_last_row_of_the_page() -> None:
    """Rows up to the ceiling can be reached, not one beyond, and the ceiling can be set."""
    query = parse(f"select id from Leads {WHERE} limit 8000, 2000")
    check_limits(query, offset_ceiling=10_000)
    with pytest.raises(ParseError) as caught:
        check_limits(query, offset_ceiling=9_999)
    assert caught.value.details == {"limit": 9_999, "clause": "offset"}


def test_the_limits_hold_inside_subqueries() -> None:
    """A list that is too long is too long in a subquery as well."""
    inner = f"select id from Leads where a in ({many(101, '{}')})"
    with pytest.raises(ParseError):
        check_limits(parse(f"select id from Leads where id in ({inner})"))


def test_the_first_item_too_many_is_pointed_at() -> None:
    """The error's place is where the reader must cut."""
    text = f"select id\nfrom Leads {WHERE} order by {many(11)}"
    with pytest.raises(ParseError) as caught:
        check_limits(parse(text), text)
    assert (caught.value.line, text[caught.value.at :]) == (2, "f10")


def test_a_limit_beyond_one_call_still_parses() -> None:
    """The client pages through large limits, so parsing must not refuse them."""
    assert parse(f"select id from Leads {WHERE} limit 50000").limit == 50_000
