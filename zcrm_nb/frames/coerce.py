"""Values that do not fit their field's type: mended where their meaning is plain, else an error.

Zoho's own metadata is wrong now and then, and older API versions write things differently. What
is mended loses nothing: 5.0 is 5, "true" is true, a bare id is a lookup. What cannot be mended
stops the table, by name and value, because a null in its place would be a silent loss. An empty
text where no text belongs is null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import pyarrow as pa

from zcrm_nb.errors import ZohoError
from zcrm_nb.frames.types import DECIMAL, Column

__all__ = ["salvage"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, pa.ArrowException)


def salvage(values: list[Any], column: Column, arrow: pa.DataType) -> pa.Array:
    """Mend the values of a column one by one."""
    mend = _decimal if arrow == DECIMAL else _MEND[column.kind]
    try:
        return pa.array([None if v is None else mend(v) for v in values], arrow)
    except _FAULTS:
        _blame(values, column, mend, arrow)


def _blame(values: list[Any], column: Column, mend: Callable[[Any], Any], arrow: Any) -> NoReturn:
    """Name the first value that cannot be mended."""
    for value in values:
        try:
            pa.array([None if value is None else mend(value)], arrow)
        except _FAULTS as fault:
            raise ZohoError(
                f"The column {column.name!r} holds a value that is no {column.kind}.",
                f"Zoho sent {value!r}.",
                f'Read it as it came: Column({column.name!r}, "object").',
            ) from fault
    raise AssertionError(f"each value of {column.name!r} fits, but not all together")


def _text(value: Any) -> str | None:
    """Keep text, write anything else as its JSON; half an emoji becomes a replacement character."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, Decimal):
        return str(value)
    return None if value is None else json.dumps(value, ensure_ascii=False, default=float)


def _integer(value: Any) -> int | None:
    """Read a whole number in any dress: 5, "5", 5.0."""
    number = _decimal(value)
    if number is not None and number != int(number):
        raise ValueError("not whole")
    return None if number is None else int(number)


def _decimal(value: Any) -> Decimal | None:
    """Read a number exactly; for a float that is its shortest text, which is what JSON had."""
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    return Decimal(str(value)) if value != "" else None


def _float(value: Any) -> float | None:
    """Read a number, or the text of one."""
    number = _decimal(value)
    return None if number is None else float(number)


def _boolean(value: Any) -> bool | None:
    """Read a truth value, or the word for it: "false" is false."""
    return {"true": True, "false": False, "": None}[str(value).lower()]


def _date(value: Any) -> date | None:
    """Read a day; a time of day beside it would be lost, and so is an error."""
    return None if value == "" else date.fromisoformat(str(value))


def _datetime(value: Any) -> int | None:
    """Count seconds since 1970; a time without offset or with a fraction is an error."""
    if value == "":
        return None
    seconds, rest = divmod(datetime.fromisoformat(str(value)) - _EPOCH, timedelta(seconds=1))
    if rest:
        raise ValueError("a fraction of a second")
    return seconds


def _lookup(value: Any) -> dict[str, str | None] | None:
    """Read a lookup object, or only its id, as API v2 has it, or only its name."""
    if isinstance(value, dict):
        return {"name": _text(value.get("name")), "id": _text(value.get("id"))}
    if isinstance(value, bool | list):
        raise TypeError("no lookup")
    text = _text(value) or None
    return text and ({"id": text} if text.isdecimal() else {"name": text})


def _choices(value: Any) -> list[str | None]:
    """Read a list, or its texts joined by semicolons."""
    if isinstance(value, str):
        return _choices(value.split(";") if value else [])
    if not isinstance(value, list):
        raise TypeError("no list")
    return [_text(each) for each in value]


def _tags(value: Any) -> list[str | None]:
    """Read the names of tags, given as objects or as texts."""
    if not isinstance(value, list):
        raise TypeError("no list")
    return [_text(each.get("name") if isinstance(each, dict) else each) for each in value]


_MEND: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "picklist": _text,
    "multipicklist": _choices,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "lookup": _lookup,
    "user": _lookup,
    "tags": _tags,
}
