"""The related lists of a module: which there are, how they are described and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.links import LIST_NAMES, ONE_SIDED
from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import attempted, overall
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import READ, V8, Route
from zcrm_nb.emulator.storage.ddl import STAMPED

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module, Schema

LISTS_COUNTED = 20
ATTACHMENTS = "Attachments"


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

    @property
    def link_fields(self) -> tuple[Field, ...]:
        """The fields of each link besides its two ends, such as the role of a contact."""
        if self.linking is None or self.linking.api_supported:
            return ()
        ends = {self.near.api_name, self.far and self.far.api_name, *STAMPED}
        return tuple(each for each in self.linking.fields if each.api_name not in ends)

    def link_of(self, record_id: int, child: str = "r.id") -> str:
        """Write the SQL that finds the link between a record and one on its list."""
        assert self.linking
        assert self.far
        return (
            f'"{self.linking.api_name}" AS l WHERE l."{self.near.api_name}" = {record_id}'
            f' AND l."{self.far.api_name}" = {child}'
        )

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
    ['Notes', 'Cases', 'Solutions', 'Site_Visits', 'Leads', 'Accounts', 'Contacts', 'Deals']
    """
    lists: dict[str, RelatedList] = {}
    for module, near in _pointers(schema, parent):
        name = module.list_name(near, parent.api_name)
        plain = name == module.api_name or module.tracker
        label = module.plural if plain else f"{module.plural} ({near.label})"
        lists[name] = RelatedList(name, label, parent, module, near)
    for each in (*_links(schema, parent), *_standard_links(schema, parent)):
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


def _standard_links(schema: Schema, parent: Module) -> Iterator[RelatedList]:
    """Find the standard many-to-many lists of a module."""
    for linking in schema.links.values():
        ends = [each for each in linking.fields if each.data_type == "lookup"][:2]
        sides = (ends,) if linking.api_name in ONE_SIDED else (ends, ends[::-1])
        for near, far in sides:
            if near.target == parent.api_name:
                module = schema.modules[far.target or ""]
                name = LIST_NAMES.get(linking.api_name, module.api_name)
                yield RelatedList(name, name.replace("_", " "), parent, module, near, linking, far)


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
    linking = relation.linking if relation.linking and relation.linking.api_supported else None
    lookup = None if relation.linking and not linking else (relation.far or relation.near).api_name
    return {
        "id": str(relation.id),
        "api_name": relation.api_name,
        "name": relation.api_name,
        "display_label": relation.label,
        "module": {"api_name": shown.api_name, "id": str(shown.id), "plural_label": shown.plural},
        "href": f"{relation.parent.api_name}/{{ENTITYID}}/{relation.api_name}",
        "type": "multiselectlookup" if linking else "default",
        "action": None,
        **({"connectedlookupApiName": lookup} if lookup else {}),
        **(
            {"connectedmodule": shown.api_name, "linkingmodule": linking.api_name}
            if linking
            else {}
        ),
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
)
