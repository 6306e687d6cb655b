"""The CRM object on the emulator: what an analyst does in the first hour."""

from datetime import UTC, datetime

import orjson
import pandas as pd
import pytest

import zcrm_nb
from zcrm_nb import lint
from zcrm_nb.errors import LimitError, NotFoundError, QueryError, QueryWarning

NEW_DELHI = """
select Last_Name, Email, Lead_Status, Owner, Created_Time
from Leads where City = 'New Delhi' order by Created_Time desc limit 50"""


# ---- COQL ----------------------------------------------------------------------------------------


def test_the_first_query_of_the_readme_gives_fifty_typed_rows(crm):
    """The promise of the front page."""
    df = crm.coql(NEW_DELHI)
    assert len(df) == 50
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "id": "string",
        "Last_Name": "string",
        "Email": "string",
        "Lead_Status": "category",
        "Owner": "string",
        "Owner.id": "string",
        "Created_Time": "datetime64[s, UTC]",
    }
    assert df["Created_Time"].is_monotonic_decreasing


def test_a_query_without_a_limit_brings_every_row(crm):
    """Zoho by itself would stop at 200 and tell nobody."""
    df = crm.coql("select Last_Name from Leads where id is not null")
    assert len(df) == crm.count("Leads") > 2000
    assert df["id"].is_unique


def test_limit_caps_a_query(crm):
    """For looking around."""
    assert len(crm.coql("select City from Leads where id is not null", limit=7)) == 7


def test_no_rows_have_the_same_columns_and_types_as_some(crm):
    """A pipeline must not break on a quiet day."""
    some = crm.coql(NEW_DELHI)
    none = crm.coql(NEW_DELHI.replace("New Delhi", "Atlantis"))
    assert len(none) == 0
    assert none.dtypes.equals(some.dtypes)


def test_a_value_is_bound_whatever_is_in_it(crm):
    """Quotes in names are no attack and no accident."""
    text = "select Last_Name from Leads where Last_Name = :name"
    names = crm.coql("select Last_Name from Leads where Last_Name like '%''%'")["Last_Name"]
    assert len(names) > 0
    for name in names.unique()[:5]:
        assert set(crm.coql(text, name=name)["Last_Name"].str.lower()) == {name.lower()}
    assert len(crm.coql(text, name="' or id is not null or Last_Name = '")) == 0


def test_owners_have_their_full_names_by_every_route(crm):
    """COQL tells last names only; the table should not depend on the way it came."""
    by_coql = crm.coql("select Owner from Deals where id is not null", limit=100)
    by_rest = crm.records("Deals", ["Owner"], limit=100)
    pd.testing.assert_frame_equal(by_coql, by_rest)
    assert by_coql["Owner"].str.contains(" ").all()


ROUTES = {
    "Leads": ["Last_Name", "City", "Lead_Status", "Languages_Known", "Created_Time", "Owner"],
    "Deals": ["Deal_Name", "Stage", "Amount", "Closing_Date", "Account_Name", "Probability"],
    "Contacts": ["Full_Name", "Email_Opt_Out", "Date_of_Birth", "Account_Name", "Description"],
    "Invoices": ["Subject", "Invoice_Number", "Grand_Total", "Invoice_Date", "Status"],
}


@pytest.mark.parametrize(("module", "columns"), ROUTES.items())
def test_rest_and_coql_give_the_identical_table(crm, module, columns):
    """Same columns, same dtypes, same cells."""
    by_rest = crm.records(module, columns)
    by_coql = crm.coql(f"select {', '.join(columns)} from {module} where id is not null")
    pd.testing.assert_frame_equal(by_rest, by_coql)


