"""Criteria objects, held against a judge that reads the raw records in Python."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import Org
from zcrm_nb.emulator import ManualClock, Settings
from zcrm_nb.emulator.query import filters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.settings import ActionSettings
from zcrm_nb.emulator.world.staff import ADMIN

ROWS = {"Leads": 120, "Contacts": 40, "Accounts": 20, "Deals": 60, "Site_Visits": 25}
TODAY = date(2026, 9, 15)


@pytest.fixture(scope="module")
def org():
    """An org that these tests only read."""
    with Org(rows=ROWS, clock=ManualClock()) as emulator:
        yield emulator


def found(org, module, criteria, user=ADMIN):
    """Ids that fit, by the emulator."""
    where = filters.condition(criteria, org.schema.modules[module], org, user)
    sql = f'SELECT id FROM "{module}" WHERE {where.sql} ORDER BY id'
    return [each for (each,) in org.store.read(sql, where.values)]


def leaf(field, comparator, value):
    """One criterion."""
    return {"field": {"api_name": field}, "comparator": comparator, "value": value}


# --- the judge ----------------------------------------------------------------------------------


def fits(row, node):
    """Judge one row by plain Python."""
    if "group" in node:
        joined = all if node["group_operator"].upper() == "AND" else any
        return joined(fits(row, each) for each in node["group"])
    comparator, value = node["comparator"], node["value"]
    has = row[node["field"]["api_name"]]
    if value in ("${EMPTY}", "${NOTEMPTY}"):
        return (has in (None, "")) == ((value == "${EMPTY}") == (comparator == "equal"))
    if has is None:
        return False
    values = value if isinstance(value, list) else [value]
    if isinstance(has, str):
        has, values = has.lower(), [str(each).lower() for each in values]
    return JUDGES[comparator](has, values)


JUDGES = {
    "equal": lambda has, values: has in values,
    "in": lambda has, values: has in values,
    "not_equal": lambda has, values: has not in values,
    "not_in": lambda has, values: has not in values,
    "contains": lambda has, values: any(each in has for each in values),
    "not_contains": lambda has, values: not any(each in has for each in values),
    "starts_with": lambda has, values: any(has.startswith(each) for each in values),
    "ends_with": lambda has, values: any(has.endswith(each) for each in values),
    "between": lambda has, values: values[0] <= has <= values[1],
    "not_between": lambda has, values: not values[0] <= has <= values[1],
    "greater_than": lambda has, values: has > values[0],
    "greater_equal": lambda has, values: has >= values[0],
    "less_than": lambda has, values: has < values[0],
    "less_equal": lambda has, values: has <= values[0],
}
TEXTS = ["Pune", "pu", "%", "_", "ne", "", "Mumbai", "a'b"]
NUMBERS = [0, 1, 250_000.5, 1_000_000, "5000000", -3]
DATES = ["2026-09-15", "2026-01-31", "2025-12-01"]


@st.composite
def leaves(draw):
    """Any criterion over a few fields of Deals."""
    field, values, comparators = draw(
        st.sampled_from(
            [
                ("Deal_Name", TEXTS, ("contains", "not_contains", "starts_with", "ends_with")),
                ("Stage", ["Closed Won", "closed lost", "Qualification"],
                 ("equal", "not_equal", "in", "not_in")),
                ("Amount", NUMBERS, ("equal", "not_equal", "greater_than", "less_equal",
                                     "between", "not_between", "in", "not_in")),
                ("Closing_Date", DATES, ("equal", "greater_equal", "less_than", "between",
                                         "not_between")),
                ("Next_Step", ["${EMPTY}", "${NOTEMPTY}"], ("equal", "not_equal")),
            ]
        )
    )  # fmt: skip
    comparator = draw(st.sampled_from(comparators))
    one = st.sampled_from(values)
    if "between" in comparator:
        value = draw(st.lists(one, min_size=2, max_size=2))
    elif comparator in ("in", "not_in"):
        value = draw(st.lists(one, min_size=1, max_size=3))
    else:
        value = draw(one)
    return leaf(field, comparator, value)


nodes = st.recursive(
    leaves(),
    lambda inside: st.builds(
        lambda word, group: {"group_operator": word, "group": group},
        st.sampled_from(["AND", "OR", "and", "or"]),
        st.lists(inside, min_size=2, max_size=4),
    ),
    max_leaves=6,
)


def as_numbers(node):
    """Read numbers that came as text, as the judge compares."""
    if "group" in node:
        return {**node, "group": [as_numbers(each) for each in node["group"]]}
    if node["field"]["api_name"] != "Amount":
        return node
    value = node["value"]
    number = [float(each) for each in value] if isinstance(value, list) else float(value)
    return {**node, "value": number}


@settings(max_examples=150)
@given(criteria=nodes)
def test_emulator_and_judge_agree(org, criteria):
    """Whatever is asked of Deals."""
    judged = as_numbers(criteria)
    expected = [row["id"] for row in org.store.rows("Deals") if fits(row, judged)]
    assert found(org, "Deals", criteria) == expected


# --- what the judge does not know ---------------------------------------------------------------


def dates_of(org, module, field, value, comparator="equal"):
    """Local dates of the records that fit a place holder."""
    ids = set(found(org, module, leaf(field, comparator, value)))
    for row in org.store.rows(module):
        if row["id"] in ids:
            yield day(org, row[field])


PERIODS = [
    ("${TODAY}", TODAY, TODAY),
    ("${YESTERDAY}", TODAY - timedelta(1), TODAY - timedelta(1)),
    ("${THISWEEK}", date(2026, 9, 13), date(2026, 9, 19)),
    ("${LASTWEEK}", date(2026, 9, 6), date(2026, 9, 12)),
    ("${THISMONTH}", date(2026, 9, 1), date(2026, 9, 30)),
    ("${LASTMONTH}", date(2026, 8, 1), date(2026, 8, 31)),
    ("${NEXTMONTH}", date(2026, 10, 1), date(2026, 10, 31)),
    ("${LASTYEAR}", date(2025, 1, 1), date(2025, 12, 31)),
    ("${LAST_N_DAYS:30}", TODAY - timedelta(30), TODAY - timedelta(1)),
    ("${NEXT_N_DAYS:7}", TODAY + timedelta(1), TODAY + timedelta(7)),
    ("${LAST_N_MONTHS:3}", date(2026, 6, 1), date(2026, 8, 31)),
    ("${AGEINDAYS}+10", TODAY - timedelta(10), TODAY - timedelta(10)),
    ("${DUEINDAYS}+10", TODAY + timedelta(10), TODAY + timedelta(10)),
]


def day(org, stored):
    """The local date of a stored date or datetime."""
    if isinstance(stored, str):
        return date.fromisoformat(stored)
    return datetime.fromtimestamp(stored, org.store.zone).date()


@pytest.mark.parametrize("period", PERIODS, ids=[each[0] for each in PERIODS])
@pytest.mark.parametrize(
    ("module", "field"), [("Deals", "Closing_Date"), ("Leads", "Created_Time")]
)
def test_periods_move_with_today(org, period, module, field):
    """Dates and datetimes alike, in the org's own zone."""
    value, first, last = period
    every = [day(org, row[field]) for row in org.store.rows(module) if row[field] is not None]
    expected = sorted(each for each in every if first <= each <= last)
    assert sorted(dates_of(org, module, field, value)) == expected
    if "INDAYS" not in value:
        before = sorted(each for each in every if each < first)
        assert sorted(dates_of(org, module, field, value, "less_than")) == before


