"""Mass update and mass delete: some records at once, or all that a custom view shows, later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.emulator.catalog.describe import is_mass_updatable
from zcrm_nb.emulator.query import filters, views
from zcrm_nb.emulator.query.conditions import Condition, both
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import Writer, attempted, overall, refuse_locked, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.validation import RecordChecker

if TYPE_CHECKING:
    from zcrm_nb.emulator.deferred_jobs import DeferredJob, DeferringOrg, Work
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

Item = dict[str, Any]

IDS = 500
IN_VIEW = 50_000
UNSUPPORTED = ("Notes",)
UPDATE, DELETE = "mass_update", "mass_delete"
OWNER, CONVERT = "mass_change_owner", "mass_convert"


class Scope(NamedTuple):
    """Which records a call is about: some ids now, or what fits a condition later."""

    ids: list[str] | None
    where: Condition | None


def post_mass_update(org: DeferringOrg, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/mass_update``: write the same values into many records."""
    module_info = _module(org, module, "The requested operation is not supported")
    body = request.json()
    scope = _scope(org, request, module_info, body)
    if scope is None:
        return _refused_item(Refusal(400, "MANDATORY_NOT_FOUND", "required field not found"))
    try:
        values = _values(org, module_info, body)
    except Refusal as refusal:
        return _refused_item(refusal)
    if scope.ids is None:
        facts = {"values": values, "ids": fitting(org, module_info, scope.where)}
        return _defer(org, request, module_info, UPDATE, facts)
    writer = Writer(org, request.user, module_info)

    def update(text: str) -> Item:
        return writer.update(values | {"id": _existing_id(org, module_info, text)}, "$.data[0]")

    with org.store.transaction(notify=org.settings.watch.notifies_of("mass_update")):
        tried = [attempted(org.store, update, each) for each in scope.ids]
        results = writer.receipts([result for result, _ in tried])
    for each in results:
        each["details"].pop("$approval_state", None)
    return _answer(results, [error_status for _, error_status in tried])


