"""Tables by the route that suits them: the same frame by each, at the price that was told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcrm_nb.connect import attach
from zcrm_nb.emulator import Emulator, ManualClock
from zcrm_nb.errors import LimitError, NotFoundError, QueryError, QueryWarning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zcrm_nb import CRM
    from zcrm_nb.connect import EmulatedCRM

LEADS = ["Last_Name", "City", "Lead_Status", "Annual_Revenue", "Created_Time", "Owner", "Rating"]


@pytest.fixture
def spent(org: Emulator) -> Iterator[Callable[[], int]]:
    """Tell what the emulator has charged since this was last asked."""
    last = org.meter.spent

    def spent() -> int:
        nonlocal last
        before, last = last, org.meter.spent
        return last - before

    return spent


# ---- The same by every route ---------------------------------------------------------------------

ORDERS = [
    None,
    "id desc",
    "City",
    ["Annual_Revenue desc", "City"],
    "Created_Time desc",
    "Lead_Status",
    "Owner",
]


@pytest.mark.parametrize("order_by", ORDERS, ids=str)
@pytest.mark.parametrize("limit", [None, 150, 450])
def test_every_route_gives_the_same_frame(
    crm: CRM, order_by: str | list[str] | None, limit: int | None
) -> None:
    """Whatever the order and the limit, and whether Zoho or this package sorts and cuts."""
    one, other = (
        crm.table("Leads", LEADS, order_by=order_by, limit=limit, route=route)
        for route in ("coql", "rest")
    )
    pd.testing.assert_frame_equal(one, other)
    assert (one.attrs["zcrm"]["route"], other.attrs["zcrm"]["route"]) == ("coql", "rest")


@pytest.mark.parametrize(
    "module", ["Leads", "Deals", "Contacts", "Tasks", "Events", "Invoices", "Site_Visits"]
)
def test_all_columns_are_the_same_by_every_route(crm: CRM, module: str) -> None:
    """The columns by default are those that all routes bring alike, of every type there is."""
    columns = None if module != "Site_Visits" else without_rich_text(crm, module)
    by_coql, by_rest = (
        crm.table(module, columns, route=route, limit=300) for route in ("coql", "rest")
    )
    pd.testing.assert_frame_equal(by_coql, by_rest)
    assert by_coql.shape[1] > 20


def without_rich_text(crm: CRM, module: str) -> list[str]:
    """Columns by default, but for those that lists cut."""
    names = [name for name in crm.table(module, limit=1) if "." not in name and name != "id"]
    return [name for name in names if name != "Observations"]


@settings(max_examples=15)
@given(data=st.data())
def test_any_columns_in_any_order_are_the_same_by_every_route(
    data: st.DataObject, crm: CRM
) -> None:
    """Random columns, keys and limits."""
    module = data.draw(st.sampled_from(["Deals", "Contacts", "Site_Visits"]))
    fields = without_rich_text(crm, module)
    columns = data.draw(st.lists(st.sampled_from(fields), unique=True, max_size=6))
    kinds = crm.fields(module).set_index("api_name")["data_type"]
    sortable = [name for name in fields if kinds[name] != "multiselectpicklist"]
    keys = data.draw(st.lists(st.sampled_from(sortable), unique=True, max_size=2))
    order_by = [f"{key} {data.draw(st.sampled_from(['asc', 'desc']))}" for key in keys]
    limit = data.draw(st.none() | st.integers(1, 300))
    by_coql, by_rest = (
        crm.table(module, columns, order_by=order_by, limit=limit, route=route)
        for route in ("coql", "rest")
    )
    pd.testing.assert_frame_equal(by_coql, by_rest)


def test_it_is_the_table_of_the_query(crm: CRM) -> None:
    """A mapping, a condition with places and a query say the same."""
    query = "select City, Rating from Leads where Rating = :r and City in :c order by City desc"
    values = {"r": "Active", "c": ["Pune", "Mumbai"]}
    asked = crm.coql(query, **values)
    by_mapping = crm.table(
        "Leads",
        ["City", "Rating"],
        where={"Rating": "Active", "City": values["c"]},
        order_by="City desc",
    )
    by_text = crm.table(
        "Leads",
        ["City", "Rating"],
        where="Rating = :r and City in :c",
        order_by="City desc",
        **values,
    )
    assert len(asked) > 0
    pd.testing.assert_frame_equal(by_mapping, asked)
    pd.testing.assert_frame_equal(by_text, asked)


def test_paths_along_lookups_are_columns(crm: CRM) -> None:
    """COQL follows them; Get Records does not, and says so."""
    columns = ["Deal_Name", "Account_Name.Industry"]
    df = crm.table("Deals", columns, limit=50)
    assert list(df.columns) == ["id", *columns]
    with pytest.raises(LimitError, match=r"does not follow lookups, as in Account_Name\.Industry"):
        crm.table("Deals", columns, route="rest")


def test_lists_know_who_is_converted(crm: CRM) -> None:
    """The one condition that Get Records has is used."""
    where = {"Converted__s": True}
    by_rest = crm.table("Leads", ["City"], where=where, route="rest")
    pd.testing.assert_frame_equal(by_rest, crm.table("Leads", ["City"], where=where, route="coql"))
    assert 0 < len(by_rest) < crm.count("Leads")


def test_no_records_are_a_table_too(crm: CRM) -> None:
    """The same columns and dtypes as with some."""
    some, none = (crm.table("Leads", LEADS, where={"City": city}) for city in ("Pune", "Nowhere"))
    assert len(none) == 0
    assert len(some) > 0
    assert none.dtypes.equals(some.dtypes)


def test_past_the_reach_of_offsets_the_table_is_whole(low_ceiling: CRM, crm: CRM) -> None:
    """Where an org's offsets end early, the rest comes by id; nothing is silently shorter."""
    for order_by in (None, "City desc"):
        df = low_ceiling.table("Leads", ["City"], order_by=order_by, route="coql")
        pd.testing.assert_frame_equal(df, crm.table("Leads", ["City"], order_by=order_by))


