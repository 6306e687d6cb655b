"""Views by name or id, on every route."""

from __future__ import annotations

import re

import pytest

import zcrm_nb
from zcrm_nb.errors import NotFoundError


def test_a_view_means_the_same_records_on_every_route(crm):
    """Each view of Leads and Deals, by Get Records, COQL and bulk read, sorted and cut alike."""
    for module in ("Leads", "Deals"):
        for view in crm.views(module)["name"]:
            how = {"columns": ["Owner", "Created_Time"], "view": view}
            tables = [crm.table(module, **how, route=route) for route in ("rest", "coql", "bulk")]
            assert tables[0].equals(tables[1]), view
            assert tables[0].equals(tables[2]), view
            assert len(tables[0]) == crm.count(module, view=view), view
            listed = crm.records(module, ["Owner"], view=view)
            assert set(listed["id"]) == set(tables[0]["id"]), view
    how = {"view": "Hot Leads", "order_by": "Created_Time desc", "limit": 7, "where": "City != 'x'"}
    tables = [crm.table("Leads", ["City"], **how, route=route) for route in ("coql", "bulk")]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == 7


def test_the_price_of_a_view_is_what_a_table_costs(crm):
    """Get Records takes three credits for a page of a view."""
    plan = crm.plan("Deals", ["Stage"], view="Middle-Sized Deals")
    assert re.search(r"from Deals#\d+ where", plan.query)
    for route in plan.routes[:2]:
        with crm.trace() as calls:
            crm.table("Deals", ["Stage"], view="Middle-Sized Deals", route=route.route)
        assert sum(call.credits for call in calls) == 1 + route.credits, route


@pytest.mark.parametrize("name", ["Middle-Sized Deals", "middle-sized deals ", "{id}"])
def test_a_view_is_named_by_name_or_id(crm, name):
    """In any letters, where no other view is called so."""
    views = crm.views("Deals").set_index("name")
    view = name.format(id=views.loc["Middle-Sized Deals", "id"])
    number = crm.count("Deals", view=view)
    assert number == crm.count("Deals", cvid=views.loc["Middle-Sized Deals", "id"]) > 0
    assert len(crm.bulk("Deals", ["Stage"], view=view)) == number
    explorer = zcrm_nb.explore(crm, "Deals", view=view, limit=None)
    assert len(explorer.run()) == number


@pytest.mark.parametrize(
    ("module", "how", "words"),
    [
        ("Deals", {"view": "Midle-Sized Deals"}, "Did you mean Middle-Sized Deals"),
        ("Leads", {"view": "Middle-Sized Deals"}, "It is a view of Deals"),
        ("Deals", {"view": "123"}, "no view '123'"),
        ("Deals", {"view": ""}, "no view ''"),
        ("Deals", {"cvid": "Middle-Sized Deals"}, "view='Middle-Sized Deals'"),
    ],
)
def test_an_unknown_view_is_refused_before_anything_is_sent(crm, module, how, words, tmp_path):
    """By every method that takes one, with the nearest name."""
    crm.views("Deals"), crm.views("Leads")
    methods = [crm.records, crm.bulk, crm.count, lambda m, **how: crm.export(m, tmp_path, **how)]
    if "view" in how:
        methods += [crm.table, crm.plan, lambda m, **how: zcrm_nb.explore(crm, m, **how)]
    for method in methods:
        with crm.trace() as calls, pytest.raises(NotFoundError, match=re.escape(words)):
            method(module, **how)
        assert not [call for call in calls if "/settings/" not in call.path]


def test_view_and_cvid_together_are_refused(crm):
    """One of them would be ignored."""
    with pytest.raises(ValueError, match="Give either view"):
        crm.records("Deals", ["Stage"], view="My Deals", cvid="1")
    with pytest.raises(TypeError, match="name or id of a view"):
        crm.records("Deals", ["Stage"], view=7)


def test_a_view_made_meanwhile_is_found(crm):
    """An unknown name is looked up once more."""
    crm.count("Deals", view="My Deals")
    view = {
        "name": "Made meanwhile",
        "criteria": {"comparator": "greater_than", "field": {"api_name": "Amount"}, "value": 5},
        "fields": [{"api_name": "Deal_Name"}],
    }
    body = {"custom_views": [view]}
    crm.request("POST", "settings/custom_views", params={"module": "Deals"}, json=body)
    assert crm.count("Deals", view="Made meanwhile") > 0
