"""How a stored value looks on the wire, and back: the JSON types of Zoho's page "Fields Metadata".

A :class:`Shaped` field is the SQL that fetches it and the function that shows what came. Where REST
and COQL differ (a user's name) the style decides. Two facts are UNCONFIRMED and stand as the table
suggests: multi-select picklists are arrays in COQL too, and a bigint is a string in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import orjson

from zcrm_nb.emulator.storage.schema import DATA_TYPES, Field, Module

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from zcrm_nb.emulator.storage.store import Store

Style: TypeAlias = Literal["rest", "coql"]
Show: TypeAlias = Callable[..., object]

#: Kinds whose stored value is a JSON text.
JSON_KINDS = {name for name, kind in DATA_TYPES.items() if kind.json_type.startswith("json")} - {
    "multiselectpicklist", "lookup", "multi_module_lookup", "ownerlookup", "userlookup", "layout",
} | {"jsonarray"}  # fmt: skip
USER_KINDS = {"ownerlookup", "userlookup"}
#: How the refusal of a value names the type it expected, where that is not the JSON type.
EXPECTED = {
    "date": "date",
    "datetime": "datetime",
    "event_reminder": "datetime",
    "bigint": "bigint",
    "jsonarray": "jsonarray",
}
DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)")


def plain(value: object) -> object:
    """Show a value that is on the wire what it is in the store."""
    return value


@dataclass(frozen=True, slots=True)
class Shaped:
    """One field of an answer.

    ``show`` takes the values of ``expressions``, in their order, and gives the JSON value.
    """

    expressions: tuple[str, ...]
    show: Show = plain


def shape(field: Field, alias: str, style: Style, store: Store) -> Shaped:
    """Say how to fetch and show one field of the table called ``alias``."""
    column = f'"{alias}"."{field.api_name}"'
    if field.data_type == "layout":
        return _layout(field)
    if field.kind in USER_KINDS:
        return Shaped((column,), _people(style, store).get)
    if field.targets:
        return _polymorphic(field, alias, style, store)
    if field.target:
        names = store.schema.module(field.target)
        return Shaped((column, _name_of(names, column)), _reference)
    return Shaped((column,), _show(field.kind, store.zone))


def render(
    rows: Sequence[Sequence[object]], keys: Sequence[str], shaped: Sequence[Shaped]
) -> list[dict[str, object]]:
    """Show the rows of a query as records, sliced by the shapes whose expressions it selected.

    Works column by column, which is what makes a page of 2,000 records quick.
    """
    columns = list(zip(*rows, strict=True))
    shown: list[Iterable[object]] = []
    at = 0
    for each in shaped:
        values = columns[at : at + len(each.expressions)] if rows else []
        at += len(each.expressions)
        if each.show is plain:
            shown.append(values[0] if rows else ())
        else:
            shown.append(map(each.show, *values) if values else [each.show() for _ in rows])
    return [dict(zip(keys, record, strict=True)) for record in zip(*shown, strict=True)]


def nested(field: Field, module: Module, record_id: int, store: Store) -> list[dict[str, object]]:
    """Read the rows behind a subform, multi-select lookup or multi-user lookup of one record.

    Only an answer with a single record has them.
    """
    child = store.schema.modules[field.target or ""]
    parent = next(each for each in child.fields if each.target == module.api_name)
    linking = child.generated_type == "linking"
    listed = [each for each in child.fields if _listed(each, parent, linking=linking)]
    shaped = [shape(each, child.api_name, "rest", store) for each in listed]
    columns = ", ".join(sql for each in shaped for sql in each.expressions)
    rows = store.read(
        f'SELECT {columns} FROM "{child.api_name}" WHERE "{parent.api_name}" = ? ORDER BY id',
        (record_id,),
    )
    return render(rows, [each.api_name for each in listed], shaped)


def encode(field: Field, value: object) -> object:
    """Turn a JSON value into what the store keeps."""
    if value is None:
        return None
    try:
        return ENCODERS.get(field.kind, _text)(value)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        kind = DATA_TYPES.get(field.kind)
        raise ValueError(
            EXPECTED.get(field.kind) or (kind.json_type if kind else "string")
        ) from None


# -- showing -------------------------------------------------------------------------------------


def _show(kind: str, zone: ZoneInfo) -> Show:
    """Choose the function for values that need no other table."""
    if kind in {"datetime", "event_reminder"}:
        return lambda at: None if at is None else datetime.fromtimestamp(at, zone).isoformat()
    if kind in JSON_KINDS:
        empty: object = (
            [] if kind == "jsonarray" or DATA_TYPES[kind].json_type == "jsonarray" else None
        )
        return lambda text: empty if text is None else orjson.loads(text)
    return SHOWN.get(kind, plain)


SHOWN: dict[str, Show] = {
    "boolean": lambda value: None if value is None else bool(value),
    "bigint": lambda value: None if value is None else str(value),
    "multiselectpicklist": lambda text: text.split(";") if text else [],
}


def _reference(record_id: int | None, name: str | None) -> dict[str, object] | None:
    """Show a lookup."""
    return None if record_id is None else {"name": name, "id": str(record_id)}


def _name_of(module: Module, column: str) -> str:
    """Write the SQL for the name of the record whose id is in ``column``."""
    return f'(SELECT "{module.name_field}" FROM "{module.api_name}" WHERE id = {column})'


def _people(style: Style, store: Store) -> dict[int | None, dict[str, object]]:
    """Show each user; there are few, so one query serves all rows."""
    users = store.read("SELECT id, full_name, last_name, email FROM Users")
    if style == "coql":
        return {each: {"name": last, "id": str(each)} for each, _, last, _ in users}
    return {each: {"name": full, "id": str(each), "email": email} for each, full, _, email in users}


def _polymorphic(field: Field, alias: str, style: Style, store: Store) -> Shaped:
    """Shape a lookup to one of several modules; multi-module lookups say which."""
    column, module = f'"{alias}"."{field.api_name}"', f'"{alias}"."$se_module"'
    cases = " ".join(
        f"WHEN '{target}' THEN {_name_of(store.schema.module(target), column)}"
        for target in field.targets
    )
    expressions = (column, f"CASE {module} {cases} END")
    if field.data_type == "lookup":
        return Shaped(expressions, _reference)
    modules = {
        target: {"api_name": target, "id": str(store.schema.module(target).id)}
        for target in field.targets
    }

    def show(record_id: int | None, name: str | None, target: str) -> dict[str, object] | None:
        if record_id is None:
            return None
        shown: dict[str, object] = {"module": modules[target], "id": str(record_id)}
        return shown if style == "coql" else {"name": name, **shown}

    return Shaped((*expressions, module), show)


def _layout(field: Field) -> Shaped:
    """Shape the module's only layout; its id is the one after the module's own."""
    layout = {"name": "Standard", "display_label": "Standard", "id": str(layout_id(field.id))}
    return Shaped((), lambda: layout)


def layout_id(metadata_id: int) -> int:
    """Find the id of the layout, from that of the module or of any of its fields."""
    return metadata_id - metadata_id % 1_000_000 + 1


def _listed(field: Field, parent: Field, *, linking: bool) -> bool:
    """Whether a row inside its parent shows the field: a link shows only its far end."""
    if field.api_name in {"Created_By", "Modified_By"} or field.column is None:
        return False
    return not linking or field.api_name == "id" or (bool(field.target) and field != parent)


# -- encoding ------------------------------------------------------------------------------------


def _text(value: object) -> str:
    """Take text for text, and no number for one."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _boolean(value: object) -> int:
    """Take true or false, as in JSON."""
    if not isinstance(value, bool):
        raise TypeError(value)
    return int(value)


