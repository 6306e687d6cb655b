"""Query parameters and headers, read the way Zoho reads them, and refused the way it refuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from zcrm_nb.emulator.serving.errors import Refusal

if TYPE_CHECKING:
    from zcrm_nb.emulator.serving.http import Request

PER_PAGE = 200
ID = re.compile(r"[0-9]{1,19}")
LARGEST = (1 << 63) - 1  # that sqlite keeps as an integer


def whole_number(request: Request, name: str, default: int, most: int | None = None) -> int:
    """Read a positive number, or refuse with ``PATTERN_NOT_MATCHED``."""
    text = request.params.get(name)
    if text is None:
        return default
    number = int(text) if ID.fullmatch(text) else 0
    if not 1 <= number <= (most or LARGEST):
        raise not_matched(name)
    return number


def is_id(text: str) -> bool:
    """Whether a text can be the id of a record."""
    return ID.fullmatch(text) is not None and int(text) <= LARGEST


def one_of(request: Request, name: str, supported: Sequence[str], default: str) -> str:
    """Read one of several words, or refuse with ``INVALID_DATA`` and the supported ones."""
    word = request.params.get(name, default)
    if word not in supported:
        details = {"param_name": name, "supported_values": list(supported)}
        raise Refusal(400, "INVALID_DATA", "invalid data", details)
    return word


def names(request: Request, name: str) -> list[str]:
    """Read a comma-separated list; empty when it is not given."""
    return [each.strip() for each in request.params.get(name, "").split(",") if each.strip()]


def ids(request: Request, name: str = "ids") -> list[int]:
    """Read a comma-separated list of record ids, or refuse with ``INVALID_DATA``."""
    texts = names(request, name)
    if not all(is_id(each) for each in texts):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": name})
    return [int(each) for each in texts]


def record_id(text: str) -> int:
    """Read the record id of an address, or refuse with ``INVALID_DATA``."""
    if not is_id(text):
        message = "the id given seems to be invalid"
        raise Refusal(400, "INVALID_DATA", message, {"resource_path_index": 1})
    return int(text)


def moment(request: Request, header: str, *, http_date: bool = True) -> int | None:
    """Read a header with a moment in it as epoch seconds, or refuse what cannot be read."""
    text = request.headers.get(header)
    if text is None:
        return None
    read = read_moment(text, http_date=http_date)
    if read is None:
        raise not_matched(header)
    return read


def read_moment(text: str, *, http_date: bool = False) -> int | None:
    """Read a moment as epoch seconds; ``None`` where it cannot be read or lacks a zone."""
    try:
        read: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        read = _http_date(text) if http_date else None
    return None if read is None or read.tzinfo is None else int(read.timestamp())


def _http_date(text: str) -> datetime | None:
    """Read ``Tue, 15 Sep 2026 03:30:00 GMT``."""
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


def missing(name: str) -> Refusal:
    """Refuse a call that lacks a parameter."""
    details = {"param_name": name}
    return Refusal(400, "REQUIRED_PARAM_MISSING", "required param is missing", details)


def not_matched(name: str) -> Refusal:
    """Refuse a parameter whose value has the wrong form."""
    message = "Please check whether the input values are correct"
    return Refusal(400, "PATTERN_NOT_MATCHED", message, {"param_name": name})


def ambiguous(*params: str) -> Refusal:
    """Refuse parameters that exclude each other."""
    message = f"Please use either {' or '.join(params)}. Combination of both is not allowed"
    details = {"ambiguity_due_to": [{"param_name": each} for each in params]}
    return Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, details)