def test_joins_and_aggregates_are_typed_from_the_field_they_end_on(crm):
    """A currency summed is a float, a count is whole, the smallest date a date."""
    df = crm.coql(
        "select Stage, COUNT(id) as deals, SUM(Amount) as total, MIN(Closing_Date) as first "
        "from Deals where id is not null group by Stage"
    )
    assert [str(each) for each in df.dtypes] == ["category", "Int64", "float64", "datetime64[s]"]
    assert df["deals"].sum() == crm.count("Deals")
    joined = crm.coql(
        "select Deal_Name, Account_Name.Industry, Account_Name.Parent_Account, Owner.email "
        "from Deals where id is not null limit 5"
    )
    assert str(joined["Account_Name.Industry"].dtype) == "category"
    assert "Account_Name.Parent_Account.id" in joined
    assert str(joined["Owner.email"].dtype) == "string"


def test_attrs_tell_where_a_table_came_from(crm):
    """Query, route, org, time, credits."""
    facts = crm.coql("select City from Leads where id is not null", limit=3000).attrs["zcrm"]
    assert facts["route"] == "coql"
    assert facts["query"].startswith("select City")
    assert facts["credits"] >= 3 + 1 + 2
    assert datetime.fromisoformat(facts["time"]).tzinfo is not None


def test_times_come_in_utc_or_in_the_zone_asked_for(crm):
    """Never in the zone of whatever machine the kernel runs on."""
    query = "select Created_Time from Leads where id is not null limit 5"
    utc, here = crm.coql(query)["Created_Time"], crm.coql(query, tz="org")["Created_Time"]
    assert str(here.dtype) == "datetime64[s, Asia/Kolkata]"
    assert (utc == here).all()


def test_exact_numbers_on_request(crm):
    """Money that must add up to the paisa."""
    df = crm.coql("select Amount from Deals where Amount > 0 limit 5", exact=True)
    assert "decimal" in str(df["Amount"].dtype)


@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        ("select Last_Name where id is not null", QueryError, "FROM is missing"),
        ("select Last_Nmae from Leads where id is not null", QueryError, "Did you mean Last_Name"),
        ("select Last_Name from Leds where id is not null", NotFoundError, "Did you mean Leads"),
        ("select id from Leds where id is not null", NotFoundError, "Did you mean Leads"),
        ("select City.Name from Leads where id is not null", QueryError, "not a lookup"),
        ("select Owner.frist_name from Leads where id is not null", QueryError, "first_name"),
        ("select City from Leads where Cty = 'x'", QueryError, "City"),
        ("select City from Leads where id is not null order by Cty", QueryError, "City"),
        ("delete from Leads", QueryError, "not sent"),
    ],
)
def test_a_wrong_query_is_not_sent(crm, query, kind, words):
    """What can be known beforehand costs neither time nor credits."""
    crm.fields("Leads")
    with crm.trace() as calls, pytest.raises(kind) as caught:
        crm.coql(query)
    assert words in str(caught.value)
    assert calls == []


def test_a_query_that_zoho_refuses_points_at_the_place(crm):
    """The operator does not fit the type: the emulator says so as Zoho does."""
    with pytest.raises(QueryError) as caught:
        crm.coql("select City from Leads where Email_Opt_Out > 5", strict=True)
    assert caught.value.code == "INVALID_QUERY"
    assert "^" in str(caught.value)
    assert "Zoho said" in str(caught.value)


def test_an_error_shows_all_that_is_wrong(crm):
    """The first with a caret, the others with their places, so that one look is enough."""
    text = "select Cty, Ownr from Leads\nwhere Email_Opt_Out > 5"
    with pytest.raises(QueryError) as caught:
        crm.coql(text)
    happened, said, *_ = str(caught.value).splitlines()
    assert happened == "This query was not sent. Leads has no field 'Cty'."
    assert said.startswith("Zoho would say INVALID_QUERY")
    assert (caught.value.line, caught.value.column) == (1, 8)
    assert [(each.line, each.column) for each in caught.value.findings] == [
        (1, 8),
        (1, 13),
        (2, 21),
    ]
    assert "Also line 2, column 21: > does not work with Email_Opt_Out" in str(caught.value)


# ---- Repairs -------------------------------------------------------------------------------------


