"""What people do all day: Tasks, Events, Calls, Notes and Site Visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from . import staff
from .draws import NOW
from .org import Columns, Org
from .selling import _any, _numbers
from .text import DAY_S, PASTED, REMARKS, day_of, iso_date

if TYPE_CHECKING:
    from .draws import Batch

ABOUT = {"Deals": 45.0, "Accounts": 20.0, "Leads": 30.0, "Campaigns": 1.0, None: 4.0}
TASKS = (
    "Call back",
    "Send brochure",
    "Prepare quotation",
    "Register",
    "Check payment",
    "Visit plan",
)
TASK_STATES = {
    "Completed": 55.0,
    "Not Started": 22.0,
    "In Progress": 13.0,
    "Deferred": 6.0,
    "Waiting for input": 4.0,
}
PRIORITIES = {"Normal": 50.0, "High": 27.0, "Low": 12.0, "Highest": 8.0, "Lowest": 3.0}
MEETINGS = ("Product demo", "Review", "Contract talk", "Plant tour", "Kick-off")
CALL_TYPES = {"Outbound": 62.0, "Inbound": 27.0, "Missed": 11.0}
RESULTS: dict[str | None, float] = {
    "Interested": 22, "Not interested": 12, "No response/Busy": 26, "Requested more info": 12,
    "Requested call back": 15, "Invalid number": 3, None: 10,
}  # fmt: skip
REMINDER = '[{"unit":15,"period":"minutes"}]'
RECURRING = '{"RRULE":"FREQ=WEEKLY;INTERVAL=1;UNTIL=2026-12-31;DTSTART=2026-01-05"}'
PURPOSES = (
    "Demo",
    "Installation",
    "Installation;Training",
    "Site Survey",
    "Maintenance",
    "Demo;Payment Follow-up",
    "Maintenance;Training",
)
VISIT_STATES = {"Done": 78.0, "No Show": 8.0, "Cancelled": 14.0}
HOURS = '[{"From":"10:00","To":"13:00"},{"From":"15:00","To":"18:00"}]'


def tasks(org: Org, batch: Batch) -> Columns:
    """Make to-dos; what is completed was closed when it was last touched."""
    status = batch.weighted("Status", TASK_STATES)
    stamps = org.stamps(batch, batch.integers("Owner", 2, 9), 8)
    due = [
        day_of(at) + n
        for at, n in zip(batch.created, batch.integers("Due_Date", 0, 21), strict=True)
    ]
    return {
        **stamps,
        **_about(org, batch),
        "Subject": batch.pick("Subject", TASKS),
        "Due_Date": batch.some("Due_Date", map(iso_date, due), 0.9),
        "Status": status,
        "Priority": batch.weighted("Priority", PRIORITIES),
        "Closed_Time": [
            at if state == "Completed" else None
            for at, state in zip(stamps["Modified_Time"], status, strict=True)
        ],
        "Remind_At": batch.some(
            "Remind_At",
            [
                f'{{"ALARM":"FREQ=NONE;ACTION=POPUP;TRIGGER=DATE-TIME:{iso_date(day)}T09:30:00+05:30"}}'
                for day in due
            ],
            0.2,
        ),
        "Recurring_Activity": batch.maybe("Recurring_Activity", (RECURRING,), 0.02),
        "Description": batch.maybe("Description", REMARKS, 0.25),
    }


def events(org: Org, batch: Batch) -> Columns:
    """Make meetings, on the half hour."""
    starts = [
        (at + die * DAY_S) // 1800 * 1800
        for at, die in zip(batch.created, batch.integers("Start_DateTime", 0, 12), strict=True)
    ]
    lengths = batch.pick("End_DateTime", (1800, 3600, 3600, 5400, 7200))
    people = batch.integers("Owner", 2, 9)
    guests = [
        _participants(who, other)
        for who, other in zip(people, batch.integers("Participants", 1, 11), strict=True)
    ]
    return {
        **org.stamps(batch, people, 5),
        **_about(org, batch),
        "Event_Title": batch.pick("Event_Title", MEETINGS),
        "Start_DateTime": starts,
        "End_DateTime": [start + length for start, length in zip(starts, lengths, strict=True)],
        "All_day": [int(die < 0.03) for die in batch.uniform("All_day")],
        "Venue": batch.pick("Venue", ("Head office", "Customer's plant", "Video call", None)),
        "Participants": batch.some("Participants", guests, 0.5),
        "Remind_At": batch.maybe("Remind_At", (REMINDER,), 0.4),
        "Remind_Participants": [start - 900 for start in starts],
    }


def _participants(*people: int) -> str:
    """List users at a meeting, as Zoho does."""
    return orjson.dumps(
        [
            {
                "name": " ".join(staff.PEOPLE[n][:2]),
                "Email": None,
                "type": "user",
                "participant": str(staff.user_id(n)),
                "invited": False,
                "status": "not_known",
            }
            for n in people
        ]
    ).decode()


def calls(org: Org, batch: Batch) -> Columns:
    """Make telephone calls; a missed one has no length."""
    kinds = batch.weighted("Call_Type", CALL_TYPES)
    seconds = [
        0 if kind == "Missed" else 5 + delay
        for kind, delay in zip(kinds, batch.delays("Call_Duration", 240), strict=True)
    ]
    return {
        **org.stamps(batch, batch.integers("Owner", 2, 9), 3),
        **_about(org, batch),
        "Subject": batch.pick(
            "Subject", ("Follow-up", "First call", "Payment", "Complaint", "Order status")
        ),
        "Call_Type": kinds,
        "Call_Purpose": batch.pick(
            "Call_Purpose", ("Prospecting", "Negotiation", "Demo", "Administrative", None)
        ),
        "Call_Start_Time": batch.created,
        "Call_Duration": [f"{n // 60:02d}:{n % 60:02d}" for n in seconds],
        "Call_Duration_in_seconds": seconds,
        "Outgoing_Call_Status": ["Completed" if kind == "Outbound" else None for kind in kinds],
        "Call_Result": batch.weighted("Call_Result", RESULTS),
    }


def notes(org: Org, batch: Batch) -> Columns:
    """Make notes about leads, contacts, accounts and deals."""
    about = batch.weighted("$se_module", {"Leads": 40, "Deals": 30, "Contacts": 20, "Accounts": 10})
    stamps = org.stamps(batch, batch.integers("Owner", 2, 9), 2)
    text = batch.pick("Note_Content", (*REMARKS, *REMARKS, PASTED))
    return {
        **{
            name: values
            for name, values in stamps.items()
            if name not in {"Last_Activity_Time", "Tag"}
        },
        "Note_Title": batch.maybe("Note_Title", ("Call", "Visit", "Important", "FYI"), 0.7),
        "Note_Content": text,
        **_pointing(org, batch, "Parent_Id", about),
    }


def site_visits(org: Org, batch: Batch) -> Columns:
    """Make visits to sites, with their expenses, engineers and the products shown."""
    firms = org.kept["Accounts"]
    places = batch.earlier("Account", firms["created"])
    days = [
        day_of(at) + n
        for at, n in zip(batch.created, batch.integers("Visit_Date", 1, 25), strict=True)
    ]
    outcome = batch.weighted("Visit_Status", VISIT_STATES)
    status = [
        "Planned" if day >= day_of(NOW) else end for day, end in zip(days, outcome, strict=True)
    ]
    purposes = batch.pick("Purpose", PURPOSES)
    engineers = batch.pick("Lead_Engineer", (3, 4, 5, 10))
    ids = org.ids(batch.module, range(batch.first, batch.first + batch.n))
    _visit_rows(org, batch, ids)
    return {
        **org.stamps(batch, engineers, 10),
        "Name": [
            f"{purpose.split(';')[0]} at {'new site' if place is None else firms['name'][place]}"
            for purpose, place in zip(purposes, places, strict=True)
        ],
        "Visit_Number": _numbers(org, batch, "Visit_Number"),
        "Account": org.refer("Accounts", places),
        "Deal": batch.some("Deal", _any(org, batch, "Deal", "Deals"), 0.4),
        **_pointing(
            org,
            batch,
            "Visit_For",
            batch.weighted("$se_module", {"Contacts": 60, "Leads": 15, None: 25}),
        ),
        "Visit_Status": status,
        "Purpose": purposes,
        "Visit_Date": list(map(iso_date, days)),
        "Arrival_Time": [
            day * DAY_S - 19_800 + 36_000 + late if state == "Done" else None
            for day, state, late in zip(
                days, status, batch.delays("Arrival_Time", 2400), strict=True
            )
        ],
        "Available_Hours": batch.maybe("Available_Hours", (HOURS,), 0.5),
        "Lead_Engineer": [staff.user_id(n) for n in engineers],
        "Distance_Km": [round(size, 1) for size in batch.sizes("Distance_Km", 35, 1.0)],
        "Rate_per_Km": batch.pick("Rate_per_Km", (9.0, 12.0, 12.0, 14.5)),
        "Satisfaction": [
            float(score) if state == "Done" else None
            for score, state in zip(batch.integers("Satisfaction", 40, 100), status, strict=True)
        ],
        "Follow_Up_Needed": [int(die < 0.3) for die in batch.uniform("Follow_Up_Needed")],
        "Site_Email": batch.some(
            "Site_Email", [f"gate{n}@example.org" for n in range(batch.n)], 0.3
        ),
        "Map_Link": batch.some(
            "Map_Link", [f"https://maps.example.com/?q={n}" for n in range(batch.n)], 0.4
        ),
        "Gate_Pass_Number": batch.some(
            "Gate_Pass_Number", batch.integers("Gate_Pass_Number", 10**11, 10**12), 0.5
        ),
        "Directions": batch.maybe("Directions", ("Second gate, ask for the control room.",), 0.3),
        "Photos": batch.some("Photos", map(_photo, ids), 0.15),
        "Documents": batch.some("Documents", map(_document, ids), 0.1),
        "Site_City": ["" if place is None else firms["city"][place].name for place in places],
        "Observations": batch.maybe("Observations", (*REMARKS, PASTED), 0.3),
    }


def _visit_rows(org: Org, batch: Batch, ids: range) -> None:
    """Store the rows that hang on visits: expenses, further engineers, products shown."""
    random, products = batch.stream("rows"), org.made.get("Products", 0)
    expenses: list[tuple[Any, ...]] = []
    engineers: list[tuple[Any, ...]] = []
    shown: list[tuple[Any, ...]] = []
    for visit, at in zip(ids, batch.created, strict=True):
        day = iso_date(day_of(at))
        for _ in range(int(random.random() * 3.5)):
            kind = random.choice(("Train", "Flight", "Taxi", "Hotel", "Meals", "Other"))
            expenses.append(
                (visit, kind, float(round(random.random() ** 2 * 9000 + 120, -1)), day, at)
            )
        for who in random.sample(range(2, 11), int(random.random() * 3)):
            engineers.append((visit, staff.user_id(who), at))
        for product in random.sample(range(products), min(products, int(random.random() * 3))):
            shown.append((visit, org.first_id("Products") + product, at))
    _load_rows(
        org, "Site_Visit_Expenses", ("Parent_Id", "Expense_Type", "Amount", "Spent_On"), expenses
    )
    _load_rows(org, "Site_Visits_X_Users", ("Site_Visit", "Engineers"), engineers)
    _load_rows(org, "Site_Visits_X_Products", ("Site_Visit", "Products_Shown"), shown)


def _load_rows(org: Org, module: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Store rows of a subform or linking module; the last value of each is its time."""
    if rows:
        *values, times = zip(*rows, strict=True)
        columns = dict(zip(names, values, strict=True))
        org.load(module, len(rows), {**columns, "Created_Time": times, "Modified_Time": times})


