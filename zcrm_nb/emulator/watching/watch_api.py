"""``/actions/watch``: opening, listing, changing and closing notification channels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from zcrm_nb.emulator.records.table import plain_info
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import PAGES, V8, Route
from zcrm_nb.emulator.watching.channels import ACTIONS, Channel, resource_uri
from zcrm_nb.emulator.watching.watch_form import Form, Item, Location, limit_reached

if TYPE_CHECKING:
    from zcrm_nb.emulator.watching.channels import WatchOrg

SUBSCRIBED = "Successfully subscribed for actions-watch of the given module"
UPDATED = "Successfully updated the subscribe details"
REMOVED = "Successfully removed the subscribe details"
UNSUBSCRIBED = "Successfully un-subscribed from actions-watch"


def post_watch(org: WatchOrg, request: Request) -> Answer:
    """``POST /actions/watch``: open channels."""

    def enable(form: Form) -> list[Item]:
        channel_id, events = form.channel_id(), form.events()
        form.notify_url()
        user, client = _caller(request)
        old = org.channels.find(user, client, channel_id)
        if old and not org.settings.watch.repost_replaces:
            location = form.location.below("channel_id")
            raise Refusal(400, "DUPLICATE_DATA", "duplicate data", location._asdict())
        _check_room(org, request, old, form.location)
        details = form.details()
        channel = Channel(channel_id, user, client, events, expiry=form.expiry(), **details)
        org.channels.keep(channel)
        return [_subscribed(org, channel, channel.modules, SUBSCRIBED)]

    return _each(org, request, enable, 201)


def put_watch(org: WatchOrg, request: Request) -> Answer:
    """``PUT /actions/watch``: give channels new details; what is not sent is gone."""

    def update(form: Form) -> list[Item]:
        old = _open_channel(org, request, form.channel_id())
        events = form.events()
        form.notify_url()
        details = form.details()
        channel = Channel(
            old.channel_id, old.user, old.client_id, events, expiry=form.expiry(), **details
        )
        org.channels.keep(channel)
        return [_subscribed(org, channel, channel.modules, UPDATED)]

    return _each(org, request, update, 200)


def patch_watch(org: WatchOrg, request: Request) -> Answer:
    """``PATCH /actions/watch``: change some details, add events, or drop some."""

    def update(form: Form) -> list[Item]:
        old = _open_channel(org, request, form.channel_id())
        if form.deletes_events:
            return _drop_events(org, request, old, form.events())
        events = form.events() if form.has("events") else ()
        ends = form.expiry() if form.renews else old.expiry
        both = tuple(dict.fromkeys([*old.events, *events]))
        channel = replace(old, events=both, expiry=ends, **form.details())
        org.channels.keep(channel)
        return [_subscribed(org, channel, channel.modules, UPDATED)]

    return _each(org, request, update, 200)


def get_watch(org: WatchOrg, request: Request) -> Answer:
    """``GET /actions/watch``: the caller's channels, an item for each channel and module."""
    page = parameters.whole_number(request, "page", 1)
    per_page = parameters.whole_number(
        request, "per_page", parameters.PER_PAGE, parameters.PER_PAGE
    )
    channel_id, module = request.params.get("channel_id"), request.params.get("module")
    if module is not None and module not in (*org.schema.modules, "users"):
        message = "the module name given seems to be invalid"
        raise Refusal(400, "INVALID_MODULE", message, {"param_name": "module"})
    if channel_id is None:
        channels = org.channels.of(*_caller(request))
    else:
        try:
            channels = [_open_channel(org, request, channel_id)]
        except Refusal as refusal:
            return _unknown(org, refusal)
    rows = [
        _listed(org, channel, each)
        for channel in channels
        for each in channel.modules
        if module in (None, each)
    ]
    start = (page - 1) * per_page
    shown = rows[start : start + per_page]
    if not shown:
        return NOTHING
    info = plain_info(page, per_page, len(rows) - start)
    return json_answer({"watch": shown, "info": info})


