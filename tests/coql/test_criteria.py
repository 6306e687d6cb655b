"""COQL's conditions in the words of bulk read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcrm_nb.coql import bulk_criteria, parse, to_text
from zcrm_nb.coql.tree import (
    Between,
    Comparison,
    IsNull,
    Literal,
    Logic,
    Membership,
    Path,
    Query,
    SelectItem,
    Step,
)
from zcrm_nb.errors import QueryError

if TYPE_CHECKING:
    from zcrm_nb import CRM

TYPES = {
    "City": "text",
    "Rating": "picklist",
    "Languages": "multiselectpicklist",
    "Amount": "currency",
    "Employees": "integer",
    "Gate": "bigint",
    "Open": "boolean",
    "Day": "date",
    "Created_Time": "datetime",
    "Owner": "ownerlookup",
    "Account_Name": "lookup",
    "Image": "profileimage",
}
LEADS = {
    name: {
        "api_name": name,
        "data_type": kind,
        "lookup": {"module": {"api_name": "Accounts"}} if kind == "lookup" else {},
    }
    for name, kind in TYPES.items()
}
LEADS["Flag"] = {
    "api_name": "Flag",
    "data_type": "formula",
    "formula": {"return_type": "boolean"},
}
FIELDS = {
    "Leads": LEADS,
    "Accounts": {"Industry": {"api_name": "Industry", "data_type": "picklist"}},
}


def leaf(name: str, comparator: str, value: object) -> dict[str, Any]:
    """One criterion as Zoho's page shows it."""
    return {"field": {"api_name": name}, "comparator": comparator, "value": value}


@pytest.mark.parametrize(
    ("where", "criteria"),
    [
        ("City = 'Pune'", leaf("City", "equal", "Pune")),
        ("City != Pune", leaf("City", "not_equal", "Pune")),
        ("City like 'New%'", leaf("City", "starts_with", "New")),
        ("City like '%pur'", leaf("City", "ends_with", "pur")),
        ("City like '%ag%'", leaf("City", "contains", "ag")),
        ("City like 'Pune'", leaf("City", "equal", "Pune")),
        ("City like '%'", leaf("City", "not_equal", "${EMPTY}")),
        ("City not like '%ag%'", leaf("City", "not_contains", "ag")),
        ("City is null", leaf("City", "equal", "${EMPTY}")),
        ("Amount is not null", leaf("Amount", "not_equal", "${EMPTY}")),
        ("Rating in ('Hot', 'Cold')", leaf("Rating", "in", ["Hot", "Cold"])),
        ("Rating not in ('Hot')", leaf("Rating", "not_in", ["Hot"])),
        ("Languages = 'English;German'", leaf("Languages", "equal", "English;German")),
        ("Amount >= '5000.50'", leaf("Amount", "greater_equal", 5000.5)),
        ("Amount < -5", leaf("Amount", "less_than", -5)),
        ("Gate = 9007199254740993", leaf("Gate", "equal", "9007199254740993")),
        ("id > '410888000000000001'", leaf("id", "greater_than", "410888000000000001")),
        ("Open = 'true'", leaf("Open", "equal", True)),
        ("Open = false", leaf("Open", "equal", False)),
        ("Flag is null", leaf("Flag", "equal", "${EMPTY}")),
        ("Day = '2026-03-31'", leaf("Day", "equal", "2026-03-31")),
        (
            "Day not between '2026-01-01' and '2026-03-31'",
            leaf("Day", "not_between", ["2026-01-01", "2026-03-31"]),
        ),
        (
            "Created_Time > '2026-03-31T10:00:00Z'",
            leaf("Created_Time", "greater_than", "2026-03-31T10:00:00+00:00"),
        ),
        ("Owner = '410'", leaf("Owner", "equal", "410")),
        ("Owner.last_name = 'Rao'", leaf("Owner.last_name", "equal", "Rao")),
        ("Account_Name.Industry = 'Steel'", leaf("Account_Name.Industry", "equal", "Steel")),
        ("!Leads.City = 'Goa'", leaf("City", "equal", "Goa")),
        ("'City' = 'Goa'", leaf("City", "equal", "Goa")),
    ],
)
def test_each_criterion_has_a_leaf(where: str, criteria: dict[str, Any]) -> None:
    """Comparators and values go by the type of the field, as Zoho's page has them."""
    assert bulk_criteria(where, "Leads", FIELDS.__getitem__) == criteria


@pytest.mark.parametrize(
    ("where", "word", "comparators"),
    [
        ("Amount between 5 and 10", "and", ["greater_equal", "less_equal"]),
        ("Amount not between 5 and 10", "or", ["less_than", "greater_than"]),
    ],
)
def test_numbers_lie_between_by_two_comparisons(
    where: str, word: str, comparators: list[str]
) -> None:
    """Bulk read has ``between`` for times only."""
    group = bulk_criteria(where, "Leads", FIELDS.__getitem__)
    assert group
    assert group["group_operator"] == word
    assert [each["comparator"] for each in group["group"]] == comparators
    assert [each["value"] for each in group["group"]] == [5, 10]


