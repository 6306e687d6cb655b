"""Features that the org does not use answer so."""

import pytest


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/settings/automation/assignment_rules", {}),
        ("/settings/automation/assignment_rules/1", {"module": "Leads"}),
        ("/settings/automation/scoring_rules", {"module": "Leads"}),
        ("/settings/automation/scoring_rules/1", {}),
        ("/Entity_Scores__s", {"fields": "Score"}),
        ("/Entity_Scores__s/1", {"fields": "Score"}),
    ],
)
def test_lists_are_empty(ask, path, params):
    """204, as for every empty list."""
    assert ask("GET", path, params).status == 204


def test_no_record_is_in_a_blueprint(ask):
    """Read or moved: RECORD_NOT_IN_PROCESS; an unknown record is refused as such."""
    path = f"/Leads/{ask.ids('Leads')[0]}/actions/blueprint"
    for method, body in (("GET", None), ("PUT", {"blueprint": []})):
        reply = ask(method, path, None, body)
        assert (reply.status, reply.body["code"]) == (400, "RECORD_NOT_IN_PROCESS")
    assert ask("GET", "/Leads/77/actions/blueprint").body["code"] == "INVALID_DATA"


def test_what_is_wrong_is_refused(ask):
    """An unknown module, a list without fields, an id that is none."""
    rules = ask("GET", "/settings/automation/assignment_rules", {"module": "Nothing"})
    assert rules.body["code"] == "INVALID_MODULE"
    assert ask("GET", "/Entity_Scores__s").body["code"] == "REQUIRED_PARAM_MISSING"
    assert ask("GET", "/settings/automation/scoring_rules/x").body["code"] == "INVALID_DATA"
