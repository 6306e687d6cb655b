"""Accounts, Contacts and Leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zcrm_nb.emulator.world.distributions import NEW_STATUS, OLD_STATUS
from zcrm_nb.emulator.world.org import Columns, GeneratedOrg, owners
from zcrm_nb.emulator.world.places import CITIES, City, Company
from zcrm_nb.emulator.world.sampling import NOW
from zcrm_nb.emulator.world.text import DAY_S, DIALLED, ODD_NAMES, filled, iso_date, slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zcrm_nb.emulator.world.sampling import Batch

PRIVATE_MAIL = ("example.com", "example.org", "example.net")
PLACES = {city: city.weight for city in CITIES}


def accounts(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make firms, each with one address and a size from which its money follows."""
    cities = batch.weighted("City", PLACES)
    firms = _companies(batch, cities)
    people = owners(batch, cities)
    employees, revenue = _sizes(batch, "Employees", 60)
    names = _apart(org, firms, cities)
    domains = [firm.domain for firm in firms]
    org.keep("Accounts", created=batch.created, name=names, city=cities, owner=people,
             employees=employees, domain=domains)  # fmt: skip
    return {
        **org.stamps(batch, people, 90),
        **_address(batch, "Billing_", cities, code="Code"),
        "Account_Name": names,
        "Industry": [firm.industry for firm in firms],
        "Parent_Account": _earlier_here(org, batch, "Parent_Account"),
        "Phone": _numbers(batch, "Phone", [city.phone for city in cities]),
        "Website": [f"https://www.{domain}" for domain in domains],
        "Employees": employees,
        "Annual_Revenue": revenue,
        "Account_Number": [10_000_001 + batch.first + n for n in range(batch.n)],
        "SIC_Code": batch.integers("SIC_Code", 100, 9999),
        "Shipping_City": [city.name for city in cities],
        "Shipping_Country": [city.country.name for city in cities],
        "GSTIN": _tax_numbers(batch, cities, letter="A"),
        "ERP_Customer_Id": [f"ERP-{100_001 + batch.first + n}" for n in range(batch.n)],
    }


