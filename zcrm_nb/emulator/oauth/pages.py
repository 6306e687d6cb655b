"""The pages of the accounts server: consent, the device's code, and what went wrong.

They look like what they are, a stand-in on this machine, and like nothing of Zoho's. Whatever is
put into a page is escaped, unless it is HTML made here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from zcrm_nb.emulator.serving.http import Answer
from zcrm_nb.emulator.world import ADMIN, ORG

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.serving.accounts import Client
    from zcrm_nb.emulator.serving.scopes import Permission

HEADERS = {
    "Content-Type": "text/html;charset=UTF-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    # No form-action: a browser would apply it to the redirect that answers the form, too.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "frame-ancestors 'none'",
}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title · zcrm_nb emulator</title>
<style>$style</style>
</head>
<body>
<main>
<p class="banner"><strong>Local emulator</strong> Made-up data on this machine.
Nothing here reaches Zoho.</p>
<section class="card" aria-labelledby="title">
$body
</section>
</main>
</body>
</html>
"""
_CONSENT = """\
<p class="lead">A program asks for access</p>
<h1 id="title">Let <em>$client</em> use this CRM?</h1>
$user_code
<dl>
<div><dt>Signed in as</dt><dd>$name <small>$email</small></dd></div>
<div><dt>Organisation</dt><dd>$org</dd></div>
<div><dt>Environment</dt><dd>Production <small>of the emulator</small></dd></div>
<div><dt>Client ID</dt><dd><code>$client_id</code></dd></div>
</dl>
<h2 id="wants">It wants to</h2>
<ul class="scopes" aria-labelledby="wants">
$permissions
</ul>
<p class="note">$stays $then</p>
<form method="post" action="$action">
<input type="hidden" name="ticket" value="$ticket">
<button id="accept" class="main" name="answer" value="accept">Accept</button>
<button id="reject" name="answer" value="reject">Reject</button>
</form>"""
_PERMISSION = """\
<li><span>$words</span> <span class="tag$kind">$tag</span> <code>$scope</code></li>"""
_USER_CODE = """\
<p class="note">Your device should show this code:</p>
<p class="user-code"><output>$user_code</output></p>"""
_ENTER_CODE = """\
<p class="lead">A device asks for access</p>
<h1 id="title">Enter the code your device shows</h1>
$problem
<form method="get" action="$action" class="column">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" value="$wrong" required autofocus autocomplete="off"
autocapitalize="characters" spellcheck="false" placeholder="XXX-XX-XXX" aria-describedby="hint"
$invalid>
<p class="note" id="hint">Eight letters and digits. Dashes and capitals do not matter.</p>
<button id="continue" class="main">Continue</button>
</form>"""
_PROBLEM = """\
<p class="problem" id="problem" role="alert">No device is waiting with this code. Codes last five
minutes and work once.</p>"""
_MESSAGE = """\
<p class="lead">$lead</p>
<h1 id="title">$title</h1>
<p>$words</p>
$detail"""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


class Person(NamedTuple):
    """The person at the browser."""

    name: str
    email: str
    org: str


def page(content: Html, status: int = 200) -> Answer:
    """Answer with a page."""
    return Answer(status, content.encode(), dict(HEADERS))


def redirect(address: str) -> Answer:
    """Answer with a redirect."""
    return Answer(302, b"", HEADERS | {"Location": address})


def person(org: Org) -> Person:
    """Find the user of the org at the browser: the administrator."""
    sql = "SELECT full_name, email FROM Users WHERE id = ?"
    name, email = org.store.read(sql, (ADMIN,))[0]
    return Person(name, email, str(ORG["company_name"]))


def consent(
    who: Person,
    *,
    client: Client,
    permissions: Iterable[Permission],
    offline: bool,
    then: str,
    action: str,
    ticket: str,
    user_code: str = "",
) -> Html:
    """Ask a person whether to grant a client its scopes."""
    stays = (
        "It keeps this access until you take it back." if offline else "The access ends in an hour."
    )
    shown = _fill(_USER_CODE, user_code=user_code) if user_code else Html()
    body = _fill(
        _CONSENT,
        client=client.name,
        client_id=client.client_id,
        permissions=Html("\n".join(map(_permission, permissions))),
        stays=stays,
        then=then,
        action=action,
        ticket=ticket,
        user_code=shown,
        **who._asdict(),
    )
    return _whole(f"Access for {client.name}", body)


def enter_code(action: str, wrong: str = "") -> Html:
    """Ask for the code of a device; ``wrong`` is one that no device waits with."""
    problem = Html(_PROBLEM if wrong else "")
    invalid = Html('aria-invalid="true"' if wrong else "")
    body = _fill(_ENTER_CODE, action=action, wrong=wrong, problem=problem, invalid=invalid)
    return _whole("Enter the code", body)


def device_done(*, allowed: bool) -> Html:
    """Say that the answer was kept."""
    if allowed:
        return _message("Done", "Your device is connected", "It will notice within half a minute.")
    return _message("Done", "You said no", "The device gets no access.")


def expired() -> Html:
    """Say that a form was answered twice, or too late."""
    message = "It was answered already, or it was open too long. Start the login again."
    return _message("Nothing was changed", "This page is no longer valid", message)


def refusal(word: str, message: str, detail: str = "") -> Html:
    """Say why a request is not put to a person at all."""
    title = word.replace("_", " ").capitalize()
    return _message("The login cannot begin", title, message, detail)


def _message(lead: str, title: str, message: str, detail: str = "") -> Html:
    """Write a page that is only read."""
    given = _fill('<p class="note">Given: <code>$detail</code></p>', detail=detail)
    body = _fill(
        _MESSAGE, lead=lead, title=title, words=message, detail=given if detail else Html()
    )
    return _whole(title, body)


def _permission(each: Permission) -> Html:
    """Write one line of what a client wants."""
    kind, tag = ("", "reads only") if each.only_reads else (" changes", "changes data")
    return _fill(_PERMISSION, words=each.words, scope=each.scope, kind=kind, tag=tag)


def _whole(title: str, body: Html) -> Html:
    """Put the frame of every page around its body."""
    return _fill(_PAGE, title=title, body=body, style=_style())


@cache
def _style() -> Html:
    """Read the style sheet that stands inside every page."""
    return Html((files(__package__) / "page.css").read_text(encoding="utf-8"))


def _fill(template: str, **values: str) -> Html:
    """Fill a template; what is not HTML of ours is escaped."""
    safe = {
        name: value if isinstance(value, Html) else escape(value) for name, value in values.items()
    }
    return Html(Template(template).substitute(safe))
