"""Users, Roles and Profiles: not record modules, but COQL's paths walk through them."""

from __future__ import annotations

from dataclasses import replace

from zcrm_nb.emulator.catalog.builders import (
    FIELD_STEP,
    IDENTITY,
    MODULE_STEP,
    choices,
    field,
    fields,
)
from zcrm_nb.emulator.storage.schema import ORG_PREFIX, Field, Module

#: When the org was made.
FOUNDED = "2022-04-01T10:00:00+05:30"
#: Each role, and the one it reports to.
ROLE_NAMES: dict[str, str | None] = {
    "CEO": None,
    "Sales Director": "CEO",
    "Regional Manager": "Sales Director",
    "Sales Executive": "Regional Manager",
    "Support Engineer": "CEO",
}
PROFILE_NAMES = {
    "Administrator": "Can do everything",
    "Standard": "Can work with records, cannot change the setup",
    "Read Only": "Can look, not touch",
}
USER_STATUS = choices("active", "inactive", "deleted", "disabled")[1:]


def _directory(number: int, api_name: str, name_field: str, lines: list[Field]) -> Module:
    """Make a module without the fields records carry; keys in lower case are Zoho's."""
    base = ORG_PREFIX + number * MODULE_STEP
    numbered = [replace(each, id=base + n * FIELD_STEP) for n, each in enumerate(lines, 1)]
    return Module(
        api_name, api_name[:-1], api_name, base, name_field, tuple(numbered), api_supported=False
    )


USERS = _directory(40, "Users", "full_name", [
    IDENTITY,
    field("zuid", "text"),
    field("first_name", "text"),
    field("last_name", "text"),
    field("full_name", "text", derived="trim(coalesce(first_name || ' ', '') || last_name)"),
    field("email", "email"),
    field("alias", "text"),
    field("status", "picklist", choices=USER_STATUS, default="active"),
    field("confirm", "boolean", default=1),
    field("role", "lookup", target="Roles", indexed=False),
    field("profile", "lookup", target="Profiles", indexed=False),
    field("Reporting_To", "ownerlookup", target="Users"),
    field("created_by", "ownerlookup", target="Users"),
    field("created_time", "datetime"),
    field("Modified_By", "ownerlookup", target="Users"),
    field("Modified_Time", "datetime"),
    *fields("text", "time_zone locale language country country_locale date_format time_format"),
    *fields("phone", "phone mobile fax"),
    field("website", "website"),
    *fields("text", "street city state zip dob signature"),
    field("microsoft", "boolean"),
    field("personal_account", "boolean"),
    field("Isonline", "boolean"),
    field("type__s", "text", default="Regular User"),
])  # fmt: skip

ROLES = _directory(41, "Roles", "name", [
    IDENTITY,
    field("name", "text"),
    field("reporting_to", "lookup", target="Roles", indexed=False),
    field("share_data_with_peers", "boolean"),
    field("description", "text"),
])  # fmt: skip

PROFILES = _directory(42, "Profiles", "name", [
    IDENTITY,
    field("name", "text"),
    field("description", "text"),
    field("created_by", "ownerlookup", target="Users"),
    field("created_time", "datetime"),
    field("modified_by", "ownerlookup", target="Users"),
    field("modified_time", "datetime"),
])  # fmt: skip

DIRECTORY: tuple[Module, ...] = (ROLES, PROFILES, USERS)
