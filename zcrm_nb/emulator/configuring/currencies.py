"""The currencies API: switch several currencies on, list, add and change them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.currencies import (
    CURRENCIES,
    MULTI_CURRENCY,
    code_choices,
    full_name,
    has_currency,
    rate_text,
)
from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.records.writes import attempted
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import customizing, documents
from zcrm_nb.emulator.storage.references import CURRENCY
from zcrm_nb.emulator.world import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb.emulator.org import Org

Item = dict[str, Any]
KEY = "currencies"
BASE = "base_currency"
RATE = re.compile(r"[0-9]{1,9}([.][0-9]{1,9})?")
#: Keys of a currency that a request may have, and the JSON type of each.
SENT = {
    "name": "string",
    "iso_code": "string",
    "symbol": "string",
    "exchange_rate": "string",
    "prefix_symbol": "boolean",
    "is_active": "boolean",
    "format": "jsonobject",
}
MANDATORY = ("name", "iso_code", "symbol", "exchange_rate")
FORMAT = {
    "decimal_separator": ("Comma", "Period"),
    "thousand_separator": ("Space", "Comma", "Period"),
    "decimal_places": ("0", "2", "3"),
}


def get_currencies(org: Org, request: Request) -> Answer:
    """``GET /org/currencies``: all currencies, the home currency first."""
    shown = [_shown(org, each) for each in documents.listed(org.store, CURRENCY)]
    return json_answer({KEY: shown}) if shown else NOTHING


def get_currency(org: Org, request: Request, currency_id: str) -> Answer:
    """``GET /org/currencies/{id}``: one currency."""
    found = documents.find(org.store, CURRENCY, currency_id)
    return json_answer({KEY: [_shown(org, found)]}) if found else NOTHING


def get_available(org: Org, request: Request) -> Answer:
    """``GET /org/currencies/actions/available_currencies``: those that can still be added."""
    taken = {each["iso_code"] for each in documents.listed(org.store, CURRENCY)}
    left = [_available(code) for code in CURRENCIES if code not in taken]
    return json_answer({"available_currencies": left})


def enable(org: Org, request: Request) -> Answer:
    """``POST /org/currencies/actions/enable``: switch several currencies on, for good."""
    if org.edition not in MULTI_CURRENCY:
        raise Refusal(
            403,
            "FEATURE_NOT_SUPPORTED",
            "The multi-currency feature is not available except the Enterprise and higher "
            "editions.",
        )
    item = _base(request)

    def create(item: Item, path: str) -> Item:
        if money.home(org.store):
            raise Refusal(400, "ALREADY_ENABLED", "The multi-currency is already enabled")
        change = _checked(item, path)
        bodies.required(item, MANDATORY, path)
        change |= {"exchange_rate": rate_text(1.0), "is_base": True, "is_active": True}
        currency_id = _add(org, request.user, change)
        money.add_fields(org.store, [change["iso_code"]])
        message = (
            "The multi-currency feature is enabled and given currency is created as the base "
            "currency."
        )
        return bodies.done(message, currency_id)

    return _one(org, item, create)


def change_base(org: Org, request: Request) -> Answer:
    """``PUT /org/currencies/actions/enable``: change how the home currency is written."""
    item = _base(request)
    home = _enabled(org)

    def change(item: Item, path: str) -> Item:
        changed = _checked(item, path)
        if changed.pop("iso_code", home["iso_code"]) != home["iso_code"]:
            message = "The home currency cannot be changed"
            raise Refusal(400, "NOT_ALLOWED", message, _at("iso_code", path))
        changed.pop("exchange_rate", None)  # the home currency costs 1
        changed.pop("is_active", None)
        return _store(org, request.user, home | changed)

    return _one(org, item, change)


def post_currencies(org: Org, request: Request) -> Answer:
    """``POST /org/currencies``: add currencies."""
    _enabled(org)

    def add(item: Item, path: str) -> Item:
        bodies.required(item, MANDATORY, path)
        change = _checked(item, path)
        if change["iso_code"] in _codes(org):
            raise bodies.duplicate("iso_code", f"{path}.iso_code")
        currency_id = _add(org, request.user, {"is_active": True, "is_base": False, **change})
        _show_choices(org)
        return bodies.done("The currency created successfully.", currency_id)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY), add)


def put_currencies(org: Org, request: Request) -> Answer:
    """``PUT /org/currencies``: change currencies by their ids."""
    _enabled(org)

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        return _changed(org, request.user, item, path)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY), change)


def put_currency(org: Org, request: Request, currency_id: str) -> Answer:
    """``PUT /org/currencies/{id}``: change one currency."""
    _enabled(org)
    if documents.find(org.store, CURRENCY, currency_id) is None:
        raise bodies.unknown_id()

    def change(item: Item, path: str) -> Item:
        return _changed(org, request.user, item | {"id": currency_id}, path)

    return bodies.each_of(org, KEY, bodies.entries(request, KEY, 1), change)


def _base(request: Request) -> Item:
    """Find the home currency in a body."""
    item = request.json().get(BASE)
    if item is None:
        raise bodies.missing(BASE, "$")
    return dict(bodies.checked(item, "jsonobject", f"$.{BASE}"))


def _one(org: Org, item: Item, work: Callable[[Item, str], Item]) -> Answer:
    """Do something with the home currency; a refusal stands under its key."""
    with org.store.transaction():
        result, error_status = attempted(org.store, work, item, f"$.{BASE}")
    return json_answer({BASE: result}, error_status or 200)


def _enabled(org: Org) -> Item:
    """Find the home currency, or refuse: the org has one currency only."""
    home = money.home(org.store)
    if home is None:
        code = org.settings.currencies_off_code
        raise Refusal(400, code, "Multi currency is not enabled")
    return home


def _codes(org: Org) -> dict[str, bool]:
    """List the codes of the org's currencies, and whether they are active."""
    kept = documents.listed(org.store, CURRENCY)
    return {each["iso_code"]: each["is_active"] for each in kept}


