"""Notification channels: opening, listing, renewing and closing what Zoho calls a watch.

Zoho lets the caller choose a channel's id, ends it after an hour unless asked for more, and when
more than a week is asked, gives an hour without a word: so every expiry is read from the answer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from zcrm_nb.api.pages import V8
from zcrm_nb.auth.secret import MASK, Secret
from zcrm_nb.errors import APIError, ConnectionFailed, NotFoundError, api_error
from zcrm_nb.frames import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue
    from zcrm_nb.api.pages import Send

    Item = dict[str, Any]

__all__ = [
    "ACTIONS",
    "CHANNEL_COLUMNS",
    "HOUR_S",
    "OPERATIONS",
    "REPORT_COLUMNS",
    "SHORT_COLUMNS",
    "WEEK_S",
    "Channel",
    "ChannelOutcome",
    "actions",
    "asked_life_s",
    "channel",
    "channel_rows",
    "channels",
    "condition_of",
    "disable",
    "enable",
    "ids_of",
    "listed_rows",
    "put_channel",
    "quieten",
    "quieter",
    "renewed",
    "replace_channel",
    "short_rows",
    "too_short",
    "without_keys",
]

WATCH = f"{V8}actions/watch"
USERS = "users"  # no module, but watched like one
ACTIONS = ("create", "edit", "delete")
OPERATIONS = {"create": "insert", "edit": "update", "delete": "delete"}
"""What one subscribes to, and what Zoho calls it when it happens."""

HOUR_S, WEEK_S = 3600.0, 7 * 24 * 3600.0
MARGIN_S = 120.0  # so far from the week that no clock's difference makes it more than one
AGREES_S = 60.0  # clocks that differ by less count as the same
TOKEN_LENGTH, MOST_FIELDS, PER_PAGE = 50, 10, 200

_STATUS = ("done", "refused", "unknown")
REPORT_COLUMNS = [
    Column("channel_id", "text"),
    Column("module", "text"),
    Column("events", "multipicklist"),
    Column("expires", "datetime"),
    Column("notify_url", "text"),
    Column("status", "picklist", _STATUS),
    Column("note", "text"),
]
SHORT_COLUMNS = [
    Column("channel_id", "text"),
    Column("status", "picklist", _STATUS),
    Column("note", "text"),
]
CHANNEL_COLUMNS = [
    Column("channel_id", "text"),
    Column("module", "text"),
    Column("events", "multipicklist"),
    Column("expires", "datetime"),
    Column("notify_url", "text"),
    Column("condition", "object"),
    Column("values", "boolean"),
    Column("related", "boolean"),
]


@dataclass(frozen=True, slots=True)
class Channel:
    """What is asked of a channel.

    Parameters
    ----------
    channel_id : str
        Chosen by the caller.
    events : tuple of str
        ``"Deals.create"`` and the like.
    notify_url : Secret
        Where Zoho posts; its query may hold a key.
    token : Secret
        What each notification brings as proof; empty for none.
    conditions : tuple of dict
        ``notification_condition``, ready to be sent.
    values, related : bool
        ``return_affected_field_values`` and ``notify_on_related_action``.
    """

    channel_id: str
    events: tuple[str, ...]
    notify_url: Secret
    token: Secret = field(default_factory=lambda: Secret(""))
    conditions: tuple[dict[str, Any], ...] = ()
    values: bool = False
    related: bool = True

    @property
    def modules(self) -> list[str]:
        """The modules it watches."""
        return list(dict.fromkeys(each.rpartition(".")[0] for each in self.events))

    def body(self, expires: str | None) -> dict[str, Any]:
        """Write it as Zoho wants it."""
        told: dict[str, Any] = {
            "channel_id": self.channel_id,
            "events": list(self.events),
            "notify_url": self.notify_url.reveal(),
            "return_affected_field_values": self.values,
            "notify_on_related_action": self.related,
        }
        optional = {
            "token": self.token.reveal(),
            "channel_expiry": expires,
            "notification_condition": list(self.conditions),
        }
        return told | {name: value for name, value in optional.items() if value}


# ---- What is asked, checked before anything is sent ----------------------------------------------


def channel(
    catalogue: Catalogue,
    modules: str | Sequence[str],
    on: str | Sequence[str],
    notify_url: str | None,
    *,
    token: str | Secret | None,
    fields: Sequence[str] | None = None,
    condition: Mapping[str, Any] | None = None,
    values: bool = False,
    related: bool = True,
    channel_id: int | str | None = None,
) -> Channel:
    """Make a channel of what a person asks; whatever Zoho would refuse is refused here."""
    names = [modules] if isinstance(modules, str) else list(dict.fromkeys(modules))
    if not names:
        raise ValueError("Name one module at least.")
    wanted = actions(on)
    conditions = [
        found
        for each in names
        if (found := condition_of(catalogue, each, fields=fields, condition=condition))
    ]
    for each in names:
        if each != USERS:
            catalogue.fields(each)  # an unknown module is refused here
    return Channel(
        _channel_id(channel_id),
        tuple(event for module in names for event in _events(module, wanted)),
        Secret(_address(notify_url)),
        _token(token),
        tuple(conditions),
        values,
        related,
    )


def actions(on: str | Sequence[str]) -> list[str]:
    """Take Zoho's words for what may happen."""
    asked = [on] if isinstance(on, str) else list(dict.fromkeys(on))
    if asked == ["all"]:
        return list(ACTIONS)
    if not asked or not set(asked) <= set(ACTIONS):
        raise ValueError(f"on={on!r}: choose among {', '.join(map(repr, ACTIONS))}.")
    return asked


