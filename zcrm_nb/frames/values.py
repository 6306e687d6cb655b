"""A value as JSON by the type of its field, whatever container it came in.

A cell has one form: 94109.0 in a float column, an object column, a dict or a subform is 94109, and
``"94109"`` in a text field. What a field cannot hold stays as it is, and ``validate`` names it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "ABSENT",
    "Absent",
    "all_writable",
    "digits",
    "id_values",
    "json_value",
    "json_values",
    "unwritable",
]

EXACT = 2**53  # beyond it, a float has lost digits
NO_ZONE = "the time has no zone; add one with .dt.tz_localize(…)"


class Absent:
    """What stands in a column for a record that does not have the key."""

    def __repr__(self) -> str:
        return "absent"

    def __len__(self) -> int:
        return 0  # as short as an empty text, so that lengths can be compared without looking


ABSENT = Absent()


def json_values(cells: pd.Series[Any] | Sequence[Any], kind: str = "") -> list[Any]:
    """Turn the cells of a column into JSON values of one kind of field.

    Examples
    --------
    >>> import pandas as pd
    >>> from zcrm_nb.frames.values import json_values
    >>> json_values(pd.Series([94109.0, None]), "text"), json_values(["1234.5"], "float")
    (['94109', None], [1234.5])
    """
    values = _plain_series(cells) if isinstance(cells, pd.Series) else list(map(_plain, cells))
    convert = _CONVERT.get(kind)
    if convert is None or _are_as_they_are(values, kind):
        return values
    return [value if value is ABSENT else convert(value) for value in values]


def json_value(value: Any, kind: str = "") -> Any:
    """Turn one value into the JSON of one kind of field."""
    return json_values([value], kind)[0]


def id_values(cells: pd.Series[Any] | Sequence[Any]) -> list[Any]:
    """Turn ids into text; a float that has lost digits stays a float, for validation to name."""
    values = json_values(cells)
    return list(map(_id, values)) if int in set(map(type, values)) else values


def digits(value: float | Decimal) -> str:
    """Write a number without an exponent.

    Examples
    --------
    >>> from zcrm_nb.frames.values import digits
    >>> digits(1e-9), digits(1.2044253e10)
    ('0.000000001', '12044253000')
    """
    text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
    return text.removesuffix(".0")


# ---- Plain Python values -------------------------------------------------------------------------


def _plain_series(series: pd.Series[Any]) -> list[Any]:
    """Make plain values, through Arrow: a call for a column instead of one for each cell."""
    if series.dtype == object:
        return [_plain(value) for value in series]
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, UnicodeError, OverflowError):  # periods, half characters, 10**30
        return [_plain(value) for value in series]
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type):
        return _times(array)
    if pa.types.is_floating(array.type):
        return _numbers(array)
    values: list[Any] = array.to_pylist()
    return values if _is_json(array.type) else [_plain(value) for value in values]


def _is_json(kind: pa.DataType) -> bool:
    """Return whether Arrow's Python values are JSON's."""
    return any(
        (
            pa.types.is_string(kind),
            pa.types.is_large_string(kind),
            pa.types.is_integer(kind),
            pa.types.is_boolean(kind),
            pa.types.is_null(kind),
        )
    )


def _times(array: pa.Array) -> list[Any]:
    """Write ISO datetimes in UTC; without a zone, midnights are dates and other times stay."""
    # Arrow keeps moments in UTC. Without the zone it need not be known: pyarrow 18 lacks "+05:30".
    seconds = moments = array.cast(pa.timestamp(array.type.unit))
    if array.type.unit != "s":  # a cast alone would round towards 1970
        seconds = pc.floor_temporal(moments, unit="second").cast(pa.timestamp("s"), safe=False)
    text = seconds.cast(pa.large_string())
    if array.type.tz is not None:
        joined = pc.utf8_replace_slice(text, 10, 11, "T")
        return pc.utf8_replace_slice(joined, 19, 19, "+00:00").to_pylist()  # type: ignore[no-any-return]
    if _all(pc.equal(array, pc.floor_temporal(array, unit="day"))):
        return pc.utf8_slice_codeunits(text, 0, 10).to_pylist()  # type: ignore[no-any-return]
    return [_plain(value) for value in array.to_pylist()]


def _numbers(array: pa.Array) -> list[Any]:
    """Give whole floats as integers, and others as they are."""
    whole = pc.and_(pc.equal(array, pc.trunc(array)), pc.less(pc.abs(array), float(EXACT)))
    if _all(whole):
        return array.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
    values: list[Any] = array.to_pylist()
    places = pc.indices_nonzero(whole)
    integers = array.take(places).cast(pa.int64()).to_pylist()
    for place, integer in zip(places.to_pylist(), integers, strict=True):
        values[place] = integer
    return values


def _all(truths: pa.Array) -> bool:
    """Return whether all of them are true; nulls do not count."""
    return bool(pc.all(truths, min_count=0).as_py())


def _whole(value: float) -> float | int:
    """Give a whole float as the integer it stands for, while that is exact."""
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _plain(value: Any) -> Any:
    """Write one Python object as JSON has it; leave what JSON does not have."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else _whole(float(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, _LISTS):
        return _listed(value)
    return None if _is_missing(value) else _scalar(value)


