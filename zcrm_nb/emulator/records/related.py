"""Related lists: what belongs to a record through a lookup, and how it is linked and unlinked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.records import LISTED, NOT_LISTED, listed, one_record
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import RECORDS, Writer, attempted, items_of, overall, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import READ, UPDATE, V8, Route
from zcrm_nb.emulator.storage import recycle_bin

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module, Schema

LISTS_COUNTED = 20
ATTACHMENTS = "Attachments"
#: Records that live and die with their record: unlinking one deletes it.
OWNED = ("Notes",)


@dataclass(frozen=True, slots=True)
class RelatedList:
    """The records of ``module`` of a record of the module ``parent``.

    They point to it by their own lookup ``near``; or, where there is a ``linking`` module, its rows
    point to the parent by ``near`` and to them by ``far``.
    """

    api_name: str
    label: str
    parent: Module
    module: Module
    near: Field
    linking: Module | None = None
    far: Field | None = None

    @property
    def id(self) -> int:
        """Its id, made from those of the lookup and of the module that has the list."""
        return (self.far or self.near).id + 500 + self.parent.id // 10**6 % 1000

    def pointer(self, record_id: int) -> dict[str, Any]:
        """Write the value of the lookup that points to a record."""
        module = {"module": {"api_name": self.parent.api_name}} if self.near.targets else {}
        return {"id": str(record_id), **module}

    def holds(self, record_id: int) -> Condition:
        """Write the condition for the records on the list of one record."""
        if self.linking and self.far:
            return Condition(
                f'r.id IN (SELECT "{self.far.api_name}" FROM "{self.linking.api_name}"'
                f' WHERE "{self.near.api_name}" = ?)',
                (record_id,),
            )
        if self.near.targets:
            pointer = f'r."{self.near.api_name}" = ? AND r."$se_module" = ?'
            return Condition(pointer, (record_id, self.parent.api_name))
        return Condition(f'r."{self.near.api_name}" = ?', (record_id,))


def lists_of(schema: Schema, parent: Module) -> list[RelatedList]:
    """List what belongs to the records of a module, besides attachments.

    Examples
    --------
    >>> from zcrm_nb.emulator.catalog import org_schema
    >>> schema = org_schema()
    >>> [each.api_name for each in lists_of(schema, schema.modules["Products"])]
    ['Notes', 'Cases', 'Solutions', 'Site_Visits']
    """
    lists: dict[str, RelatedList] = {}
    for module, near in _pointers(schema, parent):
        name = module.list_name(near, parent.api_name)
        plain = name == module.api_name or module.tracker
        label = module.plural if plain else f"{module.plural} ({near.label})"
        lists[name] = RelatedList(name, label, parent, module, near)
    for each in _links(schema, parent):
        lists.setdefault(each.api_name, each)
    return sorted(lists.values(), key=lambda each: each.api_name != "Notes")


def _pointers(schema: Schema, parent: Module) -> Iterator[tuple[Module, Field]]:
    """Find the lookups of record modules that point to a module."""
    for module in schema.modules.values():
        if module.generated_type in {"default", "custom", "field_tracker"}:
            for near in module.fields:
                if near.points_to(parent.api_name):
                    yield module, near


def _links(schema: Schema, parent: Module) -> Iterator[RelatedList]:
    """Find the multi-select lookups that a module has, and those that lead to it."""
    for linking in schema.modules.values():
        ends = [each for each in linking.fields if each.data_type == "lookup"]
        if linking.generated_type != "linking" or len(ends) != 2:
            continue
        owner = schema.modules[linking.parent or ""]
        (field,) = (each for each in owner.fields if each.target == linking.api_name)
        for near, far in (ends, ends[::-1]):
            module = schema.modules[far.target or ""]
            own = near.target == owner.api_name
            name, label = (field.api_name, field.label) if own else (owner.api_name, owner.plural)
            if near.target == parent.api_name:
                yield RelatedList(name, label, parent, module, near, linking, far)


def list_named(schema: Schema, parent: Module, name: str) -> RelatedList:
    """Find a related list, or refuse an unknown one."""
    relation = next((each for each in lists_of(schema, parent) if each.api_name == name), None)
    if relation is None:
        message = "the relation name given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 2})
    return relation


def parent_of(org: Org, module: Module, text: str) -> int:
    """Read the id of the record that the list belongs to, or refuse one that is not there."""
    if parameters.is_id(text) and org.store.read(
        f'SELECT 1 FROM "{module.api_name}" WHERE id = ?',
        (int(text),),
    ):
        return int(text)
    message = "the related id given seems to be invalid"
    status = org.settings.relations.unknown_parent_status
    raise Refusal(status, "INVALID_DATA", message, {"resource_path_index": 1})


# -- reading ---------------------------------------------------------------------------------------


def get_related(org: Org, request: Request, module: str, record_id: str, related: str) -> Answer:
    """``GET /{module}/{id}/{related_list}``: one page of what belongs to a record."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    relation = list_named(org.schema, module_info, related)
    return listed(org, request, relation.module, relation.holds(parent))


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
    return json_answer({"data": [one_record(org.store, relation.module, id_number, fields)]})


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


def get_related_lists(org: Org, request: Request) -> Answer:
    """``GET /settings/related_lists?module=``: the lists that records of a module have."""
    name = request.params.get("module")
    if not name:
        message = "One of the expected parameter is missing"
        raise Refusal(400, "REQUIRED_PARAM_MISSING", message, {"param_name": "module"})
    if name not in org.schema.modules:
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"param_name": "module"})
    module = org.schema.modules[name]
    if request.params.get("layout_id", str(module.id + 1)) != str(module.id + 1):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "layout_id"})
    if "visible" not in (parameters.names(request, "status") or ["visible"]):
        return NOTHING
    described = [_attachments_json(module)]
    described += [_list_json(each) for each in lists_of(org.schema, module)]
    for number, each in enumerate(described, 1):
        each["sequence_number"] = str(number)
    return json_answer({"related_lists": described})


