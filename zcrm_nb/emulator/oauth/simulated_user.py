"""A person at a browser, for lessons and tests without one: opens a page, presses a button."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from zcrm_nb.emulator.serving.http import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.emulator.serving.http import Answer

    Send = Callable[[Request], Answer]


class NoFormError(ValueError):
    """The page has no form to answer; the message is its text."""


@dataclass
class _Form(HTMLParser):
    """What a browser knows of a page: its words, its form and the buttons of the form."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, hidden fields and buttons."""
        attributes = {name: value or "" for name, value in attrs}
        self.inside = tag
        if tag == "form":
            self.action = attributes["action"]
        elif tag == "input":
            self.fields[attributes["name"]] = attributes["value"]
        elif tag == "button" and "value" in attributes:
            self.buttons[attributes["id"]] = (attributes["name"], attributes["value"])

    def handle_data(self, data: str) -> None:
        """Note the words a person reads."""
        if self.inside not in ("style", "title"):
            self.words += data.split()


def press(send: Send, url: str, button: str) -> str:
    """Open a page and press a button."""
    answer = _visit(send, "GET", url)
    if answer.status == 302:
        return answer.headers["Location"]
    form = _read(answer)
    if button not in form.buttons:
        raise NoFormError(" ".join(form.words))
    filled = urlencode([*form.fields.items(), form.buttons[button]]).encode()
    answer = _visit(send, "POST", urljoin(url, form.action), filled)
    if answer.status == 400:
        raise NoFormError(" ".join(_read(answer).words))
    return answer.headers.get("Location", "")


def _visit(send: Send, method: str, url: str, body: bytes = b"") -> Answer:
    """Send what a browser would send."""
    parts = urlsplit(url)
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    origin = f"{parts.scheme}://{parts.netloc}"
    return send(Request(method, parts.path, params, body=body, origin=origin))


def _read(answer: Answer) -> _Form:
    """Read a page."""
    form = _Form()
    form.feed(answer.body.decode())
    return form
