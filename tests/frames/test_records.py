"""Tables back to records, as Zoho's write calls take them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from zcrm_nb.frames import Column, to_frame, to_records


@given(data=st.data())
def test_there_and_back_again_is_the_same_frame(
    columns: list[Column], pages: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Only the names beside ids are left out, because a write takes ids."""
    df = to_frame(data.draw(pages), columns)
    again = to_frame([to_records(df)], columns)
    names = ["Account_Name", "Owner"]
    assert_frame_equal(again.drop(columns=names), df.drop(columns=names))
    assert again[names].isna().all(axis=None)


@given(data=st.data())
def test_records_are_plain_json(
    columns: list[Column], pages: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Any JSON writer takes them, and reads back the same."""
    records = to_records(to_frame(data.draw(pages), columns))
    assert orjson.loads(orjson.dumps(records)) == records


def one(value: Any, name: str = "X", kind: str = "", **series: Any) -> Any:
    """Write one cell."""
    df = pd.DataFrame({name: pd.Series([value], **series)})
    return to_records(df, [Column(name, kind)] if kind else None)[0]


@pytest.mark.parametrize(
    ("value", "series", "written"),
    [
        (None, {"dtype": object}, None),
        (np.nan, {}, None),
        (pd.NaT, {}, None),
        (pd.NA, {"dtype": "Int64"}, None),
        (pd.NA, {"dtype": object}, None),
        (np.nan, {"dtype": "category"}, None),
        ("x", {"dtype": "category"}, "x"),
        (2024, {"dtype": "category"}, 2024),
        (5, {"dtype": "Int64"}, 5),
        (5, {"dtype": "int32"}, 5),
        (5.0, {}, 5),
        (5.25, {}, 5.25),
        (2.0**60, {}, 2.0**60),
        (True, {"dtype": "boolean"}, True),
        (True, {}, True),
        (np.int64(7), {"dtype": object}, 7),
        (np.bool_(True), {"dtype": object}, True),
        (Decimal("2.50"), {"dtype": object}, 2.5),
        (Decimal("1E+2"), {"dtype": object}, 100),
        (Decimal("12345678901234567.89"), {"dtype": object}, "12345678901234567.89"),
        (date(2026, 3, 31), {"dtype": object}, "2026-03-31"),
        (pd.Timestamp("2026-03-31"), {}, "2026-03-31"),
        (pd.Timestamp("2026-03-31T10:00:00.9+05:30"), {}, "2026-03-31T04:30:00+00:00"),
        (datetime(2026, 3, 31, 10, tzinfo=UTC), {"dtype": object}, "2026-03-31T10:00:00+00:00"),
        (pd.Timestamp("1901-03-31T10:00:00Z"), {}, "1901-03-31T10:00:00+00:00"),
        (("A", "B"), {"dtype": object}, ["A", "B"]),
        (np.array(["A", None]), {"dtype": object}, ["A", None]),
        ({"a": np.float64(1.5)}, {"dtype": object}, {"a": 1.5}),
    ],
)
def test_a_cell_is_written_as_zoho_takes_it(
    value: Any, series: dict[str, Any], written: Any
) -> None:
    """Value and type: JSON tells 5 from 5.0, and so does Zoho."""
    found = one(value, **series)["X"]
    assert found == written
    assert type(found) is type(written)


def test_whole_floats_are_integers_whatever_stands_beside_them() -> None:
    """An integer column with a gap is a float column in pandas; Zoho refuses 5.0 for an integer."""
    df = pd.DataFrame({"n": [5.0, np.nan], "x": [5.0, 2.5]})
    assert orjson.dumps(to_records(df)) == b'[{"n":5,"x":5},{"n":null,"x":2.5}]'


def test_exact_decimals_survive_the_way_back() -> None:
    """Digits that no float shows are written as text, not rounded."""
    body = b'{"data":[{"A":0.10},{"A":12345678901234567.89},{"A":7},{"A":null}]}'
    df = to_frame(body, [Column("A", "float")], exact=True)
    assert [r["A"] for r in to_records(df)] == [
        0.1,
        "12345678901234567.890000000000000000",
        7,
        None,
    ]
    assert_frame_equal(to_frame([to_records(df)], [Column("A", "float")], exact=True), df)


def test_lookups_are_written_by_id_and_their_names_left_out() -> None:
    """A null id empties the lookup; without an id column a name stays what it is."""
    df = pd.DataFrame({"A.id": ["1", None], "A": ["x", "y"], "B": ["p", "q"]})
    assert to_records(df) == [{"A": {"id": "1"}, "B": "p"}, {"A": None, "B": "q"}]


def test_ids_are_written_as_text_and_never_from_floats() -> None:
    """A CSV file gives ids as numbers; as floats they have lost their last digits."""
    assert one(4108880000000012345, name="id") == {"id": "4108880000000012345"}
    assert one(4108880000000012345, name="A.id") == {"A": {"id": "4108880000000012345"}}
    with pytest.raises(ValueError, match=r"'A'.*ids are text"):
        to_records(pd.DataFrame({"A.id": [4.108880000000012345e18, None]}))


def test_kinds_settle_what_dtypes_cannot() -> None:
    """A postal code that became a number, a multi-select joined by semicolons, names of tags."""
    assert one(411001, kind="text") == {"X": "411001"}
    assert one(411001.0, kind="text") == {"X": "411001"}
    assert one("A;B", kind="multipicklist") == {"X": ["A", "B"]}
    assert one(None, kind="multipicklist", dtype=object) == {"X": None}
    assert one(["hot"], kind="tags") == {"X": [{"name": "hot"}]}
    assert one(["hot"], name="Tag") == {"Tag": [{"name": "hot"}]}


@pytest.mark.parametrize(
    "value",
    [np.inf, pd.Timestamp("2026-03-31T10:00:00"), datetime(2026, 1, 1, 9)],  # noqa: DTZ001
)
def test_what_json_or_zoho_cannot_say_is_an_error_by_column(value: Any) -> None:
    """Infinity would become null, a time without a zone another time."""
    for dtype in (None, object):
        with pytest.raises(ValueError, match="'X'"):
            one(value, dtype=dtype)


def test_two_columns_of_one_name_are_refused() -> None:
    """One of them would be lost."""
    with pytest.raises(ValueError, match="'X'"):
        to_records(pd.DataFrame([[1, 2]], columns=["X", "X"]))


def test_no_rows_are_no_records() -> None:
    """An empty table writes nothing."""
    assert to_records(to_frame([], [Column("X", "text"), Column("T", "datetime")])) == []


# ---- The exact inverse ---------------------------------------------------------------------------

WRITTEN = {
    "id": st.integers(1, 10**19 - 1).map(str),
    "Text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    "Choice": st.none() | st.sampled_from(["Café", "Bank", "007", "not listed"]),
    "Choices": st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=3),
    "Whole": st.none() | st.integers(-(2**63), 2**63 - 1),
    "Amount": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "Opt_Out": st.none() | st.booleans(),
    "Due": st.none() | st.dates().map(str),
    "At": st.none()
    | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(  # noqa: DTZ001 - UTC follows
        lambda moment: (
            f"{moment:%Y}".zfill(4)[-4:] + moment.isoformat(timespec="seconds")[4:] + "+00:00"
        )
    ),
    "Account_Name": st.none() | st.fixed_dictionaries({"id": st.integers(1, 10**19 - 1).map(str)}),
    "Owner": st.none() | st.fixed_dictionaries({"id": st.integers(1, 10**19 - 1).map(str)}),
    "Tag": st.lists(
        st.fixed_dictionaries(
            {"name": st.text(st.characters(exclude_categories=["Cs"]), max_size=5)}
        ),
        max_size=2,
    ),
    "Items": st.none()
    | st.lists(
        st.fixed_dictionaries(
            {"id": st.integers(1, 99).map(str), "Amount": st.floats(0, 9), "X": st.none()}
        ),
        max_size=2,
    ),
}
KINDS = {
    "id": "text", "Text": "text", "Choice": "picklist", "Choices": "multipicklist",
    "Whole": "integer", "Amount": "float", "Opt_Out": "boolean", "Due": "date", "At": "datetime",
    "Account_Name": "lookup", "Owner": "user", "Tag": "tags", "Items": "object",
}  # fmt: skip
WRITABLE = [
    Column(name, kind, ("Café", "Bank", "007") if kind == "picklist" else ())
    for name, kind in KINDS.items()
]


@given(
    records=st.lists(st.fixed_dictionaries(WRITTEN), max_size=5),
    tz=st.sampled_from(["UTC", "Asia/Kolkata", "America/Los_Angeles"]),
)
def test_records_that_became_a_table_become_the_same_records(records: Any, tz: str) -> None:
    """``to_records(to_frame(x)) == x``, whatever zone the table shows its times in."""
    assert to_records(to_frame([records], WRITABLE, tz=tz), WRITABLE) == records


@given(records=st.lists(st.fixed_dictionaries({"Amount": WRITTEN["Amount"]}), max_size=5))
def test_exact_decimals_become_the_numbers_they_were(records: Any) -> None:
    """As far as 38 digits reach."""
    small = [
        each for each in records if each["Amount"] is None or 1e-17 < abs(each["Amount"]) < 1e15
    ]
    few = [{"Amount": each["Amount"] and round(each["Amount"], 2)} for each in small]
    assert to_records(to_frame([few], [Column("Amount", "float")], exact=True)) == few


# ---- Subforms ------------------------------------------------------------------------------------


def test_rows_of_a_subform_find_their_record_by_id_or_by_label() -> None:
    """A record without rows says nothing about the subform, so that an update leaves it alone."""
    children = pd.DataFrame({"parent_id": ["7", "7"], "Zip": [411001, 411002]})
    columns = [Column("Items.Zip", "text")]
    rows = [{"Zip": "411001"}, {"Zip": "411002"}]
    by_id = pd.DataFrame({"id": ["7", "8"]})
    assert to_records(by_id, columns, subforms={"Items": children}) == [
        {"id": "7", "Items": rows},
        {"id": "8"},
    ]
    by_label = pd.DataFrame({"Name": ["x"]}, index=["7"])
    assert to_records(by_label, columns, subforms={"Items": children}) == [
        {"Name": "x", "Items": rows}
    ]


def test_rows_of_a_subform_that_belong_to_nobody_are_an_error() -> None:
    """They would be lost."""
    df = pd.DataFrame({"id": ["7"]})
    with pytest.raises(ValueError, match="belong to no record: parent_id 9"):
        to_records(df, subforms={"Items": pd.DataFrame({"parent_id": ["9"], "A": [1]})})
    with pytest.raises(ValueError, match="need a column 'parent_id'"):
        to_records(df, subforms={"Items": pd.DataFrame({"A": [1]})})


def test_a_subform_may_stand_in_a_column_of_its_own() -> None:
    """As a list of dicts, or as a table in the cell."""
    rows = pd.DataFrame({"Amount": [1.5], "Paid": [np.nan]})
    df = pd.DataFrame({"A": pd.Series([[{"Amount": np.float64(1.5)}], rows, None], dtype=object)})
    assert to_records(df) == [
        {"A": [{"Amount": 1.5}]},
        {"A": [{"Amount": 1.5, "Paid": None}]},
        {"A": None},
    ]


def test_what_json_has_no_word_for_is_an_error_by_column() -> None:
    """A length of time, a complex number."""
    for value in (pd.Timedelta("1h"), 1j, object()):
        with pytest.raises(ValueError, match="'X'"):
            one(value, dtype=object)
    with pytest.raises(ValueError, match="'X'"):
        one(pd.Timedelta("1h"))
