"""What Zoho would refuse, found before it is sent: values compared with field metadata.

Only what is certain is checked: types, lengths, lists of choices, mandatory fields, the form of
ids, e-mail addresses, numbers and times, and whether JSON can carry a value. Whether a lookup
points to a record, or a value exists already, only Zoho can tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import pandas as pd

from zcrm_nb.coql.fields import Field
from zcrm_nb.errors import ShortTraceback, did_you_mean
from zcrm_nb.frames.types import column_for
from zcrm_nb.frames.values import ABSENT, LOST_ID, Absent, all_writable, unwritable

__all__ = [
    "InvalidDataError",
    "Problem",
    "check_columns",
    "check_names",
    "check_values",
    "is_writable",
    "refuse",
]

SHOWN = 10  # problems in a message; the error has them all
TAG_LENGTH = 25
_COMPUTED = {"formula", "rollup_summary", "autonumber"}
_LOOKUPS = {"lookup", "user"}


class Problem(NamedTuple):
    """A value that Zoho would refuse; ``row`` is a position, or ``None`` for the whole column."""

    row: int | None
    column: str
    value: Any
    problem: str


class InvalidDataError(ShortTraceback, ValueError):
    """A table that Zoho would refuse; nothing was sent.

    Attributes
    ----------
    problems : pandas.DataFrame
        Columns ``row`` (a label of the index, missing for a whole column), ``column``, ``value``
        and ``problem``.
    """

    problems: pd.DataFrame


def refuse(problems: Sequence[Problem], subject: str, index: pd.Index[Any]) -> None:
    """Raise an error that lists problems as a small table; do nothing if there are none."""
    if not problems:
        return
    rows = [[None if p.row is None else index[p.row], *p[1:]] for p in problems]
    table = pd.DataFrame(rows, columns=["row", "column", "value", "problem"], dtype=object)
    few = table.head(SHOWN)
    few = few.assign(row=few["row"].where(few["row"].notna(), ""))
    few["value"] = [_short(value) for value in few["value"]]
    more = f"\n… and {len(problems) - SHOWN:,} more; the error's .problems has all of them."
    error = InvalidDataError(
        f"Nothing was sent: {len(problems):,} {'problem' if len(problems) == 1 else 'problems'} in"
        f" this {subject}.\n{few.to_string(index=False, max_colwidth=100)}"
        + (more if len(problems) > SHOWN else "")
    )
    error.problems = table
    raise error


def _short(value: Any) -> str:
    """Show the beginning of a value, without what a terminal cannot print."""
    text = "" if value is None else ascii(value) if unwritable(value) else repr(value)
    return text if len(text) <= 30 else f"{text[:29]}…"


# ---- Columns -------------------------------------------------------------------------------------


def is_writable(field: Field, action: str) -> bool:
    """Return whether the API can write a field, in an insert or in an update."""
    allowed = field.get("operation_type") or {}
    keys = {"insert": ["api_create"], "update": ["api_update"]}.get(action, [*allowed])
    return (
        field.get("data_type") not in _COMPUTED
        and not field.get("field_read_only")
        and not field.get("read_only")
        and (not allowed or any(allowed.get(key, True) for key in keys))
    )


def check_names(names: Iterable[Any]) -> list[Problem]:
    """Find column names that are not text, as ``read_csv(header=None)`` and pivots make them."""
    words = "the column name is not text but {}; rename it to a field"
    return [
        Problem(None, str(name), None, words.format(type(name).__name__))
        for name in names
        if not isinstance(name, str)
    ]


def check_columns(
    names: Iterable[str],
    fields: Mapping[str, Field],
    action: str,
    *,
    passed_over: Iterable[str] = (),
) -> Iterator[Problem]:
    """Find the columns that cannot be written, before their values are looked at."""
    names = list(names)
    for name in names:
        if name in passed_over or name[:1] == "$":  # such as $append_values and $se_module
            continue
        if name.endswith(".module") and name.removesuffix(".module") in fields:
            continue  # of a lookup to several modules, as reading adds it
        problem = _wrong_column(name, fields, action)
        if problem and f"{name}.id" not in names:
            yield Problem(None, name, None, problem)


def _wrong_column(name: str, fields: Mapping[str, Field], action: str) -> str:
    """Say what is wrong with one column; nothing if it can be written."""
    if name == "id":
        return "Zoho gives a new record its id; leave the column out" if action == "insert" else ""
    own = name.removesuffix(".id")
    field = fields.get(own)
    if field is None:
        if own.partition(".")[0] in fields:
            return "a field of another record: write it there"
        return f"unknown field: no such field in this module. {did_you_mean(own, fields)}".rstrip()
    if own != name and column_for(field).kind not in _LOOKUPS:
        return f"{own} is not a lookup: it has no id"
    return "" if is_writable(field, action) else "read-only: Zoho fills it; leave the column out"


# ---- Values --------------------------------------------------------------------------------------


def check_values(
    data: Mapping[str, Sequence[Any]],
    fields: Mapping[str, Field],
    action: str,
    *,
    subforms: Mapping[str, Mapping[str, Field]] | None = None,
    unlisted: bool = False,
) -> Iterator[Problem]:
    """Find the values that Zoho would refuse."""
    if action == "insert":
        for name, known in fields.items():
            if _is_mandatory(known) and name not in data and is_writable(known, action):
                yield Problem(None, name, None, "mandatory, but the column is missing")
    for name, values in data.items():
        field = Field(api_name="id", data_type="id") if name == "id" else fields.get(name)
        unsendable = {} if all_writable(values) else _unsendable(values)
        for row, problem in unsendable.items():
            yield Problem(row, name, values[row], problem)
        if field is None:
            continue
        if field.get("data_type") == "subform":
            yield from _subform(name, values, (subforms or {}).get(name, {}), unlisted)
        else:
            for each in _column(name, values, field, action, unlisted):
                if each.row not in unsendable:
                    yield each


def _unsendable(values: Sequence[Any]) -> dict[int, str]:
    """Find the values that JSON cannot carry, or that hold control characters."""
    problems = ((row, unwritable(value)) for row, value in enumerate(values))
    return {row: problem for row, problem in problems if problem}


def _is_mandatory(field: Field) -> bool:
    """Return whether every record needs the field."""
    return bool(field.get("system_mandatory"))


def _column(
    name: str, values: Sequence[Any], field: Field, action: str, unlisted: bool
) -> Iterator[Problem]:
    """Check one column: at a glance, and value by value only where something is wrong."""
    needed = _is_mandatory(field)
    if needed and (None in values or "" in values or (action == "insert" and ABSENT in values)):
        for row, value in enumerate(values):
            if value in (None, "") or (value is ABSENT and action == "insert"):
                yield Problem(row, name, None, "mandatory")
    rule = _rule(field, unlisted)
    if rule is None or rule.glance(values):
        return
    for row, value in enumerate(values):
        if value is not None and value is not ABSENT and value != "":
            problem = rule.wrong(value)
            if problem:
                yield Problem(row, name, value, problem)


def _subform(
    name: str, values: Sequence[Any], fields: Mapping[str, Field], unlisted: bool
) -> Iterator[Problem]:
    """Check the rows of a subform as records are; a problem stands in the row of its record."""
    parents: dict[str, list[int]] = {"insert": [], "update": []}
    children: dict[str, list[Mapping[str, Any]]] = {"insert": [], "update": []}
    for row, rows in enumerate(values):
        if rows is None or rows is ABSENT:
            continue
        if not isinstance(rows, list) or not all(isinstance(each, dict) for each in rows):
            yield Problem(row, name, rows, "rows of a subform are a list of dicts")
            continue
        for child in rows:
            action = "update" if child.get("id") else "insert"
            parents[action].append(row)
            children[action].append(child)
        ids = [child["id"] for child in rows if child.get("id")]
        for number, child_id in enumerate(ids):
            if child_id in ids[:number]:
                yield Problem(row, f"{name}.id", child_id, "repeated; keep one row of the subform")
    for action, rows in children.items():
        for each in _children(rows, fields, action, unlisted):
            place = None if each.row is None else parents[action][each.row]
            yield each._replace(row=place, column=f"{name}.{each.column}")


def _children(
    rows: Sequence[Mapping[str, Any]], fields: Mapping[str, Field], action: str, unlisted: bool
) -> Iterator[Problem]:
    """Check the columns and the values of new rows of a subform, or of existing ones."""
    names = dict.fromkeys(key for each in rows for key in each)
    if not names or not fields:
        return
    own = [name for name in names if name not in ("id", "_delete")]
    wrong = check_names(own) or list(check_columns(own, fields, action))
    yield from wrong
    known = [name for name in names if str(name) not in {each.column for each in wrong}]
    data = {name: [each.get(name, ABSENT) for each in rows] for name in known}
    for each in check_values(data, fields, action, unlisted=unlisted):
        if each.row is not None:
            yield each
            continue
        for row in range(len(rows)):
            yield each._replace(row=row)


class _Rule(NamedTuple):
    """How values of one field are checked: many at a glance, and one with the reason."""

    glance: Callable[[Sequence[Any]], bool]
    wrong: Callable[[Any], str]


def _rule(field: Field, unlisted: bool) -> _Rule | None:
    """Choose the rule for a field; ``None`` where only Zoho can tell."""
    if field.get("data_type") == "id":
        return _typed({str}, _wrong_id)
    kind = column_for(field).kind
    length = int(field.get("length") or 0)
    if kind == "text":
        return _text_rule(str(field.get("data_type")), length)
    if kind in {"picklist", "multipicklist"}:
        return _choice_rule(field, kind, unlisted)
    if kind == "integer":
        return _Rule(
            lambda values: _all_whole(values, 10 ** (length or 19)),
            lambda value: _wrong_integer(value, length),
        )
    return _BY_KIND.get(kind)


def _typed(types: set[type], wrong: Callable[[Any], str]) -> _Rule:
    """Make a rule that looks at each value of the right types, at equal texts once."""
    allowed = types | {type(None), Absent}

    def glance(values: Sequence[Any]) -> bool:
        if not allowed.issuperset(map(type, values)):
            return False
        some = set(values) if types == {str} else values
        return not any(wrong(value) for value in some if value is not None and value is not ABSENT)

    return _Rule(glance, wrong)


def _text_rule(data_type: str, length: int) -> _Rule:
    """Check texts: their length, and the form of addresses and numbers."""
    pattern, words = _PATTERNS.get(data_type, (None, ""))

    def wrong(value: Any) -> str:
        if not isinstance(value, str):
            return LOST_DIGITS if isinstance(value, float) else _not_text(value)
        if length and len(value) > length:
            return f"{len(value):,} characters, {length:,} fit"
        return "" if pattern is None or pattern.fullmatch(value) else words

    def glance(values: Sequence[Any]) -> bool:
        return _all_short(values, length) and (
            pattern is None or all(map(pattern.fullmatch, filter(None, values)))
        )

    return _Rule(glance, wrong)


def _all_short(values: Sequence[Any], length: int) -> bool:
    """Return whether all values are texts that fit."""
    if not _TEXTS.issuperset(map(type, values)):
        return False
    longest = max(map(len, filter(None, values)), default=0)
    return not length or longest <= length


def _choice_rule(field: Field, kind: str, unlisted: bool) -> _Rule | None:
    """Check picklists: values as they are shown, or as they are stored."""
    known = {
        text
        for each in field.get("pick_list_values") or ()
        for key in ("display_value", "actual_value")
        if isinstance(text := each.get(key), str)
    }

    def one(value: Any) -> str:
        if not isinstance(value, str):
            return _not_text(value)
        if unlisted or not known or value in known:
            return ""
        return f"{value!r} is not in the list. {did_you_mean(value, known)}".rstrip()

    def several(value: Any) -> str:
        if not isinstance(value, list):
            return f"not a list of texts but {type(value).__name__}"
        return next(filter(None, map(one, value)), "")

    if kind == "multipicklist":
        return _typed({list}, several)
    settled = known | {None, "", ABSENT}
    return _Rule(
        lambda values: _TEXTS.issuperset(map(type, values)) and settled.issuperset(values), one
    )


def _not_text(value: Any) -> str:
    """Say of which type a value is that should be text."""
    return f"not text but {type(value).__name__}"


def _wrong_id(value: Any) -> str:
    """Require text of 1 to 19 digits."""
    if isinstance(value, float):
        return LOST_ID
    right = isinstance(value, str) and _ID.fullmatch(value)
    return "" if right else "not a valid record id: 1 to 19 digits, as text"


def _wrong_lookup(value: Any) -> str:
    """Require an id in a lookup, for several records may have one name."""
    if isinstance(value, str):
        return "a display name; write the record's id, in a column that ends in .id"
    if not isinstance(value, dict) or "id" not in value:
        return "not a lookup: write {'id': …}"
    return _wrong_id(value["id"])


def _wrong_integer(value: Any, length: int) -> str:
    """Require a whole number that fits."""
    if isinstance(value, bool) or not isinstance(value, int):
        lost = isinstance(value, float) and value.is_integer()
        return LOST_DIGITS if lost else _no_number(value, "not a whole number")
    digits = len(str(abs(value)))
    return f"{digits} digits, {length} fit" if length and digits > length else ""


def _no_number(value: Any, otherwise: str) -> str:
    """Say why a text is not a number."""
    grouped = isinstance(value, str) and _GROUPED.fullmatch(value.strip())
    return "write numbers without thousands separators, such as 1234.5" if grouped else otherwise


def _all_whole(values: Sequence[Any], beyond: int) -> bool:
    """Return whether all values are whole numbers that fit."""
    if not {int, type(None), Absent}.issuperset(map(type, values)):
        return False
    numbers = [value for value in values if type(value) is int]
    return not numbers or (max(numbers) < beyond and -min(numbers) < beyond)


def _wrong_number(value: Any) -> str:
    """Require a number."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return "more digits than Zoho keeps; round it"
    return "" if type(value) in (int, float) else _no_number(value, "not a number")


