"""A widget and its static twin: a page for saved notebooks and front ends without widgets."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.environment import here

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LIVE", "bundle", "show"]

LIVE = "zcrm-live"
"""CSS class of live widgets, by which the page finds them."""

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
        bundle = make()._repr_mimebundle_(**options)
    except Exception as error:  # a widget may fail in any way; its page is still there
        _warn(error)
        return twin
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    return {**(data or {}), **twin}, metadata


def show(text: str, page: str, make: Callable[[], Any]) -> None:
    """Show the static page and, in a notebook, the widget, which hides it.

    Two outputs: JupyterLab replaces a widget that it no longer knows by an error, and would not
    show a twin in the same output.
    """
    from IPython.display import display  # noqa: PLC0415 - only where it already runs

    twin = f'{_STYLE}<div class="zcrm-twin">{page}</div>'
    display({"text/plain": text, "text/html": twin}, raw=True)
    if here().widgets:
        try:
            display(make())
        except Exception as error:  # as above
            _warn(error)


def _warn(error: Exception) -> None:
    """Say why there is a page and no widget."""
    warnings.warn(
        f"The widget could not be built ({type(error).__name__}: {error}). "
        "The static page is shown instead.",
        stacklevel=3,
    )
