"""Stored values on the wire, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zcrm_nb.emulator.storage.codec import Style, encode, nested, render, shape
from zcrm_nb.emulator.storage.schema import Field, Schema
from zcrm_nb.emulator.storage.store import Store

ADMIN = 410888040000000002


def shown(store: Store, module: str, field: str, style: Style, record: int | None = None) -> object:
    """One field of one record as the wire shows it."""
    shaped = shape(store.schema.module(module).by_name[field], "t", style, store)
    columns = ", ".join(shaped.expressions) or "NULL"
    where = "" if record is None else f"WHERE id = {record}"
    rows = store.read(f'SELECT {columns} FROM "{module}" t {where} LIMIT 1')
    return render(rows, [field], [shaped])[0][field]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
WORDS = st.text("abc äशा'\"%,", min_size=1, max_size=8)
IDS = st.integers(1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.integers(-(10**9), 4 * 10**9).map(lambda at: datetime.fromtimestamp(at, UTC))
OBJECTS = st.dictionaries(WORDS, st.none() | st.booleans() | WORDS, max_size=3)
#: What clients may send, by kind of value.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("text", "textarea", "mediumtext", "email", "phone", "website", "picklist",
                     "autonumber", "profileimage"), TEXTS),
    **dict.fromkeys(("double", "decimal", "currency", "percent"), FLOATS),
    **dict.fromkeys(("RRULE", "ALARM", "consent_lookup"), OBJECTS),
    **dict.fromkeys(("jsonarray", "fileupload", "imageupload", "multireminder", "time_range",
                     "linetax"), st.lists(OBJECTS, max_size=3)),
    "multiselectpicklist": st.lists(WORDS, max_size=4),
    "boolean": st.booleans(),
    "integer": st.integers(-(10**9), 10**9),
    "bigint": IDS.map(str),
    "date": st.dates(date(1900, 1, 1)).map(date.isoformat),
}  # fmt: skip


def plain_field(schema: Schema, kind: str) -> tuple[str, Field]:
    """Find a stored, written field of a kind, and its module."""
    return next(
        (module.api_name, each)
        for module in schema.modules.values()
        for each in module.fields
        if each.written and each.kind == kind and each.api_name != "id"
    )


@pytest.mark.parametrize("kind", VALUES)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_what_is_encoded_is_shown_again(store: Store, kind: str, data: st.DataObject) -> None:
    """For every kind of value: encode, store, fetch and show gives back what was sent."""
    module, field = plain_field(store.schema, kind)
    sent = data.draw(VALUES[kind])
    (record,) = store.insert(module, [{field.api_name: encode(field, sent)}], user=ADMIN)
    assert shown(store, module, field.api_name, "rest", record) == sent
    assert shown(store, module, field.api_name, "coql", record) == sent


@settings(deadline=None, max_examples=25)
@given(moment=MOMENTS, hours=st.integers(-11, 13))
def test_a_datetime_means_the_same_moment_in_every_zone(
    schema: Schema, moment: datetime, hours: int
) -> None:
    """Whatever offset it was sent with, the store keeps the moment."""
    field = schema.modules["Deals"].by_name["Stage_Modified_Time"]
    sent = f"{moment + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}{hours:+03d}:00"
    assert encode(field, sent) == moment.timestamp()


def test_datetimes_show_the_offset_of_the_orgs_zone(small: Store) -> None:
    """No milliseconds, no Z: seconds and +05:30."""
    text = str(shown(small, "Leads", "Created_Time", "rest"))
    assert text.endswith("+05:30")
    assert len(text) == len("2026-05-14T12:56:45+05:30")


def test_users_show_full_name_and_email_in_rest_and_last_name_in_coql(small: Store) -> None:
    """Zoho's oddity number one for everybody who joins on owners."""
    rest: Any = shown(small, "Leads", "Owner", "rest")
    coql: Any = shown(small, "Leads", "Owner", "coql")
    assert set(rest) == {"name", "id", "email"}
    assert set(coql) == {"name", "id"}
    assert rest["id"] == coql["id"]
    assert rest["name"].endswith(coql["name"])
    assert rest["name"] != coql["name"]


def test_lookups_show_name_and_id_and_nothing_shows_null(small: Store) -> None:
    """An account by its name, a contact by the full one; an empty lookup is null."""
    (deal, name), *_ = small.read(
        "SELECT d.id, c.Full_Name FROM Deals d JOIN Contacts c ON c.id = d.Contact_Name"
    )
    contact: Any = shown(small, "Deals", "Contact_Name", "coql", deal)
    assert contact["name"] == name
    assert contact["id"].isdigit()
    (without,), *_ = small.read("SELECT id FROM Deals WHERE Contact_Name IS NULL")
    assert shown(small, "Deals", "Contact_Name", "rest", without) is None


def test_a_multi_module_lookup_says_its_module_and_keeps_its_name_from_coql(small: Store) -> None:
    """REST gives name, id and module; COQL leaves the name out. What_Id is a plain lookup."""
    (note, module), *_ = small.read('SELECT id, "$se_module" FROM Notes')
    rest: Any = shown(small, "Notes", "Parent_Id", "rest", note)
    coql: Any = shown(small, "Notes", "Parent_Id", "coql", note)
    assert rest["module"]["api_name"] == module
    assert set(rest) == {"name", "id", "module"}
    assert set(coql) == {"id", "module"}
    (task,), *_ = small.read("SELECT id FROM Tasks WHERE What_Id IS NOT NULL")
    what: Any = shown(small, "Tasks", "What_Id", "rest", task)
    assert set(what) == {"name", "id"}
    assert what["name"]


