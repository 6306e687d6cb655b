"""Users, roles and profiles: added, changed, handed over and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.configuring.resource import mention
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

NAME_LENGTH = 50
TRANSFER = "transfer_and_delete"
#: Texts of a user that may be written.
TEXTS = (
    *("first_name", "last_name", "email", "alias", "phone", "mobile", "fax", "website"),
    *("street", "city", "state", "zip", "country", "dob", "signature", "time_zone", "locale"),
    *("language", "country_locale", "date_format", "time_format"),
)
STATUSES = ("active", "inactive")
#: What a new user has unless it is sent.
NEW = {
    "locale": "en_IN",
    "language": "en_US",
    "country_locale": "en_IN",
    "date_format": "dd-MM-yyyy",
    "time_format": "HH:mm",
}


# -- users -----------------------------------------------------------------------------------------


def post_users(org: Org, request: Request) -> Answer:
    """``POST /users``: add a user, who is invited by e-mail."""

    def create(item: Item, path: str) -> Item:
        bodies.required(item, ("last_name", "email", "role", "profile"), path)
        row = {**NEW, "time_zone": org.store.zone.key, **_checked_user(org, item, path)}
        zuid = str(600_100 + org.store.count("zuid", 1_000))
        row |= {"zuid": zuid, "confirm": 0, "status": "active"}
        row |= {"created_by": request.user, "created_time": org.clock.now()}
        (user,) = org.store.insert("Users", [row], user=request.user)
        return bodies.done("User added", user)

    return bodies.each_of(org, "users", bodies.entries(request, "users", 1), create, 201)


def put_users(org: Org, request: Request) -> Answer:
    """``PUT /users``: change users by their ids."""

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        if mention(org, "Users", item["id"]) is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _changed_user(org, request.user, int(item["id"]), item, path)

    return bodies.each_of(org, "users", bodies.entries(request, "users"), change)


def put_user(org: Org, request: Request, user_id: str) -> Answer:
    """``PUT /users/{id}``: change one user."""
    user = _user(org, user_id)

    def change(item: Item, path: str) -> Item:
        return _changed_user(org, request.user, user, item, path)

    return bodies.each_of(org, "users", bodies.entries(request, "users", 1), change)


def delete_user(org: Org, request: Request, user_id: str) -> Answer:
    """``DELETE /users/{id}``: delete one user; what they own stays theirs."""
    user = _user(org, user_id)

    def delete(item: Item, path: str) -> Item:
        _delete_user(org, request.user, user)
        return bodies.done("User deleted", user)

    return bodies.each_of(org, "users", [{}], delete)


def _user(org: Org, text: str) -> int:
    """Find the user of an address, or refuse it."""
    if not parameters.is_id(text) or mention(org, "Users", text) is None:
        raise bodies.unknown_id(1)
    return int(text)


def _checked_user(org: Org, item: Item, path: str, user: int | None = None) -> Item:
    """Check what is sent for a user, and keep what counts of it."""
    row: Item = {}
    for name in TEXTS:
        if item.get(name) is not None:
            row[name] = bodies.checked(item[name], "string", f"{path}.{name}")
    for name in ("first_name", "last_name"):
        if len(row.get(name) or "") > NAME_LENGTH:
            raise bodies.invalid(name, f"{path}.{name}", maximum_length=NAME_LENGTH)
    if "email" in row:
        if "@" not in row["email"]:
            raise bodies.invalid("email", f"{path}.email")
        sql = "SELECT id FROM Users WHERE email = ? AND status != 'deleted'"
        if any(each != user for (each,) in org.store.read(sql, (row["email"],))):
            message = "User with same email id is already in CRM"
            details = {"api_name": "email", "json_path": f"{path}.email"}
            raise Refusal(400, "DUPLICATE_DATA", message, details)
    if "time_zone" in row and row["time_zone"] not in available_timezones():
        raise bodies.invalid("time_zone", f"{path}.time_zone")
    pointers = {"role": "Roles", "profile": "Profiles", "Reporting_To": "Users"}
    for name, where in pointers.items():
        if item.get(name) is not None:
            row[name] = _pointed(org, item[name], where, f"{path}.{name}")
    return row


def _pointed(org: Org, sent: object, where: str, path: str) -> int:
    """Find what a user points to; the id may stand in an object or alone."""
    text = str(sent.get("id") if isinstance(sent, dict) else sent)
    if not parameters.is_id(text) or mention(org, where, text) is None:
        raise bodies.invalid(path.rpartition(".")[2], path, "the id given seems to be invalid")
    return int(text)


def _changed_user(org: Org, by: int, user: int, item: Item, path: str) -> Item:
    """Change one user."""
    sql = "SELECT status, email, confirm FROM Users WHERE id = ?"
    ((status, email, confirmed),) = org.store.read(sql, (user,))
    if status == "deleted":
        message = "deleted user cannot be updated"
        raise Refusal(400, "CANNOT_UPDATE_DELETED_USER", message, {"id": str(user)})
    row = _checked_user(org, item, path, user)
    if confirmed and row.get("email", email) != email:
        message = "Cannot update email of a confirmed CRM User"
        details = {"api_name": "email", "json_path": f"{path}.email"}
        raise Refusal(400, "EMAIL_UPDATE_NOT_ALLOWED", message, details)
    if item.get("status") is not None:
        row["status"] = _status(org, user, item["status"], status, f"{path}.status")
    org.store.update("Users", [row | {"id": user}], user=by)
    return bodies.done("User updated", user)


def _status(org: Org, user: int, sent: object, status: str, path: str) -> object:
    """Check that a user may become active or inactive."""
    if sent not in STATUSES:
        raise bodies.invalid("status", path, supported_values=list(STATUSES))
    details = {"id": str(user)}
    if sent == status:
        done = "ID_ALREADY_ACTIVE" if sent == "active" else "ID_ALREADY_DEACTIVATED"
        raise Refusal(400, done, f"User is already {status}", details)
    _refuse_primary(org, user)
    return sent


def _refuse_primary(org: Org, user: int) -> None:
    """Refuse to let the primary contact of the org go."""
    if user == org.store.read("SELECT min(id) FROM Users")[0][0]:
        message = "Primary Contact cannot be deactivated"
        raise Refusal(400, "UNAPPROVABLE", message, {"id": str(user)})


def _delete_user(org: Org, by: int, user: int) -> None:
    """Mark a user as deleted."""
    ((status,),) = org.store.read("SELECT status FROM Users WHERE id = ?", (user,))
    if status == "deleted":
        raise Refusal(400, "ID_ALREADY_DELETED", "User is already deleted", {"id": str(user)})
    _refuse_primary(org, user)
    org.store.update("Users", [{"id": user, "status": "deleted"}], user=by)


# -- handing over ----------------------------------------------------------------------------------


def transfer(org: Org, request: Request) -> Answer:
    """``POST /users/actions/transfer_and_delete``: others take what users had."""

    def move(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        if mention(org, "Users", item["id"]) is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _moved(org, request.user, int(item["id"]), item, path)

    return bodies.each_of(org, TRANSFER, bodies.entries(request, TRANSFER), move)


def transfer_one(org: Org, request: Request, user_id: str) -> Answer:
    """``POST /users/{id}/actions/transfer_and_delete``: another one takes what a user had."""
    user = _user(org, user_id)

    def move(item: Item, path: str) -> Item:
        return _moved(org, request.user, user, item, path)

    return bodies.each_of(org, TRANSFER, bodies.entries(request, TRANSFER, 1), move)


def get_transfer(org: Org, request: Request) -> Answer:
    """``GET /users/actions/transfer_and_delete?job_id=``: how far it got; here it is done."""
    job = request.params.get("job_id")
    if job is None:
        raise parameters.missing("job_id")
    found = documents.find(org.store, TRANSFER, job)
    return json_answer({TRANSFER: [{"status": "completed"}]}) if found else NOTHING


def _moved(org: Org, by: int, user: int, item: Item, path: str) -> Item:
    """Give the records and subordinates of a user to others, and delete the user."""
    bodies.required(item, ("transfer",), path)
    sent = bodies.checked(item["transfer"], "jsonobject", f"{path}.transfer")
    heir = _heir(org, sent, user, f"{path}.transfer")
    _delete_user(org, by, user)
    if sent.get("records"):
        for module in org.schema.modules.values():
            if "Owner" in module.by_name and module.api_supported:
                sql = f'SELECT id FROM "{module.api_name}" WHERE Owner = ?'
                rows = [{"id": each, "Owner": heir} for (each,) in org.store.read(sql, (user,))]
                org.store.update(module.api_name, rows, user=by)
    if item.get("move_subordinate") is not None:
        above = _heir(org, item["move_subordinate"], user, f"{path}.move_subordinate")
        sql = "UPDATE Users SET Reporting_To = ? WHERE Reporting_To = ?"
        org.store.execute(sql, (above, user))
    job = documents.add(org.store, TRANSFER, {"user": user})
    done = bodies.done("User deleted", user)
    return done | {"details": {"id": str(user), "jobId": job}}


def _heir(org: Org, sent: object, user: int, path: str) -> int:
    """Find who takes over: an active user, and another one."""
    bodies.required(bodies.checked(sent, "jsonobject", path), ("id",), path)
    assert isinstance(sent, dict)
    sql = "SELECT id FROM Users WHERE id = ? AND status = 'active'"
    text = str(sent["id"])
    if not parameters.is_id(text) or int(text) == user or not org.store.read(sql, (int(text),)):
        raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
    return int(text)


# -- roles -----------------------------------------------------------------------------------------


def post_roles(org: Org, request: Request) -> Answer:
    """``POST /settings/roles``: make roles."""

    def create(item: Item, path: str) -> Item:
        bodies.required(item, ("name", "reporting_to"), path)
        (role,) = org.store.insert("Roles", [_checked_role(org, item, path)], user=request.user)
        return bodies.done("Role added", role)

    return bodies.each_of(org, "roles", bodies.entries(request, "roles"), create, 201)


def put_roles(org: Org, request: Request) -> Answer:
    """``PUT /settings/roles``: change roles by their ids."""

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        if mention(org, "Roles", item["id"]) is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _changed_role(org, int(item["id"]), item, path)

    return bodies.each_of(org, "roles", bodies.entries(request, "roles"), change)


def put_role(org: Org, request: Request, role_id: str) -> Answer:
    """``PUT /settings/roles/{id}``: change one role."""
    role = _role(org, role_id)

    def change(item: Item, path: str) -> Item:
        return _changed_role(org, role, item, path)

    return bodies.each_of(org, "roles", bodies.entries(request, "roles", 1), change)


def delete_role(org: Org, request: Request, role_id: str) -> Answer:
    """``DELETE /settings/roles/{id}?transfer_to_id=``: another role takes its users and roles."""
    role, heir = _role(org, role_id), request.params.get("transfer_to_id")
    if heir is None:
        raise parameters.missing("transfer_to_id")
    below = {role, *_roles_below(org, role)}
    if mention(org, "Roles", heir) is None or int(heir) in below:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "transfer_to_id"})

    def delete(item: Item, path: str) -> Item:
        for table, column in (("Users", "role"), ("Roles", "reporting_to")):
            sql = f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" = ?'
            org.store.execute(sql, (int(heir), role))
        org.store.execute("DELETE FROM Roles WHERE id = ?", (role,))
        return bodies.done("Role Deleted", role)

    return bodies.each_of(org, "roles", [{}], delete)


def _role(org: Org, text: str) -> int:
    """Find the role of an address, or refuse it."""
    if not parameters.is_id(text) or mention(org, "Roles", text) is None:
        raise bodies.unknown_id()
    return int(text)


def _roles_below(org: Org, role: int) -> list[int]:
    """List all roles below one."""
    sql = "SELECT id FROM Roles WHERE reporting_to = ?"
    below = [each for (each,) in org.store.read(sql, (role,))]
    return [*below, *(deeper for each in below for deeper in _roles_below(org, each))]


def _checked_role(org: Org, item: Item, path: str, role: int | None = None) -> Item:
    """Check what is sent for a role, and keep what counts of it."""
    row: Item = {}
    if item.get("name") is not None:
        row["name"] = bodies.checked(item["name"], "string", f"{path}.name")
        taken = org.store.read("SELECT id FROM Roles WHERE name = ?", (row["name"],))
        if any(each != role for (each,) in taken):
            raise bodies.duplicate("name", f"{path}.name")
    if item.get("description") is not None:
        row["description"] = bodies.checked(item["description"], "string", f"{path}.description")
    if item.get("share_with_peers") is not None:
        shared = bodies.checked(item["share_with_peers"], "boolean", f"{path}.share_with_peers")
        row["share_data_with_peers"] = int(shared)
    if item.get("reporting_to") is not None:
        row["reporting_to"] = _pointed(org, item["reporting_to"], "Roles", f"{path}.reporting_to")
        if role is not None and row["reporting_to"] in {role, *_roles_below(org, role)}:
            raise bodies.invalid("reporting_to", f"{path}.reporting_to")
    return row


def _changed_role(org: Org, role: int, item: Item, path: str) -> Item:
    """Change one role."""
    row = _checked_role(org, item, path, role)
    for name, value in row.items():
        org.store.execute(f'UPDATE Roles SET "{name}" = ? WHERE id = ?', (value, role))
    return bodies.done("Role updated", role)


_USERS, _ROLES = f"{V8}/users", f"{V8}/settings/roles"


def _route(method: str, path: str, handler: object, what: str, scope: str, *honours: str) -> Route:
    """Make a route."""
    return Route(method, path, handler, what, (f"ZohoCRM.{scope}",), honours=honours)  # type: ignore[arg-type]


ROUTES = (
    _route("POST", _USERS, post_users, "add a user", "users.CREATE"),
    _route("PUT", _USERS, put_users, "change users", "users.UPDATE"),
    _route("PUT", f"{_USERS}/{{user_id}}", put_user, "change one user", "users.UPDATE"),
    _route("DELETE", f"{_USERS}/{{user_id}}", delete_user, "delete one user", "users.DELETE"),
    _route("POST", f"{_USERS}/actions/{TRANSFER}", transfer, "others take what users had",
           "users.DELETE"),
    _route("GET", f"{_USERS}/actions/{TRANSFER}", get_transfer, "how far a handover got",
           "users.READ", "job_id"),
    _route("POST", f"{_USERS}/{{user_id}}/actions/{TRANSFER}", transfer_one,
           "another one takes what a user had", "users.DELETE"),
    _route("POST", _ROLES, post_roles, "make roles", "settings.roles.CREATE"),
    _route("PUT", _ROLES, put_roles, "change roles", "settings.roles.UPDATE"),
    _route("PUT", f"{_ROLES}/{{role_id}}", put_role, "change one role", "settings.roles.UPDATE"),
    _route("DELETE", f"{_ROLES}/{{role_id}}", delete_role, "delete one role",
           "settings.roles.DELETE", "transfer_to_id"),
)  # fmt: skip
