"""Lists of settings in requests and responses: read, checked, and answered one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.records.table import iso
from zcrm_nb.emulator.records.writes import attempted, overall
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

Item = dict[str, Any]
#: A value is of one of these JSON types.
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "double": (int, float),
    "jsonarray": list,
    "jsonobject": dict,
}


def entries(request: Request, key: str, most: int | None = None) -> list[Item]:
    """Read the list under a key of the body, or refuse a body without it."""
    body = request.json()
    if key not in body:
        raise missing(key, "$")
    items = body[key]
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise invalid(key, f"$.{key}", expected_data_type="jsonarray")
    if not items:
        raise invalid(key, f"$.{key}", minimum_length=1)
    if most is not None and len(items) > most:
        raise invalid(key, f"$.{key}", maximum_length=most)
    return items


def each_of(
    org: Org, key: str, items: Sequence[Item], work: Callable[[Item, str], Item], good: int = 200
) -> Answer:
    """Do something with each entry, whole or not at all, and answer with all results."""
    tried = []
    for number, item in enumerate(items):
        with org.store.transaction():
            tried.append(attempted(org.store, work, item, f"$.{key}[{number}]"))
    statuses = [error_status or good for _, error_status in tried]
    return json_answer({key: [result for result, _ in tried]}, overall(statuses, good))


def page_of(request: Request, key: str, items: Sequence[Item]) -> Answer:
    """Answer with one page of a list; 204 where there is nothing on it."""
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    begin = (page - 1) * per_page
    shown = items[begin : begin + per_page]
    if not shown:
        return NOTHING
    more = len(items) > begin + per_page
    info = {"per_page": per_page, "count": len(shown), "page": page, "more_records": more}
    return json_answer({key: shown, "info": info})


def checked(value: object, kind: str, path: str) -> Any:
    """Return a value of a JSON type, or refuse it."""
    if kind == "any":
        return value
    expected = TYPES[kind]
    if not isinstance(value, expected) or (kind != "boolean" and isinstance(value, bool)):
        raise invalid(path.rpartition(".")[2], path, expected_data_type=kind)
    return value


def required(item: Mapping[str, Any], names: Sequence[str], path: str) -> None:
    """Refuse an entry that lacks something."""
    for name in names:
        if item.get(name) is None:
            raise missing(name, path)


def missing(name: str, path: str) -> Refusal:
    """Refuse an entry that lacks something."""
    details = {"api_name": name, "json_path": f"{path}.{name}"}
    return Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)


def invalid(name: str, path: str, message: str = "invalid data", **details: object) -> Refusal:
    """Refuse a value."""
    location = {"api_name": name, "json_path": path}
    return Refusal(400, "INVALID_DATA", message, details | location)


def duplicate(name: str, path: str) -> Refusal:
    """Refuse a value that something else has already."""
    details = {"api_name": name, "json_path": path}
    return Refusal(400, "DUPLICATE_DATA", "duplicate data", details)


def unknown_id(index: int = 2) -> Refusal:
    """Refuse the id of an address."""
    message = "the id given seems to be invalid"
    return Refusal(400, "INVALID_DATA", message, {"resource_path_index": index})


def done(message: str, document_id: object) -> Item:
    """Report a success."""
    details = {"id": str(document_id)}
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def person(org: Org, user: object) -> Item | None:
    """Mention a user by name and id."""
    if user is None:
        return None
    rows = org.store.read("SELECT full_name FROM Users WHERE id = ?", (int(str(user)),))
    return {"name": rows[0][0] if rows else None, "id": str(user)}


def stamps(org: Org, user: int) -> Item:
    """Stamp what is new: by whom and when."""
    now = org.clock.now()
    return {"created_by": user, "created_time": now, "modified_by": user, "modified_time": now}


def stamped(org: Org, document: Mapping[str, Any]) -> Item:
    """Show who made and changed something, and when."""
    return {
        "created_by": person(org, document["created_by"]),
        "modified_by": person(org, document["modified_by"]),
        "created_time": iso(org, document["created_time"]),
        "modified_time": iso(org, document["modified_time"]),
    }
