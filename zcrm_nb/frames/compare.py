"""Whether two values of a field are the same to the CRM, however each of them is written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from zcrm_nb.frames.types import column_for

__all__ = ["comparable", "comparer", "shown", "writable"]


def comparable(values: Sequence[Any], field: Mapping[str, Any]) -> list[Hashable]:
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


def comparer(field: Mapping[str, Any]) -> Callable[[Any], Hashable]:
    """Give what :func:`comparable` does to each value, for whoever has them one by one."""
    kind = column_for(dict(field)).kind
    places = field.get("decimal_place")
    if kind == "float" and places is not None:
        return partial(_number, places=int(places))
    return _AS.get(kind, _other)


def shown(values: Sequence[Any], field: Mapping[str, Any]) -> list[Any]:
    """Reduce JSON values of one field to what a person compares: ids of lookups, names of tags."""
    kind = column_for(dict(field)).kind
    if kind in {"lookup", "user"}:
        return [each.get("id") if isinstance(each, dict) else each for each in values]
    if kind == "tags":
        return [list(map(_tag, each)) if isinstance(each, list) else each for each in values]
    return list(values)


def _tag(value: Any) -> Any:
    """Take the name of a tag."""
    return value.get("name") if isinstance(value, dict) else value


def writable(value: Any, field: Mapping[str, Any]) -> Any:
    """Turn a value as Zoho tells it into one as Zoho takes it."""
    kind = column_for(dict(field)).kind
    if kind in {"lookup", "user"} and isinstance(value, dict):
        return {key: value[key] for key in ("id", "module") if key in value}
    if kind == "tags" and isinstance(value, list):
        return [{"name": each["name"]} for each in value]
    return value


def _text(value: Any) -> Hashable:
    """Take an empty text, and the form's word for nothing, for nothing."""
    return None if value in (None, "", "-None-") else str(value)


def _number(value: Any, places: int | None = None) -> Hashable:
    """Compare a number as far as the field keeps its places."""
    if value in (None, ""):
        return None
    return float(value) if places is None else round(float(value), places)


def _integer(value: Any) -> Hashable:
    """Compare a whole number, in digits or not."""
    return None if value in (None, "") else int(value)


def _moment(value: Any) -> Hashable:
    """Compare moments, not their spelling."""
    return None if value in (None, "") else datetime.fromisoformat(str(value)).timestamp()


def _reference(value: Any) -> Hashable:
    """Compare the record that a lookup points to."""
    return str(value["id"]) if isinstance(value, Mapping) and value.get("id") else None


def _choices(value: Any, name: str = "") -> Hashable:
    """Compare what is chosen, in whatever order."""
    chosen = value.split(";") if isinstance(value, str) and value else value or []
    names = [each.get(name) if isinstance(each, Mapping) else each for each in chosen]
    return tuple(sorted(map(str, names)))


def _other(value: Any) -> Hashable:
    """Compare what has no type of its own by its JSON."""
    return None if value in (None, [], "") else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


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
