"""How a plan is shown: every kind of change is seen, and nothing of a value is taken for markup."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from zcrm_nb.frames import write_plan_view
from zcrm_nb.frames.write_plan import cells_table


def cells(*changes: tuple[str, Any, Any]) -> pd.DataFrame:
    """A table of changed cells, each of a row of its own."""
    rows = [
        {"row": row, "id": str(row), "column": column, "old": old, "new": new}
        for row, (column, old, new) in enumerate(changes)
    ]
    return cells_table(pd.RangeIndex(len(rows)), rows)


def test_one_mistake_among_many_changes_is_seen() -> None:
    """Changes of one form are shown once, with their number; a rare one is not hidden by them."""
    many = [("Phone", f"0091 {n}", f"+91 {n}") for n in range(500)]
    shown = write_plan_view.text(["Plan"], cells(*many, ("Phone", "(+91) 7", "++91 7")), {}, {})
    assert shown.splitlines()[2:] == [
        "Phone: 501 cells",
        "  0    0091 0   →  +91 0   and 499 more like it",
        "  500  (+91) 7  →  ++91 7",
    ]


def test_letters_in_capitals_are_another_form() -> None:
    """What differs in case only is what a rule about case should show."""
    rows = [("City", each.lower(), each) for each in ("Pune", "Kochi", "PUNE", "Agra", "Goa")]
    shown = write_plan_view.text(["Plan"], cells(*rows, *[("A", "x", "y")] * 4), {}, {})
    assert "PUNE" in shown


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("Mumbai ", "Mumbai", "0  'Mumbai '  →  Mumbai"),
        (None, ["a", "b"], "0  (empty)  →  a, b"),
        ("1", "2", "0  Rao (1)  →  2"),
        ([], 0.5, "0  (empty)  →  0.5"),
        ("x" * 100, False, f"0  {'x' * 43}…  →  False"),
    ],
)
def test_values_are_written_as_a_person_reads_them(old: Any, new: Any, line: str) -> None:
    """Stray spaces stand in quotes, lookups have names, a long text ends somewhere."""
    assert line in write_plan_view.text(["Plan"], cells(("X", old, new)), {}, {"1": "Rao"})


def test_many_fields_are_named_even_if_not_shown() -> None:
    """The fields that change most come first."""
    rows = [(f"F{n}", "a", "b") for n in range(12) for _ in range(12 - n)]
    shown = write_plan_view.text(["Plan"], cells(*rows), {}, {})
    assert shown.split("\n\n")[1].startswith("F0: 12 cells")
    assert "Also: F8 (4), F9 (3), F10 (2), F11 (1)" in shown


def test_a_page_shows_the_same_and_takes_no_value_for_markup() -> None:
    """Old values are struck out where styles are dropped, too."""
    table = cells(("X", "<script>", "a & b"), ("Y", None, "c"))
    shown = write_plan_view.html(["<Plan>", "note"], table, {"To insert": table}, {})
    assert "<script>" not in shown
    assert ">&lt;script&gt;</del>" in shown
    assert ">a &amp; b</ins>" in shown
    assert "<b>&lt;Plan&gt;</b><br>note" in shown
    assert "<b>To insert</b>" in shown
