"""What Zoho refuses and can only mean one thing, written as Zoho takes it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.coql import ParseError, parse, parts, repair, to_text

FIELDS = {
    "Leads": {
        name: {"api_name": name, "data_type": kind}
        for name, kind in {"id": "bigint", "City": "text", "Files": "fileupload"}.items()
    }
}
ALL = "id is not null"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("select City from Leads", f"select City from Leads where {ALL}"),
        ("select City from Leads limit 5", f"select City from Leads where {ALL} limit 5"),
        (
            "select COUNT(id) from Leads group by City",
            f"select COUNT(id) from Leads where {ALL} group by City",
        ),
        (
            "select id from Contacts where Account_Name in (select id from Accounts)",
            f"select id from Contacts where Account_Name in (select id from Accounts where {ALL})",
        ),
        (
            "select id from L where a = 1 and b = 2 and c = 3 and d = 4",
            "select id from L where (((a = 1 and b = 2) and c = 3) and d = 4)",
        ),
        (
            "select id from L where (a = 1 or b = 2 or c = 3) and d = 4",
            "select id from L where (((a = 1 or b = 2) or c = 3) and d = 4)",
        ),
        (
            "select id from L where a between 1 and 2 and b = 2 and (c = 3 or d = 4)",
            "select id from L where ((a between 1 and 2 and b = 2) and (c = 3 or d = 4))",
        ),
        (
            "select sum(Amount), Max(Amount) as top from Deals where id is not null",
            f"select SUM(Amount), MAX(Amount) as top from Deals where {ALL}",
        ),
        ("select count(*) from Leads", f"select COUNT(id) from Leads where {ALL}"),
        ("select * from Leads", f"select id, City from Leads where {ALL}"),
        (
            "select External, Order from L where Limit = 5 order by Group desc",
            "select 'External', 'Order' from L where 'Limit' = 5 order by 'Group' desc",
        ),
        (
            "select COUNT(id) as order from Leads where id is not null order by order",
            f"select COUNT(id) as 'order' from Leads where {ALL} order by 'order' asc",
        ),
        ("select a.union from L where id is null", "select 'a.union' from L where id is null"),
        ("select id from L where a <> 1 and b == 2;", "select id from L where (a != 1 and b = 2)"),
    ],
)
def test_a_query_with_one_meaning_is_written_as_zoho_takes_it(text, meant):
    """Zoho refuses each of these; the repaired one is strict COQL, and nothing is hidden."""
    with pytest.raises(ParseError):
        parse(text)
    query, changes = repair(text, FIELDS.get)
    assert to_text(query) == meant
    assert parse(meant) == query
    assert changes
    assert {change.severity for change in changes} == {"repaired"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("select id from L where a = 1 and b = 2 or c = 3", "SYNTAX_ERROR"),
        ("select id from L where a = 1 or b = 2 and c = 3", "SYNTAX_ERROR"),
        ("select id from L where a = 1 and b = 2 and c = 3 or d = 4", "SYNTAX_ERROR"),
        ("select distinct City from L where id is not null", "SYNTAX_ERROR"),
        ("select from Leads where id is not null", "SYNTAX_ERROR"),
        ("select City as from Leads where id is not null", "SYNTAX_ERROR"),
        ("select City from Leads where order by City", "SYNTAX_ERROR"),
        ("select *, City from Leads where id is not null", "SYNTAX_ERROR"),
        ("select id from L where City = 'Pune; drop'; select", "SYNTAX_ERROR"),
        ("select MEDIAN(a) from L where id is not null", "INVALID_DATA"),
        (f"select id from L where {' and '.join(['a = 1'] * 26)}", "LIMIT_EXCEEDED"),
    ],
)
def test_what_could_mean_two_things_is_refused(text, code):
    """A guess would answer a question that nobody asked."""
    with pytest.raises(ParseError) as caught:
        repair(text, FIELDS.get)
    assert caught.value.code == code


def test_a_good_query_is_left_alone():
    """Nothing to say about what needs nothing."""
    text = "select '*', 'External' from Leads where (a = 1 and b in (1, 2)) and c like 'x<>y==z'"
    assert repair(text) == (parse(text), [])


def test_what_was_changed_is_told_at_its_place():
    """Line and column are those of the text as it was written."""
    _, changes = repair("select City, count(id)\nfrom Leads\ngroup by City")
    assert [(each.line, each.column) for each in changes] == [(1, 14), (3, 1)]


def test_a_chain_is_told_once_however_long():
    """One finding at the third condition; the rest would be noise."""
    _, changes = repair("select id from L where a = 1 and b = 2 and c = 3 and d = 4 and e = 5")
    assert [each.column for each in changes] == [40]


def test_columns_that_coql_cannot_read_are_not_among_the_star():
    """One subform among them, and Zoho would refuse the whole query."""
    query, (change,) = repair("select * from Leads where id is not null", FIELDS.get)
    assert [column.key for column in query.columns] == ["id", "City"]
    assert "2 fields" in change.fix


# ---- Lists that are too long ---------------------------------------------------------------------

LONG = "(" + ", ".join(f"'{number}'" for number in range(250)) + ")"


def sizes(text):
    return [len(each) for each in text.split(" in (")[1:]]


def test_a_long_list_that_every_row_fulfils_is_asked_for_in_turn():
    """Three queries, each of them as Zoho takes it, and no value lost."""
    query, changes = repair(f"select id from L where a in {LONG} and b = 1")
    queries = parts(query)
    assert [len(each.where.left.values) for each in queries] == [100, 100, 50]
    assert all(repair(to_text(each)) == (each, []) for each in queries)
    values = [literal.value for each in queries for literal in each.where.left.values]
    assert values == [str(number) for number in range(250)]
    assert "3 queries" in changes[0].fix


@pytest.mark.parametrize(
    "text",
    [
        f"select id from L where a in {LONG} or b = 1",
        f"select id from L where a not in {LONG}",
        f"select COUNT(id) from L where a in {LONG}",
        f"select id from L where b in (select id from M where a in {LONG})",
    ],
)
def test_any_other_long_list_becomes_several_in_one_query(text):
    """Parts of groups, or of an OR, could not be put together again."""
    query, changes = repair(text)
    assert parts(query) == [query]
    assert repair(to_text(query)) == (query, [])
    assert to_text(query).count(" in (") - text.count(" in (") == 2
    assert "3 lists" in changes[0].fix


def test_two_long_lists_are_asked_for_both_ways():
    """Queries for each pair of parts would be many; one of the lists is written as several."""
    query, changes = repair(f"select id from L where a in {LONG} and b in {LONG}")
    assert len(parts(query)) == 3
    assert [each.fix for each in changes] == ["Sent in 3 queries.", "Written as 3 lists."]


# ---- Laws ----------------------------------------------------------------------------------------

criteria = st.sampled_from(
    ["City = 'Pune'", "Rating is null", "a between 1 and 2", "b in (1, 2)", "c <> 3", "Order = 5"]
)


def chained(inner):
    """Join conditions by one word, in brackets or not."""
    joined = st.tuples(st.sampled_from([" and ", " or "]), st.lists(inner, min_size=2, max_size=4))
    return joined.map(lambda pair: "(" + pair[0].join(pair[1]) + ")")


conditions = st.recursive(criteria, chained, max_leaves=12)
columns = st.sampled_from(["*", "City", "count(*)", "External, City as limit", "Sum(a), MIN(b)"])


@given(columns, st.none() | conditions, st.sampled_from(["", ";", " limit 5", " order by City;"]))
def test_a_repaired_query_is_strict_coql_and_needs_no_repair(selected, condition, rest):
    """Repairing is done once."""
    where = f" where {condition}" if condition else ""
    query, _ = repair(f"select {selected} from Leads{where}{rest}", FIELDS.get)
    text = to_text(query)
    assert parse(text) == query
    assert repair(text) == (query, [])


PYTHON = {
    "City = 'Pune'": lambda row: (row["City"] or "").lower() == "pune",
    "City like 'M%'": lambda row: (row["City"] or "").lower().startswith("m"),
    "Email_Opt_Out = 'true'": lambda row: row["Email_Opt_Out"],
    "No_of_Employees > 100": lambda row: (row["No_of_Employees"] or 0) > 100,
    "Phone is null": lambda row: row["Phone"] is None,
    "Last_Name like '%a%'": lambda row: "a" in row["Last_Name"].lower(),
}


def condition(draw, depth):
    """Draw a condition as COQL writes it without care for pairs, and what Python makes of it."""
    if depth == 0 or draw.random() < 0.3:
        return draw.choice(list(PYTHON.items()))
    word, judge = draw.choice([("and", all), ("or", any)])
    inner = [condition(draw, depth - 1) for _ in range(draw.randint(2, 4))]
    text = f" {word} ".join(text for text, _ in inner)
    return f"({text})", lambda row: judge([bool(holds(row)) for _, holds in inner])


def test_brackets_in_pairs_find_the_rows_that_were_meant(crm):
    """The emulator answers, plain Python judges: 60 conditions with chains within chains."""
    columns = "id, City, Email_Opt_Out, No_of_Employees, Phone, Last_Name"
    rows = crm.request(
        "POST",
        "coql",
        json={"select_query": f"select {columns} from Leads where id is not null limit 2000"},
    )["data"]
    last = rows[-1]["id"]
    draw = random.Random(2026)
    for _ in range(60):
        text, holds = condition(draw, 2)
        query, _ = repair(f"select id from Leads where {text} and id <= '{last}' and id > 0")
        asked = {"select_query": to_text(query) + " limit 2000"}
        found = (crm.request("POST", "coql", json=asked) or {}).get("data", [])
        assert [row["id"] for row in found] == [row["id"] for row in rows if holds(row)], text
