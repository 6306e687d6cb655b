"""How the catalogue is written down: a line a field, the rest follows from the data type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zcrm_nb.emulator.storage.schema import DATA_TYPES, ORG_PREFIX, Choice, Field, Module

#: Ids of metadata leave this much room to each module, and a thousandth of it to each field.
MODULE_STEP, FIELD_STEP = 1_000_000, 1_000


def choices(*values: str | Choice, unused: tuple[str, ...] = ()) -> tuple[Choice, ...]:
    """List values of a picklist in the CRM's order, ``-None-`` first as Zoho does it."""
    used = [each if isinstance(each, Choice) else Choice(each) for each in values]
    return (Choice("-None-"), *used, *(Choice(value, used=False) for value in unused))


def field(api_name: str, data_type: str, **extras: Any) -> Field:
    """Make one field; label, column and length follow from name and type unless given."""
    kind = DATA_TYPES[data_type]
    column = DATA_TYPES[extras["returns"]].column if "returns" in extras else kind.column
    usual: dict[str, Any] = {
        "label": api_name.removesuffix("__s").replace("_", " "),
        "column": column,
        "length": kind.length,
        "indexed": data_type == "lookup",
        "read_only": bool(extras.get("derived") or extras.get("rollup")),
        "coql": data_type not in NOT_IN_COQL,
        "decimals": 2 if data_type in {"currency", "double", "decimal", "percent"} else None,
        "default": 0 if data_type == "boolean" else None,
    }
    return Field(api_name=api_name, data_type=data_type, id=0, **{**usual, **extras})


def fields(data_type: str, api_names: str, **extras: Any) -> list[Field]:
    """Make several fields of one type, their names parted by spaces."""
    return [field(api_name, data_type, **extras) for api_name in api_names.split()]


#: Fields COQL cannot read: their values are files, or rows of another module.
NOT_IN_COQL = {"fileupload", "imageupload", "multiselectlookup", "multiuserlookup", "subform"}

RECORD_STATUS = choices("Available", "Draft", "Trash")

STAMPS = (
    field("Created_By", "ownerlookup", target="Users", read_only=True),
    field("Modified_By", "ownerlookup", target="Users", read_only=True),
    field("Created_Time", "datetime", read_only=True, indexed=True),
    field("Modified_Time", "datetime", read_only=True, indexed=True),
)
IDENTITY = field("id", "bigint", label="Record Id", read_only=True)
OWNER = field("Owner", "ownerlookup", target="Users", indexed=True)
COMMON = (
    field("Last_Activity_Time", "datetime", read_only=True),
    field("Tag", "text", wire="jsonarray", length=2000),
    field("Record_Status__s", "picklist", choices=RECORD_STATUS[1:], default="Available"),
    field("Locked__s", "boolean", label="Locked", read_only=True),
    field("Layout", "layout"),
)


def module(
    number: int, api_name: str, singular: str, *lines: Field | list[Field], **extras: Any
) -> Module:
    """Make a module with the fields every module has; all ids follow from ``number``."""
    own = [each for line in lines for each in (line if isinstance(line, list) else [line])]
    base = ORG_PREFIX + number * MODULE_STEP
    extras = {"plural": api_name.replace("_", " "), "name_field": own[0].api_name, **extras}
    every = (IDENTITY, *own, *_around(extras.get("generated_type", "default")))
    numbered = [replace(each, id=base + n * FIELD_STEP) for n, each in enumerate(every, 1)]
    return Module(api_name, singular, id=base, fields=tuple(numbered), **extras)


def _around(generated_type: str) -> tuple[Field, ...]:
    """List the fields around a module's own: rows of subforms, links, trackers have stamps only."""
    return (
        STAMPS
        if generated_type in {"subform", "linking", "field_tracker"}
        else (OWNER, *STAMPS, *COMMON)
    )
