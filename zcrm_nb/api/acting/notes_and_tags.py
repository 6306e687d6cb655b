"""Notes, tags and timelines: what belongs to a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd

from zcrm_nb.api.acting.related import RECORDS_PER_CALL, by_record
from zcrm_nb.api.pages import V8, more, next_token
from zcrm_nb.api.reading.records import check_id, list_columns, selected_ids
from zcrm_nb.api.session import TableRequest
from zcrm_nb.api.writing.calls import WriteCall, batches, records_by_id
from zcrm_nb.frames import Column, entries_of, ids_in, records_of, to_frame, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.journal import Batch
    from zcrm_nb.frames import RecordIds

__all__ = [
    "NOTE_FIELDS",
    "TAG_COLUMNS",
    "full_texts",
    "new_notes",
    "retagged",
    "retagging",
    "tags",
    "timelines",
]

NOTE_FIELDS = ("Note_Title", "Note_Content", "Owner", "Created_Time", "Modified_Time")
TITLE_LENGTH, CONTENT_LENGTH = 120, 65_535
TAG_LENGTH, TAGS_PER_RECORD = 25, 10
_VERBS = {"add": "tag", "remove": "untag"}
TAG_COLUMNS = [
    Column("name", "text"),
    Column("color_code", "text"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
    Column("created_by", "lookup"),
    Column("modified_by", "lookup"),
    Column("id", "text"),
]
TIMELINE_COLUMNS = [
    Column("time", "datetime"),
    Column("action", "text"),
    Column("field", "text"),
    Column("old", "text"),
    Column("new", "text"),
    Column("by", "lookup"),
    Column("source", "text"),
    Column("module", "text"),
    Column("record", "lookup"),
    Column("entry", "text"),
]


# ---- Notes ---------------------------------------------------------------------------------------


def new_notes(module: str, ids: Sequence[str], content: str, title: str | None) -> list[WriteCall]:
    """List the calls that write the same note about each of some records."""
    _check_length("content", content, CONTENT_LENGTH)
    _check_length("title", title or "", TITLE_LENGTH)
    if not content and not title:
        raise ValueError("A note needs a content or a title.")
    given = {"Note_Content": content, "Note_Title": title}
    text = {name: value for name, value in given.items() if value}
    notes = [
        {**text, "Parent_Id": {"module": {"api_name": module}, "id": check_id(module, each)}}
        for each in ids
    ]
    return [
        WriteCall("note", "Notes", {"data": list(some)}, [""] * len(some))
        for some in batches(notes, RECORDS_PER_CALL)
    ]


def _check_length(what: str, text: str, most: int) -> None:
    """Refuse a text that Zoho would refuse."""
    if len(text) > most:
        raise ValueError(f"The {what} has {len(text):,} characters; Zoho takes {most:,}.")


# ---- Tags ----------------------------------------------------------------------------------------


def tags(send: Send, catalogue: Catalogue, module: str) -> list[dict[str, Any]]:
    """Return the tags of a module; 1 credit."""
    catalogue.fields(module)
    body = send("GET", f"{V8}settings/tags", params={"module": module})
    return entries_of(body, "tags")


def retagging(
    module: str, ids: Sequence[str], names: Sequence[str] | str, *, action: str, **body: Any
) -> list[WriteCall]:
    """List the calls that put tags on records or take them off, a hundred records a call."""
    wanted = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    _check_tags(wanted)
    path, tagged = f"{module}/actions/{action}_tags", [{"name": each} for each in wanted]
    checked = [check_id(module, each) for each in ids]
    return [
        WriteCall(_VERBS[action], path, {"tags": tagged, "ids": list(some), **body}, some)
        for some in batches(checked, RECORDS_PER_CALL)
    ]


def retagged(session: Session, batch: Batch, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return those records that have the tags by now, or have them no more, as the call wanted."""
    body = batch.body or {}
    names = {tag["name"] for tag in body.get("tags") or ()}
    found = records_by_id(session.send, batch.path.partition("/")[0], ids, ["Tag"])
    tags = {record_id: _tag_names(record.get("Tag")) for record_id, record in found.items()}
    if batch.action == "untag":
        return {each: {} for each, own in tags.items() if names.isdisjoint(own)}
    whole = body.get("over_write")
    return {each: {} for each, own in tags.items() if (names == own if whole else names <= own)}


