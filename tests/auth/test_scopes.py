"""Scopes by wants."""

import pytest

from zcrm_nb.auth.scopes import READ_ONLY, WANTS, lacking, scopes_for


def test_the_default_changes_nothing():
    """Nobody should get the right to delete by pressing Enter."""
    assert {scope.rpartition(".")[2] for scope in scopes_for(READ_ONLY)} == {"READ"}


@pytest.mark.parametrize("want", WANTS)
def test_whoever_was_granted_what_it_takes_lacks_nothing(want):
    """The table agrees with itself."""
    assert lacking(want, scopes_for([want])) == ()


def test_a_want_named_twice_asks_once():
    """Zoho gets each scope once."""
    assert scopes_for(["coql", "coql", "ZohoCRM.coql.READ"]) == ("ZohoCRM.coql.READ",)


def test_wanting_nothing_is_refused():
    """Zoho would answer with an error page."""
    with pytest.raises(ValueError, match="at least"):
        scopes_for([])


def test_lacking_names_what_is_missing_only():
    """The advice must be short."""
    granted = ["zohocrm.modules.all", "ZohoCRM.bulk.READ"]
    needed = ("ZohoCRM.files.CREATE", "ZohoCRM.bulk.CREATE", "ZohoFiles.files.ALL")
    assert lacking("write", granted) == needed
