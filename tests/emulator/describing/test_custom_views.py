"""Custom views: their own API, and wherever a cvid is taken."""

import pytest

from zcrm_nb.emulator.settings import EngineSettings

VIEWS = "/settings/custom_views"


def named(ask, module, name):
    """Id of a view by its name."""
    body = ask("GET", VIEWS, {"module": module}).body
    return next(each["id"] for each in body["custom_views"] if each["name"] == name)


def one(ask, module, cvid):
    """One view, whole."""
    return ask("GET", f"{VIEWS}/{cvid}", {"module": module}).body["custom_views"][0]


def make(ask, module="Leads", **view):
    """Make one view and return its id."""
    body = {"custom_views": [{"name": "Mine", **view}]}
    reply = ask("POST", VIEWS, {"module": module}, body)
    assert reply.status == 201, reply.body
    return reply.body["custom_views"][0]["details"]["id"]


def test_every_module_of_records_has_its_views(ask):
    """All of them and mine at least; the default one is named in info."""
    for module in ask.emulator.schema.modules.values():
        reply = ask("GET", VIEWS, {"module": module.api_name})
        if module.generated_type not in ("default", "custom") or module.api_name == "Notes":
            assert reply.status == 204
            continue
        views = reply.body["custom_views"]
        assert [each["system_name"] for each in views[:2]] == ["ALLVIEWS", "MYVIEWS"]
        assert reply.body["info"]["default"] == views[0]["id"]
        assert reply.body["info"]["translation"]["created_by_me"] == "Created By Me"


def test_only_a_single_view_tells_criteria_fields_and_order(ask):
    """The list leaves them out, as the pages say."""
    (listed,) = [
        each
        for each in ask("GET", VIEWS, {"module": "Leads"}).body["custom_views"]
        if each["name"] == "Hot Leads"
    ]
    assert listed.keys().isdisjoint({"criteria", "fields", "sort_by"})
    view = one(ask, "Leads", listed["id"])
    assert listed.items() <= view.items()
    assert view["criteria"]["group_operator"] == "AND"
    assert view["criteria"]["group"][0]["field"].keys() == {"api_name", "id"}
    assert view["sort_by"]["api_name"] == "Annual_Revenue"
    assert view["fields"][0].keys() == {"api_name", "id", "_pin"}
    assert ask("GET", f"{VIEWS}/77", {"module": "Leads"}).status == 204


def pages(ask, module, cvid, **params):
    """Every record of a view, page by page."""
    asked = {"fields": "id,Amount", "cvid": cvid, "per_page": 7, **params}
    reply = ask("GET", f"/{module}", asked)
    while reply.body:
        yield reply.body
        if not reply.body["info"]["more_records"]:
            return
        reply = ask(
            "GET", f"/{module}", asked | {"page_token": reply.body["info"]["next_page_token"]}
        )


def test_a_list_shows_the_view_in_its_own_order(ask, emulator):
    """Amount descending over all pages, numbered or by token; forth and back."""
    cvid = named(ask, "Deals", "Middle-Sized Deals")
    bodies = list(pages(ask, "Deals", cvid))
    amounts = [each["Amount"] for body in bodies for each in body["data"]]
    expected = [
        amount
        for (amount,) in emulator.store.read(
            "SELECT Amount FROM Deals WHERE Amount BETWEEN 200000 AND 1000000"
            " ORDER BY Amount DESC, id DESC"
        )
    ]
    assert amounts == expected
    assert len(bodies) > 1
    assert (bodies[0]["info"]["sort_by"], bodies[0]["info"]["sort_order"]) == ("Amount", "desc")
    second = ask("GET", "/Deals", {"fields": "id,Amount", "cvid": cvid, "per_page": 7, "page": 2})
    assert second.body["data"] == bodies[1]["data"]
    back = {"fields": "id,Amount", "cvid": cvid, "per_page": 7,
            "page_token": bodies[1]["info"]["previous_page_token"]}  # fmt: skip
    assert ask("GET", "/Deals", back).body["data"] == bodies[0]["data"]


