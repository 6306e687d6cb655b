"""The widget of the job tray: its page, repainted when something has changed, and its buttons."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

from zcrm_nb.notebook.static_twin import LIVE

__all__ = ["TrayView"]

# One table with buttons in its cells cannot be made of ipywidgets, whose boxes no screen reader
# takes for a table. A button that had the focus has it again after a repainting.
_ESM = """
function render({ model, el }) {
  const show = () => {
    const held = el.contains(document.activeElement) ? document.activeElement.dataset : {};
    el.innerHTML = model.get("page");
    const { act, job } = held;
    if (act === undefined) return;
    const buttons = [...el.querySelectorAll("button")];
    const same = (each) => each.dataset.job === job;
    (buttons.find((each) => same(each) && each.dataset.act === act) ?? buttons.find(same))?.focus();
  };
  const pressed = (event) => {
    const button = event.target.closest("button[data-act]");
    if (!button) return;
    button.disabled = true;
    model.send({ act: button.dataset.act, job: button.dataset.job });
    // Where nobody repaints, as nothing has changed or the kernel is gone, it can be tried again.
    setTimeout(() => { button.disabled = false; }, 2000);
  };
  // Lab would take Enter and the space bar for its own shortcuts.
  const typed = (event) => {
    if (event.target.closest("button")) event.stopPropagation();
  };
  model.on("change:page", show);
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", typed);
  show();
  return () => model.off("change:page", show);
}
export default { render };
"""


class TrayView(anywidget.AnyWidget):
    """A tray as one looks at it.

    Parameters
    ----------
    draw : callable
        Writes the page as it is now.
    press : callable
        Does what a button says: is given what it does, and to which job.

    Notes
    -----
    It is repainted from the tray's threads, in the context of the cell that shows it.
    """

    _esm = _ESM
    page = traitlets.Unicode().tag(sync=True)

    def __init__(self, draw: Callable[[], str], press: Callable[[str, str], None]) -> None:
        self._draw, self._press = draw, press
        self._context = contextvars.copy_context()
        self._painting = threading.Lock()
        super().__init__(page=draw())
        self.add_class(LIVE)
        self.on_msg(self._pressed)

    def refresh(self) -> None:
        """Paint what is there now; the front end hears of it if that is something new."""
        with self._painting:
            self._context.copy().run(self._set)

    def _set(self) -> None:
        """Set the page."""
        self.page = self._draw()

    def _pressed(self, widget: object, content: Any, buffers: object) -> None:
        """Do what a button says."""
        if isinstance(content, dict):
            self._press(str(content.get("act")), str(content.get("job")))

    def __repr__(self) -> str:
        return "A tray that keeps up to date stands here while the notebook runs."
