"""The records of related lists: read, linked and unlinked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.records import LISTED, NOT_LISTED, listed, one_record
from zcrm_nb.emulator.records.related_lists import RelatedList, list_named, parent_of
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import RECORDS, Writer, attempted, items_of, overall, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import READ, UPDATE, V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.codec import Shaped, shape
from zcrm_nb.emulator.storage.validation import RecordChecker, required

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

#: Records that live and die with their record: unlinking one deletes it.
OWNED = ("Notes",)


# -- reading ---------------------------------------------------------------------------------------


def get_related(org: Org, request: Request, module: str, record_id: str, related: str) -> Answer:
    """``GET /{module}/{id}/{related_list}``: one page of what belongs to a record."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    relation = list_named(org.schema, module_info, related)
    beside = link_values(org, relation, parent)
    return listed(org, request, relation.module, relation.holds(parent), beside)


def get_related_one(
    org: Org, request: Request, *, module: str, record_id: str, related: str, related_id: str
) -> Answer:
    """``GET /{module}/{id}/{related_list}/{related_id}``: one of the records on a list."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    relation = list_named(org.schema, module_info, related)
    id_number = parameters.record_id(related_id)
    if not _hangs(org, relation, parent, id_number):
        return NOTHING
    names = parameters.names(request, "fields")
    fields = [each for each in relation.module.fields if not names or each.api_name in names]
    beside = link_values(org, relation, parent)
    record = one_record(org.store, relation.module, id_number, fields, beside=beside)
    return json_answer({"data": [record]})


def link_values(org: Org, relation: RelatedList, parent: int) -> dict[str, Shaped]:
    """Say how to read what stands on the link itself, such as the role of a contact."""
    values = {}
    for each in relation.link_fields:
        shaped = shape(each, "l", "rest", org.store)
        sql = tuple(f"(SELECT {sql} FROM {relation.link_of(parent)})" for sql in shaped.expressions)
        values[each.api_name] = Shaped(sql, shaped.show)
    return values


def get_deleted_related(
    org: Org, request: Request, module: str, record_id: str, related: str
) -> Answer:
    """``GET /{module}/deleted/{id}/{related_list}``: what hung on a record in the recycle bin."""
    module_info = module_named(org, module)
    relation = list_named(org.schema, module_info, related)
    try:
        owner, snapshot = recycle_bin.kept_of(org.store, parameters.record_id(record_id))
    except KeyError:
        owner = None
    if owner is not module_info:
        message = "the related id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 2})
    if relation.linking and relation.far:
        rows = snapshot.parts.get(relation.linking.api_name, [])
        ids = [row[relation.far.api_name] for row in rows]
    else:
        by = (relation.module.api_name, relation.near.api_name)
        ids = [each for *pointer, each in snapshot.pointers if tuple(pointer) == by]
    marks = ", ".join("?" * len(ids))
    return listed(org, request, relation.module, Condition(f"r.id IN ({marks})", tuple(ids)))


def _hangs(org: Org, relation: RelatedList, parent: int, record_id: int) -> bool:
    """Whether a record is on the list."""
    where = relation.holds(parent)
    sql = f'SELECT 1 FROM "{relation.module.api_name}" AS r WHERE {where.sql} AND r.id = ?'
    return bool(org.store.read(sql, (*where.values, record_id)))


# -- linking ---------------------------------------------------------------------------------------


def post_related(org: Org, request: Request, module: str, record_id: str, related: str) -> Answer:
    """``POST /{module}/{id}/Notes``: write up to 100 notes about a record."""
    relation, parent = _relation(org, (module, record_id, related))
    if relation.module.api_name not in OWNED:
        message = "The http request method type is not a valid one"
        raise Refusal(org.settings.invalid_method_status, "INVALID_REQUEST_METHOD", message)
    writer = Writer(org, request.user, relation.module)

    def add(item: dict[str, Any], path: str) -> dict[str, Any]:
        return writer.insert({**item, relation.near.api_name: relation.pointer(parent)}, path)

    with org.store.transaction():
        tried = _each(org, add, items_of(request.json()))
        results = writer.receipts([result for result, _ in tried])
    statuses = [error_status or 201 for _, error_status in tried]
    return json_answer({"data": results}, overall(statuses, 201))


def put_related(org: Org, request: Request, module: str, record_id: str, related: str) -> Answer:
    """``PUT /{module}/{id}/{related_list}``: link up to 100 records."""
    return _linked(org, request, (module, record_id, related), items_of(request.json()))


def put_related_one(
    org: Org, request: Request, *, module: str, record_id: str, related: str, related_id: str
) -> Answer:
    """``PUT /{module}/{id}/{related_list}/{related_id}``: link one record."""
    sent = items_of(request.json())[0] if request.body else {}
    items = [{**sent, "id": related_id}]
    return _linked(org, request, (module, record_id, related), items)


def _linked(
    org: Org, request: Request, where: tuple[str, str, str], items: list[dict[str, Any]]
) -> Answer:
    """Link every record, and change what else is sent of it."""
    relation, parent = _relation(org, where)
    writer = Writer(org, request.user, relation.module)

    owned, done = relation.module.api_name in OWNED, org.settings.relations.link_message

    def link(item: dict[str, Any], path: str) -> dict[str, Any]:
        if relation.linking:
            child = writer.existing(item, path)
            values = _link_row(org, relation, item, path)
            new = tie(org, request.user, relation, ends=(parent, child), values=values)
            standard = relation.linking.api_name in org.schema.links
            return success("relation updated" if standard and not new else done, child)
        changed = writer.update({**item, relation.near.api_name: relation.pointer(parent)}, path)
        return changed if owned else success(done, int(changed["details"]["id"]))

    with org.store.transaction():
        tried = _each(org, link, items)
    return _answer(tried)


def _each(
    org: Org,
    work: Callable[[dict[str, Any], str], dict[str, Any]],
    items: list[dict[str, Any]],
) -> list[tuple[dict[str, Any], int | None]]:
    """Do a piece of work for every item of a body."""
    return [
        attempted(org.store, work, each, f"$.data[{index}]") for index, each in enumerate(items)
    ]


def _link_row(org: Org, relation: RelatedList, item: dict[str, Any], path: str) -> dict[str, Any]:
    """Check what is sent of the link itself; a contact of a deal needs a role."""
    if relation.linking is None or not relation.link_fields:
        return {}
    sent = {each.api_name: item[each.api_name] for each in relation.link_fields
            if each.api_name in item}  # fmt: skip
    role = relation.linking.by_name.get("Contact_Role")
    if role and org.settings.relations.contact_role_required and not sent.get("Contact_Role"):
        raise required(role, path)
    return RecordChecker(org.store, relation.linking, org.settings).draft(sent, path).row


def tie(
    org: Org, user: int, relation: RelatedList, *, ends: tuple[int, int], values: dict[str, Any]
) -> bool:
    """Link two records, or change the values of their link; tell whether it is new."""
    assert relation.linking
    assert relation.far
    parent, child = ends
    old = org.store.read(f"SELECT l.id FROM {relation.link_of(parent, str(child))}")
    if old and values:
        org.store.update(relation.linking.api_name, [{"id": old[0][0], **values}], user=user)
    if not old:
        row = {relation.near.api_name: parent, relation.far.api_name: child, **values}
        org.store.insert(relation.linking.api_name, [row], user=user)
    return not old


def delete_related(org: Org, request: Request, module: str, record_id: str, related: str) -> Answer:
    """``DELETE /{module}/{id}/{related_list}?ids=``: unlink up to 100 records."""
    if "ids" not in request.params:
        message = "One of the expected parameter is missing"
        raise Refusal(400, "MANDATORY_NOT_FOUND", message, {"param_name": "ids"})
    ids = parameters.names(request, "ids")
    if len(ids) > RECORDS:
        message = f"Limit Exceeded, You cannot give more than {RECORDS} record ids"
        details = {"limit": str(RECORDS), "param_name": "ids"}
        raise Refusal(400, "LIMIT_EXCEEDED", message, details)
    return _let_go(org, request, (module, record_id, related), ids)


def delete_related_one(
    org: Org, request: Request, *, module: str, record_id: str, related: str, related_id: str
) -> Answer:
    """``DELETE /{module}/{id}/{related_list}/{related_id}``: unlink one record."""
    return _let_go(org, request, (module, record_id, related), [related_id])


def _let_go(org: Org, request: Request, where: tuple[str, str, str], ids: list[str]) -> Answer:
    """Undo the link of every record; what only lives on a list is deleted."""
    relation, parent = _relation(org, where)

    def let_go(text: str) -> dict[str, Any]:
        if not parameters.is_id(text) or not _hangs(org, relation, parent, int(text)):
            raise Refusal(400, "INVALID_DATA", "relation not found", {"id": text})
        return _unlink(org, request.user, relation, parent, int(text))

    with org.store.transaction():
        tried = [attempted(org.store, let_go, each) for each in ids]
    return _answer(tried)


def _unlink(org: Org, user: int, relation: RelatedList, parent: int, child: int) -> dict[str, Any]:
    """Unlink one record."""
    near = relation.near.api_name
    if relation.module.api_name in OWNED:
        recycle_bin.move_to_bin(org.store, relation.module.api_name, [child], user=user)
        return success("record deleted", child)
    if relation.linking and relation.far:
        linking = relation.linking.api_name
        sql = f'SELECT id FROM "{linking}" WHERE "{near}" = ? AND "{relation.far.api_name}" = ?'
        rows = [row for (row,) in org.store.read(sql, (parent, child))]
        recycle_bin.move_to_bin(org.store, linking, rows, user=user)
    else:
        empty = {near: None} | ({"$se_module": None} if relation.near.targets else {})
        org.store.update(relation.module.api_name, [{"id": child, **empty}], user=user)
    return success("relation removed", child)


def _relation(org: Org, where: tuple[str, str, str]) -> tuple[RelatedList, int]:
    """Find list and record of an address."""
    module, record_id, related = where
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    relation = list_named(org.schema, module_info, related)
    if relation.module.tracker:
        message = "The http request method type is not a valid one"
        raise Refusal(org.settings.invalid_method_status, "INVALID_REQUEST_METHOD", message)
    return relation, parent


def _answer(tried: list[tuple[dict[str, Any], int | None]]) -> Answer:
    """Answer with the result of each."""
    statuses = [error_status or 200 for _, error_status in tried]
    return json_answer({"data": [result for result, _ in tried]}, overall(statuses, 200))


_LIST = f"{V8}/{{module}}/{{record_id}}/{{related}}"
_ONE = f"{_LIST}/{{related_id}}"

ROUTES = (
    Route(
        "GET",
        _LIST,
        get_related,
        "related list: as a list, of what belongs to a record",
        READ,
        honours=LISTED,
        refuses=NOT_LISTED,
    ),
    Route("POST", _LIST, post_related, "write up to 100 notes about a record", UPDATE, "write"),
    Route("PUT", _LIST, put_related, "link up to 100 records", UPDATE),
    Route("DELETE", _LIST, delete_related, "unlink up to 100 records", UPDATE, honours=("ids",)),
    Route(
        "GET",
        f"{V8}/{{module}}/deleted/{{record_id}}/{{related}}",
        get_deleted_related,
        "what hung on a record in the recycle bin; its notes are in the bin too",
        READ,
        honours=LISTED,
        refuses=NOT_LISTED,
    ),
    Route("GET", _ONE, get_related_one, "one record of a related list", READ, honours=("fields",)),
    Route("PUT", _ONE, put_related_one, "link one record", UPDATE),
    Route("DELETE", _ONE, delete_related_one, "unlink one record", UPDATE),
)
