"""Modules, fields and layouts in the words of ``GET /settings/…``."""

from __future__ import annotations

from typing import Any

from zcrm_nb.emulator.catalog.converting import CONVERTED_TO, MAPPING
from zcrm_nb.emulator.catalog.directory import FOUNDED, PROFILE_NAMES, PROFILES
from zcrm_nb.emulator.storage.schema import DATA_TYPES, Choice, Field, Module, Schema

#: What a text area is called, by its length.
TEXTAREAS = {2000: "small", 32000: "large", 50000: "rich_text"}
#: What may be done to a section of a layout.
SECTION_ACTIONS = ("add_field", "rename", "change_tab_traversal", "reorder", "delete",
                   "remove_field", "change_column_count")  # fmt: skip
#: Fields Zoho neither lists in forms nor lets anybody write.
HIDDEN = {"id", "Record_Status__s", "Locked__s", "Change_Log_Time__s"}


def module_json(module: Module, schema: Schema) -> dict[str, Any]:
    """Describe a module, as one item of ``GET /settings/modules``."""
    record_module = module.generated_type in {"default", "custom"}
    return {
        "id": str(module.id),
        "api_name": module.api_name,
        "module_name": _system_name(module),
        "singular_label": module.singular,
        "plural_label": module.plural,
        "actual_singular_label": module.singular,
        "actual_plural_label": module.plural,
        "generated_type": module.generated_type,
        "api_supported": module.api_supported,
        **dict.fromkeys(
            ("creatable", "editable", "deletable"),
            module.generated_type not in {"linking", "field_tracker"},
        ),
        "viewable": True,
        "convertable": module.api_name == "Leads",
        **dict.fromkeys(("quick_create", "show_as_tab", "feeds_required"), record_module),
        **dict.fromkeys(("global_search_supported", "recycle_bin_on_delete"), record_module),
        "lookupable": record_module,
        "isBlueprintSupported": record_module,
        "visibility": 2 if module.tracker else 1,
        "sequence_number": module.id // 10**6 % 1000,
        "status": "user_hidden" if module.tracker else "visible",
        "profiles": _profiles(),
        "profile_count": len(PROFILE_NAMES),
        "parent_module": _minified(schema.module(module.parent)) if module.parent else {},
        "modified_by": None,
        "modified_time": None,
        "access_type": "org_based",
        "business_card_field_limit": 5,
        "arguments": [],
        "web_link": None,
        "description": None,
        "public_fields_configured": False,
        "private_profile": None,
        "has_more_profiles": False,
        **dict.fromkeys(("presence_sub_menu", "sub_menu_available"), record_module),
        **({"track_current_data": True} if module.tracker else {}),
    }


def field_json(field: Field, module: Module, schema: Schema) -> dict[str, Any]:
    """Describe a field, as one item of ``GET /settings/fields``.

    Objects that do not apply to its type are ``{}`` or ``null``.
    """
    return {
        **_identity(field, module),
        **_abilities(field, module),
        **_particulars(field),
        **_relations(field, module, schema),
        **_formalities(field, module, schema),
    }


def layout_json(module: Module, schema: Schema) -> dict[str, Any]:
    """Describe the one layout of a module, as ``GET /settings/layouts`` does."""
    plain = [each for each in module.fields if _in_form(each)]
    subforms = [each for each in module.fields if each.data_type == "subform"]
    return {
        "id": str(module.id + 1),
        "name": "Standard",
        "display_label": "Standard",
        "api_name": "Standard__s",
        "status": "active",
        "visible": True,
        "source": "crm",
        "generated_type": "system",
        "has_more_profiles": False,
        "show_business_card": True,
        "created_for": None,
        "profiles": [_layout_profile(module, each) for each in _profiles()],
        "convert_mapping": _convert_mapping(module, schema),
        "created_by": None,
        "created_time": FOUNDED,
        "modified_by": None,
        "modified_time": FOUNDED,
        "actions_allowed": {"edit": True, "rename": True, "clone": True, "downgrade": False,
                            "delete": False, "deactivate": False, "set_layout_permissions": True},
        "sections": [
            _section(module, schema, 1, f"{module.singular} Information", plain),
            *(
                _section(module, schema, number, each.label, [each])
                for number, each in enumerate(subforms, 2)
            ),
        ],
    }  # fmt: skip


