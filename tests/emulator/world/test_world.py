"""The seeded org."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zcrm_nb.emulator import world
from zcrm_nb.emulator.clock import WORLD_START, ManualClock
from zcrm_nb.emulator.storage.schema import Schema
from zcrm_nb.emulator.storage.store import Store

NOW = int(WORLD_START.timestamp())


@contextmanager
def built(schema: Schema, **how: Any) -> Iterator[Store]:
    """Build a store with a world in it."""
    store = Store(schema, ManualClock())
    world.build(store, **how)
    yield store
    store.close()


def rows(store: Store, module: str) -> list[tuple[Any, ...]]:
    """Every value of a module."""
    return store.read(f'SELECT * FROM "{module}" ORDER BY id')


def share(store: Store, module: str, condition: str) -> float:
    """How large a part of a module's records fulfils a condition."""
    ((value,),) = store.read(f'SELECT avg(coalesce({condition}, 0)) FROM "{module}"')
    return float(value)


def test_two_builds_are_equal_to_the_last_value(schema: Schema, small: Store) -> None:
    """A lesson shows the same numbers today and tomorrow."""
    with built(schema) as again:
        for module in schema.tables:
            assert rows(again, module.api_name) == rows(small, module.api_name), module.api_name


def test_another_seed_gives_another_org(schema: Schema, small: Store) -> None:
    """Names and sums differ, sizes do not."""
    with built(schema, seed=1) as other:
        assert rows(other, "Leads") != rows(small, "Leads")
        assert len(rows(other, "Leads")) == len(rows(small, "Leads"))


def test_fewer_leads_leave_all_other_modules_alone(schema: Schema, small: Store) -> None:
    """Only lookups to leads may differ; everything else keeps every value."""
    pointing = {"Tasks", "Events", "Calls", "Notes", "Site_Visits", "Lead_Status_History"}
    with built(schema, rows={"Leads": 300}) as fewer:
        assert len(rows(fewer, "Leads")) == 300
        for module in set(schema.modules) - {"Leads"} - pointing:
            assert rows(fewer, module) == rows(small, module), module
        for module, column in (("Tasks", "What_Id"), ("Notes", "Parent_Id")):
            others = f'SELECT * FROM "{module}" WHERE "$se_module" IS NOT \'Leads\''
            assert fewer.read(others) == small.read(others), column


def test_small_has_the_sizes_it_promises(small: Store) -> None:
    """2,400 leads with at least 150 in New Delhi; only what nobody uses yet is empty."""
    counts = {module: len(rows(small, module)) for module in small.schema.modules}
    assert (counts["Leads"], counts["Contacts"], counts["Accounts"], counts["Deals"]) == (
        2400, 1200, 400, 900,
    )  # fmt: skip
    unused = {"Sales_Orders", "Ordered_Items", "Purchase_Orders", "Purchase_Items", "Price_Books",
              "Cases", "Solutions"}  # fmt: skip
    assert {module for module, count in counts.items() if not count} == unused
    ((delhi,),) = small.read(
        "SELECT count(*) FROM Leads WHERE City = 'New Delhi' AND Converted__s = 0"
    )
    assert delhi >= 150


def test_any_module_can_be_made_empty(schema: Schema) -> None:
    """Whatever one leaves out, the others still stand."""
    for module in ("Leads", "Contacts", "Accounts", "Products", "Deals", "Site_Visits"):
        with built(schema, rows={module: 0}) as without:
            assert rows(without, module) == []
            assert without.read("PRAGMA foreign_key_check") == []


def test_every_lookup_points_to_a_record_that_is_there(small: Store) -> None:
    """Plain ones by foreign key, those to several modules one by one, owners among the users."""
    assert small.read("PRAGMA foreign_key_check") == []
    for module in small.schema.modules.values():
        pointer = module.polymorphic
        for target in pointer.targets if pointer else ():
            lost = small.read(
                f'SELECT id FROM "{module.api_name}" WHERE "$se_module" = ?'
                f' AND "{pointer and pointer.api_name}" NOT IN (SELECT id FROM "{target}")',
                (target,),
            )
            assert lost == [], module.api_name
    assert small.read("SELECT id FROM Leads WHERE Owner NOT IN (SELECT id FROM Users)") == []


def test_nothing_happens_before_what_it_rests_on_or_after_today(small: Store) -> None:
    """Deals follow their accounts and contacts, changes follow creation, today ends it all."""
    assert small.read(
        "SELECT d.id FROM Deals d JOIN Accounts a ON a.id = d.Account_Name"
        " WHERE d.Created_Time < a.Created_Time"
    ) == []  # fmt: skip
    assert small.read(
        "SELECT d.id FROM Deals d JOIN Contacts c ON c.id = d.Contact_Name"
        " WHERE d.Created_Time < c.Created_Time OR d.Account_Name != c.Account_Name"
    ) == []  # fmt: skip
    assert small.read(
        "SELECT id FROM Deals WHERE Stage LIKE 'Closed%'"
        " AND (Closing_Date < date(Created_Time, 'unixepoch', '330 minutes')"
        " OR Closing_Date > '2026-09-15')"
    ) == []  # fmt: skip
    assert small.read("SELECT id FROM Leads WHERE Converted_Date_Time < Created_Time") == []
    for module in ("Leads", "Deals", "Tasks", "Invoices"):
        ((first, last, backwards),) = small.read(
            f"SELECT min(Created_Time), max(Modified_Time), sum(Modified_Time < Created_Time)"
            f' FROM "{module}"'
        )
        assert first > NOW - 5 * 365 * 86_400
        assert last <= NOW
        assert backwards == 0