def test_a_query_without_where_means_every_record(crm):
    """Repaired and told; what was sent is what attrs and trace show."""
    with crm.trace() as calls:
        df = crm.coql("select City from Leads", limit=5)
    facts = df.attrs["zcrm"]
    assert len(df) == 5
    assert facts["query"] == "select City from Leads where id is not null"
    assert facts["repaired"] == [
        "line 1, column 23: COQL needs a WHERE in every query. Written as: where id is not null"
    ]
    assert calls[-1].query.startswith(facts["query"])


def test_a_query_that_needs_no_repair_is_told_as_it_was_written(crm):
    """Its lines and spaces too."""
    facts = crm.coql(NEW_DELHI).attrs["zcrm"]
    assert (facts["query"], facts["repaired"]) == (NEW_DELHI, [])


@pytest.mark.parametrize(
    "text",
    [
        "select City from Leads",
        "select * from Leads where id is not null",
        "select count(id) from Leads where id is not null",
        "select City from Leads where City is not null and City != 'Pune' and id is not null",
        "select City from Leads where id is not null limit 5000",
    ],
)
def test_strict_sends_what_is_written(crm, text):
    """One call with this text, and Zoho's own refusal; by default the same query has an answer."""
    with crm.trace() as calls, pytest.raises(QueryError, match="Zoho said"):
        crm.coql(text, strict=True)
    assert [call.query for call in calls] == [text]
    assert len(crm.coql(text)) > 0


def test_strict_gives_the_same_table_where_nothing_needs_repair(crm):
    """Typed from metadata, as ever."""
    pd.testing.assert_frame_equal(crm.coql(NEW_DELHI, strict=True), crm.coql(NEW_DELHI))


def test_strict_is_never_silently_short(crm):
    """Without a LIMIT Zoho stops at 200 rows; with one, it was asked to stop."""
    with pytest.raises(LimitError, match="200"):
        crm.coql("select City from Leads where id is not null", strict=True)
    df = crm.coql("select City from Leads where id is not null limit 300", strict=True)
    assert len(df) == 300
    with pytest.raises(ValueError, match="LIMIT"):
        crm.coql("select City from Leads where id is not null", strict=True, limit=5)


def test_what_zoho_takes_and_the_grammar_does_not_comes_as_it_is():
    """A language grows; strict is the way to what this package does not know yet."""
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.reading import query, tables
    from zcrm_nb.api.session import Session

    def send(*args, **options):
        return body

    body = b'{"data": [{"a": 1, "b": {"c": 2}}], "info": {"count": 1, "more_records": false}}'
    asked = query.as_written("select something new")
    df = tables.coql_table(Session(send, Catalogue(send)), asked)
    assert df.to_dict("records") == [{"a": 1, "b": {"c": 2}}]


def test_a_star_brings_what_coql_can_read(crm):
    """All fields of Leads that a query can select, typed as by name."""
    df = crm.coql("select * from Leads", limit=3)
    assert {"id", "Last_Name", "Owner", "Owner.id", "Created_Time"} <= set(df.columns)
    assert "select id, Last_Name" in df.attrs["zcrm"]["query"]
    assert len(crm.coql("select * from Deals", limit=2)) == 2  # has a field that COQL refuses


@pytest.mark.parametrize("order", ["", "order by Last_Name desc", "order by Created_Time limit 9"])
def test_a_long_list_finds_what_one_query_would(crm, order):
    """Asked for in parts, put together again: the same rows in the same order, each once."""
    leads = crm.coql("select Last_Name, Created_Time from Leads where id is not null limit 330")
    ids = leads["id"].sample(frac=1, random_state=1).tolist()
    df = crm.coql(
        f"select Last_Name, Created_Time from Leads where id in :ids {order}", ids=ids + ids[:30]
    )
    low, high = leads["id"].min(), leads["id"].max()
    meant = crm.coql(
        f"select Last_Name, Created_Time from Leads where id between '{low}' and '{high}' {order}"
    )
    pd.testing.assert_frame_equal(df, meant)
    assert len(df.attrs["zcrm"]["query"].splitlines()) == 4
    assert "4 queries" in df.attrs["zcrm"]["repaired"][0]


