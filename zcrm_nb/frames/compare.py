"""Whether two values of a field are the same to the CRM, however each of them is written."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.frames.types import column_for

if TYPE_CHECKING:
    from zcrm_nb.coql.fields import Field

__all__ = ["comparable", "comparer", "keys_of", "matches", "shown", "writable"]

_ASCII = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def comparable(values: Sequence[Any], field: Field) -> list[Hashable]:
    """Turn JSON values of one field into what can be compared with ``==``.

    Examples
    --------
    >>> from zcrm_nb.frames.compare import comparable
    >>> when = {"api_name": "Due", "data_type": "datetime"}
    >>> a, b = comparable(["2026-03-31T10:00:00+05:30", "2026-03-31T04:30:00+00:00"], when)
    >>> a == b
    True
    """
    return list(map(comparer(field), values))


def comparer(field: Field) -> Callable[[Any], Hashable]:
    """Give the function that :func:`comparable` applies to each value."""
    kind = column_for(field).kind
    places = field.get("decimal_place")
    compared = _AS.get(kind, _other)
    if kind == "float" and places is not None:
        compared = partial(_number, places=int(places))
    return partial(_compared, compared)


def _compared(compared: Callable[[Any], Hashable], value: Any) -> Hashable:
    """Compare a value by its type; one that does not fit the type by its JSON."""
    try:
        return compared(value)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
        return _other(value)


def keys_of(values: Sequence[Any], field: Field, *, loosely: bool = False) -> list[Hashable]:
    """Turn values by which Zoho finds records into what can be compared with ``==``.

    Zoho ignores the case of ASCII letters, unless the field is unique with regard to case.
    ``loosely`` ignores the case of all letters.

    Examples
    --------
    >>> from zcrm_nb.frames.compare import keys_of
    >>> keys_of(["Straße 1", "STRASSE 1", None], {"api_name": "Street", "data_type": "text"})
    ['straße 1', 'strasse 1', None]
    """
    compared = comparable(values, field)
    unique = field.get("unique") or {}
    if unique.get("case_sensitive") or unique.get("casesensitive"):
        return compared
    fold = str.casefold if loosely else _folded
    return [fold(each) if isinstance(each, str) else each for each in compared]


def _folded(text: str) -> str:
    """Fold the case of ASCII letters."""
    return text.translate(_ASCII)


def matches(
    wanted: Mapping[str, Sequence[Any]],
    known: Mapping[str, Sequence[Any]],
    fields: Mapping[str, Field],
) -> list[list[int]]:
    """Find the positions of the known records that have the keys of each wanted one.

    Both hold the values of each key, by field. Records that differ from the wanted key in the case
    of a letter beyond ASCII count only where no other record has it.

    Examples
    --------
    >>> from zcrm_nb.frames.compare import matches
    >>> fields = {"Code": {"api_name": "Code", "data_type": "text"}}
    >>> matches({"Code": ["a1", "É2", None]}, {"Code": ["A1", "é2"]}, fields)
    [[0], [1], []]
    """
    strict, loose = (_positions(wanted, known, fields, loosely=each) for each in (False, True))
    return [one or other for one, other in zip(strict, loose, strict=True)]


def _positions(
    wanted: Mapping[str, Sequence[Any]],
    known: Mapping[str, Sequence[Any]],
    fields: Mapping[str, Field],
    *,
    loosely: bool,
) -> list[list[int]]:
    """Find the positions of equal keys; a key that lacks a part is equal to none."""
    positions: defaultdict[tuple[Hashable, ...], list[int]] = defaultdict(list)
    columns = [keys_of(known[name], fields[name], loosely=loosely) for name in wanted]
    for place, key in enumerate(zip(*columns, strict=True)):
        positions[key].append(place)
    columns = [keys_of(wanted[name], fields[name], loosely=loosely) for name in wanted]
    return [[] if None in key else positions.get(key, []) for key in zip(*columns, strict=True)]


def shown(values: Sequence[Any], field: Field) -> list[Any]:
    """Reduce JSON values of one field to what a person compares: ids of lookups, names of tags."""
    kind = column_for(field).kind
    if kind in {"lookup", "user"}:
        return [each.get("id") if isinstance(each, dict) else each for each in values]
    if kind == "tags":
        return [list(map(_tag, each)) if isinstance(each, list) else each for each in values]
    return list(values)


def _tag(value: Any) -> Any:
    """Take the name of a tag."""
    return value.get("name") if isinstance(value, dict) else value


def writable(value: Any, field: Field) -> Any:
    """Turn a value as Zoho returns it into one as Zoho accepts it."""
    kind = column_for(field).kind
    if kind in {"lookup", "user"} and isinstance(value, dict):
        return {key: value[key] for key in ("id", "module") if key in value}
    if kind == "tags" and isinstance(value, list):
        return [{"name": _tag(each)} for each in value]
    return value


def _text(value: Any) -> Hashable:
    """Take an empty text, and the form's -None-, for a missing value."""
    return None if value in (None, "", "-None-") else str(value)


def _number(value: Any, places: int | None = None) -> Hashable:
    """Compare a number to the decimal places that the field keeps."""
    if value in (None, ""):
        return None
    return float(value) if places is None else round(float(value), places)


def _integer(value: Any) -> Hashable:
    """Compare a whole number, which may come as text."""
    return None if value in (None, "") else int(value)


def _moment(value: Any) -> Hashable:
    """Compare moments, not their spelling."""
    return None if value in (None, "") else datetime.fromisoformat(str(value)).timestamp()


def _reference(value: Any) -> Hashable:
    """Compare the record that a lookup points to."""
    return str(value["id"]) if isinstance(value, Mapping) and value.get("id") else None


def _choices(value: Any, name: str = "") -> Hashable:
    """Compare the chosen values, in any order."""
    chosen = value.split(";") if isinstance(value, str) and value else value or []
    names = [each.get(name) if isinstance(each, Mapping) else each for each in chosen]
    return tuple(sorted(map(str, names)))


def _other(value: Any) -> Hashable:
    """Compare a value of no particular type by its JSON."""
    if value is None or (isinstance(value, list | str) and not value):
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return repr(value)


_AS: dict[str, Callable[[Any], Hashable]] = {
    **dict.fromkeys(("text", "picklist", "date"), _text),
    "multipicklist": _choices,
    "tags": partial(_choices, name="name"),
    "integer": _integer,
    "float": _number,
    "boolean": lambda value: value,
    "datetime": _moment,
    **dict.fromkeys(("lookup", "user"), _reference),
}
