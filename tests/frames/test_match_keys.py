"""Values by which duplicates are found, in the one form in which they are compared."""

from __future__ import annotations

import pandas as pd
import pytest

from zcrm_nb.frames.match_keys import PLACEHOLDERS, KeyForm, kind_of_name

TEST_ADDRESS = "@".join(["test", "test.com"])


def written(values, kind, country=None, **options):
    """The keys of some values."""
    return KeyForm(country, **options).keys(pd.Series(values, dtype=object), kind)


@pytest.mark.parametrize(
    ("country", "same", "key"),
    [
        (
            "IN",
            ["098110 12345", "+91-98110-12345", "0091 98110 12345", "919811012345", "9811012345",
             "(+91) 98110.12345", "+91 (0) 98110 12345", "tel:+919811012345", "+91 09811012345"],
            "+919811012345",
        ),
        ("GB", ["020 7946 0018", "+44 (0)20 7946 0018", "0044 20 7946 0018"], "+442079460018"),
        ("US", ["(212) 555-0142", "1-212-555-0142", "+1 212 555 0142", "0111 2125550142"],
         "+12125550142"),
        ("SG", ["6123 4567", "+65 6123 4567", "006561234567"], "+6561234567"),
    ],
)  # fmt: skip
def test_a_telephone_number_has_one_form_however_it_is_dialled(country, same, key):
    """Trunk prefix, calling code, punctuation: by the country that is given."""
    assert written(same, "phone", country) == [key] * len(same)


def test_a_number_of_another_country_keeps_its_calling_code():
    """The country only completes numbers that have none."""
    assert (
        written(["+44 20 7946 0018", "0044 20 7946 0018"], "phone", "IN") == ["+442079460018"] * 2
    )


def test_without_a_country_national_numbers_stay_national():
    """Nothing is guessed: they equal each other, and no international number."""
    assert written(["098110 12345", "98110-12345", "+91 98110 12345"], "phone") == [
        "9811012345",
        "9811012345",
        "+919811012345",
    ]


@pytest.mark.parametrize("end", [" ext 12", " Ext. 12", " x12", " extn 12", "#12", ";ext=12"])
def test_an_extension_is_part_of_the_number(end):
    """Two desks at one switchboard are two people."""
    assert written([f"+91 22 6123 4567{end}"], "phone", "IN") == ["+912261234567#12"]


@pytest.mark.parametrize(
    "value",
    [None, float("nan"), pd.NA, "", "  ", "n/a", "N/A", "0000000000", "+91 0000000000",
     "9999999999", "1234567890", "+91 12345 67890", "100", "12345", "none", "-"],
)  # fmt: skip
def test_numbers_that_stand_for_none_match_nothing(value):
    """Missing, empty, placeholder, one digit repeated, too short."""
    assert written([value], "phone", "IN") == [None]


@pytest.mark.parametrize("value", [TEST_ADDRESS, "N/A", "", "noemail", TEST_ADDRESS.upper() + " "])
def test_addresses_that_stand_for_none_match_nothing(value):
    """By the default list."""
    assert written([value], "email") == [None]


def test_the_list_of_placeholders_can_be_replaced():
    """An empty one compares everything; a longer one ignores more."""
    assert written([TEST_ADDRESS, "2222222"], "phone", ignore=()) == [None, "2222222"]
    assert written(["n/a"], "text", ignore=()) == ["n/a"]
    more = [*PLACEHOLDERS, "Call@Office.test", "022 4000 0000"]
    assert written(["call@office.test"], "email", ignore=more) == [None]
    assert written(["022-40000000"], "phone", "IN", ignore=more) == [None]


def test_addresses_ignore_case_spaces_and_by_choice_what_follows_a_plus():
    """Mail systems do the same; the plus is Gmail's habit, so it is a choice."""
    same = [" Asha@Example.test", "ASHA@example.test ", "mailto:asha@example.test"]
    assert written(same, "email") == ["asha@example.test"] * 3
    plus = ["asha+news@example.test", "+tag@example.test"]
    assert written(plus, "email") == plus
    assert written(plus, "email", plus_addresses=True) == ["asha@example.test", "+tag@example.test"]


def test_texts_ignore_case_spaces_and_forms_of_letters():
    """Also numbers, whole floats and lists are compared as text."""
    assert written(["  Tata   Steel", "TATA STEEL", "Ｔａｔａ Steel"], "text") == ["tata steel"] * 3
    assert written(["Straße", "STRASSE", 5.0, 5, ["b", "a"], {"k": 1}], "text") == [
        "strasse", "strasse", "5", "5", "a, b", "{'k': 1}",
    ]  # fmt: skip


def test_websites_ignore_scheme_www_and_last_slash():
    """The page counts."""
    same = ["https://www.tata.example/", "tata.example", "HTTP://tata.example"]
    assert written(same, "website") == ["tata.example"] * 3


def test_an_unknown_country_is_named():
    """With those that are known."""
    with pytest.raises(ValueError, match=r"country='XX'.*AE, AT, AU"):
        KeyForm("XX")


def test_names_decide_the_kind_where_no_metadata_do():
    """Of Zoho's own fields, and of custom ones."""
    names = {"Email": "email", "Secondary_Email": "email", "Home_Phone": "phone", "Fax": "phone",
             "Mobile": "phone", "Website": "website", "Company": "text"}  # fmt: skip
    assert {name: kind_of_name(name) for name in names} == names
