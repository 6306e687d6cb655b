"""Groups of users: of single users, roles, territories and other groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.configuring.resource import (
    Key,
    Resource,
    existing,
    mention,
    routes,
    scoped,
    shown,
)
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

KIND = "user_groups"
JOBS = "deletion_jobs"
#: Where the members of each type of source are.
SOURCES = {"users": "Users", "roles": "Roles", "territories": "territories", "groups": KIND}


def _check(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check the sources of a group, and keep their ids."""
    if "sources" not in change:
        return
    if not change["sources"]:
        raise bodies.invalid("sources", f"{path}.sources", minimum_length=1)
    change["sources"] = [
        _source(org, each, f"{path}.sources[{number}]")
        for number, each in enumerate(change["sources"])
    ]


def _source(org: Org, sent: object, path: str) -> Item:
    """Check one source."""
    item = dict(bodies.checked(sent, "jsonobject", path))
    bodies.required(item, ("type", "source"), path)
    if item["type"] not in SOURCES:
        raise bodies.invalid("type", f"{path}.type", supported_values=list(SOURCES))
    source = bodies.checked(item["source"], "jsonobject", f"{path}.source")
    bodies.required(source, ("id",), f"{path}.source")
    known = parameters.is_id(str(source["id"]))
    if not known or mention(org, SOURCES[item["type"]], source["id"]) is None:
        raise bodies.invalid("id", f"{path}.source.id", "the id given seems to be invalid")
    flags = {name: bool(item.get(name)) for name in ("subordinates", "sub_territories")}
    return {"type": item["type"], "source": str(source["id"]), **flags}


def _show(org: Org, document: Item) -> Item:
    """Show a group with its sources and how many of each there are."""
    return {
        **document,
        "sources": [_shown_source(org, each) for each in document["sources"]],
        "sources_count": _counts(org, document),
    }


def _shown_source(org: Org, source: Item) -> Item:
    """Show one source of a group."""
    return source | {"source": mention(org, SOURCES[source["type"]], source["source"])}


def _counts(org: Org, document: Item) -> Item:
    """Count the sources of a group; users by their status."""
    kinds = [each["type"] for each in document["sources"]]
    statuses = dict.fromkeys(("active", "inactive", "deleted"), 0)
    for each in document["sources"]:
        if each["type"] == "users":
            sql = "SELECT status FROM Users WHERE id = ?"
            for (status,) in org.store.read(sql, (int(each["source"]),)):
                statuses[status] = statuses.get(status, 0) + 1
    plain = {name: kinds.count(name) for name in ("territories", "roles", "groups")}
    return plain | {"users": statuses}


GROUPS = Resource(
    KIND,
    KIND,
    "settings/user_groups",
    "settings.user_groups",
    "groups of users",
    (
        Key("name", mandatory=True, longest=100, unique=True),
        Key("description", longest=250),
        Key("sources", "jsonarray", mandatory=True),
    ),
    "User group created successfully",
    "User group updated successfully",
    "User group deleted successfully",
    check=_check,
    show=_show,
    filtered_by=("name",),
    refuses=("filters", "include"),
)


def users_of(org: Org, group: Item) -> list[int]:
    """List the ids of all users in a group, by whichever source."""
    found: dict[int, None] = {}
    for each in group["sources"]:
        found |= dict.fromkeys(_users_from(org, each))
    return list(found)


def _users_from(org: Org, source: Item) -> list[int]:
    """List the users that one source brings."""
    kind, member = source["type"], source["source"]
    if kind == "users":
        return [int(member)]
    if kind == "roles":
        sql = "SELECT id FROM Users WHERE role = ?"
        return [each for (each,) in org.store.read(sql, (int(member),))]
    found = documents.find(org.store, SOURCES[kind], member)
    if found is None:
        return []
    return [int(each) for each in found["users"]] if kind == "territories" else users_of(org, found)


def delete_group(org: Org, request: Request, group: str) -> Answer:
    """``DELETE /settings/user_groups/{id}``: a job deletes a group; here it is done at once."""
    found = existing(org, GROUPS, group)
    documents.remove(org.store, found["id"])
    job = documents.add(org.store, JOBS, {"group": found["id"]})
    result = bodies.done("deletion scheduled", job) | {"code": "SCHEDULED"}
    return json_answer({KIND: [result | {"details": {"job_id": job}}]})


def get_deletion(org: Org, request: Request) -> Answer:
    """``GET …/actions/deletion_jobs?job_id=``: how far a deletion got."""
    job = request.params.get("job_id")
    if job is None:
        raise parameters.missing("job_id")
    found = documents.find(org.store, JOBS, job)
    return json_answer({JOBS: [{"Status": "COMPLETED"}]}) if found else NOTHING


def get_sources(org: Org, request: Request, group: str) -> Answer:
    """``GET …/{group}/sources?type=``: the sources of a group."""
    found, kind = existing(org, GROUPS, group), request.params.get("type")
    described = [_shown_source(org, e) for e in found["sources"] if kind in (None, e["type"])]
    return bodies.page_of(request, "sources", described)


def count_sources(org: Org, request: Request, group: str) -> Answer:
    """``GET …/{group}/actions/sources_count``: how many sources of each type a group has."""
    return json_answer({"sources_count": [_counts(org, existing(org, GROUPS, group))]})


def count_users(org: Org, request: Request) -> Answer:
    """``GET …/actions/associated_users_count``: how many users each group has."""
    described = [
        {"user_group": {"name": each["name"], "id": each["id"]}, "count": len(users_of(org, each))}
        for each in documents.listed(org.store, KIND)
    ]
    return bodies.page_of(request, "associated_users_count", described)


def get_of_user(org: Org, request: Request, user: str) -> Answer:
    """``GET /users/{user}/actions/associated_groups``: the groups of a user."""
    if not parameters.is_id(user) or mention(org, "Users", user) is None:
        raise bodies.unknown_id(1)
    kept = documents.listed(org.store, KIND)
    names = ("id", "name", "description", "created_time", "modified_time", "created_by")
    described = [
        {name: group[name] for name in (*names, "modified_by")}
        for each in kept
        if int(user) in users_of(org, each)
        for group in [shown(org, GROUPS, each)]
    ]
    return bodies.page_of(request, KIND, described)


_PATH = f"{V8}/settings/user_groups"
_READ = scoped(GROUPS, "READ")

ROUTES = (
    *routes(GROUPS, ("list", "post", "put", "one", "put_one"), "group"),
    Route("DELETE", f"{_PATH}/{{group}}", delete_group, "delete a group", scoped(GROUPS, "DELETE")),
    Route(
        "GET",
        f"{_PATH}/actions/deletion_jobs",
        get_deletion,
        "how far a deletion got",
        _READ,
        honours=("job_id",),
    ),
    Route(
        "GET",
        f"{_PATH}/{{group}}/sources",
        get_sources,
        "sources of a group",
        _READ,
        honours=("type", *PAGES),
        refuses=("user_type",),
    ),
    Route(
        "GET",
        f"{_PATH}/{{group}}/actions/sources_count",
        count_sources,
        "how many sources a group has",
        _READ,
    ),
    Route(
        "GET",
        f"{_PATH}/actions/associated_users_count",
        count_users,
        "how many users groups have",
        _READ,
        honours=PAGES,
        refuses=("filters",),
    ),
    Route(
        "GET",
        f"{V8}/users/{{user}}/actions/associated_groups",
        get_of_user,
        "groups of a user",
        ("ZohoCRM.users.READ",),
        honours=PAGES,
        refuses=("include",),
    ),
)
