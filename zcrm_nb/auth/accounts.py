"""Calls to Zoho Accounts, their replies, and its refusals in words.

Zoho bends OAuth 2.0 in four places, and each has its line here or in :mod:`zcrm_nb.auth.oauth`:
scopes are separated by commas in requests and by spaces in replies; a refusal comes as HTTP 200
with an ``error``; a reply may count ``expires_in`` in milliseconds; and the reply names the address
at which the token is good.

No secret leaves this module in an error: what requests and oauthlib raise would carry frames whose
local variables are the secrets, so errors leave without the frames below.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast
from urllib.parse import urlsplit

import orjson
import requests

from zcrm_nb.auth.transport import LoopbackAdapter, is_untrusted_certificate
from zcrm_nb.errors import ConnectionFailed, LoginError
from zcrm_nb.masking import Secret, mask, mask_body, quiet_oauth_logs, without_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests.adapters import BaseAdapter
    from requests_oauthlib import OAuth2Session

__all__ = [
    "TokenReply",
    "get",
    "json_object",
    "post",
    "read_token_reply",
    "refused",
    "token_by_code",
]

TIMEOUT_S = (10.0, 60.0)  # to connect, to wait for the answer

_WAIT = (
    "Wait 10 minutes and try once: Accounts makes 10 tokens in 10 minutes, and trying sooner makes "
    "the wait longer."
)
_ADVICE = {
    "invalid_code": "Log in again: the grant code is used up or older than some two minutes, or "
    "the refresh token was revoked, or pushed out by 20 newer ones.",
    "invalid_client": "Check the client id and the data centre (dc=): Accounts of another data "
    "centre does not know this client, unless multi-DC is switched on in the API console.",
    "invalid_client_secret": "Check the client secret; it may differ for each data centre.",
    "invalid_redirect_uri": "Register exactly this redirect URI for the client in the API console.",
    "access_denied": "The request was declined, or more than 10 codes were requested in 10 "
    "minutes: in that case wait 10 minutes.",
    "Access Denied": _WAIT,
    "invalid_grant": "Log in again: Accounts no longer accepts this grant.",
    "general_error": "Check client id, secret and data centre; if they are right, try again later.",
}


class TokenReply(TypedDict, total=False):
    """The token reply as Zoho Accounts documents it, and its refusals."""

    access_token: Secret
    refresh_token: Secret
    api_domain: str
    token_type: str
    scope: str
    expires_in: float
    expires_in_sec: float
    error: str
    error_description: str


class TokenFacts(NamedTuple):
    """What a token reply says, its secrets masked from the first moment."""

    access: Secret
    refresh: Secret | None
    life_s: float
    api_domain: str
    scopes: tuple[str, ...]


def token_by_code(
    code: Secret,
    *,
    client_id: str,
    client_secret: Secret,
    accounts_url: str,
    redirect_uri: str | None,
    code_verifier: Secret | None,
    adapter: BaseAdapter | None,
) -> TokenFacts:
    """Exchange a grant code, and read the reply before oauthlib does.

    The session knows no scopes: oauthlib would compare them with those of the reply, which Zoho
    writes in another way than in requests, and raise a warning as an error.
    """
    from requests_oauthlib import OAuth2Session  # noqa: PLC0415 - a saved login never needs it

    replies: list[TokenFacts] = []

    def read(response: requests.Response) -> requests.Response:
        replies.append(read_token_reply(response, client_secret))
        return response

    session = OAuth2Session(client_id, redirect_uri=redirect_uri)
    session.register_compliance_hook("access_token_response", read)
    with _opened(session, accounts_url, adapter):
        _guarded(
            lambda: session.fetch_token(
                _https(f"{accounts_url}/oauth/v2/token"),
                code=code.reveal(),
                code_verifier=code_verifier.reveal() if code_verifier else None,
                include_client_id=True,
                client_secret=client_secret.reveal() or None,
                timeout=TIMEOUT_S,
            ),
            accounts_url,
        )
    return replies[0]


def post(
    path: str,
    form: Mapping[str, str | Secret],
    *,
    accounts_url: str,
    adapter: BaseAdapter | None = None,
) -> requests.Response:
    """Send a form to Accounts."""
    with _opened(requests.Session(), accounts_url, adapter) as session:
        return cast(
            "requests.Response",
            _guarded(
                lambda: session.post(
                    _https(f"{accounts_url}{path}"),
                    data={
                        name: value.reveal() if isinstance(value, Secret) else value
                        for name, value in form.items()
                    },
                    timeout=TIMEOUT_S,
                ),
                accounts_url,
            ),
        )


def get(path: str, *, accounts_url: str, adapter: BaseAdapter | None = None) -> requests.Response:
    """Read an address of Accounts that needs no secret."""
    with _opened(requests.Session(), accounts_url, adapter) as session:
        url = _https(f"{accounts_url}{path}")
        response = _guarded(lambda: session.get(url, timeout=TIMEOUT_S), accounts_url)
    return cast("requests.Response", response)


@contextmanager
def _opened(
    session: requests.Session | OAuth2Session, accounts_url: str, adapter: BaseAdapter | None
) -> Iterator[requests.Session]:
    """Use a session for one call to Accounts; it would follow no redirect with a secret."""
    quiet_oauth_logs()
    with session:
        session.max_redirects = 0
        if adapter is not None:
            session.mount("https://", adapter)
        elif accounts_url.startswith("http://"):
            session.mount(_https(accounts_url), LoopbackAdapter())
        yield session


def _https(url: str) -> str:
    """Write an address on loopback as oauthlib wants to see it; LoopbackAdapter carries it."""
    return "https://" + url.partition("://")[2]


def _guarded(call: Callable[[], Any], accounts_url: str) -> Any:
    """Make a call, and let errors out without the frames in which secrets are local variables."""
    try:
        return call()
    except requests.RequestException as error:
        failure: BaseException = _not_reached(error, accounts_url)
    except ConnectionFailed as error:
        failure = error.with_traceback(None)
    except Exception as error:  # oauthlib's own errors, whose text may repeat the form
        ours = isinstance(error, LoginError)
        failure = without_frames(error) if ours else _failed(type(error).__name__, accounts_url)
    except BaseException as error:  # raised below, without frames that hold the form
        failure = without_frames(error)
    raise failure  # outside the handlers, so that nothing hangs on it as its context


def read_token_reply(response: requests.Response, *secrets: Secret) -> TokenFacts:
    """Tell a token from a refusal, whatever the HTTP status says."""
    reply = cast("TokenReply", json_object(response, *secrets))
    status = response.status_code
    if status == 429:
        raise _throttled("Zoho Accounts answered HTTP 429.")
    access = reply.get("access_token")
    if status >= 500 or isinstance(access, Secret) is ("error" in reply):  # both, or neither
        raise _failed(f"HTTP {status}", f"{response.url}", status)
    if not isinstance(access, Secret):
        raise refused(str(reply["error"]), reply.get("error_description"))
    refresh = reply.get("refresh_token")
    return TokenFacts(
        access,
        refresh if isinstance(refresh, Secret) else None,
        _life_s(reply, f"{response.url}"),
        str(reply.get("api_domain") or ""),
        tuple(str(reply.get("scope") or "").replace(",", " ").split()),
    )


def _life_s(reply: TokenReply, url: str) -> float:
    """Read how long a token lives; beside expires_in_sec, expires_in counts milliseconds."""
    life_s: object = reply.get("expires_in_sec") or reply.get("expires_in") or 3600
    try:
        return float(life_s)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise _failed("expires_in is not a number", url) from None


_MASKED = {"access_token", "refresh_token", "device_code", "id_token"}


def json_object(response: requests.Response, *secrets: Secret) -> dict[str, Any]:
    """Read the JSON object of a reply; empty where there is none."""
    try:
        body = orjson.loads(mask_body(response.content, *secrets, patterns=False))
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(body, dict):
        return {}
    masked: dict[str, Any] = {
        name: Secret(body[name]) for name in _MASKED & body.keys() if isinstance(body[name], str)
    }
    for name in ("error", "error_description"):  # they may repeat what was sent
        if body.get(name) is not None:
            masked[name] = mask(str(body[name]))
    return body | masked


def refused(error: str, more: object = None) -> LoginError:
    """Put a refusal of Accounts into words.

    Examples
    --------
    >>> from zcrm_nb.auth.accounts import refused
    >>> print(refused("invalid_client_secret"))
    Zoho Accounts refused the login.
    Zoho said invalid_client_secret.
    Check the client secret; it may differ for each data centre.
    """
    message = mask(f"Zoho said {error}: {more}" if more else f"Zoho said {error}.")
    if error == "Access Denied" or "too many requests" in str(more).lower():
        return _throttled(message)
    refusal = LoginError(
        "Zoho Accounts refused the login.",
        message,
        _ADVICE.get(error, "Check client id, client secret and data centre, then log in again."),
    )
    refusal.code = error
    return refusal


def _throttled(message: str) -> LoginError:
    """Say that waiting helps, and nothing else."""
    refusal = LoginError("Zoho Accounts makes no more tokens for now.", message, _WAIT)
    refusal.is_throttled = True
    return refusal


def _not_reached(error: requests.RequestException, accounts_url: str) -> ConnectionFailed:
    """Put a call that got no response into words."""
    failed = _failed(type(error).__name__, accounts_url)
    if is_untrusted_certificate(error):
        failed = ConnectionFailed(
            failed.happened,
            "What happened: its certificate is not trusted.",
            "Behind a proxy that inspects traffic, set REQUESTS_CA_BUNDLE to the file with your "
            "organisation's certificates, then run it again.",
        )
    else:
        failed.sent = False
    return failed


def _failed(what: str, accounts_url: str, status: int = 0) -> ConnectionFailed:
    """Put a reply that is neither a token nor a refusal into words."""
    todo = "Check the network, any proxy, and the data centre; then try again."
    if status >= 500:
        todo = "The trouble is at Zoho's end: wait 10 minutes, then try once."
    return ConnectionFailed(
        f"No usable answer came from Zoho Accounts at {urlsplit(accounts_url).netloc}.",
        f"What happened: {what}.",
        todo,
    )
