"""Reading records: lists and their pages, one record, search, counts and the deleted ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.catalog.describe import TEXTAREAS
from zcrm_nb.emulator.query import criteria, views
from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition, both
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.paging import LIFE_S, REACH, Binder, Position
from zcrm_nb.emulator.serving.route import READ, SEARCH, V8, Route
from zcrm_nb.emulator.storage import recycle_bin
from zcrm_nb.emulator.storage.codec import Shaped, nested, render, shape
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
RICH_TEXT_IN_LISTS = 500
SORTABLE = ("id", "Created_Time", "Modified_Time")
ORDERS = ("asc", "desc")
NOT_EMULATED_PARAMS = (
    "territory_id",
    "include_child",
    "filters",
    "cross_filters",
    "filterId",
)
SEARCHES = ("criteria", "email", "phone", "word")
#: What a note tells of the files attached to it; null without any.
ATTACHED = (
    "(SELECT CASE WHEN count(*) THEN json_group_array(json_object('$file_id', a.file_id,"
    " 'File_Name', a.file_name, 'Size', CAST(a.size AS TEXT), 'id', CAST(a.id AS TEXT)))"
    " ELSE 'null' END FROM attachments a WHERE a.parent = r.id)"
)

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


class Table:
    """Some fields of a module, read from the store and shaped for the wire.

    Parameters
    ----------
    store : Store
        Where the records are.
    module : Module
        Whose records.
    fields : iterable of Field
        What to show of them; ``id`` always comes along.
    cut : bool, default False
        Whether rich text is cut to 500 characters, as in lists.
    """

    def __init__(
        self, store: Store, module: Module, fields: Iterable[Field], *, cut: bool = False
    ) -> None:
        self._store, self._module = store, module
        chosen = {"id": module.by_name["id"]} | {each.api_name: each for each in fields}
        shaped = {name: shape(field, "r", "rest", store) for name, field in chosen.items()}
        for name in [name for name, field in chosen.items() if cut and _is_rich_text(field)]:
            shaped[name] = Shaped((f'substr(r."{name}", 1, {RICH_TEXT_IN_LISTS})',))
        pointer = module.polymorphic
        if pointer and pointer.data_type == "lookup" and pointer.api_name in shaped:
            shaped["$se_module"] = Shaped(('r."$se_module"',))
        if module.api_name == "Notes":
            shaped["$attachments"] = Shaped((ATTACHED,), orjson.loads)
        self._shaped = shaped
        self._expressions = [sql for each in shaped.values() for sql in each.expressions]

    def read(
        self,
        where: Condition,
        order: str,
        limit: int,
        *,
        offset: int = 0,
        extra: Sequence[str] = (),
    ) -> tuple[list[dict[str, Any]], list[Any]]:
        """Read rows as records, and beside them the extra columns asked for."""
        sql = (
            f"SELECT {', '.join((*self._expressions, *extra))} "  # noqa: S608 - names of the schema
            f'FROM "{self._module.api_name}" AS r WHERE {where.sql} ORDER BY {order} '
            "LIMIT ? OFFSET ?"
        )
        rows = self._store.read(sql, (*where.values, limit, offset))
        records = render(rows, list(self._shaped), list(self._shaped.values()))
        return records, [row[len(self._expressions) :] for row in rows]


def _is_rich_text(field: Field) -> bool:
    """Tell a rich text area from a plain one, by its length."""
    return field.data_type == "textarea" and TEXTAREAS.get(field.length) == "rich_text"


def module_named(org: Org, name: str) -> Module:
    """Find a module by its API name, or refuse with ``INVALID_MODULE``."""
    module = org.schema.modules.get(name)
    if module is None or not module.api_supported:
        words = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", words, {"resource_path_index": 0})
    return module


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


def get_records(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}``: one page of a list."""
    return listed(org, request, module_named(org, module))


def listed(org: Org, request: Request, module: Module, within: Condition = EVERYTHING) -> Answer:
    """Answer with one page of the records that stand within a condition."""
    asked = _listing(org, request, module, within)
    page = _page(org, module, asked)
    if not page.records:
        return NOTHING if asked.since is None else Answer(304)
    return json_answer({"data": page.records, "info": _info(org, asked, page)})


