"""Questions in words, for a line of a table."""

from __future__ import annotations

import pytest

from zcrm_nb.api.exporting.describe import in_words


def leaf(comparator, value, name="City"):
    return {"field": {"api_name": name}, "comparator": comparator, "value": value}


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        (leaf("not_equal", "Pune"), "City != Pune"),
        (leaf("equal", "${EMPTY}"), "City is null"),
        (leaf("not_equal", "${EMPTY}"), "City is not null"),
        (leaf("in", ["Pune", "Goa"]), "City in (Pune, Goa)"),
        (leaf("not_between", [1, 5]), "City not between 1 and 5"),
        (leaf("starts_with", "P"), "City starts with P"),
        ({}, "all columns"),
        ({"comparator": "new_one"}, "? new one None"),
        (
            {
                "group_operator": "AND",
                "group": [
                    leaf("greater_equal", 5, "Amount"),
                    {"group_operator": "or", "group": [leaf("equal", "Goa"), leaf("equal", "X")]},
                ],
            },
            "Amount >= 5 and (City = Goa or City = X)",
        ),
    ],
)
def test_criteria_are_said_as_a_person_would(criteria, words):
    """Whatever somebody wrote in bulk read's own words, too."""
    told = in_words({"columns": None, "criteria": criteria, "cvid": None})
    assert told.removeprefix("all columns where ") == words


def test_of_many_columns_the_first_are_named():
    """The others are counted."""
    assert in_words({"columns": list("abcde")}) == "a, b, c and 2 more"
    assert in_words({"columns": []}) == "ids"
