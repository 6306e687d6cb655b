"""Metadata and directories of the org: modules, fields, related lists, users, the org.

Nothing of it is believed: Zoho leaves out keys, sends nulls, and describes fields in ways that no
page knows. What can be read is read; what cannot be understood is left out, with a warning.
"""

from __future__ import annotations

import threading
import time
import warnings
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd

from zcrm_nb.api.org_settings import Currency, currencies
from zcrm_nb.api.pages import V8, numbered_pages
from zcrm_nb.api.picklists import forecast_type, forecast_types
from zcrm_nb.errors import (
    LABELS,
    DataWarning,
    NotFoundError,
    PermissionDenied,
    ScopeError,
    ZohoError,
    by_label,
    levels_up,
)
from zcrm_nb.frames import Column, directory, entries_of, parse_json
from zcrm_nb.later import later
from zcrm_nb.state.files import ProcessBound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zcrm_nb import coql
    from zcrm_nb.api.pages import Send
    from zcrm_nb.coql.fields import Field
    from zcrm_nb.coql.lint import Examined
    from zcrm_nb.frames import FrameOptions
else:
    (coql,) = later("zcrm_nb", "coql")

__all__ = [
    "FIELD_COLUMNS",
    "MODULE_COLUMNS",
    "PROFILE_COLUMNS",
    "ROLE_COLUMNS",
    "USER_COLUMNS",
    "Catalogue",
    "Module",
    "Org",
    "User",
    "field_row",
    "fields",
    "modules",
    "org",
    "profiles",
    "related_lists",
    "roles",
    "users",
    "views",
]

T = TypeVar("T", bound="Mapping[str, object]")


class Module(TypedDict, total=False):
    """A module as Zoho describes it; only ``api_name`` is certain."""

    api_name: str
    module_name: str | None
    singular_label: str | None
    plural_label: str | None
    generated_type: str | None
    api_supported: bool | None
    id: str | None


class User(TypedDict, total=False):
    """A user as Zoho lists them; nothing is certain."""

    id: str | None
    full_name: str | None
    last_name: str | None
    email: str | None
    status: str | None


class Org(TypedDict, total=False):
    """The org as Zoho describes it; nothing is certain."""

    id: str | None
    zgid: str | None
    company_name: str | None
    time_zone: str | None
    license_details: dict[str, Any]


# Keys of a field that hold objects.
_OBJECTS = (
    "lookup",
    "multi_module_lookup",
    "formula",
    "rollup_summary",
    "associated_module",  # its module is text
    "subform",
    "multiselectlookup",
    "multiuserlookup",
    "textarea",
)

# The columns of crm.modules(), crm.fields(), crm.users() and their like: what an analyst reads
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
ROLE_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("reporting_to", "lookup"),
    Column("share_with_peers", "boolean"),
    Column("description", "text"),
]
PROFILE_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("type", "text"),
    Column("custom", "boolean"),
    Column("description", "text"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
]


def _named(entries: Iterable[T], what: str) -> dict[str, T]:
    """Return entries by API name; those without one are left out with a warning."""
    entries = list(entries)
    named = {name: e for e in entries if isinstance(name := e.get("api_name"), str) and name}
    if nameless := [e for e in entries if not isinstance(e.get("api_name"), str)]:
        labels = [str(e.get(key)) for e in nameless for key in LABELS if e.get(key)]
        _warn(
            f"{len(nameless)} of {len(entries)} {what} have no API name and are left out"
            f"{': ' + ', '.join(dict.fromkeys(labels)) if labels else ''}."
        )
    return named


def _warn(message: str) -> None:
    """Warn at the line that called this package."""
    warnings.warn(message, DataWarning, stacklevel=levels_up())


def modules(send: Send) -> dict[str, dict[str, Any]]:
    """Return the modules of the org by API name; 1 credit."""
    return _named(_listed(send, "settings/modules", "modules"), "modules")


def fields(send: Send, module: str) -> dict[str, Field]:
    """Return the fields of a module by API name; 1 credit."""
    listed = _listed(send, "settings/fields", "fields", module=module)
    named = _named(map(_field, listed), f"fields of {module}")
    if untyped := [name for name, field in named.items() if not field["data_type"]]:
        _warn(
            f"Zoho does not say which type {', '.join(untyped)} of {module} has: read as Python "
            "objects, as Zoho sends them."
        )
    return named


