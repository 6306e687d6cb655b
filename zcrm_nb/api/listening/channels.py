"""A notification channel, checked before anything is sent."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zcrm_nb.masking import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.api.metadata import Catalogue

__all__ = [
    "ACTIONS",
    "AGREES_S",
    "HOUR_S",
    "OPERATIONS",
    "WEEK_S",
    "Channel",
    "actions",
    "channel",
    "channel_id_of",
    "condition_of",
    "lifetime_s",
    "without_events",
]

USERS = "users"  # not a module, but watched like one
ACTIONS = ("create", "edit", "delete")
OPERATIONS = {"create": "insert", "edit": "update", "delete": "delete"}
"""What one subscribes to, and what Zoho calls it when it happens."""

HOUR_S, WEEK_S = 3600.0, 7 * 24 * 3600.0
MARGIN_S = 120.0  # so far from the week that no clock's difference makes it more than one
AGREES_S = 60.0  # clocks that differ by less count as the same
TOKEN_LENGTH, MOST_FIELDS = 50, 10


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as it is requested."""

    channel_id: str  # chosen by the caller
    events: tuple[str, ...]  # ``"Deals.create"`` and the like
    notify_url: Secret  # where Zoho posts; its query may hold a key
    # what each notification brings as proof; empty for none
    token: Secret = field(default_factory=lambda: Secret(""))
    conditions: tuple[dict[str, Any], ...] = ()  # ``notification_condition``, ready to be sent
    values: bool = False  # ``return_affected_field_values``
    related: bool = True  # ``notify_on_related_action``

    @property
    def modules(self) -> list[str]:
        """The modules it watches."""
        return list(dict.fromkeys(each.rpartition(".")[0] for each in self.events))

    def body(self, expires: str | None) -> dict[str, Any]:
        """Write it as Zoho takes it."""
        body: dict[str, Any] = {
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
        return body | {name: value for name, value in optional.items() if value}


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
    """Check and make a channel; whatever Zoho would refuse is refused here."""
    names = [modules] if isinstance(modules, str) else list(dict.fromkeys(modules))
    if not names:
        raise ValueError("Name at least one module.")
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
        channel_id_of(channel_id),
        tuple(event for module in names for event in _events(module, wanted)),
        Secret(_address(notify_url)),
        _token(token),
        tuple(conditions),
        values,
        related,
    )


def actions(on: str | Sequence[str]) -> list[str]:
    """Check the actions, as Zoho names them."""
    chosen = [on] if isinstance(on, str) else list(dict.fromkeys(on))
    if chosen == ["all"]:
        return list(ACTIONS)
    if not chosen or not set(chosen) <= set(ACTIONS):
        raise ValueError(f"on={on!r}: choose among {', '.join(map(repr, ACTIONS))}.")
    return chosen


def _events(module: str, wanted: Sequence[str]) -> list[str]:
    """Write what may happen in a module; of users, Zoho's page shows ``users.all`` and no other."""
    if module == USERS and len(wanted) == len(ACTIONS):
        return [f"{module}.all"]
    return [f"{module}.{action}" for action in wanted]


def _address(notify_url: str | None) -> str:
    """Check a web address; it may hold a key, so it is not shown."""
    if notify_url is None:
        raise ValueError(
            "notify_url= is missing: the address that Zoho is to post to. For a table that grows "
            "here, crm.live(…) opens an address and a channel itself."
        )
    parts = urlsplit(notify_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("notify_url must be a web address that Zoho can post to: 'https://…'.")
    return notify_url


def _token(token: str | Secret | None) -> Secret:
    """Check the length of a token; it is not shown."""
    found = Secret(token or "")
    if len(found.reveal()) > TOKEN_LENGTH:
        raise ValueError(f"token is longer than the {TOKEN_LENGTH} characters that Zoho accepts.")
    return found


def channel_id_of(channel_id: int | str | None) -> str:
    """Check an id, or draw one: whether users may share one is UNCONFIRMED."""
    if channel_id is None:
        return str(10**14 + secrets.randbelow(9 * 10**14))
    try:
        number = int(channel_id)
    except ValueError:
        number = 2**63
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"channel_id={channel_id!r} is not a 64-bit integer.")
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
    condition = {"or": list(fields)} if fields is not None else condition
    if condition is None:
        return None
    names = list(_names(condition))
    if len(names) > MOST_FIELDS:
        raise ValueError(f"A condition may have at most {MOST_FIELDS} fields, not {len(names)}.")
    return {
        "type": "field_selection",
        "module": {
            "api_name": module,
            "id": catalogue.modules().get(module, {}).get("id"),
        },
        "field_selection": _selection(catalogue, module, condition),
    }


def _parts(condition: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Take a condition apart."""
    if len(condition) != 1 or not condition.keys() <= {"and", "or"}:
        raise ValueError("A condition is {'or': […]} or {'and': […]}, of fields and conditions.")
    ((operator, members),) = condition.items()
    if isinstance(members, str) or not members:
        raise ValueError(f"{{{operator!r}: …}} needs a list of fields and conditions.")
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


def lifetime_s(expires: datetime | timedelta | None, now_s: float) -> float | None:
    """Return for how long a channel is requested, in seconds; refuse more than Zoho gives.

    Zoho would not refuse: it would give an hour without saying so.
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
        raise ValueError("expires is in the past.")
    if life_s > WEEK_S + AGREES_S:
        raise ValueError(
            f"expires is {life_s / 86400:.1f} days ahead; Zoho gives a week at most, and for more "
            "than that an hour, without saying so. Ask for a week or less and crm.renew() it."
        )
    return min(life_s, WEEK_S - MARGIN_S)


def without_events(channel: Channel, on: str | Sequence[str]) -> Channel:
    """Return a channel as it is without some of its events."""
    gone = actions(on)
    single = [
        f"{module}.{each}"
        for module, _, action in (event.rpartition(".") for event in channel.events)
        for each in (ACTIONS if action == "all" else (action,))
    ]
    return replace(channel, events=tuple(e for e in single if e.rpartition(".")[2] not in gone))
