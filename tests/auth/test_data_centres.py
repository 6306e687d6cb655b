"""Data centres: the right host, or an error before anything is sent."""

import pytest

from zcrm_nb.auth.data_centres import (
    DATA_CENTRES,
    Addresses,
    addresses,
    dc_of,
    environment_of,
    is_loopback,
)
from zcrm_nb.errors import LoginError


@pytest.mark.parametrize(
    ("dc", "accounts_url", "api_domain", "upload_url"),
    [
        ("us", "accounts.zoho.com", "www.zohoapis.com", "content.zohoapis.com"),
        ("ca", "accounts.zohocloud.ca", "www.zohoapis.ca", "upload.zohocloud.ca"),
        ("sa", "accounts.zoho.sa", "www.zohoapis.sa", "files.zoho.sa"),
        ("AU", "accounts.zoho.com.au", "www.zohoapis.com.au", "content.zohoapis.com.au"),
    ],
)
def test_each_centre_has_its_own_hosts(dc, accounts_url, api_domain, upload_url):
    """The table is Zoho's, its exceptions included; letters may be of either case."""
    assert addresses(dc) == Addresses(
        f"https://{accounts_url}", f"https://{api_domain}", f"https://{upload_url}"
    )


def test_the_environment_is_part_of_the_host():
    """A sandbox is another host, since tokens are bound to it."""
    assert addresses("eu", "sandbox").api_domain == "https://sandbox.zohoapis.eu"
    assert addresses("eu", "developer").api_domain == "https://developer.zohoapis.eu"


def test_guessed_hosts_are_flagged():
    """Exactly the two centres that no official CRM source names are not confirmed."""
    assert [row.code for row in DATA_CENTRES.values() if not row.confirmed] == ["uk", "ae"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("gb", "uk"), ("indai", "in"), ("europe", "eu"), ("com", "us"), ("usa", "us"), ("eur", "eu")],
)
def test_a_wrong_code_is_met_with_a_suggestion(wrong, meant):
    """A slip is named and the likely code offered."""
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        addresses(wrong)


def test_a_hopeless_code_lists_the_codes():
    """Without a near miss the codes still stand in the message."""
    with pytest.raises(ValueError, match=r"Codes: us, eu, in, au, jp, cn, ca, sa, uk, ae\."):
        addresses("zzzz")


def test_a_wrong_environment_is_met_with_a_suggestion():
    """The same for environments."""
    with pytest.raises(ValueError, match="did you mean 'sandbox'"):
        addresses("us", "sandbx")


def test_addresses_can_be_given():
    """An emulator or a proxy takes the place of the table, without a slash at the end."""
    given = addresses(
        "us",
        accounts_url="http://127.0.0.1:8080/",
        api_domain="http://localhost:8080",
        upload_url="https://proxy.example.com",
    )
    assert given.accounts_url == "http://127.0.0.1:8080"
    assert given.upload_url == "https://proxy.example.com"


@pytest.mark.parametrize("name", ["accounts_url", "api_domain", "upload_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "www.zohoapis.com",
        "https://user:word@www.zohoapis.com",
        "https://www.zohoapis.com/crm",
        "https://",
    ],
)
def test_an_address_that_would_give_secrets_away_is_refused(name, url):
    """Only https origins, or http on this machine."""
    with pytest.raises(ValueError, match=name):
        addresses("us", **{name: url})


@pytest.mark.parametrize(
    ("host", "dc", "environment"),
    [
        ("https://www.zohoapis.com.au/crm/v8", "au", "production"),
        ("sandbox.zohoapis.in", "in", "sandbox"),
        ("https://zohoapis.com", "us", "production"),
        ("https://accounts.zoho.jp", "jp", None),
        ("https://files.zoho.sa:443", "sa", None),
        ("https://zohoapis.com.example.com", None, None),
        ("https://www.zohoapis.com@example.com", None, None),
        ("", None, None),
    ],
)
def test_a_host_tells_its_centre_and_environment(host, dc, environment):
    """Looked up whole: a look-alike belongs to nobody."""
    assert (dc_of(host), environment_of(host)) == (dc, environment)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("localhost", True),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback_is_this_machine_only(host, expected):
    """The one place where http may carry a secret."""
    assert is_loopback(host) is expected


def test_a_token_reply_moves_the_calls_to_its_centre():
    """Accounts knows best where an org lives: API and upload host follow."""
    moved = addresses("us").following("https://www.zohoapis.eu")
    assert moved.api_domain == "https://www.zohoapis.eu"
    assert moved.upload_url == "https://content.zohoapis.eu"


@pytest.mark.parametrize(
    "stranger",
    ["https://api.example.com", "https://zohoapis.com.example.com", "http://127.0.0.1:9"],
)
def test_a_token_reply_cannot_send_the_token_to_a_stranger(stranger):
    """Not even to this machine, when the login is Zoho's own."""
    with pytest.raises(LoginError, match="not a host of Zoho CRM"):
        addresses("us").following(stranger)


def test_a_given_api_domain_stays():
    """What the caller names wins over the reply, stranger or not."""
    given = addresses("us", api_domain="https://proxy.example.com")
    assert given.following("https://www.zohoapis.eu") is given
    assert given.following("https://api.example.com") is given


def test_an_emulator_on_this_machine_names_its_own_address():
    """Accounts on loopback may point to an API on loopback."""
    local = addresses("us", accounts_url="http://127.0.0.1:8080")
    assert local.following("http://127.0.0.1:8080").api_domain == "http://127.0.0.1:8080"


def test_a_sandbox_login_is_not_mistaken_for_production():
    """Reading a sandbox in the belief that it is production would be worse than an error."""
    with pytest.raises(LoginError, match="sandbox environment"):
        addresses("us").following("https://sandbox.zohoapis.com")


def test_a_production_reply_never_leads_out_of_the_sandbox():
    """Whoever asked for the sandbox must not write to production."""
    asked = addresses("us", "sandbox")
    assert asked.following("https://www.zohoapis.com").api_domain == "https://sandbox.zohoapis.com"