def delete_watch(org: WatchOrg, request: Request) -> Answer:
    """``DELETE /actions/watch?channel_ids=``: close channels."""
    ids = parameters.names(request, "channel_ids")
    if not ids:
        raise parameters.missing("channel_ids")
    if not all(re.fullmatch(r"-?\d{1,19}", each) for each in ids):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "channel_ids"})

    def close(channel_id: str) -> list[Item]:
        channel = _open_channel(org, request, channel_id)
        org.channels.drop(channel)
        return _removed(org, channel, channel.modules, UNSUBSCRIBED)

    with org.store.transaction():
        return _together(org, [_tried(close, each) for each in ids], 200)


def _caller(request: Request) -> tuple[int, str]:
    """Say whose channels a request is about."""
    assert request.token is not None, "the route needs a token"
    return request.user, request.token.client_id


def _open_channel(org: WatchOrg, request: Request, channel_id: str) -> Channel:
    """Find an open channel, or refuse."""
    channel = org.channels.find(*_caller(request), channel_id)
    if channel is None:
        message = "Not subscribed for actions-watch of the given channel"
        raise Refusal(400, "NOT_SUBSCRIBED", message)
    return channel


def _unknown(org: WatchOrg, refusal: Refusal) -> Answer:
    """Answer a look at a channel that is not open."""
    if org.settings.watch.unknown_channel_status == 204:
        return NOTHING
    return json_answer({"watch": [refusal.body]}, refusal.status)


def _check_room(org: WatchOrg, request: Request, old: Channel | None, location: Location) -> None:
    """Refuse one channel too many."""
    most = org.settings.watch.channels_limit
    if old is None and most is not None and len(org.channels.of(*_caller(request))) >= most:
        raise limit_reached(most, location)


def _each(
    org: WatchOrg, request: Request, work: Callable[[Form], list[Item]], status: int
) -> Answer:
    """Do one piece of work for every item of the body."""
    items = _items(org, request.json())
    with org.store.transaction():
        tried = [
            _tried(work, Form(org, item, Location("watch", f"$.watch[{n}]")))
            for n, item in enumerate(items)
        ]
    return _together(org, tried, status)


def _items(org: WatchOrg, body: Item) -> list[Item]:
    """Find the items in a body; one of the specifications leaves the wrapper out."""
    location = Location("watch", "$.watch")
    if "watch" not in body and "channel_id" in body:
        return [body]
    if "watch" not in body:
        raise location.missing()
    items = body["watch"]
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise location.invalid(expected_data_type="jsonarray")
    if not items:
        raise location.invalid(minimum_length=1)
    most = org.settings.watch.items_per_call
    if len(items) > most:
        raise limit_reached(most, location)
    return items


def _tried(work: Callable[..., list[Item]], *arguments: object) -> tuple[list[Item], bool]:
    """Do a piece of work: its results, and whether it was done; a refusal is a result too."""
    try:
        return work(*arguments), True
    except Refusal as refusal:
        return [refusal.body], False


def _together(org: WatchOrg, tried: list[tuple[list[Item], bool]], good: int) -> Answer:
    """Answer with all results: all good, all refused, or mixed."""
    done = {each for _, each in tried}
    status = 207 if len(done) == 2 else good if True in done else org.settings.watch.refusal_status
    return json_answer({"watch": [each for results, _ in tried for each in results]}, status)


def _drop_events(
    org: WatchOrg, request: Request, old: Channel, events: Iterable[str]
) -> list[Item]:
    """Drop some events of a channel; one without events is closed."""
    gone = set(_single(events))
    left = tuple(_without(old.events, gone))
    touched = [name for name in old.modules if any(each.startswith(f"{name}.") for each in gone)]
    if left:
        org.channels.keep(replace(old, events=left))
    else:
        org.channels.drop(old)
    return _removed(org, old, touched, REMOVED)


