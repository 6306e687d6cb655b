"""The linter says beforehand, and in plain words, what Zoho would say."""

import json
from pathlib import Path

import pytest

from zcrm_nb import coql
from zcrm_nb.coql import lint
from zcrm_nb.coql.fields import OPERATORS, type_of
from zcrm_nb.errors import APIError

CASES = json.loads((Path(__file__).parents[1] / "data" / "coql_documented.json").read_text("utf-8"))
REFUSED = [case for case in CASES if case["parse"] != "ok"]


@pytest.fixture(scope="module")
def fields(crm):
    """The fields of every module, as the org tells them."""
    return {
        module: {
            field["api_name"]: field
            for field in crm.request("GET", "settings/fields", params={"module": module})["fields"]
        }
        for module in crm.modules()["api_name"]
    }


@pytest.fixture
def said(fields):
    """A function that lints against the org."""
    return lambda text: lint(text, fields.get, fields.keys)


@pytest.fixture
def refusal(crm):
    """A function that sends a query as it is and gives Zoho's refusal, or None."""

    def refusal(text):
        try:
            crm.request("POST", "coql", json={"select_query": text})
        except APIError as error:
            return error
        return None

    return refusal


def errors(findings):
    return [each for each in findings if each.severity == "error"]


# ---- What the text alone tells -------------------------------------------------------------------


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["query"])
def test_every_documented_refusal_is_explained(case):
    """What is wrong, where, and what to do: each of the three."""
    findings = lint(case["query"])
    assert findings
    for each in findings:
        assert each.severity in {"error", "repaired"}
        assert each.problem.endswith((".", "…"))
        assert each.fix
        assert "{" not in each.problem + each.fix
        assert each.code


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["query"])
def test_every_documented_refusal_is_explained_in_strict_reading_too(case):
    """Helpers that repair nothing use the same words."""
    with pytest.raises(coql.ParseError) as caught:
        coql.parse(case["query"])
    finding = coql.explained(caught.value, case["query"])
    assert finding.problem
    assert finding.fix
    assert finding.message in finding.said
    assert finding.line <= caught.value.line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select id from L where a = 1 and b = 2 or c = 3", "((A and B) and C)"),
        ("select distinct City from Leads", "group by City"),
        ("select City from Leads having x", "COQL has no HAVING"),
        ("select a + 1 from L where id is null", "does not calculate"),
        ("update Leads set City = 'Pune'", "COQL only reads"),
        ("select id from L where a > null", "is null"),
        ("select id from L where a = 'x", "not closed"),
        ("select id from L where a", "ends too early"),
        ("select id from L where a contains 'x'", "no operator contains"),
        ("select id from L where id is null limit 0", "starts at 1"),
        ("select City, COUNT(id) from L where id is null", "Add: group by City"),
        ("select COUNT(id) from L where id is null group by a order by b", "no b to be sorted by"),
        ("select id from L where a not like 'x%'", "Write: not like '%x%'"),
        (f"select {', '.join(f'a{n}' for n in range(501))} from L where id is null", "500"),
        (f"select {', '.join(f'SUM(a{n})' for n in range(6))} from L where id is null", "5"),
        ("select id from L where id is null order by a,b,c,d,e,f,g,h,i,j,k", "order by"),
        ("select COUNT(id) from L where id is null group by a,b,c,d,e", "group by"),
    ],
)
def test_a_mistake_is_an_error_with_a_way_out(text, words):
    """No metadata is needed for these."""
    (finding,) = errors(lint(text))
    assert words in str(finding)


def test_a_limit_past_one_call_is_noted():
    """It takes several calls, and credits for each."""
    (finding,) = lint("select id from L where City = 'limit 5000' limit 5000")
    assert (finding.severity, finding.column) == ("repaired", 44)
    assert "2,000" in finding.problem


def test_a_finding_is_shown_below_its_line():
    """Line, caret, fix; in a query of several lines too."""
    text = "select City\nfrom Leads\nwhere City contains 'x'"
    assert lint(text)[0].shown(text).splitlines()[1:3] == [
        "    where City contains 'x'",
        "               ^",
    ]