def test_chains_become_flat_groups_and_brackets_nested_ones() -> None:
    """COQL's pairs of brackets are no more than spelling; what they mean stays."""
    where = "City = 'a' and (Rating = 'b' or Rating = 'c') and Amount = 1"
    assert bulk_criteria(where, "Leads", FIELDS.__getitem__) == {
        "group_operator": "and",
        "group": [
            leaf("City", "equal", "a"),
            {
                "group_operator": "or",
                "group": [leaf("Rating", "equal", "b"), leaf("Rating", "equal", "c")],
            },
            leaf("Amount", "equal", 1),
        ],
    }


@pytest.mark.parametrize(("negated", "word"), [("", "or"), ("not ", "and")])
def test_long_lists_become_several(negated: str, word: str) -> None:
    """Twenty values a list, and none lost."""
    values = [f"c{number}" for number in range(45)]
    where = f"City {negated}in ({', '.join(values)})"
    group = bulk_criteria(where, "Leads", FIELDS.__getitem__)
    assert group
    assert group["group_operator"] == word
    assert [len(each["value"]) for each in group["group"]] == [20, 20, 5]
    assert [value for each in group["group"] for value in each["value"]] == values


@pytest.mark.parametrize(
    ("where", "criteria"),
    [
        ("id is not null", None),
        ("id is not null and City = 'a'", leaf("City", "equal", "a")),
        ("id is not null or City = 'a'", None),
    ],
)
def test_every_record_is_a_job_without_criteria(where: str, criteria: object) -> None:
    """The idiom for everything says nothing that bulk read needs to be told."""
    assert bulk_criteria(where, "Leads", FIELDS.__getitem__) == criteria


@pytest.mark.parametrize(
    ("where", "says", "at"),
    [
        ("Owner in (select id from Users where id is not null)", "no inner queries", "(select"),
        ("Amount = (select id from Leads where id is not null)", "no inner queries", "(select"),
        ("'What_Id->Leads.City' = 'Goa'", "no arrow", "'What_Id"),
        ("City = 'a' and Rating like 'a%b'", "no comparator for the pattern", "'a%b'"),
        ("City not like 'a%'", "no comparator for the pattern", "'a%'"),
        ("Cty = 'a'", "no field 'Cty'", "Cty"),
        ("City > 'a'", "of type text", "City"),
        ("Open != true", "of type boolean", "Open"),
        ("Image = '5'", "of type profileimage", "Image"),
        ("Amount = lots", "'lots' is not", "lots"),
        (f"City = '{'x' * 256}'", "255", "'x"),
        ("City = 'a' and", "AND joins two conditions", ""),
        ("City = 'a' limit 5", "ends before", "City"),
        (f"Amount in ({', '.join(map(str, range(501)))})", "26 criteria", "Amount in"),
    ],
)
def test_what_has_no_counterpart_is_refused_at_its_place(where: str, says: str, at: str) -> None:
    """Nothing is left out in silence: the error points at what bulk read cannot say."""
    with pytest.raises(QueryError, match=says) as refused:
        bulk_criteria(where, "Leads", FIELDS.__getitem__)
    error = refused.value
    assert error.column
    assert error.query[error.column - 1 :].startswith(at)
    assert "^" in str(error)


def test_a_tree_points_into_the_text_it_was_read_from() -> None:
    """Whoever has parsed a query need not write it anew to learn the place."""
    text = "select City from Leads where City like 'a%b' limit 5"
    with pytest.raises(QueryError) as refused:
        bulk_criteria(parse(text).where, "Leads", FIELDS.__getitem__, text=text)
    assert (refused.value.query, refused.value.column) == (text, text.index("'a%b'") + 1)


def test_a_tree_without_its_text_is_written_anew() -> None:
    """A tree of one's own making has no places; its text has."""
    tree = Comparison(Path((Step("City"),)), "like", Literal("a%b"))
    with pytest.raises(QueryError, match=r"City like 'a%b'"):
        bulk_criteria(tree, "Leads", FIELDS.__getitem__)


# ---- The same records by either language ---------------------------------------------------------

# Fields of Leads by what they are compared with; the emulator's values are drawn from for half of
# the literals, so that conditions find something.
TEXT = ("City", "Email", "Rating", "Lead_Source", "Company")
NUMBER = ("Annual_Revenue", "No_of_Employees", "Lead_Score")
TIME = ("Created_Time", "Next_Follow_Up")
ID = Path((Step("id"),))


@pytest.fixture(scope="module")
def leads(crm: CRM) -> list[dict[str, Any]]:
    """Some Leads as Zoho's JSON has them."""
    names = ",".join((*TEXT, *NUMBER, *TIME, "Converted__s", "Owner"))
    asked = {"fields": names, "converted": "both", "sort_by": "id", "sort_order": "asc"}
    found: list[dict[str, Any]] = crm.request("GET", "Leads", params=asked)["data"]
    return found


