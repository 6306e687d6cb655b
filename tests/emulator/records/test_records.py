"""Reading records: lists, pages, one record, search, counts, deletions."""

from itertools import chain

import pytest

from zcrm_nb.emulator.serving.paging import Binder, Position

INFO = {
    "call",
    "email",
    "per_page",
    "count",
    "page",
    "sort_by",
    "sort_order",
    "more_records",
    "next_page_token",
    "previous_page_token",
    "page_token_expiry",
}


def leads(ask, **params):
    """One page of leads."""
    return ask("GET", "/Leads", {"fields": "Last_Name", "converted": "both", **params})


def ids_of(reply):
    """Ids on a page, in its order."""
    return [each["id"] for each in reply.body["data"]]


def test_a_page_shows_what_was_asked_for_and_the_id(ask):
    """Shapes as §6.3 has them."""
    fields = "Last_Name,Owner,Created_Time,Languages_Known,Converted__s,Annual_Revenue,Referred_By"
    record = leads(ask, fields=fields).body["data"][0]
    assert record.keys() == {"id", *fields.split(",")}
    assert record["Owner"].keys() == {"name", "id", "email"}
    assert record["Created_Time"].endswith("+05:30")
    assert isinstance(record["Languages_Known"], list)
    assert isinstance(record["Converted__s"], bool)
    assert isinstance(record["id"], str)


def test_info_has_exactly_the_documented_keys(ask):
    """§1.2; newest first by default."""
    info = leads(ask).body["info"]
    assert info.keys() == INFO
    assert (info["per_page"], info["count"], info["page"]) == (200, 40, 1)
    assert (info["sort_by"], info["sort_order"]) == ("id", "desc")
    assert info["more_records"] is False
    assert (
        info["next_page_token"] is info["previous_page_token"] is info["page_token_expiry"] is None
    )


def test_converted_leads_are_left_out_unless_asked_for(ask):
    """By default; true and both show them."""
    counts = {which: len(ask.ids("Leads", converted=which)) for which in ("true", "false", "both")}
    assert counts["true"] + counts["false"] == counts["both"] == 40
    assert ask("GET", "/Leads", {"fields": "id"}).body["info"]["count"] == counts["false"]


def test_lists_omit_subforms_and_links(ask):
    """They come with a single record only."""
    record = ask("GET", "/Site_Visits", {"fields": "Name,Expenses,Engineers"}).body["data"][0]
    assert record.keys() == {"id", "Name"}


def test_unknown_fields_are_left_out_or_refused(ask, make):
    """No page says which; a setting."""
    assert leads(ask, fields="Last_Name,Nonsense").body["data"][0].keys() == {"id", "Last_Name"}
    strict = make({"refuse_unknown_fields": True})
    assert leads(strict, fields="Last_Name,Nonsense").body["code"] == "INVALID_DATA"