def _photo(visit: int) -> str:
    """Make one uploaded image."""
    return _upload(
        visit,
        "site.jpg",
        {
            "Preview_Id__s": f"p{visit % 10**9:09d}",
            "Description__s": None,
            "Sequence_Number__s": 1,
            "State__s": None,
        },
    )


def _document(visit: int) -> str:
    """Make one uploaded file."""
    return _upload(
        visit,
        "report.pdf",
        {
            "Owner__s": {"name": "Meera Krishnan", "id": str(staff.ADMIN)},
            "Created_Time__s": "2026-06-01T10:00:00+05:30",
        },
    )


def _upload(visit: int, name: str, more: dict[str, object]) -> str:
    """Make the value of a file field with one file."""
    file = {
        "id": str(visit),
        "File_Id__s": f"f{visit % 10**9:09d}",
        "File_Name__s": name,
        "Size__s": "48213",
    }
    return orjson.dumps([{**file, **more}]).decode()


def _about(org: Org, batch: Batch) -> Columns:
    """Choose the contact and the record an activity belongs to."""
    who = _any(org, batch, "Who_Id", "Contacts")
    about = batch.weighted("$se_module", ABOUT)
    # Beside a lead Zoho shows no contact.
    who = [None if module == "Leads" else each for module, each in zip(about, who, strict=True)]
    return {"Who_Id": batch.some("Who_Id", who, 0.7), **_pointing(org, batch, "What_Id", about)}


def _pointing(
    org: Org, batch: Batch, column: str, modules: list[str | None] | list[str]
) -> Columns:
    """Point to one of several modules, and tell to which."""
    ids: list[int | None] = []
    named: list[str | None] = []
    for module, die in zip(modules, batch.uniform(column), strict=True):
        total = org.made.get(module, 0) if module else 0
        ids.append(org.first_id(module) + int(die * total) if module and total else None)
        named.append(module if total else None)
    return {column: ids, "$se_module": named}
