"""Timelines: what happened to a record, from SQLite's notes of every update.

The store has triggers that note every change, so no writer can forget one. What was added
to a record is told by the things themselves: they have the time and the user of their creation.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.catalog.describe import choices_json
from zcrm_nb.emulator.records.related_lists import lists_of, parent_of
from zcrm_nb.emulator.records.table import iso, module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.paging import Binder, Position
from zcrm_nb.emulator.serving.route import PAGES, READ, SORTED, V8, Route
from zcrm_nb.emulator.storage.codec import shape
from zcrm_nb.emulator.storage.schema import ORG_PREFIX

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

Entry = dict[str, Any]

SOURCE = "crm_api"
#: What has an entry for itself on the timeline of the record it belongs to.
DESCRIBED = ("Notes", "Tasks", "Events", "Calls")
#: What an update is called that changes this field alone.
CALLED = {
    "Tag": ("tag_added", "tag_removed", "tags_overwritten"),
    "Record_Image": ("image_uploaded", "image_removed", "image_uploaded"),
}
INNER = ("data_type", "field_label", "enable_colour_code", "pick_list_values")
FILTERED = ("record.module.api_name", "source", "audited_time", "done_by.id")
PAGING = ("page", "per_page", "page_token")
#: Ids of updates, apart from those of all records.
FIRST_ENTRY = ORG_PREFIX + 700_000_000_000


def get_timeline(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}/__timeline``: what happened to a record, the latest first."""
    module_info = module_named(org, module)
    parent = parent_of(org, module_info, record_id)
    parameters.one_of(request, "sort_by", ("audited_time",), "audited_time")
    upwards = parameters.one_of(request, "sort_order", ("asc", "desc"), "desc") == "asc"
    if "page_token" in request.params and "per_page" in request.params:
        raise parameters.ambiguous("page_token", "per_page")
    entries = [
        each for each in _entries(org, module_info, parent) if _fits(each, _filters(request))
    ]
    if not entries:
        return NOTHING
    entries.sort(key=_position, reverse=not upwards)
    page, info = _page(org, request, entries, upwards=upwards)
    inner = {
        each.removeprefix("field_history.")
        for each in parameters.names(request, "include_inner_details")
    }
    shown = [_shown(org, module_info, each, inner) for each in page]
    return json_answer({"__timeline": shown, "info": info})


def _page(
    org: Org, request: Request, entries: list[Entry], *, upwards: bool
) -> tuple[list[Entry], dict[str, Any]]:
    """Cut out one page: by its number, or behind the entry that a token names."""
    page = parameters.whole_number(request, "page", 1)
    size = parameters.whole_number(request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE)
    bound = {key: value for key, value in request.params.items() if key not in PAGING}
    binder = Binder.of(org.secret, request.user, {**bound, "path": request.path}.items())
    token = request.params.get("page_token")
    start = (page - 1) * size
    if token is not None:
        behind = binder.open(token, org.clock.now())[:2]
        beyond = [
            (_position(each) > behind) == upwards for each in entries if _position(each) != behind
        ]
        start = len(entries) - sum(beyond)
    shown = entries[start : start + size]
    more = start + size < len(entries)
    now = org.clock.now()
    last = Position(*_position(shown[-1]), served=start + size) if more else None
    return shown, {
        "per_page": size,
        "page": page,
        "count": len(shown),
        "more_records": more,
        "next_page_token": last and binder.seal(last, now),
        "previous_page_token": None,
    }


def _position(entry: Entry) -> tuple[int, int]:
    """When it happened; things of the same second stand in the order of their ids."""
    return entry["at"], entry["id"]


# -- what happened ---------------------------------------------------------------------------------


def _entries(org: Org, module: Module, record_id: int) -> Iterator[Entry]:
    """List everything that happened to a record."""
    (row,) = org.store.rows(module.api_name, "id = ?", (record_id,))
    itself = _thing(org, module, record_id)
    yield _entry(record_id, row["Created_Time"], row["Created_By"], "added", itself)
    rows = org.store.read(
        "SELECT entry, at, user, field, old, new FROM history WHERE record = ? ORDER BY entry",
        (record_id,),
    )
    for number, changes in groupby(rows, key=lambda each: each[0]):
        every = list(changes)
        fields = {name: (old, new) for _, _, _, name, old, new in every}
        at, user = every[0][1:3]
        done = _entry(FIRST_ENTRY + number, at, user, _action(fields), itself)
        yield {**done, "fields": fields}
    yield from _arrivals(org, module, record_id, itself)


def _entry(entry_id: int, at: int, user: int | None, action: str, record: Entry) -> Entry:
    """Note one thing that happened."""
    return {"id": entry_id, "at": at, "user": user, "action": action, "record": record}


def _action(fields: dict[str, tuple[Any, Any]]) -> str:
    """Name an update by what it changed."""
    ((name, (old, new)), *others) = fields.items()
    if others or name not in CALLED:
        return "updated"
    added, removed, replaced = CALLED[name]
    before, after = (_members(name, each) for each in (old, new))
    return added if before <= after else removed if after <= before else replaced


def _members(name: str, value: str | None) -> set[str]:
    """List what a field holds: the names of tags, or the one photo."""
    if name == "Tag":
        return {each["name"] for each in orjson.loads(value or "[]")}
    return {value} if value else set()


