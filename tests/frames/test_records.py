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
        (2024, {"dtype": "category"}, "2024"),
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


def test_whole_floats_are_integers_only_when_all_of_them_are() -> None:
    """An integer column with a gap is a float column in pandas; Zoho refuses 5.0 for an integer."""
    df = pd.DataFrame({"n": [5.0, np.nan], "x": [5.0, 2.5]})
    assert orjson.dumps(to_records(df)) == b'[{"n":5,"x":5.0},{"n":null,"x":2.5}]'


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
    with pytest.raises(ValueError, match=r"'A\.id'.*ids are text"):
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
