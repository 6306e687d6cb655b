"""Accounts, Contacts and Leads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .draws import NOW
from .org import Columns, Org, owners
from .places import CITIES, City, Company
from .text import DAY_S, ODD_NAMES, PASTED, REMARKS, day_of, filled, iso_date, slug

if TYPE_CHECKING:
    from .draws import Batch

T = TypeVar("T")

SOURCES: dict[str | None, float] = {
    "Advertisement": 15, "Cold Call": 12, "Employee Referral": 6, "External Referral": 8,
    "Online Store": 4, "Partner": 9, "Public Relations": 2, "Trade Show": 13, "Seminar Partner": 3,
    "Web Download": 9, "Web Research": 8, "WhatsApp": 7, "Chat": 4, None: 5,
    # Values that somebody imported past the picklist, and one with a stray space.
    "Facebook Ads": 0.6, "trade show ": 0.4,
}  # fmt: skip
# A lead of the last month has hardly been worked on; an old one has met its fate.
NEW_STATUS: dict[str | None, float] = {
    "Not Contacted": 45, "Attempted to Contact": 25, "Contacted": 15, "Pre-Qualified": 5,
    "Contact in Future": 4, "Junk Lead": 3, None: 3,
}  # fmt: skip
OLD_STATUS: dict[str | None, float] = {
    "Not Contacted": 6, "Attempted to Contact": 20, "Contacted": 24, "Contact in Future": 9,
    "Pre-Qualified": 10, "Qualified": 6, "Not Qualified": 9, "Junk Lead": 6, "Lost Lead": 9,
    "Contactd": 0.3, None: 1,
}  # fmt: skip
RATINGS: dict[str | None, float] = {"Acquired": 3, "Active": 20, "Market Failed": 1, None: 76}
TITLES = (
    "Purchase Manager",
    "Managing Director",
    "Plant Head",
    "Proprietor",
    "CFO",
    "IT Manager",
    "Project Engineer",
    "VP Operations",
    "Quality Manager",
    "Founder",
)
LANGUAGES = (
    "English",
    "English;Hindi",
    "Hindi",
    "English;Tamil",
    "English;Marathi;Hindi",
    "English;Bengali",
    "English;Telugu;Kannada",
    "Gujarati;Hindi",
    "English;Arabic",
)
ACCOUNT_TYPES: dict[str | None, float] = {
    "Customer": 40, "Prospect": 25, "Distributor": 8, "Partner": 7, "Reseller": 6, "Supplier": 5,
    "Press": 2, "Competitor": 2, None: 5,
}  # fmt: skip
OWNERSHIPS: dict[str | None, float] = {
    "Private": 45, "Proprietorship": 15, "LLP": 8, "Public": 8, "Public Sector": 4, None: 20,
}  # fmt: skip
PRIVATE_MAIL = ("example.com", "example.org", "example.net")
PLACES = {city: city.weight for city in CITIES}
CONSENT = '{"Data_Processing_Basis":"Obtained","Contact_Through_Email":true,' \
          '"Contact_Through_Phone":false,"Contact_Through_Survey":false,"id":"410888000000090001"}'  # fmt: skip


def accounts(org: Org, batch: Batch) -> Columns:
    """Make firms, each with one address and a size from which its money follows."""
    cities = batch.weighted("Billing_City", PLACES)
    firms = _companies(batch, cities)
    people = owners(batch, cities)
    employees = [max(1, round(size)) for size in batch.sizes("Employees", 60, 1.5)]
    revenue = [
        round(n * each, -3)
        for n, each in zip(employees, batch.sizes("Annual_Revenue", 1.8e6, 0.6), strict=True)
    ]
    names = _apart(org, firms, cities)
    parents = batch.some("Parent_Account", batch.earlier("Parent_Account", batch.created), 0.06)
    org.keep(
        "Accounts",
        {
            "created": batch.created,
            "name": names,
            "city": cities,
            "owner": people,
            "employees": employees,
            "domain": [firm.domain for firm in firms],
        },
    )
    address = _address(batch, "Billing", cities)
    return {
        **org.stamps(batch, people, 90),
        "Account_Name": names,
        "Account_Type": batch.weighted("Account_Type", ACCOUNT_TYPES),
        "Industry": batch.some("Industry", [firm.industry for firm in firms], 0.93),
        "Ownership": batch.weighted("Ownership", OWNERSHIPS),
        "Rating": batch.weighted("Rating", RATINGS),
        "Parent_Account": org.refer(
            "Accounts", [None if place is None else place + batch.first for place in parents]
        ),
        "Phone": batch.some("Phone", _numbers(batch, "Phone", cities, mobile=False), 0.9),
        "Website": batch.some("Website", [f"https://www.{firm.domain}" for firm in firms], 0.7),
        "Employees": batch.some("Employees", employees, 0.8),
        "Annual_Revenue": batch.some("Annual_Revenue", revenue, 0.65),
        "Account_Number": [10_000_001 + batch.first + n for n in range(batch.n)],
        "SIC_Code": batch.some("SIC_Code", batch.integers("SIC_Code", 100, 9999), 0.1),
        **address,
        **{
            f"Shipping{key[7:]}": batch.some("Shipping", values, 0.5)
            for key, values in address.items()
        },
        "Description": _descriptions(batch),
        "GSTIN": _tax_numbers(batch, cities, letter="A"),
    }


def contacts(org: Org, batch: Batch) -> Columns:
    """Make people at accounts that existed when they were entered."""
    firms = org.kept["Accounts"]
    places = batch.some("Account_Name", batch.earlier("Account_Name", firms["created"]), 0.96)
    elsewhere = batch.weighted("Mailing_City", PLACES)
    cities = [
        city if place is None else firms["city"][place]
        for place, city in zip(places, elsewhere, strict=True)
    ]
    domains = [None if place is None else firms["domain"][place] for place in places]
    anyone = owners(batch, cities)
    people = [
        who if place is None or die > 0.9 else firms["owner"][place]
        for place, who, die in zip(places, anyone, batch.uniform("Owner!"), strict=True)
    ]
    names = _names(batch, cities)
    mails = _mails(batch, names, domains)
    mobiles = batch.some("Mobile", _numbers(batch, "Mobile", cities, mobile=True), 0.8)
    org.keep(
        "Contacts",
        {
            "created": batch.created,
            "account": places,
            "city": cities,
            "mail": mails,
            "first": names["First_Name"],
            "last": names["Last_Name"],
            "mobile": mobiles,
        },
    )
    bosses = [
        None if boss is None else boss + batch.first
        for boss in batch.some("Reporting_To", batch.earlier("Reporting_To", batch.created), 0.1)
    ]
    return {
        **org.stamps(batch, people, 60),
        **names,
        "Account_Name": org.refer("Accounts", places),
        "Title": batch.maybe("Title", TITLES, 0.85),
        "Department": batch.maybe("Department", ("Purchase", "Finance", "IT", "Works"), 0.5),
        "Email": mails,
        "Phone": batch.some("Phone", _numbers(batch, "Phone", cities, mobile=False), 0.6),
        "Mobile": mobiles,
        "Date_of_Birth": batch.some(
            "Date_of_Birth", map(iso_date, batch.integers("Date_of_Birth", -5000, 13500)), 0.2
        ),
        "Lead_Source": batch.weighted("Lead_Source", SOURCES),
        "Reporting_To": org.refer("Contacts", bosses),
        **_address(batch, "Mailing", cities, code="Zip"),
        "Description": _descriptions(batch),
        "Email_Opt_Out": [int(die < 0.06) for die in batch.uniform("Email_Opt_Out")],
        "Data_Processing_Basis_Details": batch.maybe(
            "Data_Processing_Basis_Details", (CONSENT,), 0.3
        ),
    }


def leads(org: Org, batch: Batch) -> Columns:
    """Make strangers with an interest; some became contacts, accounts and deals."""
    cities = batch.weighted("City", PLACES)
    firms = _companies(batch, cities)
    people = owners(batch, cities)
    names = _names(batch, cities)
    employees = [max(1, round(size)) for size in batch.sizes("No_of_Employees", 45, 1.4)]
    revenue = [
        round(n * each, -3)
        for n, each in zip(employees, batch.sizes("Annual_Revenue", 1.6e6, 0.7), strict=True)
    ]
    columns: dict[str, Any] = {
        **org.stamps(batch, people),
        **names,
        "Company": [firm.name for firm in firms],
        "Designation": batch.maybe("Designation", TITLES, 0.7),
        "Email": _mails(batch, names, [firm.domain for firm in firms]),
        "Phone": batch.some("Phone", _numbers(batch, "Phone", cities, mobile=False), 0.75),
        "Mobile": batch.some("Mobile", _numbers(batch, "Mobile", cities, mobile=True), 0.6),
        "Website": batch.some("Website", [f"https://www.{firm.domain}" for firm in firms], 0.35),
        "Lead_Source": batch.weighted("Lead_Source", SOURCES),
        "Lead_Status": _statuses(batch),
        "Industry": batch.some("Industry", [firm.industry for firm in firms], 0.8),
        "Rating": batch.weighted("Rating", RATINGS),
        "No_of_Employees": batch.some("No_of_Employees", employees, 0.55),
        "Annual_Revenue": batch.some("Annual_Revenue", revenue, 0.5),
        **_address(batch, "", cities, code="Zip_Code"),
        "Description": _descriptions(batch),
        "Email_Opt_Out": [int(die < 0.05) for die in batch.uniform("Email_Opt_Out")],
        **_visits(batch),
        "Languages_Known": batch.maybe("Languages_Known", LANGUAGES, 0.6),
        "Preferred_Contact_Time": batch.weighted(
            "Preferred_Contact_Time",
            {"Morning": 25, "Afternoon": 15, "Evening": 18, "Weekend only": 3, None: 39},
        ),
        "GSTIN": _tax_numbers(batch, cities, letter="L"),
        "Lead_Score": batch.some(
            "Lead_Score", [round(die * 100, 1) for die in batch.uniform("Lead_Score")], 0.9
        ),
        "Next_Follow_Up": batch.some(
            "Next_Follow_Up",
            [
                iso_date(day_of(at) + die)
                for at, die in zip(
                    batch.created, batch.integers("Next_Follow_Up", 1, 45), strict=True
                )
            ],
            0.4,
        ),
        "Record_Image": batch.some(
            "Record_Image",
            [f"img{die:012x}" for die in batch.integers("Record_Image", 0, 2**48)],
            0.02,
        ),
    }
    columns |= _converted(org, batch, columns)
    _twice(batch, columns)
    return dict(columns)


def _visits(batch: Batch) -> dict[str, list[Any]]:
    """Tell what the web site noticed of one lead in four before it gave its name."""
    days = batch.some("Days_Visited", batch.integers("Days_Visited", 1, 30), 0.25)
    seen = list(zip(days, batch.created, strict=True))
    return {
        "Days_Visited": days,
        "Visitor_Score": [n and n * 7 % 100 for n in days],
        "Number_Of_Chats": [n and n % 4 for n in days],
        "Average_Time_Spent_Minutes": [n and n * 1.75 for n in days],
        "First_Visited_Time": [n and at - n * DAY_S for n, at in seen],
        "Last_Visited_Time": [n and at - 300 for n, at in seen],
        "First_Visited_URL": [n and f"https://vindhya.example.com/p/{n}" for n in days],
        "Referrer": [n and "https://search.example.com/" for n in days],
    }


def _converted(org: Org, batch: Batch, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Turn one lead in eight into a contact entered after it; they share name and address."""
    known = org.kept["Contacts"]
    total = len(known["created"])
    first = _after(batch.created, known["created"])
    fresh: dict[str, list[Any]] = {
        name: [None] * batch.n
        for name in (
            "Converted_Date_Time",
            "Converted_Account",
            "Converted_Contact",
            "Converted_Deal",
            "Lead_Conversion_Time",
        )
    } | {"Converted__s": [0] * batch.n}
    contact_id, account_id, deal_id = map(org.first_id, ("Contacts", "Accounts", "Deals"))
    for row, die in enumerate(batch.uniform("Converted__s")):
        if die >= 0.125 or first[row] >= total:
            continue
        place = first[row] + int(die * 8 * min(total - first[row], 1 + total // 8))
        account, deal = known["account"][place], org.deal_of.get(place)
        when = known["created"][place]
        fresh["Converted__s"][row] = 1
        fresh["Converted_Date_Time"][row] = when
        fresh["Converted_Contact"][row] = contact_id + place
        fresh["Converted_Account"][row] = None if account is None else account_id + account
        fresh["Converted_Deal"][row] = None if deal is None else deal_id + deal
        fresh["Lead_Conversion_Time"][row] = (when - batch.created[row]) // DAY_S
        columns["First_Name"][row], columns["Last_Name"][row] = (
            known["first"][place],
            known["last"][place],
        )
        columns["Email"][row], columns["Mobile"][row] = known["mail"][place], known["mobile"][place]
        city = known["city"][place]
        columns["City"][row], columns["State"][row], columns["Country"][row] = (
            city.name,
            city.state,
            city.country.name,
        )
        columns["Zip_Code"][row] = None
        columns["Lead_Status"][row] = "Qualified"
        columns["Modified_Time"][row] = max(when, columns["Modified_Time"][row])
        if account is not None:
            columns["Company"][row] = org.kept["Accounts"]["name"][account]
    return fresh


def _twice(batch: Batch, columns: dict[str, list[Any]]) -> None:
    """Plant duplicates: two in a hundred people were entered again, a little differently."""
    for row, die in enumerate(batch.uniform("twice")):
        if die < 0.02 and row > 50 and not columns["Converted__s"][row]:
            source = row - 1 - int(die * 2500)
            for name in ("First_Name", "Last_Name", "Salutation", "Company", "Email"):
                columns[name][row] = columns[name][source]
            if die < 0.005 and columns["Company"][row]:
                columns["Company"][row] = columns["Company"][row].upper() + " "


def _after(moments: Sequence[int], ascending: Sequence[int]) -> list[int]:
    """Find for each of the ascending moments the place of the first that is later."""
    places, at = [], 0
    for moment in moments:
        while at < len(ascending) and ascending[at] <= moment:
            at += 1
        places.append(at)
    return places


def _statuses(batch: Batch) -> list[str | None]:
    """Draw where a lead stands, by its age."""
    new = batch.weighted("Lead_Status new", NEW_STATUS)
    old = batch.weighted("Lead_Status", OLD_STATUS)
    month_ago = NOW - 30 * DAY_S
    return [a if at > month_ago else b for at, a, b in zip(batch.created, new, old, strict=True)]


def _companies(batch: Batch, cities: Sequence[City]) -> list[Company]:
    """Draw a firm of the city's country for each record."""
    return [
        (pool := city.country.companies)[int(die * len(pool))]
        for city, die in zip(cities, batch.uniform("Company"), strict=True)
    ]


def _apart(org: Org, firms: Sequence[Company], cities: Sequence[City]) -> list[str]:
    """Name accounts: a firm's second branch carries its city, further ones are duplicates."""
    seen = set(org.kept.get("Accounts", {}).get("name", ()))
    names = []
    for firm, city in zip(firms, cities, strict=True):
        names.append(f"{firm.name} ({city.name})" if firm.name in seen else firm.name)
        seen.add(firm.name)
    return names


def _names(batch: Batch, cities: Sequence[City]) -> dict[str, list[Any]]:
    """Draw names that fit the country; one in a hundred is what people really type."""
    first: list[str | None] = []
    last: list[str] = []
    salutations: list[str | None] = []
    odd = batch.uniform("odd names")
    dice = zip(
        batch.uniform("First_Name"),
        batch.uniform("Last_Name"),
        batch.uniform("Salutation"),
        strict=True,
    )
    for city, (a, b, c), d in zip(cities, dice, odd, strict=True):
        given, family = city.country.given, city.country.family
        name, is_woman = given[int(a * len(given))]
        is_odd = d < 0.01
        first.append(name.replace("_", " "))
        last.append(family[int(b * len(family))])
        salutations.append(None if is_odd else _salutation(c, is_woman))
        if is_odd:
            first[-1], last[-1] = ODD_NAMES[int(d * 100 * len(ODD_NAMES))]
    return {"First_Name": first, "Last_Name": last, "Salutation": salutations}


def _salutation(die: float, is_woman: bool) -> str | None:
    """Choose a salutation; fewer than half of the people have one."""
    if die > 0.45:
        return None
    if die < 0.04:
        return "Dr."
    return ("Ms." if die < 0.3 else "Mrs.") if is_woman else "Mr."


def _mails(
    batch: Batch, names: dict[str, list[Any]], domains: Sequence[str | None]
) -> list[str | None]:
    """Make addresses of name and firm; one in five is private, one in twelve missing."""
    mails: list[str | None] = []
    rows = zip(
        names["First_Name"], names["Last_Name"], domains, batch.uniform("Email"), strict=True
    )
    for number, (first, last, domain, die) in enumerate(rows, batch.first + 1):
        if die < 0.08:
            mails.append(None)
        elif die < 0.28 or domain is None:
            mails.append(f"{slug(first or 'x')}.{slug(last)}{number}@{PRIVATE_MAIL[number % 3]}")
        else:
            mails.append(f"{slug(first or 'x')}.{slug(last)}@{domain}")
    return mails


def _numbers(batch: Batch, column: str, cities: Sequence[City], *, mobile: bool) -> list[str]:
    """Draw telephone numbers in the manner of the place."""
    return [
        filled(city.country.mobile if mobile else city.phone, die)
        for city, die in zip(cities, batch.uniform(column), strict=True)
    ]


def _address(
    batch: Batch, prefix: str, cities: Sequence[City], code: str = "Code"
) -> dict[str, list[Any]]:
    """Fill street to country, under the names the module gives them."""
    lead = f"{prefix}_" if prefix else ""
    streets = [
        f"{1 + int(die * 400)}, {(all_ := city.country.streets)[int(die * 9973) % len(all_)]}"
        for city, die in zip(cities, batch.uniform(f"{lead}Street"), strict=True)
    ]
    dice = batch.uniform(f"{lead}City typed")
    return {
        f"{lead}Street": batch.some(f"{lead}Street", streets, 0.6),
        f"{lead}City": [_typed(city.name, die) for city, die in zip(cities, dice, strict=True)],
        f"{lead}State": [city.state for city in cities],
        f"{lead}{code}": batch.some(
            f"{lead}{code}",
            [
                filled(city.zip_code, die)
                for city, die in zip(cities, batch.uniform(f"{lead}{code}"), strict=True)
            ],
            0.7,
        ),
        f"{lead}Country": [city.country.name for city in cities],
    }


def _typed(city: str, die: float) -> str | None:
    """Type a city, mostly well."""
    if die > 0.04:
        return city
    return None if die > 0.015 else f"{city} " if die > 0.008 else city.lower()


def _tax_numbers(batch: Batch, cities: Sequence[City], letter: str) -> list[str | None]:
    """Give out GSTINs, each once; their state code 00 does not exist."""
    return [
        f"00AAA{letter}{chr(65 + number // 10_000 // 26 % 26)}{number % 10_000:04d}{chr(65 + number // 10_000 % 26)}1Z5"
        if city.country.name == "India" and die < 0.35
        else None
        for number, (city, die) in enumerate(
            zip(cities, batch.uniform("GSTIN"), strict=True), batch.first
        )
    ]


def _descriptions(batch: Batch) -> list[str | None]:
    """Draw a remark here and there, and now and then a whole mail."""
    pasted = batch.uniform("Description long")
    remarks = batch.maybe("Description", REMARKS, 0.3)
    return [PASTED if die < 0.004 else text for text, die in zip(remarks, pasted, strict=True)]
