"""Cells and lines of the files of Bulk Read."""

import csv
import io
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.bulk.support import Jobber
from zcrm_nb.emulator.bulk.csv_export import line
from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.emulator.query.joins import Target
from zcrm_nb.emulator.settings import BulkSettings
from zcrm_nb.emulator.storage.store import Store

#: What SQLite keeps of a text and a CSV file can hold.
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))
#: Numbers of 16 digits, which is what a field holds, and 9 decimals, which is what a rate has.
NUMBERS = st.integers(-(10**15), 10**15).map(lambda number: number / 1000) | st.floats(
    -1e6, 1e6
).map(lambda number: round(number, 9))
MOMENTS = st.integers(0, 4_000_000_000)


def cells(store, names, record, settings=None):
    """Write one lead as a line, and read it as CSV."""
    module = store.schema.modules["Leads"]
    targets = [Target(module.by_name[name], module, "t0") for name in names]
    with store.transaction():
        store.insert("Leads", [{"Last_Name": "x", **record}], user=1)
        expression = line(targets, store.zone, settings or BulkSettings())
        (text,) = store.read(f"SELECT {expression} FROM Leads AS t0 ORDER BY id DESC LIMIT 1")[0]
    return next(csv.reader(io.StringIO(text, newline=""), strict=True))


RECORDS = st.fixed_dictionaries(
    {
        "Company": TEXTS,
        "Description": TEXTS,
        "Lead_Score": NUMBERS,
        "Created_Time": MOMENTS,
        "Email_Opt_Out": st.booleans(),
    }
)


@given(RECORDS, st.booleans())
def test_what_is_stored_is_read_back(store_of_all, record, always):
    """Texts with quotes and line breaks, numbers to the last digit, moments and booleans."""
    names = ["Company", "Description", "Lead_Score", "Created_Time", "Email_Opt_Out"]
    text, other, number, moment, flag = (record[name] for name in names)
    settings = BulkSettings(quotes_all_text=always)
    row = cells(store_of_all, [*names, "City"], record, settings)
    assert row[1:3] == [text, other]
    assert float(row[3]) == number
    assert datetime.fromisoformat(row[4]).timestamp() == moment
    assert row[4].endswith("+05:30")
    assert row[5:] == ["true" if flag else "false", ""]


@pytest.mark.parametrize(
    "number",
    [-313372349254270900.0, 892233825.25 * 76003177.5, 2 / 3, 0.1 + 0.2, 1.5, 0.0],
)
def test_a_number_has_the_digits_that_a_list_has(store_of_all, number):
    """The fewest that are the number itself: 16 of some, never a 17th."""
    _, cell = cells(store_of_all, ["Lead_Score"], {"Lead_Score": number})
    assert Decimal(cell) == Decimal(repr(number))
    _, empty = cells(store_of_all, ["Lead_Score"], {})
    assert empty == ""


@pytest.fixture(scope="module")
def store_of_all(schema):
    """Open an org without records, once for all examples."""
    with closing(Store(schema, ManualClock())) as store:
        yield store


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "UTC"])
def test_moments_have_the_offset_of_their_season(schema, zone):
    """Where clocks are turned, and where they are not."""
    with closing(Store(schema, ManualClock(), zone=zone)) as store:
        for moment in (1_768_000_000, 1_784_000_000):
            row = cells(store, ["Created_Time"], {"Created_Time": moment})
            assert row[1] == datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat()
        utc = cells(store, ["Created_Time"], {"Created_Time": 0}, BulkSettings(utc=True))
        assert utc[1] == "1970-01-01T00:00:00+00:00"


def test_empty_values_are_empty_cells(store):
    """Of any type."""
    names = ["Company", "Lead_Score", "Next_Follow_Up", "Referred_By", "Last_Visited_Time"]
    assert cells(store, names, {})[1:] == [""] * len(names)


def test_habits_that_are_settings(store):
    """Booleans, what joins choices, where the id stands."""
    settings = BulkSettings(booleans=("1", "0"), multi_select_joint=",", id_first=False)
    names = ["Email_Opt_Out", "Languages_Known"]
    record = {"Email_Opt_Out": 1, "Languages_Known": "Hindi;Tamil"}
    assert cells(store, names, record, settings)[:2] == ["1", "Hindi,Tamil"]
    assert cells(store, names, record, settings)[2].isdecimal()


def test_two_hundred_columns_make_one_line(store):
    """More than one call of a function takes."""
    row = cells(store, ["Company"] * 200, {"Company": "A, B"})
    assert row[1:] == ["A, B"] * 200


def test_habits_of_the_file(make):
    """Line ends, the byte order mark, the name and place of the id."""
    habits = BulkSettings(newline="\r\n", encoding="utf-8-sig", id_column="id", id_first=False)
    bulk = Jobber(make({"bulk": habits}))
    text = bulk.file(bulk.read("Leads", fields=["Last_Name"]))[1]
    assert text.startswith("Last_Name,id\r\n")
    assert text.count("\r\n") == text.count("\n") == 41


def test_lookups_are_ids_and_names_come_by_dots(bulk_of, ask):
    """As the page says; a dotted path keeps its name."""
    names = ["Owner", "Owner.last_name", "Account_Name", "Account_Name.Account_Name"]
    rows = bulk_of.rows(bulk_of.read("Contacts", fields=names))
    records = ask("GET", "/Contacts", {"fields": "Owner,Account_Name"}).body["data"]
    accounts = {each["id"]: each["Account_Name"] or {"id": "", "name": ""} for each in records}
    for row in rows:
        assert (row["Account_Name"], row["Account_Name.Account_Name"]) == (
            accounts[row["Id"]]["id"],
            accounts[row["Id"]]["name"],
        )
        assert row["Owner"].isdecimal()
        assert row["Owner.last_name"]


def test_subforms_and_links_are_exported_as_modules(bulk_of):
    """Their rows know their parent."""
    rows = bulk_of.rows(bulk_of.read("Quoted_Items", fields=["Parent_Id", "Parent_Id.Subject"]))
    assert rows
    assert all(row["Parent_Id"] and row["Parent_Id.Subject"] for row in rows)


@pytest.fixture
def bulk_of(ask):
    """A jobber in a fresh, tiny org."""
    return Jobber(ask)
