"""Channels as the tables that crm.watch(), watches(), unwatch() and renew() return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from zcrm_nb.api.listening.channels import channel_id_of
from zcrm_nb.frames import Column
from zcrm_nb.masking import MASK

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zcrm_nb.api.listening.channels import Channel
    from zcrm_nb.api.listening.notifications import ChannelOutcome, Item

__all__ = [
    "CHANNEL_COLUMNS",
    "REPORT_COLUMNS",
    "SHORT_COLUMNS",
    "channel_rows",
    "ids_of",
    "listed_rows",
    "short_rows",
    "too_short",
    "without_keys",
]

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


def channel_rows(channel: Channel, outcome: ChannelOutcome) -> list[Item]:
    """Return the rows of a channel for the report, one for each module."""
    return [
        {
            "channel_id": channel.channel_id,
            "module": module,
            "events": [each for each in channel.events if each.rpartition(".")[0] == module],
            "expires": outcome.expires.get(module) or None,
            "notify_url": without_keys(channel.notify_url.reveal()),
            "status": outcome.status,
            "note": outcome.note or None,
        }
        for module in channel.modules
    ]


def too_short(rows: Iterable[Item]) -> list[str]:
    """Return warnings for channels that are open but end sooner than requested."""
    return list(
        dict.fromkeys(
            f"The channel {each['channel_id']} ends sooner than requested. {each['note']}"
            for each in rows
            if each["status"] == "done" and "but it ends" in (each["note"] or "")
        )
    )


def short_rows(outcomes: Mapping[str, ChannelOutcome]) -> list[Item]:
    """Return the row of each channel."""
    return [
        {"channel_id": key, "status": each.status, "note": each.note or None}
        for key, each in outcomes.items()
    ]


def listed_rows(items: Iterable[Item]) -> list[Item]:
    """Return the rows of ``crm.watches()``: everything but the token."""
    return [
        {
            "channel_id": str(each.get("channel_id")),
            "module": each.get("resource_name"),
            "events": each.get("events"),
            "expires": each.get("channel_expiry"),
            "notify_url": without_keys(str(each.get("notify_url") or "")),
            "condition": _in_words(each.get("notification_condition")),
            "values": each.get("return_affected_field_values"),
            "related": each.get("notify_on_related_action"),
        }
        for each in items
    ]


def _in_words(conditions: Sequence[Item] | None) -> Any:
    """Write the first condition as ``condition_of`` takes it; a module has one."""
    for each in conditions if isinstance(conditions, list) else ():
        return _plain(each.get("field_selection")) if isinstance(each, dict) else None
    return None


def _plain(selection: Any) -> Any:
    """Take ids and wrappers away; what is not documented stays as it came."""
    if not isinstance(selection, dict):
        return selection
    if isinstance(selection.get("field"), dict):
        return selection["field"].get("api_name")
    members = [_plain(each) for each in selection.get("group") or ()]
    return {selection.get("group_operator") or "or": members}


def without_keys(url: str) -> str:
    """Mask the values in an address's query and its password, which may be keys.

    Examples
    --------
    >>> from zcrm_nb.api.listening.channel_tables import without_keys
    >>> without_keys("https://app.example.com/hook?key=abc")
    'https://app.example.com/hook?key=****'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    names = [each.partition("=")[0] for each in parts.query.split("&") if each]
    query = "&".join(f"{name}={MASK}" for name in names)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def ids_of(channels: Any) -> list[str]:
    """Return the ids of channels: one, several, or those of a table."""
    if hasattr(channels, "columns"):
        if "channel_id" not in channels.columns:
            raise KeyError("the table has no column 'channel_id'")
        channels = channels["channel_id"].tolist()
    several = [channels] if isinstance(channels, (str, int)) else channels
    found = list(dict.fromkeys(channel_id_of(each) for each in several))
    if not found:
        raise ValueError("Name at least one channel.")
    return found