# ---- What the metadata tells ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("select Last_Nmae from Leads where id is null", 8, "Did you mean Last_Name"),
        ("select id from Leads where Cty = 'x'", 28, "Did you mean City"),
        ("select id from Leads where id is null order by Cty", 48, "Did you mean City"),
        ("select id from Leds where id is null", 16, "Did you mean Leads"),
        ("select * from Leds", 15, "Did you mean Leads"),
        ("select City as n from Leads where n = 'Pune'", 35, "ORDER BY only"),
        ("select City.Name from Leads where id is null", 8, "not a lookup"),
        ("select Owner.frist_name from Leads where id is null", 8, "first_name"),
        ("select 'What_Id->Leds.City' from Tasks where id is null", 8, "Did you mean Leads"),
        ("select Visit_For.City from Site_Visits where id is null", 8, "Visit_For->"),
        ("select !Deals.City from Leads where id is null", 8, "!Leads"),
        ("select SUM(City) from Leads where id is null", 8, "needs numbers"),
        ("select Quoted_Items from Quotes where id is null", 8, "records of Quoted_Items"),
        ("select Products_Shown from Site_Visits where id is null", 8, "Site_Visits_X_Products"),
        ("select Documents from Site_Visits where id is null", 8, "crm.record"),
        ("select id from Leads where Territories = 'x'", 28, "not used in a condition"),
        ("select id from Leads where Email_Opt_Out != 'true'", 42, "of type boolean"),
        ("select id from Leads where Owner like 'R%'", 34, "Owner.last_name like 'R%'"),
        ("select id from Deals where Amount like '5%'", 35, "of type currency"),
        ("select id from Deals where Stage > 'Closed'", 34, "of type picklist"),
        ("select id from Deals where Amount = 'much'", 37, "needs a number"),
        ("select id from Deals where Amount in (1, 'much')", 42, "needs a number"),
        ("select id from Leads where Email_Opt_Out = 'yes'", 44, "'true', or 'false'"),
        ("select id from Deals where Closing_Date = '31.3.2026'", 43, "'2026-03-31'"),
        ("select id from Deals where Closing_Date > '2026-02-30'", 43, "'2026-03-31'"),
        (
            "select id from Deals where Closing_Date > '2026-03-31T00:00:00Z'",
            43,
            "A date has no time: '2026-03-31'",
        ),
        ("select id from Leads where Created_Time >= '2026-03-31'", 44, "T00:00:00"),
        ("select id from Leads where Created_Time > '2026-03-31T00:00:00'", 43, "zone"),
        (
            "select id from Leads where Created_Time > '2026-03-31T00:00:00.500+05:30'",
            43,
            "fraction of a second: '2026-03-31T00:00:00+05:30'",
        ),
        ("select id from Leads where Owner = 'Rao'", 36, "Owner.last_name = 'Rao'"),
        (
            "select id from Deals where Account_Name = 'Zylker'",
            43,
            "Account_Name.Account_Name = 'Zylker'",
        ),
        (
            "select id from Contacts where Account_Name in (select id from Accounts where X = 1)",
            78,
            "Accounts has no field",
        ),
    ],
)
def test_what_does_not_fit_the_org_is_an_error_at_its_place(said, text, column, words):
    """Names, operators and values, by the field they are about."""
    (finding,) = errors(said(text))
    assert finding.column == column
    assert words in str(finding)


@pytest.mark.parametrize(
    "text",
    [
        "select Owner.role.name, Created_By.email from Leads where Owner.last_name = 'Rao'",
        "select 'What_Id->Leads.Last_Name' from Tasks where id is not null",
        "select Visit_For.module.api_name from Site_Visits where id is not null",
        "select last_name from Users where id is not null",
        "select Account_Name.Parent_Account.Industry as x from Deals where id is null order by x",
        "select id from Leads where id > '41' and Owner = 410888000000000001",
        "select id from Leads where Created_Time >= '2026-03-31T23:59:59Z'",
        "select id from Leads where Email_Opt_Out = true",
        "select id from Leads where Zip_Code = 411001",
        "select id from Leads where Languages_Known = 'English;German'",
        "select COUNT(id) as n, Stage from Deals where Amount between 1 and 2.5 group by Stage",
        "select id from Accounts where Won_Amount > 5 or Last_Visit_Date = '2026-01-01'",
    ],
)
def test_a_good_query_has_no_findings(said, text):
    """A linter that cries wolf is switched off."""
    assert said(text) == []