def test_long_lists_are_counted_and_left_out_in_one_query(crm):
    """Groups cannot be put together from parts, and what is in no list is in no part of it."""
    ids = crm.coql("select id from Leads where id is not null limit 330")["id"].tolist()
    total = crm.coql("select count(*) as n from Leads where id in :ids", ids=ids)
    assert total["n"].tolist() == [330]
    assert crm.count("Leads", "id in :ids", ids=ids) == 330
    rest = crm.coql("select City from Leads where id not in :ids", ids=ids)
    assert len(rest) == crm.count("Leads", "id is not null") - 330


def test_a_condition_to_count_is_repaired_too(crm):
    """Three conditions are no harder to count than two."""
    where = "City is not null and Last_Name is not null and id is not null"
    assert crm.count("Leads", where) == crm.count("Leads", "City is not null")
    with pytest.raises(QueryError, match="not sent"):
        crm.count("Leads", "City > 5 and Owner like 'x'")


def test_a_value_outside_the_picklist_is_sent_with_a_warning(crm):
    """It points at the line of the caller, and at the value."""
    with pytest.warns(QueryWarning, match="Did you mean Closed Won") as caught:
        assert len(crm.coql("select Stage from Deals where Stage = 'Closed Wno'")) == 0
    assert caught[0].filename == __file__
    with pytest.warns(QueryWarning) as caught:
        crm.count("Deals", "Stage = 'Closed Wno'")
    assert caught[0].filename == __file__


def test_lint_tells_without_sending(crm):
    """A table with a row for each finding, of the same types when there is none."""
    text = "select Cty, count(id) from Leads where City in :cities group by Cty"
    with crm.trace() as calls:
        df = lint(text, crm, cities=["Pune"])
        good = lint("select City from Leads where City = 'Pune'", crm)
    assert df["problem"].str.contains("Cty").tolist() == [True, False, True]
    assert df["repaired"].tolist() == [False, True, False]
    columns = ["line", "column", "severity", "problem", "fix", "repaired", "corrected"]
    assert list(df.columns) == columns
    assert df["corrected"][0].startswith("select City, count(id)")
    assert len(good) == 0
    assert good.dtypes.equals(df.dtypes)
    assert calls == []


ORDERS = [
    "",
    " order by City desc, Last_Name",
    " order by Owner, Annual_Revenue desc",
    " order by Lead_Status",
    " order by Created_Time desc limit 2300",
    " order by id desc limit 100, 2200",
]


@pytest.mark.parametrize("order", ORDERS)
def test_past_the_reach_of_offsets_the_table_is_the_same(crm, low_ceiling, order):
    """Some orgs report less than 100,000: rows then come by id, and in the order asked."""
    query = "select City, Created_Time, Last_Name, Owner from Leads where id is not null" + order
    pd.testing.assert_frame_equal(low_ceiling.coql(query), crm.coql(query))


# ---- Records -------------------------------------------------------------------------------------


def test_a_module_is_read_to_its_end(crm):
    """Past the 2,000 records that page numbers reach."""
    df = crm.records("Leads", ["Last_Name"])
    assert len(df) == crm.count("Leads") > 2000
    assert df["id"].is_unique


def test_all_columns_of_a_module_come_in_batches_joined_by_id(crm):
    """Zoho brings 50 fields a call; Leads has more."""
    df = crm.records("Leads", limit=250)
    fields = crm.fields("Leads")
    in_lists = fields[
        ~fields["data_type"].isin(["subform", "multiselectlookup", "multiuserlookup"])
    ]
    assert set(in_lists["api_name"]) <= set(df.columns)
    assert len(in_lists) > 50
    assert len(df) == 250
    one = crm.records("Leads", ["Last_Name", "Modified_Time"], limit=250)
    pd.testing.assert_frame_equal(df[list(one.columns)], one)


def test_records_since_a_moment(crm):
    """Increments."""
    since = datetime(2026, 8, 1, tzinfo=UTC)
    df = crm.records("Deals", ["Modified_Time"], modified_since=since)
    assert 0 < len(df) < crm.count("Deals")
    assert (df["Modified_Time"] > since).all()
    assert len(crm.records("Deals", modified_since=datetime(2030, 1, 1, tzinfo=UTC))) == 0


