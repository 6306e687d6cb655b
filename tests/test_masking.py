"""Masking: everything that looks like a secret, in texts and in JSON of any shape."""

import pytest

from zcrm_nb import masking
from zcrm_nb.masking import MASK, mask_text, mask_value

TOKEN = "1000.8cb9c0dec0dec0de.5c0dec0dec0dec0de"


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Authorization: Zoho-oauthtoken {TOKEN}",
        "Bearer abcdefgh12345",
        "https://x.test/?access_token=abc&b=1",
        '{"refresh_token": "abc-def"}',
        "{'Authorization': 'abc-def'}",
        "client_secret=abc-def",
    ],
)
def test_a_secret_in_a_text_is_masked(text):
    """And what is around it stays."""
    masked = mask_text(f"before {text} after")
    assert MASK in masked
    assert masked.startswith("before ")
    assert not [each for each in (TOKEN, "abcdefgh12345", "abc-def") if each in masked]


@pytest.mark.parametrize("name", [*masking._NAMES.split("|"), "code"])
@pytest.mark.parametrize("write", [str, str.upper, str.title])
def test_a_cheap_look_misses_no_name(name, write):
    """Whatever the case of the name, alone in its text."""
    assert mask_text(f"{write(name)}=abc") == f"{write(name)}={MASK}"
    if name != "code":
        assert mask_text(f"'{write(name)}': 'abc'") == f"'{write(name)}': '{MASK}'"


@pytest.mark.parametrize(
    "text", ["INVALID_TOKEN", "invalid oauth token", "more_records", "1000.50", "next page token"]
)
def test_what_is_no_secret_is_left(text):
    """Zoho's codes and messages must stay readable."""
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "value",
    [
        {"headers": {"Authorization": "anything at all"}},
        {"list": [{"access_token": "anything at all"}]},
        {"deep": [[{"a": {"token": ["anything at all"]}}]]},
        [f"Zoho-oauthtoken {TOKEN}", {"x": TOKEN}],
    ],
)
def test_a_secret_at_any_depth_is_masked(value):
    """By its name or by its form."""
    masked = str(mask_value(value))
    assert "anything at all" not in masked
    assert TOKEN not in masked


@pytest.mark.parametrize("value", [None, 1, 1.5, True, "text", [], {}, {"a": [1, None]}])
def test_other_values_stay_as_they_are(value):
    """Of whatever type."""
    assert mask_value(value) == value
