"""Settings that are listed, made, changed and deleted alike: what a resource is, and its handlers.

A resource is a kind of documents with a list of keys. What one has beyond that stands beside it,
as functions that the handlers call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.storage import documents

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

#: Directories whose members a key may point to, and the column that names them.
DIRECTORIES = {"Users": "full_name", "Roles": "name", "Profiles": "name"}
ID_INDEX = 2


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a resource.

    ``kind`` is its JSON type. ``points_to`` is a directory or a kind of documents: the value is
    then an object with the ``id`` of a member, kept as that id. ``unique`` values are had once.
    """

    name: str
    kind: str = "string"
    mandatory: bool = False
    supported: tuple[object, ...] = ()
    longest: int | None = None
    regex: str | None = None
    unique: bool = False
    default: object = None
    points_to: str | None = None
    fixed: bool = False


def unchanged(org: Org, change: Item, document: Item | None, path: str) -> None:
    """Check nothing beyond the keys."""


def as_kept(org: Org, document: Item) -> Item:
    """Show a document as it is."""
    return document


def allowed(org: Org, document: Item, request: Request) -> None:
    """Let every document be deleted."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Settings of one kind.

    ``envelope`` is their key in bodies. ``check`` refuses or completes what is sent, ``show`` adds
    to the description, ``deleting`` refuses a deletion or does what goes with it. ``by_name`` says
    that an address may have the API name in the place of the id. ``changes`` is the HTTP method of
    a change.
    """

    envelope: str
    kind: str
    path: str
    scope: str
    what: str
    keys: tuple[Key, ...]
    created: str
    updated: str
    deleted: str
    check: Callable[[Org, Item, Item | None, str], None] = unchanged
    show: Callable[[Org, Item], Item] = as_kept
    deleting: Callable[[Org, Item, Request], None] = allowed
    filtered_by: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    changes: str = "PUT"
    created_status: int = 201
    by_name: bool = False
    pages: bool = True
    stamped: bool = True
    most: int | None = None
    by_key: dict[str, Key] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.by_key.update((each.name, each) for each in self.keys)


# -- what is kept ----------------------------------------------------------------------------------


def shown(org: Org, resource: Resource, document: Item) -> Item:
    """Show one document as Zoho describes it."""
    described = {
        key.name: mention(org, key.points_to, document.get(key.name))
        if key.points_to
        else document.get(key.name)
        for key in resource.keys
    }
    stamps = bodies.stamped(org, document) if resource.stamped else {}
    return resource.show(org, {**document, **described, **stamps})


def mention(org: Org, where: str, member_id: object) -> Item | None:
    """Mention a member of a directory, or a document, by name and id."""
    if member_id is None:
        return None
    if where in DIRECTORIES:
        sql = f'SELECT "{DIRECTORIES[where]}" FROM "{where}" WHERE id = ?'
        rows = org.store.read(sql, (int(str(member_id)),)) if _is_id(member_id) else []
        return {"name": rows[0][0], "id": str(member_id)} if rows else None
    found = documents.find(org.store, where, member_id)
    return {"name": found["name"], "id": found["id"]} if found else None


def _is_id(value: object) -> bool:
    return parameters.is_id(str(value))


def find(org: Org, resource: Resource, text: str) -> Item | None:
    """Find a document by the id, or by the API name, in an address."""
    if resource.by_name and not parameters.is_id(text):
        kept = documents.listed(org.store, resource.kind)
        return next((each for each in kept if each.get("api_name") == text), None)
    if not parameters.is_id(text):
        raise bodies.unknown_id(ID_INDEX)
    return documents.find(org.store, resource.kind, text)


def existing(org: Org, resource: Resource, text: str) -> Item:
    """Find a document, or refuse an address that names none."""
    found = find(org, resource, text)
    if found is None:
        raise bodies.unknown_id(ID_INDEX)
    return found


# -- what is sent ----------------------------------------------------------------------------------


