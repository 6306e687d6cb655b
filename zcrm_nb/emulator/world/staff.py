"""Who works here: roles, profiles and users as data, and the org's own card."""

from __future__ import annotations

from zcrm_nb.emulator.catalog.directory import FOUNDED, USERS
from zcrm_nb.emulator.storage.schema import ORG_PREFIX

#: What does not change in ``GET /org``.
ORG: dict[str, object] = {
    "company_name": "Vindhya Instruments Pvt Ltd",
    "alias": "Vindhya",
    "primary_email": "meera.krishnan@vindhya.example.com",
    "time_zone": "Asia/Kolkata",
    "country": "India",
    "country_code": "IN",
    "currency": "Indian Rupee",
    "iso_code": "INR",
    "currency_symbol": "₹",
    "currency_locale": "en_IN",
    "mc_status": False,
    "domain_name": "org60012345678",
    "created_time": FOUNDED,
    "street": "14, Shivaji Nagar",
    "city": "Pune",
    "state": "Maharashtra",
    "zip": "411005",
    "website": "https://vindhya.example.com",
    "employee_count": "120",
}
ORG_ID = ORG_PREFIX + 20_001
#: What uploads call the org, and the addresses of results.
ZGID = ORG_ID % 10**9

#: first name, last name, role, profile, time zone, country, share of the records, status
PEOPLE = (
    ("Meera", "Krishnan", "CEO", "Administrator", "Asia/Kolkata", "India", 2, "active"),
    ("Rohan", "Deshmukh", "Sales Director", "Administrator", "Asia/Kolkata", "India", 5, "active"),
    ("Farah", "Qureshi", "Regional Manager", "Standard", "Asia/Kolkata", "India", 9, "active"),
    ("Arjun", "Nair", "Regional Manager", "Standard", "Asia/Kolkata", "India", 9, "active"),
    ("Priya", "Banerjee", "Sales Executive", "Standard", "Asia/Kolkata", "India", 18, "active"),
    ("Vikram", "Shekhawat", "Sales Executive", "Standard", "Asia/Kolkata", "India", 16, "active"),
    ("Lakshmi", "Iyer", "Sales Executive", "Standard", "Asia/Kolkata", "India", 15, "active"),
    ("Omar", "Al Hashimi", "Sales Executive", "Standard", "Asia/Dubai", "United Arab Emirates", 8,
     "active"),
    ("Hannah", "O'Neil", "Sales Executive", "Standard", "Europe/London", "United Kingdom", 7,
     "active"),
    ("Daniel", "Whitfield", "Sales Executive", "Standard", "America/New_York", "United States", 6,
     "active"),
    ("Grace", "Wanjiru", "Support Engineer", "Read Only", "Africa/Nairobi", "Kenya", 2, "active"),
    ("Suresh", "Patil", "Sales Executive", "Standard", "Asia/Kolkata", "India", 6, "inactive"),
)  # fmt: skip


def user_id(number: int) -> int:
    """Id of the user at one place of :data:`PEOPLE`."""
    return USERS.first_record_id + number


#: The user of the emulator's credentials.
ADMIN = user_id(1)
