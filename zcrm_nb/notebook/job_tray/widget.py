"""The widget of the job tray: its page, repainted when something has changed, and its buttons."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from zcrm_nb.notebook.assets import asset
from zcrm_nb.notebook.static_twin import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TrayView"]


class TrayView(anywidget.AnyWidget):
    """The tray as a widget.

    Parameters
    ----------
    draw : callable
        Returns the page as HTML.
    press : callable
        Called with the action of a button and the id of its job.

    Notes
    -----
    It is repainted from the tray's threads, in the context of the cell that shows it.
    """

    _esm = asset("job_tray/tray.js")
    page = traitlets.Unicode().tag(sync=True)

    def __init__(self, draw: Callable[[], str], press: Callable[[str, str], None]) -> None:
        self._draw, self._press = draw, press
        self._context = contextvars.copy_context()
        self._painting = threading.Lock()
        super().__init__(page=draw())
        self.add_class(LIVE)
        self.on_msg(self._pressed)

    def refresh(self) -> None:
        """Paint the page again; the front end is told only of changes."""
        with self._painting:
            self._context.copy().run(self._set)

    def _set(self) -> None:
        """Set the page."""
        self.page = self._draw()

    def _pressed(self, widget: object, content: Any, buffers: object) -> None:
        """Pass on which button was pressed."""
        if isinstance(content, dict):
            self._press(str(content.get("act")), str(content.get("job")))

    def __repr__(self) -> str:
        return "A tray that updates itself is shown here while the notebook runs."
