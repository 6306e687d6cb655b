"""Bulk Read: jobs that export the records of a module into a ZIP."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from zcrm_nb.emulator.bulk import files
from zcrm_nb.emulator.bulk.question import check_shape, question
from zcrm_nb.emulator.messages import Answer, Request, json_answer
from zcrm_nb.emulator.records import iso
from zcrm_nb.emulator.refusals import Refusal
from zcrm_nb.emulator.route import Route

if TYPE_CHECKING:
    from zcrm_nb.emulator import Emulator
    from zcrm_nb.emulator.bulk.jobs import Job

Body = dict[str, Any]

READ = "read"


def post_read(org: Emulator, request: Request) -> Answer:
    """``POST /crm/bulk/v8/read``: take a job on, or the next part of one."""
    try:
        body = _asked(org, request)
    except Refusal as refusal:
        if not org.settings.bulk.wrapped_refusals:
            raise
        return json_answer({"data": [refusal.body]}, refusal.status)
    job = org.jobs.add(READ, request.user, body)
    callback = body.get("callback")
    if callback:
        org.jobs.call_back(job, callback["url"], lambda: _told(org, job))
    details = {"id": str(job.id), "operation": READ, "state": "ADDED", **_made(org, job)}
    done = {
        "status": "success",
        "code": "ADDED_SUCCESSFULLY",
        "message": "Added successfully.",
        "details": details,
    }
    return json_answer({"data": [done], "info": {}}, 201)


def get_read(org: Emulator, request: Request, job_id: str) -> Answer:
    """``GET /crm/bulk/v8/read/{id}``: how far a job is."""
    return json_answer(_described(org, _settled(org, _found(org, request, job_id))))


def get_result(org: Emulator, request: Request, job_id: str) -> Answer:
    """``GET /crm/bulk/v8/read/{id}/result``: the file of a job."""
    job = _settled(org, _found(org, request, job_id))
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
    return _file(org, request, path.read_bytes(), f"{job.id}.zip")


def _file(org: Emulator, request: Request, whole: bytes, name: str) -> Answer:
    """Answer with a file, or with the rest of it where that is asked for and known."""
    settings = org.settings.bulk
    named = f"filename*=UTF-8''{name}" if settings.starred_file_name else f'filename="{name}"'
    headers = {
        "Content-Type": settings.content_type,
        "Content-Disposition": f"attachment;{named}",
    }
    start = request.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
    if settings.ranges and start.isdecimal() and int(start) < len(whole):
        span = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        return Answer(206, whole[int(start) :], headers | {"Content-Range": span})
    return Answer(200, whole, headers)


# -- a job ---------------------------------------------------------------------------------------


def _asked(org: Emulator, request: Request) -> Body:
    """Check what is asked for; a part that follows asks what the first one did."""
    body = _body(request)
    check_shape(body)
    _check_callback(org, body.get("callback"))
    token = body["query"].get("page_token")
    if token is not None:
        body = {**_continued(org, request, str(token)), **_only(body, "callback")}
    asked = question(org, body)
    scope = f"ZohoCRM.modules.{asked.module.api_name}.READ"
    assert request.token is not None
    org.accounts.require(request.token, (scope,), [{}])
    return body


def _body(request: Request) -> Body:
    """Read the body, or refuse it in Bulk Read's own words."""
    if not request.headers.get("Content-Type", "").startswith("application/json"):
        raise Refusal(415, "MEDIA_TYPE_NOT_SUPPORTED", "media type not supported")
    if not request.body.strip():
        raise Refusal(400, "REQUEST_BODY_IS_EMPTY", "request body is empty")
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        words = "request body is not readable"
        raise Refusal(400, "REQUEST_BODY_NOT_READABLE", words) from error
    if not isinstance(body, dict):
        words = "request body contains invalid format"
        raise Refusal(400, "REQUEST_BODY_NOT_SUPPORTED", words)
    query = body.get("query")
    if isinstance(query, dict) and "file_type" in query:  # where the specs have it
        body.setdefault("file_type", query.pop("file_type"))
    return body


def _only(body: Body, key: str) -> Body:
    """Take one key of a body, if it is there."""
    return {key: body[key]} if key in body else {}