def checked(org: Org, resource: Resource, item: Item, path: str, document: Item | None) -> Item:
    """Check what is sent for a document, and keep what counts of it."""
    if document is None:
        bodies.required(item, [key.name for key in resource.keys if key.mandatory], path)
    change: Item = {}
    for name in item.keys() & resource.by_key.keys():
        key = resource.by_key[name]
        if key.fixed and document is not None:
            continue
        change[name] = _value(org, resource, key, item[name], f"{path}.{name}")
        if key.unique:
            others = [
                each
                for each in documents.listed(org.store, resource.kind)
                if document is None or each["id"] != document["id"]
            ]
            _check_unique(others, key, change[name], f"{path}.{name}")
    if document is None:
        defaults = {key.name: key.default for key in resource.keys if key.name not in change}
        change = defaults | change
    resource.check(org, change, document, path)
    return change


def _value(org: Org, resource: Resource, key: Key, value: object, path: str) -> object:
    """Check one value."""
    if value is None:
        if key.mandatory:
            raise bodies.missing(key.name, path.rpartition(".")[0])
        return key.default
    if key.points_to:
        return _member(org, key, value, path)
    bodies.checked(value, key.kind, path)
    if key.supported and value not in key.supported:
        raise bodies.invalid(key.name, path, supported_values=list(key.supported))
    if isinstance(value, str):
        if key.mandatory and not value.strip():
            raise bodies.missing(key.name, path.rpartition(".")[0])
        if key.longest is not None and len(value) > key.longest:
            raise bodies.invalid(key.name, path, maximum_length=key.longest)
        if key.regex is not None and not re.fullmatch(key.regex, value):
            raise bodies.invalid(key.name, path, regex=key.regex)
    return value


def _member(org: Org, key: Key, value: object, path: str) -> str:
    """Check that a key points to something that exists, and keep its id."""
    bodies.checked(value, "jsonobject", path)
    assert isinstance(value, dict)
    if "id" not in value:
        raise bodies.missing("id", path)
    if not _is_id(value["id"]) or mention(org, key.points_to or "", value["id"]) is None:
        raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
    return str(value["id"])


def _check_unique(others: Sequence[Item], key: Key, value: object, path: str) -> None:
    """Refuse a value that another document has, in any case of its letters."""
    if any(str(each.get(key.name)).lower() == str(value).lower() for each in others):
        raise bodies.duplicate(key.name, path)


# -- handlers --------------------------------------------------------------------------------------


def get_list(resource: Resource, org: Org, request: Request) -> Answer:
    """List the documents, chosen by ids and by the keys that the resource is filtered by."""
    kept = documents.listed(org.store, resource.kind)
    if ids := parameters.names(request, "ids"):
        kept = [each for each in kept if each["id"] in ids]
    for name in resource.filtered_by:
        if name in request.params:
            wanted = request.params[name]
            kept = [each for each in kept if wanted in _texts(each.get(name))]
    described = [shown(org, resource, each) for each in kept]
    if resource.pages:
        return bodies.page_of(request, resource.envelope, described)
    return json_answer({resource.envelope: described}) if described else NOTHING


def _texts(value: object) -> tuple[str, ...]:
    """Give what a filter may say of a value."""
    if isinstance(value, bool):
        return (str(value).lower(),)
    return (str(value), f"{str(value)[:1].lower()}{str(value)[1:]}")


def get_one(resource: Resource, org: Org, request: Request, **names: str) -> Answer:
    """Show one document."""
    found = find(org, resource, _only(names))
    return json_answer({resource.envelope: [shown(org, resource, found)]}) if found else NOTHING


def post(resource: Resource, org: Org, request: Request) -> Answer:
    """Make documents."""

    def create(item: Item, path: str) -> Item:
        return bodies.done(resource.created, added(org, resource, item, path, request.user))

    items = bodies.entries(request, resource.envelope, resource.most)
    return bodies.each_of(org, resource.envelope, items, create, resource.created_status)


def added(org: Org, resource: Resource, item: Item, path: str, user: int) -> str:
    """Make one document and return its id."""
    change = checked(org, resource, item, path, None)
    return documents.add(org.store, resource.kind, change | bodies.stamps(org, user))


