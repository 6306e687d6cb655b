"""Reading records: lists and their pages, one record, search, counts and the deleted ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.emulator.query import criteria, views
from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition, both
from zcrm_nb.emulator.records.table import (
    EVENT_CANCELLED,
    NO_VALUES,
    ORDERS,
    Table,
    iso,
    module_named,
    plain_info,
)
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.paging import LIFE_S, REACH, Binder, Position
from zcrm_nb.emulator.serving.route import PAGES, READ, SEARCH, SORTED, V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.codec import Shaped, nested
from zcrm_nb.emulator.storage.schema import ONLY_ON_ONE

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.query.views import View
    from zcrm_nb.emulator.settings import Settings
    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

DAY_S = 24 * 3600
FIELDS = 50
DISCRETE = 2_000
SHORTEST_WORD = 2
SORTABLE = ("id", "Created_Time", "Modified_Time")
SEARCHES = ("criteria", "email", "phone", "word")
APPROVED = "approved"
APPROVAL_STATES = (
    APPROVED,
    "approval_process_pending", "approval_process_rejected",
    "review_process_pending", "review_process_rejected",
    "webform_unapproved", "webform_invalid", "webform_invalid_approval", "webform_double_optin",
    "merge_pending", "email_parser_waiting", "email_parser_rejected",
    "zia_vision_pending", "zia_vision_rejected", "zia_vision_validation",
)  # fmt: skip
NOTHING_FITS = Condition("0")
EITHER = ("true", "false", "both")


class Sort(NamedTuple):
    """How a list is sorted: by a field, ``asc`` or ``desc``."""

    by: str
    order: str

    def sql(self, *, backwards: bool = False) -> str:
        """Write ORDER BY; records with the same key stand in the order of their ids."""
        direction = "ASC" if (self.order == "asc") != backwards else "DESC"
        keys = ("id",) if self.by == "id" else (self.by, "id")
        return ", ".join(f'r."{key}" {direction}' for key in keys)

    def beyond(self, position: Position) -> Condition:
        """Write the condition for rows on the far side of a position."""
        sign = ">" if (self.order == "asc") != position.backwards else "<"
        if self.by == "id":
            return Condition(f"r.id {sign} ?", (position.id,))
        return Condition(f'(r."{self.by}", r.id) {sign} (?, ?)', (position.key, position.id))


@dataclass(frozen=True, slots=True)
class Listing:
    """What a request for a list asks for."""

    fields: list[Field]
    where: Condition
    sort: Sort
    page: int
    per_page: int
    position: Position | None
    by_number: bool
    binder: Binder
    since: int | None
    beside: Mapping[str, Shaped]


def get_records(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}``: one page of a list."""
    return listed(org, request, module_named(org, module))


def listed(
    org: Org,
    request: Request,
    module: Module,
    within: Condition = EVERYTHING,
    beside: Mapping[str, Shaped] = NO_VALUES,
) -> Answer:
    """Answer with one page of the records that stand within a condition, and values beside them."""
    listing = _listing(org, request, module, within, beside)
    page = _page(org, module, listing)
    if not page.records:
        return NOTHING if listing.since is None else Answer(304)
    return json_answer({"data": page.records, "info": _info(org, listing, page)})


def _listing(
    org: Org, request: Request, module: Module, within: Condition, beside: Mapping[str, Shaped]
) -> Listing:
    """Read and check everything that a request for a list says."""
    _refuse_ambiguity(request)
    fields = _fields(request, module, org.settings, beside)
    view = requested_view(org, request, module)
    by = parameters.one_of(request, "sort_by", SORTABLE, "id")
    order = parameters.one_of(request, "sort_order", ORDERS, "desc")
    sort = Sort(view.sort_by, view.sort_order) if view else Sort(by, order)
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    binder = _binder(org, request)
    token = request.params.get("page_token")
    if token is None and page * per_page > DISCRETE:
        message = "You can only get the first 2000 records without using page_token param"
        raise Refusal(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", message, {"limit": DISCRETE})
    since = _since(org, request)
    where = both(within, _where(request, module, since))
    return Listing(
        fields=fields,
        where=both(where, views.condition(view, org, request.user)) if view else where,
        sort=sort,
        page=page,
        per_page=per_page,
        position=None if token is None else binder.open(token, org.clock.now()),
        by_number=view is not None,
        binder=binder,
        since=since,
        beside=beside,
    )


def _refuse_ambiguity(request: Request) -> None:
    """Refuse parameters that exclude each other."""
    if "page" in request.params and "page_token" in request.params:
        raise parameters.ambiguous("page", "page_token")
    if "cvid" in request.params and "sort_by" in request.params:
        raise parameters.ambiguous("cvid", "sort_by")


def requested_view(org: Org, request: Request, module: Module) -> View | None:
    """Find the view that the parameter ``cvid`` names, or refuse one that does not exist."""
    if "cvid" not in request.params:
        return None
    view = views.find(org.store, module.api_name, request.params["cvid"])
    if view is None:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "cvid"})
    return view


