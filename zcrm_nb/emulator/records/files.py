"""Files in the CRM: how they come in, where they are kept, how they go out again.

The file system (``/files``), the photo of a record, and the files of its upload fields.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from zcrm_nb.emulator.records.related_lists import parent_of
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Part, Request, json_answer
from zcrm_nb.emulator.serving.route import READ, UPDATE, V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

FILES = 10
FILE_BYTES = 20 << 20
PHOTO = "Record_Image"
MB = 1 << 20
#: How the kinds of pictures begin that a record may have as its photo.
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM")


def keep(org: Org, part: Part, user: int) -> str:
    """Store a file and return its id, which is opaque."""
    number = org.store.count("files")
    file_id = hashlib.sha1(org.secret + b"%d" % number).hexdigest()  # noqa: S324 - an id, no seal
    org.store.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
        (file_id, part.name, len(part.content), part.type, part.content, org.clock.now(), user),
    )
    return file_id


def download(org: Org, file_id: str | None) -> Answer:
    """Answer with a file, or with nothing where it does not exist."""
    rows = org.store.read("SELECT name, type, content FROM files WHERE id = ?", (file_id,))
    if not rows:
        return NOTHING
    name, kind, content = rows[0]
    disposition = f"attachment;filename*=UTF-8''{quote(name)}"
    return Answer(200, content, {"Content-Type": kind, "Content-Disposition": disposition})


# -- the file system -------------------------------------------------------------------------------


def post_files(org: Org, request: Request) -> Answer:
    """``POST /files``: keep up to ten files, for upload fields and the like."""
    sent = [each for each in request.parts() if each.field == "file"]
    if not sent or not all(each.content for each in sent):
        raise unreadable()
    if len(sent) > FILES:
        message = (
            "unable to process your request. please verify whether you have entered proper method "
            "name, parameter and parameter values."
        )
        raise Refusal(400, "INVALID_REQUEST", message)
    if any(len(each.content) > FILE_BYTES for each in sent):
        raise too_large(415)
    with org.store.transaction():
        file_ids = [(each.name, keep(org, each, request.user)) for each in sent]
    return json_answer({
        "data": [
            {
                "status": "success",
                "code": "SUCCESS",
                "message": f"{name} uploaded successfully",
                "details": {"name": name, "id": file_id},
            }
            for name, file_id in file_ids
        ]
    })  # fmt: skip


def get_file(org: Org, request: Request) -> Answer:
    """``GET /files?id=``: one file."""
    if not request.params.get("id"):
        message = "One of the expected parameter is missing"
        raise Refusal(400, "REQUIRED_PARAM_MISSING", message, {"param_name": "id"})
    return download(org, request.params["id"])


def unreadable() -> Refusal:
    """Refuse an upload without a file in it; the code is in lower case on the wire."""
    message = "Problem in uploading attachment. kindly upload the file properly"
    return Refusal(400, "failure_in_attachment_handling", message)


def too_large(status: int) -> Refusal:
    """Refuse a file that is too large."""
    message = "Please check if the size of the file is in the correct range"
    return Refusal(status, "FILE_SIZE_MORE_THAN_ALLOWED_SIZE", message)


# -- the photo of a record -------------------------------------------------------------------------


def post_photo(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/photo``: give a record its photo."""
    module_info, id_number = _pictured(org, module, record_id)
    sent = [each for each in request.parts() if each.field == "file"]
    if not sent:
        raise Refusal(415, "INVALID_DATA", "invalid file type")
    picture = sent[0]
    most = org.settings.relations.photo_mb * MB
    if len(picture.content) > most:
        message = "File exceeded its maximum limit"
        raise Refusal(413, "FILE_SIZE_EXCEEDS", message, {"size": most})
    if not picture.content.startswith(PICTURES):
        raise Refusal(415, "INVALID_DATA", "invalid file type")
    with org.store.transaction():
        row = {"id": id_number, PHOTO: keep(org, picture, request.user)}
        org.store.update(module_info.api_name, [row], user=request.user)
    return _photo_done("Photo uploaded successfully")


def get_photo(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/photo``: the photo of a record."""
    module_info, id_number = _pictured(org, module, record_id)
    sql = f'SELECT "{PHOTO}" FROM "{module_info.api_name}" WHERE id = ?'
    return download(org, org.store.read(sql, (id_number,))[0][0])


def delete_photo(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``DELETE /{module}/{id}/photo``: take the photo of a record away."""
    module_info, id_number = _pictured(org, module, record_id)
    org.store.update(module_info.api_name, [{"id": id_number, PHOTO: None}], user=request.user)
    return _photo_done("Photo deleted")


def _pictured(org: Org, module: str, record_id: str) -> tuple[Module, int]:
    """Find a record of a module whose records have photos."""
    module_info = module_named(org, module)
    if PHOTO not in module_info.by_name:
        message = "the given module is not supported for this api"
        raise Refusal(400, "INVALID_MODULE", message, {"resource_path_index": 0})
    return module_info, parent_of(org, module_info, record_id)


def _photo_done(message: str) -> Answer:
    """Say that it is done: a bare object, unlike other writes."""
    done = {"code": "SUCCESS", "details": {}, "message": message, "status": "success"}
    return json_answer(done)


# -- the files of a record's upload fields ---------------------------------------------------------


def get_field_file(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/actions/download_fields_attachment``: a file of an upload field."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    file_id = request.params.get("fields_attachment_id")
    if not file_id:
        raise parameters.missing("fields_attachment_id")
    uploads = [
        each.api_name
        for each in module_info.fields
        if each.data_type in {"fileupload", "imageupload"}
    ]
    if not uploads:
        return NOTHING
    columns = ", ".join(f'"{name}"' for name in uploads)
    sql = f'SELECT {columns} FROM "{module_info.api_name}" WHERE id = ?'
    values: list[dict[str, Any]] = [
        each for text in org.store.read(sql, (parent,))[0] for each in orjson.loads(text or "[]")
    ]
    match = next((each for each in values if each.get("id") == file_id), {})
    return download(org, match.get("File_Id__s"))


_PHOTO_PATH = f"{V8}/{{module}}/{{record_id}}/photo"

ROUTES = (
    Route(
        "POST",
        f"{V8}/files",
        post_files,
        "keep up to ten files of 20 MB for upload fields",
        ("ZohoCRM.files.CREATE",),
        refuses=("type",),
    ),
    Route(
        "GET",
        f"{V8}/files",
        get_file,
        "one kept file",
        ("ZohoCRM.files.READ",),
        honours=("id",),
    ),
    Route(
        "POST",
        _PHOTO_PATH,
        post_photo,
        "photo of a record, up to 10 MB",
        UPDATE,
        honours=("restrict_triggers",),
    ),
    Route("GET", _PHOTO_PATH, get_photo, "photo of a record", READ),
    Route("DELETE", _PHOTO_PATH, delete_photo, "take a photo away", UPDATE),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}/actions/download_fields_attachment",
        get_field_file,
        "a file of an upload field; those that the world came with have no content",
        READ,
        honours=("fields_attachment_id",),
    ),
)
