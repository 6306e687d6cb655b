"""Values in another dress than their field's.

What no JSON writer of ours would write (raw control characters, bad bytes, lone surrogates, numbers
beyond 64 bits) is written as a mark from Unicode's private use area, and put in at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

from zcrm_nb.emulator.rough.chance import Chance
from zcrm_nb.emulator.rough.kinds import Kind, Payload, records
from zcrm_nb.emulator.rough.metadata import contradicts
from zcrm_nb.emulator.serving.http import Request

SURROGATE, CONTROL, BAD_BYTE, NUMBER = "\ue800", "\ue801", "\ue802", "\ue803"
RAW = {SURROGATE: b"\\ud83d", CONTROL: b"\x0b", BAD_BYTE: b"\xff"}
_NUMBER = re.compile(f'"{NUMBER}(\\d+)"'.encode())
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*")
_LIKE_TIME = re.compile(r"\d{4}-\d\d-\d\d.*")

Change: TypeAlias = Callable[[Any], Any]


def finished(body: bytes) -> bytes:
    """Put in the place of each mark what it stands for."""
    for mark, raw in RAW.items():
        body = body.replace(mark.encode(), raw)
    return _NUMBER.sub(rb"\1", body)


def _of_numbers(change: Change) -> Change:
    return lambda value: (
        change(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    )


def _of_texts(change: Change) -> Change:
    return lambda value: (
        change(value) if isinstance(value, str) and not _LIKE_TIME.fullmatch(value) else value
    )


def _of_datetimes(change: Change) -> Change:
    return lambda value: (
        change(value) if isinstance(value, str) and _DATETIME.fullmatch(value) else value
    )


def _object(value: Any) -> Any:
    scalar = isinstance(value, str | int | float)
    return {"name": str(value), "id": "410888000000000001"} if scalar else value


def _cells(name: str, description: str, change: Change) -> tuple[str, Kind]:
    """Make a kind that changes one cell in five."""

    def alter(chance: Chance, request: Request, payload: Payload) -> None:
        for number, record in enumerate(records(request, payload)):
            for key, value in record.items():
                if key != "id" and chance.hits(5, name, record.get("id", number), key):
                    record[key] = change(value)

    return name, Kind(description, alter=alter)


def contradicted(chance: Chance, request: Request, payload: Payload) -> None:
    """Send objects in the fields whose metadata contradict themselves."""
    for record in records(request, payload):
        for key, value in record.items():
            if key != "id" and "(" not in key and contradicts(chance, key):
                record[key] = _object(value)


KINDS = dict(
    (
        _cells("numbers_as_text", "some numbers come as text", _of_numbers(str)),
        _cells("texts_as_numbers", "some texts come as numbers", _of_texts(len)),
        _cells("objects_in_scalars", "some texts and numbers come as objects", _object),
        _cells(
            "milliseconds",
            "some datetimes come in milliseconds since 1970",
            _of_datetimes(lambda text: int(datetime.fromisoformat(text).timestamp() * 1000)),
        ),
        _cells(
            "fractions_of_seconds",
            "some datetimes have fractions of a second",
            _of_datetimes(lambda text: f"{text[:19]}.678{text[19:]}"),
        ),
        _cells(
            "dates_in_datetimes",
            "some datetimes come as dates",
            _of_datetimes(lambda text: text[:10]),
        ),
        _cells(
            "control_characters",
            "some texts hold a raw control character, which JSON forbids",
            _of_texts(lambda text: f"{text}{CONTROL}"),
        ),
        _cells(
            "bad_bytes",
            "some texts hold a byte that is not UTF-8",
            _of_texts(lambda text: f"{text}{BAD_BYTE}"),
        ),
        _cells(
            "lone_surrogates",
            "some texts hold half a surrogate pair",
            _of_texts(lambda text: f"{text} {SURROGATE}"),
        ),
        _cells(
            "long_numbers",
            "some numbers have 20 digits",
            _of_numbers(lambda _: f"{NUMBER}98765432109876543210"),
        ),
        _cells(
            "dollars", "some texts hold dollar signs", _of_texts(lambda text: f"$5k - $10k {text}")
        ),
        _cells(
            "markup",
            "some texts hold HTML",
            _of_texts(lambda text: f"<script>alert(1)</script><b>{text}"),
        ),
        _cells("formulas", "some texts look like formulas", _of_texts(lambda text: f"=1+1 {text}")),
    )
)
