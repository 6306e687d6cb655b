"""Metadata and directories with missing, null and contradicting entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.rough.kinds import Alter, Kind, Payload, refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request

WITHOUT_FIELDS, FIELDS_REFUSED, REFUSED = "Vendors", "Products", "Campaigns"
"""Modules that the kinds about whole modules hit."""

DELETED_USER = "410888000099999999"
SCALARS = {"text", "currency", "integer", "bigint", "double", "picklist", "website", "phone"}


def contradicts(chance: Chance, api_name: str) -> bool:
    """Whether the ``json_type`` of a field contradicts its ``data_type``."""
    return chance.hits(6, "contradicting_types", api_name)


def _fields(request: Request, payload: Payload) -> list[dict[str, Any]]:
    """Give the fields that a response describes."""
    fields = payload.get("fields")
    described = request.path.startswith("/crm/v8/settings/fields") and isinstance(fields, list)
    return fields if described and isinstance(fields, list) else []


def _hit(chance: Chance, request: Request, payload: Payload, kind: str) -> Iterator[dict[str, Any]]:
    """Give the fields that a kind hits: one in five, the id never."""
    for field in _fields(request, payload):
        name = field.get("api_name")
        if name and name != "id" and chance.hits(5, kind, name):
            yield field


def _without_name(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _fields(request, payload)[:1]:
        nameless = {key: value for key, value in field.items() if key != "api_name"}
        payload["fields"] = [nameless, {**nameless, "api_name": None}, *payload["fields"]]


def _without_type(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _hit(chance, request, payload, "fields_without_type"):
        key = chance.pick(("data_type", "json_type"), field["api_name"], "key")
        if chance.hits(2, field["api_name"], "null"):
            field[key] = None
        else:
            field.pop(key, None)


def _unknown_type(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _hit(chance, request, payload, "unknown_data_types"):
        field["data_type"] = chance.pick(("hologram", "rollup_summary_v2", ""), field["api_name"])


def _contradicting(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _fields(request, payload):
        name = field.get("api_name")
        if name and field.get("data_type") in SCALARS and contradicts(chance, name):
            field["json_type"] = "jsonobject"


def _null_properties(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _hit(chance, request, payload, "null_properties"):
        for key in field.keys() - {"api_name", "data_type", "json_type"}:
            field[key] = None


def _repeated(chance: Chance, request: Request, payload: Payload) -> None:
    for field in list(_hit(chance, request, payload, "repeated_fields")):
        payload["fields"].append({**field, "data_type": "text", "json_type": "string"})


def _broken_picklists(chance: Chance, request: Request, payload: Payload) -> None:
    for field in _fields(request, payload):
        for number, value in enumerate(field.get("pick_list_values") or ()):
            if number % 3 == 0:
                value.pop("display_value", None)
            elif number % 3 == 1:
                value["display_value"] = None
            value["sequence_number"] = str(value.get("sequence_number"))


def _modules(chance: Chance, request: Request, payload: Payload) -> None:
    modules = payload.get("modules")
    if request.path == "/crm/v8/settings/modules" and isinstance(modules, list) and modules:
        nameless = {key: value for key, value in modules[0].items() if key != "api_name"}
        payload["modules"] = [nameless, {**nameless, "api_name": None}, None, *modules, modules[-1]]


def _no_fields(chance: Chance, request: Request) -> Answer | None:
    return NOTHING if _is_for_fields(request, WITHOUT_FIELDS) else None


def _fields_refused(chance: Chance, request: Request) -> Answer | None:
    if not _is_for_fields(request, FIELDS_REFUSED):
        return None
    message = "the module name given seems to be invalid"
    return refusal(400, "INVALID_MODULE", message)


def _is_for_fields(request: Request, module: str) -> bool:
    """Whether a request asks for the fields of a module."""
    return request.path == "/crm/v8/settings/fields" and request.params.get("module") == module


def _module_refused(chance: Chance, request: Request) -> Answer | None:
    names_it = f"/crm/v8/{REFUSED}" in request.path or request.params.get("module") == REFUSED
    queries = request.path.endswith("/coql") and f"from {REFUSED}".encode() in request.body
    if not (names_it or queries):
        return None
    needed = [f"Crm_Implied_View_{REFUSED}"]
    return refusal(403, "NO_PERMISSION", "permission denied", permissions=needed)


def _users(alter: Callable[[Chance, list[dict[str, Any]]], None]) -> Alter:
    """Make a kind that changes the users of a response."""

    def change(chance: Chance, request: Request, payload: Payload) -> None:
        if request.path.startswith("/crm/v8/users") and isinstance(payload.get("users"), list):
            alter(chance, payload["users"])

    return change


def _without_id(chance: Chance, users: list[dict[str, Any]]) -> None:
    for number, user in enumerate(users):
        if number % 3 == 0:
            user.pop("id", None)
        elif number % 3 == 1:
            user.update(id=None, full_name=None, email=None, role=None, profile=None)


def _deleted_owners(chance: Chance, request: Request, payload: Payload) -> None:
    for record in payload["data"] if isinstance(payload.get("data"), list) else ():
        owner = record.get("Owner") if isinstance(record, dict) else None
        if isinstance(owner, dict) and chance.hits(3, "deleted_owners", record.get("id")):
            record["Owner"] = chance.pick(
                ({"id": DELETED_USER}, {"name": None, "id": DELETED_USER, "email": None}, None),
                record.get("id"),
            )


def _no_zone(chance: Chance, request: Request, payload: Payload) -> None:
    for org in payload["org"] if request.path == "/crm/v8/org" and "org" in payload else ():
        org["time_zone"] = None
        org.pop("currency_symbol", None)


KINDS = {
    "fields_without_name": Kind(
        "fields without `api_name`, or with null in its place", alter=_without_name
    ),
    "fields_without_type": Kind(
        "some fields lack `data_type` or `json_type`, or have null there", alter=_without_type
    ),
    "unknown_data_types": Kind("fields of undocumented data types", alter=_unknown_type),
    "contradicting_types": Kind(
        "fields whose `json_type` says object where `data_type` says text or number; so do values",
        alter=_contradicting,
    ),
    "null_properties": Kind(
        "fields with null in every property but name and types", alter=_null_properties
    ),
    "repeated_fields": Kind("fields listed twice, with other types", alter=_repeated),
    "broken_picklists": Kind(
        "picklist values without `display_value`, and with `sequence_number` as text",
        alter=_broken_picklists,
    ),
    "modules_without_name": Kind(
        "modules without `api_name`, a null in the list, one module listed twice", alter=_modules
    ),
    "no_fields": Kind(f"the fields of {WITHOUT_FIELDS} are answered 204", _no_fields),
    "fields_refused": Kind(
        f"the fields of {FIELDS_REFUSED} are refused with INVALID_MODULE", _fields_refused
    ),
    "module_refused": Kind(f"{REFUSED} is refused with NO_PERMISSION", _module_refused),
    "users_without_id": Kind(
        "users without an id, with null for id, name, role and profile", alter=_users(_without_id)
    ),
    "deleted_owners": Kind(
        "records whose owner no directory has, with or without a name, or null",
        alter=_deleted_owners,
    ),
    "org_without_zone": Kind("the org has no time zone and no currency symbol", alter=_no_zone),
}
