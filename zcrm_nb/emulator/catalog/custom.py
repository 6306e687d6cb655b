"""The org's custom module: visits of engineers to customers' sites."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.builders import field, fields, module
from zcrm_nb.emulator.storage.schema import AutoNumber, Module, Rollup

SITE_VISITS = module(
    16, "Site_Visits", "Site Visit",
    field("Name", "text", length=120, mandatory=True, label="Site Visit Name"),
    field("Visit_Number", "autonumber", read_only=True, custom=True,
          auto_number=AutoNumber("SV-")),
    field("Account", "lookup", target="Accounts", custom=True),
    field("Deal", "lookup", target="Deals", custom=True),
    field("Visit_For", "multi_module_lookup", targets=("Leads", "Contacts"), custom=True),
    field("Visit_Status", "picklist", choices=lists.VISIT_STATUS, custom=True, indexed=True),
    field("Purpose", "multiselectpicklist", choices=lists.VISIT_PURPOSE, custom=True),
    field("Visit_Date", "date", custom=True, indexed=True),
    field("Arrival_Time", "datetime", custom=True),
    field("Available_Hours", "time_range", custom=True),
    field("Lead_Engineer", "userlookup", target="Users", custom=True),
    field("Engineers", "multiuserlookup", target="Site_Visits_X_Users", custom=True),
    field("Products_Shown", "multiselectlookup", target="Site_Visits_X_Products", custom=True),
    field("Expenses", "subform", target="Site_Visit_Expenses", custom=True),
    field("Total_Expenses", "rollup_summary", returns="currency", custom=True,
          rollup=Rollup("Site_Visit_Expenses", "Parent_Id", "SUM", "Amount")),
    field("Distance_Km", "decimal", decimals=1, custom=True),
    field("Rate_per_Km", "currency", custom=True),
    field("Travel_Allowance", "formula", returns="currency", custom=True,
          derived="round(Distance_Km * Rate_per_Km, 2)",
          expression="${Site_Visits.Distance Km}*${Site_Visits.Rate per Km}"),
    field("Satisfaction", "percent", custom=True),
    field("Follow_Up_Needed", "boolean", custom=True),
    field("Site_Phone", "phone", custom=True),
    field("Site_Email", "email", custom=True),
    field("Map_Link", "website", custom=True),
    field("Gate_Pass_Number", "bigint", custom=True),
    field("Directions", "mediumtext", custom=True),
    field("Photos", "imageupload", custom=True),
    field("Documents", "fileupload", custom=True),
    *fields("text", "Site_City Site_State", custom=True),
    field("Observations", "textarea", length=50000, custom=True),
    generated_type="custom",
)  # fmt: skip

EXPENSES = module(
    17, "Site_Visit_Expenses", "Expense",
    field("Expense_Type", "picklist", choices=lists.EXPENSE_KIND, custom=True),
    field("Amount", "currency", custom=True),
    field("Spent_On", "date", custom=True),
    field("Remarks", "text", custom=True),
    field("Parent_Id", "lookup", target="Site_Visits"),
    generated_type="subform", parent="Site_Visits", plural="Expenses",
)  # fmt: skip

PRODUCT_LINKS = module(
    18, "Site_Visits_X_Products", "Site Visit X Product",
    field("Site_Visit", "lookup", target="Site_Visits"),
    field("Products_Shown", "lookup", target="Products"),
    generated_type="linking", parent="Site_Visits",
)  # fmt: skip

USER_LINKS = module(
    19, "Site_Visits_X_Users", "Site Visit X User",
    field("Site_Visit", "lookup", target="Site_Visits"),
    field("Engineers", "userlookup", target="Users"),
    generated_type="linking", parent="Site_Visits",
)  # fmt: skip

CUSTOM: tuple[Module, ...] = (SITE_VISITS, EXPENSES, PRODUCT_LINKS, USER_LINKS)
