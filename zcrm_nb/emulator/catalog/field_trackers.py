"""Field trackers: the history that Zoho keeps of a picklist, one module for each.

The names of ``DealHistory`` and its fields, and those of the tracker of a lead's status, are what
integrators read from their orgs; the shape of the module is Zoho's sample of a field tracker.
"""

from __future__ import annotations

from datetime import datetime

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.builders import field, module
from zcrm_nb.emulator.storage.schema import Module, Tracker

#: When the admin of the org switched the tracking of a lead's status on.
LEADS_TRACKED_SINCE = datetime.fromisoformat("2026-06-01T10:00:00+05:30")

DEAL_HISTORY = module(
    31, "DealHistory", "Stage History",
    field("Potential_Name", "lookup", target="Deals", label="Deal Name"),
    field("Stage", "picklist", choices=lists.STAGE, indexed=True),
    field("Amount", "currency"),
    field("Probability", "integer", label="Probability (%)"),
    field("Expected_Revenue", "currency"),
    field("Close_Date", "date"),
    field("Stage_Duration_Calendar_Days", "integer", label="Stage Duration (Calendar Days)"),
    field("Moved_To__s", "picklist", choices=lists.STAGE, label="Moved To"),
    field("Currency", "text", length=10, default="INR"),
    field("Exchange_Rate", "double", decimals=9, default=1.0),
    plural="Stage History", generated_type="field_tracker", parent="Deals",
    name_field="Stage",
    tracker=Tracker(
        "Deals", "Stage", "Potential_Name", "Stage_History", "Stage_Duration_Calendar_Days",
        (("Amount", "Amount"), ("Probability", "Probability"),
         ("Expected_Revenue", "Expected_Revenue"), ("Close_Date", "Closing_Date"),
         ("Currency", "Currency"), ("Exchange_Rate", "Exchange_Rate")),
    ),
)  # fmt: skip

LEAD_STATUS_HISTORY = module(
    32, "Lead_Status_History", "Lead Status History",
    field("Full_Name", "lookup", target="Leads", label="Lead Name"),
    field("Lead_Status", "picklist", choices=lists.LEAD_STATUS, indexed=True),
    field("Duration_Days", "integer", label="Duration (Days)"),
    field("Moved_To__s", "picklist", choices=lists.LEAD_STATUS, label="Moved To"),
    field("Lead_Source", "picklist", choices=lists.LEAD_SOURCE),
    generated_type="field_tracker", parent="Leads", name_field="Lead_Status",
    tracker=Tracker(
        "Leads", "Lead_Status", "Full_Name", "Lead_Status_History", "Duration_Days",
        (("Lead_Source", "Lead_Source"),), since=int(LEADS_TRACKED_SINCE.timestamp()),
    ),
)  # fmt: skip

FIELD_TRACKERS: tuple[Module, ...] = (DEAL_HISTORY, LEAD_STATUS_HISTORY)
