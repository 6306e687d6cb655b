"""One form for a value, by the kind of its field and nothing else."""

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from zcrm_nb.frames.values import (
    ABSENT,
    all_writable,
    digits,
    id_values,
    json_value,
    json_values,
    unwritable,
)


class Colour(enum.StrEnum):
    """A text with a name."""

    RED = "red"


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("text", 94109.0, "94109"),
        ("text", 1.5, "1.5"),
        ("text", 1e-7, "0.0000001"),
        ("text", Decimal("94109.0"), "94109"),
        ("text", np.int64(7), "7"),
        ("text", date(2026, 3, 31), "2026-03-31"),
        ("text", Colour.RED, "red"),
        ("text", "", ""),
        ("picklist", 5.0, "5"),
        ("picklist", "", None),
        ("multipicklist", "A; B;", ["A", "B"]),
        ("multipicklist", "", None),
        ("multipicklist", ["A", None, 5.0], ["A", "5"]),
        ("multipicklist", {"B", "A"}, ["A", "B"]),
        ("multipicklist", 5.0, ["5"]),
        ("integer", 5.0, 5),
        ("integer", "5", 5),
        ("integer", " 5.0 ", 5),
        ("integer", Decimal("5.00"), 5),
        ("integer", 1.5, 1.5),
        ("integer", 2.0**60, 2.0**60),
        ("integer", "", None),
        ("float", "1234.5", 1234.5),
        ("float", "1e3", 1000),
        ("float", "1,234.5", "1,234.5"),
        ("float", 10**20, 1e20),
        ("float", "12345678901234567.89", "12345678901234567.89"),
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("boolean", "yes", "yes"),
        ("boolean", 1, 1),
        ("date", pd.Timestamp("2026-03-31"), "2026-03-31"),
        ("date", " 2026-03-31 ", "2026-03-31"),
        ("datetime", datetime(1960, 1, 1, 0, 0, 0, 5, UTC), "1960-01-01T00:00:00+00:00"),
        ("datetime", "", None),
        ("lookup", {"id": 7.0, "module": "Leads"}, {"id": "7", "module": "Leads"}),
        ("lookup", {"id": None}, None),
        ("lookup", "", None),
        ("tags", ["a", {"name": "b"}, None], [{"name": "a"}, {"name": "b"}]),
        ("tags", None, []),
        ("tags", "", []),
        ("object", {"a": [np.float64(5)], "b": pd.NaT}, {"a": [5], "b": None}),
        ("object", "", None),
    ],
)
def test_a_value_takes_the_form_of_its_field(kind, value, written):
    """Alone, beside a gap, and beside a value of another type."""
    for cells in ([value], [value, None], [value, ABSENT], ["x", value]):
        found = json_values(cells, kind)[cells.index(value)]
        assert found == written
        assert type(found) is type(written)


@pytest.mark.parametrize(
    "missing", [None, np.nan, pd.NA, pd.NaT, Decimal("NaN"), np.float32("nan")]
)
@pytest.mark.parametrize("kind", ["text", "integer", "float", "boolean", "date", "lookup", ""])
def test_missing_values_are_null(missing, kind):
    """Whichever of pandas' it is."""
    assert json_value(missing, kind) is None


def test_times_before_1970_lose_their_fraction_alike():
    """Column by column, and cell by cell."""
    moments = [pd.Timestamp("1960-01-01 00:00:00.5", tz="UTC")]
    assert json_values(pd.Series(moments)) == json_values(moments) == ["1960-01-01T00:00:00+00:00"]


def test_ids_are_text_unless_a_float_has_lost_their_digits():
    """What is left a float is named by validation."""
    assert id_values([7, 7.0, "7", np.int64(7), None]) == ["7", "7", "7", "7", None]
    assert id_values(pd.Series([4.1e18, 7.0])) == [4.1e18, "7"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e22, f"1{'0' * 22}"), (5.0, "5"), (1e-9, "0.000000001"), (Decimal("1E+2"), "100")],
)
def test_numbers_are_written_without_exponents(value, text):
    """As other programs read them."""
    assert digits(value) == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a\ud83d", "half of a character pair (U+D83D) at position 1"),
        ("a\x00", "a control character (U+0000) at position 1"),
        ("\x1b[31m", "a control character (U+001B) at position 0"),
        (math.inf, "an infinite number"),
        (-(10**30), "more digits than 64 bits hold"),
        (datetime(2026, 1, 1, 9), "the time has no zone"),  # noqa: DTZ001
        (b"x", "JSON has no form for bytes"),
        (1j, "JSON has no form for complex"),
        (pd.Period("2026-01"), "JSON has no form for Period"),
        ([1, [math.inf]], "an infinite number"),
        ({"a": {"b": "\ud83d"}}, "half of a character pair"),
        ({"\ud83d": 1}, "half of a character pair"),
        ({"id": 4.1e18}, "lost its last digits"),
    ],
)
def test_what_json_cannot_carry_is_found(value, problem):
    """At a glance and in words, alone and among good ones."""
    assert problem in unwritable(value)
    assert not all_writable(["good", 1, value])


def test_what_json_carries_passes():
    """Line breaks, tabs, emoji, text that looks like an escape, nested nulls."""
    good = ["a\r\n\tb", "🙂", "\\u0000", "\\b", 2**64 - 1, -(2**63), 1e300, True, None, ABSENT]
    assert all_writable(good[:2] + good[4:])
    for value in [*good, [None, {"a": None}]]:
        assert unwritable(value) == ""