def test_ages_compare_the_other_way_round(org):
    """Older than ten days is before ten days ago."""
    old = list(dates_of(org, "Leads", "Created_Time", "${AGEINDAYS}+10", "greater_than"))
    assert old
    assert max(old) < TODAY - timedelta(10)


def test_weeks_begin_where_the_setting_says():
    """On Sunday, unless it is said otherwise."""
    monday = Settings(actions=ActionSettings(week_begins=0))
    with Org(rows=ROWS, clock=ManualClock(), settings=monday) as org:
        days = list(dates_of(org, "Deals", "Closing_Date", "${THISWEEK}"))
        assert all(date(2026, 9, 14) <= day <= date(2026, 9, 20) for day in days)


def test_the_current_user_is_who_asks(org):
    """By name or as an object."""
    users = {row["Owner"] for row in org.store.rows("Leads")}
    for user in users:
        mine = [row["id"] for row in org.store.rows("Leads") if row["Owner"] == user]
        for value in ("${CURRENTUSER}", {"name": "${CURRENTUSER}"}, {"id": str(user)}, str(user)):
            assert found(org, "Leads", leaf("Owner", "equal", value), user) == mine


def test_values_of_multi_select_picklists_are_looked_for_inside(org):
    """One of several is enough."""
    ids = found(org, "Site_Visits", leaf("Purpose", "equal", "Demo"))
    rows = {row["id"]: row["Purpose"] or "" for row in org.store.rows("Site_Visits")}
    assert ids == [each for each, has in rows.items() if "Demo" in has.split(";")]