def _tag_names(tags: Any) -> set[str]:
    """Return the names of a record's tags."""
    named = tags if isinstance(tags, list) else []
    return {str(tag.get("name")) for tag in named if isinstance(tag, dict)}


def _check_tags(names: Sequence[str]) -> None:
    """Refuse what can be no tags, before it is sent."""
    if not names:
        raise ValueError("Name at least one tag.")
    if len(names) > TAGS_PER_RECORD:
        raise ValueError(f"{len(names)} tags; a record has {TAGS_PER_RECORD} at most.")
    for each in names:
        if not 0 < len(each) <= TAG_LENGTH:
            raise ValueError(
                f"{each!r} is not a valid tag: a tag has 1 to {TAG_LENGTH} characters."
            )


# ---- Timelines -----------------------------------------------------------------------------------


def timelines(catalogue: Catalogue, module: str, ids: Any, *, tz: str) -> TableRequest:
    """Read what happened to records: a row for each field that changed, the latest first."""
    selected = unique(selected_ids(module, ids))

    def fetch(session: Session) -> pd.DataFrame:
        def rows(record_id: str) -> list[dict[str, Any]]:
            path = f"{V8}{module}/{record_id}/__timeline"
            return [row for entry in _entries(session.send, path) for row in _rows(entry)]

        return by_record(session, rows, selected, TIMELINE_COLUMNS, tz=catalogue.zone(tz))

    label = f"timeline of {module}"
    return TableRequest(label, fetch, {"query": label, "module": module, "route": "rest"})


def _entries(send: Send, path: str) -> Iterator[dict[str, Any]]:
    """Yield the entries of a timeline, page by page; the later ones by token alone."""
    order = {"sort_by": "audited_time", "sort_order": "desc"}
    body = send("GET", path, params={**order, "per_page": 200})
    yield from entries_of(body, "__timeline")
    seen: set[str] = set()
    while more(body):
        body = send("GET", path, params={**order, "page_token": next_token(body, seen)})
        yield from entries_of(body, "__timeline")


def _rows(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Lay an entry flat; one that changed no field is one row too."""
    record = _object(entry.get("record"))
    shared = {
        "time": entry.get("audited_time"),
        "action": entry.get("action"),
        "by": entry.get("done_by"),
        "source": entry.get("source"),
        "module": _object(record.get("module")).get("api_name"),
        "record": {"name": record.get("name"), "id": record.get("id")},
        "entry": entry.get("id"),
    }
    history = entry.get("field_history")
    changes = history if isinstance(history, list) and history else [{}]
    for change in map(_object, changes):
        values = _object(change.get("_value"))
        yield {
            **shared,
            "field": change.get("api_name"),
            "old": _text(values.get("old")),
            "new": _text(values.get("new")),
        }


def _object(value: Any) -> dict[str, Any]:
    """Return an object; an empty one where Zoho sent something else."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """Take whatever a timeline says of a value as text."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


# ---- Rich text -----------------------------------------------------------------------------------


def full_texts(
    session: Session, module: str, records: RecordIds, columns: Sequence[str] | None
) -> pd.DataFrame:
    """Return the uncut rich texts of some records, in their order and under their index."""
    catalogue = session.catalogue
    names = _rich_texts(catalogue, module) if columns is None else list(columns)
    if not names:
        raise ValueError(f"{module} has no rich text fields: nothing of it is cut in lists.")
    wanted = list_columns(catalogue, module, names)
    ids = [check_id(module, record_id) for record_id in ids_in(records)]
    texts: dict[str, dict[str, Any]] = {}
    for some in batches(unique(ids), RECORDS_PER_CALL):
        params = {"ids": ",".join(some), "fields": ",".join(names)}
        body = session.send("GET", f"{V8}{module}/actions/fetch_full_data", params=params)
        texts |= {str(row.get("id")): row for row in records_of(body)}
    table = to_frame([[texts.get(each, {"id": each}) for each in ids]], wanted)
    if isinstance(records, pd.Series | pd.DataFrame):
        return table.set_axis(records.index, axis=0)
    return table


def _rich_texts(catalogue: Catalogue, module: str) -> list[str]:
    """Name the rich text fields of a module."""
    return [
        name
        for name, each in catalogue.fields(module).items()
        if (each.get("textarea") or {}).get("type") == "rich_text"
    ]
