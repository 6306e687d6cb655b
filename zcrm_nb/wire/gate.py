"""The gate: everything this package sends to Zoho CRM passes through one function.

``send`` returns the body or raises; there is no third outcome.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from random import random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import requests
from requests.adapters import HTTPAdapter

from zcrm_nb.auth.data_centres import trusts
from zcrm_nb.auth.transport import LoopbackAdapter
from zcrm_nb.errors import ConnectionFailed, RateLimitError
from zcrm_nb.masking import mask_body, quiet_oauth_logs, without_frames
from zcrm_nb.state.files import ProcessBound
from zcrm_nb.wire.credits import (
    EXPENSIVE_IN_FLIGHT,
    MOST_IN_FLIGHT,
    Ledger,
    allowance,
    in_flight,
    price,
)
from zcrm_nb.wire.download import DownloadPace, Landing
from zcrm_nb.wire.messages import (
    MOST_BYTES,
    Answer,
    BodyTooLargeError,
    Call,
    Lost,
    Timing,
    api_request,
    body_or_error,
    call_of,
    download_request,
    lost,
    usable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from requests.adapters import BaseAdapter

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.oauth import NoLogin, Token, TokenSource
    from zcrm_nb.auth.token_lease import Borrowed
    from zcrm_nb.masking import Secret
    from zcrm_nb.wire.credits import Hold
    from zcrm_nb.wire.messages import ApiRequest, Reply
    from zcrm_nb.wire.multipart import File

__all__ = ["Gate", "Renew", "SendStep", "Tracer", "Wait", "conversation", "delay_s"]

CONNECT_TIMEOUT_S = 10.0
# Past ten in a minute all fail, until the minute is over; a second more, for the way there.
DOWNLOADS, DOWNLOADS_S = 10, 61.0
DOWNLOAD_WAITS = 3  # of a minute each, for other programs download too
ACCOUNTS_TRIES = 2  # Accounts counts every token call, and locks out those who repeat them
SEARCHED_BYTES = 64 << 10
MOST_TRIES = 5  # with waits of 1, 2, 4 and 8 seconds between them
LONGEST_WAIT_S = 60.0  # longer waits are the caller's decision
_log = logging.getLogger("zcrm_nb")


class Gate(ProcessBound):
    """The way to Zoho CRM: one login, its addresses, its limits.

    It may be used from many threads at once. What Zoho limits is limited here, so that a pool of
    threads can be larger than an edition allows.

    ``notify`` is called with a sentence before each wait; by default a warning of the logger
    ``zcrm_nb``. ``clock`` gives seconds since 1970, ``monotonic`` seconds that no change of the
    clock disturbs. What waits for Zoho uses :attr:`clock` and :attr:`sleep`.

    Examples
    --------
    Over a callable in the place of Zoho:

    >>> from zcrm_nb.auth.data_centres import addresses
    >>> from zcrm_nb.auth.oauth import Grant, Token, TokenSource
    >>> from zcrm_nb.masking import Secret
    >>> from zcrm_nb.wire.wsgi import WSGIAdapter
    >>> def app(environ, start_response):
    ...     start_response("200 OK", [("Content-Type", "application/json")])
    ...     return [b'{"org": []}']
    >>> where = addresses("in")
    >>> grant = Grant("1000.ID", Secret("…"), Secret("…"), where.accounts_url)
    >>> tokens = TokenSource(grant, token=Token(Secret("1000.aa.bb"), expires_at=4e9))
    >>> gate = Gate(tokens, where, adapter=WSGIAdapter(app))
    >>> gate.send("GET", "/crm/v8/org")
    b'{"org": []}'
    """

    def __init__(
        self,
        tokens: TokenSource | NoLogin | Borrowed,
        addresses: Addresses,
        *,
        edition: str | None = None,
        timeout_s: float = 60.0,
        adapter: BaseAdapter | None = None,
        notify: Callable[[str], None] = _log.warning,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        quiet_oauth_logs()
        self.addresses = addresses
        self.ledger = Ledger(clock=clock)
        self._tokens: TokenSource | NoLogin | Borrowed = tokens
        self._timeouts_s = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._notify, self.clock, self.sleep = notify, clock, sleep
        self._monotonic = monotonic or (time.monotonic if clock is time.time else clock)
        self._adapter = adapter
        self._server_time = ("", 0.0)
        self._tracer = Tracer()
        self._edition = edition
        self._closed = False
        self._downloads = DownloadPace(DOWNLOADS, DOWNLOADS_S, clock=self._monotonic, sleep=sleep)
        self._after_fork()

    def _after_fork(self) -> None:
        """Open connections and limits of this process's own."""
        self._session = _session(self._adapter)
        self._environment_settings: dict[str, dict[str, Any]] = {}
        self._expensive = threading.BoundedSemaphore(EXPENSIVE_IN_FLIGHT)
        self._all = threading.BoundedSemaphore(in_flight(self._edition))

    @property
    def edition(self) -> str | None:
        """Edition of the org. Setting it resizes what may be in flight from the next call on."""
        return self._edition

    @edition.setter
    def edition(self, edition: str | None) -> None:
        self._edition = edition
        self._all = threading.BoundedSemaphore(in_flight(edition))

    @property
    def tokens(self) -> TokenSource | NoLogin:
        """Where access tokens come from; not for a gate that borrows them."""
        return cast("TokenSource | NoLogin", self._tokens)

    def take(self, tokens: TokenSource | NoLogin, addresses: Addresses) -> None:
        """Go on with a login that has just been made, or without one that has ended."""
        self.addresses, self._tokens = addresses, tokens

    def know(self, edition: str | None, users: int | None) -> None:
        """Learn the org's licence: how many calls may be in flight, and the credits of a day."""
        if edition and self._edition is None:
            self.edition = edition
        if users is not None:
            self.ledger.allowance = allowance(edition, users)

    @property
    def workers(self) -> int:
        """How many calls it lets be in flight at once."""
        return in_flight(self._edition)

    @property
    def ahead_s(self) -> float:
        """How far this machine's clock is ahead of Zoho's, in seconds, by the last answer.

        Zoho sends its time in whole seconds; 0.0 until it has sent any.
        """
        date, at = self._server_time
        with suppress(ValueError):  # no Date, or not one of HTTP's
            return at - parsedate_to_datetime(date).timestamp()
        return 0.0

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        files: Sequence[File] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool | None = None,
        host: str = "api",
        notify: Callable[[str], None] | None = None,
    ) -> bytes:
        """Send one call, see it through, and return the body of the answer.

        Notes
        -----
        Throttled calls are sent up to 5 times, with waits of 1, 2, 4 and 8 seconds; safe calls
        also after every HTTP 5xx and every lost answer. An unclear write is never sent twice.

        https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html
        """
        request = api_request(
            method,
            path,
            params=params,
            json=json,
            files=files,
            headers=headers,
            safe=safe,
            host=host,
            notify=notify,
        )
        return body_or_error(request, self._converse(request))

    def download(
        self,
        path: str,
        target: Path,
        *,
        params: Mapping[str, Any] | None = None,
        origin: str = "api",
        tick: Callable[[int], None] | None = None,
    ) -> Path:
        """Download a file to the disk, whatever its size, and see it through.

        Notes
        -----
        A body that broke off is continued where the server can do that (``Range``), else begun
        again; up to 5 times. At most 10 downloads begin in a minute, as Zoho demands; when other
        programs have used them up, it waits, up to three minutes.

        References
        ----------
        Zoho CRM API V8, "Download Bulk Read Result":
        https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/download-result.html
        """
        request = download_request(
            path, Landing(target, tick), params=params, host=self._trusted(origin)
        )
        for waits in range(DOWNLOAD_WAITS + 1):
            self._check_open()
            self._downloads.wait()
            try:
                body_or_error(request, self._converse(request))
            except RateLimitError:
                if waits == DOWNLOAD_WAITS:
                    raise
                self._notify(f"{request.name}: too many downloads; trying again in a minute")
                self.sleep(DOWNLOADS_S)
            else:
                break
        if not target.exists():
            raise ConnectionFailed(f"{request.name} brought no file.", "", "Run it again.")
        return target

    @contextmanager
    def lend(self, path: str, *, refused: str = "") -> Iterator[tuple[Secret, Hold]]:
        """Let another process make one try of a download: in its turn, and on our account."""
        from zcrm_nb.auth.token_lease import mark  # noqa: PLC0415 - only clusters need it

        self._check_open()
        self._downloads.wait()
        token = self._tokens.token()
        if mark(token) == refused:
            token = self._tokens.renew(token) or token
        with self._all, self.ledger.hold(price("GET", path)) as hold:
            yield token.access, hold

    def add_calls(self, calls: Iterable[Call]) -> None:
        """Add calls that another process made for us to every open trace."""
        for call in calls:
            self._tracer.note(call)

    def trace(self, *, show: bool = False) -> AbstractContextManager[list[Call]]:
        """Collect calls while a block lasts."""
        return self._tracer.trace(show=show)

    @property
    def timings(self) -> list[Timing]:
        """How long the last calls took that went well at once."""
        return self._tracer.timings

    def close(self) -> None:
        """Close the connections; calls raise from now on."""
        self._closed = True
        self._session.close()

    def _check_open(self) -> None:
        """Refuse to send anything after :meth:`close`."""
        if self._closed:
            closed = ConnectionFailed(
                "This CRM object was closed; nothing was sent.",
                todo="Make a new one with zcrm_nb.connect(), login() or emulate().",
            )
            closed.sent = False
            raise closed

    def _converse(self, request: ApiRequest) -> Reply:
        """Carry out the steps of a call until its reply is final."""
        self._check_open()
        steps, tries, started = conversation(safe=request.safe), 0, self._monotonic()
        token: Token | None = None
        reply: Reply | None = None
        try:
            step = next(steps)
            while True:
                match step:
                    case SendStep():
                        token, reply = self._try(request)
                        tries += 1
                    case Renew():
                        with suppress(ConnectionFailed):  # the next try asks again
                            self._tokens.renew(token)
                    case Wait():
                        self._wait(request, step)
                step = steps.send(reply)
        except StopIteration as end:
            return cast("Reply", end.value)
        finally:
            if reply is not None:
                self._tracer.note(call_of(request, reply, tries, self._monotonic() - started))

    def _wait(self, request: ApiRequest, wait: Wait) -> None:
        """Say why, and wait."""
        (request.notify or self._notify)(
            f"{request.name}: {wait.because}; trying again in {wait.seconds:.1f} s"
            f" (try {wait.tries + 1} of {MOST_TRIES})"
        )
        self.sleep(wait.seconds)

    def _try(self, request: ApiRequest) -> tuple[Token | None, Reply]:
        """Send a call once, within what Zoho and the budgets allow."""
        try:
            token = self._tokens.token()
        except ConnectionFailed as error:
            reason = error.happened.rstrip(".")
            tries = ACCOUNTS_TRIES if error.sent else None
            return None, Lost(reason, sent=False, most_tries=tries, error=error)
        if token.api_domain != self.addresses.api_domain:
            self.addresses = self.addresses.following(token.api_domain)
        with self._lanes(request), self.ledger.hold(request.credits) as hold:
            reply = self._exchange(request, token)
            hold.taken = _is_taken(reply)
        if isinstance(reply, Answer):
            if not reply.is_stale:
                self._tokens.accepted(token)
            self.ledger.reconcile(reply.headers.get("X-API-CREDITS-REMAINING"))
            self._server_time = (reply.headers.get("Date", ""), self.clock())
        return token, reply

    @contextmanager
    def _lanes(self, request: ApiRequest) -> Iterator[None]:
        """Take one of the places that Zoho gives to calls in flight."""
        with self._expensive if request.is_expensive else nullcontext(), self._all:
            yield

    def _exchange(self, request: ApiRequest, token: Token) -> Reply:
        """Send a request and read its response: the one place where bytes travel.

        An interrupt leaves without the frames below, where the token is a local variable.
        """
        known = {"api": self.addresses.api_domain, "upload": self.addresses.upload_url}
        origin = known.get(request.host, request.host)
        prepared = self._session.prepare_request(request.request(origin, token))
        prepared.headers.update(request.landing.headers() if request.landing else {})
        try:
            response = self._session.send(
                prepared,
                timeout=self._timeouts_s,
                allow_redirects=False,
                **self._settings(origin),
            )
            body = _masked(request, response.status_code, request.read(response), token)
            answer = Answer(response.status_code, response.headers, body)
            is_on_disk = request.landing is not None and request.landing.takes(response)
            return answer if is_on_disk else usable(answer)
        except BodyTooLargeError:
            size = f"{MOST_BYTES >> 20} MB"
            return Lost(f"the answer is larger than {size} when decompressed", True, most_tries=1)
        except requests.RequestException as error:
            return lost(error)
        except BaseException as error:  # raised below, without frames that hold the token
            interrupt = without_frames(error)
        raise interrupt

    def _trusted(self, origin: str) -> str:
        """Refuse to show the token to a host that is not Zoho's."""
        if origin != "api" and not trusts(self.addresses, origin):
            raise ValueError(f"{origin!r} is not an address of this login's data centre")
        return origin

    def _settings(self, origin: str) -> dict[str, Any]:
        """Read proxies and certificates from the environment, once for each host.

        requests reads them for every call, which is a fifth of the time it spends.
        """
        settings = self._environment_settings
        if origin not in settings:
            merge = self._session.merge_environment_settings
            settings[origin] = dict(merge(origin, {}, True, None, None))
        return settings[origin]