def _fields(
    request: Request, module: Module, settings: Settings, beside: Mapping[str, Shaped]
) -> list[Field]:
    """Find the fields a list asks for, without those that only a single record shows."""
    names = parameters.names(request, "fields")
    if not names:
        raise parameters.missing("fields")
    if len(names) > FIELDS:
        details = {"limit": FIELDS, "param_name": "fields"}
        raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
    if settings.refuse_unknown_fields and not {*_by_name(module), *beside} >= set(names):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "fields"})
    by_name = _by_name(module)
    fields = [by_name[name] for name in names if name in by_name]
    return [field for field in fields if field.data_type not in ONLY_ON_ONE]


def _by_name(module: Module) -> dict[str, Field]:
    """Find what ``fields`` may name: the fields, and of meetings whether they are cancelled."""
    if module.api_name != "Events":
        return module.by_name
    return module.by_name | {EVENT_CANCELLED.api_name: EVENT_CANCELLED}


def _binder(org: Org, request: Request) -> Binder:
    """Bind page tokens to the user and to all that was asked except for the page itself."""
    bound = {**request.params, "path": request.path}
    bound["If-Modified-Since"] = request.headers.get("If-Modified-Since", "")
    for name in ("page", "page_token"):
        bound.pop(name, None)
    return Binder.of(org.secret, request.user, bound.items())


def _since(org: Org, request: Request) -> int | None:
    """Read the moment of If-Modified-Since, if it is sent."""
    http_date = org.settings.if_modified_since_http_date
    return parameters.moment(request, "If-Modified-Since", http_date=http_date)


def _where(request: Request, module: Module, since: int | None) -> Condition:
    """Say which records a list is about."""
    where = _in_state(request, module)
    if since is not None:
        where = both(where, Condition('r."Modified_Time" > ?', (since,)))
    ids = parameters.ids(request)
    if ids:
        where = both(where, Condition(f"r.id IN ({', '.join('?' * len(ids))})", tuple(ids)))
    for territory in parameters.ids(request, "territory_id"):
        sql = "r.id IN (SELECT record FROM record_territories WHERE territory = ?)"
        where = both(where, Condition(sql, (territory,)))
    return where


def _in_state(request: Request, module: Module, converted: str = "false") -> Condition:
    """Choose records by conversion and approval: here all are approved."""
    which = parameters.one_of(request, "converted", EITHER, converted)
    if parameters.one_of(request, "approved", EITHER, "true") == "false":
        return NOTHING_FITS
    if which == "both" or "Converted__s" not in module.by_name:
        return EVERYTHING
    return Condition('r."Converted__s" = ?', (int(which == "true"),))


class Page(NamedTuple):
    """Some records in order, their sort keys, how many come before them, whether more follow."""

    records: list[dict[str, Any]]
    keys: list[tuple[int, int]]
    before: int
    more: bool


def _page(org: Org, module: Module, listing: Listing) -> Page:
    """Read one page, from a numbered place or from the position in a token."""
    if listing.by_number:
        return _numbered_page(org, module, listing)
    position = listing.position
    backwards = position is not None and position.backwards
    room = _room(listing)
    records, keys = Table(org.store, module, listing.fields, cut=True, beside=listing.beside).read(
        both(listing.where, listing.sort.beyond(position)) if position else listing.where,
        listing.sort.sql(backwards=backwards),
        room + 1,
        offset=0 if position else (listing.page - 1) * listing.per_page,
        extra=(f'r."{listing.sort.by}"', "r.id"),
    )
    more = len(records) > room
    records, keys = records[:room], keys[:room]
    if position is None:
        return Page(records, keys, (listing.page - 1) * listing.per_page, more)
    if backwards:
        return Page(records[::-1], keys[::-1], position.served - len(records), more=True)
    return Page(records, keys, position.served, more)


