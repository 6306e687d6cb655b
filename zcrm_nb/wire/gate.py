"""The gate: everything this package sends to Zoho CRM passes through one function.

``send`` returns the body or raises; there is no third outcome.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import orjson
import requests
from requests import exceptions as lost
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from zcrm_nb.auth.data_centres import trusts
from zcrm_nb.auth.loopback import LoopbackAdapter
from zcrm_nb.auth.secret import mask, quiet_oauth_logs, without_frames
from zcrm_nb.auth.token_lease import mark
from zcrm_nb.errors import APIError, ConnectionFailed, RateLimitError, api_error
from zcrm_nb.wire.credits import (
    EXPENSIVE_IN_FLIGHT,
    MOST_IN_FLIGHT,
    Ledger,
    allowance,
    in_flight,
    is_expensive,
    price,
)
from zcrm_nb.wire.download import BrokenOffError, DownloadPace, Landing
from zcrm_nb.wire.multipart import multipart
from zcrm_nb.wire.retry_flow import (
    MOST_TRIES,
    Answer,
    Lost,
    Renew,
    SendStep,
    Wait,
    conversation,
    usable,
)
from zcrm_nb.wire.trace import Call, Tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from requests.adapters import BaseAdapter

    from zcrm_nb.auth.data_centres import Addresses
    from zcrm_nb.auth.oauth import NoLogin, Token, TokenSource
    from zcrm_nb.auth.secret import Secret
    from zcrm_nb.auth.token_lease import Borrowed
    from zcrm_nb.wire.credits import Hold
    from zcrm_nb.wire.multipart import File, Multipart
    from zcrm_nb.wire.retry_flow import Reply
    from zcrm_nb.wire.trace import Timing

__all__ = ["Gate"]

CONNECT_TIMEOUT_S = 10.0
# Past ten in a minute all fail, until the minute is over; a second more, for the way there.
DOWNLOADS, DOWNLOADS_S = 10, 61.0
DOWNLOAD_WAITS = 3  # of a minute each, for other programs download too
READ_BYTES = 8 << 20  # requests itself reads 10 kB at a time, which costs a large page a third more
_log = logging.getLogger("zcrm_nb")


class Gate:
    """The way to Zoho CRM: one login, its addresses, its limits.

    It may be used from many threads at once. What Zoho limits is limited here, so that a pool of
    threads can be larger than an edition allows.

    Parameters
    ----------
    tokens : TokenSource, NoLogin or Borrowed
        Where access tokens come from.
    addresses : Addresses
        Where calls go, unless a token reply knows better.
    edition : str, optional
        Edition of the org, which sets how many calls may be in flight; 10 until it is known.
    timeout_s : float, default 60.0
        How long to wait for each answer, in seconds; connecting gets 10 of them at most.
    adapter : requests.adapters.BaseAdapter, optional
        Transport instead of the network.
    notify : callable, optional
        Called with a sentence before each wait; by default a warning of the logger ``zcrm_nb``.
    clock, sleep : callable
        Seconds since 1970; waiting.

    Attributes
    ----------
    ledger : Ledger
        Credits spent and left.
    addresses : Addresses
        Where calls go now.
    clock, sleep : callable
        As given: whoever waits for Zoho waits by these.

    Examples
    --------
    Over a callable in the place of Zoho:

    >>> from zcrm_nb.auth.data_centres import addresses
    >>> from zcrm_nb.auth.oauth import Grant, Token, TokenSource
    >>> from zcrm_nb.auth.secret import Secret
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
    ) -> None:
        quiet_oauth_logs()
        self.addresses = addresses
        self.ledger = Ledger(clock=clock)
        self._tokens: TokenSource | NoLogin | Borrowed = tokens
        self._timeouts_s = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._notify, self.clock, self.sleep = notify, clock, sleep
        self._session = _session(adapter)
        self._known: dict[str, dict[str, Any]] = {}
        self._told_time = ("", 0.0)
        self._tracer = Tracer()
        self._expensive = threading.BoundedSemaphore(EXPENSIVE_IN_FLIGHT)
        self._downloads = DownloadPace(DOWNLOADS, DOWNLOADS_S, clock=clock, sleep=sleep)
        self.edition = edition

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

        Zoho tells its time in whole seconds; 0.0 as long as it has not told any.
        """
        told, at = self._told_time
        with suppress(ValueError):  # no Date, or not one of HTTP's
            return at - parsedate_to_datetime(told).timestamp()
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
        also when Zoho is down or the answer is lost. An unclear write is never sent twice.

        References
        ----------
        Zoho CRM API V8, "Status codes and errors" and "API limits";
        https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html
        """
        method = method.upper()
        ask = _Ask(
            method=method,
            path=_checked(path),
            params=_as_zoho_writes(params or {}),
            body=_body(json, files),
            headers=dict(headers or {}),
            host=_checked_host(host),
            safe=method == "GET" if safe is None else safe,
            query=json.get("select_query", "") if isinstance(json, dict) else "",
            credits=price(method, path, params=params, json=json),
            is_expensive=is_expensive(method, path, params=params, json=json),
            notify=notify,
        )
        return _outcome(ask, self._hold(ask))

    def download(
        self,
        path: str,
        target: Path,
        *,
        params: Mapping[str, Any] | None = None,
        origin: str = "api",
        tick: Callable[[int], None] | None = None,
    ) -> Path:
        """Bring a file to the disk, whatever its size, and see it through.

        Notes
        -----
        A body that broke off is gone on with where the server can do that (``Range``), and begun
        anew where it cannot; up to 5 times. At most 10 downloads begin in a minute, as Zoho wants
        it; when other programs have used them up, it waits, up to three minutes.

        References
        ----------
        Zoho CRM API V8, "Download Bulk Read Result":
        https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/download-result.html
        """
        ask = _Ask(
            method="GET",
            path=_checked(path),
            params=_as_zoho_writes(params or {}),
            body=None,
            headers={},
            host=self._trusted(origin),
            safe=True,
            query="",
            credits=price("GET", path, params=params),
            is_expensive=False,
            landing=Landing(target, tick),
        )
        for waits in range(DOWNLOAD_WAITS + 1):
            self._downloads.wait()
            try:
                _outcome(ask, self._hold(ask))
            except RateLimitError:
                if waits == DOWNLOAD_WAITS:
                    raise
                self._notify(f"{ask.name}: too many downloads; trying again in a minute")
                self.sleep(DOWNLOADS_S)
            else:
                break
        if not target.exists():
            raise ConnectionFailed(f"{ask.name} brought no file.", "", "Run it again.")
        return target

    @contextmanager
    def lend(self, path: str, *, refused: str = "") -> Iterator[tuple[Secret, Hold]]:
        """Let another process make one try of a download: in its turn, and on our account."""
        self._downloads.wait()
        token = self._tokens.token()
        if mark(token) == refused:
            token = self._tokens.renew(token) or token
        with self._all, self.ledger.hold(price("GET", path)) as hold:
            yield token.access, hold

    def heard(self, calls: Iterable[Call]) -> None:
        """Write calls into every open trace that another process made for us."""
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
        """Close the connections."""
        self._session.close()

    def _hold(self, ask: _Ask) -> Reply:
        """Do what the conversation says until it is over."""
        talk, tries, started = conversation(safe=ask.safe), 0, self.clock()
        token: Token | None = None
        reply: Reply | None = None
        try:
            step = next(talk)
            while True:
                match step:
                    case SendStep():
                        token, reply = self._try(ask)
                        tries += 1
                    case Renew():
                        with suppress(ConnectionFailed):  # the next Send asks again
                            self._tokens.renew(token)
                    case Wait():
                        self._wait(ask, step)
                step = talk.send(reply)
        except StopIteration as end:
            return cast("Reply", end.value)
        finally:
            if reply is not None:
                self._tracer.note(_call(ask, reply, tries, self.clock() - started))

    def _wait(self, ask: _Ask, wait: Wait) -> None:
        """Say why, and wait."""
        (ask.notify or self._notify)(
            f"{ask.name}: {wait.because}; trying again in {wait.seconds:.1f} s"
            f" (try {wait.tries + 1} of {MOST_TRIES})"
        )
        self.sleep(wait.seconds)

    def _try(self, ask: _Ask) -> tuple[Token | None, Reply]:
        """Send a call once, within what Zoho and the budgets allow."""
        try:
            token = self._tokens.token()
        except ConnectionFailed as error:
            return None, Lost(error.happened.rstrip("."), sent=False)
        self.addresses = self.addresses.following(token.api_domain)
        with self._lanes(ask), self.ledger.hold(ask.credits) as hold:
            reply = self._exchange(ask, token)
            hold.taken = _is_taken(reply)
        if isinstance(reply, Answer):
            self.ledger.reconcile(reply.headers.get("X-API-CREDITS-REMAINING"))
            self._told_time = (reply.headers.get("Date", ""), self.clock())
        return token, reply

    @contextmanager
    def _lanes(self, ask: _Ask) -> Iterator[None]:
        """Take one of the places that Zoho gives to calls in flight."""
        with self._expensive if ask.is_expensive else nullcontext(), self._all:
            yield

    def _exchange(self, ask: _Ask, token: Token) -> Reply:
        """Send a request and read its answer: the one place where bytes travel.

        An interrupt leaves without the frames below, where the token is a local variable.
        """
        known = {"api": self.addresses.api_domain, "upload": self.addresses.upload_url}
        origin = known.get(ask.host, ask.host)
        request = self._session.prepare_request(ask.request(origin, token))
        request.headers.update(ask.landing.headers() if ask.landing else {})
        try:
            response = self._session.send(
                request,
                timeout=self._timeouts_s,
                allow_redirects=False,
                **self._settings(origin),
            )
            body = ask.read(response)
            return usable(Answer(response.status_code, response.headers, body))
        except requests.RequestException as error:
            return _lost(error)
        except BaseException as error:
            interrupt = without_frames(error)
        raise interrupt

    def _trusted(self, origin: str) -> str:
        """Refuse to show the token to a host that is not Zoho's."""
        if origin != "api" and not trusts(self.addresses, origin):
            raise ValueError(f"{origin!r} is no address of this login's data centre")
        return origin

    def _settings(self, origin: str) -> dict[str, Any]:
        """Read proxies and certificates from the environment, once for each host.

        requests reads them for every call, which is a fifth of the time it spends.
        """
        if origin not in self._known:
            merge = self._session.merge_environment_settings
            self._known[origin] = dict(merge(origin, {}, True, None, None))
        return self._known[origin]


