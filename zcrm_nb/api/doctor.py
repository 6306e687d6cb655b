"""What is wrong with a login, in words: one check after the other, and none of them raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.api.identity import who
from zcrm_nb.auth.data_centres import DATA_CENTRES, dc_of, environment_of, is_loopback
from zcrm_nb.auth.oauth import NoLogin, TokenSource
from zcrm_nb.auth.renewal import TOKENS_IN_WINDOW, WINDOW_S
from zcrm_nb.auth.scopes import WANTS, lacking
from zcrm_nb.errors import LoginError, ZohoError
from zcrm_nb.frames import Column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.auth.oauth import Token
    from zcrm_nb.wire.gate import Gate

__all__ = ["COLUMNS", "Check", "examine"]

COLUMNS = [Column("check", "text"), Column("result", "text"), Column("advice", "text")]
CLOCK_S = 120.0  # an error of the clock that does no harm


class Check(NamedTuple):
    """One thing that was looked at."""

    check: str  # what was looked at
    result: str  # begins with ``ok``, ``problem``, ``not granted`` or ``not known``
    advice: str = ""  # what to do, when there is something to do


def examine(gate: Gate, renewed_at: tuple[float, ...] = (), profile: str = "") -> Iterator[Check]:
    """Look at a login from all sides.

    Notes
    -----
    2 credits, and an access token if none is at hand.

    Examples
    --------
    >>> import zcrm_nb
    >>> crm = zcrm_nb.emulate()
    >>> crm.doctor()["check"].tolist()[:4]
    ['login', 'clock', 'tokens', 'access token']
    >>> crm.close()
    """
    tokens = gate.tokens
    if isinstance(tokens, NoLogin):
        yield _login_missing(tokens)
        return
    yield Check("login", f"ok: client {tokens.grant.client_id}, with offline access")
    yield _clock(tokens)
    yield _quota(tokens, renewed_at)
    try:
        token = tokens.token()
    except ZohoError as error:
        yield Check("access token", _trouble(error), error.todo)
        return
    ends = datetime.fromtimestamp(token.expires_at, UTC)
    yield Check("access token", f"ok: until {ends:%H:%M} UTC, then renewed by itself")
    yield _centre(gate, tokens, token)
    yield _user(gate)
    yield from _scopes(token, profile)
    yield _credits(gate.ledger.remaining)


def _login_missing(tokens: NoLogin) -> Check:
    """Say what is missing, in the words of the error that a call would raise."""
    try:
        tokens.token()
    except LoginError as error:
        return Check("login", _trouble(error), error.todo)
    raise AssertionError("NoLogin gave a token")


def _trouble(error: ZohoError) -> str:
    """Put an error into one line."""
    return "problem: " + " ".join(filter(None, (error.happened, error.said)))


def _clock(tokens: TokenSource) -> Check:
    """Compare this machine's clock with that of Zoho Accounts."""
    try:
        ahead_s = tokens.clock_ahead_s()
    except ZohoError as error:
        return Check("clock", f"not known: {error.happened}", error.todo)
    if ahead_s is None:
        return Check("clock", "not known: the server does not send its time")
    if abs(ahead_s) <= CLOCK_S:
        return Check("clock", "ok")
    way = "ahead of" if ahead_s > 0 else "behind"
    return Check(
        "clock",
        f"problem: this machine is {abs(ahead_s) / 60:.0f} min {way} Zoho",
        "Set the clock of this machine: by it, tokens end too early or too late.",
    )


def _quota(tokens: TokenSource, renewed_at: tuple[float, ...]) -> Check:
    """Count the access tokens of the last ten minutes."""
    made = sum(0 <= tokens.now() - at < WINDOW_S for at in renewed_at)
    words = f"{made} of {TOKENS_IN_WINDOW} in 10 minutes"
    if made < TOKENS_IN_WINDOW:
        return Check("tokens", f"ok: {words}")
    return Check(
        "tokens",
        f"problem: {words}",
        "Wait 10 minutes. If it comes again, something refuses good tokens: look at data centre "
        "and environment, and whether other programs use this login without the profile.",
    )


def _centre(gate: Gate, tokens: TokenSource, token: Token) -> Check:
    """Compare the data centre of the login with that of the API."""
    accounts, api = tokens.grant.accounts_url, token.api_domain or gate.addresses.api_domain
    login, good = dc_of(accounts), dc_of(api)
    if login is None or good is None:
        here = "this machine" if is_loopback(api) else api
        return Check("data centre", f"ok: {here}, named in connect()")
    environment = environment_of(gate.addresses.api_domain)
    if login == good:
        return Check("data centre", f"ok: {login} ({DATA_CENTRES[login].place}), {environment}")
    return Check(
        "data centre",
        f"problem: the login is at {login}, its token is good at {good}",
        f"Log in again with dc={good!r}.",
    )


def _user(gate: Gate) -> Check:
    """Make a call: the proof."""
    try:
        return Check("user", f"ok: {who(gate.send)}")
    except LoginError as error:
        return Check(
            "user",
            _trouble(error),
            "The token is good at Zoho Accounts but not at this API: it belongs to another data "
            "centre or environment. Log in again and choose the right ones.",
        )
    except ZohoError as error:
        return Check("user", _trouble(error), error.todo)


def _scopes(token: Token, profile: str) -> Iterator[Check]:
    """Check for each purpose whether the login has the scopes."""
    named = f"{profile!r}, " if profile else ""
    for name, want in WANTS.items():
        lacks = lacking(name, token.scopes)
        if not token.scopes:
            yield Check(want.label, "not known: Zoho did not send the scopes")
        elif not lacks:
            yield Check(want.label, "ok")
        else:
            yield Check(
                want.label,
                f"not granted: lacks {', '.join(lacks)}",
                f"If you want to: zcrm_nb.login({named}force=True, scopes=[…, {name!r}]).",
            )


def _credits(left: int | None) -> Check:
    """Check what is left of the day's credits."""
    if left is None:
        return Check("credits", "not known: Zoho sends it once half of the day's are spent")
    if left > 0:
        return Check("credits", f"ok: {left:,} left")
    return Check("credits", "problem: none left", "Wait: what was spent 24 hours ago comes back.")