def _listing(org: Org, request: Request, module: Module, within: Condition) -> Listing:
    """Read and check everything that a request for a list says."""
    _refuse_what_is_not_emulated(request)
    fields = _fields(request, module, org.settings)
    view = view_asked(org, request, module)
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
        words = "You can only get the first 2000 records without using page_token param"
        raise Refusal(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", words, {"limit": DISCRETE})
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
    )


def _refuse_what_is_not_emulated(request: Request) -> None:
    """Refuse parameters that would change the answer in ways the emulator does not know."""
    if "page" in request.params and "page_token" in request.params:
        raise parameters.ambiguous("page", "page_token")
    if "cvid" in request.params and "sort_by" in request.params:
        raise parameters.ambiguous("cvid", "sort_by")
    for name in NOT_EMULATED_PARAMS:
        if name in request.params:
            raise not_emulated(f"The parameter {name}")


def view_asked(org: Org, request: Request, module: Module) -> View | None:
    """Find the view that the parameter ``cvid`` names, or refuse one that does not exist."""
    if "cvid" not in request.params:
        return None
    view = views.find(org.store, module.api_name, request.params["cvid"])
    if view is None:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "cvid"})
    return view


def _fields(request: Request, module: Module, settings: Settings) -> list[Field]:
    """Find the fields a list asks for, without those that only a single record shows."""
    asked = parameters.names(request, "fields")
    if not asked:
        raise parameters.missing("fields")
    if len(asked) > FIELDS:
        details = {"limit": FIELDS, "param_name": "fields"}
        raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
    if settings.refuse_unknown_fields and not module.by_name.keys() >= set(asked):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "fields"})
    known = [module.by_name[name] for name in asked if name in module.by_name]
    return [field for field in known if field.data_type not in ONLY_ON_ONE]


def _binder(org: Org, request: Request) -> Binder:
    """Bind page tokens to the user and to all that was asked except for the page itself."""
    asked = {**request.params, "path": request.path}
    asked["If-Modified-Since"] = request.headers.get("If-Modified-Since", "")
    for name in ("page", "page_token"):
        asked.pop(name, None)
    return Binder.of(org.secret, request.user, asked.items())


def _since(org: Org, request: Request) -> int | None:
    """Read the moment of If-Modified-Since, if it is sent."""
    http_date = org.settings.if_modified_since_http_date
    return parameters.moment(request, "If-Modified-Since", http_date=http_date)


def _where(request: Request, module: Module, since: int | None) -> Condition:
    """Say which records a list is about."""
    where = _converted(request, module)
    if since is not None:
        where = both(where, Condition('r."Modified_Time" > ?', (since,)))
    wanted = parameters.ids(request)
    if wanted:
        where = both(where, Condition(f"r.id IN ({', '.join('?' * len(wanted))})", tuple(wanted)))
    return where


def _converted(request: Request, module: Module) -> Condition:
    """Leave out converted leads unless they are asked for."""
    which = parameters.one_of(request, "converted", ("true", "false", "both"), "false")
    if which == "both" or "Converted__s" not in module.by_name:
        return EVERYTHING
    return Condition('r."Converted__s" = ?', (int(which == "true"),))


class Page(NamedTuple):
    """Some records in order, their sort keys, how many come before them, whether more follow."""

    records: list[dict[str, Any]]
    keys: list[tuple[int, int]]
    before: int
    more: bool


def _page(org: Org, module: Module, asked: Listing) -> Page:
    """Read one page, from a numbered place or from the position in a token."""
    if asked.by_number:
        return _numbered_page(org, module, asked)
    position = asked.position
    backwards = position is not None and position.backwards
    room = _room(asked)
    records, keys = Table(org.store, module, asked.fields, cut=True).read(
        both(asked.where, asked.sort.beyond(position)) if position else asked.where,
        asked.sort.sql(backwards=backwards),
        room + 1,
        offset=0 if position else (asked.page - 1) * asked.per_page,
        extra=(f'r."{asked.sort.by}"', "r.id"),
    )
    more = len(records) > room
    records, keys = records[:room], keys[:room]
    if position is None:
        return Page(records, keys, (asked.page - 1) * asked.per_page, more)
    if backwards:
        return Page(records[::-1], keys[::-1], position.served - len(records), more=True)
    return Page(records, keys, position.served, more)


