"""The engine's own rules; whether its rows are the right ones is for test_engine_judge."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zcrm_nb.coql import ParseError, parse
from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.catalog.builders import field, module
from zcrm_nb.emulator.clock import ManualClock
from zcrm_nb.emulator.query.engine import refusal_of, run
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.settings import EngineSettings
from zcrm_nb.emulator.storage.schema import Schema
from zcrm_nb.emulator.storage.store import Store
from zcrm_nb.emulator.world import build

CASES = json.loads((Path(__file__).parents[2] / "data" / "coql_documented.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Build the small world."""
    store = Store(org_schema(), ManualClock())
    build(store, "small")
    yield store
    store.close()


@pytest.fixture(scope="module")
def cities() -> Iterator[Store]:
    """Make a few leads whose cities differ in what the settings are about."""
    store = Store(org_schema(), ManualClock())
    names = ("Pune", "PUNE", "P_ne", "P!ne", "", None)
    rows: list[dict[str, Any]] = [{"Last_Name": "x", "City": city} for city in names]
    rows[0]["Converted__s"] = 1
    store.insert("Leads", rows, user=1)
    yield store
    store.close()


def asked(store: Store, query: str, settings: EngineSettings | None = None) -> dict[str, Any]:
    """Ask as the API does: the refusal as data, or nothing of it."""
    try:
        run(store, parse(query), settings=settings)
    except ParseError as error:
        return refusal_of(error).body
    except Refusal as refusal:
        return refusal.body
    return {}


def found(store: Store, where: str, **settings: Any) -> list[object]:
    """Find cities by a condition."""
    query = parse(f"select City from Leads where {where}")
    return [row["City"] for row in run(store, query, settings=EngineSettings(**settings))[0]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["query"][:120])
def test_a_documented_query_gets_the_documented_answer(store: Store, case: dict[str, Any]) -> None:
    """What Zoho accepts must run over the emulated org, what it refuses be refused its way."""
    expected = case.get("emulator") or (case["parse"] if case["parse"] != "ok" else None)
    answer = asked(store, case["query"])
    assert answer == (expected | {"status": "error"} if expected else {})


@pytest.mark.parametrize(
    ("query", "code", "details"),
    [
        ("select City.Name from Leads where id is null", "INVALID_QUERY",
         {"column_name": "City.Name"}),
        ("select !Deals.City from Leads where id is null", "INVALID_QUERY",
         {"column_name": "City"}),
        ("select What_Id.City from Tasks where id is null", "INVALID_QUERY",
         {"column_name": "What_Id.City"}),
        ("select 'Owner->Leads.City' from Leads where id is null", "INVALID_QUERY",
         {"column_name": "Owner->Leads.City"}),
        ("select 'What_Id->Vendors.Phone' from Tasks where id is null", "INVALID_QUERY",
         {"column_name": "What_Id->Vendors.Phone"}),
        ("select Owner.module.api_name from Leads where id is null", "INVALID_QUERY",
         {"column_name": "Owner.module.api_name"}),
        ("select module.api_name from Leads where id is null", "INVALID_QUERY",
         {"column_name": "module.api_name"}),
        ("select Account_Name.Parent_Account.Parent_Account.Parent_Account.Owner.role.name"
         " from Deals where id is null", "LIMIT_EXCEEDED", {"limit": 5, "clause": "join"}),
        ("select Stage_Modified_Time from Deals where id is null", "INVALID_QUERY",
         {"column_name": "Stage_Modified_Time"}),
        ("select id from Leads where id is null order by Tag", "INVALID_QUERY",
         {"column_name": "Tag"}),
        ("select id from Roles where id is null", "INVALID_MODULE", {}),
        ("select City, COUNT(id) from Leads where id is null", "INVALID_QUERY",
         {"reason": "column not in group by", "column_name": "City"}),
        ("select COUNT(id) from Leads where id is null order by City", "INVALID_QUERY",
         {"reason": "column not in group by", "column_name": "City"}),
        ("select SUM(City) from Leads where id is null", "INVALID_DATA",
         {"reason": "unsupported aggregate function", "column": "SUM(City)"}),
        ("select id from Leads where Owner = 'Asha'", "INVALID_QUERY",
         {"column_name": "Owner", "expected_data_type": "bigint"}),
        ("select id from Leads where No_of_Employees = '1.5'", "INVALID_QUERY",
         {"column_name": "No_of_Employees", "expected_data_type": "integer"}),
        ("select id from Leads where Email_Opt_Out = 'yes'", "INVALID_QUERY",
         {"column_name": "Email_Opt_Out", "expected_data_type": "boolean"}),
        ("select id from Leads where id = 99999999999999999999", "INVALID_QUERY",
         {"column_name": "id", "expected_data_type": "bigint"}),
        ("select id from Leads where City not like 'P%'", "INVALID_QUERY",
         {"column_name": "City", "reason": "not like needs % at both ends"}),
        ("select id from Deals where Stage_Modified_Time is not null", "INVALID_QUERY",
         {"cv_criteria": False, "column_name": "Stage_Modified_Time", "value": "${EMPTY}",
          "operator": "!="}),
        ("select id from Leads where Territories = 'hot'", "INVALID_QUERY",
         {"cv_criteria": False, "column_name": "Territories", "value": "hot", "operator": "="}),
        ("select id from Leads where Territories not in ('hot', 5)", "INVALID_QUERY",
         {"cv_criteria": False, "column_name": "Territories", "value": "hot,5",
          "operator": "not in"}),
        ("select id from Deals where Account_Name in (select id from Accounts where id != 0)",
         "LIMIT_EXCEEDED", {"limit": 100, "clause": "subquery"}),
    ],
)  # fmt: skip
def test_what_the_schema_rules_out_is_refused(
    store: Store, query: str, code: str, details: dict[str, Any]
) -> None:
    """Names, types, hops and groups are checked, and the answer tells what is wrong."""
    answer = asked(store, query)
    assert (answer["code"], answer["details"]) == (code, details)