def test_a_converted_lead_is_the_contact_it_became(small: Store) -> None:
    """Name, mail and account agree; about one in eight has been converted."""
    assert 0.08 < share(small, "Leads", "Converted__s") < 0.16
    assert small.read(
        "SELECT l.id FROM Leads l JOIN Contacts c ON c.id = l.Converted_Contact"
        " WHERE l.Last_Name IS NOT c.Last_Name OR l.Email IS NOT c.Email"
        " OR l.Converted_Account IS NOT c.Account_Name"
    ) == []  # fmt: skip


def test_the_funnel_narrows_and_most_deals_are_lost(small: Store) -> None:
    """A fifth or so is open, fewer in each later stage; won deals are the smaller part."""
    stages = dict(small.read("SELECT Stage, count(*) FROM Deals GROUP BY 1"))
    still_open = sum(n for stage, n in stages.items() if not stage.startswith("Closed"))
    assert 0.1 < still_open / 900 < 0.3
    assert stages["Qualification"] > stages["Negotiation/Review"]
    assert 0.15 < stages["Closed Won"] / (900 - still_open) < 0.45


def test_business_has_weekdays_seasons_and_office_hours(small: Store) -> None:
    """Sundays are quiet, March is busy, nobody works at three in the morning."""
    local = "Created_Time, 'unixepoch', '330 minutes')"
    assert share(small, "Leads", f"strftime('%w', {local} = '0'") < 0.05
    assert share(small, "Leads", f"strftime('%H', {local} BETWEEN '09' AND '18'") > 0.8
    months = dict(small.read(f"SELECT strftime('%Y-%m', {local}, count(*) FROM Leads GROUP BY 1"))
    assert months["2026-03"] > months["2026-04"]


def test_who_left_got_no_records_since(small: Store) -> None:
    """The inactive user owns old records only."""
    for module in ("Leads", "Accounts", "Contacts", "Deals"):
        ((last,),) = small.read(
            f'SELECT max(Created_Time) FROM "{module}" WHERE Owner IN'
            " (SELECT id FROM Users WHERE status = 'inactive')"
        )
        assert last < NOW - 200 * 86_400


def test_the_planted_dirt_is_there(small: Store) -> None:
    """What real exports are full of: each of these must be met by whoever cleans them."""
    planted = {
        "an e-mail twice": "SELECT Email FROM Leads GROUP BY 1 HAVING count(*) > 1",
        "a telephone number as it is dialled": "SELECT 1 FROM Leads WHERE Phone LIKE '0091 %'",
        "one in brackets": "SELECT 1 FROM Leads WHERE Phone LIKE '(+91) %'",
        "one with dots": "SELECT 1 FROM Leads WHERE Phone LIKE '+91.%'",
        "a city in small letters": "SELECT 1 FROM Leads WHERE City = 'chennai'",
        "a company in capitals": "SELECT 1 FROM Leads WHERE Company = upper(Company)",
        "stray spaces": "SELECT City FROM Leads WHERE City != trim(City)",
        "a value outside the picklist": "SELECT 1 FROM Leads WHERE Lead_Source = 'Facebook Ads'",
        "NA as a name": "SELECT 1 FROM Leads WHERE Last_Name = 'NA'",
        "null as a name": "SELECT 1 FROM Leads WHERE Last_Name = 'null'",
        "an apostrophe": "SELECT 1 FROM Leads WHERE Last_Name = 'O''Neil'",
        "Devanagari": "SELECT 1 FROM Leads WHERE Last_Name = 'शर्मा'",
        "an emoji": "SELECT 1 FROM Leads WHERE First_Name LIKE '🚀%'",
        "a long text with line breaks": "SELECT 1 FROM Leads WHERE length(Description) > 2000"
        " AND Description LIKE '%' || char(13) || char(10) || '%'",
        "a leading zero": "SELECT 1 FROM Leads WHERE Zip_Code LIKE '02%'",
        "an empty column": "SELECT 1 WHERE NOT EXISTS (SELECT Skype_ID FROM Leads"
        " WHERE Skype_ID IS NOT NULL)",
        "a user who left": "SELECT 1 FROM Leads WHERE Owner IN"
        " (SELECT id FROM Users WHERE status = 'inactive')",
        "a zone with summer time": "SELECT 1 FROM Users WHERE time_zone = 'America/New_York'",
        "an account twice": "SELECT 1 FROM Accounts GROUP BY Account_Name HAVING count(*) > 1",
    }
    for what, sql in planted.items():
        assert small.read(sql), what


