"""The addresses of the emulator, as data: what answers, who may ask, what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from zcrm_nb.emulator import (
    consent,
    coql_api,
    devices,
    metadata,
    records,
    tokens_api,
    users,
    writes,
)
from zcrm_nb.emulator.messages import Answer, Request
from zcrm_nb.emulator.refusals import Refusal
from zcrm_nb.emulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Route:
    """One address.

    ``{name}`` in ``path`` stands for one segment and reaches the handler by that name. ``scopes``
    are all needed. ``price`` is a key of :data:`~zcrm_nb.emulator.meter.PRICES`.
    """

    method: str
    path: str
    handler: Callable[..., Answer]
    what: str
    scopes: tuple[str, ...] = ()
    price: str = "call"
    needs_token: bool = True

    @property
    def writes(self) -> bool:
        """Whether it writes records."""
        return self.price == "write"


V8 = "/crm/v8"
_READ = ("ZohoCRM.modules.{module}.READ",)
_CREATE = ("ZohoCRM.modules.{module}.CREATE",)
_UPDATE = ("ZohoCRM.modules.{module}.UPDATE",)
_DELETE = ("ZohoCRM.modules.{module}.DELETE",)
_SEARCH = (*_READ, "ZohoSearch.securesearch.READ")
_MODULES = ("ZohoCRM.settings.modules.READ",)
_FIELDS = ("ZohoCRM.settings.fields.READ",)
_LAYOUTS = ("ZohoCRM.settings.layouts.READ",)
_USERS = ("ZohoCRM.users.READ",)

ROUTES = (
    Route(
        "GET",
        "/oauth/v2/auth",
        consent.get_auth,
        "the consent page: client, redirect URI, scopes, PKCE, access_type, prompt, state",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v2/auth",
        consent.post_auth,
        "its answer: a redirect with code, location and accounts-server, or access_denied",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v2/token",
        tokens_api.post_token,
        "grant code (with PKCE) or refresh token for an access token; quotas and throttle",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v2/token/revoke",
        tokens_api.post_revoke,
        "revoke a refresh or access token",
        needs_token=False,
    ),
    Route(
        "GET",
        "/oauth/serverinfo",
        tokens_api.get_serverinfo,
        "data centres: the emulator itself, as `in`",
        needs_token=False,
    ),
    Route(
        "POST",
        "/oauth/v3/device/code",
        devices.post_device_code,
        "begin a device flow: device code and user code",
        needs_token=False,
    ),
    Route(
        "GET",
        "/oauth/v3/device",
        devices.get_device,
        "the page to enter a user code, and to approve or refuse what it stands for",
        needs_token=False,
    ),
    Route("POST", "/oauth/v3/device", devices.post_device, "its answer", needs_token=False),
    Route(
        "POST",
        "/oauth/v3/device/token",
        devices.post_device_token,
        "poll a device flow: authorization_pending, slow_down, other_dc, access_denied, expired",
        needs_token=False,
    ),
    Route("GET", f"{V8}/settings/modules", metadata.get_modules, "all modules", _MODULES),
    Route(
        "GET",
        f"{V8}/settings/modules/{{name}}",
        metadata.get_module,
        "one module, by API name or id",
        _MODULES,
    ),
    Route("GET", f"{V8}/settings/fields", metadata.get_fields, "fields of a module", _FIELDS),
    Route("GET", f"{V8}/settings/fields/{{field_id}}", metadata.get_field, "one field", _FIELDS),
    Route(
        "GET",
        f"{V8}/settings/fields/{{field_id}}/pick_list_values",
        metadata.get_picklist,
        "values of a picklist",
        _FIELDS,
    ),
    Route("GET", f"{V8}/settings/layouts", metadata.get_layouts, "layouts of a module", _LAYOUTS),
    Route(
        "GET", f"{V8}/settings/layouts/{{layout_id}}", metadata.get_layout, "one layout", _LAYOUTS
    ),
    Route("GET", f"{V8}/users", users.get_users, "users by type, pages of 200", _USERS),
    Route(
        "GET", f"{V8}/users/actions/count", users.count_users, "how many users of a type", _USERS
    ),
    Route("GET", f"{V8}/users/{{user_id}}", users.get_user, "one user", _USERS),
    Route("GET", f"{V8}/org", users.get_org, "the org", ("ZohoCRM.org.READ",)),
    Route(
        "POST",
        f"{V8}/coql",
        coql_api.post_coql,
        "COQL queries: joins, aggregates, subqueries, `include_meta`",
        ("ZohoCRM.coql.READ",),
        "coql",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/search",
        records.search_records,
        "search by criteria, email, phone or word; 2,000 records",
        _SEARCH,
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/deleted",
        records.get_deleted,
        "deleted records (all of them in the recycle bin)",
        _READ,
        "deleted",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/actions/count",
        records.count_records,
        "how many records fit criteria, email, phone or word",
        _SEARCH,
        "count",
    ),
    Route(
        "POST",
        f"{V8}/{{module}}/upsert",
        writes.upsert_records,
        "update or insert up to 100 records by id or duplicate-check fields",
        (*_CREATE, *_UPDATE),
        "write",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}",
        records.get_records,
        "list: fields, pages to 2,000, page tokens to 100,000, sort, ids, converted, "
        "If-Modified-Since",
        _READ,
        "records",
    ),
    Route(
        "POST",
        f"{V8}/{{module}}",
        writes.post_records,
        "insert up to 100 records, with subforms, links and tags",
        _CREATE,
        "write",
    ),
    Route(
        "PUT",
        f"{V8}/{{module}}",
        writes.put_records,
        "update up to 100 records, If-Unmodified-Since",
        _UPDATE,
        "write",
    ),
    Route(
        "DELETE",
        f"{V8}/{{module}}",
        writes.delete_records,
        "delete up to 100 records",
        _DELETE,
        "write",
    ),
    Route(
        "GET",
        f"{V8}/{{module}}/{{record_id}}",
        records.get_record,
        "one record, with subforms and multi-select lookups",
        _READ,
    ),
    Route(
        "PUT",
        f"{V8}/{{module}}/{{record_id}}",
        writes.put_record,
        "update one record",
        _UPDATE,
        "write",
    ),
    Route(
        "DELETE",
        f"{V8}/{{module}}/{{record_id}}",
        writes.delete_record,
        "delete one record",
        _DELETE,
        "write",
    ),
)
"""Every address that is emulated, with what it covers."""

NOT_EMULATED = (
    ("/crm/bulk/v8/**", "Bulk Read and Bulk Write"),
    (f"{V8}/upload", "The upload of bulk-write files"),
    (f"{V8}/files/**", "The file system"),
    (f"{V8}/actions/watch", "Notifications"),
    (f"{V8}/__composite_requests", "Composite requests"),
    (f"{V8}/settings/**", "This part of the settings"),
    (f"{V8}/users/**", "This part of the users API"),
    (f"{V8}/org/**", "This part of the org API"),
    (f"{V8}/{{module}}/actions/**", "This action on records"),
    (f"{V8}/{{module}}/deleted/**", "The related list of a deleted record"),
    (f"{V8}/{{module}}/{{id}}/actions/**", "This action on a record"),
    (f"{V8}/{{module}}/{{id}}/**", "A related list or attachment"),
    *((f"/crm/v{n}/**", f"Version {n} of the API") for n in (2, 3, 4, 5, 6, 7, 9)),
    ("/oauth/v2/**", "This part of the accounts server"),
    ("/oauth/v3/**", "This part of the accounts server"),
    ("/.well-known/openid-configuration", "OpenID discovery"),
)
"""Addresses Zoho has and the emulator refuses, so that nobody takes a gap for an empty answer."""

NOT_EMULATED_DETAILS = (
    "the implicit flow (`response_type=token`), client types (every client may use every flow that "
    "it has the redirect URIs for), other environments than Production",
    "custom views (`cvid`), territories, `filters`, external ids (`X-EXTERNAL`), `approval_state`",
    "profiles' permissions: the user of the credentials may do everything",
    "automation: `trigger`, layout rules, assignment rules, blueprints, approvals",
    "multi-currency conversion, HIPAA and GDPR restrictions, e-mail, attachments",
)


class Router:
    """Finds what answers a request.

    Where several paths fit, the one with the earlier literal segment answers: ``/settings/fields``
    before ``/settings/**`` before ``/{module}/{id}``.

    Parameters
    ----------
    routes : iterable of Route
        The addresses that are emulated.
    """

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods.setdefault(route.path, {})[route.method] = route
        known: list[tuple[str, dict[str, Route] | str]] = [*methods.items(), *NOT_EMULATED]
        known.sort(key=lambda each: _specificity(each[0]))
        self._known = [(_pattern(path), answer) for path, answer in known]

    def find(self, request: Request, settings: Settings) -> tuple[Route, dict[str, str]]:
        """Find route and path values of a request, or refuse an unknown address or method."""
        for pattern, answer in self._known:
            found = pattern.fullmatch(request.path)
            if found and isinstance(answer, str):
                raise records.not_emulated(answer)
            if found:
                return _method(answer, request, settings), found.groupdict()
        words = "Please check if the URL trying to access is a correct one"
        raise Refusal(404, "INVALID_URL_PATTERN", words)


def _method(methods: Any, request: Request, settings: Settings) -> Route:
    """Choose by HTTP method, or refuse it."""
    route: Route | None = methods.get(request.method)
    if route is None:
        words = "The http request method type is not a valid one"
        raise Refusal(settings.invalid_method_status, "INVALID_REQUEST_METHOD", words)
    return route


def _specificity(path: str) -> list[int]:
    """Sort key of a path: literal segments before names, names before ``**``."""
    return [
        2 if segment == "**" else 1 if segment.startswith("{") else 0 for segment in path.split("/")
    ]


def _pattern(path: str) -> re.Pattern[str]:
    """Compile a path: ``{name}`` is one segment, ``**`` is everything below."""
    escaped = re.escape(path).replace(r"\*\*", ".+")
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", escaped))