@dataclass(frozen=True, slots=True)
class _Ask:
    """One call, checked and priced."""

    method: str
    path: str
    params: dict[str, str]
    body: bytes | Multipart | None
    headers: dict[str, str]
    host: str
    safe: bool
    query: str
    credits: int
    is_expensive: bool
    landing: Landing | None = None
    notify: Callable[[str], None] | None = None

    @property
    def name(self) -> str:
        """What errors and notices call it."""
        return f"{self.method} {self.path}"

    def request(self, origin: str, token: Token) -> requests.Request:
        """Make the request of one try."""
        return requests.Request(
            self.method,
            origin + self.path,
            params=self.params,
            data=self.body,
            headers=_content_type(self.body) | self.headers,
            auth=_ZohoAuth(token.access),
        )

    def read(self, response: requests.Response) -> bytes:
        """Read the body of an answer; that of a file goes to the disk."""
        if self.landing and self.landing.takes(response):
            self.landing.take(response)
            return b""
        if self.landing and response.status_code == 416:
            self.landing.again()
            raise BrokenOffError("there is nothing behind what came before")
        return b"".join(response.iter_content(READ_BYTES))


class _ZohoAuth(AuthBase):
    """Zoho's own word before the token, where the world says Bearer."""

    def __init__(self, access: Secret) -> None:
        self._access = access

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Zoho-oauthtoken {self._access.reveal()}"
        return request


