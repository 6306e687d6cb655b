"""Attachments: files and links of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zcrm_nb.emulator.records.files import MB, download, keep, too_large
from zcrm_nb.emulator.records.related_lists import parent_of
from zcrm_nb.emulator.records.table import iso, module_named, plain_info
from zcrm_nb.emulator.records.writes import attempted, overall, stamped, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Part, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, READ, UPDATE, V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

LINKS = ("http", "https", "ftp")
#: Fields that a list of attachments can be asked for; what begins with $ always comes.
FIELDS = ("id", "File_Name", "Size", "Owner", "Parent_Id", "Created_Time", "Modified_Time",
          "Created_By", "Modified_By")  # fmt: skip


def get_attachments(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/Attachments``: the files and links of a record, newest first."""
    module_info, parent = _parent(org, module, record_id)
    names = parameters.names(request, "fields")
    if not names:
        message = "One of the expected parameter is missing"
        raise Refusal(400, "REQUIRED_PARAM_MISSING", message, {"param_name": "fields"})
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    ids = set(parameters.ids(request))
    every = [
        each for each in _described(org, module_info, parent) if not ids or int(each["id"]) in ids
    ]
    shown = every[(page - 1) * per_page :]
    if not shown and org.settings.relations.no_attachments_status == 204:
        return NOTHING
    tokens = ("next_page_token", "previous_page_token", "page_token_expiry")
    info = {**plain_info(page, per_page, len(shown)), **dict.fromkeys(tokens)}
    data = [_chosen(each, names) for each in shown[:per_page]]
    return json_answer({"data": data, "info": info})


def _described(org: Org, module: Module, parent: int) -> list[dict[str, Any]]:
    """Describe everything that is attached to a record."""
    people = {
        user: {"name": name, "id": str(user), "email": email}
        for user, name, email in org.store.read("SELECT id, full_name, email FROM Users")
    }
    name = org.store.read(
        f'SELECT "{module.name_field}" FROM "{module.api_name}" WHERE id = ?',
        (parent,),
    )[0][0]
    rows = org.store.read(
        "SELECT id, file_name, size, file_id, link_url, created_time, created_by FROM attachments"
        " WHERE parent = ? ORDER BY id DESC",
        (parent,),
    )
    return [
        {
            "id": str(each),
            "File_Name": file_name,
            "Size": str(size),
            "Parent_Id": {"name": name, "id": str(parent)},
            **dict.fromkeys(("Created_Time", "Modified_Time"), iso(org, at)),
            **dict.fromkeys(("Owner", "Created_By", "Modified_By"), people.get(user)),
            "$se_module": module.api_name,
            "$file_id": file_id,
            "$link_url": link,
            "$type": "Link URL" if link else "File",
            "$editable": True,
            "$state": "save",
            "$field_states": None,
        }
        for each, file_name, size, file_id, link, at, user in rows
    ]


