"""Paths through the metadata, to the field they end on."""

import pytest

from zcrm_nb.coql import AstrayError, parse, paths, resolve

ACCOUNT = {"api_name": "Account_Name", "data_type": "lookup"}
FIELDS = {
    "Contacts": {
        "Account_Name": {**ACCOUNT, "lookup": {"module": {"api_name": "Accounts"}}},
        "Owner": {"api_name": "Owner", "data_type": "ownerlookup"},
        "What": {
            "api_name": "What",
            "data_type": "multi_module_lookup",
            "multi_module_lookup": {"modules": [{"api_name": "Accounts"}]},
        },
    },
    "Accounts": {"Industry": {"api_name": "Industry", "data_type": "picklist"}},
}


def end_of(path, module="Contacts"):
    query = parse(f"select '{path}' from {module} where id is not null")
    return resolve(next(paths(query)), module, FIELDS.get, FIELDS)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("Account_Name", "lookup"),
        ("Account_Name.Industry", "picklist"),
        ("Account_Name.id", "bigint"),
        ("!Contacts.Account_Name.Industry", "picklist"),
        ("What->Accounts.Industry", "picklist"),
        ("What.module.api_name", "text"),
        ("Owner.role.name", "text"),
        ("Owner.profile.created_time", "datetime"),
        ("id", "bigint"),
    ],
)
def test_a_path_ends_on_its_field(path, kind):
    """Along lookups, arrows, users and back to ids."""
    assert end_of(path)["data_type"] == kind


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Acount_Name", "Did you mean Account_Name"),
        ("Account_Name.Indutry", "Accounts has no field 'Indutry'. Did you mean Industry"),
        ("Account_Name.Industry.x", "Industry is not a lookup"),
        ("What.Industry", "'What->Accounts.Industry'"),
        ("What->Acounts.Industry", "Did you mean Accounts"),
        ("Owner.role.nme", "Did you mean role.name"),
        ("!Accounts.Industry", "!Contacts"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_stops(path, words):
    """And what was perhaps meant."""
    with pytest.raises(AstrayError) as caught:
        end_of(path)
    assert words in str(caught.value)


def test_users_need_no_metadata():
    """No module lists them; their paths are documented."""
    assert end_of("role.name", "Users")["data_type"] == "text"
