"""An impolite org spoils what it promises to, the same way each time; a polite one nothing."""

from __future__ import annotations

import json

import pytest

from tests.emulator.conftest import Asker
from tests.worlds import Org
from zcrm_nb.emulator import Emulator, ManualClock
from zcrm_nb.emulator.rough import answers
from zcrm_nb.emulator.rough.rough import KINDS, kinds_of

ROWS = {"Leads": 450, "Contacts": 5, "Accounts": 5, "Deals": 5, "Vendors": 3, "Products": 3}
FIELDS = "Last_Name,City,Annual_Revenue,No_of_Employees,Owner,Created_Time,Lead_Source"
CALLS = [
    ("/org", {}),
    ("/users", {"type": "AllUsers"}),
    ("/settings/modules", {}),
    ("/settings/fields", {"module": "Leads"}),
    ("/settings/fields", {"module": "Vendors"}),
    ("/settings/fields", {"module": "Products"}),
    ("/Campaigns", {"fields": "Campaign_Name"}),
    ("/Leads", {"fields": FIELDS}),
    ("/Leads", {"fields": f"{FIELDS},State"}),
    ("/Leads", {"fields": "id", "ids": ",".join(["1" * 18] * 450)}),
]


def played(rough):
    """What an org answers to the calls, to pages, a bulk job and a call for a second token."""
    with Org(rows=ROWS, clock=ManualClock(), rough=rough) as emulator:
        ask = Asker(emulator)
        replies = [ask("GET", *call) for call in CALLS]
        replies += [*pages(ask), *exported(ask), ask.refresh()]
        return [(reply.status, reply.raw) for reply in replies]


def pages(ask):
    """Three pages by token, as far as there are tokens."""
    params = {"fields": "City"}
    for _ in range(3):
        reply = ask("GET", "/Leads", params)
        yield reply
        try:
            params = {"fields": "City", "page_token": reply.body["info"]["next_page_token"]}
        except (ValueError, TypeError, KeyError):
            return


def exported(ask):
    """A bulk job: made at the second try, looked at when it is over, and its result."""
    headers = {
        "Authorization": f"Zoho-oauthtoken {ask.token}",
        "Content-Type": "application/json",
    }
    body = json.dumps({"query": {"module": {"api_name": "Leads"}, "fields": ["City"]}}).encode()
    made = ask.send("POST", "/crm/bulk/v8/read", body=body, headers=headers)
    if made.status != 201:
        made = ask.send("POST", "/crm/bulk/v8/read", body=body, headers=headers)
    job = made.body["data"][0]["details"]["id"]
    ask.emulator.clock.advance(5)
    for path in (job, f"{job}/result"):
        yield ask.send("GET", f"/crm/bulk/v8/read/{path}", headers=headers)


@pytest.fixture(scope="module")
def polite():
    """What a polite org answers."""
    return played(rough=False)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_bites_and_does_so_again(kind, polite):
    """Some response differs from a polite org's, and a second org answers the same."""
    first = played(rough=[kind])
    assert first != polite
    assert first == played(rough=kind)


def test_an_org_without_kinds_is_polite(polite):
    """No kinds are the same as none asked for, byte for byte."""
    assert played(rough=()) == polite


def test_another_seed_hits_other_values():
    """The seed of the org decides."""
    texts = []
    for seed in (1, 2):
        with Org(rows=ROWS, clock=ManualClock(), seed=seed, rough=["unknown_data_types"]) as org:
            fields = Asker(org)("GET", "/settings/fields", {"module": "Leads"}).body["fields"]
            texts.append([each["api_name"] for each in fields if each["data_type"] == "hologram"])
    assert texts[0] != texts[1]


@pytest.mark.parametrize("kind", answers.HICCUPS)
def test_a_hiccup_passes(kind):
    """The same call a second time is answered as by a polite org."""
    with Org(rows=ROWS, clock=ManualClock(), rough=[kind]) as emulator:
        ask = Asker(emulator)
        spoiled, good = ask("GET", "/org"), ask("GET", "/org")
        assert spoiled.raw != good.raw
        assert good.status == 200
        assert good.body["org"][0]["id"]


def test_names_select_kinds():
    """All, none, one, several; an unknown one is refused with the names there are."""
    assert kinds_of(True) == tuple(KINDS)
    assert kinds_of(False) == ()
    assert kinds_of("500") == ("500",)
    assert kinds_of({"markup", "500"}) == ("markup", "500")
    with pytest.raises(ValueError, match=r"'5xx' is not a kind of trouble; choose from: fields_"):
        Emulator(rough=["5xx"])


def test_every_kind_says_what_it_does():
    """Names are identifiers or a status, descriptions a line without a full stop."""
    for name, kind in KINDS.items():
        assert name.isidentifier() or name.isdecimal()
        assert kind.description.strip(".") == kind.description