def _events(module: str, wanted: Sequence[str]) -> list[str]:
    """Write what may happen in a module; of users, Zoho's page shows ``users.all`` and no other."""
    if module == USERS and len(wanted) == len(ACTIONS):
        return [f"{module}.all"]
    return [f"{module}.{action}" for action in wanted]


def _address(notify_url: str | None) -> str:
    """Refuse what is no web address; it may hold a key, so it is not shown."""
    if notify_url is None:
        raise ValueError(
            "notify_url= is where Zoho is to post, and only you can say where that is. For a table "
            "that grows here, crm.live(…) opens an address and a channel of its own."
        )
    parts = urlsplit(notify_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("notify_url is a web address, 'https://…', to which Zoho can post.")
    return notify_url


def _token(token: str | Secret | None) -> Secret:
    """Refuse a token that is too long; it is not shown."""
    found = Secret(token or "")
    if len(found.reveal()) > TOKEN_LENGTH:
        raise ValueError(f"token is longer than the {TOKEN_LENGTH} characters that Zoho takes.")
    return found


def _channel_id(channel_id: int | str | None) -> str:
    """Take an id, or draw one: whether another user's channel may have the same is UNCONFIRMED."""
    if channel_id is None:
        return str(10**14 + secrets.randbelow(9 * 10**14))
    try:
        number = int(channel_id)
    except ValueError:
        number = 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"channel_id={channel_id!r} is no whole number of 64 bits.")
    return str(number)


