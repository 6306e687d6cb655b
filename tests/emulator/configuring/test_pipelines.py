"""Pipelines: what changes in them shows in the fields of deals, and in the deals."""

import pytest

PATH = "/settings/pipeline"


@pytest.fixture
def layout(ask):
    """The id of the layout of deals, as a parameter."""
    (found,) = ask("GET", "/settings/layouts", {"module": "Deals"}).body["layouts"]
    return {"layout_id": found["id"]}


def listed(ask, layout):
    """The pipelines by their names."""
    return {each["display_value"]: each for each in ask("GET", PATH, layout).body["pipeline"]}


def renewals(ask, layout, *stages):
    """Make a pipeline; its id."""
    maps = [{"display_value": each} for each in stages or ("Qualification", "Closed Won")]
    body = {"pipeline": [{"display_value": "Renewals", "maps": maps}]}
    reply = ask("POST", PATH, layout, body)
    return reply.body["pipeline"][0]["details"]["id"]


def deal(ask, **values):
    """Insert a deal; its result."""
    item = {"Deal_Name": "Pumps", "Closing_Date": "2026-12-01", **values}
    return ask("POST", "/Deals", json_body={"data": [item]}).body["data"][0]


def test_pipelines_list_their_stages_in_order(ask, layout):
    """One of them is the default."""
    every = listed(ask, layout)
    assert [each["default"] for each in every.values()] == [True, False]
    maps = every["Government Tenders"]["maps"]
    assert [each["sequence_number"] for each in maps] == list(range(1, len(maps) + 1))
    assert maps[-1]["forecast_type"] == "Closed Lost"
    one = ask("GET", f"{PATH}/{every['Government Tenders']['id']}", layout).body["pipeline"]
    assert one == [every["Government Tenders"]]


LAYOUTS = [({}, "REQUIRED_PARAM_MISSING"), ({"layout_id": "1"}, "INVALID_DATA")]


@pytest.mark.parametrize(("params", "code"), LAYOUTS)
def test_the_layout_is_needed(ask, params, code):
    """Pipelines belong to it."""
    reply = ask("GET", PATH, params)
    assert (reply.status, reply.body["code"]) == (400, code)


def test_a_new_pipeline_takes_deals_at_its_stages_only(ask, layout):
    """And the field lists it."""
    renewals(ask, layout)
    assert deal(ask, Pipeline="Renewals", Stage="Closed Won")["code"] == "SUCCESS"
    assert deal(ask, Pipeline="Renewals", Stage="Needs Analysis")["code"] == "MAPPING_MISMATCH"
    fields = ask("GET", "/settings/fields", {"module": "Deals"}).body["fields"]
    (field,) = [each for each in fields if each["api_name"] == "Pipeline"]
    assert "Renewals" in [each["display_value"] for each in field["pick_list_values"]]


def test_stages_come_and_go(ask, layout):
    """By their values or their ids."""
    pipeline = renewals(ask, layout)
    won = listed(ask, layout)["Renewals"]["maps"][1]["id"]
    maps = [{"display_value": "Needs Analysis", "sequence_number": 5}, {"id": won, "_delete": True}]
    reply = ask("PUT", f"{PATH}/{pipeline}", layout, {"pipeline": [{"maps": maps}]})
    assert reply.body["pipeline"][0]["code"] == "SUCCESS"
    stages = [each["display_value"] for each in listed(ask, layout)["Renewals"]["maps"]]
    assert stages == ["Qualification", "Needs Analysis"]


def test_there_is_one_default(ask, layout):
    """Another one takes its place."""
    pipeline = renewals(ask, layout)
    change = {"pipeline": [{"id": pipeline, "default": True}]}
    assert ask("PUT", PATH, layout, change).status == 200
    defaults = [name for name, each in listed(ask, layout).items() if each["default"]]
    assert defaults == ["Renewals"]
    off = {"pipeline": [{"id": pipeline, "default": False}]}
    assert ask("PUT", PATH, layout, off).body["pipeline"][0]["code"] == "INVALID_DATA"


@pytest.mark.parametrize(
    ("item", "code", "name"),
    [
        ({"display_value": None}, "MANDATORY_NOT_FOUND", "display_value"),
        ({"display_value": "government tenders"}, "DUPLICATE_DATA", "display_value"),
        ({"display_value": "x" * 121}, "INVALID_DATA", "display_value"),
        ({"maps": None}, "MANDATORY_NOT_FOUND", "maps"),
        ({"maps": []}, "INVALID_DATA", "maps"),
        ({"maps": [{"display_value": "Nope"}]}, "INVALID_DATA", "display_value"),
        ({"maps": [{}]}, "MANDATORY_NOT_FOUND", "display_value"),
    ],
)
def test_what_is_wrong_with_a_pipeline_is_named(ask, layout, item, code, name):
    """Nothing is made then."""
    before = listed(ask, layout)
    good = {"display_value": "Renewals", "maps": [{"display_value": "Qualification"}]}
    result = ask("POST", PATH, layout, {"pipeline": [good | item]}).body["pipeline"][0]
    assert (result["code"], result["details"]["api_name"]) == (code, name)
    assert listed(ask, layout) == before


def test_a_pipeline_is_deleted_once_its_deals_are_elsewhere(ask, layout):
    """A transfer moves them, from stage to stage, and deletes it."""
    pipeline = renewals(ask, layout, "Qualification", "Value Proposition")
    made = deal(ask, Pipeline="Renewals", Stage="Value Proposition")["details"]["id"]
    gone = {"pipeline": [{"_delete": {"permanent": True}}]}
    refused = ask("PATCH", f"{PATH}/{pipeline}", layout, gone).body["pipeline"][0]
    assert refused["code"] == "NOT_ALLOWED"
    target = listed(ask, layout)["Government Tenders"]
    ids = {each["display_value"]: each["id"] for each in target["maps"]}
    old = {e["display_value"]: e["id"] for e in listed(ask, layout)["Renewals"]["maps"]}
    ends = {"from": pipeline, "to": target["id"]}
    move = {"pipeline": ends, "stages": []}
    path = f"{PATH}/actions/transfer"
    lacking = ask("POST", path, layout, {"transfer_pipeline": [move]}).body["transfer_pipeline"][0]
    assert lacking["details"]["supported_values"] == ["Value Proposition"]
    move["stages"] = [{"from": old["Value Proposition"], "to": ids["Needs Analysis"]}]
    done = ask("POST", path, layout, {"transfer_pipeline": [move]}).body["transfer_pipeline"][0]
    assert done["details"]["job_id"]
    record = ask("GET", f"/Deals/{made}").body["data"][0]
    assert (record["Pipeline"], record["Stage"]) == ("Government Tenders", "Needs Analysis")
    assert "Renewals" not in listed(ask, layout)


def test_an_empty_pipeline_is_deleted(ask, layout):
    """The default one is not."""
    pipeline = renewals(ask, layout)
    gone = {"pipeline": [{"_delete": {"permanent": True}}]}
    assert ask("PATCH", f"{PATH}/{pipeline}", layout, gone).status == 200
    assert ask("GET", f"{PATH}/{pipeline}", layout).status == 204
    default = listed(ask, layout)["Standard (Standard)"]["id"]
    refused = ask("PATCH", f"{PATH}/{default}", layout, gone).body["pipeline"][0]
    assert refused["code"] == "NOT_ALLOWED"
