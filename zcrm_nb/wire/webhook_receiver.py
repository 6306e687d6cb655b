"""Receives what Zoho posts to a notify_url: checked, noted on disk, answered; read later.

Nothing is trusted before the channel's token is known to be right: it is the one proof of where a
notification comes from, since Zoho signs nothing.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from zcrm_nb.auth.secret import Secret
from zcrm_nb.state.event_log import JournalFull

if TYPE_CHECKING:
    from zcrm_nb.auth.listener import Said
    from zcrm_nb.state.event_log import EventLog

__all__ = ["Door", "Notification", "Receiver", "read_notification"]

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
    """One notification, without its token and without the values of records.

    Parameters
    ----------
    channel_id : str
        The channel it came by.
    module : str
        API name.
    operation : {"insert", "update", "delete"}
        What was done.
    ids : list of str
        The records it was done to.
    time_ms : int
        When, by Zoho's clock: milliseconds since 1970.
    changed : dict of str to list of str
        Names of the fields that changed, by id; empty where Zoho names none.
    """

    channel_id: str
    module: str
    operation: str
    ids: list[str]
    time_ms: int
    changed: dict[str, list[str]] = field(default_factory=dict)

    def events(self) -> list[tuple[str, ...]]:
        """Give a key for each of its events: Zoho gives them no id."""
        where = (self.channel_id, self.module, self.operation, str(self.time_ms))
        return [(*where, each) for each in self.ids]

    def line(self) -> bytes:
        """Write it as one line of a journal."""
        return orjson.dumps(self)

    @classmethod
    def of_line(cls, line: bytes) -> Notification:
        """Read it from a line of a journal."""
        return cls(**orjson.loads(line))


def read_notification(body: bytes) -> tuple[Notification, Secret]:
    """Read what Zoho posts.

    References
    ----------
    Zoho CRM API V8, "Enable Notifications":
    zoho.com/crm/developer/docs/api/v8/notifications/enable.html

    Examples
    --------
    >>> from zcrm_nb.wire.webhook_receiver import read_notification
    >>> body = (b'{"server_time": 1772355300123, "module": "Deals", "ids": ["999001"], '
    ...         b'"affected_fields": [{"999001": ["Stage"]}], "operation": "update", '
    ...         b'"channel_id": "1501", "token": "secret"}')
    >>> notification, token = read_notification(body)
    >>> notification.changed, token
    ({'999001': ['Stage']}, Secret('****'))
    """
    posted = orjson.loads(body)
    if not isinstance(posted, dict):
        raise ValueError("no object")  # noqa: TRY004 - one kind of error for all garbage
    notification = Notification(
        _matching(_CHANNEL, posted.get("channel_id")),
        _matching(_NAME, posted.get("module")),
        _operation(posted.get("operation")),
        _ids(posted.get("ids")),
        _time(posted.get("server_time", posted.get("server"))),
        _changed(posted.get("affected_fields")),
    )
    token = posted.get("token")
    return notification, Secret(token if isinstance(token, str) else "")


def _matching(pattern: re.Pattern[str], value: object) -> str:
    """Take a text that looks as it should; numbers may stand for ids."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("a value is missing")  # noqa: TRY004
    if not pattern.fullmatch(str(value)):
        raise ValueError("a value does not look as it should")
    return str(value)


def _operation(value: object) -> str:
    """Take the word for what was done."""
    if not isinstance(value, str) or value.lower() not in OPERATIONS:
        raise ValueError("an unknown operation")
    return OPERATIONS[value.lower()]


def _ids(value: object) -> list[str]:
    """Take the ids of records, each once."""
    if not isinstance(value, list) or not value:
        raise ValueError("no ids")
    return list(dict.fromkeys(_matching(_ID, each) for each in value))