def test_multi_select_lookups_look_at_their_links(org):
    """Any, all, and none of some records."""
    links = {}
    for row in org.store.rows("Site_Visits_X_Products"):
        links.setdefault(row["Site_Visit"], set()).add(row["Products_Shown"])
    visit, shown = max(links.items(), key=lambda pair: len(pair[1]))
    values = [{"id": str(each)} for each in shown]
    every = [row["id"] for row in org.store.rows("Site_Visits")]

    def ids(comparator):
        return found(org, "Site_Visits", leaf("Products_Shown", comparator, values))

    assert ids("include_any") == [each for each in every if links.get(each, set()) & shown]
    assert ids("include_all") == [each for each in every if links.get(each, set()) >= shown]
    assert visit in ids("include_all")
    assert ids("exclude_all") == [each for each in every if not links.get(each, set()) & shown]
    assert ids("exclude_any") == [each for each in every if not links.get(each, set()) >= shown]


def test_whether_unequal_finds_empty_values_is_a_setting():
    """Not by default."""
    generous = Settings(actions=ActionSettings(views_unequal_finds_null=True))
    with Org(rows=ROWS, clock=ManualClock(), settings=generous) as org:
        ids = found(org, "Leads", leaf("City", "not_equal", "Pune"))
        rows = org.store.rows("Leads")
        assert ids == [row["id"] for row in rows if (row["City"] or "").lower() != "pune"]
        assert any(row["City"] is None for row in rows)


REFUSED = [
    ("x", "INVALID_DATA", "$.criteria"),
    (leaf("Nope", "equal", 1), "INVALID_DATA", "$.criteria.field.api_name"),
    (leaf("Amount", "contains", 1), "DEPENDENT_MISMATCH", "$.criteria.comparator"),
    (leaf("Amount", "equal", "much"), "DEPENDENT_MISMATCH", "$.criteria.value"),
    (leaf("Amount", "between", [1]), "DEPENDENT_MISMATCH", "$.criteria.value"),
    (leaf("Closing_Date", "equal", "${SOMEDAY}"), "DEPENDENT_MISMATCH", "$.criteria.value"),
    ({"group_operator": "XOR", "group": []}, "INVALID_DATA", "$.criteria.group_operator"),
    ({"group_operator": "AND", "group": [leaf("Amount", "equal", 1)]}, "INVALID_DATA",
     "$.criteria.group"),
    ({"group_operator": "AND", "group": [leaf("Amount", "equal", 1), leaf("X", "equal", 1)]},
     "INVALID_DATA", "$.criteria.group[1].field.api_name"),
]  # fmt: skip


@pytest.mark.parametrize(("criteria", "code", "path"), REFUSED)
def test_criteria_that_fit_nothing_are_refused_by_their_place(org, criteria, code, path):
    """Code and json_path."""
    with pytest.raises(Refusal) as refused:
        found(org, "Deals", criteria)
    assert (refused.value.code, refused.value.details["json_path"]) == (code, path)