def post_mass_delete(org: DeferringOrg, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/mass_delete``: delete many records."""
    module_info = _module(org, module, "Mass delete is not supported for this module")
    scope = _scope(org, request, module_info, request.json())
    if scope is None:
        details = {"api_name": "ids", "expected_data_type": "jsonarray"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    if scope.ids is None:
        return _defer(
            org, request, module_info, DELETE, {"ids": fitting(org, module_info, scope.where)}
        )

    def delete(text: str) -> Item:
        record_id = int(_existing_id(org, module_info, text))
        refuse_locked(org.store, module_info, record_id)
        return success("record is deleted", record_id)

    with org.store.transaction(notify=org.settings.watch.notifies_of("mass_delete")):
        tried = [attempted(org.store, delete, each) for each in scope.ids]
        good = [
            int(result["details"]["id"]) for result, error_status in tried if error_status is None
        ]
        recycle_bin.move_to_bin(org.store, module_info.api_name, good, user=request.user)
    return _answer([result for result, _ in tried], [error_status for _, error_status in tried])


def get_status(org: DeferringOrg, request: Request, module: str, *, kind: str) -> Answer:
    """``GET …?job_id=``: how far a mass action is."""
    module_info = module_named(org, module)
    text = request.params.get("job_id")
    if not text:
        message = "required param not found"
        raise Refusal(400, "MANDATORY_NOT_FOUND", message, {"param_name": "job_id"})
    job = (
        org.deferred_jobs.find(kind, module_info.api_name, int(text))
        if parameters.is_id(text)
        else None
    )
    if job is None:
        message = "The jobid given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"param_name": "job_id"})
    counts = {"Total_Count": job.total, "Failed_Count": job.failed}
    left = job.total - job.done - job.failed
    if kind == DELETE:
        counts |= {"Deleted_Count": job.done}
    elif kind == CONVERT:
        counts |= {"Converted_Count": job.done, "Not_Converted_Count": left}
    else:
        counts |= {"Updated_Count": job.done, "Not_Updated_Count": left}
    return json_answer({"data": [{"Status": job.status(org), **counts}]})


# -- the work itself -----------------------------------------------------------------------------


def _update_later(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Write the values into every record that is still there."""
    writer = Writer(org, job.user, org.schema.modules[job.module])
    values = job.facts["values"]
    with org.store.transaction(notify=org.settings.watch.notifies_of("mass_update")):
        tried = [
            attempted(org.store, writer.update, values | {"id": str(each)}, "$.data[0]")
            for each in job.facts["ids"]
        ]
    failed = sum(error_status is not None for _, error_status in tried)
    return len(tried) - failed, failed


def _delete_later(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Delete every record that is still there and not locked."""
    sql = f'SELECT id FROM "{job.module}" WHERE NOT Locked__s'
    free = {each for (each,) in org.store.read(sql)}
    good = [each for each in job.facts["ids"] if each in free]
    with org.store.transaction(notify=org.settings.watch.notifies_of("mass_delete")):
        recycle_bin.move_to_bin(org.store, job.module, good, user=job.user)
    return len(good), len(job.facts["ids"]) - len(good)


WORKS: dict[str, Work] = {UPDATE: _update_later, DELETE: _delete_later}


def fitting(org: Org, module: Module, where: Condition | None) -> list[int]:
    """Find the records that fit now, or refuse none at all and too many."""
    assert where is not None, "without ids there is a condition"
    sql = f'SELECT id FROM "{module.api_name}" AS r WHERE {where.sql} ORDER BY id LIMIT ?'
    ids = [each for (each,) in org.store.read(sql, (*where.values, IN_VIEW + 1))]
    if not ids:
        raise Refusal(400, "NO_RECORDS_FOUND", "no record found to update")
    if len(ids) > IN_VIEW:
        details = {"limit": IN_VIEW, "api_name": "cvid"}
        raise Refusal(400, org.settings.actions.mass_limit_code, "limit exceeded", details)
    return ids


def _defer(org: DeferringOrg, request: Request, module: Module, kind: str, facts: Item) -> Answer:
    """Schedule the work."""
    total = len(facts["ids"])
    job = org.deferred_jobs.defer(kind, module.api_name, request.user, total, facts)
    message = f"{kind.replace('_', ' ')} scheduled successfully"
    result = {"code": "SUCCESS", "details": {"job_id": str(job)}, "message": message}
    return json_answer({"data": [result | {"status": "success"}]})


# -- the body ------------------------------------------------------------------------------------


def _scope(org: Org, request: Request, module: Module, body: Item) -> Scope | None:
    """Find out which records are meant; ``None`` where the body does not say."""
    scopes = [name for name in ("ids", "cvid", "criteria") if body.get(name) is not None]
    if "territory" in body:
        raise not_emulated("The key territory")
    if "ids" in scopes and len(scopes) > 1:
        message = "Please use either ids or cvid. Combination of both is not allowed"
        due = [{"api_name": name, "json_path": f"$.{name}"} for name in scopes]
        raise Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})
    if not scopes:
        return None
    if "ids" in scopes:
        return Scope(_listed(org, body["ids"]), None)
    where = Condition('r."Converted__s" = 0' if module.api_name == "Leads" else "1")
    if "cvid" in scopes:
        view = views.find(org.store, module.api_name, body["cvid"])
        if view is None:
            details = {"api_name": "cvid", "json_path": "$.cvid"}
            raise Refusal(400, "INVALID_DATA", "the cvid given seems to be invalid", details)
        where = both(where, views.condition(view, org, request.user))
    if "criteria" in scopes:
        where = both(where, filters.condition(body["criteria"], module, org, request.user))
    return Scope(None, where)


def _listed(org: Org, ids: object) -> list[str]:
    """Read the ids of a body."""
    location = {"api_name": "ids", "json_path": "$.ids"}
    if not isinstance(ids, list):
        details: Item = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if len(ids) > IDS:
        details = {"maximum_length": IDS, **location}
        raise Refusal(400, org.settings.actions.mass_limit_code, "limit exceeded", details)
    return [str(each) for each in ids]


def _existing_id(org: Org, module: Module, text: str) -> str:
    """Check that a record exists."""
    exists = parameters.is_id(text) and org.store.read(
        f'SELECT 1 FROM "{module.api_name}" WHERE id = ?',
        (int(text),),
    )
    if not exists:
        raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", {"id": text})
    return text


def _values(org: Org, module: Module, body: Item) -> Item:
    """Read the values to write, and refuse fields that cannot be updated by mass update."""
    data = body.get("data")
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict) or not data[0]:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found")
    values: Item = data[0]
    most = dict(org.settings.actions.mass_update_fields).get(module.api_name, 1)
    if len(values.keys() - {"Layout"}) > most:
        details = {"maximum_length": most, "api_name": "data", "json_path": "$.data[0]"}
        raise Refusal(400, org.settings.actions.mass_limit_code, "limit exceeded", details)
    for name in values:
        field = module.by_name.get(name)
        if field is None or not (is_mass_updatable(field) or name == "Layout"):
            location = {"api_name": name, "json_path": f"$.data[0].{name}"}
            raise Refusal(400, "INVALID_DATA", "invalid data", location)
    # What is wrong with a value is wrong for every record; what a record adds comes up in its turn.
    RecordChecker(org.store, module, org.settings).draft(values, "$.data[0]", record_id=0)
    return values


def _module(org: Org, name: str, message: str) -> Module:
    """Find a module whose records can be changed by mass update."""
    module_info = module_named(org, name)
    if (
        module_info.generated_type not in ("default", "custom")
        or module_info.api_name in UNSUPPORTED
    ):
        raise Refusal(400, "NOT_SUPPORTED", message, {"resource_path_index": 0})
    return module_info


def _refused_item(refusal: Refusal) -> Answer:
    """Wrap a refusal as the answers of mass update do."""
    return json_answer({"data": [refusal.body]}, refusal.status)


def _answer(results: list[Item], error_statuses: list[int | None]) -> Answer:
    """Give the result of each record."""
    return json_answer({"data": results}, overall([each or 200 for each in error_statuses], 200))


ROUTES = (
    Route(
        "POST",
        f"{V8}/{{module}}/actions/mass_update",
        post_mass_update,
        "write the same values into up to 500 records, or into a custom view's by a job",
        ("ZohoCRM.mass_update.{module}.UPDATE",),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/actions/mass_update",
        partial(get_status, kind=UPDATE),
        "status of a mass update",
        ("ZohoCRM.mass_update.{module}.READ",),
        honours=("job_id",),
    ),
    Route(
        "POST",
        f"{V8}/{{module}}/actions/mass_delete",
        post_mass_delete,
        "delete up to 500 records, or a custom view's by a job",
        ("ZohoCRM.mass_delete.{module}.DELETE",),
        "mass_delete",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/actions/mass_delete",
        partial(get_status, kind=DELETE),
        "status of a mass delete",
        ("ZohoCRM.mass_delete.{module}.READ",),
        honours=("job_id",),
    ),
)
