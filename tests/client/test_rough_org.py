"""Every method that reads, against every kind of trouble that an impolite org makes.

What comes is the right result or a clear error of ours: no foreign exception, and no endless loop.
"""

from __future__ import annotations

import linecache
import traceback
import warnings
from functools import cache, partial

import pandas as pd
import pytest

from tests.worlds import Org
from zcrm_nb.client.crm import CRM
from zcrm_nb.connect import attach
from zcrm_nb.emulator import ManualClock
from zcrm_nb.emulator.rough import answers
from zcrm_nb.emulator.rough.rough import KINDS, Rough
from zcrm_nb.errors import ZohoError
from zcrm_nb.frames.validate import InvalidDataError

SEED = 2026
ROWS = {
    **{"Leads": 450, "Contacts": 20, "Accounts": 10, "Deals": 20, "Tasks": 10, "Notes": 8},
    **{"Campaigns": 4, "Products": 6, "Vendors": 3, "Quotes": 4, "Site_Visits": 6},
}
MOST_CALLS = 300

QUIET = {"progress": False}
READS = {
    "attachments": lambda crm, ids, _: crm.attachments("Leads", ids["Leads"][:3], **QUIET),
    "bulk": lambda crm, *_: crm.bulk("Leads", ["Last_Name", "City"], **QUIET),
    "coql": lambda crm, *_: crm.coql(
        "select Last_Name, City, Owner, Created_Time, Annual_Revenue from Leads "
        "where id is not null limit 450",
        **QUIET,
    ),
    "count": lambda crm, *_: crm.count("Leads"),
    "deleted": lambda crm, *_: crm.deleted("Leads"),
    "doctor": lambda crm, *_: crm.doctor(),
    "download": lambda crm, ids, folder: crm.download(
        "Leads", ids["Leads"][0], ids["file"], folder=folder
    ),
    "duplicates": lambda crm, *_: crm.duplicates("Leads", on=["Email", "City"], **QUIET),
    "expand": lambda crm, ids, _: crm.expand(ids["deals"], "Account_Name", ["Industry"], **QUIET),
    "export": lambda crm, _, folder: crm.export("Leads", folder / "leads", ["City"], **QUIET),
    "fields": lambda crm, *_: crm.fields("Leads"),
    "full_text": lambda crm, ids, _: crm.full_text("Site_Visits", ids["Site_Visits"]),
    "job_tray": lambda crm, *_: None,
    "jobs": lambda crm, *_: crm.jobs(),
    "journal": lambda crm, *_: crm.journal(),
    "modules": lambda crm, *_: crm.modules(),
    "notes": lambda crm, ids, _: crm.notes("Leads", ids["Leads"][:3], **QUIET),
    "org": lambda crm, *_: crm.org(),
    "currencies": lambda crm, *_: crm.currencies(),
    "territories": lambda crm, *_: crm.territories(),
    "pipelines": lambda crm, *_: crm.pipelines(),
    "variables": lambda crm, *_: crm.variables(),
    "holidays": lambda crm, *_: crm.holidays(),
    "business_hours": lambda crm, *_: crm.business_hours(),
    "user_groups": lambda crm, *_: crm.user_groups(),
    "photo": lambda crm, ids, _: crm.photo("Leads", ids["Leads"][0]),
    "picklist": lambda crm, *_: crm.picklist("Leads", "Lead_Source"),
    "plan": lambda crm, *_: crm.plan("Leads", ["Last_Name", "City"]),
    "profile": lambda crm, *_: crm.profile("Leads", ["City", "Lead_Source"], **QUIET),
    "record": lambda crm, ids, _: crm.record("Leads", ids["Leads"][0]),
    "records": lambda crm, *_: crm.records("Leads", **QUIET),
    "records(Campaigns)": lambda crm, *_: crm.records("Campaigns", **QUIET),
    "records(Products)": lambda crm, *_: crm.records("Products", **QUIET),
    "records(Vendors)": lambda crm, *_: crm.records("Vendors", **QUIET),
    "recycle_bin": lambda crm, *_: crm.recycle_bin(),
    "related": lambda crm, ids, _: crm.related("Accounts", ids["Accounts"], "Contacts", **QUIET),
    "related_lists": lambda crm, *_: crm.related_lists("Leads"),
    "request": lambda crm, *_: crm.request("GET", "/crm/v8/Leads", params={"fields": "City"}),
    "search": lambda crm, *_: crm.search("Leads", ["Last_Name", "City"], word="Mumbai", **QUIET),
    "subform": lambda crm, *_: crm.subform("Quotes", "Quoted_Items", **QUIET),
    "table": lambda crm, *_: crm.table("Leads", ["Last_Name", "City"], **QUIET),
    "stage_history": lambda crm, *_: crm.stage_history(**QUIET),
    "tags": lambda crm, *_: crm.tags("Leads"),
    "timeline": lambda crm, ids, _: crm.timeline("Leads", ids["Leads"][0]),
    "users": lambda crm, *_: crm.users(),
    "roles": lambda crm, *_: crm.roles(),
    "contact_roles": lambda crm, *_: crm.contact_roles(),
    "profiles": lambda crm, *_: crm.profiles(),
    "views": lambda crm, *_: crm.views("Leads"),
    "watches": lambda crm, *_: crm.watches(),
}
"""How each method that reads is called; takes the CRM, known ids and a folder."""

