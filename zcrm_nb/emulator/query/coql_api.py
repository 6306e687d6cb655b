"""``POST /coql``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.coql import ParseError, parse
from zcrm_nb.coql.tree import Path
from zcrm_nb.emulator.catalog.describe import field_json
from zcrm_nb.emulator.query import views
from zcrm_nb.emulator.query.engine import refusal_of, run
from zcrm_nb.emulator.query.joins import Joins
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.coql.tree import Query
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.query.conditions import Condition
    from zcrm_nb.emulator.query.joins import Target
    from zcrm_nb.emulator.serving.http import Request
    from zcrm_nb.emulator.storage.schema import Module

META = "include_meta"


def post_coql(org: Org, request: Request) -> Answer:
    """Answer a query with records and whether there are more, or with nothing at all.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/Get-Records-through-COQL-Query.html
    """
    body = request.json()
    text, described = _select_query(body), _wants_fields(body)
    try:
        query = parse(text)
    except ParseError as error:
        raise refusal_of(error) from error
    _require_scopes(org, request, query, described=described)

    def seen(module: Module, cvid: str) -> Condition | None:
        view = views.find(org.store, module.api_name, cvid)
        return None if view is None else views.condition(view, org, request.user)

    rows, more_records = run(org.store, query, settings=org.settings.engine, seen=seen)
    if not rows:
        return NOTHING
    info = {"count": len(rows), "more_records": more_records}
    fields = {"fields": _fields(org, query)} if described else {}
    return json_answer({"data": rows, "info": info, **fields})


def _select_query(body: dict[str, Any]) -> str:
    """Take the query out of the body."""
    if "select_query" not in body:
        details = {"api_name": "select_query"}
        raise Refusal(400, "MANDATORY_NOT_FOUND", "mandatory key not found", details)
    text = body["select_query"]
    if not isinstance(text, str):
        raise _wrong_body("select_query", "$.select_query", expected_data_type="string")
    return text


def _wants_fields(body: dict[str, Any]) -> bool:
    """Tell whether fields are to be described; ``["fields"]`` is all one can ask for."""
    include = body.get(META)
    if include is None:
        return False
    if not isinstance(include, list):
        raise _wrong_body(META, f"$.{META}", expected_data_type="jsonarray")
    if include != ["fields"]:
        wrong = int(include[:1] == ["fields"])
        raise _wrong_body(META, f"$.{META}[{wrong}]", supported_values=["fields"])
    return True


def _wrong_body(api_name: str, json_path: str, **expected: object) -> Refusal:
    """Make the refusal of a value in the body."""
    details = {**expected, "api_name": api_name, "json_path": json_path}
    return Refusal(400, "INVALID_DATA", "invalid data", details)


def _require_scopes(org: Org, request: Request, query: Query, *, described: bool) -> None:
    """Refuse a token that may not read the module, or not its fields when they are described."""
    assert request.token is not None, "the route needs a token"
    module = org.schema.modules.get(query.module)
    custom = module is not None and module.generated_type != "default"
    names = [query.module, "custom"] if custom else [query.module]
    spellings = [{"module": name} for name in names]
    org.accounts.require(request.token, ("ZohoCRM.modules.{module}.READ",), spellings)
    if described:
        org.accounts.require(request.token, ("ZohoCRM.settings.fields.READ",))


def _fields(org: Org, query: Query) -> dict[str, dict[str, Any]]:
    """Describe the selected fields by the names they were selected by."""
    joins = Joins(org.schema, org.schema.module(query.module), org.settings.engine)
    paths = [each.expression for each in query.columns if isinstance(each.expression, Path)]
    targets = {path.text: joins.target(path) for path in paths}
    return {name: _described(org, target) for name, target in targets.items()}


def _described(org: Org, target: Target) -> dict[str, Any]:
    """Describe a field as COQL does: a little more than the settings API, and no profiles."""
    field, module = target.field, target.module
    described = field_json(field, module, org.schema)
    described.pop("profiles", None)
    return {
        "table_name": module.api_name,
        "required": field.mandatory,
        "default_value": field.default,
        "lucene_colname": None,
        "generated_type": module.generated_type,
        **described,
    }


ROUTES = (
    Route(
        "POST",
        f"{V8}/coql",
        post_coql,
        "COQL queries: joins, aggregates, subqueries, custom views, `include_meta`",
        ("ZohoCRM.coql.READ",),
        "coql",
    ),
)
