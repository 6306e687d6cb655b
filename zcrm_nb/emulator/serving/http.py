"""Requests taken apart, and answers before they are shaped for the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from wsgiref.types import WSGIEnvironment

import orjson

from zcrm_nb.emulator.serving.errors import Refusal

API_ORIGIN = "https://www.zohoapis.test"
UPLOAD_ORIGIN = "https://content.zohoapis.test"
CHUNK = 1 << 18
_PARAMETER = re.compile(rb';\s*(\w+)="((?:[^"\\]|\\.)*)"')


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
class AccessToken:
    """A token that opens the API for an hour."""

    text: str
    client_id: str
    user: int
    scopes: tuple[str, ...]
    expires: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart body; ``name`` is the file's name, empty for a plain value."""

    field: str
    name: str
    type: str
    content: bytes


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
        """Parse the body, or refuse what is not a JSON object."""
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Refusal(400, "INVALID_DATA", "body", {"expected_data_type": "jsonobject"})
        return parsed

    def form(self) -> dict[str, str]:
        """Parameters of the query string and of a form body together, in either encoding."""
        if parts := self.parts():
            sent = {part.field: part.content.decode("utf-8", "replace") for part in parts}
        else:
            sent = dict(parse_qsl(self.body.decode("utf-8", "replace")))
        return self.params | sent

    def parts(self) -> list[Part]:
        """Take a multipart body apart; none where the body is something else."""
        kind, _, rest = self.headers.get("Content-Type", "").partition(";")
        boundary = re.search(r'boundary="?([^";]+)', rest)
        if kind.strip().lower() != "multipart/form-data" or not boundary:
            return []
        return list(_parts(b"\r\n" + self.body, b"\r\n--" + boundary[1].encode()))


@dataclass(frozen=True, slots=True)
class Span:
    """Some bytes of a file, which go over the wire without being held in memory."""

    path: Path
    length: int
    start: int = 0

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes, a piece at a time."""
        left = self.length
        with self.path.open("rb") as file:
            file.seek(self.start)
            while left and (chunk := file.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, body and the headers that are not the same for all.

    A ``file`` is streamed in the place of the body.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    file: Span | None = None

    @property
    def length(self) -> int:
        """Bytes of the body or of the file."""
        return self.file.length if self.file else len(self.body)

    def chunks(self) -> Iterable[bytes]:
        """Give the body, or the file piece by piece."""
        return self.file.chunks() if self.file else [self.body]

    def halved(self) -> Answer:
        """Give the first half of the answer."""
        half = self.length // 2
        file = replace(self.file, length=half) if self.file else None
        return replace(self, body=self.body[:half], file=file)


def _parts(body: bytes, boundary: bytes) -> Iterator[Part]:
    """Cut a body at its boundaries; the last one is followed by two dashes."""
    start = body.find(boundary)
    while start >= 0:
        start += len(boundary)
        end = body.find(boundary, start)
        head_end = body.find(b"\r\n\r\n", start, end)
        if body[start : start + 2] == b"--" or end < 0 or head_end < 0:
            return
        yield _part(body[start:head_end], body[head_end + 4 : end])
        start = end


def _part(head: bytes, content: bytes) -> Part:
    """Read what stands above a part."""
    lines = dict(line.split(b":", 1) for line in head.strip().split(b"\r\n") if b":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in lines.items()}
    named = dict(_PARAMETER.findall(headers.get(b"content-disposition", b"")))
    return Part(
        named.get(b"name", b"").decode("utf-8", "replace"),
        unquote(named.get(b"filename", b"").decode("utf-8", "replace")),
        headers.get(b"content-type", b"application/octet-stream").decode("latin-1"),
        content,
    )


def json_answer(payload: object, status: int = 200) -> Answer:
    """Answer with JSON."""
    return Answer(status, orjson.dumps(payload))


NOTHING = Answer(204)
"""Zoho's answer when there is nothing to show."""


def read_request(environ: WSGIEnvironment) -> Request:
    """Take a WSGI environment apart."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace"),
        params=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=Headers(
            (name.removeprefix("HTTP_").replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        ),
        body=environ["wsgi.input"].read(length) if length else b"",
        origin=f"{environ['wsgi.url_scheme']}://{host}",
    )