WRITES = {
    "add_note": lambda crm, leads: crm.add_note("Leads", leads[0], "hello"),
    "attach": lambda crm, leads: crm.attach("Leads", leads[0], __file__, **QUIET),
    "bulk_write": lambda crm, _: crm.bulk_write("Leads", [{"Last_Name": "a"}], **QUIET),
    "change_owner": lambda crm, leads: crm.change_owner("Leads", leads, "Lakshmi Iyer", **QUIET),
    "convert": lambda crm, leads: crm.convert(leads[2:3], **QUIET),
    "delete": lambda crm, leads: crm.delete("Leads", leads[3:5], **QUIET),
    "diff": lambda crm, leads: crm.diff(
        "Leads", pd.DataFrame({"id": leads[:2], "City": ["Goa", "Pune"]})
    ).apply(**QUIET),
    "insert": lambda crm, _: crm.insert("Leads", [{"Last_Name": "x"}], **QUIET),
    "mass_delete": lambda crm, leads: crm.mass_delete("Leads", leads[3:4], **QUIET),
    "mass_update": lambda crm, leads: crm.mass_update(
        "Leads", leads[:2], values={"City": "Goa"}, **QUIET
    ),
    "merge_plan": lambda crm, leads: crm.merge_plan(
        pd.DataFrame({"group": 1, "master": [True, False], "id": leads[:2]}),
        module="Leads",
        **QUIET,
    ).apply(**QUIET),
    "resolve": lambda crm, _: crm.insert("Leads", [{"Last_Name": "x"}], **QUIET).resolve(),
    "restore": lambda crm, leads: crm.restore("Leads", leads[4:5], **QUIET),
    "tag": lambda crm, leads: crm.tag("Leads", leads[:2], "Hot", **QUIET),
    "undo": lambda crm, _: crm.insert("Leads", [{"Last_Name": "x"}], **QUIET).undo(),
    "untag": lambda crm, leads: crm.untag("Leads", leads[:2], "Hot", **QUIET),
    "update": lambda crm, leads: crm.update(
        "Leads", pd.DataFrame({"id": leads[:2], "City": ["Goa", "Pune"]}), **QUIET
    ),
    "upsert": lambda crm, _: crm.upsert(
        "Leads",
        [{"Last_Name": "x", "Email": "a@example.com"}],
        duplicate_check_fields="Email",
        **QUIET,
    ),
}
"""How each method that writes is called; takes the CRM and ids of leads."""

WRITES_AND_OTHERS = {
    *("add_note", "attach", "attach_link", "budget", "bulk_write", "change_owner"),
    *("close", "convert", "credits", "delete", "detach", "diff"),
    *("empty_recycle_bin", "history", "insert", "job", "link", "live"),
    *("logout", "mass_delete", "mass_update", "merge_plan", "refresh", "renew", "report"),
    *("restore", "send", "set_photo", "tag", "trace", "unlink"),
    *("untag", "unwatch", "update", "upload", "upsert", "watch"),
}
"""Methods and attributes that write, or read nothing from Zoho."""

KNOWN_GAPS: dict[str, tuple[str, str]] = {}
"""Kind → the reason, and the methods that do not stand it yet. One that does must leave."""


class Endless(BaseException):
    """A call that does not come to an end; nothing in the package may catch it."""


class Limited(Rough):
    """Trouble for a limited number of calls."""

    left = MOST_CALLS

    def around(self, request, proceed):
        """One call less."""
        self.left -= 1
        if self.left < 0:
            raise Endless
        return super().around(request, proceed)


