"""Who is told what: the notification channels of the org, and the callbacks that changes lead to.

They listen to the store, below every API that writes: whatever changes a record, through REST, a
bulk job or the life simulator, is noticed, and no writer has to announce it. While no channel is
open there is no listener.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from zcrm_nb.emulator.org import Org
from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.table import Table
from zcrm_nb.emulator.serving.http import API_ORIGIN
from zcrm_nb.emulator.storage.schema import ONLY_ON_ONE
from zcrm_nb.emulator.storage.store import Change
from zcrm_nb.emulator.watching.callbacks import Courier, Delivery, Post

if TYPE_CHECKING:
    from zcrm_nb.emulator.storage.schema import Module

ACTIONS = {"insert": "create", "update": "edit", "delete": "delete"}
"""What a callback calls an operation, and what a subscription calls it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Channel:
    """What one caller wants to be told, and where.

    ``events`` are as subscribed, ``Deals.edit`` or ``Deals.all``; ``expiry`` is in epoch seconds.
    """

    channel_id: str
    user: int
    client_id: str
    events: tuple[str, ...]
    notify_url: str
    expiry: int
    token: str | None = None
    return_affected_field_values: bool = False
    notify_on_related_action: bool = True
    notification_condition: list[dict[str, Any]] | None = dataclass_field(default=None, hash=False)

    @property
    def modules(self) -> list[str]:
        """Names of the modules it watches, in the order they were subscribed."""
        return list(dict.fromkeys(each.rpartition(".")[0] for each in self.events))

    def events_of(self, module: str) -> list[str]:
        """Events of one module."""
        return [each for each in self.events if each.rpartition(".")[0] == module]

    def watches(self, module: str, operation: str) -> bool:
        """Whether an operation on a module is among its events."""
        return not {f"{module}.{ACTIONS[operation]}", f"{module}.all"}.isdisjoint(self.events)

    def wants(self, change: Change) -> bool:
        """Whether its conditions let a change pass; they look at the fields of an edit."""
        if change.operation != "update":
            return True
        return all(
            _holds(each["field_selection"], change.fields)
            for each in self.notification_condition or ()
            if each["module"]["api_name"] == change.module and each.get("field_selection")
        )


def _holds(selection: Mapping[str, Any], changed: Iterable[str]) -> bool:
    """Whether the fields that a selection names have changed: any or all of each group."""
    if selection.get("field"):
        return selection["field"]["api_name"] in changed
    every = all if selection["group_operator"].lower() == "and" else any
    return every(_holds(each, changed) for each in selection["group"])


class WatchOrg(Org):
    """An org with its notification channels."""

    courier: Courier
    channels: Channels


