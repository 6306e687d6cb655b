"""What a bulk read asks for: taken apart, checked in the order of Zoho's refusals, put into SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zcrm_nb.emulator.bulk.criteria import check_number, condition, path_of
from zcrm_nb.emulator.bulk.csv_export import exportable
from zcrm_nb.emulator.bulk.job_responses import Body, wrong_shape
from zcrm_nb.emulator.query import views
from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition, both
from zcrm_nb.emulator.query.joins import Joins, Target
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.settings import EngineSettings

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.settings import BulkSettings
    from zcrm_nb.emulator.storage.schema import Module

MOST_FIELDS = 200


@dataclass(frozen=True, slots=True)
class ReadQuery:
    """A checked query: the module, the columns with their names, the condition, the file's kind."""

    module: Module
    names: tuple[str, ...]
    targets: tuple[Target, ...]
    tables: str
    where: Condition
    file_type: str
    page: int

    @property
    def per_page(self) -> str:
        """Which of the settings says how many records one file holds."""
        return "ics_rows" if self.file_type == "ics" else "csv_rows"


def read_query(org: Org, body: Body, user: int) -> ReadQuery:
    """Check a job's body and find what it asks for."""
    query, file_type = body["query"], body.get("file_type", "csv")
    module = _module(org, query)
    _check_file_type(file_type, module, query)
    bulk = org.settings.bulk
    joins = Joins(org.schema, module, EngineSettings(most_hops=bulk.hops, most_joins=bulk.joins))
    # Without an index rows come in the order of their ids, and nothing has to be sorted in memory.
    joins.sql += " NOT INDEXED"
    names = _names(query, module, bulk)
    targets = tuple(_target(name, joins, bulk) for name in names)
    where = both(condition(query.get("criteria"), joins, bulk), _view(org, query, module, user))
    if module.api_name == "Leads" and not bulk.converted_leads:
        where = both(where, Condition("t0.Converted__s = 0"))
    page = _page(query, org)
    return ReadQuery(module, names, targets, joins.sql, where, file_type, page)


def check_shape(body: Body) -> None:
    """Refuse a body that holds no query, or one that continues and asks at the same time."""
    query = body.get("query")
    if not isinstance(query, dict) or not query:
        raise wrong_shape()
    if "page_token" in query and len(query) > 1:
        raise Refusal(400, "QUERY_NOT_SUPPORTED", "query not supported")


def _module(org: Org, query: Body) -> Module:
    """Find the module; version 2 took its bare name."""
    named = query.get("module")
    name = named.get("api_name") if isinstance(named, dict) else named
    if not isinstance(name, str):
        raise wrong_shape()
    module = org.schema.modules.get(name)
    if name in org.settings.bulk.modules_not_exported:
        raise Refusal(400, "MODULE_NOT_SUPPORTED", "module not supported")
    if module is None:
        details = {"api_name": name, "module": name}
        raise Refusal(400, "MODULE_NOT_AVAILABLE", "module not available", details)
    return module


def _view(org: Org, query: Body, module: Module, user: int) -> Condition:
    """Find what the custom view lets through; its criteria count with those of the job."""
    if "cvid" not in query:
        return EVERYTHING
    view = views.find(org.store, module.api_name, query["cvid"])
    shared = view is not None and view.body.get("access_type") == "shared"
    if view is None or (shared and not org.settings.bulk.shared_views):
        raise Refusal(400, "CVID_NOT_SUPPORTED", "cvid not supported")
    check_number([query.get("criteria"), view.criteria], org.settings.bulk)
    condition = views.condition(view, org, user)
    sql = f't0.id IN (SELECT id FROM "{module.api_name}" WHERE {condition.sql})'
    return Condition(sql, condition.values)


def _check_file_type(file_type: object, module: Module, query: Body) -> None:
    """Refuse a file type that there is not, or not for this module or with these keys."""
    if file_type not in {"csv", "ics"} or (file_type == "ics" and module.api_name != "Events"):
        details = {"api_name": "file_type", "supported_values": ["ics", "csv"]}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if file_type == "ics" and "fields" in query:
        raise Refusal(400, "FIELD_NOT_SUPPORTED", "field not supported", {"api_name": "fields"})
    if file_type == "ics" and "page" in query:
        raise Refusal(400, "PAGE_NOT_SUPPORTED", "page not supported")


def _names(query: Body, module: Module, bulk: BulkSettings) -> tuple[str, ...]:
    """List the columns asked for, or all; without ``id``, which every file has."""
    names = query.get("fields") or [
        each.api_name for each in module.fields if exportable(each, bulk)
    ]
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise wrong_shape()
    if len(names) > MOST_FIELDS:
        details: Body = {"max_limit": MOST_FIELDS, "api_name": "fields"}
        raise Refusal(400, "LIMIT_EXCEEDED", "limit exceeded", details)
    return tuple(name for name in dict.fromkeys(names) if name.lower() != "id")


def _target(name: str, joins: Joins, bulk: BulkSettings) -> Target:
    """Find the column behind a name."""
    spelled = "Converted__s" if name == "$converted" else name
    try:
        target = joins.target(path_of(spelled))
    except Refusal as refusal:
        if refusal.code == "LIMIT_EXCEEDED":
            details: Body = {"max_limit": joins.settings.most_joins}
            raise Refusal(400, "JOIN_LIMIT_EXCEEDED", "join limit exceeded", details) from refusal
        details = {"api_name": name, "module": joins.module.api_name}
        raise Refusal(400, "FIELD_NOT_AVAILABLE", "field not available", details) from refusal
    if not exportable(target.field, bulk):
        details = {"api_name": name, "field_label": target.field.label}
        raise Refusal(400, "FIELD_NOT_SUPPORTED", "field not supported", details)
    return target


def _page(query: Body, org: Org) -> int:
    """Read the number of the page."""
    page, most = query.get("page", 1), org.settings.bulk.pages
    if not isinstance(page, int) or isinstance(page, bool) or page < 1:
        details = {"api_name": "page", "expected_data_type": "integer"}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if page > most:
        raise Refusal(400, "PAGE_RANGE_EXCEEDED", "page range exceeded", {"max_limit": most})
    return page
