"""Input as it is sent: one verdict for a row by every verb, and choices about bad rows."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worlds import Org
from zcrm_nb.api.acting import mass
from zcrm_nb.api.writing.bulk_table import BulkWriteRequest, bulk_table
from zcrm_nb.api.writing.prepare import WriteRequest, prepare
from zcrm_nb.emulator import ManualClock
from zcrm_nb.frames import InvalidDataError, column_for
from zcrm_nb.frames.csv_writer import csv_cells


@pytest.fixture
def crm(connected):
    """A CRM on an org of its own."""
    nothing = dict.fromkeys(["Deals", "Tasks", "Calls", "Events", "Campaigns"], 0)
    rows = {**nothing, "Leads": 30, "Accounts": 6, "Contacts": 10, "Site_Visits": 0}
    with Org(clock=ManualClock(), rows=rows) as emulator:
        yield connected(emulator)


def writes(calls):
    """The calls that change records."""
    return [call for call in calls if call.method != "GET" and not call.path.endswith("/coql")]


BAD = {
    "e-mail": ("Email", "nobody", "not a valid e-mail address"),
    "number": ("No_of_Employees", 1.5, "not a whole number"),
    "choice": ("Rating", "Superb", "'Superb' is not in the list."),
    "mandatory": ("Last_Name", None, "mandatory"),
    "length": ("City", "x" * 500, "500 characters"),
    "surrogate": ("Description", "a\ud83d", "half of a character pair"),
    "control": ("City", "a\x00", "a control character"),
    "infinite": ("Annual_Revenue", np.inf, "an infinite number"),
    "digits": ("Annual_Revenue", 10**30, "64 bits"),
    "time": ("Next_Follow_Up", pd.Timestamp("2026-01-01 10:00"), "no zone"),
    "object": ("City", b"Pune", "no form for bytes"),
}


@pytest.mark.parametrize("as_table", [True, False])
@pytest.mark.parametrize(("name", "value", "problem"), BAD.values(), ids=BAD)
def test_bad_rows_are_reported_and_the_others_sent(crm, name, value, problem, as_table):
    """A line of the report for each row of the input, in its order, under its index."""
    rows = [{"Last_Name": f"L{n}", name: None} for n in range(4)]
    rows = [{**row, "Last_Name": row["Last_Name"] or f"L{n}"} for n, row in enumerate(rows)]
    rows[1][name] = rows[3][name] = value
    source = pd.DataFrame(rows, dtype=object, index=list("abcd")) if as_table else rows
    if name == "Last_Name":
        source = pd.DataFrame({name: ["L0", value, "L2", value]}, index=list("abcd"))
    before = crm.count("Leads")
    with crm.trace() as calls, pytest.raises(InvalidDataError, match="2 problems"):
        crm.insert("Leads", source)
    assert writes(calls) == []
    report = crm.insert("Leads", source, invalid="report")
    assert report["status"].tolist() == ["done", "refused", "done", "refused"]
    assert report["code"].tolist()[1::2] == ["INVALID_DATA"] * 2
    assert report["field"].tolist()[1::2] == [name] * 2
    assert report["message"].str.contains(problem, regex=False).tolist() == [0, 1, 0, 1]
    assert crm.count("Leads") == before + 2
    assert crm.report()["message"].tolist() == report["message"].tolist()
    assert report.undo()["status"].tolist() == ["done"] * 4
    assert crm.count("Leads") == before


@pytest.mark.parametrize("verb", ["update", "upsert"])
def test_bad_rows_of_existing_records_are_left_alone(crm, verb):
    """Neither their old values are lost, nor the way back of the others."""
    table = crm.coql("select Last_Name, Email, City from Leads where Email is not null limit 3")
    old, table["City"] = table.copy(), ["Pune", "x" * 500, "Goa"]
    options = {"duplicate_check_fields": "Email"} if verb == "upsert" else {}
    report = getattr(crm, verb)("Leads", table, invalid="report", **options)
    assert report["status"].tolist() == ["done", "refused", "done"]
    assert report["id"].tolist() == table["id"].tolist()
    now = crm.records("Leads", ["City"], ids=table["id"])["City"].fillna("").tolist()
    assert now == ["Pune", old["City"].fillna("")[1], "Goa"]
    assert report.undo()["status"].tolist() == ["done"] * 3


def test_rows_that_mean_one_record_are_reported_but_for_the_first(crm):
    """Batches are sent side by side, in no order."""
    people = [{"Last_Name": "A", "Email": f"{name}@w.example"} for name in ("a", "b", "A")]
    report = crm.upsert("Leads", people, duplicate_check_fields="Email", invalid="report")
    assert report["status"].tolist() == ["done", "done", "refused"]
    assert report["message"][2] == "not sent: repeated: also in row 0; keep one"


def test_keys_that_lead_nowhere_are_reported(crm):
    """Of the record itself, and of a lookup."""
    key = "ERP_Customer_Id"
    crm.upsert("Accounts", [{"Account_Name": "A", key: "77"}], duplicate_check_fields=key)
    rows = [{key: "77", "Fax": "1"}, {key: "nope", "Fax": "1"}, {key: None, "Fax": "1"}]
    report = crm.update("Accounts", rows, external=key, invalid="report")
    assert report["status"].tolist() == ["done", "refused", "refused"]
    people = [{"Last_Name": "x", f"Account_Name.{key}": value} for value in ("77", "nope", None)]
    report = crm.insert("Contacts", people, invalid="report")
    assert report["status"].tolist() == ["done", "refused", "done"]
    assert report["field"][1] == f"Account_Name.{key}"


def test_a_lookup_is_given_in_one_way(crm):
    """By its id or by another system's, for they may differ."""
    row = {"Last_Name": "x", "Account_Name.id": "1", "Account_Name.ERP_Customer_Id": "77"}
    with pytest.raises(ValueError, match="drop one"):
        crm.insert("Contacts", row)