def test_a_value_outside_the_picklist_is_a_warning_only(said):
    """Records hold such values from other times, and from imports."""
    (finding,) = said("select id from Deals where Stage = 'Closed Wno'")
    assert finding.severity == "warning"
    assert finding.fix == "Did you mean Closed Won or Closed Lost?"
    assert said("select id from Deals where Stage like 'Closed W%'") == []
    findings = said("select id from Leads where Languages_Known in ('English;Klingon', 'Hindi')")
    assert ["Klingon" in each.problem for each in findings] == [True]


def test_encrypted_fields_can_be_asked_little(fields):
    """Zoho compares what it cannot read only for being there, numbers for being the same."""
    secret = {"X": {"api_name": "X", "data_type": "text", "crypt": {"mode": "decryption"}}}
    assert errors(lint("select id from M where X = 'a'", {"M": secret}.get))
    assert not lint("select id from M where X is not null", {"M": secret}.get)


# ---- Held against the emulator -------------------------------------------------------------------


def test_linter_and_emulator_agree_on_what_can_be_selected(fields, said, refusal):
    """Every field of every module: an error here is a refusal there, and the reverse."""
    for module, known in fields.items():
        for name in known:
            text = f"select '{name}' from {module} where id is not null limit 1"
            assert bool(errors(said(text))) == bool(refusal(text)), text


ASKED = {
    "=": "= {}",
    ">": "> {}",
    "in": "in ({})",
    "between": "between {} and {}",
    "like": "like {}",
    "is null": "is null",
    "not in": "not in ({})",
}
VALUES = {
    "date": "'2026-03-31'",
    "boolean": "'true'",
    **dict.fromkeys(("datetime", "event_reminder"), "'2026-03-31T00:00:00Z'"),
}


def test_linter_and_emulator_agree_on_operators(fields, said, refusal):
    """One field of each type that Zoho's page lists, each operator."""
    found = {}
    for module, known in fields.items():
        for name, field in known.items():
            if field["json_type"] != "jsonarray" or field["data_type"] == "multiselectpicklist":
                key = type_of(field), field["data_type"]
                found.setdefault(key, (module, name, field))
    asked = [each for (kind, _), each in found.items() if kind in OPERATORS]
    assert len(asked) > 20
    for module, name, field in asked:
        for pattern in ASKED.values():
            value = VALUES.get(type_of(field), "'410888000000000001'")
            text = f"select id from {module} where '{name}' {pattern.format(value, value)}"
            assert bool(errors(said(text))) == bool(refusal(text)), text


# ---- What Zoho takes, but may not mean what its writer thinks ------------------------------------


def warnings_of(findings):
    return [each for each in findings if each.severity == "warning"]


@pytest.mark.parametrize("number", [1, 2, 4, 100])
def test_values_that_a_picklist_lacks_are_one_warning(said, number):
    """Named, and short however many there are; the query is not repeated for each."""
    values = ", ".join(f"'Strange {n}'" for n in range(number))
    text = f"select id from Deals where Stage in ({values}, 'Closed Won')"
    (finding,) = warnings_of(said(text))
    assert "'Strange 0'" in finding.problem
    assert ("and 97 more" in finding.problem) == (number == 100)
    assert len(finding.shown(text)) < 600


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("Description like '%call%'", "several lines"),
        ("Description is not null and City = 'Pune'", "several lines"),
        ("Description != 'x'", "several lines"),
    ],
)
def test_a_condition_on_several_lines_is_a_warning(said, where, words):
    """Live orgs refuse it, newer pages do not say."""
    (finding,) = warnings_of(said(f"select id from Leads where {where}"))
    assert words in finding.problem


