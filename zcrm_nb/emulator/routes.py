"""All addresses of the emulator, and which of them answers a request.

What answers where stands beside the handlers, in the ``ROUTES`` of each module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from zcrm_nb.emulator import composite
from zcrm_nb.emulator.actions import (
    absent,
    clone,
    email_sharing,
    emails,
    locks,
    mass_convert,
    mass_owner,
    meetings,
    sharing,
)
from zcrm_nb.emulator.bulk import reading, uploads, writing
from zcrm_nb.emulator.configuring import (
    currencies,
    custom_fields,
    org_card,
    people,
    pipelines,
    tables,
    territories,
    user_groups,
)
from zcrm_nb.emulator.describing import custom_views, metadata, module_details, staff, users
from zcrm_nb.emulator.oauth import consent, devices, tokens_api
from zcrm_nb.emulator.query import coql_api
from zcrm_nb.emulator.records import (
    attachments,
    contact_roles,
    convert,
    files,
    history,
    mass,
    merge,
    owners,
    records,
    recycle_bin,
    related,
    related_lists,
    tags_api,
    writes,
)
from zcrm_nb.emulator.serving.errors import Refusal, not_emulated
from zcrm_nb.emulator.serving.http import Request
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.settings import Settings
from zcrm_nb.emulator.watching import watch_api

_ROUTES = (
    *consent.ROUTES,
    *tokens_api.ROUTES,
    *devices.ROUTES,
    *metadata.ROUTES,
    *module_details.ROUTES,
    *users.ROUTES,
    *staff.ROUTES,
    *currencies.ROUTES,
    *tables.ROUTES,
    *territories.ROUTES,
    *pipelines.ROUTES,
    *custom_fields.ROUTES,
    *people.ROUTES,
    *user_groups.ROUTES,
    *org_card.ROUTES,
    *coql_api.ROUTES,
    *records.ROUTES,
    *writes.ROUTES,
    *reading.ROUTES,
    *uploads.ROUTES,
    *writing.ROUTES,
    *watch_api.ROUTES,
    *related.ROUTES,
    *related_lists.ROUTES,
    *contact_roles.ROUTES,
    *attachments.ROUTES,
    *files.ROUTES,
    *tags_api.ROUTES,
    *history.ROUTES,
    *clone.ROUTES,
    *locks.ROUTES,
    *sharing.ROUTES,
    *meetings.ROUTES,
    *emails.ROUTES,
    *email_sharing.ROUTES,
    *mass_owner.ROUTES,
    *mass_convert.ROUTES,
    *absent.ROUTES,
    *composite.ROUTES,
    *convert.ROUTES,
    *recycle_bin.ROUTES,
    *custom_views.ROUTES,
    *mass.ROUTES,
    *merge.ROUTES,
    *owners.ROUTES,
)
ROUTES = (*_ROUTES, org_card.apis_route(_ROUTES))
"""Every address that is emulated, with what it covers."""

JOBS = {reading.READ: reading.KIND, writing.WRITE: writing.KIND}
"""What bulk jobs of each kind do."""

WORKS = {**recycle_bin.WORKS, **mass.WORKS, **mass_owner.WORKS, **mass_convert.WORKS, **merge.WORKS}
"""How each kind of work that was put off is done."""

NOT_EMULATED = (
    ("/crm/bulk/v8/**", "This part of the bulk APIs"),
    ("/crm/email/v8/**", "The e-mail API"),
    (f"{V8}/__features/**", "The features API"),
    (f"{V8}/__zia_org_enrichment/**", "Zia's enrichment of organizations"),
    (f"{V8}/__zia_people_enrichment/**", "Zia's enrichment of people"),
    (f"{V8}/actions/**", "This action on the org"),
    (f"{V8}/Appointments_Rescheduled_History__s/**", "The history of appointments"),
    (f"{V8}/Entity_Scores__s/**", "Scores of records"),
    (f"{V8}/Services__s/**", "Services"),
    (f"{V8}/files/**", "The file system"),
    (f"{V8}/settings/**", "This part of the settings"),
    (f"{V8}/users/**", "This part of the users API"),
    (f"{V8}/org/**", "This part of the org API"),
    (f"{V8}/{{module}}/actions/**", "This action on records"),
    (f"{V8}/{{module}}/{{id}}/actions/**", "This action on a record"),
    (f"{V8}/{{module}}/{{id}}/Emails/**", "The e-mails of a record"),
    (f"{V8}/{{module}}/{{id}}/__email_drafts/**", "Drafts of e-mails"),
    (f"{V8}/{{module}}/{{id}}/__emails_sharing_details", "The sharing of e-mails"),
    (f"{V8}/{{module}}/{{id}}/Locking_Information__s/**", "Record locking"),
    *((f"/crm/v{n}/**", f"Version {n} of the API") for n in (2, 3, 4, 5, 6, 7, 9)),
    ("/oauth/v2/**", "This part of the accounts server"),
    ("/oauth/v3/**", "This part of the accounts server"),
    ("/.well-known/openid-configuration", "OpenID discovery"),
)
"""Addresses Zoho has and the emulator refuses, so that a gap is not taken for an empty answer."""

NOT_EMULATED_METHODS = {
    f"{V8}/settings/layouts": ("PATCH",),
    f"{V8}/settings/layouts/{{layout_id}}": ("PATCH", "DELETE"),
    f"{V8}/settings/modules": ("POST", "PUT"),
    f"{V8}/settings/modules/{{name}}": ("PUT",),
    f"{V8}/settings/profiles/{{profile_id}}": ("PUT", "DELETE"),
    f"{V8}/settings/automation/scoring_rules": ("POST", "PUT", "DELETE"),
    f"{V8}/settings/automation/scoring_rules/{{rule_id}}": ("PUT", "DELETE"),
    f"{V8}/{{module}}/actions/count": ("POST",),
}
"""Methods that Zoho has at emulated addresses and the emulator refuses."""

NOT_EMULATED_DETAILS = (
    "the implicit flow (`response_type=token`), client types (every client may use every flow that "
    "it has the redirect URIs for), other environments than Production",
    "cross filters of custom views; `filters`; what a territory permits, and the territories that "
    "a record shows (a list by `territory_id` has its records)",
    "notifications: callbacks go to loopback addresses only, those to others are written into "
    "`emulator.deliveries` as undeliverable; users never change; lookups that lose their record do "
    "not notify",
    "locking by rules (only by hand), approvals (every record is `approved`)",
    "what sharing lets users see: every user sees every record; e-mails are kept, none is sent",
    "what a deal's Stage brings about: Probability and forecast category stay as written",
    "what a conversion fills in on existing accounts and contacts, besides the account's name",
    "profiles' permissions: the user of the credentials may do everything",
    "automation: `trigger`, layout rules, assignment rules, blueprints",
    "HIPAA and GDPR restrictions, e-mail",
)


class Router:
    """Finds what answers a request.

    Where several paths fit, the one with the earlier literal segment answers: ``/settings/fields``
    before ``/settings/**`` before ``/{module}/{id}``.
    """

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        methods: dict[str, dict[str, Route]] = {}
        for route in routes:
            methods.setdefault(route.path, {})[route.method] = route
        routes_by_path: list[tuple[str, dict[str, Route] | str]] = [*methods.items(), *NOT_EMULATED]
        routes_by_path.sort(key=lambda each: _specificity(each[0]))
        self._routes = [(_pattern(path), answer) for path, answer in routes_by_path]

    def find(self, request: Request, settings: Settings) -> tuple[Route, dict[str, str]]:
        """Find route and path values of a request, or refuse an unknown address or method."""
        for pattern, answer in self._routes:
            match = pattern.fullmatch(request.path)
            if not match:
                continue
            if isinstance(answer, str):
                raise not_emulated(answer)
            return _route(answer, request, settings), match.groupdict()
        message = "Please check if the URL trying to access is a correct one"
        raise Refusal(404, "INVALID_URL_PATTERN", message)


def _route(routes: dict[str, Route], request: Request, settings: Settings) -> Route:
    """Choose by HTTP method, or refuse it."""
    if route := routes.get(request.method):
        return route
    path = next(iter(routes.values())).path
    if request.method in NOT_EMULATED_METHODS.get(path, ()):
        raise not_emulated(f"The method {request.method} of this address")
    message = "The http request method type is not a valid one"
    raise Refusal(settings.invalid_method_status, "INVALID_REQUEST_METHOD", message)


def _specificity(path: str) -> list[int]:
    """Sort key of a path: literal segments before names, names before ``**``."""
    return [
        2 if segment == "**" else 1 if segment.startswith("{") else 0 for segment in path.split("/")
    ]


def _pattern(path: str) -> re.Pattern[str]:
    """Compile a path: ``{name}`` is one segment, ``/**`` is the address and all below."""
    escaped = re.escape(path).replace(r"/\*\*", "(?:/.*)?")
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", escaped))
