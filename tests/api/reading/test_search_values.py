"""Search criteria from values as people write them: names, days and periods."""

from __future__ import annotations

from datetime import date

import pytest

from zcrm_nb.errors import NotFoundError, QueryError


@pytest.mark.parametrize(
    ("criteria", "condition"),
    [
        ({"Owner": "Lakshmi Iyer"}, "Owner.full_name = 'Lakshmi Iyer'"),
        ({"Owner": ["Lakshmi Iyer", "Farah"]}, "Owner.last_name in ('Iyer', 'Qureshi')"),
        ({"Created_Time": "2026-02-03"}, "Created_Time = '2026-02-03'"),
        (
            {"Created_Time": [date(2026, 2, 3), "2026-03-04"]},
            "Created_Time in ('2026-02-03', '2026-03-04')",
        ),
        ({"Created_Time": "last 3000 days", "City": "Pune"}, "City = 'Pune'"),
    ],
)
def test_a_search_finds_what_coql_finds(crm, criteria, condition):
    """The same values mean the same records."""
    found = crm.search("Leads", ["City"], criteria=criteria)
    assert len(found) > 0
    assert set(found["id"]) == set(crm.coql(f"select id from Leads where {condition}")["id"])


def test_the_name_of_a_record_is_looked_up(crm):
    """A search compares lookups by id only."""
    names = crm.coql("select Account_Name from Accounts where id is not null limit 3")
    name = names["Account_Name"].iloc[0]
    found = crm.search("Contacts", ["Account_Name"], criteria={"Account_Name": name})
    assert set(found["Account_Name"]) <= {name}
    with pytest.raises(NotFoundError, match="no record with such a name"):
        crm.search("Contacts", criteria={"Account_Name": "Nothing is called so"})


def test_an_unknown_user_is_named(crm):
    """Nothing is sent for them."""
    with pytest.raises(QueryError, match=r"no user 'Lakshmi Ayer'\. Did you mean Lakshmi Iyer"):
        crm.search("Leads", criteria={"Owner": "Lakshmi Ayer"})


@pytest.mark.parametrize("since", ["2026-05-01", date(2026, 5, 1), "2026-04-30T18:29:59+00:00"])
def test_since_a_day_means_since_it_began_in_the_org(crm, since):
    """Midnight in India is half past six in the evening before, in UTC."""
    recent = crm.records("Leads", ["Modified_Time"], modified_since=since)
    query = "select id from Leads where Modified_Time >= '2026-05-01T00:00:00+05:30'"
    assert set(recent["id"]) == set(crm.coql(query)["id"])


def test_since_words_that_are_not_a_period_are_refused(crm):
    """Before anything is sent."""
    with pytest.raises(ValueError, match="not a date or a period, such as 'this month'"):
        crm.records("Leads", ["City"], modified_since="this fortnight")
