"""Territories: their tree, the users in them, and the records that are assigned to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.configuring.resource import (
    Key,
    Resource,
    existing,
    mention,
    removed,
    routes,
    scoped,
    shown,
)
from zcrm_nb.emulator.records.table import iso, module_named
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, UPDATE, V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

KIND = "territories"
DELETED = "deleted territories"
#: Modules whose records can be assigned to territories.
MODULES = ("Leads", "Accounts", "Contacts", "Deals")
CRITERIA = ("account_rule_criteria", "deal_rule_criteria", "lead_rule_criteria")
MOST_ASSIGNED = 100


def _check(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check where a territory stands in the tree; a new one has a territory above it."""
    above = change.get("reporting_to", (document or {}).get("reporting_to"))
    if document is None:
        if above is None:
            raise bodies.missing("reporting_to", path)
        change["api_name"] = change["name"].replace(" ", "_")
        change |= {"users": [], "countries": [], "states": []}
    elif above is not None and above in {document["id"], *_below(org, document["id"])}:
        raise bodies.invalid("reporting_to", f"{path}.reporting_to")
    elif above is None and document["reporting_to"] is not None:
        raise bodies.missing("reporting_to", path)


def _show(org: Org, document: Item) -> Item:
    """Show a territory."""
    hidden = {"users", "countries", "states"}
    return {name: value for name, value in document.items() if name not in hidden}


def _deleting(org: Org, document: Item, request: Request) -> None:
    """Refuse to delete a territory that has others below it, or the highest one."""
    if document["reporting_to"] is None or _children(org, document["id"]):
        message = "the territory has sub territories, or is the highest one"
        raise Refusal(400, "NOT_ALLOWED", message, {"id": document["id"]})
    _forget(org, document, request.user)


TERRITORIES = Resource(
    KIND,
    KIND,
    "settings/territories",
    "settings.territories",
    "territories",
    (
        Key("name", mandatory=True, longest=100, unique=True),
        Key("reporting_to", "jsonobject", points_to=KIND),
        Key("manager", "jsonobject", points_to="Users"),
        Key(
            "permission_type",
            supported=("read_write_delete", "read_only"),
            default="read_write_delete",
        ),
        Key("description", longest=250),
        *(Key(name, "jsonobject") for name in CRITERIA),
    ),
    "Territory created successfully",
    "Territory updated successfully",
    "Territory deleted successfully",
    check=_check,
    show=_show,
    deleting=_deleting,
    refuses=("filters", "include", "delete_previous_forecasts"),
)


def _children(org: Org, territory: str) -> list[Item]:
    """List the territories right below one."""
    return [each for each in documents.listed(org.store, KIND) if each["reporting_to"] == territory]


def _below(org: Org, territory: str) -> list[str]:
    """List the ids of all territories below one."""
    children = [each["id"] for each in _children(org, territory)]
    return [*children, *(deeper for each in children for deeper in _below(org, each))]


def _forget(org: Org, territory: Item, user: int) -> None:
    """Take records out of a territory that goes, and note when it went."""
    org.store.execute("DELETE FROM record_territories WHERE territory = ?", (int(territory["id"]),))
    note = {"name": territory["name"], "territory": territory["id"], "deleted_by": user}
    documents.add(org.store, DELETED, note | {"deleted_time": org.clock.now()})


# -- the tree --------------------------------------------------------------------------------------


def get_children(org: Org, request: Request, territory: str) -> Answer:
    """``GET …/{id}/__child_territories``: the territories right below one."""
    parent = existing(org, TERRITORIES, territory)
    described = [shown(org, TERRITORIES, each) for each in _children(org, parent["id"])]
    return bodies.page_of(request, KIND, described)


def get_deleted(org: Org, request: Request) -> Answer:
    """``GET …/actions/deleted_associated_territories?ids=``: territories that went."""
    ids = parameters.names(request, "ids")
    described = [
        {
            "id": each["territory"],
            "name": each["name"],
            "deleted_by": bodies.person(org, each["deleted_by"]),
            "deleted_time": iso(org, each["deleted_time"]),
        }
        for each in documents.listed(org.store, DELETED)
        if not ids or each["territory"] in ids
    ]
    return bodies.page_of(request, KIND, described)


def count_users(org: Org, request: Request) -> Answer:
    """``GET …/actions/associated_users_count``: how many users each territory has."""
    described = [
        {
            "count": str(len(each["users"])),
            "territory": {
                "name": each["name"],
                "id": each["id"],
                "subordinates": bool(_children(org, each["id"])),
            },
        }
        for each in documents.listed(org.store, KIND)
    ]
    return bodies.page_of(request, "associated_users_count", described)


