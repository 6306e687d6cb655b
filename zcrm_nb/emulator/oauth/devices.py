"""The device flow: a code on one screen, the yes on another. Zoho's own, not that of RFC 8628.

The device asks for a code and shows it; a person enters it in a browser anywhere; meanwhile the
device polls, at most once in 30 seconds. Tokens of this flow begin with 1004.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zcrm_nb.emulator.oauth import pages
from zcrm_nb.emulator.oauth.consent import Declined, permissions, refresh_token_due
from zcrm_nb.emulator.oauth.data_centres import api_domain, is_home
from zcrm_nb.emulator.oauth.form_tokens import FormTokens
from zcrm_nb.emulator.org import Org
from zcrm_nb.emulator.serving.accounts import DEVICE, AccountsError
from zcrm_nb.emulator.serving.http import Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import Route
from zcrm_nb.emulator.serving.scopes import Permission
from zcrm_nb.emulator.world import ADMIN

if TYPE_CHECKING:
    from zcrm_nb.emulator.clock import Clock

PAGE = "/oauth/v3/device"
LIFE_S = 300
USER_CODE = (3, 2, 3)  # letters in each group
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another one


@dataclass(slots=True)
class Device:
    """One device flow. ``allowed`` is what the person said; ``polled`` the last poll by origin."""

    code: str
    user_code: str
    client_id: str
    permissions: tuple[Permission, ...]
    offline: bool
    prompt: bool
    expires: int
    allowed: bool | None = None
    polled: dict[str, int] = field(default_factory=dict)

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes as they were asked for."""
        return tuple(each.scope for each in self.permissions)


class DeviceOrg(Org):
    """An org with its device flows."""

    devices: Devices


class Devices:
    """The device flows of one emulator."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._random = random.Random(f"devices of {seed}")  # noqa: S311 - repeatable, guards nothing
        self._lock = threading.Lock()
        self._flows: dict[str, Device] = {}
        self.tickets: FormTokens[Device] = FormTokens(clock)

    def begin(
        self,
        code: str,
        client_id: str,
        permissions: tuple[Permission, ...],
        *,
        offline: bool,
        prompt: bool,
    ) -> Device:
        """Begin a flow."""
        with self._lock:
            groups = ("".join(self._random.choices(LETTERS, k=size)) for size in USER_CODE)
            expires = self._clock.now() + LIFE_S
            flow = Device(code, "-".join(groups), client_id, permissions, offline, prompt, expires)
            self._flows[code] = flow
            return flow

    def waiting(self, user_code: str) -> Device | None:
        """Find the flow that waits for a person, however they write its code."""
        code = _bare(user_code)
        with self._lock:
            fits = [each for each in self._flows.values() if _bare(each.user_code) == code]
        return next((each for each in fits if each.allowed is None and not self.over(each)), None)

    def over(self, flow: Device) -> bool:
        """Whether a flow's time is up."""
        return flow.expires <= self._clock.now()

    def poll(self, code: str, client_id: str, origin: str, interval_s: int) -> tuple[str, Device]:
        """Note a poll; give the state of the flow, in Zoho's word or ``"allowed"``."""
        now = self._clock.now()
        with self._lock:
            flow = self._flows[code]
            if flow.client_id != client_id:
                raise KeyError(code)
            too_soon = now - flow.polled.get(origin, now - interval_s) < interval_s
            flow.polled[origin] = now
            if self.over(flow):
                return "expired", flow
            if too_soon:
                return "slow_down", flow
            if flow.allowed is None:
                return "authorization_pending", flow
            return "allowed" if flow.allowed else "access_denied", flow

    def answer(self, flow: Device, *, allowed: bool) -> bool:
        """Keep what the person said, if nothing was said yet and there is time."""
        with self._lock:
            if flow.allowed is not None or self.over(flow):
                return False
            flow.allowed = allowed
            return True

    def end(self, flow: Device) -> bool:
        """Forget a flow that has its tokens; only one poll gets to do it."""
        with self._lock:
            return self._flows.pop(flow.code, None) is not None


def post_device_code(org: DeviceOrg, request: Request) -> Answer:
    """``POST /oauth/v3/device/code``: begin a flow. The client's secret is not asked for."""
    given = request.form()
    try:
        _grant_type(given, "device_request")
        client = org.accounts.registered(given.get("client_id", ""))
        scopes = permissions(org, given.get("scope", ""))
    except _NoGrantType:
        return Answer(400, b"", {"Content-Type": "text/plain"})
    except AccountsError as error:
        return json_answer(error.body, error.http_status)
    except Declined:
        return json_answer({"error": org.settings.device_unknown_scope})
    flow = org.devices.begin(
        org.accounts.new_text(DEVICE),
        client.client_id,
        scopes,
        offline=given.get("access_type") == "offline",
        prompt=given.get("prompt") == "consent",
    )
    return json_answer(_begun(org, request, flow))


