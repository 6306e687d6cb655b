"""Settings of the org as tables: currencies, territories, pipelines, variables, hours, groups.

As with all metadata nothing is believed: what cannot be understood is missing in the table.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypedDict

from zcrm_nb.api.pages import V8, numbered_pages
from zcrm_nb.frames import Column, entries_of, parse_json, sequence_number

if TYPE_CHECKING:
    from zcrm_nb.api.pages import Send

__all__ = [
    "CURRENCY_COLUMNS",
    "GROUP_COLUMNS",
    "HOLIDAY_COLUMNS",
    "HOURS_COLUMNS",
    "STAGE_COLUMNS",
    "TERRITORY_COLUMNS",
    "VARIABLE_COLUMNS",
    "Currency",
    "business_hours",
    "currencies",
    "holidays",
    "stages",
    "territories",
    "user_groups",
    "variables",
]


class Currency(TypedDict, total=False):
    """A currency of the org as ``crm.currencies()`` lists it; nothing is certain."""

    iso_code: str | None
    symbol: str | None
    exchange_rate: float | None
    is_base: bool | None
    is_active: bool | None


CURRENCY_COLUMNS = [
    Column("iso_code", "text"),
    Column("name", "text"),
    Column("symbol", "text"),
    Column("exchange_rate", "float"),
    Column("is_base", "boolean"),
    Column("is_active", "boolean"),
    Column("decimal_places", "integer"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
    Column("id", "text"),
]

TERRITORY_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("reporting_to", "lookup"),
    Column("manager", "lookup"),
    Column("permission_type", "text"),
    Column("description", "text"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
]
STAGE_COLUMNS = [
    Column("pipeline", "lookup"),
    Column("default", "boolean"),
    Column("sequence_number", "integer"),
    Column("stage", "text"),
    Column("forecast_type", "text"),
    Column("forecast_category", "text"),
    Column("layout", "lookup"),
    Column("id", "text"),
]
VARIABLE_COLUMNS = [
    Column("api_name", "text"),
    Column("name", "text"),
    Column("type", "text"),
    Column("value", "object"),
    Column("group", "text"),
    Column("description", "text"),
    Column("id", "text"),
]
HOLIDAY_COLUMNS = [
    Column("date", "date"),
    Column("name", "text"),
    Column("type", "text"),
    Column("shift_hour", "lookup"),
    Column("id", "text"),
]
HOURS_COLUMNS = [
    Column("day", "text"),
    Column("is_business_day", "boolean"),
    Column("opens", "text"),
    Column("closes", "text"),
]
GROUP_COLUMNS = [
    Column("id", "text"),
    Column("name", "text"),
    Column("description", "text"),
    Column("created_by", "lookup"),
    Column("created_time", "datetime"),
    Column("modified_time", "datetime"),
]
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def currencies(send: Send) -> list[Currency]:
    """Return the currencies of the org, none where it has only one; 1 credit."""
    listed = entries_of(send("GET", f"{V8}org/currencies"), "currencies")
    return [_currency(each) for each in listed]


def _currency(described: dict[str, Any]) -> Currency:
    """Return a currency with numbers for the texts that Zoho sends."""
    form = described.get("format")
    places = form.get("decimal_places") if isinstance(form, dict) else None
    numbers = {
        "exchange_rate": _number(described.get("exchange_rate")),
        "decimal_places": None if (n := _number(places)) is None else int(n),
    }
    currency: Currency = {**described, **numbers}  # type: ignore[typeddict-item]
    return currency


def territories(send: Send) -> list[dict[str, Any]]:
    """Return the territories; 1 credit for each 200."""
    return _paged(send, "territories")


def user_groups(send: Send) -> list[dict[str, Any]]:
    """Return the groups of users; 1 credit for each 200."""
    return _paged(send, "user_groups")


def holidays(send: Send, year: int | None) -> list[dict[str, Any]]:
    """Return the holidays, of one year or all; 1 credit for each 200."""
    return _paged(send, "holidays", **({} if year is None else {"year": year}))


def variables(send: Send) -> list[dict[str, Any]]:
    """Return the variables, each with the name of its group; 1 credit."""
    listed = entries_of(send("GET", f"{V8}settings/variables"), "variables")
    return [{**each, "group": _object(each.get("variable_group")).get("name")} for each in listed]


def business_hours(send: Send) -> list[dict[str, Any]]:
    """Return one entry for each day of the week, none where the org has no hours; 1 credit."""
    body = send("GET", f"{V8}settings/business_hours")
    answer = parse_json(body) if body.strip() else {}
    hours = _object(answer).get("business_hours")
    listed = hours if isinstance(hours, list) else [hours]
    return [day for each in listed if isinstance(each, dict) for day in _week(each)]


def _week(hours: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the days of a week, from the one that it starts on."""
    first = hours.get("week_starts_on")
    start = WEEK.index(first) if first in WEEK else 0
    days, custom = hours.get("business_days"), hours.get("custom_timing")
    timing = {
        each.get("days"): each.get("business_timing")
        for each in (custom if isinstance(custom, list) else ())
        if isinstance(each, dict) and isinstance(each.get("days"), str)
    }
    around_the_clock = hours.get("type") == "24_by_7"
    week = []
    for day in (*WEEK[start:], *WEEK[:start]):
        works = around_the_clock or (isinstance(days, list) and day in days)
        opens, closes = _span((timing.get(day) or hours.get("daily_timing")) if works else None)
        week.append({"day": day, "is_business_day": works, "opens": opens, "closes": closes})
    return week


def _span(timing: object) -> tuple[object, object]:
    """Return when a day begins and ends; nothing for days without times."""
    if isinstance(timing, list) and len(timing) == 2:
        return timing[0], timing[1]
    return None, None


def stages(send: Send) -> list[dict[str, Any]]:
    """Return the stages of every pipeline of every layout of Deals; 1 credit, and 1 per layout."""
    body = send("GET", f"{V8}settings/layouts", params={"module": "Deals"})
    layouts = entries_of(body, "layouts")
    found = []
    for layout in layouts:
        params = {"layout_id": layout.get("id")}
        listed = entries_of(send("GET", f"{V8}settings/pipeline", params=params), "pipeline")
        found += [stage for each in listed for stage in _stages(each, layout)]
    return found


def _stages(pipeline: dict[str, Any], layout: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of one pipeline in their order."""
    maps = pipeline.get("maps")
    named = {"name": pipeline.get("display_value"), "id": pipeline.get("id")}
    stages = [
        {
            **each,
            "stage": each.get("display_value"),
            "forecast_category": _object(each.get("forecast_category")).get("name"),
            "pipeline": named,
            "default": pipeline.get("default"),
            "layout": {"name": layout.get("name"), "id": layout.get("id")},
        }
        for each in (maps if isinstance(maps, list) else ())
        if isinstance(each, dict)
    ]
    return sorted(stages, key=sequence_number)


def _paged(send: Send, key: str, **params: Any) -> list[dict[str, Any]]:
    """Return all pages of a list of settings."""

    def page(number: int) -> bytes:
        return send(
            "GET", f"{V8}settings/{key}", params={**params, "page": number, "per_page": 200}
        )

    return [each for body in numbered_pages(page) for each in entries_of(body, key)]


def _object(value: object) -> dict[str, Any]:
    """Return an object; an empty one where Zoho sent something else."""
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    """Return a number, whether Zoho sent it as one or as text."""
    with suppress(TypeError, ValueError):
        return float(value)  # type: ignore[arg-type]
    return None