def _checked(item: Item, path: str) -> Item:
    """Check what is sent for a currency, and keep what counts of it."""
    change: Item = {}
    for name, kind in SENT.items():
        if item.get(name) is not None:
            change[name] = bodies.checked(item[name], kind, f"{path}.{name}")
    code = change.get("iso_code")
    if code is not None and code not in CURRENCIES:
        raise bodies.invalid("iso_code", f"{path}.iso_code", "ISO code is invalid.")
    if code is not None and "name" in change and change["name"] != full_name(code):
        expected = full_name(code)
        raise bodies.invalid(
            "name", f"{path}.name", "Currency name is invalid.", supported_values=[expected]
        )
    if "exchange_rate" in change:
        change["exchange_rate"] = _rate(change["exchange_rate"], f"{path}.exchange_rate")
    if "format" in change:
        _check_format(change["format"], f"{path}.format")
    return change


def _rate(text: str, path: str) -> str:
    """Check a rate: a positive number with up to nine decimals."""
    if not RATE.fullmatch(text) or float(text) == 0:
        raise bodies.invalid("exchange_rate", path, regex=RATE.pattern)
    return rate_text(float(text))


def _check_format(sent: Item, path: str) -> None:
    """Check how numbers are written; the two separators differ."""
    for name, supported in FORMAT.items():
        bodies.required(sent, (name,), path)
        if sent[name] not in supported:
            raise bodies.invalid(name, f"{path}.{name}", supported_values=list(supported))
    if sent["decimal_separator"] == sent["thousand_separator"]:
        raise bodies.invalid("thousand_separator", f"{path}.thousand_separator")


def _add(org: Org, user: int, change: Item) -> str:
    """Store a new currency."""
    known = money.currency(change["iso_code"], change["iso_code"])
    return documents.add(org.store, CURRENCY, known | change | bodies.stamps(org, user))


def _changed(org: Org, user: int, item: Item, path: str) -> Item:
    """Change one currency that is not the home currency."""
    kept = documents.find(org.store, CURRENCY, item["id"])
    if kept is None:
        raise bodies.invalid("id", f"{path}.id", "Currency id is invalid.")
    change = _checked(item, path)
    if kept["is_base"] and change.keys() & {"exchange_rate", "is_active"}:
        name = next(name for name in ("exchange_rate", "is_active") if name in change)
        message = "The home currency cannot be changed"
        raise Refusal(400, "NOT_ALLOWED", message, _at(name, path))
    if change.pop("iso_code", kept["iso_code"]) != kept["iso_code"]:
        raise bodies.invalid("iso_code", f"{path}.iso_code", "ISO code is invalid.")
    return _store(org, user, kept | change)


def _store(org: Org, user: int, currency: Item) -> Item:
    """Store a changed currency."""
    change = {"modified_by": user, "modified_time": org.clock.now()}
    documents.change(org.store, currency | change)
    _show_choices(org)
    return bodies.done("The currency updated successfully.", currency["id"])


def _show_choices(org: Org) -> None:
    """Let the field ``Currency`` of every module have the currencies of the org."""
    values = code_choices(_codes(org))
    for module in list(org.schema.modules.values()):
        field = module.by_name.get("Currency")
        if has_currency(module) and field is not None and field.choices != values:
            customizing.change_field(org.store, module.api_name, replace(field, choices=values))


def _shown(org: Org, currency: Item) -> Item:
    """Show one currency as Zoho describes it."""
    return currency | bodies.stamped(org, currency)


def _available(code: str) -> Item:
    """Show a currency that can be added."""
    known = CURRENCIES[code]
    return {
        "display_value": full_name(code),
        "display_name": known.name,
        "iso_code": code,
        "symbol": known.symbol,
        "decimal_separator": known.decimal_separator,
        "thousand_separator": known.thousand_separator,
        "decimal_places": known.decimal_places,
    }


def _at(name: str, path: str) -> Item:
    return {"api_name": name, "json_path": f"{path}.{name}"}


_CURRENCIES = f"{V8}/org/currencies"


def _scope(operation: str) -> tuple[str]:
    """Name the scope of an operation on currencies."""
    return (f"ZohoCRM.settings.currencies.{operation}",)


ROUTES = (
    Route("GET", _CURRENCIES, get_currencies, "currencies of the org", _scope("READ")),
    Route("POST", _CURRENCIES, post_currencies, "add currencies", _scope("CREATE")),
    Route("PUT", _CURRENCIES, put_currencies, "change currencies", _scope("UPDATE")),
    Route(
        "GET",
        f"{_CURRENCIES}/actions/available_currencies",
        get_available,
        "currencies that can be added",
        _scope("READ"),
    ),
    Route(
        "POST",
        f"{_CURRENCIES}/actions/enable",
        enable,
        "switch several currencies on",
        _scope("CREATE"),
    ),
    Route(
        "PUT",
        f"{_CURRENCIES}/actions/enable",
        change_base,
        "change how the home currency is written",
        _scope("UPDATE"),
    ),
    Route("GET", f"{_CURRENCIES}/{{currency_id}}", get_currency, "one currency", _scope("READ")),
    Route("PUT", f"{_CURRENCIES}/{{currency_id}}", put_currency, "change one", _scope("UPDATE")),
)
