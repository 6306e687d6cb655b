"""Modules, fields, layouts and picklists, as the settings API describes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from zcrm_nb.emulator.catalog.describe import choices_json, field_json, layout_json, module_json
from zcrm_nb.emulator.catalog.directory import FOUNDED
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

#: What may be included with fields: one word, in the two spellings of Zoho's specification.
SKIPS_PERMISSIONS = {"skip_field_permission", "skip_field_permissionz"}
STATUSES = {"visible", "user_hidden", "system_hidden", "scheduled_for_deletion"}


def get_modules(org: Org, request: Request) -> Answer:
    """``GET /settings/modules``: all modules."""
    if _unchanged(request):
        return Answer(304)
    statuses = set(parameters.names(request, "status")) or STATUSES
    if not statuses <= STATUSES:
        details = {"param_name": "status", "supported_values": sorted(STATUSES)}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    described = [module_json(each, org.schema) for each in org.schema.modules.values()]
    shown = [each for each in described if each["status"] in statuses]
    return json_answer({"modules": shown}) if shown else NOTHING


def get_fields(org: Org, request: Request) -> Answer:
    """``GET /settings/fields?module=``: all fields of a module."""
    module = _described_module(org, request)
    kind = request.params.get("type", "all")
    if kind not in ("all", "used", "unused"):
        raise parameters.not_matched("type")
    if kind == "unused":
        return NOTHING
    if _unchanged(request):
        return Answer(304)
    return json_answer({"fields": [field_json(each, module, org.schema) for each in module.fields]})


def get_field(org: Org, request: Request, field_id: str) -> Answer:
    """``GET /settings/fields/{id}?module=``: one field."""
    module = _described_module(org, request)
    field = _field(module, field_id)
    return json_answer({"fields": [field_json(field, module, org.schema)]}) if field else NOTHING


def get_picklist(org: Org, request: Request, field_id: str) -> Answer:
    """``GET /settings/fields/{id}/pick_list_values?module=``: the values of a picklist."""
    module = requested_module(org, request)
    field = _field(module, field_id)
    if field is None or not field.choices:
        return NOTHING
    layout = {"id": str(module.id + 1), "name": "Standard", "api_name": "Standard"}
    values = [each | {"layout_associations": [layout]} for each in choices_json(field)]
    return json_answer({"pick_list_values": values})


def get_layouts(org: Org, request: Request) -> Answer:
    """``GET /settings/layouts?module=``: the layouts of a module; here each has one."""
    if _unchanged(request):
        return Answer(304)
    return json_answer({"layouts": [layout_json(requested_module(org, request), org.schema)]})


def get_layout(org: Org, request: Request, layout_id: str) -> Answer:
    """``GET /settings/layouts/{id}?module=``: one layout."""
    layout = layout_json(requested_module(org, request), org.schema)
    return json_answer({"layouts": [layout]}) if layout["id"] == layout_id else NOTHING


def requested_module(org: Org, request: Request) -> Module:
    """Find the module that the parameter ``module`` names, or refuse."""
    name = request.params.get("module")
    if not name:
        raise parameters.missing("module")
    if name not in org.schema.modules:
        raise _unknown_module({})
    return org.schema.modules[name]


def _described_module(org: Org, request: Request) -> Module:
    """Find the module whose fields are described; permissions on fields are not emulated."""
    included = set(parameters.names(request, "include"))
    if not included <= SKIPS_PERMISSIONS:
        raise not_emulated("This value of the parameter include")
    return requested_module(org, request)


def _unknown_module(details: dict[str, object]) -> Refusal:
    """Refuse a module that does not exist."""
    return Refusal(400, "INVALID_MODULE", "the module name given seems to be invalid", details)


def _field(module: Module, field_id: str) -> Field | None:
    return next((each for each in module.fields if str(each.id) == field_id), None)


def _unchanged(request: Request) -> bool:
    """Whether the client has the metadata already: it is as old as the org."""
    since = parameters.moment(request, "If-Modified-Since")
    return since is not None and since >= datetime.fromisoformat(FOUNDED).timestamp()


_MODULES = ("ZohoCRM.settings.modules.READ",)
_FIELDS = ("ZohoCRM.settings.fields.READ",)
_LAYOUTS = ("ZohoCRM.settings.layouts.READ",)
_NOT_ON_LAYOUTS = ("mode", "include", "include_inner_details")

ROUTES = (
    Route(
        "GET",
        f"{V8}/settings/modules",
        get_modules,
        "all modules",
        _MODULES,
        honours=("status",),
        refuses=("feature_name", "include"),
    ),
    Route(
        "GET",
        f"{V8}/settings/fields",
        get_fields,
        "fields of a module",
        _FIELDS,
        honours=("module", "type", "include"),
    ),
    Route(
        "GET",
        f"{V8}/settings/fields/{{field_id}}",
        get_field,
        "one field",
        _FIELDS,
        honours=("module", "include"),
    ),
    Route(
        "GET",
        f"{V8}/settings/fields/{{field_id}}/pick_list_values",
        get_picklist,
        "values of a picklist",
        _FIELDS,
        honours=("module",),
    ),
    Route(
        "GET",
        f"{V8}/settings/layouts",
        get_layouts,
        "layouts of a module",
        _LAYOUTS,
        honours=("module",),
        refuses=_NOT_ON_LAYOUTS,
    ),
    Route(
        "GET",
        f"{V8}/settings/layouts/{{layout_id}}",
        get_layout,
        "one layout",
        _LAYOUTS,
        honours=("module",),
        refuses=_NOT_ON_LAYOUTS,
    ),
)