def _layout_profile(module: Module, profile: dict[str, Any]) -> dict[str, Any]:
    """Say what a profile sees first of a module: its one layout."""
    view = {"name": "Standard", "id": str(module.id + 1), "type": "layout"}
    shown = dict.fromkeys(("_default_view", "_default_assignment_view"), view)
    return {**profile, **shown, "default": True, "type": "normal_profile"}


def choices_json(field: Field) -> list[dict[str, Any]]:
    """Describe the values of a picklist, in the CRM's order."""
    return [_choice(field, number, each) for number, each in enumerate(field.choices, 1)]


# -- the parts of a field ------------------------------------------------------------------------


def _identity(field: Field, module: Module) -> dict[str, Any]:
    """Give name, label and type of the field."""
    kind = DATA_TYPES.get(field.kind)
    return {
        "id": str(field.id),
        "api_name": field.api_name,
        "field_label": field.label,
        "display_label": field.label,
        "column_name": field.api_name.upper(),
        "data_type": field.data_type,
        "json_type": kind.json_type if kind else field.kind,
        "length": field.length,
        "decimal_place": field.decimals,
        "custom_field": field.custom,
        "system_mandatory": field.mandatory,
        "display_field": field.api_name == module.name_field,
        "type": "used",
    }


def _abilities(field: Field, module: Module) -> dict[str, Any]:
    """Describe what may be done with it, and by which users."""
    writable = not field.read_only and field.data_type not in {"autonumber", "layout"}
    queried = field.coql and field.data_type not in {"layout"}
    return {
        "read_only": not writable,
        "field_read_only": not writable,
        "visible": field.api_name not in HIDDEN,
        "virtual_field": field.column is None,
        **dict.fromkeys(("searchable", "filterable", "sortable"), queried),
        "mass_update": is_mass_updatable(field),
        "separator": field.data_type in {"integer", "bigint", "double", "currency", "decimal"},
        "operation_type": dict.fromkeys(
            ("web_update", "api_create", "web_create", "api_update"), writable
        ),
        "view_type": {"view": True, "edit": writable, "create": writable,
                      "quick_create": field.mandatory},
        "profiles": [{**each, "permission_type": "read_write" if writable else "read_only"}
                     for each in _profiles()],
        "layout_associations": [{"api_name": "Standard__s", "name": "Standard",
                                 "id": str(module.id + 1)}],
    }  # fmt: skip


def is_mass_updatable(field: Field) -> bool:
    """Whether mass update may write the field: no mail, lookup, long text or line items."""
    kinds = {"email", "lookup", "multi_module_lookup", "textarea", "layout", "subform",
             "multiselectlookup", "multiuserlookup", "autonumber"}  # fmt: skip
    return not (field.read_only or field.unique or field.data_type in kinds)


def _particulars(field: Field) -> dict[str, Any]:
    """Describe what only fields of some types have."""
    number = field.auto_number
    return {
        "pick_list_values": choices_json(field),
        "pick_list_values_sorted_lexically": False,
        **(
            {"textarea": {"type": TEXTAREAS.get(field.length, "large")}}
            if field.data_type == "textarea"
            else {}
        ),
        "enable_colour_code": any(each.colour for each in field.choices),
        "colour_code_enabled_by_system": False,
        "global_picklist": None,
        "currency": (
            {"rounding_option": "normal", "precision": 2} if field.data_type == "currency" else {}
        ),
        "unique": {"case_sensitive": False} if field.unique else {},
        "auto_number": {
            "prefix": number.prefix,
            "suffix": number.suffix,
            "start_number": number.start,
            "starting_number_length": number.width,
        }
        if number
        else {},
        "formula": {
            "return_type": field.returns,
            "sub_return_type": None,
            "dynamic": False,
            "stop_compute_conditionally": False,
            "assume_default": False,
            "expression": field.expression,
        }
        if field.data_type == "formula"
        else {},
    }


def _relations(field: Field, module: Module, schema: Schema) -> dict[str, Any]:
    """Describe the modules that it points to."""
    linked = field.data_type if field.data_type in {"multiselectlookup", "multiuserlookup"} else ""
    subform = (
        {"module": field.target, "id": str(schema.module(field.target).id)}
        if field.data_type == "subform" and field.target
        else None
    )
    return {
        "lookup": _lookup(field, module, schema),
        "multi_module_lookup": _several(field, schema),
        "multiselectlookup": {},
        **({linked: _links(field, module, schema)} if linked else {}),
        "associated_module": subform,
        **({"subform": subform} if subform else {}),
        "rollup_summary": _rollup(field, schema),
    }


