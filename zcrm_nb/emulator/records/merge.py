"""Merging: up to two records into a master, with everything that hangs on them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.records.table import module_named
from zcrm_nb.emulator.records.writes import refuse_locked
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import READ, UPDATE, V8, Route
from zcrm_nb.emulator.storage import documents, recycle_bin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.emulator.deferred_jobs import DeferredJob, DeferringOrg, Work
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

Item = dict[str, Any]

MERGE = "merge"
STANDARD = ("Leads", "Contacts", "Accounts", "Deals", "Vendors")
CHILDREN = 2
PATH = "$.merge[0]"
FILES = ("fileupload", "imageupload")
#: Fields of a deal that Zoho fills itself, and what it says about them.
AUTOMATIC = {
    "Closing_Date": "Closing date will be automatically populated based on master record",
    "Probability": "Probability and Expected Revenue fields will be automatically populated"
    " based on chosen Stage",
    "Expected_Revenue": "Probability and Expected Revenue fields will be automatically populated"
    " based on chosen Stage",
}


class Choice(NamedTuple):
    """A field that takes the value of one record; of a field of files, which of its files."""

    record: int
    field: Field
    files: list[str] | None


def post_merge(org: DeferringOrg, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/merge``: merge records into this one."""
    module_info = _module(org, module)
    master = _master(org, module_info, record_id)
    item = _item(request.json())
    try:
        children = _children(org, module_info, master, item)
        choices = list(_choices(module_info, master, children, item))
        _check(org, module_info, master, choices)
    except Refusal as refusal:
        return json_answer({"merge": [refusal.body]}, refusal.status)
    facts = {
        "master": master,
        "children": children,
        "choices": [[each.record, each.field.api_name, each.files] for each in choices],
    }
    if org.settings.actions.merge_schedules:
        total = len(children)
        job = org.deferred_jobs.defer(MERGE, module_info.api_name, request.user, total, facts)
        message = "The records have been scheduled in a scheduler"
        return _success("SCHEDULED", message, {"job_id": str(job)})
    merge(org, module_info, request.user, facts)
    message = "The records has been merged successfully"
    return _success("SUCCESS", message, {"id": str(master)})


