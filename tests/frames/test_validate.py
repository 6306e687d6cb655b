"""What Zoho would refuse is found before anything is sent."""

from __future__ import annotations

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from zcrm_nb.frames.records import as_columns
from zcrm_nb.frames.types import column_for
from zcrm_nb.frames.validate import (
    InvalidDataError,
    Problem,
    check_columns,
    check_names,
    check_values,
    is_writable,
    refuse,
)


def field(name: str, data_type: str, **more: Any) -> dict[str, Any]:
    """Describe a field as Zoho does."""
    return {"api_name": name, "data_type": data_type, "custom_field": True, **more}


def choices(*values: str) -> list[dict[str, Any]]:
    """Describe the values of a picklist."""
    return [{"display_value": each, "actual_value": each} for each in values]


FIELDS = {
    each["api_name"]: each
    for each in (
        field("Name", "text", length=5, system_mandatory=True),
        field("Mail", "email", length=100),
        field("Phone", "phone", length=30),
        field("Site", "website", length=450),
        field("Stage", "picklist", pick_list_values=choices("New", "Won")),
        field("Langs", "multiselectpicklist", pick_list_values=choices("en", "de")),
        field("Count", "integer", length=9),
        field("Number", "bigint", length=18),
        field("Amount", "currency", length=16),
        field("Flag", "boolean"),
        field("Due", "date"),
        field("At", "datetime"),
        field("Account", "lookup"),
        field("Lines", "subform"),
        field("Total", "formula", formula={"return_type": "double"}),
        field("Serial", "autonumber"),
        field("Made", "datetime", operation_type={"api_create": False, "api_update": False}),
        field("Once", "text", operation_type={"api_create": True, "api_update": False}),
        field("Shown", "text", field_read_only=True),
        {"api_name": "Tag", "data_type": "text"},
    )
}