def _session(adapter: BaseAdapter | None) -> requests.Session:
    """Open a session that keeps as many connections alive as Zoho allows in flight."""
    session = requests.Session()
    session.mount("https://", adapter or HTTPAdapter(pool_maxsize=MOST_IN_FLIGHT))
    session.mount("http://", adapter or LoopbackAdapter(pool_maxsize=MOST_IN_FLIGHT))
    return session


def _checked(path: str) -> str:
    """Refuse a path that would lead the token elsewhere, or hide what is asked."""
    plain = unquote(path)
    segments = plain.split("/")[1:]
    if (
        not plain.startswith("/")
        or any(segment in {"", ".", ".."} for segment in segments)
        or not plain.isprintable()
        or any(mark in plain for mark in "\\?#")
    ):
        raise ValueError(
            f"{path!r} is not a path such as '/crm/v8/Leads'; parameters go into params="
        )
    return path


def _checked_host(host: str) -> str:
    """Refuse a name that is not one of the addresses."""
    if host not in {"api", "upload"}:
        raise ValueError(f"host={host!r} is neither 'api' nor 'upload'")
    return host


def _body(json: Any, files: Sequence[File] | None) -> bytes | Multipart | None:
    """Make the body once: every try sends the same."""
    if files is None:
        return None if json is None else orjson.dumps(json)
    if json is not None:
        raise TypeError("A call has one body: json= or files=")
    return multipart(files)