def _numbered_page(org: Org, module: Module, asked: Listing) -> Page:
    """Read one page of a view: sorted by any field, so it begins behind so many records."""
    room, position = _room(asked), asked.position
    if position is None:
        before = (asked.page - 1) * asked.per_page
    else:
        before = position.served - room * position.backwards
    records, _ = Table(org.store, module, asked.fields, cut=True).read(
        asked.where, asked.sort.sql(), room + 1, offset=before
    )
    keys = [(0, int(each["id"])) for each in records[:room]]
    return Page(records[:room], keys, before, len(records) > room)


def _room(asked: Listing) -> int:
    """Count how many rows fit on this page."""
    if asked.position is None:
        return asked.per_page
    served = asked.position.served
    return min(asked.per_page, served if asked.position.backwards else REACH - served)


def _info(org: Org, asked: Listing, page: Page) -> dict[str, Any]:
    """Make the ``info`` object of a list."""
    now = org.clock.now()
    after = page.before + len(page.records)
    following = Position(*page.keys[-1], served=after) if page.more else None
    previous = Position(*page.keys[0], page.before, backwards=True) if page.before else None
    counts_on = asked.position is not None and org.settings.token_page_number
    return {
        "call": False,
        "email": False,
        "per_page": asked.per_page,
        "count": len(page.records),
        "page": page.before // asked.per_page + 1 if counts_on else asked.page,
        "sort_by": asked.sort.by,
        "sort_order": asked.sort.order,
        "more_records": page.more,
        "next_page_token": following and asked.binder.seal(following, now),
        "previous_page_token": previous and asked.binder.seal(previous, now),
        "page_token_expiry": iso(org, now + LIFE_S) if following or previous else None,
    }


def iso(org: Org, moment: int) -> str:
    """Write a moment with the offset of the org's time zone."""
    return datetime.fromtimestamp(moment, org.store.zone).isoformat()


