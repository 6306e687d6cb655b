"""Related lists, subforms and lookups of many records at once."""

from __future__ import annotations

from itertools import chain
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.api.acting.standard_links import is_standard, listed_columns
from zcrm_nb.api.metadata import USER_COLUMNS
from zcrm_nb.api.pages import V8, look_ahead, more, next_token, side_by_side
from zcrm_nb.api.reading import query as ask
from zcrm_nb.api.reading.records import check_id, field_batches, list_columns, selected_ids
from zcrm_nb.api.reading.tables import coql_table, counted, typed_table
from zcrm_nb.api.session import TableRequest
from zcrm_nb.api.writing.calls import WriteCall, batches
from zcrm_nb.coql import fill
from zcrm_nb.coql.fields import details_of
from zcrm_nb.errors import LimitError, NotFoundError, did_you_mean
from zcrm_nb.frames import Column, ids_in, in_order, joined, records_of, to_frame, unique
from zcrm_nb.wire.credits import credits_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send
    from zcrm_nb.api.session import Session
    from zcrm_nb.api.writing.journal import Batch
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.frames import FrameOptions

__all__ = [
    "LIST_COLUMNS",
    "ROWS_PER_QUERY",
    "expand_request",
    "linked",
    "links",
    "list_rows",
    "list_source",
    "lists",
    "related_request",
    "related_table",
    "subform_request",
]

LIST_COLUMNS = [
    Column("api_name", "text"),
    Column("display_label", "text"),
    Column("module", "text"),
    Column("type", "text"),
    Column("linkingmodule", "text"),
    Column("id", "text"),
]
PAGE_SIZE = 200
PAGES_BY_NUMBER = 10
QUERIES_AT_ONCE = 10
ROWS_PER_QUERY = 100  # ids in one IN list
RECORDS_PER_CALL = 100
PARENT = "parent_id"
# Neither is a module that COQL is known to read; they are read record by record.
ONLY_BY_RECORD = frozenset({"Attachments", "Notes"})


def lists(catalogue: Catalogue, module: str) -> list[dict[str, Any]]:
    """Return the related lists of a module as ``crm.related_lists()`` shows them."""
    return [
        {**each, "module": (each.get("module") or {}).get("api_name")}
        for each in catalogue.related_lists(module).values()
    ]


class RelatedPath(NamedTuple):
    """How COQL finds the records of a related list: by which lookup, of which module.

    ``far`` is the lookup of a linking module that leads on to the records themselves.
    """

    module: str
    near: str
    far: str = ""


def related_table(
    session: Session,
    module: str,
    *,
    ids: Sequence[str],
    related_list: str,
    columns: Sequence[str] | None,
    **options: Any,
) -> pd.DataFrame:
    """Return the rows of a related list of one record or many, each with its ``parent_id``."""
    catalogue = session.catalogue
    known = _list_named(catalogue, module, related_list)
    child = str((known.get("module") or {}).get("api_name") or related_list)
    owner = (module, related_list)
    standard = is_standard(module, related_list, known)
    path = None if standard else _path_to(catalogue, module, child, known)
    if path is not None and path.far:
        return _through_links(session, path, ids, child=child, columns=columns, **options)
    if path is not None:
        return _by_coql(session, path, ids, columns=columns, **options)
    fields = (
        listed_columns(catalogue, child, columns, owner=owner)
        if standard
        else list_columns(catalogue, child, columns)
    )

    def fetch(record_id: str) -> list[dict[str, Any]]:
        return _list_of(session.send, f"{V8}{module}/{record_id}/{related_list}", fields)

    return by_record(session, fetch, ids, fields, **options)


def related_request(
    catalogue: Catalogue,
    module: str,
    related_list: str,
    ids: Any,
    *,
    columns: Sequence[str] | None,
    options: FrameOptions,
) -> TableRequest:
    """Read a related list."""
    if not isinstance(related_list, str):
        raise TypeError(
            f"related_list takes the name of a related list, not a {type(related_list).__name__}: "
            "related(module, ids, related_list)."
        )
    selected = unique(selected_ids(module, ids))

    def fetch(session: Session) -> pd.DataFrame:
        return related_table(
            session,
            module,
            ids=selected,
            related_list=related_list,
            columns=columns,
            **catalogue.in_zone(options),
        )

    label = f"{related_list} of {module}"
    return TableRequest(label, fetch, {"query": label, "module": module, "route": "related"})