def test_records_by_id_and_sorted(crm):
    """The rest of what Get Records can do."""
    df = crm.records("Deals", ["Created_Time"], sort_by="Created_Time", ascending=False, limit=30)
    assert df["Created_Time"].is_monotonic_decreasing
    wanted = sorted(df["id"].head(3))
    assert crm.records("Deals", ["Stage"], ids=wanted)["id"].tolist() == wanted


def test_converted_leads_are_there_by_every_route_unless_left_out(crm):
    """Zoho's list leaves them out, COQL does not: a table must not depend on the way it came."""
    every, live, gone = (
        len(crm.records("Leads", ["City"], converted=each)) for each in (None, False, True)
    )
    assert every == crm.count("Leads") == live + gone
    assert gone == crm.count("Leads", "Converted__s = :yes", yes=True) > 0


def test_twenty_five_thousand_leads_come_each_once():
    """Far past the 2,000 where page numbers end."""
    with zcrm_nb.emulate(rows={"Leads": 25_000}) as big:
        df = big.records("Leads", ["Last_Name"])
        assert len(df) == big.count("Leads") == 25_000
        assert df["id"].is_unique


def test_a_single_record_brings_its_subform(crm):
    """Lists leave line items out."""
    first = crm.records("Invoices", ["Subject"], limit=1)["id"].iloc[0]
    record = crm.record("Invoices", first)
    assert record["id"] == first
    assert record.name == first
    assert len(record["Invoiced_Items"]) > 0
    assert isinstance(record["Invoice_Date"], pd.Timestamp)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda crm: crm.records("Leds"), "Did you mean Leads"),
        (lambda crm: crm.records("Leads", ["Last_Nmae"]), "Did you mean Last_Name"),
        (lambda crm: crm.record("Leads", "not-an-id"), "not a record id"),
        (lambda crm: crm.records("Leads", ["City"], ids=["1", "x"]), "not a record id"),
        (lambda crm: crm.fields("Lead"), "Did you mean Leads"),
        (lambda crm: crm.picklist("Leads", "Lead_Statsu"), "Did you mean Lead_Status"),
        (lambda crm: crm.count("Leadz"), "Did you mean Leads"),
    ],
)
def test_wrong_names_and_ids_are_not_sent(crm, call, words):
    """They are known to be wrong beforehand."""
    crm.fields("Leads")
    with crm.trace() as calls, pytest.raises(NotFoundError) as caught:
        call(crm)
    assert words in str(caught.value)
    assert calls == []


def test_an_id_that_nobody_has_is_not_found(crm):
    """Zoho answers with silence; a person needs a word."""
    with pytest.raises(NotFoundError, match="has no record"):
        crm.record("Leads", "410888000099999999")


# ---- Search and deleted ------------------------------------------------------------------------


def test_a_search_gives_the_rows_that_coql_gives(crm):
    """A picklist search is exact, so two APIs can be held against each other."""
    columns = ["Last_Name", "Lead_Status", "Owner"]
    found = crm.search("Leads", columns, criteria="(Lead_Status:equals:Junk Lead)")
    asked = crm.coql(
        "select Last_Name, Lead_Status, Owner from Leads where Lead_Status = 'Junk Lead'"
    )
    by_id = found.sort_values("id", ignore_index=True)
    pd.testing.assert_frame_equal(by_id, asked)
    assert len(found) > 0


def test_a_search_for_too_much_is_an_error_and_not_a_short_table(crm):
    """Zoho's search ends after 2,000 records."""
    with pytest.raises(LimitError, match="2,000"):
        crm.search("Leads", ["City"], criteria="(Created_Time:greater_than:2000-01-01T00:00:00Z)")


def test_a_search_by_mail_and_word_and_with_a_limit(crm):
    """The other ways to search; all columns come where none is named."""
    email = crm.coql("select Email from Leads where Email is not null", limit=1)["Email"].iloc[0]
    assert email in list(crm.search("Leads", email=email)["Email"])
    assert len(crm.search("Leads", ["City"], word="Mumbai", limit=7)) == 7
    assert len(crm.search("Leads", ["City"], criteria="(City:equals:Atlantis)")) == 0


