"""Links of a world: who belongs to which deal and campaign."""

import pytest

from zcrm_nb.emulator import Emulator


@pytest.fixture(scope="module")
def org():
    """A small world."""
    with Emulator() as emulator:
        yield emulator.store


def test_each_deal_has_one_to_three_contacts_with_roles(org):
    """Its own contact among them, and each once."""
    sql = (
        "SELECT count(*), count(DISTINCT l.Contact), count(l.Contact_Role) FROM Deals d"
        " LEFT JOIN Deals_X_Contacts l ON l.Deal = d.id GROUP BY d.id"
    )
    assert set(org.read(sql)) == {(n, n, n) for n in (1, 2, 3)}
    lonely = (
        "SELECT count(*) FROM Deals d WHERE Contact_Name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM"
        " Deals_X_Contacts l WHERE l.Deal = d.id AND l.Contact = d.Contact_Name)"
    )
    assert org.read(lonely) == [(0,)]


def test_campaigns_have_members_with_a_status(org):
    """Leads and contacts, most of them reached."""
    for module in ("Leads", "Contacts"):
        table = f"Campaigns_X_{module}"
        assert org.read(f"SELECT count(DISTINCT Campaign) FROM {table}") == [(24,)]
        assert org.read(f"SELECT count(*) FROM {table} WHERE Member_Status IS NULL") == [(0,)]
        assert org.read(f"SELECT count(DISTINCT Member_Status) FROM {table}")[0][0] >= 6


def test_products_interest_some_records(org):
    """Of every module that has such a list, and each once."""
    for module in ("Leads", "Accounts", "Contacts", "Deals"):
        end = module.removesuffix("s")
        sql = f"SELECT count(*), count(DISTINCT Product || '/' || {end}) FROM Products_X_{module}"
        ((links, distinct),) = org.read(sql)
        assert links == distinct > 50


@pytest.mark.parametrize("rows", [{}, {"Contacts": 0}, {"Campaigns": 0}, {"Deals": 0},
                                  {"Products": 0, "Leads": 1}])  # fmt: skip
def test_worlds_without_some_records_are_made_too(rows):
    """Whatever there is to link."""
    none = dict.fromkeys(("Tasks", "Events", "Calls", "Notes", "Quotes", "Invoices"), 0)
    with Emulator(rows={"Leads": 10, "Contacts": 8, "Accounts": 4, "Deals": 6, **none, **rows}):
        pass