def test_rows_with_bad_rows_in_a_subform_are_reported(crm):
    """The whole record stays out."""
    visits = pd.DataFrame({"Name": ["V", "W"]}, index=["v", "w"])
    spent = pd.DataFrame({"parent_id": ["v", "w", "w"], "Amount": ["12.5", "much", "1,5"]})
    report = crm.insert("Site_Visits", visits, subforms={"Expenses": spent}, invalid="report")
    assert report["status"].tolist() == ["done", "refused"]
    assert report["message"]["w"].count("Expenses.Amount: ") == 2
    assert crm.subform("Site_Visits", "Expenses", report["id"]["v"])["Amount"].tolist() == [12.5]


def test_a_table_without_a_good_row_sends_nothing(crm):
    """It has a report all the same."""
    with crm.trace() as calls:
        report = crm.insert("Leads", [{"Last_Name": None}, {"Last_Name": ""}], invalid="report")
    assert writes(calls) == []
    assert report["status"].tolist() == ["refused", "refused"]


@pytest.mark.parametrize("invalid", ["raise", "report"])
def test_columns_that_cannot_be_written_are_errors_in_any_case(crm, invalid):
    """They are wrong in every row; so is a choice that does not exist."""
    with pytest.raises(InvalidDataError, match="unknown field"):
        crm.insert("Leads", {"Last_Name": "x", "Ctiy": "Pune"}, invalid=invalid)
    with pytest.raises(ValueError, match="invalid='keep': choose 'raise' or 'report'"):
        crm.insert("Leads", {"Last_Name": "x"}, invalid="keep")


@pytest.mark.parametrize("empty", [None, "", np.nan, pd.NA])
@pytest.mark.parametrize("verb", ["update", "upsert", "diff"])
def test_a_gap_leaves_the_field_alone_on_request(crm, verb, empty):
    """Text, picklist, number, date, multi-select, tags, mandatory: what is there stays."""
    full = {
        "Last_Name": "Osei",
        "Email": "osei@w.example",
        "City": "Accra",
        "Rating": "Active",
        "No_of_Employees": 5,
        "Annual_Revenue": 12.5,
        "Next_Follow_Up": "2026-10-01",
        "Languages_Known": ["English"],
        "Email_Opt_Out": True,
        "Tag": ["vip"],
    }
    made = crm.insert("Leads", full)
    gaps = dict.fromkeys(full, empty) | {"Email": full["Email"], "Phone": "555-0100"}
    table = pd.DataFrame([gaps], dtype=object)
    if verb == "update":
        report = crm.update("Leads", table.assign(id=made["id"]), ignore_empty=True)
    elif verb == "upsert":
        options = {"duplicate_check_fields": "Email", "ignore_empty": True}
        report = crm.upsert("Leads", table, **options)
    else:
        plan = crm.diff("Leads", table, key="Email", ignore_empty=True)
        assert plan.cells["column"].tolist() == ["Phone"]
        report = plan.apply()
    assert report["status"].tolist() == ["done"]
    now = crm.request("GET", f"Leads/{made['id'][0]}")["data"][0]
    assert now["Phone"] == "555-0100"
    for name in full.keys() - {"Tag", "Next_Follow_Up"}:
        assert now[name] == full[name], name
    assert [tag["name"] for tag in now["Tag"]] == ["vip"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("City", "Accra"),
        ("Rating", "Active"),
        ("Annual_Revenue", 5),
        ("Languages_Known", "English"),
    ],
)
def test_a_gap_empties_the_field_by_default(crm, name, value):
    """As null, by every verb alike."""
    made = crm.insert("Leads", [{"Last_Name": "x", name: value}] * 2)
    for record_id, empty in zip(made["id"], (None, ""), strict=True):
        assert crm.update("Leads", {"id": record_id, name: empty})["status"].tolist() == ["done"]
        assert not crm.request("GET", f"Leads/{record_id}")["data"][0][name]


