"""What columns are drawn from, and how often they are filled: the part of a world that is data.

:data:`DRAWN` holds, by module and column, the values that come up (a tuple: all alike; a dict: by
weight). :data:`FILLED` holds the share of records that have a value at all; a column that is not
named there is filled as it was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from zcrm_nb.emulator.world.text import PASTED, REMARKS

Values: TypeAlias = Mapping[str | None, float] | Sequence[str | float | int | None]

SOURCES: dict[str | None, float] = {
    "Advertisement": 15, "Cold Call": 12, "Employee Referral": 6, "External Referral": 8,
    "Online Store": 4, "Partner": 9, "Public Relations": 2, "Trade Show": 13, "Seminar Partner": 3,
    "Web Download": 9, "Web Research": 8, "WhatsApp": 7, "Chat": 4, None: 5,
    # They were imported past the picklist.
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
#: The statuses that a lead went through before the one it has; one of the ways is drawn.
LEAD_PATHS: dict[str | None, tuple[tuple[str, ...], ...]] = {
    "Attempted to Contact": (("Not Contacted",),),
    "Contact in Future": (("Not Contacted", "Attempted to Contact"),),
    "Contacted": (
        ("Not Contacted",),
        ("Not Contacted", "Attempted to Contact"),
        ("Not Contacted", "Attempted to Contact", "Contact in Future"),
    ),
    "Pre-Qualified": (
        ("Not Contacted", "Contacted"),
        ("Not Contacted", "Attempted to Contact", "Contacted"),
    ),
    "Qualified": (
        ("Not Contacted", "Contacted", "Pre-Qualified"),
        ("Not Contacted", "Attempted to Contact", "Contacted", "Pre-Qualified"),
    ),
    "Not Qualified": (
        ("Not Contacted", "Contacted"),
        ("Not Contacted", "Contacted", "Pre-Qualified"),
    ),
    "Junk Lead": (("Not Contacted",),),
    "Lost Lead": (("Not Contacted", "Attempted to Contact"), ("Not Contacted", "Contacted")),
}
#: Stage: probability and forecast category, in the order a deal walks through them.
OPEN = {
    "Qualification": (10, "Pipeline"), "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (40, "Pipeline"), "Identify Decision Makers": (60, "Pipeline"),
    "Proposal/Price Quote": (75, "Best Case"), "Negotiation/Review": (90, "Committed"),
}  # fmt: skip
CLOSED = {
    "Closed Won": (100, "Closed"), "Closed Lost": (0, "Omitted"),
    "Closed-Lost to Competition": (0, "Omitted"),
}  # fmt: skip
#: How long a deal or a lead stays at a value, beside the others: quick first calls, slow talks.
STAYS = {
    "Qualification": 0.7, "Needs Analysis": 1.0, "Value Proposition": 0.9,
    "Identify Decision Makers": 1.2, "Proposal/Price Quote": 1.5, "Negotiation/Review": 1.9,
    "Closed Lost": 0.8, "Not Contacted": 0.4, "Contact in Future": 2.0,
}  # fmt: skip
#: Shares of the pipelines; a deal at a stage that its pipeline lacks runs in the standard one.
PIPELINE_SHARES = {"Standard (Standard)": 92.0, "Government Tenders": 8.0}
OUTCOMES = {"Closed Won": 31.0, "Closed Lost": 52.0, "Closed-Lost to Competition": 17.0}
NEXT_STEPS = ("Send quotation", "Demo at site", "Follow up after budget", "Get PO", "Legal review")
REASONS = {
    "Price": 30.0, "Lack of response": 22.0, "Competition": 14.0, "Expectation Mismatch": 8.0,
    "Missed Follow Ups": 7.0, "Unqualified Customer": 9.0, "Future Interest": 6.0, "Other": 4.0,
}  # fmt: skip
#: What we sell, and its category.
GOODS = {
    "Flow Meter": "Hardware", "Pressure Gauge": "Hardware", "Level Sensor": "Hardware",
    "Data Logger": "Hardware", "Control Valve": "Hardware", "Calibration Kit": "Spares",
    "Annual Maintenance": "Services", "Site Training": "Training", "Gateway": "Hardware",
    "Dashboard Licence": "Software",
}  # fmt: skip

RATINGS: dict[str | None, float] = {"Acquired": 12, "Active": 84, "Market Failed": 4}
TITLES = (
    "Purchase Manager", "Managing Director", "Plant Head", "Proprietor", "CFO", "IT Manager",
    "Project Engineer", "VP Operations", "Quality Manager", "Founder",
)  # fmt: skip
LANGUAGES = (
    "English", "English;Hindi", "Hindi", "English;Tamil", "English;Marathi;Hindi",
    "English;Bengali", "English;Telugu;Kannada", "Gujarati;Hindi", "English;Arabic",
)  # fmt: skip
# Remarks are common, whole pasted mails are not.
TEXTS: dict[str | None, float] = {**dict.fromkeys(REMARKS, 10.0), PASTED: 1.0}
RECURRING = '{"RRULE":"FREQ=WEEKLY;INTERVAL=1;UNTIL=2026-12-31;DTSTART=2026-01-05"}'
CONSENT = (
    '{"Data_Processing_Basis":"Obtained","Contact_Through_Email":true,'
    '"Contact_Through_Phone":false,"Contact_Through_Survey":false,"id":"410888000000090001"}'
)
HOURS = '[{"From":"10:00","To":"13:00"},{"From":"15:00","To":"18:00"}]'

DRAWN: dict[str, dict[str, Values]] = {
    "Accounts": {
        "Account_Type": {"Customer": 40, "Prospect": 25, "Distributor": 8, "Partner": 7, "Press": 2,
                         "Reseller": 6, "Supplier": 5, "Competitor": 2, None: 5},
        "Ownership": {"Private": 56, "Proprietorship": 19, "LLP": 10, "Public": 10,
                      "Public Sector": 5},
        "Rating": RATINGS,
        "Description": TEXTS,
    },
    "Contacts": {
        "Title": TITLES,
        "Department": ("Purchase", "Finance", "IT", "Works"),
        "Lead_Source": SOURCES,
        "Description": TEXTS,
        "Email_Opt_Out": (0,) * 15 + (1,),
        "Data_Processing_Basis_Details": (CONSENT,),
    },
    "Leads": {
        "Designation": TITLES,
        "Lead_Source": SOURCES,
        "Rating": RATINGS,
        "Description": TEXTS,
        "Email_Opt_Out": (0,) * 19 + (1,),
        "Languages_Known": LANGUAGES,
        "Preferred_Contact_Time": {"Morning": 41, "Afternoon": 25, "Evening": 29,
                                   "Weekend only": 5},
    },
    "Deals": {
        "Type": {"New Business": 52, "Existing Business": 30, "Renewal": 10, None: 8},
        "Lead_Source": SOURCES,
        "Discount_Percent": (2.0, 3.0, 5.0, 5.0, 7.5, 10.0, 12.0, 15.0, 25.0),
        "Languages_Known": LANGUAGES,
        "Description": TEXTS,
    },
    "Campaigns": {"Type": ("Trade Show", "Webinar", "Email", "Conference", "Partners")},
    "Vendors": {"GL_Account": ("Sales-Hardware", "Sales-Software")},
    "Products": {
        "Usage_Unit": ("Each", "Box", "Licence", "Hour"),
        "Taxable": (1,),
        "Product_Active": (1,) * 12 + (0,),
        "Commission_Rate": (2.5,),
        "Tax": ('[{"id":"410888000000080001","value":"GST"}]',),
    },
    "Quotes": {
        "Quote_Stage": {"Draft": 18, "Negotiation": 20, "Delivered": 25, "On Hold": 7,
                        "Confirmed": 10, "Closed Won": 12, "Closed Lost": 8},
        "Carrier": ("BlueDart", "DTDC", "India Post"),
    },
    "Invoices": {
        "Status": {"Paid": 62, "Created": 8, "Approved": 7, "Delivered": 12, "Overdue": 9,
                   "Cancelled": 2},
        "Adjustment": (-0.5,),
        "Sales_Commission": (1500.0,),
    },
    "Tasks": {
        "Subject": ("Call back", "Send brochure", "Prepare quotation", "Check payment", "Register"),
        "Priority": {"Normal": 50, "High": 27, "Low": 12, "Highest": 8, "Lowest": 3},
        "Recurring_Activity": (RECURRING,),
        "Description": TEXTS,
    },
    "Events": {
        "Event_Title": ("Product demo", "Review", "Contract talk", "Plant tour", "Kick-off"),
        "All_day": (0,) * 30 + (1,),
        "Venue": ("Head office", "Customer's plant", "Video call", None),
        "Remind_At": ('[{"unit":15,"period":"minutes"}]',),
    },
    "Calls": {
        "Subject": ("Follow-up", "First call", "Payment", "Complaint", "Order status"),
        "Call_Purpose": ("Prospecting", "Negotiation", "Demo", "Administrative", None),
        "Call_Result": {"Interested": 22, "Not interested": 12, "No response/Busy": 26, None: 10,
                        "Requested more info": 12, "Requested call back": 15, "Invalid number": 3},
    },
    "Notes": {"Note_Title": ("Call", "Visit", "Important", "FYI"), "Note_Content": TEXTS},
    "Site_Visits": {
        "Purpose": ("Demo", "Installation", "Installation;Training", "Site Survey", "Maintenance",
                    "Demo;Payment Follow-up", "Maintenance;Training"),
        "Available_Hours": (HOURS,),
        "Rate_per_Km": (9.0, 12.0, 12.0, 14.5),
        "Follow_Up_Needed": (0, 0, 1),
        "Directions": ("Second gate, ask for the control room.",),
        "Observations": TEXTS,
    },
}  # fmt: skip

FILLED: dict[str, dict[str, float]] = {
    "Accounts": {
        "Industry": 0.93, "Rating": 0.25, "Ownership": 0.8, "Phone": 0.9, "Website": 0.7,
        "Employees": 0.8, "Annual_Revenue": 0.65, "SIC_Code": 0.1, "Parent_Account": 0.06,
        "Description": 0.3, "Billing_Street": 0.7, "Billing_Code": 0.7, "Shipping_City": 0.4,
        "Shipping_Country": 0.4, "GSTIN": 0.4,
    },
    "Contacts": {
        "Title": 0.85, "Department": 0.5, "Phone": 0.6, "Mobile": 0.8, "Date_of_Birth": 0.2,
        "Reporting_To": 0.1, "Mailing_Street": 0.5, "Mailing_Zip": 0.6, "Description": 0.3,
        "Data_Processing_Basis_Details": 0.3,
    },
    "Leads": {
        "Designation": 0.7, "Phone": 0.75, "Mobile": 0.6, "Website": 0.35, "Industry": 0.8,
        "Rating": 0.25, "No_of_Employees": 0.55, "Annual_Revenue": 0.5, "Street": 0.5,
        "Zip_Code": 0.7, "Description": 0.3, "Secondary_Email": 0.03, "Languages_Known": 0.6,
        "Preferred_Contact_Time": 0.6, "GSTIN": 0.35, "Lead_Score": 0.9, "Next_Follow_Up": 0.4,
        "Record_Image": 0.02,
    },
    "Deals": {
        "Amount": 0.95, "Campaign_Source": 0.2, "Discount_Percent": 0.35, "Languages_Known": 0.3,
        "Solution_Engineer": 0.15, "Description": 0.2,
    },
    "Products": {"Commission_Rate": 0.4},
    "Quotes": {"Carrier": 0.5},
    "Invoices": {"Adjustment": 0.1, "Sales_Commission": 0.2},
    "Tasks": {
        "Due_Date": 0.9, "Who_Id": 0.7, "Remind_At": 0.2, "Recurring_Activity": 0.02,
        "Description": 0.25,
    },
    "Events": {"Who_Id": 0.7, "Participants": 0.5, "Remind_At": 0.4},
    "Calls": {"Who_Id": 0.7},
    "Notes": {"Note_Title": 0.7},
    "Site_Visits": {
        "Deal": 0.4, "Available_Hours": 0.5, "Site_Email": 0.3, "Map_Link": 0.4, "Photos": 0.15,
        "Gate_Pass_Number": 0.5, "Directions": 0.3, "Documents": 0.1, "Observations": 0.3,
    },
}  # fmt: skip
