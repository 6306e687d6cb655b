"""Bulk Write: jobs that turn the rows of an uploaded file into records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.bulk import importing
from zcrm_nb.emulator.bulk.job_responses import Body, check_callback, json_body, made
from zcrm_nb.emulator.bulk.jobs import Kind
from zcrm_nb.emulator.bulk.write_request import Resource, resources
from zcrm_nb.emulator.oauth.data_centres import CENTRES
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import API_ORIGIN, Answer, Request, Span, json_answer
from zcrm_nb.emulator.serving.route import Route
from zcrm_nb.emulator.world import ZGID

if TYPE_CHECKING:
    from zcrm_nb.emulator.bulk.jobs import BulkOrg, Job

WRITE = "write"
NEEDED = {"insert": ("CREATE",), "update": ("UPDATE",), "upsert": ("CREATE", "UPDATE")}
DOWNLOADS = "https://download-accl.zoho"


def post_write(org: BulkOrg, request: Request) -> Answer:
    """``POST /crm/bulk/v8/write``: take a job on."""
    body = json_body(request)
    if "callBack" in body:  # as one sample has it
        body["callback"] = body.pop("callBack")
    check_callback(body.get("callback"))
    resources_ = resources(org, body, request.user)
    _check_scopes(org, request, body["operation"], resources_)
    resources_json = [_resource_json(each) for each in resources_]
    job = org.jobs.add(
        WRITE, request.user, {**body, "told": resources_json, "origin": request.origin}
    )
    details = {"id": str(job.id), "created_by": made(org, job)["created_by"]}
    return json_answer(
        {"status": "success", "code": "SUCCESS", "message": "success", "details": details}, 201
    )


def get_write(org: BulkOrg, request: Request, job_id: str) -> Answer:
    """``GET /crm/bulk/v8/write/{id}``: how far a job is."""
    return json_answer(_described(org, _job(org, request, job_id), request.origin))


def get_result(org: BulkOrg, request: Request, job_id: str, **address: str) -> Answer:
    """``GET`` the ``download_url`` of a job: the ZIP with the outcome of each row."""
    job = org.jobs.find(WRITE, job_id, request.user)
    if job is None or set(address.values()) - {str(ZGID), job_id} or not job.facts.get("files"):
        return _not_valid()
    path = org.jobs.file(job)
    over = org.clock.now() - job.facts["completed"] >= org.settings.bulk.result_life_s
    if over or not path.exists():
        path.unlink(missing_ok=True)
        return _not_valid()
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f'attachment;filename="{path.name}"',
    }
    return Answer(200, headers=headers, file=Span(path, path.stat().st_size))


def _not_valid() -> Answer:
    """Speak like the host of the results, which has another shape."""
    error = {"info": "Forbidden", "x-info": "Link not valid", "http_status": "403"}
    return json_answer(error, 403)


def _check_scopes(
    org: BulkOrg, request: Request, operation: str, parsed: tuple[Resource, ...]
) -> None:
    """Refuse a token that may run bulk jobs but not write the modules."""
    assert request.token is not None, "the route needs a token"
    for each in parsed:
        names = [each.module.api_name, "custom"][: 1 + (each.module.generated_type != "default")]
        needed = [f"ZohoCRM.modules.{{module}}.{does}" for does in NEEDED[operation]]
        org.accounts.require(request.token, needed, [{"module": name} for name in names])


def _job(org: BulkOrg, request: Request, job_id: str) -> Job:
    """Find a job as it stands now, or refuse."""
    job = org.jobs.find(WRITE, job_id, request.user)
    if job is None:
        message = "The requested resource doesn't exist."
        status = org.settings.bulk.missing_write_status
        raise Refusal(status, "RESOURCE_NOT_FOUND", message, {"resource": job_id})
    return org.jobs.settled(job)


def _work(org: BulkOrg, job: Job) -> Body:
    """Write the records of a job."""
    resources_ = resources(org, job.body, job.user)
    counts = importing.run(org, job.user, job.body["operation"], resources_, org.jobs.file(job))
    return {"files": counts}


# -- what is told --------------------------------------------------------------------------------


def _resource_json(resource: Resource) -> Body:
    """Say what is known of a file before its rows are looked at."""
    return {
        "type": "data",
        "module": {"api_name": resource.module.api_name, "id": str(resource.module.id)},
        "ignore_empty": resource.ignore_empty,
        "field_mappings": [each.described for each in resource.columns],
        "file": {"name": resource.sheet.name},
    }


def _described(org: BulkOrg, job: Job, origin: str = "") -> Body:
    """Say what is told of a job; unlike that of Bulk Read it stands bare.

    ``origin`` is the origin of the request; a callback has that of the request for the job.
    """
    status = _status(org, job)
    body = job.body
    described = {
        "status": status,
        "character_encoding": body.get("character_encoding", "UTF-8"),
        "resource": [_resource(job, index, status) for index in range(len(body["told"]))],
        "id": str(job.id),
        **(
            {"result": {"download_url": _address(org, job, origin or body["origin"])}}
            if job.facts.get("files")
            else {}
        ),
        "operation": body["operation"],
        **made(org, job),
    }
    return {**described, "callback": body["callback"]} if body.get("callback") else described


def _status(org: BulkOrg, job: Job) -> str:
    """Call the state of a job as Bulk Write does, which has no queue and spells IN PROGRESS."""
    if job.finished:
        return "FAILED" if "failed" in job.facts else "COMPLETED"
    state = org.jobs.state(job)
    return "ADDED" if state in {"ADDED", "QUEUED"} else org.settings.bulk.in_progress


def _resource(job: Job, index: int, status: str) -> Body:
    """Say how far one file of a job is."""
    resource: dict[str, Any] = job.body["told"][index]
    file: Body = {"status": status}
    if status != "ADDED":
        file |= resource["file"]
    if "files" in job.facts:
        file |= job.facts["files"][index]
    codes = {"COMPLETED": "SUCCESS", "FAILED": "INTERNAL_ERROR"}
    result = {"message": job.facts["failed"]} if "failed" in job.facts else {}
    return {"status": status, "code": codes.get(status, status), **result, **resource, "file": file}


def _address(org: BulkOrg, job: Job, origin: str) -> str:
    """Give the place where the result is: at a separate host, or as a path that names none."""
    if not org.settings.bulk.absolute_result_urls:
        return f"/v8/crm/org{ZGID}/bulk-write/{job.id}/{job.id}.zip"
    ends = {API_ORIGIN: ".test"}
    ends |= {each.api: each.accounts.partition("zoho")[2] for each in CENTRES.values()}
    host = f"{DOWNLOADS}{ends[origin]}" if origin in ends else origin
    return f"{host}/{ZGID}/bulk-write/{job.id}.zip"


KIND = Kind(_work, _described, writes=True)

_SCOPES = ("ZohoCRM.bulk.CREATE",)
V8 = "/crm/bulk/v8/write"

ROUTES = (
    Route(
        "POST",
        V8,
        post_write,
        "Bulk Write: insert, update or upsert the rows of an uploaded file, parents and children",
        _SCOPES,
        "bulk write",
    ),
    Route("GET", f"{V8}/{{job_id}}", get_write, "state and counts of a Bulk Write job", _SCOPES),
    Route(
        "GET",
        "/{org_id}/bulk-write/{job_id}.zip",
        get_result,
        "the result of a Bulk Write job, at a separate host",
        _SCOPES,
    ),
    Route(
        "GET",
        "/v8/crm/org{org_id}/bulk-write/{job}/{job_id}.zip",
        get_result,
        "the result of a Bulk Write job, by a path",
        _SCOPES,
    ),
)
