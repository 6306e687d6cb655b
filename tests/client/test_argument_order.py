"""Swapped arguments: said in three lines, before anything is sent."""

from __future__ import annotations

import inspect
import itertools
import re

import pandas as pd
import pytest

from zcrm_nb import CRM
from zcrm_nb.errors import ZohoError

TABLE = pd.DataFrame({"id": ["410888004000000001"]})
SAMPLES = {
    **{"module": "Deals", "df": TABLE, "ids": TABLE, "records": TABLE, "id": TABLE["id"][0]},
    **{"columns": ["Stage"], "field": "Stage", "lookup": "Account_Name", "tags": ["hot"]},
    **{"related_list": "Notes", "owner": "Lakshmi Iyer", "content": "hello", "on": ["Email"]},
    **{"where": "Amount > 0", "url": "https://a.test", "file": "nothing.txt", "target": "out"},
}


def swaps():
    """Each public method with two positional arguments of different kinds exchanged."""
    for name, method in inspect.getmembers(CRM, inspect.isfunction):
        positional = [
            each
            for each in list(inspect.signature(method).parameters.values())[1:]
            if each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        names = [each.name for each in positional]
        if name.startswith("_") or "module" not in names or len(names) < 2:
            continue
        for one, other in itertools.combinations(range(len(names)), 2):
            values = [SAMPLES[each] for each in names]
            if type(values[one]) is not type(values[other]):
                values[one], values[other] = values[other], values[one]
                yield pytest.param(name, values, id=f"{name}-{names[one]}-{names[other]}")


@pytest.mark.parametrize(("name", "values"), list(swaps()))
def test_swapped_arguments_of_different_kinds_say_so(crm, name, values):
    """The method, what is wrong, and how it is written; no call leaves."""
    needed = {"upsert": {"duplicate_check_fields": ["Email"]}}.get(name, {})
    with crm.trace() as calls, pytest.raises((TypeError, ValueError, ZohoError)) as refused:
        getattr(crm, name)(*values, **needed)
    assert not [call for call in calls if "/settings/" not in call.path]
    text = str(refused.value)
    assert "id  ..." not in text
    for words in ("unhashable", "ambiguous", "no attribute", "expected string"):
        assert words not in text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda crm: crm.subform("Quotes", TABLE, "Quoted_Items"), "The name of a field is needed"),
        (lambda crm: crm.related("Deals", "Notes", TABLE), "related_list must be one text"),
        (lambda crm: crm.tag("Deals", ["hot"], TABLE), "tags cannot be a DataFrame"),
        (lambda crm: crm.picklist("Stage", "Deals"), "'Stage' is not a module, but 'Deals', given"),
        (lambda crm: crm.expand("Account_Name", TABLE, ["Industry"]), "df must be a DataFrame"),
        (lambda crm: crm.update(TABLE, "Deals"), "The name of one module is needed"),
    ],
)
def test_the_right_order_is_named(crm, call, words):
    """So that it can be copied."""
    crm.modules()
    with pytest.raises(TypeError, match=re.escape(words)) as refused:
        call(crm)
    assert re.search(r"\nNothing was sent\.\nWrite: crm\.\w+\(\w+, \w+", str(refused.value))


def test_a_table_that_lost_its_attrs_is_expanded_by_naming_the_module(crm):
    """Merge and concat drop them; the error says what to write, and that works."""
    deals = crm.records("Deals", ["Deal_Name", "Account_Name"], limit=3)
    merged = deals.merge(pd.DataFrame({"id": deals["id"], "n": 1}), on="id")
    merged.attrs = {}
    with pytest.raises(ValueError, match=r"pandas drops df\.attrs in merge") as refused:
        crm.expand(merged, "Account_Name", ["Industry"])
    assert "module='Deals'" in str(refused.value)
    table = crm.expand(merged, "Account_Name", ["Industry"], module="Deals")
    assert table["Account_Name.Industry"].notna().any()
    merged["Deal_Name"] = "Renamed"
    assert len(crm.diff("Deals", merged[["id", "Deal_Name"]]).cells) == 3


def test_signatures_and_docstrings_stay(crm):
    """Help, completion and the type checker see the method itself."""
    assert list(inspect.signature(crm.subform).parameters)[:3] == ["module", "field", "ids"]
    assert crm.subform.__doc__
    assert crm.subform.__doc__.startswith("Read the rows")
