"""Converting leads: an account, a contact and perhaps a deal are made of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from zcrm_nb.emulator.catalog.converting import MAPPING
from zcrm_nb.emulator.query.conditions import Condition
from zcrm_nb.emulator.records.contact_roles import role_named
from zcrm_nb.emulator.records.table import Table
from zcrm_nb.emulator.records.writes import refuse_locked
from zcrm_nb.emulator.serving import parameters
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage.validation import RecordChecker, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zcrm_nb.emulator.org import Org
    from zcrm_nb.emulator.storage.schema import Field, Module
    from zcrm_nb.emulator.storage.store import Store

Row = dict[str, Any]

PATH = "$.data[0]"
FLAGS = ("overwrite", "notify_lead_owner", "notify_new_entity_owner", "add_to_existing_record")
#: Keys of Deals that are not fields of a deal.
NOT_FIELDS = ("Contact_Role", "$move_attachments")
ACTIVITIES = ("Tasks", "Events", "Calls")
DAY_S = 24 * 3600
OPTIONS_SHOW = {
    "Contacts": ("Full_Name", "Email", "Layout", "Account_Name", "Locked__s"),
    "Accounts": ("Phone", "Account_Type", "Website", "Account_Name", "Locked__s"),
}
MOST_OPTIONS = 100


class Match(NamedTuple):
    """Records that may be the lead's already: where, by which field and value, and their ids."""

    module: str
    field: str
    value: str
    ids: list[int]


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a lead is to be converted."""

    overwrite: bool
    add: bool
    owner: int
    account: int | None
    contact: int | None
    deal: Row | None
    tags: dict[str, list[str]]
    attachments: str | None


def post_convert(org: Org, request: Request, lead_id: str) -> Answer:
    """``POST /Leads/{id}/actions/convert``: convert a lead."""
    lead = _lead(org, lead_id)
    if lead["Converted__s"]:
        message = "id already converted"
        raise Refusal(400, "ID_ALREADY_CONVERTED", message, {"resource_path_index": 1})
    refuse_locked(org.store, org.schema.modules["Leads"], lead["id"])
    item = _item(request.json())
    try:
        with org.store.transaction(notify=org.settings.watch.notifies_of("convert")):
            converter = Converter(org, request.user, lead)
            details = converter.convert(converter.read(item))
    except Refusal as refusal:
        status = org.settings.actions.convert_refused_status
        return json_answer({"data": [refusal.body]}, status)
    if org.settings.actions.convert_schedules:
        job = {"job_id": str(org.store.new_id())}
        return _success("SCHEDULED", "Convert lead scheduled successfully", job, 202)
    return _success("SUCCESS", "The record has been converted successfully", details, 200)


def get_conversion_options(org: Org, request: Request, lead_id: str) -> Answer:
    """``GET /Leads/{id}/__conversion_options``: which records may be the lead's already."""
    lead = _lead(org, lead_id)
    found_matches = list(matches(org, lead))
    if not found_matches:
        return NOTHING
    first = {each.module: each for each in reversed(found_matches)}
    options = {
        "module_preference": _mention(org, found_matches[0].module),
        **{module: _shown(org, first.get(module)) for module in OPTIONS_SHOW},
        "preference_field_matched_value": {
            module: _matched(org, first.get(module)) for module in OPTIONS_SHOW
        },
        "modules_with_multiple_layouts": None,
    }
    return json_answer({"__conversion_options": options})


def matches(org: Org, lead: Row) -> Iterator[Match]:
    """Find records that may be the lead's already, in Zoho's order of preference.

    Unique fields come first, then the contact's e-mail address, the account's and the contact's
    name.
    """
    for module in ("Contacts", "Accounts"):
        for source, target in MAPPING[module].items():
            if org.schema.modules[module].by_name[target].unique and lead[source]:
                yield from _match(org, module, {target: lead[source]})
    if lead["Email"]:
        yield from _match(org, "Contacts", {"Email": lead["Email"]})
    if lead["Company"]:
        yield from _match(org, "Accounts", {"Account_Name": lead["Company"]})
    names = {name: lead[name] for name in ("Last_Name", "First_Name") if lead[name]}
    yield from _match(org, "Contacts", names, shown="Full_Name")