def _numbered_page(org: Org, module: Module, listing: Listing) -> Page:
    """Read one page of a view: sorted by any field, so it begins behind so many records."""
    room, position = _room(listing), listing.position
    if position is None:
        before = (listing.page - 1) * listing.per_page
    else:
        before = position.served - room * position.backwards
    records, _ = Table(org.store, module, listing.fields, cut=True, beside=listing.beside).read(
        listing.where, listing.sort.sql(), room + 1, offset=before
    )
    keys = [(0, int(each["id"])) for each in records[:room]]
    return Page(records[:room], keys, before, len(records) > room)


def _room(listing: Listing) -> int:
    """Count how many rows fit on this page."""
    if listing.position is None:
        return listing.per_page
    served = listing.position.served
    return min(listing.per_page, served if listing.position.backwards else REACH - served)


def _info(org: Org, listing: Listing, page: Page) -> dict[str, Any]:
    """Make the ``info`` object of a list."""
    now = org.clock.now()
    after = page.before + len(page.records)
    following = Position(*page.keys[-1], served=after) if page.more else None
    previous = Position(*page.keys[0], page.before, backwards=True) if page.before else None
    counts_on = listing.position is not None and org.settings.token_page_number
    return {
        "call": False,
        "email": False,
        "per_page": listing.per_page,
        "count": len(page.records),
        "page": page.before // listing.per_page + 1 if counts_on else listing.page,
        "sort_by": listing.sort.by,
        "sort_order": listing.sort.order,
        "more_records": page.more,
        "next_page_token": following and listing.binder.seal(following, now),
        "previous_page_token": previous and listing.binder.seal(previous, now),
        "page_token_expiry": iso(org, now + LIFE_S) if following or previous else None,
    }


def get_record(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}``: one record, with its subforms and multi-select lookups."""
    module_info = module_named(org, module)
    id_number = parameters.record_id(record_id)
    names = parameters.names(request, "fields")
    fields = _by_name(module_info).values()
    chosen = [each for each in fields if not names or each.api_name in names]
    since = _since(org, request)
    where = _in_state(request, module_info, "both")
    record = one_record(org.store, module_info, id_number, chosen, where)
    if record is None:
        return _unknown_id(org)
    if since is not None and not _newer(org.store, module_info, id_number, since):
        return Answer(304)
    return json_answer({"data": [record]})


def one_record(
    store: Store,
    module: Module,
    record_id: int,
    fields: Iterable[Field],
    within: Condition = EVERYTHING,
    *,
    beside: Mapping[str, Shaped] = NO_VALUES,
) -> dict[str, Any] | None:
    """Read one record with everything that only a single record shows."""
    plain = [each for each in fields if each.data_type not in ONLY_ON_ONE]
    behind = [each for each in fields if each.data_type in ONLY_ON_ONE]
    where = both(within, Condition("r.id = ?", (record_id,)))
    records, _ = Table(store, module, plain, beside=beside).read(where, "r.id", 1)
    if not records:
        return None
    record = records[0]
    for field in behind:
        record[field.api_name] = nested(field, module, record_id, store)
    if behind:
        record["$has_more"] = {field.api_name: False for field in behind}
    return record


def _unknown_id(org: Org) -> Answer:
    """Answer for a well-formed id that names no record: Zoho's pages allow both."""
    if org.settings.unknown_id_status == 204:
        return NOTHING
    message = "the id given seems to be invalid"
    raise Refusal(
        org.settings.unknown_id_status, "INVALID_DATA", message, {"resource_path_index": 1}
    )


def _newer(store: Store, module: Module, record_id: int, since: int) -> bool:
    """Whether a record was modified after a moment."""
    sql = f'SELECT 1 FROM "{module.api_name}" WHERE id = ? AND "Modified_Time" > ?'
    return bool(store.read(sql, (record_id, since)))


