"""A widget and its twin, a page that stands still: whoever has no widget any more reads that."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.environment import here

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LIVE", "bundle", "show"]

LIVE = "zcrm-live"
"""What the widget's class is, for the page to know that it is there."""

# A cell's outputs in JupyterLab and Notebook, in VS Code, in Colab. The widget comes within a
# moment: nothing is to flash before it. One whose kernel has ended gives way to the page. Where it
# is not known any more, Lab writes an error in its place, which nobody needs below the page.
_STYLE = f"""<style>
@keyframes zcrm-after {{ from {{ max-height: 0; overflow: hidden; visibility: hidden; }} }}
.zcrm-twin {{ animation: zcrm-after 0s 1.5s backwards; }}
:is(.jp-OutputArea, .cell_container, #output-area):has(
  .{LIVE}:not(.jupyter-widgets-disconnected)) .zcrm-twin,
.{LIVE}.jupyter-widgets-disconnected {{ display: none; }}
.jp-OutputArea:has(.zcrm-twin) .jp-OutputArea-output.jupyter-widgets:not(:has(*)) {{
  display: none; }}
</style>"""


def bundle(text: str, page: str, make: Callable[[], Any], **options: Any) -> Any:
    """Return widget and page as one mime bundle, for callers that need one."""
    twin = {"text/plain": text, "text/html": page}
    try:
        found = make()._repr_mimebundle_(**options)
    except Exception:  # no widgets here, or none that work
        return twin
    data, metadata = found if isinstance(found, tuple) else (found, {})
    return {**(data or {}), **twin}, metadata


def show(text: str, page: str, make: Callable[[], Any]) -> None:
    """Show a page that stands still, and in a notebook the widget, which hides it.

    Two outputs: JupyterLab puts an error in the place of a widget that it does not know any more,
    and would not show a twin that is in the same output.
    """
    from IPython.display import display  # noqa: PLC0415 - nobody needs it before

    twin = f'{_STYLE}<div class="zcrm-twin">{page}</div>'
    display({"text/plain": text, "text/html": twin}, raw=True)
    if here().widgets:
        with suppress(Exception):  # no widgets here, or none that work
            display(make())