class Converter:
    """Converts one lead."""

    def __init__(self, org: Org, user: int, lead: Row) -> None:
        self._org, self._store, self._user, self._lead = org, org.store, user, lead
        self._settings = org.settings.actions

    def read(self, item: Row) -> Conversion:
        """Read what the body asks for, or refuse it."""
        flags = {name: _boolean(item, name) for name in FLAGS}
        return Conversion(
            overwrite=flags["overwrite"],
            add=flags["add_to_existing_record"],
            owner=self._user_named(item) or self._lead["Owner"],
            account=self._record(item, "Accounts"),
            contact=self._record(item, "Contacts"),
            deal=_object(item, "Deals"),
            tags=self._tags(item),
            attachments=_attachments(item),
        )

    def convert(self, conversion: Conversion) -> dict[str, Any]:
        """Make the records of a conversion, and give their ids."""
        found_matches = {each.module: each.ids[0] for each in reversed(self._matches(conversion))}
        account = conversion.account or found_matches.get("Accounts")
        if account is None and self._lead["Company"]:
            account = self._make("Accounts", {"Owner": conversion.owner})
        contact = conversion.contact or found_matches.get("Contacts")
        if contact is None:
            links = {"Owner": conversion.owner, "Account_Name": account}
            contact = self._make("Contacts", links)
        elif account is not None:
            self._link(contact, account, overwrite=conversion.overwrite)
        deal = None if conversion.deal is None else self._deal(conversion, account, contact)
        made = {"Contacts": contact, "Deals": deal, "Accounts": account}
        for module, names in conversion.tags.items():
            self._carry(module, made.get(module), names)
        self._move_attachments(
            conversion.attachments or self._settings.convert_attachments_to, made
        )
        if conversion.attachments and made[conversion.attachments] is None:
            raise _invalid("api_name", f"{PATH}.move_attachments_to.api_name")
        move_links(self._store, self._lead["id"], contact)
        if self._settings.convert_moves_related:
            self._move_related(contact, deal or account, "Deals" if deal else "Accounts")
        self._mark(made)
        return {module: self._reference(module, record) for module, record in made.items()}

    def _matches(self, conversion: Conversion) -> list[Match]:
        """Look for records to add to, where that is asked for."""
        return list(matches(self._org, self._lead)) if conversion.add else []

    def _make(self, module: str, values: Row) -> int:
        """Make a record out of the lead's own values."""
        row = self._mapped(module) | values
        field = self._org.schema.modules[module]
        checker = RecordChecker(self._store, field, self._org.settings)
        for name, value in row.items():
            if field.by_name[name].unique:
                checker.check_unique(field.by_name[name], value, f"{PATH}.{module}.{name}")
        return self._store.insert(module, [row], user=self._user)[0]

    def _mapped(self, module: str) -> Row:
        """Copy the lead's values to the fields they are mapped to."""
        return {
            target: self._lead[source]
            for source, target in MAPPING[module].items()
            if self._lead[source] is not None
        }

    def _link(self, contact: int, account: int, *, overwrite: bool) -> None:
        """Give an existing contact the account; one that has another only with overwrite."""
        (row,) = self._store.rows("Contacts", "id = ?", (contact,))
        if row["Account_Name"] is None or (overwrite and row["Account_Name"] != account):
            change = {"id": contact, "Account_Name": account}
            self._store.update("Contacts", [change], user=self._user)

    def _deal(self, conversion: Conversion, account: int | None, contact: int) -> int:
        sent = {
            name: value for name, value in (conversion.deal or {}).items() if name not in NOT_FIELDS
        }
        deals, path = self._org.schema.modules["Deals"], self._settings.convert_deal_path
        for name in self._settings.convert_deal_needs:
            if sent.get(name) in (None, ""):
                raise required(deals.by_name[name], path)
        row = RecordChecker(self._store, deals, self._org.settings).draft(sent, path).row
        now = self._org.clock.now()
        links = {
            "Owner": conversion.owner,
            "Account_Name": account,
            "Contact_Name": contact,
            "Lead_Conversion_Time": (now - self._lead["Created_Time"]) // DAY_S,
        }
        values = self._mapped("Deals") | links | row
        (deal,) = self._store.insert("Deals", [values], user=self._user)
        self._give_role(deal, contact, conversion.deal or {})
        return deal

    def _give_role(self, deal: int, contact: int, sent: Row) -> None:
        """Link the contact to the deal with the role that it has there."""
        if sent.get("Contact_Role"):
            role = role_named(self._org, sent["Contact_Role"], f"{PATH}.Deals.Contact_Role")
            row = {"Deal": deal, "Contact": contact, "Contact_Role": role}
            self._store.insert("Deals_X_Contacts", [row], user=self._user)

    def _carry(self, module: str, record: int | None, names: list[str]) -> None:
        """Give a record the lead's tags of these names."""
        mine = {each["name"] for each in orjson.loads(self._lead["Tag"] or "[]")}
        carried = [{"name": name} for name in names if name in mine]
        if record is None or not carried:
            return
        module_info = self._org.schema.modules[module]
        old, _ = Table(self._store, module_info, [module_info.by_name["Tag"]]).read(
            Condition("r.id = ?", (record,)), "r.id", 1
        )
        tags = {each["name"]: {"name": each["name"]} for each in [*old[0]["Tag"], *carried]}
        checker = RecordChecker(self._store, module_info, self._org.settings)
        row = checker.draft({"Tag": list(tags.values())}, PATH, record_id=record).row
        self._store.update(module, [row | {"id": record}], user=self._user)

    def _move_related(self, contact: int, what: int | None, module: str) -> None:
        """Move notes and activities of the lead to the records made of it."""
        lead = self._lead["id"]
        for row in self._store.rows("Notes", '"Parent_Id" = ?', (lead,)):
            moved = {"id": row["id"], "Parent_Id": contact, "$se_module": "Contacts"}
            self._store.update("Notes", [moved], user=self._user)
        for activity in ACTIVITIES:
            for row in self._store.rows(activity, '"What_Id" = ?', (lead,)):
                moved = {"id": row["id"], "Who_Id": contact, "What_Id": what,
                         "$se_module": module if what else None}  # fmt: skip
                self._store.update(activity, [moved], user=self._user)

    def _move_attachments(self, module: str, made: dict[str, int | None]) -> None:
        """Move the lead's attachments to the record made of it."""
        if (record := made.get(module)) is not None:
            sql = "UPDATE attachments SET module = ?, parent = ? WHERE parent = ?"
            self._store.execute(sql, (module, record, self._lead["id"]))

    def _mark(self, made: dict[str, int | None]) -> None:
        """Mark the lead as converted: when, and to which records."""
        now = self._org.clock.now()
        row = {
            "id": self._lead["id"],
            "Converted__s": 1,
            "Converted_Date_Time": now,
            "Converted_Account": made["Accounts"],
            "Converted_Contact": made["Contacts"],
            "Converted_Deal": made["Deals"],
            "Lead_Conversion_Time": (now - self._lead["Created_Time"]) // DAY_S,
        }
        self._store.update("Leads", [row], user=self._user)

    def _reference(self, module: str, record: int | None) -> dict[str, str] | None:
        """Mention a record by name and id."""
        if record is None:
            return None
        name = self._org.schema.modules[module].name_field
        sql = f'SELECT "{name}" FROM "{module}" WHERE id = ?'
        return {"name": self._store.read(sql, (record,))[0][0], "id": str(record)}

    # -- the body --------------------------------------------------------------------------------

    def _record(self, item: Row, module: str) -> int | None:
        """Find the existing record to add the lead to."""
        named = _object(item, module)
        if named is None:
            return None
        record, path = _id(named, f"{PATH}.{module}"), f"{PATH}.{module}.id"
        if not self._store.read(f'SELECT 1 FROM "{module}" WHERE id = ?', (record,)):
            raise _invalid("id", path)
        return record

    def _user_named(self, item: Row) -> int | None:
        """Find the active user who will own the records."""
        named = _object(item, "assign_to")
        if named is None:
            return None
        user = _id(named, f"{PATH}.assign_to")
        sql = "SELECT 1 FROM Users WHERE id = ? AND status = 'active'"
        if not self._store.read(sql, (user,)):
            raise _invalid("id", f"{PATH}.assign_to.id")
        return user

    def _tags(self, item: Row) -> dict[str, list[str]]:
        """Read which tags go to which module: by name, or as objects with a name."""
        carried, path = _object(item, "carry_over_tags") or {}, f"{PATH}.carry_over_tags"
        tags = {module: list(_names(carried[module], module, path)) for module in carried}
        if wrong := tags.keys() - MAPPING.keys():
            raise _invalid(min(wrong), f"{path}.{min(wrong)}")
        if not self._settings.convert_foreign_tags:
            self._refuse_foreign(tags, path)
        return tags

    def _refuse_foreign(self, tags: dict[str, list[str]], path: str) -> None:
        """Refuse tags that the lead does not have."""
        mine = {each["name"] for each in orjson.loads(self._lead["Tag"] or "[]")}
        for module, names in tags.items():
            if set(names) - mine:
                raise _invalid(module, f"{path}.{module}")


