"""The recycle bin's own API: look, restore, delete for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition, both, compared
from zcrm_nb.emulator.records.table import ORDERS, iso, plain_info
from zcrm_nb.emulator.records.writes import overall
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, SORTED, V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.validation import RecordChecker

if TYPE_CHECKING:
    from zcrm_nb.emulator.deferred_jobs import DeferredJob, DeferringOrg, Work
    from zcrm_nb.emulator.org import Org

Item = dict[str, Any]

IDS = 200
AT_ONCE = 1_000
DAY_S = 24 * 3600
IN_BIN = Condition("d.type = 'recycle'")
FROM = (
    "FROM deleted AS d LEFT JOIN Users AS o ON o.id = d.owner"
    " LEFT JOIN Users AS u ON u.id = d.deleted_by"
)
COLUMNS = {
    "display_name": "d.display_name",
    "module": "d.module",
    "deleted_by": "u.full_name",
    "deleted_time": "d.deleted_time",
}
_EITHER = ("equal", "not_equal")
_TEXT = (*_EITHER, "contains", "not_contains", "starts_with", "ends_with")
COMPARATORS = {
    "display_name": _TEXT,
    "deleted_by": _TEXT,
    "module": _EITHER,
    "deleted_time": (*_EITHER, "greater_than", "less_than"),
}


def get_bin(org: Org, request: Request) -> Answer:
    """``GET /settings/recycle_bin``: what is in the bin, the last deleted first."""
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    by = parameters.one_of(
        request, "sort_by", ("display_name", "deleted_time", "deleted_by"), "deleted_time"
    )
    order = parameters.one_of(request, "sort_order", ORDERS, "desc")
    where = _filter(org, request)
    ids = parameters.ids(request)
    if ids:
        where = both(where, _among(ids))
    rows = _rows(
        org, where, f"{COLUMNS[by]} {order}, d.id {order}", per_page + 1, (page - 1) * per_page
    )
    if not rows:
        return NOTHING
    info = plain_info(page, per_page, len(rows))
    return json_answer({"recycle_bin": rows[:per_page], "info": info})


def get_bin_record(org: Org, request: Request, record_id: str) -> Answer:
    """``GET /settings/recycle_bin/{id}``: one record in the bin."""
    _expire(org)
    rows = _rows(org, both(IN_BIN, _among([_path_id(record_id)])), "d.id", 1)
    return json_answer({"recycle_bin": rows}) if rows else NOTHING


def count_bin(org: Org, request: Request) -> Answer:
    """``GET /settings/recycle_bin/actions/count``: how many records are in the bin."""
    where = _filter(org, request)
    sql = f"SELECT count(*) {FROM} WHERE {where.sql}"
    return json_answer({"count": org.store.read(sql, where.values)[0][0]})


def post_restore(org: DeferringOrg, request: Request) -> Answer:
    """``POST /settings/recycle_bin/actions/restore``: by ids, by filters, or everything."""
    _expire(org)
    body = request.json()
    selections = [name for name in ("ids", "filters", "restore_all_records") if body.get(name)]
    if not selections:
        fields = [_details(name) for name in ("ids", "filters", "restore_all_records")]
        message = "one of the expected fields is missing"
        raise Refusal(400, "EXPECTED_FIELD_MISSING", message, {"expected_fields": fields})
    if len(selections) > 1:
        message = "Please use only one of ids, filters and restore_all_records"
        due = [_details(name) for name in selections]
        raise Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})
    if selections == ["ids"]:
        return _each(org, request, _listed(body["ids"]), "restore")
    where = IN_BIN
    if selections == ["filters"]:
        where = both(where, _filtered(body["filters"]))
    _defer(org, request, "restore", _ids(org, where))
    message = "Bulk restoration of records based on filters has been scheduled"
    return json_answer({"recycle_bin": [_scheduled(message, {})]}, 202)


def post_restore_one(org: DeferringOrg, request: Request, record_id: str) -> Answer:
    """``POST /settings/recycle_bin/{id}/actions/restore``: restore one record."""
    _expire(org)
    return _each(org, request, [_path_id(record_id)], "restore")


def delete_bin(org: DeferringOrg, request: Request) -> Answer:
    """``DELETE /settings/recycle_bin?ids=``: delete records in the bin for good."""
    _expire(org)
    id_list = parameters.ids(request)
    filtered = "filters" in request.params
    if id_list and filtered:
        raise parameters.ambiguous("ids", "filters")
    if not id_list and not filtered:
        message = "one of the expected parameter is missing"
        details = {"param_names": ["filters", "ids"]}
        raise Refusal(400, "EXPECTED_PARAM_MISSING", message, details)
    if not filtered:
        return _each(org, request, id_list, "erase")
    ids = _ids(org, _filter(org, request))
    _defer(org, request, "erase", ids)
    results = [_scheduled("record has been scheduled for deletion", {"id": str(i)}) for i in ids]
    return json_answer({"recycle_bin": results}, 202) if results else NOTHING


def delete_bin_record(org: DeferringOrg, request: Request, record_id: str) -> Answer:
    """``DELETE /settings/recycle_bin/{id}``: delete one record in the bin for good."""
    _expire(org)
    return _each(org, request, [_path_id(record_id)], "erase")


def post_empty(org: DeferringOrg, request: Request) -> Answer:
    """``POST /settings/recycle_bin/actions/empty``: delete everything in the bin for good."""
    _expire(org)
    ids = _ids(org, IN_BIN)
    if _weight(org, ids) > AT_ONCE:
        _defer(org, request, "erase", ids)
        return json_answer(_scheduled("Empty bin action has been scheduled", {}), 202)
    recycle_bin.erase(org.store, ids)
    result = {"code": "SUCCESS", "details": {}, "message": "recyclebin is cleared"}
    return json_answer(result | {"status": "success"})


# -- doing it ------------------------------------------------------------------------------------


def _each(org: DeferringOrg, request: Request, ids: list[int], kind: str) -> Answer:
    """Restore or delete records one by one, or later if they are too many for at once."""
    if len(ids) > IDS:
        raise _invalid("ids", maximum_length=IDS)
    if _weight(org, ids) > AT_ONCE:
        _defer(org, request, kind, ids)
        message = (
            f"record has been scheduled for {'restoration' if kind == 'restore' else 'deletion'}"
        )
        results = [_scheduled(message, {"id": str(each)}) for each in ids]
        return json_answer({"recycle_bin": results}, 202)
    with org.store.transaction():
        results = [_tried(org, kind, each, request.user) for each in ids]
    statuses = [200 if each["status"] == "success" else 400 for each in results]
    return json_answer({"recycle_bin": results}, overall(statuses, 200))


def _tried(org: Org, kind: str, record_id: int, user: int) -> Item:
    """Restore or delete one record, or say why not."""
    details = {"id": str(record_id)}
    try:
        with org.store.attempt():
            DOES[kind](org, record_id, user)
    except KeyError:
        message = "the id given seems to be invalid"
        return Refusal(400, "INVALID_DATA", message, details).body
    except recycle_bin.OrphanError:
        message = "the record cannot be restored without its parent"
        return Refusal(400, "CANNOT_RESTORE_WITHOUT_PARENT", message, details).body
    except Refusal as refusal:
        return refusal.body
    message = "record restored" if kind == "restore" else "record deleted"
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def _restore(org: Org, record_id: int, user: int) -> None:
    """Bring one record back."""
    settings = org.settings.actions
    module, snapshot = recycle_bin.kept_of(org.store, record_id)
    if settings.restore_checks_unique:
        checker = RecordChecker(org.store, module, org.settings)
        for each in module.fields:
            if each.unique and snapshot.row.get(each.api_name) is not None:
                checker.check_unique(each, snapshot.row[each.api_name], f"$.{each.api_name}")
    recycle_bin.restore(org.store, record_id)
    if settings.restore_touches:
        org.store.update(module.api_name, [{"id": record_id}], user=user)


def _erase(org: Org, record_id: int, user: int) -> None:
    """Delete one record in the bin for good."""
    recycle_bin.kept_of(org.store, record_id)
    recycle_bin.erase(org.store, [record_id])


DOES: dict[str, Callable[[Org, int, int], None]] = {"restore": _restore, "erase": _erase}


def _work(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Do what was put off."""
    kind = job.kind.removeprefix("bin ")
    results = [_tried(org, kind, each, job.user) for each in job.facts["ids"]]
    done = sum(each["status"] == "success" for each in results)
    return done, len(results) - done


