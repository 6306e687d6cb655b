"""Inner queries that find more rows than Zoho takes: the table is whole all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.worlds import Org
from zcrm_nb import coql_pages
from zcrm_nb.emulator import Settings
from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.errors import LimitError, QueryWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from zcrm_nb import CRM
    from zcrm_nb.emulator import Emulator

ROWS = {"Accounts": 260, "Contacts": 700, "Deals": 300}


@pytest.fixture(scope="module", params=[False, True], ids=["refuses", "cuts"])
def org(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An org that refuses inner queries of more than 100 rows, and one that cuts them silently."""
    settings = Settings(engine=EngineSettings(subquery_cuts=request.param))
    with Org(rows=ROWS, settings=settings) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def crm(org: Emulator, connected: Callable[[Emulator], CRM]) -> CRM:
    """A CRM on that org."""
    return connected(org)


@pytest.fixture(scope="module")
def contacts(crm: CRM) -> pd.DataFrame:
    """All contacts with what the conditions below are about."""
    return crm.coql("select Last_Name, Account_Name, Owner.last_name from Contacts")


def ids(table: pd.DataFrame) -> set[str]:
    return set(table["id"])


IN_ACCOUNTS = "Account_Name in (select id from Accounts where id is not null)"
NOT_IN_ACCOUNTS = "Account_Name not in (select id from Accounts where Account_Name like '%a%')"


def test_a_list_of_more_than_a_hundred_values_finds_every_row(
    crm: CRM, contacts: pd.DataFrame
) -> None:
    """Rows that a silent cut would drop are in the table."""
    table = crm.coql(f"select Last_Name from Contacts where {IN_ACCOUNTS}")
    expected = contacts[contacts["Account_Name.id"].notna()]
    assert ids(table) == ids(expected)
    assert len(table) > 400


@pytest.mark.parametrize("how", ["coql", "table", "count", "pages", "order", "limit", "lookup"])
def test_every_method_that_takes_a_condition_is_whole(
    crm: CRM, contacts: pd.DataFrame, how: str
) -> None:
    """The same rows, counted, paged, sorted, limited, or found by a lookup of the inner module."""
    whole = len(contacts[contacts["Account_Name.id"].notna()])
    text = f"select Last_Name from Contacts where {IN_ACCOUNTS}"
    match how:
        case "coql":
            assert len(crm.coql(text)) == whole
        case "table":
            assert len(crm.table("Contacts", ["Last_Name"], where=IN_ACCOUNTS)) == whole
        case "count":
            assert crm.count("Contacts", IN_ACCOUNTS) == whole
        case "pages":
            assert sum(map(len, coql_pages(crm.send, text))) == whole
        case "order":
            table = crm.coql(f"{text} order by Last_Name desc")
            assert len(table) == whole
            assert table["Last_Name"].str.lower().is_monotonic_decreasing
        case "limit":
            assert len(crm.coql(f"{text} limit 450")) == 450
        case "lookup":
            inner = "select Account_Name from Contacts where id is not null"
            accounts = crm.coql(f"select Account_Name from Accounts where id in ({inner})")
            assert ids(accounts) == set(contacts["Account_Name.id"].dropna())


def test_not_in_and_groups_are_whole_too(crm: CRM, contacts: pd.DataFrame) -> None:
    """Several lists in one query: neither can be sent in turn."""
    accounts = crm.coql("select id from Accounts where Account_Name like '%a%'")
    assert len(accounts) > 100
    others = contacts[
        contacts["Account_Name.id"].notna() & ~contacts["Account_Name.id"].isin(accounts["id"])
    ]
    assert ids(crm.coql(f"select id from Contacts where {NOT_IN_ACCOUNTS}")) == ids(others)
    groups = crm.coql(f"select COUNT(id) as n from Contacts where {IN_ACCOUNTS}")
    assert groups["n"].tolist() == [len(contacts[contacts["Account_Name.id"].notna()])]


def test_an_inner_query_inside_an_inner_query_is_whole(crm: CRM, contacts: pd.DataFrame) -> None:
    """The innermost is looked at first."""
    deals = "select Contact_Name from Deals where Contact_Name in (select id from Contacts)"
    table = crm.coql(f"select id from Contacts where id in ({deals})")
    links = crm.coql("select Contact_Name from Deals where Contact_Name is not null")
    assert ids(table) == set(links["Contact_Name.id"])


@pytest.mark.parametrize(
    ("inner", "finds"),
    [
        ("select id from Accounts where Account_Name = 'There is no such account'", 0),
        ("select id from Accounts where id is not null limit 3", None),
        ("select MAX(Amount) from Deals where id is not null", None),
    ],
)
def test_small_inner_queries_mean_what_they_meant(
    crm: CRM, org: Emulator, inner: str, finds: int | None
) -> None:
    """None, some, one of an aggregate: as Zoho itself answers."""
    column = "Account_Name" if finds == 0 or "Accounts" in inner else "Amount"
    text = f"select id from Deals where {column} in ({inner}) limit 200"
    by_zoho = crm.request("POST", "coql", json={"select_query": text}) or {"data": []}
    assert list(crm.coql(text)["id"]) == [row["id"] for row in by_zoho["data"]]


def test_a_strict_query_is_sent_as_it_is_with_a_warning(crm: CRM, org: Emulator) -> None:
    """Nothing is checked there, so the table may be short; that is not silent."""
    text = f"select Last_Name from Contacts where {IN_ACCOUNTS} limit 2000"
    with pytest.warns(QueryWarning, match="at most 100 rows"):
        if org.settings.engine.subquery_cuts:
            assert len(crm.coql(text, strict=True)) < len(crm.coql(text))
            return
        with pytest.raises(Exception, match="LIMIT_EXCEEDED"):
            crm.coql(text, strict=True)


def test_more_values_than_one_query_takes_are_an_error(crm: CRM) -> None:
    """What cannot be asked in turn ends before anything is cut."""
    long = "id not in (select id from Contacts where id is not null)"
    text = " and ".join([long] * 4)
    with pytest.raises(LimitError, match="more values than one query"):
        crm.coql(f"select id from Contacts where {text}")