def move_links(store: Store, lead: int, contact: int) -> None:
    """Put the contact that a lead became on the lists of the lead's campaigns and products."""
    for name in ("Campaigns_X_Leads", "Products_X_Leads"):
        target = store.schema.links[name.replace("Leads", "Contacts")]
        columns = ", ".join(f'"{each.api_name}"' for each in target.fields
                            if each.api_name not in ("id", "Contact"))  # fmt: skip
        near = target.fields[1].api_name
        for (link,) in store.read(f'SELECT id FROM "{name}" WHERE "Lead" = ?', (lead,)):
            store.execute(
                f'INSERT INTO "{target.api_name}" (id, "Contact", {columns})'
                f' SELECT ?, ?, {columns} FROM "{name}" AS l WHERE id = ? AND "{near}" NOT IN'
                f' (SELECT "{near}" FROM "{target.api_name}" WHERE "Contact" = ?)',
                (store.new_id(), contact, link, contact),
            )


def _lead(org: Org, text: str) -> Row:
    """Find the lead of an address."""
    id_number = parameters.is_id(text)
    rows = org.store.rows("Leads", "id = ?", (int(text),)) if id_number else []
    if not rows:
        raise Refusal(400, "INVALID_DATA", "invalid data", {"resource_path_index": 1})
    return rows[0]


