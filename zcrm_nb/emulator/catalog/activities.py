"""Tasks, Events, Calls and Notes."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import picklists as lists
from zcrm_nb.emulator.catalog.builders import field, module
from zcrm_nb.emulator.storage.schema import Module

RELATED = ("Leads", "Accounts", "Deals", "Campaigns")
NOTED = (
    "Leads", "Contacts", "Accounts", "Deals", "Tasks", "Events", "Calls", "Campaigns", "Products",
    "Vendors", "Quotes", "Invoices", "Site_Visits", "Sales_Orders", "Purchase_Orders",
    "Price_Books", "Cases", "Solutions",
)  # fmt: skip
WHO = field("Who_Id", "lookup", target="Contacts", label="Contact Name")
WHAT = field("What_Id", "lookup", targets=RELATED, label="Related To")

TASKS = module(
    5, "Tasks", "Task",
    field("Subject", "text", mandatory=True),
    field("Due_Date", "date", indexed=True),
    field("Status", "picklist", choices=lists.TASK_STATUS, indexed=True),
    field("Priority", "picklist", choices=lists.PRIORITY),
    WHO,
    WHAT,
    field("Description", "textarea"),
    field("Remind_At", "ALARM", label="Reminder"),
    field("Recurring_Activity", "RRULE", label="Repeat"),
    field("Send_Notification_Email", "boolean"),
    field("Closed_Time", "datetime", read_only=True),
)  # fmt: skip

EVENTS = module(
    6, "Events", "Meeting",
    field("Event_Title", "text", mandatory=True, label="Title"),
    field("Start_DateTime", "datetime", mandatory=True, label="From", indexed=True),
    field("End_DateTime", "datetime", mandatory=True, label="To"),
    field("All_day", "boolean"),
    field("Venue", "text", label="Location"),
    WHO,
    WHAT,
    # Zoho types it bigint; the value is a list.
    field("Participants", "bigint", wire="jsonarray", column="TEXT"),
    field("Remind_At", "multireminder", label="Participants Reminder"),
    field("Remind_Participants", "event_reminder", label="Reminder Time"),
    field("Recurring_Activity", "RRULE", label="Repeat"),
    field("Description", "textarea"),
    plural="Meetings",
)  # fmt: skip

CALLS = module(
    7, "Calls", "Call",
    field("Subject", "text"),
    field("Call_Type", "picklist", choices=lists.CALL_TYPE, mandatory=True, indexed=True),
    field("Call_Purpose", "picklist", choices=lists.CALL_PURPOSE),
    field("Call_Start_Time", "datetime", mandatory=True, indexed=True),
    field("Call_Duration", "text"),
    field("Call_Duration_in_seconds", "integer"),
    field("Outgoing_Call_Status", "picklist", choices=lists.CALL_STATUS),
    field("Call_Result", "picklist", choices=lists.CALL_RESULT),
    WHO,
    WHAT,
    field("Description", "textarea"),
)  # fmt: skip

NOTES = module(
    13, "Notes", "Note",
    field("Note_Title", "text", length=120),
    field("Note_Content", "textarea", length=65535),
    field("Parent_Id", "multi_module_lookup", targets=NOTED, mandatory=True),
    either=("Note_Content", "Note_Title"),
    either_words="should contain either content or title",
)  # fmt: skip

ACTIVITIES: tuple[Module, ...] = (TASKS, EVENTS, CALLS, NOTES)
