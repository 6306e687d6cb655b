"""The widget of the explorer's fields: one table with boxes to tick, filtered where it is shown."""

from __future__ import annotations

import anywidget
import traitlets

from zcrm_nb.notebook.assets import asset
from zcrm_nb.notebook.explorer.page import fields_table

__all__ = ["FieldTable"]


class FieldTable(anywidget.AnyWidget):
    """The fields of a module, of which some are columns.

    Notes
    -----
    ``ticked`` holds their API names in the order in which they were ticked. It comes from a front
    end, so its names need not exist.
    """

    _esm = asset("explorer/fields.js")
    page = traitlets.Unicode().tag(sync=True)
    ticked = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def show(self, rows: list[dict[str, object]], ticked: list[str]) -> None:
        """Show the fields of another module."""
        with self.hold_sync():
            self.page = fields_table(rows, live=True) if rows else ""
            self.ticked = list(ticked)
