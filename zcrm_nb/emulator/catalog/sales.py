"""Leads, Contacts, Accounts, Deals and Campaigns."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.making import field, fields, module
from zcrm_nb.emulator.schema import Dependence, Module, Rollup

# Zoho puts the salutation in front (seen in recorded answers).
FULL_NAME = (
    "trim(coalesce(nullif(Salutation, '-None-') || ' ', '')"
    " || coalesce(First_Name || ' ', '') || coalesce(Last_Name, ''))"
)
# Unsubscribing, enrichment and the change log look the same on Leads and Contacts.
PERSON = [
    field("Email_Opt_Out", "boolean"),
    field("Unsubscribed_Mode", "picklist", choices=lists.UNSUBSCRIBED_MODE, read_only=True),
    field("Unsubscribed_Time", "datetime", read_only=True),
    field("Change_Log_Time__s", "datetime", read_only=True),
    field("Enrich_Status__s", "picklist", choices=lists.ENRICH_STATUS, read_only=True),
    field("Last_Enriched_Time__s", "datetime", read_only=True),
    field("Territories", "text", wire="jsonarray"),
]
VISITOR = [
    *fields("integer", "Visitor_Score Days_Visited Number_Of_Chats", read_only=True),
    field("Average_Time_Spent_Minutes", "double", read_only=True),
    *fields("datetime", "First_Visited_Time Last_Visited_Time", read_only=True),
    field("First_Visited_URL", "website", read_only=True),
    field("Referrer", "website", read_only=True),
]

LEADS = module(
    1, "Leads", "Lead",
    field("Last_Name", "text", length=80, mandatory=True, indexed=True),
    field("First_Name", "text", length=40),
    field("Full_Name", "text", length=120, derived=FULL_NAME),
    field("Salutation", "picklist", choices=lists.SALUTATION),
    field("Company", "text", length=200),
    field("Designation", "text", length=100, label="Title"),
    field("Email", "email", indexed=True),
    field("Secondary_Email", "email"),
    field("Phone", "phone"),
    field("Mobile", "phone"),
    field("Fax", "text", length=30),
    field("Website", "website"),
    field("Lead_Source", "picklist", choices=lists.LEAD_SOURCE, indexed=True),
    field("Lead_Status", "picklist", choices=lists.LEAD_STATUS, indexed=True),
    field("Industry", "picklist", choices=lists.INDUSTRY),
    field("Rating", "picklist", choices=lists.RATING),
    field("No_of_Employees", "integer", label="No. of Employees"),
    field("Annual_Revenue", "currency"),
    field("Skype_ID", "text", length=50),
    field("Twitter", "text", length=50),
    field("Street", "text", length=250),
    field("City", "text", length=100, indexed=True),
    field("State", "text", length=100),
    field("Zip_Code", "text", length=30),
    field("Country", "text", length=100),
    field("Description", "textarea"),
    field("Record_Image", "profileimage", label="Lead Image"),
    field("Converted__s", "boolean", label="Is Converted", read_only=True),
    field("Converted_Date_Time", "datetime", read_only=True),
    field("Converted_Account", "lookup", target="Accounts", read_only=True),
    field("Converted_Contact", "lookup", target="Contacts", read_only=True),
    field("Converted_Deal", "lookup", target="Deals", read_only=True),
    field("Lead_Conversion_Time", "integer", read_only=True),
    PERSON,
    VISITOR,
    field("Languages_Known", "multiselectpicklist", choices=lists.LANGUAGES, custom=True),
    field("Preferred_Contact_Time", "picklist", choices=lists.CONTACT_TIME, custom=True),
    field("GSTIN", "text", length=15, unique=True, custom=True, indexed=True),
    field("Lead_Score", "double", decimals=1, custom=True),
    field("Next_Follow_Up", "date", custom=True),
    field("Referred_By", "lookup", target="Contacts", custom=True),
    plural="Leads", name_field="Full_Name",
)  # fmt: skip

CONTACTS = module(
    2, "Contacts", "Contact",
    field("Last_Name", "text", length=80, mandatory=True, indexed=True),
    field("First_Name", "text", length=40),
    field("Full_Name", "text", length=120, derived=FULL_NAME),
    field("Salutation", "picklist", choices=lists.SALUTATION),
    field("Account_Name", "lookup", target="Accounts"),
    field("Vendor_Name", "lookup", target="Vendors"),
    field("Title", "text", length=100),
    field("Department", "text", length=50),
    field("Assistant", "text", length=50),
    field("Email", "email", indexed=True),
    field("Secondary_Email", "email"),
    *fields("phone", "Phone Mobile Home_Phone Other_Phone Asst_Phone"),
    field("Fax", "text", length=30),
    field("Date_of_Birth", "date"),
    field("Lead_Source", "picklist", choices=lists.LEAD_SOURCE, indexed=True),
    field("Reporting_To", "lookup", target="Contacts"),
    field("Skype_ID", "text", length=50),
    field("Twitter", "text", length=50),
    *fields("text", "Mailing_Street Mailing_City Mailing_State Mailing_Zip Mailing_Country"),
    *fields("text", "Other_Street Other_City Other_State Other_Zip Other_Country"),
    field("Description", "textarea"),
    field("Record_Image", "profileimage", label="Contact Image"),
    PERSON,
    field("Data_Processing_Basis_Details", "consent_lookup"),
    name_field="Full_Name",
)  # fmt: skip

ACCOUNTS = module(
    3, "Accounts", "Account",
    field("Account_Name", "text", length=200, mandatory=True, indexed=True),
    field("Account_Type", "picklist", choices=lists.ACCOUNT_TYPE, indexed=True),
    field("Industry", "picklist", choices=lists.INDUSTRY, indexed=True),
    field("Ownership", "picklist", choices=lists.OWNERSHIP),
    field("Rating", "picklist", choices=lists.RATING),
    field("Parent_Account", "lookup", target="Accounts"),
    field("Phone", "phone"),
    field("Fax", "text", length=30),
    field("Website", "website"),
    field("Employees", "integer"),
    field("Annual_Revenue", "currency"),
    field("Account_Number", "bigint"),
    field("Account_Site", "text", length=80),
    field("Ticker_Symbol", "text", length=30),
    field("SIC_Code", "integer"),
    *fields("text", "Billing_Street Billing_City Billing_State Billing_Code Billing_Country"),
    *fields("text", "Shipping_Street Shipping_City Shipping_State Shipping_Code Shipping_Country"),
    field("Description", "textarea"),
    field("Record_Image", "profileimage", label="Account Image"),
    field("Territories", "text", wire="jsonarray"),
    field("GSTIN", "text", length=15, unique=True, custom=True, indexed=True),
    field("Number_of_Site_Visits", "rollup_summary", returns="integer", custom=True,
          rollup=Rollup("Site_Visits", "Account", "COUNT")),
    field("Won_Amount", "rollup_summary", returns="currency", custom=True,
          rollup=Rollup("Deals", "Account_Name", "SUM", "Amount", ("Stage", "Closed Won"))),
    field("Last_Visit_Date", "rollup_summary", returns="date", custom=True,
          rollup=Rollup("Site_Visits", "Account", "MAX", "Visit_Date", ("Visit_Status", "Done"))),
)  # fmt: skip

DEALS = module(
    4, "Deals", "Deal",
    field("Deal_Name", "text", length=120, mandatory=True),
    field("Stage", "picklist", choices=lists.STAGE, mandatory=True, indexed=True,
          depends=Dependence("Pipeline", tuple(lists.PIPELINES.items()))),
    field("Pipeline", "picklist", choices=lists.PIPELINE),
    field("Amount", "currency"),
    field("Probability", "integer", label="Probability (%)"),
    field("Expected_Revenue", "currency", derived="round(Amount * Probability / 100.0, 2)"),
    field("Closing_Date", "date", indexed=True),
    field("Account_Name", "lookup", target="Accounts"),
    field("Contact_Name", "lookup", target="Contacts"),
    field("Campaign_Source", "lookup", target="Campaigns"),
    field("Type", "picklist", choices=lists.DEAL_TYPE),
    field("Lead_Source", "picklist", choices=lists.LEAD_SOURCE, indexed=True),
    field("Next_Step", "text", length=100),
    field("Reason_For_Loss__s", "picklist", choices=lists.REASON_FOR_LOSS),
    field("Forecast_Category__s", "picklist", choices=lists.FORECAST_CATEGORY),
    # COQL refuses it, by an integrator's report on V7.
    field("Stage_Modified_Time", "datetime", read_only=True, coql=False),
    *fields("integer", "Sales_Cycle_Duration Overall_Sales_Duration", read_only=True),
    field("Lead_Conversion_Time", "integer", read_only=True),
    field("Description", "textarea"),
    field("Territory", "text", wire="jsonarray"),
    field("Change_Log_Time__s", "datetime", read_only=True),
    field("Discount_Percent", "percent", custom=True),
    field("Net_Amount", "formula", returns="currency", custom=True,
          derived="round(Amount * (1 - coalesce(Discount_Percent, 0) / 100.0), 2)",
          expression="${Deals.Amount}*(1-${Deals.Discount Percent}/100)"),
    field("Languages_Known", "multiselectpicklist", choices=lists.LANGUAGES, custom=True),
    field("Solution_Engineer", "userlookup", target="Users", custom=True),
    field("PO_Number", "text", length=30, unique=True, custom=True, indexed=True),
)  # fmt: skip

CAMPAIGNS = module(
    8, "Campaigns", "Campaign",
    field("Campaign_Name", "text", length=200, mandatory=True),
    field("Type", "picklist", choices=lists.CAMPAIGN_TYPE),
    field("Status", "picklist", choices=lists.CAMPAIGN_STATUS),
    *fields("date", "Start_Date End_Date"),
    *fields("currency", "Expected_Revenue Budgeted_Cost Actual_Cost"),
    *fields("bigint", "Expected_Response Num_sent"),
    field("Parent_Campaign", "lookup", target="Campaigns"),
    field("Description", "textarea"),
)  # fmt: skip

SALES: tuple[Module, ...] = (LEADS, CONTACTS, ACCOUNTS, DEALS, CAMPAIGNS)
