"""Tags: the list of them in the settings, and putting them on records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.records.table import iso, module_named
from zcrm_nb.emulator.records.writes import attempted, overall, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import UPDATE, V8, Route
from zcrm_nb.emulator.storage.references import TAG_COLOURS, add_tag, tag

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

NAME_LENGTH = 25
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
SPECIAL = re.compile(r'[<>,"]')
COLUMNS = "id, name, color_code, created_time, modified_time, created_by, modified_by"

Item = dict[str, Any]
Change = Callable[[list[Item]], list[Item]]


# -- the settings ----------------------------------------------------------------------------------


def get_tags(org: Org, request: Request) -> Answer:
    """``GET /settings/tags?module=``: all tags of a module."""
    module = _module(org, request)
    where = "module = ?"
    values: tuple[object, ...] = (module.api_name,)
    if parameters.one_of(request, "my_tags", ("true", "false"), "false") == "true":
        where, values = f"{where} AND created_by = ?", (*values, request.user)
    shown = _described(org, where, values)
    if not shown:
        return NOTHING
    allowed = org.settings.relations.tags_per_module
    return json_answer({"tags": shown, "info": {"count": len(shown), "allowed_count": allowed}})


def _described(org: Org, where: str, values: tuple[object, ...]) -> list[Item]:
    """Describe tags as the settings do."""
    people = dict(org.store.read("SELECT id, full_name FROM Users"))
    rows = org.store.read(f"SELECT {COLUMNS} FROM tags WHERE {where} ORDER BY id", values)
    return [
        {
            "id": str(each),
            "name": name,
            "color_code": colour,
            "created_time": iso(org, made),
            "modified_time": iso(org, changed),
            "created_by": maker and {"name": people.get(maker), "id": str(maker)},
            "modified_by": changer and {"name": people.get(changer), "id": str(changer)},
        }
        for each, name, colour, made, changed, maker, changer in rows
    ]


def post_tags(org: Org, request: Request) -> Answer:
    """``POST /settings/tags?module=``: make tags."""
    module = _module(org, request)

    def make(sent: Item, path: str) -> Item:
        name, colour = _checked(org, module, sent, path)
        number = org.store.read("SELECT count(*) FROM tags WHERE module = ?", (module.api_name,))
        if number[0][0] >= org.settings.relations.tags_per_module:
            raise Refusal(400, "LICENSE_LIMIT_EXCEEDED", "tags edition limit exceeded")
        made = org.store.new_id()
        add_tag(org.store, module, (made, colour, name), request.user)
        return _done("tags created successfully", _described(org, "id = ?", (made,))[0])

    return _each(org, request, make, 201)


def put_tags(org: Org, request: Request) -> Answer:
    """``PUT /settings/tags?module=``: rename or recolour tags by their ids."""
    module = _module(org, request)

    def change(sent: Item, path: str) -> Item:
        if "id" not in sent:
            details = {"api_name": "id", "json_path": f"{path}.id"}
            raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
        return _change(org, request, module, sent, path)

    return _each(org, request, change, 200)


def put_tag(org: Org, request: Request, tag_id: str) -> Answer:
    """``PUT /settings/tags/{id}?module=``: rename or recolour one tag."""
    module = _module(org, request)

    def change(sent: Item, path: str) -> Item:
        return _change(org, request, module, {**sent, "id": tag_id}, path)

    return _each(org, request, change, 200)


def _change(org: Org, request: Request, module: Module, sent: Item, path: str) -> Item:
    """Rename or recolour a tag, on the records too."""
    tags = _described(org, "id = ? AND module = ?", (sent["id"], module.api_name))
    if not tags:
        details = {"api_name": "id", "json_path": f"{path}.id"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    old = tags[0]
    name, colour = _checked(org, module, {**old, **sent}, path)
    now = org.clock.now()
    org.store.execute(
        "UPDATE tags SET name = ?, color_code = ?, modified_time = ?, modified_by = ? WHERE id = ?",
        (name, colour, now, request.user, old["id"]),
    )
    _replace(org, module, old["id"], {"name": name, "id": old["id"], "color_code": colour})
    return _done("tags updated successfully", _described(org, "id = ?", (old["id"],))[0])


def delete_tag(org: Org, request: Request, tag_id: str) -> Answer:
    """``DELETE /settings/tags/{id}``: take a tag away, from all records too."""
    module = _owner(org, tag_id)
    with org.store.transaction():
        _replace(org, module, tag_id, None)
        org.store.execute("DELETE FROM tags WHERE id = ?", (tag_id,))
    return json_answer({"tags": [_done("tags deleted successfully", {"id": tag_id})]})


def merge_tags(org: Org, request: Request, tag_id: str) -> Answer:
    """``POST /settings/tags/{id}/actions/merge``: let one tag take the place of another."""
    module = _owner(org, tag_id)
    (master,) = _described(org, "id = ?", (tag_id,))

    def merge(sent: Item, path: str) -> Item:
        conflict = str(sent.get("conflict_id"))
        if conflict == tag_id or not _described(
            org, "id = ? AND module = ?", (conflict, module.api_name)
        ):
            details = {"api_name": "conflict_id", "json_path": f"{path}.conflict_id"}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
        remaining = {name: master[name] for name in ("name", "id", "color_code")}
        _replace(org, module, conflict, remaining)
        org.store.execute("DELETE FROM tags WHERE id = ?", (conflict,))
        return _done("tags merged successfully", master)

    return _each(org, request, merge, 200)


def count_tagged(org: Org, request: Request, tag_id: str) -> Answer:
    """``GET /settings/tags/{id}/actions/records_count?module=``: how many records have a tag."""
    module = _module(org, request)
    if not _described(org, "id = ? AND module = ?", (tag_id, module.api_name)):
        raise Refusal(404, "INVALID_DATA", "tags not found", {"id": tag_id})
    return json_answer({"count": str(len(_tagged(org, module, tag_id)))})


def _owner(org: Org, tag_id: str) -> Module:
    """Find the module that a tag belongs to, or refuse an unknown tag."""
    rows = org.store.read("SELECT module FROM tags WHERE id = ?", (tag_id,))
    if not rows:
        raise Refusal(400, "INVALID_DATA", "tags not found", {"id": tag_id})
    return org.schema.modules[rows[0][0]]


def _module(org: Org, request: Request) -> Module:
    """Find the module whose tags are meant."""
    name = request.params.get("module")
    if not name:
        message = "One of the expected parameter is missing"
        raise Refusal(400, "REQUIRED_PARAM_MISSING", message, {"param": "module"})
    if name not in org.schema.modules:
        raise Refusal(400, "INVALID_MODULE", "the module name given seems to be invalid")
    return _with_tags(org.schema.modules[name])


def _with_tags(module: Module) -> Module:
    """Refuse a module whose records have no tags."""
    if "Tag" not in module.by_name:
        raise Refusal(400, "INVALID_MODULE", "the given module is not supported for this api")
    return module


def _checked(org: Org, module: Module, sent: Item, path: str) -> tuple[str, str]:
    """Check name and colour of a tag; without a colour it gets the next one."""
    name, colour = _name(sent, path), sent.get("color_code")
    location = {"api_name": "color_code", "json_path": f"{path}.color_code"}
    if colour is not None and not (isinstance(colour, str) and COLOUR.fullmatch(colour)):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"maximum_length": 7, **location})
    twins = org.store.read(
        "SELECT id FROM tags WHERE module = ? AND name = ? AND id != ?",
        (module.api_name, name, sent.get("id", 0)),
    )
    if twins:
        details = {"api_name": "name", "json_path": f"{path}.name", "id": str(twins[0][0])}
        raise Refusal(400, "DUPLICATE_DATA", "duplicate data", details)
    return name, colour or TAG_COLOURS[len(name) % len(TAG_COLOURS)]


def _name(sent: Item, path: str) -> str:
    """Check the name of a tag."""
    name = sent.get("name")
    location: Item = {"api_name": "name", "json_path": f"{path}.name"}
    if name in (None, ""):
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    if not isinstance(name, str):
        raise Refusal(
            400, "INVALID_DATA", "invalid data", {"expected_data_type": "text", **location}
        )
    if len(name) > NAME_LENGTH:
        details = {"maximum_length": NAME_LENGTH, **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if SPECIAL.search(name):
        message = "special characters found in the given name"
        raise Refusal(400, "INVALID_DATA", message, location)
    return name


def _each(org: Org, request: Request, work: Callable[[Item, str], Item], status: int) -> Answer:
    """Do a piece of work for every tag of a body."""
    sent = _sent(request.json())
    with org.store.transaction():
        tried = [
            attempted(org.store, work, each, f"$.tags[{index}]") for index, each in enumerate(sent)
        ]
    statuses = [error_status or status for _, error_status in tried]
    return json_answer({"tags": [result for result, _ in tried]}, overall(statuses, status))


def _sent(body: Item) -> list[Item]:
    """Find the tags in a body."""
    location: Item = {"api_name": "tags", "json_path": "$.tags"}
    if "tags" not in body:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    tags: Any = body["tags"]
    if not isinstance(tags, list) or not tags or not all(isinstance(each, dict) for each in tags):
        details = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return tags


def _done(message: str, details: Item) -> Item:
    """Say the outcome of a tag."""
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def _tagged(org: Org, module: Module, tag_id: str) -> list[tuple[int, list[Item]]]:
    """Find the records that have a tag, and all tags of each."""
    sql = f'SELECT id, Tag FROM "{module.api_name}" WHERE Tag LIKE ?'
    rows = org.store.read(sql, (f'%"id":"{tag_id}"%',))
    return [(record_id, orjson.loads(tags)) for record_id, tags in rows]


def _replace(org: Org, module: Module, tag_id: str, by: Item | None) -> None:
    """Put something else in the place of a tag, on every record; a record has each tag once."""
    for record_id, tags in _tagged(org, module, tag_id):
        remaining = [by if each["id"] == tag_id else each for each in tags]
        once = {each["id"]: each for each in remaining if each}
        sql = f'UPDATE "{module.api_name}" SET Tag = ? WHERE id = ?'
        org.store.execute(sql, (orjson.dumps(list(once.values())).decode(), record_id))


# -- on records ------------------------------------------------------------------------------------


def add_tags(org: Org, request: Request, module: str, record_id: str = "") -> Answer:
    """``POST /{module}[/{id}]/actions/add_tags``: put tags on records."""
    body = request.json()
    over_write = body.get("over_write", request.params.get("over_write")) in (True, "true")
    most = org.settings.relations.tags_per_record

    def add(old: list[Item]) -> list[Item]:
        grown = list({each["id"]: each for each in [*([] if over_write else old), *new]}.values())
        if len(grown) > most:
            details = {"maximum_length": most, "api_name": "tags", "json_path": "$.tags"}
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
        return grown

    module_info = _with_tags(module_named(org, module))
    names = [_name(each, f"$.tags[{index}]") for index, each in enumerate(_sent(body))]
    with org.store.transaction(notify=org.settings.watch.notifies_of("tags")):
        new: list[Item] = [tag(org.store, module_info, name, request.user) for name in names]
        return _change_records(org, request, module_info, _ids(org, request, body, record_id), add)


def remove_tags(org: Org, request: Request, module: str, record_id: str = "") -> Answer:
    """``POST /{module}[/{id}]/actions/remove_tags``: take tags off records."""
    body = request.json()
    module_info = _with_tags(module_named(org, module))
    gone = {str(each.get("name") or each.get("id")) for each in _sent(body)}

    def remove(old: list[Item]) -> list[Item]:
        return [each for each in old if gone.isdisjoint((each["name"], each["id"]))]

    with org.store.transaction(notify=org.settings.watch.notifies_of("tags")):
        return _change_records(
            org, request, module_info, _ids(org, request, body, record_id), remove
        )


def _ids(org: Org, request: Request, body: Item, record_id: str) -> list[str]:
    """Find the records that are meant; Zoho's samples send their ids as text that holds a list."""
    if record_id:
        return [record_id]
    sent: Any = body.get("ids")
    if isinstance(sent, str):
        sent = [each.strip('" ') for each in sent.strip("[] ").split(",")]
    ids = [str(each) for each in sent or parameters.names(request, "ids")]
    details = {"api_name": "ids", "json_path": "$.ids"}
    if not ids:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    most = org.settings.relations.records_tagged_per_call
    if len(ids) > most:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"maximum_length": most, **details})
    return ids


