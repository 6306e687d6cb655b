"""From HTTP to a handler and back, and the order of the checks in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIEnvironment

from zcrm_nb.emulator.bulk.jobs import BulkOrg
from zcrm_nb.emulator.deferred_jobs import DeferredJobs
from zcrm_nb.emulator.records.external_ids import translated
from zcrm_nb.emulator.rough.rough import Rough
from zcrm_nb.emulator.routes import Router
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.faults import Faults
from zcrm_nb.emulator.serving.http import (
    AccessToken,
    Answer,
    Request,
    json_answer,
    read_request,
)

if TYPE_CHECKING:
    from zcrm_nb.emulator.serving.route import Route

BODILESS = (204, 304)
PHRASES = {status.value: status.phrase for status in HTTPStatus}

CLOSED = Refusal(410, "EMULATOR_CLOSED", "This emulator is closed. Start another one.")

_log = logging.getLogger(__name__)


class App:
    """The WSGI callable: every address of the emulator answers here.

    The order of the checks is Zoho's as far as it shows from outside: the address, the token, its
    scopes, the limits; then faults made on purpose, then the handler.
    """

    def __init__(
        self,
        org: BulkOrg,
        deferred_jobs: DeferredJobs,
        faults: Faults,
        *,
        latency_ms: float,
        sleep: Callable[[float], None],
        rough: Rough | None = None,
    ) -> None:
        self._org, self._deferred_jobs, self._faults = org, deferred_jobs, faults
        self.latency_ms, self._sleep, self.rough = latency_ms, sleep, rough
        self.router = Router()
        self.closed = False
        org.dispatch = self.inside

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as PEP 3333 has it."""
        answer = self.answer(read_request(environ))
        described = {
            "Content-Type": "application/json;charset=UTF-8",
            "Content-Length": str(answer.length),
        }
        headers = answer.headers if answer.status in BODILESS else described | answer.headers
        phrase = PHRASES.get(answer.status, "Unknown")
        start_response(f"{answer.status} {phrase}", list(headers.items()))
        return answer.chunks()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if self.closed:
            return refused(CLOSED)
        if self.rough:
            return self.rough.around(request, lambda: self._answer(request))
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        """Answer one request as a polite org does."""
        try:
            route, names = self.router.find(request, self._org.settings)
            if route.needs_token:
                return self._guarded(route, names, request)
            return self._run(route, names, request)
        except Refusal as refusal:
            return refused(refusal)

    def inside(self, request: Request) -> Answer:
        """Answer a request that came inside another one: its token is known, its price paid."""
        org = self._org
        try:
            route, names = self.router.find(request, org.settings)
            if route.needs_token and request.token:
                org.accounts.require(request.token, route.scopes, self._spellings(names))
            return self._run(route, names, request)
        except Refusal as refusal:
            return refused(refusal)

    def _guarded(self, route: Route, names: dict[str, str], request: Request) -> Answer:
        """Check token, scopes and limits, then run the handler."""
        org = self._org
        token = org.accounts.check(request.headers.get("Authorization", ""))
        org.accounts.require(token, route.scopes, self._spellings(names))
        request = replace(request, token=token)
        self._deferred_jobs.settle()
        org.jobs.settle()
        with org.meter.call(route.price, request):
            answer = self._run(route, names, request)
        date = {"Date": formatdate(org.clock.now(), usegmt=True)}
        return replace(answer, headers=date | self._signals(token) | answer.headers)

    def _spellings(self, names: dict[str, str]) -> list[dict[str, str]]:
        """Spell what scopes may call a module: by its name, and custom ones ``custom``."""
        module = self._org.schema.modules.get(names.get("module", ""))
        custom = module is not None and module.generated_type != "default"
        return [names, {**names, "module": "custom"}] if custom else [names]

    def _run(self, route: Route, names: dict[str, str], request: Request) -> Answer:
        """Run the handler under the faults of the day; a bug of ours is Zoho's HTTP 500."""
        org = self._org
        if self.latency_ms:
            self._sleep(self.latency_ms / 1000)
        try:
            if route.needs_token:
                route.check(request.params, org.settings)
                self._spare_trackers(route, names)
            return self._faults.around(
                request, lambda: translated(org, request, names, route.handler)
            )
        except Refusal as refusal:
            return refused(refusal, wrap=route.writes and org.settings.wrap_write_refusals)
        except ConnectionError:
            raise
        except Exception as error:  # logged; a bug of ours is Zoho's HTTP 500
            _log.exception("The emulator failed on %s %s", request.method, request.path)
            details = {"emulator": f"{type(error).__name__}: {error}"}
            return refused(Refusal(500, "INTERNAL_ERROR", "Internal Server Error", details))

    def _spare_trackers(self, route: Route, names: dict[str, str]) -> None:
        """Refuse to write, and to search, the histories that Zoho itself keeps."""
        org = self._org
        module = org.schema.modules.get(names.get("module", ""))
        searches = route.path.endswith("/search") and not org.settings.relations.search_trackers
        reads = all(scope.endswith(".READ") for scope in route.scopes)
        if module is not None and module.tracker and (searches or not reads):
            raise Refusal(403, "NO_PERMISSION", "permission denied", {"permissions": []})

    def _signals(self, token: AccessToken) -> dict[str, str]:
        """Headers with the remaining life of the token and the remaining credits."""
        reset = datetime.fromtimestamp(token.expires, self._org.store.zone)
        return {"X-ACCESSTOKEN-RESET": reset.isoformat()} | self._org.meter.signals()


def refused(refusal: Refusal, *, wrap: bool = False) -> Answer:
    """Shape a refusal; Zoho wraps some of those that a write gets."""
    return json_answer({"data": [refusal.body]} if wrap else refusal.body, refusal.status)