@pytest.mark.parametrize(
    ("query", "settings", "column"),
    [
        ("select id from Leads where Description like '%x%'", {"multi_line_criteria": False},
         "Description"),
        ("select id from Leads where Tag = 'hot'", {"tag_criteria": False}, "Tag"),
        ("select id from Leads where Owner.full_name = 'x'", {"user_full_name": False},
         "Owner.full_name"),
        ("select status from Users where id is not null", {"other_user_fields": False}, "status"),
    ],
)  # fmt: skip
def test_what_no_page_settles_is_a_setting(
    store: Store, query: str, settings: dict[str, bool], column: str
) -> None:
    """Taken by default; refused by an org that is set otherwise."""
    run(store, parse(query))
    with pytest.raises(Refusal) as refused:
        run(store, parse(query), settings=EngineSettings(**settings))
    assert refused.value.body["details"]["column_name"] == column


def test_tags_are_compared_by_name() -> None:
    """In any case; not to have a tag is not the same as to have none."""
    store = Store(org_schema(), ManualClock())
    for name, tags in (("A", ["hot"]), ("B", ["cold", "Hot"]), ("C", [])):
        row = {"Last_Name": name, "Tag": json.dumps([{"name": tag} for tag in tags])}
        store.insert("Leads", [row], user=1)

    def names(condition: str) -> list[object]:
        query = f"select Last_Name from Leads where (Last_Name in ('A', 'B', 'C') and {condition})"
        return [row["Last_Name"] for row in run(store, parse(query))[0]]

    assert names("Tag = 'hot'") == ["A", "B"]
    assert names("Tag in ('cold', 'warm')") == ["B"]
    assert names("Tag != 'hot'") == ["C"]
    assert names("Tag is null") == ["C"]
    store.close()


def test_case_counts_only_if_the_settings_say_so(cities: Store) -> None:
    """Equality, lists, patterns and groups must agree about case."""
    for condition in ("City = 'pune'", "City in ('pune')", "City like 'pu%'"):
        assert found(cities, condition) == ["Pune", "PUNE"]
        assert found(cities, condition, case_sensitive=True) == []
    query = parse("select City from Leads where City in ('Pune', 'PUNE') group by City")
    assert len(run(cities, query)[0]) == 1
    exact = run(cities, query, settings=EngineSettings(case_sensitive=True))[0]
    assert exact == [{"City": "PUNE"}, {"City": "Pune"}]


def test_empty_values_differ_from_a_text_only_if_the_settings_say_so(cities: Store) -> None:
    """By default null is neither equal nor unequal to anything, as in SQL."""
    for condition in ("City != 'Pune'", "City not in ('Pune')"):
        assert found(cities, condition) == ["P_ne", "P!ne", ""]
        assert found(cities, condition, unequal_finds_null=True) == ["P_ne", "P!ne", "", None]


@pytest.mark.parametrize("case_sensitive", [False, True])
def test_an_underscore_is_a_wildcard_only_if_the_settings_say_so(
    cities: Store, case_sensitive: bool
) -> None:
    """By default ``_`` is itself, whichever way case counts."""
    plain = {"case_sensitive": case_sensitive}
    assert found(cities, "City like 'P_ne'", **plain) == ["P_ne"]
    wild = found(cities, "City like 'P_ne'", like_underscore=True, **plain)
    upper = [] if case_sensitive else ["PUNE"]
    assert wild == ["Pune", *upper, "P_ne", "P!ne"]