def _is_missing(value: Any) -> bool:
    """Return whether pandas takes a scalar for a missing value."""
    if isinstance(value, Decimal):
        return value.is_nan()
    missing = pd.isna(value)
    return isinstance(missing, bool) and missing


def _listed(value: Any) -> list[Any]:
    """Write a container as a list; the order of a set is that of its texts."""
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("records")
    plain = map(_plain, value)
    return sorted(plain, key=str) if isinstance(value, set | frozenset) else list(plain)


def _scalar(value: Any) -> Any:
    """Write one value that is neither missing nor a container."""
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, date):
        return _moment(value) if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, Decimal):
        return _decimal(value) if value.is_finite() else math.inf
    if isinstance(value, np.generic):
        plain = value.item()
        return _plain(plain) if isinstance(plain, str | int | float) else value
    return str.__str__(value) if isinstance(value, str) else value


_PLAIN = {str, int, bool, type(None), Absent}
_LISTS = (list, tuple, set, frozenset, np.ndarray, pd.Series, pd.Index, pd.DataFrame)


def _moment(value: datetime) -> Any:
    """Write a datetime in UTC and whole seconds, a midnight without a zone as a date."""
    if value.utcoffset() is None:
        midnight = value.time() == time(0) and not getattr(value, "nanosecond", 0)
        return value.date().isoformat() if midnight else value
    try:
        return value.astimezone(UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError):  # at the ends of the calendar
        return value


def _decimal(value: Decimal) -> float | int | str:
    """Write a decimal as the number with the same digits; as text if no float shows them."""
    if value.adjusted() > 400:  # not even a float is that large
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


# ---- By the kind of field ------------------------------------------------------------------------


def _id(value: Any) -> Any:
    """Write an id as text."""
    return str(value) if type(value) is int else value


def _text(value: Any) -> Any:
    """Write a number that stands for a text as text, unless digits are lost already."""
    if isinstance(value, bool | int):
        return str(value)
    return digits(value) if isinstance(value, float) and abs(value) < EXACT else value


def _choice(value: Any) -> Any:
    """Write the value of a picklist."""
    return None if value == "" else _text(value)


def _choices(value: Any) -> Any:
    """List the values of a multi-select, which may be joined by semicolons."""
    if isinstance(value, str):
        return [each.strip() for each in value.split(";") if each.strip()] or None
    if isinstance(value, list):
        return [_text(each) for each in value if each is not None]
    return value if value is None or isinstance(value, dict) else [_text(value)]