WORKS: dict[str, Work] = {"bin restore": _work, "bin erase": _work}


def _defer(org: DeferringOrg, request: Request, kind: str, ids: list[int]) -> None:
    """Do it later."""
    org.deferred_jobs.defer(f"bin {kind}", "", request.user, len(ids), {"ids": ids})


def _expire(org: Org) -> None:
    """Drop what has been in the bin too long."""
    days = org.settings.actions.bin_days
    recycle_bin.expire(org.store, org.clock.now() - days * DAY_S)


# -- looking -------------------------------------------------------------------------------------


def _rows(org: Org, where: Condition, order: str, limit: int, offset: int = 0) -> list[Item]:
    """Read records in the bin as they are shown."""
    sql = (
        "SELECT d.id, d.display_name, d.deleted_time, d.module, o.full_name, o.id, u.full_name,"
        f" u.id {FROM} WHERE {where.sql} ORDER BY {order} LIMIT ? OFFSET ?"
    )
    return [_shown(org, row) for row in org.store.read(sql, (*where.values, limit, offset))]


def _shown(org: Org, row: Sequence[Any]) -> Item:
    """Show one record in the bin."""
    record_id, name, at, module, owner, owner_id, user, user_id = row
    return {
        "id": str(record_id),
        "display_name": name,
        "deleted_time": iso(org, at),
        "module": {"api_name": module, "id": str(org.schema.modules[module].id)},
        "owner": owner_id and {"name": owner, "id": str(owner_id)},
        "deleted_by": user_id and {"name": user, "id": str(user_id)},
    }