def found(action: str = "update", **values: Any) -> list[tuple[str, str]]:
    """Check one record; give what is wrong, and where."""
    options = {name: values.pop(name) for name in ("subforms", "unlisted") if name in values}
    columns = [column_for(each) for each in FIELDS.values()]
    for form, own in options.get("subforms", {}).items():
        columns += [column_for(each, f"{form}.{name}") for name, each in own.items()]
    data = as_columns([values], columns)
    return [(p.column, p.problem) for p in check_values(data, FIELDS, action, **options)]


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("id", ["1", "4108880000000012345"]),
        ("Name", ["Osei", "12345", 12345, 12345.0]),
        ("Mail", ["a@example.com", "", None]),
        ("Phone", ["+91 (79) 0136-3101", "080 4711 ext. 5", "1;2", None]),
        ("Site", ["https://www.example.com/a?b=c", "example.org"]),
        ("Stage", ["New", "", None]),
        ("Langs", [["en", "de"], [], None]),
        ("Langs", ["en;de", "en; de;", "", ["en", None]]),
        ("Count", [999_999_999, -999_999_999, 0, None, 5.0, "5", "5.0", ""]),
        ("Number", [10**18 - 1, "4711", None]),
        ("Amount", [1, 2.5, None, "1234.5", "1e3", " 7 ", ""]),
        ("Flag", [True, False, None, "true", "False", ""]),
        ("Due", ["2026-02-28", None]),
        ("At", ["2026-03-31T10:00:00+05:30", "2026-03-31T10:00:00Z", None]),
        ("Account", [{"id": "1"}, {"id": 1}, {"id": 1.0}, {"id": None}, None]),
        ("Tag", [[{"name": "vip"}], []]),
    ],
)
def test_what_zoho_takes_passes(name: str, good: list[Any]) -> None:
    """Each for itself and all together, for a column is looked at as a whole first."""
    for value in good:
        assert found(**{name: value}) == []
    data = as_columns([{name: value} for value in good], map(column_for, FIELDS.values()))
    assert list(check_values(data, FIELDS, "update")) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("id", "41x", "1 to 19 digits"),
        ("Name", "Oseias", "6 characters, 5 fit"),
        ("Name", ["x"], "not text but list"),
        ("Name", None, "mandatory"),
        ("Name", "", "mandatory"),
        ("Mail", "osei.example.com", "not a valid e-mail address"),
        ("Mail", "a b@example.com", "not a valid e-mail address"),
        ("Phone", "???", "not a valid telephone number"),
        ("Site", "nowhere", "not a valid web address"),
        ("Stage", "won", "not in the list. Did you mean Won?"),
        ("Stage", 5, "'5' is not in the list"),
        ("Stage", ["New"], "not text but list"),
        ("Langs", ["en", "fr"], "'fr' is not in the list"),
        ("Langs", 5, "'5' is not in the list"),
        ("Langs", {"a": 1}, "not a list of texts"),
        ("Count", 10**9, "10 digits, 9 fit"),
        ("Count", -(10**9), "10 digits, 9 fit"),
        ("Count", 5.5, "not a whole number"),
        ("Count", True, "not a whole number"),
        ("Count", "5.5", "not a whole number"),
        ("Count", 2.0**60, "a float of this size has lost digits"),
        ("Count", 10**30, "more digits than 64 bits hold"),
        ("Name", 2.0**60, "a float of this size has lost digits"),
        ("Amount", "12345678901234567.89", "more digits than Zoho keeps"),
        ("Amount", "1,234.5", "without thousands separators"),
        ("Amount", math.inf, "an infinite number"),
        ("Amount", Decimal(10**30), "64 bits"),
        ("Amount", "five", "not a number"),
        ("Amount", True, "not a number"),
        ("Flag", 1, "neither True nor False"),
        ("Flag", "yes", "neither True nor False"),
        ("Due", "2026-02-30", "not a valid date"),
        ("Due", "2026-03-31T10:00:00Z", "no time of day"),
        ("At", "2026-03-31", "needs a time of day and a zone"),
        ("At", "2026-03-31T10:00:00", "not a time with an offset"),
        ("Account", "Acme", "a display name"),
        ("Account", {"name": "Acme"}, "write {'id': …}"),
        ("Account", {"id": "x7"}, "as text"),
        ("Account", {"id": 4.1e18}, "lost its last digits"),
        ("id", 4.1e18, "lost its last digits"),
        ("Name", "a\ud83d", "half of a character pair (U+D83D) at position 1"),
        ("Name", "a\x00b", "a control character (U+0000) at position 1"),
        ("Mail", "a@b.c\x1b", "a control character"),
        ("Langs", ["en", "\ud83d"], "half of a character pair"),
        ("Unknown", {"a": [math.inf]}, "an infinite number"),
        ("Unknown", {"\udc00": 1}, "half of a character pair"),
        ("Unknown", b"x", "JSON has no form for bytes"),
        ("At", datetime(2026, 3, 31, 10), "the time has no zone"),  # noqa: DTZ001
        ("Tag", [{"name": "x" * 26}], "more than 25"),
        ("Tag", [7], "a list of their names"),
        ("Lines", "x", "a list of dicts"),
    ],
)
def test_what_zoho_refuses_is_found_where_it_stands(name: str, value: Any, said: str) -> None:
    """Among good values too."""
    [(column, problem)] = found(**{name: value})
    assert column == name
    assert said in problem


def test_a_column_is_blamed_row_by_row() -> None:
    """The rows that are right are not."""
    data = {"Mail": ["a@example.com", "x", None, "y"]}
    assert [p.row for p in check_values(data, FIELDS, "update")] == [1, 3]


def test_an_insert_needs_the_mandatory_fields_and_an_update_does_not() -> None:
    """Of records that differ in what they say, each is looked at."""
    assert found("insert", Mail="a@example.com") == [
        ("Name", "mandatory, but the column is missing")
    ]
    assert found("update", Mail="a@example.com") == []
    data = as_columns([{"Name": "x"}, {"Mail": None}])
    assert list(check_values(data, FIELDS, "insert")) == [Problem(1, "Name", None, "mandatory")]
    assert list(check_values(data, FIELDS, "update")) == []


def test_unlisted_values_pass_on_request() -> None:
    """Some orgs take them; which ones no page tells."""
    assert found(Stage="Nearly", Langs=["fr"], unlisted=True) == []