def search_records(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}/search``: records that fit criteria, an e-mail address, a phone or a word."""
    module_info = module_named(org, module)
    state = parameters.one_of(request, "approval_state", APPROVAL_STATES, APPROVED)
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    where = _search(org, request, module_info)
    if where is None:
        message = "one of the expected parameter is missing"
        raise Refusal(400, "EXPECTED_PARAM_MISSING", message, {"param_names": list(SEARCHES)})
    if page * per_page > DISCRETE:
        message = "maximum response iteration limit reached"
        raise Refusal(400, "LIMIT_REACHED", message, {"limit": str(DISCRETE)})
    sort = Sort(
        _search_key(org, request, module_info),
        parameters.one_of(request, "sort_order", ORDERS, "desc"),
    )
    names = parameters.names(request, "fields")
    fields = [
        each
        for each in module_info.fields
        if each.data_type not in ONLY_ON_ONE and (not names or each.api_name in names)
    ]
    where = both(where, _indexed(org))
    if state != APPROVED:  # nothing ever waits for approval here
        where = both(where, NOTHING_FITS)
    records, _ = Table(org.store, module_info, fields, cut=True).read(
        where, sort.sql(), per_page + 1, offset=(page - 1) * per_page
    )
    if not records:
        return NOTHING
    return json_answer(
        {"data": records[:per_page], "info": plain_info(page, per_page, len(records))}
    )


def _search(org: Org, request: Request, module: Module) -> Condition | None:
    """Find what is searched for: the first given of criteria, email, phone and word."""
    kind = next((each for each in SEARCHES if request.params.get(each)), None)
    if kind is None:
        return None
    text = request.params[kind]
    if kind == "criteria":
        where = criteria.condition(text, module, org.settings)
    elif kind == "word":
        where = criteria.word(text, module)
    else:
        where = criteria.contact(kind, text, module)
    return both(where, _in_state(request, module))


def _search_key(org: Org, request: Request, module: Module) -> str:
    """Find the field a search is sorted by."""
    any_field = org.settings.search_sorts_by_any_field
    stored = [each.api_name for each in module.fields if each.column]
    return parameters.one_of(request, "sort_by", stored if any_field else SORTABLE, "id")


def _indexed(org: Org) -> Condition:
    """Leave out what the search index has not seen yet, where it is told to lag."""
    if not org.settings.search_lag_s:
        return EVERYTHING
    return Condition('r."Modified_Time" <= ?', (org.clock.now() - org.settings.search_lag_s,))


def count_records(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}/actions/count``: how many records fit."""
    module_info = module_named(org, module)
    if "cvid" in request.params and any(each in request.params for each in SEARCHES):
        raise _view_and_search(request)
    view = requested_view(org, request, module_info)
    if len(request.params.get("word") or "none") < SHORTEST_WORD:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "word"})
    where = _search(org, request, module_info)
    if view is not None:
        where = both(_in_state(request, module_info), views.condition(view, org, request.user))
    if where is None and org.settings.count_needs_search:
        message = "one of the expected parameter is missing"
        raise Refusal(400, "EXPECTED_PARAM_MISSING", message, {"param_names": list(SEARCHES)})
    where = where or _in_state(request, module_info)
    sql = f'SELECT count(*) FROM "{module}" AS r WHERE {where.sql}'
    return json_answer({"count": org.store.read(sql, where.values)[0][0]})


def _view_and_search(request: Request) -> Refusal:
    """Refuse to count a view and a search at once."""
    message = (
        "Please use either Cvid or Search Params. Combination of both the params is not allowed"
    )
    searches = [each for each in SEARCHES if each in request.params]
    due = [{"param_name": each} for each in ("cvid", *searches)]
    return Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})


