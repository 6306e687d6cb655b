"""Every public method of CRM that sends something, as one call on a small org.

The fuzz and the fault matrix run all of them. ``FIRST`` holds the id of a record of each module
that a call needs, known before anything goes wrong.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tests.worlds import Org
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from zcrm_nb import CRM

ROWS = {
    **dict.fromkeys(("Contacts", "Tasks", "Events", "Calls", "Campaigns", "Products"), 5),
    **dict.fromkeys(("Vendors", "Quotes", "Invoices", "Notes", "Site_Visits"), 2),
    **{"Leads": 20, "Accounts": 5, "Deals": 12},
}

MODULES = ("Leads", "Accounts", "Site_Visits", "Quotes", "Vendors", "Tasks", "Campaigns")
FIRST: dict[str, str] = {}
FILE = Path(tempfile.gettempdir()) / f"zcrm-fuzz-{os.getpid()}.txt"

CALLS: dict[str, Callable[[CRM], object]] = {
    "coql": lambda crm: crm.coql("select Last_Name, Owner, City from Leads where id is not null"),
    "coql_join": lambda crm: crm.coql(
        "select Deal_Name, Account_Name.Industry, Amount from Deals where Amount > 0 limit 5"
    ),
    "coql_group": lambda crm: crm.coql(
        "select Stage, COUNT(id) as n, SUM(Amount) as total from Deals where id is not null "
        "group by Stage"
    ),
    "records": lambda crm: crm.records("Leads"),
    "records_ids": lambda crm: crm.records("Leads", ["City"], ids=[FIRST["Leads"]]),
    "record": lambda crm: crm.record("Site_Visits", FIRST["Site_Visits"]),
    "search": lambda crm: crm.search("Leads", word="an"),
    "table": lambda crm: crm.table("Deals", ["Deal_Name", "Stage", "Amount", "Owner"]),
    "bulk": lambda crm: crm.bulk("Deals", ["Deal_Name", "Stage", "Owner", "Account_Name"]),
    "count": lambda crm: crm.count("Leads", "City is not null"),
    "duplicates": lambda crm: crm.duplicates("Leads", on=["Email", "Phone"]),
    "deleted": lambda crm: crm.deleted("Leads"),
    "related": lambda crm: crm.related("Accounts", FIRST["Accounts"], "Contacts"),
    "subform": lambda crm: crm.subform("Quotes", "Quoted_Items", FIRST["Quotes"]),
    "expand": lambda crm: crm.expand(
        crm.coql("select Deal_Name, Account_Name from Deals where id is not null limit 3"),
        "Account_Name",
        ["Industry"],
    ),
    "notes": lambda crm: crm.notes("Leads", FIRST["Leads"]),
    "attachments": lambda crm: crm.attachments("Leads", FIRST["Leads"]),
    "stage_history": lambda crm: crm.stage_history(where={"Stage": "Closed Lost"}),
    "timeline": lambda crm: crm.timeline("Leads", FIRST["Leads"]),
    "modules": lambda crm: crm.modules(),
    "fields": lambda crm: crm.fields("Deals"),
    "picklist": lambda crm: crm.picklist("Deals", "Stage"),
    "users": lambda crm: crm.users(),
    "roles": lambda crm: crm.roles(),
    "contact_roles": lambda crm: crm.contact_roles(),
    "related_members": lambda crm: crm.related("Campaigns", FIRST["Campaigns"], "Leads"),
    "profiles": lambda crm: crm.profiles(),
    "org": lambda crm: crm.org(),
    "currencies": lambda crm: crm.currencies(),
    "territories": lambda crm: crm.territories(),
    "pipelines": lambda crm: crm.pipelines(),
    "variables": lambda crm: crm.variables(),
    "holidays": lambda crm: crm.holidays(),
    "business_hours": lambda crm: crm.business_hours(),
    "user_groups": lambda crm: crm.user_groups(),
    "views": lambda crm: crm.views("Leads"),
    "tags": lambda crm: crm.tags("Leads"),
    "related_lists": lambda crm: crm.related_lists("Leads"),
    "profile": lambda crm: crm.profile("Leads", ["City", "Annual_Revenue"]),
    "plan": lambda crm: crm.plan("Leads", ["City"]),
    "watches": lambda crm: crm.watches(),
    "watch": lambda crm: crm.watch("Leads", notify_url="https://app.example.com/hook"),
    "doctor": lambda crm: crm.doctor(),
    "recycle_bin": lambda crm: crm.recycle_bin("Leads"),
    "insert": lambda crm: crm.insert("Leads", [{"Last_Name": "A"}, {"Last_Name": "B"}]),
    "update": lambda crm: crm.update("Leads", [{"id": FIRST["Leads"], "City": "Pune"}]),
    "upsert": lambda crm: crm.upsert(
        "Leads", [{"Last_Name": "A", "Email": "a@example.com"}], duplicate_check_fields="Email"
    ),
    "delete": lambda crm: crm.delete("Vendors", [FIRST["Vendors"]]),
    "diff": lambda crm: crm.diff("Leads", [{"id": FIRST["Leads"], "City": "Goa"}]).apply(),
    "bulk_write": lambda crm: crm.bulk_write(
        "Leads", pd.DataFrame({"Last_Name": ["A"]}), operation="insert"
    ),
    "convert": lambda crm: crm.convert([FIRST["Leads"]]),
    "merge_plan": lambda crm: crm.merge_plan(twins(), progress=False).apply(),
    "change_owner": lambda crm: crm.change_owner("Leads", [FIRST["Leads"]], FIRST["user"]),
    "mass_update": lambda crm: crm.mass_update("Leads", [FIRST["Leads"]], values={"City": "Goa"}),
    "mass_delete": lambda crm: crm.mass_delete("Tasks", [FIRST["Tasks"]]),
    "tag": lambda crm: crm.tag("Leads", [FIRST["Leads"]], "vip"),
    "untag": lambda crm: crm.untag("Leads", [FIRST["Leads"]], "vip"),
    "add_note": lambda crm: crm.add_note("Leads", FIRST["Leads"], "Called"),
    "attach": lambda crm: crm.attach("Leads", FIRST["Leads"], FILE),
    "link": lambda crm: crm.link("Campaigns", FIRST["Campaigns"], "Leads", [FIRST["Leads"]]),
    "resolve": lambda crm: crm.insert("Leads", [{"Last_Name": "C"}]).resolve(wait_s=0),
    "undo": lambda crm: crm.update("Leads", [{"id": FIRST["Leads"], "City": "X"}]).undo(),
    "live": lambda crm: crm.live("Leads", mode="poll", background=False).update(),
    "request": lambda crm: crm.request("GET", "settings/modules"),
}


def twins() -> pd.DataFrame:
    """Two leads that are to be merged."""
    return pd.DataFrame(
        {
            "group": 1,
            "master": [True, False],
            "id": [FIRST["Leads"], FIRST["twin"]],
            "module": "Leads",
        }
    )


def small_org() -> Org:
    """An org of a few records, whose clock moves when somebody waits."""
    return Org(rows=ROWS, clock=ManualClock())


def learn_ids() -> None:
    """Fill ``FIRST``; the same in every small org."""
    FILE.write_text("42")
    with small_org() as org:
        crm = attach(org)
        for module in (
            "Leads",
            "Accounts",
            "Site_Visits",
            "Quotes",
            "Vendors",
            "Tasks",
            "Campaigns",
        ):
            ids = crm.coql(f"select id from {module} where id is not null limit 1")["id"]
            FIRST[module] = ids[0]
        FIRST["twin"] = crm.coql("select id from Leads where id is not null limit 2")["id"][1]
        FIRST["user"] = crm.users()["id"][0]
