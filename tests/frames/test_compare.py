"""Two values are the same when the CRM makes no difference between them."""

from __future__ import annotations

from typing import Any

import pytest

from zcrm_nb.frames.compare import comparable, keys_of, matches, shown, writable


def field(data_type: str, **more: Any) -> dict[str, Any]:
    """Describe a field as Zoho does."""
    return {"api_name": more.pop("name", "X"), "data_type": data_type, **more}


@pytest.mark.parametrize(
    ("about", "one", "other"),
    [
        (field("text"), None, ""),
        (field("picklist"), None, "-None-"),
        (field("multiselectpicklist"), ["a", "b"], "b;a"),
        (field("multiselectpicklist"), None, []),
        (field("bigint"), "4711", 4711),
        (field("currency", decimal_place=2), 1.5, 1.504),
        (field("currency"), 2, 2.0),
        (field("datetime"), "2026-03-31T10:00:00+05:30", "2026-03-31T04:30:00Z"),
        (field("lookup"), {"id": "7"}, {"id": "7", "name": "Acme"}),
        (field("ownerlookup"), {"id": "7", "name": "Ruiz"}, {"id": "7", "name": "Ada Ruiz"}),
        (field("lookup"), None, {"id": None}),
        (
            field("text", name="Tag"),
            [{"name": "a", "id": "1"}, {"name": "b"}],
            [{"name": "b"}, {"name": "a"}],
        ),
        (field("subform"), [{"a": 1, "b": 2}], [{"b": 2, "a": 1}]),
        (field("subform"), None, []),
    ],
)
def test_what_the_crm_takes_for_the_same_is_the_same(about: Any, one: Any, other: Any) -> None:
    """However it is spelled."""
    a, b = comparable([one, other], about)
    assert a == b


@pytest.mark.parametrize(
    ("about", "one", "other"),
    [
        (field("text"), "Pune", "pune"),
        (field("text"), "Pune", "Pune "),
        (field("boolean"), False, None),
        (field("currency", decimal_place=2), 1.5, 1.51),
        (field("datetime"), "2026-03-31T10:00:00+05:30", "2026-03-31T10:00:00Z"),
        (field("lookup"), {"id": "7"}, {"id": "8"}),
        (field("lookup"), {"id": "7"}, None),
        (field("date"), "2026-03-31", None),
    ],
)
def test_what_differs_differs(about: Any, one: Any, other: Any) -> None:
    """Case and spaces are what people clean."""
    a, b = comparable([one, other], about)
    assert a != b


def test_values_are_shown_and_written_by_what_matters() -> None:
    """Ids of lookups, names of tags."""
    owner, tags = {"id": "7", "name": "Ruiz", "email": "r@example.com"}, [{"name": "a", "id": "1"}]
    assert shown([owner], field("ownerlookup")) == ["7"]
    assert writable(owner, field("ownerlookup")) == {"id": "7"}
    assert shown([tags], field("text", name="Tag")) == [["a"]]
    assert writable(tags, field("text", name="Tag")) == [{"name": "a"}]
    assert shown(["x"], field("text")) == [writable("x", field("text"))] == ["x"]


@pytest.mark.parametrize(
    ("about", "value"),
    [
        (field("currency"), "many"),
        (field("bigint"), 5.5),
        (field("datetime"), "yesterday"),
        (field("text"), "\ud83d"),
        (field("subform"), [{"a": "\ud83d"}]),
        (field("multiselectpicklist"), 7),
    ],
)
def test_what_does_not_fit_its_field_is_compared_all_the_same(about: Any, value: Any) -> None:
    """It differs from what the CRM holds, and is refused where values are checked."""
    a, b = comparable([value, value], about)
    assert a == b is not None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Pune", "PUNE", True),
        ("Straße", "STRASSE", False),
        ("kelvin", "\N{KELVIN SIGN}elvin", False),
        ("É", "é", False),
        ("Pune", "Pune ", False),
    ],
)
def test_keys_are_folded_as_zoho_folds_them(one: str, other: str, same: bool) -> None:
    """ASCII letters only: records that Zoho keeps apart are not taken for one."""
    a, b = keys_of([one, other], field("text"))
    assert (a == b) is same


@pytest.mark.parametrize("spelling", ["case_sensitive", "casesensitive"])
def test_fields_that_are_unique_with_regard_to_case_are_not_folded(spelling: str) -> None:
    """The metadata says so."""
    a, b = keys_of(["A1", "a1"], field("text", unique={spelling: True}))
    assert a != b


@pytest.mark.parametrize(
    ("data_type", "wanted", "known"),
    [
        ("text", ["77001", "x", None], ["X", "77001"]),
        ("bigint", [77001, 5, None], [5, "77001"]),
        ("currency", [1.5, 2, None], [2.0, 1.5]),
        ("email", ["Osei@x.example", "é@x.example", None], ["É@X.example", "osei@x.example"]),
    ],
)
def test_records_are_found_by_their_keys(data_type: str, wanted: Any, known: Any) -> None:
    """Nothing finds nothing; another case beyond ASCII counts where Zoho gave no closer record."""
    fields = {"K": field(data_type, name="K")}
    assert matches({"K": wanted}, {"K": known}, fields) == [[1], [0], []]
