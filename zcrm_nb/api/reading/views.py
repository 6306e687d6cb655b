"""Custom views: which there are, and what each shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.api.pages import V8, side_by_side
from zcrm_nb.errors import NotFoundError, did_you_mean
from zcrm_nb.frames import Column, entries_of

if TYPE_CHECKING:
    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.session import Session

    Row = dict[str, Any]

__all__ = ["VIEW_COLUMNS", "VIEW_DETAILS", "view_id", "view_source", "views"]

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
    listed = [_flat(view) for view in session.catalogue.views(module, anew=True)]
    if not details:
        return listed

    def whole(view: Row) -> Row:
        path = f"{V8}settings/custom_views/{view.get('id')}"
        body = session.send("GET", path, params={"module": module})
        return next((_flat(each) for each in entries_of(body, "custom_views")), view)

    return list(side_by_side(whole, listed, session.workers))


def view_id(
    catalogue: Catalogue, module: str, view: str | None, cvid: str | None = None
) -> str | None:
    """Return the id of a view given by name or id; ``NotFoundError`` where the module has none.

    1 credit for each 200 views of the module, once; a name that is unknown is looked up again.
    """
    if view is None:
        return _checked(module, cvid)
    if cvid is not None:
        raise ValueError("Give either view= (a name or an id) or cvid= (an id).")
    if not isinstance(view, str):
        raise TypeError(f"view takes the name or id of a view, not a {type(view).__name__}.")
    was_known = module in catalogue.known_views()
    ids = _ids_of(catalogue.views(module), view)
    if not ids and was_known:
        ids = _ids_of(catalogue.views(module, anew=True), view)
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise ValueError(
            f"{module} has {len(ids)} views called {view!r}: give one by its id, {', '.join(ids)}."
        )
    raise _unknown(catalogue, module, view)


def view_source(catalogue: Catalogue, module: str, view: str | None) -> str:
    """Write a module, or one of its views, as COQL reads it: ``Deals#4108``."""
    cvid = view_id(catalogue, module, view)
    return f"{module}#{cvid}" if cvid else module


def _checked(module: str, cvid: str | None) -> str | None:
    """Return the id of a view, or refuse what cannot be one."""
    if cvid is None or (isinstance(cvid, str) and cvid.isdecimal()):
        return cvid
    raise NotFoundError(
        f"{cvid!r} is not the id of a view of {module}; nothing was sent.",
        "",
        f"Views by name: view={cvid!r}. crm.views({module!r}) lists them.",
        code="INVALID_DATA",
        details={"param_name": "cvid", "module": module},
    )


def _ids_of(listed: list[Row], view: str) -> list[str]:
    """Find the views with an id or a name: exactly, or else in other letters."""
    for key, wanted in ((str, view), (_folded, _folded(view))):
        ids = [
            str(each["id"])
            for each in listed
            if each.get("id")
            and any(
                isinstance(each.get(name), str) and key(each[name]) == wanted for name in _NAMES
            )
        ]
        if ids:
            return ids
    return []


_NAMES = ("id", "name", "display_value", "system_name")


def _folded(name: str) -> str:
    """Write a name without regard to case and blanks at its ends."""
    return name.strip().casefold()


def _unknown(catalogue: Catalogue, module: str, view: str) -> NotFoundError:
    """Make the error for a view that a module does not have."""
    names = [each["name"] for each in catalogue.views(module) if isinstance(each.get("name"), str)]
    others = [other for other, listed in catalogue.known_views().items() if _ids_of(listed, view)]
    hint = f"It is a view of {', '.join(others)}." if others else did_you_mean(view, names)
    return NotFoundError(
        f"{module} has no view {view!r}; nothing was sent.",
        "",
        " ".join(filter(None, [hint, f"crm.views({module!r}) lists the views of {module}."])),
        code="INVALID_DATA",
        details={"param_name": "cvid", "module": module},
    )


def _flat(view: Row) -> Row:
    """Name the fields of a view instead of describing them."""
    fields, sort_by = view.get("fields"), view.get("sort_by")
    names = [field.get("api_name") for field in fields or () if isinstance(field, dict)]
    return {
        **view,
        "fields": names if isinstance(fields, list) else [],
        "sort_by": sort_by.get("api_name") if isinstance(sort_by, dict) else sort_by,
    }
