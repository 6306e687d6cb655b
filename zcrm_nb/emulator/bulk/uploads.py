"""The upload host: ZIP files on their way into a bulk write."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from zcrm_nb.emulator.oauth.data_centres import CENTRES
from zcrm_nb.emulator.records.table import iso
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import API_ORIGIN, Answer, Request, json_answer
from zcrm_nb.emulator.serving.parameters import is_id
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.world import ZGID

if TYPE_CHECKING:
    from pathlib import Path

    from zcrm_nb.emulator.bulk.jobs import BulkOrg

HEADERS = {"feature": "bulk-write", "X-CRM-ORG": str(ZGID)}


def post_upload(org: BulkOrg, request: Request) -> Answer:
    """``POST {upload}/crm/v8/upload``: keep a ZIP file."""
    _refuse_api_host(org, request)
    wrong = [name for name, value in HEADERS.items() if request.headers.get(name) != value]
    if wrong and org.settings.bulk.upload_gateway:
        return _gate("check if headers [feature, X-CRM-ORG] are present and valid")
    if wrong:
        raise _bad_header(request, wrong[0])
    file_id = keep(org, request.user, _content(org, request))
    details = {"file_id": str(file_id), "created_time": iso(org, org.clock.now())}
    done = {"status": "success", "code": "FILE_UPLOAD_SUCCESS", "message": "file uploaded."}
    return json_answer({**done, "details": details})


def keep(org: BulkOrg, user: int, content: bytes) -> int:
    """Keep an uploaded file."""
    with org.store.transaction():
        file_id = org.store.new_id()
        sql = "INSERT INTO bulk_files VALUES (?, ?)"
        org.store.execute(sql, (file_id, user))
        _path(org, file_id).write_bytes(content)
    return file_id


def uploaded(org: BulkOrg, user: int, file_id: object) -> Path:
    """Find an uploaded file of a user, or refuse with ``INVALID_FILE_ID``."""
    text = str(file_id)
    number = int(text) if is_id(text) else 0
    sql = "SELECT id FROM bulk_files WHERE id = ? AND user = ?"
    if not org.store.read(sql, (number, user)):
        raise Refusal(400, "INVALID_FILE_ID", "improper file id")
    return _path(org, number)


def _path(org: BulkOrg, file_id: int) -> Path:
    """Name the place of an uploaded file."""
    org.jobs.folder.mkdir(exist_ok=True)
    return org.jobs.folder / f"upload-{file_id}.zip"


def _refuse_api_host(org: BulkOrg, request: Request) -> None:
    """Refuse uploads at the host of the API; on loopback all hosts are one."""
    api = {API_ORIGIN, *(each.api for each in CENTRES.values())}
    if request.origin in api and not org.settings.bulk.upload_on_api_host:
        message = "Please check if the URL trying to access is a correct one"
        raise Refusal(404, "INVALID_URL_PATTERN", message)


def _content(org: BulkOrg, request: Request) -> bytes:
    """Take the ZIP out of the body."""
    sent = next((each for each in request.parts() if each.field == "file"), None)
    if sent is None:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "file"})
    if len(sent.content) > org.settings.bulk.upload_bytes:
        raise Refusal(413, "FILE_TOO_LARGE", "File size too large to process")
    if not zipfile.is_zipfile(io.BytesIO(sent.content)):
        message = "invalid file format. only zip format is supported"
        raise Refusal(400, "INVALID_FILE_FORMAT", message)
    return sent.content


def _bad_header(request: Request, name: str) -> Refusal:
    """Refuse a header that is missing, or has a wrong value."""
    if not request.headers.get(name):
        message = "required header not found"
        return Refusal(400, "MANDATORY_NOT_FOUND", message, {"header": name})
    code = "NOT_SUPPORTED_FEATURE" if name == "feature" else "INVALID_DATA"
    return Refusal(400, code, "the header given seems to be invalid", {"header": name})


def _gate(message: str) -> Answer:
    """Speak like the gateway in front of the upload host, which has another shape."""
    error = {"ERROR_CODE": 400, "ERROR_MESSAGE": "Bad Request", "x-error": message}
    return json_answer({**error, "http_status": "400"}, 400)


ROUTES = (
    Route(
        "POST",
        f"{V8}/upload",
        post_upload,
        "the upload host: a ZIP of CSV files for a bulk write",
        ("ZohoFiles.files.ALL",),
    ),
)