def transfer(org: Org, request: Request) -> Answer:
    """``POST …/actions/transfer_and_delete``: delete territories, others take what they had."""

    def move(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        found = documents.find(org.store, KIND, item["id"])
        if found is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _moved(org, request, found, item, path)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND), move)


def transfer_one(org: Org, request: Request, territory: str) -> Answer:
    """``POST …/{id}/actions/transfer_and_delete``: delete one territory."""
    found = existing(org, TERRITORIES, territory)

    def move(item: Item, path: str) -> Item:
        return _moved(org, request, found, item, path)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND, 1), move)


def _moved(org: Org, request: Request, territory: Item, item: Item, path: str) -> Item:
    """Let another territory take records, users and sub-territories of one, and delete it."""
    bodies.required(item, ("transfer_to_id",), path)
    target = documents.find(org.store, KIND, item["transfer_to_id"])
    taken = {territory["id"], *_below(org, territory["id"])}
    if target is None or target["id"] in taken or territory["reporting_to"] is None:
        raise bodies.invalid("transfer_to_id", f"{path}.transfer_to_id")
    org.store.execute(
        "INSERT OR IGNORE INTO record_territories SELECT record, ? FROM record_territories"
        " WHERE territory = ?",
        (int(target["id"]), int(territory["id"])),
    )
    for each in _children(org, territory["id"]):
        documents.change(org.store, each | {"reporting_to": target["id"]})
    users = list(dict.fromkeys([*target["users"], *territory["users"]]))
    documents.change(org.store, target | {"users": users})
    return removed(org, TERRITORIES, territory, request)


# -- users of a territory --------------------------------------------------------------------------


def _user(org: Org, text: str, index: int) -> str:
    """Find the user of an address, or refuse it."""
    if not parameters.is_id(text) or mention(org, "Users", text) is None:
        raise bodies.unknown_id(index)
    return str(int(text))


def _shown_user(org: Org, user: str) -> Item:
    """Show a user of a territory."""
    sql = "SELECT full_name, email, zuid, status FROM Users WHERE id = ?"
    ((name, email, zuid, status),) = org.store.read(sql, (int(user),))
    return {"id": user, "name": name, "email": email, "zuid": zuid, "status": status}


def get_users(org: Org, request: Request, territory: str) -> Answer:
    """``GET …/{territory}/users``: the users in a territory."""
    users = existing(org, TERRITORIES, territory)["users"]
    return bodies.page_of(request, "users", [_shown_user(org, each) for each in users])


def get_user(org: Org, request: Request, territory: str, user: str) -> Answer:
    """``GET …/{territory}/users/{user}``: one user of a territory."""
    users = existing(org, TERRITORIES, territory)["users"]
    user = _user(org, user, 4)
    return json_answer({"users": [_shown_user(org, user)]}) if user in users else NOTHING


def put_users(org: Org, request: Request, territory: str) -> Answer:
    """``PUT …/{territory}/users``: put users into a territory."""
    existing(org, TERRITORIES, territory)

    def join(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        if mention(org, "Users", item["id"]) is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _joined(org, territory, str(item["id"]))

    return bodies.each_of(org, "users", bodies.entries(request, "users"), join)


def put_user(org: Org, request: Request, territory: str, user: str) -> Answer:
    """``PUT …/{territory}/users/{user}``: put one user into a territory."""
    existing(org, TERRITORIES, territory)
    user = _user(org, user, 4)
    return bodies.each_of(org, "users", [{}], lambda *_: _joined(org, territory, user))


def delete_users(org: Org, request: Request, territory: str) -> Answer:
    """``DELETE …/{territory}/users?ids=``: take users out of a territory."""
    existing(org, TERRITORIES, territory)
    ids = parameters.names(request, "ids")
    if not ids:
        raise parameters.missing("ids")
    items = [{"id": each} for each in ids]
    return bodies.each_of(org, "users", items, lambda item, _: _left(org, territory, item["id"]))


def delete_user(org: Org, request: Request, territory: str, user: str) -> Answer:
    """``DELETE …/{territory}/users/{user}``: take one user out of a territory."""
    existing(org, TERRITORIES, territory)
    user = _user(org, user, 4)
    return bodies.each_of(org, "users", [{}], lambda *_: _left(org, territory, user))


def _joined(org: Org, territory: str, user: str) -> Item:
    """Put a user into a territory; who is there stays there."""
    kept = existing(org, TERRITORIES, territory)
    users = [*(each for each in kept["users"] if each != user), user]
    documents.change(org.store, kept | {"users": users})
    return bodies.done("Users associated successfully", user)


def _left(org: Org, territory: str, user: str) -> Item:
    """Take a user out of a territory, or refuse one who is not in it."""
    kept = existing(org, TERRITORIES, territory)
    if user not in kept["users"]:
        raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", {"id": user})
    rest = [each for each in kept["users"] if each != user]
    documents.change(org.store, kept | {"users": rest})
    return bodies.done("Users disassociated successfully", user)


# -- territories of a user -------------------------------------------------------------------------


def of_user(org: Org, user: str) -> list[Item]:
    """List the territories of a user, as the users API shows them."""
    kept = documents.listed(org.store, KIND)
    return [_named(org, each) for each in kept if user in each["users"]]


def _named(org: Org, territory: Item) -> Item:
    """Mention a territory with its manager and the one above it."""
    people = mention(org, "Users", territory["manager"])
    above = mention(org, KIND, territory["reporting_to"])
    names = {"Name": territory["name"], "id": territory["id"]}
    return names | {
        "Manager": people and {"Name": people["name"], "id": people["id"]},
        "Reporting_To": above and {"Name": above["name"], "id": above["id"]},
    }


def get_of_user(org: Org, request: Request, user: str) -> Answer:
    """``GET /users/{user}/territories``: the territories of a user."""
    return bodies.page_of(request, KIND, of_user(org, _user(org, user, 1)))


def get_one_of_user(org: Org, request: Request, user: str, territory: str) -> Answer:
    """``GET /users/{user}/territories/{territory}``: one territory of a user."""
    described = [each for each in of_user(org, _user(org, user, 1)) if each["id"] == territory]
    return json_answer({KIND: described}) if described else NOTHING


def put_of_user(org: Org, request: Request, user: str) -> Answer:
    """``PUT /users/{user}/territories``: put a user into territories."""
    user = _user(org, user, 1)

    def join(item: Item, path: str) -> Item:
        territory = _sent_territory(org, item, path)
        _joined(org, territory, user)
        return bodies.done("Territories associated successfully", territory)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND), join)