def _field(field: dict[str, Any]) -> Field:
    """Return a field whose type is text and whose objects are objects."""
    objects = {key: _object(field[key]) for key in _OBJECTS if key in field}
    if "lookup" in objects:
        objects["lookup"] = _with_module(objects["lookup"])
    values = field.get("pick_list_values")
    data_type = field.get("data_type")
    typed = {
        **field,
        **objects,
        "data_type": data_type if isinstance(data_type, str) else "",
        "pick_list_values": [v for each in _list(values) if (v := _pick_list_value(each))],
    }
    return cast("Field", typed)


def _object(value: Any) -> dict[str, Any]:
    """Return an object; an empty one where Zoho sent something else."""
    return value if isinstance(value, dict) else {}


def _with_module(described: dict[str, Any]) -> dict[str, Any]:
    """Return a lookup or related list whose ``module`` is an object, if it is there at all."""
    module = described.get("module")
    if "module" not in described or isinstance(module, dict):
        return described
    return {**described, "module": {"api_name": module} if isinstance(module, str) else {}}


def _pick_list_value(value: Any) -> dict[str, Any] | None:
    """Return a value of a picklist with a text to display, or ``None``."""
    if not isinstance(value, dict):
        return None
    shown = [value.get(key) for key in ("display_value", "actual_value")]
    text = next((text for text in shown if isinstance(text, str)), None)
    return None if text is None else {**value, "display_value": text}


def _list(value: Any) -> list[Any]:
    """Return a list; an empty one where Zoho sent something else."""
    return value if isinstance(value, list) else []


def related_lists(send: Send, module: str) -> dict[str, dict[str, Any]]:
    """Return the related lists of a module by API name; 1 credit."""
    listed = _listed(send, "settings/related_lists", "related_lists", module=module)
    return _named(map(_with_module, listed), f"related lists of {module}")


def views(send: Send, module: str) -> list[dict[str, Any]]:
    """Return the custom views of a module; 1 credit for each 200."""

    def page(number: int) -> bytes:
        params = {"module": module, "page": number, "per_page": 200}
        return send("GET", f"{V8}settings/custom_views", params=params)

    return [view for body in numbered_pages(page) for view in entries_of(body, "custom_views")]


def org(send: Send) -> dict[str, Any]:
    """Return what Zoho says about the org; empty where it says nothing; 1 credit."""
    return next(iter(_listed(send, "org", "org")), {})


def fiscal_month(send: Send) -> int:
    """Return the month in which the fiscal year starts, 1 to 12; 1 credit."""
    body = send("GET", f"{V8}settings/fiscal_year")
    described = _object(parse_json(body) if body else None).get("fiscal_year")
    name = _object(described).get("start_month")
    if name not in _MONTHS:
        raise ZohoError(
            "Zoho does not say in which month the fiscal year of this org starts.",
            f"It sent {described!r}.",
            "Write the two dates instead: Closing_Date between '2026-04-01' and '2027-03-31'.",
        )
    return _MONTHS.index(name) + 1


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def users(send: Send) -> list[dict[str, Any]]:
    """Return all users, active or not; 1 credit for each 200."""

    def page(number: int) -> bytes:
        params = {"type": "AllUsers", "page": number, "per_page": 200}
        return send("GET", f"{V8}users", params=params)

    return [user for body in numbered_pages(page) for user in entries_of(body, "users")]


def roles(send: Send) -> list[dict[str, Any]]:
    """Return all roles; 1 credit."""
    return _listed(send, "settings/roles", "roles")


def profiles(send: Send) -> list[dict[str, Any]]:
    """Return all profiles; older answers say ``category`` for ``custom``; 1 credit."""
    listed = _listed(send, "settings/profiles", "profiles")
    return [{"custom": each.get("category"), **each} for each in listed]


def _listed(send: Send, path: str, key: str, **params: str) -> list[dict[str, Any]]:
    """Return the list under ``key``; empty where Zoho answers 204."""
    return entries_of(send("GET", V8 + path, params=params), key)


def field_row(field: Field) -> dict[str, Any]:
    """Lay a field's nested metadata flat, as ``crm.fields()`` shows it."""
    computed = field.get("formula") or field.get("rollup_summary") or {}
    return {
        **field,
        "data_type": field["data_type"] or None,
        "mandatory": field.get("system_mandatory"),
        "unique": bool(field.get("unique")),
        "lookup": _lookup_target(field),
        "returns": computed.get("return_type"),
        "values": [v["display_value"] for v in field.get("pick_list_values") or []] or None,
    }