def _chosen(attachment: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Leave out the fields that were not asked for."""
    return {
        name: value
        for name, value in attachment.items()
        if name in names or name == "id" or name.startswith("$")
    }


def post_attachment(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/Attachments``: attach a file, or a link."""
    module_info, parent = _parent(org, module, record_id)
    sent = request.parts()
    values = {each.field: each.content.decode("utf-8", "replace") for each in sent if not each.name}
    values = {**request.params, **values}
    file = next((each for each in sent if each.field == "file" and each.name), None)
    if file is None and not values.get("attachmentUrl"):
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found")
    with org.store.transaction():
        if file is not None:
            _check(org, file)
            file_ids = keep(org, file, request.user)
            row: tuple[object, ...] = (file.name, len(file.content), file_ids, None)
        else:
            link = _link(values["attachmentUrl"])
            row = (values.get("title") or link, 0, None, link)
        attachment = org.store.new_id()
        org.store.execute(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (attachment, module_info.api_name, parent, *row, org.clock.now(), request.user),
        )
    return json_answer({"data": [_receipt(org, module_info, parent, attachment)]})


def _check(org: Org, file: Part) -> None:
    """Refuse a file that may not be attached."""
    if len(file.content) > org.settings.relations.attachment_mb * MB:
        raise too_large(413)
    if file.name.lower().endswith(org.settings.relations.refused_attachments):
        raise Refusal(400, "INVALID_DATA", "invalid data provided")


def _link(text: str) -> str:
    """Take an address, or refuse anything else."""
    parsed = urlsplit(text)
    if parsed.scheme.lower() not in LINKS or not parsed.netloc:
        raise Refusal(400, "INVALID_URL_PATTERN", "the given attachment URL is incorrect")
    return text


def _receipt(org: Org, module: Module, parent: int, attachment: int) -> dict[str, Any]:
    """Say what was attached, with time and user."""
    shown = next(each for each in _described(org, module, parent) if each["id"] == str(attachment))
    stamps = ("id", "Created_Time", "Modified_Time", "Created_By", "Modified_By")
    done = success("attachment uploaded successfully", attachment)
    return done | {"details": stamped({name: shown[name] for name in stamps})}


def get_attachment(
    org: Org, request: Request, module: str, record_id: str, attachment_id: str
) -> Answer:
    """``GET /{module}/{id}/Attachments/{attachment_id}``: the file itself."""
    _, parent = _parent(org, module, record_id)
    rows = org.store.read(
        "SELECT file_id, link_url FROM attachments WHERE parent = ? AND id = ?",
        (parent, attachment_id),
    )
    if not rows:
        return NOTHING
    if rows[0][1]:
        message = "As it is a linked attachment, you can not download it"
        raise Refusal(400, "DOWNLOAD_NOT_ALLOWED", message)
    return download(org, rows[0][0])


def delete_attachment(
    org: Org, request: Request, module: str, record_id: str, attachment_id: str
) -> Answer:
    """``DELETE /{module}/{id}/Attachments/{attachment_id}``: take one attachment away."""
    _, parent = _parent(org, module, record_id)
    done = _delete(org, parent, attachment_id, {"resource_path_index": 3})
    return json_answer({"data": [done]})


def delete_attachments(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``DELETE /{module}/{id}/Attachments?ids=``: take several attachments away."""
    _, parent = _parent(org, module, record_id)
    ids = parameters.names(request, "ids")
    if not ids:
        raise parameters.missing("ids")
    with org.store.transaction():
        tried = [attempted(org.store, _delete, org, parent, each, {"id": each}) for each in ids]
    statuses = [error_status or 200 for _, error_status in tried]
    return json_answer({"data": [result for result, _ in tried]}, overall(statuses, 200))


def _delete(org: Org, parent: int, attachment_id: str, details: dict[str, Any]) -> dict[str, Any]:
    """Take one attachment away, or refuse an unknown one."""
    sql = "SELECT file_id FROM attachments WHERE parent = ? AND id = ?"
    rows = org.store.read(sql, (parent, attachment_id))
    if not rows:
        raise Refusal(400, "INVALID_DATA", "record not deleted", details)
    with org.store.transaction():
        org.store.execute("DELETE FROM attachments WHERE id = ?", (attachment_id,))
        org.store.execute("DELETE FROM files WHERE id = ?", rows[0])
    return success("record deleted", int(attachment_id))


def _parent(org: Org, module: str, record_id: str) -> tuple[Module, int]:
    """Find the record that things are attached to."""
    module_info = module_named(org, module)
    return module_info, parent_of(org, module_info, record_id)


_EVERY = f"{V8}/{{module}}/{{record_id}}/Attachments"
_ONE = f"{_EVERY}/{{attachment_id}}"
_READ = (*READ, "ZohoCRM.modules.attachments.READ")
_CREATE = (*UPDATE, "ZohoCRM.modules.attachments.CREATE")
_DELETE = (*UPDATE, "ZohoCRM.modules.attachments.DELETE")

ROUTES = (
    Route(
        "GET",
        _EVERY,
        get_attachments,
        "files and links attached to a record",
        _READ,
        honours=("fields", "ids", *PAGES),
        refuses=("page_token", "perPage"),
    ),
    Route(
        "POST",
        _EVERY,
        post_attachment,
        "attach a file of up to 100 MB, or a link",
        _CREATE,
        honours=("attachmentUrl", "title"),
    ),
    Route("DELETE", _EVERY, delete_attachments, "take attachments away", _DELETE, honours=("ids",)),
    Route("GET", _ONE, get_attachment, "an attached file", _READ),
    Route("DELETE", _ONE, delete_attachment, "take one attachment away", _DELETE),
)