def _session(adapter: BaseAdapter | None) -> requests.Session:
    """Open a session that keeps as many connections alive as Zoho allows in flight."""
    session = requests.Session()
    session.mount("https://", adapter or HTTPAdapter(pool_maxsize=MOST_IN_FLIGHT))
    session.mount("http://", adapter or LoopbackAdapter(pool_maxsize=MOST_IN_FLIGHT))
    return session


def _masked(request: ApiRequest, status: int, body: bytes, token: Token) -> bytes:
    """Mask a token that is repeated, as some gateways do: it would show in errors and reports.

    Records that were read are the org's own data and stay as they are; large pages of them are
    not searched.
    """
    is_message = status >= 400 or not request.safe
    if is_message or len(body) < SEARCHED_BYTES:
        return mask_body(body, token.access, patterns=is_message)
    return body


def _is_taken(reply: Reply) -> bool:
    """Whether Zoho may have counted the call. UNCONFIRMED: that refusals at the door are free."""
    if isinstance(reply, Lost):
        return reply.sent
    return reply.status != 401 and not reply.is_throttled


# ---- What was sent -------------------------------------------------------------------------------


class Tracer(ProcessBound):
    """Records every call in every open trace, in all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[object, tuple[list[Call], bool]] = {}
        self._timings: deque[Timing] = deque(maxlen=200)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def timings(self) -> list[Timing]:
        """How long the last 200 calls took, without those that failed."""
        with self._lock:
            return list(self._timings)

    @contextmanager
    def trace(self, *, show: bool = False) -> Iterator[list[Call]]:
        """Collect calls while the block lasts. Blocks nest: each has its own list."""
        key, calls = object(), list[Call]()
        with self._lock:
            self._open[key] = (calls, show)
        try:
            yield calls
        finally:
            with self._lock:
                del self._open[key]

    def note(self, call: Call) -> None:
        """Write a call into every open trace."""
        with self._lock:
            if call.attempts == 1 and call.status in {200, 204}:
                took_s = call.ms / 1000
                self._timings.append(Timing(call.method, call.path, call.credits, took_s))
            for calls, show in self._open.values():
                calls.append(call)
                if show:
                    sys.stdout.write(f"{call}\n")


# ---- When a call is sent again -------------------------------------------------------------------


@dataclass(frozen=True)
class SendStep:
    """Send the call with the current token."""


@dataclass(frozen=True)
class Renew:
    """Get a new token: the one just used was refused."""


class Wait(NamedTuple):
    """Wait before the next try."""

    seconds: float
    tries: int
    because: str


Step: TypeAlias = SendStep | Renew | Wait


def conversation(
    *, safe: bool, jitter: Callable[[], float] = random
) -> Generator[Step, Reply | None, Reply]:
    """Decide the steps of one call: yields what to do next, and is sent what came of it.

    A :class:`SendStep` gets the reply; what the others get is ignored. Returns the final reply.

    Examples
    --------
    A token that has run out, and then a good answer:

    >>> from zcrm_nb.wire.gate import conversation
    >>> from zcrm_nb.wire.messages import Answer
    >>> steps = conversation(safe=True)
    >>> next(steps)
    SendStep()
    >>> steps.send(Answer(401, {}, b'{"code": "INVALID_TOKEN"}'))
    Renew()
    >>> next(steps)
    SendStep()
    """
    tries, renewed = 1, False
    while True:
        reply = yield SendStep()
        assert reply is not None, "a SendStep is answered by a reply"
        if isinstance(reply, Answer) and reply.is_stale and not renewed:
            renewed = True
            yield Renew()
        elif tries < _most_tries(reply) and _may_be_resent(reply, safe=safe):
            retry_after_s = reply.retry_after_s if isinstance(reply, Answer) else None
            seconds = delay_s(tries, jitter=jitter(), retry_after_s=retry_after_s)
            if seconds > LONGEST_WAIT_S:
                return reply
            reason = reply.summary if isinstance(reply, Answer) else reply.reason
            yield Wait(seconds, tries, reason)
            tries += 1
        else:
            return reply


def _most_tries(reply: Reply) -> int:
    return (reply.most_tries if isinstance(reply, Lost) else None) or MOST_TRIES


def _may_be_resent(reply: Reply, *, safe: bool) -> bool:
    """Whether another try may help and can do no harm."""
    if isinstance(reply, Lost):
        return safe or not reply.sent
    return reply.is_throttled or (safe and reply.status >= 500)


def delay_s(
    attempt: int,
    *,
    base_s: float = 1.0,
    cap_s: float = 8.0,
    jitter: float = 0.0,
    retry_after_s: float | None = None,
) -> float:
    """Compute the wait before the next try.

    Examples
    --------
    >>> from zcrm_nb.wire.gate import delay_s
    >>> [delay_s(attempt) for attempt in range(1, 6)]
    [1.0, 2.0, 4.0, 8.0, 8.0]
    >>> delay_s(1, retry_after_s=30), delay_s(2, jitter=1.0)
    (30.0, 2.5)
    """
    doubled_s = min(cap_s, base_s * 2.0 ** (attempt - 1))
    return max(doubled_s, float(retry_after_s or 0)) + doubled_s * jitter / 4