def _item(body: Row) -> Row:
    """Find the one conversion in a body."""
    details = {"api_name": "data", "json_path": "$.data"}
    if "data" not in body:
        raise Refusal(400, "MANDATORY_NOT_FOUND", "required field not found", details)
    items = body["data"]
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise _invalid("data", "$.data", expected_data_type="jsonarray")
    if len(items) != 1:
        limit = {"minimum_length": 1} if not items else {"maximum_length": 1}
        raise _invalid("data", "$.data", **limit)
    item: Row = items[0]
    return item


def _attachments(item: Row) -> str | None:
    """Read which of the three takes the attachments, by name."""
    target = _object(item, "move_attachments_to")
    if target is None:
        return None
    if target.get("api_name") not in MAPPING:
        path = f"{PATH}.move_attachments_to.api_name"
        raise _invalid("api_name", path, supported_values=list(MAPPING))
    return str(target["api_name"])


def _boolean(item: Row, name: str) -> bool:
    """Read a flag; one that is not sent is false."""
    value = item.get(name)
    if not isinstance(value, bool | None):
        raise _invalid(name, f"{PATH}.{name}", expected_data_type="boolean")
    return bool(value)


def _object(item: Row, name: str) -> Row | None:
    """Read an object, if it is sent."""
    value = item.get(name)
    if not isinstance(value, dict | None):
        raise _invalid(name, f"{PATH}.{name}", expected_data_type="jsonobject")
    return value