def contacts(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make people at accounts that existed when they were entered."""
    known = batch.earlier("Account_Name", org.kept["Accounts", "created"])
    places = batch.some("Account_Name", known, 0.96)
    homes = org.look("Accounts", "city", places)
    cities = [
        home or elsewhere
        for home, elsewhere in zip(homes, batch.weighted("City", PLACES), strict=True)
    ]
    of_account = org.look("Accounts", "owner", places)
    moved = batch.uniform("Owner moved")
    people = [
        anyone if owner is None or die > 0.9 else owner
        for owner, anyone, die in zip(of_account, owners(batch, cities), moved, strict=True)
    ]
    names = _names(batch, cities)
    mails = _mails(batch, names, org.look("Accounts", "domain", places))
    org.keep("Contacts", created=batch.created, account=places, city=cities, mail=mails,
             first=names["First_Name"], last=names["Last_Name"])  # fmt: skip
    return {
        **org.stamps(batch, people, 60),
        **names,
        **_address(batch, "Mailing_", cities, code="Zip"),
        "Account_Name": org.refer("Accounts", places),
        "Email": mails,
        "Phone": _numbers(batch, "Phone", [city.phone for city in cities]),
        "Mobile": _numbers(batch, "Mobile", [city.country.mobile for city in cities]),
        "Date_of_Birth": list(map(iso_date, batch.integers("Date_of_Birth", -5000, 13500))),
        "Reporting_To": _earlier_here(org, batch, "Reporting_To"),
    }


def leads(org: GeneratedOrg, batch: Batch) -> Columns:
    """Make strangers with an interest; some became contacts, accounts and deals."""
    cities = batch.weighted("City", PLACES)
    firms = _companies(batch, cities)
    names = _names(batch, cities)
    employees, revenue = _sizes(batch, "No_of_Employees", 45)
    images = batch.integers("Record_Image", 0, 2**48)
    columns = {
        **org.stamps(batch, owners(batch, cities)),
        **names,
        **_address(batch, "", cities, code="Zip_Code"),
        **_visits(batch),
        "Company": [firm.name for firm in firms],
        "Email": _mails(batch, names, [firm.domain for firm in firms]),
        "Secondary_Email": [f"office{n}@example.org" for n in range(batch.n)],
        "Phone": _dialled(batch, _numbers(batch, "Phone", [city.phone for city in cities])),
        "Mobile": _numbers(batch, "Mobile", [city.country.mobile for city in cities]),
        "Website": [f"https://www.{firm.domain}" for firm in firms],
        "Lead_Status": _statuses(batch),
        "Industry": [firm.industry for firm in firms],
        "No_of_Employees": employees,
        "Annual_Revenue": revenue,
        "GSTIN": _tax_numbers(batch, cities, letter="L"),
        "Lead_Score": [round(die * 100, 1) for die in batch.uniform("Lead_Score")],
        "Next_Follow_Up": batch.dates(batch.integers("Next_Follow_Up", 1, 45)),
        "Record_Image": [f"img{image:012x}" for image in images],
    }
    return _entered_twice(batch, _converted(org, batch, columns))


# -- the outcome of leads ------------------------------------------------------------------------


def _converted(org: GeneratedOrg, batch: Batch, columns: Columns) -> Columns:
    """Turn one lead in eight into a contact that was entered after it."""
    columns |= {
        "Converted__s": [0] * batch.n,
        **{
            name: [None] * batch.n
            for name in ("Converted_Date_Time", "Converted_Account", "Converted_Contact",
                         "Converted_Deal", "Lead_Conversion_Time")
        },
    }  # fmt: skip
    total = org.made.get("Contacts", 0)
    first = _after(batch.created, org.kept["Contacts", "created"])
    for row, die in enumerate(batch.uniform("Converted__s")):
        if die < 0.125 and first[row] < total:
            span = min(total - first[row], 1 + total // 8)
            _become(org, batch.created[row], columns, row, first[row] + int(die * 8 * span))
    return columns


def _become(org: GeneratedOrg, created: int, columns: Columns, row: int, index: int) -> None:
    """Write into one lead what its conversion to the contact at ``place`` left behind."""
    names = ("created", "account", "city", "first", "last", "mail")
    when, account, city, first, last, mail = (org.kept["Contacts", name][index] for name in names)
    values = {
        "Converted__s": 1,
        "Converted_Date_Time": when,
        "Lead_Conversion_Time": (when - created) // DAY_S,
        "Converted_Contact": org.refer("Contacts", [index])[0],
        "Converted_Account": org.refer("Accounts", [account])[0],
        "Converted_Deal": org.refer("Deals", [org.deal_of.get(index)])[0],
        "Lead_Status": "Qualified",
        "Modified_Time": max(when, columns["Modified_Time"][row]),
        "First_Name": first,
        "Last_Name": last,
        "Email": mail,
        "City": city.name,
        "State": city.state,
        "Country": city.country.name,
        "Zip_Code": None,
    }
    if account is not None:
        values["Company"] = org.kept["Accounts", "name"][account]
    for name, value in values.items():
        columns[name][row] = value


def _entered_twice(batch: Batch, columns: Columns) -> Columns:
    """Plant duplicates: two in a hundred people were entered again, a little differently."""
    for row, die in enumerate(batch.uniform("twice")):
        if die < 0.02 and row > 50 and not columns["Converted__s"][row]:
            source = row - 1 - int(die * 2500)
            for name in ("First_Name", "Last_Name", "Salutation", "Company", "Email"):
                columns[name][row] = columns[name][source]
            if die < 0.005:
                columns["Company"][row] = columns["Company"][row].upper() + " "
    return columns


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


def _visits(batch: Batch) -> Columns:
    """Describe what the web site noticed of one lead in four before it gave its name."""
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


# -- firms, names, addresses ---------------------------------------------------------------------


def _companies(batch: Batch, cities: Sequence[City]) -> list[Company]:
    """Draw a firm of the city's country for each record."""
    return [
        (pool := city.country.companies)[int(die * len(pool))]
        for city, die in zip(cities, batch.uniform("Company"), strict=True)
    ]


def _apart(org: GeneratedOrg, firms: Sequence[Company], cities: Sequence[City]) -> list[str]:
    """Name accounts: a firm's second branch carries its city, further ones are duplicates."""
    seen = set(org.kept["Accounts", "name"])
    names = []
    for firm, city in zip(firms, cities, strict=True):
        names.append(f"{firm.name} ({city.name})" if firm.name in seen else firm.name)
        seen.add(firm.name)
    return names


def _sizes(batch: Batch, column: str, median: float) -> tuple[list[int], list[float]]:
    """Draw head counts, and revenues in rupees that go with them."""
    heads = [max(1, round(size)) for size in batch.sizes(column, median, 1.5)]
    each = batch.sizes("Annual_Revenue", 1.7e6, 0.6)
    return heads, [round(n * per_head, -3) for n, per_head in zip(heads, each, strict=True)]


def _names(batch: Batch, cities: Sequence[City]) -> dict[str, list[Any]]:
    """Draw names that fit the country; one in a hundred is what people really type."""
    dice = zip(*(batch.uniform(name) for name in ("First_Name", "Last_Name", "Salutation", "odd")),
               strict=True)  # fmt: skip
    rows = [_name(city, *throw) for city, throw in zip(cities, dice, strict=True)]
    names = zip(*rows, strict=True) if rows else ((), (), ())
    return dict(zip(("First_Name", "Last_Name", "Salutation"), map(list, names), strict=True))


def _name(
    city: City, first: float, last: float, salutation: float, odd: float
) -> tuple[str | None, str, str | None]:
    """Make one person's first name, last name and salutation from four throws of the dice."""
    if odd < 0.01:
        return (*ODD_NAMES[int(odd * 100 * len(ODD_NAMES))], None)
    given, family = city.country.given, city.country.family
    name, is_woman = given[int(first * len(given))]
    return name, family[int(last * len(family))], _salutation(salutation, is_woman)


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
    rows = zip(
        names["First_Name"], names["Last_Name"], domains, batch.uniform("Email"), strict=True
    )
    return [_mail(number, *row) for number, row in enumerate(rows, batch.first + 1)]


def _mail(number: int, first: str | None, last: str, domain: str | None, die: float) -> str | None:
    """Make one person's address, or none."""
    if die < 0.08:
        return None
    name = f"{slug(first or 'x')}.{slug(last)}"
    if die < 0.28 or domain is None:
        return f"{name}{number}@{PRIVATE_MAIL[number % 3]}"
    return f"{name}@{domain}"


def _numbers(batch: Batch, column: str, templates: Sequence[str]) -> list[str]:
    """Draw telephone numbers in the manner of the place."""
    return [
        filled(template, die)
        for template, die in zip(templates, batch.uniform(column), strict=True)
    ]


def _dialled(batch: Batch, numbers: Sequence[str]) -> list[str]:
    """Write one number in ten as it is dialled, or as it stood in a signature."""
    return [
        DIALLED[int(die * 10 * len(DIALLED))](number) if die < 0.1 else number
        for number, die in zip(numbers, batch.uniform("Phone typed"), strict=True)
    ]


def _address(batch: Batch, prefix: str, cities: Sequence[City], code: str) -> Columns:
    """Fill street to country, under the names the module gives them."""
    streets, typed, codes = (
        batch.uniform(prefix + name) for name in ("Street", "City typed", code)
    )
    return {
        f"{prefix}Street": [_street(city, die) for city, die in zip(cities, streets, strict=True)],
        f"{prefix}City": [_typed(city.name, die) for city, die in zip(cities, typed, strict=True)],
        f"{prefix}State": [city.state for city in cities],
        f"{prefix}{code}": [
            filled(city.zip_code, die) for city, die in zip(cities, codes, strict=True)
        ],
        f"{prefix}Country": [city.country.name for city in cities],
    }


def _street(city: City, die: float) -> str:
    """Make one house number and street."""
    streets = city.country.streets
    return f"{1 + int(die * 400)}, {streets[int(die * 9973) % len(streets)]}"


def _typed(city: str, die: float) -> str | None:
    """Type a city, mostly well."""
    if die > 0.04:
        return city
    if die > 0.015:
        return None
    return f"{city} " if die > 0.008 else city.lower()


def _tax_numbers(batch: Batch, cities: Sequence[City], letter: str) -> list[str | None]:
    """Give out GSTINs to Indian firms, each once."""
    return [
        _tax_number(number, letter) if city.country.name == "India" else None
        for number, city in enumerate(cities, batch.first)
    ]


def _tax_number(number: int, letter: str) -> str:
    """Write one GSTIN; its state code 00 does not exist."""
    thousands, units = divmod(number, 10_000)
    high, low = divmod(thousands, 26)
    return f"00AAA{letter}{chr(65 + high % 26)}{units:04d}{chr(65 + low)}1Z5"


def _earlier_here(org: GeneratedOrg, batch: Batch, column: str) -> list[int | None]:
    """Point to records of the same batch that are older."""
    places = batch.earlier(column, batch.created)
    return org.refer(
        batch.module, [None if index is None else index + batch.first for index in places]
    )