def _filter(org: Org, request: Request) -> Condition:
    """Find the records in the bin that the parameter ``filters`` asks for."""
    _expire(org)
    text = request.params.get("filters")
    if text is None:
        return IN_BIN
    name, colon, value = text.partition(":")
    if colon and name in COLUMNS:  # the short form of Zoho's sample, "module:Leads"
        leaf = {"field": {"api_name": name}, "comparator": "equal", "value": value}
        return both(IN_BIN, _filtered(leaf))
    try:
        return both(IN_BIN, _filtered(orjson.loads(text)))
    except orjson.JSONDecodeError:
        raise _invalid("filters", expected_data_type="jsonobject") from None


def _filtered(filters: object) -> Condition:
    """Turn filters into SQL: one criterion, or a group of them joined by AND."""
    if not isinstance(filters, dict):
        raise _invalid("filters", expected_data_type="jsonobject")
    where = EVERYTHING
    for leaf in filters.get("group", [filters]):
        where = both(where, _leaf(leaf))
    return where


def _leaf(leaf: Any) -> Condition:
    """Turn one criterion into SQL."""
    name = (leaf.get("field") or {}).get("api_name") if isinstance(leaf, dict) else None
    if name not in COLUMNS:
        raise _wrong("field", "Please provide a valid field")
    comparator, value = leaf.get("comparator"), leaf.get("value")
    if comparator not in COMPARATORS[name]:
        raise _wrong("comparator", "Please provide a valid comparator")
    if not isinstance(value, str):
        raise _wrong("value", "Please provide a valid value")
    bound = _epoch(value) if name == "deleted_time" else value
    return compared(f"{COLUMNS[name]} COLLATE NOCASE", comparator, [bound])


