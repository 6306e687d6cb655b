"""Search criteria out of values."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import Org
from zcrm_nb.api.reading.search import search_criteria, search_parameters
from zcrm_nb.emulator import Settings
from zcrm_nb.emulator.query.criteria import condition

WRITTEN = [
    ({"City": "Pune"}, "(City:equals:Pune)"),
    ({"City": "Pune", "Amount": 5}, "((City:equals:Pune) and (Amount:equals:5))"),
    ({"City": ["Pune", "Agra"]}, "(City:in:Pune,Agra)"),
    ({"Email_Opt_Out": True}, "(Email_Opt_Out:equals:true)"),
    ({"Due": date(2026, 9, 1)}, "(Due:equals:2026-09-01)"),
    ({"At": datetime(2026, 9, 1, 8, 30, tzinfo=UTC)}, "(At:equals:2026-09-01T08:30:00+00:00)"),
    ({"Company": "Burns, B"}, r"(Company:equals:Burns\, B)"),
    ({"Company": "K\\"}, r"(Company:equals:K\\)"),
    ({"Company": "a\\b (c)"}, r"(Company:equals:a\b \(c\))"),
    ({"Company": "a\\(b"}, r"(Company:equals:a\\\(b)"),
]


@pytest.mark.parametrize(("values", "text"), WRITTEN)
def test_values_are_written_as_zoho_reads_them(values, text):
    """By their types; brackets, commas and backslashes escaped as the page says."""
    assert search_criteria(values) == text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "1 to 10"),
        ({f"F{n}": 1 for n in range(11)}, "1 to 10"),
        ({"City": None}, "empty"),
        ({"City": []}, "1 to 100"),
        ({"City": ["x"] * 101}, "1 to 100"),
        ({"At": datetime(2026, 9, 1)}, "time zone"),  # noqa: DTZ001 - what is refused
    ],
)
def test_what_a_search_cannot_look_for_is_refused(values, words):
    """Before it is sent, with the way that works."""
    with pytest.raises(ValueError, match=words):
        search_criteria(values)


def test_a_mapping_is_one_of_the_terms():
    """Beside it there is no other."""
    params = search_parameters([], converted="", criteria={"City": "Pune"}, word=None)
    assert params == {"criteria": "(City:equals:Pune)"}
    with pytest.raises(ValueError, match="one of"):
        search_parameters([], converted="", criteria={"City": "Pune"}, word="x")


@pytest.fixture(scope="module")
def org():
    """An org whose search compares exactly, with texts to be found in it."""
    with Org(rows={"Leads": 3}, settings=Settings(equals_contains=False)) as emulator:
        yield emulator


texts = st.text(st.sampled_from(list("ab \\(),:-'\"%é")), min_size=1, max_size=8).filter(
    lambda text: text == text.strip()
)


@settings(max_examples=150)
@given(values=st.lists(texts, min_size=1, max_size=4, unique_by=str.lower))
def test_every_text_finds_itself_and_no_other(org, values):
    """One at a time by equals, several by in; nothing in a value ends it early."""
    leads = org.schema.modules["Leads"]

    def found(criteria):
        where = condition(criteria, leads, org.settings)
        rows = org.store.read(f"SELECT Company FROM Leads WHERE {where.sql}", where.values)
        return sorted({company for (company,) in rows})

    with org.store.transaction():
        org.store.execute("DELETE FROM Leads")
        org.store.insert("Leads", [{"Last_Name": "x", "Company": each} for each in values], user=1)
    for value in values:
        assert found(search_criteria({"Company": value})) == [value]
    assert found(search_criteria({"Company": values})) == sorted(values)
