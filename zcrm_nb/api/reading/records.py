"""Get Records: lists of a module page by page, and single records."""

from __future__ import annotations

import re
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zcrm_nb.api.pages import V8, look_ahead, more, next_token, side_by_side
from zcrm_nb.errors import APIError, DataWarning, LimitError, NotFoundError, levels_up
from zcrm_nb.frames import Column, column_for, ids_in, records_of
from zcrm_nb.frames.values import id_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.coql.fields import Field

__all__ = [
    "bodies_by_ids",
    "check_id",
    "conversion",
    "external_header",
    "field_batches",
    "in_address",
    "list_columns",
    "list_parameters",
    "record_bodies",
    "record_pages",
    "selected_ids",
    "since_header",
]

PAGE_SIZE = 200  # rows; Zoho's greatest
FIELDS_PER_CALL = 50
SORTABLE = ("id", "Created_Time", "Modified_Time")
IDS_PER_CALL = 100
PAGES_BY_NUMBER = 10  # the first 2,000 rows; beyond them Zoho wants its page_token

# Lists leave these out; only a single record brings them.
ONE_RECORD_ONLY = {"subform", "multiselectlookup", "multiuserlookup"}


def record_pages(
    send: Send, module: str, fields: Sequence[str], *, limit: int | None = None, **params: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of a module, page by page, each a list of dicts as Zoho sent them.

    Parameters
    ----------
    send : callable
        Sends one call: ``crm.send``, or any function of the same shape.
    module : str
        API name of the module.
    fields : sequence of str
        API names of the fields to bring, at most 50. ``id`` always comes along.
    limit : int, optional
        Stop after this many records. All of them by default.
    **params : str
        Further parameters of Get Records, such as ``cvid``, ``ids``, ``sort_by``, ``sort_order``
        or ``converted``.

    Yields
    ------
    list of dict
        At most 200 records, values as they stand in Zoho's JSON.

    Raises
    ------
    APIError
        Zoho refused; see :mod:`zcrm_nb.errors` for the kinds.
    LimitError
        More than 100,000 records: Get Records ends there.

    Notes
    -----
    One credit for each 200 records (3 with ``cvid``). Lists leave out subforms, multi-select
    lookups and multi-user lookups, and cut rich text after 500 characters; a single record has all.

    References
    ----------
    Zoho CRM API V8, "Get Records": zoho.com/crm/developer/docs/api/v8/get-records.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> pages = zcrm_nb.record_pages(crm.send, "Leads", ["Last_Name", "City"], limit=500)
    >>> [len(page) for page in pages]
    [200, 200, 100]
    >>> crm.close()
    """
    left = limit
    for body in record_bodies(send, module, fields, limit=limit, params=params):
        page = records_of(body)[:left]
        left = None if left is None else left - len(page)
        yield page


def record_bodies(
    send: Send,
    module: str,
    fields: Sequence[str],
    *,
    limit: int | None = None,
    workers: int = 1,
    rows: int | None = None,
    params: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[bytes]:
    """Yield the answers of a list: the first 2,000 rows by page number, the rest by page token.

    Where the number of ``rows`` is known, no page beyond the last is requested.
    """
    shared = {**(params or {}), "fields": ",".join(fields)}
    sizes = _page_sizes(limit)

    def page(number: int) -> bytes:
        where = {"page": number, "per_page": PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)}
        return send("GET", V8 + module, params={**shared, **where}, headers=headers)

    size = PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)
    body, done = b"", min(sizes, PAGES_BY_NUMBER, _page_sizes(rows) or 1)
    numbers = range(1, done + 1)
    if rows is None:
        pages = look_ahead(page, numbers, workers, None if limit == size else size)
    else:
        pages = side_by_side(page, numbers, workers)
    for body in pages:
        yield body
    seen: set[str] = set()
    for _ in range(done, sizes):
        if not more(body, PAGE_SIZE):
            return
        token = next_token(body, seen)
        following = {**shared, "per_page": PAGE_SIZE, "page_token": token}
        body = _following(send, module, following, headers)
        yield body


def _page_sizes(limit: int | None) -> int:
    """How many pages a limit takes; without one, more than Zoho will ever give."""
    return 10**9 if limit is None else -(-limit // PAGE_SIZE)


def _following(
    send: Send, module: str, params: dict[str, Any], headers: dict[str, str] | None
) -> bytes:
    """Fetch the page behind a page token."""
    try:
        return send("GET", V8 + module, params=params, headers=headers)
    except APIError as refused:
        if refused.code != "PAGINATION_LIMIT_EXCEEDED":
            raise
        raise LimitError(
            f"{module} has more records than Get Records gives: it ends after 100,000.",
            refused.said,
            "Use crm.coql(…), which goes on past 100,000, or give limit= to take fewer.",
        ) from refused


# Keys that records have beside their fields; no metadata describe them.
_SYSTEM_KINDS = {
    **dict.fromkeys(("$se_module", "$approval_state", "$currency_symbol", "$state"), "text"),
    **dict.fromkeys(("$approved", "$editable", "$event_cancelled", "$converted"), "boolean"),
}


def list_columns(catalogue: Catalogue, module: str, names: Sequence[str] | None) -> list[Column]:
    """Return the columns of a list: the named ones, or all that a list can bring; ``id`` first."""
    fields = catalogue.fields(module)
    if isinstance(names, str):
        raise TypeError(f"columns takes a list of names: columns=[{names!r}].")
    if names is None and not fields:
        warnings.warn(
            f"Zoho describes no fields of {module}: the table holds the ids of its records only.",
            DataWarning,
            stacklevel=levels_up(),
        )
    if names is None:
        names = [n for n, field in fields.items() if field["data_type"] not in ONE_RECORD_ONLY]
        if any(_is_polymorphic(field) for field in fields.values()):
            names.append("$se_module")
    return [_list_column(catalogue, module, name) for name in dict.fromkeys(["id", *names])]


def _list_column(catalogue: Catalogue, module: str, name: str) -> Column:
    """Return the column of one field, or of one of Zoho's system keys."""
    if name == "id":  # not every org's metadata list it
        return Column("id", "text")
    if isinstance(name, str) and name.startswith("$"):
        return Column(name, _SYSTEM_KINDS.get(name, "object"))
    return column_for(catalogue.field(module, name))


def _is_polymorphic(field: Field) -> bool:
    """Whether a lookup may lead to several modules: ``$se_module`` says to which."""
    module: dict[str, Any] = (field.get("lookup") or {}).get("module") or {}
    return field["data_type"] == "lookup" and module.get("api_name") == "se_module"


def field_batches(columns: Sequence[Column]) -> list[list[Column]]:
    """Cut columns into batches that one call can bring; ``id`` leads each, to join them by."""
    key, *rest = columns
    size = FIELDS_PER_CALL - 1
    starts = range(0, max(len(rest), 1), size)
    return [[key, *rest[start : start + size]] for start in starts]


def list_parameters(
    *,
    modified_since: datetime | str | None,
    sort_by: str,
    ascending: bool,
    cvid: str | None,
    converted: str,
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the query parameters and headers of a list."""
    if sort_by not in SORTABLE:
        raise ValueError(f"sort_by must be one of {', '.join(SORTABLE)}; got {sort_by!r}.")
    order = {"sort_by": sort_by, "sort_order": "asc" if ascending else "desc"}
    params = {"cvid": cvid} if cvid else order  # Zoho refuses to sort a view
    if converted:
        params["converted"] = converted
    return params, since_header(modified_since)


def selected_ids(module: str, ids: Any) -> list[str]:
    """Return well-formed ids in their order, repeated ones too; empty cells are left out."""
    return [check_id(module, record_id) for record_id in ids_in(ids) if record_id]


def bodies_by_ids(
    send: Send,
    module: str,
    fields: Sequence[str],
    *,
    ids: Sequence[str],
    params: Mapping[str, str],
    headers: dict[str, str] | None = None,
) -> list[bytes]:
    """Fetch records by their ids, at most a hundred: more make the address too long."""
    by_ids = {name: value for name, value in params.items() if not name.startswith("sort_")}
    return list(
        record_bodies(
            send, module, fields, params={**by_ids, "ids": ",".join(ids)}, headers=headers
        )
    )


def since_header(moment: datetime | str | None) -> dict[str, str]:
    """Return the header that asks for what is newer than a moment, which may be ISO text."""
    if moment is None:
        return {}
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if moment.tzinfo is None:
        raise ValueError(f"{moment} needs a time zone, such as datetime(2026, 9, 1, tzinfo=UTC).")
    return {"If-Modified-Since": moment.isoformat(timespec="seconds")}


def external_header(catalogue: Catalogue, module: str, name: str) -> dict[str, str]:
    """Return the header that lets values of an external field stand for ids.

    Whether a field is external the metadata tell; an org's older ones may not, so Zoho decides.
    """
    catalogue.field(module, name)
    return {"X-EXTERNAL": f"{module}.{name}"}


def in_address(value: str) -> str:
    """Write an external id as a part of an address; ``ValueError`` where that is impossible."""
    if not value.strip(".") or not value.isprintable() or any(mark in value for mark in "/\\?#"):
        raise ValueError(
            f"{value!r} cannot be part of an address. Use COQL instead: where Field = :value."
        )
    return quote(value, safe="")


def conversion(
    catalogue: Catalogue, module: str, converted: bool | None, cvid: str | None = None
) -> str:
    """Return Zoho's parameter for which Leads are meant; empty for modules without conversion.

    Zoho by itself leaves converted Leads out of lists and searches, though COQL finds them. A view
    is left to show what it shows.
    """
    if converted is None and cvid is not None:
        return ""
    if converted is None:
        return "both" if "Converted__s" in catalogue.fields(module) else ""
    return str(converted).lower()


_ID = re.compile(r"[0-9]{1,19}")


def check_id(module: str, record_id: str) -> str:
    """Return a well-formed record id; ``NotFoundError`` for anything else, before it is sent."""
    text = record_id if type(record_id) is str else str(id_values([record_id])[0])
    if _ID.fullmatch(text):
        return text
    raise NotFoundError(
        f"{record_id!r} is not a record id of {module}; nothing was sent.",
        "",
        "Zoho's ids are 1 to 19 digits, kept as text: the id column of any table holds them.",
        code="INVALID_DATA",
        details={"id": str(record_id)},
    )
