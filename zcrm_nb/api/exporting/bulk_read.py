"""Bulk Read at the wire: requesting a job, reading its state, understanding a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

import orjson

from zcrm_nb.api.exporting.job_store import COMPLETED
from zcrm_nb.errors import APIError, JobError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.exporting.job_store import ZohoJob
    from zcrm_nb.api.pages import Send

__all__ = [
    "CREDITS",
    "FIELDS_PER_JOB",
    "ROWS_PER_JOB",
    "TOO_MANY_JOINS",
    "JobReply",
    "JobResult",
    "ReadStatus",
    "create",
    "following",
    "query",
    "refused_fields",
    "result_gone",
    "result_path",
    "status",
]

READ = "/crm/bulk/v8/read"
CREDITS = 50  # for each job
ROWS_PER_JOB = 200_000
FIELDS_PER_JOB = 200
TOO_MANY_JOINS = "JOIN_LIMIT_EXCEEDED"
_REFUSED = {"FIELD_NOT_SUPPORTED", "FIELD_NOT_AVAILABLE"}
_RUNNING = frozenset({"ADDED", "QUEUED", "IN PROGRESS", "INPROGRESS"})
# Zoho documents FAILURE alone; its other APIs and the specifications use the rest.
_ENDED = frozenset(
    {"FAILURE", "FAILED", "SKIPPED", "CANCELLED", "CANCELED", "ABORTED", "ERROR", "DELETED"}
)


class JobResult(TypedDict, total=False):
    """What a status says of the file, as documented; a failure is told in its place."""

    page: int
    per_page: int
    count: int
    download_url: str
    more_records: bool
    next_page_token: str | None
    error_message: Mapping[str, Any] | str


class JobReply(TypedDict, total=False):
    """One job in "Get Bulk Read Job Details", as documented."""

    id: str
    operation: str
    state: str
    result: JobResult
    query: Mapping[str, Any]
    file_type: str
    created_by: Mapping[str, str]
    created_time: str


class ReadStatus(NamedTuple):
    """What Zoho says about a job."""

    # ``"ADDED"``, ``"QUEUED"``, ``"IN PROGRESS"``, ``"COMPLETED"``, ``"FAILURE"``, or a word that
    # Zoho does not document; empty where it gave none
    state: str
    rows: int | None = 0  # records in the file; ``None`` where a completed job does not say
    has_more: bool = False  # whether more records follow than one job holds
    next_token: str = ""  # requests the job for them
    url: str = ""  # path of the result
    error: str = ""  # why it failed

    @property
    def has_failed(self) -> bool:
        """Whether Zoho gave up on it."""
        return self.state in _ENDED

    @property
    def is_known(self) -> bool:
        """Whether Zoho documents this state."""
        return self.state in _RUNNING or self.state == COMPLETED or self.has_failed


def query(
    module: str,
    fields: Sequence[str],
    *,
    criteria: Mapping[str, Any] | None = None,
    cvid: str | None = None,
) -> dict[str, Any]:
    """Write the query of a first job."""
    body: dict[str, Any] = {"module": {"api_name": module}, "fields": list(fields)}
    if criteria:
        body["criteria"] = dict(criteria)
    if cvid:
        body["cvid"] = cvid
    return body


def following(token: str) -> dict[str, Any]:
    """Write the query of a job that continues another: its token and nothing else."""
    return {"page_token": token}


def create(send: Send, query: Mapping[str, Any]) -> str:
    """Request a job; never sent twice, since each costs 50 credits.

    References
    ----------
    Zoho CRM API V8, "Create Bulk Read Job":
    zoho.com/crm/developer/docs/api/v8/bulk-read/create-job.html

    Examples
    --------
    >>> from zcrm_nb.api.exporting.bulk_read import create, query
    >>> def send(method, path, *, json, safe):
    ...     print(method, path, json)
    ...     return b'{"data": [{"status": "success", "details": {"id": "5725"}}], "info": {}}'
    >>> create(send, query("Leads", ["City"]))
    POST /crm/bulk/v8/read {'query': {'module': {'api_name': 'Leads'}, 'fields': ['City']}}
    '5725'
    """
    body = send("POST", READ, json={"query": dict(query)}, safe=False)
    details = _first(body).get("details")
    job = details.get("id") if isinstance(details, dict) else None
    if not isinstance(job, str | int) or isinstance(job, bool) or not str(job).isalnum():
        raise JobError(
            "Zoho's reply to the request for a bulk job has no job id.",
            f"Zoho said: {body[:200].decode(errors='replace')}",
            "The job may be running, but its result cannot be fetched without the id.",
        )
    return str(job)


def status(send: Send, job: str) -> ReadStatus:
    """Ask how far a job is; 1 credit.

    References
    ----------
    Zoho CRM API V8, "Get Bulk Read Job Details":
    zoho.com/crm/developer/docs/api/v8/bulk-read/get-job-details.html
    """
    try:
        body = send("GET", f"{READ}/{job}")
    except NotFoundError as unknown:
        raise result_gone(job, unknown) from unknown
    reply = cast("JobReply", _first(body))
    state = str(reply.get("state") or "").upper().replace("_", " ")
    result = reply.get("result")
    if not isinstance(result, dict):
        return ReadStatus(state, None if state == COMPLETED else 0)
    return ReadStatus(
        state,
        _count(result.get("count"), None if state == COMPLETED else 0),
        result.get("more_records") in (True, "true"),
        _text(result.get("next_page_token")),
        _text(result.get("download_url")),
        _error_text(result.get("error_message")),
    )


def _count(value: Any, default: int | None) -> int | None:
    """Read a number of records, which may come as text."""
    return int(value) if str(value).isdecimal() else default


def _text(value: Any) -> str:
    """Read a text; empty for anything else."""
    return value if isinstance(value, str) else ""


def _error_text(error: Any) -> str:
    """Read why a job failed: documented as an object, also seen as a text."""
    if isinstance(error, dict):
        return f"{error.get('code') or ''}: {error.get('message') or ''}".strip(": ")
    return _text(error)


def result_gone(job: str, cause: APIError) -> JobError:
    """Make the error for a job, or a result, that Zoho no longer has."""
    return JobError(
        f"Zoho no longer has the bulk job {job}, or its file.",
        cause.said,
        "Zoho keeps a result for one day. Export again with fresh=True.",
    )


def result_path(job: ZohoJob) -> str:
    """Return the path of a job's file: Zoho's if it is a plain path, else the documented one."""
    is_plain = job.url.startswith("/crm/bulk/") and not set("?#\\") & set(job.url)
    return job.url if is_plain else f"{READ}/{job.id}/result"


def refused_fields(refused: APIError, fields: Sequence[str]) -> list[str]:
    """List the requested fields that Zoho does not export, by its refusal.

    Examples
    --------
    >>> from zcrm_nb.api.exporting.bulk_read import refused_fields
    >>> from zcrm_nb.errors import APIError
    >>> details = {"api_name": "Coordinates"}
    >>> refused = APIError("", code="FIELD_NOT_SUPPORTED", details=details)
    >>> refused_fields(refused, ["City", "Coordinates"])
    ['Coordinates']
    """
    if refused.code == TOO_MANY_JOINS:
        return _past_joins(fields, refused.details.get("max_limit"))
    if refused.code not in _REFUSED:
        return []
    name = str(refused.details.get("api_name", ""))
    # A field behind a lookup may be named by its path, or by its own name.
    behind = [each for each in fields if each.endswith(f".{name}")]
    return [each for each in fields if each == name] or behind


def _past_joins(fields: Sequence[str], most: Any) -> list[str]:
    """List fields behind more lookups than Zoho joins; where it gives no number, behind any."""
    lookups = dict.fromkeys(each.rpartition(".")[0] for each in fields if "." in each)
    kept = set(list(lookups)[: int(most)]) if str(most).isdecimal() else set()
    if len(kept) == len(lookups):
        kept = set()
    return [each for each in fields if "." in each and each.rpartition(".")[0] not in kept]


def _first(body: bytes) -> dict[str, Any]:
    """Return the one job that a reply is about; empty where there is none."""
    try:
        reply = orjson.loads(body) if body else None
    except ValueError:
        return {}
    data = reply.get("data") if isinstance(reply, dict) else None
    return data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