def test_lists_counts_and_coql_agree_on_every_view(ask):
    """However it is asked, a view shows the same records."""
    for module in ("Leads", "Contacts", "Accounts", "Deals", "Tasks", "Site_Visits"):
        for view in ask("GET", VIEWS, {"module": module}).body["custom_views"]:
            cvid = view["id"]
            listed = {
                each["id"]
                for body in pages(ask, module, cvid, fields="id")
                for each in body["data"]
            }
            counted = ask("GET", f"/{module}/actions/count", {"cvid": cvid}).body["count"]
            query = f"select id from {module}#{cvid} where id is not null limit 2000"
            rows = ask("POST", "/coql", None, {"select_query": query}).body
            assert {each["id"] for each in (rows or {"data": []})["data"]} == listed
            assert counted == len(listed)


def test_a_query_narrows_a_view_and_may_join_and_nest(ask):
    """The view is one more condition."""
    cvid = named(ask, "Deals", "Open Deals")
    query = (
        f"select Deal_Name, Account_Name.Industry from Deals#{cvid}"
        f" where (Amount > 100000 and Account_Name in (select id from Accounts where id is not null"
        " limit 90)) order by Amount desc"
    )
    everything = query.replace(f"#{cvid}", "")
    viewed = ask("POST", "/coql", None, {"select_query": query}).body["data"]
    every = ask("POST", "/coql", None, {"select_query": everything}).body["data"]
    assert 0 < len(viewed) < len(every)
    assert [each for each in every if each in viewed] == viewed
    bad = ask(
        "POST", "/coql", None, {"select_query": "select id from Deals#77 where id is not null"}
    )
    assert (bad.body["code"], bad.body["details"]) == ("INVALID_QUERY", {"cvid": "77"})


def test_converted_leads_are_in_no_view_of_a_query_unless_told(ask, make):
    """A setting; the list's own parameter is another matter."""
    cvid = named(ask, "Leads", "All Leads")
    query = f"select COUNT(id) from Leads#{cvid} where Converted__s = 'true'"
    generous = make(settings={"engine": EngineSettings(converted_in_views=True)})
    (none,) = ask("POST", "/coql", None, {"select_query": query}).body["data"]
    (some,) = generous("POST", "/coql", None, {"select_query": query}).body["data"]
    assert none["COUNT(id)"] == 0 < some["COUNT(id)"]
    both = {"fields": "id", "cvid": cvid, "converted": "both"}
    assert (
        ask("GET", "/Leads", both).body["info"]["count"]
        > ask("GET", "/Leads", {"fields": "id", "cvid": cvid}).body["info"]["count"]
    )


def test_a_view_that_is_made_filters_at_once(ask):
    """Criteria, fields and order; its maker is named."""
    cvid = make(
        ask,
        criteria={"field": {"api_name": "City"}, "comparator": "contains", "value": "e"},
        fields=[{"api_name": "Last_Name"}, {"api_name": "City", "_pin": True}],
        sort_by={"api_name": "City"},
        sort_order="asc",
    )
    view = one(ask, "Leads", cvid)
    assert (view["category"], view["access_type"]) == ("created_by_me", "only_to_me")
    assert view["created_by"]["name"] == "Rohan Deshmukh"
    assert view["fields"][1]["_pin"] is True
    cities = [
        each["City"] for body in pages(ask, "Leads", cvid, fields="City") for each in body["data"]
    ]
    assert cities
    assert all("e" in city.lower() for city in cities)
    assert [city.lower() for city in cities] == sorted(city.lower() for city in cities)


def test_views_are_changed_sorted_and_deleted(ask):
    """By id, one or several; Zoho's own stay."""
    cvid = make(ask)
    changed = ask("PUT", f"{VIEWS}/{cvid}", {"module": "Leads"}, {"custom_views": [{"name": "X"}]})
    assert changed.body["custom_views"][0]["message"] == "custom view updated"
    assert one(ask, "Leads", cvid)["name"] == "X"
    order = {"sort_by": {"api_name": "Email"}, "sort_order": "asc"}
    several = {"custom_views": [{"id": cvid, **order}, {"id": "77", **order}]}
    reply = ask("PUT", f"{VIEWS}/actions/change_sort", {"module": "Leads"}, several)
    assert reply.status == 207
    assert one(ask, "Leads", cvid)["sort_by"]["api_name"] == "Email"
    sort = {"custom_views": [order | {"sort_order": "desc"}]}
    path = f"{VIEWS}/{cvid}/actions/change_sort"
    assert ask("PUT", path, {"module": "Leads"}, sort).status == 200
    assert one(ask, "Leads", cvid)["sort_order"] == "desc"
    own = named(ask, "Leads", "All Leads")
    reply = ask("DELETE", VIEWS, {"module": "Leads", "ids": f"{cvid},{own}"})
    assert reply.status == 207
    assert [each["code"] for each in reply.body["custom_views"]] == ["SUCCESS", "INVALID_DATA"]
    assert ask("GET", f"{VIEWS}/{cvid}", {"module": "Leads"}).status == 204


