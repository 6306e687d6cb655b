"""What people in the org do: each event is one write of one record, by its owner.

It goes through the same writer as a request does, so that stamps, refusals and notifications
are those of any other write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.records.writes import Writer
from zcrm_nb.emulator.world import staff
from zcrm_nb.emulator.world.building import newcomer
from zcrm_nb.emulator.world.distributions import (
    CLOSED,
    DRAWN,
    GOODS,
    NEXT_STEPS,
    OPEN,
    OUTCOMES,
    REASONS,
)
from zcrm_nb.emulator.world.sampling import Batch
from zcrm_nb.emulator.world.text import day_of, iso_date

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

#: Records of a kind that people still have on their desks; older ones lie.
RECENT = 5_000
#: Places in ``staff.PEOPLE`` of those who sell, and how much of the work each does.
SELLERS = {n: each[6] for n, each in enumerate(staff.PEOPLE) if each[7] == "active" and n != 10}
MANAGER = staff.user_id(2)
#: Newcomers of the world are numbered below this; what is made of a number stays unique.
FIRST_NEWCOMER = 3_000_000
LEAD_FIELDS = (
    "Last_Name", "First_Name", "Salutation", "Company", "Designation", "Email", "Phone", "Mobile",
    "Website", "Lead_Source", "Lead_Status", "Industry", "No_of_Employees", "Annual_Revenue",
    "Street", "City", "State", "Zip_Code", "Country", "GSTIN", "Lead_Score", "Next_Follow_Up",
)  # fmt: skip
MISTYPED = ("Last_Name", "Company", "City")
LEAD_PATH = {
    "Not Contacted": ("Attempted to Contact", "Contacted", "Junk Lead"),
    "Attempted to Contact": ("Contacted", "Contacted", "Contact in Future", "Lost Lead"),
    "Contact in Future": ("Contacted", "Lost Lead"),
    "Contacted": ("Pre-Qualified", "Pre-Qualified", "Not Qualified", "Lost Lead"),
    "Pre-Qualified": ("Qualified", "Not Qualified"),
}
"""Where a lead may stand next."""

Item: TypeAlias = dict[str, Any]


class LifeEvent(NamedTuple):
    """One thing that a user did."""

    what: str
    module: str
    id: str
    who: str


class Pile:
    """Ids of records that people work on, the newest of them."""

    def __init__(self, ids: Iterable[int]) -> None:
        self._ids = list(ids)[-RECENT:]

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, record_id: int) -> None:
        """Put a new record on top; the oldest falls off a pile that is full."""
        self._ids.append(record_id)
        del self._ids[:-RECENT]

    def draw(self, random: Random) -> int | None:
        """Draw any."""
        return random.choice(self._ids) if self._ids else None

    def drop(self, record_id: int) -> None:
        """Take a record off the pile."""
        self._ids.remove(record_id)


class People:
    """The people of the org at work."""

    def __init__(self, org: Org, seed: int) -> None:
        self.org, self.random = org, Random(f"life of {seed}")  # noqa: S311 - no secret
        self._seed, self._streams = seed ^ 0x4C494645, dict[str, Random]()
        # Lead, field and right value of what is not yet corrected.
        self.typos: list[tuple[int, str, str]] = []
        self.twins: list[int] = []
        self.leads = self._pile("Leads", "Converted__s IS NOT 1")
        self.accounts = self._pile("Accounts")
        self.deals = self._pile("Deals", f"Stage IN ({', '.join(map(repr, OPEN))})")
        self.tasks = self._pile("Tasks", "Status <> 'Completed'")

    @property
    def today(self) -> int:
        """The day it is in India, counted from 1970-01-01."""
        return day_of(self.org.clock.now())

    def lead(self) -> Item:
        """Invent a person, as the world is made up."""
        number = self.org.store.count("newcomers", FIRST_NEWCOMER)
        now = self.org.clock.now()
        batch = Batch(self._seed, "Leads", [now], number, self._streams)
        drawn = newcomer(self.org.store, batch)
        fields_by_name = self.org.schema.modules["Leads"].by_name
        fields = [fields_by_name[name] for name in LEAD_FIELDS]
        return {
            each.api_name: drawn[each.api_name]
            for each in fields
            if drawn[each.api_name] not in (None, "")
            and drawn[each.api_name] in ([c.value for c in each.choices] or [drawn[each.api_name]])
        }

    def seller(self) -> int:
        """Choose who does the next piece of work."""
        (seller,) = self.random.choices(list(SELLERS), list(SELLERS.values()))
        return staff.user_id(seller)

    def draw(self, pile: Pile, module: str, *columns: str) -> Item | None:
        """Draw a record that is still there: its id, its owner if they still work, and columns."""
        names = ", ".join(f'"{name}"' for name in ("Owner", *columns))
        while (record_id := pile.draw(self.random)) is not None:
            sql = f'SELECT {names} FROM "{module}" WHERE id = ?'
            rows = self.org.store.read(sql, (record_id,))
            if rows:
                owner, *values = rows[0]
                seller_ids = {staff.user_id(index) for index in SELLERS}
                return {
                    "id": record_id,
                    "Owner": owner if owner in seller_ids else MANAGER,
                    **dict(zip(columns, values, strict=True)),
                }
            pile.drop(record_id)
        return None

    def add(self, what: str, module: str, user: int, item: Item) -> LifeEvent:
        """Make a record."""
        done = self._writer(module, user).insert(item, "$.data[0]")
        return self._happening(what, module, done["details"]["id"], user)

    def change(self, what: str, module: str, record: Item, **values: object) -> LifeEvent:
        """Change a record, as its owner."""
        user = record["Owner"]
        record_id = str(record["id"])
        self._writer(module, user).update({"id": record_id, **values}, "$.data[0]")
        return self._happening(what, module, record_id, user)

    def remove(self, what: str, module: str, record: Item) -> LifeEvent:
        """Delete a record, as its owner."""
        self._writer(module, record["Owner"]).delete(record["id"])
        return self._happening(what, module, str(record["id"]), record["Owner"])

    def about(self) -> Item:
        """Choose what an activity is about: a deal or a lead, where there is one."""
        (kind,) = self.random.choices(["Deals", "Leads"], [45, 30])
        pile = self.deals if kind == "Deals" else self.leads
        record = self.draw(pile, kind)
        if record is None:
            return {}
        return {"What_Id": {"id": str(record["id"])}, "$se_module": kind}

    def _pile(self, module: str, where: str = "1") -> Pile:
        """Pile up the newest records of a module."""
        sql = f'SELECT id FROM "{module}" WHERE {where} ORDER BY id DESC LIMIT {RECENT}'
        return Pile(reversed([row[0] for row in self.org.store.read(sql)]))

    def _writer(self, module: str, user: int) -> Writer:
        return Writer(self.org, user, self.org.schema.modules[module])

    @staticmethod
    def _happening(what: str, module: str, record_id: str, user: int) -> LifeEvent:
        """Describe an event."""
        index = user - staff.user_id(0)
        return LifeEvent(what, module, record_id, " ".join(staff.PEOPLE[index][:2]))


Deed: TypeAlias = Callable[[People], LifeEvent | None]
"""One piece of work; nothing comes of it when there is nothing to work on."""


def create_lead(people: People) -> LifeEvent:
    """Enter a new lead; one in six is mistyped."""
    item = people.lead()
    fields = [name for name in MISTYPED if len(str(item.get(name, ""))) > 3]
    mistyped = people.random.choice(fields) if fields and people.random.random() < 1 / 6 else None
    typed = item | ({mistyped: typo(item[mistyped], people.random)} if mistyped else {})
    done = people.add("created a lead", "Leads", people.seller(), typed)
    people.leads.put(int(done.id))
    if mistyped and typed[mistyped] != item[mistyped]:
        people.typos.append((int(done.id), mistyped, item[mistyped]))
        del people.typos[:-RECENT]
    return done


def enter_twice(people: People) -> LifeEvent | None:
    """Enter a lead that is there already."""
    names = ("Last_Name", "First_Name", "Company", "Email", "Phone")
    twin = people.draw(people.leads, "Leads", *names)
    if twin is None:
        return None
    item = {name: twin[name] for name in names if twin[name]}
    done = people.add("entered a lead again", "Leads", people.seller(), item)
    people.twins.append(int(done.id))
    del people.twins[:-RECENT]
    return done


def delete_twin(people: People) -> LifeEvent | None:
    """Delete a lead that was entered twice."""
    twins = Pile(people.twins)
    record = people.draw(twins, "Leads")
    people.twins = [each for each in people.twins if record and each != record["id"]]
    return people.remove("deleted a duplicate", "Leads", record) if record else None


def correct_typo(people: People) -> LifeEvent | None:
    """Correct a typo."""
    if not people.typos:
        return None
    lead, field, value = people.typos.pop(people.random.randrange(len(people.typos)))
    record = people.draw(Pile([lead]), "Leads")
    return people.change("corrected a typo", "Leads", record, **{field: value}) if record else None


def work_on_lead(people: People) -> LifeEvent | None:
    """Move a lead one status on, or lose it."""
    lead = people.draw(people.leads, "Leads", "Lead_Status", "Converted__s")
    if lead is None:
        return None
    steps = LEAD_PATH.get(lead["Lead_Status"])
    if steps is None or lead["Converted__s"]:
        people.leads.drop(lead["id"])
        return None
    status = people.random.choice(steps)
    return people.change("worked on a lead", "Leads", lead, Lead_Status=status)


def create_deal(people: People) -> LifeEvent | None:
    """Create a deal at an account."""
    account = people.draw(people.accounts, "Accounts", "Account_Name")
    if account is None:
        return None
    random = people.random
    done = people.add("created a deal", "Deals", account["Owner"], {
        "Deal_Name": f"{random.choice(list(GOODS))} - {account['Account_Name']}"[:120],
        "Account_Name": {"id": str(account["id"])},
        "Amount": round(random.lognormvariate(12.2, 0.9), -2),
        "Closing_Date": iso_date(people.today + random.randint(20, 150)),
        "Next_Step": random.choice(NEXT_STEPS),
        "Type": random.choice(("New Business", "Existing Business")),
        **staged("Qualification"),
    })  # fmt: skip
    people.deals.put(int(done.id))
    return done


def move_deal(people: People) -> LifeEvent | None:
    """Move a deal one stage on; after the last one it is won or lost."""
    deal = people.draw(people.deals, "Deals", "Stage", "Amount", "Pipeline")
    if deal is None:
        return None
    stages = [each for each in OPEN if each in PIPELINES.get(deal["Pipeline"], OPEN)]
    if deal["Stage"] not in stages or deal["Stage"] == stages[-1]:
        return _close(people, deal, people.random.choices(list(OUTCOMES), [60, 30, 10])[0])
    stage = stages[stages.index(deal["Stage"]) + 1]
    values: Item = {**staged(stage), "Next_Step": people.random.choice(NEXT_STEPS)}
    if deal["Amount"] and people.random.random() < 0.25:
        values["Amount"] = round(deal["Amount"] * people.random.uniform(0.85, 1.1), -2)
    return people.change("moved a deal", "Deals", deal, **values)


def lose_deal(people: People) -> LifeEvent | None:
    """Lose a deal early."""
    deal = people.draw(people.deals, "Deals", "Stage")
    if deal is None:
        return None
    (end,) = people.random.choices(["Closed Lost", "Closed-Lost to Competition"], [3, 1])
    return _close(people, deal, end)


def _close(people: People, deal: Item, end: str) -> LifeEvent | None:
    """Close a deal; one that another user has closed is off the pile."""
    people.deals.drop(deal["id"])
    if deal["Stage"] not in OPEN:
        return None
    values: Item = {**staged(end), "Closing_Date": iso_date(people.today), "Next_Step": None}
    if end != "Closed Won":
        (why,) = people.random.choices(list(REASONS), list(REASONS.values()))
        values["Reason_For_Loss__s"] = why
    what = "won a deal" if end == "Closed Won" else "lost a deal"
    return people.change(what, "Deals", deal, **values)


def log_call(people: People) -> LifeEvent:
    """Log a telephone call that has just ended."""
    random, recipe = people.random, DRAWN["Calls"]
    seconds = 20 + int(random.expovariate(1 / 240))
    results = {kind: n for kind, n in _weights(recipe["Call_Result"]).items() if kind}
    (result,) = random.choices(list(results), list(results.values()))
    began = datetime.fromtimestamp(people.org.clock.now() - seconds, people.org.store.zone)
    return people.add("logged a call", "Calls", people.seller(), {
        "Subject": random.choice(list(recipe["Subject"])),
        "Call_Type": random.choice(("Outbound", "Outbound", "Inbound")),
        "Call_Purpose": random.choice(("Prospecting", "Negotiation", "Demo")),
        "Call_Result": result,
        "Call_Start_Time": began.isoformat(),
        "Call_Duration": f"{seconds // 60:02d}:{seconds % 60:02d}",
        "Call_Duration_in_seconds": seconds,
        **people.about(),
    })  # fmt: skip


def create_task(people: People) -> LifeEvent:
    """Create a task."""
    random = people.random
    done = people.add("created a task", "Tasks", people.seller(), {
        "Subject": random.choice(list(DRAWN["Tasks"]["Subject"])),
        "Status": "Not Started",
        "Priority": random.choice(("Normal", "Normal", "High", "Low")),
        "Due_Date": iso_date(people.today + random.randint(0, 14)),
        **people.about(),
    })  # fmt: skip
    people.tasks.put(int(done.id))
    return done


def complete_task(people: People) -> LifeEvent | None:
    """Complete a task."""
    task = people.draw(people.tasks, "Tasks")
    if task is None:
        return None
    people.tasks.drop(task["id"])
    return people.change("completed a task", "Tasks", task, Status="Completed")


def staged(stage: str) -> Item:
    """Give the fields that follow from a stage."""
    probability, forecast = (OPEN | CLOSED)[stage]
    return {"Stage": stage, "Probability": probability, "Forecast_Category__s": forecast}


def typo(text: str, random: Random) -> str:
    """Swap two letters in the middle of a text, as hurried fingers do.

    Examples
    --------
    >>> typo("Bengaluru", Random(1))
    'Begnaluru'
    """
    at = random.randrange(1, len(text) - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _weights(values: object) -> Mapping[str, float]:
    """Take values that are drawn by weight."""
    assert isinstance(values, Mapping)
    return values


DEEDS: dict[Deed, float] = {
    create_lead: 20,
    work_on_lead: 22,
    correct_typo: 4,
    enter_twice: 1.5,
    delete_twin: 1.5,
    create_deal: 6,
    move_deal: 20,
    lose_deal: 2,
    log_call: 13,
    create_task: 6,
    complete_task: 5,
}
"""What people do, and how often."""
