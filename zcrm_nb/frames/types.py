"""Zoho's field types and what they become in a table: one list, each line with its reason.

A column's type comes from Zoho's field metadata and never from the values, so that the same request
gives the same dtypes on no rows, one row and a million, by REST, by COQL and by bulk.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa

from zcrm_nb.errors import DataWarning, ZohoError, levels_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zcrm_nb.coql.fields import Field

__all__ = [
    "KINDS",
    "Column",
    "Errors",
    "Kind",
    "Misfits",
    "coerce",
    "column_for",
    "schema_of",
    "sequence_number",
]

TEXT = pa.large_string()
STRING: Any = pd.StringDtype("pyarrow")
_NAMED = pa.struct([("name", TEXT)])
_NAMED_WITH_ID = pa.struct([("name", TEXT), ("id", TEXT)])


class Kind(NamedTuple):
    """How one kind of column travels: JSON's Python types, Arrow as written and at rest, pandas.

    ``dtype`` is ``None`` where a parameter or the categories decide; :mod:`zcrm_nb.frames.build`
    knows how.
    """

    python: frozenset[type]
    wire: pa.DataType
    arrow: pa.DataType
    dtype: Any


def _kind(python: tuple[type, ...], wire: pa.DataType, arrow: pa.DataType, dtype: Any) -> Kind:
    """Write one line of the table; null may stand anywhere."""
    return Kind(frozenset((*python, type(None))), wire, arrow, dtype)


# Keep in step with Zoho's field types (field-meta.html) and `docs/architecture.md`, Frames.
KINDS: dict[str, Kind] = {
    # Named explicitly with pyarrow storage, so that pandas 2.3 and 3 give one dtype with one null
    # (pd.NA) and take the parser's buffers without a copy. Not pandas 3's `str`: its null is NaN.
    "text": _kind((str,), TEXT, TEXT, STRING),
    # Category, because the CRM's order of the values is knowledge a table should keep. Unordered:
    # "Web" < "Referral" means nothing. Not parsed as an Arrow dictionary: its order is first-seen.
    "picklist": _kind((str,), TEXT, TEXT, None),
    # A list, so that a value may hold a semicolon and `explode` works. Empty is [], never null.
    "multipicklist": _kind((list,), pa.list_(TEXT), pa.list_(TEXT), object),
    # Nullable, for a float spoils every id-like number above 2**53. Zoho writes bigint as text.
    "integer": _kind((int,), pa.int64(), pa.int64(), pd.Int64Dtype()),
    # NaN is the null everybody's numerics know; `exact=True` gives decimals instead.
    "float": _kind((int, float), pa.float64(), pa.float64(), None),
    # Nullable: in a CRM "not asked" is not "no".
    "boolean": _kind((bool,), pa.bool_(), pa.bool_(), pd.BooleanDtype()),
    # Numpy's seconds: 0001 to 9999 fit, `.dt` works. Not `object` dates, not ns (ends in 2262).
    "date": _kind((str,), TEXT, pa.date32(), "datetime64[s]"),
    # Seconds are Zoho's precision. Read as text first: Arrow's JSON reader takes a time without an
    # offset as UTC, its cast refuses to guess.
    "datetime": _kind((str,), TEXT, pa.timestamp("s", "UTC"), None),
    # Two text columns, X and X.id. Ids are text: eighteen digits do not survive a float.
    "lookup": _kind((dict,), _NAMED_WITH_ID, _NAMED_WITH_ID, STRING),
    # As a lookup; but COQL has last names only, so a directory may supply the full ones.
    "user": _kind((dict,), _NAMED_WITH_ID, _NAMED_WITH_ID, STRING),
    # The names. Id and colour of a tag say nothing about the record.
    "tags": _kind((list,), pa.list_(_NAMED), pa.list_(TEXT), object),
    # Subforms, files, reminders and whatever Zoho adds next: Python objects as they came.
    "object": _kind((), pa.null(), pa.null(), object),
}

# What `exact=True` reads instead of float64: 20 digits before the point and 18 behind hold any
# number that Zoho's 16 significant digits can show. A number that needs more is an error, not a
# rounding.
DECIMAL = pa.decimal128(38, 18)

_KIND_OF: dict[str, str] = {
    **dict.fromkeys(("text", "textarea", "mediumtext", "email", "phone", "website"), "text"),
    "autonumber": "text",  # has a prefix, and zeros in front
    "profileimage": "text",  # an opaque id
    "picklist": "picklist",
    "multiselectpicklist": "multipicklist",
    **dict.fromkeys(("integer", "bigint"), "integer"),
    **dict.fromkeys(("double", "decimal", "percent", "currency"), "float"),
    "boolean": "boolean",
    "date": "date",
    **dict.fromkeys(("datetime", "event_reminder"), "datetime"),
    **dict.fromkeys(("lookup", "multi_module_lookup", "consent_lookup"), "lookup"),
    **dict.fromkeys(("ownerlookup", "userlookup"), "user"),
    # Only formulas and roll-ups return these words.
    "string": "text",
    "number": "float",
    "long": "integer",
    # Not here, and so objects: subform, multiselectlookup, multiuserlookup, fileupload,
    # imageupload, RRULE, ALARM, multireminder, linetax, time_range, layout, address.
}

# Zoho's own fields whose values are not what the metadata says (it calls Tag and Comments text and
# Participants bigint). A custom field of the same name is what it says.
_LIARS: dict[str, str] = {
    "id": "text",
    "Tag": "tags",
    **dict.fromkeys(("Participants", "Comments", "Pricing_Details"), "object"),
    **dict.fromkeys(("Territories", "Territory"), "object"),
}

# The kinds whose values can be what json_type says; any other kind is contradicted by it, and the
# field is read as it comes.
_JSON_KINDS = {"jsonobject": {"lookup", "user"}, "jsonarray": {"multipicklist", "tags"}}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an answer, before a lookup becomes two.

    Parameters
    ----------
    name : str
        The key in the answer, letter for letter; dots and arrows are part of it.
    kind : str
        One of ``KINDS``: ``"text"``, ``"picklist"``, ``"multipicklist"``, ``"integer"``,
        ``"float"``, ``"boolean"``, ``"date"``, ``"datetime"``, ``"lookup"``, ``"user"``,
        ``"tags"``, ``"object"``.
    categories : tuple of str, default ()
        Values of a picklist, in the CRM's order.

    Raises
    ------
    ValueError
        If the kind is not one of these.

    Examples
    --------
    >>> from zcrm_nb.frames import Column
    >>> Column("COUNT(id)", "integer")
    Column(name='COUNT(id)', kind='integer', categories=())
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"{self.kind!r} is not a kind of column. Use one of {', '.join(KINDS)}."
            )


def column_for(field: Field, name: str | None = None) -> Column:
    """Return the column that a field becomes in a table, from Zoho's description of it.

    References
    ----------
    https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html

    Examples
    --------
    >>> from zcrm_nb.frames import column_for
    >>> field = {"api_name": "Annual_Revenue", "data_type": "currency"}
    >>> column_for(field, "Account_Name.Annual_Revenue")
    Column(name='Account_Name.Annual_Revenue', kind='float', categories=())
    """
    kind = _kind_of(field)
    values = field.get("pick_list_values") if kind == "picklist" else None
    values = values if isinstance(values, list) else []
    return Column(name or field["api_name"], kind, _categories(values))


def _kind_of(field: Field) -> str:
    """Translate a field's type into our word."""
    data_type = str(field.get("data_type"))
    if not field.get("custom_field"):
        if field.get("api_name") in _LIARS:
            return _LIARS[field["api_name"]]
        if field.get("api_name") == "Tax" and data_type == "multiselectpicklist":
            return "object"  # of Products: [{"id", "value"}]; an Invoice's Tax is a currency
    if data_type in {"formula", "rollup_summary"}:
        data_type = str(_dict(field.get(data_type)).get("return_type")).lower()
    kind = _KIND_OF.get(data_type, "object")
    return kind if kind in _JSON_KINDS.get(str(field.get("json_type")), (kind,)) else "object"


