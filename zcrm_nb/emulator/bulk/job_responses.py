"""What requests for bulk jobs have in common, and what describes any job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from zcrm_nb.emulator.records.table import iso
from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator.bulk.jobs import Job
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.serving.http import Request

Body = dict[str, Any]


def json_body(request: Request) -> Body:
    """Read the body, or refuse it in the words of the bulk APIs."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(415, "MEDIA_TYPE_NOT_SUPPORTED", "media type not supported")
    if not request.body.strip():
        raise Refusal(400, "REQUEST_BODY_IS_EMPTY", "request body is empty")
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        message = "request body is not readable"
        raise Refusal(400, "REQUEST_BODY_NOT_READABLE", message) from error
    if not isinstance(body, dict):
        raise wrong_shape()
    return body


def wrong_shape() -> Refusal:
    """Refuse a body that is JSON, and not what was expected."""
    message = "request body contains invalid format"
    return Refusal(400, "REQUEST_BODY_NOT_SUPPORTED", message)


def check_callback(callback: Any) -> None:
    """Refuse a callback that could never be sent; whether there is a receiver shows in the end."""
    if callback is None:
        return
    if not isinstance(callback, dict) or str(callback.get("method", "")).lower() != "post":
        details = {"supported_callback_methods": ["post"]}
        raise Refusal(400, "INVALID_CALLBACK_METHOD", "invalid callback method", details)
    parts = urlsplit(str(callback.get("url", "")))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refusal(400, "INVALID_CALLBACK_URL", "invalid callback url")


def made(org: Org, job: Job) -> Body:
    """Say who made a job, and when."""
    rows = org.store.read("SELECT full_name FROM Users WHERE id = ?", (job.user,))
    by = {"id": str(job.user), "name": rows[0][0]}
    return {"created_by": by, "created_time": iso(org, job.created)}