def test_pages_by_number_join_without_gap_or_overlap(ask):
    """In the order of the list."""
    pages = [ids_of(leads(ask, page=n, per_page=15)) for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [15, 15, 10]
    assert [*chain(*pages)] == ids_of(leads(ask))
    assert leads(ask, page=4, per_page=15).status == 204


@pytest.mark.parametrize("sort_by", ["id", "Created_Time", "Modified_Time"])
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_page_tokens_walk_the_whole_list_and_back(ask, sort_by, sort_order):
    """Every record once, in order, whatever the sort; previous tokens lead back."""
    how = {"sort_by": sort_by, "sort_order": sort_order, "per_page": 7}
    expected = ids_of(leads(ask, **how | {"per_page": 200}))
    pages, token = [], {}
    while True:
        reply = leads(ask, **how, **token)
        pages.append(ids_of(reply))
        if not reply.body["info"]["more_records"]:
            break
        token = {"page_token": reply.body["info"]["next_page_token"]}
    assert [*chain(*pages)] == expected
    for page in pages[-2::-1]:
        reply = leads(ask, **how, page_token=reply.body["info"]["previous_page_token"])
        assert ids_of(reply) == page
        assert reply.body["info"]["more_records"] is True
    assert reply.body["info"]["previous_page_token"] is None


def test_pages_stay_what_they_are_when_records_come_in(ask):
    """A token marks a record, not a number of rows."""
    first = leads(ask, per_page=10)
    expected = ids_of(leads(ask))
    ask("POST", "/Leads", None, {"data": [{"Last_Name": f"New {n}"} for n in range(5)]})
    second = leads(ask, per_page=10, page_token=first.body["info"]["next_page_token"])
    assert ids_of(first) + ids_of(second) == expected[:20]


def test_a_token_goes_on_from_a_numbered_page(ask):
    """The first page with tokens may be any."""
    token = leads(ask, page=2, per_page=10).body["info"]["next_page_token"]
    reply = leads(ask, per_page=10, page_token=token)
    assert ids_of(reply) == ids_of(leads(ask, page=3, per_page=10))
    assert reply.body["info"]["page"] == 1


def test_the_page_number_may_count_on(make):
    """UNCONFIRMED, so it is a setting."""
    ask = make({"token_page_number": True})
    token = leads(ask, per_page=10).body["info"]["next_page_token"]
    assert leads(ask, per_page=10, page_token=token).body["info"]["page"] == 2


def test_tokens_fit_into_96_characters(ask):
    """As long as Zoho's at most; they tell when they expire."""
    info = leads(ask, per_page=10).body["info"]
    assert len(info["next_page_token"]) <= 96
    assert info["page_token_expiry"] == "2026-09-16T09:00:00+05:30"


@pytest.mark.parametrize(
    "change",
    [{"fields": "Company"}, {"per_page": 11}, {"sort_order": "asc"}, {"converted": "false"}],
)
def test_a_token_is_bound_to_what_was_asked(ask, change):
    """Changing any parameter is a mismatch."""
    token = leads(ask, per_page=10).body["info"]["next_page_token"]
    reply = leads(ask, **{"per_page": 10, "page_token": token} | change)
    assert reply.status == 400
    assert reply.body == {
        "code": "TOKEN_BOUND_DATA_MISMATCH",
        "details": {"param_name": "page_token"},
        "message": "The page_token given seems to be invalid or input param is added or altered "
        "or deleted",
        "status": "error",
    }


def test_a_token_is_bound_to_if_modified_since(ask):
    """The header counts as a parameter."""
    token = leads(ask, per_page=10).body["info"]["next_page_token"]
    asked = {"fields": "Last_Name", "converted": "both", "per_page": 10, "page_token": token}
    since = {"If-Modified-Since": "2020-01-01T00:00:00+05:30"}
    assert ask("GET", "/Leads", asked, headers=since).body["code"] == "TOKEN_BOUND_DATA_MISMATCH"


def test_a_token_of_another_user_is_no_token(ask, emulator):
    """INVALID_DATA, like any garbage."""
    token = leads(ask, per_page=10).body["info"]["next_page_token"]
    other = emulator.store.read("SELECT max(id) FROM Users")[0][0]
    client = emulator.credentials["client_id"]
    code = emulator.accounts.issue_grant_code(client, "ZohoCRM.modules.ALL", user=other)
    ask.token = ask.exchange(code).body["access_token"]
    reply = leads(ask, per_page=10, page_token=token)
    assert (reply.body["code"], reply.body["details"]) == (
        "INVALID_DATA",
        {"param_name": "page_token"},
    )


def test_a_token_dies_after_a_day(ask, emulator):
    """By the emulator's clock."""
    token = leads(ask, per_page=10).body["info"]["next_page_token"]
    emulator.clock.advance(24 * 3600)
    ask.token = ask.refresh().body["access_token"]
    reply = leads(ask, per_page=10, page_token=token)
    assert reply.status == 400
    assert reply.body == {
        "code": "EXPIRED_VALUE",
        "details": {"api_name": "page_token", "json_path": "$.query.page_token"},
        "message": "Page token expired",
        "status": "error",
    }


def test_if_modified_since_shows_what_is_newer_or_304(ask, emulator):
    """Nothing newer is 304 with no body."""
    now = {"If-Modified-Since": "2026-09-15T09:00:00+05:30"}
    call = ("GET", "/Leads", {"fields": "id"}, None)
    reply = ask(*call, headers=now)
    assert (reply.status, reply.raw) == (304, b"")
    emulator.clock.advance(60)
    made = ask("POST", "/Leads", None, {"data": [{"Last_Name": "Osei"}]}).body["data"][0]
    assert ids_of(ask(*call, headers=now)) == [made["details"]["id"]]


def test_if_modified_since_takes_an_http_date_unless_told_otherwise(ask, make):
    """UNCONFIRMED; without a zone it is refused in any case."""
    call = ("GET", "/Leads", {"fields": "id"}, None)
    http = {"If-Modified-Since": "Tue, 15 Sep 2026 03:30:00 GMT"}
    assert ask(*call, headers=http).status == 304
    assert make({"if_modified_since_http_date": False})(*call, headers=http).status == 400
    reply = ask(*call, headers={"If-Modified-Since": "2026-09-15T09:00:00"})
    assert reply.body["details"] == {"param_name": "If-Modified-Since"}


def test_ids_choose_records(ask):
    """Comma-separated; malformed ones are refused."""
    two = ask.ids("Leads")[:2]
    assert set(ids_of(leads(ask, ids=",".join(two)))) == set(two)
    assert leads(ask, ids="1,x").body["details"] == {"param_name": "ids"}


def test_nothing_found_is_204_without_a_body(ask):
    """Not an empty list."""
    reply = leads(ask, ids="1")
    assert (reply.status, reply.raw) == (204, b"")
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize("name", ["include_child", "filters"])
def test_what_would_change_the_answer_unseen_is_refused(ask, name):
    """Children of a territory and filters are not emulated."""
    reply = leads(ask, **{name: "1"})
    assert (reply.status, reply.body["details"]) == (404, {"emulated": False})


@pytest.mark.parametrize("word", ["x", "é", "*"])
def test_a_word_of_one_letter_is_not_counted(ask, word):
    """INVALID_DATA for a count, PATTERN_NOT_MATCHED for a search."""
    for path, code in (("actions/count", "INVALID_DATA"), ("search", "PATTERN_NOT_MATCHED")):
        reply = ask("GET", f"/Leads/{path}", {"word": word})
        assert (reply.status, reply.body["code"]) == (400, code)
        assert reply.body["details"] == {"param_name": "word"}


@pytest.mark.parametrize("field", ["Last_Name", "Company", "Annual_Revenue", "Created_Time"])
def test_a_search_is_sorted_by_any_field(ask, make, field):
    """As the specification says; by a setting only by the three of lists."""
    params = {"criteria": "(Last_Name:not_equal:x)", "sort_by": field, "sort_order": "asc"}
    found = [each[field] for each in ask("GET", "/Leads/search", params).body["data"]]
    known = [each for each in found if each is not None]
    assert known == sorted(known)
    strict = make({"search_sorts_by_any_field": False})("GET", "/Leads/search", params)
    assert strict.status == (200 if field == "Created_Time" else 400)


def test_every_record_is_approved(ask):
    """So those that are not approved are none, in lists, counts, searches and alone."""
    (lead, *_) = ask.ids("Leads")
    for path in ("/Leads", f"/Leads/{lead}"):
        params = {"fields": "Last_Name", "approved": "true"}
        assert ask("GET", path, params).body == ask("GET", path, params | {"approved": "both"}).body
        assert ask("GET", path, params | {"approved": "false"}).status == 204
        refused = ask("GET", path, params | {"approved": "perhaps"}).body["details"]
        assert refused["param_name"] == "approved"
    assert ask("GET", "/Leads/actions/count", {"approved": "false"}).body == {"count": 0}


def test_one_record_is_chosen_by_conversion(ask):
    """By default it is shown, converted or not."""
    ids = {which: ask.ids("Leads", converted=which)[0] for which in ("true", "false")}
    for which, lead in ids.items():
        for wanted, status in ((which, 200), ("both", 200), (None, 200)):
            params = {} if wanted is None else {"converted": wanted}
            assert ask("GET", f"/Leads/{lead}", params).status == status
        other = "false" if which == "true" else "true"
        assert ask("GET", f"/Leads/{lead}", {"converted": other}).status == 204


def test_one_record_comes_with_everything(ask, emulator):
    """All fields, subform rows, links and $has_more; no info."""
    with_rows = emulator.store.read(
        "SELECT Parent_Id FROM Site_Visit_Expenses WHERE Parent_Id IN "
        "(SELECT Site_Visit FROM Site_Visits_X_Products)"
    )[0][0]
    body = ask("GET", f"/Site_Visits/{with_rows}").body
    assert body.keys() == {"data"}
    (visit,) = body["data"]
    fields = {each.api_name for each in emulator.schema.modules["Site_Visits"].fields}
    assert visit.keys() == fields | {"$has_more"}
    assert visit["Expenses"][0]["Parent_Id"]["id"] == str(with_rows)
    assert visit["Products_Shown"][0].keys() == {"id", "Products_Shown"}
    assert visit["$has_more"] == {"Expenses": False, "Products_Shown": False, "Engineers": False}


def test_one_record_may_show_some_fields_only(ask):
    """Here naming fields is optional."""
    lead = ask.ids("Leads")[0]
    record = ask("GET", f"/Leads/{lead}", {"fields": "Company"}).body["data"][0]
    assert record.keys() == {"id", "Company"}


def test_a_task_tells_what_kind_of_record_it_is_about(ask):
    """$se_module beside What_Id, in lists and alone."""
    tasks = ask("GET", "/Tasks", {"fields": "Subject,What_Id"}).body["data"]
    about = next(each for each in tasks if each["What_Id"])
    assert about["$se_module"] in {"Leads", "Accounts", "Deals", "Campaigns"}
    assert about["What_Id"].keys() == {"name", "id"}
    assert ask("GET", f"/Tasks/{about['id']}").body["data"][0]["$se_module"] == about["$se_module"]


def test_long_rich_text_is_cut_in_lists_only(ask):
    """500 characters there, everything on the record itself."""
    visit = ask.ids("Site_Visits")[0]
    ask("PUT", f"/Site_Visits/{visit}", None, {"data": [{"Observations": "x" * 900}]})
    asked = {"fields": "Observations,Name", "ids": visit}
    assert len(ask("GET", "/Site_Visits", asked).body["data"][0]["Observations"]) == 500
    assert len(ask("GET", f"/Site_Visits/{visit}").body["data"][0]["Observations"]) == 900


def test_an_unknown_id_is_204_or_400(ask, make):
    """CONFLICT; 204 unless the setting says otherwise."""
    assert ask("GET", "/Leads/5725767000000524157").status == 204
    reply = make({"unknown_id_status": 400})("GET", "/Leads/5725767000000524157")
    assert (reply.status, reply.body["details"]) == (400, {"resource_path_index": 1})


def test_one_record_that_is_not_newer_is_304(ask):
    """If-Modified-Since on a single record."""
    lead = ask.ids("Leads")[0]
    since = {"If-Modified-Since": "2026-09-15T09:00:00+05:30"}
    assert ask("GET", f"/Leads/{lead}", headers=since).status == 304
    since = {"If-Modified-Since": "2001-09-15T09:00:00+05:30"}
    assert ask("GET", f"/Leads/{lead}", headers=since).status == 200


@pytest.fixture
def with_osei(ask):
    """Add three records to look for."""
    people = [
        {"Last_Name": "Osei", "Email": "ama.osei@example.com", "Phone": "+233 (30) 555-0101"},
        {"Last_Name": "Osei-Tutu", "Secondary_Email": "tutu@example.com"},
        {"Last_Name": "Quartey", "Company": "Osei Metals", "No_of_Employees": 12},
    ]
    ask("POST", "/Leads", None, {"data": people})
    return ask


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"criteria": "(Last_Name:equals:Osei)"}, {"Osei", "Osei-Tutu"}),
        ({"criteria": "((Last_Name:equals:Osei) and (Email:starts_with:ama))"}, {"Osei"}),
        ({"email": "ama.osei@"}, {"Osei"}),
        ({"email": "tutu@example.com"}, {"Osei-Tutu"}),
        ({"phone": "555-0101"}, {"Osei"}),
        ({"word": "osei"}, {"Osei", "Osei-Tutu", "Quartey"}),
        ({"word": "quartey", "email": "ama.osei@"}, {"Osei"}),
        ({"word": "quartey", "criteria": "(No_of_Employees:equals:12)"}, {"Quartey"}),
    ],
)
def test_a_search_finds_by_its_first_key(with_osei, params, found):
    """First criteria, then email, phone, word; equals finds parts of a text."""
    reply = with_osei("GET", "/Leads/search", {"fields": "Last_Name", **params})
    assert {each["Last_Name"] for each in reply.body["data"]} == found
    assert reply.body["info"].keys() == {"per_page", "count", "page", "more_records"}
    counted = with_osei("GET", "/Leads/actions/count", params)
    assert counted.body == {"count": len(found)}


