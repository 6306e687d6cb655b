"""Campaigns, Deals, and what is on paper: Products, Vendors, Quotes and Invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..schema import AutoNumber
from .draws import NOW
from .org import Columns, Org
from .people import LANGUAGES, PLACES, SOURCES
from .places import CITIES
from .text import DAY_S, day_of, iso_date, slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .draws import Batch

#: stage: probability and forecast category, in the order a deal walks through them
OPEN = {
    "Qualification": (10, "Pipeline"), "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (40, "Pipeline"), "Identify Decision Makers": (60, "Pipeline"),
    "Proposal/Price Quote": (75, "Best Case"), "Negotiation/Review": (90, "Committed"),
}  # fmt: skip
CLOSED = {
    "Closed Won": (100, "Closed"), "Closed Lost": (0, "Omitted"),
    "Closed-Lost to Competition": (0, "Omitted"),
}  # fmt: skip
OUTCOMES = {"Closed Won": 31.0, "Closed Lost": 52.0, "Closed-Lost to Competition": 17.0}
REASONS = {
    "Price": 30.0, "Lack of response": 22.0, "Competition": 14.0, "Expectation Mismatch": 8.0,
    "Missed Follow Ups": 7.0, "Unqualified Customer": 9.0, "Future Interest": 6.0, "Other": 4.0,
}  # fmt: skip
DEAL_TYPES: dict[str | None, float] = {
    "New Business": 52,
    "Existing Business": 30,
    "Renewal": 10,
    None: 8,
}
NEXT_STEPS = ("Send quotation", "Demo at site", "Follow up after budget", "Get PO", "Legal review")
GOODS = (
    "Flow Meter",
    "Pressure Gauge",
    "Level Sensor",
    "Data Logger",
    "Control Valve",
    "Calibration Kit",
    "Annual Maintenance",
    "Site Training",
    "Gateway",
    "Dashboard Licence",
)
CATEGORIES = (
    "Hardware",
    "Hardware",
    "Hardware",
    "Hardware",
    "Hardware",
    "Spares",
    "Services",
    "Training",
    "Hardware",
    "Software",
)
CAMPAIGNS = (
    "Diwali Offer",
    "Plant Expo",
    "Monsoon Webinar",
    "Partner Meet",
    "Calibration Camp",
    "Price List Mailing",
)
PAPER_STATES = {
    "Paid": 62.0,
    "Created": 8.0,
    "Approved": 7.0,
    "Delivered": 12.0,
    "Overdue": 9.0,
    "Cancelled": 2.0,
}
QUOTE_STAGES = {
    "Draft": 18.0,
    "Negotiation": 20.0,
    "Delivered": 25.0,
    "On Hold": 7.0,
    "Confirmed": 10.0,
    "Closed Won": 12.0,
    "Closed Lost": 8.0,
}
TERMS = "Payment within 30 days.\nPrices exclude transport.\nSubject to Pune jurisdiction."


def campaigns(org: Org, batch: Batch) -> Columns:
    """Make fairs and mailings, named after their month."""
    starts = [day_of(at) + 20 for at in batch.created]
    kinds = batch.pick("Campaign_Name", CAMPAIGNS)
    ended = [start + 14 < day_of(NOW) for start in starts]
    budget = [round(size, -3) for size in batch.sizes("Budgeted_Cost", 2e5, 0.7)]
    return {
        **org.stamps(batch, [2 + n % 2 for n in range(batch.n)]),
        "Campaign_Name": [
            f"{kind} {iso_date(start)[:7]}" for kind, start in zip(kinds, starts, strict=True)
        ],
        "Type": batch.pick("Type", ("Trade Show", "Webinar", "Email", "Conference", "Partners")),
        "Status": ["Complete" if over else "Planning" for over in ended],
        "Start_Date": list(map(iso_date, starts)),
        "End_Date": [iso_date(start + 14) for start in starts],
        "Budgeted_Cost": budget,
        "Actual_Cost": [
            round(cost * 1.1, -2) if over else None
            for cost, over in zip(budget, ended, strict=True)
        ],
        "Expected_Revenue": [cost * 8 for cost in budget],
        "Expected_Response": batch.integers("Expected_Response", 10, 400),
        "Num_sent": batch.integers("Num_sent", 200, 20_000),
    }


def deals(org: Org, batch: Batch) -> Columns:
    """Make chances of business with accounts that existed by then, as far as age allows."""
    firms = org.kept["Accounts"]
    accounts = batch.earlier("Account_Name", firms["created"])
    contacts = _contacts(org, batch, accounts)
    amounts = [
        round(size * (1 if place is None else (1 + firms["employees"][place]) ** 0.45), -2)
        for place, size in zip(accounts, batch.sizes("Amount", 60_000, 0.9), strict=True)
    ]
    anyone = batch.integers("Owner", 2, 6)
    people = [
        who if place is None else firms["owner"][place]
        for place, who in zip(accounts, anyone, strict=True)
    ]
    goods = batch.pick("Deal_Name", GOODS)
    names = [
        f"{good} - {'New customer' if place is None else firms['name'][place]}"
        for place, good in zip(accounts, goods, strict=True)
    ]
    progress = _progress(batch)
    org.keep(
        "Deals",
        {
            "created": batch.created,
            "account": accounts,
            "contact": contacts,
            "owner": people,
            "stage": progress["Stage"],
            "closing": progress["Closing_Date"],
            "name": names,
        },
    )
    for place, contact in enumerate(contacts, batch.first):
        if contact is not None:
            org.deal_of.setdefault(contact, place)
    lost = batch.weighted("Reason_For_Loss__s", REASONS)
    stamps = org.stamps(batch, people)
    return {
        **stamps,
        **progress,
        "Deal_Name": names,
        "Pipeline": batch.weighted(
            "Pipeline", {"Standard (Standard)": 92, "Government Tenders": 8}
        ),
        "Amount": batch.some("Amount", amounts, 0.95),
        "Account_Name": org.refer("Accounts", accounts),
        "Contact_Name": org.refer("Contacts", contacts),
        "Campaign_Source": batch.some(
            "Campaign_Source", _any(org, batch, "Campaign_Source", "Campaigns"), 0.2
        ),
        "Type": batch.weighted("Type", DEAL_TYPES),
        "Lead_Source": batch.weighted("Lead_Source", SOURCES),
        "Next_Step": [
            step if stage in OPEN else None
            for stage, step in zip(
                progress["Stage"], batch.pick("Next_Step", NEXT_STEPS), strict=True
            )
        ],
        "Reason_For_Loss__s": [
            why if "Lost" in stage else None
            for stage, why in zip(progress["Stage"], lost, strict=True)
        ],
        "Stage_Modified_Time": stamps["Modified_Time"],
        "Discount_Percent": batch.some(
            "Discount_Percent", [float(n) for n in batch.integers("Discount_Percent", 1, 25)], 0.35
        ),
        "Languages_Known": batch.maybe("Languages_Known", LANGUAGES, 0.3),
        "Solution_Engineer": batch.some("Solution_Engineer", [stamps["Owner"][0]] * batch.n, 0.15),
        "PO_Number": [
            f"PO/{number:06d}" if stage == "Closed Won" else None
            for number, stage in enumerate(progress["Stage"], batch.first + 1)
        ],
    }


def _progress(batch: Batch) -> dict[str, list[Any]]:
    """Draw stages and what follows: a deal closes when its age has passed its sales cycle."""
    ends = batch.weighted("Stage", OUTCOMES)
    cycles = [12 * DAY_S + delay for delay in batch.delays("Closing_Date", 140 * DAY_S)]
    late = batch.uniform("Closing_Date late")
    stages: list[str] = []
    closing: list[str] = []
    days: list[int | None] = []
    for created, cycle, end, die in zip(batch.created, cycles, ends, late, strict=True):
        age = NOW - created
        closed = age > cycle
        stages.append(end if closed else list(OPEN)[int(6 * (age / cycle) ** 1.4)])
        # One open deal in twelve has slipped past its date and nobody has moved it.
        slipped = not closed and die < 0.08
        closing.append(iso_date(day_of(created + (age // 2 if slipped else cycle))))
        days.append(cycle // DAY_S if closed else None)
    known = OPEN | CLOSED
    return {
        "Stage": stages,
        "Closing_Date": closing,
        "Probability": [known[stage][0] for stage in stages],
        "Forecast_Category__s": [known[stage][1] for stage in stages],
        "Overall_Sales_Duration": days,
        "Sales_Cycle_Duration": [
            spent if stage == "Closed Won" else None
            for stage, spent in zip(stages, days, strict=True)
        ],
    }


def _contacts(org: Org, batch: Batch, accounts: Sequence[int | None]) -> list[int | None]:
    """Choose somebody at the account who was known by then, if there is one."""
    if "by_account" not in org.kept["Contacts"]:
        by_account: list[list[int]] = [[] for _ in org.kept["Accounts"]["created"]]
        for place, account in enumerate(org.kept["Contacts"]["account"]):
            if account is not None:
                by_account[account].append(place)
        org.keep("Contacts", {"by_account": by_account})
    at, since = org.kept["Contacts"]["by_account"], org.kept["Contacts"]["created"]
    people: list[int | None] = []
    for account, made, die in zip(
        accounts, batch.created, batch.uniform("Contact_Name"), strict=True
    ):
        known = [] if account is None else [each for each in at[account] if since[each] < made]
        people.append(known[int(die * len(known))] if known else None)
    return people


def _any(org: Org, batch: Batch, column: str, module: str) -> list[int | None]:
    """Point to any record of a module."""
    total = org.made.get(module, 0)
    places = [int(die * total) if total else None for die in batch.uniform(column)]
    return org.refer(module, places)


def vendors(org: Org, batch: Batch) -> Columns:
    """Make the firms we buy from."""
    cities = batch.weighted("City", PLACES)
    firms = [city.country.companies[-1 - n % 40] for n, city in enumerate(cities)]
    return {
        **org.stamps(batch, [1] * batch.n),
        "Vendor_Name": [firm.name for firm in firms],
        "Email": [f"sales@{firm.domain}" for firm in firms],
        "Website": [f"https://www.{firm.domain}" for firm in firms],
        "GL_Account": batch.pick("GL_Account", ("Sales-Hardware", "Sales-Software")),
        "City": [city.name for city in cities],
        "State": [city.state for city in cities],
        "Country": [city.country.name for city in cities],
    }


def products(org: Org, batch: Batch) -> Columns:
    """Make the price list."""
    numbers = range(batch.first, batch.first + batch.n)
    goods = [GOODS[n % len(GOODS)] for n in numbers]
    prices = [round(size, -1) for size in batch.sizes("Unit_Price", 18_000, 0.9)]
    org.keep("Products", {"price": prices})
    started = [iso_date(day_of(at)) for at in batch.created]
    return {
        **org.stamps(batch, [1] * batch.n),
        "Product_Name": [
            f"{good} {100 + 50 * (n // len(GOODS))}" for n, good in zip(numbers, goods, strict=True)
        ],
        "Product_Code": [
            f"{slug(good)[:2].upper()}-{n:04d}" for n, good in zip(numbers, goods, strict=True)
        ],
        "Product_Category": [CATEGORIES[n % len(GOODS)] for n in numbers],
        "Unit_Price": prices,
        "Commission_Rate": batch.maybe("Commission_Rate", (2.5,), 0.4),
        "Qty_in_Stock": [float(n) for n in batch.integers("Qty_in_Stock", 0, 400)],
        "Reorder_Level": [float(n) for n in batch.integers("Reorder_Level", 5, 40)],
        "Taxable": [1] * batch.n,
        "Product_Active": [int(die < 0.92) for die in batch.uniform("Product_Active")],
        "Usage_Unit": batch.pick("Usage_Unit", ("Each", "Box", "Licence", "Hour")),
        "Tax": ['[{"id":"410888000000080001","value":"GST"}]'] * batch.n,
        "Vendor_Name": _any(org, batch, "Vendor_Name", "Vendors"),
        "Sales_Start_Date": started,
        "Handler": org.stamps(batch, [4] * batch.n)["Owner"],
    }


def quotes(org: Org, batch: Batch) -> Columns:
    """Make offers to the people of a deal."""
    columns, ids = _paper(org, batch, org.kept["Deals"]["open"], "Quote")
    _items(org, batch, "Quoted_Items", ids)
    return {
        **columns,
        "Quote_Number": _numbers(org, batch, "Quote_Number"),
        "Quote_Stage": batch.weighted("Quote_Stage", QUOTE_STAGES),
        "Valid_Till": [iso_date(day_of(at) + 30) for at in batch.created],
        "Carrier": batch.maybe("Carrier", ("BlueDart", "DTDC", "India Post"), 0.5),
    }


def invoices(org: Org, batch: Batch) -> Columns:
    """Make bills for deals that were won."""
    columns, ids = _paper(org, batch, org.kept["Deals"]["won"], "Invoice")
    _items(org, batch, "Invoiced_Items", ids)
    dates = [day_of(at) for at in batch.created]
    return {
        **columns,
        "Invoice_Number": _numbers(org, batch, "Invoice_Number"),
        "Invoice_Date": list(map(iso_date, dates)),
        "Due_Date": [iso_date(date + 30) for date in dates],
        "Status": batch.weighted("Status", PAPER_STATES),
        "Adjustment": batch.maybe("Adjustment", (-0.5,), 0.1),
        "Sales_Commission": batch.maybe("Sales_Commission", (1500.0,), 0.2),
    }


def _paper(org: Org, batch: Batch, candidates: Sequence[int], word: str) -> tuple[Columns, range]:
    """Make what quotes and invoices share, and their ids."""
    deals, firms = org.kept["Deals"], org.kept["Accounts"]
    places = (
        [int(die * len(candidates)) for die in batch.uniform("Deal_Name")] if candidates else []
    )
    chosen: list[int | None] = [candidates[place] for place in places] or [None] * batch.n
    accounts = [None if each is None else deals["account"][each] for each in chosen]
    cities = [CITIES[0] if each is None else firms["city"][each] for each in accounts]
    address = {
        f"{to}_{part}": values
        for to in ("Billing", "Shipping")
        for part, values in (
            ("City", [city.name for city in cities]),
            ("State", [city.state for city in cities]),
            ("Country", [city.country.name for city in cities]),
        )
    }
    columns: Columns = {
        **org.stamps(batch, [4 if each is None else deals["owner"][each] for each in chosen]),
        "Subject": [
            f"{word} for {'-' if each is None else deals['name'][each]}" for each in chosen
        ],
        "Deal_Name": org.refer("Deals", chosen),
        "Account_Name": org.refer("Accounts", accounts),
        "Contact_Name": org.refer(
            "Contacts", [None if each is None else deals["contact"][each] for each in chosen]
        ),
        "Terms_and_Conditions": [TERMS] * batch.n,
        **address,
    }
    return columns, org.ids(batch.module, range(batch.first, batch.first + batch.n))


def _numbers(org: Org, batch: Batch, column: str) -> list[str]:
    """Number seeded records as the store would have done."""
    number = org.store.schema.modules[batch.module].by_name[column].auto_number or AutoNumber("")
    return [number.text(n) for n in range(batch.first + 1, batch.first + batch.n + 1)]


def _items(org: Org, batch: Batch, module: str, parents: range) -> None:
    """Store one to four line items for each parent, at the list price."""
    prices = org.kept.get("Products", {}).get("price", [])
    if not prices:
        return
    random = batch.stream(module)
    taxed = orjson.dumps(
        [{"name": "GST", "percentage": 18, "value": 0, "id": "410888000000080001"}]
    ).decode()
    rows: list[tuple[Any, ...]] = []
    for parent, at in zip(parents, batch.created, strict=True):
        for _ in range(1 + int(random.random() ** 2 * 4)):
            product, quantity = (
                int(random.random() * len(prices)),
                float(1 + int(random.random() ** 3 * 40)),
            )
            total = quantity * prices[product]
            discount = round(total * 0.05, 2) if random.random() < 0.2 else 0.0
            rows.append(
                (
                    parent,
                    product,
                    quantity,
                    prices[product],
                    discount,
                    round((total - discount) * 0.18, 2),
                    taxed,
                    at,
                )
            )
    parent_ids, product_places, quantities, list_prices, discounts, taxes, line_taxes, times = zip(
        *rows, strict=True
    )
    org.load(
        module,
        len(rows),
        {
            "Parent_Id": parent_ids,
            "Product_Name": org.refer("Products", product_places),
            "Quantity": quantities,
            "List_Price": list_prices,
            "Discount": discounts,
            "Tax": taxes,
            "Line_Tax": line_taxes,
            "Created_Time": times,
            "Modified_Time": times,
        },
    )
