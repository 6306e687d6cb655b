"""The records that an action is for."""

from __future__ import annotations

import pandas as pd
import pytest

from zcrm_nb.frames import as_record_ids, ids_in


@pytest.mark.parametrize(
    "given",
    [
        ["11", "12"],
        ("11", 12),
        iter(["11", "12"]),
        pd.Series(["11", "12"], dtype="string"),
        pd.Series([11, 12]),
        pd.Series([11.0, 12.0]),
        [11.0, "12"],
        pd.Series(["11", "12"], dtype="category"),
        pd.DataFrame({"id": ["11", "12"], "City": ["x", None]}),
    ],
)
def test_ids_come_in_many_dresses(given):
    """Plain, as a column, in a table; always text."""
    _, rows = as_record_ids(given)
    assert [row["id"] for row in rows] == ["11", "12"]


def test_one_id_is_one_record():
    """And no list of its digits."""
    assert as_record_ids("11")[1] == [{"id": "11"}]


def test_the_index_is_carried_on():
    """A report stands beside its table."""
    index, rows = as_record_ids(
        pd.DataFrame({"id": ["11", "12"], "Accounts.id": ["5", None]}, list("ab"))
    )
    assert list(index) == ["a", "b"]
    assert rows == [{"id": "11", "Accounts": {"id": "5"}}, {"id": "12", "Accounts": None}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pd.DataFrame({"name": ["x"]}), "no column 'id'"),
        (["11", None], "1 of 2 rows have no id"),
        (["11", 11], "11 comes twice"),
        (["11", ""], "1 of 2 rows have no id"),
        ([1.5], "ids are text"),
        ([4.1e18], "ids are text"),
        (["1\ud83d"], "half of a character pair"),
    ],
)
def test_what_names_no_record_is_refused(given, words):
    """Before anything is sent."""
    with pytest.raises(ValueError, match=words):
        as_record_ids(given)


def test_no_records_are_no_records():
    """An empty table does nothing."""
    index, rows = as_record_ids([])
    assert (len(index), rows) == (0, [])


@pytest.mark.parametrize("ids", [["11", "12"], [11, 12.0], pd.Series([11.0, 12.0]), ("11", 12)])
def test_ids_to_read_have_the_form_of_ids_to_write(ids):
    """A column with a gap is a float column in pandas."""
    assert ids_in(ids) == [row["id"] for row in as_record_ids(ids)[1]]
    assert ids_in(pd.Series([11.0, None])) == ["11", ""]
    assert ids_in(11.0) == ids_in(11) == ids_in("11") == ["11"]
