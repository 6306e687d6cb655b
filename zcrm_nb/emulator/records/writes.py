"""Writing records: insert, update, upsert and delete, each with a result for every record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.table import Table, module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import CREATE, DELETE, UPDATE, V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.validation import Draft, RecordChecker

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

RECORDS = 100
CHECK_FIELDS = 10
STAMPS = ("Created_Time", "Modified_Time", "Created_By", "Modified_By")

Item = dict[str, Any]


class Writer:
    """Writes the records of one request."""

    def __init__(
        self, org: Org, user: int, module: Module, unmodified_since: int | None = None
    ) -> None:
        self._store, self._module, self.user = org.store, module, user
        self._checker = RecordChecker(org.store, module, org.settings)
        self._unmodified_since = unmodified_since
        self._replace_rows = org.settings.subform_rows_replace

    def insert(self, item: Item, path: str) -> Item:
        """Add one record."""
        draft = self._checker.draft(item, path)
        (record_id,) = self._store.insert(self._module.api_name, [draft.row], user=self.user)
        self._write_children(draft, record_id)
        return success("record added", record_id)

    def update(self, item: Item, path: str) -> Item:
        """Change one record; only what is sent changes."""
        record_id = self.existing(item, path)
        draft = self._checker.draft(self._appended(item, record_id), path, record_id=record_id)
        row = draft.row | {"id": record_id}
        self._store.update(self._module.api_name, [row], user=self.user)
        self._write_children(draft, record_id)
        return success("record updated", record_id)

    def upsert(self, item: Item, path: str, checked: Sequence[Field]) -> Item:
        """Change the record that an id or a duplicate-check field finds, or add a new one."""
        if "id" in item:
            return self.update(item, path) | {"action": "update", "duplicate_field": "id"}
        for field in checked:
            record_id = self._match(field, item)
            if record_id is not None:
                done = self._update_found(item, path, record_id)
                return done | {"action": "update", "duplicate_field": field.api_name}
        return self.insert(item, path) | {"action": "insert", "duplicate_field": None}

    def _update_found(self, item: Item, path: str, record_id: int) -> Item:
        """Change the record that a duplicate-check field found; what it lacks names it."""
        try:
            return self.update(item | {"id": str(record_id)}, path)
        except Refusal as refusal:
            if refusal.code == "MANDATORY_NOT_FOUND":
                refusal.details["id"] = str(record_id)
            raise

    def delete(self, record_id: int) -> Item:
        """Move one record to the recycle bin."""
        self._modified(record_id, {"id": str(record_id)})
        refuse_locked(self._store, self._module, record_id)
        recycle_bin.move_to_bin(self._store, self._module.api_name, [record_id], user=self.user)
        return success("record deleted", record_id)

    def receipts(self, results: Sequence[Item]) -> list[Item]:
        """Fill in what Zoho says of each record that was added or changed."""
        written = [int(each["details"]["id"]) for each in results if each["code"] == "SUCCESS"]
        stamps = [self._module.by_name[name] for name in STAMPS]
        where = Condition(f"r.id IN ({', '.join('?' * len(written))})", tuple(written))
        records, _ = Table(self._store, self._module, stamps).read(where, "r.id", len(written))
        details = {each["id"]: stamped(each) | {"$approval_state": "approved"} for each in records}
        return [
            each | {"details": details[each["details"]["id"]]}
            if each["code"] == "SUCCESS"
            else each
            for each in results
        ]

    def existing(self, item: Item, path: str) -> int:
        """Find the id of the record to change, once it is known to exist and to be unmodified."""
        details = {"api_name": "id", "json_path": f"{path}.id"}
        if "id" not in item:
            raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
        text = str(item["id"])
        if not parameters.is_id(text):
            raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", details)
        modified = self._modified(int(text), details)
        refuse_locked(self._store, self._module, int(text), details)
        if self._unmodified_since is not None and modified > self._unmodified_since:
            raise self._already_modified(int(text))
        return int(text)

    def _modified(self, record_id: int, details: dict[str, str]) -> int:
        """Give the time when a record was modified, or refuse an unknown id."""
        sql = f'SELECT "Modified_Time" FROM "{self._module.api_name}" WHERE id = ?'
        rows = self._store.read(sql, (record_id,))
        if not rows:
            raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", details)
        return int(rows[0][0])

    def _already_modified(self, record_id: int) -> Refusal:
        """Refuse to overwrite a change that the writer has not seen."""
        message = "record updated time has already passed if-unmodified-since time"
        stamps = [self._module.by_name[name] for name in STAMPS]
        table = Table(self._store, self._module, stamps)
        (details,), _ = table.read(Condition("r.id = ?", (record_id,)), "r.id", 1)
        return Refusal(412, "ALREADY_MODIFIED", message, details)

    def _appended(self, item: Item, record_id: int) -> Item:
        """Put old values of multi-select picklists in front, where ``$append_values`` says so."""
        appended = item.get("$append_values")
        names = (
            [name for name, chosen in appended.items() if chosen]
            if isinstance(appended, dict)
            else []
        )
        fields = [self._module.by_name[name] for name in names if name in self._module.by_name]
        if not fields:
            return item
        (old,), _ = Table(self._store, self._module, fields).read(
            Condition("r.id = ?", (record_id,)), "r.id", 1
        )
        grown = {
            each.api_name: list(dict.fromkeys([*old[each.api_name], *item[each.api_name]]))
            for each in fields
            if each.kind == "multiselectpicklist" and isinstance(item.get(each.api_name), list)
        }
        return item | grown

    def _match(self, field: Field, item: Item) -> int | None:
        """Find the record that has the item's value in a duplicate-check field."""
        value = item.get(field.api_name)
        return None if value in (None, "") else self._checker.find(field, value)

    def _write_children(self, draft: Draft, record_id: int) -> None:
        """Write the rows of subforms and the links of multi-select lookups."""
        for name, rows in draft.children.items():
            field = self._module.by_name[name]
            child, parent = self._checker.behind(field)
            present = self._checker.rows_of(field, record_id)
            merges = draft.removed or any("id" in each.row for each in rows)
            gone = present & set(draft.removed) if merges or not self._replace_rows else present
            recycle_bin.move_to_bin(self._store, child.api_name, gone, user=self.user)
            old = [each.row for each in rows if "id" in each.row]
            new = [each.row | {parent.api_name: record_id} for each in rows if "id" not in each.row]
            self._store.update(child.api_name, old, user=self.user)
            self._store.insert(child.api_name, new, user=self.user)


