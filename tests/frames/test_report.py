"""A report is a table that knows the way back, and stays one."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_index_equal

from zcrm_nb.frames import Report, to_report
from zcrm_nb.frames.report import Outcome, ReportActions, labels, pack_index, unpack_index

DONE = Outcome("insert", "done", "4108", "SUCCESS", None, "record added")
LOST = Outcome("update", "unknown", None, "NO_ANSWER", None, "lost")


@pytest.fixture
def report() -> Report:
    """Two rows, and a way that tells where it led."""
    way = ReportActions(
        lambda **options: ("resolve", options), lambda rows, **options: ("undo", len(rows))
    )
    facts = {"module": "Leads", "action": "insert", "run": "7"}
    return to_report(pd.Index(["a", "b"]), [DONE, LOST], facts=facts, actions=way)


def test_its_columns_and_types_are_the_same_on_no_rows(report: Report) -> None:
    """As everywhere: types come from what it is, not from what is in it."""
    empty = to_report(pd.RangeIndex(0), [], facts={})
    assert empty.dtypes.equals(report.dtypes)
    assert list(report) == ["action", "status", "id", "code", "field", "message"]
    assert report["status"].cat.categories.tolist() == ["done", "refused", "unknown"]


def test_what_pandas_makes_of_it_is_still_a_report(report: Report) -> None:
    """Copies, parts and sorted ones know the way; what lacks its columns is a plain table."""
    for kept in (
        report.copy(),
        copy.deepcopy(report),
        report[report["status"] == "done"],
        report.loc[["b"]],
        report.sort_values("status"),
        report.reset_index(drop=True),
        report.assign(more=1),
    ):
        assert isinstance(kept, Report)
        assert kept.undo() == ("undo", len(kept))
        assert kept.resolve(wait_s=1) == ("resolve", {"wait_s": 1})
    assert type(report[["id", "code"]]) is pd.DataFrame


def test_failed_are_the_rows_that_are_not_done(report: Report) -> None:
    """Refused and unknown."""
    assert report.failed.index.tolist() == ["b"]


def test_a_pickle_leaves_the_way_behind_and_says_so(report: Report) -> None:
    """A login does not belong into a file; the run can be taken up again by its name."""
    again = pickle.loads(pickle.dumps(report))
    assert again.equals(report)
    for method in (again.resolve, again.undo):
        with pytest.raises(ValueError, match=r"crm\.report\('7'\)"):
            method()


def test_it_says_first_how_it_went(report: Report) -> None:
    """In a terminal and in a notebook."""
    line = "Leads insert: 1 done, 1 unknown. Run .resolve() to check"
    assert repr(report).splitlines()[0] == line
    assert line in (report._repr_html_() or "")


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3),
        pd.Index(["a", "a", "b"], name="key"),
        pd.Index(["a", pd.NA], dtype=pd.StringDtype("pyarrow"), name="key"),
        pd.Index([], dtype=pd.StringDtype("pyarrow")),
        pd.MultiIndex.from_product([[1, 2], ["x"]], names=["n", None]),
        pd.date_range("2026-03-01", periods=2, tz="Asia/Kolkata"),
        pd.CategoricalIndex(["a", "b"]),
        pd.RangeIndex(0),
    ],
)
def test_an_index_outlives_the_kernel(index: pd.Index[Any]) -> None:
    """Labels, types and names."""
    again = unpack_index(pack_index(index), len(index))
    if isinstance(index, pd.DatetimeIndex):
        index = index._with_freq(None)
    assert_index_equal(again, index, exact="equiv")


def test_labels_that_no_file_can_hold_become_positions() -> None:
    """Better than no report."""
    assert unpack_index(pack_index(pd.Index([object(), 1j])), 2).tolist() == [0, 1]
    assert labels([{}, {}]).tolist() == [0, 1]
