"""Bulk Read: jobs that export the records of a module into a ZIP."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.bulk import files
from zcrm_nb.emulator.bulk.job_responses import check_callback, json_body, made
from zcrm_nb.emulator.bulk.jobs import Kind
from zcrm_nb.emulator.bulk.read_request import ReadQuery, check_shape, read_query
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, Span, json_answer
from zcrm_nb.emulator.serving.route import Route

if TYPE_CHECKING:
    from pathlib import Path

    from zcrm_nb.emulator.bulk.jobs import BulkOrg, Job

Body = dict[str, Any]

READ = "read"


def post_read(org: BulkOrg, request: Request) -> Answer:
    """``POST /crm/bulk/v8/read``: make a job, or the next part of one."""
    try:
        body = _read_body(org, request)
    except Refusal as refusal:
        if not org.settings.bulk.wrapped_refusals:
            raise
        return json_answer({"data": [refusal.body]}, refusal.status)
    job = org.jobs.add(READ, request.user, body)
    details = {"id": str(job.id), "operation": READ, "state": "ADDED", **made(org, job)}
    done = {
        "status": "success",
        "code": "ADDED_SUCCESSFULLY",
        "message": "Added successfully.",
        "details": details,
    }
    return json_answer({"data": [done], "info": {}}, 201)


def get_read(org: BulkOrg, request: Request, job_id: str) -> Answer:
    """``GET /crm/bulk/v8/read/{id}``: how far a job is."""
    return json_answer(_described(org, _job(org, request, job_id)))


def get_result(org: BulkOrg, request: Request, job_id: str) -> Answer:
    """``GET /crm/bulk/v8/read/{id}/result``: the file of a job."""
    job = _job(org, request, job_id)
    path = org.jobs.file(job)
    if "count" not in job.facts:
        raise Refusal(
            org.settings.bulk.missing_job_status,
            org.settings.bulk.early_download,
            "The requested resource doesn't exist.",
            {"resource": "result"},
        )
    over = org.clock.now() - job.facts["completed"] >= org.settings.bulk.file_life_s
    if over or not path.exists():
        path.unlink(missing_ok=True)
        raise _not_there(org, "result")
    org.jobs.count_download()
    return _file(org, request, path)


def _file(org: BulkOrg, request: Request, path: Path) -> Answer:
    """Answer with a file, or with the rest of it where that is asked for and known."""
    settings = org.settings.bulk
    named = (
        f"filename*=UTF-8''{path.name}" if settings.starred_file_name else f'filename="{path.name}"'
    )
    headers = {
        "Content-Type": settings.content_type,
        "Content-Disposition": f"attachment;{named}",
    }
    size = path.stat().st_size
    start = request.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
    if settings.ranges and start.isdecimal() and int(start) < size:
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        return Answer(206, headers=headers, file=Span(path, size - int(start), int(start)))
    return Answer(200, headers=headers, file=Span(path, size))


# -- a job ---------------------------------------------------------------------------------------


def _read_body(org: BulkOrg, request: Request) -> Body:
    """Check what is asked for; a part that follows asks what the first one did."""
    body = json_body(request)
    query = body.get("query")
    if isinstance(query, dict) and "file_type" in query:  # where the specs have it
        body.setdefault("file_type", query.pop("file_type"))
    check_shape(body)
    check_callback(body.get("callback"))
    token = body["query"].get("page_token")
    if token is not None:
        body = {**_continued(org, request, str(token)), **_only(body, "callback")}
    _check_scope(org, request, read_query(org, body, request.user))
    return body


def _check_scope(org: BulkOrg, request: Request, query: ReadQuery) -> None:
    """Refuse a token that may run bulk jobs but not read the module."""
    assert request.token is not None, "the route needs a token"
    names = [query.module.api_name, "custom"][: 1 + (query.module.generated_type != "default")]
    spellings = [{"module": name} for name in names]
    org.accounts.require(request.token, ("ZohoCRM.modules.{module}.READ",), spellings)


def _only(body: Body, key: str) -> Body:
    """Take one key of a body, if it is there."""
    return {key: body[key]} if key in body else {}


def _continued(org: BulkOrg, request: Request, token: str) -> Body:
    """Find what a page token goes on with."""
    before = org.jobs.by_token(token, request.user)
    if before is None:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"api_name": "page_token"})
    if org.clock.now() - before.facts["completed"] >= org.settings.bulk.token_life_s:
        raise Refusal(400, "EXPIRED_VALUE", "Page token expired")
    first = _only(before.body, "query") | _only(before.body, "file_type")
    number = before.facts["page"] + 1
    return {**first, "after": before.facts["last_id"], "number": number}


def _work(org: BulkOrg, job: Job) -> Body:
    """Write the file of a job."""
    query, bulk = read_query(org, job.body, job.user), org.settings.bulk
    after = job.body.get("after", 0)
    skip = 0 if after else (query.page - 1) * int(getattr(bulk, query.per_page))
    member = f"{job.id}.{query.file_type}"
    written = files.write(org, query, org.jobs.file(job), member, after=after, skip=skip)
    facts: Body = {"count": written.records, "page": job.body.get("number", query.page)}
    if written.more:
        token = hmac.new(org.secret, f"part after {job.id}".encode(), hashlib.sha256).hexdigest()
        facts |= {"next_page_token": token, "last_id": written.last_id}
    return facts


def _job(org: BulkOrg, request: Request, job_id: str) -> Job:
    """Find a job as it stands now, or refuse."""
    job = org.jobs.find(READ, job_id, request.user)
    if job is None:
        raise _not_there(org, job_id)
    _check_scope(org, request, read_query(org, job.body, job.user))
    return org.jobs.settled(job)


def _not_there(org: BulkOrg, resource: str) -> Refusal:
    """Refuse what is not, or no longer, there."""
    status, message = org.settings.bulk.missing_job_status, "The requested resource doesn't exist."
    return Refusal(status, "RESOURCE_NOT_FOUND", message, {"resource": resource})


# -- what is told --------------------------------------------------------------------------------


def _described(org: BulkOrg, job: Job) -> Body:
    query = dict(job.body["query"])
    module = query["module"]
    name = module["api_name"] if isinstance(module, dict) else module
    query["module"] = {"id": str(org.schema.modules[name].id), "api_name": name}
    query["page"] = job.facts.get("page", query.get("page", 1))
    described = {
        "id": str(job.id),
        "operation": READ,
        "state": org.jobs.state(job),
        **({"result": _result(org, job)} if job.finished else {}),
        "query": query,
        **made(org, job),
        "file_type": job.body.get("file_type", "csv"),
        **_only(job.body, "callback"),
    }
    if job.finished:
        described["state"] = "FAILURE" if "failed" in job.facts else "COMPLETED"
    return {"data": [described]}


def _result(org: BulkOrg, job: Job) -> Body:
    facts, ics = job.facts, job.body.get("file_type") == "ics"
    if "failed" in facts:
        error = {"code": "INTERNAL_SERVER_ERROR", "message": facts["failed"], "details": {}}
        return {"error_message": {"status": "error", **error}}
    bulk = org.settings.bulk
    result = {
        "page": facts["page"],
        "per_page": bulk.ics_rows if ics else bulk.csv_rows,
        "count": facts["count"],
        "download_url": f"/crm/bulk/v8/read/{job.id}/result",
        "more_records": "next_page_token" in facts,
    }
    return result | _only(facts, "next_page_token")


KIND = Kind(_work, _described)

_SCOPES = ("ZohoCRM.bulk.READ",)
V8 = "/crm/bulk/v8/read"

ROUTES = (
    Route(
        "POST",
        V8,
        post_read,
        "Bulk Read: export a module: fields, criteria, page or page_token, callback, CSV or ICS",
        _SCOPES,
        "bulk read",
    ),
    Route("GET", f"{V8}/{{job_id}}", get_read, "state and result of a Bulk Read job", _SCOPES),
    Route("GET", f"{V8}/{{job_id}}/result", get_result, "the ZIP of a Bulk Read job", _SCOPES),
)