class Channels:
    """The channels of an org.

    Every callback has its own ``server_time``, later than the one before: two changes within one
    millisecond, or under a clock that stands still, can be told apart as in Zoho.
    """

    def __init__(self, org: WatchOrg) -> None:
        self._org, self._settings = org, org.settings.watch
        self._courier = org.courier
        self._last_time = 0
        self._open: dict[tuple[object, ...], Channel] = {}
        saved = orjson.loads(org.store.remembered("channels") or "[]")
        self._replace(Channel(**{**each, "events": tuple(each["events"])}) for each in saved)

    @property
    def post(self) -> Post:
        """How one callback is sent: address and JSON body in, HTTP status out.

        By default an HTTP request to a loopback address. Put a callable here and it is handed every
        callback instead, in a thread of the emulator: no port is needed then, and the address may
        be any.

        Examples
        --------
        >>> from zcrm_nb.emulator import Emulator
        >>> with Emulator(rows={"Leads": 5}) as emulator:
        ...     emulator.channels.post = lambda url, body: 200
        """
        return self._courier.post

    @post.setter
    def post(self, post: Post) -> None:
        self._courier.post = post

    @property
    def deliveries(self) -> deque[Delivery]:
        """The last 10,000 callbacks that were done with."""
        return self._courier.deliveries

    def drain(self, timeout_s: float = 30.0) -> None:
        """Wait until every callback is done with; late ones come now."""
        self._courier.drain(timeout_s)

    def close(self) -> None:
        """Drop the callbacks that wait."""
        self._org.store.listener = None
        self._courier.close()

    # -- subscriptions ---------------------------------------------------------------------------

    def of(self, user: int, client_id: str) -> list[Channel]:
        """List the open channels that a caller sees."""
        mine, now = self._key(user, client_id, "")[:-1], self._org.clock.now()
        channels = self._open.items()
        return [each for key, each in channels if key[:-1] == mine and each.expiry > now]

    def find(self, user: int, client_id: str, channel_id: str) -> Channel | None:
        """Find an open channel of a caller."""
        channel = self._open.get(self._key(user, client_id, channel_id))
        return channel if channel and channel.expiry > self._org.clock.now() else None

    def keep(self, channel: Channel) -> None:
        """Open a channel, or replace it."""
        self._change(channel, [channel])

    def drop(self, channel: Channel) -> None:
        """Close a channel."""
        self._change(channel, [])

    def _change(self, old: Channel, new: list[Channel]) -> None:
        """Put channels in the place of one, in the org's file too."""
        with self._org.store.transaction():
            gone = self._name(old)
            self._replace([each for key, each in self._open.items() if key != gone] + new)
            saved = orjson.dumps([asdict(each) for each in self._open.values()]).decode()
            self._org.store.remember("channels", saved)

    def _replace(self, channels: Iterable[Channel]) -> None:
        """Open these and no others, without those that ended; listen while there are any."""
        now = self._org.clock.now()
        self._open = {self._name(each): each for each in channels if each.expiry > now}
        self._org.store.listener = self._hear if self._open else None

    def _name(self, channel: Channel) -> tuple[object, ...]:
        """Say which channel it is."""
        return self._key(channel.user, channel.client_id, channel.channel_id)

    def _key(self, user: int, client_id: str, channel_id: str) -> tuple[object, ...]:
        """Say what makes a channel's id unique."""
        scope = {"user and client": (user, client_id), "user": (user,), "org": ()}
        return (*scope[self._settings.channel_ids_per], channel_id)

    # -- callbacks -------------------------------------------------------------------------------

    def _hear(self, changes: list[Change]) -> None:
        """Describe committed changes; the write is done and must not fail for a bug of ours."""
        try:
            self._replace(self._open.values())
            net = _net([*changes, *self._of_parents(changes)])
            for channel in self._open.values():
                for callback in self._callbacks(channel, net):
                    self._courier.send(callback)
        except Exception:  # logged; the write that led here is done
            _log.exception("The emulator could not notify of %d changes", len(changes))

    def _callbacks(self, channel: Channel, changes: list[Change]) -> Iterator[Delivery]:
        """Make the callbacks for a channel: one for each module and operation of a transaction."""
        notified = [each for each in changes if self._notifies(each) and channel.wants(each)]
        if channel.notify_on_related_action and self._settings.related_actions:
            notified = _net([*notified, *self._related(channel, changes)])
        groups: dict[tuple[str, str], list[Change]] = {}
        for each in notified:
            if channel.watches(each.module, each.operation):
                groups.setdefault((each.module, each.operation), []).append(each)
        for group in groups.values():
            yield self._callback(channel, group)

    def _notifies(self, change: Change) -> bool:
        """Whether a change is worth a callback; settings, for what no page tells."""
        if change.restored:
            return self._settings.restored
        return bool(change.operation != "update" or change.fields or self._settings.unchanged)

    def _callback(self, channel: Channel, group: list[Change]) -> Delivery:
        module, operation = group[0].module, group[0].operation
        ids = [str(each.id) for each in group]
        edits = [{str(each.id): list(each.fields)} for each in group]
        server_time = self._server_time()
        query = urlsplit(channel.notify_url).query
        payload = {
            "server_time": server_time,
            "query_params": dict(parse_qsl(query, keep_blank_values=True)),
            "module": module,
            "resource_uri": resource_uri(self._org, module),
            "ids": ids,
            "affected_fields": edits if operation == "update" else [],
            "operation": self._settings.delete_word if operation == "delete" else operation,
            "channel_id": channel.channel_id,
            "token": channel.token,
        }
        if channel.return_affected_field_values:
            payload["affected_values"] = self._values(group) if operation != "delete" else []
        return Delivery(
            lane=self._name(channel),
            channel_id=channel.channel_id,
            module=module,
            operation=operation,
            ids=tuple(ids),
            server_time=server_time,
            url=channel.notify_url,
            body=orjson.dumps(payload),
        )

    def _server_time(self) -> int:
        """Give the time in milliseconds, no moment twice."""
        self._last_time = max(self._org.clock.now() * 1000, self._last_time + 1)
        return self._last_time

    def _values(self, group: list[Change]) -> list[dict[str, Any]]:
        """Show the values that changed, and who changed them."""
        module = self._org.schema.module(group[0].module)
        editor = ("Modified_By",) if group[0].operation == "update" else ()
        names = {*editor, *(name for each in group for name in each.fields)}
        fields = [
            each
            for each in module.fields
            if each.api_name in names and each.data_type not in ONLY_ON_ONE
        ]
        marks = ", ".join("?" * len(group))
        where = Condition(f"r.id IN ({marks})", tuple(each.id for each in group))
        records, _ = Table(self._org.store, module, fields).read(where, "r.id", len(group))
        shown = {record["id"]: record for record in records}
        return [
            {
                "record_id": str(each.id),
                "values": {
                    name: shown[str(each.id)][name]
                    for name in (*each.fields, *editor)
                    if name in shown[str(each.id)]
                },
            }
            for each in group
            if str(each.id) in shown
        ]

    def _of_parents(self, changes: list[Change]) -> Iterator[Change]:
        """Turn a change of a subform's row, or of a link, into an update of its record."""
        for each in changes:
            child = self._org.schema.module(each.module)
            if child.parent is None:
                continue
            parent = self._org.schema.module(child.parent)
            pointer = next(field for field in child.fields if field.target == parent.api_name)
            holder = next(field for field in parent.fields if field.target == child.api_name)
            record_id = (each.before or self._now(child, each.id)).get(pointer.api_name)
            if record_id is not None:
                yield Change(parent.api_name, "update", record_id, (holder.api_name,))

    def _related(self, channel: Channel, changes: list[Change]) -> Iterator[Change]:
        """Turn a change into updates of the records of watched modules that it points to."""
        watched = set(channel.modules)
        for each in changes:
            module = self._org.schema.module(each.module)
            pointers = [
                field for field in module.fields if watched & {field.target, *field.targets}
            ]
            if not pointers or module.parent is not None:
                continue
            row = each.before if each.operation == "delete" else self._now(module, each.id)
            for field in pointers:
                target = row.get("$se_module") if field.targets else field.target
                if target in watched and row.get(field.api_name) is not None:
                    yield Change(str(target), "update", row[field.api_name])

    def _now(self, module: Module, record_id: int) -> dict[str, Any]:
        """Read a record as the store keeps it."""
        names = [each.api_name for each in module.fields if each.column]
        if module.polymorphic:
            names.append("$se_module")
        columns = ", ".join(f'"{name}"' for name in names)
        rows = self._org.store.read(
            f'SELECT {columns} FROM "{module.api_name}" WHERE id = ?',
            (record_id,),
        )
        return dict(zip(names, rows[0], strict=True)) if rows else {}


def resource_uri(org: Org, module: str) -> str:
    """Give the address of a module as notifications spell it."""
    return f"{API_ORIGIN}/crm/{org.settings.watch.resource_version}/{module}"


def _net(changes: Iterable[Change]) -> list[Change]:
    """Sum up what a transaction did to each record: one change, or none if it came and went."""
    net: dict[tuple[str, int], Change | None] = {}
    for each in changes:
        key = each.module, each.id
        old = net.get(key)
        net[key] = each if key not in net else _both(old, each)
    return [each for each in net.values() if each]


def _both(old: Change | None, new: Change) -> Change | None:
    """Sum up two changes of one record."""
    if old is None or old.operation == "delete":
        return old
    if new.operation == "delete":
        return None if old.operation == "insert" else replace(new, before=old.before)
    return replace(old, fields=tuple(dict.fromkeys([*old.fields, *new.fields])))
