"""Mass change of owner: all records that a custom view shows, by a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.actions.addresses import INVENTORY, SALES, module_with
from zcrm_nb.emulator.query import filters, views
from zcrm_nb.emulator.query.conditions import Condition, both
from zcrm_nb.emulator.records import mass
from zcrm_nb.emulator.records.owners import hand_over, new_owner
from zcrm_nb.emulator.records.writes import attempted
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.deferred_jobs import DeferredJob, DeferringOrg, Work
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

SUPPORTED = (*SALES, *INVENTORY, "Campaigns", "Solutions", "Products", "Tasks", "Events", "Calls")


def post_mass_owner(org: DeferringOrg, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/mass_change_owner``: hand over what a custom view shows."""
    module_info = module_with(org, module, SUPPORTED)
    body = request.json()
    if body.get("territory") is not None:
        raise not_emulated("The key territory")
    where = _where(org, request, module_info, body)
    facts: Item = {"owner": new_owner(org, body), "ids": mass.fitting(org, module_info, where)}
    job = org.deferred_jobs.defer(
        mass.OWNER, module_info.api_name, request.user, len(facts["ids"]), facts
    )
    result = {
        "code": "SUCCESS",
        "details": {"job_id": str(job)},
        "message": "owner is successfully updated",
        "status": "success",
    }
    return json_answer({"data": [result]})


def _where(org: Org, request: Request, module: Module, body: Item) -> Condition:
    """Say which records a view and the criteria of a body choose."""
    cvid = body.get("cvid")
    if cvid is None:
        details = {"api_name": "cvid", "expected_data_type": "string"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    view = views.find(org.store, module.api_name, cvid)
    if view is None:
        details = {"api_name": "cvid", "json_path": "$.cvid"}
        raise Refusal(400, "INVALID_DATA", "the cvid given seems to be invalid", details)
    where = Condition('r."Converted__s" = 0' if module.api_name == "Leads" else "1")
    where = both(where, views.condition(view, org, request.user))
    if body.get("criteria") is None:
        return where
    return both(where, filters.condition(body["criteria"], module, org, request.user))


def _hand_over_later(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Give every record that is still there and not locked another owner."""
    module, owner = org.schema.modules[job.module], job.facts["owner"]
    with org.store.transaction(notify=org.settings.watch.notifies_of("change_owner")):
        tried = [
            attempted(org.store, hand_over, org, job.user, module, each, owner)
            for each in job.facts["ids"]
        ]
    failed = sum(error_status is not None for _, error_status in tried)
    return len(tried) - failed, failed


WORKS: dict[str, Work] = {mass.OWNER: _hand_over_later}

_PATH = f"{V8}/{{module}}/actions/mass_change_owner"

ROUTES = (
    Route(
        "POST",
        _PATH,
        post_mass_owner,
        "hand over what a custom view shows, up to 50,000 records, by a job",
        ("ZohoCRM.change_owner.CREATE",),
    ),
    Route(
        "GET",
        _PATH,
        partial(mass.get_status, kind=mass.OWNER),
        "status of a mass change of owner",
        ("ZohoCRM.change_owner.READ",),
        honours=("job_id",),
    ),
)