def test_a_search_shows_all_fields_when_none_are_named(with_osei):
    """Unlike a list; but no subforms."""
    record = with_osei("GET", "/Leads/search", {"word": "osei"}).body["data"][0]
    assert {"Last_Name", "Annual_Revenue", "Tag", "Owner"} <= record.keys()


def test_a_search_turns_pages(with_osei):
    """Newest first, 204 behind the end."""
    asked = {"word": "osei", "per_page": 2, "fields": "Last_Name"}
    first = with_osei("GET", "/Leads/search", asked)
    assert [each["Last_Name"] for each in first.body["data"]] == ["Quartey", "Osei-Tutu"]
    assert first.body["info"] == {"per_page": 2, "count": 2, "page": 1, "more_records": True}
    assert with_osei("GET", "/Leads/search", asked | {"page": 3}).status == 204


def test_a_search_may_lag_behind(make):
    """The index needs a while where the setting says so; COQL would not."""
    ask = make({"search_lag_s": 5})
    ask("POST", "/Leads", None, {"data": [{"Last_Name": "Zwingli"}]})
    assert ask("GET", "/Leads/search", {"word": "Zwingli"}).status == 204
    ask.emulator.clock.advance(5)
    assert ask("GET", "/Leads/search", {"word": "Zwingli"}).status == 200


