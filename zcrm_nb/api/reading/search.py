"""Search and deleted records: the two lists that page by number only."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.pages import V8, look_ahead, more, numbered_pages
from zcrm_nb.errors import LimitError
from zcrm_nb.frames import Column, records_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.api.pages import Send

__all__ = [
    "DELETED_COLUMNS",
    "deleted_bodies",
    "search_bodies",
    "search_criteria",
    "search_pages",
    "search_parameters",
]

PAGE_SIZE = 200  # records; Zoho's greatest
CRITERIA = 10  # in one search, says the page; the error comes at 15
IN_VALUES = 100
PAGES = 10  # search gives 2,000 records and has no page token

DELETED_COLUMNS = [
    Column("id", "text"),
    Column("display_name", "text"),
    Column("type", "text"),
    Column("deleted_time", "datetime"),
    Column("deleted_by", "user"),
    Column("created_by", "user"),
]


def search_pages(
    send: Send, module: str, *, limit: int | None = None, **params: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield what a search finds, page by page, each a list of dicts as Zoho sent them.

    Parameters
    ----------
    send : callable
        Sends one call: ``crm.send``, or any function of the same shape.
    module : str
        API name of the module.
    limit : int, optional
        Stop after this many records.
    **params : str
        One of ``criteria``, ``email``, ``phone`` and ``word``, and further parameters of the search
        API, such as ``fields`` or ``converted``.

    Yields
    ------
    list of dict
        At most 200 records.

    Raises
    ------
    APIError
        Zoho refused.
    LimitError
        More than 2,000 records match: search ends there, and nothing is cut silently.

    Notes
    -----
    One credit for each 200 records.

    References
    ----------
    Zoho CRM API V8, "Search Records": zoho.com/crm/developer/docs/api/v8/search-records.html

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> pages = zcrm_nb.search_pages(crm.send, "Leads", criteria="(City:equals:Pune)", limit=30)
    >>> [len(page) for page in pages]
    [30]
    >>> crm.close()
    """
    left = limit
    for body in search_bodies(send, module, params, limit=limit):
        page = records_of(body)[:left]
        left = None if left is None else left - len(page)
        yield page


def search_bodies(
    send: Send,
    module: str,
    params: Mapping[str, str],
    *,
    limit: int | None = None,
    workers: int = 1,
) -> Iterator[bytes]:
    """Yield the answers of a search; ``LimitError`` where Zoho would stop in the middle."""

    def page(number: int) -> bytes:
        where = {"page": number, "per_page": PAGE_SIZE if limit is None else min(limit, PAGE_SIZE)}
        return send("GET", f"{V8}{module}/search", params={**params, **where})

    wanted = PAGES if limit is None else min(-(-limit // PAGE_SIZE), PAGES)
    body = b""
    size = None if limit is not None and limit <= PAGE_SIZE else PAGE_SIZE
    for body in look_ahead(page, range(1, wanted + 1), workers, size):
        yield body
    if more(body) and (limit is None or limit > PAGES * PAGE_SIZE):
        raise LimitError(
            f"More than 2,000 {module} match; a search gives no more.",
            "",
            "Narrow the search, give limit=, or ask crm.coql(…) the same: it has no such end.",
        )


def search_criteria(values: Mapping[str, Any]) -> str:
    r"""Write search criteria out of values: all must hold, a list means any of its members.

    References
    ----------
    Zoho CRM API V8, "Search Records": zoho.com/crm/developer/docs/api/v8/search-records.html

    Examples
    --------
    >>> from zcrm_nb.api.reading.search import search_criteria
    >>> search_criteria({"Company": "Burns, B (Pvt)", "Rating": ["Active", "Acquired"]})
    '((Company:equals:Burns\\, B \\(Pvt\\)) and (Rating:in:Active,Acquired))'
    """
    leaves = [_leaf(name, value) for name, value in values.items()]
    if not 1 <= len(leaves) <= CRITERIA:
        raise ValueError(f"a search takes 1 to {CRITERIA} criteria, not {len(leaves)}; use COQL")
    return leaves[0] if len(leaves) == 1 else f"({' and '.join(leaves)})"


class Range(NamedTuple):
    """Two values, and what lies between them; both belong to it."""

    low: str
    high: str


def _leaf(field: str, value: Any) -> str:
    """Write one criterion."""
    if isinstance(value, Range):
        return f"({field}:between:{','.join(_escaped(field, each) for each in value)})"
    if isinstance(value, list) and any(isinstance(each, Range) for each in value):
        return f"({' or '.join(_leaf(field, each) for each in value)})"
    if isinstance(value, str) or not isinstance(value, Collection):
        return f"({field}:equals:{_escaped(field, value)})"
    if not 1 <= len(value) <= IN_VALUES:
        raise ValueError(f"{field}: a search looks for 1 to {IN_VALUES} values, not {len(value)}")
    return f"({field}:in:{','.join(_escaped(field, each) for each in value)})"


def _escaped(field: str, value: Any) -> str:
    """Write one value so that it ends where it should."""
    if value is None:
        raise ValueError(f"{field}: a search does not find empty fields; ask crm.coql for them")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{field}: {value} needs a time zone")
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, datetime):
        text = value.isoformat(timespec="seconds")
    else:
        text = str(value)
    return re.sub(r"\\(?=[(),\\]|$)|[(),]", r"\\\g<0>", text)


def search_parameters(
    columns: list[str],
    *,
    converted: str,
    approval_state: str | None = None,
    **terms: str | Mapping[str, Any] | None,
) -> dict[str, str]:
    """Return the query parameters of a search; ``ValueError`` unless it has exactly one term."""
    given = {
        name: value if isinstance(value, str) else search_criteria(value)
        for name, value in terms.items()
        if value is not None
    }
    if len(given) != 1:
        raise ValueError(
            f"Give one of {', '.join(terms)}; Zoho uses the first of several and ignores the rest."
        )
    params = {"fields": ",".join(columns)} if columns else {}
    if converted:
        params["converted"] = converted
    if approval_state:
        params["approval_state"] = approval_state
    return {**params, **given}


def deleted_bodies(
    send: Send, module: str, kind: str, headers: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield the answers of a list of deleted records, to its end."""

    def page(number: int) -> bytes:
        params = {"type": kind, "page": number, "per_page": PAGE_SIZE}
        return send("GET", f"{V8}{module}/deleted", params=params, headers=headers)

    return numbered_pages(page, PAGE_SIZE)