def get_deleted(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}/deleted``: what was deleted, with time and user."""
    module_info = module_named(org, module)
    kind = request.params.get("type", "all")
    if kind not in ("all", "recycle", "permanent"):
        raise parameters.not_matched("type")
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    since = _since(org, request)
    recycle_bin.expire(org.store, org.clock.now() - org.settings.actions.bin_days * DAY_S)
    rows = org.store.read(
        "SELECT id, display_name, type, deleted_time, deleted_by, created_by FROM deleted "
        "WHERE module = ? AND (? = 'all' OR type = ?) AND deleted_time > ? "
        "ORDER BY deleted_time DESC, id DESC LIMIT ? OFFSET ?",
        (module_info.api_name, kind, kind, since or 0, per_page + 1, (page - 1) * per_page),
    )
    if not rows:
        return NOTHING if since is None else Answer(304)
    people = dict(org.store.read("SELECT id, full_name FROM Users"))
    tombstones = [_tombstone(org, row, people) for row in rows[:per_page]]
    return json_answer({"data": tombstones, "info": plain_info(page, per_page, len(rows))})


def _tombstone(org: Org, row: tuple[Any, ...], people: dict[int, str]) -> dict[str, Any]:
    """Say what is told of a deleted record."""
    record_id, name, kind, at, deleted_by, created_by = row
    return {
        "id": str(record_id),
        "display_name": name,
        "type": kind,
        "deleted_time": iso(org, at),
        "deleted_by": _person(deleted_by, people),
        "created_by": _person(created_by, people),
    }


def _person(user: int | None, people: dict[int, str]) -> dict[str, str] | None:
    """Show a user by name and id."""
    return None if user is None else {"name": people.get(user, ""), "id": str(user)}


def fetch_full_data(org: Org, request: Request, module: str, record_id: str = "") -> Answer:
    """``GET /{module}[/{id}]/actions/fetch_full_data``: rich text that lists cut, whole."""
    module_info = module_named(org, module)
    texts = [record_id] if record_id else parameters.names(request, "ids")
    names = parameters.names(request, "fields")
    for name, given in (("ids", texts), ("fields", names)):
        if not given:
            raise parameters.missing(name)
    if not all(parameters.is_id(each) for each in texts):
        message = "Either the request body or parameters is in wrong format"
        raise Refusal(400, "UNABLE_TO_PARSE_DATA_TYPE", message)
    fields = [module_info.by_name[name] for name in names if name in module_info.by_name]
    plain = [each for each in fields if each.data_type not in ONLY_ON_ONE]
    where = Condition(f"r.id IN ({', '.join('?' * len(texts))})", tuple(map(int, texts)))
    records, _ = Table(org.store, module_info, plain).read(where, "r.id", len(texts))
    return json_answer({"data": records}) if records else NOTHING


_STATE = ("approved", "converted")
_NOT_ON_ONE = ("uid", "startDateTime", "endDateTime", "territory_id", "include_child")
LISTED = ("fields", "ids", *PAGES, "page_token", *SORTED, "cvid", *_STATE)
"""Query parameters that every list of records honours."""

NOT_LISTED = (*_NOT_ON_ONE, "filters", "cross_filters", "filterId", "perPage")
"""Documented query parameters that no list of records knows."""

ROUTES = (
    Route(
        "GET",
        f"{V8}/{{module}}/actions/fetch_full_data",
        fetch_full_data,
        "rich text of several records, whole",
        READ,
        honours=("ids", "fields"),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}/actions/fetch_full_data",
        fetch_full_data,
        "rich text of one record, whole",
        READ,
        honours=("fields",),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/search",
        search_records,
        "search by criteria, email, phone or word; 2,000 records",
        SEARCH,
        honours=(*SEARCHES, "fields", *PAGES, *SORTED, *_STATE, "approval_state"),
        refuses=("cvid", "type", "role_id", "include_lite_users"),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/deleted",
        get_deleted,
        "deleted records: in the recycle bin, or gone for good",
        READ,
        "deleted",
        honours=("type", *PAGES),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/actions/count",
        count_records,
        "how many records fit criteria, email, phone, word, or a custom view",
        SEARCH,
        "count",
        honours=(*SEARCHES, "cvid", *_STATE),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}",
        get_records,
        "list: fields, pages to 2,000, page tokens to 100,000, sort, ids, cvid, converted, "
        "If-Modified-Since",
        READ,
        "records",
        honours=(*LISTED, "territory_id"),
        refuses=tuple(each for each in NOT_LISTED if each != "territory_id"),
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}",
        get_record,
        "one record, with subforms and multi-select lookups",
        READ,
        honours=("fields", *_STATE),
        refuses=(*_NOT_ON_ONE, "cvid", "on_demand_properties"),
    ),
)
