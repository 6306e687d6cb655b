"""Parts of a bulk export: the same table as the same records make as JSON, or a clear error."""

from __future__ import annotations

import csv
import io
import zipfile
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from zcrm_nb.errors import JobError, ZohoError
from zcrm_nb.frames import (
    NOT_IN_BULK,
    Column,
    FrameAssembler,
    PartReader,
    from_parts,
    header,
    in_id_order,
    to_frame,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    Zipped = Callable[[str | bytes], Path]

ID = Column("id", "text")
TWO = Column("Last_Name", "text"), Column("Country", "picklist", ("India",))
NAMES = {"Account_Name": "Account_Name.Account_Name"}
USERS = {str(number): f"User {number}" for number in range(1, 50)}


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Zipped:
    """Write a CSV text into a ZIP as Bulk Read does."""
    folder, made = tmp_path_factory.mktemp("parts"), iter(range(10**6))

    def zipped(text: str | bytes) -> Path:
        path = folder / f"{next(made)}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("4108.csv", text)
        return path

    return zipped


def csv_text(columns: list[Column], records: Iterable[dict[str, Any]]) -> str:
    """Write records as Bulk Read writes them: ids of lookups, names under a dotted path."""
    heads = [name for each in columns for name in heads_of(each)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")  # as RFC 4180 has it; quotes both characters
    writer.writerow(["Id", *(name for name in heads if name != "id")])
    for record in records:
        row = dict(pair for each in columns for pair in cells(each, record.get(each.name)))
        writer.writerow([row["id"], *(row[name] for name in heads if name != "id")])
    return out.getvalue()


def heads_of(column: Column) -> list[str]:
    """Name the columns of the file that a column needs."""
    return [column.name, *filter(None, [NAMES.get(column.name)])]


def cells(column: Column, value: Any) -> Iterable[tuple[str, str]]:
    """Write one value."""
    if column.kind in {"lookup", "user"}:
        yield column.name, (value or {}).get("id", "")
        yield NAMES.get(column.name, "-"), (value or {}).get("name", "")
    elif column.kind == "multipicklist":
        yield column.name, ";".join(value or ())
    elif column.kind == "boolean":
        yield column.name, "" if value is None else str(value).lower()
    else:
        yield column.name, "" if value is None else str(value)


def in_json(columns: list[Column], record: dict[str, Any]) -> dict[str, Any]:
    """Say the same in JSON, less what a CSV file cannot tell: an empty text from none."""
    said = dict(record)
    for column in columns:
        value = record.get(column.name)
        if column.kind == "multipicklist":
            said[column.name] = ";".join(value or ()) or None
        elif column.kind in {"lookup", "user"}:
            said[column.name] = value and {"id": value["id"], "name": value.get("name") or None}
            if column.kind == "user" and value:
                said[column.name]["name"] = None
        elif value == "":
            said[column.name] = None
    return said


def body(page: list[dict[str, Any]]) -> bytes:
    """Write a page of JSON."""
    return orjson.dumps({"data": page})


@pytest.fixture(scope="session")
def held(columns: list[Column]) -> list[Column]:
    """The columns that a CSV file can hold: one of each kind, but subforms and tags."""
    return [each for each in columns if each.kind not in NOT_IN_BULK]


def by_id(pages: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Give records the ids that an org would give them: each another, ascending."""
    numbers = iter(range(1, 10**6))
    return [[{**each, "id": str(4108880000000012345 + next(numbers))} for each in p] for p in pages]


few = settings(max_examples=25)


@few
@given(data=st.data())
def test_a_bulk_export_and_json_give_the_identical_table(
    held: list[Column], pages: Any, zipped: Zipped, data: st.DataObject
) -> None:
    """Columns, dtypes and cells, of every kind that a file can hold, in any number of parts."""
    drawn = by_id(data.draw(pages))
    paths = [zipped(csv_text(held, page)) for page in drawn]
    reader = PartReader(held, names=NAMES, users=USERS)
    bodies = [body([in_json(held, each) for each in page]) for page in drawn]
    expected = to_frame(bodies, held, users=USERS)
    assert_frame_equal(from_parts(paths, reader), expected)
    told = [len(page) for page in drawn]
    assert_frame_equal(from_parts(paths, reader, rows=told), expected)


@few
@given(data=st.data())
def test_streamed_and_mended_parts_hold_the_same_as_parts_read_at_once(
    held: list[Column], pages: Any, zipped: Zipped, data: st.DataObject
) -> None:
    """Three ways through a file, one content; a stream's types are those of the schema."""
    records = [each for page in by_id(data.draw(pages)) for each in page]
    path = zipped(csv_text(held, records))
    reader = PartReader(held, names=NAMES, users=USERS)
    quick = filled(reader, reader.table(path))
    assert_frame_equal(filled(reader, streamed(reader, path)), quick)
    mended = pa.Table.from_batches(reader._patiently(path), reader.stored)
    assert_frame_equal(filled(reader, mended), quick)


def streamed(reader: PartReader, path: Path, **options: int) -> pa.Table:
    """Put the batches of a part together; their types must be the schema's."""
    return pa.Table.from_batches(reader.batches(path, **options), reader.stored)


def filled(reader: PartReader, table: pa.Table) -> pd.DataFrame:
    """Make a frame of one table."""
    filler = FrameAssembler(reader.columns, exact=reader.exact)
    filler.add(0, table)
    return filler.frame()


def read(zipped: Zipped, text: str | bytes, *columns: Column, **options: Any) -> pd.DataFrame:
    """Read one part by these columns, the quick way and as a stream: the same."""
    reader, path = PartReader(columns, **options), zipped(text)
    whole = filled(reader, reader.table(path))
    assert_frame_equal(filled(reader, streamed(reader, path)), whole)
    return whole


# ---- What goes wrong elsewhere -------------------------------------------------------------------


def test_line_ends_inside_a_text_stay_what_they_are(zipped: Zipped) -> None:
    """A fifth of all descriptions has some; none of them ends a row."""
    text = 'Id,Description\n1,"a\nb"\n2,"c\r\nd"\n3,"e\rf, ""g"""\n'
    df = read(zipped, text, ID, Column("Description", "text"))
    assert df["Description"].tolist() == ["a\nb", "c\r\nd", 'e\rf, "g"']


def test_ids_keep_all_their_digits_beside_empty_ones(zipped: Zipped) -> None:
    """As numbers with a null among them they would lose the last ones."""
    text = "Id,Account_Name\n4108880000000012345,4876876000000333001\n4108880000000012346,\n"
    df = read(zipped, text, ID, Column("Account_Name", "lookup"))
    assert df["id"].tolist() == ["4108880000000012345", "4108880000000012346"]
    assert df["Account_Name.id"].tolist() == ["4876876000000333001", pd.NA]


@pytest.mark.parametrize("word", ["NA", "N/A", "null", "NULL", "None", "nan", "-", "#N/A", "inf"])
def test_names_that_look_like_nothing_are_names(zipped: Zipped, word: str) -> None:
    """Namibia has the country code NA, and people are called Null."""
    df = read(zipped, f"Id,Last_Name,Country\n1,{word},{word}\n", ID, *TWO)
    assert df.loc[0, ["Last_Name", "Country"]].tolist() == [word, word]
    assert df["Country"].cat.categories.tolist() == ["India", word]


def test_an_empty_text_and_nothing_look_the_same(zipped: Zipped) -> None:
    """Whether Zoho quotes it or not."""
    df = read(zipped, 'Id,Last_Name,Country\n1,"",""\n2,,\n', ID, *TWO)
    assert df[["Last_Name", "Country"]].isna().all(axis=None)


def test_zeros_in_front_and_plus_signs_stay(zipped: Zipped) -> None:
    """A phone number is no number."""
    df = read(zipped, "Id,Last_Name\n1,007\n2,+91 98\n3,1e5\n", ID, TWO[0])
    assert df["Last_Name"].tolist() == ["007", "+91 98", "1e5"]


def test_moments_in_several_offsets_are_one_column_of_utc(zipped: Zipped) -> None:
    """Summer time alone gives two; pandas by itself leaves such a column text."""
    times = ["2026-03-28T10:00:00+01:00", "2026-03-29T10:00:00+02:00", "", "2026-01-01T00:00:00Z"]
    text = "Id,At\n" + "\n".join(f"{number},{at}" for number, at in enumerate(times))
    df = read(zipped, text, ID, Column("At", "datetime"))
    assert df["At"].dtype == "datetime64[s, UTC]"
    assert df["At"].dt.strftime("%d %H:%M").fillna("-").tolist() == [
        "28 09:00",
        "29 08:00",
        "-",
        "01 00:00",
    ]


def test_a_moment_without_an_offset_is_an_error(zipped: Zipped) -> None:
    """Which zone it is in cannot be known, and is not guessed."""
    reader = PartReader([ID, Column("At", "datetime")])
    with pytest.raises(ZohoError, match="At: a value is not a valid datetime"):
        reader.table(zipped("Id,At\n1,2026-03-28T10:00:00\n"))


def test_moments_are_shown_in_the_zone_asked_for(zipped: Zipped) -> None:
    """The same moment, on another clock."""
    reader = PartReader([ID, Column("At", "datetime")])
    df = from_parts([zipped("Id,At\n1,2026-03-28T10:00:00Z\n")], reader, tz="Asia/Kolkata")
    assert df["At"].dtype == "datetime64[s, Asia/Kolkata]"
    assert str(df["At"][0]) == "2026-03-28 15:30:00+05:30"


def test_categories_come_in_the_order_of_the_crm_and_strangers_behind(zipped: Zipped) -> None:
    """No value is lost, and the order of the first parts to be read does not matter."""
    column = Column("Stage", "picklist", ("New", "Won", "Lost"))
    paths = [zipped("Id,Stage\n1,Zombie\n2,Won"), zipped("Id,Stage\n3,Alien\n4,\n5,Won")]
    df = from_parts(paths, PartReader([ID, column]))
    assert df["Stage"].cat.categories.tolist() == ["New", "Won", "Lost", "Alien", "Zombie"]
    assert df["Stage"].astype("string").fillna("-").tolist() == [
        "Zombie",
        "Won",
        "Alien",
        "-",
        "Won",
    ]


def test_more_values_than_a_small_number_counts_are_still_a_category(zipped: Zipped) -> None:
    """A field that is called a picklist may hold anything after an import."""
    column, names = Column("Stage", "picklist", ("New",)), [f"v{i}" for i in range(40_000)]
    halves = [names[:20_000], names[20_000:]]
    paths = [zipped("Id,Stage\n" + "".join(f"{v[1:]},{v}\n" for v in half)) for half in halves]
    df = from_parts(paths, PartReader([Column("id", "text"), column]), rows=[20_000, 20_000])
    assert df["Stage"].astype("string").tolist() == names


def test_exact_numbers_are_what_is_written(zipped: Zipped) -> None:
    """Not the nearest float to it."""
    df = read(
        zipped, "Id,A\n1,0.1\n2,12345678901234567.89\n3,\n", ID, Column("A", "float"), exact=True
    )
    assert df["A"].tolist() == [Decimal("0.1"), Decimal("12345678901234567.89"), pd.NA]


def test_a_multi_select_is_a_list_of_its_own(zipped: Zipped) -> None:
    """Empty where nothing is chosen, and not shared between rows."""
    df = read(zipped, "Id,L\n1,English;Hindi\n2,\n3,Tamil\n4,\n", ID, Column("L", "multipicklist"))
    assert df["L"].tolist() == [["English", "Hindi"], [], ["Tamil"], []]
    df["L"][1].append("Odia")
    assert df["L"][3] == []


def test_a_byte_order_mark_is_no_part_of_a_name(zipped: Zipped) -> None:
    """Spreadsheets want one."""
    path = zipped("\ufeffId,City\n1,Pune\n")
    assert header(path) == ["Id", "City"]
    assert PartReader([ID, Column("City", "text")]).table(path).to_pylist() == [
        {"id": "1", "City": "Pune"}
    ]


@pytest.mark.parametrize("text", ["Id,City\n", "Id,City", ""])
def test_no_rows_have_the_same_types_as_some(zipped: Zipped, text: str, held: list[Column]) -> None:
    """With a header, or without anything."""
    some = from_parts([zipped(csv_text(held, [{"id": "1"}]))], PartReader(held, names=NAMES))
    none = from_parts([zipped(text)], PartReader(held, names=NAMES))
    assert len(none) == 0
    assert none.dtypes.equals(some.dtypes)


def test_columns_come_by_name_in_the_order_asked_for(zipped: Zipped) -> None:
    """Whatever the order in the file; what it lacks is empty, what else it holds is left out."""
    df = read(
        zipped, "City,Extra,Id\nPune,x,1\n", ID, Column("Zip", "text"), Column("City", "text")
    )
    assert df.columns.tolist() == ["id", "Zip", "City"]
    assert df.loc[0].tolist() == ["1", pd.NA, "Pune"]


@pytest.mark.parametrize("name", ["Id", "id"])
def test_the_record_id_is_found_under_either_name(zipped: Zipped, name: str) -> None:
    """The file says Id, the documentation id."""
    assert read(zipped, f"{name},City\n41,Pune\n", ID)["id"].tolist() == ["41"]


def test_users_are_named_by_the_directory_first(zipped: Zipped) -> None:
    """By the file where the directory has no name for them, else not at all."""
    text = "Id,Owner,Owner.last_name\n1,7,Seven\n2,700,Ruiz\n3,,\n"
    df = read(
        zipped, text, ID, Column("Owner", "user"), users=USERS, names={"Owner": "Owner.last_name"}
    )
    assert df["Owner"].fillna("-").tolist() == ["User 7", "Ruiz", "-"]
    df = read(zipped, text, ID, Column("Owner", "user"), users=USERS)
    assert df["Owner"].fillna("-").tolist() == ["User 7", "-", "-"]


# ---- What does not fit ---------------------------------------------------------------------------


def test_values_in_another_dress_are_mended_column_by_column(zipped: Zipped) -> None:
    """As in JSON: 5.0 is 5, "True" is true; the other columns do not notice."""
    columns = [ID, Column("N", "integer"), Column("B", "boolean"), Column("At", "datetime"), TWO[0]]
    text = "Id,N,B,At,Last_Name\n1,5.0,True,2026-01-01T00:00:00.000+00:00,NA\n2,,,,\n"
    df = read(zipped, text, *columns)
    assert df["N"].tolist() == [5, pd.NA]
    assert df["B"].tolist() == [True, pd.NA]
    assert df["At"][0] == pd.Timestamp("2026-01-01", tz="UTC")
    assert df["Last_Name"].fillna("-").tolist() == ["NA", "-"]


def test_a_stream_goes_on_where_it_met_what_does_not_fit(zipped: Zipped) -> None:
    """Batches given before stay given: no row is missing, none comes twice."""
    rows = [f"{number},{number},{'x' * 60}\n" for number in range(60_000)]
    rows[50_000] = "50000,50000.0,y\n"
    reader = PartReader([ID, Column("N", "integer")])
    path = zipped("Id,N,T\n" + "".join(rows))
    given = list(reader.batches(path))
    assert len(given) > 2
    assert [n for each in given for n in each["N"].to_pylist()] == list(range(60_000))
    rest = streamed(reader, path, skip=12_345)
    assert rest["N"].to_pylist() == list(range(12_345, 60_000))


def test_a_stream_can_be_left_before_its_end(zipped: Zipped) -> None:
    """Whatever reads ahead must not wait for room that nobody makes any more."""
    path = zipped("Id,T\n" + "".join(f"{number},{'x' * 90}\n" for number in range(100_000)))
    batches = PartReader([ID, Column("T", "text")]).batches(path)
    assert next(batches)["id"][0].as_py() == "0"
    batches.close()
    assert list(batches) == []


def test_a_value_that_cannot_be_mended_is_named(zipped: Zipped) -> None:
    """A null in its place would be a silent loss."""
    reader = PartReader([ID, Column("N", "integer")])
    with pytest.raises(
        ZohoError,
        match=r"N: a value is not a valid integer \(row 1\).\nZoho sent 'twelve'.\nLeave the",
    ):
        reader.table(zipped("Id,N\n1,5\n2,twelve\n"))


def test_a_row_longer_than_a_block_is_read(zipped: Zipped) -> None:
    """Several rich texts in one record may come to more than a megabyte."""
    text = "word\n" * 500_000
    df = read(zipped, f'Id,T\n1,a\n2,"{text}"\n3,b\n', ID, Column("T", "text"))
    assert df["T"].tolist() == ["a", text, "b"]


def test_broken_utf_8_becomes_replacement_characters(zipped: Zipped) -> None:
    """A text that was cut in the middle of a letter must not cost the table."""
    df = read(zipped, b"Id,T\n1,caf\xc3\n2,\xc3\xa9\n", ID, Column("T", "text"))
    assert df["T"].tolist() == ["caf\ufffd", "é"]


@pytest.mark.parametrize("text", ["Id,City\n1,Pune,x\n", "Id,City\n1,Pune\n2\n"])
def test_a_file_that_is_no_table_is_an_error(zipped: Zipped, text: str) -> None:
    """Rows of different lengths: never half a table."""
    with pytest.raises(JobError, match="holds a table that cannot be read"):
        PartReader([ID, Column("City", "text")]).table(zipped(text))


def test_a_damaged_file_is_an_error_whatever_was_read_before(zipped: Zipped) -> None:
    """The checksum comes last, and is waited for."""
    path = zipped("Id,N\n" + "".join(f"{i},{i}\n" for i in range(100_000)))
    whole = bytearray(path.read_bytes())
    whole[whole.rfind(b"PK\x01\x02") + 16] ^= 1
    path.write_bytes(whole)
    reader = PartReader([ID, Column("N", "integer")])
    with pytest.raises(JobError, match="wrong checksum"):
        reader.table(path)
    with pytest.raises(JobError, match="wrong checksum"):
        list(reader.batches(path))


@pytest.mark.parametrize("kind", sorted(NOT_IN_BULK))
def test_kinds_that_no_file_holds_are_refused(kind: str) -> None:
    """Better than a column of nothing."""
    with pytest.raises(ValueError, match="No CSV file holds Thing"):
        PartReader([ID, Column("Thing", kind)])


# ---- Putting parts together ----------------------------------------------------------------------


def test_a_number_of_rows_told_wrong_costs_time_and_no_row(
    zipped: Zipped, held: list[Column]
) -> None:
    """The file is what counts; its checksum proved it whole."""
    records = [{"id": str(4108000 + i), "Whole": i, "Opt_Out": i % 2 == 0} for i in range(9)]
    paths = [zipped(csv_text(held, records[:4])), zipped(csv_text(held, records[4:]))]
    reader = PartReader(held, names=NAMES)
    expected = from_parts(paths, reader, rows=[4, 5])
    assert expected["Whole"].tolist() == list(range(9))
    for told in ([5, 4], [4, 6], [0, 0], [100, 100], [4]):
        assert_frame_equal(from_parts(paths, reader, rows=told), expected)


def test_records_come_by_id_each_of_them_once(zipped: Zipped) -> None:
    """Bulk Read documents no order, and pages may overlap while others delete."""
    paths = [zipped("Id,N\n9,9\n10,10\n"), zipped("Id,N\n10,10\n2,2\n")]
    df = from_parts(paths, PartReader([ID, Column("N", "integer")]))
    assert df["id"].tolist() == ["2", "9", "10"]
    assert in_id_order(df) is df


def test_what_comes_out_can_be_written_to(zipped: Zipped, held: list[Column]) -> None:
    """A table that refuses an assignment is of no use in a notebook."""
    rows = [{"id": "1", "Amount": 2.5, "Whole": 5, "Closing_Date": "2026-01-01", "Text": "a"}]
    df = from_parts([zipped(csv_text(held, rows))], PartReader(held, names=NAMES))
    df.loc[0, ["Amount", "Whole", "Text"]] = [3.5, 6, "b"]
    df.loc[0, "Closing_Date"] = pd.Timestamp("2026-02-02")
    assert df.loc[0, ["Amount", "Whole", "Text"]].tolist() == [3.5, 6, "b"]
