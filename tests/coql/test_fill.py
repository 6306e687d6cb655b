"""Values into a query."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcrm_nb.coql import fill, parse, where
from zcrm_nb.coql.tree import Comparison, Literal, Membership

INDIA = timezone(timedelta(hours=5, minutes=30))
Priority = IntEnum("Priority", ["LOW", "HIGH"])


def filled(value: object) -> str:
    """Fill a query and cut out what stands for a value."""
    return fill("x :value y", value=value).removeprefix("x ").removesuffix(" y")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("O'Brien", "'O''Brien'"),
        (5, "5"),
        (-2.5, "-2.5"),
        (1e-7, "0.0000001"),
        (Decimal("10.50"), "10.50"),
        (True, "'true'"),
        (Priority.HIGH, "2"),
        (date(2026, 3, 31), "'2026-03-31'"),
        (datetime(2026, 3, 31, 23, 59, 59, 5, INDIA), "'2026-03-31T23:59:59+05:30'"),
        (datetime(2026, 3, 31, tzinfo=UTC), "'2026-03-31T00:00:00+00:00'"),
        (["a", 1], "('a', 1)"),
        (("a",), "('a')"),
        ({7}, "(7)"),
        (range(3), "(0, 1, 2)"),
        (np.int64(5), "5"),
        (np.float32(0.5), "0.5"),
        (np.bool_(False), "'false'"),
        (np.str_("a"), "'a'"),
        (np.array([1, 2]), "(1, 2)"),
        (pd.Series(["a", "b"]), "('a', 'b')"),
        (pd.Timestamp("2026-03-31 10:00:00.123456789", tz="UTC"), "'2026-03-31T10:00:00+00:00'"),
    ],
    ids=repr,
)
def test_a_value_is_written_by_its_type(value: object, text: str) -> None:
    """Each type has one way to be written, the one that Zoho accepts."""
    assert filled(value) == text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "nan"),
        (Decimal("Infinity"), "Infinity"),
        (datetime(2026, 3, 31), "no time zone"),  # noqa: DTZ001 - the point of the case
        (pd.Timestamp("2026-03-31"), "no time zone"),
        (pd.NaT, "NaT"),
        (np.datetime64("2026-03-31T00:00:00", "ns"), "no time zone"),
        ([], "empty"),
        (pd.Series([], dtype=object), "empty"),
        ([None], "None"),
        (None, "None"),
    ],
    ids=repr,
)
def test_a_value_that_zoho_would_misread_is_refused(value: object, says: str) -> None:
    """The error names the placeholder and says what is wrong with its value."""
    with pytest.raises(ValueError, match=f":value: .*{says}"):
        filled(value)


@pytest.mark.parametrize("value", [b"bytes", object, pd.NA, [["nested"]]], ids=repr)
def test_a_type_without_a_meaning_is_a_type_error(value: object) -> None:
    """What COQL has no literal for must not be guessed at."""
    with pytest.raises(TypeError, match=r":value: COQL has no value"):
        filled(value)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("a = :x", "a is null"),
        ("a=:x", "ais null"),
        ("a !=  :x", "a is not null"),
    ],
)
def test_none_turns_the_comparison_into_a_question_for_null(query: str, text: str) -> None:
    """COQL cannot compare with null, so the operator goes with the value."""
    assert fill(query, x=None) == text


@pytest.mark.parametrize("operator", [">=", "<=", ">", "in", "like"])
def test_none_is_refused_behind_every_other_operator(operator: str) -> None:
    """Only equality has a form for null."""
    with pytest.raises(ValueError, match="None fits only"):
        fill(f"a {operator} :x", x=None)


def test_colons_in_quotes_are_no_placeholders() -> None:
    """Times and texts that stand in the query stay as they are."""
    query = "a > '2026-01-01T10:30:00+05:30' and b = \"it''s :x\""
    assert fill(query) == query


def test_an_open_quote_hides_what_follows_it() -> None:
    """A value must never land inside a text that someone forgot to close."""
    with pytest.raises(ValueError, match="the query has no :x"):
        fill("a = 'open and b = :x", x="' or id is not null")


def test_a_name_may_be_used_twice() -> None:
    """One value serves every place that asks for it."""
    assert fill("a = :x or b = :x", x=1) == "a = 1 or b = 1"


def test_a_missing_value_is_named_with_the_nearest_one_given() -> None:
    """A typo in the keyword is the usual reason."""
    with pytest.raises(ValueError, match=r":stage has no value; did you mean stag\?"):
        fill("a = :stage", stag=1)


def test_an_unused_value_is_named_with_the_nearest_placeholder() -> None:
    """A value that goes nowhere is a query that does not ask what its author thinks."""
    with pytest.raises(ValueError, match=r"the query has no :cities; did you mean city\?"):
        fill("a = :city", city=1, cities=2)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_the_very_same_literal(text: str) -> None:
    """Whatever is in a value, it stays one literal: nothing can be smuggled into the query."""
    query = parse(
        fill(
            "select id from Leads where (City = :text and City in :both)",
            text=text,
            both=[text, text],
        )
    )
    left, right = query.where.left, query.where.right
    assert left == Comparison(left.path, "=", Literal(text))
    assert right == Membership(right.path, (Literal(text), Literal(text)))


EARLIEST = datetime(1950, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone


@settings(deadline=None)
@given(st.datetimes(EARLIEST, timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kolkata")])))
def test_any_time_comes_back_to_the_second(value: datetime) -> None:
    """The text must mean the same moment, without its fraction."""
    literal = parse(fill("select id from Leads where a = :value", value=value)).where.value
    assert datetime.fromisoformat(literal.value) == value.replace(microsecond=0)


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({}, "id is not null"),
        ({"City": "Pune"}, "City = 'Pune'"),
        ({"City": None}, "City is null"),
        ({"City": ("!=", None)}, "City is not null"),
        ({"City": ["Pune", "Goa"]}, "City in ('Pune', 'Goa')"),
        ({"City": pd.Series(["Pune"])}, "City in ('Pune')"),
        ({"City": ("NOT IN", {"Pune"})}, "City not in ('Pune')"),
        ({"City": ("like", "New%")}, "City like 'New%'"),
        ({"Amount": (">=", 5)}, "Amount >= 5"),
        ({"Amount": ("between", 5, Decimal("7.5"))}, "Amount between 5 and 7.5"),
        (
            {"Day": ("not between", date(2026, 1, 1), date(2026, 2, 1))},
            "Day not between '2026-01-01' and '2026-02-01'",
        ),
        ({"Account_Name.Industry": "Steel"}, "Account_Name.Industry = 'Steel'"),
        ({"External": 1}, "'External' = 1"),
        ({"a": 1, "b": 2, "c": 3}, "((a = 1 and b = 2) and c = 3)"),
    ],
    ids=repr,
)
def test_a_mapping_is_a_condition_on_each_field(mapping: dict[str, object], text: str) -> None:
    """Values are written by their type, conditions in the pairs of brackets that COQL wants."""
    assert where(mapping) == text
    parse(f"select id from Leads where {text}")


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (("Pune", "Goa"), ValueError, "one of several values is a list"),
        ((">", 5, 6), ValueError, "not an operator"),
        (("between", 5), ValueError, "not an operator"),
        ([], ValueError, "the list is empty"),
        ((">", None), ValueError, "None fits only"),
        pytest.param(object(), TypeError, "no value for object", id="object"),
    ],
    ids=lambda value: "object" if type(value) is object else repr(value),
)
def test_a_mapping_that_says_nothing_clear_is_refused(
    value: object, kind: type[Exception], says: str
) -> None:
    """The field is named, so that the one wrong entry of many is found."""
    with pytest.raises(kind, match=f"^City: .*{says}"):
        where({"City": value})


def test_a_name_cannot_smuggle_a_condition_in() -> None:
    """Whatever stands for a field is a name, in quotes if it looks like more."""
    text = where({"City = 'x' or Rating": "Hot"})
    found = parse(f"select id from Leads where {text}").where
    assert isinstance(found, Comparison)
    assert found.value == Literal("Hot")