@pytest.mark.parametrize(
    ("where", "warns"),
    [
        ("Created_Time >= '{0}' and Created_Time < '{1}'", True),
        ("Created_Time < '{1}' and Created_Time > '{0}'", True),
        ("City = 'Pune' and (Created_Time >= '{0}' and Created_Time <= '{1}')", True),
        ("Created_Time between '{0}' and '{1}'", False),
        ("Created_Time >= '{0}' and Modified_Time < '{1}'", False),
        ("Created_Time >= '{0}' or Created_Time < '{1}'", False),
        ("Created_Time >= '{0}' and Created_Time != '{1}'", False),
        ("Annual_Revenue >= 5 and Annual_Revenue < 10", False),
    ],
)
def test_a_range_of_moments_in_two_conditions_is_a_warning(said, where, warns):
    """Some modules call it a syntax error; BETWEEN is offered."""
    condition = where.format("2026-03-01T00:00:00+05:30", "2026-04-01T00:00:00+05:30")
    findings = warnings_of(said(f"select id from Leads where {condition}"))
    assert [
        f"{each.fix}".startswith("If so, write: Created_Time between '2026-03-01")
        for each in findings
    ] == ([True] if warns else [])


@pytest.mark.parametrize(
    ("module", "name", "value", "expected"),
    [
        ("Leads", "Owner", "Lakshmi Iyer", "Owner.full_name = 'Lakshmi Iyer'"),
        ("Leads", "Created_By", "Rao", "Created_By.last_name = 'Rao'"),
        ("Deals", "Solution_Engineer", "a@b.test", "Solution_Engineer.email = 'a@b.test'"),
        ("Contacts", "Account_Name", "Acme", "Account_Name.Account_Name = 'Acme'"),
        ("Deals", "Contact_Name", "A. Rao", "Contact_Name.Full_Name like '%A. Rao'"),
        ("Quotes", "Deal_Name", "Big one", "Deal_Name.Deal_Name = 'Big one'"),
        ("Products", "Vendor_Name", "Acme", "Vendor_Name.Vendor_Name = 'Acme'"),
        (
            "Contacts",
            "Account_Name.Parent_Account",
            "A",
            "Account_Name.Parent_Account.Account_Name",
        ),
    ],
)
def test_a_lookup_compared_with_a_name_is_followed_to_that_name(
    crm, said, module, name, value, expected
):
    """Never a literal example; and the corrected query is one that Zoho takes."""
    (finding,) = errors(said(f"select id from {module} where {name} = '{value}'"))
    assert expected in finding.fix
    assert expected in finding.corrected
    crm.request("POST", "coql", json={"select_query": finding.corrected})


@pytest.mark.parametrize(
    ("where", "fix", "corrects"),
    [
        ("Owner in ('Lakshmi Iyer', 'Ravi Rao')", "Owner.full_name in …", True),
        ("Owner not in ('Iyer', 'Rao')", "Owner.last_name not …", True),
        ("Owner in ('Lakshmi Iyer', 'Rao')", "full names only", False),
        ("Owner in ('410888040000000002', 'Rao')", "Compare ids", False),
        ("Contact_Name in ('Asha Rao', 'Ravi Rao')", "or one name: Contact_Name.Full_Name", False),
        ("Contact_Name != 'Asha Rao'", "Contact_Name.Full_Name not like '%Asha Rao%'", True),
        ("What_Id = 'Acme'", "Compare ids", False),
    ],
)
def test_several_names_are_corrected_only_where_all_are_alike(said, where, fix, corrects):
    """A correction that finds some of them would be worse than none."""
    module = "Tasks" if "What_Id" in where else "Deals"
    (finding,) = errors(said(f"select id from {module} where {where}"))
    assert fix in finding.fix
    assert bool(finding.corrected) == corrects
    assert not finding.corrected or errors(said(finding.corrected)) == []


def test_the_advice_on_owners_finds_their_records(crm, said):
    """For every owner: by full name as shown, and by the last name that COQL shows."""
    owners = crm.coql("select Owner.full_name, COUNT(id) as n from Leads group by Owner.full_name")
    for name, number in owners.itertuples(index=False):
        text = "select id from Leads where Owner = '" + name.replace("'", "''") + "'"
        (finding,) = errors(said(text))
        assert len(crm.coql(finding.corrected)) == number > 0
