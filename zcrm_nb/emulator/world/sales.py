"""Campaigns, Deals, and what is on paper: Products, Vendors, Quotes and Invoices."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.catalog.picklists import PIPELINES
from zcrm_nb.emulator.world.distributions import (
    CLOSED,
    GOODS,
    NEXT_STEPS,
    OPEN,
    OUTCOMES,
    PIPELINE_SHARES,
    REASONS,
)
from zcrm_nb.emulator.world.org import Columns, GeneratedOrg
from zcrm_nb.emulator.world.people import PLACES
from zcrm_nb.emulator.world.places import CITIES
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S, day_of, iso_date, slug

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from zcrm_nb.emulator.world.sampling import Batch

CAMPAIGNS = ("Diwali Offer", "Plant Expo", "Monsoon Webinar", "Partner Meet", "Price List Mailing")
TERMS = "Payment within 30 days.\nPrices exclude transport.\nSubject to Pune jurisdiction."
GST = '[{"name":"GST","percentage":18,"value":0,"id":"410888000000080001"}]'


def campaigns(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make fairs and mailings, named after their month."""
    starts = batch.dates(repeat(20))
    ends = batch.dates(repeat(34))
    ended = [end < iso_date(day_of(NOW)) for end in ends]
    budget = [round(size, -3) for size in batch.sizes("Budgeted_Cost", 2e5, 0.7)]
    names = zip(batch.pick("Campaign_Name", CAMPAIGNS), starts, strict=True)
    return {
        **org.stamps(batch, batch.integers("Owner", 2, 3)),
        "Campaign_Name": [f"{name} {start[:7]}" for name, start in names],
        "Status": ["Complete" if over else "Planning" for over in ended],
        "Start_Date": starts,
        "End_Date": ends,
        "Budgeted_Cost": budget,
        "Actual_Cost": [
            round(cost * 1.1, -2) if over else None
            for cost, over in zip(budget, ended, strict=True)
        ],
        "Expected_Revenue": [cost * 8 for cost in budget],
        "Expected_Response": batch.integers("Expected_Response", 10, 400),
        "Num_sent": batch.integers("Num_sent", 200, 20_000),
    }


