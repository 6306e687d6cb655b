"""From HTTP to a handler and back: requests, answers, and the order of the checks in between."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment

import orjson

from zcrm_nb.emulator.refusals import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator import Emulator
    from zcrm_nb.emulator.accounts import AccessToken
    from zcrm_nb.emulator.routes import Route

API_ORIGIN = "https://www.zohoapis.test"
UPLOAD_ORIGIN = "https://content.zohoapis.test"
BODILESS = (204, 304)

_log = logging.getLogger(__name__)


class Headers(Mapping[str, str]):
    """Request headers, found under their name in any case."""

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = {name.lower(): value for name, value in items}

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, taken apart.

    Parameters
    ----------
    method, path : str
        ``"GET"``, ``"/crm/v8/Leads"``.
    params : dict of str to str
        The query string; of a repeated name the last value.
    headers : Mapping
        Request headers; names count in any case.
    body : bytes
        The body as sent.
    origin : str
        Scheme and host that the request came to.
    token : AccessToken or None
        The access token it carried; set by the app once it was found valid.
    """

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=Headers)
    body: bytes = b""
    origin: str = API_ORIGIN
    token: AccessToken | None = None

    @property
    def user(self) -> int:
        """Id of the user whose token it carries."""
        assert self.token is not None, "only routes that need a token ask for the user"
        return self.token.user

    def json(self) -> dict[str, Any]:
        """Parse the body, or refuse what is no JSON object."""
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Refusal(400, "INVALID_DATA", "body", {"expected_data_type": "jsonobject"})
        return parsed

    def form(self) -> dict[str, str]:
        """Parameters of the query string and of a form body together."""
        return self.params | dict(parse_qsl(self.body.decode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, body and the headers that are not the same for all."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(payload: object, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(status, orjson.dumps(payload))


NOTHING = Answer(204)
"""Zoho's answer when there is nothing to show."""


class App:
    """The WSGI callable: every address of the emulator answers here.

    Parameters
    ----------
    org : Emulator
        The org it answers for.

    Notes
    -----
    The order of the checks is Zoho's as far as it shows from outside: the address, the token, its
    scopes, the limits; then faults made on purpose, then the handler.
    """

    def __init__(self, org: Emulator) -> None:
        self._org = org

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer one request, as PEP 3333 has it."""
        answer = self.answer(read_request(environ))
        described = {
            "Content-Type": "application/json;charset=UTF-8",
            "Content-Length": str(len(answer.body)),
        }
        headers = answer.headers if answer.status in BODILESS else described | answer.headers
        phrase = HTTPStatus(answer.status).phrase
        start_response(f"{answer.status} {phrase}", list(headers.items()))
        return [answer.body]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        try:
            route, names = self._org.router.find(request, self._org.settings)
            if route.needs_token:
                return self._guarded(route, names, request)
            return self._run(route, names, request)
        except Refusal as refusal:
            return refused(refusal)

    def _guarded(self, route: Route, names: dict[str, str], request: Request) -> Answer:
        """Check token, scopes and limits, then run the handler."""
        org = self._org
        token = org.accounts.check(request.headers.get("Authorization", ""))
        org.accounts.require(token, route.scopes, self._spellings(names))
        request = replace(request, token=token)
        with org.meter.call(route.price, request):
            answer = self._run(route, names, request)
        return replace(answer, headers=self._signals(token) | answer.headers)

    def _spellings(self, names: dict[str, str]) -> list[dict[str, str]]:
        """Spell what scopes may call a module: by its name, and custom ones ``custom``."""
        module = self._org.schema.modules.get(names.get("module", ""))
        custom = module is not None and module.generated_type != "default"
        return [names, {**names, "module": "custom"}] if custom else [names]

    def _run(self, route: Route, names: dict[str, str], request: Request) -> Answer:
        """Run the handler under the faults of the day; a bug of ours is Zoho's HTTP 500."""
        org = self._org
        if org.latency_ms:
            org.sleep(org.latency_ms / 1000)
        try:
            return org.faults.around(request, lambda: route.handler(org, request, **names))
        except Refusal as refusal:
            return refused(refusal, wrap=route.writes and org.settings.wrap_write_refusals)
        except ConnectionError:
            raise
        except Exception as error:
            _log.exception("The emulator failed on %s %s", request.method, request.path)
            details = {"emulator": f"{type(error).__name__}: {error}"}
            return refused(Refusal(500, "INTERNAL_ERROR", "Internal Server Error", details))

    def _signals(self, token: AccessToken) -> dict[str, str]:
        """Headers that tell a client what it has left."""
        reset = datetime.fromtimestamp(token.expires, self._org.store.zone)
        return {"X-ACCESSTOKEN-RESET": reset.isoformat()} | self._org.meter.signals()


def refused(refusal: Refusal, *, wrap: bool = False) -> Answer:
    """Shape a refusal; Zoho wraps some of those that a write gets."""
    return json_answer({"data": [refusal.body]} if wrap else refusal.body, refusal.status)


def read_request(environ: WSGIEnvironment) -> Request:
    """Take a WSGI environment apart."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
        params=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=Headers(
            (name[5:].replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ),
        body=environ["wsgi.input"].read(length) if length else b"",
        origin=f"{environ['wsgi.url_scheme']}://{host}",
    )