def test_a_long_list_is_asked_for_in_turn(crm: CRM, spent: Callable[[], int]) -> None:
    """More values than one query takes: counted part by part, put together and sorted here."""
    ids = list(crm.table("Leads", [], limit=250)["id"])
    spent()
    df = crm.table("Leads", ["City"], where={"id": ids}, order_by="City")
    assert sorted(df["id"]) == sorted(ids)
    assert df.attrs["zcrm"]["credits"] == spent()
    assert df.attrs["zcrm"]["plan"]["planning"] == 3


# ---- By bulk read --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def patient() -> Iterator[EmulatedCRM]:
    """An org whose clock is turned by whoever waits, so that bulk jobs take no time."""
    rows = {"Leads": 600, "Contacts": 120, "Accounts": 60, "Deals": 250, "Tasks": 60}
    with attach(Emulator(rows=rows, clock=ManualClock())) as crm:
        crm.table("Deals", ["Stage"], route="bulk")  # now it is known how long a job takes
        yield crm


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": LEADS},
        {"columns": LEADS, "order_by": ["Annual_Revenue desc", "City"], "limit": 210},
        {"columns": ["City"], "order_by": "Owner", "limit": 50},
        {"columns": ["City", "Owner.email"], "where": {"City": ["Pune", "Mumbai"]}},
        {
            "columns": ["City"],
            "where": "City like '%a%' and Annual_Revenue between 1000000 and 9000000",
        },
        {"columns": ["City"], "where": {"Converted__s": True}},
        {"columns": ["City"], "where": {"City": "Nowhere"}},
        {"columns": []},
        {},
    ],
    ids=str,
)
def test_bulk_read_gives_the_same_frame_at_the_price_that_was_told(
    patient: EmulatedCRM, asked: dict[str, Any]
) -> None:
    """Conditions in its own words, names of lookups and owners, order and limit made here."""
    patient.refresh()
    before = patient.emulator.meter.spent
    by_bulk = patient.table("Leads", **asked, route="bulk")
    told = by_bulk.attrs["zcrm"]
    price = told["plan"]["routes"][-1]
    charged = patient.emulator.meter.spent - before
    assert told["plan"]["planning"] + price["credits"] == charged == told["credits"]
    pd.testing.assert_frame_equal(by_bulk, patient.table("Leads", **asked, route="coql"))


@pytest.mark.parametrize("module", ["Deals", "Contacts", "Invoices", "Site_Visits"])
def test_all_columns_come_by_bulk_read_too(patient: EmulatedCRM, module: str) -> None:
    """Every type of field that all routes bring alike."""
    by_coql = patient.table(module, route="coql")
    pd.testing.assert_frame_equal(patient.table(module, route="bulk"), by_coql)


