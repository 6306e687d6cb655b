"""The roles that contacts can have in deals: listed, added, renamed and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.records.writes import RECORDS, attempted, overall, success
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

KEY = "contact_roles"
LONGEST = 50

Item = dict[str, Any]


def get_roles(org: Org, request: Request) -> Answer:
    """``GET /Contacts/roles``: all roles in the order of the list."""
    del request
    roles = _roles(org)
    return json_answer({KEY: roles}) if roles else NOTHING


def get_role(org: Org, request: Request, role_id: str) -> Answer:
    """``GET /Contacts/roles/{id}``: one role."""
    del request
    roles = [each for each in _roles(org) if each["id"] == role_id]
    return json_answer({KEY: roles}) if roles else NOTHING


def post_roles(org: Org, request: Request) -> Answer:
    """``POST /Contacts/roles``: add up to 100 roles."""

    def add(item: Item, path: str) -> Item:
        values = _checked(org, item, path, needs=("name", "sequence_number"))
        values["id"] = org.store.new_id()
        _insert(org, values)
        return success("contact role added", values["id"])

    return _each(org, request.json(), add)


def put_roles(org: Org, request: Request) -> Answer:
    """``PUT /Contacts/roles``: change up to 100 roles by their ids."""
    return _each(org, request.json(), lambda item, path: _change(org, item, path))


def put_role(org: Org, request: Request, role_id: str) -> Answer:
    """``PUT /Contacts/roles/{id}``: change one role."""
    return _each(
        org, request.json(), lambda item, path: _change(org, {**item, "id": role_id}, path)
    )


def delete_roles(org: Org, request: Request) -> Answer:
    """``DELETE /Contacts/roles?ids=``: delete up to 100 roles."""
    names = parameters.names(request, "ids")
    if not names:
        raise parameters.missing("ids")
    return _deleted(org, names)


def delete_role(org: Org, request: Request, role_id: str) -> Answer:
    """``DELETE /Contacts/roles/{id}``: delete one role."""
    del request
    return _deleted(org, [role_id])


def role_named(org: Org, text: object, path: str) -> int:
    """Find a role by its id or name, as a conversion names it."""
    named = text.get("id") if isinstance(text, dict) else text
    for each in _roles(org):
        if named in (each["id"], each["name"]):
            return int(each["id"])
    details = {"api_name": "Contact_Role", "json_path": path}
    raise Refusal(400, "INVALID_DATA", "invalid data", details)


def _roles(org: Org) -> list[Item]:
    """Read all roles."""
    sql = "SELECT id, name, sequence_number FROM Contact_Roles ORDER BY sequence_number, id"
    return [
        {"name": name, "id": str(role_id), "sequence_number": number}
        for role_id, name, number in org.store.read(sql)
    ]


def _insert(org: Org, values: Item) -> None:
    """Store one more role."""
    org.store.execute(
        "INSERT INTO Contact_Roles (id, name, sequence_number) VALUES (?, ?, ?)",
        (values["id"], values["name"], values["sequence_number"]),
    )


def _change(org: Org, item: Item, path: str) -> Item:
    """Change name or place of one role."""
    if "id" not in item:
        raise _missing("id", path)
    role_id = _known(org, str(item["id"]))
    for name, value in _checked(org, item, path, role_id=role_id).items():
        sql = f'UPDATE Contact_Roles SET "{name}" = ? WHERE id = ?'
        org.store.execute(sql, (value, role_id))
    return success("contact role updated", role_id)


def _deleted(org: Org, names: list[str]) -> Answer:
    """Delete roles; contacts that had them stay linked to their deals without one."""

    def delete(text: str) -> Item:
        role_id = _known(org, text)
        if len(_roles(org)) == 1:
            details = {"limit": 1, "id": text}
            raise Refusal(400, "LOWER_LIMIT_REACHED", "Lower limit reached", details)
        sql = "UPDATE Deals_X_Contacts SET Contact_Role = NULL WHERE Contact_Role = ?"
        org.store.execute(sql, (role_id,))
        org.store.execute("DELETE FROM Contact_Roles WHERE id = ?", (role_id,))
        return success("contact role deleted", role_id)

    with org.store.transaction():
        tried = [attempted(org.store, delete, each) for each in names]
    return _answer(tried)


def _checked(
    org: Org, item: Item, path: str, needs: tuple[str, ...] = (), role_id: int | None = None
) -> Item:
    """Check what is sent of one role."""
    for name in needs:
        if item.get(name) is None:
            raise _missing(name, path)
    values: Item = {name: item[name] for name in ("name", "sequence_number") if name in item}
    for name, kind, expected in (("name", str, "text"), ("sequence_number", int, "integer")):
        if name in values and (type(values[name]) is not kind or not values[name]):
            raise _invalid(name, path, expected_data_type=expected)
    if len(values.get("name", "")) > LONGEST:
        raise _invalid("name", path, maximum_length=LONGEST)
    sql = "SELECT 1 FROM Contact_Roles WHERE name = ? AND id IS NOT ?"
    if "name" in values and org.store.read(sql, (values["name"], role_id)):
        details = {"api_name": "name", "json_path": f"{path}.name"}
        raise Refusal(400, "DUPLICATE_DATA", "duplicate data", details)
    return values


def _known(org: Org, text: str) -> int:
    """Read the id of a role, or refuse an unknown one."""
    if text not in {each["id"] for each in _roles(org)}:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"id": text})
    return int(text)


def _each(org: Org, body: Item, work: Callable[[Item, str], Item]) -> Answer:
    """Do a piece of work for every role of a body."""
    items, location = body.get(KEY), {"api_name": KEY, "json_path": f"$.{KEY}"}
    if items is None:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", location)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        details = {"expected_data_type": "jsonarray", **location}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    if not 1 <= len(items) <= RECORDS:
        limits: Item = {"maximum_length": RECORDS, "minimum_length": 1}
        raise Refusal(400, "INVALID_DATA", "invalid data", limits | location)
    with org.store.transaction():
        tried = [
            attempted(org.store, work, each, f"$.{KEY}[{index}]")
            for index, each in enumerate(items)
        ]
    return _answer(tried)


def _answer(tried: list[tuple[Item, int | None]]) -> Answer:
    """Answer with the result of each role."""
    statuses = [error_status or 200 for _, error_status in tried]
    return json_answer({KEY: [result for result, _ in tried]}, overall(statuses, 200))


def _missing(name: str, path: str) -> Refusal:
    """Refuse a role without something that it needs."""
    details = {"api_name": name, "json_path": f"{path}.{name}"}
    return Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)


def _invalid(name: str, path: str, **details: object) -> Refusal:
    """Refuse a value of a role."""
    location = {"api_name": name, "json_path": f"{path}.{name}"}
    return Refusal(400, "INVALID_DATA", "invalid data", {**details, **location})


_ALL, _ONE = f"{V8}/Contacts/roles", f"{V8}/Contacts/roles/{{role_id}}"


def _scope(operation: str) -> tuple[str]:
    """Name the scope of an operation: roles belong to contacts."""
    return (f"ZohoCRM.modules.Contacts.{operation}",)


ROUTES = (
    Route("GET", _ALL, get_roles, "roles of contacts in deals", _scope("READ")),
    Route("POST", _ALL, post_roles, "add roles of contacts", _scope("CREATE")),
    Route("PUT", _ALL, put_roles, "change roles of contacts", _scope("UPDATE")),
    Route(
        "DELETE", _ALL, delete_roles, "delete roles of contacts", _scope("DELETE"), honours=("ids",)
    ),
    Route("GET", _ONE, get_role, "one role of contacts", _scope("READ")),
    Route("PUT", _ONE, put_role, "change one role of contacts", _scope("UPDATE")),
    Route("DELETE", _ONE, delete_role, "delete one role of contacts", _scope("DELETE")),
)