def test_no_address_or_number_can_reach_anybody(small: Store) -> None:
    """Mail goes to reserved domains only, British and American numbers are the fictional ones."""
    reserved = re.compile(r".+@(.+\.)?(example\.(com|org|net)|[a-z0-9-]+\.test)")
    for module, columns in (("Leads", "Email Secondary_Email"), ("Contacts", "Email"),
                            ("Vendors", "Email"), ("Users", "email"),
                            ("Site_Visits", "Site_Email")):  # fmt: skip
        for column in columns.split():
            for (mail,) in small.read(
                f'SELECT "{column}" FROM "{module}" WHERE "{column}" NOT NULL'
            ):
                assert reserved.fullmatch(mail), mail
    fictional = re.compile(
        r"\+44 (20 7946 0\d{3}|113 496 0\d{3}|7700 900\d{3})|\+1 \d{3}-555-01\d\d"
        r"|\+(91|971|254) (\d{1,3} )?0\d+|\+65 0\d+"
    )
    for (number,) in small.read("SELECT Phone FROM Leads UNION SELECT Mobile FROM Leads"
                                " UNION SELECT Phone FROM Accounts"):  # fmt: skip
        assert number is None or fictional.fullmatch(_tidy(number)), number


def _tidy(number: str) -> str:
    """Write a telephone number the usual way, whichever way it was typed."""
    number = re.sub(r"^00|^\(\+", "+", number.strip()).replace(")", "")
    return number if "." not in number else _FROM_DOTS.sub(r"+1 \1-\2-\3", number.replace(".", " "))


_FROM_DOTS = re.compile(r"\+1 (\d{3}) (\d{3}) (\d{4})")


def test_unique_fields_are_unique_and_picklists_mostly_keep_to_their_list(small: Store) -> None:
    """GSTINs and order numbers occur once; strange values are planted on Leads only."""
    for module in small.schema.modules.values():
        for field in module.fields:
            if field.unique:
                assert small.read(
                    f'SELECT 1 FROM "{module.api_name}" GROUP BY "{field.api_name}"'
                    f' HAVING count("{field.api_name}") > 1'
                ) == []  # fmt: skip
            if field.data_type == "picklist" and field.written:
                found = {value for (value,) in small.read(
                    f'SELECT DISTINCT "{field.api_name}" FROM "{module.api_name}"')}  # fmt: skip
                strange = found - {choice.value for choice in field.choices} - {None}
                assert not strange or field.api_name in {"Lead_Source", "Lead_Status"}


def test_line_items_add_up(small: Store) -> None:
    """Every invoice and quote equals the sum of its rows."""
    for module, items in (("Invoices", "Invoiced_Items"), ("Quotes", "Quoted_Items")):
        assert small.read(
            f"SELECT id FROM {module} p WHERE abs(Sub_Total -"
            f" (SELECT sum(Net_Total) FROM {items} WHERE Parent_Id = p.id)) > 0.005"
        ) == []  # fmt: skip


def test_a_record_made_later_gets_the_next_number_and_a_greater_id(schema: Schema) -> None:
    """Seeded records and new ones share one row of numbers."""
    with built(schema, rows={"Site_Visits": 3}) as store:
        (new,) = store.insert("Site_Visits", [{"Name": "one more"}], user=world.ADMIN)
        assert store.read("SELECT Visit_Number FROM Site_Visits WHERE id = ?", (new,)) == [
            ("SV-00004",)
        ]
        assert store.read("SELECT max(id) FROM Site_Visits") == [(new,)]


def test_a_few_facts_of_the_small_world_are_pinned(small: Store) -> None:
    """Notebooks and documents quote these; who changes them has to know."""
    assert small.read("SELECT Full_Name, City FROM Leads ORDER BY id LIMIT 1") == [
        ("Dr. Jasmine Miller", "New York")
    ]
    assert small.read("SELECT id, full_name FROM Users WHERE id = ?", (world.ADMIN,)) == [
        (410888040000000002, "Rohan Deshmukh")
    ]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"world": "huge"}, "'huge' is not a world"),
        ({"rows": {"Lead": 5}}, "no rows can be made for Lead"),
    ],
)
def test_a_world_that_cannot_be_made_is_refused(
    schema: Schema, store: Store, how: dict[str, Any], says: str
) -> None:
    """The error names what was asked for, and nothing has been built."""
    with pytest.raises(ValueError, match=says):
        world.build(store, **how)
    assert store.world is None


def test_a_store_is_filled_once(schema: Schema) -> None:
    """A second build would mix two worlds."""
    with built(schema, rows={"Leads": 5}) as store, pytest.raises(ValueError, match="already"):
        world.build(store)


def test_a_build_that_breaks_leaves_an_empty_store(schema: Schema, store: Store) -> None:
    """Half a world is worse than none: the next start must build it again."""
    with pytest.raises(TypeError):
        world.build(store, rows={"Leads": "many"})  # type: ignore[dict-item]
    assert store.world is None
    assert rows(store, "Accounts") == []
    world.build(store, rows={"Leads": 5})
    assert len(rows(store, "Leads")) == 5