def _wrong_boolean(value: Any) -> str:
    """Require True or False."""
    return "" if isinstance(value, bool) else "neither True nor False"


def _wrong_date(value: Any) -> str:
    """Require a day on the calendar."""
    text = str(value)
    if _DATETIME.fullmatch(text):
        return "a date has no time of day; use .dt.date, or .dt.normalize() without a zone"
    right = _DATE.fullmatch(text) and _on_calendar(date, text)
    return "" if right else "not a valid date, such as 2026-03-31"


def _wrong_datetime(value: Any) -> str:
    """Require a time with its offset."""
    text = str(value)
    if _DATE.fullmatch(text):
        return "needs a time of day and a zone; use .dt.tz_localize(…)"
    right = _DATETIME.fullmatch(text) and _on_calendar(datetime, text)
    return "" if right else "not a time with an offset, such as 2026-03-31T10:00:00+05:30"


def _on_calendar(kind: Any, text: str) -> bool:
    """Return whether the calendar has such a day."""
    try:
        kind.fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong_tags(value: Any) -> str:
    """Require names of tags."""
    if not isinstance(value, list):
        return "tags are a list of their names"
    names = [each.get("name") if isinstance(each, dict) else None for each in value]
    if not all(isinstance(name, str) for name in names):
        return "tags are a list of their names"
    long = next((name for name in map(str, names) if len(name) > TAG_LENGTH), "")
    return f"the tag {long!r} has more than {TAG_LENGTH} characters" if long else ""


