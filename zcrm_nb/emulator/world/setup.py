"""What the administrator has set up: territories, pipelines, variables, hours, holidays and so on.

Each kind of settings is a list of plain objects; their ids are the same in every org.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.directory import FOUNDED, ROLES
from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.storage import documents
from zcrm_nb.emulator.storage.schema import ORG_PREFIX
from zcrm_nb.emulator.world import staff

if TYPE_CHECKING:
    from zcrm_nb.emulator.storage.schema import Schema
    from zcrm_nb.emulator.storage.store import Store

Document = dict[str, Any]

#: Ids of settings begin here; each kind has room for a thousand.
FIRST_ID = ORG_PREFIX + 43_000_001
WORKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]

#: name, the territory above it, place of its manager, places of its users, countries, states
TERRITORIES: tuple[
    tuple[str, str | None, int | None, tuple[int, ...], tuple[str, ...], tuple[str, ...]], ...
] = (
    ("Vindhya Instruments", None, 1, (), (), ()),
    ("India", "Vindhya Instruments", 2, (2, 3), (), ()),
    ("India West", "India", 2, (4, 5), ("India",), ("Maharashtra", "Gujarat", "Rajasthan")),
    ("India South", "India", 3, (6,), ("India",),
     ("Karnataka", "Telangana", "Tamil Nadu", "Kerala")),
    ("India North and East", "India", 3, (4, 6), ("India",),
     ("Delhi", "Uttar Pradesh", "Madhya Pradesh", "West Bengal", "Assam")),
    ("Middle East and Africa", "Vindhya Instruments", 7, (7,),
     ("United Arab Emirates", "Kenya"), ()),
    ("Asia Pacific", "Vindhya Instruments", 7, (7,), ("Singapore",), ()),
    ("Europe", "Vindhya Instruments", 8, (8,), ("United Kingdom",), ()),
    ("Americas", "Vindhya Instruments", 9, (9,), ("United States",), ()),
)  # fmt: skip

VARIABLE_GROUPS = (
    ("General", "Figures that several reports need"),
    ("Taxes", "Tax rates and numbers"),
)
#: API name, name, type, value, group, description
VARIABLES = (
    ("Quarter_Target", "Quarter Target", "currency", 25_000_000, "General", "Amount to be won"),
    ("Support_Email", "Support E-mail", "email", "support@vindhya.example.com", "General", None),
    ("Price_List_Valid_Till", "Price List Valid Till", "date", "2027-03-31", "General", None),
    ("GST_Rate", "GST Rate", "percent", 18, "Taxes", "Of goods and services"),
    ("GSTIN", "GSTIN", "text", "27AAACV0000A1Z5", "Taxes", "Of the company, made up"),
)
#: Holidays of the office in Pune.
HOLIDAYS = (
    ("Republic Day", "01-26"),
    ("Holi", "03-04"),
    ("Gudi Padwa", "03-19"),
    ("Maharashtra Day", "05-01"),
    ("Independence Day", "08-15"),
    ("Gandhi Jayanti", "10-02"),
    ("Dussehra", "10-20"),
    ("Diwali", "11-08"),
    ("Christmas", "12-25"),
)
HOLIDAY_YEAR = 2026


def load_settings(store: Store) -> None:
    """Store the settings of an org, all as old as the org."""
    founded = int(datetime.fromisoformat(FOUNDED).timestamp())
    stamps = {
        **dict.fromkeys(("created_by", "modified_by"), staff.ADMIN),
        **dict.fromkeys(("created_time", "modified_time"), founded),
    }
    for place, (kind, kept) in enumerate(_settings(store.schema).items()):
        for number, each in enumerate(kept):
            documents.add(store, kind, each | stamps, FIRST_ID + place * 1_000 + number)


def place_records(store: Store) -> None:
    """Put accounts, and leads and deals, into the territory of their country and state."""
    for territory in documents.listed(store, "territories"):
        countries, states = territory["countries"], territory["states"]
        for module, country, state in PLACED:
            where = f"{country} IN ({', '.join('?' * len(countries))})"
            if states:
                where += f" AND {state} IN ({', '.join('?' * len(states))})"
            if countries:
                store.execute(
                    "INSERT OR IGNORE INTO record_territories"
                    f' SELECT r.id, {int(territory["id"])} FROM "{module}" r WHERE {where}',
                    (*countries, *states),
                )


_ACCOUNT = 'FROM "Accounts" WHERE id = r."Account_Name")'
#: Modules whose records are in territories, and where they say country and state.
PLACED = (
    ("Accounts", 'r."Billing_Country"', 'r."Billing_State"'),
    ("Leads", 'r."Country"', 'r."State"'),
    ("Deals", f'(SELECT "Billing_Country" {_ACCOUNT}', f'(SELECT "Billing_State" {_ACCOUNT}'),
)


def _settings(schema: Schema) -> dict[str, list[Document]]:
    """List all settings by their kinds; the order gives them their ids."""
    return {
        "territories": _territories(schema),
        "pipeline": [
            {"display_value": name, "actual_value": name, "default": number == 0,
             "stages": list(stages)}
            for number, (name, stages) in enumerate(PIPELINES.items())
        ],
        "variable_groups": [
            {"api_name": name, "name": name, "display_label": name, "description": text,
             "source": "crm"}
            for name, text in VARIABLE_GROUPS
        ],
        "variables": _variables(),
        "business_hours": [
            {"week_starts_on": "Monday", "type": "custom", "business_days": WORKDAYS,
             "same_as_everyday": True, "daily_timing": ["09:30", "18:30"], "custom_timing": []}
        ],
        "shift_hours": _shifts(),
        "holidays": [
            {"name": name, "date": f"{HOLIDAY_YEAR}-{day}", "year": HOLIDAY_YEAR,
             "type": "business_holiday", "shift_hour": None}
            for name, day in HOLIDAYS
        ],
        "fiscal_year": [{"start_month": "April", "display_based_on": "start_month"}],
        "user_groups": _groups(),
        "users_unavailability": [
            {"user": str(staff.user_id(6)), "from": "2026-09-21T00:00:00+05:30",
             "to": "2026-09-25T23:59:59+05:30", "all_day": True, "comments": "On leave"}
        ],
        "global_picklists": [
            _picklist("Industries", "Industry of a company", ("Manufacturing", "IT Services",
                      "Healthcare", "Retail", "Logistics", "Education")),
            _picklist("Regions", "Sales regions", ("West", "South", "North and East", "Overseas")),
        ],
        "email_templates": _mails(),
        "inventory_templates": [
            {"name": "Quote, with logo", "module": "Quotes", "content": "<p>Quote</p>"},
            {"name": "Tax invoice", "module": "Invoices", "content": "<p>Tax invoice</p>"},
        ],
    }  # fmt: skip


def _territories(schema: Schema) -> list[Document]:
    """Make the tree of territories; each says which accounts are in it."""
    ids = {each[0]: str(FIRST_ID + n) for n, each in enumerate(TERRITORIES)}
    country = schema.modules["Accounts"].by_name["Billing_Country"]
    field = {"api_name": country.api_name, "id": str(country.id)}
    return [
        {
            "name": name,
            "api_name": name.replace(" ", "_"),
            "description": None,
            "manager": None if manager is None else str(staff.user_id(manager)),
            "reporting_to": ids.get(above or ""),
            "permission_type": "read_write_delete",
            "account_rule_criteria": (
                {"comparator": "in", "field": field, "value": list(countries), "type": "value"}
                if countries
                else None
            ),
            "deal_rule_criteria": None,
            "lead_rule_criteria": None,
            "users": [str(staff.user_id(each)) for each in users],
            "countries": list(countries),
            "states": list(states),
        }
        for name, above, manager, users, countries, states in TERRITORIES
    ]


def _variables() -> list[Document]:
    """Make the variables, each in its group."""
    group_kind = 2
    groups = {name: n for n, (name, _) in enumerate(VARIABLE_GROUPS)}
    return [
        {
            "api_name": api_name,
            "name": name,
            "type": kind,
            "value": value,
            "description": text,
            "variable_group": str(FIRST_ID + group_kind * 1_000 + groups[group]),
            "source": "crm",
            "read_only": False,
        }
        for api_name, name, kind, value, group, text in VARIABLES
    ]


def _shifts() -> list[Document]:
    """Make the shifts of the support engineers."""
    early, late = ["07:00", "15:00"], ["15:00", "23:00"]
    return [
        {
            "name": name,
            "timezone": "Asia/Kolkata",
            "shift_days": WORKDAYS,
            "same_as_everyday": True,
            "daily_timing": timing,
            "custom_timing": [],
            "break_hours": [],
            "users": users,
        }
        for name, timing, users in (
            ("Early", early, [{"id": str(staff.user_id(10)), "effective_from": "2026-04-01"}]),
            ("Late", late, []),
        )
    ]


def _groups() -> list[Document]:
    """Make groups of users: of single ones, of a role, of a territory."""
    role = str(ROLES.first_record_id + 2)
    return [
        {"name": "Key accounts", "description": "Who looks after the largest customers",
         "sources": [_source("users", str(staff.user_id(n))) for n in (2, 4)]},
        {"name": "Managers", "description": None, "sources": [_source("roles", role)]},
        {"name": "India", "description": None,
         "sources": [_source("territories", str(FIRST_ID + 1))]},
    ]  # fmt: skip


def _source(kind: str, member: str) -> Document:
    """Write one source of a user group."""
    return {"type": kind, "source": member, "subordinates": False, "sub_territories": True}


def _picklist(name: str, text: str, values: tuple[str, ...]) -> Document:
    """Make a global picklist."""
    return {
        "api_name": name,
        "display_label": name,
        "actual_label": name,
        "description": text,
        "presence": True,
        "pick_list_values_sorted_lexically": False,
        "values": [{"value": each, "used": True} for each in values],
    }


def _mails() -> list[Document]:
    """Make templates of e-mails."""
    return [
        {"name": name, "subject": subject, "module": module, "content": f"<p>{subject}</p>"}
        for name, module, subject in (
            ("Welcome", "Leads", "Welcome to Vindhya Instruments"),
            ("Proposal follow-up", "Deals", "Your questions about our proposal"),
            ("Visit report", "Contacts", "What we found at your plant"),
        )
    ]