CONDITIONS: list[dict[str, Any]] = [
    {},
    {"Amount": (">", 500_000)},
    {"Stage": ["Closed Won", "Negotiation/Review"], "Amount": ("!=", None)},
    {"Deal_Name": ("like", "%a%"), "Closing_Date": ("between", date(2025, 1, 1), date(2026, 9, 1))},
    {"Probability": ("not between", 10, 90)},
    {"Account_Name.Industry": ("!=", "Manufacturing")},
    {"Created_Time": ("<", datetime(2026, 1, 1, tzinfo=UTC))},
]


@settings(max_examples=20)
@given(data=st.data())
def test_any_table_is_the_same_by_three_routes(data: st.DataObject, patient: EmulatedCRM) -> None:
    """Random columns, conditions, keys and limits; lists where they know the condition."""
    kinds = patient.fields("Deals").set_index("api_name")["data_type"]
    fields = [name for name in patient.table("Deals", limit=1) if name in kinds and name != "id"]
    sortable = [name for name in fields if kinds[name] != "multiselectpicklist"]
    keys = data.draw(st.lists(st.sampled_from(sortable), unique=True, max_size=2))
    asked = {
        "columns": data.draw(st.lists(st.sampled_from(fields), unique=True, max_size=6)),
        "where": data.draw(st.sampled_from(CONDITIONS)),
        "order_by": [f"{key} {data.draw(st.sampled_from(['asc', 'desc']))}" for key in keys],
        "limit": data.draw(st.none() | st.integers(1, 300)),
    }
    by_coql = patient.table("Deals", **asked, route="coql")
    for route in ("bulk", "rest") if not asked["where"] else ("bulk",):
        pd.testing.assert_frame_equal(patient.table("Deals", **asked, route=route), by_coql)


def test_a_table_is_always_read_anew(patient: EmulatedCRM) -> None:
    """Unlike ``crm.bulk``, which uses an export of the last minutes again: every route is fresh."""
    for _ in range(2):
        df = patient.table("Deals", ["Stage"], route="bulk")
        assert df.attrs["zcrm"]["credits"] > 50


def test_what_bulk_read_cannot_say_goes_another_way(patient: EmulatedCRM) -> None:
    """With the reason in the plan."""
    whys = {
        each.route: each.why
        for each in patient.plan("Deals", ["Stage"], where="Deal_Name like 'A%e'").routes
    }
    assert whys["bulk"] == "Bulk read has no comparator for the pattern 'A%e'"
    (task,) = [each for each in patient.plan("Tasks", ["What_Id"]).routes if each.route == "bulk"]
    assert task.why == "bulk read cannot export What_Id, or not its names"
    with pytest.raises(LimitError, match="no comparator for the pattern"):
        patient.table("Deals", ["Stage"], where="Deal_Name like 'A%e'", route="bulk")


# ---- At the price that was told ------------------------------------------------------------------

ASKED: list[dict[str, Any]] = [
    {},
    {"columns": ["City"]},
    {"columns": ["City", "Owner"]},
    {"columns": ["City"], "where": {"City": "Pune"}},
    {"columns": ["City"], "where": {"City": "Nowhere"}},
    {"columns": ["City"], "limit": 1},
    {"columns": ["City"], "limit": 200},
    {"columns": ["City"], "limit": 201},
    {"columns": ["City"], "limit": 2_100},
    {"columns": ["City"], "limit": 10_000},
    {"columns": ["City"], "order_by": "City"},
    {"columns": ["City"], "order_by": "City", "limit": 150},
    {"columns": ["City"], "order_by": ["Owner", "City desc"], "limit": 450},
    {"columns": ["City"], "order_by": "id desc", "limit": 450},
    {"columns": ["City"], "where": {"Converted__s": False}},
    {"columns": []},
]