@cache
def polite():
    """A CRM on a polite org, and what is known of it."""
    crm = connected()
    ids = {
        name: crm.records(name, ["id"], limit=5, **QUIET)["id"].tolist()
        for name in ("Leads", "Accounts", "Site_Visits")
    }
    deals = crm.records("Deals", ["Deal_Name", "Account_Name"], limit=5, **QUIET)
    return crm, {**ids, "deals": deals}


def connected():
    """A CRM whose waits move the clock of its org."""
    org = Org(rows=ROWS, clock=ManualClock())
    crm = attach(org)
    crm._gate.sleep = org.clock.advance
    return crm


def fault_of(call):
    """What is wrong with how a call ended, or None; its result, if it has one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except ZohoError as error:
            return None if str(error).strip() else "an error without words", None
        except InvalidDataError:
            return None, None
        except Endless:
            return f"more than {MOST_CALLS} calls", None
        except Exception as error:
            return (None if raised_by_us(error) else described(error)), None
    foreign = [str(each.message) for each in caught if not issubclass(each.category, UserWarning)]
    return (f"warnings: {foreign}" if foreign else None), result


def raised_by_us(error):
    """Whether it is a ValueError or TypeError that the package raises on purpose."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).strip()
    return type(error) in (ValueError, TypeError) and (
        "zcrm_nb" in frame.filename and line.startswith("raise")
    )


def described(error):
    """Type, words and place of a foreign exception."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:80]} ({frame.name}, line {frame.lineno})"


def same(result, right):
    """Whether two results are the same."""
    if isinstance(right, pd.DataFrame | pd.Series):
        return type(result) is type(right) and result.equals(right)
    return isinstance(right, str | int | bytes) is False or result == right


def faults(kind, folder):
    """What is wrong with each method under one kind: method → words."""
    right, ids = polite()
    with connected() as crm:
        app = crm.emulator.wsgi
        file = crm.attach("Leads", ids["Leads"][0], __file__, **QUIET)["id"].iloc[0]
        ids = {**ids, "file": file}
        found = {}
        for name, call in READS.items():
            crm.refresh()
            kinds = tuple(KINDS) if kind == "all" else (kind,)
            app.rough = Limited(kinds, SEED, crm.emulator.clock.now)
            if "accounts_throttled" in kinds:
                crm.emulator.accounts.expire_access_tokens()
            place = folder / name
            place.mkdir()
            fault, result = fault_of(partial(call, crm, ids, place))
            if name in EQUAL and result is None and kind in REPEATED:
                fault = "an error, though the second try is answered"
            if name in EQUAL and result is not None and kind in WHOLE:
                fault = None if same(result, call(right, ids, place)) else "another result"
            if fault:
                found[name] = fault
            app.rough = None
    return found


EQUAL = {"coql", "count", "fields", "modules", "records", "search", "table", "users", "views"}
"""Methods whose result is compared with that of a polite org."""

REPEATED = answers.HICCUPS.keys() - {"error_under_200"}
"""Kinds after which a read is repeated, and comes through."""

WHOLE = answers.HICCUPS.keys() | {
    *("null_page_tokens", "repeated_page_tokens", "pages_without_info", "long_address"),
    *("fields_without_name", "modules_without_name", "accounts_throttled", "org_without_zone"),
}
"""Kinds under which a result, if there is one, is that of a polite org: never a part of it."""


def test_every_method_is_read_or_named_among_the_others():
    """A new method is tried, or named among those that write."""
    public = {name for name in dir(CRM) if not name.startswith("_")}
    assert public == {name.partition("(")[0] for name in READS} | WRITES_AND_OTHERS


@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_every_method_that_reads_stands(kind, tmp_path):
    """The right result or a clear error of ours; known gaps leave the list once they are mended."""
    found = faults(kind, tmp_path)
    assert set(found) == set(KNOWN_GAPS.get(kind, ("", ""))[1].split()), found


@pytest.mark.parametrize("kind", [*KINDS, "all"])
def test_every_method_that_writes_ends_in_a_report_or_a_clear_error(kind):
    """Whatever happens on the way: no foreign exception, and no endless loop."""
    _, ids = polite()
    kinds = tuple(KINDS) if kind == "all" else (kind,)
    with connected() as crm:
        found = {}
        for name, call in WRITES.items():
            crm.refresh()
            crm.emulator.wsgi.rough = Limited(kinds, SEED, crm.emulator.clock.now)
            found[name], _ = fault_of(partial(call, crm, ids["Leads"]))
            crm.emulator.wsgi.rough = None
    assert {name: fault for name, fault in found.items() if fault} == {}