def post_records(org: Org, request: Request, module: str) -> Answer:
    """``POST /{module}``: insert up to 100 records."""
    module_info = module_named(org, module)
    if module_info.generated_type == "subform":
        raise not_emulated("Inserting into the own module of a subform")
    return _write(org, request, module_info, Writer.insert, 201)


def put_records(org: Org, request: Request, module: str) -> Answer:
    """``PUT /{module}``: update up to 100 records by their ids."""
    return _write(org, request, module_named(org, module), Writer.update, 200)


def put_record(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``PUT /{module}/{id}``: update one record."""
    module_info, id_number = module_named(org, module), parameters.record_id(record_id)

    def update(writer: Writer, item: Item, path: str) -> Item:
        return writer.update(item | {"id": str(id_number)}, path)

    return _write(org, request, module_info, update, 200)


def upsert_records(org: Org, request: Request, module: str) -> Answer:
    """``POST /{module}/upsert``: update what duplicate-check fields find, insert the rest."""
    module_info = module_named(org, module)
    checked = _checked(org, request.json(), module_info)

    def upsert(writer: Writer, item: Item, path: str) -> Item:
        done = writer.upsert(item, path, checked)
        if done["action"] == "insert" and org.settings.upsert_names_field_on_insert and checked:
            done["duplicate_field"] = checked[0].api_name
        return done

    return _write(org, request, module_info, upsert, 200)


def delete_records(org: Org, request: Request, module: str) -> Answer:
    """``DELETE /{module}?ids=``: delete up to 100 records."""
    module_info = module_named(org, module)
    ids = parameters.ids(request)
    if not ids:
        raise parameters.missing("ids")
    if len(ids) > RECORDS:
        details = {"limit": RECORDS, "param_name": "ids"}
        raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
    return _delete(org, request, module_info, ids)


def delete_record(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``DELETE /{module}/{id}``: delete one record."""
    return _delete(org, request, module_named(org, module), [parameters.record_id(record_id)])


def _write(
    org: Org,
    request: Request,
    module: Module,
    work: Callable[[Writer, Item, str], Item],
    status: int,
) -> Answer:
    """Write every item of the body, in one transaction that keeps what succeeds."""
    items = items_of(request.json())
    since = parameters.moment(request, "If-Unmodified-Since")
    writer = Writer(org, request.user, module, since)
    with org.store.transaction():
        results, statuses = [], []
        for index, item in enumerate(items):
            result, error_status = attempted(org.store, work, writer, item, f"$.data[{index}]")
            results.append(result)
            statuses.append(error_status or status)
        results = writer.receipts(results)
    if results and all(each.get("action") == "insert" for each in results):
        status = org.settings.upsert_insert_status
    return json_answer({"data": results}, overall(statuses, status))


def _delete(org: Org, request: Request, module: Module, ids: list[int]) -> Answer:
    """Delete records by their ids."""
    writer = Writer(org, request.user, module)
    with org.store.transaction():
        tried = [attempted(org.store, Writer.delete, writer, record_id) for record_id in ids]
    statuses = [error_status or 200 for _, error_status in tried]
    return json_answer({"data": [result for result, _ in tried]}, overall(statuses, 200))


def refuse_locked(
    store: Store, module: Module, record_id: int, location: dict[str, str] | None = None
) -> None:
    """Refuse to change a record that is locked."""
    if "Locked__s" not in module.by_name:
        return
    sql = f'SELECT Locked__s FROM "{module.api_name}" WHERE id = ?'
    if store.read(sql, (record_id,)) == [(1,)]:
        message = "Sorry, you cannot perform this operation as the record is locked."
        details = {"action": "record_locking", **(location or {"id": str(record_id)})}
        raise Refusal(400, "RECORD_LOCKED", message, details)


def attempted(store: Store, work: Callable[..., Item], *arguments: Any) -> tuple[Item, int | None]:
    """Do one piece of work whole or not at all; a refusal becomes its result and status."""
    try:
        with store.attempt():
            return work(*arguments), None
    except Refusal as refusal:
        return refusal.body, refusal.status


def overall(statuses: list[int], good: int) -> int:
    """Choose the HTTP status for many results: all good, all refused, or mixed."""
    refused = [each for each in statuses if each >= 400]
    if not refused:
        return good
    return 207 if len(refused) < len(statuses) else max(refused)


def success(message: str, record_id: int) -> Item:
    """Say what is told of one success."""
    details = {"id": str(record_id)}
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def stamped(details: Item) -> Item:
    """Leave name and id of users: their e-mail addresses are shown where records are read."""
    return {
        name: {key: value[key] for key in ("name", "id")} if isinstance(value, dict) else value
        for name, value in details.items()
    }


def items_of(body: dict[str, Any]) -> list[Item]:
    """Find the records in a body, or refuse a body without them."""
    location = {"api_name": "data", "json_path": "$.data"}
    if "data" not in body:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    items = body["data"]
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        details = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if not items:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"minimum_length": 1, **location})
    if len(items) > RECORDS:
        message = "count of records in your request exceeds the limit"
        raise Refusal(
            400, "LIMIT_EXCEEDED", message, {"maximum_length": RECORDS, "api_name": "data"}
        )
    return items