@pytest.mark.parametrize("terms", [{}, {"email": "a", "word": "b"}])
def test_a_search_has_one_term(crm, terms):
    """Zoho would silently use the first of several."""
    with pytest.raises(ValueError, match="one of criteria, email, phone, word"):
        crm.search("Leads", **terms)


def test_deleted_records_are_listed(fresh, connected):
    """Tombstones for whoever keeps a copy."""
    crm = connected(fresh)
    assert len(crm.deleted("Deals")) == 0
    gone = crm.records("Deals", ["Stage"], limit=3)["id"].tolist()
    crm.request("DELETE", "Deals", params={"ids": ",".join(gone)})
    table = crm.deleted("Deals")
    assert sorted(table["id"]) == gone
    assert str(table["deleted_time"].dtype) == "datetime64[s, UTC]"
    assert table["deleted_by"].notna().all()
    assert len(crm.deleted("Deals", since=datetime(2030, 1, 1, tzinfo=UTC))) == 0
    assert len(crm.deleted("Deals", since="2030-01-01T00:00:00Z")) == 0


# ---- Metadata and the wire -----------------------------------------------------------------------


def test_metadata_comes_as_tables(crm):
    """To read, filter and join."""
    assert {"Leads", "Deals"} <= set(crm.modules()["api_name"])
    fields = crm.fields("Deals").set_index("api_name")
    assert fields.loc["Stage", "data_type"] == "picklist"
    assert fields.loc["Account_Name", "lookup"] == "Accounts"
    assert "Closed Won" in fields.loc["Stage", "values"]
    stages = crm.picklist("Deals", "Stage")
    assert stages["sequence_number"].is_monotonic_increasing
    assert stages.set_index("display_value").loc["Closed Won", "probability"] == 100
    assert crm.users()["id"].is_unique
    assert crm.org()["company_name"]


def test_roles_and_profiles_come_as_tables(crm):
    """They join with the users; read once, until refresh."""
    users = crm.users()
    with crm.trace() as calls:
        roles, profiles = crm.roles(), crm.profiles()
        crm.roles(), crm.profiles()
    assert [each.path.rpartition("/")[2] for each in calls] == ["roles", "profiles"]
    assert set(users["role.id"]) <= set(roles["id"])
    assert set(users["profile.id"]) <= set(profiles["id"])
    above = roles.merge(roles, left_on="reporting_to.id", right_on="id", suffixes=("", "_above"))
    assert (above["reporting_to"] == above["name_above"]).all()
    assert len(above) == len(roles) - 1


def test_a_picklist_of_a_text_field_is_a_mistake(crm):
    """It has no values to list."""
    with pytest.raises(ValueError, match="no values"):
        crm.picklist("Leads", "City")


def test_categories_stand_in_the_order_of_the_crm(crm):
    """What value_counts and plots sort by."""
    df = crm.records("Deals", ["Stage"])
    listed = [v for v in crm.picklist("Deals", "Stage")["display_value"] if v != "-None-"]
    assert df["Stage"].cat.categories.tolist()[: len(listed)] == listed


def test_metadata_is_asked_for_once(crm):
    """Credits are for data."""
    crm.fields("Deals")
    with crm.trace() as calls:
        crm.fields("Deals")
        crm.modules()
        crm.picklist("Deals", "Stage")
    assert calls == []


def test_any_endpoint_can_be_called(crm):
    """What has no short name yet is not out of reach."""
    answer = crm.request("GET", "settings/layouts", params={"module": "Leads"})
    assert answer["layouts"][0]["name"]


def test_trace_shows_calls_and_credits(crm, capsys):
    """One line a call, no secrets."""
    with crm.trace(show=True) as calls:
        crm.coql("select City from Leads where id is not null", limit=10)
    assert [call.path for call in calls] == ["/crm/v8/coql"]
    assert sum(call.credits for call in calls) == 1
    table = pd.DataFrame(calls)
    assert {"method", "path", "status", "credits"} <= set(table.columns)
    assert "/crm/v8/coql" in capsys.readouterr().out


