"""Values as people write them: what they become, and when they are left alone."""

from __future__ import annotations

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from zcrm_nb.coql import Calendar, OrgFacts, examine, to_text

FIELDS = {
    "Leads": {
        "Owner": "ownerlookup",
        "Created_Time": "datetime",
        "Birthday": "date",
        "City": "text",
        "What_Id": {"data_type": "lookup", "lookup": {"module": {"api_name": "se_module"}}},
        "Account_Name": {"data_type": "lookup", "lookup": {"module": {"api_name": "Accounts"}}},
    },
    "Accounts": {"Account_Name": "text", "Founded": "datetime"},
}
USERS = [
    {
        "id": "1",
        "full_name": "Asha Rao",
        "last_name": "Rao",
        "first_name": "Asha",
        "email": "a@x.test",
    },
    {"id": "2", "full_name": "Ravi Rao", "last_name": "Rao", "first_name": "Ravi", "email": None},
    {"id": "3", "full_name": "Rao Bahadur", "last_name": "Bahadur", "first_name": "Rao"},
    {"id": None, "full_name": "Nameless"},
    {"full_name": ["odd"]},
]
CALENDAR = Calendar(ZoneInfo("Asia/Kolkata"), date(2026, 2, 14), lambda: 4)


def fields(module):
    """The fields of a module."""
    known = FIELDS.get(module, {})
    return {
        name: {"api_name": name, **(kind if isinstance(kind, dict) else {"data_type": kind})}
        for name, kind in known.items()
    }


def read(where, *, users=USERS, calendar=CALENDAR):
    """A condition read with what is known of an org."""
    facts = OrgFacts(lambda: users, lambda: calendar)
    text = f"select id from Leads where {where}"
    return examine(text, fields, lambda: FIELDS, lambda: "Asia/Kolkata", facts)


def written(where, **known):
    """The condition that is sent."""
    examined = read(where, **known)
    assert not [each for each in examined.findings if each.severity == "error"], examined.findings
    return to_text(examined.query).partition(" where ")[2]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Owner = 'Asha Rao'", "Owner = '1'"),
        ("Owner = 'asha rao'", "Owner = '1'"),
        ("Owner = 'A@X.TEST'", "Owner = '1'"),
        ("Owner = 'Asha'", "Owner = '1'"),
        ("Owner = 'Rao'", "Owner in ('1', '2')"),
        ("Owner != 'Rao'", "Owner not in ('1', '2')"),
        ("Owner in ('Asha Rao', 'Ravi')", "Owner in ('1', '2')"),
        ("Owner in ('Asha Rao', '2', 'a@x.test')", "Owner in ('1', '2')"),
        ("Owner not in ('Asha Rao')", "Owner != '1'"),
        ("Owner like 'Ra%'", "Owner in ('2', '3')"),
        ("Owner not like '%Rao%'", "Owner not in ('1', '2', '3')"),
        ("(City = 'x' and Owner = 'Asha')", "(City = 'x' and Owner = '1')"),
        ("Account_Name = 'Acme'", "Account_Name.Account_Name = 'Acme'"),
        ("Account_Name != 'Acme'", "Account_Name.Account_Name != 'Acme'"),
        ("Account_Name like 'Ac%'", "Account_Name.Account_Name like 'Ac%'"),
        ("Account_Name in ('A', 'B')", "Account_Name.Account_Name in ('A', 'B')"),
        (
            "Account_Name in ('A', '41')",
            "(Account_Name.Account_Name = 'A' or Account_Name = '41')",
        ),
        (
            "Account_Name not in ('A', '41')",
            "(Account_Name.Account_Name != 'A' and Account_Name != '41')",
        ),
        ("Created_Time >= '2026-01-01'", "Created_Time >= '2026-01-01T00:00:00+05:30'"),
        ("Created_Time > '2026-01-01'", "Created_Time > '2026-01-01T23:59:59+05:30'"),
        ("Created_Time <= '2026-01-01'", "Created_Time <= '2026-01-01T23:59:59+05:30'"),
        ("Created_Time < '2026-01-01'", "Created_Time < '2026-01-01T00:00:00+05:30'"),
        (
            "Created_Time = '2026-01-01'",
            "Created_Time between '2026-01-01T00:00:00+05:30' and '2026-01-01T23:59:59+05:30'",
        ),
        (
            "Created_Time != '2026-01-01'",
            "Created_Time not between '2026-01-01T00:00:00+05:30' and '2026-01-01T23:59:59+05:30'",
        ),
        (
            "Created_Time between '2026-01-01' and '2026-01-31'",
            "Created_Time between '2026-01-01T00:00:00+05:30' and '2026-01-31T23:59:59+05:30'",
        ),
        (
            "Created_Time between '2026-01-01T05:00:00Z' and 'today'",
            "Created_Time between '2026-01-01T05:00:00Z' and '2026-02-14T23:59:59+05:30'",
        ),
        (
            "Account_Name.Founded > '2026-01-01'",
            "Account_Name.Founded > '2026-01-01T23:59:59+05:30'",
        ),
        ("Birthday = 'today'", "Birthday = '2026-02-14'"),
        ("Birthday = 'this month'", "Birthday between '2026-02-01' and '2026-02-28'"),
        ("Birthday < 'this fiscal year'", "Birthday < '2025-04-01'"),
        ("Birthday > 'last week'", "Birthday > '2026-02-08'"),
        (
            "Birthday in ('2026-01-01', 'last week')",
            "(Birthday = '2026-01-01' or Birthday between '2026-02-02' and '2026-02-08')",
        ),
        (
            "id in (select id from Accounts where Founded >= '2026-01-01')",
            "id in (select id from Accounts where Founded >= '2026-01-01T00:00:00+05:30')",
        ),
    ],
)
def test_a_value_with_one_meaning_is_sent_in_zohos_form(where, expected):
    """And a finding says so; what is sent needs no further repair."""
    assert written(where) == expected
    (finding,) = read(where).findings
    assert finding.severity == "repaired"
    assert finding.fix.startswith("Written as: ")
    assert not read(expected).findings