def post_device_token(org: DeviceOrg, request: Request) -> Answer:
    """``POST /oauth/v3/device/token``: poll a flow."""
    given = request.form()
    try:
        _grant_type(given, "device_token")
        client = org.accounts.client(given.get("client_id", ""), given.get("client_secret", ""))
        return _polled(org, request, given.get("code", ""), client.client_id)
    except _NoGrantType:
        return Answer(400, b"", {"Content-Type": "text/plain"})
    except AccountsError as error:
        return json_answer(error.body, error.http_status)
    except KeyError:
        return json_answer({"error": org.settings.device_unknown_code})


def get_device(org: DeviceOrg, request: Request) -> Answer:
    """``GET /oauth/v3/device``: ask for the code, then whether to allow what it stands for."""
    user_code = request.params.get("user_code", "")
    if not user_code:
        return pages.page(pages.enter_code(PAGE))
    flow = org.devices.waiting(user_code)
    if flow is None:
        return pages.page(pages.enter_code(PAGE, wrong=user_code), 400)
    return pages.page(
        pages.consent(
            pages.person(org),
            client=org.accounts.registered(flow.client_id),
            permissions=flow.permissions,
            offline=flow.offline,
            then="Allow this only if your device shows the very same code.",
            action=PAGE,
            ticket=org.devices.tickets.issue(flow),
            user_code=flow.user_code,
        )
    )


def post_device(org: DeviceOrg, request: Request) -> Answer:
    """``POST /oauth/v3/device``: keep the person's answer for the next poll."""
    form = request.form()
    flow = org.devices.tickets.take(form.get("ticket", ""))
    allowed = form.get("answer") == "accept"
    if flow is None or not org.devices.answer(flow, allowed=allowed):
        return pages.page(pages.expired(), 400)
    return pages.page(pages.device_done(allowed=allowed))


class _NoGrantType(Exception):  # noqa: N818 - what is the matter
    """A call without grant_type, which Zoho answers with a plain 400."""


def _grant_type(given: Mapping[str, str], expected: str) -> None:
    """Check that the step of the flow is named."""
    if not given.get("grant_type"):
        raise _NoGrantType
    if given["grant_type"] != expected:
        raise AccountsError("invalid_client")


def _begun(org: DeviceOrg, request: Request, flow: Device) -> dict[str, object]:
    """Write the response that begins a flow."""
    unit = 1000 if org.settings.device_times_in_ms else 1
    page = f"{request.origin}{PAGE}"
    return {
        "user_code": flow.user_code,
        "device_code": flow.code,
        "verification_url": page,
        "verification_uri_complete": f"{page}?user_code={flow.user_code}",
        "interval": org.settings.device_interval_s * unit,
        "expires_in": LIFE_S * unit,
    }


def _polled(org: DeviceOrg, request: Request, code: str, client_id: str) -> Answer:
    """Answer a poll: how the flow stands, or its tokens."""
    location = org.settings.location
    word, flow = org.devices.poll(code, client_id, request.origin, org.settings.device_interval_s)
    if word != "allowed":
        return json_answer({"error": word}, org.settings.device_feedback_status)
    if not is_home(request.origin, location):
        elsewhere = {"error": "other_dc", "user_location": location}
        return json_answer(elsewhere, org.settings.device_feedback_status)
    if not org.devices.end(flow):
        raise KeyError(code)
    reply = _tokens(org, flow)
    return json_answer(reply | {"api_domain": api_domain(request.origin, location)})


def _tokens(org: DeviceOrg, flow: Device) -> dict[str, object]:
    """Give the tokens of a flow that was allowed."""
    due = refresh_token_due(org, flow.client_id, offline=flow.offline, prompt=flow.prompt)
    org.accounts.remember_consent(flow.client_id, ADMIN, flow.scopes, offline=flow.offline)
    return org.accounts.first_tokens(flow.client_id, ADMIN, flow.scopes, offline=due, prefix=DEVICE)


def _bare(user_code: str) -> str:
    """Fold what people write differently in a code."""
    return "".join(filter(str.isalnum, user_code)).upper()


ROUTES = (
    Route(
        "POST",
        "/oauth/v3/device/code",
        post_device_code,
        "begin a device flow: device code and user code",
        needs_token=False,
    ),
    Route(
        "GET",
        "/oauth/v3/device",
        get_device,
        "the page to enter a user code, and to approve or refuse what it stands for",
        needs_token=False,
    ),
    Route("POST", "/oauth/v3/device", post_device, "its answer", needs_token=False),
    Route(
        "POST",
        "/oauth/v3/device/token",
        post_device_token,
        "poll a device flow: authorization_pending, slow_down, other_dc, access_denied, expired",
        needs_token=False,
    ),
)
