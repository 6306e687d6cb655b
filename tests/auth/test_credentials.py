"""Credentials as .env files, mails and hands bring them."""

import pytest

from zcrm_nb.auth.credentials import check_client, check_complete, cleaned, from_environment
from zcrm_nb.errors import LoginError
from zcrm_nb.masking import Secret

ID, SECRET = "1000.XNMWPAG0NLADDEKL87M9214Q45FXYO", "5f4dcc3b5aa765d61d8327deb882cf99aabbccddee"
TOKEN = "1000.8cb9c0dec0dec0de.5c0dec0dec0dec0de"
FACTS = {"client_id": ID, "client_secret": SECRET, "refresh_token": TOKEN}


@pytest.mark.parametrize("value", [ID, SECRET, TOKEN, "in", "https://accounts.zoho.eu"])
@pytest.mark.parametrize(
    "dress",
    [
        '"{}"',
        "'{}'",
        "  {} ",
        "{}\r",
        "\ufeff{}",
        "{}\u200b",
        "\u201c{}\u201d",
        ' "{}"\r\n',
        "`{}`",
    ],
)
def test_what_is_harmless_is_taken_off(value, dress):
    """Quotes, blanks, carriage returns, byte order marks and zero width spaces around a value."""
    assert cleaned(dress.format(value)) == value


def test_the_environment_is_read_clean():
    """And secrets are masked from the first moment."""
    environ = {f"ZCRM_{name.upper()}": f'"{value}"\r' for name, value in FACTS.items()}
    facts = from_environment(environ | {"ZCRM_DC": "'in'", "ZCRM_ENVIRONMENT": '""'})
    assert facts == FACTS | {
        "client_secret": Secret(SECRET),
        "refresh_token": Secret(TOKEN),
        "dc": "in",
    }


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("<your value>", "character '<'"),
        ("1000. AB", "a blank"),
        ("1000.A\u200bB", "zero width space"),
        ("1000.A\u0410B", "character"),
        ("1000.A'B", "character"),
        ("${SECRET}", "character '\\$'"),
    ],
)
def test_what_cannot_be_right_is_named_before_it_is_sent(name, wrong, words):
    """With the parameter and the variable it came from; the value itself is not shown."""
    with pytest.raises(LoginError, match=words) as caught:
        check_complete(FACTS | {name: wrong})
    assert f"ZCRM_{name.upper()}" in str(caught.value)
    assert "nothing was sent" in str(caught.value)
    assert wrong not in str(caught.value)


def test_id_and_secret_that_are_swapped_are_told_apart():
    """One begins with 1000. and the other does not."""
    with pytest.raises(LoginError, match="swapped"):
        check_client(SECRET, Secret(ID))
    check_client(ID, Secret(SECRET))
    check_client(ID, Secret(""))