def _id(named: Row, path: str) -> int:
    """Read the id in an object."""
    text = str(named.get("id", ""))
    if not parameters.is_id(text):
        raise _invalid("id", f"{path}.id")
    return int(text)


def _names(tags: object, module: str, path: str) -> Iterator[str]:
    tags = [each.get("name") if isinstance(each, dict) else each
            for each in (tags if isinstance(tags, list) else [None])]  # fmt: skip
    for name in tags:
        if not isinstance(name, str):
            raise _invalid(module, f"{path}.{module}", expected_data_type="jsonarray")
        yield name


def _invalid(api_name: str, path: str, **details: object) -> Refusal:
    """Refuse a value of the body."""
    location = {"api_name": api_name, "json_path": path}
    return Refusal(400, "INVALID_DATA", "invalid data", details | location)


def _success(code: str, message: str, details: Row, status: int) -> Answer:
    """Write the response of a conversion."""
    item = {"code": code, "details": details, "message": message, "status": "success"}
    return json_answer({"data": [item]}, status)


def _match(
    org: Org, module: str, values: dict[str, Any], shown: str | None = None
) -> Iterator[Match]:
    """Find the records of a module that have some values."""
    where = " AND ".join(f'"{name}" = ?' for name in values)
    sql = f'SELECT id FROM "{module}" WHERE {where} ORDER BY id LIMIT {MOST_OPTIONS}'
    ids = [record for (record,) in org.store.read(sql, tuple(values.values()))]
    if ids:
        value = " ".join(str(each) for each in reversed(values.values()))
        yield Match(module, shown or next(iter(values)), value, ids)


def _shown(org: Org, match: Match | None) -> list[Row] | None:
    """Show the records that may be the lead's already."""
    if match is None:
        return None
    module = org.schema.modules[match.module]
    fields = [module.by_name[name] for name in OPTIONS_SHOW[match.module]]
    where = Condition(f"r.id IN ({', '.join('?' * len(match.ids))})", tuple(match.ids))
    records, _ = Table(org.store, module, fields).read(where, "r.id", MOST_OPTIONS)
    more: Row = {"$editable": True, "$approval_state": "approved"}
    if match.module == "Contacts":
        more["Data_Processing_Basis"] = None
    return [each | more for each in records]


def _matched(org: Org, match: Match | None) -> list[Row] | None:
    """Say by which field and value they were found."""
    if match is None:
        return None
    field = org.schema.modules[match.module].by_name[match.field]
    return [{"field": _field(field), "matched_lead_value": match.value}]


def _field(field: Field) -> Row:
    about = {"field_label": field.label, "unique": field.unique, "id": str(field.id)}
    return {"api_name": field.api_name, **about}


def _mention(org: Org, name: str) -> Row:
    """Mention a module."""
    module: Module = org.schema.modules[name]
    return {"api_name": module.api_name, "id": str(module.id)}


ROUTES = (
    Route(
        "POST",
        f"{V8}/Leads/{{lead_id}}/actions/convert",
        post_convert,
        "convert a lead into an account, a contact and perhaps a deal",
        ("ZohoCRM.modules.Leads.CREATE",),
        "convert",
    ),
    Route(
        "GET",
        f"{V8}/Leads/{{lead_id}}/__conversion_options",
        get_conversion_options,
        "contacts and accounts that may be the lead's already",
        ("ZohoCRM.modules.Leads.READ",),
    ),
)