@pytest.mark.parametrize("verb", ["insert", "update", "upsert", "diff"])
@pytest.mark.parametrize("label", [0, ("City", "x"), np.nan, pd.Timestamp("2026-01-01"), None])
def test_column_names_that_are_not_text_are_named(crm, verb, label):
    """In tables and in records, by every verb."""
    options = {"upsert": {"duplicate_check_fields": "Email"}}.get(verb, {})
    lead = crm.records("Leads", ["City"], limit=1)["id"][0]
    row = {"id": lead, "Last_Name": "x", label: "y"}
    for source in (pd.DataFrame([row.values()], columns=pd.Index(row, dtype=object)), [row]):
        with pytest.raises(InvalidDataError, match="the column name is not text"):
            getattr(crm, verb)("Leads", source, **options)


@pytest.mark.parametrize("key", [0, "0", 0.0])
def test_rows_of_a_subform_need_one_record_each(crm, key):
    """A label that two records share cannot say whose they are."""
    visits = pd.DataFrame({"Name": ["V", "W"]}, index=[key, key])
    spent = pd.DataFrame({"parent_id": [key], "Amount": [12.5]})
    with pytest.raises(ValueError, match="several records of one parent_id"):
        crm.insert("Site_Visits", visits, subforms={"Expenses": spent})


# ---- One form for a value by every door ----------------------------------------------------------


def described(name, data_type, **more):
    """Describe a field as Zoho does."""
    return {"api_name": name, "data_type": data_type, "custom_field": True, **more}


CHOICES = [{"display_value": each, "actual_value": each} for each in ("New", "Won", "5", "True")]
FIELDS = {
    each["api_name"]: each
    for each in (
        described("Name", "text", length=40),
        described("Note", "textarea", length=2000),
        described("Phone", "phone", length=30),
        described("Stage", "picklist", pick_list_values=CHOICES),
        described("Langs", "multiselectpicklist", pick_list_values=CHOICES),
        described("Count", "integer", length=9),
        described("Number", "bigint", length=18),
        described("Amount", "currency", length=16),
        described("Share", "percent"),
        described("Flag", "boolean"),
        described("Due", "date"),
        described("At", "datetime"),
        described("Account", "lookup"),
        {"api_name": "Tag", "data_type": "text"},
        described("Lines", "subform", associated_module={"module": "Lines"}),
    )
}


class FakeCatalogue:
    """Knows one module, and its subform, which has the same fields."""

    def fields(self, module):
        return FIELDS

    def field(self, module, name):
        return FIELDS[name]


CONTEXT = SimpleNamespace(catalogue=FakeCatalogue())


def outcome(door, name, value):
    """Send a cell through a door: its JSON, or what is wrong with it."""
    try:
        return "sent", door(name, value)
    except InvalidDataError as error:
        return "refused", sorted(set(error.problems["problem"]))


def saved(source, name, **options):
    """Prepare a row for an upsert."""
    rows = prepare(CONTEXT, source, WriteRequest("Visits", "upsert", **options))
    return rows.data[name][0]


def as_records(name, value):
    """As a list of dicts."""
    return saved([{name: value}], name)


