"""Bulk Read: how a job is asked for, looked after and understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.errors import APIError, JobError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zcrm_nb.api.exporting.job_store import Link
    from zcrm_nb.api.pages import Send

__all__ = [
    "CREDITS",
    "FIELDS_PER_JOB",
    "ROWS_PER_JOB",
    "TOO_MANY_JOINS",
    "ReadStatus",
    "create",
    "following",
    "query",
    "refused_fields",
    "result_path",
    "status",
]

READ = "/crm/bulk/v8/read"
CREDITS = 50  # for each job
ROWS_PER_JOB = 200_000
FIELDS_PER_JOB = 200
TOO_MANY_JOINS = "JOIN_LIMIT_EXCEEDED"
_REFUSED = {"FIELD_NOT_SUPPORTED", "FIELD_NOT_AVAILABLE"}


class ReadStatus(NamedTuple):
    """What Zoho says about a job.

    Parameters
    ----------
    state : str
        ``"ADDED"``, ``"QUEUED"``, ``"IN PROGRESS"``, ``"COMPLETED"`` or ``"FAILURE"``.
    rows : int, default 0
        Records in the file.
    more : bool, default False
        Whether more records follow than one job holds.
    token : str, default ""
        What the job for them is asked with.
    url : str, default ""
        Path of the result.
    said : str, default ""
        Why it failed.
    """

    state: str
    rows: int = 0
    more: bool = False
    token: str = ""
    url: str = ""
    said: str = ""


def query(
    module: str,
    fields: Sequence[str],
    *,
    criteria: Mapping[str, Any] | None = None,
    cvid: str | None = None,
) -> dict[str, Any]:
    """Write what a first job asks."""
    asked: dict[str, Any] = {"module": {"api_name": module}, "fields": list(fields)}
    if criteria:
        asked["criteria"] = dict(criteria)
    if cvid:
        asked["cvid"] = cvid
    return asked


def following(token: str) -> dict[str, Any]:
    """Write what a job asks that goes on where another ended: its token and nothing else."""
    return {"page_token": token}


def create(send: Send, asked: Mapping[str, Any]) -> str:
    """Ask for a job; never sent twice, for each costs 50 credits.

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
    body = send("POST", READ, json={"query": dict(asked)}, safe=False)
    job = (_first(body).get("details") or {}).get("id")
    if not job:
        raise JobError(
            "Zoho answered to a bulk job without an id.",
            f"It said: {body[:200].decode(errors='replace')}",
            "The job may be running, but nobody can fetch what it makes.",
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
        raise gone(job, unknown) from unknown
    told = _first(body)
    result = told.get("result") or {}
    error = result.get("error_message") or {}
    return ReadStatus(
        str(told.get("state", "")).upper().replace("_", " "),
        int(result.get("count") or 0),
        bool(result.get("more_records")),
        str(result.get("next_page_token") or ""),
        str(result.get("download_url") or ""),
        f"{error.get('code', '')}: {error.get('message', '')}".strip(": "),
    )


def gone(job: str, cause: APIError) -> JobError:
    """Make the error for a job, or a result, that Zoho no longer has."""
    return JobError(
        f"Zoho no longer has the bulk job {job}, or its file.",
        cause.said,
        "It keeps a result for a day. Ask anew with fresh=True.",
    )


def result_path(link: Link) -> str:
    """Return the path of a job's file: Zoho's if it is a plain path, else the documented one."""
    told = link.url
    plain = told.startswith("/crm/bulk/") and not set("?#\\") & set(told)
    return told if plain else f"{READ}/{link.job}/result"


def refused_fields(refused: APIError, asked: Sequence[str]) -> list[str]:
    """Tell which of the fields asked for Zoho does not export, from its refusal.

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
        return _past_joins(asked, refused.details.get("max_limit"))
    if refused.code not in _REFUSED:
        return []
    name = str(refused.details.get("api_name", ""))
    # A field behind a lookup may be named as it was asked for, or by its own name.
    behind = [each for each in asked if each.endswith(f".{name}")]
    return [each for each in asked if each == name] or behind


def _past_joins(asked: Sequence[str], most: Any) -> list[str]:
    """Keep the fields behind as many lookups as Zoho joins; where it does not say, behind none."""
    lookups = dict.fromkeys(each.rpartition(".")[0] for each in asked if "." in each)
    kept = set(list(lookups)[: int(most)]) if str(most).isdecimal() else set()
    if len(kept) == len(lookups):
        kept = set()
    return [each for each in asked if "." in each and each.rpartition(".")[0] not in kept]


def _first(body: bytes) -> dict[str, Any]:
    """Return the one thing that an answer is about."""
    data = orjson.loads(body).get("data") if body else None
    return data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