def _time(value: object) -> int:
    """Take epoch milliseconds, between 1970 and 2286."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**13:
        raise ValueError("no server_time")
    return value


def _changed(value: Any) -> dict[str, list[str]]:
    """Take the names of fields by record id, from a list of objects with one key each."""
    found: dict[str, list[str]] = {}
    for each in value if isinstance(value, list) else []:
        for record_id, names in each.items() if isinstance(each, dict) else []:
            kept = [n for n in names if isinstance(n, str) and _NAME.fullmatch(n)]
            found[_matching(_ID, record_id)] = kept
    return found


class Door:
    """Checks notifications and notes the good ones: the part that needs no port.

    Parameters
    ----------
    journal : EventLog
        Where every accepted event is noted before the answer.
    arrived : callable, optional
        Called after something was noted; it must be quick.

    Attributes
    ----------
    counts : collections.Counter
        How many were ``accepted``, ``doubled``, of a ``wrong token``, ``malformed``, or ``not
        kept`` because the journal or the disk was full.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from zcrm_nb.state.event_log import EventLog
    >>> from zcrm_nb.wire.webhook_receiver import Door
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     door = Door(EventLog(Path(folder)))
    ...     door.take(b"<html>")
    400
    """

    def __init__(self, journal: EventLog, arrived: Callable[[], object] = lambda: None) -> None:
        self._journal, self._arrived = journal, arrived
        self._tokens: dict[str, Secret] = {}
        self._known: OrderedDict[tuple[str, ...], None] = OrderedDict()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def expect(self, channel_id: str, token: Secret) -> None:
        """Accept notifications of a channel."""
        self._tokens[channel_id] = token

    def forget(self, channel_id: str) -> None:
        """Accept no more notifications of a channel."""
        self._tokens.pop(channel_id, None)

    def take(self, body: bytes) -> int:
        """Check a notification and note it."""
        try:
            notification, token = read_notification(body)
        except (ValueError, TypeError, AttributeError):
            return self._counted("malformed", 400)
        if not self._is_right(notification.channel_id, token):
            return self._counted("wrong token", 403)
        with self._lock:
            fresh = [key for key in notification.events() if key not in self._known]
            if not fresh:
                return self._counted("doubled", 200)
            try:
                self._journal.append(replace(notification, ids=[key[-1] for key in fresh]).line())
            except (JournalFull, OSError):
                return self._counted("not kept", 503)
            self._remember(fresh)
        self._counted("accepted", 200)
        self._arrived()
        return 200

    def _is_right(self, channel_id: str, token: Secret) -> bool:
        """Compare tokens, taking the same time whatever differs, and for unknown channels too."""
        expected = self._tokens.get(channel_id, Secret(""))
        same = hmac.compare_digest(expected.reveal().encode(), token.reveal().encode())
        return same and bool(expected)

    def _remember(self, keys: list[tuple[str, ...]]) -> None:
        """Know these events again, for as long as there is room."""
        self._known.update(dict.fromkeys(keys))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _counted(self, what: str, status: int) -> int:
        """Count, and pass the status on."""
        self.counts[what] += 1
        return status


class Receiver:
    """A door on a port of this machine.

    Parameters
    ----------
    door : Door
        What checks them.
    host : str, default "127.0.0.1"
        Where to listen: this machine only, unless a container has to be reached from outside.
    port : int, default 0
        The port; 0 takes a free one.
    public_url : str, optional
        Where the world reaches that port, through a tunnel or a hub's proxy; a query string stays.

    Attributes
    ----------
    url : str
        What Zoho has to be given as ``notify_url``; it ends in a word that cannot be guessed.

    Raises
    ------
    OSError
        The port is taken or not allowed.
    ValueError
        ``public_url`` is not a web address.

    Examples
    --------
    >>> import tempfile, urllib.request
    >>> from pathlib import Path
    >>> from zcrm_nb.state.event_log import EventLog
    >>> from zcrm_nb.wire.webhook_receiver import Door, Receiver
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     receiver = Receiver(Door(EventLog(Path(folder))))
    ...     receiver.close()
    """

    def __init__(
        self,
        door: Door,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
    ) -> None:
        from zcrm_nb.auth.listener import Listener, Said  # noqa: PLC0415 - loads asyncio

        self._door = door
        self._word = f"zcrm-{secrets.token_hex(8)}"
        base = public_url and _checked(public_url)
        self._listener = Listener(
            lambda _, __, body: Said(door.take(body)),
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

    def _admit(self, method: str, target: str) -> Said | None:
        """Refuse a request without the secret word, before its body is read."""
        from zcrm_nb.auth.listener import Said  # noqa: PLC0415 - loads asyncio

        last = urlsplit(target).path.rpartition("/")[2]
        if not hmac.compare_digest(last.encode(), self._word.encode()):
            self._door.counts["elsewhere"] += 1
            return Said(404)
        return None if method == "POST" else Said(405, headers={"Allow": "POST"})

    def __repr__(self) -> str:
        return f"<Receiver on port {self.port}>"


def _checked(public_url: str) -> str:
    """Refuse what no server could post to."""
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