_ID = re.compile(r"[0-9]{1,19}")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{2,3})+(\.[0-9]+)?")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)", re.ASCII)
_TEXTS = {str, type(None), Absent}

LOST_DIGITS = "a float of this size has lost digits; read the column as text or Int64"

# Wider than Zoho's own: what these refuse, Zoho would refuse too. UNCONFIRMED what else it would.
_PATTERNS = {
    "email": (re.compile(r"[^@\s]+@[^@\s]+"), "not a valid e-mail address"),
    "phone": (
        re.compile(r"[\w\s()+.,;/#*-]*[\w#*][\w\s()+.,;/#*-]*"),
        "not a valid telephone number",
    ),
    "website": (re.compile(r"\S+\.\S+"), "not a valid web address"),
}
_NUMBER_TYPES = {int, float}
_BY_KIND: dict[str, _Rule] = {
    "float": _Rule(
        lambda values: (_NUMBER_TYPES | {type(None), Absent}).issuperset(map(type, values)),
        _wrong_number,
    ),
    "boolean": _Rule(
        lambda values: {bool, type(None), Absent}.issuperset(map(type, values)), _wrong_boolean
    ),
    "date": _typed({str}, _wrong_date),
    "datetime": _typed({str}, _wrong_datetime),
    "lookup": _typed({dict}, _wrong_lookup),
    "user": _typed({dict}, _wrong_lookup),
    "tags": _typed({list}, _wrong_tags),
}
