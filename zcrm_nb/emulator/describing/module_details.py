"""One module in full: what the settings API adds to the item of the list of modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.describe import module_json
from zcrm_nb.emulator.describing.custom_views import default_view_json
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Module

#: Keys of a record that are not fields, as Zoho's example of a module lists them.
PROPERTIES = (
    "$approval_state", "$wizard_connection_path", "$cpq_executions", "$currency_symbol", "$review",
    "$review_process", "$approval", "$in_merge", "$process_flow", "$orchestration", "$pathfinder",
    "$zia_visions", "$layout_id", "$editable", "$field_states", "$locked_for_me",
    "$sharing_permission",
)  # fmt: skip
#: Only leads have these: where they may come from.
OF_LEADS = {
    **dict.fromkeys(
        ("show_social", "show_visitor", "show_webform", "show_emailparser", "show_googlesync"), True
    ),
    **dict.fromkeys(
        ("showleadchainsync", "showtiktoksync", "showfacebooksync", "showlinkedinsync"), True
    ),
}
SHOWN_FIELDS = 6


def get_module(org: Org, request: Request, name: str) -> Answer:
    """``GET /settings/modules/{api_name|id}``: one module."""
    module = next((m for m in org.schema.modules.values() if name in (m.api_name, str(m.id))), None)
    if module is None:
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"resource_path_index": 2})
    described = module_json(module, org.schema) | _details(org, module, request.user)
    return json_answer({"modules": [described]})


def _details(org: Org, module: Module, user: int) -> dict[str, Any]:
    """Describe what only the answer for a single module has."""
    record_module = module.generated_type in {"default", "custom"}
    shown = _shown_fields(module)
    names = [each["api_name"] for each in shown]
    return {
        "activity_badge": "Enabled" if record_module else "Disabled",
        "$field_states": ["convert_scheduler"] if module.api_name == "Leads" else [],
        "$properties": list(PROPERTIES),
        "$on_demand_properties": ["$blocked_reason"],
        "per_page": 50,
        "display_field": module.name_field,
        "search_layout_fields": names,
        "lookup_field_properties": {"fields": shown},
        "related_list_properties": {"sort_by": None, "fields": names, "sort_order": None},
        "custom_view": default_view_json(org, module, user),
        **dict.fromkeys(("kanban_view_supported", "chart_view_supported"), record_module),
        **dict.fromkeys(("kanban_view", "chart_view"), False),
        "filter_status": record_module,
        "masked_fields_count": 0,
        **(OF_LEADS if module.api_name == "Leads" else {}),
    }


def _shown_fields(module: Module) -> list[dict[str, Any]]:
    """Mention the first fields of a module, its name field before them."""
    fields = [module.by_name[module.name_field]]
    fields += [each for each in module.fields if each.coql and each.api_name != "id"]
    chosen = list(dict.fromkeys(each.api_name for each in fields))[:SHOWN_FIELDS]
    return [
        {"sequence_number": number, "api_name": name, "id": str(module.by_name[name].id)}
        for number, name in enumerate(chosen, 1)
    ]


ROUTES = (
    Route(
        "GET",
        f"{V8}/settings/modules/{{name}}",
        get_module,
        "one module, by API name or id",
        ("ZohoCRM.settings.modules.READ",),
        refuses=("include",),
    ),
)