def _formalities(field: Field, module: Module, schema: Schema) -> dict[str, Any]:
    """Fill the keys every field has and hardly any uses."""
    return {
        "convert_mapping": _becomes(field, module),
        "created_source": "default",
        "created_time": FOUNDED if field.custom else None,
        "modified_time": FOUNDED if field.custom else None,
        **({"quick_sequence_number": str(field.id // 1000 % 1000)} if field.mandatory else {}),
        "display_type": -1,
        "ui_type": 1,
        "email_parser": {"fields_update_supported": True, "record_operations_supported": True},
        "private": None,
        "crypt": None,
        "external": {"show": False, "type": "org"} if field.external else None,
        "history_tracking": _history_tracking(field, module, schema),
        "hipaa_compliance": None,
        "hipaa_compliance_enabled": False,
        "tooltip": None,
        **dict.fromkeys(("range", "parent_field", "child_fields", "address"), None),
        **dict.fromkeys(("display_format", "display_format_properties"), None),
        **dict.fromkeys(("association_details", "additional_column"), None),
        "public": False,
        "webhook": True,
        "businesscard_supported": field.coql and field.data_type != "textarea",
        "history_tracking_enabled": _history_tracking(field, module, schema) is not None,
        "customizable_properties": ["mandatory", "unique", "removal", "tooltip"]
        if field.custom
        else ["mandatory"],
    }


def _history_tracking(field: Field, module: Module, schema: Schema) -> dict[str, Any] | None:
    """Name the tracker that keeps the history of a picklist."""
    tracked = (module.api_name, field.api_name)
    for each in schema.trackers:
        if each.tracker and (each.tracker.module, each.tracker.field) == tracked:
            duration = each.by_name[each.tracker.duration]
            followed = [
                module.by_name[name] for _, name in each.tracker.copied if name in module.by_name
            ]
            return {
                "related_list_name": each.plural,
                "module": _minified(each),
                "duration_configured_field": {
                    "api_name": duration.api_name,
                    "id": str(duration.id),
                },
                "duration_configuration": "days",
                "followed_fields": [
                    {"api_name": name.api_name, "id": str(name.id)} for name in followed
                ],
            }
    return None


def _becomes(field: Field, module: Module) -> dict[str, str | None]:
    """Name the fields that take the value when a lead is converted."""
    if module.api_name != "Leads":
        return {}
    return {each: MAPPING[each].get(field.api_name) for each in CONVERTED_TO}


def _convert_mapping(module: Module, schema: Schema) -> dict[str, Any] | None:
    """Describe what the layout of Leads becomes, and which fields of a deal the page asks for."""
    if module.api_name != "Leads":
        return None
    layouts = {
        each: {"name": "Standard", "id": str(schema.modules[each].id + 1)} for each in CONVERTED_TO
    }
    deals = schema.modules["Deals"]
    targets = [
        {**_minified_field(deals.by_name[name]), "required": name != "Amount"}
        for name in ("Amount", "Deal_Name", "Closing_Date", "Stage", "Pipeline")
    ]
    return {**layouts, "Deals": {**layouts["Deals"], "fields": targets}}


def _choice(field: Field, number: int, choice: Choice) -> dict[str, Any]:
    """Describe one choice; those of a stage say what it means for the forecast."""
    value = {
        "display_value": choice.value,
        "actual_value": choice.value,
        "reference_value": choice.value,
        "sequence_number": number,
        "colour_code": choice.colour,
        "id": str(field.id + number),
        "type": "used" if choice.used else "unused",
        "maps": [],
    }
    if choice.probability is None:
        return value
    closed = {100: "Closed Won", 0: "Closed Lost"}.get(choice.probability, "Open")
    return {
        **value,
        "probability": choice.probability,
        "forecast_category": {"id": str(field.id + 500 + number), "name": choice.forecast},
        "forecast_type": closed,
        "deal_category": closed,
    }


def _lookup(field: Field, module: Module, schema: Schema) -> dict[str, Any]:
    """Name the target of a plain lookup; ``se_module`` stands for "one of several"."""
    if field.data_type != "lookup":
        return {}
    target = (
        _minified(schema.module(field.target))
        if field.target
        else {"api_name": "se_module", "id": str(field.id + 999)}
    )
    return {
        "display_label": module.plural,
        "api_name": module.list_name(field, field.target or ""),
        "id": str(field.id + 1),
        "module": target,
        "query_details": {},
        "revalidate_filter_during_edit": False,
        "show_fields": [],
    }


def _several(field: Field, schema: Schema) -> dict[str, Any]:
    """Name the targets of a multi-module lookup."""
    if field.data_type != "multi_module_lookup":
        return {}
    modules = [schema.module(each) for each in field.targets]
    return {
        "display_label": field.label,
        "api_name": field.api_name,
        "modules": [{**_minified(each), "module_name": each.plural} for each in modules],
    }


def _links(field: Field, module: Module, schema: Schema) -> dict[str, Any]:
    """Name the linking module of a multi-select lookup, and the module at its far end."""
    linking = schema.module(field.target or "")
    near, far = (each for each in linking.fields if each.data_type in {"lookup", "userlookup"})
    connected = schema.module(far.target or "")
    return {
        "linking_details": {
            "module": {**_minified(linking), "plural_label": linking.plural, "visibility": 1},
            "lookup_field": _minified_field(near),
            "connected_lookup_field": _minified_field(far),
        },
        "connected_details": {
            "field": _minified_field(far),
            "module": {**_minified(connected), "plural_label": connected.plural},
            "layouts": [{"api_name": "Standard", "id": str(connected.id + 1)}],
        },
        "related_list": {"display_label": module.plural, "api_name": module.api_name,
                         "id": str(field.id + 1)},
    }  # fmt: skip


def _rollup(field: Field, schema: Schema) -> dict[str, Any]:
    """Describe what a roll-up summarises."""
    rollup = field.rollup
    if rollup is None or field.data_type != "rollup_summary":
        return {}
    child = schema.module(rollup.module)
    return {
        "return_type": field.returns,
        "expression": {
            "function": rollup.function,
            "function_parameters": [{"api_name": rollup.column}],
            "criteria": _criterion(child, *rollup.where) if rollup.where else None,
        },
        "based_on_module": _minified(child),
        "related_list": {"api_name": child.api_name, "id": str(field.id + 1)},
        "rollup_based_on": "subform" if child.generated_type == "subform" else "related_list",
    }


def _criterion(module: Module, name: str, value: str) -> dict[str, Any]:
    """Write one criterion as custom views do."""
    field = module.by_name[name]
    return {"field": {"api_name": name, "id": str(field.id)}, "comparator": "equal",
            "value": value, "type": "value"}  # fmt: skip


def _section(
    module: Module, schema: Schema, number: int, name: str, fields: list[Field]
) -> dict[str, Any]:
    """Describe one section of a layout."""
    return {
        "id": str(module.id + 700 + number),
        "api_name": name.replace(" ", "_"),
        "name": name,
        "display_label": name,
        "type": "used",
        "sequence_number": number,
        "column_count": 2,
        "tab_traversal": "left_to_right",
        "generated_type": "default",
        "mode": "default_create",
        "actions_allowed": dict.fromkeys(SECTION_ACTIONS, False),
        "isSubformSection": fields[0].data_type == "subform",
        "properties": None,
        "fields": [
            {
                **field_json(each, module, schema),
                "required": each.mandatory,
                "default_value": each.default,
                "validation_rule": None,
                "refer_from_field": None,
                "section_id": number,
                "show_type": 7,
                "category": 0,
                "element_type": "field",
                "sequence_number": place,
            }
            for place, each in enumerate(fields, 1)
        ],
    }


def _in_form(field: Field) -> bool:
    """Whether the field stands in the main section of the layout."""
    return field.api_name not in HIDDEN and field.data_type not in {"subform", "layout"}


def _minified(module: Module) -> dict[str, Any]:
    """Mention a module, as other objects do."""
    return {"api_name": module.api_name, "id": str(module.id)}


def _minified_field(field: Field) -> dict[str, Any]:
    """Mention a field, as other objects do."""
    return {"api_name": field.api_name, "field_label": field.label, "id": str(field.id)}


def _profiles() -> list[dict[str, Any]]:
    """List the profiles; every one may see everything."""
    return [
        {"name": name, "id": str(PROFILES.first_record_id + number)}
        for number, name in enumerate(PROFILE_NAMES)
    ]


def _system_name(module: Module) -> str:
    """Give Zoho's internal name of the module."""
    return (
        f"CustomModule{module.id // 10**6 % 1000}"
        if module.generated_type == "custom"
        else module.api_name
    )
