"""What a kind of trouble is made of, and what all kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import orjson

from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.serving.http import Answer, Request

Payload: TypeAlias = dict[str, Any]
Instead: TypeAlias = Callable[[Chance, Request], Answer | None]
Alter: TypeAlias = Callable[[Chance, Request, Payload], None]


class Kind(NamedTuple):
    """One kind of trouble.

    ``instead`` answers in the place of the org, or gives None; ``alter`` changes a JSON response.
    """

    description: str
    instead: Instead | None = None
    alter: Alter | None = None


def refusal(status: int, code: str, message: str, **details: object) -> Answer:
    """Answer with an error object of Zoho's."""
    body = {"code": code, "details": details, "message": message, "status": "error"}
    return Answer(status, orjson.dumps(body))


def records(request: Request, payload: Payload) -> Iterator[dict[str, Any]]:
    """Give the records of a response that lists some."""
    reads = request.method == "GET" or request.path.endswith("/coql")
    if reads and request.path.startswith("/crm/v8/") and isinstance(payload.get("data"), list):
        yield from (each for each in payload["data"] if isinstance(each, dict))
