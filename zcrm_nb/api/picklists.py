"""Picklists: their values in the CRM's order, and what the stages of deals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.frames import Column, sequence_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zcrm_nb.coql.fields import Field

__all__ = ["PICKLIST_COLUMNS", "choices", "forecast_type", "forecast_types", "picklist_row"]

PICKLIST_COLUMNS = [
    Column("display_value", "text"),
    Column("actual_value", "text"),
    Column("sequence_number", "integer"),
    Column("colour_code", "text"),
    Column("type", "text"),
    Column("probability", "integer"),
    Column("forecast_type", "text"),
    Column("forecast_category", "text"),
    Column("id", "text"),
]
# What a stage means, in Zoho's words.
FORECAST_TYPES = {name.lower(): name for name in ("Open", "Closed Won", "Closed Lost")}


def choices(field: Field) -> list[dict[str, Any]]:
    """Return a picklist's values in the CRM's order; ``ValueError`` where the field has none."""
    values: list[dict[str, Any]] = field.get("pick_list_values") or []
    if not values:
        kind = field["data_type"] or "an unknown type"
        raise ValueError(f"{field['api_name']} is of type {kind}: it has no values.")
    return sorted(values, key=sequence_number)


def picklist_row(value: dict[str, Any]) -> dict[str, Any]:
    """Lay a picklist value's nested metadata flat, as ``crm.picklist()`` shows it."""
    category = value.get("forecast_category")
    return {
        **value,
        "forecast_category": category.get("name") if isinstance(category, dict) else category,
    }


def forecast_type(value: Mapping[Any, Any]) -> str | None:
    """Say in Zoho's words what a stage means, by its forecast type or else its probability.

    Labels are never read: they are renamed and translated.

    Examples
    --------
    >>> forecast_type({"display_value": "Gagné", "forecast_type": "Closed Won"})
    'Closed Won'
    >>> forecast_type({"display_value": "Lost", "probability": 0}), forecast_type({})
    ('Closed Lost', None)
    """
    for key in ("forecast_type", "deal_category"):
        if (word := str(value.get(key)).strip().lower()) in FORECAST_TYPES:
            return FORECAST_TYPES[word]
    probability = value.get("probability")
    if isinstance(probability, bool) or not isinstance(probability, (int, float)):
        return None
    return {100: "Closed Won", 0: "Closed Lost"}.get(int(probability), "Open")


def forecast_types(field: Field, seen: set[str]) -> dict[str, str]:
    """Return what each value of a picklist means, by its label and by its stored value.

    Values that are no longer used are left out, unless they were ``seen`` in a record.
    """
    types: dict[str, str] = {}
    for key in ("display_value", "actual_value"):
        for value in field.get("pick_list_values") or ():
            name, kind = value.get(key), forecast_type(value)
            known = key == "display_value" and value.get("type") != "unused"
            if kind and isinstance(name, str) and (known or name in seen):
                types.setdefault(name, kind)
    return types
