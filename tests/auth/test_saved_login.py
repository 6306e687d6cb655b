"""Whether a saved login can be used for what is wanted, and why not."""

import pytest

from zcrm_nb.auth.oauth import Grant
from zcrm_nb.auth.saved_login import addresses_of, check_same, missing_wants, not_used
from zcrm_nb.auth.vault import Profile
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret

GRANT = Grant("1000.A", Secret("s"), Secret("r"), "https://accounts.zoho.eu")
SAVED = Profile(GRANT, "eu", "sandbox", scopes=("ZohoCRM.modules.ALL", "ZohoCRM.coql.READ"))


def test_addresses_are_those_of_its_data_centre_and_environment():
    """Unless other hosts were named when it was made."""
    assert addresses_of(SAVED).api_domain == "https://sandbox.zohoapis.eu"
    named = Profile(GRANT, api_domain="https://crm.example.com")
    assert addresses_of(named).api_domain == "https://crm.example.com"


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": "1000.B"},
        {"environment": "production"},
        {"accounts_url": "https://accounts.zoho.in"},
    ],
)
def test_another_login_is_not_passed_off_as_the_requested_one(given):
    """The message names what differs."""
    with pytest.raises(LoginError, match=next(iter(given))):
        check_same("acme", SAVED, given)
    check_same("acme", SAVED, {"client_id": "1000.A", "environment": "sandbox"})


def test_what_was_not_granted_is_listed():
    """As far as Zoho said what was."""
    assert missing_wants(SAVED, ("coql", "bulk", "ZohoCRM.other.READ")) == ["bulk"]
    assert missing_wants(Profile(GRANT), ("bulk",)) == []


def test_the_reason_is_in_one_line():
    """With Zoho's word."""
    error = LoginError("Zoho Accounts refused the login.", "Zoho said invalid_code.", "Log in.")
    assert not_used("acme", error).startswith("The saved login 'acme' no longer works. Zoho")
    assert "invalid_code" in not_used("acme", error)