def _single(events: Iterable[str]) -> Iterator[str]:
    """Spell ``Deals.all`` out."""
    for each in events:
        name, _, action = each.rpartition(".")
        yield from (f"{name}.{one}" for one in (ACTIONS.values() if action == "all" else [action]))


def _without(events: Iterable[str], gone: set[str]) -> Iterator[str]:
    """Leave events out; ``Deals.all`` is spelt out only where a part of it goes."""
    for each in events:
        single = list(_single([each]))
        if gone.isdisjoint(single):
            yield each
        else:
            yield from (one for one in single if one not in gone)


def _resource(org: WatchOrg, name: str) -> Item:
    """Say which module it is."""
    module = org.schema.directory["Users"] if name == "users" else org.schema.modules[name]
    return {
        "resource_uri": resource_uri(org, name),
        "resource_id": str(module.id),
        "resource_name": name,
    }


def _subscribed(org: WatchOrg, channel: Channel, names: list[str], message: str) -> Item:
    """Describe a channel that is open now."""
    events = [
        {
            "channel_expiry": _expiry(org, channel),
            **_resource(org, name),
            "channel_id": channel.channel_id,
        }
        for name in names
    ]
    return _success({"events": events}, message)


def _removed(org: WatchOrg, channel: Channel, names: list[str], message: str) -> list[Item]:
    """Describe what is watched no longer."""
    removed = [
        _success(
            {
                "resource_uri": resource_uri(org, name),
                "resource_id": _resource(org, name)["resource_id"],
                "channel_id": channel.channel_id,
            },
            message,
        )
        for name in names
    ]
    return removed if org.settings.watch.removed_per_module else removed[:1]


def _listed(org: WatchOrg, channel: Channel, name: str) -> Item:
    """Show a channel as far as one module goes."""
    conditions = [
        each for each in channel.notification_condition or () if each["module"]["api_name"] == name
    ]
    return {
        "notify_on_related_action": channel.notify_on_related_action,
        "return_affected_field_values": channel.return_affected_field_values,
        "channel_expiry": _expiry(org, channel),
        **_resource(org, name),
        "notify_url": channel.notify_url,
        "fields": None,
        "notification_condition": conditions or None,
        "channel_id": channel.channel_id,
        "events": channel.events_of(name),
        "token": channel.token,
    }


def _expiry(org: WatchOrg, channel: Channel) -> str:
    """Show when a channel ends, on the clock of its user."""
    zone = org.store.read("SELECT time_zone FROM Users WHERE id = ?", (channel.user,))[0][0]
    return datetime.fromtimestamp(channel.expiry, ZoneInfo(zone)).isoformat()


def _success(details: Item, message: str) -> Item:
    """Say what is told of one success."""
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


_WATCH = f"{V8}/actions/watch"
_SCOPE = "ZohoCRM.notifications."

ROUTES = (
    Route(
        "POST",
        _WATCH,
        post_watch,
        "open notification channels; callbacks are really sent, to loopback addresses only",
        (f"{_SCOPE}CREATE",),
    ),
    Route(
        "GET",
        _WATCH,
        get_watch,
        "the caller's open channels, by `module` and `channel_id`, in pages",
        (f"{_SCOPE}READ",),
        honours=("channel_id", "module", *PAGES),
    ),
    Route(
        "PUT",
        _WATCH,
        put_watch,
        "replace the details of channels",
        (f"{_SCOPE}UPDATE",),
    ),
    Route(
        "PATCH",
        _WATCH,
        patch_watch,
        "change details of channels, add events, drop some (`_delete_events`)",
        (f"{_SCOPE}UPDATE",),
    ),
    Route(
        "DELETE",
        _WATCH,
        delete_watch,
        "close channels",
        (f"{_SCOPE}DELETE",),
        honours=("channel_ids",),
    ),
)