def _change_records(
    org: Org, request: Request, module: Module, ids: Iterable[str], work: Change
) -> Answer:
    """Give every record its new tags."""

    def change(text: str) -> Item:
        rows = org.store.rows(module.api_name, "id = ?", (text,))
        if not rows:
            raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", {"id": text})
        tags = work(orjson.loads(rows[0]["Tag"] or "[]"))
        row = {"id": int(text), "Tag": orjson.dumps(tags).decode()}
        org.store.update(module.api_name, [row], user=request.user)
        done = success("tags updated successfully", int(text))
        return done | {"details": {"id": text, "affected_data": None, "tags": tags}}

    tried = [attempted(org.store, change, each) for each in ids]
    statuses = [error_status or 200 for _, error_status in tried]
    good = sum(error_status is None for _, error_status in tried)
    return json_answer(
        {
            "data": [result for result, _ in tried],
            "wf_scheduler": org.settings.relations.wf_scheduler,
            "success_count": str(good),
            "locked_count": "0",
        },
        overall(statuses, 200),
    )


_SETTINGS = f"{V8}/settings/tags"
_TAG = f"{_SETTINGS}/{{tag_id}}"
_SCOPE = "ZohoCRM.settings.tags"
_MANY, _ONE = f"{V8}/{{module}}/actions", f"{V8}/{{module}}/{{record_id}}/actions"

