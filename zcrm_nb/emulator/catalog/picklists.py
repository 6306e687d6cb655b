"""Values of the org's picklists, in the CRM's order."""

from __future__ import annotations

from zcrm_nb.emulator.catalog.builders import choices
from zcrm_nb.emulator.storage.schema import Choice

SALUTATION = choices("Mr.", "Mrs.", "Ms.", "Dr.", "Prof.")
LEAD_SOURCE = choices(
    "Advertisement",
    "Cold Call",
    "Employee Referral",
    "External Referral",
    "Online Store",
    "Partner",
    "Public Relations",
    "Trade Show",
    "Seminar Partner",
    "Web Download",
    "Web Research",
    "WhatsApp",
    "Chat",
    unused=("Fax Campaign", "X (Twitter)"),
)
LEAD_STATUS = choices(
    Choice("Not Contacted", "#879bfc"),
    Choice("Attempted to Contact", "#63c57e"),
    Choice("Contact in Future", "#f8e199"),
    Choice("Contacted", "#25b52a"),
    Choice("Pre-Qualified", "#57b1fd"),
    Choice("Qualified", "#168aef"),
    Choice("Not Qualified", "#d297ee"),
    Choice("Junk Lead", "#dbdbdb"),
    Choice("Lost Lead", "#fea36a"),
    unused=("Web Visitor",),
)
INDUSTRY = choices(
    "Agriculture",
    "Automotive",
    "Construction",
    "Education",
    "Energy",
    "Financial Services",
    "Food Processing",
    "Government",
    "Healthcare",
    "Hospitality",
    "IT Services",
    "Logistics",
    "Manufacturing",
    "Pharmaceuticals",
    "Real Estate",
    "Retail",
    "Telecom",
    "Textiles",
    unused=("ASP (Application Service Provider)", "Data/Telecom OEM"),
)
RATING = choices(
    "Acquired",
    "Active",
    "Market Failed",
    "Project Cancelled",
    "Shut Down",
)
UNSUBSCRIBED_MODE = choices("Consent form", "Manual", "Unsubscribe link", "Zoho campaigns")
ENRICH_STATUS = choices("Available", "Enriched", "Data not found")
LANGUAGES = choices(
    "English",
    "Hindi",
    "Bengali",
    "Tamil",
    "Telugu",
    "Marathi",
    "Gujarati",
    "Kannada",
    "Malayalam",
    "Punjabi",
    "Urdu",
    "Arabic",
    "Swahili",
    "German",
    unused=("Latin",),
)
CONTACT_TIME = choices("Morning", "Afternoon", "Evening", "Weekend only")
ACCOUNT_TYPE = choices(
    "Analyst",
    "Competitor",
    "Customer",
    "Distributor",
    "Integrator",
    "Investor",
    "Other",
    "Partner",
    "Press",
    "Prospect",
    "Reseller",
    "Supplier",
    "Vendor",
)
OWNERSHIP = choices(
    "Private",
    "Public",
    "Partnership",
    "Proprietorship",
    "LLP",
    "Public Sector",
    "Subsidiary",
    "Other",
)
# A deal always has a stage, so this list has no "-None-".
STAGE = (
    Choice("Qualification", "#9fa8da", probability=10, forecast="Pipeline"),
    Choice("Needs Analysis", "#90caf9", probability=20, forecast="Pipeline"),
    Choice("Value Proposition", "#80deea", probability=40, forecast="Pipeline"),
    Choice("Identify Decision Makers", "#80cbc4", probability=60, forecast="Pipeline"),
    Choice("Proposal/Price Quote", "#ffe082", probability=75, forecast="Best Case"),
    Choice("Negotiation/Review", "#ffcc80", probability=90, forecast="Committed"),
    Choice("Closed Won", "#a5d6a7", probability=100, forecast="Closed"),
    Choice("Closed Lost", "#ef9a9a", probability=0, forecast="Omitted"),
    Choice("Closed-Lost to Competition", "#e57373", probability=0, forecast="Omitted"),
    Choice("Id. Decision Makers (old)", used=False, probability=50, forecast="Pipeline"),
)
PIPELINE = (Choice("Standard (Standard)"), Choice("Government Tenders"))
#: The stages of each pipeline; a tender is won on paper, no one is persuaded.
PIPELINES: dict[str, tuple[str, ...]] = {
    "Standard (Standard)": tuple(each.value for each in STAGE if each.used),
    "Government Tenders": tuple(
        each.value
        for each in STAGE
        if each.used and each.value not in {"Value Proposition", "Identify Decision Makers"}
    ),
}
DEAL_TYPE = choices("Existing Business", "New Business", "Renewal")
REASON_FOR_LOSS = choices(
    "Expectation Mismatch",
    "Price",
    "Unqualified Customer",
    "Lack of response",
    "Missed Follow Ups",
    "Wrong Target",
    "Competition",
    "Future Interest",
    "Other",
)
FORECAST_CATEGORY = choices("Pipeline", "Best Case", "Committed", "Closed", "Omitted")
CAMPAIGN_TYPE = choices(
    "Conference",
    "Webinar",
    "Trade Show",
    "Public Relations",
    "Partners",
    "Referral Program",
    "Advertisement",
    "Banner Ads",
    "Direct mail",
    "Email",
    "Telemarketing",
    "Others",
)
CAMPAIGN_STATUS = choices("Planning", "Active", "Inactive", "Complete")
TASK_STATUS = choices("Not Started", "Deferred", "In Progress", "Completed", "Waiting for input")
PRIORITY = choices("High", "Highest", "Low", "Lowest", "Normal")
CALL_TYPE = choices("Outbound", "Inbound", "Missed")
CALL_PURPOSE = choices(
    "Prospecting", "Administrative", "Negotiation", "Demo", "Project", "Desk Support"
)
CALL_RESULT = choices(
    "Interested",
    "Not interested",
    "No response/Busy",
    "Requested more info",
    "Requested call back",
    "Invalid number",
)
CALL_STATUS = choices("Scheduled", "Completed", "Overdue", "Cancelled")
CATEGORY = choices("Hardware", "Software", "Services", "Spares", "Training")
UNIT = choices("Box", "Each", "Hour", "Kilogram", "Metre", "Licence")
TAX = choices("GST", "IGST", "VAT")
QUOTE_STAGE = choices(
    "Draft", "Negotiation", "Delivered", "On Hold", "Confirmed", "Closed Won", "Closed Lost"
)
INVOICE_STATUS = choices(
    "Created", "Approved", "Delivered", "Paid", "Overdue", "Cancelled", unused=("Void",)
)
GL_ACCOUNT = choices("Sales-Hardware", "Sales-Software", "Rental-Income", "Interest-Income")
CARRIER = choices("BlueDart", "DTDC", "India Post", "FedEX", "DHL")
VISIT_STATUS = choices(
    Choice("Planned", "#57b1fd"),
    Choice("Done", "#25b52a"),
    Choice("No Show", "#f8e199"),
    Choice("Cancelled", "#eb4d4d"),
)
VISIT_PURPOSE = choices(
    "Demo", "Installation", "Training", "Site Survey", "Maintenance", "Payment Follow-up"
)
EXPENSE_KIND = choices("Train", "Flight", "Taxi", "Hotel", "Meals", "Other")
ORDER_STATUS = choices("Created", "Approved", "Delivered", "Cancelled")
PRICING_MODEL = choices("Flat", "Differential")
CASE_ORIGIN = choices("Email", "Phone", "Web")
CASE_STATUS = choices("New", "On Hold", "Escalated", "Closed")
CASE_PRIORITY = choices("High", "Medium", "Low")
CASE_TYPE = choices("Question", "Problem", "Feature Request")
CASE_REASON = choices("User did not attend training", "Complex functionality", "New problem")
SOLUTION_STATUS = choices("Draft", "Reviewed", "Duplicate")