def get_merge(org: DeferringOrg, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/actions/merge``: how far a scheduled merge is."""
    module_info = _module(org, module)
    master = parameters.record_id(record_id)
    text = request.params.get("job_id", "")
    if text and not parameters.is_id(text):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "job_id"})
    job = _job(org, module_info, master, text)
    if job is None:
        return NOTHING
    status = "FAILURE" if job.failed else job.status(org)
    return json_answer({"merge": [{"job_id": str(job.id), "status": status}]})


# -- the work itself -----------------------------------------------------------------------------


def merge(org: Org, module: Module, user: int, facts: Item) -> None:
    """Move what hangs on the children to the master, take their values, and drop them."""
    master, children = facts["master"], facts["children"]
    with org.store.transaction():
        values = _values(org, module, facts)
        for child in children:
            _move_pointers(org, module, user, child, master)
            _move_files(org, module, child, master)
        recycle_bin.move_to_bin(org.store, module.api_name, children, user=user)
        if org.settings.actions.merge_deletes_for_good:
            recycle_bin.erase(org.store, children)
        org.store.update(module.api_name, [{"id": master, **values}], user=user)


def _merge_later(org: Org, job: DeferredJob) -> tuple[int, int]:
    """Merge records that are all still there."""
    module, ids = org.schema.modules[job.module], [job.facts["master"], *job.facts["children"]]
    if len(_rows(org, module, ids)) < len(ids):
        return 0, job.total
    merge(org, module, job.user, job.facts)
    return job.total, 0


WORKS: dict[str, Work] = {MERGE: _merge_later}


def _values(org: Org, module: Module, facts: Item) -> Item:
    """Choose the master's new values, and unite the tags."""
    rows = {row["id"]: row for row in _rows(org, module, [facts["master"], *facts["children"]])}
    values: Item = {}
    for record, name, files in facts["choices"]:
        value = rows[record][name]
        if files is not None:
            listed = orjson.loads(value or "[]")
            value = orjson.dumps([each for each in listed if each["id"] in files]).decode()
        if record != facts["master"] or files is not None:
            values[name] = value
    if "Tag" in module.by_name and org.settings.actions.merge_unites_tags:
        tags = {
            tag["name"]: tag
            for record in (facts["master"], *facts["children"])
            for tag in orjson.loads(rows[record]["Tag"] or "[]")
        }
        values["Tag"] = orjson.dumps(list(tags.values())).decode()
    return values


def _move_pointers(org: Org, module: Module, user: int, child: int, master: int) -> None:
    """Let lookups to a child point to the master; links that the master has already are dropped."""
    for other, field in recycle_bin.pointers(org.store, module):
        if other.tracker:  # one history each; whether Zoho adds a child's is unknown
            continue
        rows = org.store.rows(other.api_name, f'"{field.api_name}" = ?', (child,))
        moved = [{"id": row["id"], field.api_name: master} for row in rows if row["id"] != master]
        own = [{"id": master, field.api_name: None} for row in rows if row["id"] == master]
        org.store.update(other.api_name, moved + own, user=user)
    for part, column in recycle_bin.parts(org.store, module):
        if part.generated_type == "subform":
            continue
        taken = {_partner(part, column, row) for row in _parts(org, part, column, master)}
        for row in _parts(org, part, column, child):
            if part.generated_type != "linking" or _partner(part, column, row) not in taken:
                org.store.update(part.api_name, [{"id": row["id"], column: master}], user=user)


def _parts(org: Org, part: Module, column: str, record: int) -> list[Item]:
    """Read the notes or links of a record."""
    return org.store.rows(part.api_name, f'"{column}" = ?', (record,))


def _partner(part: Module, column: str, row: Item) -> tuple[Any, ...]:
    """Tell what a link leads to: the values of its other lookups."""
    return tuple(
        row[each.api_name]
        for each in part.fields
        if each.data_type == "lookup" and each.target and each.api_name != column
    )


def _move_files(org: Org, module: Module, child: int, master: int) -> None:
    """Give a child's attachments and e-mails to the master."""
    sql = "UPDATE documents SET kind = ? WHERE kind = ?"
    org.store.execute(sql, (documents.email_kind(master), documents.email_kind(child)))
    org.store.execute(
        "UPDATE attachments SET parent = ? WHERE module = ? AND parent = ?",
        (master, module.api_name, child),
    )


# -- the address ---------------------------------------------------------------------------------


def _module(org: Org, name: str) -> Module:
    """Find a module whose records can be merged."""
    module = module_named(org, name)
    if module.api_name not in STANDARD and module.generated_type != "custom":
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"resource_path_index": 0})
    return module


def _master(org: DeferringOrg, module: Module, text: str) -> int:
    """Find the master, which is neither locked nor a closed deal."""
    rows = _rows(org, module, [int(text)]) if parameters.is_id(text) else []
    if not rows or _is_converted(rows[0]):
        message = "Master record id is not available"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 1})
    refuse_locked(org.store, module, rows[0]["id"])
    if _is_closed(org, module, rows[0]):
        raise _closed_deal()
    return int(text)


def _job(org: DeferringOrg, module: Module, master: int, text: str) -> DeferredJob | None:
    """Find the job of this id, or the newest of a master."""
    sql = "SELECT id FROM chores WHERE kind = ? AND module = ? ORDER BY id DESC"
    ids = [int(text)] if text else [i for (i,) in org.store.read(sql, (MERGE, module.api_name))]
    jobs = (org.deferred_jobs.find(MERGE, module.api_name, each) for each in ids)
    return next((job for job in jobs if job and job.facts["master"] == master), None)


# -- the body ------------------------------------------------------------------------------------