def vendors(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make the firms we buy from."""
    cities = batch.weighted("City", PLACES)
    firms = [city.country.companies[-1 - n % 40] for n, city in enumerate(cities)]
    return {
        **org.stamps(batch, [1] * batch.n),
        "Vendor_Name": [firm.name for firm in firms],
        "Email": [f"sales@{firm.domain}" for firm in firms],
        "Website": [f"https://www.{firm.domain}" for firm in firms],
        "City": [city.name for city in cities],
        "State": [city.state for city in cities],
        "Country": [city.country.name for city in cities],
    }


def products(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make the price list."""
    numbers = range(batch.first, batch.first + batch.n)
    goods = [list(GOODS)[n % len(GOODS)] for n in numbers]
    prices = [round(size, -1) for size in batch.sizes("Unit_Price", 18_000, 0.9)]
    org.keep("Products", price=prices)
    named = list(zip(numbers, goods, strict=True))
    stamps = org.stamps(batch, [1] * batch.n)
    return {
        **stamps,
        "Product_Name": [f"{good} {100 + 50 * (n // len(GOODS))}" for n, good in named],
        "Product_Code": [f"{slug(good)[:2].upper()}-{n:04d}" for n, good in named],
        "Product_Category": [GOODS[good] for good in goods],
        "Unit_Price": prices,
        "Qty_in_Stock": list(map(float, batch.integers("Qty_in_Stock", 0, 400))),
        "Reorder_Level": list(map(float, batch.integers("Reorder_Level", 5, 40))),
        "Vendor_Name": org.any(batch, "Vendor_Name", "Vendors"),
        "Sales_Start_Date": batch.dates(repeat(0)),
        "Handler": stamps["Owner"],
    }


# -- deals ---------------------------------------------------------------------------------------


def deals(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make chances of business with accounts that existed by then, as far as age allows."""
    accounts = batch.earlier("Account_Name", org.kept["Accounts", "created"])
    contacts = _contacts(org, batch, accounts)
    people = [
        anyone if owner is None else owner
        for owner, anyone in zip(
            org.look("Accounts", "owner", accounts), batch.integers("Owner", 2, 6), strict=True
        )
    ]
    names = [
        f"{good} - {name or 'New customer'}"
        for name, good in zip(
            org.look("Accounts", "name", accounts),
            batch.pick("Deal_Name", list(GOODS)),
            strict=True,
        )
    ]
    progress = _progress(batch)
    stages = progress["Stage"]
    org.keep("Deals", account=accounts, contact=contacts, owner=people, name=names,
             stage=stages)  # fmt: skip
    for place, contact in enumerate(contacts, batch.first):
        if contact is not None:
            org.deal_of.setdefault(contact, place)
    stamps = org.stamps(batch, people)
    return {
        **stamps,
        **progress,
        **_ends(batch, stages),
        "Pipeline": _pipelines(batch, stages),
        "Deal_Name": names,
        "Amount": _amounts(org, batch, accounts),
        "Account_Name": org.refer("Accounts", accounts),
        "Contact_Name": org.refer("Contacts", contacts),
        "Campaign_Source": org.any(batch, "Campaign_Source", "Campaigns"),
        "Stage_Modified_Time": stamps["Modified_Time"],
        "Solution_Engineer": stamps["Created_By"],
    }


def _pipelines(batch: Batch, stages: Sequence[str]) -> list[str]:
    """Let each deal run in a pipeline that has its stage."""
    return [
        pipeline if stage in PIPELINES[pipeline] else next(iter(PIPELINES))
        for stage, pipeline in zip(stages, batch.weighted("Pipeline", PIPELINE_SHARES), strict=True)
    ]


def _ends(batch: Batch, stages: Sequence[str]) -> Columns:
    """Give open deals a next step, lost ones a reason, and won ones the number of an order."""
    return {
        "Next_Step": [
            step if stage in OPEN else None
            for stage, step in zip(stages, batch.pick("Next_Step", NEXT_STEPS), strict=True)
        ],
        "Reason_For_Loss__s": [
            why if "Lost" in stage else None
            for stage, why in zip(stages, batch.weighted("Reason", REASONS), strict=True)
        ],
        "PO_Number": [
            f"PO/{number:06d}" if stage == "Closed Won" else None
            for number, stage in enumerate(stages, batch.first + 1)
        ],
    }


def _amounts(org: GeneratedOrg, batch: Batch, accounts: Sequence[int | None]) -> list[float]:
    """Draw sums in rupees that grow with the size of the account."""
    heads = org.look("Accounts", "employees", accounts)
    return [
        round(size * (1 + (n or 0)) ** 0.45, -2)
        for n, size in zip(heads, batch.sizes("Amount", 60_000, 0.9), strict=True)
    ]


def _progress(batch: Batch) -> dict[str, list[Any]]:
    """Draw stages and what follows: a deal closes when its age has passed its sales cycle."""
    dice = zip(
        batch.created,
        [12 * DAY_S + delay for delay in batch.delays("Closing_Date", 140 * DAY_S)],
        batch.weighted("Stage", OUTCOMES),
        batch.uniform("Closing_Date late"),
        strict=True,
    )
    stages, closing, days = zip(*(_stage(*throw) for throw in dice), strict=True)
    known = OPEN | CLOSED
    return {
        "Stage": list(stages),
        "Closing_Date": list(closing),
        "Probability": [known[stage][0] for stage in stages],
        "Forecast_Category__s": [known[stage][1] for stage in stages],
        "Overall_Sales_Duration": list(days),
        "Sales_Cycle_Duration": [
            spent if stage == "Closed Won" else None
            for stage, spent in zip(stages, days, strict=True)
        ],
    }


def _stage(created: int, cycle_s: int, end: str, late: float) -> tuple[str, str, int | None]:
    """Give one deal's stage, closing date and, once it is closed, its duration in days."""
    age_s = NOW - created
    if age_s > cycle_s:
        return end, iso_date(day_of(created + cycle_s)), cycle_s // DAY_S
    stage = list(OPEN)[int(len(OPEN) * (age_s / cycle_s) ** 1.4)]
    # One open deal in twelve has slipped past its date and was not moved.
    due_s = age_s // 2 if late < 0.08 else cycle_s
    return stage, iso_date(day_of(created + due_s)), None


def _contacts(org: GeneratedOrg, batch: Batch, accounts: Sequence[int | None]) -> list[int | None]:
    """Choose a contact of the account who was known by then, if there is one."""
    since = org.kept["Contacts", "created"]
    people: list[int | None] = []
    rows = zip(accounts, batch.created, batch.uniform("Contact_Name"), strict=True)
    for account, made, die in rows:
        contacts = [each for each in org.contacts_of(account) if since[each] < made]
        people.append(contacts[int(die * len(contacts))] if contacts else None)
    return people


# -- papers --------------------------------------------------------------------------------------


def quotes(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make offers to the people of a deal."""
    columns = _paper(org, batch, list(OPEN), "Quote")
    _items(org, batch, "Quoted_Items")
    return {
        **columns,
        "Quote_Number": org.numbers(batch, "Quote_Number"),
        "Valid_Till": batch.dates(repeat(30)),
    }


def invoices(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make bills for deals that were won."""
    columns = _paper(org, batch, ["Closed Won"], "Invoice")
    _items(org, batch, "Invoiced_Items")
    return {
        **columns,
        "Invoice_Number": org.numbers(batch, "Invoice_Number"),
        "Invoice_Date": batch.dates(repeat(0)),
        "Due_Date": batch.dates(repeat(30)),
    }


def _paper(org: GeneratedOrg, batch: Batch, stages: Sequence[str], word: str) -> Columns:
    """Make what quotes and invoices share, for deals in one of the stages."""
    fit = [n for n, stage in enumerate(org.kept["Deals", "stage"]) if stage in stages]
    chosen = batch.pick("Deal_Name", fit or [None])
    accounts = org.look("Deals", "account", chosen)
    people = [1 if n is None else n for n in org.look("Deals", "owner", chosen)]
    where = [city or CITIES[0] for city in org.look("Accounts", "city", accounts)]
    return {
        **org.stamps(batch, people),
        "Subject": [f"{word} for {name}" for name in org.look("Deals", "name", chosen)],
        "Deal_Name": org.refer("Deals", chosen),
        "Account_Name": org.refer("Accounts", accounts),
        "Contact_Name": org.refer("Contacts", org.look("Deals", "contact", chosen)),
        "Terms_and_Conditions": [TERMS] * batch.n,
        "Billing_City": [city.name for city in where],
        "Billing_State": [city.state for city in where],
        "Billing_Country": [city.country.name for city in where],
        "Shipping_City": [city.name for city in where],
    }


def _items(org: GeneratedOrg, batch: Batch, module: str) -> None:
    """Store one to four line items for each paper of the batch, at the list price."""
    random, prices = batch.stream(module), org.kept["Products", "price"]
    if not prices:
        return
    names = ("Product_Name", "Quantity", "List_Price", "Discount", "Tax")
    org.load_rows(module, ("Parent_Id", *names, "Line_Tax"), [
        (parent, *_item(org, random, prices), GST, at)
        for parent, at in zip(org.ids(batch), batch.created, strict=True)
        for _ in range(1 + int(random.random() ** 2 * 4))
    ])  # fmt: skip


def _item(org: GeneratedOrg, random: Random, prices: Sequence[float]) -> tuple[Any, ...]:
    """Draw one line item: product, quantity, price, discount and tax at 18 per cent."""
    index = int(random.random() * len(prices))
    quantity, price = float(1 + int(random.random() ** 3 * 40)), prices[index]
    discount = round(quantity * price * 0.05, 2) if random.random() < 0.2 else 0.0
    tax = round((quantity * price - discount) * 0.18, 2)
    return org.first_id("Products") + index, quantity, price, discount, tax
