"""Lists that no lookup makes: contacts of deals with roles, members of campaigns, products."""

import pandas as pd
import pytest

from zcrm_nb.errors import NotFoundError

#: Parent, list, and the columns that a link adds.
LISTS = [
    ("Deals", "Contact_Roles", {"Contact_Role": "str", "Contact_Role.id": "str"}),
    ("Campaigns", "Leads", {"Member_Status": "str"}),
    ("Campaigns", "Contacts", {"Member_Status": "str"}),
    ("Leads", "Campaigns", {"Member_Status": "str"}),
    ("Products", "Deals", {}),
    ("Accounts", "Products", {}),
]


@pytest.fixture
def own(fresh, connected):
    """A CRM on an org of the test's own."""
    return connected(fresh)


@pytest.fixture
def deal(own):
    """A new deal, without contacts."""
    values = {"Deal_Name": "D", "Stage": "Qualification", "Pipeline": "Standard (Standard)"}
    return own.insert("Deals", values)["id"].iloc[0]


def people(crm, n=3):
    """Ids of some contacts."""
    return list(crm.records("Contacts", ["Last_Name"], limit=n)["id"])


@pytest.mark.parametrize(("module", "name", "adds"), LISTS)
def test_lists_have_the_same_columns_for_none_one_and_many(own, module, name, adds):
    """What stands on a link is typed beside the record's own fields."""
    ids = list(own.records(module, ["id"], limit=30)["id"])
    many = own.related(module, ids, name)
    assert list(many.columns[: 2 + len(adds)]) == ["parent_id", "id", *adds]
    for some in (own.related(module, ids[:1], name), own.related(module, [], name)):
        assert some.dtypes.astype(str).equals(many.dtypes.astype(str))
    assert {str(many[each].dtype) for each in adds} <= {"str", "string"}
    assert len(many) > 0
    assert not many[list(adds)].isna().any().any()


def test_named_columns_come_in_their_order(own, deal):
    """Fields of the contacts and of the link, mixed."""
    own.link("Deals", deal, "Contact_Roles", people(own), values={"Contact_Role": "Purchasing"})
    table = own.related("Deals", deal, "Contact_Roles", ["Last_Name", "Contact_Role", "Email"])
    assert list(table.columns) == [
        "parent_id", "id", "Last_Name", "Contact_Role", "Contact_Role.id", "Email",
    ]  # fmt: skip
    assert set(table["Contact_Role"]) == {"Purchasing"}
    with pytest.raises(NotFoundError, match="no field"):
        own.related("Campaigns", "1", "Leads", ["Contact_Role"])


def test_roles_are_given_by_name_and_id(own, deal):
    """For all alike, and for each row by a column of a table."""
    roles = own.contact_roles().set_index("name")["id"]
    first, second, third = people(own)
    named = {"Contact_Role": roles["Purchasing"]}
    own.link("Deals", deal, "Contact_Roles", first, values=named)
    table = pd.DataFrame({"id": [second, third], "Contact_Role": ["Decision Maker", None]})
    report = own.link(
        "Deals", deal, "Contact_Roles", table, values={"Contact_Role": "Engineering Lead"}
    )
    assert list(report["status"]) == ["done", "done"]
    read = own.related("Deals", deal, "Contact_Roles", ["Contact_Role"]).set_index("id")
    assert read["Contact_Role"].to_dict() == {
        first: "Purchasing",
        second: "Decision Maker",
        third: "Engineering Lead",
    }
    own.unlink("Deals", deal, "Contact_Roles", first)
    assert set(own.related("Deals", deal, "Contact_Roles", ["id"])["id"]) == {second, third}


def test_what_was_read_can_be_linked_elsewhere(own, deal):
    """A table of one deal's contacts, with their roles, to another deal."""
    source = own.records("Deals", ["Deal_Name"], limit=5)["id"].iloc[-1]
    table = own.related("Deals", source, "Contact_Roles", ["Contact_Role"])
    own.link("Deals", deal, "Contact_Roles", table)
    copied = own.related("Deals", deal, "Contact_Roles", ["Contact_Role"])
    key = ["id", "Contact_Role"]
    assert (
        copied[key].sort_values(key).values.tolist() == table[key].sort_values(key).values.tolist()
    )


@pytest.mark.parametrize("name", ["Leads", "Contacts"])
def test_members_of_a_campaign_change_their_status(own, name):
    """The same call links and changes."""
    campaign = own.insert("Campaigns", {"Campaign_Name": "C"})["id"].iloc[0]
    members = list(own.records(name, ["id"], limit=2)["id"])
    linked = own.link("Campaigns", campaign, name, members, values={"Member_Status": "Invited"})
    changed = own.link("Campaigns", campaign, name, members[:1], values={"Member_Status": "Opened"})
    assert set(linked["message"]) == {"relation added"}
    assert set(changed["message"]) == {"relation updated"}
    read = own.related("Campaigns", campaign, name, ["Member_Status"]).set_index("id")
    assert read["Member_Status"].to_dict() == dict(zip(members, ["Opened", "Invited"], strict=True))


@pytest.mark.parametrize(
    ("name", "values", "error", "words"),
    [
        ("Contact_Roles", None, ValueError, "has no role"),
        ("Contact_Roles", {"Contact_Role": None}, ValueError, "has no role"),
        ("Contact_Roles", {"Role": "x"}, ValueError, "has only Contact_Role"),
        ("Contact_Roles", {"Contact_Role": "Decision Taker"}, NotFoundError, "Decision Maker"),
        ("Products", {"Member_Status": "x"}, ValueError, "has no values"),
    ],
)
def test_wrong_values_of_links_are_refused_before_they_are_sent(
    own, deal, name, values, error, words
):
    """With what would be right."""
    with own.trace() as calls, pytest.raises(error, match=words):
        own.link("Deals", deal, name, people(own, 1), values=values)
    assert not [call for call in calls if call.method == "PUT"]


def test_contact_roles_are_a_table(own):
    """Of fixed columns, in the CRM's order."""
    roles = own.contact_roles()
    assert list(roles.columns) == ["id", "name", "sequence_number"]
    assert str(roles["sequence_number"].dtype) == "Int64"
    assert roles["sequence_number"].is_monotonic_increasing
