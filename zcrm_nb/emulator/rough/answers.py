"""Failures of servers and gateways, and bodies of another kind."""

from __future__ import annotations

from urllib.parse import urlencode

from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.rough.kinds import Instead, Kind, refusal
from zcrm_nb.emulator.serving.http import Answer, Request

LONGEST_ADDRESS = 8_000
WAIT_S = 600
_HTML = {"Content-Type": "text/html;charset=UTF-8"}


def page(status: int) -> Answer:
    """Answer with the HTML page of a gateway."""
    text = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Answer(status, text.encode(), _HTML)


HICCUPS = {
    "429": (refusal(429, "TOO_MANY_REQUESTS", "too many requests"), "HTTP 429"),
    "500": (refusal(500, "INTERNAL_ERROR", "Internal Server Error"), "HTTP 500 INTERNAL_ERROR"),
    "502": (page(502), "HTTP 502 with an HTML page"),
    "503": (refusal(503, "SERVICE_UNAVAILABLE", "Service unavailable"), "HTTP 503"),
    "504": (page(504), "HTTP 504 with an HTML page"),
    **{str(n): (page(n), f"HTTP {n} of a content network, with HTML") for n in range(520, 525)},
    "html_under_200": (page(200), "an HTML page under HTTP 200"),
    "null_body": (Answer(200, b"null"), "the body `null` under HTTP 200"),
    "empty_body": (Answer(200), "no body under HTTP 200"),
    "error_under_200": (
        refusal(200, "INTERNAL_ERROR", "Internal Server Error"),
        "an error object under HTTP 200",
    ),
}
"""What a call of the API meets the first time, in the place of its answer."""


def hiccups(active: list[str]) -> Instead:
    """Answer the first of all calls that are the same with one of the active hiccups."""

    def instead(chance: Chance, request: Request) -> Answer | None:
        key = (request.method, request.path, tuple(sorted(request.params.items())), request.body)
        if request.path.startswith("/oauth/") or not chance.first_time("hiccup", *key):
            return None
        return HICCUPS[chance.pick(active, "hiccup", *key)][0]

    return instead


def _too_long(chance: Chance, request: Request) -> Answer | None:
    longest = len(request.path) + len(urlencode(request.params)) > LONGEST_ADDRESS
    return page(414) if longest else None


def _throttled(chance: Chance, request: Request) -> Answer | None:
    if request.path != "/oauth/v2/token":
        return None
    window = chance.now() // WAIT_S
    if chance.first_time("accounts_throttled", window):
        return None
    return chance.pick((page(429), _DENIED), "accounts_throttled", window)


_DENIED = Answer(
    400,
    b'{"error_description":"You have made too many requests continuously. Please try again after '
    b'some time.","error":"Access Denied","status":"failure"}',
)

KINDS = {
    **{name: Kind(f"{what}, once for each call") for name, (_, what) in HICCUPS.items()},
    "long_address": Kind(
        f"HTTP 414 with an HTML page for addresses of more than {LONGEST_ADDRESS:,} characters",
        _too_long,
    ),
    "accounts_throttled": Kind(
        "the accounts server makes one token in ten minutes and refuses all others", _throttled
    ),
}
