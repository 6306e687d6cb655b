"""Custom views: which there are, and what each shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8, numbered_pages, side_by_side
from zcrm_nb.frames import Column, entries_of

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
    listed = [_flat(view) for view in _listed(session.send, module)]
    if not details:
        return listed

    def whole(view: Row) -> Row:
        path = f"{V8}settings/custom_views/{view.get('id')}"
        body = session.send("GET", path, params={"module": module})
        return next((_flat(each) for each in entries_of(body, "custom_views")), view)

    return list(side_by_side(whole, listed, session.workers))


def _listed(send: Send, module: str) -> Iterator[Row]:
    """Yield the views of a module, all pages."""

    def page(number: int) -> bytes:
        params = {"module": module, "page": number, "per_page": PAGE_SIZE}
        return send("GET", f"{V8}settings/custom_views", params=params)

    for body in numbered_pages(page):
        yield from entries_of(body, "custom_views")


def _flat(view: Row) -> Row:
    """Name the fields of a view instead of describing them."""
    fields, sort_by = view.get("fields"), view.get("sort_by")
    names = [field.get("api_name") for field in fields or () if isinstance(field, dict)]
    return {
        **view,
        "fields": names if isinstance(fields, list) else [],
        "sort_by": sort_by.get("api_name") if isinstance(sort_by, dict) else sort_by,
    }
