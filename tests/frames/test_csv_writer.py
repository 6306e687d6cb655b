"""Tables as cells for a bulk write, and its results read back."""

import csv
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcrm_nb.errors import JobError
from zcrm_nb.frames.csv_writer import (
    RowResult,
    by_distinct_values,
    csv_bytes,
    csv_cells,
    match_results,
    read_results,
    unsplittable,
    zipped,
)
from zcrm_nb.frames.records import ABSENT


@pytest.mark.parametrize(
    ("kind", "values", "cells"),
    [
        ("text", ["a", "", None, ABSENT], ["a", "", "", ""]),
        ("picklist", ["Web Download"], ["Web Download"]),
        ("multipicklist", [["Hindi", "Tamil"], [], None], ["Hindi;Tamil", "", ""]),
        ("integer", [0, -5, 10**18], ["0", "-5", "1000000000000000000"]),
        ("float", [0.1, 5, 1e-9, 1e22], ["0.1", "5", "0.000000001", f"1{'0' * 22}"]),
        ("boolean", [True, False, None], ["true", "false", ""]),
        ("date", ["2027-01-31"], ["2027-01-31"]),
        ("datetime", ["2027-01-31T13:00:00+00:00"], ["2027-01-31T13:00:00+00:00"]),
        ("lookup", [{"id": "4108"}, None], ["4108", ""]),
        ("tags", [[{"name": "Hot"}, {"name": "VIP"}]], ["Hot,VIP"]),
    ],
)
def test_values_as_cells(kind, values, cells):
    """Each kind as a bulk write reads it; nothing is an empty cell."""
    assert csv_cells(values, kind) == cells


def test_values_that_would_come_apart_are_found():
    """A choice with a semicolon, a tag with a comma; elsewhere they do no harm."""
    assert [row for row, _ in unsplittable([["a"], ["b;c"], None], "multipicklist")] == [1]
    assert [row for row, _ in unsplittable([[{"name": "x,y"}], ABSENT], "tags")] == [0]
    assert list(unsplittable(["a;b,c"], "text")) == []


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, max_size=9))
def test_whatever_is_packed_is_read_back(cells):
    """Quotes, commas, line breaks; only the rows that were asked for."""
    columns = {"Name": cells, "Place": [str(place) for place in range(len(cells))]}
    rows = range(len(cells) // 2, len(cells))
    archive = zipfile.ZipFile(io.BytesIO(zipped("Leads.csv", csv_bytes(columns, rows))))
    assert archive.namelist() == ["Leads.csv"]
    text = archive.read("Leads.csv").decode()
    header, *read = csv.reader(io.StringIO(text.replace("\0", "\x01"), newline=""))
    assert header == ["Name", "Place"]
    assert [row[1] for row in read] == columns["Place"][rows.start :]
    assert [row[0] for row in read] == [each.replace("\0", "\x01") for each in cells[rows.start :]]


def test_columns_that_tell_rows_apart_come_first():
    """Those named first, then those with most distinct values."""
    columns = {"City": ["a", "a", "b"], "Phone": ["1", "2", "3"], "Email": ["x", "x", "x"]}
    assert by_distinct_values(columns, ["Email"]) == ["Email", "Phone", "City"]
    assert by_distinct_values(columns, []) == ["Phone", "City", "Email"]


def result(path, *rows, header="Last_Name,Email,STATUS,RECORD_ID,ERRORS"):
    """Write a result as Zoho does."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Leads-Leads.csv", "\n".join([header, *rows]) + "\n")
    return path


def test_a_result_is_read(tmp_path):
    """As the page shows it: the first columns, then three that every result has."""
    path = result(
        tmp_path / "1.zip",
        '"Osei, K",osei@example.com,ADDED,4108,',
        ",rao@example.com,SKIPPED,,MANDATORY_NOT_FOUND-Company,Last_Name:DUPLICATE_DATA-Email",
    )
    sent = [("Osei, K", "osei@example.com"), ("", "rao@example.com")]
    first, second = read_results(path, sent)
    assert first == RowResult(("Osei, K", "osei@example.com"), "ADDED", "4108", "")
    assert (second.status, second.record_id) == ("SKIPPED", "")


def test_errors_with_commas_are_quoted_or_not(tmp_path):
    """The page's own sample has commas in ERRORS: what is behind the last column belongs to it."""
    said = "MANDATORY_NOT_FOUND-Company,Last_Name:DUPLICATE_DATA-Email"
    bare = result(tmp_path / "1.zip", f"x,y,SKIPPED,,{said}")
    quoted = result(tmp_path / "2.zip", f'x,y,SKIPPED,,"{said}"')
    for path in (bare, quoted):
        [row] = read_results(path, [("x", "y")])
        assert row.errors == said


def test_what_is_no_result_is_refused(tmp_path):
    """Another file, or half of one."""
    path = result(tmp_path / "1.zip", header="Last_Name,Email")
    with pytest.raises(JobError, match="lacks STATUS"):
        read_results(path, [])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(JobError, match="not a complete ZIP"):
        read_results(path, [])


def results(*rows):
    """Rows of a result, in short."""
    return [RowResult(tuple(row[:-3]), *row[-3:]) for row in rows]


def test_rows_that_agree_with_the_order_are_taken_in_order():
    """Even those that look alike; trimmed cells are the same cells."""
    rows = results(("a", "ADDED", "1", ""), ("a", "SKIPPED", "", "X-a"), ("b", "ADDED", "2", ""))
    assert match_results([("a",), ("a ",), (" b",)], rows) == rows


def test_rows_in_another_order_are_found_by_their_cells():
    """Which is why the columns that tell them apart are sent first."""
    rows = results(("b", "x", "ADDED", "2", ""), ("a", "x", "ADDED", "1", ""))
    assert match_results([("a", "x"), ("b", "x")], rows) == rows[::-1]


def test_rows_that_look_alike_share_their_fate_and_not_their_ids():
    """Where their results differ, it is unknown whose is whose."""
    rows = results(("b", "ADDED", "3", ""), ("a", "ADDED", "1", ""), ("a", "ADDED", "2", ""))
    found = match_results([("a",), ("a",), ("b",)], rows)
    assert [(each.status, each.record_id) for each in found] == [
        ("ADDED", ""),
        ("ADDED", ""),
        ("ADDED", "3"),
    ]
    rows[2] = RowResult(("a",), "SKIPPED", "", "X-a")
    assert match_results([("a",), ("a",), ("b",)], rows)[:2] == [None, None]


def test_rows_that_are_missing_in_a_result_are_unknown():
    """And a row too many is ignored."""
    rows = results(("a", "ADDED", "1", ""), ("c", "ADDED", "3", ""))
    assert match_results([("a",), ("b",)], rows) == [rows[0], None]


def test_a_file_is_joined_with_what_was_sent(tmp_path):
    """Read and found in one go."""
    path = result(tmp_path / "1.zip", "b,y,ADDED,2,", "a,x,ADDED,1,")
    assert [each.record_id for each in read_results(path, [("a", "x"), ("b", "y")])] == ["1", "2"]