def delete_of_user(org: Org, request: Request, user: str) -> Answer:
    """``DELETE /users/{user}/territories?ids=``: take a user out of territories."""
    ids = parameters.names(request, "ids")
    if not ids:
        raise parameters.missing("ids")
    return _leave(org, _user(org, user, 1), ids)


def delete_one_of_user(org: Org, request: Request, user: str, territory: str) -> Answer:
    """``DELETE /users/{user}/territories/{territory}``: take a user out of one territory."""
    existing(org, TERRITORIES, territory)
    return _leave(org, _user(org, user, 1), [territory])


def _leave(org: Org, user: str, territories: Sequence[str]) -> Answer:
    """Take a user out of territories."""

    def leave(item: Item, path: str) -> Item:
        if documents.find(org.store, KIND, item["id"]) is None:
            raise Refusal(400, "INVALID_DATA", "the id given seems to be invalid", dict(item))
        _left(org, item["id"], user)
        return bodies.done("Territories disassociated successfully", item["id"])

    return bodies.each_of(org, KIND, [{"id": each} for each in territories], leave)


def _sent_territory(org: Org, item: object, path: str) -> str:
    """Find the territory that an entry names."""
    if not isinstance(item, dict) or item.get("id") is None:
        raise bodies.missing("id", path)
    if mention(org, KIND, item["id"]) is None:
        raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
    return str(item["id"])


# -- records in territories ------------------------------------------------------------------------


def _records(
    org: Org, request: Request, module: str, record_id: str | None, work: Callable[..., None]
) -> Answer:
    """Do something with the territories that each entry names for a record."""
    name = module_named(org, module).api_name
    if name not in MODULES:
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"resource_path_index": 0})

    def change(item: Item, path: str) -> Item:
        if record_id is None:
            bodies.required(item, ("id",), path)
        record = str(record_id or item["id"])
        found = parameters.is_id(record) and org.store.read(
            f'SELECT 1 FROM "{name}" WHERE id = ?', (int(record),)
        )
        if not found:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        sent = bodies.checked(item.get("Territories"), "jsonarray", f"{path}.Territories")
        if not sent:
            raise bodies.missing("Territories", path)
        territories = [
            int(_sent_territory(org, each, f"{path}.Territories[{n}]"))
            for n, each in enumerate(sent)
        ]
        work(org, name, int(record), territories, path)
        return bodies.done(f"Territories {DONE[work]} successfully", record)

    most = 1 if record_id else MOST_ASSIGNED
    return bodies.each_of(org, "data", bodies.entries(request, "data", most), change)


def _assign(org: Org, module: str, record: int, territories: list[int], path: str) -> None:
    """Put a record into territories; a deal is in one at a time."""
    most = org.settings.deal_territories if module == "Deals" else None
    if most is not None and len(territories) > most:
        raise bodies.invalid("Territories", f"{path}.Territories", maximum_length=most)
    if most is not None:
        org.store.execute("DELETE FROM record_territories WHERE record = ?", (record,))
    for each in territories:
        org.store.execute("INSERT OR IGNORE INTO record_territories VALUES (?, ?)", (record, each))


