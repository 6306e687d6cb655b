"""Zoho's field types and what they become in a table: one list, each line with its reason.

A column's type comes from Zoho's field metadata and never from the values, so that the same request
gives the same dtypes on no rows, one row and a million, by REST, by COQL and by bulk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "Column", "Kind", "column_for", "schema_of", "sequence_number"]

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


def column_for(field: dict[str, Any], name: str | None = None) -> Column:
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


def _kind_of(field: dict[str, Any]) -> str:
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