def _integer(value: object) -> int:
    """Take a whole number that SQLite can hold."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise TypeError(value)
    return value


def _bigint(value: object) -> int:
    """Take a whole number, or its digits."""
    return _integer(int(value) if isinstance(value, str) else value)


def _number(value: object) -> float:
    """Take any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(value)
    return float(value)


def _date(value: object) -> str:
    """Take YYYY-MM-DD and nothing else."""
    return date.fromisoformat(_of_length(value, 10)).isoformat()


def _of_length(value: object, length: int) -> str:
    """Take text of one length: ISO knows shorter spellings that Zoho does not."""
    if len(_text(value)) != length:
        raise ValueError(value)
    return _text(value)


def _datetime(value: object) -> int:
    """Take a moment with seconds and an offset, but no fractions of a second."""
    if not DATETIME.fullmatch(_text(value)):
        raise ValueError(value)
    return int(datetime.fromisoformat(_text(value)).timestamp())


def _choices(value: object) -> str:
    """Join a list of texts as COQL compares them."""
    if not isinstance(value, list):
        raise TypeError(value)
    return ";".join(map(_text, value))


def _record_id(value: object) -> int:
    """Take the id within ``{"id": "…"}``."""
    if not isinstance(value, dict):
        raise TypeError(value)
    return _bigint(value["id"])


def _json_list(value: object) -> str:
    """Keep a list as JSON text."""
    if not isinstance(value, list):
        raise TypeError(value)
    return orjson.dumps(value).decode()


def _json_object(value: object) -> str:
    """Keep an object as JSON text."""
    if not isinstance(value, dict):
        raise TypeError(value)
    return orjson.dumps(value).decode()


ENCODERS: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("double", "decimal", "currency", "percent"), _number),
    **dict.fromkeys(("datetime", "event_reminder"), _datetime),
    **dict.fromkeys(("lookup", "multi_module_lookup", "ownerlookup", "userlookup"), _record_id),
    **dict.fromkeys(("RRULE", "ALARM", "consent_lookup"), _json_object),
    **dict.fromkeys(
        ("jsonarray", "fileupload", "imageupload", "multireminder", "time_range", "linetax"),
        _json_list,
    ),
    "boolean": _boolean,
    "integer": _integer,
    "bigint": _bigint,
    "date": _date,
    "multiselectpicklist": _choices,
}