def _arrivals(org: Org, module: Module, record_id: int, itself: Entry) -> Iterator[Entry]:
    """Describe what was added to a record: notes, activities, attachments."""
    for relation in lists_of(org.schema, module):
        if relation.module.api_name in DESCRIBED:
            where = relation.holds(record_id)
            sql = f'SELECT id, Created_Time, Created_By FROM "{relation.module.api_name}" AS r'
            for each, at, user in org.store.read(f"{sql} WHERE {where.sql}", where.values):
                done = _entry(each, at, user, "added", _thing(org, relation.module, each))
                yield {**done, "related": itself}
    sql = "SELECT id, created_time, created_by, file_name FROM attachments WHERE parent = ?"
    for each, at, user, name in org.store.read(sql, (record_id,)):
        details = {"api_name": "Attachments", "id": str(module.id + 2)}
        record = {"module": details, "name": name, "id": str(each)}
        yield {**_entry(each, at, user, "added", record), "related": itself}


def _thing(org: Org, module: Module, record_id: int) -> Entry:
    """Name a record, as timelines do."""
    sql = f'SELECT "{module.name_field}" FROM "{module.api_name}" WHERE id = ?'
    rows = org.store.read(sql, (record_id,))
    details = {"api_name": module.api_name, "id": str(module.id)}
    return {"module": details, "name": rows[0][0] if rows else None, "id": str(record_id)}


# -- how it is shown -------------------------------------------------------------------------------


def _shown(org: Org, module: Module, entry: Entry, inner: set[str]) -> Entry:
    """Write one entry as Zoho does."""
    people = dict(org.store.read("SELECT id, full_name FROM Users"))
    user = entry["user"]
    changes = [
        _change(org, module.by_name[name], values, inner)
        for name, values in entry.get("fields", {}).items()
    ]
    return {
        "audited_time": iso(org, entry["at"]),
        "action": entry["action"],
        "id": str(entry["id"]),
        "source": SOURCE,
        "type": "timeline",
        "done_by": None if user is None else {"name": people.get(user), "id": str(user)},
        "record": entry["record"],
        "related_record": entry.get("related"),
        "automation_details": None,
        "extension": None,
        "field_history": changes or None,
    }


def _change(org: Org, field: Field, values: tuple[Any, Any], inner: set[str]) -> Entry:
    """Write what a field was and became."""
    old, new = (_text(org, field, each) for each in values)
    entry = {
        "data_type": field.data_type,
        "field_label": field.label,
        "enable_colour_code": any(each.colour for each in field.choices),
        "pick_list_values": choices_json(field),
    }
    entry_part = {key: entry[key] for key in INNER if key in inner}
    return {
        **entry_part,
        "api_name": field.api_name,
        "id": str(field.id),
        "_value": {"old": old, "new": new},
    }


def _text(org: Org, field: Field, stored: Any) -> str | None:
    """Write a value as text: of a lookup the name, of a list its members."""
    if stored is None:
        return None
    if field.targets:  # which of the modules it was is not kept
        return str(stored)
    sql = ", ".join(shape(field, "r", "rest", org.store).expressions)
    rows = org.store.read(f'SELECT {sql} FROM (SELECT ? AS "{field.api_name}") AS r', (stored,))
    value = shape(field, "r", "rest", org.store).show(*rows[0])
    if isinstance(value, dict):
        return str(value["name"] if org.settings.relations.timeline_names else value["id"])
    if isinstance(value, list):
        named = [each.get("name") if isinstance(each, dict) else each for each in value]
        return ",".join(str(each) for each in named if each is not None)
    return str(value).lower() if isinstance(value, bool) else str(value)


# -- filters ---------------------------------------------------------------------------------------


def _filters(request: Request) -> Any:
    """Read the filters, if there are any."""
    if "filters" not in request.params:
        return None
    try:
        return orjson.loads(request.params["filters"])
    except orjson.JSONDecodeError:
        raise _bad_filter() from None


def _fits(entry: Entry, value: Any) -> bool:
    """Whether an entry fits the filters."""
    match value:
        case None:
            return True
        case {"group_operator": "AND" | "OR" as operator, "group": list(group)}:
            return (all if operator == "AND" else any)(_fits(entry, each) for each in group)
        case {"field": {"api_name": name}, "comparator": comparator, "value": value}:
            return _leaf(entry, name, comparator, value)
        case _:
            raise _bad_filter()


def _leaf(entry: Entry, name: str, comparator: str, value: Any) -> bool:
    """Whether an entry fits one criterion."""
    if name not in FILTERED:
        raise _bad_filter()
    if name == "audited_time":
        try:
            first, last = (datetime.fromisoformat(each).timestamp() for each in value)
        except (TypeError, ValueError):
            raise _bad_filter() from None
        return comparator == "between" and first <= entry["at"] <= last
    has = {
        "record.module.api_name": entry["record"]["module"]["api_name"],
        "source": SOURCE,
        "done_by.id": str(entry["user"]),
    }[name]
    if comparator not in ("equal", "in"):
        raise _bad_filter()
    return has in (value if isinstance(value, list) else [value])


def _bad_filter() -> Refusal:
    """Refuse filters; the words are those of Zoho's specification."""
    message = "the relation name given seems to be invalid"
    return Refusal(400, "INVALID_DATA", message, {"param_name": "filters"})


ROUTES = (
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}/__timeline",
        get_timeline,
        "when a record was made, what was changed since the org began, what was added to it",
        READ,
        honours=("include_inner_details", "filters", *SORTED, *PAGES, "page_token"),
        refuses=("include", "include_timeline_type"),
    ),
)