def by_record(
    session: Session,
    fetch: Callable[[str], list[dict[str, Any]]],
    ids: Sequence[str],
    columns: Sequence[Column],
    **options: Any,
) -> pd.DataFrame:
    """Read the list of each record, side by side, and put the rows into one table."""
    rows: list[dict[str, Any]] = []
    for record_id, found in zip(ids, side_by_side(fetch, ids, session.workers), strict=True):
        rows += [{PARENT: record_id, **row} for row in found]
        session.tick(len(found))
    return to_frame([rows], [Column(PARENT, "text"), *columns], **options)


def _list_of(send: Send, path: str, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Fetch one record's list; more fields than one call brings come in several."""
    first, *others = field_batches(columns)
    rows = list_rows(send, path, first)
    for batch in others:
        further = list_rows(send, path, batch)
        # A list that shifted meanwhile: what is missing is read by id, what is gone is left out.
        missing = [record_id for record_id in rows if record_id not in further]
        for some in batches(missing, RECORDS_PER_CALL):
            further |= list_rows(send, path, batch, ids=",".join(some))
        rows = {key: {**row, **further[key]} for key, row in rows.items() if key in further}
    return list(rows.values())


def list_rows(
    send: Send, path: str, columns: Sequence[Column], **params: str
) -> dict[str, dict[str, Any]]:
    """Return the rows of one record's list by id: by page number up to 2,000, then by token."""
    params |= {"fields": ",".join(column.name for column in columns), "per_page": str(PAGE_SIZE)}

    def page(number: int) -> bytes:
        return send("GET", path, params={**params, "page": number})

    numbers = range(1, PAGES_BY_NUMBER + 1)
    bodies = list(look_ahead(page, numbers, 1, PAGE_SIZE))
    seen: set[str] = set()
    while bodies and more(bodies[-1], PAGE_SIZE):
        token = next_token(bodies[-1], seen)
        bodies.append(send("GET", path, params={**params, "page_token": token}))
    return {str(row.get("id")): row for body in bodies for row in records_of(body)}


def list_source(catalogue: Catalogue, module: str, related_list: str) -> tuple[str, bool]:
    """Name the module of a related list, and whether COQL reads it for many records at once."""
    known = _list_named(catalogue, module, related_list)
    child = str((known.get("module") or {}).get("api_name") or related_list)
    return child, _path_to(catalogue, module, child, known) is not None


def _list_named(catalogue: Catalogue, module: str, name: str) -> dict[str, Any]:
    """Find a related list; ``NotFoundError`` with a suggestion for an unknown name."""
    known = catalogue.related_lists(module)
    if name in known:
        return known[name]
    raise NotFoundError(
        f"{module} has no related list {name!r}; nothing was sent.",
        "",
        did_you_mean(name, known) or f"crm.related_lists({module!r}) lists them.",
        code="INVALID_DATA",
        details={"module": module, "api_name": name},
    )


def _path_to(
    catalogue: Catalogue, module: str, child: str, known: dict[str, Any]
) -> RelatedPath | None:
    """Find the lookup behind a related list; ``None`` where the metadata do not describe it."""
    if child in ONLY_BY_RECORD or child not in catalogue.modules():
        return None
    linking = known.get("linkingmodule")
    if linking:
        near, far = (_pointers(catalogue, linking, each) for each in (module, child))
        return (
            RelatedPath(linking, near[0]["api_name"], far[-1]["api_name"]) if near and far else None
        )
    pointers = _pointers(catalogue, child, module)
    named = [
        each
        for each in pointers
        if each["api_name"] == known.get("connectedlookupApiName")
        or (each.get("lookup") or {}).get("api_name") == known["api_name"]
    ]
    chosen = named or (pointers if len(pointers) == 1 else [])
    return RelatedPath(child, chosen[0]["api_name"]) if chosen else None


def _pointers(catalogue: Catalogue, module: str, target: str) -> list[Field]:
    """Find the lookups of a module that lead to another, ``What_Id`` among them."""
    return [
        each
        for each in catalogue.fields(module).values()
        if each["data_type"] == "lookup"
        and (each.get("lookup") or {}).get("module", {}).get("api_name") in {target, "se_module"}
    ]


def _by_coql(
    session: Session,
    path: RelatedPath,
    ids: Sequence[str],
    *,
    columns: Sequence[str] | None,
    **options: Any,
) -> pd.DataFrame:
    """Ask for the records that point to any of some records, a hundred of these at a time."""
    selected = _selected(session.catalogue, path, columns)
    text = f"select {', '.join(selected)} from {path.module} where {path.near} in :ids"  # noqa: S608
    table = query_by_ids(session, text, ids, **_typed_parent(path, options))
    return _with_parent(table, path, ids, columns)


def _through_links(
    session: Session,
    path: RelatedPath,
    ids: Sequence[str],
    *,
    child: str,
    columns: Sequence[str] | None,
    **options: Any,
) -> pd.DataFrame:
    """Read the pairs of a linking module, then the records at its far end."""
    far = f"{path.far}.id"
    links = _by_coql(session, path, ids, columns=())[[PARENT, far]]
    selected = "*" if columns is None else ", ".join(["id", *columns])
    text = f"select {selected} from {child} where id in :ids"  # noqa: S608
    far_ids = ids_in(links, far)
    found = query_by_ids(session, text, far_ids, one_row_each=True, **options)
    return joined(links, far, found, "").rename(columns={far: "id"})


def _selected(catalogue: Catalogue, path: RelatedPath, columns: Sequence[str] | None) -> list[str]:
    """List what a query selects: the named fields, and the lookup to the parent."""
    if path.far:
        return [path.near, path.far, *(f"{path.far}.{each}" for each in columns or ())]
    if columns is None:
        return ["*"]
    for each in columns:
        catalogue.field(path.module, each)
    return list(dict.fromkeys([path.near, *columns]))


def _typed_parent(path: RelatedPath, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read the lookup to the parent by its type, whatever else is to be read as it came."""
    as_is = [name for name in options.get("as_is", ()) if name != path.near]
    return {**options, "as_is": as_is}


def _with_parent(
    table: pd.DataFrame, path: RelatedPath, ids: Sequence[str], columns: Sequence[str] | None
) -> pd.DataFrame:
    """Put ``parent_id`` first, and the rows into the order of their parents.

    The lookup to the parent is left out unless it was named.
    """
    own = [] if columns is not None and path.near in columns else [path.near, f"{path.near}.id"]
    rest = [name for name in table if name not in {PARENT, "id", *own}]
    led = table.assign(**{PARENT: table[f"{path.near}.id"]})[[PARENT, "id", *rest]]
    return in_order(led, PARENT, ids)


def query_by_ids(
    session: Session,
    text: str,
    ids: Sequence[str],
    *,
    one_row_each: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Send one query for many ids, a hundred at a time, side by side: one table of all answers.

    Where each id means one row, a LIMIT of a hundred says so: it costs a third.
    """
    catalogue = session.catalogue
    lists_of_ids = list(batches(unique(ids), ROWS_PER_QUERY))
    prepared = [
        ask.prepared(catalogue, fill(text, ids=some), limit=len(some) if one_row_each else None)
        for some in lists_of_ids or [["0"]]
    ]
    queries = [each.query for each in prepared if each.query is not None]
    columns = ask.answer_columns(catalogue, queries[0])
    pages = side_by_side(
        lambda query: list(ask.coql_bodies(session.send, query)),
        queries if lists_of_ids else [],
        min(session.workers, QUERIES_AT_ONCE),
    )
    bodies = counted(chain.from_iterable(pages), session.tick)
    return typed_table(session, bodies, columns, **options)


# ---- Linking -------------------------------------------------------------------------------------


def links(
    module: str, record_id: str, *, related_list: str, rows: Sequence[dict[str, Any]], away: bool
) -> list[WriteCall]:
    """Make the calls that put records on a list, or take them off it."""
    path = f"{module}/{check_id(module, record_id)}/{related_list}"
    for each in rows:
        check_id(related_list, each["id"])
    return [_link(path, some, away=away) for some in batches(rows, RECORDS_PER_CALL)]


def _link(path: str, rows: Sequence[dict[str, Any]], *, away: bool) -> WriteCall:
    """Make the call for some records."""
    ids = [each["id"] for each in rows]
    if away:
        return WriteCall("unlink", path, None, ids, method="DELETE", params={"ids": ",".join(ids)})
    return WriteCall("link", path, {"data": list(rows)}, ids, method="PUT")


def linked(session: Session, batch: Batch, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return those records that are on the list by now as they were sent, or off it."""
    away = batch.action == "unlink"
    sent = {} if away else {each["id"]: each for each in (batch.body or {}).get("data", [])}
    names = list(dict.fromkeys(["id", *(name for each in sent.values() for name in each)]))
    found: set[str] = set()
    for some in batches(ids, RECORDS_PER_CALL):
        params = {"fields": ",".join(names), "ids": ",".join(some), "per_page": PAGE_SIZE}
        body = session.send("GET", V8 + batch.path, params=params)
        found |= {each["id"] for each in records_of(body) if _holds(each, sent.get(each["id"], {}))}
    return {each: {} for each in ids if (each in found) != away}


def _holds(record: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Whether a record on a list has what was sent with its link; of a role the id counts."""
    return all(
        (record.get(name) or {}).get("id") == value["id"]
        if isinstance(value, dict)
        else record.get(name) == value
        for name, value in sent.items()
    )


# ---- Expanding -----------------------------------------------------------------------------------


def expanded(
    session: Session,
    df: pd.DataFrame,
    *,
    module: str,
    lookup: str,
    columns: Sequence[str],
    max_credits: int | None,
    **options: Any,
) -> pd.DataFrame:
    """Put fields of the records that a lookup names beside the rows that name them."""
    catalogue, key = session.catalogue, f"{lookup}.id"
    if key not in df:
        raise ValueError(f"The table has no column {key!r}, the ids of the records to look up.")
    if catalogue.field(module, lookup)["data_type"] in {"ownerlookup", "userlookup"}:
        return _with_users(catalogue, df, lookup, columns)
    target = _target(catalogue, module, lookup)
    ids = unique(ids_in(df, key))
    _afford(ceil(len(ids) / ROWS_PER_QUERY), max_credits, f"Looking up {len(ids):,} {target}")
    for each in columns:
        catalogue.field(target, each)
    text = f"select id, {', '.join(columns)} from {target} where id in :ids"  # noqa: S608
    found = query_by_ids(session, text, ids, one_row_each=True, **options)
    kinds = list_columns(catalogue, target, columns)
    many = [each.name for each in kinds if each.kind in {"multipicklist", "tags"}]
    return joined(df, key, found, f"{lookup}.", many)


def expand_request(
    catalogue: Catalogue,
    df: pd.DataFrame,
    lookup: str,
    columns: Sequence[str],
    *,
    module: str | None,
    max_credits: int | None,
    options: FrameOptions,
) -> TableRequest:
    """Add fields of the records that a lookup names."""
    known = dict(df.attrs.get("zcrm", {}))
    owner = module or known.get("module")
    if owner is None:
        raise ValueError(
            "The module of this table is unknown: pandas drops df.attrs in merge and concat.\n"
            f"Nothing was sent.\nWrite: crm.expand(df, {lookup!r}, [...], module='Deals')"
        )

    def fetch(session: Session) -> pd.DataFrame:
        table = expanded(
            session,
            df,
            module=owner,
            lookup=lookup,
            columns=columns,
            max_credits=max_credits,
            **catalogue.in_zone(options),
        )
        table.attrs = {}
        return table

    label = f"{lookup} of {owner}"
    facts = {**known, "expanded": [*known.get("expanded", []), lookup], "module": owner}
    return TableRequest(label, fetch, {"query": label, "route": "coql", **facts})


def _target(catalogue: Catalogue, module: str, lookup: str) -> str:
    """Name the one module that a lookup leads to."""
    field = catalogue.field(module, lookup)
    target = ((field.get("lookup") or {}).get("module") or {}).get("api_name")
    if field["data_type"] == "lookup" and target and target != "se_module":
        return str(target)
    raise ValueError(
        f"{module}.{lookup} is of type {field['data_type']} and leads to no single module: "
        "expand needs a lookup to one module, or to users."
    )


def _with_users(
    catalogue: Catalogue, df: pd.DataFrame, lookup: str, columns: Sequence[str]
) -> pd.DataFrame:
    """Put what is known of users beside the rows that name them."""
    known = {each.name: each for each in USER_COLUMNS}
    for each in columns:
        if each not in known:
            hint = did_you_mean(each, known) or f"There are {', '.join(known)}."
            raise NotFoundError(f"Users have no {each!r}; nothing was sent.", "", hint)
    wanted = [known["id"], *(known[each] for each in columns if each != "id")]
    return joined(df, f"{lookup}.id", to_frame([catalogue.users()], wanted), f"{lookup}.")


def _afford(price: int, most: int | None, what: str) -> None:
    """Refuse before anything is sent what would cost more than was allowed."""
    if most is not None and price > most:
        raise LimitError(
            f"{what} takes {credits_text(price)}; max_credits={most:,} allows fewer.",
            "",
            "Raise max_credits, or expand a smaller table.",
        )


# ---- Children ------------------------------------------------------------------------------------


def subform_table(
    session: Session,
    module: str,
    *,
    field: str,
    ids: Sequence[str] | None,
    columns: Sequence[str] | None,
    **options: Any,
) -> pd.DataFrame:
    """Return the rows of a subform or the links of a multi-select lookup, with their parents."""
    path = _behind(session.catalogue, module, field)
    if ids is not None:
        return _by_coql(session, path, ids, columns=columns, **options)
    selected = _selected(session.catalogue, path, columns)
    text = f"select {', '.join(selected)} from {path.module} where {path.near} is not null"  # noqa: S608
    prepared = ask.prepared(session.catalogue, text)
    table = coql_table(session, prepared, **_typed_parent(path, options))
    return _with_parent(table, path, sorted(set(table[f"{path.near}.id"])), columns)


def subform_request(
    catalogue: Catalogue,
    module: str,
    field: str,
    ids: Any,
    *,
    columns: Sequence[str] | None,
    options: FrameOptions,
) -> TableRequest:
    """Read a subform as a child table; ``ids=None`` means that of all records."""
    selected = None if ids is None else unique(selected_ids(module, ids))

    def fetch(session: Session) -> pd.DataFrame:
        return subform_table(
            session,
            module,
            field=field,
            ids=selected,
            columns=columns,
            **catalogue.in_zone(options),
        )

    label = f"{field} of {module}"
    return TableRequest(label, fetch, {"query": label, "module": module, "route": "coql"})


def _behind(catalogue: Catalogue, module: str, name: str) -> RelatedPath:
    """Find the module whose records are the values of a field."""
    field = catalogue.field(module, name)
    kind = field["data_type"]
    if kind == "subform":
        rows = (field.get("associated_module") or field.get("subform") or {}).get("module")
        child = rows.get("api_name") if isinstance(rows, dict) else rows
        pointers = _pointers(catalogue, child, module) if child else []
        if child:
            return RelatedPath(child, pointers[0]["api_name"] if pointers else "Parent_Id")
    if kind in {"multiselectlookup", "multiuserlookup"}:
        details = details_of(field).get("linking_details") or {}
        if details:
            near, far = details["lookup_field"], details["connected_lookup_field"]
            return RelatedPath(details["module"]["api_name"], near["api_name"], far["api_name"])
    raise ValueError(
        f"{module}.{name} is of type {kind}: its value stands in the record itself. "
        "This is for subforms, multi-select lookups and multi-user lookups."
    )
