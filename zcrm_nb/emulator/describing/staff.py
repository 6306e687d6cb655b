"""Roles and profiles of the people who work in the org."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.directory import FOUNDED
from zcrm_nb.emulator.query.conditions import EVERYTHING, Condition
from zcrm_nb.emulator.records.table import Table
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.world import ADMIN

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

Item = dict[str, Any]

ACTIONS = ("View", "Create", "Edit", "Delete")
READ_ONLY = "Read Only"


def get_roles(org: Org, request: Request) -> Answer:
    """``GET /settings/roles``: all roles, the highest first."""
    return json_answer({"roles": [_role(org, each) for each in _read(org, "Roles")]})


def get_role(org: Org, request: Request, role_id: str) -> Answer:
    """``GET /settings/roles/{id}``: one role."""
    roles = _read(org, "Roles", _identified(role_id))
    return json_answer({"roles": [_role(org, each) for each in roles]}) if roles else NOTHING


def get_profiles(org: Org, request: Request) -> Answer:
    """``GET /settings/profiles``: all profiles, without their permissions."""
    return json_answer({"profiles": [_profile(org, each) for each in _read(org, "Profiles")]})


def get_profile(org: Org, request: Request, profile_id: str) -> Answer:
    """``GET /settings/profiles/{id}``: one profile, with its permissions on modules."""
    profiles = _read(org, "Profiles", _identified(profile_id))
    if not profiles:
        return NOTHING
    (profile,) = profiles
    shown = _profile(org, profile) | _permissions(org, profile)
    return json_answer({"profiles": [shown]})


def _read(org: Org, name: str, where: Condition = EVERYTHING) -> list[Item]:
    """Read roles or profiles in the order of their ids."""
    module = org.schema.directory[name]
    return Table(org.store, module, module.fields).read(where, "r.id", parameters.PER_PAGE)[0]


def _identified(text: str) -> Condition:
    """Read the id of an address, or refuse with ``INVALID_DATA``."""
    if not parameters.is_id(text):
        message = "the id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 2})
    return Condition("r.id = ?", (int(text),))


def _role(org: Org, row: Item) -> Item:
    """Describe a role; whoever has the highest one sees what everyone has."""
    founder = _founder(org)
    return {
        "id": row["id"],
        "name": row["name"],
        "display_label": row["name"],
        "api_name": row["name"].replace(" ", "_"),
        "description": row["description"],
        "reporting_to": row["reporting_to"],
        "forecast_manager": None,
        "share_with_peers": row["reporting_to"] is None or bool(row["share_data_with_peers"]),
        **dict.fromkeys(("created_by__s", "modified_by__s"), founder),
        **dict.fromkeys(("created_time__s", "modified_time__s"), FOUNDED),
    }


def _profile(org: Org, row: Item) -> Item:
    """Describe a profile; all came with the org."""
    return {
        "id": row["id"],
        "name": row["name"],
        "display_label": row["name"],
        "api_name": row["name"].replace(" ", "_"),
        "description": row["description"],
        "type": "normal_profile",
        "custom": False,
        **dict.fromkeys(("created_by", "modified_by"), _founder(org)),
        **dict.fromkeys(("created_time", "modified_time"), FOUNDED),
    }


def _founder(org: Org) -> Item:
    """Mention the administrator, who made what came with the org."""
    ((name,),) = org.store.read("SELECT full_name FROM Users WHERE id = ?", (ADMIN,))
    return {"name": name, "id": str(ADMIN)}


def _permissions(org: Org, profile: Item) -> Item:
    """List what a profile permits in each module, and group it by module."""
    permissions: list[Item] = []
    categories: list[Item] = []
    for module in org.schema.modules.values():
        own = [
            {
                "id": str(module.id + 600 + number),
                "name": f"Crm_Implied_{action}_{module.api_name}",
                "display_label": action,
                "enabled": action == "View" or profile["name"] != READ_ONLY,
                "customizable": True,
                "module": module.api_name,
            }
            for number, action in enumerate(ACTIONS)
            if module.api_supported
        ]
        names = [each["name"] for each in own]
        label = {"name": module.api_name, "display_label": module.plural}
        permissions += own
        categories += [label | {"module": module.api_name, "permissions_details": names}] * bool(
            own
        )
    sections = [{"name": "ModulePermissions", "categories": categories}]
    return {"permissions_details": permissions, "sections": sections}


_ROLES = ("ZohoCRM.settings.roles.READ",)
_PROFILES = ("ZohoCRM.settings.profiles.READ",)

ROUTES = (
    Route("GET", f"{V8}/settings/roles", get_roles, "all roles", _ROLES),
    Route("GET", f"{V8}/settings/roles/{{role_id}}", get_role, "one role", _ROLES),
    Route("GET", f"{V8}/settings/profiles", get_profiles, "all profiles", _PROFILES),
    Route(
        "GET",
        f"{V8}/settings/profiles/{{profile_id}}",
        get_profile,
        "one profile, with its permissions on modules",
        _PROFILES,
    ),
)