def _item(body: Item) -> Item:
    """Read the one merge of a body."""
    items = body.get("merge")
    if items is None:
        details = {"api_name": "merge", "json_path": "$.merge"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    if not isinstance(items, list) or len(items) != 1 or not isinstance(items[0], dict):
        raise Refusal(400, "INVALID_DATA", "invalid data", {})
    return items[0]


def _children(org: DeferringOrg, module: Module, master: int, item: Item) -> list[int]:
    """Read which records are merged, and see that they can be."""
    details: Item = {"api_name": "data", "json_path": f"{PATH}.data"}
    data = item.get("data")
    if not isinstance(data, list) or not data:
        message = " Atleast one child record id is required to be merged."
        raise Refusal(400, "INVALID_DATA", message, details | {"minimum_length": 1})
    if len(data) > CHILDREN:
        message = " More than 2 child record ids cannot be merged."
        raise Refusal(400, "INVALID_DATA", message, details | {"maximum_length": CHILDREN})
    children: list[int] = []
    for index, named in enumerate(data):
        path = f"{PATH}.data[{index}]"
        child = _child(org, module, named, path)
        if child == master or child in children:
            message = "Valid record ids need to be given for merging"
            raise Refusal(400, "DUPLICATE_DATA", message, _place("id", f"{path}.id"))
        children.append(child)
    return children


def _child(org: DeferringOrg, module: Module, named: object, path: str) -> int:
    """Read one record to merge: there, not locked, converted, closed, or in another merge."""
    place = _place("id", f"{path}.id")
    text = str(named.get("id") or "") if isinstance(named, dict) else ""
    if not text:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required id not found", place)
    rows = _rows(org, module, [int(text)]) if parameters.is_id(text) else []
    if not rows:
        raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", place)
    refuse_locked(org.store, module, rows[0]["id"], place)
    if _is_closed(org, module, rows[0]):
        raise _closed_deal()
    if _is_converted(rows[0]) or _is_being_merged(org, module, rows[0]["id"]):
        message = "This record id is not allowed to be merged"
        raise Refusal(400, "NOT_ALLOWED", message, place)
    return int(text)


def _choices(module: Module, master: int, children: list[int], item: Item) -> Iterator[Choice]:
    """Read which record gives the value of which field."""
    sources = [(master, f"{PATH}.master_record_fields", item.get("master_record_fields"))]
    if sources[0][2] is None:
        place = _place("master_record_fields", f"{PATH}.master_record_fields")
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", place)
    for index, child in enumerate(children):
        sources.append((child, f"{PATH}.data[{index}]._fields", item["data"][index].get("_fields")))
    seen: set[str] = set()
    for record, path, fields in sources:
        for index, named in enumerate(fields if isinstance(fields, list) else []):
            choice = _choice(module, record, named, f"{path}[{index}]", of_master=record == master)
            if choice.field.api_name in seen:
                message = "When one field is mentioned more than once"
                place = _place("api_name", f"{path}[{index}].api_name")
                raise Refusal(400, "DUPLICATE_DATA", message, place)
            seen |= set() if choice.files is not None else {choice.field.api_name}
            yield choice


def _choice(module: Module, record: int, named: object, path: str, *, of_master: bool) -> Choice:
    """Read one field of a record."""
    place = _place("api_name", f"{path}.api_name")
    name = named.get("api_name") if isinstance(named, dict) else None
    if not name:
        message = "API name not mentioned for the master record" if of_master else (
            "API name of the field is not mentioned"
        )  # fmt: skip
        raise Refusal(400, "MANDATORY_NOT_FOUND", message, place)
    field = module.by_name.get(name) if isinstance(name, str) else None
    if field is None or field.read_only or not field.written or name == "id":
        raise Refusal(400, "INVALID_DATA", "invalid data", place)
    if module.api_name == "Deals" and name in AUTOMATIC:
        raise Refusal(400, "NOT_ALLOWED", AUTOMATIC[name], place)
    files = _files(field, named, path, of_master=of_master)  # type: ignore[arg-type]
    return Choice(record, field, files)


def _files(field: Field, named: Item, path: str, *, of_master: bool) -> list[str] | None:
    """Read which files of a field are kept; ``None`` for a field of values."""
    if field.data_type not in FILES:
        return None
    data = named.get("_data", ())
    if data is None:
        return []
    if not isinstance(data, list):
        kind = "master" if of_master else "child"
        details = _place("id", f"{path}._data") | {
            "dependee": _place("api_name", f"{path}.api_name")
        }
        message = f"_data array is not mentioned for the {kind} record"
        raise Refusal(400, "DEPENDENT_FIELD_MISSING", message, details)
    return [str(each.get("id")) for each in data if isinstance(each, dict)]


def _check(org: Org, module: Module, master: int, choices: list[Choice]) -> None:
    """See that fields which belong together come from one record."""
    by_name = {each.field.api_name: each.record for each in choices}
    account, reports_to = by_name.get("Account_Name", master), by_name.get("Reporting_To", master)
    if module.api_name == "Contacts" and reports_to not in (account, master):
        raise _refused_choice(
            choices, "Reporting_To", master, "INVALID_DATA",
            "Reporting to and account should belong to the same record",
        )  # fmt: skip
    if module.api_name == "Deals" and by_name.get("Stage", master) != master:
        child = by_name["Stage"]
        pipelines = {row["id"]: row.get("Pipeline") for row in _rows(org, module, [master, child])}
        if pipelines[by_name.get("Pipeline", master)] != pipelines[child]:
            raise _refused_choice(
                choices, "Stage", master, "NOT_ALLOWED",
                "Stage field will be automatically populated based on chosen Pipeline",
            )  # fmt: skip


def _refused_choice(
    choices: list[Choice], name: str, master: int, code: str, message: str
) -> Refusal:
    """Refuse one field of a child, where it stands in the body."""
    positions: Counter[int] = Counter()
    children = list(dict.fromkeys(each.record for each in choices if each.record != master))
    for choice in choices:
        if choice.field.api_name == name:
            index = positions[choice.record]
            path = f"{PATH}.data[{children.index(choice.record)}]._fields[{index}].api_name"
            return Refusal(400, code, message, _place("api_name", path))
        positions[choice.record] += 1
    raise AssertionError(name)


# -- small things --------------------------------------------------------------------------------


def _rows(org: Org, module: Module, ids: list[int]) -> list[Item]:
    """Read records by their ids."""
    marks = ", ".join("?" * len(ids))
    return org.store.rows(module.api_name, f"id IN ({marks})", ids)


def _is_converted(row: Item) -> bool:
    """Whether a lead has become a contact."""
    return bool(row.get("Converted__s"))


def _is_closed(org: Org, module: Module, row: Item) -> bool:
    """Whether a deal is won or lost."""
    if module.api_name != "Deals":
        return False
    closed = {
        each.value for each in module.by_name["Stage"].choices if each.probability in (0, 100)
    }
    return row["Stage"] in closed


def _is_being_merged(org: DeferringOrg, module: Module, record: int) -> bool:
    """Whether a scheduled merge will take a record."""
    sql = "SELECT facts FROM chores WHERE kind = ? AND module = ? AND NOT finished"
    waiting = (orjson.loads(text) for (text,) in org.store.read(sql, (MERGE, module.api_name)))
    return any(record in (facts["master"], *facts["children"]) for facts in waiting)


def _closed_deal() -> Refusal:
    """Refuse a deal that is won or lost."""
    details = {"api_name": "record", "resource_path_index": 1}
    return Refusal(400, "NOT_ALLOWED", "Only Open Deals can be merged", details)


def _place(api_name: str, path: str) -> Item:
    """Where in the body something is wrong."""
    return {"api_name": api_name, "json_path": path}


def _success(code: str, message: str, details: Item) -> Answer:
    """Say that the records are merged, or will be."""
    result = {"code": code, "details": details, "message": message, "status": "success"}
    return json_answer({"merge": [result]}, 201)


ROUTES = (
    Route(
        "POST",
        f"{V8}/{{module}}/{{record_id}}/actions/merge",
        post_merge,
        "merge up to two records into this one, at once or by a job",
        UPDATE,
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}/actions/merge",
        get_merge,
        "status of a scheduled merge",
        READ,
        honours=("job_id",),
    ),
)