def _epoch(value: str) -> int:
    """Read a moment."""
    moment = parameters.read_moment(value)
    if moment is None:
        raise _wrong("value", "Please provide a valid value")
    return moment


def _ids(org: Org, where: Condition) -> list[int]:
    """List the ids of records in the bin."""
    sql = f"SELECT d.id {FROM} WHERE {where.sql} ORDER BY d.deleted_time DESC, d.id"
    return [record_id for (record_id,) in org.store.read(sql, where.values)]


def _weight(org: Org, ids: list[int]) -> int:
    """Count records in the bin with all that went with them, as far as it matters."""
    weight = len(ids)
    for record_id in ids if weight <= AT_ONCE else ():
        try:
            weight += recycle_bin.kept_of(org.store, record_id)[1].size - 1
        except KeyError:
            continue
    return weight


def _among(ids: Sequence[int]) -> Condition:
    """Look for some ids."""
    return Condition(f"d.id IN ({', '.join('?' * len(ids))})", tuple(ids))


def _listed(value: object) -> list[int]:
    """Read the ids in a body."""
    if not isinstance(value, list):
        raise _invalid("ids", expected_data_type="jsonarray")
    if not all(parameters.is_id(str(each)) for each in value):
        raise _invalid("ids")
    return [int(each) for each in value]


def _path_id(text: str) -> int:
    """Read the id in an address."""
    if not parameters.is_id(text):
        message = "the id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 2})
    return int(text)


def _details(name: str) -> Item:
    """Say where a key of the body stands."""
    return {"api_name": name, "json_path": f"$.{name}"}


def _invalid(name: str, **details: object) -> Refusal:
    """Refuse a value of the body or a parameter."""
    return Refusal(400, "INVALID_DATA", "invalid data", details | _details(name))


def _wrong(name: str, message: str) -> Refusal:
    """Refuse a part of a criterion."""
    return Refusal(400, "INVALID_DATA", message, _details(name) | {"param_name": "filters"})


def _scheduled(message: str, details: Item) -> Item:
    """Say that it is done later."""
    return {"code": "SCHEDULED", "details": details, "message": message, "status": "success"}


_BIN = f"{V8}/settings/recycle_bin"
_READ = ("ZohoCRM.settings.recycle_bin.READ",)
_UPDATE = ("ZohoCRM.settings.recycle_bin.UPDATE",)
_DELETE = ("ZohoCRM.settings.recycle_bin.DELETE",)

ROUTES = (
    Route(
        "GET",
        _BIN,
        get_bin,
        "records in the recycle bin, filtered and sorted",
        _READ,
        honours=("ids", "filters", *SORTED, *PAGES),
    ),
    Route(
        "DELETE",
        _BIN,
        delete_bin,
        "delete for good, by ids or filters",
        _DELETE,
        honours=("ids", "filters"),
    ),
    Route(
        "GET",
        f"{_BIN}/actions/count",
        count_bin,
        "how many records are in the bin",
        _READ,
        honours=("filters",),
    ),
    Route(
        "POST",
        f"{_BIN}/actions/restore",
        post_restore,
        "restore by ids, filters, or everything",
        _UPDATE,
    ),
    Route("POST", f"{_BIN}/actions/empty", post_empty, "empty the recycle bin", _UPDATE),
    Route("GET", f"{_BIN}/{{record_id}}", get_bin_record, "one record in the bin", _READ),
    Route("DELETE", f"{_BIN}/{{record_id}}", delete_bin_record, "delete one for good", _DELETE),
    Route(
        "POST",
        f"{_BIN}/{{record_id}}/actions/restore",
        post_restore_one,
        "restore one record",
        _UPDATE,
    ),
)
