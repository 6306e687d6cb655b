"""What a write would change, drawn."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zcrm_nb.frames.write_plan import WritePlan
from zcrm_nb.notebook.plots import changes


def texts(ax: Axes) -> list[str]:
    """Every text in the picture beside titles and labels of axes."""
    return [text.get_text() for text in ax.texts]


def plan_of(cells: list[tuple[str, str]], rows: int = 10) -> WritePlan:
    """A plan that changes some cells, named by id and field."""
    return WritePlan(
        pd.DataFrame({"action": "update", "id": [f"{n}" for n in range(rows)]}),
        pd.DataFrame(cells, columns=["id", "column"]),
        pd.DataFrame(),
        subject="Leads by id",
        notes=[],
        names={},
        apply=lambda: None,
    )


def test_each_changed_cell_is_a_line_at_the_place_of_its_row():
    """The field with most changes is on top, and its number beside it."""
    ax = changes(plan_of([("3", "City"), ("3", "Phone"), ("7", "Phone")]))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Phone", "City"]
    assert [list(each.get_positions()) for each in ax.collections] == [[3, 7], [3]]
    assert texts(ax) == ["2", "1"]
    assert repr(ax).splitlines() == ["Cells to change in 10 rows", "Phone  2", "City   1"]


def test_nothing_to_change_is_said():
    """An empty plan is a sentence, on any axes."""
    ax = Figure().add_subplot()
    assert changes(plan_of([]), ax=ax, title="Tidy") is ax
    assert texts(ax) == ["Nothing to change."]
    assert "Nothing to change." in repr(changes(plan_of([])))