def test_a_budget_stops_before_the_call_that_would_break_it(crm):
    """Nothing is sent that was not paid for."""
    before = crm.credits.spent
    with pytest.raises(LimitError), crm.budget(4):
        crm.coql("select City from Leads where id is not null")
    assert crm.credits.spent - before <= 4


def test_the_ledger_agrees_with_the_emulators_meter(crm, org):
    """What we count is what Zoho would charge."""
    crm.fields("Leads")
    ours, theirs = crm.credits.spent, org.meter.spent
    crm.coql("select City from Leads where id is not null", limit=2500)
    crm.records("Leads", ["City"], limit=300)
    crm.count("Deals")
    assert crm.credits.spent - ours == org.meter.spent - theirs > 0


def test_the_repr_says_who_where_and_what_is_left(crm):
    """Notebooks print things."""
    org = crm.org()
    text = repr(crm)
    assert org["company_name"] in text
    assert f"{crm.credits.spent:,} spent" in text


def test_a_write_round_trips_through_request(fresh, connected):
    """Verbs come later; the endpoint is there already."""
    crm = connected(fresh)
    body = {"data": [{"Last_Name": "Osei", "Company": "Northwind", "City": "Accra"}]}
    made = crm.request("POST", "Leads", json=body)["data"][0]
    new = made["details"]["id"]
    assert crm.record("Leads", new)["City"] == "Accra"
    crm.request("PUT", f"Leads/{new}", json={"data": [{"City": "Tema"}]})
    assert crm.coql("select City from Leads where id = :id", id=new)["City"].tolist() == ["Tema"]
    crm.request("DELETE", f"Leads/{new}")
    with pytest.raises(NotFoundError):
        crm.record("Leads", new)


def test_send_serves_the_page_helpers(crm):
    """Helpers work, the object introduces."""
    from zcrm_nb import coql_pages, record_pages

    pages = list(record_pages(crm.send, "Deals", ["Stage"], limit=250))
    assert [len(page) for page in pages] == [200, 50]
    rows = next(coql_pages(crm.send, "select Stage from Deals where id is not null", limit=5))
    assert len(rows) == 5
    assert orjson.dumps(rows)


# ---- The account and the questions ---------------------------------------------------------------


def test_questions_and_credits_outlive_the_kernel(tmp_path):
    """A restarted kernel finds what was asked and spent before, and counts on."""
    path = tmp_path / "org.db"
    options = {"rows": {"Leads": 20}, "path": path}
    with zcrm_nb.emulate(**options) as first:
        first.records("Leads", ["City"])
        first.coql("select City from Leads where City = :city", city="Pune")
        spent = first.credits.spent
        assert spent == first.credits.spent_here > 0
    with zcrm_nb.emulate(**options) as second:
        assert (second.credits.spent, second.credits.spent_here) == (spent, 0)
        second.search("Leads", ["City"], word="Pune")
        asked = second.history()
    assert asked["route"].tolist() == ["rest", "coql", "search"]
    assert asked["query"].iloc[1] == "select City from Leads where City = 'Pune'"
    assert 0 < asked["credits"].iloc[:2].sum() <= spent
    assert asked["calls"].min() >= 1


def test_a_question_that_fails_is_in_the_history_too(fresh, connected):
    """With the name of its error, and no number of rows."""
    crm = connected(fresh)
    with pytest.raises(NotFoundError):
        crm.records("Leads", ["Cty"])
    (row,) = crm.history().to_dict("records")
    assert (row["what"], row["route"], row["outcome"]) == ("Leads", "rest", "NotFoundError")
    assert pd.isna(row["rows"])


def test_the_history_is_typed_before_anything_was_asked(connected, fresh):
    """The same columns and dtypes on no rows."""
    crm = connected(fresh)
    before = crm.history()
    crm.records("Deals", ["Stage"])
    assert before.empty
    assert before.dtypes.equals(crm.history().dtypes)
