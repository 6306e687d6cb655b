"""What the org knows about itself: modules, fields, users, the org. Asked once, remembered."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.errors import (
    APIError,
    NotFoundError,
    PermissionDenied,
    ScopeError,
    did_you_mean,
)
from zcrm_nb.frames import Column, directory
from zcrm_nb.state.process import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from zcrm_nb.api.pages import Send
    from zcrm_nb.frames import FrameOptions

__all__ = [
    "FIELD_COLUMNS",
    "MODULE_COLUMNS",
    "PICKLIST_COLUMNS",
    "USER_COLUMNS",
    "Catalogue",
    "choices",
    "field_row",
    "fields",
    "modules",
    "org",
    "related_lists",
    "users",
]

# The columns of crm.modules(), crm.fields(), crm.picklist() and crm.users(): what an analyst reads
# metadata for. Everything else is one crm.request("GET", "settings/…") away.
MODULE_COLUMNS = [
    Column("api_name", "text"),
    Column("singular_label", "text"),
    Column("plural_label", "text"),
    Column("generated_type", "text"),
    Column("api_supported", "boolean"),
    Column("creatable", "boolean"),
    Column("editable", "boolean"),
    Column("deletable", "boolean"),
    Column("id", "text"),
]
FIELD_COLUMNS = [
    Column("api_name", "text"),
    Column("field_label", "text"),
    Column("data_type", "text"),
    Column("length", "integer"),
    Column("mandatory", "boolean"),
    Column("custom_field", "boolean"),
    Column("read_only", "boolean"),
    Column("unique", "boolean"),
    Column("lookup", "text"),
    Column("returns", "text"),
    Column("values", "object"),
    Column("id", "text"),
]
PICKLIST_COLUMNS = [
    Column("display_value", "text"),
    Column("actual_value", "text"),
    Column("sequence_number", "integer"),
    Column("colour_code", "text"),
    Column("type", "text"),
    Column("probability", "integer"),
    Column("forecast_type", "text"),
    Column("id", "text"),
]
USER_COLUMNS = [
    Column("id", "text"),
    Column("full_name", "text"),
    Column("first_name", "text"),
    Column("last_name", "text"),
    Column("email", "text"),
    Column("role", "lookup"),
    Column("profile", "lookup"),
    Column("status", "text"),
    Column("time_zone", "text"),
]


def modules(send: Send) -> list[dict[str, Any]]:
    """Return the modules of the org as Zoho tells them; 1 credit."""
    return _resource(send, "settings/modules", "modules")


def fields(send: Send, module: str) -> list[dict[str, Any]]:
    """Return the fields of one module as Zoho tells them; 1 credit."""
    return _resource(send, "settings/fields", "fields", module=module)


def related_lists(send: Send, module: str) -> list[dict[str, Any]]:
    """Return the related lists of one module as Zoho tells them; 1 credit."""
    return _resource(send, "settings/related_lists", "related_lists", module=module)


def org(send: Send) -> dict[str, Any]:
    """Return what Zoho tells about the org; 1 credit."""
    return _resource(send, "org", "org")[0]


def users(send: Send) -> list[dict[str, Any]]:
    """Return all users, active or not; 1 credit for each 200."""
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        body = send("GET", f"{V8}users", params={"type": "AllUsers", "page": page, "per_page": 200})
        answer = orjson.loads(body) if body else {}
        found += answer.get("users", [])
        if not answer.get("info", {}).get("more_records"):
            return found
        page += 1


def _resource(send: Send, path: str, key: str, **params: str) -> list[dict[str, Any]]:
    """Return the list under ``key``; empty where Zoho answers 204."""
    body = send("GET", V8 + path, params=params)
    found: list[dict[str, Any]] = orjson.loads(body)[key] if body else []
    return found


def field_row(field: dict[str, Any]) -> dict[str, Any]:
    """Lay a field's nested metadata flat, as ``crm.fields()`` shows it."""
    return {
        **field,
        "mandatory": field.get("system_mandatory"),
        "unique": bool(field.get("unique")),
        "lookup": _lookup_target(field),
        "returns": (field.get("formula") or field.get("rollup_summary") or {}).get("return_type"),
        "values": [each["display_value"] for each in field.get("pick_list_values") or []] or None,
    }


def _lookup_target(field: dict[str, Any]) -> str | None:
    """Name the module, or modules, that a lookup points to."""
    one = (field.get("lookup") or {}).get("module") or {}
    several = (field.get("multi_module_lookup") or {}).get("modules") or []
    return one.get("api_name") or ", ".join(each["api_name"] for each in several) or None


