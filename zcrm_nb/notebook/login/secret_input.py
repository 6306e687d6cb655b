"""An input whose text never becomes widget state: it travels once, as a message.

A widget's traits are saved into the notebook when Jupyter saves widget state, those of a
``Password`` included, even one that is cleared at once: autosave may come in between. Nothing on
the kernel's side can help, since the front end saves its own copy. So the text is in no trait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from zcrm_nb.masking import Secret
from zcrm_nb.notebook.assets import asset

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SecretBox"]


class SecretBox(anywidget.AnyWidget):
    """A labelled input that passes what was typed to one function, and keeps nothing.

    Parameters
    ----------
    label : str
        Label before it.
    take : callable
        Called with the text as a ``Secret``, and whether Enter was pressed in the box.
    hidden : bool, default True
        Whether the text shows as dots.
    hint : str, default ""
        Placeholder.

    Examples
    --------
    >>> from zcrm_nb.notebook.login.secret_input import SecretBox
    >>> SecretBox("Client secret", print)
    SecretBox('Client secret')
    """

    _esm = asset("login/secret_input.js")
    _css = asset("login/secret_input.css")
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
        self.on_msg(self._receive)

    def give(self) -> None:
        """Fetch what was typed from the front end; `take` is called even with an empty text."""
        self.send("give")

    def _receive(self, widget: object, content: Any, buffers: object) -> None:
        """Take a message."""
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            self._take(Secret(content["text"].strip()), bool(content.get("entered")))

    def __repr__(self) -> str:
        return f"SecretBox({self.label!r})"