def test_other_signs_are_never_wildcards(cities: Store) -> None:
    """What SQLite's own patterns mean by ``*``, ``?``, ``[`` and ``!`` is nothing to COQL."""
    for pattern in ("*", "P?ne", "[P]une", "!%", "P!_ne"):
        assert found(cities, f"City like '{pattern}'") == []
        assert found(cities, f"City like '{pattern}'", case_sensitive=True) == []
    assert found(cities, "City like 'P!%'") == ["P!ne"]


def test_records_come_by_id_whatever_index_finds_them(cities: Store) -> None:
    """Without ORDER BY the order is that of ids, not that of the values looked for."""
    assert found(cities, "City in ('P_ne', 'Pune')") == ["Pune", "PUNE", "P_ne"]
    assert found(cities, "City in ('P!ne', 'P_ne', 'Pune') limit 1") == ["Pune"]


def test_empty_values_of_a_subquery_spoil_no_list(store: Store) -> None:
    """In plain SQL one null would make ``not in`` find nothing."""
    inner = "select Parent_Account from Accounts where Industry is not null limit 100"
    query = f"select id from Accounts where id not in ({inner}) limit 1"
    assert len(run(store, parse(query))[0]) == 1


@pytest.mark.parametrize("word", ["'true'", "'TRUE'", "true", "True"])
def test_a_boolean_may_stand_in_quotes_and_in_any_case(store: Store, word: str) -> None:
    """Zoho's page quotes it, and people do not."""
    assert asked(store, f"select id from Leads where Email_Opt_Out = {word}") == {}


def test_a_formula_that_returns_a_boolean_may_be_asked_for_null() -> None:
    """Unlike a checkbox it can be empty; unlike other types it knows no ``!=``."""
    fields = field("Name", "text"), field("Long", "formula", returns="boolean", derived="Name > 9")
    things = module(1, "Things", "Thing", *fields)
    store = Store(Schema({"Things": things}, org_schema().directory), ManualClock())
    assert asked(store, "select Long from Things where Long is null") == {}
    answer = asked(store, "select Long from Things where Long != 'true'")
    assert answer["details"]["operator"] == "!="
    store.close()


def test_converted_leads_are_left_out_if_the_settings_say_so(cities: Store) -> None:
    """REST leaves them out; for COQL no page tells."""
    assert found(cities, "City = 'Pune'", converted_leads=False) == ["PUNE"]


def test_the_offset_ceiling_can_be_the_older_one(store: Store) -> None:
    """Some orgs still end at 10,000 rows."""
    query = "select id from Leads where id is not null limit 9000, 2000"
    strict = EngineSettings(offset_ceiling=10_000)
    assert asked(store, query) == {}
    assert asked(store, query, strict)["details"] == {"limit": 10_000, "clause": "offset"}


def test_joins_are_counted_over_the_whole_query(store: Store) -> None:
    """The same lookup is joined once, and one join more than allowed is refused."""
    query = "select Owner.email, Owner.role.name from Leads where Owner.last_name is not null"
    assert asked(store, query, EngineSettings(most_joins=2)) == {}
    answer = asked(store, query, EngineSettings(most_joins=1))
    assert answer["details"] == {"limit": 1, "clause": "join"}


def test_an_empty_subquery_compares_like_null(store: Store) -> None:
    """No value is no match, and no error."""
    query = "select id from Deals where Amount > (select Amount from Deals where id is null)"
    assert run(store, parse(query)) == ([], False)


def test_without_a_limit_there_are_200_rows_and_more(store: Store) -> None:
    """Zoho's default is the first thing that surprises people, so it must be there."""
    rows, more_records = run(store, parse("select id from Leads where id is not null"))
    assert (len(rows), more_records) == (200, True)
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_keyset_pages_meet_every_record_once(store: Store) -> None:
    """Going on behind the last id must end, with every id seen once."""
    seen: list[object] = []
    more_records, last = True, "0"
    while more_records:
        query = f"select City from Leads where id > '{last}' order by id asc limit 700"
        rows, more_records = run(store, parse(query))
        seen += [row["id"] for row in rows]
        last = str(rows[-1]["id"])
    assert len(seen) == len(set(seen)) == store.read("SELECT count(*) FROM Leads")[0][0]
    assert not more_records


def test_a_record_carries_its_id_and_a_group_does_not(store: Store) -> None:
    """The id comes unasked, but groups have none."""
    rows, _ = run(store, parse("select City from Leads where id is not null limit 1"))
    assert list(rows[0]) == ["City", "id"]
    rows, _ = run(store, parse("select COUNT(id) from Leads where id is not null"))
    assert rows == [{"COUNT(id)": 2400}]


def test_values_are_bound_and_never_part_of_the_sql(store: Store) -> None:
    """A text that looks like SQL is a text."""
    query = "select id from Leads where City = '\"; drop table Leads; --'' or 1=1'"
    assert run(store, parse(query)) == ([], False)
    assert store.read("SELECT count(*) FROM Leads") == [(2400,)]