def choices(field: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a picklist's values; ``ValueError`` where the field has none."""
    values: list[dict[str, Any]] = field.get("pick_list_values") or []
    if not values:
        raise ValueError(f"{field['api_name']} is of type {field['data_type']}: it has no values.")
    return sorted(values, key=lambda each: each.get("sequence_number") or 0)


class Catalogue(ProcessBound):
    """The org's metadata, each part asked for once and kept for as long as the CRM object lives.

    Parameters
    ----------
    send : callable
        Sends one call, as :meth:`zcrm_nb.wire.gate.Gate.send` does.
    """

    def __init__(self, send: Send) -> None:
        self.send = send
        self._kept: dict[str, Any] = {}
        self._lock = threading.RLock()

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    def forget(self) -> None:
        """Drop everything, so that changes made in Zoho's set-up pages are seen."""
        with self._lock:
            self._kept.clear()

    def _once(self, key: str, ask: Callable[[], Any]) -> Any:
        """Ask, unless it was asked before."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = ask()
            return self._kept[key]

    def known(self, key: str) -> Any:
        """Return what is already known under ``"org"``, or ``None``; never asks."""
        return self._kept.get(key)

    def org(self) -> dict[str, Any]:
        """Return the org."""
        found: dict[str, Any] = self._once("org", lambda: org(self.send))
        return found

    def time_zone(self) -> str | None:
        """Return the name of the org's time zone."""
        with suppress(PermissionDenied, ScopeError):  # then advice on times is written in UTC
            zone = self.org().get("time_zone")
            return zone if isinstance(zone, str) else None
        return None

    def zone(self, tz: str) -> str:
        """Return an IANA zone, the org's own for ``"org"``."""
        return str(self.org()["time_zone"]) if tz == "org" else tz

    def in_zone(self, options: FrameOptions) -> FrameOptions:
        """Return options of a table with ``tz="org"`` replaced by the org's own zone."""
        return {**options, "tz": self.zone(options.get("tz", "UTC"))}

    def modules(self) -> dict[str, dict[str, Any]]:
        """Return the modules by API name."""
        found: dict[str, dict[str, Any]] = self._once(
            "modules", lambda: {each["api_name"]: each for each in modules(self.send)}
        )
        return found

    def fields(self, module: str) -> dict[str, dict[str, Any]]:
        """Return the fields of a module by API name; ``NotFoundError`` for an unknown module."""
        self._check_module(module)
        found: dict[str, dict[str, Any]] = self._once(
            f"fields {module}",
            lambda: {each["api_name"]: each for each in fields(self.send, module)},
        )
        return found

    def forecast_types(self, module: str, table: pd.DataFrame) -> dict[str, dict[str, str]]:
        """Return what each stage in a table means (open, won, lost); never asks.

        Stages that are no longer used are left out, unless a record still has one.
        """
        fields = self.known(f"fields {module}") or {}
        types: dict[str, dict[str, str]] = {}
        for name in fields.keys() & set(table.columns):
            for value in fields[name].get("pick_list_values") or ():
                stage, kind = value.get("display_value"), value.get("forecast_type")
                if kind and (value.get("type") != "unused" or (table[name] == stage).any()):
                    types.setdefault(name, {})[stage] = kind
        return types

    def related_lists(self, module: str) -> dict[str, dict[str, Any]]:
        """Return the related lists of a module by API name."""
        self._check_module(module)
        found: dict[str, dict[str, Any]] = self._once(
            f"related_lists {module}",
            lambda: {each["api_name"]: each for each in related_lists(self.send, module)},
        )
        return found

    def users(self) -> list[dict[str, Any]]:
        """Return the users."""
        found: list[dict[str, Any]] = self._once("users", lambda: users(self.send))
        return found

    def directory(self) -> dict[str, str] | None:
        """Return users' full names by id, or ``None`` where this login may not read users."""
        try:
            return directory(self.users())
        except (APIError, ScopeError):
            return None

    def field(self, module: str, name: str) -> dict[str, Any]:
        """Return one field; ``NotFoundError`` with a suggestion for an unknown name."""
        known = self.fields(module)
        if name not in known:
            raise NotFoundError(
                f"{module} has no field {name!r}; nothing was sent.",
                "",
                did_you_mean(name, known) or f"crm.fields({module!r}) lists the fields.",
                code="INVALID_FIELD",
                details={"module": module, "api_name": name},
            )
        return known[name]

    def _check_module(self, module: str) -> None:
        """Refuse a module that the org does not have, or that the API cannot read."""
        known = self.modules()
        if module not in known:
            raise NotFoundError(
                f"There is no module {module!r} in this org; nothing was sent.",
                "",
                did_you_mean(module, known) or "crm.modules() lists the modules.",
                code="INVALID_MODULE",
                details={"module": module},
            )
