"""The criteria of Bulk Read: what they find, and how they are refused."""

import pytest

from tests.emulator.bulk.support import Jobber
from zcrm_nb.emulator.settings import BulkSettings


def leaf(name, comparator, value, **more):
    """Write one criterion."""
    return {"field": {"api_name": name}, "comparator": comparator, "value": value, **more}


def group(word, *members):
    """Join criteria."""
    return {"group_operator": word, "group": list(members)}


@pytest.fixture
def bulk(ask):
    """A jobber in a fresh, tiny org."""
    return Jobber(ask)


PUNE = leaf("City", "equal", "Pune")
RICH = leaf("Annual_Revenue", "greater_equal", "5000000")
FOUND = {
    "equal": (PUNE, "City = 'Pune'"),
    "any case": (leaf("City", "equal", "pUNE"), "City = 'Pune'"),
    "not_equal finds no empty ones": (leaf("City", "not_equal", "Pune"), "City != 'Pune'"),
    "in": (leaf("City", "in", ["Pune", "Delhi"]), "City in ('Pune', 'Delhi')"),
    "not_in": (leaf("City", "not_in", ["Pune", "Delhi"]), "City not in ('Pune', 'Delhi')"),
    "contains": (leaf("Company", "contains", "a"), "Company like '%a%'"),
    "not_contains": (leaf("Company", "not_contains", "tech"), "Company not like '%tech%'"),
    "starts_with": (leaf("Last_Name", "starts_with", "S"), "Last_Name like 'S%'"),
    "ends_with": (leaf("Email", "ends_with", ".com"), "Email like '%.com'"),
    "number": (leaf("No_of_Employees", "less_than", 100), "No_of_Employees < 100"),
    "number as text": (RICH, "Annual_Revenue >= 5000000"),
    "boolean": (leaf("Email_Opt_Out", "equal", True), "Email_Opt_Out = true"),
    "boolean as text": (leaf("Converted__s", "equal", "false"), "Converted__s = false"),
    "date": (
        leaf("Next_Follow_Up", "between", ["2026-01-01", "2026-12-31"]),
        "Next_Follow_Up between '2026-01-01' and '2026-12-31'",
    ),
    "datetime": (
        leaf(
            "Created_Time",
            "not_between",
            ["2024-01-01T00:00:00+00:00", "2026-01-01T05:30:00+05:30"],
        ),
        "Created_Time not between '2024-01-01T00:00:00+00:00' and '2026-01-01T00:00:00+00:00'",
    ),
    "datetime less": (
        leaf("Created_Time", "less_equal", "2025-01-01T00:00:00+05:30"),
        "Created_Time <= '2025-01-01T00:00:00+05:30'",
    ),
    "empty": (leaf("Email", "equal", "${EMPTY}"), "Email is null"),
    "not empty": (leaf("Email", "not_equal", "${EMPTY}"), "Email is not null"),
    "dotted": (leaf("Owner.last_name", "starts_with", "S"), "Owner.last_name like 'S%'"),
    "and": (group("and", PUNE, RICH), "City = 'Pune' and Annual_Revenue >= 5000000"),
    "OR in capitals": (group("OR", PUNE, RICH), "City = 'Pune' or Annual_Revenue >= 5000000"),
    "nested": (
        group("and", leaf("Email", "not_equal", "${EMPTY}"), group("or", PUNE, RICH)),
        "Email is not null and (City = 'Pune' or Annual_Revenue >= 5000000)",
    ),
    "type value": (leaf("City", "equal", "Pune", type="value"), "City = 'Pune'"),
}


@pytest.mark.parametrize("name", FOUND)
def test_criteria_find_what_coql_finds(bulk, ask, name):
    """Two ways to ask the same question have the same answer."""
    criteria, condition = FOUND[name]
    rows = bulk.rows(bulk.read("Leads", fields=["City"], criteria=criteria))
    query = {"select_query": f"select id from Leads where {condition} limit 200"}
    reply = ask("POST", "/coql", None, query)
    expected = [each["id"] for each in reply.body["data"]] if reply.status == 200 else []
    assert [row["Id"] for row in rows] == expected


def test_an_owner_is_found_by_id(bulk):
    """As text or as a number; so is any lookup."""
    owner = bulk.emulator.store.read("SELECT Owner FROM Leads LIMIT 1")[0][0]
    for value in (str(owner), owner):
        rows = bulk.rows(
            bulk.read("Leads", fields=["Owner"], criteria=leaf("Owner", "in", [value]))
        )
        assert {row["Owner"] for row in rows} == {str(owner)}


