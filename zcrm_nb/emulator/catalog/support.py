"""Cases and Solutions: there and empty; field names are recalled, UNCONFIRMED."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.builders import field, fields, module
from zcrm_nb.emulator.storage.schema import AutoNumber, Module

CASES = module(
    23, "Cases", "Case",
    field("Subject", "text", mandatory=True),
    field("Case_Number", "autonumber", read_only=True, auto_number=AutoNumber("CASE-")),
    field("Case_Origin", "picklist", choices=lists.CASE_ORIGIN, mandatory=True),
    field("Status", "picklist", choices=lists.CASE_STATUS, mandatory=True, indexed=True),
    field("Priority", "picklist", choices=lists.CASE_PRIORITY),
    field("Type", "picklist", choices=lists.CASE_TYPE),
    field("Case_Reason", "picklist", choices=lists.CASE_REASON),
    field("Account_Name", "lookup", target="Accounts"),
    field("Related_To", "lookup", target="Contacts", label="Contact Name"),
    field("Deal_Name", "lookup", target="Deals"),
    field("Product_Name", "lookup", target="Products"),
    field("Reported_By", "text", length=50),
    field("Email", "email"),
    field("Phone", "phone"),
    *fields("textarea", "Description Internal_Comments Solution"),
)  # fmt: skip

SOLUTIONS = module(
    24, "Solutions", "Solution",
    field("Solution_Title", "text", mandatory=True),
    field("Solution_Number", "autonumber", read_only=True, auto_number=AutoNumber("SOL-")),
    field("Status", "picklist", choices=lists.SOLUTION_STATUS, indexed=True),
    field("Product_Name", "lookup", target="Products"),
    field("Published", "boolean"),
    *fields("textarea", "Question Answer"),
)  # fmt: skip

SUPPORT: tuple[Module, ...] = (CASES, SOLUTIONS)
