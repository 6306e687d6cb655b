"""What people do all day: Tasks, Events, Calls, Notes and Site Visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from zcrm_nb.emulator.world import staff
from zcrm_nb.emulator.world.org import Columns, GeneratedOrg
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S, IST_S, day_of, iso_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from zcrm_nb.emulator.world.sampling import Batch

ABOUT = {"Deals": 45.0, "Accounts": 20.0, "Leads": 30.0, "Campaigns": 1.0, None: 4.0}
NOTED = {"Leads": 40.0, "Deals": 30.0, "Contacts": 20.0, "Accounts": 10.0}
VISITED = {"Contacts": 60.0, "Leads": 15.0, None: 25.0}
TASK_STATES = {"Completed": 55.0, "Not Started": 22.0, "In Progress": 13.0, "Deferred": 6.0,
               "Waiting for input": 4.0}  # fmt: skip
VISIT_STATES = {"Done": 78.0, "No Show": 8.0, "Cancelled": 14.0}
CALL_TYPES = {"Outbound": 62.0, "Inbound": 27.0, "Missed": 11.0}
EXPENSES = ("Train", "Flight", "Taxi", "Hotel", "Meals", "Other")
ALARM = '{"ALARM":"FREQ=NONE;ACTION=POPUP;TRIGGER=DATE-TIME:%sT09:30:00+05:30"}'


def tasks(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make to-dos; what is completed was closed when it was last touched."""
    status = batch.weighted("Status", TASK_STATES)
    stamps = org.stamps(batch, batch.integers("Owner", 2, 9), 8)
    due = batch.dates(batch.integers("Due_Date", 0, 21))
    return {
        **stamps,
        **_about(org, batch),
        "Status": status,
        "Due_Date": due,
        "Remind_At": [ALARM % date for date in due],
        "Closed_Time": [
            at if state == "Completed" else None
            for at, state in zip(stamps["Modified_Time"], status, strict=True)
        ],
    }