@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("route", ["auto", "coql", "rest"])
def test_a_table_costs_what_its_plan_says(
    crm: CRM, spent: Callable[[], int], asked: dict[str, Any], route: Any
) -> None:
    """To the credit, metadata and users included, for an object that knows nothing yet."""
    crm.refresh()
    if route == "rest" and "City" in (asked.get("where") or {}):
        pytest.skip("Get Records knows no such condition")
    spent()
    df = crm.table("Leads", **asked, route=route)
    told = df.attrs["zcrm"]
    (price,) = [each for each in told["plan"]["routes"] if each["route"] == told["route"]]
    charged = spent()
    assert told["plan"]["planning"] + price["credits"] == charged == told["credits"]
    assert route in {"auto", told["route"]}

    plan = crm.plan("Leads", **asked)
    assert plan.planning == spent() <= 1, "metadata is asked once"
    again = crm.table("Leads", **asked, route=plan.route or "auto")
    assert plan.planning + (plan.credits or 0) == spent() == again.attrs["zcrm"]["credits"]
    if plan.rows is not None:
        assert plan.rows == len(again)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Any columns, conditions, orders and limits, those around the sizes of pages above all."""
    names = st.sampled_from([*LEADS, "Industry", "Email", "Languages_Known", "Referred_By"])
    columns = draw(st.none() | st.lists(names, unique=True, max_size=6))
    walked = draw(st.sampled_from([[], [], ["Owner.email"], ["Referred_By.Account_Name"]]))
    keys = st.sampled_from(["id", "id desc", "City", "Owner desc", "Created_Time desc"])
    limits = [1, 199, 200, 201, 999, 1000, 1001, 2000, 2001, 100_000]
    return {
        "columns": None if columns is None else [*columns, *walked],
        "where": draw(st.sampled_from([None, *WHERES])),
        "order_by": draw(st.lists(keys, unique_by=lambda key: key.split()[0], max_size=2)) or None,
        "limit": draw(st.none() | st.sampled_from(limits)),
        "prefer": draw(st.sampled_from(["cheap", "fast"])),
    }


WHERES: list[dict[str, Any]] = [
    {"City": "Pune"},
    {"City": "Nowhere"},
    {"Converted__s": False},
    {"Email": ("!=", None)},
    {"Owner.email": ("!=", "nobody@example.com")},
    {"Created_Time": (">", datetime(2026, 1, 1, tzinfo=UTC))},
]


@settings(max_examples=25, deadline=None)
@given(asked=tables(), route=st.sampled_from(["auto", "coql", "rest"]), knows=st.booleans())
def test_any_table_costs_what_its_plan_says(
    crm: CRM, org: Emulator, asked: dict[str, Any], route: Any, knows: bool
) -> None:
    """To the credit of the emulator's ledger, or it is refused and no more than counted."""
    if not knows:
        crm.refresh()
    before = org.meter.spent
    try:
        told = crm.table("Leads", **asked, route=route).attrs["zcrm"]
    except LimitError:
        return
    (price,) = [each for each in told["plan"]["routes"] if each["route"] == told["route"]]
    assert told["plan"]["planning"] + price["credits"] == org.meter.spent - before
    assert told["credits"] == org.meter.spent - before