REFUSED = [
    ({"name": "hot leads"}, "DUPLICATE_DATA", "$.custom_views[0].name"),
    ({"name": ""}, "MANDATORY_NOT_FOUND", "$.custom_views[0].name"),
    ({"name": "x" * 81}, "INVALID_DATA", "$.custom_views[0].name"),
    ({"access_type": "all"}, "INVALID_DATA", "$.custom_views[0].access_type"),
    ({"fields": [{"api_name": "Nope"}]}, "INVALID_DATA", "$.custom_views[0].fields[0].api_name"),
    ({"sort_by": {"api_name": "Nope"}}, "INVALID_DATA", "$.custom_views[0].sort_by.api_name"),
    ({"sort_order": "up"}, "INVALID_DATA", "$.custom_views[0].sort_order"),
    (
        {"criteria": {"field": {"api_name": "City"}, "comparator": "over", "value": 1}},
        "DEPENDENT_MISMATCH",
        "$.custom_views[0].criteria.comparator",
    ),
]


@pytest.mark.parametrize(("view", "code", "path"), REFUSED)
def test_a_view_that_makes_no_sense_is_refused_by_its_place(ask, view, code, path):
    """400 with the item; nothing is made."""
    before = len(ask("GET", VIEWS, {"module": "Leads"}).body["custom_views"])
    body = {"custom_views": [{"name": "New", **view}]}
    reply = ask("POST", VIEWS, {"module": "Leads"}, body)
    (said,) = reply.body["custom_views"]
    assert (reply.status, said["code"]) == (400, code)
    assert said["details"]["json_path"] == path
    assert len(ask("GET", VIEWS, {"module": "Leads"}).body["custom_views"]) == before


def test_a_locked_view_is_not_changed(ask):
    """403, with the words of the page."""
    cvid = make(ask, locked=True)
    reply = ask("PUT", f"{VIEWS}/{cvid}", {"module": "Leads"}, {"custom_views": [{"name": "X"}]})
    (said,) = reply.body["custom_views"]
    assert (reply.status, said["code"]) == (403, "NO_PERMISSION")


def test_a_view_cannot_be_sorted_or_searched_by_the_caller(ask):
    """Ambiguous parameters, unknown views, and a search within a view."""
    cvid = named(ask, "Leads", "All Leads")
    sorted_ = ask("GET", "/Leads", {"fields": "id", "cvid": cvid, "sort_by": "id"})
    assert sorted_.body["code"] == "AMBIGUITY_DURING_PROCESSING"
    unknown = ask("GET", "/Leads", {"fields": "id", "cvid": "77"})
    assert (unknown.status, unknown.body["details"]) == (400, {"param_name": "cvid"})
    both = ask("GET", "/Leads/actions/count", {"cvid": cvid, "word": "ab"})
    assert both.body["details"] == {
        "ambiguity_due_to": [{"param_name": "cvid"}, {"param_name": "word"}]
    }
    assert ask("GET", "/Leads/search", {"cvid": cvid, "word": "ab"}).status == 404


def test_a_list_of_a_view_costs_three_credits(ask, emulator):
    """And it is one of the expensive calls."""
    cvid = named(ask, "Leads", "All Leads")
    before = emulator.meter.spent
    ask("GET", "/Leads", {"fields": "id", "cvid": cvid})
    assert emulator.meter.spent - before == 3


def test_views_live_in_the_file(make, tmp_path):
    """Reopened, the org has them still."""
    first = make(path=tmp_path / "org.sqlite")
    cvid = make_view = first(
        "POST", VIEWS, {"module": "Leads"}, {"custom_views": [{"name": "Kept"}]}
    ).body["custom_views"][0]["details"]["id"]
    first.emulator.close()
    second = make(path=tmp_path / "org.sqlite")
    assert one(second, "Leads", make_view)["name"] == "Kept"
    assert cvid == make_view