def _parsed(value: Any) -> Any:
    """Read the text of a number; leave any other text."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return (_decimal(Decimal(text)) if _NUMBER.fullmatch(text) else value) if text else None


def _float(value: Any) -> Any:
    """Write a number; a whole one that 64 bits do not hold as a float, where that is exact."""
    number = _parsed(value)
    if type(number) is int and not _SMALLEST <= number <= _LARGEST:
        return float(number) if abs(number) < _HUGE and int(float(number)) == number else number
    return number


def _boolean(value: Any) -> Any:
    """Read the words for truth values."""
    return _TRUTH.get(value.strip().lower(), value) if isinstance(value, str) else value


def _stripped(value: Any) -> Any:
    """Take an empty text for nothing."""
    return (value.strip() or None) if isinstance(value, str) else value


def _lookup(value: Any) -> Any:
    """Write a lookup by the id it points to."""
    if isinstance(value, dict) and "id" in value:
        return {**value, "id": _id(value["id"])} if value["id"] not in (None, "") else None
    return _stripped(value)


def _tags(value: Any) -> Any:
    """Make tags of their names; a missing value becomes an empty list, which Zoho requires."""
    if value in (None, ""):
        return []
    if not isinstance(value, list):
        return value
    return [{"name": each} if isinstance(each, str) else each for each in value if each is not None]


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_TRUTH = {"true": True, "false": False, "": None}
_SMALLEST, _LARGEST, _HUGE = -(2**63), 2**64 - 1, 10**300
_CONVERT: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "picklist": _choice,
    "multipicklist": _choices,
    "integer": _parsed,
    "float": _float,
    "boolean": _boolean,
    "date": _stripped,
    "datetime": _stripped,
    "lookup": _lookup,
    "user": _lookup,
    "tags": _tags,
    "object": lambda value: None if value == "" else value,
}
_NONE, _NO_KEY = type(None), Absent
_AS_THEY_ARE: dict[str, set[type]] = {
    "text": {str, _NONE, _NO_KEY},
    "picklist": {str, _NONE, _NO_KEY},
    "integer": {int, _NONE, _NO_KEY},
    "float": {float, int, _NONE, _NO_KEY},
    "boolean": {bool, _NONE, _NO_KEY},
    "date": {str, _NONE, _NO_KEY},
    "datetime": {str, _NONE, _NO_KEY},
}


def _are_as_they_are(values: list[Any], kind: str) -> bool:
    """Return at a glance whether no value of a column needs another form for its kind of field."""
    if not _AS_THEY_ARE.get(kind, set()).issuperset(map(type, values)):
        return False
    if kind == "float":
        whole = [value for value in values if type(value) is int]
        return not whole or (min(whole) >= _SMALLEST and max(whole) <= _LARGEST)
    if kind in {"date", "datetime"}:
        text = "".join(filter(None, values))
        return "" not in values and (not text or text.split() == [text])
    return kind != "picklist" or "" not in values


# ---- What cannot be sent -------------------------------------------------------------------------


def all_writable(
    values: Sequence[Any], types: set[type] | None = None, *, controls: bool = True
) -> bool:
    """Return at a glance whether ``unwritable`` has nothing to say of any value."""
    types = set(map(type, values)) if types is None else types
    if not types <= _JSON_TYPES:
        return False
    floats = [each for each in values if type(each) is float] if float in types else ()
    if not all(map(math.isfinite, floats)):
        return False
    try:
        text = orjson.dumps(values, default=_no_key, option=orjson.OPT_PASSTHROUGH_DATETIME)
        inner = []
        if types & {list, dict}:
            inner = [each for each in values if type(each) in (list, dict)]
        nested = orjson.dumps(inner, option=orjson.OPT_PASSTHROUGH_DATETIME) if inner else b""
    except TypeError:
        return False
    return not (controls and _ESCAPED.search(text)) and not (
        b"null" in nested or _NUMBER_AS_ID.search(nested)  # infinite numbers become null
    )


def _no_key(value: Any) -> None:
    """Let ``ABSENT`` pass."""
    if value is not ABSENT:
        raise TypeError


def unwritable(value: Any, *, controls: bool = True) -> str:
    """Say why a value cannot be sent as JSON; nothing if it can."""
    if value is None or value is ABSENT or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return _wrong_text(value, controls=controls)
    if isinstance(value, dict):
        inner = [*value, *value.values()]
        lost = isinstance(value.get("id"), float)
        return LOST_ID if lost else _first(inner, controls=controls)
    if isinstance(value, list):
        return _first(value, controls=controls)
    return _wrong_scalar(value)


def _first(values: Sequence[Any], *, controls: bool) -> str:
    """Say what is wrong with the first value that is."""
    return next(filter(None, (unwritable(each, controls=controls) for each in values)), "")


def _wrong_scalar(value: Any) -> str:
    """Say why a number, or an object, cannot be sent."""
    if isinstance(value, int):
        return "" if _SMALLEST <= value <= _LARGEST else "more digits than 64 bits hold"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "an infinite number"
    if isinstance(value, datetime):
        return NO_ZONE if value.utcoffset() is None else "a time that UTC does not have"
    return f"JSON has no form for {type(value).__name__}"


def _wrong_text(value: str, *, controls: bool) -> str:
    """Say which character of a text cannot be sent."""
    found = (_CONTROL if controls else _SURROGATE).search(value)
    if found is None:
        return ""
    what = "half of a character pair" if _SURROGATE.match(found[0]) else "a control character"
    return f"holds {what} (U+{ord(found[0]):04X}) at position {found.start()}"


LOST_ID = "ids are text; as a float, this one has lost its last digits"
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_ESCAPED = re.compile(rb"\\(?:u00|[bf])")
_NUMBER_AS_ID = re.compile(rb'"id":[-0-9]')
_JSON_TYPES = {str, int, float, bool, list, dict, _NONE, _NO_KEY}
