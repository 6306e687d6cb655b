"""Search criteria: parsed, checked against the fields, written as SQL."""

import pytest

from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.query.conditions import like
from zcrm_nb.emulator.query.criteria import condition
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.settings import Settings

LEADS = org_schema().modules["Leads"]


@pytest.mark.parametrize(
    ("text", "sql", "values"),
    [
        ("(No_of_Employees:equals:12)", '"No_of_Employees" = ?', (12,)),
        ("No_of_Employees:equals:12", None, None),
        ("((City:in:Pune,Goa))", '"City" IN (?, ?)', ("Pune", "Goa")),
        (r"(City:in:Burns\,B,Goa)", '"City" IN (?, ?)', ("Burns,B", "Goa")),
        ("(Company:equals:A)", "\"Company\" LIKE ? ESCAPE '\\'", ("%A%",)),
        (r"(Company:equals:A \(B\))", "\"Company\" LIKE ? ESCAPE '\\'", ("%A (B)%",)),
        (r"(Company:starts_with:K\\)", "\"Company\" LIKE ? ESCAPE '\\'", ("K\\\\%",)),
        ("(Lead_Source:equals:Chat)", '"Lead_Source" = ?', ("Chat",)),
        ("(Lead_Source:not_equal:Chat)", '(NOT "Lead_Source" = ?)', ("Chat",)),
        ("(Converted__s:equals:true)", '"Converted__s" = ?', (1,)),
        ("(Annual_Revenue:greater_equal:10.5)", '"Annual_Revenue" >= ?', (10.5,)),
        (
            "(Next_Follow_Up:between:2026-01-01,2026-02-01)",
            '"Next_Follow_Up" BETWEEN ? AND ?',
            ("2026-01-01", "2026-02-01"),
        ),
        ("(Created_Time:less_than:2026-09-15T09:00:00+05:30)", '"Created_Time" < ?', (1789443000,)),
        ("(Owner:equals:410888040000000002)", '"Owner" = ?', (410888040000000002,)),
        ("(id:in:1,2)", '"id" IN (?, ?)', (1, 2)),
        (
            "(Languages_Known:equals:Hindi)",
            "(';' || \"Languages_Known\" || ';') LIKE ? ESCAPE '\\'",
            ("%;Hindi;%",),
        ),
        (
            "((City:in:Goa) and ((No_of_Employees:equals:1) or (No_of_Employees:equals:2)))",
            '("City" IN (?) AND ("No_of_Employees" = ? OR "No_of_Employees" = ?))',
            ("Goa", 1, 2),
        ),
        (
            "(id:equals:1) or (id:equals:2) AND (id:equals:3)",
            '("id" = ? OR ("id" = ? AND "id" = ?))',
            (1, 2, 3),
        ),
    ],
)
def test_criteria_become_sql(text, sql, values):
    """With bound values; brackets are needed around each criterion."""
    if sql is None:
        with pytest.raises(Refusal):
            condition(text, LEADS, Settings())
        return
    assert condition(text, LEADS, Settings()) == (sql, values)


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("(Foo:equals:1)", {"api_name": "Foo"}),
        ("(Tag:equals:vip)", {"api_name": "Tag"}),
        ("(Company:greater_than:1)", {"api_name": "Company", "operator": "greater_than"}),
        ("(Converted__s:in:true)", {"api_name": "Converted__s", "operator": "in"}),
        ("(Lead_Source:starts_with:C)", {"api_name": "Lead_Source", "operator": "starts_with"}),
        (
            "(No_of_Employees:equals:many)",
            {"api_name": "No_of_Employees", "value": "many", "expected_data_type": "integer"},
        ),
        (
            "(Converted__s:equals:yes)",
            {"api_name": "Converted__s", "value": "yes", "expected_data_type": "boolean"},
        ),
        (
            "(Created_Time:equals:2026-09-15T09:00:00)",
            {
                "api_name": "Created_Time",
                "value": "2026-09-15T09:00:00",
                "expected_data_type": "datetime",
            },
        ),
        ("(No_of_Employees:between:1)", {"api_name": "No_of_Employees", "value": "1"}),
        ("((City:equals:Goa)", {"near": "end"}),
        ("(City:equals:Goa))", {"near": ")"}),
        ("(City:equals:Goa) and", {"near": "end"}),
        ("what", {"near": "what"}),
    ],
)
def test_what_does_not_fit_is_an_invalid_query(text, details):
    """With the field and what is wrong with it."""
    with pytest.raises(Refusal) as refused:
        condition(text, LEADS, Settings())
    assert (refused.value.status, refused.value.code) == (400, "INVALID_QUERY")
    assert refused.value.message == "Invalid query formed"
    assert {key: refused.value.details[key] for key in details} == details


def test_in_takes_100_values():
    """One more is refused in its own words."""
    many = ",".join(map(str, range(101)))
    with pytest.raises(Refusal) as refused:
        condition(f"(City:in:{many})", LEADS, Settings())
    assert refused.value.message == 'Only 100 values are allowed in "IN" criteria'
    assert refused.value.details == {"api_name": "City", "param_name": "criteria"}
    assert len(condition(f"(City:in:{many[:-4]})", LEADS, Settings()).values) == 100


def test_equals_may_be_exact():
    """The page says contains-like; a setting."""
    found = condition("(Company:equals:A)", LEADS, Settings(equals_contains=False))
    assert found == ('"Company" = ? COLLATE NOCASE', ("A",))


def test_wildcards_in_a_value_are_taken_literally():
    """Nobody smuggles a pattern in."""
    assert like("50%_\\") == "%50\\%\\_\\\\%"
