"""Values that do not fit their field's type: converted where their meaning is plain.

Zoho's own metadata are wrong now and then, and older API versions write things differently. What is
converted loses nothing: 5.0 is 5, "true" is true, a bare id is a lookup. An empty text where no
text belongs is null. What cannot be converted is a misfit: ``errors=`` decides what becomes of it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from zcrm_nb.errors import DataWarning, ZohoError, levels_up
from zcrm_nb.frames.types import DECIMAL, Column

__all__ = ["Errors", "Misfits", "coerce"]

Errors: TypeAlias = Literal["keep", "raise", "coerce"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAULTS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    pa.ArrowException,
)
_COLUMNS_NAMED = 5
_LONGEST_INTEGER = 19  # digits; int(Decimal("1e999999999")) would take all memory
_ADVICE = (
    "Use errors='keep' or errors='coerce', or as_is=[{name}] to read the field as Zoho sent it."
)
_VALUE_LENGTH = 200  # characters of a value that a message shows


class Misfits:
    """The values of a table that do not fit their column: by column, then by row."""

    def __init__(self, errors: Errors = "raise", advice: str = _ADVICE) -> None:
        if errors not in {"keep", "raise", "coerce"}:
            raise ValueError(f"errors must be 'keep', 'raise' or 'coerce', not {errors!r}.")
        self.errors, self._advice = errors, advice
        self.rows = 0  # that precede the page being read
        self.values: dict[str, dict[int, Any]] = {}
        self._kinds: dict[str, str] = {}

    def add(self, column: Column, row: int, value: Any) -> None:
        """Note a value, or raise."""
        self._kinds[column.name] = column.kind
        if self.errors == "raise":
            raise ZohoError(
                f"{column.name}: a value is not a valid {column.kind} (row {row + self.rows}).",
                f"Zoho sent {_shown(value)}.",
                self._advice.format(name=repr(column.name)),
            )
        self.values.setdefault(column.name, {})[row + self.rows] = value

    def warn(self) -> None:
        """Name columns, rows and values in one warning."""
        if not self.values:
            return
        lines = [self._line(name, rows) for name, rows in self.values.items()]
        if len(lines) > _COLUMNS_NAMED:
            lines[_COLUMNS_NAMED:] = [f"… and {len(lines) - _COLUMNS_NAMED} more columns"]
        kept = "they are kept as they came, in columns of Python objects"
        warnings.warn(
            "\n".join(["Some values do not fit the type of their field:", *lines])
            + f"\n{kept if self.errors == 'keep' else 'they are missing in the table'}. "
            "See errors= ('keep', 'coerce', 'raise') and as_is=[…].",
            DataWarning,
            stacklevel=levels_up(),
        )

    def _line(self, name: str, rows: dict[int, Any]) -> str:
        """Describe the misfits of one column by the first of them."""
        row, value = next(iter(rows.items()))
        others = f" ({len(rows) - 1:,} more)" if len(rows) > 1 else ""
        return f"{name}, row {row}: {_shown(value)} is not a valid {self._kinds[name]}{others}"


def _shown(value: Any) -> str:
    """Show a value, shortened."""
    text = repr(value)
    return text if len(text) <= _VALUE_LENGTH else f"{text[:_VALUE_LENGTH]}…"


def coerce(values: list[Any], column: Column, arrow: pa.DataType, misfits: Misfits) -> pa.Array:
    """Convert the values of a column one by one; misfits are null in the array."""
    convert = _decimal if arrow == DECIMAL else _CONVERT[column.kind]
    try:
        return pa.array([None if v is None else convert(v) for v in values], arrow)
    except _FAULTS:
        pass
    converted = []
    for row, value in enumerate(values):
        try:
            converted += pa.array([None if value is None else convert(value)], arrow).to_pylist()
        except _FAULTS:
            misfits.add(column, row, value)
            converted.append(None)
    return pa.array(converted, arrow)


def _text(value: Any) -> str | None:
    """Keep text, write anything else as its JSON; half an emoji becomes a replacement character."""
    if value is None or isinstance(value, Decimal):
        return None if value is None else str(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=float)
    return re.sub("[\ud800-\udfff]", "\ufffd", value)


def _integer(value: Any) -> int | None:
    """Read a whole number in any form: 5, "5", 5.0."""
    number = _decimal(value)
    if number is None:
        return None
    if not number.is_finite() or number.adjusted() > _LONGEST_INTEGER or number != int(number):
        raise ValueError("not a whole number of 64 bits")
    return int(number)


def _decimal(value: Any) -> Decimal | None:
    """Read a number exactly; for a float that is its shortest text, which is what JSON had."""
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    text = str(value).strip()
    return Decimal(text) if text else None


def _float(value: Any) -> float | None:
    """Read a number, or the text of one."""
    number = _decimal(value)
    return None if number is None else float(number)


def _boolean(value: Any) -> bool | None:
    """Read a truth value, or the word for it: "false" is false."""
    return {"true": True, "false": False, "": None}[str(value).strip().lower()]


def _date(value: Any) -> date | None:
    """Read a day; a time of day beside it would be lost, and so is an error."""
    text = str(value).strip()
    return date.fromisoformat(text) if text else None


def _datetime(value: Any) -> int | None:
    """Count seconds since 1970; a time without offset or with a fraction is an error."""
    text = str(value).strip()
    if not text:
        return None
    seconds, rest = divmod(datetime.fromisoformat(text) - _EPOCH, timedelta(seconds=1))
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


_CONVERT: dict[str, Callable[[Any], Any]] = {
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