ROUTES = (
    Route(
        "GET",
        _SETTINGS,
        get_tags,
        "tags of a module",
        (f"{_SCOPE}.READ",),
        honours=("module", "my_tags"),
    ),
    Route(
        "POST",
        _SETTINGS,
        post_tags,
        "make tags",
        (f"{_SCOPE}.CREATE",),
        honours=("module",),
        refuses=("color_code",),
    ),
    Route(
        "PUT",
        _SETTINGS,
        put_tags,
        "rename or recolour tags",
        (f"{_SCOPE}.UPDATE",),
        honours=("module",),
    ),
    Route(
        "PUT",
        _TAG,
        put_tag,
        "rename or recolour one tag",
        (f"{_SCOPE}.UPDATE",),
        honours=("module",),
    ),
    Route("DELETE", _TAG, delete_tag, "take a tag away, from records too", (f"{_SCOPE}.DELETE",)),
    Route("POST", f"{_TAG}/actions/merge", merge_tags, "merge two tags", (f"{_SCOPE}.UPDATE",)),
    Route(
        "GET",
        f"{_TAG}/actions/records_count",
        count_tagged,
        "how many records have a tag",
        (f"{_SCOPE}.READ",),
        honours=("module",),
    ),
    Route(
        "POST",
        f"{_MANY}/add_tags",
        add_tags,
        "put tags on records",
        UPDATE,
        "tags",
        honours=("over_write", "ids"),
    ),
    Route(
        "POST",
        f"{_MANY}/remove_tags",
        remove_tags,
        "take tags off records",
        UPDATE,
        "tags",
        honours=("ids",),
    ),
    Route(
        "POST",
        f"{_ONE}/add_tags",
        add_tags,
        "put tags on one record",
        UPDATE,
        "tags",
        honours=("over_write",),
    ),
    Route("POST", f"{_ONE}/remove_tags", remove_tags, "take tags off one record", UPDATE, "tags"),
)
