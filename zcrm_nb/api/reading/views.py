"""Custom views: which there are, and what each shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8, side_by_side
from zcrm_nb.frames import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session

    Row = dict[str, Any]

__all__ = ["VIEW_COLUMNS", "VIEW_DETAILS", "views"]

PAGE_SIZE = 200  # views

VIEW_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("category", "text"),
    Column("access_type", "text"),
    Column("system_defined", "boolean"),
    Column("default", "boolean"),
    Column("created_by", "user"),
    Column("modified_by", "user"),
    Column("modified_time", "datetime"),
]
VIEW_DETAILS = [
    Column("criteria", "object"),
    Column("fields", "object"),
    Column("sort_by", "text"),
    Column("sort_order", "text"),
]


def views(session: Session, module: str, *, details: bool) -> list[Row]:
    """List the views of a module; details take one more call for each."""
    found = list(_listed(session.send, module))
    if not details:
        return found

    def whole(view: Row) -> Row:
        path = f"{V8}settings/custom_views/{view['id']}"
        body = session.send("GET", path, params={"module": module})
        return _flat(orjson.loads(body)["custom_views"][0]) if body else view

    return list(side_by_side(whole, found, session.workers))


def _listed(send: Send, module: str) -> Iterator[Row]:
    """Yield the views of a module, all pages."""
    page, more = 1, True
    while more:
        params = {"module": module, "page": page, "per_page": PAGE_SIZE}
        body = send("GET", f"{V8}settings/custom_views", params=params)
        answer = orjson.loads(body) if body else {}
        yield from answer.get("custom_views", [])
        page, more = page + 1, bool(answer.get("info", {}).get("more_records"))


def _flat(view: Row) -> Row:
    """Name the fields of a view instead of describing them."""
    fields = [each["api_name"] for each in view.get("fields") or []]
    return {**view, "fields": fields, "sort_by": (view.get("sort_by") or {}).get("api_name")}
