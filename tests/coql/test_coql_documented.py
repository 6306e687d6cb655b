"""The third witness: documented queries and refusals, held against grammar, linter and emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zcrm_nb.coql import ParseError, examine, parse, to_text
from zcrm_nb.errors import APIError

if TYPE_CHECKING:
    from zcrm_nb import CRM

CASES = json.loads((Path(__file__).parents[1] / "data" / "coql_documented.json").read_text("utf-8"))
ACCEPTED = [case["query"] for case in CASES if case["parse"] == "ok"]
REFUSED = [case for case in CASES if case["parse"] != "ok"]


@pytest.mark.parametrize("query", ACCEPTED)
def test_an_accepted_query_survives_being_printed(query: str) -> None:
    """What Zoho's pages show must parse, and mean the same after printing."""
    tree = parse(query)
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["query"])
def test_a_refused_query_gets_zohos_own_words(case: dict[str, Any]) -> None:
    """Code, message and details must be the documented ones, letter for letter."""
    with pytest.raises(ParseError) as caught:
        parse(case["query"])
    error = caught.value
    said = {"code": error.code, "message": error.message, "details": error.details}
    assert said == case["parse"]


# What depends on the records and views that an org has, or on the page that is asked for.
ORG_DEPENDS = {"sub_query_sequence", "cvid"}
SETTLED = [
    "select Account_Name.Parent_Account.Parent_Account.Account_Name from Contacts "
    "where id is not null",
    "select MIN(Last_Name) from Leads where id is not null",
    "select MAX(Stage) from Deals where id is not null",
    "select COUNT(Last_Name) from Leads where id is not null",
    "select SUM(id) from Leads where id is not null",
    "select AVG(Closing_Date) from Deals where id is not null",
    "select status from Users where id is not null",
    "select Owner.Reporting_To.last_name from Leads where Owner.status = 'active'",
    "select id from Contacts where Data_Processing_Basis_Details = '41'",
    "select id from Contacts where Data_Processing_Basis_Details.Consent_Date is not null",
    "select id from Tasks where What_Id.module.api_name = 'Deals'",
    "select What_Id.Subject from Tasks where id is not null",
    "select id from Leads where Tag in ('hot', 'cold')",
    "select id from Leads where Tag like 'h%'",
    "select id from Leads where id is not null order by Tag",
    "select 'Who_Id->Leads.Last_Name' from Tasks where id is not null",
    "select 'Who_Id->Contacts.Account_Name.Industry' from Tasks where id is not null",
    "select id from Leads where Description like '%call%'",
    "select id from Leads where Participants = '41'",
]


@pytest.mark.parametrize("query", [case["query"] for case in CASES] + SETTLED)
def test_linter_and_emulator_give_one_verdict(crm: CRM, query: str) -> None:
    """What the linter calls an error or repairs, Zoho would refuse; anything else it would take."""
    catalogue = crm._catalogue
    findings = examine(query, catalogue.fields, catalogue.modules).findings
    refused = refusal(crm, query)
    if refused is not None and ORG_DEPENDS & refused.details.keys():
        return
    if refused is not None and refused.details.get("clause") == "offset":
        return  # pages are fetched, so no offset is too large for the client
    wrong = [str(each) for each in findings if each.severity in {"error", "repaired"}]
    assert bool(wrong) == bool(refused), (wrong, refused)


def refusal(crm: CRM, query: str) -> APIError | None:
    """Zoho's refusal of a query as it is, or None."""
    try:
        crm.request("POST", "coql", json={"select_query": query})
    except APIError as refused:
        return refused
    return None