def _check_callback(org: Emulator, callback: Any) -> None:
    """Refuse an address that cannot be posted to; the emulator posts to this machine only."""
    if callback is None:
        return
    if not isinstance(callback, dict) or callback.get("method", "post") != "post":
        details: Body = {"supported_callback_methods": ["post"]}
        raise Refusal(400, "INVALID_CALLBACK_METHOD", "invalid callback method", details)
    if not _is_here(str(callback.get("url", ""))):
        details = {"emulator": "callbacks reach http addresses of this machine only"}
        raise Refusal(400, "INVALID_CALLBACK_URL", "invalid callback url", details)


def _is_here(url: str) -> bool:
    """Tell whether an address is one of this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return parts.scheme == "http" and host == "localhost"


def _continued(org: Emulator, request: Request, token: str) -> Body:
    """Find what a page token goes on with."""
    before = org.jobs.by_token(token, request.user)
    if before is None:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"api_name": "page_token"})
    if org.clock.now() - before.facts["completed"] >= org.settings.bulk.token_life_s:
        raise Refusal(400, "EXPIRED_VALUE", "Page token expired")
    first = _only(before.body, "query") | _only(before.body, "file_type")
    number = before.facts["page"] + 1
    return {**first, "after": before.facts["last_id"], "number": number}


def _settled(org: Emulator, job: Job) -> Job:
    """Give a job as it stands now."""
    return org.jobs.settled(job, _work)


def _work(org: Emulator, job: Job) -> Body:
    """Write the file of a job."""
    asked, bulk = question(org, job.body), org.settings.bulk
    after = job.body.get("after", 0)
    skip = 0 if after else (asked.page - 1) * int(getattr(bulk, asked.per_page))
    member = f"{job.id}.{asked.file_type}"
    written = files.write(org, asked, org.jobs.file(job), member, after=after, skip=skip)
    facts: Body = {"count": written.records, "page": job.body.get("number", asked.page)}
    if written.more:
        token = hmac.new(org.secret, f"part after {job.id}".encode(), hashlib.sha256).hexdigest()
        facts |= {"next_page_token": token, "last_id": written.last_id}
    return facts


def _found(org: Emulator, request: Request, job_id: str) -> Job:
    """Find a job, or refuse."""
    job = org.jobs.find(READ, job_id, request.user)
    if job is None:
        raise _not_there(org, job_id)
    return job


def _not_there(org: Emulator, resource: str) -> Refusal:
    """Refuse what is not, or no longer, there."""
    status, words = org.settings.bulk.missing_job_status, "The requested resource doesn't exist."
    return Refusal(status, "RESOURCE_NOT_FOUND", words, {"resource": resource})


# -- what is told --------------------------------------------------------------------------------


def _told(org: Emulator, job: Job) -> bytes | None:
    """Say what a callback says, once the job is over."""
    settled = _settled(org, job)
    return orjson.dumps(_described(org, settled)) if settled.finished else None


def _described(org: Emulator, job: Job) -> Body:
    """Say what is told of a job."""
    query = dict(job.body["query"])
    module = query["module"]
    name = module["api_name"] if isinstance(module, dict) else module
    query["module"] = {"id": str(org.schema.modules[name].id), "api_name": name}
    query["page"] = job.facts.get("page", query.get("page", 1))
    told = {
        "id": str(job.id),
        "operation": READ,
        "state": org.jobs.state(job),
        **({"result": _result(org, job)} if job.finished else {}),
        "query": query,
        **_made(org, job),
        "file_type": job.body.get("file_type", "csv"),
        **_only(job.body, "callback"),
    }
    if job.finished:
        told["state"] = "FAILURE" if "failed" in job.facts else "COMPLETED"
    return {"data": [told]}


def _result(org: Emulator, job: Job) -> Body:
    """Say what came of a job."""
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


def _made(org: Emulator, job: Job) -> Body:
    """Say who made a job, and when."""
    rows = org.store.read("SELECT full_name FROM Users WHERE id = ?", (job.user,))
    by = {"id": str(job.user), "name": rows[0][0]}
    return {"created_by": by, "created_time": iso(org, job.created)}


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