def condition_of(
    catalogue: Catalogue,
    module: str,
    *,
    fields: Sequence[str] | None = None,
    condition: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Write a condition on fields as Zoho wants it: with ids, and in pairs.

    ``fields`` stands for any of them; ``condition`` is ``{"or": [...]}`` or ``{"and": [...]}`` of
    field names and further conditions.
    """
    if fields is not None and condition is not None:
        raise ValueError("Give fields= or condition=, not both: fields=[…] is {'or': […]}.")
    asked = {"or": list(fields)} if fields is not None else condition
    if asked is None:
        return None
    names = list(_names(asked))
    if len(names) > MOST_FIELDS:
        raise ValueError(f"A condition has {MOST_FIELDS} fields at most; these are {len(names)}.")
    return {
        "type": "field_selection",
        "module": {
            "api_name": module,
            "id": catalogue.modules().get(module, {}).get("id"),
        },
        "field_selection": _selection(catalogue, module, asked),
    }


def _parts(condition: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Take a condition apart."""
    if len(condition) != 1 or not condition.keys() <= {"and", "or"}:
        raise ValueError("A condition is {'or': […]} or {'and': […]}, of fields and conditions.")
    ((operator, members),) = condition.items()
    if isinstance(members, str) or not members:
        raise ValueError(f"{{{operator!r}: …}} wants a list of fields and conditions.")
    return operator, list(members)


def _names(condition: Any) -> Iterable[str]:
    """Yield the fields of a condition."""
    if isinstance(condition, str):
        yield condition
        return
    for each in _parts(condition)[1]:
        yield from _names(each)


def _selection(catalogue: Catalogue, module: str, condition: Any) -> dict[str, Any]:
    """Write a field, or a group; Zoho takes two members in one, so more of them are nested."""
    if isinstance(condition, str):
        known = catalogue.field(module, condition)
        return {"field": {"api_name": condition, "id": known["id"]}}
    operator, (first, *rest) = _parts(condition)
    if not rest:
        return _selection(catalogue, module, first)
    second = rest[0] if len(rest) == 1 else {operator: rest}
    group = [_selection(catalogue, module, each) for each in (first, second)]
    return {"group_operator": operator, "group": group}


def asked_life_s(expires: datetime | timedelta | None, now_s: float) -> float | None:
    """Tell for how long a channel is wanted, in seconds; refuse more than Zoho gives.

    Zoho would not refuse: it would take an hour instead, in silence.
    """
    if expires is None:
        return None
    if isinstance(expires, datetime):
        if expires.tzinfo is None:
            raise ValueError(f"expires={expires} needs a time zone, or give a timedelta.")
        life_s = expires.timestamp() - now_s
    else:
        life_s = expires.total_seconds()
    if life_s <= 0:
        raise ValueError("expires lies in the past.")
    if life_s > WEEK_S + AGREES_S:
        raise ValueError(
            f"expires is {life_s / 86400:.1f} days ahead; Zoho gives a week at most, and for more "
            "than that an hour, without saying so. Ask for a week or less and crm.renew() it."
        )
    return min(life_s, WEEK_S - MARGIN_S)


# ---- What is sent --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """What became of a channel: its modules' expiry, and what there is to say about it."""

    status: str
    expires: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    code: str = ""

    @property
    def ends(self) -> datetime | None:
        """When it ends, by Zoho's clock: the first of its modules."""
        known = [datetime.fromisoformat(each) for each in self.expires.values() if each]
        return min(known, default=None)


def enable(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Open a channel; a lost answer is looked up, since the id was ours to choose.

    Where Zoho gave an hour because its clock and this machine's differ too much, it is asked again,
    by its own clock.
    """
    try:
        outcome = _asked(send, "POST", wanted, life_s, now)
    except ConnectionFailed:
        found = _of_channel(send, wanted.channel_id)
        if not found:
            raise
        told = {each["resource_name"]: each.get("channel_expiry", "") for each in found}
        outcome = ChannelOutcome("done", told)
    return _settled(send, wanted, outcome, life_s, now)


def replace_channel(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Give a channel a new life with all its details (PUT); one that has ended is opened again."""
    outcome = _asked(send, "PUT", wanted, life_s, now)
    if outcome.code == "NOT_SUBSCRIBED":
        outcome = enable(send, wanted, life_s, now)
        return _noted(
            outcome, "It had ended; opened again, and what happened in between was not notified."
        )
    return _settled(send, wanted, outcome, life_s, now)


def put_channel(
    send: Send, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Open a channel whose id a person chose; one that is open gets these details for its own.

    What Zoho makes of opening an open channel (POST) is told nowhere; what PUT does, is.
    """
    outcome = _asked(send, "PUT", wanted, life_s, now)
    if outcome.code == "NOT_SUBSCRIBED":
        return enable(send, wanted, life_s, now)
    outcome = _settled(send, wanted, outcome, life_s, now)
    return _noted(outcome, "It was open; these details took the place of those it had.")


def _noted(outcome: ChannelOutcome, words: str) -> ChannelOutcome:
    """Say something of what was done, before what there is to say already."""
    if outcome.status != "done":
        return outcome
    return replace(outcome, note=" ".join(filter(None, (words, outcome.note))))


def _asked(
    send: Send, method: str, wanted: Channel, life_s: float | None, now: Callable[[], float]
) -> ChannelOutcome:
    """Send a channel, to end so many seconds from now by this machine's clock."""
    expires = None if life_s is None else _iso(now() + life_s)
    items = _exchange(send, method, json={"watch": [wanted.body(expires)]})
    return _outcome(items, wanted.modules)


def _settled(
    send: Send,
    wanted: Channel,
    outcome: ChannelOutcome,
    life_s: float | None,
    now: Callable[[], float],
) -> ChannelOutcome:
    """See that the channel lives as long as was asked; say so where it does not."""
    ends = outcome.ends
    if outcome.status != "done" or life_s is None or ends is None:
        return outcome
    if abs(ends.timestamp() - now() - life_s) <= AGREES_S:
        return outcome
    # The fall-back is an hour by Zoho's clock, which tells what time it is there.
    zoho_now = ends.timestamp() - HOUR_S
    change = {"channel_id": wanted.channel_id, "events": list(wanted.events)}
    change["channel_expiry"] = _iso(zoho_now + life_s)
    again = _outcome(_exchange(send, "PATCH", json={"watch": [change]}), wanted.modules)
    if again.ends is not None and abs(again.ends.timestamp() - zoho_now - life_s) <= AGREES_S:
        return again
    outcome = again if again.ends is not None else outcome
    return replace(outcome, note=_shorter(outcome.ends, life_s))


def _shorter(ends: datetime | None, life_s: float) -> str:
    """Say that Zoho gave another life than was asked."""
    until = "at a time that Zoho did not tell" if ends is None else f"at {ends:%Y-%m-%d %H:%M %z}"
    return f"Asked for {life_s / 3600:.1f} hours, but it ends {until}."


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
    return _settled(send, channel, outcome, life_s, now)


def quieten(send: Send, ids: Sequence[str], on: str | Sequence[str]) -> dict[str, ChannelOutcome]:
    """Let channels notify of some events no longer (PATCH with ``_delete_events``)."""
    gone = actions(on)
    listed = _listed(send)
    return {
        each: _quietened(send, listed[each], gone)
        if each in listed
        else ChannelOutcome("refused", note=_unknown(each).happened, code="NOT_SUBSCRIBED")
        for each in ids
    }


def _quietened(send: Send, channel: Channel, gone: Sequence[str]) -> ChannelOutcome:
    """Drop these of a channel's events, in all its modules."""
    events = [f"{module}.{action}" for module in channel.modules for action in gone]
    change = {"channel_id": channel.channel_id, "events": events, "_delete_events": True}
    return _outcome(_exchange(send, "PATCH", json={"watch": [change]}), [])


def quieter(channel: Channel, on: str | Sequence[str]) -> Channel:
    """Return a channel as it is without some of its events."""
    gone = actions(on)
    single = [
        f"{module}.{each}"
        for module, _, action in (event.rpartition(".") for event in channel.events)
        for each in (ACTIONS if action == "all" else (action,))
    ]
    return replace(channel, events=tuple(e for e in single if e.rpartition(".")[2] not in gone))


def disable(send: Send, ids: Sequence[str]) -> dict[str, ChannelOutcome]:
    """Close channels, and tell what became of each.

    An answer tells each channel once, or once for each of its modules; one that is not told of is
    asked for alone.
    """
    if not ids:
        return {}
    items = _exchange(send, "DELETE", params={"channel_ids": list(ids)})
    if len(ids) == 1:
        return {ids[0]: _outcome(items, [])}
    by_id: dict[str, list[Item]] = {}
    for each in items:
        by_id.setdefault(str((each.get("details") or {}).get("channel_id")), []).append(each)
    told = {each: _outcome(by_id[each], []) for each in ids if each in by_id}
    alone = [disable(send, [each]) for each in ids if each not in told]
    return {key: one for found in (told, *alone) for key, one in found.items()}


def _listed(send: Send) -> dict[str, Channel]:
    """List the channels of this user by id, as far as the list tells."""
    events: dict[str, list[str]] = {}
    urls: dict[str, str] = {}
    for each in channels(send):
        key = str(each.get("channel_id"))
        events.setdefault(key, []).extend(each.get("events") or ())
        urls[key] = each.get("notify_url") or ""
    return {key: Channel(key, tuple(found), Secret(urls[key])) for key, found in events.items()}


def channels(send: Send) -> list[Item]:
    """List the channels of this user, an item for each channel and module, with their tokens."""
    found: list[Item] = []
    page = 1
    while True:
        params = {"page": page, "per_page": PER_PAGE}
        body = send("GET", WATCH, params=params)
        answer = orjson.loads(body) if body else {}
        found += answer.get("watch") or []
        if not (answer.get("info") or {}).get("more_records"):
            return found
        page += 1


def _of_channel(send: Send, channel_id: str) -> list[Item]:
    """List one channel; nothing where Zoho does not know it."""
    try:
        body = send("GET", WATCH, params={"channel_id": channel_id})
    except (APIError, ConnectionFailed):
        return []
    return (orjson.loads(body).get("watch") or []) if body else []


def _exchange(send: Send, method: str, **call: Any) -> list[Item]:
    """Send a call and return what is told of each channel, whatever the HTTP status was.

    Zoho's pages disagree on the status of refusals (202, 207 or 400), so only the items count.
    """
    try:
        # What PUT and PATCH ask for is the same when they ask twice.
        body = send(method, WATCH, safe=method in {"PUT", "PATCH"}, **call)
    except APIError as error:
        body = error.body
        if not _items(body):
            raise
    items = _items(body)
    if items:
        return items
    said = orjson.loads(body) if body else None
    raise api_error(200, said, request=f"{method} {WATCH}")


def _items(body: bytes) -> list[Item]:
    """Find the items in an answer, wrapped or not."""
    try:
        said = orjson.loads(body)
    except ValueError:
        return []
    items = said.get("watch") if isinstance(said, dict) else None
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _outcome(items: Sequence[Item], modules: Sequence[str]) -> ChannelOutcome:
    """Sum up what Zoho said about one channel."""
    refused = [each for each in items if each.get("status") != "success"]
    if refused:
        (first, *_) = refused
        details = first.get("details") or {}
        inside = ", ".join(f"{key}: {value}" for key, value in details.items() if key != "token")
        said = f"{first.get('code')}: {first.get('message')}" + (f" ({inside})" if inside else "")
        return ChannelOutcome("refused", note=said, code=str(first.get("code")))
    told = [event for each in items for event in (each.get("details") or {}).get("events") or ()]
    expires = {str(each.get("resource_name")): str(each.get("channel_expiry")) for each in told}
    return ChannelOutcome("done", {each: expires.get(each, "") for each in modules})


def _iso(epoch_s: float) -> str:
    """Write a moment as Zoho reads it."""
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="seconds")


# ---- What is shown -------------------------------------------------------------------------------


def channel_rows(wanted: Channel, outcome: ChannelOutcome) -> list[Item]:
    """Lay a channel out for the report, a row for each module."""
    return [
        {
            "channel_id": wanted.channel_id,
            "module": module,
            "events": [each for each in wanted.events if each.rpartition(".")[0] == module],
            "expires": outcome.expires.get(module) or None,
            "notify_url": without_keys(wanted.notify_url.reveal()),
            "status": outcome.status,
            "note": outcome.note or None,
        }
        for module in wanted.modules
    ]


def too_short(rows: Iterable[Item]) -> list[str]:
    """Find the words to warn with: channels that are open, but end sooner than asked."""
    return list(
        dict.fromkeys(
            f"The channel {each['channel_id']} ends sooner than asked. {each['note']}"
            for each in rows
            if each["status"] == "done" and "but it ends" in (each["note"] or "")
        )
    )


def short_rows(outcomes: Mapping[str, ChannelOutcome]) -> list[Item]:
    """Lay out what became of channels, a row for each."""
    return [
        {"channel_id": key, "status": each.status, "note": each.note or None}
        for key, each in outcomes.items()
    ]


def listed_rows(items: Iterable[Item]) -> list[Item]:
    """Lay the list of channels out for ``crm.watches()``: everything but the token."""
    return [
        {
            "channel_id": str(each.get("channel_id")),
            "module": each.get("resource_name"),
            "events": each.get("events"),
            "expires": each.get("channel_expiry"),
            "notify_url": without_keys(each.get("notify_url") or ""),
            "condition": _in_words(each.get("notification_condition")),
            "values": each.get("return_affected_field_values"),
            "related": each.get("notify_on_related_action"),
        }
        for each in items
    ]


def _in_words(conditions: Sequence[Item] | None) -> Any:
    """Write the first condition as ``condition_of`` takes it; a module has one."""
    for each in conditions or ():
        return _plain(each.get("field_selection") or {})
    return None


def _plain(selection: Item) -> Any:
    """Take ids and wrappers away."""
    if selection.get("field"):
        return selection["field"].get("api_name")
    members = [_plain(each) for each in selection.get("group") or ()]
    return {selection.get("group_operator") or "or": members}


def without_keys(url: str) -> str:
    """Mask the values in an address's query and its password, which may be keys.

    Examples
    --------
    >>> from zcrm_nb.api.listening.notifications import without_keys
    >>> without_keys("https://app.example.com/hook?key=abc")
    'https://app.example.com/hook?key=****'
    """
    parts = urlsplit(url)
    names = [each.partition("=")[0] for each in parts.query.split("&") if each]
    query = "&".join(f"{name}={MASK}" for name in names)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def ids_of(channels: Any) -> list[str]:
    """Take the ids of channels: one, several, or a table with the column ``channel_id``."""
    if hasattr(channels, "columns"):
        if "channel_id" not in channels.columns:
            raise KeyError("the table has no column 'channel_id'")
        channels = channels["channel_id"].tolist()
    several = [channels] if isinstance(channels, (str, int)) else channels
    found = list(dict.fromkeys(_channel_id(each) for each in several))
    if not found:
        raise ValueError("Name one channel at least.")
    return found


def _unknown(channel_id: str) -> NotFoundError:
    """Say that a channel is not there."""
    return NotFoundError(
        f"There is no channel {channel_id}: it has ended, or another user's login opened it.",
        "",
        "crm.watches() lists the channels; crm.watch(…) opens one.",
        code="NOT_SUBSCRIBED",
    )