def get_record(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``GET /{module}/{id}``: one record, with its subforms and multi-select lookups."""
    found = module_named(org, module)
    wanted = parameters.record_id(record_id)
    asked = parameters.names(request, "fields")
    chosen = [each for each in found.fields if not asked or each.api_name in asked]
    since = _since(org, request)
    record = one_record(org.store, found, wanted, chosen)
    if record is None:
        return _unknown_id(org)
    if since is not None and not _newer(org.store, found, wanted, since):
        return Answer(304)
    return json_answer({"data": [record]})


def one_record(
    store: Store, module: Module, record_id: int, fields: Iterable[Field]
) -> dict[str, Any] | None:
    """Read one record with everything that only a single record shows."""
    plain = [each for each in fields if each.data_type not in ONLY_ON_ONE]
    behind = [each for each in fields if each.data_type in ONLY_ON_ONE]
    records, _ = Table(store, module, plain).read(Condition("r.id = ?", (record_id,)), "r.id", 1)
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
    words = "the id given seems to be invalid"
    raise Refusal(org.settings.unknown_id_status, "INVALID_DATA", words, {"resource_path_index": 1})


def _newer(store: Store, module: Module, record_id: int, since: int) -> bool:
    """Tell whether a record was modified after a moment."""
    sql = f'SELECT 1 FROM "{module.api_name}" WHERE id = ? AND "Modified_Time" > ?'  # noqa: S608
    return bool(store.read(sql, (record_id, since)))


def search_records(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}/search``: records that fit criteria, an e-mail address, a phone or a word."""
    found = module_named(org, module)
    if "cvid" in request.params:
        raise not_emulated("The parameter cvid of a search")
    state = parameters.one_of(request, "approval_state", APPROVAL_STATES, APPROVED)
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    where = _search(org, request, found)
    if where is None:
        words = "one of the expected parameter is missing"
        raise Refusal(400, "EXPECTED_PARAM_MISSING", words, {"param_names": list(SEARCHES)})
    if page * per_page > DISCRETE:
        words = "maximum response iteration limit reached"
        raise Refusal(400, "LIMIT_REACHED", words, {"limit": str(DISCRETE)})
    sort = Sort(
        _search_key(org, request, found), parameters.one_of(request, "sort_order", ORDERS, "desc")
    )
    asked = parameters.names(request, "fields")
    fields = [
        each
        for each in found.fields
        if each.data_type not in ONLY_ON_ONE and (not asked or each.api_name in asked)
    ]
    where = both(where, _indexed(org))
    if state != APPROVED:  # nothing ever waits for approval here
        where = both(where, NOTHING_FITS)
    records, _ = Table(org.store, found, fields, cut=True).read(
        where, sort.sql(), per_page + 1, offset=(page - 1) * per_page
    )
    if not records:
        return NOTHING
    return json_answer(
        {"data": records[:per_page], "info": plain_info(page, per_page, len(records))}
    )


def plain_info(page: int, per_page: int, found: int) -> dict[str, Any]:
    """Make the ``info`` of a list without tokens, after looking for ``per_page + 1`` rows."""
    return {
        "per_page": per_page,
        "count": min(found, per_page),
        "page": page,
        "more_records": found > per_page,
    }


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
    return both(where, _converted(request, module))


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
    found = module_named(org, module)
    if "cvid" in request.params and any(each in request.params for each in SEARCHES):
        raise _view_and_search(request)
    view = view_asked(org, request, found)
    where = _search(org, request, found)
    if view is not None:
        where = both(_converted(request, found), views.condition(view, org, request.user))
    if where is None and org.settings.count_needs_search:
        words = "one of the expected parameter is missing"
        raise Refusal(400, "EXPECTED_PARAM_MISSING", words, {"param_names": list(SEARCHES)})
    where = where or _converted(request, found)
    sql = f'SELECT count(*) FROM "{module}" AS r WHERE {where.sql}'  # noqa: S608
    return json_answer({"count": org.store.read(sql, where.values)[0][0]})


def _view_and_search(request: Request) -> Refusal:
    """Refuse to count a view and a search at once."""
    words = "Please use either Cvid or Search Params. Combination of both the params is not allowed"
    searches = [each for each in SEARCHES if each in request.params]
    due = [{"param_name": each} for each in ("cvid", *searches)]
    return Refusal(400, "AMBIGUITY_DURING_PROCESSING", words, {"ambiguity_due_to": due})


def get_deleted(org: Org, request: Request, module: str) -> Answer:
    """``GET /{module}/deleted``: what was deleted, when and by whom."""
    found = module_named(org, module)
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
        (found.api_name, kind, kind, since or 0, per_page + 1, (page - 1) * per_page),
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
    found = module_named(org, module)
    texts = [record_id] if record_id else parameters.names(request, "ids")
    asked = parameters.names(request, "fields")
    for name, given in (("ids", texts), ("fields", asked)):
        if not given:
            raise parameters.missing(name)
    if not all(parameters.is_id(each) for each in texts):
        words = "Either the request body or parameters is in wrong format"
        raise Refusal(400, "UNABLE_TO_PARSE_DATA_TYPE", words)
    fields = [found.by_name[name] for name in asked if name in found.by_name]
    plain = [each for each in fields if each.data_type not in ONLY_ON_ONE]
    where = Condition(f"r.id IN ({', '.join('?' * len(texts))})", tuple(map(int, texts)))
    records, _ = Table(org.store, found, plain).read(where, "r.id", len(texts))
    return json_answer({"data": records}) if records else NOTHING


ROUTES = (
    *(
        Route("GET", f"{V8}/{where}/actions/fetch_full_data", fetch_full_data, what, READ)
        for where, what in (
            ("{module}", "rich text of several records, whole"),
            ("{module}/{record_id}", "rich text of one record, whole"),
        )
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/search",
        search_records,
        "search by criteria, email, phone or word; 2,000 records",
        SEARCH,
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/deleted",
        get_deleted,
        "deleted records: in the recycle bin, or gone for good",
        READ,
        "deleted",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/actions/count",
        count_records,
        "how many records fit criteria, email, phone, word, or a custom view",
        SEARCH,
        "count",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}",
        get_records,
        "list: fields, pages to 2,000, page tokens to 100,000, sort, ids, cvid, converted, "
        "If-Modified-Since",
        READ,
        "records",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}",
        get_record,
        "one record, with subforms and multi-select lookups",
        READ,
    ),
)