@pytest.mark.parametrize("params", [{"word": "x"}, {"word": "a*b*"}, {"phone": "12"},
                                    {"phone": "call me"}])  # fmt: skip
def test_a_search_for_too_little_is_refused(ask, params):
    """Lengths and patterns of §3."""
    assert ask("GET", "/Leads/search", params).body["code"] == "PATTERN_NOT_MATCHED"


def test_a_count_without_a_search_counts_all(ask, make):
    """Or is refused, by the setting; converted leads are left out as in lists."""
    asked = ("GET", "/Leads/actions/count")
    assert ask(*asked).body == {"count": len(ask.ids("Leads", converted="false"))}
    assert ask(*asked, {"converted": "both"}).body == {"count": 40}
    assert make({"count_needs_search": True})(*asked).body["code"] == "EXPECTED_PARAM_MISSING"


def test_deleted_records_leave_tombstones(ask, emulator):
    """Who and when; the newest first."""
    first, second = ask.ids("Leads")[:2]
    ask("DELETE", f"/Leads/{first}")
    emulator.clock.advance(60)
    ask("DELETE", f"/Leads/{second}")
    body = ask("GET", "/Leads/deleted").body
    assert [each["id"] for each in body["data"]] == [second, first]
    stone = body["data"][0]
    assert stone.keys() == {
        "id",
        "display_name",
        "type",
        "deleted_time",
        "deleted_by",
        "created_by",
    }
    assert stone["type"] == "recycle"
    assert stone["deleted_time"] == "2026-09-15T09:01:00+05:30"
    assert stone["deleted_by"].keys() == {"name", "id"}
    assert body["info"] == {"per_page": 200, "count": 2, "page": 1, "more_records": False}


