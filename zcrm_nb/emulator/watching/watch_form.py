"""What is sent to ``/actions/watch``, read key by key and refused in Zoho's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.storage.schema import Field, Module
from zcrm_nb.emulator.watching.channels import ACTIONS

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

HOUR_S = 3600
WEEK_S = 7 * 24 * HOUR_S
TOKEN = 50
FIELDS = 10
OBJECTS = 2
INT64 = range(-(2**63), 2**63)
SUPPORTED = frozenset({
    "Leads", "Accounts", "Contacts", "Deals", "Campaigns", "Tasks", "Cases", "Events", "Calls",
    "Solutions", "Products", "Vendors", "Price_Books", "Quotes", "Sales_Orders",
    "Purchase_Orders", "Invoices", "Services__s", "Appointments__s",
    "Appointments_Rescheduled_History__s",
})  # fmt: skip
"""Modules that can be watched, besides custom ones and users."""

Item = dict[str, Any]


class Location(NamedTuple):
    """Where a value stands in the body."""

    api_name: str
    json_path: str

    def below(self, key: str) -> Location:
        """Go to a key of this value."""
        return Location(key, f"{self.json_path}.{key}")

    def at(self, index: int) -> Location:
        """Go to an item of this value."""
        return Location(self.api_name, f"{self.json_path}[{index}]")

    def invalid(self, **expected: object) -> Refusal:
        """Refuse the value here."""
        return Refusal(400, "INVALID_DATA", "invalid data", expected | self._asdict())

    def missing(self) -> Refusal:
        """Refuse a body that has nothing here."""
        return Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", self._asdict())


class Form:
    """One item of ``watch[]`` as sent, read key by key."""

    def __init__(self, org: Org, item: Item, location: Location) -> None:
        self._org, self._item, self.location = org, item, location

    def channel_id(self) -> str:
        """Read the id that the caller chose: a 64-bit number, or its digits."""
        value, location = self._mandatory("channel_id")
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value not in INT64:
            raise location.invalid(expected_data_type="bigint")
        return str(value)

    def events(self) -> tuple[str, ...]:
        """Read what is to be told."""
        value, location = self._mandatory("events")
        if not isinstance(value, list):
            raise location.invalid(expected_data_type="jsonarray")
        if not value:
            raise location.invalid(minimum_length=1)
        most = self._org.settings.watch.events_per_call
        if len(value) > most:
            raise limit_reached(most, location)
        return tuple(
            dict.fromkeys(self._event(each, location.at(n)) for n, each in enumerate(value))
        )

    def details(self) -> Item:
        """Read everything else that was sent, as values of a :class:`Channel`."""
        readers: dict[str, Callable[[object, Location], object]] = {
            "notify_url": _url,
            "token": _token,
            "return_affected_field_values": _boolean,
            "notify_on_related_action": _boolean,
            "notification_condition": self._conditions,
        }
        sent = {name: self._item[name] for name in readers if self._item.get(name) is not None}
        return {name: readers[name](sent[name], self.location.below(name)) for name in sent}

    def notify_url(self) -> None:
        """See that there is an address."""
        self._mandatory("notify_url")

    def expiry(self) -> int:
        """Read when the channel ends; what is too far ahead silently becomes an hour."""
        now, value = self._org.clock.now(), self._item.get("channel_expiry")
        if value is None:
            return now + HOUR_S
        location = self.location.below("channel_expiry")
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise location.invalid(expected_data_type="datetime") from None
        if moment.tzinfo is None:
            raise location.invalid(expected_data_type="datetime")
        ends = int(moment.timestamp())
        if ends <= now and not self._org.settings.watch.past_expiry_lasts_an_hour:
            raise location.invalid()
        return ends if now < ends <= now + WEEK_S else now + HOUR_S

    @property
    def deletes_events(self) -> bool:
        """Whether the events of this item are to be dropped."""
        value = self._item.get("_delete_events", False)
        return bool(_boolean(value, self.location.below("_delete_events")))

    @property
    def renews(self) -> bool:
        """Whether the item has an expiry."""
        return self._item.get("channel_expiry") is not None

    def has(self, key: str) -> bool:
        """Whether a key was sent."""
        return key in self._item

    def _mandatory(self, key: str) -> tuple[Any, Location]:
        """Take a value that must be there."""
        location = self.location.below(key)
        if self._item.get(key) in (None, ""):
            raise location.missing()
        return self._item[key], location

    def _event(self, event: object, location: Location) -> str:
        """Read ``Deals.edit``."""
        if not isinstance(event, str):
            raise location.invalid(expected_data_type="string")
        name, _, action = event.rpartition(".")
        if action not in (*ACTIONS.values(), "all"):
            raise location.invalid()
        watched(self._org, name, location)
        return event

    def _conditions(self, value: object, location: Location) -> list[Item]:
        """Read the conditions; they are kept as they were sent."""
        if not isinstance(value, list):
            raise location.invalid(expected_data_type="jsonarray")
        return [
            Condition(self._org, each, location.at(n)).checked() for n, each in enumerate(value)
        ]


class Condition:
    """One object of ``notification_condition``: the fields whose change is to be told."""

    def __init__(self, org: Org, sent: object, location: Location) -> None:
        if not isinstance(sent, dict):
            raise location.invalid(expected_data_type="jsonobject")
        self._org, self._sent, self._location = org, sent, location
        self._fields = 0

    def checked(self) -> Item:
        """Give the condition with every name filled in, or refuse it."""
        self._check_type()
        module_location = self._location.below("module")
        if self._sent.get("module") is None:
            raise module_location.missing()
        modules = self._org.schema.modules
        module: Module = _named(self._sent["module"], modules.values(), module_location)
        watched(self._org, module.api_name, module_location)
        selection = self._sent.get("field_selection")
        selected = None
        if selection is not None:
            selected = self._selection(selection, module, self._location.below("field_selection"))
        return {
            "type": "field_selection",
            "module": {"api_name": module.api_name, "id": str(module.id)},
            "field_selection": selected,
        }

    def _check_type(self) -> None:
        """See that the type is the one there is."""
        location = self._location.below("type")
        kind = self._sent.get("type")
        if kind is None and "field_selection" in self._sent:
            details = self._location.below("field_selection")._asdict() | {
                "dependee": location._asdict()
            }
            raise Refusal(400, "DEPENDENT_FIELD_MISSING", "dependent field missing", details)
        if kind is None:
            raise location.missing()
        if kind != "field_selection":
            raise location.invalid(supported_values=["field_selection"])

    def _selection(self, sent: object, module: Module, location: Location) -> Item:
        """Read a field, or a group of one or two fields and groups."""
        if not isinstance(sent, dict):
            raise location.invalid(expected_data_type="jsonobject")
        if sent.get("field") is not None:
            return {"field": self._field(sent["field"], module, location.below("field"))}
        group, inside = sent.get("group"), location.below("group")
        if group is None:
            raise inside.missing()
        if not isinstance(group, list):
            raise inside.invalid(expected_data_type="jsonarray")
        if not 1 <= len(group) <= OBJECTS:
            raise inside.invalid(**{"maximum_length": OBJECTS} if group else {"minimum_length": 1})
        operator = sent.get("group_operator")
        if str(operator).lower() not in ("and", "or"):
            raise location.below("group_operator").invalid(supported_values=["and", "or"])
        parts = [self._selection(each, module, inside.at(n)) for n, each in enumerate(group)]
        return {"group_operator": operator, "group": parts}

    def _field(self, sent: object, module: Module, location: Location) -> Item:
        self._fields += 1
        if self._fields > FIELDS:
            raise self._location.below("field_selection").invalid(maximum_length=FIELDS)
        field: Field = _named(sent, module.fields, location)
        if self._org.settings.watch.condition_needs_field_ids and "id" not in sent:  # type: ignore[operator]
            raise location.below("id").missing()
        return {"api_name": field.api_name, "id": str(field.id)}


def watched(org: Org, name: str, location: Location) -> Module:
    """Find a module that can be watched, or refuse its name."""
    if name == "users":
        return org.schema.directory["Users"]
    module = org.schema.modules.get(name)
    if module is None:
        raise location.invalid()
    if name not in SUPPORTED and module.generated_type != "custom":
        message = "the module is not supported for notifications"
        raise Refusal(400, "NOT_SUPPORTED", message, location._asdict())
    return module


def _named(sent: object, entries: Iterable[Any], location: Location) -> Any:
    """Find the module or field that an object names by id, by API name or by both."""
    if not isinstance(sent, dict):
        raise location.invalid(expected_data_type="jsonobject")
    keys = [key for key in ("api_name", "id") if sent.get(key) is not None]
    if not keys:
        expected = [location.below(key)._asdict() for key in ("api_name", "id")]
        raise Refusal(
            400, "EXPECTED_FIELD_MISSING", "expected field missing", {"expected_fields": expected}
        )
    items = []
    for key in keys:
        matching = [each for each in entries if str(getattr(each, key)) == str(sent[key])]
        if not matching:
            raise location.below(key).invalid()
        items += matching
    if any(each is not items[0] for each in items):
        due = [location.below(key)._asdict() for key in keys]
        message = "api_name and id do not name the same"
        raise Refusal(400, "AMBIGUITY_DURING_PROCESSING", message, {"ambiguity_due_to": due})
    return items[0]


def _url(value: object, location: Location) -> str:
    """Read an address."""
    if not isinstance(value, str):
        raise location.invalid(expected_data_type="string")
    if not re.fullmatch(r"https?://[^/\s]\S*( \S+)*", value):
        raise location.invalid()
    return value


def _token(value: object, location: Location) -> str:
    """Read the text that comes back with each callback."""
    if not isinstance(value, str):
        raise location.invalid(expected_data_type="string")
    if len(value) > TOKEN:
        raise location.invalid(maximum_length=TOKEN)
    return value


def _boolean(value: object, location: Location) -> bool:
    """Read yes or no."""
    if not isinstance(value, bool):
        raise location.invalid(expected_data_type="boolean")
    return value


def limit_reached(most: int, location: Location) -> Refusal:
    """Refuse more than there may be."""
    return Refusal(400, "LIMIT_REACHED", "limit reached", {"limit": most, **location._asdict()})