QUERIES = [
    "select City from Leads where id is not null",
    "select City from Leads where City = 'Pune'",
    "select City from Leads where id is not null limit 150",
    "select City from Leads where id is not null limit 300",
    "select City from Leads where id is not null limit 100, 2300",
    "select City from Leads where id is not null order by City desc limit 2400",
    "select City, COUNT(id) from Leads group by City",
    "select City, COUNT(id) from Leads group by City limit 100",
    "select Account_Name.Industry as industry from Deals where Amount > 5",
    "select id from Leads where City = 'Nowhere'",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_costs_what_its_plan_says(crm: CRM, spent: Callable[[], int], query: str) -> None:
    """The price of ``crm.coql``, which counts by itself and only when it has to."""
    spent()
    plan = crm.plan(query)
    assert plan.planning == spent()
    (by_coql,) = [each for each in plan.routes if each.route == "coql"]
    df = crm.coql(query)
    assert by_coql.credits == spent()
    if plan.rows is not None:
        assert plan.rows == len(df)


def test_planning_little_costs_nothing(crm: CRM, spent: Callable[[], int]) -> None:
    """Up to 200 rows cost one credit by COQL, as a count would."""
    crm.table("Leads", ["City"], limit=1)
    spent()
    plan = crm.plan("Leads", ["City"], limit=200)
    assert (plan.planning, spent(), plan.rows, plan.credits) == (0, 0, None, 1)
    assert "not counted" in repr(plan)


def test_the_pace_is_measured_once_there_is_something_to_measure(
    connected: Callable[[Emulator], CRM], fresh: Emulator
) -> None:
    """Before that it is assumed; the plan says which."""
    crm = connected(fresh)
    assert repr(crm.plan("Leads", ["City"], limit=1)).count("assumed") == 3
    crm.coql("select City from Leads where id is not null", limit=2000)
    crm.records("Leads", ["City"], limit=10)
    plan = crm.plan("Leads", ["City"])
    assert plan.pace.measured == {"coql_s", "rest_s"}
    assert repr(plan).count("measured") == 2


# ---- Within what may be spent --------------------------------------------------------------------


def test_nothing_is_fetched_that_costs_more_than_allowed(
    crm: CRM, spent: Callable[[], int]
) -> None:
    """The count tells the price; the error names it, and the cheaper ways."""
    crm.fields("Leads")
    spent()
    with pytest.raises(LimitError, match="costs 13 credits by rest, and 8 may be spent") as refused:
        crm.table("Leads", ["City"], route="rest", max_credits=8)
    assert "route='coql' takes 5 credits" in str(refused.value)
    assert spent() == 1


def test_the_choice_stays_within_what_may_be_spent(crm: CRM) -> None:
    """What is preferred counts among the routes that can be paid."""
    fast, slow = crm.plan("Leads", LEADS, prefer="fast"), crm.plan("Leads", LEADS)
    assert (slow.credits or 0) <= (fast.credits or 0)
    price = slow.planning + (slow.credits or 0)
    with pytest.raises(LimitError, match="No route is cheaper"):
        crm.table("Leads", LEADS, max_credits=price - 1)
    df = crm.table("Leads", LEADS, max_credits=price, prefer="fast")
    assert df.attrs["zcrm"]["credits"] == price


def test_a_plan_says_when_nothing_can_be_paid(crm: CRM) -> None:
    """No route, no price; the routes say why."""
    plan = crm.plan("Leads", LEADS, max_credits=2)
    assert (plan.route, plan.credits) == (None, None)
    assert repr(plan).count("more than the 1 credit allowed") >= 2


def test_planning_is_within_the_budget_too(crm: CRM, spent: Callable[[], int]) -> None:
    """Not even metadata is asked for when nothing may be spent."""
    crm.refresh()
    spent()
    with pytest.raises(LimitError):
        crm.table("Leads", ["City"], max_credits=0)
    assert spent() == 0


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"columns": ["Cty"]}, NotFoundError, "no field 'Cty'"),
        ({"columns": ["Owner.lastname"]}, NotFoundError, "lastname"),
        ({"columns": ["City.x"]}, NotFoundError, "not a lookup"),
        ({"where": "Cty = 'Pune'"}, QueryError, "no field 'Cty'"),
        ({"where": "City = 'Pune' limit 5"}, ValueError, "takes a condition only"),
        ({"where": {"Cty": "Pune"}}, QueryError, "no field 'Cty'"),
        ({"where": "City = :city"}, ValueError, ":city has no value"),
        ({"order_by": "Cty"}, QueryError, "no field 'Cty'"),
        ({"columns": ["Layout"], "route": "coql"}, LimitError, "COQL cannot read Layout"),
        ({"columns": ["Layout"], "where": {"City": "Pune"}}, LimitError, "has no conditions"),
        (
            {"columns": ["Languages_Known"], "order_by": "Languages_Known", "route": "rest"},
            LimitError,
            "only COQL sorts by Languages_Known",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_words(
    crm: CRM, asked: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Before anything but metadata and a count is sent, with the reason."""
    with pytest.raises(error, match=says):
        crm.table("Leads", **asked)


def test_a_query_says_itself_what_it_wants(crm: CRM) -> None:
    """Columns beside a query would be two answers to one question."""
    with pytest.raises(ValueError, match="has its own columns"):
        crm.plan("select City from Leads where id is not null", ["City"])


def test_a_warning_points_at_the_line_of_the_caller(crm: CRM) -> None:
    """However many calls of the package lie between."""
    with pytest.warns(QueryWarning, match="no value 'Hott'") as caught:
        crm.table("Leads", ["City"], where={"Rating": "Hott"})
    assert caught[0].filename == __file__


def test_fields_that_only_lists_bring_come_by_lists(crm: CRM) -> None:
    """Tags have no counterpart in COQL that would give the same column."""
    df = crm.table("Leads", ["City", "Tag"])
    assert df.attrs["zcrm"]["route"] == "rest"


def test_the_history_tells_the_route(crm: CRM) -> None:
    """A table is one question, and its row has what it cost in all."""
    df = crm.table("Leads", ["City"], where={"City": "Pune"})
    row = crm.history().to_dict("records")[-1]
    assert (row["route"], row["rows"]) == ("coql", len(df))
    assert row["credits"] == df.attrs["zcrm"]["credits"]
    assert row["query"] == "select City from Leads where City = 'Pune'"
