"""What Tab suggests in a half-written query: text and metadata in, words out."""

from __future__ import annotations

import pandas as pd
import pytest

from zcrm_nb.errors import ConnectionFailed
from zcrm_nb.notebook.magics.completions import Known, suggest

STAGES = ["-None-", "Qualification", "Closed Won", "Closed Lost"]
FIELDS = {
    "Deals": [
        ("Deal_Name", "text", None, None),
        ("Stage", "picklist", None, STAGES),
        ("Amount", "currency", None, None),
        ("Account_Name", "lookup", "Accounts", None),
        ("Owner", "ownerlookup", None, None),
        ("Locked__s", "boolean", None, None),
    ],
    "Accounts": [
        ("Account_Name", "text", None, None),
        ("Industry", "picklist", None, ["Farmer's Market", "Banking"]),
        ("Parent_Account", "lookup", "Accounts", None),
    ],
    "Tasks": [
        ("Subject", "text", None, None),
        ("What_Id", "lookup", "Deals, Accounts", None),
        ("Any_Id", "lookup", "se_module", None),
        ("Description", "textarea", None, None),
    ],
    "Secrets": [],
}
NAMES = [name for name, *_ in FIELDS["Deals"]]


class Org:
    """An org that tells its metadata, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def modules(self) -> pd.DataFrame:
        self.asked.append("modules")
        readable = pd.array([name != "Secrets" for name in FIELDS], dtype="boolean")
        return pd.DataFrame({"api_name": list(FIELDS), "api_supported": readable})

    def fields(self, module: str) -> pd.DataFrame:
        self.asked.append(module)
        if module not in FIELDS:
            raise ConnectionFailed("No answer.")
        columns = ["api_name", "data_type", "lookup", "values"]
        return pd.DataFrame(FIELDS[module], columns=columns)


def suggested(marked: str, org: Org | None = None) -> tuple[str, list[str]]:
    """What is suggested where the bar stands."""
    before, after = marked.split("|")
    fragment, found = suggest(before + after, len(before), Known(org or Org()))
    return fragment, [each.text for each in found]


@pytest.mark.parametrize(
    ("marked", "fragment", "first"),
    [
        ("|", "", ["select"]),
        ("sel|", "sel", ["select"]),
        ("select Deal_Name from |", "", ["Deals", "Accounts", "Tasks"]),
        ("select Deal_Name from d|", "d", ["Deals"]),
        ("select | from Deals", "", NAMES),
        ("select Deal_Name, | from Deals", "", NAMES),
        ("select a|\n\nfrom Deals", "a", ["Amount", "Account_Name"]),
        ("select Id from Deals where |", "", NAMES),
        ("select Id from Deals where (Stage = 'x' and Am|", "Am", ["Amount"]),
        ("select Id from Deals where id is not null order by Am|", "Am", ["Amount"]),
        ("select COUNT(|) from Deals", "", NAMES),
    ],
)
def test_modules_and_fields_come_where_a_name_belongs(marked, fragment, first):
    """After FROM modules that the API can read; elsewhere fields, in the order of the org."""
    found = suggested(marked)
    assert found[0] == fragment
    assert found[1][: len(first)] == first


@pytest.mark.parametrize(
    ("marked", "fragment", "words"),
    [
        ("select Account_Name.In| from Deals", "In", ["Industry"]),
        ("select Account_Name.Parent_Account.Ind| from Deals", "Ind", ["Industry"]),
        ("select Owner.fi| from Deals", "fi", ["first_name"]),
        ("select Owner.role.n| from Deals", "n", ["name"]),
        ("select 'What_Id->|' from Tasks", "", ["Deals", "Accounts"]),
        ("select 'What_Id->Accounts.In|' from Tasks", "In", ["Industry"]),
        ("select 'What_Id->Accounts.In| from Tasks", "In", ["Industry"]),
        ("select 'Any_Id->|' from Tasks", "", ["Deals", "Accounts", "Tasks"]),
        ("select Stage.| from Deals", "", []),
    ],
)
def test_paths_are_followed_to_the_module_they_lead_to(marked, fragment, words):
    """Lookups, users, and the arrow behind a lookup to several modules."""
    assert suggested(marked) == (fragment, words)


@pytest.mark.parametrize(
    ("marked", "fragment", "words"),
    [
        ("select id from Deals where Stage = '|'", "", STAGES[1:]),
        ("select id from Deals where Stage = '|", "", STAGES[1:]),
        ("select id from Deals where Stage != 'closed l|'", "closed l", ["Closed Lost"]),
        ("select id from Deals where Stage in ('Qualification', 'C|", "C", STAGES[2:]),
        ('select id from Deals where Stage not in ("C|', "C", STAGES[2:]),
        ("select id from Deals where 'Stage' = 'Q|", "Q", ["Qualification"]),
        ("select id from Deals where Stage = Q|", "Q", ["'Qualification'"]),
        ("select id from Deals where Account_Name.Industry = 'F|'", "F", ["Farmer''s Market"]),
        ("select id from Deals where Locked__s = '|'", "", ["true", "false"]),
        ("select id from Deals where Deal_Name = '|'", "", []),
        ("select id from Deals where Stage = 'x' and Deal_Name = 'C|'", "C", []),
    ],
)
def test_values_of_a_picklist_come_behind_its_field(marked, fragment, words):
    """In quotes as they are, else with quotes; -None- is no value that a query could find."""
    assert suggested(marked) == (fragment, words)


def test_a_subquery_has_a_module_of_its_own():
    """The SELECT in the same bracket decides; behind the bracket it is the outer one again."""
    inner = "select id from Deals where Account_Name in (select id from Accounts where |"
    assert suggested(inner)[1] == ["Account_Name", "Industry", "Parent_Account"]
    outer = "select id from Deals where Account_Name in (select id from Accounts where id is null)"
    assert suggested(f"{outer} and |")[1] == NAMES


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("select Stage |", ["from", "as"]),
        ("select Stage FR|", ["from"]),
        ("select Stage from Deals |", ["where"]),
        ("select Stage from Deals where Stage is |", ["null", "not null"]),
        ("select Stage from Deals where Stage is not |", ["null"]),
        ("select Stage from Deals where Stage = 'x' |", ["and", "or", "order by", "limit"]),
        ("select Stage from Deals where id is null order |", ["by"]),
        ("select Stage from Deals where id is null order by Stage d|", ["desc"]),
        ("select Stage from Deals where id is null limit |", []),
        ("select SU| from Deals", ["SUM("]),
        ("select SUM(Amount) as total from Deals where id is null order by to|", ["total"]),
    ],
)
def test_keywords_come_where_a_name_is_complete(marked, words):
    """Not mixed into names, and only those that can follow."""
    found = suggested(marked)[1]
    assert [each for each in found if each != "group by"] == words


def test_fields_of_other_modules_are_not_asked_for():
    """A call for each module that is named, none for those that are not."""
    org = Org()
    suggested("select Account_Name.I|, Stage from Deals", org)
    assert org.asked == ["Deals", "Accounts"]
    assert suggested("select St|", org)[1] == []
    assert org.asked == ["Deals", "Accounts"]


def test_what_cannot_be_had_is_asked_for_once_and_makes_no_noise():
    """Tab is pressed often, and a person who presses it wants words, not errors."""
    org = Org()
    known = Known(org)
    text = "select F from Nope where id is null"
    assert [suggest(text, 8, known) for _ in range(3)] == [("F", [])] * 3
    assert org.asked == ["Nope"]


def test_no_condition_on_several_lines_is_suggested():
    """Zoho may refuse it; such a field can be selected all the same."""
    assert suggested("select Descr| from Tasks")[1] == ["Description"]
    assert suggested("select id from Tasks where Descr|")[1] == []
