"""The users of the org, and the org itself."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from zcrm_nb.emulator.query.conditions import Condition, both
from zcrm_nb.emulator.records.table import Table, plain_info
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.storage import documents
from zcrm_nb.emulator.world import ORG, ORG_ID, ZGID, money

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

_ADMINS = "(SELECT id FROM Profiles WHERE name = 'Administrator')"
TYPES = {
    "AllUsers": "1",
    "ActiveUsers": "r.status = 'active'",
    "DeactiveUsers": "r.status = 'inactive'",
    "ConfirmedUsers": "r.confirm",
    "NotConfirmedUsers": "NOT r.confirm",
    "DeletedUsers": "r.status = 'deleted'",
    "ActiveConfirmedUsers": "r.status = 'active' AND r.confirm",
    "AdminUsers": f"r.profile IN {_ADMINS}",
    "ActiveConfirmedAdmins": f"r.status = 'active' AND r.confirm AND r.profile IN {_ADMINS}",
    "CurrentUser": "r.id = ?",
    "DeveloperUsers": "0",
    "AllActiveUsers": "r.status = 'active'",
    "ActiveLiteUser": "r.status = 'active' AND r.type__s = 'Lite User'",
}
"""What each value of ``type`` means, as SQL over the table of users."""

ALIKE: dict[str, Any] = {
    "decimal_separator": "Period",
    "number_separator": "Comma",
    "theme": {"screen": "fixed", "background": "#F3F0EB", "type": "default"},
    "customize_info": {
        "notes_desc": None,
        "show_right_panel": None,
        "bc_view": None,
        "show_home": None,
        "show_detail_view": None,
        "unpin_recent_item": None,
    },
    "sandboxDeveloper": False,
    "$current_shift": None,
    "$next_shift": None,
    "$shift_effective_from": None,
    "image_link": None,
    "name_format__s": "Salutation,First Name,Last Name",
    "sort_order_preference__s": "First Name,Last Name",
    "status_reason__s": None,
}
"""Keys of a user that are the same for everybody here."""


def get_users(org: Org, request: Request) -> Answer:
    """``GET /users``: users of one type, a page at a time."""
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    where = _where(request)
    since = parameters.moment(request, "If-Modified-Since")
    if since is not None:
        where = both(where, Condition('r."Modified_Time" > ?', (since,)))
    users = _read(org, where, per_page + 1, (page - 1) * per_page)
    if not users:
        return NOTHING if since is None else Answer(304)
    info = plain_info(page, per_page, len(users))
    return json_answer({"users": users[:per_page], "info": info})


def get_user(org: Org, request: Request, user_id: str) -> Answer:
    """``GET /users/{id}``: one user."""
    users = _read(org, Condition("r.id = ?", (parameters.record_id(user_id),)), 1, 0)
    return json_answer({"users": users}) if users else NOTHING


def count_users(org: Org, request: Request) -> Answer:
    """``GET /users/actions/count``: how many users of one type."""
    where = _where(request)
    sql = f"SELECT count(*) FROM Users AS r WHERE {where.sql}"
    return json_answer({"count": org.store.read(sql, where.values)[0][0]})


def get_org(org: Org, request: Request) -> Answer:
    """``GET /org``: the org's own card."""
    users = org.store.read("SELECT count(*) FROM Users WHERE status = 'active'")[0][0]
    licence = {
        "paid": True,
        "paid_type": org.edition,
        "paid_expiry": None,
        "trial_type": None,
        "trial_expiry": None,
        "trial_action": None,
        "portal_users_license_purchased": 0,
        "users_license_purchased": users,
    }
    card = {
        **ORG,
        **_currency(org),
        "id": str(ORG_ID),
        "zgid": str(ZGID),
        "ezgid": None,
        "primary_zuid": org.store.read("SELECT zuid FROM Users ORDER BY id LIMIT 1")[0][0],
        "type": "production",
        "license_details": licence,
        "hierarchy_preferences": {"type": "Role_Hierarchy", "strictly_reporting": False},
        "privacy_settings": False,
        "translation_enabled": False,
        "hipaa_compliance_enabled": False,
        "lite_users_enabled": False,
        "max_per_page": parameters.PER_PAGE,
        "photo_id": org.store.remembered("org photo") or None,
        "phone": None,
        "mobile": None,
        "fax": None,
        "description": None,
        "gapps_enabled": False,
        "deletable_org_account": True,
        "call_icon": "show",
        "oauth_presence": True,
        **dict.fromkeys(("zia_portal_id", "zia_zgid"), None),
        "checkin_preferences": {"restricted_event_types": None},
    }
    return json_answer({"org": [card]})


def _currency(org: Org) -> dict[str, Any]:
    """Describe the home currency of an org with several; one with rupees only has nothing more."""
    home = money.home(org.store)
    if home is None:
        return {}
    return {
        "mc_status": True,
        "currency": home["name"].partition(" - ")[0],
        "iso_code": home["iso_code"],
        "currency_symbol": home["symbol"],
    }


def _where(request: Request) -> Condition:
    """Which users a request asks for."""
    kind = request.params.get("type", "AllUsers")
    if kind not in TYPES:
        raise parameters.not_matched("type")
    where = Condition(TYPES[kind], (request.user,) if kind == "CurrentUser" else ())
    if "type__s" in request.params:
        where = both(where, Condition("r.type__s = ?", (request.params["type__s"],)))
    ids = parameters.ids(request)
    if ids:
        where = both(where, Condition(f"r.id IN ({', '.join('?' * len(ids))})", tuple(ids)))
    return where


def _read(org: Org, where: Condition, limit: int, offset: int) -> list[dict[str, Any]]:
    """Read users in the order of their ids."""
    module = org.schema.directory["Users"]
    users, _ = Table(org.store, module, module.fields).read(where, "r.id", limit, offset=offset)
    now = org.clock.now()
    return [
        user | ALIKE | {"offset": _offset_ms(user, now), "territories": _territories(org, user)}
        for user in users
    ]


def _territories(org: Org, user: dict[str, Any]) -> list[dict[str, Any]]:
    """Mention the territories that a user is in."""
    return [
        {"name": each["name"], "id": each["id"], "manager": each["manager"] == user["id"]}
        for each in documents.listed(org.store, "territories")
        if user["id"] in each["users"]
    ]


def _offset_ms(user: dict[str, Any], now: int) -> int:
    """How far the user's clock is ahead of UTC, in milliseconds."""
    ahead = datetime.fromtimestamp(now, ZoneInfo(user["time_zone"])).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds() * 1000)


_USERS = ("ZohoCRM.users.READ",)

ROUTES = (
    Route(
        "GET",
        f"{V8}/users",
        get_users,
        "users by type, pages of 200",
        _USERS,
        honours=("type", "ids", "type__s", *PAGES),
        refuses=("filters",),
    ),
    Route(
        "GET",
        f"{V8}/users/actions/count",
        count_users,
        "how many users of a type",
        _USERS,
        honours=("type", "ids", "type__s"),
    ),
    Route("GET", f"{V8}/users/{{user_id}}", get_user, "one user", _USERS),
    Route("GET", f"{V8}/org", get_org, "the org", ("ZohoCRM.org.READ",)),
)