def test_deleted_records_can_be_asked_for_since(ask, emulator):
    """304 when nothing was deleted since, 204 when nothing was deleted at all."""
    assert ask("GET", "/Leads/deleted").status == 204
    ask("DELETE", f"/Leads/{ask.ids('Leads')[0]}")
    since = {"If-Modified-Since": "2026-09-15T09:00:00+05:30"}
    assert ask("GET", "/Leads/deleted", headers=since).status == 304
    assert ask("GET", "/Leads/deleted", {"type": "permanent"}).status == 204


def test_a_list_reaches_100000_records_and_no_more(ask, emulator):
    """The last page ends there; the token behind it is refused."""
    asked = {"fields": "Last_Name", "converted": "both", "per_page": "30"}
    user = emulator.accounts.check(f"Zoho-oauthtoken {ask.token}").user
    bound = asked | {"path": "/crm/v8/Leads", "If-Modified-Since": ""}
    binder = Binder.of(emulator.org.secret, user, bound.items())
    # As if the newest record were the 99,990th of the list.
    position = Position(int(ask.ids("Leads")[-1]), int(ask.ids("Leads")[-1]), 99_990)
    token = binder.seal(position, emulator.clock.now())
    info = ask("GET", "/Leads", asked | {"page_token": token}).body["info"]
    assert (info["count"], info["more_records"]) == (10, True)
    reply = ask("GET", "/Leads", asked | {"page_token": info["next_page_token"]})
    assert reply.status == 400
    assert reply.body == {
        "code": "PAGINATION_LIMIT_EXCEEDED",
        "details": {"param_name": "page_token"},
        "message": "You can only get upto 100000 records using page_token param",
        "status": "error",
    }


def test_rich_text_comes_whole_where_it_is_asked_for(ask):
    """Lists cut it after 500 characters; of one record or of several."""
    one, two = ask.ids("Site_Visits")[:2]
    long = "word " * 400
    ask("PUT", f"/Site_Visits/{one}", None, {"data": [{"Observations": long}]})
    fields = {"fields": "Observations"}
    listed = ask("GET", "/Site_Visits", {**fields, "ids": one}).body["data"][0]
    assert len(listed["Observations"]) == 500
    path = "/Site_Visits/actions/fetch_full_data"
    several = ask("GET", path, {**fields, "ids": f"{one},{two}"}).body["data"]
    assert [each["id"] for each in several] == [one, two]
    assert several[0]["Observations"] == long
    single = ask("GET", f"/Site_Visits/{one}/actions/fetch_full_data", fields).body["data"]
    assert single == several[:1]
    assert ask("GET", path, {**fields, "ids": "x"}).body["code"] == "UNABLE_TO_PARSE_DATA_TYPE"
    assert ask("GET", path, {"ids": one}).body["details"] == {"param_name": "fields"}
    assert ask("GET", path, {**fields, "ids": "7"}).status == 204
