"""Receives what Zoho posts to a notify_url: checked, noted on disk, answered; understood later.

Nothing is trusted before the channel's token was found to be right: it is the only proof of where a
notification comes from, since Zoho signs nothing. With the right token nothing is lost either: what
cannot be understood is counted, so that the feed looks for the change itself.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import urlsplit, urlunsplit

import orjson

from zcrm_nb.masking import Secret
from zcrm_nb.state.event_log import JournalFull

if TYPE_CHECKING:
    from zcrm_nb.auth.listener import HttpResponse
    from zcrm_nb.state.event_log import EventLog

__all__ = ["Notification", "NotificationBody", "NotificationInbox", "Receiver", "read_notification"]

MOST_BYTES = 2 << 20  # of one notification; Zoho names no figure, its ids and values need less
REMEMBERED = 50_000  # events, to know a second delivery by
WITHIN_S = 10.0

# Zoho posts other words than one subscribes with; `delete` is UNCONFIRMED, the others are proven.
OPERATIONS = {
    "insert": "insert",
    "update": "update",
    "delete": "delete",
    "create": "insert",
    "edit": "update",
}
_ID = re.compile(r"[0-9]{1,19}")
_NAME = re.compile(r"\w{1,100}")
_CHANNEL = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification, without its token and without the values of records."""

    channel_id: str  # the channel it came by
    module: str  # API name
    operation: str  # what was done
    ids: list[str]  # the records it was done to
    time_ms: int  # when, by Zoho's clock: milliseconds since 1970
    # names of the fields that changed, by id; empty where Zoho told none
    changed: dict[str, list[str]] = field(default_factory=dict)

    def events(self) -> list[tuple[str, ...]]:
        """Tell what each of its events is known by: Zoho gives them no id."""
        where = (self.channel_id, self.module, self.operation, str(self.time_ms))
        return [(*where, each) for each in self.ids]

    def line(self) -> bytes:
        """Write it as one line of a journal."""
        return orjson.dumps(self)

    @classmethod
    def of_line(cls, line: bytes) -> Notification:
        """Read it from a line of a journal."""
        return cls(**orjson.loads(line))


class NotificationBody(TypedDict, total=False):
    """What Zoho posts, as documented."""

    server_time: int
    query_params: dict[str, Any]
    module: str
    resource_uri: str
    ids: list[str]
    affected_fields: list[dict[str, list[str]]]
    affected_values: list[dict[str, Any]]
    operation: str
    channel_id: str
    token: str


def read_notification(body: NotificationBody) -> tuple[Notification, int]:
    """Read what Zoho posted; also how many of its ids make no sense.

    References
    ----------
    Zoho CRM API V8, "Enable Notifications":
    zoho.com/crm/developer/docs/api/v8/notifications/enable.html

    Examples
    --------
    >>> from zcrm_nb.wire.webhook_receiver import read_notification
    >>> body = {"server_time": 1772355300123, "module": "Deals", "ids": ["999001"],
    ...         "affected_fields": [{"999001": ["Stage"]}], "operation": "update",
    ...         "channel_id": "1501", "token": "secret"}
    >>> read_notification(body)[0].changed
    {'999001': ['Stage']}
    """
    ids = body.get("ids")
    listed = ids if isinstance(ids, list) else [ids]
    readable = list(dict.fromkeys(str(each) for each in listed if _looks_like(_ID, each)))
    if not readable:
        raise ValueError("no ids")
    notification = Notification(
        _matching(_CHANNEL, body.get("channel_id")),
        _matching(_NAME, body.get("module")),
        _operation(body.get("operation")),
        readable,
        _time(body.get("server_time", body.get("server"))),
        _changed(body.get("affected_fields")),
    )
    return notification, sum(not _looks_like(_ID, each) for each in listed)


def _looks_like(pattern: re.Pattern[str], value: object) -> bool:
    """Whether a text looks as it should; numbers may stand for ids."""
    is_text = isinstance(value, str | int) and not isinstance(value, bool)
    return is_text and pattern.fullmatch(str(value)) is not None


def _matching(pattern: re.Pattern[str], value: object) -> str:
    """Return a text that looks as it should."""
    if not _looks_like(pattern, value):
        raise ValueError("a value is missing, or does not look as it should")
    return str(value)


def _operation(value: object) -> str:
    """Return the operation as bulk and feeds name it."""
    if not isinstance(value, str) or value.lower() not in OPERATIONS:
        raise ValueError("an unknown operation")
    return OPERATIONS[value.lower()]


