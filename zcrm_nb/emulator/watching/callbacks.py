"""How callbacks travel: in the background, in order for each channel, to loopback only."""

from __future__ import annotations

import http.client
import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from zcrm_nb.emulator.serving.faults import Faults
    from zcrm_nb.emulator.settings import WatchSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
#: Deliveries that the log keeps.
KEPT = 10_000
#: Callbacks of one channel that wait; a receiver that is dead for longer loses what comes.
WAITING = 10_000
SENT_AS_THEY_ARE = "/?%:=&~#+!$,;'@()*[]"

Post: TypeAlias = Callable[[str, bytes], int]
"""Takes an address and a JSON body, sends one to the other, gives the HTTP status."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One callback, and the outcome of it.

    ``outcome`` is ``delivered`` (HTTP 2xx), ``refused`` (another status), ``failed`` (no answer),
    ``undeliverable`` (not on loopback), ``lost`` (a fault asked for), ``dropped`` (too many waited,
    or the emulator was closed) or ``waiting``.
    """

    channel_id: str
    module: str
    operation: str
    ids: tuple[str, ...]
    server_time: int
    url: str
    outcome: str = "waiting"
    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    lane: object = field(default=None, repr=False)


class Undeliverable(Exception):  # noqa: N818 - reads as what it is
    """The address is not on this machine."""


class Courier:
    """Delivers callbacks.

    Parameters
    ----------
    settings : WatchSettings
        Content type, time-out and retries.
    faults : Faults
        Callbacks that are to be lost, doubled or late.

    Attributes
    ----------
    post : callable
        How one callback is sent: takes the address and the body (JSON, as bytes) and returns an
        HTTP status. By default an HTTP request to a loopback address; a callable put here is
        handed every callback instead, so that no port is needed.
    deliveries : deque of Delivery
        The last 10,000 callbacks, in the order in which they were done with.
    outcomes : Counter
        How many callbacks ended in each way.

    Notes
    -----
    Each channel has a lane: its callbacks arrive in the order of the changes, and a slow receiver
    delays no other. A lane's thread ends when nothing waits in it.
    """

    def __init__(self, settings: WatchSettings, faults: Faults) -> None:
        self._settings, self._faults = settings, faults
        self.post: Post = self._post
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self.outcomes: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._lanes: dict[object, deque[Delivery]] = {}
        self._late: dict[object, Delivery] = {}
        self._closed = False

    def send(self, callback: Delivery) -> None:
        """Take a callback, unless a fault swallows it, and return at once."""
        fault = self._faults.of_callback(callback.url)
        with self._changed:
            if fault == "lost_callback":
                self._done(replace(callback, outcome="lost"))
                return
            if fault == "late_callback" and callback.lane not in self._late:
                self._late[callback.lane] = callback
                return
            for each in (callback,) * (2 if fault == "doubled_callback" else 1):
                self._queue(each)
            if late := self._late.pop(callback.lane, None):
                self._queue(late)

    def drain(self, timeout_s: float = 30.0) -> None:
        """Wait until every callback is done with; late ones come now."""
        ends = monotonic() + timeout_s
        with self._changed:
            while self._late:
                self._queue(self._late.popitem()[1])
            while self._lanes:
                if not self._changed.wait(ends - monotonic()):
                    waiting = sum(map(len, self._lanes.values()))
                    raise TimeoutError(f"{waiting:,} callbacks still wait after {timeout_s:g} s")

    def close(self) -> None:
        """Drop what waits."""
        with self._changed:
            self._closed = True
            waiting = [
                *self._late.values(),
                *(each for lane in self._lanes.values() for each in lane),
            ]
            self._late.clear()
            for lane in self._lanes.values():
                lane.clear()
            for each in waiting:
                self._done(replace(each, outcome="dropped"))

    def _queue(self, callback: Delivery) -> None:
        """Put a callback into its lane, and wake the lane; the lock is held."""
        lane = self._lanes.get(callback.lane)
        if self._closed or (lane is not None and len(lane) >= WAITING):
            self._done(replace(callback, outcome="dropped"))
        elif lane is not None:
            lane.append(callback)
        else:
            self._lanes[callback.lane] = deque([callback])
            threading.Thread(
                target=self._run, args=(callback.lane,), name="zoho-callbacks", daemon=True
            ).start()

    def _run(self, name: object) -> None:
        """Deliver what waits in a lane, then leave."""
        while True:
            with self._changed:
                lane = self._lanes[name]
                if not lane:
                    del self._lanes[name]
                    self._changed.notify_all()
                    return
                callback = lane.popleft()
            done = self._delivered(callback)
            with self._changed:
                self._done(done)

    def _delivered(self, callback: Delivery) -> Delivery:
        """Try to deliver a callback, as often as the settings say."""
        done = callback
        for _ in range(1 + self._settings.retries):
            done = self._tried(callback)
            if done.outcome in ("delivered", "undeliverable"):
                break
        return done

    def _tried(self, callback: Delivery) -> Delivery:
        """Try once."""
        try:
            status = self.post(callback.url, callback.body)
        except Undeliverable:
            return replace(callback, outcome="undeliverable")
        except (OSError, http.client.HTTPException):
            return replace(callback, outcome="failed")
        except Exception:  # a user's callable raises anything; the courier goes on
            _log.exception("The callable at channels.post failed")
            return replace(callback, outcome="failed")
        outcome = "delivered" if 200 <= status < 300 else "refused"
        return replace(callback, outcome=outcome, status=status)

    def _done(self, callback: Delivery) -> None:
        """Write a callback into the log; the lock is held."""
        self.deliveries.append(callback)
        self.outcomes[callback.outcome] += 1

    def _post(self, url: str, body: bytes) -> int:
        """POST to a loopback address."""
        parts = urlsplit(url)
        if not is_loopback(url):
            raise Undeliverable(url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self._settings.timeout_s
        )
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        try:
            headers = {"Content-Type": self._settings.content_type}
            connection.request("POST", quote(target, safe=SENT_AS_THEY_ARE), body, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def is_loopback(url: str) -> bool:
    """Whether the emulator would open a connection to an address."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK
