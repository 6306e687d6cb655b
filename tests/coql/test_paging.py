"""What paging asks of a query."""

import pytest

from zcrm_nb.coql import after, credits, page, parse, parts, stable, to_text  # noqa: A004 - Zoho's word

BASE = "select City from Leads where City is not null"


def ordered(query: str) -> str:
    """Make a query stable and give its order as text."""
    text = to_text(stable(parse(query)))
    return text.partition(" order by ")[2]


def test_a_page_replaces_the_limit() -> None:
    """The page asked for wins over what the query said."""
    found = page(parse(f"{BASE} limit 50000"), 4000, 2000)
    assert (found.offset, found.limit) == (4000, 2000)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        (BASE, "id asc"),
        (f"{BASE} order by City desc", "City desc, id asc"),
        (f"{BASE} order by City, id desc", "City asc, id desc"),
        ("select id as key from Leads where City is null order by 'key'", "key asc"),
        ("select City, COUNT(id) from Leads where id is null group by City", "City asc"),
        (
            "select City as c, COUNT(id) as n from Leads where id is null group by City, State "
            "order by n desc, c",
            "n desc, c asc, State asc",
        ),
        ("select COUNT(id) from Leads where id is null", ""),
    ],
)
def test_a_stable_order_has_no_ties(query: str, order: str) -> None:
    """Records end in their id, groups in their keys; what is there already stays as it is."""
    assert ordered(query) == order


def test_after_goes_on_behind_the_last_id() -> None:
    """The old condition holds, the order is by id, and nothing is skipped."""
    found = after(parse(f"{BASE} order by City limit 10, 2000"), "41")
    assert to_text(found) == (
        "select City from Leads where (City is not null and id > '41') order by id asc limit 2000"
    )


def test_groups_cannot_be_paged_by_id() -> None:
    """A group has no id, so asking for the rows behind one is a mistake."""
    with pytest.raises(ValueError, match="groups have no id"):
        after(parse("select COUNT(id) from Leads where id is null"), "41")


@pytest.mark.parametrize(
    ("limit", "price"), [(None, 1), (1, 1), (200, 1), (201, 2), (1000, 2), (1001, 3), (2000, 3)]
)
def test_a_call_costs_by_its_limit(limit: int | None, price: int) -> None:
    """One, two or three credits, by the LIMIT asked for."""
    assert credits(limit) == price


def test_a_query_without_a_long_list_is_one_part() -> None:
    """Cutting is for lists that Zoho does not take."""
    query = parse(f"{BASE} and id in ('1', '2')")
    assert parts(query) == [query]


def test_the_parts_of_a_long_list_keep_everything_else() -> None:
    """Columns, the other conditions, order and limit are those of the whole."""
    values = ", ".join(f"'{number}'" for number in range(101))
    text = (
        "select City from Leads where (City in ({}) and id is not null) order by City asc limit 7"
    )
    first, second = map(to_text, parts(parse(text.format(values))))
    assert first == text.format(values.removesuffix(", '100'"))
    assert second == text.format("'100'")