def events(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make meetings, on the half hour."""
    days = batch.integers("Start_DateTime", 0, 12)
    starts = [(at + n * DAY_S) // 1800 * 1800 for at, n in zip(batch.created, days, strict=True)]
    lengths = batch.pick("End_DateTime", (1800, 3600, 3600, 5400, 7200))
    people = batch.integers("Owner", 2, 9)
    guests = zip(people, batch.integers("Participants", 1, 11), strict=True)
    return {
        **org.stamps(batch, people, 5),
        **_about(org, batch),
        "Start_DateTime": starts,
        "End_DateTime": [start + length for start, length in zip(starts, lengths, strict=True)],
        "Participants": [_participants(who, guest) for who, guest in guests],
        "Remind_Participants": [start - 900 for start in starts],
    }


def calls(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make telephone calls; a missed one has no length."""
    kinds = batch.weighted("Call_Type", CALL_TYPES)
    lengths = zip(kinds, batch.delays("Call_Duration", 240), strict=True)
    seconds = [0 if kind == "Missed" else 5 + delay for kind, delay in lengths]
    return {
        **org.stamps(batch, batch.integers("Owner", 2, 9), 3),
        **_about(org, batch),
        "Call_Type": kinds,
        "Call_Start_Time": batch.created,
        "Call_Duration": [f"{n // 60:02d}:{n % 60:02d}" for n in seconds],
        "Call_Duration_in_seconds": seconds,
        "Outgoing_Call_Status": ["Completed" if kind == "Outbound" else None for kind in kinds],
    }


def notes(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make notes about leads, contacts, accounts and deals."""
    return {
        **org.stamps(batch, batch.integers("Owner", 2, 9), 2),
        **_pointing(org, batch, "Parent_Id", NOTED),
    }


def site_visits(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make visits to sites; their expenses, engineers and products go to their own tables."""
    places = batch.earlier("Account", org.kept["Accounts", "created"])
    waits = batch.integers("Visit_Date", 1, 25)
    days = batch.dates(waits)
    status = [
        "Planned" if day >= iso_date(day_of(NOW)) else end
        for day, end in zip(days, batch.weighted("Visit_Status", VISIT_STATES), strict=True)
    ]
    ids = org.ids(batch)
    _visit_rows(org, batch)
    people = batch.pick("Lead_Engineer", (3, 4, 5, 10))
    scores = batch.integers("Satisfaction", 40, 100)
    return {
        **org.stamps(batch, people, 10),
        **_pointing(org, batch, "Visit_For", VISITED),
        "Name": [
            f"Visit to {name or 'a new site'}" for name in org.look("Accounts", "name", places)
        ],
        "Visit_Number": org.numbers(batch, "Visit_Number"),
        "Account": org.refer("Accounts", places),
        "Deal": org.any(batch, "Deal", "Deals"),
        "Visit_Status": status,
        "Visit_Date": days,
        "Arrival_Time": _arrivals(batch, waits, status),
        "Lead_Engineer": [staff.user_id(n) for n in people],
        "Distance_Km": [round(size, 1) for size in batch.sizes("Distance_Km", 35, 1.0)],
        "Satisfaction": [
            float(score) if state == "Done" else None
            for score, state in zip(scores, status, strict=True)
        ],
        "Site_Email": [f"gate{n % 10**6}@example.org" for n in ids],
        "Map_Link": [f"https://maps.example.com/?q={n % 10**6}" for n in ids],
        "Gate_Pass_Number": batch.integers("Gate_Pass_Number", 10**11, 10**12),
        "Photos": [_photo(n) for n in ids],
        "Documents": [_document(n) for n in ids],
        "Site_City": [city and city.name for city in org.look("Accounts", "city", places)],
    }


def _arrivals(batch: Batch, waits: list[int], status: list[str]) -> list[int | None]:
    """Draw when the engineer came: at ten, or later, on the day of the visit."""
    late = batch.delays("Arrival_Time", 2400)
    return [
        (day_of(at) + days) * DAY_S - IST_S + 36_000 + delay if state == "Done" else None
        for at, days, delay, state in zip(batch.created, waits, late, status, strict=True)
    ]


def _visit_rows(org: GeneratedOrg, batch: Batch) -> None:
    """Store the rows of visits: expenses, further engineers, products shown."""
    random, products = batch.stream("rows"), range(org.made.get("Products", 0))
    visits = list(zip(org.ids(batch), batch.created, strict=True))
    first_product = org.first_id("Products")
    names = ("Parent_Id", "Expense_Type", "Amount", "Spent_On")
    org.load_rows("Site_Visit_Expenses", names, [
        (visit, *_expense(random), iso_date(day_of(at)), at)
        for visit, at in visits
        for _ in range(int(random.random() * 3.5))
    ])  # fmt: skip
    org.load_rows("Site_Visits_X_Users", ("Site_Visit", "Engineers"), [
        (visit, staff.user_id(who), at)
        for visit, at in visits
        for who in random.sample(range(2, 11), int(random.random() * 3))
    ])  # fmt: skip
    org.load_rows("Site_Visits_X_Products", ("Site_Visit", "Products_Shown"), [
        (visit, first_product + index, at)
        for visit, at in visits
        for index in random.sample(products, min(len(products), int(random.random() * 3)))
    ])  # fmt: skip


def _expense(random: Random) -> tuple[str, float]:
    """Draw what was paid for, and how many rupees."""
    return random.choice(EXPENSES), float(round(random.random() ** 2 * 9000 + 120, -1))


# -- values that are JSON ------------------------------------------------------------------------


def _participants(*people: int) -> str:
    """List users at a meeting, as Zoho does."""
    return _json([
        {"name": " ".join(staff.PEOPLE[n][:2]), "Email": None, "type": "user", "invited": False,
         "participant": str(staff.user_id(n)), "status": "not_known"}
        for n in people
    ])  # fmt: skip


def _photo(visit: int) -> str:
    """Make one uploaded image."""
    return _json([{
        "id": str(visit), "File_Id__s": f"f{visit % 10**9:09d}", "File_Name__s": "site.jpg",
        "Size__s": "48213", "Preview_Id__s": f"p{visit % 10**9:09d}", "Description__s": None,
        "Sequence_Number__s": 1, "State__s": None,
    }])  # fmt: skip


def _document(visit: int) -> str:
    """Make one uploaded file."""
    return _json([{
        "id": str(visit), "File_Id__s": f"d{visit % 10**9:09d}", "File_Name__s": "report.pdf",
        "Size__s": "90112", "Created_Time__s": "2026-06-01T10:00:00+05:30",
        "Owner__s": {"name": " ".join(staff.PEOPLE[1][:2]), "id": str(staff.ADMIN)},
    }])  # fmt: skip


def _json(value: object) -> str:
    """Write a value as the store keeps it."""
    return orjson.dumps(value).decode()


# -- contact and subject  -------------------------------------------------------------------


def _about(org: GeneratedOrg, batch: Batch) -> Columns:
    """Choose the contact and the record an activity belongs to."""
    pointing = _pointing(org, batch, "What_Id", ABOUT)
    people = zip(pointing["$se_module"], org.any(batch, "Who_Id", "Contacts"), strict=True)
    # Beside a lead Zoho shows no contact.
    return pointing | {"Who_Id": [None if module == "Leads" else who for module, who in people]}


def _pointing(
    org: GeneratedOrg, batch: Batch, column: str, modules: Mapping[Any, float]
) -> Columns:
    """Point to one of several modules, and say to which."""
    ids: list[int | None] = []
    named: list[str | None] = []
    rows = zip(batch.weighted("$se_module", modules), batch.uniform(column), strict=True)
    for module, die in rows:
        total = org.made.get(module, 0)
        ids.append(org.first_id(module) + int(die * total) if total else None)
        named.append(module if total else None)
    return {column: ids, "$se_module": named}