def _time(value: object) -> int:
    """Return epoch milliseconds, between 1970 and 2286."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**13:
        raise ValueError("no server_time")
    return value


def _changed(value: Any) -> dict[str, list[str]]:
    """Return the names of fields by record id, from a list of objects with one key each."""
    changed: dict[str, list[str]] = {}
    for each in value if isinstance(value, list) else []:
        for record_id, names in each.items() if isinstance(each, dict) else []:
            if _looks_like(_ID, record_id) and isinstance(names, list):
                changed[record_id] = [
                    name for name in names if isinstance(name, str) and _NAME.fullmatch(name)
                ]
    return changed


class NotificationInbox:
    """Checks what is posted, and notes what is accepted: the part that needs no port.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.event_log import EventLog
    >>> from zcrm_nb.wire.webhook_receiver import NotificationInbox
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     inbox = NotificationInbox(EventLog(Path(folder)))
    ...     inbox.receive(b"<html>")
    400
    """

    def __init__(self, journal: EventLog, arrived: Callable[[], object] = lambda: None) -> None:
        self._journal, self._arrived = journal, arrived
        self._tokens: dict[str, Secret] = {}
        self._known: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def expect(self, channel_id: str, token: Secret) -> None:
        """Accept what comes by a channel."""
        self._tokens[channel_id] = token

    def forget(self, channel_id: str) -> None:
        """Accept nothing more of a channel."""
        self._tokens.pop(channel_id, None)

    def receive(self, content: bytes) -> int:
        """Check a notification and note it; return the HTTP status of the reply."""
        try:
            body = orjson.loads(content)
        except ValueError:
            body = None
        if not isinstance(body, dict) or not _looks_like(_CHANNEL, body.get("channel_id")):
            return self._counted("malformed", 400)
        if not self._is_right(str(body.get("channel_id")), body.get("token")):
            return self._counted("wrong token", 403)
        try:
            notification, odd_ids = read_notification(cast("NotificationBody", body))
        except ValueError:
            self._arrived_odd()
            return 200
        if odd_ids:
            self._arrived_odd()
        return self._note(notification)

    def _note(self, notification: Notification) -> int:
        """Write a notification into the journal, unless it came before."""
        with self._lock:
            fresh = [key for key in notification.events() if key not in self._known]
            if not fresh:
                return self._counted("duplicates", 200)
            try:
                self._journal.append(replace(notification, ids=[key[-1] for key in fresh]).line())
            except (JournalFull, OSError):
                return self._counted("not kept", 503)
            self._remember(fresh)
        self._counted("accepted", 200)
        self._arrived()
        return 200

    def _arrived_odd(self) -> None:
        """Count a notification of Zoho's that cannot be understood, or not all of it."""
        self.counts["not understood"] += 1
        self._arrived()

    def _is_right(self, channel_id: str, token: object) -> bool:
        """Compare tokens, in the same time whatever differs, and for unknown channels too."""
        expected = self._tokens.get(channel_id, Secret(""))
        given = token if isinstance(token, str) else ""
        is_same = hmac.compare_digest(
            expected.reveal().encode(), given.encode(errors="surrogatepass")
        )
        return is_same and bool(expected)

    def _remember(self, keys: list[tuple[str, ...]]) -> None:
        """Recognise these events when they come again, for as long as there is room."""
        self._known.update(dict.fromkeys(keys))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _counted(self, what: str, status: int) -> int:
        """Count, and pass the status on."""
        self.counts[what] += 1
        return status


class Receiver:
    """An inbox behind a port of this machine.

    Examples
    --------
    >>> import tempfile, urllib.request
    >>> from pathlib import Path
    >>> from zcrm_nb.state.event_log import EventLog
    >>> from zcrm_nb.wire.webhook_receiver import NotificationInbox, Receiver
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     receiver = Receiver(NotificationInbox(EventLog(Path(folder))))
    ...     receiver.close()
    """

    def __init__(
        self,
        inbox: NotificationInbox,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
    ) -> None:
        from zcrm_nb.auth.listener import HttpResponse, Listener  # noqa: PLC0415 - loads asyncio

        self._inbox = inbox
        self._word = f"zcrm-{secrets.token_hex(8)}"
        base = public_url and _checked(public_url)
        self._listener = Listener(
            lambda _, __, body: HttpResponse(inbox.receive(body)),
            self._admit,
            host=host,
            port=port,
            most_bytes=MOST_BYTES,
            within_s=WITHIN_S,
            name="zcrm_nb receiver",
        )
        self.url = _below(base or f"http://{_in_url(host)}:{self.port}", self._word)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._listener.port

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _admit(self, method: str, target: str) -> HttpResponse | None:
        """Turn requests to other addresses away before their body is read.

        A proxy may add a slash, and a request may carry anything in the place of an address.
        """
        from zcrm_nb.auth.listener import HttpResponse  # noqa: PLC0415 - loads asyncio

        try:
            last = urlsplit(target).path.rstrip("/").rpartition("/")[2]
        except ValueError:
            last = ""
        if not hmac.compare_digest(last.encode(errors="replace"), self._word.encode()):
            self._inbox.counts["wrong address"] += 1
            return HttpResponse(404)
        return None if method == "POST" else HttpResponse(405, headers={"Allow": "POST"})

    def __repr__(self) -> str:
        return f"<Receiver on port {self.port}>"


def _checked(public_url: str) -> str:
    """Refuse an address that no server could post to."""
    parts = urlsplit(public_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError(
            "public_url is an address such as 'https://abc.tunnel.example.com', where a tunnel or "
            "a hub's proxy leads to this kernel."
        )
    return public_url


def _below(url: str, word: str) -> str:
    """Put the word at the end of an address's path."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}"))


def _in_url(host: str) -> str:
    """Write a host as addresses do; a listener on every address is reached at this machine's."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host