def _content_type(body: bytes | Multipart | None) -> dict[str, str]:
    """Name the type of a body, when there is one."""
    if body is None:
        return {}
    return {"Content-Type": "application/json" if isinstance(body, bytes) else body.content_type}


def _as_zoho_writes(params: Mapping[str, Any]) -> dict[str, str]:
    """Write parameters as Zoho reads them: true and false in lower case, lists with commas."""
    return {name: _text(value) for name, value in params.items() if value is not None}


def _text(value: Any) -> str:
    """Write one parameter."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(_text(each) for each in value)
    return str(value)


def _is_taken(reply: Reply) -> bool:
    """Whether Zoho may have counted the call. UNCONFIRMED: that refusals at the door are free."""
    if isinstance(reply, Lost):
        return reply.sent
    return reply.status != 401 and not reply.is_throttled


# First match wins; requests derives some of these from others.
_LOSSES: tuple[tuple[type[requests.RequestException], str], ...] = (
    (lost.ConnectTimeout, "no connection in time"),
    (lost.ReadTimeout, "no answer in time"),
    (lost.ProxyError, "the proxy did not let it through"),
    (
        lost.SSLError,
        "the encrypted connection could not be made, or its certificate is not trusted",
    ),
    (lost.ChunkedEncodingError, "the answer broke off"),
    (BrokenOffError, "the file broke off"),
    (lost.ContentDecodingError, "the answer could not be decompressed"),
    (lost.ConnectionError, "the connection failed"),
)


def _lost(error: requests.RequestException) -> Lost:
    """Put a failure of the network into words of our own: its text may hold the whole address."""
    words = next((words for kind, words in _LOSSES if isinstance(error, kind)), "nothing came back")
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    never_left = isinstance(reason, (NewConnectionError, ConnectionRefusedError))
    return Lost(words, sent=not (never_left or isinstance(error, lost.ConnectTimeout)))


def _outcome(ask: _Ask, reply: Reply) -> bytes:
    """Return the body, or raise: there is no third outcome."""
    if isinstance(reply, Lost):
        failed = ConnectionFailed(
            f"{ask.name} got no usable answer.",
            f"What happened: {reply.words}.",
            "Check the network and any proxy, then run it again."
            if ask.safe or not reply.sent
            else "Nobody knows whether Zoho took it: look there before you send it again.",
        )
        failed.sent = reply.sent
        raise failed
    if reply.status < 300:
        return reply.body
    if reply.status == 304:
        return b""
    refused = api_error(reply.status, reply.said, request=ask.name, query=ask.query)
    if isinstance(refused, APIError):
        refused.body = reply.body
    raise refused


def _call(ask: _Ask, reply: Reply, tries: int, seconds: float) -> Call:
    """Describe a call that is over, without its secrets."""
    return Call(
        ask.method,
        ask.path,
        {name: mask(value) for name, value in ask.params.items()},
        query=ask.query,
        status=reply.status,
        attempts=tries,
        ms=seconds * 1000,
        bytes=_size(ask, reply),
        credits=ask.credits,
    )


def _size(ask: _Ask, reply: Reply) -> int:
    """Bytes of an answer's body, wherever it went."""
    if isinstance(reply, Lost):
        return 0
    return len(reply.body) or (ask.landing.size if ask.landing else 0)