def columns_with(value):
    """Columns that hold a cell above a gap, of the dtypes that pandas makes of it."""
    yield pd.Series([value, None], dtype=object)
    if isinstance(value, list | tuple | set | dict):
        return
    made = [lambda: pd.Series([value, None]), lambda: pd.Series(pd.Categorical([value, None]))]
    if isinstance(value, int) and abs(value) >= 2**53:  # pandas makes floats of these two
        made = []  # which have lost digits, and are refused for that
    if not isinstance(value, float | Decimal | np.floating):  # would become integers
        made.append(lambda: pd.Series([value, None], dtype=object).convert_dtypes())
    for make in made:
        with suppress(UnicodeError, OverflowError):  # of pandas: there is no such column
            yield make()


def as_column(column):
    """As a column of a table."""
    return lambda name, value: saved(pd.DataFrame({name: column}), name)


def as_subform(name, value):
    """In a row of a subform."""
    return saved([{"Lines": [{name: value}]}], "Lines")[0][name]


def as_subform_table(name, value):
    """In the table of a subform."""
    rows = pd.DataFrame({"parent_id": [0], name: pd.Series([value], dtype=object)})
    source = pd.DataFrame({"Note": ["x"]})
    return saved(source, "Lines", subforms={"Lines": rows})[0][name]


def as_mass_update(name, value):
    """As the value that many records get."""
    return mass.checked_values(CONTEXT.catalogue, "Visits", {name: value})[name]


def as_csv(name, value):
    """As the cell of a bulk write."""
    df = pd.DataFrame({name: pd.Series([value], dtype=object)})
    table = bulk_table(CONTEXT, df, BulkWriteRequest("Visits", "insert"))
    return next(iter(table.columns.values()))[0]


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(-99, 99).map(float),
    st.floats(),
    st.floats(width=32).map(np.float32),
    st.integers(-99, 99).map(np.int64),
    st.decimals(allow_nan=False, places=2, min_value=-(10**6), max_value=10**6),
    st.sampled_from(
        [Decimal("NaN"), Decimal("94109.0"), Decimal("1E+2"), Decimal("12345678901234567.89")]
    ),
    st.sampled_from([94109.0, 4155550100.0, 2.0**53, 2.0**60, -0.0, 1e-7, 1.2044253e10]),
)
TEXTS = st.one_of(
    st.sampled_from(["", " ", "5", "5.0", "1234.5", "1,234.5", "1e3", "true", "False", "New;Won"]),
    st.sampled_from(["New", "Won; 5;", "2026-03-31", "2026-03-31T10:00:00+05:30", "=1", "\ud83d"]),
    st.text(max_size=12),
)
TIMES = st.one_of(
    st.dates(),
    st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - without a zone too
    st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kolkata")])),
    st.datetimes(datetime(1800, 1, 1), datetime(2200, 1, 1)).map(pd.Timestamp),  # noqa: DTZ001
)
OTHERS = st.one_of(
    st.sampled_from([None, np.nan, pd.NA, pd.NaT, True, False, np.bool_(True), b"x", 1j]),
    st.sampled_from([["New"], ["New", None], [5], [], ("Won",), {"New"}, {"id": 7}, {"id": "7"}]),
    st.sampled_from([{"id": 7.0}, {"id": 4.1e18}, {"id": None}, {"name": "x"}, [{"name": "vip"}]]),
)
CELLS = st.one_of(NUMBERS, TEXTS, TIMES, OTHERS)
NAMES = sorted(FIELDS.keys() - {"Lines"})


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(NAMES), value=CELLS)
def test_a_cell_has_one_form_and_one_verdict_by_every_door(name, value):
    """Whatever container it comes in: its field decides."""
    expected = outcome(as_records, name, value)
    doors = [as_subform, as_subform_table, *map(as_column, columns_with(value))]
    if FIELDS[name]["data_type"] not in mass.NOT_IN_MASS:
        doors.append(as_mass_update)
    for door in doors:
        assert outcome(door, name, value) == expected, door
    verdict, form = expected
    in_cell, cell = outcome(as_csv, name, value)
    if in_cell == "sent":
        kind = column_for(FIELDS[name]).kind
        assert (verdict, csv_cells([form], kind)) == ("sent", [cell])
        assert "e+" not in cell or kind not in ("integer", "float")
    else:
        assert verdict == "refused" or "separates values" in cell[0]
    if verdict == "sent":
        orjson.dumps(form)
