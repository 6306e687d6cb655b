"""One typed frame, the same by every route, and every cell what the answer says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from zcrm_nb.errors import DataWarning, ZohoError
from zcrm_nb.frames import Column, directory, to_frame

if TYPE_CHECKING:
    from collections.abc import Iterator


def body(page: list[dict[str, Any]]) -> bytes:
    """Write one page as Zoho sends it."""
    return orjson.dumps({"data": page, "info": {"count": len(page), "more_records": False}})


def stubborn(page: list[dict[str, Any]]) -> bytes:
    """Write it so that Arrow's parser refuses and JSON allows it: a key said twice."""
    records = [f'{{"id":"0",{json.dumps({"id": None, **record})[1:]}' for record in page]
    return f'{{"data":[{",".join(records)}]}}'.encode()


def cells(column: Column, record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tell what the table must say, from the json module and the contract alone."""
    value = record.get(column.name)
    if column.kind in {"lookup", "user"}:
        yield column.name, (value or {}).get("name")
        yield f"{column.name}.id", (value or {}).get("id")
    elif column.kind == "tags":
        yield column.name, [tag["name"] for tag in value or []]
    elif column.kind == "multipicklist":
        yield column.name, value or []
    elif value is not None and column.kind in {"date", "datetime"}:
        parse = date.fromisoformat if column.kind == "date" else datetime.fromisoformat
        yield column.name, parse(value)
    elif value is not None and column.kind == "float":
        yield column.name, float(value)
    else:
        yield column.name, value


def shown(df: pd.DataFrame, name: str) -> list[Any]:
    """Give the cells of a column as plain Python."""
    if df[name].dtype == object:
        return df[name].tolist()
    values = [None if pd.isna(value) else value for value in df[name]]
    return [v.date() if v and df[name].dtype == "datetime64[s]" else v for v in values]


@given(data=st.data())
def test_every_cell_says_what_the_json_module_reads(
    columns: list[Column], pages: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """No value is changed, lost, guessed or moved to another row or column."""
    bodies = [body(page) for page in data.draw(pages)]
    df = to_frame(bodies, columns)
    records = [record for each in bodies for record in json.loads(each)["data"]]
    expected: dict[str, list[Any]] = {name: [] for name in df.columns}
    for record in records:
        for column in columns:
            for name, value in cells(column, record):
                expected[name].append(value)
    assert {name: shown(df, name) for name in df.columns} == expected


@given(data=st.data())
def test_bodies_stubborn_bodies_and_records_give_the_same_frame(
    columns: list[Column], pages: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """The quick way, the patient way, and records somebody parsed already: one frame."""
    drawn = data.draw(pages)
    quick = to_frame([body(page) for page in drawn], columns)
    assert_frame_equal(to_frame([stubborn(page) for page in drawn], columns), quick)
    assert_frame_equal(to_frame(iter(drawn), columns), quick)
    mixed = [page if i % 2 else body(page) for i, page in enumerate(drawn)]
    assert_frame_equal(to_frame(mixed, columns), quick)


DTYPES = {
    "id": "string",
    "Text": "string",
    "Account_Name.Industry": "category",
    "Choices": "object",
    "Whole": "Int64",
    "Amount": "float64",
    "Opt_Out": "boolean",
    "Closing_Date": "datetime64[s]",
    "What_Id->Leads.Created_Time": "datetime64[s, UTC]",
    "Account_Name": "string",
    "Account_Name.id": "string",
    "Owner": "string",
    "Owner.id": "string",
    "Tag": "object",
    "Subform": "object",
}
FULL = {
    "id": "4108880000000012345",
    "Text": "NA",
    "Account_Name.Industry": "Bank",
    "Choices": ["A"],
    "Whole": 5,
    "Amount": 2.5,
    "Opt_Out": True,
    "Closing_Date": "2026-03-31",
    "What_Id->Leads.Created_Time": "2026-03-31T10:00:00+05:30",
    "Account_Name": {"name": "Northwind", "id": "4108"},
    "Owner": {"name": "Ruiz", "id": "4109"},
    "Tag": [{"name": "hot", "id": "1", "color_code": "#fff"}],
    "Subform": [{"id": "1"}],
}


@pytest.mark.parametrize(
    "page",
    [[], [FULL], [dict.fromkeys(FULL)], [{}], [FULL, {}]],
    ids=["no rows", "one row", "all null", "no keys", "full and empty"],
)
@pytest.mark.parametrize("route", [body, stubborn, list])
def test_dtypes_come_from_the_metadata_alone(
    columns: list[Column], page: list[dict[str, Any]], route: Any
) -> None:
    """No rows, one row and nothing but nulls have the dtypes of a full table."""
    df = to_frame([route(page)], columns)
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == DTYPES
    assert df["Text"].dtype == pd.StringDtype("pyarrow")
    assert isinstance(df.index, pd.RangeIndex)
    assert len(df) == len(page)
    categories = df["Account_Name.Industry"].cat.categories
    assert categories.tolist() == ["Café", "Bank", "007"]
    assert categories.dtype == pd.StringDtype("pyarrow")
    assert not df["Account_Name.Industry"].cat.ordered


@pytest.mark.parametrize("pages", [[], [b""], [b"", b""], b"", [[]], iter([])])
def test_no_answer_at_all_is_an_empty_frame(columns: list[Column], pages: Any) -> None:
    """HTTP 204 has no body: no rows, all columns."""
    df = to_frame(pages, columns)
    assert df.shape == (0, len(DTYPES))
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == DTYPES


def test_a_lone_body_and_a_lone_list_of_records_are_one_page() -> None:
    """A file somebody saved needs no list around it."""
    columns = [Column("id", "text")]
    assert to_frame(body([{"id": "1"}]), columns)["id"].tolist() == ["1"]
    assert to_frame([{"id": "1"}], columns)["id"].tolist() == ["1"]


def test_order_of_rows_and_columns_is_the_order_asked() -> None:
    """Columns stand as asked, rows as they came, over pages of every form."""
    pages: list[Any] = [
        body([{"b": "1"}]),
        [{"b": "2"}],
        b"",
        stubborn([{"b": "3"}]),
        body([{"b": "4"}]),
    ]
    df = to_frame(pages, [Column("c", "text"), Column("b", "text"), Column("a", "lookup")])
    assert df.columns.tolist() == ["c", "b", "a", "a.id"]
    assert df["b"].tolist() == ["1", "2", "3", "4"]


def test_a_pretty_printed_answer_reads_like_any_other(columns: list[Column]) -> None:
    """Line breaks between values mean nothing."""
    pretty = json.dumps({"data": [FULL, FULL], "info": {}}, indent=2).encode()
    assert_frame_equal(to_frame([pretty, body([FULL])], columns), to_frame([[FULL] * 3], columns))


def test_ids_keep_all_their_digits_and_zeros() -> None:
    """Nineteen digits do not survive a float; a leading zero does not survive a number."""
    page = [{"id": "9223372036854775807", "Zip": "00742"}, {"id": None, "Zip": None}]
    df = to_frame(body(page), [Column("id", "text"), Column("Zip", "text")])
    assert df["id"].tolist() == ["9223372036854775807", pd.NA]
    assert df["Zip"].tolist() == ["00742", pd.NA]


def test_big_whole_numbers_stay_exact_beside_a_null() -> None:
    """Above 2**53 a float64 column would round."""
    df = to_frame(body([{"n": 2**53 + 1}, {"n": None}]), [Column("n", "integer")])
    assert df["n"].iloc[0] == 2**53 + 1


@pytest.mark.parametrize(
    ("kind", "sent", "read"),
    [
        ("integer", "12", 12),
        ("integer", 5.0, 5),
        ("integer", "5.0", 5),
        ("integer", "", None),
        ("float", "10.50", 10.5),
        ("float", 3, 3.0),
        ("float", "", None),
        ("boolean", "true", True),
        ("boolean", "False", False),
        ("text", 12, "12"),
        ("text", 4108880000000012345, "4108880000000012345"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", {"a": ["é"]}, '{"a": ["é"]}'),
        ("text", "half an emoji \ud83d", "half an emoji \ufffd"),
        ("picklist", 2024, "2024"),
        ("multipicklist", "A;B", ["A", "B"]),
        ("multipicklist", "", []),
        ("multipicklist", [1, "B"], ["1", "B"]),
        ("tags", ["hot"], ["hot"]),
        ("datetime", "2026-05-14T12:56:45.000+05:30", pd.Timestamp("2026-05-14T07:26:45Z")),
        ("datetime", "1901-05-14 12:56:45Z", pd.Timestamp("1901-05-14T12:56:45Z")),
    ],
)
def test_a_value_in_another_dress_is_read_for_what_it_means(
    kind: str, sent: Any, read: Any
) -> None:
    """From bytes and from records, alone and beside well-behaved values."""
    column = Column("X", kind)
    page = [{"X": sent}, {"X": None}]
    expected = to_frame([[{"X": None}]], [column])["X"].dtype
    for pages in ([page], [json.dumps({"data": page}).encode()], [[], page, b""]):
        df = to_frame(pages, [column])
        assert shown(df, "X") in ([read, None], [read, []])
        if kind != "picklist":
            assert df["X"].dtype == expected


@pytest.mark.parametrize(
    ("sent", "name", "id_"),
    [
        ({"id": "4108"}, None, "4108"),
        ({"id": 4108, "name": 7}, "7", "4108"),
        ("4108", None, "4108"),
        (4108, None, "4108"),
        ("Northwind", "Northwind", None),
        ("", None, None),
        ({}, None, None),
    ],
)
def test_a_lookup_may_be_less_than_an_object(sent: Any, name: Any, id_: Any) -> None:
    """COQL gives some lookups as bare {"id"}, API v2 gave bare ids."""
    for page in ([{"X": sent}], json.dumps({"data": [{"X": sent}]}).encode()):
        df = to_frame([page], [Column("X", "lookup")])
        assert shown(df, "X") == [name]
        assert shown(df, "X.id") == [id_]


MISFITS = [
    ("integer", 5.5),
    ("integer", True),
    ("integer", "five"),
    ("integer", 2**63),
    ("integer", [5]),
    ("float", "1,5"),
    ("float", False),
    ("float", {"value": 12.5}),
    ("boolean", "perhaps"),
    ("boolean", 1),
    ("date", "2026-02-30"),
    ("date", "2026-03-31T10:00:00+05:30"),
    ("datetime", "2026-03-31T10:00:00"),
    ("datetime", "2026-03-31"),
    ("datetime", "2026-03-31T10:00:00.5Z"),
    ("datetime", 1711872000000),
    ("lookup", [1]),
    ("user", True),
    ("multipicklist", {"A": 1}),
    ("tags", "hot"),
]
FIT = {"integer": 5, "float": 2.5, "boolean": True, "date": "2026-03-31", "tags": [{"name": "x"}]}
FIT |= {"datetime": "2026-03-31T10:00:00Z", "lookup": {"name": "A", "id": "1"}}
FIT |= {"user": {"name": "A", "id": "1"}, "multipicklist": ["A"]}


def pages_with(kind: str, value: Any) -> Iterator[Any]:
    """Put a value into row 1 of a table, by every way that a page can come."""
    page = [{"X": FIT[kind]}, {"X": value}, {"X": None}]
    yield from ([page], [body(page)], [body(page[:1]), body(page[1:])], [page[:1], page[1:]])


@pytest.mark.parametrize(("kind", "sent"), MISFITS)
def test_a_value_that_does_not_fit_stops_the_table_if_it_is_to(kind: str, sent: Any) -> None:
    """The message names column, row and value, and the ways to read it all the same."""
    for pages in pages_with(kind, sent):
        with pytest.raises(ZohoError, match=r"X: a value .*\(row 1\)") as caught:
            to_frame(pages, [Column("X", kind)], errors="raise")
        assert repr(sent) in str(caught.value)
        assert "as_is=['X']" in str(caught.value)


@pytest.mark.parametrize(("kind", "sent"), MISFITS)
def test_a_value_that_does_not_fit_is_kept_as_it_came(kind: str, sent: Any) -> None:
    """One cell must not cost the table, nor get lost in it; a warning says where it is."""
    for pages in pages_with(kind, sent):
        with pytest.warns(DataWarning, match=r"X, row 1: .* is not a valid") as warned:
            df = to_frame(pages, [Column("X", kind)])
        assert len(warned) == 1
        assert df["X"].dtype == object
        assert df["X"].iloc[1] == sent
        assert type(df["X"].iloc[1]) is type(sent)
        assert df["X"].iloc[0] == to_frame([[{"X": FIT[kind]}]], [Column("X", kind)])["X"].iloc[0]
        assert kind in {"tags", "multipicklist"} or pd.isna(df["X"].iloc[2])


@pytest.mark.parametrize(("kind", "sent"), MISFITS)
def test_a_value_that_does_not_fit_is_missing_if_dtypes_matter_more(kind: str, sent: Any) -> None:
    """With "coerce" the dtypes are those of any other answer."""
    for pages in pages_with(kind, sent):
        with pytest.warns(DataWarning, match="missing"):
            df = to_frame(pages, [Column("X", kind)], errors="coerce")
        meant = to_frame([[{"X": FIT[kind]}, {}, {}]], [Column("X", kind)])
        assert_frame_equal(df, meant)


def test_many_misfits_give_one_warning() -> None:
    """One line for each of five columns, the first value of each, and how many more there are."""
    columns = [Column(f"C{number}", "integer") for number in range(8)]
    page = [{column.name: "x" for column in columns}] * 300
    with pytest.warns(DataWarning) as warned:
        to_frame([page], columns)
    (warning,) = warned
    assert "C0, row 0: 'x' is not a valid integer (299 more)" in str(warning.message)
    assert "3 more columns" in str(warning.message)
    assert warning.filename == __file__


def test_a_column_can_be_read_as_it_came() -> None:
    """The way out that the messages name."""
    page = [{"X": "2026-03-31", "Y": {"name": "A", "id": "1"}}, {"X": 5, "Y": None}]
    columns = [Column("X", "datetime"), Column("Y", "lookup")]
    df = to_frame(body(page), columns, as_is=["X", "Y"])
    assert df.columns.tolist() == ["X", "Y"]
    assert df["X"].tolist() == ["2026-03-31", 5]
    assert df["Y"].tolist() == [{"name": "A", "id": "1"}, None]
    with pytest.raises(ValueError, match="as_is names columns that are not read: Z"):
        to_frame(iter([]), columns, as_is=["Z"])
    with pytest.raises(TypeError, match=r"as_is=\['X'\]"):
        to_frame(iter([]), columns, as_is="X")
    with pytest.raises(ValueError, match="errors must be"):
        to_frame(iter([]), columns, errors="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", [None, 5, "x", ["id"]])
def test_entries_that_are_not_records_are_left_out_with_a_word(entry: Any) -> None:
    """A null among the records is not a record of nulls."""
    for pages in ([body([{"X": "a"}, entry, {"X": "b"}])], [[{"X": "a"}, entry, {"X": "b"}]]):
        with pytest.warns(DataWarning, match="1 entries that are not records"):
            df = to_frame(pages, [Column("X", "text")])
        assert df["X"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "INVALID_QUERY", "message": "no", "status": "error"},
        {"data": [{"code": "INVALID_QUERY", "message": "no", "status": "error", "details": {}}]},
        {"data": [{"id": "1"}, {"code": "INVALID_QUERY", "message": "no", "status": "error"}]},
    ],
)
def test_a_refusal_under_http_200_is_an_error_with_its_code(answer: Any) -> None:
    """It must not become a row of nulls."""
    with pytest.raises(ZohoError, match="INVALID_QUERY: no"):
        to_frame(json.dumps(answer).encode(), [Column("id", "text"), Column("City", "text")])


@pytest.mark.parametrize("text", ["a\x01b", "tab\there", "line\nbreak"])
def test_control_characters_inside_a_text_are_read(text: str) -> None:
    """Strictly they are not JSON; a module must not be unreadable because of one."""
    answer = b'{"data":[{"id":"1","X":"' + text.encode() + b'"}]}'
    assert to_frame(answer, [Column("id", "text"), Column("X", "text")])["X"].tolist() == [text]


def test_bytes_that_are_not_utf_8_are_replaced_with_a_word() -> None:
    """One byte must not cost the page."""
    with pytest.warns(DataWarning, match="not UTF-8"):
        df = to_frame(b'{"data":[{"id":"\xff"}]}', [Column("id", "text")])
    assert df["id"].tolist() == ["\ufffd"]


def test_picklist_values_the_crm_does_not_list_follow_in_sorted_order() -> None:
    """Old records hold values that were deleted from the list; they are kept, behind the known."""
    df = to_frame(
        [[{"S": s} for s in ("z", "Won", None, "a")]], [Column("S", "picklist", ("Won", "Lost"))]
    )
    assert df["S"].cat.categories.tolist() == ["Won", "Lost", "a", "z"]
    assert shown(df, "S") == ["z", "Won", None, "a"]


@pytest.mark.parametrize(
    "value",
    ["text", 5, 2.5, True, None, [1], {"a": 1}, "2026-03-31", datetime(2026, 3, 31, tzinfo=UTC)],
)
def test_objects_stay_what_they_are(value: Any) -> None:
    """Pandas would like to make texts, numbers and datetimes of them."""
    df = to_frame([[{"X": value}, {"X": value}, {}]], [Column("X", "object")])
    assert df["X"].dtype == object
    assert df["X"].tolist() == [value, value, None]
    assert type(df["X"][0]) is type(value)


def test_the_directory_gives_users_their_full_names() -> None:
    """REST tells "Ada Ruiz", COQL "Ruiz": with the directory both tables say the same."""
    users = directory([{"id": "1", "full_name": "Ada Ruiz"}, {"id": "3", "full_name": None}])
    rest = [{"Owner": {"name": "Ada Ruiz", "id": "1", "email": "ada@example.com"}}]
    coql = [{"Owner": {"name": "Ruiz", "id": "1"}}]
    owner = [Column("Owner", "user")]
    assert_frame_equal(
        to_frame(body(rest), owner, users=users), to_frame(body(coql), owner, users=users)
    )
    gone = [
        {"Owner": {"name": "Gone", "id": "2"}},
        {"Owner": None},
        {"Owner": {"name": "B", "id": "3"}},
    ]
    assert shown(to_frame(body(gone), owner, users=users), "Owner") == ["Gone", None, "B"]
    account = to_frame(
        body([{"Owner": {"name": "x", "id": "1"}}]), [Column("Owner", "lookup")], users=users
    )
    assert shown(account, "Owner") == ["x"]


def test_another_time_zone_shows_the_same_moments() -> None:
    """A moment stays the moment it was, on either side of a change of clocks."""
    times = ["2026-03-29T00:59:59+00:00", "2026-03-29T03:00:00+02:00", None]
    df = to_frame(body([{"T": t} for t in times]), [Column("T", "datetime")], tz="Europe/Berlin")
    assert str(df["T"].dtype) == "datetime64[s, Europe/Berlin]"
    assert [t and t.isoformat() for t in shown(df, "T")] == [
        "2026-03-29T01:59:59+01:00",
        "2026-03-29T03:00:00+02:00",
        None,
    ]


@pytest.mark.parametrize("route", [body, stubborn])
def test_exact_numbers_never_pass_through_a_float(route: Any) -> None:
    """The decimals are the digits of the answer."""
    digits = ["0.1", "12345678901234567.89", "-3.20", "7", "1e3", "243333.33333333334"]
    raw = '{"data":[' + ",".join(f'{{"A":{d}}}' for d in digits) + ',{"A":null}]}'
    if route is stubborn:
        raw = raw.replace('{"A":', '{"A":0,"A":')
    df = to_frame(raw.encode(), [Column("A", "float")], exact=True)
    assert shown(df, "A") == [*map(Decimal, digits), None]
    assert df["A"].sum() == sum(map(Decimal, digits))
    assert df["A"].dtype == to_frame([], [Column("A", "float")], exact=True)["A"].dtype


def test_exact_takes_records_and_texts_and_refuses_to_round() -> None:
    """A float's shortest text is what JSON had; more than 18 places are an error."""
    df = to_frame([[{"A": 0.1}, {"A": "2.50"}, {"A": 3}]], [Column("A", "float")], exact=True)
    assert shown(df, "A") == [Decimal("0.1"), Decimal("2.5"), Decimal(3)]
    with pytest.raises(ZohoError, match="1E-19"):
        to_frame(b'{"data":[{"A":1e-19}]}', [Column("A", "float")], exact=True, errors="raise")


def test_columns_never_share_a_name() -> None:
    """COQL may ask for Account_Name and Account_Name.id; the table has each once."""
    page = [{"A": {"name": "x", "id": "1"}, "A.id": "1"}]
    asked = [Column("A.id", "text"), Column("A", "lookup"), Column("A", "lookup")]
    df = to_frame([page], asked)
    assert df.columns.tolist() == ["A", "A.id"]
    with pytest.raises(ValueError, match="'A'"):
        to_frame([page], [Column("A", "lookup"), Column("A", "text")])


def test_cells_can_be_written() -> None:
    """The table is the reader's own: nothing in it is a read-only view of a parser's buffer."""
    columns = [Column(k, k) for k in ("text", "integer", "float", "boolean", "date", "datetime")]
    row = {"text": "a", "integer": 1, "float": 0.5, "boolean": True}
    row |= {"date": "2026-01-01", "datetime": "2026-01-01T00:00:00Z"}
    df = to_frame(body([row]), columns)
    new = ["b", 2, 1.5, False, pd.Timestamp("2026-02-01"), pd.Timestamp("2026-02-01", tz="UTC")]
    for column, value in zip(columns, new, strict=True):
        df.loc[0, column.name] = value
    assert df.iloc[0].tolist() == new


@pytest.mark.parametrize(
    "wrong",
    [b'{"code": "INVALID_TOKEN"}', b'{"data": null}', b"[]", b'"x"', b"null", b"5", b"true"],
)
def test_an_answer_without_records_is_an_error(wrong: bytes) -> None:
    """An error object must never look like an empty table."""
    with pytest.raises(ZohoError, match="no records"):
        to_frame([body([{"id": "1"}]), wrong], [Column("id", "text")])


@pytest.mark.parametrize("torn", [b'{"data": [{"id": "1"}', b"<html>", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_an_error(torn: bytes) -> None:
    """Torn bodies give no table."""
    with pytest.raises(ZohoError, match="not valid JSON"):
        to_frame([body([{"id": "1"}]), torn], [Column("id", "text")])


def test_a_page_is_bytes_or_records() -> None:
    """Anything else is the caller's mistake."""
    with pytest.raises(TypeError, match="str"):
        to_frame(['{"data": []}'], [Column("id", "text")])  # type: ignore[list-item]
