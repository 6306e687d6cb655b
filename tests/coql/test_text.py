"""From tree to text and back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zcrm_nb.coql import AGGREGATES, RESERVED, page, parse, to_text
from zcrm_nb.coql.tree import (
    Aggregate,
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    OrderBy,
    Path,
    Query,
    SelectItem,
    Step,
    Subquery,
)

words = st.sampled_from(["City", "_x", "Owner", "a1__s", "Z", "fro", "selected"])
odd = st.text(st.characters(exclude_characters=".->!", exclude_categories=["Cs"]), min_size=1)
names = words | st.sampled_from(sorted(filter(str.isalpha, RESERVED))) | odd
steps = st.builds(Step, names, st.none() | words)
paths = st.builds(
    lambda first, rest, root: Path((Step(first), *rest), root),
    names,
    st.lists(steps, max_size=2),
    st.none() | words,
)
numbers = st.integers(-(10**15), 10**15) | st.floats(-1e12, 1e12, allow_subnormal=False)
literals = st.builds(Literal, st.text(st.characters(exclude_categories=["Cs"])) | numbers) | (
    st.booleans().map(Literal)
)
aggregates = st.builds(Aggregate, st.sampled_from(sorted(AGGREGATES)), paths)


def criteria(queries: st.SearchStrategy[Query] | None = None) -> st.SearchStrategy:
    """Make single criteria; with subqueries among their values where queries are given."""
    values, lists = literals, st.lists(literals, min_size=1, max_size=3).map(tuple)
    if queries is not None:
        values, lists = values | st.builds(Subquery, queries), lists | st.builds(Subquery, queries)
    signs = st.sampled_from(["=", "!=", ">", ">=", "<", "<="])
    return st.one_of(
        st.builds(Comparison, paths, signs, values),
        st.builds(Comparison, paths, st.sampled_from(["like", "not like"]), literals),
        st.builds(Between, paths, literals, literals, st.booleans()),
        st.builds(Membership, paths, lists, st.booleans()),
        st.builds(IsNull, paths, st.booleans()),
    )


def conditions(queries: st.SearchStrategy[Query] | None = None) -> st.SearchStrategy:
    """Join criteria in pairs."""
    joined = lambda inner: st.builds(Logic, st.sampled_from(["and", "or"]), inner, inner)  # noqa: E731
    return st.recursive(criteria(queries), joined, max_leaves=5)


inner_queries = st.builds(
    Query,
    st.tuples(st.builds(SelectItem, paths)),
    words,
    conditions(),
    limit=st.none() | st.just(5),
)


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Make whole queries whose names do not clash."""
    selected = draw(
        st.lists(paths | aggregates, min_size=1, max_size=3, unique_by=lambda each: each.text)
    )
    taken = {each.text for each in selected}
    alias = st.none() | names.filter(lambda name: name not in taken)
    aliases = draw(
        st.lists(alias, min_size=len(selected), max_size=len(selected)).filter(
            lambda found: len({*filter(None, found)}) == len([*filter(None, found)])
        )
    )
    limit = draw(st.none() | st.integers(1, 10**6))
    return Query(
        tuple(map(SelectItem, selected, aliases)),
        draw(words),
        draw(conditions(inner_queries)),
        draw(st.none() | st.just("410888000000000001")),
        tuple(draw(st.lists(paths, max_size=2, unique_by=lambda path: path.text))),
        tuple(draw(st.lists(st.builds(OrderBy, paths, st.booleans()), max_size=2, unique_by=_key))),
        limit,
        draw(st.none() | st.integers(0, 10**6)) if limit else None,
    )


def _key(order: OrderBy) -> str:
    return order.key.text


# A busy machine draws large trees slowly, and that is not what is tested.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(queries())
def test_every_tree_survives_being_printed_and_read(query: Query) -> None:
    """Whatever a tree holds, its text must mean the same tree."""
    assert parse(to_text(query)) == query


def test_conditions_are_printed_in_pairs_of_brackets() -> None:
    """Zoho refuses three criteria in a row, so the printer never writes them."""
    query = parse("select id from Leads where (a = 1 and b = 2) and c = 3")
    assert to_text(query) == "select id from Leads where ((a = 1 and b = 2) and c = 3)"


def test_numbers_are_printed_without_an_exponent() -> None:
    """COQL knows no 1e-07, so small and large numbers are written in plain digits."""
    query = parse("select id from Leads where a between 0.0000001 and 10000000000000000000000.0")
    assert "between 0.0000001 and 10000000000000000000000" in to_text(query)


def test_a_quote_inside_a_text_is_doubled() -> None:
    """Doubling is the one way of escaping that Zoho documents."""
    query = parse('select id from Leads where Last_Name = "O\'Brien"')
    assert "= 'O''Brien'" in to_text(query)


def test_an_offset_without_a_limit_cannot_be_written() -> None:
    """COQL has no such clause, and dropping the offset would ask for other rows."""
    query = page(parse("select id from Leads where id is not null"), 10, 5)
    with pytest.raises(ValueError, match="offset"):
        to_text(Query(query.columns, query.module, query.where, offset=10))
