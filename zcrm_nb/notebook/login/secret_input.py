"""An input whose text never becomes widget state: it travels once, as a message.

What stands in a widget's trait is saved into the notebook when Jupyter saves widget state, a
``Password`` included, even one that is cleared at once: autosave may come in between. Nothing on
the kernel's side can help, since the front end saves its own copy. So here there is no trait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from zcrm_nb.auth.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SecretBox"]

_ESM = """
function render({ model, el }) {
  // Not crypto.randomUUID: a hub on an intranet may speak plain http, and has none there.
  const id = "zcrm-" + Math.random().toString(36).slice(2);
  const label = document.createElement("label");
  const input = document.createElement("input");
  label.htmlFor = input.id = id;
  input.autocomplete = "off";
  input.spellcheck = false;
  el.classList.add("zcrm-secret");
  const show = () => {
    label.textContent = model.get("label");
    input.type = model.get("hidden") ? "password" : "text";
    input.placeholder = model.get("hint");
  };
  const give = (entered) => {
    const text = input.value;
    input.value = "";
    model.send({ text, entered });
  };
  const asked = (message) => { if (message === "give") give(false); };
  // Lab would take single letters for its own shortcuts.
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") { event.preventDefault(); give(true); }
  });
  model.on("change", show);
  model.on("msg:custom", asked);
  show();
  el.append(label, input);
  return () => { model.off("change", show); model.off("msg:custom", asked); };
}
export default { render };
"""

_CSS = """
.zcrm-secret { display: flex; align-items: center; margin: 2px; max-width: 100%; }
.zcrm-secret label { flex: 0 0 auto; width: var(--zcrm-label, 9em); margin-right: 8px;
  text-align: right; font-size: var(--jp-widgets-font-size, 13px); color: inherit; }
.zcrm-secret input { flex: 1 1 auto; min-width: 0; height: 28px; box-sizing: border-box;
  padding: 0 8px; font: inherit; font-size: var(--jp-widgets-font-size, 13px);
  color: var(--jp-widgets-input-color, inherit);
  background: var(--jp-widgets-input-background-color, transparent);
  border: 1px solid var(--jp-widgets-input-border-color, #8888); }
.zcrm-secret input:focus { outline: 2px solid var(--jp-brand-color1, #4a90e2); }
"""


class SecretBox(anywidget.AnyWidget):
    """A labelled input that gives what was typed to one function, and keeps nothing.

    Parameters
    ----------
    label : str
        What stands before it.
    take : callable
        Called with the text as a ``Secret``, and whether Enter was pressed in the box.
    hidden : bool, default True
        Whether the text shows as dots.
    hint : str, default ""
        What an empty box says.

    Examples
    --------
    >>> from zcrm_nb.notebook.login.secret_input import SecretBox
    >>> SecretBox("Client secret", print)
    SecretBox('Client secret')
    """

    _esm = _ESM
    _css = _CSS
    label = traitlets.Unicode().tag(sync=True)
    hidden = traitlets.Bool().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        label: str,
        take: Callable[[Secret, bool], object],
        *,
        hidden: bool = True,
        hint: str = "",
    ) -> None:
        super().__init__(label=label, hidden=hidden, hint=hint)
        self._take = take
        self.on_msg(self._got)

    def give(self) -> None:
        """Ask the front end for what was typed; it comes to `take`, even when it is nothing."""
        self.send("give")

    def _got(self, widget: object, content: Any, buffers: object) -> None:
        """Take a message."""
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            self._take(Secret(content["text"].strip()), bool(content.get("entered")))

    def __repr__(self) -> str:
        return f"SecretBox({self.label!r})"
