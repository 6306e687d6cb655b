"""Answers as Zoho could give them: every kind of column, nulls, gaps and awkward texts anywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from zcrm_nb.frames import Column

settings.register_profile("frames", deadline=None, max_examples=60)
settings.load_profile("frames")

AWKWARD = [
    "",
    "NA",
    "N/A",
    "null",
    "None",
    "nan",
    "007",
    "1e5",
    "-None-",
    "A;B",
    '{"info":{"count":9}}',
]
COLUMNS = [
    Column("id", "text"),
    Column("Text", "text"),
    Column("Account_Name.Industry", "picklist", ("Café", "Bank", "007")),
    Column("Choices", "multipicklist"),
    Column("Whole", "integer"),
    Column("Amount", "float"),
    Column("Opt_Out", "boolean"),
    Column("Closing_Date", "date"),
    Column("What_Id->Leads.Created_Time", "datetime"),
    Column("Account_Name", "lookup"),
    Column("Owner", "user"),
    Column("Tag", "tags"),
    Column("Subform", "object"),
]

texts = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ids = st.integers(1, 10**19 - 1).map(str)
offsets = st.sampled_from(["Z", "+00:00", "+05:30", "-03:00", "+01:00", "+02:00", "+14:00"])
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 - offset follows
objects = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "picklist": st.sampled_from(["Café", "Bank", "007"]) | texts,
    "multipicklist": st.lists(texts, max_size=3),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60),
    "boolean": st.booleans(),
    "date": st.dates().map(str),
    "datetime": st.builds(lambda t, o: t.isoformat(timespec="seconds") + o, moments, offsets),
    "lookup": st.fixed_dictionaries({"id": ids}, optional={"name": texts, "module": objects}),
    "user": st.fixed_dictionaries({"name": texts, "id": ids}, optional={"email": texts}),
    "tags": st.lists(st.fixed_dictionaries({"name": texts, "id": ids}), max_size=2),
    "object": objects,
}
records = st.fixed_dictionaries(
    {"id": ids},
    optional={c.name: st.none() | VALUES[c.kind] for c in COLUMNS if c.name != "id"}
    | {"$unasked": objects},
)


@pytest.fixture(scope="session")
def columns() -> list[Column]:
    """Give one column of each kind, with a joined path and an arrow among the names."""
    return COLUMNS


@pytest.fixture(scope="session")
def pages() -> st.SearchStrategy[list[list[dict[str, Any]]]]:
    """Give pages of records that fit these columns."""
    return st.lists(st.lists(records, max_size=4), max_size=3)