def holds(criteria: dict[str, Any] | None, record: dict[str, Any]) -> bool:
    """Judge a record by criteria, independently of everything in the package."""
    if criteria is None:
        return True
    if "group" in criteria:
        quantifier = {"and": all, "or": any}[criteria["group_operator"]]
        return quantifier(holds(each, record) for each in criteria["group"])
    wanted, comparator = criteria["value"], criteria["comparator"]
    value = record[criteria["field"]["api_name"]]
    value = value["id"] if isinstance(value, dict) else value
    if wanted == "${EMPTY}":
        return (value is None) == (comparator == "equal")
    if value is None:
        return False
    value, *others = (
        comparable(each) for each in [value, *(wanted if isinstance(wanted, list) else [wanted])]
    )
    return bool(JUDGES[comparator](value, *others))


def comparable(value: Any) -> Any:
    """Texts without regard to case, datetimes as moments."""
    if isinstance(value, str) and len(value) == 25 and value[10] == "T":
        return datetime.fromisoformat(value).timestamp()
    return value.casefold() if isinstance(value, str) else value


JUDGES = {
    "equal": lambda value, other: value == other,
    "not_equal": lambda value, other: value != other,
    "in": lambda value, *others: value in others,
    "not_in": lambda value, *others: value not in others,
    "less_than": lambda value, other: value < other,
    "less_equal": lambda value, other: value <= other,
    "greater_than": lambda value, other: value > other,
    "greater_equal": lambda value, other: value >= other,
    "between": lambda value, low, high: low <= value <= high,
    "not_between": lambda value, low, high: not low <= value <= high,
    "contains": lambda value, other: other in value,
    "not_contains": lambda value, other: other not in value,
    "starts_with": lambda value, other: value.startswith(other),
    "ends_with": lambda value, other: value.endswith(other),
}


@st.composite
def conditions(draw: st.DrawFn, leads: list[dict[str, Any]]) -> Any:
    """Make a condition over the fields of Leads, in pairs of brackets."""

    def literal(name: str) -> st.SearchStrategy[Literal]:
        there = [each[name] for each in leads if each[name] is not None]
        own = {
            "Created_Time": st.integers(1_700_000_000, 1_800_000_000).map(
                lambda moment: datetime.fromtimestamp(moment, UTC).isoformat()
            ),
            "Next_Follow_Up": st.dates(date(2024, 1, 1), date(2027, 1, 1)).map(date.isoformat),
            **dict.fromkeys(NUMBER, st.integers(0, 10**7)),
        }
        drawn = own.get(name, st.text("aeiou %'", min_size=1, max_size=3))
        return (st.sampled_from(there) | drawn).map(Literal)

    def criterion(name: str) -> st.SearchStrategy[Any]:
        path = Path((Step(name),))
        values = literal(name)
        lists = st.lists(values, min_size=1, max_size=25).map(tuple)
        signs = st.sampled_from(["=", "!="] + [">", ">=", "<", "<="] * (name not in TEXT))
        kinds = [
            st.builds(Comparison, st.just(path), signs, values),
            st.builds(Membership, st.just(path), lists, st.booleans()),
            st.builds(IsNull, st.just(path), st.booleans()),
        ]
        if name in TEXT:
            middles = st.text("aeioun", min_size=1, max_size=2)
            ends = st.sampled_from(["{}%", "%{}", "%{}%"])
            patterns = st.builds(lambda end, middle: Literal(end.format(middle)), ends, middles)
            kinds.append(st.builds(Comparison, st.just(path), st.just("like"), patterns))
            there = st.builds(lambda middle: Literal(f"%{middle}%"), middles)
            kinds.append(st.builds(Comparison, st.just(path), st.just("not like"), there))
        else:
            kinds.append(st.builds(Between, st.just(path), values, values, st.booleans()))
        return st.one_of(kinds)

    single = st.sampled_from((*TEXT, *NUMBER, *TIME)).flatmap(criterion)
    flags = st.builds(
        Comparison, st.just(Path((Step("Converted__s"),))), st.just("="), st.booleans().map(Literal)
    )
    joined = lambda inner: st.builds(Logic, st.sampled_from(["and", "or"]), inner, inner)  # noqa: E731
    return draw(st.recursive(single | flags, joined, max_leaves=5))


@settings(max_examples=60)
@given(data=st.data())
def test_both_languages_find_the_same_records(
    data: st.DataObject, crm: CRM, leads: list[dict[str, Any]]
) -> None:
    """What COQL answers, an independent judge finds by the criteria among the same records."""
    condition = data.draw(conditions(leads))
    end = Comparison(ID, "<=", Literal(leads[-1]["id"]))
    asked = Query((SelectItem(ID),), "Leads", Logic("and", end, condition), limit=2000)
    answer = crm.request("POST", "coql", json={"select_query": to_text(asked)})
    by_coql = [each["id"] for each in answer["data"]] if answer else []
    criteria = bulk_criteria(condition, "Leads", crm._catalogue.fields)
    assert [each["id"] for each in leads if holds(criteria, each)] == by_coql
