"""Features that the org does not use: their lists are empty, and no record is in any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.emulator.actions.addresses import module_with, record_of
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request
from zcrm_nb.emulator.serving.route import PAGES, READ, SORTED, UPDATE, V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org


def get_nothing(org: Org, request: Request, rule_id: str = "") -> Answer:
    """Answer for a list that is empty, and for one of its members: there is none."""
    if rule_id:
        parameters.record_id(rule_id)
    if name := request.params.get("module"):
        module_named(org, name)
    return NOTHING


def get_scores(org: Org, request: Request, record_id: str = "") -> Answer:
    """``GET /Entity_Scores__s[/{id}]``: no rule scores records."""
    if "fields" not in request.params:
        raise parameters.missing("fields")
    if record_id:
        parameters.record_id(record_id)
    return NOTHING


def refuse_blueprint(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET`` and ``PUT /{module}/{id}/actions/blueprint``: no record is in a blueprint."""
    record_of(org, module_with(org, module), record_id)
    if request.method == "PUT":
        request.json()
    raise Refusal(400, "RECORD_NOT_IN_PROCESS", "record not in process")


_RULES = f"{V8}/settings/automation"
_BLUEPRINT = f"{V8}/{{module}}/{{record_id}}/actions/blueprint"
_SETTINGS = "ZohoCRM.settings"

ROUTES = (
    Route(
        "GET",
        f"{_RULES}/assignment_rules",
        get_nothing,
        "assignment rules: the org has none",
        (f"{_SETTINGS}.assignment_rules.READ",),
        honours=("module",),
    ),
    Route(
        "GET",
        f"{_RULES}/assignment_rules/{{rule_id}}",
        get_nothing,
        "one assignment rule: the org has none",
        (f"{_SETTINGS}.assignment_rules.READ",),
        honours=("module",),
    ),
    Route(
        "GET",
        f"{_RULES}/scoring_rules",
        get_nothing,
        "scoring rules: the org has none",
        (f"{_SETTINGS}.scoring_rules.READ",),
        honours=("module", "layout_id", "active", "name", *PAGES),
    ),
    Route(
        "GET",
        f"{_RULES}/scoring_rules/{{rule_id}}",
        get_nothing,
        "one scoring rule: the org has none",
        (f"{_SETTINGS}.scoring_rules.READ",),
        honours=("layout_id", "active", "name"),
    ),
    Route(
        "GET",
        f"{V8}/Entity_Scores__s",
        get_scores,
        "scores of records: no rule scores them",
        ("ZohoCRM.modules.Entity_Scores__s.READ",),
        honours=("fields", "ids", *SORTED, *PAGES, "page_token", "cvid"),
    ),
    Route(
        "GET",
        f"{V8}/Entity_Scores__s/{{record_id}}",
        get_scores,
        "the score of one record: no rule scores it",
        ("ZohoCRM.modules.Entity_Scores__s.READ",),
        honours=("fields", "cvid"),
    ),
    Route("GET", _BLUEPRINT, refuse_blueprint, "the blueprint of a record: in none", READ),
    Route("PUT", _BLUEPRINT, refuse_blueprint, "move a record in its blueprint: in none", UPDATE),
)
