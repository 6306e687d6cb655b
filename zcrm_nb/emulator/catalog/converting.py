"""Lead conversion: where each field of a lead goes."""

from __future__ import annotations

CONVERTED_TO = ("Contacts", "Accounts", "Deals")
_ALIKE = ("Last_Name", "First_Name", "Salutation", "Email", "Secondary_Email", "Phone", "Mobile",
          "Fax", "Lead_Source", "Skype_ID", "Twitter", "Description", "Email_Opt_Out",
          "Record_Image")  # fmt: skip

#: By module: the lead's field, and the field that takes its value.
MAPPING: dict[str, dict[str, str]] = {
    "Contacts": {
        **{name: name for name in _ALIKE},
        "Designation": "Title",
        "Street": "Mailing_Street",
        "City": "Mailing_City",
        "State": "Mailing_State",
        "Zip_Code": "Mailing_Zip",
        "Country": "Mailing_Country",
    },
    "Accounts": {
        **{name: name for name in ("Phone", "Fax", "Website", "Industry", "Rating", "GSTIN")},
        "Company": "Account_Name",
        "No_of_Employees": "Employees",
        "Annual_Revenue": "Annual_Revenue",
        "Street": "Billing_Street",
        "City": "Billing_City",
        "State": "Billing_State",
        "Zip_Code": "Billing_Code",
        "Country": "Billing_Country",
    },
    "Deals": {name: name for name in ("Lead_Source", "Languages_Known")},
}