def test_empty_lists_are_lists_and_other_empty_values_are_null(store: Store) -> None:
    """The key is always there."""
    store.insert("Leads", [{"Last_Name": "x"}], user=ADMIN)
    expected: dict[str, object] = {"Tag": [], "Languages_Known": [], "City": None, "Email": None,
                                   "Annual_Revenue": None, "Converted_Account": None,
                                   "Converted__s": False}  # fmt: skip
    assert {name: shown(store, "Leads", name, "rest") for name in expected} == expected


def test_ids_and_bigints_are_strings_and_the_layout_is_an_object(small: Store) -> None:
    """Eighteen digits never meet a float."""
    assert str(shown(small, "Accounts", "id", "coql")).isdigit()
    assert isinstance(shown(small, "Accounts", "Account_Number", "rest"), str)
    layout: Any = shown(small, "Accounts", "Layout", "rest")
    assert set(layout) == {"name", "display_label", "id"}


def test_the_rows_of_a_subform_carry_their_parent_and_formulas(small: Store) -> None:
    """A single invoice shows its line items with id, Parent_Id, times and totals."""
    (invoice, count), *_ = small.read(
        "SELECT Parent_Id, count(*) FROM Invoiced_Items GROUP BY 1 ORDER BY 2 DESC"
    )
    module = small.schema.modules["Invoices"]
    rows: Any = nested(module.by_name["Invoiced_Items"], module, invoice, small)
    assert len(rows) == count > 1
    assert rows[0]["Parent_Id"]["id"] == str(invoice)
    assert rows[0]["Product_Name"]["name"]
    assert rows[0]["Total"] == rows[0]["Quantity"] * rows[0]["List_Price"]
    assert {"id", "Created_Time", "Modified_Time"} <= rows[0].keys()


def test_a_link_shows_its_own_id_and_its_far_end(small: Store) -> None:
    """``[{"id": link, "Products_Shown": {name, id}}]``, and users likewise."""
    module = small.schema.modules["Site_Visits"]
    (visit,), *_ = small.read("SELECT Site_Visit FROM Site_Visits_X_Products")
    (row, *_) = nested(module.by_name["Products_Shown"], module, visit, small)
    assert set(row) == {"id", "Products_Shown"}
    (visit,), *_ = small.read("SELECT Site_Visit FROM Site_Visits_X_Users")
    (row, *_) = nested(module.by_name["Engineers"], module, visit, small)
    assert set(row) == {"id", "Engineers"}


@pytest.mark.parametrize(
    ("module", "field", "value", "expected"),
    [
        ("Leads", "Last_Name", 5, "string"),
        ("Leads", "No_of_Employees", "5", "integer"),
        ("Leads", "No_of_Employees", True, "integer"),
        ("Leads", "No_of_Employees", 1.5, "integer"),
        ("Leads", "Annual_Revenue", "1", "double"),
        ("Leads", "Email_Opt_Out", "false", "boolean"),
        ("Leads", "Languages_Known", "English", "jsonarray"),
        ("Leads", "Languages_Known", [1], "jsonarray"),
        ("Leads", "Next_Follow_Up", "2026-02-30", "date"),
        ("Leads", "Next_Follow_Up", "20260228", "date"),
        ("Leads", "Converted_Date_Time", "2026-02-28T10:00:00", "datetime"),
        ("Leads", "Converted_Date_Time", "2026-02-28T10:00:00.5+05:30", "datetime"),
        ("Leads", "Owner", "410888040000000001", "jsonobject"),
        ("Leads", "Owner", {"name": "x"}, "jsonobject"),
        ("Leads", "Owner", {"id": "x"}, "jsonobject"),
        ("Leads", "Tag", {}, "jsonarray"),
        ("Accounts", "Account_Number", "12a", "bigint"),
        ("Accounts", "Account_Number", 2**63, "bigint"),
        ("Tasks", "Remind_At", [], "jsonobject"),
    ],
)
def test_a_value_that_does_not_fit_names_the_type_that_does(
    schema: Schema, module: str, field: str, value: object, expected: str
) -> None:
    """The error's text is Zoho's ``expected_data_type``; nothing is bent into shape."""
    with pytest.raises(ValueError, match=f"^{expected}$"):
        encode(schema.modules[module].by_name[field], value)


def test_null_empties_any_field(schema: Schema) -> None:
    """Sending null is how a value is removed."""
    for module in schema.modules.values():
        for field in module.fields:
            assert encode(field, None) is None


def test_an_answer_without_rows_renders_to_nothing(small: Store) -> None:
    """No rows, no records, for fields of every shape."""
    fields = [each for each in small.schema.modules["Leads"].fields if each.column]
    shaped = [shape(each, "Leads", "rest", small) for each in fields]
    assert render([], [each.api_name for each in fields], shaped) == []