def test_rows_of_a_subform_are_checked_by_their_own_fields() -> None:
    """A new row needs what is mandatory; the problem stands where the record does."""
    own = {"Lines": {"Qty": field("Qty", "integer", length=3, system_mandatory=True)}}
    rows = [{"Qty": 5}, {"Qty": 5000}, {}, {"id": "7"}]
    assert sorted(found(Lines=rows, subforms=own)) == [
        ("Lines.Qty", "4 digits, 3 fit"),
        ("Lines.Qty", "mandatory"),
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Serail", "unknown field: no such field in this module. Did you mean Serial"),
        ("Account.Industry", "a field of another record"),
        ("Total", "read-only"),
        ("Serial", "read-only"),
        ("Made", "read-only"),
        ("Shown", "read-only"),
        ("Once", "read-only"),
        ("Name.id", "not a lookup"),
    ],
)
def test_columns_that_cannot_be_written_are_named(name: str, said: str) -> None:
    """Before their values are looked at."""
    [problem] = check_columns([name], FIELDS, "update")
    assert (problem.row, problem.column) == (None, name)
    assert said in problem.problem


def test_columns_that_can_be_written_pass() -> None:
    """The name beside an id is left out, and what begins with a dollar is an instruction."""
    names = ["id", "Name", "Account", "Account.id", "$append_values", "Modified_Time"]
    assert list(check_columns(names, FIELDS, "update", passed_over=["Modified_Time"])) == []
    assert [p.column for p in check_columns(["id"], FIELDS, "insert")] == ["id"]
    assert is_writable(FIELDS["Once"], "insert")


def test_the_error_is_a_small_table_and_carries_the_whole_one() -> None:
    """Labels of the rows, names of the columns, and no more than a screen holds."""
    problems = [Problem(row, "Mail", "x" * 80, "not a valid e-mail address") for row in range(25)]
    with pytest.raises(InvalidDataError, match="15 more") as caught:
        refuse(problems, "insert into Leads", pd.Index([f"r{n}" for n in range(25)]))
    lines = str(caught.value).splitlines()
    assert lines[0] == "Nothing was sent: 25 problems in this insert into Leads."
    assert len(lines) == 13
    assert lines[2].split()[:2] == ["r0", "Mail"]
    assert caught.value.problems["row"].tolist() == [f"r{n}" for n in range(25)]
    refuse([], "insert into Leads", pd.RangeIndex(0))


@pytest.mark.parametrize(
    ("rows", "column", "said"),
    [
        ([{"Qyt": 5}], "Lines.Qyt", "unknown field"),
        ([{"Qty": 5, "Made": "2026-03-31T10:00:00Z"}], "Lines.Made", "read-only"),
        ([{"id": "7", "Made": None}], "Lines.Made", "read-only"),
        ([{"Qty.id": "5"}], "Lines.Qty", "not a whole number"),
        ([{"Qty": 5, 0: "x"}], "Lines.0", "unknown field"),
    ],
)
def test_columns_of_a_subform_are_checked_like_those_of_a_record(rows, column, said) -> None:
    """Zoho drops a misspelt one without a word."""
    own = {"Lines": {"Qty": field("Qty", "integer", length=3), "Made": FIELDS["Made"]}}
    for given in (rows, pd.DataFrame(rows)):
        [(name, problem)] = found(Lines=given, subforms=own)
        assert name == column
        assert said in problem


def test_a_row_of_a_subform_is_changed_once() -> None:
    """Of two rows with one id, one would be lost."""
    own = {"Lines": {"Qty": field("Qty", "integer", length=3)}}
    rows = [{"id": "7", "Qty": 1}, {"id": 7.0, "Qty": 2}, {"Qty": 3}, {"Qty": 3}]
    assert found(Lines=rows, subforms=own) == [
        ("Lines.id", "repeated; keep one row of the subform")
    ]


def test_column_names_that_are_not_text_are_named() -> None:
    """As ``read_csv(header=None)`` and pivot tables make them."""
    names = ["Name", 0, ("City", "first"), math.nan, pd.Timestamp("2026-01-01")]
    problems = check_names(names)
    assert [each.column for each in problems] == list(map(str, names[1:]))
    assert problems[0].problem == "the column name is not text but int; rename it to a field"