def _dict(value: Any) -> dict[str, Any]:
    """Return an object of an answer; an empty one where Zoho sent something else."""
    return value if isinstance(value, dict) else {}


def _categories(values: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """List display values in the CRM's order, used or not: old records hold unused ones."""
    known = [value for value in values if isinstance(value, dict)]
    ordered = sorted(known, key=sequence_number)
    names = dict.fromkeys(value.get("display_value") for value in ordered)
    # "-None-" is the form's word for "nothing chosen"; the API says null.
    return tuple(name for name in names if isinstance(name, str) and name != "-None-")


def sequence_number(value: dict[str, Any]) -> int:
    """Return the place of a picklist value in the CRM's order; the number may be text."""
    try:
        return int(value["sequence_number"])
    except (KeyError, TypeError, ValueError):
        return 0


def schema_of(columns: Iterable[Column], *, exact: bool = False) -> pa.Schema:
    """Return the Arrow types of flat columns at rest.

    Examples
    --------
    >>> from zcrm_nb.frames.types import Column, schema_of
    >>> schema_of([Column("Annual_Revenue", "float")]).field(0).type
    DataType(double)
    """
    return pa.schema(
        (each.name, DECIMAL if exact and each.kind == "float" else KINDS[each.kind].arrow)
        for each in columns
    )


@lru_cache(maxsize=256)
def categorical(categories: tuple[str, ...]) -> tuple[pa.Array, pd.CategoricalDtype]:
    """Give categories as Arrow and as pandas want them; kept, for making them is slow."""
    dtype = pd.CategoricalDtype(pd.Index(categories, dtype=STRING))
    return pa.array(categories, TEXT), dtype


# ---- Values that do not fit their type -----------------------------------------------------------

# Zoho's own metadata are wrong now and then, and older API versions write things differently. What
# is converted loses nothing: 5.0 is 5, "true" is true, a bare id is a lookup. An empty text where
# no text belongs is null. What cannot be converted is a misfit, for which there is ``errors=``.

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