def test_wildcards_are_letters(bulk, ask):
    """A per cent sign finds itself."""
    sent = {"data": [{"Last_Name": each} for each in ("50% off", "500 off", "a_b", "axb")]}
    ask("POST", "/Leads", None, sent)
    for text in ("50%", "a_b"):
        where = leaf("Last_Name", "contains", text)
        (row,) = bulk.rows(bulk.read("Leads", fields=["Last_Name"], criteria=where))
        assert text in row["Last_Name"]


TEXT = [
    "equal",
    "not_equal",
    "in",
    "not_in",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
]


@pytest.mark.parametrize(
    ("criteria", "code", "details"),
    [
        ([], "CRITERIA_NOT_SUPPORTED", {}),
        ({}, "INVALID_CRITERIA", {}),
        (
            {"field": {"api_name": "City"}, "value": "Pune"},
            "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED",
            None,
        ),
        ({"field": "City", "comparator": "equal", "value": "x"}, "INVALID_CRITERIA", None),
        ({"field": {"api_name": "City"}, "comparator": "equal"}, "INVALID_CRITERIA", None),
        ({**PUNE, "group": [PUNE], "group_operator": "and"}, "AMBIGUOUS_CRITERIA", None),
        (group("and"), "AMBIGUOUS_GROUP_IN_CRITERIA", None),
        (group("xor", PUNE, PUNE), "GROUP_OPERATOR_NOT_SUPPORTED", {"supported": ["and", "or"]}),
        (leaf("Cty", "equal", "x"), "FIELD_IN_CRITERIA_NOT_AVAILABLE", None),
        (leaf("Layout", "equal", "x"), "FIELD_IN_CRITERIA_NOT_SUPPORTED", None),
        (leaf("City", "like", "x"), "FIELD_COMPARATOR_IN_CRITERIA_NOT_SUPPORTED", None),
        (
            leaf("City", "greater_than", "x"),
            "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE",
            {"comparator": "greater_than", "api_name": "City", "supported": TEXT},
        ),
        (
            leaf("Email_Opt_Out", "not_equal", True),
            "FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE",
            {"comparator": "not_equal", "api_name": "Email_Opt_Out", "supported": ["equal"]},
        ),
        (
            leaf("No_of_Employees", "equal", "many"),
            "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
            None,
        ),
        (
            leaf("Created_Time", "equal", "2026-01-01"),
            "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
            None,
        ),
        (
            leaf("Created_Time", "equal", "2026-01-01T00:00:00.123+00:00"),
            "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
            None,
        ),
        (leaf("Owner", "equal", "Asha"), "FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", None),
        (leaf("City", "equal", ["x"]), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", None),
        (leaf("City", "in", "x"), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", None),
        (leaf("City", "in", []), "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", None),
        (
            leaf("Next_Follow_Up", "between", ["2026-01-01"]),
            "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
            None,
        ),
        (
            leaf("City", "contains", "${EMPTY}"),
            "COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE",
            None,
        ),
        (leaf("City", "equal", "x" * 256), "VALUE_IN_CRITERIA_NOT_SUPPORTED", None),
        (
            leaf("City", "equal", "x", type="reference"),
            "VALUE_TYPE_NOT_SUPPORTED",
            {"api_name": "City", "supported": ["value"]},
        ),
        (leaf("City", "in", ["x"] * 21), "VALUE_LIMIT_EXCEEDED_IN_CRITERIA", {"max_limit": 20}),
        (group("or", *[PUNE] * 26), "CRITERIA_LIMIT_EXCEEDED", {"max_limit": 25}),
    ],
)
def test_criteria_that_are_refused(bulk, criteria, code, details):
    """Each with the code of Zoho's list; a leaf that is wrong is shown."""
    status, said, more = bulk.refused(criteria=criteria)
    assert (status, said) == (400, code)
    assert more == (criteria if details is None else details)


def test_a_leaf_deep_inside_is_the_one_that_is_shown(bulk):
    """Not the group around it."""
    wrong = leaf("City", "like", "x")
    _, _, details = bulk.refused(criteria=group("and", PUNE, group("or", RICH, wrong)))
    assert details == wrong


def test_the_limit_of_values_is_a_setting(make):
    """The specification shows 200."""
    bulk = Jobber(make({"bulk": BulkSettings(in_values=200)}))
    assert bulk.read("Leads", criteria=leaf("City", "in", ["x"] * 200))
    assert bulk.refused(criteria=leaf("City", "in", ["x"] * 201))[2] == {"max_limit": 200}
