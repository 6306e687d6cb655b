"""A widget and its static twin: a page for saved notebooks and front ends without widgets."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from zcrm_nb.notebook.assets import asset
from zcrm_nb.notebook.environment import current_environment

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LIVE", "bundle", "show"]

LIVE = "zcrm-live"
"""CSS class of live widgets, by which ``twin.css`` finds them."""


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

    twin = f'<style>\n{asset("twin.css")}</style><div class="zcrm-twin">{page}</div>'
    display({"text/plain": text, "text/html": twin}, raw=True)
    if current_environment().widgets:
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