def _checked(org: Org, body: dict[str, Any], module: Module) -> list[Field]:
    """Find the duplicate-check fields of an upsert: those asked for, or all there are."""
    system = dict(org.settings.duplicate_check_fields).get(module.api_name, ("Name",))
    unique = [each.api_name for each in module.fields if each.unique]
    allowed = [name for name in (*system, *unique) if name in module.by_name]
    fields = body.get("duplicate_check_fields") or allowed
    for index, name in enumerate(fields):
        if name not in allowed or index >= CHECK_FIELDS:
            details = {
                "api_name": "duplicate_check_fields",
                "json_path": f"$.duplicate_check_fields[{index}]",
                "supported_values": allowed,
            }
            raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return [module.by_name[name] for name in fields]


ROUTES = (
    Route(
        "POST",
        f"{V8}/{{module}}/upsert",
        upsert_records,
        "update or insert up to 100 records by id or duplicate-check fields",
        (*CREATE, *UPDATE),
        "write",
    ),
    Route(
        "POST",
        f"{V8}/{{module}}",
        post_records,
        "insert up to 100 records, with subforms, links and tags",
        CREATE,
        "write",
    ),
    Route(
        "PUT",
        f"{V8}/{{module}}",
        put_records,
        "update up to 100 records, If-Unmodified-Since",
        UPDATE,
        "write",
    ),
    Route(
        "DELETE",
        f"{V8}/{{module}}",
        delete_records,
        "delete up to 100 records",
        DELETE,
        "write",
        honours=("ids", "wf_trigger"),
    ),
    Route(
        "PUT",
        f"{V8}/{{module}}/{{record_id}}",
        put_record,
        "update one record",
        UPDATE,
        "write",
    ),
    Route(
        "DELETE",
        f"{V8}/{{module}}/{{record_id}}",
        delete_record,
        "delete one record",
        DELETE,
        "write",
        honours=("wf_trigger",),
    ),
)
