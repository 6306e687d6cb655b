"""Notification channels at the wire: opening, listing, renewing and closing a "watch".

Zoho lets the caller choose a channel's id, ends it after an hour unless asked for more, and where
more than a week is asked for gives an hour without saying so: every expiry is read from the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.api.listening.channels import AGREES_S, HOUR_S, Channel, actions
from zcrm_nb.api.pages import V8
from zcrm_nb.errors import APIError, ConnectionFailed, NotFoundError, ZohoError, api_error
from zcrm_nb.frames import parse_json
from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zcrm_nb.api.pages import Send

    Item = dict[str, Any]

__all__ = [
    "ChannelOutcome",
    "channels",
    "disable",
    "drop_events",
    "enable",
    "put_channel",
    "renewed",
    "replace_channel",
]

WATCH = f"{V8}actions/watch"
PER_PAGE, MOST_PAGES = 200, 500


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """What Zoho did with a channel: when it expires for each module, and a note."""

    status: str
    expires: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    code: str = ""

    @property
    def ends(self) -> datetime | None:
        """When it ends, by Zoho's clock: the first of its modules."""
        known = [at for each in self.expires.values() if (at := _moment(each)) is not None]
        return min(known, default=None)


def enable(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Open a channel; a lost reply is looked up, since the id was ours to choose.

    Where Zoho gave an hour because its clock and this machine's differ too much, the request is
    repeated by its own clock.
    """
    try:
        outcome = _send_channel(send, "POST", wanted, life_s, now)
    except ConnectionFailed:
        items = _of_channel(send, wanted.channel_id)
        if not items:
            raise
        outcome = ChannelOutcome("done", _expiries(items))
    return _with_life(send, wanted, outcome, life_s, now)


def replace_channel(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Give a channel a new life with all its details (PUT); one that has ended is opened again."""
    outcome = _send_channel(send, "PUT", wanted, life_s, now)
    if outcome.code == "NOT_SUBSCRIBED":
        outcome = enable(send, wanted, life_s, now)
        return _with_note(
            outcome, "It had ended; opened again, and what happened in between was not notified."
        )
    return _with_life(send, wanted, outcome, life_s, now)


def put_channel(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Open a channel with a chosen id; one that is open gets these details in place of its own.

    What opening an open channel does (POST) is not documented; what PUT does is.
    """
    outcome = _send_channel(send, "PUT", wanted, life_s, now)
    if outcome.code == "NOT_SUBSCRIBED":
        return enable(send, wanted, life_s, now)
    outcome = _with_life(send, wanted, outcome, life_s, now)
    return _with_note(outcome, "It was open; these details took the place of those it had.")


def _with_note(outcome: ChannelOutcome, text: str) -> ChannelOutcome:
    """Put a sentence before the note of what was done."""
    if outcome.status != "done":
        return outcome
    return replace(outcome, note=" ".join(filter(None, (text, outcome.note))))


def _send_channel(
    send: Send, method: str, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Send a channel, to end so many seconds from now by this machine's clock."""
    expires = None if life_s is None else _iso(now() + life_s)
    items = _exchange(send, method, json={"watch": [wanted.body(expires)]})
    return _outcome(items, wanted.modules)


def _with_life(
    send: Send,
    wanted: Channel,
    outcome: ChannelOutcome,
    life_s: float | None,
    now: Callable[[], float],
) -> ChannelOutcome:
    """Make the channel live as long as requested; note it where it does not."""
    ends = outcome.ends
    if outcome.status != "done" or life_s is None or ends is None:
        return outcome
    if abs(ends.timestamp() - now() - life_s) <= AGREES_S:
        return outcome
    # The fall-back is an hour by Zoho's clock, so the expiry shows Zoho's time.
    zoho_now = ends.timestamp() - HOUR_S
    change = {"channel_id": wanted.channel_id, "events": list(wanted.events)}
    change["channel_expiry"] = _iso(zoho_now + life_s)
    again = _outcome(_exchange(send, "PATCH", json={"watch": [change]}), wanted.modules)
    if again.ends is not None and abs(again.ends.timestamp() - zoho_now - life_s) <= AGREES_S:
        return again
    outcome = again if again.ends is not None else outcome
    return replace(outcome, note=_shorter(outcome.ends, life_s))


def _shorter(ends: datetime | None, life_s: float) -> str:
    """Say that the channel lives shorter than requested."""
    until = "at an unknown time" if ends is None else f"at {ends:%Y-%m-%d %H:%M %z}"
    return f"{life_s / 3600:.1f} hours were requested, but it ends {until}."


def renewed(
    send: Send,
    ids: Sequence[str],
    known: Mapping[str, Channel],
    life_s: float | None,
    now: Callable[[], float],
) -> list[tuple[Channel, ChannelOutcome]]:
    """Give channels a new life; those that are ``known`` in full can be opened again."""
    listed = _listed(send)
    for each in ids:
        if each not in known and each not in listed:
            raise _unknown(each)
    return [
        (known[each], replace_channel(send, known[each], life_s or HOUR_S, now))
        if each in known
        else (listed[each], _prolonged(send, listed[each], life_s or HOUR_S, now))
        for each in ids
    ]


def _prolonged(
    send: Send, channel: Channel, life_s: float, now: Callable[[], float]
) -> ChannelOutcome:
    """Give a channel that is known from the list a new life (PATCH): what is not sent stays."""
    change = {
        "channel_id": channel.channel_id,
        "events": list(channel.events),
        "channel_expiry": _iso(now() + life_s),
    }
    outcome = _outcome(_exchange(send, "PATCH", json={"watch": [change]}), channel.modules)
    return _with_life(send, channel, outcome, life_s, now)


def drop_events(
    send: Send, ids: Sequence[str], on: str | Sequence[str]
) -> dict[str, ChannelOutcome]:
    """Stop the notifications of some events (PATCH with ``_delete_events``)."""
    gone = actions(on)
    listed = _listed(send)
    return {
        each: _without_events(send, listed[each], gone)
        if each in listed
        else ChannelOutcome("refused", note=_unknown(each).happened, code="NOT_SUBSCRIBED")
        for each in ids
    }


def _without_events(send: Send, channel: Channel, gone: Sequence[str]) -> ChannelOutcome:
    """Drop these of a channel's events, in all its modules."""
    events = [f"{module}.{action}" for module in channel.modules for action in gone]
    change = {"channel_id": channel.channel_id, "events": events, "_delete_events": True}
    return _outcome(_exchange(send, "PATCH", json={"watch": [change]}), [])


def disable(send: Send, ids: Sequence[str]) -> dict[str, ChannelOutcome]:
    """Close channels.

    A reply has an item for each channel, or for each of its modules; one without is closed alone.
    """
    if not ids:
        return {}
    items = _exchange(send, "DELETE", params={"channel_ids": list(ids)})
    if len(ids) == 1:
        return {ids[0]: _outcome(items, [])}
    by_id: dict[str, list[Item]] = {}
    for each in items:
        by_id.setdefault(str(_dict(each.get("details")).get("channel_id")), []).append(each)
    closed = {each: _outcome(by_id[each], []) for each in ids if each in by_id}
    for channel_id in ids:
        if channel_id not in closed:
            closed |= disable(send, [channel_id])
    return closed


def _listed(send: Send) -> dict[str, Channel]:
    """List the channels of this user by id, as far as the list shows them."""
    events: dict[str, list[str]] = {}
    urls: dict[str, str] = {}
    for each in channels(send):
        key = str(each.get("channel_id"))
        events.setdefault(key, []).extend(map(str, _list(each.get("events"))))
        urls[key] = str(each.get("notify_url") or "")
    return {key: Channel(key, tuple(names), Secret(urls[key])) for key, names in events.items()}


def channels(send: Send) -> list[Item]:
    """List the channels of this user, an item for each channel and module, with their tokens."""
    items: list[Item] = []
    for page in range(1, MOST_PAGES + 1):
        body = send("GET", WATCH, params={"page": page, "per_page": PER_PAGE})
        new = _items(body)
        items += new
        info = _dict(_dict(parse_json(body)).get("info")) if body else {}
        if not new or info.get("more_records") not in (True, "true"):
            return items
    raise ZohoError(
        f"The list of channels did not end after {MOST_PAGES} pages.",
        "Zoho said on every page that more follow.",
        "Run it again later; if it still fails, contact Zoho's support.",
    )


def _of_channel(send: Send, channel_id: str) -> list[Item]:
    """List one channel; nothing where Zoho does not know it, or does not answer now."""
    try:
        return _items(send("GET", WATCH, params={"channel_id": channel_id}))
    except (APIError, ConnectionFailed):  # the caller raises what went wrong first
        return []


def _exchange(send: Send, method: str, **call: Any) -> list[Item]:
    """Send a call and return the item of each channel, whatever the HTTP status was.

    Zoho's pages disagree on the status of refusals (202, 207 or 400), so only the items count.
    """
    try:
        # PUT and PATCH have the same effect when they are sent twice.
        body = send(method, WATCH, safe=method in {"PUT", "PATCH"}, **call)
    except APIError as error:
        body = error.body
        if not _items(body):
            raise
    items = _items(body)
    if items:
        return items
    raise api_error(200, parse_json(body) if body else None, request=f"{method} {WATCH}")


def _items(body: bytes) -> list[Item]:
    """Return the items of a reply; none where it has none."""
    try:
        reply = orjson.loads(body)
    except ValueError:
        return []
    return [each for each in _list(_dict(reply).get("watch")) if isinstance(each, dict)]


def _dict(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    """Return a JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def _expiries(items: Sequence[Item]) -> dict[str, str]:
    """Return when a channel expires, by module."""
    return {
        str(each.get("resource_name")): str(each.get("channel_expiry") or "")
        for each in items
        if isinstance(each, dict)
    }


def _moment(text: str) -> datetime | None:
    """Read a moment as Zoho writes it; ``None`` for anything else, and without a time zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def _outcome(items: Sequence[Item], modules: Sequence[str]) -> ChannelOutcome:
    """Sum up what Zoho said about one channel."""
    refused = [each for each in items if each.get("status") != "success"]
    if refused:
        (first, *_) = refused
        details = _dict(first.get("details")).items()
        shown = ", ".join(f"{key}: {value}" for key, value in details if key != "token")
        note = f"{first.get('code')}: {first.get('message')}" + (f" ({shown})" if shown else "")
        return ChannelOutcome("refused", note=note, code=str(first.get("code")))
    events = [each for item in items for each in _list(_dict(item.get("details")).get("events"))]
    expires = _expiries(events)
    return ChannelOutcome("done", {each: expires.get(each, "") for each in modules})


def _iso(epoch_s: float) -> str:
    """Write a moment as Zoho reads it."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")


def _unknown(channel_id: str) -> NotFoundError:
    """Make the error for an unknown channel."""
    return NotFoundError(
        f"Channel {channel_id} was not found: it has ended, or another user's login opened it.",
        "",
        "crm.watches() lists the channels; crm.watch(…) opens one.",
        code="NOT_SUBSCRIBED",
    )