def _list_json(relation: RelatedList) -> dict[str, Any]:
    """Describe a list as the settings do."""
    shown = relation.module
    linking = relation.linking
    return {
        "id": str(relation.id),
        "api_name": relation.api_name,
        "name": relation.api_name,
        "display_label": relation.label,
        "module": {"api_name": shown.api_name, "id": str(shown.id), "plural_label": shown.plural},
        "href": f"{relation.parent.api_name}/{{ENTITYID}}/{relation.api_name}",
        "type": "multiselectlookup" if linking else "default",
        "action": None,
        "connectedlookupApiName": (relation.far or relation.near).api_name,
        "connectedmodule": shown.api_name if linking else None,
        "linkingmodule": linking.api_name if linking else None,
        "status": "visible",
        **dict.fromkeys(("customize_sort", "customize_fields", "customize_display_label"), True),
        "parent_related_lists": None,
    }


def _attachments_json(module: Module) -> dict[str, Any]:
    """Describe the list of attachments, which every record has."""
    return {
        "id": str(module.id + 2),
        "api_name": ATTACHMENTS,
        "name": ATTACHMENTS,
        "display_label": ATTACHMENTS,
        "module": {"api_name": ATTACHMENTS, "id": str(module.id + 2), "plural_label": ATTACHMENTS},
        "href": f"{module.api_name}/{{ENTITYID}}/{ATTACHMENTS}",
        "type": "default",
        "action": None,
        "connectedlookupApiName": "Parent_Id",
        "connectedmodule": None,
        "linkingmodule": None,
        "status": "visible",
        **dict.fromkeys(("customize_sort", "customize_fields", "customize_display_label"), False),
        "parent_related_lists": None,
    }


def count_related(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/get_related_records_count``: how many records a list has."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    key = "get_related_records_count"
    requests = request.json().get(key)
    location: dict[str, Any] = {"api_name": key, "json_path": f"$.{key}"}
    if not isinstance(requests, list) or not all(isinstance(each, dict) for each in requests):
        details = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if len(requests) > LISTS_COUNTED:
        details = {"maximum_length": LISTS_COUNTED, **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    tried = [
        attempted(org.store, _counted, org, module_info, parent, each, f"$.{key}[{index}]")
        for index, each in enumerate(requests)
    ]
    statuses = [error_status or 200 for _, error_status in tried]
    return json_answer({key: [result for result, _ in tried]}, overall(statuses, 200))


def _counted(
    org: Org, module: Module, parent: int, item: dict[str, Any], path: str
) -> dict[str, Any]:
    """Count one list."""
    if not isinstance(item.get("related_list"), dict):
        details = {"api_name": "related_list", "json_path": f"{path}.related_list"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    if item.get("params"):
        details = {"api_name": "params", "json_path": f"{path}.params"}
        raise Refusal(400, "NOT_SUPPORTED", "params are not emulated by zcrm_nb", details)
    name, list_id = _chosen(org, module, item["related_list"], f"{path}.related_list")
    if name == ATTACHMENTS:
        sql = "SELECT count(*) FROM attachments WHERE parent = ?"
        values: tuple[object, ...] = (parent,)
    else:
        relation = list_named(org.schema, module, name)
        where = relation.holds(parent)
        sql = f'SELECT count(*) FROM "{relation.module.api_name}" AS r WHERE {where.sql}'
        values = where.values
    number = org.store.read(sql, values)[0][0]
    return {"count": number, "related_list": {"api_name": name, "id": list_id}}


def _chosen(org: Org, module: Module, item: dict[str, Any], path: str) -> tuple[str, str]:
    """Find API name and id of the list that is asked for by either of them."""
    list_ids = {each.api_name: str(each.id) for each in lists_of(org.schema, module)}
    list_ids[ATTACHMENTS] = str(module.id + 2)
    places = [{"api_name": key, "json_path": f"{path}.{key}"} for key in ("id", "api_name")]
    if not {"id", "api_name"} & item.keys():
        details: dict[str, Any] = {"expected_fields": places[::-1]}
        raise Refusal(400, "EXPECTED_FIELD_MISSING", "Specify atleast one field", details)
    for name, list_id in list_ids.items():
        if item.get("api_name", name) == name and str(item.get("id", list_id)) == list_id:
            return name, list_id
    if item.get("api_name") in list_ids and str(item.get("id")) in list_ids.values():
        message = "Ambiguity while processing the request"
        raise Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": places})
    location = places[0] if "id" in item else places[1]
    raise Refusal(400, "INVALID_DATA", "Given related_list is invalid", location)


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
            _tie(org, request.user, relation, parent, child)
            return success(done, child)
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


def _tie(org: Org, user: int, relation: RelatedList, parent: int, child: int) -> None:
    """Add a row to a linking module, unless it is there."""
    if relation.linking and relation.far and not _hangs(org, relation, parent, child):
        row = {relation.near.api_name: parent, relation.far.api_name: child}
        org.store.insert(relation.linking.api_name, [row], user=user)


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
        f"{V8}/settings/related_lists",
        get_related_lists,
        "related lists of a module",
        ("ZohoCRM.settings.related_lists.READ",),
        honours=("module", "layout_id", "status"),
    ),
    Route(
        "POST",
        f"{V8}/{{module}}/{{record_id}}/actions/get_related_records_count",
        count_related,
        "how many records up to 20 related lists hold",
        READ,
    ),
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
