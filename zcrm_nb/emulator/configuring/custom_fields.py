"""Custom fields: made, changed and deleted through the API, and then like any other field."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zcrm_nb.emulator.catalog import builders
from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.describing.metadata import requested_module
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Answer, Request
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import customizing
from zcrm_nb.emulator.storage.schema import DATA_TYPES, Choice

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module

KEY = "fields"
MOST_FIELDS = 5
LABEL_LENGTH = 50
PICKLISTS = ("picklist", "multiselectpicklist")
#: Types of fields that can be made here, and those that only Zoho can make.
TYPES = (
    *("text", "textarea", "email", "phone", "website", *PICKLISTS, "boolean"),
    *("date", "datetime", "integer", "bigint", "double", "currency", "percent"),
    *("lookup", "userlookup"),
)
ONLY_ZOHO = (
    *("autonumber", "fileupload", "imageupload", "multiselectlookup", "multiuserlookup"),
    *("formula", "rollup_summary", "address"),
)


def post_fields(org: Org, request: Request) -> Answer:
    """``POST /settings/fields?module=``: make up to five custom fields."""
    module = _customizable(org, request)

    def create(item: Item, path: str) -> Item:
        bodies.required(item, ("field_label", "data_type"), path)
        field = _made(org, org.schema.modules[module.api_name], item, path)
        field = customizing.add_field(org.store, module.api_name, field)
        return bodies.done("field created", field.id)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY, MOST_FIELDS), create, 201)


def patch_fields(org: Org, request: Request) -> Answer:
    """``PATCH /settings/fields?module=``: change fields by their ids."""
    module = _customizable(org, request)

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        field = _field(org, module, item["id"])
        if field is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _changed(org, module, field, item, path)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY, MOST_FIELDS), change)


def patch_field(org: Org, request: Request, field_id: str) -> Answer:
    """``PATCH /settings/fields/{id}?module=``: change one field."""
    module = _customizable(org, request)
    field = _field(org, module, field_id)
    if field is None:
        raise bodies.unknown_id()

    def change(item: Item, path: str) -> Item:
        return _changed(org, module, field, item, path)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY, 1), change)


def delete_field(org: Org, request: Request, field_id: str) -> Answer:
    """``DELETE /settings/fields/{id}?module=``: delete a custom field, with its values."""
    module = _customizable(org, request)
    field = _field(org, module, field_id)
    if field is None:
        raise bodies.unknown_id()

    def delete(item: Item, path: str) -> Item:
        if not field.custom or not customizing.is_added(org.store, module.api_name, field.api_name):
            message = "only custom fields that came through the API can be deleted"
            raise Refusal(400, "NOT_ALLOWED", message, {"id": str(field.id)})
        customizing.remove_field(org.store, module.api_name, field.api_name)
        return bodies.done("field deleted", field.id)

    return bodies.each_of(org, KEY, [{}], delete)


def _customizable(org: Org, request: Request) -> Module:
    """Find the module of a request; subforms and links have no custom fields here."""
    module = requested_module(org, request)
    if module.generated_type not in {"default", "custom"} or not module.api_supported:
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"api_name": "module"})
    return module


def _field(org: Org, module: Module, field_id: object) -> Field | None:
    """Find a field of a module, as it is now, by its id."""
    fields = org.schema.modules[module.api_name].fields
    return next((each for each in fields if str(each.id) == str(field_id)), None)


def _made(org: Org, module: Module, item: Item, path: str) -> Field:
    """Check what is sent for a new field, and build it."""
    label = _label(module, item["field_label"], f"{path}.field_label")
    kind = item["data_type"]
    if kind in ONLY_ZOHO:
        raise not_emulated(f"Making fields of the type {kind}")
    if kind not in TYPES:
        raise bodies.invalid("data_type", f"{path}.data_type", supported_values=list(TYPES))
    extras: Item = {"label": label, "custom": True}
    if item.get("length") is not None and DATA_TYPES[kind].column == "TEXT":
        extras["length"] = _length(kind, item["length"], f"{path}.length")
    if kind in PICKLISTS:
        bodies.required(item, ("pick_list_values",), path)
        extras["choices"] = _choices(item["pick_list_values"], f"{path}.pick_list_values")
    if item.get("unique"):
        extras["unique"] = True
    if kind == "lookup":
        extras["target"] = _target(org, item, path)
    if kind == "userlookup":
        extras["target"] = "Users"
    return builders.field(_api_name(module, label), kind, **extras)


def _label(module: Module, value: object, path: str) -> str:
    """Check the label of a field; no two fields of a module have the same."""
    label = str(bodies.checked(value, "string", path)).strip()
    if not re.search(r"[A-Za-z]", label):
        raise bodies.invalid("field_label", path)
    if len(label) > LABEL_LENGTH:
        raise bodies.invalid("field_label", path, maximum_length=LABEL_LENGTH)
    if any(each.label.lower() == label.lower() for each in module.fields):
        raise bodies.duplicate("field_label", path)
    return label


def _api_name(module: Module, label: str) -> str:
    """Make the API name that Zoho makes of a label; a number tells it from one that is taken."""
    name = re.sub(r"\W+", "_", label, flags=re.ASCII).strip("_")
    name = name if name[0].isalpha() else f"field_{name}"
    taken = {each.lower() for each in module.by_name}
    number, free = 1, name
    while free.lower() in taken:
        free, number = f"{name}{number}", number + 1
    return free


def _length(kind: str, value: object, path: str) -> int:
    """Check the length of a text."""
    length = int(bodies.checked(value, "integer", path))
    most = DATA_TYPES[kind].length
    if not 1 <= length <= most:
        raise bodies.invalid("length", path, maximum_length=most)
    return length


def _choices(sent: object, path: str) -> tuple[Choice, ...]:
    """Read the values of a new picklist, ``-None-`` first as Zoho does it."""
    values = []
    for number, each in enumerate(bodies.checked(sent, "jsonarray", path)):
        at = f"{path}[{number}]"
        bodies.required(bodies.checked(each, "jsonobject", at), ("display_value",), at)
        values.append(str(bodies.checked(each["display_value"], "string", f"{at}.display_value")))
        if values[-1] in values[:-1]:
            raise bodies.duplicate("display_value", f"{at}.display_value")
    return builders.choices(*(each for each in values if each != "-None-"))


def _target(org: Org, item: Item, path: str) -> str:
    """Find the module that a new lookup points to."""
    bodies.required(item, ("lookup",), path)
    lookup = bodies.checked(item["lookup"], "jsonobject", f"{path}.lookup")
    bodies.required(lookup, ("module",), f"{path}.lookup")
    named = bodies.checked(lookup["module"], "jsonobject", f"{path}.lookup.module")
    module = org.schema.modules.get(str(named.get("api_name")))
    if module is None or module.generated_type not in {"default", "custom"}:
        raise bodies.invalid("api_name", f"{path}.lookup.module.api_name")
    return module.api_name


def _changed(org: Org, module: Module, field: Field, item: Item, path: str) -> Item:
    """Change one field: its label, or the values of its picklist."""
    change: Item = {}
    if item.get("field_label") not in (None, field.label):
        present = org.schema.modules[module.api_name]
        change["label"] = _label(present, item["field_label"], f"{path}.field_label")
    if item.get("pick_list_values") is not None:
        if field.data_type not in PICKLISTS:
            raise bodies.invalid("pick_list_values", f"{path}.pick_list_values")
        change["choices"] = _new_choices(field, item["pick_list_values"], path)
    customizing.change_field(org.store, module.api_name, replace(field, **change))
    return bodies.done("field updated", field.id)


def _new_choices(field: Field, sent: object, path: str) -> tuple[Choice, ...]:
    """Add values to a picklist, rename some, take others out of use."""
    kept = list(field.choices)
    for number, each in enumerate(bodies.checked(sent, "jsonarray", f"{path}.pick_list_values")):
        at = f"{path}.pick_list_values[{number}]"
        value = bodies.checked(each, "jsonobject", at).get("display_value")
        place = _place(field, each, at)
        if place is None:
            bodies.required(each, ("display_value",), at)
            kept.append(Choice(str(bodies.checked(value, "string", f"{at}.display_value"))))
            continue
        unused = each.get("type") == "unused" or bool(each.get("_delete"))
        kept[place] = replace(kept[place], value=value or kept[place].value, used=not unused)
    return tuple(kept)


def _place(field: Field, sent: Item, path: str) -> int | None:
    """Find the value of a picklist that is meant, by its id or by itself."""
    for place, each in enumerate(field.choices):
        if str(sent.get("id")) == str(field.id + place + 1):
            return place
        if sent.get("id") is None and sent.get("display_value") == each.value:
            return place
    if sent.get("id") is not None:
        raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
    return None


_PATH = f"{V8}/settings/fields"

ROUTES = tuple(
    Route(
        method,
        path,
        handler,
        what,
        (f"ZohoCRM.settings.fields.{operation}",),
        honours=("module",),
    )
    for method, path, handler, what, operation in (
        ("POST", _PATH, post_fields, "make custom fields", "CREATE"),
        ("PATCH", _PATH, patch_fields, "change fields", "UPDATE"),
        ("PATCH", f"{_PATH}/{{field_id}}", patch_field, "change one field", "UPDATE"),
        ("DELETE", f"{_PATH}/{{field_id}}", delete_field, "delete a custom field", "DELETE"),
    )
)
