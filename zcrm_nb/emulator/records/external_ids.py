"""External ids: the header X-EXTERNAL lets another system's ids stand where Zoho's would.

Where the header names a field, values of that field are replaced by ids before the handler sees the
request: in the address, in ``ids``, in the items of a body and in the lookups within them. So every
address understands them, and none knows of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.records.related_lists import lists_of
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

HEADER = "X-EXTERNAL"
NO_RECORD = "0"

Item = dict[str, Any]


def translated(
    org: Org,
    request: Request,
    names: dict[str, str],
    handler: Callable[..., Answer],
) -> Answer:
    """Run a handler on a request whose external ids were replaced by Zoho's."""
    module = org.schema.modules.get(names.get("module", ""))
    if HEADER not in request.headers or module is None:
        return handler(org, request, **names)
    paths = [each.strip().split(".") for each in request.headers[HEADER].split(",")]
    own = _own_field(org, module, paths)
    names = {**names, **_in_address(org, names, module, paths)}
    if own and "ids" in request.params:
        ids = ",".join(_id_of(org, own, each) for each in parameters.names(request, "ids"))
        request = replace(request, params={**request.params, "ids": ids})
    external_ids: list[tuple[Field, str] | None] = []
    if request.body:
        body, external_ids = _in_body(org, request, paths, own)
        request = replace(request, body=orjson.dumps(body))
    answer = handler(org, request, **names)
    return _with_externals(answer, external_ids) if any(external_ids) else answer


def _own_field(org: Org, module: Module, paths: list[list[str]]) -> tuple[Module, Field] | None:
    """Find the external field of the module itself; every path is checked."""
    fields = [_end_of(org, path) for path in paths]
    own = [field for path, field in zip(paths, fields, strict=True) if len(path) == 2]
    return next((each for each in own if each[0] is module), None)


def _end_of(org: Org, path: list[str]) -> tuple[Module, Field]:
    """Walk a path to its external field, or refuse one that leads nowhere."""
    module, field = org.schema.modules.get(path[0]), None
    for name in path[1:]:
        field = module.by_name.get(name) if module else None
        if field is None:
            raise _unknown()
        owner, module = module, org.schema.modules.get(field.target or "")
    if field is None or not field.external or owner is None:
        raise _unknown()
    return owner, field


def _unknown() -> Refusal:
    """Refuse a header that names no external field; no page shows how Zoho does."""
    return Refusal(400, "INVALID_DATA", "invalid data", {"header_name": HEADER})


def _id_of(org: Org, own: tuple[Module, Field], value: object) -> str:
    """Find the id of the record with an external id; none has the id that no record has."""
    module, field = own
    sql = f'SELECT id FROM "{module.api_name}" WHERE "{field.api_name}" = ?'
    rows = org.store.read(sql, (value,))
    return str(rows[0][0]) if rows else NO_RECORD


def _in_address(
    org: Org, names: dict[str, str], module: Module, paths: list[list[str]]
) -> dict[str, str]:
    """Replace the external ids in an address: of the record, and of the one related to it."""
    ids = {}
    ends = {
        each[0].api_name: each for each in (_end_of(org, path) for path in paths if len(path) == 2)
    }
    if "record_id" in names and module.api_name in ends:
        ids["record_id"] = _id_of(org, ends[module.api_name], names["record_id"])
    lists = {each.api_name: each.module.api_name for each in lists_of(org.schema, module)}
    related = lists.get(names.get("related", ""), "")
    if "related_id" in names and related in ends:
        ids["related_id"] = _id_of(org, ends[related], names["related_id"])
    return ids


def _in_body(
    org: Org, request: Request, paths: list[list[str]], own: tuple[Module, Field] | None
) -> tuple[Item, list[tuple[Field, str] | None]]:
    """Replace the external ids in the items of a body; give those of each item."""
    body, upserts = request.json(), request.path.endswith("/upsert")
    if request.method == "POST" and not upserts:
        own = None  # a new record brings its external id along
    items, external_ids = [], []
    for item in body.get("data") or []:
        for path in paths:
            if len(path) > 2:
                _in_lookup(org, item, path[1:], _end_of(org, path))
        value = item.get(own[1].api_name) if own and "id" not in item else None
        record_id = _id_of(org, own, value) if own and value else None
        adds = record_id == NO_RECORD and upserts
        items.append({**item, "id": record_id} if record_id and not adds else item)
        external_ids.append(
            (own[1], str(value)) if own and record_id and record_id != NO_RECORD else None
        )
    return {**body, "data": items}, external_ids


def _in_lookup(org: Org, item: Any, path: list[str], end: tuple[Module, Field]) -> None:
    """Replace an external id within a lookup, perhaps within rows of a subform."""
    first, *rest = path
    inside = item.get(first) if isinstance(item, dict) else None
    if len(rest) == 1 and isinstance(inside, dict) and rest[0] in inside:
        item[first] = {"id": _id_of(org, end, inside[rest[0]])}
        return
    for each in inside if isinstance(inside, list) else [inside]:
        if len(rest) > 1:
            _in_lookup(org, each, rest, end)


def _with_externals(answer: Answer, external_ids: list[tuple[Field, str] | None]) -> Answer:
    """Give the external id beside Zoho's in the result of each item."""
    body = orjson.loads(answer.body)
    results = body.get("data") if isinstance(body, dict) else None
    if not isinstance(results, list) or len(results) != len(external_ids):
        return answer
    for result, own in zip(results, external_ids, strict=True):
        if own and result["code"] == "SUCCESS":
            result["details"][own[0].api_name] = own[1]
    return json_answer(body, answer.status)