@pytest.mark.parametrize(
    "where",
    [
        "Owner = '410888000000000001'",
        "Owner is not null",
        "Created_Time >= '2026-01-01T00:00:00+05:30'",
        "Birthday between '2026-01-01' and '2026-01-31'",
        "City = 'today'",
        "City like '2026-01-01'",
    ],
)
def test_what_is_right_already_reads_nothing_of_the_org(where):
    """Users and the calendar cost credits."""

    def unread():
        raise AssertionError("read for nothing")

    text = f"select id from Leads where {where}"
    facts = OrgFacts(unread, unread)
    examined = examine(text, fields, lambda: FIELDS, lambda: "UTC", facts)
    assert not [each for each in examined.findings if each.severity != "warning"]


@pytest.mark.parametrize(
    ("where", "known", "words"),
    [
        ("Owner = 'Asha Roa'", {}, "no user 'Asha Roa'. Did you mean Asha Rao"),
        ("Owner in ('Asha Rao', 'Zed')", {}, "no user 'Zed'. crm.users()"),
        ("Owner like 'Zed%'", {}, "no user 'Zed%'"),
        ("Owner = 'Asha Rao'", {"users": None}, "Owner.full_name = 'Asha Rao'"),
        ("Created_Time >= '2026-01-01'", {"calendar": None}, "'2026-01-01T00:00:00+05:30'"),
        ("Created_Time >= '2026-02-30'", {}, "Write: "),
        ("Birthday = 'this fortnight'", {}, "a period such as 'this month'"),
        ("What_Id = 'Acme'", {}, "Compare ids"),
    ],
)
def test_what_has_no_one_meaning_is_an_error_with_advice(where, known, words):
    """Nothing is guessed."""
    (finding,) = read(where, **known).findings
    assert finding.severity == "error"
    assert words in finding.fix


def test_a_missing_midnight_is_the_first_moment_of_the_day():
    """In São Paulo, 4 November 2018 began at one o'clock."""
    calendar = Calendar(ZoneInfo("America/Sao_Paulo"), date(2018, 11, 4), lambda: 1)
    assert written("Created_Time >= 'today'", calendar=calendar).endswith(
        "'2018-11-04T01:00:00-02:00'"
    )
    utc = Calendar(UTC, date(2018, 11, 4), lambda: 1)
    assert written("Created_Time >= 'today'", calendar=utc).endswith("'2018-11-04T00:00:00+00:00'")