def put(resource: Resource, org: Org, request: Request) -> Answer:
    """Change documents by their ids."""

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        document = documents.find(org.store, resource.kind, item["id"])
        if document is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return changed(org, resource, item, path, _restamped(org, document, request.user))

    items = bodies.entries(request, resource.envelope, resource.most)
    return bodies.each_of(org, resource.envelope, items, change)


def put_one(resource: Resource, org: Org, request: Request, **names: str) -> Answer:
    """Change one document."""
    document = existing(org, resource, _only(names))

    def change(item: Item, path: str) -> Item:
        return changed(org, resource, item, path, _restamped(org, document, request.user))

    items = bodies.entries(request, resource.envelope, 1)
    return bodies.each_of(org, resource.envelope, items, change)


def _restamped(org: Org, document: Item, user: int) -> Item:
    """Say who changes a document, and when."""
    return {**document, "modified_by": user, "modified_time": org.clock.now()}


def changed(org: Org, resource: Resource, item: Item, path: str, document: Item) -> Item:
    """Change one document."""
    change = checked(org, resource, item, path, document)
    documents.change(org.store, {**document, **change})
    return bodies.done(resource.updated, document["id"])


def delete(resource: Resource, org: Org, request: Request) -> Answer:
    """Delete the documents that the parameter ``ids`` names."""
    ids = parameters.names(request, "ids")
    if not ids:
        raise parameters.missing("ids")

    def remove(item: Item, path: str) -> Item:
        document = documents.find(org.store, resource.kind, item["id"])
        if document is None:
            message = "the id given seems to be invalid"
            raise Refusal(400, "INVALID_DATA", message, {"id": item["id"]})
        return removed(org, resource, document, request)

    return bodies.each_of(org, resource.envelope, [{"id": each} for each in ids], remove)


def delete_one(resource: Resource, org: Org, request: Request, **names: str) -> Answer:
    """Delete one document."""
    document = existing(org, resource, _only(names))

    def remove(item: Item, path: str) -> Item:
        return removed(org, resource, document, request)

    return bodies.each_of(org, resource.envelope, [{}], remove)


def removed(org: Org, resource: Resource, document: Item, request: Request) -> Item:
    """Delete one document."""
    resource.deleting(org, document, request)
    documents.remove(org.store, document["id"])
    return bodies.done(resource.deleted, document["id"])


def _only(names: dict[str, str]) -> str:
    """Give the one value of an address."""
    (value,) = names.values()
    return value


def scoped(resource: Resource, operation: str) -> tuple[str]:
    """Name the scope of an operation."""
    return (f"ZohoCRM.{resource.scope}.{operation}",)


def routes(resource: Resource, operations: Sequence[str], name: str = "id") -> tuple[Route, ...]:
    """Make the routes of a resource.

    ``operations`` are some of ``list post put delete one put_one delete_one``; ``name`` is what the
    last segment of an address is called.
    """
    path, one = f"{V8}/{resource.path}", f"{V8}/{resource.path}/{{{name}}}"
    singular = f"one of the {resource.what}"
    honours = (*resource.filtered_by, *(PAGES if resource.pages else ()))
    known: dict[str, tuple[str, str, Callable[..., Answer], str, str, tuple[str, ...]]] = {
        "list": ("GET", path, get_list, resource.what, "READ", (*honours, "ids")),
        "post": ("POST", path, post, f"make {resource.what}", "CREATE", ()),
        "put": (resource.changes, path, put, f"change {resource.what}", "UPDATE", ()),
        "delete": ("DELETE", path, delete, f"delete {resource.what}", "DELETE", ("ids",)),
        "one": ("GET", one, get_one, singular, "READ", ()),
        "put_one": (resource.changes, one, put_one, f"change {singular}", "UPDATE", ()),
        "delete_one": ("DELETE", one, delete_one, f"delete {singular}", "DELETE", ()),
    }
    return tuple(
        Route(
            method,
            address,
            partial(handler, resource),
            what,
            scoped(resource, operation),
            honours=honoured,
            refuses=resource.refuses if method in ("GET", "DELETE") else (),
        )
        for method, address, handler, what, operation, honoured in (
            known[each] for each in operations
        )
    )