def _lookup_target(field: Field) -> str | None:
    """Name the module, or modules, that a lookup points to."""
    one = (field.get("lookup") or {}).get("module") or {}
    several = _list((field.get("multi_module_lookup") or {}).get("modules"))
    names = [m.get("api_name") for m in (one, *several) if isinstance(m, dict)]
    return ", ".join(name for name in names if isinstance(name, str)) or None


class Catalogue(ProcessBound):
    """The org's metadata, each part read once and kept for as long as the CRM object lives."""

    def __init__(self, send: Send, clock: Callable[[], float] = time.time) -> None:
        self.send, self._clock = send, clock
        self._kept: dict[str, Any] = {}
        self._lock = threading.RLock()

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    def forget(self) -> None:
        """Drop everything, so that changes made in Zoho's set-up pages are seen."""
        with self._lock:
            self._kept.clear()

    def _once(self, key: str, fetch: Callable[[], Any]) -> Any:
        """Return what is kept under a key; fetch it the first time."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = fetch()
            return self._kept[key]

    def known(self, key: str) -> Any:
        """Return what is already known under ``"org"``, or ``None``; sends nothing."""
        return self._kept.get(key)

    def org(self) -> Org:
        """Return the org."""
        described: Org = self._once("org", lambda: org(self.send))
        return described

    def time_zone(self) -> str | None:
        """Return the name of the org's time zone; ``None`` where this login may not read it."""
        with suppress(PermissionDenied, ScopeError):  # then advice on times is written in UTC
            name = self.org().get("time_zone")
            return name if isinstance(name, str) else None
        return None

    def examined(self, text: str) -> Examined:
        """Read, repair and lint a query by what is known of the org."""
        return coql.examine(text, self.fields, self.modules, self.time_zone, self.facts)

    @property
    def facts(self) -> coql.OrgFacts:
        """What the values of conditions are read by."""
        return coql.OrgFacts(self._known_users, self.calendar)

    def _known_users(self) -> list[User] | None:
        """Return the users, or ``None`` where this login may not read them."""
        return None if self.directory() is None else self.users()

    def calendar(self) -> coql.Calendar | None:
        """Return the org's calendar; ``None`` where its time zone is unknown."""
        try:
            zone = ZoneInfo(self.time_zone() or "")
        except (ValueError, ZoneInfoNotFoundError, OSError):
            return None
        today = datetime.fromtimestamp(self._clock(), zone).date()
        return coql.Calendar(zone, today, self.fiscal_month)

    def moment(self, value: datetime | date | str | None) -> datetime | str | None:
        """Return a moment; of a day or a period in the org's time zone, the second before it.

        Zoho takes "since" as later than that.
        """
        if value is None or isinstance(value, datetime):
            return value
        if isinstance(value, str) and not coql.is_day_or_period(value):
            return value
        calendar = self.calendar()
        if calendar is None:
            raise ValueError(f"The time zone of this org is unknown: write {value} with a time.")
        span = coql.span(str(value), calendar)
        if span is None:
            raise ValueError(f"{value!r} is not a date or a period, such as 'this month'.")
        return coql.first_moment(span.first, calendar.zone) - timedelta(seconds=1)

    def fiscal_month(self) -> int:
        """Return the month in which the org's fiscal year starts, 1 to 12; 1 credit, once."""
        month: int = self._once("fiscal month", lambda: fiscal_month(self.send))
        return month

    def zone(self, tz: str) -> str:
        """Return an IANA zone, the org's own for ``"org"``; ``ValueError`` if it is not one."""
        name = self.org().get("time_zone") if tz == "org" else tz
        if not name:
            raise ValueError("Zoho does not say which time zone the org has: name one, tz='UTC'.")
        try:
            pd.DatetimeTZDtype("s", name)
        except (TypeError, ValueError, KeyError, OSError) as error:
            raise ValueError(
                f"{name!r} is not a known time zone. Use an IANA name, such as 'Asia/Kolkata'."
            ) from error
        return str(name)

    def in_zone(self, options: FrameOptions) -> FrameOptions:
        """Return options of a table with ``tz="org"`` replaced by the org's own zone."""
        return {**options, "tz": self.zone(options.get("tz", "UTC"))}

    def modules(self) -> dict[str, Module]:
        """Return the modules by API name."""
        named: dict[str, Module] = self._once("modules", lambda: modules(self.send))
        return named

    def fields(self, module: str) -> dict[str, Field]:
        """Return the fields of a module by API name; ``NotFoundError`` for an unknown module."""
        self._check_module(module)
        named: dict[str, Field] = self._once(f"fields {module}", lambda: fields(self.send, module))
        return named

    def forecast_types(self, module: str, table: pd.DataFrame) -> dict[str, dict[str, str]]:
        """Return what each stage in a table means (open, won, lost); never asks.

        Stages that are no longer used are left out, unless a record still has one.
        """
        fields = self.known(f"fields {module}") or {}
        # Few fields have such values; only their columns are looked through.
        stages = [
            name
            for name in fields.keys() & set(table.columns)
            if any(map(forecast_type, fields[name].get("pick_list_values") or ()))
        ]
        return {
            name: types
            for name in stages
            if (types := forecast_types(fields[name], set(table[name].dropna().astype(str))))
        }

    def related_lists(self, module: str) -> dict[str, dict[str, Any]]:
        """Return the related lists of a module by API name."""
        self._check_module(module)
        named: dict[str, dict[str, Any]] = self._once(
            f"related_lists {module}", lambda: related_lists(self.send, module)
        )
        return named

    def views(self, module: str, *, anew: bool = False) -> list[dict[str, Any]]:
        """Return the custom views of a module."""
        self._check_module(module)
        key = f"views {module}"
        with self._lock:
            if anew:
                self._kept.pop(key, None)
            listed: list[dict[str, Any]] = self._once(key, lambda: views(self.send, module))
        return listed

    def known_views(self) -> dict[str, list[dict[str, Any]]]:
        """Return the views of the modules whose views are known; sends nothing."""
        return {
            key.removeprefix("views "): listed
            for key, listed in list(self._kept.items())
            if key.startswith("views ")
        }

    def users(self) -> list[User]:
        """Return the users."""
        listed: list[User] = self._once("users", lambda: users(self.send))
        return listed

    def roles(self) -> list[dict[str, Any]]:
        """Return the roles."""
        listed: list[dict[str, Any]] = self._once("roles", lambda: roles(self.send))
        return listed

    def profiles(self) -> list[dict[str, Any]]:
        """Return the user profiles."""
        listed: list[dict[str, Any]] = self._once("profiles", lambda: profiles(self.send))
        return listed

    def currencies(self) -> list[Currency]:
        """Return the currencies; none where the org has only one."""
        listed: list[Currency] = self._once("currencies", lambda: currencies(self.send))
        return listed

    def directory(self) -> dict[str, str] | None:
        """Return users' full names by id, or ``None`` where this login may not read users.

        Any other failure is raised: the names in a table must not depend on a passing fault.
        """
        names: dict[str, str] | None = self._once("directory", self._read_directory)
        return names

    def _read_directory(self) -> dict[str, str] | None:
        """Read the directory; warn where this login may not."""
        try:
            return directory(self.users())
        except (PermissionDenied, ScopeError) as refused:
            _warn(
                "This login may not read the list of users, so their names are those that Zoho "
                f"sends with the records (COQL sends last names only). {refused.said}".rstrip()
            )
            return None

    def field(self, module: str, name: str) -> Field:
        """Return one field; ``NotFoundError`` with a suggestion for an unknown name."""
        known = self.fields(module)
        if not isinstance(name, str):
            raise TypeError(f"The name of a field is needed, not a {type(name).__name__}.")
        if name not in known:
            raise NotFoundError(
                f"{module} has no field {name!r}; nothing was sent.",
                "",
                by_label(name, known) or f"crm.fields({module!r}) lists the fields.",
                code="INVALID_FIELD",
                details={"module": module, "api_name": name},
            )
        return known[name]

    def _check_module(self, module: str) -> None:
        """Refuse a module that the org does not list."""
        if not isinstance(module, str):
            raise TypeError(f"The name of one module is needed, not a {type(module).__name__}.")
        known = self.modules()
        if module not in known:
            hint = by_label(module, known) or "crm.modules() lists the modules."
            raise NotFoundError(
                f"There is no module {module!r} in this org; nothing was sent.",
                "",
                f"{hint} To send a query unchecked: crm.coql(…, strict=True).",
                code="INVALID_MODULE",
                details={"module": module},
            )


def licence(org: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Return edition and number of users; ``None`` where Zoho's answer does not say."""
    details = org.get("license_details")
    details = details if isinstance(details, dict) else {}
    edition, users = details.get("paid_type"), details.get("users_license_purchased")
    return (
        edition if isinstance(edition, str) else None,
        users if type(users) is int and users >= 0 else None,
    )