def _remove(org: Org, module: str, record: int, territories: list[int], path: str) -> None:
    """Take a record out of territories, or refuse one that it is not in."""
    sql = "SELECT territory FROM record_territories WHERE record = ?"
    present = {each for (each,) in org.store.read(sql, (record,))}
    for number, each in enumerate(territories):
        if each not in present:
            raise bodies.invalid("id", f"{path}.Territories[{number}].id")
        sql = "DELETE FROM record_territories WHERE record = ? AND territory = ?"
        org.store.execute(sql, (record, each))


DONE = {_assign: "assigned", _remove: "removed"}


def assign(org: Org, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/assign_territories``: put records into territories."""
    return _records(org, request, module, None, _assign)


def assign_one(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/assign_territories``: put one record into territories."""
    return _records(org, request, module, record_id, _assign)


def remove(org: Org, request: Request, module: str) -> Answer:
    """``POST /{module}/actions/remove_territories``: take records out of territories."""
    return _records(org, request, module, None, _remove)


def remove_one(org: Org, request: Request, module: str, record_id: str) -> Answer:
    """``POST /{module}/{id}/actions/remove_territories``: take one record out of territories."""
    return _records(org, request, module, record_id, _remove)


_PATH = f"{V8}/settings/territories"
_ONE = f"{_PATH}/{{territory}}"
_OF_USER = f"{V8}/users/{{user}}/territories"
_EVERY = ("list", "post", "put", "delete", "one", "put_one", "delete_one")
_READ, _UPDATE = scoped(TERRITORIES, "READ"), scoped(TERRITORIES, "UPDATE")
_USERS_READ, _USERS_UPDATE = ("ZohoCRM.users.READ",), ("ZohoCRM.users.UPDATE",)

ROUTES = (
    *routes(TERRITORIES, _EVERY, "territory"),
    Route(
        "GET",
        f"{_ONE}/__child_territories",
        get_children,
        "territories right below one",
        _READ,
        honours=PAGES,
        refuses=("filters",),
    ),
    Route(
        "GET",
        f"{_PATH}/actions/associated_users_count",
        count_users,
        "how many users territories have",
        _READ,
        honours=PAGES,
    ),
    Route(
        "GET",
        f"{_PATH}/actions/deleted_associated_territories",
        get_deleted,
        "deleted territories",
        _READ,
        honours=("ids", *PAGES),
    ),
    Route(
        "POST",
        f"{_PATH}/actions/transfer_and_delete",
        transfer,
        "delete territories, others take what they had",
        scoped(TERRITORIES, "DELETE"),
    ),
    Route(
        "POST",
        f"{_ONE}/actions/transfer_and_delete",
        transfer_one,
        "delete one territory, another takes what it had",
        scoped(TERRITORIES, "DELETE"),
    ),
    Route("GET", f"{_ONE}/users", get_users, "users of a territory", _READ, honours=PAGES),
    Route("PUT", f"{_ONE}/users", put_users, "put users into a territory", _UPDATE),
    Route(
        "DELETE",
        f"{_ONE}/users",
        delete_users,
        "take users out of a territory",
        _UPDATE,
        honours=("ids",),
    ),
    Route("GET", f"{_ONE}/users/{{user}}", get_user, "one user of a territory", _READ),
    Route("PUT", f"{_ONE}/users/{{user}}", put_user, "put a user into a territory", _UPDATE),
    Route("DELETE", f"{_ONE}/users/{{user}}", delete_user, "take a user out", _UPDATE),
    Route("GET", _OF_USER, get_of_user, "territories of a user", _USERS_READ, honours=PAGES),
    Route("PUT", _OF_USER, put_of_user, "put a user into territories", _USERS_UPDATE),
    Route(
        "DELETE",
        _OF_USER,
        delete_of_user,
        "take a user out of territories",
        _USERS_UPDATE,
        honours=("ids",),
    ),
    Route(
        "GET",
        f"{_OF_USER}/{{territory}}",
        get_one_of_user,
        "one territory of a user",
        _USERS_READ,
    ),
    Route(
        "DELETE",
        f"{_OF_USER}/{{territory}}",
        delete_one_of_user,
        "take a user out of one territory",
        _USERS_UPDATE,
    ),
    *(
        Route("POST", f"{V8}/{{module}}{place}/actions/{name}_territories", handler, what, UPDATE)
        for place, name, handler, what in (
            ("", "assign", assign, "put records into territories"),
            ("/{record_id}", "assign", assign_one, "put a record into territories"),
            ("", "remove", remove, "take records out of territories"),
            ("/{record_id}", "remove", remove_one, "take a record out of territories"),
        )
    ),
)
