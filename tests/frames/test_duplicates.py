"""Groups of rows that stand for the same person: transitive, explained, with a master."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zcrm_nb
from zcrm_nb.frames import duplicates as module
from zcrm_nb.frames import optional


def people(**columns):
    """A table of people."""
    return pd.DataFrame(columns)


def test_groups_are_transitive_over_all_keys():
    """Who shares the e-mail with one and the phone with another joins all three."""
    df = people(
        Email=["a@x.test", "A@X.test", "b@x.test", "c@x.test"], Phone=[None, "98110 12345"] * 2
    )
    found = zcrm_nb.duplicates(df, on=["Email", "Phone"])
    assert found["group"].tolist() == [1, 1, 1]
    assert found.index.tolist() == [0, 1, 3]
    assert found["master"].tolist() == [True, False, False]
    assert found["matched"].tolist() == [
        "Email: a@x.test",
        "Email: a@x.test; Phone: 9811012345",
        "Phone: 9811012345",
    ]


def test_columns_in_a_tuple_must_agree_together():
    """A missing part matches nothing."""
    df = people(First=["Asha", "asha", "Asha", None, None], Last=["Rao", "RAO", "Iyer", "Om", "Om"])
    found = zcrm_nb.duplicates(df, on=[("First", "Last")])
    assert found.index.tolist() == [0, 1]
    assert found["matched"].unique().tolist() == ["First + Last: asha rao"]
    assert zcrm_nb.duplicates(df, on="Last").index.tolist() == [0, 1, 3, 4]


@given(
    st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 6)) for _ in range(3)]), max_size=30)
)
def test_groups_are_those_of_a_graph(rows):
    """Two rows are in one group exactly where a chain of equal values joins them."""
    df = pd.DataFrame(rows, columns=["a", "b", "c"], dtype=object)
    keys = [("a",), ("b", "c")]
    found = zcrm_nb.duplicates(df, on=["a", ("b", "c")], ignore=())
    label = list(range(len(rows)))
    for _ in rows:
        for i, one in enumerate(rows):
            for j, other in enumerate(rows):
                parts = [["abc".index(name) for name in key] for key in keys]
                if any(all(one[p] is not None and one[p] == other[p] for p in k) for k in parts):
                    label[i] = label[j] = min(label[i], label[j])
    wanted = {}
    for row, root in enumerate(label):
        wanted.setdefault(root, set()).add(row)
    groups = {frozenset(each) for each in wanted.values() if len(each) > 1}
    assert {frozenset(part.index) for _, part in found.groupby("group")} == groups


@pytest.mark.parametrize(
    ("keep", "master"), [("oldest", "12"), ("newest", "11"), ("most_complete", "13")]
)
def test_the_master_is_chosen_by_the_rule(keep, master):
    """One in each group, and it stands first."""
    df = people(
        id=["11", "12", "13"],
        Email=["a@x.test"] * 3,
        City=[None, "", "Goa"],
        Tag=[[], [], ["vip"]],
        Created_Time=pd.to_datetime(["2026-03-01", "2026-01-01", "2026-02-01"], utc=True),
    )
    found = zcrm_nb.duplicates(df, on="Email", keep=keep)
    assert found["id"].tolist()[0] == master
    assert found["master"].tolist() == [True, False, False]


def test_without_a_time_the_id_decides_and_without_an_id_the_position():
    """Ids are numbers in text: the shorter one is the older."""
    df = people(id=["100", "99", "101"], Email=["a@x.test"] * 3)
    assert zcrm_nb.duplicates(df, on="Email")["id"].iloc[0] == "99"
    assert zcrm_nb.duplicates(df, on="Email", keep="newest")["id"].iloc[0] == "101"
    bare = df.drop(columns="id")
    assert zcrm_nb.duplicates(bare, on="Email").index[0] == 0
    assert zcrm_nb.duplicates(bare, on="Email", keep="newest").index[0] == 2


def test_a_lead_is_never_the_master_of_a_contact():
    """Contacts do not become leads."""
    df = people(id=["1", "2"], module=["Leads", "Contacts"], Email=["a@x.test"] * 2)
    found = zcrm_nb.duplicates(df, on="Email")
    assert found["module"].tolist() == ["Contacts", "Leads"]


def test_labels_of_the_table_are_kept():
    """So that ``df.loc[found.index]`` works."""
    df = people(Email=["a@x.test", "b@x.test", "a@x.test"]).set_axis(["p", "q", "r"])
    assert zcrm_nb.duplicates(df, on="Email").index.tolist() == ["p", "r"]


@pytest.mark.parametrize(
    "df",
    [
        people(Email=[], Phone=[]),
        people(Email=[None, None], Phone=[None, None]),
        people(Email=["", "  "], Phone=["n/a", "N/A"]),
        people(Email=["a@x.test", "b@x.test"], Phone=["98110 12345", "98110 12346"]),
        people(Email=[np.nan, pd.NA], Phone=[pd.NaT, None]),
    ],
)
def test_where_nothing_matches_the_table_is_empty_and_typed(df):
    """No rows, nulls, empty texts, placeholders, different values."""
    found = zcrm_nb.duplicates(df, on=["Email", "Phone"])
    assert found.empty
    assert found.dtypes.astype(str).to_dict() | {"Email": "", "Phone": ""} == {
        "group": "Int64", "master": "boolean", "matched": "string", "Email": "", "Phone": "",
    }  # fmt: skip


def test_values_that_cannot_be_hashed_are_compared_as_text():
    """Lists in any order, dicts, mixed types."""
    df = people(Interests=[["b", "a"], ["a", "b"], {"k": 1}, {"k": 1}, 7, "7"])
    assert zcrm_nb.duplicates(df, on="Interests")["group"].tolist() == [1, 1, 2, 2, 3, 3]


def test_a_lookup_is_compared_by_its_id():
    """Two firms may have one name."""
    lookup = {"Account_Name": ["Tata"] * 3, "Account_Name.id": ["1", "2", "1"]}
    assert zcrm_nb.duplicates(pd.DataFrame(lookup), on="Account_Name").index.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on": "Emial"}, "no column 'Emial'. Did you mean Email"),
        ({"on": [("Email", "Citty")]}, "no column 'Citty'"),
        ({"on": []}, "on= takes columns"),
        ({"on": [()]}, "each entry is the name of a column"),
        ({"on": [1]}, "each entry is the name of a column"),
        ({"on": "Email", "keep": "best"}, "choose one of oldest, newest, most_complete"),
        ({"on": "Email", "country": "Atlantis"}, "country='Atlantis'"),
        ({"on": "Email", "fuzzy": {"City": 90}}, "not in on="),
        ({"on": "Email", "fuzzy": {"Email": 900}}, "from 0 to 100"),
        ({"on": "Email", "kinds": {"Email": "mail"}}, "choose email, phone, website, text"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    """With what to do instead."""
    with pytest.raises(ValueError, match=message):
        zcrm_nb.duplicates(people(Email=["a@x.test"], Phone=["1"]), **arguments)


def test_what_is_not_a_table_is_refused():
    """And so are columns that share a name."""
    with pytest.raises(TypeError, match="takes a DataFrame, not a list"):
        zcrm_nb.duplicates([{"Email": "a@x.test"}], on="Email")
    twice = pd.DataFrame([["a", "b"]], columns=["Email", "Email"])
    with pytest.raises(ValueError, match="repeated: Email"):
        zcrm_nb.duplicates(twice, on="Email")


# ---- Names that are nearly the same --------------------------------------------------------------


def test_fuzzy_names_match_within_the_other_columns_of_their_key():
    """One letter apart, in the same firm; the similarity is in the evidence."""
    df = people(
        Name=[
            "Asha Raghavan",
            "Raghavan Asha",
            "Asha Ragavan",
            "Asha Raghavan",
            "Ravi Kumar",
            None,
        ],
        Company=["Tata", "TATA ", "Tata", "Infosys", "Tata", "Tata"],
    )
    found = zcrm_nb.duplicates(df, on=[("Company", "Name")], fuzzy={"Name": 90})
    assert found.index.tolist() == [0, 1, 2]
    assert found["matched"].iloc[2] == "Company + Name ~ tata asha ragavan (96)"


def test_fuzzy_names_alone_are_compared_where_their_words_begin_alike():
    """By the first word, or by the last."""
    df = people(Name=["Lakshmi Iyer", "Laxmi Iyer", "Lakshmi Iyar", "Zoya Khan"])
    found = zcrm_nb.duplicates(df, on="Name", fuzzy={"Name": 80})
    assert found.index.tolist() == [0, 1, 2]


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
    """One line with the extra."""

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(optional.importlib, "import_module", absent)
    with pytest.raises(ImportError, match=r"pip install 'zcrm-nb\[fuzzy\]'"):
        zcrm_nb.duplicates(people(Name=["Asha", "Asha"]), on="Name", fuzzy={"Name": 90})


def test_a_long_chain_is_one_group():
    """Each shares its e-mail with the one before and its phone with the one after."""
    count = 20_000
    df = people(
        Email=[f"e{row // 2}@x.test" for row in range(count)],
        Phone=[f"98110{(row + 1) // 2:06d}" for row in range(count)],
    )
    began = time.process_time()
    found = zcrm_nb.duplicates(df, on=["Email", "Phone"])
    assert found["group"].nunique() == 1
    assert len(found) == count
    assert (
        time.process_time() - began < 20
    )  # a union-find over rows would take minutes in a bad order


def test_groups_come_in_the_order_of_their_first_rows():
    """Numbered from 1."""
    df = people(Email=["b@x.test", "a@x.test", "a@x.test", "b@x.test"])
    found = zcrm_nb.duplicates(df, on="Email")
    assert found["group"].tolist() == [1, 1, 2, 2]
    assert all(a <= b for a, b in pairwise(found["group"]))
    assert module.KEEP[0] == "oldest"
